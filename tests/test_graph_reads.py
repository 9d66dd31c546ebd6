"""`sweep`, `read_object` and `probe` against real sockets: what is repeated, what is refused, where the token goes."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pytest
from socket_cases import (
    COLLECTION,
    QUICK,
    TOKEN,
    TOKEN_2,
    ScriptedServer,
    Seen,
    Step,
    answer,
    close_after,
    message,
    reset,
    reset_after,
    serve,
    silent_after,
    unused_port,
)

from pipeline.errors import ConfigError, PreflightError
from pipeline.graph import Access, ReadFailedError, Timeouts, object_path, open_client, probe, read_object, sweep
from pipeline.model import Answer, Verdict

OBJECT = object_path(COLLECTION, "d99bc884")
OF_LIST = f"the list of {COLLECTION} could not be read to its end: "
OF_OBJECT = f"the object {OBJECT} could not be read: "
SHORT = Timeouts(connect_s=5.0, read_s=0.05)
CHUNKED = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"

Entities = Sequence[Mapping[str, object]]


class Reader:
    """The callables of `Access`. `calls` is the order in which they came."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.bearer = TOKEN
        self.calls: list[str] = []
        self.pauses: list[float] = []
        self.slots = 0
        self.stop_after = stop_after  # slots, after which the caller is ending

    @property
    def access(self) -> Access:
        """What `sweep` is given."""
        return Access(self.token, self.refresh, self.slot, self.pause, self.stop)

    async def token(self) -> str:
        """Give the token of the moment."""
        return self.bearer

    async def refresh(self, refused: str) -> str:
        """Replace the refused token."""
        assert refused == self.bearer
        self.calls.append("refresh")
        self.bearer = TOKEN_2
        return self.bearer

    async def slot(self) -> None:
        """Count the GET."""
        self.calls.append("slot")
        self.slots += 1

    async def pause(self, wait_s: float) -> None:
        """Note the wait instead of waiting."""
        self.calls.append("pause")
        self.pauses.append(wait_s)

    def stop(self) -> bool:
        """Tell whether the caller is ending."""
        return self.stop_after is not None and self.slots >= self.stop_after


class Swept(NamedTuple):
    """How a sweep ended."""

    ids: list[list[object]]  # of each page
    failed: ReadFailedError | None
    seen: list[Seen]

    @property
    def why(self) -> str:
        """The sentence of the failure."""
        return str(self.failed)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the failure."""
        return self.failed.verdict if self.failed else None


def page(*ids: str, link: object = None) -> bytes:
    body: dict[str, object] = {"@odata.context": "x", "value": [{"id": each} for each in ids]}
    return json.dumps(body if link is None else {**body, "@odata.nextLink": link}).encode()


def linking(make: Callable[[str], object], *ids: str) -> Step:
    """Answer with a page whose link is made of the collection's URL, as the server's Host header names it."""

    async def step(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("sockname")[:2]
        await answer(200, page(*ids, link=make(f"http://{host}:{port}/beta/{COLLECTION}")))(reader, writer)

    return step


def to_page(token: str, *ids: str) -> Step:
    return linking(lambda url: f"{url}?$skiptoken={token}", *ids)


LAST = answer(200, page("z"))


async def sweep_client(server: ScriptedServer, reader: Reader, timeouts: Timeouts = QUICK, **limits: int) -> Swept:
    swept = Swept([], None, server.seen)
    async with open_client(server.root, connections=1, timeouts=timeouts) as client:
        try:
            async for entities in sweep(client, COLLECTION, access=reader.access, **limits):
                swept.ids.append([each["id"] for each in entities])
        except ReadFailedError as failed:
            return swept._replace(failed=failed)
    return swept


def run_sweep(*steps: Step, reader: Reader | None = None, timeouts: Timeouts = QUICK, **limits: int) -> Swept:
    """Sweep the collection at a server with this script."""

    async def story() -> Swept:
        async with serve(*steps) as server:
            return await sweep_client(server, reader or Reader(), timeouts, **limits)

    return asyncio.run(story())


def run_read(
    *steps: Step, reader: Reader | None = None, path: str = OBJECT
) -> tuple[Mapping[str, object] | None, list[Seen]]:
    """Read one object at a server with this script."""

    async def story() -> tuple[Mapping[str, object] | None, list[Seen]]:
        async with serve(*steps) as server, open_client(server.root, connections=1, timeouts=QUICK) as client:
            return await read_object(client, path, access=(reader or Reader()).access), server.seen

    return asyncio.run(story())


# --- what one read looks like ---


def test_a_page_is_asked_for_with_exactly_these_headers_and_no_query() -> None:
    """Neither filter nor selection nor page size: Intune ignores them at times."""
    swept = run_sweep(answer(200, page("a", "b")))

    [seen] = swept.seen
    assert (swept.ids, swept.failed) == ([["a", "b"]], None)
    assert (seen.line, seen.body) == (f"GET /beta/{COLLECTION} HTTP/1.1", b"")
    assert {name: value for name, value in seen.headers.items() if name not in {"host", "client-request-id"}} == {
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "accept-encoding": seen.headers["accept-encoding"],
        "prefer": "include-unknown-enum-members",
        "user-agent": "certstate",
    }


def test_a_sweep_gives_the_whole_entities_of_each_page_in_order() -> None:
    """Values stay what JSON says; an empty page in the middle does not end the list."""
    entity = {"id": "a", "keyLength": 2048, "name": "M\u00fcnchen", "none": None, "list": [1, {"x": True}]}
    first = {"value": [entity], "@odata.nextLink": "?"}

    async def story() -> list[Entities]:
        async with (
            serve(
                linking(lambda url: f"{url}?$skiptoken=1", "first"),
                linking(lambda url: f"{url}?$skiptoken=2"),
                answer(200, json.dumps({**first, "@odata.nextLink": None}).encode()),
            ) as server,
            open_client(server.root, connections=1) as client,
        ):
            return [entities async for entities in sweep(client, COLLECTION, access=Reader().access)]

    assert asyncio.run(story()) == [[{"id": "first"}], [], [entity]]


def test_every_get_takes_a_slot_and_has_its_own_id() -> None:
    """The read quota counts each page; Microsoft's support finds each request by its id."""
    reader = Reader()

    swept = run_sweep(to_page("1", "a"), answer(503), to_page("2", "b"), LAST, reader=reader)

    assert (swept.ids, swept.failed) == ([["a"], ["b"], ["z"]], None)
    assert reader.calls == ["slot", "slot", "pause", "slot", "slot"]
    assert len({seen.headers["client-request-id"] for seen in swept.seen}) == 4
    assert [seen.line.split(" ")[1] for seen in swept.seen] == [
        f"/beta/{COLLECTION}",
        f"/beta/{COLLECTION}?$skiptoken=1",
        f"/beta/{COLLECTION}?$skiptoken=1",
        f"/beta/{COLLECTION}?$skiptoken=2",
    ]


