"""Traps of workbooks: what Excel makes of digits and dates, what it hides, and what only its XML tells."""

import datetime
from collections.abc import Callable
from typing import Any

import openpyxl
import xlwt
from corpus.case import (
    DEVICE,
    EXPIRES,
    KEY_LENGTH,
    PLATFORM,
    SERIAL,
    THUMBPRINT,
    USER,
    Case,
    Found,
    Group,
    Place,
    Value,
    body,
    cells,
    delimited,
    error,
    info,
    warning,
)
from corpus.writers import Rows, first_sheet, ods, protected_ods, protected_xls, protected_xlsx, xls, xlsb, xlsx
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from pipeline.findings import Code

SHEET = "xl/worksheets/sheet1.xml"
CONTENT = "content.xml"
HEADER = (PLATFORM, DEVICE, THUMBPRINT, SERIAL)
WHEN = datetime.datetime(2027, 11, 23, 8, 49, 13)  # noqa: DTZ001 - a workbook's dates have no zone
BERLIN = "timezone: Europe/Berlin\n"
SENT = "2027-11-23T08:49:13+01:00"


def row(number: int, *more: object) -> list[object]:
    """Return a valid row and further cells."""
    return [*cells(number).values(), *more]


def book(
    file: str,
    trap: str,
    content: Callable[[], bytes],
    valid: dict[Place, dict[str, Value]] | None = None,
    *found: Found,
    invalid: tuple[Place, ...] = (),
    tables: tuple[tuple[str | None, int], ...] = (("Inventory", 1),),
    **options: Any,  # noqa: ANN401 - the fields of Case
) -> Case:
    """Return the case of a workbook."""
    return Case(
        file,
        trap,
        content,
        valid=valid or {},
        invalid=invalid,
        found=found,
        tables=tables,
        read_as="",
        split_at="",
        **options,
    )


# A number, a date, a text of digits, an empty cell: what a column can be in a workbook.
PLAIN: Rows = (
    (*HEADER, KEY_LENGTH, EXPIRES, USER),
    row(1, 2048, WHEN, "Jürgen Müller"),
    row(2, "4096", "2027-11-23T08:49:13Z", None),
)
PLAIN_VALID: dict[Place, dict[str, Value]] = {
    2: body(1, {KEY_LENGTH: 2048, EXPIRES: SENT, USER: "Jürgen Müller"}),
    3: body(2, {KEY_LENGTH: 4096, EXPIRES: "2027-11-23T08:49:13Z"}),
}
ZONE = info(2, Code.TIME_ZONE, EXPIRES, "2027-11-23T08:49:13", SENT)


def plain(file: str, content: Callable[[], bytes]) -> Case:
    """Return the plain case of a format."""
    return book(
        file, "The plain case: texts, a number, a date without a zone.", content, PLAIN_VALID, ZONE, config=BERLIN
    )


def dated(file: str, trap: str, content: Callable[[], bytes]) -> Case:
    """Return the case of a workbook with a date in one of the two systems."""
    return book(file, trap, content, {2: body(1, {EXPIRES: SENT})}, ZONE, config=BERLIN)


DATED: Rows = ((*HEADER, EXPIRES), row(1, WHEN))


def since_1904(workbook: openpyxl.Workbook) -> None:
    """Count the days of the .xlsx from 1904."""
    workbook.epoch = CALENDAR_MAC_1904


def xls_since_1904(workbook: xlwt.Workbook, _sheet: object) -> None:
    """Count the days of the .xls from 1904; xlwt writes dates with the same base."""
    workbook.dates_1904 = True


