"""What a certificate says about itself, in whatever form it comes; what is no certificate is told as what it is."""

import datetime
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from certificate_cases import (
    ISSUER,
    KEY_USAGE_BITS,
    NOT_AFTER,
    NOT_BEFORE,
    authority,
    built,
    der_of,
    device,
    facts_in,
    key,
    key_usage,
    pem_of,
    replaced,
    sequence,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.certificates import (
    EKU_NAMES,
    LEAST_BYTES,
    MOST_CELL_CHARACTERS,
    MOST_CERTIFICATES,
    CertificateFacts,
    NotACertificateError,
    certificate_texts,
    octets_hex,
    read_certificate_text,
    without_private_keys,
)

DEVICE = device()
DER = der_of(DEVICE)
PEM = pem_of(DEVICE)
BASE64 = b64encode(DER).decode()
KEY_PEM = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
KEY_DER = key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

FACTS = CertificateFacts(
    der=DER,
    thumbprint=hashlib.sha1(DER, usedforsecurity=False).hexdigest().upper(),
    sha256=hashlib.sha256(DER).hexdigest().upper(),
    serial_number="7F00000000000005",
    issuer=ISSUER,
    subject="CN=PC-0042,O=Contoso",
    subject_common_name="PC-0042",
    not_before="2026-11-23T08:49:13Z",
    not_after="2027-11-23T08:49:13Z",
    key_length=256,
    key_usage=("digitalSignature", "keyEncipherment"),
    extended_key_usage=("1.3.6.1.5.5.7.3.2",),
    dns_names=("pc-0042.contoso.com",),
    email_addresses=("ada@contoso.com",),
    is_ca=False,
)


def facts_of(*extensions: x509.ExtensionType, **parts: object) -> CertificateFacts:
    (facts,) = facts_in(der_of(built(*extensions, **parts)))  # type: ignore[arg-type]  # built's own names
    return facts


def reason(data: bytes | str) -> str:
    with pytest.raises(NotACertificateError) as caught:
        facts_in(data) if isinstance(data, bytes) else read_certificate_text(data)
    return str(caught.value)


# --- the facts ---------------------------------------------------------------------------------------------------


def test_the_facts_are_what_the_certificate_was_made_of() -> None:
    """Every field of the facts comes from the certificate."""
    assert facts_in(DER) == (FACTS,)


NAMES = st.lists(
    st.tuples(
        st.sampled_from([x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME, x509.NameOID.EMAIL_ADDRESS]),
        st.text(
            st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc"]), min_size=1, max_size=20
        ),
    ),
    max_size=4,
).map(lambda parts: x509.Name([x509.NameAttribute(oid, _fitting(oid, text)) for oid, text in parts]))


def _fitting(oid: x509.ObjectIdentifier, text: str) -> str:
    return text.encode("ascii", "replace").decode() if oid == x509.NameOID.EMAIL_ADDRESS else text


MOMENTS = st.datetimes(
    min_value=datetime.datetime.fromisoformat("1950-01-01"),
    max_value=datetime.datetime.fromisoformat("9999-12-31T23:59:59"),
    timezones=st.just(datetime.UTC),
).map(lambda at: at.replace(microsecond=0))


@settings(max_examples=60, deadline=None)
@given(
    serial_number=st.integers(min_value=1, max_value=2**159 - 1),
    subject=NAMES,
    issuer=NAMES,
    dates=st.lists(MOMENTS, min_size=2, max_size=2).map(sorted),
)
@example(serial_number=0x80, subject=x509.Name([]), issuer=x509.Name([]), dates=[NOT_BEFORE, NOT_BEFORE])
def test_any_serial_number_name_and_date_is_told(
    serial_number: int, subject: x509.Name, issuer: x509.Name, dates: list[datetime.datetime]
) -> None:
    """The serial number as whole octets, the names as RFC 4514, the dates as instants in UTC."""
    certificate = built(serial_number=serial_number, subject=subject, issuer=issuer, dates=dates)
    (facts,) = facts_in(der_of(certificate))
    common_names = [each.value for each in subject if each.oid == x509.NameOID.COMMON_NAME]

    assert int(facts.serial_number, 16) == serial_number
    assert re.fullmatch("(?:[0-9A-F]{2})+", facts.serial_number)
    assert facts.serial_number[:2] != "00"
    assert (facts.subject, facts.issuer) == (subject.rfc4514_string(), issuer.rfc4514_string())
    assert facts.subject_common_name == ["", *common_names][-1]
    assert [facts.not_before, facts.not_after] == [f"{at:%Y-%m-%dT%H:%M:%S}Z" for at in dates]
    assert read_certificate_text(b64encode(facts.der).decode()) == facts


# A modulus, a divisor of it and a generator need only look like ones: nobody signs with this key.
DSA_PUBLIC_NUMBERS = dsa.DSAPublicNumbers(5, dsa.DSAParameterNumbers(2**1023 + 1, 2**159 + 1, 4))


@pytest.mark.parametrize(
    ("public_key", "bits"),
    [
        pytest.param(lambda: rsa.generate_private_key(65537, 2048).public_key(), 2048, id="RSA"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP521R1()).public_key(), 521, id="P-521"),
        pytest.param(lambda: ed25519.Ed25519PrivateKey.generate().public_key(), None, id="Ed25519"),
        pytest.param(lambda: ed448.Ed448PrivateKey.generate().public_key(), None, id="Ed448"),
        pytest.param(DSA_PUBLIC_NUMBERS.public_key, 1024, id="DSA"),
    ],
)
def test_the_key_length_is_told_where_the_key_has_one(
    public_key: Callable[[], rsa.RSAPublicKey], bits: int | None
) -> None:
    """Bits of the modulus or the curve; an Edwards curve's key has no length to tell."""
    assert facts_of(public_key=public_key()).key_length == bits


