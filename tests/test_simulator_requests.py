"""The simulator's contract: who is let in, which paths there are, what a body may hold, what is answered."""

import json
import math
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from page_example import SEED_PROPERTIES

from pipeline.editions import EDITIONS, ENTITY_TYPE, Edition, EnumType, PrimitiveType
from pipeline.errors import UsageError
from pipeline.simulator import Profile, RunningSimulator, SimulatorSettings, StoredObject, running

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PROFILE_ID = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
CONFIGURATIONS = "/deviceManagement/deviceConfigurations"
IOS = f"{CONFIGURATIONS}/{PROFILE_ID}/microsoft.graph.iosScepCertificateProfile/managedDeviceCertificateStates"
CALLER_ID = "0d6f2d1e-5a43-4a0e-8f0e-2f2f6c1f7a01"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused over http, and without the time to load authorities
WALL_S = 1_795_423_753.5  # 2026-11-23T08:49:13.5Z


@contextmanager
def talking(settings: SimulatorSettings | None = None) -> Iterator[tuple[httpx.Client, RunningSimulator]]:
    """Run a simulator and a client of it that shows a bearer."""
    with (
        running(settings or SimulatorSettings(), wall_clock=lambda: WALL_S) as simulator,
        httpx.Client(
            base_url=simulator.service_root, headers={"Authorization": "Bearer t"}, verify=NO_TLS, trust_env=False
        ) as client,
    ):
        yield client, simulator


def valid_body(edition: Edition) -> dict[str, object]:
    """Return an object that has every property of the edition."""
    body: dict[str, object] = {"@odata.type": ENTITY_TYPE}
    for each in edition.properties:
        if isinstance(each.type, EnumType):
            body[each.name] = each.type.members[-1]
        elif each.type is PrimitiveType.INT32:
            body[each.name] = 2048
        elif each.type is PrimitiveType.DATETIMEOFFSET:
            body[each.name] = "2027-11-23T08:49:13.1234567+01:00"
        else:
            body[each.name] = f"{each.name} Ünï ✓"
    return body


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    """Return an error answer's status, code and message."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


ROUTES = [(edition.name, cast) for edition in EDITIONS.values() for cast in {each.cast: 0 for each in edition.routes}]


@pytest.mark.parametrize(("edition", "cast"), ROUTES, ids=[f"{edition}-{cast}" for edition, cast in ROUTES])
def test_route_accepts(edition: str, cast: str) -> None:
    """Every route of both editions answers a complete object with 201 and the values to the letter."""
    body = valid_body(EDITIONS[edition])
    path = f"deviceManagement/deviceConfigurations/{PROFILE_ID}/{cast}/managedDeviceCertificateStates"

    with talking(SimulatorSettings(edition=edition)) as (client, simulator):
        response = client.post(f"/{path}", json=body, headers={"client-request-id": CALLER_ID})

        entity = response.json()
        object_id = entity.pop("id")
        assert (response.status_code, entity) == (201, body)
        assert GUID.fullmatch(object_id)
        assert simulator.objects() == (StoredObject(path, {**body, "id": object_id}, CALLER_ID),)


def test_seed_example() -> None:
    """The request that the 2017 page prints is answered with 201, its values to the letter and in its order."""
    with talking() as (client, _):
        response = client.post(IOS, content=json.dumps(SEED_PROPERTIES), headers={"Content-Type": "application/json"})

    names = list(SEED_PROPERTIES)
    assert response.status_code == 201
    assert list(response.json()) == [names[0], "id", *names[1:]]
    assert {**response.json(), "id": ""} == {**SEED_PROPERTIES, "id": ""}


def test_support_headers() -> None:
    """Every answer carries a request-id, the caller's client-request-id, the date and no Location."""
    with talking() as (client, _):
        response = client.post(IOS, json=SEED_PROPERTIES, headers={"client-request-id": CALLER_ID})

    assert GUID.fullmatch(response.headers["request-id"])
    assert response.headers["client-request-id"] == CALLER_ID
    assert response.headers["Date"] == "Mon, 23 Nov 2026 08:49:13 GMT"
    assert "x-ms-ags-diagnostic" in response.headers
    assert "Location" not in response.headers


def test_client_request_id_absent() -> None:
    """A request without a client-request-id gets the request-id in its place."""
    with talking() as (client, _):
        response = client.get(IOS)

    assert response.headers["client-request-id"] == response.headers["request-id"]


