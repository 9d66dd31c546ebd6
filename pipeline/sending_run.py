"""What every verb that sends shares: which run is meant, the question before rows leave, sending, how it ended."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.auth import is_loopback, service_root_of
from pipeline.conclude import conclude_run, exit_code_of
from pipeline.config import OnChanged, Settings
from pipeline.deliver import deliver, prepare
from pipeline.errors import ExitCode, LedgerError, UsageError
from pipeline.interrupt import TerminatedError
from pipeline.ledger import Ledger, end_run, find_run, leave_unsent, run_info, state_counts
from pipeline.log import open_run_log
from pipeline.model import RunInfo, Scope, SendStats, State, Stop, StopReason
from pipeline.report import Summary
from pipeline.session import Job, Question, Session, run_phase, working

Allows = Callable[[Ledger, str], str]
"""(ledger, run) -> why the run's plan may not be carried out, or ""."""


def allow_all(_ledger: Ledger, _run_id: str) -> str:
    """Allow any plan."""
    return ""


class Finished(NamedTuple):
    """How a verb ended."""

    summary: Summary
    folder: Path
    exit_code: ExitCode
    stop_message: str = ""


class OpenRun(NamedTuple):
    """A run whose rows are planned, and all that sending them needs."""

    session: Session
    id: str
    folder: Path
    job: Job


def send_plan(run: OpenRun, *, is_allowed: Allows = allow_all, is_confirmed: bool = False) -> Finished:
    """Send what is planned, unless something speaks against it, and report; the rest is unsent and says why.

    `is_confirmed` says that the question was asked before. Raises LedgerError when the ledger fails on the way, naming
    the command that goes on: nothing leaves after that. So does a signal while no answer is under way and no question
    is asked: KeyboardInterrupt or TerminatedError.
    """
    with _saying_how_to_go_on(run):
        return _send_plan(run, is_allowed, is_confirmed=is_confirmed)


@contextmanager
def _saying_how_to_go_on(run: OpenRun) -> Iterator[None]:
    resume = run.job.call.command("resume", run.id)
    try:
        yield
    except KeyboardInterrupt as signalled:
        raise type(signalled)(f"this goes on, and sends no row twice: {resume}") from signalled
    except LedgerError as problem:
        raise LedgerError(
            f"{problem}; the rows that were done before are safe in the ledger, and this settles those that were under "
            f"way and goes on with the rest: {resume}"
        ) from problem


def _send_plan(run: OpenRun, is_allowed: Allows, *, is_confirmed: bool) -> Finished:
    session, job, ledger = run.session, run.job, run.session.ledger
    stop = reason_not_to_send(state_counts(ledger, run.id), job)
    if stop is not None:
        code = ExitCode.THRESHOLD if stop.reason is StopReason.THRESHOLD else ExitCode.INVALID
        return _end_unsent(run, stop, code)
    with working(session, run.id, run.folder, job) as delivery:
        updates = job.settings.send.on_changed is OnChanged.UPDATE
        prepared = run_phase(session, prepare(delivery, updates=updates))
    if prepared.stop is not None:
        return _end(run, prepared.stop, signal_number=delivery.interrupt.signal_number)
    if why := is_allowed(ledger, run.id):
        return _end_unsent(run, Stop(StopReason.PLAN, why), ExitCode.USAGE)
    try:
        is_confirmed = is_confirmed or _is_confirmed(run)
    except KeyboardInterrupt as signalled:
        number = signal.SIGTERM if isinstance(signalled, TerminatedError) else signal.SIGINT
        return _end(run, Stop(StopReason.INTERRUPTED, "the run was interrupted"), signal_number=number)
    if not is_confirmed:
        summary = conclude_run(ledger, run.id, run.folder, job)
        done = "deleted" if summary.run.verb == "undo" else "sent"
        return Finished(summary, run.folder, exit_code_of(summary), f"not confirmed, so nothing was {done}")
    counts = state_counts(ledger, run.id)
    errors_before = counts.get(State.INVALID, 0) + counts.get(State.CONFLICTING, 0)
    with working(session, run.id, run.folder, job, errors_before=errors_before) as delivery:
        sent = run_phase(session, deliver(delivery))
    return _end(
        run,
        sent.stop,
        stopped_collections=prepared.stopped_collections + sent.stopped_collections,
        signal_number=delivery.interrupt.signal_number,
        stats=sent.stats,
    )


