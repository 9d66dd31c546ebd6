"""The benchmarks count and calculate right: inventories, statistics, and the tables of docs/performance.md."""

import csv
import json
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from cli_cases import call, move_to
from python_calamine import CalamineWorkbook

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import performance_page
from growth import Point, row_times_us, spread
from inventories import BLOCK, COLUMNS, CONFIG, PROFILES, Fault, Style, Written, blocks_of, share, write
from measuring import Asked, Figure, ProcessFailedError, median_of, number, publish, ratio_of, run, table_of


def rows_of(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file, header first."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", ["inventory.csv", "inventory.xlsx"])
def test_the_same_arguments_give_the_same_file(tmp_path: Path, name: str) -> None:
    """An inventory is the same byte for byte whenever it is made, and another seed is another inventory."""
    first, again, other = (tmp_path / f"{each}-{name}" for each in ("first", "again", "other"))
    write(first, 300, faults=0.1, seed=5)
    write(again, 300, faults=0.1, seed=5)
    write(other, 300, faults=0.1, seed=6)

    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_an_inventory_has_the_asked_rows_and_faults(tmp_path: Path) -> None:
    """The rows, across blocks too, and the faults are as many as asked, each kind as often as the others."""
    rows = BLOCK + 1_600

    written = write(tmp_path / "inventory.csv", rows, faults=0.01)

    cells = rows_of(tmp_path / "inventory.csv")
    assert (len(cells) - 1, tuple(cells[0])) == (rows, COLUMNS)
    assert written == Written(rows, Counter(dict.fromkeys(Fault, 14) | dict.fromkeys(list(Fault)[:4], 15)))
    assert sum(len(row) == len(COLUMNS) - 1 for row in cells) == written.faults[Fault.RAGGED]
    assert sum(row[0] == "BeOS" for row in cells) == written.faults[Fault.UNKNOWN_PLATFORM]
    assert sum(row[6] == "not a date" for row in cells) == written.faults[Fault.BAD_DATE]
    thumbprints = Counter(row[9] for row in cells if len(row[9]) == 40)
    repeated = written.faults[Fault.DUPLICATE] + written.faults[Fault.CONFLICT]
    assert sum(count - 1 for count in thumbprints.values()) == repeated


def test_every_row_can_be_faulty() -> None:
    """With all rows faulty there is no sound row to repeat, and the bad dates are more instead."""
    ((block, counts),) = blocks_of(80, faults=1.0)

    assert len(block) == 80
    assert counts == Counter({kind: 10 for kind in Fault if kind not in {Fault.DUPLICATE, Fault.CONFLICT}}) + Counter(
        {Fault.BAD_DATE: 20}
    )


@pytest.mark.parametrize("width", [13, 14, 20])
def test_an_inventory_is_as_wide_as_asked(tmp_path: Path, width: int) -> None:
    """Columns beyond those of the edition are notes; the first 13 do without the profile's id."""
    write(tmp_path / "inventory.csv", 5, width=width)

    assert {len(row) for row in rows_of(tmp_path / "inventory.csv")} == {width}


@pytest.mark.parametrize(("style", "has_findings"), [(Style.CLEAN, False), (Style.LEGACY, True)])
@pytest.mark.parametrize("name", ["inventory.csv", "inventory.xlsx"])
def test_an_inventory_without_faults_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, style: Style, has_findings: bool
) -> None:
    """Certstate finds nothing to say of a clean inventory, and no error in a legacy one."""
    write(tmp_path / name, 40, style=style)
    move_to(tmp_path, monkeypatch)
    Path("config.yaml").write_text(CONFIG, "utf-8")

    called = call("--output", "json", "validate", name)

    answer = json.loads(called.stdout)
    assert (called.code, answer["totals"]["valid"]) == (0, 40)
    assert bool(answer["causes"]) is has_findings
    assert {each["severity"] for each in answer["causes"]} <= {"info", "warning"}


CODES = {
    Fault.BAD_DATE: "not-a-date-time",
    Fault.UNKNOWN_PLATFORM: "unknown-member",
    Fault.SHORT_THUMBPRINT: "thumbprint-shape",
    Fault.BLANKS: "surrounding-space",
    Fault.AMBIGUOUS_DATE: "ambiguous-date",
    Fault.DUPLICATE: "duplicate",
    Fault.RAGGED: "ragged-row",
}


