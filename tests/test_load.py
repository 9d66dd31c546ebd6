"""Files become tables: nothing lost, nothing changed, every failure one sentence."""

import codecs
import csv
import datetime
import hashlib
import struct
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO, StringIO
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest
import xlwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msoffcrypto.format.ooxml import OOXMLFile
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table as OdsTable
from odf.table import TableCell, TableRow
from odf.text import P
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from xlwt.CompoundDoc import XlsDoc

from pipeline.errors import SourceError
from pipeline.load import LoadOptions, Table, open_tables, sha256_of
from pipeline.load.table import reading
from pipeline.model import CellType, Row

DEFAULTS = LoadOptions()

OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")


class Read(NamedTuple):
    """What a chunk says, however it holds its rows."""

    rows: list[Row]
    blank_rows: int


def chunks_of(table: Table) -> list[Read]:
    return [Read(chunk.rows, chunk.blank_rows) for chunk in table.chunks]


def tables_of(path: Path, options: LoadOptions = DEFAULTS) -> list[tuple[Table, list[Read]]]:
    return [(table, chunks_of(table)) for table in open_tables(path, options)]


def table_of(path: Path, options: LoadOptions = DEFAULTS) -> Table:
    (table,) = open_tables(path, options)
    return table


def rows_of(path: Path, options: LoadOptions = DEFAULTS) -> list[Row]:
    return [row for table in open_tables(path, options) for chunk in table.chunks for row in chunk.rows]


def refusal_of(path: Path, options: LoadOptions = DEFAULTS) -> str:
    """Read everything and return the one sentence, without the directory."""
    with pytest.raises(SourceError) as caught:
        tables_of(path, options)
    return str(caught.value).replace(str(path), path.name)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file as it is given and returns its path."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


Write = Callable[[str, str | bytes], Path]


# --- text files: values ------------------------------------------------------------------------------------------

AWKWARD = [
    "",
    " ",
    "NA",
    "null",
    "1e5",
    "00012",
    "0x1F",
    "TRUE",
    '"',
    '""',
    "'",
    ",",
    ";",
    "\n",
    "\r",
    "\r\n",
    "#",
    "\\",
]
AWKWARD += [
    "a,b",
    'say "x"',
    "\ufeff",
    "\u200e",
    "\u2028",
    "\x0b",
    "\x0c",
    "\x1a",
    "\x85",
    "\xa0",
    "😀",
    "2026-11-23",
    "=1+1",
]
cells = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    st.lists(st.sampled_from(AWKWARD), max_size=4).map("".join),
)


def expected_rows(records: list[list[str]], width: int, first_row_number: int) -> list[Row]:
    return [
        Row(number, tuple(record))
        for number, record in enumerate(records, start=first_row_number)
        if "".join(record).strip() and len(record) == width
    ]


@given(
    data=st.data(), terminator=st.sampled_from(["\n", "\r\n", "\r"]), delimiter=st.sampled_from([",", ";", "\t", "|"])
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_comes_back_unchanged(tmp_path: Path, data: st.DataObject, terminator: str, delimiter: str) -> None:
    """Any text written with csv.writer comes back with the same characters under the same row number."""
    width = data.draw(st.integers(1, 4))
    records = data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))
    header = [f"column {index}" for index in range(width)]
    path = tmp_path / "any.csv"
    # before Python 3.13, csv.writer leaves a line break bare that is not part of its own line terminator
    quoting = csv.QUOTE_MINIMAL if terminator == "\r\n" else csv.QUOTE_ALL
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=terminator, quoting=quoting)
        writer.writerows([header, *records])

    rows = rows_of(path, LoadOptions(delimiter=delimiter, chunk_rows=data.draw(st.integers(1, 4))))

    assert rows == expected_rows(records, width, 2)


