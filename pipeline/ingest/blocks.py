"""A block of rows, column by column: most rows are plain in each of them, and nothing is done to these one by one.

What a row is depends on its cells (cells.py), on the route that some of them choose, and on the key. Each of these is
found once for many rows; only of rows with something to tell a staged row is put together. The outcome is that of
rows.py, which judges what cannot stand in a block: a test compares the two on tables of all kinds.
"""

import json
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from pipeline.findings import Code, Finding, Severity, finding, shorten
from pipeline.identity import fingerprint_of, key_of, keys_by_thumbprint
from pipeline.ingest.cells import Cell, Place, notable_cells, places_of, value_of
from pipeline.ingest.rows import NO_IDENTITY
from pipeline.ingest.rules import Rules, judged
from pipeline.ledger import Counted
from pipeline.load import Block
from pipeline.model import (
    CERTIFICATE_COLUMN,
    PROFILE_ID_COLUMN,
    PROFILE_TYPE_COLUMN,
    CellType,
    ColumnMap,
    Operation,
    Request,
    StagedRow,
    Values,
)
from pipeline.routes import Routed, route_row
from pipeline.validate import body_of, platform_of
from pipeline.values import find_cell_problem

ItemT = TypeVar("ItemT")

ROUTING = ("devicePlatform", "certificateProfileDisplayName", PROFILE_TYPE_COLUMN, PROFILE_ID_COLUMN)
"""The names whose texts choose the route."""

REMEMBERED = 20_000
"""So many combinations of these texts are remembered at most."""


@dataclass(frozen=True, slots=True)
class BlockJudge:
    """How blocks of one table are judged. Build it with `open_judge`."""

    columns: ColumnMap
    rules: Rules
    places: tuple[Place, ...]
    routes: dict[tuple[str, ...], Routed] = field(default_factory=dict)  # by the texts of ROUTING
    is_doubtful: dict[tuple[int, CellType, str], bool] = field(default_factory=dict)  # by place, type and text


def open_judge(columns: ColumnMap, rules: Rules) -> BlockJudge | None:
    """Return the judge of the table's blocks, or None where a row has to be seen as a whole.

    That is so with certificates, which fill other columns, with templates, and where the whole table is refused.
    """
    has_certificates = columns.indexes[columns.names.index(CERTIFICATE_COLUMN)] is not None
    is_refused = any(each.severity is Severity.ERROR for each in columns.findings)
    if has_certificates or is_refused or any(columns.composites):
        return None
    return BlockJudge(columns, rules, places_of(columns, rules))


Tally = dict[tuple[str, str], Counter[str]]
"""(collection, platform) -> the day on which a certificate expires -> rows."""

Days = dict[tuple[str, str], list[str]]
"""(collection, platform) -> for each row the day on which its certificate expires: a list is quickly counted."""


class Sifted(NamedTuple):
    """What a dry run keeps of a block."""

    told: dict[int, StagedRow]  # rows of which there is something to tell, by their place in the block
    counted: "Days"  # of valid rows of which nothing is told
    keys: "array[int]"  # for each row the first 64 bits of its key, 0 of a row without a request
    left: list[int]  # the places of rows that rows.py has to judge; in none of the others


def sift_block(block: Block, judge: BlockJudge) -> Sifted:
    """Return what a dry run keeps of the block."""
    read = _read(block, judge)
    first = _first_bits_of(_keys(read, judge))
    keys = first if len(first) == len(block) else array("Q", bytes(8 * len(block)))
    if keys is not first:
        for at, key in zip(read.plain, first, strict=True):
            keys[at] = key
    counted = _days_of(read, judge)
    told: dict[int, StagedRow] = {}
    for at in read.notable:
        row = _told_row(at, block, read, judge)
        if row.request:
            keys[at] = first_bits(bytes.fromhex(row.request.key))
        if row.request and not row.findings:  # such as one without a thumbprint
            add_days(counted, [row])
        else:
            told[at] = row
    return Sifted(told, counted, keys, read.left)


def _days_of(read: "_Read", judge: BlockJudge) -> Days:
    """Return the days on which the plain rows' certificates expire."""
    kinds = {texts: (judge.routes[texts].collection, texts[0]) for texts in set(read.routing)}
    days: Days = {kind: [] for kind in kinds.values()}
    add_to = {texts: days[kind].append for texts, kind in kinds.items()}
    dates = _picked(read.texts_of("certificateExpirationDateTime", judge), read.plain)
    for texts, date in zip(_picked(read.routing, read.plain), dates, strict=True):
        add_to[texts](date[:10])
    return {kind: rows for kind, rows in days.items() if rows}


