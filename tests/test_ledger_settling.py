"""Reconcile's side of the ledger: updates, what is unknown and who waits for it, planning it once more, retry."""

from pathlib import Path

import pytest
from ledger_cases import (
    IOS,
    MACOS,
    REHEARSAL,
    ObjectLine,
    begin,
    carry_out,
    create,
    import_rows,
    move,
    object_of,
    opened,
    planned,
    said,
    settle,
    stage,
    states,
    undo,
    valid,
)

from pipeline.ledger import (
    Ledger,
    check_ledger,
    end_run,
    find_run,
    leave_unsent,
    owned_ids,
    plan_retry,
    plan_run,
    planned_by_key,
    replan_settled,
    report_rows,
    run_info,
    set_remote_check,
    settle_leftovers,
    unknown_count,
    unknown_rows,
)
from pipeline.model import Answer, Operation, PlannedRow, RemoteCheck, State, UnknownRow

THERE = ObjectLine(State.CREATED, there=("r1", 2), graph_id="id-1")
REFUSED_BEFORE = "the service refused this row before"


def body(key: str, value: str) -> bytes:
    """Return the body of the valid row with the key and the value."""
    return f'{{"key":"{key}","value":"{value}"}}'.encode()


def create_one(ledger: Ledger) -> None:
    """Let r1 create an object with the values v1."""
    import_rows(ledger, "r1", [valid(2, "a", "v1")])
    create(ledger, "r1")


# --- updates, and what takes over what


def test_changed_rows_are_planned_as_updates_when_that_is_wanted(tmp_path: Path) -> None:
    """The object stays as the tenant holds it until the update is answered; equal rows are already there."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1"), valid(3, "b", "v1")])
        create(ledger, "r1")
        import_rows(ledger, "r2", [valid(2, "a", "v2"), valid(3, "b", "v1"), valid(4, "c", "v1")], updates=True)

        assert said(ledger, "r2") == [(2, State.PLANNED, []), (3, State.ALREADY_THERE, []), (4, State.PLANNED, [])]
        assert [(row.operation, row.object_id, row.body) for row in planned(ledger, "r2")] == [
            (Operation.UPDATE, "id-1", body("a", "v2")),
            (Operation.CREATE, "", body("c", "v1")),
        ]
        assert object_of(ledger) == THERE._replace(state=State.PLANNED, operation=Operation.UPDATE, owner=("r2", 2))
        carry_out(ledger, "r2")
        assert states(ledger, "r2") == [(2, State.UPDATED), (3, State.ALREADY_THERE), (4, State.CREATED)]
        assert check_ledger(ledger) == []


@pytest.mark.parametrize("waiting", [State.PLANNED, State.UNSENT])
@pytest.mark.parametrize(
    ("value", "updates", "after"),
    [
        ("v1", True, State.ALREADY_THERE),
        ("v1", False, State.ALREADY_THERE),
        ("v2", False, State.CHANGED),
        ("v2", True, State.PLANNED),
        ("v3", True, State.PLANNED),
    ],
)
def test_an_update_that_never_left_is_taken_over(
    tmp_path: Path, waiting: State, value: str, updates: bool, after: State
) -> None:
    """The object is as r1 created it; the newest import decides from there, and the waiting row is unsent."""
    with opened(tmp_path / "ledger.db") as ledger:
        create_one(ledger)
        import_rows(ledger, "r2", [valid(2, "a", "v2")], updates=True)
        if waiting is State.UNSENT:
            leave_unsent(ledger, "r2", "stopped")
        import_rows(ledger, "r3", [valid(2, "a", value)], updates=updates)

        assert states(ledger, "r3") == [(2, after)]
        (left,) = report_rows(ledger, "r2", tuple(State))
        assert (left.state, left.answer) == (State.UNSENT, Answer(message="taken over by run r3"))
        update = THERE._replace(state=State.PLANNED, operation=Operation.UPDATE, owner=("r3", 2))
        assert object_of(ledger) == (update if after is State.PLANNED else THERE)
        assert [row.body for row in planned(ledger, "r3")] == ([body("a", value)] if after is State.PLANNED else [])
        assert check_ledger(ledger) == []


def test_a_delete_that_never_left_is_taken_over(tmp_path: Path) -> None:
    """Who imports a certificate again wants it to be there."""
    with opened(tmp_path / "ledger.db") as ledger:
        create_one(ledger)
        undo(ledger, "u1", "r1")
        import_rows(ledger, "r2", [valid(2, "a", "v1")])

        assert (states(ledger, "u1"), states(ledger, "r2")) == ([(2, State.UNSENT)], [(2, State.ALREADY_THERE)])
        assert object_of(ledger) == THERE
        assert check_ledger(ledger) == []


def test_an_update_that_was_refused_is_not_sent_again(tmp_path: Path) -> None:
    """The same values are rejected before, other ones are planned, the old ones are already there."""
    with opened(tmp_path / "ledger.db") as ledger:
        create_one(ledger)
        import_rows(ledger, "r2", [valid(2, "a", "v2")], updates=True)
        move(ledger, planned(ledger, "r2")[0], State.REJECTED)

        for run_id, value in (("r3", "v2"), ("r4", "v1"), ("r5", "v3")):
            import_rows(ledger, run_id, [valid(2, "a", value)], updates=True)

        assert [said(ledger, run) for run in ("r3", "r4", "r5")] == [
            [(2, State.REJECTED_BEFORE, [REFUSED_BEFORE])],
            [(2, State.ALREADY_THERE, [])],
            [(2, State.PLANNED, [])],
        ]


def test_what_is_created_anew_knows_nothing_of_its_former_life(tmp_path: Path) -> None:
    """A missing, adopted object that is imported again has no id, is not adopted, and was refused nothing."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1")])
        (row,) = planned(ledger, "r1")
        settle(ledger, row, State.ALREADY_THERE, Answer(object_id="id-9"))
        import_rows(ledger, "r2", [valid(2, "a", "v2")], updates=True)
        move(ledger, planned(ledger, "r2")[0], State.MISSING)
        import_rows(ledger, "r3", [valid(2, "a", "v3")])

        assert object_of(ledger) == ObjectLine(State.PLANNED, owner=("r3", 2), fingerprint="v3")
        assert check_ledger(ledger) == []


