"""Checking the ledger: each kind of damage that somebody does to the file behind our back is told."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import SCOPE, create, import_rows, move, opened, planned, settle, undo, valid

from pipeline.errors import LedgerError
from pipeline.ledger import check_ledger, open_ledger
from pipeline.model import Answer, State


def write_ledger(path: Path) -> None:
    """Write a ledger with rows in many states: what a killed run leaves is among them."""
    with opened(path) as ledger:
        import_rows(ledger, "r1", [valid(i, key) for i, key in enumerate("abcdefg", 2)])
        one, two, refused, sending, gone, there, _ = planned(ledger, "r1")
        for number, row in enumerate((one, two, gone), 1):
            move(ledger, row, State.CREATED, Answer(object_id=f"id-{number}"))
        settle(ledger, gone, State.MISSING)
        move(ledger, refused, State.REJECTED)
        move(ledger, sending, State.SENDING)
        settle(ledger, there, State.ALREADY_THERE, Answer(object_id="id-6"))
        import_rows(ledger, "r2", [valid(2, "b", "v2"), valid(3, "c"), valid(4, "d")], updates=True)
        undo(ledger, "u1", "r1")


def test_a_ledger_in_the_middle_of_its_work_is_sound(tmp_path: Path) -> None:
    """Rows that are sending while nobody sends were left by a crash, and that is what the ledger is for."""
    write_ledger(tmp_path / "ledger.db")

    with opened(tmp_path / "ledger.db") as ledger:
        assert check_ledger(ledger) == []


PLACE = "run r1, inventory.csv, row"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "UPDATE sources SET rows_read = rows_read + 1 WHERE run_id = 'r1'",
            ["run r1: 8 rows were read that are not blank, and the ledger holds 7"],
        ),
        (
            "DELETE FROM rows WHERE run_id = 'r2' AND row_number = 3",
            [
                f"{place}: it belongs to something in rows that is not there"
                for place in ("findings, line 1", "row_cells, line 9", "row_bodies, line 9")
            ],
        ),
        (
            "UPDATE rows SET state = 'created' WHERE pk = 4; UPDATE rows SET state = 'sending' WHERE pk = 4",
            [f"{PLACE} 5: its create went from created to sending, a step that there is not"],
        ),
        (
            "UPDATE rows SET state = 'kept' WHERE pk = 3",
            [
                f"{PLACE} 4: its create went from rejected to kept, a step that there is not",
                f"{PLACE} 4: the row is kept, and its object is rejected",
            ],
        ),
        (
            "UPDATE objects SET state = 'rejected' WHERE pk = 5",
            [f"{PLACE} 6: the row is missing, and its object is rejected"],
        ),
        (
            "UPDATE objects SET graph_id = NULL WHERE pk = 1",
            ["run u1, inventory.csv, row 2: the object is in the tenant, and its id is not known"],
        ),
        (
            "UPDATE objects SET graph_id = 'id-6' WHERE pk = 2",
            [
                f"{PLACE} 7: the object has the id id-6, as another row's object has",
                "run u1, inventory.csv, row 3: the object has the id id-6, as another row's object has",
            ],
        ),
        (
            "UPDATE objects SET there_row_pk = 2 WHERE pk = 6",
            [f"{PLACE} 7: the object is created, and nothing says that the tenant holds this row's values"],
        ),
        (
            "UPDATE objects SET row_pk = 99 WHERE pk = 6",
            ["run r1, object 6 of the ledger: it belongs to no row of that run"],
        ),
        (
            "UPDATE objects SET row_pk = 10, run_id = 'r2' WHERE pk = 4",
            [
                "run r2, inventory.csv, row 4: the row is unknown, and its object is sending",
                f"{PLACE} 5: the row is sending, and its object belongs to another row, so it could be sent twice",
            ],
        ),
    ],
)
def test_damage_is_told(tmp_path: Path, damage: str, said: list[str]) -> None:
    """Each sentence names the run, the file, the row and what contradicts what."""
    path = tmp_path / "ledger.db"
    write_ledger(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(damage)

    with opened(path) as ledger:
        assert check_ledger(ledger) == said


def test_a_row_that_was_changed_without_an_event_is_told(tmp_path: Path) -> None:
    """Who drops the triggers to hide a step is seen by what the last event says."""
    path = tmp_path / "ledger.db"
    write_ledger(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER event_of_a_step")
        connection.execute("UPDATE rows SET state = 'unsent' WHERE run_id = 'u1'")
        connection.execute("UPDATE objects SET state = 'unsent' WHERE run_id = 'u1'")

    with opened(path) as ledger:
        assert check_ledger(ledger) == [
            f"run u1, inventory.csv, row {number}: the row is unsent, and its last event says planned"
            for number in (2, 3)
        ]


def test_much_damage_is_told_in_short(tmp_path: Path) -> None:
    """The first rows are named, the others counted."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        import_rows(ledger, "r1", [valid(2 + i, f"k{i}") for i in range(2_000)])
        create(ledger, "r1")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE objects SET graph_id = NULL")

    with opened(path) as ledger:
        said = check_ledger(ledger)

    problem = "the object is in the tenant, and its id is not known"
    assert said == [*(f"{PLACE} {number}: {problem}" for number in (2, 3, 4)), "and 1,997 more rows like the last one"]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """What SQLite itself finds wrong with its file comes first and alone."""
    path = tmp_path / "ledger.db"
    write_ledger(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema=ON")
        other = "replace(sql, ', graph_id', ', run_id')"  # the index then holds what its table does not
        connection.execute(f"UPDATE sqlite_master SET sql = {other} WHERE name = 'objects_by_graph_id'")  # noqa: S608 - the text above

    with opened(path) as ledger:
        said = check_ledger(ledger)

    assert said != []
    assert {each.partition(":")[0] for each in said} == {"the file is damaged"}


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """There is nothing to check then, and that is no clean result."""
    path = tmp_path / "ledger.db"
    write_ledger(path)
    ledger = open_ledger(path, SCOPE)
    ledger.close()
    path.write_bytes(b"x" * 8192)

    with pytest.raises(LedgerError, match="file is not a database"):
        check_ledger(ledger)
