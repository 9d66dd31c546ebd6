"""An event loop whose clock jumps to the next timer: asyncio's own sleeps, without waiting."""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from pipeline.pace import Pacer
from pipeline.simulator import RetryAfterForm, SimulatorSettings
from pipeline.simulator.quota import write_quota

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for a timer, moves the time on to it."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("deadlock: every task waits for another one")
        self.now_s += max(timeout, 0.0)
        return super().select(0)


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now_s


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what `main` returns; `asyncio.get_running_loop().time` is its clock, starting at 0."""
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(main())


class VirtualService:
    """A service with the simulator's quota, in virtual time: what a burst of requests meets, without sockets.

    A request arrives `way_s()` after it left and is answered `latency_s` after that.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        *,
        latency_s: float = 0.05,
        way_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.granted: list[float] = []  # when they arrived
        self.refused: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._settings = settings
        self._latency_s = latency_s
        self._way_s = way_s
        self._quota = write_quota(settings, lambda: asyncio.get_running_loop().time())

    async def post(self) -> float:
        """Return 0 when the request was granted, else the whole seconds to wait."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self._way_s())
        wait_s = self._quota.wait_s("app")
        if wait_s == 0 or self._settings.refusals_count:
            self._quota.spend("app")
        (self.refused if wait_s else self.granted).append(asyncio.get_running_loop().time())
        if wait_s:
            wait_s = math.ceil(max(wait_s, self._quota.wait_s("app")))
        await asyncio.sleep(self._latency_s)
        self.in_flight -= 1
        return wait_s

    async def take_rows(self, pacer: Pacer, rows: int, *, workers: int = 25) -> None:
        """Send so many rows through the pacer as the sender does: the first alone, the others by all workers."""
        waiting = iter(range(rows))
        await self._take_next(pacer, waiting)
        await asyncio.gather(*(self._take_all(pacer, waiting) for _ in range(workers)))

    async def _take_all(self, pacer: Pacer, waiting: Iterator[int]) -> None:
        while await self._take_next(pacer, waiting):
            pass

    async def _take_next(self, pacer: Pacer, waiting: Iterator[int]) -> bool:
        if next(waiting, None) is None:
            return False
        back_off_s = 0.5
        while True:
            await pacer.slot()
            left_at = pacer.sent()
            wait_s = await self.post()
            if not wait_s:
                pacer.answered(left_at)
                return True
            pacer.refused(left_at)
            back_off_s = min(2 * back_off_s, 60.0)
            is_told = self._settings.retry_after is not RetryAfterForm.ABSENT
            await pacer.pause(wait_s if is_told else back_off_s)
