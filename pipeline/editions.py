"""The API's two editions as tables: properties with their OData types, enum members, routes. No I/O.

`1706` is Microsoft's page of June 2017 (14 properties, 6 SCEP routes). `current` is today's beta (id and 24
properties; CSDL and docs page of 2024-08-01). A new route is one row in a table.
"""

from dataclasses import dataclass
from enum import StrEnum

ENTITY_TYPE = "#microsoft.graph.managedDeviceCertificateState"
"""The `@odata.type` that begins every body."""

COLLECTION = "managedDeviceCertificateStates"
"""The navigation property that every route ends with."""


class PrimitiveType(StrEnum):
    """The primitive OData types that the entity uses."""

    STRING = "Edm.String"
    INT32 = "Edm.Int32"
    DATETIMEOFFSET = "Edm.DateTimeOffset"


@dataclass(frozen=True, slots=True)
class EnumType:
    """An OData enumeration. Member names are case-sensitive on the wire."""

    name: str
    members: tuple[str, ...]
    is_flags: bool = False  # several members, joined by a comma without a blank, in one JSON string


class Shape(StrEnum):
    """What PKI knowledge expects of a text beyond the API's contract; only an absolute URL is an error."""

    FREE = "free"
    URL = "url"
    THUMBPRINT = "thumbprint"
    SERIAL_NUMBER = "serial-number"
    KEY_LENGTH = "key-length"


@dataclass(frozen=True, slots=True)
class Property:
    """One property of the entity, and so one column of the input."""

    name: str
    type: PrimitiveType | EnumType
    shape: Shape = Shape.FREE


class ProfileType(StrEnum):
    """Which of a platform's certificate profiles a row belongs to.

    The `wifi-` ones are the certificate inside a Windows Wi-Fi configuration: their deviceConfigurationId is the
    Wi-Fi configuration's. The `device-owner-` ones are corporate-owned Android Enterprise devices, for which
    devicePlatform has no member of its own.
    """

    SCEP = "scep"
    PKCS = "pkcs"
    IMPORTED_PFX = "imported-pfx"
    DEVICE_OWNER_SCEP = "device-owner-scep"
    DEVICE_OWNER_PKCS = "device-owner-pkcs"
    DEVICE_OWNER_IMPORTED_PFX = "device-owner-imported-pfx"
    WIFI_SCEP = "wifi-scep"
    WIFI_PKCS = "wifi-pkcs"
    WIFI_IMPORTED_PFX = "wifi-imported-pfx"


@dataclass(frozen=True, slots=True)
class Route:
    """Platform and profile type -> the path between `deviceConfigurations/{id}/` and the collection."""

    platform: str
    profile_type: ProfileType
    cast: str


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of the API. `properties` leaves out `id`, which the server assigns."""

    name: str
    properties: tuple[Property, ...]
    required: frozenset[str]
    routes: tuple[Route, ...]

    @property
    def profile_types(self) -> tuple[ProfileType, ...]:
        """The profile types that some route of this edition has, in the enum's order."""
        used = {route.profile_type for route in self.routes}
        return tuple(each for each in ProfileType if each in used)


STRING = PrimitiveType.STRING
INT32 = PrimitiveType.INT32
DATETIMEOFFSET = PrimitiveType.DATETIMEOFFSET

KEY_USAGES = EnumType("keyUsages", ("keyEncipherment", "digitalSignature"), is_flags=True)

DEVICE_PLATFORM_1706 = EnumType(
    "devicePlatformType",
    ("android", "androidForWork", "iOS", "macOS", "windowsPhone81", "windows81AndLater", "windows10AndLater"),
)

PROPERTIES_1706 = (
    Property("devicePlatform", DEVICE_PLATFORM_1706),
    Property("certificateKeyUsage", KEY_USAGES),
    Property("certificateProfileDisplayName", STRING),
    Property("deviceDisplayName", STRING),
    Property("userDisplayName", STRING),
    Property("serverUrl", STRING, Shape.URL),
    Property("certificateExpirationDateTime", DATETIMEOFFSET),
    Property("lastCertificateStateChangeDateTime", DATETIMEOFFSET),
    Property("certificateIssuer", STRING),
    Property("certificateThumbprint", STRING, Shape.THUMBPRINT),
    Property("certificateSerialNumber", STRING, Shape.SERIAL_NUMBER),
    Property("certificateKeyLength", INT32, Shape.KEY_LENGTH),
    Property("enhancedKeyUsage", STRING),
)

WINDOWS_SCEP = "microsoft.graph.windows81SCEPCertificateProfile"

