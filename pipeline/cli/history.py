"""What `runs show` prints: a run in short, or all that happened to one of its rows. Reads only. 80 columns."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field
from rich.console import Console

from pipeline.cli.jobs import settings_of, show
from pipeline.cli.known_runs import dry_run_named
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer
from pipeline.cli.terminal import print_run, print_totals, print_whole, print_wrapped
from pipeline.errors import UsageError
from pipeline.findings import Severity
from pipeline.ledger import Event, RowStory, find_run, open_ledger, row_stories, source_infos, state_counts
from pipeline.model import RunInfo
from pipeline.next_steps import near_path
from pipeline.report import Terms, Total, totals_of
from pipeline.report.history import PastRun
from pipeline.sending_run import need_ledger, scope_shown
from pipeline.wording import counted

MOST_CAUSES = 10


class ToldRun(BaseModel, frozen=True, extra="forbid"):
    """The run as a whole. Times are UTC, ISO 8601."""

    id: str
    verb: str
    parent: str | None = Field(description="The run that an undo undoes, or whose rows were corrected.")
    service_root: str
    tenant_id: str = Field(description="Empty where there is none.")
    edition: str
    certstate_version: str | None = Field(description="Null for a dry run.")
    started_at: str
    ended_at: str | None = Field(description="Null where the run did not end.")
    stop: str | None = Field(description="Why sending ended before its end.")
    stop_message: str | None
    folder: str = Field(description="The folder with the run's reports.")


class RunDocument(BaseModel, frozen=True, extra="forbid"):
    """What `--output json` answers for runs show."""

    schema_version: Literal[1]
    run: ToldRun
    totals: dict[str, int]


class ToldFinding(BaseModel, frozen=True, extra="forbid"):
    """What is wrong with a value of the row, or was changed in it. Texts are empty where there is none."""

    code: str
    severity: Severity
    column: str
    value: str
    message: str
    hint: str


class ToldEvent(BaseModel, frozen=True, extra="forbid"):
    """One step of the row's object."""

    at: str = Field(description="UTC, ISO 8601.")
    run: str = Field(description="The run that took the step.")
    operation: str
    state: str
    attempts: int
    http_status: int | None
    graph_code: str | None
    message: str | None
    id: str | None = Field(description="The object's, as the service assigned it.")
    request_id: str | None
    client_request_id: str | None


class ToldRow(BaseModel, frozen=True, extra="forbid"):
    """Where a row stands, and all that happened to its object."""

    file: str
    sheet: str | None
    row: int = Field(description="As the spreadsheet shows it.")
    state: str
    operation: str
    collection: str | None
    key: str | None = Field(description="What makes this object the same one in two files.")
    findings: list[ToldFinding]
    events: list[ToldEvent] = Field(description="The oldest first.")


class RowsDocument(BaseModel, frozen=True, extra="forbid"):
    """What `--output json` answers for runs show --row."""

    schema_version: Literal[1]
    run: ToldRun
    rows: list[ToldRow]


def show_history(chosen: Globals, asked: Asked, wanted: str | None, row_number: int | None) -> None:
    """Print the run in short, or the story of its row; of a dry run what the history knows.

    Raises UsageError when there is no such run, or it has no such row.
    """
    settings = settings_of(chosen, asked)
    dry_run = dry_run_named(settings, wanted) if wanted is not None else None
    if dry_run is not None:
        _tell_dry_run(chosen, dry_run, settings.runs_dir / dry_run.id, row_number)
        return
    need_ledger(settings)
    with closing(open_ledger(settings.ledger_path, scope_shown(settings))) as ledger:
        run = find_run(ledger, wanted)
        sources = source_infos(ledger, run.id)
        terms = Terms.UNDO if run.verb == "undo" else Terms.IMPORT
        totals = totals_of({**state_counts(ledger, run.id)}, sources, terms)
        stories = row_stories(ledger, run.id, row_number) if row_number is not None else []
    if row_number is not None and not stories:
        files = ", ".join(dict.fromkeys(each.file for each in sources)) or "its files"
        raise UsageError(
            f"run {run.id} has no row {row_number}; give the number that the spreadsheet shows, of a row of {files} "
            "that is not blank"
        )
    if chosen.output is Output.JSON:
        document = run_document(run, totals) if row_number is None else stories_document(run, stories)
        answer(f"{document.model_dump_json(indent=2, ensure_ascii=True)}\n")
    elif row_number is None:
        show(chosen, lambda console: show_run(console, run, totals))
    else:
        show(chosen, lambda console: show_stories(console, run, stories))


def _tell_dry_run(chosen: Globals, run: PastRun, folder: Path, row_number: int | None) -> None:
    if row_number is not None:
        raise UsageError(
            f"run {run.id} was a dry run, whose rows stand in its reports only: {near_path(folder)}; "
            f"`certstate explain FILE --row {row_number}` shows a row's way as it is read now"
        )
    if chosen.output is Output.JSON:
        answer(f"{dry_run_document(run, folder.absolute()).model_dump_json(indent=2, ensure_ascii=True)}\n")
    else:
        show(chosen, lambda console: show_dry_run(console, run, folder.absolute()))


