"""What workbooks hide: errors, uncalculated formulas, merged cells, hidden sheets; and what hostile ones attempt."""

import datetime
import struct
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.cell import coordinate_to_tuple
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from test_load import biff, save_ods, save_xls, save_xlsb, save_xlsx
from workbook_cases import MAIN, number, ods_cell, ods_parts, ods_row, save_zip, sheet_xml, text, xlsx_parts
from xlwt.CompoundDoc import XlsDoc

from pipeline.errors import SourceError
from pipeline.findings import Code
from pipeline.load import LoadOptions, Table, open_tables
from pipeline.load.workbooks.package import BLOCK_BYTES
from pipeline.model import CellType, Row

DEFAULTS = LoadOptions()
WHEN = datetime.datetime(2026, 11, 23, 8, 49, 13)  # noqa: DTZ001 - a workbook has no time zones
DAMAGED = "it is damaged, cut off, or of another kind than its ending says; copy or export it again."


def rows_of(path: Path, options: LoadOptions = DEFAULTS) -> list[Row]:
    return [row for table in open_tables(path, options) for chunk in table.chunks for row in chunk.rows]


def table_of(path: Path, options: LoadOptions = DEFAULTS) -> Table:
    (table,) = open_tables(path, options)
    return table


def found_in(path: Path) -> list[tuple[Code, str]]:
    return [(each.code, each.message) for table in open_tables(path, DEFAULTS) for each in table.findings]


def refusal_of(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        rows_of(path)
    return str(caught.value).replace(str(path), path.name)


# --- errors and formulas -----------------------------------------------------------------------------------------

HEADER = '<row r="1">' + text("A1", "a") + text("B1", "b") + text("C1", "c") + "</row>"


def two(cell: str) -> str:
    return HEADER + '<row r="2">' + text("A2", "x") + cell + text("C2", "z") + "</row>"


ERROR = ("#N/A", ((1, CellType.ERROR),))
FORMULA = ("", ((1, CellType.FORMULA),))
TRAPS = {
    "error": ('<c r="B2" t="e"><v>#N/A</v></c>', *ERROR),
    "error in single quotes": ("<c r='B2' t='e'><v>#N/A</v></c>", *ERROR),
    "error of a formula": ('<c r="B2" s="0" t="e"><f>VLOOKUP(1,2,3)</f><v>#N/A</v></c>', *ERROR),
    "type before reference": ('<c t="e" r="B2"><v>#N/A</v></c>', *ERROR),
    "no reference": ('<c t="e"><v>#N/A</v></c>', *ERROR),
    "beside a comment": ('<!-- "e" --><c r="B2" t="e"><v>#N/A</v></c>', *ERROR),
    "formula": ('<c r="B2"><f>A2</f></c>', *FORMULA),
    "formula with empty value": ('<c r="B2"><f>A2</f><v></v></c>', *FORMULA),
    "formula with closed value": ('<c r="B2"><f>A2</f><v/></c>', *FORMULA),
    "shared formula": ('<c r="B2"><f t="shared" si="0"/></c>', *FORMULA),
    "array formula": ('<c r="B2"><f t="array" ref="B2">A2</f></c>', *FORMULA),
    "formula of a text within": ('<c r="B2" t="inlineStr"><f>A2</f><is><t>y</t></is></c>', "y", ()),
    "text of length 0": ('<c r="B2" t="str"><f>""</f><v></v></c>', "", ()),
    "calculated text": ('<c r="B2" t="str"><f>A2</f><v>y</v></c>', "y", ()),
    "calculated shared": ('<c r="B2"><f t="shared" si="0"/><v>7</v></c>', "7", ((1, CellType.NUMBER),)),
    "text that looks so": (text("B2", "#N/A"), "#N/A", ()),
    "e in quotes": (text("B2", '"e"'), '"e"', ()),
}


@pytest.mark.parametrize(("cell", "value", "types"), TRAPS.values(), ids=TRAPS)
def test_errors_and_uncalculated_formulas_are_told(
    tmp_path: Path, cell: str, value: str, types: tuple[tuple[int, CellType], ...]
) -> None:
    """An error cell shows its error, a formula without a result is told of, and a result is a value."""
    path = save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(two(cell))))

    assert rows_of(path) == [Row(2, ("x", value, "z"), types)]


def prefixed(xml: str) -> str:
    for name in ("worksheet", "sheetData", "row", "c", "v", "f", "is", "t"):
        for end in (" ", ">"):
            xml = xml.replace(f"<{name}{end}", f"<x:{name}{end}")
        xml = xml.replace(f"</{name}>", f"</x:{name}>")
    return xml.replace(f'xmlns="{MAIN}"', f'xmlns:x="{MAIN}"')


WAYS = {
    "absolute target": xlsx_parts(sheet_xml(two(TRAPS["error"][0])), target="/xl/worksheets/sheet1.xml"),
    "other letter case": xlsx_parts(sheet_xml(two(TRAPS["error"][0])), target="Worksheets/Sheet1.xml"),
    "strict namespaces": xlsx_parts(sheet_xml(two(TRAPS["error"][0])), strict=True),
    "prefixes": xlsx_parts(prefixed(sheet_xml(two(TRAPS["error"][0])))),
    "byte order mark": xlsx_parts(b"\xef\xbb\xbf" + sheet_xml(two(TRAPS["error"][0])).encode()),
}


