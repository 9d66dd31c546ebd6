"""Reading back: one object, or a whole collection page by page. A GET changes nothing, so it is repeated."""

import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import responses as reason_phrases
from typing import Any
from uuid import uuid4

import httpx

from pipeline.graph.answers import MESSAGE_CHARACTERS, Answered, clean, judge_read
from pipeline.graph.client import Client, Request
from pipeline.graph.exchange import (
    Lost,
    Received,
    exchange,
    headers_of,
    is_same_place,
    repeat,
    url_of,
    without_token,
)
from pipeline.graph.paths import is_usable_id
from pipeline.model import Answer, Verdict

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 6
"""GETs for one page or object: with the back-off they last about half a minute before the service counts as down."""

MOST_PAGES = 1_000_000
"""A list that is longer than this has no end. At 25 objects a page, Intune's smallest, it holds 25 million."""

PAGE_LIMIT_BYTES = 64_000_000

NEXT_LINK = "@odata.nextLink"

# Members of an enumeration that came later are shown as they are, not as unknownFutureValue (Microsoft Graph best
# practices, "Handling future members in evolvable enumerations"): otherwise a value would read as changed.
PREFER = {"Prefer": "include-unknown-enum-members"}


@dataclass(frozen=True, slots=True)
class Access:
    """What a read needs of its caller."""

    token: Callable[[], Awaitable[str]]
    refresh: Callable[[str], Awaitable[str]]  # gives a new token for the one that was refused
    slot: Callable[[], Awaitable[None]]  # awaited before every GET: the read quota
    pause: Callable[[float], Awaitable[None]]  # waits so many seconds, for Retry-After or back-off
    stop: Callable[[], bool]  # the caller is ending: give up at once


class ReadFailedError(Exception):
    """What was to be read could not be read, or not to its end. `str()` is a sentence in plain words.

    `verdict` is REFRESH_TOKEN (the refreshed token was refused too), STOP_TENANT, STOP_ROUTE or STOP_COLLECTION as for
    writes, SEND_AGAIN when the caller stopped it or the last GET never left, and UNKNOWN otherwise.
    """

    def __init__(self, message: str, answer: Answer, verdict: Verdict) -> None:
        super().__init__(message)
        self.answer = answer  # the last one
        self.verdict = verdict


async def read_object(client: Client, path: str, *, access: Access) -> Mapping[str, object] | None:
    """Return the object at `path`, as `object_path` makes it, or None where the service says that it is not there.

    The object has a usable id. Repeats the GET as `sweep` does. Raises ReadFailedError, ConfigError when the path is
    none of an object below the service root, and what the callables of `access` raise.
    """
    url = url_of(client.base_url, path, is_object=True)
    read = _Read(client, url, f"the object {path} could not be read", access)
    try:
        return await read.until_it_is(_as_object)
    except ReadFailedError as failed:
        if failed.answer.http_status in {404, 410} and failed.verdict is Verdict.STOP_COLLECTION:
            return None
        raise


async def sweep(
    client: Client, collection: str, *, access: Access, most_pages: int = MOST_PAGES
) -> AsyncIterator[Sequence[Mapping[str, object]]]:
    """Yield the objects of each page of `collection` until the last page; only when it ends, it is complete.

    Each object has a usable id; one that moves while pages are read may come twice. Nothing is filtered or selected by
    the service, because Intune ignores $filter at times and answers with the whole list. A page is asked for up to
    `MOST_ATTEMPTS` times, with Retry-After or a back-off between; after a 401 once with a refreshed token.

    The next page's link is taken as the service gave it, and only followed when nothing but its query differs from the
    collection's own URL; otherwise the token would go wherever an answer says. Raises ReadFailedError for this, for a
    page that cannot be read, an object without a usable id, a link that comes round again and a list of more than
    `most_pages`; ConfigError when the path is no collection below the service root; what `access` raises.
    """
    first = url_of(client.base_url, collection, is_object=False)
    failing = f"the list of {collection} could not be read to its end"
    url, seen = first, {str(first)}
    while True:
        read = _Read(client, url, failing, access)
        try:
            page = await read.until_it_is(_as_page)
        except ReadFailedError as failed:
            if url != first and failed.verdict is Verdict.STOP_COLLECTION:  # the link ran out, not the collection
                failed.verdict = Verdict.UNKNOWN
            raise
        entities = page["value"]
        for entity in entities:
            if not (isinstance(entity, dict) and isinstance(entity.get("id"), str) and is_usable_id(entity["id"])):
                raise read.failed("an object in it has no id that can be used")
        yield entities
        link = _next_link(page, read)
        if link is None:
            return
        url = _followed(link, first, read)
        if str(url) in seen:
            raise read.failed("the link to its next page leads back to a page that was read before")
        if len(seen) >= most_pages:
            raise read.failed(f"it has no end after {most_pages} pages")
        seen.add(str(url))


async def probe(client: Client, collection: str, *, access: Access) -> bool:
    """Ask once for the collection's first page and return whether the service is up.

    It is up when a whole answer comes with any status below 500 but 429. Does not refresh a token. Raises as `sweep`
    does, but no ReadFailedError.
    """
    url = url_of(client.base_url, collection, is_object=False)
    bearer = await access.token()
    await access.slot()
    if access.stop():
        return False
    got = await _get(client, url, bearer, str(uuid4()))
    return isinstance(got, Received) and got.status < 500 and got.status != 429


