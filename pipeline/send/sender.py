"""One round of sending: workers take rows, each goes once, and what became of it is durable before the next step.

In a batch up to 20 rows go as one request, under the same rules: a row by itself is a group of one. A canary and a
delete go by themselves always. A delete is looked at right before it, and that look is a request too.
"""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from pipeline.errors import CertstateError, PreflightError
from pipeline.graph import (
    MOST_ITEMS,
    REFUSES_BATCHES,
    Access,
    Answered,
    Client,
    RowAnswered,
    path_of,
    write,
    write_batch,
)
from pipeline.interrupt import Interrupt
from pipeline.journal import Journal
from pipeline.lanes import Lanes, lane_of
from pipeline.ledger import Ledger, apply_transitions, next_planned, planned_lanes
from pipeline.log import RunLog
from pipeline.model import Answer, Operation, PlannedRow, SendMode, State, Stop, StopReason, Verdict
from pipeline.pace import Pacer
from pipeline.send.course import Course
from pipeline.send.guard import Look, believed, look_at
from pipeline.send.record import log_answers
from pipeline.send.rules import (
    MOST_LOST_BATCHES,
    MOST_UNKNOWN_IN_A_ROW,
    STATE_AFTER,
    Progress,
    RoundEnd,
    SendLimits,
    Tally,
    said,
)
from pipeline.send.under_way import Became, RowsUnderWay

FETCHED_AT_ONCE = 200
SWITCH_S = 0.001
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
    mode: SendMode = SendMode.SINGLE,
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
    ways = {lane_of(each.collection, each.operation): each for each in planned_lanes(ledger, run_id)}
    left = sum(each.rows for each in ways.values())
    planned = left if limits.most_rows is None else min(left, limits.most_rows - tally.settled)

    def fetch(lane: str, after_pk: int) -> list[PlannedRow]:
        collection, operation, _ = ways[lane]
        return next_planned(ledger, run_id, collection, operation=operation, after_pk=after_pk, most=FETCHED_AT_ONCE)

    at_once = MOST_ITEMS if mode is SendMode.BATCH else 1
    most_unknown = MOST_UNKNOWN_IN_A_ROW if at_once == 1 else MOST_LOST_BATCHES
    lanes = Lanes(tuple(ways), fetch, open_collections, planned)
    course = Course(
        ledger,
        run_id,
        ways,
        lanes,
        planned=planned,
        pacer=service.pacer,
        tally=tally,
        limits=limits,
        most_unknown=1 if is_probe else most_unknown,
        settle_s=settle_s,
        clock=clock,
        on_progress=on_progress,
        log=log,
    )
    journal = Journal(partial(apply_transitions, ledger))
    sender = _Sender(service, lanes, course, journal, tally=tally, at_once=at_once, on_note=on_note, log=log)
    with _at_full_speed():
        return await sender.run(min(workers, max(planned, 1)), interrupt, grace_s)


