"""How the command line reads other people's files: inspect, presets, patterns, repairs that are told."""

import base64
import csv
import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from certificate_cases import built, key, pem_of
from cli_cases import Called, call, move_to
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from import_cases import HEADER, cells_of, devices, write_csv
from preset_cases import PRESET_CASES
from security_cases import contents_of

from pipeline.cli.ending import ending
from pipeline.cli.options import Globals, Output
from pipeline.errors import ExitCode
from pipeline.load import CERTIFICATE_SUFFIXES, TEXT_SUFFIXES, WORKBOOK_SUFFIXES

ADCS = next(case for case in PRESET_CASES if case.name == "adcs")

PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIGTAgEAMBMGByqGSM49sentinelsentinelsentinel\n-----END PRIVATE KEY-----\n"

FROM_CERTIFICATES = """
templates: {deviceDisplayName: "{subject common name}", devicePlatform: iOS, enhancedKeyUsage: Client Authentication}
defaults: {certificateKeyUsage: digitalSignature}
optional: [serverUrl, userDisplayName, lastCertificateStateChangeDateTime, certificateProfileDisplayName]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml."""
    move_to(tmp_path, monkeypatch)
    return tmp_path


def declare(folder: Path, text: str) -> None:
    """Add the lines to config.yaml."""
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(text)


def next_commands(called: Called) -> list[list[str]]:
    """Return the commands that the summary ends with, without the program's name."""
    return [shlex.split(each) for each in re.findall(r"^      certstate (.*)$", called.stdout, re.MULTILINE)]


def run_folder(folder: Path) -> Path:
    """Return the only run's folder."""
    (only,) = (each for each in (folder / "runs").iterdir() if each.is_dir())
    return only


