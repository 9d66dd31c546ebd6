"""Traps of text files: encodings, delimiters, quotes, the header, rows that are none."""

import codecs
from typing import Any

from corpus.case import (
    DEVICE,
    PLATFORM,
    SERIAL,
    SERIALS,
    THUMBPRINT,
    THUMBPRINTS,
    USER,
    Case,
    Group,
    body,
    cells,
    delimited,
    encoded,
    error,
    lines,
    text_case,
    warning,
)

from pipeline.findings import Code


def named(*users: str, delimiter: str = ",") -> str:
    """Return a file with these users."""
    rows = [cells(number, {USER: user}) for number, user in enumerate(users, start=1)]
    return delimited(*rows, delimiter=delimiter)


def in_encoding(  # noqa: PLR0917 - the two encodings stand side by side
    name: str,
    trap: str,
    users: tuple[str, ...],
    written: str,
    read_as: str,
    mark: bytes = b"",
    **options: Any,  # noqa: ANN401 - the fields of Case
) -> Case:
    """Return the case of users in an encoding; `options` are further fields."""
    return Case(
        name,
        trap,
        encoded(named(*users), written, mark),
        valid={number + 1: body(number, {USER: user}) for number, user in enumerate(users, start=1)},
        read_as=read_as,
        **options,
    )


WESTERN = ("Jürgen Müller", "Zoë Lefèvre", "Søren Ågård")
CZECH = ("Žofie Dvořáková", "Šárka Růžičková", "Tomáš Němec", "Łukasz Wiśniewski")
RUSSIAN = ("Иван Петров", "Мария Сидорова", "Анна Кузнецова")
JAPANESE = ("山田太郎", "佐藤花子", "鈴木一郎")
ALL = ("Jürgen Müller", "Иван Петров", "山田太郎", "Zoë 📱")

DETECTED = (warning(None, Code.DETECTED_ENCODING),)

