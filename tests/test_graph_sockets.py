"""`write` and `open_client` against real sockets: what is sent again, what is not, and what a lost answer is."""

import asyncio
import base64
import datetime
import ipaddress
import json
import logging
import random
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientError, ServerTimeoutError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from socket_cases import (
    BODY,
    COLLECTION,
    CREATED,
    CREATED_TEXT,
    QUICK,
    TOKEN,
    TOKEN_2,
    Caller,
    ScriptedServer,
    Seen,
    Step,
    answer,
    close_after,
    message,
    post,
    reset,
    reset_after,
    run_script,
    say,
    serve,
    silent_after,
    unused_port,
)

from pipeline.errors import ConfigError, PreflightError
from pipeline.graph import Sent, Timeouts, is_never_sent, object_path, open_client
from pipeline.graph.client import Request
from pipeline.model import Answer, Operation, Verdict

OBJECT = object_path(COLLECTION, "d99bc884")

# --- what one attempt looks like ---


def test_a_created_row_took_one_post_with_exactly_the_documented_headers() -> None:
    """The POST goes to the collection below the service root, with the body byte for byte and our own id."""
    caller = Caller()

    sent, server = run_script(answer(201, b'{"id":"d99b"}', b"request-id: abc-1"), caller=caller)

    assert sent == Sent(Verdict.CREATED, Answer(201, "d99b", "", "", "abc-1", caller.ids[0]), 1)
    [seen] = server.seen
    assert (seen.line, seen.body) == (f"POST /beta/{COLLECTION} HTTP/1.1", BODY)
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "accept-encoding": seen.headers["accept-encoding"],
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "client-request-id": caller.ids[0],
        "user-agent": "certstate",
    }
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", caller.ids[0])
    assert (caller.calls, caller.pauses) == (["before_attempt"], [])


def test_a_path_with_a_double_slash_goes_out_as_it_is() -> None:
    """`routes:` may restore the double slash that the 2017 page prints."""
    path = "deviceManagement/deviceConfigurations/6a1f/identityCertificate//microsoft.graph.x/states/"

    async def story() -> list[str]:
        async with serve(CREATED) as server, open_client(f"{server.root}/", connections=1) as client:
            await post(client, Caller(), path)
            return [seen.line for seen in server.seen]

    assert asyncio.run(story()) == [f"POST /beta/{path} HTTP/1.1"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "../../users",
        "/deviceManagement/x",
        "users/x",
        "deviceManagement",
        "deviceManagement/../users",
        "deviceManagement/x/..",
        "deviceManagement/./x",
        "deviceManagement/%2e%2e/users",
        "deviceManagement/x?$filter=y",
        "deviceManagement/x#y",
        "deviceManagement/x y",
        "deviceManagement/x\r\nHost: evil.example.com",
        "deviceManagement/x\n",
        "deviceManagement/\u00fc",
        "deviceManagement\\x",
        "https://evil.example.com/beta/deviceManagement/x",
        "//evil.example.com/beta/deviceManagement/x",
        "@evil.example.com/deviceManagement/x",
    ],
)
def test_a_path_that_is_no_collection_below_the_service_root_is_refused(path: str) -> None:
    """Nothing is sent, nobody is asked for a token, and the row's intent is not written."""

    async def story() -> None:
        async with serve(CREATED) as server, open_client(server.root, connections=1) as client:
            with pytest.raises(ConfigError, match=f"is no collection below {server.root}/; correct `routes:`"):
                await post(client, caller, path)
            assert server.seen == []

    caller = Caller()
    asyncio.run(story())
    assert caller.calls == []


@pytest.mark.parametrize("bearer", ["", "two words", "line\n", "tok\u00e9n", "a\x00b"])
def test_a_token_that_cannot_be_one_is_refused_before_the_intent_is_written(bearer: str) -> None:
    """The message names no part of the token."""
    caller = Caller()
    caller.bearer = bearer

    with pytest.raises(PreflightError) as caught:
        run_script(CREATED, caller=caller)

    assert str(caught.value) == (
        "the access token is empty or holds blanks, line breaks or other characters that no token has; "
        "copy it again, whole and on one line"
    )
    assert caller.calls == []


