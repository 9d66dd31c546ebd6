"""One run in numbers: totals, the conservation law, routes, causes, and what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

from pipeline.findings import Severity
from pipeline.model import DayCount, Operation, RunInfo, SendStats, SourceInfo, State, StepCount
from pipeline.report.causes import Cause
from pipeline.report.cures import together

Counts = Mapping[State, int] | Mapping[State | Operation, int]
"""Rows by state; of a plan, planned rows by operation."""


class Total(NamedTuple):
    """One term of the conservation law."""

    label: str
    rows: int


class NextStep(NamedTuple):
    """What to do next, and the exact command for it."""

    sentence: str
    command: str  # "" where no command helps


class RouteLine(NamedTuple):
    """The rows of one collection."""

    collection: str
    totals: tuple[Total, ...]


TERMS: tuple[tuple[str, tuple[State, ...]], ...] = (
    ("invalid", (State.INVALID,)),
    ("duplicate", (State.DUPLICATE,)),
    ("conflicting", (State.CONFLICTING,)),
    ("already there", (State.ALREADY_THERE,)),
    ("rejected before", (State.REJECTED_BEFORE,)),
    ("changed", (State.CHANGED,)),
    ("updated", (State.UPDATED,)),
    ("created", (State.CREATED,)),
    ("reversed", (State.REVERSED,)),
    ("missing", (State.MISSING,)),
    ("rejected", (State.REJECTED,)),
    ("unsent", (State.UNSENT, State.PLANNED, State.STAGED)),
    ("unknown", (State.UNKNOWN, State.SENDING)),  # under way, or so when the program was killed
)
"""The terms of the conservation law, after `blank`; what is planned counts as unsent."""

TO_MEND = ("invalid", "conflicting", "rejected", "rejected before", "missing")
"""The terms of rows that somebody has to correct."""

DRY_RUN_TERMS = (*TERMS[:3], ("valid", (State.PLANNED, State.STAGED)))

PLAN_TERMS: tuple[tuple[str, tuple[State | Operation, ...]], ...] = (
    *TERMS[:6],
    ("to create", (Operation.CREATE,)),
    ("to update", (Operation.UPDATE,)),
    ("not checked", (State.UNSENT,)),
    ("unknown", (State.UNKNOWN,)),
)
"""The terms of a plan: planned rows by what is going to be done. Not checked: their collection could not be read."""

UNDO_TERMS: tuple[tuple[str, tuple[State, ...]], ...] = (
    ("reversed", (State.REVERSED,)),
    ("kept", (State.KEPT,)),
    ("failed", (State.REJECTED,)),
    ("unsent", (State.UNSENT, State.PLANNED)),
    ("unknown", (State.UNKNOWN, State.SENDING)),
)
"""The terms of an undo, whose rows are the objects that another run created."""


class Terms(Enum):
    """Whose terms a summary has."""

    IMPORT = TERMS
    DRY_RUN = DRY_RUN_TERMS
    PLAN = PLAN_TERMS
    UNDO = UNDO_TERMS


class TenantLook(StrEnum):
    """How far a plan knows what the tenant holds."""

    CHECKED = "checked"
    NOT_CHECKED = "not checked"
    IMPORT_CHECKS = "not checked, an import checks it first"


class Forecast(NamedTuple):
    """What it takes to carry a plan out."""

    writes: int
    tenant: TenantLook
    saved: str  # the path of the saved plan, "" where none was asked for


LONGEST_PAUSE_S = 60.0
"""A longer time without a step is no sending: it lies between two calls, or the service was away."""


class Pace(NamedTuple):
    """How sending went against the quota, over all calls that sent rows of the run."""

    quota: int  # writes within the window
    window_s: float
    requests: int
    refused: int  # answers 429
    sending_s: float  # without the times in which nothing was sent for long, such as between two calls

    @property
    def quota_used(self) -> float:
        """The share of the writes that the quota allows in that time, at most 1."""
        allowed = self.quota * (1 + self.sending_s / self.window_s)
        return min(self.requests / allowed, 1.0)


class Eta(NamedTuple):
    """How long the rows that can still be sent take."""

    rows: int
    least_s: float  # as the configured quota allows
    shared_s: float  # when other apps spend so much of the tenant's quota that half of it is left


class AnnotatedCopy(NamedTuple):
    """The copy of a workbook of the user's own, with what was found in its cells; or why there is none."""

    file: str  # as the user named it
    copy: str  # the copy's name in the run's folder, "" where there is none
    reason: str  # why there is none, "" where there is one


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did, as the terminal and report.json tell it."""

    run: RunInfo
    is_dry_run: bool
    sources: tuple[SourceInfo, ...]
    totals: tuple[Total, ...]  # `blank` first, then each term, zeros included
    routes: tuple[RouteLine, ...]
    causes: tuple[Cause, ...]
    stats: SendStats | None  # None when nothing was sent in this call
    next_steps: tuple[NextStep, ...]
    forecast: Forecast | None = None  # of a plan
    waiting_rows: int = 0  # unsent ones that `resume` would send: not those that a later run has taken over
    eta: Eta | None = None  # of the rows that an import or `resume` would send; None where there are none
    pace: Pace | None = None  # None when nothing was ever sent
    steps: tuple[StepCount, ...] = ()  # in the order of time
    expiry: tuple[DayCount, ...] = ()  # of the valid rows, in the order of the days
    annotated: tuple[AnnotatedCopy, ...] = ()
    orphaned_rows: int = 0  # unsent ones that nothing sends any more: their object is missing, or an undo took it

    @property
    def rows_read(self) -> int:
        """The rows that the loader counted, blank ones included."""
        return sum(source.rows_read for source in self.sources)

    @property
    def is_balanced(self) -> bool:
        """True when each row read is accounted for exactly once."""
        return self.rows_read == sum(total.rows for total in self.totals)

    @property
    def conservation_line(self) -> str:
        """Such as `250 rows read = 12 invalid + 238 created`; terms of no rows are left out."""
        shown = [f"{total.rows:,} {total.label}" for total in self.totals if total.rows]
        sign = "=" if self.is_balanced else "IS NOT"
        rows = "row" if self.rows_read == 1 else "rows"
        read = "to undo" if self.run.verb == "undo" else "read"
        return f"{self.rows_read:,} {rows} {read} {sign} {' + '.join(shown) or '0'}"

    @property
    def corrects(self) -> tuple[str, ...]:
        """The runs whose corrected reports this one read."""
        return tuple(dict.fromkeys(parent for source in self.sources for parent in source.parents))

    @property
    def has_rows_to_mend(self) -> bool:
        """True when errors.xlsx holds rows that somebody has to correct, not only such as wait to be sent."""
        return any(self.rows_of(label) for label in TO_MEND)

    @property
    def config_block(self) -> str:
        """The lines for config.yaml that would cure causes, as one block; "" where none would."""
        return together(cause.config_line for cause in self.causes if cause.severity is not Severity.INFO)

    def rows_of(self, label: str) -> int:
        """Return the number of rows under the label, 0 for one that this run does not have."""
        return sum(total.rows for total in self.totals if total.label == label)


def totals_of(counts: Counts, sources: Sequence[SourceInfo], terms: Terms) -> tuple[Total, ...]:
    """Return the terms of the conservation law."""
    blank = Total("blank", sum(source.blank_rows for source in sources))
    return (blank, *_totals(counts, terms))


def route_lines(counts: Sequence[tuple[str, State | Operation, int]], terms: Terms) -> tuple[RouteLine, ...]:
    """Return each collection's terms that are not zero, from (collection, state, rows)."""
    by_collection: dict[str, dict[State | Operation, int]] = {}
    for collection, state, rows in counts:
        if collection:
            by_collection.setdefault(collection, {})[state] = rows
    return tuple(
        RouteLine(collection, tuple(each for each in _totals(states, terms) if each.rows))
        for collection, states in by_collection.items()
    )


def _totals(counts: Counts, terms: Terms) -> tuple[Total, ...]:
    rows = dict[State | Operation, int](counts.items())
    return tuple(Total(label, sum(rows.get(what, 0) for what in whats)) for label, whats in terms.value)
