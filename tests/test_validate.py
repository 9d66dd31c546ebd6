"""What a row becomes: the exact JSON body, or every finding at once."""

import json
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from page_example import SEED_BODY, SEED_PROPERTIES

from pipeline.columns import match_columns, pick_values
from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition, EnumType, PrimitiveType, Property, Shape
from pipeline.findings import CATALOGUE, Code, Finding, Severity, finding, shorten
from pipeline.model import CellType, Row
from pipeline.validate import Judged, open_validator, validate_values

NOTHING = frozenset[str]()
BERLIN = ZoneInfo("Europe/Berlin")
MEGABYTE = "x" * 1_000_000

SEED_CELLS = {name: str(value) for name, value in SEED_PROPERTIES.items() if name != "@odata.type"}

CLEAN_CURRENT = {
    "devicePlatform": "iOS",
    "certificateKeyUsage": "digitalSignature,keyEncipherment",
    "certificateValidityPeriodUnits": "years",
    "certificateIssuanceState": "issued",
    "certificateKeyStorageProvider": "useSoftwareKsp",
    "certificateSubjectNameFormat": "custom",
    "certificateSubjectAlternativeNameFormat": "userPrincipalName,emailAddress",
    "certificateRevokeStatus": "none",
    "certificateProfileDisplayName": "Corp SCEP iOS",
    "deviceDisplayName": "iPhone de Zoë",
    "userDisplayName": "用户 Ω \U0001f4f1",
    "certificateExpirationDateTime": "2027-11-23T08:49:13Z",
    "certificateLastIssuanceStateChangedDateTime": "2026-11-23T08:49:13.1000000+05:30",
    "lastCertificateStateChangeDateTime": "2026-11-23T08:49:13.0-00:00",
    "certificateIssuer": 'CN="Contoso, Inc." \\ Issuing {CA} 100 %s',
    "certificateThumbprint": "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
    "certificateSerialNumber": "00A7",
    "certificateKeyLength": "2048",
    "certificateEnhancedKeyUsage": "1.3.6.1.5.5.7.3.2",
    "certificateValidityPeriod": "1",
    "certificateSubjectNameFormatString": "CN={{DeviceName}}",
    "certificateSubjectAlternativeNameFormatString": "{{UserPrincipalName}}",
    "certificateIssuanceDateTime": "2026-11-23T08:49Z",
    "certificateErrorCode": "-2147024891",
}


def judged(
    cells: dict[str, str],
    *,
    edition: Edition = EDITION_CURRENT,
    required: frozenset[str] = NOTHING,
    zone: ZoneInfo | None = None,
    is_strict: bool = False,
    not_text: dict[str, CellType] | None = None,
) -> Judged:
    """Take a row of these cells the whole way from its header to its judgement."""
    header = tuple(cells)
    columns = match_columns(header, edition, aliases={}, required=NOTHING)
    assert columns is not None
    types = tuple((header.index(name), cell_type) for name, cell_type in (not_text or {}).items())
    values = pick_values(Row(2, tuple(cells.values()), types), columns)
    return validate_values(values, open_validator(edition, required=required, zone=zone, is_strict=is_strict))


def body_of(found: Judged) -> str:
    assert found.state is not None
    return found.state.model_dump_json(by_alias=True, exclude_none=True)


def sent(found: Judged, name: str) -> object:
    """Return what the body says of the one property."""
    return json.loads(body_of(found))[name]


def error(code: Code, column: str, value: str, message: str) -> Finding:
    return Finding(code, Severity.ERROR, column, value, message, CATALOGUE[code].hint)


def warning(code: Code, column: str, value: str, message: str) -> Finding:
    return Finding(code, Severity.WARNING, column, value, message, CATALOGUE[code].hint)


def property_of(edition: Edition, name: str) -> Property:
    (prop,) = (each for each in edition.properties if each.name == name)
    return prop


EVERY_PROPERTY = [
    pytest.param(edition, each.name, id=f"{edition.name}-{each.name}")
    for edition in EDITIONS.values()
    for each in edition.properties
]

# --- whole rows


def test_the_seeds_row_gives_the_seeds_body() -> None:
    """The seed's example row is valid, and its body is the printed one: every property, in order, to the last digit."""
    found = judged(SEED_CELLS, edition=EDITION_1706, required=EDITION_1706.required)

    assert list(json.loads(body_of(found)).items()) == list(SEED_PROPERTIES.items())
    assert body_of(found) == json.dumps(json.loads(SEED_BODY), separators=(",", ":"))
    assert found.platform == "androidForWork"


def test_the_seeds_row_has_three_warnings() -> None:
    """PKI knowledge objects to the seed's placeholders, and to nothing else."""
    found = judged(SEED_CELLS, edition=EDITION_1706, required=EDITION_1706.required)

    assert found.findings == (
        warning(
            Code.THUMBPRINT_SHAPE,
            "certificateThumbprint",
            "Certificate Thumbprint value",
            "a thumbprint has 40 hexadecimal digits (SHA-1)",
        ),
        warning(
            Code.SERIAL_NUMBER_SHAPE,
            "certificateSerialNumber",
            "Certificate Serial Number value",
            "a serial number is written in hexadecimal digits",
        ),
        warning(Code.KEY_LENGTH_UNUSUAL, "certificateKeyLength", "4", "4 bits is no usual key length"),
    )


def test_the_bodys_order_is_the_editions_not_the_files() -> None:
    """Columns in another order give the same body."""
    shuffled = dict(reversed(SEED_CELLS.items()))

    assert body_of(judged(shuffled, edition=EDITION_1706)) == body_of(judged(SEED_CELLS, edition=EDITION_1706))


