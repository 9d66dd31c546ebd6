"""The ledger's tables. Plain SQL types only, so that another database can take them."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from pipeline.model import State

SCHEMA_VERSION = 1

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
)

objects = Table(
    "objects",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("scope_pk", ForeignKey("scopes.pk"), nullable=False),
    Column("key", String, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("collection", String, nullable=False),
    Column("state", String, nullable=False),
    Column("operation", String, nullable=False),
    Column("graph_id", String),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Column("row_pk", Integer, nullable=False),  # the row whose values count
    Column("changed_at", String, nullable=False),
    UniqueConstraint("scope_pk", "key"),
    Index("objects_by_state", "scope_pk", "state"),
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


def because(state: State, message: str | None) -> dict[str, str | None]:
    """Return the values of a row that changes its state for a reason that is no answer to its request.

    What an earlier attempt was answered would contradict the message, so it goes.
    """
    no_answer = dict.fromkeys(("http_status", "graph_code", "request_id", "client_request_id"))
    return {"state": state, "graph_message": message, **no_answer}
