"""One small file per preset, as its source writes it, and the config.yaml that makes all its rows valid."""

from collections.abc import Mapping
from typing import NamedTuple

from import_cases import PROFILE_OF, config_of


class PresetCase(NamedTuple):
    """A file of a source. All names and numbers in it are invented."""

    name: str
    preset: str
    file_name: str
    content: bytes
    rows: int
    declared: Mapping[str, str]  # edition -> what config.yaml has to say beside the profiles
    first_row: Mapping[str, str | int]  # property -> value of the first row's body
    is_proposed: bool = True  # by `inspect`

    def config(self, edition: str) -> str:
        """Return the whole config.yaml."""
        return f'edition: "{edition}"\n{config_of(PROFILE_OF)}{self.declared[edition]}'


def hexadecimal(number: int, digits: int) -> str:
    """Return so many hexadecimal digits, in lower case."""
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC834:0{digits}x}"[-digits:]


def spaced(digits: str) -> str:
    """Return the digits in pairs, as certutil prints a hash."""
    return " ".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def table(*lines: str) -> str:
    """Return the lines with the line ends that Windows writes."""
    return "".join(f"{line}\r\n" for line in lines)


NUMBERS = (1, 2, 3)

ADCS_ROWS = (
    f'"{number}","CONTOSO\\PC-{number:04}$","1.3.6.1.4.1.311.21.8.1234567.{number}","{hexadecimal(number, 38)}",'
    f'"{spaced(hexadecimal(number + 50, 40))}","5/{number + 20}/2026 5:29 PM","5/{number + 20}/2028 5:29 PM",'
    f'"0x800 (2048)","PC-{number:04}","EMPTY","20 -- Issued","EMPTY"'
    for number in NUMBERS
)
ADCS_CASE = PresetCase(
    "adcs",
    "adcs",
    "certutil.csv",
    table(
        '"Request ID","Requester Name","Certificate Template","Serial Number","Certificate Hash",'
        '"Certificate Effective Date","Certificate Expiration Date","Public Key Length","Issued Common Name",'
        '"User Principal Name","Request Disposition","Revocation Date"',
        *ADCS_ROWS,
    ).encode("utf-16"),
    3,
    {
        "1706": (
            "timezone: America/Los_Angeles\n"
            "date_order: mdy\n"
            "templates:\n"
            "  devicePlatform: windows10AndLater\n"
            "  certificateIssuer: CN=Contoso Issuing CA\n"
            "  certificateKeyUsage: digitalSignature,keyEncipherment\n"
            "  enhancedKeyUsage: Client Authentication\n"
            "optional: [serverUrl, lastCertificateStateChangeDateTime]\n"
        ),
        "current": (
            "timezone: America/Los_Angeles\n"
            "date_order: mdy\n"
            "templates: {devicePlatform: windows10AndLater, certificateIssuer: CN=Contoso Issuing CA}\n"
        ),
    },
    {
        "certificateThumbprint": hexadecimal(51, 40).upper(),
        "certificateSerialNumber": hexadecimal(1, 38).upper(),
        "certificateKeyLength": 2048,
        "certificateExpirationDateTime": "2028-05-21T17:29:00-07:00",
        "certificateIssuer": "CN=Contoso Issuing CA",
        "deviceDisplayName": "PC-0001",
        "userDisplayName": "CONTOSO\\PC-0001$",
    },
)

INTUNE_ROWS = (
    f"Active,{hexadecimal(number, 8)}-0000-4000-8000-000000000000,PHONE-{number:04},Client Authentication,"
    f'"CN=Contoso Issuing CA, DC=contoso, DC=com","Digital Signature, Key Encipherment",'
    f"77777777-0000-4000-8000-000000000000,{hexadecimal(number, 38).upper()},CN=PHONE-{number:04},"
    f"{hexadecimal(number + 50, 40).upper()},erika{number}@contoso.com,"
    f"{hexadecimal(number, 8)}-1111-4000-8000-000000000000,2025-11-23T08:49:13Z,2027-11-2{number}T08:49:13Z"
    for number in NUMBERS
)
INTUNE_CASE = PresetCase(
    "intune-report",
    "intune-report",
    "AllDeviceCertificates.csv",
    table(
        "CertificateStatus,DeviceId,DeviceName,EnhancedKeyUsage,IssuerName,KeyUsage,PolicyId,SerialNumber,SubjectName,"
        "Thumbprint,UPN,UserId,ValidFrom,ValidTo",
        *INTUNE_ROWS,
    ).encode("utf-8-sig"),
    3,
    {
        "1706": (
            "templates: {devicePlatform: iOS, certificateProfileDisplayName: Corp SCEP}\n"
            "defaults: {serverUrl: https://ndes.contoso.com/certsrv/mscep/mscep.dll}\n"
            "optional: [lastCertificateStateChangeDateTime, certificateKeyLength]\n"
        ),
        "current": "templates: {devicePlatform: iOS}\n",
    },
    {
        "certificateThumbprint": hexadecimal(51, 40).upper(),
        "certificateSerialNumber": hexadecimal(1, 38).upper(),
        "certificateExpirationDateTime": "2027-11-21T08:49:13Z",
        "certificateIssuer": "CN=Contoso Issuing CA, DC=contoso, DC=com",
        "certificateKeyUsage": "digitalSignature,keyEncipherment",
        "deviceDisplayName": "PHONE-0001",
        "userDisplayName": "erika1@contoso.com",
    },
)

