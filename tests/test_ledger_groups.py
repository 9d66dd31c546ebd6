"""Many steps in one group: the same as one by one, in the same order, or nothing at all."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from ledger_cases import (
    IOS,
    balance,
    carry_out,
    create,
    import_rows,
    opened,
    planned,
    states,
    undo,
    valid,
)
from sqlalchemy import event

from pipeline.findings import Code, Severity, finding
from pipeline.ledger import (
    Ledger,
    apply_transitions,
    check_ledger,
    find_run,
    leave_unsent,
    next_planned,
    owned_ids,
    plan_again,
    planned_by_key,
    planned_collections,
    planned_lanes,
    replan_settled,
    report_rows,
    row_stories,
    rows_with,
    run_info,
    settle_leftovers,
    state_counts,
    unknown_count,
    unknown_rows,
    waiting_rows,
)
from pipeline.model import Answer, Operation, PlannedRow, State, Transition

TABLES = {
    "rows": "*",
    "row_cells": "*",
    "row_bodies": "*",
    "objects": "pk, key, fingerprint, state, operation, graph_id, run_id, row_pk, there_row_pk, is_adopted, "
    "refused_fingerprint",
    "events": "run_id, row_pk, object_pk, operation, state, attempts, http_status, graph_code, graph_message, "
    "request_id, client_request_id, graph_id",
    "findings": "*",
}
"""What a ledger says, without the times."""

ORDER = {"events": "row_pk, pk"}
"""The steps of a row stand in their order. Which of two rows comes first within one commit says nothing."""

OTHER_VALUES = finding(Code.CHANGED, "it differs in value")


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all that the ledger holds."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            name: connection.execute(f"SELECT {what} FROM {name} ORDER BY {ORDER.get(name, 1)}").fetchall()  # noqa: S608 - the tables above
            for name, what in TABLES.items()
        }


def prepared(ledger: Ledger) -> list[PlannedRow]:
    """Let r1 create eight objects, plan r2 to update two, to create eight and u1 to delete two; return these rows."""
    import_rows(ledger, "r1", [valid(2 + at, f"old-{at}") for at in range(8)])
    create(ledger, "r1")
    new = [valid(10 + at, f"new-{at}") for at in range(8)]
    import_rows(ledger, "r2", [valid(2, "old-0", "v2"), valid(3, "old-1", "v2"), *new], updates=True)
    undo(ledger, "u1", "r1")
    return [*planned(ledger, "r2"), *planned(ledger, "u1")]


def steps_of(rows: list[PlannedRow]) -> list[Transition]:
    """Return steps of all kinds, mixed, some rows with several of them."""
    by_operation = {each: [row for row in rows if row.operation is each] for each in Operation}
    created, refused, unknown, changed, found, throttled, missing, late = by_operation[Operation.CREATE]
    deletes = by_operation[Operation.DELETE]

    def step(
        row: PlannedRow, state: State, *, is_adopted: bool = False, told: bool = False, **answer: str
    ) -> Transition:
        known = Answer(http_status=200, client_request_id=f"c-{row.row_pk}", **answer)
        return Transition(row, state, 1, known, is_adopted, OTHER_VALUES if told else None)

    return [
        *(step(row, State.SENDING) for row in rows if row != found),
        step(created, State.CREATED, object_id="new-id-1", request_id="q-1"),
        step(refused, State.REJECTED, graph_code="BadRequest", message="no"),
        step(late, State.UNKNOWN, message="lost"),
        step(throttled, State.PLANNED),
        step(unknown, State.UNKNOWN),
        step(missing, State.CREATED, object_id="new-id-2"),
        step(changed, State.UNKNOWN),
        step(changed, State.CHANGED, told=True),
        step(missing, State.MISSING),
        step(found, State.ALREADY_THERE, object_id="new-id-3"),
        step(throttled, State.SENDING),
        step(deletes[0], State.REVERSED),
        step(late, State.CREATED, object_id="new-id-4", is_adopted=True),
        step(throttled, State.CREATED, object_id="new-id-5"),
        step(deletes[1], State.KEPT),
        step(deletes[2], State.REJECTED, message="no"),
    ]


def test_a_group_does_what_its_steps_do_one_by_one(tmp_path: Path) -> None:
    """Rows, objects, cells, findings and events are the same, and each row has its events in the same order."""
    with opened(tmp_path / "one.db") as ledger:
        for each in steps_of(prepared(ledger)):
            apply_transitions(ledger, [each])
        assert check_ledger(ledger) == []
    with opened(tmp_path / "group.db") as ledger:
        apply_transitions(ledger, steps_of(prepared(ledger)))
        assert check_ledger(ledger) == []

    assert contents(tmp_path / "group.db") == contents(tmp_path / "one.db")


@pytest.mark.parametrize("rows", [1, 5, 257, 1_030])
def test_a_group_of_any_size_is_whole(tmp_path: Path, rows: int) -> None:
    """Each row and its object have moved, and no other one."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2 + at, f"key-{at}") for at in range(rows + 1)])
        *sent, _ = planned(ledger, "r1")
        apply_transitions(ledger, [Transition(row, State.SENDING, 1, Answer()) for row in sent])
        apply_transitions(ledger, [Transition(row, State.CREATED, 1, Answer(201, f"id-{row.row_pk}")) for row in sent])

        created = list(report_rows(ledger, "r1", [State.CREATED]))
        assert [row.answer.object_id for row in created] == [f"id-{row.row_pk}" for row in sent]
        assert state_counts(ledger, "r1") == {State.CREATED: rows, State.PLANNED: 1}
        assert (check_ledger(ledger), balance(ledger, "r1")) == ([], (rows + 1, rows + 1))


