"""What openpyxl would drop or change of a workbook: all that is not known to stay.

Decided from the parts themselves by what is known to survive, not by a list of what is known to be lost, so that a
feature which nobody thought of makes the workbook pass no copy. What stays by these rules, `sameness` compares.

These are lost and passed over, since no reader of a copy misses them: settings of a printer, the chain of calculation
of a workbook without formulas, an empty list of persons, the path and the editing session that Excel notes for itself,
which versions wrote the file, the marks `ignore this error` (the green triangles come back), recently used colours.
"""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element  # noqa: S405 - it parses nothing

from pipeline.report.workbook.parts import MAIN, STRINGS_PART, STYLES_PART, WORKBOOK_PART, Parts, Sheet

KEPT_PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(core|app|custom)\.xml|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels"
    r"|xl/styles\.xml|xl/sharedStrings\.xml|xl/theme/theme1\.xml|xl/worksheets/sheet\d+\.xml"
    r"|xl/worksheets/_rels/sheet\d+\.xml\.rels|xl/tables/table\d+\.xml"
    r"|xl/printerSettings/printerSettings\d+\.bin|xl/calcChain\.xml|.*/"
)

MAY_BE_EMPTY = re.compile(r"xl/persons/person\.xml|xl/drawings/drawing\d+\.xml")
"""Parts that Excel and LibreOffice write though they hold nothing."""

LOST_PARTS = (
    (r"vbaProject|vbaData", "macros"),
    (r"threadedComments|persons/", "threaded comments"),
    (r"comments", "comments"),
    (r"pivot", "pivot tables"),
    (r"slicer|timeline", "slicers"),
    (r"xl/charts|chartsheets", "charts"),
    (r"xl/media", "pictures"),
    (r"drawings?/", "drawings"),
    (r"externalLinks", "links to other workbooks"),
    (r"queryTables|connections", "connections to other data"),
    (r"customXml", "custom XML"),
    (r"docMetadata", "a sensitivity label"),
    (r"activeX|ctrlProps|embeddings", "controls or embedded objects"),
    (r"_xmlsignatures", "a digital signature"),
    (r"metadata|richData", "dynamic arrays or linked data types"),
)
"""Parts that are lost, and what they are to a reader. Any other that is not kept is told by its name."""

WORKBOOK_TYPES = ("spreadsheetml.sheet.main+xml", "ms-excel.sheet.macroEnabled.main+xml")


def _named(names: str) -> frozenset[str]:
    return frozenset(MAIN + name for name in names.split())


KEPT_SHEET_ELEMENTS = _named("""
    sheetPr tabColor outlinePr pageSetUpPr dimension sheetViews sheetView pane selection sheetFormatPr cols
    col drawing extLst sheetCalcPr sheetProtection autoFilter filterColumn filters filter dateGroupItem
    customFilters customFilter mergeCells mergeCell phoneticPr conditionalFormatting cfRule formula colorScale cfvo
    color dataValidations dataValidation formula1 formula2 hyperlinks hyperlink printOptions pageMargins pageSetup
    headerFooter oddHeader oddFooter evenHeader evenFooter
    firstHeader firstFooter rowBreaks colBreaks brk ignoredErrors ignoredError tableParts tablePart
""")

LOST_SHEET_ELEMENTS = {
    "cm": "dynamic arrays",
    "vm": "linked data types",
    "f": "formulas",
    "r": "rich text",
    "rPh": "phonetic guides",
    "legacyDrawing": "comments or controls",
    "legacyDrawingHF": "pictures in its header or footer",
    "picture": "a background picture",
    "oleObjects": "embedded objects",
    "controls": "controls",
    "customSheetViews": "custom views",
    "protectedRanges": "protected ranges",
    "scenarios": "scenarios",
    "customProperties": "custom properties",
    "sortState": "a sort order",
    "dataBar": "data bars",
    "iconSet": "icon sets",
}

EXTENSIONS = {
    "{78C0D931-6437-407D-A8EE-F0AAD7539E65}": "conditional formats of newer versions",
    "{CCE6A557-97BC-4B89-ADB6-D9C93CAAB3DF}": "data validations of newer versions",
    "{05C60535-1F16-4FD2-B633-F4F36F0B64E0}": "sparklines",
    "{A8765BA9-456A-4DAB-B4F3-ACF838C121DE}": "slicers",
    "{3A4CF648-6AED-40F4-86FF-DC5316D8AED3}": "slicers",
    "{7E03D99C-DC04-49D9-9315-930204A7B6E9}": "timelines",
}
"""Extensions of a sheet ([MS-XLSX] 2.2.4)."""

