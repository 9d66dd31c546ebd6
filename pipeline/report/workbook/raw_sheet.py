"""One sheet's XML as it stands in the file: its rows and cells, what stands around them, and what is strange in them.

Read by expat, several times faster than by openpyxl's iterparse, since defusedxml's parser is written in Python. A
document type is refused, and without one there are no entities.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder  # noqa: S405 - they parse nothing
from xml.parsers.expat import ParserCreate

from openpyxl.xml.constants import SHEET_MAIN_NS, XML_NS

SEPARATOR = "}"
BLOCK_BYTES = 1 << 18
PREFIX = f"{SHEET_MAIN_NS}{SEPARATOR}"
SPACE = f"{XML_NS}{SEPARATOR}space"
KNOWN_IN_CELLS = frozenset(f"{PREFIX}{name}" for name in ("v", "is", "t"))
KNOWN_ATTRIBUTES = frozenset({"r", "s", "t"})


class RawCell(NamedTuple):
    """A cell as the file holds it, its text resolved."""

    column: int  # from 1
    kind: str  # text, n, b or e; "" of an empty cell
    text: str
    style: int


class RawRow(NamedTuple):
    """A row as the file holds it. Empty cells without a style are left out."""

    number: int
    attributes: Mapping[str, str]
    cells: Sequence[RawCell]


class Strange(NamedTuple):
    """Something in a cell that is neither a value nor a text."""

    name: str  # of the element or attribute
    place: str  # such as B7; "" where the file does not say


class RawSheet:
    """What a sheet holds, once `rows` has been read to its end."""

    def __init__(self, strings: Sequence[str]) -> None:
        self.frame: dict[str, Element] = {}  # what stands around the rows, by its name
        self.strange: list[Strange] = []
        self._strings = strings
        self._rows: list[RawRow] = []
        self._builder: TreeBuilder | None = None
        self._depth = 0
        self._number = self._column = 0
        self._row: dict[str, str] | None = None
        self._cells: list[RawCell] = []
        self._cell: dict[str, str] | None = None
        self._text: list[str] | None = None
        self._value = ""
        self._is_exact = True

    def rows(self, file: IO[bytes]) -> Iterator[RawRow]:
        """Yield the rows that hold or say anything. Raises ExpatError, ValueError, or KeyError for what is unsound."""
        parser = ParserCreate(namespace_separator=SEPARATOR)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = _refuse
        while block := file.read(BLOCK_BYTES):
            parser.Parse(block, False)
            yield from self._rows
            self._rows.clear()
        parser.Parse(b"", True)
        yield from self._rows

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._row is not None:
            self._start_in_row(name, attributes)
        elif self._builder is not None:
            self._builder.start(_tag(name), {_tag(key): value for key, value in attributes.items()})
        elif self._depth == 3 and name == f"{PREFIX}row":
            self._row, self._cells = attributes, []
            self._number = int(attributes.get("r", self._number + 1))
            self._column = 0
        elif self._depth == 2 and name != f"{PREFIX}sheetData":
            self._builder = TreeBuilder()
            self._builder.start(_tag(name), {_tag(key): value for key, value in attributes.items()})
        elif self._depth > 2:
            self.strange.append(Strange(_tag(name), ""))

    def _start_in_row(self, name: str, attributes: dict[str, str]) -> None:
        if name in KNOWN_IN_CELLS:
            self._text = []
            self._is_exact = attributes.get(SPACE) == "preserve" or name == f"{PREFIX}v"
        elif name == f"{PREFIX}c" and self._cell is None:
            self._cell = attributes
            self._value = ""
            self.strange += [Strange(key, attributes.get("r", "")) for key in attributes.keys() - KNOWN_ATTRIBUTES]
        else:
            place = self._cell.get("r", "") if self._cell is not None else ""
            self.strange.append(Strange(_tag(name), place))

    def _data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)
        elif self._builder is not None:
            self._builder.data(text)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._row is None:
            self._end_around(name)
        elif name in KNOWN_IN_CELLS:
            if self._text is not None:
                text = "".join(self._text)
                self._value += text if self._is_exact else text.strip(" \t\r\n")
            self._text = None
        elif name == f"{PREFIX}c":
            self._end_cell()
        elif name == f"{PREFIX}row":
            if self._cells or self._row.keys() - {"r", "spans"}:
                self._rows.append(RawRow(self._number, self._row, self._cells))
            self._row = None

    def _end_around(self, name: str) -> None:
        if self._builder is not None:
            self._builder.end(_tag(name))
            if self._depth == 1:
                element = self._builder.close()
                tag = element.tag.removeprefix(f"{{{PREFIX}")
                nth = sum(known.partition(" ")[0] == tag for known in self.frame)  # such as conditional formats
                self.frame[f"{tag} {nth + 1}" if nth else tag] = element
                self._builder = None

    def _end_cell(self) -> None:
        cell, text = self._cell or {}, self._value
        self._cell = None
        reference = cell.get("r")
        self._column = _column_of(reference) if reference else self._column + 1
        kind = cell.get("t", "n")
        if kind == "s" and text:
            text = self._strings[int(text)]
        style = int(cell.get("s", 0))
        if text or style:
            known = "text" if kind in {"s", "str", "inlineStr"} else kind
            self._cells.append(RawCell(self._column, known if text else "", text, style))


def _refuse(*_: object) -> None:
    raise ValueError("a document type declaration")


def _tag(name: str) -> str:
    return f"{{{name}" if SEPARATOR in name else name


def _column_of(reference: str) -> int:
    number = 0
    for letter in reference:
        if letter.isdigit():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return number
