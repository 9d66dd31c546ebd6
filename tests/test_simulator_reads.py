"""What the simulator shows of its objects, and how reading goes wrong: delay, faults, quota, sudden changes."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from simulator_cases import CALLER_ID, IOS, Clock, body_of, create, talking

from pipeline.errors import UsageError
from pipeline.simulator import FaultRates, Profile, ReadFault, RunningSimulator, SimulatorSettings, Window

PATH = IOS[1:]
ABSENT = "00000000-0000-4000-8000-000000000000"


def listed(client: httpx.Client, link: str = IOS) -> list[object]:
    """Follow the nextLinks from `link` on and return the entities of all pages."""
    found: list[object] = []
    while link:
        answer = client.get(link).json()
        found += answer["value"]
        link = answer.get("@odata.nextLink", "")
    return found


# the delay


def test_created_object_is_seen_late() -> None:
    """GET, by id and as a list, shows a new object exactly one delay after its creation, and no sooner."""
    clock = Clock()

    with talking(SimulatorSettings(read_delay_s=5), clock) as (client, simulator):
        created = create(client).json()
        path = f"{IOS}/{created['id']}"

        clock.now_s += 4.999
        assert (client.get(path).status_code, listed(client)) == (404, [])
        assert [dict(each.entity) for each in simulator.objects()] == [created]
        clock.now_s += 0.001
        assert (client.get(path).json(), listed(client)) == (created, [created])


def test_updated_object_is_seen_late() -> None:
    """Each update shows one delay after it was made; until then GET shows the values of before."""
    clock = Clock()

    with talking(SimulatorSettings(read_delay_s=5), clock) as (client, _):
        created = create(client).json()
        path = f"{IOS}/{created['id']}"
        seen = []
        for length in (3072, 4096):
            clock.now_s += 2
            assert client.patch(path, json={"certificateKeyLength": length}).json()["certificateKeyLength"] == length
        for now_s in (1004.9, 1005, 1006.9, 1007, 1008.9, 1009, 1100):
            clock.now_s = now_s
            answer = client.get(path).json()
            assert listed(client) == ([] if "error" in answer else [answer])
            seen.append(answer.get("certificateKeyLength"))

    assert seen == [None, 2048, 2048, 3072, 3072, 4096, 4096]


def test_delete_is_seen_at_once() -> None:
    """A delete sees an object that reads do not show yet, and reads see the delete at once."""
    clock = Clock()

    with talking(SimulatorSettings(read_delay_s=5), clock) as (client, simulator):
        first, second = (create(client, number).json()["id"] for number in range(2))
        assert client.delete(f"{IOS}/{first}").status_code == 204
        clock.now_s += 5
        assert [each["id"] for each in client.get(IOS).json()["value"]] == [second]
        assert client.delete(f"{IOS}/{second}").status_code == 204

        assert (client.get(f"{IOS}/{second}").status_code, listed(client)) == (404, [])
        assert (simulator.state().objects, client.delete(f"{IOS}/{second}").status_code) == (0, 404)


def test_pages_leave_out_what_is_not_seen_yet() -> None:
    """A page is filled with what reads show, and only more of that makes a nextLink."""
    clock = Clock()

    with talking(SimulatorSettings(read_delay_s=5, page_size=2), clock) as (client, simulator):
        old = [create(client, number).json()["id"] for number in range(2)]
        clock.now_s += 5
        new = create(client, 2).json()["id"]
        page = client.get(IOS).json()
        assert ([each["id"] for each in page["value"]], "@odata.nextLink" in page) == (old, False)
        clock.now_s += 5
        page = client.get(IOS).json()
        assert page["@odata.nextLink"] == f"{simulator.service_root}{IOS}?$top=2&$skiptoken=2"
        assert [each["id"] for each in client.get(page["@odata.nextLink"]).json()["value"]] == [new]


# faults to order


@pytest.mark.parametrize("path", [IOS, f"{IOS}/{ABSENT}"], ids=["list", "object"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ReadFault.READ_503, 503),
        (ReadFault.UNAUTHORIZED_401, 401),
        (ReadFault.FORBIDDEN_403, 403),
        (ReadFault.NOT_FOUND_404, 404),
        (ReadFault.THROTTLE_429, 429),
        (ReadFault.HTML_500, 500),
        (ReadFault.ERROR_504, 504),
    ],
)
def test_refused_read(path: str, fault: ReadFault, status: int) -> None:
    """A read to order is refused, and the read after it is not."""
    with talking(SimulatorSettings(read_script=(fault,))) as (client, simulator):
        entity = {**body_of(), "id": ABSENT}
        simulator.put(PATH, entity)

        assert client.get(path).status_code == status
        assert client.get(path).json() == entity if path != IOS else listed(client) == [entity]


def test_html_and_throttle_of_reads() -> None:
    """To order, a read's 500 is HTML, and its 429 asks for one second and uses no slot."""
    settings = SimulatorSettings(read_quota=2, read_script=(ReadFault.THROTTLE_429, ReadFault.HTML_500))

    with talking(settings) as (client, simulator):
        throttled, html, last, refused = (client.get(IOS) for _ in range(4))

        assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "1")
        assert html.text.startswith("<html>\r\n<head><title>500 Internal Server Error</title>")
        assert (last.status_code, refused.status_code) == (200, 429)
        assert (simulator.state().reads, simulator.state().refused_reads) == (4, 2)


