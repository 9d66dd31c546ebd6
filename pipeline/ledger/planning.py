"""The plan: what is done with each row, now that all files are read. The import-again table of the design."""

from sqlalchemy import Connection, and_, case, exists, func, insert, literal, or_, select, update

from pipeline.findings import Code, finding
from pipeline.identity import KEY_VERSION
from pipeline.ledger.repeated import set_conflicting, set_duplicate
from pipeline.ledger.schema import because, objects, rows, runs
from pipeline.ledger.staging import staged_of
from pipeline.ledger.store import Ledger, now
from pipeline.ledger.transitions import PENDING, TAKER, THERE, explain, leave_to, restore_objects, take_objects
from pipeline.model import Operation, State

UNSETTLED = (State.SENDING, State.UNKNOWN, State.CHANGED)
"""States of an object of which the tenant must be asked first. Changed: it has one that this ledger never created."""

NOT_OURS = "the tenant has an object for this device and certificate that this ledger did not create, with other values"


def plan_run(ledger: Ledger, run_id: str, *, updates: bool = False) -> None:
    """Decide for each staged row what is done with it: the import-again table of the design, in one transaction.

    Staged rows become duplicate, conflicting, already there, rejected before, changed, unknown or planned. With
    `updates` a row that would be changed is planned as an update of its object.
    """
    with ledger.transaction() as connection:
        set_conflicting(connection, run_id)
        set_duplicate(connection, run_id)
        same_key = and_(objects.c.scope_pk == ledger.scope_pk, objects.c.key == rows.c.key)
        connection.execute(update(rows).where(staged_of(run_id), same_key).values(object_pk=objects.c.pk))
        _set_by_object(connection, run_id, State.STAGED, updates=updates)
        _add_objects(connection, ledger.scope_pk, run_id)
        connection.execute(update(runs).where(runs.c.id == run_id).values(planned_at=now()))


def replan_settled(ledger: Ledger, run_id: str, *, updates: bool) -> int:
    """Plan the run's rows that waited for a row of another run, now that it is settled; return how many.

    They go by the rules of `plan_run`. A row whose object turned out to be one that the tenant holds with other values,
    and that this ledger never created, is changed.
    """
    owner_changed = and_(objects.c.state == State.CHANGED, objects.c.row_pk != rows.c.pk)
    waiting = and_(rows.c.run_id == run_id, rows.c.state == State.UNKNOWN)
    not_ours = exists().where(objects.c.pk == rows.c.object_pk, owner_changed)
    count = select(func.count()).where(waiting)
    with ledger.transaction() as connection:
        before = connection.execute(count).scalar_one()
        not_ours_now = and_(waiting, not_ours)
        connection.execute(explain(not_ours_now, finding(Code.CHANGED, NOT_OURS)))
        connection.execute(update(rows).where(not_ours_now).values(**because(State.CHANGED, None)))
        _set_by_object(connection, run_id, State.UNKNOWN, updates=updates)
        return before - connection.execute(count).scalar_one()


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
    changed = {"state": State.PLANNED, "operation": Operation.UPDATE} if updates else {"state": State.CHANGED}
    for values, condition in (
        (ALREADY_THERE, and_(there, objects.c.fingerprint == rows.c.fingerprint)),
        ({"state": State.REJECTED_BEFORE}, refused),
        (changed, there),
    ):
        matches = exists().where(objects.c.pk == rows.c.object_pk, objects.c.row_pk != rows.c.pk, condition)
        connection.execute(update(rows).where(judged, matches).values(**because(State.PLANNED, None) | values))
    _explain(connection, run_id)

    updating = and_(TAKER.c.run_id == run_id, TAKER.c.state == State.PLANNED, TAKER.c.operation == Operation.UPDATE)
    take_objects(connection, and_(updating, there, TAKER.c.pk != objects.c.row_pk), Operation.UPDATE)
    # What is left never was created, or is not there any more.
    leave_to(connection, taking, run_id)
    take_objects(connection, taking, Operation.CREATE)
    own = exists().where(objects.c.pk == rows.c.object_pk, objects.c.row_pk == rows.c.pk, free)
    connection.execute(update(rows).where(judged, own).values(**because(State.PLANNED, None)))
    if state is State.STAGED:
        of_object = exists().where(objects.c.pk == rows.c.object_pk)
        why = select(WHY_UNKNOWN).where(objects.c.pk == rows.c.object_pk).scalar_subquery()
        connection.execute(update(rows).where(judged, of_object).values(state=State.UNKNOWN, graph_message=why))


ALREADY_THERE = {"state": State.ALREADY_THERE, "cells": None, "body": None}
"""Settled well and never sent: neither the raw cells nor the body are needed any more."""

WHY_UNKNOWN = case(
    (objects.c.state == State.CHANGED, "the tenant held an object like this with other values; it is looked at again"),
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
    new = select(
        literal(scope_pk),
        rows.c.key,
        literal(KEY_VERSION),
        rows.c.fingerprint,
        rows.c.collection,
        literal(State.PLANNED.value),
        literal(Operation.CREATE.value),
        rows.c.run_id,
        rows.c.pk,
        literal(now()),
    ).where(staged_of(run_id))
    names = ["scope_pk", "key", "key_version", "fingerprint", "collection", "state", "operation", "run_id", "row_pk"]
    connection.execute(insert(objects).from_select([*names, "changed_at"], new))
    same_key = and_(objects.c.scope_pk == scope_pk, objects.c.key == rows.c.key)
    planned = {"object_pk": objects.c.pk, "state": State.PLANNED}
    connection.execute(update(rows).where(staged_of(run_id), same_key).values(**planned))
