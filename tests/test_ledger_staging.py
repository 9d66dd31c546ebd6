"""Ingest's side of the ledger: staging, the plan, the import-again table, duplicates and conflicts, discarding."""

from pathlib import Path

import pytest
from ledger_cases import (
    BAD_DATE,
    HEADER,
    IOS,
    MACOS,
    ODD_LENGTH,
    add_file,
    balance,
    begin,
    carry_out,
    create,
    import_rows,
    invalid,
    move,
    opened,
    planned,
    said,
    stage,
    states,
    undo,
    valid,
)

from pipeline.findings import Code, finding
from pipeline.ledger import (
    Ledger,
    NewSource,
    RouteCount,
    add_source,
    add_source_finding,
    placed_findings,
    plan_run,
    report_rows,
    route_counts,
    run_info,
    source_infos,
    stage_rows,
    state_counts,
)
from pipeline.model import Answer, ReportRow, SourceInfo, State

LATER = "r2"
TAKEN_OVER = "taken over by run r2"
LOST_BEFORE = "an earlier run sent this row and lost the answer; it may or may not have been created"

# --- what was staged comes out again


def test_a_planned_run_is_reported_as_it_was_staged(tmp_path: Path) -> None:
    """Rows, findings of rows and of files, counts by route and by state come out whole and in the order of reading."""
    unknown_column = finding(Code.UNKNOWN_COLUMN, "no property has this name", column="Colour")
    skipped = finding(Code.NO_ROWS, "a header and no rows")
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        first = add_source(ledger, "r1", NewSource("a.csv", None, "sha-a", "utf-8", ";", HEADER), [unknown_column])
        stage_rows(ledger, "r1", first, [invalid(2, BAD_DATE, ODD_LENGTH), valid(4, "a")], blank_rows=1)
        stage_rows(ledger, "r1", first, [valid(5, "b", collection=MACOS, findings=[ODD_LENGTH])], blank_rows=0)
        second = add_source(ledger, "r1", NewSource("b.xlsx", "Sheet 1", "sha-b", "", "", ("", 'x"', "ü")), [])
        stage_rows(ledger, "r1", second, [], blank_rows=2)
        add_source_finding(ledger, "r1", second, skipped)
        plan_run(ledger, "r1")

        assert source_infos(ledger, "r1") == [
            SourceInfo(first, "a.csv", None, "sha-a", "utf-8", ";", HEADER, 4, 1),
            SourceInfo(second, "b.xlsx", "Sheet 1", "sha-b", "", "", ("", 'x"', "ü"), 2, 2),
        ]
        assert list(placed_findings(ledger, "r1")) == [
            (first, None, unknown_column),
            (first, 2, BAD_DATE),
            (first, 2, ODD_LENGTH),
            (first, 5, ODD_LENGTH),
            (second, None, skipped),
        ]
        assert list(report_rows(ledger, "r1", tuple(State))) == [
            ReportRow(first, 2, State.INVALID, "", ("bad", "2"), None, (BAD_DATE, ODD_LENGTH), 0, Answer()),
            ReportRow(first, 4, State.PLANNED, IOS, ("a", "v1"), b'{"key":"a","value":"v1"}', (), 0, Answer()),
            ReportRow(
                first, 5, State.PLANNED, MACOS, ("b", "v1"), b'{"key":"b","value":"v1"}', (ODD_LENGTH,), 0, Answer()
            ),
        ]
        assert list(report_rows(ledger, "r1", [State.CREATED])) == []
        assert state_counts(ledger, "r1") == {State.INVALID: 1, State.PLANNED: 2}
        assert route_counts(ledger, "r1") == [
            RouteCount("", State.INVALID, 1),
            RouteCount(IOS, State.PLANNED, 1),
            RouteCount(MACOS, State.PLANNED, 1),
        ]
        assert balance(ledger, "r1") == (6, 6)


def test_cells_come_back_as_they_were(tmp_path: Path) -> None:
    """No character of a cell is lost: quotes, line breaks, NUL, emoji, invisible marks."""
    cells = ('"', "a\r\nb", "\0", "\U0001f600", "\u200e", "'=1+1", "", " x ", "\\u0041", "é", "e\u0301")
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        stage(ledger, "r1", [invalid(2)._replace(cells=cells)])

        assert [row.cells for row in report_rows(ledger, "r1", [State.INVALID])] == [cells]


