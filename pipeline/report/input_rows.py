"""The rows of errors.csv, errors.xlsx and unknown.csv as these tell them: how wide they are, and each one's texts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.findings import Finding
from pipeline.model import ReportRow, SourceInfo, State
from pipeline.report.import_columns import NO_ERRORS, harmless_cells, import_cells

ReadRows = Callable[[], Iterable[ReportRow]]

Widths = Mapping[int, Sequence[int]]
"""By source: for each column the characters of its longest cell, for as many columns as the widest row has cells."""


class ToldRow(NamedTuple):
    """A row with its texts, which are harmless."""

    row: ReportRow
    source: SourceInfo
    own: Sequence[str]  # its own cells
    ours: Sequence[str]  # those of IMPORT_COLUMNS
    about_file: Sequence[Finding]  # errors about the whole source, told with the row


def widths_of(rows: Iterable[ReportRow], sources: Mapping[int, SourceInfo]) -> dict[int, list[int]]:
    """Return the widths of each source that has rows, at least as many as its header has cells. Keeps no row."""
    widths: dict[int, list[int]] = {}
    for row in rows:
        known = widths.get(row.source_pk)
        if known is None:
            known = widths[row.source_pk] = [0] * len(sources[row.source_pk].header)
        cells = row.cells or ()
        if len(cells) > len(known):
            known.extend([0] * (len(cells) - len(known)))
        for index, cell in enumerate(cells):
            known[index] = max(known[index], len(cell))
    return widths


def told_rows(
    rows: Iterable[ReportRow],
    sources: Mapping[int, SourceInfo],
    file_errors: Mapping[int, Sequence[Finding]] = NO_ERRORS,
    *,
    run_id: str,
) -> Iterator[ToldRow]:
    """Yield the rows as the tables tell them.

    `file_errors` are the errors about whole sources: they stand with each invalid row of theirs.
    """
    for row in rows:
        source = sources[row.source_pk]
        about_file = file_errors.get(row.source_pk, ()) if row.state is State.INVALID else ()
        own = harmless_cells(row.cells or ())
        yield ToldRow(row, source, own, import_cells(row, source, run_id, about_file), about_file)
