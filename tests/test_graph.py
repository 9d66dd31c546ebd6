"""What an answer means and how an object is named: `judge`, `parse_retry_after`, `object_path`, without a network."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.graph import Answered, judge, object_path, parse_retry_after, read_error
from pipeline.graph.exchange import new_ids
from pipeline.model import Answer, Operation, Verdict

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
GUID = "5e3a1f0c-0000-4000-8000-0123456789ab"


def graph_error(code: str, message: str, **inner: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "innerError": inner}}).encode()


INTUNE_MESSAGE = (
    "An error has occurred - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000"
    f" - Activity ID: {GUID} - Url: https://fef.example.com/StatelessDeviceConfigurationFEService"
)
INTUNE_TEXT = json.dumps({"_version": 3, "Message": INTUNE_MESSAGE, "CustomApiErrorPhrase": "", "RetryAfter": None})


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("2", 2.0),
        ("2.128", 2.128),
        (" 10 ", 10.0),
        ("30,120", 120.0),
        ("120, 30", 120.0),
        ("0,120", 120.0),
        ("0", 1.0),
        ("0.249", 1.0),
        ("-5", 1.0),
        ("+5", 5.0),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30.0),
        ("Mon Nov 23 12:00:30 2026", 30.0),
        ("Mon, 23 Nov 2026 11:59:00 GMT", 1.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        (None, None),
        ("", None),
        (",", None),
        ("30,", None),
        ("soon", None),
        ("1e5", None),
        ("nan", None),
        ("inf", None),
        ("\u0663", None),
        ("30, Mon, 23 Nov 2026 12:00:30 GMT", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_each_form_of_retry_after_gives_its_wait(text: str | None, wait_s: float | None) -> None:
    """Seconds, decimals, lists and the three HTTP dates are read, bounded below and above; anything else is None."""
    assert parse_retry_after(text, NOON) == wait_s


def test_a_retry_after_date_is_counted_from_now_in_any_zone() -> None:
    """`now` may stand in another zone than UTC."""
    now = NOON.astimezone(timezone(timedelta(hours=-8)))

    assert parse_retry_after("Mon, 23 Nov 2026 12:01:00 GMT", now) == 60.0


def test_a_retry_after_date_without_a_now_is_not_understood() -> None:
    """A date says nothing when there is no instant to count from; seconds still do."""
    assert (parse_retry_after("Mon, 23 Nov 2026 12:01:00 GMT", None), parse_retry_after("7", None)) == (None, 7.0)


@given(st.text() | st.from_regex(r"[A-Za-z]{3}, [0-9]{1,3} [A-Za-z]{3} [0-9]{1,6} [0-9:+-]{0,20}( [A-Z0-9+-]{1,6})?"))
def test_parse_retry_after_never_raises_and_stays_in_its_bounds(text: str) -> None:
    """Whatever the header holds, the wait is None or between 1 s and an hour."""
    wait_s = parse_retry_after(text, NOON)

    assert wait_s is None or 1.0 <= wait_s <= 3600.0


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        (graph_error("BadRequest", "Invalid value."), "application/json", ("BadRequest", "Invalid value.")),
        (graph_error("", "Only a message."), None, ("", "Only a message.")),
        (graph_error("UnknownError", ""), "application/json", ("UnknownError", "")),
        (graph_error("BadRequest", INTUNE_TEXT), "application/json", ("BadRequest", INTUNE_MESSAGE)),
        (
            graph_error("BadRequest", json.dumps({"Message": INTUNE_TEXT})),
            "application/json",
            ("BadRequest", INTUNE_MESSAGE),
        ),
        (graph_error("BadRequest", '{"no": "message"}'), "application/json", ("BadRequest", '{"no": "message"}')),
        (b'{"Message": "Old Intune."}', "application/json", ("", "Old Intune.")),
        (json.dumps('{"Message": "A string."}').encode(), "application/json", ("", "A string.")),
        (
            b'{"error": "invalid_request", "error_description": "AADSTS900144"}',
            "application/json",
            ("invalid_request", "AADSTS900144"),
        ),
        (b'\xef\xbb\xbf{"error": {"code": "A", "message": "B"}}', None, ("A", "B")),
        (b'{"error": {"code": null, "message": ["x"]}}', None, ("", '{"error": {"code": null, "message": ["x"]}}')),
        (b'{"other": 1}', "application/json", ("", '{"other": 1}')),
        (b"[1, 2]", "application/json", ("", "[1, 2]")),
        (b"", "application/json", ("", "")),
        (b"", None, ("", "")),
        (b"Bad Gateway\r\n  upstream", "text/plain", ("", "Bad Gateway upstream")),
        (
            b"<!DOCTYPE html>\n<html><head><title lang='en'>502 &amp; no\n more</title></head><body>x</body></html>",
            "text/plain",
            ("", "502 & no more"),
        ),
        (b"<h1>x</h1><TITLE>Down</TITLE>", "text/html; charset=utf-8", ("", "Down")),
        (b"<html><body>no title</body></html>", "text/html", ("", "")),
        (b"caf\xe9 \xff", None, ("", "caf\ufffd \ufffd")),
        (b'{"error": {"code": "A\\u0000B", "message": "x\\u202ey\\u001b[31m\\nz"}}', None, ("A B", "x y [31m z")),
        (b'{"error": {"code": "A", "message": "\\ud800"}}', None, ("A", "")),
        (graph_error("c" * 200, "m" * 500), None, ("c" * 97 + "...", "m" * 297 + "...")),
        (graph_error("c" * 100, "m" * 300), None, ("c" * 100, "m" * 300)),
        (b"[" * 200_000, "application/json", ("", "[" * 297 + "...")),
        (b'{"error":' * 100_000, "application/json", ("", ('{"error":' * 33 + "...")[:297] + "...")),
        (b"<html>" + b"<title" * 100_000, "text/html", ("", "")),
        (b"9" * 5_000, "application/json", ("", "9" * 297 + "...")),
        (b"x" * 3_000_000, None, ("", "x" * 297 + "...")),
    ],
)
def test_each_shape_of_error_body_gives_code_and_message(
    content: bytes, content_type: str | None, expected: tuple[str, str]
) -> None:
    """Graph's, Intune's nested, empty, HTML and plain bodies are read; hostile ones are cut to printable text."""
    assert read_error(content, content_type) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.sampled_from(["error", "code", "message", "Message"]), each),
)


@given(st.binary() | json_values.map(lambda each: json.dumps(each).encode()), st.none() | st.text())
def test_read_error_never_raises_and_gives_short_printable_lines(content: bytes, content_type: str | None) -> None:
    """Whatever the body is, code and message are printable and short."""
    code, message = read_error(content, content_type)

    assert (code.isprintable(), message.isprintable()) == (True, True)
    assert (len(code) <= 100, len(message) <= 300) == (True, True)


@given(st.integers(100, 999), st.dictionaries(st.text(), st.text()), st.binary())
def test_judge_never_raises_and_never_calls_rubbish_created(
    status: int, headers: dict[str, str], content: bytes
) -> None:
    """Whatever comes back is judged, and nothing but a 201 with an id is `created`."""
    answered = judge(status, headers, content)

    assert (answered.verdict is Verdict.CREATED) == (answered.answer.object_id != "")


def test_a_201_with_an_id_is_created() -> None:
    """The object's id comes from the body, the service's request-id from the header, in any letter case."""
    answered = judge(201, {"Request-ID": GUID, "Retry-After": "5"}, b'{"@odata.type": "#x", "id": "d99bc884"}')

    assert answered == Answered(
        Verdict.CREATED, Answer(http_status=201, object_id="d99bc884", request_id=GUID), retry_after_s=None
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"id": ""}',
        b'{"id": "  "}',
        b'{"id": null}',
        b'{"id": 7}',
        b'{"id": ["7"]}',
        b'{"id": "\\ud800"}',
        b'{"id": "a\\nb"}',
        b'{"id": "."}',
        b'{"id": "a/../b"}',
        b'{"id": "%2e%2E"}',
        b'["id"]',
        b'"id"',
        b'{"id": "d99b',
        b'{"ID": "d99b"}',
        b"<html>",
        b"[" * 200_000,
    ],
)
def test_a_201_without_a_usable_id_is_unknown(content: bytes) -> None:
    """Something may have been created, but nothing says what."""
    assert judge(201, {}, content) == Answered(
        Verdict.UNKNOWN, Answer(http_status=201, message="the service answered 201 without the id of the new object")
    )


@pytest.mark.parametrize("status", [200, 202, 204, 206])
def test_another_2xx_is_unknown_even_with_an_id(status: int) -> None:
    """Only 201 is Graph's promise that the object was created."""
    assert judge(status, {}, b'{"id": "d99b"}') == Answered(
        Verdict.UNKNOWN, Answer(http_status=status, message=f"the service answered {status} where 201 was due")
    )


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.REJECTED),
        (401, Verdict.REFRESH_TOKEN),
        (403, Verdict.STOP_TENANT),
        (404, Verdict.STOP_COLLECTION),
        (405, Verdict.STOP_ROUTE),
        (406, Verdict.STOP_ROUTE),
        (407, Verdict.UNKNOWN),
        (408, Verdict.UNKNOWN),
        (409, Verdict.UNKNOWN),
        (410, Verdict.UNKNOWN),
        (412, Verdict.UNKNOWN),
        (413, Verdict.REJECTED),
        (415, Verdict.STOP_ROUTE),
        (418, Verdict.UNKNOWN),
        (422, Verdict.REJECTED),
        (423, Verdict.UNKNOWN),
        (424, Verdict.UNKNOWN),
        (429, Verdict.SEND_AGAIN),
        (500, Verdict.UNKNOWN),
        (501, Verdict.STOP_ROUTE),
        (502, Verdict.UNKNOWN),
        (503, Verdict.UNKNOWN),
        (504, Verdict.UNKNOWN),
        (507, Verdict.UNKNOWN),
        (509, Verdict.UNKNOWN),
        (600, Verdict.UNKNOWN),
    ],
)
def test_each_status_has_the_verdict_of_the_design(status: int, verdict: Verdict) -> None:
    """Only what is certainly not applied is sent again, rejected or stops; all else is unknown."""
    headers = {"request-id": GUID, "content-type": "application/json"}

    assert judge(status, headers, graph_error("Some", "Words.")) == Answered(
        verdict, Answer(http_status=status, graph_code="Some", message="Words.", request_id=GUID)
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("No method match route template", ""),
        ("BadRequest", "No OData route exists that match template ~/singleton/navigation/key with http verb POST"),
        ("BadRequest", "x" * 400 + " no odata route exists"),
        (
            "BadRequest",
            json.dumps({"Message": json.dumps({"Message": "No OData route exists that match template ~/singleton"})}),
        ),
    ],
)
def test_a_400_for_a_create_that_is_not_implemented_stops_the_route(code: str, message: str) -> None:
    """Intune's words for a missing implementation are no judgement on the row, wherever in the error they stand."""
    assert judge(400, {}, graph_error(code, message)).verdict is Verdict.STOP_ROUTE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_unknown_and_said_in_plain_words(status: int) -> None:
    """Redirects are not followed, and nothing says what the service did before it redirected."""
    assert judge(status, {"location": "https://elsewhere.example.com/"}, b"") == Answered(
        Verdict.UNKNOWN,
        Answer(http_status=status, message=f"the service answered {status}, a redirect, which is not followed"),
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [(504, "HTTP 504 Gateway Timeout without a message"), (599, "HTTP 599 without a message")],
)
def test_an_error_without_a_body_is_named_by_its_status(status: int, message: str) -> None:
    """The report never shows an empty message for a failure."""
    assert judge(status, {}, b"") == Answered(Verdict.UNKNOWN, Answer(http_status=status, message=message))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"Retry-After": "30,120"}, 120.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:20 GMT", "date": "Mon, 23 Nov 2026 12:00:00 GMT"}, 20.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:20 GMT"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:20 GMT", "date": "yesterday"}, None),
    ],
)
def test_a_429_carries_its_wait_counted_from_the_answers_own_date(
    headers: dict[str, str], wait_s: float | None
) -> None:
    """A Retry-After date is counted from the service's clock, not from ours."""
    assert judge(429, headers, b"").retry_after_s == wait_s


