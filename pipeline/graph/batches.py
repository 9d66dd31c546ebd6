"""Many rows in one `$batch` request: each is an item of its own, with an outcome of its own.

After Microsoft's json-batching.md of 2025-02-21: at most 20 items, ids compared without case, a url relative to the
version root, answers in any order, 200 for the batch whatever became of its items.
"""

import json
import logging
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import httpx

from pipeline.graph.answers import Answered, json_of, judge, judge_success, request_id_of
from pipeline.graph.attempts import METHODS
from pipeline.graph.client import Client, Request
from pipeline.graph.exchange import (
    Lost,
    Received,
    exchange,
    headers_of,
    new_ids,
    repeat,
    url_of,
    without_token,
)
from pipeline.graph.paths import path_of
from pipeline.model import Answer, Operation, PlannedRow, Verdict

logger = logging.getLogger(__name__)

MOST_ITEMS = 20

MOST_BYTES = 1_000_000
"""Of a batch's body: Graph takes 4 MB, and aiohttp warns of bodies beyond 1 MiB. 20 rows have some 20 kB."""

ANSWER_LIMIT_BYTES = 20_000_000
"""An answer repeats the rows' values, each with what the service adds to it."""

NOT_APPLIED = frozenset({Verdict.SEND_AGAIN, Verdict.REFRESH_TOKEN})

REFUSES_BATCHES = frozenset({Verdict.STOP_TENANT, Verdict.STOP_COLLECTION, Verdict.STOP_ROUTE})
"""What a refused batch as a whole says of `$batch`; what it means for the rows, they are told one by one."""

RowAnswered = tuple[PlannedRow, Answered]


class BatchEnd(NamedTuple):
    """How `write_batch` ended."""

    verdict: Verdict  # of the last batch as a whole, where rows are left
    answer: Answer
    left: tuple[PlannedRow, ...] = ()  # planned again, or never tried


async def write_batch(
    client: Client,
    rows: Sequence[PlannedRow],
    *,
    token: Callable[[], Awaitable[str]],
    refresh: Callable[[str], Awaitable[str]],
    before_attempt: Callable[[Sequence[PlannedRow], Sequence[str]], Awaitable[int]],
    after_attempt: Callable[[Sequence[RowAnswered]], Awaitable[None]],
    pause: Callable[[float], Awaitable[None]],
    stop_waiting: Callable[[], bool],
) -> BatchEnd:
    """Send up to `MOST_ITEMS` creates and updates as items of a batch, and return what is left of them.

    Sends again only what was certainly not applied, as `attempts.write` does: an item after a 429, once `pause` has
    waited for the longest Retry-After of them, or after a 401 or a 424; the batch as a whole after a connection that
    never came to be, a 401 or a 429. After a 413 it is sent in halves.

    `before_attempt` is called with the rows and their client-request-ids right before a batch leaves: it waits for
    slots, makes the intent of that many first rows durable, and returns how many these are; only they leave, the others
    follow. `after_attempt` is called with what became of each of them: for `send again` and `refresh token` the caller
    makes "planned again" durable, every other outcome is final. An item whose answer is missing, doubled or unreadable
    is unknown, and so are all when the batch's own answer was lost.

    Nothing is left when every row has its outcome. Otherwise the verdict is SEND_AGAIN when `stop_waiting()` said so,
    REFRESH_TOKEN when the refreshed token was refused too, one of REFUSES_BATCHES when the service takes no batch at
    all, and REJECTED when it refused this one as malformed: nothing of it was applied, and the rows may go one by one.
    Raises as `attempts.write` does.
    """
    left = list(rows)
    most = MOST_ITEMS
    answered = Answered(Verdict.SEND_AGAIN, Answer())
    for path, is_object in {(path_of(row), row.operation is not Operation.CREATE) for row in left}:
        url_of(client.base_url, path, is_object=is_object)

    async def attempt(bearer: str) -> Answered:
        nonlocal left, most
        batch = _fitting(left, most)
        own_id, *ids = new_ids(1 + len(batch))
        headers = headers_of(bearer, own_id) | {"Content-Type": "application/json"}
        count = await before_attempt(batch, ids)
        batch, ids = batch[:count], ids[:count]
        whole, items = await _send(client, batch, ids, headers, bearer)
        _log(whole, items, own_id)
        again = [row for row, each in zip(batch, items, strict=True) if each.verdict in NOT_APPLIED]
        left = [*again, *left[count:]]
        await after_attempt(list(zip(batch, items, strict=True)))
        if whole.answer.http_status == 413 and count > 1:
            most = count // 2
            return whole._replace(verdict=Verdict.UNKNOWN)  # which ends this round of attempts, not the rows
        return whole

    while left:
        answered = await repeat(attempt, token=token, refresh=refresh, pause=pause, stop=stop_waiting)
        if answered.verdict in {*NOT_APPLIED, *REFUSES_BATCHES, Verdict.REJECTED}:
            return BatchEnd(answered.verdict, answered.answer, tuple(left))
        if left and stop_waiting():
            return BatchEnd(Verdict.SEND_AGAIN, answered.answer, tuple(left))
    return BatchEnd(answered.verdict, answered.answer)


