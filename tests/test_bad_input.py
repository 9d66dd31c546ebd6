"""What people hand in by mistake: each ends with one sentence that says what to do, and with its exit code."""

import json
import socket
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from cli_cases import call, move_to
from import_cases import HEADER, Site, cells_of, devices, write_csv
from msoffcrypto.format.ooxml import OOXMLFile

from pipeline.errors import ExitCode
from pipeline.simulator import SimulatorSettings, running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml."""
    move_to(tmp_path, monkeypatch)
    return tmp_path


def write_workbook(path: Path) -> bytes:
    """Write a workbook of the sheets Berlin and Seattle, and return its bytes."""
    workbook = openpyxl.Workbook()
    workbook.active.title = "Berlin"
    for sheet in (workbook["Berlin"], workbook.create_sheet("Seattle")):
        sheet.append(HEADER)
        sheet.append(list(cells_of(1).values()))
    workbook.save(path)
    return path.read_bytes()


def encrypted(workbook: bytes) -> bytes:
    """Return the workbook protected by a password."""
    protected = BytesIO()
    OOXMLFile(BytesIO(workbook)).encrypt("password", protected)
    return protected.getvalue()


FILES: dict[str, Callable[[Path], object]] = {
    "empty.csv": lambda path: path.write_bytes(b""),
    "blank.csv": lambda path: path.write_bytes(b"\n,,\n"),
    "scan.csv": lambda path: path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    "letter.docx": lambda path: path.write_bytes(b"PK\x03\x04"),
    "inventory": lambda path: path.write_bytes(b"a,b\n"),
    "folder.csv": lambda path: path.mkdir(),
    "rows.csv": lambda path: path.write_text("iOS,PHONE-0001\niOS,PHONE-0002\n"),
    "nul.csv": lambda path: path.write_bytes(b"devicePlatform,deviceDisplayName\niOS,PHO\0NE\n"),
    "latin.csv": lambda path: path.write_bytes(
        "devicePlatform,userDisplayName\niOS,Jürgen\nmacOS,Zoë\niOS,Åsa\niOS,José ".encode() + b"M\xfcller\n"
    ),
    "quote.csv": lambda path: path.write_text('devicePlatform,"userDisplayName\niOS,Erika\niOS,Max\n'),
    "fake.xlsx": lambda path: path.write_text("devicePlatform\niOS\n"),
    "cut.xlsx": lambda path: path.write_bytes(write_workbook(path)[:2000]),
    "locked.xlsx": lambda path: path.write_bytes(encrypted(write_workbook(path))),
    "two.xlsx": write_workbook,
}
"""How each file is made."""

ENDINGS = ".csv .tsv .txt .xlsx .xlsm .xls .xlsb .ods .pem .cer .crt .der .p7b .p7c"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.csv"], "missing.csv does not exist: check the name and the directory."),
        (["empty.csv"], "empty.csv is empty (0 bytes): export it again."),
        (["blank.csv"], "blank.csv has no header, it holds only blank lines: export it again."),
        (
            ["scan.csv"],
            (
                "scan.csv is no text file, its content is a PDF document: export the inventory as CSV, "
                "or correct the file's ending."
            ),
        ),
        (["letter.docx"], f"letter.docx has the ending .docx, which cannot be read: save it as one of {ENDINGS}."),
        (["inventory"], f"inventory has a name without an ending, which cannot be read: save it as one of {ENDINGS}."),
        (["folder.csv"], "folder.csv is a directory: name the files in it one by one."),
        (
            ["rows.csv"],
            (
                "rows.csv: no header: none of the cells of row 1 is a known column (iOS, PHONE-0001); "
                "the first row must name columns such as devicePlatform and deviceDisplayName, or yours must be named "
                "under `columns:` in config.yaml"
            ),
        ),
        (
            ["nul.csv"],
            (
                "nul.csv row 2 holds a NUL at byte offset 40, so it is a binary file, a damaged one, or UTF-16 without "
                "its mark: export it again as CSV UTF-8, or try --encoding utf-16."
            ),
        ),
        (
            ["latin.csv"],
            (
                "latin.csv row 5 is not in the encoding utf-8, at byte offset 74 (0xFC), the only such byte, while all "
                "other letters outside ASCII (4) are, and would change in another encoding: write that cell anew, or "
                "export the file again as CSV UTF-8."
            ),
        ),
        (
            ["quote.csv"],
            (
                'quote.csv row 1, the header, cannot be read, a quote (") is opened and not closed in this line: write '
                "each quote inside a quoted cell twice, and close the cell with one."
            ),
        ),
        (
            ["fake.xlsx"],
            (
                "fake.xlsx is no .xlsx workbook, its content is text or something else: correct the file's ending, "
                "or save it from Excel as .xlsx."
            ),
        ),
        (
            ["locked.xlsx"],
            "locked.xlsx is protected by a password, so it cannot be read: open it in Excel and save it without one.",
        ),
        (["two.xlsx", "--sheet", "Rome"], 'two.xlsx has no sheet "Rome": choose among Berlin, Seattle.'),
        (
            ["two.xlsx", "rows.csv", "--encoding", "utf-3000"],
            (
                'rows.csv cannot be read with the encoding "utf-3000", which is unknown: name one such as utf-8, '
                "utf-16 or cp1252."
            ),
        ),
        (
            ["rows.csv", "--delimiter", ";;"],
            "rows.csv cannot be split at the delimiter ';;': give one character such as , or ; or | or \\t for tab.",
        ),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
@pytest.mark.parametrize("verb", ["validate", "import"])
def test_a_file_that_is_no_table_is_one_sentence(folder: Path, verb: str, arguments: list[str], sentence: str) -> None:
    """What cannot be read as a table ends with exit code 2, and no run is left behind."""
    for name in FILES.keys() & set(arguments):
        FILES[name](folder / name)

    target = ["--graph-url", "http://127.0.0.1:9/beta"] if verb == "import" else []
    called = call(verb, *arguments, *target)

    assert called.stderr.splitlines()[-1] == f"certstate: {sentence}"
    assert called.stdout == ""
    assert called.code == ExitCode.USAGE
    assert list(folder.glob("runs/*")) == []


def test_a_workbook_that_was_cut_off_is_refused(folder: Path) -> None:
    """Half a workbook is no workbook, whatever the library says of it."""
    FILES["cut.xlsx"](folder / "cut.xlsx")

    called = call("validate", "cut.xlsx")

    assert called.stderr.startswith("certstate: cut.xlsx cannot be read as a workbook (")
    assert called.stderr.endswith(
        "): it is damaged, cut off, or of another kind than its ending says; copy or export it again.\n"
    )
    assert called.code == ExitCode.USAGE


def causes(called_stdout: str) -> list[tuple[str, str, int, str, str]]:
    """Return code, column, rows, message and hint of each error in report.json."""
    report: dict[str, Any] = json.loads(called_stdout)
    return [
        (each["code"], each["column"], each["rows"], each["examples"][0]["message"], each["hint"])
        for each in report["causes"]
        if each["severity"] == "error"
    ]


def without_url() -> dict[str, str]:
    """Return a row without the column serverUrl."""
    return {name: text for name, text in cells_of(1).items() if name != "serverUrl"}


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (
            cells_of(1) | {"Device Platform": "iOS"},
            (
                "duplicate-column",
                "devicePlatform",
                0,
                "columns A (devicePlatform) and N (Device Platform) both stand for devicePlatform",
                "remove or rename one of the two columns",
            ),
        ),
        (
            without_url(),
            (
                "missing-column",
                "serverUrl",
                0,
                "no column holds the required property serverUrl",
                (
                    "name your column under `columns:` in config.yaml (`certstate inspect` proposes it), give a value "
                    "under `defaults:`, or list the property under `optional:`"
                ),
            ),
        ),
        (
            cells_of(1, deviceDisplayName="x" * 1_000_000),
            (
                "value-too-long",
                "deviceDisplayName",
                1,
                "the cell holds 1,000,000 characters; 32,767 is the most",
                "shorten the cell; a missing closing quote further up can have swallowed many rows",
            ),
        ),
        (
            cells_of(1, deviceConfigurationId="../../users"),
            (
                "not-a-guid",
                "deviceConfigurationId",
                1,
                "not a GUID, which is 32 hexadecimal digits in five groups",
                "copy the profile's id from Intune, such as 6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11",
            ),
        ),
        (
            cells_of(1, deviceDisplayName="\x1b[2JPHONE"),
            (
                "control-character",
                "deviceDisplayName",
                1,
                "character 1 is the control character U+001B",
                "delete the character; it often comes from copying out of a dialog or a binary export",
            ),
        ),
    ],
    ids=["column twice", "column missing", "1 MB cell", "path as id", "escape sequence"],
)
def test_a_bad_column_or_cell_is_one_finding(
    folder: Path, row: Mapping[str, str], cause: tuple[str, str, int, str, str]
) -> None:
    """A column or a cell that cannot be sent is one finding with a cure, and exit code 3."""
    write_csv(folder / "inventory.csv", [row])

    called = call("--output", "json", "validate", "inventory.csv")

    assert causes(called.stdout) == [cause]
    assert called.code == ExitCode.INVALID
    assert called.stderr == ""


def test_a_long_or_hostile_value_does_not_reach_the_terminal(folder: Path) -> None:
    """The summary shows the beginning of a long value, and escapes instead of what would steer a terminal."""
    rows = [cells_of(1, deviceDisplayName="x" * 1_000_000), cells_of(2, userDisplayName="\x1b]0;owned\x07")]
    write_csv(folder / "inventory.csv", rows)

    called = call("validate", "inventory.csv")

    assert f'("{"x" * 60}...")' in called.stdout
    assert r'("\x1b]0;owned\x07")' in called.stdout
    assert max(map(len, called.stdout.splitlines()[:-2])) < 80
    assert called.stdout.replace("\n", "").isprintable()


def test_a_header_without_rows_is_a_warning(folder: Path) -> None:
    """An export of nothing is told, and no error: on some days there is nothing to import."""
    write_csv(folder / "inventory.csv", [], HEADER)

    called = call("--output", "json", "validate", "inventory.csv")

    report = json.loads(called.stdout)
    assert [
        (each["code"], each["severity"], each["examples"][0]["message"], each["hint"]) for each in report["causes"]
    ] == [("no-rows", "warning", "a header and no rows", "check that the export was complete")]
    assert called.code == ExitCode.OK


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tennant: {}\n", 'config.yaml line 1, tennant: no such key; did you mean "tenant"?'),
        (
            "send:\n  qouta: 100/20s\n",
            'config.yaml line 2, send.qouta: no such key; did you mean "quota"?',
        ),
        (
            "send: {quota: fast}\n",
            'config.yaml line 1, send.quota: "fast" is not a quota; write the writes and the seconds, such as 100/20s',
        ),
        ("- a\n", 'config.yaml line 1: not a mapping of keys; write lines such as edition: "1706"'),
    ],
    ids=["unknown key", "unknown key below", "bad value", "list"],
)
def test_a_bad_configuration_names_its_line(folder: Path, text: str, sentence: str) -> None:
    """What is wrong with config.yaml is told with file, line and cure before any file is read."""
    (folder / "config.yaml").write_text(text, "utf-8")

    assert call("validate", "missing.csv") == (ExitCode.USAGE, "", f"certstate: {sentence}\n")


@pytest.mark.parametrize(("text", "line"), [("send: [\n", 2), ("\tsend: x\n", 1)], ids=["open bracket", "tab"])
def test_a_configuration_that_is_no_yaml_names_its_line(folder: Path, text: str, line: int) -> None:
    """What the YAML library says comes with file, line and cure."""
    (folder / "config.yaml").write_text(text, "utf-8")

    called = call("validate", "missing.csv")

    assert called.stderr.startswith(f"certstate: config.yaml line {line}: not valid YAML (")
    assert called.stderr.endswith("); check the indent, the blank after each colon and the quotes\n")
    assert called.code == ExitCode.USAGE


def test_a_configuration_that_is_not_there_is_told() -> None:
    """--config names a file that has to exist; nobody wants to run on defaults by a typing error."""
    called = call("--config", "confg.yaml", "validate", "inventory.csv")

    assert called == (
        ExitCode.USAGE,
        "",
        (
            "certstate: confg.yaml: the configuration cannot be read (No such file or directory); check the name "
            "and the permission\n"
        ),
    )


def test_a_refused_token_ends_the_import_and_can_be_mended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token creates nothing, ends with exit code 6, and the printed command goes on with the right one."""
    write_csv(folder / "inventory.csv", devices(3))
    with running(SimulatorSettings(token="right")) as simulator:
        monkeypatch.setenv("GRAPH_TOKEN", "wrong")
        called = call("--output", "json", "import", "inventory.csv", "--graph-url", simulator.service_root)
        report = json.loads(called.stdout)
        created_before = simulator.objects()
        monkeypatch.setenv("GRAPH_TOKEN", "right")
        resumed = call("resume", report["run"]["id"], "--graph-url", simulator.service_root)

    assert called.code == ExitCode.PREFLIGHT
    assert report["run"]["stop_message"] == (
        "Graph refused the token (401): it has expired, or is for another audience; put a new one into the variable "
        "that auth.token_env names, then call it again"
    )
    assert created_before == ()
    assert resumed.code == ExitCode.OK
    assert len(simulator.objects()) == 3


