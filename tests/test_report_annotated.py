"""The annotated copy: it holds all that the user's own workbook holds, or there is none, with the reason."""

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from excel_cases import (
    HEADER,
    LABEL,
    ROWS,
    SHEET_TAIL,
    STRINGS,
    STYLES,
    WORKBOOK,
    cell,
    save_excel,
    strings,
    worksheet,
)
from openpyxl import Workbook, load_workbook
from test_report_workbook import RED, YELLOW, looks, through_libreoffice

from pipeline.findings import Code, Finding, change, finding
from pipeline.load import LoadOptions, open_tables
from pipeline.model import CAUSES_HEADER, Answer, ReportRow, SourceInfo, State
from pipeline.report import causes_of_findings
from pipeline.report.workbook import annotate

BLUE = "FFDDEBF7"
BAD_DATE = finding(Code.NOT_A_DATE_TIME, "this is no date", column=HEADER[1], value="soon", hint="write a date")
ODD_LENGTH = finding(Code.KEY_LENGTH_UNUSUAL, "4 bits", column=HEADER[2], value="4", hint="check it")
REPAIRED = change(Code.HEX_FORM, "  4A 01 ", "4A01", column=HEADER[3])
NO_COLUMN = finding(Code.MISSING_VALUE, "no value", column="serverUrl", hint="fill it")
NO_VALUE = finding(Code.MISSING_VALUE, "no value", column=HEADER[3], hint="fill it")


