"""Reading a run's objects back: is each one there, with the values that were sent?

created rows -> sweeps of their collections -> verified | differs | missing | not yet visible | not read -> report

Nothing here writes to the tenant. What is proven missing becomes durable, so that `retry --missing` creates it again.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pipeline.conclude import conclude_run
from pipeline.deliver import unless_interrupted
from pipeline.errors import ExitCode, PreflightError, UsageError
from pipeline.findings import shorten
from pipeline.graph import ReadFailedError, sweep
from pipeline.identity import Difference, differences, key_of_object
from pipeline.ledger import (
    CreatedRow,
    Holding,
    Ledger,
    apply_transitions,
    created_rows,
    holdings,
    source_infos,
    state_counts,
)
from pipeline.model import Answer, Operation, RunInfo, State, Transition, Verdict
from pipeline.next_steps import Call, steps_for_missing
from pipeline.reconcile import GAP_OF_SETTLE, SWEEPS, Purpose, Reader, Reading
from pipeline.report import (
    NextStep,
    Result,
    Verification,
    VerifiedRow,
    causes_of_results,
    verification_document,
    write_document,
    write_verified_rows,
)
from pipeline.sending_run import OpenRun, find_own_run, need_ledger
from pipeline.session import Job, make_folder, open_session, run_phase, working

FIRST_PAUSE_S = 2.0
"""What was written a moment ago is mostly visible after that; later pauses double up to the gap between two proofs."""

REFUSALS = frozenset({Verdict.REFRESH_TOKEN, Verdict.STOP_TENANT, Verdict.STOP_ROUTE, Verdict.STOP_COLLECTION})
"""What a failed read means when the tenant does not let this collection be read at all."""

MOST_VALUE_CHARACTERS = 1_000

INTERRUPTED = "the verification was interrupted"
GONE = "the object is not in the tenant any more"
NOT_SEEN = "the object was absent when the time was up, and may still appear"


class Verified(NamedTuple):
    """How `verify` ended."""

    verification: Verification
    folder: Path  # the run's own, with verify.csv and verify.json
    exit_code: ExitCode


class _Outcome(NamedTuple):
    result: Result
    differences: tuple[Difference, ...] = ()
    message: str = ""


@dataclass(slots=True)
class _Collection:
    """The objects of one collection that are still looked for."""

    path: str
    waiting: dict[str, CreatedRow]  # by the object's id
    keys: frozenset[str]
    others: dict[str, str] = field(default_factory=dict)  # key -> id of an object that is not the row's own
    proofs: int = 0  # complete sweeps in which absence counts
    proved_at: float | None = None  # when the last of these began


@dataclass(slots=True)
class _Look:
    """All that reading back has found so far; an interrupt leaves it as it is. Times are seconds of the job's clock."""

    ledger: Ledger
    reader: Reader
    ripe_at: float  # from then on absence counts
    ends_at: float
    reading: Reading
    outcomes: dict[int, _Outcome] = field(default_factory=dict)  # by the ledger's number of the row
    moved: int = 0  # rows whose state was changed
    is_refused: bool = False


def verify_run(wanted: str | None, job: Job, *, wait_s: float) -> Verified:
    """Read every object back that the run created or updated, and write verify.csv and verify.json into its folder.

    Looks again for what is absent, for up to `wait_s` seconds. Raises UsageError for a run that created nothing by its
    nature, another scope's, and files that cannot be written.
    """
    need_ledger(job.settings)
    with open_session(job, f"verification of {wanted or 'the latest run'}") as session:
        run = find_own_run(session.ledger, wanted, "verify")
        if run.verb == "undo":
            raise UsageError(
                f"run {run.id} is an undo, which creates nothing; verify the run that it undid: {run.parent_id}"
            )
        folder = Path(run.folder)
        make_folder(folder)
        rows = list(created_rows(session.ledger, run.id))
        job.watch.note(f"reading back what the run created: {len(rows):,} object{'' if len(rows) == 1 else 's'}")
        opened = OpenRun(session, run.id, folder, job)
        look, signal_number, problem = _read_back(opened, rows, wait_s)
        if look.moved:
            conclude_run(session.ledger, run.id, folder, job)
        why = INTERRUPTED if signal_number is not None else problem
        verification = _report(opened, run, rows, look.outcomes, why)
    code = ExitCode(128 + signal_number) if signal_number is not None else None
    return Verified(verification, folder, _exit_code_of(verification, code, is_refused=look.is_refused))


