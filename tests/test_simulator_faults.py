"""The simulator's bad days: quota, Retry-After, error shapes, faults to order, batches, and its start and stop."""

import asyncio
import base64
import json
import logging
import math
import re
import socket
from collections.abc import Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime

import httpx
import pytest
from simulator_cases import CALLER_ID, IOS, NO_TLS, PROFILE_ID, Clock, body_of, create, talking

from pipeline.errors import UsageError
from pipeline.simulator import (
    ErrorShape,
    Fault,
    FaultRates,
    ReadFault,
    RetryAfterForm,
    Simulator,
    SimulatorSettings,
    Window,
    running,
    serve,
)

# the quota


def test_sliding_window() -> None:
    """In a sliding window, a slot is free exactly one window after the write that used it, and no sooner."""
    clock = Clock()

    with talking(SimulatorSettings(quota=2, window_s=20), clock) as (client, simulator):
        assert create(client, 1).status_code == 201
        clock.now_s += 5
        assert create(client, 2).status_code == 201
        refused = create(client, 3)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "15")
        clock.now_s += 14.999
        assert create(client, 3).headers["Retry-After"] == "1"
        clock.now_s += 0.001
        assert create(client, 3).status_code == 201
        assert create(client, 4).headers["Retry-After"] == "5"
        state = simulator.state()
        assert (state.writes, state.refused, state.created) == (6, 3, 3)


def test_fixed_window() -> None:
    """In a fixed window, all slots are free at the next multiple of the window, however late they were used."""
    clock = Clock()
    clock.now_s = 1019

    with talking(SimulatorSettings(quota=2, window_s=20, window=Window.FIXED), clock) as (client, _):
        assert [create(client, number).status_code for number in range(3)] == [201, 201, 429]
        assert create(client, 3).headers["Retry-After"] == "1"
        clock.now_s = 1020
        assert [create(client, number).status_code for number in range(3, 6)] == [201, 201, 429]
        assert create(client, 6).headers["Retry-After"] == "20"


def test_quota_per_app_and_tenant() -> None:
    """Each bearer has the app's quota, and all together have the tenant's."""
    with talking(SimulatorSettings(quota=2, tenant_quota=3)) as (client, _):
        assert [create(client, number, "a").status_code for number in range(3)] == [201, 201, 429]
        assert [create(client, number, "b").status_code for number in range(3, 5)] == [201, 429]


@pytest.mark.parametrize(("others", "left"), [(150, 50), (200, 0), (250, 0)])
def test_others(others: int, left: int) -> None:
    """What other apps use of the tenant's quota is not there for ours."""
    with talking(SimulatorSettings(others=others)) as (client, simulator):
        answers = [create(client, number) for number in range(left + 1)]

        assert [each.status_code for each in answers] == [201] * left + [429]
        assert answers[-1].headers["Retry-After"] == "20"
        assert simulator.state().created == left


def test_others_are_there_for_a_while() -> None:
    """They take their part from the first write on; after that the app has its quota again."""
    clock = Clock()

    with talking(SimulatorSettings(quota=3, tenant_quota=3, others=2, others_s=30), clock) as (client, _):
        assert [create(client, number).status_code for number in range(2)] == [201, 429]
        clock.now_s += 29.9
        assert [create(client, number).status_code for number in range(1, 3)] == [201, 429]
        clock.now_s += 0.1
        assert [create(client, number).status_code for number in range(2, 5)] == [201, 201, 429]


def test_every_write_counts() -> None:
    """POST, PATCH, PUT and DELETE use a slot whatever they are answered; GET uses none and goes on."""
    with talking(SimulatorSettings(quota=4)) as (client, _):
        statuses = [
            client.post(IOS, json={}).status_code,
            client.patch(f"{IOS}/{PROFILE_ID}", json={}).status_code,
            client.put(f"{IOS}/{PROFILE_ID}", json={}).status_code,
            client.delete(f"{IOS}/{PROFILE_ID}").status_code,
            create(client).status_code,
            client.delete(f"{IOS}/{PROFILE_ID}").status_code,
            client.get(IOS).status_code,
        ]

    assert statuses == [400, 404, 405, 404, 429, 429, 200]