ENCODING_CASES = (
    in_encoding("utf-8.csv", "Names of all scripts and an emoji.", ALL, "utf-8", "utf-8"),
    in_encoding("utf-8-bom.csv", "A byte order mark, as Excel writes it.", ALL, "utf-8", "utf-8", codecs.BOM_UTF8),
    in_encoding(
        "utf-16-le-bom.csv",
        "UTF-16, as PowerShell 5.1 redirects it.",
        ALL,
        "utf-16-le",
        "utf-16-le",
        codecs.BOM_UTF16_LE,
    ),
    in_encoding(
        "utf-16-be-bom.csv",
        "UTF-16 with the high byte first.",
        ALL,
        "utf-16-be",
        "utf-16-be",
        codecs.BOM_UTF16_BE,
    ),
    in_encoding("utf-16-le.csv", "UTF-16 without its mark.", ALL, "utf-16-le", "utf-16-le", found=DETECTED),
    in_encoding("utf-16-be.csv", "The same, high byte first.", ALL, "utf-16-be", "utf-16-be", found=DETECTED),
    Case(
        "unicode-text.txt",
        "Excel's `Unicode Text`: UTF-16 with tabs.",
        encoded(named(*ALL, delimiter="\t"), "utf-16-le", codecs.BOM_UTF16_LE),
        valid={number + 1: body(number, {USER: user}) for number, user in enumerate(ALL, start=1)},
        read_as="utf-16-le",
        split_at="\t",
    ),
    in_encoding(
        "cp1252.csv",
        "Western names in Windows' encoding, which nothing in the file says.",
        WESTERN,
        "cp1252",
        "cp1252",
        found=(warning(None, Code.DETECTED_ENCODING, says="Jürgen Müller"),),
    ),
    in_encoding(
        "cp1250.csv",
        "Czech and Polish names in Windows' encoding.",
        CZECH,
        "cp1250",
        "cp1250",
        found=(warning(None, Code.DETECTED_ENCODING, says="Žofie Dvořáková"),),
    ),
    in_encoding(
        "cp1251.csv",
        "Russian names in Windows' encoding.",
        RUSSIAN,
        "cp1251",
        "cp1251",
        found=(warning(None, Code.DETECTED_ENCODING, says="Иван Петров"),),
    ),
    in_encoding(
        "iso-8859-2.csv",
        "Czech and Polish names in the encoding of Unix.",
        CZECH,
        "iso-8859-2",
        "iso8859-2",
        found=(warning(None, Code.DETECTED_ENCODING, says="Žofie Dvořáková"),),
    ),
    in_encoding(
        "shift-jis.csv",
        "Japanese names in the encoding of Windows, detected.",
        JAPANESE,
        "cp932",
        "cp932",
        found=(warning(None, Code.DETECTED_ENCODING, says="山田太郎"),),
    ),
    in_encoding(
        "iso-8859-15.csv",
        "`--encoding iso-8859-15` settles what looks like cp1252.",
        ("Zoé Lecœur", "Šime Žitnik"),
        "iso-8859-15",
        "iso8859-15",
        encoding="iso-8859-15",
    ),
    in_encoding(
        "cp850.csv",
        "`--encoding cp850` for a file of a DOS program.",
        WESTERN,
        "cp850",
        "cp850",
        encoding="cp850",
    ),
    Case(
        "utf-8-damaged.csv",
        "One byte of a UTF-8 file is damaged: any other encoding would spoil the good names.",
        lambda: named("Zoë Lefèvre", "Jürgen Müller", "Søren Ågård").encode().replace("ü".encode(), b"\xfc", 1),
        refused="(0xFC), the only such byte, while all other letters outside ASCII (6) are",
    ),
    Case(
        "utf-8-damaged-named.csv",
        "`--encoding cp1252` is said of it, which would spoil the good names without a word.",
        lambda: named("Zoë Lefèvre", "Jürgen Müller", "Søren Ågård").encode().replace("ü".encode(), b"\xfc", 1),
        encoding="cp1252",
        refused="export the file again as CSV UTF-8, and leave --encoding cp1252 out",
    ),
    Case(
        "encoding-against-utf-8.csv",
        "`--encoding cp1252` is said of a file whose letters are UTF-8.",
        encoded(named("Erika Example", *WESTERN), "utf-8"),
        encoding="cp1252",
        refused="is in UTF-8, so the encoding",
    ),
    Case(
        "encoding-misfit.csv",
        "`--encoding cp1252` is said of Polish names in cp1250: it holds, and the better one is told.",
        encoded(named("Łukasz Żółty"), "cp1250"),
        encoding="cp1252",
        valid={2: body(1, {USER: "£ukasz ¯ó³ty"})},
        read_as="cp1252",
        found=(warning(None, Code.DETECTED_ENCODING, says="Łukasz Żółty"),),
    ),
    Case(
        "encoding-wrong.csv",
        "`--encoding utf-8` is said of a file in cp1252.",
        encoded(named("Erika Example", *WESTERN), "cp1252"),
        encoding="utf-8",
        refused="and its letters fit cp1252: leave --encoding out, or name cp1252",
    ),
    Case(
        "encoding-against-mark.csv",
        "`--encoding cp1252` is said of a file whose mark says UTF-8.",
        encoded(named(*WESTERN), "utf-8", codecs.BOM_UTF8),
        encoding="cp1252",
        refused="begins with the byte order mark of utf-8",
    ),
    Case(
        "encoding-two.csv",
        "Rows in cp1252, and below them one in UTF-8, which would be read as `ZoÃ«`.",
        lambda: named(*WESTERN).encode("cp1252") + f"{line(4)},Zoë\r\n".encode(),
        refused="is in two encodings",
    ),
    Case(
        "encoding-uncertain.csv",
        "One Russian name: three encodings make words of it, so `--encoding` has to say which.",
        encoded(named("Иван Петров"), "cp1251"),
        refused="such as --encoding cp1251",
    ),
    Case(
        "nul.csv",
        "A NUL stands in the file: it is damaged or binary.",
        encoded(named("Erika Example", "Ada\0Example")),
        refused="row 3 holds a NUL",
    ),
)