@pytest.mark.parametrize("parts", WAYS.values(), ids=WAYS)
def test_the_sheet_is_found_however_it_is_named(tmp_path: Path, parts: dict[str, str | bytes]) -> None:
    """Errors are found in sheets with absolute targets, other letter case, strict namespaces and prefixes."""
    assert rows_of(save_zip(tmp_path / "a.xlsx", parts)) == [Row(2, ("x", *ERROR[:1], "z"), ERROR[1])]


def test_traps_are_found_in_all_blocks_of_a_large_sheet(tmp_path: Path) -> None:
    """Cells that a block's end cuts in two are found as the others are."""
    rows = [
        f'<row r="{row}">' + text(f"A{row}", f"{row:040}") + f'<c r="B{row}" t="e"><f>A{row}</f><v>#REF!</v></c></row>'
        for row in range(2, 20_000)
    ]
    path = save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(HEADER + "".join(rows))))

    assert rows_of(path) == [Row(row, (f"{row:040}", "#REF!", ""), ((1, CellType.ERROR),)) for row in range(2, 20_000)]


def test_columns_left_of_the_first_cell_do_not_shift_errors(tmp_path: Path) -> None:
    """In a table that begins in column C, an error in column D is one of the second column."""
    rows = '<row r="3">' + text("C3", "a") + text("D3", "b") + "</row>"
    rows += '<row r="4">' + text("C4", "x") + '<c r="D4" t="e"><v>#N/A</v></c></row>'

    assert rows_of(save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(rows)))) == [
        Row(4, ("x", "#N/A"), ((1, CellType.ERROR),))
    ]


def test_a_row_of_nothing_but_uncalculated_formulas_is_not_blank(tmp_path: Path) -> None:
    """Something should stand in such a row, so it is no blank one."""
    path = save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(HEADER + '<row r="3"><c r="B3"><f>A2</f></c></row>')))

    assert rows_of(path) == [Row(3, ("", "", ""), ((1, CellType.FORMULA),))]


def test_digits_that_a_number_does_not_hold_are_zeros(tmp_path: Path) -> None:
    """A number too large for its last digits shows zeros there, as Excel does, and not what binary makes of them."""
    path = save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(two(number("B2", 2**60)))))

    assert rows_of(path) == [Row(2, ("x", "1152921504606847000", "z"), ((1, CellType.NUMBER),))]


TWICE = {
    "rows": '<row r="2">' + text("A2", "y") + "</row>",
    "cells": '<row r="2">' + text("A2", "y") + text("A2", "z") + "</row>",
    "rows without references": '<row r="2"><c><v>1</v></c></row>',
    "another letter case": '<row r="2">' + text("a2", "y") + "</row>",
    "further down": '<row r="3">' + text("A3", "y") + '</row><row r="2">' + text("A2", "y") + "</row>",
}


@pytest.mark.parametrize("rows", TWICE.values(), ids=TWICE)
def test_a_cell_that_is_there_twice_is_refused(tmp_path: Path, rows: str) -> None:
    """Of two cells with one reference calamine would drop one, so the sheet is refused and the cell named."""
    assert refused(tmp_path, xlsx_parts(sheet_xml(two("") + rows))) == (
        "a.xlsx holds the cell A2 twice in its part xl/worksheets/sheet1.xml, which no spreadsheet program writes, so "
        "one of both would be lost: mend it where it comes from and export it again."
    )


def test_a_cell_that_is_there_twice_in_distant_blocks_is_refused(tmp_path: Path) -> None:
    """A cell is compared with all others of a large sheet."""
    rows = [f'<row r="{row}">' + text(f"A{row}", f"{row:040}") + "</row>" for row in (*range(1, 20_000), 7)]

    assert "a.xlsx holds the cell A7 twice" in refused(tmp_path, xlsx_parts(sheet_xml("".join(rows))))


def test_a_cell_that_begins_a_block_is_compared_with_the_block_before(tmp_path: Path) -> None:
    """Two blocks whose cells ascend, each for itself, may hold the same cell."""
    rows = [f'<row r="{row}">' + text(f"A{row}", "x" * 40) + "</row>" for row in range(10_000, 40_000)]
    begin = sheet_xml("").index("</sheetData>")
    within = (BLOCK_BYTES - begin + len("</row>")) // len(rows[0])  # the last cell of the first block ends with </c>

    assert "a.xlsx holds the cell A10000 twice" in refused(
        tmp_path, xlsx_parts(sheet_xml("".join(rows[:within] + rows[:9])))
    )


