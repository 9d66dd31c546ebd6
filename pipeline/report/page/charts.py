"""The pictures of report.html: the outcome of each route, when the certificates expire, and which causes weigh most.

Each is a whole figure, "" where there is nothing to draw. A sentence tells the finding, a table holds the numbers. The
bars begin at zero; what they mean is told by their patterns and their labels, never by the colour alone.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from markupsafe import Markup

from pipeline.findings import Severity
from pipeline.report.causes import Cause
from pipeline.report.page.expiry_chart import expiry_chart
from pipeline.report.page.pace_chart import pace_chart
from pipeline.report.page.shown import route_name
from pipeline.report.page.svg import (
    Look,
    Picture,
    Table,
    bar,
    cut,
    figure,
    joined,
    key_of,
    note_on_rule,
    patterns,
    percentage,
    text_at,
)
from pipeline.report.summary import RouteLine, Total
from pipeline.wording import counted

__all__ = ["causes_chart", "expiry_chart", "pace_chart", "routes_chart"]

MOST_BARS = 12
"""Routes or causes that are drawn one by one; the others are one bar together, and the table has them all."""

MOST_LINE_CHARACTERS = 46
"""What fits beside each other on a phone, in the small letters below a bar."""

LEAST_SLICE = 0.006
"""The share of its bar that the smallest slice has, so that one row of a million is seen."""

OTHER = Look("muted", "open")

LOOKS = {
    "valid": Look("good", "full"),
    "created": Look("good", "full"),
    "to create": Look("good", "full"),
    "reversed": Look("good", "checks"),
    "updated": Look("good", "bars"),
    "to update": Look("good", "bars"),
    "already there": Look("good", "plain"),
    "duplicate": Look("muted", "open"),
    "changed": Look("warn", "lines"),
    "kept": Look("warn", "lines"),
    "rejected before": Look("warn", "dashes"),
    "unsent": Look("warn", "stripes"),
    "invalid": Look("bad", "bricks"),
    "conflicting": Look("bad", "slopes"),
    "rejected": Look("bad", "grid"),
    "failed": Look("bad", "grid"),
    "missing": Look("bad", "crosses"),
    "unknown": Look("doubt", "dots"),
    "not checked": Look("doubt", "stripes"),
}
"""How the terms of a summary look; no two of one summary have the same pattern, so that paper needs no colour."""

WELL = ("good", "muted")
"""The tones of what needs nobody's attention."""

LOOKS_OF_SEVERITIES = {Severity.ERROR: Look("bad", "full"), Severity.WARNING: Look("warn", "stripes")}
SO_FAR = Look("muted", "plain")

VITAL_SHARE = 0.8
"""The few causes that are named in the sentence make at least so much of the errors."""


def routes_chart(routes: Sequence[RouteLine], without_route: int = 0) -> Markup:
    """Return what became of the rows of each route, those with the most rows first; other rows are only counted."""
    ranked = sorted((each for each in routes if _rows(each)), key=lambda each: -_rows(each))
    if not ranked:
        return Markup("")
    shown = [(route_name(each.collection), each) for each in ranked]
    if len(shown) > MOST_BARS:
        others = ranked[MOST_BARS - 1 :]
        shown = [*shown[: MOST_BARS - 1], (f"{len(others):,} other routes", _together(others))]
    parts, y = [], 0
    for name, line in shown:
        parts.append(text_at(0, y + 13, cut(name), "label"))
        parts.append(joined(_slices(line, y + 19)))
        texts = _lines_of(line)
        parts += (text_at(0, y + 49 + 15 * number, text, "note") for number, text in enumerate(texts))
        y += 56 + 15 * len(texts)
    labels = list(dict.fromkeys(total.label for line in ranked for total in line.totals if total.rows))
    table = Table(
        ("Route", *(each.capitalize() for each in labels), "Rows", "Collection"),
        [
            (route_name(each.collection), *(_rows_of(each, label) for label in labels), _rows(each), each.collection)
            for each in ranked
        ],
    )
    entries = [(LOOKS.get(label, OTHER), label) for label in labels]
    picture = Picture(joined((patterns("chart-routes", (look for look, _ in entries)), *parts)), y - 12)
    return figure(
        "chart-routes",
        "Outcome of each route",
        _finding_of_routes(ranked) + _told_of_others(without_route),
        picture,
        about="Each bar is all rows of one route; its slices are what became of them. Slices are wide enough to be "
        "seen: the numbers count.",
        table=table,
        key=key_of("chart-routes", entries),
    )


