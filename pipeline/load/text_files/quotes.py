"""Physical lines become records, and a line whose quotes are broken becomes a record of its own. The files come open.

csv.reader in its strict form says that quotes are broken when text follows a closing quote, and when the file ends
within one. Then the first line of the record is the broken one: it is set aside whole, and the lines below it are
read again from the next one on, so an open quote takes no other row with it.

csv is content where a quote is opened in one row and closed in the same column of a later one; the rows between are a
cell then. They leave an exact trace, the delimiters of each line (`_fused_cell`), so the first of these lines is broken
as well.
"""

import csv
import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from enum import IntEnum
from io import TextIOBase
from typing import NamedTuple, TextIO

RECORD_LIMIT_CHARACTERS = 16 * 1024 * 1024
RECORD_LIMIT_LINES = 1_000_000
"""A longer record is taken for an open quote; without limits, one quote would load the whole file."""

BATCH_CHARACTERS = 256 * 1024

FUSED_LEAST_CELLS = 4
"""In a narrower row, the commas of an address have the same trace as fused rows."""

FUSED_MOST_BROKEN_CELLS = 16
"""A record with more cells of several lines is not looked at, which bounds how often its lines are read again."""

LINE_END = re.compile("\r\n|\r|\n")


class Break(IntEnum):
    """What is wrong with the quotes of a line."""

    OPEN = 0
    TEXT_BEHIND = 1
    REST = 2
    FUSED = 3

    @property
    def sentence(self) -> str:
        """What a finding says of it."""
        return SENTENCES[self]


SENTENCES = {
    Break.OPEN: 'a quote (") is opened and not closed in this line',
    Break.TEXT_BEHIND: 'text follows a closing quote (")',
    Break.FUSED: 'a quote (") is opened in this line and closed in a later one, with what look like rows between',
    Break.REST: 'a quote (") stands within an unquoted cell below an open one, so this may be the rest of that row',
}


class BrokenLine(NamedTuple):
    """One line whose quotes are broken."""

    text: str  # without its line end
    line_index: int  # among the physical lines; the first is 0
    kind: Break


