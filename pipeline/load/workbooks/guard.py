"""What must hold of a workbook before calamine opens it: nothing makes calamine abort, hang or take all memory."""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree as DefusedElementTree
from defusedxml.common import DefusedXmlException

from pipeline.load.table import OLE_MAGIC
from pipeline.load.workbooks.extent import RECTANGLE_LIMIT_CELLS, Corners, check_extent
from pipeline.load.workbooks.ole import check_ole
from pipeline.load.workbooks.package import (
    Package,
    check_encoding,
    damaged,
    declares_entities,
    open_package,
    protected,
)
from pipeline.load.workbooks.plain_cells import PlainSheet
from pipeline.load.workbooks.plain_strings import plain_strings
from pipeline.load.workbooks.sheet_bin import binary_sheets, check_binary_strings, scan_binary_sheet
from pipeline.load.workbooks.sheet_ods import CONTENT_PART, check_tables
from pipeline.load.workbooks.sheet_xml import SheetScan, parse_sheet, scan_sheet
from pipeline.load.workbooks.traps import Traps, Unshown

OFFICE_DOCUMENT = "/officeDocument"
STYLES = "/styles"
STYLES_LIMIT_BYTES = 256 << 20
OUTLINE_LIMIT_BYTES = 8 << 20
SHARED_STRINGS = "/sharedStrings"
PARSED_EXTENT_LIMIT_CELLS = 4_000_000  # up to which a parser may find out whether far cells are only formatted
STRING_LIMIT = 16_000_000  # shared strings: 1,048,576 rows with 15 different texts each

STRINGS_BEGIN = re.compile(rb"<(?:[^\s<>/!?]+:)?sst(?=[\s/>])[^>]*>")
UNIQUE_COUNT = re.compile(rb"uniqueCount\s*=\s*[\"']\s*(\d{1,30})")
MANIFEST_PART = "META-INF/manifest.xml"
BINARY_ENDING = ".bin"
OUTLINED_SUFFIXES = {".xlsx", ".xlsm"}


@dataclass(frozen=True)
class Guard:
    """A workbook that calamine may open; each sheet is still to be checked before calamine reads it."""

    path: Path
    package: Package | None  # None for an .xls
    sheets: dict[str, tuple[str, ...]]  # sheet name -> the parts that it may stand in; none for .xls and .ods
    tables: dict[str, Unshown]  # sheet name -> what calamine does not show of it; of .ods only
    strings: tuple[str, ...] = ()  # the parts that the list of strings may stand in
    outline: tuple[str, ...] = ()  # the parts that tell of the sheets and not what is in them; of .xlsx and .xlsm

    def check_strings(self) -> None:
        """Raise SourceError when the list of strings, which calamine holds whole, claims or has too many."""
        if self.package is not None:
            for part in self.strings:
                _check_strings(self.package, part)

    def plain_strings(self) -> list[str] | None:
        """Return the list of strings, None when calamine has to read it. Raises SourceError when it is damaged."""
        if self.package is None or len(self.strings) != 1:
            return None
        return plain_strings(self.package, self.strings[0], STRING_LIMIT)

    def outline_only(self) -> IO[bytes] | None:
        """Return a workbook that lists the same sheets and holds none of them, in memory; None where that is much."""
        if self.package is None or not self.outline:
            return None
        written = BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for part in self.outline:
                archive.writestr(part, self.package.content(part))
        written.seek(0)
        return written

    def unshown_in(self, sheet: str) -> Unshown:
        """Return what calamine does not show of the sheet, as far as its format tells.

        Raises SourceError when the sheet's part is missing, damaged or too large.
        """
        if self.package is None or not self.sheets:
            return self.tables.get(sheet, Unshown({}, None))
        parts = self.sheets.get(sheet, ())
        traps: Traps = {}
        merged: tuple[Corners, ...] | None = None
        plain: PlainSheet | None = None
        for part in reversed(parts):  # the one that the standard means comes last
            if part.endswith(BINARY_ENDING):
                scanned = scan_binary_sheet(self.package, part)
                check_extent(self.path, sheet, scanned.extent)
                traps, merged = scanned.traps, scanned.merged
            else:
                checked = _checked_xml(self.package, sheet, part)
                traps, plain = checked.traps, checked.plain
        if not parts:
            raise damaged(self.path, f'its sheet "{sheet}" is missing')
        return Unshown(traps, merged, plain if len(parts) == 1 else None)


@contextmanager
def guarded(path: Path) -> Iterator[Guard]:
    """Check everything that calamine reads when it opens the file. Raises SourceError for a damaged or hostile one.

    A file that is neither a zip package nor an OLE container passes: calamine refuses it at once.
    """
    with path.open("rb") as file:
        head = file.read(len(OLE_MAGIC))
    if head == OLE_MAGIC:
        check_ole(path)
    if head == OLE_MAGIC or not zipfile.is_zipfile(path):
        yield Guard(path, None, {}, {})
        return
    with open_package(path) as package:
        sheets: dict[str, tuple[str, ...]] = {}
        tables: dict[str, Unshown] = {}
        strings: tuple[str, ...] = ()
        outline: tuple[str, ...] = ()
        if package.holds(CONTENT_PART):
            if package.holds(MANIFEST_PART) and b"encryption-data" in package.content(MANIFEST_PART):
                raise protected(path)
            tables = check_tables(package)
        workbook = _workbook_part(package)
        if workbook is not None:
            relations = _relations(package, workbook)
            strings = _string_parts(package, workbook, relations)
            styles = {part for each in relations.values() if each.kind.endswith(STYLES) for part in each.parts}
            for part in styles:
                package.check_size(part, STYLES_LIMIT_BYTES)
            sheets = _sheet_parts(package, workbook, relations)
            # under another ending calamine does not take the file for what it is
            if path.suffix.lower() in OUTLINED_SUFFIXES and not workbook.endswith(BINARY_ENDING):
                outline = _outline(package, workbook, styles)
        yield Guard(path, package, sheets, tables, strings, outline)


