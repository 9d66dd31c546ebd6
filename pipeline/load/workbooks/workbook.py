"""Workbooks (.xlsx, .xlsm, .xls, .xlsb, .ods) become one table per sheet. One sheet is in memory at a time.

Read with python-calamine directly: it tells a number from text, which pandas' `read_excel` with `dtype=str` does not.
Formulas come as the value that the workbook was saved with. calamine shows error values (`#N/A`) and formulas without
a saved value as empty cells (python-calamine 0.9). `traps` are those that the guard finds: both in .xlsx and .xlsm,
errors in .xlsb and .ods, none in .xls; and in .ods the texts that calamine misreads. Empty columns left of the first
cell with content are left out. Dates come to the millisecond, as calamine rounds them; the day that never was,
1900-02-29, comes as 1900-02-28. `guard` goes first: nothing that makes calamine abort or take all memory reaches it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import TypeAlias

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, finding, shorten
from pipeline.load.table import (
    HEADER_SEARCH_ROWS,
    LoadOptions,
    Record,
    Table,
    about_title_rows,
    check_width,
    chunked,
    find_header,
    is_blank,
    is_report,
    reading,
    trimmed,
    unmasked,
)
from pipeline.load.workbooks.escapes import unescaped, unescaped_records
from pipeline.load.workbooks.extent import SHEET_COLUMNS
from pipeline.load.workbooks.guard import guarded
from pipeline.load.workbooks.merged import (
    about_merged_header,
    covered,
    filled_from_above,
    merged_ranges,
    without_header_parts,
)
from pipeline.load.workbooks.package import damaged, protected
from pipeline.load.workbooks.traps import Trap, Traps, Unshown
from pipeline.model import CellType

CellValue: TypeAlias = int | float | str | bool | time | date | datetime | timedelta

TEXT_ONLY = {str}
"""What most rows of an inventory hold."""

EXACT_INTEGER_LIMIT = 2**53  # below it, a float holds every integer exactly


def open_sheets(path: Path, options: LoadOptions) -> Iterator[Table]:
    """Yield a table per worksheet with content, hidden ones too, charts and macro sheets not.

    Raises SourceError if the file is no workbook, has a password, lacks a chosen sheet, is too large or hostile, or
    holds nothing.
    """
    found = False
    with reading(path), guarded(path) as guard, _understood(path), _opened(path) as workbook:
        for sheet in _chosen_sheets(path, workbook, options.sheets):
            unshown = guard.unshown_in(sheet.name)
            with _silenced():
                cells = workbook.get_sheet_by_name(sheet.name)
            table = _table(path, cells, unshown, sheet.visible, options)
            if table is not None:
                found = True
                yield table
    if not found:
        raise SourceError(f"{path} holds no row in any sheet that was to be read: export it again.")


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """Turn what calamine raises within the block into a SourceError."""
    try:
        yield
    except PasswordError as exc:
        raise protected(path) from exc
    except (CalamineError, OverflowError, ValueError) as exc:  # Python has no date for some of calamine's
        raise damaged(path, exc) from exc
    except BaseException as exc:
        # A damaged .xls makes calamine's Rust code panic; the class of that cannot be imported and is no Exception.
        if type(exc).__name__ != "PanicException":
            raise
        raise damaged(path, exc) from exc


def _opened(path: Path) -> CalamineWorkbook:
    with _silenced():
        return CalamineWorkbook.from_path(path)


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep file descriptor 2 quiet within the block: Rust prints a trace of a panic there before Python hears of it."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed, as under a service: nobody is there to read a trace
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _chosen_sheets(path: Path, workbook: CalamineWorkbook, chosen: tuple[str, ...]) -> list[SheetMetadata]:
    """Return the worksheets to read in the workbook's order. A name counts exactly, else in any letter case."""
    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    names = [sheet.name for sheet in sheets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f'{path} has two sheets named "{twice}": rename one of them.')
    if not chosen:
        return sheets
    by_folded_name = {name.casefold(): name for name in names}
    wanted = set()
    for each in chosen:
        name = each if each in names else by_folded_name.get(each.casefold())
        if name is None:
            raise SourceError(f'{path} has no sheet "{each}": choose among {", ".join(names)}.')
        wanted.add(name)
    return [sheet for sheet in sheets if sheet.name in wanted]


