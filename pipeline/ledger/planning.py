"""The plan: what is done with each row, now that all files are read. The import-again table of the design."""

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from pipeline.findings import Code, finding
from pipeline.identity import KEY_VERSION
from pipeline.ledger.repeated import set_repeated
from pipeline.ledger.schema import because, objects, rows, runs
from pipeline.ledger.staging import drop_texts, staged_of
from pipeline.ledger.store import Ledger, now
from pipeline.ledger.transitions import PENDING, TAKER, THERE, TO_SEND, explain, leave_to, restore_objects, take_objects
from pipeline.model import Operation, RemoteCheck, State

UNSETTLED = (State.SENDING, State.UNKNOWN)
"""States of an object of which the tenant must be asked first."""

ONCE_THERE = (State.MISSING, State.REVERSED, State.CHANGED)
"""States of an object that was in the tenant, ours or another's: nobody creates it anew without a look."""


def plan_run(ledger: Ledger, run_id: str, *, updates: bool = False, looks: bool | None = None) -> None:
    """Decide for each staged row what is done with it: the import-again table of the design, in one transaction.

    Staged rows become duplicate, conflicting, already there, rejected before, changed, unknown or planned. With
    `updates` a row that would be changed is planned as an update of its object, unless it lacks a value that the object
    has: an update cannot take a value away.

    A look into the tenant becomes due with `looks`, or where that is None: when the run is the first to create in one
    of its collections, or when the last look was not finished or found objects of others. It is due in any case when
    what was there once is to be created again.
    """
    with ledger.transaction() as connection:
        set_repeated(connection, run_id)
        same_key = and_(objects.c.scope_pk == ledger.scope_pk, objects.c.key == rows.c.key)
        with_object = update(rows).where(staged_of(run_id), same_key).values(object_pk=objects.c.pk)
        if connection.execute(with_object).rowcount:
            _set_by_object(connection, run_id, State.STAGED, updates=updates)
        _add_objects(connection, ledger.scope_pk, run_id)
        if looks or (looks is None and _knows_too_little(connection, ledger.scope_pk, run_id)):
            _make_look_due(connection, run_id)
        connection.execute(update(runs).where(runs.c.id == run_id).values(planned_at=now()))


def replan_settled(ledger: Ledger, run_id: str, *, updates: bool) -> int:
    """Plan the run's rows that waited for a row of another run, now that it is settled; return how many.

    They go by the rules of `plan_run`. Where a later run has the object by now, its values count: the row is unsent.
    """
    waiting = and_(rows.c.run_id == run_id, rows.c.state == State.UNKNOWN)
    count = select(func.count()).where(waiting)
    with ledger.transaction() as connection:
        before = int(connection.execute(count).scalar_one())
        if not before:
            return 0
        own, owner = runs.alias("own"), runs.alias("owner")
        is_later = and_(own.c.id == run_id, owner.c.id == objects.c.run_id, owner.c.number > own.c.number)
        settled = and_(objects.c.pk == rows.c.object_pk, objects.c.state.not_in(UNSETTLED))
        outdated = exists().where(settled, is_later)
        message = "a later run has newer values for this object, so these are not sent"
        connection.execute(update(rows).where(waiting, outdated).values(**because(State.UNSENT, message)))
        _set_by_object(connection, run_id, State.UNKNOWN, updates=updates)
        return before - int(connection.execute(count).scalar_one())