def test_a_full_row_of_today_passes_without_a_finding() -> None:
    """A clean row of edition current is sent as written, with numbers as numbers, and nothing is said of it."""
    numbers = {"certificateKeyLength": 2048, "certificateValidityPeriod": 1, "certificateErrorCode": -2147024891}

    found = judged(CLEAN_CURRENT, required=frozenset(CLEAN_CURRENT))

    assert found.findings == ()
    expected = {"@odata.type": "#microsoft.graph.managedDeviceCertificateState"} | CLEAN_CURRENT | numbers
    assert list(json.loads(body_of(found)).items()) == list(expected.items())


def test_empty_cells_stay_out_of_the_body() -> None:
    """An optional property without a value is absent: 15 of the properties may not be null."""
    found = judged(
        {"deviceDisplayName": "PC-1", "userDisplayName": "", "certificateErrorCode": " ", "devicePlatform": ""}
    )

    assert found == Judged(found.state, "", ())
    assert body_of(found) == (
        '{"@odata.type":"#microsoft.graph.managedDeviceCertificateState","deviceDisplayName":"PC-1"}'
    )


def test_the_routing_columns_stay_out_of_the_body() -> None:
    """What chooses the route is no property of the object."""
    found = judged({"deviceDisplayName": "PC-1", "deviceConfigurationId": "x", "profileType": "pkcs"})

    assert json.loads(body_of(found)) == {
        "@odata.type": "#microsoft.graph.managedDeviceCertificateState",
        "deviceDisplayName": "PC-1",
    }


def test_all_findings_of_a_row_come_at_once() -> None:
    """A row that is wrong everywhere is told so in one go, errors in the edition's order and then the warnings."""
    cells = {
        "Device Platform": "iphone",
        "certificateKeyUsage": "digitalSignature, keyencipherment, digitalSignature",
        "certificateProfileDisplayName": " Corp",
        "deviceDisplayName": "PC\x001",
        "userDisplayName": MEGABYTE,
        "serverUrl": "ndes.contoso.com",
        "certificateExpirationDateTime": "31.12.2027",
        "lastCertificateStateChangeDateTime": "2026-11-23T08:49:13",
        "certificateIssuer": "  ",
        "CERTIFICATETHUMBPRINT": "12",
        "certificateSerialNumber": "5E+17",
        "certificateKeyLength": "2147483648",
        "enhancedKeyUsage": "",
    }
    platforms = "android, androidForWork, iOS, macOS, windowsPhone81, windows81AndLater, windows10AndLater"

    found = judged(
        cells,
        edition=EDITION_1706,
        required=EDITION_1706.required,
        not_text={"certificateSerialNumber": CellType.NUMBER},
    )

    assert found == Judged(
        None,
        "",
        (
            error(
                Code.NUMERIC_IDENTIFIER,
                "certificateSerialNumber",
                "5E+17",
                "the workbook holds this identifier as a number, so digits may be lost",
            ),
            error(Code.UNKNOWN_MEMBER, "Device Platform", "iphone", f"not one of {platforms}"),
            error(
                Code.CONTROL_CHARACTER,
                "deviceDisplayName",
                "PC\x001",
                "character 3 is the control character U+0000",
            ),
            error(
                Code.VALUE_TOO_LONG,
                "userDisplayName",
                "x" * 200 + "... (1,000,000 characters)",
                "the cell holds 1,000,000 characters; 32,767 is the most",
            ),
            error(Code.NOT_A_URL, "serverUrl", "ndes.contoso.com", "not an absolute http or https URL"),
            error(
                Code.NOT_A_DATE_TIME,
                "certificateExpirationDateTime",
                "31.12.2027",
                "not in the form 2026-11-23T08:49:13Z, with at most seven fractional digits",
            ),
            error(
                Code.DATE_TIME_WITHOUT_OFFSET,
                "lastCertificateStateChangeDateTime",
                "2026-11-23T08:49:13",
                "the date and time has no offset from UTC",
            ),
            error(
                Code.MISSING_VALUE,
                "certificateIssuer",
                "  ",
                "certificateIssuer is required and the cell is empty",
            ),
            error(
                Code.INT32_RANGE,
                "certificateKeyLength",
                "2147483648",
                "the number is outside -2147483648 to 2147483647",
            ),
            error(Code.MISSING_VALUE, "enhancedKeyUsage", "", "enhancedKeyUsage is required and the cell is empty"),
            warning(
                Code.SURROUNDING_SPACE,
                "certificateKeyUsage",
                "digitalSignature, keyencipherment, digitalSignature",
                "blanks around the members were left out",
            ),
            warning(
                Code.LETTER_CASE,
                "certificateKeyUsage",
                "digitalSignature, keyencipherment, digitalSignature",
                "read as keyEncipherment, the API's spelling",
            ),
            warning(
                Code.REPEATED_MEMBER,
                "certificateKeyUsage",
                "digitalSignature, keyencipherment, digitalSignature",
                "a member that is written twice is sent once",
            ),
            warning(
                Code.SURROUNDING_SPACE,
                "certificateProfileDisplayName",
                " Corp",
                "blanks around the value are sent as written",
            ),
            warning(
                Code.THUMBPRINT_SHAPE,
                "CERTIFICATETHUMBPRINT",
                "12",
                "a thumbprint has 40 hexadecimal digits (SHA-1)",
            ),
            warning(
                Code.SERIAL_NUMBER_SHAPE,
                "certificateSerialNumber",
                "5E+17",
                "a serial number is written in hexadecimal digits",
            ),
        ),
    )


def test_strict_makes_errors_of_warnings() -> None:
    """With --strict a warning keeps the row from being sent; the finding is the same but for its severity."""
    cells = {"devicePlatform": "IOS", "deviceDisplayName": "PC-1"}

    found = judged(cells, is_strict=True)

    assert found == Judged(
        None, "iOS", (error(Code.LETTER_CASE, "devicePlatform", "IOS", "read as iOS, the API's spelling"),)
    )
    assert judged(cells | {"devicePlatform": "iOS"}, is_strict=True).findings == ()


