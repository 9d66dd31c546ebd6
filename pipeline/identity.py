"""What makes two objects the same: the key and the fingerprint, over normalised texts. No I/O."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from pipeline.editions import EDITIONS, Edition, EnumType, PrimitiveType, Property, Shape

KEY_VERSION = 1
"""Raised when the rule below changes, so that old ledgers are never compared by a new rule."""

PROPERTIES = {each.name: each for edition in EDITIONS.values() for each in edition.properties}
"""Every property of any edition: a name means the same in all of them."""

INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,7})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)

# Between digits only: a leading minus is the sign of a serial number.
HEX_SEPARATORS = re.compile(r"(?<=[0-9A-Fa-f])[\s:-]+(?=[0-9A-Fa-f])")
HEX = re.compile(r"[0-9A-Fa-f]+")
OWN_HEX_FORM = re.compile(r"[0-9A-F]+")
INVISIBLE = re.compile(r"[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
"""Marks that nobody sees: Windows' certificate dialog put U+200E before a copied thumbprint (KB 2023835)."""

JOINERS = re.compile(r"[\u200c\u200d]+")
UNBREAKABLE_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " "})

FAILED_FORMULA = re.compile(
    r"#(?:N/A|NV|N/D!?|N/B|GETTING_DATA|DIV/0!|[\u00a1\u00bf]?[A-Z_\u00c0-\u00de]{2,14}[!?])", re.ASCII
)
"""What Excel shows, and writes into a CSV file, where it could not calculate: #N/A, #REF!, and #WERT!, #NOM? and the
like in other languages ("How to correct a #... error", Microsoft)."""

GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def without_marks(text: str) -> str:
    """Return the text without the marks that nobody sees.

    Joiners stay between letters, where they spell (Persian, Hindi) or make one sign of several emoji.
    """
    return text if text.isascii() else JOINERS.sub(_spelling, INVISIBLE.sub("", text))


def _spelling(found: re.Match[str]) -> str:
    text, start, end = found.string, found.start(), found.end()
    beside = (text[start - 1] if start else "") + text[end : end + 1]
    return found.group() if len(beside) == 2 and not any(each.isascii() or each.isspace() for each in beside) else ""


def fold_word(text: str) -> str:
    """Return a cell as `values:` compares it: letter case, blanks around it and invisible marks are left out."""
    return without_marks(text.translate(UNBREAKABLE_BLANKS)).strip().casefold()


def failed_formula(text: str) -> str:
    """Return what the whole cell shows of a formula that failed, such as #N/A; "" when it shows something else."""
    if "#" not in text:
        return ""
    shown = without_marks(text.translate(UNBREAKABLE_BLANKS)).strip()
    return shown if FAILED_FORMULA.fullmatch(shown) else ""


def fold_header(text: str) -> str:
    """Return the header as it is compared: letter case, white space and invisible marks are left out."""
    return "".join(without_marks(text).split()).casefold()


def hex_digits(text: str) -> str:
    """Return the text without blanks, colons, hyphens and a leading 0x."""
    digits = HEX_SEPARATORS.sub("", text.strip())
    return digits[2:] if digits[:2] in {"0x", "0X"} else digits


def key_of(collection: str, properties: Mapping[str, str | int]) -> str:
    """Return the key of the object that the properties describe, or "" when nothing identifies it.

    The key is a digest over the collection path, the device's name and the thumbprint; without a thumbprint over the
    issuer and the serial number. It belongs to a scope and is unique only there.
    """
    thumbprint = _hex_form(str(properties.get("certificateThumbprint", "")))
    issuer = _text_form(str(properties.get("certificateIssuer", "")))
    serial_number = _serial_number_form(str(properties.get("certificateSerialNumber", "")))
    identity: tuple[str, ...]
    if thumbprint:
        identity = ("thumbprint", thumbprint)
    elif issuer and serial_number:
        identity = ("issuer and serial number", issuer, serial_number)
    else:
        return ""
    device = _text_form(str(properties.get("deviceDisplayName", ""))).casefold()
    return _digest(collection.casefold(), device, *identity)


def keys_by_thumbprint(collections: Sequence[str], devices: Sequence[str], thumbprints: Sequence[str]) -> list[bytes]:
    """Return for each object the 16 bytes whose hex digits `key_of` returns; each has a thumbprint."""
    start_of = {each: _framed(each.casefold()).decode() for each in set(collections)}
    way = _framed("thumbprint").decode()
    names = _folded_names(devices)
    sizes = map(len, names if "".join(names).isascii() else (name.encode("utf-8", "surrogatepass") for name in names))
    is_in_form = OWN_HEX_FORM.fullmatch("".join(thumbprints)) is not None
    forms = thumbprints if is_in_form else [_hex_form(thumb) for thumb in thumbprints]
    objects = zip(collections, sizes, names, forms, strict=True)
    texts = [f"{start_of[at]}{size}:{name}{way}{len(thumb)}:{thumb}" for at, size, name, thumb in objects]
    return [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]


