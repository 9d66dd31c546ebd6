"""report.json: every name and value of it, what is cut, and how it is written."""

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.findings import Code, Finding, Severity, finding
from pipeline.model import DayCount, RunInfo, Scope, SourceInfo, State, StepCount
from pipeline.report import (
    AnnotatedCopy,
    Cause,
    Eta,
    Example,
    Forecast,
    NextStep,
    Pace,
    RouteLine,
    Summary,
    TenantLook,
    Terms,
    Total,
    document_of,
    totals_of,
    write_document,
)
from pipeline.report.document import MOST_FINDINGS, ReportDocument, ReportedCopy, ReportedMinute, Term

BAD_DATE = finding(Code.NOT_A_DATE_TIME, "no date", column="Expires", value="soon", hint="write a date")
ODD_LENGTH = finding(Code.KEY_LENGTH_UNUSUAL, "4 bits", column="Length", value="4", hint="write a date")
SKIPPED = finding(Code.SKIPPED_SHEET, "not read", hint="choose it")

RUN = RunInfo(
    id="20260102T030405Z-a-ab12",
    scope=Scope("https://graph.microsoft.com/beta", "tenant"),
    verb="import",
    edition="1706",
    folder="/srv/runs/20260102T030405Z-a-ab12",
    version="1.0",
    started_at="2026-01-02T03:04:05.000Z",
    planned_at="2026-01-02T03:04:06.000Z",
    ended_at="2026-01-02T03:05:06.000Z",
    stop="threshold",
    stop_message="more than 5 rows have errors (--max-errors)",
)
BEGUN = RunInfo(
    id="20260102T030405Z-a-ab12",
    scope=Scope("http://127.0.0.1:8080/beta", ""),
    verb="validate",
    edition="current",
    folder="/srv/runs/20260102T030405Z-a-ab12",
    version="1.0",
    started_at="2026-01-02T03:04:05.000Z",
    planned_at=None,
    ended_at=None,
    stop="",
    stop_message="",
)
SOURCES = (
    SourceInfo(1, "a.csv", None, "sha-1", "utf-8", ";", ("A",), 1_250, 3),
    SourceInfo(2, "b.xlsx", "Old", "sha-2", "", "", ("A",), 12, 1, parents=("20251231T030405Z-a-cd34",)),
)
COUNTS = {
    State.INVALID: 12,
    State.ALREADY_THERE: 5,
    State.REJECTED_BEFORE: 1,
    State.CREATED: 1_228,
    State.REJECTED: 6,
    State.PLANNED: 3,
    State.UNKNOWN: 3,
}
CAUSES = (
    Cause(
        "not-a-date-time",
        Severity.ERROR,
        "Expires",
        4,
        "a.csv: rows 3-4; b.xlsx, sheet Old: rows 7-8",
        (Example("a.csv: row 3", "soon", "no date"), Example("b.xlsx, sheet Old: row 7", "later", "no date")),
        "write a date",
        "date_order: dmy",
    ),
    Cause("rejected 413", Severity.ERROR, "", 6, "a.csv: rows 9-14", (Example("", "", ""),), ""),
)


def summary_of(run: RunInfo, *, is_dry_run: bool = False) -> Summary:
    """Return a summary of the run in which nothing is but its totals."""
    return Summary(
        run=run,
        is_dry_run=is_dry_run,
        sources=SOURCES,
        totals=totals_of(COUNTS, SOURCES, Terms.DRY_RUN if is_dry_run else Terms.IMPORT),
        routes=(),
        causes=(),
        stats=None,
        next_steps=(),
    )