MAC_1706 = (
    "templates: {devicePlatform: macOS, certificateIssuer: CN=Contoso Issuing CA}\n"
    "optional: [certificateKeyUsage, certificateProfileDisplayName, serverUrl, lastCertificateStateChangeDateTime,\n"
    "           certificateKeyLength, enhancedKeyUsage, userDisplayName]\n"
)
MAC_CURRENT = "templates: {devicePlatform: macOS, certificateIssuer: CN=Contoso Issuing CA}\n"

JAMF_ROWS = (
    f"MAC-{number:04},true,2027-11-2{number}T08:49:13Z,erika{number},ACTIVE,ISSUED,CN=MAC-{number:04},"
    f"{hexadecimal(number, 32).upper()},{hexadecimal(number + 50, 40).upper()},2025-11-2{number}T08:49:13Z"
    for number in NUMBERS
)
JAMF_CASE = PresetCase(
    "jamf",
    "jamf",
    "computers-inventory.csv",
    table(
        "commonName,identity,expirationDate,username,lifecycleStatus,certificateStatus,subjectName,serialNumber,"
        "sha1Fingerprint,issuedDate",
        *JAMF_ROWS,
    ).encode(),
    3,
    {"1706": MAC_1706, "current": MAC_CURRENT},
    {
        "certificateThumbprint": hexadecimal(51, 40).upper(),
        "certificateSerialNumber": hexadecimal(1, 32).upper(),
        "certificateExpirationDateTime": "2027-11-21T08:49:13Z",
        "deviceDisplayName": "MAC-0001",
        "userDisplayName": "erika1",
    },
)

JAMF_CLASSIC_ROWS = (
    f"MAC-{number:04},true,2027-11-21T08:49:13.000+0000,1826786953000,{hexadecimal(number + 50, 40).upper()},"
    f"{hexadecimal(number, 32).upper()}"
    for number in NUMBERS
)
JAMF_CLASSIC_CASE = PresetCase(
    "jamf, classic API with two columns added",
    "jamf",
    "computers.csv",
    table(
        "common_name,identity,expires_utc,expires_epoch,certificateThumbprint,certificateSerialNumber",
        *JAMF_CLASSIC_ROWS,
    ).encode(),
    3,
    {"1706": MAC_1706, "current": MAC_CURRENT},
    {
        "certificateThumbprint": hexadecimal(51, 40).upper(),
        "certificateExpirationDateTime": "2027-11-21T08:49:13Z",
        "deviceDisplayName": "MAC-0001",
    },
    is_proposed=False,
)

IVANTI_ROWS = (
    f"18000,Contoso Issuing CA,{hexadecimal(number + 50, 40)},{number},2027-11-2{number}T08:49:13Z,"
    f"2025-11-2{number}T08:49:13Z,{hexadecimal(number, 32)},MANUAL_REVOKE,PHONE-{number:04},CLIENT_AUTH"
    for number in NUMBERS
)
IVANTI_CASE = PresetCase(
    "ivanti",
    "ivanti",
    "getCertStatus.csv",
    table(
        "caID,caName,certHash,mdmChannelId,notAfter,notBefore,serialNumber,storeState,subject,usageType",
        *IVANTI_ROWS,
    ).encode(),
    3,
    {
        "1706": (
            'templates: {devicePlatform: iOS, certificateIssuer: "CN={caName}", deviceDisplayName: "{subject}"}\n'
            "optional: [certificateKeyUsage, certificateProfileDisplayName, serverUrl, certificateKeyLength,\n"
            "           lastCertificateStateChangeDateTime, enhancedKeyUsage, userDisplayName]\n"
        ),
        "current": (
            'templates: {devicePlatform: iOS, certificateIssuer: "CN={caName}", deviceDisplayName: "{subject}"}\n'
        ),
    },
    {
        "certificateThumbprint": hexadecimal(51, 40).upper(),
        "certificateSerialNumber": hexadecimal(1, 32).upper(),
        "certificateExpirationDateTime": "2027-11-21T08:49:13Z",
        "certificateIssuer": "CN=Contoso Issuing CA",
        "deviceDisplayName": "PHONE-0001",
    },
)

