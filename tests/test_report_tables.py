"""errors.csv, unknown.csv and created.csv, from rows that are made here."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.editions import EDITIONS
from pipeline.findings import Code, Finding, finding
from pipeline.load import LoadOptions, open_tables
from pipeline.load.table import unmasked
from pipeline.model import Answer, ReportRow, SourceInfo, State
from pipeline.report import (
    harmless,
    write_input_rows,
    write_sent_rows,
)
from pipeline.report.import_columns import harmless_cells, import_cells

RUN = "20261123T084913Z-inventory-3f9a1c"
IMPORT_COLUMNS = [
    "_import_run",
    "_import_file",
    "_import_row",
    "_import_sheet",
    "_import_status",
    "_import_code",
    "_import_column",
    "_import_value",
    "_import_message",
    "_import_hint",
    "_import_http_status",
    "_import_graph_code",
    "_import_request_id",
    "_import_attempts",
    "_import_id",
    "_import_identifiers",
]
COLLECTION = "deviceManagement/deviceConfigurations/6a1f/microsoft.graph.iosScepCertificateProfile/states"
BAD_DATE = finding(Code.NOT_A_DATE_TIME, "no date", column="Expires", value="soon", hint="write a date")
ODD_LENGTH = finding(Code.KEY_LENGTH_UNUSUAL, "4 bits", column="Length", value="4", hint="write a date")


def source(
    pk: int,
    file: str,
    header: Sequence[str],
    *,
    sheet: str | None = None,
    rows_read: int = 9,
    properties: Sequence[str] = (),
) -> SourceInfo:
    return SourceInfo(pk, file, sheet, f"sha-{pk}", "utf-8", ",", tuple(header), rows_read, 0, tuple(properties))


def row(
    source_pk: int,
    row_number: int,
    cells: Sequence[str] | None,
    *,
    state: State = State.INVALID,
    findings: Sequence[Finding] = (),
    answer: Answer | None = None,
) -> ReportRow:
    return ReportRow(
        source_pk,
        row_number,
        state,
        COLLECTION,
        None if cells is None else tuple(cells),
        None,
        tuple(findings),
        0,
        answer or Answer(),
    )


def written(tmp_path: Path, rows: Sequence[ReportRow], *sources: SourceInfo) -> list[list[str]]:
    """Return the table that `write_input_rows` writes, the `_import_` columns cut off."""
    path = tmp_path / "errors.csv"
    assert write_input_rows(path, lambda: iter(rows), {each.pk: each for each in sources}, run_id=RUN) == len(rows)
    table = read_table(path)
    width = len(table[0]) - len(IMPORT_COLUMNS)
    assert table[0][width:] == IMPORT_COLUMNS
    return [line[:width] for line in table]


def read_table(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file as a spreadsheet shows them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


# --- errors.csv and unknown.csv


def test_a_row_is_written_with_its_cells_its_findings_and_its_answer(tmp_path: Path) -> None:
    """Every input column in its order, then all findings, the answer, and each hint once."""
    path = tmp_path / "errors.csv"
    answer = Answer(400, "", "BadRequest", "the service said no", "req-1", "mine-1")
    rejected = row(1, 7, ["dev", "soon"], state=State.REJECTED, findings=[BAD_DATE, ODD_LENGTH], answer=answer)
    unsent = row(2, 2, ["x", "y"], state=State.UNSENT)
    sources = {1: source(1, "in/a.csv", ["Device", "Expires"]), 2: source(2, "b.xlsx", ["Expires", "C"], sheet="S 1")}

    count = write_input_rows(path, lambda: [rejected._replace(attempts=2), unsent], sources, run_id=RUN)

    codes = "not-a-date-time; key-length-unusual"
    message = "no date; 4 bits; the service said no"
    refused = ["rejected", codes, "Expires; Length", "soon; 4", message, "write a date"]
    assert count == 2
    assert read_table(path) == [
        ["Device", "Expires", "C", *IMPORT_COLUMNS],
        ["dev", "soon", "", RUN, "in/a.csv", "7", "", *refused, "400", "BadRequest", "req-1", "2", "", ""],
        ["", "x", "y", RUN, "b.xlsx", "2", "S 1", "unsent", "", "", "", "", "", "", "", "", "0", "", ""],
    ]


def test_the_file_opens_in_excel_as_utf_8(tmp_path: Path) -> None:
    """It begins with the byte order mark and ends its lines as RFC 4180 says."""
    written(tmp_path, [row(1, 2, ["Bürö"])], source(1, "a.csv", ["Gerät"]))

    content = (tmp_path / "errors.csv").read_bytes()
    assert content.startswith("\ufeffGerät,_import_run,".encode())
    assert content.count(b"\r\n") == content.count(b"\n") == 2


def test_columns_of_several_files_are_put_together_by_their_header(tmp_path: Path) -> None:
    """Two spellings that differ in letter case and blanks are one column, spelled as the first file spells it."""
    table = written(
        tmp_path,
        [row(1, 2, ["a1", "a2"]), row(2, 2, ["b1", "b2", "b3"]), row(1, 3, ["a3", "a4"])],
        source(1, "a.csv", ["Device Name", "Serial"]),
        source(2, "b.csv", ["serial", "Owner", "devicename"]),
    )

    assert table == [
        ["Device Name", "Serial", "Owner"],
        ["a1", "a2", ""],
        ["b3", "b1", "b2"],
        ["a3", "a4", ""],
    ]


def test_a_header_that_stands_twice_in_one_file_stays_two_columns(tmp_path: Path) -> None:
    """No cell is lost because another one has the same name; columns without a name are kept apart too."""
    table = written(
        tmp_path,
        [row(1, 2, ["1", "2", "3", "4", "5"]), row(2, 2, ["6", "7"])],
        source(1, "a.csv", ["Name", "", "Name", "", "name"]),
        source(2, "b.csv", ["Name", "NAME"]),
    )

    assert table == [
        ["Name", "", "Name", "", "name"],
        ["1", "2", "3", "4", "5"],
        ["6", "", "7", "", ""],
    ]


def test_cells_beyond_the_header_get_columns_without_a_name(tmp_path: Path) -> None:
    """As many as the widest row of the report needs, so that nothing of a ragged row is lost."""
    table = written(
        tmp_path,
        [row(1, 2, ["1", "2"]), row(1, 3, ["1", "2", "3", "4"]), row(2, 2, ["5", "6"])],
        source(1, "a.csv", ["A", "B"]),
        source(2, "b.csv", ["C"]),
    )

    assert table == [
        ["A", "B", "", "", "C"],
        ["1", "2", "", "", ""],
        ["1", "2", "3", "4", ""],
        ["", "", "6", "", "5"],
    ]


def test_what_an_earlier_report_said_is_left_out(tmp_path: Path) -> None:
    """A corrected errors.csv that fails again says what is wrong now, not what was wrong then."""
    table = written(
        tmp_path,
        [row(1, 2, ["old.csv", "dev", "7", "x"])],
        source(1, "errors.csv", ["_import_file", "Device", " _Import_row ", "Owner"]),
    )

    assert table == [["Device", "Owner"], ["dev", "x"]]


def test_a_sheet_that_was_skipped_adds_no_columns(tmp_path: Path) -> None:
    """The first line of a sheet of notes is no header."""
    notes = source(2, "a.xlsx", ["Please call Bob"], sheet="Notes", rows_read=0)

    assert written(tmp_path, [row(1, 2, ["dev"])], source(1, "a.xlsx", ["Device"]), notes) == [["Device"], ["dev"]]


def test_a_report_without_rows_is_its_header(tmp_path: Path) -> None:
    """So that what reads the file finds its columns."""
    assert written(tmp_path, [], source(1, "a.csv", ["Device"])) == [["Device"]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "'"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(tmp_path: Path, start: str) -> None:
    """In headers, in cells and in what is said of the row; other cells are written as they are."""
    cell = f"{start}cmd|' /C calc'!A0"
    bad = finding(Code.NOT_A_URL, cell, column=cell, value=cell)

    path = tmp_path / "errors.csv"
    bad_row = row(1, 2, [cell, f"x{cell}"], findings=[bad])
    write_input_rows(path, lambda: [bad_row], {1: source(1, cell, [cell, "B"])}, run_id=RUN)

    header, line = read_table(path)
    said = dict(zip(header, line, strict=True))
    assert header[:2] == [f"'{cell}", "B"]
    assert line[:2] == [f"'{cell}", f"x{cell}"]
    assert [said[f"_import_{name}"] for name in ("file", "column", "value", "message")] == [f"'{cell}"] * 4


CELL = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
    | st.sampled_from(
        ["=1+1", "''", "'=", '"', 'a"b', "a\r\nb", "\r", "a,b", "-5", "+49 1", "@x", "\tx", "007", "ü", "\u200e"]
    )
    | st.text("a='; ,\t\n\ufeff-", max_size=9)
)


@given(rows=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5))
def test_an_errors_file_comes_back_as_the_cells_that_were_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    """Whatever is in a cell, the loader reads from errors.csv what it had read from the input."""
    path = tmp_path_factory.mktemp("report") / "errors.csv"
    kept = [row(1, number, cells, findings=[BAD_DATE]) for number, cells in enumerate(rows, 2)]
    write_input_rows(path, lambda: kept, {1: source(1, "a.csv", ["=A", "B", "'C"])}, run_id=RUN)

    (table,) = open_tables(path, LoadOptions())
    read = [each.cells[:3] for chunk in table.chunks for each in chunk.rows]

    assert table.header == ("=A", "B", "'C", *IMPORT_COLUMNS)
    assert read == [tuple(cells) for cells in rows]


def test_what_is_harmless_stays_as_it_is() -> None:
    """Only where a cell begins, or may be split, is there a formula."""
    assert [harmless(cell) for cell in ("", "a=b", "a =1", "7", "a; b", "CN=a,O=b")] == [
        "",
        "a=b",
        "a =1",
        "7",
        "a; b",
        "CN=a,O=b",
    ]


@given(st.lists(st.text(st.sampled_from("ab;,\t\r\n' \u200b\ufeff=+-@\uff1d\x1c\u00a0"))))
def test_a_row_is_harmless_when_each_cell_is(cells: list[str]) -> None:
    """A row is looked at as a whole first, which finds each cell that has to be changed."""
    assert harmless_cells(cells) == [harmless(each) for each in cells]


@pytest.mark.parametrize(
    ("cell", "masked"),
    [
        ("=1", "'=1"),
        ("''", "'''"),
        (" =1", "' =1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("x;=1;y", "x;'=1;y"),
        ("x, \u00a0=1", "x,' \u00a0=1"),
        ("x\n=1", "x\n'=1"),
        ("\t=1", "'\t'=1"),
        ("x;'=1", "x;''=1"),
        ("x;'y", "x;'y"),
    ],
)
def test_a_formula_anywhere_in_a_cell_is_masked_and_unmasked(cell: str, masked: str) -> None:
    """A spreadsheet of another country splits at another sign, and does not see our quotes then."""
    assert (harmless(cell), unmasked((masked,))) == (masked, (cell,))


# --- two columns for one property

SERIAL = "certificateSerialNumber"


def test_a_second_column_of_a_property_stands_apart_from_files_with_one(tmp_path: Path) -> None:
    """Under its own header it would make the rows of the other file invalid when the report comes back."""
    table = written(
        tmp_path,
        [row(1, 2, ["a"]), row(2, 2, ["b", "c"])],
        source(1, "a.csv", ["Serial"], properties=[SERIAL]),
        source(2, "b.csv", ["SN", "serial"], properties=[SERIAL, SERIAL]),
    )

    assert table == [["Serial", "serial (another certificateSerialNumber)"], ["a", ""], ["b", "c"]]


def test_a_second_column_of_a_property_of_all_files_keeps_its_header(tmp_path: Path) -> None:
    """There deleting one of the two mends all rows at once."""
    twice = source(1, "a.csv", ["SN", "Serial"], properties=[SERIAL, SERIAL])

    assert written(tmp_path, [row(1, 2, ["a", "b"])], twice, twice._replace(pk=2)) == [["SN", "Serial"], ["a", "b"]]


# --- the identifiers that stand beside the cells

THUMBPRINT, DEVICE = "certificateThumbprint", "deviceDisplayName"


def identifiers(cells: Sequence[str], *findings: Finding, header: Sequence[str], properties: Sequence[str]) -> object:
    """Return the JSON of `_import_identifiers` of one row, "" where there is none."""
    table = source(1, "a.csv", header, properties=properties)
    *_, cell = import_cells(row(1, 2, cells, findings=findings), table, RUN)
    return json.loads(cell) if cell else cell


def test_the_identifiers_are_those_of_the_first_columns_with_content() -> None:
    """By property, as the cells have them; other columns, empty cells and what is too long for one are not there."""
    header = ("Device", "SN", "Serial", "Thumb", "Owner")
    properties = (DEVICE, SERIAL, SERIAL, THUMBPRINT, "")

    assert identifiers((" Łódź\n", "", "0012", "", "x"), header=header, properties=properties) == {
        DEVICE: " Łódź\n",
        SERIAL: "0012",
    }
    assert identifiers(("x" * 401, " ", "", "", "x"), header=header, properties=properties) == ""


def test_the_identifiers_survive_any_encoding() -> None:
    """They are ASCII: a spreadsheet that saves a file as ANSI changes the cells and not what they are compared with."""
    table = source(1, "a.csv", ["Device"], properties=[DEVICE])

    assert import_cells(row(1, 2, ["Łódź"]), table, RUN)[-1] == '{"deviceDisplayName": "\\u0141\\u00f3d\\u017a"}'


CARRIED = ("SN", "Device", " _Import_Identifiers ")
CARRIED_PROPERTIES = (SERIAL, DEVICE, "")


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (("12", "PC-1"), {SERIAL: "0012", DEVICE: "PC-1"}),  # damaged
        (("", "PC-1"), {SERIAL: "0012", DEVICE: "PC-1"}),  # emptied
        (("4711", "PC-2"), {SERIAL: "4711", DEVICE: "PC-2"}),  # corrected: that has to be compared from now on
        (("0012", "PC-1"), {SERIAL: "0012", DEVICE: "PC-1"}),
    ],
)
def test_a_damaged_identifier_is_told_as_the_first_run_read_it(cells: tuple[str, str], kept: Mapping[str, str]) -> None:
    """However often the row comes back, the text to put back stands there; a corrected one takes its place."""
    carried = json.dumps({SERIAL: "0012", DEVICE: "PC-1", "Owner": "x"})

    assert identifiers((*cells, carried), header=CARRIED, properties=CARRIED_PROPERTIES) == kept


def test_identifiers_of_a_shifted_row_are_not_taken_from_its_cells() -> None:
    """There each cell stands under another column's header."""
    ragged = finding(Code.RAGGED_ROW, "the row has 2 cells and the header 3")
    kept = json.dumps({SERIAL: "0012"})

    assert identifiers(("PC-1", "x", ""), ragged, header=CARRIED, properties=CARRIED_PROPERTIES) == ""
    assert identifiers(("PC-1", "x", kept), ragged, header=CARRIED, properties=CARRIED_PROPERTIES) == {SERIAL: "0012"}


