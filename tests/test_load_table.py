"""The header of a table: what tells it from titles above and rows below."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.load import LoadOptions, open_tables
from pipeline.load.table import Record, find_header

KNOWN = {"device", "user", "serial", "issuer"}


def known_columns(cells: Sequence[str]) -> int:
    return sum(word in KNOWN for cell in cells for word in cell.split(","))


KNOWING = LoadOptions(known_columns=known_columns)


def header_index(*rows: tuple[str, ...] | Record) -> int | None:
    lead = [row if isinstance(row, Record) else Record(number, row) for number, row in enumerate(rows, start=1)]
    return find_header(Path("a.csv"), lead, KNOWING)


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        ([("device", "user"), ("PC", "Ann")], 0),
        ([("user", "report"), ("device", "user"), ("PC", "Ann")], 1),
        ([("user", "number"), ("Ann", "1")], 0),
        ([("", " "), ("name", "number"), ("Ann", "1")], 1),
        ([("device", "user"), ("device", "user", "serial"), ("PC", "Ann", "01")], 1),
        ([("device", "user"), ("PC", "Ann"), ("device", "user", "serial"), ("PC", "Eva", "01")], 0),
        ([("report",), Record(2, ("device,user",), broken="quotes"), ("device", "user")], 2),
        ([("", ""), ()], None),
    ],
    ids=[
        "first row",
        "one known word in a title",
        "one known word at all",
        "no known word",
        "header of two rows",
        "a later row knows more",
        "broken line",
        "blank",
    ],
)
def test_the_header_is_the_first_row_that_names_two_known_columns(
    rows: list[tuple[str, ...] | Record], index: int | None
) -> None:
    """It is the first that names two, or the one right below that names more, or the first row with content."""
    assert header_index(*rows) == index


def test_no_row_of_the_first_of_two_joined_files_is_lost(tmp_path: Path) -> None:
    """The second header, which knows more columns, is a row of the first table like those above and below it."""
    path = tmp_path / "a.csv"
    first = "device,user\n" + "".join(f"PC-{number},Ann\n" for number in range(30))
    second = "device,user,serial\n" + "".join(f"PC-{number},Eva,{number}\n" for number in range(30, 40))
    path.write_text(first + second, "utf-8")

    (table,) = open_tables(path, KNOWING)

    assert (table.header, table.findings) == (("device", "user"), ())
    assert [row.row_number for chunk in table.chunks for row in chunk.rows] == list(range(2, 43))
