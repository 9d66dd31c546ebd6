"""What a person reads at the end of a run. Fits 80 columns; only paths and commands may be longer, to be copied."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from pipeline.cli.fitting import cells, cut, filled, showable, wrapped
from pipeline.cli.streams import printable
from pipeline.findings import ARROW, Severity, shorten
from pipeline.model import RunInfo
from pipeline.next_steps import near_path
from pipeline.report import Cause, Eta, Forecast, NextStep, RouteLine, Summary, TenantLook, Total
from pipeline.report.page.answer import WORDS, Tone, answer_of, tone_of
from pipeline.sending_run import Finished
from pipeline.wording import counted, duration

CAUSES_SHOWN = {Severity.ERROR: 20, Severity.WARNING: 6, Severity.INFO: 4}
MOST_MESSAGE_CHARACTERS = 300

MOST_VALUE_CHARACTERS = 60
MOST_ROUTE_CELLS = 34
PROFILE_CELLS = 10

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

COLOURS_OF_TONES = {
    Tone.GOOD: "bold green",
    Tone.WARN: "bold yellow",
    Tone.BAD: "bold red",
    Tone.DOUBT: "bold red",
    Tone.PLAIN: "bold",
}

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
    """Return the console for stdout or stderr: colours, and anything else than lines, on a terminal only."""
    stream = sys.stderr if is_error else sys.stdout
    return Console(
        stderr=is_error,
        force_terminal=stream is not None and stream.isatty(),  # whatever the environment wishes for
        color_system="auto" if has_color else None,
        highlight=False,
        soft_wrap=False,
        markup=False,
    )


def show_finished(console: Console, finished: Finished) -> None:
    """Print the summary: totals, routes, causes; then how good it is, where the reports are, and what to do next."""
    summary = finished.summary
    nothing_sent = f"{summary.run.id}: nothing was sent"
    if summary.forecast:
        print_wrapped(console, nothing_sent, first="Plan     ", indent=9)
        _print_scope(console, summary.run)
    elif summary.is_dry_run:
        print_wrapped(console, nothing_sent, first="Dry run  ", indent=9)
    else:
        print_run(console, summary.run)
    if summary.corrects:
        print_wrapped(console, ", ".join(summary.corrects), first="Corrects ", indent=9)
    if any(total.rows for total in summary.totals):
        console.print()
        print_totals(console, summary.totals)
    if summary.routes:
        console.print()
        _print_routes(console, summary.routes)
    if summary.causes:
        console.print()
        print_causes(console, summary.causes)
    if block := summary.config_block:
        console.print()
        print_wrapped(console, "For config.yaml; fill in each `...`, and leave out what you do not want:", style="bold")
        for line in block.splitlines():
            # From the first column on, to be copied as it is.
            print_whole(console, showable(printable(line), console.encoding), style="cyan")
    console.print()
    tone = tone_of(summary)
    word = f"{WORDS[tone]}. " if WORDS[tone] else ""
    print_wrapped(console, f"{word}{answer_of(summary)}", style=COLOURS_OF_TONES[tone])
    print_wrapped(console, summary.conservation_line, style="" if summary.is_balanced else "bold red")
    _print_how_it_went(console, finished)
    console.print()
    _print_reports(console, finished)
    print_next_steps(console, summary.next_steps)


def _print_reports(console: Console, finished: Finished) -> None:
    summary, folder = finished.summary, near_path(finished.folder)
    print_whole(console, f"Report: {folder / 'report.html'}")
    if summary.has_rows_to_mend and (finished.folder / "errors.xlsx").exists():
        print_whole(console, f"To mend: {folder / 'errors.xlsx'}")
    for each in summary.annotated:
        if each.copy:
            print_whole(console, f"Marked: {folder / each.copy}")
        else:
            print_wrapped(console, f"Not marked: {each.file}, because {each.reason}", indent=8)


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
        print_wrapped(console, f"Next: {step.sentence}", indent=6, keeps_paths=True)
        if step.command:
            print_whole(console, f"      {step.command}")


def print_totals(console: Console, totals: Sequence[Total]) -> None:
    """Print each total that is not zero on a line of its own."""
    for total in totals:
        if total.rows:
            console.print(f"{total.rows:>9,}  {total.label}", style=COLOURS.get(total.label, ""))


class Route(NamedTuple):
    """A collection in short."""

    name: str
    profile: str  # the first digits of the profile's id


def route_of(collection: str) -> Route:
    """Return such as iosScep and 0000000a.. for the path of a collection, as far as `routes:` left it that shape."""
    parts = collection.split("/")
    name = parts[-2].removeprefix("microsoft.graph.").removesuffix("CertificateProfile") if len(parts) > 1 else ""
    profile = parts[2][:8] if len(parts) > 3 else ""
    return Route(cut(printable(name), MOST_ROUTE_CELLS), f"{cut(printable(profile), 8)}..")


def _print_routes(console: Console, routes: Sequence[RouteLine]) -> None:
    lines = [("Route", "Profile", "Rows")]
    for line in routes:
        rows = ", ".join(f"{each.rows:,} {each.label}" for each in line.totals)
        name, profile = (showable(each, console.encoding) for each in route_of(line.collection))
        lines.append((cut(name, MOST_ROUTE_CELLS), cut(profile, PROFILE_CELLS), rows))
    route_width = max(cells(route) for route, _, _ in lines)
    for number, (route, profile, rows) in enumerate(lines):
        start = f"{filled(route, route_width)}  {filled(profile, PROFILE_CELLS)}  "
        print_wrapped(console, rows, first=start, indent=cells(start), style="bold" if number == 0 else "")


def print_causes(console: Console, causes: Sequence[Cause]) -> None:
    """Print the first causes of each severity, and how many more there are."""
    console.print("Causes", style="bold")
    for cause in _shown_causes(causes):
        about = (cause.code, cause.column, counted(cause.rows, "row") if cause.rows else "")
        style = COLOURS_OF_SEVERITIES[cause.severity]
        first = f"{cause.severity:<9}"
        print_wrapped(console, ", ".join(each for each in about if each), first=first, indent=9, style=style)
        example = cause.examples[0]
        is_change = example.message.startswith(f"{example.value}{ARROW}")
        message = shorten(example.message, MOST_MESSAGE_CHARACTERS)
        message += "" if is_change else _example(example.value)
        cure = () if cause.severity is Severity.INFO else (f"-> {cause.hint}",)  # nothing to do
        for line in (cause.places, message, *cure):
            print_wrapped(console, line, first=" " * 9, indent=9)
    further = Counter(cause.severity for cause in causes) - Counter(each.severity for each in _shown_causes(causes))
    if further:
        counts = ", ".join(f"{further[each]:,} {each}" for each in Severity if further[each])
        print_wrapped(console, f"and {further.total():,} more in the report: {counts}")


def _shown_causes(causes: Sequence[Cause]) -> list[Cause]:
    """Return the first causes of each severity; where there are errors nobody looks at what was repaired."""
    shown = Counter[Severity]()
    chosen = []
    has_errors = any(cause.severity is Severity.ERROR for cause in causes)
    for cause in causes:
        if has_errors and cause.severity is Severity.INFO:
            continue
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
    summary = finished.summary
    for sentence in _sentences(summary):
        print_wrapped(console, sentence)
    if summary.forecast:
        _print_forecast(console, summary.forecast, summary.rows_of("unknown"))
    held_back = _held_back(finished)
    if held_back:
        were, them = ("was", "it") if held_back == 1 else ("were", "them")
        rows = counted(held_back, "row")
        print_wrapped(console, f"{rows} {were} held back by --limit; `certstate resume` sends {them}.")
    if finished.stop_message and finished.stop_message not in answer_of(summary):
        print_wrapped(console, f"Stopped: {finished.stop_message}", style="bold red", keeps_paths=True)


def _sentences(summary: Summary) -> Iterator[str]:
    """Yield how sending went, and how long what is left takes."""
    stats, pace = summary.stats, summary.pace
    if stats and stats.requests:
        sentence = counted(stats.requests, "request")
        if stats.elapsed_s >= 1:
            sentence += f" in {duration(stats.elapsed_s)}"
        if stats.throttled:
            sentence += f"; {stats.throttled:,} refused as too many, waited {duration(stats.paused_s)} for that"
        yield sentence
    if pace and pace.requests > pace.quota:  # of fewer the share says nothing
        yield f"{pace.quota_used:.0%} of the quota of {pace.quota:,} in {pace.window_s:g} s was used"
    if summary.rows_of("already there") and not any(summary.rows_of(label) for label in NOT_THERE_YET):
        yield "Nothing was created: the valid rows are there already."
    if summary.eta is not None and (summary.forecast or summary.eta.shared_s >= 1):
        yield _in_words(summary, summary.eta)


def _in_words(summary: Summary, eta: Eta) -> str:
    """Return how long the rows that can be sent take."""
    if summary.run.verb == "undo":
        what = f"deleting the {counted(eta.rows, 'object')} left"
    elif summary.forecast:
        what = f"{counted(eta.rows, 'write')}:"
    elif summary.is_dry_run:
        what = f"importing the {counted(eta.rows, 'valid row')}"
    else:
        what = f"sending the {counted(eta.rows, 'unsent row')}"
    takes = "at least" if summary.forecast else "takes at least"
    sentence = f"{what} {takes} {duration(max(eta.least_s, 1))}"
    if eta.shared_s > eta.least_s:
        sentence += f", or {duration(eta.shared_s)} when other apps leave half of the quota"
    return sentence[0].upper() + sentence[1:]


def _held_back(finished: Finished) -> int:
    """Return how many rows `--limit` left planned: unsent though nothing stopped the run and no answer says why."""
    summary = finished.summary
    if summary.is_dry_run or finished.stop_message or summary.run.stop or not summary.run.ended_at:
        return 0
    refused = sum(each.rows for each in summary.causes if each.code.split(" ")[0] == "unsent")
    return max(min(summary.waiting_rows, summary.rows_of("unsent") - refused), 0)


def _print_forecast(console: Console, forecast: Forecast, unknown: int) -> None:
    if unknown:
        print_wrapped(console, "An import settles the unknown rows first, by reading the tenant back.")
    print_wrapped(console, LOOKS[forecast.tenant])
    if forecast.saved:
        print_whole(console, f"Plan: {forecast.saved}, its rows beside it in {Path(forecast.saved).stem}.csv")


def print_wrapped(
    console: Console, text: str, *, first: str = "", indent: int = 0, style: str = "", keeps_paths: bool = False
) -> None:
    """Print the text in lines that fit the console: `first` before the first of them, so many blanks before others."""
    # Rich fills wrapped lines up with blanks, which are in the way when they are copied.
    shown = showable(printable(" ".join(text.split())), console.encoding)
    width = max(console.width, 40) - 1
    for line in wrapped(shown, width, first=first, indent=indent, keeps_paths=keeps_paths):
        print_whole(console, line, style=style)


def print_whole(console: Console, line: str, *, style: str = "") -> None:
    """Print the line as it is, however long, so that it can be copied."""
    # What the encoding lacks becomes a question mark, which in the name of a file stands for any character.
    console.print(Text(printable(line), style=style), soft_wrap=True)
