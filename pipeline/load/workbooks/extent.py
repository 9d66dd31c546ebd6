"""How far a sheet's cells reach, found before calamine lays them out, and where its limits are.

calamine holds the whole rectangle from the first to the last cell, 24 bytes for each place, empty or not, and aborts
the process when it gets no memory: one stray cell at XFD1048576 asks for 412 GB.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import SourceError
from pipeline.model import column_letter

SHEET_ROWS = 1_048_576
SHEET_COLUMNS = 16_384
RECTANGLE_LIMIT_CELLS = 32_000_000  # 1,048,576 rows of 30 columns; 768 MB
SPARSE_FACTOR = 20  # rows x columns over cells with content, above which a stray cell is to blame
STRETCH_LIMIT_CELLS = 2_000_000  # that are turned from rows into columns at a time


Corners = tuple[tuple[int, int], tuple[int, int]]
"""A range by its first and last cell, each (row, column) from 0, as calamine gives merged ranges."""


class Extent(NamedTuple):
    """What the cells with content of a sheet span, counted from A1. Row and column numbers begin at 1."""

    last_row: int = 0
    last_column: int = 0
    cells: int = 0
    lowest: tuple[int, int] = (0, 0)  # row and column of a cell in the last row
    rightmost: tuple[int, int] = (0, 0)  # row and column of a cell in the last column

    @property
    def rectangle(self) -> int:
        """How many places the sheet has, empty ones too."""
        return self.last_row * self.last_column


def bounded_rows(rows: int, columns: int) -> int:
    """Return the number of rows of so many columns that are held at a time: `rows`, fewer of a very wide sheet."""
    return max(1, min(rows, STRETCH_LIMIT_CELLS // max(columns, 1)))


def check_extent(path: Path, sheet: str, extent: Extent, others: int = 0) -> None:
    """Raise SourceError when the sheet is too large to be held, naming the stray cell where one is to blame.

    `others` are the places of the sheets that are held at the same time.
    """
    if extent.rectangle + others <= RECTANGLE_LIMIT_CELLS and extent.cells <= RECTANGLE_LIMIT_CELLS:
        return
    if extent.rectangle > SPARSE_FACTOR * max(extent.cells, 1):
        row, column = extent.rightmost if extent.last_column > SHEET_COLUMNS // 64 else extent.lowest
        raise SourceError(
            f'{path} sheet "{sheet}" has a cell at {a1(row, column)} far from all others, so it spans '
            f"{extent.last_row:,} rows and {extent.last_column:,} columns: delete that row and that column in Excel "
            "and save it, or save the sheet as CSV UTF-8."
        )
    raise SourceError(
        f'{path} sheet "{sheet}" has {extent.last_row:,} rows and {extent.last_column:,} columns, more than the '
        f"{RECTANGLE_LIMIT_CELLS:,} cells that a sheet may have here: split it, or save it as CSV UTF-8."
    )


def check_twice(path: Path, part: str, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Raise SourceError when a place, the row's number times SHEET_COLUMNS plus the column's, is there twice."""
    # calamine keeps one of the cells and drops the others without a word
    in_order = np.sort(places)
    twice = in_order[1:][in_order[1:] == in_order[:-1]]
    if len(twice):
        row, column = divmod(int(twice[0]) - 1, SHEET_COLUMNS)
        raise SourceError(
            f"{path} holds the cell {a1(row, column + 1)} twice in its part {part}, which no spreadsheet program "
            "writes, so one of both would be lost: mend it where it comes from and export it again."
        )


def a1(row: int, column: int) -> str:
    """Return the name of a cell as a spreadsheet shows it: A1 for row 1, column 1."""
    return f"{column_letter(column - 1)}{row}"
