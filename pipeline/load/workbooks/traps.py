"""Traps: cells that are not what calamine shows of them, and what else it does not show of a sheet."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.load.workbooks.extent import Corners
from pipeline.load.workbooks.plain_cells import PlainSheet
from pipeline.model import CellType

TRAP_LIMIT_CELLS = 1_000_000


class Trap(NamedTuple):
    """What a cell really holds, in place of what calamine shows."""

    column: int  # from 0
    text: str  # #N/A and the like of an ERROR; "" of a FORMULA without a result and of a MERGED cell
    cell_type: CellType


Traps = dict[int, tuple[Trap, ...]]
"""The traps of each row that has any, by row number (the first is 1)."""


class Unshown(NamedTuple):
    """What calamine does not show of a sheet, or shows otherwise."""

    traps: Traps
    merged: tuple[Corners, ...] | None  # merged ranges; None where calamine shows them itself
    plain: PlainSheet | None = None  # all cells, where they are so plain that calamine need not read them


def by_row(traps: Iterable[tuple[int, Trap]]) -> Traps:
    """Return the traps, each given with its row number, by row and from left to right."""
    rows: dict[int, list[Trap]] = {}
    for row, trap in traps:
        rows.setdefault(row, []).append(trap)
    return {row: tuple(sorted(found)) for row, found in rows.items()}


def too_many_traps(path: Path) -> SourceError:
    """Return the error for a sheet with more than TRAP_LIMIT_CELLS traps."""
    return SourceError(
        f"{path} has more than {TRAP_LIMIT_CELLS:,} cells with an error, a formula that was never calculated, or a "
        "text without a type: mend its formulas, or save the sheet as CSV UTF-8."
    )
