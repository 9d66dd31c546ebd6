"""A row between its intent and its outcome."""

import asyncio
from dataclasses import dataclass

from pipeline.model import PlannedRow


@dataclass(slots=True)
class UnderWay:
    """A row whose intent is on its way into the ledger, or whose request has left."""

    row: PlannedRow
    worker: asyncio.Task[None] | None
    attempts: int  # requests of this row that have left
    client_request_id: str
    has_left: bool = False
    is_settled: bool = False  # what became of it is in the journal
