"""The lines that a reader looks through: each finding and each refused or lost answer, with its row."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pipeline.findings import Finding, Severity, text_after
from pipeline.model import Answer, ReportRow, State
from pipeline.report.causes import HINTS, code_of_answer

NO_ANSWER = Answer()


class Line(NamedTuple):
    """One thing that is told of a row, or of a whole file."""

    source_pk: int
    row_number: int | None  # None for a whole file
    state: State | None  # None for a whole file
    severity: Severity
    code: str  # a finding's code, or such as `rejected 400 BadRequest`
    column: str  # the header as the file spells it, shortened; "" where no single column is meant
    value: str  # as read, "" where no single value is meant
    became: str | None  # what a rule made of the value; None where none changed it
    message: str
    hint: str
    collection: str  # "" where the row has no route
    attempts: int
    answer: Answer  # the last one; without anything in it where no request was answered
    cells: tuple[str, ...] | None  # of the row as read; None for a whole file, and once the row is settled well


def lines_of(
    about_files: Iterable[tuple[int, Finding]],
    unsettled: Iterable[ReportRow],
    rows_with: Callable[[Severity], Iterable[ReportRow]],
) -> Iterator[Line]:
    """Yield the errors, then the warnings, then what was changed; within each whole files first, then rows as read.

    `unsettled` are the rows that are not settled well, `rows_with` returns those with a finding of that severity; it is
    asked only when the lines before are used up, so whoever needs the first lines only pays for no more.
    """
    of_files = list(about_files)
    for severity in Severity:
        for source_pk, found in of_files:
            if found.severity is severity:
                yield _line(found, source_pk=source_pk)
        for row in unsettled if severity is Severity.ERROR else rows_with(severity):
            for found in row.findings:
                if found.severity is severity:
                    yield _line(found, source_pk=row.source_pk, row=row)
            if severity is Severity.ERROR and row.state in HINTS and row.answer != NO_ANSWER:
                yield _line_of_answer(row)


def _line(found: Finding, *, source_pk: int, row: ReportRow | None = None) -> Line:
    return Line(
        source_pk=source_pk,
        row_number=row.row_number if row else None,
        state=row.state if row else None,
        severity=found.severity,
        code=found.code,
        column=found.column,
        value=found.value,
        became=text_after(found),
        message=found.message,
        hint=found.hint,
        collection=row.collection if row else "",
        attempts=row.attempts if row else 0,
        answer=row.answer if row else NO_ANSWER,
        cells=row.cells if row else None,
    )


def _line_of_answer(row: ReportRow) -> Line:
    return Line(
        source_pk=row.source_pk,
        row_number=row.row_number,
        state=row.state,
        severity=Severity.ERROR,
        code=code_of_answer(row),
        column="",
        value="",
        became=None,
        message=row.answer.message,
        hint=HINTS[row.state],
        collection=row.collection,
        attempts=row.attempts,
        answer=row.answer,
        cells=row.cells,
    )
