"""Platform, profile type and profile -> collection path; no cell ever changes the shape of a URL."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.columns import match_columns, pick_values
from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition, ProfileType, Route
from pipeline.findings import CATALOGUE, Code, Finding, Severity
from pipeline.model import Row
from pipeline.routes import IdFrom, Profile, Routed, RouteRule, RouteTable, TypeFrom, route_row

ROW_ID = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
NAME_ID = "00000000-0000-4000-8000-00000000000a"
PLATFORM_ID = "00000000-0000-4000-8000-00000000000b"
OTHER_ID = "00000000-0000-4000-8000-00000000000c"
WIFI = "microsoft.graph.windowsWifiEnterpriseEAPConfiguration/identityCertificateForClientAuthentication"
PATH = re.compile(
    r"deviceManagement/deviceConfigurations/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"(/[A-Za-z0-9.]+)+/managedDeviceCertificateStates"
)


def routed_with_rule(platform: str, table: RouteTable, **cells: str) -> Routed:
    """Route a row of these cells; its devicePlatform is judged already."""
    header = ("devicePlatform", *cells)
    columns = match_columns(header, table.edition, aliases={}, required=frozenset())
    assert columns is not None
    return route_row(pick_values(Row(2, (platform, *cells.values())), columns), platform, table)


def routed(platform: str, table: RouteTable, **cells: str) -> Routed:
    """Route a row of these cells and leave out what decided; there is a rule just where there is a path."""
    found = routed_with_rule(platform, table, **cells)
    assert (found.rule is None) is (found.collection == "")
    return found._replace(rule=None)


def path(profile_id: str, cast: str) -> Routed:
    """Return the outcome of a row that leads there without a finding."""
    path = f"deviceManagement/deviceConfigurations/{profile_id}/{cast}/managedDeviceCertificateStates"
    return Routed(path, None, ())


def refused(*findings: Finding) -> Routed:
    return Routed("", None, findings)


def error(code: Code, column: str, value: str, message: str) -> Finding:
    return Finding(code, Severity.ERROR, column, value, message, CATALOGUE[code].hint)


@pytest.mark.parametrize(
    ("platform", "cast"),
    [
        ("iOS", "microsoft.graph.iosScepCertificateProfile"),
        ("macOS", "microsoft.graph.macOSScepCertificateProfile"),
        ("android", "microsoft.graph.androidScepCertificateProfile"),
        ("windows81AndLater", "microsoft.graph.windows81SCEPCertificateProfile"),
        ("windows10AndLater", "microsoft.graph.windows81SCEPCertificateProfile"),
        ("androidForWork", "identityCertificate/microsoft.graph.androidForWorkScepCertificateProfile"),
        (
            "windowsPhone81",
            (
                "microsoft.graph.windowsPhone81VpnConfiguration/identityCertificate/"
                "microsoft.graph.windowsPhone81SCEPCertificateProfile"
            ),
        ),
    ],
)
def test_each_platform_of_1706_has_its_path(platform: str, cast: str) -> None:
    """All seven platforms lead to the seed's paths, with single slashes and none at the end."""
    assert routed(platform, RouteTable(EDITION_1706), deviceConfigurationId=ROW_ID) == path(ROW_ID, cast)


@pytest.mark.parametrize(
    ("edition", "route"),
    [
        pytest.param(edition, route, id=f"{edition.name}-{route.platform}-{route.profile_type}")
        for edition in EDITIONS.values()
        for route in edition.routes
    ],
)
def test_every_route_is_reached_by_its_profile_type(edition: Edition, route: Route) -> None:
    """The row's platform and profile type lead to the cast of the edition's table."""
    found = routed(route.platform, RouteTable(edition), profileType=route.profile_type, deviceConfigurationId=ROW_ID)

    assert found == path(ROW_ID, route.cast)
    assert PATH.fullmatch(found.collection)


