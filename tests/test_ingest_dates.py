"""Dates in two orders: where a column proves that the declared order does not hold, it decides no date there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from import_cases import HEADER, Site, cells_of, read_csv, report_of, totals_of
from openpyxl import Workbook

from pipeline.findings import CATALOGUE, Code
from pipeline.load import LoadOptions
from pipeline.run import Finished
from pipeline.simulator import SimulatorSettings, running

EXPIRES = "certificateExpirationDateTime"
CHANGED = "lastCertificateStateChangeDateTime"

DAY_FIRST, MONTH_FIRST, EITHER, DOTS = "27/03/2027", "03/15/2027", "06/02/2027", "27.03.2027"
PROOF = "the date can only be 2027-03-15, which is not in the declared order dmy"
DOUBT = "the date can be read in two ways, and the declared order does not hold in this column"

ORDERS = {Code.DATE_ORDER.value, Code.DATE_ORDER_CONTRADICTED.value, Code.AMBIGUOUS_DATE.value}


class Told(NamedTuple):
    """A finding on the order of a date."""

    row: int
    code: str
    column: str
    value: str
    message: str


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder whose config.yaml declares day first."""
    return declaring(tmp_path, "dmy")


def declaring(folder: Path, order: str) -> Site:
    """Return a folder whose config.yaml declares the order and UTC."""
    return Site(folder, f"{Site(folder).config}timezone: UTC\ndate_order: {order}\n")


def rows_with(*dates: str, column: str = EXPIRES) -> list[dict[str, str]]:
    """Return valid rows of devices but for these dates."""
    return [cells_of(number, **{column: text}) for number, text in enumerate(dates, 1)]


def told(finished: Finished, sheet: str | None = None) -> list[Told]:
    """Return what report.json says of the order of dates, of one sheet if given, in the order of the rows."""
    found: Sequence[dict[str, Any]] = report_of(finished)["findings"]
    return sorted(
        Told(*(each[name] for name in Told._fields))
        for each in found
        if each["code"] in ORDERS and sheet in {None, each["sheet"]}
    )


def decided(row: int, text: str, now: str, column: str = EXPIRES) -> Told:
    """Return what is told of a date that the order decided."""
    return Told(row, "date-order", column, text, f"{text} -> {now}")


def contradicted(row: int, text: str, message: str, column: str = EXPIRES) -> Told:
    """Return what is told of a date that is refused."""
    return Told(row, "date-order-contradicted", column, text, message)


def errors_of(finished: Finished) -> list[tuple[str, str, str]]:
    """Return row number, state and codes of errors.csv."""
    rows = read_csv(finished.folder / "errors.csv")
    return [(row["_import_row"], row["_import_status"], row["_import_code"]) for row in rows]


@pytest.mark.parametrize("chunk_rows", [1, 2, 5_000])
def test_one_date_against_the_order_refuses_all_that_the_order_decided(site: Site, chunk_rows: int) -> None:
    """Dates before and after the proof are refused with the row that proves it; certain ones of the column pass."""
    path = site.write("inventory.csv", rows_with(EITHER, DOTS, MONTH_FIRST, "07/02/2027", "04/04/2027", "2027-02-06"))

    finished = site.validated(path, load=LoadOptions(chunk_rows=chunk_rows))

    assert totals_of(finished) == {"valid": 3, "invalid": 3}
    assert told(finished) == [
        decided(2, EITHER, "2027-02-06"),
        contradicted(2, EITHER, f"{DOUBT}: in row 4 {PROOF}"),
        contradicted(4, MONTH_FIRST, PROOF),
        decided(5, "07/02/2027", "2027-02-07"),
        contradicted(5, "07/02/2027", f"{DOUBT}: in row 4 {PROOF}"),
    ]
    assert [(number, state) for number, state, _ in errors_of(finished)] == [
        ("2", "invalid"),
        ("4", "invalid"),
        ("5", "invalid"),
    ]


def test_a_refused_date_says_what_to_do(site: Site) -> None:
    """errors.csv has the column, the date as it was written, and the cure."""
    finished = site.validated(site.write("inventory.csv", rows_with(EITHER, MONTH_FIRST)))

    row = read_csv(finished.folder / "errors.csv")[0]
    names = ("_import_code", "_import_column", "_import_value", "_import_hint")
    codes, columns, values, hint = (row[name] for name in names)
    assert codes.split("; ")[0] == "date-order-contradicted"
    assert (columns.split("; ")[0], values.split("; ")[0]) == (EXPIRES, EITHER)
    assert CATALOGUE[Code.DATE_ORDER_CONTRADICTED].hint in hint


