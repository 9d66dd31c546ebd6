"""Which request goes wrong, and how. Drawn so that a run can be repeated. No I/O."""

import hashlib
import random
from collections.abc import Iterable
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from pipeline.simulator.answers import Delivery, Problem, no_route, not_found, unauthorized
from pipeline.simulator.paths import Kind, Target
from pipeline.simulator.settings import ErrorShape, Fault, ReadFault, SimulatorSettings

_REFUSALS: dict[Fault, Problem] = {
    Fault.ERROR_500: Problem(500, "InternalServerError", "An error has occurred."),
    Fault.ERROR_502: Problem(502, "BadGateway", "The gateway received an invalid answer."),
    Fault.ERROR_503: Problem(503, "ServiceUnavailable", "The service is temporarily unavailable."),
    Fault.ERROR_504: Problem(504, "GatewayTimeout", "The service did not answer in time."),
    Fault.BAD_REQUEST_400: Problem(400, "BadRequest", "The request was refused to order."),
    Fault.UNAUTHORIZED_401: unauthorized("Lifetime validation failed, the token is expired."),
    Fault.FORBIDDEN_403: Problem(
        403,
        "Forbidden",
        "Application is not authorized to perform this operation. Application must have one of the following "
        "scopes: DeviceManagementConfiguration.ReadWrite.All",
    ),
    Fault.METHOD_NOT_ALLOWED_405: Problem(405, "MethodNotAllowed", "The method is not allowed here."),
    Fault.NOT_ACCEPTABLE_406: Problem(406, "NotAcceptable", "No acceptable media type."),
    Fault.CONFLICT_409: Problem(409, "Conflict", "The object is being changed by someone else."),
    Fault.TOO_LARGE_413: Problem(413, "RequestEntityTooLarge", "The request is too large."),
    Fault.UNSUPPORTED_MEDIA_TYPE_415: Problem(415, "UnsupportedMediaType", "The media type is not supported."),
    Fault.UNPROCESSABLE_422: Problem(422, "UnprocessableEntity", "The object cannot be processed."),
    Fault.HTML_500: Problem(500, "InternalServerError", "An error has occurred.", shape=ErrorShape.HTML),
    Fault.NOT_IMPLEMENTED_501: Problem(501, "NotImplemented", "The operation is not implemented."),
}
"""The faults that are plain errors wherever they are met: nothing is applied."""

_READ_REFUSALS: dict[ReadFault, Problem] = {
    ReadFault.READ_503: _REFUSALS[Fault.ERROR_503],
    ReadFault.UNAUTHORIZED_401: _REFUSALS[Fault.UNAUTHORIZED_401],
    ReadFault.FORBIDDEN_403: Problem(
        403,
        "Forbidden",
        "Application is not authorized to perform this operation. Application must have one of the following "
        "scopes: DeviceManagementConfiguration.Read.All, DeviceManagementConfiguration.ReadWrite.All",
    ),
    ReadFault.HTML_500: _REFUSALS[Fault.HTML_500],
    ReadFault.ERROR_504: _REFUSALS[Fault.ERROR_504],
}

GATEWAY_TIMEOUT = _REFUSALS[Fault.ERROR_504]

DELIVERIES: dict[Fault, Delivery] = {
    Fault.DROP_AFTER: Delivery.DROPPED,
    Fault.SILENT: Delivery.SILENT,
    Fault.HALF_BODY: Delivery.HALF,
}
READ_DELIVERIES: dict[ReadFault, Delivery] = {
    ReadFault.READ_DROP: Delivery.DROPPED,
    ReadFault.SILENT: Delivery.SILENT,
    ReadFault.READ_HALF: Delivery.HALF,
}
"""The faults that keep a good answer from arriving whole."""


