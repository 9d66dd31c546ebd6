"""Workbooks (.xlsx, .xlsm, .xls, .xlsb, .ods) become one table per sheet. One sheet is in memory at a time.

A sheet of texts and whole numbers in the plainest spelling was read by the guard already, as it looked at every byte
(plain_cells.py); calamine would take as long again and come to the same. All others are read with python-calamine
directly: it tells a number from text, which pandas' `read_excel` with `dtype=str` does not.

Formulas come as the value that the workbook was saved with. calamine shows error values (`#N/A`) and formulas without
a saved value as empty cells (python-calamine 0.9). `traps` are those that the guard finds: both in .xlsx and .xlsm,
errors in .xlsb and .ods, none in .xls; and in .ods the texts that calamine misreads. Empty columns left of the first
cell with content are left out. Dates come to the millisecond, as calamine rounds them; the day that never was,
1900-02-29, comes as 1900-02-28. `guard` goes first: nothing that makes calamine abort or take all memory reaches it.
"""

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

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
    Stretch,
    Table,
    about_title_rows,
    check_width,
    chunked,
    chunked_stretches,
    find_header,
    is_blank,
    is_report,
    reading,
    trimmed,
    unmasked,
)
from pipeline.load.workbooks.escapes import unescaped, unescaped_records
from pipeline.load.workbooks.extent import SHEET_COLUMNS, bounded_rows
from pipeline.load.workbooks.guard import Guard, guarded
from pipeline.load.workbooks.merged import (
    MergedRange,
    about_merged_header,
    covered,
    filled_from_above,
    merged_ranges,
    without_header_parts,
)
from pipeline.load.workbooks.package import damaged, protected
from pipeline.load.workbooks.plain_cells import highest_index, plain_stretches
from pipeline.load.workbooks.traps import Traps
from pipeline.model import CellType

CellValue: TypeAlias = int | float | str | bool | time | date | datetime | timedelta

TEXT_ONLY = {str}
"""What most rows of an inventory hold."""

REMEMBERED_VALUES = 20_000
"""So many numbers and dates are remembered with their texts: key lengths and days repeat."""

NotText: TypeAlias = dict[int, tuple[tuple[int, CellType], ...]]

EXACT_INTEGER_LIMIT = 2**53  # below it, a float holds every integer exactly


def open_sheets(path: Path, options: LoadOptions) -> Iterator[Table]:
    """Yield a table per worksheet with content, hidden ones too, charts and macro sheets not.

    Raises SourceError if the file is no workbook, has a password, lacks a chosen sheet, is too large or hostile, or
    holds nothing.
    """
    found = False
    with reading(path), guarded(path) as guard, _understood(path), ExitStack() as held:
        reader = _Reader(path, guard, held)
        for sheet in _chosen_sheets(path, reader.sheets(), options.sheets):
            table = _table(path, reader.grid(sheet.name, options.chunk_rows), sheet.visible, options)
            if table is not None:
                found = True
                yield table
    if not found:
        raise SourceError(f"{path} holds no row in any sheet that was to be read: export it again.")


class Grid(NamedTuple):
    """The cells of a sheet."""

    sheet: str
    last_row: int  # the number of the last row with content
    ranges: tuple[MergedRange, ...]
    stretches: Iterator[Stretch]  # from row 1 to the last; consumed once


