"""The story of `plan`: what an import would do, tried out on a copy of the ledger. Sends and changes nothing."""

import signal
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from pipeline.auth import scope_of
from pipeline.conclude import conclude_run, exit_code_of
from pipeline.config import OnChanged
from pipeline.deliver import Prepared, prepare
from pipeline.interrupt import TerminatedError
from pipeline.ledger import (
    Ledger,
    action_counts,
    end_run,
    run_info,
    settle_leftovers,
    state_counts,
)
from pipeline.model import RemoteCheck, Scope, StopReason
from pipeline.next_steps import near_path
from pipeline.pinned import basis_of, check_place, save_plan
from pipeline.reading import open_copy, read_files, spool_in
from pipeline.report import Forecast, TenantLook
from pipeline.sending_run import Finished, reason_not_to_send
from pipeline.session import Job, Session, connected, new_run, new_run_id, run_phase, working


def plan_files(paths: Sequence[Path], job: Job, *, remote: bool = False, save: Path | None = None) -> Finished:
    """Report what an import of the files would do now, and with `save` keep it as a plan that an import can follow.

    With `remote` the tenant is read: what it has already, and in one look what earlier runs left unknown. Needs no
    lock, so it also works while a run is sending. Raises what `import_files` raises before it sends.
    """
    scope = scope_of(job.settings.tenant)
    if save is not None:
        check_place(save)
    run_id = new_run_id(paths)
    folder = job.settings.runs_dir / run_id
    with spool_in(folder) as spool, ExitStack() as stack:
        ledger = stack.enter_context(closing(_copied(job, scope, spool)))
        session = stack.enter_context(connected(ledger, job)) if remote else None
        with new_run(ledger, run_id, folder, "plan", job.settings):
            read_files(paths, ledger, run_id, folder, job, looks=remote or None)
            is_due = run_info(ledger, run_id).remote_check == RemoteCheck.DUE
        looked = _look(session, run_id, folder, job) if session else Prepared(None, 0)
        end_run(ledger, run_id)
        if save is not None and (looked.stop or looked.stopped_collections):
            job.watch.note("the plan is not saved, because the tenant could not be read to its end")
            save = None
        if save is not None:
            basis = basis_of(job.settings, scope, preset=job.preset, is_strict=job.is_strict, repairs=job.repairs)
            save_plan(save, ledger, run_id, basis, is_tenant_checked=remote)
        look = TenantLook.CHECKED if remote else TenantLook.IMPORT_CHECKS if is_due else TenantLook.NOT_CHECKED
        stop = reason_not_to_send(state_counts(ledger, run_id), job)
        summary = conclude_run(
            ledger,
            run_id,
            folder,
            job,
            is_dry_run=True,
            has_too_many_errors=stop is not None and stop.reason is StopReason.THRESHOLD,
            forecast=_forecast(ledger, run_id, look, save),
        )
    reason, message = looked.stop or (None, "")
    code = exit_code_of(summary, reason, stopped_collections=looked.stopped_collections)
    return Finished(summary, folder, code, message)


def _copied(job: Job, scope: Scope, spool: Path) -> Ledger:
    """Return a copy of the job's ledger, or an empty one where there is none."""
    path = job.settings.ledger_path
    if not path.exists():
        job.watch.note(f"{near_path(path)}: there is no ledger here yet, so nothing counts as created before")
    ledger = open_copy(path, scope, spool)
    settle_leftovers(ledger)
    return ledger


def _look(session: Session, run_id: str, folder: Path, job: Job) -> Prepared:
    """Read the tenant back into the copy; return what could not be read to its end."""
    updates = job.settings.send.on_changed is OnChanged.UPDATE
    with working(session, run_id, folder, job) as delivery:
        prepared = run_phase(session, prepare(delivery, updates=updates, may_wait=False))
    if prepared.stop is not None and prepared.stop.reason is StopReason.INTERRUPTED:
        (folder / "run.log").unlink()  # nothing was found out, so nothing of it is kept
        raise TerminatedError if delivery.interrupt.signal_number == signal.SIGTERM else KeyboardInterrupt
    return prepared


def _forecast(ledger: Ledger, run_id: str, look: TenantLook, save: Path | None) -> Forecast:
    writes = sum(each.rows for each in action_counts(ledger, run_id))
    return Forecast(writes, look, str(near_path(save)) if save is not None else "")
