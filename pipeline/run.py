"""The whole story of a verb. Read this first.

files -> ingest (load, columns, values, validate, routes) -> ledger -> send (pace, graph) -> ledger -> conclude
"""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipeline.auth import is_loopback, service_root_of
from pipeline.conclude import conclude_run, exit_code_of
from pipeline.config import Settings
from pipeline.errors import ExitCode, UsageError
from pipeline.ingest import ingest_files, rules_of
from pipeline.interrupt import deferred_signals
from pipeline.ledger import Ledger, end_run, find_run, leave_unsent, open_ledger, plan_again, state_counts
from pipeline.log import open_run_log
from pipeline.model import Scope, State, Stop, StopReason
from pipeline.report import Summary
from pipeline.session import (
    Job,
    Question,
    Session,
    make_folder,
    new_run,
    new_run_id,
    open_pacer,
    open_session,
    send_run,
)


class Finished(NamedTuple):
    """How a verb ended."""

    summary: Summary
    folder: Path
    exit_code: ExitCode
    stop_message: str = ""


def validate_files(paths: Sequence[Path], job: Job) -> Finished:
    """Dry run: everything but the network and the ledger. Writes the report into a new run folder."""
    run_id = new_run_id(paths)
    folder = job.settings.runs_dir / run_id
    make_folder(folder)
    try:
        with closing(open_ledger(folder / "spool.db", _scope_shown(job.settings), is_durable=False)) as spool:
            with new_run(spool, run_id, folder, "validate", job.settings):
                _read(paths, spool, run_id, folder, job)
            end_run(spool, run_id)
            stop = _reason_not_to_send(state_counts(spool, run_id), job)
            is_stopped = stop is not None and stop.reason is StopReason.THRESHOLD
            summary = conclude_run(spool, run_id, folder, job.call, is_dry_run=True, has_too_many_errors=is_stopped)
    finally:
        for each in folder.glob("spool.db*"):
            each.unlink()
        with suppress(OSError):
            folder.rmdir()  # succeeds when nothing is in it: Windows kept it as long as the spool was open
    return Finished(summary, folder, exit_code_of(summary))


def import_files(paths: Sequence[Path], job: Job) -> Finished:
    """The main job: read the files, plan them against the ledger, send what is planned, report."""
    run_id = new_run_id(paths)
    folder = job.settings.runs_dir / run_id
    with open_session(job, f"run {run_id}") as session:
        with new_run(session.ledger, run_id, folder, "import", job.settings):
            _read(paths, session.ledger, run_id, folder, job)
        return _send_unless_too_many_errors(session, run_id, folder, job)


def resume_run(wanted: str | None, job: Job) -> Finished:
    """Go on with the planned and unsent rows of a run; without a name of the scope's latest run that has any."""
    _check_there_is_a_ledger(job)
    with open_session(job, f"resume of {wanted or 'the latest run'}") as session:
        run = find_run(session.ledger, wanted, prefer_waiting=True)
        if run.scope != session.ledger.scope:
            raise UsageError(
                f"run {run.id} belongs to {_named(run.scope)}, and the configuration says "
                f"{_named(session.ledger.scope)}; resume it with the configuration that it was started with"
            )
        if run.planned_at is None:
            raise UsageError(
                f"run {run.id} was ended before its files were read to the end, so nothing of it is planned; "
                "import the files again"
            )
        plan_again(session.ledger, run.id)
        folder = Path(run.folder)
        make_folder(folder)
        # What was asked for when the run began still holds: only a new import can take it back.
        job = replace(job, aborts_on_invalid=run.stop == StopReason.INVALID)
        return _send_unless_too_many_errors(session, run.id, folder, job)


