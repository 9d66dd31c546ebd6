"""Sending to its end: rounds of sending, outages waited out, and unknown rows settled, in turn.

send a round -> settle what is unknown -> send what was planned again -> ... -> nothing is left
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from pipeline.errors import PreflightError
from pipeline.graph import probe
from pipeline.interrupt import Interrupt
from pipeline.ledger import (
    Ledger,
    leave_unsent,
    planned_collections,
    replan_settled,
    run_info,
    set_remote_check,
    unknown_rows,
)
from pipeline.log import RunLog
from pipeline.model import Operation, PlannedRow, RemoteCheck, SendMode, SendStats, State, Stop, StopReason
from pipeline.reconcile import GAP_OF_SETTLE, Reader, Settled, check_remote, settle_unknown
from pipeline.send import GRACE_S, OUTAGE_S, Progress, Round, RoundEnd, SendLimits, Service, Tally, send_round

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 300.0
"""How long a service that is down is left alone: 5 s, doubling up to 5 min."""

MOST_LOST_ANSWERS = 3
"""A row whose answer was lost so often in one call, and which is not in the tenant, is not tried once more."""

Done = TypeVar("Done")


class SendResult(NamedTuple):
    """How sending ended."""

    stop: Stop | None
    stopped_collections: int  # refused as a whole, so their rows are unsent
    stats: SendStats


class Prepared(NamedTuple):
    """What stands between the plan and the first request."""

    stop: Stop | None
    stopped_collections: int  # that could not be read, so nothing is sent to them


@dataclass(frozen=True, slots=True)
class Delivery:
    """All that sending a run needs. `clock` is monotonic seconds; `started_at` is when this process began on it."""

    ledger: Ledger
    run_id: str
    service: Service
    reader: Reader
    workers: int
    limits: SendLimits
    interrupt: Interrupt
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    started_at: float
    on_progress: Callable[[Progress], None]
    on_note: Callable[[str], None]
    log: RunLog
    grace_s: float = GRACE_S
    mode: SendMode = SendMode.SINGLE


async def prepare(job: Delivery, *, updates: bool, may_wait: bool = True) -> Prepared:
    """Settle what earlier runs left unknown, and look for what the tenant has already, where the run is to do so.

    The rows' states are the plan's last word after that. `updates` says that changed objects are to be updated.
    Without `may_wait` rows stay unknown whose object one look does not find.
    """
    await settle(job, Tally(), Counter(), may_wait=may_wait)
    replan_settled(job.ledger, job.run_id, updates=updates)
    stop, stopped = None, 0
    if run_info(job.ledger, job.run_id).remote_check == RemoteCheck.DUE and not job.interrupt.gently.is_set():
        job.on_note("looking for what the tenant has already")
        checked = None
        try:
            checked = await unless_interrupted(check_remote(job.ledger, job.run_id, job.reader), job.interrupt)
        except PreflightError as problem:  # no token
            stop = Stop(StopReason.PREFLIGHT, str(problem))
            leave_unsent(job.ledger, job.run_id, stop.message)
        for unread in checked.problems if checked else ():
            if unread.is_systemic:
                stop = Stop(StopReason.PREFLIGHT, unread.why)
                leave_unsent(job.ledger, job.run_id, unread.why)
            # An update needs no such look: it never makes an object.
            looked_for = Operation.CREATE
            stopped += bool(
                leave_unsent(job.ledger, job.run_id, unread.why, collection=unread.collection, operation=looked_for)
            )
        if checked and not checked.problems:
            found = RemoteCheck.STRANGERS if checked.has_strangers else RemoteCheck.DONE
            set_remote_check(job.ledger, job.run_id, found)
    if job.interrupt.gently.is_set():
        stop = Stop(StopReason.INTERRUPTED, "the run was interrupted")
    return Prepared(stop, stopped)


async def deliver(job: Delivery) -> SendResult:
    """Send the run's planned rows, and return when each is settled, unsent, or unknown and cannot be settled now.

    What is left when the run is interrupted stays planned.
    """
    scope = job.ledger.scope
    job.log.info("sending", run=job.run_id, service_root=scope.service_root, tenant_id=scope.tenant_id)
    began = job.clock()
    tally = Tally()
    lost = Counter[int]()  # row -> answers lost in this call, though it was not in the tenant
    outage = _Outage(job, tally)
    ended = Round(RoundEnd.DONE, None, frozenset())
    while ended.stop is None:
        ended = await _send_round(job, tally, ended.open_collections, is_probe=outage.since is not None)
        if ended.stop is not None and ended.stop.reason is StopReason.THRESHOLD:
            ended = ended._replace(stop=await _still_too_many(job, tally, lost, ended.stop))
            continue
        if ended.end is RoundEnd.STOPPED:
            break
        if ended.end is RoundEnd.OUTAGE:
            ended = Round(RoundEnd.OUTAGE, await outage.wait_out(), frozenset())
            continue
        outage.is_over()
        is_last = not _may_send(job, tally)
        settled = await settle(job, tally, lost, may_wait=is_last)
        if is_last and not settled.rows(State.PLANNED):
            break
    stop = ended.stop
    if job.interrupt.gently.is_set() and stop is None:
        stop = Stop(StopReason.INTERRUPTED, "the run was interrupted")
    if stop is not None and stop.reason is not StopReason.INTERRUPTED:
        leave_unsent(job.ledger, job.run_id, stop.message)
    stats = SendStats(tally.requests, tally.throttled, job.service.pacer.paused_s, job.clock() - began)
    job.log.info("ended", stop=stop.reason if stop else None, **stats._asdict())
    return SendResult(stop, tally.stopped_collections, stats)


async def _send_round(job: Delivery, tally: Tally, opened: frozenset[str], *, is_probe: bool) -> Round:
    """Send a round; after an outage one row alone, because its answer says whether the service works again."""
    most = job.limits.most_rows
    one = tally.settled + 1 if most is None else min(tally.settled + 1, most)
    limits = replace(job.limits, most_rows=one) if is_probe else job.limits
    return await send_round(
        job.ledger,
        job.run_id,
        job.service,
        mode=job.mode,
        tally=tally,
        open_collections=opened,
        workers=job.workers,
        limits=limits,
        is_probe=is_probe,
        settle_s=job.reader.settle_s,
        interrupt=job.interrupt,
        clock=job.clock,
        on_progress=job.on_progress,
        on_note=job.on_note,
        log=job.log,
        grace_s=job.grace_s,
    )


async def _still_too_many(job: Delivery, tally: Tally, lost: Counter[int], stop: Stop) -> Stop | None:
    """Return why the run stops at its error threshold all the same, now that what was in doubt is settled.

    A row whose answer was lost and that is there is no error; one that came to nothing is.
    """
    in_doubt, done = tally.unknown, tally.done
    await settle(job, tally, lost, may_wait=True)
    failed = (in_doubt - tally.unknown) - (tally.done - done)
    if tally.stop(job.limits, failed=failed) is not None:
        return stop
    job.log.info("goes on", why="rows in doubt turned out to be there")
    return None


def _may_send(job: Delivery, tally: Tally) -> bool:
    most = job.limits.most_rows
    return bool(planned_collections(job.ledger, job.run_id)) and (most is None or tally.settled < most)


async def settle(job: Delivery, tally: Tally, lost: Counter[int], *, may_wait: bool) -> Settled:
    """Settle the run's unknown rows as far as they can be now; an interrupt ends that."""
    unknown = len(unknown_rows(job.ledger, job.run_id))
    if not unknown or job.interrupt.gently.is_set():
        return Settled((), ())
    rows = f"{unknown:,} row{'' if unknown == 1 else 's'}"
    limit = f", for up to {job.reader.settle_s * 1.5:.0f} s" if may_wait else ""
    job.on_note(f"reading the tenant back to settle {rows} whose answer was lost{limit}")

    left_s = job.reader.settle_s * (1 + GAP_OF_SETTLE) if may_wait else 0.0
    _report_pause(job, tally, "reading the tenant back", left_s)

    def gives_up(row: PlannedRow) -> bool:
        lost[row.row_pk] += 1
        return lost[row.row_pk] >= MOST_LOST_ANSWERS

    settling = settle_unknown(
        job.ledger,
        job.run_id,
        job.reader,
        doubted_at=tally.doubted_at,
        started_at=job.started_at,
        may_wait=may_wait,
        gives_up=gives_up,
    )
    try:
        settled = await unless_interrupted(settling, job.interrupt)
    except PreflightError as refused:  # no token any more: the rows stay unknown
        job.on_note(f"not settled: {refused}")
        return Settled((), ())
    if settled is None:
        return Settled((), ())
    tally.settle(settled.steps)
    for problem in settled.problems:
        job.on_note(f"not settled: {problem}")
    if settled.problems:  # not asked again before the settle time has passed once more
        tally.doubted_at.update(dict.fromkeys(tally.doubted_at, job.clock()))
    return settled