def _read_back(run: OpenRun, rows: Sequence[CreatedRow], wait_s: float) -> tuple[_Look, int | None, str]:
    """Return what was found, the signal that ended it, and why the tenant cannot be read at all."""
    session = run.session
    with working(session, run.id, run.folder, run.job) as delivery:
        collections = {each.row.collection for each in rows}
        look = _Look(
            session.ledger,
            delivery.reader,
            ripe_at=session.started_at + delivery.reader.settle_s,
            ends_at=session.started_at + wait_s,
            reading=Reading(delivery.reader, Purpose.READING_BACK, len(collections), len(rows)),
        )
        problem = ""
        try:
            run_phase(session, unless_interrupted(_look_for(rows, look), delivery.interrupt))
        except PreflightError as refused:  # the token has ended; what was found before still holds
            look.is_refused, problem = True, str(refused)
        return look, delivery.interrupt.signal_number, problem


def _collection(path: str, rows: Sequence[CreatedRow]) -> _Collection:
    return _Collection(path, {each.row.object_id: each for each in rows}, frozenset(each.key for each in rows))


async def _look_for(rows: Sequence[CreatedRow], look: _Look) -> None:
    """Sweep every collection until each row is decided, or the time is up."""
    by_path = sorted(rows, key=lambda each: each.row.collection)
    open_ones = [
        _collection(path, list(group)) for path, group in groupby(by_path, key=lambda each: each.row.collection)
    ]
    clock, gap_s = look.reader.clock, look.reader.settle_s * GAP_OF_SETTLE
    pause_s = FIRST_PAUSE_S
    while True:
        began = clock()
        for each in open_ones:
            try:
                await _sweep(each, look, gap_s)
            except ReadFailedError as failed:
                if look.reader.access.stop():
                    return  # it was interrupted: nothing is wrong with the collection
                look.is_refused |= failed.verdict in REFUSALS
                _decide_all(each, look, _Outcome(Result.NOT_READ, message=str(failed)))
        open_ones = [each for each in open_ones if each.waiting]
        look.reading.collections = look.reading.of - len(open_ones)
        now = clock()
        if not open_ones or now >= look.ends_at:
            break
        wait_s = min(max(min(pause_s, gap_s), now - began), look.ends_at - now)
        look.reading.tell(waits_s=wait_s)
        await look.reader.sleep(wait_s)
        pause_s *= 2
    for each in open_ones:
        _decide_all(each, look, _Outcome(Result.NOT_YET_VISIBLE, message=NOT_SEEN))


async def _sweep(collection: _Collection, look: _Look, gap_s: float) -> None:
    """Decide what one sweep of the collection decides. Raises ReadFailedError; what was found before that holds."""
    began = look.reader.clock()
    async for page in sweep(look.reader.client, collection.path, access=look.reader.access):
        found: list[Transition] = []
        for entity in page:
            each = collection.waiting.pop(str(entity["id"]), None)
            if each is None:
                key = key_of_object(collection.path, entity)
                if key in collection.keys:
                    collection.others[key] = str(entity["id"])
                continue
            look.outcomes[each.row.row_pk] = _compared(each, entity)
            if each.state is State.MISSING:
                answer = Answer(object_id=each.row.object_id, message="found again when the run was verified")
                found.append(Transition(each.row, State.CREATED, each.row.attempts, answer))
        _make_durable(look, found)
        look.reading.found = len(look.outcomes)
        look.reading.take(len(page))
    is_apart = collection.proved_at is None or began - collection.proved_at >= gap_s
    if began >= look.ripe_at and is_apart:
        collection.proofs += 1
        collection.proved_at = began
    # What was proven missing before needs no second proof.
    gone = [each for each in collection.waiting.values() if collection.proofs >= SWEEPS or each.state is State.MISSING]
    _leave_missing(collection, look, gone)


def _compared(each: CreatedRow, entity: Mapping[str, object]) -> _Outcome:
    # Half a surrogate pair, which JSON can hold and a file cannot, becomes a question mark.
    different = tuple(
        difference._replace(found=shorten(difference.found, MOST_VALUE_CHARACTERS))
        for difference in differences(json.loads(each.row.body), entity)
    )
    is_changed = any(not difference.is_same_instant for difference in different)
    return _Outcome(Result.DIFFERS if is_changed else Result.VERIFIED, different)


def _leave_missing(collection: _Collection, look: _Look, gone: Sequence[CreatedRow]) -> None:
    steps = []
    for each in gone:
        other = collection.others.get(each.key)
        message = f"{GONE}; another one for this device and certificate is there: {other}" if other else GONE
        look.outcomes[each.row.row_pk] = _Outcome(Result.MISSING, message=message)
        del collection.waiting[each.row.object_id]
        if each.state is not State.MISSING:
            steps.append(Transition(each.row, State.MISSING, each.row.attempts, Answer(message=message)))
    _make_durable(look, steps)
    look.reading.found = len(look.outcomes)
    look.reading.tell()


