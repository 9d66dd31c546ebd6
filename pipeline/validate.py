"""Property values -> CertificateState, or every finding of the row.

The API's contract makes errors, PKI knowledge makes warnings. The edition's table becomes one pydantic model; each
OData type has one check here. No I/O.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple, cast
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, create_model
from pydantic_core import PydanticCustomError, to_json

from pipeline.editions import ENTITY_TYPE, Edition, EnumType, PrimitiveType, Property, Shape
from pipeline.findings import Code, Finding, finding
from pipeline.identity import hex_digits, without_marks
from pipeline.model import CertificateState, Values

MOST_CHARACTERS = 32_767
"""What a spreadsheet cell can hold ("Excel specifications and limits"). No certificate field comes near."""

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

DATE_TIME = re.compile(
    r"(?P<local>\d{4}-\d{2}-\d{2}T(?!24)\d{2}:\d{2}(?::\d{2}(?:\.\d{1,7})?)?)"
    r"(?P<offset>Z|[+-]\d{2}:\d{2})?",
    re.ASCII,
)
"""OData's dateTimeOffsetValue (ABNF 4.01), with the seven fractional digits that .NET's DateTimeOffset holds.

Hour 24 is left out here, because `datetime.fromisoformat` takes it from Python 3.14 on.
"""

MOST_OFFSET = timedelta(hours=14)
"""The range of .NET's DateTimeOffset.Offset."""

FIRST_INSTANT, LAST_INSTANT = datetime.fromisoformat("0001-01-01"), datetime.fromisoformat("9999-12-31T23:59:59")

# Half of a surrogate pair cannot be written as UTF-8.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
USUAL_KEY_LENGTHS = frozenset({255, 256, 384, 448, 456, 521, 1024, 2048, 3072, 4096, 6144, 7680, 8192, 15360, 16384})
"""RSA moduli in use, the NIST curves (FIPS 186-5) and Ed25519, Ed448 (RFC 8032), in bits."""

SHA1_DIGITS, SHA256_DIGITS = 40, 64
MOST_SERIAL_DIGITS = 42
"""20 octets (RFC 5280, 4.1.2.2), and a leading 00 that DER and .NET keep as the sign."""


class Warned(NamedTuple):
    """A warning that a field's check left behind."""

    name: str
    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Validator:
    """How rows of one edition are judged. Build it with `open_validator`."""

    edition: Edition
    model: type[CertificateState]
    required: frozenset[str]
    checks: Mapping[str, "Check"]  # by property

    def __reduce__(self) -> tuple[Callable[..., "Validator"], tuple[Edition, frozenset[str]]]:
        """Return how another process makes the same one: a class that was made here is not known there."""
        return _validator, (self.edition, self.required)


@dataclass(slots=True)
class _Context:
    warned: list[Warned]


Check = Callable[[str, _Context], str | int]
"""Return the value that is sent for a text that is not blank. Raises PydanticCustomError."""


class Judged(NamedTuple):
    """What a row is: a state with warnings at most, or None with at least one error."""

    state: CertificateState | None
    platform: str  # the valid devicePlatform, also of a row that is invalid otherwise; else ""
    findings: tuple[Finding, ...]


def open_validator(edition: Edition, *, required: frozenset[str]) -> Validator:
    """Return the validator for the edition, in which the properties of `required` must have a value."""
    fields: dict[str, Any] = {"odata_type": (str, Field(ENTITY_TYPE, serialization_alias="@odata.type"))}
    checks = {each.name: _check_of(each) for each in edition.properties}
    for each in edition.properties:
        check = _in_model(checks[each.name])
        if each.name in required:
            fields[each.name] = (Annotated[str if each.type is not PrimitiveType.INT32 else int, check], ...)
        elif each.type is PrimitiveType.INT32:
            fields[each.name] = (Annotated[int, check] | None, None)
        else:
            fields[each.name] = (Annotated[str, check] | None, None)
    model = create_model(f"CertificateState{edition.name.title()}", __base__=CertificateState, **fields)
    return Validator(edition, model, required, checks)


def _validator(edition: Edition, required: frozenset[str]) -> Validator:
    return open_validator(edition, required=required)


class Checked(NamedTuple):
    """One value, judged: what is sent for it, or None with the error that keeps it from being sent."""

    value: str | int | None
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def check_value(text: str, name: str, header: str, validator: Validator) -> Checked:
    """Return what `validate_values` says of this property's text alone, in a row of any others."""
    if not text.strip():
        missing = (_missing(name, header, text),) if name in validator.required else ()
        return Checked(None, missing)
    context = _Context([])
    value: str | int | None = None
    errors: tuple[Finding, ...] = ()
    try:
        value = validator.checks[name](text, context)
    except PydanticCustomError as problem:
        errors = (finding(Code(problem.type), problem.message(), column=header, value=text),)
    warnings = tuple(finding(each.code, each.message, column=header, value=text) for each in context.warned)
    return Checked(value, errors, warnings)