@contextmanager
def _at_full_speed() -> Iterator[None]:
    """Set the interpreter for two busy threads, the event loop and the journal's, and for a heap that stays.

    Each full round of the garbage collector goes through all that is there, most of it libraries: of a row that goes
    alone, a quarter of its processor time. And whenever SQLite has done its work, the journal's thread waits until the
    event loop lets go of the interpreter: with Python's own 5 ms, batches took a quarter longer.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(min(before_s, SWITCH_S))
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before_s)


class _Sender:
    """One round: its workers, each with the rows of one request at a time."""

    def __init__(
        self,
        service: Service,
        lanes: Lanes,
        course: Course,
        journal: Journal,
        *,
        tally: Tally,
        at_once: int,
        on_note: Callable[[str], None],
        log: RunLog,
    ) -> None:
        self._service, self._lanes, self._course, self._journal = service, lanes, course, journal
        self._tally, self._at_once, self._on_note, self._log = tally, at_once, on_note, log
        self._halted = course.halted
        self._under_way = RowsUnderWay(journal, service.pacer, self._halted.is_set)
        self._problem: CertstateError | None = None

    async def run(self, workers: int, interrupt: Interrupt, grace_s: float) -> Round:
        tasks = [asyncio.create_task(self._work()) for _ in range(workers)]
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
        course = self._course
        return Round(RoundEnd.STOPPED if course.stop else course.end, course.stop, self._lanes.open_collections)

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
        if answers := len(self._under_way.awaited()):
            self._on_note(
                f"ending: waiting up to {grace_s:.0f} s for the answers under way, {answers}; a second signal does not "
                "wait, and their rows are unknown then"
            )
        self._course.halt(StopReason.INTERRUPTED, "the run was interrupted")

    async def _wind_down(self, tasks: list[asyncio.Task[None]], interrupt: Interrupt, grace_s: float) -> None:
        """End the workers; rows whose request left without an answer become unknown, the others planned again."""
        answering = {each.worker for each in self._under_way.awaited() if each.worker}
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
        self._course.lose(await self._under_way.give_up())

    async def _work(self) -> None:
        while not self._halted.is_set() and (rows := await self._lanes.next_rows(self._at_once)):
            try:
                await self._send(rows)
            except PreflightError as problem:
                self._course.halt(StopReason.PREFLIGHT, str(problem))
            except CertstateError as problem:
                self._problem = problem
                self._halted.set()
                return

    async def _send(self, rows: Sequence[PlannedRow]) -> None:
        left = rows
        # Deletes are a run's only operation.
        if len(rows) > 1 and rows[0].operation is not Operation.DELETE:
            left = await self._send_batch(rows)
        for row in left:
            if self._halted.is_set():
                return
            await self._send_alone(row)

    async def _send_batch(self, rows: Sequence[PlannedRow]) -> Sequence[PlannedRow]:
        """Send the rows as one request, and return those that have to go by themselves."""
        ended = await write_batch(
            self._service.client,
            rows,
            token=self._service.token,
            refresh=self._service.refresh,
            before_attempt=self._leave,
            after_attempt=self._settle,
            pause=self._pause,
            stop_waiting=self._halted.is_set,
        )
        if ended.verdict in REFUSES_BATCHES and self._at_once > 1:
            self._at_once = 1
            self._on_note(f"the service takes no batches ({said(ended.answer)}); the rows go one by one")
        if STATE_AFTER[ended.verdict] is State.PLANNED:
            self._halt_without_token(ended.verdict, ended.answer)
            return ()
        return ended.left

    async def _send_alone(self, row: PlannedRow) -> None:
        is_delete = row.operation is Operation.DELETE
        look = await self._look(row) if is_delete else None
        if look and look.drift:
            return

        async def before_attempt(client_request_id: str) -> None:
            await self._leave([row], [client_request_id])

        async def not_applied(answer: Answer) -> None:
            await self._settle([(row, Answered(Verdict.SEND_AGAIN, answer))])

        sent = await write(
            self._service.client,
            row.operation,
            path_of(row),
            b"" if is_delete else row.body,
            token=self._service.token,
            refresh=self._service.refresh,
            before_attempt=before_attempt,
            not_applied=not_applied,
            pause=self._pause,
            stop_waiting=self._halted.is_set,
        )
        verdict, answer = believed(look, sent.verdict, sent.answer)
        if STATE_AFTER[verdict] is State.PLANNED:  # it is already
            self._halt_without_token(verdict, answer)
        else:
            await self._settle([(row, Answered(verdict, answer))])

    async def _leave(self, rows: Sequence[PlannedRow], client_request_ids: Sequence[str]) -> int:
        """Return how many of the rows leave now as one request."""
        leaving = await self._under_way.leave(rows, client_request_ids)
        self._tally.requests += leaving
        return leaving

    async def _settle(self, answered: Sequence[RowAnswered]) -> None:
        """Write down what became of the rows of one request, then draw the consequences."""
        self._under_way.are_answered(answered)
        await self._under_way.settle([Became(row, STATE_AFTER[each.verdict], each.answer) for row, each in answered])
        log_answers(self._log, answered)  # after the ledger: a full disk must not lose it
        self._course.go_on(answered)

    def _halt_without_token(self, verdict: Verdict, answer: Answer) -> None:
        if verdict is Verdict.REFRESH_TOKEN:
            self._course.halt(StopReason.PREFLIGHT, f"the token was refused again after its renewal: {said(answer)}")

    async def _look(self, row: PlannedRow) -> Look:
        """Look at the object that is to be deleted; where it has drifted, write down what it is."""
        look = await look_at(self._service.client, row, self._service.reads)
        if (drift := look.drift) is None:
            return look
        self._lanes.settle(lane_of(row.collection, row.operation), Verdict.SEND_AGAIN)
        if drift.state is State.UNSENT and self._halted.is_set():
            return look  # the reading was given up because the round ends: the row stays planned
        await self._under_way.settle([Became(row, drift.state, drift.answer)])
        self._course.go_on_after_look(row, drift)
        return look

    async def _pause(self, seconds: float) -> None:
        await self._service.pacer.pause(seconds)
        self._course.report_progress()
