"""Send's side of the ledger: what is planned, intents and outcomes, what a dead run left, readers beside a writer."""

import tempfile
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ledger_cases import (
    IOS,
    MACOS,
    SCOPE,
    add_file,
    balance,
    begin,
    create,
    import_rows,
    invalid,
    move,
    opened,
    planned,
    stage,
    states,
    valid,
)

from pipeline.errors import LedgerError
from pipeline.ledger import (
    Ledger,
    apply_transitions,
    check_ledger,
    discard_run,
    end_run,
    leave_unsent,
    next_planned,
    open_ledger,
    plan_again,
    plan_run,
    planned_collections,
    report_rows,
    run_info,
    settle_leftovers,
    stage_rows,
    state_counts,
)
from pipeline.model import Answer, PlannedRow, State, Transition

# --- what is planned


def test_planned_rows_come_by_collection_in_the_order_of_reading(tmp_path: Path) -> None:
    """Collections come in the order of their first row, with their number; rows in portions after a given one."""
    with opened(tmp_path / "ledger.db") as ledger:
        rows = [valid(2, "a", collection=MACOS), valid(3, "b"), valid(4, "c", collection=MACOS), valid(5, "d")]
        import_rows(ledger, "r1", [*rows, invalid(6), valid(7, "e"), valid(8, "e")])

        assert planned_collections(ledger, "r1") == [(MACOS, 2), (IOS, 3)]
        first = next_planned(ledger, "r1", IOS, after_pk=0, most=2)
        rest = next_planned(ledger, "r1", IOS, after_pk=first[-1].row_pk, most=2)
        assert [(row.body, row.collection, row.attempts) for row in [*first, *rest]] == [
            (b'{"key":"b","value":"v1"}', IOS, 0),
            (b'{"key":"d","value":"v1"}', IOS, 0),
            (b'{"key":"e","value":"v1"}', IOS, 0),
        ]
        assert next_planned(ledger, "r1", IOS, after_pk=rest[-1].row_pk, most=2) == []


def test_rows_that_left_are_planned_no_more(tmp_path: Path) -> None:
    """An intent takes a row out of the plan; planned again it is in it, with the attempt counted."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        first, second = planned(ledger, "r1")
        apply_transitions(ledger, [Transition(first, State.SENDING, 1, Answer(client_request_id="c"))])

        assert planned(ledger, "r1") == [second]
        apply_transitions(ledger, [Transition(first, State.PLANNED, 1, Answer(http_status=429))])
        assert planned(ledger, "r1") == [first._replace(attempts=1), second]


# --- intents and outcomes


def test_an_outcome_is_reported_with_its_whole_answer(tmp_path: Path) -> None:
    """Status, id, code, message and both request ids come out as they came in, and replace those of the attempt."""
    answer = Answer(400, "", "BadRequest", "the date is wrong", "req-1", "mine-2")
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        first, second = planned(ledger, "r1")
        created = Answer(http_status=201, object_id="id-1", request_id="req-2", client_request_id="mine-3")
        steps = [
            Transition(first, State.SENDING, 1, Answer(client_request_id="mine-1")),
            Transition(first, State.PLANNED, 1, Answer(http_status=429, graph_code="TooMany", message="slow")),
            Transition(second, State.SENDING, 1, Answer(client_request_id="mine-3")),
            Transition(first, State.SENDING, 2, Answer(client_request_id="mine-2")),
            Transition(first, State.REJECTED, 2, answer),
            Transition(second, State.CREATED, 1, created),
        ]
        apply_transitions(ledger, steps[:4])
        under_way = [(row.state, row.attempts, row.answer) for row in report_rows(ledger, "r1", tuple(State))]
        apply_transitions(ledger, steps[4:])
        settled = [(row.state, row.attempts, row.answer) for row in report_rows(ledger, "r1", tuple(State))]

    assert under_way == [
        (State.SENDING, 2, Answer(client_request_id="mine-2")),
        (State.SENDING, 1, Answer(client_request_id="mine-3")),
    ]
    assert settled == [(State.REJECTED, 2, answer), (State.CREATED, 1, created)]


def test_a_group_of_steps_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A step that cannot be written takes the whole group with it."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        first, second = planned(ledger, "r1")
        with ledger.transaction() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE UPDATE ON objects WHEN new.pk = 2 "
                "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )

        with pytest.raises(LedgerError, match="disk full"):
            apply_transitions(ledger, [Transition(row, State.SENDING, 1, Answer()) for row in (first, second)])

        assert states(ledger, "r1") == [(2, State.PLANNED), (3, State.PLANNED)]


# --- what a dead run left behind


def test_what_was_in_flight_when_the_program_died_is_unknown(tmp_path: Path) -> None:
    """Only rows whose intent was written are touched; they keep the id under which they were sent."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(i, key) for i, key in enumerate("abcd", 2)])
        created, in_flight, rejected, _ = planned(ledger, "r1")
        move(ledger, created, State.CREATED)
        move(ledger, in_flight, State.SENDING)
        move(ledger, rejected, State.REJECTED)

        assert (settle_leftovers(ledger), settle_leftovers(ledger)) == (1, 0)

        assert states(ledger, "r1") == [
            (2, State.CREATED),
            (3, State.UNKNOWN),
            (4, State.REJECTED),
            (5, State.PLANNED),
        ]
        (unknown,) = report_rows(ledger, "r1", [State.UNKNOWN])
        assert (unknown.cells, unknown.attempts, unknown.answer) == (
            ("b", "v1"),
            1,
            Answer(
                message="the program ended before the answer came; the row may or may not have been created",
                client_request_id="c1",
            ),
        )


