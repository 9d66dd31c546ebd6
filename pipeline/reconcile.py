"""Reading back: settle what is unknown, and find what the tenant has though this ledger never created it.

Each operation settles its own way. A lost create is looked for in sweeps of its collection: found = created and its id
adopted, absent from two complete sweeps = planned again. A lost update or delete is looked at by its id. Nothing here
writes to the tenant, and an incomplete sweep settles nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from pipeline.findings import Code, Finding, finding
from pipeline.graph import Access, Client, ReadFailedError, object_path, read_object, sweep
from pipeline.identity import differences_of, key_of_object
from pipeline.ledger import Ledger, apply_transitions, owned_ids, planned_by_key, planned_collections, unknown_rows
from pipeline.log import RunLog
from pipeline.model import Answer, Operation, PlannedRow, State, Transition, UnknownRow, Verdict

SWEEPS = 2
"""So many complete sweeps in which an object is absent prove that it is not there."""

GAP_OF_SETTLE = 0.1
"""Between two sweeps passes this share of the settle time, so that they are two looks and not one."""

READ_AT_ONCE = 8

UNREAD = "what is there already is not known, because this collection could not be read to its end"

SYSTEMIC: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.STOP_TENANT: "the tenant refused to be read",
        Verdict.REFRESH_TOKEN: "the token was refused again after its renewal",
        Verdict.SEND_AGAIN: "the service cannot be reached",
    }
)
"""What a failed read says of all others too, in words."""

Entity = Mapping[str, object]


class Purpose(StrEnum):
    """What the tenant is read for."""

    LOOKING = "looking"  # for what it has already
    SETTLING = "settling"  # what became of lost answers
    READING_BACK = "reading back"  # a run's objects, to compare them


class Looking(NamedTuple):
    """How far reading the tenant is, for whoever watches."""

    purpose: Purpose
    objects: int  # read so far; a collection that is swept again counts again
    collections: int  # read to their end
    of: int  # collections to read
    waits_s: float = 0.0  # seconds until the next look, because absence does not count before
    found: int = 0  # objects that are compared
    wanted: int = 0  # objects to compare; 0 where it is not known beforehand which there are


def watch_nothing(_news: object) -> None:
    """Let nobody watch."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The way to read the tenant back. `clock` is monotonic seconds."""

    client: Client
    access: Access
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    settle_s: float  # how long after a lost answer its object may still appear
    log: RunLog
    on_look: Callable[[Looking], None] = watch_nothing  # called after each page, and before a wait


@dataclass(slots=True)
class Reading:
    """One reading of some collections, and how far it is."""

    reader: Reader
    purpose: Purpose
    of: int  # collections
    wanted: int = 0  # objects to compare, where that is known beforehand
    objects: int = 0
    collections: int = 0
    found: int = 0

    def take(self, objects: int) -> None:
        """Take note of so many objects that were read, and tell it."""
        self.objects += objects
        self.tell()

    def tell(self, *, waits_s: float = 0.0) -> None:
        """Tell how far the reading is, and for how long nothing more is read."""
        told = Looking(self.purpose, self.objects, self.collections, self.of, waits_s, self.found, self.wanted)
        self.reader.on_look(told)


class Settled(NamedTuple):
    """What reading back has settled, and what it could not read."""

    steps: tuple[Transition, ...]
    problems: tuple[str, ...]

    def rows(self, state: State) -> int:
        """Return how many rows ended in the state."""
        return sum(step.state is state for step in self.steps)


