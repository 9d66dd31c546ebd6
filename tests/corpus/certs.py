"""Traps of certificates: in a cell, and as files. One fixed key signs them, so their bytes are the same each time."""

import datetime
import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from typing import Any

from corpus.case import (
    DEVICE,
    EKU,
    EXPIRES,
    ISSUER,
    KEY_LENGTH,
    KEY_USAGE,
    PLATFORM,
    SERIAL,
    THUMBPRINT,
    THUMBPRINTS,
    Case,
    Found,
    Group,
    Value,
    encoded,
    error,
    info,
    lines,
    warning,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pipeline.editions import ENTITY_TYPE
from pipeline.findings import Code

AUTHORITY = "CN=Contoso Issuing CA,O=Contoso"
INVENTED_KEY = "SU5WRU5URURLRVlJTlZFTlRFREtFWUlOVkVOVEVES0VZ"
KEY_BLOCK = f"-----BEGIN PRIVATE KEY-----\n{INVENTED_KEY}\n-----END PRIVATE KEY-----\n"


@cache
def certificate(number: int, *, is_authority: bool = False) -> x509.Certificate:
    """Return the certificate of the device of that number, or of the authority."""
    name = AUTHORITY if is_authority else f"CN=PHONE-{number:04},O=Contoso"
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_encipherment=not is_authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(name))
        .issuer_name(x509.Name.from_rfc4514_string(AUTHORITY))
        .public_key(ec.derive_private_key(1_000 + number, ec.SECP256R1()).public_key())
        .serial_number(0x4A00C0 + number)
        .not_valid_before(datetime.datetime(2025, 11, 23, 8, 49, 13, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2027, 11, 23, 8, 49, 13, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.OID_CLIENT_AUTH]), critical=False)
        # The signatures of this algorithm hold nothing random.
        .sign(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))), None)
    )


def der(number: int) -> bytes:
    """Return the certificate's bytes."""
    return certificate(number).public_bytes(Encoding.DER)


def pem(number: int) -> str:
    """Return the certificate as PEM, with line feeds."""
    return certificate(number).public_bytes(Encoding.PEM).decode()


def chain(encoding: Encoding) -> bytes:
    """Return the authority's certificate and a device's as PKCS #7."""
    return pkcs7.serialize_certificates([certificate(9, is_authority=True), certificate(1)], encoding)


NO_CERTIFICATE = bytes.fromhex(
    "30820025"  # ContentInfo
    "06092a864886f70d010702a0183016"  # signedData
    "020101"
    "3100"  # no digest algorithms
    "300b06092a864886f70d010701"  # no content
    "a000"  # no certificates
    "3100"  # no signers
)
SMALL_SEQUENCES = b"\x30\x81\x00" * 5_000


def facts(number: int) -> dict[str, str]:
    """Return what the certificate says, by property, as texts."""
    return {
        EXPIRES: "2027-11-23T08:49:13Z",
        ISSUER: AUTHORITY,
        THUMBPRINT: hashlib.sha1(der(number), usedforsecurity=False).hexdigest().upper(),
        SERIAL: f"4A00C{number}",
        KEY_LENGTH: "256",
        KEY_USAGE: "keyEncipherment,digitalSignature",
        EKU: "Client Authentication",
    }


def filled(row: int, number: int, *without: str) -> tuple[Found, ...]:
    """Return what is told of the values that came from the certificate."""
    return tuple(
        info(row, Code.FROM_CERTIFICATE, name, "", text) for name, text in facts(number).items() if name not in without
    )


def sent(number: int, changed: Mapping[str, Value] | None = None) -> dict[str, Value]:
    """Return the body of the device of that number, all its facts from the certificate."""
    device = {"@odata.type": ENTITY_TYPE, PLATFORM: "iOS", DEVICE: f"PHONE-{number:04}"}
    return device | facts(number) | {KEY_LENGTH: 256} | dict(changed or {})


def quoted(text: str) -> str:
    """Return the text as a quoted cell."""
    return f'"{text}"'


CELL_HEADER = f"{PLATFORM},{DEVICE},certificate"
FULL_HEADER = f"{PLATFORM},{DEVICE},{THUMBPRINT},certificate"
BASE64 = {number: b64encode(der(number)).decode() for number in (1, 2)}

