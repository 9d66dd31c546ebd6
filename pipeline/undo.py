"""Deleting what a run created: created rows -> a run of deletes in the ledger -> confirmed -> the way of every run.

The sender looks at each object right before it deletes it, and keeps what was changed since.
"""

from collections import Counter
from pathlib import Path

from pipeline import __version__
from pipeline.conclude import conclude_run
from pipeline.config import config_hash
from pipeline.deliver import settle
from pipeline.errors import ExitCode, UsageError
from pipeline.ledger import (
    NewRun,
    begin_undo,
    created_rows,
    find_open_undo,
    plan_again,
    state_counts,
    unknown_count,
)
from pipeline.model import RunInfo, State
from pipeline.send import Tally
from pipeline.sending_run import (
    Finished,
    OpenRun,
    ask_to_send,
    find_own_run,
    need_ledger,
    send_plan,
)
from pipeline.session import Job, Session, make_folder, new_run_id, open_session, run_phase, working


def undo_run(wanted: str, job: Job, *, include_adopted: bool) -> Finished:
    """Delete what the run created and nobody changed since, after a confirmation; or go on with such an undo.

    Objects that the run found in the tenant, or whose answer was lost, are adopted: they stay unless they are included.
    The undo is a run of its own; where there is nothing to undo there is none, and what comes back is the run's report.

    Raises UsageError for an undo, another scope's run, and a run that was never planned.
    """
    need_ledger(job.settings)
    with open_session(job, f"undo of {wanted}") as session:
        parent = find_own_run(session.ledger, wanted, "undo")
        if parent.verb == "undo":
            raise UsageError(
                f"run {parent.id} is an undo itself; what it deleted comes back when the files are imported again"
            )
        begun = find_open_undo(session.ledger, parent.id)
        if begun is not None:
            return _go_on(session, begun, job, include_adopted=include_adopted)
        return _begin(session, parent, job, include_adopted=include_adopted)


def _go_on(session: Session, run: RunInfo, job: Job, *, include_adopted: bool) -> Finished:
    job.watch.note(f"going on with {run.id}, an undo of this run that is not finished")
    if include_adopted:
        job.watch.note("it stays with what it began to delete; afterwards undo once more for other adopted objects")
    folder = Path(run.folder)
    make_folder(folder)
    plan_again(session.ledger, run.id)
    return send_plan(OpenRun(session, run.id, folder, job))


def _begin(session: Session, parent: RunInfo, job: Job, *, include_adopted: bool) -> Finished:
    ledger = session.ledger
    folder = Path(parent.folder)
    make_folder(folder)
    if unknown_count(ledger, parent.id):
        # An object whose create lost its answer may be there as well.
        with working(session, parent.id, folder, job) as delivery:
            run_phase(session, settle(delivery, Tally(), Counter(), may_wait=True))
        if delivery.interrupt.signal_number is not None:
            code = ExitCode(128 + delivery.interrupt.signal_number)
            return _not_begun(session, parent, job, code, "interrupted, so nothing was deleted")
    created = Counter(
        each.is_adopted for each in created_rows(ledger, parent.id, with_missing=False) if each.state is State.CREATED
    )
    rows = created.total() if include_adopted else created[False]
    if created[True] and not include_adopted:
        job.watch.note(
            f"adopted objects that are left alone: {created[True]:,}; the run did not see itself create them, and "
            "--include-adopted deletes them too"
        )
    if left := state_counts(ledger, parent.id).get(State.UNKNOWN):
        job.watch.note(f"rows that are still unknown, and not part of this undo: {left:,}; resume the run first")
    if not rows:
        job.watch.note(f"run {parent.id} has created nothing that is still there: there is nothing to undo")
        return _not_begun(session, parent, job, ExitCode.OK, "")
    # Before there is a plan: what nobody confirmed must not wait for a `resume`.
    if not ask_to_send(session, job, rows, deletes=True):
        return _not_begun(session, parent, job, ExitCode.UNSETTLED, "not confirmed, so nothing was deleted")
    return send_plan(_planned(session, parent, job, include_adopted=include_adopted), is_confirmed=True)


def _not_begun(session: Session, parent: RunInfo, job: Job, code: ExitCode, why: str) -> Finished:
    folder = Path(parent.folder)
    return Finished(conclude_run(session.ledger, parent.id, folder, job.call), folder, code, why)


def _planned(session: Session, parent: RunInfo, job: Job, *, include_adopted: bool) -> OpenRun:
    run_id = new_run_id([Path(f"undo-{parent.id[-6:]}")])
    folder = job.settings.runs_dir / run_id
    make_folder(folder)
    new = NewRun(run_id, "undo", parent.edition, str(folder.absolute()), __version__, config_hash(job.settings))
    begin_undo(session.ledger, new, parent.id, include_adopted=include_adopted)
    return OpenRun(session, run_id, folder, job)
