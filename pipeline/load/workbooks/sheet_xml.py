"""The XML of one .xlsx sheet: how far it reaches, its error cells, its formulas that were never calculated.

A sheet is looked over in blocks with numpy, which knows the cells that every spreadsheet program writes. What it does
not know, and the cells that hold a formula or an error, go through an XML parser (ECMA-376, part 1, 18.3.1.4).
"""

import re
import xml.sax
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from pipeline.errors import SourceError
from pipeline.load.workbooks.extent import RECTANGLE_LIMIT_CELLS, SHEET_COLUMNS, SHEET_ROWS, Extent, check_twice
from pipeline.load.workbooks.package import Package, check_encoding, damaged, declares_entities
from pipeline.load.workbooks.plain_cells import Numbers, Octets, PlainReader, PlainSheet, Tagged
from pipeline.load.workbooks.traps import TRAP_LIMIT_CELLS, Trap, Traps, by_row, too_many_traps
from pipeline.model import CellType

PARSED_LIMIT_ELEMENTS = 20_000_000  # about 20 s; sheets of common programs need no parser for the most part
CARRY_LIMIT_BYTES = 16 << 20  # of one cell; Excel's longest text is 32,767 characters
MERGE_LIMIT = 500_000
REF_REACH = 18  # bytes behind < that a plain reference needs: c r="XFD1048576"
LETTERS_LIMIT, DIGITS_LIMIT = 3, 7

DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^<>]*\?>\s*")
ROOT_PREFIX = re.compile(rb"<([A-Za-z][\w.-]*:)worksheet[\s>]")
PREFIXED = re.compile(rb"<[^\s<>/!?\"'=]+:[cf][\s/>]")
FORMULA = re.compile(rb"<f[\s/>]")
CALCULATED = re.compile(rb"<f(?:\s[^<>]*)?>[^<]*</f><v>[^<]|<f(?:\s[^<>]*)?/><v>[^<]")
ERROR_TYPE = re.compile(rb"\st\s*=\s*[\"']e[\"']")
CELL = re.compile(rb"<c r=[^<>]*(?<!/)>.*?</c\s*>", re.DOTALL)
ROWS_AND_CELLS = {"sheetData", "row", "c", "v", "f", "is", "mergeCell"}
REFERENCE = re.compile(r"([A-Za-z]{1,3})([1-9][0-9]{0,6})")


class SheetScan(NamedTuple):
    """What was found in a sheet's XML."""

    extent: Extent
    traps: Traps
    plain: PlainSheet | None = None  # all cells, where they are so plain that calamine need not read them


def scan_sheet(package: Package, part: str) -> SheetScan:
    """Return how far the sheet reaches and its traps. The extent may count empty formatted cells when it is small.

    Raises SourceError when the XML is damaged, has a DTD, is not UTF-8, or names cells outside of a sheet or twice.
    """
    scanned = _scan_plain(package, part)
    if scanned is None:
        scanned = parse_sheet(package, part)
    return scanned


def parse_sheet(package: Package, part: str) -> SheetScan:
    """Return the same as `scan_sheet` from the XML parser alone; the extent is that of the cells with content."""
    handler = _Cells(package, part)
    for number, block in enumerate(package.blocks(part)):
        if number == 0:
            check_encoding(package, part, block)
            break
    _parse(package, part, package.blocks(part), handler)
    if not handler.is_ascending:
        check_twice(package.path, part, np.frombuffer(handler.places, np.int64))
    return SheetScan(handler.extent(), by_row(handler.traps))