def test_a_run_that_was_never_planned_has_staged_rows_and_nothing_to_send(tmp_path: Path) -> None:
    """What a kill during reading leaves behind is counted, and cannot be sent."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        stage(ledger, "r1", [valid(2, "a"), invalid(3)])

        assert run_info(ledger, "r1").planned_at is None
        assert state_counts(ledger, "r1") == {State.STAGED: 1, State.INVALID: 1}
        assert planned(ledger, "r1") == []
        import_rows(ledger, LATER, [valid(2, "a")])
        assert states(ledger, LATER) == [(2, State.PLANNED)]
        assert states(ledger, "r1") == [(2, State.STAGED), (3, State.INVALID)]


# --- import again

SAME, OTHER = "v1", "v2"


def bring_to(ledger: Ledger, before: State) -> None:
    """Let run r1 leave one row with the fingerprint SAME in the state, on the way that rows come there."""
    if before is State.UPDATED:
        import_rows(ledger, "r0", [valid(2, "a", "v0")])
        create(ledger, "r0")
    import_rows(ledger, "r1", [valid(2, "a", SAME)], updates=True)
    if before in {State.UPDATED, State.REVERSED}:
        carry_out(ledger, "r1")
        if before is State.REVERSED:
            undo(ledger, "u1", "r1")
            carry_out(ledger, "u1")
    elif before is not State.PLANNED:
        answer = Answer(http_status=400, graph_code="Bad", message="m", object_id="id-1")
        move(ledger, planned(ledger, "r1")[0], before, answer)


@pytest.mark.parametrize(
    ("before", "fingerprint", "after", "code"),
    [
        (State.CREATED, SAME, State.ALREADY_THERE, None),
        (State.CREATED, OTHER, State.CHANGED, Code.CHANGED),
        (State.UPDATED, SAME, State.ALREADY_THERE, None),
        (State.UPDATED, OTHER, State.CHANGED, Code.CHANGED),
        (State.REJECTED, SAME, State.REJECTED_BEFORE, Code.REJECTED_BEFORE),
        (State.REJECTED, OTHER, State.PLANNED, None),
        (State.PLANNED, SAME, State.PLANNED, None),
        (State.PLANNED, OTHER, State.PLANNED, None),
        (State.UNSENT, SAME, State.PLANNED, None),
        (State.UNSENT, OTHER, State.PLANNED, None),
        (State.SENDING, SAME, State.UNKNOWN, None),
        (State.SENDING, OTHER, State.UNKNOWN, None),
        (State.UNKNOWN, SAME, State.UNKNOWN, None),
        (State.UNKNOWN, OTHER, State.UNKNOWN, None),
        (State.REVERSED, SAME, State.PLANNED, None),
        (State.REVERSED, OTHER, State.PLANNED, None),
        (State.MISSING, SAME, State.PLANNED, None),
        (State.MISSING, OTHER, State.PLANNED, None),
    ],
)
def test_import_again(tmp_path: Path, before: State, fingerprint: str, after: State, code: Code | None) -> None:
    """The design's table: what an earlier run left decides what becomes of the same certificate in this one."""
    with opened(tmp_path / "ledger.db") as ledger:
        bring_to(ledger, before)

        import_rows(ledger, LATER, [valid(7, "a", fingerprint)])

        assert states(ledger, LATER) == [(7, after)]
        assert [(row_number, each.code) for _, row_number, each in placed_findings(ledger, LATER)] == (
            [(7, code)] if code else []
        )
        assert [each.body for each in planned(ledger, LATER)] == (
            [f'{{"key":"a","value":"{fingerprint}"}}'.encode()] if after is State.PLANNED else []
        )
        left_behind = State.UNSENT if before is State.PLANNED else before
        assert (states(ledger, "r1"), planned(ledger, "r1")) == ([(2, left_behind)], [])
        assert balance(ledger, LATER) == (1, 1)