@pytest.mark.parametrize(
    ("codec", "mark", "encoding"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", codecs.BOM_UTF8, "utf-8"),
        ("utf-8", codecs.BOM_UTF8 * 2, "utf-8"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "utf-16-le"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "utf-16-be"),
        ("utf-32-le", codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
    ids=["utf-8", "utf-8 with a mark", "utf-8 with two marks", "utf-16-le", "utf-16-be", "utf-32-le"],
)
def test_marked_encodings_are_recognised(write: Write, codec: str, mark: bytes, encoding: str) -> None:
    """UTF-8 and every encoding with a byte order mark is read without being told, and the mark is in no cell."""
    table = table_of(write("a.csv", mark + "Gerät,Name\r\nÄ1,\U0001f600\r\n".encode(codec)))

    assert table.encoding == encoding
    assert table.header == ("Gerät", "Name")
    assert chunks_of(table) == [Read([Row(2, ("Ä1", "\U0001f600"))], 0)]


@pytest.mark.parametrize(
    ("name", "codec", "mark"),
    [
        ("cp1252", "cp1252", b""),
        ("UTF-16", "utf-16-le", b""),
        ("utf-16", "utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", "utf-16-le", codecs.BOM_UTF16_LE),
        ("utf8", "utf-8", codecs.BOM_UTF8),
        ("utf-8-sig", "utf-8", codecs.BOM_UTF8),
        ("utf-8-sig", "utf-8", b""),
        ("shift_jis", "shift_jis", b""),
    ],
)
def test_a_named_encoding_is_used(write: Write, name: str, codec: str, mark: bytes) -> None:
    """The encoding that the options name is used, with or without the mark that belongs to it."""
    word = "表" if codec == "shift_jis" else "Gerät"
    path = write("a.csv", mark + f"{word},b\n1,2\n".encode(codec))

    assert table_of(path, LoadOptions(encoding=name)).header == (word, "b")


def test_a_cell_of_one_million_characters_is_read(write: Write) -> None:
    """A cell far beyond csv's own limit of 131,072 characters is read whole, line breaks and quotes in it too."""
    huge = 'x"\n' * 350_000
    path = write("a.csv", 'a,b\n"{}",2\n3,4\n'.format(huge.replace('"', '""')))

    assert rows_of(path) == [Row(2, (huge, "2")), Row(3, ("3", "4"))]


# --- text files: rows --------------------------------------------------------------------------------------------


def test_row_numbers_are_those_of_a_spreadsheet(write: Write) -> None:
    """Blank lines count, a line break inside quotes does not, and blank rows are counted where they stand."""
    text = '\n ,\na,b\n\n,,,\n1,"x\r\ny"\n  \n2,z\n3,w\n\n,\n\n'
    table = table_of(write("a.csv", text), LoadOptions(chunk_rows=2))

    assert (table.header, table.header_row_number, table.rows_estimate) == (("a", "b"), 3, 10)
    assert chunks_of(table) == [
        Read([Row(6, ("1", "x\r\ny")), Row(8, ("2", "z"))], 3),
        Read([Row(9, ("3", "w"))], 0),
    ]


def test_single_column_files_keep_their_blank_lines_in_the_count(write: Write) -> None:
    """In a file of one column an empty line and an empty quoted cell are blank rows."""
    table = table_of(write("a.csv", 'serial\n001\n\n""\n002'))

    assert chunks_of(table) == [Read([Row(2, ("001",)), Row(5, ("002",))], 2)]


def test_ragged_rows_tell_what_is_missing_or_too_many(write: Write) -> None:
    """Missing cells are told from empty ones, and empty extra cells are not extra."""
    path = write("a.csv", "a,b,c\n4,5\n6,7,\n8,9,10,,\n1,2,3,,x, \n,,,y\n7\n")

    assert rows_of(path) == [
        Row(2, ("4", "5", ""), missing_cells=1),
        Row(3, ("6", "7", "")),
        Row(4, ("8", "9", "10")),
        Row(5, ("1", "2", "3"), extra_cells=("", "x")),
        Row(6, ("", "", ""), extra_cells=("y",)),
        Row(7, ("7", "", ""), missing_cells=2),
    ]


def test_a_very_wide_row_costs_no_more_than_itself(write: Write) -> None:
    """One row of a hundred thousand cells is a ragged row, not an end of the import."""
    wide = ",".join("x" for _ in range(100_000))
    path = write("a.csv", f"a,b\n1,2\n{wide}\n3,4\n")

    assert [(row.cells, len(row.extra_cells)) for row in rows_of(path)] == [
        (("1", "2"), 0),
        (("x", "x"), 99_998),
        (("3", "4"), 0),
    ]


def test_empty_header_cells_at_the_end_go(write: Write) -> None:
    """Header cells without text at the end are no columns; a value below one is an extra cell."""
    table = table_of(write("a.csv", "a,,c, ,\n1,2,3,,\n4,5,6,7,\n"))

    assert table.header == ("a", "", "c")
    assert chunks_of(table) == [Read([Row(2, ("1", "2", "3")), Row(3, ("4", "5", "6"), extra_cells=("7",))], 0)]


def test_a_header_alone_is_a_table_without_rows(write: Write) -> None:
    """A file with a header and no rows is a table whose chunks are empty."""
    table = table_of(write("a.csv", "a,b\n"))

    assert (table.header, table.rows_estimate, chunks_of(table)) == (("a", "b"), 0, [])


def test_chunks_hold_at_most_the_rows_asked_for(write: Write) -> None:
    """The rows come in order in chunks of the size that the options name."""
    path = write("a.csv", "a\n" + "".join(f"{number}\n" for number in range(7)))

    chunks = list(table_of(path, LoadOptions(chunk_rows=3)).chunks)

    assert [[row.cells[0] for row in chunk.rows] for chunk in chunks] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


# --- text files: the delimiter -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "delimiter", "header"),
    [
        ("a.csv", "a,b,c\n", ",", ("a", "b", "c")),
        ("a.csv", 'a;"b,c,d,e";f\n', ";", ("a", "b,c,d,e", "f")),
        ("a.TXT", "a\tb\tc,d\n", "\t", ("a", "b", "c,d")),
        ("a.txt", "\n||\na|b\n", "|", ("a", "b")),
        ("a.csv", "a,b;c\n", ",", ("a", "b;c")),
        ("a.csv", "serial\n1;2;3\n", ",", ("serial",)),
        ("a.csv", 'a;"b\nc";d\n', ";", ("a", "b\nc", "d")),
        ("a.tsv", "a,b,c,d\te\n", "\t", ("a,b,c,d", "e")),
        ("a.csv", "sep=;\r\na,b,c;d\r\n", ";", ("a,b,c", "d")),
        ("a.csv", '"sep=|"\na,b,c|d\n', "|", ("a,b,c", "d")),
    ],
)
def test_the_delimiter_is_found_in_the_header(
    write: Write, name: str, text: str, delimiter: str, header: tuple[str, ...]
) -> None:
    """The delimiter is the one that makes most cells of the header, tab in .tsv, or what Excel's `sep=` line says."""
    table = table_of(write(name, text))

    assert (table.delimiter, table.header) == (delimiter, header)


def test_a_sep_line_is_no_row(write: Write) -> None:
    """Excel does not show its `sep=` line as a row, so the header stays row 1, in any encoding."""
    table = table_of(write("a.csv", codecs.BOM_UTF16_LE + "sep=;\r\nä;b\r\n1;2\r\n".encode("utf-16-le")))

    assert (table.header_row_number, chunks_of(table)) == (1, [Read([Row(2, ("1", "2"))], 0)])


@pytest.mark.parametrize("delimiter", [":", "\\t", "\t"])
def test_a_given_delimiter_goes_before_everything(write: Write, delimiter: str) -> None:
    """The delimiter that the options name is used, tab also spelled as backslash and t, even against a `sep=` line."""
    character = "\t" if delimiter == "\\t" else delimiter
    path = write("a.csv", f"sep=;\na{character}b,c;d\n")

    assert table_of(path, LoadOptions(delimiter=delimiter)).header == ("a", "b,c;d")


# --- text files: refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "options", "sentence"),
    [
        ("a.csv", b"", DEFAULTS, "a.csv is empty (0 bytes): export it again."),
        ("a.csv", b"\n ,\r\n\n", DEFAULTS, "a.csv has no header, it holds only blank lines: export it again."),
        ("a.csv", codecs.BOM_UTF8, DEFAULTS, "a.csv has no header, it holds only blank lines: export it again."),
        (
            "a.pdf",
            b"%PDF-1.7",
            DEFAULTS,
            (
                "a.pdf has the ending .pdf, which cannot be read: "
                "save it as one of .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods "
                ".pem .cer .crt .der .p7b .p7c."
            ),
        ),
        (
            "a",
            b"x",
            DEFAULTS,
            (
                "a has a name without an ending, which cannot be read: "
                "save it as one of .csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods "
                ".pem .cer .crt .der .p7b .p7c."
            ),
        ),
        (
            "a.csv",
            b'a,b\n\n"\xc3\xa9\n\xc3\xbc",2\nd\xe9j\xe0,3\n',
            DEFAULTS,
            (
                "a.csv row 4 is not in the encoding utf-8, at byte offset 16 (0xE9), the first of 2 such bytes, while "
                "all other letters outside ASCII (2) are, and would change in another encoding: write these cells "
                "anew, or export the file again as CSV UTF-8."
            ),
        ),
        (
            "a.csv",
            b"\xc3\xa9,b\n" + b"1,2\n" * 100_000 + b"3,\xc3",
            DEFAULTS,
            (
                "a.csv row 100002 is not in the encoding utf-8, at byte offset 400,007 (0xC3), the only such byte, "
                "while all other letters outside ASCII (1) are, and would change in another encoding: write that cell "
                "anew, or export the file again as CSV UTF-8."
            ),
        ),
        (
            "a.csv",
            codecs.BOM_UTF16_LE + "a;b\n1;".encode("utf-16-le") + b"\x00\xd8\n\x00",
            DEFAULTS,
            (
                "a.csv row 2 is not in the encoding utf-16-le, at byte offset 14 (0x00), which the file's byte order "
                "mark says it is: export the file again as CSV UTF-8."
            ),
        ),
        (
            "a.csv",
            "é,b\n1,2\n3,\0".encode(),
            DEFAULTS,
            (
                "a.csv row 3 holds a NUL at byte offset 11, so it is a binary file, a damaged one, or UTF-16 "
                "without its mark: export it again as CSV UTF-8, or try --encoding utf-16."
            ),
        ),
        (
            "a.csv",
            b"a,b\n",
            LoadOptions(encoding="klingon"),
            (
                'a.csv cannot be read with the encoding "klingon", which is unknown: '
                "name one such as utf-8, utf-16 or cp1252."
            ),
        ),
        (
            "a.csv",
            b"a,b\n",
            LoadOptions(encoding="base64"),
            (
                'a.csv cannot be read with the encoding "base64", which is unknown: '
                "name one such as utf-8, utf-16 or cp1252."
            ),
        ),
        (
            "a.csv",
            codecs.BOM_UTF8 + b"a,b\n",
            LoadOptions(encoding="cp1252"),
            (
                'a.csv begins with the byte order mark of utf-8, but the encoding "cp1252" was given: '
                "leave the encoding out."
            ),
        ),
        (
            "a.csv",
            b"a,b\n",
            LoadOptions(delimiter="::"),
            "a.csv cannot be split at the delimiter '::': give one character such as , or ; or | or \\t for tab.",
        ),
        (
            "a.csv",
            b"a,b\n",
            LoadOptions(delimiter="§"),
            "a.csv cannot be split at the delimiter '§': give one character such as , or ; or | or \\t for tab.",
        ),
    ],
    ids=[
        "0 bytes",
        "only blank lines",
        "only a byte order mark",
        "unsupported ending",
        "no ending",
        "not UTF-8",
        "cut off in a character",
        "not UTF-16",
        "NUL",
        "unknown encoding",
        "no text encoding",
        "encoding against the mark",
        "delimiter of two characters",
        "delimiter beyond ASCII",
    ],
)
def test_text_files_are_refused_in_one_sentence(
    write: Write, name: str, content: bytes, options: LoadOptions, sentence: str
) -> None:
    """A text file that cannot be read ends in one sentence that says what, where, why and what to do."""
    assert refusal_of(write(name, content), options) == sentence


