"""Which encoding fits the text of a file best: every usual one is tried on its words, and compared.

The only module that imports charset-normalizer. The answer is a guess, so it comes with what speaks for it
(`Detected`). Time and memory are bounded: it is made from the pieces of text that hold a byte outside ASCII, up to
SAMPLE_BYTES of different ones.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from charset_normalizer import from_bytes

from pipeline.load.text_files.alphabets import CHARSETS, SAME_LETTERS, Charset, fit

BLOCK_BYTES = 256 * 1024
SAMPLE_BYTES = 1024 * 1024
MEASURED_BYTES = 16 * 1024  # of the sample; measuring all of it would take seconds and change no answer
PIECE_LIMIT_BYTES = 64 * 1024

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
PLAINLY_BETTER = 0.3
"""Of the words: who names an encoding has settled it, so a better one is told only where it is so by that much."""


LEAST_CONFIDENCE_PERCENT = 35
"""An encoding that is less sure is not used: to name it is little trouble, to find wrong letters later is much."""


class Detected(NamedTuple):
    """What speaks for an encoding that was found by comparing."""

    confidence_percent: int
    words: int  # different ones with letters outside ASCII; 0 where other marks decided
    others: tuple[str, ...]  # encodings that fit nearly as well and give another text


class _Scored(NamedTuple):
    score: float
    charset: Charset
    text: str


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


def sample_of(path: Path) -> list[bytes]:
    """Return different pieces with bytes outside ASCII, in the file's order, SAMPLE_BYTES together at most.

    Raises OSError.
    """
    sample: dict[bytes, None] = {}
    size = 0
    for piece in _pieces(path):
        if len(piece) <= PIECE_LIMIT_BYTES and piece not in sample:
            sample[piece] = None
            size += len(piece)
            if size >= SAMPLE_BYTES:
                break
    return list(sample)


def is_mostly_utf_8(sample: list[bytes]) -> bool:
    """Return whether half of the pieces are UTF-8: any other encoding would make nonsense of the good ones."""
    valid = sum(_is_utf_8(piece) for piece in sample)
    return bool(sample) and valid * 2 >= len(sample)


def is_rather(codec: str, sample: list[bytes]) -> bool:
    """Return whether the pieces make words in this encoding and none in UTF-8, which some bytes are by chance.

    Two Chinese characters in GB 18030 may be four bytes of valid UTF-8, and stand for nothing that is written.
    """
    charset = _charset_of(codec)
    data = _measured(sample)
    text = data.decode("utf-8", "ignore")
    if charset is None or any(fit(each, text) >= LEAST_SCORE for each in CHARSETS):
        return False
    return fit(charset, data.decode(codec, "replace")) >= LEAST_EAST_ASIAN_SCORE


def two_encodings(codec: str, sample: list[bytes]) -> tuple[bytes, bytes] | None:
    """Return a piece in UTF-8 and one that is not, None if all of them may well be in the encoding `codec`.

    A piece counts as UTF-8 where it makes words there and none in `codec`: a Russian word in cp866 may be UTF-8 by
    chance, but `Ã¼` is no word of cp1252. One East Asian character is taken for chance too. Of an encoding that is
    not compared nothing is known, so the answer is None.
    """
    charset = _charset_of(codec)
    others = [piece for piece in sample if not _is_utf_8(piece)]
    if charset is None or not others:
        return None
    for piece in sample:
        if _is_utf_8(piece) and fit(charset, piece.decode(codec, "replace")) < 1:
            text = piece.decode("utf-8")
            if any(fit(each, text) == 1 and not (each.common[0] and len(text) == 1) for each in CHARSETS):
                return piece, others[0]
    return None


def better_than(codec: str, sample: list[bytes]) -> str | None:
    """Return the encoding that fits the pieces plainly better than this one; None if there is none.

    Of an encoding that is not compared, a rare one, nothing is known, so the answer is None.
    """
    charset = _charset_of(codec)
    found = detect(sample)
    if found is None or (charset is None and codec != "utf-8"):
        return None
    best = next(each for each in CHARSETS if each.codec == found[0])
    data = _measured(sample)
    text, better_text = data.decode(codec, "replace"), data.decode(best.codec)
    named_fit = 0.0 if charset is None else fit(charset, text)
    if text == better_text or fit(best, better_text) - named_fit < PLAINLY_BETTER:
        return None
    return best.codec


def detect(sample: list[bytes]) -> tuple[str, Detected] | None:
    """Return the encoding that fits the pieces best, none of which is UTF-8; None if none does."""
    everything = b"\n".join(sample)
    data = _measured(sample)
    scores: list[_Scored] = []
    for charset in CHARSETS:
        try:
            everything.decode(charset.codec)
            text = data.decode(charset.codec)
        except UnicodeDecodeError:
            continue
        scores.append(_Scored(_score(charset, data, text), charset, text))
    high_bytes = sum(byte > 0x7F for byte in data)
    scores = [each for each in scores if _is_enough(each.score, each.charset, high_bytes)]
    if not scores:
        return None
    best = max(scores, key=lambda each: each.score)  # the first of equals
    near = [each for each in scores if each.score >= best.score - NEAR_SCORE and each.text != best.text]
    # What the percentage is: the share of the words that the encoding's languages could have, less the share that
    # charset-normalizer takes for noise (its `chaos`); less when few words speak for it (1 word: half, 9 words:
    # nine tenths); shared with each different reading that fits as well. Never 100: it is a guess.
    different_readings = len({each.text for each in near})
    confidence = min(1.0, max(0.0, best.score)) * len(sample) / (len(sample) + 1) / (1 + different_readings)
    percent = min(99, max(1, round(confidence * 100)))
    return best.charset.codec, Detected(percent, len(sample), tuple(each.charset.codec for each in near[:3]))


def _measured(sample: list[bytes]) -> bytes:
    """Return the first pieces, MEASURED_BYTES together or one."""
    size = 0
    measured: list[bytes] = []
    for piece in sample:
        size += len(piece)
        if size > MEASURED_BYTES and measured:
            break
        measured.append(piece)
    return b"\n".join(measured)


def _charset_of(codec: str) -> Charset | None:
    compared = SAME_LETTERS.get(codec, codec)
    return next((each for each in CHARSETS if each.codec == compared), None)


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
