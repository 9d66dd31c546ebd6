"""`explain`: one row's way through every step, to URL and body, and that nothing else is ever done."""

import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import typer
from certificate_cases import authority, device, pem_of
from cli_cases import ROOT, Called, call, move_to
from import_cases import HEADER, IOS, TENANT_ID, Site, cells_of, devices, write_csv
from openpyxl import Workbook
from rich.console import Console
from socket_cases import CREATED, Caller, run_script

from pipeline.cli.ending import ending
from pipeline.cli.explanation import explain_file, show_explanations
from pipeline.cli.options import Asked, Globals, Output
from pipeline.errors import ExitCode, SourceError, UsageError
from pipeline.explain import explain_row
from pipeline.run import import_files
from pipeline.simulator import Fault, RunningSimulator, SimulatorSettings, running

SAMPLES = ROOT / "sample_data"
GUID = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIGTAgEAMBMGByqGSM49sentinelsentinelsentinel\n-----END PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml."""
    move_to(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """A simulator that answers as it should."""
    with running(SimulatorSettings()) as simulator:
        yield simulator


def explained(
    *files: str | Path,
    row: int,
    output: Output = Output.TEXT,
    config: str | None = None,
    **asked: Any,  # noqa: ANN401 - the fields of `Asked`
) -> Called:
    """Explain the row in this process, without a terminal."""
    chosen = Globals(Path(config) if config else None, output, has_color=True, is_verbose=False)
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            with ending(chosen, sends=False):
                explain_file(chosen, Asked(files=tuple(map(Path, files)), **asked), row)
        except typer.Exit as ended:
            code = ended.exit_code
    return Called(code, stdout.getvalue(), stderr.getvalue())


def section(called: Called, title: str) -> str:
    """Return what stands below the title, up to the next one."""
    (_, found) = called.stdout.split(f"\n{title}\n", 1)
    return re.split(r"\n\n(?=[A-Z][^\n]*\n)(?!Indented)", found)[0].rstrip("\n")


def first_line(called: Called) -> str:
    """Return the answer in one sentence."""
    return " ".join(called.stdout.split(".\n")[0].split())


def document(*files: str | Path, row: int, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - of `explained`
    """Return the answer of `--output json` for one row."""
    called = explained(*files, row=row, output=Output.JSON, **options)
    (only,) = json.loads(called.stdout)["rows"]
    return dict(only)


def declare(text: str) -> None:
    """Write config.yaml anew, with these lines at its end."""
    profiles = "profiles:\n  - {platform: iOS, id: 00000000-0000-4000-8000-000000000000}\n"
    Path("config.yaml").write_text(f"tenant: {{id: {TENANT_ID}}}\n{profiles}{text}", "utf-8")


def samples() -> None:
    """Make the folder one with the sample inventories and their configuration."""
    for name in ("config.yaml", "inventory.csv", "faults.csv"):
        shutil.copy(SAMPLES / name, name)


# --- whole answers

VALID = """\
Row 2 is valid and would be created.
inventory.csv
read as utf-8, cells separated by commas, header in row 1

The row as it was read
A   devicePlatform, by its name
    "macOS"
B   certificateKeyUsage, by its name
    "digitalSignature"
C   certificateProfileDisplayName, by its name
    "Corp SCEP macOS"
D   deviceDisplayName, by its name
    "MAC-01001"
E   userDisplayName, by its name
    "Enrico Berger"
F   serverUrl, by its name
    "https://ndes1.contoso.com/certsrv/mscep/mscep.dll"
G   certificateExpirationDateTime, by its name
    "2028-03-11T00:07:36.8162254-08:00"
H   lastCertificateStateChangeDateTime, by its name
    "2027-03-11T23:10:39.8162254-08:00"
I   certificateIssuer, by its name
    "CN=Contoso Issuing CA 02, O=Contoso, C=US"
J   certificateThumbprint, by its name
    "AF07AC37D2EFFE611E7DB6729DD11999A251F6B8"
K   certificateSerialNumber, by its name
    "3AFCEC086628E94D5AE17A8CEBB116D7FB3719"
L   certificateKeyLength, by its name
    "2048"
M   enhancedKeyUsage, by its name
    "Client Authentication"
N   deviceConfigurationId, by its name
    "ca477c71-ec12-49bd-9289-046d34012259"

What the rules made of it
No value was changed.

Findings
None.

Where it goes
The profile ca477c71-ec12-49bd-9289-046d34012259 is the row's own
deviceConfigurationId.
The profile type is scep, because neither the row nor an entry of `profiles:`
names another.
Edition 1706 leads macOS with this profile type to
microsoft.graph.macOSScepCertificateProfile.
Rows with the same deviceDisplayName and certificateThumbprint are one object
there:
    deviceDisplayName "MAC-01001"
    certificateThumbprint "AF07AC37D2EFFE611E7DB6729DD11999A251F6B8"
    key f6611ee26a66.., fingerprint of the values d2b4de243dc9..

The request
POST http://127.0.0.1:8080/beta/deviceManagement/deviceConfigurations/\
ca477c71-ec12-49bd-9289-046d34012259/microsoft.graph.macOSScepCertificateProfile/managedDeviceCertificateStates
Authorization: Bearer (not shown)
Accept: application/json
client-request-id: (a new GUID for each attempt)
Content-Type: application/json
User-Agent: certstate

