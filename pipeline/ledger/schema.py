"""The ledger's tables. Plain SQL types only, so that another database can take them."""

from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    ScalarSelect,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    literal_column,
    select,
    text,
)

from pipeline.model import State

SCHEMA_VERSION = 4

metadata = MetaData()

_IS_PLANNED, _IS_SENDING, _IS_UNKNOWN = (f"state = '{each}'" for each in (State.PLANNED, State.SENDING, State.UNKNOWN))
"""Conditions of partial indexes. A query is to name its state literally, so that SQLite sees that one fits."""

facts = Table(
    "facts",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

scopes = Table(
    "scopes",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("service_root", String, nullable=False),
    Column("tenant_id", String, nullable=False),
    UniqueConstraint("service_root", "tenant_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("scope_pk", ForeignKey("scopes.pk"), nullable=False),
    Column("verb", String, nullable=False),
    Column("edition", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("version", String, nullable=False),  # of certstate
    Column("config_hash", String, nullable=False),
    Column("started_at", String, nullable=False),  # UTC, ISO 8601
    Column("planned_at", String),  # when all files were read; NULL = killed before
    Column("ended_at", String),
    Column("stop", String),  # why sending stopped before its end
    Column("stop_message", Text),
    Column("number", Integer, nullable=False, server_default="0"),  # ascending: the clock can jump back, this cannot
    Column("parent_id", ForeignKey("runs.id")),  # the run that an undo undoes
    Column("remote_check", String),
)

sources = Table(
    "sources",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False, index=True),
    Column("file", String, nullable=False),
    Column("sheet", String),
    Column("sha256", String, nullable=False),
    Column("encoding", String, nullable=False),
    Column("delimiter", String, nullable=False),
    Column("header", Text, nullable=False),  # JSON list
    Column("properties", Text, nullable=False),  # JSON list beside `header`: what each column was taken for, or ""
    Column("rows_read", Integer, nullable=False),  # as the loader counted them, blank rows included
    Column("blank_rows", Integer, nullable=False),
    # JSON list of the runs whose reports the rows come from. No foreign keys: dry runs are in no ledger.
    Column("parents", Text, nullable=False, server_default="[]"),
)

objects = Table(
    "objects",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("scope_pk", ForeignKey("scopes.pk"), nullable=False),
    Column("key", String, nullable=False),
    Column("key_version", Integer, nullable=False),
    # Of the values that the tenant holds or, before there is anything, of those that are to be sent.
    Column("fingerprint", String, nullable=False),
    Column("collection", String, nullable=False),
    Column("state", String, nullable=False),
    Column("operation", String, nullable=False),
    Column("graph_id", String),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("row_pk", Integer, nullable=False),  # the row that the object belongs to: it alone moves the object
    Column("changed_at", String, nullable=False),
    Column("there_row_pk", Integer),  # the row whose values the tenant holds, as far as is known
    Column("is_adopted", Integer, nullable=False, server_default="0"),  # 1 = not from an answer to our create
    Column("refused_fingerprint", String),  # of the values that the service refused last
    UniqueConstraint("scope_pk", "key"),
    # An OR, because SQLite does not see that one state is IN a list.
    Index("objects_in_doubt", "scope_pk", "state", sqlite_where=text(f"{_IS_SENDING} OR {_IS_UNKNOWN}")),
    Index("objects_by_graph_id", "scope_pk", "graph_id", sqlite_where=text("graph_id IS NOT NULL")),
)
"""What is planned, unsent or settled is looked for by its row, so that sending a row does not write an index for it."""

rows = Table(
    "rows",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("source_pk", ForeignKey("sources.pk"), nullable=False, index=True),
    Column("row_number", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("platform", String, nullable=False),
    Column("collection", String, nullable=False),
    Column("key", String),
    Column("fingerprint", String),
    Column("object_pk", ForeignKey("objects.pk")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("http_status", Integer),
    Column("graph_code", String),
    Column("graph_message", Text),
    Column("request_id", String),
    Column("client_request_id", String),
    Column("operation", String, nullable=False, server_default="create"),  # what this row wants done
    Index("rows_by_state", "run_id", "state"),
    Index("rows_planned", "run_id", "collection", "operation", sqlite_where=text(_IS_PLANNED)),
    Index("rows_by_object", "object_pk", sqlite_where=text("object_pk IS NOT NULL")),
)
"""What a row is. What it holds stands beside it: each step writes its row anew, and these texts are most of it."""

row_bodies = Table(
    "row_bodies",
    metadata,
    Column("row_pk", ForeignKey("rows.pk"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The bodies to send, of rows that have one. What is a duplicate or there already by the plan has none."""

row_cells = Table(
    "row_cells",
    metadata,
    Column("row_pk", ForeignKey("rows.pk"), primary_key=True),
    Column("cells", Text, nullable=False),  # JSON list
)
"""The cells as they were read, until the row is settled well."""

findings = Table(
    "findings",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("source_pk", ForeignKey("sources.pk"), nullable=False, index=True),
    Column("row_pk", ForeignKey("rows.pk"), index=True),  # NULL = about the whole file
    Column("code", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("column", String, nullable=False),
    Column("value", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Index("findings_by_run", "run_id", "code"),
)

counted_rows = Table(
    "counted_rows",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("source_pk", ForeignKey("sources.pk"), nullable=False),
    Column("collection", String, nullable=False),
    Column("platform", String, nullable=False),
    Column("expires_on", String, nullable=False),  # YYYY-MM-DD, or ""
    Column("rows", Integer, nullable=False),
    UniqueConstraint("source_pk", "collection", "platform", "expires_on"),
)
"""Planned rows of a dry run that are counted and not kept."""

pacing = Table(
    "pacing",
    metadata,
    Column("scope_pk", ForeignKey("scopes.pk"), primary_key=True),
    Column("app_id", String, primary_key=True),
    Column("closed_until", Float, nullable=False),  # seconds since 1970-01-01T00:00:00Z
    Column("found_limit", Float),  # requests per window, where that is less than the quota
    Column("changed_at", String, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("at", String, nullable=False),  # UTC, ISO 8601
    Column("run_id", String, nullable=False),  # of the row
    Column("row_pk", ForeignKey("rows.pk"), nullable=False, index=True),
    Column("object_pk", Integer),
    Column("operation", String, nullable=False),
    Column("state", String, nullable=False),  # that the row came to
    Column("attempts", Integer, nullable=False),
    Column("http_status", Integer),
    Column("graph_code", String),
    Column("graph_message", Text),
    Column("request_id", String),
    Column("client_request_id", String),
    Column("graph_id", String),  # that the object had then
    Index("events_of_reversed", "graph_id", sqlite_where=text("state = 'reversed'")),
    sqlite_autoincrement=True,  # no number is used twice
)
"""One line per step of a row, written by triggers: no code path can forget it, and none can take it back.

What the plan says of a staged row is not among them: it stands in the row, and a million rows are planned at once.
"""

WRITE_EVENT = """
BEGIN
  INSERT INTO events (at, run_id, row_pk, object_pk, operation, state, attempts, http_status, graph_code,
                      graph_message, request_id, client_request_id, graph_id)
  VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NEW.run_id, NEW.pk, NEW.object_pk, NEW.operation, NEW.state,
          NEW.attempts, NEW.http_status, NEW.graph_code, NEW.graph_message, NEW.request_id, NEW.client_request_id,
          (SELECT graph_id FROM objects WHERE pk = NEW.object_pk));
END
"""

TRIGGERS = {
    "event_of_a_step": f"AFTER UPDATE OF state ON rows WHEN OLD.state <> NEW.state AND OLD.state <> '{State.STAGED}' "
    + WRITE_EVENT,
    "event_of_a_planned_row": f"AFTER INSERT ON rows WHEN NEW.state = '{State.PLANNED}' {WRITE_EVENT}",
    "events_stay": "BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
    "events_remain": "BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
}


@event.listens_for(events, "after_create")
def _create_triggers(_events: Table, connection: Connection, **_: object) -> None:
    if connection.dialect.name == "sqlite":
        for name, what in TRIGGERS.items():
            connection.exec_driver_sql(f"CREATE TRIGGER {name} {what}")


def is_in(table: Table, state: State) -> ColumnElement[bool]:
    """The condition that the row or object is in the state, which stands there literally: see the partial indexes."""
    return table.c.state == literal_column(f"'{state}'")


def body_of(row: FromClause) -> ScalarSelect[Any]:
    """The body of the row, of `rows` or of an alias of it; NULL where it has none."""
    return select(row_bodies.c.body).where(row_bodies.c.row_pk == row.c.pk).scalar_subquery()


def because(state: State, message: str | None) -> dict[str, str | None]:
    """Return the values of a row that changes its state for a reason that is no answer to its request.

    What an earlier attempt was answered would contradict the message, so it goes.
    """
    no_answer = dict.fromkeys(("http_status", "graph_code", "request_id", "client_request_id"))
    return {"state": state, "graph_message": message, **no_answer}
