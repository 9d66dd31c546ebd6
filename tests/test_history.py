"""The history of runs: what is remembered, `runs list`, `runs show` of a dry run, and two runs beside each other."""

import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_cases import call, move_to
from import_cases import TENANT_ID, Site, cells_of, devices, write_csv

from pipeline.cli.history import show_history
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.past_runs import list_runs, show_difference
from pipeline.errors import UsageError
from pipeline.findings import Severity
from pipeline.report import Total
from pipeline.report.comparison import ComparedCause, Comparison, compare
from pipeline.report.history import PastCause, PastRun, past_run, read_history, remember, series_of
from pipeline.simulator import RunningSimulator, SimulatorSettings, running

HISTORY = Path("runs", "history.jsonl")
TEXT = Globals(config=None, output=Output.TEXT, has_color=False, is_verbose=False)
JSON = Globals(config=None, output=Output.JSON, has_color=False, is_verbose=False)

SERVICE_ROOT = "https://graph.microsoft.com/beta"
GUESSED = PastCause("unknown-member", Severity.ERROR, "devicePlatform", 12)
NO_FILE = PastCause("missing-column", Severity.ERROR, "serverUrl", 0)
DOUBTED = PastCause("letter-case", Severity.WARNING, "devicePlatform", 40)
TOLD = PastCause("hex-form", Severity.INFO, "certificateThumbprint", 250)

FIRST = PastRun(
    id="20261123T084913Z-inventory-3f9a1c",
    verb="validate",
    is_dry_run=True,
    service_root=SERVICE_ROOT,
    tenant_id=TENANT_ID,
    parent_id="",
    files=("inventory.csv",),
    started_at="2026-11-23T08:49:13+00:00",
    ended_at="2026-11-23T08:49:15+00:00",
    stop="",
    rows_read=250,
    totals=(Total("blank", 1), Total("invalid", 12), Total("conflicting", 2), Total("valid", 235)),
    causes=(GUESSED, DOUBTED, TOLD),
    edition="1706",
)
SECOND = FIRST._replace(
    id="20261124T084913Z-inventory-aaaaaa",
    verb="import",
    is_dry_run=False,
    started_at="2026-11-24T08:49:13+00:00",
    ended_at="2026-11-24T08:52:13+00:00",
    stop="outage",
    totals=(Total("blank", 1), Total("invalid", 3), Total("created", 240), Total("unknown", 6)),
    causes=(NO_FILE, GUESSED._replace(rows=3)),
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder with a config.yaml and a folder for runs."""
    move_to(tmp_path, monkeypatch)
    HISTORY.parent.mkdir()


def printed(capsys: pytest.CaptureFixture[str], verb: Callable[[], None]) -> list[str]:
    """Return the lines that the verb prints on stdout; nothing may stand on stderr."""
    verb()
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


# --- the file


def test_what_is_remembered_comes_back() -> None:
    """Each run comes back whole, in the order in which they started, whatever the order of the lines."""
    hostile = FIRST._replace(files=('a\nb".csv', "\u202e\u2028.csv"), causes=(GUESSED._replace(column="x\r\n{"),))

    remember(HISTORY, SECOND)
    remember(HISTORY, hostile)

    assert read_history(HISTORY) == [hostile, SECOND]
    assert len(HISTORY.read_bytes().splitlines()) == 2


def test_the_last_line_of_a_run_counts() -> None:
    """A run that is resumed is concluded again."""
    remember(HISTORY, SECOND._replace(stop="interrupted", ended_at=""))
    remember(HISTORY, FIRST)
    remember(HISTORY, SECOND)

    assert read_history(HISTORY) == [FIRST, SECOND]


@pytest.mark.parametrize(
    "edited",
    [
        FIRST._replace(id="x" * 300),
        FIRST._replace(id="../../elsewhere"),
        FIRST._replace(id="other", rows_read=-1),
        FIRST._replace(id="other", totals=(Total("created", -5),)),
        FIRST._replace(id="other", started_at="0001-01-01T00:00:00+14:00"),
        FIRST._replace(id="other", ended_at="yesterday"),
    ],
)
def test_an_edited_line_is_passed_over(edited: PastRun) -> None:
    """What certstate cannot have written breaks no page of the trend."""
    remember(HISTORY, FIRST)
    remember(HISTORY, edited)

    assert read_history(HISTORY) == [FIRST]


def test_lines_that_are_not_understood_are_passed_over() -> None:
    """A torn line, a line of a newer version, and what another program wrote cost no other line."""
    remember(HISTORY, FIRST)
    with HISTORY.open("ab") as file:
        file.write(
            b'\n[]\n\xff\xfe\nhello\n{"schema_version": 2, "run": {}}\n{"schema_version": 1, "run": {"id": 1}}\n'
        )
        file.write(b'{"schema_version": 1, "ru')
    remember(HISTORY, SECOND)

    assert read_history(HISTORY) == [FIRST, SECOND]


def test_without_a_file_nothing_is_known() -> None:
    """Before the first run there is no history, which is no error."""
    assert read_history(HISTORY) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_history_is_the_user_s_own() -> None:
    """It names files and columns, so nobody else may read it, and no link that somebody put there is followed."""
    remember(HISTORY, FIRST)
    link = Path("runs", "link.jsonl")
    link.symlink_to(Path("elsewhere").absolute())

    with pytest.raises(OSError, match="symbolic links"):
        remember(link, FIRST)

    assert stat.S_IMODE(HISTORY.stat().st_mode) == 0o600
    assert not Path("elsewhere").exists()


def test_what_a_run_is_remembered_by(tmp_path: Path) -> None:
    """The history holds a run's files, totals and causes, and no value of any cell."""
    site = Site(tmp_path)
    path = site.write("a.csv", [*devices(2), cells_of(3, devicePlatform="abacus")])
    summary = site.validated(path).summary

    run = past_run(summary)

    assert run == PastRun(
        id=summary.run.id,
        verb="validate",
        is_dry_run=True,
        service_root=SERVICE_ROOT,
        tenant_id=TENANT_ID,
        parent_id="",
        files=(str(path),),
        started_at=summary.run.started_at,
        ended_at=summary.run.ended_at or "",
        stop="",
        rows_read=3,
        totals=summary.totals,
        causes=(PastCause("unknown-member", Severity.ERROR, "devicePlatform", 1),),
        edition="1706",
    )
    remember(HISTORY, run)
    assert "abacus" not in HISTORY.read_text("utf-8")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (("out/inventory-2026-11-23.csv",), ("inventory-2026-11-24_0815.csv",), True),
        (("20261123T084913Z.xlsx", "b.csv"), ("b.csv", "20261124T084913Z.xlsx"), True),
        (("inventory.csv",), ("inventory.xlsx",), False),
        (("laptops-1.csv",), ("phones-1.csv",), False),
    ],
)
def test_runs_of_one_export_belong_together(one: tuple[str, ...], other: tuple[str, ...], is_same: bool) -> None:
    """Whatever folder and date their files have; not those of another export or kind of file."""
    assert (series_of(FIRST._replace(files=one)) == series_of(FIRST._replace(files=other))) is is_same


