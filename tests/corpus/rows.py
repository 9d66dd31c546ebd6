"""Traps that need more than one row: duplicates; and exports as their programs write them, one for each preset."""

from collections.abc import Mapping
from typing import Any

from corpus.case import (
    DEVICE,
    EXPIRES,
    ISSUER,
    KEY_LENGTH,
    KEY_USAGE,
    OPTIONAL,
    PLATFORM,
    SERIAL,
    THUMBPRINT,
    THUMBPRINTS,
    USER,
    Case,
    Found,
    Group,
    Value,
    body,
    cells,
    delimited,
    error,
    info,
    text_case,
    warning,
)
from preset_cases import (
    ADCS_CASE,
    CRTSH_CASE,
    INTUNE_CASE,
    IVANTI_CASE,
    JAMF_CASE,
    NUMBERS,
    POWERSHELL_CASE,
    PresetCase,
    hexadecimal,
    spaced,
)

from pipeline.editions import ENTITY_TYPE
from pipeline.findings import Code

FIRST = THUMBPRINTS[1]
COLONS = ":".join(FIRST[at : at + 2] for at in range(0, 40, 2)).lower()

DUPLICATE_CASES = (
    text_case(
        "duplicate.csv",
        "Row 4 is row 2 once more.",
        delimited(cells(1), cells(2), cells(1)),
        valid={2: body(1), 3: body(2)},
        duplicate=(4,),
        found=(warning(4, Code.DUPLICATE, says="row 2"),),
    ),
    text_case(
        "duplicate-in-another-form.csv",
        "The same thumbprint with colons, the same instant in another zone: still the same row.",
        delimited(
            cells(1, {EXPIRES: "2027-11-23T08:49:13Z"}),
            cells(1, {THUMBPRINT: COLONS, SERIAL: "4a00c1", EXPIRES: "2027-11-23T09:49:13+01:00"}),
            cells(2, {EXPIRES: "2027-11-23T08:49:13Z"}),
        ),
        valid={2: body(1, {EXPIRES: "2027-11-23T08:49:13Z"}), 4: body(2, {EXPIRES: "2027-11-23T08:49:13Z"})},
        duplicate=(3,),
        found=(
            info(3, Code.HEX_FORM, THUMBPRINT, COLONS, FIRST),
            info(3, Code.HEX_FORM, SERIAL, "4a00c1", "4A00C1"),
            warning(3, Code.DUPLICATE, says="row 2"),
        ),
    ),
    text_case(
        "conflict.csv",
        "Rows 2 and 4 tell the same certificate on the same device in two ways: none is sent.",
        delimited(cells(1, {USER: "Erika Example"}), cells(2, {USER: "Ada Example"}), cells(1, {USER: "Max Example"})),
        valid={3: body(2, {USER: "Ada Example"})},
        conflicting=(2, 4),
        found=(
            error(2, Code.CONFLICTING_ROWS, says="row 4"),
            error(4, Code.CONFLICTING_ROWS, says="row 2"),
        ),
    ),
    text_case(
        "same-certificate-two-devices.csv",
        "One certificate on two devices is two objects.",
        delimited(cells(1), cells(1, {DEVICE: "PHONE-0002"})),
        valid={2: body(1), 3: body(1, {DEVICE: "PHONE-0002"})},
    ),
    text_case(
        "same-issuer-and-serial.csv",
        "Without a thumbprint, issuer and serial number tell certificates apart; leading zeros make no other number.",
        delimited(
            cells(1, {THUMBPRINT: "", SERIAL: "00A7", ISSUER: "CN=Contoso"}),
            cells(1, {THUMBPRINT: "", SERIAL: "A7", ISSUER: "CN=Contoso"}),
            cells(1, {THUMBPRINT: "", SERIAL: "A8", ISSUER: "CN=Contoso"}),
        ),
        valid={
            2: body(1, {THUMBPRINT: "", SERIAL: "00A7", ISSUER: "CN=Contoso"}),
            4: body(1, {THUMBPRINT: "", SERIAL: "A8", ISSUER: "CN=Contoso"}),
        },
        duplicate=(3,),
        found=(warning(3, Code.DUPLICATE, says="row 2"),),
        config=OPTIONAL.replace("[", "[certificateThumbprint, "),
    ),
)


