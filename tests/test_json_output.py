"""`--output json` on every verb: one document on stdout, however the call ends, that fits its published schema."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from cli_cases import GRAPH, ROOT, Called, call, environ_of, move_to, program, run_program
from import_cases import cells_of, devices, write_csv
from jsonschema import Draft202012Validator

from pipeline.cli.app import VERBS
from pipeline.cli.documents import DOCUMENTS, schema_text
from pipeline.cli.ending import ending
from pipeline.cli.options import Globals, Output
from pipeline.errors import ExitCode
from pipeline.interrupt import TerminatedError
from pipeline.simulator import Fault, ReadFault, SimulatorSettings, running

SCHEMAS = ROOT / "docs" / "schemas"
ENDING = ".schema.json"


class Expected(NamedTuple):
    """What a call answers with, and its exit code."""

    kind: str
    code: ExitCode


def problems_of(text: str, name: str) -> list[str]:
    """Return what the published schema has against the one document that the text is."""
    schema = json.loads((SCHEMAS / f"{name}{ENDING}").read_text("utf-8"))
    errors = Draft202012Validator(schema).iter_errors(json.loads(text))
    return [f"{each.json_path}: {each.message}" for each in errors]


def error_of(called: Called) -> dict[str, Any]:
    """Return what the error document says, which fits its schema."""
    assert problems_of(called.stdout, "error.v1") == []
    error: dict[str, Any] = json.loads(called.stdout)["error"]
    return error


# --- the published schemas


def test_the_published_schemas_are_those_of_the_code() -> None:
    """Each kind of document has its file, none is left over, and each says what the code makes.

    To write them: python -c "from pathlib import Path; from pipeline.cli.documents import write_schemas;
    write_schemas(Path('docs/schemas'))"
    """
    published = {path.name.removesuffix(ENDING): path.read_text("utf-8") for path in SCHEMAS.iterdir()}

    assert published == {name: schema_text(name) for name in DOCUMENTS}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_one_and_names_itself(name: str) -> None:
    """It is a schema of draft 2020-12, closed, with an id of its own, and its version is the documents'."""
    schema = json.loads((SCHEMAS / f"{name}{ENDING}").read_text("utf-8"))

    Draft202012Validator.check_schema(schema)
    version = schema["properties"]["schema_version"]["const"]
    objects = [each for each in (schema, *schema.get("$defs", {}).values()) if each.get("type") == "object"]
    assert (schema["$schema"], schema["$id"], name.rpartition(".")[2], schema["title"]) == (
        "https://json-schema.org/draft/2020-12/schema",
        f"urn:certstate:schema:{name}",
        f"v{version}",
        DOCUMENTS[name].__name__,
    )
    assert all(each["additionalProperties"] is False and each["description"] for each in objects)
    assert all(each["required"] == list(each["properties"]) for each in objects)


# --- every verb


STORY = {
    "inspect": Expected("inspection.v1", ExitCode.OK),
    "inspect absent": Expected("inspection.v1", ExitCode.USAGE),
    "explain": Expected("explanation.v1", ExitCode.OK),
    "validate": Expected("report.v2", ExitCode.INVALID),
    "plan": Expected("report.v2", ExitCode.INVALID),
    "import --dry-run": Expected("report.v2", ExitCode.INVALID),
    "import --on-invalid abort": Expected("report.v2", ExitCode.INVALID),
    "import --max-errors": Expected("report.v2", ExitCode.THRESHOLD),
    "import --limit": Expected("report.v2", ExitCode.UNSETTLED),
    "resume": Expected("report.v2", ExitCode.UNSETTLED),
    "retry": Expected("report.v2", ExitCode.UNSETTLED),
    "report": Expected("report.v2", ExitCode.OK),
    "runs list": Expected("runs.v1", ExitCode.OK),
    "runs diff": Expected("difference.v1", ExitCode.OK),
    "runs show": Expected("run.v1", ExitCode.OK),
    "runs show --row": Expected("rows.v1", ExitCode.OK),
    "verify": Expected("verification.v2", ExitCode.OK),
    "undo": Expected("report.v2", ExitCode.OK),
    "verify undone": Expected("verification.v2", ExitCode.OK),
    "ledger check": Expected("ledger-check.v1", ExitCode.OK),
    "demo": Expected("report.v2", ExitCode.OK),
}
"""The calls of the story, in their order."""

