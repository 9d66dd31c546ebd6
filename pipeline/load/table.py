"""What text files and workbooks have in common: the table, its header, its chunks of rows, what makes a row blank."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, finding, shorten
from pipeline.model import IMPORT_PREFIX, MASKS, CellType, Row

if TYPE_CHECKING:
    from pipeline.load.text_files.text_rows import TextRows


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How files are read. The defaults find out for themselves."""

    sheets: tuple[str, ...] = ()  # of workbooks; () is all of them; text files have none and ignore it
    encoding: str | None = None  # of text files, as Python's codecs name it; None is their mark, UTF-8, or detected
    delimiter: str | None = None  # of text files, one ASCII character; None finds it in the header
    header_row: int | None = None  # its row number; None finds it below a title block
    known_columns: Callable[[Sequence[str]], int] | None = None  # how many cells name a known column; finds the header
    chunk_rows: int = 5_000


@dataclass(frozen=True, slots=True)
class Block:
    """Rows with exactly the header's cells, column by column: what is done to a whole column costs little a cell."""

    row_numbers: Sequence[int]  # ascending
    columns: tuple[Sequence[str], ...]  # as many as the header has; each as long as `row_numbers`
    not_text: Mapping[int, tuple[tuple[int, CellType], ...]] = field(default_factory=dict)  # by place, as `Row` has it
    text: str | None = None  # in which all the cells stand as they are, but for quotes within them

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.row_numbers)

    def row(self, at: int) -> Row:
        """Return the row at this place."""
        return Row(self.row_numbers[at], tuple(column[at] for column in self.columns), self.not_text.get(at, ()))

    def rows(self) -> list[Row]:
        """Return all rows."""
        if self.not_text:
            return [self.row(at) for at in range(len(self))]
        return list(map(Row, self.row_numbers, zip(*self.columns, strict=True)))

    def places_of(self, word: str) -> list[int]:
        """Return the places of the rows in which a cell holds the word, which has no quote in it."""
        if self.text is not None and word not in self.text:
            return []
        holding = (column for column in self.columns if word in "\n".join(column))
        return sorted({at for column in holding for at, cell in enumerate(column) if word in cell})


class Origin(NamedTuple):
    """Where rows of a text file stand in it, each in one line."""

    path: Path
    start: int  # byte offset of the first line
    size: int  # in bytes
    first_row: int  # the row number of the first line
    lines: int
    encoding: str
    delimiter: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next rows of a table, in its order."""

    block: Block
    odd: tuple[
        Row, ...
    ] = ()  # broken ones, and those with more or fewer cells than the header; they stand among others
    blank_rows: int = 0  # between the rows; those before the header and after the last row are in no chunk
    origin: Origin | None = None  # None: the rows come again only with the whole table

    def __len__(self) -> int:
        """Return the number of rows that are not blank."""
        return len(self.block) + len(self.odd)

    @property
    def row_numbers(self) -> Sequence[int]:
        """The numbers of all rows, ascending."""
        numbers = self.block.row_numbers
        return array("I", sorted((*numbers, *(row.row_number for row in self.odd)))) if self.odd else numbers

    @property
    def rows(self) -> list[Row]:
        """All rows, in the table's order."""
        rows = self.block.rows()
        return sorted((*rows, *self.odd)) if self.odd else rows


@dataclass(frozen=True)
class Table:
    """A header and the rows below it."""

    source: Path
    sheet: str | None  # None for text files
    header: tuple[str, ...]  # the header row as the file spells it, up to its last cell with content
    header_row_number: int
    encoding: str  # without the mark: utf-8, utf-16-le; "" for workbooks
    delimiter: str  # "" for workbooks
    rows_estimate: int  # about how many data rows there are, for progress
    chunks: Iterator[Chunk]  # consumed once; raises SourceError
    findings: tuple[Finding, ...] = ()  # about the whole table: how it was read, and what a reader should know of it
    text: "TextRows | None" = None  # of text files: where `chunks` come from, for another process to read them


class Stretch(NamedTuple):
    """Consecutive rows of a sheet column by column, blank ones too. All columns are as long as there are rows."""

    first_row: int  # its row number
    columns: list[Sequence[str]]
    not_text: dict[int, tuple[tuple[int, CellType], ...]]  # by place, as `Row` has it

    def records(self) -> "Iterator[Record]":
        """Yield the rows."""
        for at, cells in enumerate(zip(*self.columns, strict=True)):
            yield Record(self.first_row + at, cells, self.not_text.get(at, ()))

    def below(self, row_number: int) -> "Stretch":
        """Return the rows below the one with this number."""
        start = row_number + 1 - self.first_row
        if start <= 0:
            return self
        not_text = {at - start: types for at, types in self.not_text.items() if at >= start}
        return Stretch(row_number + 1, [column[start:] for column in self.columns], not_text)