@pytest.mark.parametrize("content", [b'{"id":"d99bc884","x":1}', b'{"value":{"id":"d99bc884","x":1}}'])
def test_an_object_is_read_by_its_path(content: bytes) -> None:
    """Intune's reference shows the object in `value`, where the service itself does not put it."""
    got, [seen] = run_read(answer(200, content))

    assert got == {"id": "d99bc884", "x": 1}
    assert (seen.line, seen.headers["prefer"]) == (f"GET /beta/{OBJECT} HTTP/1.1", "include-unknown-enum-members")


@pytest.mark.parametrize("object_id", ["a/b?c#d%e", "M\u00fcnchen", "a=+;:@&$,!'()*", "%2F"])
def test_an_objects_path_leaves_as_it_is_encoded(object_id: str) -> None:
    """What the client decodes and encodes anew may be another object."""
    path = object_path(COLLECTION, object_id)

    _, [seen] = run_read(answer(200, b'{"id":"x"}'), path=path)

    assert seen.line == f"GET /beta/{path} HTTP/1.1"


@pytest.mark.parametrize("status", [404, 410])
def test_an_object_that_is_not_there_is_none(status: int) -> None:
    """Not there is an answer, given once."""
    got, seen = run_read(answer(status, b'{"error":{"code":"NotFound","message":"x"}}'))

    assert (got, len(seen)) == (None, 1)


@pytest.mark.parametrize("path", ["users/x", COLLECTION + "/..", COLLECTION + "/a%2f", COLLECTION + "/", "//h/x", ""])
def test_a_path_that_is_no_objects_is_refused_by_read_object(path: str) -> None:
    """Nobody is asked for a token."""
    reader = Reader()

    with pytest.raises(ConfigError, match="is no object below"):
        run_read(LAST, path=path, reader=reader)

    assert reader.calls == []


@pytest.mark.parametrize("collection", ["users/x", "deviceManagement/../x", "deviceManagement/%41", "https://h/x", ""])
def test_a_path_that_is_no_collection_is_refused_by_sweep_and_probe(collection: str) -> None:
    """Nobody is asked for a token."""

    async def story() -> int:
        async with serve(LAST) as server, open_client(server.root, connections=1) as client:
            with pytest.raises(ConfigError, match="is no collection below"):
                await anext(sweep(client, collection, access=reader.access))
            with pytest.raises(ConfigError, match="is no collection below"):
                await probe(client, collection, access=reader.access)
            return len(server.seen)

    reader = Reader()

    assert (asyncio.run(story()), reader.calls) == (0, [])


# --- what is repeated ---