@pytest.mark.parametrize(
    ("headers", "content", "request_id"),
    [
        ({"request-id": "abc-1"}, graph_error("A", "B", **{"request-id": GUID}), "abc-1"),
        ({}, graph_error("A", "B", **{"client-request-id": "f" * 36, "request-id": GUID}), GUID),
        ({}, graph_error("A", "B", **{"client-request-id": GUID}), ""),
        ({}, graph_error("A", INTUNE_TEXT), GUID),
        ({}, graph_error("A", json.dumps({"x": json.dumps({"request-id": GUID})})), GUID),
        ({"request-id": "not an id\u00e9"}, b"", ""),
        ({"request-id": "a" * 65}, b"", ""),
    ],
)
def test_the_services_request_id_is_kept_wherever_it_stands(
    headers: dict[str, str], content: bytes, request_id: str
) -> None:
    """The header, else innerError's member, else Intune's Activity ID; never our own client-request-id."""
    assert judge(500, headers, content).answer.request_id == request_id


# --- updates and deletes ---


@pytest.mark.parametrize("content", [b"", b"{}", b'{"id": "d99b"}', b"<html>", b"[" * 200_000])
@pytest.mark.parametrize("status", [200, 204])
def test_a_whole_200_or_204_to_an_update_or_a_delete_is_done_whatever_its_body_says(
    status: int, content: bytes
) -> None:
    """Nothing in the body is needed; the object's id is known."""
    headers = {"request-id": GUID}

    assert [judge(status, headers, content, each) for each in (Operation.UPDATE, Operation.DELETE)] == [
        Answered(Verdict.UPDATED, Answer(http_status=status, request_id=GUID)),
        Answered(Verdict.REVERSED, Answer(http_status=status, request_id=GUID)),
    ]


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
@pytest.mark.parametrize("status", [201, 202, 203, 206, 207])
def test_another_2xx_to_an_update_or_a_delete_is_unknown(operation: Operation, status: int) -> None:
    """A 202 promises something for later, and nobody says when."""
    assert judge(status, {}, b'{"id": "d99b"}', operation) == Answered(
        Verdict.UNKNOWN, Answer(http_status=status, message=f"the service answered {status} where 200 or 204 was due")
    )


