"""What the pictures are drawn with: SVG whose widths are shares, in a figure that tells the same in words and numbers.

No viewBox: it would shrink the text with the picture. Here only the widths give way, and the text keeps its size on a
phone and on paper. Nothing has a style attribute, which the page's content security policy forbids.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from markupsafe import Markup

from pipeline.report.page.shown import is_invisible

MOST_LABEL_CHARACTERS = 36
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


NOTHING = Markup("")


class Look(NamedTuple):
    """How an area is filled: a colour, and a pattern by which it is known without the colour."""

    tone: str  # one of good, warn, bad, doubt, info, muted, accent
    pattern: str  # a key of PATTERNS


PATTERNS = {
    "full": "",
    "plain": "",
    "stripes": "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4",
    "slopes": "M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4",
    "grid": "M0,2 h8 M0,6 h8 M2,0 v8 M6,0 v8",
    "bars": "M2,0 v8 M6,0 v8",
    "lines": "M0,2 h8 M0,6 h8",
    "dots": "M1.5,2 h1.6 M5.5,6 h1.6",
    "crosses": "M0,0 l8,8 M8,0 l-8,8",
    "dashes": "M0,2 h4 M4,6 h4",
    "checks": "M0,0.8 h4 M0,3.2 h4 M4,4.8 h4 M4,7.2 h4",
    "bricks": "M0,0.8 h8 M0,4.8 h8 M2,0.8 v4 M6,4.8 v4",
    "open": "",
}
"""The lines of each pattern within a tile of 8 by 8; `full` is the whole colour, `plain` a pale one, `open` none."""

TINTS = {"full": "", "open": " chart-clear"}
"""How much of the colour lies behind the lines, where it is not the usual pale one."""


class Table(NamedTuple):
    """The numbers of a picture. Whole numbers stand at the right, with their thousands told apart."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | int]]


class Picture(NamedTuple):
    """What stands within a figure's svg."""

    content: Markup
    height: int  # pixels


def element(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """Return the element, everything escaped but what is Markup. An attribute of None is left out.

    `class_` is the attribute class, and an underscore within a name is a hyphen.
    """
    pairs = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), printable(str(value)))
        for key, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(each if isinstance(each, Markup) else printable(each) for each in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, pairs, content)


def joined(parts: Iterable[Markup]) -> Markup:
    """Return the parts one after another."""
    return Markup("").join(parts)


def printable(text: str) -> str:
    """Return the text with such as `U+202E` in place of what is not seen, or changes how its neighbours are seen."""
    return "".join(f"U+{ord(each):04X}" if is_invisible(each) else each for each in text)


def cut(text: str, most: int = MOST_LABEL_CHARACTERS) -> str:
    """Return the text on one line, cut to so many characters with the cut shown."""
    one_line = " ".join(text[: 10 * most].split())
    return one_line if len(one_line) <= most else f"{one_line[: most - 1].rstrip()}…"


def percent(share: float) -> str:
    """Return a share of 1 as a length, such as 37.5%."""
    return f"{share * 100:.3f}".rstrip("0").rstrip(".") + "%"


def percentage(part: int, whole: int) -> str:
    """Return such as `92 %`, cut: `100 %` is all of it, and `<1 %` is not nothing."""
    whole_percents = part * 100 // whole
    return "<1 %" if part and not whole_percents else f"{whole_percents} %"


def text_at(x: float, y: float, text: str, kind: str, *, anchor: str | None = None, dx: int | None = None) -> Markup:
    """Return a text: `x` is a share of the picture, `y` the pixels of its base line, `kind` words of chart-KIND."""
    words = " ".join(f"chart-{each}" for each in kind.split())
    return element("text", text, x=percent(x), dx=dx, y=f"{y:g}", text_anchor=anchor, class_=words)


def rule(y: float, kind: str) -> Markup:
    """Return a line across the picture."""
    return element("line", x1="0", x2="100%", y1=f"{y:g}", y2=f"{y:g}", class_=f"chart-{kind}")


def note_on_rule(y: float, kind: str, text: str) -> Markup:
    """Return a line across the picture with words at its right end, in 20 pixels from `y` on."""
    return joined((rule(y + 9.5, kind), text_at(1, y + 13, text, "note halo", anchor="end")))


