"""From files to a plan: every row that was read is accounted for once, whatever stands in the files."""

import csv
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from import_cases import HEADER, PLATFORMS, Site, cells_of, config_of, devices, read_csv, totals_of
from openpyxl import Workbook

from pipeline.columns import match_columns
from pipeline.errors import ExitCode, SourceError
from pipeline.findings import Code, Severity
from pipeline.ingest import judge_rows, rules_of
from pipeline.interrupt import TerminatedError, deferred_signals
from pipeline.load import LoadOptions, open_tables
from pipeline.model import StagedRow
from pipeline.returned import NEVER_SEEN_AGAIN, own_columns
from pipeline.run import import_files, validate_files
from pipeline.simulator import RunningSimulator, SimulatorSettings, running

SAMPLES = Path(__file__).parents[1] / "sample_data"


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """Write the rows of any width as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def write_workbook(path: Path, sheets: dict[str, Sequence[Sequence[str]]]) -> Path:
    """Write a workbook whose cells are all text."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def table_of(rows: Sequence[dict[str, str]]) -> list[list[str]]:
    """Return the rows below the header of edition 1706."""
    return [list(HEADER), *([row[name] for name in HEADER] for row in rows)]


# --- the conservation law

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
DEVICE = st.builds(
    lambda number, platform, user: list(
        cells_of(number, devicePlatform=platform, userDisplayName=user).values()
    ),  # few devices, so that duplicates and conflicts are common
    st.integers(1, 4),
    st.sampled_from(PLATFORMS[:2]),
    st.sampled_from(["Erika", "Max"]),
)


@st.composite
def damaged(draw: st.DrawFn) -> list[str]:
    """A device's row with one cell replaced, lost, added or cut off."""
    row = draw(DEVICE)
    at = draw(st.integers(0, len(row) - 1))
    match draw(st.sampled_from(["replaced", "lost", "added", "cut off"])):
        case "replaced":
            row[at] = draw(CELL)
        case "lost":
            del row[at]
        case "added":
            row.insert(at, draw(CELL))
        case _:
            row = row[:at]
    return row


BLANK = st.lists(st.sampled_from(["", " ", "\t", "\u00a0"]), max_size=len(HEADER) + 2)
ANY_ROW = st.one_of(DEVICE, DEVICE, damaged(), BLANK, st.lists(CELL, max_size=len(HEADER) + 2))
COLUMNS = st.one_of(st.just(HEADER), st.permutations(HEADER), st.permutations((*HEADER, "Owner", "owner")))
FILE = st.tuples(COLUMNS, st.lists(ANY_ROW, max_size=12))


