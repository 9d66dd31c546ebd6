"""The objects that the simulated tenant holds, and what was counted. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One stored managedDeviceCertificateState. What a test compares with what it sent."""

    collection: str  # path below the service root, spelled as `model.Request.collection` is
    entity: Mapping[str, object]  # @odata.type, id, then the values as sent
    client_request_id: str  # of the request that created it; "" when it had none


@dataclass(frozen=True, slots=True)
class CollectionCount:
    """How many objects a collection holds now."""

    collection: str
    objects: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class SimulatorState:
    """What was counted since the start. The items of a batch count one by one, except as requests."""

    requests: int  # HTTP requests, without those for this state
    writes: int  # POST, PUT, PATCH and DELETE of a let-in client, refused ones included
    refused: int  # writes that were answered 429
    created: int  # objects ever created, whether or not the client was told
    patched: int
    deleted: int
    objects: int  # objects there now
    duplicates: int  # objects there now whose device and thumbprint an earlier one of the collection has too
    max_concurrent: int  # most requests in progress at one time, latency included, silence not
    collections: tuple[CollectionCount, ...]  # those that ever held an object, in the order of their first one


class Page(NamedTuple):
    """A part of a collection."""

    entities: tuple[Mapping[str, object], ...]
    next_position: int | None  # where the next page begins; None at the end


@dataclass(slots=True)
class _Collection:
    order: list[str] = field(default_factory=list)  # ids in order of creation, deleted ones kept: positions stay
    objects: dict[str, StoredObject] = field(default_factory=dict)


class Store:
    """The collections. A page's position stays valid while objects come and go."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}

    def add(self, stored: StoredObject) -> None:
        """Take in a new object."""
        collection = self._collections.setdefault(stored.collection, _Collection())
        object_id = str(stored.entity["id"])
        collection.order.append(object_id)
        collection.objects[object_id] = stored

    def get(self, collection: str, object_id: str) -> StoredObject | None:
        """Return the object, or None."""
        found = self._collections.get(collection)
        return found.objects.get(object_id) if found else None

    def replace(self, stored: StoredObject) -> None:
        """Put the object in the place of the one with the same id."""
        self._collections[stored.collection].objects[str(stored.entity["id"])] = stored

    def remove(self, collection: str, object_id: str) -> None:
        """Delete the object, which must exist."""
        del self._collections[collection].objects[object_id]

    def page(self, collection: str, position: int, size: int) -> Page:
        """Return up to `size` entities from a position on, in order of creation."""
        found = self._collections.get(collection, _Collection())
        entities: list[Mapping[str, object]] = []
        for index in range(position, len(found.order)):
            stored = found.objects.get(found.order[index])
            if stored is None:
                continue
            if len(entities) == size:
                return Page(tuple(entities), index)
            entities.append(stored.entity)
        return Page(tuple(entities), None)

    def objects(self) -> tuple[StoredObject, ...]:
        """Return everything that is stored, by collection, in order of creation."""
        return tuple(stored for each in self._collections.values() for stored in each.objects.values())

    def counts(self) -> tuple[CollectionCount, ...]:
        """Return the count of each collection that ever held an object."""
        return tuple(
            CollectionCount(
                path, len(each.objects), len(each.objects) - len({_identity(o) for o in each.objects.values()})
            )
            for path, each in self._collections.items()
        )


def _identity(stored: StoredObject) -> tuple[str, str]:
    """Return what two objects share when one was imported twice."""
    names = ("deviceDisplayName", "certificateThumbprint")
    device, thumbprint = (str(stored.entity.get(name) or "").casefold() for name in names)
    return device, thumbprint


def read_only(entity: dict[str, object]) -> Mapping[str, object]:
    """Return a view that a reader cannot change."""
    return MappingProxyType(entity)
