"""What a run created, and the run that deletes it again."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, literal, or_, select, true, update

from pipeline.ledger.schema import objects, row_bodies, row_cells, rows, runs, sources
from pipeline.ledger.sending import PLANNED_ROW, planned_row
from pipeline.ledger.staging import NewRun, insert_run
from pipeline.ledger.store import Ledger, now
from pipeline.ledger.transitions import PENDING, TAKER, THERE, leave_to, restore_objects, take_objects
from pipeline.ledger.views import FETCHED_AT_ONCE, run_info
from pipeline.model import Operation, PlannedRow, RunInfo, State


class CreatedRow(NamedTuple):
    """A row whose object is there, or was."""

    row: PlannedRow  # with the object's id and the body that was sent
    key: str
    source_pk: int
    row_number: int
    state: State
    is_adopted: bool  # the id comes from reading back, not from the answer to the create


class UndoPlan(NamedTuple):
    """What an undo has planned, and what it leaves alone."""

    planned: int
    adopted_left: int  # objects that the run adopted and did not see itself create


def created_rows(ledger: Ledger, run_id: str, *, with_missing: bool = True) -> Iterator[CreatedRow]:
    """Yield the run's rows whose values the tenant holds, as far as is known, in the order of reading.

    Those whose object is missing are among them, unless they are unwanted. Rows whose object a later run has updated
    are not: what the tenant holds is that run's.
    """
    condition = and_(rows.c.state.in_(THERE), objects.c.there_row_pk == rows.c.pk)
    if with_missing:
        is_missing = and_(rows.c.state == State.MISSING, objects.c.state == State.MISSING)
        condition = or_(condition, and_(is_missing, objects.c.row_pk == rows.c.pk))
    query = (
        select(*PLANNED_ROW, objects.c.key, rows.c.source_pk, rows.c.row_number, rows.c.state, objects.c.is_adopted)
        .join(objects, objects.c.pk == rows.c.object_pk)
        .where(rows.c.run_id == run_id, condition)
        .order_by(rows.c.pk)
    )
    with ledger.reading() as connection:
        for *row, key, source_pk, row_number, state, is_adopted in connection.execute(query).yield_per(FETCHED_AT_ONCE):
            yield CreatedRow(planned_row(row), key, source_pk, row_number, State(state), bool(is_adopted))


def begin_undo(ledger: Ledger, run: NewRun, parent_id: str, *, include_adopted: bool) -> UndoPlan:
    """Plan the deletion of what the parent created and the tenant still holds, as a run of its own.

    What another run waits to do to these objects is taken over. Objects that the parent only updated are left alone,
    and so are those that have a request with an unknown outcome: settle them first.
    """
    created = and_(TAKER.c.run_id == parent_id, TAKER.c.state == State.CREATED, objects.c.there_row_pk == TAKER.c.pk)
    is_wanted = true() if include_adopted else objects.c.is_adopted == 0
    with ledger.transaction() as connection:
        insert_run(connection, ledger, run._replace(parent_id=parent_id))
        connection.execute(update(runs).where(runs.c.id == run.id).values(planned_at=now()))
        leave_to(connection, and_(created, PENDING, is_wanted), run.id)
        theirs = select(rows.c.pk).where(rows.c.run_id == parent_id, rows.c.state == State.CREATED)
        restore_objects(connection, and_(PENDING, is_wanted, objects.c.there_row_pk.in_(theirs)))
        deletable = and_(created, objects.c.state.in_(THERE))
        planned = sum(
            _copy_source(connection, source_pk, run.id, and_(deletable, is_wanted))
            for source_pk in connection.execute(
                select(sources.c.pk).where(sources.c.run_id == parent_id).order_by(sources.c.pk)
            ).scalars()
        )
        adopted = select(func.count()).join_from(TAKER, objects, TAKER.c.object_pk == objects.c.pk)
        adopted_left = connection.execute(adopted.where(deletable, ~is_wanted)).scalar_one()
        take_objects(connection, and_(TAKER.c.run_id == run.id, TAKER.c.state == State.PLANNED), Operation.DELETE)
    return UndoPlan(planned, adopted_left)


def _copy_source(connection: Connection, source_pk: int, run_id: str, meant: ColumnElement[bool]) -> int:
    """Copy the source into the undo, with a row to delete for each of its rows that is meant; return how many."""
    same = [each for each in sources.c if each.name not in {"pk", "run_id", "rows_read", "blank_rows", "parents"}]
    copied = select(literal(run_id), literal(0), literal(0), *same).where(sources.c.pk == source_pk)
    names = ["run_id", "rows_read", "blank_rows", *(each.name for each in same)]
    new_pk = connection.execute(insert(sources).from_select(names, copied).returning(sources.c.pk)).scalar_one()
    kept = [TAKER.c[name] for name in ("row_number", "platform", "collection", "key", "fingerprint")]
    new = {"run_id": run_id, "source_pk": new_pk, "state": State.PLANNED.value, "operation": Operation.DELETE.value}
    to_delete = (
        select(*(literal(each) for each in new.values()), TAKER.c.object_pk, *kept)
        .join_from(TAKER, objects, TAKER.c.object_pk == objects.c.pk)
        .where(TAKER.c.source_pk == source_pk, meant)
        .order_by(TAKER.c.pk)
    )
    names = [*new, "object_pk", *(each.name for each in kept)]
    planned = connection.execute(insert(rows).from_select(names, to_delete)).rowcount
    for texts in (row_bodies, row_cells):
        of_object = (
            select(rows.c.pk, texts.c[texts.c.keys()[1]])
            .join_from(rows, objects, objects.c.pk == rows.c.object_pk)
            .join(texts, texts.c.row_pk == objects.c.there_row_pk)
            .where(rows.c.source_pk == new_pk)
            .order_by(rows.c.pk)
        )
        connection.execute(insert(texts).from_select(texts.c.keys(), of_object))
    connection.execute(update(sources).where(sources.c.pk == new_pk).values(rows_read=planned))
    return planned


def find_open_undo(ledger: Ledger, parent_id: str) -> RunInfo | None:
    """Return the latest undo of the run that still has something to delete or to settle, or None."""
    open_states = [State.PLANNED, State.UNSENT, State.SENDING, State.UNKNOWN]
    is_open = exists().where(
        rows.c.run_id == runs.c.id,
        rows.c.state.in_(open_states),
        objects.c.pk == rows.c.object_pk,
        objects.c.row_pk == rows.c.pk,
        objects.c.state.in_(open_states),
    )
    query = (
        select(runs.c.id)
        .where(runs.c.parent_id == parent_id, runs.c.verb == "undo", is_open)
        .order_by(runs.c.number.desc())
        .limit(1)
    )
    with ledger.reading() as connection:
        found = connection.execute(query).scalar()
    return run_info(ledger, found) if found is not None else None
