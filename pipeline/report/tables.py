"""errors.csv, unknown.csv, created.csv, undo.csv: every input column, then the `_import_*` columns; and repairs.csv.

A cell that a spreadsheet would run as a formula gets an apostrophe in front; the loader takes it away again from
files that carry an `_import_*` header, so a corrected errors.csv is itself a valid input.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TextIO

from pipeline.editions import Edition
from pipeline.findings import Finding, Severity, text_after
from pipeline.identity import fold_header
from pipeline.model import (
    FORMULA_PLACES,
    IMPORT_PREFIX,
    PROFILE_ID_COLUMN,
    PROFILE_TYPE_COLUMN,
    ReportRow,
    SourceInfo,
    State,
)

IMPORT_COLUMNS = (
    "file",
    "row",
    "sheet",
    "status",
    "code",
    "column",
    "value",
    "message",
    "hint",
    "http_status",
    "graph_code",
    "request_id",
    "attempts",
    "id",
)

REPAIR_COLUMNS = ("file", "sheet", "row", "column", "rule", "was", "is")

NO_ERRORS: Mapping[int, Sequence[Finding]] = MappingProxyType({})

ReadRows = Callable[[], Iterable[ReportRow]]


def harmless(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it; `load` turns it back."""
    return FORMULA_PLACES.sub("'", cell)


def write_input_rows(
    path: Path,
    read_rows: ReadRows,
    sources: Mapping[int, SourceInfo],
    file_errors: Mapping[int, Sequence[Finding]] = NO_ERRORS,
) -> int:
    """Write the rows with their own cells; return how many. `read_rows` is called twice: for widths, for cells.

    `file_errors` are the errors about whole sources: they stand with each invalid row of theirs.
    """
    widths = Counter[int]()
    for row in read_rows():
        widths[row.source_pk] = max(widths[row.source_pk], len(row.cells or ()))
    columns_of: dict[int, list[_Column | None]] = {}
    spellings: dict[_Column, str] = {}  # in the order of errors.csv
    for source in sources.values():
        if not source.rows_read:
            continue  # such as a sheet that was skipped: its header would only be noise
        header = (*source.header, *("" for _ in range(widths[source.pk] - len(source.header))))
        columns_of[source.pk] = list(_columns(header, source.properties))
        for column, name in zip(columns_of[source.pk], header, strict=True):
            if column is not None:
                spellings.setdefault(column, name)
    place_of = {column: place for place, column in enumerate(spellings)}
    written = 0
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow([*map(harmless, spellings.values()), *(IMPORT_PREFIX + name for name in IMPORT_COLUMNS)])
        for row in read_rows():
            cells = [""] * len(spellings)
            for column, cell in zip(columns_of[row.source_pk], row.cells or (), strict=False):
                if column is not None:
                    cells[place_of[column]] = harmless(cell)
            about_file = file_errors.get(row.source_pk, ()) if row.state is State.INVALID else ()
            explained = row._replace(findings=(*about_file, *row.findings))
            writer.writerow(cells + _import_cells(explained, sources[row.source_pk]))
            written += 1
    return written


def write_sent_rows(path: Path, rows: Iterable[ReportRow], sources: Mapping[int, SourceInfo], edition: Edition) -> int:
    """Write what was sent: the properties, the id, and what became of it; return how many."""
    names = [each.name for each in edition.properties]
    # Without its profile type a row would be another object when this file is imported again.
    type_of = {(route.platform, route.cast): route.profile_type.value for route in edition.routes}
    written = 0
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow(
            [*names, PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN] + [IMPORT_PREFIX + name for name in IMPORT_COLUMNS]
        )
        for row in rows:
            body = json.loads(row.body or b"{}")
            _, _, profile_id, *cast, _ = row.collection.split("/")
            way = (body.get("devicePlatform"), "/".join(cast))
            cells = [harmless(str(body.get(name, ""))) for name in names]
            writer.writerow([*cells, profile_id, type_of.get(way, ""), *_import_cells(row, sources[row.source_pk])])
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


def _columns(header: Iterable[str], properties: Iterable[str]) -> Iterator[_Column | None]:
    """Yield each cell's column, None where an earlier report's own column stands."""
    seen = Counter[str]()
    for cell, meant in zip_longest(header, properties, fillvalue=""):
        name = meant.casefold() or fold_header(cell)
        yield None if name.startswith(IMPORT_PREFIX) else _Column(name, seen[name])
        seen[name] += 1


def delimiter_of(sources: Mapping[int, SourceInfo]) -> str:
    """Return the semicolon where an input had it: Excel splits a file by the one that its country uses."""
    return ";" if any(source.delimiter == ";" for source in sources.values()) else ","


def open_table(path: Path) -> TextIO:
    """Open a table to be written, so that Excel reads it."""
    # Excel takes a CSV file for UTF-8 only with the byte order mark; the csv module wants newline="".
    return path.open("w", encoding="utf-8-sig", newline="")


def _import_cells(row: ReportRow, source: SourceInfo) -> list[str]:
    answer = row.answer
    # What was repaired stands in repairs.csv; here is what somebody has to do.
    told = [each for each in row.findings if each.severity is not Severity.INFO]
    row = row._replace(findings=tuple(sorted(told, key=lambda each: tuple(Severity).index(each.severity))))
    messages = [each.message for each in row.findings] + ([answer.message] if answer.message else [])
    cells = {
        "file": source.file,
        "row": str(row.row_number),
        "sheet": source.sheet or "",
        "status": "unsent" if row.state is State.PLANNED else row.state.value,
        "code": "; ".join(each.code for each in row.findings),
        "column": "; ".join(each.column for each in row.findings),
        "value": "; ".join(each.value for each in row.findings),
        "message": "; ".join(messages),
        "hint": "; ".join(dict.fromkeys(each.hint for each in row.findings)),
        "http_status": str(answer.http_status or ""),
        "graph_code": answer.graph_code,
        "request_id": answer.request_id,
        "attempts": str(row.attempts),
        "id": answer.object_id,
    }
    return [harmless(cells[name]) for name in IMPORT_COLUMNS]
