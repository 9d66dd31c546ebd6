"""When the next write may leave: one pacer for all workers of a scope.

A sliding window over the times at which requests were really sent. A slot is free one window after the request that
used it was sent, plus a margin; it is spent at once then, never before. The clock and the sleep come in.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

MARGIN_S = 0.2
"""Waited beyond the window, in seconds: in a burst a request reaches the service later after its `sent` than alone."""


class Slots(NamedTuple):
    """How far a quota is spent at one moment."""

    used: int  # requests within the window up to now, those that are about to leave included
    limit: int  # requests that the window allows
    window_s: float
    closed_s: float  # seconds from now on in which nothing leaves, because the service refused


class Pacer:
    """Grants slots within `count` per `window_s` and closes for everybody when the service says so."""

    def __init__(
        self,
        count: int,
        window_s: float,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._count = count
        self._window_s = window_s
        self._spacing_s = window_s + MARGIN_S
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[float] = deque()
        self._granted = 0  # slots taken whose request has not left yet
        self._closed_until = clock()
        self._turn = asyncio.Lock()
        self._left = asyncio.Event()
        self.paused_s = 0.0  # how long the pacer was or will be closed by refusals, overlaps counted once

    async def slot(self) -> None:
        """Return when a request may leave, in the order of asking. Each is followed by `sent` or `give_back`."""
        async with self._turn:
            while (wait_s := self._wait_s()) != 0:
                if wait_s is None:
                    self._left.clear()
                    await self._left.wait()
                else:
                    await self._sleep(wait_s)
            self._granted += 1

    def sent(self) -> None:
        """Take note that the request of a granted slot leaves now."""
        self._granted -= 1
        self._sent.append(self._clock())
        self._left.set()

    def give_back(self) -> None:
        """Free a granted slot whose request will not leave."""
        self._granted -= 1
        self._left.set()

    async def pause(self, seconds: float) -> None:
        """Close for everybody for that long; return at once, since each worker waits in `slot`."""
        now = self._clock()
        until = now + max(seconds, 0.0)
        if until > self._closed_until:
            self.paused_s += until - max(self._closed_until, now)
            self._closed_until = until

    def slots(self) -> Slots:
        """Return how far the quota is spent now. Grants nothing."""
        self._forget()
        closed_s = max(self._closed_until - self._clock(), 0.0)
        return Slots(len(self._sent) + self._granted, self._count, self._window_s, closed_s)

    def eta_s(self, requests: int) -> float:
        """Return the least number of seconds until so many further requests are sent, from now on."""
        if requests <= 0:
            return 0.0
        self._forget()
        now = self._clock()
        start_s = max(self._closed_until - now, 0.0)
        used = [*self._sent, *[now] * self._granted]
        free = self._count - len(used)
        if requests <= free:
            return start_s
        # Each slot comes round again one spacing after it was used, in the same order; the free ones are used first.
        rounds, at = divmod(requests - free - 1, self._count)
        first_free_s = (used[at] - now + self._spacing_s) if at < len(used) else start_s + self._spacing_s
        return max(first_free_s, start_s) + rounds * self._spacing_s

    def _wait_s(self) -> float | None:
        """Return the seconds to wait for a slot, 0 for none, or None for until a granted request has left."""
        now = self._clock()
        if now < self._closed_until:
            return self._closed_until - now
        self._forget()
        if len(self._sent) + self._granted < self._count:
            return 0
        if self._sent:
            return self._sent[0] + self._spacing_s - now
        return None

    def _forget(self) -> None:
        now = self._clock()
        while self._sent and self._sent[0] + self._spacing_s <= now:
            self._sent.popleft()
