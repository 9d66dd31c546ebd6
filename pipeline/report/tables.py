"""errors.csv, unknown.csv, created.csv, undo.csv: every input column, then the `_import_*` columns; and repairs.csv.

A cell that a spreadsheet would run as a formula gets an apostrophe in front; the loader takes it away again from
files that carry an `_import_*` header, so a corrected errors.csv is itself a valid input.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, TextIO

from pipeline.carried import another_column
from pipeline.editions import Edition
from pipeline.findings import Finding, text_after
from pipeline.identity import fold_header
from pipeline.model import (
    IMPORT_PREFIX,
    PROFILE_ID_COLUMN,
    PROFILE_TYPE_COLUMN,
    ReportRow,
    SourceInfo,
    State,
)
from pipeline.report.import_columns import IMPORT_HEADER, NO_ERRORS, harmless, import_cells
from pipeline.report.replacing import replacing

REPAIR_COLUMNS = ("file", "sheet", "row", "column", "rule", "was", "is")

ReadRows = Callable[[], Iterable[ReportRow]]


def write_input_rows(
    path: Path,
    read_rows: ReadRows,
    sources: Mapping[int, SourceInfo],
    file_errors: Mapping[int, Sequence[Finding]] = NO_ERRORS,
    *,
    run_id: str,
) -> int:
    """Write the rows with their own cells; return how many. `read_rows` is called twice: for widths, for cells.

    `file_errors` are the errors about whole sources: they stand with each invalid row of theirs.
    """
    widths = Counter[int]()
    for row in read_rows():
        widths[row.source_pk] = max(widths[row.source_pk], len(row.cells or ()))
    columns_of = {
        source.pk: list(_columns(source, widths[source.pk]))
        for source in sources.values()
        if source.rows_read  # unlike a sheet that was skipped: its header would only be noise
    }
    headers = _headers(columns_of, sources)
    place_of = {column: place for place, column in enumerate(headers)}
    written = 0
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow([*map(harmless, headers.values()), *IMPORT_HEADER])
        for row in read_rows():
            cells = [""] * len(headers)
            for column, cell in zip(columns_of[row.source_pk], row.cells or (), strict=False):
                if column is not None:
                    cells[place_of[column]] = harmless(cell)
            about_file = file_errors.get(row.source_pk, ()) if row.state is State.INVALID else ()
            writer.writerow(cells + import_cells(row, sources[row.source_pk], run_id, about_file))
            written += 1
    return written


def write_sent_rows(
    path: Path, rows: Iterable[ReportRow], sources: Mapping[int, SourceInfo], edition: Edition, *, run_id: str
) -> int:
    """Write what was sent: the properties, the id, and what became of it; return how many."""
    names = [each.name for each in edition.properties]
    # Without its profile type a row would be another object when this file is imported again.
    type_of = {(route.platform, route.cast): route.profile_type.value for route in edition.routes}
    written = 0
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow([*names, PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN, *IMPORT_HEADER])
        for row in rows:
            body = json.loads(row.body or b"{}")
            _, _, profile_id, *cast, _ = row.collection.split("/")
            way = (body.get("devicePlatform"), "/".join(cast))
            sent = {name: str(body[name]) for name in names if name in body}
            cells = [harmless(sent.get(name, "")) for name in names]
            ours = import_cells(row, sources[row.source_pk], run_id, sent=sent)
            writer.writerow([*cells, profile_id, type_of.get(way, ""), *ours])
            written += 1
    return written


def write_repairs(
    path: Path, placed: Iterable[tuple[int, int | None, Finding]], sources: Mapping[int, SourceInfo]
) -> int:
    """Write each change of a value by a rule, as (source, row number, finding) triples tell it; return how many."""
    written = 0
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow(REPAIR_COLUMNS)
        for source_pk, row_number, found in placed:
            text = text_after(found)
            if text is None or row_number is None:
                continue
            source = sources[source_pk]
            cells = (source.file, source.sheet or "", str(row_number), found.column, found.code, found.value, text)
            writer.writerow([harmless(cell) for cell in cells])
            written += 1
    return written


class _Column(NamedTuple):
    """A column by which the files of one run are put together."""

    name: str  # the property, else the header as `columns` compares it: two headers for one property would be a
    # duplicate column when the report comes back
    nth: int  # of the columns with this name in one file
    property: str  # "" where it stands for none


def _columns(source: SourceInfo, width: int) -> Iterator[_Column | None]:
    """Yield the column of each cell of a row so wide, None where an earlier report's own column stands."""
    seen = Counter[str]()
    header = (*source.header, *("" for _ in range(width - len(source.header))))
    for cell, meant in zip_longest(header, source.properties, fillvalue=""):
        name = meant.casefold() or fold_header(cell)
        yield None if name.startswith(IMPORT_PREFIX) else _Column(name, seen[name], meant)
        seen[name] += 1


def _headers(
    columns_of: Mapping[int, Sequence[_Column | None]], sources: Mapping[int, SourceInfo]
) -> Mapping[_Column, str]:
    """Return the header of each column, as the first file with it spells it, in the order of errors.csv."""
    headers: dict[_Column, str] = {}
    for source_pk, columns in columns_of.items():
        for column, header in zip_longest(columns, sources[source_pk].header, fillvalue=""):
            if isinstance(column, _Column):
                is_further = bool(column.property) and column.nth > 0
                is_alone = is_further and not all(column in each for each in columns_of.values())
                headers.setdefault(column, another_column(header, column.property) if is_alone else header)
    return headers


def delimiter_of(sources: Mapping[int, SourceInfo]) -> str:
    """Return the semicolon where an input had it: Excel splits a file by the one that its country uses."""
    return ";" if any(source.delimiter == ";" for source in sources.values()) else ","


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """Yield a table to be written, so that Excel reads it; it takes the place of an earlier one when it is whole."""
    # Excel takes a CSV file for UTF-8 only with the byte order mark; the csv module wants newline="".
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        yield file
