"""What the ledger knows of a run, as a report needs it. Reads only."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select

from pipeline.errors import UsageError
from pipeline.findings import Code, Finding, Severity
from pipeline.ledger.counted import counted_by, counted_in_all
from pipeline.ledger.schema import (
    body_of,
    counted_rows,
    events,
    findings,
    objects,
    row_cells,
    rows,
    runs,
    scopes,
    sources,
)
from pipeline.ledger.store import Ledger, from_json
from pipeline.ledger.transitions import TO_SEND
from pipeline.model import Answer, ReportRow, RunInfo, Scope, SourceInfo, State

FETCHED_AT_ONCE = 1_000

STATES = {each.value: each for each in State}
CODES = {each.value: each for each in Code}
SEVERITIES = {each.value: each for each in Severity}
"""Members by their texts: found in a tenth of the time of `State(text)`."""

NO_ANSWER = Answer()
ANSWER_END = 14
"""Columns of a report row before those of its finding."""

OF_ITS_OBJECT = (State.ALREADY_THERE, State.CHANGED)
"""States whose row is told the id that its object has now."""

OF_ITS_TIME = (State.CREATED, State.UPDATED, State.REVERSED, State.KEPT, State.MISSING)
"""States whose row is told the id that its object had then: a later run may have created it anew."""


class RouteCount(NamedTuple):
    """How many rows of one collection are in one state."""

    collection: str
    state: State
    rows: int


def find_run(ledger: Ledger, wanted: str | None, *, prefer_waiting: bool = False) -> RunInfo:
    """Return the run with the id, or with the only id that ends so, of any scope; without one the scope's latest plan.

    With `prefer_waiting` that is the latest one with rows to send or to settle, if there is any. Raises UsageError
    when there is no such run, or several.
    """
    to_send = exists().where(
        rows.c.run_id == runs.c.id,
        rows.c.state.in_(TO_SEND),
        objects.c.pk == rows.c.object_pk,
        objects.c.row_pk == rows.c.pk,
        objects.c.state.in_(TO_SEND),
    )
    is_unknown = exists().where(rows.c.run_id == runs.c.id, rows.c.state == State.UNKNOWN)
    with_waiting = select(runs.c.id).where(runs.c.scope_pk == ledger.scope_pk, or_(to_send, is_unknown))
    query = _run_query().order_by(runs.c.number.desc())
    with ledger.reading() as connection:
        known = [_run_info(each) for each in connection.execute(query)]
        waiting = set(connection.execute(with_waiting).scalars()) if prefer_waiting else set()
    if wanted is None:
        found = [each for each in known if each.scope == ledger.scope and each.planned_at is not None]
        found = ([each for each in found if each.id in waiting] or found)[:1]
    else:
        found = [each for each in known if each.id == wanted or each.id.endswith(f"-{wanted}")]
    if len(found) == 1:
        return found[0]
    if not known:
        raise UsageError(f"{ledger.path}: the ledger holds no run yet; start one with `certstate import FILE`")
    latest = ", ".join(each.id for each in known[:3])
    if wanted is None:
        problem = (
            f"no run for {ledger.scope.service_root}, tenant {ledger.scope.tenant_id or 'none'}, has read all its files"
        )
    else:
        problem = f"{'several runs end' if found else 'no run ends'} with {wanted}"
    raise UsageError(f"{ledger.path}: {problem}; name one of them, the latest are {latest}")


def run_ids(ledger: Ledger) -> list[str]:
    """Return the ids of all runs, of any scope, in the order in which they began."""
    with ledger.reading() as connection:
        return list(connection.execute(select(runs.c.id).order_by(runs.c.number)).scalars())


def run_info(ledger: Ledger, run_id: str) -> RunInfo:
    """Return what the ledger knows of the run as a whole."""
    with ledger.reading() as connection:
        return _run_info(connection.execute(_run_query().where(runs.c.id == run_id)).one())


def source_infos(ledger: Ledger, run_id: str) -> list[SourceInfo]:
    """Return the run's sources in the order of reading."""
    query = select(sources).where(sources.c.run_id == run_id).order_by(sources.c.pk)
    with ledger.reading() as connection:
        return [
            SourceInfo(
                each.pk,
                each.file,
                each.sheet,
                each.sha256,
                each.encoding,
                each.delimiter,
                from_json(each.header),
                each.rows_read,
                each.blank_rows,
                from_json(each.properties),
                from_json(each.parents),
            )
            for each in connection.execute(query)
        ]


