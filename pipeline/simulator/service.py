"""What each request is answered: bearer, quota, path, fault, body, in this order. No I/O, no waiting."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import parse_qs

from pipeline.editions import EDITIONS, ENTITY_TYPE
from pipeline.simulator.answers import (
    Answer,
    Delivery,
    Exchange,
    Problem,
    RefusedError,
    client_request_id,
    empty_answer,
    error_answer,
    json_answer,
    throttled,
    unauthorized,
)
from pipeline.simulator.batch import BatchItem, batch_answer, missed_dependency, read_batch
from pipeline.simulator.entity import check_entity, read_object
from pipeline.simulator.faults import DELIVERIES, REFUSALS, Create, FaultDraws, repeatable
from pipeline.simulator.paths import BATCH_PATH, Kind, Target, decoded, find_target, path_below_root
from pipeline.simulator.quota import WriteQuota
from pipeline.simulator.settings import Fault, SimulatorSettings
from pipeline.simulator.store import SimulatorState, Store, StoredObject, read_only

WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ORDERED_WAIT_S = 1.0
"""What a 429 to order asks for."""


class Call(NamedTuple):
    """One request, a batch's item included."""

    method: str
    target: str  # path and query as they came, percent-encoded
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    root: str  # scheme, host, port and version as the client wrote them, for the nextLink


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    writes: int = 0
    refused: int = 0
    created: int = 0
    patched: int = 0
    deleted: int = 0


