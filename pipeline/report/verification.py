"""verify.csv and verify.json: what reading a run's objects back has shown, row by row and by cause."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from pipeline.findings import Severity, shorten
from pipeline.identity import Difference
from pipeline.model import RunInfo, SourceInfo
from pipeline.report.causes import Cause, Example, RowRanges, places_of
from pipeline.report.document import ReportedCause, ReportedStep, Verb, reported_causes, reported_steps
from pipeline.report.import_columns import harmless
from pipeline.report.summary import NextStep
from pipeline.report.tables import delimiter_of, open_table

SCHEMA_VERSION: Literal[2] = 2

MOST_ROWS = 10_000
"""Rows that verify.json lists one by one; `rows_total` tells the rest. verify.csv has every row."""

VALUE_CHARACTERS = 80

COLUMNS = (
    "file",
    "sheet",
    "row",
    "device",
    "thumbprint",
    "id",
    "result",
    "fields",
    "sent",
    "found",
    "same_instant",
    "message",
)


class Result(StrEnum):
    """What reading back says of a row."""

    VERIFIED = "verified"  # there, with the values that were sent
    DIFFERS = "differs"
    MISSING = "missing"
    NOT_YET_VISIBLE = "not yet visible"  # absent, and the time was too short to prove that it is missing
    NOT_READ = "not read"


class VerifiedRow(NamedTuple):
    """A row of the run with what reading its object back has shown."""

    source_pk: int
    row_number: int
    collection: str
    device: str
    thumbprint: str
    object_id: str
    result: Result
    differences: tuple[Difference, ...]  # those of the same instant among them
    message: str

    @property
    def changed(self) -> list[Difference]:
        """The differences that count."""
        return [each for each in self.differences if not each.is_same_instant]

    @property
    def rewritten(self) -> list[Difference]:
        """The properties whose date is written otherwise, though it is the same instant."""
        return [each for each in self.differences if each.is_same_instant]


@dataclass(frozen=True, slots=True)
class Verification:
    """A verified run in numbers."""

    run: RunInfo
    verified_at: str  # UTC, ISO 8601
    rows: int  # that the run created or updated
    counts: Mapping[Result, int]
    same_instant: int  # verified rows with a date that is written otherwise
    causes: tuple[Cause, ...]
    next_steps: tuple[NextStep, ...]
    stop_message: str = ""
    missing_by_run: Mapping[str, int] = field(default_factory=dict)  # objects of this run that another found missing

    @property
    def is_balanced(self) -> bool:
        """True when each row has exactly one result."""
        return self.rows == sum(self.counts.values())

    @property
    def conservation_line(self) -> str:
        """Such as `248 rows created = 245 verified + 2 differ + 1 missing`; results of no rows are left out."""
        shown = [f"{rows:,} {_in_plural(result, rows)}" for result in Result if (rows := self.counts.get(result, 0))]
        sign = "=" if self.is_balanced else "IS NOT"
        return f"{self.rows:,} row{'' if self.rows == 1 else 's'} created {sign} {' + '.join(shown) or '0'}"


def _in_plural(result: Result, rows: int) -> str:
    return "differ" if result is Result.DIFFERS and rows != 1 else result.value


HINTS = {
    Result.DIFFERS: (
        "look at the object in Intune: somebody has changed it since, or the service keeps the value in another form"
    ),
    Result.MISSING: "the next commands create it again",
    Result.NOT_YET_VISIBLE: "verify the run again later, or give it more time with --wait-s",
    Result.NOT_READ: "mend what the message names, then verify the run again",
}


def causes_of_results(rows: Iterable[VerifiedRow], sources: Mapping[int, SourceInfo]) -> list[Cause]:
    """Return why rows are not verified, one cause for each property that differs; those of the most rows first.

    The rows come in the order of reading.
    """
    groups: dict[tuple[Result, str], tuple[str, dict[int, RowRanges]]] = {}
    for row in rows:
        for kind, message in _reasons(row):
            _, ranges_of = groups.setdefault((row.result, kind), (message, {}))
            ranges_of.setdefault(row.source_pk, RowRanges()).add(row.row_number)
    causes = [
        Cause(
            code=result.value,
            severity=Severity.ERROR,
            column=kind if result is Result.DIFFERS else "",
            rows=sum(len(ranges) for ranges in ranges_of.values()),
            places=places_of(ranges_of, sources),
            examples=(Example("", "", message),),
            hint=HINTS[result],
        )
        for (result, kind), (message, ranges_of) in groups.items()
    ]
    order = tuple(Result)
    return sorted(causes, key=lambda each: (order.index(Result(each.code)), -each.rows))


def _reasons(row: VerifiedRow) -> Iterator[tuple[str, str]]:
    """Yield (what belongs together, example) for what keeps the row from being verified."""
    if row.result is Result.DIFFERS:
        for each in row.changed:
            sent, found = (shorten(text, VALUE_CHARACTERS) or "nothing" for text in (each.sent, each.found))
            yield each.name, f"sent {sent}, found {found}"
    elif row.result is not Result.VERIFIED:
        # What stands behind the colon is the single case.
        yield row.message.partition(":")[0], row.message


def write_verified_rows(path: Path, rows: Iterable[VerifiedRow], sources: Mapping[int, SourceInfo]) -> None:
    """Write verify.csv: every row with its result. Several differing fields stand in one cell, `; ` between."""
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow(COLUMNS)
        for row in rows:
            source = sources[row.source_pk]
            cells = (
                source.file,
                source.sheet or "",
                str(row.row_number),
                row.device,
                row.thumbprint,
                row.object_id,
                row.result.value,
                *("; ".join(each) for each in _in_columns(row.changed)),
                "; ".join(each.name for each in row.rewritten),
                row.message,
            )
            writer.writerow([harmless(cell) for cell in cells])


def _in_columns(changed: list[Difference]) -> tuple[list[str], list[str], list[str]]:
    return [each.name for each in changed], [each.sent for each in changed], [each.found for each in changed]


class ReportedVerifiedRun(BaseModel, frozen=True, extra="forbid"):
    """The run whose objects were read back."""

    id: str
    verb: Verb
    service_root: str
    tenant_id: str | None
    edition: str
    started_at: str = Field(description="UTC, ISO 8601.")
    folder: str = Field(description="The absolute path of the folder with verify.csv and verify.json.")


class ReportedResults(BaseModel, frozen=True, extra="forbid"):
    """The rows that the run created or updated, by what reading them back has shown."""

    verified: int = Field(description="There, with the values that were sent.")
    differs: int
    missing: int
    not_yet_visible: int = Field(description="Absent, and the time was too short to prove that they are missing.")
    not_read: int


class ReportedDifference(BaseModel, frozen=True, extra="forbid"):
    """A property whose value is not the one that was sent."""

    property: str
    sent: str | None
    found: str | None


class ReportedRow(BaseModel, frozen=True, extra="forbid"):
    """A row that is not verified."""

    file: str
    sheet: str | None
    row: int = Field(description="As the spreadsheet shows it.")
    collection: str = Field(description="The path below the service root.")
    device: str | None
    thumbprint: str | None
    id: str | None = Field(description="The object's, as the service assigned it.")
    result: Result
    message: str | None
    differences: list[ReportedDifference]
    same_instant: list[str] = Field(description="Properties whose date is written otherwise: no difference.")


class VerificationDocument(BaseModel, frozen=True, extra="forbid"):
    """verify.json, and what `--output json` answers for verify. What is not there is null, never an empty text."""

    schema_version: Literal[2]
    run: ReportedVerifiedRun
    verified_at: str = Field(description="UTC, ISO 8601.")
    rows_created: int = Field(description="Rows that the run created or updated.")
    totals: ReportedResults
    same_instant: int = Field(description="Verified rows with a date that the service writes otherwise.")
    missing_by_run: dict[str, int] = Field(description="More missing objects of this run, by the run that found them.")
    balanced: bool = Field(description="The totals add up to rows_created. False is a defect of certstate.")
    stop_message: str | None = Field(description="Why not all was read.")
    causes: list[ReportedCause]
    rows_total: int = Field(description="Rows that are not verified.")
    rows: list[ReportedRow] = Field(description="The first 10,000 of them, in the order of reading.")
    next_steps: list[ReportedStep]


def verification_document(
    verification: Verification, rows: Iterable[VerifiedRow], sources: Mapping[int, SourceInfo]
) -> VerificationDocument:
    """Return verify.json: counts, causes, and of the rows, which come in the order of reading, those not verified."""
    listed: list[ReportedRow] = []
    total = 0
    for row in rows:
        if row.result is Result.VERIFIED:
            continue
        total += 1
        if total <= MOST_ROWS:
            listed.append(_reported_row(row, sources[row.source_pk]))
    run, rows_of = verification.run, verification.counts.get
    return VerificationDocument(
        schema_version=SCHEMA_VERSION,
        run=ReportedVerifiedRun(
            id=run.id,
            verb=Verb(run.verb),
            service_root=run.scope.service_root,
            tenant_id=run.scope.tenant_id or None,
            edition=run.edition,
            started_at=run.started_at,
            folder=run.folder,
        ),
        verified_at=verification.verified_at,
        rows_created=verification.rows,
        totals=ReportedResults(
            verified=rows_of(Result.VERIFIED, 0),
            differs=rows_of(Result.DIFFERS, 0),
            missing=rows_of(Result.MISSING, 0),
            not_yet_visible=rows_of(Result.NOT_YET_VISIBLE, 0),
            not_read=rows_of(Result.NOT_READ, 0),
        ),
        same_instant=verification.same_instant,
        missing_by_run=dict(verification.missing_by_run),
        balanced=verification.is_balanced,
        stop_message=verification.stop_message or None,
        causes=reported_causes(verification.causes),
        rows_total=total,
        rows=listed,
        next_steps=reported_steps(verification.next_steps),
    )


def _reported_row(row: VerifiedRow, source: SourceInfo) -> ReportedRow:
    return ReportedRow(
        file=source.file,
        sheet=source.sheet,
        row=row.row_number,
        collection=row.collection,
        device=row.device or None,
        thumbprint=row.thumbprint or None,
        id=row.object_id or None,
        result=row.result,
        message=row.message or None,
        differences=[
            ReportedDifference(property=each.name, sent=each.sent or None, found=each.found or None)
            for each in row.changed
        ],
        same_instant=[each.name for each in row.rewritten],
    )
