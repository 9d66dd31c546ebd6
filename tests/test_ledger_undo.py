"""Undo's side of the ledger: what a run created, and the run that deletes it again."""

from pathlib import Path

from ledger_cases import (
    ObjectLine,
    add_file,
    balance,
    begin,
    carry_out,
    create,
    import_rows,
    invalid,
    move,
    object_of,
    opened,
    planned,
    settle,
    states,
    undo,
    valid,
)

from pipeline.ledger import (
    CreatedRow,
    NewRun,
    UndoPlan,
    begin_undo,
    check_ledger,
    created_rows,
    find_open_undo,
    leave_unsent,
    plan_again,
    plan_run,
    replan_settled,
    run_info,
    source_infos,
    stage_rows,
)
from pipeline.model import Answer, Operation, State

THERE = ObjectLine(State.CREATED, there=("r1", 2), graph_id="id-1")


def test_created_rows_are_those_that_the_tenant_holds(tmp_path: Path) -> None:
    """With the body that was sent; what is missing comes only if wanted, what a later run updated comes with that."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(i, key) for i, key in enumerate("abcdef", 2)])
        kept, gone, adopted, refused, updated, there = planned(ledger, "r1")
        for row, object_id in ((kept, "id-1"), (gone, "id-2"), (updated, "id-5")):
            move(ledger, row, State.CREATED, Answer(object_id=object_id))
        settle(ledger, gone, State.MISSING)
        move(ledger, adopted, State.UNKNOWN)
        settle(ledger, adopted, State.CREATED, Answer(object_id="id-3"), is_adopted=True)
        move(ledger, refused, State.REJECTED)
        settle(ledger, there, State.ALREADY_THERE, Answer(object_id="id-6"))
        import_rows(ledger, "r2", [valid(2, "e", "v2")], updates=True)
        (update,) = planned(ledger, "r2")
        carry_out(ledger, "r2")

        (source,) = source_infos(ledger, "r1")
        found = [
            CreatedRow(kept._replace(attempts=1, object_id="id-1"), "a", source.pk, 2, State.CREATED, is_adopted=False),
            CreatedRow(gone._replace(object_id="id-2"), "b", source.pk, 3, State.MISSING, is_adopted=False),
            CreatedRow(adopted._replace(object_id="id-3"), "c", source.pk, 4, State.CREATED, is_adopted=True),
        ]
        assert list(created_rows(ledger, "r1")) == found
        assert list(created_rows(ledger, "r1", with_missing=False)) == [found[0], found[2]]
        source_pk = source_infos(ledger, "r2")[0].pk
        assert list(created_rows(ledger, "r2")) == [
            CreatedRow(update._replace(attempts=1), "e", source_pk, 2, State.UPDATED, is_adopted=False)
        ]


def test_an_undo_is_a_run_of_its_own(tmp_path: Path) -> None:
    """It has the parent's sources with the rows that it deletes, each planned with the body to compare."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        for file, sheet, rows in (
            ("one.csv", None, [valid(2, "a"), invalid(3), valid(4, "b")]),
            ("two.xlsx", "Old", [valid(2, "c"), valid(3, "a")]),
            ("none.csv", None, [invalid(2)]),
        ):
            stage_rows(ledger, "r1", add_file(ledger, "r1", file, sheet), rows, blank_rows=1)
        plan_run(ledger, "r1")
        create(ledger, "r1")
        before = source_infos(ledger, "r1")

        new = NewRun("u1", "undo", "1706", "runs/u1", "1.0", "hash")
        assert begin_undo(ledger, new, "r1", include_adopted=False) == UndoPlan(planned=3, adopted_left=0)

        run = run_info(ledger, "u1")
        assert (run.verb, run.parent_id, run.stop) == ("undo", "r1", "")
        assert run.planned_at is not None
        pks = [each.pk for each in source_infos(ledger, "u1")]
        assert source_infos(ledger, "u1") == [
            each._replace(pk=pk, rows_read=rows, blank_rows=0)
            for each, pk, rows in zip(before, pks, (2, 1, 0), strict=True)
        ]
        assert [(row.operation, row.object_id, row.body, row.attempts) for row in planned(ledger, "u1")] == [
            (Operation.DELETE, f"id-{each.row.object_pk}", each.row.body, 0) for each in created_rows(ledger, "r1")
        ]
        assert states(ledger, "u1") == [(2, State.PLANNED), (4, State.PLANNED), (2, State.PLANNED)]
        assert (balance(ledger, "u1"), balance(ledger, "r1")) == ((3, 3), (9, 9))
        assert check_ledger(ledger) == []
        carry_out(ledger, "u1")
        assert {state for _, state in states(ledger, "u1")} == {State.REVERSED}
        assert list(created_rows(ledger, "r1")) == []


