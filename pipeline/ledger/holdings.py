"""Who has a say in a run's objects now: the run itself, or another one that has sent to them since. Reads only."""

from typing import NamedTuple

from sqlalchemy import and_, func, select

from pipeline.ledger.schema import objects, rows, runs
from pipeline.ledger.store import Ledger
from pipeline.ledger.transitions import THERE
from pipeline.model import Operation, State

IN_DOUBT = (State.SENDING, State.UNKNOWN)
"""States of an object whose last request may or may not have taken effect."""


class Holding(NamedTuple):
    """How many of a run's rows stand the same way with their objects."""

    row_state: State  # created, updated, or missing
    object_state: State
    owner_id: str  # the run whose request to the object was the last one
    holder_id: str  # the run whose values the tenant holds, as far as is known; "" where it holds none
    holder_operation: Operation | None  # how these values came there; None where it holds none
    is_adopted: bool  # the object's id comes from reading back, not from the answer to its create
    rows: int

    @property
    def is_in_doubt(self) -> bool:
        """True when it is not known whether the last request to the object took effect."""
        return self.object_state in IN_DOUBT


def holdings(ledger: Ledger, run_id: str) -> list[Holding]:
    """Return how the rows stand of which the run says that their object is there or is missing, by the order of runs.

    A run has one such row for an object at most.
    """
    there, holder, owner = rows.alias("there"), runs.alias("holder"), runs.alias("owner")
    kinds = (rows.c.state, objects.c.state, owner.c.id, holder.c.id, there.c.operation, objects.c.is_adopted)
    query = (
        select(*kinds, func.count())
        .select_from(rows)
        .join(objects, objects.c.pk == rows.c.object_pk)
        .join(owner, owner.c.id == objects.c.run_id)
        .outerjoin(there, there.c.pk == objects.c.there_row_pk)
        .outerjoin(holder, holder.c.id == there.c.run_id)
        .where(rows.c.run_id == run_id, rows.c.state.in_([*THERE, State.MISSING]))
        .group_by(*kinds)
        .order_by(owner.c.number, holder.c.number, *kinds)
    )
    with ledger.reading() as connection:
        return [
            Holding(
                State(row_state),
                State(object_state),
                owner_id,
                holder_id or "",
                Operation(operation) if operation else None,
                bool(is_adopted),
                count,
            )
            for row_state, object_state, owner_id, holder_id, operation, is_adopted, count in connection.execute(query)
        ]


def orphaned_rows(ledger: Ledger, run_id: str) -> int:
    """Return the number of the run's unsent rows that no run is going to send, and that no later import stands in for.

    Their object went missing, or an undo took it, before they were sent.
    """
    mine = runs.alias("mine")
    other, later = rows.alias("other"), runs.alias("later")
    stands_in = (
        select(other.c.pk)
        .join(later, later.c.id == other.c.run_id)
        .where(other.c.object_pk == rows.c.object_pk, later.c.number > mine.c.number, later.c.verb != "undo")
        .exists()
    )
    query = (
        select(func.count())
        .select_from(rows)
        .join(objects, and_(objects.c.pk == rows.c.object_pk, objects.c.row_pk != rows.c.pk))
        .join(mine, mine.c.id == rows.c.run_id)
        .where(rows.c.run_id == run_id, rows.c.state.in_([State.PLANNED, State.UNSENT]), mine.c.verb != "undo")
        .where(~stands_in)
    )
    with ledger.reading() as connection:
        return connection.execute(query).scalar_one()