def test_the_first_proof_is_named(site: Site) -> None:
    """With several dates against the order, the message names the one that was read first."""
    path = site.write("inventory.csv", rows_with(MONTH_FIRST, "03/16/2027", EITHER))

    finished = site.validated(path, load=LoadOptions(chunk_rows=1))

    assert told(finished)[-1] == contradicted(4, EITHER, f"{DOUBT}: in row 2 {PROOF}")


def test_without_a_contradiction_the_order_decides(site: Site) -> None:
    """Where all dates of a column can be in the declared order, they pass and tell what decided."""
    finished = site.validated(site.write("inventory.csv", rows_with(EITHER, DAY_FIRST, DOTS, "2027-03-15")))

    assert totals_of(finished) == {"valid": 4}
    assert told(finished) == [decided(2, EITHER, "2027-02-06")]


def test_month_first_is_contradicted_likewise(tmp_path: Path) -> None:
    """A date that can only be day first refuses what `date_order: mdy` decided."""
    site = declaring(tmp_path, "mdy")

    finished = site.validated(site.write("inventory.csv", rows_with(EITHER, DOTS, MONTH_FIRST)))

    proof = "the date can only be 2027-03-27, which is not in the declared order mdy"
    assert totals_of(finished) == {"valid": 1, "invalid": 2}
    assert told(finished) == [
        decided(2, EITHER, "2027-06-02"),
        contradicted(2, EITHER, f"{DOUBT}: in row 3 {proof}"),
        contradicted(3, DOTS, proof),
    ]


def test_another_column_keeps_its_dates(site: Site) -> None:
    """What one column proves says nothing of another one."""
    rows = [
        cells_of(1, **{EXPIRES: EITHER, CHANGED: "2026-11-23"}),
        cells_of(2, **{EXPIRES: MONTH_FIRST, CHANGED: "2026-11-23"}),
        cells_of(3, **{EXPIRES: "2027-02-06", CHANGED: "06/02/2026"}),
    ]

    finished = site.validated(site.write("inventory.csv", rows))

    assert totals_of(finished) == {"valid": 1, "invalid": 2}
    assert told(finished) == [
        decided(2, EITHER, "2027-02-06"),
        contradicted(2, EITHER, f"{DOUBT}: in row 3 {PROOF}"),
        contradicted(3, MONTH_FIRST, PROOF),
        decided(4, "06/02/2026", "2026-02-06", CHANGED),
    ]


def test_a_row_with_doubts_in_two_columns_is_refused_once_and_told_both(site: Site) -> None:
    """Each column names its own proof, and the row counts once."""
    rows = [
        cells_of(1, **{EXPIRES: EITHER, CHANGED: "06/03/2026"}),
        cells_of(2, **{EXPIRES: MONTH_FIRST, CHANGED: "2026-11-23"}),
        cells_of(3, **{EXPIRES: "2027-02-06", CHANGED: "03/15/2026"}),
    ]

    finished = site.validated(site.write("inventory.csv", rows), load=LoadOptions(chunk_rows=1))

    other = "the date can only be 2026-03-15, which is not in the declared order dmy"
    assert totals_of(finished) == {"invalid": 3}
    assert [each for each in told(finished) if each.row == 2] == [
        decided(2, EITHER, "2027-02-06"),
        decided(2, "06/03/2026", "2026-03-06", CHANGED),
        contradicted(2, EITHER, f"{DOUBT}: in row 3 {PROOF}"),
        contradicted(2, "06/03/2026", f"{DOUBT}: in row 4 {other}", CHANGED),
    ]


def test_a_row_that_is_invalid_already_counts_once(site: Site) -> None:
    """A row with another error is told the doubt too, so that mending the other one is not enough."""
    rows = rows_with(EITHER, MONTH_FIRST)
    rows[0] |= {"deviceDisplayName": ""}

    finished = site.validated(site.write("inventory.csv", rows))

    assert totals_of(finished) == {"invalid": 2}
    assert [(number, codes) for number, _, codes in errors_of(finished)] == [
        ("2", "missing-value; date-order-contradicted; missing-time"),
        ("3", "date-order-contradicted"),
    ]


def test_a_shifted_row_proves_nothing(site: Site) -> None:
    """In a row with a cell too many nobody knows which column a date belongs to."""
    path = site.write("inventory.csv", rows_with(EITHER, MONTH_FIRST))
    path.write_text(path.read_text("utf-8").rstrip() + ",more\n", "utf-8")

    finished = site.validated(path)

    assert totals_of(finished) == {"valid": 1, "invalid": 1}
    assert told(finished) == [decided(2, EITHER, "2027-02-06")]


