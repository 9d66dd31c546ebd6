"""The command line: what it prints where, how it asks, and how it ends."""

import importlib.metadata
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import openpyxl
import pytest
import typer
from cli_cases import APP_ID, GRAPH, ROOT, TOKEN, Called, call, environ_of, move_to, program, run_program
from import_cases import HEADER, TENANT_ID, cells_of, devices, write_csv
from openpyxl import load_workbook
from rich.console import Console

from pipeline import __version__
from pipeline.cli.ending import GO_ON, ending
from pipeline.cli.options import GLOBAL_OPTIONS, Globals, Output
from pipeline.cli.streams import answering
from pipeline.cli.terminal import show_finished
from pipeline.errors import ExitCode
from pipeline.findings import Severity
from pipeline.interrupt import TerminatedError
from pipeline.model import RunInfo, Scope, SendStats, SourceInfo
from pipeline.report import Cause, Example, NextStep, RouteLine, Summary, Total
from pipeline.run import Finished
from pipeline.simulator import RunningSimulator, SimulatorSettings, running
from pipeline.wording import duration

VERBS = (
    "inspect",
    "validate",
    "plan",
    "import",
    "resume",
    "retry",
    "verify",
    "undo",
    "runs",
    "runs show",
    "report",
    "ledger",
    "ledger check",
    "simulate",
    "demo",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml."""
    move_to(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """A simulator in this process."""
    with running(SimulatorSettings()) as simulator:
        yield simulator


def next_commands(called: Called) -> list[list[str]]:
    """Return the commands that the summary ends with, without the program's name."""
    commands = re.findall(r"^      certstate (.*)$", called.stdout, re.MULTILINE)
    return [shlex.split(each) for each in commands]


# --- help --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_80_columns(verb: str) -> None:
    """The help of each verb fits a terminal of 80 columns, and each verb has its sentence in the list whole."""
    called = call(*verb.split(), "--help")

    lines = called.stdout.splitlines()
    assert lines[0].startswith(f"Usage: certstate {verb}".rstrip())
    assert max(map(len, lines)) <= 80
    assert [line for line in lines[1:] if line != line.rstrip() or "..." in line] == []
    assert (called.code, called.stderr) == (ExitCode.OK, "")


def test_help_is_at_hand_without_loading_the_libraries() -> None:
    """The verbs load what they need themselves, so that --help and a typing error are answered at once."""
    script = (
        "import sys\n"
        "from pipeline.cli import main\n"
        f"for arguments in {[*([verb, '--help'] for verb in VERBS), ['import', '--bogus']]!r}:\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit:\n"
        "        pass\n"
        "heavy = {'pandas', 'numpy', 'sqlalchemy', 'azure', 'httpx', 'aiohttp', 'python_calamine', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)

    assert ended.stderr.splitlines()[-1] == "[]"


def test_the_module_is_the_program() -> None:
    """`python -m pipeline` is what the console script calls, under the same name."""
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="certstate")

    assert script.value == "pipeline.cli:main"
    assert run_program("--version") == (ExitCode.OK, f"certstate {__version__}\n", "")


def test_without_a_verb_there_is_help() -> None:
    """Who types the program's name alone sees the verbs, on stderr, because nothing was done."""
    assert call() == (ExitCode.USAGE, "", call("--help").stdout)


# --- misuse ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["improt"], "No such command 'improt'"),
        (["import"], "Missing argument 'FILE'"),
        (["import", "a.csv", "--quoat", "1"], "No such option: --quoat"),
        (["import", "a.csv", "--on-invalid", "stop"], "Invalid value for '--on-invalid': 'stop' is not one of "),
        (["import", "a.csv", "--limit", "0"], "Invalid value for '--limit': "),
        (["--output", "xml", "validate", "a.csv"], "Invalid value for '--output': 'xml' is not one of "),
        (["report", "one", "two"], "Got unexpected extra argument(s) (two)"),
        (["simulate", "--port", "70000"], "Invalid value for '--port': "),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_misused_command_line_is_one_sentence(arguments: list[str], sentence: str) -> None:
    """What Typer finds wrong comes as our sentences do, with the way to the help."""
    called = call(*arguments)

    path = " ".join(["certstate", *([arguments[0]] if arguments[0] in VERBS else [])])
    assert called.stderr.startswith(f"certstate: {sentence}")
    assert called.stderr.endswith(f"; see `{path} --help`\n")
    assert called.stderr.count("\n") == 1
    assert (called.code, called.stdout) == (ExitCode.USAGE, "")


@pytest.mark.parametrize("option", GLOBAL_OPTIONS)
def test_an_option_behind_the_verb_is_told_its_place(option: str) -> None:
    """The options that stand before the verb say so where they are typed behind it."""
    assert call("import", "a.csv", option, "x") == (
        ExitCode.USAGE,
        "",
        f"certstate: {option} stands before the verb: certstate {option} ... import ...\n",
    )


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--edition", "1999", 'option --edition, edition: "1999" is not allowed; write 1706 or current'),
        (
            "--quota",
            "fast",
            'option --quota, send.quota: "fast" is not a quota; write the writes and the seconds, such as 100/20s',
        ),
        (
            "--max-errors",
            "few",
            (
                'option --max-errors, send.max_errors: "few" is no error threshold; write rows such as 50, '
                "or a share such as 20%"
            ),
        ),
        (
            "--concurrency",
            "0",
            (
                'option --concurrency, send.concurrency: "0" is no number of requests; write auto, '
                "or a number from 1 to 256"
            ),
        ),
    ],
)
def test_a_wrong_value_names_its_option(option: str, value: str, sentence: str) -> None:
    """What the configuration would refuse is refused as the option that gave it."""
    assert call("import", "a.csv", option, value) == (ExitCode.USAGE, "", f"certstate: {sentence}\n")


