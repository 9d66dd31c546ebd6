"""Sheets in the plainest spelling, which are read without calamine: the rows are those that calamine reads."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from excel_cases import HEADER as EXCEL_HEADER
from excel_cases import HEADER_CELLS, cell, save_excel, worksheet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbook_cases import MAIN, number, save_zip, sheet_xml, text, xlsx_parts

from pipeline.errors import SourceError
from pipeline.load import Chunk, LoadOptions, Table, open_tables
from pipeline.load.table import Record, Stretch, chunked, chunked_stretches
from pipeline.load.workbooks.package import BLOCK_BYTES, open_package
from pipeline.load.workbooks.plain_strings import plain_strings
from pipeline.load.workbooks.sheet_xml import scan_sheet
from pipeline.model import CellType, Row

SHEET_PART, STRINGS_PART = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
FOR_CALAMINE = "<!-- a comment, which is not plain -->"


def strings_xml(strings: Sequence[str]) -> str:
    return f'<?xml version="1.0"?>\n<sst xmlns="{MAIN}">{"".join(strings)}</sst>'


def save(path: Path, rows: str, strings: Sequence[str], tail: str = "") -> Path:
    return save_zip(path, {**xlsx_parts(sheet_xml(rows, tail)), STRINGS_PART: strings_xml(strings)})


def is_plain(path: Path) -> bool:
    with open_package(path) as package:
        return scan_sheet(package, SHEET_PART).plain is not None


def strings_of(path: Path) -> list[str] | None:
    with open_package(path) as package:
        return plain_strings(package, STRINGS_PART, 100)


def shared(reference: str, index: int, style: str = "") -> str:
    return f'<c r="{reference}"{style} t="s"><v>{index}</v></c>'


def read(path: Path) -> list[tuple[object, ...]]:
    """Return all that a reader sees of the file's tables, or the refusal."""
    try:
        tables = [(table, list(table.chunks)) for table in open_tables(path, LoadOptions(chunk_rows=4))]
    except SourceError as refusal:
        return [(str(refusal).replace(path.name, "NAME"),)]
    return [(*seen_of(table), rows_of(chunks)) for table, chunks in tables]


def seen_of(table: Table) -> tuple[object, ...]:
    return table.header, table.header_row_number, table.rows_estimate, table.findings


def rows_of(chunks: Sequence[Chunk]) -> tuple[list[Row], int]:
    return [row for chunk in chunks for row in chunk.rows], sum(chunk.blank_rows for chunk in chunks)


# --- cells -------------------------------------------------------------------------------------------------------

LENGTH = ((2, CellType.NUMBER),)
HEADER = f'<row r="1">{shared("A1", 0)}{shared("B1", 1)}</row>'
BESIDE = ("<si><t>a</t></si>", "<si><t>b</t></si>")
PLAIN = {
    "nothing": "",
    "styles": shared("A2", 0, ' s="12"') + '<c r="B2" s="3"/>',
    "an empty cell": '<c r="A2"/>' + shared("B2", 1),
    "a whole number": number("A2", 2048),
    "a whole number with its type": '<c r="A2" t="n"><v>2048</v></c>',
    "15 digits": number("A2", 999_999_999_999_999),
    "zeros before digits": '<c r="A2"><v>007</v></c>' + '<c r="B2" t="s"><v>01</v></c>',
}
NOT_PLAIN = {
    "a fraction": number("A2", 1.5),
    "a negative number": number("A2", -1),
    "16 digits": number("A2", 1_234_567_890_123_456),
    "a power of ten": '<c r="A2"><v>1E3</v></c>',
    "a number with a style": '<c r="A2" s="1"><v>45000</v></c>',
    "no number": '<c r="A2"><v></v></c>',
    "a boolean": '<c r="A2" t="b"><v>1</v></c>',
    "an error": '<c r="A2" t="e"><v>#N/A</v></c>',
    "a formula": '<c r="A2"><f>B2</f><v>1</v></c>',
    "a formula's text": '<c r="A2" t="str"><f>B2</f><v>x</v></c>',
    "a text within": text("A2", "x"),
    "white space": shared("A2", 0) + "\n" + shared("B2", 1),
    "other quotes": "<c r='A2' t='s'><v>0</v></c>",
    "another order": '<c t="s" r="A2"><v>0</v></c>',
    "another attribute": '<c r="A2" cm="1" t="s"><v>0</v></c>',
    "two values": '<c r="A2" t="s"><v>0</v><v>1</v></c>',
    "a sheet within": "</row></sheetData><sheetData><row>" + shared("A2", 0),
    "a tag that begins with c": "<cx/>" + shared("A2", 0),
}


@pytest.mark.parametrize("cells", PLAIN.values(), ids=PLAIN)
def test_plain_cells_are_read_as_calamine_reads_them(tmp_path: Path, cells: str) -> None:
    """A sheet of texts and whole numbers without a format is read at once, and is what calamine makes of it."""
    rows = f'{HEADER}<row r="2" spans="1:2" ht="15">{cells}</row><row r="3"/>'
    file = save(tmp_path / "a.xlsx", rows, BESIDE)
    assert is_plain(file)
    assert read(file) == read(save(tmp_path / "b.xlsx", rows, BESIDE, FOR_CALAMINE))


