"""How many requests the service grants within a window, where that is less than the quota."""

import math

PROBE_WINDOWS, MOST_PROBE_WINDOWS = 2, 4
"""So many windows after a refusal one request more than was granted is tried; after one more refusal, and later."""

MOST_PROBES = 8
"""So many at most are tried at a time, once the first ones were granted."""


class Limit:
    """How many requests the service grants within a window: the quota, or what was found out."""

    def __init__(self, count: int, window_s: float) -> None:
        self._window_s = window_s
        self._granted_probes = 0
        self._windows = PROBE_WINDOWS
        self.count = count
        self.found = count
        self.probe_at = -math.inf  # from then on more than `found` are tried

    @property
    def is_lowered(self) -> bool:
        """Whether fewer are granted than the quota says."""
        return self.found < self.count

    def is_probing(self, now: float) -> bool:
        """Return whether more than was granted is being tried."""
        return self.is_lowered and now >= self.probe_at

    def allowed(self, now: float) -> int:
        """Return how many requests may use a slot at a time: with probes, twice as many of them each time."""
        more = min(1 + self._granted_probes, MOST_PROBES) if self.is_probing(now) else 0
        return min(self.found + more, self.count)

    def lower(self, granted: int, now: float) -> None:
        """Allow what the service has granted within a window; not much less than before for a single refusal."""
        self.found = max(min(granted, self.found), self.found // 4, 1)
        self._windows = PROBE_WINDOWS
        self._wait_for_probe(now)

    def grant(self, granted: int, now: float) -> None:
        """Allow what was granted, where that is more than was thought."""
        if granted > self.found:
            self._granted_probes += (granted - self.found) * self.is_probing(now)
            self.found = min(granted, self.count)

    def fail_probe(self, now: float) -> None:
        """Wait with the next probe; longer, if not even one was granted."""
        self._windows = PROBE_WINDOWS if self._granted_probes else MOST_PROBE_WINDOWS
        self._wait_for_probe(now)

    def restore(self, found: float, now: float) -> None:
        """Begin with what was found before, and with a probe."""
        self.found = max(1, min(int(found), self.count))
        self.probe_at = now

    def _wait_for_probe(self, now: float) -> None:
        self._granted_probes = 0
        self.probe_at = now + self._windows * self._window_s