def test_refusals_count() -> None:
    """Where refusals count, coming back too early uses up slots and makes the wait longer."""
    clock = Clock()

    with talking(SimulatorSettings(quota=1, window_s=20, refusals_count=True), clock) as (client, _):
        create(client)
        clock.now_s += 19
        assert create(client).headers["Retry-After"] == "20"
        clock.now_s += 19
        assert create(client).headers["Retry-After"] == "20"
        clock.now_s += 20
        assert create(client).status_code == 201


# Retry-After and the error bodies


@pytest.mark.parametrize(
    ("form", "first", "second"),
    [
        (RetryAfterForm.SECONDS, "13", "1"),
        (RetryAfterForm.DECIMAL, "12.346", "0.001"),
        (RetryAfterForm.COMMA, "3,13", "1,1"),
        (RetryAfterForm.DATE, "Mon, 23 Nov 2026 08:49:26 GMT", "Mon, 23 Nov 2026 08:49:14 GMT"),
        (RetryAfterForm.ABSENT, None, None),
    ],
)
def test_retry_after(form: RetryAfterForm, first: str | None, second: str | None) -> None:
    """Retry-After is rounded up in each form, so that whoever obeys it is not refused again."""
    clock = Clock()

    with talking(SimulatorSettings(quota=1, window_s=20, retry_after=form), clock) as (client, _):
        create(client)
        clock.now_s = 1000 + 20 - 12.3456
        assert create(client).headers.get("Retry-After") == first
        clock.now_s = 1000 + 20 - 0.0004
        assert create(client).headers.get("Retry-After") == second


def test_retry_after_date_and_date_header() -> None:
    """A Retry-After date minus the answer's own Date is never shorter than the wait."""
    with talking(SimulatorSettings(quota=0, window_s=3, retry_after=RetryAfterForm.DATE)) as (client, _):
        headers = create(client).headers

    waited = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])
    assert math.ceil(waited.total_seconds()) == 4


def inner_error(response: httpx.Response) -> dict[str, str]:
    """Return what identifies this answer in an error body."""
    return {
        "date": "2026-11-23T08:49:13",
        "request-id": response.headers["request-id"],
        "client-request-id": CALLER_ID,
    }


def test_graph_error() -> None:
    """In Graph's shape, a 429 and a 400 name code, message, date and both ids."""
    with talking(SimulatorSettings(quota=1, script=(Fault.BAD_REQUEST_400,))) as (client, _):
        bad_request = create(client)
        throttled = create(client)

    assert bad_request.headers["Content-Type"].startswith("application/json;odata.metadata=minimal")
    assert bad_request.json() == {
        "error": {
            "code": "BadRequest",
            "message": "The request was refused to order.",
            "innerError": inner_error(bad_request),
        }
    }
    assert throttled.json() == {
        "error": {
            "code": "TooManyRequests",
            "message": "Please retry again later.",
            "innerError": {
                **inner_error(throttled),
                "code": "429",
                "message": "Please retry after",
                "status": "429",
            },
        }
    }


