"""`runs show` and `ledger check`: what happened to a row, how a run stands, and whether the ledger can be believed."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_cases import Called, call, move_to
from import_cases import IOS, TENANT_ID, cells_of, devices, write_csv

from pipeline.errors import ExitCode
from pipeline.simulator import Fault, RunningSimulator, SimulatorSettings, running

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A simulator that refuses the second create, and a current folder with a config.yaml."""
    move_to(tmp_path, monkeypatch)
    with running(SimulatorSettings(script=(Fault.NONE, Fault.BAD_REQUEST_400))) as simulator:
        yield simulator


def imported(simulator: RunningSimulator, name: str = "a.csv") -> str:
    """Import the file and return the run's id."""
    called = call("--output", "json", "import", name, "--graph-url", simulator.service_root, "--concurrency", "1")
    run_id: str = json.loads(called.stdout)["run"]["id"]
    return run_id


def shown(simulator: RunningSimulator, *arguments: str) -> Called:
    """Call `runs show`."""
    return call("runs", "show", *arguments, "--graph-url", simulator.service_root)


def told(simulator: RunningSimulator, run: str, row: int) -> list[dict[str, Any]]:
    """Return the stories of the rows with this number, as JSON."""
    url = ("--graph-url", simulator.service_root)
    called = call("--output", "json", "runs", "show", run, "--row", str(row), *url)
    rows: list[dict[str, Any]] = json.loads(called.stdout)["rows"]
    return rows


# --- runs show


def test_a_run_in_short(simulator: RunningSimulator) -> None:
    """Without a row there is the run: what it was, when, how its rows stand, and where its reports are."""
    write_csv(Path("a.csv"), [*devices(2), cells_of(3, devicePlatform="abacus")])
    run = imported(simulator)

    called = shown(simulator, run[-6:])

    lines = [INSTANT.sub("(time)", line) for line in called.stdout.splitlines()]
    assert lines == [
        f"Run      {run}",
        f"Service  {simulator.service_root}",
        f"Tenant   {TENANT_ID}",
        "Verb     import",
        "Edition  1706",
        "Started  (time)",
        "Ended    (time)",
        "",
        "        1  invalid",
        "        1  created",
        "        1  rejected",
        "",
        f"Folder: {Path('runs', run).absolute()}",
    ]
    assert (called.code, called.stderr) == (ExitCode.OK, "")


def test_a_run_in_short_as_json(simulator: RunningSimulator) -> None:
    """With --output json the same comes as one document."""
    write_csv(Path("a.csv"), devices(2))
    run = imported(simulator)

    document = json.loads(call("--output", "json", "runs", "show", "--graph-url", simulator.service_root).stdout)

    about = document["run"]
    assert (document["schema_version"], about["id"], about["verb"], about["stop"]) == (1, run, "import", None)
    assert {label: rows for label, rows in document["totals"].items() if rows} == {"created": 1, "rejected": 1}


def test_the_story_of_a_row_that_was_refused(simulator: RunningSimulator) -> None:
    """Each step is told, the oldest first, with the answer and the ids that Microsoft's support asks for."""
    write_csv(Path("a.csv"), devices(2))
    run = imported(simulator)

    called = shown(simulator, run, "--row", "3")

    text = UUID.sub("(uuid)", INSTANT.sub("(time)", called.stdout))
    heading, story = text.split("\n\n")
    assert heading.splitlines()[0] == f"Run      {run}"
    lines = story.splitlines()
    assert lines[0] == "a.csv, row 3: rejected"
    assert lines[1] == f"  route  {UUID.sub('(uuid)', IOS)}"
    assert re.fullmatch(r"  key    [0-9a-f]+", lines[2])
    steps = [line for line in lines if line.startswith("  (time)  ")]
    assert steps[-2:] == [
        "  (time)  create: sending, attempt 1",
        "  (time)  create: rejected, attempt 1, HTTP 400, BadRequest",
    ]
    assert "      request-id (uuid)" in lines
    assert (called.code, called.stderr) == (ExitCode.OK, "")


def test_the_story_of_an_object_goes_through_all_its_runs(simulator: RunningSimulator) -> None:
    """What a retry, an undo and a new import did to the object of a row is part of that row's story."""
    write_csv(Path("a.csv"), devices(1))
    run = imported(simulator)
    url = ("--graph-url", simulator.service_root)
    undo = json.loads(call("--output", "json", "undo", run, "--yes", *url).stdout)["run"]["id"]
    again = imported(simulator)  # refused, and retried
    call("retry", again, *url)

    (row,) = told(simulator, run, 2)

    events = [(each["run"], each["operation"], each["state"]) for each in row["events"]]
    assert row["state"] == "reversed"
    assert [each for each in events if each[2] not in {"planned", "staged"}] == [
        (run, "create", "sending"),
        (run, "create", "created"),
        (undo, "delete", "sending"),
        *[each for each in events if each[2] == "reversed"],
        (again, "create", "sending"),
        (again, "create", "rejected"),
        (again, "create", "sending"),
        (again, "create", "created"),
    ]
    assert (undo, "delete", "reversed") in events


