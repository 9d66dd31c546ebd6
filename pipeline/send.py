"""Phase two: planned rows leave, each once, and what became of them is durable before the next step.

What an answer means stands in `graph`; here stands what follows from it for the row, its collection and the run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from pipeline.errors import CertstateError, PreflightError
from pipeline.graph import Client, create
from pipeline.interrupt import Interrupt
from pipeline.journal import Journal
from pipeline.lanes import Lanes
from pipeline.ledger import Ledger, apply_transitions, leave_unsent, next_planned, planned_collections
from pipeline.log import RunLog
from pipeline.model import Answer, PlannedRow, SendStats, State, Stop, StopReason, Transition, Verdict
from pipeline.pace import Pacer

FETCHED_AT_ONCE = 200
GRACE_S = 30.0
"""How long answers under way are awaited once the run stops; after that their rows are unknown."""

MOST_UNKNOWN_IN_A_ROW = 10
"""A service that answers so many requests in a row with nothing usable is down: stop before more rows are in doubt."""

UNREACHED_S = 15.0
"""How long after the first failed connection a service that was never reached is given up: five attempts of one row."""

OUTAGE_S = 1_800.0
"""How long an outage or a refusal of everything is waited out in mid-run, counted from its first refusal."""

ANSWERS_BEFORE_PERCENT = 50
"""A share of the answers says something only from so many on."""


class Progress(NamedTuple):
    """How far sending is, for a progress bar."""

    settled: int
    planned: int
    created: int
    failed: int  # rejected or unknown
    pause: str  # why nothing leaves at the moment, "" while rows leave
    eta_s: float


@dataclass(frozen=True, slots=True)
class SendLimits:
    """When sending stops by itself."""

    max_errors: int | None = None
    max_errors_percent: float | None = None
    errors_before: int = 0  # invalid and conflicting rows count too when errors are counted, not when they are a share
    most_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """The way to Graph: a client, and where its tokens come from."""

    client: Client
    token: Callable[[], Awaitable[str]]
    refresh: Callable[[str], Awaitable[str]]


class SendResult(NamedTuple):
    """How sending ended."""

    stop: Stop | None
    stopped_collections: int  # refused as a whole, so their rows are unsent
    stats: SendStats


async def send_planned(
    ledger: Ledger,
    run_id: str,
    service: Service,
    pacer: Pacer,
    *,
    workers: int,
    limits: SendLimits,
    interrupt: Interrupt,
    clock: Callable[[], float],
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
    log: RunLog,
    grace_s: float = GRACE_S,
) -> SendResult:
    """Send the run's planned rows and return when each is settled, unsent or unknown.

    `interrupt` ends it: no further row leaves, answers under way are awaited for `grace_s` or until the second signal.
    What is left stays planned, so that a resumed run goes on. A failing ledger raises LedgerError; nothing leaves
    after that.
    """
    sender = _Sender(
        ledger,
        run_id,
        service=service,
        pacer=pacer,
        limits=limits,
        clock=clock,
        on_progress=on_progress,
        on_note=on_note,
        log=log,
    )
    return await sender.run(workers, interrupt, grace_s)


class _Sender:
    """One run's sending: its workers and what they know together."""

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        *,
        service: Service,
        pacer: Pacer,
        limits: SendLimits,
        clock: Callable[[], float],
        on_progress: Callable[[Progress], None],
        on_note: Callable[[str], None],
        log: RunLog,
    ) -> None:
        self._ledger, self._run_id, self._service, self._pacer = ledger, run_id, service, pacer
        self._limits, self._clock, self._log = limits, clock, log
        self._on_progress, self._on_note = on_progress, on_note
        counts = dict(planned_collections(ledger, run_id))
        self._planned = min(sum(counts.values()), limits.most_rows or sum(counts.values()))
        self._lanes = Lanes(tuple(counts), self._fetch)
        self._journal = Journal(partial(apply_transitions, ledger))
        self._under_way: dict[int, _UnderWay] = {}  # by row number in the ledger
        self._stop: Stop | None = None
        self._halted = asyncio.Event()
        self._problem: CertstateError | None = None
        self._taken = self._created = self._rejected = self._unknown = self._stopped_collections = 0
        self._requests = self._throttled = 0
        self._unknown_in_a_row = 0
        self._started_at = clock()
        self._was_reached = False
        self._why_paused = ""
        self._refused_since: float | None = None  # since when nothing but refusals came; None while rows get through

    async def run(self, workers: int, interrupt: Interrupt, grace_s: float) -> SendResult:
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
        if self._stop is not None and self._stop.reason is not StopReason.INTERRUPTED:
            leave_unsent(self._ledger, self._run_id, self._stop.message)
        stats = SendStats(self._requests, self._throttled, self._pacer.paused_s, self._clock() - self._started_at)
        return SendResult(self._stop, self._stopped_collections, stats)

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

    async def _give_up(self, each: "_UnderWay") -> None:
        lost = Answer(message="the run ended before the answer came", client_request_id=each.client_request_id)
        state, answer = (State.UNKNOWN, lost) if each.has_left else (State.PLANNED, Answer())
        await self._settle(each.row, state, each.attempts, answer)

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
        attempts = row.attempts

        async def before_attempt(client_request_id: str) -> None:
            nonlocal attempts
            await self._pacer.slot()
            worker = asyncio.current_task()
            under_way = _UnderWay(row, worker, attempts, client_request_id)
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
            self._requests += 1

        async def not_applied(answer: Answer) -> None:
            await self._settle(row, State.PLANNED, attempts, answer)
            self._log_answer(row, Verdict.SEND_AGAIN, answer)
            self._count_refusal(answer)

        sent = await create(
            self._service.client,
            row.collection,
            row.body,
            token=self._service.token,
            refresh=self._service.refresh,
            before_attempt=before_attempt,
            not_applied=not_applied,
            pause=self._pacer.pause,
            stop_waiting=self._halted.is_set,
        )
        await self._conclude(row, sent.verdict, attempts, sent.answer)

    async def _conclude(self, row: PlannedRow, verdict: Verdict, attempts: int, answer: Answer) -> None:
        """Write the outcome down, then draw the consequences for the collection and the run."""
        if verdict is Verdict.SEND_AGAIN:
            return  # planned again already; the run is ending
        if verdict is Verdict.REFRESH_TOKEN:
            self._halt(StopReason.PREFLIGHT, f"the token was refused again after its renewal: {_said(answer)}")
            return
        state = STATE_AFTER[verdict]
        await self._settle(row, state, attempts, answer)
        self._log_answer(row, verdict, answer)  # after the ledger: a full disk must not lose the answer
        self._was_reached, self._refused_since, self._why_paused = True, None, ""
        self._count(state)
        if verdict is Verdict.STOP_TENANT:
            self._halt(StopReason.PREFLIGHT, f"the tenant refused the request: {_said(answer)}")
        elif verdict in {Verdict.STOP_COLLECTION, Verdict.STOP_ROUTE}:
            with_route = verdict is Verdict.STOP_ROUTE
            stopped = self._lanes.stop(row.collection, with_route=with_route)
            self._stopped_collections += len(stopped)
            self._leave_unsent(stopped, _said(answer))
        else:
            why = self._lanes.settle(row.collection, is_created=verdict is Verdict.CREATED)
            if why and self._leave_unsent([row.collection], f"{why}, the last with: {_said(answer)}"):
                self._stopped_collections += 1
        self._check_limits()
        self._report_progress()

    def _count(self, state: State) -> None:
        self._created += state is State.CREATED
        self._rejected += state is State.REJECTED
        self._unknown += state is State.UNKNOWN
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if state is State.UNKNOWN else 0

    def _count_refusal(self, answer: Answer) -> None:
        """Give up when the service was never reached, or refuses everything for too long."""
        now = self._clock()
        if self._refused_since is None:
            self._refused_since = now
        if answer.http_status is not None:
            self._was_reached = True
            self._throttled += answer.http_status == 429
            self._why_paused = "paused by the service"
        else:
            self._requests -= 1  # it never left
            self._why_paused = "no connection, trying again"
            if not self._was_reached and now - self._refused_since >= UNREACHED_S:
                self._halt(StopReason.PREFLIGHT, f"the service cannot be reached: {answer.message}")
        if now - self._refused_since > OUTAGE_S:
            minutes = OUTAGE_S / 60
            self._halt(StopReason.OUTAGE, f"nothing could be sent for {minutes:.0f} minutes: {_said(answer)}")
        self._report_progress()

    def _check_limits(self) -> None:
        answers = self._created + self._rejected + self._unknown
        errors = self._rejected + self._unknown
        limits = self._limits
        if self._unknown_in_a_row >= MOST_UNKNOWN_IN_A_ROW:
            self._halt(StopReason.OUTAGE, f"{MOST_UNKNOWN_IN_A_ROW} requests in a row had no usable answer")
        if limits.max_errors is not None and errors + limits.errors_before > limits.max_errors:
            self._halt(StopReason.THRESHOLD, f"rows with errors: more than --max-errors {limits.max_errors}")
        percent = limits.max_errors_percent
        if percent is not None and answers >= ANSWERS_BEFORE_PERCENT and errors * 100 > percent * answers:
            self._halt(StopReason.THRESHOLD, f"{errors} of {answers} answers are errors, more than {percent:g} %")

    def _leave_unsent(self, collections: list[str], message: str) -> int:
        """Give the collections' planned rows up, and return how many there were."""
        rows = 0
        for collection in collections:
            rows += leave_unsent(self._ledger, self._run_id, message, collection=collection)
            self._log.error("collection stopped", collection=collection, why=message)
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

    def _fetch(self, collection: str, after_pk: int) -> list[PlannedRow]:
        return next_planned(self._ledger, self._run_id, collection, after_pk=after_pk, most=FETCHED_AT_ONCE)

    def _report_progress(self) -> None:
        settled = self._created + self._rejected + self._unknown
        eta_s = self._pacer.eta_s(max(self._planned - settled, 0))
        failed = self._rejected + self._unknown
        self._on_progress(Progress(settled, self._planned, self._created, failed, self._why_paused, eta_s))

    def _log_answer(self, row: PlannedRow, verdict: Verdict, answer: Answer) -> None:
        level = self._log.info if verdict is Verdict.CREATED else self._log.warning
        level(
            "answer",
            ledger_row=row.row_pk,
            verdict=verdict,
            http_status=answer.http_status,
            graph_code=answer.graph_code,
            message=answer.message,
            request_id=answer.request_id,
            client_request_id=answer.client_request_id,
            object_id=answer.object_id,
        )


@dataclass(slots=True)
class _UnderWay:
    """A row whose intent is on its way into the ledger, or whose request has left."""

    row: PlannedRow
    worker: "asyncio.Task[None] | None"
    attempts: int  # requests of this row that have left
    client_request_id: str
    has_left: bool = False
    is_settled: bool = False  # what became of it is in the journal


STATE_AFTER = {
    Verdict.CREATED: State.CREATED,
    Verdict.REJECTED: State.REJECTED,
    Verdict.UNKNOWN: State.UNKNOWN,
    Verdict.STOP_TENANT: State.UNSENT,
    Verdict.STOP_COLLECTION: State.UNSENT,
    Verdict.STOP_ROUTE: State.UNSENT,
}


def _said(answer: Answer) -> str:
    """Return what the service said, for a sentence."""
    parts = [f"HTTP {answer.http_status}" if answer.http_status else "", answer.graph_code, answer.message]
    return " ".join(part for part in parts if part) or "no reason was given"
