"""What an answer means, read from its status, headers and body. Pure functions."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from http.client import responses as reason_phrases
from types import MappingProxyType
from typing import NamedTuple

from pydantic_core import from_json

from pipeline.graph.paths import is_usable_id
from pipeline.model import Answer, Operation, Verdict

ANSWER_LIMIT_BYTES = 1_000_000  # an entity has about 1 kB; what comes beyond this is not read
MESSAGE_CHARACTERS = 300
CODE_CHARACTERS = 100
RETRY_AFTER_FLOOR_S = 1.0  # "0" and "0,120" occur, and asking at once counts against the quota again
RETRY_AFTER_CAP_S = 3600.0  # no quota of Graph is longer; a larger number is a mistake and would stall the run


class Answered(NamedTuple):
    """What one answer means."""

    verdict: Verdict
    answer: Answer
    retry_after_s: float | None = None  # None: the service did not say


VERDICTS: Mapping[int, Verdict] = MappingProxyType(
    {
        400: Verdict.REJECTED,
        401: Verdict.REFRESH_TOKEN,
        403: Verdict.STOP_TENANT,
        404: Verdict.STOP_COLLECTION,
        405: Verdict.STOP_ROUTE,
        406: Verdict.STOP_ROUTE,
        413: Verdict.REJECTED,
        415: Verdict.STOP_ROUTE,
        422: Verdict.REJECTED,
        429: Verdict.SEND_AGAIN,
        501: Verdict.STOP_ROUTE,
    }
)
"""What a status means as an answer to a create; 201 with an id is `created`, any other status is `unknown`."""

VERDICTS_OF: Mapping[Operation, Mapping[int, Verdict]] = MappingProxyType(
    {
        Operation.CREATE: VERDICTS,
        Operation.UPDATE: {**VERDICTS, 200: Verdict.UPDATED, 204: Verdict.UPDATED, 404: Verdict.MISSING},
        Operation.DELETE: {
            **VERDICTS,
            200: Verdict.REVERSED,
            204: Verdict.REVERSED,
            404: Verdict.REVERSED,
            410: Verdict.REVERSED,
        },
    }
)
"""What a status means as an answer to each operation; a status that is not there is `unknown`."""

READ_VERDICTS: Mapping[int, Verdict] = MappingProxyType(
    {
        401: Verdict.REFRESH_TOKEN,
        403: Verdict.STOP_TENANT,
        404: Verdict.STOP_COLLECTION,
        405: Verdict.STOP_ROUTE,
        406: Verdict.STOP_ROUTE,
        408: Verdict.SEND_AGAIN,
        409: Verdict.SEND_AGAIN,
        410: Verdict.STOP_COLLECTION,
        415: Verdict.STOP_ROUTE,
        423: Verdict.SEND_AGAIN,
        424: Verdict.SEND_AGAIN,
        425: Verdict.SEND_AGAIN,
        429: Verdict.SEND_AGAIN,
        501: Verdict.STOP_ROUTE,
    }
)
"""What a status means as an answer to a GET. A 2xx that cannot be used and any other 5xx are `send again`, since a GET
changes nothing; a status that is not there, such as 400 or a redirect, would be the same the next time."""

# Intune documents operations that it does not implement, and says so with a 400 (microsoft-graph-docs issues 4984,
# 19924). Said with a 404, it would otherwise pass for an object that is gone.
NOT_IMPLEMENTED = ("no odata route", "no method match route template")


def judge(status: int, headers: Mapping[str, str], content: bytes, operation: Operation = Operation.CREATE) -> Answered:
    """Return what an answer to a write means: the table `VERDICTS_OF`, the new object's id, the error in plain words.

    A pure function: a Retry-After date is counted from the answer's own Date, so a wrong clock here does no harm.
    """
    if 200 <= status < 300:
        fields, entity = _lower(headers), _json(content) if status == 201 else None
        return judge_success(status, fields, entity, operation, request_id=request_id_of(fields, content))
    answered, is_not_implemented = _read_refusal(status, headers, content)
    answer = answered.answer
    verdict = VERDICTS_OF[operation].get(status, Verdict.UNKNOWN)
    if is_not_implemented:
        verdict = Verdict.STOP_ROUTE
    elif verdict is Verdict.REVERSED:
        gone = clean(f"the object was gone already: {answer.message}", MESSAGE_CHARACTERS)
        answer = replace(answer, message=gone)
    return answered._replace(verdict=verdict, answer=answer)


def judge_read(status: int, headers: Mapping[str, str], content: bytes) -> Answered:
    """Return what an answer to a GET means that brought nothing to read: the table `READ_VERDICTS`."""
    answered, is_not_implemented = _read_refusal(status, headers, content)
    passing = Verdict.SEND_AGAIN if 200 <= status < 300 or status >= 500 else Verdict.UNKNOWN
    verdict = Verdict.STOP_ROUTE if is_not_implemented else READ_VERDICTS.get(status, passing)
    if 200 <= status < 300:
        message = f"the service answered {status} with something that is not what was asked for, or cannot be read"
        return answered._replace(verdict=verdict, answer=replace(answered.answer, graph_code="", message=message))
    return answered._replace(verdict=verdict)


def judge_success(
    status: int,
    fields: Mapping[str, str],
    entity: object,
    operation: Operation,
    *,
    request_id: str,
    client_request_id: str = "",
) -> Answered:
    """Return what a 2xx to a write means: `judge` for headers in lower case and a body that is read already."""
    is_create = operation is Operation.CREATE
    if is_create and status == 201:
        if object_id := _object_id(entity):
            return Answered(Verdict.CREATED, Answer(status, object_id, "", "", request_id, client_request_id))
        problem = "without the id of the new object"
    elif (verdict := VERDICTS_OF[operation].get(status)) is not None:
        return Answered(verdict, Answer(status, "", "", "", request_id, client_request_id))
    else:
        problem = f"where {'201' if is_create else '200 or 204'} was due"
    answer = Answer(status, "", "", f"the service answered {status} {problem}", request_id, client_request_id)
    return Answered(Verdict.UNKNOWN, answer, _retry_after_s(fields))


def _read_refusal(status: int, headers: Mapping[str, str], content: bytes) -> tuple[Answered, bool]:
    """Return the answer in plain words, as `unknown`, and whether it says that the operation is not implemented."""
    fields = _lower(headers)
    answer = Answer(http_status=status, request_id=request_id_of(fields, content))
    if 300 <= status < 400:
        message = f"the service answered {status}, a redirect, which is not followed"
        return Answered(Verdict.UNKNOWN, replace(answer, message=message), _retry_after_s(fields)), False
    code, message = _error_texts(content, fields.get("content-type", ""))
    words = f"{code}\n{message}".lower()
    is_not_implemented = status in {400, 404} and any(phrase in words for phrase in NOT_IMPLEMENTED)
    code, message = clean(code, CODE_CHARACTERS), clean(message, MESSAGE_CHARACTERS)
    message = message or f"HTTP {status} {reason_phrases.get(status, '')}".rstrip() + " without a message"
    answer = replace(answer, graph_code=code, message=message)
    return Answered(Verdict.UNKNOWN, answer, _retry_after_s(fields)), is_not_implemented


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _retry_after_s(fields: Mapping[str, str]) -> float | None:
    return parse_retry_after(fields.get("retry-after"), _http_date(fields.get("date", "")))


def _object_id(entity: object) -> str:
    object_id = _text(entity.get("id")) if isinstance(entity, dict) else ""
    return object_id if is_usable_id(object_id) else ""


REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}")

# Where the header is absent: innerError's member, or Intune's "Activity ID", which equals it (contrib issue 4157).
REQUEST_ID_IN_BODY = re.compile(
    rb'(?:"request-id\\{0,9}"\s{0,9}:\s{0,9}\\{0,9}"|Activity ID:\s{0,9})([0-9a-fA-F-]{36})(?![0-9a-fA-F-])'
)


def request_id_of(fields: Mapping[str, str], content: bytes = b"") -> str:
    """Return the service's id of a request, from the headers (in lower case) or else the body, "" where it has none."""
    told = fields.get("request-id", "").strip()
    if REQUEST_ID.fullmatch(told):
        return told
    found = REQUEST_ID_IN_BODY.search(content) if content else None
    return str(found[1], "ascii") if found else ""


