"""Which slots are used, and until when: what the answers tell of the arrival of requests at the service."""

import math
from bisect import bisect_right, insort
from collections.abc import Iterator
from heapq import merge
from itertools import chain, islice, repeat

GUARD_S = 0.02
"""The least that is waited beyond the window, in seconds: a clock may tick in steps of 16 ms (Windows)."""

MARGIN_S = 0.2
"""What is waited beyond the window after a request whose answer never came, for its way to the service."""

MOST_LATE = 0.05
"""The share of a window that is waited beyond it at most: of slower answers, most is work and not the way there."""

LATE_SHARE = 0.5
"""The part of an answer's delay that is taken for its request's way there, as long as no request came too early.

The rest is the service's work, the way back and our own; and ways that differ by chance make up for each other.
"""

REMEMBERED_WINDOWS = 5
"""For so many windows, and at most twice as many, the quickest answer is the measure of the others."""


class Latency:
    """How long answers take, from when the request leaves."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._least_s = [math.inf, math.inf]  # of the five windows before, and of these
        self._turns_at = -math.inf
        self._late_s: float | None = None
        self._share = LATE_SHARE
        self.typical_s = 0.0  # 0: none is known

    def margin_s(self, guard_s: float) -> float:
        """Return what is waited beyond the window on average, the guard included."""
        return max(guard_s, MARGIN_S) if self._late_s is None else guard_s + self._late_s

    def widen(self) -> None:
        """Take all of an answer's delay for its request's way, because requests came to the service too early."""
        self._share = 1.0

    @property
    def longest_s(self) -> float:
        """A request without an answer after so long is not waited for: its answer is lost, or very late."""
        return max(1.0, 4 * self.typical_s)

    def take(self, latency_s: float, now: float, count: int = 1) -> float:
        """Take note of answers to requests that left together; return how much these are taken to have been late.

        That is, how much later than the quickest one they are taken to have arrived.
        """
        if now >= self._turns_at:
            self._least_s = [self._least_s[1], math.inf]
            self._share = max(self._share / 2, LATE_SHARE)
            self._turns_at = now + REMEMBERED_WINDOWS * self._window_s
        self._least_s[1] = min(self._least_s[1], latency_s)
        late_s = min(self._share * (latency_s - min(self._least_s)), MOST_LATE * self._window_s)
        kept = 0.9**count  # as if one came after the other
        self._late_s = late_s if self._late_s is None else kept * self._late_s + (1 - kept) * late_s
        self.typical_s = kept * self.typical_s + (1 - kept) * latency_s if self.typical_s else latency_s
        return late_s


class Used:
    """The requests that use a slot: from when it is granted until one window after they arrived."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._unanswered: dict[float, int] = {}  # when requests left -> how many of them then, ascending
        self._arrived: list[float] = []  # the latest times at which answered requests arrived, ascending
        self._first = 0  # those before it are forgotten
        self._before: list[
            float
        ] = []  # those of `_arrived` that an earlier process sent; what became of them is unknown
        self._refused: list[float] = []  # the times of the refused ones, ascending
        self._waiting = 0  # the sum of `_unanswered`
        self._released_at = -math.inf  # when the latest slot came free
        self._guard_since = -math.inf
        self.about_to_leave = 0  # granted, and not left yet
        self.guard_s = GUARD_S
        self.refused_count = False  # a refused request uses a slot as well: then those of `_refused` are in `_arrived`

    @property
    def count(self) -> int:
        """How many slots are used."""
        return self.about_to_leave + self._waiting + len(self._arrived) - self._first

    @property
    def granted(self) -> int:
        """How many of them the service is known to have granted."""
        return len(self._arrived) - self._first - len(self._before) - len(self._refused) * self.refused_count

    @property
    def refused(self) -> int:
        """How many requests were refused within the window."""
        return len(self._refused)

    def leave(self, now: float, count: int) -> None:
        """Requests of granted slots leave."""
        self.about_to_leave -= count
        self._waiting += count
        self._unanswered[now] = self._unanswered.get(now, 0) + count

    def leave_before(self, arrived_at: float) -> None:
        """A request left and arrived before this process began."""
        insort(self._arrived, arrived_at, lo=self._first)
        insort(self._before, arrived_at)

    def arrive(self, sent_at: float, arrived_at: float, count: int = 1, *, is_granted: bool) -> None:
        """Requests that left at `sent_at` were answered. Those whose slots are free again already change nothing."""
        waiting = self._unanswered.get(sent_at, 0)
        count = min(count, waiting)
        if not count:
            return
        if waiting > count:
            self._unanswered[sent_at] = waiting - count
        else:
            del self._unanswered[sent_at]
        self._waiting -= count
        if is_granted or self.refused_count:
            _insert(self._arrived, arrived_at, count, first=self._first)
        if not is_granted:
            _insert(self._refused, arrived_at, count)

    def count_refused(self) -> None:
        """From now on, refused requests use a slot as well."""
        for each in self._refused:
            insort(self._arrived, each, lo=self._first)
        self.refused_count = True

    def forget(self, now: float) -> None:
        """Free the slots whose time has come."""
        spacing_s = self._spacing_s
        while self._first < len(self._arrived) and self._arrived[self._first] + spacing_s <= now:
            self._released_at = self._arrived[self._first] + spacing_s
            self._first += 1
        for some in (self._before, self._refused):
            while some and some[0] + spacing_s <= now:
                del some[0]
        if self._first > 1_000 and 2 * self._first > len(self._arrived):
            del self._arrived[: self._first]
            self._first = 0
        while self._unanswered:
            left_at = next(iter(self._unanswered))
            if left_at + self._unanswered_s > now:
                break
            self._waiting -= self._unanswered.pop(left_at)
            self._released_at = left_at + self._unanswered_s

    def next_release(self) -> float:
        """Return when the next slot comes free; infinity when none of those that use one has left."""
        arrived = self._arrived[self._first] + self._spacing_s if self._has_arrived() else math.inf
        left = next(iter(self._unanswered)) + self._unanswered_s if self._unanswered else math.inf
        return min(arrived, left)

    def release(self, index: int, now: float) -> float:
        """Return when the slot of that index comes free, in the order in which they do."""
        spacing_s = self._spacing_s
        first_left = next(iter(self._unanswered), now) + self._unanswered_s
        sure = bisect_right(self._arrived, first_left - spacing_s, lo=self._first) - self._first
        if index < sure:
            return self._arrived[self._first + index] + spacing_s
        arrived = (each + spacing_s for each in islice(self._arrived, self._first + sure, None))
        left = chain(self._left(), repeat(now, self.about_to_leave))
        return next(islice(merge(arrived, (each + self._unanswered_s for each in left)), index - sure, None))

    def times(self) -> Iterator[float]:
        """Yield when the requests that have left did so, ascending; of answered ones, when they arrived at latest."""
        return merge(islice(self._arrived, self._first, None), self._left())

    def oldest_unanswered(self, default: float) -> float:
        """Return when the oldest request left that has no answer yet."""
        return next(iter(self._unanswered), default)

    def in_flight(self, now: float, longest_s: float) -> int:
        """Return how many requests are about to leave, or have left within `longest_s` and have no answer yet."""
        lost = 0
        for left_at, count in self._unanswered.items():
            if left_at + longest_s > now:
                break
            lost += count
        return self.about_to_leave + self._waiting - lost

    def next_loss(self, now: float, longest_s: float) -> float:
        """Return when the next of the requests in flight counts as lost; infinity when none of them has left."""
        losses = (left_at + longest_s for left_at in self._unanswered)
        return next((each for each in losses if each > now), math.inf)

    def has_just_released(self, now: float) -> bool:
        """Return whether a slot came free right before, so that its request may have come to the service too early."""
        return now - self._released_at <= 1.0 + MOST_LATE * self._window_s

    def widen_guard(self, now: float) -> None:
        """Wait longer beyond the window."""
        self.guard_s = min(max(2 * self.guard_s, 0.1), MOST_LATE * self._window_s)
        self._guard_since = now

    def relax_guard(self, now: float) -> None:
        """Wait a little less beyond the window after each window in which it was enough."""
        if self.guard_s > GUARD_S and now - self._guard_since >= self._window_s:
            self.guard_s = max(0.9 * self.guard_s, GUARD_S)
            self._guard_since = now

    @property
    def _spacing_s(self) -> float:
        return self._window_s + self.guard_s

    @property
    def _unanswered_s(self) -> float:
        return self._window_s + max(self.guard_s, MARGIN_S)

    def _has_arrived(self) -> bool:
        return self._first < len(self._arrived)

    def _left(self) -> Iterator[float]:
        return chain.from_iterable(repeat(left_at, count) for left_at, count in self._unanswered.items())


def _insert(times: list[float], at: float, count: int, first: int = 0) -> None:
    """Insert `at` so many times into the ascending times, not before the index `first`."""
    place = bisect_right(times, at, lo=first)
    times[place:place] = [at] * count