def test_only_core_required_by_current() -> None:
    """Edition current accepts an object of its required properties alone, and stores no others."""
    edition = EDITIONS["current"]
    body = {name: value for name, value in valid_body(edition).items() if name in edition.required}

    with talking(SimulatorSettings(edition="current")) as (client, _):
        response = client.post(IOS, json=body)

    expected = {"@odata.type": ENTITY_TYPE, "id": response.json()["id"], **body}
    assert (response.status_code, response.json()) == (201, expected)


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=lambda edition: edition.name)
def test_missing_required(edition: Edition) -> None:
    """Each required property that a create leaves out is a 400 that names it."""
    with talking(SimulatorSettings(edition=edition.name)) as (client, simulator):
        for name in sorted(edition.required):
            body = {key: value for key, value in valid_body(edition).items() if key != name}
            expected = (400, "BadRequest", f"The property '{name}' is required.")
            assert error_of(client.post(IOS, json=body)) == expected
        assert simulator.state().created == 0


NO_INT32 = "Edm.Int32 is a JSON number without a fraction from -2147483648 to 2147483647"
NO_DATE = "it is no Edm.DateTimeOffset with an offset and at most seven fraction digits"
EXPIRY = "certificateExpirationDateTime"
WRONG_VALUES: list[tuple[str, object, str]] = [
    ("certificateKeyLength", "2048", NO_INT32),
    ("certificateKeyLength", 2048.5, NO_INT32),
    ("certificateKeyLength", True, NO_INT32),
    ("certificateKeyLength", 2147483648, NO_INT32),
    ("certificateKeyLength", -2147483649, NO_INT32),
    ("certificateKeyLength", None, "null is not allowed"),
    ("deviceDisplayName", 7, "a JSON string is expected"),
    ("deviceDisplayName", ["a"], "a JSON string is expected"),
    ("deviceDisplayName", None, "null is not allowed"),
    ("devicePlatform", "ios", "it is no member of devicePlatformType"),
    ("devicePlatform", "iOS,macOS", "it is no member of devicePlatformType"),
    ("devicePlatform", "", "it is no member of devicePlatformType"),
    ("devicePlatform", 2, "a JSON string is expected"),
    ("devicePlatform", None, "null is not allowed"),
    ("certificateKeyUsage", "digitalSignature, keyEncipherment", "it is no member of keyUsages"),
    ("certificateKeyUsage", "digitalSignature,", "it is no member of keyUsages"),
    ("certificateKeyUsage", "digitalSignature,digitalSignature", "it names a member of keyUsages twice"),
    ("certificateKeyUsage", ["digitalSignature"], "a JSON string is expected"),
    (EXPIRY, "2027-11-23T08:49:13", NO_DATE),
    (EXPIRY, "2027-11-23", NO_DATE),
    (EXPIRY, "2027-11-23 08:49:13Z", NO_DATE),
    (EXPIRY, "2027-11-23T08:49:13.12345678Z", NO_DATE),
    (EXPIRY, "2027-11-23T08:49:13.Z", NO_DATE),
    (EXPIRY, "2027-11-23T08:49.5Z", NO_DATE),
    (EXPIRY, "2027-02-29T08:49:13Z", NO_DATE),
    (EXPIRY, "2027-11-23T24:00:00Z", NO_DATE),
    (EXPIRY, "2027-11-23T08:49:60Z", NO_DATE),
    (EXPIRY, "2027-11-23T08:49:13+0100", NO_DATE),
    (EXPIRY, "2027-11-23T08:49:13+14:01", NO_DATE),
    (EXPIRY, "0001-01-01T00:00:00+01:00", NO_DATE),
    (EXPIRY, "0000-01-01T00:00:00Z", NO_DATE),
    (EXPIRY, "２027-11-23T08:49:13Z", NO_DATE),  # noqa: RUF001 - a full-width digit is the case under test
    (EXPIRY, 1795423753, "a JSON string is expected"),
    (EXPIRY, None, "null is not allowed"),
]


