"""What `ledger check` prints. Reads only."""

import json
from contextlib import closing

import typer

from pipeline.cli.jobs import settings_of
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer, tell
from pipeline.cli.terminal import counted
from pipeline.conclude import near_path
from pipeline.errors import ExitCode
from pipeline.ledger import check_ledger, ledger_size, open_ledger
from pipeline.sending_run import need_ledger, scope_shown

WHAT_TO_DO = (
    "keep this file as it is, and restore a copy of it if there is one; then `certstate verify RUN` tells what the "
    "tenant has of a run. Without a copy go on with another --state: a new ledger reads the tenant back first"
)


def check(chosen: Globals, asked: Asked) -> None:
    """Print whether the ledger agrees with itself; ends with exit code 2 when it does not.

    Raises LedgerError when the file cannot be read as a ledger.
    """
    settings = settings_of(chosen, asked)
    need_ledger(settings)
    path = near_path(settings.ledger_path)
    with closing(open_ledger(settings.ledger_path, scope_shown(settings))) as ledger:
        problems = check_ledger(ledger)
        size = ledger_size(ledger)
    if chosen.output is Output.JSON:
        document = {"schema_version": 1, "ledger": str(path), "sound": not problems, "problems": problems}
        answer(f"{json.dumps(document | size._asdict(), indent=2)}\n")
    elif not problems:
        parts = (counted(size.runs, "run"), counted(size.objects, "object"), counted(size.events, "event"))
        answer(f"the ledger is sound: {', '.join(parts)}\n")
    for problem in problems:
        tell(f"certstate: {path}: {problem}")
    if problems:
        tell(f"certstate: {WHAT_TO_DO}")
        raise typer.Exit(ExitCode.USAGE)