# --- where it goes -----------------------------------------------------------------------------------------------


def test_the_first_lines_say_where_rows_go(simulator: RunningSimulator) -> None:
    """An import begins with service, tenant and ledger, so that nobody fills the wrong tenant unknowingly."""
    write_csv(Path("a.csv"), devices(1))

    called = call("import", "a.csv", "--graph-url", simulator.service_root)

    assert called.stderr == (
        f"Service  {simulator.service_root}\nTenant   {TENANT_ID}\nLedger   {Path('state', 'ledger.db')}\n"
        "looking for what the tenant has already\n"
    )
    assert called.stdout.splitlines()[1:3] == [f"Service  {simulator.service_root}", f"Tenant   {TENANT_ID}"]


def test_paths_are_relative_to_the_configuration(folder: Path, simulator: RunningSimulator) -> None:
    """state/ and runs/ lie beside config.yaml, not where the command happens to be called."""
    (folder / "elsewhere").mkdir()
    (folder / "config.yaml").rename(folder / "elsewhere" / "config.yaml")
    write_csv(folder / "a.csv", devices(1))

    called = call("--config", "elsewhere/config.yaml", "import", "a.csv", "--graph-url", simulator.service_root)

    assert called.code == ExitCode.OK
    assert sorted(each.name for each in folder.iterdir()) == ["a.csv", "elsewhere"]
    assert {each.name for each in (folder / "elsewhere").iterdir()} == {"config.yaml", "runs", "state"}


@pytest.mark.parametrize("verb", ["import", "resume"])
def test_without_a_terminal_a_tenant_needs_yes(folder: Path, verb: str) -> None:
    """Where nobody can be asked, nothing is read, opened or sent before --yes is given."""
    assert call(verb, "missing.csv") == (
        ExitCode.USAGE,
        "",
        f"certstate: there is no terminal to ask on before rows are sent to {GRAPH}; add --yes\n",
    )
    assert [each.name for each in folder.iterdir()] == ["config.yaml"]


