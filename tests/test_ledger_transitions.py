"""What the outcome of each operation makes of the row and of its object, and the event that each step leaves."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import (
    ObjectLine,
    balance,
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

from pipeline.errors import LedgerError
from pipeline.findings import Code, finding
from pipeline.ledger import (
    Event,
    Ledger,
    apply_transitions,
    check_ledger,
    created_rows,
    discard_run,
    leave_unsent,
    plan_again,
    report_rows,
    row_stories,
    settle_leftovers,
)
from pipeline.model import Answer, Operation, State, Transition

THERE = ObjectLine(State.CREATED, there=("r1", 2), graph_id="id-1")
UPDATING = THERE._replace(operation=Operation.UPDATE, owner=("r2", 2))
DELETING = THERE._replace(operation=Operation.DELETE, owner=("u1", 2))
PENDING = (State.PLANNED, State.UNSENT, State.SENDING, State.UNKNOWN)
OTHER_VALUES = finding(Code.CHANGED, "it differs in value")


def reach_update(ledger: Ledger) -> None:
    """Let r1 create an object with the values v1 and r2 plan to update it to v2."""
    import_rows(ledger, "r1", [valid(2, "a", "v1")])
    create(ledger, "r1")
    import_rows(ledger, "r2", [valid(2, "a", "v2")], updates=True)


def reach_delete(ledger: Ledger) -> None:
    """Let r1 create an object and u1 plan to delete it."""
    import_rows(ledger, "r1", [valid(2, "a", "v1")])
    create(ledger, "r1")
    undo(ledger, "u1", "r1")


# --- create


@pytest.mark.parametrize(
    ("state", "is_adopted", "line"),
    [
        *((state, False, ObjectLine(state)) for state in PENDING),
        (State.CREATED, False, THERE),
        (State.CREATED, True, THERE._replace(is_adopted=True)),
        (State.REJECTED, False, ObjectLine(State.REJECTED, refused="v1")),
        (State.CHANGED, False, ObjectLine(State.CHANGED)),
        (State.ALREADY_THERE, True, THERE._replace(is_adopted=True)),
    ],
)
def test_a_create_ends(tmp_path: Path, state: State, is_adopted: bool, line: ObjectLine) -> None:
    """The row comes to the state; the object has the service's id only when it is in the tenant and ours."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        (row,) = planned(ledger, "r1")
        object_id = "id-1" if state in {State.CREATED, State.ALREADY_THERE} else ""
        settle(ledger, row, state, Answer(object_id=object_id), is_adopted=is_adopted)

        assert (states(ledger, "r1"), object_of(ledger)) == ([(2, state)], line)
        (told,) = report_rows(ledger, "r1", [state])
        assert (told.answer.object_id, told.body) == (object_id, row.body)
        assert (told.cells is None) == (state in {State.CREATED, State.ALREADY_THERE})


def test_a_step_tells_its_finding_once(tmp_path: Path) -> None:
    """A row that is found changed once more does not say so twice."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        (row,) = planned(ledger, "r1")
        for _ in range(2):
            settle(ledger, row, State.CHANGED, found=OTHER_VALUES)

        assert said(ledger, "r1") == [(2, State.CHANGED, ["it differs in value"])]


def test_a_created_object_that_is_missing_can_be_found_again(tmp_path: Path) -> None:
    """Missing it keeps its id and is nobody's values; found again it is what it was, adopted or not."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        (row,) = planned(ledger, "r1")
        move(ledger, row, State.UNKNOWN)
        settle(ledger, row, State.CREATED, Answer(object_id="id-1"), is_adopted=True)
        (created,) = created_rows(ledger, "r1")
        settle(ledger, created.row, State.MISSING)

        missing = THERE._replace(state=State.MISSING, there=None, is_adopted=True)
        assert (states(ledger, "r1"), object_of(ledger)) == ([(2, State.MISSING)], missing)
        (told,) = report_rows(ledger, "r1", [State.MISSING])
        assert told.answer.object_id == "id-1"

        settle(ledger, created.row, State.CREATED, Answer(object_id="id-1"))
        assert (states(ledger, "r1"), object_of(ledger)) == (
            [(2, State.CREATED)],
            missing._replace(state=State.CREATED, there=("r1", 2)),
        )
        assert check_ledger(ledger) == []