def test_each_fault_is_found_as_often_as_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certstate says of a faulty inventory what the generator says of it; a conflict is said of both rows."""
    written = write(tmp_path / "inventory.csv", 160, faults=0.2)
    move_to(tmp_path, monkeypatch)
    Path("config.yaml").write_text(CONFIG, "utf-8")

    called = call("--output", "json", "validate", "inventory.csv")

    causes = {each["code"]: each["rows"] for each in json.loads(called.stdout)["causes"]}
    expected = {CODES[kind]: count for kind, count in written.faults.items() if kind is not Fault.CONFLICT}
    assert causes == expected | {"conflicting-rows": 2 * written.faults[Fault.CONFLICT]}


def test_a_workbook_holds_what_the_csv_file_holds(tmp_path: Path) -> None:
    """Both have the same texts; key lengths are numbers where that is asked for."""
    for name in ("texts.csv", "texts.xlsx", "numbers.xlsx"):
        write(tmp_path / name, 50, has_numbers=name == "numbers.xlsx")
    texts, numbers = (
        CalamineWorkbook.from_path(tmp_path / f"{name}.xlsx").get_sheet_by_index(0).to_python()
        for name in ("texts", "numbers")
    )

    expected = rows_of(tmp_path / "texts.csv")
    assert texts == expected
    assert {type(row[11]) for row in numbers[1:]} == {float}
    assert [[*row[:11], str(int(float(row[11]))), *row[12:]] for row in numbers[1:]] == expected[1:]
    assert zipfile.ZipFile(tmp_path / "texts.xlsx").testzip() is None


def test_a_sheet_is_not_written_past_its_end(tmp_path: Path) -> None:
    """Excel's sheets end at row 1,048,576."""
    with pytest.raises(ValueError, match="1,048,575"):
        write(tmp_path / "inventory.xlsx", 1_048_576)

    assert list(tmp_path.iterdir()) == []


def test_devices_have_the_profile_of_their_platform() -> None:
    """The last column is the id that the configuration has for the platform."""
    ((block, _),) = blocks_of(100)

    assert all(row[-1] == PROFILES[row[0]] for row in block)


@pytest.mark.parametrize(("text", "expected"), [("1%", 0.01), ("0.5", 0.5), ("100%", 1.0), ("0", 0.0)])
def test_a_share_is_read(text: str, expected: float) -> None:
    """A share is a number up to 1 or per cent."""
    assert share(text) == expected


@pytest.mark.parametrize("text", ["2", "-1%", "few"])
def test_what_is_no_share_is_refused(text: str) -> None:
    """More than all, less than none and words are mistakes."""
    with pytest.raises(ValueError, match=r"share|convert"):
        share(text)


FAST = Figure("fast", "rows/s", (900.0, 1_200.0, 1_000.0), peer="slow", note="of three")
SLOW = Figure("slow", "rows/s", (500.0, 100.0))
MISSED = Figure("missed", "rows/s", ())


def test_a_figure_is_its_median_and_the_ratio_of_medians() -> None:
    """One slow repeat moves neither the figure nor its ratio; without a measured peer there is no ratio."""
    assert median_of(FAST) == 1_000
    assert ratio_of(FAST, (FAST, SLOW)) == pytest.approx(1_000 / 300)
    assert ratio_of(SLOW, (FAST, SLOW)) is None
    assert ratio_of(FAST._replace(peer="missed"), (FAST, MISSED)) is None


def test_the_table_shows_what_was_measured_and_asked() -> None:
    """Each figure has its line; what was not measured says so."""
    asked = (Asked("fast", "at least 900", True), Asked("slow", "at least 900", False), Asked("missed", "any", None))

    assert table_of((FAST, SLOW, MISSED), asked).splitlines()[2:] == [
        "fast           1,000    900  1,200  rows/s  3.33 x slow    at least 900: yes  of three",
        "slow             300    100    500  rows/s                 at least 900: no",
        "missed  not measured                rows/s                 any: not measured",
    ]


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (102_345.4, "102,345"), (45.23, "45.2"), (1.234, "1.23"), (0.01234, "0.0123")]
)
def test_numbers_have_the_digits_that_mean_something(value: float, shown: str) -> None:
    """Three digits, and no fraction of what is counted in hundreds."""
    assert number(value) == shown