@pytest.mark.parametrize(
    ("magic", "content"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\x03\x04", "a zip archive or a newer workbook such as .xlsx"),
        (OLE_MAGIC, "an older Office file such as .xls, or an encrypted one"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\x1f\x8b\x08", "a gzip archive"),
    ],
)
def test_binary_files_behind_a_text_ending_are_refused(write: Write, magic: bytes, content: str) -> None:
    """A file whose first bytes are those of a binary format is called by its name."""
    assert refusal_of(write("a.csv", magic + b"rest")) == (
        f"a.csv is no text file, its content is {content}: export the inventory as CSV, or correct the file's ending."
    )


def test_a_file_that_changes_while_it_is_read_is_refused(write: Write) -> None:
    """Rows that were appended after the first reading end in a SourceError, not in rows that nobody counted."""
    path = write("a.csv", "a,b\n1,2\n")
    table = table_of(path)
    with path.open("a") as file:
        file.write("3,4\n")

    with pytest.raises(SourceError) as caught:
        chunks_of(table)

    assert str(caught.value) == (
        f"{path} was changed while it was being read: close the program that writes it and start again."
    )


def test_a_file_that_vanishes_before_its_rows_are_read_is_refused(write: Write) -> None:
    """A file that is deleted between its header and its rows ends in a SourceError."""
    path = write("a.csv", "a,b\n1,2\n")
    table = table_of(path)
    path.unlink()

    with pytest.raises(SourceError, match="does not exist: check the name and the directory"):
        chunks_of(table)


# --- the path ----------------------------------------------------------------------------------------------------


def test_paths_that_are_no_readable_file_are_refused(tmp_path: Path) -> None:
    """A missing file, a directory, a device and a path through a file each have their sentence."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("x")

    assert refusal_of(tmp_path / "no.csv") == "no.csv does not exist: check the name and the directory."
    assert refusal_of(tmp_path / "folder.csv") == "folder.csv is a directory: name the files in it one by one."
    assert refusal_of(Path("/dev/null")) == (
        "null is a pipe or device, which cannot be read twice: save its content to a file first."
    )
    assert refusal_of(tmp_path / "file" / "a.csv") == (
        "a.csv cannot be read (Not a directory): check the path and the drive."
    )


def test_a_refused_permission_is_one_sentence(tmp_path: Path) -> None:
    """A file that may not be read says so; raised here by hand, because root may read everything."""
    with pytest.raises(SourceError) as caught, reading(tmp_path / "a.csv"):
        raise PermissionError(13, "Permission denied")

    assert str(caught.value) == (
        f"{tmp_path / 'a.csv'} cannot be opened, permission denied: close it in Excel, or ask for the right to read it."
    )


def test_sha256_is_that_of_the_bytes(write: Write, tmp_path: Path) -> None:
    """The digest is over the file's bytes as they are, and a missing file is a SourceError."""
    content = b"a,b\r\n" * 100_000

    assert sha256_of(write("a.csv", content)) == hashlib.sha256(content).hexdigest()
    with pytest.raises(SourceError, match="does not exist"):
        sha256_of(tmp_path / "no.csv")


# --- workbooks ---------------------------------------------------------------------------------------------------

WHEN = datetime.datetime(2026, 11, 23, 8, 49, 13)  # noqa: DTZ001 - a workbook's dates have no zone


def save_xlsx(path: Path, sheets: dict[str, Iterable[Iterable[object]]]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def save_xls(path: Path, rows: list[list[object]]) -> Path:
    workbook = xlwt.Workbook()
    sheet = workbook.add_sheet("Inventory")
    date_style = xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM:SS")
    for row_index, row in enumerate(rows):
        for column_index, value in enumerate(row):
            if isinstance(value, datetime.date):
                sheet.write(row_index, column_index, value, date_style)
            elif value is not None:
                sheet.write(row_index, column_index, value)
    workbook.save(str(path))
    return path


def save_ods(path: Path, rows: list[list[object]]) -> Path:
    document = OpenDocumentSpreadsheet()
    table = OdsTable(name="Inventory")
    for row in rows:
        table_row = TableRow()
        for value in row:
            match value:
                case None:
                    cell = TableCell()
                case bool():
                    cell = TableCell(valuetype="boolean", booleanvalue=str(value).lower())
                case int() | float():
                    cell = TableCell(valuetype="float", value=str(value))
                case datetime.datetime():
                    cell = TableCell(valuetype="date", datevalue=value.isoformat())
                case _:
                    cell = TableCell(valuetype="string")
                    cell.addElement(P(text=str(value)))
            table_row.addElement(cell)
        table.addElement(table_row)
    document.spreadsheet.addElement(table)
    document.save(str(path))
    return path


def record(number: int, content: bytes = b"") -> bytes:
    """Return a BIFF12 record: number and length in 7-bit groups, low first (MS-XLSB 2.1.4)."""

    def grouped(value: int) -> bytes:
        low, high = value & 0x7F, value >> 7
        return bytes([low | 0x80, high]) if high else bytes([low])

    return grouped(number) + grouped(len(content)) + content


def wide_string(text: str) -> bytes:
    units = text.encode("utf-16-le")
    return struct.pack("<I", len(units) // 2) + units


def save_xlsb(path: Path, rows: list[list[object]]) -> Path:
    """Write the least that is an .xlsb: one sheet with inline strings, reals and booleans.

    No library writes .xlsb; the record numbers are those of MS-XLSB 2.3.2.
    """
    begin_sheet, end_sheet, dimension, begin_data, end_data, row_header = 129, 130, 148, 145, 146, 0
    cell_bool, cell_real, cell_string, date_format = 4, 5, 6, 1
    width = max(len(row) for row in rows)
    sheet = record(begin_sheet) + record(dimension, struct.pack("<4I", 0, len(rows) - 1, 0, width - 1))
    sheet += record(begin_data)
    for row_index, row in enumerate(rows):
        sheet += record(row_header, struct.pack("<I", row_index) + bytes(21))
        for column_index, value in enumerate(row):
            match value:
                case None:
                    continue
                case bool():
                    number, style, content = cell_bool, 0, bytes([value])
                case int() | float():
                    number, style, content = cell_real, 0, struct.pack("<d", value)
                case datetime.datetime():
                    days = (value - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)  # noqa: DTZ001 - as above
                    number, style, content = cell_real, date_format, struct.pack("<d", days)
                case _:
                    number, style, content = cell_string, 0, wide_string(str(value))
            sheet += record(number, struct.pack("<II", column_index, style) + content)
    sheet += record(end_data) + record(end_sheet)
    # two cell formats: General, and the built-in number 22 (date and time)
    formats = b"".join(record(47, struct.pack("<HH", 0, number) + bytes(12)) for number in (0, 22))
    styles = record(278) + record(617, struct.pack("<I", 2)) + formats + record(618) + record(279)
    bundle = record(156, struct.pack("<II", 0, 1) + wide_string("rId1") + wide_string("Inventory"))
    workbook = record(131) + record(143) + bundle + record(144) + record(132)
    relationship = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{relationship}/worksheet" Target="worksheets/sheet1.bin"/></Relationships>',
        )
        archive.writestr("xl/workbook.bin", workbook)
        archive.writestr("xl/styles.bin", styles)
        archive.writestr("xl/worksheets/sheet1.bin", sheet)
    return path


SAVERS: dict[str, Callable[[Path, list[list[object]]], Path]] = {
    ".xlsx": lambda path, rows: save_xlsx(path, {"Inventory": rows}),
    ".XLSM": lambda path, rows: save_xlsx(path, {"Inventory": rows}),
    ".xls": save_xls,
    ".xlsb": save_xlsb,
    ".ods": save_ods,
}


@pytest.mark.parametrize("ending", SAVERS)
def test_every_kind_of_workbook_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    """Text stays text, other cells become text with their type told, and row numbers are the sheet's."""
    rows: list[list[object]] = [
        [None],
        [None],
        [None, "serial", "length", "active", "expires", None],
        [None, "00012", 2048, True, WHEN],
        [None],
        [None, " NA ", 1.5, False, WHEN, "extra"],
        [None, "1e5", None, None, "2017-01-01T00:02:14.9489247-08:00"],
    ]

    ((table, chunks),) = tables_of(SAVERS[ending](tmp_path / f"a{ending}", rows))

    assert (table.sheet, table.header, table.header_row_number, table.rows_estimate) == (
        "Inventory",
        ("serial", "length", "active", "expires"),
        3,
        4,
    )
    assert (table.encoding, table.delimiter) == ("", "")
    types = ((1, CellType.NUMBER), (2, CellType.BOOLEAN), (3, CellType.DATE))
    assert chunks == [
        Read(
            [
                Row(4, ("00012", "2048", "TRUE", "2026-11-23T08:49:13"), types),
                Row(6, (" NA ", "1.5", "FALSE", "2026-11-23T08:49:13"), types, ("extra",)),
                Row(7, ("1e5", "", "", "2017-01-01T00:02:14.9489247-08:00")),
            ],
            1,
        )
    ]


@pytest.mark.parametrize(
    ("value", "text", "cell_type"),
    [
        (2048, "2048", CellType.NUMBER),
        (-3.0, "-3", CellType.NUMBER),
        (12345678.9, "12345678.9", CellType.NUMBER),
        (1e-7, "1e-07", CellType.NUMBER),
        (123456789012345, "123456789012345", CellType.NUMBER),
        (1.23456789012346e20, "123456789012346000000", CellType.NUMBER),
        (datetime.date(2026, 11, 23), "2026-11-23T00:00:00", CellType.DATE),
        (WHEN.replace(microsecond=250_000), "2026-11-23T08:49:13.250000", CellType.DATE),
        (datetime.time(8, 49, 13), "08:49:13", CellType.DATE),
        (datetime.timedelta(hours=30, minutes=5, seconds=7), "30:05:07", CellType.DATE),
    ],
)
def test_cells_that_hold_no_text_become_text(tmp_path: Path, value: object, text: str, cell_type: CellType) -> None:
    """Numbers come as digits, dates as ISO text without an offset, times as a clock shows them."""
    path = save_xlsx(tmp_path / "a.xlsx", {"S": [["a"], [value]]})

    assert rows_of(path) == [Row(2, (text,), ((0, cell_type),))]


def test_dates_of_the_1904_system_are_the_same_dates(tmp_path: Path) -> None:
    """A workbook that counts its days from 1904 gives the dates that Excel shows."""
    workbook = openpyxl.Workbook()
    workbook.epoch = CALENDAR_MAC_1904
    workbook.worksheets[0].append(["a"])
    workbook.worksheets[0].append([WHEN])
    workbook.save(tmp_path / "a.xlsx")

    assert rows_of(tmp_path / "a.xlsx") == [Row(2, ("2026-11-23T08:49:13",), ((0, CellType.DATE),))]


@given(
    st.lists(
        # openpyxl does not mark a cell of nothing but blanks as one to be preserved, so XML gives it away.
        st.lists(
            st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=6).filter(
                lambda text: not text or text.strip(" ")
            ),
            max_size=3,
        ),
        max_size=5,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_in_a_workbook_comes_back_unchanged(tmp_path: Path, records: list[list[str]]) -> None:
    """Text cells of a workbook come back with the same characters under the same row number."""
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    full = [["a", "b", "c"], *([*each, "", "", ""][:3] for each in records)]
    for row_number, cells_of_row in enumerate(full, start=1):
        for column, text in enumerate(cells_of_row, start=1):
            if text:
                # typed by hand: openpyxl would make formulas and errors of = and #N/A
                cell = sheet.cell(row_number, column)
                cell.value = text
                cell.data_type = "s"
    workbook.save(tmp_path / "a.xlsx")

    assert rows_of(tmp_path / "a.xlsx") == expected_rows(full[1:], 3, 2)


@pytest.mark.parametrize("ending", [".xls", ".xlsb", ".ods"])
@given(
    st.lists(
        st.lists(
            # OpenDocument writes blanks beside blanks as elements of their own, which odfpy's P does not do.
            st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=6).map(
                lambda text: " ".join(part for part in text.split(" ") if part)
            ),
            min_size=3,
            max_size=3,
        ),
        max_size=5,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_from_every_kind_of_workbook(tmp_path: Path, ending: str, records: list[list[str]]) -> None:
    """What an .xls, .xlsb or .ods holds as text is read with the same characters under the same row number."""
    rows: list[list[object]] = [["a", "b", "c"], *([cell or None for cell in record] for record in records)]

    path = SAVERS[ending](tmp_path / f"a{ending}", rows)

    assert rows_of(path) == expected_rows(records, 3, 2)


def test_all_sheets_come_in_order_and_empty_ones_not(tmp_path: Path) -> None:
    """Without a choice every sheet with content is a table, in the workbook's order, but no chart."""
    path = save_xlsx(tmp_path / "a.xlsx", {"B": [["b"], [1]], "Empty": [], "A": [["a"], ["x"], ["y"]]})
    workbook = openpyxl.load_workbook(path)
    workbook.create_chartsheet("Chart")
    workbook.save(path)

    read = [(table.sheet, table.header, chunks) for table, chunks in tables_of(path, LoadOptions(chunk_rows=1))]

    assert read == [
        ("B", ("b",), [Read([Row(2, ("1",), ((0, CellType.NUMBER),))], 0)]),
        ("A", ("a",), [Read([Row(2, ("x",))], 0), Read([Row(3, ("y",))], 0)]),
    ]


def test_sheets_are_chosen_by_name(tmp_path: Path) -> None:
    """A sheet is chosen by its exact name, else in any letter case; the order stays the workbook's."""
    path = save_xlsx(tmp_path / "a.xlsx", {"One": [["a"]], "Two": [["b"]], "Three": [["c"]]})

    read = [table.sheet for table in open_tables(path, LoadOptions(sheets=("three", "One")))]

    assert read == ["One", "Three"]


def test_a_sheet_that_does_not_exist_is_refused_with_the_list(tmp_path: Path) -> None:
    """The message names the missing sheet and those that the workbook has."""
    path = save_xlsx(tmp_path / "a.xlsx", {"One": [["a"]], "Two": [["b"]]})

    assert refusal_of(path, LoadOptions(sheets=("Tow",))) == 'a.xlsx has no sheet "Tow": choose among One, Two.'


def test_rows_may_be_read_after_all_tables_were_opened(tmp_path: Path) -> None:
    """The rows of a table stay readable when the workbook is closed again."""
    path = save_xlsx(tmp_path / "a.xlsx", {"One": [["a"], ["1"]], "Two": [["b"], ["2"]]})

    tables = list(open_tables(path, DEFAULTS))

    assert [chunks_of(table) for table in tables] == [[Read([Row(2, ("1",))], 0)], [Read([Row(2, ("2",))], 0)]]


def test_a_workbook_without_content_is_refused(tmp_path: Path) -> None:
    """A workbook in which every sheet is empty ends in one sentence."""
    path = save_xlsx(tmp_path / "a.xlsx", {"One": [], "Two": []})

    assert refusal_of(path) == "a.xlsx holds no row in any sheet that was to be read: export it again."


def encrypted_xlsx(path: Path) -> bytes:
    encrypted = BytesIO()
    with save_xlsx(path, {"S": [["a"], ["b"]]}).open("rb") as file:
        OOXMLFile(file).encrypt("password", encrypted)
    return encrypted.getvalue()


def biff(number: int, content: bytes) -> bytes:
    """Return a record of the .xls format: number, length, content (MS-XLS 2.1.4)."""
    return struct.pack("<HH", number, len(content)) + content


def encrypted_xls(path: Path) -> bytes:
    """Return an OLE file whose workbook stream says that it is encrypted: BOF, FILEPASS, EOF (MS-XLS 2.4.117)."""
    stream = biff(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0)) + biff(0x2F, bytes([1, 0, 1, 0]) + bytes(52))
    XlsDoc().save(str(path), stream + biff(0x0A, b""))
    return path.read_bytes()


def encrypted_ods(path: Path) -> bytes:
    """Return an .ods whose manifest says that its content is encrypted (OpenDocument 1.2, part 3, 4.4)."""
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml" manifest:size="9">'
        '<manifest:encryption-data manifest:checksum="x" manifest:checksum-type="y"/>'
        "</manifest:file-entry></manifest:manifest>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", b"encrypted")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.xlsx", encrypted_xlsx), ("a.xlsb", encrypted_xlsx), ("a.xls", encrypted_xls), ("a.ods", encrypted_ods)],
)
def test_a_password_is_named(tmp_path: Path, write: Write, name: str, content: Callable[[Path], bytes]) -> None:
    """A workbook that is protected by a password says so and what to do."""
    assert refusal_of(write(name, content(tmp_path / "source"))) == (
        f"{name} is protected by a password, so it cannot be read: open it in Excel and save it without one."
    )


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.xlsx", b"a,b\n1,2\n", "text or something else"),
        ("a.XLS", b"<html><table></table></html>", "text or something else"),
        ("a.ods", b"%PDF-1.7\n", "a PDF document"),
        ("a.xls", b"PK\x03\x04" + bytes(100), "a zip archive or a newer workbook such as .xlsx"),
        ("a.xlsx", OLE_MAGIC + bytes(600), "an older Office file such as .xls, or an encrypted one"),
    ],
)
def test_other_content_behind_a_workbook_ending_is_refused(write: Write, name: str, content: bytes, what: str) -> None:
    """A file that is no workbook of its ending says what it is instead."""
    ending = Path(name).suffix.lower()

    assert refusal_of(write(name, content)) == (
        f"{name} is no {ending} workbook, its content is {what}: "
        f"correct the file's ending, or save it from Excel as {ending}."
    )


