"""errors.xlsx: each cell comes back as it was read, marks stand where they belong, and it can be imported."""

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_cases import Site, devices, totals_of
from openpyxl import load_workbook
from openpyxl.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet
from test_security_injection import HOSTILE, HOSTILE_HEADERS

from pipeline.findings import Code, Finding, finding
from pipeline.ledger import placed_findings, report_rows, source_infos
from pipeline.load import LoadOptions, open_tables
from pipeline.model import CAUSES_HEADER, CUT_MARK, Answer, ReportRow, SourceInfo, State
from pipeline.report import causes_of_findings
from pipeline.report.causes import HINTS
from pipeline.report.import_columns import IMPORT_HEADER
from pipeline.report.input_rows import told_rows
from pipeline.report.workbook import input_workbook, write_workbook
from pipeline.report.workbook.marks import MOST_COMMENTS
from pipeline.report.workbook.texts import cell_value, sheet_name

BAD_DATE = finding(Code.NOT_A_DATE_TIME, "this is no date", column="Expires", value="soon", hint="write a date")
ODD_LENGTH = finding(Code.KEY_LENGTH_UNUSUAL, "4 bits", column="Length", value="4", hint="check it")
NO_COLUMN = finding(Code.MISSING_VALUE, "no value", column="serverUrl", hint="fill it")
NO_IDENTITY = finding(Code.NO_IDENTITY, "no thumbprint", hint="fill the thumbprint")

RED, YELLOW, NONE = "FFFFC7CE", "FFFFEB9C", "00000000"
AWKWARD = (
    " lead", "trail ", "   ", "\t", "\n", "\r", "\r\n", "\u00a0", "\u00a0 ", "a\r\nb", "\ttab\t", "\x00", "\x0b\x1f",
    "_x0041_", "_x005F_x0041_", "_x005F_", "_x0041\r", "_x000d_", "_xFFFE_", "_xFFFE\uffff", "_x005F_xFFFF_",
    "\ufffe\uffff", "_xDC00__xD800_", "_xD83D__xDE00_", "\U0001f600", "\u2028\x85", "#N/A", "TRUE", "007",
    "1E5", "2026-11-23", "=1+1", "''=1", "'", "\x7f",
)  # fmt: skip


def source(pk: int, file: str, header: Sequence[str], sheet: str | None = None) -> SourceInfo:
    return SourceInfo(pk, file, sheet, "sha", "utf-8", ",", tuple(header), 9, 0, ("",) * len(header))


def row(
    number: int, cells: Sequence[str], *findings: Finding, pk: int = 1, state: State = State.INVALID, message: str = ""
) -> ReportRow:
    answer = Answer(400, "", "BadRequest", message) if message else Answer()
    return ReportRow(pk, number, state, "", tuple(cells), None, findings, 0, answer)


def write(path: Path, rows: Sequence[ReportRow], *sources: SourceInfo, sheet_rows: int = 1_048_576) -> Path:
    """Write the rows as errors.xlsx with the causes of their findings."""
    by_pk = {each.pk: each for each in sources}
    causes = causes_of_findings(
        ((each.source_pk, each.row_number, found) for each in rows for found in each.findings), by_pk
    )
    write_workbook(path, lambda: rows, by_pk, causes, run_id="run-1", sheet_rows=sheet_rows)
    return path


def sheet_of(path: Path, name: str) -> Worksheet:
    sheet = load_workbook(path)[name]
    assert isinstance(sheet, Worksheet)
    return sheet


def read(path: Path, sheet: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the sheet's own header and rows, without the `_import_*` columns, as a run reads them."""
    (table,) = open_tables(path, LoadOptions(sheets=(sheet,)))
    width = len(table.header) - len(IMPORT_HEADER)
    assert table.header[width:] == IMPORT_HEADER
    rows = [each for chunk in table.chunks for each in chunk.rows]
    assert {kind for each in rows for _, kind in each.not_text} == set()
    return table.header[:width], [each.cells[:width] for each in rows]


def correct(path: Path, name: str, **values: str) -> None:
    """Write the values into the columns of the sheet, as somebody does in a spreadsheet."""
    book = load_workbook(path)
    for column, value in values.items():
        (place,) = [cell.column for cell in book[name][1] if cell.value == column]
        for line in range(2, book[name].max_row + 1):
            book[name].cell(line, place).value = value
    book.save(path)


def through_libreoffice(folder: Path, *paths: Path) -> list[Path]:
    """Return the workbooks as LibreOffice saves them into the folder."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("LibreOffice (soffice) is not installed")
    profile = f"-env:UserInstallation={(folder.parent / 'profile').as_uri()}"
    command = [
        program,
        profile,
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
        folder,
        *paths,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return [folder / path.name for path in paths]


def looks(cells: Iterable[Cell]) -> list[tuple[str, str, str]]:
    """Return (coordinate, colour, comment) of the cells that are coloured or have a comment."""
    seen = [(each.coordinate, each.fill.fgColor.rgb, each.comment.text if each.comment else "") for each in cells]
    return [each for each in seen if each[1:] != (NONE, "")]


def test_each_cell_comes_back_as_it_was_read(tmp_path: Path) -> None:
    """Blanks, line breaks, control characters, formulas and texts that look like Excel's escapes, cell by cell."""
    texts = [*AWKWARD, *(each for each in HOSTILE if len(each) < 1000)]
    header = ("Device", *HOSTILE_HEADERS, "Text")
    rows = [row(number, (str(number), *[each] * len(HOSTILE_HEADERS), each)) for number, each in enumerate(texts, 2)]

    back = read(write(tmp_path / "e.xlsx", rows, source(1, "f.csv", header)), "f")

    assert back[0] == header
    assert [(cells, each.cells) for cells, each in zip(back[1], rows, strict=True) if cells != each.cells] == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(st.characters() | st.sampled_from("_x0041FDE5 \r\n'=;"), min_size=1), min_size=1, max_size=30))
