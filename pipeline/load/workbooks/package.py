"""The zip package around .xlsx, .xlsm, .xlsb and .ods: its parts, decompressed in blocks, never more than is bearable.

calamine believes what a zip directory says and aborts the whole process when memory runs out, so everything that it
is going to read is measured here first, while it is decompressed.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.load.table import MAGIC_BYTES, OLE_MAGIC, ZIP_MAGIC, content_of

BLOCK_BYTES = 1 << 20
PART_LIMIT_BYTES = 4 << 30  # 1,048,576 rows of 14 columns are less than 1 GB of XML
SMALL_PART_LIMIT_BYTES = 32 << 20  # parts that are held whole, such as the list of sheets
RATIO_LIMIT = 300  # deflate can do 1,032; the XML of the most repetitive sheets packs about 1 : 60
RATIO_MATTERS_BYTES = 64 << 20
DIRECTORY_LIMIT_BYTES = 4 << 20  # of the zip directory, 50,000 parts and more
END_RECORD, END_RECORD_64 = b"PK\x05\x06", b"PK\x06\x06"
END_RECORD_REACH_BYTES = 65_557 + 76  # the record, a comment of 65,535 bytes, and the two records of zip64


@dataclass(frozen=True)
class Package:
    """An open zip package. Names of parts count in any letter case, as Office and calamine take them."""

    path: Path
    archive: zipfile.ZipFile
    parts: dict[str, zipfile.ZipInfo]

    def holds(self, name: str) -> bool:
        """Return whether there is a part of this name."""
        return _folded(name) in self.parts

    def size(self, name: str) -> int:
        """Return how long the part is, as the zip directory says; in bytes, 0 when it is not there."""
        info = self.parts.get(_folded(name))
        return info.file_size if info else 0

    def names(self) -> Iterator[str]:
        """Yield the names of all parts, in lower case."""
        yield from self.parts

    def blocks(self, name: str, limit_bytes: int = PART_LIMIT_BYTES) -> Iterator[bytes]:
        """Yield the part's content in blocks.

        Raises SourceError when the part is not there or damaged, when it grows beyond `limit_bytes`, or when it grows
        so much in unpacking that it can only have been made to do so.
        """
        info = self.parts.get(_folded(name))
        if info is None:
            raise damaged(self.path, f"its part {name} is missing")
        size = 0
        # zipfile stops at the length that the directory claims, calamine does not: without a claim both see the same.
        unclaimed = copy(info)
        unclaimed.file_size = limit_bytes + 2 * BLOCK_BYTES
        try:
            with self.archive.open(unclaimed) as file:
                while block := file.read(BLOCK_BYTES):
                    size += len(block)
                    swollen = size > RATIO_MATTERS_BYTES and size > RATIO_LIMIT * info.compress_size
                    if size > limit_bytes or swollen:
                        raise SourceError(
                            f"{self.path} unpacks to more than {size // 1_000_000:,} MB in its part {name}, "
                            "which no inventory needs, so it is not read: export it again, or save it as CSV UTF-8."
                        )
                    yield block
        # zipfile raises the last two for a compression it lacks and for an encrypted part.
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as exc:
            raise damaged(self.path, f"its part {name} cannot be unpacked") from exc
        if size != info.file_size:
            raise damaged(self.path, f"its part {name} is not as long as its zip directory says")

    def check_size(self, name: str, limit_bytes: int) -> None:
        """Read the part through. Raises SourceError like `blocks`."""
        for _ in self.blocks(name, limit_bytes):
            pass

    def content(self, name: str) -> bytes:
        """Return the content of a small part. Raises SourceError like `blocks`."""
        return b"".join(self.blocks(name, SMALL_PART_LIMIT_BYTES))


def damaged(path: Path, what: object) -> SourceError:
    """Return the error for a workbook that is not whole, or is none. Reads the file's first bytes."""
    with path.open("rb") as file:
        head = file.read(MAGIC_BYTES)
    ending = path.suffix.lower()
    if head.startswith(OLE_MAGIC if ending == ".xls" else ZIP_MAGIC):
        return SourceError(
            f"{path} cannot be read as a workbook ({what}): it is damaged, cut off, "
            "or of another kind than its ending says; copy or export it again."
        )
    return SourceError(
        f"{path} is no {ending} workbook, its content is {content_of(head) or 'text or something else'}: "
        f"correct the file's ending, or save it from Excel as {ending}."
    )


def protected(path: Path) -> SourceError:
    """Return the error for a workbook that needs a password."""
    return SourceError(
        f"{path} is protected by a password, so it cannot be read: open it in Excel and save it without one."
    )


def declares_entities(package: Package, part: str) -> SourceError:
    """Return the error for a part with a DTD, which ECMA-376 part 2 forbids and attackers like."""
    return SourceError(
        f"{package.path} is not read, its part {part} declares entities, which no spreadsheet program writes: "
        "take the workbook from a source you trust, or export it again."
    )


def check_encoding(package: Package, part: str, head: bytes) -> None:
    """Raise SourceError unless the part, which begins with `head`, is in UTF-8."""
    # calamine finds no cell in UTF-16, which would be a sheet lost without a word
    declared = re.match(rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", head)
    name = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in head[:64] or name not in {"utf-8", "utf8", "us-ascii"}:
        raise SourceError(
            f"{package.path} cannot be read, its part {part} is not in UTF-8: open it in Excel and save it again."
        )


@contextmanager
def open_package(path: Path) -> Iterator[Package]:
    """Open the file's zip directory. Raises SourceError if it is damaged, ambiguous or enormous."""
    _check_directory_size(path)
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        # zipfile raises NotImplementedError for a version of the format that it lacks.
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as exc:
            raise damaged(path, "its zip directory cannot be read") from exc
        parts: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = _folded(info.filename)
            if name in parts:
                raise damaged(path, f"it holds its part {info.filename} twice")
            parts[name] = info
        yield Package(path, archive, parts)


def _folded(name: str) -> str:
    return name.replace("\\", "/").lower()


def _check_directory_size(path: Path) -> None:
    """Refuse a zip directory of millions of entries before it is read."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - END_RECORD_REACH_BYTES))
        tail = file.read()
    place = tail.rfind(END_RECORD)
    if place < 0 or place + 22 > len(tail):
        raise damaged(path, "its zip directory is missing")
    (size,) = struct.unpack_from("<I", tail, place + 12)
    place_64 = tail.rfind(END_RECORD_64, 0, place)
    if size == 0xFFFFFFFF and place_64 >= 0 and place_64 + 56 <= len(tail):
        (size,) = struct.unpack_from("<Q", tail, place_64 + 40)
    if size > DIRECTORY_LIMIT_BYTES:
        raise damaged(path, f"its zip directory of {size:,} bytes is no workbook's")
