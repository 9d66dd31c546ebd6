"""The steps of rows and their objects: what each operation's outcome makes of the object. One table, one place."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)

from pipeline.findings import Finding
from pipeline.ledger.schema import because, findings, objects, rows
from pipeline.ledger.store import Ledger, now
from pipeline.model import Operation, State, Transition

TO_SEND = (State.PLANNED, State.UNSENT)

THERE = (State.CREATED, State.UPDATED)
"""States of an object that the tenant has, with no operation pending."""

PENDING = and_(objects.c.state.in_(TO_SEND), objects.c.operation != Operation.CREATE)
"""The object is in the tenant although its update or delete never left."""

UNDER_WAY = frozenset({State.PLANNED, State.SENDING, State.UNSENT, State.UNKNOWN})
"""States that say nothing new of the object: what it was before an update or a delete, it may still be."""


def apply_transitions(ledger: Ledger, transitions: Sequence[Transition]) -> None:
    """Make the steps durable in one transaction, in the order given.

    Raises ValueError for a step that its operation cannot take, and writes nothing then.
    """
    with ledger.transaction() as connection:
        for each in transitions:
            _apply(connection, each)


def restore_objects(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Give the objects back to the rows whose values the tenant holds, as if the pending operation had never been."""
    there = rows.alias("there")
    operation = case((there.c.operation == Operation.UPDATE, Operation.UPDATE), else_=Operation.CREATE)
    state = case((there.c.operation == Operation.UPDATE, State.UPDATED), else_=State.CREATED)
    connection.execute(
        update(objects)
        .where(condition, there.c.pk == objects.c.there_row_pk)
        .values(
            state=state,
            operation=operation,
            row_pk=there.c.pk,
            run_id=there.c.run_id,
            fingerprint=there.c.fingerprint,
            changed_at=now(),
        )
    )


TAKER = rows.alias("taker")
"""The row that takes an object over, in the conditions for `take_objects`."""


def take_objects(connection: Connection, condition: ColumnElement[bool], operation: Operation) -> None:
    """Plan the operation on the objects of the rows `TAKER` that fulfil the condition; these rows own them from now on.

    The rows' own state is the caller's to set. What an object's earlier owner waits for is the caller's to end.
    """
    values = {
        "state": literal(State.PLANNED),
        "operation": literal(operation),
        "run_id": TAKER.c.run_id,
        "row_pk": TAKER.c.pk,
        "changed_at": literal(now()),
    }
    if operation is Operation.CREATE:
        nothing = dict.fromkeys(("graph_id", "there_row_pk", "refused_fingerprint"), null())
        values |= nothing | {"is_adopted": literal(0), "fingerprint": TAKER.c.fingerprint}
    connection.execute(update(objects).where(TAKER.c.object_pk == objects.c.pk, condition).values(**values))


def leave_to(connection: Connection, condition: ColumnElement[bool], run_id: str) -> None:
    """Leave the rows unsent that own the objects of the rows `TAKER` which fulfil the condition: the run goes on."""
    waiting = select(objects.c.row_pk).where(TAKER.c.object_pk == objects.c.pk, objects.c.state.in_(TO_SEND), condition)
    taken_over = because(State.UNSENT, f"taken over by run {run_id}")
    connection.execute(update(rows).where(rows.c.pk.in_(waiting)).values(**taken_over))


def _apply(connection: Connection, step: Transition) -> None:
    if (step.row.operation, step.state) == (Operation.UPDATE, State.CREATED):
        step = step._replace(state=State.UPDATED)  # found again after it was missing: this row did not create it
    operation, state = step.row.operation, step.state
    move = _move_object if state in UNDER_WAY else OUTCOMES.get((operation, state))
    if move is None:
        raise ValueError(f"row {step.row.row_pk} of the ledger: {operation} cannot end as {state}")
    # The object before the row, whose trigger writes the object's id into the event.
    move(connection, step)
    answer = step.answer
    connection.execute(
        SET_ROW,
        {
            "at_pk": step.row.row_pk,
            "state": state,
            "attempts": step.attempts,
            "http_status": answer.http_status,
            "graph_code": answer.graph_code or None,
            "graph_message": answer.message or None,
            "request_id": answer.request_id or None,
            "client_request_id": answer.client_request_id or None,
        },
    )
    if state in {State.CREATED, State.UPDATED, State.ALREADY_THERE}:
        connection.execute(DROP_CELLS, {"at_pk": step.row.row_pk})
    if step.finding is not None:
        connection.execute(explain(rows.c.pk == step.row.row_pk, step.finding))


def explain(condition: ColumnElement[bool], found: Finding) -> Insert:
    """Return the statement that adds the finding to the rows that have none of its code yet."""
    told = select(literal(1)).where(findings.c.row_pk == rows.c.pk, findings.c.code == found.code)
    meant = select(rows.c.run_id, rows.c.source_pk, rows.c.pk, *(literal(each) for each in found))
    names = ["run_id", "source_pk", "row_pk", *found._fields]
    return insert(findings).from_select(names, meant.where(condition, ~told.exists()))


