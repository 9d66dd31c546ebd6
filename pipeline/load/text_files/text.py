"""Text files (.csv, .tsv, .txt) become one table, streamed: memory does not grow with the file's length.

A file is read three times: once as characters (is it in its encoding, is it text at all), once with csv.reader (the
header, the number of records, quotes that are broken), once for the rows. There pandas loads the values and
csv.reader reads along as the witness: pandas alone cannot tell `4,5` from `6,7,` and csv.reader knows how many cells
a record really has. Where the two differ in one character the file is refused, so no cell is ever changed in silence.

What pandas does on its own and is kept from doing here (pandas 3.1): it drops a U+FEFF at the beginning, and it fails
where the first records are narrower than the header, or the records wider. So it is given one line of our own before
the file's first, as wide as the header, and told to use these columns. Beyond that the two agree: both end a record
at LF, CR and CRLF outside quotes, and take quotes inside an unquoted cell literally. A line with broken quotes is
handed to both as one quoted cell and comes out as a record that says so.

Row numbers count records, as a spreadsheet does: a line break inside quotes adds no row, a blank line does, and so
does PowerShell's first line `#TYPE`. Excel's first line `sep=;` declares the delimiter; Excel does not show it as a
row, so it is not counted either.
"""

import csv
import io
from collections.abc import Callable, Iterator
from itertools import chain, takewhile
from pathlib import Path
from typing import NamedTuple, TextIO

import pandas as pd

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
    chunked,
    content_of,
    find_header,
    is_blank,
    is_report,
    reading,
    trimmed,
    unmasked,
)
from pipeline.load.text_files.detection import LEAST_CONFIDENCE_PERCENT, Detected
from pipeline.load.text_files.dialect import SEP_LINE, TYPE_LINE_START, checked_delimiter, find_delimiter
from pipeline.load.text_files.encodings import (
    LINE_LIMIT_CHARACTERS,
    Fault,
    Foreign,
    FoundEncoding,
    Mixed,
    find_encoding,
)
from pipeline.load.text_files.quotes import (
    BrokenLine,
    BrokenLines,
    HeadedFile,
    LineFile,
    RecordReader,
    mended,
    raise_cell_limit,
)

FRAME_CELLS = 1_000_000  # bounds memory where the header is wide


class _Layout(NamedTuple):
    """How the bytes of a text file become records."""

    encoding: str
    start: int  # byte offset of the first record, behind the byte order mark and the `sep=` line
    delimiter: str


class _Outline(NamedTuple):
    """What one reading with csv.reader tells about a file."""

    header: tuple[str, ...]
    header_row_number: int
    above: tuple[Record, ...]  # the records above the header, as far as they may be titles
    records: int
    data_rows: int
    broken: BrokenLines


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
        outline = _outline_of(path, layout, options)
        findings: tuple[Finding, ...] = ()
        if found.detected is not None:
            findings = (_about_encoding(path, layout, found.detected),)
        if found.better is not None:
            findings = (_about_better(path, layout, found.better),)
    header = outline.header
    if options.header_row is None:
        findings += about_title_rows(outline.above)
    return Table(
        source=path,
        sheet=None,
        header=unmasked(header) if is_report(header) else header,
        header_row_number=outline.header_row_number,
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        rows_estimate=outline.data_rows,
        chunks=chunked(_data_records(path, layout, outline, options.chunk_rows), header, options.chunk_rows),
        findings=findings,
    )


def _check_content(path: Path) -> None:
    with path.open("rb") as file:
        content = content_of(file.read(MAGIC_BYTES))
    if content is not None:
        raise SourceError(
            f"{path} is no text file, its content is {content}: export the inventory as CSV, "
            "or correct the file's ending."
        )


def _layout_of(path: Path, encoding: str, start: int, options: LoadOptions) -> _Layout:
    given = checked_delimiter(path, options.delimiter)
    with _open(path, _Layout(encoding, start, ""), errors="replace") as file:
        sep_line = SEP_LINE.fullmatch(file.readline(16))
    if sep_line is not None:
        start += len(sep_line[0].encode(encoding))
        given = given or checked_delimiter(path, sep_line["delimiter"])
    if given is None and path.suffix.lower() == ".tsv":
        given = "\t"
    if given is None:
        with _open(path, _Layout(encoding, start, ""), errors="replace") as file:
            given = find_delimiter(file, options)
    return _Layout(encoding, start, given)


def _open(path: Path, layout: _Layout, errors: str = "strict") -> TextIO:
    file = path.open("rb")
    file.seek(layout.start)
    return io.TextIOWrapper(file, layout.encoding, errors, newline="")


def _about_foreign(path: Path, layout: _Layout, found: FoundEncoding, foreign: Foreign) -> str:
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


def _row_of_character(path: Path, layout: _Layout, index: int) -> int:
    """Return the row number of the character with this index behind the layout's start, decodable or not."""
    lines_before = 0
    with _open(path, layout, errors="replace") as file:
        for line in file:
            index -= len(line)
            if index < 0:
                break
            lines_before += 1
    with _open(path, layout, errors="replace") as file:
        records = RecordReader(file, layout.delimiter)
        return 1 + sum(1 for _ in takewhile(lambda _: records.line_index <= lines_before, records))


def _about_mixed(path: Path, layout: _Layout, mixed: Mixed) -> str:
    as_read, other = (piece.decode(layout.encoding, "replace") for piece in mixed)
    utf_8_row, _ = _first_cell(path, layout, lambda cell: as_read in cell, errors="replace")
    other_row, _ = _first_cell(path, layout, lambda cell: other in cell, errors="replace")
    return (
        f'{path} is in two encodings, row {utf_8_row} ("{shorten(mixed.utf_8.decode())}") in UTF-8 and '
        f'row {other_row} ("{shorten(other)}") in another, such as {layout.encoding}, '
        "so one of them would be sent with wrong letters: export both parts again as CSV UTF-8 from where they came."
    )