def test_an_updated_object_that_was_missing_is_found_again_as_updated(tmp_path: Path) -> None:
    """The run that only updated it must not look as if it had created it: its undo would delete the object."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach_update(ledger)
        carry_out(ledger, "r2")
        (updated,) = created_rows(ledger, "r2")
        settle(ledger, updated.row, State.MISSING)
        settle(ledger, updated.row, State.CREATED, Answer(object_id="id-1"))

        there = UPDATING._replace(state=State.UPDATED, there=("r2", 2), fingerprint="v2")
        assert (states(ledger, "r2"), object_of(ledger)) == ([(2, State.UPDATED)], there)
        assert undo(ledger, "u1", "r2").planned == 0
        assert check_ledger(ledger) == []


def test_a_row_that_waits_to_update_a_missing_object_is_unsent(tmp_path: Path) -> None:
    """There is nothing to update any more; resuming its run does not try."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach_update(ledger)
        (created,) = created_rows(ledger, "r1")
        settle(ledger, created.row, State.MISSING)
        plan_again(ledger, "r2")

        (told,) = report_rows(ledger, "r2", [State.UNSENT])
        assert told.answer.message == (
            "the object that this row was to change is missing from the tenant; import the row again"
        )
        assert object_of(ledger) == THERE._replace(state=State.MISSING, there=None)
        import_rows(ledger, "r3", [valid(2, "a", "v2")])
        assert [row.operation for row in planned(ledger, "r3")] == [Operation.CREATE]
        assert check_ledger(ledger) == []


def test_a_missing_object_with_an_unknown_update_is_left_to_that_update(tmp_path: Path) -> None:
    """The request whose answer was lost is settled in its own way; it finds the object missing as well."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach_update(ledger)
        (row,) = planned(ledger, "r2")
        move(ledger, row, State.UNKNOWN)
        (created,) = created_rows(ledger, "r1")
        settle(ledger, created.row, State.MISSING)

        assert object_of(ledger) == UPDATING._replace(state=State.UNKNOWN)
        settle(ledger, row, State.MISSING)
        assert states(ledger, "r1") + states(ledger, "r2") == [(2, State.MISSING)] * 2
        assert object_of(ledger) == UPDATING._replace(state=State.MISSING, there=None)


# --- update


@pytest.mark.parametrize(
    ("state", "line"),
    [
        *((state, UPDATING._replace(state=state)) for state in PENDING),
        (State.UPDATED, UPDATING._replace(state=State.UPDATED, there=("r2", 2), fingerprint="v2")),
        (State.REJECTED, THERE._replace(refused="v2")),
        (State.CHANGED, THERE),
        (State.MISSING, UPDATING._replace(state=State.MISSING, there=None)),
    ],
)
def test_an_update_ends(tmp_path: Path, state: State, line: ObjectLine) -> None:
    """Where the update did not happen, the object is its former row's again; it keeps its id in any case."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach_update(ledger)
        (row,) = planned(ledger, "r2")
        assert (row.operation, row.object_id) == (Operation.UPDATE, "id-1")
        move(ledger, row, state, Answer(object_id="id-1" if state is State.UPDATED else ""))

        assert (states(ledger, "r2"), object_of(ledger)) == ([(2, state)], line)
        assert states(ledger, "r1") == [(2, State.CREATED)]
        (told,) = report_rows(ledger, "r2", [state])
        assert told.answer.object_id == ("id-1" if state in {State.UPDATED, State.CHANGED, State.MISSING} else "")
        assert check_ledger(ledger) == []


