"""The whole story of a verb. Read this first.

files -> ingest (load, columns, values, validate, routes) -> ledger -> prepare (what earlier runs left unknown, what the
tenant has already) -> deliver (send, reconcile) -> ledger -> conclude
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pipeline.auth import scope_of
from pipeline.conclude import conclude_run, exit_code_of
from pipeline.errors import ExitCode
from pipeline.ledger import (
    end_run,
    find_run,
    open_ledger,
    plan_again,
    plan_retry,
    set_remote_check,
    state_counts,
)
from pipeline.model import RemoteCheck, RunInfo, StopReason
from pipeline.pinned import SavedPlan, basis_of, check_basis, follows_plan_in, keep_plan, read_plan
from pipeline.reading import read_files, spool_in
from pipeline.sending_run import (
    Finished,
    OpenRun,
    find_own_run,
    need_ledger,
    reason_not_to_send,
    scope_shown,
    send_plan,
)
from pipeline.session import Job, Session, make_folder, new_run, new_run_id, open_session

__all__ = ["Finished", "import_files", "report_run", "resume_run", "retry_run", "validate_files"]


def validate_files(paths: Sequence[Path], job: Job) -> Finished:
    """Dry run: everything but the network and the ledger. Writes the report into a new run folder."""
    run_id = new_run_id(paths)
    folder = job.settings.runs_dir / run_id
    with (
        spool_in(folder) as path,
        closing(open_ledger(path, scope_shown(job.settings), is_durable=False)) as spool,
    ):
        with new_run(spool, run_id, folder, "validate", job.settings):
            read_files(paths, spool, run_id, folder, job, keeps_all=False)
        end_run(spool, run_id)
        stop = reason_not_to_send(state_counts(spool, run_id), job)
        is_stopped = stop is not None and stop.reason is StopReason.THRESHOLD
        summary = conclude_run(spool, run_id, folder, job, is_dry_run=True, has_too_many_errors=is_stopped)
    return Finished(summary, folder, exit_code_of(summary))


def import_files(paths: Sequence[Path], job: Job, *, plan: Path | None = None) -> Finished:
    """The main job: read the files, plan them against the ledger, send what is planned, report.

    With the `plan` that `plan_files` saved nothing is sent that is not in it. Raises UsageError when it was made for
    other files, another scope or another configuration.
    """
    saved = _checked_plan(plan, paths, job) if plan else None
    run_id = new_run_id(paths)
    folder = job.settings.runs_dir / run_id
    with open_session(job, f"run {run_id}") as session:
        with new_run(session.ledger, run_id, folder, "import", job.settings):
            if plan and saved:
                keep_plan(plan, saved, folder)
            looks = True if job.check_remote is None and saved and saved.is_tenant_checked else job.check_remote
            read_files(paths, session.ledger, run_id, folder, job, looks=looks)
        return send_plan(OpenRun(session, run_id, folder, job), is_allowed=follows_plan_in(folder))


def _checked_plan(path: Path, files: Sequence[Path], job: Job) -> SavedPlan:
    scope = scope_of(job.settings.tenant)
    basis = basis_of(job.settings, scope, preset=job.preset, is_strict=job.is_strict, repairs=job.repairs)
    plan = read_plan(path)
    check_basis(path, plan, basis, files)
    return plan


def resume_run(wanted: str | None, job: Job) -> Finished:
    """Go on with what is planned, unsent or unknown of a run; without a name of the latest run that has any."""
    need_ledger(job.settings)
    with open_session(job, f"resume of {wanted or 'the latest run'}") as session:
        run = find_own_run(session.ledger, wanted, "resume", prefer_waiting=True)
        plan_again(session.ledger, run.id)
        if job.check_remote and run.verb != "undo":  # which creates nothing
            set_remote_check(session.ledger, run.id, RemoteCheck.DUE)
        # What was asked for when the run began still holds: only a new import can take it back.
        return _send_more(session, run, replace(job, aborts_on_invalid=run.stop == StopReason.INVALID))


def retry_run(wanted: str | None, job: Job, *, missing: bool) -> Finished:
    """Send the rejected rows of a run again, after the tenant was mended; or those that `verify` found missing."""
    need_ledger(job.settings)
    with open_session(job, f"retry of {wanted or 'the latest run'}") as session:
        run = find_own_run(session.ledger, wanted, "retry")
        if missing:
            # What was missing may be there again by now, put back by another hand. Before the plan, as in an import.
            set_remote_check(session.ledger, run.id, RemoteCheck.DUE)
        if not plan_retry(session.ledger, run.id, missing=missing):
            what = "is missing" if missing else "was rejected and still counts"
            job.watch.note(f"run {run.id} has no row that {what}: there is nothing to send again")
        return _send_more(session, run, job)


def _send_more(session: Session, run: RunInfo, job: Job) -> Finished:
    folder = Path(run.folder)
    make_folder(folder)
    return send_plan(OpenRun(session, run.id, folder, job), is_allowed=follows_plan_in(folder))


def report_run(wanted: str | None, job: Job) -> Finished:
    """Write the report of a run again, into its folder."""
    need_ledger(job.settings)
    with closing(open_ledger(job.settings.ledger_path, scope_shown(job.settings))) as ledger:
        run = find_run(ledger, wanted)
        folder = Path(run.folder)
        make_folder(folder)
        summary = conclude_run(ledger, run.id, folder, job)
    # The report tells how the run stands; this call did what it was asked to do.
    return Finished(summary, folder, ExitCode.OK, run.stop_message)
