"""A row against its certificate: what is empty is filled, what differs is told, what is given stays as it is."""

import re
from datetime import datetime

import pytest
from certificate_cases import ISSUER, NOT_BEFORE, SERIAL_NUMBER, built, der_of, device, facts_in, key_usage, replaced
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st
from values_cases import ADVERSARIAL, MOST

from pipeline.certificates import CertificateFacts
from pipeline.editions import EDITION_1706, EDITION_CURRENT, EDITIONS, Edition
from pipeline.findings import Code
from pipeline.values.certificate import from_certificate, same_name
from pipeline.values.steps import Problem, Reading, Step

(FACTS,) = facts_in(der_of(device()))

KNOWN = {
    "certificateThumbprint": FACTS.thumbprint,
    "certificateSerialNumber": "7F00000000000005",
    "certificateIssuer": ISSUER,
    "certificateExpirationDateTime": "2027-11-23T08:49:13Z",
    "certificateKeyLength": "256",
    "certificateKeyUsage": "keyEncipherment,digitalSignature",
    "enhancedKeyUsage": "Client Authentication",
    "certificateEnhancedKeyUsage": "Client Authentication",
}


def facts_of(*extensions: x509.ExtensionType, **parts: object) -> CertificateFacts:
    (facts,) = facts_in(der_of(built(*extensions, **parts)))  # type: ignore[arg-type]  # built's own names
    return facts


def reading_of(name: str, text: str, facts: CertificateFacts = FACTS) -> Reading:
    (reading,) = from_certificate([name], [text], facts)
    return reading


def difference(name: str, text: str, facts: CertificateFacts = FACTS) -> str:
    """Return the message of the one problem, or "" when there is none; the text always stays."""
    reading = reading_of(name, text, facts)
    assert (reading.text, reading.steps) == (text, ())
    assert [each.code for each in reading.problems] == [Code.CERTIFICATE_DIFFERS] * len(reading.problems)
    return "".join(each.message for each in reading.problems)


# --- filling -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
@pytest.mark.parametrize("empty", ["", " "])
def test_what_is_empty_comes_from_the_certificate(edition: Edition, empty: str) -> None:
    """Each property that the certificate knows is filled with a step of its own; the others stay empty."""
    names = [each.name for each in edition.properties]

    assert from_certificate(names, [empty] * len(names), FACTS) == tuple(
        Reading(KNOWN[name], (Step(Code.FROM_CERTIFICATE, empty, KNOWN[name]),)) if name in KNOWN else Reading(empty)
        for name in names
    )


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_filling_twice_is_filling_once(edition: Edition) -> None:
    """What the certificate filled in does not differ from the certificate."""
    names = [each.name for each in edition.properties]
    filled = [reading.text for reading in from_certificate(names, [""] * len(names), FACTS)]

    assert from_certificate(names, filled, FACTS) == tuple(Reading(text) for text in filled)


@pytest.mark.parametrize(
    "name",
    [
        "certificateKeyUsage",
        "enhancedKeyUsage",
        "certificateEnhancedKeyUsage",
        "certificateKeyLength",
        "certificateIssuer",
    ],
)
def test_what_the_certificate_does_not_say_stays_empty(name: str) -> None:
    """An extension that it lacks, a kind of key without a length and an empty issuer fill nothing."""
    facts = facts_of(public_key=ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(), issuer="")

    assert reading_of(name, "", facts) == Reading("")
    assert reading_of(name, "anything", facts) == Reading("anything")


def test_unknown_usages_are_filled_in_as_object_identifiers() -> None:
    """Names where Windows has one, in the certificate's order."""
    oids = ("1.3.6.1.4.1.311.20.2.2", "1.3.6.1.4.1.99999.1", "2.5.29.37.0")
    facts = facts_of(x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in oids]))

    assert reading_of("enhancedKeyUsage", "", facts).text == "Smart Card Logon, 1.3.6.1.4.1.99999.1, Any Purpose"


def test_key_usages_that_the_api_cannot_hold_stay_empty_and_are_told() -> None:
    """Leaving one of several usages out would say something else of the certificate."""
    facts = facts_of(key_usage(digital_signature=True, key_agreement=True))
    message = (
        "the certificate's key usage is digitalSignature, keyAgreement, "
        "and the API has words for keyEncipherment and digitalSignature only"
    )

    assert reading_of("certificateKeyUsage", "", facts) == Reading(
        "", problems=(Problem(Code.UNMAPPED_KEY_USAGE, message),)
    )
    assert difference("certificateKeyUsage", "digitalSignature", facts) == ""