def show_dry_run(console: Console, run: PastRun, folder: Path) -> None:
    """Print a dry run in short: how its rows stood, and what was wrong."""
    for label, text in (
        ("Run", run.id),
        ("Service", run.service_root),
        ("Tenant", run.tenant_id or "none"),
        ("Verb", f"{run.verb}, nothing was sent"),
        ("Edition", run.edition),
        ("Started", run.started_at),
        ("Ended", run.ended_at),
    ):
        if text:
            print_whole(console, f"{label:<9}{text}")
    if any(each.rows for each in run.totals):
        console.print()
        print_totals(console, run.totals)
    causes = [each for each in run.causes if each.severity is not Severity.INFO]
    if causes:
        console.print()
    for cause in causes[:MOST_CAUSES]:
        where = f", {cause.column}" if cause.column else ""
        rows = counted(cause.rows, "row") if cause.rows else "whole file"
        print_wrapped(console, f"{cause.code}{where}: {rows}", first=f"{cause.severity:<8} ", indent=9)
    if len(causes) > MOST_CAUSES:
        console.print(f"and {counted(len(causes) - MOST_CAUSES, 'more cause')} in its report")
    console.print()
    print_whole(console, f"Folder: {folder}")


def show_run(console: Console, run: RunInfo, totals: Sequence[Total]) -> None:
    """Print the run in short."""
    print_run(console, run)
    for label, text in (
        ("Verb", f"{run.verb}, of run {run.parent_id}" if run.parent_id else run.verb),
        ("Edition", run.edition),
        ("Started", run.started_at),
        ("Ended", run.ended_at or ("not yet" if run.planned_at else "before its files were read to the end")),
        ("Stopped", run.stop_message or run.stop),
    ):
        if text:
            print_wrapped(console, text, first=f"{label:<9}", indent=9)
    if any(each.rows for each in totals):
        console.print()
        print_totals(console, totals)
    console.print()
    print_whole(console, f"Folder: {run.folder}")


def show_stories(console: Console, run: RunInfo, stories: Sequence[RowStory]) -> None:
    """Print for each row where it stands, and then what happened, oldest first."""
    print_run(console, run)
    for story in stories:
        console.print()
        place = story.file if story.sheet is None else f"{story.file}, sheet {story.sheet}"
        print_wrapped(console, f"{place}, row {story.row_number}: {story.state}", style="bold")
        for label, text in (("route", story.collection), ("key", story.key)):
            if text:
                print_whole(console, f"  {label:<6} {text}")
        for found in story.findings:
            where = f", {found.column}" if found.column else ""
            print_wrapped(console, f"{found.code}{where}: {found.message}", first=f"  {found.severity:<8} ", indent=11)
        for event in story.events:
            _print_event(console, run, event)


def _print_event(console: Console, run: RunInfo, event: Event) -> None:
    answered = event.answer
    facts = (
        f"{event.operation}: {event.state}",
        f"attempt {event.attempts}" if event.attempts else "",
        f"HTTP {answered.http_status}" if answered.http_status else "",
        answered.graph_code,
    )
    print_wrapped(console, ", ".join(each for each in facts if each), first=f"  {event.at}  ", indent=6)
    if answered.message:
        print_wrapped(console, answered.message, first=" " * 6, indent=6)
    for label, text in (
        ("in run", event.run_id if event.run_id != run.id else ""),
        ("id", answered.object_id),
        ("request-id", answered.request_id),
        ("client-request-id", answered.client_request_id),
    ):
        if text:
            print_whole(console, f"      {label} {text}")


def run_document(run: RunInfo, totals: Sequence[Total]) -> RunDocument:
    """Return the run in short as JSON."""
    return RunDocument(schema_version=1, run=_run(run), totals=_by_label(totals))


def stories_document(run: RunInfo, stories: Sequence[RowStory]) -> RowsDocument:
    """Return the stories of the rows as JSON."""
    rows = [
        ToldRow(
            file=story.file,
            sheet=story.sheet,
            row=story.row_number,
            state=story.state,
            operation=story.operation,
            collection=story.collection or None,
            key=story.key or None,
            findings=[ToldFinding(**each._asdict()) for each in story.findings],
            events=[_event(each) for each in story.events],
        )
        for story in stories
    ]
    return RowsDocument(schema_version=1, run=_run(run), rows=rows)


def dry_run_document(run: PastRun, folder: Path) -> RunDocument:
    """Return a dry run in short as JSON, as far as the history knows it."""
    told = ToldRun(
        id=run.id,
        verb=run.verb,
        parent=run.parent_id or None,
        service_root=run.service_root,
        tenant_id=run.tenant_id,
        edition=run.edition,
        certstate_version=None,
        started_at=run.started_at,
        ended_at=run.ended_at or None,
        stop=run.stop or None,
        stop_message=None,
        folder=str(folder),
    )
    return RunDocument(schema_version=1, run=told, totals=_by_label(run.totals))


def _run(run: RunInfo) -> ToldRun:
    return ToldRun(
        id=run.id,
        verb=run.verb,
        parent=run.parent_id or None,
        service_root=run.scope.service_root,
        tenant_id=run.scope.tenant_id,
        edition=run.edition,
        certstate_version=run.version,
        started_at=run.started_at,
        ended_at=run.ended_at,
        stop=run.stop or None,
        stop_message=run.stop_message or None,
        folder=run.folder,
    )


def _by_label(totals: Sequence[Total]) -> dict[str, int]:
    return {each.label.replace(" ", "_"): each.rows for each in totals}


def _event(event: Event) -> ToldEvent:
    answered = event.answer
    return ToldEvent(
        at=event.at,
        run=event.run_id,
        operation=event.operation,
        state=event.state,
        attempts=event.attempts,
        http_status=answered.http_status,
        graph_code=answered.graph_code or None,
        message=answered.message or None,
        id=answered.object_id or None,
        request_id=answered.request_id or None,
        client_request_id=answered.client_request_id or None,
    )
