"""The ledger's side of ingest: runs, sources, staged rows, and the plan once all files are read."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from pipeline.findings import Code, Finding
from pipeline.ledger.schema import counted_rows, findings, row_bodies, row_cells, rows, runs, sources
from pipeline.ledger.store import Ledger, now, to_json
from pipeline.model import StagedRow, State

INSERTED_AT_ONCE = 1_000


class NewRun(NamedTuple):
    """What is known of a run when it begins."""

    id: str
    verb: str
    edition: str
    folder: str
    version: str
    config_hash: str
    parent_id: str | None = None  # the run that an undo undoes


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
        insert_run(connection, ledger, run)


def insert_run(connection: Connection, ledger: Ledger, run: NewRun) -> None:
    """Add the run with the next number."""
    latest = select(func.coalesce(func.max(runs.c.number), 0)).scalar_subquery()
    values = run._asdict() | {"scope_pk": ledger.scope_pk, "started_at": now(), "number": latest + 1}
    connection.execute(insert(runs).values(**values))


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
        own = select(rows.c.pk).where(rows.c.run_id == run_id)
        for texts in (row_bodies, row_cells):
            connection.execute(delete(texts).where(texts.c.row_pk.in_(own)))
        for table in (findings, counted_rows, rows, sources):
            connection.execute(delete(table).where(table.c.run_id == run_id))
        connection.execute(delete(runs).where(runs.c.id == run_id))


def add_source(ledger: Ledger, run_id: str, source: NewSource, file_findings: Sequence[Finding]) -> int:
    """Record the source with the findings about the whole of it; return its number in the ledger."""
    lists = {"header": to_json(source.header), "properties": to_json(source.properties)}
    values = source._asdict() | lists | {"run_id": run_id, "rows_read": 0, "blank_rows": 0}
    with ledger.transaction() as connection:
        source_pk = int(connection.execute(insert(sources).values(**values).returning(sources.c.pk)).scalar_one())
        add_findings(connection, run_id, ((source_pk, None, each) for each in file_findings))
    return source_pk


def add_source_finding(ledger: Ledger, run_id: str, source_pk: int, found: Finding) -> None:
    """Record one more finding about the whole source."""
    with ledger.transaction() as connection:
        add_findings(connection, run_id, [(source_pk, None, found)])


def stage_rows(
    ledger: Ledger,
    run_id: str,
    source_pk: int,
    staged: Sequence[StagedRow],
    *,
    blank_rows: int,
    parents: tuple[str, ...] = (),
    pks: Sequence[int] | None = None,
) -> None:
    """Record one chunk of rows with their findings, in one transaction.

    `parents` are the runs that the source's rows come from, as far as they are known with this chunk. `pks` are the
    rows' numbers in the ledger, which no row has yet, for a caller that keeps some rows only; without them the rows
    are numbered on.
    """
    with ledger.transaction() as connection:
        first_pk = int(connection.execute(select(func.coalesce(func.max(rows.c.pk), 0))).scalar_one()) + 1
        numbers = range(first_pk, first_pk + len(staged)) if pks is None else pks
        numbered = list(zip(numbers, staged, strict=True))
        if numbered:
            lines = [_row_line(run_id, source_pk, pk, row) for pk, row in numbered]
            connection.exec_driver_sql(INSERT_ROW, lines)
            connection.exec_driver_sql(INSERT_CELLS, [(pk, to_json(row.cells)) for pk, row in numbered])
        if bodies := [(pk, row.request.body) for pk, row in numbered if row.request]:
            connection.exec_driver_sql(INSERT_BODY, bodies)
        add_findings(connection, run_id, ((source_pk, pk, each) for pk, row in numbered for each in row.findings))
        connection.execute(
            update(sources)
            .where(sources.c.pk == source_pk)
            .values(
                rows_read=sources.c.rows_read + len(staged) + blank_rows,
                blank_rows=sources.c.blank_rows + blank_rows,
                parents=to_json(parents),
            )
        )


# By sqlite3's executemany with plain tuples: SQLAlchemy's takes a dict for each row. An import's row took 68 us of
# processor time, and 20 us now, with its texts in tables of their own and no index by key.
INSERT_ROW = """
INSERT INTO rows (pk, run_id, source_pk, row_number, state, platform, collection, key, fingerprint)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_FINDING = """
INSERT INTO findings (run_id, source_pk, row_pk, code, severity, "column", value, message, hint)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_CELLS = "INSERT INTO row_cells (row_pk, cells) VALUES (?, ?)"
INSERT_BODY = "INSERT INTO row_bodies (row_pk, body) VALUES (?, ?)"


def _row_line(run_id: str, source_pk: int, pk: int, row: StagedRow) -> tuple[Any, ...]:
    """Return what `INSERT_ROW` takes."""
    number, _, platform, request, _ = row
    if request is None:
        return (pk, run_id, source_pk, number, State.INVALID.value, platform, "", None, None)
    known = (request.collection, request.key, request.fingerprint)
    return (pk, run_id, source_pk, number, State.STAGED.value, platform, *known)


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
    nothing_to_send = {"collection": "", "key": None, "fingerprint": None}
    with ledger.transaction() as connection:
        refused = select(rows.c.pk).where(staged_of(run_id), rows.c.pk.in_(told_rows))
        connection.execute(delete(row_bodies).where(row_bodies.c.row_pk.in_(refused)))
        connection.execute(
            update(rows)
            .where(staged_of(run_id), rows.c.pk.in_(told_rows))
            .values(state=State.INVALID, **nothing_to_send)
        )
        connection.execute(insert(findings).from_select(names, explained.where(is_meant).distinct()))


def drop_texts(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Delete the cells and the bodies of the rows: they are settled well, and nothing of them is ever sent."""
    meant = select(rows.c.pk).where(condition)
    for texts in (row_bodies, row_cells):
        connection.execute(delete(texts).where(texts.c.row_pk.in_(meant)))


def staged_of(run_id: str) -> ColumnElement[bool]:
    """The rows of the run that no plan has judged yet."""
    return and_(rows.c.run_id == run_id, rows.c.state == State.STAGED)


def add_findings(connection: Connection, run_id: str, found: Iterable[tuple[int, int | None, Finding]]) -> None:
    """Add (source, row or None, finding) triples."""
    waiting = iter(found)
    while chunk := list(islice(waiting, INSERTED_AT_ONCE)):
        lines = [
            (run_id, source_pk, row_pk, code.value, severity.value, *texts)
            for source_pk, row_pk, (code, severity, *texts) in chunk
        ]
        connection.exec_driver_sql(INSERT_FINDING, lines)
