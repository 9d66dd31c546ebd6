"""Broken quotes: the row is refused under its number, and every other row is read."""

import csv
from collections.abc import Callable
from io import StringIO
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.load import LoadOptions, open_tables
from pipeline.load.text_files.quotes import RECORD_LIMIT_CHARACTERS, BrokenLine, RecordReader
from pipeline.model import Row

OPEN = 'a quote (") is opened and not closed in this line'
TEXT_BEHIND = 'text follows a closing quote (")'
FUSED = 'a quote (") is opened in this line and closed in a later one, with what look like rows between'
REST = 'a quote (") stands within an unquoted cell below an open one, so this may be the rest of that row'

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a CSV file as it is given and returns its path."""

    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def rows_of(path: Path, options: LoadOptions | None = None) -> list[Row]:
    tables = open_tables(path, options or LoadOptions())
    return [row for table in tables for chunk in table.chunks for row in chunk.rows]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (
            'a,b\n1,2\n3,"4\n5,6\n7,8\n',
            [Row(2, ("1", "2")), Row(3, ('3,"4', ""), broken=OPEN), Row(4, ("5", "6")), Row(5, ("7", "8"))],
        ),
        (
            'a,b\n1,"2\n3,"x, y"\n5,"6\n7"\n',
            [Row(2, ('1,"2', ""), broken=OPEN), Row(3, ("3", "x, y")), Row(4, ("5", "6\n7"))],
        ),
        (
            'a,b\n1,"2"x\n3,"4" ,5\n6,"7"\n',
            [
                Row(2, ('1,"2"x', ""), broken=TEXT_BEHIND),
                Row(3, ('3,"4" ,5', ""), broken=TEXT_BEHIND),
                Row(4, ("6", "7")),
            ],
        ),
        (
            'a,b,c\n"Offen, wer,"1","2"\n5" disk,"x"y,3\n4,"Offen, wer\n"5",6,7\n',
            [
                Row(2, ('"Offen, wer,"1","2"', "", ""), broken=OPEN),
                Row(3, ('5" disk,"x"y,3', "", ""), broken=TEXT_BEHIND),
                Row(4, ('4,"Offen, wer', "", ""), broken=OPEN),
                Row(5, ("5", "6", "7")),
            ],
        ),
        ('a,b\n1,2\n"', [Row(2, ("1", "2")), Row(3, ('"', ""), broken=OPEN)]),
        (
            'a,b\n"1,2\n"3,4\n"5,6\n',
            [
                Row(2, ('"1,2', ""), broken=OPEN),
                Row(3, ('"3,4', ""), broken=OPEN),
                Row(4, ('"5,6', ""), broken=OPEN),
            ],
        ),
        (
            'a,b\n1,"x\ny"z,2\n3,4\n',
            [Row(2, ('1,"x', ""), broken=OPEN), Row(3, ('y"z,2', ""), broken=REST), Row(4, ("3", "4"))],
        ),
        ('a,b\n5" disk,2\n3,4" disk\n', [Row(2, ('5" disk', "2")), Row(3, ("3", '4" disk'))]),
        ('a,b\r1,"2\r3,4\r', [Row(2, ('1,"2', ""), broken=OPEN), Row(3, ("3", "4"))]),
        ('a,b\r\n\r\n1,"2""\r\n3,4\r\n', [Row(3, ('1,"2""', ""), broken=OPEN), Row(4, ("3", "4"))]),
        ('a\n"1\n2\n', [Row(2, ('"1',), broken=OPEN), Row(3, ("2",))]),
    ],
    ids=[
        "open in the middle",
        "open above quoted cells",
        "text behind",
        "a later quote of the line or the next row seems to close it",
        "open as the last character",
        "open in every row",
        "the rest of a broken row is no row",
        "quotes within unquoted cells are text",
        "CR",
        "doubled at the end, below a blank line",
        "one column",
    ],
)
def test_a_row_with_broken_quotes_is_set_aside(write: Write, text: str, rows: list[Row]) -> None:
    """The row where a broken quote begins says what is wrong and holds its line; the rows around it are read."""
    path = write(text)

    assert rows_of(path) == rows
    assert rows_of(path, LoadOptions(chunk_rows=1)) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (
            'i,"Erika,AA,1\ni,Ada,BB,2\ni,Max",CC,3\ni,Eva,DD,4\n',
            [
                Row(2, ('i,"Erika,AA,1', "", "", ""), broken=FUSED),
                Row(3, ("i", "Ada", "BB", "2")),
                Row(4, ('i,Max",CC,3', "", "", ""), broken=REST),
                Row(5, ("i", "Eva", "DD", "4")),
            ],
        ),
        (
            '"i,Erika,AA,1\r\n\r\ni",Max,CC,3\r\ni,Eva,DD,4\r\n',
            [
                Row(2, ('"i,Erika,AA,1', "", "", ""), broken=FUSED),
                Row(4, ('i",Max,CC,3', "", "", ""), broken=REST),
                Row(5, ("i", "Eva", "DD", "4")),
            ],
        ),
        (
            'i,Erika,AA,"1\ni,"",BB,2\ni,Max,CC,3"\n',
            [
                Row(2, ('i,Erika,AA,"1', "", "", ""), broken=FUSED),
                Row(3, ("i", "", "BB", "2")),
                Row(4, ('i,Max,CC,3"', "", "", ""), broken=REST),
            ],
        ),
        (
            '"x\ny","Erika,AA,1\ni,Max",CC,"3\n4"\ni,Eva,DD,4\n',
            [
                Row(2, ('"x', "", "", ""), broken=FUSED),
                Row(3, ('y","Erika,AA,1', "", "", ""), broken=FUSED),
                Row(4, ('i,Max",CC,"3', "", "", ""), broken=REST),
                Row(5, ('4"', "", "", ""), missing_cells=3),
                Row(6, ("i", "Eva", "DD", "4")),
            ],
        ),
        (
            'i,"Erika,AA,1\ni,Max",CC,3\n' * 2,
            [
                Row(2, ('i,"Erika,AA,1', "", "", ""), broken=FUSED),
                Row(3, ('i,Max",CC,3', "", "", ""), broken=REST),
                Row(4, ('i,"Erika,AA,1', "", "", ""), broken=FUSED),
                Row(5, ('i,Max",CC,3', "", "", ""), broken=REST),
            ],
        ),
    ],
    ids=["rows between", "first column, blank line", "last column, empty quotes", "other cells of two lines", "twice"],
)
def test_a_quote_that_is_closed_in_a_later_row_fuses_no_rows(write: Write, text: str, rows: list[Row]) -> None:
    """The rows where it is opened and closed are refused, so none gets another's values; those between are read."""
    path = write(f"a,b,c,d\n{text}")

    assert rows_of(path) == rows


