"""When two rows mean the same object: the key, the fingerprint, and the instant of a date-time."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.columns import match_columns, pick_values
from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition, EnumType, PrimitiveType, Shape
from pipeline.identity import fingerprint_of, hex_digits, instant_ticks, key_of, keys_by_thumbprint
from pipeline.model import Row
from pipeline.validate import open_validator, validate_values

COLLECTION = (
    "deviceManagement/deviceConfigurations/6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11/"
    "microsoft.graph.iosScepCertificateProfile/managedDeviceCertificateStates"
)
THUMBPRINT = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
BY_THUMBPRINT = {"deviceDisplayName": "PC-1", "certificateThumbprint": THUMBPRINT}
BY_SERIAL = {
    "deviceDisplayName": "PC-1",
    "certificateIssuer": "CN=Contoso CA",
    "certificateSerialNumber": "A7",
}
ROW = {
    "devicePlatform": "iOS",
    "certificateKeyUsage": "digitalSignature,keyEncipherment",
    "certificateProfileDisplayName": "Corp SCEP",
    "deviceDisplayName": "PC-1",
    "certificateExpirationDateTime": "2027-11-23T08:49:13.5000000Z",
    "certificateIssuer": "CN=Contoso CA",
    "certificateThumbprint": THUMBPRINT,
    "certificateSerialNumber": "A7",
    "certificateKeyLength": 2048,
}


def key(**properties: str) -> str:
    return key_of(COLLECTION, properties)


def fingerprint(**changes: str | int) -> str:
    return fingerprint_of(EDITION_CURRENT, ROW | changes)


# --- the key


@pytest.mark.parametrize(
    "changes",
    [
        {"deviceDisplayName": "pc-1"},
        {"deviceDisplayName": "  PC-1\u00a0"},
        {"certificateThumbprint": THUMBPRINT.lower()},
        {"certificateThumbprint": f" {THUMBPRINT}\n"},
        {"certificateThumbprint": ":".join(THUMBPRINT[at : at + 2] for at in range(0, 40, 2))},
        {"certificateThumbprint": " ".join(THUMBPRINT[at : at + 2] for at in range(0, 40, 2)).lower()},
        {"certificateThumbprint": "-".join(THUMBPRINT[at : at + 8] for at in range(0, 40, 8))},
        {"certificateThumbprint": f"0x{THUMBPRINT}"},
        {"certificateIssuer": "CN=Other", "certificateSerialNumber": "B8", "userDisplayName": "Ada"},
    ],
    ids=lambda changes: "+".join(f"{value:.12}" for value in changes.values()),
)
def test_the_same_certificate_on_the_same_device_has_one_key(changes: dict[str, str]) -> None:
    """Letter case of the device, spelling of the hex digits and all other properties leave the key alone."""
    assert key(**(BY_THUMBPRINT | changes)) == key(**BY_THUMBPRINT)


@pytest.mark.parametrize(
    "changes",
    [
        {"deviceDisplayName": "PC-2"},
        {"deviceDisplayName": "PC 1"},
        {"deviceDisplayName": ""},
        {"certificateThumbprint": THUMBPRINT[:-1] + "8"},
        {"certificateThumbprint": "0" + THUMBPRINT},
        {"certificateThumbprint": "not hex"},
    ],
    ids=lambda changes: "+".join(changes.values())[:12],
)
def test_another_device_or_thumbprint_is_another_key(changes: dict[str, str]) -> None:
    """Each part of the identity counts, a thumbprint's leading zeros too."""
    assert key(**(BY_THUMBPRINT | changes)) != key(**BY_THUMBPRINT)


def test_the_profile_belongs_to_the_key() -> None:
    """The same certificate under another profile is another object; the path's letter case makes none."""
    assert key_of(COLLECTION.replace("6a1f", "6a1e"), BY_THUMBPRINT) != key_of(COLLECTION, BY_THUMBPRINT)
    assert key_of(COLLECTION.replace("iosScep", "iosPkcs"), BY_THUMBPRINT) != key_of(COLLECTION, BY_THUMBPRINT)
    assert key_of(COLLECTION.upper(), BY_THUMBPRINT) == key_of(COLLECTION, BY_THUMBPRINT)