def rows_in(path: Path) -> int:
    """Count the rows below the header with the csv module alone, without those that are blank at the end."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    while rows and not "".join(rows[-1]).strip():
        rows.pop()
    return len(rows)


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    """One simulator for all examples; each has profiles of its own in it."""
    with running(SimulatorSettings(quota=1_000_000, tenant_quota=1_000_000)) as simulator:
        yield simulator


EXAMPLES = count(1)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(tables=st.lists(FILE, min_size=1, max_size=3))
def test_each_row_that_was_read_is_accounted_for_once(
    tables: list[tuple[Sequence[str], list[list[str]]]],
    tmp_path_factory: pytest.TempPathFactory,
    simulator: RunningSimulator,
) -> None:
    """For any tables: rows read = sum of the totals; what is valid is created, once; again nothing is created."""
    example = f"{next(EXAMPLES):08}-1111-4000-8000-"
    profile_of = {platform: f"{example}{number:012}" for number, platform in enumerate(PLATFORMS)}
    site = Site(tmp_path_factory.mktemp("any"), config_of(profile_of))
    paths = [
        write_table(site.folder / f"{number}.csv", [header, *rows]) for number, (header, rows) in enumerate(tables)
    ]
    rows_read = [rows_in(path) for path in paths]

    checked = site.validated(*paths)
    imported = site.imported(simulator.service_root, *paths)
    again = site.imported(simulator.service_root, *paths)

    collections = [each for each in simulator.state().collections if example in each.collection]
    valid = totals_of(checked).pop("valid", 0)
    bad = {name: rows for name, rows in totals_of(checked).items() if name != "valid"}
    created, there = ({name: valid} if valid else {} for name in ("created", "already there"))
    for finished in (checked, imported, again):
        assert [each.rows_read for each in finished.summary.sources] == rows_read
        assert sum(total.rows for total in finished.summary.totals) == sum(rows_read)
        assert finished.summary.is_balanced
    assert (totals_of(imported), totals_of(again)) == (bad | created, bad | there)
    assert (sum(each.objects for each in collections), sum(each.duplicates for each in collections)) == (valid, 0)


# --- several files, one key space


def test_several_files_are_one_key_space(site: Site) -> None:
    """A row that stands in two files is sent once; rows that contradict each other are not, and name each other."""
    first = site.write("first.csv", devices(3))
    second = site.write("second.csv", [cells_of(2), cells_of(3, userDisplayName="Max"), cells_of(4)])

    finished = site.validated(first, second)

    assert totals_of(finished) == {"duplicate": 1, "conflicting": 2, "valid": 3}
    rows = {row["_import_file"] + row["_import_row"]: row for row in read_csv(finished.folder / "errors.csv")}
    differs = "it differs in userDisplayName"
    assert {place: row["_import_message"] for place, row in rows.items()} == {
        f"{first}4": f"another description of the same certificate stands in {second}, row 3; {differs}",
        f"{second}3": f"another description of the same certificate stands in {first}, row 4; {differs}",
    }


def test_the_same_file_twice_in_one_call_is_sent_once(site: Site) -> None:
    """A file that is named twice gives duplicates, not objects."""
    file = site.write("inventory.csv", devices(3))

    assert totals_of(site.validated(file, file)) == {"duplicate": 3, "valid": 3}


# --- sheets


def test_all_sheets_of_a_workbook_are_read(site: Site) -> None:
    """Each sheet with a header is a source of its own; a sheet without one is told and left out."""
    path = write_workbook(
        site.folder / "inventory.xlsx",
        {
            "Phones": table_of(devices(2)),
            "Notes": [["Exported on Monday"], ["by Erika"]],
            "Macs": table_of(devices(2, first=3, devicePlatform="macOS")),
        },
    )

    finished = site.validated(path)

    assert totals_of(finished) == {"valid": 4}
    assert sorted((each.sheet, each.rows_read) for each in finished.summary.sources) == [
        ("Macs", 2),
        ("Notes", 0),
        ("Phones", 2),
    ]
    assert [(cause.code, cause.examples[0].message) for cause in finished.summary.causes] == [
        ("skipped-sheet", "sheet Notes was not read, about 1 rows: its row 1 names no known column")
    ]
    assert finished.exit_code is ExitCode.INVALID


def test_a_sheet_of_one_line_misses_no_row(site: Site) -> None:
    """A sheet with a line of text and nothing below it is a warning."""
    sheets = {"Phones": table_of(devices(2)), "Notes": [["Exported on Monday"]]}

    finished = site.validated(write_workbook(site.folder / "inventory.xlsx", sheets))

    assert (finished.exit_code, [cause.severity for cause in finished.summary.causes]) == (ExitCode.OK, ["warning"])


def test_an_error_about_a_file_without_rows_is_no_success(site: Site) -> None:
    """A header that lacks required columns ends with 3, also where no row stands below it."""
    file = write_table(site.folder / "inventory.csv", [["devicePlatform"]])

    assert site.validated(file).exit_code is ExitCode.INVALID


def test_only_the_chosen_sheet_is_read(site: Site) -> None:
    """--sheet leaves the others alone."""
    path = write_workbook(
        site.folder / "inventory.xlsx",
        {"Phones": table_of(devices(2)), "Macs": table_of(devices(3, first=3, devicePlatform="macOS"))},
    )

    finished = site.validated(path, load=LoadOptions(sheets=("Macs",)))

    assert [(each.sheet, each.rows_read) for each in finished.summary.sources] == [("Macs", 3)]


def test_a_chosen_sheet_without_a_header_is_refused(site: Site) -> None:
    """A sheet that was asked for by name is not silently left out."""
    path = write_workbook(
        site.folder / "inventory.xlsx", {"Phones": table_of(devices(2)), "Notes": [["Exported on Monday"]]}
    )

    with pytest.raises(SourceError) as refused:
        site.validated(path, load=LoadOptions(sheets=("Phones", "Notes")))

    assert str(refused.value) == (
        f"{path}, sheet Notes: no header: none of the cells of row 1 is a known column (Exported on Monday); the first "
        "row must name columns such as devicePlatform and deviceDisplayName, or yours must be named under `columns:` "
        "in config.yaml"
    )


def test_a_file_without_a_known_column_is_refused(site: Site) -> None:
    """A text file whose first row names no property is no inventory."""
    path = write_table(site.folder / "i.csv", [["iOS", "PHONE-0001"], ["iOS", "PHONE-0002"]])

    with pytest.raises(SourceError, match=r"i\.csv: no header: none of the cells of row 1 is a known column \(iOS, "):
        site.validated(path)


def test_the_sample_files_are_what_they_claim(site: Site) -> None:
    """The sample inventories are valid throughout: 250 rows of CSV, and a workbook of two sheets."""
    site.config = (SAMPLES / "config.yaml").read_text("utf-8")

    finished = site.validated(SAMPLES / "inventory.csv", SAMPLES / "inventory.xlsx")

    csv_file, *sheets = finished.summary.sources
    assert (csv_file.rows_read, len(sheets), min(each.rows_read for each in sheets) > 0) == (250, 2, True)
    assert finished.exit_code is ExitCode.OK


# --- findings about the whole file


def test_a_missing_required_column_is_said_once(site: Site) -> None:
    """Without a required column all rows are invalid, and there is one finding for the file, not one for each row."""
    header = [name for name in HEADER if name != "serverUrl"]
    rows = [{name: row[name] for name in header} for row in devices(20)]

    finished = site.validated(site.write("inventory.csv", rows, header))

    assert totals_of(finished) == {"invalid": 20}
    assert [(cause.code, cause.column) for cause in finished.summary.causes] == [("missing-column", "serverUrl")]


@pytest.mark.parametrize(
    "cure",
    ["defaults: {serverUrl: https://ndes.contoso.com/scep}\n", "optional: [serverUrl]\n"],
    ids=["a default", "optional"],
)
def test_the_cures_of_a_missing_column(site: Site, cure: str) -> None:
    """`defaults:` and `optional:` make a file valid that lacks the column."""
    header = [name for name in HEADER if name != "serverUrl"]
    rows = [{name: row[name] for name in header} for row in devices(3)]
    site.config += cure

    assert totals_of(site.validated(site.write("inventory.csv", rows, header))) == {"valid": 3}


def test_a_header_and_nothing_else_is_a_finding(site: Site) -> None:
    """A file without rows is no error, and is told."""
    finished = site.validated(site.write("inventory.csv", [], HEADER))

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {})
    assert [cause.code for cause in finished.summary.causes] == ["no-rows"]


def test_strict_makes_errors_of_warnings(site: Site) -> None:
    """The example row of the page has warnings only; --strict refuses it for them."""
    file = SAMPLES / "seed-example.csv"

    assert (totals_of(site.validated(file)), totals_of(site.validated(file, is_strict=True))) == (
        {"valid": 1},
        {"invalid": 1},
    )


def test_strict_holds_for_columns_too(site: Site) -> None:
    """An unknown column is a warning about the whole file; --strict refuses the file's rows for it."""
    file = site.write("inventory.csv", [cells_of(1) | {"Owner": "IT"}])

    assert (totals_of(site.validated(file)), totals_of(site.validated(file, is_strict=True))) == (
        {"valid": 1},
        {"invalid": 1},
    )