@dataclass(frozen=True)
class _Relation:
    kind: str  # the relationship's type, a URI that differs between transitional and strict OOXML in its beginning
    parts: tuple[str, ...]


def _checked_xml(package: Package, sheet: str, part: str) -> SheetScan:
    scanned = scan_sheet(package, part)
    extent = scanned.extent
    if extent.rectangle > RECTANGLE_LIMIT_CELLS and extent.cells <= PARSED_EXTENT_LIMIT_CELLS:
        extent = parse_sheet(package, part).extent
    check_extent(package.path, sheet, extent)
    return scanned


def _outline(package: Package, workbook: str, styles: set[str]) -> tuple[str, ...]:
    """Return the parts that say what sheets there are, () when they are large. calamine needs the styles with them."""
    parts = ("[Content_Types].xml", "_rels/.rels", workbook, _relations_of(workbook), *sorted(styles))
    held = tuple(part for part in parts if package.holds(part))
    return held if sum(map(package.size, held)) <= OUTLINE_LIMIT_BYTES else ()


def _parsed(package: Package, part: str) -> Element:
    content = package.content(part)
    check_encoding(package, part, content[:1024])
    try:
        root: Element = DefusedElementTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException as exc:
        raise declares_entities(package, part) from exc
    except (ParseError, ValueError, LookupError) as exc:
        raise damaged(package.path, f"the XML of its part {part} is not well-formed") from exc
    return root


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _relations(package: Package, part: str) -> dict[str, _Relation]:
    """Return what a part refers to, by the reference's id. "" is the package itself."""
    folder = posixpath.dirname(part)
    rels = _relations_of(part)
    if not package.holds(rels):
        return {}
    found = {}
    for element in _parsed(package, rels).iter():
        if _local(element.tag) == "Relationship":
            target = element.get("Target", "")
            found[element.get("Id", "")] = _Relation(element.get("Type", ""), _resolved(package, folder, target))
    return found


def _relations_of(part: str) -> str:
    """Return the name of the part that says what this one refers to."""
    folder, _, name = part.rpartition("/")
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _resolved(package: Package, folder: str, target: str) -> tuple[str, ...]:
    """Return the parts that the target may name: as the standard says, and as a lenient reader might take it."""
    names = [
        posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"),
        posixpath.join(folder, target.lstrip("/")),
        target.lstrip("/"),
    ]
    return tuple(name for name in dict.fromkeys(names) if package.holds(name))


def _workbook_part(package: Package) -> str | None:
    related = (each.parts for each in _relations(package, "").values() if each.kind.endswith(OFFICE_DOCUMENT))
    parts = {part for parts in related for part in parts}
    if len(parts) > 1:
        raise damaged(package.path, "it holds more than one workbook")
    if parts:
        return parts.pop()
    return next((name for name in ("xl/workbook.xml", "xl/workbook.bin") if package.holds(name)), None)


def _sheet_parts(package: Package, workbook: str, relations: dict[str, _Relation]) -> dict[str, tuple[str, ...]]:
    if workbook.endswith(BINARY_ENDING):
        named = list(binary_sheets(package, workbook))
    else:
        named = [
            (element.get("name", ""), value)
            for element in _parsed(package, workbook).iter()
            if _local(element.tag) == "sheet"
            for attribute, value in element.items()
            if _local(attribute) == "id"
        ]
    found: dict[str, tuple[str, ...]] = {}
    for name, reference in named:
        if name in found:
            raise damaged(package.path, f'it has two sheets named "{name}"')
        relation = relations.get(reference)
        found[name] = relation.parts if relation else ()
    return found


def _string_parts(package: Package, workbook: str, relations: dict[str, _Relation]) -> tuple[str, ...]:
    folder = posixpath.dirname(workbook)
    related = (relation.parts for relation in relations.values() if relation.kind.endswith(SHARED_STRINGS))
    parts = {part.lower() for parts in related for part in parts}
    customary = (f"{folder.lower()}/sharedstrings", "xl/sharedstrings")
    return tuple(sorted(parts | {part for part in package.names() if part.startswith(customary)}))


def _check_strings(package: Package, part: str) -> None:
    if part.endswith(BINARY_ENDING):
        check_binary_strings(package, part)
        return
    size = strings = claimed = 0
    tail = b""
    for number, block in enumerate(package.blocks(part)):
        if number == 0:
            check_encoding(package, part, block)
            begin = STRINGS_BEGIN.search(block)
            claimed = max(map(int, UNIQUE_COUNT.findall(begin[0])), default=0) if begin else 0
        if b"<!DOCTYPE" in tail + block:
            raise declares_entities(package, part)
        strings += block.count(b"<si") + block.count(b":si")
        size += len(block)
        tail = block[-9:]
    if claimed * len(b"<si/>") > size or strings > STRING_LIMIT:
        raise damaged(package.path, f"its part {part} has {max(claimed, strings):,} strings in {size:,} bytes")
