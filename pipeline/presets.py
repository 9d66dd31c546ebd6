"""The shipped presets: which headers of a known export stand for which property. No I/O.

A preset holds what is published about its source, and nothing else. Where the source does not say a thing for certain
(a time zone, a state with several meanings), the preset is silent and config.yaml has to say it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.declared import DateNumber, SerialForm
from pipeline.editions import Edition
from pipeline.identity import fold_header, without_marks
from pipeline.model import IMPORT_PREFIX

PROPOSED_SHARE = 0.6
"""So many of a preset's columns a header must have before the preset is proposed: exports are often cut to a choice."""

MOST_FOREIGN_HEADERS = 2
"""So many headers that its source does not know may stand beside the others: a column that somebody has added."""

SURE_HEADERS = 5
"""With so many headers of its own a source is certain: a full export has columns that nobody has written down."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What is known of the files of one source."""

    name: str  # as `--preset` takes it
    title: str  # one line for help and documentation
    columns: tuple[tuple[str, tuple[str, ...]], ...]  # (property of some edition, headers); a file has one of these
    ignored: tuple[str, ...] = ()  # further headers of the source, which are not sent and need no warning
    empty_words: tuple[str, ...] = ()  # whole cells that mean an empty one
    values: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()  # (property, ((text in the file, value), ...))
    timezone: str | None = None  # IANA zone of its dates without an offset; None where config.yaml must declare it
    date_number: DateNumber | None = None  # what a bare number in a date column counts
    serial: SerialForm | None = None  # what its serial numbers are written in

    def columns_for(self, edition: Edition) -> Mapping[str, tuple[str, ...]]:
        """Return the headers by property, for the properties that the edition has."""
        names = {each.name for each in edition.properties}
        return {name: headers for name, headers in self.columns if name in names}

    @property
    def headers(self) -> tuple[str, ...]:
        """All headers that the source is known to have."""
        return (*dict.fromkeys(header for _, headers in self.columns for header in headers), *self.ignored)

    def needs_for(self, edition: Edition) -> tuple[str, ...]:
        """Return the edition's required properties that the source never has, in the edition's order."""
        kept = self.columns_for(edition)
        return tuple(each.name for each in edition.properties if each.name in edition.required - kept.keys())


class KnownHeaders(NamedTuple):
    """What the headers of a file are known to be."""

    aliases: Mapping[str, tuple[str, ...]]  # property -> headers that stand for it beside its own name
    ignored: frozenset[str]  # folded headers of the preset's source that stand for nothing


def known_headers(
    preset: Preset | None, edition: Edition, columns: Mapping[str, Sequence[str]], made: Collection[str] = ()
) -> KnownHeaders:
    """Return what config.yaml's `columns:` and the preset say together.

    config.yaml comes first: for a property that it names, or that is in `made` because a template makes it, the
    preset's own columns are left out, and a header that it gives to one property is no other's.
    """
    aliases = {name: tuple(headers) for name, headers in columns.items()}
    if preset is None:
        return KnownHeaders(aliases, frozenset())
    taken = {fold_header(header) for headers in aliases.values() for header in headers}
    for name, headers in preset.columns_for(edition).items():
        if name not in aliases and name not in made:
            aliases[name] = tuple(header for header in headers if fold_header(header) not in taken)
    used = {fold_header(header) for headers in aliases.values() for header in headers}
    return KnownHeaders(aliases, frozenset(fold_header(header) for header in preset.headers) - used)


class Declarations(NamedTuple):
    """What is declared of values that do not say it themselves."""

    timezone: str | None  # IANA name
    date_number: DateNumber | None
    serial: SerialForm | None


def declarations(
    preset: Preset | None, *, timezone: str | None, date_number: DateNumber | None, serial: SerialForm | None
) -> Declarations:
    """Return what config.yaml declares, and where it is silent what the preset says."""
    if preset is None:
        return Declarations(timezone, date_number, serial)
    return Declarations(timezone or preset.timezone, date_number or preset.date_number, serial or preset.serial)