# --- rows that do not fit the header


def test_a_shifted_row_is_refused_with_all_its_cells(site: Site) -> None:
    """A row with a cell too many or too few is invalid for that alone, and errors.csv keeps every cell of it."""
    table = table_of(devices(3))
    table[2].insert(3, "surplus")
    del table[3][0]

    finished = site.validated(write_table(site.folder / "inventory.csv", table))

    assert totals_of(finished) == {"invalid": 2, "valid": 1}
    with (finished.folder / "errors.csv").open(encoding="utf-8-sig", newline="") as file:
        _, longer, shorter = csv.reader(file)
    assert longer[:14] == table[2]
    assert shorter[:12] == table[3]
    assert [cause.code for cause in finished.summary.causes] == ["ragged-row"]


def test_a_shifted_row_is_not_mended_by_writing_it_down(site: Site) -> None:
    """errors.csv gives a shifted row the header's width; it stays invalid until somebody says that it was mended."""
    table = table_of(devices(1))
    table[1].insert(3, "surplus")
    first = site.validated(write_table(site.folder / "inventory.csv", table))
    report = read_csv(first.folder / "errors.csv")

    untouched = site.validated(site.write("untouched.csv", report))
    mended = site.validated(site.write("mended.csv", [cells_of(1) | {"_import_code": ""}]))

    assert (totals_of(untouched), totals_of(mended)) == ({"invalid": 1}, {"valid": 1})


