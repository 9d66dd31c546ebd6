"""Text files (.csv, .tsv, .txt) become one table, streamed: memory does not grow with the file's length.

A file is read three times: once as characters (is it in its encoding, is it text at all), once with csv.reader (the
header, the number of records, a quote that is never closed), once for the rows. There pandas loads the values and
csv.reader reads along as the witness: pandas alone cannot tell `4,5` from `6,7,` and csv.reader knows how many cells
a record really has. Where the two differ in one character the file is refused, so no cell is ever changed in silence.

What pandas does on its own and is kept from doing here (pandas 3.1): it drops a U+FEFF at the beginning, and it fails
where the first records are narrower than the header, or the records wider. So it is given one line of our own before
the file's first, as wide as the header, and told to use these columns. Beyond that the two agree: both end a record
at LF, CR and CRLF outside quotes, and take quotes inside an unquoted cell and text after a closing quote literally.

Row numbers count records, as a spreadsheet does: a line break inside quotes adds no row, a blank line does. Excel's
first line `sep=;` declares the delimiter; Excel does not show it as a row, so it is not counted either.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

import pandas as pd

from pipeline.errors import SourceError
from pipeline.load.table import (
    MAGIC_BYTES,
    LoadOptions,
    Record,
    Table,
    chunked,
    content_of,
    is_blank,
    is_report,
    reading,
    trimmed,
    unmasked,
)

CELL_LIMIT_CHARACTERS = 16 * 1024 * 1024
"""A longer cell is taken for a missing closing quote; without a limit, one quote would load the whole file."""

FRAME_CELLS = 1_000_000  # bounds memory where the header is wide
BLOCK_BYTES = 256 * 1024
HEADER_LIMIT_CHARACTERS = 64 * 1024  # how far a quote is followed in search of the delimiter
DELIMITERS = (",", ";", "\t", "|")  # in the order of preference

# UTF-32 before UTF-16: the little-endian mark of the first begins with that of the second.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Codecs that read a mark themselves; the mark is skipped here, so that offsets can be counted without it.
MARKLESS = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}

QUOTED = re.compile(r'"[^"]*"')
SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[^\r\n])"?(\r\n|\r|\n)', re.IGNORECASE)


class _Layout(NamedTuple):
    """How the bytes of a text file become records."""

    encoding: str
    start: int  # byte offset of the first record, behind the byte order mark and the `sep=` line
    delimiter: str


class _Outline(NamedTuple):
    """What one reading with csv.reader tells about a file."""

    header: tuple[str, ...]
    header_row_number: int
    records: int
    data_rows: int


class _HeadedFile(io.TextIOBase):
    """A text file with one line of our own before its first."""

    def __init__(self, line: str, file: TextIO) -> None:
        self._line = line
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> str:
        line, self._line = self._line, ""
        return line or self._file.read(-1 if size is None else size)


def open_text(path: Path, options: LoadOptions) -> Table:
    """Return the file's table. It has been read through once; raises SourceError if it is no text or no table."""
    with reading(path):
        layout = _layout_of(path, options)
        _check_characters(path, layout)
        outline = _outline_of(path, layout)
    header = outline.header
    return Table(
        source=path,
        sheet=None,
        header=unmasked(header) if is_report(header) else header,
        header_row_number=outline.header_row_number,
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        rows_estimate=outline.data_rows,
        chunks=chunked(_data_records(path, layout, outline, options.chunk_rows), header, options.chunk_rows),
    )