def _missing(name: str, header: str, text: str) -> Finding:
    return finding(Code.MISSING_VALUE, f"{name} is required and the cell is empty", column=header, value=text)


def body_of(properties: Mapping[str, str | int]) -> bytes:
    """Return the request's body (JSON, UTF-8) for the checked values in the edition's order: the model's own JSON."""
    return to_json({"@odata.type": ENTITY_TYPE, **properties})


def validate_values(values: Values, validator: Validator) -> Judged:
    """Return the row's state with its warnings, or all its errors and warnings at once."""
    names, headers = values.columns.names, values.columns.headers
    given = dict(zip(names, values.texts, strict=True))
    properties = {each.name: given[each.name] for each in validator.edition.properties if given[each.name].strip()}
    context = _Context([])
    findings: list[Finding] = []
    state: CertificateState | None = None
    header_of = dict(zip(names, headers, strict=True))
    try:
        state = validator.model.model_validate(properties, context=context)
    except ValidationError as problems:
        for problem in problems.errors(include_url=False, include_input=False):
            name = str(problem["loc"][0])
            if problem["type"] == "missing":
                findings.append(_missing(name, header_of[name], given[name]))
            else:
                code = Code(problem["type"])
                findings.append(finding(code, problem["msg"], column=header_of[name], value=given[name]))
    findings += [
        finding(each.code, each.message, column=header_of[each.name], value=given[each.name]) for each in context.warned
    ]
    return Judged(state, platform_of(given["devicePlatform"], validator.edition), tuple(findings))


def platform_of(text: str, edition: Edition) -> str:
    """Return the text if it is a platform of the edition, else ""."""
    (platform_type,) = (each.type for each in edition.properties if each.name == "devicePlatform")
    return text if isinstance(platform_type, EnumType) and text in platform_type.members else ""


def _check_of(prop: Property) -> Check:
    """Return the check of the property's type and shape."""
    check: Callable[[str, _Context, str], str | int]
    if isinstance(prop.type, EnumType):
        enum_type = prop.type
        one = _check_flags if enum_type.is_flags else _check_member

        def check(text: str, _context: _Context, _name: str) -> str:
            return one(text, enum_type)
    elif prop.type is PrimitiveType.INT32:
        check = _check_key_length if prop.shape is Shape.KEY_LENGTH else _check_int32
    elif prop.type is PrimitiveType.DATETIMEOFFSET:
        check = _check_date_time
    else:
        check = TEXT_CHECKS[prop.shape]

    def validate(text: str, context: _Context) -> str | int:
        if len(text) > MOST_CHARACTERS:
            raise _error(
                Code.VALUE_TOO_LONG, f"the cell holds {len(text):,} characters; {MOST_CHARACTERS:,} is the most"
            )
        found = CONTROL.search(text)
        if found:
            raise _error(
                Code.CONTROL_CHARACTER,
                f"character {found.start() + 1} is the control character U+{ord(found.group()):04X}",
            )
        return check(text, context, prop.name)

    return validate


def _in_model(check: Check) -> BeforeValidator:
    """Return the check as pydantic calls it."""

    def validate(text: str, info: ValidationInfo) -> str | int:
        return check(text, cast(_Context, info.context))

    return BeforeValidator(validate)


def _error(code: Code, message: str) -> PydanticCustomError:
    # The message goes in as a value: braces in a cell must not be read as a template.
    return PydanticCustomError(code.value, "{message}", {"message": message})


def _check_text(text: str, context: _Context, name: str) -> str:
    plain = without_marks(text)
    if plain != text:
        at = next((at for at, (was, now) in enumerate(zip(text, plain, strict=False)) if was != now), len(plain))
        message = f"character {at + 1} is the invisible mark U+{ord(text[at]):04X}; it is sent as written"
        context.warned.append(Warned(name, Code.INVISIBLE_MARK, message))
    if text != text.strip():
        context.warned.append(Warned(name, Code.SURROUNDING_SPACE, "blanks around the value are sent as written"))
    return text


def _check_member(text: str, enum_type: EnumType) -> str:
    if text in enum_type.members:
        return text
    raise _error(Code.UNKNOWN_MEMBER, f"not one of {', '.join(enum_type.members)}")


