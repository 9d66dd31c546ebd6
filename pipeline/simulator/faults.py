"""Which create goes wrong, and how. Drawn so that a run can be repeated. No I/O."""

import hashlib
import random
from itertools import accumulate
from typing import NamedTuple

from pipeline.editions import COLLECTION
from pipeline.simulator.answers import Delivery, Problem, no_route, unauthorized
from pipeline.simulator.settings import ErrorShape, Fault, SimulatorSettings

REFUSALS: dict[Fault, Problem] = {
    Fault.ERROR_500: Problem(500, "InternalServerError", "An error has occurred."),
    Fault.ERROR_502: Problem(502, "BadGateway", "The gateway received an invalid answer."),
    Fault.ERROR_503: Problem(503, "ServiceUnavailable", "The service is temporarily unavailable."),
    Fault.ERROR_504: Problem(504, "GatewayTimeout", "The service did not answer in time."),
    Fault.BAD_REQUEST_400: Problem(400, "BadRequest", "The request was refused to order."),
    Fault.NO_ROUTE_400: no_route(
        "POST",
        "/deviceManagement/deviceConfigurations/00000000-0000-0000-0000-000000000000"
        "/microsoft.graph.iosScepCertificateProfile/managedDeviceCertificateStates",
    ),
    Fault.UNAUTHORIZED_401: unauthorized("Lifetime validation failed, the token is expired."),
    Fault.FORBIDDEN_403: Problem(
        403,
        "Forbidden",
        "Application is not authorized to perform this operation. Application must have one of the following "
        "scopes: DeviceManagementConfiguration.ReadWrite.All",
    ),
    Fault.NOT_FOUND_404: Problem(404, "ResourceNotFound", "The configuration profile does not exist."),
    Fault.METHOD_NOT_ALLOWED_405: Problem(405, "MethodNotAllowed", "The method is not allowed here."),
    Fault.NOT_ACCEPTABLE_406: Problem(406, "NotAcceptable", "No acceptable media type."),
    Fault.CONFLICT_409: Problem(409, "Conflict", "The object is being changed by someone else."),
    Fault.TOO_LARGE_413: Problem(413, "RequestEntityTooLarge", "The request is too large."),
    Fault.UNSUPPORTED_MEDIA_TYPE_415: Problem(415, "UnsupportedMediaType", "The media type is not supported."),
    Fault.UNPROCESSABLE_422: Problem(422, "UnprocessableEntity", "The object cannot be processed."),
    # A relative reference: the last segment of the collection's own path.
    Fault.REDIRECT_307: Problem(307, "TemporaryRedirect", "Moved.", (("Location", COLLECTION),)),
    Fault.HTML_500: Problem(500, "InternalServerError", "An error has occurred.", shape=ErrorShape.HTML),
    Fault.NOT_IMPLEMENTED_501: Problem(501, "NotImplemented", "The operation is not implemented."),
}
"""The faults that are plain errors: nothing is created."""

DELIVERIES: dict[Fault, Delivery] = {
    Fault.DROP_AFTER: Delivery.DROPPED,
    Fault.SILENT: Delivery.SILENT,
    Fault.HALF_BODY: Delivery.HALF,
}
"""The faults that keep a 201 from arriving whole."""


class Create(NamedTuple):
    """One create as the draws see it."""

    identity: str  # the same for the same request in two runs, different for each of its attempts
    fault: Fault


class FaultDraws:
    """Draws a fault for each create: first the script in order of arrival, then by rate.

    By rate, each create has a generator of its own, seeded with the seed, the request and how often this request
    came before. One generator for all would make the outcome depend on the order in which concurrent requests
    happen to arrive, which no two runs share.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._seed = settings.seed
        self._script = iter(settings.script)
        faults = [fault for fault, _ in settings.faults.rates()]
        bounds = accumulate(rate for _, rate in settings.faults.rates())
        self._bounds = tuple(zip(faults, bounds, strict=True))
        self._came_before: dict[bytes, int] = {}

    def draw(self, path: str, body: bytes) -> Create:
        """Return what happens to this create. Each call counts as one attempt."""
        digest = hashlib.sha256(path.encode() + b"\n" + body).digest()
        nth = self._came_before.get(digest, 0)
        self._came_before[digest] = nth + 1
        identity = f"{digest.hex()}/{nth}"
        scripted = next(self._script, None)
        if scripted is not None:
            return Create(identity, scripted)
        drawn = repeatable(self._seed, f"fault/{identity}").random()
        return Create(identity, next((fault for fault, bound in self._bounds if drawn < bound), Fault.NONE))


def repeatable(seed: int, purpose: str) -> random.Random:
    """Return a generator that yields the same numbers for the same seed and purpose, in every process."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - has to be repeatable, and guards no secret