def test_a_cell_that_is_there_twice_in_an_xlsb_is_refused(tmp_path: Path) -> None:
    """The records of an .xlsb may not name a cell twice either."""
    path = save_xlsb(tmp_path / "a.xlsb", [["a"], ["b"]])
    with zipfile.ZipFile(path) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.bin"
    sheet = parts[name]
    assert isinstance(sheet, bytes)
    end = sheet.index(b"\x92\x01")
    again = b"\x05\x10" + struct.pack("<IId", 0, 0, 1.0)

    assert "a.xlsb holds the cell A2 twice in its part xl/worksheets/sheet1.bin" in refused(
        tmp_path, parts | {name: sheet[:end] + again + sheet[end:]}, ".xlsb"
    )


@pytest.mark.parametrize("comment", ["", "<!-- read by the parser -->"], ids=["plain", "parsed"])
def test_rows_in_another_order_are_read_in_that_of_their_numbers(tmp_path: Path, comment: str) -> None:
    """Rows that do not ascend are no reason to refuse a sheet."""
    rows = '<row r="3">' + text("A3", "y") + '</row><row r="2">' + text("A2", "x") + "</row>"
    path = save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(HEADER + comment + rows)))

    assert rows_of(path) == [Row(2, ("x", "", "")), Row(3, ("y", "", ""))]


# --- hidden sheets, merged cells, titles -------------------------------------------------------------------------


def hidden_xlsx(path: Path) -> Path:
    workbook = openpyxl.Workbook()
    for name, state in (("A", "visible"), ("B", "hidden"), ("C", "veryHidden")):
        sheet = workbook.create_sheet(name)
        sheet.append(["a"])
        sheet.sheet_state = state
    del workbook["Sheet"]
    workbook.save(path)
    return path


def hidden_xls(path: Path) -> Path:
    workbook = xlwt.Workbook()
    for name, visibility in (("A", 0), ("B", 1), ("C", 2)):
        sheet = workbook.add_sheet(name)
        sheet.write(0, 0, "a")
        sheet.visibility = visibility
    workbook.save(str(path))
    return path


@pytest.mark.parametrize(("write", "name"), [(hidden_xlsx, "a.xlsx"), (hidden_xls, "a.xls")], ids=["xlsx", "xls"])
def test_hidden_sheets_are_read_and_told(tmp_path: Path, write: object, name: str) -> None:
    """A hidden sheet is a table like any other, with a finding that says how well it is hidden."""
    assert callable(write)

    assert found_in(write(tmp_path / name)) == [
        (Code.HIDDEN_SHEET, 'the sheet "B" is hidden'),
        (Code.HIDDEN_SHEET, 'the sheet "C" is very hidden, only the VBA editor shows it'),
    ]


def merged_xlsx(path: Path, rows: list[list[object]], ranges: list[str]) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in rows:
        sheet.append(row)
    for each in ranges:
        sheet.merge_cells(each)
    workbook.save(path)
    return path


KNOWN = LoadOptions(known_columns=lambda cells: sum(cell in {"serial", "thumbprint", "issuer"} for cell in cells))


def test_a_header_of_two_rows_takes_the_upper_names(tmp_path: Path) -> None:
    """A header cell that is merged with one above has that one's text; the rest of the upper row is told as a title."""
    rows: list[list[object]] = [["issuer", "Certificate", None], [None, "serial", "thumbprint"], ["x", "1A", "2B"]]

    table = table_of(merged_xlsx(tmp_path / "a.xlsx", rows, ["A1:A2", "B1:C1"]), KNOWN)

    assert (table.header, table.header_row_number) == (("issuer", "serial", "thumbprint"), 2)
    assert [(each.code, each.value) for each in table.findings] == [
        (Code.MERGED_HEADER, "A1:A2"),
        (Code.TITLE_ROWS, "Certificate"),
    ]
    assert [row for chunk in table.chunks for row in chunk.rows] == [Row(3, ("x", "1A", "2B"))]


def test_a_header_merged_sideways_names_its_first_column(tmp_path: Path) -> None:
    """The columns that a merged header cell covers have no name, and the range is told."""
    table = table_of(merged_xlsx(tmp_path / "a.xlsx", [["serial", None, "issuer"], ["1", "2", "3"]], ["A1:B1"]))

    assert table.header == ("serial", "", "issuer")
    assert [(each.code, each.value) for each in table.findings] == [(Code.MERGED_HEADER, "A1:B1")]


def test_a_merged_title_does_not_matter(tmp_path: Path) -> None:
    """A title over several rows and columns is told as title rows and nothing else."""
    rows: list[list[object]] = [["Inventory", None], [None, None], ["serial", "issuer"], ["1A", "x"]]

    table = table_of(merged_xlsx(tmp_path / "a.xlsx", rows, ["A1:B2"]), KNOWN)

    assert (table.header, table.header_row_number) == (("serial", "issuer"), 3)
    assert [each.code for each in table.findings] == [Code.TITLE_ROWS]


def test_a_chosen_header_row_is_the_header(tmp_path: Path) -> None:
    """The row that was named is the header, and what stands above it needs no word."""
    table = table_of(save_xlsx(tmp_path / "a.xlsx", {"S": [["t"], [], ["a"], ["x"]]}), LoadOptions(header_row=3))

    assert (table.header, table.header_row_number, table.findings) == (("a",), 3, ())