@pytest.mark.parametrize(
    "echo",
    [
        answer(400, json.dumps({"error": {"code": TOKEN, "message": "x" * 280 + f" Bearer {TOKEN}"}}).encode()),
        answer(500, f"<html><title>{TOKEN}</title>".encode(), b"Content-Type: text/html"),
        answer(502, TOKEN.encode(), b"request-id: " + TOKEN.encode()),
        answer(403, b'{"error": "' + TOKEN.encode() + b'"}'),
    ],
    ids=["Graph error", "HTML title", "plain text and request-id", "error as a string"],
)
def test_a_service_that_echoes_the_token_does_not_bring_it_into_answer_or_log(
    echo: Step, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even a cut piece of the token is kept."""
    caplog.set_level(logging.DEBUG)

    sent, server = run_script(echo, caller=Caller())

    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert [piece for piece in ("eyJ0eXAi", "first-token", "c2ln") if piece in f"{sent!r} {caplog.text}"] == []


def test_each_attempt_is_logged_with_both_ids(caplog: pytest.LogCaptureFixture) -> None:
    """Microsoft's support asks for the request-id; client-request-id finds our own attempt."""
    caplog.set_level(logging.INFO, logger="pipeline.graph")
    caller = Caller()

    run_script(answer(404, b"gone", b"request-id: abc-1"), caller=caller)

    assert caplog.messages == [
        f"POST {COLLECTION}: stop collection, HTTP 404, client-request-id {caller.ids[0]}, request-id abc-1 gone"
    ]


# --- what is sent again ---


def test_a_429_is_sent_again_after_the_wait_it_asks_for() -> None:
    """Each attempt has its own client-request-id, and the row is planned again before each wait."""
    caller = Caller()
    date = b"Date: Mon, 23 Nov 2026 12:00:00 GMT"

    sent, server = run_script(
        answer(429, b"", b"Retry-After: 2.128"),
        answer(429, b"", b"Retry-After: 30,120"),
        answer(429, b"", b"Retry-After: Mon, 23 Nov 2026 12:00:07 GMT", date),
        answer(429, b"", b"Retry-After: 0"),
        CREATED,
        caller=caller,
    )

    assert sent == Sent(Verdict.CREATED, Answer(201, "d99bc884", client_request_id=caller.ids[4]), 5)
    assert caller.pauses == [2.128, 120.0, 7.0, 1.0]
    assert caller.calls == ["before_attempt", "not_applied", "pause"] * 4 + ["before_attempt"]
    assert [seen.headers["client-request-id"] for seen in server.seen] == caller.ids
    assert len(set(caller.ids)) == 5
    assert [seen.body for seen in server.seen] == [BODY] * 5


def test_a_429_without_retry_after_backs_off_with_jitter_up_to_a_minute() -> None:
    """The waits double from 1 s with up to 1 s of jitter, and end at 60 s."""
    caller = Caller()

    sent, server = run_script(*[answer(429)] * 8, CREATED, caller=caller)

    assert (sent.verdict, sent.attempts, len(server.seen)) == (Verdict.CREATED, 9, 9)
    bounds = [(1, 2), (2, 3), (4, 5), (8, 9), (16, 17), (32, 33), (60, 60), (60, 60)]
    assert [low <= wait_s <= high for wait_s, (low, high) in zip(caller.pauses, bounds, strict=True)] == [True] * 8


def test_an_attempt_that_was_never_sent_is_sent_again_once_the_server_is_there() -> None:
    """The server sees one POST, although two were tried."""
    refused, listening = asyncio.Event(), asyncio.Event()

    class Waiting(Caller):
        async def pause(self, wait_s: float) -> None:
            await super().pause(wait_s)
            refused.set()
            await listening.wait()

    async def story() -> tuple[Sent, int]:
        port = unused_port()
        async with open_client(f"http://127.0.0.1:{port}/beta", connections=1, timeouts=QUICK) as client:
            attempt = asyncio.create_task(post(client, caller))
            await refused.wait()
            async with serve(CREATED, port=port) as server:
                listening.set()
                sent = await attempt
                await client.aclose()
                return sent, len(server.seen)

    caller = Waiting()

    sent, posts = asyncio.run(story())

    assert (sent.verdict, sent.attempts, posts) == (Verdict.CREATED, 2, 1)
    assert caller.calls == ["before_attempt", "not_applied", "pause", "before_attempt"]
    assert 1.0 <= caller.pauses[0] <= 2.0


def test_the_row_is_given_back_when_the_caller_stops_waiting() -> None:
    """After the attempt that was not applied there is no further wait and no further POST."""
    caller = Caller(stop_after=2)

    sent, server = run_script(answer(429, b"", b"Retry-After: 3"), caller=caller)

    assert sent == Sent(
        Verdict.SEND_AGAIN,
        Answer(429, message="HTTP 429 Too Many Requests without a message", client_request_id=caller.ids[1]),
        2,
    )
    assert len(server.seen) == 2
    assert caller.calls == ["before_attempt", "not_applied", "pause", "before_attempt", "not_applied"]


def test_the_row_is_given_back_when_the_caller_stops_during_the_wait() -> None:
    """Ctrl-C while everybody waits for Retry-After sends nothing more."""

    class Interrupted(Caller):
        async def pause(self, wait_s: float) -> None:
            await super().pause(wait_s)
            self.stop_after = 0

    caller = Interrupted()

    sent, server = run_script(answer(429, b"", b"Retry-After: 3"), CREATED, caller=caller)

    assert (sent.verdict, sent.attempts, len(server.seen)) == (Verdict.SEND_AGAIN, 1, 1)
    assert caller.calls == ["before_attempt", "not_applied", "pause"]


# --- 401 ---


def test_a_401_is_sent_again_at_once_with_a_refreshed_token() -> None:
    """The row is planned again before the refresh, and there is no wait."""
    caller = Caller()

    sent, server = run_script(answer(401), CREATED, caller=caller)

    assert (sent.verdict, sent.attempts) == (Verdict.CREATED, 2)
    assert [seen.headers["authorization"] for seen in server.seen] == [f"Bearer {TOKEN}", f"Bearer {TOKEN_2}"]
    assert caller.calls == ["before_attempt", "not_applied", "refresh", "before_attempt"]


def test_a_401_to_the_refreshed_token_ends_the_attempts() -> None:
    """REFRESH_TOKEN as the verdict means: refused again; the row is planned again already."""
    caller = Caller()

    sent, server = run_script(answer(401, b'{"error":{"code":"InvalidAuthenticationToken"}}'), caller=caller)

    assert sent == Sent(
        Verdict.REFRESH_TOKEN,
        Answer(401, "", "InvalidAuthenticationToken", "HTTP 401 Unauthorized without a message", "", caller.ids[1]),
        2,
    )
    assert len(server.seen) == 2
    assert caller.calls == ["before_attempt", "not_applied", "refresh", "before_attempt", "not_applied"]


def test_a_token_that_expires_again_hours_later_is_refreshed_again() -> None:
    """A 429 between two 401s shows that the first refresh worked."""
    caller = Caller()

    sent, server = run_script(answer(401), answer(429, b"", b"Retry-After: 3600"), answer(401), CREATED, caller=caller)

    assert (sent.verdict, sent.attempts, len(server.seen)) == (Verdict.CREATED, 4, 4)
    assert caller.calls.count("refresh") == 2


def test_a_refresh_that_fails_propagates_after_the_row_is_planned_again() -> None:
    """A bare token cannot be refreshed: the run stops and can be resumed."""

    class BareToken(Caller):
        async def refresh(self, refused: str) -> str:
            await super().refresh(refused)
            raise PreflightError("the token in GRAPH_TOKEN was refused")

    caller = BareToken()

    with pytest.raises(PreflightError, match=r"^the token in GRAPH_TOKEN was refused$"):
        run_script(answer(401), CREATED, caller=caller)

    assert caller.calls == ["before_attempt", "not_applied", "refresh"]


def test_a_token_that_cannot_be_had_propagates_and_nothing_is_sent() -> None:
    """No intent is written for a row that has no token to go with."""

    class NoToken(Caller):
        async def token(self) -> str:
            raise PreflightError("no token")

    caller = NoToken()

    with pytest.raises(PreflightError, match=r"^no token$"):
        run_script(CREATED, caller=caller)

    assert caller.calls == []


def test_a_401_while_stopping_gives_the_row_back() -> None:
    """There is neither a refresh nor a further POST once the caller wants to stop."""
    caller = Caller(stop_after=1)

    sent, server = run_script(answer(401), CREATED, caller=caller)

    assert (sent.verdict, sent.attempts, len(server.seen)) == (Verdict.SEND_AGAIN, 1, 1)
    assert caller.calls == ["before_attempt", "not_applied"]


def test_ten_workers_that_are_refused_together_share_one_refresh() -> None:
    """Each worker names the token that was refused, so that a token is refreshed once; no more POSTs than needed."""
    issued = [TOKEN]
    lock = asyncio.Lock()

    class Sharing(Caller):
        async def token(self) -> str:
            return issued[-1]

        async def refresh(self, refused: str) -> str:
            async with lock:
                if refused == issued[-1]:
                    await asyncio.sleep(0)
                    issued.append(TOKEN_2)
            return issued[-1]

    async def judge_token(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bearers[server_of[0].seen[-1].headers["authorization"]] += 1
        step = CREATED if server_of[0].seen[-1].headers["authorization"] == f"Bearer {TOKEN_2}" else answer(401)
        await step(reader, writer)

    async def story() -> tuple[list[Sent], int]:
        async with serve(judge_token) as server, open_client(server.root, connections=3) as client:
            server_of.append(server)
            return await asyncio.gather(*(post(client, Sharing()) for _ in range(10))), server.connections

    server_of: list[ScriptedServer] = []
    bearers = {f"Bearer {TOKEN}": 0, f"Bearer {TOKEN_2}": 0}

    sents, connections = asyncio.run(story())

    assert [sent.verdict for sent in sents] == [Verdict.CREATED] * 10
    assert issued == [TOKEN, TOKEN_2]
    assert (bearers[f"Bearer {TOKEN}"] <= 10, bearers[f"Bearer {TOKEN_2}"]) == (True, 10)
    assert connections <= 3


# --- what is not sent again ---


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.UNKNOWN),
        (201, Verdict.UNKNOWN),
        (202, Verdict.UNKNOWN),
        (204, Verdict.UNKNOWN),
        (302, Verdict.UNKNOWN),
        (307, Verdict.UNKNOWN),
        (400, Verdict.REJECTED),
        (403, Verdict.STOP_TENANT),
        (404, Verdict.STOP_COLLECTION),
        (405, Verdict.STOP_ROUTE),
        (406, Verdict.STOP_ROUTE),
        (409, Verdict.UNKNOWN),
        (413, Verdict.REJECTED),
        (415, Verdict.STOP_ROUTE),
        (422, Verdict.REJECTED),
        (500, Verdict.UNKNOWN),
        (501, Verdict.STOP_ROUTE),
        (502, Verdict.UNKNOWN),
        (503, Verdict.UNKNOWN),
        (504, Verdict.UNKNOWN),
        (507, Verdict.UNKNOWN),
    ],
)
def test_any_other_answer_is_returned_after_one_post(status: int, verdict: Verdict) -> None:
    """Neither a Retry-After nor a reachable server tempts `write` to send such a row again."""
    caller = Caller()

    sent, server = run_script(answer(status, b"", b"Retry-After: 1"), CREATED, caller=caller)

    assert (sent.verdict, sent.answer.http_status, sent.attempts) == (verdict, status, 1)
    assert (len(server.seen), caller.calls) == (1, ["before_attempt"])


