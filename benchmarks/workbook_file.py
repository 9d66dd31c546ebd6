"""Texts -> a workbook of one sheet, fast: openpyxl would take minutes for a million rows.

The parts are as small as Office Open XML (ECMA-376) allows. Texts are shared strings, and each cell has its place, as
Excel itself writes them.
"""

import zipfile
from collections.abc import Collection, Iterable, Sequence
from html import escape
from itertools import chain, islice
from pathlib import Path

from openpyxl.utils import get_column_letter

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
PARTS = {
    "[Content_Types].xml": f'{XML}<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{KINDS}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KINDS}.worksheet+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{KINDS}.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
    '<workbookPr/><sheets><sheet name="Inventory" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
}


AT_ONCE = 10_000
"""Pieces that are joined before they are written."""


def write_workbook(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[int] = ()
) -> None:
    """Write the header and the rows; cells of the columns `numbers`, counted from 0, are numbers, all others texts.

    All different texts are in memory until the end. The same rows are the same file, byte for byte.
    """
    letters = [get_column_letter(at + 1) for at in range(len(header))]
    places: dict[str, int] = {}

    def row_xml(row_number: int, cells: Sequence[str], numbers: Collection[int]) -> str:
        shown = [
            f'<c r="{letter}{row_number}"><v>{cell}</v></c>'
            if at in numbers
            else f'<c r="{letter}{row_number}" t="s"><v>{places.setdefault(cell, len(places))}</v></c>'
            for at, (letter, cell) in enumerate(zip(letters, cells, strict=False))
            if cell
        ]
        return f'<row r="{row_number}">{"".join(shown)}</row>'

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in PARTS.items():
            archive.writestr(_part(name), text)
        lines = (row_xml(row_number, cells, numbers) for row_number, cells in enumerate(rows, 2))
        sheet = [f'{XML}<worksheet xmlns="{MAIN}"><sheetData>', row_xml(1, header, ())]
        _write_part(archive, "xl/worksheets/sheet1.xml", chain(sheet, lines, ["</sheetData></worksheet>"]))
        texts = (f'<si><t xml:space="preserve">{escape(text, quote=False)}</t></si>' for text in places)
        head = f'{XML}<sst xmlns="{MAIN}" uniqueCount="{len(places)}">'
        _write_part(archive, "xl/sharedStrings.xml", chain([head], texts, ["</sst>"]))


def _write_part(archive: zipfile.ZipFile, name: str, pieces: Iterable[str]) -> None:
    remaining = iter(pieces)
    with archive.open(_part(name), "w", force_zip64=True) as file:
        while some := "".join(islice(remaining, AT_ONCE)):
            file.write(some.encode())


def _part(name: str) -> zipfile.ZipInfo:
    """Return the part with a fixed date."""
    part = zipfile.ZipInfo(name, (2026, 11, 23, 0, 0, 0))
    part.compress_type = zipfile.ZIP_DEFLATED
    return part
