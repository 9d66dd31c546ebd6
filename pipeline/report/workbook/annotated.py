"""The annotated copy: the user's own workbook with what was found in its cells, where a copy loses nothing."""

import hashlib
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError  # noqa: S405 - it parses nothing
from xml.parsers.expat import ExpatError

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.model import ReportRow, SourceInfo
from pipeline.report.causes import Cause
from pipeline.report.replacing import replacing
from pipeline.report.workbook.causes import CAUSES_SHEET, fill_causes_sheet
from pipeline.report.workbook.losses import loss_in
from pipeline.report.workbook.marks import FILLS, MOST_COMMENTS, CellMark, cell_marks, comment_of, together
from pipeline.report.workbook.parts import Parts
from pipeline.report.workbook.sameness import difference
from pipeline.report.workbook.texts import Blanks, sheet_name

MOST_ROWS = 20_000
"""Of all sheets that were read: openpyxl holds the whole workbook, 1 kB for each cell."""

SUFFIXES = (".xlsx", ".xlsm")

UNSOUND = (
    ParseError,
    ExpatError,
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    OSError,
)
"""What openpyxl raises where a package is not as it expects."""

NOTES = (
    "This is a copy of your workbook as it was read; yours is unchanged.",
    "Red cells have errors, yellow ones warnings, blue ones were changed on the way: their comments say what and why.",
    "What concerns a row as a whole stands in its first cell.",
    "Correct the cells in your own workbook, or here, and give it to `certstate validate` or `import`.",
)
COMMENTS_NOTE = f"Only the first {MOST_COMMENTS:,} marked cells of a sheet have a comment; all are coloured."

_EXCELS_ESCAPE = re.compile("_x00([0-9A-Fa-f]{2})_")


class NoCopyError(Exception):
    """There is no copy; the message is the reason, in one sentence."""


def annotate(
    original: Path, copy: Path, sources: Sequence[SourceInfo], rows: Iterable[ReportRow], causes: Sequence[Cause]
) -> str:
    """Write the annotated copy of a workbook, and return ""; or write nothing, and return the reason in one sentence.

    `sources` are the sheets of `original` that the run read, `rows` those of them with anything to be said, each once
    or more; a row settled well comes without its cells. `copy` ends in .xlsx, whatever the original ends in. Nothing is
    written that was not compared with the original before: every cell, its style, and all around the cells.

    Raises OSError when the copy cannot be written.
    """
    try:
        annotated = _annotated(_content(original, sources), sources, rows, causes)
    except NoCopyError as reason:
        return str(reason)
    except UNSOUND:
        return "openpyxl, which makes the copies, cannot read it"
    with replacing(copy) as unfinished:
        unfinished.write_bytes(annotated)
    return ""


def _content(original: Path, sources: Sequence[SourceInfo]) -> bytes:
    """Return the file's bytes. Raises NoCopyError unless it can have a copy and is what the run read."""
    if original.suffix.lower() not in SUFFIXES:
        raise NoCopyError(f"only {' and '.join(SUFFIXES)} files get one")
    rows_read = sum(each.rows_read for each in sources)
    if rows_read > MOST_ROWS:
        raise NoCopyError(f"it has {rows_read:,} rows, and only files of at most {MOST_ROWS:,} get one")
    try:
        content = original.read_bytes()
    except OSError as problem:
        raise NoCopyError(f"the file cannot be read any more ({problem.strerror})") from problem
    if any(hashlib.sha256(content).hexdigest() != each.sha256 for each in sources):
        raise NoCopyError("the file was changed since the run read it")
    return content


