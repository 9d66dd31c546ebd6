"""How far a run is, on stderr: a few live lines on a terminal, else a line now and then. And the one question."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType

from pipeline.cli.fitting import MOST_COLUMNS, has_signs, told
from pipeline.cli.live import News, lines_of, words_of
from pipeline.cli.streams import tell
from pipeline.cli.terminal import print_whole
from pipeline.reconcile import Looking, Purpose
from pipeline.send import Outcome, Problem, Progress
from pipeline.session import Question
from pipeline.wording import counted, duration

LINE_EVERY_S = 5.0
"""Seconds between two looks at the progress where there is no terminal to draw on."""

DRAW_EVERY_S = 0.25

RATE_AFTER_S = 1.0
"""Before that, the rate is a guess from too little."""

RECENT_S = 60.0
"""The recent rate is that of so many seconds: some windows of the quota, within each of which rows leave in a burst."""

SAMPLE_EVERY_S = 1.0

QUIET_S = 5.0
"""A service that says nothing for so long, where it is to be expected, is worth a word."""


def local_time() -> datetime:
    """Return the time in the user's time zone."""
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class _Seen:
    """The latest news of a phase. Times are the reporter's clock."""

    phase: str
    done: int
    total: int
    noun: str
    started_at: float
    at: float
    samples: tuple[tuple[float, int], ...] = ()  # (when, how many were done), of the last minute and one before
    quiet_s: float | None = None  # after so long without news the service is late; None: nobody is asked
    ends_at: float | None = None  # None: to be told from the rate
    more: tuple[str, ...] = ()
    why: str = ""
    why_until: float = 0.0  # 0: not known
    outcomes: tuple[tuple[Outcome, int], ...] = ()
    problems: tuple[tuple[Problem, int], ...] = ()


