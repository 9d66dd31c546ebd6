"""`--junit FILE.xml`: which verbs write it, and what is refused before anything is done."""

import json
from pathlib import Path

import pytest
from cli_cases import call, move_to
from defusedxml import ElementTree
from import_cases import cells_of, write_csv

from pipeline.errors import ExitCode
from pipeline.simulator import SimulatorSettings, running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml and an inventory of one good and one bad row."""
    move_to(tmp_path, monkeypatch)
    write_csv(Path("a.csv"), [cells_of(1), cells_of(2, certificateKeyLength="big")])
    return tmp_path


def failed_in(path: str) -> list[str]:
    """Return the names of the failing cases."""
    return [each.get("name") for each in ElementTree.parse(path).iter("testcase") if each.find("failure") is not None]


def test_the_verbs_that_read_or_send_rows_write_it() -> None:
    """Exit code and answer are those of the verb without it."""
    with running(SimulatorSettings()) as simulator:
        url = ("--graph-url", simulator.service_root)
        called = {
            "validate": call("validate", "a.csv", "--junit", "validate.xml"),
            "dry-run": call("import", "a.csv", "--dry-run", "--junit", "dry-run.xml"),
            "plan": call("plan", "a.csv", "--junit", "plan.xml", *url),
            "import": call("--output", "json", "import", "a.csv", "--junit", "import.xml", *url),
        }
        run = json.loads(called["import"].stdout)["run"]["id"]
        called["resume"] = call("resume", run, "--junit", "resume.xml", *url)
        called["retry"] = call("retry", run, "--junit", "retry.xml", *url)

    assert {name: each.code for name, each in called.items()} == {
        "validate": ExitCode.INVALID,
        "dry-run": ExitCode.INVALID,
        "plan": ExitCode.INVALID,
        "import": ExitCode.UNSETTLED,
        "resume": ExitCode.UNSETTLED,
        "retry": ExitCode.UNSETTLED,
    }
    bad = ["not-an-integer: certificateKeyLength"]
    assert {name: failed_in(f"{name}.xml") for name in called} == dict.fromkeys(called, bad)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out/junit.xml", "out: no such folder for the JUnit report; make it, or name another place"),
        ("a.csv", "a.csv: the name of a JUnit report ends in .xml; name it such as junit.xml"),
    ],
    ids=["no folder", "no .xml"],
)
def test_a_place_where_it_cannot_be_is_told_before_the_work_begins(name: str, sentence: str) -> None:
    """No run is begun, and the file that the name means is as it was."""
    before = Path("a.csv").read_bytes()

    called = call("validate", "a.csv", "--junit", name)

    assert called == (ExitCode.USAGE, "", f"certstate: {sentence}\n")
    assert (Path("runs").exists(), Path("a.csv").read_bytes()) == (False, before)


def test_an_earlier_one_is_not_taken_for_this_one() -> None:
    """Where the files cannot be read, none is left that a pipeline would publish."""
    call("validate", "a.csv", "--junit", "junit.xml")
    assert Path("junit.xml").exists()

    called = call("validate", "absent.csv", "--junit", "junit.xml")

    assert (called.code, Path("junit.xml").exists()) == (ExitCode.USAGE, False)
