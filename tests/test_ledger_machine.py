"""The ledger against a tenant that loses answers: whatever happens in whatever order, nothing is doubled or lost."""

import json
import tempfile
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ledger_cases import IOS, SCOPE, balance, import_rows, planned, settle, undo, valid

from pipeline.ledger import (
    Ledger,
    apply_transitions,
    check_ledger,
    created_rows,
    find_open_undo,
    leave_unsent,
    open_ledger,
    owned_ids,
    plan_again,
    plan_retry,
    planned_by_key,
    replan_settled,
    run_info,
    settle_leftovers,
    state_counts,
    unknown_rows,
)
from pipeline.model import Answer, Operation, PlannedRow, RemoteCheck, State, Transition, UnknownRow

KEYS = st.sampled_from("ac")
VALUES = st.sampled_from(["v1", "v2"])
FILE = st.dictionaries(KEYS, VALUES, min_size=1, max_size=2)
FATES = st.sampled_from(
    ["done", "done", "lost with effect", "lost without", "rejected", "throttled", "died", "died late"]
)


class _Tenant:
    """What the service holds: id -> (key, value)."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, str]] = {}
        self.ids = count(1)

    def add(self, key: str, value: str, whose: str) -> str:
        object_id = f"{whose}-{next(self.ids)}"
        self.objects[object_id] = (key, value)
        return object_id

    def carry_out(self, row: PlannedRow) -> tuple[State, str]:
        """Do what the row asks for; return what the answer says of it."""
        key, value = wanted(row)
        if row.operation is Operation.CREATE:
            return State.CREATED, self.add(key, value, "ours")
        if row.object_id not in self.objects:
            return (State.MISSING if row.operation is Operation.UPDATE else State.REVERSED), ""
        if row.operation is Operation.UPDATE:
            self.objects[row.object_id] = (key, value)
            return State.UPDATED, row.object_id
        if self.objects[row.object_id] != (key, value):
            return State.KEPT, ""
        del self.objects[row.object_id]
        return State.REVERSED, ""


def wanted(row: PlannedRow) -> tuple[str, str]:
    """Return the key and the value of the row's body."""
    body = json.loads(row.body)
    return body["key"], body["value"]


