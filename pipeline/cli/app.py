"""The verbs. What is heavy is imported by the verb that needs it, so that `--help` answers at once."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipeline import __version__
from pipeline.cli import options as o
from pipeline.cli.ending import ending, misused
from pipeline.errors import ExitCode
from pipeline.interrupt import raise_on_sigterm

app = typer.Typer(
    name="certstate",
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
        code = misused(problem)
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
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(ExitCode.USAGE)
    context.obj = o.Globals(config, output, not no_color and not os.environ.get("NO_COLOR"), verbose)


@app.command("inspect")
def inspect_verb(
    context: typer.Context,
    files: o.Files,
    edition: o.Edition = None,
    preset: o.PresetName = None,
    sheet: o.Sheet = None,
    header_row: o.HeaderRow = None,
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
) -> None:
    """Show how a file is read and propose its mapping; sends nothing.

    FILE is an inventory: .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods
    or certificates: .pem .cer .crt .der .p7b .p7c
    """
    asked = o.Asked(
        files=tuple(files),
        edition=edition,
        sheets=tuple(sheet or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        preset=preset,
    )
    with ending(context.obj, sends=False):
        from pipeline.cli.jobs import look

        look(context.obj, asked)


@app.command("validate")
def validate_verb(
    context: typer.Context,
    files: o.Files,
    edition: o.Edition = None,
    out: o.Out = None,
    preset: o.PresetName = None,
    sheet: o.Sheet = None,
    header_row: o.HeaderRow = None,
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    no_repair: o.NoRepair = False,
    strict: o.Strict = False,
) -> None:
    """Dry run: check every row and write the report; sends nothing.

    FILE is an inventory: .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods
    or certificates: .pem .cer .crt .der .p7b .p7c
    """
    asked = o.Asked(
        files=tuple(files),
        edition=edition,
        out=out,
        sheets=tuple(sheet or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        preset=preset,
        repairs=not no_repair,
        is_strict=strict,
    )
    _validate(context, asked)


def _validate(context: typer.Context, asked: o.Asked) -> None:
    with ending(context.obj, sends=False):
        from pipeline.cli.jobs import finish, named_files
        from pipeline.run import validate_files

        finish(context.obj, asked, lambda job: validate_files(named_files(asked.files), job), sends=False)


@app.command("import")
def import_verb(
    context: typer.Context,
    files: o.Files,
    dry_run: o.DryRun = False,
    graph_url: o.GraphUrl = None,
    edition: o.Edition = None,
    state: o.State = None,
    out: o.Out = None,
    preset: o.PresetName = None,
    sheet: o.Sheet = None,
    header_row: o.HeaderRow = None,
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    no_repair: o.NoRepair = False,
    strict: o.Strict = False,
    on_invalid: o.OnInvalidChoice = o.OnInvalid.SKIP,
    max_errors: o.MaxErrors = None,
    concurrency: o.Concurrency = None,
    quota: o.Quota = None,
    limit: o.Limit = None,
    yes: o.Yes = False,
) -> None:
    """Create what is valid and not there yet, each row once.

    FILE is an inventory: .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods
    or certificates: .pem .cer .crt .der .p7b .p7c
    """
    asked = o.Asked(
        files=tuple(files),
        graph_url=graph_url,
        edition=edition,
        state=state,
        out=out,
        sheets=tuple(sheet or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        preset=preset,
        repairs=not no_repair,
        max_errors=max_errors,
        concurrency=concurrency,
        quota=quota,
        is_strict=strict,
        aborts_on_invalid=on_invalid is o.OnInvalid.ABORT,
        most_rows=limit,
        is_confirmed=yes,
    )
    if dry_run:
        _validate(context, asked)
        return
    with ending(context.obj):
        from pipeline.cli.jobs import finish, named_files
        from pipeline.run import import_files

        finish(context.obj, asked, lambda job: import_files(named_files(asked.files), job), sends=True)


@app.command("resume")
def resume_verb(
    context: typer.Context,
    run: o.Run = None,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
    max_errors: o.MaxErrors = None,
    concurrency: o.Concurrency = None,
    quota: o.Quota = None,
    limit: o.Limit = None,
    yes: o.Yes = False,
) -> None:
    """Go on with the rows of a run that are still to be sent.

    RUN is a run's id or its last six characters; the latest run if left out.
    """
    asked = o.Asked(
        graph_url=graph_url,
        state=state,
        max_errors=max_errors,
        concurrency=concurrency,
        quota=quota,
        most_rows=limit,
        is_confirmed=yes,
    )
    with ending(context.obj):
        from pipeline.cli.jobs import finish
        from pipeline.run import resume_run

        finish(context.obj, asked, lambda job: resume_run(run, job), sends=True)


@app.command("report")
def report_verb(context: typer.Context, run: o.Run = None, graph_url: o.GraphUrl = None, state: o.State = None) -> None:
    """Write the report of a run again.

    RUN is a run's id or its last six characters; the latest run if left out.
    """
    asked = o.Asked(graph_url=graph_url, state=state)
    with ending(context.obj, sends=False):
        from pipeline.cli.jobs import finish
        from pipeline.run import report_run

        finish(context.obj, asked, lambda job: report_run(run, job), sends=False)


@app.command("simulate")
def simulate_verb(
    context: typer.Context,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    edition: Annotated[str, typer.Option("--edition", metavar="NAME", help="1706 or current.")] = "1706",
    quota: Annotated[str, typer.Option("--quota", metavar="N/Ns", help="Writes per seconds for one app.")] = "100/20s",
    tenant_quota: Annotated[
        int, typer.Option("--tenant-quota", metavar="N", help="Writes in the same time for all apps.")
    ] = 200,
    others: Annotated[int, typer.Option("--others", metavar="N", help="Writes of these that other apps use.")] = 0,
    window: Annotated[
        str, typer.Option("--window", metavar="NAME", help="How the quota's window moves: sliding or fixed.")
    ] = "sliding",
    refusals_count: Annotated[
        bool, typer.Option("--refusals-count", help="Refused writes count against the quota too.")
    ] = False,
    retry_after: Annotated[
        str, typer.Option("--retry-after", metavar="FORM", help="seconds, decimal, comma, date or absent.")
    ] = "seconds",
    errors: Annotated[
        str, typer.Option("--errors", metavar="SHAPE", help="Error bodies: graph, intune, empty or html.")
    ] = "graph",
    latency_s: Annotated[float, typer.Option("--latency-s", metavar="S", help="Seconds before each answer.")] = 0.0,
    token: Annotated[
        str | None, typer.Option("--token", metavar="TEXT", help="The only bearer token that is let in.")
    ] = None,
    token_lifetime_s: Annotated[
        float | None, typer.Option("--token-lifetime-s", metavar="S", help="Seconds after which a token is refused.")
    ] = None,
    page_size: Annotated[int, typer.Option("--page-size", metavar="N", help="Objects on one page of a list.")] = 100,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME=RATE", help="Such as error_504_after=0.02; again for more."),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="GUID=TYPE", help="A profile and its type, such as iosScep; again for more."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same faults and ids.")] = 0,
) -> None:
    """Run a stand-in for Graph on this machine, to rehearse with."""
    with ending(context.obj):
        from pipeline.cli.simulation import Ordered, simulate

        simulate(
            context.obj,
            host,
            port,
            Ordered(
                edition=edition,
                quota=quota,
                tenant_quota=tenant_quota,
                others=others,
                window=window,
                refusals_count=refusals_count,
                retry_after=retry_after,
                errors=errors,
                latency_s=latency_s,
                token=token,
                token_lifetime_s=token_lifetime_s,
                page_size=page_size,
                faults=tuple(fault or ()),
                profiles=tuple(profile or ()),
                seed=seed,
            ),
        )


@app.command("demo")
def demo_verb(context: typer.Context) -> None:
    """Import sample_data into a simulator of its own."""
    with ending(context.obj):
        from pipeline.cli.simulation import demo

        demo(context.obj)
