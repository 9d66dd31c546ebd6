"""A dry run keeps the rows of which there is something to tell, and counts the others."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from ledger_cases import IOS, MACOS, REHEARSAL, add_file, balance, begin, invalid, opened, valid

from pipeline.ledger import (
    ActionCount,
    Counted,
    Ledger,
    RouteCount,
    action_counts,
    check_ledger,
    count_rows,
    discard_run,
    expiry_counts,
    plan_run,
    planned_collections,
    report_rows,
    route_counts,
    source_infos,
    stage_rows,
    state_counts,
    waiting_rows,
)
from pipeline.model import DayCount, Operation, ReportRow, StagedRow, State

IOS_IN_MAY = Counted(IOS, "iOS", "2026-05-01")
IOS_IN_JUNE = Counted(IOS, "iOS", "2026-06-01")
MACOS_WITHOUT_DAY = Counted(MACOS, "macOS", "")


def expiring(row_number: int, key: str, day: str) -> StagedRow:
    """Return a valid row whose body names the day."""
    row = valid(row_number, key)
    assert row.request
    body = f'{{"key":"{key}","certificateExpirationDateTime":"{day}T00:00:00Z"}}'.encode()
    return row._replace(request=row.request._replace(body=body))


def count(ledger: Ledger, source_pk: int, *counted: Mapping[Counted, int]) -> None:
    """Count the rows of several chunks."""
    for each in counted:
        count_rows(ledger, "r1", source_pk, each)


def test_counted_rows_count_wherever_rows_are_counted(tmp_path: Path) -> None:
    """They are planned creates in each count, together with those that are kept."""
    with opened(tmp_path / "spool.db") as ledger:
        begin(ledger, "r1")
        source = add_file(ledger, "r1")
        count(ledger, source, {IOS_IN_MAY: 2, MACOS_WITHOUT_DAY: 1}, {IOS_IN_JUNE: 4, IOS_IN_MAY: 1})
        stage_rows(ledger, "r1", source, [expiring(7, "a", "2026-05-01"), invalid(9)], blank_rows=3, pks=[70, 90])
        plan_run(ledger, "r1")

        assert state_counts(ledger, "r1") == {State.INVALID: 1, State.PLANNED: 9}
        assert route_counts(ledger, "r1") == [
            RouteCount(IOS, State.PLANNED, 8),
            RouteCount(MACOS, State.PLANNED, 1),
            RouteCount("", State.INVALID, 1),
        ]
        assert action_counts(ledger, "r1") == [
            ActionCount(IOS, Operation.CREATE, 8),
            ActionCount(MACOS, Operation.CREATE, 1),
        ]
        assert planned_collections(ledger, "r1") == [(IOS, 8), (MACOS, 1)]
        assert expiry_counts(ledger, "r1") == [DayCount("2026-05-01", 4), DayCount("2026-06-01", 4)]
        assert waiting_rows(ledger, "r1") == 9
        assert (balance(ledger, "r1"), check_ledger(ledger)) == ((13, 13), [])


def test_counted_rows_belong_to_their_source_and_run(tmp_path: Path) -> None:
    """Each file has read what was counted for it, and another run has none of it."""
    with opened(tmp_path / "spool.db") as ledger:
        for run_id in ("r1", "r2"):
            begin(ledger, run_id)
        first, second = add_file(ledger, "r1", "a.csv"), add_file(ledger, "r1", "b.csv")
        count(ledger, first, {IOS_IN_MAY: 2})
        count(ledger, second, {IOS_IN_MAY: 3}, {})

        assert [each.rows_read for each in source_infos(ledger, "r1")] == [2, 3]
        assert (state_counts(ledger, "r1"), state_counts(ledger, "r2")) == ({State.PLANNED: 5}, {})
        assert (route_counts(ledger, "r2"), waiting_rows(ledger, "r2")) == ([], 0)


def test_a_run_with_counted_rows_can_be_discarded(tmp_path: Path) -> None:
    """What was counted goes with the run."""
    with opened(tmp_path / "spool.db", REHEARSAL) as ledger:
        begin(ledger, "r1")
        count(ledger, add_file(ledger, "r1"), {IOS_IN_MAY: 2})
        discard_run(ledger, "r1")

        assert (state_counts(ledger, "r1"), check_ledger(ledger)) == ({}, [])


def test_rows_come_in_the_order_of_the_numbers_that_were_given(tmp_path: Path) -> None:
    """The caller numbers the rows that it keeps, and the next ones go on behind them."""
    with opened(tmp_path / "spool.db") as ledger:
        begin(ledger, "r1")
        source = add_file(ledger, "r1")
        stage_rows(ledger, "r1", source, [invalid(8), valid(4, "a")], blank_rows=0, pks=[8, 4])
        stage_rows(ledger, "r1", source, [valid(9, "a")], blank_rows=0)
        plan_run(ledger, "r1")

        rows: list[ReportRow] = list(report_rows(ledger, "r1", tuple(State)))
        assert [(each.row_number, each.state, len(each.findings)) for each in rows] == [
            (4, State.PLANNED, 0),
            (8, State.INVALID, 1),
            (9, State.DUPLICATE, 1),
        ]


def test_as_many_numbers_as_rows_are_needed(tmp_path: Path) -> None:
    """A caller that loses count is told, and nothing is staged."""
    with opened(tmp_path / "spool.db") as ledger:
        begin(ledger, "r1")
        source = add_file(ledger, "r1")
        with pytest.raises(ValueError, match="zip"):
            stage_rows(ledger, "r1", source, [valid(2, "a"), valid(3, "b")], blank_rows=0, pks=[1])

        assert (state_counts(ledger, "r1"), balance(ledger, "r1")) == ({}, (0, 0))
