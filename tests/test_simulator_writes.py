"""The simulator's bad days of updates and deletes, and storms of 429."""

import json
from collections.abc import Mapping

import httpx
import pytest
from simulator_cases import CALLER_ID, IOS, body_of, create, talking

from pipeline.simulator import Fault, FaultRates, RetryAfterForm, RunningSimulator, SimulatorSettings

LONGER: Mapping[str, object] = {"certificateKeyLength": 4096}


def settings_of(method: str, *script: Fault, **other: object) -> SimulatorSettings:
    """Return settings whose script is that of PATCH or DELETE."""
    named = {"PATCH": "update_script", "DELETE": "delete_script"}
    return SimulatorSettings(**{named[method]: script, **other})  # type: ignore[arg-type]  # a settings' field each


def change(client: httpx.Client, method: str, object_id: str, timeout_s: float = 5.0) -> httpx.Response:
    """PATCH the object with `LONGER`, or DELETE it."""
    body = LONGER if method == "PATCH" else None
    return client.request(method, f"{IOS}/{object_id}", json=body, timeout=timeout_s)


def applied(simulator: RunningSimulator) -> tuple[int, int]:
    """Return how many updates and deletes were applied, checked against the objects that are there."""
    state = simulator.state()
    assert state.objects == state.created - state.deleted
    assert any(each.entity["certificateKeyLength"] == 4096 for each in simulator.objects()) is (state.patched > 0)
    return state.patched, state.deleted


BOTH = pytest.mark.parametrize(("method", "once"), [("PATCH", (1, 0)), ("DELETE", (0, 1))], ids=["patch", "delete"])


@BOTH
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.ERROR_500, 500),
        (Fault.ERROR_502, 502),
        (Fault.ERROR_503, 503),
        (Fault.ERROR_504, 504),
        (Fault.THROTTLE_429, 429),
        (Fault.BAD_REQUEST_400, 400),
        (Fault.NO_ROUTE_400, 400),
        (Fault.UNAUTHORIZED_401, 401),
        (Fault.FORBIDDEN_403, 403),
        (Fault.NOT_FOUND_404, 404),
        (Fault.METHOD_NOT_ALLOWED_405, 405),
        (Fault.NOT_ACCEPTABLE_406, 406),
        (Fault.CONFLICT_409, 409),
        (Fault.TOO_LARGE_413, 413),
        (Fault.UNSUPPORTED_MEDIA_TYPE_415, 415),
        (Fault.UNPROCESSABLE_422, 422),
        (Fault.REDIRECT_307, 307),
        (Fault.HTML_500, 500),
        (Fault.NOT_IMPLEMENTED_501, 501),
    ],
)
def test_fault_before(method: str, once: tuple[int, int], fault: Fault, status: int) -> None:
    """A refusal to order changes and deletes nothing, and the same request after it succeeds."""
    with talking(settings_of(method, fault)) as (client, simulator):
        object_id = create(client).json()["id"]

        assert change(client, method, object_id).status_code == status
        assert applied(simulator) == (0, 0)
        assert change(client, method, object_id).is_success
        assert applied(simulator) == once


@BOTH
def test_error_504_after(method: str, once: tuple[int, int]) -> None:
    """A 504 to order can come after the change."""
    with talking(settings_of(method, Fault.ERROR_504_AFTER)) as (client, simulator):
        assert change(client, method, create(client).json()["id"]).status_code == 504
        assert applied(simulator) == once


@BOTH
@pytest.mark.parametrize("fault", [Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.HALF_BODY])
def test_dropped(method: str, once: tuple[int, int], fault: Fault) -> None:
    """The connection is dropped before or after the change, or in mid-answer."""
    with talking(settings_of(method, fault)) as (client, simulator):
        object_id = create(client).json()["id"]
        with pytest.raises(httpx.RemoteProtocolError):
            change(client, method, object_id)

        assert applied(simulator) == ((0, 0) if fault is Fault.DROP_BEFORE else once)


@BOTH
def test_silence(method: str, once: tuple[int, int]) -> None:
    """A silent change is applied, and its answer never comes."""
    with talking(settings_of(method, Fault.SILENT)) as (client, simulator):
        object_id = create(client).json()["id"]
        with pytest.raises(httpx.ReadTimeout):
            change(client, method, object_id, timeout_s=0.05)

        assert applied(simulator) == once


def test_damaged_update() -> None:
    """The 200 of an update to order lacks the id, or is no JSON."""
    with talking(settings_of("PATCH", Fault.CREATED_WITHOUT_ID, Fault.CREATED_UNREADABLE)) as (client, _):
        object_id = create(client).json()["id"]
        without_id, unreadable = [change(client, "PATCH", object_id) for _ in range(2)]

    assert (without_id.status_code, without_id.json()) == (200, {**body_of(), **LONGER})
    assert unreadable.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        unreadable.json()


def test_damaged_delete() -> None:
    """A damaged answer to a delete is a 200 with the deleted object, without its id or no JSON."""
    with talking(settings_of("DELETE", Fault.CREATED_WITHOUT_ID, Fault.CREATED_UNREADABLE)) as (client, simulator):
        without_id, unreadable = [change(client, "DELETE", create(client).json()["id"]) for _ in range(2)]
        assert applied(simulator) == (0, 2)

    assert (without_id.status_code, without_id.json()) == (200, body_of())
    assert unreadable.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        unreadable.json()