def test_yes_goes_on_to_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --yes the call gets as far as the first thing that is really wrong."""
    monkeypatch.setenv("GRAPH_TOKEN", TOKEN)

    called = call("import", "missing.csv", "--yes")

    assert called.stderr.splitlines()[-1] == "certstate: missing.csv does not exist: check the name and the directory."
    assert called.code == ExitCode.USAGE


def test_a_tenant_without_id_is_refused(folder: Path) -> None:
    """Off this machine the tenant has to be named, with --yes too."""
    (folder / "config.yaml").write_text("edition: current\n")

    called = call("import", "missing.csv", "--yes")

    assert called.stderr.startswith(f"certstate: tenant.id: the key is missing, and nothing is sent to {GRAPH}")
    assert called.code == ExitCode.USAGE


# --- the summary -------------------------------------------------------------------------------------------------

RUN = RunInfo(
    id="20261123T084913Z-inventory-3f9a1c",
    scope=Scope(GRAPH, TENANT_ID),
    verb="import",
    edition="1706",
    folder="runs/20261123T084913Z-inventory-3f9a1c",
    version="1",
    started_at="2026-11-23T08:49:13.000Z",
    planned_at="2026-11-23T08:49:14.000Z",
    ended_at="2026-11-23T09:49:13.000Z",
    stop="threshold",
    stop_message="more than 20 rows have errors (--max-errors)",
)


def summary_of(*, is_dry_run: bool = False) -> Summary:
    """Return the summary of a run that had a bad day."""
    cast = "identityCertificate/microsoft.graph.androidForWorkScepCertificateProfile"
    collection = f"deviceManagement/deviceConfigurations/{APP_ID}/{cast}/managedDeviceCertificateStates"
    totals = (Total("blank", 1), Total("invalid", 1), Total("created", 12_345), Total("unsent", 2), Total("unknown", 1))
    return Summary(
        run=RUN,
        is_dry_run=is_dry_run,
        sources=(SourceInfo(1, "inventory.csv", None, "", "utf-8", ",", (), 12_350, 1),),
        totals=totals,
        routes=(RouteLine(collection, (*totals[2:], Total("rejected before", 1), Total("already there", 99_999))),),
        causes=(
            Cause(
                code="not-an-integer",
                severity=Severity.ERROR,
                column="certificateKeyLength",
                rows=1,
                places="row 7",
                examples=(Example("row 7", "2048\u200e bit\nRSA", "not a whole number"),),
                hint="write digits only, such as 2048, and ask whoever exported the inventory to do so the next time",
            ),
            Cause(
                "no-rows",
                Severity.WARNING,
                "",
                0,
                "whole file",
                (Example("", "", "a header and no rows"),),
                "check the export",
            ),
        ),
        stats=SendStats(requests=12_349, throttled=2, paused_s=30.0, elapsed_s=3_600.0),
        next_steps=(NextStep("go on with the unsent rows:", "certstate resume 20261123T084913Z-inventory-3f9a1c"),),
    )


SHOWN = f"""\
Run      20261123T084913Z-inventory-3f9a1c
Service  {GRAPH}
Tenant   {TENANT_ID}

        1  blank
        1  invalid
   12,345  created
        2  unsent
        1  unknown

Route               Profile     Rows
androidForWorkScep  99999999..  12,345 created, 2 unsent, 1 unknown, 1 rejected
                                before, 99,999 already there

Causes
error    not-an-integer, certificateKeyLength, 1 row
         row 7
         not a whole number ("2048\\u200e bit\\nRSA")
         -> write digits only, such as 2048, and ask whoever exported the
         inventory to do so the next time
warning  no-rows
         whole file
         a header and no rows
         -> check the export

Needs attention. Stopped: more than 20 rows have errors (--max-errors). 12,345
rows were created, 1 has errors and was not sent, 2 are not sent yet, 1 is
unknown: nobody knows yet whether it has arrived.
12,350 rows read = 1 blank + 1 invalid + 12,345 created + 2 unsent + 1 unknown
12,349 requests in 1 h 0 min; 2 refused as too many, waited 30 s for that

Report: {Path("runs", RUN.id, "report.html")}
Next: go on with the unsent rows:
      certstate resume 20261123T084913Z-inventory-3f9a1c
"""


def shown(finished: Finished, *, width: int = 80) -> str:
    """Return what is printed of it."""
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    show_finished(console, finished)
    text: str = console.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO from above
    return text


def test_the_summary_fits_80_columns() -> None:
    """Totals, routes, causes, conservation, stop and the next command: nothing is wider but paths and commands."""
    finished = Finished(summary_of(), Path("runs", RUN.id), ExitCode.THRESHOLD, RUN.stop_message)

    assert shown(finished) == SHOWN


def test_a_dry_run_says_that_nothing_was_sent() -> None:
    """The first line of a dry run cannot be taken for an import's."""
    finished = Finished(summary_of(is_dry_run=True), Path("runs", RUN.id), ExitCode.INVALID)

    assert shown(finished).startswith(f"Dry run  {RUN.id}: nothing was sent\n\n        1  blank\n")