def test_only_what_is_required_must_be_there() -> None:
    """A required property without column or value is an error, an optional one is not."""
    found = judged({"deviceDisplayName": "\u00a0"}, required=frozenset({"deviceDisplayName", "certificateKeyLength"}))

    assert found.findings == (
        error(
            Code.MISSING_VALUE,
            "deviceDisplayName",
            "\u00a0",
            "deviceDisplayName is required and the cell is empty",
        ),
        error(
            Code.MISSING_VALUE,
            "certificateKeyLength",
            "",
            "certificateKeyLength is required and the cell is empty",
        ),
    )


def test_the_platform_is_known_though_the_row_is_invalid() -> None:
    """A row that is invalid elsewhere still tells its platform, for the report."""
    assert judged({"devicePlatform": " macos ", "certificateKeyLength": "x"}).platform == "macOS"


# --- texts of any type


@pytest.mark.parametrize(("edition", "name"), EVERY_PROPERTY)
def test_a_megabyte_in_a_cell_is_one_short_finding(edition: Edition, name: str) -> None:
    """A cell of a megabyte, as a missing closing quote makes it, is refused and shown cut."""
    found = judged({name: MEGABYTE}, edition=edition)

    assert found == Judged(
        None,
        "",
        (
            error(
                Code.VALUE_TOO_LONG,
                name,
                "x" * 200 + "... (1,000,000 characters)",
                "the cell holds 1,000,000 characters; 32,767 is the most",
            ),
        ),
    )


def test_the_longest_cell_of_a_spreadsheet_is_sent() -> None:
    """32,767 characters fit into a spreadsheet's cell, and are sent."""
    longest = "x" * 32_767

    found = judged({"certificateIssuer": longest})

    assert (sent(found, "certificateIssuer"), found.findings) == (longest, ())


@pytest.mark.parametrize(("edition", "name"), EVERY_PROPERTY)
@pytest.mark.parametrize("sign", ["\x00", "\x0b", "\x1f", "\x7f"])
def test_a_control_character_is_refused(edition: Edition, name: str, sign: str) -> None:
    """A control character is an error in every property, named by its place and number."""
    found = judged({name: f"ab{sign}c"}, edition=edition)

    assert found == Judged(
        None,
        "",
        (
            error(
                Code.CONTROL_CHARACTER,
                name,
                f"ab{sign}c",
                f"character 3 is the control character U+{ord(sign):04X}",
            ),
        ),
    )


def test_half_of_a_surrogate_pair_is_refused() -> None:
    """Half of a surrogate pair, which YAML can hold, has no UTF-8: it is refused and shown as a question mark."""
    found = judged({"deviceDisplayName": "PC\ud83d"})

    assert found.findings == (
        error(Code.CONTROL_CHARACTER, "deviceDisplayName", "PC?", "character 3 is the control character U+D83D"),
    )


def test_tab_and_line_breaks_in_free_text_are_kept() -> None:
    """Tabs and line breaks inside a text are legal JSON and are sent as written."""
    found = judged({"certificateIssuer": "CN=Contoso CA\r\n\tO=Contoso"})

    assert (sent(found, "certificateIssuer"), found.findings) == ("CN=Contoso CA\r\n\tO=Contoso", ())


@pytest.mark.parametrize("text", ["{message}", "{0}", "{", "}}", "%s %(x)d %", "{x!r:>{y}}", "$x ${y}", "\\N{DASH}"])
@pytest.mark.parametrize(("edition", "name"), EVERY_PROPERTY)
def test_braces_and_percent_signs_mean_nothing(edition: Edition, name: str, text: str) -> None:
    """What looks like a template in a cell is neither filled in nor an error of its own."""
    found = judged({name: text}, edition=edition)

    is_free = property_of(edition, name).type is PrimitiveType.STRING and name != "serverUrl"
    assert (found.state is not None) is is_free
    assert {each.value for each in found.findings} <= {text}
    if is_free:
        assert sent(found, name) == text


BLANKS = ["  {}", "{} ", "\u00a0{}\u00a0", "\t{}\n", "\u2003{}\u3000"]


@pytest.mark.parametrize("blanks", BLANKS)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("devicePlatform", "iOS"),
        ("certificateExpirationDateTime", "2027-11-23T08:49:13Z"),
        ("serverUrl", "https://ndes.contoso.com/"),
    ],
)
def test_blanks_around_a_typed_value_are_left_out(name: str, text: str, blanks: str) -> None:
    """Where the type allows no blanks, they are left out with a warning; no-break spaces count."""
    cell = blanks.format(text)

    found = judged({name: cell}, edition=EDITION_1706)

    assert sent(found, name) == text
    assert found.findings == (warning(Code.SURROUNDING_SPACE, name, cell, "blanks around the value were left out"),)


@pytest.mark.parametrize("blanks", BLANKS)
def test_blanks_around_a_number_are_left_out(blanks: str) -> None:
    """Blanks around a number are left out with a warning."""
    cell = blanks.format("2048")

    found = judged({"certificateKeyLength": cell})

    assert sent(found, "certificateKeyLength") == 2048
    assert found.findings == (
        warning(Code.SURROUNDING_SPACE, "certificateKeyLength", cell, "blanks around the value were left out"),
    )


@pytest.mark.parametrize("blanks", BLANKS)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deviceDisplayName", "PC-1"),
        ("certificateThumbprint", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
        ("certificateSerialNumber", "00A7"),
    ],
)
def test_blanks_around_free_text_are_sent(name: str, text: str, blanks: str) -> None:
    """Free text is sent as written, blanks included, with one warning."""
    cell = blanks.format(text)

    found = judged({name: cell})

    assert sent(found, name) == cell
    assert found.findings == (
        warning(Code.SURROUNDING_SPACE, name, cell, "blanks around the value are sent as written"),
    )