@pytest.mark.parametrize("path", [IOS, f"{IOS}/{ABSENT}"], ids=["list", "object"])
@pytest.mark.parametrize("fault", [ReadFault.READ_DROP, ReadFault.READ_HALF])
def test_dropped_read(path: str, fault: ReadFault) -> None:
    """The connection of a read is dropped before or in the middle of the answer, and the next read succeeds."""
    with talking(SimulatorSettings(read_script=(fault,))) as (client, simulator):
        simulator.put(PATH, {**body_of(), "id": ABSENT})

        assert read_in_parts(client, path) == (fault is ReadFault.READ_HALF)
        assert client.get(path).status_code == 200


def read_in_parts(client: httpx.Client, path: str) -> bool:
    """Return whether a part of the answer came before it broke off, as it has to."""
    received: list[bytes] = []

    def read() -> None:
        with client.stream("GET", path) as response:
            received.extend(response.iter_raw())

    with pytest.raises(httpx.RemoteProtocolError):
        read()
    return received != []


def test_silent_read() -> None:
    """A silent read never gets an answer."""
    with talking(SimulatorSettings(read_script=(ReadFault.SILENT,))) as (client, _):
        with pytest.raises(httpx.ReadTimeout):
            client.get(IOS, timeout=0.05)

        assert client.get(IOS).status_code == 200


def test_unreadable_page() -> None:
    """A page to order is no JSON."""
    with talking(SimulatorSettings(read_script=(ReadFault.UNREADABLE,))) as (client, _):
        response = client.get(IOS)

    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_page_without_value() -> None:
    """A page to order lacks `value`, and keeps its nextLink."""
    with talking(SimulatorSettings(page_size=1, read_script=(ReadFault.NO_VALUE,))) as (client, simulator):
        for number in range(2):
            create(client, number)

        assert client.get(IOS).json() == {
            "@odata.context": f"{simulator.service_root}/$metadata#{PATH}",
            "@odata.nextLink": f"{simulator.service_root}{IOS}?$top=1&$skiptoken=1",
        }


def test_foreign_link() -> None:
    """A nextLink to order leads to another host, also from the last page."""
    with talking(SimulatorSettings(read_script=(ReadFault.FOREIGN_LINK,))) as (client, _):
        created = create(client).json()
        page = client.get(IOS).json()

    assert page["value"] == [created]
    assert page["@odata.nextLink"].startswith(f"https://graph.example.com/beta{IOS}?")