# --- what is unknown, and who waits for it


def test_unknown_rows_are_the_runs_own_and_those_it_waits_for(tmp_path: Path) -> None:
    """Each object is told once, with the row that was sent; what no row of the run has to do with is left out."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b"), valid(4, "c")])
        rows = planned(ledger, "r1")
        for row in rows:
            move(ledger, row, State.UNKNOWN)
        import_rows(ledger, "r2", [valid(2, "a", "v2"), valid(3, "d"), valid(4, "e")])
        mine, _ = planned(ledger, "r2")
        move(ledger, mine, State.UNKNOWN)

        first, second, third, fourth = (
            UnknownRow(row._replace(attempts=1), key, b"") for row, key in zip([*rows, mine], "abcd", strict=True)
        )
        assert unknown_rows(ledger, "r1") == [first, second, third]
        assert unknown_rows(ledger, "r2") == [first, fourth]
        assert (unknown_count(ledger, "r1"), unknown_count(ledger, "r2")) == (3, 2)


def test_an_unknown_update_tells_what_the_tenant_held_before(tmp_path: Path) -> None:
    """Whether the update took effect is seen by comparing with both; that holds for an adopted object too."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        created, there = planned(ledger, "r1")
        move(ledger, created, State.CREATED, Answer(object_id="id-1"))
        settle(ledger, there, State.ALREADY_THERE, Answer(object_id="id-2"))
        import_rows(ledger, "r2", [valid(2, "a", "v2"), valid(3, "b", "v2")], updates=True)
        rows = planned(ledger, "r2")
        for row in rows:
            move(ledger, row, State.SENDING)
        settle_leftovers(ledger)

        assert unknown_rows(ledger, "r2") == [
            UnknownRow(row._replace(attempts=1), key, body(key, "v1")) for row, key in zip(rows, "ab", strict=True)
        ]


