"""A create, an update or a delete that was let through: applied or not as its fault says, and answered. No I/O."""

import uuid
from dataclasses import replace

from pipeline.editions import ENTITY_TYPE, Edition
from pipeline.simulator.answers import (
    Answer,
    Delivery,
    Exchange,
    RefusedError,
    empty_answer,
    json_answer,
    not_found,
)
from pipeline.simulator.call import Call, read_entity
from pipeline.simulator.entity import check_entity
from pipeline.simulator.faults import DELIVERIES, GATEWAY_TIMEOUT, Drawn, refusal_of_write, repeatable
from pipeline.simulator.paths import Target
from pipeline.simulator.settings import Fault
from pipeline.simulator.store import Counts, Store, StoredObject, read_only

DAMAGED = frozenset({Fault.CREATED_WITHOUT_ID, Fault.CREATED_UNREADABLE, Fault.HALF_BODY})
"""The faults that need a body."""


class Writer:
    """Carries out POST to a collection, PATCH and DELETE of an object. They see every object as it is now."""

    def __init__(self, edition: Edition, seed: int, store: Store, counts: Counts) -> None:
        self._edition = edition
        self._seed = seed
        self._store = store
        self._counts = counts

    def answer(self, target: Target, call: Call, drawn: Drawn, exchange: Exchange) -> Answer:
        """Apply the write unless the fault keeps it from that, and return the answer. Raises RefusedError."""
        if drawn.fault is Fault.DROP_BEFORE:
            return Answer(0, delivery=Delivery.DROPPED)
        refusal = refusal_of_write(drawn.fault, call.method, target)
        if refusal is not None:
            raise RefusedError(refusal)
        entity = self._apply(target, call, drawn)
        if drawn.fault is Fault.ERROR_504_AFTER:
            raise RefusedError(GATEWAY_TIMEOUT)
        if call.method == "DELETE" and drawn.fault not in DAMAGED:
            answer = empty_answer(204, exchange)
        else:
            answer = _with_entity(201 if call.method == "POST" else 200, entity, drawn.fault, exchange)
        return replace(answer, delivery=DELIVERIES.get(drawn.fault, Delivery.WHOLE))

    def _apply(self, target: Target, call: Call, drawn: Drawn) -> dict[str, object]:
        """Do it, and return the object that is there now or was until now. Raises RefusedError (400, 404, 415)."""
        match call.method:
            case "POST":
                return self._create(target, call, drawn)
            case "PATCH":
                return self._update(self._existing(target), call)
            case _:
                stored = self._existing(target)
                self._store.remove(target.collection, target.object_id)
                self._counts.deleted += 1
                return dict(stored.entity)

    def _existing(self, target: Target) -> StoredObject:
        stored = self._store.get(target.collection, target.object_id)
        if stored is None:
            raise RefusedError(not_found(target.object_id))
        return stored

    def _create(self, target: Target, call: Call, drawn: Drawn) -> dict[str, object]:
        sent = read_entity(call)
        check_entity(self._edition, sent, partial=False)
        number = repeatable(self._seed, f"id/{drawn.identity}").getrandbits(128)
        entity = {"@odata.type": ENTITY_TYPE, "id": str(uuid.UUID(int=number, version=4)), **sent}
        client_id = call.headers.get("client-request-id", "")
        self._store.put(StoredObject(target.collection, read_only(entity), client_id))
        self._counts.created += 1
        return entity

    def _update(self, stored: StoredObject, call: Call) -> dict[str, object]:
        sent = read_entity(call)
        check_entity(self._edition, sent, partial=True)
        entity = {**stored.entity, **sent}
        self._store.put(replace(stored, entity=read_only(entity)))
        self._counts.patched += 1
        return entity


def _with_entity(status: int, entity: dict[str, object], fault: Fault, exchange: Exchange) -> Answer:
    if fault is Fault.CREATED_WITHOUT_ID:
        entity = {name: value for name, value in entity.items() if name != "id"}
    answer = json_answer(status, entity, exchange)
    return answer.unreadable() if fault is Fault.CREATED_UNREADABLE else answer