{
  "@odata.type": "#microsoft.graph.managedDeviceCertificateState",
  "devicePlatform": "macOS",
  "certificateKeyUsage": "digitalSignature",
  "certificateProfileDisplayName": "Corp SCEP macOS",
  "deviceDisplayName": "MAC-01001",
  "userDisplayName": "Enrico Berger",
  "serverUrl": "https://ndes1.contoso.com/certsrv/mscep/mscep.dll",
  "certificateExpirationDateTime": "2028-03-11T00:07:36.8162254-08:00",
  "lastCertificateStateChangeDateTime": "2027-03-11T23:10:39.8162254-08:00",
  "certificateIssuer": "CN=Contoso Issuing CA 02, O=Contoso, C=US",
  "certificateThumbprint": "AF07AC37D2EFFE611E7DB6729DD11999A251F6B8",
  "certificateSerialNumber": "3AFCEC086628E94D5AE17A8CEBB116D7FB3719",
  "certificateKeyLength": 2048,
  "enhancedKeyUsage": "Client Authentication"
}

Indented for reading; sent without these blanks and line breaks, 720 bytes in
UTF-8.

What an import would do now
Create the object.
Before that it looks into the tenant for what is there already.
There is no ledger here yet, so nothing counts as created before.
"""

INVALID = """\
Row 3 is invalid: 1 error and 1 warning.
faults.csv
read as utf-8, cells separated by semicolons, header in row 1

The row as it was read
A   devicePlatform, by its name
    "Blackberry"
B   certificateKeyUsage, by its name
    "keyEncipherment"
C   certificateProfileDisplayName, by its name
    "Corp SCEP iOS"
D   "Device Display Name" is deviceDisplayName, by its name
    "IPH-04002"
E   userDisplayName, by its name
    "Raul Siciliani"
F   serverUrl, by its name
    "https://ndes1.contoso.com/certsrv/mscep/mscep.dll"
G   certificateExpirationDateTime, by its name
    "2026-11-03T02:59:37.4087977Z"
H   lastCertificateStateChangeDateTime, by its name
    "2025-11-03T02:28:26.4087977Z"
I   certificateIssuer, by its name
    "CN=Contoso Issuing CA 02, O=Contoso, C=US"
J   certificateThumbprint, by its name
    "650C148AAF4DE09B5861E0B68694A9C17C74514D"
K   certificateSerialNumber, by its name
    "21E5F369C880F853C8A132ACCBA4571838B913"
L   certificateKeyLength, by its name
    "2048"
M   enhancedKeyUsage, by its name
    "1.3.6.1.5.5.7.3.2"
N   deviceConfigurationId, by its name
    ""
O   "Asset Tag" is not sent: no property has this name
    "A-0001"

What the rules made of it
enhancedKeyUsage, enhanced-key-usage-form: object identifiers of extended key
    usages were written as their names
    "1.3.6.1.5.5.7.3.2"
 -> "Client Authentication"

Findings
error    unknown-member, devicePlatform
         not one of android, androidForWork, iOS, macOS, windowsPhone81,
         windows81AndLater, windows10AndLater ("Blackberry")
         -> use one of the members named in the message, or map your word under
         `values:` in config.yaml
of the whole file:
warning  unknown-column, Asset Tag
         no property has this name; its cells are not sent
         -> To send it, name it in config.yaml, such as
         `columns: {<property>: ["Asset Tag"]}`; else `ignored: ["Asset Tag"]`

Where it goes
Nowhere: there is no route for it. The findings say why.

The request
None, because the row is invalid.

