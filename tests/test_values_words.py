"""Words for members of enumerations, platforms, key usages and extended key usages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values_cases import ADVERSARIAL, changed, is_chained, refused

from pipeline.certificates import EKU_NAMES
from pipeline.editions import EDITIONS, KEY_USAGES, EnumType
from pipeline.findings import Code
from pipeline.values.steps import Reading, Step
from pipeline.values.words import (
    AMBIGUOUS_PLATFORMS,
    KEY_USAGE_WORDS,
    SYNONYMS_OF_PLATFORMS,
    fold,
    read_enhanced_key_usage,
    read_key_usage,
    read_member,
    read_members,
    read_platform,
)


def enum_of(edition: str, name: str) -> EnumType:
    (found,) = (each.type for each in EDITIONS[edition].properties if each.name == name)
    assert isinstance(found, EnumType)
    return found


PLATFORMS_1706 = enum_of("1706", "devicePlatform")
PLATFORMS = enum_of("current", "devicePlatform")
ISSUANCE = enum_of("current", "certificateIssuanceState")
ALTERNATIVE_NAMES = enum_of("current", "certificateSubjectAlternativeNameFormat")
ENUMS = {
    f"{edition.name}-{each.name}": each.type
    for edition in EDITIONS.values()
    for each in edition.properties
    if isinstance(each.type, EnumType)
}


# --- members


@pytest.mark.parametrize("enum_type", ENUMS.values(), ids=ENUMS)
def test_a_member_in_another_letter_case_gets_the_apis_spelling(enum_type: EnumType) -> None:
    """A member passes untouched; in another letter case it gets the API's."""
    for member in enum_type.members:
        assert read_member(member, enum_type) == Reading(member)
        assert read_member(member.swapcase(), enum_type) == changed(Code.LETTER_CASE, member.swapcase(), member)


@pytest.mark.parametrize("blanks", ["  {}", "{} ", "\u00a0{}\u00a0", "\t{}\n", "\u2003{}\u3000"])
def test_blanks_around_a_member_are_left_out(blanks: str) -> None:
    """Blanks go first, then the letter case is changed."""
    text = blanks.format("issuED")

    assert read_member(text, ISSUANCE) == Reading(
        "issued", (Step(Code.SURROUNDING_SPACE, text, "issuED"), Step(Code.LETTER_CASE, "issuED", "issued"))
    )


@pytest.mark.parametrize("text", ["", " Active ", "Expired", "issue", "issued.", "issued,issued", "1", "iss ued"])
def test_another_word_is_no_member(text: str) -> None:
    """Near words, numbers and several members stay as written."""
    assert read_member(text, ISSUANCE) == Reading(text)


BLANKS, CASE, REPEATED = Code.SURROUNDING_SPACE, Code.LETTER_CASE, Code.REPEATED_MEMBER


@pytest.mark.parametrize(
    ("texts", "codes"),
    [
        (["emailAddress,userPrincipalName"], []),
        (["emailAddress, userPrincipalName", "emailAddress,userPrincipalName"], [BLANKS]),
        (["emailAddress\u00a0,\nuserPrincipalName\t", "emailAddress,userPrincipalName"], [BLANKS]),
        (["EMAILADDRESS", "emailAddress"], [CASE]),
        (["none,none", "none"], [REPEATED]),
        (
            [
                "userprincipalname , emailAddress, userPrincipalName",
                "userprincipalname,emailAddress,userPrincipalName",
                "userPrincipalName,emailAddress,userPrincipalName",
                "userPrincipalName,emailAddress",
            ],
            [BLANKS, CASE, REPEATED],
        ),
    ],
    ids=range(6),
)
def test_members_are_joined_as_the_api_wants_them(texts: list[str], codes: list[Code]) -> None:
    """Blanks go, letter case is the API's, a member stands once; the file's order stays."""
    steps = tuple(Step(code, was, text) for code, was, text in zip(codes, texts, texts[1:], strict=False))

    assert read_members(texts[0], ALTERNATIVE_NAMES) == Reading(texts[-1], steps)


@pytest.mark.parametrize("text", ["", ",", "none,", ",none", "none,,emailAddress", "none;emailAddress", "none, x"])
def test_an_empty_or_foreign_part_is_not_left_out(text: str) -> None:
    """Where one part is no member nothing is changed."""
    assert read_members(text, ALTERNATIVE_NAMES) == Reading(text)