class _Reader:
    """Reads the sheets of a workbook: plain ones from the guard's findings, the others with calamine."""

    def __init__(self, path: Path, guard: Guard, held: ExitStack) -> None:
        self._path = path
        self._guard = guard
        self._held = held
        self._workbook: CalamineWorkbook | None = None
        self._strings: list[str] | None = None
        self._has_strings = False  # whether they were looked for

    def sheets(self) -> list[SheetMetadata]:
        """Return all sheets in the workbook's order."""
        outline = self._guard.outline_only()
        if outline is None:
            return self._opened().sheets_metadata
        try:
            with _silenced():
                return CalamineWorkbook.from_object(outline).sheets_metadata
        except CalamineError:  # something it needs is elsewhere, or it is damaged
            return self._opened().sheets_metadata

    def grid(self, sheet: str, stretch_rows: int) -> Grid:
        """Return the sheet's cells, in stretches of so many rows."""
        unshown = self._guard.unshown_in(sheet)
        plain = unshown.plain
        strings = self._plain_strings() if plain else None
        if plain and strings is not None and highest_index(plain) < len(strings):
            last_row = int(plain.rows[-1]) if len(plain.rows) else 0
            return Grid(sheet, last_row, (), plain_stretches(plain, strings, stretch_rows))
        del plain, strings
        unshown = unshown._replace(plain=None)  # not to be held beside calamine's cells
        with _silenced():
            cells = self._opened().get_sheet_by_name(sheet)
        columns = _columns(cells, unshown.traps)
        ranges = merged_ranges(self._path, cells, unshown.merged, columns.start)
        last_row = cells.end[0] + 1 if cells.end else 0
        return Grid(sheet, last_row, ranges, _stretches(self._path, cells, unshown.traps, columns, stretch_rows))

    def _plain_strings(self) -> list[str] | None:
        if not self._has_strings:
            self._strings = self._guard.plain_strings()
            self._has_strings = True
        return self._strings

    def _opened(self) -> CalamineWorkbook:
        if self._workbook is None:
            self._guard.check_strings()
            with _silenced():
                self._workbook = self._held.enter_context(CalamineWorkbook.from_path(self._path))
        return self._workbook


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


def _chosen_sheets(path: Path, listed: Sequence[SheetMetadata], chosen: tuple[str, ...]) -> list[SheetMetadata]:
    """Return the worksheets to read in the workbook's order. A name counts exactly, else in any letter case."""
    sheets = [sheet for sheet in listed if sheet.typ == SheetTypeEnum.WorkSheet]
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


def _table(path: Path, grid: Grid, visible: SheetVisibleEnum, options: LoadOptions) -> Table | None:
    lead_rows = max(HEADER_SEARCH_ROWS, options.header_row or 0)
    lead: list[Record] = []
    read: list[Stretch] = []  # again for the rows below the header
    for stretch in grid.stretches:
        lead += stretch.records() if lead else dropwhile(lambda record: is_blank(record.cells), stretch.records())
        if lead:
            read.append(stretch)
        if len(lead) >= lead_rows:
            break
    lead = lead[:lead_rows]
    filled = filled_from_above(lead, grid.ranges)
    index = find_header(path, filled, options, grid.sheet)
    if index is None:
        return None
    header, header_row = trimmed(filled[index].cells), filled[index].row_number
    check_width(path, header)
    found = about_hidden(grid.sheet, visible)
    found += about_merged_header(grid.ranges, header_row, len(header))
    if options.header_row is None:
        found += about_title_rows(without_header_parts(lead[:index], grid.ranges, header_row))
    below = _below(read, grid.stretches, header_row)
    if grid.ranges or is_report(header):
        records = covered(chain.from_iterable(each.records() for each in below), grid.ranges, len(header))
        if is_report(header):
            header, records = unmasked(unescaped(header)), unescaped_records(records)
        chunks = chunked(records, header, options.chunk_rows)
    else:
        chunks = chunked_stretches(below, len(header))
    return Table(
        source=path,
        sheet=grid.sheet,
        header=header,
        header_row_number=header_row,
        encoding="",
        delimiter="",
        rows_estimate=max(grid.last_row - header_row, 0),
        chunks=chunks,
        findings=found,
    )


def _below(read: list[Stretch], others: Iterator[Stretch], row_number: int) -> Iterator[Stretch]:
    """Yield the stretches from the row behind this one on; those that were `read` are forgotten as they come."""
    while read:
        yield read.pop(0).below(row_number)
    yield from others


