"""A GET that was let through: profiles, a page of a collection or an object, or what its fault makes of it. No I/O."""

from dataclasses import replace

from pipeline.simulator.answers import Answer, Delivery, Exchange, RefusedError, json_answer, not_found
from pipeline.simulator.call import Call, as_number, read_option
from pipeline.simulator.faults import READ_DELIVERIES, refusal_of_read
from pipeline.simulator.paths import VERSION_ROOT, Kind, Target
from pipeline.simulator.settings import Profile, ReadFault, SimulatorSettings
from pipeline.simulator.store import Store

FOREIGN_ROOT = f"https://graph.example.com{VERSION_ROOT}"
"""Where a nextLink to another host leads."""

LOOP = "loop-"
"""What a $skiptoken begins with whose page links to itself, so that a loop once entered has no end."""


class Reader:
    """Carries out GET. It sees new and changed objects with the settings' delay."""

    def __init__(self, settings: SimulatorSettings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def answer(self, target: Target, call: Call, fault: ReadFault, exchange: Exchange) -> Answer:
        """Return the answer. Raises RefusedError."""
        refusal = refusal_of_read(fault, target)
        if refusal is not None:
            raise RefusedError(refusal)
        answer = json_answer(200, self._body(target, call, fault), exchange)
        if fault is ReadFault.UNREADABLE:
            answer = answer.unreadable()
        return replace(answer, delivery=READ_DELIVERIES.get(fault, Delivery.WHOLE))

    def _body(self, target: Target, call: Call, fault: ReadFault) -> dict[str, object]:
        match target.kind:
            case Kind.PROFILES:
                return {"value": [_profile(each) for each in self._settings.profiles]}
            case Kind.PROFILE:
                # Whether it is there was found out with the target.
                return next(_profile(each) for each in self._settings.profiles if each.id.lower() == target.profile_id)
            case Kind.COLLECTION:
                return self._page(target, call, fault)
            case Kind.OBJECT:
                stored = self._store.seen(target.collection, target.object_id)
                if stored is None:
                    raise RefusedError(not_found(target.object_id))
                return dict(stored.entity)

    def _page(self, target: Target, call: Call, fault: ReadFault) -> dict[str, object]:
        """Return a page. `$filter` and all else is silently ignored, as Intune often does (contrib#235, #2416)."""
        most = self._settings.page_size
        size = min(as_number(read_option(call, "$top", str(most)), "$top", least=1), most)
        token = read_option(call, "$skiptoken", "0")
        position = as_number(token.removeprefix(LOOP), "$skiptoken", least=0)
        page = self._store.page(target.collection, position, size)
        next_token = "" if page.next_position is None else str(page.next_position)
        if token.startswith(LOOP) or fault is ReadFault.LOOPING_LINK:
            next_token = f"{LOOP}{position}"
        body: dict[str, object] = {"@odata.context": f"{call.root}/$metadata#{target.collection}"}
        link = f"/{target.collection}?$top={size}&$skiptoken={next_token}"
        if fault is ReadFault.FOREIGN_LINK:
            body["@odata.nextLink"] = FOREIGN_ROOT + link
        elif next_token:
            body["@odata.nextLink"] = call.root + link
        return body if fault is ReadFault.NO_VALUE else body | {"value": [dict(each) for each in page.entities]}


def _profile(profile: Profile) -> dict[str, object]:
    return {
        "@odata.type": f"#{profile.odata_type.removeprefix('#')}",
        "id": profile.id,
        "displayName": profile.display_name,
    }