def test_adopted_objects_are_deleted_only_when_that_is_wanted(tmp_path: Path) -> None:
    """An object whose id was read back may be somebody else's after all."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        first, second = planned(ledger, "r1")
        move(ledger, first, State.CREATED, Answer(object_id="id-1"))
        move(ledger, second, State.UNKNOWN)
        settle(ledger, second, State.CREATED, Answer(object_id="id-2"), is_adopted=True)

        assert undo(ledger, "u1", "r1") == UndoPlan(planned=1, adopted_left=1)
        assert [row.object_id for row in planned(ledger, "u1")] == ["id-1"]
        carry_out(ledger, "u1")
        assert states(ledger, "r1") == [(2, State.REVERSED), (3, State.CREATED)]

        assert undo(ledger, "u2", "r1", include_adopted=True) == UndoPlan(planned=1, adopted_left=0)
        assert [row.object_id for row in planned(ledger, "u2")] == ["id-2"]
        assert check_ledger(ledger) == []


def test_an_undo_deletes_nothing_that_the_run_did_not_create(tmp_path: Path) -> None:
    """Not what it found in the tenant, updated, or finds updated by a later run, nor what has an unknown outcome."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r0", [valid(2, "a", "v0")])
        create(ledger, "r0")
        rows = [valid(2, "a"), valid(3, "b"), valid(4, "c"), valid(5, "d"), valid(6, "e")]
        import_rows(ledger, "r1", rows, updates=True)
        by_key = {row.body[8:9]: row for row in planned(ledger, "r1")}
        settle(ledger, by_key[b"b"], State.ALREADY_THERE, Answer(object_id="id-2"))
        carry_out(ledger, "r1")
        settle(ledger, by_key[b"e"], State.MISSING)
        import_rows(ledger, "r2", [valid(2, "c", "v2"), valid(3, "d", "v2")], updates=True)
        updated, unknown = planned(ledger, "r2")
        move(ledger, updated, State.UPDATED, Answer(object_id=updated.object_id))
        move(ledger, unknown, State.UNKNOWN)

        assert undo(ledger, "u1", "r1", include_adopted=True) == UndoPlan(planned=0, adopted_left=0)
        assert check_ledger(ledger) == []


def test_an_undo_takes_over_what_waits(tmp_path: Path) -> None:
    """An update and an earlier undo that never left are left unsent, and not planned again."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        create(ledger, "r1")
        undo(ledger, "u1", "r1")
        leave_unsent(ledger, "u1", "stopped")
        import_rows(ledger, "r2", [valid(2, "a", "v2")], updates=True)

        assert undo(ledger, "u2", "r1").planned == 2

        for run_id in ("u1", "r2"):
            plan_again(ledger, run_id)
        assert states(ledger, "u1") == [(2, State.UNSENT), (3, State.UNSENT)]
        assert (states(ledger, "r2"), planned(ledger, "u1"), planned(ledger, "r2")) == ([(2, State.UNSENT)], [], [])
        assert object_of(ledger) == THERE._replace(state=State.PLANNED, operation=Operation.DELETE, owner=("u2", 2))
        assert check_ledger(ledger) == []


def test_an_undo_is_open_until_nothing_is_left_of_it(tmp_path: Path) -> None:
    """Planned, unsent, sending and unknown rows keep it open; kept, rejected and taken over ones do not."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(i, key) for i, key in enumerate("abc", 2)])
        assert find_open_undo(ledger, "r1") is None
        create(ledger, "r1")
        undo(ledger, "u1", "r1")
        kept, lost, waiting = planned(ledger, "u1")
        assert (find_open_undo(ledger, "r1"), find_open_undo(ledger, "u1")) == (run_info(ledger, "u1"), None)

        move(ledger, kept, State.KEPT)
        move(ledger, lost, State.SENDING)
        leave_unsent(ledger, "u1", "stopped")
        import_rows(ledger, "r2", [valid(2, "c")])
        assert (states(ledger, "u1")[2], find_open_undo(ledger, "r1")) == ((4, State.UNSENT), run_info(ledger, "u1"))

        move(ledger, lost, State.UNKNOWN)
        assert find_open_undo(ledger, "r1") == run_info(ledger, "u1")
        settle(ledger, lost, State.REVERSED)
        assert find_open_undo(ledger, "r1") is None
        assert waiting.object_id == f"id-{waiting.object_pk}"
        assert states(ledger, "r1") == [(2, State.CREATED), (3, State.REVERSED), (4, State.CREATED)]
        assert check_ledger(ledger) == []


def test_a_lost_delete_that_took_effect_frees_the_certificate(tmp_path: Path) -> None:
    """An import that waited for it creates the object anew, without the old id."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        create(ledger, "r1")
        undo(ledger, "u1", "r1")
        (row,) = planned(ledger, "u1")
        move(ledger, row, State.UNKNOWN)
        import_rows(ledger, "r2", [valid(2, "a")])
        settle(ledger, row, State.REVERSED)

        assert replan_settled(ledger, "r2", updates=False) == 1
        assert object_of(ledger) == ObjectLine(State.PLANNED, owner=("r2", 2))
        assert states(ledger, "u1") == [(2, State.REVERSED)]
        assert check_ledger(ledger) == []
