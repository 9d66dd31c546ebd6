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

STEPS = {"1": ("2", VERSION_1_TO_2), "2": ("3", VERSION_2_TO_3)}
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