def read_cells(path: Path) -> list[list[str]]:
    """Return the records of a CSV report."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_inspect_reads_and_leaves_nothing_behind(folder: Path) -> None:
    """The columns, what is missing and the lines to paste come out on stdout; no run, no ledger, no network."""
    (folder / ADCS.file_name).write_bytes(ADCS.content)
    before = sorted(folder.iterdir())

    called = call("inspect", ADCS.file_name)

    assert (called.code, called.stderr) == (ExitCode.OK, "")
    assert "Preset    adcs: use --preset adcs, or the lines below\n" in called.stdout
    assert 'E   "Certificate Hash" is certificateThumbprint\n' in called.stdout
    assert sorted(folder.iterdir()) == before


def test_inspect_answers_in_json(folder: Path) -> None:
    """With --output json there is one document on stdout."""
    (folder / ADCS.file_name).write_bytes(ADCS.content)

    called = call("--output", "json", "inspect", ADCS.file_name)

    (table,) = json.loads(called.stdout)["tables"]
    assert (table["file"], table["preset"], table["encoding"], table["header_row"]) == (
        ADCS.file_name,
        "adcs",
        "utf-16-le",
        1,
    )


def test_a_preset_reads_an_export(folder: Path) -> None:
    """With the preset and what the source lacks each row is valid, and the next command keeps to the preset."""
    (folder / ADCS.file_name).write_bytes(ADCS.content)
    (folder / "config.yaml").write_text(ADCS.config("1706"), "utf-8")

    called = call("validate", ADCS.file_name, "--preset", "adcs")

    assert (called.code, next_commands(called)) == (
        ExitCode.OK,
        [["import", ADCS.file_name, "--preset", "adcs"]],
    )


@pytest.mark.parametrize("verb", ["inspect", "validate", "import"])
def test_an_unknown_preset_is_told_the_known_ones(folder: Path, verb: str) -> None:
    """A preset that does not exist ends the call before anything is read."""
    write_csv(folder / "inventory.csv", devices(1))
    target = ["--graph-url", "http://127.0.0.1:9/beta"] if verb == "import" else []

    called = call(verb, "inventory.csv", "--preset", "adsc", *target)

    assert called.code == ExitCode.USAGE
    assert called.stderr.splitlines()[-1] == (
        "certstate: --preset adsc: there is no such preset; choose among adcs, intune-report, jamf, ivanti, "
        "powershell, crtsh"
    )


def test_the_printed_commands_read_the_file_the_same_way(folder: Path) -> None:
    """Header row and --no-repair go along; for errors.xlsx only what still holds for it."""
    path = folder / "inventory.csv"
    write_csv(path, [*devices(1), cells_of(2, serverUrl="ndes")])
    path.write_text("Inventory of 2026\n\n" + path.read_text("utf-8"), "utf-8")

    called = call("validate", "inventory.csv", "--header-row", "3", "--no-repair")

    to_mend = str(run_folder(folder).relative_to(folder) / "errors.xlsx")
    assert next_commands(called) == [
        ["validate", "inventory.csv", "--header-row", "3", "--no-repair"],
        ["validate", to_mend, "--no-repair"],
        ["import", "inventory.csv", "--header-row", "3", "--no-repair"],
    ]


def test_a_title_above_the_header_is_found_and_told(folder: Path) -> None:
    """The rows keep the numbers that a spreadsheet shows, and what was passed over is a warning."""
    path = folder / "inventory.csv"
    write_csv(path, [cells_of(1, serverUrl="ndes")])
    path.write_text("Inventory of 2026; a; b; c\n\n" + path.read_text("utf-8"), "utf-8")

    called = call("--output", "json", "validate", "inventory.csv")

    findings = [(each["code"], each["row"]) for each in json.loads(called.stdout)["findings"]]
    assert findings == [("title-rows", None), ("not-a-url", 4)]


def test_each_repair_is_told_with_its_rule(folder: Path) -> None:
    """What a rule changed stands as `was -> is` in the summary, in report.json and in repairs.csv."""
    thumbprint = "a9 09 50 2d d8 2a e4 14 33 e6 f8 38 86 b0 0d 42 77 a3 2a 7b"
    write_csv(folder / "inventory.csv", [cells_of(1, certificateThumbprint=thumbprint)], HEADER)

    called = call("validate", "inventory.csv")

    changed = "A909502DD82AE41433E6F83886B00D4277A32A7B"
    told = ("info     hex-form, certificateThumbprint, 1 row", "row 2", f"{thumbprint} ->", changed)
    assert "\n         ".join(told) in called.stdout
    assert read_cells(run_folder(folder) / "repairs.csv") == [
        ["file", "sheet", "row", "column", "rule", "was", "is"],
        ["inventory.csv", "", "2", "certificateThumbprint", "hex-form", thumbprint, changed],
    ]
    (finding,) = json.loads((run_folder(folder) / "report.json").read_text("utf-8"))["findings"]
    assert (finding["code"], finding["severity"], finding["value"], finding["message"]) == (
        "hex-form",
        "info",
        thumbprint,
        f"{thumbprint} -> {changed}",
    )


def test_without_repairs_values_stay_or_are_refused(folder: Path) -> None:
    """--no-repair changes nothing: the thumbprint is sent as written with a warning, the platform is refused."""
    write_csv(
        folder / "inventory.csv",
        [cells_of(1, certificateThumbprint=":".join(["A9"] * 20)), cells_of(2, devicePlatform="iPhone")],
        HEADER,
    )

    called = call("--output", "json", "validate", "inventory.csv", "--no-repair")

    findings = [(each["row"], each["code"]) for each in json.loads(called.stdout)["findings"]]
    assert findings == [(2, "thumbprint-shape"), (3, "unknown-member")]


def test_strict_leaves_repairs_alone(folder: Path) -> None:
    """A certain repair is no doubt, so --strict sends the row all the same."""
    write_csv(folder / "inventory.csv", [cells_of(1, devicePlatform="iPhone")], HEADER)

    assert call("validate", "inventory.csv", "--strict").code == ExitCode.OK


def test_a_pattern_names_files_where_the_shell_does_not(folder: Path) -> None:
    """`*.pem` in quotes, or on Windows, means all files of that name, in the order of their names."""
    for number in (2, 1):
        (folder / f"device{number}.pem").write_text(
            pem_of(built(subject=f"CN=PC-{number}", serial_number=number + 300))
        )
    declare(folder, FROM_CERTIFICATES)

    called = call("--output", "json", "validate", "*.pem")

    document = json.loads(called.stdout)
    assert [each["file"] for each in document["files"]] == ["device1.pem", "device2.pem"]
    assert (called.code, document["totals"]["valid"]) == (ExitCode.OK, 2)


def test_a_pattern_without_a_file_is_told(folder: Path) -> None:
    """A pattern that fits no file is a usage error, and no run is left behind."""
    called = call("validate", "certs/*.pem")

    assert (called.code, called.stderr) == (
        ExitCode.USAGE,
        "certstate: certs/*.pem: no file has a name like this; check the pattern and the folder\n",
    )
    assert not (folder / "runs").exists()


def test_a_private_key_beside_the_certificate_reaches_no_file(folder: Path) -> None:
    """The certificate is read, and the key in the same cell stands in no report, log or terminal."""
    cell = PRIVATE_KEY + pem_of(built(subject="CN=PC-1"))
    names = ("deviceDisplayName", "devicePlatform", "certificate", "serverUrl")
    rows = [dict(zip(names, (f"PC-{number}", "iOS", cell, url), strict=True)) for number, url in ((1, ""), (2, "ndes"))]
    write_csv(folder / "inventory.csv", rows)
    declare(folder, FROM_CERTIFICATES.replace('deviceDisplayName: "{subject common name}", devicePlatform: iOS, ', ""))

    called = call("validate", "inventory.csv")

    contents = [content for each in run_folder(folder).iterdir() for content in contents_of(each)]
    written = b"".join(contents).decode("utf-8", "replace")
    assert (called.code, "1 valid" in called.stdout) == (ExitCode.INVALID, True)
    assert "private key left out" in written
    assert [text for text in (called.stdout, called.stderr, written) if "sentinel" in text] == []


def test_a_private_key_in_place_of_the_certificate_reaches_no_file(folder: Path) -> None:
    """Base64 without a PEM frame is known by its bytes, and left out like the others."""
    der = key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    write_csv(folder / "inventory.csv", [cells_of(1) | {"certificate": base64.b64encode(der).decode()}])

    called = call("validate", "inventory.csv")

    contents = [content for each in run_folder(folder).iterdir() for content in contents_of(each)]
    written = b"".join(contents).decode("utf-8", "replace")
    assert called.code == ExitCode.INVALID
    assert "(private key left out)" in written
    assert base64.b64encode(der).decode()[:40] not in written + called.stdout + called.stderr


@pytest.mark.parametrize("verb", ["inspect", "validate", "import"])
def test_help_names_every_kind_of_file(verb: str) -> None:
    """The endings in the help are those that are read."""
    shown = call(verb, "--help").stdout

    assert set(re.findall(r"(?<!\w)\.[a-z0-9]+", shown)) == {*TEXT_SUFFIXES, *WORKBOOK_SUFFIXES, *CERTIFICATE_SUFFIXES}


def test_an_interrupted_dry_run_promises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A verb that sends nothing has nothing to go on with."""
    chosen = Globals(None, Output.TEXT, has_color=False, is_verbose=False)

    with pytest.raises(typer.Exit), ending(chosen, sends=False):
        raise KeyboardInterrupt

    assert capsys.readouterr().err == "certstate: interrupted; nothing was sent\n"


