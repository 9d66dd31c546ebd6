"""What `verify` prints: how many objects are as they were sent, what keeps the others, what to do next. 80 columns."""

import json

import typer
from rich.console import Console

from pipeline.cli.jobs import open_job, settings_of, show
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer
from pipeline.cli.terminal import print_causes, print_next_steps, print_run, print_totals, print_whole, print_wrapped
from pipeline.next_steps import near_path
from pipeline.report import Result, Total
from pipeline.verify import Verified, verify_run
from pipeline.wording import counted


def verify(chosen: Globals, asked: Asked, run: str, *, wait_s: float) -> None:
    """Verify the run, print what came out, or verify.json, and end with its exit code."""
    with open_job(chosen, asked, settings_of(chosen, asked), is_told=True) as job:
        verified = verify_run(run, job, wait_s=wait_s)
    if chosen.output is Output.JSON:
        # In ASCII, because a pipe on Windows is rarely UTF-8.
        document = json.loads((verified.folder / "verify.json").read_text("utf-8"))
        answer(f"{json.dumps(document, indent=2)}\n")
    else:
        show(chosen, lambda console: show_verified(console, verified))
    raise typer.Exit(verified.exit_code)


def show_verified(console: Console, verified: Verified) -> None:
    """Print the counts, the causes, the conservation line, where the report is, what to do next."""
    verification = verified.verification
    print_run(console, verification.run)
    if verification.rows:
        console.print()
        print_totals(console, [Total(each.value, verification.counts.get(each, 0)) for each in Result])
    if verification.same_instant:
        rows = counted(verification.same_instant, "verified row")
        print_wrapped(console, f"{rows} with a date that the service writes otherwise: it is the same instant.")
    if verification.causes:
        console.print()
        print_causes(console, verification.causes)
    console.print()
    style = "" if verification.is_balanced else "bold red"
    print_wrapped(console, verification.conservation_line, style=style)
    for run_id, missing in verification.missing_by_run.items():
        objects = counted(missing, "more object")
        print_wrapped(console, f"{objects} of this run missing, according to run {run_id}", style="bold")
    if verification.stop_message:
        print_wrapped(console, f"Stopped: {verification.stop_message}", style="bold red")
    console.print()
    print_whole(console, f"Report: {near_path(verified.folder / 'verify.csv')}")
    print_next_steps(console, verification.next_steps)
