"""The quick way through a text file: pieces of whole lines, in which each line is one record.

Without a quote, the cells of a line are what stands between its delimiters, and nothing else is to be known. With
quotes, csv.reader in its strict form reads the lines, and vouches that each of them is one record. What is not so, such
as a cell of several lines or broken quotes, is left to the slow way, from the beginning of that piece on (records.py).

pandas is for the slow way only. Of a piece with 14 columns it took 3.9 us of processor time a row with its C engine,
the proof of its values included, where splitting took 1.0 us and csv.reader 3.2 us (medians, pandas 3.1, Python 3.11).

Only encodings whose bytes for line ends are never part of another character: UTF-8 and those of one byte a character.
"""

import csv
import io
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from pipeline.errors import SourceError
from pipeline.load.table import Block, Chunk, Origin, Record, changed, reading, row_of
from pipeline.model import Row

ItemT = TypeVar("ItemT")

PIECE_BYTES = 256 * 1024
"""So much is read at a time, some hundred rows of an inventory: it fits into the processor's cache with all that is
made of it. With 1.5 MB a row took 25 % longer."""

BLANKS = (
    " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What `str.strip` takes away."""

LF = ord("\n")
ASCII = bytes(range(128))
ONE_BYTE = bytes(range(256))


class PieceRows(NamedTuple):
    """What a piece holds, if each of its lines is a record."""

    block: Block  # the rows with exactly the header's cells
    odd: tuple[Row, ...]  # those with more or fewer
    blanks: tuple[int, ...]  # row numbers of blank lines


def is_cut_at_bytes(codec: str) -> bool:
    """Return whether text in the encoding can be cut at the byte of a line feed."""
    if codec == "utf-8":
        return True
    try:
        return len(ONE_BYTE.decode(codec, "replace")) == len(ONE_BYTE) and ASCII.decode(codec) == ASCII.decode("ascii")
    except (UnicodeDecodeError, LookupError):
        return False


def cut_pieces(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the file from the byte offset on in whole lines, each piece with its own offset. Raises OSError.

    They end in LF, but for the last one.
    """
    with path.open("rb") as file:
        file.seek(start)
        while data := file.read(PIECE_BYTES):
            if not data.endswith(b"\n"):
                data += file.readline()
            yield start, data
            start += len(data)


def read_piece(data: bytes, piece: Origin, width: int) -> PieceRows | None:
    """Return the rows of a piece, or None when it is not proven that each line is one record.

    `width` is the number of the header's columns. Raises UnicodeDecodeError.
    """
    text = data.decode(piece.encoding)
    return (_read_quoted if '"' in text else _read_plain)(text, piece, width)


def _read_plain(text: str, piece: Origin, width: int) -> PieceRows | None:
    """Return the rows of a text without quotes."""
    lines = _split(text)
    if lines is None:
        return None
    delimiter, delimiters = piece.delimiter, width - 1
    odd = {at: line.split(delimiter) for at, line in enumerate(lines) if line.count(delimiter) != delimiters}
    blanks = [at for at, line in enumerate(lines) if not line.strip(delimiter + BLANKS)]
    regular = _without(lines, blanks, odd)
    cells = delimiter.join(regular).split(delimiter) if regular else []
    return _rows_of(tuple(cells[at::width] for at in range(width)), odd, blanks, piece, text)


def _split(text: str) -> list[str] | None:
    """Return the lines without their ends, None where these are of several kinds."""
    end = "\r\n" if "\r" in text else "\n"
    if end == "\r\n" and not text.count(end) == text.count("\r") == text.count("\n"):
        return None
    return text.removesuffix(end).split(end)


def _read_quoted(text: str, piece: Origin, width: int) -> PieceRows | None:
    """Return the rows of a text with quotes; None when a record is not one line, or its quotes are broken.

    A cell that is longer than csv.reader takes is left to the slow way too.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=piece.delimiter, strict=True)
    try:
        records = list(reader)
    except csv.Error:
        return None
    if not len(records) == reader.line_num == piece.lines:  # the reader knows other line ends too
        return None
    odd = {at: record for at, record in enumerate(records) if len(record) != width}
    blanks = [at for at, cells in enumerate(records) if not (cells and cells[0].strip()) and not "".join(cells).strip()]
    regular = _without(records, blanks, odd)
    columns = tuple(zip(*regular, strict=True)) if regular else ((),) * width
    return _rows_of(columns, odd, blanks, piece, text)


def _without(items: list[ItemT], blanks: Sequence[int], odd: Mapping[int, object]) -> list[ItemT]:
    away = {*blanks, *odd}
    return [item for at, item in enumerate(items) if at not in away] if away else items


def _rows_of(
    columns: tuple[Sequence[str], ...], odd: Mapping[int, list[str]], blanks: Sequence[int], piece: Origin, text: str
) -> PieceRows:
    """Return what is known of a piece: its regular rows, and by their place the records of other widths."""
    numbers = range(piece.first_row, piece.first_row + piece.lines)
    regular = array("I", _without(list(numbers), blanks, odd)) if blanks or odd else numbers
    empty = set(blanks)
    filled = (at for at in odd if at not in empty)
    rows = tuple(row_of(Record(numbers[at], tuple(odd[at])), len(columns)) for at in filled)
    return PieceRows(Block(regular, columns, text=text), rows, tuple(numbers[at] for at in blanks))


def read_again(origin: Origin, row_numbers: Sequence[int]) -> list[Row]:
    """Return the rows with these numbers of a piece that was read before.

    Their cells are as they were, or the file is another one now. Raises SourceError when it cannot be read, or ends
    before these rows.
    """
    with reading(origin.path), origin.path.open("rb") as file:
        file.seek(origin.start)
        data = file.read(origin.size)
    # Where lines end, and one more at the end of the last one; most lines are not wanted.
    ends = [-1, *np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == LF).tolist(), len(data)]
    try:
        places = [number - origin.first_row for number in row_numbers]
        wanted = [data[ends[at] + 1 : ends[at + 1]].decode(origin.encoding) for at in places]
        records = list(csv.reader((line.removesuffix("\r") for line in wanted), delimiter=origin.delimiter))
    except (IndexError, UnicodeDecodeError, csv.Error) as exc:
        raise SourceError(changed(origin.path)) from exc
    if len(records) != len(wanted):
        raise SourceError(changed(origin.path))
    return [Row(number, tuple(cells)) for number, cells in zip(row_numbers, records, strict=True)]