def test_a_missing_extension_differs_from_an_empty_one() -> None:
    """None says that the certificate is silent, an empty tuple that it allows nothing."""
    silent, empty = facts_of(), facts_of(key_usage())

    assert (silent.key_usage, silent.extended_key_usage, silent.dns_names) == (None, None, ())
    assert empty.key_usage == ()


def test_all_key_usages_have_the_names_of_rfc_5280() -> None:
    """The nine bits in their order, as the standard spells them."""
    names = (
        *("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement"),
        *("keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"),
    )

    assert facts_of(key_usage(**dict.fromkeys(KEY_USAGE_BITS, True))).key_usage == names


def test_an_authoritys_certificate_is_told_apart() -> None:
    """Basic constraints say whether a certificate is a CA's."""
    (facts,) = facts_in(der_of(authority()))

    assert facts.is_ca


def test_every_name_of_an_extended_key_usage_stands_once() -> None:
    """A name leads back to its one object identifier, in any letter case."""
    assert len({name.casefold() for name in EKU_NAMES.values()}) == len(EKU_NAMES)


# --- the forms ---------------------------------------------------------------------------------------------------

WORDS = f"Bag Attributes\n    friendlyName: Büro\nsubject=CN = PC-0042\n{PEM}"
TRUSTED = b64encode(DER + bytes.fromhex("300c300a06082b06010505070302")).decode()
FILES = {
    "PEM": PEM.encode(),
    "PEM with CRLF": PEM.replace("\n", "\r\n").encode(),
    "PEM with CR": PEM.replace("\n", "\r").encode(),
    "PEM with text around, cp1252": WORDS.encode("cp1252") + b"\xff\xfe trailing",
    "PEM with a mark": b"\xef\xbb\xbf" + PEM.encode(),
    "PEM in UTF-16": PEM.encode("utf-16"),
    "PEM in UTF-16 BE without a mark": PEM.encode("utf-16-be"),
    "PEM behind its private key": (KEY_PEM + PEM).encode(),
    "PEM before its private key": (PEM + KEY_PEM).encode(),
    "old label": PEM.replace("CERTIFICATE", "X509 CERTIFICATE").encode(),
    "OpenSSL's trusted certificate": f"-----BEGIN TRUSTED CERTIFICATE-----\n{TRUSTED}\n".encode(),
    "DER": DER,
    "DER and a line break": DER + b"\r\n",
    "base64": BASE64.encode(),
    "base64 in UTF-16": BASE64.encode("utf-16"),
    "base64 with a mark": b"\xef\xbb\xbf" + BASE64.encode(),
    "hexadecimal": DER.hex().encode(),
    "p7b in DER": pkcs7.serialize_certificates([DEVICE], Encoding.DER),
    "p7b in PEM": pkcs7.serialize_certificates([DEVICE], Encoding.PEM),
    "p7b as certutil -encode labels it": pkcs7.serialize_certificates([DEVICE], Encoding.PEM).replace(
        b"PKCS7", b"CERTIFICATE"
    ),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_a_files_bytes_are_read_in_each_form(data: bytes) -> None:
    """All forms that Windows and OpenSSL export give the same facts."""
    assert facts_in(data) == (FACTS,)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_each_certificate_of_a_collection_is_read(encoding: Encoding) -> None:
    """A chain in PEM and in PKCS#7 gives all its certificates; PEM in the order of the file."""
    chain = [DEVICE, authority(), authority("Contoso Root CA")]
    pem = "".join(pem_of(each) for each in chain).encode()

    assert {facts.der for facts in facts_in(pkcs7.serialize_certificates(chain, encoding))} == {
        der_of(each) for each in chain
    }
    assert [facts.der for facts in facts_in(pem)] == [der_of(each) for each in chain]


def test_no_certificate_behind_another_is_lost() -> None:
    """DER certificates that were copied into one file are all read."""
    other = der_of(built(serial_number=1))

    assert [facts.der for facts in facts_in(DER + other + DER)] == [DER, other, DER]


def test_as_many_certificates_are_read_as_a_file_may_hold() -> None:
    """The limit itself is no reason to refuse a file."""
    assert len(certificate_texts(sequence(bytes(LEAST_BYTES - 4)) * MOST_CERTIFICATES)) == MOST_CERTIFICATES


def test_a_damaged_certificate_leaves_the_others_of_its_file() -> None:
    """Each block of a PEM file is read for itself; the damaged one keeps its text."""
    damaged = "-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n"

    assert certificate_texts((damaged + PEM).encode()) == ("MIIB!", BASE64)


CELLS = {
    "PEM": PEM,
    "PEM, line breaks lost": PEM.replace("\n", ""),
    "PEM, line breaks as blanks": PEM.replace("\n", " "),
    "PEM, all blanks lost": "".join(PEM.split()),
    "PEM, line breaks written out": PEM.replace("\n", "\\n"),
    "PEM, CRLF written out": PEM.replace("\n", "\\r\\n"),
    "PEM without its last line": PEM[: PEM.index("-----END")],
    "PEM with its private key": KEY_PEM + PEM,
    "PEM with its issuer": PEM + pem_of(authority()),
    "PEM behind its issuer": pem_of(authority()) + PEM,
    "base64": BASE64,
    "base64 with line breaks": "\r\n".join(re.findall(".{1,64}", BASE64)),
    "base64 with blanks": "  " + " ".join(re.findall(".{1,76}", BASE64)) + " ",
    "base64 with odd blanks": "\u00a0" + BASE64[:64] + "\u200e\ufeff" + BASE64[64:],
    "base64 in quotes": f'"{BASE64}"',
    "base64 without padding": BASE64.rstrip("="),
    "hexadecimal": DER.hex(),
    "hexadecimal with blanks": DER.hex(" ").upper(),
    "hexadecimal as SQL Server writes it": "0x" + DER.hex().upper(),
    "hexadecimal in capitals throughout": "0X" + DER.hex().upper(),
    "PEM with as many characters as a cell holds": PEM.ljust(MOST_CELL_CHARACTERS),
    "p7b": b64encode(pkcs7.serialize_certificates([DEVICE, authority()], Encoding.DER)).decode(),
}


@pytest.mark.parametrize("text", CELLS.values(), ids=CELLS)
def test_a_cells_text_is_read_in_each_form(text: str) -> None:
    """What spreadsheets and exports do to a certificate's text does not change its facts."""
    assert read_certificate_text(text) == FACTS


# --- what is none ------------------------------------------------------------------------------------------------


def request() -> x509.CertificateSigningRequest:
    subject = x509.Name.from_rfc4514_string("CN=PC-0042")
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key(), SHA256())


