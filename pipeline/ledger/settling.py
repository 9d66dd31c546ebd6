"""The ledger's side of reconcile: what has an unknown outcome, and which objects of the tenant are ours."""

from collections.abc import Iterator, Sequence

from sqlalchemy import and_, exists, func, literal_column, or_, select, update

from pipeline.ledger.schema import body_of, events, is_in, objects, rows, runs
from pipeline.ledger.sending import PLANNED_ROW, planned_row
from pipeline.ledger.store import Ledger, now
from pipeline.model import Operation, PlannedRow, RemoteCheck, State, UnknownRow

ASKED_AT_ONCE = 900
"""SQLite takes 999 variables in a statement, or more where it is newer than 3.32 (sqlite.org/limits.html)."""

LEFT_BEHIND = {
    Operation.CREATE: "the program ended before the answer came; the row may or may not have been created",
    Operation.UPDATE: "the program ended before the answer came; the object may or may not have been updated",
    Operation.DELETE: "the program ended before the answer came; the object may or may not have been deleted",
}


def settle_leftovers(ledger: Ledger) -> int:
    """Set what a dead process was sending to unknown; return how many. Only the lock's holder may call it."""
    leftover = and_(objects.c.scope_pk == ledger.scope_pk, is_in(objects, State.SENDING))
    with ledger.transaction() as connection:
        for operation, message in LEFT_BEHIND.items():
            sent = select(objects.c.row_pk).where(leftover, objects.c.operation == operation)
            connection.execute(
                update(rows).where(rows.c.pk.in_(sent)).values(state=State.UNKNOWN, graph_message=message)
            )
        return connection.execute(
            update(objects).where(leftover).values(state=State.UNKNOWN, changed_at=now())
        ).rowcount


def unknown_rows(ledger: Ledger, run_id: str) -> list[UnknownRow]:
    """Return what must be settled before the run can end: its own unknown rows, and those that its rows wait for.

    Each is the row that owns the object, of whatever run, in the order of reading.
    """
    waiter, there = rows.alias("waiter"), rows.alias("there")
    waited_for = exists().where(
        waiter.c.object_pk == objects.c.pk, waiter.c.run_id == run_id, waiter.c.state == State.UNKNOWN
    )
    is_mine = and_(objects.c.run_id == run_id, objects.c.state == State.UNKNOWN)
    query = (
        select(*PLANNED_ROW, objects.c.key, body_of(there))
        .join(rows, rows.c.pk == objects.c.row_pk)
        .outerjoin(there, there.c.pk == objects.c.there_row_pk)
        .where(
            objects.c.scope_pk == ledger.scope_pk,
            is_in(objects, State.UNKNOWN),
            or_(is_mine, waited_for),
        )
        .order_by(rows.c.pk)
    )
    with ledger.reading() as connection:
        return [
            UnknownRow(planned_row(row), key, there_body or b"") for *row, key, there_body in connection.execute(query)
        ]


def unknown_count(ledger: Ledger, run_id: str) -> int:
    """Return the number of the run's unknown rows."""
    query = select(func.count()).where(rows.c.run_id == run_id, rows.c.state == State.UNKNOWN)
    with ledger.reading() as connection:
        return connection.execute(query).scalar_one()


def owned_ids(ledger: Ledger, ids: Sequence[str]) -> set[str]:
    """Return those of the service's ids that belong to an object of the scope, or did until an undo deleted it.

    A list that lags behind still shows what was deleted: that is nobody's to adopt.
    """
    own = select(objects.c.graph_id).where(objects.c.scope_pk == ledger.scope_pk)
    # Literally, so that SQLite sees that its partial index fits.
    deleted = select(events.c.graph_id).where(events.c.state == literal_column(f"'{State.REVERSED}'"))
    deleted = deleted.join(runs, runs.c.id == events.c.run_id).where(runs.c.scope_pk == ledger.scope_pk)
    with ledger.reading() as connection:
        return {
            each
            for some in _some(ids)
            for known in (own.where(objects.c.graph_id.in_(some)), deleted.where(events.c.graph_id.in_(some)))
            for each in connection.execute(known).scalars()
        }


def planned_by_key(ledger: Ledger, run_id: str, collection: str, keys: Sequence[str]) -> dict[str, PlannedRow]:
    """Return the rows that the run is going to create in the collection and that have one of the keys, by key."""
    # By the objects' keys and the rows' numbers alone: SQLite takes a run's planned rows for few, and would go through
    # all of them each time.
    of_rows = (rows.c.run_id, rows.c.state, rows.c.collection, rows.c.operation)
    query = select(objects.c.key, *of_rows, *PLANNED_ROW).join(rows, rows.c.pk == objects.c.row_pk)
    own = query.where(objects.c.scope_pk == ledger.scope_pk)
    meant = [run_id, State.PLANNED, collection, Operation.CREATE]
    with ledger.reading() as connection:
        return {
            key: planned_row(row[len(meant) :])
            for some in _some(keys)
            for key, *row in connection.execute(own.where(objects.c.key.in_(some)))
            if row[: len(meant)] == meant
        }


def _some(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[at : at + ASKED_AT_ONCE] for at in range(0, len(texts), ASKED_AT_ONCE))


def set_remote_check(ledger: Ledger, run_id: str, check: RemoteCheck) -> None:
    """Record whether the run still has to look into the tenant before it sends, or has done so."""
    with ledger.transaction() as connection:
        connection.execute(update(runs).where(runs.c.id == run_id).values(remote_check=check))