PLAIN = {2: body(1), 3: body(2)}
ROWS = (cells(1), cells(2))
HEADER = ",".join(cells(1))


def line(number: int, delimiter: str = ",") -> str:
    """Return a valid row as one line."""
    return delimiter.join(cells(number).values())


def quoted(number: int) -> str:
    """Return a valid row as one line with all cells in quotes."""
    cells_in_quotes = line(number, '","')
    return f'"{cells_in_quotes}"'


DIALECT_CASES = (
    text_case("comma.csv", "The plain case.", delimited(*ROWS), valid=PLAIN),
    text_case(
        "semicolon.csv",
        "Excel's delimiter where the comma is the decimal sign.",
        delimited(cells(1, {USER: "Example, Erika"}), cells(2, {USER: "Example, Ada"}), delimiter=";"),
        valid={2: body(1, {USER: "Example, Erika"}), 3: body(2, {USER: "Example, Ada"})},
        split_at=";",
    ),
    text_case("tab.tsv", "Tabs.", delimited(*ROWS, delimiter="\t"), valid=PLAIN, split_at="\t"),
    text_case(
        "tab-in-csv.csv",
        "Tabs in a file that is named .csv.",
        delimited(*ROWS, delimiter="\t"),
        valid=PLAIN,
        split_at="\t",
    ),
    text_case("pipe.txt", "Bars.", delimited(*ROWS, delimiter="|"), valid=PLAIN, split_at="|"),
    text_case(
        "delimiter-given.csv",
        "`--delimiter :` for a sign that nobody looks for.",
        delimited(*ROWS, delimiter=":"),
        valid=PLAIN,
        split_at=":",
        delimiter=":",
    ),
    text_case(
        "sep-line.csv",
        "Excel's line `sep=;` declares the delimiter and is no row.",
        "sep=;\r\n" + delimited(*ROWS, delimiter=";"),
        valid=PLAIN,
        split_at=";",
    ),
    text_case(
        "type-line.csv",
        "PowerShell's line `#TYPE` is a row and no header.",
        "#TYPE System.Management.Automation.PSCustomObject\r\n" + delimited(*ROWS),
        valid={3: body(1), 4: body(2)},
        tables=((None, 2),),
    ),
    text_case("line-feeds.csv", "Lines end as on Unix.", delimited(*ROWS, end="\n"), valid=PLAIN),
    text_case("carriage-returns.csv", "Lines end as on old Macs.", delimited(*ROWS, end="\r"), valid=PLAIN),
    text_case("no-last-line-end.csv", "The last line has no end.", delimited(*ROWS).removesuffix("\r\n"), valid=PLAIN),
)