BROKEN = {
    "close": close_after(b""),
    "reset": reset_after(b""),
    "half status line": close_after(b"HTTP/1.1 20"),
    "half header": close_after(message(200, page("a"))[:30]),
    "half body": close_after(message(200, page("a"))[:-5]),
    "half body, reset": reset_after(message(200, page("a"))[:-5]),
    "half chunk": close_after(CHUNKED + b'40\r\n{"value":'),
    "no chunk": close_after(CHUNKED + b"zz\r\n"),
    "garbage": close_after(b"\x00\xff\x01\r\n\r\n"),
    "reason not UTF-8": close_after(b"HTTP/1.1 200 \xff\r\n\r\n"),
    "gzip that is none": answer(200, page("a"), b"Content-Encoding: gzip"),
    "half JSON": answer(200, page("a")[:-5]),
    "no JSON": answer(200, b"<html>"),
    "deep JSON": answer(200, b"[" * 200_000),
    "empty": answer(200),
    "another object": answer(200, b'{"id":"x"}'),
    "value is none": answer(200, b'{"value":null}'),
    "value is an object": answer(200, b'{"value":{}}'),
    "a list": answer(200, b"[]"),
    **{f"HTTP {status}": answer(status) for status in (202, 204, 206, 408, 409, 423, 424, 425, 429)},
    **{f"HTTP {status}": answer(status) for status in (500, 502, 503, 504, 507, 509, 599)},
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_page_that_did_not_come_is_asked_for_again(case: str) -> None:
    """A GET changes nothing; each repetition takes a slot, and nothing is repeated in secret."""
    reader = Reader()

    swept = run_sweep(to_page("1", "a"), BROKEN[case], LAST, reader=reader)

    assert (swept.ids, swept.failed, len(swept.seen)) == ([["a"], ["z"]], None, 3)
    assert reader.calls == ["slot", "slot", "pause", "slot"]
    assert 1.0 <= reader.pauses[0] <= 2.0


@pytest.mark.parametrize("case", ["close", "reset", "half body", "half JSON", "HTTP 429", "HTTP 503"])
def test_a_page_that_never_comes_is_asked_for_six_times_in_all(case: str) -> None:
    """The sweep is incomplete, and the pages before it stay read."""
    reader = Reader()

    swept = run_sweep(to_page("1", "a"), BROKEN[case], reader=reader)

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([["a"]], Verdict.UNKNOWN, 7)
    assert (reader.slots, len(reader.pauses)) == (7, 5)
    bounds = [(1, 2), (2, 3), (4, 5), (8, 9), (16, 17)]
    assert [low <= wait_s <= high for wait_s, (low, high) in zip(reader.pauses, bounds, strict=True)] == [True] * 5
    assert swept.why.startswith(OF_LIST)
    assert swept.why.endswith(", the last of 6 attempts")


@pytest.mark.parametrize(
    "step", [silent_after(b""), silent_after(message(200, page("a"))[:-5])], ids=["no answer", "half a body"]
)
def test_a_page_that_takes_too_long_is_asked_for_again(step: Step) -> None:
    """The time-out is that of writes, and the attempts are counted like all others."""
    reader = Reader()

    swept = run_sweep(step, reader=reader, timeouts=SHORT)

    assert (swept.ids, swept.verdict, reader.slots, len(reader.pauses)) == ([], Verdict.UNKNOWN, 6, 5)


def test_a_service_that_cannot_be_reached_was_never_asked() -> None:
    """SEND_AGAIN as the verdict means: nothing left."""

    async def story() -> ReadFailedError:
        async with open_client(f"http://127.0.0.1:{port}/beta", connections=1) as client:
            with pytest.raises(ReadFailedError) as caught:
                await read_object(client, OBJECT, access=reader.access)
            return caught.value

    reader, port = Reader(), unused_port()

    failed = asyncio.run(story())

    why = f"no connection to 127.0.0.1:{port} came to be: connection refused; nothing was sent"
    assert (str(failed), failed.verdict) == (f"{OF_OBJECT}{why}, the last of 6 attempts", Verdict.SEND_AGAIN)
    assert (failed.answer.message, failed.answer.http_status, reader.slots) == (why, None, 6)


def test_a_service_that_comes_back_is_read_on() -> None:
    """A refused connection is repeated like a lost answer."""

    class Waiting(Reader):
        async def pause(self, wait_s: float) -> None:
            await super().pause(wait_s)
            refused.set()
            await listening.wait()

    async def story() -> Mapping[str, object] | None:
        port = unused_port()
        async with open_client(f"http://127.0.0.1:{port}/beta", connections=1) as client:
            read = asyncio.create_task(read_object(client, OBJECT, access=reader.access))
            await refused.wait()
            async with serve(answer(200, b'{"id":"x"}'), port=port):
                listening.set()
                got = await read
                await client.aclose()
                return got

    refused, listening, reader = asyncio.Event(), asyncio.Event(), Waiting()

    assert (asyncio.run(story()), reader.calls) == ({"id": "x"}, ["slot", "pause", "slot"])


def test_a_429_in_mid_sweep_waits_as_long_as_it_asks_in_each_form() -> None:
    """Seconds, decimals, lists, a date, zero; a 503 may say it too."""
    reader = Reader()
    date = b"Date: Mon, 23 Nov 2026 12:00:00 GMT"

    swept = run_sweep(
        to_page("1", "a"),
        answer(429, b"", b"Retry-After: 10"),
        answer(429, b"", b"Retry-After: 2.128"),
        answer(429, b"", b"Retry-After: 30,120"),
        answer(429, b"", b"Retry-After: Mon, 23 Nov 2026 12:00:07 GMT", date),
        answer(503, b"", b"Retry-After: 0"),
        LAST,
        reader=reader,
    )

    assert (swept.ids, swept.failed) == ([["a"], ["z"]], None)
    assert reader.pauses == [10.0, 2.128, 120.0, 7.0, 1.0]


def test_each_page_has_attempts_of_its_own() -> None:
    """A long list through a shaky line ends, as long as each page comes in the end."""
    flaky = [answer(503)] * 5

    swept = run_sweep(*flaky, to_page("1", "a"), *flaky, to_page("2", "b"), *flaky, LAST)

    assert (swept.ids, swept.failed, len(swept.seen)) == ([["a"], ["b"], ["z"]], None, 18)


# --- 401 ---


def test_a_401_in_mid_sweep_is_repeated_at_once_with_a_refreshed_token() -> None:
    """A long sweep outlives its token; the pages after it use the new one."""
    reader = Reader()

    swept = run_sweep(to_page("1", "a"), answer(401), to_page("2", "b"), LAST, reader=reader)

    assert (swept.ids, swept.failed) == ([["a"], ["b"], ["z"]], None)
    assert reader.calls == ["slot", "slot", "refresh", "slot", "slot"]
    assert [seen.headers["authorization"] for seen in swept.seen] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN_2}",
        f"Bearer {TOKEN_2}",
    ]