What an import would do now
Leave the row out, and list it in errors.csv and errors.xlsx.
"""


@pytest.mark.parametrize(
    ("file", "row", "answer"), [("inventory.csv", 2, VALID), ("faults.csv", 3, INVALID)], ids=["valid", "invalid"]
)
def test_a_row_is_explained_from_its_cells_to_its_request(file: str, row: int, answer: str) -> None:
    """The answer stands first, then each step in its order; that a row is invalid is told, and no error of the call."""
    samples()

    assert explained(file, row=row) == Called(ExitCode.OK, answer, "")


def test_the_json_answer_has_every_step() -> None:
    """With --output json there is one document, with all that the text has and the body exactly as it is sent."""
    write_csv(Path("a.csv"), [cells_of(1, certificateThumbprint="00:" * 19 + "01")], ["Tag", *HEADER])
    body = {
        "@odata.type": "#microsoft.graph.managedDeviceCertificateState",
        **cells_of(1),
        "certificateKeyLength": 2048,
    }
    route = "microsoft.graph.iosScepCertificateProfile"

    called = explained("a.csv", row=2, output=Output.JSON)

    whole = json.loads(called.stdout)
    (row,) = whole["rows"]
    cells = row.pop("cells")
    assert (called.code, called.stderr, whole["schema_version"], called.stdout.isascii()) == (0, "", 1, True)
    assert cells[:2] == [
        {
            "letter": letter,
            "header": header,
            "property": name,
            "use": use,
            "made_by_templates": [],
            "cell": cell,
            "held_as": "text",
        }
        for letter, header, name, use, cell in (
            ("A", "Tag", None, "unknown", ""),
            ("B", "devicePlatform", "devicePlatform", "name", "iOS"),
        )
    ]
    assert row == {
        "summary": "row 2 is valid and would be created, with 1 warning",
        "file": "a.csv",
        "sheet": None,
        "row": 2,
        "encoding": "utf-8",
        "delimiter": ",",
        "header_row": 1,
        "edition": "1706",
        "preset": None,
        "value_steps": [
            {
                "property": "certificateThumbprint",
                "column": "certificateThumbprint",
                "rule": "hex-form",
                "severity": "info",
                "was": "00:" * 19 + "01",
                "becomes": f"{1:040}",
            }
        ],
        "findings": [
            {
                "code": "hex-form",
                "severity": "info",
                "column": "certificateThumbprint",
                "value": "00:" * 19 + "01",
                "message": f"{'00:' * 19}01 -> {1:040}",
                "hint": "nothing to do; `--no-repair` leaves values as the file has them",
            }
        ],
        "file_findings": [
            {
                "code": "unknown-column",
                "severity": "warning",
                "column": "Tag",
                "value": "",
                "message": "no property has this name; its cells are not sent",
                "hint": 'To send it, name it in config.yaml, such as `columns: {<property>: ["Tag"]}`; '
                'else `ignored: ["Tag"]`',
            }
        ],
        "route": {
            "platform": "iOS",
            "profile_id": "00000000-0000-4000-8000-000000000000",
            "id_from": "platform",
            "entry_name": None,
            "entry_platform": "iOS",
            "profile_type": "scep",
            "type_from": "default",
            "path": route,
            "path_from": "edition",
        },
        "identity": {
            "parts": {"deviceDisplayName": "PHONE-0001", "certificateThumbprint": f"{1:040}"},
            "key": "c66d9917eb6f86c7f21e78bfc9616652",
            "fingerprint": "bf540bcf50aa7c352009670e40a3896e",
        },
        "request": {
            "method": "POST",
            "url": f"https://graph.microsoft.com/beta/{IOS}",
            "headers": {
                "Authorization": "Bearer (not shown)",
                "Accept": "application/json",
                "client-request-id": "(a new GUID for each attempt)",
                "Content-Type": "application/json",
                "User-Agent": "certstate",
            },
            "body": json.dumps(body, separators=(",", ":")),
        },
        "outlook": {
            "state": "planned",
            "operation": "create",
            "service_root": "https://graph.microsoft.com/beta",
            "tenant_id": TENANT_ID,
            "ledger": None,
            "looks_into_tenant_first": True,
            "obstacle": None,
            "last_step": None,
            "last_step_at": None,
            "last_step_run": None,
            "object_id": None,
        },
    }


# --- the row and its columns


def test_each_column_says_what_it_was_taken_for() -> None:
    """Names, aliases, templates, ignored, unknown, nameless, own and further columns each say why."""
    header = ("Device Platform", "Gerät", "Issuer", "Notes", "Tag", "", "id", "_import_code", "GERÄT", "Owner")
    cells = ("iOS", "PC\u200e-1", 'CN="A"', "n", "t", "x", "7", "", "PC-2", " Ada ")
    declare(
        'columns: {deviceDisplayName: [Gerät]}\nignored: [Notes]\ntemplates: {certificateIssuer: "{Issuer} ({Gerät})"}'
    )
    write_csv(Path("a.csv"), [dict(enumerate(cells))], range(len(cells)))  # type: ignore[arg-type]  # numbers do as names
    lines = Path("a.csv").read_text("utf-8").splitlines()
    Path("a.csv").write_text("\n".join([",".join(header), *lines[1:]]) + "\n", "utf-8")

    assert section(explained("a.csv", row=2), "The row as it was read") == (
        'A   "Device Platform" is devicePlatform, by its name\n'
        '    "iOS"\n'
        'B   "Gerät" is deviceDisplayName, by `columns:`; it goes into certificateIssuer\n'
        "    too, by `templates:`\n"
        '    "PC\\u200e-1"\n'
        'C   "Issuer" goes into certificateIssuer, by `templates:`\n'
        '    "CN="A""\n'
        'D   "Notes" is not sent, as `ignored:` declares\n'
        '    "n"\n'
        'E   "Tag" is not sent: no property has this name\n'
        '    "t"\n'
        "F   not sent: the column has no header\n"
        '    "x"\n'
        'G   "id" is not sent: the service assigns the id\n'
        '    "7"\n'
        'H   "_import_code" is not sent: it is a column of certstate\'s own reports\n'
        '    ""\n'
        'I   "GERÄT" is not sent: another column stands for deviceDisplayName too\n'
        '    "PC-2"\n'
        'J   "Owner" is not sent: no property has this name\n'
        '    " Ada "'
    )


def test_columns_of_a_preset_say_so() -> None:
    """Headers that only the preset knows name it, also those that it has no property for."""
    Path("a.csv").write_text("Thumbprint,PSPath,Issuer\nAB,p,CN=Contoso CA\n", "utf-8")

    assert section(explained("a.csv", row=2, preset="powershell"), "The row as it was read") == (
        'A   "Thumbprint" is certificateThumbprint, by the preset powershell\n'
        '    "AB"\n'
        'B   "PSPath" is not sent: the preset powershell leaves it out\n'
        '    "p"\n'
        'C   "Issuer" is certificateIssuer, by the preset powershell\n'
        '    "CN=Contoso CA"'
    )


def test_a_workbooks_cells_say_what_they_are_held_as() -> None:
    """A number in an identifier is shown as it was read, held as a number, and refused."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(HEADER)
    sheet.append([*cells_of(1, certificateSerialNumber="").values()])
    sheet.cell(2, HEADER.index("certificateSerialNumber") + 1).value = 1234567890
    workbook.save("a.xlsx")

    called = explained("a.xlsx", row=2)

    assert first_line(called) == "Row 2 is invalid: 1 error"
    assert called.stdout.splitlines()[1:3] == ["a.xlsx, sheet Sheet", "header in row 1"]
    assert '    "1234567890"  (the workbook holds it as: number)\n' in called.stdout
    assert section(called, "Findings").splitlines()[:3] == [
        "error    numeric-identifier, certificateSerialNumber",
        "         the workbook holds this identifier as a number, so digits may be lost",
        '         ("1234567890")',
    ]