@pytest.mark.parametrize("status", [404, 410])
def test_a_delete_of_what_is_not_there_is_done_and_says_so(status: int) -> None:
    """What the user wanted is the case; the report tells that somebody else did it."""
    assert judge(status, {}, graph_error("NotFound", "No such thing."), Operation.DELETE) == Answered(
        Verdict.REVERSED,
        Answer(http_status=status, graph_code="NotFound", message="the object was gone already: No such thing."),
    )


def test_a_delete_of_what_is_not_there_keeps_its_message_short() -> None:
    """The words before the service's own count too."""
    message = judge(404, {}, graph_error("", "x" * 400), Operation.DELETE).answer.message

    assert (len(message), message[:31], message[-4:]) == (300, "the object was gone already: xx", "x...")


def test_an_update_of_what_is_not_there_is_missing() -> None:
    """It is never POSTed instead; the service's words are kept."""
    assert judge(404, {}, graph_error("NotFound", "No such thing."), Operation.UPDATE) == Answered(
        Verdict.MISSING, Answer(http_status=404, graph_code="NotFound", message="No such thing.")
    )


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (301, Verdict.UNKNOWN),
        (400, Verdict.REJECTED),
        (401, Verdict.REFRESH_TOKEN),
        (403, Verdict.STOP_TENANT),
        (405, Verdict.STOP_ROUTE),
        (406, Verdict.STOP_ROUTE),
        (408, Verdict.UNKNOWN),
        (409, Verdict.UNKNOWN),
        (412, Verdict.UNKNOWN),
        (413, Verdict.REJECTED),
        (415, Verdict.STOP_ROUTE),
        (422, Verdict.REJECTED),
        (423, Verdict.UNKNOWN),
        (429, Verdict.SEND_AGAIN),
        (500, Verdict.UNKNOWN),
        (501, Verdict.STOP_ROUTE),
        (502, Verdict.UNKNOWN),
        (503, Verdict.UNKNOWN),
        (504, Verdict.UNKNOWN),
        (509, Verdict.UNKNOWN),
    ],
)
def test_each_other_status_means_the_same_for_updates_and_deletes_as_for_creates(
    operation: Operation, status: int, verdict: Verdict
) -> None:
    """The tables differ only where the object itself is spoken of."""
    error = graph_error("Some", "Words.")

    assert judge(status, {}, error, operation) == judge(status, {}, error)
    assert judge(status, {}, error, operation).verdict is verdict


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("status", [400, 404])
def test_an_operation_that_is_not_implemented_stops_the_route(operation: Operation, status: int) -> None:
    """Intune says so in the same words for each; with a 404 it does not mean that the object is gone."""
    error = graph_error("BadRequest", "No OData route exists that match template ~/singleton with http verb DELETE")

    assert judge(status, {}, error, operation).verdict is Verdict.STOP_ROUTE


