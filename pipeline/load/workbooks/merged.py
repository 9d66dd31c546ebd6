"""Merged cells of a sheet: what they do to the header, and which cells below it they leave empty.

calamine tells of them for .xlsx, .xlsm and .xls; for .xlsb and .ods the guard has found them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from python_calamine import CalamineSheet

from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, finding
from pipeline.load.table import Record
from pipeline.load.workbooks.extent import Corners, a1
from pipeline.model import CellType

RANGES_SHOWN = 5


class MergedRange(NamedTuple):
    """A merged range: rows by number from 1, columns by index into the records' cells. Both ends belong to it."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int
    name: str  # as a spreadsheet shows it: A1:B2


def merged_ranges(
    path: Path, sheet: CalamineSheet, found: tuple[Corners, ...] | None, offset: int
) -> tuple[MergedRange, ...]:
    """Return the sheet's merged ranges from top to bottom: those `found`, else calamine's.

    The records begin in the column of index `offset`. Raises SourceError when one runs backwards.
    """
    ranges = []
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or () if found is None else found:
        name = f"{a1(top + 1, left + 1)}:{a1(bottom + 1, right + 1)}"
        if top > bottom or left > right:
            raise SourceError(f'{path} sheet "{sheet.name}" merges the cells {name}, which is no range: save it again.')
        ranges.append(MergedRange(top + 1, bottom + 1, left - offset, right - offset, name))
    return tuple(sorted(ranges))


def filled_from_above(lead: Sequence[Record], ranges: Sequence[MergedRange]) -> list[Record]:
    """Return the records with the text of a merged range in each row of its first column, as a header is read."""
    if not lead:
        return []
    first_row, last_row = lead[0].row_number, lead[-1].row_number
    rows = [list(record.cells) for record in lead]
    for each in ranges:
        column = each.first_column
        if first_row <= each.first_row <= last_row and 0 <= column < len(rows[0]):
            text = rows[each.first_row - first_row][column]
            for cells in rows[each.first_row + 1 - first_row : each.last_row + 1 - first_row]:
                cells[column] = cells[column] or text
    return [record._replace(cells=tuple(cells)) for record, cells in zip(lead, rows, strict=True)]


def about_merged_header(ranges: Sequence[MergedRange], header_row: int, width: int) -> tuple[Finding, ...]:
    """Return the finding that names the merged ranges that the header's cells are in, if there are any."""
    names = [
        each.name for each in ranges if each.first_row <= header_row <= each.last_row and each.first_column < width
    ]
    if not names:
        return ()
    more = f" and {len(names) - RANGES_SHOWN:,} more" if len(names) > RANGES_SHOWN else ""
    shown = ", ".join(names[:RANGES_SHOWN]) + more
    return (finding(Code.MERGED_HEADER, f"header cells are merged: {shown}", value=shown),)


def without_header_parts(above: Sequence[Record], ranges: Sequence[MergedRange], header_row: int) -> list[Record]:
    """Return the records above the header without the cells that reach down into it, which were read as header."""
    taken = {(each.first_row, each.first_column) for each in ranges if each.first_row < header_row <= each.last_row}
    return [
        record._replace(
            cells=tuple("" if (record.row_number, index) in taken else cell for index, cell in enumerate(record.cells))
        )
        for record in above
    ]


def covered(records: Iterator[Record], ranges: Sequence[MergedRange], width: int) -> Iterator[Record]:
    """Yield the records with each empty cell of a merged range marked MERGED, apart from the range's first cell."""
    if not ranges:
        yield from records
        return
    until = np.zeros(width, np.int64)  # for each column the last row of the merged range that it is in
    begins = np.zeros(width, np.int64)  # for each column the first row of the last merged range that begins in it
    place = 0
    for record in records:
        row = record.row_number
        while place < len(ranges) and ranges[place].first_row <= row:
            each = ranges[place]
            inside = slice(max(each.first_column, 0), max(each.last_column + 1, 0))
            until[inside] = np.maximum(until[inside], each.last_row)
            if 0 <= each.first_column < width:
                begins[each.first_column] = each.first_row
            place += 1
        merged = [
            (index, CellType.MERGED)
            for index in np.flatnonzero((until >= row) & (begins != row)).tolist()
            if index < len(record.cells) and not record.cells[index]
        ]
        known = {index for index, _ in record.not_text}
        merged = [each for each in merged if each[0] not in known]
        yield record._replace(not_text=tuple(sorted((*record.not_text, *merged)))) if merged else record
