"""Any text as a cell that Excel reads as exactly that text, and names of sheets.

The texts of a sheet are XML, which cannot hold every character, so Excel has an escape of its own: `_x000D_` is a
carriage return, and a text that looks like one begins `_x005F_` (ECMA-376 part 1, 22.9.2.19, ST_Xstring). openpyxl
writes neither. calamine reads these escapes up to U+00FF (python-calamine 0.9). Halves of surrogate pairs, U+FFFE
and U+FFFF, which are in no XML either, have one more escape of the same form, which `load` takes away from workbooks
of ours.
"""

import re
from collections.abc import Collection

from openpyxl.cell.rich_text import CellRichText
from openpyxl.xml.constants import XML_NS
from openpyxl.xml.functions import Element

from pipeline.model import CUT_MARK

MOST_CHARACTERS = 32_767
"""Of a cell, in UTF-16 ("Excel specifications and limits")."""

MOST_NAME_CHARACTERS = 31
"""Of a sheet's name, in UTF-16 ("Excel specifications and limits")."""

_LONE = "\ud800-\udfff\ufffe\uffff"
_LONE_CODE = "D[89A-F][0-9A-F]{2}|FFF[EF]"
_OURS = re.compile(rf"[{_LONE}]|_(?=x(?:005F|{_LONE_CODE})(?:_|[{_LONE}]))")

_LONES = re.compile(f"[{_LONE}]")

_CONTROL = r"\x00-\x08\x0b-\x1f"
_EXCELS = re.compile(rf"[{_CONTROL}]|_(?=x[0-9A-Fa-f]{{4}}(?:_|[{_CONTROL}]))")

_ESCAPES = re.compile("_x[0-9A-Fa-f]{4}_")
_NOT_IN_NAMES = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x1f\x7f-\x9f\[\]:*?/\\\ud800-\udfff\ufffe\uffff]")


class Blanks(CellRichText):
    """A text of nothing but blanks, which openpyxl would write without saying that they matter: readers drop them."""

    def to_tree(self) -> Element:
        """Return the text as the element that stands in a cell."""
        inline, text = Element("is"), Element("t", {f"{{{XML_NS}}}space": "preserve"})
        text.text = str(self)
        inline.append(text)
        return inline


def cell_value(cell: str) -> str:
    """Return what to write for a cell, harmless already, so that it is read back as it is.

    Where Excel would cut it, it is cut, and says so.
    """
    escaped = escaped_text(_OURS.sub(_escape, cell))
    return escaped if _fits(escaped, MOST_CHARACTERS) else _cut(escaped, MOST_CHARACTERS - len(CUT_MARK)) + CUT_MARK


def escaped_text(text: str) -> str:
    """Return the text in Excel's escapes. Halves of surrogate pairs and the like become question marks."""
    return _LONES.sub("?", _EXCELS.sub(_escape, text))


def shown_text(text: str, most: int) -> str:
    """Return a text that is only to be read, in Excel's escapes and not much longer than `most`."""
    escaped = escaped_text(text)
    return escaped if _fits(escaped, most) else f"{_cut(escaped, most)}..."


def sheet_name(wanted: str, taken: Collection[str]) -> str:
    r"""Return a name that Excel allows, as near to the wanted one as can be, and none of those taken in any case.

    Excel forbids : \ / ? * [ ], an apostrophe at either end, more than 31 characters, and the name `History`.
    """
    name = _cut(" ".join(_NOT_IN_NAMES.sub(" ", wanted).split()), MOST_NAME_CHARACTERS).strip("' ") or "rows"
    reserved = {each.casefold() for each in taken} | {"history"}
    unique, number = name, 1
    while unique.casefold() in reserved:
        number += 1
        ending = f" ({number})"
        unique = _cut(name, MOST_NAME_CHARACTERS - len(ending)).rstrip("' ") + ending
    return unique


def _escape(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _fits(text: str, most: int) -> bool:
    return len(text) <= most and (2 * len(text) <= most or len(text.encode("utf-16-le")) <= 2 * most)


def _cut(text: str, most: int) -> str:
    """Return the beginning of the text, so many UTF-16 units at most, without half a character or half an escape."""
    if _fits(text, most):
        return text
    begun = text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
    halved = (each.start() for each in _ESCAPES.finditer(text) if each.start() < len(begun) < each.end())
    return begun[: next(halved, len(begun))]
