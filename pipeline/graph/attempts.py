"""The POST of one attempt, and the loop that sends again what was certainly not applied."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple
from uuid import uuid4

import aiohttp
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_exponential_jitter

from pipeline.errors import ConfigError, PreflightError
from pipeline.graph.answers import ANSWER_LIMIT_BYTES, MESSAGE_CHARACTERS, Answered, clean, judge
from pipeline.model import Answer, Verdict

logger = logging.getLogger(__name__)

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


class Sent(NamedTuple):
    """How `create` ended."""

    verdict: Verdict
    answer: Answer  # of the last attempt
    attempts: int  # POSTs tried by this call


COLLECTION = re.compile(r"deviceManagement(/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]*)+")


def _build_request(
    client: httpx.AsyncClient, collection: str, body: bytes, headers: dict[str, str] | None = None
) -> httpx.Request:
    """Return the POST, certain that it goes below the service root. Raises ConfigError when it would not."""
    root = client.base_url
    if COLLECTION.fullmatch(collection):
        request = client.build_request("POST", f"{root}{collection}", content=body, headers=headers)
        if (request.url.scheme, request.url.host, request.url.port) == (root.scheme, root.host, root.port) and (
            request.url.raw_path == root.raw_path + collection.encode("ascii")
        ):
            return request
    raise ConfigError(
        f'the path "{clean(collection, MESSAGE_CHARACTERS)}" is no collection below {root}; '
        "correct `routes:` in config.yaml"
    )


async def create(
    client: httpx.AsyncClient,
    collection: str,
    body: bytes,
    *,
    token: Callable[[], Awaitable[str]],
    refresh: Callable[[str], Awaitable[str]],
    before_attempt: Callable[[str], Awaitable[None]],
    not_applied: Callable[[Answer], Awaitable[None]],
    pause: Callable[[float], Awaitable[None]],
    stop_waiting: Callable[[], bool],
) -> Sent:
    """POST `body` to `collection` (a path below the client's service root) and return what is known of the object.

    Sends again only what was certainly not applied: after a 429 or a connection that never came to be, once `pause`
    has waited for Retry-After or, where it is absent, for 1 s doubling to 60 s with jitter; after a 401 at once.

    `token` gives the bearer token of an attempt, `refresh` a new one for the one that was refused. `before_attempt` is
    called with the attempt's client-request-id right before each POST: there the caller waits for its slot and makes
    the intent durable. `not_applied` is called after each attempt that was not applied, a 401 included: there the
    caller makes "planned again" durable. When `stop_waiting()` is true after such an attempt, or after the wait, the
    row is given back with `Verdict.SEND_AGAIN`.

    `Verdict.REFRESH_TOKEN` is returned when the refreshed token was refused too. So with SEND_AGAIN and REFRESH_TOKEN,
    and when `token` or `refresh` raises, the row is planned again already; every other verdict is the caller's to write
    down. A cancelled attempt raises CancelledError: the row stays as `before_attempt` left it.
    Raises ConfigError when the path would leave the service root, PreflightError when a token cannot be a token, and
    what the callables raise.
    """
    _build_request(client, collection, body)
    attempts = 0
    latest: Answered | None = None

    async def post_once(bearer: str) -> Answered:
        nonlocal attempts
        client_request_id = str(uuid4())
        request = _build_request(client, collection, body, _headers(bearer, client_request_id))
        await before_attempt(client_request_id)
        attempts += 1
        answered = await _post(client, request, bearer)
        answered = answered._replace(answer=replace(answered.answer, client_request_id=client_request_id))
        _log(answered, collection)
        if answered.verdict in {Verdict.SEND_AGAIN, Verdict.REFRESH_TOKEN}:
            await not_applied(answered.answer)
        return answered

    async def post_with_refresh() -> Answered:
        nonlocal latest
        if latest is not None and stop_waiting():
            return latest
        bearer = await token()
        latest = await post_once(bearer)
        if latest.verdict is Verdict.REFRESH_TOKEN and stop_waiting():
            latest = latest._replace(verdict=Verdict.SEND_AGAIN)
        elif latest.verdict is Verdict.REFRESH_TOKEN:
            latest = await post_once(await refresh(bearer))
        return latest

    def wait_s(state: RetryCallState) -> float:
        told_s = latest.retry_after_s if latest else None
        return BACKOFF_S(state) if told_s is None else told_s

    answered: Answered = await AsyncRetrying(
        sleep=pause,
        wait=wait_s,
        retry=retry_if_result(lambda each: each.verdict is Verdict.SEND_AGAIN),
        stop=lambda _: stop_waiting(),
        retry_error_callback=lambda _: latest,
    )(post_with_refresh)
    return Sent(answered.verdict, answered.answer, attempts)


def _headers(bearer: str, client_request_id: str) -> dict[str, str]:
    if not re.fullmatch(r"[!-~]+", bearer):
        raise PreflightError(
            "the access token is empty or holds blanks, line breaks or other characters that no token has; "
            "copy it again, whole and on one line"
        )
    return {
        "Authorization": f"Bearer {bearer}",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "client-request-id": client_request_id,
    }


async def _post(client: httpx.AsyncClient, request: httpx.Request, bearer: str) -> Answered:
    status = None
    try:
        response = await client.send(request, stream=True)
        try:
            status = response.status_code
            content = await _read(response)
        finally:
            await response.aclose()
    # ValueError: httpx-aiohttp 0.2 raises UnicodeEncodeError for a reason phrase that is not UTF-8.
    except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as exc:
        if is_never_sent(exc):
            return Answered(Verdict.SEND_AGAIN, Answer(message=_never_sent_in_words(exc, request.url.host)))
        return Answered(Verdict.UNKNOWN, Answer(http_status=status, message=_lost_in_words(exc, status)))
    if status != 201:  # an error page may echo the request, and so the token
        content = content.replace(bearer.encode(), b"[token]")
    return judge(status, response.headers, content)


async def _read(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > ANSWER_LIMIT_BYTES:
            break
    return bytes(content)


def _log(answered: Answered, collection: str) -> None:
    answer = answered.answer
    logger.info(
        "POST %s: %s, HTTP %s, client-request-id %s, request-id %s %s",
        collection,
        answered.verdict,
        answer.http_status or "none",
        answer.client_request_id,
        answer.request_id or "none",
        answer.message,
    )