def _check_flags(text: str, enum_type: EnumType) -> str:
    members = [_check_member(part, enum_type) for part in text.split(",")]
    if len(set(members)) < len(members):
        raise _error(Code.UNKNOWN_MEMBER, "a member is written more than once")
    return text


def _check_int32(text: str, _context: _Context, _name: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise _error(Code.NOT_AN_INTEGER, "not a whole number")
    # Python refuses to convert more than 4,300 digits; eleven already are out of range.
    digits = text.lstrip("+-0") or "0"
    number = int(digits) if len(digits) <= 10 else INT32_MAX + 2
    if text.startswith("-"):
        number = -number
    if not INT32_MIN <= number <= INT32_MAX:
        raise _error(Code.INT32_RANGE, f"the number is outside {INT32_MIN} to {INT32_MAX}")
    return number


def _check_key_length(text: str, context: _Context, name: str) -> int:
    number = _check_int32(text, context, name)
    if number not in USUAL_KEY_LENGTHS:
        context.warned.append(Warned(name, Code.KEY_LENGTH_UNUSUAL, f"{number} bits is no usual key length"))
    return number


def _check_date_time(text: str, _context: _Context, _name: str) -> str:
    """Return the text as written, to the last digit."""
    found = DATE_TIME.fullmatch(text)
    if not found:
        raise _error(Code.NOT_A_DATE_TIME, "not in the form 2026-11-23T08:49:13Z, with at most seven fractional digits")
    try:
        local = datetime.fromisoformat(found["local"][:19])
    except ValueError as problem:
        raise _error(Code.NOT_A_DATE_TIME, f"no such date or time: {problem}") from problem
    if not found["offset"]:
        raise _error(Code.DATE_TIME_WITHOUT_OFFSET, "the date and time has no offset from UTC")
    _check_offset(found["offset"], local)
    return text


def _check_offset(offset: str, local: datetime) -> None:
    if offset == "Z":
        return
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    ahead = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or ahead > MOST_OFFSET:
        raise _error(Code.NOT_A_DATE_TIME, f"no offset from UTC is {offset}; the most is 14:00")
    to_utc = ahead if offset[0] == "-" else -ahead
    # .NET's DateTimeOffset refuses an instant whose UTC date lies outside its years.
    if not FIRST_INSTANT - local <= to_utc <= LAST_INSTANT - local:
        raise _error(Code.NOT_A_DATE_TIME, f"with the offset {offset} it lies outside the years 0001 to 9999 in UTC")


def _check_url(text: str, _context: _Context, _name: str) -> str:
    try:
        parts = urlsplit(text)
        is_absolute = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_absolute = False
    if not is_absolute or re.search(r"[\s\x00-\x20<>\"{}|\\^`]", text):
        raise _error(Code.NOT_A_URL, "not an absolute http or https URL")
    return text


def _check_thumbprint(text: str, context: _Context, name: str) -> str:
    text = _check_text(text, context, name)
    digits = hex_digits(text)
    is_hex = bool(re.fullmatch(r"[0-9A-Fa-f]+", digits))
    if is_hex and len(digits) == SHA256_DIGITS:
        message = "64 hexadecimal digits are a SHA-256 hash; Windows and Intune call the SHA-1 hash thumbprint"
    elif not is_hex or len(digits) != SHA1_DIGITS:
        message = "a thumbprint has 40 hexadecimal digits (SHA-1)"
    elif digits != text.strip():
        message = "the thumbprint holds separators or 0x; it is sent as written"
    else:
        return text
    context.warned.append(Warned(name, Code.THUMBPRINT_SHAPE, message))
    return text


def _check_serial_number(text: str, context: _Context, name: str) -> str:
    text = _check_text(text, context, name)
    digits = hex_digits(text)
    if not re.fullmatch(r"[0-9A-Fa-f]+", digits):
        message = "a serial number is written in hexadecimal digits"
    elif len(digits) > MOST_SERIAL_DIGITS:
        message = "a serial number has at most 20 octets, 40 hexadecimal digits (RFC 5280)"
    elif digits != text.strip():
        message = "the serial number holds separators or 0x; it is sent as written"
    else:
        return text
    context.warned.append(Warned(name, Code.SERIAL_NUMBER_SHAPE, message))
    return text


TEXT_CHECKS: dict[Shape, Callable[[str, _Context, str], str]] = {
    Shape.FREE: _check_text,
    Shape.URL: _check_url,
    Shape.THUMBPRINT: _check_thumbprint,
    Shape.SERIAL_NUMBER: _check_serial_number,
}