def _annotated(
    content: bytes, sources: Sequence[SourceInfo], rows: Iterable[ReportRow], causes: Sequence[Cause]
) -> bytes:
    """Return the copy. Raises NoCopyError where it would not be one."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = Parts(archive)
        loss = loss_in(parts)
        if loss:
            raise NoCopyError(f"{loss}, which a copy would lose")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what openpyxl drops: that is compared
            book = load_workbook(io.BytesIO(content))
        _keep_exactly(book, parts)
        marked = _mark(book, sources, rows, causes)
        saved = io.BytesIO()
        book.save(saved)
        with zipfile.ZipFile(saved) as written:
            changed = difference(parts, Parts(written), marked)
    if changed:
        raise NoCopyError(f"a copy would change {changed}")
    return saved.getvalue()


def _keep_exactly(book: Workbook, parts: Parts) -> None:
    """Give the cells what the file holds where openpyxl would write something else.

    It writes numbers with 16 digits and dates to the millisecond, and of texts of blanks it does not say that they
    matter.
    """
    for raw_sheet in parts.sheets():
        sheet = book[raw_sheet.name]
        for row in parts.rows(raw_sheet.part):
            for raw in row.cells:
                cell = sheet.cell(row.number, raw.column)
                if raw.kind == "n" and isinstance(cell, Cell):
                    cell.value = raw.text
                    cell.data_type = "n"
                elif raw.kind == "text" and not raw.text.strip() and isinstance(cell, Cell):
                    cell.value = Blanks(raw.text)


def _mark(
    book: Workbook, sources: Sequence[SourceInfo], rows: Iterable[ReportRow], causes: Sequence[Cause]
) -> dict[str, dict[tuple[int, int], CellMark]]:
    """Colour and comment the cells, append the causes, and return the marks by sheet, (row, column) from 1."""
    by_pk = {each.pk: each for each in sources}
    rows_of: dict[int, dict[int, ReportRow]] = {each.pk: {} for each in sources}
    for row in rows:
        rows_of[row.source_pk].setdefault(row.row_number, row)
    marked: dict[str, dict[tuple[int, int], CellMark]] = {}
    for pk, found in rows_of.items():
        source = by_pk[pk]
        sheet = book[source.sheet or ""]
        first = _first_column(sheet, source, found)
        marks = marked[sheet.title] = {}
        for number, row in found.items():
            for index, seen in cell_marks(row, source, with_repairs=True).items():
                place = _seen_place(sheet, number, first + (index or 0))
                marks[place] = together(marks[place], seen) if place in marks else seen
        for count, (place, seen) in enumerate(marks.items()):
            cell = sheet.cell(*place)
            cell.fill = FILLS[seen.mark]
            if count < MOST_COMMENTS:
                cell.comment = comment_of(seen.comment)
    has_bare_marks = any(len(each) > MOST_COMMENTS for each in marked.values())
    causes_sheet = book.create_sheet(sheet_name(CAUSES_SHEET, book.sheetnames))
    fill_causes_sheet(causes_sheet, causes, (*NOTES, COMMENTS_NOTE) if has_bare_marks else NOTES)
    return marked


def _seen_place(sheet: Worksheet, row: int, column: int) -> tuple[int, int]:
    """Return the place, or of one under a merged cell, where nothing can be seen, the place of that cell."""
    if isinstance(sheet.cell(row, column), MergedCell):
        for each in sheet.merged_cells.ranges:
            if each.min_row <= row <= each.max_row and each.min_col <= column <= each.max_col:
                return each.min_row, each.min_col
    return row, column


def _first_column(sheet: Worksheet, source: SourceInfo, rows: Mapping[int, ReportRow]) -> int:
    """Return the column, from 1, in which the table begins: `load` leaves out empty columns at the left.

    Raises NoCopyError unless the header and each row that is known stand there.
    """
    filled = [cell.column for line in sheet.iter_rows() for cell in line if cell.value is not None and cell.value != ""]
    first = min(filled, default=1)
    above = min(rows, default=sheet.max_row + 1)
    if not any(_stands_in(sheet, number, first, source.header, least=1) for number in range(above - 1, 0, -1)):
        raise NoCopyError(f"the header of sheet {sheet.title} was not found again")
    for number, row in rows.items():
        if row.cells is not None and not _stands_in(sheet, number, first, row.cells):
            raise NoCopyError(f"row {number} of sheet {sheet.title} does not stand where it was read")
    return first


def _stands_in(sheet: Worksheet, number: int, first: int, texts: Sequence[str], *, least: int = 0) -> bool:
    """Return whether the texts among the row's cells are these, and are so many at least."""
    cells = [sheet.cell(number, first + index) for index in range(len(texts))]
    pairs = [(str(cell.value), text) for cell, text in zip(cells, texts, strict=True) if cell.data_type == "s"]
    return len(pairs) >= least and all(_unescaped(value) == text for value, text in pairs)


def _unescaped(value: str) -> str:
    return _EXCELS_ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)