def _layout_of(path: Path, options: LoadOptions) -> _Layout:
    with path.open("rb") as file:
        head = file.read(MAGIC_BYTES)
    content = content_of(head)
    if content is not None:
        raise SourceError(
            f"{path} is no text file, its content is {content}: export the inventory as CSV, "
            "or correct the file's ending."
        )
    encoding, start = _encoding_of(path, head, options.encoding)
    given = _checked_delimiter(path, options.delimiter)
    with _open(path, _Layout(encoding, start, ""), errors="replace") as file:
        sep_line = SEP_LINE.fullmatch(file.readline(16))
    if sep_line is not None:
        start += len(sep_line[0].encode(encoding))
        given = given or _checked_delimiter(path, sep_line["delimiter"])
    if given is None and path.suffix.lower() == ".tsv":
        given = "\t"
    if given is None:
        with _open(path, _Layout(encoding, start, ""), errors="replace") as file:
            given = _delimiter_in_header(file)
    return _Layout(encoding, start, given)


def _encoding_of(path: Path, head: bytes, given: str | None) -> tuple[str, int]:
    """Return the codec's name and how many bytes the byte order mark takes."""
    mark, marked = next((each for each in BYTE_ORDER_MARKS if head.startswith(each[0])), (b"", None))
    start = len(mark)
    while mark and head.startswith(mark, start):  # files that were joined begin with more than one
        start += len(mark)
    if given is None:
        return marked or "utf-8", start
    try:
        name = codecs.lookup(given).name
        io.TextIOWrapper(io.BytesIO(b"a"), name, "replace").read()  # refuses codecs that decode no text, such as base64
    except (LookupError, UnicodeError) as exc:
        raise SourceError(
            f'{path} cannot be read with the encoding "{given}", which is unknown: '
            "name one such as utf-8, utf-16 or cp1252."
        ) from exc
    if marked is None:
        return MARKLESS.get(name, name), 0
    if name != marked and not marked.startswith(f"{name}-") and MARKLESS.get(name) != marked:
        raise SourceError(
            f'{path} begins with the byte order mark of {marked}, but the encoding "{given}" was given: '
            "leave the encoding out."
        )
    return marked, start


def _checked_delimiter(path: Path, given: str | None) -> str | None:
    delimiter = "\t" if given == "\\t" else given
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise SourceError(
            f"{path} cannot be split at the delimiter {given!r}: give one character such as , or ; or | or \\t for tab."
        )
    return delimiter


def _delimiter_in_header(file: TextIO) -> str:
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


def _open(path: Path, layout: _Layout, errors: str = "strict") -> TextIO:
    file = path.open("rb")
    file.seek(layout.start)
    return io.TextIOWrapper(file, layout.encoding, errors, newline="")


def _check_characters(path: Path, layout: _Layout) -> None:
    """Raise SourceError at the first byte that is not in the encoding, and at the first NUL character."""
    decoder = codecs.getincrementaldecoder(layout.encoding)()
    characters = 0
    with path.open("rb") as file:
        offset = file.seek(layout.start)
        while True:
            block = file.read(BLOCK_BYTES)
            offset -= len(decoder.getstate()[0])  # bytes of a character that the last block cut in two
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as exc:
                characters += len(exc.object[: exc.start].decode(layout.encoding))
                row = _row_of_character(path, layout, characters)
                raise SourceError(
                    f"{path} row {row} is not in the encoding {layout.encoding}, at byte offset "
                    f"{offset + exc.start:,} (0x{exc.object[exc.start]:02X}): save the file as CSV UTF-8, "
                    "or name its encoding, such as --encoding cp1252."
                ) from exc
            if "\0" in text:
                before = text[: text.index("\0")]
                row = _row_of_character(path, layout, characters + len(before))
                raise SourceError(
                    f"{path} row {row} holds a NUL at byte offset {offset + len(before.encode(layout.encoding)):,}, "
                    "so it is a binary file, a damaged one, or UTF-16 without its mark: export it again as CSV UTF-8, "
                    "or try --encoding utf-16."
                )
            if not block:
                return
            characters += len(text)
            offset = file.tell()


def _row_of_character(path: Path, layout: _Layout, index: int) -> int:
    """Return the row number of the file's character with this index, which may be one that cannot be decoded."""

    def lines_up_to(file: TextIO) -> Iterator[str]:
        left = index
        for line in file:
            yield line[:left]
            left -= len(line)
            if left < 0:
                return

    _raise_cell_limit()
    with _open(path, layout, errors="replace") as file:
        return sum(1 for _ in csv.reader(lines_up_to(file), delimiter=layout.delimiter))