@pytest.mark.parametrize(
    "text", ["a7", "00A7", "0xA7", "0x00a7", "00:a7", "0 0 A 7", "000000A7", " A7 ", "\u200eA7", "\ufeff00A7"]
)
def test_a_serial_number_is_one_number_in_every_spelling(text: str) -> None:
    """Leading zeros, separators, 0x and letter case do not make another serial number."""
    assert key(**(BY_SERIAL | {"certificateSerialNumber": text})) == key(**BY_SERIAL)


@pytest.mark.parametrize("text", ["-A7", "A70", "7A", "167", "A7-", "?A7"])
def test_another_serial_number_is_another_key(text: str) -> None:
    """A negative serial number differs from the positive one, and nothing unreadable is guessed at."""
    assert key(**(BY_SERIAL | {"certificateSerialNumber": text})) != key(**BY_SERIAL)


def test_an_invisible_mark_makes_no_other_device() -> None:
    """A device name with a mark that nobody sees is the same device's."""
    name = BY_SERIAL["deviceDisplayName"]

    assert key(**(BY_SERIAL | {"deviceDisplayName": f"\u200e{name}"})) == key(**BY_SERIAL)


def test_the_serial_number_zero_is_a_number() -> None:
    """Zeros only are the serial number 0, which identifies as any other does."""
    keys = {key(**(BY_SERIAL | {"certificateSerialNumber": text})) for text in ("0", "00", "0x0", "00:00")}

    assert len(keys) == 1
    assert "" not in keys


def test_the_issuers_letter_case_counts() -> None:
    """Two issuers that differ in letter case are two; canonically equal spellings and blanks around are one."""
    umlaut = key(**(BY_SERIAL | {"certificateIssuer": "CN=Zo\u00eb CA"}))

    assert key(**(BY_SERIAL | {"certificateIssuer": " CN=Zoe\u0308 CA "})) == umlaut
    assert key(**(BY_SERIAL | {"certificateIssuer": "cn=Zo\u00eb CA"})) != umlaut


def test_a_device_name_is_one_in_both_normal_forms() -> None:
    """A device name with composed and with combining marks, in any letter case, is one device."""
    composed = key(**(BY_THUMBPRINT | {"deviceDisplayName": "ZO\u00cb-STRASSE"}))

    assert key(**(BY_THUMBPRINT | {"deviceDisplayName": "Zoe\u0308-stra\u00dfe"})) == composed


