"""Intents and outcomes become durable in groups: many steps, one commit, and nobody goes on before it."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.model import Transition


class Journal:
    """Writes steps through `write_all`, in a thread of its own, as one group for each commit."""

    def __init__(self, write_all: Callable[[Sequence[Transition]], None]) -> None:
        self._write_all = write_all
        self._waiting: list[tuple[Sequence[Transition], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def write(self, step: Transition) -> None:
        """Return when the step is durable. Raises what the ledger raised for its group."""
        await self.write_all([step])

    async def write_all(self, steps: Sequence[Transition]) -> None:
        """Return when the steps are durable, all in one commit. Raises what the ledger raised for their group."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((steps, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_groups())
        await done

    async def close(self) -> None:
        """Return when all that was handed in is written."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing})
        self._thread.shutdown()

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                steps = [step for steps, _ in group for step in steps]
                await loop.run_in_executor(self._thread, self._write_all, steps)
            except BaseException as problem:  # noqa: BLE001 - handed on to everybody who waits for this group
                for _, done in group:
                    if not done.done():
                        done.set_exception(problem)
            else:
                for _, done in group:
                    if not done.done():
                        done.set_result(None)
