"""The ledger's side of ingest: runs, sources, staged rows, and the plan once all files are read."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    update,
)

from pipeline.findings import Code, Finding, finding
from pipeline.identity import KEY_VERSION
from pipeline.ledger.schema import because, findings, objects, rows, runs, sources
from pipeline.ledger.store import Ledger, now, to_json
from pipeline.model import Operation, StagedRow, State

INSERTED_AT_ONCE = 1_000


class NewRun(NamedTuple):
    """What is known of a run when it begins."""

    id: str
    verb: str
    edition: str
    folder: str
    version: str
    config_hash: str


class NewSource(NamedTuple):
    """A file, or one sheet of a workbook, as the loader found it."""

    file: str
    sheet: str | None
    sha256: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    properties: tuple[str, ...] = ()  # what each column of `header` was taken for, or ""


def begin_run(ledger: Ledger, run: NewRun) -> None:
    """Record that the run has begun."""
    with ledger.transaction() as connection:
        connection.execute(insert(runs).values(**run._asdict(), scope_pk=ledger.scope_pk, started_at=now()))


def end_run(ledger: Ledger, run_id: str, *, stop: str = "", stop_message: str = "") -> None:
    """Record that the run has ended, and why if before its end."""
    with ledger.transaction() as connection:
        values = {"ended_at": now(), "stop": stop or None, "stop_message": stop_message or None}
        connection.execute(update(runs).where(runs.c.id == run_id).values(**values))


def discard_run(ledger: Ledger, run_id: str) -> None:
    """Remove a run whose files could not be read to the end, with its sources, rows and findings.

    Raises ValueError for a run that was planned: its objects may be on their way.
    """
    with ledger.transaction() as connection:
        unplanned = select(runs.c.id).where(runs.c.id == run_id, runs.c.planned_at.is_(None))
        if connection.execute(unplanned).first() is None:
            raise ValueError(f"run {run_id} is planned or does not exist, so it cannot be discarded")
        for table in (findings, rows, sources):
            connection.execute(delete(table).where(table.c.run_id == run_id))
        connection.execute(delete(runs).where(runs.c.id == run_id))


def add_source(ledger: Ledger, run_id: str, source: NewSource, file_findings: Sequence[Finding]) -> int:
    """Record the source with the findings about the whole of it; return its number in the ledger."""
    lists = {"header": to_json(source.header), "properties": to_json(source.properties)}
    values = source._asdict() | lists | {"run_id": run_id, "rows_read": 0, "blank_rows": 0}
    with ledger.transaction() as connection:
        source_pk = int(connection.execute(insert(sources).values(**values).returning(sources.c.pk)).scalar_one())
        _add_findings(connection, run_id, ((source_pk, None, each) for each in file_findings))
    return source_pk


def add_source_finding(ledger: Ledger, run_id: str, source_pk: int, found: Finding) -> None:
    """Record one more finding about the whole source."""
    with ledger.transaction() as connection:
        _add_findings(connection, run_id, [(source_pk, None, found)])


def stage_rows(ledger: Ledger, run_id: str, source_pk: int, staged: Sequence[StagedRow], *, blank_rows: int) -> None:
    """Record one chunk of rows with their findings, in one transaction."""
    with ledger.transaction() as connection:
        first_pk = int(connection.execute(select(func.coalesce(func.max(rows.c.pk), 0))).scalar_one()) + 1
        values = [
            {
                "pk": first_pk + at,
                "run_id": run_id,
                "source_pk": source_pk,
                "row_number": row.row_number,
                "state": State.STAGED if row.request else State.INVALID,
                "platform": row.platform,
                "collection": row.request.collection if row.request else "",
                "key": row.request.key if row.request else None,
                "fingerprint": row.request.fingerprint if row.request else None,
                "body": row.request.body if row.request else None,
                "cells": to_json(row.cells),
            }
            for at, row in enumerate(staged)
        ]
        if values:
            connection.execute(insert(rows), values)
        found = ((source_pk, first_pk + at, each) for at, row in enumerate(staged) for each in row.findings)
        _add_findings(connection, run_id, found)
        connection.execute(
            update(sources)
            .where(sources.c.pk == source_pk)
            .values(
                rows_read=sources.c.rows_read + len(staged) + blank_rows, blank_rows=sources.c.blank_rows + blank_rows
            )
        )


def refuse_rows(ledger: Ledger, run_id: str, source_pk: int, told: Code, found: Finding) -> None:
    """Refuse the rows of the source that have a finding with the code `told` on the column of `found`.

    Each gets `found` with the value that was told; a row that is invalid already stays so. The run is not planned yet.
    """
    names = ["run_id", "source_pk", "row_pk", "value", "code", "severity", "column", "message", "hint"]
    fixed = [literal(each) for each in (found.code, found.severity, found.column, found.message, found.hint)]
    is_meant = and_(
        findings.c.run_id == run_id,
        findings.c.source_pk == source_pk,
        findings.c.code == told,
        findings.c.column == found.column,
    )
    told_rows = select(findings.c.row_pk).where(is_meant)
    explained = select(findings.c.run_id, findings.c.source_pk, findings.c.row_pk, findings.c.value, *fixed)
    nothing_to_send = {"collection": "", "key": None, "fingerprint": None, "body": None}
    with ledger.transaction() as connection:
        connection.execute(
            update(rows).where(_staged(run_id), rows.c.pk.in_(told_rows)).values(state=State.INVALID, **nothing_to_send)
        )
        connection.execute(insert(findings).from_select(names, explained.where(is_meant).distinct()))


def plan_run(ledger: Ledger, run_id: str) -> None:
    """Decide for each staged row what is done with it: the import-again table of the design, in one transaction.

    Staged rows become duplicate, conflicting, already there, rejected before, changed, unknown or planned.
    """
    with ledger.transaction() as connection:
        _set_conflicting(connection, run_id)
        _set_duplicate(connection, run_id)
        _link_objects(connection, ledger.scope_pk, run_id)
        _set_by_object(connection, run_id)
        _take_over(connection, ledger.scope_pk, run_id)
        connection.execute(update(runs).where(runs.c.id == run_id).values(planned_at=now()))


def _staged(run_id: str) -> ColumnElement[bool]:
    return and_(rows.c.run_id == run_id, rows.c.state == State.STAGED)


def _set_conflicting(connection: Connection, run_id: str) -> None:
    keys = (
        select(rows.c.key)
        .where(_staged(run_id))
        .group_by(rows.c.key)
        .having(func.count(func.distinct(rows.c.fingerprint)) > 1)
    )
    connection.execute(update(rows).where(_staged(run_id), rows.c.key.in_(keys)).values(state=State.CONFLICTING))
    pairs = (
        pair
        for group in _groups_of_one_key(connection, run_id, rows.c.state == State.CONFLICTING)
        for pair in _contradictions(group)
    )
    found = (
        (
            row.source_pk,
            row.pk,
            finding(
                Code.CONFLICTING_ROWS,
                f"another description of the same certificate stands in {other.text}; it differs in "
                f"{', '.join(_differences(row, other))}",
            ),
        )
        for row, other in pairs
    )
    _add_findings(connection, run_id, found)


def _set_duplicate(connection: Connection, run_id: str) -> None:
    first = select(func.min(rows.c.pk)).where(_staged(run_id)).group_by(rows.c.key)
    connection.execute(update(rows).where(_staged(run_id), rows.c.pk.not_in(first)).values(state=State.DUPLICATE))
    keys = select(rows.c.key).where(rows.c.run_id == run_id, rows.c.state == State.DUPLICATE)
    same_key = or_(rows.c.state == State.DUPLICATE, and_(rows.c.state == State.STAGED, rows.c.key.in_(keys)))
    groups = _groups_of_one_key(connection, run_id, same_key)
    pairs = ((row, group[0]) for group in groups for row in group[1:])
    found = (
        (row.source_pk, row.pk, finding(Code.DUPLICATE, f"the same row stands in {other.text}")) for row, other in pairs
    )
    _add_findings(connection, run_id, found)


class _Place(NamedTuple):
    key: str
    fingerprint: str
    pk: int
    source_pk: int
    file: str
    sheet: str | None
    row_number: int
    body: bytes

    @property
    def text(self) -> str:
        sheet = f", sheet {self.sheet}" if self.sheet else ""
        return f"{self.file}{sheet}, row {self.row_number}"


def _groups_of_one_key(connection: Connection, run_id: str, condition: ColumnElement[bool]) -> Iterator[list[_Place]]:
    """Yield the rows that share a key, key by key, each list in the order of reading."""
    query = (
        select(
            rows.c.key,
            rows.c.fingerprint,
            rows.c.pk,
            rows.c.source_pk,
            sources.c.file,
            sources.c.sheet,
            rows.c.row_number,
            rows.c.body,
        )
        .join(sources, sources.c.pk == rows.c.source_pk)
        .where(rows.c.run_id == run_id, condition)
        .order_by(rows.c.key, rows.c.pk)
    )
    found = [_Place._make(each) for each in connection.execute(query)]
    for _, group in groupby(found, key=lambda place: place.key):
        yield list(group)


def _contradictions(group: list[_Place]) -> Iterator[tuple[_Place, _Place]]:
    """Yield each row of the group with one that describes the certificate otherwise."""
    first = group[0]
    other = next(each for each in group if each.fingerprint != first.fingerprint)
    return ((row, other if row.fingerprint == first.fingerprint else first) for row in group)


def _differences(row: _Place, other: _Place) -> list[str]:
    """Return the properties in which the bodies of two rows differ, in the edition's order."""
    ours, theirs = json.loads(row.body), json.loads(other.body)
    return [name for name in dict.fromkeys((*ours, *theirs)) if ours.get(name) != theirs.get(name)]


