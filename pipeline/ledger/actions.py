"""What a run is going to do, row by row, as a saved plan lists it. Reads only."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import func, select

from pipeline.ledger.counted import counted_by
from pipeline.ledger.schema import body_of, counted_rows, rows, sources
from pipeline.ledger.sending import planned_of
from pipeline.ledger.store import Ledger
from pipeline.model import Operation

FETCHED_AT_ONCE = 1_000


class PlannedAction(NamedTuple):
    """What is going to be done with one row."""

    file: str
    sheet: str | None
    row_number: int
    operation: Operation
    collection: str
    key: str
    fingerprint: str
    body: bytes


class ActionCount(NamedTuple):
    """How many rows of one collection are planned for one operation."""

    collection: str
    operation: Operation
    rows: int


def planned_actions(ledger: Ledger, run_id: str) -> Iterator[PlannedAction]:
    """Yield what the run is going to do, in the order of reading."""
    query = (
        select(
            sources.c.file,
            sources.c.sheet,
            rows.c.row_number,
            rows.c.operation,
            rows.c.collection,
            rows.c.key,
            rows.c.fingerprint,
            body_of(rows),
        )
        .join(sources, sources.c.pk == rows.c.source_pk)
        .where(planned_of(run_id))
        .order_by(rows.c.pk)
    )
    with ledger.reading() as connection:
        for file, sheet, row_number, operation, *rest in connection.execute(query).yield_per(FETCHED_AT_ONCE):
            yield PlannedAction(file, sheet, row_number, Operation(operation), *rest)


def action_counts(ledger: Ledger, run_id: str) -> list[ActionCount]:
    """Return the number of the run's planned rows by collection and operation, in the order of reading.

    What is counted and not kept comes first; `planned_actions` cannot name it.
    """
    query = (
        select(rows.c.collection, rows.c.operation, func.count())
        .where(planned_of(run_id))
        .group_by(rows.c.collection, rows.c.operation)
        .order_by(func.min(rows.c.pk))
    )
    counts = Counter[tuple[str, Operation]]()
    with ledger.reading() as connection:
        for collection, n in counted_by(connection, run_id, counted_rows.c.collection):
            counts[collection, Operation.CREATE] += n
        for collection, operation, n in connection.execute(query):
            counts[collection, Operation(operation)] += n
    return [ActionCount(*kind, n) for kind, n in counts.items()]
