"""The editions' tables against Microsoft's pages: the seed of June 2017, and today's beta."""

import pytest

from pipeline.editions import (
    EDITION_1706,
    EDITION_CURRENT,
    EDITIONS,
    Edition,
    EnumType,
    PrimitiveType,
    ProfileType,
    Shape,
)

PLATFORMS_1706 = (
    "android",
    "androidForWork",
    "iOS",
    "macOS",
    "windowsPhone81",
    "windows81AndLater",
    "windows10AndLater",
)

# The six paths of the seed, with single slashes and none at the end, between `{id}/` and the collection.
CAST_BY_PLATFORM_1706 = {
    "iOS": "microsoft.graph.iosScepCertificateProfile",
    "macOS": "microsoft.graph.macOSScepCertificateProfile",
    "android": "microsoft.graph.androidScepCertificateProfile",
    "windows81AndLater": "microsoft.graph.windows81SCEPCertificateProfile",
    "windows10AndLater": "microsoft.graph.windows81SCEPCertificateProfile",
    "androidForWork": "identityCertificate/microsoft.graph.androidForWorkScepCertificateProfile",
    "windowsPhone81": (
        "microsoft.graph.windowsPhone81VpnConfiguration/identityCertificate/"
        "microsoft.graph.windowsPhone81SCEPCertificateProfile"
    ),
}

# As the page of 2024-08-01 lists them: 20 direct casts and 4 nested ones.
DIRECT_CASTS = (
    *("iosPkcs", "iosScep", "macOSPkcs", "macOSScep", "androidPkcs", "androidScep"),
    *("androidForWorkPkcs", "androidForWorkScep", "androidWorkProfilePkcs", "androidWorkProfileScep"),
    *("androidDeviceOwnerPkcs", "androidDeviceOwnerScep", "aospDeviceOwnerPkcs", "aospDeviceOwnerScep"),
    *("windowsPhone81SCEP", "iosImportedPFX", "macOSImportedPFX", "androidImportedPFX"),
    *("androidForWorkImportedPFX", "androidDeviceOwnerImportedPFX"),
)
NESTED_CASTS = ("windows10Pkcs", "windows81SCEP", "windows10ImportedPFX", "windowsPhone81ImportedPFX")
NESTED_IN = "microsoft.graph.windowsWifiEnterpriseEAPConfiguration/identityCertificateForClientAuthentication"
PRINTED_CASTS = {f"microsoft.graph.{name}CertificateProfile" for name in DIRECT_CASTS} | {
    f"{NESTED_IN}/microsoft.graph.{name}CertificateProfile" for name in NESTED_CASTS
}

# Members in the order of their numbers in the CSDL, then whether several may be joined.
ENUM_MEMBERS = {
    "certificateIssuanceStates": (
        (
            "unknown challengeIssued challengeIssueFailed requestCreationFailed requestSubmitFailed "
            "challengeValidationSucceeded challengeValidationFailed issueFailed issuePending issued "
            "responseProcessingFailed responsePending enrollmentSucceeded enrollmentNotNeeded revoked "
            "removedFromCollection renewVerified installFailed installed deleteFailed deleted renewalRequested "
            "requested"
        ),
        False,
    ),
    "certificateRevocationStatus": ("none pending issued failed revoked", False),
    "certificateValidityPeriodScale": ("days months years", False),
    "devicePlatformType": (
        (
            "android androidForWork iOS macOS windowsPhone81 windows81AndLater windows10AndLater androidWorkProfile "
            "unknown androidAOSP androidMobileApplicationManagement iOSMobileApplicationManagement "
            "windowsMobileApplicationManagement"
        ),
        False,
    ),
    "keyStorageProviderOption": (
        "useTpmKspOtherwiseUseSoftwareKsp useTpmKspOtherwiseFail usePassportForWorkKspOtherwiseFail useSoftwareKsp",
        False,
    ),
    "keyUsages": ("keyEncipherment digitalSignature", True),
    "subjectAlternativeNameType": (
        "none emailAddress userPrincipalName customAzureADAttribute domainNameService universalResourceIdentifier",
        True,
    ),
    "subjectNameFormat": (
        (
            "commonName commonNameIncludingEmail commonNameAsEmail custom commonNameAsIMEI commonNameAsSerialNumber "
            "commonNameAsAadDeviceId commonNameAsIntuneDeviceId commonNameAsDurableDeviceId"
        ),
        False,
    ),
}