@pytest.mark.parametrize(
    "text", ["=1+1", "+49", "-1", "@SUM(A1)", "'quoted'", "NULL", "NA", "nan", "None", "true", "1e5", "00012", "0.10"]
)
def test_nothing_is_read_into_free_text(text: str) -> None:
    """What looks like a formula, a number or nothing at all is a text like any other."""
    found = judged({"deviceDisplayName": text})

    assert (sent(found, "deviceDisplayName"), found.findings) == (text, ())


# --- enumerations

ENUM_PROPERTIES = [
    pytest.param(edition, each.name, each.type, id=f"{edition.name}-{each.name}")
    for edition in EDITIONS.values()
    for each in edition.properties
    if isinstance(each.type, EnumType)
]


@pytest.mark.parametrize(("edition", "name", "enum_type"), ENUM_PROPERTIES)
def test_every_member_is_sent_in_the_apis_spelling(edition: Edition, name: str, enum_type: EnumType) -> None:
    """Each member passes as spelt by the API, and in any other letter case with a warning."""
    for member in enum_type.members:
        found = judged({name: member}, edition=edition)
        assert (sent(found, name), found.findings) == (member, ())

        other = member.swapcase()
        found = judged({name: other}, edition=edition)
        assert sent(found, name) == member
        assert found.findings == (warning(Code.LETTER_CASE, name, other, f"read as {member}, the API's spelling"),)


@pytest.mark.parametrize(("edition", "name", "enum_type"), ENUM_PROPERTIES)
def test_an_unknown_member_is_told_all_the_known_ones(edition: Edition, name: str, enum_type: EnumType) -> None:
    """The message names every member, however many there are: the hint refers to them."""
    found = judged({name: "unknownFutureValue"}, edition=edition)

    assert found.findings == (
        error(Code.UNKNOWN_MEMBER, name, "unknownFutureValue", f"not one of {', '.join(enum_type.members)}"),
    )


@pytest.mark.parametrize("text", ["2", "iPadOS", "i OS", "iOS,macOS", "iOS;", "i\u200bOS", "ios\u0301"])
def test_a_member_is_not_guessed(text: str) -> None:
    """Numbers, near words, several members and invisible marks are no platform."""
    found = judged({"devicePlatform": text})

    assert [(each.code, each.value) for each in found.findings] == [(Code.UNKNOWN_MEMBER, text)]
    assert found.platform == ""


@pytest.mark.parametrize(
    ("text", "expected", "codes"),
    [
        ("digitalSignature", "digitalSignature", []),
        ("digitalSignature,keyEncipherment", "digitalSignature,keyEncipherment", []),
        ("keyEncipherment,digitalSignature", "keyEncipherment,digitalSignature", []),
        ("digitalSignature, keyEncipherment", "digitalSignature,keyEncipherment", [Code.SURROUNDING_SPACE]),
        ("digitalSignature ,keyEncipherment", "digitalSignature,keyEncipherment", [Code.SURROUNDING_SPACE]),
        ("digitalSignature,\u00a0keyEncipherment", "digitalSignature,keyEncipherment", [Code.SURROUNDING_SPACE]),
        ("digitalSignature,\nkeyEncipherment\t", "digitalSignature,keyEncipherment", [Code.SURROUNDING_SPACE]),
        ("digitalSignature,digitalSignature", "digitalSignature", [Code.REPEATED_MEMBER]),
        ("keyencipherment,keyEncipherment", "keyEncipherment", [Code.LETTER_CASE, Code.REPEATED_MEMBER]),
    ],
)
def test_a_flags_enum_takes_several_members(text: str, expected: str, codes: list[Code]) -> None:
    """Both key usages are one string in the file's order, and every correction of it is told."""
    found = judged({"certificateKeyUsage": text})

    assert sent(found, "certificateKeyUsage") == expected
    assert [(each.code, each.severity) for each in found.findings] == [(code, Severity.WARNING) for code in codes]


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "digitalSignature,",
        ",digitalSignature",
        "digitalSignature,,keyEncipherment",
        "digitalSignature, ,keyEncipherment",
        "digitalSignature;keyEncipherment",
        "digitalSignature keyEncipherment",
        "digitalSignature,nonRepudiation",
        '["digitalSignature"]',
        "3",
    ],
)
def test_a_flags_enum_has_no_empty_or_foreign_part(text: str) -> None:
    """An empty part, another separator or a usage that the enumeration lacks is an error."""
    found = judged({"certificateKeyUsage": text})

    assert found.state is None
    assert found.findings[0] == error(
        Code.UNKNOWN_MEMBER, "certificateKeyUsage", text, "not one of keyEncipherment, digitalSignature"
    )


# --- numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("+5", 5),
        ("0005", 5),
        ("-0005", -5),
        ("2147483647", 2147483647),
        ("-2147483648", -2147483648),
        ("0" * 5_000 + "7", 7),
        ("-" + "0" * 5_000, 0),
    ],
    ids=lambda text: str(text)[:12],
)
def test_int32_is_taken_to_its_edges(text: str, number: int) -> None:
    """Whole numbers within Int32 are sent as JSON numbers, however many zeros lead."""
    found = judged({"certificateErrorCode": text})

    assert (sent(found, "certificateErrorCode"), found.findings) == (number, ())