def _rows(line: RouteLine) -> int:
    return sum(each.rows for each in line.totals)


def _rows_of(line: RouteLine, label: str) -> int:
    return sum(each.rows for each in line.totals if each.label == label)


def _together(lines: Sequence[RouteLine]) -> RouteLine:
    counts = Counter[str]()
    for line in lines:
        for each in line.totals:
            counts[each.label] += each.rows
    return RouteLine("", tuple(Total(label, rows) for label, rows in counts.items()))


def _slices(line: RouteLine, y: int) -> Iterator[Markup]:
    """Yield one rectangle for each term, as wide as its share; what would not be seen is made wider."""
    totals = [each for each in line.totals if each.rows]
    rows = _rows(line)
    shares = [max(each.rows / rows, LEAST_SLICE) for each in totals]
    x = 0.0
    for each, share in zip(totals, shares, strict=True):
        width = share / sum(shares)
        tip = f"{each.rows:,} {each.label}, {percentage(each.rows, rows)}"
        yield bar("chart-routes", LOOKS.get(each.label, OTHER), x=x, y=y, width=width, height=16, tip=tip)
        x += width


def _lines_of(line: RouteLine) -> list[str]:
    """Return what stands below the bar: the conservation law of the route, in lines that fit a phone."""
    totals = [each for each in line.totals if each.rows]
    words = [f"{each.rows:,} {each.label}" for each in totals]
    lines = [counted(_rows(line), "row") + (": " if len(words) > 1 else " ")]
    for number, word in enumerate(words):
        text = word + (", " if number + 1 < len(words) else "") if len(words) > 1 else totals[0].label
        if len(lines[-1]) + len(text) > MOST_LINE_CHARACTERS:
            lines.append("")
        lines[-1] += text
    return [each.rstrip() for each in lines]


def _finding_of_routes(lines: Sequence[RouteLine]) -> str:
    rows = sum(_rows(each) for each in lines)
    bad = {line.collection: [each for each in line.totals if each.rows and not _is_well(each)] for line in lines}
    worst = max(lines, key=lambda line: sum(each.rows for each in bad[line.collection]))
    told = ", ".join(f"{each.rows:,} {each.label}" for each in bad[worst.collection])
    names = f"{counted(rows, 'row')} on {counted(len(lines), 'route')}"
    if not told:
        return f"{names}: none is left to look at."
    touched = sum(bool(each) for each in bad.values())
    if len(lines) == 1:
        return f"{names}: {told}."
    which = "all" if touched == len(lines) else counted(touched, "route")
    where = f"{which} {'has' if touched == 1 else 'have'} rows to look at"
    most = "" if touched == 1 else "most of them "
    return f"{names}: {where}, {most}{cut(route_name(worst.collection))} ({told})."


def _told_of_others(rows: int) -> str:
    return f" {counted(rows, 'more row')} {'has' if rows == 1 else 'have'} errors and no route." if rows else ""


def _is_well(total: Total) -> bool:
    return LOOKS.get(total.label, OTHER).tone in WELL


def causes_chart(causes: Sequence[Cause]) -> Markup:
    """Return the errors, then the warnings by cause, those of the most rows first, with the share of all so far."""
    groups = [
        (severity, sorted((each for each in causes if each.severity is severity), key=lambda each: -each.rows))
        for severity in (Severity.ERROR, Severity.WARNING)
    ]
    parts, y = [], 0
    for severity, ranked in groups:
        drawn, height = _pareto(severity, [each for each in ranked if each.rows], y)
        parts.append(drawn)
        y += height
    if not y:
        return Markup("")
    rows = [row for severity, ranked in groups for row in _rows_of_causes(ranked)]
    entries = [
        (LOOKS_OF_SEVERITIES[severity], f"rows with this {severity}")
        for severity, ranked in groups
        if any(each.rows for each in ranked)
    ]
    picture = Picture(joined((patterns("chart-causes", [*LOOKS_OF_SEVERITIES.values(), SO_FAR]), *parts)), y - 10)
    return figure(
        "chart-causes",
        "Which causes weigh most",
        " ".join(told for severity, ranked in groups if (told := _finding_of_causes(severity, ranked))),
        picture,
        about="The causes are ranked by their rows, errors and warnings apart. The upper bar is the cause's share, the "
        "thin one below it the share of all causes down to it; the whole width is 100 %.",
        table=Table(("Cause", "Column", "Severity", "Rows", "So far"), rows),
        key=key_of("chart-causes", [*entries, (SO_FAR, "all causes down to this one")]),
    )


