"""Workbooks (.xlsx, .xlsm, .xls, .xlsb, .ods) become one table per sheet. One sheet is in memory at a time.

Read with python-calamine directly: it tells a number from text, which pandas' `read_excel` with `dtype=str` does not.
Formulas come as the value that the workbook was saved with. An error value (`#N/A`) comes as an empty cell, because
calamine tells no more (python-calamine 0.9). Empty columns left of the first cell with content are left out.
The sheet is held as the whole rectangle that its cells span, so a stray cell far down and far right costs memory.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum

from pipeline.errors import SourceError
from pipeline.load.table import (
    MAGIC_BYTES,
    OLE_MAGIC,
    ZIP_MAGIC,
    LoadOptions,
    Record,
    Table,
    chunked,
    content_of,
    is_blank,
    is_report,
    reading,
    trimmed,
    unmasked,
)
from pipeline.model import CellType

CellValue: TypeAlias = int | float | str | bool | time | date | datetime | timedelta

EXACT_INTEGER_LIMIT = 2**53  # below it, a float holds every integer exactly


def open_sheets(path: Path, options: LoadOptions) -> Iterator[Table]:
    """Yield a table per worksheet with content, hidden ones too, charts and macro sheets not.

    Raises SourceError if the file is no workbook, has a password, lacks a chosen sheet, or holds nothing.
    """
    found = False
    try:
        with reading(path), CalamineWorkbook.from_path(path) as workbook:
            for name in _chosen_sheets(path, workbook, options.sheets):
                table = _table(path, workbook.get_sheet_by_name(name), options.chunk_rows)
                if table is not None:
                    found = True
                    yield table
    except PasswordError as exc:
        raise SourceError(
            f"{path} is protected by a password, so it cannot be read: open it in Excel and save it without one."
        ) from exc
    except CalamineError as exc:
        raise SourceError(_no_workbook(path, exc)) from exc
    except BaseException as exc:
        # A damaged .xls makes calamine's Rust code panic; the class of that cannot be imported and is no Exception.
        if type(exc).__name__ != "PanicException":
            raise
        raise SourceError(_no_workbook(path, exc)) from exc
    if not found:
        raise SourceError(f"{path} holds no row in any sheet that was to be read: export it again.")


def _chosen_sheets(path: Path, workbook: CalamineWorkbook, chosen: tuple[str, ...]) -> list[str]:
    """Return the worksheets to read in the workbook's order. A name counts exactly, else in any letter case."""
    names = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    if not chosen:
        return names
    by_folded_name = {name.casefold(): name for name in names}
    wanted = set()
    for each in chosen:
        name = each if each in names else by_folded_name.get(each.casefold())
        if name is None:
            raise SourceError(f'{path} has no sheet "{each}": choose among {", ".join(names)}.')
        wanted.add(name)
    return [name for name in names if name in wanted]


def _table(path: Path, sheet: CalamineSheet, chunk_rows: int) -> Table | None:
    records = _records(sheet)
    first = next((record for record in records if not is_blank(record.cells)), None)
    if first is None:
        return None
    header = trimmed(first.cells)
    return Table(
        source=path,
        sheet=sheet.name,
        header=unmasked(header) if is_report(header) else header,
        header_row_number=first.row_number,
        encoding="",
        delimiter="",
        rows_estimate=sheet.end[0] + 1 - first.row_number if sheet.end else 0,
        chunks=chunked(records, header, chunk_rows),
    )


def _records(sheet: CalamineSheet) -> Iterator[Record]:
    """Yield the sheet's rows from its first row on, also where calamine's used range begins further down."""
    for row_number, values in enumerate(sheet.iter_rows(), start=1):
        cells: list[str] = []
        not_text: list[tuple[int, CellType]] = []
        for index, value in enumerate(values):
            if isinstance(value, str):
                cells.append(value)
            else:
                text, cell_type = _text_of(value)
                cells.append(text)
                not_text.append((index, cell_type))
        yield Record(row_number, tuple(cells), tuple(not_text))


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


def _no_workbook(path: Path, reason: BaseException) -> str:
    with path.open("rb") as file:
        head = file.read(MAGIC_BYTES)
    ending = path.suffix.lower()
    if head.startswith(OLE_MAGIC if ending == ".xls" else ZIP_MAGIC):
        return (
            f"{path} cannot be read as a workbook ({reason}): it is damaged, cut off, "
            "or of another kind than its ending says; copy or export it again."
        )
    return (
        f"{path} is no {ending} workbook, its content is {content_of(head) or 'text or something else'}: "
        f"correct the file's ending, or save it from Excel as {ending}."
    )