def test_looping_link() -> None:
    """A nextLink to order leads to the same page again and again, while another sweep comes to its end."""
    script = (ReadFault.NONE, ReadFault.LOOPING_LINK)

    with talking(SimulatorSettings(page_size=1, read_script=script)) as (client, simulator):
        ids = [create(client, number).json()["id"] for number in range(3)]
        link = IOS
        links, seen = [], []
        for _ in range(5):
            page = client.get(link).json()
            link = page["@odata.nextLink"]
            links.append(link.removeprefix(f"{simulator.service_root}{IOS}?$top=1&$skiptoken="))
            seen += [each["id"] for each in page["value"]]

        assert links == ["1", "loop-1", "loop-1", "loop-1", "loop-1"]
        assert seen == [ids[0], ids[1], ids[1], ids[1], ids[1]]
        assert len(listed(client)) == 3


def test_page_faults_leave_an_object_alone() -> None:
    """The faults of pages change nothing about the read of one object."""
    script = (ReadFault.NO_VALUE, ReadFault.FOREIGN_LINK, ReadFault.LOOPING_LINK)

    with talking(SimulatorSettings(read_script=script)) as (client, _):
        created = create(client).json()

        assert [client.get(f"{IOS}/{created['id']}").json() for _ in script] == [created] * 3


def test_profiles_meet_no_faults() -> None:
    """Reading profiles uses up no fault, but a slot of the read quota."""
    profile = Profile(IOS.split("/")[3], "Corp SCEP iOS", "#microsoft.graph.iosScepCertificateProfile")
    settings = SimulatorSettings(
        profiles=(profile,), read_quota=2, read_script=(ReadFault.FORBIDDEN_403,), faults=FaultRates(read_503=1.0)
    )

    with talking(settings) as (client, _):
        configurations = "/deviceManagement/deviceConfigurations"
        paths = (configurations, IOS, f"{configurations}/{profile.id}")
        assert [client.get(each).status_code for each in paths] == [200, 403, 429]


# faults by rate


def read_statuses(settings: SimulatorSettings, order: int = 1) -> dict[str, list[int]]:
    """Return the statuses of three reads of each of 12 objects, visited in that order; 0 where none came."""
    with talking(settings) as (client, simulator):
        ids = [simulator.put(PATH, {**body_of(number), "id": f"{number:036d}"}) for number in range(12)]
        found: dict[str, list[int]] = {each: [] for each in ids}
        for _ in range(3):
            for each in ids[::order]:
                try:
                    found[each].append(client.get(f"{IOS}/{each}").status_code)
                except httpx.RemoteProtocolError:
                    found[each].append(0)
    return found


def test_repeatable_reads() -> None:
    """The same reads meet the same faults in whatever order; another seed means others."""
    rates = FaultRates(read_503=0.3, read_drop=0.1, read_half=0.1)

    one = read_statuses(SimulatorSettings(faults=rates, seed=1))

    assert read_statuses(SimulatorSettings(faults=rates, seed=1), -1) == one
    assert read_statuses(SimulatorSettings(faults=rates, seed=2)) != one
    assert {status for each in one.values() for status in each} == {0, 200, 503}
    assert any(len(set(each)) > 1 for each in one.values())


def test_no_read_is_doomed() -> None:
    """A read that is repeated often enough succeeds, however bad the rates."""
    with talking(SimulatorSettings(faults=FaultRates(read_503=0.9))) as (client, _):
        statuses = [client.get(IOS).status_code for _ in range(100)]

    assert set(statuses) == {200, 503}


def test_rates_of_writes_leave_reads_alone() -> None:
    """A rate of writes never touches a read, nor a rate of reads a write."""
    with talking(SimulatorSettings(faults=FaultRates(error_500=1.0))) as (client, _):
        assert (create(client).status_code, client.get(IOS).status_code) == (500, 200)
    with talking(SimulatorSettings(faults=FaultRates(read_503=1.0))) as (client, _):
        assert (create(client).status_code, client.get(IOS).status_code) == (201, 503)