def test_a_refreshed_token_that_is_refused_too_ends_the_sweep() -> None:
    """There is one refresh, and the verdict says what is wrong."""
    reader = Reader()
    refused = answer(401, b'{"error":{"code":"InvalidAuthenticationToken","message":"Expired."}}')

    swept = run_sweep(to_page("1", "a"), refused, reader=reader)

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([["a"]], Verdict.REFRESH_TOKEN, 3)
    assert reader.calls == ["slot", "slot", "refresh", "slot"]
    assert swept.why == f"{OF_LIST}HTTP 401 Unauthorized InvalidAuthenticationToken: Expired."


def test_no_seventh_attempt_is_made_for_a_401() -> None:
    """The limit holds for all kinds of repetition together."""
    reader = Reader()

    swept = run_sweep(*[answer(503)] * 5, answer(401), LAST, reader=reader)

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([], Verdict.UNKNOWN, 6)
    assert "refresh" not in reader.calls


def test_what_the_callers_token_raises_comes_through() -> None:
    """A bare token cannot be refreshed: the caller says so in its own words."""

    class BareToken(Reader):
        async def refresh(self, refused: str) -> str:
            await super().refresh(refused)
            raise PreflightError("the token in GRAPH_TOKEN was refused")

    with pytest.raises(PreflightError, match=r"^the token in GRAPH_TOKEN was refused$"):
        run_sweep(answer(401), reader=BareToken())


def test_a_token_that_cannot_be_one_is_refused_without_a_request() -> None:
    """The message names no part of it."""
    reader = Reader()
    reader.bearer = "two words"

    with pytest.raises(PreflightError, match=r"^the access token is empty or holds blanks"):
        run_sweep(LAST, reader=reader)


# --- what is not repeated ---

NO_ROUTE = b'{"error":{"code":"BadRequest","message":"No OData route exists that match template ~/x"}}'
FINAL = [
    (300, b"", Verdict.UNKNOWN),
    (304, b"", Verdict.UNKNOWN),
    (400, b"", Verdict.UNKNOWN),
    (400, NO_ROUTE, Verdict.STOP_ROUTE),
    (403, b"", Verdict.STOP_TENANT),
    (404, NO_ROUTE, Verdict.STOP_ROUTE),
    (405, b"", Verdict.STOP_ROUTE),
    (406, b"", Verdict.STOP_ROUTE),
    (407, b"", Verdict.UNKNOWN),
    (412, b"", Verdict.UNKNOWN),
    (413, b"", Verdict.UNKNOWN),
    (414, b"", Verdict.UNKNOWN),
    (415, b"", Verdict.STOP_ROUTE),
    (422, b"", Verdict.UNKNOWN),
    (501, b"", Verdict.STOP_ROUTE),
]


@pytest.mark.parametrize(("status", "content", "verdict"), [*FINAL, (404, b"", Verdict.STOP_COLLECTION)])
def test_an_answer_that_would_be_the_same_again_ends_the_sweep_at_once(
    status: int, content: bytes, verdict: Verdict
) -> None:
    """Each has the verdict that a write would have, where it is about more than this read."""
    swept = run_sweep(answer(status, content, b"Retry-After: 1"), LAST)

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([], verdict, 1)
    assert swept.failed is not None
    assert swept.failed.answer.http_status == status
    assert swept.why.startswith(OF_LIST)
    assert str(status) in swept.why


@pytest.mark.parametrize(("status", "content", "verdict"), FINAL)
def test_an_answer_that_would_be_the_same_again_ends_the_reading_of_an_object(
    status: int, content: bytes, verdict: Verdict
) -> None:
    """None means "not there", and these do not say that."""
    with pytest.raises(ReadFailedError) as caught:
        run_read(answer(status, content), answer(200, b'{"id":"x"}'))

    assert (caught.value.verdict, caught.value.answer.http_status) == (verdict, status)
    assert str(caught.value).startswith(OF_OBJECT)


@pytest.mark.parametrize("status", [404, 410])
def test_a_link_that_ran_out_does_not_condemn_the_collection(status: int) -> None:
    """Its first page was there a moment ago."""
    swept = run_sweep(to_page("1", "a"), answer(status))

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([["a"]], Verdict.UNKNOWN, 2)


def test_the_failure_keeps_the_last_answer_with_its_ids() -> None:
    """Report and support need status, code, words and both ids."""
    error = b'{"error":{"code":"Forbidden","message":"No permission."}}'

    swept = run_sweep(answer(403, error, b"request-id: abc-1"))

    assert swept.failed is not None
    assert swept.failed.answer == Answer(
        403, "", "Forbidden", "No permission.", "abc-1", swept.seen[0].headers["client-request-id"]
    )
    assert swept.why == f"{OF_LIST}HTTP 403 Forbidden Forbidden: No permission."


@pytest.mark.parametrize(
    "entity",
    [
        {},
        {"id": ""},
        {"id": " "},
        {"id": None},
        {"id": 7},
        {"id": ["x"]},
        {"id": "a\nb"},
        {"id": "\ud800"},
        {"id": ".."},
        {"ID": "x"},
        "x",
        None,
        ["id"],
    ],
)
def test_an_entity_without_a_usable_id_makes_the_sweep_incomplete(entity: object) -> None:
    """It may be the very object that is looked for; its page is not given out."""
    swept = run_sweep(to_page("1", "a"), answer(200, json.dumps({"value": [{"id": "b"}, entity]}).encode()), LAST)

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([["a"]], Verdict.UNKNOWN, 2)
    assert swept.why == f"{OF_LIST}an object in it has no id that can be used"