@pytest.mark.parametrize(
    "cell",
    ["Street 1, 2nd floor, Seattle\nWA", "1, Street\nHouse 2, Seattle", "O=Contoso\nC=US\n", "\n\n", ",\n,\n"],
)
@pytest.mark.parametrize("column", range(4))
def test_a_cell_of_several_lines_with_few_delimiters_is_one(write: Write, cell: str, column: int) -> None:
    """Addresses, notes and names of several lines stay as they are."""
    cells = ["1", "2", "3", "4"]
    cells[column] = cell
    quoted = ",".join(f'"{each}"' for each in cells)

    assert rows_of(write(f"a,b,c,d\n{quoted}\n5,6,7,8\n")) == [Row(2, tuple(cells)), Row(3, ("5", "6", "7", "8"))]


def test_three_columns_are_too_few_to_tell_rows_from_a_cell(write: Write) -> None:
    """Where rows are so narrow, two lines with a comma between them are likelier an address."""
    assert rows_of(write('a,b,c\n1,"Example,1\nSeattle,WA",3\n')) == [Row(2, ("1", "Example,1\nSeattle,WA", "3"))]


def test_many_fused_rows_take_linear_time() -> None:
    """A hundred thousand rows between two quotes, and as many pairs of quotes, are grouped at once."""
    between = 'i,"Erika,AA,1\n' + "i,Ada,BB,2\n" * 100_000 + 'i,Max",CC,3\n'
    pairs = 'i,"Erika,AA,1\ni,Max",CC,3\n' * 50_000

    broken = [
        [
            record.line_index
            for record in RecordReader(StringIO(text, newline=""), ",")
            if isinstance(record, BrokenLine)
        ]
        for text in (between, pairs)
    ]

    assert broken == [[0, 100_001], list(range(100_000))]


