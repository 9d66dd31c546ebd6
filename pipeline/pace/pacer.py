"""When the next write may leave: one pacer for all workers of a scope.

A sliding window over the times at which requests arrived at the service. A slot is free one window after the request
that used it arrived there, and is spent at once then, never before: that is also what a service grants that counts by
fixed windows. What is not known of the arrival is learned from the answers: a request arrived at the latest when its
answer came, less the time that the quickest answers need. Half of that delay is reckoned with, and all of it for a
while after requests came too early.

A refusal says that the window of the service is fuller than ours: either requests came to it earlier than thought, or
other apps spend what all of them share. Then less is sent, and every few windows one request more than was granted is
tried. The clock and the sleep come in. Everything is called from one event loop.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from pipeline.model import PacingState
from pipeline.pace.limit import Limit
from pipeline.pace.used import Latency, Used

RESTORED_MARGIN_S = 0.5
"""The same after a request of an earlier process: its time was taken when it was written down, before it left."""

SPREAD = 0.07
"""A full window's requests are spread over this share of it at the start, so that few are under way at a refusal.

It costs rows once, 0.7 % of those of ten windows: every slot comes round again after one window, wherever it lies.
"""

FEWEST_IN_FLIGHT = 8
LONG_PAUSE = 0.25
"""A service that asks to wait for this share of a window has none free: others spend what is ours."""

LONGEST_CLOSED_S = 3_600.0
"""A service that is said to be closed for longer is taken for the mistake of a clock that was set back."""


class Slots(NamedTuple):
    """How far a quota is spent at one moment."""

    used: int  # requests within the window up to now, those that are about to leave included
    limit: int  # requests that the window allows, as far as is known
    window_s: float
    closed_s: float  # seconds from now on in which nothing leaves, because the service refused


def _keep_nothing() -> None:
    """For pacers whose state nobody keeps."""


class Pacer:
    """Grants slots within `count` per `window_s` and closes for everybody when the service says so.

    `on_refused` is called when a refusal has changed what `state` tells: a chance to keep it.
    """

    def __init__(
        self,
        count: int,
        window_s: float,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        on_refused: Callable[[], None] = _keep_nothing,
    ) -> None:
        self._window_s = window_s
        self._clock = clock
        self._sleep = sleep
        self._on_refused = on_refused
        self._latency = Latency(window_s)
        self._used = Used(window_s)
        self._limit = Limit(count, window_s)
        self._closed_until = clock()
        self._refused_until = -math.inf  # the part of it that the service asked for
        self._kept: tuple[float, int] = (-math.inf, count)
        self._refused_at = -math.inf  # requests that left before that and are refused tell nothing new
        self._is_pause_due = False  # whether a refusal came whose pause has not begun yet
        self._is_undecided = False  # whether the last refusal is still to be understood, by the pause that follows
        self._in_a_row = 0  # refusals without a request that was granted in between, those of one time as one
        self._careful: int | None = None  # so many in flight at most: it grows with each request that is granted
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self.paused_s = 0.0  # how long the pacer was or will be closed by refusals, overlaps counted once

    async def slot(self) -> None:
        """Return when a request may leave, in the order of asking. Each is followed by `sent` or `give_back`."""
        await self.slots_for(1)

    async def slots_for(self, most: int) -> int:
        """Wait until a slot is free; return how many are granted now, from 1 to `most`, in the order of asking.

        Each is followed by `sent` or `give_back`.
        """
        async with self._turn:
            while (free := self._free()) < 1:
                await self._until_changed(self._wait_s())
            granted = min(most, free)
            self._used.about_to_leave += granted
            return granted

    def sent(self, count: int = 1) -> float:
        """Take note that the requests of granted slots leave now; return the clock's time."""
        now = self._clock()
        self._used.leave(now, count)
        self._changed.set()
        return now

    def give_back(self, count: int = 1) -> None:
        """Free granted slots whose requests will not leave."""
        self._used.about_to_leave -= count
        self._changed.set()

    def answered(self, sent_at: float, count: int = 1) -> None:
        """Take note of answers, any but 429, to requests that left at `sent_at`: the service granted them.

        `count` of them that came together are as many calls for one each, at the price of one.
        """
        now = self._clock()
        self._arrived(sent_at, now, count, is_granted=True)
        self._limit.grant(self._used.granted, now)
        if self._is_after_refusal(sent_at):
            self._in_a_row = 0
            if self._careful is not None:
                self._careful += count
                most = self._most_in_flight()
                self._careful = self._careful if most is None or self._careful < most else None

    def refused(self, sent_at: float | None = None) -> None:
        """Take note of a 429 to a request that left at `sent_at`, or to the oldest that was not answered yet.

        It is followed by `pause`. Refusals of requests whose slots were granted before the first one came are one.
        """
        now = self._clock()
        if sent_at is None:
            sent_at = self._used.oldest_unanswered(now)
        used = self._used
        is_probe = self._limit.is_probing(now) and used.count > self._limit.found
        # Microsoft's throttling.md says so of retries that come too early.
        counts = not used.refused_count and used.refused and used.granted + used.refused >= self._limit.found
        self._arrived(sent_at, now, 1, is_granted=False)
        self._is_pause_due = True
        if not self._is_after_refusal(sent_at):
            return
        self._refused_at = now
        if is_probe:
            self._limit.fail_probe(now)
            return
        if counts:
            used.count_refused()
        self._is_undecided = not counts
        self._in_a_row += 1
        self._careful = 1

    async def pause(self, seconds: float) -> None:
        """Close for everybody for that long; return at once, since each worker waits in `slot`."""
        now = self._clock()
        until = now + max(seconds, 0.0)
        if until > self._closed_until:
            self.paused_s += until - max(self._closed_until, now)
            self._closed_until = until
        if not self._is_pause_due and now >= self._refused_until:
            return  # for another reason, such as no connection
        self._is_pause_due = False
        if self._is_undecided:
            self._is_undecided = False
            self._learn(seconds, now)
        self._refused_until = max(self._refused_until, until)
        if self._refused_until > self._kept[0] + 1.0 or self._limit.found != self._kept[1]:
            self._kept = (self._refused_until, self._limit.found)
            self._on_refused()

    def slots(self) -> Slots:
        """Return how far the quota is spent now. Grants nothing."""
        now = self._clock()
        self._used.forget(now)
        limit = self._limit.found
        return Slots(min(self._used.count, limit), limit, self._window_s, max(self._closed_until - now, 0.0))

    def eta_s(self, requests: int) -> float:
        """Return the least number of seconds until so many further requests are sent, from now on."""
        if requests <= 0:
            return 0.0
        now = self._clock()
        self._used.forget(now)
        start_s = max(self._closed_until - now, 0.0)
        # Each slot comes round again one window after it was used, in the same order; the free ones are used first.
        rounds, at = divmod(requests - 1, self._limit.found)
        spacing_s = self._window_s + self._latency.margin_s(self._used.guard_s)
        waits_for = at + self._used.count - self._limit.found
        first_s = self._used.release(waits_for, now) - now if waits_for >= 0 else 0.0
        return max(first_s, start_s) + rounds * spacing_s

    def state(self, wall_s: float) -> PacingState:
        """Return what the next process has to know. `wall_s` is the time now, in seconds since 1970."""
        now = self._clock()
        self._used.forget(now)
        sent = tuple(wall_s - now + each for each in self._used.times())
        closed_until = wall_s - now + self._refused_until if self._refused_until > now else 0.0
        return PacingState(sent, closed_until, self._limit.found if self._limit.is_lowered else None)

    def restore(self, state: PacingState, wall_s: float) -> None:
        """Go on where an earlier process ended, before the first slot is granted. `wall_s` is as for `state`.

        Times in the future, and those older than a window, are dropped. A lower limit that was found then is tried
        for more at once, since nobody knows how long ago that was.
        """
        now = self._clock()
        for each in state.sent:
            if 0 <= wall_s - each <= self._window_s:
                self._used.leave_before(now - (wall_s - each) + RESTORED_MARGIN_S)
        left_s = state.closed_until - wall_s
        if 0 < left_s <= LONGEST_CLOSED_S:
            self.paused_s += left_s
            self._closed_until = self._refused_until = now + left_s
        if state.limit is not None:
            self._limit.restore(state.limit, now)
        self._kept = (self._refused_until, self._limit.found)

    def _arrived(self, sent_at: float, now: float, count: int, *, is_granted: bool) -> None:
        late_s = self._latency.take(now - sent_at, now, count)
        self._used.arrive(sent_at, sent_at + late_s, count, is_granted=is_granted)
        if is_granted:
            self._used.relax_guard(now)
        self._changed.set()

    def _is_after_refusal(self, sent_at: float) -> bool:
        """Return whether the slot of a request that left then was granted after the last refusal and its pause."""
        return sent_at > self._refused_at and sent_at >= self._refused_until

    def _learn(self, pause_s: float, now: float) -> None:
        """Draw the consequence of a refusal: keep a larger margin, or expect to be granted less."""
        if pause_s >= LONG_PAUSE * self._window_s or self._in_a_row > 1:
            self._limit.lower(self._used.granted, now)
        elif self._used.has_just_released(now):
            self._used.widen_guard(now)
            self._latency.widen()

    def _most_in_flight(self) -> int | None:
        """Return how many may be without an answer so that a full window is spread as `SPREAD` says."""
        latency_s = self._latency.typical_s
        if latency_s <= 0:
            return None  # nothing is known yet
        count = self._limit.count
        wanted = math.ceil(count / self._window_s * latency_s / SPREAD)
        return max(FEWEST_IN_FLIGHT, min(wanted, count // 4))

    def _free(self) -> int:
        """Return how many slots can be granted now."""
        now = self._clock()
        if now < self._closed_until:
            return 0
        self._used.forget(now)
        free = self._limit.allowed(now) - self._used.count
        if free < 1:
            return 0
        in_flight = self._used.in_flight(now, self._latency.longest_s)
        if self._careful is not None:
            return min(free, self._careful - in_flight)
        most = self._most_in_flight()
        return free if most is None or in_flight < most else 0

    def _wait_s(self) -> float | None:
        """Return the seconds after which a slot may be free, or None for when something has changed."""
        now = self._clock()
        if now < self._closed_until:
            return self._closed_until - now
        if self._limit.allowed(now) > self._used.count:  # too many are in flight
            next_at = self._used.next_loss(now, self._latency.longest_s)
        else:
            probe_at = self._limit.probe_at
            next_at = min(self._used.next_release(), probe_at if probe_at > now else math.inf)
        return None if next_at == math.inf else next_at - now

    async def _until_changed(self, wait_s: float | None) -> None:
        self._changed.clear()
        waits: set[asyncio.Future[Any]] = {asyncio.ensure_future(self._changed.wait())}
        if wait_s is not None:
            waits.add(asyncio.ensure_future(self._sleep(wait_s)))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        for each in done:
            each.result()
