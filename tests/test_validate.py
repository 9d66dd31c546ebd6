"""What a row's values become: the exact JSON body, or every finding at once. Nothing is corrected."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from page_example import SEED_BODY, SEED_PROPERTIES
from validate_cases import (
    CLEAN_CURRENT,
    SEED_CELLS,
    body_of,
    error,
    judged,
    property_of,
    sent,
    warning,
)

from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition, EnumType, PrimitiveType
from pipeline.findings import CATALOGUE, Code, Severity, shorten
from pipeline.validate import Judged

MEGABYTE = "x" * 1_000_000
KEY_USAGES = "not one of keyEncipherment, digitalSignature"

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
    usages = "digitalSignature, keyencipherment, digitalSignature"
    cells = {
        "Device Platform": "iphone",
        "certificateKeyUsage": usages,
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
    form = "not in the form 2026-11-23T08:49:13Z, with at most seven fractional digits"
    too_long = "x" * 200 + "... (1,000,000 characters)"

    found = judged(cells, edition=EDITION_1706, required=EDITION_1706.required)

    assert found == Judged(
        None,
        "",
        (
            error(Code.UNKNOWN_MEMBER, "Device Platform", "iphone", f"not one of {platforms}"),
            error(Code.UNKNOWN_MEMBER, "certificateKeyUsage", usages, KEY_USAGES),
            error(
                Code.CONTROL_CHARACTER, "deviceDisplayName", "PC\x001", "character 3 is the control character U+0000"
            ),
            error(
                Code.VALUE_TOO_LONG,
                "userDisplayName",
                too_long,
                "the cell holds 1,000,000 characters; 32,767 is the most",
            ),
            error(Code.NOT_A_URL, "serverUrl", "ndes.contoso.com", "not an absolute http or https URL"),
            error(Code.NOT_A_DATE_TIME, "certificateExpirationDateTime", "31.12.2027", form),
            error(
                Code.DATE_TIME_WITHOUT_OFFSET,
                "lastCertificateStateChangeDateTime",
                "2026-11-23T08:49:13",
                "the date and time has no offset from UTC",
            ),
            error(Code.MISSING_VALUE, "certificateIssuer", "  ", "certificateIssuer is required and the cell is empty"),
            error(
                Code.INT32_RANGE,
                "certificateKeyLength",
                "2147483648",
                "the number is outside -2147483648 to 2147483647",
            ),
            error(Code.MISSING_VALUE, "enhancedKeyUsage", "", "enhancedKeyUsage is required and the cell is empty"),
            warning(
                Code.SURROUNDING_SPACE,
                "certificateProfileDisplayName",
                " Corp",
                "blanks around the value are sent as written",
            ),
            warning(
                Code.THUMBPRINT_SHAPE, "CERTIFICATETHUMBPRINT", "12", "a thumbprint has 40 hexadecimal digits (SHA-1)"
            ),
            warning(
                Code.SERIAL_NUMBER_SHAPE,
                "certificateSerialNumber",
                "5E+17",
                "a serial number is written in hexadecimal digits",
            ),
        ),
    )


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
    assert judged({"devicePlatform": "macOS", "certificateKeyLength": "x"}).platform == "macOS"


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
    ("name", "text", "code"),
    [
        ("devicePlatform", "iOS", Code.UNKNOWN_MEMBER),
        ("certificateKeyUsage", "digitalSignature", Code.UNKNOWN_MEMBER),
        ("certificateExpirationDateTime", "2027-11-23T08:49:13Z", Code.NOT_A_DATE_TIME),
        ("serverUrl", "https://ndes.contoso.com/", Code.NOT_A_URL),
        ("certificateKeyLength", "2048", Code.NOT_AN_INTEGER),
    ],
)
def test_blanks_around_a_typed_value_are_refused(name: str, text: str, code: Code, blanks: str) -> None:
    """Where the type allows no blanks a value that still has some is an error; no-break spaces count."""
    cell = blanks.format(text)

    found = judged({name: cell}, edition=EDITION_1706)

    assert (found.state, [(each.code, each.value) for each in found.findings]) == (None, [(code, cell)])


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
    """Each member passes as spelt by the API, and in no other letter case."""
    for member in enum_type.members:
        found = judged({name: member}, edition=edition)
        assert (sent(found, name), found.findings) == (member, ())

        other = member.swapcase()
        found = judged({name: other}, edition=edition)
        assert found.findings == (
            error(Code.UNKNOWN_MEMBER, name, other, f"not one of {', '.join(enum_type.members)}"),
        )


@pytest.mark.parametrize(("edition", "name", "enum_type"), ENUM_PROPERTIES)
def test_an_unknown_member_is_told_all_the_known_ones(edition: Edition, name: str, enum_type: EnumType) -> None:
    """The message names every member, however many there are: the hint refers to them."""
    found = judged({name: "unknownFutureValue"}, edition=edition)

    assert found.findings == (
        error(Code.UNKNOWN_MEMBER, name, "unknownFutureValue", f"not one of {', '.join(enum_type.members)}"),
    )


@pytest.mark.parametrize("text", ["2", "ios", "iPadOS", "i OS", "iOS,macOS", "iOS;", "i\u200bOS", "ios\u0301"])
def test_a_member_is_not_guessed(text: str) -> None:
    """Numbers, near words, several members and invisible marks are no platform."""
    found = judged({"devicePlatform": text})

    assert [(each.code, each.value) for each in found.findings] == [(Code.UNKNOWN_MEMBER, text)]
    assert found.platform == ""


@pytest.mark.parametrize(
    "text", ["digitalSignature", "digitalSignature,keyEncipherment", "keyEncipherment,digitalSignature"]
)
def test_a_flags_enum_takes_several_members(text: str) -> None:
    """Both key usages are one string in the file's order."""
    found = judged({"certificateKeyUsage": text})

    assert (sent(found, "certificateKeyUsage"), found.findings) == (text, ())


