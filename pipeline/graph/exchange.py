"""One request and its answer or what became of it, and the loop that repeats an attempt. For writes and reads alike."""

import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

import aiohttp
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_exponential_jitter

from pipeline.errors import ConfigError, PreflightError
from pipeline.graph.answers import MESSAGE_CHARACTERS, Answered, clean
from pipeline.graph.client import Client, Request
from pipeline.graph.paths import COLLECTION, is_object_path
from pipeline.model import Answer, Verdict

BACKOFF_S = wait_exponential_jitter(max=60)  # 1, 2, 4 ... 60 s, each with up to 1 s of jitter

NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


def is_never_sent(exc: BaseException) -> bool:
    """Return whether `exc` proves that no byte of the request left: name, connection or TLS handshake failed.

    tests/test_graph_sockets.py holds the whole table. Whatever is not proven may have been applied.
    """
    return isinstance(exc, NEVER_SENT)


def _never_sent_in_words(cause: BaseException, host: str) -> str:
    if not isinstance(cause, aiohttp.ClientConnectorError):
        return f"no connection to {host} came to be in time; nothing was sent"
    where = f"{cause.host}:{cause.port}"  # the proxy's, where it is the proxy that cannot be reached
    match cause:
        case aiohttp.ClientConnectorDNSError():
            return f"the name {cause.host} could not be resolved; nothing was sent"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            reason = clean(str(cause.os_error), MESSAGE_CHARACTERS)
            return f"no TLS connection to {where} came to be: {reason}; nothing was sent"
        case _:
            refused = isinstance(cause.os_error, ConnectionRefusedError)
            reason = "connection refused" if refused else clean(cause.strerror or "closed", MESSAGE_CHARACTERS)
            kind = "the proxy " if isinstance(cause, aiohttp.ClientProxyConnectionError) else ""
            return f"no connection to {kind}{where} came to be: {reason}; nothing was sent"


LOST_IN_WORDS: Mapping[type[BaseException], str] = MappingProxyType(
    {  # the first that fits
        TimeoutError: "no answer came in time",
        aiohttp.ServerDisconnectedError: "the connection was closed before an answer came",
        aiohttp.ClientHttpProxyError: "the proxy refused to connect",
        aiohttp.ClientResponseError: "what came back was no HTTP answer that can be read",
        ValueError: "what came back was no HTTP answer that can be read",
        OSError: "the connection broke before an answer came",
    }
)


def _lost_in_words(exc: BaseException, status: int | None) -> str:
    if status is not None:
        return f"the answer broke off after its status, {status}"
    for kind, words in LOST_IN_WORDS.items():
        if isinstance(exc, kind):
            return words
    return f"the answer was lost ({type(exc).__name__})"


class Received(NamedTuple):
    """A whole answer, or its status and the first `limit_bytes` and more of a body that is too long."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Lost(NamedTuple):
    """No whole answer came. `is_never_sent` is True where no byte of the request left."""

    answer: Answer
    is_never_sent: bool


async def exchange(client: Client, request: Request, *, limit_bytes: int) -> Received | Lost:
    """Send `request` once and return what came back. Reads no further once the body is longer than `limit_bytes`."""
    status = None
    try:
        async with await client.send(request) as response:
            status = response.status
            content = await _read(response, limit_bytes)
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        if is_never_sent(exc):
            return Lost(Answer(message=_never_sent_in_words(exc, request.url.host)), is_never_sent=True)
        return Lost(Answer(http_status=status, message=_lost_in_words(exc, status)), is_never_sent=False)
    return Received(status, _headers(response), content)


async def _read(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > limit_bytes:
            break
    return bytes(content)


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the headers, names in lower case; what comes twice is joined by commas (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


SHORTEST_SECRET = 16
"""Characters. A shorter bearer, such as a rehearsal's, is no secret, and may stand in an id or a word by chance."""


def without_token(got: Received, bearer: str) -> Received:
    """Return the answer with each occurrence of the token taken out of headers and body: it may echo the request."""
    if len(bearer) < SHORTEST_SECRET:
        return got
    headers = {name: value.replace(bearer, "[token]") for name, value in got.headers.items()}
    content = got.content.replace(bearer.encode(), b"[token]")
    if "/" in bearer:  # which may stand in JSON behind a backslash (RFC 8259, 7)
        content = content.replace(bearer.replace("/", r"\/").encode(), b"[token]")
    return Received(got.status, headers, content)