# --- comparing ---------------------------------------------------------------------------------------------------

SPACED = " ".join(FACTS.thumbprint[at : at + 2] for at in range(0, 40, 2)).lower()
EQUAL = [
    ("certificateThumbprint", FACTS.thumbprint.lower()),
    ("certificateThumbprint", SPACED),
    ("certificateThumbprint", SPACED.replace(" ", ":").upper()),
    ("certificateThumbprint", f"0x{FACTS.thumbprint}"),
    ("certificateSerialNumber", "7f00000000000005"),
    ("certificateSerialNumber", "00:7f:00:00:00:00:00:00:05"),
    ("certificateSerialNumber", "0x7F00000000000005"),
    ("certificateIssuer", "CN=Contoso Issuing CA 01, DC=contoso, DC=com"),
    ("certificateIssuer", "DC=com, DC=contoso, CN=Contoso Issuing CA 01"),
    ("certificateIssuer", 'cn="CONTOSO Issuing CA 01";dc=contoso;dc=com'),
    ("certificateIssuer", "DC = com, DC = contoso, CN = Contoso  Issuing CA 01"),
    ("certificateIssuer", "/DC=com/DC=contoso/CN=Contoso Issuing CA 01"),
    ("certificateIssuer", "2.5.4.3=Contoso Issuing CA 01\r\nOID.0.9.2342.19200300.100.1.25=contoso\r\nDC=com"),
    ("certificateExpirationDateTime", "2027-11-23T08:49:13.0000000Z"),
    ("certificateExpirationDateTime", "2027-11-23T09:49:13+01:00"),
    ("certificateExpirationDateTime", "2027-11-23T08:49:00Z"),
    ("certificateExpirationDateTime", "2027-11-23T08:49Z"),
    ("certificateExpirationDateTime", "2027-11-23T03:49:00-05:00"),
    ("certificateKeyLength", "0256"),
    ("certificateKeyUsage", "digitalSignature,keyEncipherment"),
    ("certificateEnhancedKeyUsage", "client authentication"),
    ("certificateEnhancedKeyUsage", "1.3.6.1.5.5.7.3.2"),
    ("certificateEnhancedKeyUsage", "{Clientauthentifizierung (1.3.6.1.5.5.7.3.2)}"),
    ("certificateEnhancedKeyUsage", "TLS Web Client Authentication"),
    ("certificateIssuanceDateTime", "2001-01-01T00:00:00Z"),
    ("deviceDisplayName", "anything"),
]


def numbered(text: str) -> str:
    """Return the text as a test's id: the certificate has a new key, hence other thumbprints, in each process."""
    return re.sub(r"[0-9A-Fa-f]{2}(?:[ :]?[0-9A-Fa-f]{2}){19,}", "hash", text)


@pytest.mark.parametrize(("name", "text"), EQUAL, ids=numbered)
def test_what_means_the_same_is_no_difference(name: str, text: str) -> None:
    """Spelling, order and offsets make no difference, and the text stays as it is."""
    assert reading_of(name, text) == Reading(text)