@pytest.mark.parametrize("cells", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_other_cells_are_left_to_calamine(tmp_path: Path, cells: str) -> None:
    """A sheet is not plain when a single cell is not."""
    assert not is_plain(save(tmp_path / "a.xlsx", f'{HEADER}<row r="2">{cells}</row>', BESIDE))


TAILS = {
    "merged cells": '<mergeCells count="1"><mergeCell ref="A1:B1"/></mergeCells>',
    "a cell behind the rows": shared("A9", 0),
    "a part that is not well-formed": "<a>",
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_what_stands_behind_the_rows_is_judged_too(tmp_path: Path, tail: str) -> None:
    """Plain rows do not make a plain sheet."""
    assert not is_plain(save(tmp_path / "a.xlsx", HEADER, BESIDE, tail))


def test_a_text_that_is_not_in_the_list_is_refused(tmp_path: Path) -> None:
    """A cell that names a string behind the list's end is refused as calamine refuses it."""
    file = save(tmp_path / "a.xlsx", HEADER + f'<row r="2">{shared("A2", 2)}</row>', BESIDE)
    assert is_plain(file)
    assert "string index not found" in str(read(file))


@pytest.mark.parametrize("ending", [".xls", ".xlsb", ".ods"])
def test_a_plain_sheet_under_a_foreign_ending_is_refused(tmp_path: Path, ending: str) -> None:
    """The ending still has to be that of the content."""
    ((refusal,),) = read(save(tmp_path / f"a{ending}", HEADER, BESIDE))
    assert "of another kind than its ending says" in str(refusal) or f"is no {ending} workbook" in str(refusal)


def test_a_sheet_of_texts_that_excel_writes_is_plain(tmp_path: Path) -> None:
    """All that Excel writes around the cells and into their tags does not keep a sheet from being read at once."""
    rows = (
        f'<row r="1" spans="1:4" ht="28.8" x14ac:dyDescent="0.3">{HEADER_CELLS}</row>'
        f'<row r="3" spans="1:4" s="3" customFormat="1" hidden="1" x14ac:dyDescent="0.3">{cell("A3", "5", kind="s")}'
        f'<c r="B3" s="3"/>{cell("C3", "2048")}{cell("D3", "6", style=3, kind="s")}</row>'
    )
    file = save_excel(tmp_path / "a.xlsx", **{SHEET_PART: worksheet(rows)})
    assert is_plain(file)
    assert read(file) == [(EXCEL_HEADER, 1, 2, (), ([Row(3, ("PHONE-2", "", "2048", "  4A 01 "), LENGTH)], 1))]
    with_comment = save_excel(tmp_path / "b.xlsx", **{SHEET_PART: worksheet(rows, tail=FOR_CALAMINE)})
    assert read(with_comment) == read(file)


def test_a_plain_sheet_of_many_blocks_is_read_whole(tmp_path: Path) -> None:
    """No cell is lost where one block of the sheet, or of its strings, ends and the next begins."""
    count = 30_000
    rows = "".join(
        f'<row r="{row}">{shared(f"B{row}", row - 1)}{number(f"C{row}", row)}</row>' for row in range(1, count)
    )
    strings = [f"<si><t>{at:050}</t></si>" for at in range(count)]
    file = save(tmp_path / "a.xlsx", rows, strings)
    assert min(len(rows), len("".join(strings))) > BLOCK_BYTES
    assert is_plain(file)
    (table,) = open_tables(file, LoadOptions())
    found = [row for chunk in table.chunks for row in chunk.rows]
    assert found == [Row(row, (f"{row - 1:050}", str(row)), ((1, CellType.NUMBER),)) for row in range(2, count)]


# --- strings -----------------------------------------------------------------------------------------------------

STRINGS = {
    "bare": (["<si><t>a</t></si>", "<si><t></t></si>", "<si><t>a\nb</t></si>"], ["a", "", "a\nb"]),
    "preserved": (['<si><t xml:space="preserve"> a\n</t></si>'], [" a\n"]),
    "both": (["<si><t>a</t></si>", '<si><t xml:space="preserve"> b</t></si>'], ["a", " b"]),
    "entities": (["<si><t>&amp;lt; &lt;&gt;&quot;&apos;</t></si>"], ["&lt; <>\"'"]),
    "beyond ASCII": (["<si><t>Łukasz 陽子 😀</t></si>"], ["Łukasz 陽子 😀"]),
    "an underscore": (["<si><t>host_x1</t></si>"], ["host_x1"]),
    "blanks that are not kept": (["<si><t> a</t></si>"], None),
    "blanks that are not kept, beside kept ones": (
        ["<si><t>a </t></si>", '<si><t xml:space="preserve">b</t></si>'],
        None,
    ),
    "an escape": (["<si><t>a_x000D_b</t></si>"], None),
    "a reference to a character": (["<si><t>&#65;</t></si>"], None),
    "an entity without an end": (["<si><t>a&amp</t></si>"], None),
    "a carriage return": (["<si><t>a\r\nb</t></si>"], None),
    "formats within": (["<si><r><t>a</t></r><r><t>b</t></r></si>"], None),
    "a reading aid": (['<si><t>a</t><rPh sb="0" eb="1"><t>b</t></rPh></si>'], None),
    "no text": (["<si/>", "<si><t>b</t></si>"], None),
    "an empty text": (["<si><t/></si>", "<si><t>b</t></si>"], None),
    "white space between": (["<si><t>a</t></si>\n", "<si><t>b</t></si>"], None),
    "none": ([], None),
    "something behind": (["<si><t>a</t></si>", "<x/>"], None),
    "too many": (["<si><t>a</t></si>"] * 101, None),
}


@pytest.mark.parametrize(("strings", "expected"), STRINGS.values(), ids=STRINGS)
def test_strings_are_plain_or_left_to_calamine(tmp_path: Path, strings: list[str], expected: list[str] | None) -> None:
    """The list of strings comes out as it stands in the workbook, or not at all when calamine changes something."""
    assert strings_of(save(tmp_path / "a.xlsx", HEADER, strings)) == expected


def test_strings_that_are_not_utf_8_are_left_to_calamine(tmp_path: Path) -> None:
    """Bytes that are no text are not guessed."""
    strings = strings_xml(["<si><t>X</t></si>"]).encode().replace(b"X", b"\xff")
    file = save_zip(tmp_path / "a.xlsx", {**xlsx_parts(sheet_xml(HEADER)), STRINGS_PART: strings})
    assert strings_of(file) is None


# --- any workbook ------------------------------------------------------------------------------------------------

TEXTS = [each for given, expected in STRINGS.values() for each in given if len(given) < 4 and expected]
ODD_TEXTS = [each for given, expected in STRINGS.values() for each in given if len(given) < 4 and not expected]
ODD_CELLS = list(NOT_PLAIN.values())


def random_rows(chance: random.Random, strings: int) -> str:
    """Return rows with gaps, of cells with gaps, styles and numbers; now and then a cell that is not plain."""
    rows, row_number, first = [], chance.choice([1, 1, 3]), chance.choice("AAC")
    letters = [chr(ord(first) + at) for at in range(chance.randint(1, 4))]
    for _ in range(chance.choice([0, 1, 4, 12])):
        cells = ""
        for letter in letters if chance.random() < 0.9 else ():
            reference = f"{letter}{row_number}"
            style = chance.choice(["", "", ' s="1"'])
            cells += chance.choice(
                [shared(reference, chance.randrange(strings), style)] * 5
                + [number(reference, chance.choice([0, 5, 2048])), f'<c r="{reference}"{style}/>', ""]
            )
        if chance.random() < 0.02:
            cells = chance.choice(ODD_CELLS).replace("A2", f"A{row_number}").replace("B2", f"B{row_number}")
        rows.append(f'<row r="{row_number}">{cells}</row>' if cells else f'<row r="{row_number}"/>')
        row_number += chance.choice([1, 1, 1, 1, 6])
    return "".join(rows)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 2**32))
