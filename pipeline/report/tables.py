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
from pipeline.model import IMPORT_PREFIX, PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN, ReportRow, SourceInfo
from pipeline.report.import_columns import IMPORT_HEADER, harmless, harmless_cells, import_cells
from pipeline.report.input_rows import ReadRows, ToldRow, Widths, told_rows, widths_of
from pipeline.report.replacing import replacing

REPAIR_COLUMNS = ("file", "sheet", "row", "column", "rule", "was", "is")


def write_input_rows(path: Path, read_rows: ReadRows, sources: Mapping[int, SourceInfo], *, run_id: str) -> int:
    """Write the rows with their own cells; return how many. `read_rows` is called twice: for widths, for cells."""
    written = 0
    with input_table(path, widths_of(read_rows(), sources), sources) as write:
        for told in told_rows(read_rows(), sources, run_id=run_id):
            write(told)
            written += 1
    return written


@contextmanager
def input_table(path: Path, widths: Widths, sources: Mapping[int, SourceInfo]) -> Iterator[Callable[[ToldRow], None]]:
    """Yield what writes one more row with its own cells into the table. Raises OSError."""
    columns_of = {
        source.pk: list(_columns(source, len(widths.get(source.pk, source.header))))
        for source in sources.values()
        if source.rows_read  # unlike a sheet that was skipped: its header would only be noise
    }
    headers = _headers(columns_of, sources)
    place_of = {column: place for place, column in enumerate(headers)}
    places_of = {
        pk: [None if each is None else place_of[each] for each in columns] for pk, columns in columns_of.items()
    }
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow([*map(harmless, headers.values()), *IMPORT_HEADER])

        def write(told: ToldRow) -> None:
            cells = [""] * len(headers)
            for place, cell in zip(places_of[told.source.pk], told.own, strict=False):
                if place is not None:
                    cells[place] = cell
            writer.writerow([*cells, *told.ours])

        yield write


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
            cells = harmless_cells([sent.get(name, "") for name in names])
            ours = import_cells(row, sources[row.source_pk], run_id, sent=sent)
            writer.writerow([*cells, profile_id, type_of.get(way, ""), *ours])
            written += 1
    return written


@contextmanager
def repairs_table(
    path: Path, sources: Mapping[int, SourceInfo]
) -> Iterator[Callable[[int, int | None, Finding], None]]:
    """Yield what writes (source, row number, finding) down, if a rule changed a value there. Raises OSError."""
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow(REPAIR_COLUMNS)

        def write(source_pk: int, row_number: int | None, found: Finding) -> None:
            text = text_after(found)
            if text is None or row_number is None:
                return
            source = sources[source_pk]
            cells = (source.file, source.sheet or "", str(row_number), found.column, found.code, found.value, text)
            writer.writerow(harmless_cells(cells))

        yield write


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
    # Excel takes a CSV file for UTF-8 only with the byte order mark; the csv module wants newline="". The encoding
    # utf-8-sig would write the mark too, but is run in Python for each row.
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        file.write("\ufeff")
        yield file
