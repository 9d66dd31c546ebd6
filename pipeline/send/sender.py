"""One round of sending: workers take rows, each goes once, and what became of it is durable before the next step."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from pipeline.errors import CertstateError, PreflightError
from pipeline.graph import Access, Client, object_path, write
from pipeline.interrupt import Interrupt
from pipeline.journal import Journal
from pipeline.lanes import Lanes, lane_of
from pipeline.ledger import Ledger, apply_transitions, leave_unsent, next_planned, planned_lanes
from pipeline.log import RunLog
from pipeline.model import Answer, Operation, PlannedRow, State, Stop, StopReason, Transition, Verdict
from pipeline.pace import Pacer
from pipeline.send.guard import Look, believed, look_at
from pipeline.send.record import log_answer
from pipeline.send.rules import (
    MOST_UNKNOWN_IN_A_ROW,
    OUTAGE_S,
    STATE_AFTER,
    UNREACHED_S,
    Outcome,
    Progress,
    RoundEnd,
    SendLimits,
    Tally,
    said,
)
from pipeline.send.under_way import UnderWay

FETCHED_AT_ONCE = 200
GRACE_S = 30.0
"""How long answers under way are awaited once a round ends; after that their rows are unknown."""


@dataclass(frozen=True, slots=True)
class Service:
    """The way to Graph: a client, where its tokens come from, how fast writes may leave, and how reading goes."""

    client: Client
    token: Callable[[], Awaitable[str]]
    refresh: Callable[[str], Awaitable[str]]
    pacer: Pacer
    reads: Access


class Round(NamedTuple):
    """How a round ended."""

    end: RoundEnd
    stop: Stop | None
    open_collections: frozenset[str]  # lanes whose canary got through: the next round needs none there


async def send_round(
    ledger: Ledger,
    run_id: str,
    service: Service,
    *,
    tally: Tally,
    open_collections: frozenset[str] = frozenset(),
    workers: int,
    limits: SendLimits,
    is_probe: bool = False,
    settle_s: float,
    interrupt: Interrupt,
    clock: Callable[[], float],
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
    log: RunLog,
    grace_s: float = GRACE_S,
) -> Round:
    """Send the run's planned rows until none is left or the round has to end; count what became of them in `tally`.

    `is_probe` sends on after an outage: the first unusable answer ends the round. Unknown rows that are older than
    `settle_s` end it once they are many. `interrupt` ends it: no further row leaves, answers under way are awaited for
    `grace_s` or until the second signal. What is left stays planned, but for the rows of a collection that refused them
    as a whole: they are unsent with the reason. A failing ledger raises LedgerError; nothing leaves after that.
    """
    sender = _Sender(
        ledger,
        run_id,
        service=service,
        tally=tally,
        limits=limits,
        most_unknown=1 if is_probe else MOST_UNKNOWN_IN_A_ROW,
        settle_s=settle_s,
        clock=clock,
        on_progress=on_progress,
        on_note=on_note,
        log=log,
    )
    return await sender.run(workers, open_collections, interrupt, grace_s)


class _Sender:
    """One round: its workers and what they know together."""

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        *,
        service: Service,
        tally: Tally,
        limits: SendLimits,
        most_unknown: int,
        settle_s: float,
        clock: Callable[[], float],
        on_progress: Callable[[Progress], None],
        on_note: Callable[[str], None],
        log: RunLog,
    ) -> None:
        self._ledger, self._run_id, self._service, self._pacer = ledger, run_id, service, service.pacer
        self._limits, self._settle_s, self._clock, self._log = limits, settle_s, clock, log
        self._on_progress, self._on_note, self._most_unknown = on_progress, on_note, most_unknown
        self._ways = {lane_of(each.collection, each.operation): each for each in planned_lanes(ledger, run_id)}
        left = sum(each.rows for each in self._ways.values())
        self._planned = left if limits.most_rows is None else min(left, limits.most_rows - tally.settled)
        self._left = left  # rows of this round that were not given up, settled ones included
        self._lanes = Lanes((), self._fetch)
        self._journal = Journal(partial(apply_transitions, ledger))
        self._under_way: dict[int, UnderWay] = {}  # by row number in the ledger
        self._tally = tally
        self._settled_before = tally.settled
        self._end = RoundEnd.DONE
        self._stop: Stop | None = None
        self._halted = asyncio.Event()
        self._problem: CertstateError | None = None
        self._taken = 0
        self._was_reached = tally.requests > 0
        self._why_paused = ""
        self._refused_since: float | None = None  # since when nothing but refusals came; None while rows get through

    async def run(self, workers: int, open_collections: frozenset[str], interrupt: Interrupt, grace_s: float) -> Round:
        self._lanes = Lanes(tuple(self._ways), self._fetch, open_collections)
        tasks = [asyncio.create_task(self._work()) for _ in range(min(workers, max(self._planned, 1)))]
        watch = asyncio.create_task(self._watch(interrupt, grace_s))
        try:
            await self._until_done_or_halted(tasks)
        finally:
            self._halted.set()  # a worker that died of a defect ends the others too: none takes a further row
            watch.cancel()
            try:
                await self._wind_down(tasks, interrupt, grace_s)
            finally:
                await self._journal.close()
        if self._problem is not None:
            raise self._problem
        return Round(RoundEnd.STOPPED if self._stop else self._end, self._stop, self._lanes.open_collections)

    async def _until_done_or_halted(self, tasks: list[asyncio.Task[None]]) -> None:
        halted = asyncio.create_task(self._halted.wait())
        pending: set[asyncio.Task[Any]] = {halted, *tasks}
        try:
            while pending - {halted} and not self._halted.is_set():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {halted}:
                    if not task.cancelled():
                        task.result()
        finally:
            halted.cancel()

    async def _watch(self, interrupt: Interrupt, grace_s: float) -> None:
        await interrupt.gently.wait()
        answers = sum(each.has_left and not each.is_settled for each in self._under_way.values())
        if answers:
            self._on_note(
                f"ending: waiting up to {grace_s:.0f} s for the answers under way, {answers}; a second signal does not "
                "wait, and their rows are unknown then"
            )
        self._halt(StopReason.INTERRUPTED, "the run was interrupted")

    async def _wind_down(self, tasks: list[asyncio.Task[None]], interrupt: Interrupt, grace_s: float) -> None:
        """End the workers; rows whose request left without an answer become unknown, the others planned again."""
        answering = {each.worker for each in self._under_way.values() if each.has_left and each.worker}
        for task in tasks:
            if task not in answering:
                task.cancel()
        if answering:
            at_once = asyncio.create_task(interrupt.at_once.wait())
            answered = asyncio.create_task(asyncio.wait(answering))
            either: set[asyncio.Task[Any]] = {at_once, answered}
            await asyncio.wait(either, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()
            at_once.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(self._give_up(each) for each in self._under_way.values() if not each.is_settled))

    async def _give_up(self, each: UnderWay) -> None:
        lost = Answer(message="the run ended before the answer came", client_request_id=each.client_request_id)
        state, answer = (State.UNKNOWN, lost) if each.has_left else (State.PLANNED, Answer())
        await self._settle(each.row, state, each.attempts, answer)
        if each.has_left:
            self._tally.count(each.row, state, self._clock(), answer)  # from now on its object may still appear

    async def _work(self) -> None:
        while not self._halted.is_set() and self._taken < self._planned:
            self._taken += 1  # before the wait, so that `--limit` holds for all workers together
            row = await self._lanes.next_row()
            if row is None:
                return
            try:
                await self._send(row)
            except PreflightError as problem:
                self._halt(StopReason.PREFLIGHT, str(problem))
            except CertstateError as problem:
                self._problem = problem
                self._halted.set()
                return

    async def _send(self, row: PlannedRow) -> None:
        look = await self._look(row) if row.operation is Operation.DELETE else None
        if look and look.drift:
            return
        attempts = row.attempts

        async def before_attempt(client_request_id: str) -> None:
            nonlocal attempts
            await self._pacer.slot()
            worker = asyncio.current_task()
            under_way = UnderWay(row, worker, attempts, client_request_id)
            self._under_way[row.row_pk] = under_way
            try:
                await self._write(row, State.SENDING, attempts + 1, Answer(client_request_id=client_request_id))
                if self._halted.is_set():
                    raise asyncio.CancelledError  # the run ended meanwhile; `_wind_down` plans the row again
            except BaseException:
                self._pacer.give_back()
                raise
            attempts += 1
            under_way.attempts, under_way.has_left = attempts, True
            self._pacer.sent()
            self._tally.requests += 1

        async def not_applied(answer: Answer) -> None:
            await self._settle(row, State.PLANNED, attempts, answer)
            log_answer(self._log, row, Verdict.SEND_AGAIN, answer)
            self._count_refusal(row, answer)

        is_create = row.operation is Operation.CREATE
        sent = await write(
            self._service.client,
            row.operation,
            row.collection if is_create else object_path(row.collection, row.object_id),
            b"" if row.operation is Operation.DELETE else row.body,
            token=self._service.token,
            refresh=self._service.refresh,
            before_attempt=before_attempt,
            not_applied=not_applied,
            pause=self._pause,
            stop_waiting=self._halted.is_set,
        )
        verdict, answer = believed(look, sent.verdict, sent.answer)
        await self._conclude(row, verdict, attempts, answer)

    async def _conclude(self, row: PlannedRow, verdict: Verdict, attempts: int, answer: Answer) -> None:
        """Write the outcome down, then draw the consequences for the collection and the run."""
        if verdict is Verdict.SEND_AGAIN:
            return  # planned again already; the run is ending
        if verdict is Verdict.REFRESH_TOKEN:
            self._halt(StopReason.PREFLIGHT, f"the token was refused again after its renewal: {said(answer)}")
            return
        state = STATE_AFTER[verdict]
        await self._settle(row, state, attempts, answer)
        log_answer(self._log, row, verdict, answer)  # after the ledger: a full disk must not lose the answer
        self._was_reached, self._refused_since, self._why_paused = True, None, ""
        self._tally.count(row, state, self._clock(), answer)
        if verdict is Verdict.STOP_TENANT:
            self._halt(StopReason.PREFLIGHT, f"the tenant refused the request: {said(answer)}")
        elif verdict in {Verdict.STOP_COLLECTION, Verdict.STOP_ROUTE}:
            self._stop_lanes(row, verdict, answer)
        else:
            self._pass_canary_on(row, verdict, answer)
        self._check_limits()
        self._report_progress()

    def _stop_lanes(self, row: PlannedRow, verdict: Verdict, answer: Answer) -> None:
        """A collection that is not there takes nothing; a route may lack one operation and have the others."""
        with_route = verdict is Verdict.STOP_ROUTE
        operations = [row.operation] if with_route else list(Operation)
        lanes = [lane_of(row.collection, each) for each in operations]
        stopped = [each for lane in lanes for each in self._lanes.stop(lane, with_route=with_route)]
        self._tally.stopped_collections += len(stopped)
        self._leave_unsent(stopped, said(answer))

    def _pass_canary_on(self, row: PlannedRow, verdict: Verdict, answer: Answer) -> None:
        lane = lane_of(row.collection, row.operation)
        why = self._lanes.settle(lane, verdict)
        if not why:
            return
        if verdict is Verdict.UNKNOWN and not self._lanes.open_collections:
            self._end_round(RoundEnd.OUTAGE)  # nothing gets through anywhere, so it is not this collection's fault
            return
        self._lanes.stop(lane, with_route=False)
        if self._leave_unsent([lane], f"{why}, the last with: {said(answer)}"):
            self._tally.stopped_collections += 1

    async def _look(self, row: PlannedRow) -> Look:
        """Look at the object that is to be deleted; where it has drifted, write down what it is."""
        look = await look_at(self._service.client, row, self._service.reads)
        if (drift := look.drift) is None:
            return look
        self._lanes.settle(lane_of(row.collection, row.operation), Verdict.SEND_AGAIN)
        if drift.state is State.UNSENT and self._halted.is_set():
            return look  # the reading was given up because the round ends: the row stays planned
        self._under_way[row.row_pk] = UnderWay(row, asyncio.current_task(), row.attempts, "")
        await self._settle(row, drift.state, row.attempts, drift.answer)
        self._tally.count(row, drift.state, self._clock(), drift.answer)
        if drift.verdict in {Verdict.STOP_TENANT, Verdict.REFRESH_TOKEN}:
            self._halt(StopReason.PREFLIGHT, f"the tenant refused to be read: {said(drift.answer)}")
        elif drift.verdict in {Verdict.STOP_COLLECTION, Verdict.STOP_ROUTE}:
            self._stop_lanes(row, drift.verdict, drift.answer)
        elif drift.state is State.UNSENT:
            self._tally.unknown_in_a_row += 1  # an outage of reading is one of the service
            self._check_limits()
        self._report_progress()
        return look

    async def _pause(self, seconds: float) -> None:
        await self._pacer.pause(seconds)
        self._report_progress()

    def _count_refusal(self, row: PlannedRow, answer: Answer) -> None:
        """Give up when the service was never reached, or refuses everything for too long."""
        now = self._clock()
        if self._refused_since is None:
            self._refused_since = now
        if answer.http_status is not None:
            self._was_reached = True
            self._tally.throttled += answer.http_status == 429
            self._why_paused = "paused by the service"
        else:
            self._tally.requests -= 1  # it never left
            self._why_paused = "no connection, trying again"
            self._tally.note_problem(row, State.PLANNED, answer)
            if not self._was_reached and now - self._refused_since >= UNREACHED_S:
                self._halt(StopReason.PREFLIGHT, f"the service cannot be reached: {answer.message}")
        if now - self._refused_since > OUTAGE_S:
            minutes = OUTAGE_S / 60
            self._halt(StopReason.OUTAGE, f"nothing could be sent for {minutes:.0f} minutes: {said(answer)}")
        self._report_progress()

    def _check_limits(self) -> None:
        if self._tally.unknown_in_a_row >= self._most_unknown:
            self._end_round(RoundEnd.OUTAGE)
        if stop := self._tally.stop(self._limits):
            self._halt(stop.reason, stop.message)
        if self._tally.has_doubts(self._clock(), self._settle_s):
            self._end_round(RoundEnd.DOUBTS)

    def _end_round(self, end: RoundEnd) -> None:
        if not self._halted.is_set():
            self._end = end
            self._halted.set()

    def _leave_unsent(self, lanes: list[str], message: str) -> int:
        """Give the lanes' planned rows up, and return how many there were."""
        rows = 0
        for collection, operation, _ in map(self._ways.__getitem__, lanes):
            left = leave_unsent(self._ledger, self._run_id, message, collection=collection, operation=operation)
            self._tally.outcomes[Outcome(collection, State.UNSENT)] += left
            rows += left
            self._log.error("collection stopped", collection=collection, operation=operation, why=message)
        self._left -= rows
        return rows

    def _halt(self, reason: StopReason, message: str) -> None:
        self._halted.set()
        if self._stop is None:
            self._stop = Stop(reason, message)
            self._log.error("run stopped", reason=reason, why=message)

    async def _settle(self, row: PlannedRow, state: State, attempts: int, answer: Answer) -> None:
        # Marked before the wait: from here on the journal has the step, and a cancelled worker must not lose it.
        self._under_way[row.row_pk].is_settled = True
        await self._write(row, state, attempts, answer)
        del self._under_way[row.row_pk]

    async def _write(self, row: PlannedRow, state: State, attempts: int, answer: Answer) -> None:
        await self._journal.write(Transition(row, state, attempts, answer))

    def _fetch(self, lane: str, after_pk: int) -> list[PlannedRow]:
        collection, operation, _ = self._ways[lane]
        return next_planned(
            self._ledger, self._run_id, collection, operation=operation, after_pk=after_pk, most=FETCHED_AT_ONCE
        )

    def _report_progress(self) -> None:
        tally, pacer = self._tally, self._pacer
        planned = max(self._settled_before + min(self._planned, self._left), tally.settled)
        eta_s = pacer.eta_s(planned - tally.settled)
        self._on_progress(tally.progress(planned, self._why_paused, eta_s, pacer.slots(), pacer.paused_s))
