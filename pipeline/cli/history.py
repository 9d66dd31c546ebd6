"""What `runs show` prints: a run in short, or all that happened to one of its rows. Reads only. 80 columns."""

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from rich.console import Console

from pipeline.cli.jobs import settings_of, show
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer
from pipeline.cli.terminal import print_run, print_totals, print_whole, print_wrapped
from pipeline.errors import UsageError
from pipeline.ledger import Event, RowStory, find_run, open_ledger, row_stories, source_infos, state_counts
from pipeline.model import RunInfo
from pipeline.report import Terms, Total, totals_of
from pipeline.sending_run import need_ledger, scope_shown


def show_history(chosen: Globals, asked: Asked, wanted: str | None, row_number: int | None) -> None:
    """Print the run in short, or the story of its row.

    Raises UsageError when there is no such run, or it has no such row.
    """
    settings = settings_of(chosen, asked)
    need_ledger(settings)
    with closing(open_ledger(settings.ledger_path, scope_shown(settings))) as ledger:
        run = find_run(ledger, wanted)
        sources = source_infos(ledger, run.id)
        if row_number is None:
            terms = Terms.UNDO if run.verb == "undo" else Terms.IMPORT
            totals = totals_of({**state_counts(ledger, run.id)}, sources, terms)
            document = run_document(run, totals)
        else:
            stories = row_stories(ledger, run.id, row_number)
            document = stories_document(run, stories)
    if row_number is not None and not stories:
        files = ", ".join(dict.fromkeys(each.file for each in sources)) or "its files"
        raise UsageError(
            f"run {run.id} has no row {row_number}; give the number that the spreadsheet shows, of a row of {files} "
            "that is not blank"
        )
    if chosen.output is Output.JSON:
        answer(f"{json.dumps(document, indent=2)}\n")
    elif row_number is None:
        show(chosen, lambda console: show_run(console, run, totals))
    else:
        show(chosen, lambda console: show_stories(console, run, stories))


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


def run_document(run: RunInfo, totals: Sequence[Total]) -> dict[str, Any]:
    """Return the run in short as JSON values."""
    return {
        "schema_version": 1,
        "run": _run(run),
        "totals": {each.label.replace(" ", "_"): each.rows for each in totals},
    }


def stories_document(run: RunInfo, stories: Sequence[RowStory]) -> dict[str, Any]:
    """Return the stories of the rows as JSON values."""
    rows = [
        {
            "file": story.file,
            "sheet": story.sheet,
            "row": story.row_number,
            "state": story.state,
            "operation": story.operation,
            "collection": story.collection or None,
            "key": story.key or None,
            "findings": [each._asdict() for each in story.findings],
            "events": [_event(each) for each in story.events],
        }
        for story in stories
    ]
    return {"schema_version": 1, "run": _run(run), "rows": rows}


def _run(run: RunInfo) -> dict[str, Any]:
    return {
        "id": run.id,
        "verb": run.verb,
        "parent": run.parent_id or None,
        "service_root": run.scope.service_root,
        "tenant_id": run.scope.tenant_id,
        "edition": run.edition,
        "certstate_version": run.version,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "stop": run.stop or None,
        "stop_message": run.stop_message or None,
        "folder": run.folder,
    }


def _event(event: Event) -> dict[str, Any]:
    answered = event.answer
    return {
        "at": event.at,
        "run": event.run_id,
        "operation": event.operation,
        "state": event.state,
        "attempts": event.attempts,
        "http_status": answered.http_status,
        "graph_code": answered.graph_code or None,
        "message": answered.message or None,
        "id": answered.object_id or None,
        "request_id": answered.request_id or None,
        "client_request_id": answered.client_request_id or None,
    }
