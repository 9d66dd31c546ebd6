"""How far the tables of an .ods reach, merged cells and traps, from content.xml (OpenDocument 1.2, 1, 9.1, 19.675).

calamine lays out all tables when it opens the file, with every repetition carried out. Formats at the end of a table
are repeated by the million in honest files; they hold nothing and are not counted, as in calamine.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import unescape

from pipeline.errors import SourceError
from pipeline.load.workbooks.extent import SHEET_COLUMNS, SHEET_ROWS, Corners, Extent, check_extent
from pipeline.load.workbooks.package import Package, check_encoding, damaged, declares_entities
from pipeline.load.workbooks.row_ods import traps_in
from pipeline.load.workbooks.traps import TRAP_LIMIT_CELLS, Trap, Traps, Unshown, too_many_traps

CONTENT_PART = "content.xml"
ROW_BEGINS = b"<table:table-row"  # and table-row-group, which is no row
TABLE_BEGINS = re.compile(rb"<table:table(?=[\s>])")
ATTRIBUTES = rb"((?:[^<>\"']|\"[^\"]*\"|'[^']*')*+)"
CELL = re.compile(rb"<table:(?:covered-)?table-cell(?=[\s/>])" + ATTRIBUTES + rb">")
ROW = re.compile(ROW_BEGINS + rb"(?=[\s/>])" + ATTRIBUTES + rb">")
COLUMNS_REPEATED = re.compile(rb"table:number-columns-repeated\s*=\s*[\"'](\d{1,18})[\"']")
ROWS_REPEATED = re.compile(rb"table:number-rows-repeated\s*=\s*[\"'](\d{1,18})[\"']")
COLUMNS_SPANNED = re.compile(rb"table:number-columns-spanned\s*=\s*[\"'](\d{1,18})[\"']")
ROWS_SPANNED = re.compile(rb"table:number-rows-spanned\s*=\s*[\"'](\d{1,18})[\"']")
NAME = re.compile(rb"table:name\s*=\s*\"([^\"]*)\"")
SPACES = re.compile(rb"text:c\s*=\s*[\"'](\d+)[\"']")

REPEATED_LIMIT_CELLS = 4_000_000  # cells with content that stand in the file only as a number of repetitions
REPEATED_LIMIT_BYTES = 256 << 20
SPACES_LIMIT = 32_767  # a cell's longest text in Excel
CARRY_LIMIT_BYTES = 64 << 20  # of one row


def check_tables(package: Package) -> dict[str, Unshown]:
    """Return merged ranges and traps of each table by its name.

    Raises SourceError when the tables are too large to be held, or their XML is not what programs write.
    """
    unshown: dict[str, Unshown] = {}
    places = row = repeated_cells = repeated_bytes = trapped_cells = 0
    sheet, extent = "", Extent()
    traps: Traps = {}
    merged: list[Corners] = []
    found: tuple[Trap, ...]
    for piece in _rows(package):
        begin = ROW.match(piece)
        rows, found = 0, ()
        if begin:
            rows, columns, cells, repeats = _measured(piece, begin[1])
            if columns:
                _check_spaces(package.path, sheet, piece)
                held_rows = min(rows, SHEET_ROWS)
                extent = _grown(extent, min(row + rows, SHEET_ROWS), min(columns, SHEET_COLUMNS), cells * held_rows)
                check_extent(package.path, sheet, extent, others=places)
                repeated_cells += cells * held_rows - (cells - repeats)
                repeated_bytes += len(piece) * (held_rows - 1 + repeats)
                if b"-spanned" in piece:
                    merged += _merged(piece, row)
                found = _traps(package, piece)
                trapped_cells += len(found) * held_rows
            row += rows
        if repeated_cells > REPEATED_LIMIT_CELLS or repeated_bytes > REPEATED_LIMIT_BYTES:
            raise SourceError(
                f'{package.path} sheet "{sheet}" repeats cells with content millions of times, down to row {row:,}: '
                "delete these rows or columns and save it again, or save the sheet as CSV UTF-8."
            )
        if trapped_cells > TRAP_LIMIT_CELLS:
            raise too_many_traps(package.path)
        if found:
            traps |= dict.fromkeys(range(row - rows + 1, min(row, SHEET_ROWS) + 1), found)
        begins = list(TABLE_BEGINS.finditer(piece))
        if begins:
            if piece.startswith(ROW_BEGINS) and piece.count(b"</table:table>") < len(begins):
                raise damaged(package.path, f'its sheet "{sheet}" has a table within a cell')
            unshown[sheet] = Unshown(traps, tuple(merged))
            traps, merged = {}, []
            places += extent.rectangle
            row, extent = 0, Extent()
            name = NAME.search(piece, begins[-1].end())
            sheet = unescape(name[1].decode("utf-8", "replace")) if name else ""
    unshown[sheet] = Unshown(traps, tuple(merged))
    return unshown


def _traps(package: Package, piece: bytes) -> tuple[Trap, ...]:
    try:
        return traps_in(piece)
    except expat.ExpatError as exc:
        raise damaged(package.path, f"the XML of its part {CONTENT_PART} is not well-formed") from exc


def _merged(piece: bytes, row: int) -> Iterator[Corners]:
    """Yield the merged ranges that begin in the row, whose index comes from 0."""
    column = 0
    for match in CELL.finditer(piece):
        again = COLUMNS_REPEATED.search(match[1])
        columns, rows = (
            min(int(found[1]), limit) if (found := spanned.search(match[1])) else 1
            for spanned, limit in ((COLUMNS_SPANNED, SHEET_COLUMNS), (ROWS_SPANNED, SHEET_ROWS))
        )
        if columns > 1 or rows > 1:
            yield (row, column), (row + max(rows, 1) - 1, column + max(columns, 1) - 1)
        column += min(int(again[1]), SHEET_COLUMNS) if again else 1


def _grown(extent: Extent, row: int, column: int, cells: int) -> Extent:
    rightmost = (row, column) if column > extent.last_column else extent.rightmost
    return Extent(row, rightmost[1], extent.cells + cells, (row, column), rightmost)


def _rows(package: Package) -> Iterator[bytes]:
    """Yield what comes before the first row, then each row with what follows it up to the next."""
    carry = b""
    parser = expat.ParserCreate()
    for number, block in enumerate(package.blocks(CONTENT_PART)):
        if number == 0:
            check_encoding(package, CONTENT_PART, block)
        text = carry + block
        if b"<!" in carry[-1:] + block:
            raise declares_entities(package, CONTENT_PART)
        _feed(package, parser, block)
        end = text.rfind(ROW_BEGINS)
        if end > 0:
            first, *rest = text[:end].split(ROW_BEGINS)
            if first:
                yield first
            yield from (ROW_BEGINS + piece for piece in rest)
            carry = text[end:]
        else:
            carry = text
        if len(carry) > CARRY_LIMIT_BYTES:
            raise damaged(package.path, f"its part {CONTENT_PART} has a row of more than {CARRY_LIMIT_BYTES:,} bytes")
    _feed(package, parser, b"", final=True)
    yield carry


def _feed(package: Package, parser: expat.XMLParserType, block: bytes, *, final: bool = False) -> None:
    # calamine waits for ever for the end of a table that is not there
    try:
        parser.Parse(block, final)
    except expat.ExpatError as exc:
        raise damaged(package.path, f"the XML of its part {CONTENT_PART} is not well-formed") from exc


def _measured(piece: bytes, attributes: bytes) -> tuple[int, int, int, int]:
    """Return how often the row is there, its last column, its cells with content, how many of those are repetitions."""
    again = ROWS_REPEATED.search(attributes)
    rows = int(again[1]) if again else 1
    if b"columns-repeated" not in piece:
        cells = piece.count(b"<table:table-cell") + piece.count(b"<table:covered-table-cell")
        if cells and rows > 1 and b"office:" not in piece and b"<text:" not in piece:
            cells = 0
        return rows, cells, cells, 0
    column = last_column = cells = repeats = 0
    for match in CELL.finditer(piece):
        again = COLUMNS_REPEATED.search(match[1])
        columns = min(int(again[1]), SHEET_COLUMNS) if again else 1
        column += columns
        if b"office:" in match[1] or not match[1].endswith(b"/"):
            last_column = column
            cells += columns
            repeats += max(columns - 1, 0)
    return rows, last_column, cells, repeats


def _check_spaces(path: Path, sheet: str, piece: bytes) -> None:
    if b"text:c" in piece and sum(int(count) for count in SPACES.findall(piece)) > SPACES_LIMIT * SHEET_COLUMNS:
        raise SourceError(
            f'{path} sheet "{sheet}" has a cell of millions of blanks: delete them, or save the sheet as CSV UTF-8.'
        )
