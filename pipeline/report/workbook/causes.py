"""The sheet `causes`: what is wrong, however many rows it touches, what to do, and how the workbook is to be used."""

from collections.abc import Iterator, Sequence

from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.findings import CATALOGUE, Code, Severity
from pipeline.model import CAUSES_HEADER
from pipeline.report.causes import Cause
from pipeline.report.import_columns import harmless
from pipeline.report.workbook.marks import FILLS, FONTS, MARK_OF
from pipeline.report.workbook.texts import shown_text

CAUSES_SHEET = "causes"
WIDTHS = (26, 10, 24, 9, 28, 44, 44, 50, 44)
SHOWN_CHARACTERS = 1_000
MOST_CAUSES = 10_000
LINE_HEIGHT_PT, MOST_HEIGHT_PT = 15, 409
NOTE = "about this file"

_WRAPPED = Alignment(wrap_text=True, vertical="top")
_HEAD_FONT = Font(name="Calibri", size=11, bold=True)
_HEAD_FILL = PatternFill("solid", fgColor="FFE7E6E6")
_LINE = Border(bottom=Side("thin", color="FFD9D9D9"))
_NOTE_FONT = Font(name="Calibri", size=11, italic=True, color="FF595959")
_PLAIN_FONT = Font(name="Calibri", size=11)


def fill_causes_sheet(sheet: Worksheet, causes: Sequence[Cause], notes: Sequence[str]) -> None:
    """Write the causes, the worst first as they come, and below them the notes, into an empty sheet, all as text."""
    sheet.freeze_panes = "A2"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    for letter, width in zip("ABCDEFGHI", WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.append([_cell(sheet, text, font=_HEAD_FONT, fill=_HEAD_FILL) for text in CAUSES_HEADER])
    for number, cause in enumerate(causes[:MOST_CAUSES], start=2):
        texts = tuple(_texts(cause))
        cells = [_cell(sheet, text) for text in texts]
        cells[1].fill, cells[1].font = FILLS[MARK_OF[cause.severity]], FONTS[MARK_OF[cause.severity]]
        _append(sheet, number, cells, texts)
    if len(causes) > MOST_CAUSES:
        notes = (*notes, f"{len(causes) - MOST_CAUSES:,} more causes stand in report.json.")
    for number, note in enumerate(notes, start=2 + min(len(causes), MOST_CAUSES)):
        texts = (NOTE, *[""] * 5, note, "", "")
        _append(sheet, number, [_cell(sheet, text, font=_NOTE_FONT) for text in texts], texts)


def _append(sheet: Worksheet, number: int, cells: list[Cell], texts: Sequence[str]) -> None:
    """Append the row, as high as its texts need: not every program finds that out for itself."""
    lines = max(_lines(text[:SHOWN_CHARACTERS], width) for text, width in zip(texts, WIDTHS, strict=True))
    sheet.row_dimensions[number].height = min(lines * LINE_HEIGHT_PT, MOST_HEIGHT_PT)
    sheet.append(cells)


def _lines(text: str, width: int) -> int:
    return sum(1 + len(line) // width for line in text.split("\n"))


def _texts(cause: Cause) -> Iterator[str]:
    meaning = CATALOGUE[Code(cause.code)].meaning if cause.code in set(Code) else ""
    yield harmless(cause.code)
    yield cause.severity
    yield harmless(cause.column)
    yield f"{cause.rows:,}" if cause.rows else ""
    yield harmless(cause.places)
    examples = (f"{each.place}: {each.value}" for each in cause.examples if each.value and each.place)
    yield harmless("\n".join(examples))
    yield harmless(meaning or cause.examples[0].message)
    yield "nothing to do" if cause.severity is Severity.INFO else harmless(cause.hint)
    yield cause.config_line  # ours, and an apostrophe within it would be copied along


def _cell(sheet: Worksheet, text: str, *, font: Font = _PLAIN_FONT, fill: PatternFill | None = None) -> Cell:
    cell = WriteOnlyCell(sheet, shown_text(text, SHOWN_CHARACTERS))
    cell.data_type = "s"
    cell.number_format, cell.alignment, cell.border, cell.font = "@", _WRAPPED, _LINE, font
    if fill is not None:
        cell.fill = fill
    return cell