def test_an_update_that_is_refused_leaves_an_earlier_update_in_place(tmp_path: Path) -> None:
    """The object goes back to the row that the tenant holds, which need not be the one that created it."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach_update(ledger)
        carry_out(ledger, "r2")
        import_rows(ledger, "r3", [valid(2, "a", "v3")], updates=True)
        move(ledger, planned(ledger, "r3")[0], State.REJECTED)

        there = UPDATING._replace(state=State.UPDATED, there=("r2", 2), fingerprint="v2", refused="v3")
        assert object_of(ledger) == there
        assert [each.row_number for each in created_rows(ledger, "r2")] == [2]
        assert check_ledger(ledger) == []


# --- delete


@pytest.mark.parametrize(
    ("state", "line", "parent"),
    [
        *((state, DELETING._replace(state=state), State.CREATED) for state in PENDING),
        (State.REVERSED, DELETING._replace(state=State.REVERSED, there=None), State.REVERSED),
        (State.KEPT, THERE, State.CREATED),
        (State.REJECTED, THERE, State.CREATED),
    ],
)
def test_a_delete_ends(tmp_path: Path, state: State, line: ObjectLine, parent: State) -> None:
    """Deleted, the object keeps its id for the report; kept, it is the row's again that created it."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach_delete(ledger)
        (row,) = planned(ledger, "u1")
        assert (row.operation, row.object_id) == (Operation.DELETE, "id-1")
        move(ledger, row, state)

        assert (states(ledger, "u1"), states(ledger, "r1")) == ([(2, state)], [(2, parent)])
        assert object_of(ledger) == line
        (told,) = report_rows(ledger, "u1", [state])
        assert told.answer.object_id == ("id-1" if state in {State.REVERSED, State.KEPT} else "")
        (told,) = report_rows(ledger, "r1", [parent])
        assert told.answer.object_id == "id-1"
        assert check_ledger(ledger) == []


def test_what_is_deleted_is_there_for_no_run(tmp_path: Path) -> None:
    """Every row that created or updated the object is reversed with it; a row of a later life of it is not."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a", "v1")])
        create(ledger, "r1", "id-1")
        undo(ledger, "u1", "r1")
        carry_out(ledger, "u1")
        import_rows(ledger, "r2", [valid(2, "a", "v1")])
        create(ledger, "r2", "id-2")

        ids = [row.answer.object_id for run in ("r1", "u1", "r2") for row in report_rows(ledger, run, tuple(State))]
        assert ids == ["id-1", "id-1", "id-2"]
        assert [states(ledger, run) for run in ("r1", "u1", "r2")] == [
            [(2, State.REVERSED)],
            [(2, State.REVERSED)],
            [(2, State.CREATED)],
        ]


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        (Operation.CREATE, State.UPDATED),
        (Operation.CREATE, State.REVERSED),
        (Operation.UPDATE, State.REVERSED),
        (Operation.DELETE, State.CREATED),
        (Operation.DELETE, State.STAGED),
    ],
)
def test_a_step_that_an_operation_cannot_take_is_refused(tmp_path: Path, operation: Operation, state: State) -> None:
    """A defect elsewhere does not get into the ledger; the steps made together with it are not written either."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        (row,) = planned(ledger, "r1")
        wrong = Transition(row._replace(operation=operation), state, 1, Answer())

        with pytest.raises(ValueError, match=f"row 1 of the ledger: {operation} cannot end as {state}"):
            apply_transitions(ledger, [Transition(row, State.SENDING, 1, Answer()), wrong])

        assert states(ledger, "r1") == [(2, State.PLANNED)]


