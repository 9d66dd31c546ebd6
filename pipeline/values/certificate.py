"""A row against its certificate: empty texts are filled from it, given ones are compared with it. No I/O."""

import re
from collections.abc import Callable, Mapping, Sequence

from pipeline.certificates import EKU_NAMES, MOST_CELL_CHARACTERS, CertificateFacts
from pipeline.editions import KEY_USAGES
from pipeline.findings import Code, shorten
from pipeline.identity import HEX, hex_digits, instant_ticks
from pipeline.values.steps import Problem, Reading, Step
from pipeline.values.words import SEPARATORS, read_enhanced_key_usage

TICKS_PER_S = 10_000_000
MINUTE_S = 60

ATTRIBUTE_TYPES = {
    "2.5.4.3": ("cn", "commonname"),
    "2.5.4.4": ("sn", "surname"),
    "2.5.4.5": ("serialnumber",),
    "2.5.4.6": ("c", "countryname"),
    "2.5.4.7": ("l", "localityname"),
    "2.5.4.8": ("st", "s", "stateorprovincename"),
    "2.5.4.9": ("street", "streetaddress"),
    "2.5.4.10": ("o", "organizationname"),
    "2.5.4.11": ("ou", "organizationalunitname"),
    "2.5.4.12": ("t", "title"),
    "2.5.4.13": ("description",),
    "2.5.4.17": ("postalcode",),
    "2.5.4.42": ("g", "gn", "givenname"),
    "2.5.4.43": ("i", "initials"),
    "2.5.4.46": ("dnq", "dnqualifier"),
    "2.5.4.97": ("organizationidentifier",),
    "0.9.2342.19200300.100.1.1": ("uid", "userid"),
    "0.9.2342.19200300.100.1.25": ("dc", "domaincomponent"),
    "1.2.840.113549.1.9.1": ("e", "emailaddress", "email"),
}
"""Object identifier -> what programs write for it, in lower case.

RFC 4514 section 3; .NET's X500DistinguishedName (E, S, SERIALNUMBER, T, G, I); OpenSSL's short and long names.
"""

OID_OF_TYPE = {word: oid for oid, words in ATTRIBUTE_TYPES.items() for word in words}
OID_OF_EKU = {name.casefold(): oid for oid, name in EKU_NAMES.items()}

# In these patterns `++`, `*+` and the look back keep the time proportional to the text, whatever it repeats.
DOTTED = re.compile(r"(?<!\d)\d++(?:\.\d++)+", re.ASCII)
OFFSET = re.compile(r"Z|[+-]\d{2}:\d{2}", re.ASCII)
WHOLE_NUMBER = re.compile(r"\d{1,9}", re.ASCII)

# One attribute of a name: its type, then its value with escapes (RFC 4514) or in quotes (Windows, which doubles them).
ATTRIBUTE = re.compile(
    r"\s*+(?P<type>[A-Za-z0-9.]{1,60}+)\s*+=\s*+"
    r'(?:"(?P<quoted>(?:[^"]|"")*+)"\s*|(?P<plain>(?:[^\\",;+\r\n]|\\.)*+))(?P<end>[,;+\r\n]|\Z)',
    re.DOTALL,
)
ESCAPED = re.compile(r"(?:\\[0-9A-Fa-f]{2})+|\\(.)", re.DOTALL)
SLASH = re.compile(r"/(?=[A-Za-z0-9.]{1,40}=)")

RelativeName = frozenset[tuple[str, str]]

Filler = Callable[[CertificateFacts], str]
Difference = Callable[[str, CertificateFacts], str]


def from_certificate(names: Sequence[str], texts: Sequence[str], facts: CertificateFacts) -> tuple[Reading, ...]:
    """Return a reading for each property of `names`: its text, filled where it was empty, and what differs.

    `texts` are the row's after all other rules but the defaults, in the order of `names`. A text that is given is
    never changed. What the certificate does not say fills nothing and contradicts nothing: an extension that it lacks,
    a kind of key without a length. Its issuance is no fact of it either: CAs set `notBefore` back by minutes.

    A text that cannot be read as its type, such as a date in words, and one that no spreadsheet cell can hold are not
    compared, because the validator refuses them.
    """
    return tuple(_reading(name, text, facts) for name, text in zip(names, texts, strict=True))