def test_an_import_that_found_everything_there_says_so(simulator: RunningSimulator) -> None:
    """The same file again creates nothing, and that is a good end."""
    write_csv(Path("a.csv"), devices(2))
    arguments = ("import", "a.csv", "--graph-url", simulator.service_root)

    codes = [call(*arguments).code, (again := call(*arguments)).code]

    assert codes == [ExitCode.OK, ExitCode.OK]
    assert "\n2 rows read = 2 already there\nNothing was created: the valid rows are there already.\n" in again.stdout
    assert len(simulator.objects()) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3_599.6, "1 h 0 min"), (20_000, "5 h 33 min")],
)
def test_durations_are_as_exact_as_they_matter(seconds: float, words: str) -> None:
    """Seconds count below an hour only."""
    assert duration(seconds) == words


# --- stdout and stderr -------------------------------------------------------------------------------------------


def test_json_is_one_document_in_ascii(simulator: RunningSimulator) -> None:
    """With --output json, stdout is report.json and nothing else, readable in whatever encoding a pipe has."""
    write_csv(Path("a.csv"), [cells_of(1), cells_of(2, certificateKeyLength="größer 証")])

    called = call("--output", "json", "import", "a.csv", "--graph-url", simulator.service_root, encoding="cp1252")

    (report,) = Path("runs").glob("*/report.json")
    assert called.stdout.isascii()
    assert json.loads(called.stdout) == json.loads(report.read_text("utf-8"))
    assert called.stderr.startswith("Service  ")
    assert called.code == ExitCode.UNSETTLED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validate", "missing.csv"], "missing.csv does not exist: check the name and the directory."),
        (["validate"], "Missing argument 'FILE'; see `certstate validate --help`"),
    ],
    ids=["problem", "misuse"],
)
def test_json_of_a_problem_is_a_document_too(arguments: list[str], message: str) -> None:
    """A caller that reads JSON gets JSON however the call ends, and a person the sentence."""
    called = call("--output", "json", *arguments)

    assert json.loads(called.stdout) == {"schema_version": 1, "error": {"message": message, "exit_code": 2}}
    assert called.stderr == f"certstate: {message}\n"
    assert called.code == ExitCode.USAGE


def test_a_console_of_another_encoding_ends_no_run() -> None:
    """What an old console cannot show comes as a question mark."""
    write_csv(Path("größe 証.csv"), devices(1))

    called = run_program("validate", "größe 証.csv", encoding="cp1252")

    assert called.stdout.splitlines()[-2:] == ["Next: import the valid rows:", "      certstate import 'größe ?.csv'"]
    assert (called.code, called.stderr) == (ExitCode.OK, "")


@pytest.mark.parametrize("broken", ["stdout", "stderr"])
def test_a_reader_that_goes_away_changes_nothing(simulator: RunningSimulator, broken: str) -> None:
    """`| head` or a closed log keeps no row from being sent, and the exit code is the run's."""
    write_csv(Path("a.csv"), devices(3))
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, broken: writing_end}
    with subprocess.Popen(
        program("import", "a.csv", "--graph-url", simulator.service_root),
        stdin=subprocess.DEVNULL,
        env=environ_of(),
        **streams,
    ) as started:
        os.close(writing_end)
        stdout, stderr = started.communicate()

    assert len(simulator.objects()) == 3
    assert started.returncode == ExitCode.OK
    assert (stderr or b"").count(b"\n") == (4 if broken == "stdout" else 0)
    assert (stdout or b"").endswith(b"report.html\n" if broken == "stderr" else b"")


def test_a_full_disk_under_stdout_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """That the answer cannot be written is a sentence, not the end of the run."""
    with answering():
        raise OSError(28, "No space left on device")

    assert capsys.readouterr().err == "certstate: the answer cannot be printed on stdout: No space left on device\n"


@pytest.mark.parametrize(
    ("problem", "sentence", "code"),
    [
        (KeyboardInterrupt(), f"interrupted; {GO_ON}", ExitCode.INTERRUPTED),
        (TerminatedError(), f"terminated; {GO_ON}", ExitCode.TERMINATED),
        (
            ZeroDivisionError("by zero"),
            (
                "internal error, please report it: ZeroDivisionError: by zero; call it again with --verbose before the "
                "verb to see where"
            ),
            ExitCode.INTERNAL,
        ),
    ],
    ids=["ctrl-c", "sigterm", "defect"],
)
def test_every_end_has_its_words(
    capsys: pytest.CaptureFixture[str], problem: BaseException, sentence: str, code: ExitCode
) -> None:
    """An interrupt is told how to go on, a defect how to report it, and neither shows a traceback."""
    with pytest.raises(typer.Exit) as ended, ending(Globals(None, Output.TEXT, has_color=False, is_verbose=False)):
        raise problem

    assert ended.value.exit_code == code
    assert capsys.readouterr() == ("", f"certstate: {sentence}\n")