# The 2017 page prints a double slash before two of the casts and a slash at the end; Microsoft corrected both as
# typing errors on 2017-08-21 (microsoft-graph-docs a60e465b13). There is no windows10 SCEP type: Intune uses
# windows81SCEPCertificateProfile for Windows 10 and later (Microsoft365DSC filters by that type).
ROUTES_1706 = (
    Route("iOS", ProfileType.SCEP, "microsoft.graph.iosScepCertificateProfile"),
    Route("macOS", ProfileType.SCEP, "microsoft.graph.macOSScepCertificateProfile"),
    Route("android", ProfileType.SCEP, "microsoft.graph.androidScepCertificateProfile"),
    Route("windows81AndLater", ProfileType.SCEP, WINDOWS_SCEP),
    Route("windows10AndLater", ProfileType.SCEP, WINDOWS_SCEP),
    Route(
        "androidForWork",
        ProfileType.SCEP,
        "identityCertificate/microsoft.graph.androidForWorkScepCertificateProfile",
    ),
    Route(
        "windowsPhone81",
        ProfileType.SCEP,
        "microsoft.graph.windowsPhone81VpnConfiguration/identityCertificate/"
        "microsoft.graph.windowsPhone81SCEPCertificateProfile",
    ),
)

# `unknownFutureValue` is OData's sentinel for "a member you do not know yet": it is never sent, so it is not here.
DEVICE_PLATFORM_CURRENT = EnumType(
    "devicePlatformType",
    (
        *DEVICE_PLATFORM_1706.members,
        "androidWorkProfile",
        "unknown",
        "androidAOSP",
        "androidMobileApplicationManagement",
        "iOSMobileApplicationManagement",
        "windowsMobileApplicationManagement",
    ),
)

KEY_STORAGE_PROVIDERS = EnumType(
    "keyStorageProviderOption",
    (
        "useTpmKspOtherwiseUseSoftwareKsp",
        "useTpmKspOtherwiseFail",
        "usePassportForWorkKspOtherwiseFail",
        "useSoftwareKsp",
    ),
)

SUBJECT_NAME_FORMATS = EnumType(
    "subjectNameFormat",
    (
        "commonName",
        "commonNameIncludingEmail",
        "commonNameAsEmail",
        "custom",
        "commonNameAsIMEI",
        "commonNameAsSerialNumber",
        "commonNameAsAadDeviceId",
        "commonNameAsIntuneDeviceId",
        "commonNameAsDurableDeviceId",
    ),
)

SUBJECT_ALTERNATIVE_NAME_TYPES = EnumType(
    "subjectAlternativeNameType",
    (
        "none",
        "emailAddress",
        "userPrincipalName",
        "customAzureADAttribute",
        "domainNameService",
        "universalResourceIdentifier",
    ),
    is_flags=True,
)

ISSUANCE_STATES = EnumType(
    "certificateIssuanceStates",
    (
        "unknown",
        "challengeIssued",
        "challengeIssueFailed",
        "requestCreationFailed",
        "requestSubmitFailed",
        "challengeValidationSucceeded",
        "challengeValidationFailed",
        "issueFailed",
        "issuePending",
        "issued",
        "responseProcessingFailed",
        "responsePending",
        "enrollmentSucceeded",
        "enrollmentNotNeeded",
        "revoked",
        "removedFromCollection",
        "renewVerified",
        "installFailed",
        "installed",
        "deleteFailed",
        "deleted",
        "renewalRequested",
        "requested",
    ),
)

REVOCATION_STATUSES = EnumType("certificateRevocationStatus", ("none", "pending", "issued", "failed", "revoked"))

VALIDITY_PERIOD_SCALES = EnumType("certificateValidityPeriodScale", ("days", "months", "years"))

PROPERTIES_CURRENT = (
    Property("devicePlatform", DEVICE_PLATFORM_CURRENT),
    Property("certificateKeyUsage", KEY_USAGES),
    Property("certificateValidityPeriodUnits", VALIDITY_PERIOD_SCALES),
    Property("certificateIssuanceState", ISSUANCE_STATES),
    Property("certificateKeyStorageProvider", KEY_STORAGE_PROVIDERS),
    Property("certificateSubjectNameFormat", SUBJECT_NAME_FORMATS),
    Property("certificateSubjectAlternativeNameFormat", SUBJECT_ALTERNATIVE_NAME_TYPES),
    Property("certificateRevokeStatus", REVOCATION_STATUSES),
    Property("certificateProfileDisplayName", STRING),
    Property("deviceDisplayName", STRING),
    Property("userDisplayName", STRING),
    Property("certificateExpirationDateTime", DATETIMEOFFSET),
    Property("certificateLastIssuanceStateChangedDateTime", DATETIMEOFFSET),
    Property("lastCertificateStateChangeDateTime", DATETIMEOFFSET),
    Property("certificateIssuer", STRING),
    Property("certificateThumbprint", STRING, Shape.THUMBPRINT),
    Property("certificateSerialNumber", STRING, Shape.SERIAL_NUMBER),
    Property("certificateKeyLength", INT32, Shape.KEY_LENGTH),
    Property("certificateEnhancedKeyUsage", STRING),
    Property("certificateValidityPeriod", INT32),
    Property("certificateSubjectNameFormatString", STRING),
    Property("certificateSubjectAlternativeNameFormatString", STRING),
    Property("certificateIssuanceDateTime", DATETIMEOFFSET),
    Property("certificateErrorCode", INT32),
)