def test_the_document_holds_the_whole_run() -> None:
    """Every name and value of report.json, as JSON reads it back."""
    summary = Summary(
        run=RUN._replace(parent_id="20251231T030405Z-a-cd34"),
        is_dry_run=False,
        sources=SOURCES,
        totals=totals_of(COUNTS, SOURCES, Terms.IMPORT),
        routes=(RouteLine("ios", (Total("created", 5), Total("rejected before", 1))),),
        causes=CAUSES,
        stats=None,
        next_steps=(NextStep("go on:", "certstate resume x"), NextStep("ask the owner", "")),
        forecast=Forecast(3, TenantLook.CHECKED, "plan.json"),
        eta=Eta(3, 0.5, 20.25),
        pace=Pace(100, 20.0, 1_234, 2, 300.5),
        steps=(
            StepCount("2026-01-02T03:04:59", "created", 4),
            StepCount("2026-01-02T03:04:59", "sending", 5),
            StepCount("2026-01-02T03:05:00", "refused", 2),
            StepCount("2026-01-02T03:05:00", "sending", 1),
            StepCount("2026-01-02T03:05:01", "sending", 2),
        ),
        expiry=(DayCount("2027-11-23", 1_200), DayCount("2028-02-29", 34)),
        annotated=(
            AnnotatedCopy("b.xlsx", "b-annotated.xlsx", ""),
            AnnotatedCopy("c.xlsm", "", "it has macros"),
        ),
    )
    placed: list[tuple[int, int | None, Finding]] = [(1, None, SKIPPED), (2, 7, BAD_DATE)]

    document = document_of(summary, placed, {each.pk: each for each in SOURCES})

    assert json.loads(document.model_dump_json()) == {
        "schema_version": 2,
        "run": {
            "id": "20260102T030405Z-a-ab12",
            "verb": "import",
            "parent": "20251231T030405Z-a-cd34",
            "dry_run": False,
            "service_root": "https://graph.microsoft.com/beta",
            "tenant_id": "tenant",
            "edition": "1706",
            "certstate_version": "1.0",
            "started_at": "2026-01-02T03:04:05.000Z",
            "ended_at": "2026-01-02T03:05:06.000Z",
            "stop": "threshold",
            "stop_message": "more than 5 rows have errors (--max-errors)",
            "folder": "/srv/runs/20260102T030405Z-a-ab12",
        },
        "files": [
            {
                "file": "a.csv",
                "sheet": None,
                "sha256": "sha-1",
                "encoding": "utf-8",
                "delimiter": ";",
                "rows_read": 1_250,
                "blank_rows": 3,
                "parents": [],
            },
            {
                "file": "b.xlsx",
                "sheet": "Old",
                "sha256": "sha-2",
                "encoding": None,
                "delimiter": None,
                "rows_read": 12,
                "blank_rows": 1,
                "parents": ["20251231T030405Z-a-cd34"],
            },
        ],
        "rows_read": 1_262,
        "totals": {
            "blank": 4,
            "invalid": 12,
            "duplicate": 0,
            "conflicting": 0,
            "already_there": 5,
            "rejected_before": 1,
            "changed": 0,
            "updated": 0,
            "created": 1_228,
            "reversed": 0,
            "missing": 0,
            "rejected": 6,
            "unsent": 3,
            "unknown": 3,
        },
        "balanced": True,
        "routes": [{"collection": "ios", "totals": {"created": 5, "rejected_before": 1}}],
        "forecast": {"writes": 3, "tenant": "checked", "saved": "plan.json"},
        "eta": {"rows": 3, "least_s": 0.5, "shared_s": 20.25},
        "sending": {
            "quota": 100,
            "window_s": 20.0,
            "requests": 1_234,
            "refused": 2,
            "sending_s": 300.5,
            "quota_used": 0.77,
        },
        "throughput": [
            {"at": "2026-01-02T03:04:00Z", "outcome": "created", "steps": 4},
            {"at": "2026-01-02T03:04:00Z", "outcome": "sending", "steps": 5},
            {"at": "2026-01-02T03:05:00Z", "outcome": "refused", "steps": 2},
            {"at": "2026-01-02T03:05:00Z", "outcome": "sending", "steps": 3},
        ],
        "expiry": [{"day": "2027-11-23", "rows": 1_200}, {"day": "2028-02-29", "rows": 34}],
        "causes": [
            {
                "code": "not-a-date-time",
                "severity": "error",
                "column": "Expires",
                "rows": 4,
                "places": "a.csv: rows 3-4; b.xlsx, sheet Old: rows 7-8",
                "examples": [
                    {"place": "a.csv: row 3", "value": "soon", "message": "no date"},
                    {"place": "b.xlsx, sheet Old: row 7", "value": "later", "message": "no date"},
                ],
                "hint": "write a date",
                "config_line": "date_order: dmy",
            },
            {
                "code": "rejected 413",
                "severity": "error",
                "column": None,
                "rows": 6,
                "places": "a.csv: rows 9-14",
                "examples": [{"place": None, "value": None, "message": None}],
                "hint": None,
                "config_line": None,
            },
        ],
        "findings_total": 2,
        "findings": [
            {
                "file": "a.csv",
                "sheet": None,
                "row": None,
                "code": "skipped-sheet",
                "severity": "error",
                "column": None,
                "value": None,
                "message": "not read",
                "hint": "choose it",
            },
            {
                "file": "b.xlsx",
                "sheet": "Old",
                "row": 7,
                "code": "not-a-date-time",
                "severity": "error",
                "column": "Expires",
                "value": "soon",
                "message": "no date",
                "hint": "write a date",
            },
        ],
        "annotated": [
            {"file": "b.xlsx", "copy": "b-annotated.xlsx", "reason": None},
            {"file": "c.xlsm", "copy": None, "reason": "it has macros"},
        ],
        "next_steps": [
            {"sentence": "go on:", "command": "certstate resume x"},
            {"sentence": "ask the owner", "command": None},
        ],
    }