def same_name(first: str, second: str) -> bool:
    """Return whether the two texts mean the same X.500 name.

    The parts may come in either order, with `,`, `;`, line breaks or OpenSSL's `/` between them, quoted or escaped,
    with any known spelling of their types. Values count without letter case and repeated blanks (RFC 5280, 7.1).
    """
    ours, theirs = _relative_names(first), _relative_names(second)
    if ours is None or theirs is None:
        return first.strip() == second.strip()
    return theirs in (ours, ours[::-1])


def _reading(name: str, text: str, facts: CertificateFacts) -> Reading:
    if name not in RULES:
        return Reading(text)
    fill, difference = RULES[name]
    if text.strip():
        message = difference(text.strip(), facts) if len(text) <= MOST_CELL_CHARACTERS else ""
        return Reading(text, problems=(Problem(Code.CERTIFICATE_DIFFERS, message),) if message else ())
    value = fill(facts)
    if value:
        return Reading(value, steps=(Step(Code.FROM_CERTIFICATE, text, value),))
    if name == "certificateKeyUsage" and facts.key_usage:
        message = (
            f"the certificate's key usage is {', '.join(facts.key_usage)}, "
            f"and the API has words for {' and '.join(KEY_USAGES.members)} only"
        )
        return Reading(text, problems=(Problem(Code.UNMAPPED_KEY_USAGE, message),))
    return Reading(text)


def _thumbprint_difference(text: str, facts: CertificateFacts) -> str:
    digits = hex_digits(text).upper()
    if digits == facts.thumbprint:
        return ""
    if digits == facts.sha256:
        return f"this is the certificate's SHA-256 hash; its thumbprint, the SHA-1 hash, is {facts.thumbprint}"
    return f"the certificate's thumbprint is {facts.thumbprint}"


def _serial_number_difference(text: str, facts: CertificateFacts) -> str:
    said = f"the certificate's serial number is {facts.serial_number}"
    digits = hex_digits(text.removeprefix("-"))
    if not HEX.fullmatch(digits):
        return said
    number, own = int(digits, 16), int(facts.serial_number, 16)
    if text.startswith("-"):
        # Programs that take the first bit for a sign write the same octets as a negative number.
        number = (1 << len(facts.serial_number) * 4) - number
    if number == own:
        return ""
    if digits.isdecimal() and digits.lstrip("0") == _decimal(own):
        return f"{said}, which is this number in decimal digits: declare `serial: decimal` in config.yaml"
    return said


def _decimal(number: int) -> str:
    # Python refuses to write more than 4,300 digits; a serial number has 49 at most (RFC 5280, 4.1.2.2).
    return str(number) if number.bit_length() <= 1_000 else ""


def _issuer_difference(text: str, facts: CertificateFacts) -> str:
    if not facts.issuer or same_name(text, facts.issuer):
        return ""
    return f"the certificate's issuer is {shorten(facts.issuer)}"


def _expiration_difference(text: str, facts: CertificateFacts) -> str:
    text = text.upper()
    if not OFFSET.fullmatch(text[-1:]) and not OFFSET.fullmatch(text[-6:]):
        return ""
    try:
        apart_s = abs(instant_ticks(text) - instant_ticks(facts.not_after)) / TICKS_PER_S
    except ValueError:
        return ""
    # certutil and Windows' dialogs write no seconds, so a text without them may mean any in its minute.
    has_seconds = not re.match(r"[^T]*T\d\d:\d\d(?::00(?:\.0+)?)?(?:Z|[+-])", text, re.ASCII)
    if apart_s == 0 or (apart_s < MINUTE_S and not has_seconds):
        return ""
    return f"the certificate expires at {facts.not_after}"


def _key_length_difference(text: str, facts: CertificateFacts) -> str:
    if facts.key_length is None or not WHOLE_NUMBER.fullmatch(text) or int(text) == facts.key_length:
        return ""
    return f"the certificate's key has {facts.key_length} bits"


