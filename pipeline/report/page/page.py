"""report.html: the run for people, in one file that needs no network."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup

from pipeline.findings import REPAIRS, Code, Finding, Severity, text_after
from pipeline.report.causes import Cause, Example
from pipeline.report.lines import Line
from pipeline.report.page import shown
from pipeline.report.page.answer import WORDS, answer_of, tiles_of, tone_of
from pipeline.report.page.charts import causes_chart, expiry_chart, pace_chart, routes_chart
from pipeline.report.page.rows import LIMITS, Limits, pack_lines
from pipeline.report.page.template import fill_page
from pipeline.report.summary import Summary

MOST_CAUSES = 300
"""Causes that the page shows; report.json has them all."""


class FileLink(NamedTuple):
    """A file of the run's folder."""

    name: str
    what: str


class _ShownExample(NamedTuple):
    example: Example
    became: str | None  # what a rule made of the value; None where none changed it


class _ShownCause(NamedTuple):
    cause: Cause
    id: str  # of the panel, the same in each report
    view: str  # what follows `#` for the rows of the cause
    examples: tuple[_ShownExample, ...]


def write_page(path: Path, summary: Summary, lines: Iterable[Line], *, now: datetime, limits: Limits = LIMITS) -> None:
    """Write report.html, in place of an earlier one only when it is complete.

    `lines` come worst first; no more of them are read than the page holds. `now` is aware: what expired before it is
    told as expired. Raises OSError when the file cannot be written.
    """
    fill_page(path, "report.html.j2", _context(summary, lines, now, limits), script="page.js")


def _context(summary: Summary, lines: Iterable[Line], now: datetime, limits: Limits) -> dict[str, object]:
    sources = {each.pk: each for each in summary.sources}
    is_undo = summary.run.verb == "undo"
    causes = list(_shown_causes(summary.causes[:MOST_CAUSES]))
    charts = [
        routes_chart(summary.routes, _without_route(summary)),
        causes_chart(summary.causes),
        expiry_chart(summary.expiry, now.astimezone(UTC).date()),
        pace_chart(summary.steps, summary.pace) if summary.pace else Markup(),
    ]
    return {
        "summary": summary,
        "run": summary.run,
        "kind": kind_of(summary),
        "answer": answer_of(summary),
        "tone": tone_of(summary),
        "tone_word": WORDS[tone_of(summary)],
        "tiles": tiles_of(summary),
        "lasted_s": _lasted_s(summary),
        "charts": [each for each in charts if each],
        "to_mend": [each for each in causes if each.cause.severity is not Severity.INFO],
        "repairs": [each for each in causes if each.cause.severity is Severity.INFO],
        "further_causes": len(summary.causes) - len(causes),
        "links": links_of(summary),
        "rest": ["undo.csv"] if is_undo else ["errors.csv", "repairs.csv"],
        "packed": pack_lines(lines, sources, is_dry_run=summary.is_dry_run, limits=limits),
        "limits": limits,
    }


def kind_of(summary: Summary) -> str:
    """Return what kind of run it is, with what it means for the tenant."""
    if summary.forecast:
        return "Plan: nothing was sent"
    return "Dry run: nothing was sent" if summary.is_dry_run else summary.run.verb.capitalize()


def links_of(summary: Summary) -> list[FileLink]:
    """Return the other files that a run of this kind has in its folder."""
    log = FileLink("run.log", "what happened, step by step")
    document = FileLink("report.json", "this report for programs")
    if summary.run.verb == "undo":
        return [FileLink("undo.csv", "each object, and what became of it"), document, log]
    links = [
        FileLink("errors.xlsx", "the rows to correct, for Excel"),
        FileLink("errors.csv", "the same rows as text"),
        FileLink("repairs.csv", "each value that a rule changed"),
    ]
    if not summary.is_dry_run:
        links += [
            FileLink("created.csv", "what was created or updated"),
            FileLink("unknown.csv", "rows that may have arrived"),
        ]
    return [*links, document, log]


def _shown_causes(causes: Iterable[Cause]) -> Iterator[_ShownCause]:
    taken: set[str] = set()
    for cause in causes:
        name = "-".join(["cause", *(part for part in (_slug(cause.code), _slug(cause.column)) if part)])
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique)
        view = {"code": cause.code, **({"column": cause.column} if cause.column else {})}
        yield _ShownCause(
            cause,
            unique,
            urlencode(view, errors="replace"),
            tuple(_shown_example(cause, each) for each in cause.examples),
        )


def _shown_example(cause: Cause, example: Example) -> _ShownExample:
    if cause.code not in REPAIRS:
        return _ShownExample(example, None)
    change = Finding(Code(cause.code), cause.severity, cause.column, example.value, example.message, cause.hint)
    return _ShownExample(example, text_after(change))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _without_route(summary: Summary) -> int:
    routed = sum(total.rows for line in summary.routes for total in line.totals)
    return max(summary.rows_read - summary.rows_of("blank") - routed, 0)


def _lasted_s(summary: Summary) -> float | None:
    run = summary.run
    if not run.ended_at:
        return None
    return max((shown.instant(run.ended_at) - shown.instant(run.started_at)).total_seconds(), 0.0)