class _Read:
    """The attempts at one URL."""

    def __init__(self, client: Client, url: httpx.URL, failing: str, access: Access) -> None:
        self._client, self._url, self._failing, self._access = client, url, failing, access
        self._attempts = 0
        self._never_left = True  # the last attempt
        self._body: dict[str, Any] | None = None
        self.answer = Answer()

    async def until_it_is(self, wanted: Callable[[object], dict[str, Any] | None]) -> dict[str, Any]:
        """Return what `wanted` makes of the body, once it is that. Raises ReadFailedError."""
        if self._access.stop():
            raise self.failed("the run is ending", Verdict.SEND_AGAIN)

        async def attempt(bearer: str) -> Answered:
            await self._access.slot()
            if self._access.stop():
                return Answered(Verdict.SEND_AGAIN, self.answer)
            answered = await self._attempt(bearer, wanted)
            self.answer = answered.answer
            logger.info(
                "GET %s: HTTP %s, client-request-id %s, request-id %s %s",
                self._url.path,
                self.answer.http_status or "none",
                self.answer.client_request_id,
                self.answer.request_id or "none",
                self.answer.message,
            )
            return answered

        answered = await repeat(
            attempt,
            token=self._access.token,
            refresh=self._access.refresh,
            pause=self._access.pause,
            stop=lambda: self._access.stop() or self._attempts >= MOST_ATTEMPTS,
        )
        if self._body is not None:
            return self._body
        if answered.verdict is not Verdict.SEND_AGAIN:
            raise self.failed(_in_words(self.answer), answered.verdict)
        if self._access.stop():
            raise self.failed("the run is ending", Verdict.SEND_AGAIN)
        verdict = Verdict.SEND_AGAIN if self._never_left else Verdict.UNKNOWN
        raise self.failed(f"{_in_words(self.answer)}, the last of {self._attempts} attempts", verdict)

    async def _attempt(self, bearer: str, wanted: Callable[[object], dict[str, Any] | None]) -> Answered:
        client_request_id = str(uuid4())
        self._attempts += 1
        got = await _get(self._client, self._url, bearer, client_request_id)
        self._never_left = isinstance(got, Lost) and got.is_never_sent
        if isinstance(got, Lost):
            answered = Answered(Verdict.SEND_AGAIN, got.answer)
        elif len(got.content) > PAGE_LIMIT_BYTES:
            message = f"the answer is longer than {PAGE_LIMIT_BYTES // 1_000_000} MB"
            answered = Answered(Verdict.UNKNOWN, Answer(got.status, message=message))
        else:
            got = without_token(got, bearer)
            is_read = got.status == 200
            # Only a refusal is looked through for words: a page may have many megabytes.
            answered = judge_read(got.status, got.headers, b"" if is_read else got.content)
            self._body = wanted(_json(got.content)) if is_read else None
            if self._body is not None:  # UNKNOWN only ends the attempts here
                answered = Answered(Verdict.UNKNOWN, replace(answered.answer, message=""))
        return answered._replace(answer=replace(answered.answer, client_request_id=client_request_id))

    def failed(self, why: str, verdict: Verdict = Verdict.UNKNOWN) -> ReadFailedError:
        """Return the error that says why. Does no I/O."""
        answer = replace(self.answer, message=self.answer.message or clean(why, MESSAGE_CHARACTERS))
        return ReadFailedError(f"{self._failing}: {why}", answer, verdict)


async def _get(client: Client, url: httpx.URL, bearer: str, client_request_id: str) -> Received | Lost:
    headers = {**headers_of(bearer, client_request_id), **PREFER}
    return await exchange(client, Request("GET", url, headers), limit_bytes=PAGE_LIMIT_BYTES)


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _as_page(body: object) -> dict[str, Any] | None:
    return body if isinstance(body, dict) and isinstance(body.get("value"), list) else None


def _as_object(body: object) -> dict[str, Any] | None:
    if isinstance(body, dict) and "id" not in body:
        body = body.get("value")  # how every example of a GET by id in Intune's reference shows it
    has_id = isinstance(body, dict) and isinstance(body.get("id"), str) and is_usable_id(body["id"])
    return body if has_id and isinstance(body, dict) else None


def _next_link(page: Mapping[str, Any], read: _Read) -> str | None:
    """Return the link to the next page, None after the last. A link under another name must not end the list."""
    names = [name for name in page if name.casefold().endswith("nextlink")]
    link = page.get(NEXT_LINK)
    if names not in ([], [NEXT_LINK]) or not isinstance(link, str | None):
        raise read.failed("it does not say in the documented way where its next page is")
    return link


def _followed(link: str, first: httpx.URL, read: _Read) -> httpx.URL:
    """Return the URL of `link`, certain that only its query differs from `first`."""
    place, _, _ = link.partition("?")
    path = first.raw_path.decode("ascii")
    try:
        url = httpx.URL(link)
    except (httpx.InvalidURL, ValueError):  # ValueError: a lone surrogate in the query
        url = httpx.URL("")
    if (
        re.fullmatch(r"(?i:https?://[0-9a-z.:\[\]-]+)" + re.escape(path), place, re.ASCII)
        and is_same_place(url, first)
        and url.raw_path.partition(b"?")[0] == first.raw_path
        and not url.fragment
    ):
        return url
    raise read.failed(
        f'its next page is said to be at "{clean(place, MESSAGE_CHARACTERS)}", which is not this list at {first.host}; '
        "that address was not asked and got no token"
    )


def _in_words(answer: Answer) -> str:
    if answer.http_status is None or answer.message.startswith(("HTTP ", "the ")):
        return answer.message
    status = f"HTTP {answer.http_status} {reason_phrases.get(answer.http_status, '')}".rstrip()
    return ": ".join(part for part in (f"{status} {answer.graph_code}".rstrip(), answer.message) if part)