@pytest.mark.parametrize("text", ["pkcs", "PKCS", " Pkcs\u00a0"])
def test_a_profile_type_is_read_in_any_letter_case(text: str) -> None:
    """The profile type may be spelt in any letter case, with blanks around it."""
    found = routed("iOS", RouteTable(EDITION_CURRENT), profileType=text, deviceConfigurationId=ROW_ID)

    assert found == path(ROW_ID, "microsoft.graph.iosPkcsCertificateProfile")


@pytest.mark.parametrize("text", [ROW_ID.upper(), f" {ROW_ID}\u00a0", f"{ROW_ID}\r\n"])
def test_a_guid_is_bare_and_lower_case_in_the_path(text: str) -> None:
    """The same profile has the same path, however its id is spelt."""
    found = routed("iOS", RouteTable(EDITION_1706), deviceConfigurationId=text)

    assert found == path(ROW_ID, "microsoft.graph.iosScepCertificateProfile")


# --- which profile a row belongs to

PROFILES = (
    Profile(PLATFORM_ID, platform="iOS"),
    Profile(NAME_ID, name="Corp SCEP"),
    Profile(OTHER_ID, platform="macOS", name="Mac only"),
)
IOS_SCEP = "microsoft.graph.iosScepCertificateProfile"


@pytest.mark.parametrize(
    ("cells", "profile_id"),
    [
        ({"deviceConfigurationId": ROW_ID, "certificateProfileDisplayName": "Corp SCEP"}, ROW_ID),
        ({"deviceConfigurationId": "", "certificateProfileDisplayName": "Corp SCEP"}, NAME_ID),
        ({"deviceConfigurationId": "\u00a0", "certificateProfileDisplayName": "  corp scep "}, NAME_ID),
        ({"certificateProfileDisplayName": "Corp SCEP"}, NAME_ID),
        ({"certificateProfileDisplayName": "Corp SCEP 2"}, PLATFORM_ID),
        ({"certificateProfileDisplayName": "Mac only"}, PLATFORM_ID),
        ({"certificateProfileDisplayName": ""}, PLATFORM_ID),
        ({}, PLATFORM_ID),
    ],
    ids=["row", "name", "name-folded", "name-no-column", "other-name", "name-of-other-platform", "no-name", "platform"],
)
def test_the_row_comes_before_the_name_and_the_name_before_the_platform(cells: dict[str, str], profile_id: str) -> None:
    """The id is the row's own, else that of its profile's name, else that of its platform."""
    assert routed("iOS", RouteTable(EDITION_CURRENT, PROFILES), **cells) == path(profile_id, IOS_SCEP)


def test_an_entry_can_say_the_profile_type() -> None:
    """Where the row names no profile type, its `profiles:` entry does; the row's own comes first."""
    table = RouteTable(EDITION_CURRENT, (Profile(NAME_ID, name="Corp", profile_type=ProfileType.PKCS),))

    by_entry = routed("iOS", table, certificateProfileDisplayName="Corp")
    by_row = routed(
        "iOS", table, certificateProfileDisplayName="Corp", profileType="scep", deviceConfigurationId=ROW_ID
    )

    assert by_entry == path(NAME_ID, "microsoft.graph.iosPkcsCertificateProfile")
    assert by_row == path(ROW_ID, IOS_SCEP)


TYPED = (
    Profile(OTHER_ID, platform="iOS", profile_type=ProfileType.PKCS),
    Profile(PLATFORM_ID, platform="iOS", profile_type=ProfileType.SCEP),
)


@pytest.mark.parametrize("profiles", [TYPED, TYPED[::-1]], ids=["pkcs-first", "scep-first"])
@pytest.mark.parametrize(
    ("profile_type", "profile_id", "cast"),
    [
        ("", PLATFORM_ID, IOS_SCEP),
        ("scep", PLATFORM_ID, IOS_SCEP),
        ("pkcs", OTHER_ID, "microsoft.graph.iosPkcsCertificateProfile"),
    ],
)
def test_the_order_of_entries_decides_nothing(
    profiles: tuple[Profile, ...], profile_type: str, profile_id: str, cast: str
) -> None:
    """Of two entries that differ in type, the row's type chooses; a row without one is scep."""
    assert routed("iOS", RouteTable(EDITION_CURRENT, profiles), profileType=profile_type) == path(profile_id, cast)