def test_intune_error() -> None:
    """In Intune's shape, the message is a JSON text that repeats the URL and names the request-id as activity."""
    with talking(SimulatorSettings(error_shape=ErrorShape.INTUNE, script=(Fault.BAD_REQUEST_400,))) as (client, _):
        response = create(client)

    error = response.json()["error"]
    assert {**error, "message": ""} == {"code": "BadRequest", "message": "", "innerError": inner_error(response)}
    assert json.loads(error["message"]) == {
        "_version": 3,
        "Message": "The request was refused to order. - Operation ID (for customer support): "
        f"00000000-0000-0000-0000-000000000000 - Activity ID: {response.headers['request-id']} - Url: "
        "https://fef.simulator.manage.microsoft.com/DeviceConfiguration_2212/StatelessDeviceConfigurationFEService"
        f"{IOS}?api-version=5022-12-03",
        "CustomApiErrorPhrase": "",
        "RetryAfter": None,
        "ErrorSourceService": "",
        "HttpHeaders": "{}",
    }


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        (ErrorShape.EMPTY, b""),
        (
            ErrorShape.HTML,
            (
                b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
                b"<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"
            ),
        ),
    ],
)
def test_error_without_json(shape: ErrorShape, content: bytes) -> None:
    """In the shapes of gateways, an error's body is empty or HTML, and its headers are there all the same."""
    with talking(SimulatorSettings(error_shape=shape, script=(Fault.ERROR_502,))) as (client, _):
        response = create(client)

    assert (response.status_code, response.content) == (502, content)
    assert response.headers["client-request-id"] == CALLER_ID


# token expiry


def test_token_expiry() -> None:
    """A bearer is refused a lifetime after its first use, and a fresh one is let in."""
    clock = Clock()

    with talking(SimulatorSettings(token_lifetime_s=60), clock) as (client, _):
        assert create(client, 0, "a").status_code == 201
        clock.now_s += 59.9
        assert create(client, 1, "a").status_code == 201
        clock.now_s += 0.1
        refused = create(client, 2, "a")
        assert (refused.status_code, refused.json()["error"]["message"]) == (
            401,
            "Lifetime validation failed, the token is expired.",
        )
        assert create(client, 2, "b").status_code == 201


# faults to order


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.ERROR_500, 500),
        (Fault.ERROR_502, 502),
        (Fault.ERROR_503, 503),
        (Fault.ERROR_504, 504),
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
        (Fault.THROTTLE_429, 429),
        (Fault.REDIRECT_307, 307),
        (Fault.HTML_500, 500),
        (Fault.NOT_IMPLEMENTED_501, 501),
    ],
)
def test_fault_without_object(fault: Fault, status: int) -> None:
    """A refusal to order creates nothing, and the create after it succeeds."""
    with talking(SimulatorSettings(script=(fault,))) as (client, simulator):
        assert create(client).status_code == status
        assert simulator.state().created == 0
        assert create(client).status_code == 201


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault.ERROR_504_AFTER, 504), (Fault.CREATED_WITHOUT_ID, 201), (Fault.CREATED_UNREADABLE, 201)],
)
def test_fault_with_object(fault: Fault, status: int) -> None:
    """A fault after the creation leaves the object there, under the id that its list shows."""
    with talking(SimulatorSettings(script=(fault,))) as (client, simulator):
        assert create(client).status_code == status
        assert [each.client_request_id for each in simulator.objects()] == [CALLER_ID]
        assert client.get(IOS).json()["value"] == [dict(each.entity) for each in simulator.objects()]


def test_damaged_created() -> None:
    """A 201 to order lacks the id, or is no JSON."""
    with talking(SimulatorSettings(script=(Fault.CREATED_WITHOUT_ID, Fault.CREATED_UNREADABLE))) as (client, _):
        without_id = create(client).json()
        unreadable = create(client).content

    assert without_id == body_of()
    with pytest.raises(json.JSONDecodeError):
        json.loads(unreadable)


def test_redirect() -> None:
    """A redirect to order leads back to the same collection."""
    with talking(SimulatorSettings(script=(Fault.REDIRECT_307,))) as (client, simulator):
        redirect = create(client)

        assert redirect.next_request is not None
        assert str(redirect.next_request.url) == f"{simulator.service_root}{IOS}"


def test_html_500() -> None:
    """The HTML 500 to order is HTML whatever the settings' error shape."""
    with talking(SimulatorSettings(script=(Fault.HTML_500,))) as (client, _):
        assert create(client).text.startswith("<html>\r\n<head><title>500 Internal Server Error</title>")