# --- platforms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, "iOS") for text in ("iPhone", "IPAD", "iPod touch", "iPadOS", "iPhone OS", "iOS/iPadOS", "i-Pad")),
        *((text, "macOS") for text in ("Mac", "macMDM", "OS X", "Mac OS X", "mac os", "MacOSX")),
        *(
            (text, "windows10AndLater")
            for text in (
                *("Windows 10", "Windows 11", "windows10", "Win10", "Windows 10/11", "Windows 10 and later"),
                *("Windows 10 or later", "Windows 11 Pro", "Windows 10  Enterprise LTSC", "windows_10"),
                *("Microsoft Windows 11 Enterprise", "Windows 10 Pro N", "Windows 10+", "Windows 11 Home"),
            )
        ),
        *((text, "windows81AndLater") for text in ("Windows 8.1", "Win8.1", "Windows 8.1 and later")),
        *((text, "windowsPhone81") for text in ("Windows Phone 8.1", "windows phone 81")),
        *((text, "androidForWork") for text in ("Android for Work", "android_for_work")),
        ("Android device administrator", "android"),
        ("Android (device administrator)", "android"),
    ],
)
def test_a_platforms_other_names(text: str, expected: str) -> None:
    """What Intune and people call a platform becomes the member, where only one can be meant."""
    for enum_type in (PLATFORMS_1706, PLATFORMS):
        assert read_platform(text, enum_type) == changed(Code.PLATFORM_SYNONYM, text, expected)


@pytest.mark.parametrize("enum_type", [PLATFORMS_1706, PLATFORMS], ids=["1706", "current"])
def test_a_platforms_member_stands_for_itself(enum_type: EnumType) -> None:
    """A member is untouched, also `android`; another letter case is corrected, but for the ambiguous Android."""
    for member in enum_type.members:
        other = member.swapcase()
        assert read_platform(member, enum_type) == Reading(member)
        if fold(member) not in AMBIGUOUS_PLATFORMS:
            assert read_platform(other, enum_type) == changed(Code.LETTER_CASE, other, member)


WINDOWS = "could be windows10AndLater, windows81AndLater or windowsPhone81"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("Windows", WINDOWS, 'say which one, such as `values: {devicePlatform: {"Windows": windows10AndLater}}`'),
        ("win ", WINDOWS, 'say which one, such as `values: {devicePlatform: {"win": windows10AndLater}}`'),
        (
            "Android",
            "could be android (device administrator), androidForWork or another way to enrol",
            'say which one, such as `values: {devicePlatform: {"Android": androidForWork}}`',
        ),
        (
            "Android Enterprise",
            "could be androidForWork or another way to enrol",
            'say which one, such as `values: {devicePlatform: {"Android Enterprise": androidForWork}}`',
        ),
        (
            "Desktop",
            "could be windows10AndLater, windows81AndLater or macOS",
            'say which one, such as `values: {devicePlatform: {"Desktop": windows10AndLater}}`',
        ),
    ],
)
def test_a_word_for_several_platforms_is_a_problem(text: str, message: str, hint: str) -> None:
    """Which platform is meant is not guessed; the hint is the line of config.yaml that says it."""
    assert read_platform(text, PLATFORMS) == refused(Code.AMBIGUOUS_PLATFORM, text, message, hint)


@pytest.mark.parametrize(
    "text",
    [
        *("Linux", "ChromeOS", "tvOS", "visionOS", "Windows 7", "Windows 8", "Windows 12", "Windows Server 2022"),
        *("Windows 10 Mobile", "iPhone 15", "myiPhone", "iOS 17", "iOS,macOS", "0", "androidX", "blackberry", ""),
    ],
)
def test_an_unknown_platform_is_not_guessed(text: str) -> None:
    """Other systems, versions that no member covers and near words stay as written."""
    assert read_platform(text, PLATFORMS) == Reading(text)


def test_a_platform_that_the_edition_lacks_is_not_replaced() -> None:
    """AOSP has a member in edition current only."""
    assert read_platform("AOSP", PLATFORMS) == changed(Code.PLATFORM_SYNONYM, "AOSP", "androidAOSP")
    assert read_platform("AOSP", PLATFORMS_1706) == Reading("AOSP")


def test_no_platforms_word_is_in_two_tables() -> None:
    """Each word stands folded, for one platform, and is not ambiguous too."""
    words = [word for words in SYNONYMS_OF_PLATFORMS.values() for word in words]

    assert [word for word in (*words, *AMBIGUOUS_PLATFORMS) if fold(word) != word] == []
    assert len({*words, *AMBIGUOUS_PLATFORMS}) == len(words) + len(AMBIGUOUS_PLATFORMS)
    assert set(SYNONYMS_OF_PLATFORMS) <= {*PLATFORMS.members, *PLATFORMS_1706.members}


# --- key usages