def test_the_estimate_counts_lines(write: Write) -> None:
    """The estimate for the progress counts the lines below the header, broken and blank ones too."""
    (table,) = open_tables(write('a,b\n1,2\n3,"4\n\n5,6'), LoadOptions())

    assert table.rows_estimate == 4


def test_a_broken_header_is_refused(write: Write) -> None:
    """Without a header no row can be read, so a broken one ends in a sentence."""
    path = write('a,"b\n1,2\n')

    with pytest.raises(SourceError) as caught:
        rows_of(path)

    assert str(caught.value) == (
        f'{path} row 1, the header, cannot be read, a quote (") is opened and not closed in this line: '
        "write each quote inside a quoted cell twice, and close the cell with one."
    )


def plainly_grouped(text: str) -> list[list[str] | str]:
    """Group as the rules say, without any thought for time: a broken line comes out as its text."""
    lines = StringIO(text, newline="").readlines()
    records: list[list[str] | str] = []
    first = 0
    rest_at = -1  # the line at which the record above a broken line ended
    fused_to = fused_rest_at = -1  # the lines at which a quote that fuses rows is opened and closed
    while first < len(lines):
        if first <= fused_to:
            records.append(lines[first].rstrip("\r\n"))
            first += 1
            continue
        for last in range(first, len(lines)):
            cells = list(csv.reader(chain(lines[first : last + 1], [","])))
            if cells.pop() == ["", ""] and len(cells) == 1:
                break  # closed
        else:
            last = len(lines)
        closed = last < len(lines)
        try:
            sound = list(csv.reader(lines[first : last + 1], strict=True)) if closed else []
        except csv.Error:
            sound = []
        bare = bool(sound) and first == last == rest_at and has_bare_quote(lines[first])
        bare = bare or (bool(sound) and first == fused_rest_at and has_bare_quote(lines[first]))
        fused = fused_lines(sound[0]) if sound and not bare else None
        if fused:
            fused_to, fused_rest_at = first + fused[0], first + fused[1]
            continue
        if sound and not bare:
            records.append(sound[0])
            first = last + 1
        else:
            records.append(lines[first].rstrip("\r\n"))
            if not sound:
                rest_at = max(rest_at, breaking_line(lines, first))
            first += 1
    return records


def fused_lines(cells: list[str]) -> tuple[int, int] | None:
    """Return at which lines of the record a cell begins and ends of which every line is a row as wide as the record."""
    first = 0
    for index, cell in enumerate(cells):
        lines = cell.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        last = first + len(lines) - 1
        widths = [line.count(",") for line in lines]
        widths[0] += index
        widths[-1] += len(cells) - 1 - index
        blank = [0 < at < len(lines) - 1 and not line.strip() for at, line in enumerate(lines)]
        is_prose = all(part.startswith(" ") for part in cell.split(",")[1:])
        are_rows = all(width == len(cells) - 1 or empty for width, empty in zip(widths, blank, strict=True))
        if len(lines) > 1 and len(cells) >= 4 and are_rows and not is_prose:
            return first, last
        first = last
    return None


def breaking_line(lines: list[str], first: int) -> int:
    """Return the index of the line at which csv finds that the record is broken."""
    for last in range(first, len(lines)):
        try:
            list(csv.reader(lines[first : last + 1], strict=True))
        except csv.Error as exc:
            if "unexpected end" not in str(exc):
                return last
    return len(lines) - 1


def has_bare_quote(line: str) -> bool:
    """Return whether an unquoted cell holds a quote: csv's state machine by hand."""
    state = "start"
    for character in line.rstrip("\r\n"):
        if state == "quoted":
            state = "closing" if character == '"' else "quoted"
        elif character == ",":
            state = "start"
        elif character == '"':
            if state == "plain":
                return True
            state = "quoted"
        else:
            state = "plain"
    return False


