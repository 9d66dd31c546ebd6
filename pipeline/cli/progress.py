"""How far a run is, on stderr: a bar on a terminal, else lines. And the one question before rows leave."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.cli.streams import printable, tell
from pipeline.cli.terminal import counted, duration
from pipeline.send import Progress
from pipeline.session import Question

LINE_EVERY_S = 5.0
"""Seconds between two looks at the progress where there is no terminal to draw a bar on."""

RATE_AFTER_S = 1.0
"""Before that, the rate is a guess from too little."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The latest news of a phase. Times are the reporter's clock."""

    phase: str
    done: int
    total: int
    started_at: float
    ends_at: float | None  # None: to be told from the rate
    more: tuple[str, ...]


class Reporter:
    """Takes the news of a run in, and shows the latest of it: `bar` as a picture, `print_line` as a line."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: _Seen | None = None
        self._printed: tuple[str, int, tuple[str, ...]] | None = None
        self.live: Live | None = None

    def reading(self, rows: int, expected: int) -> None:
        """Take in how many rows are read."""
        self._take("reading", rows, expected, None, ())

    def sending(self, progress: Progress) -> None:
        """Take in how many rows are settled, and when the rest will be."""
        self._take_progress("sending", progress)

    def deleting(self, progress: Progress) -> None:
        """Take in how many rows of an undo are settled, and when the rest will be."""
        self._take_progress("deleting", progress)

    def note(self, sentence: str) -> None:
        """Show a sentence."""
        if self.live is None:
            tell(sentence)
        else:
            self.live.console.print(Text(printable(sentence), style="yellow"))

    def ask(self, question: Question) -> bool:
        """Ask on the terminal whether the rows may leave. The bar makes room for it."""
        self._seen = None
        if self.live is None:
            return ask_to_send(question)
        self.live.stop()
        try:
            return ask_to_send(question)
        finally:
            self.live.start()

    def words(self) -> str:
        """Return such as `100 of 261 rows, 5.0/s, about 33 s left`; "" as long as there is no news."""
        seen = self._seen
        if seen is None:
            return ""
        now = self._clock()
        elapsed_s = now - seen.started_at
        rate = seen.done / elapsed_s if elapsed_s > RATE_AFTER_S else 0.0
        left_s = seen.ends_at - now if seen.ends_at is not None else (seen.total - seen.done) / rate if rate else 0.0
        left = f"about {duration(left_s)} left" if left_s >= 1 else ""
        parts = (
            f"{seen.done:,} of {counted(seen.total, 'row')}",
            f"{rate:,.1f}/s" if rate else "",
            *(left, *seen.more),
        )
        return ", ".join(part for part in parts if part)

    def bar(self) -> Table:
        """Return one line with a bar, no wider than the terminal."""
        grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
        grid.add_column(width=8)
        grid.add_column(width=12)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        seen = self._seen
        if seen is not None:
            bar = ProgressBar(total=max(seen.total, 1), completed=seen.done, width=12)
            grid.add_row(Text(seen.phase), bar, Text(self.words()))
        return grid

    def print_line(self) -> None:
        """Print the latest news, unless it was printed before."""
        seen = self._seen
        if seen is None or self._printed == (seen.phase, seen.done, seen.more):
            return
        self._printed = (seen.phase, seen.done, seen.more)
        tell(f"{seen.phase}: {self.words()}")

    def _take_progress(self, phase: str, progress: Progress) -> None:
        failed = f"{progress.failed:,} failed or in doubt" if progress.failed else ""
        ends_at = self._clock() + progress.eta_s
        self._take(phase, progress.settled, progress.planned, ends_at, (failed, progress.pause))

    def _take(self, phase: str, done: int, total: int, ends_at: float | None, more: tuple[str, ...]) -> None:
        seen = self._seen
        started_at = self._clock() if seen is None or seen.phase != phase else seen.started_at
        self._seen = _Seen(phase, done, total, started_at, ends_at, more)


@contextmanager
def reporter(console: Console, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Reporter]:
    """Yield a reporter that shows its news by itself, in the way that fits the console."""
    shown = Reporter(clock)
    if console.is_interactive:
        with Live(get_renderable=shown.bar, console=console, transient=True, refresh_per_second=4) as shown.live:
            yield shown
        return
    ended = threading.Event()

    def print_lines() -> None:
        # From a thread of its own: a reader that went away or a full disk never touches the sending.
        while not ended.wait(LINE_EVERY_S):
            shown.print_line()

    thread = threading.Thread(target=print_lines, name="progress", daemon=True)
    thread.start()
    try:
        yield shown
    finally:
        ended.set()
        thread.join()


def has_terminal() -> bool:
    """Return True when a question can be seen and answered."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask_to_send(question: Question) -> bool:
    """Ask on the terminal whether the rows may leave: only `y` or `yes` is a yes. Without a terminal it is a no."""
    if not has_terminal():
        return False
    what = (
        f"{counted(question.rows, 'object')} to delete"
        if question.deletes
        else f"{counted(question.rows, 'row')} to create"
    )
    tell(f"{what}, which takes at least {duration(question.eta_s)}.")
    tell(f"  service  {question.scope.service_root}")
    tell(f"  tenant   {question.scope.tenant_id}")
    if question.app_id:
        tell(f"  app      {question.app_id}")
    # Not input(): its prompt goes to stdout, which may be a file.
    sys.stderr.write(f"{'Delete' if question.deletes else 'Send'} them now? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}