TYPES_CURRENT = {
    "certificateEnhancedKeyUsage": "Edm.String",
    "certificateIssuer": "Edm.String",
    "certificateProfileDisplayName": "Edm.String",
    "certificateSerialNumber": "Edm.String",
    "certificateSubjectAlternativeNameFormatString": "Edm.String",
    "certificateSubjectNameFormatString": "Edm.String",
    "certificateThumbprint": "Edm.String",
    "deviceDisplayName": "Edm.String",
    "userDisplayName": "Edm.String",
    "certificateErrorCode": "Edm.Int32",
    "certificateKeyLength": "Edm.Int32",
    "certificateValidityPeriod": "Edm.Int32",
    "certificateExpirationDateTime": "Edm.DateTimeOffset",
    "certificateIssuanceDateTime": "Edm.DateTimeOffset",
    "certificateLastIssuanceStateChangedDateTime": "Edm.DateTimeOffset",
    "lastCertificateStateChangeDateTime": "Edm.DateTimeOffset",
    "certificateIssuanceState": "certificateIssuanceStates",
    "certificateKeyStorageProvider": "keyStorageProviderOption",
    "certificateKeyUsage": "keyUsages",
    "certificateRevokeStatus": "certificateRevocationStatus",
    "certificateSubjectAlternativeNameFormat": "subjectAlternativeNameType",
    "certificateSubjectNameFormat": "subjectNameFormat",
    "certificateValidityPeriodUnits": "certificateValidityPeriodScale",
    "devicePlatform": "devicePlatformType",
}

TYPES_1706 = [
    ("devicePlatform", "devicePlatformType"),
    ("certificateKeyUsage", "keyUsages"),
    ("certificateProfileDisplayName", "Edm.String"),
    ("deviceDisplayName", "Edm.String"),
    ("userDisplayName", "Edm.String"),
    ("serverUrl", "Edm.String"),
    ("certificateExpirationDateTime", "Edm.DateTimeOffset"),
    ("lastCertificateStateChangeDateTime", "Edm.DateTimeOffset"),
    ("certificateIssuer", "Edm.String"),
    ("certificateThumbprint", "Edm.String"),
    ("certificateSerialNumber", "Edm.String"),
    ("certificateKeyLength", "Edm.Int32"),
    ("enhancedKeyUsage", "Edm.String"),
]


def type_names(edition: Edition) -> list[tuple[str, str]]:
    """Return each property with the name of its OData type, in the edition's order."""
    return [
        (each.name, each.type.name if isinstance(each.type, EnumType) else each.type.value)
        for each in edition.properties
    ]


def platforms(edition: Edition) -> tuple[str, ...]:
    (enum_type,) = (each.type for each in edition.properties if each.name == "devicePlatform")
    assert isinstance(enum_type, EnumType)
    return enum_type.members


def test_two_editions_by_name() -> None:
    """The editions are found under the names that config.yaml uses."""
    assert EDITIONS == {"1706": EDITION_1706, "current": EDITION_CURRENT}


def test_1706_has_the_properties_of_the_seed_in_its_order() -> None:
    """Edition 1706 has the seed's 13 properties beside id, with their types, in the order of its table."""
    assert type_names(EDITION_1706) == TYPES_1706


def test_1706_has_the_enum_members_of_the_seed() -> None:
    """The enumerations of edition 1706 have the members that the seed's table names."""
    members = {each.name: each.type.members for each in EDITION_1706.properties if isinstance(each.type, EnumType)}

    assert members == {
        "devicePlatform": PLATFORMS_1706,
        "certificateKeyUsage": ("keyEncipherment", "digitalSignature"),
    }


def test_1706_requires_everything_but_the_id() -> None:
    """Edition 1706 requires all properties of the document's table."""
    assert frozenset(name for name, _ in TYPES_1706) == EDITION_1706.required


def test_1706_leads_seven_platforms_to_six_casts() -> None:
    """Each of the seven platforms has exactly one route, and both Windows platforms share one of the six casts."""
    casts = {each.platform: each.cast for each in EDITION_1706.routes}

    assert casts == CAST_BY_PLATFORM_1706
    assert len(EDITION_1706.routes) == 7
    assert tuple(sorted(casts)) == tuple(sorted(platforms(EDITION_1706)))
    assert len(set(casts.values())) == 6