def test_an_entry_of_another_type_never_fits() -> None:
    """A pkcs row is not sent to a profile that is declared as scep."""
    table = RouteTable(EDITION_CURRENT, (Profile(PLATFORM_ID, platform="iOS", profile_type=ProfileType.SCEP),))

    assert routed("iOS", table, profileType="pkcs") == refused(
        error(
            Code.NO_PROFILE,
            "deviceConfigurationId",
            "",
            "no deviceConfigurationId in the row, and no entry of `profiles:` for iOS and pkcs",
        )
    )


def test_an_empty_name_fits_no_entry() -> None:
    """A row without a profile name does not belong to a nameless entry of another platform."""
    table = RouteTable(EDITION_CURRENT, (Profile(PLATFORM_ID, platform="macOS"),))

    assert routed("iOS", table, certificateProfileDisplayName=" ") == refused(
        error(
            Code.NO_PROFILE,
            "deviceConfigurationId",
            "",
            "no deviceConfigurationId in the row, and no entry of `profiles:` for iOS",
        )
    )


def test_an_entry_with_a_name_is_for_that_name_only() -> None:
    """An entry with platform and name does not take the platform's other rows."""
    found = routed("macOS", RouteTable(EDITION_CURRENT, PROFILES), certificateProfileDisplayName="Mac")

    assert found == refused(
        error(
            Code.NO_PROFILE,
            "deviceConfigurationId",
            "",
            "no deviceConfigurationId in the row, and no entry of `profiles:` for macOS",
        )
    )


# --- overrides


def test_an_override_comes_before_the_editions_route() -> None:
    """A path under `routes:` replaces the edition's for its platform and type: the seed's example URL says iOS."""
    table = RouteTable(EDITION_1706, overrides=(Route("androidForWork", ProfileType.SCEP, IOS_SCEP),))

    assert routed("androidForWork", table, deviceConfigurationId=ROW_ID) == path(ROW_ID, IOS_SCEP)
    assert routed("macOS", table, deviceConfigurationId=ROW_ID) == path(
        ROW_ID, "microsoft.graph.macOSScepCertificateProfile"
    )


def test_an_override_belongs_to_its_profile_type() -> None:
    """The override of one profile type leaves the platform's other routes alone."""
    table = RouteTable(EDITION_CURRENT, overrides=(Route("iOS", ProfileType.PKCS, "microsoft.graph.other"),))

    assert routed("iOS", table, deviceConfigurationId=ROW_ID) == path(ROW_ID, IOS_SCEP)
    assert routed("iOS", table, profileType="pkcs", deviceConfigurationId=ROW_ID) == path(
        ROW_ID, "microsoft.graph.other"
    )


def test_an_override_can_give_a_platform_its_first_route() -> None:
    """One line of `routes:` is enough for a platform that the edition has no route for."""
    table = RouteTable(EDITION_CURRENT, overrides=(Route("unknown", ProfileType.SCEP, "microsoft.graph.other"),))

    assert routed("unknown", table, deviceConfigurationId=ROW_ID) == path(ROW_ID, "microsoft.graph.other")


# --- what decided

