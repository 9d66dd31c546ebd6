"""A ledger that an earlier version wrote is brought forward with all it holds, in one transaction."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ledger_cases import SCOPE, ObjectLine, carry_out, import_rows, object_of, opened, planned, states, undo, valid

from pipeline.errors import LedgerError
from pipeline.ledger import (
    check_ledger,
    created_rows,
    find_run,
    open_ledger,
    plan_again,
    report_rows,
    row_stories,
    source_infos,
)
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

VERSION_2 = """
CREATE TABLE facts ( name VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY (name) );
CREATE TABLE scopes ( pk INTEGER NOT NULL, service_root VARCHAR NOT NULL, tenant_id VARCHAR NOT NULL, PRIMARY KEY
(pk), UNIQUE (service_root, tenant_id) );
CREATE TABLE runs ( id VARCHAR NOT NULL, scope_pk INTEGER NOT NULL, verb VARCHAR NOT NULL, edition VARCHAR NOT NULL,
folder VARCHAR NOT NULL, version VARCHAR NOT NULL, config_hash VARCHAR NOT NULL, started_at VARCHAR NOT NULL,
planned_at VARCHAR, ended_at VARCHAR, stop VARCHAR, stop_message TEXT, number INTEGER DEFAULT '0' NOT NULL, parent_id
VARCHAR, remote_check VARCHAR, PRIMARY KEY (id), FOREIGN KEY(scope_pk) REFERENCES scopes (pk), FOREIGN KEY(parent_id)
REFERENCES runs (id) );
CREATE TABLE sources ( pk INTEGER NOT NULL, run_id VARCHAR NOT NULL, file VARCHAR NOT NULL, sheet VARCHAR, sha256
VARCHAR NOT NULL, encoding VARCHAR NOT NULL, delimiter VARCHAR NOT NULL, header TEXT NOT NULL, properties TEXT NOT
NULL, rows_read INTEGER NOT NULL, blank_rows INTEGER NOT NULL, PRIMARY KEY (pk), FOREIGN KEY(run_id) REFERENCES runs
(id) );
CREATE INDEX ix_sources_run_id ON sources (run_id);
CREATE TABLE objects ( pk INTEGER NOT NULL, scope_pk INTEGER NOT NULL, "key" VARCHAR NOT NULL, key_version INTEGER NOT
NULL, fingerprint VARCHAR NOT NULL, collection VARCHAR NOT NULL, state VARCHAR NOT NULL, operation VARCHAR NOT NULL,
graph_id VARCHAR, run_id VARCHAR NOT NULL, row_pk INTEGER NOT NULL, changed_at VARCHAR NOT NULL, there_row_pk INTEGER,
is_adopted INTEGER DEFAULT '0' NOT NULL, refused_fingerprint VARCHAR, PRIMARY KEY (pk), UNIQUE (scope_pk, "key"),
FOREIGN KEY(scope_pk) REFERENCES scopes (pk), FOREIGN KEY(run_id) REFERENCES runs (id) );
CREATE INDEX objects_by_state ON objects (scope_pk, state);
CREATE INDEX objects_by_graph_id ON objects (scope_pk, graph_id);
CREATE TABLE rows ( pk INTEGER NOT NULL, run_id VARCHAR NOT NULL, source_pk INTEGER NOT NULL, row_number INTEGER NOT
NULL, state VARCHAR NOT NULL, platform VARCHAR NOT NULL, collection VARCHAR NOT NULL, "key" VARCHAR, fingerprint
VARCHAR, body BLOB, cells TEXT, object_pk INTEGER, attempts INTEGER DEFAULT '0' NOT NULL, http_status INTEGER,
graph_code VARCHAR, graph_message TEXT, request_id VARCHAR, client_request_id VARCHAR, operation VARCHAR DEFAULT
'create' NOT NULL, PRIMARY KEY (pk), FOREIGN KEY(run_id) REFERENCES runs (id), FOREIGN KEY(source_pk) REFERENCES
sources (pk), FOREIGN KEY(object_pk) REFERENCES objects (pk) );
CREATE INDEX ix_rows_source_pk ON rows (source_pk);
CREATE INDEX rows_by_state ON rows (run_id, state, collection);
CREATE INDEX rows_by_key ON rows (run_id, "key");
CREATE INDEX rows_by_object ON rows (object_pk);
CREATE TABLE findings ( pk INTEGER NOT NULL, run_id VARCHAR NOT NULL, source_pk INTEGER NOT NULL, row_pk INTEGER, code
VARCHAR NOT NULL, severity VARCHAR NOT NULL, "column" VARCHAR NOT NULL, value TEXT NOT NULL, message TEXT NOT NULL,
hint TEXT NOT NULL, PRIMARY KEY (pk), FOREIGN KEY(run_id) REFERENCES runs (id), FOREIGN KEY(source_pk) REFERENCES
sources (pk), FOREIGN KEY(row_pk) REFERENCES rows (pk) );
CREATE INDEX ix_findings_source_pk ON findings (source_pk);
CREATE INDEX ix_findings_row_pk ON findings (row_pk);
CREATE INDEX findings_by_run ON findings (run_id, code);
CREATE TABLE events ( pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, at VARCHAR NOT NULL, run_id VARCHAR NOT NULL,
row_pk INTEGER NOT NULL, object_pk INTEGER, operation VARCHAR NOT NULL, state VARCHAR NOT NULL, attempts INTEGER NOT
NULL, http_status INTEGER, graph_code VARCHAR, graph_message TEXT, request_id VARCHAR, client_request_id VARCHAR,
graph_id VARCHAR, FOREIGN KEY(row_pk) REFERENCES rows (pk) );
CREATE INDEX ix_events_object_pk ON events (object_pk);
CREATE INDEX ix_events_row_pk ON events (row_pk);
CREATE INDEX events_of_reversed ON events (graph_id) WHERE state = 'reversed';
CREATE TRIGGER event_of_a_step AFTER UPDATE OF state ON rows WHEN OLD.state <> NEW.state AND OLD.state <> 'staged'
BEGIN INSERT INTO events (at, run_id, row_pk, object_pk, operation, state, attempts, http_status, graph_code,
graph_message, request_id, client_request_id, graph_id) VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NEW.run_id,
NEW.pk, NEW.object_pk, NEW.operation, NEW.state, NEW.attempts, NEW.http_status, NEW.graph_code, NEW.graph_message,
NEW.request_id, NEW.client_request_id, (SELECT graph_id FROM objects WHERE pk = NEW.object_pk)); END;
CREATE TRIGGER event_of_a_planned_row AFTER INSERT ON rows WHEN NEW.state = 'planned' BEGIN INSERT INTO events (at,
run_id, row_pk, object_pk, operation, state, attempts, http_status, graph_code, graph_message, request_id,
client_request_id, graph_id) VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NEW.run_id, NEW.pk, NEW.object_pk,
NEW.operation, NEW.state, NEW.attempts, NEW.http_status, NEW.graph_code, NEW.graph_message, NEW.request_id,
NEW.client_request_id, (SELECT graph_id FROM objects WHERE pk = NEW.object_pk)); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""
"""The tables as version 2 made them."""