def revoked() -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder().issuer_name(x509.Name.from_rfc4514_string(ISSUER))
    return builder.last_update(NOT_BEFORE).next_update(NOT_AFTER).sign(key(), SHA256())


PUBLIC_PEM = key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ENCRYPTED = BestAvailableEncryption(b"contoso")
RSA_KEY_DER = bytes.fromhex("3082010002010002820100") + bytes(249)
NO_CERTIFICATE_PKCS7 = "MIIAJQYJKoZIhvcNAQcCoBgwFgIBATEAMAsGCSqGSIb3DQEHAaAAMQA="
TOO_SMALL = "it holds a sequence of 3 bytes, which is too small for a certificate"
OTHERS: dict[str, tuple[bytes | str, str]] = {
    "nothing": (b"", "it is empty"),
    "blanks": (b" \r\n\0", "it is empty"),
    "an empty cell": (" ", "it is empty"),
    "a private key": (KEY_PEM.encode(), "it holds a private key and no certificate"),
    "a private key in a cell": (KEY_PEM, "it holds a private key and no certificate"),
    "a private key in DER": (KEY_DER, "it is a private key and no certificate"),
    "an RSA private key in DER": (RSA_KEY_DER, "it is a private key and no certificate"),
    "a private key in base64": (b64encode(KEY_DER).decode(), "it is a private key and no certificate"),
    "an encrypted private key": (
        key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, ENCRYPTED),
        "it is an encrypted private key and no certificate",
    ),
    "a request": (request().public_bytes(Encoding.PEM), "it holds a certificate request and no certificate"),
    "a request in DER": (request().public_bytes(Encoding.DER), "it is a certificate request and no certificate"),
    "a CRL": (revoked().public_bytes(Encoding.PEM), "it holds a list of revoked certificates and no certificate"),
    "a CRL in DER": (
        revoked().public_bytes(Encoding.DER),
        "it is a list of revoked certificates and no certificate",
    ),
    "a public key": (PUBLIC_PEM, "it holds a public key and no certificate"),
    "PKCS#12": (
        pkcs12.serialize_key_and_certificates(b"x", key(), DEVICE, None, ENCRYPTED),
        "it is a PKCS#12 file (.pfx), which holds a private key, and no certificate",
    ),
    "PowerShell's type name": (
        "System.Byte[]",
        "it holds the name of a type that PowerShell wrote in place of the bytes",
    ),
    "cut off by Excel": (
        b64encode(bytes.fromhex("3082ffff") + bytes(30_000)).decode()[:32_767],
        "it is cut off at 32,767 characters, the most that a spreadsheet cell holds: 24,575 of 65,539 bytes are there",
    ),
    "cut off": (BASE64[:400], f"it is cut off: 300 of {len(DER)} bytes are there"),
    "cut off in DER": (DER[:-1], f"it is cut off: {len(DER) - 1} of {len(DER)} bytes are there"),
    "curve and private key": (
        f"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{KEY_PEM}".encode(),
        "it holds a private key and no certificate",
    ),
    "more characters than a cell holds": (
        PEM.ljust(MOST_CELL_CHARACTERS + 1),
        "its text has 32,768 characters, more than the 32,767 of a spreadsheet cell",
    ),
    "PKCS#7 of nothing": (b64decode(NO_CERTIFICATE_PKCS7), "it holds no certificate"),
    "PKCS#7 of nothing in base64": (NO_CERTIFICATE_PKCS7, "it holds no certificate"),
    "PKCS#7 of nothing behind a certificate": (DER + b64decode(NO_CERTIFICATE_PKCS7), "it holds no certificate"),
    "small sequences": (b"\x30\x81\x00" * 3_000_000, TOO_SMALL),
    "small sequences in a cell": (b64encode(b"\x30\x81\x00" * 8_000).decode(), TOO_SMALL),
    "small sequences behind a certificate": (DER + b"\x30\x81\x00" * 1_000_000, TOO_SMALL),
    "sequences without lengths": (
        b"\x30\x80" * 4_000_000,
        "its text has 10,666,668 characters, more than the 32,767 of a spreadsheet cell",
    ),
    "a sequence that is just too small": (
        sequence(bytes(LEAST_BYTES - 5)),
        "it holds a sequence of 130 bytes, which is too small for a certificate",
    ),
    "too many sequences": (sequence(bytes(LEAST_BYTES - 4)) * 60_000, "it holds more than 50,000 certificates"),
    "too many PEM blocks": (b"-----BEGIN CERTIFICATE-----" * 300_000, "it holds more than 50,000 certificates"),
    "more bytes": (DER + b"more", "4 bytes of something else follow the certificate"),
    "words": ("CN=PC-0042", "it is neither PEM nor base64 nor hexadecimal digits of a certificate"),
    "a word that is base64": ("none", "it is base64 or hexadecimal of something else than a certificate"),
    "a thumbprint": (FACTS.thumbprint, "it is base64 or hexadecimal of something else than a certificate"),
    "two devices' certificates in a cell": (
        PEM + pem_of(built()),
        "it holds 2 certificates, and nothing says which one is the row's",
    ),
}


