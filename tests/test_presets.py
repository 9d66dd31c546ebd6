"""The shipped presets: what they know, what they leave to config.yaml, and which file is proposed which."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest

from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition
from pipeline.identity import fold_header
from pipeline.model import IMPORT_PREFIX
from pipeline.presets import PRESETS, KnownHeaders, Preset, known_headers
from pipeline.presets import propose_preset as propose
from pipeline.proposals import is_common_word

ALL_NAMES = {each.name for edition in EDITIONS.values() for each in edition.properties}

HAND_MADE = ("Thumbprint", "Serial Number", "Issuer", "Not After", "Device Name", "Platform")

PRESETS_BY_NAME = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def propose_preset(header: Sequence[str]) -> Preset | None:
    """Return the preset that is proposed beside the words that inventories use."""
    return propose(header, is_common_word)


@PRESETS_BY_NAME
def test_every_column_is_a_property_of_some_edition(preset: Preset) -> None:
    """A preset names no property that no edition has."""
    assert {name for name, _ in preset.columns} - ALL_NAMES == set()


@PRESETS_BY_NAME
@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_no_header_stands_for_two_properties(preset: Preset, edition: Edition) -> None:
    """Within an edition each header of a preset has one meaning, and none is ignored as well."""
    sent = [fold_header(header) for headers in preset.columns_for(edition).values() for header in headers]
    ignored = [fold_header(header) for header in preset.ignored]

    assert len(sent + ignored) == len(set(sent + ignored))


@PRESETS_BY_NAME
def test_a_presets_time_zone_exists(preset: Preset) -> None:
    """A declared zone is one of the IANA database."""
    assert preset.timezone is None or ZoneInfo(preset.timezone).key == preset.timezone


@PRESETS_BY_NAME
def test_a_full_header_of_the_source_is_proposed_its_own_preset(preset: Preset) -> None:
    """All headers that a preset knows lead back to it, with blanks around them too."""
    assert propose_preset([f" {header} " for header in preset.headers]) is preset


@PRESETS_BY_NAME
def test_another_spelling_is_not_the_sources_own(preset: Preset) -> None:
    """Programs spell their headers alike each time, so another letter case is a person's."""
    assert propose_preset([header.swapcase() for header in preset.headers]) is None


OWN_REPORT = tuple(f"{IMPORT_PREFIX}{each}" for each in ("file", "row", "code"))


@PRESETS_BY_NAME
def test_columns_that_were_added_do_not_hide_a_whole_export(preset: Preset) -> None:
    """An export has columns that nobody has written down, and people add some; errors.csv adds its own."""
    assert propose_preset((*preset.headers, "Room", "Cost centre", *OWN_REPORT)) is preset


def test_a_cut_header_with_foreign_columns_is_no_export() -> None:
    """Few headers of the source among others were made by something else."""
    header = (
        "Certificate Hash",
        "Serial Number",
        "Certificate Expiration Date",
        "Issued Common Name",
        "Requester Name",
    )
    foreign = ("Room", "Cost centre", "Shelf")

    assert propose_preset((*header, *foreign[:2])) is PRESETS["adcs"]
    assert propose_preset((*header[:4], *foreign)) is None


def test_a_cut_export_is_still_recognised() -> None:
    """A choice of columns that holds most of what the preset maps is enough."""
    header = (
        "Serial Number",
        "Certificate Hash",
        "Certificate Expiration Date",
        "Issued Common Name",
        "Requester Name",
    )

    assert propose_preset(header) is PRESETS["adcs"]