def _key_usage_difference(text: str, facts: CertificateFacts) -> str:
    given = {part.strip() for part in text.split(",")}
    if facts.key_usage is None or not given <= set(KEY_USAGES.members):
        return ""
    # Of a certificate with further usages, the API can hold no more than these.
    if given == set(facts.key_usage) & set(KEY_USAGES.members):
        return ""
    return f"the certificate's key usage is {', '.join(facts.key_usage) or 'empty'}"


def _enhanced_key_usage_difference(text: str, facts: CertificateFacts) -> str:
    if facts.extended_key_usage is None:
        return ""
    named = read_enhanced_key_usage(text.strip("{} ")).text  # PowerShell puts collections in braces
    given = {_usage_oid(part) for part in SEPARATORS.split(named) if part.strip()}
    if given == set(facts.extended_key_usage):
        return ""
    return f"the certificate's extended key usage is {_enhanced_key_usage(facts)}"


def _usage_oid(text: str) -> str:
    """Return the object identifier that the text is or names, also as `Client Authentication (1.3.6.1.5.5.7.3.2)`."""
    found = DOTTED.search(text)
    return found.group() if found else OID_OF_EKU.get(" ".join(text.split()).casefold(), text)


def _key_usage(facts: CertificateFacts) -> str:
    """Return the key usages as the API spells them, or "" when it has no words for all of them."""
    usages = facts.key_usage or ()
    if not set(usages) <= set(KEY_USAGES.members):
        return ""
    return ",".join(member for member in KEY_USAGES.members if member in usages)


def _enhanced_key_usage(facts: CertificateFacts) -> str:
    return ", ".join(EKU_NAMES.get(oid, oid) for oid in facts.extended_key_usage or ())


def _key_length(facts: CertificateFacts) -> str:
    return "" if facts.key_length is None else str(facts.key_length)


RULES: Mapping[str, tuple[Filler, Difference]] = {
    "certificateThumbprint": (lambda facts: facts.thumbprint, _thumbprint_difference),
    "certificateSerialNumber": (lambda facts: facts.serial_number, _serial_number_difference),
    "certificateIssuer": (lambda facts: facts.issuer, _issuer_difference),
    "certificateExpirationDateTime": (lambda facts: facts.not_after, _expiration_difference),
    "certificateKeyLength": (_key_length, _key_length_difference),
    "certificateKeyUsage": (_key_usage, _key_usage_difference),
    "enhancedKeyUsage": (_enhanced_key_usage, _enhanced_key_usage_difference),
    "certificateEnhancedKeyUsage": (_enhanced_key_usage, _enhanced_key_usage_difference),
}
"""Property of either edition -> what the certificate says of it, and how a given text differs ("" when it does not)."""


def _relative_names(text: str) -> list[RelativeName] | None:
    """Return the parts of a name in their order, or None when the text is no name."""
    if text.startswith("/"):
        pairs = [part.split("=", 1) for part in SLASH.split(text)[1:]]
        return [frozenset({(_type_oid(word), _folded(value))}) for word, value in pairs] or None
    names: list[RelativeName] = []
    attributes: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = ATTRIBUTE.match(text, at)
        if not found:
            return None
        at = found.end()
        plain, quoted = found["plain"], found["quoted"]
        value = ESCAPED.sub(_unescaped, plain) if quoted is None else quoted.replace('""', '"')
        attributes.append((_type_oid(found["type"]), _folded(value)))
        if found["end"] != "+":
            names.append(frozenset(attributes))
            attributes = []
    return None if attributes or not names else names


def _type_oid(word: str) -> str:
    folded = word.casefold().removeprefix("oid.")
    return OID_OF_TYPE.get(folded, folded)


def _folded(value: str) -> str:
    return " ".join(value.split()).casefold()


def _unescaped(found: re.Match[str]) -> str:
    return found[1] or bytes.fromhex(found[0].replace("\\", "")).decode("utf-8", "replace")