SERVER = "simulate"
"""Its document is tried further down."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Called]]:
    """How each call of the story ended."""
    folder = tmp_path_factory.mktemp("story")
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        running(SimulatorSettings(script=(Fault.NONE, Fault.BAD_REQUEST_400))) as simulator,
    ):
        move_to(folder, monkeypatch)
        write_csv(Path("a.csv"), [*devices(3), cells_of(4, certificateKeyLength="größer 証"), cells_of(5)])
        url = ("--graph-url", simulator.service_root)

        def answered(*arguments: str) -> Called:
            return call("--output", "json", *arguments, encoding="cp1252")

        calls = {
            "inspect": answered("inspect", "a.csv"),
            "inspect absent": answered("inspect", "a.csv", "absent.csv"),
            "explain": answered("explain", "a.csv", "--row", "2"),
            "validate": answered("validate", "a.csv"),
            "plan": answered("plan", "a.csv", "--remote", "--save", "plan.json", *url),
            "import --dry-run": answered("import", "a.csv", "--dry-run"),
            "import --on-invalid abort": answered("import", "a.csv", "--on-invalid", "abort", *url),
            "import --max-errors": answered("import", "a.csv", "--max-errors", "0", *url),
            "import --limit": answered("import", "a.csv", "--limit", "2", *url),
        }
        run = json.loads(calls["import --limit"].stdout)["run"]["id"]
        calls |= {
            "resume": answered("resume", run, *url),
            "retry": answered("retry", run, *url),
            "report": answered("report", run, *url),
            "runs list": answered("runs", "list", *url),
            "runs diff": answered("runs", "diff", run, *url),
            "runs show": answered("runs", "show", run, *url),
            "runs show --row": answered("runs", "show", run, "--row", "2", *url),
            "verify": answered("verify", run, "--wait-s", "0", *url),
            "undo": answered("undo", run, "--yes", *url),
            "verify undone": answered("verify", run, "--wait-s", "0", *url),
            "ledger check": answered("ledger", "check"),
        }
        cut_sample_data(folder)
        calls["demo"] = answered("demo")
        yield calls


def cut_sample_data(folder: Path) -> None:
    """Put a sample_data into the folder that the simulator's quota lets through at once."""
    (folder / "sample_data").mkdir()
    for name in ("config.yaml", "inventory.xlsx"):
        shutil.copy(ROOT / "sample_data" / name, folder / "sample_data")
    for name in ("inventory.csv", "faults.csv"):
        lines = (ROOT / "sample_data" / name).read_bytes().splitlines(keepends=True)
        (folder / "sample_data" / name).write_bytes(b"".join(lines[:6]))


@pytest.mark.parametrize("name", STORY)
def test_every_verb_answers_with_one_document_that_fits_its_schema(story: dict[str, Called], name: str) -> None:
    """In ASCII, whatever the pipe's encoding; the exit code is the same as without."""
    called, expected = story[name], STORY[name]

    assert problems_of(called.stdout, expected.kind) == []
    assert called.code == expected.code
    assert (called.stdout.isascii(), called.stdout.endswith("}\n")) == (True, True)


def test_no_verb_is_forgotten(story: dict[str, Called]) -> None:
    """A new verb is called here too."""
    assert list(story) == list(STORY)
    assert {name.split()[0] for name in STORY} | {SERVER} == {name for name, _ in VERBS}


def test_the_report_says_where_its_folder_is(story: dict[str, Called]) -> None:
    """A pipeline publishes run.folder as it is."""
    folders = [Path(json.loads(story[name].stdout)["run"]["folder"]) for name in ("validate", "plan", "import --limit")]

    assert all((each / "report.json").is_absolute() and (each / "report.json").exists() for each in folders)


def test_a_run_tells_what_is_left_and_how_sending_went(story: dict[str, Called]) -> None:
    """What `resume` would send, the requests against the quota, and when the certificates expire."""
    document = json.loads(story["import --limit"].stdout)

    assert document["totals"] | {"created": 1, "rejected": 1, "invalid": 1, "unsent": 2} == document["totals"]
    assert (document["eta"]["rows"], document["sending"]["requests"], document["sending"]["refused"]) == (2, 2, 0)
    assert {each["outcome"]: each["steps"] for each in document["throughput"]} == {
        "created": 1,
        "rejected": 1,
        "sending": 2,
    }
    assert document["expiry"] == [{"day": "2027-11-23", "rows": 4}]


def test_an_undo_names_the_run_that_it_undoes(story: dict[str, Called]) -> None:
    """Its parent stands in the run's part."""
    undo, run = (json.loads(story[name].stdout)["run"] for name in ("undo", "import --limit"))

    assert (undo["verb"], undo["parent"], run["parent"]) == ("undo", run["id"], None)