def _columns(sheet: CalamineSheet, traps: Traps) -> range:
    """Return the columns, from 0, that hold anything, those too that calamine takes for empty ones at the sides."""
    first, behind = (sheet.start[1], sheet.end[1] + 1) if sheet.start and sheet.end else (SHEET_COLUMNS, 0)
    for row in traps.values():
        for trap in row:
            if trap.text:
                first, behind = min(first, trap.column), max(behind, trap.column + 1)
    return range(min(first, behind), behind)


def _stretches(path: Path, sheet: CalamineSheet, traps: Traps, columns: range, stretch_rows: int) -> Iterator[Stretch]:
    """Yield the sheet's rows from its first row on, also where calamine's used range begins further down."""
    left = sheet.start[1] - columns.start if sheet.start else 0
    right = columns.stop - sheet.end[1] - 1 if sheet.end else 0
    trapped = sorted(traps)
    stretch_rows = bounded_rows(stretch_rows, len(columns))
    next_row = 1
    with _understood(path):
        rows = iter(sheet.iter_rows())
        while values := list(islice(rows, stretch_rows)):
            blank = ("",) * len(values)
            stretch = Stretch(next_row, [blank] * left, {})
            for column in zip(*values, strict=True):
                stretch.columns.append(_texts(column, len(stretch.columns), stretch.not_text))
            stretch.columns.extend([blank] * right)
            next_row += len(values)
            yield _trapped(stretch, next_row, trapped, traps, columns.start)
    last_row = trapped[-1] if trapped else 0
    while next_row <= last_row:
        blank = ("",) * min(stretch_rows, last_row + 1 - next_row)
        stretch = Stretch(next_row, [blank] * len(columns), {})
        next_row += len(blank)
        yield _trapped(stretch, next_row, trapped, traps, columns.start)


def _texts(column: tuple[CellValue, ...], index: int, not_text: NotText) -> Sequence[str]:
    """Return the texts of a column's cells, and note in `not_text` which of them are none."""
    if set(map(type, column)) == TEXT_ONLY:
        return cast("tuple[str, ...]", column)
    texts: list[str] = []
    for at, value in enumerate(column):
        if isinstance(value, str):
            texts.append(value)
        else:
            text, cell_type = _text_of(value)
            texts.append(text)
            not_text[at] = (*not_text.get(at, ()), (index, cell_type))
    return texts


def _trapped(stretch: Stretch, behind: int, trapped: Sequence[int], traps: Traps, first_column: int) -> Stretch:
    """Return the stretch, which ends before the row `behind`, with the traps in place of what calamine shows."""
    rows = trapped[bisect_left(trapped, stretch.first_row) : bisect_left(trapped, behind)]
    if not rows:
        return stretch
    columns = [list(column) for column in stretch.columns]
    for row in rows:
        at = row - stretch.first_row
        types = dict(stretch.not_text.get(at, ()))
        for trap in traps[row]:
            index = trap.column - first_column
            if 0 <= index < len(columns):
                columns[index][at] = trap.text
                types[index] = trap.cell_type
        told = tuple(sorted((index, kind) for index, kind in types.items() if kind is not CellType.TEXT))
        if told:
            stretch.not_text[at] = told
        else:
            stretch.not_text.pop(at, None)
    return stretch._replace(columns=list(columns))


def about_hidden(sheet: str, visible: SheetVisibleEnum) -> tuple[Finding, ...]:
    """Return the finding that tells of a sheet nobody sees in the workbook."""
    if visible == SheetVisibleEnum.Visible:
        return ()
    how = "hidden" if visible == SheetVisibleEnum.Hidden else "very hidden, only the VBA editor shows it"
    return (finding(Code.HIDDEN_SHEET, f'the sheet "{shorten(sheet)}" is {how}', value=sheet),)


@lru_cache(maxsize=REMEMBERED_VALUES, typed=True)
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