def _table(
    path: Path, sheet: CalamineSheet, unshown: Unshown, visible: SheetVisibleEnum, options: LoadOptions
) -> Table | None:
    columns = _columns(sheet, unshown.traps)
    ranges = merged_ranges(path, sheet, unshown.merged, columns.start)
    records = dropwhile(lambda record: is_blank(record.cells), _records(path, sheet, unshown.traps, columns))
    lead_rows = max(HEADER_SEARCH_ROWS, options.header_row or 0)
    lead = list(islice(records, lead_rows))
    filled = filled_from_above(lead, ranges)
    index = find_header(path, filled, options, sheet.name)
    if index is None:
        return None
    header = trimmed(filled[index].cells)
    check_width(path, header)
    found = about_hidden(sheet.name, visible)
    found += about_merged_header(ranges, filled[index].row_number, len(header))
    if options.header_row is None:
        found += about_title_rows(without_header_parts(lead[:index], ranges, filled[index].row_number))
    below = covered(chain(lead[index + 1 :], records), ranges, len(header))
    if is_report(header):
        header, below = unmasked(unescaped(header)), unescaped_records(below)
    return Table(
        source=path,
        sheet=sheet.name,
        header=header,
        header_row_number=filled[index].row_number,
        encoding="",
        delimiter="",
        rows_estimate=sheet.end[0] + 1 - filled[index].row_number if sheet.end else 0,
        chunks=chunked(below, header, options.chunk_rows),
        findings=found,
    )


def _columns(sheet: CalamineSheet, traps: Traps) -> range:
    """Return the columns, from 0, that hold anything, those too that calamine takes for empty ones at the sides."""
    first, behind = (sheet.start[1], sheet.end[1] + 1) if sheet.start and sheet.end else (SHEET_COLUMNS, 0)
    for row in traps.values():
        for trap in row:
            if trap.text:
                first, behind = min(first, trap.column), max(behind, trap.column + 1)
    return range(min(first, behind), behind)


def _records(path: Path, sheet: CalamineSheet, traps: Traps, columns: range) -> Iterator[Record]:
    """Yield the sheet's rows from its first row on, also where calamine's used range begins further down."""
    left = sheet.start[1] - columns.start if sheet.start else 0
    right = columns.stop - sheet.end[1] - 1 if sheet.end else 0
    row_number = 0
    with _understood(path):
        for row_number, values in enumerate(sheet.iter_rows(), start=1):
            if not left and not right and row_number not in traps and set(map(type, values)) == TEXT_ONLY:
                yield Record(row_number, tuple(map(str, values)))
                continue
            cells = [""] * left
            not_text: list[tuple[int, CellType]] = []
            for index, value in enumerate(values, start=left):
                if isinstance(value, str):
                    cells.append(value)
                else:
                    text, cell_type = _text_of(value)
                    cells.append(text)
                    not_text.append((index, cell_type))
            cells += [""] * right
            if row_number in traps:
                not_text = _set_traps(cells, not_text, traps[row_number], columns.start)
            yield Record(row_number, tuple(cells), tuple(not_text))
    for number in sorted(number for number in traps if number > row_number):
        cells = [""] * len(columns)
        below = _set_traps(cells, [], traps[number], columns.start)
        yield from (Record(blank, ("",) * len(columns)) for blank in range(row_number + 1, number))
        yield Record(number, tuple(cells), tuple(below))
        row_number = number


def _set_traps(
    cells: list[str], not_text: list[tuple[int, CellType]], traps: tuple[Trap, ...], first_column: int
) -> list[tuple[int, CellType]]:
    """Write the traps' texts in place of what calamine shows, and return which cells are no text now."""
    types = dict(not_text)
    for trap in traps:
        index = trap.column - first_column
        if 0 <= index < len(cells):
            cells[index] = trap.text
            types[index] = trap.cell_type
    return sorted((index, kind) for index, kind in types.items() if kind is not CellType.TEXT)


def about_hidden(sheet: str, visible: SheetVisibleEnum) -> tuple[Finding, ...]:
    """Return the finding that tells of a sheet nobody sees in the workbook."""
    if visible == SheetVisibleEnum.Visible:
        return ()
    how = "hidden" if visible == SheetVisibleEnum.Hidden else "very hidden, only the VBA editor shows it"
    return (finding(Code.HIDDEN_SHEET, f'the sheet "{shorten(sheet)}" is {how}', value=sheet),)


def _text_of(value: CellValue) -> tuple[str, CellType]:
    """Return the text of a cell that holds none: digits, TRUE, 2026-11-23T08:49:13, or h:mm:ss of a duration."""
    match value:
        case bool():
            return str(value).upper(), CellType.BOOLEAN
        case int() | float():
            return _digits(value), CellType.NUMBER
        case datetime() | time():
            text = value.isoformat()
        case date():
            text = f"{value.isoformat()}T00:00:00"
        case timedelta():
            minutes, seconds = divmod(value, timedelta(minutes=1))
            text = f"{minutes // 60}:{minutes % 60:02}:{seconds.total_seconds():02g}"
    return text, CellType.DATE


def _digits(value: float) -> str:
    if isinstance(value, float) and not value.is_integer():
        return repr(value)
    if isinstance(value, int) or abs(value) < EXACT_INTEGER_LIMIT:
        return str(int(value))
    # int() would print the binary noise behind the digits that the workbook holds
    return format(Decimal(repr(value)).to_integral_value(), "f")
