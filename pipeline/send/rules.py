"""When a round of sending ends by itself: thresholds, outages, doubts; and the counts that this is judged by."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from pipeline.model import Answer, PlannedRow, State, Stop, StopReason, Transition, Verdict
from pipeline.pace import Slots

MOST_UNKNOWN_IN_A_ROW = 10
"""A service that answers so many requests in a row with nothing usable is down: wait before more rows are in doubt."""

MOST_LOST_BATCHES = 3
"""The same for batches, each of which leaves up to 20 rows in doubt."""

MOST_DOUBTS = 50
"""So many unknown rows that can be settled are settled before further rows leave."""

UNREACHED_S = 15.0
"""How long after the first failed connection a service that was never reached is given up: five attempts of one row."""

OUTAGE_S = 1_800.0
"""How long an outage or a refusal of everything is waited out in mid-run, counted from its first refusal."""

ANSWERS_BEFORE_PERCENT = 50
"""A share of the answers says something only from so many on."""

PROBLEMS_KEPT = 3
"""So many different ones are shown while rows leave."""

NO_SLOTS = Slots(0, 0, 0.0, 0.0)

DONE = (State.CREATED, State.UPDATED, State.REVERSED)
"""What a row ends as when its request did what it was meant to do."""


STATE_AFTER = {
    Verdict.CREATED: State.CREATED,
    Verdict.UPDATED: State.UPDATED,
    Verdict.REVERSED: State.REVERSED,
    Verdict.MISSING: State.MISSING,
    Verdict.REJECTED: State.REJECTED,
    Verdict.UNKNOWN: State.UNKNOWN,
    Verdict.SEND_AGAIN: State.PLANNED,
    Verdict.REFRESH_TOKEN: State.PLANNED,
    Verdict.STOP_TENANT: State.UNSENT,
    Verdict.STOP_COLLECTION: State.UNSENT,
    Verdict.STOP_ROUTE: State.UNSENT,
}


class RoundEnd(StrEnum):
    """Why a round is over."""

    DONE = "done"  # no row is left that may go
    STOPPED = "stopped"  # the run ends; the reason stands beside it
    OUTAGE = "outage"  # the service answers with nothing usable
    DOUBTS = "doubts"  # unknown rows have gathered that reading back can settle


class Outcome(NamedTuple):
    """What rows of one collection ended as."""

    collection: str
    state: State


class Problem(NamedTuple):
    """What kept a request from getting through, without what tells one row from the next."""

    collection: str
    state: State  # what became of the row; PLANNED: it never left and is sent again
    http_status: int | None
    graph_code: str
    message: str


class Progress(NamedTuple):
    """How far sending is, for whoever watches. Made with every answer, so it copies nothing that grows with rows."""

    settled: int
    planned: int  # the settled ones included
    created: int  # or updated, or deleted by an undo
    failed: int  # rejected or unknown
    pause: str  # why nothing leaves at the moment, "" while rows leave
    eta_s: float  # seconds until the last row has left, at the least
    slots: Slots = NO_SLOTS
    throttled: int = 0  # answers 429
    paused_s: float = 0.0  # how long sending was, and is going to be, closed for everybody
    outcomes: tuple[tuple[Outcome, int], ...] = ()  # with how many rows, in the order in which they first came
    problems: tuple[tuple[Problem, int], ...] = ()  # the last ones, each with how often it came; the newest is last


@dataclass(frozen=True, slots=True)
class SendLimits:
    """When sending stops by itself."""

    max_errors: int | None = None
    max_errors_percent: float | None = None
    errors_before: int = 0  # invalid and conflicting rows count too when errors are counted, not when they are a share
    most_rows: int | None = None


@dataclass(slots=True)
class Tally:
    """What all rounds of one call have counted so far. Times are the run's monotonic clock, in seconds."""

    done: int = 0
    rejected: int = 0
    other: int = 0  # missing, kept or unsent: no error of the row
    unknown: int = 0
    unknown_in_a_row: int = 0
    requests: int = 0
    throttled: int = 0
    stopped_collections: int = 0
    doubted_at: dict[int, float] = field(default_factory=dict)  # unknown row -> when it became so, oldest first
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    problems: dict[Problem, int] = field(default_factory=dict)  # the newest is last

    @property
    def settled(self) -> int:
        """The rows whose outcome is known or in doubt."""
        return self.done + self.rejected + self.unknown + self.other

    def progress(self, planned: int, pause: str, eta_s: float, slots: Slots, paused_s: float) -> Progress:
        """Return how far sending is, of so many rows, the settled ones included."""
        return Progress(
            self.settled,
            planned,
            self.done,
            self.rejected + self.unknown,
            pause,
            eta_s,
            slots,
            self.throttled,
            paused_s,
            tuple(self.outcomes.items()),
            tuple(self.problems.items()),
        )

    def count(self, row: PlannedRow, state: State, now: float, answer: Answer) -> None:
        """Take note of what became of a row."""
        self.outcomes[Outcome(row.collection, state)] += 1
        if state not in DONE:
            self.note_problem(row, state, answer)
        self.done += state in DONE
        self.rejected += state is State.REJECTED
        if state is State.UNKNOWN:
            self.unknown += 1
            self.doubted_at[row.row_pk] = now
            return
        self.other += state not in DONE and state is not State.REJECTED

    def count_done(self, collection: str, state: State, count: int) -> None:
        """Take note of rows that got through: `count`, for as many, where nothing is to be said of any of them."""
        self.outcomes[Outcome(collection, state)] += count
        self.done += count

    def count_answer(self, states: Collection[State]) -> None:
        """Take note of what became of the rows of one request: whether the service said anything usable."""
        if set(states) == {State.UNKNOWN}:
            self.unknown_in_a_row += 1
        elif set(states) - {State.UNSENT}:
            self.unknown_in_a_row = 0

    def note_problem(self, row: PlannedRow, state: State, answer: Answer) -> None:
        """Take note of what kept a request from getting through, however often it says the same."""
        problem = Problem(row.collection, state, answer.http_status, answer.graph_code, answer.message)
        self.problems[problem] = self.problems.pop(problem, 0) + 1
        if len(self.problems) > PROBLEMS_KEPT:
            del self.problems[next(iter(self.problems))]

    def settle(self, steps: Iterable[Transition]) -> None:
        """Take note of unknown rows that reading back has settled."""
        for step in steps:
            if self.doubted_at.pop(step.row.row_pk, None) is None:
                continue  # of an earlier call
            self.unknown -= 1
            self._move(step)
            self.done += step.state in DONE
            self.other += step.state not in DONE and step.state is not State.PLANNED

    def _move(self, step: Transition) -> None:
        collection = step.row.collection
        was = Outcome(collection, State.UNKNOWN)
        self.outcomes[was] -= 1
        if not self.outcomes[was]:
            del self.outcomes[was]
        if step.state is not State.PLANNED:
            self.outcomes[Outcome(collection, step.state)] += 1

    def has_doubts(self, now: float, settle_s: float) -> bool:
        """Return whether enough unknown rows are old enough for their absence to be believed."""
        nth_oldest = next(islice(self.doubted_at.values(), MOST_DOUBTS - 1, None), None)
        return nth_oldest is not None and nth_oldest + settle_s <= now

    def stop(self, limits: SendLimits, *, failed: int = 0) -> Stop | None:
        """Return why the run ends, if its errors are more than the limits allow.

        `failed` rows were unknown, and their requests turned out to have come to nothing: errors all the same.
        """
        errors = self.rejected + self.unknown + failed
        answers = self.done + errors
        if limits.max_errors is not None and errors + limits.errors_before > limits.max_errors:
            message = f"rows with errors: more than --max-errors {limits.max_errors}"
            return Stop(StopReason.THRESHOLD, message)
        percent = limits.max_errors_percent
        if percent is not None and answers >= ANSWERS_BEFORE_PERCENT and errors * 100 > percent * answers:
            message = f"{errors} of {answers} answers are errors, more than {percent:g} %"
            return Stop(StopReason.THRESHOLD, message)
        return None


def said(answer: Answer) -> str:
    """Return what the service said, for a sentence."""
    parts = [f"HTTP {answer.http_status}" if answer.http_status else "", answer.graph_code, answer.message]
    return " ".join(part for part in parts if part) or "no reason was given"
