"""Answers as Graph and Intune shape them: entities, error bodies, Retry-After, the headers for support. No I/O."""

import json
import math
import re
from dataclasses import dataclass, replace
from email.utils import formatdate
from enum import StrEnum
from http import HTTPStatus
from time import gmtime, strftime
from typing import NamedTuple

from pipeline.identity import GUID
from pipeline.simulator.settings import ErrorShape, RetryAfterForm

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
HTML_TYPE = "text/html; charset=us-ascii"
CHALLENGE = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
    'client_id="00000003-0000-0000-c000-000000000000"'
)
DIAGNOSTIC = (
    '{"ServerInfo":{"DataCenter":"Simulator","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SIMULATOR"}}'
)
BACKEND = "/DeviceConfiguration_2212/StatelessDeviceConfigurationFEService"
"""What stands before the path where Intune quotes a URL in an error message."""


class Delivery(StrEnum):
    """What happens to an answer on the wire."""

    WHOLE = "whole"
    HALF = "half"  # half the body, then the connection is dropped
    DROPPED = "dropped"  # the connection is dropped instead
    SILENT = "silent"  # it never comes, and the connection stays open


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delivery: Delivery = Delivery.WHOLE

    def unreadable(self) -> "Answer":
        """Return the answer with half its body, as if that were all: JSON that ends in the middle."""
        return replace(self, body=self.body[: len(self.body) // 2])


class Problem(NamedTuple):
    """An error before it has a body."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    shape: ErrorShape | None = None  # None: the settings'


class RefusedError(Exception):
    """Ends the handling of a request with an error answer. Never leaves the simulator."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Exchange(NamedTuple):
    """What identifies one request and answer to Microsoft's support."""

    path: str  # below the version root, with a leading slash
    request_id: str
    client_request_id: str  # the client's own, else the request-id
    at_s: float  # wall clock, seconds since 1970 in UTC


def json_text(value: object) -> str:
    """Return JSON without blanks, characters unescaped, as Graph writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_bytes(value: object) -> bytes:
    """Return the same as UTF-8. What a broken URL or header smuggled in as no character becomes a question mark."""
    return json_text(value).encode(errors="replace")


def json_answer(status: int, value: object, exchange: Exchange) -> Answer:
    """Return the answer whose body is `value` as JSON."""
    headers = (("Content-Type", JSON_TYPE), *_support_headers(exchange))
    return Answer(status, headers, json_bytes(value))


def empty_answer(status: int, exchange: Exchange, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Return an answer without a body."""
    return Answer(status, (*_support_headers(exchange), *headers))


def error_answer(problem: Problem, shape: ErrorShape, exchange: Exchange) -> Answer:
    """Return the error in its own shape, else in the one given."""
    shape = problem.shape or shape
    headers = (*_support_headers(exchange), *problem.headers)
    if shape is ErrorShape.EMPTY:
        return Answer(problem.status, headers)
    if shape is ErrorShape.HTML:
        title = f"{problem.status} {HTTPStatus(problem.status).phrase}"
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n"
        return Answer(problem.status, (("Content-Type", HTML_TYPE), *headers), page.encode("ascii"))
    message = _intune_message(problem.message, exchange) if shape is ErrorShape.INTUNE else problem.message
    inner = {
        "date": strftime("%Y-%m-%dT%H:%M:%S", gmtime(exchange.at_s)),
        "request-id": exchange.request_id,
        "client-request-id": exchange.client_request_id,
    }
    if problem.status == 429 and shape is ErrorShape.GRAPH:
        # As throttling.md prints it: code, status and a second message stand inside.
        inner |= {"code": "429", "message": "Please retry after", "status": "429"}
    error = {"code": problem.code, "message": message, "innerError": inner}
    return Answer(problem.status, (("Content-Type", JSON_TYPE), *headers), json_bytes({"error": error}))


def _intune_message(message: str, exchange: Exchange) -> str:
    """Return Intune's message: a JSON text that repeats the request's URL (contrib#4603, #4157)."""
    details = (
        f"{message} - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000"
        f" - Activity ID: {exchange.request_id}"
        f" - Url: https://fef.simulator.manage.microsoft.com{BACKEND}{exchange.path}?api-version=5022-12-03"
    )
    return json_text(
        {
            "_version": 3,
            "Message": details,
            "CustomApiErrorPhrase": "",
            "RetryAfter": None,
            "ErrorSourceService": "",
            "HttpHeaders": "{}",
        }
    )


def _support_headers(exchange: Exchange) -> tuple[tuple[str, str], ...]:
    return (
        ("request-id", exchange.request_id),
        ("client-request-id", exchange.client_request_id),
        ("x-ms-ags-diagnostic", DIAGNOSTIC),
        ("Date", formatdate(exchange.at_s, usegmt=True)),
    )


def unauthorized(message: str) -> Problem:
    """Return Graph's 401 with its challenge."""
    return Problem(401, "InvalidAuthenticationToken", message, (("WWW-Authenticate", CHALLENGE),))


def no_route(method: str, path: str) -> Problem:
    """Return what Intune answers where no route matches (docs#4984, #5919). `path` begins below the version root."""
    kinds = ["singleton"]
    for segment in path.strip("/").split("/")[1:]:
        if GUID.fullmatch(segment):
            kinds.append("key")
        else:
            kinds.append("cast" if segment.startswith("microsoft.graph.") else "navigation")
    message = (
        f"No OData route exists that match template ~/{'/'.join(kinds)} with http verb {method} "
        f"for request {BACKEND}{path}."
    )
    return Problem(400, "No method match route template", message)


def not_found(resource_id: str) -> Problem:
    """Return the 404 for a profile or an object that is not there."""
    return Problem(404, "ResourceNotFound", f"Resource '{resource_id}' does not exist.")


def throttled(wait_s: float, form: RetryAfterForm, at_s: float) -> Problem:
    """Return the 429 that asks the client to wait `wait_s` seconds from `at_s` (wall clock)."""
    text = retry_after(wait_s, form, at_s)
    headers = (("Retry-After", text),) if text else ()
    return Problem(429, "TooManyRequests", "Please retry again later.", headers)


def retry_after(wait_s: float, form: RetryAfterForm, at_s: float) -> str:
    """Return the header's value, rounded up so that whoever obeys it is not refused again; "" where it is absent."""
    seconds = max(1, math.ceil(wait_s))
    match form:
        case RetryAfterForm.SECONDS:
            return str(seconds)
        case RetryAfterForm.DECIMAL:
            return f"{max(1, math.ceil(wait_s * 1000)) / 1000:.3f}"
        case RetryAfterForm.COMMA:
            # Two services throttled at once and a proxy joined their headers: the smaller is a trap.
            return f"{max(1, seconds // 4)},{seconds}"
        case RetryAfterForm.DATE:
            return formatdate(math.ceil(at_s + wait_s), usegmt=True)
        case RetryAfterForm.ABSENT:
            return ""


PRINTABLE = re.compile(r"[!-~]{1,128}")


def client_request_id(headers_value: str) -> str:
    """Return the client's id when it can be echoed in a header, else ""."""
    return headers_value if PRINTABLE.fullmatch(headers_value) else ""