@pytest.mark.parametrize(("name", "value", "reason"), WRONG_VALUES, ids=[f"{n}-{v!a}" for n, v, _ in WRONG_VALUES])
def test_wrong_value(name: str, value: object, reason: str) -> None:
    """A value of the wrong JSON type, out of range, or no member is a 400 that names the property."""
    with talking() as (client, simulator):
        response = client.post(IOS, json={**SEED_PROPERTIES, name: value})

        message = f"Cannot convert the value of the property '{name}': {reason}."
        assert error_of(response) == (400, "BadRequest", message)
        assert simulator.state().created == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("certificateKeyLength", -2147483648),
        ("certificateKeyLength", 2147483647),
        ("certificateKeyUsage", "digitalSignature,keyEncipherment"),
        ("deviceDisplayName", ""),
        ("serverUrl", "no URL at all"),
        (EXPIRY, "2028-02-29T23:59:59Z"),
        (EXPIRY, "2027-11-23T08:49Z"),
        (EXPIRY, "0001-01-01T00:00:00Z"),
        (EXPIRY, "9999-12-31T23:59:59.9999999Z"),
        (EXPIRY, "2027-11-23T08:49:13.1-14:00"),
    ],
)
def test_value_at_the_limit(name: str, value: object) -> None:
    """A value at the limit of its OData type is stored to the letter; PKI knowledge is not the service's matter."""
    with talking() as (client, _):
        response = client.post(IOS, json={**SEED_PROPERTIES, name: value})

    assert (response.status_code, response.json()[name]) == (201, value)


def test_null_for_nullable() -> None:
    """A null is accepted for an Edm.String that the edition does not require, and for nothing else."""
    body = valid_body(EDITIONS["current"])

    with talking(SimulatorSettings(edition="current")) as (client, _):
        accepted = client.post(IOS, json={**body, "userDisplayName": None})
        refused = client.post(IOS, json={**body, "certificateErrorCode": None})

    assert (accepted.status_code, accepted.json()["userDisplayName"]) == (201, None)
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"id": PROFILE_ID}, "The property 'id' is read-only: the service assigns it."),
        (
            {"Id": PROFILE_ID},
            "The property 'Id' does not exist on type 'microsoft.graph.managedDeviceCertificateState'.",
        ),
        (
            {"certificateErrorCode": 0},
            (
                "The property 'certificateErrorCode' does not exist on type "
                "'microsoft.graph.managedDeviceCertificateState'."
            ),
        ),
        ({"@odata.type": ENTITY_TYPE[1:]}, f"The @odata.type has to be {ENTITY_TYPE}."),
    ],
    ids=["id", "letter-case", "of-the-other-edition", "odata-type"],
)
def test_undeclared_property(extra: dict[str, object], message: str) -> None:
    """A property that the edition does not declare, an id, or another @odata.type is a 400."""
    with talking() as (client, _):
        assert error_of(client.post(IOS, json={**SEED_PROPERTIES, **extra})) == (400, "BadRequest", message)


UNREADABLE = "Unable to read JSON request payload. Please ensure it is valid JSON in UTF-8."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Empty Payload. JSON content expected."),
        (b"{", UNREADABLE),
        (b"\xef\xbb\xbf{}", UNREADABLE),
        ('{"deviceDisplayName": "ü"}'.encode("cp1252"), UNREADABLE),
        ("{}".encode("utf-16"), UNREADABLE),
        (b'{"certificateKeyLength": NaN}', UNREADABLE),
        (b'{"deviceDisplayName": "a", "deviceDisplayName": "b"}', UNREADABLE),
        (b'{"deviceDisplayName": "\\ud800"}', UNREADABLE),
        (b"[" * 100_000, UNREADABLE),
        (b"[]", "The request payload has to be a JSON object."),
        (b"null", "The request payload has to be a JSON object."),
    ],
    ids=["empty", "cut", "mark", "cp1252", "utf-16", "nan", "name-twice", "half-pair", "deep", "array", "null"],
)
def test_no_json_object(content: bytes, message: str) -> None:
    """A body that is no JSON object in UTF-8 is a 400."""
    with talking() as (client, _):
        response = client.post(IOS, content=content, headers={"Content-Type": "application/json"})

    assert error_of(response) == (400, "BadRequest", message)


@pytest.mark.parametrize("media_type", ["text/plain", "application/jsonx", ""])
def test_other_media_type(media_type: str) -> None:
    """A create that does not say application/json is a 415."""
    with talking() as (client, _):
        response = client.post(IOS, content=json.dumps(SEED_PROPERTIES), headers={"Content-Type": media_type})

    assert error_of(response)[:2] == (415, "UnsupportedMediaType")