@pytest.mark.parametrize(
    "text",
    [
        "2147483648",
        "-2147483649",
        "2147942405",
        "9999999999",
        "10000000000",
        "-99999999999",
        "9" * 30_000,
        "-" + "9" * 5_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_number_beyond_int32_is_refused(text: str) -> None:
    """A number outside Int32 is an error, also one with more digits than Python would convert."""
    found = judged({"certificateErrorCode": text})

    assert found.findings == (
        error(
            Code.INT32_RANGE,
            "certificateErrorCode",
            shorten(text),
            "the number is outside -2147483648 to 2147483647",
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        *("2048.0", "2,048", "2 048", "2_048", "2e3", "0x800", "0x800 (2048)", "2048 bit", "--1", "+-1", "+", "-"),
        *("\u0662\u0660\u0664\u0668", "\uff12\uff10\uff14\uff18", "²", "\u22121", "½", "NaN", "TRUE", "five"),
    ],
)
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    """Decimals, separators, units and the digits of other scripts are no number."""
    found = judged({"certificateErrorCode": text})

    assert found.findings == (error(Code.NOT_AN_INTEGER, "certificateErrorCode", text, "not a whole number"),)


@pytest.mark.parametrize("text", ["256", "384", "521", "1024", "2048", "3072", "4096", "8192"])
def test_usual_key_lengths_pass(text: str) -> None:
    """Lengths of RSA and elliptic-curve keys in use are not remarked on."""
    assert judged({"certificateKeyLength": text}).findings == ()


@pytest.mark.parametrize("text", ["0", "4", "-2048", "512", "2047", "20480"])
def test_an_unusual_key_length_is_a_warning(text: str) -> None:
    """A length that no usual key has is sent with a warning."""
    found = judged({"certificateKeyLength": text})

    assert sent(found, "certificateKeyLength") == int(text)
    assert found.findings == (
        warning(Code.KEY_LENGTH_UNUSUAL, "certificateKeyLength", text, f"{text} bits is no usual key length"),
    )


# --- dates and times

EXPIRY = "certificateExpirationDateTime"
FORM = "not in the form 2026-11-23T08:49:13Z, with at most seven fractional digits"


@pytest.mark.parametrize(
    "text",
    [
        "2017-01-01T00:02:14.9489247-08:00",
        "2026-11-23T08:49:13Z",
        "2026-11-23T08:49:13.1Z",
        "2026-11-23T08:49:13.0000000Z",
        "2026-11-23T08:49:13.9999999+14:00",
        "2026-11-23T08:49:13-14:00",
        "2026-11-23T08:49:13+13:59",
        "2026-11-23T08:49:13-00:00",
        "2026-11-23T08:49Z",
        "2026-11-23T08:49+05:45",
        "2024-02-29T00:00:00Z",
        "2000-02-29T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T14:00:00+14:00",
        "0001-01-01T00:00:00-14:00",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59.9999999+14:00",
        "9999-12-31T09:59:59.9999999-14:00",
    ],
)
@pytest.mark.parametrize("zone", [None, BERLIN], ids=["no-zone", "zone"])
def test_a_date_time_is_kept_to_the_last_digit(text: str, zone: ZoneInfo | None) -> None:
    """Digits and offset are sent as written, whether a zone is declared or not."""
    found = judged({EXPIRY: text}, zone=zone)

    assert (sent(found, EXPIRY), found.findings) == (text, ())


@pytest.mark.parametrize(
    "text", ["2026-11-23t08:49:13.1234567z", "2026-11-23T08:49:13.1234567z", "2026-11-23t08:49:13.1234567Z"]
)
def test_small_t_and_z_are_sent_as_capitals(text: str) -> None:
    """OData writes T and Z in upper case: they are corrected with a warning."""
    found = judged({EXPIRY: text})

    assert sent(found, EXPIRY) == "2026-11-23T08:49:13.1234567Z"
    assert found.findings == (warning(Code.LETTER_CASE, EXPIRY, text, "T and Z are sent in upper case"),)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T08:49:13.12345678Z",
        "2026-11-23T08:49:13.Z",
        "2026-11-23T08:49:13,5Z",
        "2026-11-23T08:49.5Z",
        "2026-11-23T08Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23",
        "2026-11-23Z",
        "2026-11-23 08:49:13Z",
        "20261123T084913Z",
        "2026-11-23T08:49:13 Z",
        "2026-11-23T08:49:13 +01:00",
        "2026-11-23T08:49:13+0100",
        "2026-11-23T08:49:13+01",
        "2026-11-23T08:49:13+01:00:00",
        "2026-11-23T08:49:13UTC",
        "2026-11-23T08:49:13\u221201:00",
        "2026-W48-1T08:49:13Z",
        "2026-327T08:49:13Z",
        "26-11-23T08:49:13Z",
        "12026-11-23T08:49:13Z",
        "-2026-11-23T08:49:13Z",
        "+2026-11-23T08:49:13Z",
        "11/23/2026 8:49 AM",
        "46349.5",
        "1795423753000",
        "\u0662\u0660\u0662\u0666-\u0661\u0661-\u0662\u0663T\u0660\u0668:\u0664\u0669:\u0661\u0663Z",
        "\uff12\uff10\uff12\uff16-11-23T08:49:13Z",
        "Nov 23 08:49:13 2026 GMT",
        "now",
    ],
)
@pytest.mark.parametrize("zone", [None, BERLIN], ids=["no-zone", "zone"])
def test_another_form_is_no_date_time(text: str, zone: ZoneInfo | None) -> None:
    """Other forms, other scripts and more than seven fractional digits are refused, never reinterpreted."""
    assert judged({EXPIRY: text}, zone=zone).findings == (error(Code.NOT_A_DATE_TIME, EXPIRY, text, FORM),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-02-29T00:00:00Z", "no such date or time: day is out of range for month"),
        ("1900-02-29T00:00:00Z", "no such date or time: day is out of range for month"),
        ("2026-13-01T00:00:00Z", "no such date or time: month must be in 1..12"),
        ("2026-11-23T25:00:00Z", "no such date or time: hour must be in 0..23"),
        ("2026-11-23T08:60:00Z", "no such date or time: minute must be in 0..59"),
        ("2016-12-31T23:59:60Z", "no such date or time: second must be in 0..59"),
        ("2026-11-23T08:49:13+14:01", "no offset from UTC is +14:01; the most is 14:00"),
        ("2026-11-23T08:49:13-15:00", "no offset from UTC is -15:00; the most is 14:00"),
        ("2026-11-23T08:49:13+01:60", "no offset from UTC is +01:60; the most is 14:00"),
        ("2026-11-23T08:49:13+99:99", "no offset from UTC is +99:99; the most is 14:00"),
        ("0001-01-01T00:00:00+00:01", "with the offset +00:01 it lies outside the years 0001 to 9999 in UTC"),
        ("9999-12-31T23:59:59-01:00", "with the offset -01:00 it lies outside the years 0001 to 9999 in UTC"),
    ],
)
def test_an_impossible_date_time_is_refused_with_its_reason(text: str, message: str) -> None:
    """A date, time or offset that does not exist is an error that says which part is wrong."""
    assert judged({EXPIRY: text}).findings == (error(Code.NOT_A_DATE_TIME, EXPIRY, text, message),)