def test_leftovers_of_all_runs_of_the_scope_are_settled(tmp_path: Path) -> None:
    """Whichever run was killed, the next holder of the lock settles it."""
    with opened(tmp_path / "ledger.db") as ledger:
        for run_id, key in (("r1", "a"), ("r2", "b")):
            import_rows(ledger, run_id, [valid(2, key)])
            move(ledger, planned(ledger, run_id)[0], State.SENDING)

        assert settle_leftovers(ledger) == 2
        assert states(ledger, "r1") + states(ledger, "r2") == [(2, State.UNKNOWN)] * 2


# --- unsent, and planned again


def test_a_stopped_collection_leaves_its_planned_rows_unsent(tmp_path: Path) -> None:
    """The reason replaces what a row was answered before; other collections and other states stay as they are."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b"), valid(4, "c", collection=MACOS)])
        sending, throttled, _ = planned(ledger, "r1")
        move(ledger, throttled, State.PLANNED, Answer(http_status=429, graph_code="TooMany", request_id="q"))
        move(ledger, sending, State.SENDING)

        leave_unsent(ledger, "r1", "HTTP 404: no such profile", collection=IOS)

        assert states(ledger, "r1") == [(2, State.SENDING), (3, State.UNSENT), (4, State.PLANNED)]
        (unsent,) = report_rows(ledger, "r1", [State.UNSENT])
        assert unsent.answer == Answer(message="HTTP 404: no such profile")
        leave_unsent(ledger, "r1", "stopped")
        assert state_counts(ledger, "r1") == {State.SENDING: 1, State.UNSENT: 2}


def test_unsent_rows_are_planned_again_and_the_run_is_open_again(tmp_path: Path) -> None:
    """Rows that are settled or unknown stay so; attempts go on counting."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(i, key) for i, key in enumerate("abcd", 2)])
        for row, state in zip(planned(ledger, "r1"), (State.CREATED, State.UNKNOWN, State.UNSENT), strict=False):
            move(ledger, row, state, Answer(404, "", "NotFound", "why", "req", "mine"))
        leave_unsent(ledger, "r1", "stopped")
        end_run(ledger, "r1", stop="preflight", stop_message="stopped")

        plan_again(ledger, "r1")

        run = run_info(ledger, "r1")
        assert (run.ended_at, run.stop, run.stop_message) == (None, "", "")
        assert [(row.body, row.attempts) for row in planned(ledger, "r1")] == [
            (b'{"key":"c","value":"v1"}', 1),
            (b'{"key":"d","value":"v1"}', 0),
        ]
        assert [row.answer for row in report_rows(ledger, "r1", [State.PLANNED])] == [Answer(), Answer()]


def test_rows_that_a_later_run_took_over_are_not_planned_again(tmp_path: Path) -> None:
    """Resuming the earlier run sends neither what the later one sends nor what it has sent."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(i, key) for i, key in enumerate("abc", 2)])
        leave_unsent(ledger, "r1", "stopped")
        import_rows(ledger, "r2", [valid(2, "a"), valid(3, "b", "v2")])
        move(ledger, planned(ledger, "r2")[0], State.CREATED)

        plan_again(ledger, "r1")
        assert states(ledger, "r1") == [(2, State.UNSENT), (3, State.UNSENT), (4, State.PLANNED)]

        leave_unsent(ledger, "r2", "stopped")
        plan_again(ledger, "r1")
        assert planned(ledger, "r2") == []
        assert states(ledger, "r1") == [(2, State.UNSENT), (3, State.UNSENT), (4, State.PLANNED)]
        plan_again(ledger, "r2")
        assert [row.body for row in planned(ledger, "r2")] == [b'{"key":"b","value":"v2"}']


# --- readers beside a writer


def test_a_report_that_is_being_read_keeps_no_writer_waiting(tmp_path: Path) -> None:
    """A reader in the middle of thousands of rows goes on with the state it began with while steps are committed."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2 + i, f"k{i}") for i in range(3_000)])
        reader = report_rows(ledger, "r1", [State.PLANNED])
        next(reader)

        steps = [Transition(row, State.CREATED, 1, Answer(object_id="id")) for row in planned(ledger, "r1")]
        writer = threading.Thread(target=apply_transitions, args=(ledger, steps))
        writer.start()
        writer.join()
        begin(ledger, "r2")
        stage(ledger, "r2", [invalid(2)])

        assert state_counts(ledger, "r1") == {State.CREATED: 3_000}
        rest = list(reader)
        assert ([row.row_number for row in rest], {row.state for row in rest}) == (
            list(range(3, 3_002)),
            {State.PLANNED},
        )