def test_any_text_comes_back_as_it_was_read(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Whatever characters a cell holds."""
    path = tmp_path_factory.mktemp("any") / "errors.xlsx"
    rows = [row(number, ("x", each)) for number, each in enumerate(texts, 2)]
    write(path, rows, source(1, "f.csv", ("Device", "Text")))

    assert [cells for _, cells in read(path, "f")[1]] == texts


def test_every_cell_is_text(tmp_path: Path) -> None:
    """Also what a spreadsheet would take for a number, a date or a formula; so are empty cells and the header."""
    cells = ("0012", "1E5", "2026-11-23", "=1+1", "")
    path = write(tmp_path / "e.xlsx", [row(2, cells)], source(1, "f.csv", tuple("abcde")))
    book = load_workbook(path)

    kinds = {
        (cell.data_type, cell.number_format)
        for sheet in book
        for line in sheet.iter_rows()
        for cell in line
        if cell.value
    }
    assert kinds == {("s", "@")}
    assert {cell.number_format for sheet in book for line in sheet.iter_rows() for cell in line} == {"@"}
    assert b"<f>" not in b"".join(zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist())


def test_bad_cells_are_coloured_and_commented(tmp_path: Path) -> None:
    """Red for errors, yellow for warnings, the worse one where a cell has both; a column that is not there has none."""
    both = ODD_LENGTH._replace(column="Expires")
    path = write(
        tmp_path / "e.xlsx",
        [row(2, ("A", "soon", "4"), BAD_DATE, ODD_LENGTH, both), row(3, ("B", "soon", "2048"), NO_COLUMN)],
        source(1, "f.csv", ("Device", "Expires", "Length")),
    )
    lines = list(sheet_of(path, "f").iter_rows(min_row=2))
    message_at = 3 + IMPORT_HEADER.index("_import_message")

    assert looks(lines[0]) == [
        ("B2", RED, "error: this is no date\nwrite a date\n\nwarning: 4 bits\ncheck it"),
        ("C2", YELLOW, "warning: 4 bits\ncheck it"),
        (lines[0][message_at].coordinate, RED, ""),
    ]
    assert looks(lines[1]) == [(lines[1][message_at].coordinate, RED, "")]
    assert lines[0][1].comment is not None
    assert lines[0][1].comment.author == "certstate"


def test_what_is_said_of_a_whole_row_stands_in_its_first_cell(tmp_path: Path) -> None:
    """A row without identity, and one that the service refused: there a reader looks first."""
    rows = [
        row(2, ("A",), NO_IDENTITY),
        row(3, ("B",), state=State.REJECTED, message="bad \x1b[31mrequest"),
    ]
    first = [
        line[0]
        for line in sheet_of(write(tmp_path / "e.xlsx", rows, source(1, "f.csv", ("Device",))), "f").iter_rows(
            min_row=2
        )
    ]

    assert looks(first) == [
        ("A2", RED, "The whole row: error: no thumbprint\nfill the thumbprint"),
        (
            "A3",
            RED,
            f"The whole row: rejected 400 BadRequest\nbad _x001B_[31mrequest\n{HINTS[State.REJECTED]}",
        ),
    ]


def test_each_source_has_its_sheet_with_its_own_columns(tmp_path: Path) -> None:
    """Named after the sheet or the file, as Excel allows names; an earlier report's own columns are written anew."""
    path = write(
        tmp_path / "e.xlsx",
        [row(2, ("1", "old"), pk=1), row(2, ("2",), pk=2), row(2, ("3",), pk=3), row(2, ("4", "more"), pk=4)],
        source(1, "in/a.csv", ("Device", "_import_code")),
        source(2, "in/b.xlsx", ("Name",), "Q1/Q2 [all]"),
        source(3, "in/c.csv", ("Serial",)),
        source(4, "old/A.CSV", ("Device",)),
        source(5, "unused.csv", ("Device",)),
    )
    book = load_workbook(path)

    assert book.sheetnames == ["a", "Q1 Q2 all b", "c", "A (2)", "causes"]
    own = len(IMPORT_HEADER)
    assert [[cell.value for cell in book[name][1]][:-own] for name in book.sheetnames[:-1]] == [
        ["Device"],
        ["Name"],
        ["Serial"],
        ["Device", None],
    ]
    assert [book["A (2)"].cell(2, column).value for column in (1, 2)] == ["4", "more"]


def test_a_long_table_goes_on_in_a_further_sheet(tmp_path: Path) -> None:
    """Excel's sheets end; the rows do not."""
    rows = [row(number, (str(number),)) for number in range(2, 8)]
    path = write(tmp_path / "e.xlsx", rows, source(1, "f.csv", ("Device",)), sheet_rows=3)
    names = load_workbook(path).sheetnames

    assert names == ["f", "f (2)", "f (3)", "causes"]
    assert [cells for name in names[:-1] for cells in read(path, name)[1]] == [each.cells for each in rows]


def test_a_sheet_is_laid_out_to_be_read(tmp_path: Path) -> None:
    """The header stays in sight, columns can be filtered and are as wide as their texts, within reason."""
    path = write(tmp_path / "e.xlsx", [row(2, ("A" * 30, "x" * 500))], source(1, "f.csv", ("Device", "Note")))
    sheet = sheet_of(path, "f")

    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:R2")
    assert [sheet.column_dimensions[letter].width for letter in "AB"] == [32, 60]
    assert sheet["A1"].font.b


def test_the_rows_stand_in_the_frame_that_openpyxl_gives_a_sheet(tmp_path: Path) -> None:
    """The rows are written without openpyxl; all around them is as it writes it, the comments' reference too."""
    rows = [row(2, ("A", "soon"), BAD_DATE)]
    path = write(tmp_path / "e.xlsx", rows, source(1, "f.csv", ("Device", "Expires")))
    load_workbook(path).save(tmp_path / "again.xlsx")
    frames, relations = [], []
    for each in (path, tmp_path / "again.xlsx"):
        with zipfile.ZipFile(each) as package:
            text = package.read("xl/worksheets/sheet1.xml").decode()
            relations.append(
                set(re.findall('Id="([^"]*)"', package.read("xl/worksheets/_rels/sheet1.xml.rels").decode()))
            )
        frames.append(re.sub("<dimension[^>]*>|(?s:<sheetData>.*</sheetData>)| (?=/>)", "", text))

    assert re.findall(r"<(\w+)", frames[0]) == re.findall(r"<(\w+)", frames[1])
    assert re.findall('r:id="([^"]*)"', frames[0]) == ["anysvml"]
    assert relations[0] == {"anysvml", "comments"}


def test_rows_of_a_source_that_come_apart_stand_in_sheets_of_their_own(tmp_path: Path) -> None:
    """They never do, as files are read one after the other; but none would be lost."""
    rows = [row(number, (str(number),), pk=pk) for number, pk in ((2, 1), (3, 2), (4, 1))]
    path = write(tmp_path / "e.xlsx", rows, source(1, "a.csv", ("Device",)), source(2, "b.csv", ("Device",)))

    assert load_workbook(path).sheetnames == ["a", "b", "a (2)", "causes"]
    assert [read(path, name)[1] for name in ("a", "b", "a (2)")] == [[("2",)], [("3",)], [("4",)]]


def test_half_a_workbook_is_thrown_away(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a sheet leaves the earlier one, and is what ends the program."""
    path = tmp_path / "errors.xlsx"
    path.write_text("old")

    def interrupted() -> Iterator[ReportRow]:
        yield row(2, ("A",))
        raise KeyboardInterrupt

    def write_half() -> None:
        by_pk = {1: source(1, "f.csv", ("Device",))}
        with input_workbook(path, {}, by_pk, []) as write_row:
            for told in told_rows(interrupted(), by_pk, run_id="run-1"):
                write_row(told)

    with pytest.raises(KeyboardInterrupt):
        write_half()

    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("old", ["errors.xlsx"])


def test_the_causes_stand_in_the_last_sheet(tmp_path: Path) -> None:
    """One line for each, with the header by which a reader, and `import`, knows it, and how to use the file below."""
    rows = [row(number, ("A", "soon"), BAD_DATE) for number in (2, 3, 9)]
    path = write(tmp_path / "e.xlsx", rows, source(1, "f.csv", ("Device", "Expires")))
    lines = [[cell.value or "" for cell in line] for line in load_workbook(path)["causes"].iter_rows()]

    assert lines[0] == list(CAUSES_HEADER)
    assert lines[1] == [
        "not-a-date-time", "error", "Expires", "3", "rows 2-3, 9", "row 2: soon",
        "the value is no date and time that the API accepts", "write a date", "",
    ]  # fmt: skip
    assert {line[0] for line in lines[2:]} == {"about this file"}


def test_only_so_many_cells_have_a_comment(tmp_path: Path) -> None:
    """Excel becomes slow with many; all are coloured, and the causes sheet says so."""
    rows = [row(number, ("A", "soon"), BAD_DATE) for number in range(2, MOST_COMMENTS + 5)]
    book = load_workbook(write(tmp_path / "e.xlsx", rows, source(1, "f.csv", ("Device", "Expires"))))
    cells = [line[1] for line in book["f"].iter_rows(min_row=2)]
    notes = [line[6].value for line in book["causes"].iter_rows() if line[0].value == "about this file"]

    assert sum(cell.comment is not None for cell in cells) == MOST_COMMENTS
    assert {cell.fill.fgColor.rgb for cell in cells} == {RED}
    assert f"the first {MOST_COMMENTS:,} marked cells" in str(notes[-1])


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "\U0001f600" * 17_000, "\r" * 30_000, "'=" * 20_000, "_x000D_" * 6000]
)
def test_what_is_too_long_for_a_cell_is_cut_with_a_mark(tmp_path: Path, text: str) -> None:
    """Excel would cut it without a word, or refuse the file."""
    path = write(tmp_path / "e.xlsx", [row(2, ("A", text))], source(1, "f.csv", ("Device", "Text")))
    ((_, cell),) = read(path, "f")[1]

    assert cell.endswith(CUT_MARK)
    assert text.startswith(cell.removesuffix(CUT_MARK))
    assert max(len(cell_value(each)) for each in (text, cell)) <= 32_767


@pytest.mark.parametrize(
    ("wanted", "taken", "name"),
    [
        ("Devices", (), "Devices"),
        ("a:b\\c/d?e*f[g]", (), "a b c d e f g"),
        ("'quoted'", (), "quoted"),
        ("History", (), "History (2)"),
        ("CAUSES", ("causes",), "CAUSES (2)"),
        ("x" * 40, ("x" * 31,), "x" * 27 + " (2)"),
        ("\U0001f600" * 20, (), "\U0001f600" * 15),
        ("\x00\x1f", (), "rows"),
        ("", (), "rows"),
    ],
)
def test_names_of_sheets_are_those_that_excel_allows(wanted: str, taken: tuple[str, ...], name: str) -> None:
    """31 characters, no forbidden sign, none twice in any letter case."""
    assert sheet_name(wanted, taken) == name


def test_a_corrected_workbook_is_a_valid_input(tmp_path: Path) -> None:
    """What was wrong in a cell is corrected in errors.xlsx, and the rows pass."""
    site = Site(tmp_path)
    path = tmp_path / "errors.xlsx"
    rows = devices(3, certificateExpirationDateTime="soon") + devices(2, first=7)
    with site.planned("http://127.0.0.1:9/beta", rows) as (ledger, run_id):
        sources = {each.pk: each for each in source_infos(ledger, run_id)}
        causes = causes_of_findings(placed_findings(ledger, run_id), sources)
        write_workbook(path, lambda: report_rows(ledger, run_id, [State.INVALID]), sources, causes, run_id=run_id)
    as_written = site.validated(path, load=LoadOptions(sheets=("planned",)))
    correct(path, "planned", certificateExpirationDateTime="2027-11-23T08:49:13Z")
    corrected = site.validated(path, load=LoadOptions(sheets=("planned",)))

    assert totals_of(as_written) == {"invalid": 3}
    assert totals_of(corrected) == {"valid": 3}


def test_libreoffice_sees_texts_colours_and_comments(tmp_path: Path) -> None:
    """A spreadsheet program opens the workbook and saves it again: each cell, mark and comment is still there."""
    texts = ("0012", "=1+1", "a\nb", " lead", "   ", "_x0041_", "1E5", "2026-11-23", "\x07", "\U0001f600")
    rows = [row(number, (each, "soon"), BAD_DATE) for number, each in enumerate(texts, 2)]
    path = write(tmp_path / "e.xlsx", rows, source(1, "f.csv", ("Device", "Expires")))
    (saved,) = through_libreoffice(tmp_path / "again", path)

    assert [cells for cells, _ in read(saved, "f")[1]] == list(texts)
    assert looks(sheet_of(saved, "f")["B"]) == [
        ("B1", "FFD9E1F2", ""),
        *((f"B{number}", RED, "error: this is no date\nwrite a date") for number in range(2, 2 + len(texts))),
    ]