def _raise_cell_limit() -> None:
    # The limit of the csv module holds for the whole process and all threads. It is raised once and stays so, because
    # setting it back would break a reader in another thread; others only read longer cells than they would have.
    csv.field_size_limit(max(csv.field_size_limit(), CELL_LIMIT_CHARACTERS))


def _records(path: Path, layout: _Layout) -> Iterator[list[str]]:
    """Yield the cells of each record, [] for an empty line. Raises SourceError where a quote is never closed."""
    _raise_cell_limit()
    row_number = 0
    with _open(path, layout) as file:
        # A last line of our own, a lone delimiter, comes out as a record of two empty cells, unless a quote is open
        # and swallows it. csv.reader says nothing of a quote that is open at the end.
        reader = csv.reader(chain(file, (layout.delimiter,)), delimiter=layout.delimiter)
        held: list[str] | None = None
        try:
            for record in reader:
                row_number += 1
                if held is not None:
                    yield held
                held = record
        except csv.Error as exc:
            raise SourceError(
                f"{path} row {row_number + 1} has a cell of more than {CELL_LIMIT_CHARACTERS:,} characters: "
                'it opens a quote (") that is not closed; close it, or delete it.'
            ) from exc
    if held != ["", ""]:
        raise SourceError(
            f'{path} row {row_number} opens a quote (") that is not closed until the end of the file, '
            "so the rows below it are lost in one cell: close the quote, or delete it."
        )


def _outline_of(path: Path, layout: _Layout) -> _Outline:
    header: tuple[str, ...] = ()
    header_row_number = records = data_rows = 0
    for records, cells in enumerate(_records(path, layout), start=1):
        if header:
            data_rows += any(cells)
        elif not is_blank(cells):
            header, header_row_number = trimmed(cells), records
    if not header:
        raise SourceError(f"{path} has no header, it holds only blank lines: export it again.")
    return _Outline(header, header_row_number, records, data_rows)


def _values(path: Path, layout: _Layout, width: int, frame_rows: int) -> Iterator[tuple[str, ...]]:
    """Yield the first `width` cells of each record as pandas reads them, "" where the record has fewer."""
    line = layout.delimiter.join(['""'] * width) + "\n"
    with (
        _open(path, layout) as file,
        pd.read_csv(
            _HeadedFile(line, file),
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


def _data_records(path: Path, layout: _Layout, outline: _Outline, chunk_rows: int) -> Iterator[Record]:
    """Yield the records below the header, the values from pandas, their number vouched for by csv.reader."""
    width = len(outline.header)
    frame_rows = max(1, min(chunk_rows, FRAME_CELLS // width))
    row_number = 0
    try:
        with reading(path):
            both = zip(_values(path, layout, width, frame_rows), _records(path, layout), strict=True)
            for row_number, (values, witness) in enumerate(both, start=1):
                own_width = len(witness)
                if values != tuple(witness[:width]) + ("",) * (width - own_width):
                    raise SourceError(_disagreement(path, row_number))
                if row_number > outline.header_row_number:
                    cells = values if own_width == width else values[:own_width] + tuple(witness[width:])
                    yield Record(row_number, cells)
    except ValueError as exc:  # from zip: one has more records; from pandas: its ParserError is one
        raise SourceError(_disagreement(path, row_number + 1)) from exc
    if row_number != outline.records:
        raise SourceError(
            f"{path} was changed while it was being read: close the program that writes it and start again."
        )


def _disagreement(path: Path, row_number: int) -> str:
    return (
        f"{path} row {row_number} can be read in two ways, so it is not read at all: "
        "open the file in a spreadsheet, check this row and save it as CSV UTF-8 anew."
    )