def report_run(wanted: str | None, job: Job) -> Finished:
    """Write the report of a run again, into its folder."""
    _check_there_is_a_ledger(job)
    with closing(open_ledger(job.settings.ledger_path, _scope_shown(job.settings))) as ledger:
        run = find_run(ledger, wanted)
        folder = Path(run.folder)
        make_folder(folder)
        summary = conclude_run(ledger, run.id, folder, job.call)
    # The report tells how the run stands; this call did what it was asked to do.
    return Finished(summary, folder, ExitCode.OK, run.stop_message)


def _check_there_is_a_ledger(job: Job) -> None:
    """Raise UsageError where opening the ledger would make a new one, as with a mistyped --state."""
    path = job.settings.ledger_path
    if not path.exists():
        raise UsageError(f"{path}: there is no ledger here yet; start one with `certstate import FILE`")


def _scope_shown(settings: Settings) -> Scope:
    """Return the scope for a verb that sends nothing, for which the tenant's id may be missing."""
    return Scope(service_root_of(settings.tenant), settings.tenant.id or "")


def _named(scope: Scope) -> str:
    return f"{scope.service_root}, tenant {scope.tenant_id or 'none'}"


def _read(paths: Sequence[Path], ledger: Ledger, run_id: str, folder: Path, job: Job) -> None:
    rules = rules_of(job.settings, is_strict=job.is_strict, preset=job.preset, repairs=job.repairs)
    with open_run_log(folder / "run.log") as log, deferred_signals() as check:
        log.info("reading", run=run_id, files=[str(path) for path in paths])

        def on_rows(rows: int, expected: int) -> None:
            job.watch.reading(rows, expected)
            check()

        ingest_files(paths, ledger, run_id, rules=rules, options=job.load, on_rows=on_rows)
        log.info("planned", rows={state.value: rows for state, rows in state_counts(ledger, run_id).items()})


def _reason_not_to_send(counts: Mapping[State, int], job: Job) -> Stop | None:
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


def _send_unless_too_many_errors(session: Session, run_id: str, folder: Path, job: Job) -> Finished:
    """Send what is planned, or leave all of it unsent and say why."""
    ledger = session.ledger
    stop = _reason_not_to_send(state_counts(ledger, run_id), job)
    if stop is None:
        return _send(session, run_id, folder, job)
    with open_run_log(folder / "run.log") as log:
        log.error("run stopped", reason=stop.reason, why=stop.message)
    leave_unsent(ledger, run_id, stop.message)
    end_run(ledger, run_id, stop=stop.reason, stop_message=stop.message)
    summary = conclude_run(ledger, run_id, folder, job.call)
    code = ExitCode.THRESHOLD if stop.reason is StopReason.THRESHOLD else ExitCode.INVALID
    return Finished(summary, folder, code, stop.message)


def _send(session: Session, run_id: str, folder: Path, job: Job) -> Finished:
    """Send what is planned, unless the user says no, and report."""
    ledger = session.ledger
    counts = state_counts(ledger, run_id)
    planned = counts.get(State.PLANNED, 0)
    rows = planned if job.most_rows is None else min(planned, job.most_rows)
    question = Question(ledger.scope, session.app_id, rows, open_pacer(job).eta_s(rows))
    if rows and not is_loopback(ledger.scope.service_root) and not job.watch.ask(question):
        summary = conclude_run(ledger, run_id, folder, job.call)
        return Finished(summary, folder, exit_code_of(summary), "not confirmed, so nothing was sent")
    errors_before = counts.get(State.INVALID, 0) + counts.get(State.CONFLICTING, 0)
    result, signal_number = send_run(session, run_id, folder, job, errors_before=errors_before)
    summary = conclude_run(ledger, run_id, folder, job.call, stats=result.stats)
    reason, message = result.stop or (None, "")
    code = exit_code_of(summary, reason, stopped_collections=result.stopped_collections)
    if signal_number is not None and reason is StopReason.INTERRUPTED and code is not ExitCode.INTERNAL:
        code = ExitCode(128 + signal_number)
    return Finished(summary, folder, code, message)