def test_throttle_to_order() -> None:
    """A 429 to order asks for one second, counts as refused and uses no slot."""
    with talking(SimulatorSettings(quota=1, script=(Fault.THROTTLE_429,))) as (client, simulator):
        refused = create(client)

        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert create(client).status_code == 201
        assert (simulator.state().writes, simulator.state().refused) == (2, 1)


@pytest.mark.parametrize(
    ("fault", "created"),
    [(Fault.DROP_BEFORE, 0), (Fault.DROP_AFTER, 1), (Fault.HALF_BODY, 1)],
)
def test_dropped_connection(fault: Fault, created: int, caplog: pytest.LogCaptureFixture) -> None:
    """The connection is dropped before or after the creation, or in mid-answer; the server goes on in peace."""
    with talking(SimulatorSettings(script=(fault,))) as (client, simulator), caplog.at_level(logging.WARNING):
        with pytest.raises(httpx.RemoteProtocolError):
            create(client)
        assert simulator.state().created == created
        assert create(client).status_code == 201
        assert caplog.records == []


def test_silence() -> None:
    """A silent create is stored, its answer never comes, and the stop does not wait for one."""
    with talking(SimulatorSettings(script=(Fault.SILENT,))) as (client, simulator):
        with pytest.raises(httpx.ReadTimeout):
            client.post(IOS, json=body_of(), timeout=0.05)

        assert simulator.state().created == 1


def test_faults_wait_for_a_slot() -> None:
    """A create that the quota refuses uses up none of the faults to order."""
    clock = Clock()

    with talking(SimulatorSettings(quota=1, script=(Fault.NONE, Fault.ERROR_500)), clock) as (client, _):
        assert [create(client, number).status_code for number in range(3)] == [201, 429, 429]
        clock.now_s += 20
        assert create(client, 1).status_code == 500


def test_invalid_body_meets_no_later_fault() -> None:
    """A fault after the creation needs a creation: an invalid body is a 400 all the same."""
    with talking(SimulatorSettings(script=(Fault.DROP_AFTER,))) as (client, simulator):
        assert client.post(IOS, json={}).status_code == 400
        assert simulator.state().created == 0


def statuses_and_ids(settings: SimulatorSettings, numbers: list[int]) -> dict[int, tuple[int, str]]:
    """Return each create's status and id."""
    with talking(settings) as (client, _):
        answers = {number: create(client, number) for number in numbers}
    return {number: (each.status_code, each.json().get("id", "")) for number, each in answers.items()}


def test_repeatable_run() -> None:
    """The same creates meet the same faults and get the same ids, in whatever order; another seed means others."""
    rates = FaultRates(error_500=0.3, error_503=0.2)
    numbers = list(range(60))

    one = statuses_and_ids(SimulatorSettings(faults=rates, seed=1), numbers)

    assert statuses_and_ids(SimulatorSettings(faults=rates, seed=1), numbers[::-1]) == one
    assert statuses_and_ids(SimulatorSettings(faults=rates, seed=2), numbers) != one
    assert {status for status, _ in one.values()} == {201, 500, 503}
    assert 15 <= sum(status == 201 for status, _ in one.values()) <= 45


def test_attempts_are_drawn_apart() -> None:
    """Sending the same create again is a new draw, and a second creation gets an id of its own."""
    with talking(SimulatorSettings(faults=FaultRates(error_500=0.5))) as (client, simulator):
        statuses = [create(client).status_code for _ in range(40)]

        assert set(statuses) == {201, 500}
        assert simulator.state().duplicates == statuses.count(201) - 1
        assert len({each.entity["id"] for each in simulator.objects()}) == statuses.count(201)


def test_certain_fault() -> None:
    """A rate of 1 is certain."""
    with talking(SimulatorSettings(faults=FaultRates(error_504_after=1.0))) as (client, simulator):
        assert [create(client, number).status_code for number in range(5)] == [504] * 5
        assert simulator.state().created == 5