def _scan_plain(package: Package, part: str) -> SheetScan | None:
    """Return what the blocks hold, None when they hold something that only a parser understands."""
    last_row = last_column = cells = merges = 0
    last_place = -1
    is_ascending = True
    traps: list[tuple[int, Trap]] = []
    plain = PlainReader()
    for text in _plain_texts(package, part):
        piece = _tagged(text)
        if piece is None:
            return None
        merges += text.count(b"<mergeCell ") if b"<mergeCells" in text or merges else 0
        if merges > MERGE_LIMIT:
            raise _too_many_merges(package)
        rows, columns = piece.rows, piece.columns
        cells += len(rows)
        last_row = max(last_row, int(rows.max(initial=0)))
        last_column = max(last_column, int(columns.max(initial=0)))
        if last_row > SHEET_ROWS or last_column > SHEET_COLUMNS:
            return None
        places = rows * SHEET_COLUMNS + columns
        if len(places):
            is_ascending &= bool(places[0] > last_place and (places[1:] > places[:-1]).all())
            last_place = int(places[-1])
        if not plain.take(piece) and _has_traps(piece):
            traps += _traps_of(package, part, text)
            if len(traps) > TRAP_LIMIT_CELLS:
                raise too_many_traps(package.path)
    if not is_ascending and cells <= RECTANGLE_LIMIT_CELLS:  # more are refused without this
        check_twice(package.path, part, np.concatenate([_places(text) for text in _plain_texts(package, part)]))
    extent = Extent(last_row, last_column, cells, (last_row, 1), (1, last_column))
    return SheetScan(extent, by_row(traps), _plain_sheet(plain) if is_ascending and not merges else None)


def _plain_sheet(reader: PlainReader) -> PlainSheet | None:
    """Return the cells of a sheet that is plain to its end, and whose frame says nothing of cells."""
    frame = reader.frame()
    if frame is None:
        return None
    parser = DefusedExpatParser(forbid_dtd=True)
    handler = _Frame()
    parser.setContentHandler(handler)
    try:
        parser.feed(frame)
        parser.close()
    except (xml.sax.SAXException, DefusedXmlException):
        return None  # calamine may know what to do with it
    return reader.sheet() if handler.is_plain else None


def _plain_texts(package: Package, part: str) -> Iterator[bytes]:
    """Yield the part in blocks of whole cells, without its declaration and the prefix that all its tags have."""
    prefix: re.Match[bytes] | None = None
    for number, block in enumerate(_whole_cells(package, part)):
        text = block
        if number == 0:
            check_encoding(package, part, block)
            text = DECLARATION.sub(b"", block, count=1)
            prefix = ROOT_PREFIX.match(text)
        if prefix:  # the Open XML SDK of .NET writes <x:c r="A1">
            text = text.replace(b"<" + prefix[1], b"<").replace(b"</" + prefix[1], b"</")
        yield text


def _places(text: bytes) -> Numbers:
    piece = _tagged(text)
    return piece.rows * SHEET_COLUMNS + piece.columns if piece else np.zeros(0, np.int64)


def _has_traps(piece: Tagged) -> bool:
    """Return whether the piece may hold errors, or formulas that were never calculated."""
    octets, text = piece.octets, piece.text
    quoted_e = (octets[1:-1] == ord("e")) & (octets[:-2] == octets[2:])
    quotes = octets[:-2][quoted_e]
    if ((quotes == ord('"')) | (quotes == ord("'"))).any():
        return True
    return bool((piece.names == ord("f")).any()) and len(FORMULA.findall(text)) != len(CALCULATED.findall(text))


def _tagged(text: bytes) -> Tagged | None:
    """Return the text with its tags and cells.

    None when a cell has no reference as its first attribute, or when the text holds a prefix, a comment or the like.
    """
    octets = np.frombuffer(text + b" " * REF_REACH, np.uint8)
    tags = np.flatnonzero(octets == ord("<"))
    names = octets[tags + 1]
    if (b"!" in text and (names == ord("!")).any()) or (b"?" in text and (names == ord("?")).any()):
        return None
    if (b":c" in text or b":f" in text) and PREFIXED.search(text):
        return None
    starts = tags[names == ord("c")]
    behind = octets[starts + 2]
    starts = starts[(behind <= ord(" ")) | (behind == ord("/")) | (behind == ord(">"))]
    references = _plain_references(octets, starts)
    return None if references is None else Tagged(text, octets, tags, names, starts, *references)


