"""What `inspect` prints: how a file was read, what its columns probably are, and lines for config.yaml. 80 columns."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import typer
from pydantic import BaseModel, Field
from rich.console import Console
from rich.text import Text

from pipeline.cli.options import Globals, Output
from pipeline.cli.streams import answer, answering, printable, tell
from pipeline.cli.terminal import open_console
from pipeline.config import Settings
from pipeline.errors import ExitCode, SourceError
from pipeline.findings import Code, Finding, Severity
from pipeline.inspect import (
    InspectedColumn,
    InspectedTable,
    PresetUse,
    Undeclared,
    WordsWithoutMember,
    inspect_file,
    mapping_yaml,
)
from pipeline.load import CERTIFICATE_FILE_HEADER, LoadOptions
from pipeline.presets import Preset
from pipeline.proposals import Match
from pipeline.wording import counted

HEADER_CHARACTERS = 40
PRESET_HEADERS_SHOWN = 3
CERTIFICATE_SAMPLES = 3
SUBJECT_COLUMN = CERTIFICATE_FILE_HEADER.index("subject common name")
DELIMITER_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}


class Refused(NamedTuple):
    """A file that cannot be read as a table."""

    file: Path
    message: str


class TableFinding(BaseModel, frozen=True, extra="forbid"):
    """What reading the table has found."""

    code: Code
    severity: Severity
    value: str | None
    message: str


class TableColumn(BaseModel, frozen=True, extra="forbid"):
    """One column of the file, and what it probably is."""

    letter: str = Field(description="As a spreadsheet names it.")
    header: str = Field(description="As the file spells it; empty where the column has none.")
    samples: list[str] = Field(description="Different cells from its beginning, shortened.")
    property: str | None = Field(description="The property that it is, or perhaps is; null: it is not sent.")
    match: Match = Field(description="How sure that is.")
    score: int | None = Field(description="How much alike the names are, of 100.")
    reason: str | None


class WordsToMap(BaseModel, frozen=True, extra="forbid"):
    """Words of a column that are no member of its enumeration as they stand."""

    property: str
    words: list[str]
    members: list[str]


class KeyToDeclare(BaseModel, frozen=True, extra="forbid"):
    """A key of config.yaml without which cells of the file are refused or doubtful."""

    key: str
    choices: str = Field(description="What may be written there, in words.")
    cell: str = Field(description="One of those that need it.")
    header: str | None = Field(description="Of its column, where it counts only once that is mapped.")


class TableDocument(BaseModel, frozen=True, extra="forbid"):
    """One text file or certificate file, or one sheet of a workbook."""

    file: str
    sheet: str | None
    hidden: bool
    encoding: str | None = Field(description="Null for a workbook.")
    delimiter: str | None = Field(description="Null for a workbook.")
    header_row: int
    rows_estimate: int
    preset: str | None = Field(description="The preset that the columns count on.")
    preset_chosen: bool = Field(description="By --preset; else it is proposed, as the header fits it.")
    preset_without_headers: str | None = Field(description="The chosen preset, where none of its headers is there.")
    findings: list[TableFinding]
    columns: list[TableColumn]
    missing: list[str] = Field(description="Required properties that nothing supplies yet.")
    words: list[WordsToMap]
    undeclared: list[KeyToDeclare]


class RefusedFile(BaseModel, frozen=True, extra="forbid"):
    """A file that cannot be read as a table."""

    file: str
    message: str


class InspectionDocument(BaseModel, frozen=True, extra="forbid"):
    """What `--output json` answers for inspect."""

    schema_version: Literal[1]
    tables: list[TableDocument]
    refused: list[RefusedFile]
    yaml: str = Field(description="Lines for config.yaml; empty where none are needed.")


def inspect_files(
    chosen: Globals, files: Sequence[Path], settings: Settings, options: LoadOptions, preset: Preset | None
) -> None:
    """Print what the files hold on stdout, and on stderr which of them cannot be read.

    Ends with exit code 2 when there is such a file; the others are told all the same.
    """
    tables: list[InspectedTable] = []
    refused: list[Refused] = []
    for path in files:
        try:
            tables += inspect_file(path, settings, options, preset)
        except SourceError as problem:
            refused.append(Refused(path, str(problem)))
    if chosen.output is Output.JSON:
        answer(f"{inspection_document(tables, refused).model_dump_json(indent=2, ensure_ascii=True)}\n")
    elif tables:
        console = open_console(is_error=False, has_color=chosen.has_color)
        with answering():
            with console.capture() as text:  # Rich itself would end the process when a reader goes away
                show_inspection(console, tables)
            answer(text.get())
    for each in refused:
        tell("\n".join(f"certstate: {line}" for line in each.message.splitlines()))
    if refused:
        raise typer.Exit(ExitCode.USAGE)


def show_inspection(console: Console, tables: Sequence[InspectedTable]) -> None:
    """Print each table: what was detected, a line or two for each column, what is missing; then what to paste."""
    certificates = [each for each in tables if each.is_certificates]
    others = [each for each in tables if not each.is_certificates]
    for number, table in enumerate(others):
        if number:
            console.print()
        _print_table(console, table)
    if certificates:
        if others:
            console.print()
        _print_certificates(console, certificates)
    if yaml_text := mapping_yaml(tables):
        console.print()
        console.print("For config.yaml", style="bold")
        # Signs that the terminal cannot show become escapes, which YAML reads as the same signs.
        text = yaml_text.encode(console.encoding, "backslashreplace").decode(console.encoding)
        for line in text.splitlines():
            _print_whole(console, line)


def inspection_document(tables: Sequence[InspectedTable], refused: Sequence[Refused] = ()) -> InspectionDocument:
    """Return the same for machines."""
    return InspectionDocument(
        schema_version=1,
        tables=[_table(each) for each in tables],
        refused=[RefusedFile(file=_encodable(str(each.file)), message=_encodable(each.message)) for each in refused],
        yaml=_encodable(mapping_yaml(tables)),
    )


def _encodable(text: str) -> str:
    """Return the text without halves of surrogate pairs, which names and cells may have and UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _table(table: InspectedTable) -> TableDocument:
    preset = table.preset
    return TableDocument(
        file=_encodable(str(table.file)),
        sheet=_encodable(table.sheet) if table.sheet is not None else None,
        hidden=table.is_hidden,
        encoding=table.encoding or None,
        delimiter=table.delimiter or None,
        header_row=table.header_row_number,
        rows_estimate=table.rows_estimate,
        preset=preset.used.name if preset.used else None,
        preset_chosen=preset.is_chosen,
        preset_without_headers=preset.unfit.name if preset.unfit else None,
        findings=[_finding(each) for each in table.findings],
        columns=[_column(each) for each in table.columns],
        missing=list(table.missing),
        words=[_words(each) for each in table.words],
        undeclared=[
            KeyToDeclare(
                key=each.key, choices=each.choices, cell=_encodable(each.cell), header=_encodable(each.header) or None
            )
            for each in table.undeclared
        ],
    )