BROKEN_OFF = "the answer broke off after its status, 201"
CLOSED = "the connection was closed before an answer came"
BROKE = "the connection broke before an answer came"
NOT_HTTP = "what came back was no HTTP answer that can be read"
CHUNKED = b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n"

# (what the server does once it has read the POST, aiohttp's class, HTTP status, what the report says)
LOST = {
    "close": (close_after(b""), "ServerDisconnectedError", None, CLOSED),
    "reset": (reset_after(b""), "ClientOSError", None, BROKE),
    "half status line": (close_after(b"HTTP/1.1 20"), "ServerDisconnectedError", None, CLOSED),
    "half header": (close_after(CREATED_TEXT[:30]), "ServerDisconnectedError", None, CLOSED),
    "half header, reset": (reset_after(CREATED_TEXT[:30]), "ClientOSError", None, BROKE),
    "half body": (close_after(CREATED_TEXT[:-5]), "ClientPayloadError", 201, BROKEN_OFF),
    "half body, reset": (reset_after(CREATED_TEXT[:-5]), "ClientPayloadError", 201, BROKEN_OFF),
    "half chunk": (close_after(CHUNKED + b'40\r\n{"id":'), "ClientPayloadError", 201, BROKEN_OFF),
    "no chunk": (close_after(CHUNKED + b"zz\r\n"), "ClientResponseError", None, NOT_HTTP),
    "garbage": (close_after(b"\x00\xff\x01\r\n\r\n"), "ClientResponseError", None, NOT_HTTP),
    "SSH": (close_after(b"SSH-2.0-OpenSSH\r\n"), "ClientResponseError", None, NOT_HTTP),
    "huge header": (
        close_after(message(201, b"", b"X: " + b"a" * 100_000)),
        "ClientResponseError",
        None,
        NOT_HTTP,
    ),
    "gzip that is none": (
        close_after(message(201, b'{"id":"1"}', b"Content-Encoding: gzip")), "ClientPayloadError", 201, BROKEN_OFF
    ),
    "100 and no more": (
        close_after(b"HTTP/1.1 100 Continue\r\n\r\n"), "ServerDisconnectedError", None, CLOSED
    ),
}  # fmt: skip
SLOW = {
    "no answer": (silent_after(b""), "SocketTimeoutError", None, "no answer came in time"),
    "half a body": (silent_after(CREATED_TEXT[:-5]), "SocketTimeoutError", 201, BROKEN_OFF),
}