@pytest.mark.parametrize(("data", "sentence"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_certificate_is_told_as_what_it_is(data: bytes | str, sentence: str) -> None:
    """The reason says what was found, and never repeats it."""
    assert reason(data) == sentence


def test_no_text_of_a_private_key_is_left() -> None:
    """A private key's block goes, from its first line to the next block; everything else stays."""
    assert without_private_keys(f"before {KEY_PEM}{PEM}") == f"before (private key left out){PEM}"
    assert without_private_keys(PEM + KEY_PEM.replace("\n", " ")) == f"{PEM}(private key left out)"
    assert without_private_keys(PEM) == PEM


@given(st.integers(-(2**170), 2**170))
@example(0)
@example(-0x80)
@example(0x80)
@example(-0x81)
def test_the_octets_of_a_number_are_those_of_its_der_integer(number: int) -> None:
    """Two digits for each octet; the sign octet 00 of a positive number is left out, and nothing else."""
    octets = bytes.fromhex(octets_hex(number))

    assert int.from_bytes(octets if number < 0 else b"\0" + octets, signed=True) == number
    assert len(octets) == 1 or octets[0] != 0
    assert octets[:1] != b"\xff" or number >= 0 or len(octets) == 1 or octets[1] < 0x80


# --- certificates of the wild ------------------------------------------------------------------------------------

SAN = x509.SubjectAlternativeName([x509.DNSName("pc-0042.contoso.com")])
SAN_DER = der_of(built(SAN, x509.SubjectKeyIdentifier(bytes(20))))


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        ("0208ff00000000000005", "FF00000000000005"),
        ("02088000000000000000", "8000000000000000"),
        ("0208fe7fffffffffffff", "FE7FFFFFFFFFFFFF"),
    ],
)
def test_a_negative_serial_number_is_shown_as_its_octets(octets: str, shown: str) -> None:
    """Two's complement, as .NET shows it; no warning reaches the user."""
    (facts,) = facts_in(replaced(der_of(built()), "02087f00000000000005", octets))

    assert facts.serial_number == shown