def _decide_all(collection: _Collection, look: _Look, outcome: _Outcome) -> None:
    look.outcomes.update({each.row.row_pk: outcome for each in collection.waiting.values()})
    collection.waiting.clear()


def _make_durable(look: _Look, steps: Sequence[Transition]) -> None:
    if steps:
        apply_transitions(look.ledger, steps)
        look.moved += len(steps)
        look.reader.log.info("verified", rows={step.row.row_pk: step.state.value for step in steps})


def _report(
    opened: OpenRun, run: RunInfo, rows: Sequence[CreatedRow], outcomes: Mapping[int, _Outcome], why_not_read: str
) -> Verification:
    """Write both files and return their numbers; rows without an outcome are `not read`, and say why."""

    def judged() -> Iterator[VerifiedRow]:
        return (_judged(each, outcomes.get(each.row.row_pk, not_read)) for each in rows)

    ledger, folder, call = opened.session.ledger, opened.folder, opened.job.call
    not_read = _Outcome(Result.NOT_READ, message=why_not_read or "nothing was read")
    sources = {each.pk: each for each in source_infos(ledger, run.id)}
    counts = Counter(each.result for each in judged())
    standing = holdings(ledger, run.id)
    verification = Verification(
        run=run,
        verified_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rows=len(rows),
        counts=counts,
        same_instant=sum(each.result is Result.VERIFIED and bool(each.differences) for each in judged()),
        causes=tuple(causes_of_results(judged(), sources)),
        next_steps=tuple(_next_steps(run, counts, state_counts(ledger, run.id), standing, call)),
        stop_message=why_not_read,
        missing_by_run=_missing_by_run(standing),
    )
    try:
        write_verified_rows(folder / "verify.csv", judged(), sources)
        write_document(folder / "verify.json", verification_document(verification, judged(), sources))
    except OSError as problem:
        raise UsageError(
            f"{problem.filename or folder}: the report cannot be written ({problem.strerror}); close the program that "
            f"has the file open, or make room, then call it again: {call.command('verify', run.id)}"
        ) from problem
    return verification


def _judged(each: CreatedRow, outcome: _Outcome) -> VerifiedRow:
    body = json.loads(each.row.body)
    return VerifiedRow(
        each.source_pk,
        each.row_number,
        each.row.collection,
        str(body.get("deviceDisplayName", "")),
        str(body.get("certificateThumbprint", "")),
        each.row.object_id,
        *outcome,
    )


def _next_steps(
    run: RunInfo, counts: Mapping[Result, int], states: Mapping[State, int], standing: Sequence[Holding], call: Call
) -> Iterator[NextStep]:
    if states.get(State.UNKNOWN):
        yield NextStep("settle the rows whose answer was lost:", call.command("resume", run.id))
    # A row that was not found again in this call is among them too.
    yield from steps_for_missing(run.id, standing, "create what is missing again:", call)
    later = (each.holder_id for each in standing if each.holder_operation is Operation.UPDATE)
    for run_id in dict.fromkeys(later):
        if run_id != run.id:
            yield NextStep(
                "verify the run that has updated other objects of this one since:", call.command("verify", run_id)
            )
    if counts.get(Result.NOT_YET_VISIBLE) or counts.get(Result.NOT_READ):
        yield NextStep("look again for what was not seen:", call.command("verify", run.id))


def _missing_by_run(standing: Iterable[Holding]) -> dict[str, int]:
    """Return how many of the run's objects another run has found missing, by that run; this one does not look there."""
    found = Counter[str]()
    for each in standing:
        if each.object_state is State.MISSING and each.row_state is not State.MISSING:
            found[each.owner_id] += each.rows
    return dict(found)


def _exit_code_of(verification: Verification, signalled: ExitCode | None, *, is_refused: bool) -> ExitCode:
    """Return the first exit code that applies."""
    counts = verification.counts
    cases = (
        (not verification.is_balanced, ExitCode.INTERNAL),
        (signalled is not None, signalled or ExitCode.OK),
        (is_refused, ExitCode.PREFLIGHT),
        (counts.get(Result.NOT_YET_VISIBLE) or counts.get(Result.NOT_READ), ExitCode.UNKNOWN_ROWS),
        (counts.get(Result.DIFFERS) or counts.get(Result.MISSING), ExitCode.UNSETTLED),
        (verification.missing_by_run, ExitCode.UNSETTLED),
    )
    return next((code for applies, code in cases if applies), ExitCode.OK)
