"""Rows of one run with the same key: the first of exact duplicates is sent, of contradicting ones none."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from pipeline.findings import Code, finding
from pipeline.ledger.schema import rows, sources
from pipeline.ledger.staging import add_findings, staged_of
from pipeline.model import State


def set_conflicting(connection: Connection, run_id: str) -> None:
    """Set the staged rows that contradict each other to conflicting, each with a place that differs from it."""
    keys = (
        select(rows.c.key)
        .where(staged_of(run_id))
        .group_by(rows.c.key)
        .having(func.count(func.distinct(rows.c.fingerprint)) > 1)
    )
    connection.execute(update(rows).where(staged_of(run_id), rows.c.key.in_(keys)).values(state=State.CONFLICTING))
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
    add_findings(connection, run_id, found)


def set_duplicate(connection: Connection, run_id: str) -> None:
    """Set the staged rows that repeat an earlier one to duplicate, each with the place of the first."""
    first = select(func.min(rows.c.pk)).where(staged_of(run_id)).group_by(rows.c.key)
    connection.execute(update(rows).where(staged_of(run_id), rows.c.pk.not_in(first)).values(state=State.DUPLICATE))
    keys = select(rows.c.key).where(rows.c.run_id == run_id, rows.c.state == State.DUPLICATE)
    same_key = or_(rows.c.state == State.DUPLICATE, and_(rows.c.state == State.STAGED, rows.c.key.in_(keys)))
    groups = _groups_of_one_key(connection, run_id, same_key)
    pairs = ((row, group[0]) for group in groups for row in group[1:])
    found = (
        (row.source_pk, row.pk, finding(Code.DUPLICATE, f"the same row stands in {other.text}")) for row, other in pairs
    )
    add_findings(connection, run_id, found)
    # Never sent, so neither the raw cells nor the body are needed any more.
    repeated = and_(rows.c.run_id == run_id, rows.c.state == State.DUPLICATE)
    connection.execute(update(rows).where(repeated).values(cells=None, body=None))


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