def test_a_dry_run_with_too_many_errors_says_so(folder: Path) -> None:
    """The printed import would stop at the threshold, so the command raises it."""
    write_csv(folder / "inventory.csv", [*devices(2), cells_of(3, serverUrl="ndes")])
    text = (folder / "config.yaml").read_text("utf-8")
    (folder / "config.yaml").write_text(text.replace("max_errors: 100%", "max_errors: 20%"), "utf-8")

    called = call("validate", "inventory.csv")

    assert next_commands(called)[-1] == ["import", "inventory.csv", "--max-errors", "100%"]


def test_a_known_column_that_is_not_sent_needs_no_warning(folder: Path) -> None:
    """Headers under `ignored:` are no finding, so that --strict can be used with real exports."""
    rows = [cells | {"Asset Tag": "A-1"} for cells in devices(1)]
    write_csv(folder / "inventory.csv", rows)
    assert call("validate", "inventory.csv", "--strict").code == ExitCode.INVALID
    declare(folder, "ignored: [asset tag]\n")

    assert call("validate", "inventory.csv", "--strict").code == ExitCode.OK


def test_a_placeholder_of_inspect_is_no_value(folder: Path) -> None:
    """What was pasted and not filled in is refused, before it stands in every object."""
    write_csv(folder / "inventory.csv", devices(1))
    declare(folder, "templates: {userDisplayName: ...}\n")

    called = call("validate", "inventory.csv")

    assert called.code == ExitCode.USAGE
    assert called.stderr.endswith(
        "templates.userDisplayName: the value is still to be filled in; write it or remove the key\n"
    )


def test_what_was_repaired_hides_no_error_and_no_warning(folder: Path) -> None:
    """The summary shows the first causes of each severity, and counts the others by severity."""
    changed = {"devicePlatform": "iPhone", "certificateThumbprint": "a9 09" * 10, "certificateKeyLength": "2048 bit"}
    changed |= {"certificateSerialNumber": "00:a7", "certificateExpirationDateTime": "Nov 23 08:49:13 2027 GMT"}
    changed |= {"lastCertificateStateChangeDateTime": "2026-11-23 08:49:13Z", "enhancedKeyUsage": "clientAuth"}
    write_csv(folder / "inventory.csv", [cells_of(1, **changed), cells_of(2, certificateKeyLength="7")], HEADER)

    called = call("validate", "inventory.csv")

    assert re.findall(r"^(error|warning|info) ", called.stdout, re.MULTILINE) == ["warning", *["info"] * 4]
    assert "and 3 more in the report: 3 info\n" in called.stdout