def test_the_year_zero_is_refused() -> None:
    """There is no year 0000 in a DateTimeOffset."""
    found = judged({EXPIRY: "0000-01-01T00:00:00Z"})

    assert [each.code for each in found.findings] == [Code.NOT_A_DATE_TIME]


@pytest.mark.parametrize("text", ["2026-11-23T08:49:13", "2026-11-23T08:49", "2026-11-23T08:49:13.1234567"])
def test_without_offset_and_zone_there_is_no_instant(text: str) -> None:
    """A date and time without an offset is an error while no zone is declared."""
    assert judged({EXPIRY: text}).findings == (
        error(Code.DATE_TIME_WITHOUT_OFFSET, EXPIRY, text, "the date and time has no offset from UTC"),
    )


@pytest.mark.parametrize(
    ("zone", "text", "offset"),
    [
        ("UTC", "2026-07-01T12:00:00.1234567", "Z"),
        ("Europe/London", "2026-01-01T12:00", "Z"),
        ("Europe/London", "2026-07-01T12:00:00", "+01:00"),
        ("Europe/Berlin", "2026-01-01T12:00:00.1234567", "+01:00"),
        ("Europe/Berlin", "2026-07-01T12:00", "+02:00"),
        ("Europe/Berlin", "2026-03-29T01:59:59.9999999", "+01:00"),
        ("Europe/Berlin", "2026-03-29T03:00:00", "+02:00"),
        ("Europe/Berlin", "2026-10-25T01:59:59.9999999", "+02:00"),
        ("Europe/Berlin", "2026-10-25T03:00:00", "+01:00"),
        ("Europe/Berlin", "9999-12-31T23:59:59", "+01:00"),
        ("America/St_Johns", "2026-01-01T12:00:00", "-03:30"),
        ("Asia/Kathmandu", "2026-01-01T12:00:00", "+05:45"),
        ("Pacific/Kiritimati", "2026-01-01T12:00:00", "+14:00"),
    ],
)
def test_a_declared_zone_gives_its_offset(zone: str, text: str, offset: str) -> None:
    """The declared zone's offset at that local time is appended, and the digits stay."""
    found = judged({EXPIRY: text}, zone=ZoneInfo(zone))

    assert (sent(found, EXPIRY), found.findings) == (text + offset, ())


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-29T02:00:00",
        "2026-03-29T02:30",
        "2026-03-29T02:59:59.9999999",
        "2026-10-25T02:00:00",
        "2026-10-25T02:30",
        "2026-10-25T02:59:59.9999999",
    ],
)
def test_the_hours_of_a_clock_change_are_not_guessed(text: str) -> None:
    """A local time that the declared zone skipped or had twice is an error."""
    assert judged({EXPIRY: text}, zone=BERLIN).findings == (
        error(
            Code.AMBIGUOUS_LOCAL_TIME,
            EXPIRY,
            text,
            "the clocks of Europe/Berlin were changed at that hour, so it came twice or not at all",
        ),
    )


def test_a_zones_offset_with_seconds_cannot_be_sent() -> None:
    """Local mean time, as zones had it before about 1900, has seconds, which no DateTimeOffset holds."""
    text = "0001-01-01T00:00:00"

    assert judged({EXPIRY: text}, zone=BERLIN).findings == (
        error(
            Code.NOT_A_DATE_TIME,
            EXPIRY,
            text,
            "Europe/Berlin had an offset with seconds then, which the API cannot hold",
        ),
    )


def test_a_declared_zone_cannot_lead_out_of_the_years() -> None:
    """The end of year 9999 in New York lies in year 10000 in UTC."""
    text = "9999-12-31T23:59:59"

    assert judged({EXPIRY: text}, zone=ZoneInfo("America/New_York")).findings == (
        error(
            Code.NOT_A_DATE_TIME,
            EXPIRY,
            text,
            "with the offset -05:00 it lies outside the years 0001 to 9999 in UTC",
        ),
    )


# --- texts with a shape


@pytest.mark.parametrize(
    "text",
    [
        "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
        "http://ndes",
        "HTTPS://NDES.CONTOSO.COM",
        "https://ndes.contoso.com:8443/x?a=1&b=%20#top",
        "https://[2001:db8::1]:443/",
        "https://münchen.example.com/straße",
        "https://ndes.contoso.com:/",
    ],
)
def test_an_absolute_url_is_sent_as_written(text: str) -> None:
    """An http or https URL with a host is sent as written."""
    found = judged({"serverUrl": text}, edition=EDITION_1706)

    assert (sent(found, "serverUrl"), found.findings) == (text, ())


