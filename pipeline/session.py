"""What the verbs share: the job as it was asked for, a locked ledger with a token, a new run, sending."""

import asyncio
import math
import re
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pipeline import __version__
from pipeline.auth import TokenSource, app_id_of, open_token_source, scope_of
from pipeline.config import Settings, config_hash
from pipeline.deliver import Delivery
from pipeline.errors import LedgerError, UsageError
from pipeline.graph import Access, Client, Timeouts, open_client
from pipeline.interrupt import Interrupt, catch_signals
from pipeline.ledger import (
    Ledger,
    NewRun,
    begin_run,
    discard_run,
    hold_lock,
    load_pacing,
    open_ledger,
    run_info,
    save_pacing,
    settle_leftovers,
)
from pipeline.load import LoadOptions
from pipeline.log import RunLog, open_run_log
from pipeline.model import PacingState, Scope
from pipeline.next_steps import Call
from pipeline.pace import Pacer
from pipeline.presets import Preset
from pipeline.reconcile import Looking, Reader, watch_nothing
from pipeline.report import Eta
from pipeline.send import Progress, SendLimits, Service

LONGEST_LATENCY_S = 4.0
"""`concurrency: auto` keeps the quota's rate up while answers take at most so long."""

BURST = 0.25
"""So much of a window's quota may be in flight while a rested quota is spent: the slower the answers, the more."""

FEWEST_WORKERS, MOST_WORKERS = 4, 64

SHARED_QUOTA = 0.5
"""What is left of this app's quota in the longer of two times.

The tenant's quota is twice one app's (200 and 100 writes per 20 s in Microsoft's
throttling-intune-device-configuration.md), so half of ours is left when other apps write 150. They may leave even less.
"""

Done = TypeVar("Done")

READ_QUOTA, READ_WINDOW_S = 900, 20.0
"""Reads may spend what writes leave of Intune's 1,000 requests of any kind per 20 s and app (Microsoft's
throttling-intune-device-configuration.md): 900 when the writes have their 100."""


class Question(NamedTuple):
    """What the user is asked before the first row leaves."""

    scope: Scope
    app_id: str  # "" when the token does not tell
    rows: int
    eta_s: float
    deletes: bool = False  # an undo: the rows' objects are deleted


class Watcher(NamedTuple):
    """How a run talks to whoever started it; the command line shows it, tests record it."""

    reading: Callable[[int, int], None]  # rows read, rows expected
    sending: Callable[[Progress], None]
    note: Callable[[str], None]  # a sentence for the user
    ask: Callable[[Question], bool]  # off loopback, and before an undo
    deleting: Callable[[Progress], None] | None = None  # the progress of an undo; None: told as `sending`
    looking: Callable[[Looking], None] = watch_nothing  # the progress of reading the tenant
    writing: Callable[[str], None] = watch_nothing  # the name of each report before it is written


@dataclass(frozen=True, slots=True)
class Job:
    """One call of the program: the settings, what the command line decides beyond them, and the time it lives in."""

    settings: Settings
    call: Call
    watch: Watcher
    environ: Mapping[str, str] = field(repr=False)  # it may hold the token and the secrets
    load: LoadOptions
    preset: Preset | None = None
    repairs: bool = True
    is_strict: bool = False
    aborts_on_invalid: bool = False
    most_rows: int | None = None
    jobs: int | None = None  # processes that read text files; None: as many as there are processors, for large ones
    check_remote: bool | None = None  # None: when the ledger is new to its scope
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wall_clock: Callable[[], float] = time.time  # seconds since 1970-01-01T00:00:00Z, which every process shares
    timeouts: Timeouts | None = None  # None: as configured


class Session(NamedTuple):
    """An open ledger under its lock, a token and a client: what sending needs."""

    ledger: Ledger
    runner: asyncio.Runner
    tokens: TokenSource
    app_id: str
    client: Client
    pacer: Pacer  # of writes
    reads: Pacer
    started_at: float  # on the job's clock: what was under way before that may still appear


@contextmanager
def open_session(job: Job, purpose: str) -> Iterator[Session]:
    """Yield what sending needs; refuse early when there is no token or another run holds the lock.

    What a dead run was sending becomes unknown here, because only the lock's holder may say so.
    """
    scope = scope_of(job.settings.tenant)
    path = job.settings.ledger_path
    with ExitStack() as stack:
        stack.enter_context(hold_lock(path, scope, purpose))
        ledger = stack.enter_context(closing(open_ledger(path, scope)))
        leftovers = settle_leftovers(ledger)
        if leftovers:
            job.watch.note(
                f"rows that were under way when an earlier run ended: {leftovers:,}; they are unknown until the "
                "tenant is read back"
            )
        yield stack.enter_context(connected(ledger, job))


@contextmanager
def connected(ledger: Ledger, job: Job) -> Iterator[Session]:
    """Yield a session on the ledger, whose lock is the caller's to hold. Raises PreflightError without a token."""
    scope = ledger.scope
    started_at = job.clock()
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        tokens = open_token_source(
            job.settings.auth, job.settings.tenant, scope.service_root, job.environ, show=job.watch.note
        )
        stack.callback(lambda: runner.run(tokens.aclose()))
        app_id = app_id_of(runner.run(tokens.token()))
        timeouts = job.timeouts or Timeouts(read_s=job.settings.send.timeout_s)
        client = open_client(
            scope.service_root, connections=workers_of(job.settings), timeouts=timeouts, environ=job.environ
        )
        stack.callback(lambda: runner.run(client.aclose()))
        reads = Pacer(READ_QUOTA, READ_WINDOW_S, clock=job.clock, sleep=job.sleep)
        pacer = stack.enter_context(_kept_pacer(ledger, app_id, job))
        yield Session(ledger, runner, tokens, app_id, client, pacer, reads, started_at)