def _finding(found: Finding) -> TableFinding:
    return TableFinding(
        code=found.code,
        severity=found.severity,
        value=_encodable(found.value) or None,
        message=_encodable(found.message),
    )


def _column(column: InspectedColumn) -> TableColumn:
    proposal = column.proposal
    return TableColumn(
        letter=column.letter,
        header=_encodable(column.header),
        samples=[_encodable(each) for each in column.samples],
        property=proposal.name or None,
        match=proposal.match,
        score=proposal.score or None,
        reason=_encodable(proposal.reason) or None,
    )


def _words(words: WordsWithoutMember) -> WordsToMap:
    return WordsToMap(
        property=words.name, words=[_encodable(each) for each in words.words], members=list(words.members)
    )


def _print_table(console: Console, table: InspectedTable) -> None:
    _print_whole(console, str(table.file) if table.sheet is None else f"{table.file}, sheet {table.sheet}", "bold")
    # The loader knows the number of a sheet's rows only as the last one in use.
    about = "" if table.encoding else "about "
    read = [f"{about}{counted(table.rows_estimate, 'row')} below the header in row {table.header_row_number}"]
    if table.encoding:
        delimiter = DELIMITER_NAMES.get(table.delimiter, f"the sign {table.delimiter}")
        read.append(f"{table.encoding}, cells separated by {delimiter}")
    if table.is_hidden:
        read.append("the sheet is hidden")
    _print_wrapped(console, "; ".join(read), first="  ", indent=2)
    _print_findings(console, table)
    console.print()
    for column in table.columns:
        _print_column(console, column)
    console.print()
    for line in _about_preset(table.preset):
        _print_wrapped(console, line, first="Preset    ", indent=10)
    _print_lacking(console, table.missing, table.undeclared)