QUOTE_CASES = (
    text_case(
        "quoted.csv",
        "Delimiters, quotes and a line break stand within quotes; the break adds no row.",
        lines(
            f"{HEADER},{USER}",
            f'{line(1)},"Example, Erika"',
            f'{line(2)},"Ada ""A."" Example"',
            f'{line(3)},"Max\nExample"',
            f"{line(4)},Eva",
        ),
        valid={
            2: body(1, {USER: "Example, Erika"}),
            3: body(2, {USER: 'Ada "A." Example'}),
            4: body(3, {USER: "Max\nExample"}),
            5: body(4, {USER: "Eva"}),
        },
    ),
    text_case(
        "quote-within-text.csv",
        "A quote within an unquoted cell is a sign like any other.",
        delimited(cells(1, {USER: 'Erika 5" Example'}), cells(2, {USER: "Ada"})),
        valid={2: body(1, {USER: 'Erika 5" Example'}), 3: body(2, {USER: "Ada"})},
    ),
    text_case(
        "quote-open.csv",
        "A quote is opened and not closed; it takes no other row with it.",
        delimited(cells(1), cells(2, {SERIAL: f'"{SERIALS[2]}'}), cells(3), cells(4)),
        valid={2: body(1), 4: body(3), 5: body(4)},
        invalid=(3,),
        found=(error(3, Code.BROKEN_QUOTES, says="opened and not closed"),),
    ),
    text_case(
        "quote-open-in-quoted.csv",
        "All cells are quoted and one is not closed: the next one's quote seems to close it.",
        lines(HEADER, quoted(1), quoted(2).replace('0002"', "0002", 1), quoted(3)),
        valid={2: body(1), 4: body(3)},
        invalid=(3,),
        found=(error(3, Code.BROKEN_QUOTES, says="opened and not closed"),),
    ),
    text_case(
        "quote-over-rows.csv",
        "A quote is opened in one row and closed in the same column of a later one: no row gets another's values.",
        delimited(
            cells(1, {USER: '"Erika'}), cells(2, {USER: "Ada"}), cells(3, {USER: 'Max"'}), cells(4, {USER: "Eva"})
        ),
        valid={3: body(2, {USER: "Ada"}), 5: body(4, {USER: "Eva"})},
        invalid=(2, 4),
        found=(
            error(2, Code.BROKEN_QUOTES, says="opened in this line and closed in a later one"),
            error(4, Code.BROKEN_QUOTES, says="may be the rest of that row"),
        ),
    ),
    text_case(
        "quote-open-at-end.csv",
        "The last row opens a quote.",
        delimited(cells(1), cells(2), cells(3, {SERIAL: f'"{SERIALS[3]}'})),
        valid=PLAIN,
        invalid=(4,),
        found=(error(4, Code.BROKEN_QUOTES, says="opened and not closed"),),
    ),
    text_case(
        "quote-text-behind.csv",
        "Text follows a closing quote.",
        delimited(cells(1), cells(2, {DEVICE: '"PHONE"-0002'}), cells(3)),
        valid={2: body(1), 4: body(3)},
        invalid=(3,),
        found=(error(3, Code.BROKEN_QUOTES, says="text follows"),),
    ),
    text_case(
        "quote-in-header.csv",
        "The header itself has an open quote.",
        delimited(*ROWS).replace(SERIAL, f'"{SERIAL}', 1),
        refused="row 1, the header, cannot be read",
    ),
)

SHAPE_CASES = (
    text_case(
        "row-short.csv",
        "A row has a cell too few: which one is missing?",
        lines(HEADER, line(1), line(2).rpartition(",")[0], line(3)),
        valid={2: body(1), 4: body(3)},
        invalid=(3,),
        found=(error(3, Code.RAGGED_ROW, says="3 cells and the header 4"),),
    ),
    text_case(
        "row-long.csv",
        "An unquoted comma within a name makes a cell too many.",
        lines(HEADER, line(1), line(2).replace("PHONE-", "PHONE,"), line(3)),
        valid={2: body(1), 4: body(3)},
        invalid=(3,),
        found=(error(3, Code.RAGGED_ROW, says="5 cells and the header 4"),),
    ),
    text_case(
        "empty-at-end.csv",
        "Empty rows and columns at the end, as a spreadsheet saves formatted cells.",
        lines(f"{HEADER},,", f"{line(1)},,", f"{line(2)},,", ",,,,,", ",,,,,"),
        valid=PLAIN,
    ),
    text_case(
        "blank-rows.csv",
        "Blank rows stand between the others and count.",
        lines(HEADER, line(1), "", " , ,,", line(2)),
        valid={2: body(1), 5: body(2)},
        blank=2,
    ),
    text_case(
        "header-only.csv",
        "The export holds a header and no rows.",
        lines(HEADER),
        found=(warning(None, Code.NO_ROWS),),
    ),
    text_case("blank.csv", "Nothing but blank lines.", lines("", " ", ""), refused="holds only blank lines"),
    Case("empty.csv", "Not one byte.", lambda: b"", refused="is empty (0 bytes)"),
    Case(
        "picture.csv",
        "A PNG picture with the wrong ending.",
        lambda: b"\x89PNG\r\n\x1a\n" + bytes(24),
        refused="its content is a PNG picture",
    ),
    text_case("notes.docx", "An ending that nothing reads.", "Inventory\r\n", refused="has the ending .docx"),
)