def _report_pause(job: Delivery, tally: Tally, why: str, least_s: float) -> None:
    """Report that nothing leaves for at least so many seconds, and why."""
    pacer, most = job.service.pacer, job.limits.most_rows
    rest = sum(rows for _, rows in planned_collections(job.ledger, job.run_id))
    if most is not None:
        rest = min(rest, max(most - tally.settled, 0))
    slots = pacer.slots()
    slots = slots._replace(closed_s=max(slots.closed_s, least_s))
    eta_s = least_s + pacer.eta_s(rest)
    job.on_progress(tally.progress(tally.settled + rest, why, eta_s, slots, pacer.paused_s))


async def unless_interrupted(work: Awaitable[Done], interrupt: Interrupt) -> Done | None:
    """Return what the work returns, or None, the work cancelled, when the run is interrupted before that."""
    task: asyncio.Future[Done] = asyncio.ensure_future(work)
    asked = asyncio.create_task(interrupt.gently.wait())
    either: set[asyncio.Future[Any]] = {task, asked}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in either:
            each.cancel()
        await asyncio.gather(*either, return_exceptions=True)


class _Outage:
    """A service that is down: since when, and how patiently it is asked whether it is back."""

    def __init__(self, job: Delivery, tally: Tally) -> None:
        self._job, self._tally = job, tally
        self._wait_s = FIRST_WAIT_S
        self.since: float | None = None

    def is_over(self) -> None:
        """Take note that a row got through."""
        self.since, self._wait_s = None, FIRST_WAIT_S

    async def wait_out(self) -> Stop | None:
        """Return None once the service answers a read again, or why the run ends.

        A read says little about writes, so the next round is one row alone; when that fails, the wait is longer.
        """
        job = self._job
        if self.since is None:
            self.since = job.clock()
            job.on_note(
                "the service answers with nothing usable; waiting until it is back, at most "
                f"{OUTAGE_S / 60:.0f} min (Ctrl-C ends the run; `certstate resume` goes on)"
            )
            job.log.error("outage")
        collections = [collection for collection, _ in planned_collections(job.ledger, job.run_id)]
        while True:
            if job.clock() + self._wait_s - self.since > OUTAGE_S:
                message = f"the service had no usable answer for {OUTAGE_S / 60:.0f} minutes"
                return Stop(StopReason.OUTAGE, message)
            _report_pause(job, self._tally, "no usable answer from the service; asked again", self._wait_s)
            answers = await unless_interrupted(self._answers_after_wait(collections), job.interrupt)
            if answers is None:
                return Stop(StopReason.INTERRUPTED, "the run was interrupted")
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            if answers:
                job.log.info("service answers again")
                self._tally.unknown_in_a_row = 0
                return None

    async def _answers_after_wait(self, collections: list[str]) -> bool:
        job = self._job
        await job.sleep(self._wait_s)
        return not collections or await probe(job.service.client, collections[0], access=job.service.reads)
