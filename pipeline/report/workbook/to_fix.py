"""errors.xlsx, the file to fix: a sheet per source with the rows that are not settled well, and a sheet of causes.

Every cell is text, so that no spreadsheet makes a number or a date of it, and harmless as in errors.csv, since a sheet
may be saved as CSV. Corrected, the workbook is a valid input.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.model import IMPORT_PREFIX, SourceInfo
from pipeline.report.causes import Cause
from pipeline.report.import_columns import IMPORT_HEADER, harmless
from pipeline.report.input_rows import ReadRows, ToldRow, Widths, told_rows, widths_of
from pipeline.report.replacing import replacing
from pipeline.report.workbook.causes import CAUSES_SHEET, fill_causes_sheet
from pipeline.report.workbook.marks import FILLS, FONTS, MOST_COMMENTS, Mark, cell_marks, comment_of, worst_mark
from pipeline.report.workbook.text_sheet import LEVEL, MOST_BYTES, TextSheet, save_around
from pipeline.report.workbook.texts import sheet_name

SHEET_ROWS = 1_048_576
"""Of a sheet, the header among them ("Excel specifications and limits")."""

LEAST_WIDTH, MOST_WIDTH = 9, 60
"""Of a column, in characters."""

FILTER_ARROW = 4
"""Characters of a header that the arrow of its filter covers."""

MESSAGE_PLACE = IMPORT_HEADER.index(f"{IMPORT_PREFIX}message")
MESSAGE_WIDTH = 60


HEAD_FONT = Font(name="Calibri", size=11, bold=True)
HEAD_FILL = PatternFill("solid", fgColor="FFD9E1F2")
OWN_FONT = Font(name="Calibri", size=11)
OUR_FONT = Font(name="Calibri", size=11, color="FF6B6B6B")
OUR_HEAD_FONT = Font(name="Calibri", size=11, italic=True, color="FF6B6B6B")
OUR_HEAD_FILL = PatternFill("solid", fgColor="FFF2F2F2")

FIRST_NOTES = (
    "To repair rows: correct the coloured cells, save, and give the file to `certstate validate` or `import`.",
    "Rows that are in the tenant already are not created again.",
    "All cells are text, so that Excel keeps every digit: leave it so.",
    "The columns whose names begin with _import_ say what became of each row: leave them in.",
)
COMMENTS_NOTE = (
    f"Only the first {MOST_COMMENTS:,} marked cells of a sheet have a comment, since Excel becomes slow with more. All "
    "are coloured, and what is wrong stands in each row's column _import_message."
)


def write_workbook(
    path: Path,
    read_rows: ReadRows,
    sources: Mapping[int, SourceInfo],
    causes: Sequence[Cause],
    *,
    run_id: str,
    sheet_rows: int = SHEET_ROWS,
) -> None:
    """Write the rows with their own cells, a sheet per source that has some, and the causes. Raises OSError.

    `read_rows` is called twice: for widths, for cells. A source of more than `sheet_rows` rows goes on in a further
    sheet.
    """
    with input_workbook(path, widths_of(read_rows(), sources), sources, causes, sheet_rows=sheet_rows) as write:
        for told in told_rows(read_rows(), sources, run_id=run_id):
            write(told)


@contextmanager
def input_workbook(
    path: Path,
    widths: Widths,
    sources: Mapping[int, SourceInfo],
    causes: Sequence[Cause],
    *,
    sheet_rows: int = SHEET_ROWS,
) -> Iterator[Callable[[ToldRow], None]]:
    """Yield what writes one more row into the workbook. Raises OSError.

    The rows of a source come together. One of more than `sheet_rows` rows, or of too many bytes, goes on in a further
    sheet.
    """
    with replacing(path) as unfinished, ZipFile(unfinished, "w", ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        book = _Book(archive, widths, sources, sheet_rows)
        try:
            yield book.write
            book.end(causes)
        finally:
            book.close()


class _Book:
    """errors.xlsx while it is written."""

    def __init__(self, archive: ZipFile, widths: Widths, sources: Mapping[int, SourceInfo], sheet_rows: int) -> None:
        self._archive = archive
        self._widths, self._sources, self._sheet_rows = widths, sources, sheet_rows
        self._book = Workbook()
        self._book.remove(self._book.worksheets[0])
        self._names = [CAUSES_SHEET]
        self._parts: list[str] = []
        self._sheet: _Sheet | None = None
        self._has_bare_marks = False

    def write(self, told: ToldRow) -> None:
        """Write one more row."""
        sheet = self._sheet
        if sheet is None or sheet.source.pk != told.source.pk or sheet.is_full(self._sheet_rows):
            sheet = self._next_sheet(told.source)
        sheet.write(told)

    def end(self, causes: Sequence[Cause]) -> None:
        """Write the causes and all that is no row."""
        self._end_sheet()
        notes = (*(FIRST_NOTES if self._parts else ()), *((COMMENTS_NOTE,) if self._has_bare_marks else ()))
        fill_causes_sheet(self._book.create_sheet(CAUSES_SHEET), causes, notes)
        save_around(self._book, self._archive, self._parts)

    def close(self) -> None:
        """Let go of the package, whether the workbook is whole or not."""
        if self._sheet is not None:
            self._sheet.close()

    def _next_sheet(self, source: SourceInfo) -> "_Sheet":
        self._end_sheet()
        name = sheet_name(_wanted_name(source, self._sources), self._names)
        self._names.append(name)
        self._parts.append(f"xl/worksheets/sheet{len(self._parts) + 1}.xml")
        frame = self._book.create_sheet(name)
        widths = self._widths.get(source.pk, [0] * len(source.header))
        self._sheet = _Sheet(self._archive, self._parts[-1], frame, source, widths)
        return self._sheet

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            self._sheet.end()
            self._sheet.close()
            self._has_bare_marks = self._has_bare_marks or self._sheet.has_bare_marks
            self._sheet = None


def _wanted_name(source: SourceInfo, sources: Mapping[int, SourceInfo]) -> str:
    """Return the sheet's name, or the file's; both where the run read sheets of several files."""
    stem = PurePath(source.file).stem
    files = {each.file for each in sources.values()}
    return stem if source.sheet is None else source.sheet if len(files) == 1 else f"{source.sheet} {stem}"


class _Sheet:
    """One sheet while it is written."""

    def __init__(
        self, archive: ZipFile, part: str, frame: Worksheet, source: SourceInfo, characters: Sequence[int]
    ) -> None:
        self.source = source
        self.has_bare_marks = False
        self._frame = frame
        self._comments = 0
        header = (*source.header, *[""] * (len(characters) - len(source.header)))
        own = [index for index, each in enumerate(header) if not each.strip().casefold().startswith(IMPORT_PREFIX)]
        self._indexes = own
        self._place_of: dict[int | None, int] = {index: place for place, index in enumerate(own)}
        self._own_width, self._width = len(own), len(own) + len(IMPORT_HEADER)
        self._message_at = len(own) + MESSAGE_PLACE
        self._lay_out([max(characters[index], len(header[index]) + FILTER_ARROW) + 2 for index in own])
        self._styles = [_style(frame, OWN_FONT)] * len(own) + [_style(frame, OUR_FONT)] * len(IMPORT_HEADER)
        self._style_of = {mark: _style(frame, FONTS[mark], FILLS[mark]) for mark in Mark}
        self._sheet = TextSheet(archive, part, frame)
        head, our_head = _style(frame, HEAD_FONT, HEAD_FILL), _style(frame, OUR_HEAD_FONT, OUR_HEAD_FILL)
        self._sheet.append(
            [*(harmless(header[index]) for index in own), *IMPORT_HEADER],
            [head] * len(own) + [our_head] * len(IMPORT_HEADER),
        )

    def is_full(self, most_rows: int) -> bool:
        """Return whether Excel takes no more rows here."""
        return self._sheet.rows >= most_rows or self._sheet.bytes >= MOST_BYTES

    def write(self, told: ToldRow) -> None:
        """Write one more row of the source."""
        own = [told.own[index] for index in self._indexes if index < len(told.own)]
        texts = [*own, *[""] * (self._own_width - len(own)), *told.ours]
        styles = self._styles.copy()
        for where, seen in cell_marks(told.row, told.source).items():
            place = self._place_of.get(where)
            if place is not None:
                styles[place] = self._style_of[seen.mark]
                self._comment(place, seen.comment)
        worst = worst_mark(told.row, told.about_file)
        if worst is not None:
            styles[self._message_at] = self._style_of[worst]  # without a comment: what it would say stands there
        self._sheet.append(texts, styles)

    def end(self) -> None:
        """Write what follows the rows."""
        self._frame.auto_filter.ref = f"A1:{get_column_letter(self._width)}{self._sheet.rows}"
        self._sheet.end(has_comments=self._comments > 0)

    def close(self) -> None:
        """Close the sheet, whether it is whole or not."""
        self._sheet.close()

    def _comment(self, place: int, text: str) -> None:
        if self._comments == MOST_COMMENTS:
            self.has_bare_marks = True
            return
        self._comments += 1
        self._frame.cell(self._sheet.rows + 1, place + 1).comment = comment_of(text)

    def _lay_out(self, widths: Sequence[int]) -> None:
        self._frame.freeze_panes = "A2"
        for place in range(self._width):
            width = widths[place] if place < len(widths) else len(IMPORT_HEADER[place - len(widths)]) + FILTER_ARROW
            if place == self._message_at:
                width = MESSAGE_WIDTH
            letter = get_column_letter(place + 1)
            self._frame.column_dimensions[letter].width = min(max(width, LEAST_WIDTH), MOST_WIDTH)


def _style(sheet: Worksheet, font: Font, fill: PatternFill | None = None) -> int:
    """Return the number of the style in the workbook of the sheet; all cells are formatted as text."""
    cell = WriteOnlyCell(sheet)
    cell.font = font
    if fill is not None:
        cell.fill = fill
    cell.number_format = "@"
    return cell.style_id
