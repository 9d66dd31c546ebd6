"""Members of enumerations, platforms, key usages, extended key usages: other words for them, where they are certain."""

import re
from collections.abc import Mapping

from pipeline.certificates import EKU_NAMES
from pipeline.editions import EnumType
from pipeline.findings import Code, shorten
from pipeline.quoting import quoted
from pipeline.values.marks import trim
from pipeline.values.steps import Problem, Reading, Step

SYNONYMS_OF_PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "iOS": ("iphone", "ipad", "ipod", "ipodtouch", "ipados", "iphoneos", "ios/ipados"),
    "macOS": ("mac", "macmdm", "osx", "macosx"),
    "windows10AndLater": (
        *("windows10", "windows11", "win10", "win11", "windows10/11", "windows10/windows11", "windows10orlater"),
        *("windows10/11andlater", "windows11andlater", "windows11orlater", "windows10+"),
    ),
    "windows81AndLater": ("windows8.1", "win8.1", "windows8.1andlater", "windows8.1orlater"),
    "windowsPhone81": ("windowsphone8.1",),
    "android": ("androiddeviceadministrator", "android(deviceadministrator)"),
    "androidAOSP": ("aosp",),
}
"""Folded words -> what Intune calls the device type in reports and in its console; members stand for themselves."""

WINDOWS_10_EDITION = re.compile(
    r"(?:microsoft )?windows 1[01] (?:pro|enterprise|education|home|business|iot enterprise)"
    r"(?: (?:n|ltsc|multi-session))?"
)

AMBIGUOUS_PLATFORMS: Mapping[str, str] = {
    "windows": "windows10AndLater, windows81AndLater or windowsPhone81",
    "win": "windows10AndLater, windows81AndLater or windowsPhone81",
    "microsoftwindows": "windows10AndLater, windows81AndLater or windowsPhone81",
    "desktop": "windows10AndLater, windows81AndLater or macOS",
    "pc": "windows10AndLater or windows81AndLater",
    "windowsrt": "windows81AndLater or windows10AndLater",
    "android": "android (device administrator), androidForWork or another way to enrol",
    "androidenterprise": "androidForWork or another way to enrol",
}
"""Folded words that several platforms answer to: Android devices are enrolled in four ways."""

KEY_USAGE_WORDS: Mapping[str, str] = {
    "digitalsignature": "digitalSignature",
    "certdigitalsignaturekeyusage": "digitalSignature",
    "keyencipherment": "keyEncipherment",
    "certkeyenciphermentkeyusage": "keyEncipherment",
    # what the enumeration lacks, so that it can be named
    "nonrepudiation": "nonRepudiation",
    "contentcommitment": "nonRepudiation",
    "certnonrepudiationkeyusage": "nonRepudiation",
    "dataencipherment": "dataEncipherment",
    "certdataenciphermentkeyusage": "dataEncipherment",
    "keyagreement": "keyAgreement",
    "certkeyagreementkeyusage": "keyAgreement",
    "keycertsign": "keyCertSign",
    "certificatesign": "keyCertSign",
    "certificatesigning": "keyCertSign",
    "certkeycertsignkeyusage": "keyCertSign",
    "crlsign": "cRLSign",
    "crlsigning": "cRLSign",
    "offlinecrlsigning": "cRLSign",
    "certcrlsignkeyusage": "cRLSign",
    "encipheronly": "encipherOnly",
    "decipheronly": "decipherOnly",
}
"""Folded words of certutil, Windows, .NET and openssl -> the key usage as RFC 5280, 4.2.1.3 spells it."""

KEY_USAGE_BITS = (
    (0x80, "digitalSignature"),
    (0x40, "nonRepudiation"),
    (0x20, "keyEncipherment"),
    (0x10, "dataEncipherment"),
    (0x08, "keyAgreement"),
    (0x04, "keyCertSign"),
    (0x02, "cRLSign"),
    (0x01, "encipherOnly"),
)
"""The first octet of X.509's KeyUsage (RFC 5280, 4.2.1.3), not the numbers of Graph's enumeration."""

BITS = re.compile(r"(?:0x)?([0-9a-f]{2})(?: 00)?", re.IGNORECASE)
WORDS_WITH_BITS = re.compile(r"(.+?) ?\((?:0x)?([0-9a-f]{2})(?: 00)?\)", re.IGNORECASE | re.DOTALL)
SEPARATORS = re.compile(r"[,;|\r\n]+")

EKU_SYNONYMS: Mapping[str, str] = {
    "serverauth": "1.3.6.1.5.5.7.3.1",
    "tlswebserverauthentication": "1.3.6.1.5.5.7.3.1",
    "clientauth": "1.3.6.1.5.5.7.3.2",
    "tlswebclientauthentication": "1.3.6.1.5.5.7.3.2",
    "codesigning": "1.3.6.1.5.5.7.3.3",
    "emailprotection": "1.3.6.1.5.5.7.3.4",
    "e-mailprotection": "1.3.6.1.5.5.7.3.4",
}
"""openssl's short and long names (`openssl x509 -text`, openssl's objects.txt), folded -> OID."""


