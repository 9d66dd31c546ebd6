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

OPEN = 'a quote (") is opened and not closed'
TEXT_BEHIND = 'text follows a closing quote (")'
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


def test_a_broken_row_counts_as_data(write: Write) -> None:
    """The estimate for the progress counts broken rows too."""
    (table,) = open_tables(write('a,b\n1,2\n3,"4\n\n5,6\n'), LoadOptions())

    assert table.rows_estimate == 3


def test_a_broken_header_is_refused(write: Write) -> None:
    """Without a header no row can be read, so a broken one ends in a sentence."""
    path = write('a,"b\n1,2\n')

    with pytest.raises(SourceError) as caught:
        rows_of(path)

    assert str(caught.value) == (
        f'{path} row 1, the header, cannot be read, a quote (") is opened and not closed: '
        "write each quote inside a quoted cell twice, and close the cell with one."
    )


def plainly_grouped(text: str) -> list[list[str] | str]:
    """Group as the rules say, without any thought for time: a broken line comes out as its text."""
    lines = StringIO(text, newline="").readlines()
    records: list[list[str] | str] = []
    first = 0
    rest_at = -1  # the line at which the record above a broken line ended
    while first < len(lines):
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
        if sound and not bare:
            records.append(sound[0])
            first = last + 1
        else:
            records.append(lines[first].rstrip("\r\n"))
            if not sound:
                rest_at = max(rest_at, breaking_line(lines, first))
            first += 1
    return records


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