WIFI_CERTIFICATE = "microsoft.graph.windowsWifiEnterpriseEAPConfiguration/identityCertificateForClientAuthentication"

# The 24 routes of the page of 2024-08-01, and the direct cast to windows81SCEPCertificateProfile: no longer
# printed, but the type still declares the navigation property. Which devicePlatform Intune writes for a
# corporate-owned Android device is not documented, so the three Android platforms lead to those routes.
ROUTES_CURRENT = (
    Route("iOS", ProfileType.SCEP, "microsoft.graph.iosScepCertificateProfile"),
    Route("iOS", ProfileType.PKCS, "microsoft.graph.iosPkcsCertificateProfile"),
    Route("iOS", ProfileType.IMPORTED_PFX, "microsoft.graph.iosImportedPFXCertificateProfile"),
    Route("macOS", ProfileType.SCEP, "microsoft.graph.macOSScepCertificateProfile"),
    Route("macOS", ProfileType.PKCS, "microsoft.graph.macOSPkcsCertificateProfile"),
    Route("macOS", ProfileType.IMPORTED_PFX, "microsoft.graph.macOSImportedPFXCertificateProfile"),
    Route("android", ProfileType.SCEP, "microsoft.graph.androidScepCertificateProfile"),
    Route("android", ProfileType.PKCS, "microsoft.graph.androidPkcsCertificateProfile"),
    Route("android", ProfileType.IMPORTED_PFX, "microsoft.graph.androidImportedPFXCertificateProfile"),
    Route("androidForWork", ProfileType.SCEP, "microsoft.graph.androidForWorkScepCertificateProfile"),
    Route("androidForWork", ProfileType.PKCS, "microsoft.graph.androidForWorkPkcsCertificateProfile"),
    Route(
        "androidForWork",
        ProfileType.IMPORTED_PFX,
        "microsoft.graph.androidForWorkImportedPFXCertificateProfile",
    ),
    Route("androidWorkProfile", ProfileType.SCEP, "microsoft.graph.androidWorkProfileScepCertificateProfile"),
    Route("androidWorkProfile", ProfileType.PKCS, "microsoft.graph.androidWorkProfilePkcsCertificateProfile"),
    *(
        Route(platform, profile_type, f"microsoft.graph.androidDeviceOwner{kind}CertificateProfile")
        for platform in ("android", "androidForWork", "androidWorkProfile")
        for profile_type, kind in (
            (ProfileType.DEVICE_OWNER_SCEP, "Scep"),
            (ProfileType.DEVICE_OWNER_PKCS, "Pkcs"),
            (ProfileType.DEVICE_OWNER_IMPORTED_PFX, "ImportedPFX"),
        )
    ),
    Route("androidAOSP", ProfileType.SCEP, "microsoft.graph.aospDeviceOwnerScepCertificateProfile"),
    Route("androidAOSP", ProfileType.PKCS, "microsoft.graph.aospDeviceOwnerPkcsCertificateProfile"),
    Route("windowsPhone81", ProfileType.SCEP, "microsoft.graph.windowsPhone81SCEPCertificateProfile"),
    Route(
        "windowsPhone81",
        ProfileType.WIFI_IMPORTED_PFX,
        f"{WIFI_CERTIFICATE}/microsoft.graph.windowsPhone81ImportedPFXCertificateProfile",
    ),
    Route("windows81AndLater", ProfileType.SCEP, WINDOWS_SCEP),
    Route("windows81AndLater", ProfileType.WIFI_SCEP, f"{WIFI_CERTIFICATE}/{WINDOWS_SCEP}"),
    Route("windows10AndLater", ProfileType.SCEP, WINDOWS_SCEP),
    Route("windows10AndLater", ProfileType.WIFI_SCEP, f"{WIFI_CERTIFICATE}/{WINDOWS_SCEP}"),
    Route(
        "windows10AndLater",
        ProfileType.WIFI_PKCS,
        f"{WIFI_CERTIFICATE}/microsoft.graph.windows10PkcsCertificateProfile",
    ),
    Route(
        "windows10AndLater",
        ProfileType.WIFI_IMPORTED_PFX,
        f"{WIFI_CERTIFICATE}/microsoft.graph.windows10ImportedPFXCertificateProfile",
    ),
)

EDITION_1706 = Edition("1706", PROPERTIES_1706, frozenset(each.name for each in PROPERTIES_1706), ROUTES_1706)

EDITION_CURRENT = Edition(
    "current",
    PROPERTIES_CURRENT,
    # The docs call every property required; that sentence is generated for all Intune entities. This is the
    # core without which a certificate on a device is not identified.
    frozenset(
        {
            "devicePlatform",
            "deviceDisplayName",
            "certificateThumbprint",
            "certificateSerialNumber",
            "certificateIssuer",
            "certificateExpirationDateTime",
        }
    ),
    ROUTES_CURRENT,
)

EDITIONS: dict[str, Edition] = {each.name: each for each in (EDITION_1706, EDITION_CURRENT)}