def _set_by_object(connection: Connection, run_id: str, state: State, *, updates: bool) -> None:
    """Judge the run's rows in the state, which have an object of another row, by what is known of that object."""
    free = objects.c.state.not_in(UNSETTLED)
    taking = and_(TAKER.c.run_id == run_id, TAKER.c.state == state, TAKER.c.pk != objects.c.row_pk, free)
    # An update or delete that never left leaves the object as it was: the newest row decides from there.
    leave_to(connection, and_(taking, PENDING), run_id)
    waited_for = select(TAKER.c.object_pk).where(TAKER.c.run_id == run_id, TAKER.c.state == state)
    restore_objects(connection, and_(objects.c.pk.in_(waited_for), PENDING))

    there = objects.c.state.in_(THERE)
    refused = and_(or_(there, objects.c.state == State.REJECTED), objects.c.refused_fingerprint == rows.c.fingerprint)
    judged = and_(rows.c.run_id == run_id, rows.c.state == state)
    updated = {"state": State.PLANNED, "operation": Operation.UPDATE}

    def matching(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(objects.c.pk == rows.c.object_pk, objects.c.row_pk != rows.c.pk, condition)

    if updates:
        connection.execute(
            explain(and_(judged, matching(and_(there, TAKES_A_VALUE_AWAY))), finding(Code.CHANGED, EMPTIES))
        )
    is_same = and_(there, objects.c.fingerprint == rows.c.fingerprint)
    # Settled well and never sent: neither the raw cells nor the body are needed any more.
    drop_texts(connection, and_(judged, matching(is_same)))
    for values, condition in (
        ({"state": State.ALREADY_THERE}, is_same),
        ({"state": State.REJECTED_BEFORE}, refused),
        (updated, and_(there, not_(TAKES_A_VALUE_AWAY)) if updates else false()),
        ({"state": State.CHANGED}, there),
    ):
        connection.execute(
            update(rows).where(judged, matching(condition)).values(**because(State.PLANNED, None) | values)
        )
    _explain(connection, run_id)

    updating = and_(TAKER.c.run_id == run_id, TAKER.c.state == State.PLANNED, TAKER.c.operation == Operation.UPDATE)
    take_objects(connection, and_(updating, there, TAKER.c.pk != objects.c.row_pk), Operation.UPDATE)
    # What is left never was created, or is not there any more.
    once_there = exists().where(taking, TAKER.c.object_pk == objects.c.pk, objects.c.state.in_(ONCE_THERE))
    if connection.execute(select(once_there)).scalar_one():
        _make_look_due(connection, run_id)
    leave_to(connection, taking, run_id)
    take_objects(connection, taking, Operation.CREATE)
    own = exists().where(objects.c.pk == rows.c.object_pk, objects.c.row_pk == rows.c.pk, free)
    connection.execute(update(rows).where(judged, own).values(**because(State.PLANNED, None)))
    if state is State.STAGED:
        of_object = exists().where(objects.c.pk == rows.c.object_pk)
        why = select(WHY_UNKNOWN).where(objects.c.pk == rows.c.object_pk).scalar_subquery()
        connection.execute(update(rows).where(judged, of_object).values(state=State.UNKNOWN, graph_message=why))


EMPTIES = "the object has a value that this row leaves empty, and an update cannot take a value away; nothing was sent"


TAKES_A_VALUE_AWAY: ColumnElement[bool] = literal_column(
    """EXISTS (SELECT 1 FROM row_bodies AS held, json_each(iif(json_valid(CAST(held.body AS TEXT)),
                                                              CAST(held.body AS TEXT), '{}')) AS there
               WHERE held.row_pk = objects.there_row_pk AND there.key NOT LIKE '@%'
                 AND (SELECT json_type(CAST(own.body AS TEXT), '$."' || there.key || '"')
                      FROM row_bodies AS own WHERE own.row_pk = rows.pk) IS NULL)""",
    Boolean,
)
"""The condition that the body which the tenant holds has a property that the row's body has not. SQLite's JSON."""


def _make_look_due(connection: Connection, run_id: str) -> None:
    connection.execute(update(runs).where(runs.c.id == run_id).values(remote_check=RemoteCheck.DUE))


def _knows_too_little(connection: Connection, scope_pk: int, run_id: str) -> bool:
    """Does the ledger know too little of what the tenant holds to create the run's rows without a look?"""
    earlier = and_(runs.c.scope_pk == scope_pk, runs.c.id != run_id, runs.c.remote_check.is_not(None))
    last = select(runs.c.remote_check).where(earlier).order_by(runs.c.number.desc()).limit(1)
    if connection.execute(last).scalar() in {RemoteCheck.DUE, RemoteCheck.STRANGERS}:
        return True
    creates = and_(rows.c.run_id == run_id, rows.c.state == State.PLANNED, rows.c.operation == Operation.CREATE)
    collections = select(rows.c.collection).where(creates).distinct()
    waits = and_(objects.c.state.in_(TO_SEND), objects.c.operation == Operation.CREATE)
    used = select(objects.c.collection).where(objects.c.scope_pk == scope_pk, not_(waits)).distinct()
    return bool(set(connection.execute(collections).scalars()) - set(connection.execute(used).scalars()))


WHY_UNKNOWN = case(
    (
        objects.c.operation == Operation.UPDATE,
        "an earlier run sent an update of this object and lost the answer; it may or may not have been updated",
    ),
    (
        objects.c.operation == Operation.DELETE,
        "an earlier run was deleting this object and lost the answer; it may or may not have been deleted",
    ),
    else_="an earlier run sent this row and lost the answer; it may or may not have been created",
)


def _explain(connection: Connection, run_id: str) -> None:
    for state, found in (
        (State.CHANGED, finding(Code.CHANGED, "created before with other values")),
        (State.REJECTED_BEFORE, finding(Code.REJECTED_BEFORE, "the service refused this row before")),
    ):
        connection.execute(explain(and_(rows.c.run_id == run_id, rows.c.state == state), found))


def _add_objects(connection: Connection, scope_pk: int, run_id: str) -> None:
    """Plan what is still staged: nothing is known of its key yet."""
    last = connection.execute(select(func.coalesce(func.max(objects.c.pk), 0))).scalar_one()
    first = connection.execute(select(func.min(rows.c.pk)).where(staged_of(run_id))).scalar_one()
    if first is None:
        return
    # Numbered like their rows, so that the rows need not look for them by key once more.
    object_pk = rows.c.pk + (last + 1 - first)
    new = {
        "pk": object_pk,
        "scope_pk": literal(scope_pk),
        "key": rows.c.key,
        "key_version": literal(KEY_VERSION),
        "fingerprint": rows.c.fingerprint,
        "collection": rows.c.collection,
        "state": literal(State.PLANNED.value),
        "operation": literal(Operation.CREATE.value),
        "run_id": rows.c.run_id,
        "row_pk": rows.c.pk,
        "changed_at": literal(now()),
    }
    in_order = select(*new.values()).where(staged_of(run_id)).order_by(rows.c.pk)
    connection.execute(insert(objects).from_select(list(new), in_order))
    connection.execute(update(rows).where(staged_of(run_id)).values(object_pk=object_pk, state=State.PLANNED))