def propose_preset(header: Sequence[str], is_common: Callable[[str], bool]) -> Preset | None:
    """Return the preset that the header fits, or None when none fits or two fit equally well.

    A preset says more than columns, such as what serial numbers are written in, so a header that a person could have
    written fits none. Only the source's own spelling counts, blanks around it aside. A preset fits when the header has
    at least PROPOSED_SHARE of its columns, at least one header that only its source has, and at most
    MOST_FOREIGN_HEADERS that the source is not known for, or SURE_HEADERS that only it has. `is_common` tells the words
    that inventories use anyway. The larger share is the better fit, then the larger number of known headers.
    """
    cells = {text for cell in header if (text := without_marks(cell).strip())}
    fits = sorted(((_fit(preset, cells, is_common), preset.name) for preset in PRESETS.values()), reverse=True)
    (best, name), (second, _) = fits[:2]
    return PRESETS[name] if best[0] >= PROPOSED_SHARE and best > second else None


def _fit(preset: Preset, cells: set[str], is_common: Callable[[str], bool]) -> tuple[float, int]:
    known = cells & set(preset.headers)
    foreign = [cell for cell in cells - known if not cell.casefold().startswith(IMPORT_PREFIX)]
    elsewhere = {each for other in PRESETS.values() if other is not preset for each in _folded_headers(other)}
    own = {
        each for each in known if fold_header(each) not in elsewhere and (each in preset.ignored or not is_common(each))
    }
    if not own or (len(foreign) > MOST_FOREIGN_HEADERS and len(own) < SURE_HEADERS):
        return 0.0, 0
    columns = {headers for _, headers in preset.columns}
    return sum(not cells.isdisjoint(headers) for headers in columns) / len(columns), len(known)


def _folded_headers(preset: Preset) -> set[str]:
    return {fold_header(header) for header in preset.headers}


