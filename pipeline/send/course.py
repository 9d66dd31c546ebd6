"""Whether a round goes on: what each outcome means for its collection, for the run, and for whoever watches."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.graph import Answered, RowAnswered
from pipeline.lanes import GOT_THROUGH, Lanes, lane_of
from pipeline.ledger import Ledger, PlannedLane, leave_unsent
from pipeline.log import RunLog
from pipeline.model import Answer, Operation, PlannedRow, State, Stop, StopReason, Verdict
from pipeline.pace import Pacer
from pipeline.send.guard import Drift
from pipeline.send.rules import (
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
from pipeline.send.under_way import Became


class Course:
    """What the outcomes of a round have led to so far: it goes on, it ends, or the run stops."""

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        ways: dict[str, PlannedLane],
        lanes: Lanes,
        *,
        planned: int,
        pacer: Pacer,
        tally: Tally,
        limits: SendLimits,
        most_unknown: int,
        settle_s: float,
        clock: Callable[[], float],
        on_progress: Callable[[Progress], None],
        log: RunLog,
    ) -> None:
        self._ledger, self._run_id, self._ways, self._lanes = ledger, run_id, ways, lanes
        self._limits, self._settle_s, self._clock, self._log = limits, settle_s, clock, log
        self._pacer, self._tally, self._most_unknown, self._on_progress = pacer, tally, most_unknown, on_progress
        self._planned = planned
        self._left = sum(each.rows for each in ways.values())  # rows that were not given up, settled ones included
        self._settled_before = tally.settled
        self._was_reached = tally.requests > 0
        self._why_paused = ""
        self._refused_since: float | None = None  # since when nothing but refusals came; None while rows get through
        self.halted = asyncio.Event()
        self.end = RoundEnd.DONE
        self.stop: Stop | None = None

    def halt(self, reason: StopReason, message: str) -> None:
        """End the round and the run. The first reason stands."""
        self.halted.set()
        if self.stop is None:
            self.stop = Stop(reason, message)
            self._log.error("run stopped", reason=reason, why=message)

    def go_on(self, answered: Sequence[RowAnswered]) -> None:
        """Draw the consequences of what became of the rows of one request; it is written down already."""
        concluded = [(row, each) for row, each in answered if STATE_AFTER[each.verdict] is not State.PLANNED]
        again = [(row, each) for row, each in answered if STATE_AFTER[each.verdict] is State.PLANNED]
        self._pass(concluded)
        for row, each in concluded:
            if each.verdict not in GOT_THROUGH:
                self._conclude(row, each)
        if concluded:
            self._was_reached, self._refused_since = True, None
            if not self._pacer.slots().closed_s:  # an answer may come while all wait that left before the refusal
                self._why_paused = ""
            self._tally.count_answer([STATE_AFTER[each.verdict] for _, each in concluded])
        for row, each in again:
            self._count_refusal(row, each.answer)
        self._check_limits()
        self.report_progress()

    def go_on_after_look(self, row: PlannedRow, drift: Drift) -> None:
        """Draw the consequences of an object that is not deleted; it is written down already."""
        self._tally.count(row, drift.state, self._clock(), drift.answer)
        self._tally.count_answer([drift.state])
        if drift.verdict in {Verdict.STOP_TENANT, Verdict.REFRESH_TOKEN}:
            self.halt(StopReason.PREFLIGHT, f"the tenant refused to be read: {said(drift.answer)}")
        elif drift.verdict in {Verdict.STOP_COLLECTION, Verdict.STOP_ROUTE}:
            self._stop_lanes(row, drift.verdict, drift.answer)
        elif drift.state is State.UNSENT:
            self._tally.unknown_in_a_row += 1  # an outage of reading is one of the service
            self._check_limits()
        self.report_progress()

    def lose(self, unknown: Sequence[Became]) -> None:
        """Take note of rows whose answer nobody waits for any more; it is written down already."""
        for row, state, answer in unknown:
            self._tally.count(row, state, self._clock(), answer)  # from now on its object may still appear

    def report_progress(self) -> None:
        """Tell how far sending is."""
        tally, pacer = self._tally, self._pacer
        planned = max(self._settled_before + min(self._planned, self._left), tally.settled)
        eta_s = pacer.eta_s(planned - tally.settled)
        self._on_progress(tally.progress(planned, self._why_paused, eta_s, pacer.slots(), pacer.paused_s))

    def _pass(self, concluded: Sequence[RowAnswered]) -> None:
        """Count the rows that got through, all of a kind at once."""
        kinds = Counter(
            (row.collection, row.operation, each.verdict) for row, each in concluded if each.verdict in GOT_THROUGH
        )
        for (collection, operation, verdict), count in kinds.items():
            self._tally.count_done(collection, STATE_AFTER[verdict], count)
            self._lanes.settle(lane_of(collection, operation), verdict)

    def _conclude(self, row: PlannedRow, answered: Answered) -> None:
        verdict, answer = answered.verdict, answered.answer
        self._tally.count(row, STATE_AFTER[verdict], self._clock(), answer)
        if verdict is Verdict.STOP_TENANT:
            self.halt(StopReason.PREFLIGHT, f"the tenant refused the request: {said(answer)}")
        elif verdict in {Verdict.STOP_COLLECTION, Verdict.STOP_ROUTE}:
            self._stop_lanes(row, verdict, answer)
        else:
            self._pass_canary_on(row, verdict, answer)

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
                self.halt(StopReason.PREFLIGHT, f"the service cannot be reached: {answer.message}")
        if now - self._refused_since > OUTAGE_S:
            minutes = OUTAGE_S / 60
            self.halt(StopReason.OUTAGE, f"nothing could be sent for {minutes:.0f} minutes: {said(answer)}")

    def _check_limits(self) -> None:
        if self._tally.unknown_in_a_row >= self._most_unknown:
            self._end_round(RoundEnd.OUTAGE)
        if stop := self._tally.stop(self._limits):
            self.halt(stop.reason, stop.message)
        if self._tally.has_doubts(self._clock(), self._settle_s):
            self._end_round(RoundEnd.DOUBTS)

    def _end_round(self, end: RoundEnd) -> None:
        if not self.halted.is_set():
            self.end = end
            self.halted.set()
