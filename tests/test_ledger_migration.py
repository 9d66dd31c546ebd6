"""A ledger that version 1 wrote is brought forward with all it holds, in one transaction."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import SCOPE, ObjectLine, carry_out, import_rows, object_of, opened, planned, states, undo, valid

from pipeline.errors import LedgerError
from pipeline.ledger import check_ledger, created_rows, find_run, open_ledger, plan_again, report_rows, row_stories
from pipeline.model import Operation, State

VERSION_1 = """
CREATE TABLE facts ( name VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY (name) );
CREATE TABLE scopes ( pk INTEGER NOT NULL, service_root VARCHAR NOT NULL, tenant_id VARCHAR NOT NULL, PRIMARY KEY
(pk), UNIQUE (service_root, tenant_id) );
CREATE TABLE runs ( id VARCHAR NOT NULL, scope_pk INTEGER NOT NULL, verb VARCHAR NOT NULL, edition VARCHAR NOT NULL,
folder VARCHAR NOT NULL, version VARCHAR NOT NULL, config_hash VARCHAR NOT NULL, started_at VARCHAR NOT NULL,
planned_at VARCHAR, ended_at VARCHAR, stop VARCHAR, stop_message TEXT, PRIMARY KEY (id), FOREIGN KEY(scope_pk)
REFERENCES scopes (pk) );
CREATE TABLE sources ( pk INTEGER NOT NULL, run_id VARCHAR NOT NULL, file VARCHAR NOT NULL, sheet VARCHAR, sha256
VARCHAR NOT NULL, encoding VARCHAR NOT NULL, delimiter VARCHAR NOT NULL, header TEXT NOT NULL, properties TEXT NOT
NULL, rows_read INTEGER NOT NULL, blank_rows INTEGER NOT NULL, PRIMARY KEY (pk), FOREIGN KEY(run_id) REFERENCES runs
(id) );
CREATE INDEX ix_sources_run_id ON sources (run_id);
CREATE TABLE objects ( pk INTEGER NOT NULL, scope_pk INTEGER NOT NULL, "key" VARCHAR NOT NULL, key_version INTEGER
NOT NULL, fingerprint VARCHAR NOT NULL, collection VARCHAR NOT NULL, state VARCHAR NOT NULL, operation VARCHAR NOT
NULL, graph_id VARCHAR, run_id VARCHAR NOT NULL, row_pk INTEGER NOT NULL, changed_at VARCHAR NOT NULL, PRIMARY KEY
(pk), UNIQUE (scope_pk, "key"), FOREIGN KEY(scope_pk) REFERENCES scopes (pk), FOREIGN KEY(run_id) REFERENCES runs
(id) );
CREATE INDEX objects_by_state ON objects (scope_pk, state);
CREATE TABLE rows ( pk INTEGER NOT NULL, run_id VARCHAR NOT NULL, source_pk INTEGER NOT NULL, row_number INTEGER NOT
NULL, state VARCHAR NOT NULL, platform VARCHAR NOT NULL, collection VARCHAR NOT NULL, "key" VARCHAR, fingerprint
VARCHAR, body BLOB, cells TEXT, object_pk INTEGER, attempts INTEGER DEFAULT '0' NOT NULL, http_status INTEGER,
graph_code VARCHAR, graph_message TEXT, request_id VARCHAR, client_request_id VARCHAR, PRIMARY KEY (pk), FOREIGN
KEY(run_id) REFERENCES runs (id), FOREIGN KEY(source_pk) REFERENCES sources (pk), FOREIGN KEY(object_pk) REFERENCES
objects (pk) );
CREATE INDEX rows_by_state ON rows (run_id, state, collection);
CREATE INDEX rows_by_key ON rows (run_id, "key");
CREATE INDEX rows_by_object ON rows (object_pk);
CREATE INDEX ix_rows_source_pk ON rows (source_pk);
CREATE TABLE findings ( pk INTEGER NOT NULL, run_id VARCHAR NOT NULL, source_pk INTEGER NOT NULL, row_pk INTEGER,
code VARCHAR NOT NULL, severity VARCHAR NOT NULL, "column" VARCHAR NOT NULL, value TEXT NOT NULL, message TEXT NOT
NULL, hint TEXT NOT NULL, PRIMARY KEY (pk), FOREIGN KEY(run_id) REFERENCES runs (id), FOREIGN KEY(source_pk)
REFERENCES sources (pk), FOREIGN KEY(row_pk) REFERENCES rows (pk) );
CREATE INDEX ix_findings_row_pk ON findings (row_pk);
CREATE INDEX findings_by_run ON findings (run_id, code);
CREATE INDEX ix_findings_source_pk ON findings (source_pk);
"""
"""The tables as version 1 made them: frozen, because files like this are out there."""

KEYS = {State.CREATED: "a", State.REJECTED: "b", State.UNSENT: "c", State.UNKNOWN: "d", State.PLANNED: "e"}


def write_version_1(path: Path) -> None:
    """Write a ledger of version 1 with one object in each state, and a second run begun when the clock was behind."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        connection.execute("INSERT INTO facts VALUES ('schema_version', '1')")
        connection.execute("INSERT INTO scopes VALUES (1, ?, ?)", SCOPE)
        run = (
            "INSERT INTO runs VALUES (?, 1, 'import', '1706', 'f', '0.1', 'h', ?, '2026-01-01T00:00:01Z', NULL, '', '')"
        )
        connection.execute(run, ("r1", "2026-01-02T00:00:00Z"))
        connection.execute(run, ("r2", "2026-01-01T00:00:00Z"))
        for pk, run_id, read in ((1, "r1", len(KEYS)), (2, "r2", 1)):
            source = "INSERT INTO sources VALUES (?, ?, 'old.csv', NULL, 's', 'utf-8', ',', '[]', '[]', ?, 0)"
            connection.execute(source, (pk, run_id, read))
        row = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, 'iOS', 'c', ?, 'v1', ?, NULL, ?, 1, 0, '', '', '', '')"
        for pk, (state, key) in enumerate(KEYS.items(), 1):
            graph_id = "id-1" if state is State.CREATED else None
            values = (pk, key, state, graph_id, pk)
            connection.execute(
                "INSERT INTO objects VALUES (?, 1, ?, 1, 'v1', 'c', ?, 'create', ?, 'r1', ?, 'then')", values
            )
            connection.execute(row, (pk, "r1", 1, pk + 1, state, key, key.encode(), pk))
        connection.execute(row, (9, "r2", 2, 2, State.ALREADY_THERE, "a", None, 1))


