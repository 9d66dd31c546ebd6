"""One request as it came in, and how its body and query are read. No I/O."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs

from pipeline.simulator.answers import Problem, RefusedError
from pipeline.simulator.entity import read_object


class Call(NamedTuple):
    """One request, a batch's item included."""

    method: str
    target: str  # path and query as they came, percent-encoded
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    root: str  # scheme, host, port and version as the client wrote them, for the nextLink

    @property
    def query(self) -> str:
        """The query as it came, percent-encoded."""
        return self.target.partition("?")[2]


def read_entity(call: Call) -> dict[str, object]:
    """Return the body's JSON object. Raises RefusedError (400, 415)."""
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        message = "A supported MIME type could not be found that matches the content type of the request."
        raise RefusedError(Problem(415, "UnsupportedMediaType", message))
    return read_object(call.body)


def read_option(call: Call, option: str, absent: str) -> str:
    """Return a query option's text. Raises RefusedError (400) for one that is given twice."""
    texts = parse_qs(call.query, keep_blank_values=True).get(option, [absent])
    if len(texts) > 1:
        raise _wrong(option)
    return texts[0]


def as_number(text: str, option: str, *, least: int) -> int:
    """Return the number of a query option's text. Raises RefusedError (400) for what is none."""
    if text.isascii() and text.isdecimal() and least <= int(text[:10]):
        return int(text[:10])
    raise _wrong(option)


def _wrong(option: str) -> RefusedError:
    return RefusedError(Problem(400, "BadRequest", f"Invalid value of the query option '{option}'."))