@given(st.integers(100, 999), st.binary(), st.sampled_from([Operation.UPDATE, Operation.DELETE]))
def test_judge_calls_an_update_or_delete_done_only_for_its_few_statuses(
    status: int, content: bytes, operation: Operation
) -> None:
    """Whatever the body holds, the status decides."""
    done = {
        Operation.UPDATE: {200: Verdict.UPDATED, 204: Verdict.UPDATED},
        Operation.DELETE: dict.fromkeys((200, 204, 404, 410), Verdict.REVERSED),
    }[operation]

    verdict = judge(status, {}, content, operation).verdict

    assert (verdict in {Verdict.UPDATED, Verdict.REVERSED}, verdict is Verdict.CREATED) == (status in done, False)
    assert done.get(status, verdict) is verdict


@given(st.text())
def test_an_object_path_is_one_segment_below_its_collection_or_is_refused(object_id: str) -> None:
    """No id adds a segment, a query or a fragment, however often the path is decoded."""
    try:
        path = object_path("deviceManagement/states", object_id)
    except ValueError:
        return

    collection, _, segment = path.rpartition("/")
    assert (collection, segment.isascii()) == ("deviceManagement/states", True)
    assert set(segment) & set("?#\\@:;&= ") == set()
    assert segment not in {"", ".", ".."}