def day_text(day: date) -> str:
    """Return such as 23 Nov 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def bar(prefix: str, look: Look, *, x: float, y: float, width: float, height: float, tip: str = "") -> Markup:
    """Return a filled rectangle: `x` and `width` are shares of the picture, `y` and `height` pixels."""
    title = (element("title", tip),) if tip else ()
    return element(
        "rect",
        *title,
        x=percent(x),
        y=f"{y:g}",
        width=percent(width),
        height=f"{height:g}",
        fill=f"url(#{_pattern_id(prefix, look)})",
        class_=f"chart-bar line-{look.tone}",
    )


def patterns(prefix: str, looks: Iterable[Look]) -> Markup:
    """Return the definitions of the looks that the bars of the picture with this prefix have."""
    return element("defs", joined(_pattern(prefix, look) for look in dict.fromkeys(looks)))


def _pattern_id(prefix: str, look: Look) -> str:
    return f"{prefix}-{look.tone}-{look.pattern}"


def _pattern(prefix: str, look: Look) -> Markup:
    ground = element("rect", width=8, height=8, class_="chart-ground")
    tint = element("rect", width=8, height=8, class_=f"fill-{look.tone}{TINTS.get(look.pattern, ' chart-tint')}")
    path = PATTERNS[look.pattern]
    lines = (element("path", d=path, class_=f"line-{look.tone} chart-hatch"),) if path else ()
    name = _pattern_id(prefix, look)
    return element("pattern", ground, tint, *lines, id=name, width=8, height=8, patternUnits="userSpaceOnUse")


def key_of(prefix: str, entries: Iterable[tuple[Look, str]]) -> Markup:
    """Return the list that says what each look means; their patterns stand in the picture with the same prefix."""
    items = (element("li", swatch(prefix, look), label) for look, label in entries)
    return element("ul", joined(items), class_="chart-key")


def swatch(prefix: str, look: Look) -> Markup:
    """Return a small sample of the look."""
    sample = bar(prefix, look, x=0, y=0, width=1, height=12)
    return element("svg", sample, width=18, height=12, class_="chart-swatch", aria_hidden="true", focusable="false")


def figure(
    name: str,
    title: str,
    finding: str,
    picture: Picture,
    *,
    about: str,
    table: Table | None = None,
    key: Markup = NOTHING,
) -> Markup:
    """Return the whole figure.

    `finding` is the sentence that tells what the picture shows, `about` says how it is drawn, `name` is the figure's id
    and begins all others. `key` stands above the picture.
    """
    told = element("span", finding).replace(" %", "\u00a0%")  # no line begins with the sign
    caption = element("figcaption", element("strong", title, class_="chart-title"), " ", told)
    drawing = element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", f"{finding} {about}", id=f"{name}-desc"),
        picture.content,
        width="100%",
        height=picture.height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        focusable="false",
    )
    folded = NOTHING if table is None else details(title, table)
    return element("figure", caption, key, drawing, folded, class_="chart", id=name)


def details(title: str, table: Table) -> Markup:
    """Return the table, folded. Its frame can be scrolled with the keyboard where a phone is too narrow for it."""
    hidden = element("span", f": {title}", class_="unseen")
    frame = element(
        "div", table_of(table), class_="chart-table", tabindex=0, role="region", aria_label=f"{title}, as a table"
    )
    return element("details", element("summary", "As a table", hidden), frame)


def table_of(table: Table) -> Markup:
    """Return the table; the first cell of each row is its header."""
    head = element("tr", joined(element("th", each, scope="col") for each in table.header))
    rows = (element("tr", joined(_cell(place, cell) for place, cell in enumerate(row))) for row in table.rows)
    return element("table", element("thead", head), element("tbody", joined(rows)))


def _cell(place: int, cell: str | int) -> Markup:
    text = f"{cell:,}" if isinstance(cell, int) else cell
    kind = "number" if isinstance(cell, int) else None
    return element("td", text, class_=kind) if place else element("th", text, scope="row", class_=kind)
