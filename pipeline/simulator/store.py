"""The objects that the simulated tenant holds, and what was counted. No I/O."""

from collections.abc import Callable, Iterator, Mapping
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

    requests: int  # HTTP requests, without those for this state and for all objects
    writes: int  # POST, PUT, PATCH and DELETE of a let-in client, refused ones included
    refused: int  # writes that were answered 429
    reads: int  # GETs of a let-in client, refused ones included
    refused_reads: int  # GETs that were answered 429
    created: int  # objects ever created by requests, whether or not the client was told
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
class Counts:
    """What is counted as requests come in. `SimulatorState` says what each number is."""

    requests: int = 0
    writes: int = 0
    refused: int = 0
    reads: int = 0
    refused_reads: int = 0
    created: int = 0
    patched: int = 0
    deleted: int = 0


class _Version(NamedTuple):
    """An object as GET shows it from a moment on."""

    shown_from_s: float  # on the clock
    stored: StoredObject


@dataclass(slots=True)
class _Collection:
    order: list[str | None] = field(default_factory=list)  # ids in order of creation; None where one was deleted
    places: dict[str, int] = field(default_factory=dict)  # id -> its index in `order`
    objects: dict[str, StoredObject] = field(default_factory=dict)
    versions: dict[str, list[_Version]] = field(default_factory=dict)  # by id, none empty, oldest first


class Store:
    """The collections. Ids are compared without letter case; a page's position stays valid while objects come and go.

    What reads see of a new or changed object is `read_delay_s` seconds old, by `clock`; a removal they see at once.
    """

    def __init__(self, clock: Callable[[], float], read_delay_s: float) -> None:
        self._clock = clock
        self._read_delay_s = read_delay_s
        self._collections: dict[str, _Collection] = {}

    def put(self, stored: StoredObject) -> None:
        """Take in a new object, or put it in the place of the one with the same id."""
        collection = self._collections.setdefault(stored.collection, _Collection())
        key = _key(stored)
        if key not in collection.places:
            collection.places[key] = len(collection.order)
            collection.order.append(key)
        collection.objects[key] = stored
        versions = collection.versions.setdefault(key, [])
        self._forget_old(versions)
        versions.append(_Version(self._clock() + self._read_delay_s, stored))

    def get(self, collection: str, object_id: str) -> StoredObject | None:
        """Return the object as it is now, or None."""
        found = self._collections.get(collection)
        return found.objects.get(object_id.lower()) if found else None

    def seen(self, collection: str, object_id: str) -> StoredObject | None:
        """Return the object as GET shows it now, or None while it shows none."""
        found = self._collections.get(collection)
        return self._shown(found, object_id.lower()) if found else None

    def remove(self, collection: str, object_id: str) -> None:
        """Delete the object, which must exist."""
        found = self._collections[collection]
        key = object_id.lower()
        del found.objects[key], found.versions[key]
        found.order[found.places.pop(key)] = None

    def page(self, collection: str, position: int, size: int) -> Page:
        """Return up to `size` entities as GET shows them now, from a position on, in order of creation."""
        entities: list[Mapping[str, object]] = []
        for index, stored in self._shown_from(position, self._collections.get(collection, _Collection())):
            if len(entities) == size:
                return Page(tuple(entities), index)
            entities.append(stored.entity)
        return Page(tuple(entities), None)

    def _shown_from(self, position: int, collection: _Collection) -> Iterator[tuple[int, StoredObject]]:
        for index in range(position, len(collection.order)):
            key = collection.order[index]
            stored = None if key is None else self._shown(collection, key)
            if stored is not None:
                yield index, stored

    def _shown(self, collection: _Collection, key: str) -> StoredObject | None:
        versions = collection.versions.get(key)
        if not versions:
            return None
        self._forget_old(versions)
        return versions[0].stored if versions[0].shown_from_s <= self._clock() else None

    def _forget_old(self, versions: list[_Version]) -> None:
        """Leave away what is no longer shown: the versions before the newest whose moment has come."""
        now_s = self._clock()
        while len(versions) > 1 and versions[1].shown_from_s <= now_s:
            del versions[0]

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


def _key(stored: StoredObject) -> str:
    return str(stored.entity["id"]).lower()


def _identity(stored: StoredObject) -> tuple[str, str]:
    """Return what two objects share when one was imported twice."""
    names = ("deviceDisplayName", "certificateThumbprint")
    device, thumbprint = (str(stored.entity.get(name) or "").casefold() for name in names)
    return device, thumbprint


def read_only(entity: dict[str, object]) -> Mapping[str, object]:
    """Return a view that a reader cannot change."""
    return MappingProxyType(entity)