async def settle_unknown(
    ledger: Ledger,
    run_id: str,
    reader: Reader,
    *,
    doubted_at: Mapping[int, float],
    started_at: float,
    may_wait: bool,
    gives_up: Callable[[PlannedRow], bool] = lambda _: False,
) -> Settled:
    """Settle the run's unknown rows, and those of other runs that it waits for; return the steps that were made.

    None of our creates may be in flight. The absence of an object counts in sweeps that began at least `settle_s` after
    its row became unknown (`doubted_at`, by row, else `started_at`: this process's start). Without `may_wait` rows that
    are too young for that stay unknown. What is absent is planned again, or unsent where `gives_up` says so. Can be
    cancelled at any moment: each step is durable by itself.
    """
    unknown = unknown_rows(ledger, run_id)
    creates = [each for each in unknown if each.row.operation is Operation.CREATE]
    problems: list[str] = []
    steps: list[Transition] = []

    def ripe_at(each: UnknownRow) -> float:
        return doubted_at.get(each.row.row_pk, started_at) + reader.settle_s

    creates.sort(key=lambda each: each.row.collection)
    reading = Reading(reader, Purpose.SETTLING, len({each.row.collection for each in creates}))
    for collection, group in groupby(creates, key=lambda each: each.row.collection):
        waiting = {each.key: each for each in group}
        try:
            steps += await _settle_creates(
                ledger, collection, waiting, reading, ripe_at=ripe_at, gives_up=gives_up, may_wait=may_wait
            )
        except ReadFailedError as problem:
            problems.append(_told(reader, collection, problem))
        reading.collections += 1
    others = [each for each in unknown if each.row.operation is not Operation.CREATE]
    for each in await _read_all(others, reading, ripe_at=ripe_at, may_wait=may_wait):
        if isinstance(each, str):
            problems.append(each)
            continue
        step = each
        if step.state is State.PLANNED and gives_up(step.row):
            message = "its answer was lost again and again, and nothing has come of it; resume the run to try once more"
            step = Transition(step.row, State.UNSENT, step.attempts, Answer(message=message))
        apply_transitions(ledger, [step])
        steps.append(step)
    for step in steps:
        reader.log.info("settled", ledger_row=step.row.row_pk, operation=step.row.operation, state=step.state)
    return Settled(tuple(steps), tuple(dict.fromkeys(problems)))


async def _settle_creates(
    ledger: Ledger,
    collection: str,
    waiting: dict[str, UnknownRow],
    reading: Reading,
    *,
    ripe_at: Callable[[UnknownRow], float],
    gives_up: Callable[[PlannedRow], bool],
    may_wait: bool,
) -> list[Transition]:
    """Sweep the collection until each row is found or proven absent; rows that are settled leave `waiting`."""
    steps: list[Transition] = []
    reader = reading.reader
    absent = dict.fromkeys(waiting, 0)  # key -> complete sweeps in which its absence counts
    now = reader.clock()
    waited_for = {key for key, each in waiting.items() if may_wait or now >= ripe_at(each)}
    while waiting:
        began = reader.clock()
        rows = {key: each.row for key, each in waiting.items()}
        looked = await _sweep_for(ledger, collection, partial(_picked, rows), reading)
        found = [_adopted(each.row, looked.equal[key]) for key, each in waiting.items() if key in looked.equal]
        for key, each in waiting.items():
            absent[key] += began >= ripe_at(each)
        proven = {key: each for key, each in waiting.items() if absent[key] >= SWEEPS and key not in looked.equal}
        found += [_absent(each.row, looked.other.get(key), gives_up) for key, each in proven.items()]
        apply_transitions(ledger, found)
        steps += found
        for key in (*looked.equal, *proven):
            del waiting[key]
        left = [each for key, each in waiting.items() if key in waited_for]
        if not left:
            break
        wait_s = max(reader.settle_s * GAP_OF_SETTLE, min(map(ripe_at, left)) - reader.clock())
        reading.tell(waits_s=wait_s)
        await reader.sleep(wait_s)
    return steps


class _Looked(NamedTuple):
    """What one complete sweep found for some keys, among the objects that no row of the ledger owns."""

    equal: Mapping[str, str]  # key -> id of the object with the values that were sent
    other: Mapping[str, Finding]  # key -> what differs, where only objects with other values were found
    has_strangers: bool  # are there objects that no row owns, and that are not among `equal` either?


