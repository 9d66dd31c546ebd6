"""Whether a copy holds what the original holds: cell by cell and style by style, and all around the cells.

The copy may have more: marks on cells, comments, a sheet at its end, and attributes that say what holds anyway.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import cast
from xml.etree.ElementTree import Element  # noqa: S405 - it parses nothing

from openpyxl.utils import get_column_letter, range_boundaries

from pipeline.report.workbook.parts import MAIN, WORKBOOK_PART, Parts, Sheet, Styles
from pipeline.report.workbook.raw_sheet import RawCell, RawRow

Marked = Mapping[str, Collection[tuple[int, int]]]
"""The cells, each (row, column) from 1, whose fill was changed, by sheet."""

PASSED_OVER = frozenset(
    {"dimension", "sheetCalcPr", "phoneticPr", "drawing", "ignoredErrors", "legacyDrawing", "hyperlinks", "tableParts"}
)
"""What stands around the cells of a sheet and is written anew, lost without harm, or compared in another way."""

NUMBERED_ANEW = frozenset({"count", "spans", "dxfId", "id"})
STYLE_ATTRIBUTES = frozenset({"s", "style"})
OFF_BY_DEFAULT = frozenset({"row", "col", "sheetFormatPr", "headerFooter", "alignment", "border"})
"""Elements of which each attribute that is 0 or false may as well be left out."""

DEFAULTS = {
    ("alignment", "horizontal"): "general",
    ("alignment", "vertical"): "bottom",
    ("border", "outline"): "1",
    ("protection", "locked"): "1",
    ("protection", "hidden"): "0",
    ("patternFill", "patternType"): "none",
    ("pageSetup", "cellComments"): "none",
}
"""What holds of an attribute that is left out (ECMA-376 part 1, 18.3 and 18.8)."""

WORDS = {"true": "1", "false": "0"}


def difference(original: Parts, copy: Parts, marked: Marked) -> str:
    """Return where the copy first differs from the original, such as `cell B7 of sheet Devices`; "" if nowhere."""
    return next(_differences(original, copy, marked), "")


def _differences(original: Parts, copy: Parts, marked: Marked) -> Iterator[str]:
    sheets = original.sheets()
    copies = copy.sheets()[: len(sheets)]
    if [(each.name, each.state) for each in sheets] != [(each.name, each.state) for each in copies]:
        yield "the list of sheets"
        return
    styles = _StylePairs(Styles(original), Styles(copy))
    for sheet, copied in zip(sheets, copies, strict=True):
        compared = _SheetPair(original, copy, sheet, copied, styles)
        yield from compared.cells(marked.get(sheet.name, ()))
        yield from compared.frame()
        yield from compared.links()
        yield from compared.tables()
    yield from _book_differences(original.root(WORKBOOK_PART), copy.root(WORKBOOK_PART))
    if not _custom_properties(original) <= _custom_properties(copy):
        yield "the custom properties, such as a sensitivity label"
    theme = "xl/theme/theme1.xml"
    if theme in original.names and original.content(theme) != copy.content(theme):
        yield "the theme"


def _book_differences(original: Element, copy: Element) -> Iterator[str]:
    if _base_date(original) != _base_date(copy):
        yield "the first day that dates count from"
    if not _names(original) <= _names(copy):
        yield "a defined name"
    protection = f"{MAIN}workbookProtection"
    if not _is_kept(original.find(protection), copy.find(protection)):
        yield "the protection of the workbook"


def _custom_properties(parts: Parts) -> set[tuple[str, str]]:
    part = "docProps/custom.xml"
    properties = parts.root(part) if part in parts.names else ()
    return {(each.get("name", ""), "".join(each.itertext()).strip()) for each in properties}


def _base_date(workbook: Element) -> str:
    properties = workbook.find(f"{MAIN}workbookPr")
    return _plain("0" if properties is None else properties.get("date1904", "0"))


def _names(workbook: Element) -> set[tuple[str, str, str]]:
    return {
        (each.get("name", ""), each.get("localSheetId", ""), (each.text or "").replace("'", ""))
        for each in workbook.iter(f"{MAIN}definedName")
    }


class _StylePairs:
    """Which style of the original is which of the copy; each pair is compared once."""

    def __init__(self, original: Styles, copy: Styles) -> None:
        self.original = original
        self.copy = copy
        self._known: dict[tuple[int, int, bool], bool] = {}

    def are_same(self, original: int, copy: int, *, is_marked: bool = False) -> bool:
        pair = (original, copy, is_marked)
        if pair not in self._known:
            was, now = self.original.style(original), self.copy.style(copy)
            self._known[pair] = (
                was.number_format == now.number_format
                and _plain(was.quote_prefix) == _plain(now.quote_prefix)
                and (is_marked or _is_kept(was.fill, now.fill))
                and all(_is_kept(*each) for each in zip(was[3:6], now[3:6], strict=True))
                and _is_kept(was.font, now.font)
            )
        return self._known[pair]


class _SheetPair:
    """A sheet and its copy."""

    def __init__(self, original: Parts, copy: Parts, sheet: Sheet, copied: Sheet, styles: _StylePairs) -> None:
        self._original, self._copy = original, copy
        self._sheet, self._copied = sheet, copied
        self._styles = styles
        merged = original.sheet(sheet.part).frame.get("mergeCells")
        references = [each.get("ref", "") for each in (() if merged is None else merged)]
        self._merged = [cast("tuple[int, int, int, int]", range_boundaries(each)) for each in references]

    def cells(self, marked: Collection[tuple[int, int]]) -> Iterator[str]:
        """Yield the rows and cells that differ."""
        rows = self._original.rows(self._sheet.part)
        copies = self._copy.rows(self._copied.part)
        for was, now in zip_longest(rows, copies):
            if was is None or now is None or was.number != now.number or not self._is_same_row(was, now):
                yield f"row {(was or now).number} of sheet {self._sheet.name}"
                return
            yield from self._row_differences(was, now, marked)

    def _row_differences(self, was: RawRow, now: RawRow, marked: Collection[tuple[int, int]]) -> Iterator[str]:
        for column, cell, copied in _cell_pairs(was.cells, now.cells):
            is_marked = (was.number, column) in marked
            if cell is None or copied is None:
                # Only a mark on a place where nothing stood makes a cell.
                same = copied is not None and is_marked and not copied.kind
            else:
                same = (
                    cell.text == copied.text
                    and cell.kind == copied.kind
                    and self._styles.are_same(cell.style, copied.style, is_marked=is_marked)
                )
            if not same and not self._is_covered(was.number, column, cell, copied):
                yield f"cell {get_column_letter(column)}{was.number} of sheet {self._sheet.name}"

    def _is_covered(self, row: int, column: int, *cells: RawCell | None) -> bool:
        """Return whether the cell is empty and lies under a merged one, so that nothing of it is seen."""
        is_empty = not any(each is not None and each.kind for each in cells)
        return is_empty and any(
            top <= row <= bottom and left <= column <= right and (row, column) != (top, left)
            for left, top, right, bottom in self._merged
        )

    def _is_same_row(self, was: RawRow, now: RawRow) -> bool:
        return _is_kept(_bare(was.attributes), _bare(now.attributes), self._styles)

    def frame(self) -> Iterator[str]:
        """Yield what differs around the cells."""
        before = self._original.sheet(self._sheet.part).frame
        after = self._copy.sheet(self._copied.part).frame
        for name, element in before.items():
            if name.partition(" ")[0] not in PASSED_OVER and not _is_kept(element, after.get(name), self._styles):
                yield f"{name} of sheet {self._sheet.name}"

    def links(self) -> Iterator[str]:
        """Yield whether hyperlinks differ."""
        if not _links(self._original, self._sheet.part) <= _links(self._copy, self._copied.part):
            yield f"the hyperlinks of sheet {self._sheet.name}"

    def tables(self) -> Iterator[str]:
        """Yield the tables that differ."""
        before, after = _tables(self._original, self._sheet.part), _tables(self._copy, self._copied.part)
        for name, table in before.items():
            if not _is_kept(table, after.get(name)):
                yield f"table {name} of sheet {self._sheet.name}"


def _bare(row: Mapping[str, str]) -> Element:
    """Return what the row itself says. Its style counts only if it says so; a height that is told becomes fixed."""
    has_style = _plain(row.get("customFormat", "0")) == _plain("1")
    left_out = {"customHeight"} if has_style else {"customHeight", "customFormat", "s"}
    said = {name: value for name, value in row.items() if name not in left_out and "}" not in name}
    return Element(f"{MAIN}row", said)


def _cell_pairs(was: Sequence[RawCell], now: Sequence[RawCell]) -> Iterator[tuple[int, RawCell | None, RawCell | None]]:
    """Yield the cells of both rows by column."""
    if [each.column for each in was] == [each.column for each in now]:
        yield from ((each.column, each, copied) for each, copied in zip(was, now, strict=True))
        return
    before, after = {each.column: each for each in was}, {each.column: each for each in now}
    for column in sorted(before.keys() | after.keys()):
        yield column, before.get(column), after.get(column)


def _links(parts: Parts, part: str) -> set[tuple[str, ...]]:
    relations = parts.relations(part)
    element = parts.sheet(part).frame.get("hyperlinks")
    found = set()
    for each in () if element is None else element:
        targets = [relations[value].target for key, value in each.items() if key.endswith("}id")]
        found.add((each.get("ref", ""), each.get("location", ""), each.get("tooltip", ""), *targets))
    return found


def _tables(parts: Parts, part: str) -> dict[str, Element]:
    roots = [parts.root(each.target) for each in parts.relations(part).values() if each.kind == "table"]
    return {each.get("name", ""): each for each in roots}


def _is_kept(was: Element | None, now: Element | None, styles: _StylePairs | None = None) -> bool:
    """Return whether all that the element says is said by its copy too, in whatever spelling."""
    if was is None or now is None:
        return was is None or _says_nothing(was)
    return (
        _text(was) == _text(now)
        and all(_is_kept_attribute(was.tag, name, value, now.get(name), styles) for name, value in was.attrib.items())
        and ("dxfId" not in was.attrib or styles is None or _is_same_differential(was, now, styles))
        and all(
            _is_kept(child, copied, styles)
            for tag in {each.tag for each in was}
            for child, copied in _paired(was.findall(tag), now.findall(tag))
        )
    )


def _says_nothing(element: Element) -> bool:
    return (
        not _text(element)
        and all(_is_default(element.tag, *each) for each in element.attrib.items())
        and all(map(_says_nothing, element))
    )


def _text(element: Element) -> str:
    """Return the element's own text in one spelling; of a header or footer without blanks, which openpyxl adds."""
    text = (element.text or "").strip()
    return "".join(text.split()) if element.tag.endswith(("Header", "Footer")) else _plain(text)


