"""What each request is answered: bearer, quota, path and fault, in this order. No I/O, no waiting."""

import uuid
from collections.abc import Callable, Mapping

from pipeline.editions import EDITIONS
from pipeline.errors import UsageError
from pipeline.simulator.answers import (
    Answer,
    Delivery,
    Exchange,
    Problem,
    RefusedError,
    client_request_id,
    error_answer,
    json_answer,
    throttled,
    unauthorized,
)
from pipeline.simulator.batch import BatchItem, batch_answer, missed_dependency, read_batch
from pipeline.simulator.call import Call, read_entity
from pipeline.simulator.faults import Drawn, FaultDraws, repeatable
from pipeline.simulator.paths import BATCH_PATH, Kind, Target, decoded, find_target, path_below_root
from pipeline.simulator.quota import Quota, read_quota, write_quota
from pipeline.simulator.reads import Reader
from pipeline.simulator.settings import Fault, ReadFault, SimulatorSettings
from pipeline.simulator.store import Counts, SimulatorState, Store, StoredObject, read_only
from pipeline.simulator.writes import Writer

WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ORDERED_WAIT_S = 1.0
"""What a 429 to order asks for."""


class Service:
    """The simulated tenant. Not thread-safe: the caller holds a lock."""

    def __init__(
        self, settings: SimulatorSettings, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._edition = EDITIONS[settings.edition]
        self._clock = clock
        self._wall_clock = wall_clock
        self._write_quota = write_quota(settings, clock)
        self._read_quota = read_quota(settings, clock)
        self._draws = FaultDraws(settings)
        self._arrivals = repeatable(settings.seed, "arrivals")  # request-ids and the order of a batch's answers
        self._put_ids = repeatable(settings.seed, "put")
        self._store = Store(clock, settings.read_delay_s)
        self._counts = Counts()
        self._writer = Writer(self._edition, settings.seed, self._store, self._counts)
        self._reader = Reader(settings, self._store)
        self._first_use_s: dict[str, float] = {}  # bearer -> clock

    def answer(self, call: Call) -> Answer:
        """Do what the request asks for and return the answer."""
        self._counts.requests += 1
        path = path_below_root(call.target)
        exchange = self._exchange(path or decoded(call.target), call.headers)
        try:
            app = self._authenticate(call.headers)
            if not path:
                raise RefusedError(Problem(404, "ResourceNotFound", "Invalid version: /beta is all there is."))
            if path == BATCH_PATH:
                return self._batch(call, app, exchange)
            return self._operate(call, app, exchange)
        except RefusedError as refused:
            return error_answer(refused.problem, self._settings.error_shape, exchange)

    def refuse(self, problem: Problem, headers: Mapping[str, str]) -> Answer:
        """Count a request that cannot even be read, and return its error answer."""
        self._counts.requests += 1
        return error_answer(problem, self._settings.error_shape, self._exchange("", headers))

    def state(self, max_concurrent: int) -> SimulatorState:
        """Return what was counted so far."""
        counts = self._store.counts()
        return SimulatorState(
            requests=self._counts.requests,
            writes=self._counts.writes,
            refused=self._counts.refused,
            reads=self._counts.reads,
            refused_reads=self._counts.refused_reads,
            created=self._counts.created,
            patched=self._counts.patched,
            deleted=self._counts.deleted,
            objects=sum(each.objects for each in counts),
            duplicates=sum(each.duplicates for each in counts),
            max_concurrent=max_concurrent,
            collections=counts,
        )

    def objects(self) -> tuple[StoredObject, ...]:
        """Return everything that is stored, by collection, in order of creation."""
        return self._store.objects()

    def put(self, collection: str, entity: Mapping[str, object]) -> str:
        """Create the object, or replace the one with its id, behind every client's back. Returns the id.

        The values are not checked. Raises UsageError when the edition has no such collection.
        """
        path = self._collection(collection)
        object_id = str(entity.get("id") or uuid.UUID(int=self._put_ids.getrandbits(128), version=4))
        before = self._store.get(path, object_id)
        client_id = before.client_request_id if before else ""
        self._store.put(StoredObject(path, read_only({**entity, "id": object_id}), client_id))
        return object_id

    def remove(self, collection: str, object_id: str) -> None:
        """Delete the object behind every client's back. Raises UsageError when it is not there."""
        path = self._collection(collection)
        if self._store.get(path, object_id) is None:
            raise UsageError(f'The simulator holds no object "{object_id}" in {path}; remove one that it holds.')
        self._store.remove(path, object_id)

    def _collection(self, path: str) -> str:
        """Return the path as requests to it are filed. Raises UsageError when it leads to no collection."""
        target = find_target("GET", f"/{path}", self._edition, self._settings.profiles)
        if isinstance(target, Problem) or target.kind is not Kind.COLLECTION:
            raise UsageError(f'The simulator has no collection "{path}" in edition {self._edition.name}; give another.')
        return target.collection

    def _exchange(self, path: str, headers: Mapping[str, str]) -> Exchange:
        request_id = str(uuid.UUID(int=self._arrivals.getrandbits(128), version=4))
        client_id = client_request_id(headers.get("client-request-id", ""))
        return Exchange(path, request_id, client_id or request_id, self._wall_clock())

    def _authenticate(self, headers: Mapping[str, str]) -> str:
        """Return the bearer. Raises RefusedError (401) when it is absent, another one or too old."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        bearer = bearer.strip()
        if scheme.lower() != "bearer" or not bearer:
            raise RefusedError(unauthorized("Access token is empty."))
        if self._settings.token is not None and bearer != self._settings.token:
            raise RefusedError(unauthorized("Access token validation failure."))
        now_s = self._clock()
        first_use_s = self._first_use_s.setdefault(bearer, now_s)
        lifetime_s = self._settings.token_lifetime_s
        if lifetime_s is not None and now_s - first_use_s >= lifetime_s:
            raise RefusedError(unauthorized("Lifetime validation failed, the token is expired."))
        return bearer

    def _operate(self, call: Call, app: str, exchange: Exchange) -> Answer:
        """Carry out a request of a let-in client. Raises RefusedError."""
        target = find_target(call.method, exchange.path, self._edition, self._settings.profiles)
        drawn: Drawn | None = None
        fault = ReadFault.NONE
        if call.method in WRITE_METHODS:
            drawn = self._admit_write(call, target, app, exchange)
        elif call.method == "GET":
            fault = self._admit_read(call, target, app, exchange)
        if isinstance(target, Problem):
            raise RefusedError(target)
        if drawn is None:
            return self._reader.answer(target, call, fault, exchange)
        return self._writer.answer(target, call, drawn, exchange)

    def _admit_write(self, call: Call, target: Target | Problem, app: str, exchange: Exchange) -> Drawn | None:
        """Spend a slot, and return what happens to the write. Raises RefusedError (429) when no slot is free."""
        self._counts.writes += 1
        wait_s = self._write_quota.wait_s(app)
        drawn: Drawn | None = None
        if wait_s == 0 and isinstance(target, Target):
            drawn = self._draws.draw(call.method, target, call.body)
            if drawn.fault is Fault.THROTTLE_429:
                wait_s = ORDERED_WAIT_S
        refusal = self._spend(self._write_quota, app, wait_s, exchange)
        if refusal is not None:
            self._counts.refused += 1
            raise RefusedError(refusal)
        return drawn

    def _admit_read(self, call: Call, target: Target | Problem, app: str, exchange: Exchange) -> ReadFault:
        """Spend a slot, and return what happens to the GET. Raises RefusedError (429) when no slot is free."""
        self._counts.reads += 1
        wait_s = self._read_quota.wait_s(app)
        fault = ReadFault.NONE
        if wait_s == 0 and isinstance(target, Target):
            fault = self._draws.draw_read(target, call.query)
            if fault is ReadFault.THROTTLE_429:
                wait_s = ORDERED_WAIT_S
        refusal = self._spend(self._read_quota, app, wait_s, exchange)
        if refusal is not None:
            self._counts.refused_reads += 1
            raise RefusedError(refusal)
        return fault

    def _spend(self, quota: Quota, app: str, wait_s: float, exchange: Exchange) -> Problem | None:
        """Use a slot where there is nothing to wait for, else return the 429."""
        if wait_s == 0 or self._settings.refusals_count:
            quota.spend(app)
        if wait_s == 0:
            return None
        # Asked again after spending: a refusal that counts makes the wait longer.
        return throttled(max(wait_s, quota.wait_s(app)), self._settings.retry_after, exchange.at_s)

    def _batch(self, call: Call, app: str, exchange: Exchange) -> Answer:
        """Carry out each item as a request of its own. Raises RefusedError when the batch itself is wrong."""
        if call.method != "POST":
            raise RefusedError(Problem(405, "MethodNotAllowed", "Here is POST only.", (("Allow", "POST"),)))
        answers: list[tuple[BatchItem, Answer]] = []
        statuses: dict[str, int] = {}
        for each in read_batch(read_entity(call)):
            answer = self._item(each, statuses, call.root, app)
            statuses[each.id.lower()] = answer.status if answer.delivery is Delivery.WHOLE else 0
            answers.append((each, answer))
        self._arrivals.shuffle(answers)
        return json_answer(200, batch_answer(answers), exchange)

    def _item(self, item: BatchItem, statuses: Mapping[str, int], root: str, app: str) -> Answer:
        exchange = self._exchange(decoded(item.url), item.headers)
        try:
            if any(not 200 <= statuses[each.lower()] < 300 for each in item.depends_on):
                raise RefusedError(missed_dependency())
            if exchange.path == BATCH_PATH:
                raise RefusedError(Problem(400, "BadRequest", "A batch cannot hold a batch."))
            return self._operate(Call(item.method, item.url, item.headers, item.body, root), app, exchange)
        except RefusedError as refused:
            return error_answer(refused.problem, self._settings.error_shape, exchange)