DECLARE = "declare `serial: decimal` in config.yaml"
DIFFERENT = [
    ("certificateThumbprint", "00" * 20, f"the certificate's thumbprint is {FACTS.thumbprint}"),
    ("certificateThumbprint", "no digits", f"the certificate's thumbprint is {FACTS.thumbprint}"),
    (
        "certificateThumbprint",
        FACTS.sha256.lower(),
        f"this is the certificate's SHA-256 hash; its thumbprint, the SHA-1 hash, is {FACTS.thumbprint}",
    ),
    ("certificateSerialNumber", "7F00000000000006", "the certificate's serial number is 7F00000000000005"),
    ("certificateSerialNumber", "no digits", "the certificate's serial number is 7F00000000000005"),
    (
        "certificateSerialNumber",
        str(SERIAL_NUMBER),
        f"the certificate's serial number is {SERIAL_NUMBER:X}, which is this number in decimal digits: {DECLARE}",
    ),
    ("certificateIssuer", "CN=Contoso Issuing CA 02,DC=contoso,DC=com", f"the certificate's issuer is {ISSUER}"),
    ("certificateIssuer", "Contoso Issuing CA 01", f"the certificate's issuer is {ISSUER}"),
    ("certificateIssuer", "DC=contoso,CN=Contoso Issuing CA 01,DC=com", f"the certificate's issuer is {ISSUER}"),
    ("certificateExpirationDateTime", "2027-11-23T08:49:14Z", "the certificate expires at 2027-11-23T08:49:13Z"),
    ("certificateExpirationDateTime", "2027-11-23T08:50:14Z", "the certificate expires at 2027-11-23T08:49:13Z"),
    ("certificateExpirationDateTime", "2027-11-23T08:48:00Z", "the certificate expires at 2027-11-23T08:49:13Z"),
    ("certificateExpirationDateTime", "2027-11-23T08:49:13+01:00", "the certificate expires at 2027-11-23T08:49:13Z"),
    ("certificateKeyLength", "2048", "the certificate's key has 256 bits"),
    (
        "certificateKeyUsage",
        "digitalSignature",
        "the certificate's key usage is digitalSignature, keyEncipherment",
    ),
    (
        "certificateEnhancedKeyUsage",
        "Client Authentication, Server Authentication",
        "the certificate's extended key usage is Client Authentication",
    ),
    (
        "certificateEnhancedKeyUsage",
        "Clientauthentifizierung",
        "the certificate's extended key usage is Client Authentication",
    ),
]


@pytest.mark.parametrize(("name", "text", "message"), DIFFERENT, ids=numbered)
def test_a_difference_names_what_the_certificate_says(name: str, text: str, message: str) -> None:
    """The given text stays, and the problem says what the certificate has instead."""
    assert difference(name, text) == message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("certificateExpirationDateTime", "2027-11-23T08:49:13"),
        ("certificateExpirationDateTime", "2027-11-23"),
        ("certificateExpirationDateTime", "in November"),
        ("certificateExpirationDateTime", "2027-13-23T08:49:13Z"),
        ("certificateKeyLength", "2048 bit"),
        ("certificateKeyUsage", "Digital Signature"),
    ],
)
def test_what_cannot_be_read_is_left_to_the_validator(name: str, text: str) -> None:
    """A text of the wrong form is refused for its form, not for a difference that nobody can know."""
    assert difference(name, text) == ""


def test_the_longest_decimal_serial_number_is_told() -> None:
    """Twenty octets, as many as the standard allows, are recognised in decimal digits too."""
    number = 2**159 - 2
    facts = facts_of(serial_number=number)

    assert difference("certificateSerialNumber", str(number), facts) == (
        f"the certificate's serial number is {number:X}, which is this number in decimal digits: {DECLARE}"
    )


@pytest.mark.parametrize(("text", "is_same"), [("2027-11-23T08:48Z", False), ("2027-11-23T08:49Z", True)])
def test_a_date_without_seconds_means_its_minute_and_not_the_next(text: str, is_same: bool) -> None:
    """Sixty seconds apart is another minute, also where the certificate's seconds are zero."""
    facts = facts_of(dates=(NOT_BEFORE, datetime.fromisoformat("2027-11-23T08:49:00+00:00")))
    message = "" if is_same else "the certificate expires at 2027-11-23T08:49:00Z"

    assert difference("certificateExpirationDateTime", text, facts) == message


@pytest.mark.parametrize("name", KNOWN)
def test_a_text_that_no_cell_can_hold_is_left_to_the_validator(name: str) -> None:
    """It is refused for its length, not for a difference."""
    assert difference(name, "1" * 40_000) == ""
    assert difference(name, "1" * (MOST + 1)) == ""


def test_a_text_that_a_cell_can_just_hold_is_compared() -> None:
    """The longest cell is compared like any other."""
    assert difference("certificateSerialNumber", "1" * MOST) == "the certificate's serial number is 7F00000000000005"


HOSTILE = [
    *(f"CN={blank * (MOST - 9)}{end}" for blank in " \t\u00a0" for end in ('"', '"a"b', "\\", ",x")),
    *(f"CN{' ' * (MOST - 9)}x", f'CN="{chr(34) * (MOST - 9)}', f'CN="a"{" " * (MOST - 9)}x', "1" * MOST, "1." * 16_000),
    *("CN=" + r"\," * 16_000, "/" + "a" * (MOST - 9), "/CN=a" * 6_000, "CN=a+" * 6_000, "T" * MOST, "{" * MOST),
    *("2027-11-23T08:49:00." + "0" * 30_000, "CN=" + "\\" * (MOST - 9), "CN=a\r\n" * 5_000, "1," * 16_000),
]


