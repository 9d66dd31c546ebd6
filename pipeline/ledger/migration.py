"""Bring a ledger that an earlier certstate wrote forward to today's schema."""

from sqlalchemy import Connection

VERSION_1_TO_2 = (
    "ALTER TABLE runs ADD COLUMN number INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE runs ADD COLUMN parent_id VARCHAR REFERENCES runs (id)",
    "ALTER TABLE runs ADD COLUMN remote_check VARCHAR",
    # Runs were inserted as they began, so the order of insertion knows better than the clock.
    "UPDATE runs SET number = (SELECT count(*) FROM runs AS earlier WHERE earlier.rowid <= runs.rowid)",
    "ALTER TABLE objects ADD COLUMN there_row_pk INTEGER",
    "ALTER TABLE objects ADD COLUMN is_adopted INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE objects ADD COLUMN refused_fingerprint VARCHAR",
    "CREATE INDEX objects_by_graph_id ON objects (scope_pk, graph_id)",
    "UPDATE objects SET there_row_pk = row_pk WHERE state = 'created'",
    "UPDATE objects SET refused_fingerprint = fingerprint WHERE state = 'rejected'",
    "ALTER TABLE rows ADD COLUMN operation VARCHAR DEFAULT 'create' NOT NULL",
    "UPDATE facts SET value = '2' WHERE name = 'schema_version'",
)
"""What version 2 adds to the tables of version 1. A table that is new as a whole is made when the ledger is opened."""


VERSION_2_TO_3 = (
    "ALTER TABLE sources ADD COLUMN parents TEXT DEFAULT '[]' NOT NULL",
    "UPDATE facts SET value = '3' WHERE name = 'schema_version'",
)
"""What version 3 adds to the tables of version 2."""

VERSION_3_TO_4 = (
    (
        "CREATE TABLE row_bodies (row_pk INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (row_pk), "
        "FOREIGN KEY(row_pk) REFERENCES rows (pk))"
    ),
    (
        "CREATE TABLE row_cells (row_pk INTEGER NOT NULL, cells TEXT NOT NULL, PRIMARY KEY (row_pk), "
        "FOREIGN KEY(row_pk) REFERENCES rows (pk))"
    ),
    "INSERT INTO row_bodies SELECT pk, body FROM rows WHERE body IS NOT NULL ORDER BY pk",
    "INSERT INTO row_cells SELECT pk, cells FROM rows WHERE cells IS NOT NULL ORDER BY pk",
    *(f"DROP INDEX {name}" for name in ("rows_by_key", "rows_by_state", "rows_by_object")),
    *(f"DROP INDEX {name}" for name in ("objects_by_state", "objects_by_graph_id")),
    "DROP INDEX IF EXISTS ix_events_object_pk",  # of version 2 and 3
    "ALTER TABLE rows DROP COLUMN body",
    "ALTER TABLE rows DROP COLUMN cells",
    "CREATE INDEX rows_by_state ON rows (run_id, state)",
    "CREATE INDEX rows_planned ON rows (run_id, collection, operation) WHERE state = 'planned'",
    "CREATE INDEX rows_by_object ON rows (object_pk) WHERE object_pk IS NOT NULL",
    "CREATE INDEX objects_in_doubt ON objects (scope_pk, state) WHERE state = 'sending' OR state = 'unknown'",
    "CREATE INDEX objects_by_graph_id ON objects (scope_pk, graph_id) WHERE graph_id IS NOT NULL",
    "UPDATE facts SET value = '4' WHERE name = 'schema_version'",
)
"""What version 4 changes in the tables of version 3."""

STEPS = {"1": ("2", VERSION_1_TO_2), "2": ("3", VERSION_2_TO_3), "3": ("4", VERSION_3_TO_4)}
"""For each earlier version the next one, and the way there."""


def migrate(connection: Connection, version: str) -> str:
    """Bring the ledger forward within the connection's transaction; return the version it then has.

    A version that nothing is known of, such as a newer one, is left alone.
    """
    while version in STEPS:
        version, statements = STEPS[version]
        for statement in statements:
            connection.exec_driver_sql(statement)
    return version