# --- comparing


def test_new_cured_and_still_there() -> None:
    """Causes are the same when code and column are; what is only told is none, and errors come first."""
    assert compare(FIRST, SECOND) == Comparison(
        new=(ComparedCause("missing-column", Severity.ERROR, "serverUrl", 0, 0),),
        cured=(ComparedCause("letter-case", Severity.WARNING, "devicePlatform", 40, 0),),
        still=(ComparedCause("unknown-member", Severity.ERROR, "devicePlatform", 12, 3),),
    )


def test_causes_are_in_the_order_of_what_matters() -> None:
    """Errors come before warnings, and of each the one with the most rows first."""
    few, many = GUESSED._replace(rows=1), GUESSED._replace(column="serverUrl", rows=9)

    compared = compare(FIRST._replace(causes=()), FIRST._replace(causes=(DOUBTED, few, many)))

    assert [each.after_rows for each in compared.new] == [9, 1, 40]


def test_rows_that_are_unsent_for_two_reasons_are_one_cause() -> None:
    """The report tells them apart; from run to run the reasons differ in their wording only."""
    unsent = PastCause("unsent", Severity.ERROR, "", 2)

    compared = compare(FIRST._replace(causes=(unsent, unsent)), FIRST._replace(causes=(unsent,)))

    assert compared == Comparison((), (), (ComparedCause("unsent", Severity.ERROR, "", 4, 2),))


# --- runs list


