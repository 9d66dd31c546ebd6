"""errors.xlsx, the file to fix: a sheet per source with the rows that are not settled well, and a sheet of causes.

Every cell is text, so that no spreadsheet makes a number or a date of it, and harmless as in errors.csv, since a sheet
may be saved as CSV. Corrected, the workbook is a valid input.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from pipeline.findings import Finding
from pipeline.model import IMPORT_PREFIX, ReportRow, SourceInfo, State
from pipeline.report.causes import Cause
from pipeline.report.import_columns import IMPORT_HEADER, NO_ERRORS, harmless, import_cells
from pipeline.report.replacing import replacing
from pipeline.report.tables import ReadRows
from pipeline.report.workbook.causes import CAUSES_SHEET, fill_causes_sheet
from pipeline.report.workbook.marks import FILLS, FONTS, MOST_COMMENTS, Mark, cell_marks, comment_of, worst_mark
from pipeline.report.workbook.texts import cell_value, sheet_name

SHEET_ROWS = 1_048_576
"""Of a sheet, the header among them ("Excel specifications and limits")."""

LEAST_WIDTH, MOST_WIDTH = 9, 60
"""Of a column, in characters."""

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
    file_errors: Mapping[int, Sequence[Finding]] = NO_ERRORS,
    *,
    run_id: str,
    sheet_rows: int = SHEET_ROWS,
) -> None:
    """Write the rows with their own cells, a sheet per source that has some, and the causes. Raises OSError.

    `read_rows` is called twice: for widths, for cells. `file_errors` are the errors about whole sources: they stand
    with each invalid row of theirs. A source of more than `sheet_rows` rows goes on in a further sheet.
    """
    shapes = _shapes(read_rows(), sources)
    book = Workbook(write_only=True)
    taken = [CAUSES_SHEET]
    sheets: dict[int, _Sheet] = {}
    has_bare_marks = False
    for row in read_rows():
        source = sources[row.source_pk]
        sheet = sheets.get(source.pk)
        if sheet is None or sheet.rows == sheet_rows:
            name = sheet_name(_wanted_name(source, sources), taken)
            taken.append(name)
            sheet = sheets[source.pk] = _Sheet(book, name, source, shapes[source.pk])
        about_file = file_errors.get(source.pk, ()) if row.state is State.INVALID else ()
        sheet.write(row, import_cells(row, source, run_id, about_file), about_file)
        has_bare_marks = has_bare_marks or sheet.has_bare_marks
    notes = (*(FIRST_NOTES if sheets else ()), *((COMMENTS_NOTE,) if has_bare_marks else ()))
    fill_causes_sheet(book.create_sheet(CAUSES_SHEET), causes, notes)
    with replacing(path) as unfinished:
        book.save(unfinished)


@dataclass(slots=True)
class _Shape:
    """How wide a source's rows are: in cells, and each column in characters."""

    cells: int
    characters: Counter[int]  # of the longest text, by the cell's index


def _shapes(rows: Iterable[ReportRow], sources: Mapping[int, SourceInfo]) -> dict[int, _Shape]:
    shapes: dict[int, _Shape] = {}
    for row in rows:
        shape = shapes.get(row.source_pk)
        if shape is None:
            header = sources[row.source_pk].header
            # 4 characters are the arrow of the filter
            characters = Counter({index: len(name) + 4 for index, name in enumerate(header)})
            shape = shapes[row.source_pk] = _Shape(len(header), characters)
        cells = row.cells or ()
        shape.cells = max(shape.cells, len(cells))
        for index, cell in enumerate(cells):
            shape.characters[index] = max(shape.characters[index], len(cell))
    return shapes


def _wanted_name(source: SourceInfo, sources: Mapping[int, SourceInfo]) -> str:
    """Return the sheet's name, or the file's; both where the run read sheets of several files."""
    stem = PurePath(source.file).stem
    files = {each.file for each in sources.values()}
    return stem if source.sheet is None else source.sheet if len(files) == 1 else f"{source.sheet} {stem}"