# the quota


def test_read_quota() -> None:
    """Reads of one app beyond the quota are refused until a window after the read that used the slot."""
    clock = Clock()

    with talking(SimulatorSettings(read_quota=2, window_s=20), clock) as (client, simulator):
        assert client.get(IOS).status_code == 200
        clock.now_s += 5
        assert client.get(f"{IOS}/{ABSENT}").status_code == 404
        refused = client.get(IOS)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "15")
        assert refused.json()["error"]["code"] == "TooManyRequests"
        assert client.get(IOS, headers={"Authorization": "Bearer other"}).status_code == 200
        assert create(client).status_code == 201
        clock.now_s += 15
        assert client.get(IOS).status_code == 200
        state = simulator.state()
        assert (state.requests, state.reads, state.refused_reads) == (6, 5, 1)
        assert (state.writes, state.refused) == (1, 0)


def test_read_quota_in_fixed_windows() -> None:
    """In a fixed window, refused reads that count use up slots of the next reads too."""
    clock = Clock()
    clock.now_s = 1019

    with talking(SimulatorSettings(read_quota=1, window=Window.FIXED, refusals_count=True), clock) as (client, _):
        assert [client.get(IOS).status_code for _ in range(2)] == [200, 429]
        clock.now_s = 1020
        assert [client.get(IOS).status_code for _ in range(2)] == [200, 429]


def test_reads_leave_the_write_quota_alone() -> None:
    """Writes use no slot of the read quota, and reads none of the write quota."""
    with talking(SimulatorSettings(quota=2, read_quota=3)) as (client, _):
        reads = [client.get(IOS).status_code for _ in range(4)]
        writes = [create(client, number).status_code for number in range(3)]

    assert (reads, writes) == ([200, 200, 200, 429], [201, 201, 429])


def test_default_quotas() -> None:
    """Unless told otherwise, the quotas are Intune's: 1000 requests and 100 writes in 20 s for one app."""
    settings = SimulatorSettings()

    assert (settings.read_quota, settings.quota, settings.tenant_quota, settings.window_s) == (1000, 100, 200, 20.0)


def test_reads_of_a_batch() -> None:
    """Each GET of a batch counts by itself, and one whose answer is lost is missing."""
    settings = SimulatorSettings(read_quota=2, read_script=(ReadFault.READ_HALF,))
    items = [{"id": str(number), "method": "GET", "url": IOS} for number in range(3)]

    with talking(settings) as (client, simulator):
        answers = client.post("/$batch", json={"requests": items}).json()["responses"]

        assert {each["id"]: each["status"] for each in answers} == {"1": 200, "2": 429}
        state = simulator.state()
        assert (state.requests, state.reads, state.refused_reads) == (1, 3, 1)


# all objects, and changes behind the client's back


def all_objects(client: httpx.Client, simulator: RunningSimulator) -> object:
    """Return what the simulator tells of its objects to whoever asks without a bearer."""
    del client.headers["Authorization"]
    return client.get(simulator.service_root.removesuffix("/beta") + "/_simulator/objects").json()


def test_objects_for_other_processes() -> None:
    """All objects are served as they are now, without a bearer, a delay, a fault, or being counted."""
    odd = "Ünï ✓ \ud800"
    other = PATH.replace("iosScep", "macOSScep")

    with talking(SimulatorSettings(read_quota=0, read_delay_s=60, faults=FaultRates(read_503=1.0))) as talk:
        client, simulator = talk
        created = create(client).json()
        simulator.put(other, {"id": ABSENT, "deviceDisplayName": odd})

        assert all_objects(client, simulator) == [
            {"collection": PATH, "entity": created, "client_request_id": CALLER_ID},
            {"collection": other, "entity": {"id": ABSENT, "deviceDisplayName": odd}, "client_request_id": ""},
        ]
        assert (simulator.state().requests, simulator.state().reads) == (1, 0)