class _Ranked(NamedTuple):
    """A cause among those of its severity."""

    label: str
    column: str
    rows: int
    so_far: int  # the rows of all causes down to it


def _ranked(causes: Sequence[Cause]) -> list[_Ranked]:
    """Return the causes as they are drawn, beyond MOST_BARS together."""
    shown = [(each.code, each.column, each.rows) for each in causes[:MOST_BARS]]
    if others := causes[MOST_BARS:]:
        shown.append((f"{counted(len(others), 'other cause')}", "", sum(each.rows for each in others)))
    sums = accumulate(rows for _, _, rows in shown)
    return [_Ranked(*each, so_far) for each, so_far in zip(shown, sums, strict=True)]


def _pareto(severity: Severity, causes: Sequence[Cause], top: int) -> tuple[Markup, int]:
    """Return the bars of one severity from `top` on, and how high they are."""
    if not causes:
        return Markup(""), 0
    whole = sum(each.rows for each in causes)
    vital = _vital(causes)
    parts, y = [text_at(0, top + 14, counted(whole, severity), "heading")], top + 24
    for number, each in enumerate(_ranked(causes), 1):
        numbers = f"{each.rows:,}"
        so_far = f"{percentage(each.so_far, whole)} so far"
        tip = f"{each.label} {each.column}: {numbers} of {whole:,}, {percentage(each.rows, whole)}"
        look = LOOKS_OF_SEVERITIES[severity]
        parts += [
            text_at(0, y + 13, cut(each.label), "label"),
            text_at(1, y + 13, numbers, "number", anchor="end"),
            text_at(0, y + 28, cut(each.column), "note"),
            text_at(1, y + 28, so_far, "note", anchor="end"),
            bar("chart-causes", look, x=0, y=y + 34, width=each.rows / whole, height=10, tip=tip),
            bar("chart-causes", SO_FAR, x=0, y=y + 44, width=each.so_far / whole, height=4),
        ]
        y += 58
        if number == vital < len(causes):
            share = percentage(each.so_far, whole)
            parts.append(note_on_rule(y - 4, "vital", f"{counted(vital, 'cause')}, {share}"))
            y += 18
    return joined(parts), y - top + 10


def _vital(causes: Sequence[Cause]) -> int:
    """Return how many of the ranked causes make at least VITAL_SHARE of all their rows."""
    whole = sum(each.rows for each in causes)
    sums = accumulate(each.rows for each in causes)
    return next(number for number, so_far in enumerate(sums, 1) if so_far >= VITAL_SHARE * whole)


def _finding_of_causes(severity: Severity, ranked: Sequence[Cause]) -> str:
    """Return how few causes make most of the rows, such as `3 of 12 causes make 92 % of the 1,234 errors`."""
    causes = [each for each in ranked if each.rows]
    sentences = []
    if causes:
        whole = sum(each.rows for each in causes)
        vital = _vital(causes)
        some = percentage(sum(each.rows for each in causes[:vital]), whole)
        which = counted(vital, "cause") if vital == len(causes) else f"{vital:,} of {len(causes):,} causes"
        what = f"{some} of the {counted(whole, severity)}"
        if vital == len(causes):
            what = f"the one {severity}" if whole == 1 else f"all {counted(whole, severity)}"
        sentences.append(f"{which} {'makes' if vital == 1 else 'make'} {what}.")
    if about_files := len(ranked) - len(causes):
        verb = "is" if about_files == 1 else "are"
        sentences.append(f"{counted(about_files, severity)} {verb} about whole files.")
    return " ".join(sentences)


def _rows_of_causes(ranked: Sequence[Cause]) -> Iterator[tuple[str | int, ...]]:
    whole = sum(each.rows for each in ranked)
    sums = accumulate(each.rows for each in ranked)
    for each, so_far in zip(ranked, sums, strict=True):
        share = percentage(so_far, whole) if each.rows else ""
        yield each.code, each.column, each.severity.value, each.rows or "whole file", share