def test_large_body() -> None:
    """A body of one megabyte is read; one of more than four is a 413."""
    with talking() as (client, _):
        accepted = client.post(IOS, json={**SEED_PROPERTIES, "userDisplayName": "x" * 1_000_000})
        refused = client.post(IOS, json={**SEED_PROPERTIES, "userDisplayName": "x" * 4_200_000})

    assert accepted.status_code == 201
    assert error_of(refused) == (413, "RequestEntityTooLarge", "The request is larger than 4 MB.")


NO_ROUTE = "No method match route template"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{IOS}/", 400, NO_ROUTE),
        (IOS.replace("/microsoft", "//microsoft"), 400, NO_ROUTE),
        (IOS.replace("iosScep", "iosSCEP"), 400, NO_ROUTE),
        (IOS.replace("iosScep", "iosPkcs"), 400, NO_ROUTE),  # of the other edition
        (IOS.replace("/microsoft.graph.iosScepCertificateProfile", ""), 400, NO_ROUTE),
        (IOS.replace(PROFILE_ID, "..%2F..%2Fusers"), 400, NO_ROUTE),
        (IOS.replace(PROFILE_ID, PROFILE_ID[:-1]), 400, NO_ROUTE),
        (IOS.replace("deviceConfigurations", "deviceconfigurations"), 400, NO_ROUTE),
        ("/deviceManagement", 400, NO_ROUTE),
        ("/users", 400, "BadRequest"),
        ("/", 400, "BadRequest"),
        (CONFIGURATIONS, 405, "MethodNotAllowed"),
        (f"{CONFIGURATIONS}/{PROFILE_ID}", 405, "MethodNotAllowed"),
        (f"{IOS}/{PROFILE_ID}", 405, "MethodNotAllowed"),
    ],
)
def test_wrong_path(path: str, status: int, code: str) -> None:
    """A create under a path that the edition does not have is refused, and nothing is created."""
    with talking() as (client, simulator):
        response = client.post(path, json=SEED_PROPERTIES)

        assert error_of(response)[:2] == (status, code)
        assert (simulator.state().writes, simulator.state().created) == (1, 0)


def test_no_route_message() -> None:
    """The refusal of an unknown route has the words in which Intune puts it."""
    with talking() as (client, _):
        response = client.post(f"{CONFIGURATIONS}/{PROFILE_ID}/microsoft.graph.other/states", json=SEED_PROPERTIES)

    assert error_of(response)[2] == (
        "No OData route exists that match template ~/singleton/navigation/key/cast/navigation with http verb POST for "
        "request /DeviceConfiguration_2212/StatelessDeviceConfigurationFEService"
        f"{CONFIGURATIONS}/{PROFILE_ID}/microsoft.graph.other/states."
    )


def test_other_version() -> None:
    """A path below another version root than /beta is a 404."""
    with talking() as (client, simulator):
        response = client.post(simulator.service_root.replace("/beta", "/v1.0") + IOS, json=SEED_PROPERTIES)

    assert error_of(response)[:2] == (404, "ResourceNotFound")


@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic dDp0", "t"])
def test_no_bearer(authorization: str | None) -> None:
    """A request without a bearer is a 401 with a challenge, and nothing is counted as a write."""
    with talking() as (client, simulator):
        del client.headers["Authorization"]
        response = client.post(
            IOS, json=SEED_PROPERTIES, headers={"Authorization": authorization} if authorization else {}
        )

        assert error_of(response) == (401, "InvalidAuthenticationToken", "Access token is empty.")
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm=""')
        assert (simulator.state().requests, simulator.state().writes) == (1, 0)


def test_wrong_bearer() -> None:
    """A bearer other than the one that the settings name is a 401."""
    with talking(SimulatorSettings(token="right")) as (client, _):
        wrong = client.get(IOS)
        right = client.get(IOS, headers={"Authorization": "Bearer right"})

    assert error_of(wrong) == (401, "InvalidAuthenticationToken", "Access token validation failure.")
    assert right.status_code == 200


def test_get_patch_delete() -> None:
    """An object is read, changed in part, deleted, and then not found by any of the three."""
    with talking() as (client, simulator):
        created = client.post(IOS, json=SEED_PROPERTIES).json()
        path = f"{IOS}/{created['id']}"
        changed = {**created, "certificateKeyLength": 4096}

        read = client.get(path)
        patched = client.patch(path, json={"certificateKeyLength": 4096})
        read_again = client.get(path)
        deleted = client.delete(path)

        assert (read.status_code, read.json()) == (200, created)
        assert (patched.status_code, patched.json()) == (200, changed)
        assert read_again.json() == changed
        assert (deleted.status_code, deleted.content) == (204, b"")
        for missing in (client.get(path), client.patch(path, json={}), client.delete(path)):
            expected = (404, "ResourceNotFound", f"Resource '{created['id']}' does not exist.")
            assert error_of(missing) == expected
        state = simulator.state()
        assert (state.requests, state.writes, state.created, state.patched, state.deleted) == (8, 5, 1, 1, 1)
        assert (state.objects, [each.objects for each in state.collections]) == (0, [0])


