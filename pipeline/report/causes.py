"""Causes, not rows: findings and refusals grouped by what is wrong, with the rows as ranges."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.findings import Code, Finding, Severity, shorten
from pipeline.model import ReportRow, SourceInfo, State
from pipeline.report.cures import config_line

RANGES_SHOWN = 8
EXAMPLES_SHOWN = 3
MOST_VALUES = 10
"""Different values and messages of one cause that are kept, for the line of config.yaml that would cure it."""


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


class Example(NamedTuple):
    """One place where a cause was found."""

    place: str  # `row 418`, with the file where the run has several sources; "" for a whole file of a run with one
    value: str
    message: str


class Cause(NamedTuple):
    """One thing that is wrong, however many rows it touches."""

    code: str  # a finding's code, or such as `rejected 400 BadRequest`
    severity: Severity
    column: str
    rows: int  # 0 = about whole files
    places: str  # `rows 7-418`, or by file where the run has several sources
    examples: tuple[Example, ...]  # the first, of different values; never empty
    hint: str
    config_line: str = ""  # what to write into config.yaml, where that cures it


class _Seen(NamedTuple):
    """The first place of a value."""

    source_pk: int
    row_number: int | None
    message: str


@dataclass(slots=True)
class _Group:
    severity: Severity
    hint: str
    ranges_of: dict[int, RowRanges] = field(default_factory=dict)
    values: dict[tuple[str, str], _Seen] = field(default_factory=dict)  # by value and message

    @property
    def rows(self) -> int:
        return sum(len(ranges) for ranges in self.ranges_of.values())


HINTS = {
    State.REJECTED: "correct what the message names and import the corrected errors.xlsx",
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
        group = groups.get((found.code, found.column))
        if group is None:
            group = groups[found.code, found.column] = _Group(found.severity, found.hint)
        _take_in(group, _Seen(source_pk, row_number, found.message), found.value)
    return _ranked(groups, sources)


def causes_of_answers(rows: Iterable[ReportRow], sources: Mapping[int, SourceInfo]) -> list[Cause]:
    """Return the causes of rows that were rejected, left unsent or became unknown."""
    groups: dict[tuple[str, str], _Group] = {}
    for row in rows:
        answer = row.answer
        code = code_of_answer(row)
        # An unsent row's message is the reason why sending stopped: another reason is another cause.
        reason = answer.message if row.state is State.UNSENT else ""
        group = groups.setdefault((code, reason), _Group(Severity.ERROR, HINTS[row.state]))
        _take_in(group, _Seen(row.source_pk, row.row_number, answer.message), answer.message)
    return [
        cause._replace(column="", examples=tuple(each._replace(value="") for each in cause.examples))
        for cause in _ranked(groups, sources)
    ]


def code_of_answer(row: ReportRow) -> str:
    """Return such as `rejected 400 BadRequest`: what became of the row, and how the service put it."""
    status = str(row.answer.http_status) if row.answer.http_status else ""
    return " ".join(part for part in (row.state.value, status, row.answer.graph_code) if part)


def _take_in(group: _Group, seen: _Seen, value: str) -> None:
    ranges = group.ranges_of.get(seen.source_pk)
    if ranges is None:
        ranges = group.ranges_of[seen.source_pk] = RowRanges()
    if seen.row_number is not None:
        ranges.add(seen.row_number)
    if len(group.values) < MOST_VALUES:
        group.values.setdefault((value, seen.message), seen)


def _ranked(groups: Mapping[tuple[str, str], _Group], sources: Mapping[int, SourceInfo]) -> list[Cause]:
    causes = [
        Cause(
            code,
            group.severity,
            column,
            group.rows,
            places_of(group.ranges_of, sources),
            _examples(group, sources),
            group.hint,
            config_line(
                code,
                _property(column, group, sources),
                tuple(dict.fromkeys(value for value, _ in group.values)),
                tuple(dict.fromkeys(message for _, message in group.values)),
            ),
        )
        for (code, column), group in groups.items()
    ]
    return sorted(causes, key=_rank)


def _examples(group: _Group, sources: Mapping[int, SourceInfo]) -> tuple[Example, ...]:
    seen = list(group.values.items())[:EXAMPLES_SHOWN]
    return tuple(Example(_place(each, sources), value, message) for (value, message), each in seen)


def _place(seen: _Seen, sources: Mapping[int, SourceInfo]) -> str:
    row = "" if seen.row_number is None else f"row {seen.row_number}"
    return row if len(sources) == 1 else ": ".join(each for each in (sources[seen.source_pk].name, row) if each)


def _property(column: str, group: _Group, sources: Mapping[int, SourceInfo]) -> str:
    """Return the property that the column was taken for in the first source that has it, else the column's own name."""
    for source in (sources[pk] for pk in group.ranges_of):
        for header, meant in zip(source.header, source.properties, strict=False):
            if meant and shorten(header) == column:
                return meant
    return column


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
        where = f"{'row' if len(ranges) == 1 else 'rows'} {ranges.text()}" if len(ranges) else "whole file"
        texts.append(where if len(sources) == 1 else f"{source.name}: {where}")
    return "; ".join(texts)