def test_each_sheet_is_judged_by_itself(site: Site) -> None:
    """The proof in one sheet leaves the dates of another one alone."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for title, first, dates in (("Berlin", 1, (EITHER, MONTH_FIRST)), ("Wien", 3, (EITHER, DAY_FIRST))):
        sheet = workbook.create_sheet(title)
        sheet.append(HEADER)
        for number, text in enumerate(dates, first):
            sheet.append([cells_of(number, **{EXPIRES: text})[name] for name in HEADER])
    path = site.folder / "inventory.xlsx"
    workbook.save(path)

    finished = site.validated(path)

    assert totals_of(finished) == {"valid": 2, "invalid": 2}
    assert told(finished, "Wien") == [decided(2, EITHER, "2027-02-06")]
    assert told(finished, "Berlin") == [
        decided(2, EITHER, "2027-02-06"),
        contradicted(2, EITHER, f"{DOUBT}: in row 3 {PROOF}"),
        contradicted(3, MONTH_FIRST, PROOF),
    ]


def test_a_column_with_a_long_header_is_judged_too(site: Site) -> None:
    """Findings show a header cut, and it is still the same column."""
    header = "Gültig bis " + "x" * 300
    site.config += f"columns: {{{EXPIRES}: {header}}}\n"
    rows = [{header if name == EXPIRES else name: text for name, text in row.items()} for row in rows_with(EITHER)]
    rows += [{**rows[0], "certificateThumbprint": f"{2:040X}", header: MONTH_FIRST}]

    assert totals_of(site.validated(site.write("inventory.csv", rows))) == {"invalid": 2}


# --- errors.csv


def test_errors_csv_without_the_proof_lets_no_date_pass(site: Site) -> None:
    """Mending the row that proves the mixture does not make the other dates certain; the year first does."""
    first = site.validated(site.write("inventory.csv", rows_with(EITHER, MONTH_FIRST, "07/02/2027")))
    rows = read_csv(first.folder / "errors.csv")
    rows[1][EXPIRES] = "2027-03-15"
    half = site.validated(site.write("half.csv", rows))
    assert totals_of(half) == {"valid": 1, "invalid": 2}
    assert [each.message for each in told(half) if each.code == "date-order-contradicted"] == [
        f"{DOUBT}: row 2 was refused for that when it was read first"
    ] * 2
    rows[0][EXPIRES], rows[2][EXPIRES] = "2027-06-02", "2027-02-07"

    assert totals_of(site.validated(site.write("whole.csv", rows))) == {"valid": 3}


def test_errors_csv_passes_once_its_codes_are_emptied(site: Site) -> None:
    """Whoever knows that the declared order holds for the rest says so in the rows."""
    first = site.validated(site.write("inventory.csv", rows_with(EITHER, MONTH_FIRST)))
    rows = [row | {"_import_code": ""} for row in read_csv(first.folder / "errors.csv")]
    rows[1][EXPIRES] = "15/03/2027"

    again = site.validated(site.write("mended.csv", rows))

    assert totals_of(again) == {"valid": 2}
    assert told(again) == [decided(2, EITHER, "2027-02-06")]


def test_errors_csv_doubts_no_other_column(site: Site) -> None:
    """Rows that were refused for one column say nothing of the dates in another."""
    rows = rows_with(EITHER, MONTH_FIRST, "07/02/2027")
    for row, text in zip(rows, ("01/02/2026", "13/02/2026", "03/02/2026"), strict=True):
        row[CHANGED] = text
    first = site.validated(site.write("inventory.csv", rows))
    mended = [row | {EXPIRES: "2027-03-15"} for row in read_csv(first.folder / "errors.csv")]

    assert totals_of(site.validated(site.write("mended.csv", mended))) == {"valid": 3}


def test_errors_csv_passes_once_the_declared_order_is_corrected(site: Site) -> None:
    """The row that proved the mixture is there as it was and is read for certain now, so nothing is in doubt."""
    first = site.validated(site.write("inventory.csv", rows_with(EITHER, MONTH_FIRST)))

    again = declaring(site.folder, "mdy").validated(first.folder / "errors.csv")

    assert totals_of(again) == {"valid": 2}
    assert told(again) == [decided(2, EITHER, "2027-06-02")]


# --- what is sent


def test_no_date_in_doubt_is_sent(site: Site) -> None:
    """Importing creates the certain rows only, and a doubtful row does not stand for its duplicate."""
    rows = [*rows_with(EITHER, MONTH_FIRST), cells_of(1, **{EXPIRES: "2027-02-06"})]
    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", rows))
        created = simulator.state().collections

    assert totals_of(finished) == {"created": 1, "invalid": 2}
    assert sum(each.objects for each in created) == 1
    refused = "SELECT collection, key, fingerprint, object_pk FROM rows WHERE state = 'invalid'"
    assert site.select(refused) == [("", None, None, None)] * 2
