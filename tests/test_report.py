"""The report's numbers: causes, totals, the conservation law."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.findings import Code, Finding, Severity, finding
from pipeline.model import Answer, ReportRow, RunInfo, Scope, SourceInfo, State
from pipeline.report import (
    Cause,
    Example,
    RouteLine,
    RowRanges,
    Summary,
    Terms,
    Total,
    causes_of_answers,
    causes_of_findings,
    route_lines,
    totals_of,
)
from pipeline.report.cures import config_line

BAD_DATE = finding(Code.NOT_A_DATE_TIME, "no date", column="Expires", value="soon", hint="write a date")
ODD_LENGTH = finding(Code.KEY_LENGTH_UNUSUAL, "4 bits", column="Length", value="4", hint="write a date")


def source(pk: int, file: str, header: Sequence[str], *, sheet: str | None = None, rows_read: int = 9) -> SourceInfo:
    return SourceInfo(pk, file, sheet, f"sha-{pk}", "utf-8", ",", tuple(header), rows_read, 0)


# --- row ranges


@pytest.mark.parametrize(
    ("row_numbers", "ranges", "text"),
    [
        ([], [], ""),
        ([7], [(7, 7)], "7"),
        ([7, 8], [(7, 8)], "7-8"),
        ([7, 7, 8, 8, 8], [(7, 8)], "7-8"),
        ([*range(7, 419), 430], [(7, 418), (430, 430)], "7-418, 430"),
        (range(2, 18, 2), [(n, n) for n in range(2, 18, 2)], "2, 4, 6, 8, 10, 12, 14, 16"),
        (range(2, 20, 2), [(n, n) for n in range(2, 20, 2)], "2, 4, 6, 8, 10, 12, 14, 16 and 1 more"),
        (range(2, 6000, 2), [(n, n) for n in range(2, 6000, 2)], "2, 4, 6, 8, 10, 12, 14, 16 and 2,991 more"),
    ],
)
def test_row_numbers_become_ranges(row_numbers: Sequence[int], ranges: list[tuple[int, int]], text: str) -> None:
    """Neighbours are one range, a row counts once, and only so many ranges are spelled out."""
    found = RowRanges(row_numbers)

    assert (list(found), found.text(), len(found)) == (ranges, text, len(set(row_numbers)))


# --- causes

ONE_FILE = {1: source(1, "a.csv", ["A"])}
TWO_FILES = {1: source(1, "a.csv", ["A"]), 2: source(2, "b.xlsx", ["A"], sheet="Old")}


def test_findings_are_grouped_by_code_and_column_and_ranked() -> None:
    """Errors before warnings; an error of a whole file first, because it fails all rows; then by the number of rows."""
    missing = finding(Code.MISSING_COLUMN, "no column", column="Serial", hint="add it")
    unknown = finding(Code.UNKNOWN_COLUMN, "not sent", column="Colour", hint="ignore it")
    bad_start = BAD_DATE._replace(column="Starts", value="later", message="no date either")
    placed: list[tuple[int, int | None, Finding]] = [
        (1, None, unknown),
        (1, None, missing),
        *((1, number, ODD_LENGTH) for number in range(2, 40)),
        (1, 2, BAD_DATE),
        *((1, number, bad_start) for number in (3, 4, 9)),
        (1, 10, bad_start._replace(value="other")),
    ]

    assert causes_of_findings(placed, ONE_FILE) == [
        Cause("missing-column", Severity.ERROR, "Serial", 0, "whole file", (Example("", "", "no column"),), "add it"),
        Cause(
            "not-a-date-time",
            Severity.ERROR,
            "Starts",
            4,
            "rows 3-4, 9-10",
            (Example("row 3", "later", "no date either"), Example("row 10", "other", "no date either")),
            "write a date",
        ),
        Cause(
            "not-a-date-time",
            Severity.ERROR,
            "Expires",
            1,
            "row 2",
            (Example("row 2", "soon", "no date"),),
            "write a date",
        ),
        Cause(
            "key-length-unusual",
            Severity.WARNING,
            "Length",
            38,
            "rows 2-39",
            (Example("row 2", "4", "4 bits"),),
            "write a date",
        ),
        Cause(
            "unknown-column",
            Severity.WARNING,
            "Colour",
            0,
            "whole file",
            (Example("", "", "not sent"),),
            "ignore it",
            config_line("unknown-column", "Colour", [""], ["not sent"]),
        ),
    ]


def test_a_row_counts_once_for_a_cause() -> None:
    """However often the same code was found in the same column of it."""
    (cause,) = causes_of_findings([(1, 2, BAD_DATE), (1, 2, BAD_DATE), (1, 4, BAD_DATE)], ONE_FILE)

    assert (cause.rows, cause.places) == (2, "rows 2, 4")


def test_causes_in_several_files_name_the_files_and_sheets() -> None:
    """Row numbers say nothing without their file."""
    placed: list[tuple[int, int | None, Finding]] = [(1, 2, BAD_DATE), (2, 2, BAD_DATE), (2, 3, BAD_DATE)]

    (cause,) = causes_of_findings(placed, TWO_FILES)

    assert (cause.rows, cause.places) == (3, "a.csv: row 2; b.xlsx, sheet Old: rows 2-3")


def test_the_examples_of_a_cause_are_its_first_three_different_ones() -> None:
    """The same value with the same message tells nothing new; each names its place, with the file where it has to."""
    values = ["soon", "soon", "later", "soon", "never", "other"]
    placed: list[tuple[int, int | None, Finding]] = [
        (1 if number < 4 else 2, number, BAD_DATE._replace(value=value)) for number, value in enumerate(values, start=2)
    ]

    (cause,) = causes_of_findings(placed, TWO_FILES)

    assert cause.examples == (
        Example("a.csv: row 2", "soon", "no date"),
        Example("b.xlsx, sheet Old: row 4", "later", "no date"),
        Example("b.xlsx, sheet Old: row 6", "never", "no date"),
    )


def test_answers_are_grouped_by_state_status_and_code() -> None:
    """Unsent rows are told apart by their reason too; every cause has a hint and the first message as an example."""

    def answered(number: int, state: State, answer: Answer) -> ReportRow:
        return ReportRow(1, number, state, "ios", ("x",), b"{}", (), 1, answer)

    rows = [
        answered(2, State.UNSENT, Answer(message="the tenant refused")),
        answered(3, State.REJECTED, Answer(400, "", "BadRequest", "bad date")),
        answered(4, State.REJECTED, Answer(400, "", "BadRequest", "bad length")),
        answered(5, State.REJECTED, Answer(413)),
        answered(6, State.UNKNOWN, Answer(504, message="gateway")),
        answered(7, State.UNKNOWN, Answer(message="no answer came in time")),
        answered(8, State.UNSENT, Answer(message="no such profile")),
        answered(9, State.UNSENT, Answer(message="no such profile")),
        answered(10, State.UNSENT, Answer(message="no such profile")),
    ]

    assert [
        (each.code, each.severity, each.column, each.rows, each.places, each.examples[0].message, bool(each.hint))
        for each in causes_of_answers(rows, ONE_FILE)
    ] == [
        ("unsent", Severity.ERROR, "", 3, "rows 8-10", "no such profile", True),
        ("rejected 400 BadRequest", Severity.ERROR, "", 2, "rows 3-4", "bad date", True),
        ("unsent", Severity.ERROR, "", 1, "row 2", "the tenant refused", True),
        ("rejected 413", Severity.ERROR, "", 1, "row 5", "", True),
        ("unknown 504", Severity.ERROR, "", 1, "row 6", "gateway", True),
        ("unknown", Severity.ERROR, "", 1, "row 7", "no answer came in time", True),
    ]


# --- totals and conservation

RUN = RunInfo(
    id="20260102T030405Z-a-ab12",
    scope=Scope("https://graph.microsoft.com/beta", "tenant"),
    verb="import",
    edition="1706",
    folder="runs/x",
    version="1.0",
    started_at="2026-01-02T03:04:05.000Z",
    planned_at="2026-01-02T03:04:06.000Z",
    ended_at="2026-01-02T03:05:06.000Z",
    stop="threshold",
    stop_message="more than 5 rows have errors (--max-errors)",
)
SOURCES = (
    SourceInfo(1, "a.csv", None, "sha-1", "utf-8", ";", ("A",), 1_250, 3),
    SourceInfo(2, "b.xlsx", "Old", "sha-2", "", "", ("A",), 12, 1),
)
COUNTS = {
    State.INVALID: 12,
    State.DUPLICATE: 2,
    State.CONFLICTING: 4,
    State.ALREADY_THERE: 5,
    State.REJECTED_BEFORE: 1,
    State.CHANGED: 3,
    State.UPDATED: 2,
    State.CREATED: 1_210,
    State.REJECTED: 6,
    State.UNSENT: 7,
    State.PLANNED: 1,
    State.SENDING: 1,
    State.STAGED: 1,
    State.UNKNOWN: 3,
}


def summary_of(counts: dict[State, int], terms: Terms = Terms.IMPORT) -> Summary:
    return Summary(
        run=RUN,
        is_dry_run=terms is Terms.DRY_RUN,
        sources=SOURCES,
        totals=totals_of(counts, SOURCES, terms),
        routes=(),
        causes=(),
        stats=None,
        next_steps=(),
    )


def test_every_state_is_one_term_of_the_conservation_law() -> None:
    """What is planned counts as unsent, what is under way as unknown; the terms add up to the rows read."""
    summary = summary_of(COUNTS)

    assert summary.totals == (
        Total("blank", 4),
        Total("invalid", 12),
        Total("duplicate", 2),
        Total("conflicting", 4),
        Total("already there", 5),
        Total("rejected before", 1),
        Total("changed", 3),
        Total("updated", 2),
        Total("created", 1_210),
        Total("reversed", 0),
        Total("missing", 0),
        Total("rejected", 6),
        Total("unsent", 9),
        Total("unknown", 4),
    )
    assert (summary.rows_read, summary.is_balanced) == (1_262, True)
    assert summary.conservation_line == (
        "1,262 rows read = 4 blank + 12 invalid + 2 duplicate + 4 conflicting + 5 already there + 1 rejected before"
        " + 3 changed + 2 updated + 1,210 created + 6 rejected + 9 unsent + 4 unknown"
    )
    assert (summary.rows_of("created"), summary.rows_of("valid")) == (1_210, 0)


def test_a_row_too_few_or_too_many_breaks_the_balance() -> None:
    """The line says so instead of pretending."""
    for counts in (COUNTS | {State.CREATED: 1_209}, COUNTS | {State.CREATED: 1_211}):
        summary = summary_of(counts)
        assert not summary.is_balanced
        assert summary.conservation_line.startswith("1,262 rows read IS NOT 4 blank + 12 invalid + ")


def test_a_run_that_read_nothing_is_balanced() -> None:
    """A file with a header only."""
    summary = replace(summary_of({}), sources=(), totals=totals_of({}, (), Terms.IMPORT))

    assert (summary.is_balanced, summary.conservation_line) == (True, "0 rows read = 0")


def test_a_dry_run_knows_valid_rows_only() -> None:
    """Nothing was held against a ledger and nothing was sent."""
    summary = summary_of(
        {State.INVALID: 12, State.DUPLICATE: 2, State.CONFLICTING: 4, State.PLANNED: 1_240}, Terms.DRY_RUN
    )

    assert summary.conservation_line == (
        "1,262 rows read = 4 blank + 12 invalid + 2 duplicate + 4 conflicting + 1,240 valid"
    )
    assert summary.is_balanced


def test_states_that_a_run_cannot_end_in_are_none_of_its_terms() -> None:
    """Only an undo keeps objects: in an import such a row breaks the balance instead of vanishing."""
    assert not summary_of(COUNTS | {State.CREATED: 1_209, State.KEPT: 1}).is_balanced


def test_an_undo_has_terms_of_its_own() -> None:
    """What it deleted, kept, could not delete, did not get to, and does not know."""
    counts = {State.REVERSED: 1_250, State.KEPT: 4, State.REJECTED: 2, State.PLANNED: 1, State.UNKNOWN: 1}
    summary = replace(summary_of(counts, Terms.UNDO), run=RUN._replace(verb="undo"))

    assert summary.conservation_line == (
        "1,262 rows to undo = 4 blank + 1,250 reversed + 4 kept + 2 failed + 1 unsent + 1 unknown"
    )
    assert summary.is_balanced


def test_routes_list_the_terms_that_are_not_zero() -> None:
    """In the order given; rows without a route stand in the totals only."""
    counts = [
        ("", State.INVALID, 3),
        ("ios", State.CREATED, 5),
        ("mac", State.PLANNED, 1),
        ("ios", State.UNKNOWN, 1),
        ("mac", State.UNSENT, 2),
    ]

    assert route_lines(counts, Terms.IMPORT) == (
        RouteLine("ios", (Total("created", 5), Total("unknown", 1))),
        RouteLine("mac", (Total("unsent", 3),)),
    )
