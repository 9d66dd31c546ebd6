"""The cells of a sheet in the plainest spelling: `<c r="A1" s="2" t="s"><v>17</v></c>`, one behind the other.

That is how Excel and most libraries write a sheet of texts and whole numbers, which inventories are. Each byte between
the first row and the last is accounted for here, in whole arrays; a sheet with anything else is left to calamine. What
comes out is what calamine makes of the same cells (tests compare the two).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from pipeline.load.table import Stretch
from pipeline.load.workbooks.extent import bounded_rows
from pipeline.model import CellType

Octets: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]
Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]

DATA_BEGIN, DATA_END = b"<sheetData>", b"</sheetData>"
ROW_END = b"</row>"
ROW_TAGS = re.compile(rb'(?:<row r="[0-9]{1,7}"(?: [\w.:-]+="[ !#-%\'-;=?-~]*")*+/?>)*+')
TEXT_TYPE, NUMBER_TYPE = b' t="s">', b' t="n">'
STYLE_BEGIN = b' s="'
STYLE_DIGITS = 6
INDEX_DIGITS = 9  # of a text in the list of strings
NUMBER_DIGITS = 15  # so many a workbook holds exactly (ECMA-376 has IEEE doubles)
FRAME_LIMIT_BYTES = 1 << 20  # of what stands around the rows
C, R, V, SLASH, CLOSE = b"crv/>"


class Tagged(NamedTuple):
    """A piece of a sheet's XML, its tags found."""

    text: bytes
    octets: Octets  # of the text, and some blanks behind it
    tags: Numbers  # where a `<` stands
    names: Octets  # what stands behind it
    starts: Numbers  # where cells begin
    rows: Numbers  # of the cells, from 1
    columns: Numbers  # of the cells, from 1
    quotes: Numbers  # where the cells' references end


class PlainSheet(NamedTuple):
    """The cells with content of a sheet, in its order: 14 bytes each, where calamine takes 24 and each text again."""

    rows: np.ndarray[tuple[int], np.dtype[np.int32]]  # from 1, ascending
    columns: np.ndarray[tuple[int], np.dtype[np.int16]]  # from 0
    values: Numbers  # the place of a text in the list of strings, or -1 - n of the whole number n


def highest_index(sheet: PlainSheet) -> int:
    """Return the highest place in the list of strings that a cell names, -1 when none does."""
    return max(int(sheet.values.max(initial=-1)), -1)


def plain_stretches(sheet: PlainSheet, strings: Sequence[str], stretch_rows: int) -> Iterator[Stretch]:
    """Yield the sheet from row 1 to its last, from its first column with content on.

    A stretch has `stretch_rows` rows, or as many as `bounded_rows` allows.
    """
    if not len(sheet.rows):
        return
    first_column, last_column = int(sheet.columns.min()), int(sheet.columns.max())
    texts = [*strings, ""]
    step = bounded_rows(stretch_rows, last_column - first_column + 1)
    for first_row in range(1, int(sheet.rows[-1]) + 1, step):
        rows = min(step, int(sheet.rows[-1]) + 1 - first_row)
        # of the same type as the rows, which would be copied otherwise
        start, end = np.searchsorted(sheet.rows, np.array((first_row, first_row + rows), np.int32))
        grid = np.full((last_column - first_column + 1, rows), len(strings))
        grid[sheet.columns[start:end] - first_column, sheet.rows[start:end] - first_row] = sheet.values[start:end]
        stretch = Stretch(first_row, [], {})
        for index, values in enumerate(grid):
            if values.min() < 0:
                types = ((index, CellType.NUMBER),)
                for at in np.flatnonzero(values < 0).tolist():
                    stretch.not_text[at] = stretch.not_text.get(at, ()) + types
                column = [texts[value] if value >= 0 else str(-1 - value) for value in values.tolist()]
            else:
                column = [texts[value] for value in values.tolist()]
            stretch.columns.append(column)
        yield stretch


