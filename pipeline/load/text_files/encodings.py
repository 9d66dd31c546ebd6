"""Which encoding a text file is in: what it is told, its byte order mark, UTF-8, UTF-16 by its NULs, else detection.

A mark or valid UTF-8 is no guess, and no option goes against it: text that is UTF-8 becomes nonsense in any other
encoding. Everything else is a guess (detection.py).
"""

import codecs
import io
import re
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.findings import shorten
from pipeline.load.text_files.detection import (
    BLOCK_BYTES,
    Detected,
    better_than,
    detect,
    is_mostly_utf_8,
    is_rather,
    sample_of,
    two_encodings,
)

LINE_LIMIT_CHARACTERS = 16 * 1024 * 1024
"""A line that goes on for longer is refused; without a limit, a file without line ends would be loaded whole."""

# UTF-32 before UTF-16: the little-endian mark of the first begins with that of the second.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Codecs that read a mark themselves; the mark is skipped here, so that offsets can be counted without it.
MARKLESS = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}

ESCAPED_BYTE = re.compile("[\udc80-\udcff]")  # what the handler "surrogateescape" makes of a byte that is no UTF-8


class Fault(Enum):
    """Why a text cannot be read on."""

    FOREIGN_BYTE = auto()
    NUL = auto()
    LONG_LINE = auto()


class Foreign(NamedTuple):
    """The first byte that is not in an encoding, the first NUL, or where a line became too long."""

    offset: int  # in bytes from the beginning of the file
    byte: int
    characters_before: int  # from where the reading began
    fault: Fault


class Damage(NamedTuple):
    """How far a text is UTF-8 that has some bytes in it that are not."""

    foreign_bytes: int
    characters: int  # outside ASCII, in UTF-8
    given: str  # the encoding that was given instead, "" if none was


class Mixed(NamedTuple):
    """Bytes that show that a file is in two encodings."""

    utf_8: bytes
    other: bytes


class FoundEncoding(NamedTuple):
    """The encoding of a file."""

    codec: str  # as Python's codecs name it, without the mark: utf-8, utf-16-le
    start: int  # byte offset behind the byte order mark
    detected: Detected | None = None  # None when it was given, marked or valid UTF-8
    foreign: Foreign | None = None  # the first byte that is not in `codec`, None when all are
    damage: Damage | None = None  # with `foreign`, when `codec` is UTF-8 and most of the text is
    mixed: Mixed | None = None  # when a part of the text is UTF-8 and would become nonsense in `codec`
    better: str | None = None  # the encoding that fits plainly better than the given one


def find_encoding(path: Path, given: str | None) -> FoundEncoding:
    """Return the file's encoding; the file has been read through in it. `foreign` says if it does not hold.

    Raises SourceError when `given` is unknown, or against the file's mark or its UTF-8, and OSError.
    """
    with path.open("rb") as file:
        head = file.read(BLOCK_BYTES)
    mark, marked = next((each for each in BYTE_ORDER_MARKS if head.startswith(each[0])), (b"", None))
    start = len(mark)
    while mark and head.startswith(mark, start):  # files that were joined begin with more than one
        start += len(mark)
    if given is not None:
        codec, start = _given(path, given, marked, start)
        if marked is None and b"\0" not in head:
            return _checked(path, given, codec)
        return _certain(path, codec, start)
    return _unmarked(path, head) if marked is None else _certain(path, marked, start)