def test_a_shifted_row_of_a_file_with_an_error_is_not_mended_either(site: Site) -> None:
    """A file's error stands with each of its rows in errors.csv, and hides no damage of a row."""
    table = table_of(devices(2))
    table[0].append("Notes")
    table[1].append("")
    del table[2][3]
    table[2].append("")
    first = site.validated(write_table(site.folder / "inventory.csv", table), is_strict=True)
    codes = [row["_import_code"] for row in read_csv(first.folder / "errors.csv")]

    again = site.validated(first.folder / "errors.csv")

    assert codes == ["unknown-column", "unknown-column; ragged-row"]
    assert totals_of(again) == {"invalid": 1, "valid": 1}


def test_a_long_number_is_no_name(site: Site) -> None:
    """A spreadsheet keeps 15 digits of a number: a longer one is refused as a device's name, a shorter one is not."""
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(list(HEADER))
    for number, name in ((1, 12345678901234567890), (2, 4711)):
        sheet.append([*(cells_of(number) | {"deviceDisplayName": name}).values()])
    workbook.save(site.folder / "inventory.xlsx")

    finished = site.validated(site.folder / "inventory.xlsx")

    assert totals_of(finished) == {"invalid": 1, "valid": 1}
    assert [(cause.code, cause.column) for cause in finished.summary.causes] == [
        ("numeric-identifier", "deviceDisplayName"),
        ("number-as-text", "deviceDisplayName"),
    ]


def test_what_was_sent_is_not_changed_again(site: Site) -> None:
    """created.csv holds values as they were sent: given back, no value map, template or `serial:` is done twice."""
    site.config += "serial: decimal\nvalues: {certificateProfileDisplayName: {Corp SCEP: A, A: B}}\n"
    site.config += "templates: {devicePlatform: iOS}\n"
    cells = cells_of(1, certificateSerialNumber=str(0x1234))
    del cells["devicePlatform"]
    with running(SimulatorSettings()) as simulator:
        path = site.write("inventory.csv", [cells])
        first = site.imported(simulator.service_root, path)
        again = site.imported(simulator.service_root, first.folder / "created.csv")

        (entity,) = (each.entity for each in simulator.objects())
    assert (entity["certificateSerialNumber"], entity["certificateProfileDisplayName"]) == ("1234", "A")
    assert totals_of(again) == {"already there": 1}


def test_a_number_that_was_an_identifier_is_not_mended_by_writing_it_down(site: Site) -> None:
    """errors.csv shows a damaged serial number as text; it stays invalid until somebody says that it was mended."""
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(list(HEADER))
    sheet.append([*(cells_of(1) | {"certificateSerialNumber": 123456789012345678}).values()])
    workbook.save(site.folder / "inventory.xlsx")
    first = site.validated(site.folder / "inventory.xlsx")

    again = site.validated(first.folder / "errors.csv")

    assert [(cause.code, cause.column) for cause in first.summary.causes] == [
        ("numeric-identifier", "certificateSerialNumber")
    ]
    assert [(cause.code, cause.column) for cause in again.summary.causes] == [("numeric-identifier", "_import_code")]
    assert totals_of(again) == {"invalid": 1}


@pytest.mark.parametrize("code", NEVER_SEEN_AGAIN)
@pytest.mark.parametrize("cell", ["{}", "unknown-member; {}", "{}; not-a-url"])
def test_damage_that_cells_cannot_show_is_not_mended_by_writing_it_down(site: Site, code: Code, cell: str) -> None:
    """A row that carries such a code in errors.csv stays invalid until somebody empties the cell, whatever it holds."""
    message, cure = NEVER_SEEN_AGAIN[code]
    rows = [cells_of(1) | {"_import_code": cell.format(code)}, cells_of(2) | {"_import_code": "not-a-url"}]

    kept, free = staged(site, site.write("errors.csv", rows))

    assert [(each.code, each.severity, each.message, each.column, each.hint) for each in kept.findings] == [
        (code, Severity.ERROR, message, "_import_code", f"{cure}, then empty the row's cell _import_code")
    ]
    assert (kept.request, free.request is not None, free.findings) == (None, True, ())


