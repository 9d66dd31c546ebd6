"""report.json: the run for machines. The models are its published schema; `schema_version` versions the shape."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from pipeline.findings import Code, Finding, Severity
from pipeline.model import REFUSED, SourceInfo, State, StepCount, StopReason
from pipeline.report.causes import Cause
from pipeline.report.replacing import replacing
from pipeline.report.summary import NextStep, Pace, Summary, TenantLook, Total

SCHEMA_VERSION: Literal[2] = 2

MOST_FINDINGS = 10_000
"""Errors, warnings and repairs listed one by one, so many of each; `findings_total` tells the rest.

errors.csv has every row that is not settled well, repairs.csv every repair.
"""

MINUTE = len("YYYY-MM-DDTHH:MM")


class Verb(StrEnum):
    """What a run was begun by. `resume` and `retry` go on with the run of an `import`."""

    VALIDATE = "validate"
    PLAN = "plan"
    IMPORT = "import"
    UNDO = "undo"


class Term(StrEnum):
    """A term of the conservation law. Which of them a run has depends on its verb; zeros are told too."""

    BLANK = "blank"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    VALID = "valid"
    ALREADY_THERE = "already_there"
    REJECTED_BEFORE = "rejected_before"
    CHANGED = "changed"
    TO_CREATE = "to_create"
    TO_UPDATE = "to_update"
    NOT_CHECKED = "not_checked"
    UPDATED = "updated"
    CREATED = "created"
    REVERSED = "reversed"
    KEPT = "kept"
    FAILED = "failed"
    MISSING = "missing"
    REJECTED = "rejected"
    UNSENT = "unsent"
    UNKNOWN = "unknown"


class ReportedRun(BaseModel, frozen=True, extra="forbid"):
    """The run as a whole. Times are UTC, ISO 8601."""

    id: str
    verb: Verb
    parent: str | None = Field(description="The run that an undo undoes.")
    dry_run: bool = Field(description="Nothing was sent, and nothing stands in the ledger.")
    service_root: str
    tenant_id: str | None
    edition: str
    certstate_version: str
    started_at: str
    ended_at: str | None
    stop: StopReason | None = Field(description="Why sending ended before its end.")
    stop_message: str | None
    folder: str = Field(description="The absolute path of the folder with the run's reports.")


class ReportedFile(BaseModel, frozen=True, extra="forbid"):
    """One text file, or one sheet of a workbook."""

    file: str = Field(description="As it was named in the call.")
    sheet: str | None
    sha256: str = Field(description="Of the file's bytes.")
    encoding: str | None = Field(description="Null for a workbook.")
    delimiter: str | None = Field(description="Null for a workbook.")
    rows_read: int = Field(description="Rows below the header, blank ones included.")
    blank_rows: int
    parents: list[str] = Field(description="The runs whose errors file this one is, by its columns `_import_run`.")


class ReportedRoute(BaseModel, frozen=True, extra="forbid"):
    """The rows of one collection, by the terms that are not zero."""

    collection: str = Field(description="The path below the service root.")
    totals: dict[Term, int]


class ReportedForecast(BaseModel, frozen=True, extra="forbid"):
    """What it takes to carry a plan out. How long that takes stands in `eta`."""

    writes: int
    tenant: TenantLook = Field(description="How far the plan knows what the tenant holds.")
    saved: str | None = Field(description="The path of the saved plan.")


class ReportedEta(BaseModel, frozen=True, extra="forbid"):
    """How long the rows that can still be sent take."""

    rows: int
    least_s: float = Field(description="Seconds, as the configured quota allows.")
    shared_s: float = Field(description="Seconds when other apps leave half of the quota.")


class ReportedSending(BaseModel, frozen=True, extra="forbid"):
    """How sending went against the quota, over all calls that sent rows of the run."""

    quota: int = Field(description="Writes within the window.")
    window_s: float
    requests: int
    refused: int = Field(description="Answers 429.")
    sending_s: float = Field(description="Seconds, without the times between two calls.")
    quota_used: float = Field(description="Share of the writes that the quota allowed in that time, from 0 to 1.")


class ReportedMinute(BaseModel, frozen=True, extra="forbid"):
    """What became of requests within one minute."""

    at: str = Field(description="The minute's beginning, UTC, ISO 8601.")
    outcome: State | Literal["refused"] = Field(
        description="A row's new state; `sending` counts the requests themselves, `refused` those answered 429."
    )
    steps: int


class ReportedDay(BaseModel, frozen=True, extra="forbid"):
    """The certificates of valid rows that expire on one day."""

    day: str = Field(description="YYYY-MM-DD, as the row's own offset from UTC has it.")
    rows: int


class ReportedExample(BaseModel, frozen=True, extra="forbid"):
    """One place where a cause was found."""

    place: str | None = Field(description="Such as `row 418`, with the file where the run has several; null: the file.")
    value: str | None = Field(description="As read, shortened.")
    message: str | None


class ReportedCause(BaseModel, frozen=True, extra="forbid"):
    """One thing that is wrong, however many rows it touches."""

    code: str = Field(description="A finding's code, or what became of the row: `rejected 400 BadRequest`.")
    severity: Severity
    column: str | None = Field(description="The header as the file spells it, or the property that differs.")
    rows: int = Field(description="0 where it is about whole files.")
    places: str = Field(description="Such as `rows 7-418, 430`; by file where the run has several.")
    examples: list[ReportedExample] = Field(description="The first, of different values; at least one, at most three.")
    hint: str | None
    config_line: str | None = Field(description="What to write into config.yaml, where that cures it.")


class ReportedFinding(BaseModel, frozen=True, extra="forbid"):
    """What is wrong with a file, a row or a value, or what was changed in it."""

    file: str
    sheet: str | None
    row: int | None = Field(description="As the spreadsheet shows it; null: about the whole file.")
    code: Code
    severity: Severity
    column: str | None
    value: str | None = Field(description="As read, shortened.")
    message: str
    hint: str | None


class ReportedCopy(BaseModel, frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True):
    """The copy of a workbook with what was found in its cells, or why there is none."""

    file: str = Field(description="As it was named in the call.")
    copy_name: str | None = Field(alias="copy", description="The copy's name in the run's folder.")
    reason: str | None = Field(description="Why there is no copy.")


class ReportedStep(BaseModel, frozen=True, extra="forbid"):
    """What to do next."""

    sentence: str
    command: str | None = Field(description="The exact command, quoted for the shell of the system that wrote it.")


class ReportDocument(BaseModel, frozen=True, extra="forbid"):
    """report.json, and what `--output json` answers for validate, plan, import, resume, retry, undo, report and demo.

    What is not there is null, never an empty text.
    """

    schema_version: Literal[2]
    run: ReportedRun
    files: list[ReportedFile]
    rows_read: int = Field(description="Of all files, blank rows included; of an undo the objects to delete.")
    totals: dict[Term, int] = Field(description="What became of the rows: the terms of the conservation law.")
    balanced: bool = Field(description="The totals add up to rows_read. False is a defect of certstate.")
    routes: list[ReportedRoute]
    forecast: ReportedForecast | None = Field(description="Of a plan.")
    eta: ReportedEta | None = Field(description="Null where there is nothing that an import or resume would send.")
    sending: ReportedSending | None = Field(description="Null where nothing was ever sent.")
    throughput: list[ReportedMinute] = Field(description="In the order of time.")
    expiry: list[ReportedDay] = Field(description="In the order of the days.")
    causes: list[ReportedCause] = Field(description="Sheets that were not read, then errors, warnings and changes.")
    findings_total: int
    findings: list[ReportedFinding] = Field(description="In the order of reading, the first 10,000 of each severity.")
    annotated: list[ReportedCopy]
    next_steps: list[ReportedStep]


def document_of(
    summary: Summary, placed: Iterable[tuple[int, int | None, Finding]], sources: Mapping[int, SourceInfo]
) -> ReportDocument:
    """Return the report of (source, row number, finding) triples, which come in the order of reading. No I/O."""
    listed: list[ReportedFinding] = []
    counts = Counter[Severity]()
    for source_pk, row_number, found in placed:
        counts[found.severity] += 1
        if counts[found.severity] <= MOST_FINDINGS:
            listed.append(_finding(found, sources[source_pk], row_number))
    forecast, eta = summary.forecast, summary.eta
    return ReportDocument(
        schema_version=SCHEMA_VERSION,
        run=_run(summary),
        files=[_file(each) for each in summary.sources],
        rows_read=summary.rows_read,
        totals=_totals(summary.totals),
        balanced=summary.is_balanced,
        routes=[ReportedRoute(collection=each.collection, totals=_totals(each.totals)) for each in summary.routes],
        forecast=ReportedForecast(writes=forecast.writes, tenant=forecast.tenant, saved=forecast.saved or None)
        if forecast
        else None,
        eta=ReportedEta(rows=eta.rows, least_s=eta.least_s, shared_s=eta.shared_s) if eta else None,
        sending=_sending(summary.pace) if summary.pace else None,
        throughput=_minutes(summary.steps),
        expiry=[ReportedDay(day=each.day, rows=each.rows) for each in summary.expiry],
        causes=reported_causes(summary.causes),
        findings_total=counts.total(),
        findings=listed,
        annotated=[
            ReportedCopy(file=each.file, copy_name=each.copy or None, reason=each.reason or None)
            for each in summary.annotated
        ],
        next_steps=reported_steps(summary.next_steps),
    )


def write_document(path: Path, document: BaseModel) -> None:
    """Write the document as UTF-8 JSON. Raises OSError."""
    with replacing(path) as unfinished:
        unfinished.write_text(f"{document.model_dump_json(indent=2)}\n", "utf-8", newline="\n")


def reported_causes(causes: Iterable[Cause]) -> list[ReportedCause]:
    """Return the causes as a document tells them."""
    return [
        ReportedCause(
            code=each.code,
            severity=each.severity,
            column=each.column or None,
            rows=each.rows,
            places=each.places,
            examples=[
                ReportedExample(place=one.place or None, value=one.value or None, message=one.message or None)
                for one in each.examples
            ],
            hint=each.hint or None,
            config_line=each.config_line or None,
        )
        for each in causes
    ]


def reported_steps(steps: Iterable[NextStep]) -> list[ReportedStep]:
    """Return the next steps as a document tells them."""
    return [ReportedStep(sentence=each.sentence, command=each.command or None) for each in steps]


def _run(summary: Summary) -> ReportedRun:
    run = summary.run
    return ReportedRun(
        id=run.id,
        verb=Verb(run.verb),
        parent=run.parent_id or None,
        dry_run=summary.is_dry_run,
        service_root=run.scope.service_root,
        tenant_id=run.scope.tenant_id or None,
        edition=run.edition,
        certstate_version=run.version,
        started_at=run.started_at,
        ended_at=run.ended_at,
        stop=StopReason(run.stop) if run.stop else None,
        stop_message=run.stop_message or None,
        folder=run.folder,
    )


def _file(source: SourceInfo) -> ReportedFile:
    return ReportedFile(
        file=source.file,
        sheet=source.sheet,
        sha256=source.sha256,
        encoding=source.encoding or None,
        delimiter=source.delimiter or None,
        rows_read=source.rows_read,
        blank_rows=source.blank_rows,
        parents=list(source.parents),
    )


def _finding(found: Finding, source: SourceInfo, row_number: int | None) -> ReportedFinding:
    return ReportedFinding(
        file=source.file,
        sheet=source.sheet,
        row=row_number,
        code=found.code,
        severity=found.severity,
        column=found.column or None,
        value=found.value or None,
        message=found.message,
        hint=found.hint or None,
    )


def _totals(totals: Iterable[Total]) -> dict[Term, int]:
    return {Term(each.label.replace(" ", "_")): each.rows for each in totals}


def _sending(pace: Pace) -> ReportedSending:
    return ReportedSending(
        quota=pace.quota,
        window_s=pace.window_s,
        requests=pace.requests,
        refused=pace.refused,
        sending_s=pace.sending_s,
        quota_used=round(pace.quota_used, 4),
    )


def _minutes(steps: Sequence[StepCount]) -> list[ReportedMinute]:
    """Return the steps of seconds, which come in the order of time, folded to minutes."""
    counts = Counter[tuple[str, str]]()
    for each in steps:
        counts[each.at[:MINUTE], each.outcome] += each.steps
    return [
        ReportedMinute(at=f"{minute}:00Z", outcome="refused" if outcome == REFUSED else State(outcome), steps=number)
        for (minute, outcome), number in sorted(counts.items())
    ]