def _first_bits_of(keys: Sequence[bytes]) -> "array[int]":
    numbers = array("Q", b"".join(key[:8] for key in keys))
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _picked(items: Sequence[ItemT], places: Sequence[int]) -> Sequence[ItemT]:
    """Return the items in these places, which are all or are listed."""
    return items if len(places) == len(items) else [items[at] for at in places]


def first_bits(key: bytes) -> int:
    """Return the first 64 bits of a key: enough to find rows that may have the same."""
    return int.from_bytes(key[:8], "big")


def add_days(days: Days, rows: Iterable[StagedRow]) -> None:
    """Take in rows that have a request."""
    for row in rows:
        if row.request is not None:
            day = json.loads(row.request.body).get("certificateExpirationDateTime", "")[:10]
            days.setdefault((row.request.collection, row.platform), []).append(day)


def count_days(tally: Tally, days: Days) -> None:
    """Count the rows."""
    for kind, each in days.items():
        tally.setdefault(kind, Counter()).update(each)


def uncount_rows(tally: Tally, rows: Iterable[StagedRow]) -> None:
    """Take rows out again that were counted."""
    days: Days = {}
    add_days(days, rows)
    for kind, each in days.items():
        tally[kind].subtract(each)


def counted_rows(tally: Tally) -> dict[Counted, int]:
    """Return the counts as the ledger takes them."""
    return {
        Counted(collection, platform, day): rows
        for (collection, platform), days in tally.items()
        for day, rows in days.items()
        if rows
    }


class Staged(NamedTuple):
    """A block's rows as the ledger takes them."""

    rows: dict[int, StagedRow]  # by their place in the block
    left: list[int]  # the places of rows that rows.py has to judge


def stage_block(block: Block, judge: BlockJudge) -> Staged:
    """Return the block's rows, each with its request or every finding that keeps it from one."""
    read = _read(block, judge)
    rows = {at: _told_row(at, block, read, judge) for at in read.notable}
    properties = [(place.name, place.prop, read.texts[place.at]) for place in judge.places if place.prop is not None]
    for at, digest in zip(read.plain, _keys(read, judge), strict=True):
        given = ((name, value_of(texts[at], prop)) for name, prop, texts in properties)
        values = {name: value for name, value in given if value is not None}
        routing = read.routing[at]
        request = _request(judge.routes[routing].collection, values, digest.hex(), judge)
        rows[at] = StagedRow(block.row_numbers[at], _cells(block, at), routing[0], request, ())
    return Staged(rows, read.left)


class _Read(NamedTuple):
    """A block whose cells are read."""

    texts: tuple[Sequence[str], ...]  # by place: the texts after the rules
    cells: tuple[Mapping[int, Cell], ...]  # by place: those that are more than their text
    routing: list[tuple[str, ...]]  # by row: the texts of ROUTING
    plain: Sequence[int]  # the places of rows of which nothing is told
    notable: list[int]
    left: list[int]

    def texts_of(self, name: str, judge: BlockJudge) -> Sequence[str]:
        """Return the texts of the name, as many as the block has rows."""
        return self.texts[judge.columns.names.index(name)]


def _read(block: Block, judge: BlockJudge) -> _Read:
    if len(judge.routes) >= REMEMBERED:
        judge.routes.clear()  # here, because each row of a block finds its route again
    left = {*block.places_of("PRIVATE"), *_doubtful_types(block, judge)}
    notable = set[int]()
    texts: list[Sequence[str]] = []
    cells: list[Mapping[int, Cell]] = []
    for place in judge.places:
        given = [""] * len(block) if place.index is None else block.columns[place.index]
        found = notable_cells(given, place, judge.rules)
        if found:
            changed = list(given)
            for at, cell in found.items():
                changed[at] = cell.text
            given = changed
            notable.update(at for at, cell in found.items() if cell.is_told)
        texts.append(given)
        cells.append(found)
    names = judge.columns.names
    routing = list(zip(*(texts[names.index(name)] for name in ROUTING if name in names), strict=True))
    unsure = {each for each in set(routing) if not _route_of(each, judge).collection}
    if unsure:
        notable.update(at for at, each in enumerate(routing) if each in unsure)
    notable.update(at for at, text in enumerate(texts[names.index("certificateThumbprint")]) if not text.strip())
    notable -= left
    away = notable | left
    plain = [at for at in range(len(block)) if at not in away] if away else range(len(block))
    return _Read(tuple(texts), tuple(cells), routing, plain, sorted(notable), sorted(left))