# --- what the rules do on the way


def staged(
    site: Site, path: Path, *, chunk_rows: int = 5_000, is_strict: bool = False, repairs: bool = True
) -> list[StagedRow]:
    """Return the file's rows as they are judged, in chunks of that size."""
    rules = rules_of(site.job().settings, is_strict=is_strict, repairs=repairs)
    rows: list[StagedRow] = []
    for table in open_tables(path, LoadOptions(chunk_rows=chunk_rows)):
        columns = match_columns(
            table.header,
            rules.edition,
            aliases=rules.aliases,
            required=rules.required_columns,
            templates=rules.templates,
        )
        assert columns is not None
        for chunk in table.chunks:
            rows += judge_rows(chunk.rows, columns, rules, own_columns(table.header))
    return rows


def codes_of(row: StagedRow) -> list[tuple[str, str, str]]:
    """Return the findings of a row: code, severity and value."""
    return [(each.code, each.severity, each.value) for each in row.findings]


MIXED = (
    cells_of(1, devicePlatform="iPhone", certificateSerialNumber="00:a7"),
    cells_of(2, devicePlatform="Windows"),
    cells_of(3, devicePlatform="iPhone", certificateKeyLength="2048 bit"),
    cells_of(4, certificateExpirationDateTime="03/04/2027"),
    cells_of(5, deviceDisplayName="\u200ePHONE-0005", serverUrl="nowhere"),
    cells_of(6, userDisplayName=" Erika ", devicePlatform="iPhone"),
    cells_of(7, certificateThumbprint="1.23E+18"),
)


@pytest.mark.parametrize("chunk_rows", [1, 2, 3])
def test_chunks_do_not_matter(site: Site, chunk_rows: int) -> None:
    """Whatever rows are read together, each row's findings and body are the same, and the order is the file's."""
    table = table_of(MIXED)
    table.insert(3, ["x"])
    table.insert(6, [*table[1], "surplus"])
    path = write_table(site.folder / "inventory.csv", table)

    rows = staged(site, path)

    assert staged(site, path, chunk_rows=chunk_rows) == rows
    assert [row.row_number for row in rows] == list(range(2, 11))
    assert [row.request is not None for row in rows] == [True, False, False, True, False, False, False, True, False]


def test_damaged_rows_keep_their_place(site: Site) -> None:
    """Rows with broken quotes and of another width stand between good ones, and shift no finding to a neighbour."""
    line = ",".join(cells_of(1).values())
    good = line.replace("iOS", "iPhone")
    lines = [",".join(HEADER), good, "iOS,x", good, f'"iOS"x,{line}', f"{line},y", good, line.replace("iOS", "Windows")]
    path = site.folder / "inventory.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")

    rows = staged(site, path)

    changed = [("platform-synonym", "info", "iPhone")]
    assert [(row.row_number, row.platform, [code for code, _, _ in codes_of(row)]) for row in rows] == [
        (2, "iOS", ["platform-synonym"]),
        (3, "", ["ragged-row"]),
        (4, "iOS", ["platform-synonym"]),
        (5, "", ["broken-quotes"]),
        (6, "", ["ragged-row"]),
        (7, "iOS", ["platform-synonym"]),
        (8, "", ["ambiguous-platform"]),
    ]
    assert [codes_of(row) for row in rows if row.request] == [changed] * 3


def test_strict_leaves_certain_changes_alone(site: Site) -> None:
    """Warnings become errors; what a rule did for certain, or as declared, stays `info` and passes."""
    path = site.write("inventory.csv", [MIXED[0], cells_of(2, devicePlatform="IOS"), cells_of(3)])

    certain, doubtful, clean = staged(site, path, is_strict=True)

    assert codes_of(certain) == [("platform-synonym", "info", "iPhone"), ("hex-form", "info", "00:a7")]
    assert codes_of(doubtful) == [("letter-case", "error", "IOS")]
    assert [row.request is not None for row in (certain, doubtful, clean)] == [True, False, True]


