"""Phase one: files -> staged rows in the ledger, judged and routed, and planned once all files are read."""

import gc
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from pipeline.date_orders import DateOrders
from pipeline.errors import SourceError
from pipeline.findings import Code, Severity, finding
from pipeline.ingest.blocks import Tally, count_days, counted_rows, first_bits, uncount_rows
from pipeline.ingest.chunks import Judged, TableJudge, judge_chunk, judge_of, stage_chunk
from pipeline.ingest.pool import Pool, judge_pieces, open_pool, processes_for
from pipeline.ingest.repeats import Seen, rows_again
from pipeline.ingest.rules import Rules, judged
from pipeline.ingest.tables import columns_of, count_known, source_of, without_header
from pipeline.ledger import (
    Ledger,
    add_source,
    add_source_finding,
    count_rows,
    plan_run,
    refuse_rows,
    stage_rows,
)
from pipeline.load import (
    TEXT_SUFFIXES,
    LoadOptions,
    Table,
    changed,
    chunk_of,
    open_tables,
    sha256_of,
)
from pipeline.model import StagedRow
from pipeline.returned import MOST_PARENTS, without_causes

STAGED_AT_ONCE = 2_000
"""So many rows wait for one transaction, or as many as come from one piece of a file."""

OnRows = Callable[[int, int], None]
"""(rows read so far, estimated total)."""


def ingest_files(
    paths: Sequence[Path],
    ledger: Ledger,
    run_id: str,
    *,
    rules: Rules,
    options: LoadOptions,
    on_rows: OnRows,
    updates: bool = False,
    looks: bool | None = None,
    keeps_all: bool = True,
    jobs: int | None = 1,
) -> None:
    """Stage each row of the files and plan the run: the files are one call with one key space.

    `updates` and `looks` are `plan_run`'s. Without `keeps_all`, for a dry run on a ledger of its own, valid rows of
    which there is nothing to tell are counted and not kept. `jobs` processes judge the rows of text files; with None
    as many as there are processors, where the files are large. `on_rows` is told the rows read so far and the estimated
    total. Raises SourceError when a file is no table; the run then has no plan, and nothing of it can be sent.
    """
    options = replace(options, known_columns=partial(count_known, rules=rules))
    with (
        _collector_at_rest(),
        open_pool(processes_for(_size_of(paths), jobs)) as pool,
        TemporaryFile(dir=ledger.path.parent) as spool,  # private, and gone with the process
    ):
        reading = _Reading(ledger, run_id, rules, on_rows, keeps_all=keeps_all, pool=pool, spool=spool)
        for path in paths:
            _read_file(path, options, reading)
        if not keeps_all:
            _keep_repeats(reading)
            for source_pk, counted in reading.counted.items():
                count_rows(ledger, run_id, source_pk, counted_rows(counted))
    plan_run(ledger, run_id, updates=updates, looks=looks)


def _size_of(paths: Sequence[Path]) -> int:
    """Return the bytes of the text files together; what cannot be read is told when it is opened."""
    return sum(path.stat().st_size for path in paths if path.suffix.lower() in TEXT_SUFFIXES and path.is_file())


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from looking through rows again and again: they hold no cycles, and are many."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(slots=True)
class _Source:
    """A table whose rows are being read."""

    pk: int
    path: Path
    judge: TableJudge
    parents: tuple[str, ...] = ()
    waiting: list[StagedRow] = field(default_factory=list)  # to be staged together
    waiting_pks: list[int] = field(default_factory=list)  # of these, in a dry run
    blank_rows: int = 0  # among them


@dataclass(slots=True)
class _Reading:
    """How far the reading of a call's files has come."""

    ledger: Ledger
    run_id: str
    rules: Rules
    on_rows: OnRows
    keeps_all: bool
    pool: Pool | None
    spool: IO[bytes]  # of rows that cannot be read again by their place in a file
    rows: int = 0
    rows_expected: int = 0
    counted: dict[int, Tally] = field(default_factory=dict)  # by source: rows that are not kept
    keys: "array[int]" = field(default_factory=lambda: array("Q"))  # of all rows; one array, which is given back whole
    chunks: list[Seen] = field(default_factory=list)
    sources: list[_Source] = field(default_factory=list)


