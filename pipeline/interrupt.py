"""Ctrl-C and SIGTERM: the first ends a run gently, the second at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Interrupt:
    """What the signals said so far. The events belong to the loop that waits for them."""

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 - `--help` waits for no event, and would take a fifth longer

        self.gently = asyncio.Event()
        self.at_once = asyncio.Event()
        self.signal_number: int | None = None

    def take(self, signal_number: int) -> None:
        """Take note of one more signal."""
        if self.signal_number is None:
            self.signal_number = signal_number
            self.gently.set()
        else:
            self.at_once.set()


class TerminatedError(KeyboardInterrupt):
    """SIGTERM while no answer is under way: it ends the program as Ctrl-C does."""


@contextmanager
def catch_signals(loop: "asyncio.AbstractEventLoop") -> Iterator[Interrupt]:
    """Yield an interrupt that Ctrl-C and SIGTERM set while the loop runs, on Windows too."""
    interrupt = Interrupt()

    def take(signal_number: int, _frame: FrameType | None) -> None:
        # loop.add_signal_handler does not exist on Windows; a handler of the signal module does, and the call wakes
        # the loop up.
        loop.call_soon_threadsafe(interrupt.take, signal_number)

    before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred_signals() -> Iterator[Callable[[], None]]:
    """Yield a check that raises KeyboardInterrupt or TerminatedError where nothing is half done, if one was asked for.

    In the middle of a file pandas would turn Ctrl-C into a problem of the file. A second signal raises at once.
    """
    asked: list[int] = []

    def check() -> None:
        if asked:
            raise TerminatedError if asked[0] == signal.SIGTERM else KeyboardInterrupt

    def take(signal_number: int, _frame: FrameType | None) -> None:
        check()
        asked.append(signal_number)

    before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        # Here, not behind the block: whatever the second signal was turned into on its way, it was a signal.
        check()


def raise_on_sigterm() -> None:
    """Let SIGTERM raise TerminatedError, so that what is open is closed on the way out."""

    def terminate(_signal_number: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    signal.signal(signal.SIGTERM, terminate)
