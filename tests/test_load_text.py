"""Dialects of text files: the delimiter, titles above the header, the lines that Excel and PowerShell add."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.findings import Code, finding
from pipeline.load import LoadOptions, Table, open_tables
from pipeline.load.text_files.detection import PIECE
from pipeline.load.text_files.records import agree
from pipeline.model import Row

KNOWN = {"device", "user", "thumbprint", "serial", "issuer"}


def known_columns(cells: Sequence[str]) -> int:
    return sum(cell.strip().casefold() in KNOWN for cell in cells)


KNOWING = LoadOptions(known_columns=known_columns)

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a CSV file as it is given and returns its path."""

    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def table_of(path: Path, options: LoadOptions) -> Table:
    (table,) = open_tables(path, options)
    return table


def rows_of(table: Table) -> list[Row]:
    return [row for chunk in table.chunks for row in chunk.rows]


@pytest.mark.parametrize(
    ("text", "delimiter", "header_row_number"),
    [
        ("Report, all devices, as of today, Contoso\n\nDevice;User;Serial\nPC;Ann;01\n", ";", 3),
        ("Report; all; devices\nDevice,User,Serial\nPC,Ann,01\n", ",", 2),
        ('"Report; all\nDevice;User;Serial"\nDevice\tUser\tSerial\nPC\tAnn\t01\n', "\t", 2),
        ('Report of "5\nDevice|User|Serial\nPC|Ann|01\n', "|", 2),
        ('"Report\nDevice|User|Serial\nPC|Ann|01\n', "|", 2),
        ("\n\n;;\nDevice;User;Serial\nPC;Ann;01\n", ";", 4),
    ],
    ids=["commas in the title", "semicolons", "quoted title", "quote within", "broken title", "blank rows"],
)
def test_the_header_below_a_title_decides_the_delimiter(
    write: Write, text: str, delimiter: str, header_row_number: int
) -> None:
    """The delimiter is the one under which a row names most known columns, whatever stands above it."""
    table = table_of(write(text), KNOWING)

    assert (table.delimiter, table.header_row_number) == (delimiter, header_row_number)
    assert rows_of(table) == [Row(header_row_number + 1, ("PC", "Ann", "01"))]


def test_one_known_word_does_not_decide_the_delimiter(write: Write) -> None:
    """A single known word may stand in any text, so the first row with content decides."""
    table = table_of(write("name,number,note\nx;user;y\n"), KNOWING)

    assert (table.delimiter, table.header) == (",", ("name", "number", "note"))


@pytest.mark.parametrize(
    ("values", "witness", "is_same"),
    [
        (("1", "2"), ["1", "2"], True),
        (("1", "2"), ["1", "2", "3"], True),
        (("1", ""), ["1"], True),
        (("", ""), [], True),
        (("1", "2"), ["1", "2 "], False),
        (("1", "2"), ["2", "1"], False),
        (("1", "2"), ["1"], False),
        (("1", ""), ["1", "2"], False),
    ],
)
def test_two_readings_agree_in_every_cell(values: tuple[str, ...], witness: list[str], *, is_same: bool) -> None:
    """Values that differ from csv.reader's in one cell are another reading; cells beyond the header do not count."""
    assert agree(values, witness) is is_same


def test_titles_are_told(write: Write) -> None:
    """Rows with content above the header are no data, and a finding names them."""
    table = table_of(write("Certificate report,\n\nContoso\nDevice,User\nPC,Ann\n"), KNOWING)

    assert table.findings == (
        finding(Code.TITLE_ROWS, "rows 1 to 3 above the header not read as data", value="Certificate report"),
    )


def test_a_named_header_row_is_used_without_a_word(write: Write) -> None:
    """The row that `--header-row` names is the header, and what stands above it is no surprise."""
    table = table_of(write("Device,User\n\nname;of;user\nPC;Ann;01\n"), LoadOptions(header_row=3))

    assert (table.delimiter, table.header, table.header_row_number) == (";", ("name", "of", "user"), 3)
    assert (table.findings, rows_of(table)) == ((), [Row(4, ("PC", "Ann", "01"))])


def test_a_named_header_row_may_be_far_down(write: Write) -> None:
    """The named row is found also below the rows in which a header is looked for."""
    table = table_of(write("x\n" * 200 + "Device;User\nPC;Ann\n"), LoadOptions(header_row=201))

    assert (table.header, rows_of(table), table.rows_estimate) == (("Device", "User"), [Row(202, ("PC", "Ann"))], 1)


def test_a_header_below_many_blank_lines_is_found(write: Write) -> None:
    """Blank lines are no rows to look at, however many there are."""
    table = table_of(write("\n" * 500 + "Device,User\nPC,Ann\n"), KNOWING)

    assert (table.header_row_number, rows_of(table)) == (501, [Row(502, ("PC", "Ann"))])


@pytest.mark.parametrize("options", [KNOWING, LoadOptions(), LoadOptions(header_row=2)])
def test_the_type_line_of_powershell_is_no_title(write: Write, options: LoadOptions) -> None:
    """Export-Csv's `#TYPE` line counts as row 1, as a spreadsheet shows it, and is neither header nor title."""
    text = '#TYPE System.A,B`1[[x, y]]\r\n"Device";"User"\r\n"PC";"Ann"\r\n'

    table = table_of(write(text), options)

    assert (table.header, table.header_row_number, table.delimiter) == (("Device", "User"), 2, ";")
    assert (table.findings, rows_of(table)) == ((), [Row(3, ("PC", "Ann"))])