@pytest.mark.parametrize("case", [*LOST, *SLOW])
def test_a_lost_answer_is_unknown_and_not_sent_again(case: str) -> None:
    """The server read the POST and may have applied it; `write` says in plain words how the answer was lost."""
    step, _, status, words = {**LOST, **SLOW}[case]
    timeouts = QUICK if case in LOST else Timeouts(connect_s=5.0, read_s=0.05)
    caller = Caller()

    sent, server = run_script(step, CREATED, caller=caller, timeouts=timeouts)

    assert sent == Sent(Verdict.UNKNOWN, Answer(http_status=status, message=words, client_request_id=caller.ids[0]), 1)
    assert (len(server.seen), caller.calls) == (1, ["before_attempt"])


@pytest.mark.parametrize("case", [*LOST, *SLOW])
def test_no_exception_of_a_lost_answer_counts_as_never_sent(case: str) -> None:
    """What aiohttp raises once a POST was read is of no class that proves the opposite."""
    step, raised, _, _ = {**LOST, **SLOW}[case]

    async def story() -> BaseException:
        timeouts = QUICK if case in LOST else Timeouts(connect_s=5.0, read_s=0.05)
        async with serve(step) as server, open_client(server.root, connections=1, timeouts=timeouts) as client:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is what the test asks
                async with await client.send(Request("POST", client.base_url.join("x"), {}, BODY)) as response:
                    await response.read()
            return caught.value

    exc = asyncio.run(story())

    assert (type(exc).__name__, is_never_sent(exc)) == (raised, False)


def test_an_exception_of_no_known_kind_does_not_count_as_never_sent() -> None:
    """Connection errors of Python itself, and aiohttp's that say nothing of the connection, prove nothing."""
    raw = [ConnectionRefusedError(), OSError(), TimeoutError(), ClientError("x"), ServerTimeoutError("x")]

    assert [is_never_sent(exc) for exc in raw] == [False] * 5


def test_a_reason_phrase_that_is_no_utf_8_harms_nothing() -> None:
    """Only the status counts."""
    text = b"HTTP/1.1 201 \xff\r\nContent-Length: 13\r\n\r\n" + b'{"id":"d99b"}'

    sent, _ = run_script(say(text), caller=Caller())

    assert (sent.verdict, sent.answer.object_id) == (Verdict.CREATED, "d99b")


def test_a_redirect_to_nowhere_is_not_followed() -> None:
    """Whatever the location is, the answer is a redirect, and the row unknown."""
    sent, server = run_script(answer(302, b"", b"Location: http://x:port/"), caller=Caller())

    words = "the service answered 302, a redirect, which is not followed"
    assert (sent.verdict, sent.answer.http_status, sent.answer.message) == (Verdict.UNKNOWN, 302, words)
    assert len(server.seen) == 1