@contextmanager
def _kept_pacer(ledger: Ledger, app_id: str, job: Job) -> Iterator[Pacer]:
    """Yield a pacer that goes on where the process before it ended, and keep what it knows for the next one."""
    quota = job.settings.send.quota

    def keep() -> None:
        # A ledger that cannot be written stops the rows too, and says so there: what is lost here is a hint.
        with suppress(LedgerError):
            save_pacing(ledger, app_id, pacer.state(job.wall_clock()))

    pacer = Pacer(quota.count, quota.window_s, clock=job.clock, sleep=job.sleep, on_refused=keep)
    before = load_pacing(ledger, app_id, quota.window_s)
    pacer.restore(before, job.wall_clock())
    try:
        yield pacer
    finally:
        if _is_other(pacer.state(job.wall_clock()), before):
            keep()


def _is_other(now: PacingState, before: PacingState) -> bool:
    """Return whether the next process has to know other things than this one did. Requests have their events."""
    return now.limit != before.limit or (bool(now.closed_until) and now.closed_until != before.closed_until)


def new_run_id(paths: Sequence[Path], *, at: datetime | None = None) -> str:
    """Return such as 20261123T084913Z-inventory-3f9a1c: sortable, with the first file's name, unique."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", paths[0].stem)[:40].strip("._") or "file"
    return f"{at or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{stem}-{secrets.token_hex(3)}"


@contextmanager
def new_run(ledger: Ledger, run_id: str, folder: Path, verb: str, settings: Settings) -> Iterator[None]:
    """Record a new run and make its folder; take both back when its files cannot be read to the end."""
    make_folder(folder)
    run = NewRun(run_id, verb, settings.edition, str(folder.absolute()), __version__, config_hash(settings))
    begin_run(ledger, run)
    try:
        yield
    finally:
        if run_info(ledger, run_id).planned_at is None:
            discard_run(ledger, run_id)
            shutil.rmtree(folder, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make the folder of a run unless it is there. Raises UsageError when it cannot be made."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)  # reports hold users' names
    except OSError as problem:
        raise UsageError(
            f"{folder}: the folder for the reports cannot be made ({problem.strerror}); "
            "make the folder above it writable, or name another one with --out"
        ) from problem


def open_pacer(job: Job) -> Pacer:
    """Return a pacer at the configured quota, on the job's clock."""
    quota = job.settings.send.quota
    return Pacer(quota.count, quota.window_s, clock=job.clock, sleep=job.sleep)


def eta_of(job: Job, writes: int) -> Eta | None:
    """Return how long so many writes take from a rested quota on, None for none."""
    if not writes:
        return None
    quota = job.settings.send.quota
    shared = Pacer(max(1, int(quota.count * SHARED_QUOTA)), quota.window_s, clock=job.clock, sleep=job.sleep)
    return Eta(writes, open_pacer(job).eta_s(writes), shared.eta_s(writes))


@contextmanager
def working(session: Session, run_id: str, folder: Path, job: Job, *, errors_before: int = 0) -> Iterator[Delivery]:
    """Yield all that sending and reading back need, with run.log open; Ctrl-C and SIGTERM interrupt it gently."""
    with open_run_log(folder / "run.log") as log, catch_signals(session.runner.get_loop()) as interrupt:
        yield _delivery(session, run_id, job, log, interrupt, errors_before=errors_before)


def _delivery(
    session: Session, run_id: str, job: Job, log: RunLog, interrupt: Interrupt, *, errors_before: int
) -> Delivery:
    async def read_slot() -> None:
        await session.reads.slot()
        session.reads.sent()

    tokens = session.tokens
    is_undo = run_info(session.ledger, run_id).verb == "undo"
    access = Access(tokens.token, tokens.refresh, read_slot, session.reads.pause, interrupt.gently.is_set)
    return Delivery(
        ledger=session.ledger,
        run_id=run_id,
        service=Service(session.client, tokens.token, tokens.refresh, session.pacer, access),
        reader=Reader(
            session.client, access, job.clock, job.sleep, job.settings.send.settle_s, log, on_look=job.watch.looking
        ),
        workers=workers_of(job.settings),
        limits=_limits(job, errors_before),
        interrupt=interrupt,
        clock=job.clock,
        sleep=job.sleep,
        started_at=session.started_at,
        on_progress=(job.watch.deleting if is_undo else None) or job.watch.sending,
        on_note=job.watch.note,
        log=log,
        mode=job.settings.send.mode,
    )


def run_phase(session: Session, phase: Coroutine[Any, Any, Done]) -> Done:
    """Return what the phase returns, run on the session's event loop."""
    return session.runner.run(phase)


def workers_of(settings: Settings) -> int:
    """Return how many requests may be in flight. How many of them are, the pacer says, as it learns the latency."""
    concurrency, quota = settings.send.concurrency, settings.send.quota
    if isinstance(concurrency, int):
        return concurrency
    wanted = max(quota.count / quota.window_s * LONGEST_LATENCY_S, quota.count * BURST)
    return max(FEWEST_WORKERS, min(MOST_WORKERS, math.ceil(wanted)))


def _limits(job: Job, errors_before: int) -> SendLimits:
    threshold = job.settings.send.max_errors
    return SendLimits(threshold.count, threshold.percent, errors_before, job.most_rows)