def test_cells_covered_by_a_merged_range_are_marked(tmp_path: Path) -> None:
    """An empty cell of a merged range has the type MERGED, apart from the first cell, which has the value."""
    rows: list[list[object]] = [["a", "b"], ["x", "1"], [None, "2"], ["y", None]]

    assert rows_of(merged_xlsx(tmp_path / "a.xlsx", rows, ["A2:A3", "A4:B4"])) == [
        Row(2, ("x", "1")),
        Row(3, ("", "2"), ((0, CellType.MERGED),)),
        Row(4, ("y", ""), ((1, CellType.MERGED),)),
    ]


def test_cells_covered_by_a_merged_range_of_an_xls_are_marked(tmp_path: Path) -> None:
    """The merged ranges of an .xls count too, also when they lie right of an empty column."""
    sheet = (workbook := xlwt.Workbook()).add_sheet("S")
    for column, name in enumerate("ab", start=1):
        sheet.write(0, column, name)
    sheet.write_merge(1, 2, 1, 1, "x")
    sheet.write(1, 2, "1")
    sheet.write(2, 2, "2")
    workbook.save(str(tmp_path / "a.xls"))

    assert rows_of(tmp_path / "a.xls") == [Row(2, ("x", "1")), Row(3, ("", "2"), ((0, CellType.MERGED),))]


def test_cells_covered_by_a_merged_range_of_an_ods_are_marked(tmp_path: Path) -> None:
    """The spans of an .ods count, in the rows and in a header of two rows, also behind repeated cells."""
    first = '<table:table-cell table:number-columns-repeated="2"/>'
    below = f"{first}<table:covered-table-cell/>"
    spanned = ' table:number-rows-spanned="2"'
    rows = (
        ods_row(first + ods_cell("a", spanned) + ods_cell("b")),
        ods_row(below + ods_cell("c")),
        ods_row(first + ods_cell("x", spanned) + ods_cell("1")),
        ods_row(below + ods_cell("2")),
    )
    path = save_zip(tmp_path / "a.ods", ods_parts("".join(rows)))

    assert rows_of(path, LoadOptions(header_row=2)) == [
        Row(3, ("x", "1")),
        Row(4, ("", "2"), ((0, CellType.MERGED),)),
    ]
    assert table_of(path, LoadOptions(header_row=2)).header == ("a", "c")


def test_a_covered_formula_is_a_formula(tmp_path: Path) -> None:
    """A formula without a result in a merged range is told once, as what it is."""
    path = save_zip(
        tmp_path / "a.xlsx",
        xlsx_parts(sheet_xml(two(TRAPS["formula"][0]), '<mergeCells><mergeCell ref="A2:B2"/></mergeCells>')),
    )

    assert rows_of(path) == [Row(2, ("x", "", "z"), ((1, CellType.FORMULA),))]


def test_a_short_merged_range_does_not_end_a_long_one(tmp_path: Path) -> None:
    """Where two ranges overlap, a column is covered down to the end of the longer one."""
    rows = HEADER + "".join(f'<row r="{row}">' + text(f"C{row}", "z") + "</row>" for row in range(2, 6))
    ranges = '<mergeCells><mergeCell ref="A2:A5"/><mergeCell ref="A3:B3"/></mergeCells>'
    covered = ((0, CellType.MERGED),)

    assert rows_of(save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(rows, ranges)))) == [
        Row(2, ("", "", "z")),
        Row(3, ("", "", "z"), ((1, CellType.MERGED),)),
        Row(4, ("", "", "z"), covered),
        Row(5, ("", "", "z"), covered),
    ]


def test_errors_and_merged_cells_of_an_xlsb_are_told(tmp_path: Path) -> None:
    """The records of an .xlsb tell of error cells and merged ranges, which calamine does not show."""
    path = save_xlsb(tmp_path / "a.xlsb", [["a", "b"], ["x", "1"], [None, "2"], ["y"]])
    with zipfile.ZipFile(path) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.bin"
    sheet = parts[name]
    assert isinstance(sheet, bytes)
    end = sheet.index(b"\x92\x01\x00")  # the end of the sheet's data
    error = b"\x03\x09" + struct.pack("<IIB", 1, 0, 0x2A)
    error += b"\x00\x19" + struct.pack("<I", 4) + bytes(21)  # a row whose cell has a formula with an error
    error += b"\x0b\x13" + struct.pack("<IIBHII", 1, 0, 0x07, 0, 0, 0)
    merged = b"\xb1\x01\x04" + struct.pack("<I", 1) + b"\xb0\x01\x10" + struct.pack("<4I", 1, 2, 0, 0)
    merged += b"\xb2\x01\x00"
    parts[name] = sheet[:end] + error + b"\x92\x01\x00" + merged + sheet[end + 3 :]
    save_zip(path, parts)

    assert rows_of(path) == [
        Row(2, ("x", "1")),
        Row(3, ("", "2"), ((0, CellType.MERGED),)),
        Row(4, ("y", "#N/A"), ((1, CellType.ERROR),)),
        Row(5, ("", "#DIV/0!"), ((1, CellType.ERROR),)),
    ]