def test_fault_rates_from_texts() -> None:
    """Rates are read from NAME=RATE texts; each rate names a member of Fault or ReadFault."""
    assert FaultRates.from_texts(["error_500=0.25", "silent=0.1"]) == FaultRates(error_500=0.25, silent=0.1)
    assert FaultRates(throttle_429=0.5, read_drop=0.25).of_writes() == (
        (Fault.ERROR_500, 0.0),
        (Fault.ERROR_502, 0.0),
        (Fault.ERROR_503, 0.0),
        (Fault.ERROR_504, 0.0),
        (Fault.ERROR_504_AFTER, 0.0),
        (Fault.DROP_BEFORE, 0.0),
        (Fault.DROP_AFTER, 0.0),
        (Fault.SILENT, 0.0),
        (Fault.THROTTLE_429, 0.5),
    )
    assert FaultRates(throttle_429=0.5, read_drop=0.25).of_reads() == (
        (ReadFault.READ_503, 0.0),
        (ReadFault.READ_DROP, 0.25),
        (ReadFault.READ_HALF, 0.0),
    )


def test_sum_of_rates_per_kind() -> None:
    """The rates of writes and those of reads may add up to 1 each."""
    assert FaultRates(silent=1.0, read_503=0.5, read_half=0.5).read_half == 0.5


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["error_599=0.1"],
            (
                'The fault "error_599=0.1" is not known; write NAME=RATE with one of error_500, error_502, error_503, '
                "error_504, error_504_after, drop_before, drop_after, silent, throttle_429, read_503, read_drop, "
                "read_half."
            ),
        ),
        (["silent"], 'The fault "silent" has no rate; write such as silent=0.02.'),
        (["silent=0.1", "silent=0.2"], 'The fault "silent" is given twice; give each fault one rate.'),
        (["silent=1.5"], "The rate of the fault silent is 1.5; give a number from 0 to 1."),
        (["silent=nan"], "The rate of the fault silent is nan; give a number from 0 to 1."),
        (
            ["silent=0.6", "error_500=0.6"],
            "The rates of all faults of writes add up to 1.2; together they can be 1 at most.",
        ),
        (
            ["read_503=0.6", "read_drop=0.6"],
            "The rates of all faults of reads add up to 1.2; together they can be 1 at most.",
        ),
        (["read_half=-0.1"], "The rate of the fault read_half is -0.1; give a number from 0 to 1."),
    ],
    ids=["unknown", "no-rate", "twice", "above-1", "nan", "sum", "sum-of-reads", "below-0"],
)
def test_wrong_fault_rates(texts: list[str], message: str) -> None:
    """A wrong rate is refused in one sentence that says how to write it."""
    with pytest.raises(UsageError) as caught:
        FaultRates.from_texts(texts)

    assert str(caught.value) == message


# $batch


def item(number: int, **other: object) -> dict[str, object]:
    """Return one create as a batch holds it."""
    return {
        "id": str(number),
        "method": "POST",
        "url": IOS,
        "headers": {"Content-Type": "application/json", "client-request-id": f"caller-{number}"},
        "body": body_of(number),
        **other,
    }


def send_batch(client: httpx.Client, items: list[dict[str, object]]) -> httpx.Response:
    """Send a batch."""
    return client.post("/$batch", json={"requests": items})


def statuses_of(response: httpx.Response) -> dict[str, int]:
    """Return the status of each item by id, of a batch that was accepted."""
    assert response.status_code == 200
    return {each["id"]: each["status"] for each in response.json()["responses"]}


