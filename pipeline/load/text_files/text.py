"""Text files (.csv, .tsv, .txt) become one table, streamed: memory does not grow with the file's length.

A file is read twice: once as characters (is it in its encoding, is it text at all), once for the rows. Where each line
is one record, pieces.py reads them quickly. From the first piece on in which that is not so, pandas loads the values,
and nothing is taken that is not proven beside it: pandas alone cannot tell `4,5` from `6,7,`. csv.reader goes ahead
(the number of records, quotes that are broken) and then reads along as the witness that knows how many cells a record
really has. Where the two differ in one character the file is refused, so no cell is ever changed in silence.

Row numbers count records, as a spreadsheet does: a line break inside quotes adds no row, a blank line does, and so
does PowerShell's first line `#TYPE`. Excel's first line `sep=;` declares the delimiter; Excel does not show it as a
row, so it is not counted either.
"""

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, finding, shorten
from pipeline.load.table import (
    HEADER_SEARCH_ROWS,
    MAGIC_BYTES,
    LoadOptions,
    Record,
    Table,
    about_title_rows,
    check_width,
    content_of,
    find_header,
    is_blank,
    is_report,
    reading,
    trimmed,
    unmasked,
)
from pipeline.load.text_files.detection import LEAST_CONFIDENCE_PERCENT, Detected
from pipeline.load.text_files.dialect import SEP_LINE, TYPE_LINE_START, Layout, checked_delimiter, find_delimiter
from pipeline.load.text_files.encodings import (
    LINE_LIMIT_CHARACTERS,
    Fault,
    Foreign,
    FoundEncoding,
    Mixed,
    find_encoding,
)
from pipeline.load.text_files.pieces import PIECE_BYTES
from pipeline.load.text_files.quotes import BrokenLine, RecordReader
from pipeline.load.text_files.records import open_from
from pipeline.load.text_files.text_rows import TextRows, state_of


class _Head(NamedTuple):
    """Where a file's rows begin."""

    header: tuple[str, ...]
    header_row_number: int
    above: tuple[Record, ...]  # the records above the header, as far as they may be titles


def open_text(path: Path, options: LoadOptions) -> Table:
    """Return the file's table. It has been read through; raises SourceError if it is no text or no table.

    Rows with broken quotes come out with `Row.broken`. `Table.findings` tells of an encoding that was found by
    comparing or is given against what fits, and of rows above the header.
    """
    with reading(path):
        _check_content(path)
        found = find_encoding(path, options.encoding)
        layout = _layout_of(path, found.codec, found.start, options)
        if found.foreign is not None:
            raise SourceError(_about_foreign(path, layout, found, found.foreign))
        if found.mixed is not None:
            raise SourceError(_about_mixed(path, layout, found.mixed))
        if found.detected is not None and found.detected.confidence_percent < LEAST_CONFIDENCE_PERCENT:
            raise SourceError(_about_unsure(path, layout, found.detected))
        head = _head_of(path, layout, options)
        lines, state = _count_lines(path, layout), state_of(path)
        findings: tuple[Finding, ...] = ()
        if found.detected is not None:
            findings = (_about_encoding(path, layout, found.detected),)
        if found.better is not None:
            findings = (_about_better(path, layout, found.better),)
    header = head.header
    if options.header_row is None:
        findings += about_title_rows(head.above)
    rows = TextRows(path, layout, header, head.header_row_number, options.chunk_rows, state)
    return Table(
        source=path,
        sheet=None,
        header=unmasked(header) if is_report(header) else header,
        header_row_number=head.header_row_number,
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        rows_estimate=max(lines - head.header_row_number, 0),
        chunks=rows.chunks(),
        findings=findings,
        text=rows,
    )


def _check_content(path: Path) -> None:
    with path.open("rb") as file:
        content = content_of(file.read(MAGIC_BYTES))
    if content is not None:
        raise SourceError(
            f"{path} is no text file, its content is {content}: export the inventory as CSV, "
            "or correct the file's ending."
        )


