"""What the next process knows of the requests before it: when they left, and what the service granted."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledger_cases import REHEARSAL, SCOPE, create, import_rows, opened, planned, settle, valid

from pipeline.ledger import load_pacing, save_pacing
from pipeline.model import Answer, PacingState, Scope, State

WINDOW_S = 20.0
LEEWAY_S = 5.0
APP = "22222222-2222-4222-8222-222222222222"


def write_event(path: Path, at: float, state: State = State.SENDING) -> None:
    """Write a step of the first row at the time, in seconds since 1970."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = "INSERT INTO events (at, run_id, row_pk, operation, state, attempts) VALUES (?, 'r1', 1, 'create', ?, 1)"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(event, (text, state))


def test_a_new_ledger_knows_nothing(tmp_path: Path) -> None:
    """No request has left, and nothing was learned."""
    with opened(tmp_path / "ledger.db") as ledger:
        assert load_pacing(ledger, APP, WINDOW_S) == PacingState()


def test_what_was_learned_is_kept_for_each_app_and_scope(tmp_path: Path) -> None:
    """The latest word counts, and no other app or scope has it."""
    with opened(tmp_path / "ledger.db") as ledger, opened(tmp_path / "ledger.db", REHEARSAL) as rehearsal:
        save_pacing(ledger, APP, PacingState((1.0,), 1_700_000_000.25, 40.5))
        save_pacing(ledger, APP, PacingState((2.0,), 1_700_000_001.5, None))
        save_pacing(ledger, "another", PacingState(limit=7.0))

        assert load_pacing(ledger, APP, WINDOW_S) == PacingState((), 1_700_000_001.5, None)
        assert load_pacing(ledger, "another", WINDOW_S) == PacingState(limit=7.0)
        assert load_pacing(rehearsal, APP, WINDOW_S) == PacingState()


def test_each_request_counts_whatever_became_of_it(tmp_path: Path) -> None:
    """A refused request was sent too, and so was each attempt; outcomes are no requests."""
    before = time.time()
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a"), valid(3, "b")])
        refused = planned(ledger, "r1")[0]
        settle(ledger, refused, State.SENDING)
        settle(ledger, refused, State.PLANNED, Answer(http_status=429))
        create(ledger, "r1")
        sent = load_pacing(ledger, APP, WINDOW_S).sent

    assert len(sent) == 3
    assert list(sent) == sorted(sent)
    assert all(before - 0.001 <= each <= time.time() for each in sent)


def test_what_is_older_than_a_window_is_left_out(tmp_path: Path) -> None:
    """A window and some seconds are looked back; what a clock that was set back says is to come counts too."""
    path, now = tmp_path / "ledger.db", float(int(time.time()))
    with opened(path) as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        for age_s in (3_600.0, WINDOW_S + LEEWAY_S + 30, WINDOW_S, 4.0, -900.0):
            write_event(path, now - age_s)
        write_event(path, now - 2, State.CREATED)

        assert load_pacing(ledger, APP, WINDOW_S).sent == (now - WINDOW_S, now - 4, now + 900)
        assert load_pacing(ledger, APP, 7_200.0).sent[0] == now - 3_600


@pytest.mark.parametrize(("asks", "other"), [(SCOPE, REHEARSAL), (REHEARSAL, SCOPE)])
def test_requests_of_another_scope_do_not_count(tmp_path: Path, asks: Scope, other: Scope) -> None:
    """A rehearsal takes nothing from the tenant's quota, nor the tenant from a rehearsal's."""
    path = tmp_path / "ledger.db"
    with opened(path, asks) as ledger, opened(path, other) as others:
        import_rows(others, "r1", [valid(2, "a")])
        create(others, "r1")

        assert load_pacing(ledger, APP, WINDOW_S).sent == ()
        assert len(load_pacing(others, APP, WINDOW_S).sent) == 1
