"""The container of .xls files, checked before calamine follows its chains (MS-CFB 2, MS-XLS 2.1.4).

calamine reserves memory for what the records of an .xls claim, and aborts the process when it does not get it.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.load.workbooks.extent import RECTANGLE_LIMIT_CELLS
from pipeline.load.workbooks.package import damaged

XLS_ROWS, XLS_COLUMNS = 65_536, 256
FILE_LIMIT_BYTES = 512 << 20
DIRECT_FAT_SECTORS = 109
LAST_REGULAR_SECTOR = 0xFFFFFFFA
STREAM, ROOT = 2, 5
DIRECTORY_ENTRY_BYTES = 128

BEGIN, DIMENSIONS, STRINGS = 0x809, 0x200, 0xFC  # BEGIN is BOF, at the head of each sheet (MS-XLS 2.4.21)
DIMENSIONS_LAYOUT = {10: "<4H", 14: "<2I2H"}  # first row, row behind the last one, the same for columns; BIFF5, BIFF8
CELLS = frozenset({0x06, 0x7E, 0xBD, 0xD6, 0xFD, 0x203, 0x204, 0x205, 0x27E})
"""Formula, RK, MulRk, RString, LabelSst, Number, Label, BoolErr, RK: row and column come first (MS-XLS 2.4)."""
SEVERAL_CELLS = 0xBD  # MulRk: the last column comes last
LEAST_STRING_BYTES = 3


def check_ole(path: Path) -> None:
    """Raise SourceError when the file's sectors run in circles, or its records claim what no .xls can hold."""
    if path.stat().st_size > FILE_LIMIT_BYTES:
        raise SourceError(f"{path} is larger than any .xls can be: save it as .xlsx or as CSV UTF-8.")
    try:
        container = _Container(path, path.read_bytes())
        for name, stream in container.streams():
            if name.casefold() in {"workbook", "book"}:
                _check_records(path, stream)
    except (struct.error, IndexError) as exc:
        raise damaged(path, "it ends within its own structure") from exc