def _is_kept_attribute(tag: str, name: str, was: str, now: str | None, styles: _StylePairs | None) -> bool:
    if name.startswith("{") or name in NUMBERED_ANEW:
        return True
    if name in STYLE_ATTRIBUTES and styles is not None:
        return styles.are_same(int(was), int(now or 0))
    return _is_default(tag, name, was) if now is None else _plain(was) == _plain(now)


def _is_default(tag: str, name: str, value: str) -> bool:
    element = tag.removeprefix(MAIN)
    default = DEFAULTS.get((element, name), "0" if element in OFF_BY_DEFAULT else "")
    return _plain(value) == _plain(default)


def _paired(was: list[Element], now: list[Element]) -> Iterator[tuple[Element, Element | None]]:
    return ((each, now[index] if index < len(now) else None) for index, each in enumerate(was))


def _is_same_differential(was: Element, now: Element, styles: _StylePairs) -> bool:
    before, after = int(was.get("dxfId", 0)), int(now.get("dxfId", -1))
    known = before < len(styles.original.differential) and 0 <= after < len(styles.copy.differential)
    return known and _is_kept(styles.original.differential[before], styles.copy.differential[after])


def _plain(value: str) -> str:
    """Return the value in one spelling: 1 and 1.0 and true are the same."""
    word = WORDS.get(value, value)
    try:
        return repr(float(word))
    except ValueError:
        return word