def dated_1904_xls() -> bytes:
    """Return an .xls whose date is the number of days since 1904."""
    serial = (WHEN - datetime.datetime(1904, 1, 1)) / datetime.timedelta(days=1)  # noqa: DTZ001 - as above

    def write(workbook: xlwt.Workbook, sheet: object) -> None:
        xls_since_1904(workbook, sheet)
        assert isinstance(sheet, xlwt.Worksheet)
        sheet.write(1, len(HEADER), serial, xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM:SS"))

    return xls(((*HEADER, EXPIRES), row(1)), write)()


def dated_1904_xlsb() -> bytes:
    """Return an .xlsb whose date is the number of days since 1904."""
    # save_xlsb writes days since 1900, so the date is given 1,462 days too early.
    return xlsb(((*HEADER, EXPIRES), row(1, WHEN - datetime.timedelta(days=1462))), since_1904=True)()


FORMAT_CASES = (
    plain("plain.xlsx", xlsx(PLAIN)),
    plain("plain.xlsm", xlsx(PLAIN)),
    plain("plain.xls", xls(PLAIN)),
    plain("plain.xlsb", xlsb(PLAIN)),
    plain("plain.ods", ods(PLAIN)),
    book(
        "date-number.xlsx",
        "A date was formatted as a number.",
        xlsx(((*HEADER, EXPIRES), row(1, 46714.3675115741), row(2, "2027-11-23T08:49:13Z"))),
        {3: body(2, {EXPIRES: "2027-11-23T08:49:13Z"})},
        error(2, Code.DATE_NUMBER, EXPIRES),
        invalid=(2,),
    ),
    dated("dates-1904.xlsx", "The workbook counts days from 1904.", xlsx(DATED, since_1904)),
    dated("dates-1904.xls", "The workbook counts days from 1904.", dated_1904_xls),
    dated("dates-1904.xlsb", "The workbook counts days from 1904.", dated_1904_xlsb),
)


def numeric(file: str, trap: str, content: Callable[[Rows], Callable[[], bytes]], value: object, text: str) -> Case:
    """Return the case of a serial number that the workbook does not hold as text; `text` is what it reads."""
    return book(
        file,
        trap,
        content((HEADER, [*row(1)[:3], value], row(2))),
        {3: body(2)},
        error(2, Code.NUMERIC_IDENTIFIER, SERIAL, says=text),
        invalid=(2,),
    )


IDENTIFIER_CASES = (
    numeric("serial-number.xlsx", "The serial number is a number cell.", xlsx, 11259375, "number"),
    numeric("serial-number.xls", "The serial number is a number cell.", xls, 11259375, "number"),
    numeric("serial-number.xlsb", "The serial number is a number cell.", xlsb, 11259375, "number"),
    numeric("serial-number.ods", "The serial number is a number cell.", ods, 11259375, "number"),
    numeric("serial-16-digits.xlsx", "Excel made a zero of the 16th digit.", xlsx, 1234567890123450, "number"),
    numeric("serial-exponent.xlsx", "Excel made 1200000 of the hexadecimal 12E5.", xlsx, 12e5, "number"),
    numeric("serial-leading-zeros.xlsx", "Excel dropped the zeros of 00004711.", xlsx, 4711, "number"),
    numeric("serial-boolean.xlsx", "The serial number is a boolean.", xlsx, True, "boolean"),
    numeric("serial-date.xlsx", "Excel made a date of a serial number.", xlsx, WHEN, "date"),
    book(
        "serial-declared-decimal.xlsx",
        "With `serial: decimal` a number of at most 15 digits passes.",
        xlsx((HEADER, [*row(1)[:3], 11259375], row(2))),
        {2: body(1, {SERIAL: "ABCDEF"}), 3: body(2)},
        info(2, Code.SERIAL_NUMBER_FORM, SERIAL, "11259375", "ABCDEF"),
        warning(2, Code.NUMERIC_SERIAL_NUMBER, SERIAL),
        config="serial: decimal\n",
    ),
    book(
        "serial-declared-too-long.xlsx",
        "With `serial: decimal` a number of 16 digits does not pass.",
        xlsx((HEADER, [*row(1)[:3], 1234567890123456], row(2))),
        {3: body(2)},
        error(2, Code.NUMERIC_IDENTIFIER, SERIAL),
        invalid=(2,),
        config="serial: decimal\n",
    ),
    book(
        "serial-exponent-text.xlsx",
        "A text reads as a rounded number: the damage was done before.",
        xlsx((HEADER, [*row(1)[:3], "1.23E+18"], row(2))),
        {3: body(2)},
        error(2, Code.FLOAT_IDENTIFIER, SERIAL),
        invalid=(2,),
    ),
    book(
        "device-date.xlsx",
        "Excel made a date of the device name MAR-01.",
        xlsx((HEADER, ["iOS", WHEN, *row(1)[2:]], row(2))),
        {3: body(2)},
        error(2, Code.NUMERIC_IDENTIFIER, DEVICE),
        invalid=(2,),
    ),
    book(
        "device-number.xlsx",
        "A device name of a few digits is a number cell: no digit is lost.",
        xlsx((HEADER, ["iOS", 4711, *row(1)[2:]], row(2))),
        {2: body(1, {DEVICE: "4711"}), 3: body(2)},
        warning(2, Code.NUMBER_AS_TEXT, DEVICE),
    ),
)


def with_user(value: object) -> Rows:
    """Return rows with the value as the user's name of row 2."""
    return ((*HEADER, USER), row(1, value), row(2, "Ada Example"))


ADA: dict[Place, dict[str, Value]] = {3: body(2, {USER: "Ada Example"})}
FORMULA = '<c r="E2"><f>F2</f><v /></c>'


def unread_error(_workbook: xlwt.Workbook, sheet: object) -> None:
    """Write the error 0x2A, which is #N/A (MS-XLS 2.5.10), into the user's name of row 2."""
    assert isinstance(sheet, xlwt.Worksheet)
    sheet.row(1).set_cell_error(len(HEADER), 0x2A)


MERGED_ODS = (
    (
        CONTENT,
        '<table:table-cell office:value-type="string"><text:p>Erika Example</text:p>',
        '<table:table-cell office:value-type="string" table:number-rows-spanned="2"><text:p>Erika Example</text:p>',
    ),
    (
        CONTENT,
        '<table:table-cell office:value-type="string"><text:p>covered</text:p></table:table-cell>',
        "<table:covered-table-cell/>",
    ),
)


COVERED_WITH_TEXT = (
    '<table:covered-table-cell office:value-type="string"><text:p>covered</text:p></table:covered-table-cell>'
)
TEXT_BOX = "<draw:frame><draw:text-box><text:p>moved?</text:p></draw:text-box></draw:frame>"

CELL_CASES = (
    book(
        "error-na.xlsx",
        "A look-up found nothing: #N/A.",
        xlsx(with_user("#N/A")),
        ADA,
        error(2, Code.ERROR_CELL, USER, says="#N/A"),
        invalid=(2,),
    ),
    book(
        "error-ref.xlsx",
        "A formula lost what it pointed to: #REF!.",
        xlsx(with_user("#REF!")),
        ADA,
        error(2, Code.ERROR_CELL, USER, says="#REF!"),
        invalid=(2,),
    ),
    book(
        "error-text.xls",
        "#N/A as a text, pasted as a value.",
        xls(with_user("#N/A")),
        ADA,
        error(2, Code.ERROR_CELL, USER, says="#N/A"),
        invalid=(2,),
    ),
    book(
        "error-unseen.xls",
        "An error cell of an .xls arrives as an empty one, as reading.md warns.",
        xls(with_user(None), unread_error),
        {2: body(1), **ADA},
    ),
    book(
        "formula-uncalculated.xlsx",
        "A program wrote a formula and no result.",
        xlsx(with_user("=F2")),
        ADA,
        error(2, Code.UNCALCULATED_FORMULA, USER),
        invalid=(2,),
    ),
    book(
        "formula-calculated.xlsx",
        "A formula with the result that Excel saved.",
        xlsx(with_user("=F2"), edits=[(SHEET, FORMULA, '<c r="E2" t="str"><f>F2</f><v>Erika Example</v></c>')]),
        {2: body(1, {USER: "Erika Example"}), **ADA},
    ),
    book(
        "formula-empty-text.xlsx",
        "A formula whose result is a text of no length: an empty cell and no trap.",
        xlsx(with_user("=F2"), edits=[(SHEET, FORMULA, '<c r="E2" t="str"><f>IF(F2="","",F2)</f><v></v></c>')]),
        {2: body(1), **ADA},
    ),
    book(
        "rich-text.xlsx",
        "A name is partly bold.",
        xlsx(with_user(CellRichText(TextBlock(InlineFont(b=True), "Erika"), " Example"))),
        {2: body(1, {USER: "Erika Example"}), **ADA},
    ),
    book(
        "inline-text.xlsx",
        "Texts stand in the sheet instead of the list of shared ones.",
        xlsx(
            with_user(7),
            edits=[
                (SHEET, '<c r="E2" t="n"><v>7</v></c>', '<c r="E2" t="inlineStr"><is><t>Erika Example</t></is></c>')
            ],
        ),
        {2: body(1, {USER: "Erika Example"}), **ADA},
    ),
    book(
        "blanks-around.xlsx",
        "Blanks around a text are kept in the workbook and sent.",
        xlsx(with_user("  Erika Example ")),
        {2: body(1, {USER: "  Erika Example "}), **ADA},
        warning(2, Code.SURROUNDING_SPACE, USER),
    ),
    book(
        "blanks-around.ods",
        "Blanks within a text of an .ods are elements of their own.",
        ods(
            with_user("Erika Example"),
            edits=[(CONTENT, "<text:p>Erika Example</text:p>", "<text:p>Erika <text:s/>Example</text:p>")],
        ),
        {2: body(1, {USER: "Erika  Example"}), **ADA},
    ),
    book(
        "line-break.ods",
        "Tab and line break within a text of an .ods are elements.",
        ods(
            with_user("Erika Example"),
            edits=[(CONTENT, ">Erika Example<", ">Erika<text:tab/>Ex<text:line-break/>ample<")],
        ),
        {2: body(1, {USER: "Erika\tEx\nample"}), **ADA},
    ),
    book(
        "text-box.ods",
        "A text box stands in the cell: its text is not the cell's.",
        ods(
            with_user("Erika Example"),
            edits=[
                (
                    CONTENT,
                    "<text:p>Erika Example</text:p>",
                    f"{TEXT_BOX}<text:p>Erika Example</text:p>",
                )
            ],
        ),
        {2: body(1, {USER: "Erika Example"}), **ADA},
    ),
    book(
        "text-untyped.ods",
        "A program wrote a text and not that it is one.",
        ods(
            with_user("Erika Example"),
            edits=[
                (
                    CONTENT,
                    '<table:table-cell office:value-type="string"><text:p>Erika Example',
                    "<table:table-cell><text:p>Erika Example",
                )
            ],
        ),
        {2: body(1, {USER: "Erika Example"}), **ADA},
    ),
    book(
        "error-na.ods",
        "A look-up found nothing: LibreOffice writes #N/A as a text that is an error.",
        ods(
            with_user("#N/A"),
            edits=[
                (
                    CONTENT,
                    'office:value-type="string"><text:p>#N/A',
                    'office:value-type="string" office:string-value="" calcext:value-type="error"><text:p>#N/A',
                )
            ],
        ),
        ADA,
        error(2, Code.ERROR_CELL, USER, says="#N/A"),
        invalid=(2,),
    ),
    book(
        "merged-hidden-text.ods",
        "A cell that a merged one covers still holds a text, which nobody sees.",
        ods(
            ((*HEADER, USER), row(1, "Erika Example"), row(2, "covered"), row(3, "Ada Example")),
            edits=[
                MERGED_ODS[0],
                (
                    CONTENT,
                    '<table:table-cell office:value-type="string"><text:p>covered</text:p></table:table-cell>',
                    COVERED_WITH_TEXT,
                ),
            ],
        ),
        {2: body(1, {USER: "Erika Example"}), 4: body(3, {USER: "Ada Example"})},
        error(3, Code.MERGED_CELL, USER),
        invalid=(3,),
    ),
    book(
        "line-break.xlsx",
        "A text has two lines.",
        xlsx(with_user("Erika\nExample")),
        {2: body(1, {USER: "Erika\nExample"}), **ADA},
    ),
    book(
        "boolean.xlsx",
        "A name is a boolean cell.",
        xlsx(with_user(True)),
        {2: body(1, {USER: "TRUE"}), **ADA},
        warning(2, Code.NUMBER_AS_TEXT, USER),
    ),
)


def merged(*ranges: str) -> Callable[[openpyxl.Workbook], None]:
    """Return what merges these ranges of the first sheet."""

    def arrange(workbook: openpyxl.Workbook) -> None:
        for each in ranges:
            first_sheet(workbook).merge_cells(each)

    return arrange


def hidden(state: str) -> Callable[[openpyxl.Workbook], None]:
    """Return what hides the second sheet."""

    def arrange(workbook: openpyxl.Workbook) -> None:
        workbook.worksheets[1].sheet_state = state

    return arrange


def far_cell(workbook: openpyxl.Workbook) -> None:
    """Write a cell into the sheet's last corner."""
    first_sheet(workbook).cell(1_048_576, 16_384, "x")


def merged_xls(_workbook: xlwt.Workbook, sheet: object) -> None:
    """Merge the user's names of rows 2 and 3."""
    assert isinstance(sheet, xlwt.Worksheet)
    sheet.write_merge(1, 2, len(HEADER), len(HEADER), "Erika Example")


HIDING_STYLE = (
    '<style:style style:name="ta1" style:family="table"><style:table-properties table:display="false"/></style:style>'
)
HIDDEN_ODS = (
    (
        CONTENT,
        "<office:automatic-styles/>",
        f"<office:automatic-styles>{HIDING_STYLE}</office:automatic-styles>",
    ),
    (
        CONTENT,
        '<table:table table:name="Inventory">',
        '<table:table table:name="Inventory" table:style-name="ta1">',
    ),
)
TWO: dict[str, Rows] = {"Berlin": (HEADER, row(1)), "Seattle": (HEADER, row(2))}
TWO_VALID: dict[Place, dict[str, Value]] = {("Berlin", 2): body(1), ("Seattle", 2): body(2)}
TWO_TABLES = (("Berlin", 1), ("Seattle", 1))

SHEET_CASES = (
    book("two-sheets.xlsx", "Two sheets hold rows: both are read.", xlsx(TWO), TWO_VALID, tables=TWO_TABLES),
    book(
        "sheet-chosen.xlsx",
        "`--sheet seattle` reads this sheet only.",
        xlsx(TWO),
        {2: body(2)},
        sheets=("seattle",),
        tables=(("Seattle", 1),),
    ),
    book(
        "sheet-not-there.xlsx",
        "`--sheet Munich` names none of the sheets.",
        xlsx(TWO),
        sheets=("Munich",),
        refused='has no sheet "Munich": choose among Berlin, Seattle',
    ),
    book(
        "sheet-hidden.xlsx",
        "A sheet is hidden: it is read and told.",
        xlsx(TWO, hidden("hidden")),
        TWO_VALID,
        warning("Seattle", Code.HIDDEN_SHEET, says="is hidden"),
        tables=TWO_TABLES,
    ),
    book(
        "sheet-very-hidden.xlsx",
        "A sheet is hidden so that only the VBA editor shows it.",
        xlsx(TWO, hidden("veryHidden")),
        TWO_VALID,
        warning("Seattle", Code.HIDDEN_SHEET, says="very hidden"),
        tables=TWO_TABLES,
    ),
    book(
        "sheet-without-known-column.xlsx",
        "A second sheet holds rows of something else: it is told as not read.",
        xlsx({"Berlin": (HEADER, row(1)), "Notes": (("Name", "Phone"), ("Erika", "555-0100"))}),
        {("Berlin", 2): body(1)},
        error("Notes", Code.SKIPPED_SHEET),
        tables=(("Berlin", 1), ("Notes", 1)),
    ),
    book(
        "sheet-empty.xlsx",
        "The first sheet is empty.",
        xlsx({"Sheet1": (), "Inventory": (HEADER, row(1), row(2))}),
        {2: body(1), 3: body(2)},
    ),
    book("all-sheets-empty.xlsx", "No sheet holds anything.", xlsx({"Sheet1": ()}), refused="holds no row"),
    book(
        "title.xlsx",
        "A title stands above the header.",
        xlsx((("Inventory of Contoso",), ("as of", WHEN), (), HEADER, row(1))),
        {5: body(1)},
        warning(None, Code.TITLE_ROWS, says="rows 1 to 2"),
        tables=(("Inventory", 4),),
    ),
    book(
        "column-a-empty.xlsx",
        "The table begins in cell B3.",
        xlsx(((), (), (None, *HEADER), (None, *row(1)), (None, *row(2)))),
        {4: body(1), 5: body(2)},
        tables=(("Inventory", 3),),
    ),
    book(
        "merged-header-across.xlsx",
        "A header cell is merged with the one to its right: it names the first column, the second has no name.",
        xlsx(
            (
                (*HEADER, None, USER),
                row(1, "note", "Erika Example"),
                row(2, None, "Ada Example"),
            ),
            merged("D1:E1"),
        ),
        {2: body(1, {USER: "Erika Example"}), **ADA},
        warning(None, Code.MERGED_HEADER, says="D1:E1"),
        warning(None, Code.UNKNOWN_COLUMN),
    ),
    book(
        "merged-header-down.xlsx",
        "The header has two rows: a merged cell counts in both.",
        xlsx(
            (
                (PLATFORM, DEVICE, "Certificate", None),
                (None, None, THUMBPRINT, SERIAL),
                row(1),
                row(2),
            ),
            merged("A1:A2", "B1:B2", "C1:D1"),
        ),
        {3: body(1), 4: body(2)},
        warning(None, Code.MERGED_HEADER, says="A1:A2, B1:B2"),
        warning(None, Code.TITLE_ROWS, says="row 1"),
        tables=(("Inventory", 2),),
    ),
    book(
        "merged-rows.xlsx",
        "One cell names the user of two rows: only the first one holds it.",
        xlsx(((*HEADER, USER), row(1, "Erika Example"), row(2), row(3, "Ada Example")), merged("E2:E3")),
        {2: body(1, {USER: "Erika Example"}), 4: body(3, {USER: "Ada Example"})},
        error(3, Code.MERGED_CELL, USER),
        invalid=(3,),
    ),
    book(
        "merged-rows.xls",
        "One cell names the user of two rows: only the first one holds it.",
        xls(((*HEADER, USER), row(1), row(2), row(3, "Ada Example")), merged_xls),
        {2: body(1, {USER: "Erika Example"}), 4: body(3, {USER: "Ada Example"})},
        error(3, Code.MERGED_CELL, USER),
        invalid=(3,),
    ),
    book(
        "merged-rows.ods",
        "One cell names the user of two rows: only the first one holds it.",
        ods(((*HEADER, USER), row(1, "Erika Example"), row(2, "covered"), row(3, "Ada Example")), edits=MERGED_ODS),
        {2: body(1, {USER: "Erika Example"}), 4: body(3, {USER: "Ada Example"})},
        error(3, Code.MERGED_CELL, USER),
        invalid=(3,),
    ),
    book(
        "sheet-hidden.ods",
        "A sheet of an .ods is hidden: it is read and told.",
        ods((HEADER, row(1)), edits=HIDDEN_ODS),
        {2: body(1)},
        warning(None, Code.HIDDEN_SHEET, says="is hidden"),
    ),
    book(
        "blank-rows.xlsx",
        "Formatted rows without content follow, and one stands between.",
        xlsx((HEADER, row(1), (), row(2), (" ",), ())),
        {2: body(1), 4: body(2)},
        blank=1,
    ),
    book(
        "cell-twice.xlsx",
        "A program numbered two rows alike: of each two cells one would be lost.",
        xlsx((HEADER, row(1), row(2)), edits=[(SHEET, f'<c r="{letter}3"', f'<c r="{letter}2"') for letter in "ABCD"]),
        refused="holds the cell A2 twice",
    ),
    book(
        "far-cell.xlsx",
        "A stray cell stands in the last corner of the sheet.",
        xlsx((HEADER, row(1)), far_cell),
        refused="has a cell at XFD1048576 far from all others",
    ),
)

REFUSED_CASES = (
    book("password.xlsx", "A password protects the workbook.", protected_xlsx, refused="is protected by a password"),
    book("password.xls", "A password protects the workbook.", protected_xls, refused="is protected by a password"),
    book("password.ods", "A password protects the workbook.", protected_ods, refused="is protected by a password"),
    book(
        "csv-named.xlsx",
        "A CSV file is named .xlsx.",
        lambda: delimited(cells(1)).encode(),
        refused="is no .xlsx workbook",
    ),
    book("xlsx-named.xls", "A newer workbook is named .xls.", xlsx((HEADER, row(1))), refused="is no .xls workbook"),
    book("xls-named.csv", "A workbook is named .csv.", xls((HEADER, row(1))), refused="is no text file"),
    book(
        "cut-off.xlsx",
        "The download broke off.",
        lambda: xlsx((HEADER, row(1)))()[:2000],
        refused="cannot be read as a workbook",
    ),
    book(
        "external-entity.xlsx",
        "The sheet's XML names a file of the computer that reads it.",
        xlsx(
            with_user("Erika Example"),
            edits=[(SHEET, "<worksheet", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><worksheet')],
        ),
        refused="declares entities",
    ),
)

GROUPS = (
    Group("Workbook formats and date systems", FORMAT_CASES),
    Group("Identifiers in workbooks", IDENTIFIER_CASES),
    Group("Cells of workbooks", CELL_CASES),
    Group("Sheets, titles, merged cells", SHEET_CASES),
    Group("Files that are no workbooks to read", REFUSED_CASES),
)