def test_what_is_not_there_is_null() -> None:
    """A dry run without a tenant, a plan, sending or a parent has null for them, never an empty text."""
    document = json.loads(document_of(summary_of(BEGUN, is_dry_run=True), [], {}).model_dump_json())

    run = document["run"]
    assert {name: run[name] for name in ("parent", "tenant_id", "ended_at", "stop", "stop_message")} == {
        "parent": None,
        "tenant_id": None,
        "ended_at": None,
        "stop": None,
        "stop_message": None,
    }
    assert (document["forecast"], document["eta"], document["sending"]) == (None, None, None)
    assert (document["throughput"], document["expiry"], document["annotated"]) == ([], [], [])


@pytest.mark.parametrize("terms", Terms, ids=lambda each: each.name.lower())
def test_every_term_of_a_total_has_its_name(terms: Terms) -> None:
    """The terms of each kind of run are among those that the schema lists."""
    totals = totals_of({}, (), terms)

    assert {each.label.replace(" ", "_") for each in totals} <= set(Term)


def test_no_term_is_listed_that_no_run_has() -> None:
    """The closed set of the schema is no larger than what comes."""
    labels = {each.label for terms in Terms for each in totals_of({}, (), terms)}

    assert {each.replace("_", " ") for each in Term} == labels


def test_more_findings_than_a_document_lists_are_counted() -> None:
    """The list is cut for each severity, so that many of one hide none of another; the total is not."""
    placed = [(1, number, ODD_LENGTH) for number in range(MOST_FINDINGS + 5)] + [(1, 99_999, BAD_DATE)]

    document = document_of(summary_of(RUN), placed, {1: SOURCES[0]})

    assert Counter(each.severity for each in document.findings) == {Severity.WARNING: MOST_FINDINGS, Severity.ERROR: 1}
    assert document.findings_total == MOST_FINDINGS + 6


def test_a_document_is_read_back_as_it_was() -> None:
    """The published model reads what it wrote, so nothing of it is lost or doubtful."""
    document = document_of(summary_of(RUN), [(1, 7, BAD_DATE)], {1: SOURCES[0]})

    assert ReportDocument.model_validate_json(document.model_dump_json()) == document


def test_a_document_can_neither_be_changed_nor_hold_more() -> None:
    """A name that the schema does not have is refused where the document is made."""
    minute = ReportedMinute(at="2026-01-02T03:04:00Z", outcome=State.CREATED, steps=1)

    with pytest.raises(ValidationError):
        minute.steps = 2  # type: ignore[misc] # what is tested
    with pytest.raises(ValidationError):
        ReportedMinute.model_validate(minute.model_dump() | {"note": "x"})


def test_the_document_is_written_as_utf_8(tmp_path: Path) -> None:
    """Umlauts stay readable, and lines end alike on all systems, the last one too."""
    write_document(tmp_path / "report.json", ReportedCopy(file="Gerät\n", copy_name=None, reason=None))

    assert (tmp_path / "report.json").read_bytes() == (
        '{\n  "file": "Gerät\\n",\n  "copy": null,\n  "reason": null\n}\n'.encode()
    )
