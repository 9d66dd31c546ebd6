"""The command line: the options before the verb, the verbs, and how the process ends."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup

from pipeline import __version__
from pipeline.cli import options as o
from pipeline.cli.ending import misused, without_verb
from pipeline.cli.file_verbs import explain_verb, import_verb, inspect_verb, plan_verb, validate_verb
from pipeline.cli.local_verbs import demo_verb, ledger, simulate_verb
from pipeline.cli.run_verbs import report_verb, resume_verb, retry_verb, runs, undo_verb, verify_verb
from pipeline.interrupt import raise_on_sigterm


class _InOrder(TyperGroup):
    """Typer would list the verbs that have verbs below them before all others."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the parameters are Typer's
        return [name for name, _ in VERBS]


app = typer.Typer(
    name="certstate",
    cls=_InOrder,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Import certificate inventories (CSV, Excel) into Microsoft Graph, each row once.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, by default the process's; ends with one of `errors.ExitCode`."""
    for stream in (sys.stdout, sys.stderr):
        # A console of another encoding shows a replacement character; it never ends a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # What azure-identity warns of comes again as our own sentence.
    logging.getLogger("azure").setLevel(logging.ERROR)
    raise_on_sigterm()
    try:
        code = app(arguments, prog_name="certstate", standalone_mode=False)
    except typer.TyperException as problem:
        code = misused(problem, sys.argv[1:] if arguments is None else arguments)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def set_globals(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Configuration; else ./config.yaml if it is there.")
    ] = None,
    output: Annotated[
        o.Output, typer.Option("--output", metavar="text|json", help="What stdout gets.")
    ] = o.Output.TEXT,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; so does NO_COLOR.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show where an internal error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Take the options before the verb."""
    if version:
        typer.echo(f"certstate {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        without_verb(output, context.get_help())
    context.obj = o.Globals(config, output, not no_color and not os.environ.get("NO_COLOR"), verbose)


VERBS = (
    ("inspect", inspect_verb),
    ("validate", validate_verb),
    ("plan", plan_verb),
    ("explain", explain_verb),
    ("import", import_verb),
    ("resume", resume_verb),
    ("retry", retry_verb),
    ("verify", verify_verb),
    ("undo", undo_verb),
    ("runs", runs),
    ("report", report_verb),
    ("ledger", ledger),
    ("simulate", simulate_verb),
    ("demo", demo_verb),
)
"""In the order of `--help`. A Typer has verbs of its own below it."""

for name, verb in VERBS:
    if isinstance(verb, typer.Typer):
        app.add_typer(verb, name=name)
    else:
        app.command(name)(verb)