DECLARED = (
    Profile(PLATFORM_ID, platform="iOS"),
    Profile(NAME_ID.upper(), name="Corp SCEP", profile_type=ProfileType.PKCS),
)
IOS_PKCS = "microsoft.graph.iosPkcsCertificateProfile"


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        (
            {"deviceConfigurationId": ROW_ID, "profileType": "pkcs"},
            RouteRule(
                "iOS", ROW_ID, IdFrom.ROW, DECLARED[0], ProfileType.PKCS, TypeFrom.ROW, IOS_PKCS, is_override=False
            ),
        ),
        (
            {"deviceConfigurationId": ROW_ID.upper(), "certificateProfileDisplayName": "Corp SCEP"},
            RouteRule(
                "iOS", ROW_ID, IdFrom.ROW, DECLARED[1], ProfileType.PKCS, TypeFrom.ENTRY, IOS_PKCS, is_override=False
            ),
        ),
        (
            {"certificateProfileDisplayName": " corp scep "},
            RouteRule(
                "iOS", NAME_ID, IdFrom.NAME, DECLARED[1], ProfileType.PKCS, TypeFrom.ENTRY, IOS_PKCS, is_override=False
            ),
        ),
        (
            {"certificateProfileDisplayName": "another", "profileType": ""},
            RouteRule(
                *("iOS", PLATFORM_ID, IdFrom.PLATFORM, DECLARED[0]),
                *(ProfileType.SCEP, TypeFrom.DEFAULT, "microsoft.graph.mine", True),
            ),
        ),
    ],
    ids=["row", "own-id-and-type-of-entry", "name", "platform-and-override"],
)
def test_the_rule_says_what_decided(cells: dict[str, str], rule: RouteRule) -> None:
    """A path comes with what its profile, its type and its middle were taken from."""
    overrides = (Route("iOS", ProfileType.SCEP, "microsoft.graph.mine"),)

    assert routed_with_rule("iOS", RouteTable(EDITION_CURRENT, DECLARED, overrides), **cells).rule == rule


def test_a_row_with_its_own_id_needs_no_entry() -> None:
    """Where no entry of `profiles:` fits the row, the rule has none."""
    rule = RouteRule("iOS", ROW_ID, IdFrom.ROW, None, ProfileType.SCEP, TypeFrom.DEFAULT, IOS_SCEP, is_override=False)

    assert routed_with_rule("iOS", RouteTable(EDITION_1706), deviceConfigurationId=ROW_ID).rule == rule


# --- findings


def test_a_platform_without_routes_is_told_which_have_them() -> None:
    """A platform that the edition has no collection for is an error that lists the ones it has."""
    assert routed("unknown", RouteTable(EDITION_CURRENT), deviceConfigurationId=ROW_ID) == refused(
        error(
            Code.NO_ROUTE,
            "devicePlatform",
            "unknown",
            "edition current has no route for unknown; it has iOS, macOS, android, androidForWork, "
            "androidWorkProfile, androidAOSP, windowsPhone81, windows81AndLater, windows10AndLater",
        )
    )


def test_a_platform_without_this_type_is_told_its_types() -> None:
    """A profile type that the platform has no route for is an error that lists the ones it has."""
    found = routed("androidAOSP", RouteTable(EDITION_CURRENT), profileType="wifi-scep", deviceConfigurationId=ROW_ID)

    assert found == refused(
        error(
            Code.NO_ROUTE,
            "devicePlatform",
            "androidAOSP",
            "androidAOSP has no wifi-scep route; its profile types are scep, pkcs",
        )
    )


@pytest.mark.parametrize(
    ("edition", "message"),
    [
        (EDITION_1706, "not one of the profile types of edition 1706: scep"),
        (
            EDITION_CURRENT,
            (
                "not one of the profile types of edition current: scep, pkcs, imported-pfx, device-owner-scep, "
                "device-owner-pkcs, device-owner-imported-pfx, wifi-scep, wifi-pkcs, wifi-imported-pfx"
            ),
        ),
    ],
    ids=EDITIONS,
)
def test_an_unknown_profile_type_is_told_the_known_ones(edition: Edition, message: str) -> None:
    """A profile type that the edition lacks is one error, not a missing route besides."""
    found = routed("iOS", RouteTable(edition), profileType=" trusted-root", deviceConfigurationId=ROW_ID)

    assert found == refused(error(Code.UNKNOWN_PROFILE_TYPE, "profileType", "trusted-root", message))