def schema_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what SQLite says of each table's columns, indexes and triggers."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {name: sorted(connection.execute(f"SELECT * FROM pragma_table_info('{name}')")) for name in tables}  # noqa: S608 - our own tables
        others = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type <> 'table'")
        # Where a column stands in its table is all that may differ.
        plain = {name: sorted(tuple(map(str, each[1:])) for each in found) for name, found in columns.items()}
        return plain | {"others": sorted(tuple(map(str, each)) for each in others)}


def test_a_migrated_ledger_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    """Columns, indexes and triggers are the same, so that nothing later has to ask how old a ledger is."""
    write_version_1(tmp_path / "old.db")

    open_ledger(tmp_path / "old.db", SCOPE).close()
    open_ledger(tmp_path / "new.db", SCOPE).close()

    assert schema_of(tmp_path / "old.db") == schema_of(tmp_path / "new.db")


def test_a_migrated_ledger_knows_what_it_knew(tmp_path: Path) -> None:
    """Objects have the row whose values the tenant holds, refusals their fingerprint, runs their order of beginning."""
    write_version_1(tmp_path / "old.db")

    with opened(tmp_path / "old.db") as ledger:
        found = {state: object_of(ledger, key) for state, key in KEYS.items()}
        assert found == {
            State.CREATED: ObjectLine(State.CREATED, there=("r1", 2), graph_id="id-1"),
            State.REJECTED: ObjectLine(State.REJECTED, owner=("r1", 3), refused="v1"),
            State.UNSENT: ObjectLine(State.UNSENT, owner=("r1", 4)),
            State.UNKNOWN: ObjectLine(State.UNKNOWN, owner=("r1", 5)),
            State.PLANNED: ObjectLine(State.PLANNED, owner=("r1", 6)),
        }
        assert states(ledger, "r1") == [(number, state) for number, state in enumerate(KEYS, 2)]
        assert [row.answer.object_id for row in report_rows(ledger, "r1", tuple(State))] == ["id-1", "", "", "", ""]
        assert find_run(ledger, None).id == "r2"  # the later one, although its clock was behind
        assert (check_ledger(ledger), row_stories(ledger, "r1", 2)[0].events) == ([], ())


def test_a_migrated_ledger_goes_on(tmp_path: Path) -> None:
    """Its rows are sent, its objects updated and deleted like those of a new one, with events from now on."""
    write_version_1(tmp_path / "old.db")

    with opened(tmp_path / "old.db") as ledger:
        plan_again(ledger, "r1")
        carry_out(ledger, "r1")
        import_rows(ledger, "r3", [valid(2, "a", "v2"), valid(3, "b")], updates=True)
        assert [row.operation for row in planned(ledger, "r3")] == [Operation.UPDATE]
        carry_out(ledger, "r3")
        assert [(row.row_number, row.state) for row in created_rows(ledger, "r1")] == [
            (4, State.CREATED),
            (6, State.CREATED),
        ]
        undo(ledger, "u1", "r1")
        carry_out(ledger, "u1")

        assert states(ledger, "r1") == [
            (2, State.CREATED),
            (3, State.REJECTED),
            (4, State.REVERSED),
            (5, State.UNKNOWN),
            (6, State.REVERSED),
        ]
        assert states(ledger, "r3") == [(2, State.UPDATED), (3, State.REJECTED_BEFORE)]
        assert check_ledger(ledger) == []


def test_a_migration_that_fails_leaves_the_old_ledger(tmp_path: Path) -> None:
    """It is one transaction: the file can still be used by the certstate that wrote it."""
    path = tmp_path / "old.db"
    write_version_1(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TRIGGER full BEFORE UPDATE ON facts BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    before = schema_of(path)

    with pytest.raises(LedgerError, match="disk full"):
        open_ledger(path, SCOPE)

    assert schema_of(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM facts").fetchall() == [("1",)]
