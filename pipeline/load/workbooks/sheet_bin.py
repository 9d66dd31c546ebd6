"""What the records of an .xlsb sheet tell before calamine reads it (MS-XLSB 2.1.4): extent, errors, merged cells."""

import struct
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.load.workbooks.extent import SHEET_COLUMNS, SHEET_ROWS, Corners, Extent, check_twice
from pipeline.load.workbooks.package import Package, damaged
from pipeline.load.workbooks.traps import Trap, Traps
from pipeline.model import CellType

ROW_HEADER = 0  # BrtRowHdr: the row's index comes first (2.4.742)
LEAST_ROW_BYTES, LEAST_CELL_BYTES = 17, 8
BLANK = 1  # BrtCellBlank: a format and no content
LAST_CELL = 11  # BrtFmlaError; 2 to 11 are cells with content, their column's index comes first (2.5.10)
ERROR_CELLS = (3, 11)  # BrtCellError, BrtFmlaError: the error's code comes after column and format
ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""BErr (MS-XLSB 2.5.97.2)."""
MERGED_CELLS = 176  # BrtMergeCell: first and last row, first and last column (2.4.719)
MERGED_BYTES = 16
BEGIN_STRINGS = 159  # BrtBeginSst: how often strings are used, and how many there are (2.4.229)
LEAST_STRING_BYTES = 7  # BrtSSTItem: type, length, flags, and the length of the text
BUNDLE_SHEET = 156
LONGEST_HEAD_BYTES = 6
RECORD_LIMIT_BYTES = 16 << 20


class BinarySheet(NamedTuple):
    """What a sheet's records tell of it."""

    extent: Extent
    traps: Traps
    merged: tuple[Corners, ...]


def scan_binary_sheet(package: Package, part: str) -> BinarySheet:
    """Return how far the cells with content reach, its error cells, which calamine shows as empty, and merged ranges.

    Raises SourceError when a cell lies outside of a sheet or is there twice.
    """
    row = 0
    places = array("q")  # of the cells: the row times SHEET_COLUMNS plus the column
    traps: Traps = {}
    merged: list[Corners] = []
    for kind, content in _records(package.path, part, package.blocks(part)):
        if kind == MERGED_CELLS and len(content) >= MERGED_BYTES:
            top, bottom, left, right = struct.unpack("<4I", content[:MERGED_BYTES])
            merged.append(((top, left), (bottom, right)))
        if kind > LAST_CELL or kind == BLANK:
            continue
        if len(content) < (LEAST_ROW_BYTES if kind == ROW_HEADER else LEAST_CELL_BYTES):
            # calamine would read on in what the record before it left behind
            raise damaged(package.path, f"its part {part} has a cell that is cut off")
        index = int.from_bytes(content[:4], "little")
        if kind == ROW_HEADER:
            row = index + 1
        else:
            column = index + 1
            if row > SHEET_ROWS or column > SHEET_COLUMNS:
                raise damaged(package.path, f"its part {part} has a cell outside of any sheet")
            places.append(row * SHEET_COLUMNS + column)
            if kind in ERROR_CELLS and len(content) > LEAST_CELL_BYTES:
                text = ERRORS.get(content[LEAST_CELL_BYTES], "#UNKNOWN!")
                traps[row] = (*traps.get(row, ()), Trap(index, text, CellType.ERROR))
    check_twice(package.path, part, np.frombuffer(places, np.int64))
    return BinarySheet(_extent_of(np.frombuffer(places, np.int64)), traps, tuple(merged))


def _extent_of(places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Extent:
    if not len(places):
        return Extent()
    columns = (places - 1) % SHEET_COLUMNS + 1
    (last_row, column), (row, last_column) = (
        (int(places[index] - 1) // SHEET_COLUMNS, int(columns[index])) for index in (places.argmax(), columns.argmax())
    )
    return Extent(last_row, last_column, len(places), (last_row, column), (row, last_column))


def check_binary_strings(package: Package, part: str) -> None:
    """Raise SourceError when the list of strings claims more of them than it has room for; calamine believes it."""
    content = next(package.blocks(part), b"")
    if len(content) >= 11 and content[:2] == bytes([BEGIN_STRINGS & 0x7F | 0x80, BEGIN_STRINGS >> 7]):
        claimed = int.from_bytes(content[7:11], "little")
        size = sum(map(len, package.blocks(part)))
        if claimed * LEAST_STRING_BYTES > size:
            raise damaged(package.path, f"its part {part} claims {claimed:,} strings and has no room for them")


def binary_sheets(package: Package, part: str) -> Iterator[tuple[str, str]]:
    """Yield name and relationship id of each sheet of the workbook (BrtBundleSh, 2.4.311)."""
    for kind, content in _records(package.path, part, (package.content(part),)):
        if kind == BUNDLE_SHEET:
            reference, place = _wide_string(content, 8)
            name, _ = _wide_string(content, place)
            yield name, reference


def _wide_string(content: bytes, place: int) -> tuple[str, int]:
    """Return the text at this place and the place behind it (XLWideString, 2.5.168)."""
    end = place + 4 + 2 * int.from_bytes(content[place : place + 4], "little")
    return content[place + 4 : end].decode("utf-16-le", "replace"), end


def _records(path: Path, part: str, blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each record; a record that was cut off at the end comes not."""
    carry = b""
    for block in blocks:
        octets = carry + block
        place, end = 0, len(octets)
        while place + LONGEST_HEAD_BYTES <= end or (
            place + 2 <= end and octets[place] < 0x80 and octets[place + 1] < 0x80
        ):
            start = place
            kind = octets[place]
            place += 1
            if kind & 0x80:
                kind = kind & 0x7F | (octets[place] & 0x7F) << 7
                place += 1
            size = octets[place]
            place += 1
            if size & 0x80:
                size &= 0x7F
                for shift in (7, 14, 21):
                    octet = octets[place]
                    place += 1
                    size |= (octet & 0x7F) << shift
                    if not octet & 0x80:
                        break
            if place + size > end:
                if size > RECORD_LIMIT_BYTES:
                    raise damaged(path, f"its part {part} has a record of {size:,} bytes")
                place = start
                break
            yield kind, octets[place : place + size]
            place += size
        carry = octets[place:]
