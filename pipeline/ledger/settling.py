"""The ledger's side of reconcile: what has an unknown outcome, and which objects of the tenant are ours."""

from collections.abc import Iterator, Sequence

from sqlalchemy import and_, exists, func, or_, select, update

from pipeline.ledger.schema import objects, rows, runs
from pipeline.ledger.sending import PLANNED_ROW, planned_of, planned_row
from pipeline.ledger.store import Ledger, now
from pipeline.ledger.transitions import TO_SEND
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
    leftover = (objects.c.scope_pk == ledger.scope_pk) & (objects.c.state == State.SENDING)
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

    A row that found an object in the tenant which is not ours counts too while a row of the run waits for it. Each is
    the row that owns the object, of whatever run, in the order of reading.
    """
    waiter, there = rows.alias("waiter"), rows.alias("there")
    waited_for = exists().where(
        waiter.c.object_pk == objects.c.pk, waiter.c.run_id == run_id, waiter.c.state == State.UNKNOWN
    )
    is_mine = and_(objects.c.run_id == run_id, objects.c.state == State.UNKNOWN)
    query = (
        select(*PLANNED_ROW, objects.c.key, there.c.body)
        .join(rows, rows.c.pk == objects.c.row_pk)
        .outerjoin(there, there.c.pk == objects.c.there_row_pk)
        .where(
            objects.c.scope_pk == ledger.scope_pk,
            objects.c.state.in_([State.UNKNOWN, State.CHANGED]),
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
    """Return those of the service's ids that belong to an object of the scope, unless an undo has deleted it."""
    known = and_(objects.c.scope_pk == ledger.scope_pk, objects.c.state != State.REVERSED)
    with ledger.reading() as connection:
        return {
            each
            for some in _some(ids)
            for each in connection.execute(
                select(objects.c.graph_id).where(known, objects.c.graph_id.in_(some))
            ).scalars()
        }


def planned_by_key(ledger: Ledger, run_id: str, collection: str, keys: Sequence[str]) -> dict[str, PlannedRow]:
    """Return the rows that the run is going to create in the collection and that have one of the keys, by key."""
    meant = and_(planned_of(run_id), rows.c.collection == collection, rows.c.operation == Operation.CREATE)
    query = select(rows.c.key, *PLANNED_ROW).join(objects, objects.c.pk == rows.c.object_pk).where(meant)
    with ledger.reading() as connection:
        return {
            key: planned_row(row)
            for some in _some(keys)
            for key, *row in connection.execute(query.where(rows.c.key.in_(some)))
        }


def _some(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[at : at + ASKED_AT_ONCE] for at in range(0, len(texts), ASKED_AT_ONCE))


def is_new_to_scope(ledger: Ledger, run_id: str) -> bool:
    """Does the ledger know nothing of what the tenant of the run's scope holds?

    True when nothing of the scope was ever sent, and no run of the scope has looked into the tenant.
    """
    scope_pk = select(runs.c.scope_pk).where(runs.c.id == run_id).scalar_subquery()
    only_planned = and_(objects.c.state.in_(TO_SEND), objects.c.operation == Operation.CREATE)
    moved = exists().where(objects.c.scope_pk == scope_pk, ~only_planned)
    checked = exists().where(runs.c.scope_pk == scope_pk, runs.c.remote_check == RemoteCheck.DONE)
    with ledger.reading() as connection:
        return not connection.execute(select(or_(moved, checked))).scalar_one()


def set_remote_check(ledger: Ledger, run_id: str, check: RemoteCheck) -> None:
    """Record whether the run still has to look into the tenant before it sends, or has done so."""
    with ledger.transaction() as connection:
        connection.execute(update(runs).where(runs.c.id == run_id).values(remote_check=check))