def test_the_thumbprint_comes_before_issuer_and_serial_number() -> None:
    """A row with a thumbprint is identified by it alone; without one, issuer and serial number are."""
    with_all = key(**(BY_THUMBPRINT | BY_SERIAL))

    assert with_all == key(**BY_THUMBPRINT)
    assert with_all != key(**BY_SERIAL)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"deviceDisplayName": "PC-1"},
        {"deviceDisplayName": "PC-1", "certificateIssuer": "CN=Contoso CA"},
        {"deviceDisplayName": "PC-1", "certificateSerialNumber": "A7"},
        {"deviceDisplayName": "PC-1", "certificateThumbprint": "\u00a0", "certificateSerialNumber": "A7"},
        {"deviceDisplayName": "PC-1", "certificateIssuer": " ", "certificateSerialNumber": "A7"},
        {"deviceDisplayName": "PC-1", "certificateIssuer": "CN=Contoso CA", "certificateSerialNumber": "\t"},
    ],
)
def test_nothing_to_identify_by_is_no_key(properties: dict[str, str]) -> None:
    """Neither a thumbprint nor both issuer and serial number: there is no key."""
    assert key_of(COLLECTION, properties) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("pcA", "B" * 39), ("pc", "A" + "B" * 39)),
        (("pc", "1:A"), ("pc1:", "A")),
        (("", "AB"), ("AB", "AB")),
    ],
)
def test_text_cannot_move_from_one_part_to_the_next(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Device name and thumbprint are told apart even where they read the same in a row."""
    names = ("deviceDisplayName", "certificateThumbprint")

    assert key(**dict(zip(names, one, strict=True))) != key(**dict(zip(names, other, strict=True)))


def test_a_thumbprint_is_never_taken_for_an_issuer() -> None:
    """The two kinds of identity do not meet, whatever the texts are."""
    assert key(deviceDisplayName="x", certificateThumbprint="A7") != key(
        deviceDisplayName="x", certificateIssuer="A7", certificateSerialNumber="A7"
    )


def test_keys_are_stable() -> None:
    """The digests are kept in ledgers: a change of the rule must raise KEY_VERSION, and shows here."""
    assert key(**BY_THUMBPRINT) == "f3146069934f398bc1b0593e67940884"
    assert key(**BY_SERIAL) == "d1dc2405c466609c9afe19b040fbeec6"
    assert fingerprint() == "da8a2d578ce6331d8f82f56966c56655"


PARTS = st.text(st.characters(), max_size=6)
# Hexadecimal spelling has tests of its own, and an identity has no empty parts.
NOT_HEX = st.characters(exclude_characters="0123456789abcdefABCDEF")
SERIAL_PARTS = st.text(NOT_HEX, max_size=5).map(lambda part: f"{part}z")
IDENTITIES = st.tuples(PARTS, PARTS.map(lambda part: f"{part}y"), SERIAL_PARTS)


@given(IDENTITIES, IDENTITIES)
@example(("", "x", "y"), ("", "y", "x"))
@example(("\ud800", "x", "y"), ("?", "x", "y"))
@example(("x", "zy", "z"), ("x", "z", "yz"))
def test_no_two_identities_share_a_key(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Keys are equal exactly when device, issuer and serial number are, by the rule written out once more here."""

    def plain(device: str, issuer: str, serial_number: str) -> tuple[str, str, str]:
        device, issuer, serial_number = (
            unicodedata.normalize("NFC", text.strip()) for text in (device, issuer, serial_number)
        )
        return device.casefold(), issuer, serial_number

    names = ("deviceDisplayName", "certificateIssuer", "certificateSerialNumber")

    keys = [key(**dict(zip(names, each, strict=True))) for each in (one, other)]

    assert (keys[0] == keys[1]) is (plain(*one) == plain(*other))


# --- hexadecimal texts


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("00a7", "00a7"),
        ("00:A7", "00A7"),
        ("0 0\t-:A7", "00A7"),
        ("0xA7", "A7"),
        ("0XA7", "A7"),
        ("-59", "-59"),
        ("-5:9", "-59"),
        ("59-", "59-"),
        ("0x", ""),
        ("", ""),
        ("  ", ""),
        ("no hex", "no hex"),
    ],
)
def test_hex_digits_lose_separators_only(text: str, digits: str) -> None:
    """Blanks, colons and hyphens between digits and a leading 0x go; a sign and foreign signs stay."""
    assert hex_digits(text) == digits


def test_a_long_run_of_separators_is_read_in_no_time() -> None:
    """A cell of a megabyte of blanks between two digits is read in one pass."""
    assert hex_digits("A" + " " * 1_000_000 + "7") == "A7"
    assert hex_digits("A" + " " * 1_000_000 + "x") == "A" + " " * 1_000_000 + "x"


# --- the fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"certificateExpirationDateTime": "2027-11-23T09:49:13.5000000+01:00"},
        {"certificateExpirationDateTime": "2027-11-22T18:49:13.5-14:00"},
        {"certificateExpirationDateTime": "2027-11-23T08:49:13.5-00:00"},
        {"certificateKeyUsage": "keyEncipherment,digitalSignature"},
        {"certificateThumbprint": THUMBPRINT.lower()},
        {"certificateThumbprint": ":".join(THUMBPRINT[at : at + 2] for at in range(0, 40, 2))},
        {"certificateSerialNumber": "00:a7"},
        {"deviceDisplayName": " PC-1"},
    ],
    ids=lambda changes: next(iter(changes.values()))[:16],
)
def test_another_spelling_is_the_same_condition(changes: dict[str, str]) -> None:
    """Offset, order of flags, hexadecimal spelling and blanks around a text make no other object."""
    assert fingerprint(**changes) == fingerprint()