def _fitting(rows: Sequence[PlannedRow], most: int) -> list[PlannedRow]:
    """Return the first rows that go into one batch; always one, which may be too large by itself."""
    fitting: list[PlannedRow] = []
    size = 0
    for row in rows[:most]:
        size += len(row.body) + 1_000  # what stands around the body
        if fitting and size > MOST_BYTES:
            break
        fitting.append(row)
    return fitting


def _body(rows: Sequence[PlannedRow], client_request_ids: Sequence[str]) -> bytes:
    """Return the batch's JSON. The rows' bodies are JSON already, and nothing else in it needs an escape."""
    items = [
        b'{"id":"%d",%b"%b"},"body":%b}' % (number, _opening(row.operation, path_of(row)), its_id.encode(), row.body)
        for number, (row, its_id) in enumerate(zip(rows, client_request_ids, strict=True), start=1)
    ]
    return b'{"requests":[%b]}' % b",".join(items)


@lru_cache(maxsize=1_000)
def _opening(operation: Operation, path: str) -> bytes:
    """Return what stands in an item between its id and its client-request-id."""
    return b'"method":"%b","url":"/%b","headers":{"Content-Type":"application/json","client-request-id":' % (
        METHODS[operation].encode(),
        path.encode("ascii"),
    )


async def _send(
    client: Client,
    rows: Sequence[PlannedRow],
    client_request_ids: Sequence[str],
    headers: Mapping[str, str],
    bearer: str,
) -> tuple[Answered, list[Answered]]:
    """Send the batch once; return what its answer means as a whole, and for each row."""
    request = Request("POST", _batch_url(client.base_url), headers, _body(rows, client_request_ids))
    got = await exchange(client, request, limit_bytes=ANSWER_LIMIT_BYTES)
    if isinstance(got, Lost):
        whole = Answered(Verdict.SEND_AGAIN if got.is_never_sent else Verdict.UNKNOWN, got.answer)
        return whole, _all(whole, client_request_ids)
    got = without_token(got, bearer)
    responses = _responses(got)
    whole = judge(got.status, got.headers, got.content if responses is None else b"")
    if responses is None:
        if 200 <= got.status < 300:
            message = f"the service answered the batch with {got.status} and something that cannot be read"
            whole = Answered(Verdict.UNKNOWN, replace(whole.answer, object_id="", message=message))
        return whole, _all(whole, client_request_ids)
    items = [
        _item(row, its_id, responses.get(str(number)), got, bearer)
        for number, (row, its_id) in enumerate(zip(rows, client_request_ids, strict=True), start=1)
    ]
    return _summary(whole._replace(answer=replace(whole.answer, message="")), items), items


@lru_cache(maxsize=4)
def _batch_url(root: httpx.URL) -> httpx.URL:
    return httpx.URL(f"{root}$batch")


def _all(whole: Answered, client_request_ids: Sequence[str]) -> list[Answered]:
    """Return what an answer to the batch means for each row: one that refuses it judges no row."""
    is_applied_perhaps = whole.verdict not in {*NOT_APPLIED, *REFUSES_BATCHES, Verdict.REJECTED}
    verdict = whole.verdict if whole.verdict in NOT_APPLIED else Verdict.SEND_AGAIN
    each = whole._replace(verdict=Verdict.UNKNOWN if is_applied_perhaps else verdict)
    return [_with_id(each, its_id) for its_id in client_request_ids]


