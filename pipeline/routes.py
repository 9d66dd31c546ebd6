"""Platform and profile type -> collection path. A cell can never change the shape of a URL."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pipeline.editions import COLLECTION, Edition, ProfileType, Route
from pipeline.findings import Code, Finding, finding
from pipeline.identity import GUID
from pipeline.model import PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN, Values


@dataclass(frozen=True, slots=True)
class Profile:
    """One entry of `profiles:`: the configuration profile of a display name or of a platform."""

    id: str
    platform: str = ""
    name: str = ""
    profile_type: ProfileType | None = None


@dataclass(frozen=True, slots=True)
class RouteTable:
    """How rows of one edition are routed. `overrides` come before the edition's own routes."""

    edition: Edition
    profiles: tuple[Profile, ...] = ()
    overrides: tuple[Route, ...] = ()


class IdFrom(StrEnum):
    """What a row's configuration profile was taken from."""

    ROW = "row"  # its own deviceConfigurationId
    NAME = "profile name"  # the entry of `profiles:` with the row's certificateProfileDisplayName
    PLATFORM = "platform"  # the entry of `profiles:` for the row's platform


class TypeFrom(StrEnum):
    """What a row's profile type was taken from."""

    ROW = "row"
    ENTRY = "entry"  # of `profiles:`
    DEFAULT = "default"  # neither names one: scep


class RouteRule(NamedTuple):
    """What decided a row's path."""

    platform: str
    profile_id: str  # lower case, as it stands in the path
    id_from: IdFrom
    entry: Profile | None  # the entry of `profiles:` that the row fits, also where the row has an id of its own
    profile_type: ProfileType
    type_from: TypeFrom
    cast: str  # what stands between the profile's id and the collection's name
    is_override: bool  # `routes:` of config.yaml has it, not the edition


class Routed(NamedTuple):
    """The collection's path below the service root and what decided it, or "", None and why there is none."""

    collection: str
    rule: RouteRule | None
    findings: tuple[Finding, ...]


def route_row(values: Values, platform: str, table: RouteTable) -> Routed:
    """Return the path of the row's collection.

    `platform` is the valid devicePlatform or "". The profile type comes from the row, else from its `profiles:`
    entry, else it is scep; the configuration's id from the row, else from `profiles:` by display name, else by
    platform.
    """
    texts = dict(zip(values.columns.names, values.texts, strict=True))
    headers = dict(zip(values.columns.names, values.columns.headers, strict=True))
    findings: list[Finding] = []
    given_type = texts[PROFILE_TYPE_COLUMN].strip()
    row_type = {each.value: each for each in table.edition.profile_types}.get(given_type.casefold())
    if given_type and row_type is None:
        known = ", ".join(table.edition.profile_types)
        message = f"not one of the profile types of edition {table.edition.name}: {known}"
        findings.append(
            finding(Code.UNKNOWN_PROFILE_TYPE, message, column=headers[PROFILE_TYPE_COLUMN], value=given_type)
        )
    profile = _profile(texts.get("certificateProfileDisplayName", ""), platform, row_type, table.profiles)
    entry_type = profile.profile_type if profile else None
    profile_type = row_type or entry_type or ProfileType.SCEP
    cast, is_override = _cast(platform, profile_type, table)
    if platform and not cast and not (given_type and row_type is None):
        findings.append(_no_route(platform, profile_type, table, headers["devicePlatform"]))
    own_id = texts[PROFILE_ID_COLUMN].strip()
    profile_id = own_id or (profile.id if profile else "")
    if not profile_id and platform:
        rows = f"{platform} and {row_type}" if row_type else platform
        message = f"no deviceConfigurationId in the row, and no entry of `profiles:` for {rows}"
        findings.append(finding(Code.NO_PROFILE, message, column=headers[PROFILE_ID_COLUMN]))
    elif profile_id and not GUID.fullmatch(profile_id):
        message = "not a GUID, which is 32 hexadecimal digits in five groups"
        findings.append(finding(Code.NOT_A_GUID, message, column=headers[PROFILE_ID_COLUMN], value=profile_id))
    if findings or not platform:
        return Routed("", None, tuple(findings))
    id_from = IdFrom.ROW if own_id else IdFrom.NAME if profile and profile.name else IdFrom.PLATFORM
    type_from = TypeFrom.ROW if row_type else TypeFrom.ENTRY if entry_type else TypeFrom.DEFAULT
    rule = RouteRule(platform, profile_id.lower(), id_from, profile, profile_type, type_from, cast, is_override)
    return Routed(f"deviceManagement/deviceConfigurations/{rule.profile_id}/{cast}/{COLLECTION}", rule, ())


def _profile(
    display_name: str, platform: str, profile_type: ProfileType | None, profiles: Sequence[Profile]
) -> Profile | None:
    """Return the entry with the display name, else the one with the platform; an entry of another type never fits.

    A row that names no type prefers the scep entry, wherever it stands.
    """
    fitting = [
        each for each in profiles if None in {profile_type, each.profile_type} or each.profile_type is profile_type
    ]
    fitting.sort(key=lambda each: each.profile_type is not (profile_type or ProfileType.SCEP))
    name = display_name.strip().casefold()
    for each in fitting:
        if each.name and each.name.strip().casefold() == name and each.platform in {"", platform}:
            return each
    for each in fitting:
        if not each.name and platform and each.platform == platform:
            return each
    return None


def _cast(platform: str, profile_type: ProfileType, table: RouteTable) -> tuple[str, bool]:
    """Return the cast of the first route that fits, or "", and whether it is an override."""
    for routes, is_override in ((table.overrides, True), (table.edition.routes, False)):
        for route in routes:
            if (route.platform, route.profile_type) == (platform, profile_type):
                return route.cast, is_override
    return "", False


def _no_route(platform: str, profile_type: ProfileType, table: RouteTable, column: str) -> Finding:
    routes = table.edition.routes
    types = [route.profile_type.value for route in routes if route.platform == platform]
    if types:
        message = f"{platform} has no {profile_type} route; its profile types are {', '.join(types)}"
    else:
        platforms = dict.fromkeys(route.platform for route in routes)
        message = f"edition {table.edition.name} has no route for {platform}; it has {', '.join(platforms)}"
    return finding(Code.NO_ROUTE, message, column=column, value=platform)