def test_figures_are_written_with_their_circumstances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file holds every repeat, medians, ratios, what was asked, and on what it ran, without a path."""
    publish("Speed", (FAST, SLOW), file_stem="speed", out=tmp_path, asked=(Asked("fast", "900", True),), notes=("n",))

    text = (tmp_path / "speed.json").read_text("utf-8")
    document = json.loads(text)
    assert [(each["values"], each["median"]) for each in document["figures"]] == [
        ([900, 1200, 1000], 1000),
        ([500, 100], 300),
    ]
    assert document["figures"][0]["ratio"] == pytest.approx(10 / 3)
    assert document["asked"] == [{"figure": "fast", "text": "900", "is_met": True}]
    assert {"system", "processor", "cores"} <= document["machine"].keys()
    assert {"Python", "SQLite", "certstate", "pandas"} <= document["versions"].keys()
    assert str(tmp_path) not in text
    assert "fast" in capsys.readouterr().out


@pytest.mark.parametrize("asked", [(), (Asked("fsat", "900", True),)])
def test_a_peer_that_is_not_in_the_table_is_a_mistake(asked: tuple[Asked, ...]) -> None:
    """A misspelt name does not go unnoticed as a missing ratio."""
    figures = (FAST, SLOW) if asked else (FAST,)
    with pytest.raises(ValueError, match="fsat" if asked else "slow"):
        publish("Speed", figures, file_stem="speed", out=None, asked=asked)


@pytest.mark.skipif(sys.platform == "win32", reason="os.wait4 is not on Windows")
def test_the_memory_of_a_process_is_its_own(tmp_path: Path) -> None:
    """A small process started by this large one counts as small; a large one counts as large."""
    small = run([sys.executable, "-S", "-c", "pass"])
    large = run([sys.executable, "-S", "-c", "bytes(1) * (200 << 20)"], stdout=tmp_path / "out")

    assert small.peak_mib < 60
    assert large.peak_mib > 200
    assert small.cpu_s > 0
    assert small.wall_s > 0


@pytest.mark.skipif(sys.platform == "win32", reason="os.wait4 is not on Windows")
def test_a_process_that_fails_is_no_figure() -> None:
    """Another exit code than the expected ones raises, with what the process said."""
    failing = [sys.executable, "-S", "-c", "import sys; sys.exit('no such file')"]
    with pytest.raises(ProcessFailedError, match=r"exit code 1: no such file"):
        run(failing)

    assert run(failing, exit_codes={1}).cpu_s > 0


def test_the_time_of_a_row_is_without_start_up() -> None:
    """Start-up is taken off before the rest is shared among the rows; sizes differ by the slowest over the fastest."""
    assert row_times_us(Point(1_000_000, (11.0, 13.0), (100.0, 100.0), 1.0), 1.0) == (10.0, 12.0)
    assert spread([10.0, 11.0, 10.5]) == pytest.approx(0.1)


PAGE = "# Page\n\n<!-- figures: speed* -->\n{}\n<!-- end of figures -->\n\nend\n"


def test_the_page_shows_the_figures(tmp_path: Path) -> None:
    """Tables stand between the marks, a bar in a name is no border, and a second time changes nothing."""
    figures = (FAST._replace(peer="slow|er"), SLOW._replace(name="slow|er"))
    publish("Speed", figures, file_stem="speed_1", out=tmp_path, notes=("on one core",))
    first = performance_page.rendered(PAGE.format("old"), tmp_path)

    assert "| fast (of three) | 1,000 | 900 to 1,200 | rows/s | 3.33 x slow\\|er |  |" in first.splitlines()
    assert "**Speed**" in first.splitlines()
    assert "\nOn one core. Measured on " in first
    assert "old" not in first
    assert performance_page.rendered(first, tmp_path) == first


def test_the_page_says_what_was_not_measured(tmp_path: Path) -> None:
    """Without figures there is one line in place of the table."""
    shown = performance_page.rendered(PAGE.format("old"), tmp_path)

    assert shown == PAGE.format(f"\n{performance_page.NOT_MEASURED}\n")


def test_the_document_shows_the_figures_of_the_results() -> None:
    """docs/performance.md says what benchmarks/results say; a quick run is never among them."""
    page = performance_page.PAGE.read_text("utf-8")
    files = sorted(performance_page.RESULTS.glob("*.json"))

    assert performance_page.rendered(page, performance_page.RESULTS) == page
    assert [file.name for file in files if json.loads(file.read_text("utf-8"))["quick"]] == []