def _with_id(answered: Answered, client_request_id: str) -> Answered:
    return answered._replace(answer=replace(answered.answer, client_request_id=client_request_id))


def _summary(whole: Answered, items: Sequence[Answered]) -> Answered:
    """Return what is to be done about the batch: wait, renew the token, or nothing."""
    waits = [each for each in items if each.verdict is Verdict.SEND_AGAIN]
    if waits:
        # The longest: the items were refused by one quota.
        return max(waits, key=lambda each: each.retry_after_s or 0.0)
    refused = (each for each in items if each.verdict is Verdict.REFRESH_TOKEN)
    return next(refused, whole._replace(verdict=Verdict.UNKNOWN))


TOLD_TWICE = object()


def _responses(got: Received) -> dict[str, object] | None:
    """Return the answers to the items by their ids, None where there are none to be read.

    They come with a 200. That the batch fails with 424 when items are throttled, as Microsoft's throttling.md says,
    has not been seen (microsoft-graph-docs-contrib issue 8883); it may hold answers all the same.
    """
    if got.status not in {200, 424}:
        return None
    body = json_of(got.content)
    answers = body.get("responses") if isinstance(body, dict) else None
    if not isinstance(answers, list):
        return None
    found: dict[str, object] = {}
    for each in answers:
        item_id = each.get("id") if isinstance(each, dict) else None
        if isinstance(item_id, str):
            found[item_id] = TOLD_TWICE if item_id in found else each
    return found


def _item(row: PlannedRow, client_request_id: str, item: object, got: Received, bearer: str) -> Answered:
    """Return what the answer to one item means, which stands in for the answer to a request of its own.

    Where it has no request-id or Date, those of the batch count.
    """
    request_id = request_id_of(got.headers)
    status = item.get("status") if isinstance(item, dict) else None
    if not isinstance(item, dict) or type(status) is not int:
        if item is TOLD_TWICE:
            problem = "tells two things of this row"
        else:
            problem = "tells nothing of this row" if item is None else "tells nothing of this row that can be read"
        answer = Answer(None, "", "", f"the answer to the batch {problem}", request_id, client_request_id)
        return Answered(Verdict.UNKNOWN, answer)
    told = item.get("headers")
    its_own = told if isinstance(told, dict) else {}
    fields = {name.lower(): value for name, value in its_own.items() if isinstance(value, str)}
    fields.setdefault("date", got.headers.get("date", ""))
    if 200 <= status < 300:
        request_id = request_id_of(fields) or request_id
        entity = item.get("body")
        return judge_success(
            status, fields, entity, row.operation, request_id=request_id, client_request_id=client_request_id
        )
    refusal = without_token(Received(status, fields, _content_of(item.get("body"))), bearer)
    verdict, answer, retry_after_s = judge(status, refusal.headers, refusal.content, row.operation)
    answer = replace(answer, request_id=answer.request_id or request_id, client_request_id=client_request_id)
    # 424: the service kept the item back because of another one.
    return Answered(Verdict.SEND_AGAIN if status == 424 else verdict, answer, retry_after_s)


def _content_of(body: object) -> bytes:
    """Return an item's body as it would stand in an answer of its own. What is no JSON comes in base64."""
    if isinstance(body, str):
        try:
            return b64decode(body, validate=True)
        except ValueError:
            return body.encode(errors="replace")
    return b"" if body is None else json.dumps(body, ensure_ascii=False).encode(errors="replace")


def _log(whole: Answered, items: Sequence[Answered], client_request_id: str) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    logger.info(
        "POST $batch of %d rows: %s, HTTP %s, client-request-id %s, request-id %s %s",
        len(items),
        ", ".join(f"{count} {verdict}" for verdict, count in Counter(each.verdict for each in items).items()),
        whole.answer.http_status or "none",
        client_request_id,
        whole.answer.request_id or "none",
        whole.answer.message,
    )