# --- options -----------------------------------------------------------------------------------------------------


def write_sheets(path: Path, *names: str) -> Path:
    """Write a workbook with a device on each sheet."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for number, name in enumerate(names, start=1):
        sheet = workbook.create_sheet(name)
        sheet.append(HEADER)
        sheet.append(list(cells_of(number).values()))
    workbook.save(path)
    return path


def test_sheets_are_chosen_by_name_and_stay_chosen() -> None:
    """--sheet can be given again, and the next command reads the same sheets."""
    write_sheets(Path("a.xlsx"), "Berlin", "Seattle", "Old stock")

    called = call("validate", "a.xlsx", "--sheet", "Berlin", "--sheet", "old stock")

    assert "\n2 rows read = 2 valid\n" in called.stdout
    assert next_commands(called) == [["import", "a.xlsx", "--sheet", "Berlin", "--sheet", "old stock"]]


@pytest.mark.parametrize("delimiter", ["tab", "TAB", r"\t", "\t"])
def test_a_tab_can_be_typed(delimiter: str) -> None:
    """--delimiter takes the word tab, which a shell makes hard to type otherwise."""
    rows = [HEADER, tuple(cells_of(1).values())]
    Path("a.txt").write_text("".join("\t".join(row) + "\n" for row in rows), "utf-8")

    assert call("validate", "a.txt", "--delimiter", delimiter).code == ExitCode.OK


def test_an_encoding_can_be_named() -> None:
    """--encoding reads what is not UTF-8."""
    path = write_csv(Path("a.csv"), [cells_of(1, userDisplayName="Jürgen"), cells_of(2)])
    path.write_bytes(path.read_text("utf-8").encode("cp1252"))

    called = call("validate", "a.csv", "--encoding", "cp1252")

    assert next_commands(called) == [["import", "a.csv", "--encoding", "cp1252"]]
    assert called.code == ExitCode.OK


def test_a_limit_leaves_rows_for_the_printed_command(simulator: RunningSimulator) -> None:
    """--limit sends so many rows; the command that the summary ends with sends the rest."""
    write_csv(Path("a.csv"), devices(5))

    called = call("import", "a.csv", "--limit", "2", "--out", "reports", "--graph-url", simulator.service_root)
    created_first = len(simulator.objects())
    (command,) = next_commands(called)
    resumed = call(*command)

    assert (called.code, created_first) == (ExitCode.UNSETTLED, 2)
    assert "\n5 rows read = 5 created\n" in resumed.stdout
    assert resumed.code == ExitCode.OK
    assert len(simulator.objects()) == 5


def test_the_printed_command_imports_the_corrected_file(simulator: RunningSimulator) -> None:
    """The command for errors.xlsx works as printed, with the place and the edition of the call before it."""
    write_csv(Path("a.csv"), [cells_of(1), cells_of(2, certificateKeyLength="many")])

    called = call("import", "a.csv", "--edition", "1706", "--state", "my state", "--graph-url", simulator.service_root)
    (command,) = next_commands(called)
    book = load_workbook(command[1])
    for cell in (cell for row in book["a"].iter_rows() for cell in row if cell.value == "many"):
        cell.value = "2048"
    book.save(command[1])
    corrected = call(*command)

    assert called.code == ExitCode.UNSETTLED
    assert corrected.code == ExitCode.OK
    assert len(simulator.objects()) == 2
    assert not Path("state").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--on-invalid", "abort"], ExitCode.INVALID),
        (["--max-errors", "0"], ExitCode.THRESHOLD),
        (["--max-errors", "49%"], ExitCode.THRESHOLD),
        (["--dry-run"], ExitCode.INVALID),
    ],
    ids=["abort", "count", "share", "dry run"],
)
def test_too_many_errors_send_nothing(simulator: RunningSimulator, options: Sequence[str], code: ExitCode) -> None:
    """Each way to refuse a file with errors keeps its good rows here too, and has its exit code."""
    write_csv(Path("a.csv"), [cells_of(1), cells_of(2, certificateKeyLength="many")])

    called = call("import", "a.csv", *options, "--graph-url", simulator.service_root)

    assert called.code == code
    assert simulator.objects() == ()


def test_a_dry_run_is_the_same_as_validate() -> None:
    """`import --dry-run` prints what `validate` prints, and opens no ledger."""
    write_csv(Path("a.csv"), devices(2))

    texts = [call(*verb, "a.csv").stdout for verb in (["validate"], ["import", "--dry-run"])]

    without_id = [re.sub(r"\d{8}T\S+-a-[0-9a-f]{6}", "RUN", text) for text in texts]
    assert without_id[0] == without_id[1]
    assert not Path("state").exists()


def test_strict_makes_warnings_errors() -> None:
    """A row that is merely odd passes, and with --strict it does not."""
    write_csv(Path("a.csv"), [cells_of(1, certificateThumbprint="odd")])

    assert [call("validate", "a.csv", *strict).code for strict in ((), ("--strict",))] == [
        ExitCode.OK,
        ExitCode.INVALID,
    ]


def test_a_report_is_written_again(simulator: RunningSimulator) -> None:
    """`report` writes the files of the latest run anew and prints where it went."""
    write_csv(Path("a.csv"), devices(1))
    url = ("--graph-url", simulator.service_root)
    call("import", "a.csv", *url)
    (report,) = Path("runs").glob("*/report.json")
    report.unlink()

    called = call("report", *url)

    assert report.exists()
    assert called.stdout.startswith(f"Run      {report.parent.name}\nService  {simulator.service_root}\n")
    assert (called.code, called.stderr) == (ExitCode.OK, "")


# --- simulate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
def test_the_simulator_tells_its_url_at_once_and_ends_on_ctrl_c(is_json: bool) -> None:
    """The first line has the URL to import into, in a pipe too; Ctrl-C is how it is meant to end."""
    arguments = [*(["--output", "json"] if is_json else []), "simulate", "--port", "0"]
    with subprocess.Popen(program(*arguments), stdout=subprocess.PIPE, text=True, env=environ_of()) as started:
        assert started.stdout is not None
        line = started.stdout.readline()
        url = json.loads(line)["service_root"] if is_json else re.findall(r" at (http\S+);", line)[0]
        port = int(url.removeprefix("http://127.0.0.1:").removesuffix("/beta"))
        socket.create_connection(("127.0.0.1", port)).close()
        started.send_signal(signal.SIGINT)
        rest = started.stdout.read()

    assert rest == ("" if is_json else f"import into it: certstate import FILE --graph-url {url}\n")
    assert started.returncode == ExitCode.OK


def test_a_port_in_use_is_told() -> None:
    """Two simulators cannot share a port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        called = call("simulate", "--port", str(port))

    assert called.stderr.startswith(f"certstate: The simulator cannot listen on 127.0.0.1 port {port}: ")
    assert called.stderr.endswith("; choose another port.\n")
    assert (called.code, called.stdout) == (ExitCode.USAGE, "")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        (
            "--fault",
            "flood=0.1",
            (
                'The fault "flood=0.1" is not known; write NAME=RATE with one of error_500, error_502, error_503, '
                "error_504, error_504_after, drop_before, drop_after, silent, throttle_429, read_503, read_drop, "
                "read_half."
            ),
        ),
        ("--fault", "silent=2", "The rate of the fault silent is 2; give a number from 0 to 1."),
        ("--fault", "silent", 'The fault "silent" has no rate; write such as silent=0.02.'),
        ("--quota", "fast", '--quota: "fast" is not a quota; write the writes and the seconds, such as 100/20s'),
        ("--window", "round", '"round" is not known; use one of sliding, fixed'),
        ("--errors", "xml", '"xml" is not known; use one of graph, intune, empty, html'),
        ("--edition", "1999", 'The edition "1999" is not known; use one of 1706, current.'),
        ("--profile", APP_ID, f'the profile "{APP_ID}" has no type; write GUID=TYPE, such as GUID=iosScep'),
    ],
    ids=lambda each: each if isinstance(each, str) and len(each) < 20 else "",
)
def test_a_simulator_that_makes_no_sense_is_refused(option: str, value: str, sentence: str) -> None:
    """A fault, a quota or a profile that was misspelt is told before anything listens."""
    assert call("simulate", "--port", "0", option, value) == (ExitCode.USAGE, "", f"certstate: {sentence}\n")