class _Container:
    """The sectors of a compound file, and which follows which."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        (shift,) = struct.unpack_from("<H", content, 30)
        if shift not in {9, 12}:
            raise damaged(path, "its sectors have a size that no .xls has")
        self._sector_bytes: int = 1 << shift
        self._sectors = max(0, -(-len(content) // self._sector_bytes) - 1)
        first_difat, difat_sectors = struct.unpack_from("<2I", content, 68)
        places = list(struct.unpack_from(f"<{DIRECT_FAT_SECTORS}I", content, 76))
        entries = self._sector_bytes // 4
        seen = 0
        while first_difat < LAST_REGULAR_SECTOR and seen <= self._sectors:
            *more, first_difat = struct.unpack_from(f"<{entries}I", content, self._offset(first_difat))
            places += more
            seen += 1
        if seen > min(self._sectors, difat_sectors):
            raise damaged(path, "its sectors run in a circle")
        places = [place for place in places if place < LAST_REGULAR_SECTOR]
        if len(places) > self._sectors:
            raise damaged(path, "it has more sector tables than sectors")
        table = b"".join(self._sector(place) for place in places)
        self._next = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])

    def streams(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of each stream, every chain checked."""
        first_directory, first_mini, mini_cutoff = struct.unpack_from("<I8xI", self._content, 48) + struct.unpack_from(
            "<I", self._content, 56
        )
        directory = self._chain(first_directory)
        if len(directory) % DIRECTORY_ENTRY_BYTES:
            raise damaged(self._path, "it is cut off within its directory")
        mini_table = self._chain(first_mini)
        mini_next = struct.unpack(f"<{len(mini_table) // 4}I", mini_table[: len(mini_table) // 4 * 4])
        mini_stream = b""
        for place in range(0, len(directory) - DIRECTORY_ENTRY_BYTES + 1, DIRECTORY_ENTRY_BYTES):
            name_bytes, kind = struct.unpack_from("<HB", directory, place + 64)
            first, size = struct.unpack_from("<IQ", directory, place + 116)
            size &= 0xFFFFFFFF if self._sector_bytes == 512 else 0xFFFFFFFFFFFFFFFF
            name = directory[place : place + max(0, min(name_bytes, 64) - 2)].decode("utf-16-le", "replace")
            if kind not in {STREAM, ROOT}:
                continue
            if size > len(self._content):
                raise damaged(self._path, f'its stream "{name[:40]}" claims {size:,} bytes, more than the file has')
            if kind == ROOT:
                mini_stream = self._chain(first) if size else b""
            elif size < mini_cutoff:
                yield name, self._mini_chain(first, mini_next, mini_stream)[:size]
            else:
                yield name, self._chain(first)[:size]

    def _offset(self, sector: int) -> int:
        if sector >= self._sectors:
            raise damaged(self._path, f"it is cut off before its sector {sector:,}")
        return (sector + 1) * self._sector_bytes

    def _sector(self, sector: int) -> bytes:
        offset = self._offset(sector)
        return self._content[offset : offset + self._sector_bytes]

    def _chain(self, sector: int) -> bytes:
        found = []
        while sector < LAST_REGULAR_SECTOR:
            found.append(self._sector(sector))
            if len(found) > self._sectors:
                raise damaged(self._path, "its sectors run in a circle")
            sector = self._next[sector]
        return b"".join(found)

    def _mini_chain(self, sector: int, following: tuple[int, ...], stream: bytes) -> bytes:
        found = []
        while sector < LAST_REGULAR_SECTOR:
            found.append(stream[sector * 64 : sector * 64 + 64])
            if len(found) > len(following):
                raise damaged(self._path, "its sectors run in a circle")
            sector = following[sector]
        return b"".join(found)


def _check_records(path: Path, stream: bytes) -> None:
    rectangle = places = 0
    last_row = last_column = 0
    for kind, content in _records(stream):
        if kind in CELLS and len(content) >= 4:
            row, column = struct.unpack_from("<HH", content)
            if kind == SEVERAL_CELLS and len(content) >= 6:
                (column,) = struct.unpack_from("<H", content, len(content) - 2)
            if column >= XLS_COLUMNS:
                raise damaged(path, f"it has a cell in column {column + 1:,}, and an .xls has {XLS_COLUMNS}")
            last_row, last_column = max(last_row, row + 1), max(last_column, column + 1)
            rectangle = last_row * last_column
        elif kind == BEGIN:
            places += rectangle
            rectangle = last_row = last_column = 0
        else:
            _check_claims(path, kind, content, len(stream))
    if places + rectangle > RECTANGLE_LIMIT_CELLS:  # calamine lays out all sheets when it opens the file
        raise SourceError(
            f"{path} has sheets that span {places + rectangle:,} cells in all, more than the "
            f"{RECTANGLE_LIMIT_CELLS:,} that an .xls may have here: delete the cells far from all others, or save each "
            "sheet as CSV UTF-8."
        )


def _records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each record; the last one may be cut off."""
    place = 0
    while place + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, place)
        yield kind, stream[place + 4 : place + 4 + size]
        place += 4 + size


def _check_claims(path: Path, kind: int, content: bytes, stream_bytes: int) -> None:
    if kind == DIMENSIONS and len(content) in DIMENSIONS_LAYOUT:
        top, rows, left, columns = struct.unpack_from(DIMENSIONS_LAYOUT[len(content)], content)
        if not (top <= rows <= XLS_ROWS and left <= columns <= XLS_COLUMNS):
            raise damaged(path, f"it claims {rows:,} rows and {columns:,} columns")
    elif kind == STRINGS and len(content) >= 8:
        (claimed,) = struct.unpack_from("<I", content, 4)
        if claimed * LEAST_STRING_BYTES > stream_bytes:
            raise damaged(path, f"it claims {claimed:,} strings and has no room for them")