def _route_of(texts: tuple[str, ...], judge: BlockJudge) -> Routed:
    """Return where rows with these texts of ROUTING go."""
    known = judge.routes.get(texts)
    if known is None:
        text_of = dict(zip((name for name in ROUTING if name in judge.columns.names), texts, strict=True))
        values = Values(judge.columns, tuple(text_of.get(name, "") for name in judge.columns.names))
        platform = platform_of(text_of["devicePlatform"], judge.rules.edition)
        known = judge.routes[texts] = route_row(values, platform, judge.rules.routes)
    return known


def _keys(read: _Read, judge: BlockJudge) -> list[bytes]:
    """Return the keys of the plain rows, each of which has a thumbprint."""
    collection_of = {texts: routed.collection for texts, routed in judge.routes.items()}
    devices, thumbprints = (read.texts_of(name, judge) for name in ("deviceDisplayName", "certificateThumbprint"))
    return keys_by_thumbprint(
        [collection_of[texts] for texts in _picked(read.routing, read.plain)],
        _picked(devices, read.plain),
        _picked(thumbprints, read.plain),
    )


def _doubtful_types(block: Block, judge: BlockJudge) -> Iterator[int]:
    """Yield the places of rows with a cell that a workbook holds in a way that can have lost what was meant."""
    place_of = {place.index: place for place in judge.places if place.index is not None}
    rules = judge.rules.values
    for at, types in block.not_text.items():
        for index, cell_type in types:
            place = place_of.get(index)
            if place is None:
                continue
            asked = (place.at, cell_type, block.columns[index][at])
            known = judge.is_doubtful.get(asked)
            if known is None:
                if len(judge.is_doubtful) >= REMEMBERED:
                    judge.is_doubtful.clear()
                problem = find_cell_problem(asked[2], cell_type, place.prop, rules.serial)
                known = judge.is_doubtful[asked] = problem is not None
            if known:
                yield at


def _told_row(at: int, block: Block, read: _Read, judge: BlockJudge) -> StagedRow:
    """Return the row with all that its cells, its route and its key have to tell, as rows.py would."""
    rules = judge.rules
    routed = _route_of(read.routing[at], judge)
    cells = [found[at] for found in read.cells if at in found]
    prepared = [each for part in ("told", "filled", "masked") for cell in cells for each in getattr(cell, part)]
    refused = {each.column for each in prepared if each.severity is Severity.ERROR}
    later = [each for part in ("errors", "warnings") for cell in cells for each in getattr(cell, part)]
    if routed.findings:
        later += _as_in_file(routed.findings, at, block, judge)
    values = {} if any(cell.errors for cell in cells) else _values(at, read, judge)
    texts = {name: text[at] for name, text in zip(judge.columns.names, read.texts, strict=True) if text[at].strip()}
    key = key_of(routed.collection, values or texts)
    found = (*prepared, *(each for each in later if each.column not in refused))
    if not key:
        found += (finding(Code.NO_IDENTITY, NO_IDENTITY),)
    findings = tuple(judged(each, rules) for each in found)
    is_valid = bool(values and key and routed.collection) and not any(
        each.severity is Severity.ERROR for each in findings
    )
    request = _request(routed.collection, values, key, judge) if is_valid else None
    platform = platform_of(read.texts_of("devicePlatform", judge)[at], rules.edition)
    return StagedRow(block.row_numbers[at], _cells(block, at), platform, request, findings)


def _as_in_file(findings: Sequence[Finding], at: int, block: Block, judge: BlockJudge) -> Iterator[Finding]:
    """Yield the findings with their values as the file has them."""
    index_of = {place.header: place.index for place in judge.places}
    for each in findings:
        index = index_of.get(each.column)
        text = "" if index is None else block.columns[index][at]
        yield each._replace(value=shorten(text)) if each.value else each


def _values(at: int, read: _Read, judge: BlockJudge) -> dict[str, str | int]:
    values: dict[str, str | int] = {}
    for place, texts, cells in zip(judge.places, read.texts, read.cells, strict=True):
        if place.prop is not None:
            cell = cells.get(at)
            value = cell.value if cell else value_of(texts[at], place.prop)
            if value is not None:
                values[place.name] = value
    return values


def _request(collection: str, values: Mapping[str, str | int], key: str, judge: BlockJudge) -> Request:
    fingerprint = fingerprint_of(judge.rules.edition, values)
    return Request(Operation.CREATE, collection, body_of(values), key, fingerprint)


def _cells(block: Block, at: int) -> tuple[str, ...]:
    return tuple(column[at] for column in block.columns)
