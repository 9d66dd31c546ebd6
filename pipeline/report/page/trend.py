"""runs/index.html: how the runs went over time, for imports that come again and again."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from pipeline.report.comparison import Comparison, compare
from pipeline.report.history import PastRun, series_of
from pipeline.report.page.answer import LABELS_OF_ERRORS, LABELS_OF_FAILURES, WORDS, Tone
from pipeline.report.page.shown import instant, minute
from pipeline.report.page.svg import (
    MONTHS,
    NOTHING,
    Look,
    Picture,
    Table,
    bar,
    details,
    figure,
    joined,
    patterns,
    rule,
    text_at,
)
from pipeline.report.page.template import fill_page
from pipeline.wording import counted

MOST_RUNS = 200
"""The runs in the table."""

MOST_COLUMNS = 40
"""The runs of one kind that are drawn."""

MOST_GROUPS = 12
MOST_CAUSES = 10
MOST_NAMES = 3

LEAST_SLOTS = 20
"""Room for so many columns is always there, so that few of them are no wall; the latest one is at the right."""

HEIGHT, TOP = 56, 16
LEAST_LABEL_DISTANCE = 0.5
"""How far apart the two days below a picture stand at least, so that they do not overlap."""

ERRORS = (*LABELS_OF_ERRORS, *LABELS_OF_FAILURES)
TOLD = ("created", "updated", "to create", "to update", "valid", "reversed", "already there", "unsent", "unknown")
"""The terms in the sentence about the latest run, as far as there are rows."""

DRY_VERBS = ("validate", "plan")
"""What sends nothing by its name."""

COUNTED = ("created", "already there", "unknown")
"""The terms that have a column in the table."""


class _Measure(NamedTuple):
    """One number of each run."""

    title: str
    labels: tuple[str, ...]  # of the terms that it adds up; () for the rows read
    tone: str


DRAWN = (
    _Measure("Rows read", (), "info"),
    _Measure("Rows with errors", ERRORS, "bad"),
    _Measure("Created", ("created",), "good"),
    _Measure("To create", ("to create",), "good"),
    _Measure("Valid", ("valid",), "good"),
    _Measure("Unknown", ("unknown",), "doubt"),
)


class _Line(NamedTuple):
    """One run in the table."""

    run: PastRun
    verb: str
    link: str  # to its report, "" where there is none
    files: str
    errors: int
    numbers: tuple[str, ...]  # of the terms COUNTED, "" where a run of its kind has no such term
    end: str  # why it ended early, "" where it did not


class _Group(NamedTuple):
    """The runs that can be compared with each other."""

    name: str  # its id in the page
    title: str
    scope: str  # where the runs sent to, "" of dry runs without a tenant
    told: str
    pictures: tuple[Markup, ...]  # none of a single run
    table: Markup
    before: PastRun | None = None  # the run before the latest one
    comparison: Comparison | None = None


def write_trend(path: Path, runs: Sequence[PastRun], *, now: datetime) -> None:
    """Write the page, in place of an earlier one only when it is complete. Raises OSError.

    The reports are looked for beside the page, in the folder that bears the run's id.
    """
    newest = sorted(runs, key=lambda each: (each.started_at, each.id), reverse=True)
    groups = _groups_of(newest)
    context = dict[str, object](
        written=now.isoformat(),
        latest=_line(newest[0], path.parent) if newest else None,
        told=told_of(newest[0]) if newest else "",
        tone=_tone_of(newest[0]) if newest else Tone.PLAIN,
        words=WORDS,
        groups=groups[:MOST_GROUPS],
        further_groups=len(groups[MOST_GROUPS:]),
        lines=[_line(each, path.parent) for each in newest[:MOST_RUNS]],
        runs=len(newest),
        most_causes=MOST_CAUSES,
    )
    fill_page(path, "trend.html.j2", context)


def told_of(run: PastRun) -> str:
    """Return how the run went, in a sentence or two."""
    read = "to undo" if run.verb == "undo" else "read"
    numbers = [f"{counted(run.rows_read, 'row')} {read}", f"{_rows_of(run, ERRORS):,} with errors"]
    numbers += [f"{rows:,} {label}" for label in TOLD if (rows := _rows_of(run, (label,)))]
    end = f" It stopped before its end: {run.stop}." if run.stop else "" if run.ended_at else " It did not end."
    return f"{_title_of(run)}, {minute(run.started_at)}: {', '.join(numbers)}.{end}"


def _tone_of(run: PastRun) -> Tone:
    if _rows_of(run, ("unknown",)):
        return Tone.DOUBT
    if _rows_of(run, ERRORS) or run.stop or not run.ended_at:
        return Tone.BAD
    return Tone.GOOD


def _groups_of(newest: Sequence[PastRun]) -> list[_Group]:
    """Return the groups, that of the latest run first. An undo is none: its rows are another run's objects."""
    groups: dict[tuple[object, ...], list[PastRun]] = {}
    for run in newest:
        if run.verb != "undo":
            same = (_kind_of(run), series_of(run), run.service_root, run.tenant_id)
            groups.setdefault(same, []).append(run)
    return [_group(f"group-{number}", members) for number, members in enumerate(groups.values(), 1)]