@dataclass(slots=True)
class PlainReader:
    """Takes the pieces of a sheet in their order, as long as they are plain."""

    is_plain: bool = True
    in_rows: bool = False  # between sheetData's tags
    in_row: bool = False
    head: bytes = b""
    tail: bytes = b""
    pieces: list[PlainSheet] = field(default_factory=list)

    def take(self, piece: Tagged) -> bool:
        """Take the next piece, and return whether the sheet is plain as far as it was seen."""
        if self.is_plain:
            self.is_plain = self._take(piece)
            if not self.is_plain:
                self.pieces.clear()
        return self.is_plain

    def frame(self) -> bytes | None:
        """Return the XML around the rows, for a parser to judge; None when the sheet is not plain."""
        is_whole = self.is_plain and not self.in_rows and bool(self.head and self.tail)
        return self.head + self.tail if is_whole else None

    def sheet(self) -> PlainSheet:
        """Return all cells, and forget them."""
        rows, columns, values = (
            np.concatenate([part[at] for part in self.pieces] or [np.zeros(0, kind)])
            for at, kind in enumerate((np.int32, np.int16, np.int64))
        )
        self.pieces.clear()
        return PlainSheet(rows, columns, values)

    def _take(self, piece: Tagged) -> bool:
        text = piece.text
        start, end = 0, len(text)
        if not self.head:
            start = text.find(DATA_BEGIN) + len(DATA_BEGIN)
            if start < len(DATA_BEGIN):
                return False
            self.head = text[:start]
            self.in_rows = True
        if self.tail or not self.in_rows:
            self.tail += text
            return not len(piece.starts) and len(self.tail) <= FRAME_LIMIT_BYTES
        close = text.find(DATA_END, start)
        if close >= 0:
            end = close
            self.tail = text[close:]
            self.in_rows = False
        found = _cells_of(piece, start, end, in_row=self.in_row)
        if found is None or (close >= 0 and found[1]):
            return False
        self.pieces.append(found[0])
        self.in_row = found[1]
        return True


def _cells_of(piece: Tagged, start: int, end: int, *, in_row: bool) -> tuple[PlainSheet, bool] | None:
    """Return the cells between the two places of the piece, and whether a row is open behind them; None: not plain."""
    octets = piece.octets
    first, behind = np.searchsorted(piece.tags, (start, end))
    tags = np.append(piece.tags[first:behind], end)
    names = np.append(piece.names[first:behind], 0)  # 0: what follows is seen with the next piece
    if tags[0] != start:
        return None
    begins = np.flatnonzero(names == C)
    if not np.array_equal(tags[begins], piece.starts):
        return None  # a cell outside of the rows, or another tag that begins with c
    behind_tag = tags[begins + 1]
    is_empty = octets[behind_tag - 2] == SLASH
    has_empty = bool(is_empty.any())
    full = begins[~is_empty] if has_empty else begins
    quotes = piece.quotes[~is_empty] if has_empty else piece.quotes
    if has_empty and not _are_styles(octets, piece.quotes[is_empty] + 1, behind_tag[is_empty] - 2, b"/>"):
        return None
    is_open = _rows_are_plain(piece, tags, names, full, begins[is_empty], in_row=in_row)
    if is_open is None:
        return None
    values = _values(octets, tags, full, quotes)
    if values is None:
        return None
    rows, columns = piece.rows, piece.columns
    if has_empty:
        rows, columns = rows[~is_empty], columns[~is_empty]
    return PlainSheet(rows.astype(np.int32), (columns - 1).astype(np.int16), values), is_open


def _rows_are_plain(
    piece: Tagged, tags: Numbers, names: Octets, full: Numbers, empty: Numbers, *, in_row: bool
) -> bool | None:
    """Return whether a row is open behind the tags; None unless they are rows of cells `<c><v></v></c>` and `<c/>`."""
    octets = piece.octets
    if len(full) and full[-1] + 3 >= len(tags) - 1:
        return None
    closes = names == SLASH
    closes[full + 2] = closes[full + 3] = False
    (ends,) = np.nonzero(closes)
    begins = np.flatnonzero(names == R)
    if 4 * len(full) + len(empty) + len(begins) + len(ends) != len(tags) - 1:
        return None
    is_alone = octets[tags[begins + 1] - 2] == SLASH  # a row without cells
    follows_in_row = np.concatenate([full + 4, empty + 1, begins[~is_alone] + 1])
    follows_row = np.concatenate([ends + 1, begins[is_alone] + 1])
    inside, outside = names[follows_in_row], names[follows_row]
    within = (C, SLASH) if in_row else (R,)
    is_plain = (
        (not len(tags) - 1 or names[0] in within)
        and bool(((inside == C) | (inside == SLASH) | (inside == 0)).all())
        and bool(((outside == R) | (outside == 0)).all())
        and (names[full + 1] == V).all()
        and _are_row_tags(piece.text, tags[begins], tags[begins + 1])
        and _reads(octets, tags[ends], ROW_END)
        and bool((tags[ends + 1] - tags[ends] == len(ROW_END)).all())
    )
    if not is_plain:
        return None
    return in_row if len(tags) == 1 else bool(len(tags) - 1 in follows_in_row)


