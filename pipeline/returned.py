"""Rows that come back in our own reports: what they still have to be asked, and which runs they come from. No I/O.

errors.csv, unknown.csv, created.csv and errors.xlsx carry `_import_*` columns. Corrected and given to an import, they
are inventories like any other; only here is looked at what those columns say.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from pipeline.carried import identifiers_in, property_of_another
from pipeline.damage import damage_of
from pipeline.findings import Code, Finding, finding, shorten
from pipeline.identity import fold_header
from pipeline.model import CAUSES_HEADER, CUT_MARK, IDENTIFIERS, IMPORT_PREFIX, MASKS, ColumnMap, Row, State, Values

CODE_COLUMN, STATUS_COLUMN = f"{IMPORT_PREFIX}code", f"{IMPORT_PREFIX}status"
RUN_COLUMN, IDENTIFIERS_COLUMN = f"{IMPORT_PREFIX}run", f"{IMPORT_PREFIX}identifiers"

SENT = (State.CREATED, State.UPDATED)
"""Rows of created.csv stand there as they were sent: to do again what was declared would change them once more."""

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[A-Za-z0-9._-]{1,40}-[0-9a-f]{6}", re.ASCII)
"""The shape of a run's id, so that nothing else which stands in a file is told as one."""

MOST_PARENTS = 10

MOST_UNITS = 32_767
"""Of a spreadsheet's cell, in UTF-16 ("Excel specifications and limits")."""

APOSTROPHE = "an apostrophe stands before what a spreadsheet would run"

NEVER_SEEN_AGAIN = {
    Code.RAGGED_ROW: (
        "the row had more or fewer cells than the header when it was read first",
        "put each value under its header",
    ),
    Code.NUMERIC_IDENTIFIER: (
        "the workbook held an identifier of this row as a number when it was read first, so digits may be lost",
        "put the value in from its source",
    ),
    Code.BROKEN_QUOTES: (
        "the quotes of the row were broken when it was read first, so its cells could not be told apart",
        "put each value under its header",
    ),
    Code.UNCALCULATED_FORMULA: (
        "a cell of this row held a formula without a result when it was read first",
        "enter the value",
    ),
    Code.MERGED_CELL: (
        "a cell of this row was merged with another one when it was read first, so it had no value of its own",
        "enter the value",
    ),
}
"""Damage that errors.csv cannot show: there each row has a cell for each column, and all cells are text. So the code
that it carries keeps the row out until somebody has mended it and said so."""


class OwnColumns(NamedTuple):
    """Where a table that is one of our own reports has the columns that are read again."""

    code_at: int | None  # the cell that says what was wrong with the row
    status_at: int | None  # how it ended
    run_at: int | None  # the run that wrote the report
    identifiers_at: int | None  # the row's identifiers as they were read
    others: tuple[tuple[int, str], ...]  # (cell, header) of further columns of a property, as `another_column` has them

    @property
    def ignored_headers(self) -> frozenset[str]:
        """The headers, folded, of columns that are not sent and need no warning."""
        return frozenset(fold_header(header) for _, header in self.others)


class Headed(Protocol):
    """A table, as far as its header counts."""

    @property
    def header(self) -> tuple[str, ...]:
        """The header row up to its last cell with content."""
        ...


HeadedT = TypeVar("HeadedT", bound=Headed)


def own_columns(header: Sequence[str]) -> OwnColumns | None:
    """Return where the columns stand, None of a table that is none of our reports."""
    place_of = {cell.strip().casefold(): at for at, cell in reversed([*enumerate(header)])}
    if not any(name.startswith(IMPORT_PREFIX) for name in place_of):
        return None
    others = tuple(each for each in enumerate(header) if property_of_another(each[1]))
    return OwnColumns(
        code_at=place_of.get(CODE_COLUMN),
        status_at=place_of.get(STATUS_COLUMN),
        run_at=place_of.get(RUN_COLUMN),
        identifiers_at=place_of.get(IDENTIFIERS_COLUMN),
        others=others,
    )


def is_causes_header(cells: Sequence[str]) -> bool:
    """Return whether the cells are the header of the sheet in which errors.xlsx tells the causes."""
    return tuple(cells[: len(CAUSES_HEADER)]) == CAUSES_HEADER and not any(cells[len(CAUSES_HEADER) :])


def without_causes(tables: Iterable[HeadedT]) -> Iterator[HeadedT]:
    """Yield a file's tables without the sheet of causes that errors.xlsx has beside its rows.

    Such a sheet in a file without any of our rows is not ours: it comes last then.
    """
    causes: list[HeadedT] = []
    is_ours = False
    for table in tables:
        if is_causes_header(table.header):
            causes.append(table)
        else:
            is_ours = is_ours or own_columns(table.header) is not None
            yield table
    if not is_ours:
        yield from causes