def test_batch() -> None:
    """Each item of a batch is a request of its own: it counts against the quota and has its own answer."""
    items = [item(number) for number in range(3)]
    items.append({"id": "list", "method": "GET", "url": f"{IOS}?$top=1"})
    items.append(item(4, body={}))

    with talking(SimulatorSettings(quota=3)) as (client, simulator):
        response = send_batch(client, items)

        assert statuses_of(response) == {"0": 201, "1": 201, "2": 201, "list": 200, "4": 429}
        by_id = {each["id"]: each for each in response.json()["responses"]}
        stored = simulator.objects()
        assert by_id["1"]["body"] == dict(stored[1].entity)
        assert by_id["1"]["headers"]["client-request-id"] == stored[1].client_request_id == "caller-1"
        assert by_id["list"]["body"]["value"] == [dict(stored[0].entity)]
        assert by_id["list"]["body"]["@odata.nextLink"] == f"{simulator.service_root}{IOS}?$top=1&$skiptoken=1"
        assert by_id["4"]["headers"]["Retry-After"] == "20"
        assert "Retry-After" not in response.headers
        state = simulator.state()
        assert (state.requests, state.writes, state.refused, state.created) == (1, 4, 1, 3)


def test_batch_order() -> None:
    """A batch's answers come in another order than its requests, and in the same one for the same seed."""
    items = [item(number) for number in range(20)]
    orders = []
    for _ in range(2):
        with talking(SimulatorSettings(seed=3)) as (client, _simulator):
            orders.append(list(statuses_of(send_batch(client, items))))

    assert orders[0] == orders[1]
    assert orders[0] != [each["id"] for each in items]
    assert sorted(orders[0], key=int) == [each["id"] for each in items]


def test_batch_depends_on() -> None:
    """An item waits for those that it depends on, and is a 424 that uses no slot when one of them failed."""
    items = [
        item(3, dependsOn=["2"]),
        item(2, dependsOn=["BAD"]),
        item(1, dependsOn=["0"]),
        item(0),
        item(9, id="bad", body={}),
    ]

    with talking(SimulatorSettings()) as (client, simulator):
        assert statuses_of(send_batch(client, items)) == {"0": 201, "1": 201, "bad": 400, "2": 424, "3": 424}
        assert simulator.state().writes == 3


@pytest.mark.parametrize("fault", [Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.HALF_BODY, Fault.SILENT])
def test_batch_item_lost(fault: Fault) -> None:
    """Inside a batch, an answer that is lost is missing from the answers, created or not."""
    with talking(SimulatorSettings(script=(fault,))) as (client, simulator):
        assert statuses_of(send_batch(client, [item(0), item(1)])) == {"1": 201}
        assert simulator.state().created == (1 if fault is Fault.DROP_BEFORE else 2)


def test_batch_item_without_json() -> None:
    """Inside a batch, an HTML body is base64 text and an empty one is absent."""
    script = (Fault.HTML_500, Fault.ERROR_502)

    with talking(SimulatorSettings(error_shape=ErrorShape.EMPTY, script=script)) as (client, _):
        answers = {each["id"]: each for each in send_batch(client, [item(0), item(1)]).json()["responses"]}

    assert base64.b64decode(answers["0"]["body"]).startswith(b"<html>")
    assert (answers["1"]["status"], "body" in answers["1"]) == (502, False)


def test_batch_in_batch() -> None:
    """A batch inside a batch is refused, and so is a path with the version root."""
    items = [item(0, url="/$batch", body={"requests": []}), item(1, url=f"/beta{IOS}")]

    with talking(SimulatorSettings()) as (client, _):
        assert statuses_of(send_batch(client, items)) == {"0": 400, "1": 400}


def without(name: str) -> dict[str, object]:
    """Return a batch item that lacks one member."""
    return {key: value for key, value in item(0).items() if key != name}


