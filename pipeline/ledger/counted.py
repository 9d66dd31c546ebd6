"""Valid rows of a dry run that are counted and not kept: there is nothing to tell of them one by one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, func, select, update
from sqlalchemy.dialects.sqlite import insert

from pipeline.ledger.schema import counted_rows, sources
from pipeline.ledger.store import Ledger


class Counted(NamedTuple):
    """What all rows of one count have in common. They would be created."""

    collection: str
    platform: str
    expires_on: str  # YYYY-MM-DD as the row's own offset has it, or "" where the row names no day


def count_rows(ledger: Ledger, run_id: str, source_pk: int, counted: Mapping[Counted, int]) -> None:
    """Add valid rows of the source that are not kept, in one transaction; counts of earlier calls grow.

    They count as rows read, and as planned creates wherever the rows of a run are counted. Nothing can be sent of them
    nor told of one of them, so this is for the spool of a dry run alone.
    """
    if not counted:
        return
    values = [
        {"run_id": run_id, "source_pk": source_pk, **kind._asdict(), "rows": rows} for kind, rows in counted.items()
    ]
    new = insert(counted_rows)
    grown = new.on_conflict_do_update(
        index_elements=["source_pk", "collection", "platform", "expires_on"],
        set_={"rows": counted_rows.c.rows + new.excluded.rows},
    )
    with ledger.transaction() as connection:
        connection.execute(grown, values)
        read = sources.c.rows_read + sum(counted.values())
        connection.execute(update(sources).where(sources.c.pk == source_pk).values(rows_read=read))


def counted_by(connection: Connection, run_id: str, *columns: Column[Any]) -> list[tuple[Any, ...]]:
    """Return (value of each column of `counted_rows`, ..., rows), in the order in which they were counted first."""
    total = func.sum(counted_rows.c.rows)
    query = select(*columns, total).where(counted_rows.c.run_id == run_id).group_by(*columns)
    return [tuple(each) for each in connection.execute(query.order_by(func.min(counted_rows.c.pk)))]


def counted_in_all(connection: Connection, run_id: str) -> int:
    """Return the number of the run's rows that are counted and not kept."""
    query = select(func.coalesce(func.sum(counted_rows.c.rows), 0)).where(counted_rows.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())