def new_ids(count: int) -> list[str]:
    """Return so many client-request-ids: random UUIDs (RFC 9562, 5.4)."""
    return list(islice(IDS, count))


def _random_ids() -> Iterator[str]:
    while True:  # many at a time: each look for randomness lets go of the interpreter, which others want
        digits = os.urandom(16 * IDS_AT_ONCE).hex()
        yield from (_uuid_of(digits[at : at + 32]) for at in range(0, len(digits), 32))


VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


def _uuid_of(digits: str) -> str:
    """Return the random UUID of so many digits; uuid.UUID takes three times as long to write it."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


IDS_AT_ONCE = 256
IDS = _random_ids()


TOKEN = re.compile(r"[!-~]+")


def headers_of(bearer: str, client_request_id: str) -> dict[str, str]:
    """Return the headers of every request. Raises PreflightError when `bearer` cannot be a token."""
    if not TOKEN.fullmatch(bearer):
        raise PreflightError(
            "the access token is empty or holds blanks, line breaks or other characters that no token has; "
            "copy it again, whole and on one line"
        )
    return {
        "Authorization": f"Bearer {bearer}",
        "Accept": "application/json",
        "client-request-id": client_request_id,
    }


@lru_cache(maxsize=1_000)
def url_of(root: httpx.URL, path: str, *, is_object: bool) -> httpx.URL:
    """Return the URL of the path, certain that it is below `root`. Raises ConfigError when it would not be.

    `path` is a collection's or, with `is_object`, an object's as `object_path` makes it.
    """
    if is_object_path(path) if is_object else COLLECTION.fullmatch(path):
        url = httpx.URL(f"{root}{path}")
        if is_same_place(url, root) and url.raw_path == root.raw_path + path.encode("ascii"):
            return url
    raise ConfigError(
        f'the path "{clean(path, MESSAGE_CHARACTERS)}" is no {"object" if is_object else "collection"} below {root}; '
        "correct `routes:` in config.yaml"
    )


def is_same_place(url: httpx.URL, root: httpx.URL) -> bool:
    """Return whether both have the same scheme, host and port, and `url` carries no user name."""
    return not url.userinfo and (url.scheme, url.raw_host, url.port) == (root.scheme, root.raw_host, root.port)


async def repeat(
    attempt: Callable[[str], Awaitable[Answered]],
    *,
    token: Callable[[], Awaitable[str]],
    refresh: Callable[[str], Awaitable[str]],
    pause: Callable[[float], Awaitable[None]],
    stop: Callable[[], bool],
) -> Answered:
    """Call `attempt` with a bearer token until its verdict is another than SEND_AGAIN, and return the last answer.

    After SEND_AGAIN `pause` waits for Retry-After or, where it is absent, for 1 s doubling to 60 s with jitter. After
    REFRESH_TOKEN the attempt is repeated at once with a token from `refresh`; REFRESH_TOKEN is returned when that one
    was refused too. SEND_AGAIN is returned when `stop()` is true after an attempt that is to be repeated, or after the
    wait. Raises what the callables raise.
    """
    latest: Answered | None = None

    is_first = True

    async def attempt_with_refresh() -> Answered:
        nonlocal latest
        if latest is not None and stop():
            return latest
        bearer = await token()
        latest = await attempt(bearer)
        if latest.verdict is Verdict.REFRESH_TOKEN and stop():
            latest = latest._replace(verdict=Verdict.SEND_AGAIN)
        elif latest.verdict is Verdict.REFRESH_TOKEN:
            latest = await attempt(await refresh(bearer))
        return latest

    async def next_attempt() -> Answered:
        nonlocal is_first
        if is_first and latest is not None:
            is_first = False
            return latest
        return await attempt_with_refresh()

    def wait_s(state: RetryCallState) -> float:
        told_s = latest.retry_after_s if latest else None
        return BACKOFF_S(state) if told_s is None else told_s

    latest = await attempt_with_refresh()
    if latest.verdict is not Verdict.SEND_AGAIN:  # nearly always, and tenacity's loop would cost more than the request
        return latest
    answered: Answered = await AsyncRetrying(
        sleep=pause,
        wait=wait_s,
        retry=retry_if_result(lambda each: each.verdict is Verdict.SEND_AGAIN),
        stop=lambda _: stop(),
        retry_error_callback=lambda _: latest,
    )(next_attempt)
    return answered