def _plain_references(octets: Octets, starts: Numbers) -> tuple[Numbers, Numbers, Numbers] | None:
    """Return row, column and end of the references of the cells whose `<` stands at `starts`.

    None unless each begins `<c r="AB12"`.
    """
    for offset, octet in enumerate(b'<c r="'):
        if not (octets[starts + offset] == octet).all():
            return None
    place = starts + 6
    columns = np.zeros(len(starts), np.int64)
    rows = np.zeros(len(starts), np.int64)
    more = np.ones(len(starts), bool)
    for _ in range(LETTERS_LIMIT):
        letter = octets[place] - np.uint8(ord("A"))  # what is below A becomes a large one
        more &= letter < 26
        if not more.any():
            break
        columns = np.where(more, columns * 26 + letter + 1, columns)
        place = place + more
    more[:] = True
    for _ in range(DIGITS_LIMIT):
        digit = octets[place] - np.uint8(ord("0"))
        more &= digit <= 9
        if not more.any():
            break
        rows = np.where(more, rows * 10 + digit, rows)
        place = place + more
    if not ((octets[place] == ord('"')) & (rows > 0) & (columns > 0)).all():
        return None
    return rows, columns, place


def _whole_cells(package: Package, part: str) -> Iterator[bytes]:
    """Yield the part in blocks that end behind a cell, or at least before a tag."""
    carry = b""
    for block in package.blocks(part):
        text = carry + block
        end = text.rfind(b"</c>") + 4
        if end < 4:
            end = text.rfind(b":c>") + 3
        if end < 3:
            end = max(text.rfind(b"<"), 0)
        if len(text) - end > CARRY_LIMIT_BYTES:
            raise damaged(package.path, f"its part {part} has a cell of more than {CARRY_LIMIT_BYTES:,} bytes")
        carry = text[end:]
        yield text[:end]
    yield carry


def _traps_of(package: Package, part: str, block: bytes) -> list[tuple[int, Trap]]:
    """Return the traps among the block's cells that hold a formula or an error."""
    suspects = [cell for cell in CELL.findall(block) if b"<f" in cell or ERROR_TYPE.search(cell)]
    handler = _Cells(package, part)
    _parse(package, part, (b"<row>", *suspects, b"</row>"), handler)
    return handler.traps


def _parse(package: Package, part: str, blocks: Iterable[bytes], handler: "_Cells") -> None:
    parser = DefusedExpatParser(forbid_dtd=True)
    parser.setContentHandler(handler)
    try:
        for block in blocks:
            parser.feed(block)
            handler.check_size()
        parser.close()
    except xml.sax.SAXException as exc:
        raise damaged(package.path, f"the XML of its part {part} is not well-formed") from exc
    except DefusedXmlException as exc:
        raise declares_entities(package, part) from exc


