"""What `inspect` prints: how a file was read, what its columns probably are, and lines for config.yaml. 80 columns."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from pipeline.cli.options import Globals, Output
from pipeline.cli.streams import answer, answering, printable, tell
from pipeline.cli.terminal import counted, open_console
from pipeline.config import Settings
from pipeline.errors import ExitCode, SourceError
from pipeline.findings import Severity
from pipeline.inspect import InspectedColumn, InspectedTable, PresetUse, Undeclared, inspect_file, mapping_yaml
from pipeline.load import CERTIFICATE_FILE_HEADER, LoadOptions
from pipeline.presets import Preset
from pipeline.proposals import Match

HEADER_CHARACTERS = 40
PRESET_HEADERS_SHOWN = 3
CERTIFICATE_SAMPLES = 3
SUBJECT_COLUMN = CERTIFICATE_FILE_HEADER.index("subject common name")
DELIMITER_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}


class Refused(NamedTuple):
    """A file that cannot be read as a table."""

    file: Path
    message: str


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
        answer(inspection_document(tables, refused))
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


def inspection_document(tables: Sequence[InspectedTable], refused: Sequence[Refused] = ()) -> str:
    """Return the same as one JSON document, in ASCII, with a line feed at its end."""
    document = {
        "tables": [_document(table) for table in tables],
        "refused": [{"file": _file_name(each.file), "message": each.message} for each in refused],
        "yaml": mapping_yaml(tables),
    }
    return f"{json.dumps(document, indent=2)}\n"


def _file_name(path: Path) -> str:
    """Return the path without halves of surrogate pairs, which many readers of JSON refuse."""
    return str(path).encode("utf-8", "replace").decode()


def _document(table: InspectedTable) -> dict[str, object]:
    return {
        "file": _file_name(table.file),
        "sheet": table.sheet,
        "hidden": table.is_hidden,
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "header_row": table.header_row_number,
        "rows_estimate": table.rows_estimate,
        "preset": table.preset.used.name if table.preset.used else None,
        "preset_chosen": table.preset.is_chosen,
        "preset_without_headers": table.preset.unfit.name if table.preset.unfit else None,
        "findings": [
            {"code": each.code, "severity": each.severity, "value": each.value, "message": each.message}
            for each in table.findings
        ],
        "columns": [
            {
                "letter": each.letter,
                "header": each.header,
                "samples": list(each.samples),
                "property": each.proposal.name or None,
                "match": each.proposal.match,
                "score": each.proposal.score or None,
                "reason": each.proposal.reason or None,
            }
            for each in table.columns
        ],
        "missing": list(table.missing),
        "words": [
            {"property": each.name, "words": list(each.words), "members": list(each.members)} for each in table.words
        ],
        "undeclared": [each._asdict() for each in table.undeclared],
    }


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