@given(
    st.lists(
        st.sampled_from(['"', ",", "\n", "\r", "\r\n", "a", " ", "é", "\ufeff", '""', ',"', '",', "\x0b"]), max_size=24
    )
)
@example(["\r", ","])
@example(['"'])
@example(["\n", '"', "\n"])
@example([",", ",", ",", '"', "a", "\n", ",", ",", ",", '"', "\n", ",", ",", ",", "a"])
@example([",", '"', ",", ",", "\n", "\n", ",", '",', ",", "\n", "a"])
@example(["a", ",", '"', "\n", "a", '",', '"""', "\n", "a", '",', '"""', "\n"])
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_grouped_by_the_rules(tmp_path: Path, pieces: list[str]) -> None:
    """Whatever stands below a header is read as csv reads it, or set aside where quotes are broken; none is lost."""
    text = "a,b\n" + "".join(pieces)
    path = tmp_path / "any.csv"
    path.write_bytes(text.encode())
    expected = {
        number: record
        for number, record in enumerate(plainly_grouped(text), start=1)
        if number > 1 and "".join(record).strip()
    }

    rows = rows_of(path)

    assert [row.row_number for row in rows] == list(expected)
    for row in rows:
        record = expected[row.row_number]
        if isinstance(record, str):
            assert row == Row(row.row_number, (record, ""), broken=row.broken)
            assert row.broken
        else:
            kept = [*row.cells[: 2 - row.missing_cells], *row.extra_cells]
            assert kept == record[: len(kept)]
            assert "".join(record[len(kept) :]).strip() == ""
            assert not row.broken


@pytest.mark.parametrize(
    "line",
    ['x","""\n', '"x\n', 'x,"\n', '"""\n', 'x,"y""\n', 'x"y,"z\n'],
    ids=["closes and opens", "opens", "opens at the end", "three", "doubled", "bare and opens"],
)
def test_many_open_quotes_take_linear_time(line: str) -> None:
    """A hundred thousand lines that each leave a quote open are grouped at once; quadratic work would not end."""
    count = 100_001  # odd: two lines that each open a quote at their end are one sound record

    reader = RecordReader(StringIO(line * count, newline=""), ",")
    broken_lines = [record.line_index for record in reader if isinstance(record, BrokenLine)]

    assert reader.line_index == count
    assert broken_lines == sorted(set(broken_lines))
    assert broken_lines


def test_a_quote_that_is_open_for_megabytes_costs_one_row(write: Write) -> None:
    """A record longer than the limit is broken at its first line, and the rows it would have swallowed are read."""
    filler = "x" * 1_000_000
    count = RECORD_LIMIT_CHARACTERS // 1_000_000 + 2
    path = write('a,b\n"1,2\n' + f"{filler},2\n" * count)

    rows = rows_of(path)

    assert rows == [Row(2, ('"1,2', ""), broken=OPEN), *(Row(3 + index, (filler, "2")) for index in range(count))]


def test_records_may_lie_across_the_batches_that_are_read(write: Write) -> None:
    """Megabytes of cells with line breaks, and broken rows among them, keep their numbers and their cells."""
    block = '1,"x\r\n\ny"\n2,"z\n' + "3,4\n" * 7
    expected = [("1", "x\r\n\ny"), ('2,"z', ""), *[("3", "4")] * 7]
    count = 20_000

    rows = rows_of(write("a,b\n" + block * count))

    assert [row.row_number for row in rows] == list(range(2, 2 + count * len(expected)))
    assert [row.cells for row in rows] == expected * count
    assert [row.broken for row in rows] == ["", OPEN, *[""] * 7] * count


def test_a_line_too_long_for_memory_is_refused(write: Write) -> None:
    """A file without line ends is refused before it fills the memory."""
    path = write(b"a,b\n" + b"x" * (17 * 1024 * 1024))

    with pytest.raises(SourceError) as caught:
        rows_of(path)

    assert str(caught.value) == (
        f"{path} has a line of more than 16,777,216 characters, so it is no inventory: export it again as CSV UTF-8."
    )


@pytest.mark.parametrize(
    "cell",
    [
        "Chain:\nCN=PC-1,OU=IT,O=Contoso,L=Bonn,C=DE",
        "CN=PC-1,OU=IT,OU=Bonn,O=Contoso,C=DE\n",
        "CN=PC-1,OU=IT,O=Contoso,L=Bonn,C=DE\nCN=Root,O=Contoso,L=Bonn,ST=NW,C=DE",
    ],
)
@pytest.mark.parametrize("place", range(5))
def test_distinguished_names_in_lines_are_no_rows(write: Write, cell: str, place: int) -> None:
    """A chain of names without blanks behind the commas has as many of them as a row, and is one cell."""
    cells = ["1", "2", "3", "4", "5"]
    cells[place] = f'"{cell}"'
    path = write("a,b,c,d,e\n" + ",".join(cells) + "\n")

    (only,) = rows_of(path)

    assert (only.broken, only.cells[place]) == ("", cell)
