"""The thorough way through a text file: any record, of one line or several, sound or broken, one by one.

csv.reader goes ahead and finds the records and the lines whose quotes are broken. Then pandas loads the values and
csv.reader reads along as the witness: they must agree in every cell.

What pandas does on its own and is kept from doing here (pandas 3.1): it drops a U+FEFF at the beginning, and it fails
where the first records are narrower than the header, or the records wider. So it is given one line of our own before
the file's first, as wide as the header, and told to use these columns. Beyond that the two agree: both end a record
at LF, CR and CRLF outside quotes, and take quotes inside an unquoted cell literally. A line with broken quotes is
handed to both as one quoted cell and comes out as a record that says so.
"""

import csv
import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

from pipeline.errors import SourceError
from pipeline.load.table import Record, changed, reading
from pipeline.load.text_files.dialect import Layout
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


class _Outline(NamedTuple):
    """What one reading with csv.reader tells about the records from the layout's start on."""

    records: int
    broken: BrokenLines


def open_from(path: Path, layout: Layout, errors: str = "strict") -> TextIO:
    """Return the open file from the layout's start on, its line ends as they are. Raises OSError."""
    file = path.open("rb")
    file.seek(layout.start)
    return io.TextIOWrapper(file, layout.encoding, errors, newline="")


def read_records(path: Path, layout: Layout, width: int, *, first_row: int, chunk_rows: int) -> Iterator[Record]:
    """Yield the records from the layout's start on, the values from pandas, their number vouched for by csv.reader.

    `width` is the number of the header's columns, `first_row` the number of the first record. Raises SourceError.
    """
    frame_rows = max(1, min(chunk_rows, FRAME_CELLS // width))
    last_row = first_row - 1
    row_number = last_row
    try:
        with reading(path):
            outline = _outline_of(path, layout)
            broken_rows = outline.broken.rows()
            broken_row_number, sentence = next(broken_rows, (0, ""))
            values_of_all = _values(path, layout, outline.broken, width, frame_rows)
            both = zip(values_of_all, _witnesses(path, layout, outline.broken), strict=True)
            for row_number, (values, witness) in enumerate(both, start=first_row):
                own_width = len(witness)
                if not agree(values, witness):
                    raise SourceError(_disagreement(path, row_number))
                is_broken = row_number - last_row == broken_row_number
                cells = values if own_width == width else values[:own_width] + tuple(witness[width:])
                yield Record(row_number, cells, broken=sentence) if is_broken else Record(row_number, cells)
                if is_broken:
                    broken_row_number, sentence = next(broken_rows, (0, ""))
    except csv.Error as exc:  # a quote that the first reading did not see
        raise SourceError(changed(path)) from exc
    except ValueError as exc:  # from zip: one has more records; from pandas: its ParserError is one
        raise SourceError(_disagreement(path, row_number + 1)) from exc
    if row_number - last_row != outline.records:
        raise SourceError(changed(path))


def _outline_of(path: Path, layout: Layout) -> _Outline:
    records = 0
    broken = BrokenLines()
    with open_from(path, layout) as file:
        for records, record in enumerate(RecordReader(file, layout.delimiter), start=1):
            if isinstance(record, BrokenLine):
                broken.add(records, record)
    return _Outline(records, broken)


def _values(path: Path, layout: Layout, broken: BrokenLines, width: int, frame_rows: int) -> Iterator[tuple[str, ...]]:
    """Yield the first `width` cells of each record as pandas reads them, "" where the record has fewer."""
    import pandas as pd  # noqa: PLC0415 - 0.3 s, and few files are read this way

    line = layout.delimiter.join(['""'] * width) + "\n"
    with (
        open_from(path, layout) as file,
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


def _witnesses(path: Path, layout: Layout, broken: BrokenLines) -> Iterator[list[str]]:
    """Yield the cells of each record, [] for an empty line; those of a broken line are the line."""
    raise_cell_limit()
    with open_from(path, layout) as file:
        yield from csv.reader(mended(file, broken) if broken else file, delimiter=layout.delimiter)


def agree(values: tuple[str, ...], witness: list[str]) -> bool:
    """Return whether pandas' cells, as many as the header has, are csv.reader's, "" where it has fewer."""
    width = len(values)
    return values == tuple(witness[:width]) + ("",) * (width - len(witness))


def _disagreement(path: Path, row_number: int) -> str:
    return (
        f"{path} row {row_number} can be read in two ways, so it is not read at all: "
        "open the file in a spreadsheet, check this row and save it as CSV UTF-8 anew."
    )