CELL_CASES = (
    Case(
        "certificate-pem.csv",
        "A column holds certificates as PEM, with line breaks.",
        encoded(lines(CELL_HEADER, f"iOS,PHONE-0001,{quoted(pem(1))}", f"iOS,PHONE-0002,{quoted(pem(2))}")),
        valid={2: sent(1), 3: sent(2)},
        found=filled(2, 1) + filled(3, 2),
    ),
    Case(
        "certificate-base64.csv",
        "A column holds base64 of the DER bytes.",
        encoded(lines(CELL_HEADER, f"iOS,PHONE-0001,{BASE64[1]}")),
        valid={2: sent(1)},
        found=filled(2, 1),
    ),
    Case(
        "certificate-and-row.csv",
        "A row and its certificate say the same: nothing is told; the row of another certificate is refused.",
        encoded(
            lines(
                FULL_HEADER,
                f"iOS,PHONE-0001,{facts(1)[THUMBPRINT]},{BASE64[1]}",
                f"iOS,PHONE-0002,{THUMBPRINTS[2]},{BASE64[2]}",
            )
        ),
        valid={2: sent(1)},
        invalid=(3,),
        found=(
            *filled(2, 1, THUMBPRINT),
            *filled(3, 2, THUMBPRINT),
            error(3, Code.CERTIFICATE_DIFFERS, THUMBPRINT),
        ),
    ),
    Case(
        "certificate-type-name.csv",
        "PowerShell wrote the name of a type where the bytes should be.",
        encoded(lines(FULL_HEADER, f"iOS,PHONE-0001,{THUMBPRINTS[1]},System.Byte[]", f"iOS,PHONE-0002,,{BASE64[2]}")),
        valid={3: sent(2)},
        invalid=(2,),
        found=(error(2, Code.NOT_A_CERTIFICATE, "certificate", says="PowerShell"), *filled(3, 2)),
    ),
    Case(
        "certificate-private-key.csv",
        "A private key stands in the cell beside the certificate: it is passed over and in no report.",
        encoded(
            lines(
                CELL_HEADER,
                f"iOS,PHONE-0001,{quoted(KEY_BLOCK + pem(1))}",
                f"iOS,PHONE-0002,{quoted(KEY_BLOCK)}",
            )
        ),
        valid={2: sent(1)},
        invalid=(3,),
        found=(*filled(2, 1), error(3, Code.NOT_A_CERTIFICATE, "certificate")),
        secret=INVENTED_KEY,
    ),
    Case(
        "certificate-cut.csv",
        "A certificate is cut off.",
        encoded(lines(CELL_HEADER, f"iOS,PHONE-0001,{BASE64[1][:200]}", f"iOS,PHONE-0002,{BASE64[2]}")),
        valid={3: sent(2)},
        invalid=(2,),
        found=(error(2, Code.NOT_A_CERTIFICATE, "certificate", says="cut off"), *filled(3, 2)),
    ),
    Case(
        "certificate-pkcs7-empty.csv",
        "A cell holds PKCS #7 without a certificate.",
        encoded(
            lines(
                CELL_HEADER,
                f"iOS,PHONE-0001,{b64encode(NO_CERTIFICATE).decode()}",
                f"iOS,PHONE-0002,{BASE64[2]}",
            )
        ),
        valid={3: sent(2)},
        invalid=(2,),
        found=(error(2, Code.NOT_A_CERTIFICATE, "certificate", says="it holds no certificate"), *filled(3, 2)),
    ),
    Case(
        "certificate-long.csv",
        "A cell is longer than any that a spreadsheet holds.",
        encoded(lines(CELL_HEADER, f"iOS,PHONE-0001,{BASE64[1] + '=' * 32_767}", f"iOS,PHONE-0002,{BASE64[2]}")),
        valid={3: sent(2)},
        invalid=(2,),
        found=(error(2, Code.NOT_A_CERTIFICATE, "certificate", says="more than the 32,767"), *filled(3, 2)),
    ),
    Case(
        "certificate-sequences.csv",
        "A cell holds thousands of empty ASN.1 sequences, which look like the beginnings of certificates.",
        encoded(
            lines(
                CELL_HEADER,
                f"iOS,PHONE-0001,{b64encode(SMALL_SEQUENCES).decode()}",
                f"iOS,PHONE-0002,{BASE64[2]}",
            )
        ),
        valid={3: sent(2)},
        invalid=(2,),
        found=(error(2, Code.NOT_A_CERTIFICATE, "certificate", says="too small"), *filled(3, 2)),
    ),
)

NAMED = 'templates: {devicePlatform: iOS, deviceDisplayName: "{subject common name}"}\n'
DECLARED = (info(None, Code.DECLARED_VALUE, PLATFORM), info(None, Code.DECLARED_VALUE, DEVICE))
FILE_FACTS: dict[str, Any] = {"tables": ((None, 0),), "read_as": "", "split_at": "", "config": NAMED}

FILE_CASES = (
    Case(
        "device.cer",
        "A certificate as DER: a template names the device.",
        lambda: der(1),
        valid={1: sent(1)},
        found=filled(1, 1) + DECLARED,
        **FILE_FACTS,
    ),
    Case(
        "devices.pem",
        "Two certificates in one file, with text and a private key around them.",
        encoded(f"Bag Attributes\n{KEY_BLOCK}{pem(1)}subject=CN = PHONE-0002\n{pem(2)}"),
        valid={1: sent(1), 2: sent(2)},
        found=filled(1, 1) + filled(2, 2) + DECLARED,
        secret=INVENTED_KEY,
        **FILE_FACTS,
    ),
    Case(
        "chain.p7b",
        "A chain as PKCS #7: the authority's own certificate is no device's.",
        lambda: chain(Encoding.DER),
        valid={1: sent(1)},
        found=(warning(None, Code.CA_CERTIFICATE), *filled(1, 1), *DECLARED),
        **FILE_FACTS,
    ),
    Case(
        "key.pem",
        "The file holds a private key and no certificate.",
        encoded(KEY_BLOCK),
        refused="it holds a private key and no certificate",
        secret=INVENTED_KEY,
        **FILE_FACTS,
    ),
    Case(
        "empty.p7b",
        "PKCS #7 without a certificate.",
        lambda: NO_CERTIFICATE,
        refused="it holds no certificate",
        **FILE_FACTS,
    ),
    Case(
        "sequences.cer",
        "Thousands of empty ASN.1 sequences, which look like the beginnings of certificates.",
        lambda: SMALL_SEQUENCES,
        refused="it holds a sequence of 3 bytes, which is too small for a certificate",
        **FILE_FACTS,
    ),
)

GROUPS = (Group("Certificates in a column", CELL_CASES), Group("Certificate files", FILE_CASES))