def _are_row_tags(text: bytes, begins: Numbers, ends: Numbers) -> bool:
    tags = [text[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    return ROW_TAGS.fullmatch(b"".join(tags)) is not None


def _values(octets: Octets, tags: Numbers, full: Numbers, quotes: Numbers) -> Numbers | None:
    """Return the values of the cells as `PlainSheet` has them; None unless all are plain."""
    begins, ends, closes, behind = tags[full + 1], tags[full + 2], tags[full + 3], tags[full + 4]
    is_plain = (
        bool((closes - ends == 4).all() and (behind - closes == 4).all() and (octets[begins + 2] == CLOSE).all())
        and _reads(octets, ends, b"</v>")
        and _reads(octets, closes, b"</c>")
    )
    if not is_plain:
        return None
    attributes_end = begins - len(TEXT_TYPE)
    is_text = octets[begins - 3] == ord("s")
    is_text &= attributes_end > quotes
    has_numbers = not is_text.all()
    texts = attributes_end[is_text] if has_numbers else attributes_end
    before_texts = quotes[is_text] if has_numbers else quotes
    if not _reads(octets, texts, TEXT_TYPE) or not _are_styles(octets, before_texts + 1, texts, b" "):
        return None
    if has_numbers:
        numbers = ~is_text
        lengths = begins[numbers] - quotes[numbers] - 1
        typed = lengths == len(NUMBER_TYPE)
        if not (typed | (lengths == 1)).all() or not _reads(octets, attributes_end[numbers][typed], NUMBER_TYPE):
            return None  # the style of a number may make it a date
    return _whole_numbers(octets, begins + 3, ends, is_text)


def _whole_numbers(
    octets: Octets, begins: Numbers, ends: Numbers, is_text: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Numbers | None:
    lengths = ends - begins
    if not len(lengths):
        return np.zeros(0, np.int64)
    longest = int(lengths.max())
    if lengths.min() < 1 or longest > NUMBER_DIGITS or lengths[is_text].max(initial=0) > INDEX_DIGITS:
        return None
    values = np.zeros(len(lengths), np.int64)
    factor = 1
    for at in range(longest):
        digits = octets[ends - 1 - at] - np.uint8(ord("0"))  # what is below 0 becomes a large one
        within = lengths > at
        if (within & (digits > 9)).any():
            return None
        values += np.where(within, digits, np.uint8(0)) * np.int64(factor)
        factor *= 10
    return np.where(is_text, values, -1 - values)


def _are_styles(octets: Octets, begins: Numbers, ends: Numbers, behind: bytes) -> bool:
    """Return whether there is nothing between these places, or ` s="12"`; and `behind` after it."""
    lengths = ends - begins
    styled = lengths > 0
    if (lengths < 0).any() or not _reads(octets, ends, behind):
        return False
    if not styled.any():
        return True
    begins, ends, lengths = begins[styled], ends[styled], lengths[styled] - len(STYLE_BEGIN) - 1
    if lengths.min() < 1 or lengths.max() > STYLE_DIGITS or not _reads(octets, begins, STYLE_BEGIN):
        return False
    for at in range(int(lengths.max())):
        digits = octets[begins + len(STYLE_BEGIN) + at] - np.uint8(ord("0"))
        if ((lengths > at) & (digits > 9)).any():
            return False
    return bool((octets[ends - 1] == ord('"')).all())


def _reads(octets: Octets, places: Numbers, word: bytes) -> bool:
    """Return whether the word stands at all these places."""
    return all(bool((octets[places + offset] == octet).all()) for offset, octet in enumerate(word))