@pytest.mark.parametrize("token", ['"abc"', "a b", "a\nb"], ids=["quotes", "blank", "two lines"])
def test_what_is_no_token_is_not_sent(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """A token that was copied badly is told before the files are read, and is not repeated."""
    monkeypatch.setenv("GRAPH_TOKEN", token)

    called = call("import", "missing.csv", "--graph-url", "http://127.0.0.1:9/beta")

    assert called.stderr.splitlines()[-1] == (
        "certstate: the environment variable GRAPH_TOKEN holds no bearer token: it is empty, or has quotes, blanks or "
        "other characters that no token has; put the bare access token there"
    )
    assert called.code == ExitCode.PREFLIGHT


def test_a_service_that_nobody_runs_is_given_up(site: Site) -> None:
    """Where nothing listens the run gives up after some attempts, unasked, and keeps the rows for later."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    finished = site.imported(f"http://127.0.0.1:{port}/beta", site.write("inventory.csv", devices(2)))

    assert finished.stop_message == (
        f"the service cannot be reached: no connection to 127.0.0.1:{port} came to be: connection refused; nothing was "
        "sent"
    )
    assert finished.exit_code is ExitCode.PREFLIGHT
    assert site.row_states() == {"unsent": 2}
    assert 5 < site.time.now_s - 1_000 < 60


def test_a_name_in_another_encoding_is_told() -> None:
    """A file whose name has bytes that are no characters here cannot be named in a report."""
    assert call("validate", "gr\udcf6\udcdfe.csv") == (
        ExitCode.USAGE,
        "",
        "certstate: gr\\udcf6\\udcdfe.csv: the name is not in the encoding of this system; rename it\n",
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "https://graph.example.com/beta",
            (
                "tenant.graph_url: a token for cloud global goes only to https://graph.microsoft.com or to this "
                "machine, not to https://graph.example.com; remove tenant.graph_url or set tenant.cloud"
            ),
        ),
        (
            "127.0.0.1:8080/beta",
            (
                "tenant.graph_url: not an http or https URL; write the whole service root, such as "
                "http://127.0.0.1:8080/beta"
            ),
        ),
        (
            "http://127.0.0.1:8080",
            (
                "tenant.graph_url: does not end with the version, /beta or /v1.0; write the whole service root, such "
                "as http://127.0.0.1:8080/beta"
            ),
        ),
    ],
    ids=["foreign host", "no scheme", "no version"],
)
def test_a_wrong_url_is_refused_before_anything_is_read(url: str, sentence: str) -> None:
    """A URL that no token may go to ends the call at once."""
    assert call("import", "missing.csv", "--yes", "--graph-url", url) == (
        ExitCode.USAGE,
        "",
        f"certstate: {sentence}\n",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["import", "inventory.csv", "--graph-url", "http://127.0.0.1:9/beta", "--state", "file/state"],
            (
                "file/state/ledger.db: the ledger's lock cannot be taken (Not a directory); make the folder writable, "
                "or name another one with --state"
            ),
        ),
        (["validate", "inventory.csv", "--out", "file/runs"], "Not a directory"),
    ],
    ids=["ledger", "reports"],
)
def test_a_folder_that_cannot_be_written_is_told(folder: Path, arguments: list[str], sentence: str) -> None:
    """A place where nothing can be kept ends the call before a row is read."""
    (folder / "file").write_text("")
    write_csv(folder / "inventory.csv", devices(1))

    called = call(*arguments)

    assert sentence in called.stderr.splitlines()[-1]
    assert called.code == ExitCode.USAGE


@pytest.mark.parametrize("verb", ["resume", "report"])
def test_a_run_that_does_not_exist_is_told(folder: Path, verb: str) -> None:
    """A run's name that fits none is answered with those there are."""
    write_csv(folder / "inventory.csv", devices(1))
    with running(SimulatorSettings()) as simulator:
        url = ("--graph-url", simulator.service_root)
        imported = json.loads(call("--output", "json", "import", "inventory.csv", *url).stdout)
        called = call(verb, "nosuch", *url)

    assert called.stderr.splitlines()[-1] == (
        f"certstate: {folder / 'state' / 'ledger.db'}: no run ends with nosuch; name one of them, "
        f"the latest are {imported['run']['id']}"
    )
    assert called.code == ExitCode.USAGE


def test_without_a_ledger_there_is_no_run(folder: Path) -> None:
    """Before the first import there is no run to report on, and a wrong --state does not make a new ledger."""
    called = call("report", "--state", "typo", "--graph-url", "http://127.0.0.1:9/beta")

    assert called.stderr.splitlines()[-1] == (
        "certstate: typo/ledger.db: there is no ledger here yet; start one with `certstate import FILE`"
    )
    assert called.code == ExitCode.USAGE
    assert not (folder / "typo").exists()
