"""The ledger's side of send: rows to send, durable intents and outcomes, what a dead run left behind."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, update

from pipeline.ledger.schema import because, objects, rows, runs
from pipeline.ledger.store import Ledger, now
from pipeline.model import PlannedRow, State, Transition


def settle_leftovers(ledger: Ledger) -> int:
    """Set what a dead process was sending to unknown; return how many. Only the lock's holder may call it."""
    with ledger.transaction() as connection:
        leftover = (objects.c.scope_pk == ledger.scope_pk) & (objects.c.state == State.SENDING)
        message = "the program ended before the answer came; the row may or may not have been created"
        connection.execute(
            update(rows)
            .where(rows.c.pk.in_(select(objects.c.row_pk).where(leftover)))
            .values(state=State.UNKNOWN, graph_message=message)
        )
        return connection.execute(
            update(objects).where(leftover).values(state=State.UNKNOWN, changed_at=now())
        ).rowcount


def planned_collections(ledger: Ledger, run_id: str) -> list[tuple[str, int]]:
    """Return the collections that the run has planned rows for, with their number, in the order of reading."""
    query = (
        select(rows.c.collection, func.count())
        .where(_planned(run_id))
        .group_by(rows.c.collection)
        .order_by(func.min(rows.c.pk))
    )
    with ledger.reading() as connection:
        return [(collection, count) for collection, count in connection.execute(query)]


def next_planned(ledger: Ledger, run_id: str, collection: str, *, after_pk: int, most: int) -> list[PlannedRow]:
    """Return the collection's next planned rows in the order of reading, at most `most`."""
    query = (
        select(rows.c.object_pk, rows.c.pk, rows.c.collection, rows.c.body, rows.c.attempts)
        .where(_planned(run_id), rows.c.collection == collection, rows.c.pk > after_pk)
        .order_by(rows.c.pk)
        .limit(most)
    )
    with ledger.reading() as connection:
        return [PlannedRow(*each) for each in connection.execute(query)]


def apply_transitions(ledger: Ledger, transitions: Sequence[Transition]) -> None:
    """Make the steps durable in one transaction, in the order given."""
    with ledger.transaction() as connection:
        for each in transitions:
            _apply(connection, each)


def leave_unsent(ledger: Ledger, run_id: str, message: str, *, collection: str | None = None) -> int:
    """Set the run's planned rows, of one collection or of all, to unsent with the reason; return how many.

    `resume` plans them again.
    """
    condition = _planned(run_id)
    if collection is not None:
        condition &= rows.c.collection == collection
    with ledger.transaction() as connection:
        object_pks = select(rows.c.object_pk).where(condition)
        connection.execute(
            update(objects).where(objects.c.pk.in_(object_pks)).values(state=State.UNSENT, changed_at=now())
        )
        return connection.execute(update(rows).where(condition).values(**because(State.UNSENT, message))).rowcount


def plan_again(ledger: Ledger, run_id: str) -> None:
    """Plan the run's unsent rows again, but for those that a later run has taken over."""
    mine = and_(objects.c.scope_pk == ledger.scope_pk, objects.c.state == State.UNSENT, objects.c.run_id == run_id)
    with ledger.transaction() as connection:
        own = rows.c.pk.in_(select(objects.c.row_pk).where(mine))
        connection.execute(update(rows).where(own).values(**because(State.PLANNED, None)))
        connection.execute(update(objects).where(mine).values(state=State.PLANNED, changed_at=now()))
        reopened = update(runs).where(runs.c.id == run_id)
        connection.execute(reopened.values(ended_at=None, stop=None, stop_message=None))


def _planned(run_id: str) -> ColumnElement[bool]:
    return and_(rows.c.run_id == run_id, rows.c.state == State.PLANNED)


SET_ROW = (
    update(rows)
    .where(rows.c.pk == bindparam("at_pk"))
    .values({name: bindparam(name) for name in ("state", "attempts", "http_status", "graph_code", "graph_message")})
    .values({name: bindparam(name) for name in ("request_id", "client_request_id")})
)
DROP_CELLS = update(rows).where(rows.c.pk == bindparam("at_pk")).values(cells=None)
SET_OBJECT = (
    update(objects)
    .where(objects.c.pk == bindparam("at_pk"))
    .values({name: bindparam(name) for name in ("state", "graph_id", "changed_at")})
)


def _apply(connection: Connection, step: Transition) -> None:
    answer = step.answer
    connection.execute(
        SET_ROW,
        {
            "at_pk": step.row.row_pk,
            "state": step.state,
            "attempts": step.attempts,
            "http_status": answer.http_status,
            "graph_code": answer.graph_code or None,
            "graph_message": answer.message or None,
            "request_id": answer.request_id or None,
            "client_request_id": answer.client_request_id or None,
        },
    )
    connection.execute(
        SET_OBJECT,
        {
            "at_pk": step.row.object_pk,
            "state": step.state,
            "graph_id": answer.object_id or None,
            "changed_at": now(),
        },
    )
    if step.state is State.CREATED:
        connection.execute(DROP_CELLS, {"at_pk": step.row.row_pk})
