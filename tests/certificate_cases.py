"""Certificates that the tests make: one key, fixed dates, invented names."""

import datetime
from collections.abc import Sequence
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pipeline.certificates import CertificateFacts, certificate_texts, read_certificate_text

NOT_BEFORE = datetime.datetime(2026, 11, 23, 8, 49, 13, tzinfo=datetime.UTC)
NOT_AFTER = datetime.datetime(2027, 11, 23, 8, 49, 13, tzinfo=datetime.UTC)
SERIAL_NUMBER = 0x7F00000000000005
ISSUER = "CN=Contoso Issuing CA 01,DC=contoso,DC=com"
CLIENT_AUTHENTICATION = x509.ExtendedKeyUsage([x509.OID_CLIENT_AUTH])
CA = x509.BasicConstraints(ca=True, path_length=None)

KEY_USAGE_BITS = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_usage(**bits: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: bits.get(name, False) for name in KEY_USAGE_BITS})


def built(
    *extensions: x509.ExtensionType,
    subject: str | x509.Name = "CN=PC-0042,O=Contoso",
    issuer: str | x509.Name = ISSUER,
    serial_number: int = SERIAL_NUMBER,
    dates: Sequence[datetime.datetime] = (NOT_BEFORE, NOT_AFTER),
    public_key: CertificatePublicKeyTypes | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject if isinstance(subject, x509.Name) else x509.Name.from_rfc4514_string(subject))
        .issuer_name(issuer if isinstance(issuer, x509.Name) else x509.Name.from_rfc4514_string(issuer))
        .public_key(public_key or key().public_key())
        .serial_number(serial_number)
        .not_valid_before(dates[0])
        .not_valid_after(dates[1])
    )
    for each in extensions:
        builder = builder.add_extension(each, critical=False)
    return builder.sign(key(), SHA256())


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def facts_in(data: bytes) -> tuple[CertificateFacts, ...]:
    """Return the facts of each certificate in a file's bytes."""
    return tuple(read_certificate_text(text) for text in certificate_texts(data))


def sequence(content: bytes) -> bytes:
    """Return the DER sequence of the content, which has at most 65,535 bytes; its length always takes two octets."""
    return b"\x30\x82" + len(content).to_bytes(2) + content


def replaced(data: bytes, old: str, new: str) -> bytes:
    """Return the bytes with the one place changed, both in hexadecimal and of one length."""
    was, now = bytes.fromhex(old), bytes.fromhex(new)
    assert data.count(was) == 1
    assert len(was) == len(now)
    return data.replace(was, now)


def device() -> x509.Certificate:
    """Return a device's certificate with all extensions that the facts tell of."""
    return built(
        key_usage(digital_signature=True, key_encipherment=True),
        CLIENT_AUTHENTICATION,
        x509.SubjectAlternativeName([x509.DNSName("pc-0042.contoso.com"), x509.RFC822Name("ada@contoso.com")]),
        x509.BasicConstraints(ca=False, path_length=None),
    )


def authority(name: str = "Contoso Issuing CA 01") -> x509.Certificate:
    return built(CA, subject=f"CN={name},DC=contoso,DC=com", issuer="CN=Contoso Root CA,DC=contoso,DC=com")
