"""Which planned row goes next: one lane for each collection, and a canary ahead of each lane."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.model import PlannedRow

MOST_FAILED_CANARIES = 3
"""So many canaries in a row without a created object stop their collection."""

FetchRows = Callable[[str, int], Sequence[PlannedRow]]
"""(collection, after this row's number) -> its next planned rows; none at the end."""


class Lane:
    """The planned rows of one collection, fetched as they are needed."""

    def __init__(self, collection: str, fetch: FetchRows) -> None:
        self.collection = collection
        self.is_stopped = False
        self.is_open = False  # a canary was created: the others may go
        self.has_canary = False  # one row is under way alone
        self.failed_canaries = 0
        self._fetch = fetch
        self._waiting: deque[PlannedRow] = deque()
        self._last_pk = 0
        self._is_drained = False

    def has_rows(self) -> bool:
        """Return whether a row is left; may read from the ledger."""
        if not self._waiting and not self._is_drained:
            self._waiting.extend(self._fetch(self.collection, self._last_pk))
            self._is_drained = not self._waiting
        return bool(self._waiting)

    def take(self) -> PlannedRow:
        """Return the next row; it is the canary unless the lane is open."""
        row = self._waiting.popleft()
        self._last_pk = row.row_pk
        self.has_canary = not self.is_open
        return row


class Lanes:
    """All collections of a run, in the order of reading."""

    def __init__(self, collections: Sequence[str], fetch: FetchRows) -> None:
        self._lanes = {collection: Lane(collection, fetch) for collection in collections}
        self._changed = asyncio.Event()

    async def next_row(self) -> PlannedRow | None:
        """Return the next row that may go, or None when none is left. Waits while only canaries are out."""
        while True:
            left = [lane for lane in self._lanes.values() if not lane.is_stopped and lane.has_rows()]
            for lane in left:
                if lane.is_open or not lane.has_canary:
                    return lane.take()
            if not left:
                return None
            self._changed.clear()
            await self._changed.wait()

    def settle(self, collection: str, *, is_created: bool) -> str:
        """Take note of an outcome; return why the collection has to stop, or ""."""
        lane = self._lanes[collection]
        self._changed.set()
        if is_created:
            lane.is_open, lane.has_canary = True, False
        elif lane.has_canary and not lane.is_open:
            lane.has_canary = False
            lane.failed_canaries += 1
            if lane.failed_canaries >= MOST_FAILED_CANARIES:
                lane.is_stopped = True
                return f"the first {MOST_FAILED_CANARIES} rows of this collection all failed"
        return ""

    def stop(self, collection: str, *, with_route: bool) -> list[str]:
        """Stop the collection, or all collections of its route; return those that were stopped by this."""
        stopped = [
            lane
            for lane in self._lanes.values()
            if not lane.is_stopped
            and (lane.collection == collection or (with_route and route_of(lane.collection) == route_of(collection)))
        ]
        for lane in stopped:
            lane.is_stopped = True
        self._changed.set()
        return [lane.collection for lane in stopped]


def route_of(collection: str) -> str:
    """Return the part of the path behind the configuration's id: what collections of one route share."""
    return collection.split("/", 3)[3]