def parse_retry_after(text: str | None, now: datetime | None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait, or None where it is absent or not understood.

    Graph sends whole seconds, "2.128", and lists such as "30,120" and "0,120", of which the largest counts
    (msgraph-sdk-python issue 1159, msgraph-sdk-java-core issue 732). RFC 9110, 10.2.3 also allows a date: it is
    counted from `now`, which has its zone; without `now` it is not understood. At least `RETRY_AFTER_FLOOR_S`, also for
    0, negatives and dates gone by, at most `RETRY_AFTER_CAP_S`. Never raises.
    """
    parts = [part.strip() for part in (text or "").split(",")]
    if all(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", part) for part in parts):
        wait_s = max(float(part) for part in parts)
    else:
        until = _http_date(text or "")
        if until is None or now is None:
            return None
        wait_s = (until - now).total_seconds()
    return min(max(wait_s, RETRY_AFTER_FLOOR_S), RETRY_AFTER_CAP_S)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):  # what email.utils lets through on odd text
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def read_error(content: bytes, content_type: str | None) -> tuple[str, str]:
    """Return code and message of an error body, "" where it has none, on one line and cut to what a report shows.

    Understood are Graph's `{"error": {"code", "message"}}`, Intune's message that is itself JSON text (nested once or
    twice: the inner Message is taken), an HTML page (its title) and plain text. Control characters are left out.
    Never raises, whatever the bytes are.
    """
    code, message = _error_texts(content, content_type or "")
    return clean(code, CODE_CHARACTERS), clean(message, MESSAGE_CHARACTERS)


def _error_texts(content: bytes, content_type: str) -> tuple[str, str]:
    body = _json(content)
    if isinstance(body, dict):
        error = body.get("error", body)
        if isinstance(error, dict):
            code, message = _text(error.get("code")), _message_in(error)
        else:  # the shape of the sign-in service, which a gateway may pass on
            code, message = _text(error), _text(body.get("error_description")) or _message_in(body)
        if code or message:
            return code, _innermost(message)
    if isinstance(body, str):
        return "", _innermost(body)
    text = content[: 10 * MESSAGE_CHARACTERS].decode("utf-8", "replace")
    if "html" in content_type.lower() or text.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype html", "<html")):
        title = re.search(r"<title[^>]{0,200}>(.{0,1000}?)</title", text, re.IGNORECASE | re.DOTALL)
        return "", unescape(title[1]) if title else ""
    return "", text


def _innermost(message: str) -> str:
    for _ in range(3):
        inner = _json(message)
        found = _message_in(inner) if isinstance(inner, dict) else ""
        if not found:
            break
        message = found
    return message


def _message_in(error: dict[str, object]) -> str:
    return _text(error.get("message")) or _text(error.get("Message"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _json(text: bytes | str) -> object:
    return None if len(text) > ANSWER_LIMIT_BYTES else json_of(text)


def json_of(text: bytes | str) -> object:
    """Return what the JSON text holds, None where it is none.

    pydantic-core needs half the time. It refuses some of what Python's own reads, such as a lone surrogate in a
    message; that is asked then.
    """
    with suppress(ValueError, TypeError):  # TypeError: text with a lone surrogate
        return from_json(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def clean(text: str, most: int) -> str:
    """Return `text` as one printable line of at most `most` characters."""
    printable = "".join(each if each.isprintable() else " " for each in text[: 10 * most])
    line = " ".join(printable.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."