@BOTH
def test_messages_name_the_object(method: str, once: tuple[int, int]) -> None:
    """To order, a 404 names the object, a missing route the method, and a redirect leads back to the object."""
    script = (Fault.NOT_FOUND_404, Fault.NO_ROUTE_400, Fault.REDIRECT_307)

    with talking(settings_of(method, *script)) as (client, simulator):
        object_id = create(client).json()["id"]
        not_found, no_route, redirect = [change(client, method, object_id) for _ in range(3)]

        assert not_found.json()["error"]["message"] == f"Resource '{object_id}' does not exist."
        assert f"/cast/navigation/key with http verb {method} for" in no_route.json()["error"]["message"]
        assert redirect.next_request is not None
        assert str(redirect.next_request.url) == f"{simulator.service_root}{IOS}/{object_id}"
        assert change(client, method, object_id).is_success
        assert applied(simulator) == once


@BOTH
def test_nothing_to_change(method: str, once: tuple[int, int]) -> None:
    """A fault after the change needs a change: an object that is not there is a 404 all the same."""
    with talking(settings_of(method, Fault.DROP_AFTER)) as (client, simulator):
        object_id = create(client).json()["id"]

        assert change(client, method, CALLER_ID).status_code == 404
        assert applied(simulator) == (0, 0)
        assert change(client, method, object_id).is_success
        assert applied(simulator) == once


def test_scripts_are_apart() -> None:
    """Creates, updates and deletes each follow their own script."""
    settings = SimulatorSettings(
        script=(Fault.ERROR_500,), update_script=(Fault.NONE, Fault.ERROR_502), delete_script=(Fault.ERROR_503,)
    )

    with talking(settings) as (client, _):
        refused = create(client).status_code
        object_id = create(client).json()["id"]
        statuses = [change(client, each, object_id).status_code for each in ("DELETE", "PATCH", "PATCH", "DELETE")]

    assert (refused, statuses) == (500, [503, 200, 502, 204])


def test_scripted_throttle_waits_and_uses_no_slot() -> None:
    """A 429 to order of an update or a delete asks for one second, counts as refused and uses no slot."""
    settings = SimulatorSettings(quota=3, update_script=(Fault.THROTTLE_429,), delete_script=(Fault.THROTTLE_429,))

    with talking(settings) as (client, simulator):
        object_id = create(client).json()["id"]
        answers = [change(client, method, object_id) for method in ("PATCH", "PATCH", "DELETE", "DELETE", "DELETE")]

        assert [each.status_code for each in answers] == [429, 200, 429, 204, 429]
        assert [each.headers.get("Retry-After") for each in answers] == ["1", None, "1", None, "20"]
        assert (simulator.state().writes, simulator.state().refused) == (6, 3)


def outcomes(settings: SimulatorSettings, order: int = 1) -> dict[str, list[int]]:
    """Return the statuses of repeated updates, and then deletes, of 12 objects that are visited in that order."""
    with talking(settings) as (client, simulator):
        path = IOS[1:]
        ids = [simulator.put(path, {**body_of(number), "id": f"{number:036d}"}) for number in range(12)]
        found: dict[str, list[int]] = {each: [] for each in ids}
        for method in ("PATCH", "PATCH", "DELETE"):
            for each in ids[::order]:
                found[each].append(change(client, method, each).status_code)
    return found


def test_repeatable_changes() -> None:
    """The same updates and deletes meet the same faults in whatever order, another seed and each repetition others."""
    rates = FaultRates(error_500=0.2, error_504_after=0.2, throttle_429=0.2)

    one = outcomes(SimulatorSettings(faults=rates, seed=1))

    assert outcomes(SimulatorSettings(faults=rates, seed=1), -1) == one
    assert outcomes(SimulatorSettings(faults=rates, seed=2)) != one
    assert {status for each in one.values() for status in each[:2]} == {200, 429, 500, 504}
    assert any(first != second for first, second, _ in one.values())


def test_creates_are_drawn_as_ever() -> None:
    """A seed gives creates the faults and ids that it always gave them."""
    rates = FaultRates(error_500=0.3, error_503=0.2)

    with talking(SimulatorSettings(faults=rates, seed=1)) as (client, simulator):
        statuses = [create(client, number).status_code for number in range(12)]
        first_id = simulator.objects()[0].entity["id"]

    assert statuses == [503, 201, 201, 500, 503, 503, 201, 201, 201, 201, 503, 503]
    assert first_id == "614d5a1d-95eb-485b-bb21-a6acf90077ce"


def test_throttle_storm() -> None:
    """At a rate, writes are refused with a 429 of one second in the settings' form, and none is doomed for ever."""
    settings = SimulatorSettings(faults=FaultRates(throttle_429=0.7), retry_after=RetryAfterForm.DECIMAL, quota=10_000)

    with talking(settings) as (client, simulator):
        refusals = []
        for number in range(10):
            while (answer := create(client, number)).status_code != 201:
                refusals.append((answer.status_code, answer.headers["Retry-After"]))

        assert set(refusals) == {(429, "1.000")}
        state = simulator.state()
        assert (state.created, state.duplicates, state.refused) == (10, 0, len(refusals))
        assert len(refusals) > 5


def test_batch_of_changes() -> None:
    """Inside a batch, updates and deletes meet their scripts, and a lost answer is missing."""
    settings = SimulatorSettings(
        update_script=(Fault.DROP_AFTER, Fault.CONFLICT_409), delete_script=(Fault.CREATED_UNREADABLE, Fault.SILENT)
    )

    with talking(settings) as (client, simulator):
        object_ids = [create(client, number).json()["id"] for number in range(4)]
        items = [
            {
                "id": str(index),
                "method": "PATCH" if index < 2 else "DELETE",
                "url": f"{IOS}/{object_id}",
                "headers": {"Content-Type": "application/json"},
                "body": LONGER,
            }
            for index, object_id in enumerate(object_ids)
        ]
        answers = client.post("/$batch", json={"requests": items}).json()["responses"]

        assert {each["id"]: each["status"] for each in answers} == {"1": 409, "2": 200}
        assert applied(simulator) == (1, 2)
