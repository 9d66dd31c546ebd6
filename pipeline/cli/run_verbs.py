"""The verbs that take a run: what is heavy is imported by the verb that needs it, so that `--help` answers at once."""

import typer

from pipeline.cli import options as o
from pipeline.cli.ending import ending


def resume_verb(
    context: typer.Context,
    run: o.Run = None,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
    junit: o.Junit = None,
    max_errors: o.MaxErrors = None,
    concurrency: o.Concurrency = None,
    mode: o.Mode = None,
    quota: o.Quota = None,
    limit: o.Limit = None,
    check_remote: o.LookFirst = False,
    yes: o.Yes = False,
) -> None:
    """Go on with the rows of a run that are still to be sent.

    RUN is a run's id or its last six characters; the latest run if left out.
    """
    asked = o.Asked(
        graph_url=graph_url,
        state=state,
        junit=junit,
        max_errors=max_errors,
        concurrency=concurrency,
        mode=mode,
        quota=quota,
        most_rows=limit,
        is_confirmed=yes,
        check_remote=check_remote or None,
    )
    with ending(context.obj):
        from pipeline.cli.jobs import finish
        from pipeline.run import resume_run

        finish(context.obj, asked, lambda job: resume_run(run, job), sends=True)


def retry_verb(
    context: typer.Context,
    run: o.NamedRun,
    missing: o.Missing = False,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
    junit: o.Junit = None,
    max_errors: o.MaxErrors = None,
    concurrency: o.Concurrency = None,
    mode: o.Mode = None,
    quota: o.Quota = None,
    limit: o.Limit = None,
    yes: o.Yes = False,
) -> None:
    """Send the rejected rows of a run again, as they were.

    RUN is a run's id or its last six characters. For when the tenant was
    mended: rows whose file was corrected go out by `import`.
    """
    asked = o.Asked(
        graph_url=graph_url,
        state=state,
        junit=junit,
        max_errors=max_errors,
        concurrency=concurrency,
        mode=mode,
        quota=quota,
        most_rows=limit,
        is_confirmed=yes,
    )
    with ending(context.obj):
        from pipeline.cli.jobs import finish
        from pipeline.run import retry_run

        finish(context.obj, asked, lambda job: retry_run(run, job, missing=missing), sends=True)


def verify_verb(
    context: typer.Context,
    run: o.NamedRun,
    wait_s: o.WaitS = 300.0,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
) -> None:
    """Read back what a run created and compare it; sends nothing.

    RUN is a run's id or its last six characters. What is absent is looked for
    again until it is there, or proven to be missing.
    """
    asked = o.Asked(graph_url=graph_url, state=state)
    with ending(context.obj, sends=False):
        from pipeline.cli.verification import verify

        verify(context.obj, asked, run, wait_s=wait_s)


def undo_verb(
    context: typer.Context,
    run: o.NamedRun,
    include_adopted: o.IncludeAdopted = False,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
    out: o.Out = None,
    max_errors: o.MaxErrors = None,
    concurrency: o.Concurrency = None,
    quota: o.Quota = None,
    limit: o.Limit = None,
    yes: o.Yes = False,
) -> None:
    """Delete what a run created and nobody changed since.

    RUN is a run's id or its last six characters. Asks before it deletes, and
    goes on with an undo of this run that was interrupted.
    """
    asked = o.Asked(
        graph_url=graph_url,
        state=state,
        out=out,
        max_errors=max_errors,
        concurrency=concurrency,
        quota=quota,
        most_rows=limit,
        is_confirmed=yes,
        deletes=True,
    )
    with ending(context.obj):
        from pipeline.cli.jobs import finish
        from pipeline.undo import undo_run

        finish(context.obj, asked, lambda job: undo_run(run, job, include_adopted=include_adopted), sends=True)


runs = typer.Typer(help="Tell of runs; reads only.")


@runs.command("list")
def list_verb(
    context: typer.Context,
    all_runs: o.AllRuns = False,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
    out: o.Out = None,
) -> None:
    """List the runs, dry ones too, the newest first. Times are UTC."""
    asked = o.Asked(graph_url=graph_url, state=state, out=out)
    with ending(context.obj, sends=False):
        from pipeline.cli.past_runs import list_runs

        list_runs(context.obj, asked, all_runs=all_runs)


@runs.command("show")
def show_verb(
    context: typer.Context,
    run: o.Run = None,
    row: o.RowNumber = None,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
    out: o.Out = None,
) -> None:
    """Show a run in short, or all that happened to one of its rows.

    RUN is a run's id or its last six characters; the latest run if left out.
    """
    asked = o.Asked(graph_url=graph_url, state=state, out=out)
    with ending(context.obj, sends=False):
        from pipeline.cli.history import show_history

        show_history(context.obj, asked, run, row)


@runs.command("diff")
def diff_verb(
    context: typer.Context,
    run: o.NamedRun,
    other: o.OtherRun = None,
    graph_url: o.GraphUrl = None,
    state: o.State = None,
    out: o.Out = None,
) -> None:
    """Compare two runs: which causes are new, cured or still there.

    Give two runs by their ids or last six characters, in any order; without the
    second it is the latest other run of the same files.
    """
    asked = o.Asked(graph_url=graph_url, state=state, out=out)
    with ending(context.obj, sends=False):
        from pipeline.cli.past_runs import show_difference

        show_difference(context.obj, asked, run, other)


def report_verb(context: typer.Context, run: o.Run = None, graph_url: o.GraphUrl = None, state: o.State = None) -> None:
    """Write the report of a run again.

    RUN is a run's id or its last six characters; the latest run if left out.
    """
    asked = o.Asked(graph_url=graph_url, state=state)
    with ending(context.obj, sends=False):
        from pipeline.cli.jobs import finish
        from pipeline.run import report_run

        finish(context.obj, asked, lambda job: report_run(run, job), sends=False)