@pytest.mark.parametrize(
    "cell",
    ["x", "[]", "{", '{"a": {"b": 1}}', "[" * 9_000, '{"certificateSerialNumber": 5}', "{" * 7_000, '{"a":' * 1_500],
    ids=["text", "list", "open", "nested", "deep", "number", "braces", "deep objects"],
)
def test_what_is_no_such_json_is_left_alone(cell: str) -> None:
    """The cell can hold anything; the identifiers are then taken from the row."""
    assert identifiers(("12", "PC-1", cell), header=CARRIED, properties=CARRIED_PROPERTIES) == {
        SERIAL: "12",
        DEVICE: "PC-1",
    }


def test_half_a_character_in_that_json_can_be_written_down_again() -> None:
    """JSON can spell what no file can hold."""
    cell = '{"certificateSerialNumber": "\\ud800"}'

    assert identifiers(("", "", cell), header=CARRIED, properties=CARRIED_PROPERTIES) == {SERIAL: "?"}


# --- created.csv


def test_created_rows_are_written_as_they_were_sent_with_their_id(tmp_path: Path) -> None:
    """Each property of the edition, empty where it was not sent, then the profile's id and type, then ours."""
    path = tmp_path / "created.csv"
    body = {"@odata.type": "#x", "devicePlatform": "iOS", "deviceDisplayName": "=1", "certificateKeyLength": 2048}
    created = row(1, 7, None, state=State.CREATED, findings=[ODD_LENGTH], answer=Answer(201, "id-1", request_id="r"))
    sources = {1: source(1, "a.csv", ["Device"])}

    count = write_sent_rows(
        path, [created._replace(body=json.dumps(body).encode(), attempts=1)], sources, EDITIONS["1706"], run_id=RUN
    )

    header, line = read_table(path)
    names = [each.name for each in EDITIONS["1706"].properties]
    sent = {"devicePlatform": "iOS", "deviceDisplayName": "'=1", "certificateKeyLength": "2048"}
    odd = ["key-length-unusual", "Length", "4", "4 bits", "write a date"]
    assert count == 1
    assert header == [*names, "deviceConfigurationId", "profileType", *IMPORT_COLUMNS]
    assert line == [
        *(sent.get(name, "") for name in names),
        *("6a1f", "scep", RUN, "a.csv", "7", "", "created", *odd, "201", "", "r", "1", "id-1"),
        '{"deviceDisplayName": "=1"}',
    ]


def test_a_created_file_without_rows_is_its_header(tmp_path: Path) -> None:
    """Nothing created is a file with columns and no rows."""
    assert write_sent_rows(tmp_path / "created.csv", [], {}, EDITIONS["current"], run_id=RUN) == 0
    assert len(read_table(tmp_path / "created.csv")) == 1