def _link_objects(connection: Connection, scope_pk: int, run_id: str, *, state: State = State.STAGED) -> None:
    """Link the staged rows to the objects with their key, and set those rows' state."""
    same_key = and_(objects.c.scope_pk == scope_pk, objects.c.key == rows.c.key)
    linked = update(rows).where(_staged(run_id), same_key).values(object_pk=objects.c.pk, state=state)
    connection.execute(linked)


def _set_by_object(connection: Connection, run_id: str) -> None:
    settled_well = objects.c.state.in_([State.CREATED, State.UPDATED])
    same = objects.c.fingerprint == rows.c.fingerprint
    for state, condition in (
        (State.ALREADY_THERE, and_(settled_well, same)),
        (State.CHANGED, and_(settled_well, not_(same))),
        (State.REJECTED_BEFORE, and_(objects.c.state == State.REJECTED, same)),
        (State.UNKNOWN, objects.c.state.in_([State.SENDING, State.UNKNOWN])),
    ):
        matches = exists().where(objects.c.pk == rows.c.object_pk, condition)
        connection.execute(update(rows).where(_staged(run_id), matches).values(state=state))
    connection.execute(_explain_by_object(run_id, State.CHANGED, Code.CHANGED, "created before with other values"))
    connection.execute(
        _explain_by_object(run_id, State.REJECTED_BEFORE, Code.REJECTED_BEFORE, "the service refused this row before")
    )
    # Settled well and never sent, so neither the raw cells nor the body are needed any more.
    well = and_(rows.c.run_id == run_id, rows.c.state.in_([State.ALREADY_THERE, State.DUPLICATE]))
    connection.execute(update(rows).where(well).values(cells=None, body=None))
    unknown = and_(rows.c.run_id == run_id, rows.c.state == State.UNKNOWN)
    message = "an earlier run sent this row and lost the answer; it may or may not have been created"
    connection.execute(update(rows).where(unknown).values(graph_message=message))