KEPT_WORKBOOK_ELEMENTS = _named(
    "fileVersion workbookPr workbookProtection bookViews sheets definedNames calcPr fileRecoveryPr"
)
HARMLESS_WORKBOOK_EXTENSIONS = frozenset(
    {
        "{B58B0392-4F1F-4190-BB64-5DF3571DCE5F}",  # xcalcf:calcFeatures, which functions Excel knew
        "{140A7094-0E35-4892-8432-C4D2E57EDEB5}",  # x15:workbookPr, how charts refer to data
        "{7626C862-2A13-11E5-B345-FEFF819CDC9F}",  # LibreOffice's loext:extCalcPr
    }
)
HARMLESS_STYLE_EXTENSIONS = frozenset(
    {
        "{EB79DEF2-80B8-43E5-95BD-54CBDDF9020C}",  # x14:slicerStyles
        "{9260A510-F301-46A8-8635-F512D64BE5F5}",  # x15:timelineStyles
    }
)
KEPT_STYLE_ELEMENTS = _named("numFmts fonts fills borders cellStyleXfs cellXfs cellStyles dxfs tableStyles colors")
REVISION_MARKS = re.compile(r"\{http://schemas\.microsoft\.com/office/spreadsheetml/20\d\d/revision\d*\}")
ALTERNATE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"


def loss_in(parts: Parts) -> str:
    """Return what a copy would lose, as `it has macros` or `sheet Devices has formulas (E2)`; "" where nothing.

    Reads the sheets to their ends. Raises KeyError, ValueError or ParseError where the package is not sound.
    """
    return next(_losses(parts), "")


def _losses(parts: Parts) -> Iterator[str]:
    types = parts.content("[Content_Types].xml").decode("utf-8", "replace")
    if not any(each in types for each in WORKBOOK_TYPES) or WORKBOOK_PART not in parts.names:
        yield "it is laid out in another way than Excel does"
        return
    if not parts.root(WORKBOOK_PART).tag.startswith(MAIN):
        yield "it is a Strict Open XML workbook"
        return
    for sheet in parts.sheets():
        if sheet.part not in parts.names:
            yield f"sheet {sheet.name} is missing"
            return
        found = next(_losses_of_sheet(parts, sheet), "")
        if found:
            yield f"sheet {sheet.name} has {found}"
    yield from _lost_parts(parts)
    yield from _losses_of_strings(parts)
    yield from _losses_of_workbook(parts)
    yield from _losses_of_styles(parts)


def _lost_parts(parts: Parts) -> Iterator[str]:
    lost = [part for part in parts.names if not KEPT_PARTS.fullmatch(part)]
    lost = [part for part in lost if not MAY_BE_EMPTY.fullmatch(part) or len(parts.root(part))]
    for pattern, what in LOST_PARTS:
        if any(re.search(pattern, part) for part in lost):
            yield f"it has {what}"
    yield from (f"it has a part that is not known here ({part})" for part in lost)


def _losses_of_sheet(parts: Parts, sheet: Sheet) -> Iterator[str]:
    raw = parts.sheet(sheet.part)
    for name, place in raw.strange:
        yield f"{_lost(name)} ({place})"
    for element in raw.frame.values():
        for each in element.iter():
            if each.tag == f"{MAIN}ext":
                yield EXTENSIONS.get(each.get("uri", "").upper(), "an extension that is not known here")
            elif each.tag not in KEPT_SHEET_ELEMENTS:
                yield _lost(each.tag)


def _lost(tag: str) -> str:
    unknown = f"something that is not known here ({tag.rpartition('}')[2]})"
    return LOST_SHEET_ELEMENTS.get(tag.removeprefix(MAIN), unknown)


def _losses_of_strings(parts: Parts) -> Iterator[str]:
    if STRINGS_PART not in parts.names:
        return
    for element in parts.root(STRINGS_PART).iter():
        name = element.tag.removeprefix(MAIN)
        if name in {"r", "rPh"}:
            yield f"it has {LOST_SHEET_ELEMENTS[name]} in cells"
        elif name not in {"sst", "si", "t", "phoneticPr"}:
            yield f"its texts hold something that is not known here ({name})"
        elif name == "t" and "x005F_" in (element.text or ""):
            yield "it has texts that look like Excel's escapes, such as _x000D_"


def _losses_of_workbook(parts: Parts) -> Iterator[str]:
    for element in parts.root(WORKBOOK_PART):
        if element.tag == ALTERNATE:
            inner = {each.tag.rpartition("}")[2] for each in element.iter()} - {"AlternateContent", "Choice"}
            harmless = inner <= {"absPath"}
        elif element.tag == f"{MAIN}extLst":
            harmless = _uris(element) <= HARMLESS_WORKBOOK_EXTENSIONS
        else:
            harmless = element.tag in KEPT_WORKBOOK_ELEMENTS or REVISION_MARKS.match(element.tag) is not None
        if not harmless:
            yield f"it has something that is not known here ({element.tag.rpartition('}')[2]})"


def _losses_of_styles(parts: Parts) -> Iterator[str]:
    if STYLES_PART not in parts.names:
        return
    for element in parts.root(STYLES_PART):
        is_known = element.tag in KEPT_STYLE_ELEMENTS
        if element.tag == f"{MAIN}extLst":
            is_known = _uris(element) <= HARMLESS_STYLE_EXTENSIONS
        if element.tag == f"{MAIN}dxfs" and any(each.tag == f"{MAIN}extLst" for each in element.iter()):
            is_known = False
        if not is_known:
            yield f"its styles have something that is not known here ({element.tag.rpartition('}')[2]})"


def _uris(element: Element) -> set[str]:
    return {each.get("uri", "").upper() for each in element}