def _layout_of(path: Path, encoding: str, start: int, options: LoadOptions) -> Layout:
    given = checked_delimiter(path, options.delimiter)
    with open_from(path, Layout(encoding, start, ""), errors="replace") as file:
        sep_line = SEP_LINE.fullmatch(file.readline(16))
    if sep_line is not None:
        start += len(sep_line[0].encode(encoding))
        given = given or checked_delimiter(path, sep_line["delimiter"])
    if given is None and path.suffix.lower() == ".tsv":
        given = "\t"
    if given is None:
        with open_from(path, Layout(encoding, start, ""), errors="replace") as file:
            given = find_delimiter(file, options)
    return Layout(encoding, start, given)


def _about_foreign(path: Path, layout: Layout, found: FoundEncoding, foreign: Foreign) -> str:
    if foreign.fault is Fault.LONG_LINE:
        limit = f"a line of more than {LINE_LIMIT_CHARACTERS:,} characters"
        return f"{path} has {limit}, so it is no inventory: export it again as CSV UTF-8."
    in_sep_line = (layout.start - found.start) // len("=".encode(layout.encoding))
    row = _row_of_character(path, layout, foreign.characters_before - in_sep_line)
    if foreign.fault is Fault.NUL:
        return (
            f"{path} row {row} holds a NUL at byte offset {foreign.offset:,}, "
            "so it is a binary file, a damaged one, or UTF-16 without its mark: export it again as CSV UTF-8, "
            "or try --encoding utf-16."
        )
    where = (
        f"{path} row {row} is not in the encoding {layout.encoding}, at byte offset "
        f"{foreign.offset:,} (0x{foreign.byte:02X})"
    )
    if found.damage is not None:
        is_one = found.damage.foreign_bytes == 1
        count = "the only such byte" if is_one else f"the first of {found.damage.foreign_bytes:,} such bytes"
        cells = "that cell" if is_one else "these cells"
        also = f", and leave --encoding {found.damage.given} out" if found.damage.given else ""
        return (
            f"{where}, {count}, while all other letters outside ASCII ({found.damage.characters:,}) are, and would "
            f"change in another encoding: write {cells} anew, or export the file again as CSV UTF-8{also}."
        )
    if found.better is not None:
        return f"{where}, and its letters fit {found.better}: leave --encoding out, or name {found.better}."
    if found.start:  # behind a byte order mark, which no other encoding may be given against
        return f"{where}, which the file's byte order mark says it is: export the file again as CSV UTF-8."
    other = "cp850" if layout.encoding == "cp1252" else "cp1252"
    return f"{where}: save the file as CSV UTF-8, or name its encoding, such as --encoding {other}."


def _row_of_character(path: Path, layout: Layout, index: int) -> int:
    """Return the row number of the character with this index behind the layout's start, decodable or not."""
    lines_before = 0
    with open_from(path, layout, errors="replace") as file:
        for line in file:
            index -= len(line)
            if index < 0:
                break
            lines_before += 1
    with open_from(path, layout, errors="replace") as file:
        records = RecordReader(file, layout.delimiter)
        return 1 + sum(1 for _ in takewhile(lambda _: records.line_index <= lines_before, records))


def _about_mixed(path: Path, layout: Layout, mixed: Mixed) -> str:
    as_read, other = (piece.decode(layout.encoding, "replace") for piece in mixed)
    utf_8_row, _ = _first_cell(path, layout, lambda cell: as_read in cell, errors="replace")
    other_row, _ = _first_cell(path, layout, lambda cell: other in cell, errors="replace")
    return (
        f'{path} is in two encodings, row {utf_8_row} ("{shorten(mixed.utf_8.decode())}") in UTF-8 and '
        f'row {other_row} ("{shorten(other)}") in another, such as {layout.encoding}, '
        "so one of them would be sent with wrong letters: export both parts again as CSV UTF-8 from where they came."
    )


def _about_unsure(path: Path, layout: Layout, detected: Detected) -> str:
    return (
        f"{path} is not in UTF-8, and its encoding is not certain enough: {layout.encoding} is "
        f"{_sureness(path, layout, detected, 'would read')}: name the encoding, such as --encoding {layout.encoding}, "
        "or export the file again as CSV UTF-8."
    )