def test_the_list_of_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The newest run comes first, with its time in UTC, its rows in short, its files and how it ended."""
    remember(HISTORY, FIRST)
    remember(HISTORY, SECOND)

    assert printed(capsys, lambda: list_runs(TEXT, Asked(), all_runs=False)) == [
        "RUN     STARTED (UTC)     VERB           ROWS",
        "aaaaaa  2026-11-24 08:49  import          250  3 errors, 240 created, 6 unknown",
        "        inventory.csv; stopped: outage",
        "3f9a1c  2026-11-23 08:49  validate        250  14 errors, 235 valid",
        "        inventory.csv",
    ]


def test_the_latest_twenty_runs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The others come with --all, and the list says how many they are."""
    for number in range(22):
        remember(HISTORY, FIRST._replace(id=f"run-{number:06}", started_at=f"2026-11-23T08:{number:02}:13+00:00"))

    some = printed(capsys, lambda: list_runs(TEXT, Asked(), all_runs=False))
    every = printed(capsys, lambda: list_runs(TEXT, Asked(), all_runs=True))

    assert (len(some), some[1][:6], some[-1]) == (1 + 2 * 20 + 1, "000021", "and 2 earlier runs; --all lists them all")
    assert (len(every), every[-2][:6]) == (1 + 2 * 22, "000000")


def test_a_list_fits_eighty_columns_whatever_the_files_are_called(capsys: pytest.CaptureFixture[str]) -> None:
    """Long names are cut at their beginning, signs that steer a terminal are escaped, large numbers wrap."""
    totals = tuple(Total(label, 1_000_000) for label in ("invalid", "duplicate", "already there", "created", "unknown"))
    files = ("\x1b[31m" + "long folder/" * 9 + "inventory of the year.csv", "b.csv", "c.csv")
    remember(HISTORY, FIRST._replace(rows_read=5_000_000, totals=totals, files=files))

    lines = printed(capsys, lambda: list_runs(TEXT, Asked(), all_runs=False))

    assert [line for line in lines if len(line) > 80 or not line.isprintable()] == []
    assert lines[-1].endswith("inventory of the year.csv and 2 more")


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --output json the same comes as one document; what is not there is null."""
    remember(HISTORY, FIRST._replace(ended_at=""))

    document = json.loads("\n".join(printed(capsys, lambda: list_runs(JSON, Asked(), all_runs=False))))

    assert document == {
        "schema_version": 1,
        "runs_known": 1,
        "runs": [
            {
                "id": FIRST.id,
                "verb": "validate",
                "parent": None,
                "dry_run": True,
                "service_root": SERVICE_ROOT,
                "tenant_id": TENANT_ID,
                "edition": "1706",
                "files": ["inventory.csv"],
                "started_at": FIRST.started_at,
                "ended_at": None,
                "stop": None,
                "rows_read": 250,
                "totals": {"blank": 1, "invalid": 12, "conflicting": 2, "valid": 235},
            }
        ],
    }


def test_before_the_first_run_there_is_no_list(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says how to get one; as JSON the list is empty."""
    with pytest.raises(UsageError, match=r"there is no run yet; start one with `certstate validate FILE`"):
        list_runs(TEXT, Asked(), all_runs=False)
    document = json.loads("\n".join(printed(capsys, lambda: list_runs(JSON, Asked(), all_runs=False))))

    assert document == {"schema_version": 1, "runs_known": 0, "runs": []}
    assert not Path("state").exists()


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """A simulator that creates everything."""
    with running(SimulatorSettings()) as simulator:
        yield simulator


def imported(simulator: RunningSimulator) -> str:
    """Import two valid rows and one with an error, and return the run's id."""
    write_csv(Path("a.csv"), [*devices(2), cells_of(3, devicePlatform="abacus")])
    called = call("--output", "json", "import", "a.csv", "--graph-url", simulator.service_root)
    run_id: str = json.loads(called.stdout)["run"]["id"]
    return run_id


