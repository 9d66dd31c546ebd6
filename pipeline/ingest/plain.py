"""Plain texts: those of which it is certain, by one pattern, that they are sent as they stand and nothing is told.

pydantic-core looks at a whole column at once, in a fraction of a microsecond a cell. A pattern is narrow on purpose:
what it leaves out may be as sound, and is looked at by the rules themselves (cells.py). What it takes in must be plain
by those rules: a test asks them about texts of all kinds.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError

from pipeline.editions import EnumType, PrimitiveType, Property, Shape
from pipeline.validate import MOST_CHARACTERS, MOST_SERIAL_DIGITS
from pipeline.values import ENHANCED_KEY_USAGES

LETTERS = (
    r"\x{C0}-\x{24F}"  # Latin
    r"\x{391}-\x{3C9}\x{400}-\x{481}\x{48A}-\x{52F}"  # Greek, Cyrillic
    r"\x{3041}-\x{3096}\x{30A1}-\x{30FA}\x{4E00}-\x{9FA5}\x{AC00}-\x{D7A3}"  # Japanese, Chinese, Korean
)
INNER = rf'[ !"$-~{LETTERS}]'  # no #, with which a failed formula begins
AT_END = rf'[!"$-~{LETTERS}]'
FREE_TEXT = rf'[!"$-&(-~{LETTERS}](?:{INNER}*{AT_END})?'
"""It begins with no apostrophe, by which our reports mask a formula."""

YEAR = r"(?:197[1-9]|19[89][0-9]|[2-8][0-9]{3})"  # without those that programs write for none or never
DAY_OF_YEAR = r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
TIME_OF_DAY = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,7})?"
DATE_TIME = rf"{YEAR}-{DAY_OF_YEAR}T{TIME_OF_DAY}(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"

# Not with 00 at the end: a decimal number with nothing but zeros from its sixteenth digit on is a rounded one.
THUMBPRINT = r"[0-9A-F]{38}(?:[0-9A-F][1-9A-F]|[1-9A-F]0)"
SERIAL_NUMBER = r"[0-9]*[A-F][0-9A-F]*"  # of decimal digits alone it would be doubtful

PATTERNS: Mapping[tuple[PrimitiveType | EnumType, Shape], str] = {
    (PrimitiveType.DATETIMEOFFSET, Shape.FREE): DATE_TIME,
    (PrimitiveType.STRING, Shape.FREE): FREE_TEXT,
    (PrimitiveType.STRING, Shape.THUMBPRINT): THUMBPRINT,
    (PrimitiveType.STRING, Shape.SERIAL_NUMBER): SERIAL_NUMBER,
}

Plain = TypeAdapter[list[str]]


def plain_of(prop: Property | None, *, may_be_empty: bool) -> Plain | None:
    """Return what tells the property's plain texts; None where each distinct text is better read once.

    `may_be_empty` says that nothing is told of an empty cell.
    """
    if prop is None or prop.name in ENHANCED_KEY_USAGES:
        return None
    pattern = PATTERNS.get((prop.type, prop.shape))
    if pattern is None:
        return None
    or_empty = "|" if may_be_empty else ""
    most = MOST_SERIAL_DIGITS if prop.shape is Shape.SERIAL_NUMBER else MOST_CHARACTERS
    return TypeAdapter(list[Annotated[str, StringConstraints(pattern=f"^(?:{pattern}{or_empty})$", max_length=most)]])


def places_not_plain(texts: Sequence[str], plain: Plain) -> list[int]:
    """Return the places of the texts that are not plain, ascending."""
    try:
        plain.validate_python(texts)
    except ValidationError as problems:
        found = problems.errors(include_url=False, include_context=False, include_input=False)
        return [int(each["loc"][0]) for each in found]
    return []