def test_a_connection_reset_while_the_post_is_on_its_way_is_unknown() -> None:
    """How much of the request the server read cannot be known."""

    async def story() -> tuple[Sent, int]:
        async def reset_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readexactly(10)
            reset(writer)

        connections = 0
        server = await asyncio.start_server(reset_early, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, open_client(f"http://127.0.0.1:{port}/beta", connections=1) as client:
            return await post(client, Caller()), connections

    sent, connections = asyncio.run(story())

    assert (sent.verdict, sent.answer.message, connections) == (Verdict.UNKNOWN, BROKE, 1)


def test_a_stale_connection_is_replaced_or_unknown() -> None:
    """The server closes after its first answer: aiohttp sees it and connects anew, or the second POST is unknown."""

    async def story() -> tuple[Verdict, Verdict, int]:
        async with (
            serve(close_after(CREATED_TEXT), CREATED) as server,
            open_client(server.root, connections=1) as client,
        ):
            first = await post(client, Caller())
            second = await post(client, Caller())
            return first.verdict, second.verdict, len(server.seen)

    assert asyncio.run(story()) in {
        (Verdict.CREATED, Verdict.CREATED, 2),
        (Verdict.CREATED, Verdict.UNKNOWN, 1),
    }


def test_a_stale_connection_that_breaks_under_the_post_is_unknown() -> None:
    """The server drops the kept connection as the second POST arrives; aiohttp does not repeat it in secret."""

    async def answer_then_reset_at_the_next_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await CREATED(reader, writer)
        await reader.readexactly(1)
        reset(writer)

    async def story() -> tuple[list[Verdict], int]:
        async with (
            serve(answer_then_reset_at_the_next_byte) as server,
            open_client(server.root, connections=1) as client,
        ):
            sents = [await post(client, Caller()), await post(client, Caller())]
            return [sent.verdict for sent in sents], server.connections

    assert asyncio.run(story()) == ([Verdict.CREATED, Verdict.UNKNOWN], 1)


def test_no_damaged_answer_raises_or_counts_as_created_without_its_id() -> None:
    """300 answers with random damage: each row is POSTed at most once and ends with a verdict."""
    whole = message(201, b'{"id":"d99bc884"}', b"Retry-After: 30,120", b"Set-Cookie: a=b", b"request-id: abc")
    dice = random.Random(20261123)  # noqa: S311 - repeatable damage, no secret

    def damaged() -> bytes:
        text = bytearray(whole)
        for _ in range(dice.randint(1, 5)):
            at = dice.randrange(len(text))
            match dice.randrange(3):
                case 0:
                    text[at] = dice.randrange(256)
                case 1:
                    del text[at : at + dice.randint(1, 9)]
                case _:
                    text[at:at] = dice.randbytes(dice.randint(1, 6))
        return bytes(text)

    async def story() -> tuple[list[Sent], list[str]]:
        steps = [close_after(damaged()) for _ in range(300)]
        async with serve(*steps) as server, open_client(server.root, connections=1, timeouts=QUICK) as client:
            sents = [await post(client, Caller(stop_after=1)) for _ in range(300)]
            return sents, [seen.headers["client-request-id"] for seen in server.seen]

    sents, ids = asyncio.run(story())

    assert len(set(ids)) == len(ids)
    assert {sent.verdict for sent in sents} == {Verdict.CREATED, Verdict.UNKNOWN}
    assert [sent for sent in sents if (sent.verdict is Verdict.CREATED) != (sent.answer.object_id != "")] == []


def test_a_cancelled_attempt_raises_cancelled_error_and_is_not_planned_again() -> None:
    """The POST may have been applied, so the row stays as `before_attempt` left it."""

    async def story() -> int:
        arrived = asyncio.Event()

        async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            arrived.set()
            await reader.read()

        async with serve(hold) as server, open_client(server.root, connections=1) as client:
            attempt = asyncio.create_task(post(client, caller))
            await arrived.wait()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
            await client.aclose()
            return len(server.seen)

    caller = Caller()

    assert (asyncio.run(story()), caller.calls) == (1, ["before_attempt"])


# --- updates and deletes ---


def test_an_update_is_a_patch_of_the_object_with_the_body() -> None:
    """Method, path, body byte for byte and content type are those of Graph's reference."""
    caller = Caller()

    sent, server = run_script(
        answer(200, b"{}", b"request-id: abc-1"), caller=caller, path=OBJECT, operation=Operation.UPDATE
    )

    assert sent == Sent(Verdict.UPDATED, Answer(200, "", "", "", "abc-1", caller.ids[0]), 1)
    [seen] = server.seen
    assert (seen.line, seen.body) == (f"PATCH /beta/{OBJECT} HTTP/1.1", BODY)
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_delete_has_neither_body_nor_content_type() -> None:
    """A gateway may refuse a DELETE with a body, and a body would mean nothing."""
    caller = Caller()

    sent, server = run_script(answer(204), caller=caller, path=OBJECT, operation=Operation.DELETE)

    assert sent == Sent(Verdict.REVERSED, Answer(204, client_request_id=caller.ids[0]), 1)
    [seen] = server.seen
    assert (seen.line, seen.body) == (f"DELETE /beta/{OBJECT} HTTP/1.1", b"")
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "accept-encoding": seen.headers["accept-encoding"],
        "client-request-id": caller.ids[0],
        "content-length": "0",
        "user-agent": "certstate",
    }


@pytest.mark.parametrize(
    "path",
    [
        COLLECTION + "/",
        COLLECTION + "/..",
        COLLECTION + "/.",
        COLLECTION + "/%2e%2e",
        COLLECTION + "/%2E%2E",
        COLLECTION + "/%252e%252e",
        COLLECTION + "/..%2Fx",
        COLLECTION + "/a%2F..",
        COLLECTION + "/a%2f",
        COLLECTION + "/a?b",
        COLLECTION + "/a#b",
        COLLECTION + "/a b",
        COLLECTION + "/a%",
        COLLECTION + "/%41",
        COLLECTION + "/a%0Ab",
        COLLECTION + "/a\r\nHost: evil.example.com",
        "deviceManagement/../users/x",
        "users/x",
        "https://evil.example.com/beta/deviceManagement/x/y",
        "//evil.example.com/beta/deviceManagement/x/y",
    ],
)
@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
def test_a_path_that_is_no_object_below_the_service_root_is_refused(path: str, operation: Operation) -> None:
    """A DELETE that reached a parent would take a whole profile along."""

    async def story() -> int:
        async with serve(answer(204)) as server, open_client(server.root, connections=1) as client:
            with pytest.raises(ConfigError, match=f"is no object below {server.root}/; correct `routes:`"):
                await post(client, caller, path, operation)
            return len(server.seen)

    caller = Caller()

    assert (asyncio.run(story()), caller.calls) == (0, [])


@pytest.mark.parametrize(
    ("object_id", "segment"),
    [
        ("d99bc884", "d99bc884"),
        ("a/b?c#d%e", "a%2Fb%3Fc%23d%25e"),
        ("%2F", "%252F"),
        ("a\\b", "a%5Cb"),
        ("T_x-1.2~3", "T_x-1.2~3"),
        ("a=+;:@&$,!'()*", "a%3D%2B%3B%3A%40%26%24%2C%21%27%28%29%2A"),
        ("M\u00fcnchen 1", "M%C3%BCnchen%201"),
        ("...", "..."),
        ("..a", "..a"),
        ("//evil.example.com", "%2F%2Fevil.example.com"),
    ],
)
@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
def test_an_id_of_any_shape_is_one_segment_and_leaves_as_it_is_encoded(
    object_id: str, segment: str, operation: Operation
) -> None:
    """Aiohttp by itself would undo a part of the encoding on the way."""
    path = object_path(COLLECTION, object_id)

    sent, server = run_script(answer(204), caller=Caller(), path=path, operation=operation)

    assert path == f"{COLLECTION}/{segment}"
    assert server.seen[0].line.split(" ")[1] == f"/beta/{COLLECTION}/{segment}"
    assert sent.attempts == 1


