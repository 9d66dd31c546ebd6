"""Whether a body is a managedDeviceCertificateState, as strictly as OData's contract has it. No I/O.

This is a second, independent reading of the edition's tables: the importer's own validation is not used, so that
a fault there shows as a 400 here.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from pipeline.editions import ENTITY_TYPE, Edition, EnumType, PrimitiveType
from pipeline.simulator.answers import Problem, RefusedError

# OData ABNF dateTimeOffsetValue, with .NET's limits: seven fraction digits, offsets up to 14 hours. The seconds may
# be left out.
DATETIMEOFFSET = re.compile(
    r"(?P<minute>[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2})"
    r"(?:(?P<second>:[0-9]{2})(?:\.[0-9]{1,7})?)?"
    r"(?P<offset>Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
)
INT32_LEAST, INT32_MOST = -(2**31), 2**31 - 1


def read_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in `body`. Raises RefusedError (400) for anything else, a name given twice included."""
    if not body:
        raise _refused("Empty Payload. JSON content expected.")
    try:
        text = body.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
        # An escaped half of a surrogate pair is no text: no answer could hold it.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise _refused("Unable to read JSON request payload. Please ensure it is valid JSON in UTF-8.") from exc
    if not isinstance(value, dict):
        raise _refused("The request payload has to be a JSON object.")
    return value


def check_entity(edition: Edition, entity: Mapping[str, object], *, partial: bool) -> None:
    """Return when `entity` can be stored. Raises RefusedError (400) naming the first property that is wrong.

    A partial entity (PATCH) may leave out required properties.
    """
    types = {each.name: each.type for each in edition.properties}
    for name, value in entity.items():
        if name == "@odata.type":
            if value != ENTITY_TYPE:
                raise _refused(f"The @odata.type has to be {ENTITY_TYPE}.")
        elif name == "id":
            raise _refused("The property 'id' is read-only: the service assigns it.")
        elif name not in types:
            raise _refused(f"The property '{name}' does not exist on type '{ENTITY_TYPE[1:]}'.")
        else:
            problem = _value_problem(types[name], value, is_required=name in edition.required)
            if problem:
                raise _refused(f"Cannot convert the value of the property '{name}': {problem}.")
    if not partial:
        for each in edition.properties:
            if each.name in edition.required and each.name not in entity:
                raise _refused(f"The property '{each.name}' is required.")


def _value_problem(type_: PrimitiveType | EnumType, value: object, *, is_required: bool) -> str:
    """Return what is wrong with the value, or ""."""
    if value is None:
        # Only the Edm.String properties are nullable in the CSDL.
        nullable = type_ is PrimitiveType.STRING and not is_required
        return "" if nullable else "null is not allowed"
    if type_ is PrimitiveType.INT32:
        # Python's bool is an int; JSON's true is none.
        fits = isinstance(value, int) and not isinstance(value, bool) and INT32_LEAST <= value <= INT32_MOST
        return "" if fits else "Edm.Int32 is a JSON number without a fraction from -2147483648 to 2147483647"
    if not isinstance(value, str):
        return "a JSON string is expected"
    if isinstance(type_, EnumType):
        return _enum_problem(type_, value)
    if type_ is PrimitiveType.STRING or is_datetimeoffset(value):
        return ""
    return "it is no Edm.DateTimeOffset with an offset and at most seven fraction digits"


def _enum_problem(type_: EnumType, value: str) -> str:
    named = value.split(",") if type_.is_flags else [value]
    if any(each not in type_.members for each in named):
        return f"it is no member of {type_.name}"
    return "" if len(set(named)) == len(named) else f"it names a member of {type_.name} twice"


def is_datetimeoffset(text: str) -> bool:
    """Return whether `text` is an instant between the years 1 and 9999 in UTC that the calendar has."""
    match = DATETIMEOFFSET.fullmatch(text)
    if not match:
        return False
    minute, second, offset = match.group("minute", "second", "offset")
    try:
        datetime.fromisoformat(minute + (second or "") + offset).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _refused(message: str) -> RefusedError:
    return RefusedError(Problem(400, "BadRequest", message))
