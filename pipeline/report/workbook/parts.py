"""The parts of an .xlsx package as they stand in the file, so that what openpyxl reads and writes can be compared.

Parsed with openpyxl's own function, which is defusedxml's, but for the sheets (see `raw_sheet`). The packages are those
that `load` has read before, with all its guards, or that openpyxl has written.
"""

import posixpath
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element  # noqa: S405 - it parses nothing
from zipfile import ZipFile

from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.xml.constants import PKG_REL_NS, REL_NS, SHEET_MAIN_NS, XML_NS
from openpyxl.xml.functions import fromstring

from pipeline.report.workbook.raw_sheet import RawRow, RawSheet

MAIN = f"{{{SHEET_MAIN_NS}}}"
REFERENCE = f"{{{REL_NS}}}id"
WORKBOOK_PART, STYLES_PART, STRINGS_PART = "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml"


class Sheet(NamedTuple):
    """One sheet as workbook.xml lists it."""

    name: str
    part: str
    state: str


class Relation(NamedTuple):
    """What a part refers to."""

    kind: str  # the last word of its type
    target: str  # the part's name, or an address outside of the package


class Parts:
    """An open package."""

    def __init__(self, archive: ZipFile) -> None:
        self.names = tuple(archive.namelist())
        self._archive = archive
        self._strings: tuple[str, ...] | None = None
        self._sheets: dict[str, RawSheet] = {}

    def content(self, part: str) -> bytes:
        """Return the bytes of the part."""
        return self._archive.read(part)

    def root(self, part: str) -> Element:
        """Return the XML of a part."""
        return fromstring(self._archive.read(part))

    def relations(self, part: str) -> dict[str, Relation]:
        """Return what the part refers to, by the reference's id."""
        folder, name = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if rels not in self.names:
            return {}
        found = {}
        for each in self.root(rels).iter(f"{{{PKG_REL_NS}}}Relationship"):
            target = each.get("Target", "")
            if each.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found[each.get("Id", "")] = Relation(each.get("Type", "").rpartition("/")[2], target)
        return found

    def sheets(self) -> list[Sheet]:
        """Return the sheets in their order."""
        relations = self.relations(WORKBOOK_PART)
        return [
            Sheet(each.get("name", ""), relations[each.get(REFERENCE, "")].target, each.get("state", "visible"))
            for each in self.root(WORKBOOK_PART).iter(f"{MAIN}sheet")
        ]

    def sheet(self, part: str) -> RawSheet:
        """Return what the sheet holds; its rows were read and left."""
        if part not in self._sheets:
            for _ in self.rows(part):
                pass
        return self._sheets[part]

    def rows(self, part: str) -> Iterator[RawRow]:
        """Yield the sheet's rows that hold or say anything."""
        sheet = RawSheet(self.strings())
        with self._archive.open(part) as file:
            yield from sheet.rows(file)
        self._sheets[part] = sheet

    def strings(self) -> tuple[str, ...]:
        """Return the shared strings."""
        if self._strings is None:
            self._strings = ()
            if STRINGS_PART in self.names:
                items = self.root(STRINGS_PART).iter(f"{MAIN}si")
                self._strings = tuple("".join(text_of(each) for each in item.iter(f"{MAIN}t")) for item in items)
        return self._strings


class Style(NamedTuple):
    """How a cell looks, resolved."""

    number_format: str
    font: Element | None
    fill: Element | None
    border: Element | None
    alignment: Element | None
    protection: Element | None
    quote_prefix: str


class Styles:
    """The styles of a package, by their number."""

    def __init__(self, parts: Parts) -> None:
        root = parts.root(STYLES_PART) if STYLES_PART in parts.names else Element("none")
        self._codes = {each.get("numFmtId"): each.get("formatCode", "") for each in root.iter(f"{MAIN}numFmt")}
        self._fonts, self._fills, self._borders = (_children(root, name) for name in ("fonts", "fills", "borders"))
        self._formats = _children(root, "cellXfs")
        self.differential = _children(root, "dxfs")

    def style(self, number: int) -> Style:
        """Return the style of that number."""
        if number >= len(self._formats):
            return Style("General", None, None, None, None, None, "0")
        found = self._formats[number]
        code = found.get("numFmtId", "0")
        return Style(
            self._codes.get(code) or BUILTIN_FORMATS.get(int(code), f"builtin {code}"),
            _at(self._fonts, found.get("fontId")),
            _at(self._fills, found.get("fillId")),
            _at(self._borders, found.get("borderId")),
            found.find(f"{MAIN}alignment"),
            found.find(f"{MAIN}protection"),
            found.get("quotePrefix", "0"),
        )


def text_of(element: Element) -> str:
    """Return the text of a <t>. Unless it says that its blanks matter, those at both ends do not."""
    text = element.text or ""
    return text if element.get(f"{{{XML_NS}}}space") == "preserve" else text.strip(" \t\r\n")


def _children(root: Element, name: str) -> list[Element]:
    return list(next(iter(root.findall(f"{MAIN}{name}")), ()))


def _at(elements: list[Element], number: str | None) -> Element | None:
    index = int(number or 0)
    return elements[index] if index < len(elements) else None
