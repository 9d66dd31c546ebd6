"""The quick way through a text file: pieces of whole lines, in which each line is one record.

pandas reads the values of a piece, and they are proven against its text: the cells joined again are the text itself.
Quotes are taken away before where each of them begins or ends a cell. Where a quote stands otherwise, csv.reader in its
strict form vouches for the values: as many records as lines, the same cells. What cannot be proven so, such as a cell
of several lines or broken quotes, is left to the slow way, from the beginning of that piece on (records.py).

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

import pandas as pd

from pipeline.errors import SourceError
from pipeline.load.table import Block, Chunk, Origin, Record, changed, reading, row_of
from pipeline.load.text_files.dialect import Layout
from pipeline.model import Row

ItemT = TypeVar("ItemT")

PIECE_BYTES = 1_500_000
"""So much is read at a time: some thousand rows of an inventory, so that what is done once a piece costs little."""

MASK = "\x1f"
"""Stands for a delimiter within quotes, where a text has none of it."""

BLANKS = (
    " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What `str.strip` takes away."""

ASCII = bytes(range(128))
ONE_BYTE = bytes(range(256))


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


def read_lines(data: bytes, layout: Layout, width: int, first_row: int) -> Lines | None:
    """Return the rows of a piece, or None when it is not proven that each line is one record.

    `first_row` is the row number of the first line, `width` the number of the header's columns.
    """
    text = data.decode(layout.encoding)
    unquoted = _unquoted(text, layout.delimiter) if '"' in text else text
    lines = _split(text if unquoted is None else unquoted)
    if lines is None:
        return None
    if unquoted is None:
        return _quoted(lines, layout.delimiter, width, first_row)
    commas = width - 1
    odd = [at for at, line in enumerate(lines) if line.count(layout.delimiter) != commas]
    # A masked delimiter is no blank, unless the delimiter itself is one.
    signs = layout.delimiter + (BLANKS if unquoted is text or layout.delimiter in BLANKS else BLANKS.replace(MASK, ""))
    blanks = [at for at, line in enumerate(lines) if not line.strip(signs)]
    regular = _without(lines, {*odd, *blanks})
    columns = _columns(regular, layout.delimiter, width)
    if list(map(layout.delimiter.join, zip(*columns, strict=True))) != regular:
        return None
    records = {at: lines[at].split(layout.delimiter) for at in odd}
    if unquoted is not text:
        columns = tuple(_unmasked(column, layout.delimiter) for column in columns)
        records = {at: _unmasked(record, layout.delimiter) for at, record in records.items()}
    return _lines_of(columns, records, blanks, len(lines), first_row)


def _split(text: str) -> list[str] | None:
    """Return the lines without their ends, None where these are of several kinds."""
    lines = text.removesuffix("\n").split("\n")
    if "\r" not in text:
        return lines
    if not text.endswith("\n"):
        lines[-1] += "\r"  # the last line has no end
    without = [line[:-1] for line in lines]
    ends = {line[-1:] for line in lines}
    return without if ends == {"\r"} and "\r" not in "".join(without) else None


def _unquoted(text: str, delimiter: str) -> str | None:
    """Return the text without quotes, MASK in place of each delimiter within them.

    None where a quote is anything but the first or last sign of a cell, or a quoted cell has several lines.
    """
    parts = text.split('"')
    before, after = [part[-1:] for part in parts[0:-1:2]], [part[:1] for part in parts[2::2]]
    quoted = '"'.join(parts[1::2])
    is_sound = (
        len(parts) % 2 == 1
        and set(before[1:]) <= {delimiter, "\n"}
        and before[0] in {delimiter, "\n", ""}
        and set(after[:-1]) <= {delimiter, "\r", "\n"}
        and after[-1] in {delimiter, "\r", "\n", ""}
    )
    if not is_sound or "\n" in quoted or "\r" in quoted or MASK in text:
        return None
    parts[1::2] = quoted.replace(delimiter, MASK).split('"')
    return "".join(parts)


def _unmasked(cells: list[str], delimiter: str) -> list[str]:
    return [cell.replace(MASK, delimiter) for cell in cells] if MASK in "".join(cells) else cells


def _quoted(lines: list[str], delimiter: str, width: int, first_row: int) -> Lines | None:
    try:
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    if len(records) != len(lines):
        return None
    signs = f'"{delimiter}{BLANKS}'
    blanks = [at for at, line in enumerate(lines) if not line.strip(signs) and not "".join(records[at]).strip()]
    odd = [at for at, record in enumerate(records) if len(record) != width]
    away = {*odd, *blanks}
    columns = _columns(_without(lines, away), delimiter, width)
    witnesses = zip(*_without(records, away), strict=True)
    if away != set(range(len(lines))) and not all(
        tuple(column) == witness for column, witness in zip(columns, witnesses, strict=True)
    ):
        return None
    return _lines_of(columns, {at: records[at] for at in odd}, blanks, len(lines), first_row)


def _without(items: list[ItemT], places: set[int]) -> list[ItemT]:
    return [item for at, item in enumerate(items) if at not in places] if places else items


def _lines_of(
    columns: tuple[list[str], ...], odd: Mapping[int, list[str]], blanks: Sequence[int], lines: int, first_row: int
) -> Lines:
    """Return what is known of a piece: its regular rows, and by their place the records of other widths."""
    away = {*odd, *blanks}
    numbers = range(first_row, first_row + lines)
    # Four bytes a row: they may be kept for millions.
    regular = array("I", (numbers[at] for at in range(lines) if at not in away)) if away else numbers
    filled = {at: record for at, record in odd.items() if at not in set(blanks)}
    rows = tuple(row_of(Record(numbers[at], tuple(record)), len(columns)) for at, record in filled.items())
    return Lines(Block(regular, columns), rows, tuple(numbers[at] for at in blanks), lines)


def _columns(lines: Sequence[str], delimiter: str, width: int) -> tuple[list[str], ...]:
    """Return the cells of lines that have `width` cells each, as pandas reads them, column by column."""
    if not lines:
        return tuple([] for _ in range(width))
    # pandas takes a U+FEFF at the beginning away: so a line of our own stands there.
    frame = pd.read_csv(
        io.StringIO("\n".join((delimiter.join(['""'] * width), *lines, ""))),
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


def read_again(origin: Origin, row_numbers: Sequence[int]) -> list[Row]:
    """Return the rows with these numbers of a piece that was read before.

    Their cells are as they were, or the file is another one now. Raises SourceError when it cannot be read, or ends
    before these rows.
    """
    with reading(origin.path), origin.path.open("rb") as file:
        file.seek(origin.start)
        lines = file.read(origin.size).split(b"\n")
    try:
        wanted = [lines[number - origin.first_row].decode(origin.encoding) for number in row_numbers]
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


def chunks_of(lines: Lines, origin: Origin, header_row_number: int, chunk_rows: int) -> Chunks:
    """Return the rows of a piece below the header as chunks of about so many rows."""
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
        chunks.append(Chunk(block, tuple(mine), len(before), origin))
    return Chunks(chunks, len(blanks))


def _parted(items: list[ItemT], last: int, *, key: Callable[[ItemT], int]) -> tuple[list[ItemT], list[ItemT]]:
    """Return the items up to the row number, and those behind it."""
    at = bisect_right(items, last, key=key)
    return items[:at], items[at:]