def reason_not_to_send(counts: Mapping[State, int], job: Job) -> Stop | None:
    """Return why nothing of the plan is sent, or None: the rows with errors are too many for this call."""
    errors = counts.get(State.INVALID, 0) + counts.get(State.CONFLICTING, 0)
    rows = sum(counts.values())
    limit = job.settings.send.max_errors
    if job.aborts_on_invalid and errors:
        return Stop(StopReason.INVALID, f"rows with errors: {errors:,}; --on-invalid abort sends nothing then")
    if limit.count is not None and errors > limit.count:
        return Stop(
            StopReason.THRESHOLD,
            f"rows with errors: {errors:,}, more than --max-errors {limit.count}; nothing was sent",
        )
    if limit.percent is not None and errors * 100 > limit.percent * rows:
        return Stop(
            StopReason.THRESHOLD,
            f"rows with errors: {errors:,} of {rows:,}, more than --max-errors {limit.percent:g}%; nothing was sent",
        )
    return None


def _is_confirmed(run: OpenRun) -> bool:
    """Ask once before rows leave this machine, where there are any."""
    ledger = run.session.ledger
    planned = state_counts(ledger, run.id).get(State.PLANNED, 0)
    deletes = run_info(ledger, run.id).verb == "undo"
    return not planned or ask_to_send(run.session, run.job, planned, deletes=deletes)


def ask_to_send(session: Session, job: Job, planned: int, *, deletes: bool = False) -> bool:
    """Return whether so many rows may leave. What stays on this machine needs no answer, unless it deletes."""
    scope = session.ledger.scope
    rows = planned if job.most_rows is None else min(planned, job.most_rows)
    question = Question(scope, session.app_id, rows, session.pacer.eta_s(rows), deletes)
    return (is_loopback(scope.service_root) and not deletes) or job.watch.ask(question)


def _end(
    run: OpenRun,
    stop: Stop | None,
    *,
    stopped_collections: int = 0,
    signal_number: int | None = None,
    stats: SendStats | None = None,
) -> Finished:
    ledger = run.session.ledger
    reason, message = stop or (None, "")
    end_run(ledger, run.id, stop=reason or "", stop_message=message)
    summary = conclude_run(ledger, run.id, run.folder, run.job, stats=stats)
    code = exit_code_of(summary, reason, stopped_collections=stopped_collections)
    if signal_number is not None and reason is StopReason.INTERRUPTED and code is not ExitCode.INTERNAL:
        code = ExitCode(128 + signal_number)
    return Finished(summary, run.folder, code, message)


def _end_unsent(run: OpenRun, stop: Stop, code: ExitCode) -> Finished:
    """Leave all that is planned unsent, and say why."""
    with open_run_log(run.folder / "run.log") as log:
        log.error("run stopped", reason=stop.reason, why=stop.message)
    leave_unsent(run.session.ledger, run.id, stop.message)
    return _end(run, stop)._replace(exit_code=code)


def find_own_run(ledger: Ledger, wanted: str | None, verb: str, *, prefer_waiting: bool = False) -> RunInfo:
    """Return the run that is meant. Raises UsageError when it is another scope's, or was never planned."""
    run = find_run(ledger, wanted, prefer_waiting=prefer_waiting)
    if run.scope != ledger.scope:
        raise UsageError(
            f"run {run.id} belongs to {_named(run.scope)}, and the configuration says {_named(ledger.scope)}; "
            f"{verb} it with the configuration that it was started with, or with --graph-url {run.scope.service_root}"
        )
    if run.planned_at is None:
        raise UsageError(
            f"run {run.id} was ended before its files were read to the end, so nothing of it is planned; "
            "import the files again"
        )
    return run


def need_ledger(settings: Settings) -> None:
    """Raise UsageError where opening the ledger would make a new one, as with a mistyped --state."""
    path = settings.ledger_path
    if not path.exists():
        raise UsageError(f"{path}: there is no ledger here yet; start one with `certstate import FILE`")


def scope_shown(settings: Settings) -> Scope:
    """Return the scope for a verb that sends nothing, for which the tenant's id may be missing."""
    return Scope(service_root_of(settings.tenant), settings.tenant.id or "")


def _named(scope: Scope) -> str:
    return f"{scope.service_root}, tenant {scope.tenant_id or 'none'}"