def two_sheets() -> None:
    """Write a workbook with two sheets of rows and one of notes."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for number, (name, count) in enumerate((("Berlin", 1), ("Notes", 0), ("Seattle", 3)), 1):
        sheet = workbook.create_sheet(name)
        sheet.append(HEADER if count else ["remarks"])
        for each in devices(count, first=100 * number):
            sheet.append([*each.values()])
    workbook.save("a.xlsx")


def test_a_row_that_several_sheets_have_is_explained_for_each() -> None:
    """Without --sheet each sheet's row has its explanation; with it there is one."""
    two_sheets()

    both, one = explained("a.xlsx", row=2), explained("a.xlsx", row=2, sheets=("Seattle",))

    assert re.findall("^a.xlsx.*$", both.stdout, re.MULTILINE) == ["a.xlsx, sheet Berlin", "a.xlsx, sheet Seattle"]
    assert re.findall("^a.xlsx.*$", one.stdout, re.MULTILINE) == ["a.xlsx, sheet Seattle"]
    assert both.stdout.endswith(f"\n\n\n{one.stdout}")


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("iOS,PC-1,extra", ['    "iOS"', '    "PC-1"', '    "extra"']),
        ("iOS", ['    "iOS"', "    (no cell)"]),
        ('iOS,"PC" 1', ["    the whole line, because its cells cannot be told apart", '    "iOS,"PC" 1"']),
    ],
    ids=["too-many", "too-few", "broken"],
)
def test_a_row_of_another_shape_shows_what_it_has(line: str, cells: list[str]) -> None:
    """Cells beyond the header, cells that lack, and a line that cannot be taken apart are shown; no rule is asked."""
    Path("a.csv").write_text(f"devicePlatform,deviceDisplayName\n{line}\n", "utf-8")

    called = explained("a.csv", row=2)

    shown = section(called, "The row as it was read").splitlines()
    assert [each for each in shown if each.startswith("    ")] == cells
    assert section(called, "What the rules made of it") == "No value was changed."
    assert document("a.csv", row=2)["route"] is None


# --- the values


def test_each_change_of_a_value_stands_with_its_rule_in_their_order() -> None:
    """Templates come first, then the rules column by column, then what `defaults:` says for absent columns."""
    row = cells_of(
        1, devicePlatform="iphone", certificateThumbprint="\u200eab " + "0" * 38, serverUrl="", userDisplayName="n/a"
    )
    del row["enhancedKeyUsage"], row["certificateIssuer"]
    write_csv(Path("a.csv"), [row])
    declare(
        "templates: {certificateIssuer: CN=Contoso CA}\n"
        "values: {userDisplayName: {N/A: nobody}}\n"
        "defaults: {serverUrl: https://contoso.com/, enhancedKeyUsage: Client Authentication}\n"
    )

    steps = [tuple(each.values()) for each in document("a.csv", row=2)["value_steps"]]

    thumbprint = f"AB{'0' * 38}"
    assert steps == [
        ("certificateIssuer", "certificateIssuer", "declared-value", "info", "", "CN=Contoso CA"),
        ("devicePlatform", "devicePlatform", "platform-synonym", "info", "iphone", "iOS"),
        ("userDisplayName", "userDisplayName", "value-map", "info", "n/a", "nobody"),
        ("certificateThumbprint",) * 2 + ("invisible-mark", "warning", f"\u200eab {'0' * 38}", f"ab {'0' * 38}"),
        ("certificateThumbprint",) * 2 + ("hex-form", "info", f"ab {'0' * 38}", thumbprint),
        ("serverUrl", "serverUrl", "default-value", "info", "", "https://contoso.com/"),
        ("enhancedKeyUsage", "enhancedKeyUsage", "declared-value", "info", "", "Client Authentication"),
    ]


def test_a_change_is_printed_as_was_and_is() -> None:
    """Each change has its column, its rule with what that does, and both values whole, marks as escapes."""
    write_csv(Path("a.csv"), [cells_of(1, deviceDisplayName="PC-1\u200e", certificateThumbprint="ab:" * 19 + "ab")])

    called = explained("a.csv", row=2)

    assert section(called, "What the rules made of it") == (
        "deviceDisplayName, invisible-mark: the value holds an invisible mark, such as\n"
        "    the one that Windows put before a copied thumbprint; it is taken out, and\n"
        "    with `--no-repair` sent as written\n"
        '    "PC-1\\u200e"\n'
        ' -> "PC-1"\n'
        "certificateThumbprint, hex-form: blanks, colons, hyphens, 0x and an apostrophe\n"
        "    were left out; digits are in upper case\n"
        f'    "{"ab:" * 19}ab"\n'
        f' -> "{"AB" * 20}"'
    )
    assert first_line(called) == "Row 2 is valid and would be created, with 1 warning"


def test_without_repairs_no_rule_changes_a_value() -> None:
    """With --no-repair the body holds what the file has, and the doubts are findings."""
    write_csv(Path("a.csv"), [cells_of(1, certificateThumbprint="ab:" * 19 + "ab")])

    row = document("a.csv", row=2, repairs=False)

    assert (row["value_steps"], [each["code"] for each in row["findings"]]) == ([], ["thumbprint-shape"])
    assert json.loads(row["request"]["body"])["certificateThumbprint"] == "ab:" * 19 + "ab"