async def _sweep_for(
    ledger: Ledger,
    collection: str,
    rows_of: Callable[[Sequence[str]], Mapping[str, PlannedRow]],
    reading: Reading,
) -> _Looked:
    """Sweep the collection for the objects of some rows. Raises ReadFailedError when it cannot be read to its end.

    `rows_of` returns those of the keys that are looked for, with their rows.
    """
    reader = reading.reader
    equal: dict[str, str] = {}
    other: dict[str, Finding] = {}
    began, objects, strangers = reader.clock(), 0, 0
    async for page in sweep(reader.client, collection, access=reader.access):
        objects += len(page)
        reading.take(len(page))
        keyed = [(key_of_object(collection, entity), entity) for entity in page]
        rows = rows_of([key for key, _ in keyed if key])
        owned = owned_ids(ledger, [str(entity["id"]) for entity in page])
        strangers += len(page) - len(owned)
        for key, entity in keyed:
            if key not in rows or entity["id"] in owned:
                continue
            changed = [each.name for each in differences_of(rows[key].body, entity)]
            if changed:
                other.setdefault(key, _other_values(str(entity["id"]), changed))
            else:
                equal.setdefault(key, str(entity["id"]))
    reader.log.info("swept", collection=collection, objects=objects, seconds=round(reader.clock() - began, 3))
    others = {key: found for key, found in other.items() if key not in equal}
    return _Looked(equal, others, has_strangers=strangers > len(equal))


def _picked(rows: Mapping[str, PlannedRow], keys: Sequence[str]) -> Mapping[str, PlannedRow]:
    return {key: rows[key] for key in keys if key in rows}


def _other_values(object_id: str, names: Sequence[str]) -> Finding:
    return finding(
        Code.CHANGED,
        f"the tenant has an object for this device and certificate ({object_id}) that this ledger did not create; it "
        f"differs in {', '.join(names)}",
    )


def _adopted(row: PlannedRow, object_id: str) -> Transition:
    answer = Answer(object_id=object_id, message="its answer was lost; found when the tenant was read back")
    return Transition(row, State.CREATED, row.attempts, answer, is_adopted=True)


def _absent(row: PlannedRow, other: Finding | None, gives_up: Callable[[PlannedRow], bool]) -> Transition:
    if other is not None:
        return Transition(row, State.CHANGED, row.attempts, Answer(), finding=other)
    if gives_up(row):
        message = "its answer was lost again and again, and it is not in the tenant; resume the run to try once more"
        return Transition(row, State.UNSENT, row.attempts, Answer(message=message))
    message = f"its answer was lost, and it is absent from {SWEEPS} complete sweeps, so it is sent again"
    return Transition(row, State.PLANNED, row.attempts, Answer(message=message))


async def _read_all(
    unknown: Iterable[UnknownRow], reading: Reading, *, ripe_at: Callable[[UnknownRow], float], may_wait: bool
) -> list[Transition | str]:
    """Return for each row of a lost update or delete what became of it, or why that cannot be read.

    That the object is not there counts after the settle time only: it may have been created a moment ago. Without
    `may_wait` such a row is left out.
    """
    reader = reading.reader
    turns = asyncio.Semaphore(READ_AT_ONCE)

    async def read(each: UnknownRow) -> Transition | str | None:
        row = each.row
        path = object_path(row.collection, row.object_id)
        async with turns:
            try:
                began = reader.clock()
                found = await read_object(reader.client, path, access=reader.access)
                if found is None and began < ripe_at(each):
                    if not may_wait:
                        return None
                    wait_s = ripe_at(each) - reader.clock()
                    reading.tell(waits_s=wait_s)
                    await reader.sleep(wait_s)
                    found = await read_object(reader.client, path, access=reader.access)
            except ReadFailedError as problem:
                return _told(reader, row.collection, problem)
        reading.take(found is not None)
        return _of_update(each, found) if row.operation is Operation.UPDATE else _of_delete(row, found)

    return [each for each in await asyncio.gather(*map(read, unknown)) if each is not None]