def _print_certificates(console: Console, tables: Sequence[InspectedTable]) -> None:
    """Print a line for each file, and once what all of them have in common."""
    _print_whole(console, counted(len(tables), "certificate file"), "bold")
    for table in tables:
        names = table.columns[SUBJECT_COLUMN].samples
        holds = names[0] if table.rows_estimate == 1 and names else counted(table.rows_estimate, "certificate")
        _print_whole(console, f"  {table.file}: {holds}")
        _print_findings(console, table)
    console.print()
    for at, column in enumerate(tables[0].columns):
        samples = dict.fromkeys(sample for table in tables for sample in table.columns[at].samples)
        _print_column(console, replace(column, samples=tuple(samples)[:CERTIFICATE_SAMPLES]))
    console.print()
    for line in dict.fromkeys(line for table in tables for line in _about_preset(table.preset)):
        _print_wrapped(console, line, first="Preset    ", indent=10)
    missing = tuple(dict.fromkeys(name for table in tables for name in table.missing))
    undeclared = {each.key: each for table in reversed(tables) for each in table.undeclared}
    _print_lacking(console, missing, tuple(undeclared.values()))


def _print_findings(console: Console, table: InspectedTable) -> None:
    for found in table.findings:
        value = f" ({found.value})" if found.value else ""
        style = "yellow" if found.severity is Severity.WARNING else ""
        _print_wrapped(console, f"{found.severity}: {found.message}{value}", first="  ", indent=2, style=style)


def _about_preset(use: PresetUse) -> Iterator[str]:
    if use.unfit:
        some = ", ".join(f'"{each}"' for each in use.unfit.headers[:PRESET_HEADERS_SHOWN])
        yield f"{use.unfit.name}: none of its headers is in the file, such as {some}"
    if use.used and use.is_chosen:
        yield f"{use.used.name}, as chosen"
    elif use.used:
        yield f"{use.used.name}: use --preset {use.used.name}, or the lines below"


def _print_lacking(console: Console, missing: Sequence[str], undeclared: Sequence[Undeclared]) -> None:
    _print_wrapped(console, ", ".join(missing) or "nothing", first="Missing   ", indent=10)
    for each in undeclared:
        where = f' in "{_cut(each.header)}", once that is mapped' if each.header else ""
        _print_wrapped(console, f'{each.key}: {each.choices} ("{each.cell}"{where})', first="Declare   ", indent=10)


def _print_column(console: Console, column: InspectedColumn) -> None:
    proposal = column.proposal
    header = f'"{_cut(column.header)}"' if column.header.strip() else "no header"
    meaning, style = {
        Match.EXACT: (f"is {proposal.name}", "green"),
        Match.SYNONYM: (f"means {proposal.name}", "green"),
        Match.DOUBTFUL: (f"perhaps {proposal.name}", "yellow"),
        Match.NONE: ("is not sent", ""),
    }[proposal.match]
    score = f", {proposal.score} of 100 alike" if proposal.score else ""
    reason = f": {proposal.reason}" if proposal.reason else ""
    _print_wrapped(console, f"{header} {meaning}{score}{reason}", first=f"{column.letter:<3} ", indent=4, style=style)
    if column.samples:
        _print_wrapped(console, f"such as {' | '.join(column.samples)}", first="    ", indent=8)


def _cut(header: str) -> str:
    line = " ".join(header.split())
    return line if len(line) <= HEADER_CHARACTERS else f"{line[:HEADER_CHARACTERS]}..."


def _print_wrapped(console: Console, text: str, *, first: str = "", indent: int, style: str = "") -> None:
    lines = textwrap.wrap(
        printable(text),
        width=max(console.width, 40) - 1,
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )
    for line in lines:
        _print_whole(console, line, style)


def _print_whole(console: Console, line: str, style: str = "") -> None:
    console.print(Text(printable(line), style=style), soft_wrap=True)
