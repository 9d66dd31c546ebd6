"""The steps of rows and their objects: what each operation's outcome makes of the object. One table, one place."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    and_,
    bindparam,
    case,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)

from pipeline.findings import Finding
from pipeline.ledger.groups import DROP_CELLS, MOVE_OBJECTS, SET_ROWS, SET_THERE, write_lines
from pipeline.ledger.schema import because, findings, objects, rows
from pipeline.ledger.store import Ledger, now
from pipeline.model import Operation, State, Transition

TO_SEND = (State.PLANNED, State.UNSENT)

THERE = (State.CREATED, State.UPDATED)
"""States of an object that the tenant has, with no operation pending."""

PENDING = and_(objects.c.state.in_(TO_SEND), objects.c.operation != Operation.CREATE)
"""The object is in the tenant although its update or delete never left."""

SETTLED_WELL = frozenset({State.CREATED, State.UPDATED, State.ALREADY_THERE})
"""States of a row whose cells nobody has to mend any more."""

UNDER_WAY = frozenset({State.PLANNED, State.SENDING, State.UNSENT, State.UNKNOWN})
"""States that say nothing new of the object: what it was before an update or a delete, it may still be."""


def apply_transitions(ledger: Ledger, transitions: Sequence[Transition]) -> None:
    """Make the steps durable in one transaction, those of a row and of an object in the order given.

    Raises ValueError for a step that its operation cannot take, and writes nothing then.
    """
    steps = [_checked(each) for each in transitions]
    with ledger.transaction() as connection:
        for group in _groups(steps):
            _write(connection, group)


def _checked(step: Transition) -> Transition:
    operation, state = step.row.operation, step.state
    if (operation, state) == (Operation.UPDATE, State.CREATED):
        return step._replace(state=State.UPDATED)  # found again after it was missing: this row did not create it
    if state not in UNDER_WAY and (operation, state) not in OUTCOMES:
        raise ValueError(f"row {step.row.row_pk} of the ledger: {operation} cannot end as {state}")
    return step


def _groups(steps: Sequence[Transition]) -> Iterator[list[Transition]]:
    """Yield the steps in groups whose objects are written first, then their rows: no object is in one twice.

    What looks at other rows than its own is a group of its own.
    """
    group: list[Transition] = []
    object_pks: set[int] = set()
    for step in steps:
        looks_around = _move_of(step) in LOOKING_AROUND
        if group and (looks_around or step.row.object_pk in object_pks):
            yield group
            group, object_pks = [], set()
        group.append(step)
        object_pks.add(step.row.object_pk)
        if looks_around:
            yield group
            group, object_pks = [], set()
    if group:
        yield group


def _write(connection: Connection, group: Sequence[Transition]) -> None:
    # The objects before the rows, whose trigger writes the object's id into the event.
    by_move: dict[Move, list[Transition]] = {}
    for step in group:
        by_move.setdefault(_move_of(step), []).append(step)
    for move, steps in by_move.items():
        move(connection, steps)
    write_lines(connection, SET_ROWS, [_row_line(step) for step in group])
    settled = [(step.row.row_pk,) for step in group if step.state in SETTLED_WELL]
    write_lines(connection, DROP_CELLS, settled)
    for step in group:
        if step.finding is not None:
            connection.execute(explain(rows.c.pk == step.row.row_pk, step.finding))


def _row_line(step: Transition) -> tuple[Any, ...]:
    answer = step.answer
    return (
        step.row.row_pk,
        str(step.state),
        step.attempts,
        answer.http_status,
        answer.graph_code or None,
        answer.message or None,
        answer.request_id or None,
        answer.client_request_id or None,
    )


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


def explain(condition: ColumnElement[bool], found: Finding) -> Insert:
    """Return the statement that adds the finding to the rows that have none of its code yet."""
    told = select(literal(1)).where(findings.c.row_pk == rows.c.pk, findings.c.code == found.code)
    meant = select(rows.c.run_id, rows.c.source_pk, rows.c.pk, *(literal(each) for each in found))
    names = ["run_id", "source_pk", "row_pk", *found._fields]
    return insert(findings).from_select(names, meant.where(condition, ~told.exists()))


Move = Callable[[Connection, Sequence[Transition]], None]
"""What steps make of their objects."""

SET_REFUSED = (
    update(objects)
    .where(objects.c.pk == bindparam("at_pk"))
    .values(refused_fingerprint=select(rows.c.fingerprint).where(rows.c.pk == bindparam("of_row_pk")).scalar_subquery())
)


def _move_of(step: Transition) -> Move:
    return _move_objects if step.state in UNDER_WAY else OUTCOMES[step.row.operation, step.state]


def _move_objects(connection: Connection, steps: Sequence[Transition]) -> None:
    """The objects go with their rows, and what is known of the tenant stays as it was."""
    at = now()
    write_lines(
        connection,
        MOVE_OBJECTS,
        [(step.row.object_pk, str(step.state), str(step.row.operation), at) for step in steps],
    )


def _there(connection: Connection, steps: Sequence[Transition]) -> None:
    """The tenant holds the rows' values."""
    at = now()
    lines = []
    for step in steps:
        is_found = step.state is State.ALREADY_THERE
        state, is_adopted = (State.CREATED, True) if is_found else (step.state, step.is_adopted)
        graph_id = step.answer.object_id or None
        row = step.row
        lines.append((row.object_pk, row.row_pk, str(state), str(row.operation), at, int(is_adopted), graph_id))
    write_lines(connection, SET_THERE, lines)


