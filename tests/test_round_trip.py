"""errors.csv goes to somebody who mends it, by whatever program, and comes back: nothing lost, doubled or damaged."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from import_cases import Site, cells_of, devices, devices_of, read_csv, report_of, totals_of, write_csv
from openpyxl import Workbook, load_workbook

from pipeline.load import LoadOptions
from pipeline.model import CAUSES_HEADER, CUT_MARK
from pipeline.report import HISTORY_FILE, read_history
from pipeline.returned import MOST_PARENTS, RUN_ID
from pipeline.run import Finished
from pipeline.session import new_run_id
from pipeline.simulator import Fault, SimulatorSettings, running
from pipeline.undo import undo_run

Rows = list[dict[str, str]]

SERIAL, THUMBPRINT, DEVICE = "certificateSerialNumber", "certificateThumbprint", "deviceDisplayName"
EXPIRES = "certificateExpirationDateTime"
GOOD_DATE = "2027-11-23T08:49:13Z"


def to_mend(finished: Finished, name: str = "errors.csv") -> Rows:
    """Return the rows of a report as a spreadsheet shows them."""
    return read_csv(finished.folder / name)


def parents_of(finished: Finished) -> list[tuple[str, ...]]:
    """Return the parents of each source."""
    return [each.parents for each in finished.summary.sources]


def told(finished: Finished) -> list[tuple[str, str, str]]:
    """Return code, severity and column of each cause."""
    return [(each.code, each.severity, each.column) for each in finished.summary.causes]


def mixed(site: Site) -> Path:
    """Write an inventory of two rows that can be created and two that are invalid."""
    bad_date, bad_platform = cells_of(3, **{EXPIRES: "soon"}), cells_of(4, devicePlatform="Windows")
    return site.write("inventory.csv", [*devices(2), bad_date, bad_platform])


def mended(rows: Sequence[Mapping[str, str]]) -> Rows:
    """Return the rows of `mixed` with what was wrong corrected."""
    cures = {"PHONE-0003": {EXPIRES: GOOD_DATE}, "PHONE-0004": {"devicePlatform": "windows10AndLater"}}
    return [{**row, **cures.get(row[DEVICE], {})} for row in rows]


# --- there and back


def test_corrected_rows_are_created_and_all_others_skipped(site: Site) -> None:
    """Invalid and rejected rows are sent once they are mended; nothing of the report's own columns is sent or told."""
    file = mixed(site)
    with running(SimulatorSettings(script=(Fault.UNPROCESSABLE_422,))) as simulator:
        first = site.imported(simulator.service_root, file)
        report = to_mend(first)
        cured = [row | {"userDisplayName": "Max Example"} for row in mended(report)]
        second = site.imported(simulator.service_root, site.write("corrected.csv", cured))
        third = site.imported(simulator.service_root, first.folder / "created.csv", second.folder / "created.csv")
        bodies = [each.entity for each in simulator.objects()]

    assert totals_of(first) == {"invalid": 2, "rejected": 1, "created": 1}
    assert (totals_of(second), told(second)) == ({"created": 3}, [])
    assert (totals_of(third), told(third)) == ({"already there": 4}, [])
    assert devices_of(bodies) == ["PHONE-0001", "PHONE-0002", "PHONE-0003", "PHONE-0004"]
    assert not any(name.startswith("_import_") for body in bodies for name in body)
    assert (parents_of(first), parents_of(second)) == ([()], [(first.summary.run.id,)])
    assert parents_of(third) == [(first.summary.run.id,), (second.summary.run.id,)]


def test_a_corrected_copy_of_the_whole_file_sends_what_is_missing(site: Site) -> None:
    """Whoever mends the inventory itself doubles nothing, and names no parent."""
    file = mixed(site)
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, file)
        again = site.imported(simulator.service_root, write_csv(file, mended(read_csv(file))))
        state = simulator.state()

    assert (totals_of(again), state.duplicates) == ({"already there": 2, "created": 2}, 0)
    assert parents_of(again) == [()]


