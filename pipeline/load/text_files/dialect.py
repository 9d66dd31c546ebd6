"""How the characters of a text file become cells: the delimiter, Excel's `sep=` line, PowerShell's `#TYPE` line."""

import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

from pipeline.errors import SourceError
from pipeline.load.table import HEADER_SEARCH_ROWS, LoadOptions
from pipeline.load.text_files.quotes import BrokenLine, RecordReader

HEADER_LIMIT_CHARACTERS = 64 * 1024  # how far a quote is followed in search of the delimiter
LEAD_LIMIT_CHARACTERS = 1024 * 1024  # how far a header is looked for
DELIMITERS = (",", ";", "\t", "|")  # in the order of preference

QUOTED = re.compile(r'"[^"]*"')
SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[^\r\n])"?(\r\n|\r|\n)', re.IGNORECASE)

TYPE_LINE_START = "#TYPE "
"""Export-Csv of PowerShell 5.1 begins its file so unless told -NoTypeInformation (Microsoft, Export-Csv)."""


class Layout(NamedTuple):
    """How the bytes of a text file become records."""

    encoding: str
    start: int  # byte offset of the first record, behind the byte order mark and the `sep=` line
    delimiter: str


def checked_delimiter(path: Path, given: str | None) -> str | None:
    """Return the delimiter that an option or a `sep=` line names. Raises SourceError if it is none."""
    delimiter = "\t" if given == "\\t" else given
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise SourceError(
            f"{path} cannot be split at the delimiter {given!r}: give one character such as , or ; or | or \\t for tab."
        )
    return delimiter


def find_delimiter(file: TextIO, options: LoadOptions) -> str:
    """Return the delimiter of the text in `file`, which is read from where it stands.

    It is the one under which some row names more known columns than under any other, so titles above the header do
    not count; else the one that makes most cells of the row that `--header-row` names, or of the first row with
    content. The comma wins a tie.
    """
    text = file.read(LEAD_LIMIT_CHARACTERS)
    if text.startswith(TYPE_LINE_START):
        first_line = text.splitlines()[0]
        text = text[len(first_line) :]
    rows = max(HEADER_SEARCH_ROWS, options.header_row or 0)
    leads = {delimiter: list(islice(_records(text, delimiter), rows)) for delimiter in DELIMITERS}
    if options.header_row is not None:
        leads = {delimiter: lead[options.header_row - 1 :][:1] for delimiter, lead in leads.items()}
    if options.known_columns is not None:
        known = options.known_columns
        scores = [max(map(known, lead), default=0) for lead in leads.values()]
        best = max(scores)
        if best > 1 and scores.count(best) == 1:  # one word alone may stand in a title by chance
            return DELIMITERS[scores.index(best)]
    if options.header_row is not None:
        return max(DELIMITERS, key=lambda delimiter: sum(map(len, leads[delimiter])))
    return _delimiter_in_first(io.StringIO(text, newline=""))


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    for record in RecordReader(io.StringIO(text, newline=""), delimiter):
        yield [] if isinstance(record, BrokenLine) else record


def _delimiter_in_first(file: TextIO) -> str:
    """Return the delimiter that stands most often outside quotes in the first record that holds anything else."""
    header, open_quote = "", False
    for line in file:
        header += line
        open_quote ^= line.count('"') % 2 == 1
        if open_quote and len(header) < HEADER_LIMIT_CHARACTERS:
            continue
        if header.strip("".join(DELIMITERS) + " \r\n"):
            break
        header = ""
    bare = QUOTED.sub("", header)
    return max(DELIMITERS, key=bare.count)  # the first of equals, so the comma wins a tie