def test_1706_has_no_pkcs() -> None:
    """Profile types beyond scep belong to edition current only."""
    found = routed("iOS", RouteTable(EDITION_1706), profileType="pkcs", deviceConfigurationId=ROW_ID)

    assert found == refused(
        error(Code.UNKNOWN_PROFILE_TYPE, "profileType", "pkcs", "not one of the profile types of edition 1706: scep")
    )


def test_all_findings_of_a_route_come_at_once() -> None:
    """An unknown profile type and an id that is no GUID are told together, under the file's own headers."""
    table = RouteTable(EDITION_1706)
    header = ("Profile Type", "DEVICE CONFIGURATION ID", "devicePlatform")
    columns = match_columns(header, EDITION_1706, aliases={}, required=frozenset())
    assert columns is not None

    found = route_row(pick_values(Row(2, ("x", "y", "iOS")), columns), "iOS", table)

    assert found == refused(
        error(Code.UNKNOWN_PROFILE_TYPE, "Profile Type", "x", "not one of the profile types of edition 1706: scep"),
        error(
            Code.NOT_A_GUID, "DEVICE CONFIGURATION ID", "y", "not a GUID, which is 32 hexadecimal digits in five groups"
        ),
    )


def test_a_row_without_a_valid_platform_has_no_path() -> None:
    """The platform's own finding is enough: the route adds none, but still judges the id."""
    table = RouteTable(EDITION_1706, (Profile(NAME_ID, name="Corp"),))

    assert routed("", table) == refused()
    assert routed("", table, deviceConfigurationId=ROW_ID) == refused()
    assert routed("", table, certificateProfileDisplayName="Corp") == refused()
    assert [each.code for each in routed("", table, deviceConfigurationId="x").findings] == [Code.NOT_A_GUID]


@pytest.mark.parametrize(
    "text",
    [
        "../../users",
        "..",
        "%2e%2e%2fusers",
        f"../{ROW_ID}",
        f"{ROW_ID}/../../users",
        f"{ROW_ID}?$expand=x",
        f"{ROW_ID}#",
        f"{ROW_ID}\r\nHost: example.com",
        f"{{{ROW_ID}}}",
        f"{ROW_ID},{ROW_ID}",
        ROW_ID.replace("-", ""),
        ROW_ID.replace("-", "\u2010"),
        ROW_ID.replace("6", "\u0666"),
        ROW_ID.replace("a", "\uff41"),
        ROW_ID[:-1],
        f"{ROW_ID}0",
        "https://example.com",
        "{deviceConfigurationId}",
        "12345",
    ],
)
def test_a_hostile_id_is_refused(text: str) -> None:
    """What is not exactly a GUID is an error and never becomes part of a path."""
    found = routed("iOS", RouteTable(EDITION_1706, PROFILES), deviceConfigurationId=text)

    message = "not a GUID, which is 32 hexadecimal digits in five groups"
    assert found == refused(error(Code.NOT_A_GUID, "deviceConfigurationId", text, message))


ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
@given(profile_id=ANY_TEXT | st.just(ROW_ID), profile_type=ANY_TEXT | st.sampled_from(ProfileType), name=ANY_TEXT)
@example(profile_id="../../users", profile_type="../x", name="../../users")
def test_no_cell_shapes_a_path(edition: Edition, profile_id: str, profile_type: str, name: str) -> None:
    """Whatever the cells hold, the result is a path of the one shape or at least one error."""
    table = RouteTable(edition, (Profile(NAME_ID, platform="iOS"),))

    found = routed(
        "iOS",
        table,
        deviceConfigurationId=profile_id,
        profileType=profile_type,
        certificateProfileDisplayName=name,
    )

    assert bool(found.collection) is not bool(found.findings)
    assert not found.collection or PATH.fullmatch(found.collection)
