"""Runs and scopes in one ledger: what a run is, how it is found, how it is discarded."""

from pathlib import Path

import pytest
from ledger_cases import (
    BAD_DATE,
    ODD_LENGTH,
    REHEARSAL,
    begin,
    import_rows,
    invalid,
    move,
    opened,
    planned,
    said,
    stage,
    states,
    valid,
)

from pipeline.errors import UsageError
from pipeline.ledger import (
    NewRun,
    add_source_finding,
    begin_run,
    discard_run,
    end_run,
    find_run,
    leave_unsent,
    placed_findings,
    plan_run,
    run_info,
    settle_leftovers,
    source_infos,
)
from pipeline.model import Answer, RunInfo, State

# --- scopes


def test_two_scopes_in_one_ledger_do_not_see_each_other(tmp_path: Path) -> None:
    """What a rehearsal created, took over or left in flight says nothing about the tenant, and the other way round."""
    path = tmp_path / "ledger.db"
    with opened(path, REHEARSAL) as rehearsal, opened(path) as tenant:
        import_rows(rehearsal, "r1", [valid(2, "a"), valid(3, "b"), valid(4, "c")])
        created, in_flight, _ = planned(rehearsal, "r1")
        move(rehearsal, created, State.CREATED, Answer(object_id="id-1"))
        move(rehearsal, in_flight, State.SENDING)

        import_rows(tenant, "t1", [valid(2, "a"), valid(3, "b"), valid(4, "c")])
        leave_unsent(tenant, "t1", "stopped")

        assert settle_leftovers(tenant) == 0
        assert states(tenant, "t1") == [(2, State.UNSENT), (3, State.UNSENT), (4, State.UNSENT)]
        assert states(rehearsal, "r1") == [(2, State.CREATED), (3, State.SENDING), (4, State.PLANNED)]
        assert settle_leftovers(rehearsal) == 1
        assert (find_run(tenant, None).id, find_run(rehearsal, None).id) == ("t1", "r1")


# --- runs


def test_a_run_is_described_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    """The times are UTC; planned_at and ended_at come with the plan and the end."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin_run(ledger, NewRun("r1", "import", "current", "runs/r1", "1.2.3", "hash"))
        begun = run_info(ledger, "r1")
        plan_run(ledger, "r1")
        end_run(ledger, "r1", stop="interrupted", stop_message="the run was interrupted")
        ended = run_info(ledger, "r1")

        assert begun == RunInfo(
            id="r1",
            scope=ledger.scope,
            verb="import",
            edition="current",
            folder="runs/r1",
            version="1.2.3",
            started_at=begun.started_at,
            planned_at=None,
            ended_at=None,
            stop="",
            stop_message="",
        )
        assert ended.planned_at is not None
        assert ended.ended_at is not None
        assert begun.started_at <= ended.planned_at <= ended.ended_at
        assert begun.started_at.endswith("Z")
        assert (ended.stop, ended.stop_message) == ("interrupted", "the run was interrupted")


def test_a_run_is_found_by_its_id_or_by_the_end_of_it(tmp_path: Path) -> None:
    """An id is found in any scope; an end that fits several runs, or none, is refused with the latest ones."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger, opened(path, REHEARSAL) as rehearsal:
        with pytest.raises(UsageError) as empty:
            find_run(ledger, "ab12")
        for run_id in ("20260101T000000Z-a-ab12", "20260102T000000Z-b-ab12", "20260103T000000Z-c-cd34"):
            begin(ledger, run_id)
        begin(rehearsal, "20260104T000000Z-d-ef56")

        assert find_run(ledger, "20260101T000000Z-a-ab12").id == "20260101T000000Z-a-ab12"
        assert find_run(ledger, "cd34").id == "20260103T000000Z-c-cd34"
        assert find_run(ledger, "ef56").scope == REHEARSAL
        with pytest.raises(UsageError, match="several runs end with ab12; name one of them, the latest are"):
            find_run(ledger, "ab12")
        with pytest.raises(UsageError, match=r"no run ends with 12; .+ 20260104T000000Z-d-ef56, 20260103T000000Z-c"):
            find_run(ledger, "12")

    assert str(empty.value) == f"{path}: the ledger holds no run yet; start one with `certstate import FILE`"


def test_without_a_name_the_latest_planned_run_of_the_scope_is_found(tmp_path: Path) -> None:
    """A run that was killed while it read its files, and a rehearsal, are not what `resume` goes on with."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger, opened(path, REHEARSAL) as rehearsal:
        begin(ledger, "r0")
        with pytest.raises(UsageError, match=r"no run for https://graph.+, has read .+ the latest are r0"):
            find_run(ledger, None)
        for run_id in ("r1", "r2"):
            import_rows(ledger, run_id, [])
        begin(ledger, "r3")
        import_rows(rehearsal, "r4", [])

        assert find_run(ledger, None).id == "r2"


def test_a_run_without_a_plan_can_be_discarded(tmp_path: Path) -> None:
    """It goes with its sources, rows and findings; other runs stay as they were."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", findings=[ODD_LENGTH]), invalid(3)])
        before = (said(ledger, "r1"), source_infos(ledger, "r1"), list(placed_findings(ledger, "r1")))
        begin(ledger, "r2")
        stage(ledger, "r2", [valid(2, "a", findings=[ODD_LENGTH]), invalid(3)])
        add_source_finding(ledger, "r2", source_infos(ledger, "r2")[0].pk, BAD_DATE)

        discard_run(ledger, "r2")

        assert (said(ledger, "r1"), source_infos(ledger, "r1"), list(placed_findings(ledger, "r1"))) == before
        with ledger.reading() as connection:
            for table in ("runs WHERE id", "sources WHERE run_id", "rows WHERE run_id", "findings WHERE run_id"):
                assert connection.exec_driver_sql(f"SELECT count(*) FROM {table} = 'r2'").scalar_one() == 0  # noqa: S608 - names above


@pytest.mark.parametrize("run_id", ["r1", "r9"])
def test_a_planned_run_cannot_be_discarded(tmp_path: Path, run_id: str) -> None:
    """Nor one that does not exist: nothing is removed."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])

        with pytest.raises(ValueError, match=f"run {run_id} is planned or does not exist"):
            discard_run(ledger, run_id)

        assert states(ledger, "r1") == [(2, State.PLANNED)]