def test_a_run_that_the_history_does_not_know_is_listed(
    simulator: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in the ledger is listed as the ledger knows it, such as runs of an older version."""
    run_id = imported(simulator)
    HISTORY.unlink(missing_ok=True)

    _, first, second = printed(capsys, lambda: list_runs(TEXT, Asked(), all_runs=False))

    assert first == f"{run_id[-6:]}  {first[8:24]}  import            3  1 error, 2 created"
    assert second == "        a.csv"


def test_a_run_that_was_killed_after_it_was_remembered_is_listed_as_it_is(
    simulator: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger knows better than an old line of the history how a run stands."""
    run_id = imported(simulator)
    stale = FIRST._replace(id=run_id, verb="import", is_dry_run=False, started_at="2026-01-01T00:00:00+00:00")
    remember(HISTORY, stale)

    lines = printed(capsys, lambda: list_runs(TEXT, Asked(), all_runs=False))

    assert len(lines) == 3
    assert lines[1].endswith("import            3  1 error, 2 created")


def test_a_run_that_ended_before_its_files_were_read(
    simulator: RunningSimulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such a run is listed too, and the line says so."""
    run_id = imported(simulator)
    HISTORY.unlink(missing_ok=True)
    Site(tmp_path).execute("UPDATE runs SET planned_at = NULL, ended_at = NULL")

    _, first, second = printed(capsys, lambda: list_runs(TEXT, Asked(), all_runs=False))

    assert first == f"{run_id[-6:]}  {first[8:24]}  import            3  not read to the end"
    assert second == "        a.csv; did not end"


# --- runs show, of a dry run


def test_a_dry_run_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run stands in no ledger; the history tells how its rows stood and what was wrong."""
    remember(HISTORY, FIRST)

    assert printed(capsys, lambda: show_history(TEXT, Asked(), "3f9a1c", None)) == [
        f"Run      {FIRST.id}",
        f"Service  {SERVICE_ROOT}",
        f"Tenant   {TENANT_ID}",
        "Verb     validate, nothing was sent",
        "Edition  1706",
        "Started  2026-11-23T08:49:13+00:00",
        "Ended    2026-11-23T08:49:15+00:00",
        "",
        "        1  blank",
        "       12  invalid",
        "        2  conflicting",
        "      235  valid",
        "",
        "error    unknown-member, devicePlatform: 12 rows",
        "warning  letter-case, devicePlatform: 40 rows",
        "",
        f"Folder: {Path('runs', FIRST.id).absolute()}",
    ]


def test_a_dry_run_in_short_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The document has the same fields as that of any run."""
    remember(HISTORY, FIRST)

    document = json.loads("\n".join(printed(capsys, lambda: show_history(JSON, Asked(), FIRST.id, None))))

    assert document == {
        "schema_version": 1,
        "run": {
            "id": FIRST.id,
            "verb": "validate",
            "parent": None,
            "service_root": SERVICE_ROOT,
            "tenant_id": TENANT_ID,
            "edition": "1706",
            "certstate_version": None,
            "started_at": FIRST.started_at,
            "ended_at": FIRST.ended_at,
            "stop": None,
            "stop_message": None,
            "folder": str(Path("runs", FIRST.id).absolute()),
        },
        "totals": {"blank": 1, "invalid": 12, "conflicting": 2, "valid": 235},
    }


def test_a_row_of_a_dry_run_has_no_story() -> None:
    """Its rows stand in its reports only, and the message says where, and what shows a row instead."""
    remember(HISTORY, FIRST)

    with pytest.raises(UsageError, match=r"was a dry run, .*inventory-3f9a1c; `certstate explain FILE --row 7`"):
        show_history(TEXT, Asked(), FIRST.id, 7)


# --- runs diff


def test_two_runs_beside_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Totals stand side by side, then what is new, what is still there and what is cured."""
    remember(HISTORY, FIRST)
    remember(HISTORY, SECOND)

    expected = [
        "Before  20261123T084913Z-inventory-3f9a1c",
        "        validate, nothing was sent; 2026-11-23 08:49 UTC; inventory.csv",
        "After   20261124T084913Z-inventory-aaaaaa",
        "        import; 2026-11-24 08:49 UTC; inventory.csv",
        "",
        "     BEFORE        AFTER",
        "        250          250  rows read",
        "          1            1  blank",
        "         12            3  invalid",
        "          2            0  conflicting",
        "        235            0  valid",
        "          0          240  created",
        "          0            6  unknown",
        "",
        "New: 1",
        "  error    missing-column, serverUrl: whole file",
        "",
        "Still there: 1",
        "  error    unknown-member, devicePlatform: 12 -> 3 rows",
        "",
        "Cured: 1",
        "  warning  letter-case, devicePlatform: 40 rows",
    ]
    for first, second in (("3f9a1c", "aaaaaa"), ("aaaaaa", FIRST.id), ("aaaaaa", None), ("3f9a1c", None)):
        assert printed(capsys, lambda one=first, two=second: show_difference(TEXT, Asked(), one, two)) == expected


def test_runs_that_are_not_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """Other files, another edition and another tenant are told; the folder that a file lies in makes no difference."""
    remember(HISTORY, FIRST)
    remember(HISTORY, SECOND._replace(files=("b.csv",), edition="current", tenant_id=""))
    remember(HISTORY, SECOND._replace(id="run-cccccc", files=("exports/inventory.csv",)))

    other = printed(capsys, lambda: show_difference(TEXT, Asked(), "3f9a1c", "aaaaaa"))
    alike = printed(capsys, lambda: show_difference(TEXT, Asked(), "3f9a1c", "cccccc"))

    assert " ".join(other[4 : other.index("")]) == (
        "The files differ: inventory.csv before, b.csv after. "
        "The editions differ: 1706 before, current after. "
        f"The services or tenants differ: {SERVICE_ROOT}, tenant {TENANT_ID} before, {SERVICE_ROOT}, tenant none after."
    )
    assert alike[4] == ""


def test_the_run_to_compare_with_is_the_latest_of_the_same_files(capsys: pytest.CaptureFixture[str]) -> None:
    """Other inventories, other editions and undos are left out; a run of the corrected rows belongs to its parent."""
    remember(HISTORY, FIRST)
    remember(HISTORY, SECOND)
    later = SECOND._replace(started_at="2026-11-25T08:49:13+00:00", causes=())
    remember(HISTORY, later._replace(id="run-bbbbbb", files=("other.csv",)))
    remember(HISTORY, later._replace(id="run-cccccc", edition="current"))
    remember(HISTORY, later._replace(id="run-dddddd", verb="undo", parent_id=SECOND.id))
    remember(HISTORY, later._replace(id="run-eeeeee", files=("errors.csv",), parent_id=SECOND.id))

    def after(wanted: str) -> str:
        document = json.loads("\n".join(printed(capsys, lambda: show_difference(JSON, Asked(), wanted, None))))
        assert wanted in {document["before"]["id"][-6:], document["after"]["id"][-6:]}
        return str(document["after"]["id"])

    assert [after("3f9a1c"), after("aaaaaa"), after("eeeeee")] == [SECOND.id, "run-eeeeee", "run-eeeeee"]
    with pytest.raises(UsageError, match="no other run read the files of run-bbbbbb with the same edition; name"):
        show_difference(TEXT, Asked(), "bbbbbb", None)


def test_the_difference_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --output json the same comes as one document."""
    remember(HISTORY, FIRST)
    remember(HISTORY, SECOND._replace(files=("b.csv",)))

    document = json.loads("\n".join(printed(capsys, lambda: show_difference(JSON, Asked(), "aaaaaa", "3f9a1c"))))

    assert (document.pop("before")["id"], document.pop("after")["id"]) == (FIRST.id, SECOND.id)
    cause = {"code": "unknown-member", "severity": "error", "column": "devicePlatform"}
    assert document == {
        "schema_version": 1,
        "notes": ["The files differ: inventory.csv before, b.csv after."],
        "new": [
            {"code": "missing-column", "severity": "error", "column": "serverUrl", "before_rows": 0, "after_rows": 0}
        ],
        "cured": [
            {
                "code": "letter-case",
                "severity": "warning",
                "column": "devicePlatform",
                "before_rows": 40,
                "after_rows": 0,
            }
        ],
        "still": [{**cause, "before_rows": 12, "after_rows": 3}],
    }


def test_a_run_whose_causes_nobody_knows(simulator: RunningSimulator) -> None:
    """The message says how to put them into the history."""
    run_id = imported(simulator)
    HISTORY.unlink(missing_ok=True)
    remember(HISTORY, FIRST)

    with pytest.raises(UsageError, match=f"`certstate report {run_id}` puts them there"):
        show_difference(TEXT, Asked(), "3f9a1c", run_id)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("zzzzzz", None, "no run ends with zzzzzz; name one of them, the latest are run-x-1, "),
        ("1", None, "several runs end with 1; name one of them, the latest are run-x-1, "),
        (FIRST.id, "3f9a1c", f"{FIRST.id} and 3f9a1c are the same run; name two"),
    ],
)
def test_a_run_that_is_not_named_clearly(first: str, second: str | None, message: str) -> None:
    """What is not there, is there twice, or is the same run, is told with the names that could be meant."""
    remember(HISTORY, FIRST)
    remember(HISTORY, SECOND._replace(id="run-y-1"))
    remember(HISTORY, SECOND._replace(id="run-x-1", started_at="2026-11-25T08:49:13+00:00"))

    with pytest.raises(UsageError, match=message):
        show_difference(TEXT, Asked(), first, second)
