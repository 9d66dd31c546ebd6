"""A quota of requests, per app and for all apps together. The clock comes in as an argument; no I/O."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.simulator.settings import SimulatorSettings, Window


@dataclass(slots=True)
class _Share:
    """The requests of one app, or of all apps, in the current window."""

    allowed: int
    sent_s: deque[float] = field(default_factory=deque)  # clock readings, ascending


class Quota:
    """Counts requests of one kind against the app's quota and, where there is one, that of all apps together.

    Graph applies both limits together: the first that is reached throttles (throttling.md). What apps elsewhere use of
    the second is taken off it, for as long as the settings say, counted from the first request.
    """

    def __init__(
        self, per_app: int, for_all: int | None, settings: SimulatorSettings, clock: Callable[[], float]
    ) -> None:
        self._per_app = per_app
        self._for_all = None if for_all is None else _Share(for_all)
        self._for_all_at_rest = for_all
        self._settings = settings
        self._clock = clock
        self._began_s: float | None = None  # the first request
        self._apps: dict[str, _Share] = {}

    def wait_s(self, app: str) -> float:
        """Return the seconds until this app may ask again; 0 when it may now. A quota of 0 waits for ever anew."""
        now_s = self._clock()
        self._share_with_others(now_s)
        return max(self._share_wait_s(share, now_s) for share in self._shares(app))

    def spend(self, app: str) -> None:
        """Use a slot of this app, and one of all apps together, now."""
        now_s = self._clock()
        for share in self._shares(app):
            share.sent_s.append(now_s)

    def _share_with_others(self, now_s: float) -> None:
        if self._for_all is None or self._for_all_at_rest is None:
            return
        if self._began_s is None:
            self._began_s = now_s
        are_there = now_s - self._began_s < self._settings.others_s
        self._for_all.allowed = max(0, self._for_all_at_rest - self._settings.others * are_there)

    def _shares(self, app: str) -> tuple[_Share, ...]:
        own = self._apps.setdefault(app, _Share(self._per_app))
        return (own,) if self._for_all is None else (own, self._for_all)

    def _share_wait_s(self, share: _Share, now_s: float) -> float:
        window_s = self._settings.window_s
        fixed = self._settings.window is Window.FIXED
        edge_s = math.floor(now_s / window_s) * window_s  # where the current fixed window began
        while share.sent_s and (share.sent_s[0] < edge_s if fixed else share.sent_s[0] + window_s <= now_s):
            share.sent_s.popleft()
        if len(share.sent_s) < share.allowed:
            return 0.0
        if fixed:
            return edge_s + window_s - now_s
        if share.allowed == 0:
            return window_s
        return share.sent_s[-share.allowed] + window_s - now_s


def write_quota(settings: SimulatorSettings, clock: Callable[[], float]) -> Quota:
    """Return the quota of POST, PUT, PATCH and DELETE."""
    return Quota(settings.quota, settings.tenant_quota, settings, clock)


def read_quota(settings: SimulatorSettings, clock: Callable[[], float]) -> Quota:
    """Return the quota of GET."""
    return Quota(settings.read_quota, None, settings, clock)