@pytest.mark.parametrize(
    ("settled", "value", "updates", "after", "message"),
    [
        (State.CREATED, "v1", False, State.ALREADY_THERE, []),
        (State.CREATED, "v2", False, State.CHANGED, ["created before with other values"]),
        (State.CREATED, "v2", True, State.PLANNED, []),
        (State.PLANNED, "v1", False, State.PLANNED, []),
        (State.UNSENT, "v2", False, State.PLANNED, []),
        (State.CHANGED, "v1", False, State.PLANNED, []),  # after another look, which is due then
        (State.UNKNOWN, "v1", False, State.UNKNOWN, []),
    ],
)
def test_what_waited_is_planned_once_it_is_settled(  # noqa: PLR0917 - the cases' columns
    tmp_path: Path,
    settled: State,
    value: str,
    updates: bool,
    after: State,
    message: list[str],
) -> None:
    """A row that waited for another run's goes by the rules of the plan, with no trace of the wait."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1")])
        (row,) = planned(ledger, "r1")
        move(ledger, row, State.UNKNOWN)
        import_rows(ledger, "r2", [valid(2, "a", value)], updates=updates)
        object_id = "id-1" if settled is State.CREATED else ""
        settle(ledger, row._replace(attempts=1), settled, Answer(object_id=object_id), is_adopted=True)

        is_settled = settled is not State.UNKNOWN
        assert replan_settled(ledger, "r2", updates=updates) == is_settled
        assert replan_settled(ledger, "r2", updates=updates) == 0

        assert said(ledger, "r2") == [(2, after, message)]
        (told,) = report_rows(ledger, "r2", tuple(State))
        assert (told.answer.message == "") == is_settled
        assert [each.body for each in planned(ledger, "r2")] == ([body("a", value)] if after is State.PLANNED else [])
        assert planned(ledger, "r1") == []
        assert check_ledger(ledger) == []


def test_several_runs_may_wait_for_one_row(tmp_path: Path) -> None:
    """The first that plans it takes it over, and the next finds it planned."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1")])
        (row,) = planned(ledger, "r1")
        move(ledger, row, State.UNKNOWN)
        for run_id in ("r2", "r3"):
            import_rows(ledger, run_id, [valid(2, "a", "v1")])
        settle(ledger, row, State.PLANNED)

        assert (replan_settled(ledger, "r2", updates=False), len(planned(ledger, "r2"))) == (1, 1)
        carry_out(ledger, "r2")
        assert (replan_settled(ledger, "r3", updates=False), states(ledger, "r3")) == (1, [(2, State.ALREADY_THERE)])
        assert [states(ledger, run) for run in ("r1", "r2")] == [[(2, State.UNSENT)], [(2, State.CREATED)]]


def test_a_row_of_the_run_itself_is_not_planned_twice(tmp_path: Path) -> None:
    """Its own unknown rows, and those that were settled as planned, are left as they are."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        first, second = planned(ledger, "r1")
        move(ledger, first, State.UNKNOWN)
        move(ledger, second, State.UNKNOWN)
        settle(ledger, second, State.PLANNED)

        assert replan_settled(ledger, "r1", updates=True) == 0
        assert states(ledger, "r1") == [(2, State.UNKNOWN), (3, State.PLANNED)]


def test_a_certificate_that_the_tenant_has_otherwise_is_looked_at_again(tmp_path: Path) -> None:
    """An import of it is planned, and has to look into the tenant before it sends."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1")])
        (row,) = planned(ledger, "r1")
        settle(ledger, row, State.CHANGED)
        assert unknown_rows(ledger, "r1") == []

        import_rows(ledger, "r2", [valid(2, "a", "v2")])
        assert look_of(ledger, "r2") == "due"
        assert [each.body for each in planned(ledger, "r2")] == [body("a", "v2")]
        assert check_ledger(ledger) == []


