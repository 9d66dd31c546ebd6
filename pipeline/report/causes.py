"""Causes, not rows: findings and refusals grouped by what is wrong, with the rows as ranges."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.findings import Code, Finding, Severity
from pipeline.model import ReportRow, SourceInfo, State

RANGES_SHOWN = 8


class RowRanges:
    """Row numbers of one place, kept as ranges so that memory does not grow with the rows."""

    def __init__(self, row_numbers: Iterable[int] = ()) -> None:
        self._ranges: list[list[int]] = []
        for each in row_numbers:
            self.add(each)

    def add(self, row_number: int) -> None:
        """Take in one more row number. They come in ascending order."""
        if self._ranges and row_number <= self._ranges[-1][1] + 1:
            self._ranges[-1][1] = max(row_number, self._ranges[-1][1])
        else:
            self._ranges.append([row_number, row_number])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((first, last) for first, last in self._ranges)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)

    def text(self) -> str:
        """Return such as `7-418, 430`; beyond RANGES_SHOWN ranges only their number."""
        shown = [str(first) if first == last else f"{first}-{last}" for first, last in self._ranges[:RANGES_SHOWN]]
        further = len(self._ranges) - len(shown)
        return ", ".join(shown) + (f" and {further:,} more" if further > 0 else "")


class Cause(NamedTuple):
    """One thing that is wrong, however many rows it touches."""

    code: str  # a finding's code, or such as `rejected 400 BadRequest`
    severity: Severity
    column: str
    rows: int  # 0 = about whole files
    places: str  # `rows 7-418`, or by file where the run has several sources
    example_value: str
    example_message: str
    hint: str


@dataclass(slots=True)
class _Group:
    severity: Severity
    example_value: str
    example_message: str
    hint: str
    ranges_of: dict[int, RowRanges] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(len(ranges) for ranges in self.ranges_of.values())


HINTS = {
    State.REJECTED: "correct what the message names and import the corrected errors.csv",
    State.MISSING: "`certstate retry RUN --missing` creates what is missing again",
    State.KEPT: "look at the object in Intune, and delete it there if it is not wanted",
    State.UNSENT: "mend what the message names, or look at the run that it names; then `certstate resume`",
    State.UNKNOWN: "`certstate resume` reads the tenant back and settles them",
    State.SENDING: "`certstate resume` reads the tenant back and settles them",
}


def causes_of_findings(
    placed: Iterable[tuple[int, int | None, Finding]], sources: Mapping[int, SourceInfo]
) -> list[Cause]:
    """Return the causes of (source, row number, finding) triples, which come in the order of reading.

    Sheets that were not read come first, then errors, those of whole files ahead, warnings, what was repaired; of
    equals those of the most rows.
    """
    groups: dict[tuple[str, str], _Group] = {}
    for source_pk, row_number, found in placed:
        new = _Group(found.severity, found.value, found.message, found.hint)
        _take_in(groups.setdefault((found.code, found.column), new), source_pk, row_number)
    return _ranked(groups, sources)


def causes_of_answers(rows: Iterable[ReportRow], sources: Mapping[int, SourceInfo]) -> list[Cause]:
    """Return the causes of rows that were rejected, left unsent or became unknown."""
    groups: dict[tuple[str, str], _Group] = {}
    for row in rows:
        answer = row.answer
        status = str(answer.http_status) if answer.http_status else ""
        code = " ".join(part for part in (row.state.value, status, answer.graph_code) if part)
        # An unsent row's message is the reason why sending stopped: another reason is another cause.
        reason = answer.message if row.state is State.UNSENT else ""
        new = _Group(Severity.ERROR, "", answer.message, HINTS[row.state])
        _take_in(groups.setdefault((code, reason), new), row.source_pk, row.row_number)
    return [cause._replace(column="") for cause in _ranked(groups, sources)]


def _take_in(group: _Group, source_pk: int, row_number: int | None) -> None:
    ranges = group.ranges_of.setdefault(source_pk, RowRanges())
    if row_number is not None:
        ranges.add(row_number)


def _ranked(groups: Mapping[tuple[str, str], _Group], sources: Mapping[int, SourceInfo]) -> list[Cause]:
    causes = [
        Cause(
            code,
            group.severity,
            column,
            group.rows,
            places_of(group.ranges_of, sources),
            group.example_value,
            group.example_message,
            group.hint,
        )
        for (code, column), group in groups.items()
    ]
    return sorted(causes, key=_rank)


def _rank(cause: Cause) -> tuple[bool, int, bool, int]:
    is_error = cause.severity is Severity.ERROR
    # Rows that nobody read are in no total, so they are told before anything else.
    is_unread = cause.code == Code.SKIPPED_SHEET
    return (not is_unread, tuple(Severity).index(cause.severity), not (is_error and cause.rows == 0), -cause.rows)


def places_of(ranges_of: Mapping[int, RowRanges], sources: Mapping[int, SourceInfo]) -> str:
    """Return such as `rows 7-418`; by file where the run has several sources."""
    texts = []
    for source_pk, ranges in ranges_of.items():
        source = sources[source_pk]
        name = source.file if source.sheet is None else f"{source.file}, sheet {source.sheet}"
        where = f"{'row' if len(ranges) == 1 else 'rows'} {ranges.text()}" if len(ranges) else "whole file"
        texts.append(where if len(sources) == 1 else f"{name}: {where}")
    return "; ".join(texts)