def _folded_names(devices: Sequence[str]) -> list[str]:
    """Return the names as they are compared. Plain ones together, since a call for each takes as long as its work."""
    together = "\n".join(devices)
    if together.isascii() and together.count("\n") == len(devices) - 1:
        return [name.strip() for name in together.casefold().split("\n")]
    return [device.strip().casefold() if device.isascii() else _text_form(device).casefold() for device in devices]


def key_of_object(collection: str, entity: Mapping[str, object]) -> str:
    """Return the key of an object as the service answers it, or "" when nothing identifies it."""
    # What is null was never set: it must not read as the text "None".
    return key_of(collection, {name: str(value) for name, value in entity.items() if value is not None})


def fingerprint_of(edition: Edition, properties: Mapping[str, str | int]) -> str:
    """Return a digest over the normalised values: equal when two rows mean the same object in the same condition.

    Date-times count as instants, key usages as sets, hexadecimal texts without separators and letter case.
    """
    parts: list[str] = []
    for each in edition.properties:
        value = properties.get(each.name)
        if value is not None:
            parts += (each.name, _value_form(each, str(value)))
    return _digest(*parts)


class Difference(NamedTuple):
    """A property in which an object is not as it was sent."""

    name: str
    sent: str
    found: str  # "" where the object does not have the property
    is_same_instant: bool  # another text for the same instant, which is no difference in what the object says


def differences(sent: Mapping[str, object], found: Mapping[str, object]) -> list[Difference]:
    """Return where the object that was read back is not as it was sent, in the order of the body.

    Only what was sent is compared: what the service adds by itself contradicts nothing. Date-times count as instants
    in ticks of 100 ns, key usages as sets, hexadecimal texts without separators and letter case.
    """
    different = []
    for name, value in sent.items():
        if name.startswith("@") or found.get(name) == value:
            continue
        is_there = found.get(name) is not None
        ours, theirs = str(value), str(found[name]) if is_there else ""
        known = PROPERTIES.get(name)
        is_same = known is not None and is_there and _value_form(known, ours) == _value_form(known, theirs)
        is_date_time = known is not None and known.type is PrimitiveType.DATETIMEOFFSET
        if not is_same or is_date_time:
            different.append(Difference(name, ours, theirs, is_same))
    return different


def differences_of(body: bytes, found: Mapping[str, object]) -> list[Difference]:
    """Return the `differences` that count of an object read back from the body (JSON) that was sent."""
    return [each for each in differences(json.loads(body), found) if not each.is_same_instant]


def _value_form(known: Property, text: str) -> str:
    if known.type is PrimitiveType.DATETIMEOFFSET:
        return _instant_form(text)
    if isinstance(known.type, EnumType):
        return ",".join(sorted(member.strip() for member in text.split(",")))  # .NET puts a blank behind the comma
    if known.shape is Shape.THUMBPRINT:
        return _hex_form(text)
    if known.shape is Shape.SERIAL_NUMBER:
        return _serial_number_form(text)
    return _text_form(text)


def _instant_form(text: str) -> str:
    """Return the ticks, or the text itself where a service answers with what is no instant."""
    try:
        return str(instant_ticks(text)) if INSTANT.fullmatch(text) else text
    except ValueError:  # such as February 30
        return text


def instant_ticks(date_time: str) -> int:
    """Return a valid DateTimeOffset text as ticks of 100 ns since 0001-01-01T00:00:00Z, to compare instants."""
    at = -1 if date_time.endswith("Z") else -6
    local, offset = date_time[:at], date_time[at:]
    whole, _, fraction = local.partition(".")
    shift = timedelta(0)
    if offset != "Z":
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])) * (-1 if offset[0] == "-" else 1)
    # The offset is taken from the difference, not from the date: 0001-01-01T00:00:00+01:00 lies before year 1.
    since = datetime.fromisoformat(whole).replace(tzinfo=UTC) - datetime(1, 1, 1, tzinfo=UTC) - shift
    return (since.days * 86_400 + since.seconds) * 10_000_000 + int(fraction.ljust(7, "0"))


def _text_form(text: str) -> str:
    if not text.isascii():
        # Invisible marks: Windows put U+200E before a thumbprint that was copied from its dialog (KB 2023835).
        text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    return unicodedata.normalize("NFC", text.strip())


def _hex_form(text: str) -> str:
    form = _text_form(text)
    digits = hex_digits(form)
    return digits.upper() if HEX.fullmatch(digits) else form


def _serial_number_form(text: str) -> str:
    form = _hex_form(text)
    return (form.lstrip("0") or "0") if HEX.fullmatch(form) else form


def _digest(*parts: str) -> str:
    """Return 128 bits over the parts."""
    return blake2b(b"".join(map(_framed, parts)), digest_size=16).hexdigest()


def _framed(part: str) -> bytes:
    """Return the part behind its length, so that no two lists of parts look alike."""
    data = part.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(data), data)