@pytest.mark.parametrize("content", [b"{}", b'{"id":""}', b'{"id":7}', b'{"value":[]}', b'{"value":{}}', b"[]"])
def test_an_object_without_a_usable_id_could_not_be_read(content: bytes) -> None:
    """A gateway's `{}` is not an object of the tenant; nor does it say that there is none."""
    with pytest.raises(ReadFailedError) as caught:
        run_read(answer(200, content))

    assert caught.value.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "more",
    [
        {"@odata.nextLink": ""},
        {"@odata.nextLink": 7},
        {"@odata.nextLink": ["x"]},
        {"@odata.nextLink": False},
        {"odata.nextLink": "x"},
        {"@nextLink": "x"},
        {"nextLink": "x"},
        {"@odata.nextlink": "x"},
        {"value@odata.nextLink": "x"},
        {"@odata.nextLink": None, "@nextLink": "x"},
    ],
)
def test_a_page_that_hides_its_next_page_does_not_end_the_list(more: dict[str, object]) -> None:
    """Taken for the last page, it would make objects absent that are there: they would be created twice."""
    swept = run_sweep(answer(200, json.dumps({"value": [{"id": "a"}], **more}).encode()))

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([["a"]], Verdict.UNKNOWN, 1)
    assert swept.why.startswith(OF_LIST)