def test_1706_has_scep_only() -> None:
    """Edition 1706 knows no profile type but scep."""
    assert EDITION_1706.profile_types == (ProfileType.SCEP,)


def test_current_has_24_properties_with_their_odata_types() -> None:
    """Edition current has the 24 properties of the CSDL beside id, each once and with its type."""
    found = type_names(EDITION_CURRENT)

    assert dict(found) == TYPES_CURRENT
    assert len(found) == 24


def test_current_has_every_enum_member_of_the_model() -> None:
    """The eight enumerations have the members of the CSDL in its order; only the sentinel is left out."""
    enum_types = {each.type for each in EDITION_CURRENT.properties if isinstance(each.type, EnumType)}

    assert {each.name: (" ".join(each.members), each.is_flags) for each in enum_types} == ENUM_MEMBERS


def test_current_requires_the_identity_core() -> None:
    """Edition current requires what identifies a certificate on a device."""
    assert (
        frozenset(
            {
                "devicePlatform",
                "deviceDisplayName",
                "certificateThumbprint",
                "certificateSerialNumber",
                "certificateIssuer",
                "certificateExpirationDateTime",
            }
        )
        == EDITION_CURRENT.required
    )


def test_current_covers_the_printed_casts_and_the_direct_windows_one() -> None:
    """The routes lead to exactly the 24 printed casts and the direct windows81SCEP cast of the model."""
    direct_windows = {"microsoft.graph.windows81SCEPCertificateProfile"}

    assert len(PRINTED_CASTS) == 24
    assert {each.cast for each in EDITION_CURRENT.routes} == PRINTED_CASTS | direct_windows


def test_current_gives_every_profile_type_a_route() -> None:
    """No profile type is there without a route."""
    assert EDITION_CURRENT.profile_types == tuple(ProfileType)


def test_current_leaves_four_platforms_without_a_route() -> None:
    """Only the platforms that have no certificate profile of their own have no route."""
    routed = {each.platform for each in EDITION_CURRENT.routes}

    assert [each for each in platforms(EDITION_CURRENT) if each not in routed] == [
        "unknown",
        "androidMobileApplicationManagement",
        "iOSMobileApplicationManagement",
        "windowsMobileApplicationManagement",
    ]


@pytest.mark.parametrize("platform", ["windows81AndLater", "windows10AndLater"])
def test_current_sends_windows_scep_to_the_direct_cast(platform: str) -> None:
    """There is no windows10 SCEP type: both Windows platforms use windows81SCEPCertificateProfile directly."""
    casts = [
        each.cast
        for each in EDITION_CURRENT.routes
        if (each.platform, each.profile_type) == (platform, ProfileType.SCEP)
    ]

    assert casts == ["microsoft.graph.windows81SCEPCertificateProfile"]


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_no_route_is_in_doubt(edition: Edition) -> None:
    """A platform and a profile type lead to one cast, the platform is a member, and the cast is a clean path."""
    places = [(each.platform, each.profile_type) for each in edition.routes]

    assert len(places) == len(set(places))
    assert {platform for platform, _ in places} <= set(platforms(edition))
    assert [each.cast for each in edition.routes if "//" in each.cast or each.cast.strip("/") != each.cast] == []


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_shapes_stand_at_their_types(edition: Edition) -> None:
    """Texts that PKI knowledge looks at are strings, and the key length is a number."""
    shapes = {each.name: (each.shape, each.type) for each in edition.properties if each.shape is not Shape.FREE}
    url = {"serverUrl": (Shape.URL, PrimitiveType.STRING)} if edition is EDITION_1706 else {}

    assert shapes == url | {
        "certificateThumbprint": (Shape.THUMBPRINT, PrimitiveType.STRING),
        "certificateSerialNumber": (Shape.SERIAL_NUMBER, PrimitiveType.STRING),
        "certificateKeyLength": (Shape.KEY_LENGTH, PrimitiveType.INT32),
    }


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
def test_no_two_members_differ_in_letter_case_only(edition: Edition) -> None:
    """Reading a member in any letter case is never ambiguous."""
    for each in edition.properties:
        members = each.type.members if isinstance(each.type, EnumType) else ()

        assert len({member.casefold() for member in members}) == len(members)