def test_each_file_of_a_run_may_have_a_row_of_that_number(simulator: RunningSimulator) -> None:
    """Two files have two rows 2, and both are told."""
    write_csv(Path("a.csv"), devices(1))
    write_csv(Path("b.csv"), devices(1, first=2))
    call("import", "a.csv", "b.csv", "--graph-url", simulator.service_root)
    (folder,) = (each for each in Path("runs").iterdir() if each.is_dir())

    rows = told(simulator, folder.name, 2)

    assert [(Path(str(each["file"])).name, each["row"]) for each in rows] == [("a.csv", 2), ("b.csv", 2)]


def test_the_story_of_an_invalid_row_is_what_is_wrong_with_it(simulator: RunningSimulator) -> None:
    """A row that was never sent has its findings."""
    write_csv(Path("a.csv"), [cells_of(1, devicePlatform="abacus")])
    run = imported(simulator)

    called = shown(simulator, run, "--row", "2")

    assert re.search(r"row 2: invalid\n  error +\S+, devicePlatform: ", called.stdout)
    assert [line for line in called.stdout.splitlines() if len(line) > 80] == []


def test_a_row_that_is_not_there_is_told(simulator: RunningSimulator) -> None:
    """The header and rows beyond the end have no story, and the message says which numbers count."""
    write_csv(Path("a.csv"), devices(1))
    run = imported(simulator)

    called = shown(simulator, run, "--row", "9")

    assert called.code == ExitCode.USAGE
    assert called.stderr.startswith(f"certstate: run {run} has no row 9; give the number that the spreadsheet shows, ")


def test_showing_a_run_needs_neither_token_nor_lock_nor_network(simulator: RunningSimulator) -> None:
    """`runs show` reads the ledger alone."""
    write_csv(Path("a.csv"), devices(1))
    run = imported(simulator)
    before = simulator.state().requests

    called = shown(simulator, run, "--row", "2")

    assert (called.code, simulator.state().requests) == (ExitCode.OK, before)


# --- ledger check


def change_ledger(statement: str) -> None:
    """Change the ledger's file behind our back."""
    with closing(sqlite3.connect(Path("state", "ledger.db"))) as connection, connection:
        connection.execute(statement)


def test_a_sound_ledger(simulator: RunningSimulator) -> None:
    """A ledger that agrees with itself is told so, with what it holds."""
    write_csv(Path("a.csv"), devices(2))
    imported(simulator)

    called = call("ledger", "check")

    assert re.fullmatch(r"the ledger is sound: 1 run, 2 objects, \d+ events\n", called.stdout)
    assert (called.code, called.stderr) == (ExitCode.OK, "")


def test_a_sound_ledger_as_json(simulator: RunningSimulator) -> None:
    """With --output json the same comes as one document."""
    write_csv(Path("a.csv"), devices(2))
    imported(simulator)

    document = json.loads(call("--output", "json", "ledger", "check").stdout)

    assert document.pop("events") > 0
    assert document == {
        "schema_version": 1,
        "ledger": str(Path("state", "ledger.db")),
        "sound": True,
        "problems": [],
        "runs": 1,
        "objects": 2,
    }


def test_a_ledger_that_contradicts_itself(simulator: RunningSimulator) -> None:
    """Each contradiction is a sentence, followed by what to do; exit code 2."""
    write_csv(Path("a.csv"), devices(1))
    imported(simulator)
    change_ledger("UPDATE objects SET state = 'rejected'")

    called = call("ledger", "check")

    lines = called.stderr.splitlines()
    assert (called.code, called.stdout) == (ExitCode.USAGE, "")
    assert len(lines) >= 2
    assert all(line.startswith(f"certstate: {Path('state', 'ledger.db')}: ") for line in lines[:-1])
    assert lines[-1].startswith("certstate: keep this file as it is, and restore a copy of it if there is one; ")


def test_a_file_that_is_no_ledger(simulator: RunningSimulator) -> None:
    """A damaged file ends with a sentence, not with a stack."""
    write_csv(Path("a.csv"), devices(1))
    imported(simulator)
    path = Path("state", "ledger.db")
    path.write_bytes(b"no ledger at all" * 1_000)

    called = call("ledger", "check")

    assert (called.code, called.stdout) == (ExitCode.USAGE, "")
    assert called.stderr.startswith("certstate: ")
    assert "internal error" not in called.stderr


def test_without_a_ledger_none_is_made(simulator: RunningSimulator) -> None:
    """A mistyped --state is told, and leaves no file behind."""
    del simulator

    called = call("ledger", "check", "--state", "elsewhere")

    assert (called.code, Path("elsewhere").exists()) == (ExitCode.USAGE, False)
    assert "there is no ledger here yet" in called.stderr