class _Cells(ContentHandler):
    """Follows the cells of a sheet as calamine counts them, in any namespace and with any prefix."""

    def __init__(self, package: Package, part: str) -> None:
        super().__init__()
        self.traps: list[tuple[int, Trap]] = []
        self.places = array("q")  # of all cells: the row times SHEET_COLUMNS plus the column
        self.is_ascending = True
        self._package = package
        self._part = part
        self._row = 0
        self._column = 0
        self._type = ""
        self._value: list[str] | None = None  # None until a <v> was seen
        self._in_value = False
        self._formula = self._inline = False
        self._elements = self._cells = self._merges = 0
        self._lowest = self._rightmost = (0, 0)

    def extent(self) -> Extent:
        """Return what the cells with content span."""
        return Extent(self._lowest[0], self._rightmost[1], self._cells, self._lowest, self._rightmost)

    def check_size(self) -> None:
        """Raise SourceError when there are more traps than can be told of, or more elements than time allows."""
        if self._elements > PARSED_LIMIT_ELEMENTS:
            raise SourceError(
                f"{self._package.path} is written in an unusual way and too large to be looked through, in its part "
                f"{self._part}: open it in Excel and save it again, or save it as CSV UTF-8."
            )
        if len(self.traps) > TRAP_LIMIT_CELLS:
            raise too_many_traps(self._package.path)
        if self._merges > MERGE_LIMIT:
            raise _too_many_merges(self._package)

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the name is xml.sax's
        """Take up a row, a cell, or what is in it."""
        self._elements += 1
        local = name.rpartition(":")[2]
        if local == "c":
            self._begin_cell(attrs)
        elif local == "v":
            self._in_value = True
            self._value = []
        elif local == "f":
            self._formula = True
        elif local == "is":
            self._inline = True
        elif local == "mergeCell":
            self._merges += 1
        elif local == "row":
            number = attrs.get("r")
            self._row = self._number(number) if number is not None else self._row + 1
            self._column = 0

    def characters(self, content: str) -> None:
        """Collect the text of a value."""
        if self._in_value and self._value is not None:
            self._value.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802 - the name is xml.sax's
        """Judge a cell when it is complete."""
        local = name.rpartition(":")[2]
        if local == "v":
            self._in_value = False
        elif local == "c":
            self._end_cell()

    def _begin_cell(self, attrs: AttributesImpl) -> None:
        reference = attrs.get("r")
        if reference is None:
            self._column += 1
        else:
            match = REFERENCE.fullmatch(reference)
            self._column = _column_number(match[1]) if match else SHEET_COLUMNS + 1
            self._row = int(match[2]) if match else self._row
        if not (1 <= self._row <= SHEET_ROWS and self._column <= SHEET_COLUMNS):
            shown = f"cell {reference[:20]}" if reference is not None else f"row of {self._column:,} cells"
            raise damaged(self._package.path, f"its part {self._part} has a {shown}, outside of any sheet")
        place = self._row * SHEET_COLUMNS + self._column
        self.is_ascending &= not self.places or place > self.places[-1]
        self.places.append(place)
        self._type = attrs.get("t", "")
        self._value = None
        self._formula = self._inline = False

    def _end_cell(self) -> None:
        text = "".join(self._value or ())
        place = (self._row, self._column)
        if self._type == "e" and text.strip():
            self.traps.append((self._row, Trap(self._column - 1, text.strip(), CellType.ERROR)))
        elif self._formula and not text and not self._inline and not (self._type == "str" and self._value is not None):
            self.traps.append((self._row, Trap(self._column - 1, "", CellType.FORMULA)))
        if text or self._inline or self._formula or self._type == "str":
            self._cells += 1
            self._lowest = max(self._lowest, place)
            if self._column > self._rightmost[1]:
                self._rightmost = place
        self._value = None

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise damaged(self._package.path, f"its part {self._part} has a row numbered {text[:20]!r}")
        return int(text)


class _Frame(ContentHandler):
    """Follows what stands around the rows of a sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.is_plain = True
        self._path: list[str] = []

    def startElement(self, name: str, _attrs: AttributesImpl) -> None:  # noqa: N802 - the name is xml.sax's
        """Judge an element: the rows stand where they should, and nothing else is like them."""
        self._path.append(name.rpartition(":")[2])
        if self._path[-1] in ROWS_AND_CELLS:
            self.is_plain &= self._path == ["worksheet", "sheetData"]

    def endElement(self, _name: str) -> None:  # noqa: N802 - the name is xml.sax's
        """Leave an element."""
        self._path.pop()


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _too_many_merges(package: Package) -> SourceError:
    return SourceError(
        f"{package.path} has a sheet with more than {MERGE_LIMIT:,} merged ranges: unmerge them in Excel and save it."
    )