def test_with_strict_a_warning_keeps_the_row_out() -> None:
    """With --strict a repaired doubt is an error, told as a change and as a finding."""
    write_csv(Path("a.csv"), [cells_of(1, devicePlatform="ios")])

    row = document("a.csv", row=2, is_strict=True)

    assert (row["summary"], row["request"]) == ("row 2 is invalid: 1 error", None)
    assert [(each["rule"], each["severity"]) for each in row["value_steps"]] == [("letter-case", "error")]
    assert [(each["code"], each["severity"]) for each in row["findings"]] == [("letter-case", "error")]


FROM_CERTIFICATE = (
    'templates: {deviceDisplayName: "{subject common name}", devicePlatform: iOS}\n'
    "optional: [serverUrl, userDisplayName, lastCertificateStateChangeDateTime, certificateProfileDisplayName]\n"
)


def test_a_certificate_file_is_explained_by_its_places() -> None:
    """The certificate's values are steps like any other, and a chain's authority is no row."""
    Path("a.pem").write_text(pem_of(device()) + pem_of(authority()) + PRIVATE_KEY, "utf-8")
    declare(FROM_CERTIFICATE)

    called, missing = explained("a.pem", row=1), explained("a.pem", row=2)
    row = document("a.pem", row=1)

    steps = [(each["property"], each["rule"]) for each in row["value_steps"]]
    assert steps == [
        *((name, "declared-value") for name in ("devicePlatform", "deviceDisplayName")),
        *(
            (name, "from-certificate")
            for name in (
                *("certificateKeyUsage", "certificateExpirationDateTime", "certificateIssuer"),
                *("certificateThumbprint", "certificateSerialNumber", "certificateKeyLength", "enhancedKeyUsage"),
            )
        ),
    ]
    assert first_line(called) == "Row 1 is valid and would be created, with 1 warning"
    assert called.stdout.splitlines()[1:3] == ["a.pem", "a certificate file, of which each certificate is a row"]
    assert 'D   "subject common name" goes into deviceDisplayName, by `templates:`\n    "PC-0042"\n' in called.stdout
    assert "sentinel" not in called.stdout
    assert missing == Called(
        ExitCode.USAGE,
        "",
        "certstate: a.pem: no certificate 2 is read; certificate 2 is a certificate authority's own, not read as a "
        "device's; give --row the number that the spreadsheet shows beside the row\n",
    )


def test_a_private_key_beside_a_certificate_is_not_shown() -> None:
    """A key in the certificate's cell is in no output, whether or not a certificate stands beside it."""
    beside = cells_of(1, certificateThumbprint="") | {"certificate": pem_of(device()) + PRIVATE_KEY}
    write_csv(Path("a.csv"), [beside, cells_of(2) | {"certificate": PRIVATE_KEY}])

    outputs = [explained("a.csv", row=row, output=output) for row in (2, 3) for output in Output]

    assert [called.code for called in outputs] == [0] * 4
    assert not [called for called in outputs if "sentinel" in f"{called.stdout}{called.stderr}"]


# --- the route


@pytest.mark.parametrize(
    ("cells", "sentences"),
    [
        (
            {"deviceConfigurationId": GUID, "profileType": "PKCS"},
            (
                f"The profile {GUID} is the row's own deviceConfigurationId.",
                "The profile type is pkcs, as the row says.",
                "Edition current leads iOS with this profile type to microsoft.graph.iosPkcsCertificateProfile.",
            ),
        ),
        (
            {"certificateProfileDisplayName": "corp PKCS"},
            (
                f'The profile {GUID} is the entry of `profiles:` with the name "Corp PKCS".',
                "The profile type is pkcs, as the entry of `profiles:` says.",
                "Edition current leads iOS with this profile type to microsoft.graph.iosPkcsCertificateProfile.",
            ),
        ),
        (
            {},
            (
                "The profile 00000000-0000-4000-8000-000000000000 is the entry of `profiles:` for iOS.",
                "The profile type is scep, because neither the row nor an entry of `profiles:` names another.",
                "`routes:` of config.yaml leads iOS with this profile type to microsoft.graph.ownProfile.",
            ),
        ),
    ],
    ids=["row", "name", "override"],
)
def test_the_route_says_what_decided_it(cells: dict[str, str], sentences: tuple[str, ...]) -> None:
    """Profile, profile type and path each say where they come from: the row, `profiles:`, `routes:` or the edition."""
    declare(
        f"  - {{name: Corp PKCS, id: {GUID}, profile_type: pkcs}}\n"
        "edition: current\n"
        "routes: [{platform: iOS, profile_type: scep, path: microsoft.graph.ownProfile}]\n"
    )
    known = {name: text for name, text in cells_of(1).items() if name not in {"serverUrl", "enhancedKeyUsage"}}
    write_csv(Path("a.csv"), [known | cells])

    called = explained("a.csv", row=2)

    told = section(called, "Where it goes").split("Rows with the same")[0]
    assert " ".join(told.split()) == " ".join(sentences)
    assert re.findall("^POST .*$", called.stdout, re.MULTILINE) == [
        f"POST {document('a.csv', row=2)['request']['url']}"
    ]


def test_a_certificate_without_a_thumbprint_is_known_by_issuer_and_serial_number() -> None:
    """The parts of the key are those that it was made of."""
    declare("optional: [certificateThumbprint]\n")
    write_csv(Path("a.csv"), [cells_of(1, certificateThumbprint="")])

    assert document("a.csv", row=2)["identity"]["parts"] == {
        "deviceDisplayName": "PHONE-0001",
        "certificateIssuer": "CN=Contoso Issuing CA",
        "certificateSerialNumber": "4A000001",
    }