def parents_in(rows: Iterable[Row], own: OwnColumns, parents: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the runs whose reports the rows come from, after those that are known already; at most MOST_PARENTS."""
    if own.run_at is None:
        return parents
    cells = dict.fromkeys(row.cells[own.run_at].strip() for row in rows if _is_whole(row))
    return tuple(dict.fromkeys((*parents, *filter(RUN_ID.fullmatch, cells))))[:MOST_PARENTS]


def not_mended(row: Row, own: OwnColumns) -> tuple[Finding, ...]:
    """Return what keeps the row out, whatever its cells say now, until the code that it carries is deleted."""
    if own.code_at is None:
        return ()
    return tuple(_not_mended(code) for code in NEVER_SEEN_AGAIN if code in row.cells[own.code_at])


def changed_since(row: Row, columns: ColumnMap, own: OwnColumns) -> tuple[Finding, ...]:
    """Return what is wrong with cells of the row since the report was written, or because it was."""
    return (*_damaged(row, columns, own), *_cut(row, columns), *_with_another(row, columns, own))


def still_masked(values: Values) -> tuple[Finding, ...]:
    """Return the values that stand there as our reports mask them, in a table that is none of our reports."""
    pairs = zip(values.columns.headers, values.texts, strict=True)
    return tuple(found for header, text in pairs for found in masked(text, header))


def masked(text: str, header: str) -> tuple[Finding, ...]:
    """Return what is told of a text that stands there as our reports mask it."""
    if text[:1] == "'" and MASKS.match(text):
        return (finding(Code.LEADING_APOSTROPHE, APOSTROPHE, column=header, value=text),)
    return ()


def _is_whole(row: Row) -> bool:
    return not (row.broken or row.missing_cells or row.extra_cells)


def _not_mended(code: Code) -> Finding:
    message, cure = NEVER_SEEN_AGAIN[code]
    return finding(code, message, column=CODE_COLUMN, hint=f"{cure}, then empty the row's cell {CODE_COLUMN}")


def _damaged(row: Row, columns: ColumnMap, own: OwnColumns) -> Iterator[Finding]:
    texts = identifiers_in(row.cells[own.identifiers_at]) if own.identifiers_at is not None else {}
    places = zip(columns.names, columns.headers, columns.indexes, strict=True) if texts else ()
    run = row.cells[own.run_at].strip() if own.run_at is not None else ""
    where = f"in the report of run {run}" if RUN_ID.fullmatch(run) else "when it was read before"
    for name, header, index in places:
        if index is None or name not in IDENTIFIERS or name not in texts:
            continue
        was, now = texts[name], row.cells[index]
        damage = damage_of(was, now)
        if damage is not None:
            message = f"it was {shorten(was)} {where} and is {shorten(now.strip())} now: a spreadsheet {damage}"
            yield finding(Code.SPREADSHEET_DAMAGE, message, column=header, value=now)


def _cut(row: Row, columns: ColumnMap) -> Iterator[Finding]:
    places = zip(columns.names, columns.headers, columns.indexes, columns.composites, strict=True)
    for name, header, index, composite in places:
        for at in composite.indexes if composite else () if index is None else (index,):
            cell = row.cells[at]
            if cell.endswith(CUT_MARK):
                message = "the value was too long for errors.xlsx, so its end is missing"
            elif _is_full(cell):
                message = f"the cell is full with {MOST_UNITS:,} characters, so a spreadsheet may have cut off its end"
            else:
                continue
            hint = "enter a shorter value; the errors.csv beside the first errors.xlsx has the one that was read"
            yield finding(Code.VALUE_TOO_LONG, message, column=name if composite else header, value=cell, hint=hint)


def _is_full(cell: str) -> bool:
    # The last character can be one of two units that did not fit.
    is_long = 2 * len(cell) >= MOST_UNITS - 1
    return is_long and MOST_UNITS - 1 <= len(cell.encode("utf-16-le", "surrogatepass")) // 2 <= MOST_UNITS


def _with_another(row: Row, columns: ColumnMap, own: OwnColumns) -> Iterator[Finding]:
    header_of = dict(zip(columns.names, columns.headers, strict=True))
    for index, header in own.others:
        first = header_of.get(property_of_another(header))
        if first is not None and row.cells[index].strip():
            message = f"the file of this row had two columns for {property_of_another(header)}, and here is the second"
            hint = f"put the right value into the column {shorten(first)}, then empty this cell"
            yield finding(Code.DUPLICATE_COLUMN, message, column=header, value=row.cells[index], hint=hint)