WRONG_BATCHES: dict[str, tuple[object, str]] = {
    "no-list": ({"requests": {}}, "Invalid batch payload format."),
    "empty": ({"requests": []}, "Invalid batch payload format."),
    "no-object": ({"requests": [1]}, "Invalid batch payload format."),
    "21-items": (
        {"requests": [item(number) for number in range(21)]},
        "Number of batch request steps exceeds the maximum value of 20.",
    ),
    "same-id": (
        {"requests": [item(0, id="a"), item(1, id="A")]},
        "Request Id values have to be unique in a batch.",
    ),
    "number-as-id": ({"requests": [item(0, id=1)]}, "Request Id is required and has to be a string."),
    "no-id": ({"requests": [without("id")]}, "Request Id is required and has to be a string."),
    "no-method": ({"requests": [without("method")]}, "Request id 0 has no valid method."),
    "absolute": (
        {"requests": [item(0, url=f"https://graph.microsoft.com/beta{IOS}")]},
        "Request id 0 has to have a relative URL with a leading slash.",
    ),
    "headers": (
        {"requests": [item(0, headers={"Content-Type": 1})]},
        "Request id 0 has headers that are no JSON object of strings.",
    ),
    "no-content-type": (
        {"requests": [item(0), item(1, headers={})]},
        "Write request id : 1 does not contain Content-Type header or body.",
    ),
    "no-body": (
        {"requests": [without("body")]},
        "Write request id : 0 does not contain Content-Type header or body.",
    ),
    "depends-on-text": (
        {"requests": [item(0, dependsOn="1")]},
        "Request id 0 has a dependsOn that is no array of strings.",
    ),
    "depends-on-nobody": (
        {"requests": [item(0, dependsOn=["7"])]},
        "Request id 0 depends on a request that is not there, or on itself.",
    ),
    "circle": (
        {"requests": [item(0, dependsOn=["1"]), item(1, dependsOn=["0"])]},
        "Request id 0 depends on a request that is not there, or on itself.",
    ),
}


@pytest.mark.parametrize(("batch", "message"), WRONG_BATCHES.values(), ids=WRONG_BATCHES.keys())
def test_wrong_batch(batch: Mapping[str, object], message: str) -> None:
    """A malformed batch is a 400 as a whole: nothing of it is applied or counted as a write."""
    with talking(SimulatorSettings()) as (client, simulator):
        response = client.post("/$batch", json=batch)

        error = response.json()["error"]
        assert (response.status_code, error["code"], error["message"]) == (400, "BadRequest", message)
        assert (simulator.state().writes, simulator.state().created) == (0, 0)


def test_batch_refused_outside() -> None:
    """A batch without a bearer, with another media type or another method is refused as a whole."""
    batch = {"requests": [item(0)]}

    with talking(SimulatorSettings()) as (client, _):
        assert client.get("/$batch").status_code == 405
        assert client.post("/$batch", content=json.dumps(batch)).status_code == 415
        del client.headers["Authorization"]
        assert client.post("/$batch", json=batch).status_code == 401


# start and stop


def test_port_in_use() -> None:
    """A port that somebody listens on already is one sentence, in a thread as in the caller's own loop."""
    with running(SimulatorSettings()) as first:
        port = httpx.URL(first.service_root).port or 0
        expected = f"The simulator cannot listen on 127.0.0.1 port {port}: "

        with pytest.raises(UsageError, match=expected), running(SimulatorSettings(), port):
            pass
        with pytest.raises(UsageError, match=expected):
            asyncio.run(Simulator(SimulatorSettings()).start(port=port))


def test_counts_after_the_end() -> None:
    """What a running simulator counted and stored can still be read after its end."""
    with talking(SimulatorSettings()) as (client, simulator):
        create(client)

    assert simulator.state().created == 1
    assert [each.collection for each in simulator.objects()] == [IOS[1:]]


async def created_count(client: httpx.AsyncClient, root: str, count: int) -> None:
    """Return when the simulator has created that many objects."""
    url = root.removesuffix("/beta") + "/_simulator/state"
    while (await client.get(url)).json()["created"] < count:
        pass