def test_put() -> None:
    """An object put behind the client's back is there for reads and writes, and counted only as an object."""
    with talking(SimulatorSettings()) as (client, simulator):
        made_up = simulator.put(PATH, body_of(1))
        given = simulator.put(PATH.replace("6a1f", "6A1F"), {**body_of(2), "id": ABSENT})

        assert given == ABSENT
        assert listed(client) == [{**body_of(1), "id": made_up}, {**body_of(2), "id": ABSENT}]
        assert client.patch(f"{IOS}/{made_up}", json={"certificateKeyLength": 4096}).status_code == 200
        state = simulator.state()
        assert (state.objects, state.created, state.patched, state.requests) == (2, 0, 1, 2)


def test_put_in_place() -> None:
    """An object that is put under an id that is there replaces it in its place, after the read delay as any change."""
    clock = Clock()

    with talking(SimulatorSettings(read_delay_s=5), clock) as (client, simulator):
        first, second = (create(client, number).json() for number in range(2))
        clock.now_s += 5
        changed = {**first, "certificateKeyLength": 4096}

        assert simulator.put(PATH, {**changed, "id": first["id"].upper()}) == first["id"].upper()
        assert listed(client) == [first, second]
        clock.now_s += 5
        assert listed(client) == [{**changed, "id": first["id"].upper()}, second]
        assert [each.client_request_id for each in simulator.objects()] == [CALLER_ID, CALLER_ID]


def test_remove_and_put_again() -> None:
    """A removed object is gone at once and counts as no delete; put again, it stands at the end of the list once."""
    with talking(SimulatorSettings()) as (client, simulator):
        first, second = (create(client, number).json() for number in range(2))
        simulator.remove(PATH, first["id"])
        assert client.get(f"{IOS}/{first['id']}").status_code == 404
        assert listed(client) == [second]
        simulator.put(PATH, first)

        assert listed(client) == [second, first]
        assert (simulator.state().objects, simulator.state().deleted) == (2, 0)


def test_made_up_ids_repeat() -> None:
    """The same seed makes up the same ids, and no id twice."""

    def made_up(seed: int) -> Iterator[str]:
        with talking(SimulatorSettings(seed=seed)) as (_, simulator):
            for number in range(3):
                yield simulator.put(PATH, body_of(number))

    one = list(made_up(1))

    assert (list(made_up(1)), len(set(one))) == (one, 3)
    assert set(made_up(2)).isdisjoint(one)


def test_wrong_changes_behind_the_back() -> None:
    """A collection that is none, and an object that is not there, are refused in one sentence."""
    with talking(SimulatorSettings()) as (_, simulator):
        with pytest.raises(UsageError) as no_collection:
            simulator.put("deviceManagement/deviceConfigurations", {})
        with pytest.raises(UsageError) as no_object:
            simulator.remove(PATH, ABSENT)

    assert str(no_collection.value) == (
        'The simulator has no collection "deviceManagement/deviceConfigurations" in edition 1706; give another.'
    )
    assert str(no_object.value) == f'The simulator holds no object "{ABSENT}" in {PATH}; remove one that it holds.'


def test_changes_from_many_threads() -> None:
    """Objects can be put and removed from several threads while a client creates others."""
    with talking(SimulatorSettings(quota=1000, tenant_quota=1000)) as (client, simulator):

        def change() -> None:
            for number in range(100):
                object_id = simulator.put(PATH, body_of(number))
                if number % 2:
                    simulator.remove(PATH, object_id)

        threads = [threading.Thread(target=change) for _ in range(4)]
        for each in threads:
            each.start()
        for number in range(20):
            create(client, number)
        for each in threads:
            each.join()

        assert simulator.state().objects == len(simulator.objects()) == 4 * 50 + 20