def test_a_page_without_end_is_read_to_a_limit_only() -> None:
    """64 MB hold tens of thousands of objects; a longer page is not asked for again."""

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 X\r\n\r\n{"value":[')
        while True:  # until the client has closed the connection
            writer.write(b" " * 1_000_000)
            await writer.drain()

    swept = run_sweep(pour)

    assert (swept.verdict, len(swept.seen)) == (Verdict.UNKNOWN, 1)
    assert swept.why == f"{OF_LIST}the answer is longer than 64 MB"


# --- links ---


@pytest.mark.parametrize(
    "query",
    [
        "%24skiptoken=a%2Bb+c",
        "$skiptoken=a%2bb%2Fc%7e",
        "$skiptoken=%2e%2e/%2e%2e/x",
        "$skiptoken=a=b==&&c&",
        "$skiptoken='a'(b)*!;,:@/?x",
        "%zz%",
        "$skiptoken=%00%0d%0a",
        "$skiptoken=[x]{y}|z",
        "",
        "https://evil.example.com/",
    ],
)
def test_the_query_of_a_link_leaves_exactly_as_the_service_gave_it(query: str) -> None:
    """It is the service's own text, which a rewriting may spoil."""
    swept = run_sweep(linking(lambda url: f"{url}?{query}", "a"), LAST)

    assert swept.failed is None
    assert swept.seen[1].line == f"GET /beta/{COLLECTION}{'?' if query else ''}{query} HTTP/1.1"


def test_what_cannot_stand_in_a_url_is_encoded_in_the_query() -> None:
    """A blank or a letter beyond ASCII must not break the request line."""
    swept = run_sweep(linking(lambda url: f'{url}?$skiptoken=a b\u00fc"', "a"), LAST)

    assert (swept.failed, swept.seen[1].line) == (
        None,
        f"GET /beta/{COLLECTION}?$skiptoken=a%20b%C3%BC%22 HTTP/1.1",
    )


def test_a_link_may_spell_scheme_and_host_in_capitals_and_name_the_port_of_the_scheme() -> None:
    """RFC 3986, 6.2.2.1 and 6.2.3: it is the same place."""

    async def story() -> tuple[list[Entities], list[str]]:
        async with serve(LAST) as server:
            link = f"HTTP://LOCALHOST:{server.port}/beta/{COLLECTION}?x"
            server.steps = [answer(200, page("a", link=link)), LAST]
            async with open_client(f"http://localhost:{server.port}/beta", connections=1) as client:
                pages = [each async for each in sweep(client, COLLECTION, access=Reader().access)]
                return pages, [seen.line for seen in server.seen]

    assert asyncio.run(story()) == (
        [[{"id": "a"}], [{"id": "z"}]],
        [f"GET /beta/{COLLECTION} HTTP/1.1", f"GET /beta/{COLLECTION}?x HTTP/1.1"],
    )


PATH = f"/beta/{COLLECTION}"
ELSEWHERE: dict[str, Callable[[str, str], str]] = {  # (own host:port, the other's) -> link
    "other host": lambda _, there: f"http://{there}{PATH}?x",
    "other host, no query": lambda _, there: f"http://{there}{PATH}",
    "protocol-relative": lambda _, there: f"//{there}{PATH}?x",
    "three slashes": lambda _, there: f"http:///{there}{PATH}?x",
    "no slashes": lambda _, there: f"http:{there}{PATH}?x",
    "backslashes": lambda _, there: f"http:\\\\{there}{PATH}?x",
    "own host as user": lambda here, there: f"http://{here}@{there}{PATH}?x",
    "own host as user and password": lambda here, there: f"http://x:{here}@{there}{PATH}?x",
    "own host behind a backslash": lambda here, there: f"http://{there}\\@{here}{PATH}?x",
    "own host behind a hash": lambda here, there: f"http://{there}#@{here}{PATH}?x",
    "own host behind a question mark": lambda here, there: f"http://{there}?@{here}{PATH}?x",
    "own host as path": lambda here, there: f"http://{there}/{here}{PATH}?x",
    "own host in brackets": lambda here, there: f"http://[{here}]@{there}{PATH}?x",
    "an encoded at": lambda here, there: f"http://{here}%40{there}{PATH}?x",
    "an encoded slash": lambda here, there: f"http://{there}%2F{here}{PATH}?x",
    "a full-width at": lambda here, there: f"http://{here}\uff20{there}{PATH}?x",
    "a blank before": lambda _, there: f" http://{there}{PATH}?x",
    "a tab inside": lambda _, there: f"ht\ttp://{there}{PATH}?x",
    "a line break": lambda here, there: f"http://{here}{PATH}?x\r\nHost: {there}",
    "no scheme": lambda _, there: f"{there}{PATH}?x",
    "https": lambda here, _: f"https://{here}{PATH}?x",
    "https elsewhere": lambda _, there: f"https://{there}{PATH}?x",
    "ftp": lambda here, _: f"ftp://{here}{PATH}?x",
    "file": lambda *_: f"file://{PATH}",
    "javascript": lambda *_: "javascript:alert(1)",
    "user on the own host": lambda here, _: f"http://user:password@{here}{PATH}?x",
    "an empty user": lambda here, _: f"http://@{here}{PATH}?x",
    "no port": lambda here, _: f"http://{here.partition(':')[0]}{PATH}?x",
    "a port that is none": lambda here, _: f"http://{here}x{PATH}?x",
    "a port beyond all": lambda *_: f"http://127.0.0.1:99999999{PATH}?x",
    "another name of the host": lambda here, _: f"http://localhost:{here.partition(':')[2]}{PATH}?x",
    "a dot behind the host": lambda here, _: f"http://127.0.0.1.:{here.partition(':')[2]}{PATH}?x",
    "another spelling of the address": lambda here, _: f"http://127.1:{here.partition(':')[2]}{PATH}?x",
    "a relative path": lambda *_: f"{PATH}?x",
    "only a query": lambda *_: "?$skiptoken=x",
    "only a name": lambda *_: "states?$skiptoken=x",
    "the root": lambda here, _: f"http://{here}/?x",
    "no path": lambda here, _: f"http://{here}?x",
    "another version": lambda here, _: f"http://{here}/v1.0/{COLLECTION}?x",
    "another collection": lambda here, _: f"http://{here}/beta/deviceManagement/managedDevices?x",
    "below the collection": lambda here, _: f"http://{here}{PATH}/d99bc884?x",
    "above the collection": lambda here, _: f"http://{here}{PATH.rpartition('/')[0]}?x",
    "a slash at the end": lambda here, _: f"http://{here}{PATH}/?x",
    "a double slash": lambda here, _: f"http://{here}/{PATH}?x",
    "dots that lead back": lambda here, _: f"http://{here}{PATH}/../states?x",
    "dots that lead away": lambda here, _: f"http://{here}{PATH}/../../users?x",
    "encoded dots": lambda here, _: f"http://{here}{PATH}/%2e%2e/users?x",
    "encoded dots that lead back": lambda here, _: f"http://{here}{PATH}/x/%2E%2E?x",
    "a single dot": lambda here, _: f"http://{here}/beta/./{COLLECTION}?x",
    "an encoded letter": lambda here, _: f"http://{here}/%62eta/{COLLECTION}?x",
    "an encoded slash in the path": lambda here, _: f"http://{here}/beta%2F{COLLECTION}?x",
    "the path in capitals": lambda here, _: f"http://{here}{PATH.upper()}?x",
    "path parameters": lambda here, _: f"http://{here}{PATH};x=y?x",
    "a letter that folds to k": lambda here, _: f"http://{here}/beta/{COLLECTION.replace('k', chr(0x212A))}x?x",
    "a fragment": lambda here, _: f"http://{here}{PATH}?x#y",
    "a fragment without a query": lambda here, _: f"http://{here}{PATH}#y",
    "a lone surrogate": lambda here, _: f"http://{here}{PATH}?\ud800",
    "a zero byte": lambda here, _: f"http://{here}{PATH}?\x00",
    "overlong": lambda here, _: f"http://{here}{PATH}?" + "x" * 100_000,
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_link_that_does_not_plainly_lead_to_the_same_list_is_not_followed(case: str) -> None:
    """The other server sees no connection, and this one no further request: the token stays here."""

    async def story() -> tuple[Swept, int]:
        async with serve(LAST) as elsewhere, serve(LAST) as server:
            link = ELSEWHERE[case](f"127.0.0.1:{server.port}", f"127.0.0.1:{elsewhere.port}")
            server.steps = [answer(200, page("a", link=link)), LAST]
            return await sweep_client(server, Reader()), elsewhere.connections

    swept, connections = asyncio.run(story())

    assert (swept.ids, swept.verdict, len(swept.seen), connections) == ([["a"]], Verdict.UNKNOWN, 1, 0)
    assert swept.why.startswith(f'{OF_LIST}its next page is said to be at "')
    assert swept.why.endswith("; that address was not asked and got no token")


def test_a_refused_link_is_named_without_its_query() -> None:
    """The reader sees the foreign host; what stands behind the question mark may be a secret."""
    swept = run_sweep(answer(200, page("a", link="https://evil.example.com/beta/x?secret")))

    assert swept.why == (
        f'{OF_LIST}its next page is said to be at "https://evil.example.com/beta/x", which is not this list at '
        "127.0.0.1; that address was not asked and got no token"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_a_get_is_not_followed(status: int) -> None:
    """The server that Location names sees no connection."""

    async def story() -> tuple[Swept, int]:
        async with serve(LAST) as elsewhere:
            location = f"Location: {elsewhere.root}/{COLLECTION}".encode()
            async with serve(answer(status, b"", location)) as server:
                return await sweep_client(server, Reader()), elsewhere.connections

    swept, connections = asyncio.run(story())

    assert (swept.verdict, len(swept.seen), connections) == (Verdict.UNKNOWN, 1, 0)
    assert swept.why == f"{OF_LIST}the service answered {status}, a redirect, which is not followed"


@pytest.mark.parametrize(
    "steps",
    [
        (linking(lambda url: url, "a"),),
        (to_page("1", "a"),),
        (to_page("1", "a"), to_page("2", "b"), to_page("1", "c")),
    ],
    ids=["to the first page", "to itself", "to the page before"],
)
def test_a_link_that_comes_round_again_ends_the_sweep(steps: tuple[Step, ...]) -> None:
    """A loop would never end, and what lies beyond it would never be seen."""
    swept = run_sweep(*steps)

    assert (swept.verdict, len(swept.ids)) == (Verdict.UNKNOWN, len(swept.seen))
    assert swept.why == f"{OF_LIST}the link to its next page leads back to a page that was read before"


def test_a_list_whose_links_never_end_is_given_up() -> None:
    """A service that counts for ever keeps no run for ever."""
    numbers = iter(range(1_000_000))

    swept = run_sweep(linking(lambda url: f"{url}?$skiptoken={next(numbers)}", "a"), most_pages=20)

    assert (len(swept.ids), len(swept.seen), swept.verdict) == (20, 20, Verdict.UNKNOWN)
    assert swept.why == f"{OF_LIST}it has no end after 20 pages"


# --- ending ---


def test_a_caller_that_is_ending_reads_nothing() -> None:
    """Neither a token nor a slot is asked for."""
    reader = Reader(stop_after=0)

    swept = run_sweep(LAST, reader=reader)

    assert (swept.ids, swept.verdict, swept.seen, reader.calls) == ([], Verdict.SEND_AGAIN, [], [])
    assert swept.why == f"{OF_LIST}the run is ending"


@pytest.mark.parametrize("step", [answer(503), answer(401), close_after(b"")], ids=["503", "401", "closed"])
def test_a_caller_that_ends_after_an_attempt_gets_no_further_one(step: Step) -> None:
    """There is neither a wait nor a refresh."""

    class Ending(Reader):
        seen: Sequence[Seen] = ()

        def stop(self) -> bool:
            return len(self.seen) > 0

    async def story() -> Swept:
        async with serve(step, LAST) as server:
            reader.seen = server.seen
            return await sweep_client(server, reader)

    reader = Ending()

    swept = asyncio.run(story())

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([], Verdict.SEND_AGAIN, 1)
    assert reader.calls == ["slot"]


def test_a_caller_that_ends_while_waiting_for_a_slot_sends_nothing() -> None:
    """The slot came too late."""
    swept = run_sweep(LAST, reader=Reader(stop_after=1))

    assert (swept.ids, swept.verdict, swept.seen) == ([], Verdict.SEND_AGAIN, [])


def test_a_caller_that_ends_during_the_wait_sends_nothing_more() -> None:
    """Ctrl-C in a long Retry-After ends the sweep there."""

    class Interrupted(Reader):
        async def pause(self, wait_s: float) -> None:
            await super().pause(wait_s)
            self.stop_after = 0

    reader = Interrupted()

    swept = run_sweep(to_page("1", "a"), answer(429, b"", b"Retry-After: 3000"), LAST, reader=reader)

    assert (swept.ids, swept.verdict, len(swept.seen)) == ([["a"]], Verdict.SEND_AGAIN, 2)
    assert reader.pauses == [3000.0]


def test_a_caller_that_ends_between_two_pages_keeps_the_first() -> None:
    """What was read stays read, and the failure says that it is not all."""

    class Ending(Reader):
        is_over = False

        def stop(self) -> bool:
            return self.is_over

    async def story() -> tuple[list[Entities], Verdict]:
        async with serve(to_page("1", "a"), LAST) as server, open_client(server.root, connections=1) as client:
            pages = sweep(client, COLLECTION, access=reader.access)
            first = await anext(pages)
            reader.is_over = True
            with pytest.raises(ReadFailedError) as caught:
                await anext(pages)
            return [first], caught.value.verdict

    reader = Ending()

    assert asyncio.run(story()) == ([[{"id": "a"}]], Verdict.SEND_AGAIN)


def test_a_cancelled_read_raises_cancelled_error() -> None:
    """No answer is made up, and the connection is closed."""

    async def story() -> int:
        arrived = asyncio.Event()

        async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            arrived.set()
            await reader.read()

        async with serve(hold) as server, open_client(server.root, connections=1) as client:
            read = asyncio.create_task(read_object(client, OBJECT, access=Reader().access))
            await arrived.wait()
            read.cancel()
            with pytest.raises(asyncio.CancelledError):
                await read
            await client.aclose()
            return len(server.seen)

    assert asyncio.run(story()) == 1


# --- the token, connections, many readers ---


@pytest.mark.parametrize(
    "step",
    [
        answer(400, json.dumps({"error": {"code": TOKEN, "message": f"x Bearer {TOKEN}"}}).encode()),
        answer(500, f"<html><title>{TOKEN}</title>".encode(), b"Content-Type: text/html"),
        answer(403, TOKEN.encode(), b"request-id: " + TOKEN.encode()),
        answer(200, page("a", link=f"https://evil.example.com/{TOKEN}?{TOKEN}")),
        answer(200, page(TOKEN, f"x{TOKEN}x")),
    ],
    ids=["Graph error", "HTML title", "plain text and request-id", "link", "entities"],
)
def test_a_service_that_echoes_the_token_does_not_bring_it_into_what_is_read_said_or_logged(
    step: Step, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even a cut piece of the token is kept."""
    caplog.set_level(logging.DEBUG)

    swept = run_sweep(step)

    assert swept.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    answered = swept.failed.answer if swept.failed else None
    text = f"{swept.ids!r} {swept.why} {answered!r} {caplog.text}"
    assert [piece for piece in ("eyJ0eXAi", "first-token", "c2ln") if piece in text] == []


def test_each_get_is_logged_with_both_ids_and_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    """A skip token may hold values of the tenant."""
    caplog.set_level(logging.INFO, logger="pipeline.graph")

    swept = run_sweep(to_page("1", "a"), answer(404, b"gone", b"request-id: abc-1"))

    ids = [seen.headers["client-request-id"] for seen in swept.seen]
    assert caplog.messages == [
        f"GET {PATH}: HTTP 200, client-request-id {ids[0]}, request-id none ",
        f"GET {PATH}: HTTP 404, client-request-id {ids[1]}, request-id abc-1 gone",
    ]


def test_a_kept_connection_that_breaks_under_a_get_is_repeated_with_a_slot() -> None:
    """By itself aiohttp would send it a second time in secret, past the read quota."""

    async def answer_then_reset_at_the_next_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await to_page("1", "a")(reader, writer)
        await reader.readexactly(1)
        reset(writer)

    reader = Reader()

    swept = run_sweep(answer_then_reset_at_the_next_byte, LAST, reader=reader)

    assert (swept.ids, swept.failed) == ([["a"], ["z"]], None)
    assert reader.calls == ["slot", "slot", "pause", "slot"]


def test_a_long_list_is_read_over_one_connection() -> None:
    """200 pages of 25 objects each come whole and in order."""
    numbers = iter(range(200))

    async def next_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        ids = [f"{number}-{each}" for each in range(25)]
        step = answer(200, page(*ids)) if number == 199 else to_page(str(number), *ids)
        await step(reader, writer)

    async def story() -> tuple[Swept, int]:
        async with serve(next_page) as server:
            return await sweep_client(server, Reader()), server.connections

    swept, connections = asyncio.run(story())

    assert swept.ids == [[f"{number}-{each}" for each in range(25)] for number in range(200)]
    assert (swept.failed, connections) == (None, 1)


def test_reads_at_the_same_time_each_get_their_own_objects() -> None:
    """What leaves for one reader is not what leaves for another."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                line, _, _ = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
                object_id = line.split(b" ")[1].rpartition(b"/")[2]
                await answer(200, b'{"id":"%s"}' % object_id)(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    async def story() -> list[object]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/beta"
        async with server, open_client(root, connections=4) as client:
            paths = [object_path(COLLECTION, f"id-{each}") for each in range(50)]
            got = await asyncio.gather(*(read_object(client, path, access=Reader().access) for path in paths))
            await client.aclose()
            return [each and each["id"] for each in got]

    assert asyncio.run(story()) == [f"id-{each}" for each in range(50)]


# --- probe ---


def run_probe(*steps: Step, reader: Reader | None = None, timeouts: Timeouts = QUICK) -> tuple[bool, list[Seen]]:
    """Probe the collection at a server with this script."""

    async def story() -> tuple[bool, list[Seen]]:
        async with serve(*steps) as server, open_client(server.root, connections=1, timeouts=timeouts) as client:
            return await probe(client, COLLECTION, access=(reader or Reader()).access), server.seen

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("status", "is_up"),
    [
        (200, True),
        (204, True),
        (302, True),
        (400, True),
        (401, True),
        (403, True),
        (404, True),
        (429, False),
        (500, False),
        (502, False),
        (503, False),
        (504, False),
        (509, False),
    ],
)
def test_a_service_is_up_when_it_answers_with_anything_but_429_and_5xx(status: int, is_up: bool) -> None:
    """One GET with one slot, whatever comes; no refresh, no wait."""
    reader = Reader()

    up, seen = run_probe(answer(status), LAST, reader=reader)

    assert (up, len(seen), reader.calls) == (is_up, 1, ["slot"])
    assert seen[0].line == f"GET /beta/{COLLECTION} HTTP/1.1"


@pytest.mark.parametrize("case", ["close", "reset", "half header", "half body", "garbage"])
def test_a_service_that_gives_no_whole_answer_is_not_up(case: str) -> None:
    """It is asked once."""
    up, seen = run_probe(BROKEN[case], LAST)

    assert (up, len(seen)) == (False, 1)


def test_a_service_that_is_silent_is_not_up() -> None:
    """The time-out is that of writes."""
    assert run_probe(silent_after(b""), timeouts=SHORT)[0] is False


def test_a_service_that_cannot_be_reached_is_not_up() -> None:
    """Nobody listens."""

    async def story() -> bool:
        async with open_client(f"http://127.0.0.1:{unused_port()}/beta", connections=1) as client:
            return await probe(client, COLLECTION, access=Reader().access)

    assert asyncio.run(story()) is False


def test_a_caller_that_is_ending_does_not_probe() -> None:
    """The answer would be of no use."""
    assert run_probe(LAST, reader=Reader(stop_after=0)) == (False, [])