class _LostAnswers(RuleBasedStateMachine):
    """Imports, updates, undos and retries go on in any order; answers are lost, the program dies, others interfere."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger: Ledger = open_ledger(Path(self.folder.name) / "ledger.db", SCOPE, is_durable=False)
        self.tenant = _Tenant()
        self.runs: dict[str, bool] = {}  # whether the run updates what has changed
        self.others_put: set[str] = set()  # keys
        self.others_removed: set[str] = set()  # ids

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    # --- what users do

    @rule(rows=FILE, updates=st.booleans(), checks_remote=st.booleans(), fates=st.lists(FATES, min_size=3, max_size=3))
    def import_a_file(self, rows: dict[str, str], updates: bool, checks_remote: bool, fates: list[str]) -> None:
        run_id = f"r{len(self.runs)}"
        self.runs[run_id] = updates
        settle_leftovers(self.ledger)
        import_rows(self.ledger, run_id, [valid(i, *each) for i, each in enumerate(rows.items(), 2)], updates=updates)
        if checks_remote or run_info(self.ledger, run_id).remote_check == RemoteCheck.DUE:
            for key, row in planned_by_key(self.ledger, run_id, IOS, list("ac")).items():
                state, object_id = self.looked_for(key, wanted(row)[1])
                if state is not State.PLANNED:
                    settle(self.ledger, row, state if state is State.CHANGED else State.ALREADY_THERE, object_id)
        for row, fate in zip(planned(self.ledger, run_id), fates, strict=False):
            self.send(row, fate)

    @rule(data=st.data(), fates=st.lists(FATES, min_size=3, max_size=3))
    @precondition(lambda self: self.runs)
    def resume(self, data: st.DataObject, fates: list[str]) -> None:
        run_id = self.a_run(data)
        settle_leftovers(self.ledger)
        plan_again(self.ledger, run_id)
        if data.draw(st.booleans()):
            self.read_back(run_id)
        for row, fate in zip(planned(self.ledger, run_id), fates, strict=False):
            self.send(row, fate)

    @rule(data=st.data(), include_adopted=st.booleans())
    @precondition(lambda self: self.runs)
    def undo(self, data: st.DataObject, include_adopted: bool) -> None:
        parent = self.a_run(data)
        settle_leftovers(self.ledger)
        if find_open_undo(self.ledger, parent) is None:
            run_id = f"u{len(self.runs)}"
            self.runs[run_id] = False
            undo(self.ledger, run_id, parent, include_adopted=include_adopted)

    @rule(data=st.data(), missing=st.booleans())
    @precondition(lambda self: self.runs)
    def retry(self, data: st.DataObject, missing: bool) -> None:
        settle_leftovers(self.ledger)
        plan_retry(self.ledger, self.a_run(data), missing=missing)

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def verify(self, data: st.DataObject) -> None:
        run_id = self.a_run(data)
        settle_leftovers(self.ledger)
        self.read_back(run_id)
        for each in list(created_rows(self.ledger, run_id)):
            is_there = each.row.object_id in self.tenant.objects
            if is_there == (each.state is State.MISSING):
                state = State.CREATED if is_there else State.MISSING
                settle(self.ledger, each.row, state, Answer(object_id=each.row.object_id))

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def stop(self, data: st.DataObject) -> None:
        leave_unsent(self.ledger, self.a_run(data), "stopped")

    @rule()
    def finish_everything(self) -> None:
        """Without further trouble every run comes to its end."""
        settle_leftovers(self.ledger)
        for run_id in self.runs:
            plan_again(self.ledger, run_id)
            self.read_back(run_id)
            for row in planned(self.ledger, run_id):
                self.send(row, "done")
        open_states = {State.PLANNED, State.SENDING, State.UNKNOWN}
        assert not any(open_states & set(state_counts(self.ledger, run_id)) for run_id in self.runs)

    # --- what others do in the tenant

    @rule(value=VALUES)
    def others_put_an_object(self, value: str) -> None:
        self.others_put.add("c")  # so that nothing excuses a second object of another key
        self.tenant.add("c", value, "theirs")

    @rule(data=st.data())
    @precondition(lambda self: self.tenant.objects)
    def others_remove_an_object(self, data: st.DataObject) -> None:
        object_id = data.draw(st.sampled_from(sorted(self.tenant.objects)))
        del self.tenant.objects[object_id]
        self.others_removed.add(object_id)

    @rule(data=st.data(), value=VALUES)
    @precondition(lambda self: self.tenant.objects)
    def others_change_an_object(self, data: st.DataObject, value: str) -> None:
        object_id = data.draw(st.sampled_from(sorted(self.tenant.objects)))
        self.tenant.objects[object_id] = (self.tenant.objects[object_id][0], value)

    # --- how the program goes about it

    def a_run(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(list(self.runs)))

    def send(self, row: PlannedRow, fate: str) -> None:
        apply_transitions(self.ledger, [Transition(row, State.SENDING, row.attempts + 1, Answer())])
        row = row._replace(attempts=row.attempts + 1)
        if fate == "throttled":
            settle(self.ledger, row, State.PLANNED, Answer(http_status=429))
        elif fate == "rejected":
            settle(self.ledger, row, State.REJECTED, Answer(http_status=400))
        elif fate == "lost without":
            settle(self.ledger, row, State.UNKNOWN)
        elif fate != "died":
            state, object_id = self.tenant.carry_out(row)
            if fate == "lost with effect":
                settle(self.ledger, row, State.UNKNOWN)
            elif fate == "done":
                settle(self.ledger, row, state, Answer(object_id=object_id))

    def read_back(self, run_id: str) -> None:
        """Settle what is unknown by what the tenant holds, as the design's tables say."""
        for each in unknown_rows(self.ledger, run_id):
            if each.row.operation is Operation.CREATE:
                key, value = wanted(each.row)
                assert key == each.key
                state, answer = self.looked_for(key, value)
                settle(self.ledger, each.row, state, answer, is_adopted=state is State.CREATED)
            else:
                settle(self.ledger, each.row, self.looked_at(each), Answer(object_id=each.row.object_id))
        replan_settled(self.ledger, run_id, updates=self.runs[run_id])

    def looked_for(self, key: str, value: str) -> tuple[State, Answer]:
        """Return what a sweep says of a create, with the id of an object to adopt."""
        owned = owned_ids(self.ledger, list(self.tenant.objects))
        free = {each: held for each, held in self.tenant.objects.items() if held[0] == key and each not in owned}
        equal = sorted(each for each, held in free.items() if held == (key, value))
        if equal:
            return State.CREATED, Answer(object_id=equal[0])
        return (State.CHANGED if free else State.PLANNED), Answer()

    def looked_at(self, each: UnknownRow) -> State:
        """Return what became of a lost update or delete, by its object's id."""
        held = self.tenant.objects.get(each.row.object_id)
        if each.row.operation is Operation.DELETE:
            if held is None:
                return State.REVERSED
            return State.PLANNED if held == wanted(each.row) else State.KEPT
        if held is None:
            return State.MISSING
        if held == wanted(each.row):
            return State.UPDATED
        return State.PLANNED if held == wanted(each.row._replace(body=each.there_body)) else State.CHANGED

    # --- what holds at any moment

    @invariant()
    def nothing_is_doubled(self) -> None:
        held = [key for key, _ in self.tenant.objects.values() if key not in self.others_put]
        assert len(set(held)) == len(held)

    @invariant()
    def what_the_ledger_calls_created_is_there(self) -> None:
        query = "SELECT graph_id FROM objects WHERE state IN ('created', 'updated')"
        with self.ledger.reading() as connection:
            created = set(connection.exec_driver_sql(query).scalars())
        assert created <= set(self.tenant.objects) | self.others_removed

    @invariant()
    def what_is_there_is_known(self) -> None:
        """Each object of ours has an owner in the ledger, or its key is one that must be settled before it is sent."""
        query = "SELECT key FROM objects WHERE state IN ('sending', 'unknown', 'changed')"
        with self.ledger.reading() as connection:
            unsettled = set(connection.exec_driver_sql(query).scalars()) | self.others_put
        there = {each for each, (key, _) in self.tenant.objects.items() if key not in unsettled}
        assert there <= owned_ids(self.ledger, sorted(there))

    @invariant()
    def the_ledger_agrees_with_itself(self) -> None:
        assert check_ledger(self.ledger) == []
        for run_id in self.runs:
            read, accounted = balance(self.ledger, run_id)
            assert read == accounted


TestLostAnswers = _LostAnswers.TestCase
TestLostAnswers.settings = settings(max_examples=60, stateful_step_count=15, deadline=None, derandomize=True)