UPDATE_AND_DELETE = [
    (200, Verdict.UPDATED, Verdict.REVERSED),
    (201, Verdict.UNKNOWN, Verdict.UNKNOWN),
    (202, Verdict.UNKNOWN, Verdict.UNKNOWN),
    (204, Verdict.UPDATED, Verdict.REVERSED),
    (302, Verdict.UNKNOWN, Verdict.UNKNOWN),
    (400, Verdict.REJECTED, Verdict.REJECTED),
    (403, Verdict.STOP_TENANT, Verdict.STOP_TENANT),
    (404, Verdict.MISSING, Verdict.REVERSED),
    (405, Verdict.STOP_ROUTE, Verdict.STOP_ROUTE),
    (406, Verdict.STOP_ROUTE, Verdict.STOP_ROUTE),
    (409, Verdict.UNKNOWN, Verdict.UNKNOWN),
    (410, Verdict.UNKNOWN, Verdict.REVERSED),
    (412, Verdict.UNKNOWN, Verdict.UNKNOWN),
    (413, Verdict.REJECTED, Verdict.REJECTED),
    (415, Verdict.STOP_ROUTE, Verdict.STOP_ROUTE),
    (422, Verdict.REJECTED, Verdict.REJECTED),
    (500, Verdict.UNKNOWN, Verdict.UNKNOWN),
    (501, Verdict.STOP_ROUTE, Verdict.STOP_ROUTE),
    (503, Verdict.UNKNOWN, Verdict.UNKNOWN),
    (504, Verdict.UNKNOWN, Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("status", "updated", "deleted"), UPDATE_AND_DELETE)
def test_each_answer_to_an_update_and_a_delete_is_judged_after_one_request(
    status: int, updated: Verdict, deleted: Verdict
) -> None:
    """The table of the design, over the wire; a Retry-After changes nothing."""
    for operation, verdict in ((Operation.UPDATE, updated), (Operation.DELETE, deleted)):
        caller = Caller()
        step = answer(status, b"", b"Retry-After: 1")

        sent, server = run_script(step, answer(204), caller=caller, path=OBJECT, operation=operation)

        assert (sent.verdict, sent.answer.http_status, sent.attempts) == (verdict, status, 1)
        assert (len(server.seen), caller.calls) == (1, ["before_attempt"])


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
def test_an_update_and_a_delete_are_sent_again_after_401_and_429(operation: Operation) -> None:
    """What was certainly not applied is repeated, as for a create."""
    caller = Caller()

    sent, server = run_script(
        answer(429, b"", b"Retry-After: 7"), answer(401), answer(204), caller=caller, path=OBJECT, operation=operation
    )

    verdict = Verdict.UPDATED if operation is Operation.UPDATE else Verdict.REVERSED
    assert sent == Sent(verdict, Answer(204, client_request_id=caller.ids[2]), 3)
    assert caller.pauses == [7.0]
    assert [seen.headers["authorization"] for seen in server.seen] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN_2}",
    ]


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
@pytest.mark.parametrize("case", [*LOST, *SLOW])
def test_a_lost_answer_to_an_update_or_a_delete_is_unknown_and_not_sent_again(case: str, operation: Operation) -> None:
    """Aiohttp would send a DELETE a second time in secret when the connection broke; here it leaves once."""
    step, _, status, words = {**LOST, **SLOW}[case]
    timeouts = QUICK if case in LOST else Timeouts(connect_s=5.0, read_s=0.05)
    caller = Caller()

    sent, server = run_script(step, answer(204), caller=caller, timeouts=timeouts, path=OBJECT, operation=operation)

    assert sent == Sent(Verdict.UNKNOWN, Answer(http_status=status, message=words, client_request_id=caller.ids[0]), 1)
    assert (len(server.seen), caller.calls) == (1, ["before_attempt"])


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
@pytest.mark.parametrize("end", [close_after, reset_after], ids=["closed", "reset"])
def test_a_half_body_after_200_is_unknown_for_every_operation(
    operation: Operation, end: Callable[[bytes], Step]
) -> None:
    """Only a whole answer is an answer."""
    sent, server = run_script(
        end(message(200, b'{"id":"d99bc884"}')[:-5]), caller=Caller(), path=OBJECT, operation=operation
    )

    assert (sent.verdict, len(server.seen)) == (Verdict.UNKNOWN, 1)
    assert sent.answer.message == "the answer broke off after its status, 200"


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
def test_an_update_or_delete_that_never_left_is_planned_again(operation: Operation) -> None:
    """Nobody listens: one attempt, nothing sent."""

    async def story() -> Sent:
        async with open_client(f"http://127.0.0.1:{unused_port()}/beta", connections=1) as client:
            return await post(client, caller, OBJECT, operation)

    caller = Caller(stop_after=1)

    sent = asyncio.run(story())

    assert (sent.verdict, sent.attempts, caller.calls) == (Verdict.SEND_AGAIN, 1, ["before_attempt", "not_applied"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
def test_a_redirect_of_an_update_or_a_delete_is_not_followed(status: int, operation: Operation) -> None:
    """The server that Location names sees no connection."""

    async def story() -> tuple[Sent, int, int]:
        async with serve(answer(204)) as elsewhere:
            location = f"Location: {elsewhere.root}/{OBJECT}".encode()
            async with (
                serve(answer(status, b"", location)) as server,
                open_client(server.root, connections=1) as client,
            ):
                return await post(client, Caller(), OBJECT, operation), len(server.seen), elsewhere.connections

    sent, requests, connections = asyncio.run(story())

    assert (sent.verdict, requests, connections) == (Verdict.UNKNOWN, 1, 0)


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_an_answer_to_an_update_or_a_delete_that_echoes_the_token_does_not_keep_it(
    status: int, operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither answer nor log hold a piece of it."""
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"error": {"code": TOKEN, "message": f"x Bearer {TOKEN}"}, "id": TOKEN}).encode()

    sent, _ = run_script(answer(status, echo), caller=Caller(), path=OBJECT, operation=operation)

    assert [piece for piece in ("eyJ0eXAi", "first-token", "c2ln") if piece in f"{sent!r} {caplog.text}"] == []


def test_a_redirect_is_not_followed_and_cookies_are_not_kept() -> None:
    """The token goes nowhere but to the service root, and no state of one answer leaks into the next request."""

    async def story() -> tuple[Sent, list[Seen], list[Seen]]:
        async with serve(CREATED) as elsewhere:
            there = f"Location: {elsewhere.root}/x".encode()
            async with (
                serve(answer(307, b"", there, b"Set-Cookie: a=b; Path=/"), CREATED) as server,
                open_client(server.root, connections=1) as client,
            ):
                sent = await post(client, Caller())
                await post(client, Caller())
                return sent, server.seen, elsewhere.seen

    sent, seen, elsewhere = asyncio.run(story())

    assert (sent.verdict, len(seen), elsewhere) == (Verdict.UNKNOWN, 2, [])
    assert "cookie" not in seen[1].headers


def test_an_answer_without_end_is_read_to_a_limit_only() -> None:
    """What a gateway pours out is cut; its status still counts, and the connection is not used again."""

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 X\r\n\r\n")
        while True:  # until the client has closed the connection
            writer.write(b"x" * 100_000)
            await writer.drain()

    sent, server = run_script(pour, caller=Caller())

    assert (sent.verdict, sent.answer.message) == (Verdict.REJECTED, "x" * 297 + "...")
    assert len(server.seen) == 1


# --- never sent ---


def try_unreachable(root: str, *, timeouts: Timeouts = QUICK, environ: dict[str, str] | None = None) -> Sent:
    """Try once at `root`; the attempt must have been planned again."""

    async def story() -> Sent:
        async with open_client(root, connections=1, timeouts=timeouts, environ=environ or {}) as client:
            return await post(client, caller)

    caller = Caller(stop_after=1)
    sent = asyncio.run(story())
    assert (sent.verdict, sent.attempts, caller.calls) == (Verdict.SEND_AGAIN, 1, ["before_attempt", "not_applied"])
    assert caller.lost == [sent.answer]
    return sent


def test_a_refused_connection_was_never_sent() -> None:
    """Nobody listens: the row can be sent again, and the message names host and port."""
    port = unused_port()

    sent = try_unreachable(f"http://127.0.0.1:{port}/beta")

    assert sent.answer.message == f"no connection to 127.0.0.1:{port} came to be: connection refused; nothing was sent"


def test_a_name_that_cannot_be_resolved_was_never_sent() -> None:
    """RFC 2606 reserves .invalid, so the name has no address anywhere."""
    sent = try_unreachable("http://graph.invalid/beta", timeouts=Timeouts(connect_s=30.0))

    assert sent.answer.message == "the name graph.invalid could not be resolved; nothing was sent"


def test_a_tls_handshake_with_a_server_that_speaks_plain_text_was_never_sent() -> None:
    """The request is written only after the handshake."""

    async def story() -> Sent:
        async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(message(400))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, open_client(f"https://127.0.0.1:{port}/beta", connections=1) as client:
            return await post(client, caller)

    caller = Caller(stop_after=1)

    sent = asyncio.run(story())

    assert (sent.verdict, caller.calls) == (Verdict.SEND_AGAIN, ["before_attempt", "not_applied"])
    assert re.fullmatch(
        r"no TLS connection to 127\.0\.0\.1:\d+ came to be: .*wrong version number.*; nothing was sent",
        sent.answer.message,
        re.IGNORECASE,
    )


@pytest.mark.parametrize("end", [lambda writer: writer.close(), reset], ids=["closed", "reset"])
def test_a_connection_that_ends_in_the_tls_handshake_was_never_sent(
    end: Callable[[asyncio.StreamWriter], None],
) -> None:
    """The very same close after the handshake would be unknown."""

    async def story() -> Sent:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            end(writer)

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, open_client(f"https://127.0.0.1:{port}/beta", connections=1) as client:
            return await post(client, Caller(stop_after=1))

    sent = asyncio.run(story())

    assert sent.verdict is Verdict.SEND_AGAIN
    assert re.fullmatch(
        r"no (TLS )?connection to 127\.0\.0\.1:\d+ came to be: .+; nothing was sent", sent.answer.message
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_takes_too_long_was_never_sent(scheme: str) -> None:
    """A full backlog lets no connection through (http); a silent server lets no handshake end (https)."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0 if scheme == "http" else 8)
        waiting = [socket.socket() for _ in range(3 if scheme == "http" else 0)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())

        root = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/beta"
        sent = try_unreachable(root, timeouts=Timeouts(connect_s=0.05, read_s=5.0))

        for each in waiting:
            each.close()

    assert sent.answer.message.endswith("; nothing was sent")


# --- TLS and proxies ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "certstate test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


async def post_over_tls(certificate: Path, environ: dict[str, str]) -> tuple[Sent, int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with serve(CREATED, context=context) as server:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncio reports our own refused handshake
        async with open_client(server.root, connections=1, environ=environ) as client:
            return await post(client, Caller(stop_after=1)), len(server.seen)


def test_a_certificate_of_an_unknown_authority_is_refused_before_anything_is_sent(certificate: Path) -> None:
    """TLS is always verified; the message tells the reason."""
    sent, posts = asyncio.run(post_over_tls(certificate, {}))

    assert (sent.verdict, posts) == (Verdict.SEND_AGAIN, 0)
    assert "CERTIFICATE_VERIFY_FAILED" in sent.answer.message
    assert sent.answer.message.endswith("; nothing was sent")


def test_a_companys_own_authority_is_trusted_through_ssl_cert_file(certificate: Path) -> None:
    """A TLS-inspecting proxy needs no change in certstate."""
    sent, posts = asyncio.run(post_over_tls(certificate, {"SSL_CERT_FILE": str(certificate)}))

    assert (sent.verdict, posts) == (Verdict.CREATED, 1)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["absent", "empty", "text"])
def test_an_unreadable_ssl_cert_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    """A wrong variable is told at once, not as a failing connection hours later."""
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"^SSL_CERT_FILE or SSL_CERT_DIR \(.*roots\.pem\) holds no certificates"):
        open_client("https://graph.microsoft.com/beta", connections=1, environ={"SSL_CERT_FILE": str(path)})


async def post_by_proxy(root: str, environ: dict[str, str], *steps: Step) -> tuple[Sent, list[Seen]]:
    """Send one row to `root` with `PORT` in `environ` standing for a proxy with this script."""
    async with serve(*steps) as proxy:
        told = {name: value.replace("PORT", str(proxy.port)) for name, value in environ.items()}
        async with open_client(root, connections=1, timeouts=QUICK, environ=told) as client:
            return await post(client, Caller(stop_after=1)), proxy.seen


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_PROXY": "http://127.0.0.1:PORT"},
        {"http_proxy": "127.0.0.1:PORT"},
        {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:PORT/"},
        {"HTTP_PROXY": "http://127.0.0.1:PORT", "NO_PROXY": "contoso.com, other.invalid,graph.invalid:8080"},
    ],
    ids=["upper case", "lower case, no scheme", "lower case wins", "NO_PROXY names others"],
)
def test_the_proxy_of_the_environment_is_used(environ: dict[str, str]) -> None:
    """A plain http service is asked for through the proxy, by its whole address."""
    sent, seen = asyncio.run(post_by_proxy("http://graph.invalid/beta", environ, CREATED))

    assert (sent.verdict, [each.line for each in seen]) == (
        Verdict.CREATED,
        [f"POST http://graph.invalid/beta/{COLLECTION} HTTP/1.1"],
    )


def test_the_proxys_password_goes_to_the_proxy() -> None:
    """User and password of the proxy's address become Proxy-Authorization, in UTF-8."""
    environ = {"HTTPS_PROXY": "http://user:p%40%E2%82%AC@127.0.0.1:PORT"}

    _, seen = asyncio.run(post_by_proxy("https://graph.invalid/beta", environ, answer(407)))

    assert seen[0].headers["proxy-authorization"] == "Basic " + base64.b64encode("user:p@\u20ac".encode()).decode()


@pytest.mark.parametrize(
    ("root", "environ"),
    [
        ("http://graph.invalid/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT", "NO_PROXY": "graph.invalid"}),
        ("http://graph.invalid/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT", "no_proxy": ".invalid"}),
        ("http://graph.invalid/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT", "no_proxy": "a.b *.INVALID"}),
        ("http://graph.invalid:8080/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT", "no_proxy": "invalid:8080"}),
        ("http://graph.invalid/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT", "no_proxy": "invalid:80"}),
        ("http://graph.invalid/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT", "NO_PROXY": "contoso.com,*"}),
        ("http://graph.invalid/beta", {"HTTPS_PROXY": "http://127.0.0.1:PORT"}),
        ("http://graph.invalid/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT", "http_proxy": ""}),
        ("http://127.0.0.1:1/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT"}),
        ("http://localhost:1/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT"}),
        ("http://[::1]:1/beta", {"HTTP_PROXY": "http://127.0.0.1:PORT"}),
    ],
)
def test_no_proxy_is_used_where_none_is_meant(root: str, environ: dict[str, str]) -> None:
    """NO_PROXY in its usual spellings, the other scheme's proxy, and always loopback."""
    sent, seen = asyncio.run(post_by_proxy(root, environ, CREATED))

    assert (sent.verdict, seen) == (Verdict.SEND_AGAIN, [])