@pytest.mark.parametrize(
    "text",
    [
        *("ndes.contoso.com", "//ndes.contoso.com", "/certsrv", "http:", "http://", "http:///x", "https://:443/"),
        *("http:ndes.contoso.com", "http:/ndes.contoso.com", "http:\\\\ndes.contoso.com", "http://user@/x"),
        *("http://[::1", "http://::1]/", "http://[fe80::x]/", "http://ndes:99999/", "http://ndes:-1/"),
        *(
            "http://ndes:0/",
            "http://ndes:8o/",
            "http://ndes:\u0664\u0664\u0663/",
            "http://ndes contoso/",
            "http://ndes/a b",
        ),
        *("http://ndes/\u00a0x", "http://nd\tes/", "http://ndes/\nx", "http://ndes/<x>", "http://ndes/{0}"),
        *("http://\u2100.com/", "javascript:alert(1)", "javascript://ndes/%0aalert(1)", "file:///etc/passwd"),
        *(
            "ftp://ndes.contoso.com",
            "ldap://ndes",
            "urn:x",
            "data:text/html,x",
            "\u200bhttp://ndes",
            "h\u00a0ttp://ndes",
        ),
    ],
)
def test_what_is_no_absolute_url_is_refused(text: str) -> None:
    """Relative, hostile and half URLs are errors, and never an exception."""
    assert judged({"serverUrl": text}, edition=EDITION_1706).findings == (
        error(Code.NOT_A_URL, "serverUrl", text, "not an absolute http or https URL"),
    )


THUMBPRINT = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
NOT_40 = "a thumbprint has 40 hexadecimal digits (SHA-1)"
SEPARATED = "the thumbprint holds separators or 0x; it is sent as written"
SHA_256 = "64 hexadecimal digits are a SHA-256 hash; Windows and Intune call the SHA-1 hash thumbprint"


def test_an_invisible_mark_is_told_and_sent_as_written() -> None:
    """The mark that Windows put before a copied thumbprint is seen by nobody but us."""
    found = judged({"certificateThumbprint": f"\u200e{THUMBPRINT}"})

    assert sent(found, "certificateThumbprint") == f"\u200e{THUMBPRINT}"
    assert found.findings == (
        warning(
            Code.INVISIBLE_MARK,
            "certificateThumbprint",
            f"\u200e{THUMBPRINT}",
            "character 1 is the invisible mark U+200E",
        ),
        warning(Code.THUMBPRINT_SHAPE, "certificateThumbprint", f"\u200e{THUMBPRINT}", NOT_40),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("value", NOT_40),
        (THUMBPRINT[1:], NOT_40),
        (THUMBPRINT + "0", NOT_40),
        ("?" + THUMBPRINT, NOT_40),
        ("-" + THUMBPRINT[1:], NOT_40),
        ("\u0660" * 40, NOT_40),
        ("0x", NOT_40),
        ("0" * 64, SHA_256),
        ("0x" + THUMBPRINT, SEPARATED),
        (":".join(THUMBPRINT[at : at + 2] for at in range(0, 40, 2)), SEPARATED),
        (" ".join(THUMBPRINT[at : at + 2] for at in range(0, 40, 2)), SEPARATED),
        ("-".join(THUMBPRINT[at : at + 8] for at in range(0, 40, 8)), SEPARATED),
    ],
)
def test_an_odd_thumbprint_is_sent_with_a_warning(text: str, message: str) -> None:
    """What is not 40 plain hexadecimal digits is sent as written, and the warning says what is odd."""
    found = judged({"certificateThumbprint": text})

    assert sent(found, "certificateThumbprint") == text
    assert found.findings == (warning(Code.THUMBPRINT_SHAPE, "certificateThumbprint", text, message),)


@pytest.mark.parametrize("text", [THUMBPRINT, THUMBPRINT.upper()])
def test_a_plain_thumbprint_is_not_remarked_on(text: str) -> None:
    """Forty hexadecimal digits in either letter case are what is expected."""
    assert judged({"certificateThumbprint": text}).findings == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("value", "a serial number is written in hexadecimal digits"),
        ("-59", "a serial number is written in hexadecimal digits"),
        ("1.23457E+18", "a serial number is written in hexadecimal digits"),
        ("0" * 43, "a serial number has at most 20 octets, 40 hexadecimal digits (RFC 5280)"),
        ("00:a7", "the serial number holds separators or 0x; it is sent as written"),
        ("0xA7", "the serial number holds separators or 0x; it is sent as written"),
    ],
)
def test_an_odd_serial_number_is_sent_with_a_warning(text: str, message: str) -> None:
    """What is not plain hexadecimal of at most 20 octets is sent as written, with a warning."""
    found = judged({"certificateSerialNumber": text})

    assert sent(found, "certificateSerialNumber") == text
    assert found.findings == (warning(Code.SERIAL_NUMBER_SHAPE, "certificateSerialNumber", text, message),)


@pytest.mark.parametrize("text", ["A7", "00A7", "a7", "0", "167", "00" + "F" * 40])
def test_a_plain_serial_number_is_not_remarked_on(text: str) -> None:
    """Hexadecimal digits are expected, with the leading 00 that DER and .NET keep as the sign."""
    assert judged({"certificateSerialNumber": text}).findings == ()


# --- cells that a workbook does not hold as text


@pytest.mark.parametrize("cell_type", [CellType.NUMBER, CellType.BOOLEAN, CellType.DATE])
@pytest.mark.parametrize("name", ["certificateThumbprint", "certificateSerialNumber"])
def test_an_identifier_that_a_workbook_holds_otherwise_is_refused(name: str, cell_type: CellType) -> None:
    """A thumbprint or serial number that is a number, boolean or date has lost digits: it is never sent."""
    found = judged({name: "0" * 40}, not_text={name: cell_type})

    assert found == Judged(
        None,
        "",
        (
            error(
                Code.NUMERIC_IDENTIFIER,
                name,
                "0" * 40,
                f"the workbook holds this identifier as a {cell_type}, so digits may be lost",
            ),
        ),
    )


