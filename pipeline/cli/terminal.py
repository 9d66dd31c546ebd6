"""What a person reads at the end of a run. Fits 80 columns; only paths and commands may be longer, to be copied."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipeline.cli.streams import printable
from pipeline.conclude import near_path
from pipeline.findings import ARROW, Severity, shorten
from pipeline.model import RunInfo
from pipeline.report import Cause, Forecast, NextStep, RouteLine, TenantLook, Total
from pipeline.sending_run import Finished

CAUSES_SHOWN = {Severity.ERROR: 10, Severity.WARNING: 6, Severity.INFO: 4}
MOST_MESSAGE_CHARACTERS = 300

MOST_VALUE_CHARACTERS = 60

COLOURS = {
    "created": "green",
    "verified": "green",
    "reversed": "green",
    "valid": "green",
    "already there": "green",
    "to create": "green",
    "to update": "yellow",
    "changed": "yellow",
    "kept": "yellow",
    "not yet visible": "yellow",
    "unsent": "yellow",
    "invalid": "red",
    "conflicting": "red",
    "rejected": "red",
    "failed": "red",
    "differs": "red",
    "missing": "red",
    "not read": "bold red",
    "not checked": "bold red",
    "unknown": "bold red",
}

COLOURS_OF_SEVERITIES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}

NOT_THERE_YET = (
    *("created", "updated", "changed", "rejected", "rejected before", "unsent", "unknown"),
    *("to create", "to update", "not checked"),
)

LOOKS = {
    TenantLook.CHECKED: "The tenant was checked for what it has already.",
    TenantLook.NOT_CHECKED: "The tenant was not checked for what else it has; --remote does that.",
    TenantLook.IMPORT_CHECKS: (
        "The tenant was not checked. The ledger is new to it, so an import checks it first, as --remote does."
    ),
}
"""What a plan knows of the tenant."""


def open_console(*, is_error: bool, has_color: bool) -> Console:
    """Return the console for stdout or stderr; colours only on a terminal, plain ASCII where the encoding needs it."""
    return Console(stderr=is_error, no_color=not has_color, highlight=False, soft_wrap=False, markup=False)


def counted(number: int, noun: str) -> str:
    """Return such as `1 row` or `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return such as 45 s, 3 min 20 s or 5 h 33 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600:,} h {whole % 3_600 // 60} min"


def show_finished(console: Console, finished: Finished) -> None:
    """Print the summary: totals, routes, causes, the conservation line, where the report is, what to do next."""
    summary = finished.summary
    if summary.forecast:
        print_whole(console, f"Plan     {summary.run.id}: nothing was sent")
        _print_scope(console, summary.run)
    elif summary.is_dry_run:
        print_whole(console, f"Dry run  {summary.run.id}: nothing was sent")
    else:
        print_run(console, summary.run)
    if any(total.rows for total in summary.totals):
        console.print()
        print_totals(console, summary.totals)
    if summary.routes:
        console.print()
        _print_routes(console, summary.routes)
    if summary.causes:
        console.print()
        print_causes(console, summary.causes)
    console.print()
    print_wrapped(console, summary.conservation_line, style="" if summary.is_balanced else "bold red")
    _print_how_it_went(console, finished)
    console.print()
    print_whole(console, f"Report: {near_path(finished.folder / 'report.json')}")
    print_next_steps(console, summary.next_steps)


def print_run(console: Console, run: RunInfo) -> None:
    """Print which run this is about, and of what tenant."""
    print_whole(console, f"Run      {run.id}")
    _print_scope(console, run)


def _print_scope(console: Console, run: RunInfo) -> None:
    print_whole(console, f"Service  {run.scope.service_root}")
    print_whole(console, f"Tenant   {run.scope.tenant_id or 'none'}")


def print_next_steps(console: Console, steps: Sequence[NextStep]) -> None:
    """Print what to do next, each with its command whole."""
    for step in steps:
        print_wrapped(console, f"Next: {step.sentence}", indent=6)
        if step.command:
            print_whole(console, f"      {step.command}")


def print_totals(console: Console, totals: Sequence[Total]) -> None:
    """Print each total that is not zero on a line of its own."""
    for total in totals:
        if total.rows:
            console.print(f"{total.rows:>9,}  {total.label}", style=COLOURS.get(total.label, ""))


def _print_routes(console: Console, routes: Sequence[RouteLine]) -> None:
    lines = [("Route", "Profile", "Rows")]
    for line in routes:
        _, _, profile_id, *rest = line.collection.split("/")
        route = rest[-2].removeprefix("microsoft.graph.").removesuffix("CertificateProfile")
        lines.append((route, f"{profile_id[:8]}..", ", ".join(f"{each.rows:,} {each.label}" for each in line.totals)))
    route_width = max(len(route) for route, _, _ in lines)
    for number, (route, profile, rows) in enumerate(lines):
        start = f"{route:<{route_width}}  {profile:<10}  "
        print_wrapped(console, rows, first=start, indent=len(start), style="bold" if number == 0 else "")


def print_causes(console: Console, causes: Sequence[Cause]) -> None:
    """Print the first causes of each severity, and how many more there are."""
    console.print("Causes", style="bold")
    for cause in _shown_causes(causes):
        about = (cause.code, cause.column, counted(cause.rows, "row") if cause.rows else "")
        style = COLOURS_OF_SEVERITIES[cause.severity]
        first = f"{cause.severity:<9}"
        print_wrapped(console, ", ".join(each for each in about if each), first=first, indent=9, style=style)
        is_change = cause.example_message.startswith(f"{cause.example_value}{ARROW}")
        message = shorten(cause.example_message, MOST_MESSAGE_CHARACTERS)
        message += "" if is_change else _example(cause.example_value)
        cure = () if cause.severity is Severity.INFO else (f"-> {cause.hint}",)  # nothing to do
        for line in (cause.places, message, *cure):
            print_wrapped(console, line, first=" " * 9, indent=9)
    further = Counter(cause.severity for cause in causes) - Counter(each.severity for each in _shown_causes(causes))
    if further:
        counts = ", ".join(f"{further[each]:,} {each}" for each in Severity if further[each])
        console.print(f"and {further.total():,} more in report.json: {counts}")


def _shown_causes(causes: Sequence[Cause]) -> list[Cause]:
    """Return the first causes of each severity, so that what was repaired hides no error and no warning."""
    shown = Counter[Severity]()
    chosen = []
    for cause in causes:
        shown[cause.severity] += 1
        if shown[cause.severity] <= CAUSES_SHOWN[cause.severity]:
            chosen.append(cause)
    return chosen


def _example(value: str) -> str:
    if not value:
        return ""
    shown = printable(value[:MOST_VALUE_CHARACTERS]) + ("..." if len(value) > MOST_VALUE_CHARACTERS else "")
    return f' ("{shown}")'


def _print_how_it_went(console: Console, finished: Finished) -> None:
    summary, stats = finished.summary, finished.summary.stats
    if stats and stats.requests:
        sentence = counted(stats.requests, "request")
        if stats.elapsed_s >= 1:
            sentence += f" in {duration(stats.elapsed_s)}"
        if stats.throttled:
            sentence += f"; {stats.throttled:,} refused as too many, waited {duration(stats.paused_s)} for that"
        print_wrapped(console, sentence)
    if summary.rows_of("already there") and not any(summary.rows_of(label) for label in NOT_THERE_YET):
        print_wrapped(console, "Nothing was created: the valid rows are there already.")
    if summary.forecast:
        _print_forecast(console, summary.forecast, summary.rows_of("unknown"))
    if finished.stop_message:
        print_wrapped(console, f"Stopped: {finished.stop_message}", style="bold red")


def _print_forecast(console: Console, forecast: Forecast, unknown: int) -> None:
    if forecast.writes:
        sentence = f"{counted(forecast.writes, 'write')}: at least {duration(forecast.least_s)}"
        if forecast.shared_s > forecast.least_s:
            sentence += f", or {duration(forecast.shared_s)} when other apps leave half of the quota"
        print_wrapped(console, sentence)
    if unknown:
        print_wrapped(console, "An import settles the unknown rows first, by reading the tenant back.")
    print_wrapped(console, LOOKS[forecast.tenant])
    if forecast.saved:
        print_whole(console, f"Plan: {forecast.saved}, its rows beside it in {Path(forecast.saved).stem}.csv")


def print_wrapped(console: Console, text: str, *, first: str = "", indent: int = 0, style: str = "") -> None:
    """Print the text in lines that fit the console: `first` before the first of them, so many blanks before others."""
    # Rich fills wrapped lines up with blanks, which are in the way when they are copied.
    lines = textwrap.wrap(
        printable(" ".join(text.split())),
        width=max(console.width, 40) - 1,
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines or [first.rstrip()]:
        print_whole(console, line, style=style)


def print_whole(console: Console, line: str, *, style: str = "") -> None:
    """Print the line as it is, however long, so that it can be copied."""
    console.print(Text(printable(line), style=style), soft_wrap=True)
