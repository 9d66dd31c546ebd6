"""Does the ledger agree with itself? Reads only, and all scopes of the file."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from pipeline.ledger.schema import counted_rows, events, objects, rows, runs, sources
from pipeline.ledger.store import Ledger
from pipeline.ledger.transitions import THERE
from pipeline.model import Operation, State

NAMED_AT_ONCE = 3

_PLANNED_AGAIN = {State.PLANNED, State.UNSENT}
_ANY_OPERATION = {
    State.PLANNED: {State.SENDING, State.UNSENT},
    State.SENDING: {State.UNKNOWN, *_PLANNED_AGAIN},
    State.UNSENT: {State.PLANNED},
    State.UNKNOWN: _PLANNED_AGAIN,
}

_OWN_STEPS: dict[Operation, dict[State, set[State]]] = {
    Operation.CREATE: {
        State.PLANNED: {State.ALREADY_THERE, State.CHANGED},  # found in the tenant before anything was sent
        State.SENDING: {State.CREATED, State.REJECTED},
        # Read back; or, of a row that waited for another run's, planned by the import-again table.
        State.UNKNOWN: {State.CREATED, State.CHANGED, State.ALREADY_THERE, State.REJECTED_BEFORE},
        State.CREATED: {State.MISSING, State.REVERSED},
        State.MISSING: {State.CREATED, State.PLANNED},
        State.CHANGED: {State.CREATED, State.PLANNED, State.UNSENT},  # looked at again
        State.REJECTED: {State.PLANNED},
        State.REJECTED_BEFORE: {State.PLANNED},
    },
    Operation.UPDATE: {
        State.PLANNED: {State.CHANGED, State.MISSING},  # looked at before the request
        State.SENDING: {State.UPDATED, State.REJECTED, State.CHANGED, State.MISSING},
        State.UNKNOWN: {State.UPDATED, State.CHANGED, State.MISSING},
        State.UPDATED: {State.MISSING, State.REVERSED},
        State.MISSING: {State.UPDATED},
        State.REJECTED: {State.PLANNED},
        State.REJECTED_BEFORE: {State.PLANNED},
    },
    Operation.DELETE: {
        State.PLANNED: {State.REVERSED, State.KEPT},  # looked at before the request
        State.SENDING: {State.REVERSED, State.KEPT, State.REJECTED},
        State.UNKNOWN: {State.REVERSED, State.KEPT},
    },
}

STEPS = frozenset(
    (operation, before, after)
    for operation, own in _OWN_STEPS.items()
    for before, afters in chain(_ANY_OPERATION.items(), own.items())
    for after in afters
)
"""Every step that a row can take: the operation it has then, the state it leaves, the state it comes to."""

EXISTING = or_(
    objects.c.state.in_(THERE),
    and_(
        objects.c.operation != Operation.CREATE,
        objects.c.state.in_([State.PLANNED, State.UNSENT, State.SENDING, State.UNKNOWN]),
    ),
)
"""The tenant has the object, as far as is known."""


def check_ledger(ledger: Ledger) -> list[str]:
    """Return a sentence for each thing that is wrong with the ledger; nothing when all is well.

    What a run that was killed leaves behind, such as rows that are sending, is not wrong. Raises LedgerError when the
    file is too damaged to be read.
    """
    with ledger.reading() as connection:
        damage = list(_damage(connection))
        # What rests on a damaged index or a missing row would be told again, as something else.
        return damage or list(_contradictions(connection))


def _damage(connection: Connection) -> Iterator[str]:
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if said != "ok":
            yield f"the file is damaged: {said}"
    for table, rowid, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"{table}, line {rowid}: it belongs to something in {parent} that is not there"


def _contradictions(connection: Connection) -> Iterator[str]:
    yield from _lost_rows(connection)
    yield from _impossible_steps(connection)
    yield from _orphans(connection)
    last = select(events.c.row_pk, func.max(events.c.pk).label("pk")).group_by(events.c.row_pk).subquery()
    by_event = _placed(events.c.state).join(last, last.c.row_pk == rows.c.pk).join(events, events.c.pk == last.c.pk)
    by_object = _placed(objects.c.state).join(objects, objects.c.pk == rows.c.object_pk)
    is_owner = objects.c.row_pk == rows.c.pk
    agrees = or_(
        rows.c.state == objects.c.state, and_(rows.c.state == State.ALREADY_THERE, objects.c.state == State.CREATED)
    )
    doubled = (
        select(objects.c.scope_pk, objects.c.graph_id)
        .where(EXISTING, objects.c.graph_id.is_not(None))
        .group_by(objects.c.scope_pk, objects.c.graph_id)
        .having(func.count() > 1)
        .subquery()
    )
    same_id = and_(doubled.c.scope_pk == objects.c.scope_pk, doubled.c.graph_id == objects.c.graph_id)
    doubles = _placed(objects.c.graph_id).join(objects, is_owner).join(doubled, same_id).where(EXISTING)
    for query, problem in (
        (by_event.where(events.c.state != rows.c.state), "the row is {state}, and its last event says {other}"),
        (by_object.where(is_owner, ~agrees), "the row is {state}, and its object is {other}"),
        (
            by_object.where(~is_owner, rows.c.state.in_([State.PLANNED, State.SENDING])),
            "the row is {state}, and its object belongs to another row, so it could be sent twice",
        ),
        (
            by_object.where(is_owner, objects.c.state.in_(THERE), objects.c.there_row_pk.is_distinct_from(rows.c.pk)),
            "the object is {other}, and nothing says that the tenant holds this row's values",
        ),
        (
            by_object.where(is_owner, EXISTING, func.coalesce(objects.c.graph_id, "") == ""),
            "the object is in the tenant, and its id is not known",
        ),
        (doubles, "the object has the id {other}, as another row's object has"),
    ):
        yield from _told(connection, query, problem)


def _lost_rows(connection: Connection) -> Iterator[str]:
    """Conservation: what was read is there, row by row."""
    read = (
        select(func.coalesce(func.sum(sources.c.rows_read - sources.c.blank_rows), 0))
        .where(sources.c.run_id == runs.c.id)
        .scalar_subquery()
    )
    kept = select(func.count()).where(rows.c.run_id == runs.c.id).scalar_subquery()
    counted = select(func.coalesce(func.sum(counted_rows.c.rows), 0)).where(counted_rows.c.run_id == runs.c.id)
    there = kept + counted.scalar_subquery()
    query = select(runs.c.id, read, there).where(runs.c.planned_at.is_not(None), read != there).order_by(runs.c.number)
    for run_id, rows_read, rows_there in connection.execute(query):
        yield f"run {run_id}: {rows_read:,} rows were read that are not blank, and the ledger holds {rows_there:,}"


def _orphans(connection: Connection) -> Iterator[str]:
    belongs = and_(rows.c.pk == objects.c.row_pk, rows.c.object_pk == objects.c.pk, rows.c.run_id == objects.c.run_id)
    query = select(objects.c.run_id, objects.c.pk).outerjoin(rows, belongs).where(rows.c.pk.is_(None))
    for run_id, object_pk in connection.execute(query.order_by(objects.c.pk)):
        yield f"run {run_id}, object {object_pk} of the ledger: it belongs to no row of that run"


def _impossible_steps(connection: Connection) -> Iterator[str]:
    """What a row was before its first event is not written down: it was planned by then, with any verdict."""
    before = func.lag(events.c.state).over(partition_by=events.c.row_pk, order_by=events.c.pk)
    step = select(events.c.row_pk, events.c.operation, before.label("before"), events.c.state).subquery()
    kinds = select(step.c.operation, step.c.before, step.c.state).distinct()
    reached = {(operation, after) for operation, _, after in STEPS}
    for operation, was, state in connection.execute(kinds).all():
        is_step = (operation, was, state) in STEPS if was is not None else (operation, state) in reached
        if not is_step:
            same = and_(step.c.operation == operation, step.c.before.is_not_distinct_from(was), step.c.state == state)
            query = _placed(step.c.before).join(step, step.c.row_pk == rows.c.pk).where(same)
            came = f"from {was} to {state}" if was else f"to {state}"
            yield from _told(connection, query, f"its {operation} went {came}, a step that there is not")


def _placed(other: ColumnElement[Any]) -> Select[Any]:
    """Select what `_told` needs of a row."""
    return (
        select(rows.c.run_id, sources.c.file, rows.c.row_number, rows.c.state, other)
        .select_from(rows)
        .join(sources, sources.c.pk == rows.c.source_pk)
        .order_by(rows.c.pk)
    )


def _told(connection: Connection, query: Select[Any], problem: str) -> Iterator[str]:
    """Yield a sentence for the first rows of the query, and one for how many more there are."""
    found = connection.execute(query)
    for run_id, file, number, state, other in found.fetchmany(NAMED_AT_ONCE):
        yield f"run {run_id}, {file}, row {number}: {problem.format(state=state, other=other)}"
    if more := len(found.all()):
        yield f"and {more:,} more row{'' if more == 1 else 's'} like the last one"