@pytest.mark.parametrize(
    "name", ["deviceDisplayName", "userDisplayName", "certificateIssuer", "certificateProfileDisplayName"]
)
def test_a_name_that_a_workbook_made_a_date_is_refused(name: str) -> None:
    """A device name such as MAR-01 becomes a date in Excel: what was entered is lost, so it is never sent."""
    found = judged({name: "2026-03-01T00:00:00"}, not_text={name: CellType.DATE})

    assert found.findings == (
        error(
            Code.NUMERIC_IDENTIFIER,
            name,
            "2026-03-01T00:00:00",
            "the workbook holds this text as a date, so what was entered is lost",
        ),
    )


def test_other_numbers_and_dates_of_a_workbook_are_welcome() -> None:
    """Numbers, dates and numeric names in a workbook are values like any other."""
    found = judged(
        {"certificateKeyLength": "2048", EXPIRY: "2027-11-23T00:00:00", "deviceDisplayName": "4711"},
        zone=BERLIN,
        not_text={
            "certificateKeyLength": CellType.NUMBER,
            EXPIRY: CellType.DATE,
            "deviceDisplayName": CellType.NUMBER,
        },
    )

    assert found.findings == ()
    assert sent(found, EXPIRY) == "2027-11-23T00:00:00+01:00"


# --- any text at all

NEARLY_VALID = [
    *SEED_CELLS.values(),
    *CLEAN_CURRENT.values(),
    *("IOS", "keyEncipherment , digitalsignature", " 2048", "99999999999", "2026-11-23t08:49z", "2026-03-29T02:30"),
    *("2026-11-23T08:49:13+14:00", "https://ndes:443", "http://[", "0x00:A7", "\u00a0", "\ud800", "0" * 5_000),
]
ANY_TEXT = st.one_of(
    st.text(st.characters()), st.text("0123456789-+:TZtz. ,", max_size=30), st.sampled_from(NEARLY_VALID)
)


def corrected(text: str, prop: Property, codes: set[Code]) -> str | int:
    """Return what a cell becomes by the corrections that the findings name, and by no others."""
    if prop.type is PrimitiveType.STRING and prop.shape is not Shape.URL:
        return text
    if Code.SURROUNDING_SPACE in codes:
        text = ",".join(part.strip() for part in text.split(","))
    if isinstance(prop.type, EnumType) and Code.LETTER_CASE in codes:
        spelling = {member.casefold(): member for member in prop.type.members}
        text = ",".join(spelling[part.casefold()] for part in text.split(","))
    elif Code.LETTER_CASE in codes:
        text = text.upper()
    if Code.REPEATED_MEMBER in codes:
        text = ",".join(dict.fromkeys(text.split(",")))
    return int(text) if prop.type is PrimitiveType.INT32 else text


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
@given(data=st.data())
def test_any_text_is_sent_as_written_or_told(edition: Edition, data: st.DataObject) -> None:
    """Whatever the cells hold, nothing is raised, and what passes differs from its cells by told corrections only."""
    names = [each.name for each in edition.properties]
    cells = {name: data.draw(ANY_TEXT, label=name) for name in data.draw(st.sets(st.sampled_from(names), min_size=1))}
    zone = data.draw(st.sampled_from([None, ZoneInfo("UTC")]))

    found = judged(cells, edition=edition, zone=zone)

    assert (found.state is None) is any(each.severity is Severity.ERROR for each in found.findings)
    assert [each for each in found.findings if (each.severity, each.hint) != CATALOGUE[each.code][::2]] == []
    if found.state is not None:
        body = json.loads(body_of(found))
        assert body.pop("@odata.type") == "#microsoft.graph.managedDeviceCertificateState"
        assert list(body) == [name for name in names if cells.get(name, "").strip()]
        for name, value in body.items():
            codes = {each.code for each in found.findings if each.column == name}
            expected = corrected(cells[name], property_of(edition, name), codes)
            assert value in ({expected, f"{expected}Z"} if "DateTime" in name and zone else {expected})


@given(ANY_TEXT)
@example("0" * 5_000)
@example("\ud800")
@example("{message}")
def test_one_text_in_every_property_is_judged(text: str) -> None:
    """A row that holds the same arbitrary text everywhere is judged, strictly or not, with the same findings."""
    cells = dict.fromkeys((each.name for each in EDITION_CURRENT.properties), text)

    lenient = judged(cells, required=frozenset(cells), zone=BERLIN)
    strict = judged(cells, required=frozenset(cells), zone=BERLIN, is_strict=True)

    assert [each._replace(severity=Severity.ERROR) for each in lenient.findings] == list(strict.findings)
    assert (strict.state is None) is bool(strict.findings)


# --- the catalogue


def test_every_code_is_in_the_catalogue_and_kebab_case() -> None:
    """Each code has a meaning and a hint, and is spelt in small letters with hyphens."""
    assert list(CATALOGUE) == list(Code)
    assert [
        code
        for code in Code
        if not all(part.isalnum() and part.islower() for part in code.split("-") if part != "int32")
    ] == []
    assert [code for code, meaning in CATALOGUE.items() if not meaning.meaning or not meaning.hint] == []


def test_a_finding_takes_severity_and_hint_from_the_catalogue() -> None:
    """A finding has the catalogue's hint unless a more exact one is given."""
    assert finding(Code.NO_ROWS, "none") == Finding(
        Code.NO_ROWS, Severity.WARNING, "", "", "none", "check that the export was complete"
    )
    assert finding(Code.NO_ROWS, "none", hint="look again").hint == "look again"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 200, "x" * 200), ("x" * 201, "x" * 200 + "... (201 characters)"), ("", ""), ("a\udc00b", "a?b")],
    ids=["short", "long", "empty", "surrogate"],
)
def test_a_long_value_is_shown_cut(text: str, shown: str) -> None:
    """A value is shown to 200 characters with its length, and always as something that can be written."""
    assert shorten(text) == shown
