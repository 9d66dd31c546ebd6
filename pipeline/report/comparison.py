"""Two runs beside each other: which causes are new, cured, or still there. No I/O."""

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.findings import Severity
from pipeline.report.history import PastCause, PastRun


class ComparedCause(NamedTuple):
    """One cause in two runs. Whole files count no rows, so 0 is no proof that it was not there."""

    code: str
    severity: Severity  # as in the later run that has it: `--strict` makes an error of a warning
    column: str
    before_rows: int
    after_rows: int


class Comparison(NamedTuple):
    """What became of the causes; each errors first, then the most rows. What is only told (`info`) is no cause here."""

    new: tuple[ComparedCause, ...]
    cured: tuple[ComparedCause, ...]
    still: tuple[ComparedCause, ...]


def compare(before: PastRun, after: PastRun) -> Comparison:
    """Return what became of the causes of the earlier run in the later one."""
    was, now = _by_cause(before.causes), _by_cause(after.causes)
    return Comparison(
        new=_ranked(_compared(each, 0, each.rows) for key, each in now.items() if key not in was),
        cured=_ranked(_compared(each, each.rows, 0) for key, each in was.items() if key not in now),
        still=_ranked(_compared(each, was[key].rows, each.rows) for key, each in now.items() if key in was),
    )


def _by_cause(causes: Iterable[PastCause]) -> dict[tuple[str, str], PastCause]:
    """Return the causes by code and column: rows that are unsent for several reasons are one cause here."""
    merged: dict[tuple[str, str], PastCause] = {}
    for each in causes:
        if each.severity is Severity.INFO:
            continue
        same = merged.get((each.code, each.column))
        merged[each.code, each.column] = each._replace(rows=each.rows + same.rows) if same else each
    return merged


def _compared(cause: PastCause, before_rows: int, after_rows: int) -> ComparedCause:
    return ComparedCause(cause.code, cause.severity, cause.column, before_rows, after_rows)


def _ranked(causes: Iterable[ComparedCause]) -> tuple[ComparedCause, ...]:
    return tuple(sorted(causes, key=_rank))


def _rank(cause: ComparedCause) -> tuple[int, int]:
    return (tuple(Severity).index(cause.severity), -(cause.after_rows or cause.before_rows))