@pytest.mark.parametrize(
    "header",
    [
        (),
        ("Device", "Owner", "Thumbprint"),
        tuple(each.name for each in EDITION_1706.properties),
        tuple(each.name for each in EDITION_CURRENT.properties),
        HAND_MADE,
        ("Thumbprint", "SerialNumber", "Issuer", "NotAfter", "NotBefore"),  # powershell's, and anybody's
        ("issuer_name", "serial_number", "not_after", "not_before", "thumbprint"),  # a database's, with any time zone
        ("serialNumber", "notAfter", "notBefore", "certHash"),  # ivanti's, and anybody's
    ],
    ids=["empty", "foreign", "1706", "current", "by hand", "camel case", "underscores", "common to two"],
)
def test_no_preset_is_proposed_without_a_good_reason(header: tuple[str, ...]) -> None:
    """A header that is foreign, ours, or has only what several presets have is left alone."""
    assert propose_preset(header) is None


def test_the_headers_of_an_edition_are_those_of_its_properties() -> None:
    """What only the current edition has is ignored in 1706, and told as unknown in neither."""
    in_1706 = known_headers(PRESETS["crtsh"], EDITION_1706, {})
    in_current = known_headers(PRESETS["crtsh"], EDITION_CURRENT, {})
    ignored = {"issuer_ca_id", "name_value", "id", "entry_timestamp", "result_count"}

    assert in_1706 == KnownHeaders(
        {
            "certificateSerialNumber": ("serial_number",),
            "certificateIssuer": ("issuer_name",),
            "certificateExpirationDateTime": ("not_after",),
            "deviceDisplayName": ("common_name",),
        },
        frozenset({"not_before", *ignored}),
    )
    assert in_current == KnownHeaders(
        {**in_1706.aliases, "certificateIssuanceDateTime": ("not_before",)}, frozenset(ignored)
    )


def test_config_comes_before_the_preset() -> None:
    """A property that config.yaml names loses the preset's columns, and a header it gives away has one meaning."""
    columns = {"userDisplayName": ["User Principal Name"], "deviceDisplayName": ["requester name"]}

    known = known_headers(PRESETS["adcs"], EDITION_1706, columns)

    assert known.aliases["userDisplayName"] == ("User Principal Name",)
    assert known.aliases["deviceDisplayName"] == ("requester name",)
    assert {"issuedcommonname", "requestername", "userprincipalname"} & known.ignored == {"issuedcommonname"}


def test_a_property_that_a_template_makes_has_no_column_of_the_preset() -> None:
    """Else the template and the column would both say what the property is."""
    known = known_headers(PRESETS["powershell"], EDITION_1706, {}, {"certificateIssuer": "{Issuer} (x)"})

    assert "certificateIssuer" not in known.aliases
    assert "issuer" in known.ignored


def test_without_a_preset_only_config_counts() -> None:
    """The aliases of config.yaml come out as they are."""
    assert known_headers(None, EDITION_1706, {"serverUrl": ["NDES"]}) == KnownHeaders(
        {"serverUrl": ("NDES",)}, frozenset()
    )


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("adcs", ("devicePlatform", "certificateIssuer")),
        ("intune-report", ("devicePlatform",)),
        ("jamf", ("devicePlatform", "certificateIssuer")),
        ("ivanti", ("devicePlatform", "deviceDisplayName", "certificateIssuer")),
        ("powershell", ("devicePlatform", "deviceDisplayName")),
        ("crtsh", ("devicePlatform", "certificateThumbprint")),
    ],
)
def test_what_a_source_never_has_is_known(name: str, needs: tuple[str, ...]) -> None:
    """The required properties that config.yaml has to supply follow from the columns."""
    assert PRESETS[name].needs_for(EDITION_CURRENT) == needs


def test_a_preset_fixes_only_what_its_source_fixes() -> None:
    """Zones, numbers and serial forms are set where the source leaves no doubt, and nowhere else."""
    assert {name: (each.timezone, each.date_number, each.serial) for name, each in PRESETS.items()} == {
        "adcs": (None, None, "hex"),
        "intune-report": (None, None, None),
        "jamf": (None, "epoch-milliseconds", None),
        "ivanti": (None, None, None),
        "powershell": (None, None, "hex"),
        "crtsh": ("UTC", None, "hex"),
    }
