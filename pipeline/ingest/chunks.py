"""One chunk of a table -> what is kept of it: every row (an import), or those with something to tell (a dry run)."""

import marshal
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.ingest.blocks import (
    BlockJudge,
    Days,
    Sifted,
    add_days,
    first_bits,
    open_judge,
    sift_block,
    stage_block,
)
from pipeline.ingest.rows import judge_rows
from pipeline.ingest.rules import Rules
from pipeline.load import Chunk, Origin
from pipeline.model import ColumnMap, Row, StagedRow
from pipeline.returned import OwnColumns, own_columns, parents_in


class TableJudge(NamedTuple):
    """How the chunks of one table are judged. Build it with `judge_of`."""

    columns: ColumnMap
    rules: Rules
    own: OwnColumns | None  # where a report of our own says what was wrong with its rows
    block: BlockJudge | None  # None: each row has to be seen as a whole


def judge_of(header: tuple[str, ...], columns: ColumnMap, rules: Rules) -> TableJudge:
    """Return how the chunks of the table with this header are judged."""
    own = own_columns(header)
    return TableJudge(columns, rules, own, None if own else open_judge(columns, rules))


class Kept(NamedTuple):
    """What is kept of a chunk. Places count the chunk's rows from 0, blank ones left out."""

    staged: list[StagedRow]
    places: list[int]  # of `staged`, ascending
    counted: Days  # of the other rows, which are valid and of which nothing is told
    keys: "array[int]"  # for each row the first 64 bits of its key, 0 of a row without a request; empty in an import
    rows: int


class Judged(NamedTuple):
    """A chunk that was judged, and what else is known of it."""

    kept: Kept
    blank_rows: int
    row_numbers: Sequence[int]  # of its rows, ascending
    origin: Origin | None
    packed: bytes  # the rows of a dry run that cannot be read again by their origin, for `unpacked`
    parents: tuple[str, ...]  # the runs whose reports its rows come from


def judge_chunk(chunk: Chunk, judge: TableJudge, *, keeps_all: bool) -> Judged:
    """Return what is kept of the chunk: all rows, or those with something to tell."""
    kept = stage_chunk(chunk, judge) if keeps_all else sift_chunk(chunk, judge)
    parents = parents_in(chunk.rows, judge.own) if judge.own else ()
    packed = b""
    if not keeps_all and chunk.origin is None:
        columns = [_packed_column(column) for column in chunk.block.columns]
        packed = marshal.dumps((list(chunk.block.row_numbers), columns))
    return Judged(kept, chunk.blank_rows, _in_short(chunk.row_numbers), chunk.origin, packed, parents)


def _in_short(row_numbers: Sequence[int]) -> Sequence[int]:
    """Return the numbers, as a range where none of them is missing: they are kept for all rows."""
    if not row_numbers or row_numbers[-1] - row_numbers[0] + 1 != len(row_numbers):
        return row_numbers
    return range(row_numbers[0], row_numbers[-1] + 1)


def _packed_column(column: Sequence[str]) -> str | list[str]:
    joined = "\n".join(column)  # one text takes a tenth of the time that thousands do
    return joined if joined.count("\n") == len(column) - 1 else list(column)


def unpacked(packed: bytes, row_numbers: Sequence[int]) -> list[Row]:
    """Return the rows with these numbers, which have the header's cells, of a chunk that this process packed.

    What a workbook says of their cells beyond the text is left out: of rows that are only counted it says nothing.
    """
    numbers, packed_columns = marshal.loads(packed)  # noqa: S302 - this process wrote it
    columns = [column.split("\n") if isinstance(column, str) else column for column in packed_columns]
    places = ((number, bisect_left(numbers, number)) for number in row_numbers)
    return [Row(number, tuple(column[at] for column in columns)) for number, at in places]


def stage_chunk(chunk: Chunk, judge: TableJudge) -> Kept:
    """Return all rows of the chunk, each with its request or every finding that keeps it from one."""
    if judge.block is None:
        staged = list(judge_rows(chunk.rows, judge.columns, judge.rules, judge.own))
        return Kept(staged, list(range(len(staged))), {}, array("Q"), len(staged))
    done = stage_block(chunk.block, judge.block)
    rows = [*done.rows.values(), *_judged_singly(chunk, done.left, judge)]
    rows.sort(key=lambda row: row.row_number)
    return Kept(rows, list(range(len(rows))), {}, array("Q"), len(rows))


def sift_chunk(chunk: Chunk, judge: TableJudge) -> Kept:
    """Return the rows of the chunk of which there is something to tell, the others counted."""
    if judge.block is None:
        return _sifted(list(judge_rows(chunk.rows, judge.columns, judge.rules, judge.own)))
    done = sift_block(chunk.block, judge.block)
    if not chunk.odd and not done.left:
        return Kept(list(done.told.values()), list(done.told), done.counted, done.keys, len(chunk))
    return _with_others(chunk, done, _sifted(_judged_singly(chunk, done.left, judge)))


def _judged_singly(chunk: Chunk, left: Sequence[int], judge: TableJudge) -> list[StagedRow]:
    rows = sorted((*chunk.odd, *(chunk.block.row(at) for at in left)))
    return list(judge_rows(rows, judge.columns, judge.rules, judge.own))


def _sifted(rows: Sequence[StagedRow]) -> Kept:
    told = [at for at, row in enumerate(rows) if row.findings or row.request is None]
    keys = array("Q", (first_bits(bytes.fromhex(row.request.key)) if row.request else 0 for row in rows))
    counted: Days = {}
    add_days(counted, (row for row in rows if not row.findings))
    return Kept([rows[at] for at in told], told, counted, keys, len(rows))


def _with_others(chunk: Chunk, done: Sifted, others: Kept) -> Kept:
    """Return what is kept of the block together with the rows beside it, in the chunk's order."""
    numbers, left = chunk.block.row_numbers, set(done.left)
    odd = [row.row_number for row in chunk.odd]
    singly = sorted((*odd, *(numbers[at] for at in done.left)))
    key_of = dict(zip(singly, others.keys, strict=True))
    keys = done.keys
    for at in left:
        keys[at] = key_of[numbers[at]]
    places = {row.row_number: at + bisect_left(odd, row.row_number) for at, row in done.told.items()}
    places |= {numbers[at]: at + bisect_left(odd, numbers[at]) for at in left}
    for at, number in enumerate(odd):
        places[number] = at + bisect_left(numbers, number)
        keys.insert(places[number], key_of[number])
    staged = sorted((*done.told.values(), *others.staged), key=lambda row: row.row_number)
    for kind, days in others.counted.items():
        done.counted.setdefault(kind, []).extend(days)
    return Kept(staged, [places[row.row_number] for row in staged], done.counted, keys, len(chunk))