VERSION_3 = VERSION_2.replace(
    "blank_rows INTEGER NOT NULL, PRIMARY", "blank_rows INTEGER NOT NULL, parents TEXT DEFAULT '[]' NOT NULL, PRIMARY"
)
"""The tables as version 3 made them."""

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


def write_version_2(path: Path) -> None:
    """Write a ledger of version 2 with one run that has read one file and created one object."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_2)
        connection.execute("INSERT INTO facts VALUES ('schema_version', '2')")
        connection.execute("INSERT INTO scopes VALUES (1, ?, ?)", SCOPE)
        connection.execute(
            "INSERT INTO runs VALUES ('r1', 1, 'import', '1706', 'f', '0.1', 'h', '2026-01-02T00:00:00Z', "
            "'2026-01-02T00:00:01Z', NULL, '', '', 1, NULL, NULL)"
        )
        connection.execute("INSERT INTO sources VALUES (1, 'r1', 'old.csv', NULL, 's', 'utf-8', ',', '[]', '[]', 1, 0)")
        connection.execute(
            "INSERT INTO objects VALUES (1, 1, 'a', 1, 'v1', 'c', 'created', 'create', 'id-1', 'r1', 1, 'then', 1, 0, "
            "NULL)"
        )
        connection.execute(
            "INSERT INTO rows VALUES (1, 'r1', 1, 2, 'created', 'iOS', 'c', 'a', 'v1', x'7b7d', NULL, 1, 1, 201, '', "
            "'', '', '', 'create')"
        )


def write_version_3(path: Path) -> None:
    """Write a ledger of version 3 with a row that is created, one that is planned, and one that is invalid."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_3)
        connection.execute("INSERT INTO facts VALUES ('schema_version', '3')")
        connection.execute("INSERT INTO scopes VALUES (1, ?, ?)", SCOPE)
        connection.execute(
            "INSERT INTO runs VALUES ('r1', 1, 'import', '1706', 'f', '0.1', 'h', '2026-01-02T00:00:00Z', "
            "'2026-01-02T00:00:01Z', NULL, '', '', 1, NULL, NULL)"
        )
        connection.execute(
            "INSERT INTO sources VALUES (1, 'r1', 'old.csv', NULL, 's', 'utf-8', ',', '[]', '[]', 3, 0, '[]')"
        )
        created = ("a", State.CREATED, "id-1", 1, 1)
        for values in (created, ("b", State.PLANNED, None, 2, None)):
            connection.execute(
                "INSERT INTO objects VALUES (NULL, 1, ?, 1, 'v1', 'c', ?, 'create', ?, 'r1', ?, 'then', ?, 0, NULL)",
                values,
            )
        row = (
            "INSERT INTO rows VALUES (?, 'r1', 1, ?, ?, 'iOS', ?, ?, ?, ?, ?, ?, 0, NULL, NULL, NULL, NULL, NULL, "
            "'create')"
        )
        for line in (
            (1, 2, State.CREATED, "c", "a", "v1", b"A", None, 1),
            (2, 3, State.PLANNED, "c", "b", "v1", b"B", '["b"]', 2),
            (3, 4, State.INVALID, "", None, None, None, '["x"]', None),
        ):
            connection.execute(row, line)