def exported(
    case: PresetCase,
    trap: str,
    bodies: Mapping[int, Mapping[str, Value]],
    found: tuple[Found, ...],
    **facts: Any,  # noqa: ANN401 - the fields of Case
) -> Case:
    """Return the case of an export with its preset; config.yaml says what the source lacks."""
    return Case(
        f"{case.preset}-{case.file_name}",
        trap,
        lambda: case.content,
        valid={row: {"@odata.type": ENTITY_TYPE, **properties} for row, properties in bodies.items()},
        found=found,
        config=case.declared["1706"],
        preset=case.preset,
        **facts,
    )


def declared(*names: str) -> tuple[Found, ...]:
    """Return what is told of properties that `templates:` or `defaults:` declare for every row."""
    return tuple(info(None, Code.DECLARED_VALUE, name) for name in names)


def upper(row: int, column: str, digits: str) -> Found:
    """Return what is told of hexadecimal digits in lower case."""
    return info(row, Code.HEX_FORM, column, digits, digits.replace(" ", "").upper())


def hashes(number: int) -> tuple[str, str]:
    """Return the thumbprint of the row of that number, in lower case, and its upper-case form."""
    digits = hexadecimal(number + 50, 40)
    return digits, digits.upper()


ADCS = exported(
    ADCS_CASE,
    "certutil's view: UTF-16, hashes with blanks, lengths twice, EMPTY, local dates of the CA's culture.",
    {
        number + 1: {
            PLATFORM: "windows10AndLater",
            KEY_USAGE: "digitalSignature,keyEncipherment",
            "certificateProfileDisplayName": f"1.3.6.1.4.1.311.21.8.1234567.{number}",
            DEVICE: f"PC-{number:04}",
            USER: f"CONTOSO\\PC-{number:04}$",
            EXPIRES: f"2028-05-{20 + number}T17:29:00-07:00",
            ISSUER: "CN=Contoso Issuing CA",
            THUMBPRINT: hashes(number)[1],
            SERIAL: hexadecimal(number, 38).upper(),
            KEY_LENGTH: 2048,
            "enhancedKeyUsage": "Client Authentication",
        }
        for number in NUMBERS
    },
    tuple(
        found
        for number in NUMBERS
        for found in (
            info(
                number + 1,
                Code.DATE_TIME_FORM,
                "Certificate Expiration Date",
                f"5/{20 + number}/2028 5:29 PM",
                f"2028-05-{20 + number}T17:29:00",
            ),
            info(
                number + 1,
                Code.TIME_ZONE,
                "Certificate Expiration Date",
                f"2028-05-{20 + number}T17:29:00",
                f"2028-05-{20 + number}T17:29:00-07:00",
            ),
            upper(number + 1, "Certificate Hash", spaced(hashes(number)[0])),
            upper(number + 1, "Serial Number", hexadecimal(number, 38)),
            info(number + 1, Code.KEY_LENGTH_FORM, "Public Key Length", "0x800 (2048)", "2048"),
        )
    )
    + declared(PLATFORM, ISSUER, KEY_USAGE, "enhancedKeyUsage"),
    read_as="utf-16-le",
)

INTUNE = exported(
    INTUNE_CASE,
    "Intune's own report of certificates.",
    {
        number + 1: {
            PLATFORM: "iOS",
            KEY_USAGE: "digitalSignature,keyEncipherment",
            "certificateProfileDisplayName": "Corp SCEP",
            DEVICE: f"PHONE-{number:04}",
            USER: f"erika{number}@contoso.com",
            "serverUrl": "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
            EXPIRES: f"2027-11-2{number}T08:49:13Z",
            ISSUER: "CN=Contoso Issuing CA, DC=contoso, DC=com",
            THUMBPRINT: hashes(number)[1],
            SERIAL: hexadecimal(number, 38).upper(),
            "enhancedKeyUsage": "Client Authentication",
        }
        for number in NUMBERS
    },
    tuple(
        info(
            number + 1,
            Code.KEY_USAGE_FORM,
            "KeyUsage",
            "Digital Signature, Key Encipherment",
            "digitalSignature,keyEncipherment",
        )
        for number in NUMBERS
    )
    + declared(PLATFORM, "certificateProfileDisplayName", "serverUrl"),
)