def test_the_report_of_a_dry_run_comes_back_by_itself(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The ledger knows nothing of a dry run; its errors.csv, mended elsewhere, names it all the same."""
    checked = site.validated(mixed(site))
    elsewhere = Site(tmp_path_factory.mktemp("elsewhere"))
    corrected = elsewhere.write("corrected.csv", mended(to_mend(checked)))

    with running(SimulatorSettings()) as simulator:
        imported = elsewhere.imported(simulator.service_root, corrected)

    assert (totals_of(imported), told(imported)) == ({"created": 2}, [])
    assert parents_of(imported) == [(checked.summary.run.id,)]


def test_a_corrected_report_with_a_doubled_row_still_names_the_run_it_corrects(site: Site) -> None:
    """A dry run reads rows that repeat once more, and remembers where all of them come from."""
    first = site.validated(mixed(site))
    corrected = mended(to_mend(first))

    again = site.validated(site.write("errors.csv", [*corrected, corrected[0]]))

    assert (totals_of(again), parents_of(again)) == ({"valid": 2, "duplicate": 1}, [(first.summary.run.id,)])


def test_every_report_of_the_new_run_names_the_one_that_it_corrects(site: Site) -> None:
    """The page, report.json and the history; where there is something to mend the page leads to errors.xlsx."""
    first = site.validated(mixed(site))
    again = site.validated(site.write("errors.csv", mended(to_mend(first))))
    pages = [(each.folder / "report.html").read_text("utf-8") for each in (first, again)]
    run_id = first.summary.run.id

    assert (first.summary.corrects, again.summary.corrects) == ((), (run_id,))
    assert ["<dt>Corrects</dt>" in page and run_id in page for page in pages] == [False, True]
    assert ['<a href="errors.xlsx">errors.xlsx</a>, its bad cells' in page for page in pages] == [True, False]
    assert [each["parents"] for each in report_of(again)["files"]] == [[run_id]]
    assert [each.parent_id for each in read_history(again.folder.parent / HISTORY_FILE)] == ["", run_id]


def test_what_is_still_wrong_comes_back_once_more(site: Site) -> None:
    """The second report names the second run, and the third run names that."""
    first = site.validated(mixed(site))
    half = [row if row[DEVICE] == "PHONE-0003" else mended([row])[0] for row in to_mend(first)]

    second = site.validated(site.write("half.csv", half))
    (row,) = to_mend(second)
    third = site.validated(site.write("whole.csv", mended([row])))

    assert (row["_import_run"], row["_import_code"]) == (second.summary.run.id, "not-a-date-time")
    assert [*row].count("_import_run") == 1
    assert (parents_of(second), parents_of(third)) == ([(first.summary.run.id,)], [(second.summary.run.id,)])
    assert totals_of(third) == {"valid": 1}


def test_an_undo_of_a_corrected_run_works(site: Site) -> None:
    """Its sources are copied with all they have."""
    first = site.validated(mixed(site))
    with running(SimulatorSettings()) as simulator:
        second = site.imported(simulator.service_root, site.write("corrected.csv", mended(to_mend(first))))
        undone = undo_run(second.summary.run.id, site.job(simulator.service_root), include_adopted=False)

        assert (totals_of(undone), simulator.objects()) == ({"reversed": 2}, ())


# --- what people and their programs do to it


def test_columns_in_another_order_and_rows_sorted_deleted_and_added(site: Site) -> None:
    """Only the headers count; a new row needs no `_import_*` cell."""
    first = site.validated(mixed(site))
    rows = [*reversed(mended(to_mend(first)))][:1]
    rows.append(cells_of(9))
    header = sorted(rows[0], key=lambda name: name[::-1])

    second = site.validated(site.write("sorted.csv", rows, header))

    assert (totals_of(second), told(second)) == ({"valid": 2}, [])
    assert parents_of(second) == [(first.summary.run.id,)]


def test_saved_by_a_german_excel(site: Site) -> None:
    """`CSV (Trennzeichen-getrennt)` has semicolons and the encoding of Windows, which is told."""
    site.config += "date_order: dmy\n"
    names = {"userDisplayName": "Jürgen Müßig, Größe"}
    file = site.write("inventory.csv", [cells_of(1, **{EXPIRES: "bald"}, **names), cells_of(2, **names)])
    first = site.validated(file)
    rows = [row | {EXPIRES: GOOD_DATE} for row in to_mend(first)]
    saved = site.folder / "Fehler.csv"
    with saved.open("w", encoding="cp1252", newline="") as table:
        writer = csv.DictWriter(table, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)

    with running(SimulatorSettings()) as simulator:
        second = site.imported(simulator.service_root, saved)
        (stored,) = simulator.objects()

    assert (totals_of(second), parents_of(second)) == ({"created": 1}, [(first.summary.run.id,)])
    assert stored.entity["userDisplayName"] == names["userDisplayName"]
    assert told(second) == [("detected-encoding", "warning", "")]


def test_without_its_own_columns_it_is_an_inventory(site: Site) -> None:
    """Whoever deletes them loses what they are for, and nothing else."""
    first = site.validated(mixed(site))
    rows = [{name: cell for name, cell in row.items() if "_import_" not in name} for row in mended(to_mend(first))]

    second = site.validated(site.write("plain.csv", rows))

    assert (totals_of(second), told(second), parents_of(second)) == ({"valid": 2}, [], [()])


def test_without_its_own_columns_a_masked_value_is_told(site: Site) -> None:
    """The apostrophe that our reports put before `=cmd` is sent as written there, so the row carries a warning."""
    rows = [cells_of(1, deviceDisplayName="=cmd", certificateKeyLength="many"), cells_of(2, deviceDisplayName="'02")]
    first = site.validated(site.write("inventory.csv", rows))
    wrong = to_mend(first)[0] | {"certificateKeyLength": "2048"}
    bare = {name: cell for name, cell in wrong.items() if not name.startswith("_import_")}

    again = site.validated(site.write("errors.csv", [wrong]))
    masked = site.validated(site.write("bare.csv", [bare, rows[1]]))

    assert (told(again), totals_of(again)) == ([], {"valid": 1})
    assert [code for code, *_ in told(masked)] == ["leading-apostrophe"]


def test_without_a_column_that_is_needed_it_says_which(site: Site) -> None:
    """A column of the inventory that was deleted on the way is told as in any other file."""
    rows = mended(to_mend(site.validated(mixed(site))))
    for row in rows:
        del row["serverUrl"]

    second = site.validated(site.write("narrow.csv", rows))

    assert (totals_of(second), told(second)) == ({"invalid": 2}, [("missing-column", "error", "serverUrl")])


# --- several files in one report


def test_two_columns_of_one_file_do_not_refuse_the_rows_of_another(site: Site) -> None:
    """The rows with two values for one property stay out until one of them is chosen; all others pass."""
    site.config += f"columns: {{{SERIAL}: [Serial, SN]}}\n"
    one = [{("Serial" if name == SERIAL else name): cell for name, cell in cells_of(1, **{EXPIRES: "soon"}).items()}]
    two = [cells_of(number) | {"SN": f"5B00{number}"} for number in (2, 3)]
    first = site.validated(site.write("a.csv", one), site.write("b.csv", two))
    rows = to_mend(first)
    another = "SN (another certificateSerialNumber)"

    rows[0][EXPIRES] = GOOD_DATE
    second = site.validated(site.write("half.csv", rows))
    still = to_mend(second)
    still[0] |= {"Serial": still[0][another], another: ""}
    still[1][another] = ""
    third = site.validated(site.write("whole.csv", still))

    assert [(row["Serial"], row[another]) for row in rows] == [
        ("4A000001", ""),
        ("4A000002", "5B002"),
        ("4A000003", "5B003"),
    ]
    assert (totals_of(second), told(second)) == (
        {"invalid": 2, "valid": 1},
        [("duplicate-column", "error", another)],
    )
    assert second.summary.causes[0].hint == "put the right value into the column Serial, then empty this cell"
    assert (totals_of(third), told(third)) == ({"valid": 2}, [])


def test_two_columns_of_the_only_file_are_mended_by_deleting_one(site: Site) -> None:
    """As in the inventory itself."""
    site.config += f"columns: {{{SERIAL}: [SN]}}\n"
    first = site.validated(site.write("a.csv", [cells_of(1) | {"SN": "5B01"}]))
    rows = to_mend(first)
    for row in rows:
        del row[SERIAL]

    second = site.validated(site.write("mended.csv", rows))

    assert (told(first)[0][0], totals_of(second)) == ("duplicate-column", {"valid": 1})


# --- what a spreadsheet does to identifiers

WAS = {
    SERIAL: "12E5",
    THUMBPRINT: "0012345678901234567890123456789012345678",
    DEVICE: "MAR-01",
}
BY_EXCEL = {SERIAL: "1.20E+06", THUMBPRINT: "1.23457E+37", DEVICE: "01. Mrz"}
ONCE_MORE = {SERIAL: "1200000", THUMBPRINT: "12345700000000000000000000000000000000", DEVICE: "46082"}


def refused(site: Site) -> Finished:
    """Return a dry run with one refused row, whose identifiers a spreadsheet takes for something else."""
    return site.validated(site.write("inventory.csv", [cells_of(1, **{EXPIRES: "soon"}, **WAS)]))


def test_identifiers_that_a_spreadsheet_changed_are_found_and_can_be_put_back(site: Site) -> None:
    """Over two ways through it each damaged cell has one finding, and the first run's text stands in each report."""
    first = refused(site)
    rows = to_mend(first)
    run_id = first.summary.run.id

    damaged = site.validated(site.write("damaged.csv", [row | BY_EXCEL | {EXPIRES: GOOD_DATE} for row in rows]))
    again = to_mend(damaged)
    twice = site.validated(site.write("twice.csv", [row | ONCE_MORE for row in again]))
    put_back = [row | json.loads(row["_import_identifiers"]) for row in to_mend(twice)]
    with running(SimulatorSettings()) as simulator:
        whole = site.imported(simulator.service_root, site.write("whole.csv", put_back))
        (stored,) = simulator.objects()

    expected = [("spreadsheet-damage", "error", column) for column in (DEVICE, THUMBPRINT, SERIAL)]
    assert sorted(told(damaged)) == sorted(told(twice)) == sorted(expected)
    messages = {cause.column: cause.examples[0].message for cause in damaged.summary.causes}
    assert messages == {
        DEVICE: f"it was MAR-01 in the report of run {run_id} and is 01. Mrz now: a spreadsheet took it for a date",
        THUMBPRINT: (
            f"it was {WAS[THUMBPRINT]} in the report of run {run_id} and is 1.23457E+37 now: a spreadsheet took it for "
            "a number in scientific notation"
        ),
        SERIAL: (
            f"it was 12E5 in the report of run {run_id} and is 1.20E+06 now: a spreadsheet took it for a number in "
            "scientific notation"
        ),
    }
    carried = [
        json.loads(row["_import_identifiers"]) for finished in (first, damaged, twice) for row in to_mend(finished)
    ]
    assert carried == [WAS] * 3
    assert {name: again[0][name] for name in WAS} == BY_EXCEL
    assert (totals_of(whole), {name: stored.entity[name] for name in WAS}) == ({"created": 1}, WAS)


def test_a_value_that_is_meant_passes_without_its_identifiers(site: Site) -> None:
    """What looks like damage and is none is accepted once the row's cell is empty."""
    first = site.validated(site.write("inventory.csv", [cells_of(1, **{EXPIRES: "soon", SERIAL: "004A12"})]))
    kept = [row | {EXPIRES: GOOD_DATE, DEVICE: "PC-1"} for row in to_mend(first)]
    zeros = site.validated(site.write("inventory.csv", [cells_of(1, **{EXPIRES: "soon", SERIAL: "0047"})]))
    meant = [row | {EXPIRES: GOOD_DATE, SERIAL: "47"} for row in to_mend(zeros)]

    correction = site.validated(site.write("correction.csv", kept))
    dropped = site.validated(site.write("dropped.csv", meant))
    confirmed = site.validated(site.write("confirmed.csv", [row | {"_import_identifiers": ""} for row in meant]))

    assert totals_of(correction) == {"valid": 1}
    assert (totals_of(dropped), told(dropped)) == ({"invalid": 1}, [("spreadsheet-damage", "error", SERIAL)])
    assert totals_of(confirmed) == {"valid": 1}


def test_a_damaged_row_of_created_csv_is_refused(site: Site) -> None:
    """It is not taken for a change of the object, nor for another object."""
    with running(SimulatorSettings()) as simulator:
        path = site.write("inventory.csv", [cells_of(1, **WAS), cells_of(2)])
        created = to_mend(site.imported(simulator.service_root, path), "created.csv")
        damaged = [row | (BY_EXCEL if row[DEVICE] == WAS[DEVICE] else {}) for row in created]
        again = site.imported(simulator.service_root, site.write("created.csv", damaged))
        state = simulator.state()

    assert (totals_of(again), state.created) == ({"invalid": 1, "already there": 1}, 2)
    assert {code for code, _, _ in told(again)} == {"spreadsheet-damage"}


def write_sheets(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    """Write a workbook with these sheets."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def sheet_of(rows: Rows) -> list[list[object]]:
    """Return the rows below their header."""
    return [list(rows[0]), *(list(row.values()) for row in rows)]


def test_one_damaged_cell_of_a_workbook_has_one_finding(site: Site) -> None:
    """A number or a date that was a text is told as what it was; a number that is another one as a number."""
    rows = [row | {EXPIRES: GOOD_DATE} for row in to_mend(refused(site))]
    sheet = sheet_of([*rows, rows[0] | {SERIAL: "0", DEVICE: "PC-2"}])
    at = {name: sheet[0].index(name) for name in WAS}
    sheet[1][at[SERIAL]], sheet[1][at[THUMBPRINT]] = 12e5, 12345678901234567890123456789012345678
    sheet[1][at[DEVICE]] = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)
    sheet[2][at[SERIAL]] = 4711

    finished = site.validated(write_sheets(site.folder / "errors.xlsx", {"inventory": sheet}))

    assert sorted(told(finished)) == sorted(
        [
            *(("spreadsheet-damage", "error", name) for name in WAS),
            ("numeric-identifier", "error", SERIAL),
        ]
    )


# --- hostile cells


NO_IDENTIFIERS = (
    "",
    "x",
    "[]",
    "{",
    "null",
    '{"certificateSerialNumber": 5}',
    '{"a":' * 1_500,
    "[" * 30_000,
    '{"x": "' + "y" * 17_000,
    json.dumps({"userDisplayName": "0012"}),
)


def test_identifiers_that_are_none_are_ignored(site: Site) -> None:
    """The cell can hold anything; the row is judged without it."""
    rows = [
        cells_of(number, userDisplayName="12") | {"_import_identifiers": cell}
        for number, cell in enumerate(NO_IDENTIFIERS)
    ]

    finished = site.validated(site.write("errors.csv", rows))

    assert (totals_of(finished), told(finished)) == ({"valid": len(NO_IDENTIFIERS)}, [])


def test_only_what_is_the_id_of_a_run_is_told_as_a_parent(site: Site) -> None:
    """Each once, in the order of the rows; markup, paths and the like are not, and no file names hundreds."""
    ids = [f"20261123T08491{number}Z-in.v-entory_{number}-3f9a1{number}" for number in range(10)]
    hostile = [
        "",
        "<script>",
        f"{ids[0]}\n",
        "../../etc",
        "=1+1",
        f"{ids[0]}<b>",
        "20261123T084913Z--3f9a1c",
        "x" * 99_999,
    ]
    cells = [ids[1], *hostile, *ids, *(f"20261123T084913Z-a-{number:06x}" for number in range(300))]
    rows = [cells_of(number) | {"_import_run": cell} for number, cell in enumerate(cells)]

    finished = site.validated(site.write("errors.csv", rows), load=LoadOptions(chunk_rows=3))

    assert parents_of(finished) == [(ids[1], ids[0], *ids[2:])]
    assert len(parents_of(finished)[0]) == MOST_PARENTS


@pytest.mark.parametrize(
    "name", ["inventory.csv", "Übersicht 2026 (neu).xlsx", "<script>.csv", ".csv", "a" * 200, "'=1+1.csv"]
)
def test_the_id_of_every_run_is_one(name: str) -> None:
    """The shape that is looked for is the one that runs are named by."""
    assert RUN_ID.fullmatch(new_run_id([Path(name)]))


# --- errors.xlsx


def test_a_corrected_errors_xlsx_comes_back(site: Site) -> None:
    """As Excel saves it: the cells that were corrected are new, the sheet of causes is still there."""
    first = site.validated(mixed(site))
    path = first.folder / "errors.xlsx"
    workbook = load_workbook(path)
    sheet = workbook[next(name for name in workbook.sheetnames if name != "causes")]
    column_of = {cell.value: cell.column for cell in sheet[1]}
    sheet.cell(2, column_of[EXPIRES]).value = GOOD_DATE
    sheet.cell(3, column_of["devicePlatform"]).value = "windows10AndLater"
    workbook.save(path)

    second = site.validated(path)

    assert (totals_of(second), told(second)) == ({"valid": 2}, [])
    assert parents_of(second) == [(first.summary.run.id,)]


def test_what_errors_xlsx_could_not_hold_stays_out(site: Site) -> None:
    """A value that was cut there is told so, in a workbook that nobody has touched."""
    first = site.validated(site.write("inventory.csv", [cells_of(1, userDisplayName="x" * 40_000)]))

    (cause,) = site.validated(first.folder / "errors.xlsx").summary.causes

    assert (cause.code, cause.column, cause.examples[0].message, cause.hint) == (
        "value-too-long",
        "userDisplayName",
        "the value was too long for errors.xlsx, so its end is missing",
        "enter a shorter value; the errors.csv beside the first errors.xlsx has the one that was read",
    )


CAUSES_ROWS = [
    list(CAUSES_HEADER),
    ["not-a-date-time", "error", EXPIRES, "2", "rows 4-5", "soon", "no date", "write one", ""],
]


@pytest.mark.parametrize("names", [("causes", "inventory"), ("inventory", "causes")])
def test_the_sheet_of_causes_is_passed_over(site: Site, names: Sequence[str]) -> None:
    """It stands beside our rows wherever somebody moves it, and holds none."""
    rows = sheet_of(mended(to_mend(site.validated(mixed(site)))))
    sheets = {"causes": CAUSES_ROWS, "inventory": rows}

    finished = site.validated(write_sheets(site.folder / "errors.xlsx", {name: sheets[name] for name in names}))

    assert (totals_of(finished), told(finished)) == ({"valid": 2}, [])
    assert [each.sheet for each in finished.summary.sources] == ["inventory"]


def test_another_sheet_with_that_header_is_told_as_not_read(site: Site) -> None:
    """In a workbook without rows of ours it can be anybody's."""
    sheets = {"causes": CAUSES_ROWS, "inventory": sheet_of(devices(2))}

    finished = site.validated(write_sheets(site.folder / "inventory.xlsx", sheets))

    assert (totals_of(finished), told(finished)) == ({"valid": 2}, [("skipped-sheet", "error", "")])


CUT = (
    "x" * 32_000 + CUT_MARK,
    "x" * 32_767,
    "x" * 32_765 + "\U0001f4f1",
    "x" * 32_764 + "\U0001f4f1",  # the next character had two units
)


def test_a_cell_that_was_cut_is_refused(site: Site) -> None:
    """Half a value is not sent; what the report's own columns and columns that are not sent hold does not matter."""
    site.config += "ignored: [Notes]\n"
    whole = cells_of(9, userDisplayName="x" * 32_765)
    beside = {"Notes": CUT[1], "_import_message": CUT[0], "_import_value": CUT[1]}
    rows = [whole | beside, *(cells_of(number, userDisplayName=cell) for number, cell in enumerate(CUT))]

    finished = site.validated(site.write("errors.csv", rows))

    assert told(finished) == [("value-too-long", "error", "userDisplayName")]
    assert totals_of(finished) == {"invalid": len(CUT), "valid": 1}


def test_a_full_cell_of_an_inventory_is_nobodys_report(site: Site) -> None:
    """Only what our reports hold was written by us, and may have been cut since."""
    assert told(site.validated(site.write("inventory.csv", [cells_of(1, userDisplayName="x" * 32_767)]))) == []
