"""The command line: the options before the verb, the verbs, and how the process ends."""

import atexit
import gc
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from pipeline import __version__
from pipeline.cli import options as o
from pipeline.cli.ending import misused, without_verb
from pipeline.cli.file_verbs import explain_verb, import_verb, inspect_verb, plan_verb, validate_verb
from pipeline.cli.local_verbs import demo_verb, ledger, simulate_verb
from pipeline.cli.run_verbs import report_verb, resume_verb, retry_verb, runs, undo_verb, verify_verb
from pipeline.interrupt import raise_on_sigterm

VERB_FIRST = "pipeline.cli.verb_first"


class _Group(TyperGroup):
    """Verbs below one word. Without an option before the verb the options are left at their defaults, not looked at.

    Typer imports pydantic to convert the value of an option, even of one that was not given, and that takes longer than
    all else that the help of a verb needs.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer keeps this class for itself
        ctx.meta[f"{VERB_FIRST} {self.name}"] = bool(args) and not args[0].startswith("-")
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - the same
        return [] if ctx.meta.get(f"{VERB_FIRST} {self.name}") else super().get_params(ctx)


class _Verbs(_Group):
    """The verbs in their order: Typer would list those that have verbs below them before all others."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the parameters are Typer's
        return [name for name, _ in VERBS]


app = typer.Typer(
    name="certstate",
    cls=_Verbs,
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
    atexit.register(gc.freeze)  # what is left goes with the process; to look through it first takes 0.15 s
    try:
        code = app(arguments, prog_name="certstate", standalone_mode=False)
    except typer.TyperException as problem:
        code = misused(problem, sys.argv[1:] if arguments is None else arguments)
    sys.exit(code)


def _show_version(is_asked: bool) -> None:
    """Show the version and end, before any other option is looked at."""
    if is_asked:
        typer.echo(f"certstate {__version__}")
        raise typer.Exit


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
    version: Annotated[  # noqa: ARG001 - its callback has answered it
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Take the options before the verb."""
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
        app.add_typer(verb, name=name, cls=_Group)
    else:
        app.command(name)(verb)