SET_ROW = (
    update(rows)
    .where(rows.c.pk == bindparam("at_pk"))
    .values({name: bindparam(name) for name in ("state", "attempts", "http_status", "graph_code", "graph_message")})
    .values({name: bindparam(name) for name in ("request_id", "client_request_id")})
)
DROP_CELLS = update(rows).where(rows.c.pk == bindparam("at_pk")).values(cells=None)
MOVE_OBJECT = (
    update(objects)
    .where(objects.c.pk == bindparam("at_pk"))
    .values({name: bindparam(name) for name in ("state", "operation", "changed_at")})
)
OF_ROW = rows.c.pk == bindparam("of_row_pk")
FINGERPRINT = select(rows.c.fingerprint).where(OF_ROW).scalar_subquery()
SET_THERE = MOVE_OBJECT.values(
    # Found again, an object stays adopted that was; a new one never was, because planning its create says so.
    is_adopted=case((bindparam("to_adopted") == 1, 1), else_=objects.c.is_adopted),
    graph_id=func.coalesce(bindparam("to_graph_id"), objects.c.graph_id),
    row_pk=bindparam("of_row_pk"),
    run_id=select(rows.c.run_id).where(OF_ROW).scalar_subquery(),
    there_row_pk=bindparam("of_row_pk"),
    fingerprint=FINGERPRINT,
    refused_fingerprint=None,
)
SET_REFUSED = update(objects).where(objects.c.pk == bindparam("at_pk")).values(refused_fingerprint=FINGERPRINT)


def _moved(step: Transition, state: State) -> dict[str, Any]:
    operation = step.row.operation
    return {"at_pk": step.row.object_pk, "state": state, "operation": operation, "changed_at": now()}


def _move_object(connection: Connection, step: Transition) -> None:
    """The object goes with its row, and what is known of the tenant stays as it was."""
    connection.execute(MOVE_OBJECT, _moved(step, step.state))


def _created(connection: Connection, step: Transition) -> None:
    _set_there(connection, step, step.state, is_adopted=step.is_adopted)


def _already_there(connection: Connection, step: Transition) -> None:
    _set_there(connection, step, State.CREATED, is_adopted=True)


def _set_there(connection: Connection, step: Transition, state: State, *, is_adopted: bool) -> None:
    """The tenant holds the row's values."""
    there = {
        "to_adopted": int(is_adopted),
        "to_graph_id": step.answer.object_id or None,
        "of_row_pk": step.row.row_pk,
    }
    connection.execute(SET_THERE, _moved(step, state) | there)


def _refused(connection: Connection, step: Transition) -> None:
    _move_object(connection, step)
    connection.execute(SET_REFUSED, {"at_pk": step.row.object_pk, "of_row_pk": step.row.row_pk})


def _not_ours(connection: Connection, step: Transition) -> None:
    """An object with the key and other values is in the tenant, which this ledger never created."""
    _move_object(connection, step)
    connection.execute(update(objects).where(objects.c.pk == step.row.object_pk).values(graph_id=None))


def _update_refused(connection: Connection, step: Transition) -> None:
    connection.execute(SET_REFUSED, {"at_pk": step.row.object_pk, "of_row_pk": step.row.row_pk})
    _restored(connection, step)


def _restored(connection: Connection, step: Transition) -> None:
    restore_objects(connection, objects.c.pk == step.row.object_pk)


def _missing(connection: Connection, step: Transition) -> None:
    """The tenant has the object no more. A row that waits to change it has nothing to change."""
    is_object, is_owner = objects.c.pk == step.row.object_pk, objects.c.row_pk == step.row.row_pk
    waiting = select(objects.c.row_pk).where(is_object, PENDING, ~is_owner)
    message = "the object that this row was to change is missing from the tenant; import the row again"
    connection.execute(update(rows).where(rows.c.pk.in_(waiting)).values(**because(State.UNSENT, message)))
    run_id = select(rows.c.run_id).where(rows.c.pk == step.row.row_pk).scalar_subquery()
    # Another row's request with an unknown outcome is settled in its own way, and finds the object missing as well.
    connection.execute(
        update(objects)
        .where(is_object, or_(is_owner, objects.c.state.in_(THERE), PENDING))
        .values(
            state=State.MISSING,
            operation=step.row.operation,
            row_pk=step.row.row_pk,
            run_id=run_id,
            there_row_pk=None,
            changed_at=now(),
        )
    )


def _reversed(connection: Connection, step: Transition) -> None:
    """Every row that says it is there, in whatever run, says so no more."""
    _move_object(connection, step)
    is_object = objects.c.pk == step.row.object_pk
    connection.execute(update(objects).where(is_object).values(there_row_pk=None))
    said = and_(rows.c.object_pk == step.row.object_pk, rows.c.state.in_(THERE))
    connection.execute(update(rows).where(said).values(state=State.REVERSED))


OUTCOMES: dict[tuple[Operation, State], Callable[[Connection, Transition], None]] = {
    (Operation.CREATE, State.CREATED): _created,
    (Operation.CREATE, State.ALREADY_THERE): _already_there,
    (Operation.CREATE, State.CHANGED): _not_ours,
    (Operation.CREATE, State.REJECTED): _refused,
    (Operation.CREATE, State.MISSING): _missing,
    (Operation.UPDATE, State.UPDATED): _created,
    (Operation.UPDATE, State.REJECTED): _update_refused,
    (Operation.UPDATE, State.CHANGED): _restored,
    (Operation.UPDATE, State.MISSING): _missing,
    (Operation.DELETE, State.REVERSED): _reversed,
    (Operation.DELETE, State.KEPT): _restored,
    (Operation.DELETE, State.REJECTED): _restored,
}
"""What the outcome of an operation makes of the object, for every outcome that there is."""
