"""Pieces of a text file, judged by several processes at once, come out in order as one process would judge them.

Each process reads its pieces from the file by itself and gives back only what is kept of them. Processes are started
anew and not forked: the ledger's connections and the terminal's threads do not survive a fork (sqlite.org's
howtocorrupt.html, 2.6), and Windows knows nothing else.
"""

import os
import pickle
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.ingest.chunks import Judged, TableJudge, judge_chunk, judge_of
from pipeline.ingest.rules import Rules
from pipeline.load import Origin, TextRows
from pipeline.model import ColumnMap

LEAST_BYTES = 150_000_000
"""Below, about 400,000 rows, the start of the processes takes longer than they save."""

MOST_PROCESSES = 8
"""So many are used at most unless told otherwise: beyond, reading the file and the spool are what takes the time."""

AHEAD = 2
"""So many pieces wait for each process, so that none is idle and few are in memory."""


def processes_for(size_bytes: int, jobs: int | None) -> int:
    """Return how many processes judge a file of this size; None chooses by the processors that may be used."""
    if jobs is not None:
        return jobs
    return min(usable_processors(), MOST_PROCESSES) if size_bytes >= LEAST_BYTES else 1


def usable_processors() -> int:
    """Return the number of processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool(NamedTuple):
    """Processes that judge pieces."""

    executor: ProcessPoolExecutor
    processes: int


@contextmanager
def open_pool(processes: int) -> Iterator[Pool | None]:
    """Yield a pool of so many processes, which are being started; None for one."""
    if processes < 2:
        yield None
        return
    executor = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_leave_signals)
    try:
        for _ in range(processes):
            executor.submit(os.getpid)  # so that they start while the file is looked through
        yield Pool(executor, processes)
    finally:
        executor.shutdown(cancel_futures=True)


def _leave_signals() -> None:
    """Let the main process decide what Ctrl-C means: the terminal sends it to all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Asked(NamedTuple):
    """What another process has to know of a table."""

    rows: TextRows
    header: tuple[str, ...]
    columns: ColumnMap
    rules: Rules
    keeps_all: bool


def judge_pieces(
    text: TextRows, judge: TableJudge, header: tuple[str, ...], pool: Pool, *, keeps_all: bool
) -> Iterator[Judged]:
    """Yield the table's chunks in its order, judged by the pool; from a piece on that cannot be cut, by this process.

    Raises SourceError when the file cannot be read, or a process of the pool ends before its time.
    """
    asked = pickle.dumps(_Asked(text, header, judge.columns, judge.rules, keeps_all))
    blank_rows = 0
    try:
        for piece, found in _in_order(text, asked, pool):
            if found is None:
                for chunk in text.chunks_from(piece, blank_rows):
                    yield judge_chunk(chunk, judge, keeps_all=keeps_all)
                return
            judged, behind = found
            if judged:
                yield judged[0]._replace(blank_rows=judged[0].blank_rows + blank_rows)
                yield from judged[1:]
            blank_rows = behind + (0 if judged else blank_rows)
    except BrokenProcessPool as problem:
        raise SourceError(
            f"{text.path}: a process that read a part of it ended before its time; is there enough memory? "
            "Read it with --jobs 1."
        ) from problem


def _in_order(text: TextRows, asked: bytes, pool: Pool) -> Iterator[tuple[Origin, tuple[list[Judged], int] | None]]:
    pieces = text.pieces()
    under_way: deque[tuple[Origin, Future[tuple[list[Judged], int] | None]]] = deque()
    most = AHEAD * pool.processes
    while True:
        while len(under_way) < most and (piece := next(pieces, None)) is not None:
            under_way.append((piece, pool.executor.submit(_judge_piece, piece, asked)))
        if not under_way:
            return
        piece, future = under_way.popleft()
        yield piece, future.result()


def _judge_piece(piece: Origin, asked: bytes) -> tuple[list[Judged], int] | None:
    """Return the piece's chunks, judged, and the blank rows behind them; None when it cannot be cut."""
    table, judge = _table_of(asked)
    found = table.rows.chunks_in(piece)
    if found is None:
        return None
    return [judge_chunk(chunk, judge, keeps_all=table.keeps_all) for chunk in found.chunks], found.blank_rows


@lru_cache(maxsize=1)
def _table_of(asked: bytes) -> tuple[_Asked, TableJudge]:
    table: _Asked = pickle.loads(asked)  # noqa: S301 - the main process made it
    return table, judge_of(table.header, table.columns, table.rules)
