"""A sheet of nothing but texts, written row by row into a package: openpyxl would take 16 us for each cell.

Only the rows are written here. What stands around them is told by a sheet of openpyxl's, which has no rows of its own
but the comments: it writes the same part again, with all other parts, and that one is left out.
"""

import io
from collections.abc import Collection, Sequence
from html import escape
from typing import cast
from xml.etree.ElementTree import Element  # noqa: S405 - it parses nothing
from zipfile import ZipFile

from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.related import Related
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.xml.constants import SHEET_MAIN_NS
from openpyxl.xml.functions import tostring

from pipeline.report.workbook.texts import MOST_CHARACTERS, cell_value

MOST_BYTES = 1_900_000_000
"""Of a sheet's XML: from 2 GiB on a part needs the ZIP64 format, of which Excel complains in a package."""

WRITTEN_AT_ONCE = 500

LEVEL = 1
"""Of deflate: level 6 makes a file by a sixth smaller, and takes three times as long."""

LEGACY_DRAWING = "anysvml"
"""The reference by which openpyxl's own relations of a sheet name the shapes of its comments."""


class TextSheet:
    """A sheet while its rows are written, one sheet of a package at a time."""

    def __init__(self, archive: ZipFile, part: str, sheet: Worksheet) -> None:
        self.rows = 0
        self.bytes = 0
        self._sheet = sheet
        self._letters: list[str] = []
        self._waiting: list[str] = []
        self._file = archive.open(part, "w")
        above = (sheet.sheet_properties, sheet.views, sheet.sheet_format, sheet.column_dimensions)
        trees = "".join(_xml(each.to_tree()) for each in above)
        self._write(f'<worksheet xmlns="{SHEET_MAIN_NS}">{trees}<sheetData>')

    def append(self, texts: Sequence[str], styles: Sequence[int]) -> None:
        """Write one more row: a text and the number of a style for each cell."""
        self.rows += 1
        if len(texts) > len(self._letters):
            self._letters = [f'<c r="{get_column_letter(place)}' for place in range(1, len(texts) + 1)]
        number = self.rows
        cells = [
            f'{letter}{number}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
            if text
            else f'{letter}{number}" s="{style}"/>'
            for letter, style, text in zip(self._letters, styles, as_xml(texts), strict=False)
        ]
        self._waiting.append(f'<row r="{number}">{"".join(cells)}</row>')
        if len(self._waiting) == WRITTEN_AT_ONCE:
            self._write_waiting()

    def end(self, *, has_comments: bool) -> None:
        """Write what follows the rows."""
        self._write_waiting()
        below = [self._sheet.auto_filter.to_tree(), self._sheet.page_margins.to_tree()]
        if has_comments:
            below.append(Related(id=LEGACY_DRAWING).to_tree("legacyDrawing"))
        self._write(f"</sheetData>{''.join(map(_xml, below))}</worksheet>")

    def close(self) -> None:
        """Close the part, whether it is whole or not: no other can be written, and no package closed, before that."""
        self._file.close()

    def _write_waiting(self) -> None:
        self._write("".join(self._waiting))
        self._waiting.clear()

    def _write(self, text: str) -> None:
        content = text.encode()
        self._file.write(content)
        self.bytes += len(content)


def _xml(element: Element | None) -> str:
    # The stubs say that it returns a text.
    return "" if element is None else cast("bytes", tostring(element)).decode("ascii")


def as_xml(texts: Sequence[str]) -> Sequence[str]:
    """Return the texts as they stand in XML, so that they are read back as they are."""
    if _is_plain("".join(texts)):
        return texts
    return [text if _is_plain(text) else escape(cell_value(text), quote=False) for text in texts]


def _is_plain(text: str) -> bool:
    """Return whether the text stands for itself in a cell."""
    # A printable character is no control character, none that XML lacks, and no blank but the space.
    has_markup = "&" in text or "<" in text or ">" in text or "_x" in text
    return text.isprintable() and not has_markup and len(text) <= MOST_CHARACTERS // 2


def save_around(book: Workbook, archive: ZipFile, written: Collection[str]) -> None:
    """Write all parts of the book into the package but those that are written already."""
    saved = io.BytesIO()
    book.save(saved)
    with ZipFile(saved) as frame:
        for part in frame.namelist():
            if part not in written:
                archive.writestr(part, frame.read(part))
