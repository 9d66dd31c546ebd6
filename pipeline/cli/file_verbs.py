"""The verbs that read files: what is heavy is imported by the verb that needs it, so that `--help` answers at once."""

import typer

from pipeline.cli import options as o
from pipeline.cli.ending import ending


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


def validate_verb(
    context: typer.Context,
    files: o.Files,
    edition: o.Edition = None,
    out: o.Out = None,
    junit: o.Junit = None,
    preset: o.PresetName = None,
    sheet: o.Sheet = None,
    header_row: o.HeaderRow = None,
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    no_repair: o.NoRepair = False,
    strict: o.Strict = False,
    jobs: o.Jobs = None,
) -> None:
    """Dry run: check every row and write the report; sends nothing.

    FILE is an inventory: .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods
    or certificates: .pem .cer .crt .der .p7b .p7c
    """
    asked = o.Asked(
        files=tuple(files),
        edition=edition,
        out=out,
        junit=junit,
        sheets=tuple(sheet or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        preset=preset,
        repairs=not no_repair,
        is_strict=strict,
        jobs=jobs,
    )
    _validate(context, asked)


def _validate(context: typer.Context, asked: o.Asked) -> None:
    with ending(context.obj, sends=False):
        from pipeline.cli.jobs import finish, named_files
        from pipeline.run import validate_files

        finish(context.obj, asked, lambda job: validate_files(named_files(asked.files), job), sends=False)


def plan_verb(
    context: typer.Context,
    files: o.Files,
    remote: o.Remote = False,
    save: o.Save = None,
    graph_url: o.GraphUrl = None,
    edition: o.Edition = None,
    state: o.State = None,
    out: o.Out = None,
    junit: o.Junit = None,
    preset: o.PresetName = None,
    sheet: o.Sheet = None,
    header_row: o.HeaderRow = None,
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    no_repair: o.NoRepair = False,
    strict: o.Strict = False,
    jobs: o.Jobs = None,
) -> None:
    """Show what an import would do with each row; sends nothing.

    FILE is an inventory: .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods
    or certificates: .pem .cer .crt .der .p7b .p7c
    """
    asked = o.Asked(
        files=tuple(files),
        graph_url=graph_url,
        edition=edition,
        state=state,
        out=out,
        junit=junit,
        sheets=tuple(sheet or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        preset=preset,
        repairs=not no_repair,
        is_strict=strict,
        jobs=jobs,
        plan=save,
    )
    with ending(context.obj, sends=False):
        from pipeline.cli.jobs import finish, named_files
        from pipeline.plan import plan_files

        finish(
            context.obj,
            asked,
            lambda job: plan_files(named_files(asked.files), job, remote=remote, save=save),
            sends=False,
        )


def import_verb(
    context: typer.Context,
    files: o.Files,
    dry_run: o.DryRun = False,
    plan: o.Plan = None,
    check_remote: o.CheckRemote = None,
    graph_url: o.GraphUrl = None,
    edition: o.Edition = None,
    state: o.State = None,
    out: o.Out = None,
    junit: o.Junit = None,
    preset: o.PresetName = None,
    sheet: o.Sheet = None,
    header_row: o.HeaderRow = None,
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    no_repair: o.NoRepair = False,
    strict: o.Strict = False,
    jobs: o.Jobs = None,
    on_invalid: o.OnInvalidChoice = o.OnInvalid.SKIP,
    max_errors: o.MaxErrors = None,
    concurrency: o.Concurrency = None,
    mode: o.Mode = None,
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
        junit=junit,
        sheets=tuple(sheet or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        preset=preset,
        repairs=not no_repair,
        max_errors=max_errors,
        concurrency=concurrency,
        mode=mode,
        quota=quota,
        is_strict=strict,
        jobs=jobs,
        aborts_on_invalid=on_invalid is o.OnInvalid.ABORT,
        most_rows=limit,
        is_confirmed=yes,
        plan=plan,
        check_remote=check_remote,
    )
    if dry_run:
        if plan or check_remote:
            sentence = "it follows no plan and looks into no tenant; `certstate plan --remote` does"
            raise typer.BadParameter(sentence, context, param_hint="--dry-run")
        _validate(context, asked)
        return
    with ending(context.obj):
        from pipeline.cli.jobs import finish, named_files
        from pipeline.run import import_files

        finish(context.obj, asked, lambda job: import_files(named_files(asked.files), job, plan=plan), sends=True)


def explain_verb(
    context: typer.Context,
    files: o.Files,
    row: o.ExplainedRow,
    graph_url: o.GraphUrl = None,
    edition: o.Edition = None,
    state: o.State = None,
    preset: o.PresetName = None,
    sheet: o.Sheet = None,
    header_row: o.HeaderRow = None,
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    no_repair: o.NoRepair = False,
    strict: o.Strict = False,
) -> None:
    """Show one row's way to URL and body; sends nothing.

    FILE is an inventory: .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods
    or certificates: .pem .cer .crt .der .p7b .p7c
    """
    asked = o.Asked(
        files=tuple(files),
        graph_url=graph_url,
        edition=edition,
        state=state,
        sheets=tuple(sheet or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        preset=preset,
        repairs=not no_repair,
        is_strict=strict,
    )
    with ending(context.obj, sends=False):
        from pipeline.cli.explanation import explain_file

        explain_file(context.obj, asked, row)