def read(path: Path, header_row: int | None = None) -> list[tuple[SourceInfo, dict[int, tuple[str, ...]]]]:
    """Return the sheets as a run reads them, with their rows by number."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = []
    for pk, table in enumerate(open_tables(path, LoadOptions(header_row=header_row)), start=1):
        rows = {each.row_number: each.cells for chunk in table.chunks for each in chunk.rows}
        source = SourceInfo(pk, path.name, table.sheet, digest, "", "", table.header, len(rows), 0, table.header)
        found.append((source, rows))
    return found


def copied(path: Path, findings: dict[int, Sequence[Finding]], copy: Path | None = None) -> str:
    """Annotate the rows of the first sheet; return the reason why there is no copy."""
    source, cells = read(path)[0]
    rows = [
        ReportRow(1, number, State.INVALID, "", cells[number], None, tuple(found), 0, Answer())
        for number, found in findings.items()
    ]
    placed = ((1, row.row_number, found) for row in rows for found in row.findings)
    return annotate(path, copy or path.with_name("copy.xlsx"), [source], rows, causes_of_findings(placed, {1: source}))


def test_a_workbook_of_excel_is_annotated(tmp_path: Path) -> None:
    """Red, yellow and blue cells with comments, an empty place too; the causes stand in a sheet at the end."""
    path = save_excel(tmp_path / "devices.xlsx")
    before = path.read_bytes()

    assert copied(path, {2: [REPAIRED, NO_COLUMN], 3: [BAD_DATE, ODD_LENGTH, NO_VALUE]}) == ""
    book = load_workbook(tmp_path / "copy.xlsx")
    assert book.sheetnames == ["Devices", "causes"]
    assert looks(each for line in book["Devices"].iter_rows(min_row=2) for each in line) == [
        ("A2", RED, "error: no value\nfill it"),
        ("D2", BLUE, "changed (hex-form):   4A 01  -> 4A01"),
        ("B3", RED, "error: this is no date\nwrite a date"),
        ("C3", YELLOW, "warning: 4 bits\ncheck it"),
        ("D3", RED, "error: no value\nfill it"),
    ]
    assert tuple(each.value for each in book["causes"][1]) == CAUSES_HEADER
    assert path.read_bytes() == before


def test_the_copy_holds_what_the_original_holds(tmp_path: Path) -> None:
    """Each digit of each number, dates, blanks, styles, the label and all around the cells, as the file spells it."""
    path = save_excel(tmp_path / "devices.xlsx")
    assert copied(path, {3: [BAD_DATE]}) == ""
    copy = tmp_path / "copy.xlsx"
    with zipfile.ZipFile(copy) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        label = archive.read("docProps/custom.xml").decode()
        theme = archive.read("xl/theme/theme1.xml")

    assert read(copy)[0][0].header == read(path)[0][0].header
    assert read(copy)[0][1] == read(path)[0][1]
    assert "<v>46349.367511574077</v>" in sheet
    assert "<v>0.30000000000000004</v>" in sheet
    assert '<pane ySplit="1" topLeftCell="A2"' in sheet
    assert "MSIP_Label_1_Enabled" in label
    assert theme == zipfile.ZipFile(path).read("xl/theme/theme1.xml")
    again = load_workbook(copy)["Devices"]
    assert (again["B2"].number_format, again["A1"].font.b, again["A1"].alignment.wrap_text) == (
        "yyyy\\-mm\\-dd\\ hh:mm:ss",
        True,
        True,
    )
    assert (again.auto_filter.ref, again.row_dimensions[3].hidden, again["A2"].hyperlink.target) == (
        "A1:D3",
        True,
        "mailto:erika@contoso.com",
    )


LINKED_ROWS = ROWS.replace('<c r="C2"', '<c r="C2" vm="1"')
ESCAPED = strings((*STRINGS[:-1], "_x005F_x0041_"))
NEW_IN_WORKBOOK = WORKBOOK.replace("<calcPr", "<new/><calcPr")
NEW_IN_STYLES = STYLES.replace("<colors>", "<new/><colors>")
FORMULA_ROWS = ROWS.replace(cell("C2", "2048"), '<c r="C2"><f>2*1024</f><v>2048</v></c>')
RICH = strings().replace("<si><t>soon</t></si>", "<si><r><t>so</t></r><r><rPr><b/></rPr><t>on</t></r></si>")
PHONETIC = strings().replace("<si><t>soon</t></si>", '<si><t>soon</t><rPh sb="0" eb="1"><t>s</t></rPh></si>')
X14 = '<extLst><ext uri="{78C0D931-6437-407d-A8EE-F0AAD7539E65}"><x14:conditionalFormattings/></ext></extLst>'
SPARKLINES = '<extLst><ext uri="{05C60535-1F16-4fd2-B633-F4F36F0B64E0}"/></extLst>'
UNKNOWN = '<extLst><ext uri="{00000000-1F16-4fd2-B633-F4F36F0B64E0}"/></extLst>'
SHEET1 = "xl/worksheets/sheet1.xml"
ICONS = (
    '<conditionalFormatting sqref="D2:D3"><cfRule type="iconSet" priority="2"><iconSet><cfvo type="percent" val="0"/>'
    '<cfvo type="percent" val="33"/><cfvo type="percent" val="67"/></iconSet></cfRule></conditionalFormatting>'
)
ICONS_FIRST = SHEET_TAIL.replace("<conditionalFormatting ", f"{ICONS}<conditionalFormatting ")
DRAWING = '<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing">{}</xdr:wsDr>'


STRINGS_PART, STYLES_PART = "xl/sharedStrings.xml", "xl/styles.xml"


@pytest.mark.parametrize(
    ("part", "content", "what"),
    [
        (SHEET1, worksheet(FORMULA_ROWS), "sheet Devices has formulas (C2)"),
        (SHEET1, worksheet(tail=SHEET_TAIL + X14), "sheet Devices has conditional formats of newer versions"),
        (SHEET1, worksheet(tail=ICONS_FIRST), "sheet Devices has icon sets"),
        (SHEET1, worksheet(tail=SHEET_TAIL + SPARKLINES), "sheet Devices has sparklines"),
        (SHEET1, worksheet(tail=SHEET_TAIL + UNKNOWN), "sheet Devices has an extension that is not known here"),
        (SHEET1, worksheet(tail=SHEET_TAIL + '<legacyDrawing r:id="rId9"/>'), "sheet Devices has comments or controls"),
        (SHEET1, worksheet(tail="<protectedRanges/>" + SHEET_TAIL), "sheet Devices has protected ranges"),
        (SHEET1, worksheet(tail=SHEET_TAIL + "<new/>"), "sheet Devices has something that is not known here (new)"),
        (SHEET1, worksheet(LINKED_ROWS), "sheet Devices has linked data types (C2)"),
        (STRINGS_PART, RICH, "it has rich text in cells"),
        (STRINGS_PART, PHONETIC, "it has phonetic guides in cells"),
        (STRINGS_PART, ESCAPED, "it has texts that look like Excel's escapes, such as _x000D_"),
        ("xl/vbaProject.bin", b"macros", "it has macros"),
        ("xl/charts/chart1.xml", "<c/>", "it has charts"),
        ("xl/drawings/drawing1.xml", DRAWING.format("<a/>"), "it has drawings"),
        ("xl/media/image1.png", b"picture", "it has pictures"),
        ("xl/pivotTables/pivotTable1.xml", "<p/>", "it has pivot tables"),
        ("xl/slicers/slicer1.xml", "<p/>", "it has slicers"),
        ("xl/externalLinks/externalLink1.xml", "<e/>", "it has links to other workbooks"),
        ("xl/connections.xml", "<e/>", "it has connections to other data"),
        ("xl/comments1.xml", "<e/>", "it has comments"),
        ("xl/threadedComments/threadedComment1.xml", "<e/>", "it has threaded comments"),
        ("xl/activeX/activeX1.bin", b"control", "it has controls or embedded objects"),
        ("customXml/item1.xml", "<e/>", "it has custom XML"),
        ("docMetadata/LabelInfo.xml", "<e/>", "it has a sensitivity label"),
        ("_xmlsignatures/sig1.xml", "<e/>", "it has a digital signature"),
        ("xl/new.xml", "<e/>", "it has a part that is not known here (xl/new.xml)"),
        ("xl/workbook.xml", NEW_IN_WORKBOOK, "it has something that is not known here (new)"),
        (STYLES_PART, NEW_IN_STYLES, "its styles have something that is not known here (new)"),
    ],
)  # fmt: skip
def test_there_is_no_copy_of_what_openpyxl_would_lose(tmp_path: Path, part: str, content: str, what: str) -> None:
    """The reason names what was found and where; nothing is written."""
    path = save_excel(tmp_path / "devices.xlsx", **{part: content})

    assert copied(path, {2: [REPAIRED]}) == f"{what}, which a copy would lose"
    assert not (tmp_path / "copy.xlsx").exists()


@pytest.mark.parametrize(
    ("part", "content", "what"),
    [
        (SHEET1, worksheet(ROWS.replace('<row r="2"', '<row r="2" ph="1"')), "row 2 of sheet Devices"),
        (SHEET1, worksheet(ROWS.replace("0.30000000000000004", "0.3000000000000000004")), ""),
        (STRINGS_PART, strings().replace("PHONE-2", "PHONE-2 "), "cell A3 of sheet Devices"),
        ("docProps/custom.xml", LABEL.replace("lpwstr", "blob"), "the custom properties, such as a sensitivity label"),
    ],
)
def test_what_openpyxl_drops_without_a_word_is_found(tmp_path: Path, part: str, content: str, what: str) -> None:
    """Where it was thought to keep something and does not, the comparison with the original tells."""
    path = save_excel(tmp_path / "devices.xlsx", **{part: content})

    reason = copied(path, {2: [REPAIRED]})
    assert reason == (f"a copy would change {what}" if what else "")
    assert (tmp_path / "copy.xlsx").exists() is not bool(what)


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("xl/persons/person.xml", '<personList xmlns="http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"/>'),
        ("xl/drawings/drawing1.xml", DRAWING.format("")),
        ("xl/calcChain.xml", "<calcChain/>"),
    ],
)  # fmt: skip
def test_parts_that_hold_nothing_keep_no_copy_from_being_made(tmp_path: Path, name: str, harmless: str) -> None:
    """Excel and LibreOffice write them into plain workbooks."""
    assert copied(save_excel(tmp_path / "devices.xlsx", **{name: harmless}), {2: [REPAIRED]}) == ""


def test_a_workbook_without_properties_of_its_own_is_annotated(tmp_path: Path) -> None:
    """Other programs than Excel leave workbookPr out; dates then count from 1900, as in the copy."""
    plain = WORKBOOK.replace('<workbookPr filterPrivacy="1" defaultThemeVersion="202300"/>', "")
    path = save_excel(tmp_path / "devices.xlsx", **{"xl/workbook.xml": plain})

    assert "<workbookPr" not in plain
    assert copied(path, {2: [REPAIRED]}) == ""


def test_a_workbook_that_is_not_what_the_run_read_has_no_copy(tmp_path: Path) -> None:
    """It was changed, it is gone, it is of another kind, or it is too large."""
    path = save_excel(tmp_path / "devices.xlsx")
    (source, _), copy = read(path)[0], tmp_path / "copy.xlsx"
    reasons = [
        annotate(path, copy, [source._replace(sha256="0" * 64)], [], []),
        annotate(tmp_path / "gone.xlsx", copy, [source], [], []),
        annotate(tmp_path / "devices.xls", copy, [source], [], []),
        annotate(path, copy, [source._replace(rows_read=12_000), source._replace(rows_read=12_000)], [], []),
        annotate(path, copy, [source._replace(header=("Another", "header"))], [], []),
    ]

    assert reasons == [
        "the file was changed since the run read it",
        "the file cannot be read any more (No such file or directory)",
        "only .xlsx and .xlsm files get one",
        "it has 24,000 rows, and only files of at most 20,000 get one",
        "the header of sheet Devices was not found again",
    ]
    assert not copy.exists()


def test_marks_stand_where_the_table_begins(tmp_path: Path) -> None:
    """A table that begins at C5 below a title; a sheet beside it without any finding."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["C3"] = "Inventory"
    for column, header in enumerate(HEADER[:2], start=3):
        sheet.cell(5, column, header)
        sheet.cell(7, column, "soon")
    book.create_sheet("Other")["B5"] = "a"
    book["Other"]["B6"] = "b"
    path = tmp_path / "Devices.XLSX"
    book.save(path)
    (source, cells), *_ = read(path, header_row=5)
    row = ReportRow(1, 7, State.INVALID, "", cells[7], None, (BAD_DATE,), 0, Answer())

    assert annotate(path, tmp_path / "copy.xlsx", [source], [row], []) == ""
    copy = load_workbook(tmp_path / "copy.xlsx")
    assert looks(each for line in copy["Sheet"].iter_rows() for each in line) == [
        ("D7", RED, "error: this is no date\nwrite a date")
    ]
    assert copy.sheetnames == ["Sheet", "Other", "causes"]