@pytest.mark.parametrize(("operation", "what"), [(Operation.UPDATE, "updated"), (Operation.DELETE, "deleted")])
def test_an_import_waits_for_a_change_with_an_unknown_outcome(tmp_path: Path, operation: Operation, what: str) -> None:
    """The message says what may have become of the object."""
    with opened(tmp_path / "ledger.db") as ledger:
        create_one(ledger)
        if operation is Operation.UPDATE:
            import_rows(ledger, "x1", [valid(2, "a", "v2")], updates=True)
        else:
            undo(ledger, "x1", "r1")
        (row,) = planned(ledger, "x1")
        move(ledger, row, State.UNKNOWN)
        import_rows(ledger, "r2", [valid(2, "a", "v1")])

        (told,) = report_rows(ledger, "r2", [State.UNKNOWN])
        assert told.answer.message.endswith(f"and lost the answer; it may or may not have been {what}")
        settle(ledger, row, State.PLANNED)
        assert replan_settled(ledger, "r2", updates=False) == 1
        assert (states(ledger, "x1"), states(ledger, "r2")) == ([(2, State.UNSENT)], [(2, State.ALREADY_THERE)])
        assert check_ledger(ledger) == []


# --- the tenant's objects


def test_an_id_stays_owned_when_its_object_is_deleted(tmp_path: Path) -> None:
    """Objects of another scope and of other programs are nobody's; what an undo deleted may still be listed."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger, opened(path, REHEARSAL) as rehearsal:
        import_rows(ledger, "r0", [valid(2, "z")])
        create(ledger, "r0", "deleted")
        undo(ledger, "u0", "r0")
        carry_out(ledger, "u0")
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b"), valid(4, "z")])
        for row, object_id in zip(planned(ledger, "r1"), ("id-1", "id-2", "id-3"), strict=True):
            move(ledger, row, State.CREATED, Answer(object_id=object_id))
        import_rows(ledger, "r2", [valid(2, "b", "v2")], updates=True)
        move(ledger, planned(ledger, "r2")[0], State.UNKNOWN)
        import_rows(rehearsal, "s1", [valid(2, "a")])
        create(rehearsal, "s1", "elsewhere")
        undo(rehearsal, "t0", "s1")
        carry_out(rehearsal, "t0")

        others = [f"other-{i}" for i in range(2_000)]
        assert owned_ids(ledger, ["id-1", *others, "deleted", "elsewhere", "id-2"]) == {"id-1", "id-2", "deleted"}
        assert owned_ids(ledger, []) == set()


def test_planned_creates_are_found_by_their_keys(tmp_path: Path) -> None:
    """Those of the run and the collection that were not sent yet; updates are no creates."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r0", [valid(2, "u")])
        create(ledger, "r0")
        rows = [valid(2, "a"), valid(3, "b"), valid(4, "c", collection=MACOS), valid(5, "u", "v2"), valid(6, "d")]
        import_rows(ledger, "r1", rows, updates=True)
        first, second, _, _, _ = sorted(planned(ledger, "r1"), key=lambda row: row.row_pk)
        move(ledger, second, State.SENDING)

        wanted = [*(f"other-{i}" for i in range(2_000)), "a", "b", "c", "u"]
        assert planned_by_key(ledger, "r1", IOS, wanted) == {"a": first}
        assert first == PlannedRow(first.object_pk, first.row_pk, IOS, body("a", "v1"), 0, Operation.CREATE, "")


def look_of(ledger: Ledger, run_id: str) -> str:
    """Return whether the run has to look into the tenant before it sends."""
    return run_info(ledger, run_id).remote_check


