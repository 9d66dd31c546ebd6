"""The options that several verbs have, each declared once, and what they mean for a job."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """How a verb answers on stdout."""

    TEXT = "text"
    JSON = "json"


class OnInvalid(StrEnum):
    """What an import does when some rows have errors."""

    SKIP = "skip"
    ABORT = "abort"


GLOBAL_OPTIONS = ("--config", "--output", "--no-color", "--verbose")
"""The options before the verb."""

# The arguments are hidden because Typer would show them as `FILE <list[Path]>`; each verb's text explains them.
Files = Annotated[list[Path], typer.Argument(metavar="FILE", hidden=True)]
Run = Annotated[str | None, typer.Argument(metavar="RUN", hidden=True)]
OtherRun = Annotated[str | None, typer.Argument(metavar="RUN", hidden=True)]
NamedRun = Annotated[str, typer.Argument(metavar="RUN", hidden=True)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="The same as validate.")]
GraphUrl = Annotated[
    str | None, typer.Option("--graph-url", metavar="URL", help="Service root instead of the cloud's.")
]
Edition = Annotated[str | None, typer.Option("--edition", metavar="NAME", help="Edition of the API: 1706 or current.")]
State = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Folder of the ledger.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder that gets a folder for each run.")]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE.xml", help="Write the causes as JUnit XML too, for pipelines."),
]
Sheet = Annotated[
    list[str] | None,
    typer.Option("--sheet", metavar="NAME", help="Read only this sheet; can be given again.", show_default=False),
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="NAME", help="Encoding of text files, such as cp1252.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", metavar="CHAR", help="Delimiter of text files, or the word tab.")
]
HeaderRow = Annotated[
    int | None,
    typer.Option("--header-row", metavar="N", min=1, help="Row of the header; else found below any title."),
]
PresetName = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help="Export of: adcs, crtsh, intune-report, ivanti, jamf or powershell."),
]
NoRepair = Annotated[bool, typer.Option("--no-repair", help="Change no value but as config.yaml declares.")]
Strict = Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")]
OnInvalidChoice = Annotated[
    OnInvalid,
    typer.Option("--on-invalid", metavar="skip|abort", help="Leave rows with errors out, or send nothing."),
]
MaxErrors = Annotated[
    str | None, typer.Option("--max-errors", metavar="N|N%", help="Stop at so many or such a share of bad rows.")
]
Concurrency = Annotated[str | None, typer.Option("--concurrency", metavar="N|auto", help="Requests in flight.")]
Mode = Annotated[
    str | None, typer.Option("--mode", metavar="single|batch", help="One row in each request, or up to 20.")
]
Quota = Annotated[str | None, typer.Option("--quota", metavar="N/Ns", help="Writes per seconds, such as 100/20s.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", min=1, max=64, help="Processes that read text files (all for large ones)."),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Send at most so many rows.")]
Missing = Annotated[bool, typer.Option("--missing", help="Those that verify found missing, instead of rejected ones.")]
IncludeAdopted = Annotated[
    bool, typer.Option("--include-adopted", help="Also objects whose answer was lost and that were found again.")
]
WaitS = Annotated[float, typer.Option("--wait-s", metavar="S", min=0, help="Seconds to look again for what is absent.")]
RowNumber = Annotated[
    int | None, typer.Option("--row", metavar="N", min=1, help="All that happened to this row of the file.")
]
AllRuns = Annotated[bool, typer.Option("--all", help="All runs, not the latest 20.")]
ExplainedRow = Annotated[
    int, typer.Option("--row", metavar="N", min=1, help="The row's number, as the spreadsheet shows it.")
]
Remote = Annotated[bool, typer.Option("--remote", help="Look into the tenant too, for what it has already.")]
Save = Annotated[
    Path | None,
    typer.Option("--save", metavar="PLAN.json", help="Keep the plan, its rows in PLAN.csv; replaces both."),
]
Plan = Annotated[
    Path | None, typer.Option("--plan", metavar="PLAN.json", help="Do nothing that is not in this saved plan.")
]
CheckRemote = Annotated[
    bool | None,
    typer.Option(
        "--check-remote/--no-check-remote", help="Skip what the tenant has already; else a new ledger does so."
    ),
]
LookFirst = Annotated[
    bool, typer.Option("--check-remote", help="Skip what the tenant has already: for a restored copy of the ledger.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where there is no terminal.")]


@dataclass(frozen=True, slots=True)
class Globals:
    """The options before the verb."""

    config: Path | None
    output: Output
    has_color: bool
    is_verbose: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the verb's own options say; None where they say nothing."""

    files: tuple[Path, ...] = ()
    graph_url: str | None = None
    edition: str | None = None
    state: Path | None = None
    out: Path | None = None
    junit: Path | None = None
    sheets: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    header_row: int | None = None
    preset: str | None = None
    repairs: bool = True
    max_errors: str | None = None
    concurrency: str | None = None
    mode: str | None = None
    quota: str | None = None
    is_strict: bool = False
    aborts_on_invalid: bool = False
    most_rows: int | None = None
    jobs: int | None = None
    is_confirmed: bool = False
    plan: Path | None = None  # to save or to follow
    check_remote: bool | None = None
    deletes: bool = False

    def kept(self) -> tuple[tuple[str, ...], ...]:
        """Return the options that the next command needs too, so that it means the same place and the same rules."""
        return _given(
            ("--graph-url", self.graph_url),
            ("--edition", self.edition),
            ("--state", self.state),
            ("--out", self.out),
            ("--preset", self.preset),
        ) + tuple(
            (flag,) for flag, is_given in (("--strict", self.is_strict), ("--no-repair", not self.repairs)) if is_given
        )

    def words_of_reading(self) -> tuple[str, ...]:
        """Return the options that the same files need again; errors.csv is read without."""
        sheets = (("--sheet", sheet) for sheet in self.sheets)
        options = _given(
            *sheets,
            ("--encoding", self.encoding),
            ("--delimiter", self.delimiter),
            ("--header-row", self.header_row),
        )
        return tuple(word for option in options for word in option)


def _given(*named: tuple[str, str | int | Path | None]) -> tuple[tuple[str, ...], ...]:
    return tuple((name, str(value)) for name, value in named if value is not None)