def _about_encoding(path: Path, layout: Layout, detected: Detected) -> Finding:
    """Return the finding that tells of the guess, why it is no surer, and the first cell that shows if it is right."""
    message = f"read as {layout.encoding}, which is {_sureness(path, layout, detected, 'reads')}"
    return finding(Code.DETECTED_ENCODING, message)


def _sureness(path: Path, layout: Layout, detected: Detected, reads: str) -> str:
    sureness = f"{detected.confidence_percent} % sure, {_reason_of(detected)}"
    row_number, cell = _first_cell(path, layout, lambda cell: not cell.isascii())
    return f'{sureness}; row {row_number} {reads} "{shorten(cell)}"' if cell else sureness


def _reason_of(detected: Detected) -> str:
    if not detected.words:
        return "because every other byte is a NUL"
    count = "only one word" if detected.words == 1 else f"{detected.words:,} words"
    reason = f"with {count} outside ASCII to judge by"
    if detected.others:
        reason += f", and {' or '.join(detected.others)} would read other letters"
    return reason


def _about_better(path: Path, layout: Layout, better: str) -> Finding:
    """Return the finding that another encoding fits better than the given one, with a cell as both read it."""

    def as_better(cell: str) -> str:
        return cell.encode(layout.encoding, "replace").decode(better, "replace")

    message = f"read as {layout.encoding}, as --encoding says, but the letters fit {better} better"
    row_number, cell = _first_cell(path, layout, lambda cell: as_better(cell) != cell)
    if cell:
        message += f'; row {row_number} reads "{shorten(cell)}" and would read "{shorten(as_better(cell))}"'
    hint = (
        f"if the second is right, leave `--encoding` out or name `--encoding {better}`; if the first is, nothing to do"
    )
    return finding(Code.DETECTED_ENCODING, message, hint=hint)


def _first_cell(
    path: Path, layout: Layout, is_wanted: Callable[[str], bool], errors: str = "strict"
) -> tuple[int, str]:
    """Return row number and text of the first wanted cell, (0, "") if there is none."""
    with open_from(path, layout, errors) as file:
        for row_number, record in enumerate(RecordReader(file, layout.delimiter), start=1):
            cells = [record.text] if isinstance(record, BrokenLine) else record
            for cell in cells:
                if is_wanted(cell):
                    return row_number, cell
    return 0, ""


def _lead_of(path: Path, layout: Layout, options: LoadOptions) -> list[Record]:
    """Return the first records, as many as the header is looked for in.

    Of those further down only the row that the options name, and the first row with content if none is above it.
    """
    lead: list[Record] = []
    last = max(HEADER_SEARCH_ROWS, options.header_row or 0)
    is_filled = False
    with open_from(path, layout) as file:
        for row_number, record in enumerate(RecordReader(file, layout.delimiter), start=1):
            if row_number > last and is_filled:
                break
            if isinstance(record, BrokenLine):
                found = Record(row_number, (record.text,), broken=record.kind.sentence)
            elif row_number == 1 and record and record[0].startswith(TYPE_LINE_START):
                found = Record(row_number, ())
            else:
                found = Record(row_number, tuple(record))
            is_wanted = not is_filled and not is_blank(found.cells)
            is_filled = is_filled or is_wanted
            if is_wanted or row_number <= HEADER_SEARCH_ROWS or row_number == options.header_row:
                lead.append(found)
    return lead


def _head_of(path: Path, layout: Layout, options: LoadOptions) -> _Head:
    lead = _lead_of(path, layout, options)
    index = find_header(path, lead, options)
    if index is None:
        raise SourceError(f"{path} has no header, it holds only blank lines: export it again.")
    header = lead[index]
    check_width(path, header.cells)
    if header.broken:
        raise SourceError(
            f"{path} row {header.row_number}, the header, cannot be read, {header.broken}: write each quote inside a "
            "quoted cell twice, and close the cell with one."
        )
    return _Head(trimmed(header.cells), header.row_number, tuple(lead[:index]))


def _count_lines(path: Path, layout: Layout) -> int:
    """Return the number of lines: about as many as the file has records."""
    lines, block = 0, b""
    with path.open("rb") as file:
        file.seek(layout.start)
        while data := file.read(PIECE_BYTES):
            lines += data.count(b"\n")
            block = data
    return lines + (not block.rstrip(b"\0").endswith(b"\n"))