# --- what other rows and the ledger have to say


def test_a_repeated_row_names_the_first_one() -> None:
    """The second of two equal rows is a duplicate; its request is shown and would not be sent."""
    write_csv(Path("a.csv"), [cells_of(1), cells_of(1)])

    first, second = explained("a.csv", row=2), explained("a.csv", row=3)

    assert first_line(first) == "Row 2 is valid and would be created"
    assert first_line(second) == "Row 3 repeats an earlier row, so it would not be sent"
    assert section(second, "Findings").splitlines()[:2] == [
        "warning  duplicate",
        "         the same row stands in a.csv, row 2",
    ]
    assert section(second, "The request, which would not be sent now") == section(first, "The request")
    assert section(second, "What an import would do now") == "Leave the row out: the first of the equal rows counts."


def test_a_contradiction_names_the_other_row() -> None:
    """Of two rows with one key and other values each names the other and what differs."""
    write_csv(Path("a.csv"), [cells_of(1), cells_of(1, userDisplayName="Ada Example")])

    called = explained("a.csv", row=2)

    assert (
        first_line(called) == "Row 2 contradicts another row about the same certificate, so none of them would be sent"
    )
    assert section(called, "Findings").splitlines()[:3] == [
        "error    conflicting-rows",
        "         another description of the same certificate stands in a.csv, row 3; it",
        "         differs in userDisplayName",
    ]


def test_another_row_can_make_a_date_doubtful() -> None:
    """A date that only the declared order decides is refused where another row contradicts that order."""
    declare("timezone: UTC\ndate_order: dmy\n")
    dates = ("03/04/2027 08:00", "03/15/2027 08:00")
    write_csv(
        Path("a.csv"), [cells_of(number, certificateExpirationDateTime=text) for number, text in enumerate(dates)]
    )

    row = document("a.csv", row=2)

    assert (row["summary"], row["request"], row["identity"]) == ("row 2 is invalid: 1 error", None, None)
    assert [each["rule"] for each in row["value_steps"]] == ["date-order", "time-zone"]
    assert [each["code"] for each in row["findings"]] == ["date-order", "time-zone", "date-order-contradicted"]


def test_a_finding_of_the_file_keeps_all_its_rows_out() -> None:
    """Where a required column is absent the row is invalid for that; its values and its route are told all the same."""
    row = cells_of(1)
    del row["serverUrl"]
    write_csv(Path("a.csv"), [row])

    called = explained("a.csv", row=2)

    assert first_line(called) == "Row 2 is invalid: 1 error"
    assert section(called, "Findings").splitlines()[:2] == ["of the whole file:", "error    missing-column, serverUrl"]
    assert section(called, "Where it goes").startswith("The profile 00000000-0000-4000-8000-000000000000 is the entry")
    assert section(called, "The request") == "None, because the row is invalid."


def history(called: Called) -> str:
    """Return what an import would do, without what changes from run to run."""
    text = section(called, "What an import would do now")
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "(time)", text)
    text = re.sub(r"run \S+-a-[0-9a-f]{6}", "run (run)", text)
    return re.sub(r"id [0-9a-f-]{36}", "id (id)", text)


KNOWN = "The latest that state/ledger.db knows of this object:\n    (time)  create: {}\n    in run (run)"
ONCE = KNOWN.format("created") + "\n    id (id)"


@pytest.mark.parametrize(
    ("changed", "on_changed", "sentence", "outlook"),
    [
        (
            {},
            "report",
            "Row 2 is valid and already there, so nothing would be sent",
            f"Nothing: the object was created before with the same values.\n{ONCE}",
        ),
        (
            {"userDisplayName": "Ada"},
            "report",
            "Row 2 is valid, but the object was created with other values, so nothing would be sent",
            "Nothing: the object was created before with other values, and\n`on_changed: report` is declared.\n" + ONCE,
        ),
        (
            {"userDisplayName": "Ada"},
            "update",
            "Row 2 is valid and would be updated",
            "Update the object, because its values differ and `on_changed: update` is\ndeclared.\n"
            "The object is read first; if somebody changed it since, nothing is sent.\n" + ONCE,
        ),
        (
            {"deviceDisplayName": "PHONE-0002"},
            "report",
            "Row 2 is valid and would be created",
            "Create the object.\nstate/ledger.db knows of no request for this object in this tenant.",
        ),
    ],
    ids=["same", "changed", "update", "new"],
)
def test_the_ledger_says_what_it_knows_of_the_object(
    simulator: RunningSimulator, changed: dict[str, str], on_changed: str, sentence: str, outlook: str
) -> None:
    """What an import would do comes from the ledger, with the latest that it knows of this object."""
    write_csv(Path("a.csv"), [cells_of(1)])
    assert call("import", "a.csv", "--graph-url", simulator.service_root).code == ExitCode.OK
    declare(f"send: {{on_changed: {on_changed}}}\n")
    write_csv(Path("a.csv"), [cells_of(1, **changed)])

    called = explained("a.csv", row=2, graph_url=simulator.service_root)

    assert (first_line(called), history(called)) == (sentence, outlook)
    if on_changed == "update":
        (stored,) = simulator.objects()
        url = f"{simulator.service_root}/{IOS}/{stored.entity['id']}"
        assert re.findall("^P[A-Z]+ .*$", called.stdout, re.MULTILINE) == [f"PATCH {url}"]