POWERSHELL_ROWS = (
    f'"Microsoft.PowerShell.Security\\Certificate::CurrentUser\\My\\{hexadecimal(number + 50, 40).upper()}";'
    '"Certificate";"System.Collections.Generic.List`1[Microsoft.PowerShell.Commands.EnhancedKeyUsageRepresentation]";'
    '"System.Collections.Generic.List`1[Microsoft.PowerShell.Commands.DnsNameRepresentation]";"";'
    '"System.Security.Cryptography.X509Certificates.X500DistinguishedName";'
    f'"2{number}.11.2027 08:49:13";"2{number}.11.2025 08:49:13";"System.Byte[]";"{hexadecimal(number, 38).upper()}";'
    f'"{hexadecimal(number + 50, 40).upper()}";"CN=Contoso Issuing CA, DC=contoso, DC=com";"CN=PC-{number:04}"'
    for number in NUMBERS
)
POWERSHELL_CASE = PresetCase(
    "powershell",
    "powershell",
    "certificates.csv",
    table(
        "#TYPE System.Security.Cryptography.X509Certificates.X509Certificate2",
        '"PSPath";"PSProvider";"EnhancedKeyUsageList";"DnsNameList";"FriendlyName";"IssuerName";"NotAfter";"NotBefore";'
        '"RawData";"SerialNumber";"Thumbprint";"Issuer";"Subject"',
        *POWERSHELL_ROWS,
    ).encode("cp1252"),
    3,
    {
        "1706": (
            "timezone: Europe/Berlin\n"
            "date_order: dmy\n"
            'templates: {devicePlatform: windows10AndLater, deviceDisplayName: "{Subject}"}\n'
            "optional: [certificateKeyUsage, certificateProfileDisplayName, serverUrl, certificateKeyLength,\n"
            "           lastCertificateStateChangeDateTime, enhancedKeyUsage, userDisplayName]\n"
        ),
        "current": (
            "timezone: Europe/Berlin\n"
            "date_order: dmy\n"
            'templates: {devicePlatform: windows10AndLater, deviceDisplayName: "{Subject}"}\n'
        ),
    },
    {
        "certificateThumbprint": hexadecimal(51, 40).upper(),
        "certificateSerialNumber": hexadecimal(1, 38).upper(),
        "certificateExpirationDateTime": "2027-11-21T08:49:13+01:00",
        "certificateIssuer": "CN=Contoso Issuing CA, DC=contoso, DC=com",
        "deviceDisplayName": "CN=PC-0001",
    },
)

CRTSH_ROWS = (
    f'{number},"C=US, O=Example Trust, CN=Example CA {number}",host{number}.example.com,host{number}.example.com,'
    f"{number + 100},2026-08-25T09:49:13.456,2026-08-25T08:49:13,2026-11-2{number}T08:49:13,{hexadecimal(number, 36)},2"
    for number in NUMBERS
)
CRTSH_CASE = PresetCase(
    "crtsh",
    "crtsh",
    "crtsh.csv",
    table(
        "issuer_ca_id,issuer_name,common_name,name_value,id,entry_timestamp,not_before,not_after,serial_number,"
        "result_count",
        *CRTSH_ROWS,
    ).encode(),
    3,
    {
        "1706": (
            "templates: {devicePlatform: windows10AndLater}\n"
            "optional: [certificateThumbprint, certificateKeyUsage, certificateProfileDisplayName, serverUrl,\n"
            "           certificateKeyLength, lastCertificateStateChangeDateTime, enhancedKeyUsage, userDisplayName]\n"
        ),
        "current": "templates: {devicePlatform: windows10AndLater}\noptional: [certificateThumbprint]\n",
    },
    {
        "certificateSerialNumber": hexadecimal(1, 36).upper(),
        "certificateExpirationDateTime": "2026-11-21T08:49:13Z",
        "certificateIssuer": "C=US, O=Example Trust, CN=Example CA 1",
        "deviceDisplayName": "host1.example.com",
    },
)

PRESET_CASES = (ADCS_CASE, INTUNE_CASE, JAMF_CASE, JAMF_CLASSIC_CASE, IVANTI_CASE, POWERSHELL_CASE, CRTSH_CASE)
