"""Deleting what a run created: created rows -> a run of deletes in the ledger -> confirmed -> the way of every run.

The sender looks at each object right before it deletes it, and keeps what was changed since.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline import __version__
from pipeline.conclude import conclude_run
from pipeline.config import config_hash
from pipeline.deliver import settle
from pipeline.errors import ExitCode, UsageError
from pipeline.ledger import (
    Holding,
    Ledger,
    NewRun,
    begin_undo,
    find_open_undo,
    holdings,
    plan_again,
    unknown_count,
)
from pipeline.model import Operation, RunInfo, State
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

    Created objects whose answer was lost and which were found by reading back are adopted: they stay unless they are
    included. What the tenant had before the run stays always. So does what a later run has updated (exit code 4), or
    may have updated (7: what other runs left unknown is read back first). The undo is a run of its own; where there is
    nothing to delete there is none, and what comes back is the run's report.

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
            return _go_on(session, parent, begun, job, include_adopted=include_adopted)
        return _begin(session, parent, job, include_adopted=include_adopted)


def _go_on(session: Session, parent: RunInfo, run: RunInfo, job: Job, *, include_adopted: bool) -> Finished:
    job.watch.note(f"going on with {run.id}, an undo of this run that is not finished")
    if include_adopted:
        job.watch.note("it stays with what it began to delete; afterwards undo once more for other adopted objects")
    folder = Path(run.folder)
    make_folder(folder)
    plan_again(session.ledger, run.id)
    ended = send_plan(OpenRun(session, run.id, folder, job))
    outlook = _outlook(session.ledger, parent.id, besides=run.id)
    _tell_what_stays(outlook, parent, job, include_adopted=False)
    return ended._replace(exit_code=_first_of(ended.exit_code, outlook.exit_code(include_adopted=False)))


def _begin(session: Session, parent: RunInfo, job: Job, *, include_adopted: bool) -> Finished:
    folder = Path(parent.folder)
    make_folder(folder)
    if signal_number := _settle_doubts(session, parent, folder, job):
        return _not_begun(session, parent, job, ExitCode(128 + signal_number), "interrupted, so nothing was deleted")
    outlook = _outlook(session.ledger, parent.id)
    rows = outlook.certain + (outlook.adopted if include_adopted else 0)
    _tell_what_stays(outlook, parent, job, include_adopted=include_adopted)
    code = outlook.exit_code(include_adopted=include_adopted)
    if not rows:
        if outlook.is_empty:
            job.watch.note(f"run {parent.id} has created nothing that is still there: there is nothing to undo")
        return _not_begun(session, parent, job, code, "")
    # Before there is a plan: what nobody confirmed must not wait for a `resume`.
    if not ask_to_send(session, job, rows, deletes=True):
        return _not_begun(session, parent, job, ExitCode.UNSETTLED, "not confirmed, so nothing was deleted")
    ended = send_plan(_planned(session, parent, job, include_adopted=include_adopted), is_confirmed=True)
    return ended._replace(exit_code=_first_of(ended.exit_code, code))


def _settle_doubts(session: Session, parent: RunInfo, folder: Path, job: Job) -> int | None:
    """Read back what is unknown of the run's objects, also to other runs; return the signal that ended it, if any.

    An object whose create lost its answer may be there as well, and one whose update did may be the run's still.
    """
    in_doubt = [each.owner_id for each in holdings(session.ledger, parent.id) if _is_ours_in_doubt(each, parent.id)]
    mine = [parent.id] if unknown_count(session.ledger, parent.id) else []
    for run_id in dict.fromkeys([*mine, *in_doubt]):
        with working(session, run_id, folder, job) as delivery:
            run_phase(session, settle(delivery, Tally(), Counter(), may_wait=True))
        if delivery.interrupt.signal_number is not None:
            return delivery.interrupt.signal_number
    return None


def _is_ours_in_doubt(each: Holding, parent_id: str) -> bool:
    return each.row_state is State.CREATED and each.holder_id == parent_id and each.is_in_doubt


class _Outlook(NamedTuple):
    """What an undo of a run can delete now, and what it has to leave alone: objects, by run where another is named."""

    certain: int  # that the run saw itself create
    adopted: int
    in_doubt: Mapping[str, int]  # the other run's request has an unknown outcome
    taken_over: Mapping[str, int]  # the tenant holds the other run's values
    only_updated: int
    unknown: int  # rows whose create has an unknown outcome

    @property
    def is_empty(self) -> bool:
        """True when nothing of the run is known to be there."""
        return not any((self.certain, self.adopted, self.in_doubt, self.taken_over, self.only_updated, self.unknown))

    def exit_code(self, *, include_adopted: bool) -> ExitCode:
        """Return what the objects that stay make of the exit code."""
        if self.in_doubt or self.unknown:
            return ExitCode.UNKNOWN_ROWS
        is_kept = self.taken_over or self.only_updated or (self.adopted and not include_adopted)
        return ExitCode.UNSETTLED if is_kept else ExitCode.OK


def _outlook(ledger: Ledger, parent_id: str, *, besides: str = "") -> _Outlook:
    """Return the outlook, without what an undo that is under way (`besides`) has still to do itself."""
    free: Counter[bool] = Counter()
    in_doubt: Counter[str] = Counter()
    taken_over: Counter[str] = Counter()
    only_updated = 0
    standing = (each for each in holdings(ledger, parent_id) if each.owner_id != besides)
    for each in standing:
        is_held = each.holder_id == parent_id  # another run's creates are objects of its own
        if each.row_state is State.UPDATED:
            only_updated += each.rows * is_held
        elif _is_ours_in_doubt(each, parent_id):
            in_doubt[each.owner_id] += each.rows
        elif each.row_state is State.CREATED and is_held:
            free[each.is_adopted] += each.rows
        elif each.row_state is State.CREATED and each.holder_operation is Operation.UPDATE:
            taken_over[each.holder_id] += each.rows
    unknown = unknown_count(ledger, parent_id)
    return _Outlook(free[False], free[True], in_doubt, taken_over, only_updated, unknown)


def _tell_what_stays(outlook: _Outlook, parent: RunInfo, job: Job, *, include_adopted: bool) -> None:
    note = job.watch.note
    if outlook.adopted and not include_adopted:
        every = "" if outlook.certain else "all "
        note(
            f"adopted objects that are left alone: {every}{outlook.adopted:,}; the run did not see itself create them, "
            "and --include-adopted deletes them too"
        )
    for run_id, count in outlook.taken_over.items():
        note(f"objects that run {run_id} has updated since, and that are kept: {count:,}")
    for run_id, count in outlook.in_doubt.items():
        note(
            f"objects that are left because the answer to a request of run {run_id} was lost: {count:,}; settle that "
            f"first, then undo again: {job.call.command('resume', run_id)}"
        )
    if outlook.only_updated:
        note(f"objects that are left because the run has updated, not created them: {outlook.only_updated:,}")
    if outlook.unknown:
        note(
            f"rows that are still unknown, and not part of this undo: {outlook.unknown:,}; settle them first, then "
            f"undo again: {job.call.command('resume', parent.id)}"
        )


def _first_of(ended: ExitCode, stays: ExitCode) -> ExitCode:
    """Return what ended the undo early, else what is in doubt, else what is left."""
    order = (ExitCode.UNKNOWN_ROWS, ExitCode.UNSETTLED, ExitCode.OK)
    return min(ended, stays, key=order.index) if ended in order else ended


def _not_begun(session: Session, parent: RunInfo, job: Job, code: ExitCode, why: str) -> Finished:
    folder = Path(parent.folder)
    return Finished(conclude_run(session.ledger, parent.id, folder, job), folder, code, why)


def _planned(session: Session, parent: RunInfo, job: Job, *, include_adopted: bool) -> OpenRun:
    run_id = new_run_id([Path(f"undo-{parent.id[-6:]}")])
    folder = job.settings.runs_dir / run_id
    make_folder(folder)
    new = NewRun(run_id, "undo", parent.edition, str(folder.absolute()), __version__, config_hash(job.settings))
    begin_undo(session.ledger, new, parent.id, include_adopted=include_adopted)
    return OpenRun(session, run_id, folder, job)