def test_a_finding_shows_the_value_as_the_file_has_it(site: Site) -> None:
    """What validation says of a repaired value names the text that stands in the file, so that it can be found."""
    odd = {"certificateThumbprint": "\u200eaf:c6", "certificateKeyLength": "0x200", "serverUrl": " nowhere\u00a0"}

    (row,) = staged(site, site.write("inventory.csv", [cells_of(1, **odd)]))

    assert {each.column: each.value for each in row.findings if each.code in {"not-a-url", "key-length-unusual"}} == {
        "serverUrl": " nowhere\u00a0",
        "certificateKeyLength": "0x200",
    }
    assert [each.value for each in row.findings if each.code is Code.THUMBPRINT_SHAPE] == ["\u200eaf:c6"]
    assert row.cells == tuple(cells_of(1, **odd).values())


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("devicePlatform", "Windows", "ambiguous-platform"),
        ("certificateKeyUsage", "c0", "unknown-member"),
        ("certificateKeyLength", "#REF!", "error-cell"),
        ("serverUrl", "#N/A", "error-cell"),
        ("certificateExpirationDateTime", "03/04/2027", "ambiguous-date"),
        ("certificateExpirationDateTime", "2027-04-03", "not-a-date-time"),
        ("certificateSerialNumber", "1.23E+18", "float-identifier"),
        ("deviceDisplayName", "Z\ufffdrich", "lost-character"),
    ],
)
@pytest.mark.parametrize("repairs", [True, False], ids=["repairs", "no-repairs"])
def test_a_refused_value_has_one_error(site: Site, name: str, text: str, code: str, *, repairs: bool) -> None:
    """What a rule refuses is refused by validation no second time, and is told with and without repairs."""
    (row,) = staged(site, site.write("inventory.csv", [cells_of(1, **{name: text})]), repairs=repairs)

    errors = [each.code for each in row.findings if each.severity is Severity.ERROR]
    assert (row.request, len(errors)) == (None, 1)
    # Without repairs no date is read, so a date that can be read in two ways is merely not in the API's form.
    assert errors == [code if repairs or code != "ambiguous-date" else "not-a-date-time"]


def test_without_repairs_nothing_but_the_declared_is_done(site: Site) -> None:
    """`--no-repair` sends what the file has, or refuses it; `values:` and `defaults:` still count."""
    site.config += "values: {devicePlatform: {Phone: iOS}}\ndefaults: {userDisplayName: nobody}\n"
    rows = [
        cells_of(1, devicePlatform="phone", userDisplayName="", certificateSerialNumber="00:a7"),
        cells_of(2, devicePlatform="iPhone"),
    ]

    mapped, refused = staged(site, site.write("inventory.csv", rows), repairs=False)

    assert codes_of(mapped) == [
        ("value-map", "info", "phone"),
        ("default-value", "info", ""),
        ("serial-number-shape", "warning", "00:a7"),
    ]
    assert mapped.request is not None
    assert b'"certificateSerialNumber":"00:a7"' in mapped.request.body
    assert (codes_of(refused), refused.request) == ([("unknown-member", "error", "iPhone")], None)


def test_a_default_for_an_absent_column_is_told_once(site: Site) -> None:
    """What `defaults:` gives to every row is told with the file, and with a row only where its cell is empty."""
    site.config += "defaults: {serverUrl: https://ndes.contoso.com/scep, userDisplayName: nobody}\n"
    rows = [cells_of(1), cells_of(2, userDisplayName=""), cells_of(3)]
    for row in rows:
        del row["serverUrl"]

    finished = site.validated(site.write("inventory.csv", rows))

    assert totals_of(finished) == {"valid": 3}
    assert [
        (cause.code, cause.column, cause.rows, cause.severity, cause.examples[0].message)
        for cause in finished.summary.causes
    ] == [
        ("default-value", "userDisplayName", 1, "info", "(empty) -> nobody"),
        (
            "declared-value",
            "serverUrl",
            0,
            "info",
            "serverUrl is https://ndes.contoso.com/scep in every row, as `defaults:` declares",
        ),
    ]


def test_a_template_makes_up_for_a_column(site: Site) -> None:
    """A property that `templates:` makes needs no column, and an empty cell of it makes the value missing."""
    site.config += 'templates: {certificateIssuer: "CN={Issuer}, OU={CA:}"}\n'
    rows = [cells_of(1) | {"Issuer": "Contoso CA", "CA:": "PKI"}, cells_of(2) | {"Issuer": "Contoso CA", "CA:": ""}]
    for row in rows:
        del row["certificateIssuer"]

    whole, half = staged(site, site.write("inventory.csv", rows))

    assert whole.request is not None
    assert b'"certificateIssuer":"CN=Contoso CA, OU=PKI"' in whole.request.body
    assert codes_of(half) == [("missing-value", "error", "")]