@pytest.mark.parametrize(
    "changes",
    [
        {"certificateExpirationDateTime": "2027-11-23T08:49:13.5000001Z"},
        {"certificateExpirationDateTime": "2027-11-23T08:49:13.5000000+01:00"},
        {"certificateKeyUsage": "digitalSignature"},
        {"devicePlatform": "macOS"},
        {"deviceDisplayName": "pc-1"},
        {"deviceDisplayName": "PC-1."},
        {"certificateProfileDisplayName": "Corp  SCEP"},
        {"certificateIssuer": "CN=contoso CA"},
        {"certificateThumbprint": THUMBPRINT[:-1]},
        {"certificateSerialNumber": "-A7"},
        {"certificateKeyLength": 4096},
        {"userDisplayName": "Ada"},
        {"certificateErrorCode": 0},
    ],
    ids=lambda changes: "+".join(str(value) for value in changes.values()),
)
def test_any_other_change_is_another_condition(changes: dict[str, str | int]) -> None:
    """One changed or added property is another fingerprint, down to 100 nanoseconds."""
    assert fingerprint(**changes) != fingerprint()


@pytest.mark.parametrize("name", ROW)
def test_a_property_that_is_gone_is_another_condition(name: str) -> None:
    """An absent property differs from a present one."""
    without = {other: value for other, value in ROW.items() if other != name}

    assert fingerprint_of(EDITION_CURRENT, without) != fingerprint()


def test_the_same_text_in_another_property_is_another_condition() -> None:
    """A value counts with its property's name."""
    one = fingerprint_of(EDITION_CURRENT, {"deviceDisplayName": "x"})

    assert fingerprint_of(EDITION_CURRENT, {"userDisplayName": "x"}) != one


def test_the_order_of_the_properties_makes_no_difference() -> None:
    """The fingerprint follows the edition's order, not the mapping's."""
    assert fingerprint_of(EDITION_CURRENT, dict(reversed(ROW.items()))) == fingerprint()


TEXTS = {
    edition.name: [
        each.name for each in edition.properties if each.type is PrimitiveType.STRING and each.shape is Shape.FREE
    ]
    for edition in EDITIONS.values()
}


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
@given(data=st.data())
def test_no_two_conditions_share_a_fingerprint(edition: Edition, data: st.DataObject) -> None:
    """Fingerprints over free texts are equal exactly when the texts are, but for blanks around and normal form."""
    texts = st.dictionaries(st.sampled_from(TEXTS[edition.name]), PARTS, max_size=4)
    one, other = data.draw(texts), data.draw(texts)

    def plain(properties: dict[str, str]) -> dict[str, str]:
        return {name: unicodedata.normalize("NFC", text.strip()) for name, text in properties.items()}

    same = fingerprint_of(edition, one) == fingerprint_of(edition, other)

    assert same is (plain(one) == plain(other))


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
@given(data=st.data())
def test_every_valid_row_has_key_and_fingerprint(edition: Edition, data: st.DataObject) -> None:
    """Whatever passes validation can be identified and compared; nothing is raised."""
    valid = {
        PrimitiveType.STRING: ["x", "\u00a0x", "0xA7", "-59", "https://ndes/", "Zo\u00eb"],
        PrimitiveType.INT32: ["0", "-2147483648", "0002048"],
        PrimitiveType.DATETIMEOFFSET: [
            "2026-11-23T08:49Z",
            "2026-11-23T08:49:13.5+01:00",
            "9999-12-31T23:59:59.9999999Z",
        ],
    }
    cells = {
        each.name: data.draw(
            st.just("https://ndes/")
            if each.shape is Shape.URL
            else st.sampled_from(each.type.members if isinstance(each.type, EnumType) else valid[each.type]),
            label=each.name,
        )
        for each in edition.properties
    }
    columns = match_columns(tuple(cells), edition, aliases={}, required=frozenset())
    assert columns is not None
    validator = open_validator(edition, required=frozenset())

    judged = validate_values(pick_values(Row(2, tuple(cells.values())), columns), validator)

    assert judged.state is not None
    properties = judged.state.model_dump(exclude_none=True, exclude={"odata_type"})
    assert len(key_of(COLLECTION, properties)) == 32
    assert len(fingerprint_of(edition, properties)) == 32