def _group(name: str, newest: Sequence[PastRun]) -> _Group:
    latest = newest[0]
    if len(newest) == 1:
        told = f"{told_of(latest)} A trend needs a second run."
        return _Group(name, _title_of(latest), _scope_of(latest), told, (), NOTHING)
    drawn = newest[:MOST_COLUMNS][::-1]
    labels = {total.label for run in newest for total in run.totals}
    measures = [each for each in DRAWN if each.labels in {(), ERRORS} or labels.intersection(each.labels)]
    table = Table(
        ("Started", *(each.title for each in measures)),
        [(minute(run.started_at), *(_value(run, each) for each in measures)) for run in drawn],
    )
    told = f"{counted(len(newest), 'run')} since {minute(newest[-1].started_at)}"
    return _Group(
        name=name,
        title=_title_of(latest),
        scope=_scope_of(latest),
        told=told + (f", drawn are the last {len(drawn)}" if len(newest) > len(drawn) else ""),
        pictures=tuple(_picture(f"{name}-chart-{number}", each, drawn) for number, each in enumerate(measures, 1)),
        table=details(", ".join(filter(None, (_title_of(latest), _scope_of(latest)))), table),
        before=newest[1],
        comparison=compare(newest[1], latest),
    )


def _picture(name: str, measure: _Measure, runs: Sequence[PastRun]) -> Markup:
    """Return the measure of each run as a column, the latest at the right and in the full colour."""
    values = [_value(run, measure) for run in runs]
    most = max(values)
    slot = 1 / max(len(runs), LEAST_SLOTS)
    latest, earlier = Look(measure.tone, "full"), Look(measure.tone, "plain")
    parts = [patterns(name, (earlier, latest))]
    for place, (run, value) in enumerate(zip(runs, values, strict=True)):
        if value:
            height = max(HEIGHT * value / most, 1.5)  # so that a single row is seen
            x = 1 - slot * (len(runs) - place) + slot * 0.15
            look = latest if place == len(runs) - 1 else earlier
            tip = f"{minute(run.started_at)}: {value:,}"
            parts.append(bar(name, look, x=x, y=TOP + HEIGHT - height, width=slot * 0.7, height=height, tip=tip))
    start = 1 - slot * len(runs)
    parts += [rule(TOP + HEIGHT, "axis"), text_at(1, TOP + HEIGHT + 16, _day_text(runs[-1]), "note", anchor="end")]
    if 1 - start >= LEAST_LABEL_DISTANCE:
        parts.append(text_at(start, TOP + HEIGHT + 16, _day_text(runs[0]), "note"))
    if most:
        parts.append(text_at(0, 10, f"most: {most:,}", "note halo"))
    told = f"{values[-1]:,}" + (f", {_change(values[-2], values[-1])}" if len(values) > 1 else "") + "."
    return figure(
        name,
        measure.title,
        told,
        Picture(joined(parts), TOP + HEIGHT + 22),
        about=f"One column for each run, the latest at the right: {', '.join(f'{each:,}' for each in values)}.",
    )


def _change(before: int, now: int) -> str:
    if now == before:
        return "as many as the run before"
    return f"{abs(now - before):,} {'more' if now > before else 'fewer'} than the run before"


def _value(run: PastRun, measure: _Measure) -> int:
    return _rows_of(run, measure.labels) if measure.labels else run.rows_read


def _rows_of(run: PastRun, labels: Sequence[str]) -> int:
    return sum(total.rows for total in run.totals if total.label in labels)


def _title_of(run: PastRun) -> str:
    """Return such as `Import of inventory.csv`, with the words that tell a dry run from what sends."""
    return f"{_kind_of(run).capitalize()} of {_names_of(run)}"


def _scope_of(run: PastRun) -> str:
    return ", tenant ".join(each for each in (run.service_root, run.tenant_id) if each)


def _kind_of(run: PastRun) -> str:
    """Return what tells apart runs that cannot be compared; `import --dry-run` and `validate` are the same."""
    return "dry run" if run.is_dry_run and run.verb != "plan" else run.verb


def _verb_of(run: PastRun) -> str:
    return f"{run.verb} (dry run)" if run.is_dry_run and run.verb not in DRY_VERBS else run.verb


def _names_of(run: PastRun) -> str:
    further = len(run.files) - MOST_NAMES
    names = [*run.files[:MOST_NAMES], *([f"{further:,} more"] if further > 0 else [])]
    return " and ".join(each for each in (", ".join(names[:-1]), names[-1]) if each) if names else "no file"


def _line(run: PastRun, folder: Path) -> _Line:
    # Only a name, never a path: what stands in the history decides where the link leads.
    is_there = Path(run.id).name == run.id and (folder / run.id / "report.html").is_file()
    link = f"{quote(run.id, safe='')}/report.html" if is_there else ""
    end = run.stop or ("" if run.ended_at else "did not end")
    terms = {total.label: f"{total.rows:,}" for total in run.totals}
    numbers = tuple(terms.get(label, "") for label in COUNTED)
    return _Line(run, _verb_of(run), link, _names_of(run), _rows_of(run, ERRORS), numbers, end)


def _day_text(run: PastRun) -> str:
    try:
        day = instant(run.started_at)
    except ValueError:
        return ""
    return f"{day.day} {MONTHS[day.month - 1]}"