class Service:
    """The simulated tenant. Not thread-safe: the caller holds a lock."""

    def __init__(
        self, settings: SimulatorSettings, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._edition = EDITIONS[settings.edition]
        self._clock = clock
        self._wall_clock = wall_clock
        self._quota = WriteQuota(settings, clock)
        self._draws = FaultDraws(settings)
        self._arrivals = repeatable(settings.seed, "arrivals")  # request-ids and the order of a batch's answers
        self._store = Store()
        self._counts = _Counts()
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
        create: Create | None = None
        if call.method in WRITE_METHODS:
            create = self._admit_write(call, target, app, exchange)
        if isinstance(target, Problem):
            raise RefusedError(target)
        match target.kind, call.method:
            case Kind.PROFILES | Kind.PROFILE, _:
                return json_answer(200, self._profiles(target), exchange)
            case Kind.COLLECTION, "GET":
                return json_answer(200, self._list(target, call), exchange)
            case Kind.COLLECTION, _ if create is not None:
                return self._create(target, call, create, exchange)
            case _:
                return self._operate_object(target, call, exchange)

    def _admit_write(self, call: Call, target: Target | Problem, app: str, exchange: Exchange) -> Create | None:
        """Spend a slot, and return what happens to a create. Raises RefusedError (429) when no slot is free."""
        self._counts.writes += 1
        wait_s = self._quota.wait_s(app)
        create: Create | None = None
        if wait_s == 0 and call.method == "POST" and isinstance(target, Target):
            create = self._draws.draw(target.collection, call.body)
            if create.fault is Fault.THROTTLE_429:
                wait_s = ORDERED_WAIT_S
        if wait_s == 0 or self._settings.refusals_count:
            self._quota.spend(app)
        if wait_s > 0:
            self._counts.refused += 1
            # Asked again after spending: a refusal that counts makes the wait longer.
            wait_s = max(wait_s, self._quota.wait_s(app))
            raise RefusedError(throttled(wait_s, self._settings.retry_after, exchange.at_s))
        return create

    def _profiles(self, target: Target) -> dict[str, object]:
        listed: list[dict[str, object]] = [
            {
                "@odata.type": f"#{each.odata_type.removeprefix('#')}",
                "id": each.id,
                "displayName": each.display_name,
            }
            for each in self._settings.profiles
            if target.kind is Kind.PROFILES or each.id.lower() == target.profile_id
        ]
        return listed[0] if target.kind is Kind.PROFILE else {"value": listed}

    def _list(self, target: Target, call: Call) -> dict[str, object]:
        """Return a page. `$filter` and all else is silently ignored, as Intune often does (contrib#235, #2416)."""
        query = parse_qs(call.target.partition("?")[2], keep_blank_values=True)
        size = min(_number(query, "$top", self._settings.page_size, least=1), self._settings.page_size)
        page = self._store.page(target.collection, _number(query, "$skiptoken", 0, least=0), size)
        answer: dict[str, object] = {"@odata.context": f"{call.root}/$metadata#{target.collection}"}
        if page.next_position is not None:
            link = f"{call.root}/{target.collection}?$top={size}&$skiptoken={page.next_position}"
            answer["@odata.nextLink"] = link
        return answer | {"value": [dict(each) for each in page.entities]}

    def _create(self, target: Target, call: Call, create: Create, exchange: Exchange) -> Answer:
        """Create the object unless the fault keeps it from that. Raises RefusedError."""
        if create.fault is Fault.DROP_BEFORE:
            return Answer(0, delivery=Delivery.DROPPED)
        if create.fault in REFUSALS:
            raise RefusedError(REFUSALS[create.fault])
        entity = self._stored(target, call, create)
        if create.fault is Fault.ERROR_504_AFTER:
            raise RefusedError(REFUSALS[Fault.ERROR_504])
        if create.fault is Fault.CREATED_WITHOUT_ID:
            entity = {name: value for name, value in entity.items() if name != "id"}
        answer = json_answer(201, entity, exchange)
        if create.fault is Fault.CREATED_UNREADABLE:
            answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        return replace(answer, delivery=DELIVERIES.get(create.fault, Delivery.WHOLE))

    def _stored(self, target: Target, call: Call, create: Create) -> dict[str, object]:
        """Check the body, store it and return the entity. Raises RefusedError (400, 415)."""
        sent = _read_entity(call)
        check_entity(self._edition, sent, partial=False)
        number = repeatable(self._settings.seed, f"id/{create.identity}").getrandbits(128)
        entity = {"@odata.type": ENTITY_TYPE, "id": str(uuid.UUID(int=number, version=4)), **sent}
        client_id = call.headers.get("client-request-id", "")
        self._store.add(StoredObject(target.collection, read_only(entity), client_id))
        self._counts.created += 1
        return entity

    def _operate_object(self, target: Target, call: Call, exchange: Exchange) -> Answer:
        stored = self._store.get(target.collection, target.object_id)
        if stored is None:
            raise RefusedError(Problem(404, "ResourceNotFound", f"Resource '{target.object_id}' does not exist."))
        if call.method == "DELETE":
            self._store.remove(target.collection, target.object_id)
            self._counts.deleted += 1
            return empty_answer(204, exchange)
        if call.method == "PATCH":
            sent = _read_entity(call)
            check_entity(self._edition, sent, partial=True)
            stored = replace(stored, entity=read_only({**stored.entity, **sent}))
            self._store.replace(stored)
            self._counts.patched += 1
        return json_answer(200, dict(stored.entity), exchange)

    def _batch(self, call: Call, app: str, exchange: Exchange) -> Answer:
        """Carry out each item as a request of its own. Raises RefusedError when the batch itself is wrong."""
        if call.method != "POST":
            raise RefusedError(Problem(405, "MethodNotAllowed", "Here is POST only.", (("Allow", "POST"),)))
        answers: list[tuple[BatchItem, Answer]] = []
        statuses: dict[str, int] = {}
        for each in read_batch(_read_entity(call)):
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


def _read_entity(call: Call) -> dict[str, object]:
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        message = "A supported MIME type could not be found that matches the content type of the request."
        raise RefusedError(Problem(415, "UnsupportedMediaType", message))
    return read_object(call.body)


def _number(query: Mapping[str, list[str]], option: str, absent: int, *, least: int) -> int:
    """Return a query option's number. Raises RefusedError (400) for what is none."""
    texts = query.get(option)
    if texts is None:
        return absent
    if len(texts) == 1 and texts[0].isascii() and texts[0].isdecimal() and least <= int(texts[0][:10]):
        return int(texts[0][:10])
    raise RefusedError(Problem(400, "BadRequest", f"Invalid value of the query option '{option}'."))