class _Sheet:
    """One sheet while it is written."""

    def __init__(self, book: Workbook, name: str, source: SourceInfo, shape: _Shape) -> None:
        self.rows = 0
        self.has_bare_marks = False
        self._comments = 0
        self._source = source
        header = (*source.header, *[""] * (shape.cells - len(source.header)))
        own = [index for index, each in enumerate(header) if not each.strip().casefold().startswith(IMPORT_PREFIX)]
        self._place_of: dict[int | None, int] = {index: place for place, index in enumerate(own)}
        self._own_width, self._width = len(own), len(own) + len(IMPORT_HEADER)
        self._message_at = len(own) + MESSAGE_PLACE
        self._cells: dict[tuple[Mark | None, int], Cell] = {}  # by mark and place, since to style one takes long
        self._sheet = book.create_sheet(name)
        self._lay_out([shape.characters[index] + 2 for index in own])
        self._append([*(harmless(header[index]) for index in own), *IMPORT_HEADER], {}, {})

    def write(self, row: ReportRow, ours: Sequence[str], about_file: Sequence[Finding]) -> None:
        """Write the row with its `_import_` cells, which are harmless already."""
        texts = [""] * self._own_width
        for index, cell in enumerate(row.cells or ()):
            place = self._place_of.get(index)
            if place is not None:
                texts[place] = harmless(cell)
        marks: dict[int, Mark] = {}
        comments: dict[int, str] = {}
        for where, seen in cell_marks(row, self._source).items():
            if where in self._place_of:
                marks[self._place_of[where]], comments[self._place_of[where]] = seen
        worst = worst_mark(row, about_file)
        if worst is not None:
            marks[self._message_at] = worst  # without a comment: what it would say stands there
        self._append([*texts, *ours], marks, comments)

    def _lay_out(self, widths: Sequence[int]) -> None:
        self._sheet.freeze_panes = "A2"
        for place in range(self._width):
            width = widths[place] if place < len(widths) else len(IMPORT_HEADER[place - len(widths)]) + 4
            if place == self._message_at:
                width = MESSAGE_WIDTH
            letter = get_column_letter(place + 1)
            self._sheet.column_dimensions[letter].width = min(max(width, LEAST_WIDTH), MOST_WIDTH)

    def _append(self, texts: Sequence[str], marks: Mapping[int, Mark], comments: Mapping[int, str]) -> None:
        cells = [self._cell(marks.get(place), place) for place in range(self._width)]
        for cell, text in zip(cells, texts, strict=True):
            cell.value = cell_value(text) if text else None
            if text:
                cell.data_type = "s"  # openpyxl takes =1+1 for a formula, and #N/A for an error
        commented = list(comments.items())[: MOST_COMMENTS - self._comments]
        for place, comment in commented:
            cells[place].comment = comment_of(comment)
        self._sheet.append(cells)
        for place, _ in commented:
            cells[place].comment = None
        self._comments += len(commented)
        self.has_bare_marks = self.has_bare_marks or len(commented) < len(comments)
        self.rows += 1
        self._sheet.auto_filter.ref = f"A1:{get_column_letter(self._width)}{self.rows}"

    def _cell(self, mark: Mark | None, place: int) -> Cell:
        is_head, is_own = not self.rows, place < self._own_width
        if is_head:
            cell = WriteOnlyCell(self._sheet)
            cell.font = HEAD_FONT if is_own else OUR_HEAD_FONT
            cell.fill = HEAD_FILL if is_own else OUR_HEAD_FILL
        elif (mark, place) in self._cells:
            return self._cells[mark, place]
        else:
            cell = self._cells[mark, place] = WriteOnlyCell(self._sheet)
            cell.font = FONTS[mark] if mark else OWN_FONT if is_own else OUR_FONT
            if mark:
                cell.fill = FILLS[mark]
        cell.number_format = "@"
        return cell
