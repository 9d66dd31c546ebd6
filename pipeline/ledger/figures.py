"""What the ledger can count for a report's pictures. Reads only; the dates are cut out by SQLite."""

from collections import Counter
from itertools import chain

from sqlalchemy import Text, and_, case, cast, func, select

from pipeline.ledger.counted import counted_by
from pipeline.ledger.schema import body_of, counted_rows, events, objects, rows
from pipeline.ledger.store import Ledger
from pipeline.model import REFUSED, DayCount, State, StepCount

EXPIRATION = "$.certificateExpirationDateTime"


def step_counts(ledger: Ledger, run_id: str) -> list[StepCount]:
    """Return the steps of the run's rows by second and outcome, in the order of time."""
    second = func.substr(events.c.at, 1, 19)
    is_refused = and_(events.c.state == State.PLANNED, events.c.http_status == 429)
    outcome = case((is_refused, REFUSED), else_=events.c.state)
    is_told = is_refused | events.c.state.not_in([State.PLANNED, State.STAGED])
    # The events have an index by row, and a run's rows lie close together.
    first, last = (
        select(edge(rows.c.pk)).where(rows.c.run_id == run_id).scalar_subquery() for edge in (func.min, func.max)
    )
    query = (
        select(second, outcome, func.count())
        .where(events.c.row_pk.between(first, last), events.c.run_id == run_id, is_told)
        .group_by(second, outcome)
        .order_by(second, outcome)
    )
    with ledger.reading() as connection:
        return [StepCount(*each) for each in connection.execute(query)]


def expiry_counts(ledger: Ledger, run_id: str) -> list[DayCount]:
    """Return the valid rows of the run by the day on which their certificate expires, in the order of the days.

    Of a row whose object was there already it is the object's day.
    """
    there = rows.alias("there")
    body = cast(func.coalesce(body_of(rows), body_of(there)), Text)
    day = func.substr(func.json_extract(body, EXPIRATION), 1, 10)
    query = (
        select(day, func.count())
        .select_from(rows)
        .outerjoin(objects, objects.c.pk == rows.c.object_pk)
        .outerjoin(there, there.c.pk == objects.c.there_row_pk)
        .where(rows.c.run_id == run_id, day.is_not(None))
        .group_by(day)
    )
    counts = Counter[str]()
    with ledger.reading() as connection:
        for expires_on, n in chain(
            connection.execute(query), counted_by(connection, run_id, counted_rows.c.expires_on)
        ):
            counts[expires_on] += n
    return [DayCount(*each) for each in sorted(counts.items()) if each[0]]
