"""Dates, URLs, thumbprints and serial numbers: what the API takes as it stands, and what PKI knowledge remarks on."""

import pytest
from validate_cases import error, judged, sent, warning

from pipeline.editions import EDITION_1706
from pipeline.findings import Code

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
def test_a_date_time_is_kept_to_the_last_digit(text: str) -> None:
    """Digits and offset are sent as written."""
    found = judged({EXPIRY: text})

    assert (sent(found, EXPIRY), found.findings) == (text, ())


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23t08:49:13.1234567Z",
        "2026-11-23T08:49:13.1234567z",
        " 2026-11-23T08:49:13Z",
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
def test_another_form_is_no_date_time(text: str) -> None:
    """Other forms, other scripts and more than seven fractional digits are refused, never reinterpreted."""
    assert judged({EXPIRY: text}).findings == (error(Code.NOT_A_DATE_TIME, EXPIRY, text, FORM),)


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
    """A date and time without an offset is an error."""
    assert judged({EXPIRY: text}).findings == (
        error(Code.DATE_TIME_WITHOUT_OFFSET, EXPIRY, text, "the date and time has no offset from UTC"),
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
            "character 1 is the invisible mark U+200E; it is sent as written",
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