class Chunks(NamedTuple):
    """The rows of one piece."""

    chunks: list[Chunk]
    blank_rows: int  # behind the last row of the piece

    def chunks_after(self, blank_rows: int) -> list[Chunk]:
        """Return the chunks with the blank rows that came since the last row before the piece."""
        if not self.chunks or not blank_rows:
            return self.chunks
        first = replace(self.chunks[0], blank_rows=self.chunks[0].blank_rows + blank_rows)
        return [first, *self.chunks[1:]]

    def blank_rows_after(self, blank_rows: int) -> int:
        """Return the blank rows since the last row, if there were so many before the piece."""
        return self.blank_rows + (0 if self.chunks else blank_rows)


def chunks_of(rows: PieceRows, origin: Origin, header_row_number: int, chunk_rows: int) -> Chunks:
    """Return the rows of a piece below the header as chunks of about so many rows."""
    numbers = rows.block.row_numbers
    begin = bisect_right(numbers, header_row_number)
    odd = [row for row in rows.odd if row.row_number > header_row_number]
    blanks = [number for number in rows.blanks if number > header_row_number]
    chunks: list[Chunk] = []
    for at in range(begin, len(numbers), chunk_rows) or ([begin] if odd else []):
        end = at + chunk_rows
        last = numbers[end - 1] if end < len(numbers) else max([*numbers[-1:], *(row.row_number for row in odd[-1:])])
        mine, odd = _parted(odd, last, key=lambda row: row.row_number)
        before, blanks = _parted(blanks, last, key=int)
        block = Block(numbers[at:end], tuple(column[at:end] for column in rows.block.columns), text=rows.block.text)
        chunks.append(Chunk(block, tuple(mine), len(before), origin))
    return Chunks(chunks, len(blanks))


def _parted(items: list[ItemT], last: int, *, key: Callable[[ItemT], int]) -> tuple[list[ItemT], list[ItemT]]:
    """Return the items up to the row number, and those behind it."""
    at = bisect_right(items, last, key=key)
    return items[:at], items[at:]