def fold(text: str) -> str:
    """Return the words as they are compared: blanks, underscores, hyphens and letter case are left out."""
    return re.sub(r"[\s_-]+", "", text).casefold()


def read_member(text: str, enum_type: EnumType) -> Reading:
    """Return the API's spelling of the member, where blanks around it and letter case are all that differs."""
    reading = trim(text)
    for member in enum_type.members:
        if member.casefold() == reading.text.casefold():
            return _stepped(reading, Code.LETTER_CASE, member)
    return Reading(text)


def read_members(text: str, enum_type: EnumType) -> Reading:
    """Return the members of a flags enumeration, joined as the API wants them, where each is one but for its case."""
    parts = [part.strip() for part in text.split(",")]
    members = [next((each for each in enum_type.members if each.casefold() == part.casefold()), "") for part in parts]
    if not all(members):
        return Reading(text)
    reading = _stepped(Reading(text), Code.SURROUNDING_SPACE, ",".join(parts))
    reading = _stepped(reading, Code.LETTER_CASE, ",".join(members))
    return _stepped(reading, Code.REPEATED_MEMBER, ",".join(dict.fromkeys(members)))


def read_platform(text: str, enum_type: EnumType) -> Reading:
    """Return the platform's member, a synonym's where it is certain, and the problem of a word that means several."""
    if text in enum_type.members:
        return Reading(text)
    folded = fold(text)
    if folded in AMBIGUOUS_PLATFORMS:
        message = f"could be {AMBIGUOUS_PLATFORMS[folded]}"
        member = "androidForWork" if "android" in folded else "windows10AndLater"
        hint = f"say which one, such as `values: {{devicePlatform: {{{quoted(shorten(text.strip()))}: {member}}}}}`"
        return Reading(text, problems=(Problem(Code.AMBIGUOUS_PLATFORM, message, hint),))
    reading = read_member(text, enum_type)
    if reading.steps:
        return reading
    if WINDOWS_10_EDITION.fullmatch(" ".join(text.split()).casefold()):
        folded = "windows10"
    for member in enum_type.members:
        if folded == member.casefold() or folded in SYNONYMS_OF_PLATFORMS.get(member, ()):
            return _stepped(Reading(text), Code.PLATFORM_SYNONYM, member)
    return Reading(text)


def read_key_usage(text: str, enum_type: EnumType) -> Reading:
    """Return the key usages as members of keyUsages, from words, X.509 bits (`a0`) or both.

    A usage that the enumeration lacks is a problem: to leave it out would say something else of the certificate.
    """
    reading = read_members(text, enum_type)
    if reading.steps or text.strip() in enum_type.members:
        return reading
    trimmed = text.strip()
    bits = BITS.fullmatch(trimmed)
    if bits:
        return _members_reading(text, _usages_of(int(bits[1], 16)), enum_type)
    both = WORDS_WITH_BITS.fullmatch(trimmed) if trimmed.count("(") == 1 else None
    words = [each.strip() for each in SEPARATORS.split(both[1] if both else trimmed) if each.strip()]
    usages = [KEY_USAGE_WORDS.get(fold(word), "") for word in words]
    if both:
        named = _usages_of(int(both[2], 16))  # the words may be in any language
        if not set(usages) - {""} <= set(named) or (all(usages) and set(usages) != set(named)):
            message = f"the words and the bits {both[2]} name different key usages"
            hint = "correct the words or the bits, or map the cell under `values:` in config.yaml"
            return Reading(text, problems=(Problem(Code.UNKNOWN_MEMBER, message, hint),))
        return _members_reading(text, named, enum_type)
    return _members_reading(text, tuple(usages), enum_type) if usages and all(usages) else Reading(text)


def read_enhanced_key_usage(text: str) -> Reading:
    """Return the extended key usages with their English names for bare object identifiers and openssl's names.

    All other parts stay as written, Windows' `Client Authentication (1.3.6.1.5.5.7.3.2)` among them.
    """
    parts = [part.strip() for part in SEPARATORS.split(text) if part.strip()]
    names = [EKU_NAMES.get(EKU_SYNONYMS.get(fold(part), part), part) for part in parts]
    return Reading(text) if names == parts else _stepped(Reading(text), Code.ENHANCED_KEY_USAGE_FORM, ", ".join(names))


def _usages_of(bits: int) -> tuple[str, ...]:
    return tuple(name for bit, name in KEY_USAGE_BITS if bits & bit)


def _members_reading(text: str, usages: tuple[str, ...], enum_type: EnumType) -> Reading:
    foreign = [each for each in usages if each not in enum_type.members]
    if foreign or not usages:
        message = f"the API has no member for {' and '.join(foreign)}" if foreign else "the bits name no key usage"
        hint = "say what is to be sent for it under `values:` in config.yaml"
        return Reading(text, problems=(Problem(Code.UNKNOWN_MEMBER, message, hint),))
    return _stepped(Reading(text), Code.KEY_USAGE_FORM, ",".join(dict.fromkeys(usages)))


def _stepped(reading: Reading, code: Code, text: str) -> Reading:
    if text == reading.text:
        return reading
    return Reading(text, (*reading.steps, Step(code, reading.text, text)), reading.problems)