def test_two_writers_wait_for_each_other(tmp_path: Path) -> None:
    """Two open ledgers on one file commit side by side, and no step is refused as locked."""
    path = tmp_path / "ledger.db"
    with opened(path) as one, opened(path) as other:
        for ledger, run_id in ((one, "r1"), (other, "r2")):
            import_rows(ledger, run_id, [valid(2 + i, f"{run_id}-{i}") for i in range(30)])

        threads = [threading.Thread(target=create, args=each) for each in ((one, "r1"), (other, "r2"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert state_counts(one, "r1") == state_counts(one, "r2") == {State.CREATED: 30}


# --- whatever happens, each row is accounted for and nothing is sent twice

KEYS = st.sampled_from("abcd")
FINGERPRINTS = st.sampled_from(["v1", "v1", "v2"])
CONTENT = st.lists(st.tuples(KEYS, FINGERPRINTS) | st.none(), max_size=6)  # None is an invalid row
OUTCOMES = (State.CREATED, State.REJECTED, State.UNKNOWN, State.UNSENT, State.PLANNED, State.SENDING)


class _ImportsInAnyOrder(RuleBasedStateMachine):
    """Runs are staged, planned, sent, killed, stopped, resumed and discarded in any order, under the lock's rules."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger: Ledger = open_ledger(Path(self.folder.name) / "ledger.db", SCOPE)
        self.runs: list[str] = []
        self.rows_read: Counter[str] = Counter()
        self.row_number = 1
        self.being_read: str | None = None
        self.maybe_created: Counter[str] = Counter()  # how often each key may have been created in the tenant

    def teardown(self) -> None:
        said = check_ledger(self.ledger)
        self.ledger.close()
        self.folder.cleanup()
        assert said == []

    @rule()
    @precondition(lambda self: self.being_read is None)
    def begin_a_run(self) -> None:
        run_id = f"r{len(self.rows_read)}"
        self.rows_read[run_id] = 0
        self.runs.append(run_id)
        self.being_read = run_id
        begin(self.ledger, run_id)

    @rule(content=CONTENT, blank_rows=st.integers(0, 2))
    @precondition(lambda self: self.being_read is not None)
    def read_a_file(self, content: list[tuple[str, str] | None], blank_rows: int) -> None:
        assert self.being_read is not None
        source_pk = add_file(self.ledger, self.being_read)
        for part in (content[:3], content[3:]):
            rows = []
            for each in part:
                self.row_number += 1
                rows.append(invalid(self.row_number) if each is None else valid(self.row_number, *each))
            stage_rows(self.ledger, self.being_read, source_pk, rows, blank_rows=blank_rows)
            self.rows_read[self.being_read] += len(rows) + blank_rows

    @rule()
    @precondition(lambda self: self.being_read is not None)
    def plan_it(self) -> None:
        assert self.being_read is not None
        plan_run(self.ledger, self.being_read)
        self.being_read = None

    @rule()
    @precondition(lambda self: self.being_read is not None)
    def find_a_file_unreadable(self) -> None:
        assert self.being_read is not None
        discard_run(self.ledger, self.being_read)
        self.runs.remove(self.being_read)
        self.being_read = None

    @rule()
    @precondition(lambda self: self.being_read is not None)
    def die_while_reading(self) -> None:
        self.being_read = None

    @rule(data=st.data(), outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4))
    @precondition(lambda self: self.being_read is None and self.runs)
    def resume(self, data: st.DataObject, outcomes: list[State]) -> None:
        run_id = data.draw(st.sampled_from(self.runs))
        settle_leftovers(self.ledger)
        plan_again(self.ledger, run_id)
        for row, state in zip(planned(self.ledger, run_id), outcomes, strict=False):
            key = row.body.decode().partition("=")[0]
            assert not self.maybe_created[key], f"{key} is sent though it may have been created"
            self.maybe_created[key] += state in {State.CREATED, State.UNKNOWN, State.SENDING}
            move(self.ledger, row, state, Answer(object_id="id-" + key) if state is State.CREATED else None)

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def stop(self, data: st.DataObject) -> None:
        leave_unsent(self.ledger, data.draw(st.sampled_from(self.runs)), "stopped")

    @invariant()
    def each_row_is_accounted_for_once(self) -> None:
        for run_id in self.runs:
            rows_read = self.rows_read[run_id]
            assert balance(self.ledger, run_id) == (rows_read, rows_read)

    @invariant()
    def no_object_is_planned_twice(self) -> None:
        rows: list[PlannedRow] = [row for run_id in self.runs for row in planned(self.ledger, run_id)]
        assert len({row.object_pk for row in rows}) == len(rows)


TestImportsInAnyOrder = _ImportsInAnyOrder.TestCase
TestImportsInAnyOrder.settings = settings(max_examples=25, stateful_step_count=16, deadline=None)