def _explain_by_object(run_id: str, state: State, code: Code, message: str) -> Insert:
    found = finding(code, message)
    values = [literal(each) for each in (found.code, found.severity, "", "", found.message, found.hint)]
    rows_of_state = select(rows.c.run_id, rows.c.source_pk, rows.c.pk, *values).where(
        rows.c.run_id == run_id, rows.c.state == state
    )
    names = ["run_id", "source_pk", "row_pk", "code", "severity", "column", "value", "message", "hint"]
    return insert(findings).from_select(names, rows_of_state)


def _take_over(connection: Connection, scope_pk: int, run_id: str) -> None:
    """Plan what is still staged: new objects, and those whose earlier attempt did not create anything."""
    # Joined from the staged rows: a subquery for each object would read all staged rows again and again.
    staged = rows.alias("staged")
    is_own = and_(staged.c.run_id == run_id, staged.c.state == State.STAGED, staged.c.object_pk == objects.c.pk)
    # A row of an earlier run that was still to be sent stays unsent there: its newest values go out in this run.
    waiting = select(objects.c.row_pk).join(staged, is_own).where(objects.c.state.in_([State.PLANNED, State.UNSENT]))
    connection.execute(
        update(rows).where(rows.c.pk.in_(waiting)).values(**because(State.UNSENT, f"taken over by run {run_id}"))
    )
    connection.execute(
        update(objects)
        .where(is_own)
        .values(
            state=State.PLANNED,
            operation=Operation.CREATE,
            run_id=run_id,
            changed_at=now(),
            row_pk=staged.c.pk,
            fingerprint=staged.c.fingerprint,
        )
    )
    new = select(
        literal(scope_pk),
        rows.c.key,
        literal(KEY_VERSION),
        rows.c.fingerprint,
        rows.c.collection,
        literal(State.PLANNED.value),
        literal(Operation.CREATE.value),
        rows.c.run_id,
        rows.c.pk,
        literal(now()),
    ).where(_staged(run_id), rows.c.object_pk.is_(None))
    names = ["scope_pk", "key", "key_version", "fingerprint", "collection", "state", "operation", "run_id", "row_pk"]
    connection.execute(insert(objects).from_select([*names, "changed_at"], new))
    _link_objects(connection, scope_pk, run_id, state=State.PLANNED)


def _add_findings(connection: Connection, run_id: str, found: Iterable[tuple[int, int | None, Finding]]) -> None:
    """Add (source, row or None, finding) triples."""
    waiting = iter(found)
    while chunk := list(islice(waiting, INSERTED_AT_ONCE)):
        values = [
            {"run_id": run_id, "source_pk": source_pk, "row_pk": row_pk, **each._asdict()}
            for source_pk, row_pk, each in chunk
        ]
        connection.execute(insert(findings), values)