BOTH = "digitalSignature,keyEncipherment"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a0", BOTH),
        ("A0", BOTH),
        ("0xa0", BOTH),
        ("a0 00", BOTH),
        (" a0 ", BOTH),
        ("80", "digitalSignature"),
        ("20", "keyEncipherment"),
        ("Digital Signature", "digitalSignature"),
        ("Key Encipherment", "keyEncipherment"),
        ("digital_signature", "digitalSignature"),
        ("Digital Signature, Key Encipherment", BOTH),
        ("Digital Signature, Key Encipherment (a0)", BOTH),
        ("Key Encipherment, Digital Signature (a0 00)", BOTH),
        ("Digital Signature, Key Encipherment (0xA0)", BOTH),
        ("Digital Signature\r\nKey Encipherment (a0)", BOTH),
        ("Key Encipherment; Digital Signature", "keyEncipherment,digitalSignature"),
        ("KeyEncipherment | DigitalSignature", "keyEncipherment,digitalSignature"),
        ("digitalSignature;keyEncipherment", BOTH),
        ("CERT_DIGITAL_SIGNATURE_KEY_USAGE", "digitalSignature"),
        ("Digital Signature, Digital Signature", "digitalSignature"),
        ("Digitale Signatur, Schl\u00fcsselverschl\u00fcsselung (a0)", BOTH),
        ("Signature num\u00e9rique (80)", "digitalSignature"),
    ],
)
def test_key_usages_from_words_and_bits(text: str, expected: str) -> None:
    """Words of Windows, certutil and openssl, X.509's bits and both together become the API's members."""
    assert read_key_usage(text, KEY_USAGES) == changed(Code.KEY_USAGE_FORM, text, expected)


@pytest.mark.parametrize("text", ["digitalSignature", "keyEncipherment", BOTH, "keyEncipherment,digitalSignature"])
def test_key_usages_in_the_apis_spelling_are_not_touched(text: str) -> None:
    """Members joined by a comma stay in their order."""
    assert read_key_usage(text, KEY_USAGES) == Reading(text)


def test_key_usages_but_for_letter_case_and_blanks() -> None:
    """Members that only differ in letter case or blanks are corrected by those rules."""
    text = "digitalsignature, keyEncipherment"

    assert read_key_usage(text, KEY_USAGES) == Reading(
        BOTH,
        (
            Step(Code.SURROUNDING_SPACE, text, "digitalsignature,keyEncipherment"),
            Step(Code.LETTER_CASE, "digitalsignature,keyEncipherment", BOTH),
        ),
    )


HINT = "say what is to be sent for it under `values:` in config.yaml"


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("c0", "nonRepudiation"),
        ("e0", "nonRepudiation"),
        ("06", "keyCertSign and cRLSign"),
        ("01", "encipherOnly"),
        ("88", "keyAgreement"),
        ("Non-Repudiation", "nonRepudiation"),
        ("Digital Signature, Non Repudiation", "nonRepudiation"),
        ("Digital Signature, Non-Repudiation, Key Encipherment (e0)", "nonRepudiation"),
        ("Certificate Signing, Off-line CRL Signing, CRL Signing (06)", "keyCertSign and cRLSign"),
        ("Data Encipherment", "dataEncipherment"),
        ("Digitale Signatur, Zulassung (c0)", "nonRepudiation"),
    ],
)
def test_a_usage_that_the_api_lacks_is_a_problem(text: str, lacking: str) -> None:
    """A usage without a member is named, and none is left out."""
    message = f"the API has no member for {lacking}"

    assert read_key_usage(text, KEY_USAGES) == refused(Code.UNKNOWN_MEMBER, text, message, HINT)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("Digital Signature (a0)", "a0"),
        ("Digital Signature, Key Encipherment (80)", "80"),
        ("Key Agreement (a0)", "a0"),
        ("Digital Signature, Irgendwas (20)", "20"),
    ],
)
def test_words_and_bits_that_disagree_are_a_problem(text: str, bits: str) -> None:
    """Which of the two is right is not guessed."""
    message = f"the words and the bits {bits} name different key usages"

    hint = "correct the words or the bits, or map the cell under `values:` in config.yaml"

    assert read_key_usage(text, KEY_USAGES) == refused(Code.UNKNOWN_MEMBER, text, message, hint)


@pytest.mark.parametrize("text", ["Digital Signature (80), Key Encipherment (20)", "Digitale Signatur (80)\nX (20)"])
def test_bits_behind_each_word_are_not_guessed(text: str) -> None:
    """More than one pair of brackets says more than the last one."""
    assert read_key_usage(text, KEY_USAGES) == Reading(text)