def test_a_look_is_due_in_a_collection_to_which_nothing_was_ever_sent(tmp_path: Path) -> None:
    """Planned and unsent rows say nothing of the tenant; what was sent does, in its own collection and scope only."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger, opened(path, REHEARSAL) as rehearsal:
        import_rows(ledger, "r1", [valid(2, "a")])
        leave_unsent(ledger, "r1", "stopped")
        set_remote_check(ledger, "r1", RemoteCheck.DONE)
        import_rows(ledger, "r2", [valid(2, "a")])
        set_remote_check(ledger, "r2", RemoteCheck.DONE)
        move(ledger, planned(ledger, "r2")[0], State.SENDING)
        import_rows(ledger, "r3", [valid(2, "b")])
        import_rows(ledger, "r4", [valid(2, "c", collection=MACOS)])
        import_rows(rehearsal, "s1", [valid(2, "a")])

        assert [look_of(ledger, each) for each in ("r1", "r2", "r3", "r4")] == ["done", "done", "", "due"]
        assert look_of(rehearsal, "s1") == "due"


@pytest.mark.parametrize(
    ("last", "due"), [(RemoteCheck.DUE, "due"), (RemoteCheck.STRANGERS, "due"), (RemoteCheck.DONE, "")]
)
def test_a_look_is_due_after_one_that_was_not_finished_or_found_strangers(
    tmp_path: Path, last: RemoteCheck, due: str
) -> None:
    """Objects that nobody here knows of may be those of the next file."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        create(ledger, "r1")
        set_remote_check(ledger, "r1", last)
        import_rows(ledger, "r2", [valid(2, "b")])

        assert look_of(ledger, "r2") == due


@pytest.mark.parametrize("state", [State.MISSING, State.REVERSED, State.CHANGED])
def test_what_was_there_once_is_not_created_again_without_a_look(tmp_path: Path, state: State) -> None:
    """Even when a run is told not to look: what was read or answered then may have been wrong."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        create(ledger, "r1")
        with ledger.transaction() as connection:
            connection.exec_driver_sql("UPDATE objects SET state = ? WHERE key = 'a'", (state.value,))
        begin(ledger, "r2")
        stage(ledger, "r2", [valid(2, "a")])
        plan_run(ledger, "r2", looks=False)
        begin(ledger, "r3")
        stage(ledger, "r3", [valid(2, "c")])
        plan_run(ledger, "r3", looks=False)

        assert (look_of(ledger, "r2"), look_of(ledger, "r3")) == ("due", "")
        assert [row.operation for row in planned(ledger, "r2")] == [Operation.CREATE]


# --- retry


def test_refused_rows_are_planned_again(tmp_path: Path) -> None:
    """As creates where there is no object, else as updates; the run goes on, and says `rejected before` no more."""
    with opened(tmp_path / "ledger.db") as ledger:
        create_one(ledger)
        import_rows(ledger, "r2", [valid(2, "a", "v2"), valid(3, "b"), valid(4, "c")], updates=True)
        for row in planned(ledger, "r2"):
            move(ledger, row, State.REJECTED, Answer(400, "", "Bad", "no"))
        again = [valid(2, "a", "v2"), valid(3, "b"), valid(4, "c", "v2"), valid(5, "d")]
        import_rows(ledger, "r3", again, updates=True)
        assert [state for _, state in states(ledger, "r3")] == [
            State.REJECTED_BEFORE,
            State.REJECTED_BEFORE,
            State.PLANNED,
            State.PLANNED,
        ]
        end_run(ledger, "r3", stop="threshold", stop_message="stopped")

        assert plan_retry(ledger, "r3", missing=False) == 2

        assert [(row.operation, row.object_id, row.body) for row in planned(ledger, "r3")] == [
            (Operation.UPDATE, "id-1", body("a", "v2")),
            (Operation.CREATE, "", body("b", "v1")),
            (Operation.CREATE, "", body("c", "v2")),
            (Operation.CREATE, "", body("d", "v1")),
        ]
        assert said(ledger, "r3")[:2] == [(2, State.PLANNED, []), (3, State.PLANNED, [])]
        assert (run_info(ledger, "r3").ended_at, run_info(ledger, "r3").stop) == (None, "")
        assert plan_retry(ledger, "r2", missing=False) == 0  # r3 has taken them over
        assert check_ledger(ledger) == []
        carry_out(ledger, "r3")
        assert {state for _, state in states(ledger, "r3")} == {State.UPDATED, State.CREATED}
        assert object_of(ledger) == ObjectLine(State.UPDATED, Operation.UPDATE, ("r3", 2), ("r3", 2), "id-1", "v2")


def test_a_row_that_was_corrected_since_is_not_retried(tmp_path: Path) -> None:
    """Once other values were created, the refused ones are history."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1"), valid(3, "b", "v1")])
        for row in planned(ledger, "r1"):
            move(ledger, row, State.REJECTED)
        import_rows(ledger, "r2", [valid(2, "a", "v2")])
        create(ledger, "r2")

        assert plan_retry(ledger, "r1", missing=False) == 1
        assert states(ledger, "r1") == [(2, State.REJECTED), (3, State.PLANNED)]