HEADER_CASES = (
    text_case(
        "title.csv",
        "A title with other delimiters stands above the header.",
        lines("Inventory; as of 2026-11-23; all devices", "Contoso, Seattle", "", HEADER, line(1), line(2)),
        valid={5: body(1), 6: body(2)},
        found=(warning(None, Code.TITLE_ROWS, says="rows 1 to 2"),),
        tables=((None, 4),),
    ),
    text_case(
        "header-row-given.csv",
        "`--header-row 3` passes over an older header.",
        lines("devicePlatform,deviceDisplayName", "iOS,PHONE-0009", HEADER, line(1)),
        valid={4: body(1)},
        header_row=3,
        tables=((None, 3),),
    ),
    text_case(
        "header-row-blank.csv",
        "`--header-row 2` names a blank row.",
        lines("Inventory", "", HEADER, line(1)),
        header_row=2,
        refused="row 2 is empty or not there",
    ),
    text_case(
        "header-spelled.csv",
        "The header has blanks, another letter case, and marks that nobody sees.",
        lines(
            "\ufeffDevice Platform, DEVICEDISPLAYNAME ,certificate\u00a0Thumbprint,\u200ecertificateserialnumber",
            line(1),
        ),
        valid={2: body(1)},
    ),
    text_case(
        "column-twice.csv",
        "Two columns stand for the thumbprint.",
        delimited(cells(1, {"Certificate Thumbprint": THUMBPRINTS[2]})),
        invalid=(2,),
        found=(error(None, Code.DUPLICATE_COLUMN, THUMBPRINT),),
    ),
    text_case(
        "column-missing.csv",
        "No column holds the thumbprint.",
        lines(f"{PLATFORM},{DEVICE},{SERIAL}", "iOS,PHONE-0001,4A00C1"),
        invalid=(2,),
        found=(error(None, Code.MISSING_COLUMN, THUMBPRINT),),
    ),
    text_case(
        "column-unknown.csv",
        "A column is misspelled: it is not sent, and the right name is proposed.",
        delimited(cells(1, {"userDisplyName": "Erika Example"}), cells(2, {"userDisplyName": "Ada Example"})),
        valid=PLAIN,
        found=(warning(None, Code.UNKNOWN_COLUMN, "userDisplyName"),),
    ),
    text_case(
        "column-id.csv",
        "The service assigns the id.",
        delimited(cells(1, {"id": "1"}), cells(2, {"id": "2"})),
        valid=PLAIN,
        found=(warning(None, Code.IGNORED_COLUMN, "id"),),
    ),
    text_case(
        "column-without-header.csv",
        "A column has cells and no header.",
        lines(f"{PLATFORM},{DEVICE},,{THUMBPRINT},{SERIAL}", line(1).replace(",A1F3", ",note,A1F3")),
        valid={2: body(1)},
        found=(warning(None, Code.UNKNOWN_COLUMN),),
    ),
    text_case(
        "no-known-column.csv",
        "No header is a known one.",
        lines("Name,Number", "PHONE-0001,4A00C1"),
        refused="none of the cells of row 1 is a known column",
    ),
    text_case(
        "report-back.csv",
        "A corrected errors.csv comes back: the apostrophe that kept a cell harmless goes.",
        delimited(cells(1, {USER: "'=Erika", "_import_code": ""}), cells(2, {USER: "Ada", "_import_code": ""})),
        valid={2: body(1, {USER: "=Erika"}), 3: body(2, {USER: "Ada"})},
    ),
    text_case(
        "report-back-not-mended.csv",
        "errors.csv comes back as it was: what its cells cannot show is still told by the code.",
        delimited(cells(1, {"_import_code": "ragged-row"}), cells(2, {"_import_code": ""})),
        valid={3: body(2)},
        invalid=(2,),
        found=(error(2, Code.RAGGED_ROW, "_import_code"),),
    ),
)

GROUPS = (
    Group("Encodings", ENCODING_CASES),
    Group("Delimiters and line ends", DIALECT_CASES),
    Group("Quotes", QUOTE_CASES),
    Group("Rows and files that are none", SHAPE_CASES),
    Group("Titles, headers, columns", HEADER_CASES),
)