def test_a_given_delimiter_is_used_against_the_header(write: Write) -> None:
    """`--delimiter` overrides what the header says."""
    table = table_of(write("Device;User|x\n"), LoadOptions(known_columns=known_columns, delimiter="|"))

    assert table.header == ("Device;User", "x")


def test_empty_columns_at_the_end_are_none(write: Write) -> None:
    """Trailing empty cells make neither columns nor extra cells, and trailing blank rows no rows."""
    table = table_of(write("Device,User,,\nPC,Ann,,\nPC2,Bob,, \n,,,\n\n"), KNOWING)

    assert (table.header, rows_of(table)) == (("Device", "User"), [Row(2, ("PC", "Ann")), Row(3, ("PC2", "Bob"))])


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", '"', '""', ",", ";", "\t", "|", "\n", "\r", "\r\n", "sep=;", "#TYPE x", "é", "😀", "\ufeff", "NA", "001"]
)
CODECS = [
    ("utf-8", b"", None),
    ("utf-8", b"\xef\xbb\xbf", None),
    ("utf-16-le", b"\xff\xfe", None),
    ("utf-16-be", b"\xfe\xff", None),
    ("utf-16-le", b"", "utf-16-le"),
    ("utf-16-be", b"", "utf-16-be"),
    ("cp1252", b"", "cp1252"),
    ("gb18030", b"", "gb18030"),
]


def has_utf_8(content: bytes) -> bool:
    """Return whether letters are UTF-8 by chance, which is refused (test_load_encodings.py)."""
    return any(
        not piece.isascii() and "\ufffd" not in piece.decode("utf-8", "replace") for piece in PIECE.findall(content)
    )


@given(
    data=st.data(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    terminator=st.sampled_from(["\n", "\r\n", "\r"]),
    codec=st.sampled_from(CODECS),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_comes_back_in_every_encoding_and_dialect(
    tmp_path: Path, data: st.DataObject, delimiter: str, terminator: str, codec: tuple[str, bytes, str | None]
) -> None:
    """What csv.writer wrote is read back cell for cell, the delimiter found by the known columns."""
    name, mark, given_encoding = codec
    width = data.draw(st.integers(2, 4))
    records = data.draw(st.lists(st.lists(texts, min_size=width, max_size=width), max_size=6))
    records = [[cell.encode(name, "replace").decode(name) for cell in record] for record in records]
    assume(given_encoding is None or name.startswith("utf") or not has_utf_8(repr(records).encode(name)))
    path = tmp_path / "any.csv"
    with path.open("wb") as file:
        file.write(mark)
    with path.open("a", encoding=name, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=terminator, quoting=csv.QUOTE_ALL)
        writer.writerows([["Device", "User", "Serial", "Issuer"][:width], *records])

    table = table_of(path, LoadOptions(encoding=given_encoding, known_columns=known_columns))

    assert (table.encoding, table.delimiter) == (name, delimiter)
    assert rows_of(table) == [
        Row(number, tuple(record)) for number, record in enumerate(records, start=2) if "".join(record).strip()
    ]


VALID = [
    b'Device,User\r\nPC,"Ann\r\nB"\r\n1,2\r\n',
    "sep=;\nGerät;Müller\nPC;Å\n".encode("cp1252"),
    "#TYPE x\nDevice\tUser\nPC\tÄ\n".encode(),
    "Device|User\nPC|東京\n".encode("utf-16-le"),
    b"\xff\xfe" + "Device,User\nPC,Ann\n".encode("utf-16-le"),
    "Device,User\nPC,東京\n".encode("shift_jis"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 6))):
        index = draw(st.integers(0, len(content)))
        content[index : index + draw(st.integers(0, 3))] = draw(
            st.sampled_from(
                [b'"', b",", b"\n", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\x81", b"\xd8", b"sep=", b"#TYPE "]
            )
            | st.binary(max_size=4)
        )
    return bytes(content)


@given(
    content=st.binary(max_size=60) | mutated(),
    options=st.sampled_from([KNOWING, LoadOptions(), LoadOptions(header_row=2)]),
)
@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_in_rows_or_a_sentence(tmp_path: Path, content: bytes, options: LoadOptions) -> None:
    """Whatever a file holds, it is read as a table or refused with a SourceError."""
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        rows = [row for table in open_tables(path, options) for row in rows_of(table)]
    except SourceError as exc:
        assert str(exc).startswith(str(path))  # noqa: PT017  a refusal is one of the two good ends
        return

    numbers = [row.row_number for row in rows]
    assert numbers == sorted(set(numbers))


def test_a_carriage_return_at_the_end_of_a_quoted_cell_stays(tmp_path: Path) -> None:
    """It is no part of the line's end, though all other lines end in CRLF."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b,c\r\n1,2,"x\r"\n')

    (table,) = open_tables(path, LoadOptions())

    assert rows_of(table) == [Row(2, ("1", "2", "x\r"))]


def test_a_file_that_is_replaced_by_another_encoding_is_told(tmp_path: Path) -> None:
    """What was looked through when the file was opened does not hold for the bytes that came later."""
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\n1,ä\n".encode())
    (table,) = open_tables(path, LoadOptions())
    path.write_bytes("a,b\n1,ää\n".encode("cp1252"))

    with pytest.raises(SourceError, match="was changed while it was being read"):
        list(table.chunks)