def _read_file(path: Path, options: LoadOptions, reading: _Reading) -> None:
    ledger, run_id, rules = reading.ledger, reading.run_id, reading.rules
    skipped: list[Table] = []
    matched = 0
    digest = ""
    for table in without_causes(open_tables(path, options)):
        columns = columns_of(table, rules)
        if columns is None:
            skipped.append(table)
            continue
        matched += 1
        digest = digest or sha256_of(path)
        source_pk = add_source(ledger, run_id, source_of(table, digest, rules, columns), columns.findings)
        _read_table(table, source_pk, judge_of(table.header, columns, rules), reading)
    if not matched or (skipped and options.sheets):
        raise without_header(path, skipped[0], rules)
    for table in skipped:
        source_pk = add_source(ledger, run_id, source_of(table, digest, rules), table.findings)
        message = (
            f"sheet {table.sheet} was not read, about {table.rows_estimate:,} rows: its row "
            f"{table.header_row_number} names no known column"
        )
        found = finding(Code.SKIPPED_SHEET, message)
        if not table.rows_estimate:
            found = found._replace(severity=Severity.WARNING)  # one line of text, and no rows that could be missed
        add_source_finding(ledger, run_id, source_pk, judged(found, rules))


def _read_table(table: Table, source_pk: int, judge: TableJudge, reading: _Reading) -> None:
    ledger, run_id = reading.ledger, reading.run_id
    rows_before = reading.rows
    reading.rows_expected += table.rows_estimate
    source = _Source(source_pk, table.source, judge)
    reading.sources.append(source)
    orders = DateOrders(table.header)
    for each in _judged_chunks(table, judge, reading):
        source.parents = tuple(dict.fromkeys((*source.parents, *each.parents)))[:MOST_PARENTS]
        _keep(each, source, reading)
        if len(source.waiting) >= STAGED_AT_ONCE:
            _stage(source, reading)
        orders.take_in(each.kept.staged)
        reading.on_rows(reading.rows, max(reading.rows, reading.rows_expected))
    _stage(source, reading)
    for found in orders.contradicted():
        refuse_rows(ledger, run_id, source_pk, Code.DATE_ORDER, found)
    if reading.rows == rows_before:
        found = finding(Code.NO_ROWS, "a header and no rows")
        add_source_finding(ledger, run_id, source_pk, judged(found, reading.rules))


def _judged_chunks(table: Table, judge: TableJudge, reading: _Reading) -> Iterator[Judged]:
    if reading.pool and table.text and table.text.is_in_pieces:
        yield from judge_pieces(table.text, judge, table.header, reading.pool, keeps_all=reading.keeps_all)
    else:
        yield from (judge_chunk(chunk, judge, keeps_all=reading.keeps_all) for chunk in table.chunks)


def _keep(judged: Judged, source: _Source, reading: _Reading) -> None:
    """Take in what is kept of a chunk; in a dry run by the number that each row has among all that were read."""
    kept = judged.kept
    source.waiting += kept.staged
    source.blank_rows += judged.blank_rows
    if not reading.keeps_all:
        source.waiting_pks += [reading.rows + 1 + place for place in kept.places]
        count_days(reading.counted.setdefault(source.pk, {}), kept.counted)
        reading.keys.extend(kept.keys)
        place = (reading.spool.tell(), len(judged.packed))
        at = len(reading.sources) - 1
        reading.chunks.append(Seen(at, reading.rows, judged.row_numbers, tuple(kept.places), judged.origin, *place))
        reading.spool.write(judged.packed)
    reading.rows += kept.rows


def _stage(source: _Source, reading: _Reading) -> None:
    """Stage the rows that wait: many in one transaction, each of which waits for the disk."""
    stage_rows(
        reading.ledger,
        reading.run_id,
        source.pk,
        source.waiting,
        blank_rows=source.blank_rows,
        parents=source.parents,
        pks=None if reading.keeps_all else source.waiting_pks,
    )
    source.waiting, source.waiting_pks, source.blank_rows = [], [], 0


def _keep_repeats(reading: _Reading) -> None:
    """Stage the counted rows whose key may come again, so that the plan compares them: they are read once more.

    Raises SourceError when a file is not the one that was read before.
    """
    repeats = rows_again(reading.keys, reading.chunks, reading.spool)
    for table, found in groupby(repeats, key=attrgetter("table")):
        source = reading.sources[table]
        while some := list(islice(found, STAGED_AT_ONCE)):
            staged = stage_chunk(chunk_of([each.row for each in some]), source.judge).staged
            for each, row in zip(some, staged, strict=True):
                is_same = row.request is not None and first_bits(bytes.fromhex(row.request.key)) == each.first_bits
                if not is_same or row.findings:
                    raise SourceError(changed(source.path))
            pks = [each.place + 1 for each in some]
            parents = source.parents
            stage_rows(reading.ledger, reading.run_id, source.pk, staged, blank_rows=0, parents=parents, pks=pks)
            uncount_rows(reading.counted[source.pk], staged)