@pytest.mark.parametrize(
    "object_id",
    [
        "",
        "  ",
        ".",
        "..",
        " .. ",
        "../x",
        "x/..",
        "x/./y",
        "..\\x",
        "%2e%2e",
        "%252E.",
        "%25252e%25252E%25252fx",
        "x%2F..%2Fy",
        "x%5c..",
        "a\nb",
        "a\x00",
        "\ud800",
        "\u202e",
        "x" * 513,
        "%25" * 10_000_000,
    ],
    ids=lambda object_id: ascii(object_id[:30]),
)
def test_an_id_that_could_lead_elsewhere_has_no_path(object_id: str) -> None:
    """Some servers resolve ".." even where it is encoded: a DELETE would go to the parent."""
    with pytest.raises(ValueError, match="cannot stand in a URL"):
        object_path("deviceManagement/states", object_id)


def test_a_collection_with_a_slash_at_its_end_gives_no_empty_segment() -> None:
    """`routes:` may end a path with a slash."""
    assert object_path("deviceManagement/states/", "d99b") == "deviceManagement/states/d99b"


def test_client_request_ids_are_random_uuids_and_no_two_alike() -> None:
    """As RFC 9562 has version 4: also where more are asked for than are drawn at a time."""
    ids = [each for count in (1, 20, 1_000) for each in new_ids(count)]

    assert len(set(ids)) == len(ids) == 1_021
    assert [str(UUID(each)) for each in ids] == ids
    assert {(UUID(each).version, UUID(each).variant) for each in ids} == {(4, RFC_4122)}
