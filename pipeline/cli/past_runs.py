"""What `runs list` and `runs diff` print: the runs in short, and two of them beside each other. 80 columns."""

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, Field
from rich.console import Console

from pipeline.cli.jobs import settings_of, show
from pipeline.cli.known_runs import KnownRun, find_known, known_runs, nothing_known
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer
from pipeline.cli.terminal import COLOURS_OF_SEVERITIES, print_whole, print_wrapped
from pipeline.errors import UsageError
from pipeline.findings import Severity
from pipeline.report.comparison import ComparedCause, Comparison, compare
from pipeline.report.history import PastRun, series_of
from pipeline.wording import counted

MOST_LISTED = 20

MOST_FILE_CHARACTERS = 50

BAD = ("invalid", "conflicting", "rejected", "missing", "kept", "failed")
"""Labels of rows that are not settled well and whose condition is known."""


class PastRunOfDocument(BaseModel, frozen=True, extra="forbid"):
    """A run in short. Times are UTC, ISO 8601."""

    id: str
    verb: str
    parent: str | None = Field(description="The run that an undo undoes, or whose rows were corrected.")
    dry_run: bool = Field(description="Nothing was sent, and nothing stands in the ledger.")
    service_root: str
    tenant_id: str | None
    edition: str | None = Field(description="Null where the history does not tell.")
    files: list[str] = Field(description="As they were named in the call.")
    started_at: str
    ended_at: str | None = Field(description="Null where the run did not end.")
    stop: str | None = Field(description="Why sending ended before its end.")
    rows_read: int
    totals: dict[str, int]


class RunsDocument(BaseModel, frozen=True, extra="forbid"):
    """What `--output json` answers for runs list."""

    schema_version: Literal[1]
    runs_known: int = Field(description="How many runs there are; fewer are listed without --all.")
    runs: list[PastRunOfDocument] = Field(description="The newest first.")


class ComparedCauseOfDocument(BaseModel, frozen=True, extra="forbid"):
    """One cause in two runs."""

    code: str
    severity: Severity
    column: str | None
    before_rows: int = Field(description="0 where it was not there, or is about whole files.")
    after_rows: int = Field(description="0 where it is not there, or is about whole files.")


class DifferenceDocument(BaseModel, frozen=True, extra="forbid"):
    """What `--output json` answers for runs diff."""

    schema_version: Literal[1]
    before: PastRunOfDocument
    after: PastRunOfDocument
    notes: list[str] = Field(description="What else differs, a sentence each.")
    new: list[ComparedCauseOfDocument]
    cured: list[ComparedCauseOfDocument]
    still: list[ComparedCauseOfDocument]


def list_runs(chosen: Globals, asked: Asked, *, all_runs: bool) -> None:
    """Print the latest runs, or all of them, the newest first.

    Raises UsageError when there is no run yet, or the history cannot be read.
    """
    settings = settings_of(chosen, asked)
    known = known_runs(settings)
    shown = known[::-1] if all_runs else known[: -MOST_LISTED - 1 : -1]
    if chosen.output is Output.JSON:
        runs = [_document_of(each.run) for each in shown]
        document = RunsDocument(schema_version=1, runs_known=len(known), runs=runs)
        answer(f"{document.model_dump_json(indent=2, ensure_ascii=True)}\n")
    elif not known:
        raise UsageError(nothing_known(settings))
    else:
        show(chosen, lambda console: _show_runs(console, shown, len(known)))


def show_difference(chosen: Globals, asked: Asked, first: str, second: str | None) -> None:
    """Print what is new, cured and still broken in the later one of two runs.

    Without the second one it is the latest other run of the same files and edition, or one that corrects the first or
    is corrected by it. Raises UsageError when there is no such run, or when nobody knows the causes of one.
    """
    settings = settings_of(chosen, asked)
    known = known_runs(settings)
    one = find_known(known, first, settings)
    other = find_known(known, second, settings) if second is not None else _comparable(one, known)
    if one.run.id == other.run.id:
        raise UsageError(f"{first} and {second} are the same run; name two")
    for each in (one, other):
        if not each.has_causes:
            raise UsageError(
                f"the causes of run {each.run.id} are not in the history; if it is not running any more, "
                f"`certstate report {each.run.id}` puts them there"
            )
    before, after = sorted((one.run, other.run), key=lambda each: (each.started_at, each.id))
    comparison, notes = compare(before, after), list(_notes(before, after))
    if chosen.output is Output.JSON:
        document = DifferenceDocument(
            schema_version=1,
            before=_document_of(before),
            after=_document_of(after),
            notes=notes,
            new=_causes_of_document(comparison.new),
            cured=_causes_of_document(comparison.cured),
            still=_causes_of_document(comparison.still),
        )
        answer(f"{document.model_dump_json(indent=2, ensure_ascii=True)}\n")
    else:
        show(chosen, lambda console: _show_difference(console, before, after, comparison, notes))


def in_short(run: PastRun) -> str:
    """Return such as `12 errors, 238 created`, without what is zero."""
    bad = sum(each.rows for each in run.totals if each.label in BAD)
    others = [each for each in run.totals if each.label not in {"blank", *BAD}]
    parts = [counted(bad, "error")] if bad else []
    return ", ".join(parts + [f"{each.rows:,} {each.label}" for each in others if each.rows])