@pytest.mark.parametrize(("reach", "run", "what"), [(reach_update, "r2", "updated"), (reach_delete, "u1", "deleted")])
def test_what_a_dead_run_was_changing_is_unknown(
    tmp_path: Path, reach: Callable[[Ledger], None], run: str, what: str
) -> None:
    """The message says which request it was; the object keeps its id and its operation."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach(ledger)
        move(ledger, planned(ledger, run)[0], State.SENDING)

        assert settle_leftovers(ledger) == 1

        (told,) = report_rows(ledger, run, [State.UNKNOWN])
        assert told.answer.message == (
            f"the program ended before the answer came; the object may or may not have been {what}"
        )
        operation = Operation.UPDATE if run == "r2" else Operation.DELETE
        assert object_of(ledger) == THERE._replace(state=State.UNKNOWN, operation=operation, owner=(run, 2))


@pytest.mark.parametrize(("reach", "run"), [(reach_update, "r2"), (reach_delete, "u1")])
def test_an_unsent_change_is_planned_again_as_the_change_it_was(
    tmp_path: Path, reach: Callable[[Ledger], None], run: str
) -> None:
    """Stopping and resuming changes neither the operation nor the id."""
    with opened(tmp_path / "ledger.db") as ledger:
        reach(ledger)
        before = planned(ledger, run)
        leave_unsent(ledger, run, "stopped")
        assert planned(ledger, run) == []
        plan_again(ledger, run)

        assert planned(ledger, run) == before


# --- events


def test_each_step_leaves_an_event(tmp_path: Path) -> None:
    """The story of a row is told from its object's events in all runs, each with the id that the object had then."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        assert [story.events for story in row_stories(ledger, "r1", 2)] == [()]
        first, _ = planned(ledger, "r1")
        slow = Answer(429, "", "TooMany", "slow", "req-1", "mine-1")
        created = Answer(201, "id-1", "", "", "req-2", "mine-2")
        for state, attempts, answer in (
            (State.SENDING, 1, Answer(client_request_id="mine-1")),
            (State.PLANNED, 1, slow),
            (State.SENDING, 2, Answer(client_request_id="mine-2")),
            (State.CREATED, 2, created),
        ):
            apply_transitions(ledger, [Transition(first, state, attempts, answer)])
        undo(ledger, "u1", "r1")
        move(ledger, planned(ledger, "u1")[0], State.REVERSED, Answer(204))

        (story,) = row_stories(ledger, "r1", 2)
        (other,) = row_stories(ledger, "r1", 3)

    assert (story.file, story.sheet, story.row_number, story.state, story.operation, story.key) == (
        "inventory.csv",
        None,
        2,
        State.REVERSED,
        Operation.CREATE,
        "a",
    )
    c, d = Operation.CREATE, Operation.DELETE
    assert [each._replace(at="") for each in story.events] == [
        Event("", "r1", c, State.SENDING, 1, Answer(client_request_id="mine-1")),
        Event("", "r1", c, State.PLANNED, 1, slow),
        Event("", "r1", c, State.SENDING, 2, Answer(client_request_id="mine-2")),
        Event("", "r1", c, State.CREATED, 2, created),
        Event("", "u1", d, State.PLANNED, 0, Answer(object_id="id-1")),
        Event("", "u1", d, State.SENDING, 1, Answer(object_id="id-1", client_request_id="c1")),
        Event("", "r1", c, State.REVERSED, 2, created),
        Event("", "u1", d, State.REVERSED, 1, Answer(204, "id-1")),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each.at) for each in story.events)
    assert other.events == ()


def test_a_story_is_told_for_each_file_with_the_row(tmp_path: Path) -> None:
    """Findings come with it; a row that does not exist has no story."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        stage(ledger, "r1", [valid(2, "a", findings=[OTHER_VALUES])], file="one.csv")
        stage(ledger, "r1", [valid(2, "b"), valid(3, "c")], file="two.csv")

        told = [(each.file, each.state, each.findings) for each in row_stories(ledger, "r1", 2)]
        assert told == [("one.csv", State.STAGED, (OTHER_VALUES,)), ("two.csv", State.STAGED, ())]
        assert row_stories(ledger, "r1", 9) == []


@pytest.mark.parametrize("statement", ["UPDATE events SET state = 'created'", "DELETE FROM events"])
def test_events_are_never_changed(tmp_path: Path, statement: str) -> None:
    """Neither this program nor another one rewrites or removes what happened."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        create(ledger, "r1")
        before = row_stories(ledger, "r1", 2)

        with pytest.raises(LedgerError, match="events are append-only"), ledger.transaction() as connection:
            connection.exec_driver_sql(statement)
        with (
            closing(sqlite3.connect(path)) as other,
            pytest.raises(sqlite3.IntegrityError, match="events are append-only"),
        ):
            other.execute(statement)

        assert row_stories(ledger, "r1", 2) == before != []


def test_a_discarded_run_had_no_events(tmp_path: Path) -> None:
    """Reading files is no step of a row, so that a run can be removed whose files were not read to the end."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        stage(ledger, "r1", [valid(2, "a")])
        discard_run(ledger, "r1")

        assert (row_stories(ledger, "r1", 2), check_ledger(ledger), balance(ledger, "r1")) == ([], [], (0, 0))
