"""Which encoding a text file is in: what it is told, its byte order mark, UTF-8, UTF-16 by its NULs, else detection.

The only module that imports charset-normalizer. A mark or valid UTF-8 is no guess. Everything else is one, so it
comes with what speaks for it (`Detected`), for the finding that tells the user. Time and memory are bounded: the
guess is made from the pieces of text that hold a byte outside ASCII, up to SAMPLE_BYTES of different ones.
"""

import codecs
import io
import re
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from charset_normalizer import from_bytes

from pipeline.errors import SourceError
from pipeline.load.text_files.alphabets import CHARSETS, Charset, fit

BLOCK_BYTES = 256 * 1024
SAMPLE_BYTES = 1024 * 1024
MEASURED_BYTES = 16 * 1024  # of the sample; measuring all of it would take seconds and change no answer
PIECE_LIMIT_BYTES = 64 * 1024
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

# A piece of text between blanks and ASCII punctuation. No encoding that is looked for has these as the second byte
# of a character: those of Shift-JIS, Big5 and EUC begin at 0x40, GB 18030 has the digits 0x30 to 0x39 besides.
PIECE = re.compile(rb"[^\x00-\x2f\x3a-\x3f]+")

LEAST_SCORE = 0.5
LEAST_EAST_ASIAN_SCORE = 0.85
LEAST_EAST_ASIAN_BYTES = 8  # two accented letters in a row make an East Asian character by chance
NEAR_SCORE = 0.15  # who is so near to the best one fits as well
FIRST_CHOICE_BONUS = 0.05
RARE_MALUS = 0.12
COHERENCE_WEIGHT = 0.05  # how much it looks like a known language says little of names; it parts equals of one script


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


class Detected(NamedTuple):
    """What speaks for an encoding that was found by comparing."""

    confidence_percent: int
    others: tuple[str, ...]  # encodings that fit nearly as well and give another text


class FoundEncoding(NamedTuple):
    """The encoding of a file."""

    codec: str  # as Python's codecs name it, without the mark: utf-8, utf-16-le
    start: int  # byte offset behind the byte order mark
    detected: Detected | None = None  # None when it was given, marked or valid UTF-8
    foreign: Foreign | None = None  # the first byte that is not in `codec`, None when all are


def find_encoding(path: Path, given: str | None) -> FoundEncoding:
    """Return the file's encoding; the file has been read through in it. `foreign` says if it does not hold.

    Raises SourceError when `given` is unknown or against the file's mark, and OSError.
    """
    with path.open("rb") as file:
        head = file.read(BLOCK_BYTES)
    mark, marked = next((each for each in BYTE_ORDER_MARKS if head.startswith(each[0])), (b"", None))
    start = len(mark)
    while mark and head.startswith(mark, start):  # files that were joined begin with more than one
        start += len(mark)
    if given is not None:
        codec, start = _given(path, given, marked, start)
        return FoundEncoding(codec, start, None, first_foreign(path, codec, start))
    if marked is not None:
        return FoundEncoding(marked, start, None, first_foreign(path, marked, start))
    utf_16 = _utf_16_of(head)
    if utf_16 is not None:
        return FoundEncoding(utf_16, 0, Detected(99, ()), first_foreign(path, utf_16, 0))
    foreign = first_foreign(path, "utf-8", 0)
    if foreign is None or foreign.fault is not Fault.FOREIGN_BYTE:
        return FoundEncoding("utf-8", 0, None, foreign)
    found = _detect(_sample(path))
    if found is None:
        return FoundEncoding("utf-8", 0, None, foreign)
    codec, detected = found
    return FoundEncoding(codec, 0, detected, first_foreign(path, codec, 0))


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


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the pieces of the file's text that hold a byte outside ASCII."""
    rest = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            if rest.isascii() and block.isascii():
                rest = block[-PIECE_LIMIT_BYTES:]
                rest = b"" if PIECE.fullmatch(rest) is None and PIECE.fullmatch(rest[-1:]) is None else rest
                continue
            block = rest + block
            pieces = PIECE.findall(block)
            rest = pieces.pop() if pieces and block.endswith(pieces[-1]) else b""
            yield from (piece for piece in pieces if not piece.isascii())
            if len(rest) > PIECE_LIMIT_BYTES:
                rest = b""
    if not rest.isascii():
        yield PIECE.findall(rest)[-1]


def _sample(path: Path) -> list[bytes]:
    """Return different pieces with bytes outside ASCII, in the file's order, SAMPLE_BYTES together at most."""
    sample: dict[bytes, None] = {}
    size = 0
    for piece in _pieces(path):
        if len(piece) <= PIECE_LIMIT_BYTES and piece not in sample:
            sample[piece] = None
            size += len(piece)
            if size >= SAMPLE_BYTES:
                break
    return list(sample)


def _detect(sample: list[bytes]) -> tuple[str, Detected] | None:
    """Return the encoding that fits the pieces best; None if none does, or if they are UTF-8 with a damage."""
    valid = sum(_is_utf_8(piece) for piece in sample)
    if not sample or valid * 2 >= len(sample):
        return None  # any other encoding would make nonsense of the good ones
    everything = b"\n".join(sample)
    size = 0
    measured: list[bytes] = []
    for piece in sample:
        size += len(piece)
        if size > MEASURED_BYTES and measured:
            break
        measured.append(piece)
    scores: list[tuple[float, Charset, str]] = []
    for charset in CHARSETS:
        try:
            everything.decode(charset.codec)
            text = b"\n".join(measured).decode(charset.codec)
        except UnicodeDecodeError:
            continue
        scores.append((_score(charset, b"\n".join(measured), text), charset, text))
    high_bytes = sum(byte > 0x7F for byte in b"".join(measured))
    scores = [each for each in scores if _is_enough(each[0], each[1], high_bytes)]
    if not scores:
        return None
    best, chosen, reading = max(scores, key=lambda each: each[0])  # the first of equals
    near = [(charset, text) for score, charset, text in scores if score >= best - NEAR_SCORE and text != reading]
    # What the percentage is: the share of the words that the encoding's languages could have, less the share that
    # charset-normalizer takes for noise (its `chaos`); less when few words speak for it (1 word: half, 9 words:
    # nine tenths); shared with each different reading that fits as well. Never 100: it is a guess.
    different_readings = len({text for _, text in near})
    confidence = min(1.0, max(0.0, best)) * len(sample) / (len(sample) + 1) / (1 + different_readings)
    return chosen.codec, Detected(min(99, max(1, round(confidence * 100))), tuple(each.codec for each, _ in near[:3]))


def _score(charset: Charset, data: bytes, text: str) -> float:
    fitting = fit(charset, text)
    if fitting < LEAST_SCORE:
        return 0.0
    # One encoding at a time: asked for all, charset-normalizer 3.5 leaves out those that come late in its list.
    matches = from_bytes(
        data,
        steps=1,
        chunk_size=len(data),
        threshold=1.0,
        cp_isolation=[charset.codec],
        preemptive_behaviour=False,
        enable_fallback=False,
    )
    match = matches.best()
    if match is None:
        return 0.0
    known = FIRST_CHOICE_BONUS if charset is CHARSETS[0] else -RARE_MALUS if charset.is_rare else 0.0
    return fitting - match.chaos + match.coherence * COHERENCE_WEIGHT + known


def _is_enough(score: float, charset: Charset, high_bytes: int) -> bool:
    if charset.common[0]:
        return score >= LEAST_EAST_ASIAN_SCORE and high_bytes >= LEAST_EAST_ASIAN_BYTES
    return score >= LEAST_SCORE


def _is_utf_8(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
