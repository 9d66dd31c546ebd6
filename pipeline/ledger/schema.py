"""The ledger's tables. Plain SQL types only, so that another database can take them."""

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from pipeline.model import State

SCHEMA_VERSION = 3

metadata = MetaData()

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
    Index("objects_by_state", "scope_pk", "state"),
    Index("objects_by_graph_id", "scope_pk", "graph_id"),
)

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
    Column("body", LargeBinary),
    Column("cells", Text),  # JSON list; NULL once the row is settled well
    Column("object_pk", ForeignKey("objects.pk")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("http_status", Integer),
    Column("graph_code", String),
    Column("graph_message", Text),
    Column("request_id", String),
    Column("client_request_id", String),
    Column("operation", String, nullable=False, server_default="create"),  # what this row wants done
    Index("rows_by_key", "run_id", "key"),
    Index("rows_by_state", "run_id", "state", "collection"),
    Index("rows_by_object", "object_pk"),
)

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

events = Table(
    "events",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("at", String, nullable=False),  # UTC, ISO 8601
    Column("run_id", String, nullable=False),  # of the row
    Column("row_pk", ForeignKey("rows.pk"), nullable=False, index=True),
    Column("object_pk", Integer, index=True),
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


def because(state: State, message: str | None) -> dict[str, str | None]:
    """Return the values of a row that changes its state for a reason that is no answer to its request.

    What an earlier attempt was answered would contradict the message, so it goes.
    """
    no_answer = dict.fromkeys(("http_status", "graph_code", "request_id", "client_request_id"))
    return {"state": state, "graph_message": message, **no_answer}