def verb_of(run: PastRun) -> str:
    """Return the verb that began the run, with the run that it is about."""
    dry = ", nothing was sent" if run.is_dry_run else ""
    return f"{run.verb}{f', of run {run.parent_id}' if run.parent_id else ''}{dry}"


def _comparable(one: KnownRun, known: Sequence[KnownRun]) -> KnownRun:
    run = one.run
    for each in reversed(known):
        other = each.run
        is_family = run.id == other.parent_id or other.id == run.parent_id
        is_same = (series_of(run), run.edition) == (series_of(other), other.edition)
        is_undo = "undo" in {run.verb, other.verb}
        if other.id != run.id and each.has_causes and (is_family or is_same) and not is_undo:
            return each
    raise UsageError(
        f"no other run read the files of {run.id} with the same edition; name the run to compare it with, as "
        "`certstate runs list` shows it"
    )


def _notes(before: PastRun, after: PastRun) -> Iterable[str]:
    if series_of(before) != series_of(after):
        yield f"The files differ: {_files(before)} before, {_files(after)} after."
    if before.edition != after.edition:
        yield f"The editions differ: {before.edition or 'unknown'} before, {after.edition or 'unknown'} after."
    if (before.service_root, before.tenant_id) != (after.service_root, after.tenant_id):
        places = [f"{each.service_root}, tenant {each.tenant_id or 'none'}" for each in (before, after)]
        yield f"The services or tenants differ: {places[0]} before, {places[1]} after."


def _show_runs(console: Console, shown: Sequence[KnownRun], known: int) -> None:
    print_whole(console, f"{'RUN':<6}  {'STARTED (UTC)':<16}  {'VERB':<8}  {'ROWS':>9}", style="bold")
    for each in shown:
        run = each.run
        first = f"{run.id[-6:]:<6}  {_minute(run.started_at):<16}  {run.verb:<8}  {run.rows_read:>9,}  "
        short = in_short(run) if each.is_read else "not read to the end"
        print_wrapped(console, short, first=first, indent=len(first))
        about = [_files(run)] if run.files else []
        if run.stop:
            about.append(f"stopped: {run.stop}")
        elif not run.ended_at:
            about.append("did not end")
        print_wrapped(console, "; ".join(about), first=" " * 8, indent=8)
    if len(shown) < known:
        print_wrapped(console, f"and {counted(known - len(shown), 'earlier run')}; --all lists them all")


def _show_difference(
    console: Console, before: PastRun, after: PastRun, comparison: Comparison, notes: Sequence[str]
) -> None:
    for label, run in (("Before", before), ("After", after)):
        print_whole(console, f"{label:<7} {run.id}")
        print_wrapped(console, f"{verb_of(run)}; {_minute(run.started_at)} UTC; {_files(run)}", first=" " * 8, indent=8)
    for note in notes:
        print_wrapped(console, note, style="yellow")
    console.print()
    rows = {each.label: (each.rows, 0) for each in before.totals}
    rows |= {each.label: (rows.get(each.label, (0, 0))[0], each.rows) for each in after.totals}
    print_whole(console, f"{'BEFORE':>11}  {'AFTER':>11}", style="bold")
    for label, (was, now) in {"rows read": (before.rows_read, after.rows_read), **rows}.items():
        if was or now:
            print_whole(console, f"{was:>11,}  {now:>11,}  {label}")
    for title, causes in (("New", comparison.new), ("Still there", comparison.still), ("Cured", comparison.cured)):
        console.print()
        print_whole(console, f"{title}: {len(causes) or 'nothing'}", style="bold")
        for cause in causes:
            _print_cause(console, cause)


def _print_cause(console: Console, cause: ComparedCause) -> None:
    where = f", {cause.column}" if cause.column else ""
    was, now = cause.before_rows, cause.after_rows
    if was and now:
        rows = f"{was:,} -> {counted(now, 'row')}"
    else:
        rows = counted(was or now, "row") if was or now else "whole file"
    first = f"  {cause.severity:<8} "
    style = COLOURS_OF_SEVERITIES[cause.severity]
    print_wrapped(console, f"{cause.code}{where}: {rows}", first=first, indent=len(first), style=style)


def _files(run: PastRun) -> str:
    """Return the first file, shortened from its beginning, and how many more there are."""
    if not run.files:
        return "no files"
    name = run.files[0]
    shown = name if len(name) <= MOST_FILE_CHARACTERS else f"...{name[-MOST_FILE_CHARACTERS:]}"
    return shown + (f" and {len(run.files) - 1:,} more" if len(run.files) > 1 else "")


def _minute(instant: str) -> str:
    return instant[:16].replace("T", " ")


def _document_of(run: PastRun) -> PastRunOfDocument:
    return PastRunOfDocument(
        id=run.id,
        verb=run.verb,
        parent=run.parent_id or None,
        dry_run=run.is_dry_run,
        service_root=run.service_root,
        tenant_id=run.tenant_id or None,
        edition=run.edition or None,
        files=list(run.files),
        started_at=run.started_at,
        ended_at=run.ended_at or None,
        stop=run.stop or None,
        rows_read=run.rows_read,
        totals={each.label.replace(" ", "_"): each.rows for each in run.totals},
    )


def _causes_of_document(causes: Iterable[ComparedCause]) -> list[ComparedCauseOfDocument]:
    return [
        ComparedCauseOfDocument(
            code=each.code,
            severity=each.severity,
            column=each.column or None,
            before_rows=each.before_rows,
            after_rows=each.after_rows,
        )
        for each in causes
    ]