class BrokenLines:
    """Where a file is broken, in eight bytes per line and row: it may be all of them."""

    def __init__(self) -> None:
        self.line_indexes = array("Q")
        self._rows = array("Q")  # row number and kind

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, row_number: int, line: BrokenLine) -> None:
        """Keep where the line stands. They come in the file's order."""
        self.line_indexes.append(line.line_index)
        self._rows.append(row_number * len(Break) + line.kind)

    def rows(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each broken row and what is wrong with it, in the file's order."""
        for packed in self._rows:
            row_number, kind = divmod(packed, len(Break))
            yield row_number, Break(kind).sentence


def raise_cell_limit() -> None:
    """Let csv read cells of RECORD_LIMIT_CHARACTERS.

    The limit of the csv module holds for the whole process and all threads. It is raised once and stays so, because
    setting it back would break a reader in another thread; others only read longer cells than they would have.
    """
    csv.field_size_limit(max(csv.field_size_limit(), RECORD_LIMIT_CHARACTERS))


def _fused_cell(cells: list[str], delimiter: str) -> tuple[int, int] | None:
    """Return the lines, counted from 0, where the cell that holds what looks like whole rows begins and ends, or None.

    Say the record has 5 cells. In its third one, the first line must have 2 delimiters, the last line 2, and each
    line between 4 or be blank: then every line is a row of 5 cells. Prose has a blank behind each of its commas, and
    the parts of a distinguished name have equals signs.
    """
    width = len(cells)
    if width < FUSED_LEAST_CELLS:
        return None
    broken = [(index, cell) for index, cell in enumerate(cells) if "\n" in cell or "\r" in cell]
    first = 0
    for index, cell in broken if len(broken) <= FUSED_MOST_BROKEN_CELLS else ():
        lines = LINE_END.split(cell)
        last = first + len(lines) - 1
        if (
            lines[0].count(delimiter) == width - 1 - index
            and lines[-1].count(delimiter) == index
            and all(line.count(delimiter) == width - 1 for line in lines[1:-1] if line.strip())
            and cell.count(delimiter) != cell.count(f"{delimiter} ")
            and not _is_of_names(lines, delimiter)
        ):
            return first, last
        first = last
    return None


def _is_of_names(lines: list[str], delimiter: str) -> bool:
    """Return whether the lines are distinguished names, such as CN=Contoso,O=Bonn: their parts have an equals sign."""
    return all("=" in part for line in lines if delimiter in line for part in line.split(delimiter))


class _StillOpenError(csv.Error):
    """A record is longer than it can be, or is known not to end."""


class _FusedError(csv.Error):
    """A record holds what looks like several."""


class RecordReader:
    """Reads a text as records: the cells of a sound one, [] for an empty line, or a broken line.

    Memory: BATCH_CHARACTERS, and the lines of one record up to its limits, besides the longest line.

    Time: sound records are read in batches, at csv's own pace. Where one breaks, each line is fed to csv at most
    twice more, so it is linear, however the quotes stand. Say a record that began at line i broke at line p. At the
    beginning of each line from i + 1 to p csv stood within a quoted cell; nothing else of its state lasts over a line's
    end. So a record that begins in that stretch and is still open at its first end would go through the same states
    to the same break: it is known to be broken without feeding it further. (At a limit it would break some lines
    later.) Only one that begins at p itself goes on to lines that were not read before.
    The lines between two quotes that fuse rows hold quotes only in pairs, so each of them ends where it ends or breaks
    at once; they are fed once more, and the last of them as often as its record has further cells of several lines.
    """

    def __init__(self, file: TextIO, delimiter: str) -> None:
        raise_cell_limit()
        self.line_index = 0
        """How many physical lines the records so far consist of."""
        self._file = file
        self._delimiter = delimiter
        self._ahead: deque[str] = deque()  # read from the file, not yet fed
        self._again: deque[str] = deque()  # the stretch that has to be fed again
        self._held: list[str] = []  # the lines of the record that is being read
        self._rest_index = -1  # of the line that closes the quote of a fused row

    def __iter__(self) -> Iterator[list[str] | BrokenLine]:
        while batch := self._file.readlines(BATCH_CHARACTERS):
            begin = self.line_index
            reader = csv.reader(batch, delimiter=self._delimiter, strict=True)
            try:
                for cells in reader:
                    end = begin + reader.line_num
                    if end - self.line_index > 1 and _fused_cell(cells, self._delimiter):
                        raise _FusedError
                    self.line_index = end
                    yield cells
            except csv.Error:  # broken, fused, or only cut by the end of the batch
                self._ahead.extend(batch[self.line_index - begin :])
                yield from self._read_ahead()

    def _read_ahead(self) -> Iterator[list[str] | BrokenLine]:
        """Yield the records that begin in the lines ahead, one by one."""
        held, again = self._held, self._again
        while again or self._ahead:
            is_last_of_stretch = len(again) == 1
            try:
                cells = next(csv.reader(self._fed(), delimiter=self._delimiter, strict=True))
            except _StillOpenError:
                yield self._broken(Break.OPEN)
            except csv.Error:
                is_open = len(held) > 1 or self._is_unclosed(held[0])
                yield self._broken(Break.OPEN if is_open else Break.TEXT_BEHIND)
            else:
                is_rest = self.line_index == self._rest_index or (is_last_of_stretch and len(held) == 1)
                if is_rest and self._has_bare_quote(held[0]):
                    # Here csv found the record above broken: this is its rest as well as a row with `5" disk`.
                    yield self._broken(Break.REST)
                    continue
                fused = _fused_cell(cells, self._delimiter) if len(held) > 1 else None
                if fused:
                    yield from self._set_aside(*fused)
                    continue
                self.line_index += len(held)
                held.clear()
                yield cells

    def _fed(self) -> Iterator[str]:
        """Yield the lines of one record as csv asks for them."""
        held, again, ahead = self._held, self._again, self._ahead
        characters = 0
        while True:
            if held and again:
                raise _StillOpenError
            line = again.popleft() if again else ahead.popleft() if ahead else self._file.readline()
            if not line:
                return
            held.append(line)
            characters += len(line)
            if len(held) > 1 and (characters > RECORD_LIMIT_CHARACTERS or len(held) > RECORD_LIMIT_LINES):
                raise _StillOpenError
            yield line

    def _set_aside(self, first: int, last: int) -> Iterator[BrokenLine]:
        """Yield the lines up to the first one of the fused cell as broken; those below will be read again."""
        lines = self._held.copy()
        self._held.clear()
        self._ahead.extendleft(reversed(lines[first + 1 :]))
        self._rest_index = self.line_index + last
        for line in lines[: first + 1]:
            self.line_index += 1
            yield BrokenLine(line.rstrip("\r\n"), self.line_index - 1, Break.FUSED)

    def _broken(self, kind: Break) -> BrokenLine:
        line, *rest = self._held
        self._held.clear()
        (self._ahead if kind is Break.REST else self._again).extendleft(reversed(rest))
        self.line_index += 1
        return BrokenLine(line.rstrip("\r\n"), self.line_index - 1, kind)

    def _is_unclosed(self, line: str) -> bool:
        """Return whether the line, which alone is broken, has a quote without a partner from the broken cell on.

        In `"Offen, wer,"PC-1"` csv finds text behind the second quote, but it is the first that was not closed.
        """
        end = re.escape(self._delimiter)
        sound = re.match(rf'(?:(?:"(?:[^"]|"")*+"|[^"{end}][^{end}]*+|){end})*+', line)
        return line.count('"', sound.end() if sound else 0) % 2 == 1

    def _has_bare_quote(self, line: str) -> bool:
        """Return whether a quote stands in a cell that does not begin with one."""
        if '"' not in line:
            return False
        end = re.escape(self._delimiter)
        quoted = rf'(?:(?<={end})|^)"(?:[^"]|"")*+"(?={end}|[\r\n]|$)'
        return '"' in re.sub(quoted, "", line)


def mended(lines: Iterable[str], broken: BrokenLines) -> Iterator[str]:
    """Yield the lines, the broken ones as one quoted cell, so that any reader takes each of them for one record."""
    indexes = iter(broken.line_indexes)
    next_index = next(indexes, -1)
    for index, line in enumerate(lines):
        if index != next_index:
            yield line
            continue
        next_index = next(indexes, -1)
        text = line.rstrip("\r\n")
        doubled = text.replace('"', '""')
        yield f'"{doubled}"{line[len(text) :]}'


class LineFile(TextIOBase):
    """A text file for pandas, made of lines."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> str:
        """Return whole lines of at least `size` characters together; fewer at the end of the file."""
        lines: list[str] = []
        left = float("inf") if size is None or size < 0 else size
        for line in self._lines:
            lines.append(line)
            left -= len(line)
            if left <= 0:
                break
        return "".join(lines)


class HeadedFile(TextIOBase):
    """A text file for pandas, with one line of our own before its first."""

    def __init__(self, line: str, file: TextIO) -> None:
        self._line = line
        self._file = file

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> str:
        """Return the line of our own at first, then up to `size` characters of the file."""
        line, self._line = self._line, ""
        return line or self._file.read(-1 if size is None else size)