# --- how it is read


@pytest.mark.parametrize("chunk_rows", [1, 2, 7, 5_000])
def test_the_size_of_chunks_changes_nothing(site: Site, chunk_rows: int) -> None:
    """Rows, blank rows and row numbers are the same however much is read at a time."""
    table = table_of(devices(4))
    table[2:2] = [[], [""] * len(HEADER)]
    table[4][11] = "many"
    file = write_table(site.folder / "inventory.csv", table)

    finished = site.validated(file, load=LoadOptions(chunk_rows=chunk_rows))

    assert totals_of(finished) == {"blank": 2, "invalid": 1, "valid": 3}
    assert [row["_import_row"] for row in read_csv(finished.folder / "errors.csv")] == ["5"]


def test_reading_tells_how_far_it_is(site: Site) -> None:
    """Progress counts the rows of all files and never says more rows were read than are expected."""
    files = [site.write("a.csv", devices(3)), site.write("b.csv", devices(2, first=4))]

    site.validated(*files, load=LoadOptions(chunk_rows=2))

    assert [rows for rows, _ in site.reading] == [2, 3, 5]
    assert all(rows <= expected for rows, expected in site.reading)


@pytest.mark.parametrize(
    ("number", "problem"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, TerminatedError)], ids=["int", "term"]
)
def test_a_signal_while_reading_is_no_problem_of_the_file(
    site: Site, number: signal.Signals, problem: type[BaseException]
) -> None:
    """It ends the run between two chunks, and the handlers are what they were before."""
    file = site.write("inventory.csv", devices(3))
    job = site.job()
    before = signal.getsignal(number)

    with pytest.raises(problem) as raised:
        validate_files([file], replace(job, watch=job.watch._replace(reading=lambda *_: signal.raise_signal(number))))

    assert raised.type is problem
    assert signal.getsignal(number) is before
    assert list((site.folder / "runs").iterdir()) == []


def test_a_second_signal_is_no_problem_of_the_file_either() -> None:
    """It raises at once, and what a library makes of that on the way is not what the user is told."""

    def read() -> None:
        with deferred_signals():
            signal.raise_signal(signal.SIGINT)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as problem:
                raise SourceError("the file can be read in two ways") from problem

    with pytest.raises(KeyboardInterrupt):
        read()


def test_ctrl_c_while_reading_leaves_nothing_behind(site: Site) -> None:
    """An import that is interrupted before its plan stands has no run, no row, no folder, and sent nothing."""
    file = site.write("inventory.csv", devices(3))

    def interrupted(_rows: int, _expected: int) -> None:
        raise KeyboardInterrupt

    with running(SimulatorSettings()) as simulator:
        job = site.job(simulator.service_root)
        with pytest.raises(KeyboardInterrupt):
            import_files([file], replace(job, watch=job.watch._replace(reading=interrupted)))
        assert simulator.state().requests == 0

    assert site.select("SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM rows)") == [(0, 0)]
    assert list((site.folder / "runs").iterdir()) == []


def test_a_dry_run_finds_repeats_however_they_are_written(site: Site) -> None:
    """Without repairs a thumbprint in lower case is the same certificate, in a dry run as in an import."""
    path = site.write("inventory.csv", [cells_of(1, certificateThumbprint=text * 20) for text in ("ab", "AB")])

    totals = site.validated(path, repairs=False).summary.totals

    assert [(total.label, total.rows) for total in totals if total.rows] == [("duplicate", 1), ("valid", 1)]


def test_a_dry_run_finds_repeats_in_a_workbook(site: Site) -> None:
    """Rows that hold a name as a number are told for that, and compared like the others."""
    book = Workbook()
    sheet = book.active
    row = cells_of(1)
    sheet.append(list(row))
    for name in (1000, 1000, "PC-1", "PC-1"):
        sheet.append([name if key == "deviceDisplayName" else text for key, text in row.items()])
    book.save(site.folder / "inventory.xlsx")

    totals = site.validated(site.folder / "inventory.xlsx").summary.totals

    assert [(total.label, total.rows) for total in totals if total.rows] == [("duplicate", 2), ("valid", 2)]