def _of_update(each: UnknownRow, found: Entity | None) -> Transition:
    row = each.row
    if found is None:
        return Transition(row, State.MISSING, row.attempts, Answer(message="the object is not there any more"))
    changed = differences_of(row.body, found)
    if not changed:
        message = "its answer was lost; the object has the new values"
        return Transition(row, State.UPDATED, row.attempts, Answer(object_id=row.object_id, message=message))
    if each.there_body and not differences_of(each.there_body, found):
        message = "its answer was lost, and the object has its old values, so it is sent again"
        return Transition(row, State.PLANNED, row.attempts, Answer(message=message))
    names = ", ".join(each.name for each in changed)
    told = finding(Code.CHANGED, f"somebody else has changed the object; it has neither value of {names}")
    return Transition(row, State.CHANGED, row.attempts, Answer(), finding=told)


def _of_delete(row: PlannedRow, found: Entity | None) -> Transition:
    if found is None:
        return Transition(row, State.REVERSED, row.attempts, Answer(message="its answer was lost; the object is gone"))
    if changed := differences_of(row.body, found):
        names = ", ".join(each.name for each in changed)
        return Transition(
            row, State.KEPT, row.attempts, Answer(message=f"somebody has changed the object since: {names}")
        )
    message = "its answer was lost, and the object is there, so it is deleted again"
    return Transition(row, State.PLANNED, row.attempts, Answer(message=message))


class Unread(NamedTuple):
    """A collection that could not be read to its end."""

    collection: str
    why: str
    is_systemic: bool  # no other collection can be read either: no connection, no permission, no token


class RemoteChecked(NamedTuple):
    """What a look into the tenant came to, beside the rows that are not planned any more."""

    has_strangers: bool  # are there objects that this ledger knows nothing of?
    problems: tuple["Unread", ...]


async def check_remote(ledger: Ledger, run_id: str, reader: Reader) -> RemoteChecked:
    """Look in the tenant for the objects that the run is going to create; what is there is not planned any more.

    One sweep for each collection, which nothing is in flight for. Collections that cannot be read stay as they are.
    """
    has_strangers = False
    problems: list[Unread] = []
    collections = planned_collections(ledger, run_id)
    reading = Reading(reader, Purpose.LOOKING, len(collections))
    for collection, _ in collections:
        reading.tell()
        rows_of = partial(planned_by_key, ledger, run_id, collection)
        try:
            looked = await _sweep_for(ledger, collection, rows_of, reading)
        except ReadFailedError as problem:
            _told(reader, collection, problem)
            begins = SYSTEMIC.get(problem.verdict)
            why = f"{begins}: {problem.answer.message}" if begins else f"{UNREAD}: {problem.answer.message}"
            problems.append(Unread(collection, why, is_systemic=begins is not None))
            if begins:
                break
            continue
        rows = rows_of([*looked.equal, *looked.other])
        steps = [
            Transition(rows[key], State.ALREADY_THERE, 0, Answer(object_id=object_id), is_adopted=True)
            for key, object_id in looked.equal.items()
        ]
        steps += [
            Transition(rows[key], State.CHANGED, 0, Answer(), finding=found) for key, found in looked.other.items()
        ]
        apply_transitions(ledger, steps)
        reading.collections += 1
        has_strangers |= looked.has_strangers
    return RemoteChecked(has_strangers, tuple(problems))


def _told(reader: Reader, collection: str, problem: ReadFailedError) -> str:
    answer = problem.answer
    reader.log.error(
        "read failed",
        collection=collection,
        why=str(problem),
        http_status=answer.http_status,
        graph_code=answer.graph_code,
        request_id=answer.request_id,
        client_request_id=answer.client_request_id,
    )
    return str(problem)