def test_missing_rows_are_planned_as_new_ones_when_that_is_wanted(tmp_path: Path) -> None:
    """Neither the refused ones with them, nor the missing ones without being asked."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b"), valid(4, "c")])
        gone, refused, there = planned(ledger, "r1")
        move(ledger, refused, State.REJECTED)
        for row, object_id in ((gone, "id-1"), (there, "id-3")):
            move(ledger, row, State.CREATED, Answer(object_id=object_id))
        settle(ledger, gone, State.MISSING)

        assert plan_retry(ledger, "r1", missing=True) == 1
        assert states(ledger, "r1") == [(2, State.PLANNED), (3, State.REJECTED), (4, State.CREATED)]
        assert object_of(ledger) == ObjectLine(State.PLANNED)
        carry_out(ledger, "r1")
        assert plan_retry(ledger, "r1", missing=False) == 1
        assert states(ledger, "r1") == [(2, State.CREATED), (3, State.PLANNED), (4, State.CREATED)]
        assert check_ledger(ledger) == []


def test_an_update_of_a_missing_object_is_retried_as_a_create(tmp_path: Path) -> None:
    """What is not there any more cannot be updated; that is never decided without being asked."""
    with opened(tmp_path / "ledger.db") as ledger:
        create_one(ledger)
        import_rows(ledger, "r2", [valid(2, "a", "v2")], updates=True)
        move(ledger, planned(ledger, "r2")[0], State.MISSING)

        assert (plan_retry(ledger, "r2", missing=False), plan_retry(ledger, "r2", missing=True)) == (0, 1)
        assert object_of(ledger) == ObjectLine(State.PLANNED, owner=("r2", 2), fingerprint="v2")
        assert [(row.operation, row.object_id) for row in planned(ledger, "r2")] == [(Operation.CREATE, "")]


# --- which run is next


def test_a_run_with_unknown_rows_is_what_resume_goes_on_with(tmp_path: Path) -> None:
    """Be they its own or another run's that it waits for; without any the latest run is meant."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        (row,) = planned(ledger, "r1")
        move(ledger, row, State.UNKNOWN)
        import_rows(ledger, "r2", [])
        assert [find_run(ledger, None, prefer_waiting=each).id for each in (True, False)] == ["r1", "r2"]

        import_rows(ledger, "r3", [valid(2, "a")])
        import_rows(ledger, "r4", [])
        assert find_run(ledger, None, prefer_waiting=True).id == "r3"
        settle(ledger, row, State.CREATED, Answer(object_id="id-1"))
        replan_settled(ledger, "r3", updates=False)
        assert find_run(ledger, None, prefer_waiting=True).id == "r4"


def test_the_latest_run_is_the_one_that_began_last(tmp_path: Path) -> None:
    """Whatever the clock said: it can jump back."""
    with opened(tmp_path / "ledger.db") as ledger:
        for run_id in ("r9", "r1"):
            begin(ledger, run_id)
        with ledger.transaction() as connection:
            connection.exec_driver_sql("UPDATE runs SET started_at = '2001-01-01', planned_at = '2001-01-01'")
            connection.exec_driver_sql("UPDATE runs SET started_at = '2000-01-01' WHERE id = 'r1'")

        assert find_run(ledger, None).id == "r1"