JAMF = exported(
    JAMF_CASE,
    "Jamf Pro's certificates: device and user as Jamf names them.",
    {
        number + 1: {
            PLATFORM: "macOS",
            DEVICE: f"MAC-{number:04}",
            USER: f"erika{number}",
            EXPIRES: f"2027-11-2{number}T08:49:13Z",
            ISSUER: "CN=Contoso Issuing CA",
            THUMBPRINT: hashes(number)[1],
            SERIAL: hexadecimal(number, 32).upper(),
        }
        for number in NUMBERS
    },
    declared(PLATFORM, ISSUER),
)

IVANTI = exported(
    IVANTI_CASE,
    "Ivanti's getCertStatus: the issuer is made of the CA's name, the device of the subject.",
    {
        number + 1: {
            PLATFORM: "iOS",
            DEVICE: f"PHONE-{number:04}",
            EXPIRES: f"2027-11-2{number}T08:49:13Z",
            ISSUER: "CN=Contoso Issuing CA",
            THUMBPRINT: hashes(number)[1],
            SERIAL: hexadecimal(number, 32).upper(),
        }
        for number in NUMBERS
    },
    tuple(
        found
        for number in NUMBERS
        for found in (
            upper(number + 1, "certHash", hashes(number)[0]),
            upper(number + 1, "serialNumber", hexadecimal(number, 32)),
        )
    )
    + declared(PLATFORM, ISSUER, DEVICE),
)

POWERSHELL = exported(
    POWERSHELL_CASE,
    "Export-Csv of Windows' store: the line `#TYPE`, names of .NET types instead of collections, local dates.",
    {
        number + 2: {
            PLATFORM: "windows10AndLater",
            DEVICE: f"CN=PC-{number:04}",
            EXPIRES: f"2027-11-2{number}T08:49:13+01:00",
            ISSUER: "CN=Contoso Issuing CA, DC=contoso, DC=com",
            THUMBPRINT: hashes(number)[1],
            SERIAL: hexadecimal(number, 38).upper(),
        }
        for number in NUMBERS
    },
    tuple(
        found
        for number in NUMBERS
        for found in (
            info(
                number + 2,
                Code.DATE_TIME_FORM,
                "NotAfter",
                f"2{number}.11.2027 08:49:13",
                f"2027-11-2{number}T08:49:13",
            ),
            info(
                number + 2,
                Code.TIME_ZONE,
                "NotAfter",
                f"2027-11-2{number}T08:49:13",
                f"2027-11-2{number}T08:49:13+01:00",
            ),
        )
    )
    + declared(PLATFORM, DEVICE),
    tables=((None, 2),),
    split_at=";",
)

CRTSH = exported(
    CRTSH_CASE,
    "crt.sh: quoted names with commas, lower-case digits, UTC dates that do not say so, no thumbprint.",
    {
        number + 1: {
            PLATFORM: "windows10AndLater",
            DEVICE: f"host{number}.example.com",
            EXPIRES: f"2026-11-2{number}T08:49:13Z",
            ISSUER: f"C=US, O=Example Trust, CN=Example CA {number}",
            SERIAL: hexadecimal(number, 36).upper(),
        }
        for number in NUMBERS
    },
    tuple(
        found
        for number in NUMBERS
        for found in (
            info(
                number + 1,
                Code.TIME_ZONE,
                "not_after",
                f"2026-11-2{number}T08:49:13",
                f"2026-11-2{number}T08:49:13Z",
            ),
            upper(number + 1, "serial_number", hexadecimal(number, 36)),
        )
    )
    + declared(PLATFORM),
)

GROUPS = (
    Group("Duplicates", DUPLICATE_CASES),
    Group("Exports, each with its preset", (ADCS, INTUNE, JAMF, IVANTI, POWERSHELL, CRTSH)),
)