def test_a_row_that_was_taken_over_says_by_whom(tmp_path: Path) -> None:
    """The earlier run's row is unsent with the run that sends the newest values, and no answer that contradicts it."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        answer = Answer(http_status=404, graph_code="NotFound", message="no such route", request_id="q")
        move(ledger, planned(ledger, "r1")[0], State.UNSENT, answer)

        import_rows(ledger, LATER, [valid(2, "a", OTHER)])

        (row,) = report_rows(ledger, "r1", [State.UNSENT])
        assert (row.answer, row.attempts) == (Answer(message=TAKEN_OVER), 1)


def test_an_unknown_row_of_an_earlier_run_is_unknown_with_the_reason(tmp_path: Path) -> None:
    """It keeps its cells and body for unknown.csv."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        move(ledger, planned(ledger, "r1")[0], State.UNKNOWN, Answer(http_status=504))

        import_rows(ledger, LATER, [valid(3, "a")])

        (row,) = report_rows(ledger, LATER, [State.UNKNOWN])
        source_pk = source_infos(ledger, LATER)[0].pk
        lost = Answer(message=LOST_BEFORE)
        assert row == ReportRow(source_pk, 3, State.UNKNOWN, IOS, ("a", "v1"), b'{"key":"a","value":"v1"}', (), 0, lost)


def test_the_newest_values_decide_after_a_take_over(tmp_path: Path) -> None:
    """Once the corrected row is created, its values are those that a third import is compared with."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", SAME), valid(3, "b", SAME)])
        for row in planned(ledger, "r1"):
            move(ledger, row, State.REJECTED)
        import_rows(ledger, "r2", [valid(2, "a", OTHER), valid(3, "b", OTHER)])
        create(ledger, "r2")
        import_rows(ledger, "r3", [valid(2, "a", OTHER), valid(3, "b", SAME)])

        assert states(ledger, "r3") == [(2, State.ALREADY_THERE), (3, State.CHANGED)]


def test_a_row_never_shows_the_id_of_an_object_that_another_row_created(tmp_path: Path) -> None:
    """The rejected row of the first run has no id, though the same certificate was created by the second."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", SAME)])
        move(ledger, planned(ledger, "r1")[0], State.REJECTED, Answer(http_status=400))
        import_rows(ledger, "r2", [valid(2, "a", OTHER)])
        create(ledger, "r2", object_id="id-2")
        import_rows(ledger, "r3", [valid(2, "a", OTHER)])
        import_rows(ledger, "r4", [valid(2, "a", SAME)])

        ids = {run: [row.answer.object_id for row in report_rows(ledger, run, tuple(State))] for run in RUNS}

    assert ids == {"r1": [""], "r2": ["id-2"], "r3": ["id-2"], "r4": ["id-2"]}


RUNS = ("r1", "r2", "r3", "r4")


# --- duplicates and conflicts


def test_the_first_of_exact_duplicates_is_planned_and_named_by_the_others(tmp_path: Path) -> None:
    """Duplicates are found across chunks, sheets and files; the first one in the order of reading is sent."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        stage(ledger, "r1", [valid(2, "z"), valid(3, "a"), valid(4, "a")], file="one.csv")
        sheet = add_file(ledger, "r1", "two.xlsx", "Old")
        stage_rows(ledger, "r1", sheet, [valid(2, "a"), valid(3, "b")], blank_rows=0)
        plan_run(ledger, "r1")

        assert said(ledger, "r1") == [
            (2, State.PLANNED, []),
            (3, State.PLANNED, []),
            (4, State.DUPLICATE, ["the same row stands in one.csv, row 3"]),
            (2, State.DUPLICATE, ["the same row stands in one.csv, row 3"]),
            (3, State.PLANNED, []),
        ]
        assert [each.code for _, _, each in placed_findings(ledger, "r1")] == [Code.DUPLICATE] * 2


def test_rows_that_contradict_each_other_are_all_conflicting(tmp_path: Path) -> None:
    """None of them is sent; each names a place that really says something else, in whatever sheet."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        stage(ledger, "r1", [valid(2, "a", "v1"), valid(3, "ok")], file="one.csv")
        sheet = add_file(ledger, "r1", "two.xlsx", "Old")
        stage_rows(ledger, "r1", sheet, [valid(2, "a", "v2")], blank_rows=0)
        plan_run(ledger, "r1")

        other = "another description of the same certificate stands in"
        assert said(ledger, "r1") == [
            (2, State.CONFLICTING, [f"{other} two.xlsx, sheet Old, row 2; it differs in value"]),
            (3, State.PLANNED, []),
            (2, State.CONFLICTING, [f"{other} one.csv, row 2; it differs in value"]),
        ]
        assert [row.row_number for row in report_rows(ledger, "r1", [State.PLANNED])] == [3]