@pytest.mark.parametrize(
    "body",
    [{"id": PROFILE_ID}, {"certificateKeyLength": "4"}, {"other": 1}, {EXPIRY: None}],
    ids=["id", "type", "undeclared", "null"],
)
def test_wrong_patch(body: dict[str, object]) -> None:
    """A PATCH is checked like a create, and a refused one changes nothing."""
    with talking() as (client, _):
        created = client.post(IOS, json=SEED_PROPERTIES).json()
        path = f"{IOS}/{created['id']}"

        assert error_of(client.patch(path, json=body))[:2] == (400, "BadRequest")
        assert client.get(path).json() == created


def test_put() -> None:
    """PUT is not among the methods of an object, and counts as a write all the same."""
    with talking() as (client, simulator):
        response = client.put(f"{IOS}/{PROFILE_ID}", json=SEED_PROPERTIES)

        assert (response.status_code, response.headers["Allow"]) == (405, "GET, PATCH, DELETE")
        assert simulator.state().writes == 1


def create_many(client: httpx.Client, count: int) -> list[str]:
    """Create objects and return their ids in order."""
    bodies = [{**SEED_PROPERTIES, "deviceDisplayName": f"device {number}"} for number in range(count)]
    return [client.post(IOS, json=body).json()["id"] for body in bodies]


def pages(client: httpx.Client, first: str) -> list[list[str]]:
    """Follow the nextLinks from `first` on and return the ids of each page."""
    found: list[list[str]] = []
    link = first
    while link:
        answer = client.get(link).json()
        found.append([each["id"] for each in answer["value"]])
        link = answer.get("@odata.nextLink", "")
    return found


def test_paging() -> None:
    """A list comes in pages that absolute nextLinks join, as large as $top says and page_size allows."""
    with talking(SimulatorSettings(page_size=3)) as (client, simulator):
        ids = create_many(client, 5)
        link = client.get(IOS).json()["@odata.nextLink"]

        assert link == f"{simulator.service_root}{IOS}?$top=3&$skiptoken=3"
        assert pages(client, IOS) == [ids[:3], ids[3:]]
        assert pages(client, f"{IOS}?$top=2") == [ids[:2], ids[2:4], ids[4:]]
        assert pages(client, f"{IOS}?$top=99") == [ids[:3], ids[3:]]


def test_paging_while_deleting() -> None:
    """A nextLink goes on at its place when objects before it are deleted and others are added meanwhile."""
    with talking(SimulatorSettings(page_size=2)) as (client, _):
        ids = create_many(client, 4)
        link = client.get(IOS).json()["@odata.nextLink"]
        client.delete(f"{IOS}/{ids[0]}")
        client.delete(f"{IOS}/{ids[2]}")
        added = client.post(IOS, json=SEED_PROPERTIES).json()["id"]

        assert pages(client, link) == [[ids[3], added]]


@pytest.mark.parametrize("query", ["$top=0", "$top=-1", "$top=x", "$top=1&$top=2", "$skiptoken=x", "$skiptoken=loop-"])
def test_wrong_query_option(query: str) -> None:
    """A $top or $skiptoken that is no number in range is a 400."""
    with talking() as (client, _):
        assert error_of(client.get(f"{IOS}?{query}"))[:2] == (400, "BadRequest")


def test_filter_is_ignored() -> None:
    """A $filter is silently ignored: the whole collection comes back."""
    with talking() as (client, _):
        ids = create_many(client, 2)

        assert pages(client, f"{IOS}?$filter=deviceDisplayName eq 'device 1'") == [ids]


def test_collections_are_apart() -> None:
    """A collection belongs to one profile, whatever the letter case of its id, and to one cast."""
    with talking() as (client, _):
        ids = create_many(client, 1)

        assert pages(client, IOS.replace(PROFILE_ID, PROFILE_ID.upper())) == [ids]
        assert pages(client, IOS.replace(PROFILE_ID, PROFILE_ID.replace("6", "7"))) == [[]]
        assert pages(client, IOS.replace("iosScep", "macOSScep")) == [[]]