def test_a_row_that_waits_for_an_answer_would_be_settled_first(folder: Path, simulator: RunningSimulator) -> None:
    """Where the answer to the row's request was lost, an import reads the tenant back before it decides."""
    write_csv(Path("a.csv"), [cells_of(1)])
    call("import", "a.csv", "--graph-url", simulator.service_root)
    Site(folder).execute("UPDATE objects SET state = 'unknown'")
    Site(folder).execute("UPDATE rows SET state = 'unknown'")

    called = explained("a.csv", row=2, graph_url=simulator.service_root)

    assert first_line(called) == (
        "Row 2 is valid; an earlier request for it has an unknown outcome, which would be settled first"
    )
    assert history(called) == (
        "Read the tenant back first, because the answer to an earlier request was lost;\nthen decide.\n"
        f"{KNOWN.format('unknown')}\n    id (id)"
    )


def test_a_row_that_was_refused_is_not_sent_again() -> None:
    """Where the service refused the same values before, that is what is told."""
    write_csv(Path("a.csv"), [cells_of(1)])
    with running(SimulatorSettings(script=(Fault.BAD_REQUEST_400,))) as simulator:
        call("import", "a.csv", "--graph-url", simulator.service_root)

        called = explained("a.csv", row=2, graph_url=simulator.service_root)

    assert first_line(called) == (
        "Row 2 is valid, but the service refused these values before, so they would not be sent again"
    )
    assert history(called) == (
        "Nothing: the service refused these values before. `certstate retry` sends them\nagain.\n"
        + KNOWN.format("rejected")
    )


def test_what_was_only_tried_out_is_not_told_as_history(simulator: RunningSimulator) -> None:
    """A row that an earlier run left planned is taken over in the copy alone, and its story has nothing of that."""
    write_csv(Path("a.csv"), devices(2))
    call("import", "a.csv", "--graph-url", simulator.service_root, "--limit", "1")

    called = explained("a.csv", row=3, graph_url=simulator.service_root)

    assert history(called) == (
        "Create the object.\nstate/ledger.db knows of no request for this object in this tenant."
    )


def test_rows_of_created_csv_are_explained_as_they_were_sent(simulator: RunningSimulator) -> None:
    """What was declared has been done to those rows already, so no rule changes their values once more."""
    declare("values: {userDisplayName: {Ada: Bob, Bob: Ada}}\n")
    write_csv(Path("a.csv"), [cells_of(1, userDisplayName="Ada")])
    call("import", "a.csv", "--graph-url", simulator.service_root)
    (created,) = Path("runs").glob("*/created.csv")

    row = document(created, row=2, graph_url=simulator.service_root)

    assert (row["summary"], row["value_steps"]) == ("row 2 is valid and already there, so nothing would be sent", [])
    assert json.loads(row["request"]["body"])["userDisplayName"] == "Bob"


def test_an_import_that_cannot_start_is_told() -> None:
    """Without tenant.id the row is explained all the same, with what keeps every row from being sent."""
    Path("config.yaml").write_text(f"profiles: [{{platform: iOS, id: {GUID}}}]\n", "utf-8")
    write_csv(Path("a.csv"), [cells_of(1)])

    assert section(explained("a.csv", row=2), "What an import would do now") == (
        "Create the object.\n"
        "Before that it looks into the tenant for what is there already.\n"
        "But no import starts as it is configured now: tenant.id: the key is missing,\n"
        "and nothing is sent to https://graph.microsoft.com/beta without it; copy the\n"
        "tenant id from Entra (Overview) into config.yaml.\n"
        "There is no ledger here yet, so nothing counts as created before."
    )


# --- nothing else is done


