"""Which planned row goes next: one lane for each collection and operation, and a canary ahead of each lane."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Collection, Sequence
from heapq import heapify, heappop, heapreplace

from pipeline.model import Operation, PlannedRow, Verdict

MOST_FAILED_CANARIES = 3
"""So many canaries in a row without a created object stop their collection."""

GOT_THROUGH = frozenset({Verdict.CREATED, Verdict.UPDATED, Verdict.REVERSED})
"""What opens a collection for all its rows."""

FAILED = frozenset({Verdict.REJECTED, Verdict.UNKNOWN})
"""What counts against a collection. Any other outcome passes the canary on: it says nothing about the next row."""

FetchRows = Callable[[str, int], Sequence[PlannedRow]]
"""(lane, after this row's number) -> its next planned rows; none at the end."""


def lane_of(collection: str, operation: Operation) -> str:
    """Return the name of the lane: what a service does not implement for one operation, it may do for another.

    The name of a lane of creates is its collection; behind the others' stands the operation, so that `route_of` tells
    them apart.
    """
    return collection if operation is Operation.CREATE else f"{collection} ({operation})"


class Lane:
    """The planned rows of one collection that want the same done, fetched as they are needed."""

    def __init__(self, name: str, fetch: FetchRows, *, is_open: bool) -> None:
        self.name = name
        self.is_stopped = False
        self.is_open = is_open  # a canary was created: the others may go
        self.has_canary = False  # one row is under way alone
        self.failed_canaries = 0
        self._fetch = fetch
        self._waiting: deque[PlannedRow] = deque()
        self._last_pk = 0
        self._is_drained = False

    def has_rows(self) -> bool:
        """Return whether a row is left; may read from the ledger."""
        if not self._waiting and not self._is_drained:
            self._waiting.extend(self._fetch(self.name, self._last_pk))
            self._is_drained = not self._waiting
        return bool(self._waiting)

    @property
    def next_pk(self) -> int:
        """The number of the next row, where `has_rows` has said that there is one."""
        return self._waiting[0].row_pk

    def take(self) -> PlannedRow:
        """Return the next row; unless the lane is open, it is the canary."""
        row = self._waiting.popleft()
        self._last_pk = row.row_pk
        self.has_canary = not self.is_open
        return row


class Lanes:
    """All lanes of a run, in the order of reading. A lane goes by the name that `lane_of` gives it.

    At most `most_rows` go in all, however many ask for them at a time.
    """

    def __init__(
        self,
        names: Sequence[str],
        fetch: FetchRows,
        open_collections: Collection[str] = frozenset(),
        most_rows: int | None = None,
    ) -> None:
        self._lanes = {each: Lane(each, fetch, is_open=each in open_collections) for each in names}
        self._opened = set(open_collections)
        self._left = math.inf if most_rows is None else most_rows
        self._changed = asyncio.Event()

    async def next_rows(self, most: int = 1) -> list[PlannedRow]:
        """Return the next rows that may go together, at most so many; none when none is left.

        A canary goes alone. Waits while only canaries are out.
        """
        while True:
            left = [lane for lane in self._lanes.values() if not lane.is_stopped and lane.has_rows()]
            if not left or not self._left:
                return []
            taken = self._take(left, int(min(most, self._left)))
            if taken:
                self._left -= len(taken)
                return taken
            self._changed.clear()
            await self._changed.wait()

    def _take(self, lanes: Sequence[Lane], most: int) -> list[PlannedRow]:
        """Return the next rows of the lanes, in the order of reading: neighbours lie on one page of the ledger."""
        heads = [(lane.next_pk, at) for at, lane in enumerate(lanes) if lane.is_open or not lane.has_canary]
        heapify(heads)
        taken: list[PlannedRow] = []
        while heads and len(taken) < most:
            at = heads[0][1]
            lane = lanes[at]
            if not lane.is_open:
                return taken or [lane.take()]
            taken.append(lane.take())
            if lane.has_rows():
                heapreplace(heads, (lane.next_pk, at))
            else:
                heappop(heads)
        return taken

    @property
    def open_collections(self) -> frozenset[str]:
        """The names of the lanes in which a row got through."""
        return frozenset(self._opened)

    def settle(self, name: str, verdict: Verdict) -> str:
        """Take note of an outcome; return why the lane should stop, or ""."""
        lane = self._lanes[name]
        self._changed.set()
        if verdict in GOT_THROUGH:
            lane.is_open, lane.has_canary = True, False
            self._opened.add(name)
        elif lane.has_canary and not lane.is_open:
            lane.has_canary = False
            lane.failed_canaries += verdict in FAILED
            if verdict in FAILED and lane.failed_canaries >= MOST_FAILED_CANARIES:
                return f"the first {MOST_FAILED_CANARIES} rows of this collection were refused or got no usable answer"
        return ""

    def stop(self, name: str, *, with_route: bool) -> list[str]:
        """Stop the lane, or all lanes of its route and operation; return those that were stopped by this."""
        stopped = [
            lane
            for lane in self._lanes.values()
            if not lane.is_stopped and (lane.name == name or (with_route and route_of(lane.name) == route_of(name)))
        ]
        for lane in stopped:
            lane.is_stopped = True
        self._changed.set()
        return [lane.name for lane in stopped]


def route_of(name: str) -> str:
    """Return the part of a lane's path behind the configuration's id: what collections of one route share."""
    return name.split("/", 3)[3]