def _about_unsure(path: Path, layout: _Layout, detected: Detected) -> str:
    return (
        f"{path} is not in UTF-8, and its encoding is not certain enough: {layout.encoding} is "
        f"{_sureness(path, layout, detected, 'would read')}: name the encoding, such as --encoding {layout.encoding}, "
        "or export the file again as CSV UTF-8."
    )


def _about_encoding(path: Path, layout: _Layout, detected: Detected) -> Finding:
    """Return the finding that tells of the guess, why it is no surer, and the first cell that shows if it is right."""
    message = f"read as {layout.encoding}, which is {_sureness(path, layout, detected, 'reads')}"
    return finding(Code.DETECTED_ENCODING, message)


def _sureness(path: Path, layout: _Layout, detected: Detected, reads: str) -> str:
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


def _about_better(path: Path, layout: _Layout, better: str) -> Finding:
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
    path: Path, layout: _Layout, is_wanted: Callable[[str], bool], errors: str = "strict"
) -> tuple[int, str]:
    """Return row number and text of the first wanted cell, (0, "") if there is none."""
    with _open(path, layout, errors) as file:
        for row_number, record in enumerate(RecordReader(file, layout.delimiter), start=1):
            cells = [record.text] if isinstance(record, BrokenLine) else record
            for cell in cells:
                if is_wanted(cell):
                    return row_number, cell
    return 0, ""


def _lead_of(path: Path, layout: _Layout, options: LoadOptions) -> list[Record]:
    """Return the first records, as many as the header is looked for in.

    Of those further down only the row that the options name, and the first row with content if none is above it.
    """
    lead: list[Record] = []
    last = max(HEADER_SEARCH_ROWS, options.header_row or 0)
    is_filled = False
    with _open(path, layout) as file:
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


def _outline_of(path: Path, layout: _Layout, options: LoadOptions) -> _Outline:
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
    row_number = data_rows = 0
    broken = BrokenLines()
    with _open(path, layout) as file:
        for row_number, record in enumerate(RecordReader(file, layout.delimiter), start=1):
            if isinstance(record, BrokenLine):
                broken.add(row_number, record)
                data_rows += row_number > header.row_number
            elif row_number > header.row_number:
                data_rows += any(record)
    return _Outline(trimmed(header.cells), header.row_number, tuple(lead[:index]), row_number, data_rows, broken)


def _values(path: Path, layout: _Layout, broken: BrokenLines, width: int, frame_rows: int) -> Iterator[tuple[str, ...]]:
    """Yield the first `width` cells of each record as pandas reads them, "" where the record has fewer."""
    line = layout.delimiter.join(['""'] * width) + "\n"
    with (
        _open(path, layout) as file,
        pd.read_csv(
            LineFile(chain((line,), mended(file, broken))) if broken else HeadedFile(line, file),
            engine="c",
            sep=layout.delimiter,
            header=None,
            names=range(width),
            usecols=range(width),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            chunksize=frame_rows,
        ) as frames,
    ):
        rows = chain.from_iterable(zip(*(frame[name].tolist() for name in frame), strict=True) for frame in frames)
        next(rows)
        yield from rows


def _witnesses(path: Path, layout: _Layout, broken: BrokenLines) -> Iterator[list[str]]:
    """Yield the cells of each record, [] for an empty line; those of a broken line are the line."""
    raise_cell_limit()
    with _open(path, layout) as file:
        yield from csv.reader(mended(file, broken) if broken else file, delimiter=layout.delimiter)


def agree(values: tuple[str, ...], witness: list[str]) -> bool:
    """Return whether pandas' cells, as many as the header has, are csv.reader's, "" where it has fewer."""
    width = len(values)
    return values == tuple(witness[:width]) + ("",) * (width - len(witness))


def _data_records(path: Path, layout: _Layout, outline: _Outline, chunk_rows: int) -> Iterator[Record]:
    """Yield the records below the header, the values from pandas, their number vouched for by csv.reader."""
    width = len(outline.header)
    frame_rows = max(1, min(chunk_rows, FRAME_CELLS // width))
    broken_rows = outline.broken.rows()
    broken_row_number, sentence = next(broken_rows, (0, ""))
    row_number = 0
    try:
        with reading(path):
            values_of_all = _values(path, layout, outline.broken, width, frame_rows)
            both = zip(values_of_all, _witnesses(path, layout, outline.broken), strict=True)
            for row_number, (values, witness) in enumerate(both, start=1):
                own_width = len(witness)
                if not agree(values, witness):
                    raise SourceError(_disagreement(path, row_number))
                is_broken = row_number == broken_row_number
                if row_number > outline.header_row_number:
                    cells = values if own_width == width else values[:own_width] + tuple(witness[width:])
                    yield Record(row_number, cells, broken=sentence) if is_broken else Record(row_number, cells)
                if is_broken:
                    broken_row_number, sentence = next(broken_rows, (0, ""))
    except csv.Error as exc:  # a quote that the first reading did not see
        raise SourceError(_change(path)) from exc
    except ValueError as exc:  # from zip: one has more records; from pandas: its ParserError is one
        raise SourceError(_disagreement(path, row_number + 1)) from exc
    if row_number != outline.records:
        raise SourceError(_change(path))


def _change(path: Path) -> str:
    return f"{path} was changed while it was being read: close the program that writes it and start again."


def _disagreement(path: Path, row_number: int) -> str:
    return (
        f"{path} row {row_number} can be read in two ways, so it is not read at all: "
        "open the file in a spreadsheet, check this row and save it as CSV UTF-8 anew."
    )
