"""How much the ledger holds, over all scopes. Reads only."""

from typing import NamedTuple

from sqlalchemy import func, select

from pipeline.ledger.schema import events, objects, runs
from pipeline.ledger.store import Ledger


class LedgerSize(NamedTuple):
    """How many of each there are."""

    runs: int
    objects: int
    events: int


def ledger_size(ledger: Ledger) -> LedgerSize:
    """Return how much the ledger holds."""
    with ledger.reading() as connection:
        counts = [connection.execute(select(func.count()).select_from(table)) for table in (runs, objects, events)]
        return LedgerSize(*(each.scalar_one() for each in counts))