def first_foreign(path: Path, codec: str, start: int) -> Foreign | None:
    """Return the first byte behind `start` that is not in the encoding, or the first NUL; None if there is none.

    A line that is too long is found within a block, of 256 KiB, more or less.

    Raises OSError.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    characters = line_characters = 0
    with path.open("rb") as file:
        offset = file.seek(start)
        while True:
            block = file.read(BLOCK_BYTES)
            offset -= len(decoder.getstate()[0])  # bytes of a character that the last block cut in two
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as exc:
                characters += len(exc.object[: exc.start].decode(codec))
                return Foreign(offset + exc.start, exc.object[exc.start], characters, Fault.FOREIGN_BYTE)
            if "\0" in text:
                before = text[: text.index("\0")]
                return Foreign(offset + len(before.encode(codec)), 0, characters + len(before), Fault.NUL)
            if not block:
                return None
            has_line_end = "\n" in text or "\r" in text
            line_characters = 0 if has_line_end else line_characters + len(text)
            if line_characters > LINE_LIMIT_CHARACTERS:
                return Foreign(offset, block[0], characters, Fault.LONG_LINE)
            characters += len(text)
            offset = file.tell()


def _given(path: Path, given: str, marked: str | None, start: int) -> tuple[str, int]:
    try:
        name = codecs.lookup(given).name
        io.TextIOWrapper(io.BytesIO(b"a"), name, "replace").read()  # refuses codecs that decode no text, such as base64
    except (LookupError, UnicodeError) as exc:
        raise SourceError(
            f'{path} cannot be read with the encoding "{given}", which is unknown: '
            "name one such as utf-8, utf-16 or cp1252."
        ) from exc
    if marked is None:
        return MARKLESS.get(name, name), 0
    if name != marked and not marked.startswith(f"{name}-") and MARKLESS.get(name) != marked:
        raise SourceError(
            f'{path} begins with the byte order mark of {marked}, but the encoding "{given}" was given: '
            "leave the encoding out."
        )
    return marked, start


def _checked(path: Path, given: str, codec: str) -> FoundEncoding:
    """Return the given encoding, and what speaks against it. Raises SourceError if the text is UTF-8 and it is not."""
    foreign = first_foreign(path, codec, 0)
    if codec == "utf-8" and (foreign is None or foreign.fault is not Fault.FOREIGN_BYTE):
        return FoundEncoding(codec, 0, None, foreign)
    sample = sample_of(path)
    if is_mostly_utf_8(sample) and not is_rather(codec, sample):
        against = first_foreign(path, "utf-8", 0)
        if against is not None and against.fault is Fault.FOREIGN_BYTE:
            return FoundEncoding("utf-8", 0, None, against, _damage_of(path, 0, "" if codec == "utf-8" else given))
        if against is None:
            right, wrong = (sample[0].decode(each, "replace") for each in ("utf-8", codec))
            raise SourceError(
                f'{path} is in UTF-8, so the encoding "{given}" would change its letters, '
                f'such as "{shorten(right)}" to "{shorten(wrong)}": leave --encoding out.'
            )
    mixed = two_encodings(codec, sample)
    if mixed is not None:
        return FoundEncoding(codec, 0, None, None, mixed=Mixed(*mixed))
    return FoundEncoding(codec, 0, None, foreign, None, better=better_than(codec, sample))


def _damage_of(path: Path, start: int, given: str = "") -> Damage:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    foreign_bytes = characters = 0
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(BLOCK_BYTES):
            text = decoder.decode(block)
            escaped = len(ESCAPED_BYTE.findall(text))
            foreign_bytes += escaped
            characters += len(text) - len(text.encode("ascii", "ignore")) - escaped
    return Damage(foreign_bytes + len(decoder.decode(b"", final=True)), characters, given)


def _certain(path: Path, codec: str, start: int) -> FoundEncoding:
    foreign = first_foreign(path, codec, start)
    if codec != "utf-8" or foreign is None or foreign.fault is not Fault.FOREIGN_BYTE:
        return FoundEncoding(codec, start, None, foreign)
    damage = _damage_of(path, start)
    return FoundEncoding(codec, start, None, foreign, damage if damage.characters >= damage.foreign_bytes else None)


def _unmarked(path: Path, head: bytes) -> FoundEncoding:
    utf_16 = _utf_16_of(head)
    if utf_16 is not None:
        return FoundEncoding(utf_16, 0, Detected(99, 0, ()), first_foreign(path, utf_16, 0))
    foreign = first_foreign(path, "utf-8", 0)
    if foreign is None or foreign.fault is not Fault.FOREIGN_BYTE:
        return FoundEncoding("utf-8", 0, None, foreign)
    sample = sample_of(path)
    if is_mostly_utf_8(sample):
        return FoundEncoding("utf-8", 0, None, foreign, _damage_of(path, 0))
    found = detect(sample)
    if found is None:
        return FoundEncoding("utf-8", 0, None, foreign)
    codec, detected = found
    mixed = two_encodings(codec, sample)
    if mixed is not None:
        return FoundEncoding(codec, 0, mixed=Mixed(*mixed))
    return FoundEncoding(codec, 0, detected, first_foreign(path, codec, 0))


def _utf_16_of(head: bytes) -> str | None:
    """Return utf-16-le or utf-16-be if NULs stand where that encoding has them for ASCII characters."""
    head = head[: len(head) // 2 * 2]
    for codec, high, low in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        expected, unexpected = head[high::2].count(0), head[low::2].count(0)
        # Digits, hex, delimiters and line ends are ASCII in an inventory of any script; a quarter is few.
        if expected * 8 < len(head) or unexpected * 10 > expected:
            continue
        try:
            text = codecs.getincrementaldecoder(codec)().decode(head)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return codec
    return None
