"""X.509 certificates -> what they say about themselves. The only module besides auth that imports cryptography. No I/O.

A certificate comes in as a file's bytes (PEM, DER, PKCS#7) or as the text of a cell (PEM, base64, hexadecimal). Private
keys beside it are passed over: no text of theirs is kept or repeated in a message.
"""

import hashlib
import re
import warnings
from base64 import b64decode, b64encode
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple, TypeVar
from unicodedata import category

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

EKU_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "2.5.29.37.0": "Any Purpose",
        "1.3.6.1.5.5.7.3.1": "Server Authentication",
        "1.3.6.1.5.5.7.3.2": "Client Authentication",
        "1.3.6.1.5.5.7.3.3": "Code Signing",
        "1.3.6.1.5.5.7.3.4": "Secure Email",
        "1.3.6.1.5.5.7.3.5": "IP security end system",
        "1.3.6.1.5.5.7.3.6": "IP security tunnel termination",
        "1.3.6.1.5.5.7.3.7": "IP security user",
        "1.3.6.1.5.5.7.3.8": "Time Stamping",
        "1.3.6.1.5.5.7.3.9": "OCSP Signing",
        "1.3.6.1.5.5.8.2.2": "IP security IKE intermediate",
        "1.3.6.1.5.2.3.5": "KDC Authentication",
        "1.3.6.1.4.1.311.10.3.4": "Encrypting File System",
        "1.3.6.1.4.1.311.10.3.4.1": "File Recovery",
        "1.3.6.1.4.1.311.10.3.12": "Document Signing",
        "1.3.6.1.4.1.311.20.2.1": "Certificate Request Agent",
        "1.3.6.1.4.1.311.20.2.2": "Smart Card Logon",
        "1.3.6.1.4.1.311.21.5": "Private Key Archival",
        "1.3.6.1.4.1.311.21.6": "Key Recovery Agent",
        "1.3.6.1.4.1.311.21.19": "Directory Service Email Replication",
        "1.3.6.1.4.1.311.54.1.2": "Remote Desktop Authentication",
        "1.3.6.1.4.1.311.67.1.1": "BitLocker Drive Encryption",
        "1.3.6.1.4.1.311.67.1.2": "BitLocker Data Recovery Agent",
    }
)
"""Object identifier -> the name that English Windows shows for the extended key usage.

Identifiers: RFC 5280 4.2.1.12, RFC 4945 5.1.3.12, RFC 4556, and Microsoft's `IX509ExtensionEnhancedKeyUsage`; names:
"Object Identifiers (OID) in PKI" of PKI Solutions, which lists what Windows displays.
"""

MOST_CELL_CHARACTERS = 32_767
"""What a spreadsheet cell can hold ("Excel specifications and limits"); Excel cuts longer texts there."""

MOST_CERTIFICATES = 50_000
"""More than 10 MB can hold: the smallest certificates, of elliptic curves and without extensions, have 250 bytes."""

LEAST_BYTES = 131
"""The smallest element whose length DER writes in octets of their own (X.690, 10.1), which every certificate needs."""

KEY_USAGE_NAMES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
"""The bits of KeyUsage as cryptography's attributes -> as RFC 5280, 4.2.1.3 spells them. Two more need keyAgreement."""

SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
"""DER of the object identifier of PKCS#7 signed data, 1.2.840.113549.1.7.2 (RFC 5652), which a .p7b begins with."""

PKCS5, PKCS12 = bytes.fromhex("2a864886f70d0105"), bytes.fromhex("2a864886f70d010c")
"""How the object identifiers of password-based encryption begin (RFC 8018, RFC 7292)."""

BEGIN = re.compile(r"-----BEGIN([A-Z0-9 ]{1,40})-----")
"""The line that begins a PEM block (RFC 7468). Blanks may be lost in a cell."""

CERTIFICATE_LABELS = {"CERTIFICATE", "X509CERTIFICATE", "TRUSTEDCERTIFICATE", "PKCS7", "CMS"}
"""Labels, without blanks, of PEM blocks that hold certificates: RFC 7468, and `PEM_STRING_X509_OLD` and
`PEM_STRING_X509_TRUSTED` of OpenSSL."""