def test_nothing_is_left_behind(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, simulator: RunningSimulator
) -> None:
    """No file of the folder changes, the ledger included, and the copy that the plan was tried out on is gone."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    write_csv(Path("a.csv"), devices(3))
    call("import", "a.csv", "--graph-url", simulator.service_root, "--limit", "1")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    there = simulator.objects()

    assert explained("a.csv", row=3, graph_url=simulator.service_root).code == ExitCode.OK
    assert explained("a.csv", row=9, graph_url=simulator.service_root).code == ExitCode.USAGE

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert (list(temporary.iterdir()), simulator.objects()) == ([], there)


def test_the_body_is_what_an_import_sends(folder: Path, simulator: RunningSimulator) -> None:
    """The explained body is, byte for byte, the one that an import writes down and sends."""
    write_csv(Path("a.csv"), [cells_of(1, userDisplayName="Jürgen \u201cé\u201d", devicePlatform="iphone")])

    request = document("a.csv", row=2, graph_url=simulator.service_root)["request"]
    call("import", "a.csv", "--graph-url", simulator.service_root)

    assert Site(folder).select("SELECT body FROM row_bodies") == [(request["body"].encode(),)]


def test_the_headers_are_those_that_are_sent() -> None:
    """The explained headers are those of a real create, but for what any HTTP request has."""
    write_csv(Path("a.csv"), [cells_of(1)])

    headers = {name.lower(): text for name, text in document("a.csv", row=2)["request"]["headers"].items()}

    _, server = run_script(CREATED, caller=Caller())
    sent = server.seen[0].headers
    of_http = {"host", "content-length", "accept-encoding", "connection"}
    assert headers.keys() == sent.keys() - of_http
    shown = headers.keys() - {"authorization", "client-request-id"}
    assert {name: headers[name] for name in shown} == {name: sent[name] for name in shown}


# --- hostile content, and calls that cannot be answered


def test_a_hostile_cell_steers_no_terminal() -> None:
    """Escapes, bidirectional marks and line breaks of cells and headers come out as escapes; JSON has them whole."""
    name = "a\x1b[2J\u202egnp\u00a0\u2028\U000e0041"
    row = cells_of(1, userDisplayName=name) | {"x\x1b]0;y\x07\n": "1"}
    write_csv(Path("a.csv"), [row])

    called = explained("a.csv", row=2, repairs=False)

    assert not [each for each in called.stdout if not each.isprintable() and each != "\n"]
    assert '    "a\\x1b[2J\\u202egnp\\xa0\\u2028\\U000e0041"\n' in called.stdout
    assert document("a.csv", row=2, repairs=False)["cells"][4]["cell"] == name


def test_marks_in_a_body_are_jsons_own_escapes() -> None:
    """What is invisible in the body is escaped as JSON does it, so that what is copied is the same object."""
    row = cells_of(1, userDisplayName="Ada\u00a0\u2003\U000e0041x")
    write_csv(Path("a.csv"), [row])

    called = explained("a.csv", row=2, repairs=False)

    (body,) = re.findall(r"^\{\n.*?^\}$", called.stdout, re.MULTILINE | re.DOTALL)
    assert '"userDisplayName": "Ada\\u00a0\\u2003\\udb40\\udc41x",\n' in body
    assert json.loads(body) == json.loads(document("a.csv", row=2, repairs=False)["request"]["body"])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (1, "row 1 stands above the header in row 3 and is not read as data"),
        (3, "row 3 is the header"),
        (5, "row 5 is blank"),
        (7, "there is no row 7; the last one is 6"),
    ],
)
def test_a_row_that_is_none_says_why(row: int, why: str) -> None:
    """A title, the header, a blank row and one beyond the end are told apart, with the number to give."""
    lines = ("Inventory of 2026", "", "devicePlatform,deviceDisplayName", "iOS,PC-1", ",", "iOS,PC-2", "", ",")
    Path("a.csv").write_text("\n".join(lines) + "\n", "utf-8")

    assert explained("a.csv", row=row) == Called(
        ExitCode.USAGE,
        "",
        f"certstate: a.csv: {why}; give --row the number that the spreadsheet shows beside the row\n",
    )


def test_a_header_without_rows_says_so() -> None:
    """In a file of nothing but a header there is no row to explain."""
    Path("a.csv").write_text("devicePlatform,deviceDisplayName\n", "utf-8")

    called = explained("a.csv", row=2)

    assert called.stderr.startswith(
        "certstate: a.csv: there is no row 2; no row below the header in row 1 has content;"
    )


def test_a_row_that_no_sheet_has_names_each_sheet() -> None:
    """In a workbook each sheet says why it has no such row, a sheet that is not read too."""
    two_sheets()

    called = explained("a.xlsx", row=5)

    assert called.code == ExitCode.USAGE
    assert called.stderr == (
        "certstate: a.xlsx: sheet Berlin: there is no row 5; the last one is 2; sheet Notes: not read, because its "
        "row 1 names no known column; sheet Seattle: there is no row 5; the last one is 4; give --row the number that "
        "the spreadsheet shows beside the row\n"
    )


def test_only_one_file_is_explained() -> None:
    """Several files, or a pattern that matches several, are refused."""
    for name in ("a.csv", "b.csv"):
        write_csv(Path(name), [cells_of(1)])

    assert explained("*.csv", row=2) == Called(
        ExitCode.USAGE,
        "",
        "certstate: explain takes one FILE, and these are 2 (a.csv, b.csv); name the one that has the row\n",
    )


def test_a_file_without_a_header_is_refused_as_an_import_refuses_it(site: Site) -> None:
    """Where no column is known the sentence is the import's own."""
    path = site.folder / "a.csv"
    path.write_text("x,y\n1,2\n", "utf-8")

    with pytest.raises(SourceError) as refused:
        explain_row(path, 2, site.job())
    with pytest.raises(SourceError) as by_import:
        import_files([path], site.job("http://127.0.0.1:9/beta", environ={"GRAPH_TOKEN": "a"}))
    assert str(refused.value) == str(by_import.value)


def test_the_answer_has_colours_on_a_terminal_only(site: Site) -> None:
    """The first line of a refused row is red on a terminal, and without colours the text is the same."""
    path = site.write("a.csv", [cells_of(1, devicePlatform="abacus")])
    (explanation,) = explain_row(path, 2, site.job())
    shown = []
    for has_color in (True, False):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, no_color=not has_color, width=80, color_system="standard")
        show_explanations(console, [explanation])
        shown.append(stream.getvalue())

    assert shown[0].startswith("\x1b[1;31mRow 2 is invalid: 1 error.\x1b[0m\n")
    assert "\x1b[31m" not in shown[1]
    assert re.sub(r"\x1b\[[\d;]*m", "", shown[0]) == re.sub(r"\x1b\[[\d;]*m", "", shown[1])


def test_prose_fits_eighty_columns() -> None:
    """Only cells, the URL and the body may be longer."""
    samples()
    long = [
        line
        for row in (5, 11, 20, 25, 29, 33)
        for line in explained("faults.csv", row=row).stdout.splitlines()
        if len(line) > 80 and not re.match(r'(    | -> )"|    certificate|  "|POST ', line)
    ]

    assert long == []


def test_a_row_number_of_nothing_is_no_row(site: Site) -> None:
    """The function itself refuses what the option would not let through."""
    path = site.write("a.csv", devices(1))

    with pytest.raises(UsageError, match="row 0 stands above the header"):
        explain_row(path, 0, site.job())
