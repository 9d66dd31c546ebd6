"""One statement for a whole group of steps, with the steps as its VALUES.

With a statement for each row, by SQLAlchemy's execute, a step took 114 us of processor time in groups of 500; it takes
29 us so. An executemany runs the statement once for each row too, and takes the interpreter's lock back in between, for
which a busy event loop lets it wait: 500 rows took 188 ms beside a busy thread, and 71 ms so (38 and 28 ms alone). One
statement takes the lock once, and SQLite works beside the event loop.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, repeat
from typing import Any

from sqlalchemy import Connection

SIZES = (1, 4, 16, 64, 128, 256, 512, 1024)
"""How many lines a statement has: few kinds, so that SQLite finds each one prepared. What is left over is NULL.

A group of batches has some 500 steps, and each statement more is one more wait for the interpreter's lock. SQLite takes
32,766 values in one (sqlite.org/limits.html, 9).
"""

SET_ROWS = """
WITH step (row_pk, state, attempts, http_status, graph_code, graph_message, request_id, client_request_id)
  AS (VALUES {lines})
UPDATE rows SET state = step.state, attempts = step.attempts, http_status = step.http_status,
  graph_code = step.graph_code, graph_message = step.graph_message, request_id = step.request_id,
  client_request_id = step.client_request_id
FROM step WHERE rows.pk = step.row_pk
"""

MOVE_OBJECTS = """
WITH step (object_pk, state, operation, changed_at) AS (VALUES {lines})
UPDATE objects SET state = step.state, operation = step.operation, changed_at = step.changed_at
FROM step WHERE objects.pk = step.object_pk
"""

SET_THERE = """
WITH step (object_pk, row_pk, state, operation, changed_at, is_adopted, graph_id) AS (VALUES {lines})
UPDATE objects SET state = step.state, operation = step.operation, changed_at = step.changed_at,
  is_adopted = max(step.is_adopted, objects.is_adopted), graph_id = coalesce(step.graph_id, objects.graph_id),
  row_pk = own.pk, run_id = own.run_id, there_row_pk = own.pk, fingerprint = own.fingerprint,
  refused_fingerprint = NULL
FROM step JOIN rows AS own ON own.pk = step.row_pk WHERE objects.pk = step.object_pk
"""
"""Found again, an object stays adopted that was; a new one never was, because planning its create says so."""

DROP_CELLS = "WITH step (row_pk) AS (VALUES {lines}) DELETE FROM row_cells WHERE row_pk IN (SELECT row_pk FROM step)"


def write_lines(connection: Connection, statement: str, lines: Sequence[tuple[Any, ...]]) -> None:
    """Execute the statement with the lines, which all have as many values; the first is never NULL.

    Texts are to be plain `str`: sqlite3 asks around for each value of another class how to adapt it, which takes 1 us.
    """
    for some, size in _blocks(lines):
        width = len(some[0])
        rest = repeat(None, (size - len(some)) * width)
        connection.exec_driver_sql(_text(statement, size, width), (*chain.from_iterable(some), *rest))


def _blocks(lines: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Sequence[tuple[Any, ...]], int]]:
    """Yield the lines in parts, each with the least size that holds it."""
    for at in range(0, len(lines), SIZES[-1]):
        some = lines[at : at + SIZES[-1]]
        yield some, next(size for size in SIZES if size >= len(some))


@cache
def _text(statement: str, size: int, width: int) -> str:
    line = f"({', '.join('?' * width)})"
    return statement.format(lines=", ".join([line] * size))