class Record(NamedTuple):
    """One record of a text file or one row of a sheet, blank or not, with the cells it really has."""

    row_number: int
    cells: tuple[str, ...]
    not_text: tuple[tuple[int, CellType], ...] = ()
    broken: str = ""  # what is wrong with the quotes; the one cell is the line as it stands in the file


MOST_COLUMNS = 16_384
"""What a sheet can have ("Excel specifications and limits")."""

HEADER_SEARCH_ROWS = 50
"""So far down a header is looked for."""

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

FOREIGN_CONTENT = (
    (b"%PDF-", "a PDF document"),
    (ZIP_MAGIC, "a zip archive or a newer workbook such as .xlsx"),
    (b"PK\x05\x06", "an empty zip archive"),
    (OLE_MAGIC, "an older Office file such as .xls, or an encrypted one"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"SQLite format 3\0", "an SQLite database"),
)
"""First bytes of files that are no text, and what such a file is."""

MAGIC_BYTES = max(len(magic) for magic, _ in FOREIGN_CONTENT)


def content_of(head: bytes) -> str | None:
    """Return what a file with these first bytes is, None if they are no mark of a known binary format."""
    return next((content for magic, content in FOREIGN_CONTENT if head.startswith(magic)), None)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals within the block into a SourceError."""
    try:
        yield
    except FileNotFoundError as exc:
        raise SourceError(f"{path} does not exist: check the name and the directory.") from exc
    except PermissionError as exc:
        raise SourceError(
            f"{path} cannot be opened, permission denied: close it in Excel, or ask for the right to read it."
        ) from exc
    except OSError as exc:
        raise SourceError(f"{path} cannot be read ({exc.strerror}): check the path and the drive.") from exc


def changed(path: Path) -> str:
    """Return the sentence that the file was written to meanwhile."""
    return f"{path} was changed while it was being read: close the program that writes it and start again."


def is_blank(cells: tuple[str, ...] | list[str]) -> bool:
    """Return whether no cell holds anything but white space."""
    return all(not cell or cell.isspace() for cell in cells)


def trimmed(cells: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return the cells up to the last one that holds anything but white space."""
    width = len(cells)
    while width and is_blank((cells[width - 1],)):
        width -= 1
    return tuple(cells[:width])


def find_header(path: Path, lead: Sequence[Record], options: LoadOptions, sheet: str = "") -> int | None:
    """Return the index of the header in `lead`, the first records of the table; None when all of them are blank.

    The row that `--header-row` names; else the first row that names two known columns or more, or the one right below
    it that names even more of them; else the first row that is not blank. `lead` holds at least HEADER_SEARCH_ROWS
    records and the named row, if there are. Raises SourceError when the named row is blank or not there.
    """
    filled = [index for index, record in enumerate(lead) if not is_blank(record.cells)]
    if options.header_row is not None:
        named = [index for index in filled if lead[index].row_number == options.header_row]
        if not named:
            of_sheet = f' sheet "{sheet}"' if sheet else ""
            choice = "; choose the sheet that has it with --sheet" if sheet and not options.sheets else ""
            raise SourceError(
                f"{path}{of_sheet} row {options.header_row} is empty or not there, so it is no header: "
                f"give --header-row the number that the spreadsheet shows beside the header{choice}."
            )
        return named[0]
    if not filled or options.known_columns is None:
        return filled[0] if filled else None
    known = options.known_columns
    # Never a later row that knows more: what stands between two headers are rows of the first.
    # One known word alone may stand in a title by chance.
    counts = [0 if record.broken else known(record.cells) for record in lead[: HEADER_SEARCH_ROWS + 1]]
    best = next((index for index in filled if index < len(counts) and counts[index] > 1), filled[0])
    while best + 1 < len(counts) and counts[best + 1] > counts[best]:
        best += 1  # a header of two rows
    return best


def check_width(path: Path, header: tuple[str, ...]) -> None:
    """Raise SourceError when the header has more columns than any spreadsheet."""
    if len(header) > MOST_COLUMNS:
        raise SourceError(
            f"{path} has {len(header):,} columns, and a spreadsheet has {MOST_COLUMNS:,} at most: "
            "check the delimiter, or whether the lines end where they should."
        )


def about_title_rows(above: Sequence[Record]) -> tuple[Finding, ...]:
    """Return the finding that tells of the rows with content above the header, if there are any."""
    titles = [record for record in above if not is_blank(record.cells)]
    if not titles:
        return ()
    numbers = [record.row_number for record in titles]
    rows = f"row {numbers[0]}" if len(numbers) == 1 else f"rows {numbers[0]} to {numbers[-1]}"
    text = " ".join(" ".join(titles[0].cells).split())
    return (finding(Code.TITLE_ROWS, f"{rows} above the header not read as data", value=shorten(text)),)


def is_report(header: tuple[str, ...]) -> bool:
    """Return whether the table is one of certstate's own reports, which mask cells that look like formulas."""
    return any(cell.strip().casefold().startswith(IMPORT_PREFIX) for cell in header)