def test_a_key_with_duplicates_and_a_contradiction_is_conflicting_as_a_whole(tmp_path: Path) -> None:
    """The equal ones among them are no duplicates, and name the row that differs, not each other."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1"), valid(3, "a", "v1"), valid(4, "a", "v2"), valid(5, "a", "v1")])

        other = "another description of the same certificate stands in inventory.csv, row"
        assert said(ledger, "r1") == [
            (2, State.CONFLICTING, [f"{other} 4; it differs in value"]),
            (3, State.CONFLICTING, [f"{other} 4; it differs in value"]),
            (4, State.CONFLICTING, [f"{other} 2; it differs in value"]),
            (5, State.CONFLICTING, [f"{other} 4; it differs in value"]),
        ]


def test_conflicting_rows_leave_what_an_earlier_run_made_alone(tmp_path: Path) -> None:
    """A contradiction neither takes over a planned row nor changes the object; later imports see it as it was."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1"), valid(3, "b", "v1")])
        move(ledger, planned(ledger, "r1")[0], State.CREATED, Answer(object_id="id-1"))

        contradictions = [("a", "v2"), ("a", "v3"), ("b", "v2"), ("b", "v3")]
        import_rows(ledger, "r2", [valid(i, key, fp) for i, (key, fp) in enumerate(contradictions, 2)])
        import_rows(ledger, "r3", [valid(2, "a", "v1")])

        assert {state for _, state in states(ledger, "r2")} == {State.CONFLICTING}
        assert states(ledger, "r1") == [(2, State.CREATED), (3, State.PLANNED)]
        assert states(ledger, "r3") == [(2, State.ALREADY_THERE)]


def test_duplicates_of_what_is_already_there_stay_duplicates(tmp_path: Path) -> None:
    """Only the first row of a key is held against the ledger."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        create(ledger, "r1")
        import_rows(ledger, "r2", [valid(2, "a"), valid(3, "a")])

        assert states(ledger, "r2") == [(2, State.ALREADY_THERE), (3, State.DUPLICATE)]


def test_invalid_rows_are_no_duplicates_and_conflict_with_nothing(tmp_path: Path) -> None:
    """A row without a request takes no part in the plan."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [invalid(2), invalid(3), valid(4, "a")])

        assert states(ledger, "r1") == [(2, State.INVALID), (3, State.INVALID), (4, State.PLANNED)]


def test_thousands_of_duplicates_are_all_told(tmp_path: Path) -> None:
    """Findings that are written in portions are all there, once each."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2 + i, "a") for i in range(2_501)])

        assert state_counts(ledger, "r1") == {State.PLANNED: 1, State.DUPLICATE: 2_500}
        assert [row_number for _, row_number, _ in placed_findings(ledger, "r1")] == list(range(3, 2_503))


# --- cells go when the row is settled well, and stay otherwise


def test_cells_are_kept_for_rows_that_are_not_settled_well(tmp_path: Path) -> None:
    """errors.csv and unknown.csv can be written again later; what went well needs no copy of the input."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(i, key) for i, key in enumerate("abcdefg", 2)])
        after = (State.CREATED, State.CREATED, State.REJECTED, State.UNKNOWN, State.UNSENT, State.SENDING)
        for row, state in zip(planned(ledger, "r1"), after, strict=False):
            move(ledger, row, state, Answer(object_id="id" if state is State.CREATED else ""))
        again = [valid(2, "a"), valid(3, "b", OTHER), valid(4, "c"), valid(5, "a"), valid(6, "x"), valid(7, "x", OTHER)]
        import_rows(ledger, "r2", again)

        kept = {
            run: {row.state: (row.cells is not None, row.body is not None) for row in report_rows(ledger, run, STATES)}
            for run in ("r1", "r2")
        }

    assert kept == {
        "r1": {
            State.CREATED: (False, True),  # the body is what created.csv shows
            State.REJECTED: (True, True),
            State.UNKNOWN: (True, True),
            State.UNSENT: (True, True),
            State.SENDING: (True, True),
            State.PLANNED: (True, True),
        },
        "r2": {
            State.ALREADY_THERE: (False, False),
            State.CHANGED: (True, True),
            State.REJECTED_BEFORE: (True, True),
            State.DUPLICATE: (False, False),
            State.CONFLICTING: (True, True),
        },
    }


STATES = tuple(State)