def test_any_sheet_is_read_as_calamine_reads_it(tmp_path: Path, seed: int) -> None:
    """Whatever a sheet holds, its tables are those that come out when calamine alone reads it."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    strings = chance.choices(TEXTS, k=chance.randint(1, 9)) + chance.choices(ODD_TEXTS, k=chance.random() < 0.1)
    rows = random_rows(chance, len(strings))
    file = save(tmp_path / "a.xlsx", rows, strings)
    assert read(file) == read(save(tmp_path / "b.xlsx", rows, strings, FOR_CALAMINE))


CELLS = st.sampled_from(["", "", " ", "x", "\n"])


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=12), st.integers(1, 5), st.integers(1, 3))
def test_columns_become_the_chunks_that_rows_become(
    rows: list[tuple[str, str, str]], stretch_rows: int, width: int
) -> None:
    """Blank rows, rows that are too wide, and formulas without a result are the same column by column."""
    formulas = {at: ((0, CellType.FORMULA), (2, CellType.FORMULA)) for at, row in enumerate(rows) if row[0] == "\n"}
    records = [Record(at + 2, row, formulas.get(at, ())) for at, row in enumerate(rows)]
    header = ("h",) * width
    stretches = [
        Stretch(
            start + 2,
            list(zip(*rows[start : start + stretch_rows], strict=True)),
            {at - start: types for at, types in formulas.items() if start <= at < start + stretch_rows},
        )
        for start in range(0, len(rows), stretch_rows)
    ]
    chunks = list(chunked_stretches(stretches, width))
    assert rows_of(chunks) == rows_of(list(chunked(iter(records), header, 4)))
    assert all(chunks)