def refusal_of_write(fault: Fault, method: str, target: Target) -> Problem | None:
    """Return the error that the fault makes of a write, of which nothing is applied; None where it makes none."""
    match fault:
        case Fault.NO_ROUTE_400:
            return no_route(method, f"/{target.path}")
        case Fault.NOT_FOUND_404 if target.kind is Kind.OBJECT:
            return not_found(target.object_id)
        case Fault.NOT_FOUND_404:
            return Problem(404, "ResourceNotFound", "The configuration profile does not exist.")
        case Fault.REDIRECT_307:
            # A relative reference: the last segment of the path itself.
            location = quote(target.path.rpartition("/")[2], safe="")
            return Problem(307, "TemporaryRedirect", "Moved.", (("Location", location),))
        case _:
            return _REFUSALS.get(fault)


def refusal_of_read(fault: ReadFault, target: Target) -> Problem | None:
    """Return the error that the fault makes of a read; None where it makes none."""
    if fault is ReadFault.NOT_FOUND_404:
        return not_found(target.object_id or target.profile_id)
    return _READ_REFUSALS.get(fault)


class Drawn(NamedTuple):
    """What the draws make of one write."""

    identity: str  # the same for the same request in two runs, different for each of its attempts
    fault: Fault


AnyFault = TypeVar("AnyFault", bound=StrEnum)


class FaultDraws:
    """Draws a fault for each write and read: first its script in order of arrival, then by rate.

    By rate, each request has a generator of its own, seeded with the seed, the request and how often this request
    came before. One generator for all would make the outcome depend on the order in which concurrent requests
    happen to arrive, which no two runs share.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._seed = settings.seed
        self._scripts = {
            "POST": iter(settings.script),
            "PATCH": iter(settings.update_script),
            "DELETE": iter(settings.delete_script),
        }
        self._read_script = iter(settings.read_script)
        self._bounds = _bounds(settings.faults.of_writes())
        self._read_bounds = _bounds(settings.faults.of_reads())
        self._came_before: dict[bytes, int] = {}

    def draw(self, method: str, target: Target, body: bytes) -> Drawn:
        """Return what happens to this POST, PATCH or DELETE. Each call counts as one attempt."""
        # Without its method, so that a create has the same identity in every version of the simulator.
        name = target.path if method == "POST" else f"{method} {target.path}"
        identity = self._identity(name, body)
        scripted = next(self._scripts[method], None)
        return Drawn(identity, self._by_rate(identity, self._bounds, Fault.NONE) if scripted is None else scripted)

    def draw_read(self, target: Target, query: str) -> ReadFault:
        """Return what happens to this GET: nothing where it leads to profiles. Each call counts as one attempt."""
        if target.kind not in {Kind.COLLECTION, Kind.OBJECT}:
            return ReadFault.NONE
        identity = self._identity(f"GET {target.path}?{query}", b"")
        scripted = next(self._read_script, None)
        return self._by_rate(identity, self._read_bounds, ReadFault.NONE) if scripted is None else scripted

    def _identity(self, name: str, body: bytes) -> str:
        digest = hashlib.sha256(name.encode(errors="surrogatepass") + b"\n" + body).digest()
        nth = self._came_before.get(digest, 0)
        self._came_before[digest] = nth + 1
        return f"{digest.hex()}/{nth}"

    def _by_rate(self, identity: str, bounds: Iterable[tuple[AnyFault, float]], none: AnyFault) -> AnyFault:
        drawn = repeatable(self._seed, f"fault/{identity}").random()
        return next((fault for fault, bound in bounds if drawn < bound), none)


def _bounds(rates: tuple[tuple[AnyFault, float], ...]) -> tuple[tuple[AnyFault, float], ...]:
    """Return each fault with the number below which a draw from 0 to 1 means it or one before it."""
    return tuple(zip((fault for fault, _ in rates), accumulate(rate for _, rate in rates), strict=True))


def repeatable(seed: int, purpose: str) -> random.Random:
    """Return a generator that yields the same numbers for the same seed and purpose, in every process."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - has to be repeatable, and guards no secret