def route_counts(ledger: Ledger, run_id: str) -> list[RouteCount]:
    """Return the number of the run's rows by collection and state, in the order of reading.

    What is counted and not kept comes first.
    """
    query = (
        select(rows.c.collection, rows.c.state, func.count())
        .where(rows.c.run_id == run_id)
        .group_by(rows.c.collection, rows.c.state)
        .order_by(func.min(rows.c.pk))
    )
    counts = Counter[tuple[str, State]]()
    with ledger.reading() as connection:
        for collection, n in counted_by(connection, run_id, counted_rows.c.collection):
            counts[collection, State.PLANNED] += n
        for collection, state, n in connection.execute(query):
            counts[collection, State(state)] += n
    return [RouteCount(*kind, n) for kind, n in counts.items()]


def state_counts(ledger: Ledger, run_id: str) -> dict[State, int]:
    """Return the number of the run's rows by state."""
    query = select(rows.c.state, func.count()).where(rows.c.run_id == run_id).group_by(rows.c.state)
    with ledger.reading() as connection:
        counts = {State(state): n for state, n in connection.execute(query)}
        if counted := counted_in_all(connection, run_id):
            counts[State.PLANNED] = counts.get(State.PLANNED, 0) + counted
    return counts


def waiting_rows(ledger: Ledger, run_id: str) -> int:
    """Return the number of the run's rows that a resumed run would send: not those that a later run has taken over."""
    query = (
        select(func.count())
        .join(objects, and_(objects.c.pk == rows.c.object_pk, objects.c.row_pk == rows.c.pk))
        .where(rows.c.run_id == run_id, rows.c.state.in_(TO_SEND), objects.c.state.in_(TO_SEND))
    )
    with ledger.reading() as connection:
        return int(connection.execute(query).scalar_one()) + counted_in_all(connection, run_id)


def placed_findings(ledger: Ledger, run_id: str) -> Iterator[tuple[int, int | None, Finding]]:
    """Yield (source, row number, finding) in the order of reading; the row number is None for a whole source."""
    query = (
        select(
            findings.c.source_pk,
            rows.c.row_number,
            *finding_columns(),
        )
        .outerjoin(rows, rows.c.pk == findings.c.row_pk)
        .where(findings.c.run_id == run_id)
        .order_by(findings.c.source_pk, rows.c.row_number, findings.c.pk)
    )
    with ledger.reading() as connection:
        for source_pk, row_number, *found in connection.execute(query).yield_per(FETCHED_AT_ONCE):
            yield source_pk, row_number, as_finding(found)


def file_findings(ledger: Ledger, run_id: str) -> list[tuple[int, Finding]]:
    """Return (source, finding) for what is about whole sources, in the order of reading."""
    query = (
        select(findings.c.source_pk, *finding_columns())
        .where(findings.c.run_id == run_id, findings.c.row_pk.is_(None))
        .order_by(findings.c.source_pk, findings.c.pk)
    )
    with ledger.reading() as connection:
        return [(source_pk, as_finding(found)) for source_pk, *found in connection.execute(query)]


def report_rows(ledger: Ledger, run_id: str, states: Sequence[State]) -> Iterator[ReportRow]:
    """Yield the run's rows in these states in the order of reading, each with its findings and its last answer."""
    in_state = select(rows.c.pk).where(rows.c.run_id == run_id, rows.c.state.in_(states))
    return _report_rows(ledger, in_state)