# --- dates -------------------------------------------------------------------------------------------------------

SERIALS = {1: "1900-01-01", 59: "1900-02-28", 60: "1900-02-28", 61: "1900-03-01", 46349: "2026-11-23"}


def serials_xlsx(path: Path, serials: list[float], *, since_1904: bool) -> Path:
    workbook = openpyxl.Workbook()
    if since_1904:
        workbook.epoch = CALENDAR_MAC_1904
    sheet = workbook.worksheets[0]
    sheet.append(["a"])
    for row, serial in enumerate(serials, start=2):
        sheet.cell(row, 1, serial).number_format = "yyyy-mm-dd hh:mm:ss"
    workbook.save(path)
    return path


def serials_xls(path: Path, serials: list[float], *, since_1904: bool) -> Path:
    workbook = xlwt.Workbook()
    workbook.dates_1904 = since_1904
    sheet = workbook.add_sheet("S")
    sheet.write(0, 0, "a")
    for row, serial in enumerate(serials, start=1):
        sheet.write(row, 0, serial, xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm:ss"))
    workbook.save(str(path))
    return path


@pytest.mark.parametrize("since_1904", [False, True])
@pytest.mark.parametrize("write", [serials_xlsx, serials_xls])
def test_dates_are_those_that_excel_shows(tmp_path: Path, write: object, since_1904: bool) -> None:
    """Serial dates of both systems come out as Excel shows them; 1900-02-29 never was, and comes as the day before."""
    assert callable(write)
    path = write(tmp_path / f"a.{write.__name__[8:]}", list(SERIALS), since_1904=since_1904)

    first = datetime.date(1904, 1, 1)
    shown = (
        [(first + datetime.timedelta(days=days)).isoformat() for days in SERIALS] if since_1904 else SERIALS.values()
    )
    assert [row.cells for row in rows_of(path)] == [(f"{day}T00:00:00",) for day in shown]


@given(st.integers(0, 24 * 60 * 60 * 40_000 - 1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_second_is_lost(tmp_path: Path, seconds: int) -> None:
    """Any second since 1901, as 15 digits of a serial date, is read as that second."""
    when = datetime.datetime(1901, 1, 1) + datetime.timedelta(seconds=seconds)  # noqa: DTZ001 - as above
    serial = float(f"{(when - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1):.15g}")  # noqa: DTZ001 - as above
    path = save_zip(
        tmp_path / "a.xlsx",
        xlsx_parts(
            sheet_xml('<row r="1">' + text("A1", "a") + f'</row><row r="2"><c r="A2" s="1"><v>{serial!r}</v></c></row>')
        )
        | {
            "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/>'
            "</cellXfs></styleSheet>",
        },
    )

    assert [row.cells[0] for row in rows_of(path)] == [when.isoformat()]


# --- hostile and broken ------------------------------------------------------------------------------------------


def refused(tmp_path: Path, parts: dict[str, str | bytes], ending: str = ".xlsx") -> str:
    return refusal_of(save_zip(tmp_path / f"a{ending}", parts))


def test_a_stray_cell_is_named(tmp_path: Path) -> None:
    """One cell at the far end of the sheet is refused by name before memory is asked for it."""
    rows = two("") + '<row r="1048576">' + number("XFD1048576", 1) + "</row>"

    assert refused(tmp_path, xlsx_parts(sheet_xml(rows))) == (
        'a.xlsx sheet "S" has a cell at XFD1048576 far from all others, so it spans 1,048,576 rows and 16,384 columns: '
        "delete that row and that column in Excel and save it, or save the sheet as CSV UTF-8."
    )


STRAY = {
    "far down": (["A1", "AN1", "AN7", "A1048576"], "A1048576", "1,048,576 rows and 40 columns"),
    "far right": (["A1", "XFD7", "A9", "B3000"], "XFD7", "3,000 rows and 16,384 columns"),
}


@pytest.mark.parametrize(("cells", "stray", "spans"), STRAY.values(), ids=STRAY)
def test_the_cell_that_is_far_from_all_others_is_named(
    tmp_path: Path, cells: list[str], stray: str, spans: str
) -> None:
    """The cell in the last row is named where the rows are to blame, that in the last column where the columns are."""
    rows = "".join(f'<row r="{"".join(filter(str.isdigit, cell))}">{number(cell, 1)}</row>' for cell in cells)

    assert f"has a cell at {stray} far from all others, so it spans {spans}:" in refused(
        tmp_path, xlsx_parts(sheet_xml(rows))
    )


@pytest.mark.parametrize(("cells", "stray", "spans"), STRAY.values(), ids=STRAY)
def test_the_cell_of_an_xlsb_that_is_far_from_all_others_is_named(
    tmp_path: Path, cells: list[str], stray: str, spans: str
) -> None:
    """The same cells are named in an .xlsb."""
    path = save_xlsb(tmp_path / "a.xlsb", [["a"]])
    with zipfile.ZipFile(path) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.bin"
    sheet = parts[name]
    assert isinstance(sheet, bytes)
    end = sheet.index(b"\x92\x01")
    records = b""
    for cell in cells[1:]:
        row, column = coordinate_to_tuple(cell)
        records += b"\x00\x19" + struct.pack("<I", row - 1) + bytes(21)
        records += b"\x05\x10" + struct.pack("<IId", column - 1, 0, 1.0)

    assert f"has a cell at {stray} far from all others, so it spans {spans}:" in refused(
        tmp_path, parts | {name: sheet[:end] + records + sheet[end:]}, ".xlsb"
    )


def test_far_cells_that_are_only_formatted_do_not_matter(tmp_path: Path) -> None:
    """Formats down to the last cell of the sheet hold nothing and are read past."""
    rows = two("") + '<row r="1048576"><c r="XFD1048576" s="0"/></row>'

    assert rows_of(save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(rows)))) == [Row(2, ("x", "", "z"))]


@pytest.mark.parametrize("reference", ["XFE1", "A1048577", "ZZZZZZ99999999999", "A0", "1A", "A4294967295"])
def test_cells_outside_of_any_sheet_are_refused(tmp_path: Path, reference: str) -> None:
    """A cell that no sheet can have is named."""
    assert refused(tmp_path, xlsx_parts(sheet_xml(f'<row r="1">{number(reference, 1)}</row>'))) == (
        f"a.xlsx cannot be read as a workbook (its part xl/worksheets/sheet1.xml has a cell {reference[:20]}, "
        f"outside of any sheet): {DAMAGED}"
    )


def test_a_million_columns_are_refused(tmp_path: Path) -> None:
    """A row with more cells than a sheet has columns is refused."""
    message = refused(tmp_path, xlsx_parts(sheet_xml("<row>" + "<c><v>1</v></c>" * 1_000_000 + "</row>")))

    assert message == (
        "a.xlsx cannot be read as a workbook (its part xl/worksheets/sheet1.xml has a row of 16,385 cells, "
        f"outside of any sheet): {DAMAGED}"
    )


def test_entities_are_refused(tmp_path: Path) -> None:
    """A sheet that declares entities, to grow them or to fetch files, is not read."""
    entities = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/hostname">]>'

    assert refused(tmp_path, xlsx_parts(entities + sheet_xml(two(text("B2", "&b;"))))) == (
        "a.xlsx is not read, its part xl/worksheets/sheet1.xml declares entities, which no spreadsheet program writes: "
        "take the workbook from a source you trust, or export it again."
    )


def test_a_bomb_is_refused_while_it_unpacks(tmp_path: Path) -> None:
    """A part that unpacks to hundreds of times its length is not unpacked to its end."""
    message = refused(tmp_path, xlsx_parts(sheet_xml(two(""))) | {"xl/sharedStrings.xml": b"<si/>" * 20_000_000})

    assert message.endswith("which no inventory needs, so it is not read: export it again, or save it as CSV UTF-8.")


def test_a_list_of_strings_that_claims_too_many_is_refused(tmp_path: Path) -> None:
    """A claimed number of strings that the part has no room for is refused before memory is reserved."""
    strings = f'<sst xmlns="{MAIN}" uniqueCount="4000000000"><si><t>a</t></si></sst>'

    assert refused(tmp_path, xlsx_parts(sheet_xml(two(""))) | {"xl/sharedStrings.xml": strings}) == (
        "a.xlsx cannot be read as a workbook (its part xl/sharedstrings.xml has 4,000,000,000 strings in "
        f"{len(strings)} bytes): {DAMAGED}"
    )


def test_deep_xml_is_read(tmp_path: Path) -> None:
    """A million elements within each other end in rows."""
    deep = "<!-- -->" + "<a>" * 1_000_000 + "</a>" * 1_000_000

    assert rows_of(save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(two(""), deep)))) == [Row(2, ("x", "", "z"))]