# --- however a call ends


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml and an inventory."""
    move_to(tmp_path, monkeypatch)
    write_csv(Path("a.csv"), devices(2))
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "settings",
    [
        SimulatorSettings(script=(Fault.FORBIDDEN_403,) * 2),
        SimulatorSettings(read_script=(ReadFault.UNAUTHORIZED_401,) * 4),
    ],
    ids=["while sending", "before sending"],
)
def test_a_run_that_was_stopped_has_its_report(settings: SimulatorSettings) -> None:
    """The document is there, says why, and the exit code is that of the stop."""
    with running(settings) as simulator:
        called = call("--output", "json", "import", "a.csv", "--check-remote", "--graph-url", simulator.service_root)

    document = json.loads(called.stdout)
    assert problems_of(called.stdout, "report.v2") == []
    assert (called.code, document["totals"]["unsent"]) == (ExitCode.PREFLIGHT, 2)
    assert document["causes"][0]["code"] == "unsent" or document["run"]["stop_message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--output json validate absent.csv", "absent.csv does not exist: check the name and the directory."),
        ("--output json validate", "Missing argument 'FILE'; see `certstate validate --help`"),
        ("--output json validate a.csv --quoat 1", "No such option: --quoat"),
        ("--output json import a.csv --limit 0", "Invalid value for '--limit'"),
        ("--output=json import a.csv --on-invalid stop", "Invalid value for '--on-invalid'"),
        ("--output json import a.csv --dry-run --check-remote", "Invalid value for --dry-run"),
        ("--output json simulate --quota fast", '--quota: "fast" is not a quota'),
        ("--output json ledger check", "there is no ledger here yet"),
        ("--output json report", "there is no ledger here yet"),
        ("--output json runs show", "there is no ledger here yet"),
        ("--output json runs", "Missing command"),
        ("--output json ledger", "Missing command; see `certstate ledger --help`"),
        ("--output json ledger chek", "No such command 'chek'"),
        ("--output json improt a.csv", "No such command 'improt'"),
        ("--output json", "Missing command; see `certstate --help`"),
        ("--bogus --output json validate a.csv", "No such option: --bogus"),
        ("--output=json --bogus validate a.csv", "No such option: --bogus"),
        ("validate a.csv --output json", "--output stands before the verb"),
        (f"--output json import a.csv --graph-url {GRAPH}", "there is no terminal to ask on"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_problem_is_a_document_too(words: str, message: str) -> None:
    """A caller that reads JSON gets JSON for a wrong call as well, wherever in it the mistake stands."""
    called = call(*words.split())

    error = error_of(called)
    assert message in error["message"]
    assert (called.code, error["exit_code"]) == (ExitCode.USAGE, ExitCode.USAGE)
    assert called.stderr


@pytest.mark.usefixtures("folder")
def test_a_problem_without_json_leaves_stdout_empty() -> None:
    """Nobody asked for a document."""
    calls = [
        call(*words.split()) for words in ("improt", "--bogus", "validate absent.csv", "--output xml validate a.csv")
    ]

    assert [(each.code, each.stdout) for each in calls] == [(ExitCode.USAGE, "")] * 4


@pytest.mark.parametrize(
    ("problem", "message", "code"),
    [
        (KeyboardInterrupt(), "interrupted; nothing was sent", ExitCode.INTERRUPTED),
        (TerminatedError("go on like this"), "terminated; go on like this", ExitCode.TERMINATED),
        (
            ZeroDivisionError("a \udcff b"),
            (
                "internal error, please report it: ZeroDivisionError: a ? b; call it again with --verbose before the "
                "verb to see where"
            ),
            ExitCode.INTERNAL,
        ),
    ],
    ids=["Ctrl-C", "SIGTERM", "defect"],
)
def test_signals_and_defects_are_documents_too(
    problem: BaseException, message: str, code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ends a call before it has an answer is told in the same form, in texts that every reader of JSON takes."""
    chosen = Globals(None, Output.JSON, has_color=False, is_verbose=False)

    with pytest.raises(typer.Exit) as ended, ending(chosen, sends=False):
        raise problem

    printed = capsys.readouterr()
    error = error_of(Called(ended.value.exit_code, printed.out, printed.err))
    assert (ended.value.exit_code, error) == (code, {"message": message, "exit_code": code})


@pytest.mark.usefixtures("folder")
def test_the_program_itself_answers_with_one_document() -> None:
    """As a process of its own, too, nothing else gets to stdout."""
    called = run_program("--output", "json", "validate", "a.csv")

    assert problems_of(called.stdout, "report.v2") == []
    assert (called.code, called.stderr) == (ExitCode.OK, "")


@pytest.mark.parametrize("words", [("--help",), ("validate", "--help"), ("--version",)], ids=" ".join)
def test_what_is_about_the_program_stays_text(words: Sequence[str]) -> None:
    """Help and version are for people; a script reads the version as one line."""
    assert call("--output", "json", *words) == call(*words)


def test_the_simulator_answers_once_in_one_line() -> None:
    """Its document comes when it listens, as a line that can be waited for, and nothing after it."""
    command = program("--output", "json", "simulate", "--port", "0", "--quota", "50/10s", "--edition", "current")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ_of()) as started:
        assert started.stdout is not None
        line = started.stdout.readline()
        started.send_signal(signal.SIGINT)
        rest = started.stdout.read()

    document = json.loads(line)
    assert problems_of(line, "simulation.v1") == []
    assert document.pop("service_root").startswith("http://127.0.0.1:")
    assert document == {"schema_version": 1, "edition": "current", "quota": 50, "window_s": 10.0}
    assert (started.returncode, rest) == (ExitCode.OK, "")