@pytest.mark.parametrize("text", ["00", "0x00", "None (00)"])
def test_no_bit_is_no_key_usage(text: str) -> None:
    """Bits that name nothing are a problem, not an empty value."""
    assert read_key_usage(text, KEY_USAGES) == refused(Code.UNKNOWN_MEMBER, text, "the bits name no key usage", HINT)


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "2", "3", "160", "a", "a0a0", "a0 80", "0b10100000", "Digitale Signatur", "digital"),
        *("digitalSignature keyEncipherment", '["digitalSignature"]', "Digital Signature, Foo", "\u0662\u0660"),
    ],
)
def test_another_text_is_no_key_usage(text: str) -> None:
    """Numbers of Graph's enumeration, words of other languages alone and half-known lists stay as written."""
    assert read_key_usage(text, KEY_USAGES) == Reading(text)


def test_the_words_of_key_usages_are_folded() -> None:
    """Each word of the table can be found."""
    assert [word for word in KEY_USAGE_WORDS if fold(word) != word] == []


# --- extended key usages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *EKU_NAMES.items(),
        ("clientAuth", "Client Authentication"),
        ("TLS Web Client Authentication", "Client Authentication"),
        (
            "TLS Web Server Authentication, TLS Web Client Authentication",
            "Server Authentication, Client Authentication",
        ),
        ("1.3.6.1.5.5.7.3.2; 1.3.6.1.4.1.311.20.2.2", "Client Authentication, Smart Card Logon"),
        ("1.3.6.1.5.5.7.3.2\r\n1.2.3.4", "Client Authentication, 1.2.3.4"),
        ("E-mail Protection|1.2.3", None),
    ],
)
def test_extended_key_usages_get_their_names(text: str, expected: str | None) -> None:
    """Bare object identifiers and the names that openssl has become the English names; what is unknown stays."""
    expected = expected or "Secure Email, 1.2.3"

    assert read_enhanced_key_usage(text) == changed(Code.ENHANCED_KEY_USAGE_FORM, text, expected)


@pytest.mark.parametrize(
    "text",
    [
        *EKU_NAMES.values(),
        "Client Authentication (1.3.6.1.5.5.7.3.2), Smart Card Logon (1.3.6.1.4.1.311.20.2.2)",
        "Clientauthentifizierung (1.3.6.1.5.5.7.3.2)",
        *("1.2.3.4", "1.2.3.4;1.2.3.5", "", ";", " client authentication "),
    ],
)
def test_what_needs_no_name_is_not_touched(text: str) -> None:
    """Names, names with their identifier, unknown identifiers and the separators between them stay as written."""
    assert read_enhanced_key_usage(text) == Reading(text)


# --- any text

WORDS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                *(
                    *PLATFORMS.members,
                    *ISSUANCE.members[:4],
                    *KEY_USAGES.members,
                    *KEY_USAGE_WORDS,
                    *AMBIGUOUS_PLATFORMS,
                ),
                *(
                    *SYNONYMS_OF_PLATFORMS["iOS"],
                    *EKU_NAMES,
                    "clientAuth",
                    "a0",
                    "(a0)",
                    "0x80",
                    "e0",
                    "Key Encipherment",
                ),
                *(",", ", ", ";", " ", "\n", "-", "_", "\u00a0"),
            ]
        ),
        max_size=5,
    ).map("".join),
)


@pytest.mark.parametrize("enum_type", ENUMS.values(), ids=ENUMS)
@given(text=WORDS)
def test_words_are_read_once(enum_type: EnumType, text: str) -> None:
    """A second reading changes nothing, and what a rule makes is made of members."""
    for read in (read_member, read_members, read_platform, read_key_usage):
        reading = read(text, enum_type)

        assert is_chained(text, reading)
        assert read(reading.text, enum_type)._replace(problems=()) == Reading(reading.text)
        assert not reading.steps or set(reading.text.split(",")) <= set(enum_type.members)
        assert not (reading.steps and reading.problems)


@given(WORDS)
def test_extended_key_usages_are_read_once(text: str) -> None:
    """A second reading changes nothing."""
    reading = read_enhanced_key_usage(text)

    assert is_chained(text, reading)
    assert read_enhanced_key_usage(reading.text) == Reading(reading.text)


@pytest.mark.parametrize("text", ADVERSARIAL, ids=range(len(ADVERSARIAL)))
def test_no_text_takes_long(text: str) -> None:
    """The longest cells come back, whatever they repeat."""
    readings = [read(text, PLATFORMS) for read in (read_member, read_members, read_platform, read_key_usage)]

    assert all(is_chained(text, reading) for reading in (*readings, read_enhanced_key_usage(text)))