def test_a_serial_number_of_zero_is_one_octet() -> None:
    """Zero is 00, not nothing."""
    der = replaced(der_of(built(serial_number=1)), "a003020102020101", "a003020102020100")

    assert facts_in(der)[0].serial_number == "00"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("06082a8648ce3d030107", "06082a8648ce3d030155", id="unknown curve"),
        pytest.param("06072a8648ce3d0201", "06072a8648ce3d0255", id="unknown kind of key"),
    ],
)
def test_an_unknown_key_has_no_length_and_the_rest_is_told(old: str, new: str) -> None:
    """What the library does not know of the key does not cost the other facts."""
    der = replaced(DER, old, new)

    assert facts_in(der) == (
        FACTS._replace(
            der=der,
            thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
            sha256=hashlib.sha256(der).hexdigest().upper(),
            key_length=None,
        ),
    )


def test_a_common_name_longer_than_the_standard_allows_is_told() -> None:
    """The library's warning about its length stays inside."""
    name = "PC-" + "0" * 90
    attribute = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)
    der = replaced(der_of(built(subject=x509.Name([attribute]))), "060355040a0c5d", "06035504030c5d")

    assert facts_in(der)[0].subject_common_name == name


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(replaced(SAN_DER, "0603551d0e", "0603551d11"), id="duplicate extension"),
        pytest.param(replaced(SAN_DER, "8213", "9313"), id="unknown kind of name"),
        pytest.param(replaced(DER, "a003020102", "a003020105"), id="version 6"),
        pytest.param(replaced(DER, b"271123084913Z".hex(), b"271323084913Z".hex()), id="13th month"),
        pytest.param(replaced(DER, b"PC-0042".hex(), b"PC-\xe4042".hex()), id="subject in no encoding"),
    ],
)
def test_what_the_library_refuses_is_no_certificate(der: bytes) -> None:
    """A certificate that cannot be read is refused with a reason, not with another exception."""
    assert reason(der).startswith("it is damaged or no X.509 certificate (")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_bytes_raise_anything_else(data: st.DataObject) -> None:
    """Bytes changed anywhere give facts or the one exception."""
    source = data.draw(st.sampled_from([DER, SAN_DER, FILES["p7b in DER"], PEM.encode(), KEY_DER]))
    changed = bytearray(source)
    for at in data.draw(st.lists(st.integers(0, len(source) - 1), min_size=1, max_size=4)):
        changed[at] = data.draw(st.integers(0, 255))
    try:
        found = facts_in(bytes(changed[: data.draw(st.integers(1, len(source)))]))
    except NotACertificateError:
        return
    assert {len(facts.thumbprint) for facts in found} == {40}


@given(st.one_of(st.text(), st.from_regex(r"-----BEGIN [A-Z ]{1,12}-----[\s\S]{0,40}"), st.from_regex(r"30[0-9a-f]+")))
def test_no_text_raises_anything_else(text: str) -> None:
    """A cell with any text gives the one exception."""
    assert reason(text)