def _enhanced_key_usage(header: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the column under the names that the two editions have for the property."""
    return (("enhancedKeyUsage", (header,)), ("certificateEnhancedKeyUsage", (header,)))


# Headers are the schema's display names as `certutil -view` prints them on an English Windows; a localised one prints
# others. The view has no issuer: a CA lists its own certificates, so the issuer is one text for the file, for
# `templates:`. Cells without a value read EMPTY. Dates are the CA's local time in its culture, without a zone.
ADCS = Preset(
    name="adcs",
    title="AD CS, the CA's database: certutil -view ... csv",
    columns=(
        ("certificateThumbprint", ("Certificate Hash",)),
        ("certificateSerialNumber", ("Serial Number",)),
        ("certificateExpirationDateTime", ("Certificate Expiration Date",)),
        ("certificateIssuanceDateTime", ("Certificate Effective Date",)),
        ("certificateKeyLength", ("Public Key Length",)),
        ("certificateProfileDisplayName", ("Certificate Template",)),
        # Who asked for the certificate; through NDES that is its service account.
        ("userDisplayName", ("Requester Name",)),
        # The subject's common name, which is the device's name in a certificate that was issued to a device.
        ("deviceDisplayName", ("Issued Common Name",)),
    ),
    ignored=(
        "Request ID",
        "Issued Subject Key Identifier",
        "Public Key Algorithm",
        "Issued Distinguished Name",
        "Issued Email Address",
        "Issued Organization",
        "Issued Organization Unit",
        "Issued Country/Region",
        "User Principal Name",
        # Issued and Revoked are no certain members of the API's states: installed certificates are issued too.
        "Request Disposition",
        "Revocation Date",
        "Revocation Reason",
    ),
    empty_words=("EMPTY",),
    serial=SerialForm.HEX,
)

# Microsoft's list of reports for exportJobs names the columns; its ids mean something in the tenant that was exported
# only, so PolicyId is no deviceConfigurationId of the tenant that is written to.
INTUNE_REPORT = Preset(
    name="intune-report",
    title="Intune report exports: AllDeviceCertificates, CertificatesByRAPolicy",
    columns=(
        ("certificateThumbprint", ("Thumbprint",)),
        ("certificateSerialNumber", ("SerialNumber",)),
        ("certificateIssuer", ("IssuerName",)),
        ("certificateExpirationDateTime", ("ValidTo",)),
        ("certificateIssuanceDateTime", ("ValidFrom",)),
        ("certificateKeyUsage", ("KeyUsage",)),
        *_enhanced_key_usage("EnhancedKeyUsage"),
        ("deviceDisplayName", ("DeviceName",)),
        # The report has no display name of the user.
        ("userDisplayName", ("UPN",)),
    ),
    # Active and Expired are no members of certificateIssuanceStates.
    ignored=("CaConfiguration", "CertificateStatus", "DeviceId", "PolicyId", "SubjectName", "UserId"),
)

# The names are those of the API's objects: camel case in computers-inventory, with underscores in the classic API;
# clients that write CSV keep them. The classic one has neither thumbprint nor serial number, so its rows need these
# from elsewhere. expires_utc and expires_epoch are one date, of which only the number is told for certain.
JAMF = Preset(
    name="jamf",
    title="Jamf Pro API: certificates of computers-inventory, or of the classic API",
    columns=(
        ("certificateThumbprint", ("sha1Fingerprint",)),
        ("certificateSerialNumber", ("serialNumber",)),
        ("certificateExpirationDateTime", ("expirationDate", "expires_epoch")),
        ("certificateIssuanceDateTime", ("issuedDate",)),
        # The common name of the subject, the device's name where the certificate was issued to the device.
        ("deviceDisplayName", ("commonName", "common_name")),
        ("userDisplayName", ("username",)),
    ),
    ignored=("identity", "name", "lifecycleStatus", "certificateStatus", "subjectName", "expires_utc"),
    date_number=DateNumber.EPOCH_MILLISECONDS,
)

# Ivanti documents the header of this one export. caName is the authority's name in Ivanti's console, no issuer, and
# no column names the device; `templates:` can make both from what the administrator knows to be in there.
IVANTI = Preset(
    name="ivanti",
    title="Ivanti Neurons for MDM API: getCertStatus as CSV",
    columns=(
        ("certificateThumbprint", ("certHash",)),
        ("certificateSerialNumber", ("serialNumber",)),
        ("certificateExpirationDateTime", ("notAfter",)),
        ("certificateIssuanceDateTime", ("notBefore",)),
    ),
    ignored=("caID", "caName", "mdmChannelId", "storeState", "subject", "usageType"),
)

# The properties of X509Certificate2 with those that the certificate provider adds. Export-Csv writes a collection as
# the name of its .NET type, so the key usages and the names in a certificate are not in the file. Dates are local
# time in the culture of the user who ran it, without a zone.
POWERSHELL = Preset(
    name="powershell",
    title="PowerShell: Get-ChildItem Cert:\\... | Export-Csv",
    columns=(
        ("certificateThumbprint", ("Thumbprint",)),
        ("certificateSerialNumber", ("SerialNumber",)),
        ("certificateIssuer", ("Issuer",)),
        ("certificateExpirationDateTime", ("NotAfter",)),
        ("certificateIssuanceDateTime", ("NotBefore",)),
    ),
    ignored=(
        *("PSPath", "PSParentPath", "PSChildName", "PSDrive", "PSProvider", "PSIsContainer"),
        *("EnhancedKeyUsageList", "DnsNameList", "SendAsTrustedIssuer"),
        *("EnrollmentPolicyEndPoint", "EnrollmentServerEndPoint", "PolicyId"),
        *("Archived", "Extensions", "FriendlyName", "IssuerName", "HasPrivateKey", "PrivateKey", "PublicKey"),
        *("RawData", "SubjectName", "SignatureAlgorithm", "Version", "Handle", "Subject"),
    ),
    empty_words=(
        "System.Byte[]",
        "System.Collections.Generic.List`1[Microsoft.PowerShell.Commands.EnhancedKeyUsageRepresentation]",
        "System.Collections.Generic.List`1[Microsoft.PowerShell.Commands.DnsNameRepresentation]",
    ),
    serial=SerialForm.HEX,
)

# The keys of crt.sh's JSON. Its dates are UTC and do not say so. The log has no thumbprint.
CRTSH = Preset(
    name="crtsh",
    title="crt.sh: its JSON as a table",
    columns=(
        ("certificateSerialNumber", ("serial_number",)),
        ("certificateIssuer", ("issuer_name",)),
        ("certificateExpirationDateTime", ("not_after",)),
        ("certificateIssuanceDateTime", ("not_before",)),
        # The host that the certificate names.
        ("deviceDisplayName", ("common_name",)),
    ),
    ignored=("issuer_ca_id", "name_value", "id", "entry_timestamp", "result_count"),
    timezone="UTC",
    serial=SerialForm.HEX,
)

PRESETS: Mapping[str, Preset] = {each.name: each for each in (ADCS, INTUNE_REPORT, JAMF, IVANTI, POWERSHELL, CRTSH)}
"""The presets by their names, in the order in which help lists them."""