def unmasked(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cells without the apostrophes that the report writer put before formulas; any other one stays."""
    return tuple(MASKS.sub("", cell) if "'" in cell else cell for cell in cells)


def chunked(records: Iterator[Record], header: tuple[str, ...], chunk_rows: int) -> Iterator[Chunk]:
    """Yield the records below the header as chunks of at most `chunk_rows` rows, blank ones counted, not listed."""
    width = len(header)
    masked = is_report(header)
    rows: list[Row] = []
    blank_rows = blank_rows_since = 0
    for record in records:
        # A row of nothing but uncalculated formulas is no blank one: something should stand there.
        if is_blank(record.cells) and not any(kind is CellType.FORMULA for _, kind in record.not_text):
            blank_rows_since += 1
            continue
        blank_rows += blank_rows_since
        blank_rows_since = 0
        rows.append(row_of(record, width, masked=masked))
        if len(rows) == chunk_rows:
            yield chunk_of(rows, blank_rows)
            rows, blank_rows = [], 0
    if rows:
        yield chunk_of(rows, blank_rows)


def chunked_stretches(stretches: Iterable[Stretch], width: int) -> Iterator[Chunk]:
    """Yield the same rows as `chunked` of the stretches' records, which are at least `width` cells wide.

    Each stretch that is not blank becomes one chunk.
    """
    blank_rows_since = 0
    for stretch in stretches:
        rows = len(stretch.columns[0]) if stretch.columns else 0
        blank = _blank_places(stretch)
        if len(blank) == rows:
            blank_rows_since += rows
            continue
        last = next(at for at in range(rows - 1, -1, -1) if at not in blank)
        blank_rows = blank_rows_since + sum(at < last for at in blank)
        blank_rows_since = rows - 1 - last
        yield _chunk_of_stretch(stretch, width, blank, blank_rows)


def _blank_places(stretch: Stretch) -> set[int]:
    """Return the places of the rows that `chunked` takes for blank ones."""
    if any("" not in column and not any(map(str.isspace, column)) for column in stretch.columns):
        return set()
    texts = map("".join, zip(*stretch.columns, strict=True))
    return {
        at
        for at, text in enumerate(texts)
        if (not text or text.isspace())
        and not any(kind is CellType.FORMULA for _, kind in stretch.not_text.get(at, ()))
    }


def _chunk_of_stretch(stretch: Stretch, width: int, blank: set[int], blank_rows: int) -> Chunk:
    first_row, columns, not_text = stretch
    rows = len(columns[0])
    beyond = [column for column in columns[width:] if any(column)]
    odd_places = sorted({at for column in beyond for at, cell in enumerate(column) if cell and not cell.isspace()})
    odd = tuple(
        row_of(Record(first_row + at, tuple(column[at] for column in columns), not_text.get(at, ())), width)
        for at in odd_places
    )
    if len(columns) > width:
        within = ((at, tuple(each for each in types if each[0] < width)) for at, types in not_text.items())
        not_text = {at: types for at, types in within if types}
    columns = columns[:width]
    numbers = array("I", range(first_row, first_row + rows))
    if blank or odd:
        away = blank.union(odd_places)
        places = [at for at in range(rows) if at not in away]
        numbers = array("I", (first_row + at for at in places))
        columns = [[column[at] for at in places] for column in columns]
        not_text = {at: not_text[place] for at, place in enumerate(places) if place in not_text}
    return Chunk(Block(numbers, tuple(columns), not_text), odd, blank_rows)


def chunk_of(rows: Sequence[Row], blank_rows: int = 0) -> Chunk:
    """Return the rows of one table, in its order, as a chunk."""
    odd = tuple(row for row in rows if row.broken or row.missing_cells or row.extra_cells)
    if odd:
        rows = [row for row in rows if not (row.broken or row.missing_cells or row.extra_cells)]
    width = len(next(iter((*rows, *odd))).cells) if rows or odd else 0
    columns = tuple(zip(*(row.cells for row in rows), strict=True)) or ((),) * width
    not_text = {at: row.not_text for at, row in enumerate(rows) if row.not_text}
    return Chunk(Block(array("I", (row.row_number for row in rows)), columns, not_text), odd, blank_rows)


def row_of(record: Record, width: int, *, masked: bool = False) -> Row:
    """Return the record as a row of a table with so many columns; `masked` cells come as they were before."""
    row_number, cells, not_text, broken = record
    if broken:
        return Row(row_number, cells + ("",) * (width - 1), broken=broken)
    if masked:
        cells = unmasked(cells)
    if len(cells) == width:
        return Row(row_number, cells, not_text)
    if len(cells) < width:
        missing_cells = width - len(cells)
        return Row(row_number, cells + ("",) * missing_cells, not_text, missing_cells=missing_cells)
    within = tuple((index, cell_type) for index, cell_type in not_text if index < width)
    return Row(row_number, cells[:width], within, trimmed(cells[width:]))
