"""One request and its answer or what became of it, and the loop that repeats an attempt. For writes and reads alike."""

import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import aiohttp
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_exponential_jitter

from pipeline.errors import ConfigError, PreflightError
from pipeline.graph.answers import MESSAGE_CHARACTERS, Answered, clean
from pipeline.graph.paths import COLLECTION, is_object_path
from pipeline.model import Answer, Verdict

BACKOFF_S = wait_exponential_jitter(max=60)  # 1, 2, 4 ... 60 s, each with up to 1 s of jitter

NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


def is_never_sent(exc: BaseException) -> bool:
    """Return whether `exc` proves that no byte of the request left: name, connection or TLS handshake failed.

    The proof is aiohttp's own exception, or its being the direct cause of httpx's. The class that httpx-aiohttp 0.2
    raises proves nothing: a connection that was closed after the POST was read also surfaces as httpx.ConnectTimeout
    (tests/test_graph_sockets.py holds the whole table). Whatever is not proven may have been applied.
    """
    return isinstance(exc, NEVER_SENT) or isinstance(exc.__cause__, NEVER_SENT)


def _never_sent_in_words(exc: BaseException, host: str) -> str:
    cause = exc if isinstance(exc, NEVER_SENT) else exc.__cause__
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
        if isinstance(exc, kind) or isinstance(exc.__cause__, kind):
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


async def exchange(client: httpx.AsyncClient, request: httpx.Request, *, limit_bytes: int) -> Received | Lost:
    """Send `request` once and return what came back. Reads no further once the body is longer than `limit_bytes`."""
    status = None
    try:
        response = await client.send(request, stream=True)
        try:
            status = response.status_code
            content = await _read(response, limit_bytes)
        finally:
            await response.aclose()
    # ValueError: httpx-aiohttp 0.2 raises UnicodeEncodeError for a reason phrase that is not UTF-8.
    except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as exc:
        if is_never_sent(exc):
            return Lost(Answer(message=_never_sent_in_words(exc, request.url.host)), is_never_sent=True)
        return Lost(Answer(http_status=status, message=_lost_in_words(exc, status)), is_never_sent=False)
    return Received(status, response.headers, content)


async def _read(response: httpx.Response, limit_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > limit_bytes:
            break
    return bytes(content)


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


def headers_of(bearer: str, client_request_id: str) -> dict[str, str]:
    """Return the headers of every request. Raises PreflightError when `bearer` cannot be a token."""
    if not re.fullmatch(r"[!-~]+", bearer):
        raise PreflightError(
            "the access token is empty or holds blanks, line breaks or other characters that no token has; "
            "copy it again, whole and on one line"
        )
    return {
        "Authorization": f"Bearer {bearer}",
        "Accept": "application/json",
        "client-request-id": client_request_id,
    }


def build_request(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    is_object: bool = False,
) -> httpx.Request:
    """Return the request, certain that it goes below the service root. Raises ConfigError when it would not.

    `path` is a collection's or, with `is_object`, an object's as `object_path` makes it.
    """
    root = client.base_url
    if is_object_path(path) if is_object else COLLECTION.fullmatch(path):
        request = client.build_request(method, f"{root}{path}", content=body, headers=headers)
        if is_same_place(request.url, root) and request.url.raw_path == root.raw_path + path.encode("ascii"):
            return request
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

    def wait_s(state: RetryCallState) -> float:
        told_s = latest.retry_after_s if latest else None
        return BACKOFF_S(state) if told_s is None else told_s

    answered: Answered = await AsyncRetrying(
        sleep=pause,
        wait=wait_s,
        retry=retry_if_result(lambda each: each.verdict is Verdict.SEND_AGAIN),
        stop=lambda _: stop(),
        retry_error_callback=lambda _: latest,
    )(attempt_with_refresh)
    return answered