@pytest.mark.parametrize("text", [*ADVERSARIAL, *HOSTILE], ids=lambda text: repr(text[:6]))
def test_no_text_takes_long(text: str) -> None:
    """The longest cells come back as they were, whatever they repeat."""
    names = list(KNOWN)
    texts = [text] * len(names)

    if text.strip():
        assert [reading.text for reading in from_certificate(names, texts, FACTS)] == texts
    assert not same_name(text, ISSUER)


@pytest.mark.parametrize("end", ['"', "x", ""])
def test_no_name_takes_long(end: str) -> None:
    """A name with a million blanks is compared at once."""
    assert not same_name(f"CN={' ' * 1_000_000}{end}", ISSUER)


def test_a_negative_serial_number_is_the_same_as_its_octets() -> None:
    """A sign stands in openssl's output where Windows has two's complement."""
    (facts,) = facts_in(
        replaced(der_of(built(serial_number=SERIAL_NUMBER)), "02087f00000000000005", "0208ff00000000000005")
    )

    assert difference("certificateSerialNumber", "FF00000000000005", facts) == ""
    assert difference("certificateSerialNumber", "-00FFFFFFFFFFFFFB", facts) == ""
    assert difference("certificateSerialNumber", "-5", facts) == "the certificate's serial number is FF00000000000005"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1.2.840.113549.1.9.1=ca@contoso.com,ST=Bavaria", "E=ca@contoso.com, S=Bavaria"),
        ("EMAILADDRESS=ca@contoso.com,ST=Bavaria", "emailAddress = ca@contoso.com, stateOrProvinceName = Bavaria"),
        (r"CN=Contoso\, Inc.,O=a\+b", 'CN="Contoso, Inc.", O="a+b"'),
        (r"CN=The \"best\" CA,C=DE", 'CN="The ""best"" CA", C=DE'),
        (r"CN=B\C3\BCro", "CN=Büro"),
        (r"CN=A\\B", r"CN=A\\B"),
        ("CN=a+OU=b,O=c", "O=c, OU=b + CN=a"),
        ("CN=a,O=", "CN=a, O="),
    ],
)
def test_names_are_compared_by_their_meaning(first: str, second: str) -> None:
    """Spellings of RFC 4514, Windows and OpenSSL of the same name are the same."""
    assert same_name(first, second)
    assert same_name(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("CN=a,O=b", "CN=a"),
        ("CN=a,O=b", "CN=a+O=b"),
        ("CN=a,CN=a", "CN=a"),
        ("CN=a,O=b", "OU=a,O=b"),
        ("CN=a", "a"),
        ("", "CN=a"),
    ],
)
def test_names_that_differ_are_told_apart(first: str, second: str) -> None:
    """Every part counts, and so does their order."""
    assert not same_name(first, second)
    assert not same_name(second, first)


NAMES = st.lists(
    st.tuples(
        st.sampled_from(
            [x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME, x509.NameOID.STATE_OR_PROVINCE_NAME]
        ),
        st.text(
            st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc"]), min_size=1, max_size=9
        ),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: x509.Name([x509.NameAttribute(oid, text) for oid, text in parts]))


@given(NAMES)
def test_a_name_equals_its_windows_spelling(name: x509.Name) -> None:
    """What cryptography writes by RFC 4514 and what Windows writes in quotes means the same name."""
    words = {"CN": "CN", "O": "O", "ST": "S"}
    windows = ", ".join(
        f'{words[each.rfc4514_attribute_name]}="{str(each.value).replace(chr(34), chr(34) * 2)}"' for each in name
    )

    assert same_name(name.rfc4514_string(), windows)


@given(st.text(), st.sampled_from([*KNOWN, "deviceDisplayName"]))
def test_no_text_is_ever_changed(text: str, name: str) -> None:
    """A given text comes out as it went in, whatever it is."""
    reading = reading_of(name, text)

    assert reading.text == (text if text.strip() or name not in KNOWN else KNOWN[name])


def test_both_editions_know_the_certificates_properties() -> None:
    """Every rule belongs to a property of an edition."""
    assert {each.name for edition in (EDITION_1706, EDITION_CURRENT) for each in edition.properties} >= set(KNOWN)