def test_https_goes_through_the_proxy_by_connect() -> None:
    """The proxy sees the host and neither path, token nor body; a tunnel that it then closes was never sent."""
    environ = {"HTTPS_PROXY": "http://127.0.0.1:PORT"}

    sent, seen = asyncio.run(
        post_by_proxy("https://graph.invalid/beta", environ, close_after(b"HTTP/1.1 200 OK\r\n\r\n"))
    )

    assert [each.line for each in seen] == ["CONNECT graph.invalid:443 HTTP/1.1"]
    assert "authorization" not in seen[0].headers
    assert sent.verdict is Verdict.SEND_AGAIN


def test_a_proxy_that_refuses_connect_is_not_taken_as_proof() -> None:
    """Only a failed connection is never-sent; whatever else happens at a proxy is unknown."""
    environ = {"HTTPS_PROXY": "http://127.0.0.1:PORT"}

    sent, seen = asyncio.run(post_by_proxy("https://graph.invalid/beta", environ, answer(407)))

    assert (sent.verdict, sent.answer.message, len(seen)) == (Verdict.UNKNOWN, "the proxy refused to connect", 1)


def test_a_proxy_that_never_answers_connect_was_never_sent() -> None:
    """No time-out of aiohttp's own ends this wait; ours does, and no worker hangs for ever."""

    async def story() -> Sent:
        async with serve(silent_after(b"")) as proxy:
            environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
            timeouts = Timeouts(connect_s=0.05, read_s=0.05)
            root = "https://graph.invalid/beta"
            async with open_client(root, connections=1, timeouts=timeouts, environ=environ) as client:
                return await post(client, Caller(stop_after=1))

    sent = asyncio.run(story())

    assert (sent.verdict, sent.answer.message) == (
        Verdict.SEND_AGAIN,
        "no connection to graph.invalid came to be in time; nothing was sent",
    )


def test_a_proxy_that_cannot_be_reached_was_never_sent() -> None:
    """The message names the proxy, not the service."""
    port = unused_port()

    sent = try_unreachable("https://graph.invalid/beta", environ={"https_proxy": f"http://127.0.0.1:{port}"})

    assert sent.answer.message == (
        f"no connection to the proxy 127.0.0.1:{port} came to be: connection refused; nothing was sent"
    )


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1080", "http://", "http://user:secret@", "http://h:port", "//h"])
def test_a_proxy_that_is_no_http_proxy_is_named_without_its_password(value: str) -> None:
    """The sentence says which variable and how to write it."""
    with pytest.raises(ConfigError) as caught:
        open_client("https://graph.microsoft.com/beta", connections=1, environ={"https_proxy": value})

    assert str(caught.value) == (
        "HTTPS_PROXY is not the address of an HTTP proxy; write it as http://proxy.contoso.com:8080, or unset it"
    )
