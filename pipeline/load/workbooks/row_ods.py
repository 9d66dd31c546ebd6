"""The cells of an .ods row that calamine shows otherwise than LibreOffice (OpenDocument 1.2, part 1, 6.1 and 9.1.4).

calamine drops tabs and line breaks, adds what stands in text boxes, in ruby text and under a merged cell, and takes
errors and texts without a type for empty cells (0.9). A row is parsed only when a look at its bytes finds any of this.
"""

import re
from xml.parsers import expat

from pipeline.load.workbooks.extent import SHEET_COLUMNS
from pipeline.load.workbooks.traps import Trap
from pipeline.model import CellType

PLAIN_ROW = re.compile(
    rb"""<table:table-row[^<>]*+>
    (?: <table:table-cell (?:[ ]table:[a-z-]++="[^"<>]*+")*+
        (?: />
          | [ ]office:value-type="(?:string"|[a-z]++"[ ]office:(?:date-|time-|boolean-)?value=")[^<>]*+>
            (?: (?<=/>) | <text:p>[^<]*+</text:p></table:table-cell> )
        )
    )*+
    </table:table-row>""",
    re.VERBOSE,
)
"""A row of empty cells and cells with one paragraph, as almost all are: UNUSUAL would take three times as long."""
UNUSUAL = re.compile(
    rb"""<(?:
        (?!/ | table:table-(?:row|cell)[\s/>] | table:covered-table-cell[\s/] | text:(?:p|s|a|span)[\s/>])
      | table:covered-table-cell(?:[^<>]*\soffice: | [^<>]*(?<!/)>)
      | table:table-cell(?=[\s>])
            (?! [^<>]*\soffice:(?: (?:string-|date-|time-|boolean-)?value\s*= | value-type\s*=\s*["']string["'] ) )
            [^<>]*(?<!/)>
      | (?<=\s<)(?: text:p[\s/>] | /table:table-cell> )
    )""",
    re.VERBOSE,
)
"""Another element than those of a cell with text; a covered cell that holds something; a cell with content and no
value; text between a cell and its paragraphs."""
ERROR_TYPE = re.compile(rb"value-type\s*=\s*[\"']error[\"']")
ROW_ENDS = re.compile(rb"</table:table-row\s*>")

CELL, COVERED_CELL = "table:table-cell", "table:covered-table-cell"
PARAGRAPHS = frozenset({"text:p", "text:h"})
PLAIN = frozenset({"text:p", "text:s", "text:a", "text:span"})  # what calamine reads rightly
ASIDE = frozenset({"text:ruby-text", "text:note"})  # texts that are no part of the cell's
ANNOTATION = "office:annotation"
VALUES = ("office:value", "office:string-value", "office:date-value", "office:time-value", "office:boolean-value")
NUMBERS = frozenset({"float", "percentage", "currency"})
UNKNOWN_ERROR = "#UNKNOWN!"


def traps_in(row: bytes) -> tuple[Trap, ...]:
    """Return the traps of a row, from `<table:table-row` on, in UTF-8; what follows its end does not count.

    Raises expat.ExpatError when the row is not well-formed.
    """
    is_error = b"error" in row and ERROR_TYPE.search(row)
    if not is_error and (PLAIN_ROW.match(row) or not UNUSUAL.search(row)):
        return ()
    end = ROW_ENDS.search(row)
    if end is None:  # a row without cells
        return ()
    cells = _Cells()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = cells.begin
    parser.EndElementHandler = cells.end
    parser.CharacterDataHandler = cells.characters
    parser.Parse(row[: end.end()], True)
    return tuple(cells.traps)


class _Cells:
    """Follows the cells of one row."""

    def __init__(self) -> None:
        self.traps: list[Trap] = []
        self._column = 0
        self._attributes: dict[str, str] | None = None  # of the cell; None between cells
        self._text: list[str] = []
        self._paragraphs = 0
        self._depth = 0  # how many paragraphs the parser is within
        self._aside = 0  # how many elements that are no part of the text the parser is within
        self._unusual = False  # calamine reads another text

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take up a cell or what is in it."""
        if self._attributes is None:
            if name in {CELL, COVERED_CELL}:
                self._attributes = attributes
                self._text.clear()
                self._paragraphs = 0
                self._unusual = False
        elif self._aside or not name.startswith("text:") or name in ASIDE:
            self._unusual |= not self._aside and name != ANNOTATION
            self._aside += 1
        else:
            self._unusual |= name not in PLAIN
            self._begin_text(name, attributes)

    def end(self, name: str) -> None:
        """Judge a cell when it is complete."""
        if self._aside:
            self._aside -= 1
        elif name in PARAGRAPHS:
            self._depth -= 1
        elif self._attributes is not None and name in {CELL, COVERED_CELL}:
            repeated = min(_number(self._attributes.get("table:number-columns-repeated")), SHEET_COLUMNS)
            trap = _trap(name, self._attributes, "".join(self._text), unusual=self._unusual)
            if trap is not None:
                text, cell_type = trap
                columns = range(self._column, min(self._column + repeated, SHEET_COLUMNS))
                self.traps += (Trap(column, text, cell_type) for column in columns)
            self._column += repeated
            self._attributes = None

    def characters(self, text: str) -> None:
        """Collect the text of paragraphs."""
        if self._attributes is None or self._aside:
            return
        if self._depth:
            self._text.append(text)
        else:
            self._unusual = True

    def _begin_text(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "text:p" | "text:h":
                if self._paragraphs:
                    self._text.append("\n")
                self._paragraphs += 1
                self._depth += 1
            case "text:s":
                self._text.append(" " * _number(attributes.get("text:c")))
            case "text:tab":
                self._text.append("\t")
            case "text:line-break":
                self._text.append("\n")


def _trap(name: str, attributes: dict[str, str], text: str, *, unusual: bool) -> tuple[str, CellType] | None:
    """Return what the cell really holds, None where calamine shows it."""
    has_value = any(each in attributes for each in VALUES)
    kind = attributes.get("office:value-type")
    if name == COVERED_CELL:
        return ("", CellType.MERGED) if text or has_value else None
    if attributes.get("calcext:value-type") == "error":
        return text or UNKNOWN_ERROR, CellType.ERROR
    if has_value or (kind == "string" and not unusual):
        return None
    if kind == "string":
        return text, CellType.TEXT
    return (text, CellType.NUMBER if kind in NUMBERS else CellType.TEXT) if text else None


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 18 else 1