def test_the_steps_of_a_row_stay_in_their_order(tmp_path: Path) -> None:
    """A row that comes back to a state within a group has been there, and its events say so."""
    way = [State.SENDING, State.PLANNED, State.SENDING, State.UNKNOWN, State.PLANNED, State.SENDING, State.CREATED]
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        rows = planned(ledger, "r1")
        apply_transitions(ledger, [Transition(row, state, 1, Answer(None, "id")) for state in way for row in rows])

        for number in (2, 3):
            (story,) = row_stories(ledger, "r1", number)
            assert [each.state for each in story.events] == way


def test_a_group_with_an_impossible_step_writes_nothing(tmp_path: Path) -> None:
    """Wherever in the group it stands."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        first, second = planned(ledger, "r1")
        before = contents(tmp_path / "ledger.db")
        steps = [
            Transition(first, State.SENDING, 1, Answer()),
            Transition(second, State.REVERSED, 1, Answer()),
            Transition(first, State.CREATED, 1, Answer(201, "id")),
        ]
        with pytest.raises(ValueError, match=f"row {second.row_pk} of the ledger: create cannot end as reversed"):
            apply_transitions(ledger, steps)

    assert contents(tmp_path / "ledger.db") == before


def test_no_step_is_no_harm(tmp_path: Path) -> None:
    """An empty group changes nothing."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        apply_transitions(ledger, [])

        assert states(ledger, "r1") == [(2, State.PLANNED)]


# --- how SQLite finds what it is asked for


@contextmanager
def plans_of(ledger: Ledger) -> Iterator[list[str]]:
    """Yield a list that grows by the steps of SQLite's plan for each statement."""
    steps: list[str] = []

    def explain(
        _connection: object, cursor: sqlite3.Cursor, statement: str, values: tuple[object, ...], *_: object
    ) -> None:
        if statement.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "INSERT", "DELETE", "WITH"}:
            explained = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            steps.extend(detail for *_, detail in explained)

    event.listen(ledger.engine, "before_cursor_execute", explain)
    try:
        yield steps
    finally:
        event.remove(ledger.engine, "before_cursor_execute", explain)


QUESTIONS: dict[str, Callable[[Ledger, PlannedRow], object]] = {
    "settle_leftovers": lambda ledger, _: settle_leftovers(ledger),
    "find_run": lambda ledger, _: find_run(ledger, None, prefer_waiting=True),
    "plan_again": lambda ledger, _: plan_again(ledger, "r2"),
    "unknown_rows": lambda ledger, _: unknown_rows(ledger, "r2"),
    "unknown_count": lambda ledger, _: unknown_count(ledger, "r2"),
    "replan_settled": lambda ledger, _: replan_settled(ledger, "r2", updates=True),
    "run_info": lambda ledger, _: run_info(ledger, "r2"),
    "state_counts": lambda ledger, _: state_counts(ledger, "r2"),
    "waiting_rows": lambda ledger, _: waiting_rows(ledger, "r2"),
    "planned_lanes": lambda ledger, _: planned_lanes(ledger, "r2"),
    "planned_collections": lambda ledger, _: planned_collections(ledger, "r2"),
    "next_planned": lambda ledger, _: next_planned(ledger, "r2", IOS, operation=Operation.CREATE, after_pk=1, most=200),
    "planned_by_key": lambda ledger, _: planned_by_key(ledger, "r2", IOS, ["new-1"]),
    "owned_ids": lambda ledger, _: owned_ids(ledger, ["id-1"]),
    "report_rows": lambda ledger, _: list(report_rows(ledger, "r2", [State.CREATED])),
    "rows_with": lambda ledger, _: list(rows_with(ledger, "r2", Severity.WARNING)),
    "row_stories": lambda ledger, _: row_stories(ledger, "r2", 2),
    "leave_unsent": lambda ledger, _: leave_unsent(ledger, "r2", "stopped", collection=IOS),
    "apply_transitions": lambda ledger, row: apply_transitions(ledger, [Transition(row, State.SENDING, 1, Answer())]),
    "to the end": lambda ledger, _: carry_out(ledger, "r2"),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_nothing_goes_through_all_rows(tmp_path: Path, ask: Callable[[Ledger, PlannedRow], object]) -> None:
    """Each question is answered through an index, however many rows, objects and events there are."""
    with opened(tmp_path / "ledger.db") as ledger:
        row = next(row for row in prepared(ledger) if row.operation is Operation.CREATE)
        with plans_of(ledger) as steps:
            ask(ledger, row)

    assert steps
    tables = ("rows", "objects", "events", "findings", "row_cells", "row_bodies", "waiter", "taker", "there")
    assert [each for each in steps if each.startswith(tuple(f"SCAN {name}" for name in tables))] == []


def test_planned_rows_are_found_by_their_lane(tmp_path: Path) -> None:
    """A lane's next rows stand one behind the other, also where other lanes' rows stand between them."""
    with opened(tmp_path / "ledger.db") as ledger:
        prepared(ledger)
        with plans_of(ledger) as steps:
            next_planned(ledger, "r2", IOS, operation=Operation.CREATE, after_pk=1, most=200)

    assert steps[0] == ("SEARCH rows USING INDEX rows_planned (run_id=? AND collection=? AND operation=? AND rowid>?)")