@pytest.mark.parametrize(
    "text", ["digitalSignature,digitalSignature", "keyEncipherment,digitalSignature,keyEncipherment"]
)
def test_a_member_of_a_flags_enum_stands_once(text: str) -> None:
    """A member that is written twice is an error of the pure check."""
    assert judged({"certificateKeyUsage": text}).findings == (
        error(Code.UNKNOWN_MEMBER, "certificateKeyUsage", text, "a member is written more than once"),
    )


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "digitalSignature,",
        ",digitalSignature",
        "digitalSignature,,keyEncipherment",
        "digitalSignature, ,keyEncipherment",
        "digitalSignature, keyEncipherment",
        "digitalSignature ,keyEncipherment",
        "digitalsignature",
        "a0",
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

    assert found == Judged(None, "", (error(Code.UNKNOWN_MEMBER, "certificateKeyUsage", text, KEY_USAGES),))


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


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
@given(data=st.data())
def test_any_text_is_sent_as_written_or_refused(edition: Edition, data: st.DataObject) -> None:
    """Whatever the cells hold, nothing is raised, and what passes is sent as it stands, to the last sign."""
    names = [each.name for each in edition.properties]
    cells = {name: data.draw(ANY_TEXT, label=name) for name in data.draw(st.sets(st.sampled_from(names), min_size=1))}

    found = judged(cells, edition=edition)

    assert (found.state is None) is any(each.severity is Severity.ERROR for each in found.findings)
    assert [each for each in found.findings if (each.severity, each.hint) != CATALOGUE[each.code][::2]] == []
    if found.state is not None:
        body = json.loads(body_of(found))
        given = {name: cells[name] for name in names if cells.get(name, "").strip()}
        assert body == {"@odata.type": "#microsoft.graph.managedDeviceCertificateState"} | {
            name: int(text) if property_of(edition, name).type is PrimitiveType.INT32 else text
            for name, text in given.items()
        }
        assert list(body) == ["@odata.type", *given]


@given(ANY_TEXT)
@example("0" * 5_000)
@example("\ud800")
@example("{message}")
def test_one_text_in_every_property_is_judged(text: str) -> None:
    """A row that holds the same arbitrary text everywhere is refused: no text is of every type."""
    cells = dict.fromkeys((each.name for each in EDITION_CURRENT.properties), text)

    found = judged(cells, required=frozenset(cells))

    assert found.state is None
    assert {"devicePlatform", "certificateKeyUsage"} & {
        each.column for each in found.findings if each.severity is Severity.ERROR
    }