def test_stop_is_prompt(caplog: pytest.LogCaptureFixture) -> None:
    """The stop ends silent answers, long latencies and idle connections without waiting for any of them."""

    async def conversation() -> tuple[list[type[BaseException] | int], float]:
        loop = asyncio.get_running_loop()
        silent = Simulator(SimulatorSettings(script=(Fault.NONE, Fault.SILENT, Fault.SILENT)))
        slow = Simulator(SimulatorSettings(latency_s=600))
        roots = [await silent.start(), await slow.start()]
        headers = {"Authorization": "Bearer t"}
        async with httpx.AsyncClient(headers=headers, verify=NO_TLS, trust_env=False, timeout=600) as client:
            idle = await client.post(roots[0] + IOS, json=body_of())
            urls = [roots[0] + IOS, roots[0] + IOS, roots[1] + IOS]
            pending = [asyncio.create_task(client.post(url, json=body_of())) for url in urls]
            await created_count(client, roots[0], 3)
            await created_count(client, roots[1], 1)
            begun_s = loop.time()
            await asyncio.gather(silent.stop(), slow.stop())
            took_s = loop.time() - begun_s
            ended = await asyncio.gather(*pending, return_exceptions=True)
        kinds = [each.status_code if isinstance(each, httpx.Response) else type(each) for each in (idle, *ended)]
        return kinds, took_s

    kinds, took_s = asyncio.run(conversation())

    assert kinds == [201, httpx.RemoteProtocolError, httpx.RemoteProtocolError, 201]
    assert took_s < 5
    assert caplog.records == []


def test_max_concurrent() -> None:
    """The state tells how many requests were in progress at one time."""

    async def conversation() -> int:
        simulator = Simulator(SimulatorSettings(latency_s=600))
        root = await simulator.start()
        headers = {"Authorization": "Bearer t"}
        async with httpx.AsyncClient(headers=headers, verify=NO_TLS, trust_env=False, timeout=600) as client:
            pending = [asyncio.create_task(client.post(root + IOS, json=body_of(number))) for number in range(7)]
            await created_count(client, root, 7)
            await simulator.stop()
            await asyncio.gather(*pending)
        return simulator.state().max_concurrent

    assert asyncio.run(conversation()) == 7


def test_client_that_goes_away(caplog: pytest.LogCaptureFixture) -> None:
    """A client that dies in the middle of its request leaves no object, no trace in the log, and no open request."""
    with talking(SimulatorSettings()) as (client, simulator), caplog.at_level(logging.WARNING):
        url = httpx.URL(simulator.service_root)
        with closing(socket.create_connection((url.host, url.port or 0))) as connection:
            head = f"POST /beta{IOS} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\nContent-Length: 999\r\n\r\n"
            connection.sendall(head.encode() + b'{"devicePlatform":')

        assert create(client).status_code == 201
        assert simulator.state().created == 1

    assert caplog.records == []


def test_serve() -> None:
    """`serve` names the service root once it listens, and ends when told to."""

    async def conversation() -> tuple[str, int]:
        stop = asyncio.Event()
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(SimulatorSettings(), "127.0.0.1", 0, ready.set_result, stop))
        root = await ready
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
            answer = await client.get(f"{root}/")
        stop.set()
        await serving
        return root, answer.status_code

    root, status = asyncio.run(conversation())

    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*/beta", root)
    assert status == 401


def test_start_again() -> None:
    """A stopped simulator can be started again in another event loop: it keeps its objects, and silence is silence."""
    simulator = Simulator(SimulatorSettings(script=(Fault.SILENT, Fault.SILENT)))

    async def conversation() -> int:
        root = await simulator.start()
        headers = {"Authorization": "Bearer t"}
        async with httpx.AsyncClient(headers=headers, verify=NO_TLS, trust_env=False, timeout=0.05) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(root + IOS, json=body_of())
        await simulator.stop()
        return len(simulator.objects)

    assert [asyncio.run(conversation()), asyncio.run(conversation())] == [1, 2]
