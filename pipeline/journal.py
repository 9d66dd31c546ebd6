"""Intents and outcomes become durable in groups: many steps, one commit, and nobody goes on before it."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.model import Transition

Waiting = tuple[Sequence[Transition], asyncio.Future[None]]
"""Steps that were handed in together, and what tells that they are durable."""


class Journal:
    """Writes steps through `write_all`, in a thread of its own, as one group for each commit.

    The thread takes all that has gathered meanwhile as soon as a group is written. Were the event loop to hand it over,
    the thread would rest for as long as that is busy with the answers to the group before.
    """

    def __init__(self, write_all: Callable[[Sequence[Transition]], None]) -> None:
        self._write_all = write_all
        self._lock = threading.Lock()  # for what the event loop and the thread share: these two
        self._waiting: list[Waiting] = []
        self._is_writing = False
        self._unended = 0  # of those that were handed in
        self._ended = asyncio.Event()
        self._is_closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def write(self, step: Transition) -> None:
        """Return when the step is durable. Raises what the ledger raised for its group."""
        await self.write_all([step])

    async def write_all(self, steps: Sequence[Transition]) -> None:
        """Return when the steps are durable, all in one commit. Raises what the ledger raised for their group."""
        if self._is_closed:
            raise RuntimeError("steps were handed in after shutdown")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._unended += 1
        with self._lock:
            self._waiting.append((steps, done))
            rests, self._is_writing = not self._is_writing, True
        if rests:  # what others hand in at the same time goes with it
            loop.call_soon(self._thread.submit, self._write_groups, loop)
        await done

    async def close(self) -> None:
        """Return when all that was handed in is written."""
        while self._unended:
            self._ended.clear()
            await self._ended.wait()
        self._is_closed = True
        self._thread.shutdown()

    def _write_groups(self, loop: asyncio.AbstractEventLoop) -> None:
        while group := self._next_group():
            problem = None
            try:
                self._write_all([step for steps, _ in group for step in steps])
            except BaseException as raised:  # noqa: BLE001 - handed on to everybody who waits for this group
                problem = raised
            loop.call_soon_threadsafe(self._end, group, problem)

    def _next_group(self) -> list[Waiting]:
        with self._lock:
            group, self._waiting = self._waiting, []
            self._is_writing = bool(group)
        return group

    def _end(self, group: Sequence[Waiting], problem: BaseException | None) -> None:
        for _, done in group:
            if done.done():  # nobody waits any more
                continue
            if problem is None:
                done.set_result(None)
            else:
                done.set_exception(problem)
        self._unended -= len(group)
        self._ended.set()  # behind the others: who goes on now may hand in more