def test_utf_16_is_refused(tmp_path: Path) -> None:
    """A sheet in UTF-16, in which calamine finds no cell, is refused and not taken for an empty one."""
    xml = '<?xml version="1.0" encoding="utf-16"?>' + sheet_xml(two(""))

    assert refused(tmp_path, xlsx_parts(xml.encode("utf-16"))) == (
        "a.xlsx cannot be read, its part xl/worksheets/sheet1.xml is not in UTF-8: open it in Excel and save it again."
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_part_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Two parts of the same name would leave open which one is the sheet."""
    path = save_zip(tmp_path / "a.xlsx", xlsx_parts(sheet_xml(two(""))))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", sheet_xml(two("")))

    assert refusal_of(path) == (
        f"a.xlsx cannot be read as a workbook (it holds its part xl/worksheets/sheet1.xml twice): {DAMAGED}"
    )


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    """A sheet whose bytes changed after it was packed is refused."""
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in xlsx_parts(sheet_xml(two(""))).items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"<t>x</t>", b"<t>y</t>"))

    assert refusal_of(path) == (
        f"a.xlsx cannot be read as a workbook (its part xl/worksheets/sheet1.xml cannot be unpacked): {DAMAGED}"
    )


def test_a_missing_sheet_is_refused(tmp_path: Path) -> None:
    """A sheet that the workbook names and the file lacks is refused."""
    parts = xlsx_parts(sheet_xml(two("")), target="worksheets/sheet9.xml")

    assert refused(tmp_path, parts).endswith(DAMAGED)


EMPTY = '<table:table-cell table:number-columns-repeated="16382"/>'


def test_the_empty_rest_of_an_ods_is_read_past(tmp_path: Path) -> None:
    """Empty cells repeated up to the last column and the last row, as LibreOffice writes them, hold nothing."""
    rows = (
        ods_row(ods_cell("a") + ods_cell("b") + EMPTY)
        + ods_row(ods_cell("1") + ods_cell("2") + EMPTY)
        + ods_row(EMPTY, 1_048_574)
    )

    assert rows_of(save_zip(tmp_path / "a.ods", ods_parts(rows))) == [Row(2, ("1", "2"))]


REPEATS = (
    'a.ods sheet "S" repeats cells with content millions of times, down to row 1,000,000: '
    "delete these rows or columns and save it again, or save the sheet as CSV UTF-8."
)
HOSTILE_ODS = {
    "cells and rows": (
        ods_row(ods_cell("a", ' table:number-columns-repeated="10000"'), 1_000_000),
        (
            'a.ods sheet "S" has 1,000,000 rows and 10,000 columns, more than the 32,000,000 cells that a sheet may '
            "have here: split it, or save it as CSV UTF-8."
        ),
    ),
    "rows": (ods_row(ods_cell("a") * 5, 1_000_000), REPEATS),
    "blanks": (
        ods_row(ods_cell('<text:s text:c="1000000000"/>')),
        'a.ods sheet "S" has a cell of millions of blanks: delete them, or save the sheet as CSV UTF-8.',
    ),
    "stray": (
        ods_row(ods_cell("a")) + ods_row(EMPTY, 1_000_000) + ods_row(EMPTY + ods_cell("b")),
        (
            'a.ods sheet "S" has a cell at XFC1000002 far from all others, so it spans 1,000,002 rows and 16,383 '
            "columns: delete that row and that column in Excel and save it, or save the sheet as CSV UTF-8."
        ),
    ),
}


@pytest.mark.parametrize(("rows", "message"), HOSTILE_ODS.values(), ids=HOSTILE_ODS)
def test_an_ods_that_repeats_content_without_end_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    """Content that stands in the file only as a number of repetitions is refused before it is carried out."""
    assert refused(tmp_path, ods_parts(rows), ".ods") == message


def test_a_stray_cell_in_an_xlsb_is_named(tmp_path: Path) -> None:
    """The records of an .xlsb are walked before it is laid out."""
    path = save_xlsb(tmp_path / "a.xlsb", [["a"], ["b"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.bin"
    end = parts[name].index(b"\x92\x01")  # the end of the sheet's data
    far = b"\x00\x19" + struct.pack("<I", 1_048_575) + bytes(21)
    far += b"\x05\x10" + struct.pack("<IId", 16_383, 0, 1.0)
    parts[name] = parts[name][:end] + far + parts[name][end:]

    assert "has a cell at XFD1048576 far from all others" in refused(tmp_path, parts, ".xlsb")


def test_an_xls_that_claims_more_rows_than_there_can_be_is_refused(tmp_path: Path) -> None:
    """A claimed extent of billions of cells is refused before memory is reserved for it."""
    path = save_xls(tmp_path / "a.xls", [["a"], ["b"]])
    content = path.read_bytes()
    place = content.index(struct.pack("<HH", 0x200, 14)) + 4
    path.write_bytes(content[:place] + struct.pack("<IIHH", 0, 2**32 - 1, 0, 2**16 - 1) + content[place + 12 :])

    assert refusal_of(path) == (
        f"a.xls cannot be read as a workbook (it claims 4,294,967,295 rows and 65,535 columns): {DAMAGED}"
    )


def save_biff(path: Path, *records: tuple[int, bytes]) -> Path:
    """Write an .xls of these records (MS-XLS 2.1.4)."""
    XlsDoc().save(str(path), b"".join(biff(kind, content) for kind, content in records))
    return path


BEGIN = (0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0))


def test_an_xls_cell_right_of_the_last_column_is_refused(tmp_path: Path) -> None:
    """The last of several numbers in one record (MulRk) counts, whose column comes last."""
    several = (0xBD, struct.pack("<HH", 0, 254) + bytes(18) + struct.pack("<H", 256))

    assert refusal_of(save_biff(tmp_path / "a.xls", BEGIN, several)) == (
        f"a.xls cannot be read as a workbook (it has a cell in column 257, and an .xls has 256): {DAMAGED}"
    )


def test_an_xls_whose_sheets_span_too_much_together_is_refused(tmp_path: Path) -> None:
    """All sheets of an .xls are held at once, so what they span is added up."""
    near, far = ((0x203, struct.pack("<HHHd", *place, 0, 1.0)) for place in ((0, 0), (65_535, 255)))

    assert refusal_of(save_biff(tmp_path / "a.xls", BEGIN, far, BEGIN, near, BEGIN, far)) == (
        "a.xls has sheets that span 33,554,433 cells in all, more than the 32,000,000 that an .xls may have here: "
        "delete the cells far from all others, or save each sheet as CSV UTF-8."
    )


def test_an_xls_whose_sectors_run_in_a_circle_is_refused(tmp_path: Path) -> None:
    """A chain of sectors without an end is refused."""
    path = save_xls(tmp_path / "a.xls", [["a"], ["b"]])
    content = bytearray(path.read_bytes())
    (table,) = struct.unpack_from("<I", content, 76)
    struct.pack_into("<I", content, 512 + table * 512, 0)
    path.write_bytes(content)

    assert refusal_of(path) == f"a.xls cannot be read as a workbook (its sectors run in a circle): {DAMAGED}"


def test_an_xls_whose_extent_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    """An extent that runs backwards, of which calamine would reserve billions of rows, is refused."""
    path = save_xls(tmp_path / "a.xls", [["a"], ["b"]])
    content = path.read_bytes()
    place = content.index(struct.pack("<HH", 0x200, 14)) + 4
    path.write_bytes(content[:place] + struct.pack("<IIHH", 34, 2, 0, 1) + content[place + 12 :])

    assert refusal_of(path) == f"a.xls cannot be read as a workbook (it claims 2 rows and 1 columns): {DAMAGED}"


def test_an_xlsb_cell_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """A row without its number, for which calamine would take what it read before, is refused."""
    path = save_xlsb(tmp_path / "a.xlsb", [["a"], ["b"]])
    with zipfile.ZipFile(path) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.bin"
    sheet = parts[name]
    assert isinstance(sheet, bytes)
    end = sheet.index(b"\x92\x01")

    assert refused(tmp_path, parts | {name: sheet[:end] + bytes(2) + sheet[end:]}, ".xlsb") == (
        f"a.xlsb cannot be read as a workbook (its part {name} has a cell that is cut off): {DAMAGED}"
    )


def test_an_ods_without_the_end_of_its_table_is_refused(tmp_path: Path) -> None:
    """A table that does not end, for whose end calamine would wait for ever, is refused."""
    parts = ods_parts(ods_row(ods_cell("a")))
    content = str(parts["content.xml"]).replace("</table:table>", "</table:tablex>")

    assert refused(tmp_path, parts | {"content.xml": content}, ".ods") == (
        f"a.ods cannot be read as a workbook (the XML of its part content.xml is not well-formed): {DAMAGED}"
    )


# --- fuzz --------------------------------------------------------------------------------------------------------

SAMPLE: list[list[object]] = [["serial", "length", "when"], ["00012", 2048, WHEN], ["x", 1.5, None]]
WRITERS = {
    ".xlsx": lambda path: save_xlsx(path, {"S": SAMPLE}),
    ".xls": lambda path: save_xls(path, SAMPLE),
    ".xlsb": lambda path: save_xlsb(path, SAMPLE),
    ".ods": lambda path: save_ods(path, SAMPLE),
}


def mutated(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Return the content with bytes replaced: for each edit, where (0 to 1), how many go, what comes."""
    for place, gone, new in edits:
        start = int(place * len(content))
        content = content[:start] + new + content[start + gone :]
    return content


edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 8),
        st.one_of(
            st.binary(max_size=8), st.sampled_from([b"\xff\xff\xff\xff", bytes(4), b"99999999", b"<c>", b"&", b'"'])
        ),
    ),
    min_size=1,
    max_size=6,
)


