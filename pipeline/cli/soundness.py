"""What `ledger check` prints. Reads only."""

from contextlib import closing
from typing import Literal

import typer
from pydantic import BaseModel, Field

from pipeline.cli.jobs import settings_of
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer, tell
from pipeline.errors import ExitCode
from pipeline.ledger import check_ledger, ledger_size, open_ledger
from pipeline.next_steps import near_path
from pipeline.sending_run import need_ledger, scope_shown
from pipeline.wording import counted

WHAT_TO_DO = (
    "keep this file as it is, and restore a copy of it if there is one; then `certstate verify RUN` tells what the "
    "tenant has of a run. Without a copy go on with another --state: a new ledger reads the tenant back first"
)


class LedgerCheckDocument(BaseModel, frozen=True, extra="forbid"):
    """What `--output json` answers for ledger check."""

    schema_version: Literal[1]
    ledger: str = Field(description="The file.")
    sound: bool
    problems: list[str] = Field(description="A sentence for each thing that is wrong.")
    runs: int
    objects: int
    events: int


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
        document = LedgerCheckDocument(
            schema_version=1,
            ledger=str(path),
            sound=not problems,
            problems=problems,
            runs=size.runs,
            objects=size.objects,
            events=size.events,
        )
        answer(f"{document.model_dump_json(indent=2, ensure_ascii=True)}\n")
    elif not problems:
        parts = (counted(size.runs, "run"), counted(size.objects, "object"), counted(size.events, "event"))
        answer(f"the ledger is sound: {', '.join(parts)}\n")
    for problem in problems:
        tell(f"certstate: {path}: {problem}")
    if problems:
        tell(f"certstate: {WHAT_TO_DO}")
        raise typer.Exit(ExitCode.USAGE)
