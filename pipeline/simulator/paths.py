"""What a path means: the edition's table of routes read the other way round. No I/O."""

from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import unquote

from pipeline.editions import COLLECTION, Edition
from pipeline.identity import GUID
from pipeline.simulator.answers import Problem, no_route, not_found
from pipeline.simulator.settings import Profile

VERSION_ROOT = "/beta"
BATCH_PATH = "/$batch"


class Kind(Enum):
    """What a path leads to."""

    PROFILES = auto()
    PROFILE = auto()
    COLLECTION = auto()
    OBJECT = auto()


METHODS: dict[Kind, tuple[str, ...]] = {
    Kind.PROFILES: ("GET",),
    Kind.PROFILE: ("GET",),
    Kind.COLLECTION: ("GET", "POST"),
    Kind.OBJECT: ("GET", "PATCH", "DELETE"),
}


class Target(NamedTuple):
    """Where a path leads. GUIDs are in lower case."""

    kind: Kind
    profile_id: str = ""
    cast: str = ""
    object_id: str = ""

    @property
    def collection(self) -> str:
        """The collection's path below the service root, spelled as `model.Request.collection` is."""
        return f"deviceManagement/deviceConfigurations/{self.profile_id}/{self.cast}/{COLLECTION}"

    @property
    def path(self) -> str:
        """The path below the service root of a collection or an object."""
        return f"{self.collection}/{self.object_id}" if self.object_id else self.collection


def decoded(target: str) -> str:
    """Return the path of a request target, without the query and percent-decoded."""
    return unquote(target.partition("?")[0])


def path_below_root(target: str) -> str:
    """Return the path below /beta with its leading slash, or "" when the target is not below /beta."""
    path = decoded(target)
    return path.removeprefix(VERSION_ROOT) if path.startswith(f"{VERSION_ROOT}/") else ""


def find_target(method: str, path: str, edition: Edition, profiles: tuple[Profile, ...]) -> Target | Problem:
    """Return where `path` (below the version root) leads, or why it leads nowhere for this method.

    Matching is to the letter: no slash at the end, no double slash, casts in their own case.
    """
    match path.split("/")[1:]:
        case ["deviceManagement", "deviceConfigurations", *rest]:
            target = _below_profiles(rest, edition)
        case ["deviceManagement", *_]:
            target = None
        case segments:
            return Problem(400, "BadRequest", f"Resource not found for the segment '{''.join(segments[:1])}'.")
    if target is None:
        return no_route(method, path)
    if method not in METHODS[target.kind]:
        allowed = ", ".join(METHODS[target.kind])
        return Problem(405, "MethodNotAllowed", f"Here are {allowed} only.", (("Allow", allowed),))
    return _profile_problem(target, profiles) or target


def _below_profiles(segments: list[str], edition: Edition) -> Target | None:
    """Return where the segments below deviceConfigurations lead; None: nowhere. The key has to be a GUID."""
    if not segments:
        return Target(Kind.PROFILES)
    if not GUID.fullmatch(segments[0]):
        return None
    profile_id, rest = segments[0].lower(), segments[1:]
    casts = {route.cast for route in edition.routes}
    if not rest:
        return Target(Kind.PROFILE, profile_id)
    if rest[-1] == COLLECTION and "/".join(rest[:-1]) in casts:
        return Target(Kind.COLLECTION, profile_id, "/".join(rest[:-1]))
    if rest[-2:-1] == [COLLECTION] and rest[-1] and "/".join(rest[:-2]) in casts:
        return Target(Kind.OBJECT, profile_id, "/".join(rest[:-2]), rest[-1].lower())
    return None


def _profile_problem(target: Target, profiles: tuple[Profile, ...]) -> Problem | None:
    """Return what the tenant's profiles have against the target; a tenant without a list has nothing against it."""
    if target.kind is Kind.PROFILES or (not profiles and target.kind is not Kind.PROFILE):
        return None
    profile = next((each for each in profiles if each.id.lower() == target.profile_id), None)
    if profile is None:
        return not_found(target.profile_id)
    # `identityCertificate/...` begins with a navigation property: it does not say what the outer profile is.
    first = target.cast.partition("/")[0]
    own_type = profile.odata_type.removeprefix("#")
    if first.startswith("microsoft.graph.") and first != own_type:
        return Problem(400, "BadRequest", f"Cannot cast the resource of type '{own_type}' to '{first}'.")
    return None