def test_rows_that_stand_elsewhere_are_not_marked(tmp_path: Path) -> None:
    """A cell whose text is not what the run read is never coloured in its place."""
    path = save_excel(tmp_path / "devices.xlsx")
    (source, cells) = read(path)[0]
    row = ReportRow(1, 2, State.INVALID, "", ("other", *cells[2][1:]), None, (BAD_DATE,), 0, Answer())

    assert (
        annotate(path, tmp_path / "copy.xlsx", [source], [row], [])
        == "row 2 of sheet Devices does not stand where it was read"
    )


def test_libreoffice_opens_the_copy_and_its_own_workbooks_are_copied(tmp_path: Path) -> None:
    """The marks stay in what it saves of a copy; what it makes of a plain workbook of Excel's has a copy too."""
    path = save_excel(tmp_path / "devices.xlsx")
    assert copied(path, {3: [BAD_DATE]}) == ""
    saved, plain = through_libreoffice(tmp_path / "again", tmp_path / "copy.xlsx", path)

    marked = [each for line in load_workbook(saved)["Devices"].iter_rows(min_row=2) for each in line]
    assert [each for each in looks(marked) if each[2]] == [("B3", RED, "error: this is no date\nwrite a date")]
    assert copied(plain, {3: [BAD_DATE]}, tmp_path / "third.xlsx") == ""