def test_a_workbook_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """A workbook that lost its second half ends in one sentence."""
    path = save_xlsx(tmp_path / "a.xlsx", {"S": [["a"], ["b"]]})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert refusal_of(path) == (
        "a.xlsx cannot be read as a workbook (invalid Zip archive: Could not find EOCD): it is damaged, cut off, "
        "or of another kind than its ending says; copy or export it again."
    )


def test_a_workbook_that_makes_calamine_panic_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A damaged .xls on which the library's Rust code gives up ends in one sentence, and its trace is not shown."""
    path = tmp_path / "a.xls"
    XlsDoc().save(str(path), biff(0x809, b"") + biff(0x0A, b""))

    assert refusal_of(path).startswith("a.xls cannot be read as a workbook (")
    assert capfd.readouterr() == ("", "")


# --- certstate's own reports -------------------------------------------------------------------------------------

MASKED = [["'=a", "b", "_import_row"], ["'=1+1", "''quoted'", "2"], ["'s-Hertogenbosch", "x'y", "'\tz"]]
UNMASKED = [Row(2, ("=1+1", "'quoted'", "2")), Row(3, ("'s-Hertogenbosch", "x'y", "\tz"))]


def test_a_report_loses_the_apostrophes_that_its_writer_added(tmp_path: Path, write: Write) -> None:
    """In a file with an `_import_` column the apostrophe before a formula goes, and one that somebody typed stays."""
    text = StringIO(newline="")
    csv.writer(text).writerows(MASKED)

    for path in (write("a.csv", text.getvalue()), save_xlsx(tmp_path / "a.xlsx", {"S": MASKED})):
        assert table_of(path).header == ("=a", "b", "_import_row")
        assert rows_of(path) == UNMASKED


def test_other_files_keep_their_apostrophes(write: Write) -> None:
    """Without an `_import_` column an apostrophe is part of the value."""
    assert rows_of(write("a.csv", "a,import_b\n'=1,''x\n")) == [Row(2, ("'=1", "''x"))]