# What cryptography raises for a certificate that it cannot read; UnicodeDecodeError is a ValueError.
REFUSALS = (
    *(ValueError, TypeError, OverflowError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)

Kind = TypeVar("Kind", bound=x509.ExtensionType)


class NotACertificateError(ValueError):
    """What was given is no certificate that can be read. `str()` is a clause that says why, about "it"."""


class CertificateFacts(NamedTuple):
    """What a certificate says about itself, and the two hashes by which it is known."""

    der: bytes
    thumbprint: str  # SHA-1 over the DER bytes, 40 upper-case hexadecimal digits
    sha256: str  # 64 upper-case hexadecimal digits
    serial_number: str  # upper-case hexadecimal, whole octets, no sign octet; a negative one in two's complement
    issuer: str  # RFC 4514, the most specific part first; "" when empty
    subject: str
    subject_common_name: str  # the most specific one, or ""
    not_before: str  # 2027-11-23T08:49:13Z
    not_after: str
    key_length: int | None  # bits of an RSA or DSA modulus or of a curve's field; None for other kinds of keys
    key_usage: tuple[str, ...] | None  # as RFC 5280 spells them, in the order of the bits; None without the extension
    extended_key_usage: tuple[str, ...] | None  # object identifiers, in the certificate's order; None likewise
    dns_names: tuple[str, ...]  # of the subject alternative name
    email_addresses: tuple[str, ...]
    is_ca: bool  # basicConstraints says so


def certificate_texts(data: bytes) -> tuple[str, ...]:
    """Return each certificate in a file's bytes as a text for `read_certificate_text`; at least one.

    PEM with any text and other blocks around, DER, PKCS#7 in both; also base64 without the PEM lines. The text is
    base64 of the DER bytes; that of a damaged PEM block is the block as it stands, so that the others can be read.
    Raises NotACertificateError when there is none, or when there are more than MOST_CERTIFICATES.
    """
    if not data.strip(b"\0\t\r\n "):
        raise NotACertificateError("it is empty")
    texts = tuple(islice(_texts_in_file(data), MOST_CERTIFICATES + 1))
    if len(texts) > MOST_CERTIFICATES:
        raise NotACertificateError(f"it holds more than {MOST_CERTIFICATES:,} certificates")
    return texts


def read_certificate_text(text: str) -> CertificateFacts:
    r"""Return the certificate that a cell holds, as PEM, base64 or hexadecimal DER.

    Line breaks may be lost, doubled, blanks, or written as `\n`. In a chain the one certificate that is not a
    certificate authority's is meant. Raises NotACertificateError, also for a text that no spreadsheet cell can hold.
    """
    is_cut = len(text) == MOST_CELL_CHARACTERS
    parts = [_der_of(each, is_cut=is_cut) for each in _texts_in(text)]
    if len(text) > MOST_CELL_CHARACTERS:
        raise NotACertificateError(
            f"its text has {len(text):,} characters, more than the {MOST_CELL_CHARACTERS:,} of a spreadsheet cell"
        )
    found = [_facts(der) for part in parts for der in _certificates_in(part)]
    devices = [facts for facts in found if not facts.is_ca] or found
    if len(devices) > 1:
        raise NotACertificateError(f"it holds {len(devices)} certificates, and nothing says which one is the row's")
    return devices[0]


def octets_hex(number: int) -> str:
    """Return the octets of a DER integer as upper-case hexadecimal digits, two for each octet.

    Without the sign octet 00, as Windows and .NET mostly show serial numbers; a negative number in two's complement.
    """
    octets = max(1, (number.bit_length() + 7) // 8) if number >= 0 else ((~number).bit_length() + 8) // 8
    return (number % (1 << 8 * octets)).to_bytes(octets).hex().upper()


def without_private_keys(text: str) -> str:
    """Return the text in which each PEM block of a private key, up to the next block, is replaced by a remark.

    For everything that keeps or shows a cell. A text without such a block comes back as it is.
    """
    if "PRIVATE" not in text:
        return text
    before, *parts = BEGIN.split(text)
    kept = [before]
    for label, body in zip(parts[::2], parts[1::2], strict=True):
        kept.append("(private key left out)" if "PRIVATE" in label else f"-----BEGIN{label}-----{body}")
    return "".join(kept)


def _texts_in_file(data: bytes) -> Iterator[str]:
    """Yield what `certificate_texts` returns."""
    if _is_der(data):
        yield from (b64encode(der).decode() for der in _certificates_in(_whole(data)))
        return
    mark = next((mark for mark in (BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE) if data.startswith(mark)), b"")
    data = data.removeprefix(mark)
    if len(mark) == len(BOM_UTF16_LE) or b"B\0E\0G\0I\0N" in data:
        data = data.replace(b"\0", b"")  # UTF-16, as PowerShell 5.1 redirects output
    # Only ASCII counts in PEM; the text around may be in any encoding.
    for each in _texts_in(data.decode("latin-1")):
        try:
            ders = _certificates_in(_der_of(each))
        except NotACertificateError:
            yield each
        else:
            yield from (b64encode(der).decode() for der in ders)


def _texts_in(text: str) -> tuple[str, ...]:
    """Return the texts of the PEM blocks that hold certificates, without their lines; else the whole text."""
    _, *parts = BEGIN.split(text)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    blocks = [(label.replace(" ", ""), body.partition("-----END")[0]) for label, body in pairs]
    if not blocks:
        return (text,)
    texts = tuple(_joined(body) for label, body in blocks if label in CERTIFICATE_LABELS)
    if not texts:
        # OpenSSL writes the parameters of a curve before the private key.
        told = next((label for label, _ in blocks if "PRIVATEKEY" in label), blocks[0][0])
        raise NotACertificateError(f"it holds {_kind_of_label(told)} and no certificate")
    return texts


def _joined(text: str) -> str:
    r"""Return the text without blanks, line breaks (also as `\n`) and invisible marks: base64 knows none of them."""
    joined = "".join(text.replace("\\r", "").replace("\\n", "").split())
    return joined if joined.isascii() else "".join(sign for sign in joined if category(sign) != "Cf")


def _kind_of_label(label: str) -> str:
    if "PRIVATEKEY" in label:
        return "a private key"
    if label.endswith("CERTIFICATEREQUEST"):
        return "a certificate request"
    if label == "X509CRL":
        return "a list of revoked certificates"
    return "a public key" if label.endswith("PUBLICKEY") else "another kind of PEM block"


def _der_of(text: str, *, is_cut: bool = False) -> bytes:
    """Return the bytes that the text writes in hexadecimal or base64."""
    digits = _joined(text).strip("\"'")
    if not digits:
        raise NotACertificateError("it is empty")
    if "Byte[]" in digits:
        # about_Format.ps1xml: a collection in a cell shows as the name of its type
        raise NotACertificateError("it holds the name of a type that PowerShell wrote in place of the bytes")
    # base64 that begins with 30 is no DER: its first byte would be DF.
    hexadecimal = digits[2:] if digits[:2] in {"0x", "0X"} else digits
    try:
        if hexadecimal.startswith("30") and re.fullmatch(r"[0-9A-Fa-f]+", hexadecimal):
            data = bytes.fromhex(hexadecimal[: len(hexadecimal) // 2 * 2])
        else:
            # Padding is lost at times; the length that the DER bytes state shows whether a character is missing.
            bare = digits.rstrip("=")
            bare = bare[:-1] if len(bare) % 4 == 1 else bare
            data = b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError as problem:
        raise NotACertificateError("it is neither PEM nor base64 nor hexadecimal digits of a certificate") from problem
    return _whole(data, is_cut=is_cut)


def _is_der(data: bytes, at: int = 0) -> bool:
    """Return whether a DER sequence of more than 127 bytes begins at that place; no text begins like one."""
    return at + 1 < len(data) and data[at] == 0x30 and 0x80 <= data[at + 1] <= 0x84


def _whole(data: bytes, *, is_cut: bool = False) -> bytes:
    """Return the bytes when they are as many as their first element states; bytes of padding after it are left out."""
    if not _is_der(data):
        raise NotACertificateError("it is base64 or hexadecimal of something else than a certificate")
    size = _size_of(data)
    if len(data) < size:
        where = f" at {MOST_CELL_CHARACTERS:,} characters, the most that a spreadsheet cell holds" if is_cut else ""
        raise NotACertificateError(f"it is cut off{where}: {len(data):,} of {size:,} bytes are there")
    return data if data[size:].strip(b"\0\t\r\n ") else data[:size]


def _content_at(data: bytes, at: int = 0) -> int:
    """Return the place where the content of the DER sequence at that place begins."""
    return at + 2 + data[at + 1] - 0x80


def _size_of(data: bytes, at: int = 0) -> int:
    """Return how many bytes the DER sequence at that place says it has; all that follow for an indefinite length."""
    content = _content_at(data, at)
    return content - at + int.from_bytes(data[at + 2 : content]) if content > at + 2 else len(data) - at


def _certificates_in(data: bytes) -> list[bytes]:
    """Return the DER bytes of the certificates that the bytes are, of those in PKCS#7 too.

    What is something else comes back like a certificate, and is told when it is read.
    """
    ders: list[bytes] = []
    at = 0
    while _is_der(data, at):
        size = _size_of(data, at)
        if data.startswith(SIGNED_DATA, _content_at(data, at)):
            ders += _certificates_in_pkcs7(data[at : at + size])
        elif size < LEAST_BYTES:
            raise NotACertificateError(f"it holds a sequence of {size} bytes, which is too small for a certificate")
        else:
            ders.append(data[at : at + size])
        at += size
    # OpenSSL's "trusted certificate" has a short sequence of its own behind the certificate.
    if at < len(data) and data[at] != 0x30:
        raise NotACertificateError(f"{len(data) - at:,} bytes of something else follow the certificate")
    return ders


def _certificates_in_pkcs7(data: bytes) -> list[bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in _facts
        try:
            found = pkcs7.load_der_pkcs7_certificates(data)
        except REFUSALS as problem:
            raise NotACertificateError(f"its PKCS#7 content cannot be read ({problem})") from problem
    if not found:
        raise NotACertificateError("it holds no certificate")
    return [each.public_bytes(Encoding.DER) for each in found]


def _other_content(data: bytes) -> str:
    """Return what PKI file the bytes are instead of a certificate, or ""."""
    content = data[_content_at(data) :]
    if content.startswith(b"\x02\x01\x03\x30"):
        return "a PKCS#12 file (.pfx), which holds a private key,"
    if content.startswith((b"\x02\x01\x00\x30", b"\x02\x01\x00\x02", b"\x02\x01\x01\x04", b"\x02\x01\x01\x30")):
        return "a private key"
    if content.startswith(b"\x30") and content[4:12] in {PKCS5, PKCS12}:
        return "an encrypted private key"
    for load, kind in (
        (x509.load_der_x509_csr, "a certificate request"),
        (x509.load_der_x509_crl, "a list of revoked certificates"),
    ):
        try:
            load(data)
        except REFUSALS:
            continue
        return kind
    return ""


def _facts(der: bytes) -> CertificateFacts:
    # cryptography warns of what RFC 5280 forbids and old CAs did: serial numbers that are not positive, names that are
    # too long. The facts show it; a warning would reach the terminal as program text.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _facts_of(der, x509.load_der_x509_certificate(der))
        except REFUSALS as problem:
            other = _other_content(der)
            if other:
                raise NotACertificateError(f"it is {other} and no certificate") from problem
            raise NotACertificateError(f"it is damaged or no X.509 certificate ({problem})") from problem


def _facts_of(der: bytes, certificate: x509.Certificate) -> CertificateFacts:
    extensions = certificate.extensions
    names = _extension(extensions, x509.SubjectAlternativeName)
    usages = _extension(extensions, x509.ExtendedKeyUsage)
    key_usage = _extension(extensions, x509.KeyUsage)
    constraints = _extension(extensions, x509.BasicConstraints)
    common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return CertificateFacts(
        der=der,
        thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
        sha256=hashlib.sha256(der).hexdigest().upper(),
        serial_number=octets_hex(certificate.serial_number),
        issuer=certificate.issuer.rfc4514_string(),
        subject=certificate.subject.rfc4514_string(),
        subject_common_name=str(common_names[-1].value) if common_names else "",
        not_before=_date_time(certificate.not_valid_before_utc),
        not_after=_date_time(certificate.not_valid_after_utc),
        key_length=_key_length(certificate),
        key_usage=None if key_usage is None else _key_usage(key_usage),
        extended_key_usage=None if usages is None else tuple(usage.dotted_string for usage in usages),
        dns_names=() if names is None else tuple(names.get_values_for_type(x509.DNSName)),
        email_addresses=() if names is None else tuple(names.get_values_for_type(x509.RFC822Name)),
        is_ca=constraints is not None and constraints.ca,
    )


def _extension(extensions: x509.Extensions, kind: type[Kind]) -> Kind | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _date_time(at: datetime) -> str:
    return at.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def _key_length(certificate: x509.Certificate) -> int | None:
    try:
        key = certificate.public_key()
    except REFUSALS:
        # A kind of key or a curve that OpenSSL does not know is no reason to refuse the rest of the certificate.
        return None
    return key.key_size if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey) else None


def _key_usage(usage: x509.KeyUsage) -> tuple[str, ...]:
    names = [name for attribute, name in KEY_USAGE_NAMES.items() if getattr(usage, attribute)]
    if usage.key_agreement:
        # cryptography refuses to tell these two without keyAgreement, as they then mean nothing.
        names += ["encipherOnly"] * usage.encipher_only + ["decipherOnly"] * usage.decipher_only
    return tuple(names)
