"""What the verbs share: the job as it was asked for, a locked ledger with a token, a new run, sending."""

import asyncio
import math
import re
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipeline import __version__
from pipeline.auth import TokenSource, app_id_of, open_token_source, scope_of
from pipeline.conclude import Call
from pipeline.config import Settings, config_hash
from pipeline.errors import UsageError
from pipeline.graph import Timeouts, open_client
from pipeline.interrupt import catch_signals
from pipeline.ledger import (
    Ledger,
    NewRun,
    begin_run,
    discard_run,
    end_run,
    hold_lock,
    open_ledger,
    run_info,
    settle_leftovers,
)
from pipeline.load import LoadOptions
from pipeline.log import open_run_log
from pipeline.model import Scope
from pipeline.pace import Pacer
from pipeline.presets import Preset
from pipeline.send import Progress, SendLimits, SendResult, Service, send_planned

LONGEST_LATENCY_S = 4.0
"""`concurrency: auto` keeps the quota's rate up while answers take at most so long."""

MOST_WORKERS = 64


class Question(NamedTuple):
    """What the user is asked before the first row leaves."""

    scope: Scope
    app_id: str  # "" when the token does not tell
    rows: int
    eta_s: float


class Watcher(NamedTuple):
    """How a run talks to whoever started it; the command line shows it, tests record it."""

    reading: Callable[[int, int], None]  # rows read, rows expected
    sending: Callable[[Progress], None]
    note: Callable[[str], None]  # a sentence for the user
    ask: Callable[[Question], bool]  # only off loopback


@dataclass(frozen=True, slots=True)
class Job:
    """One call of the program: the settings, what the command line decides beyond them, and the time it lives in."""

    settings: Settings
    call: Call
    watch: Watcher
    environ: Mapping[str, str]
    load: LoadOptions
    preset: Preset | None = None
    repairs: bool = True
    is_strict: bool = False
    aborts_on_invalid: bool = False
    most_rows: int | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    timeouts: Timeouts = field(default_factory=Timeouts)


class Session(NamedTuple):
    """An open ledger under its lock, and a token: what sending needs."""

    ledger: Ledger
    runner: asyncio.Runner
    tokens: TokenSource
    app_id: str


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
                f"rows that were under way when an earlier run ended: {leftovers:,}; they may or may not have been "
                "created, so they are unknown and are not sent again"
            )
        runner = stack.enter_context(asyncio.Runner())
        tokens = open_token_source(
            job.settings.auth, job.settings.tenant, scope.service_root, job.environ, show=job.watch.note
        )
        stack.callback(lambda: runner.run(tokens.aclose()))
        yield Session(ledger, runner, tokens, app_id_of(runner.run(tokens.token())))


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


def send_run(
    session: Session, run_id: str, folder: Path, job: Job, *, errors_before: int
) -> tuple[SendResult, int | None]:
    """Send the run's planned rows; return how it ended, and the number of the signal that ended it, if one did."""
    scope = session.ledger.scope
    with open_run_log(folder / "run.log") as log, catch_signals(session.runner.get_loop()) as interrupt:
        log.info("sending", run=run_id, service_root=scope.service_root, tenant_id=scope.tenant_id)

        async def send() -> SendResult:
            workers = _workers(job.settings)
            client = open_client(scope.service_root, connections=workers, timeouts=job.timeouts, environ=job.environ)
            async with client:
                return await send_planned(
                    session.ledger,
                    run_id,
                    Service(client, session.tokens.token, session.tokens.refresh),
                    open_pacer(job),
                    workers=workers,
                    limits=_limits(job, errors_before),
                    interrupt=interrupt,
                    clock=job.clock,
                    on_progress=job.watch.sending,
                    on_note=job.watch.note,
                    log=log,
                )

        result = session.runner.run(send())
        stop = result.stop
        end_run(session.ledger, run_id, stop=stop.reason if stop else "", stop_message=stop.message if stop else "")
        log.info("ended", stop=stop.reason if stop else None, **result.stats._asdict())
    return result, interrupt.signal_number


def _workers(settings: Settings) -> int:
    concurrency, quota = settings.send.concurrency, settings.send.quota
    if isinstance(concurrency, int):
        return concurrency
    return max(4, min(MOST_WORKERS, math.ceil(quota.count / quota.window_s * LONGEST_LATENCY_S)))


def _limits(job: Job, errors_before: int) -> SendLimits:
    threshold = job.settings.send.max_errors
    return SendLimits(threshold.count, threshold.percent, errors_before, job.most_rows)
