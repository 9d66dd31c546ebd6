"""Several processes read one file: what comes out is what one process makes of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from import_cases import Site, devices, read_csv

from pipeline.ingest.pool import LEAST_BYTES, processes_for, usable_processors
from pipeline.load.text_files.pieces import PIECE_BYTES
from pipeline.run import validate_files

Cells = dict[str, str]


def many_rows() -> list[Cells]:
    """Return rows for several pieces, of which some are faulty, repeat another one or contradict it."""
    rows = devices(14_000)
    rows[3] |= {"certificateExpirationDateTime": "soon"}
    rows[13_000] |= {"devicePlatform": "BeOS"}
    return [*rows, rows[0], rows[1] | {"userDisplayName": "Somebody Else"}]


def checked(site: Site, path: Path, jobs: int) -> tuple[object, list[Cells], list[tuple[int, int, int]]]:
    """Return the totals of a dry run, the rows to mend, and the rows read of each source."""
    finished = validate_files([path], replace(site.job(), jobs=jobs))
    errors = [
        {name: cell for name, cell in row.items() if name != "_import_run"}
        for row in read_csv(finished.folder / "errors.csv")
    ]
    sources = [(each.pk, each.rows_read, each.blank_rows) for each in finished.summary.sources]
    return (finished.summary.totals, finished.summary.routes), errors, sources


@pytest.mark.parametrize("ending", ["", "a cell of two lines", "blank lines"])
def test_two_processes_say_what_one_says(site: Site, ending: str) -> None:
    """Pieces come together in the file's order, and from a cell of several lines on one process reads alone."""
    rows = many_rows()
    if ending == "a cell of two lines":
        rows[12_000] |= {"userDisplayName": "Erika\nExample"}
    path = site.write("inventory.csv", rows)
    if ending == "blank lines":
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:5000], b",,\r\n\r\n", *lines[5000:9000], b"\r\n", *lines[9000:], b"\r\n"]))

    one, two = checked(site, path, 1), checked(site, path, 2)

    assert path.stat().st_size > 2 * PIECE_BYTES
    assert two == one


def test_small_files_are_read_by_one_process() -> None:
    """Unless told otherwise, a second process is started for a large file only."""
    assert [processes_for(size, None) for size in (0, LEAST_BYTES - 1)] == [1, 1]
    assert processes_for(LEAST_BYTES, None) == min(usable_processors(), 8)
    assert [processes_for(0, jobs) for jobs in (1, 3)] == [1, 3]
