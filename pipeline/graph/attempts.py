"""The write of one row: its attempts, of which only those that were certainly not applied are repeated."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from pipeline.graph.answers import ANSWER_LIMIT_BYTES, Answered, judge
from pipeline.graph.client import Client, Request
from pipeline.graph.exchange import Lost, exchange, headers_of, new_ids, repeat, url_of, without_token
from pipeline.model import Answer, Operation, Verdict

logger = logging.getLogger(__name__)

METHODS: Mapping[Operation, str] = MappingProxyType(
    {Operation.CREATE: "POST", Operation.UPDATE: "PATCH", Operation.DELETE: "DELETE"}
)


class Sent(NamedTuple):
    """How `write` ended."""

    verdict: Verdict
    answer: Answer  # of the last attempt
    attempts: int  # requests tried by this call


async def write(
    client: Client,
    operation: Operation,
    path: str,
    body: bytes,
    *,
    token: Callable[[], Awaitable[str]],
    refresh: Callable[[str], Awaitable[str]],
    before_attempt: Callable[[str], Awaitable[None]],
    not_applied: Callable[[Answer], Awaitable[None]],
    pause: Callable[[float], Awaitable[None]],
    stop_waiting: Callable[[], bool],
) -> Sent:
    """Send `body` to `path` (below the client's service root) and return what is known of the object.

    A create is a POST to a collection, an update a PATCH and a delete a DELETE, without `body`, to an object's path as
    `object_path` makes it. Sends again only what was certainly not applied: after a 429 or a connection that never
    came to be, once `pause` has waited for Retry-After or, where it is absent, for 1 s doubling to 60 s with jitter;
    after a 401 at once.

    `token` gives the bearer token of an attempt, `refresh` a new one for the one that was refused. `before_attempt` is
    called with the attempt's client-request-id right before each request: there the caller waits for its slot and makes
    the intent durable. `not_applied` is called after each attempt that was not applied, a 401 included: there the
    caller makes "planned again" durable. When `stop_waiting()` is true after such an attempt, or after the wait, the
    row is given back with `Verdict.SEND_AGAIN`.

    `Verdict.REFRESH_TOKEN` is returned when the refreshed token was refused too. So with SEND_AGAIN and REFRESH_TOKEN,
    and when `token` or `refresh` raises, the row is planned again already; every other verdict is the caller's to write
    down. A cancelled attempt raises CancelledError: the row stays as `before_attempt` left it.
    Raises ConfigError when the path would leave the service root, PreflightError when a token cannot be a token, and
    what the callables raise.
    """
    method = METHODS[operation]
    url = url_of(client.base_url, path, is_object=operation is not Operation.CREATE)
    is_delete = operation is Operation.DELETE
    content_type = {} if is_delete else {"Content-Type": "application/json"}
    attempts = 0

    async def attempt(bearer: str) -> Answered:
        nonlocal attempts
        (client_request_id,) = new_ids(1)
        headers = headers_of(bearer, client_request_id) | content_type
        request = Request(method, url, headers, None if is_delete else body)
        await before_attempt(client_request_id)
        attempts += 1
        answered = await _send(client, request, operation, bearer)
        answered = answered._replace(answer=replace(answered.answer, client_request_id=client_request_id))
        _log(answered, method, path)
        if answered.verdict in {Verdict.SEND_AGAIN, Verdict.REFRESH_TOKEN}:
            await not_applied(answered.answer)
        return answered

    answered = await repeat(attempt, token=token, refresh=refresh, pause=pause, stop=stop_waiting)
    return Sent(answered.verdict, answered.answer, attempts)


async def _send(client: Client, request: Request, operation: Operation, bearer: str) -> Answered:
    got = await exchange(client, request, limit_bytes=ANSWER_LIMIT_BYTES)
    if isinstance(got, Lost):
        return Answered(Verdict.SEND_AGAIN if got.is_never_sent else Verdict.UNKNOWN, got.answer)
    got = without_token(got, bearer)
    return judge(got.status, got.headers, got.content, operation)


def _log(answered: Answered, method: str, path: str) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    answer = answered.answer
    logger.info(
        "%s %s: %s, HTTP %s, client-request-id %s, request-id %s %s",
        method,
        path,
        answered.verdict,
        answer.http_status or "none",
        answer.client_request_id,
        answer.request_id or "none",
        answer.message,
    )
