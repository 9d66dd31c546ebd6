"""How texts of a file, of the service and of time are shown on a page. No I/O."""

from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup, escape

from pipeline.findings import shorten

MOST_CHARACTERS = 1_000
"""What a page shows of one text; errors.csv and repairs.csv have it whole."""

INVISIBLE_LETTERS = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)
"""Signs that Python calls printable and no font shows (Unicode's DerivedCoreProperties.txt,
Default_Ignorable_Code_Point)."""


def is_invisible(sign: str) -> bool:
    """Return True for a sign that is not seen, or that changes how its neighbours are seen; a blank is none."""
    return not sign.isprintable() or sign in INVISIBLE_LETTERS


def visible(text: str, most: int = MOST_CHARACTERS) -> Markup:
    """Return the text, shortened, as markup that no sign of it can leave: `U+202E` stands where that sign was.

    Blanks at both ends are shown too, since they are what is wrong then. The text is isolated from the direction of
    writing around it.
    """
    shown = shorten(text, most)
    inner = shown.strip(" ")
    start = len(shown) - len(shown.lstrip(" ")) if inner else len(shown)
    marked = [_mark("space")] * start + _pieces(inner) + [_mark("space")] * (len(shown) - start - len(inner))
    return Markup("<bdi>{}</bdi>").format(Markup("").join(marked))


def code(text: str) -> Markup:
    """Return lines that are to be copied, whole, with their invisible signs by their numbers."""
    return Markup("\n").join(Markup("").join(_pieces(line)) for line in text.split("\n"))


def prose(text: str) -> Markup:
    """Return a sentence of ours with what stands between backticks as code."""
    shown = shorten(text, MOST_CHARACTERS)
    parts = shown.split("`")
    if len(parts) % 2 == 0:  # one has no other
        parts = [shown]
    return Markup("").join(
        Markup("<code>{}</code>").format(visible(part)) if number % 2 else Markup("").join(_pieces(part))
        for number, part in enumerate(parts)
    )


def _pieces(text: str) -> list[Markup]:
    pieces: list[Markup] = []
    for invisible, signs in groupby(text, is_invisible):
        run = "".join(signs)
        pieces += [_mark(f"U+{ord(sign):04X}") for sign in run] if invisible else [escape(run)]
    return pieces


def _mark(text: str) -> Markup:
    return Markup('<span class="sign">{}</span>').format(text)


def instant(text: str) -> datetime:
    """Return the ISO 8601 text as a time in UTC; one without an offset is UTC."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def clock_time(text: str) -> str:
    """Return the ISO 8601 text such as `2026-11-23 08:49:13 UTC`."""
    return f"{instant(text):%Y-%m-%d %H:%M:%S} UTC"


def minute(text: str) -> str:
    """Return such as `2026-11-23 08:49 UTC`, and a text that is no time as it is."""
    try:
        return f"{instant(text):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text


def route_name(collection: str) -> str:
    """Return such as `iosScep 6a1f0e5c..`: the route and the beginning of its profile's id.

    A path of another shape, as `routes:` in config.yaml can make it, comes back as it is.
    """
    parts = collection.split("/")
    casts = [each.rpartition(".")[2] for each in parts if each.startswith("microsoft.graph.")]
    if not casts or len(parts) < 3:
        return collection
    return f"{casts[-1].removesuffix('CertificateProfile')} {parts[2][:8]}.."