PROFILES = (
    Profile(PROFILE_ID, "Corp SCEP iOS", "#microsoft.graph.iosScepCertificateProfile"),
    Profile("11111111-2222-3333-4444-555555555555", "Corp Wi-Fi", "#microsoft.graph.androidForWorkOther"),
)


def test_profiles() -> None:
    """The tenant's profiles are listed and read one by one; an unknown id is a 404."""
    listed = [{"@odata.type": each.odata_type, "id": each.id, "displayName": each.display_name} for each in PROFILES]

    with talking(SimulatorSettings(profiles=PROFILES)) as (client, _):
        assert client.get(CONFIGURATIONS).json() == {"value": listed}
        assert client.get(f"{CONFIGURATIONS}/{PROFILE_ID.upper()}").json() == listed[0]
        assert error_of(client.get(f"{CONFIGURATIONS}/{CALLER_ID}"))[:2] == (404, "ResourceNotFound")


def test_create_under_profiles() -> None:
    """With a list of profiles, a create needs a known id and the profile's own type as the cast."""
    android = "identityCertificate/microsoft.graph.androidForWorkScepCertificateProfile"
    paths = [
        IOS,
        IOS.replace(PROFILE_ID, CALLER_ID),
        IOS.replace("iosScep", "macOSScep"),
        f"{CONFIGURATIONS}/{PROFILES[1].id}/{android}/managedDeviceCertificateStates",
    ]

    with talking(SimulatorSettings(profiles=PROFILES)) as (client, simulator):
        assert [client.post(path, json=SEED_PROPERTIES).status_code for path in paths] == [201, 404, 400, 201]
        assert simulator.state().created == 2


def test_state_for_other_processes() -> None:
    """The state is served as JSON without a bearer and without counting, duplicates compared without letter case."""
    with talking() as (client, simulator):
        for name in ("Laptop", "LAPTOP", "laptop", "other"):
            client.post(IOS, json={**SEED_PROPERTIES, "deviceDisplayName": name})
        client.post(IOS.replace("iosScep", "macOSScep"), json=SEED_PROPERTIES)
        url = simulator.service_root.removesuffix("/beta") + "/_simulator/state"

        del client.headers["Authorization"]
        state = client.get(url).json()

    assert state == {
        "requests": 5,
        "writes": 5,
        "refused": 0,
        "reads": 0,
        "refused_reads": 0,
        "created": 5,
        "patched": 0,
        "deleted": 0,
        "objects": 5,
        "duplicates": 2,
        "max_concurrent": 1,
        "collections": [
            {"collection": IOS[1:], "objects": 4, "duplicates": 2},
            {"collection": IOS[1:].replace("iosScep", "macOSScep"), "objects": 1, "duplicates": 0},
        ],
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"edition": "1805"}, 'The edition "1805" is not known; use one of 1706, current.'),
        ({"quota": -1}, "The simulator's quota is -1; give 0 or more."),
        ({"read_quota": -1}, "The simulator's read_quota is -1; give 0 or more."),
        ({"read_delay_s": -0.5}, "The simulator's read_delay_s is -0.5; give 0 or more."),
        ({"read_delay_s": math.nan}, "The simulator's read_delay_s is nan; give 0 or more."),
        ({"page_size": 0}, "The simulator's page_size is 0; give 1 or more."),
        ({"window_s": 0.0}, "The simulator's window_s is 0.0; give a number of seconds above 0."),
        ({"token_lifetime_s": 0.0}, "The simulator's token_lifetime_s is 0.0; give seconds above 0."),
    ],
    ids=["edition", "quota", "read-quota", "read-delay", "nan", "page-size", "window", "lifetime"],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    """Settings that make no sense are refused in one sentence."""
    with pytest.raises(UsageError) as caught:
        SimulatorSettings(**settings)  # type: ignore[arg-type]  # one wrong value each

    assert str(caught.value) == message


def test_profile_without_guid() -> None:
    """A profile whose id is no GUID is refused in one sentence."""
    with pytest.raises(UsageError) as caught:
        Profile("7", "Corp", "#microsoft.graph.iosScepCertificateProfile")

    assert str(caught.value) == 'The id "7" of the profile "Corp" is not a GUID; give a GUID.'
