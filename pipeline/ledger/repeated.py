"""Rows of one run with the same key: the first of exact duplicates is sent, of contradicting ones none."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    func,
    insert,
    literal,
    select,
    update,
)

from pipeline.findings import Code, finding
from pipeline.ledger.schema import body_of, rows, sources
from pipeline.ledger.staging import add_findings, drop_texts, staged_of
from pipeline.model import State

FETCHED_AT_ONCE = 1_000

repeated = Table(
    "repeated_rows",
    MetaData(),
    Column("row_pk", Integer, primary_key=True),
    Column("key", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    prefixes=["TEMPORARY"],
)
"""The staged rows of the run whose key another one has, while it is planned.

An index by key would have to take in each row at a place of its own, for the sake of the few that are here.
"""


def set_repeated(connection: Connection, run_id: str) -> None:
    """Set the staged rows that contradict each other to conflicting, and those that repeat an earlier one to duplicate.

    Each is told the place of another one.
    """
    keys = select(rows.c.key).where(staged_of(run_id)).group_by(rows.c.key).having(func.count() > 1)
    several = select(rows.c.pk, rows.c.key, rows.c.fingerprint).where(staged_of(run_id), rows.c.key.in_(keys))
    repeated.create(connection)
    found = connection.execute(insert(repeated).from_select(["row_pk", "key", "fingerprint"], several)).rowcount
    if found:
        _set_conflicting(connection, run_id)
        _set_duplicate(connection, run_id)
    repeated.drop(connection)


def _set_conflicting(connection: Connection, run_id: str) -> None:
    keys = select(repeated.c.key).group_by(repeated.c.key).having(func.count(func.distinct(repeated.c.fingerprint)) > 1)
    meant = select(repeated.c.row_pk).where(repeated.c.key.in_(keys))
    connection.execute(update(rows).where(rows.c.pk.in_(meant)).values(state=State.CONFLICTING))
    pairs = (
        pair
        for group in _groups_of_one_key(connection, State.CONFLICTING, body_of(rows))
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
    add_findings(connection, run_id, found)


def _set_duplicate(connection: Connection, run_id: str) -> None:
    is_left = rows.c.state == State.STAGED
    left = select(repeated.c.row_pk, repeated.c.key).join(rows, rows.c.pk == repeated.c.row_pk).where(is_left)
    groups = _groups_of_one_key(connection, State.STAGED, literal(b""))
    pairs = ((row, group[0]) for group in groups for row in group[1:])
    found = (
        (row.source_pk, row.pk, finding(Code.DUPLICATE, f"the same row stands in {other.text}")) for row, other in pairs
    )
    add_findings(connection, run_id, found)
    first = left.subquery()
    firsts = select(func.min(first.c.row_pk)).group_by(first.c.key)
    several = rows.c.pk.in_(select(repeated.c.row_pk))
    connection.execute(update(rows).where(several, is_left, rows.c.pk.not_in(firsts)).values(state=State.DUPLICATE))
    # Never sent, so neither the raw cells nor the body are needed any more.
    drop_texts(connection, and_(rows.c.run_id == run_id, rows.c.state == State.DUPLICATE))


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


def _groups_of_one_key(connection: Connection, state: State, body: ColumnElement[bytes]) -> Iterator[list[_Place]]:
    """Yield the repeated rows in the state that share a key, key by key, each list in the order of reading."""
    query = (
        select(
            repeated.c.key,
            repeated.c.fingerprint,
            rows.c.pk,
            rows.c.source_pk,
            sources.c.file,
            sources.c.sheet,
            rows.c.row_number,
            body,
        )
        .join_from(repeated, rows, rows.c.pk == repeated.c.row_pk)
        .join(sources, sources.c.pk == rows.c.source_pk)
        .where(rows.c.state == state)
        .order_by(repeated.c.key, repeated.c.row_pk)
        .execution_options(yield_per=FETCHED_AT_ONCE)
    )
    found = map(_Place._make, connection.execute(query))
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
