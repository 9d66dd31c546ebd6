"""The story of a row: what each run did to it and to its object, step by step. Reads only."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, or_, select

from pipeline.findings import Finding
from pipeline.ledger.schema import events, findings, rows, sources
from pipeline.ledger.store import Ledger
from pipeline.ledger.views import as_finding, finding_columns
from pipeline.model import Answer, Operation, State


class Event(NamedTuple):
    """One step of a row, as it was written down when it happened."""

    at: str  # UTC, ISO 8601
    run_id: str  # of the row that took the step, which is another run's for an object that several runs had to do with
    operation: Operation
    state: State
    attempts: int
    answer: Answer


class RowStory(NamedTuple):
    """A row, and all that happened to it and to its object, in any run."""

    file: str
    sheet: str | None
    row_number: int
    state: State
    collection: str  # "" of an invalid row
    operation: Operation
    key: str  # "" of an invalid row
    findings: tuple[Finding, ...]
    events: tuple[Event, ...]  # in the order in which they happened


def row_stories(ledger: Ledger, run_id: str, row_number: int) -> list[RowStory]:
    """Return the story of each row of the run with the number, in the order of reading: each file may have one."""
    query = (
        select(rows, sources.c.file, sources.c.sheet)
        .join(sources, sources.c.pk == rows.c.source_pk)
        .where(rows.c.run_id == run_id, rows.c.row_number == row_number)
        .order_by(rows.c.pk)
    )
    with ledger.reading() as connection:
        return [_story(connection, row) for row in connection.execute(query).all()]


def _story(connection: Connection, row: Any) -> RowStory:  # noqa: ANN401 - a row of SQLAlchemy's
    told = select(*finding_columns()).where(findings.c.row_pk == row.pk).order_by(findings.c.pk)
    with_object = select(rows.c.pk).where(rows.c.object_pk == row.object_pk)  # of whatever run
    of_row = or_(events.c.row_pk == row.pk, events.c.row_pk.in_(with_object))
    happened = select(events).where(of_row).order_by(events.c.pk)
    return RowStory(
        row.file,
        row.sheet,
        row.row_number,
        State(row.state),
        row.collection,
        Operation(row.operation),
        row.key or "",
        tuple(as_finding(each) for each in connection.execute(told)),
        tuple(_event(each) for each in connection.execute(happened)),
    )


def _event(event: Any) -> Event:  # noqa: ANN401 - a row of SQLAlchemy's
    answer = Answer(
        http_status=event.http_status,
        object_id=event.graph_id or "",
        graph_code=event.graph_code or "",
        message=event.graph_message or "",
        request_id=event.request_id or "",
        client_request_id=event.client_request_id or "",
    )
    return Event(event.at, event.run_id, Operation(event.operation), State(event.state), event.attempts, answer)