# --- instants


def days_since_year_one(year: int, month: int, day: int) -> int:
    """Count the days from 0001-01-01 by the Gregorian rule, without the standard library."""
    lengths = (
        31,
        28 + (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    )
    years = year - 1
    return years * 365 + years // 4 - years // 100 + years // 400 + sum(lengths[: month - 1]) + day - 1


@given(
    day=st.dates(),
    second=st.integers(0, 86_399),
    fraction=st.from_regex(r"\A(\.[0-9]{1,7})?\Z"),
    offset_minutes=st.integers(-840, 840),
)
def test_instants_are_counted_as_by_hand(day: object, second: int, fraction: str, offset_minutes: int) -> None:
    """Ticks are 100 ns since the year 1 in UTC, against a computation from the calendar's rule."""
    year, month, monthday = (int(part) for part in str(day).split("-"))
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{fraction}"
    sign = "-" if offset_minutes < 0 else "+"
    offset = f"{sign}{abs(offset_minutes) // 60:02}:{abs(offset_minutes) % 60:02}"

    seconds = days_since_year_one(year, month, monthday) * 86_400 + second - offset_minutes * 60
    ticks = seconds * 10**7 + int(fraction[1:].ljust(7, "0") if fraction else 0)

    assert instant_ticks(f"{day}T{clock}{offset}") == ticks
    if offset_minutes == 0:
        assert instant_ticks(f"{day}T{clock}Z") == ticks


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("0001-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00Z", 0),
        ("0001-01-01T00:00:00.0000001Z", 1),
        ("0001-01-01T00:00:00+01:00", -36_000_000_000),
        ("1970-01-01T00:00:00Z", 621_355_968_000_000_000),
        ("9999-12-31T23:59:59.9999999Z", 3_155_378_975_999_999_999),
        ("9999-12-31T23:59:59.9999999-00:30", 3_155_378_993_999_999_999),
    ],
)
def test_instants_are_those_of_dotnet(text: str, ticks: int) -> None:
    """The count is .NET's DateTime.Ticks: 0 for MinValue, 3155378975999999999 for MaxValue."""
    assert instant_ticks(text) == ticks


def test_1706_uses_the_same_rule() -> None:
    """The key does not depend on the edition, and a URL counts as a text."""
    one = fingerprint_of(EDITION_1706, {"serverUrl": "https://ndes.contoso.com/"})

    assert fingerprint_of(EDITION_1706, {"serverUrl": "https://ndes.contoso.com"}) != one


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["deviceManagement/A", "DeviceManagement/B"]),
            st.text(max_size=6) | st.sampled_from(["PC-1", "pc-1 ", "Stra\u00dfe", "e\u0301", ""]),
            st.text("0123456789abcdefABCDEF:x -", min_size=1, max_size=8).filter(str.strip),
        )
    )
)
def test_many_keys_at_once_are_the_keys_of_each(objects: list[tuple[str, str, str]]) -> None:
    """However the thumbprint and the device's name are spelled, the key is the one that the object has alone."""
    collections, devices, thumbprints = ([each[at] for each in objects] for at in range(3))
    expected = [
        key_of(collection, {"deviceDisplayName": device, "certificateThumbprint": thumbprint})
        for collection, device, thumbprint in objects
    ]

    assert [key.hex() for key in keys_by_thumbprint(collections, devices, thumbprints)] == expected