def rows_with(ledger: Ledger, run_id: str, severity: Severity) -> Iterator[ReportRow]:
    """Yield the run's rows that have a finding of the severity, in the order of reading, each with all its findings."""
    found = select(findings.c.row_pk).where(findings.c.run_id == run_id, findings.c.severity == severity)
    return _report_rows(ledger, found)


def _report_rows(ledger: Ledger, row_pks: Select[Any]) -> Iterator[ReportRow]:
    cells = select(row_cells.c.cells).where(row_cells.c.row_pk == rows.c.pk).scalar_subquery()
    query = (
        select(
            *(rows.c.pk, rows.c.source_pk, rows.c.row_number, rows.c.state, rows.c.collection, cells, body_of(rows)),
            *(rows.c.attempts, rows.c.http_status, _told_id(), rows.c.graph_code, rows.c.graph_message),
            *(rows.c.request_id, rows.c.client_request_id, *finding_columns()),
        )
        .outerjoin(objects, objects.c.pk == rows.c.object_pk)
        .outerjoin(findings, findings.c.row_pk == rows.c.pk)
        .where(rows.c.pk.in_(row_pks))
        .order_by(rows.c.pk, findings.c.pk)
    )
    with ledger.reading() as connection:
        found = connection.execute(query).yield_per(FETCHED_AT_ONCE)
        for _, group in groupby(found, key=itemgetter(0)):
            yield _report_row(list(group))


def _report_row(lines: Sequence[Any]) -> ReportRow:
    """Return the row of the query's lines, one for each finding or a single one without."""
    # By place, not by name: that takes SQLAlchemy longer than all else here, and a report reads a row three times.
    _, source_pk, row_number, state, collection, cells, body, attempts, *answer = lines[0][:ANSWER_END]
    return ReportRow(
        source_pk,
        row_number,
        STATES[state],
        collection,
        from_json(cells) if cells is not None else None,
        body,
        tuple([as_finding(line[ANSWER_END:]) for line in lines if line[ANSWER_END] is not None]),
        attempts,
        Answer(answer[0], *(text or "" for text in answer[1:])) if any(answer) else NO_ANSWER,
    )


def _told_id() -> ColumnElement[str | None]:
    """The id of the row's object, for rows that are told one."""
    then = (
        select(events.c.graph_id)
        .where(events.c.row_pk == rows.c.pk)
        .order_by(events.c.pk.desc())
        .limit(1)
        .scalar_subquery()
    )
    return case(
        (objects.c.there_row_pk == rows.c.pk, objects.c.graph_id),  # nearly all, without a look at the events
        (rows.c.state.in_(OF_ITS_OBJECT), objects.c.graph_id),
        (rows.c.state.in_(OF_ITS_TIME), then),
    ).label("told_id")


def finding_columns() -> tuple[Any, ...]:
    """What `as_finding` is made of."""
    c = findings.c
    return (c.code, c.severity, c.column, c.value, c.message, c.hint)


def as_finding(values: Sequence[Any]) -> Finding:
    """Return the finding of a query over `finding_columns`."""
    code, severity, column, value, message, hint = values
    return Finding(CODES[code], SEVERITIES[severity], column, value, message, hint)


def _run_query() -> Select[Any]:
    return select(runs, scopes.c.service_root, scopes.c.tenant_id).join(scopes, scopes.c.pk == runs.c.scope_pk)


def _run_info(run: Any) -> RunInfo:  # noqa: ANN401 - a row of SQLAlchemy's
    return RunInfo(
        id=run.id,
        scope=Scope(run.service_root, run.tenant_id),
        verb=run.verb,
        edition=run.edition,
        folder=run.folder,
        version=run.version,
        started_at=run.started_at,
        planned_at=run.planned_at,
        ended_at=run.ended_at,
        stop=run.stop or "",
        stop_message=run.stop_message or "",
        parent_id=run.parent_id or "",
        remote_check=run.remote_check or "",
    )