def _refused(connection: Connection, steps: Sequence[Transition]) -> None:
    _move_objects(connection, steps)
    connection.execute(SET_REFUSED, [_of_row(step) for step in steps])


def _not_ours(connection: Connection, steps: Sequence[Transition]) -> None:
    """Objects with the key and other values are in the tenant, which this ledger never created."""
    _move_objects(connection, steps)
    for step in steps:
        connection.execute(update(objects).where(objects.c.pk == step.row.object_pk).values(graph_id=None))


def _update_refused(connection: Connection, steps: Sequence[Transition]) -> None:
    connection.execute(SET_REFUSED, [_of_row(step) for step in steps])
    _restored(connection, steps)


def _of_row(step: Transition) -> dict[str, int]:
    return {"at_pk": step.row.object_pk, "of_row_pk": step.row.row_pk}


def _restored(connection: Connection, steps: Sequence[Transition]) -> None:
    for step in steps:
        restore_objects(connection, objects.c.pk == step.row.object_pk)


def _missing(connection: Connection, steps: Sequence[Transition]) -> None:
    """The tenant has the object no more. A row that waits to change it has nothing to change."""
    (step,) = steps
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


def _reversed(connection: Connection, steps: Sequence[Transition]) -> None:
    """Every row that says it is there, in whatever run, says so no more."""
    (step,) = steps
    _move_objects(connection, steps)
    is_object = objects.c.pk == step.row.object_pk
    connection.execute(update(objects).where(is_object).values(there_row_pk=None))
    said = and_(rows.c.object_pk == step.row.object_pk, rows.c.state.in_(THERE))
    connection.execute(update(rows).where(said).values(state=State.REVERSED))


OUTCOMES: dict[tuple[Operation, State], Move] = {
    (Operation.CREATE, State.CREATED): _there,
    (Operation.CREATE, State.ALREADY_THERE): _there,
    (Operation.CREATE, State.CHANGED): _not_ours,
    (Operation.CREATE, State.REJECTED): _refused,
    (Operation.CREATE, State.MISSING): _missing,
    (Operation.UPDATE, State.UPDATED): _there,
    (Operation.UPDATE, State.REJECTED): _update_refused,
    (Operation.UPDATE, State.CHANGED): _restored,
    (Operation.UPDATE, State.MISSING): _missing,
    (Operation.DELETE, State.REVERSED): _reversed,
    (Operation.DELETE, State.KEPT): _restored,
    (Operation.DELETE, State.REJECTED): _restored,
}
"""What the outcome of an operation makes of the object, for every outcome that there is."""

LOOKING_AROUND = frozenset({_missing, _reversed})
"""What writes other rows than those of the steps."""