def read_or_refused(path: Path) -> None:
    try:
        rows_of(path)
    except SourceError as exc:
        assert str(path) in str(exc)  # noqa: PT017 - one of two good ends


@pytest.mark.parametrize("ending", WRITERS)
@given(edits=edits)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damaged_workbook_ends_in_rows_or_one_sentence(
    tmp_path: Path, ending: str, edits: list[tuple[float, int, bytes]]
) -> None:
    """Bytes that were flipped, cut or inserted never end in a stack trace."""
    path = WRITERS[ending](tmp_path / f"a{ending}")
    path.write_bytes(mutated(path.read_bytes(), edits))

    read_or_refused(path)


@pytest.mark.parametrize("ending", [".xlsx", ".xlsb", ".ods"])
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damaged_part_ends_in_rows_or_one_sentence(tmp_path: Path, ending: str, data: st.DataObject) -> None:
    """A part that was changed before it was packed never ends in a stack trace."""
    path = WRITERS[ending](tmp_path / f"a{ending}")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from(sorted(parts)))
    save_zip(path, parts | {name: mutated(parts[name], data.draw(edits))})

    read_or_refused(path)


@pytest.mark.parametrize("ending", WRITERS)
@given(
    content=st.binary(min_size=1, max_size=2000),
    magic=st.sampled_from([b"", b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_in_rows_or_one_sentence(tmp_path: Path, ending: str, content: bytes, magic: bytes) -> None:
    """Bytes that never were a workbook are refused in one sentence."""
    path = tmp_path / f"a{ending}"
    path.write_bytes(magic + content)

    read_or_refused(path)