class Reporter:
    """Takes the news of a run in, and shows the latest of it. `console` is a terminal; None where there is none.

    The news come from the thread that works, and another one shows them.
    """

    def __init__(
        self, clock: Callable[[], float], *, console: Console | None = None, now: Callable[[], datetime] = local_time
    ) -> None:
        self._clock, self._now, self._console = clock, now, console
        self._live: Live | None = None
        self._seen: _Seen | None = None
        self._printed: tuple[str, int, tuple[str, ...], str] | None = None
        self._drawn: tuple[int, ...] = ()  # how many cells each line on the terminal has
        if console is not None:
            self._draw()

    def reading(self, rows: int, expected: int) -> None:
        """Take in how many rows are read."""
        self._seen = self._begun("reading", rows, expected, "row")

    def looking(self, looking: Looking) -> None:
        """Take in how far the tenant is read. Amid sending it says why nothing leaves."""
        objects = f"{counted(looking.objects, 'object')} read"
        until = self._clock() + looking.waits_s if looking.waits_s >= 1 else 0.0
        wait = "waiting to look again for what is absent" if until else ""
        seen = self._seen
        if looking.purpose is Purpose.SETTLING and seen is not None and seen.outcomes:
            why = f"reading the tenant back, {objects}"
            self._seen = replace(seen, why=f"{why}; {wait}" if wait else why, why_until=until)
            return
        more: tuple[str, ...] = (objects,)
        if looking.purpose is Purpose.READING_BACK:
            more += (f"{looking.collections:,} of {counted(looking.of, 'collection')}",)
            news = self._begun(looking.purpose, looking.found, looking.wanted, "object")
        else:
            news = self._begun(looking.purpose, looking.collections, looking.of, "collection")
        self._seen = replace(news, more=more, why=wait, why_until=until, quiet_s=QUIET_S)

    def writing(self, file: str) -> None:
        """Take in which report is being written."""
        self._seen = replace(self._begun("writing", 0, 1, "report"), more=(f"now {file}",))

    def sending(self, progress: Progress) -> None:
        """Take in how many rows are settled, what became of them, and when the rest will be."""
        self._take_progress("sending", progress)

    def deleting(self, progress: Progress) -> None:
        """Take in how many rows of an undo are settled, what became of them, and when the rest will be."""
        self._take_progress("deleting", progress)

    def note(self, sentence: str) -> None:
        """Show a sentence, above the live lines where there are some."""
        if self._live is None or self._console is None:
            tell(sentence)
            return
        with suppress(OSError):  # a terminal that went away never touches the sending
            for line in told(sentence, min(self._console.width, MOST_COLUMNS)):
                print_whole(self._console, line, style="yellow")

    def ask(self, question: Question) -> bool:
        """Ask on the terminal whether the rows may leave. The live lines make room for it."""
        self._seen = None
        self.close()
        try:
            return ask_to_send(question)
        finally:
            if self._console is not None:
                self._draw()

    def show(self) -> None:
        """Show the latest news: draw the live lines again, or print a line."""
        if self._console is None:
            self.print_line()
        elif (live := self._live) is not None:
            try:
                self._clear_what_was_wrapped(self._console)
                live.refresh()
            except OSError:
                self._live = None

    def close(self) -> None:
        """Take the live lines away, and leave the terminal as it was."""
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError):
                live.stop()

    def words(self) -> str:
        """Return such as `100 of 261 rows, 5.0/s, about 33 s left`; "" as long as there is no news."""
        news = self._news()
        return words_of(news) if news else ""

    def view(self) -> Group:
        """Return the live lines, which fit the terminal."""
        news = self._news()
        lines = []
        if news is not None and self._console is not None:
            columns, rows = self._console.size
            has_only_ascii = not has_signs(self._console.encoding)
            lines = lines_of(news, columns=columns, rows=rows, is_plain=has_only_ascii)
        self._drawn = tuple(each.cell_len for each in lines)
        return Group(*lines)

    def print_line(self) -> None:
        """Print the latest news, unless it was printed before."""
        seen = self._seen
        if seen is None or self._printed == (seen.phase, seen.done, seen.more, seen.why):
            return
        self._printed = (seen.phase, seen.done, seen.more, seen.why)
        tell(f"{seen.phase}: {self.words()}")

    def _draw(self) -> None:
        # A new one each time: an old one would go up over what was printed since.
        live = Live(
            console=self._console, auto_refresh=False, transient=True, get_renderable=self.view, redirect_stdout=False
        )
        with suppress(OSError):
            live.start()
        self._live = live

    def _clear_what_was_wrapped(self, console: Console) -> None:
        """Erase what lines that are too wide by now, because the terminal was made narrower, take beyond one each."""
        columns = max(console.width, 1)
        further = sum((cells - 1) // columns for cells in self._drawn if cells)
        if further:
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * further
            console.control(Control((ControlType.ERASE_IN_LINE, 2), *up))

    def _news(self) -> News | None:
        seen = self._seen
        if seen is None:
            return None
        now = self._clock()
        elapsed_s = now - seen.started_at
        rate = seen.done / elapsed_s if elapsed_s > RATE_AFTER_S else 0.0
        sampled_at, were_done = next(
            (each for each in reversed(seen.samples) if each[0] <= now - RECENT_S), seen.samples[0]
        )
        recent = (seen.done - were_done) / (now - sampled_at) if elapsed_s > RECENT_S else None
        left_s = seen.ends_at - now if seen.ends_at is not None else (seen.total - seen.done) / rate if rate else 0.0
        to_wait_s = seen.why_until - now
        why = f"{seen.why}, {duration(to_wait_s)} to go" if seen.why and to_wait_s >= 1 else seen.why
        if not why and seen.quiet_s is not None and now - seen.at > seen.quiet_s:
            why = f"no answer for {duration(now - seen.at)}"
        return News(
            phase=seen.phase,
            done=seen.done,
            total=seen.total,
            noun=seen.noun,
            rate=rate,
            recent_rate=recent,
            left_s=max(left_s, 0.0),
            ends_at=self._now() + timedelta(seconds=max(left_s, 0.0)),
            more=seen.more,
            why=why,
            outcomes=seen.outcomes,
            problems=seen.problems,
        )

    def _take_progress(self, phase: str, progress: Progress) -> None:
        slots, now = progress.slots, self._clock()
        # While an answer to an earlier request comes in, the service may still refuse new ones.
        is_closed = slots.closed_s >= 1
        why = progress.pause or ("paused by the service" if is_closed else "")
        more = (
            f"quota {slots.used:,} of {slots.limit:,} in {slots.window_s:g} s" if slots.limit and not why else "",
            f"throttled {counted(progress.throttled, 'time')}" if progress.throttled else "",
            f"{duration(progress.paused_s)} paused" if progress.paused_s >= 1 else "",
            f"{progress.failed:,} failed or in doubt" if progress.failed else "",
        )
        self._seen = replace(
            self._begun(phase, progress.settled, progress.planned, "row"),
            quiet_s=slots.window_s + QUIET_S,  # a spent quota keeps quiet for a window
            ends_at=now + progress.eta_s,
            more=tuple(each for each in more if each),
            why=why,
            why_until=now + slots.closed_s if is_closed else 0.0,
            outcomes=progress.outcomes,
            problems=progress.problems,
        )

    def _begun(self, phase: str, done: int, total: int, noun: str) -> _Seen:
        """Return the news of a phase, which begins with the first of them."""
        now, seen = self._clock(), self._seen
        if seen is None or seen.phase != phase:
            return _Seen(phase, done, total, noun, started_at=now, at=now, samples=((now, done),))
        samples = seen.samples
        if samples[-1][0] + SAMPLE_EVERY_S <= now:
            old = sum(each <= now - RECENT_S for each, _ in samples[1:])
            samples = (*samples[old:], (now, done))
        return _Seen(phase, done, total, noun, started_at=seen.started_at, at=now, samples=samples)


@contextmanager
def reporter(console: Console, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Reporter]:
    """Yield a reporter that shows its news by itself, in the way that fits the console."""
    is_live = console.is_interactive
    shown = Reporter(clock, console=console if is_live else None)
    ended = threading.Event()

    def keep_showing() -> None:
        # From a thread of its own: a reader that went away or a full disk never touches the sending.
        while not ended.wait(DRAW_EVERY_S if is_live else LINE_EVERY_S):
            shown.show()

    thread = threading.Thread(target=keep_showing, name="progress", daemon=True)
    thread.start()
    try:
        yield shown
    finally:
        ended.set()
        thread.join()
        shown.close()


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
