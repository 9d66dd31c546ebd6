"""The quick way through a text file: pieces of whole lines, in which each line is one record.

pandas reads the values of a piece, and they are proven against its text. Without a quote in the piece, the cells joined
again are the text itself. With quotes, csv.reader in its strict form vouches for them: as many records as lines, the
same cells. What cannot be proven so, such as a cell of several lines or broken quotes, is left to the slow way, from
the beginning of that piece on (text.py).

Only encodings whose bytes for line ends are never part of another character: UTF-8 and those of one byte a character.
"""

import csv
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import compress
from pathlib import Path
from typing import NamedTuple, TypeVar

import pandas as pd

from pipeline.load.table import Block, Chunk, Record, row_of
from pipeline.model import Row

ItemT = TypeVar("ItemT")

PIECE_BYTES = 1_500_000
"""So much is read at a time: some thousand rows of an inventory, so that what is done once a piece costs little."""

BLANKS = (
    " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What `str.strip` takes away."""

ASCII = bytes(range(128))
ONE_BYTE = bytes(range(256))


class Layout(NamedTuple):
    """How the bytes of a text file become records."""

    encoding: str
    start: int  # byte offset of the first record, behind the byte order mark and the `sep=` line
    delimiter: str


class Piece(NamedTuple):
    """Whole lines of a file. They end in LF, but for the last line of the file."""

    start: int  # byte offset
    data: bytes


class Lines(NamedTuple):
    """What a piece holds, if each of its lines is a record."""

    block: Block  # the rows with exactly the header's cells
    odd: tuple[Row, ...]  # those with more or fewer
    blanks: tuple[int, ...]  # row numbers of blank lines
    lines: int


def is_cut_at_bytes(codec: str) -> bool:
    """Return whether text in the encoding can be cut at the byte of a line feed."""
    if codec == "utf-8":
        return True
    try:
        return len(ONE_BYTE.decode(codec, "replace")) == len(ONE_BYTE) and ASCII.decode(codec) == ASCII.decode("ascii")
    except (UnicodeDecodeError, LookupError):
        return False


def cut_pieces(path: Path, start: int) -> Iterator[Piece]:
    """Yield the file from the byte offset on, in pieces. Raises OSError."""
    with path.open("rb") as file:
        file.seek(start)
        while data := file.read(PIECE_BYTES):
            if not data.endswith(b"\n"):
                data += file.readline()
            yield Piece(start, data)
            start += len(data)


def read_lines(data: bytes, layout: Layout, width: int, first_row: int) -> Lines | None:
    """Return the rows of a piece, or None when it is not proven that each line is one record.

    `first_row` is the row number of the first line, `width` the number of the header's columns.
    """
    text = data.decode(layout.encoding)
    if "\r" in text:
        if text.count("\r") != text.count("\r\n"):
            return None
        text = text.replace("\r\n", "\n")
    lines = text.removesuffix("\n").split("\n")
    if '"' in text:
        return _quoted(lines, layout.delimiter, width, first_row)
    commas, signs = width - 1, layout.delimiter + BLANKS
    counts = [line.count(layout.delimiter) for line in lines]
    blanks = [at for at, line in enumerate(lines) if not line.strip(signs)]
    if not blanks and counts.count(commas) == len(counts):
        columns = _columns(text if text.endswith("\n") else f"{text}\n", layout.delimiter, width)
        is_proven = "\n".join(map(layout.delimiter.join, zip(*columns, strict=True))) == text.removesuffix("\n")
        numbers = range(first_row, first_row + len(lines))
        return Lines(Block(numbers, columns), (), (), len(lines)) if is_proven else None
    return _sorted_out([line.split(layout.delimiter) for line in lines], lines, layout.delimiter, width, first_row)


def _quoted(lines: list[str], delimiter: str, width: int, first_row: int) -> Lines | None:
    try:
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return _sorted_out(records, lines, delimiter, width, first_row) if len(records) == len(lines) else None


def _sorted_out(records: list[list[str]], lines: list[str], delimiter: str, width: int, first_row: int) -> Lines | None:
    """Return the records by what they are, those with exactly the header's cells as pandas reads them."""
    blanks = {at for at, record in enumerate(records) if not "".join(record).strip()}
    is_regular = [len(record) == width for record in records]
    for at in blanks:
        is_regular[at] = False
    odd = [at for at, is_so in enumerate(is_regular) if not is_so and at not in blanks]
    if blanks or odd:
        numbers = list(compress(range(first_row, first_row + len(lines)), is_regular))
        regular_lines, regular = list(compress(lines, is_regular)), list(compress(records, is_regular))
    else:
        numbers, regular_lines, regular = list(range(first_row, first_row + len(lines))), lines, records
    columns: tuple[list[str], ...] = tuple([] for _ in range(width))
    if regular:
        columns = _columns("\n".join(regular_lines) + "\n", delimiter, width)
        if [list(row) for row in zip(*columns, strict=True)] != regular:
            return None
    odd_rows = tuple(row_of(Record(first_row + at, tuple(records[at])), width) for at in odd)
    return Lines(Block(numbers, columns), odd_rows, tuple(first_row + at for at in sorted(blanks)), len(lines))


def _columns(text: str, delimiter: str, width: int) -> tuple[list[str], ...]:
    """Return the cells of records that have `width` cells each, as pandas reads them, column by column."""
    # pandas takes a U+FEFF at the beginning away: so a line of our own stands there.
    frame = pd.read_csv(
        io.StringIO(delimiter.join(['""'] * width) + "\n" + text),
        engine="c",
        sep=delimiter,
        header=None,
        names=range(width),
        index_col=False,
        dtype=str,
        keep_default_na=False,
        na_filter=False,
        skip_blank_lines=False,
        low_memory=False,
    )
    return tuple(frame[name].tolist()[1:] for name in frame)


def chunks_of(lines: Lines, blanks_before: int, header_row_number: int, chunk_rows: int) -> tuple[list[Chunk], int]:
    """Return the rows below the header as chunks, and how many blank lines came since the last of them.

    `blanks_before` is what this returned for the piece before.
    """
    numbers = lines.block.row_numbers
    begin = bisect_right(numbers, header_row_number)
    odd = [row for row in lines.odd if row.row_number > header_row_number]
    blanks = [number for number in lines.blanks if number > header_row_number]
    chunks: list[Chunk] = []
    for at in range(begin, len(numbers), chunk_rows) or ([begin] if odd else []):
        end = at + chunk_rows
        last = numbers[end - 1] if end < len(numbers) else max([*numbers[-1:], *(row.row_number for row in odd[-1:])])
        mine, odd = _parted(odd, last, key=lambda row: row.row_number)
        before, blanks = _parted(blanks, last, key=int)
        block = Block(numbers[at:end], tuple(column[at:end] for column in lines.block.columns))
        chunks.append(Chunk(block, tuple(mine), blanks_before + len(before)))
        blanks_before = 0
    return chunks, blanks_before + len(blanks)


def _parted(items: list[ItemT], last: int, *, key: Callable[[ItemT], int]) -> tuple[list[ItemT], list[ItemT]]:
    """Return the items up to the row number, and those behind it."""
    at = bisect_right(items, last, key=key)
    return items[:at], items[at:]