WRITERS = {"version 1": write_version_1, "version 2": write_version_2, "version 3": write_version_3}


def schema_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what SQLite says of each table's columns, indexes and triggers."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {name: sorted(connection.execute(f"SELECT * FROM pragma_table_info('{name}')")) for name in tables}  # noqa: S608 - our own tables
        others = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type <> 'table'")
        # Where a column stands in its table is all that may differ.
        plain = {name: sorted(tuple(map(str, each[1:])) for each in found) for name, found in columns.items()}
        return plain | {"others": sorted(tuple(" ".join(str(text).split()) for text in each) for each in others)}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_migrated_ledger_has_the_tables_of_a_new_one(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """Columns, indexes and triggers are the same, so that nothing later has to ask how old a ledger is."""
    write(tmp_path / "old.db")

    open_ledger(tmp_path / "old.db", SCOPE).close()
    open_ledger(tmp_path / "new.db", SCOPE).close()

    assert schema_of(tmp_path / "old.db") == schema_of(tmp_path / "new.db")


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_files_of_old_runs_come_from_no_other_run(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """Nothing is known of their parents, and they can be undone like those of new runs."""
    write(tmp_path / "old.db")

    with opened(tmp_path / "old.db") as ledger:
        (source,) = source_infos(ledger, "r1")
        undo(ledger, "u1", "r1")
        carry_out(ledger, "u1")

        assert (source.file, source.parents) == ("old.csv", ())
        assert [row.state for row in report_rows(ledger, "r1", [State.REVERSED])] == [State.REVERSED]
        assert check_ledger(ledger) == []


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


def test_cells_and_bodies_move_with_their_rows(tmp_path: Path) -> None:
    """Each row has its own again, the cells that were dropped stay dropped, and what is planned is sent."""
    write_version_3(tmp_path / "old.db")

    with opened(tmp_path / "old.db") as ledger:
        told = [(row.row_number, row.cells, row.body) for row in report_rows(ledger, "r1", tuple(State))]
        assert told == [(2, None, b"A"), (3, ("b",), b"B"), (4, ("x",), None)]
        assert [row.body for row in planned(ledger, "r1")] == [b"B"]
        carry_out(ledger, "r1")
        assert [(row.row_number, row.row.body) for row in created_rows(ledger, "r1")] == [(2, b"A"), (3, b"B")]
        assert check_ledger(ledger) == []


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


@pytest.mark.parametrize(("version", "write"), [("1", write_version_1), ("2", write_version_2), ("3", write_version_3)])
def test_a_migration_that_fails_leaves_the_old_ledger(
    tmp_path: Path, version: str, write: Callable[[Path], None]
) -> None:
    """It is one transaction: the file can still be used by the certstate that wrote it."""
    path = tmp_path / "old.db"
    write(path)
    full = "CREATE TRIGGER full BEFORE UPDATE ON facts WHEN NEW.value = '4' BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(full)
    before = schema_of(path)

    with pytest.raises(LedgerError, match="disk full"):
        open_ledger(path, SCOPE)

    assert schema_of(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM facts").fetchall() == [(version,)]
