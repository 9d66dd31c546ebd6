"""What `inspect` prints: how a file was read, what its columns probably are, and lines for config.yaml. 80 columns."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipeline.cli.options import Globals, Output
from pipeline.cli.streams import answer, answering, printable
from pipeline.cli.terminal import counted, open_console
from pipeline.config import Settings
from pipeline.findings import Severity
from pipeline.inspect import InspectedColumn, InspectedTable, inspect_file
from pipeline.load import LoadOptions
from pipeline.presets import Preset
from pipeline.proposals import Match

HEADER_CHARACTERS = 40
DELIMITER_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}


def inspect_files(
    chosen: Globals, files: Sequence[Path], settings: Settings, options: LoadOptions, preset: Preset | None
) -> None:
    """Print what the files hold on stdout. Raises SourceError, before anything is printed, when one is no table."""
    tables = [table for path in files for table in inspect_file(path, settings, options, preset)]
    if chosen.output is Output.JSON:
        answer(inspection_document(tables))
        return
    console = open_console(is_error=False, has_color=chosen.has_color)
    with answering():
        with console.capture() as text:  # Rich itself would end the process when a reader goes away
            show_inspection(console, tables)
        answer(text.get())


def show_inspection(console: Console, tables: Sequence[InspectedTable]) -> None:
    """Print each table: what was detected, a line or two for each column, what is missing, what to paste."""
    for number, table in enumerate(tables):
        if number:
            console.print()
        _print_table(console, table)


def inspection_document(tables: Sequence[InspectedTable]) -> str:
    """Return the same as one JSON document, in ASCII, with a line feed at its end."""
    return f"{json.dumps({'tables': [_document(table) for table in tables]}, indent=2)}\n"


def _document(table: InspectedTable) -> dict[str, object]:
    return {
        # A file name that is no valid UTF-8 holds halves of surrogate pairs, which many readers of JSON refuse.
        "file": str(table.file).encode("utf-8", "replace").decode(),
        "sheet": table.sheet,
        "hidden": table.is_hidden,
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "header_row": table.header_row_number,
        "rows_estimate": table.rows_estimate,
        "preset": table.preset,
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
        "yaml": table.yaml_text,
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
    for found in table.findings:
        value = f" ({found.value})" if found.value else ""
        style = "yellow" if found.severity is Severity.WARNING else ""
        _print_wrapped(console, f"{found.severity}: {found.message}{value}", first="  ", indent=2, style=style)
    console.print()
    for column in table.columns:
        _print_column(console, column)
    console.print()
    if table.preset:
        _print_wrapped(console, f"{table.preset}: use --preset {table.preset}", first="Preset    ", indent=10)
    _print_wrapped(console, ", ".join(table.missing) or "nothing", first="Missing   ", indent=10)
    for each in table.undeclared:
        text = f'{each.key}: {each.choices} ("{each.cell}")'
        _print_wrapped(console, text, first="Declare   ", indent=10)
    if table.yaml_text:
        console.print()
        console.print("For config.yaml", style="bold")
        # Signs that the terminal cannot show become escapes, which YAML reads as the same signs.
        text = table.yaml_text.encode(console.encoding, "backslashreplace").decode(console.encoding)
        for line in text.splitlines():
            _print_whole(console, line)


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
