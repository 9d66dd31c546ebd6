"""The lines of config.yaml that a report proposes: they cure what they are proposed for, and nothing slips in."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest
import yaml
from import_cases import HEADER, PROFILE_OF, TENANT_ID, Cells, Site, cells_of, config_of, report_of

from pipeline.config import Settings, load_settings
from pipeline.errors import ConfigError
from pipeline.findings import CATALOGUE, Code
from pipeline.report.cures import CURES, config_line, together
from pipeline.run import Finished

GUID = "12345678-0000-4000-8000-000000000000"
ID = "deviceConfigurationId"

ALL = config_of(PROFILE_OF)
WITHOUT_PROFILES = f"tenant: {{id: {TENANT_ID}}}\nsend: {{max_errors: 100%}}\n"


class Case(NamedTuple):
    """A mistake that configuration cures, the line that is proposed for it, and what its reader fills in."""

    code: Code
    rows: Sequence[Cells]
    column: str
    line: str
    fills: tuple[str, ...] = ()
    config: str = ALL


def without(name: str, **changed: str) -> dict[str, str]:
    """Return a valid row that lacks a column."""
    return {each: text for each, text in cells_of(1, **changed).items() if each != name}


OPTIONAL_TOO = "## or, where it may be absent:\n# optional: [serverUrl]"
URL_SUCH_AS = "## such as https://ndes.contoso.com/certsrv/mscep/mscep.dll"
EXPIRES = "certificateExpirationDateTime"
URL = "https://ndes.contoso.com/x"

CASES = (
    Case(
        Code.UNKNOWN_COLUMN,
        [cells_of(1) | {"Asset: tag": "x"}],
        "Asset: tag",
        'ignored: ["Asset: tag"]\n## or, where it holds a property:\n# columns: {...: ["Asset: tag"]}',
    ),
    Case(
        Code.MISSING_COLUMN,
        [without("serverUrl")],
        "serverUrl",
        "## if a column holds it, name that one under `columns:`; `certstate inspect` proposes it; else:\n"
        f"defaults: {{serverUrl: ...}}  {URL_SUCH_AS}\n{OPTIONAL_TOO}",
        (URL,),
    ),
    Case(
        Code.MISSING_VALUE,
        [cells_of(1, serverUrl=""), cells_of(2)],
        "serverUrl",
        f"defaults: {{serverUrl: ...}}  {URL_SUCH_AS}\n{OPTIONAL_TOO}",
        (URL,),
    ),
    Case(
        Code.MISSING_VALUE,
        [cells_of(1, userDisplayName=""), cells_of(2)],
        "userDisplayName",
        "optional: [userDisplayName]  ## it is then left out where it is empty",
    ),
    Case(
        Code.UNKNOWN_MEMBER,
        [cells_of(1, devicePlatform="Abacus"), cells_of(2, devicePlatform="abacus "), cells_of(3, devicePlatform="b#")],
        "devicePlatform",
        'values:\n  devicePlatform:\n    "Abacus": ...\n    "b#": ...',
        ("iOS", "macOS"),
    ),
    Case(
        Code.UNKNOWN_MEMBER,
        [cells_of(1, certificateKeyUsage="signing")],
        "certificateKeyUsage",
        'values:\n  certificateKeyUsage:\n    "signing": ...',
        ("digitalSignature",),
    ),
    Case(
        Code.AMBIGUOUS_PLATFORM,
        [cells_of(1, devicePlatform="Windows")],
        "devicePlatform",
        'values:\n  devicePlatform:\n    "Windows": ...',
        ("windows10AndLater",),
    ),
    Case(
        Code.NOT_A_URL,
        [cells_of(1, serverUrl="ndes.contoso.com")],
        "serverUrl",
        'values:\n  serverUrl:\n    "ndes.contoso.com": ...',
        (URL,),
    ),
    Case(
        Code.NOT_AN_INTEGER,
        [cells_of(1, certificateKeyLength="default")],
        "certificateKeyLength",
        'values:\n  certificateKeyLength:\n    "default": ...',
        ('"2048"',),
    ),
    Case(
        Code.NOT_A_GUID,
        [cells_of(1) | {ID: "Corp SCEP"}],
        ID,
        f'values:\n  {ID}:\n    "Corp SCEP": ...',
        (GUID,),
    ),
    Case(
        Code.DATE_TIME_WITHOUT_OFFSET,
        [cells_of(1, certificateExpirationDateTime="2027-11-23T08:49:13")],
        EXPIRES,
        "timezone: ...  ## the zone of the file's times, such as UTC or Europe/Berlin",
        ("Europe/Berlin",),
    ),
    Case(
        Code.NOT_A_DATE_TIME,
        [cells_of(1, certificateExpirationDateTime="2027-11-23")],
        EXPIRES,
        "timezone: ...  ## for dates without a time of day: the file's zone, such as UTC",
        ("UTC",),
    ),
    Case(
        Code.AMBIGUOUS_DATE,
        [cells_of(1, certificateExpirationDateTime="03/04/2027 08:49:13 +01:00")],
        EXPIRES,
        "date_order: ...  ## dmy: the day comes first; mdy: the month comes first",
        ("dmy",),
    ),
    Case(
        Code.DATE_NUMBER,
        [cells_of(1, certificateExpirationDateTime="1795423753")],
        EXPIRES,
        "date_number: ...  ## excel-1900, excel-1904, epoch-seconds or epoch-milliseconds",
        ("epoch-seconds",),
    ),
    Case(
        Code.AMBIGUOUS_SERIAL_NUMBER,
        [cells_of(1, certificateSerialNumber="1234567890")],
        "certificateSerialNumber",
        "serial: ...  ## what digits alone are written in: hex or decimal",
        ("hex",),
    ),
    Case(
        Code.NO_ROUTE,
        [cells_of(1, devicePlatform="windows10AndLater") | {"profileType": "pkcs"}],
        "devicePlatform",
        "routes:  ## the name of the profile's type in Graph, such as microsoft.graph.iosScepCertificateProfile\n"
        "  - {platform: windows10AndLater, profile_type: pkcs, path: ...}",
        ("microsoft.graph.windows10PkcsCertificateProfile",),
        f"edition: current\n{ALL}",
    ),
    Case(
        Code.NO_PROFILE,
        [cells_of(1), cells_of(2, devicePlatform="macOS")],
        ID,
        "profiles:  ## the id that the profile has in Intune, a GUID\n"
        "  - {platform: iOS, id: ...}\n  - {platform: macOS, id: ...}",
        (GUID, GUID),
        WITHOUT_PROFILES,
    ),
    Case(
        Code.UNKNOWN_PROFILE_TYPE,
        [cells_of(1) | {"profileType": "S/MIME"}],
        "profileType",
        'values:\n  profileType:\n    "S/MIME": ...',
        ("pkcs",),
        f"edition: current\n{ALL}",
    ),
    Case(
        Code.NO_PROFILE,
        [cells_of(1) | {"profileType": "pkcs"}],
        ID,
        "profiles:  ## the id that the profile has in Intune, a GUID\n  - {platform: iOS, profile_type: pkcs, id: ...}",
        (GUID,),
        f"edition: current\n{WITHOUT_PROFILES}",
    ),
)


class Told(NamedTuple):
    """One finding, as report.json tells it."""

    code: str
    column: str
    value: str
    message: str


def told(finished: Finished) -> list[Told]:
    """Return the findings of the run."""
    return [
        Told(each["code"], each["column"] or "", each["value"] or "", each["message"])
        for each in report_of(finished)["findings"]
    ]


def line_for(found: Sequence[Told], code: Code, column: str) -> str:
    """Return the lines that are proposed for the cause. In these cases the header is the property's name."""
    meant = [each for each in found if (each.code, each.column) == (code, column)]
    assert meant, found
    values = dict.fromkeys(each.value for each in meant)
    return config_line(code, column, tuple(values), tuple(dict.fromkeys(each.message for each in meant)))


def filled(line: str, fills: Sequence[str]) -> str:
    """Return the lines with the answers in place of what they leave open."""
    parts = re.split(r"(?<=: )\.\.\.", line)
    assert len(parts) == len(fills) + 1, line
    return "".join(part + answer for part, answer in zip(parts, (*fills, ""), strict=True))


def named(case: Case) -> str:
    """Return the case's name for pytest's list."""
    return f"{case.code}-{case.column}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_line_cures_its_cause(case: Case, tmp_path: Path) -> None:
    """Pasted into config.yaml and filled in, the lines make the cause go away, and bring no error of their own."""
    site = Site(tmp_path, case.config)
    path = site.write("a.csv", case.rows)
    before = told(site.validated(path))
    line = line_for(before, case.code, case.column)
    site.config = f"{filled(line, case.fills)}\n{case.config}"

    after = told(site.validated(path))

    assert line == case.line
    assert [each for each in after if (each.code, each.column) == (case.code, case.column)] == []
    assert {each.code for each in after if CATALOGUE[Code(each.code)].severity == "error"} <= {
        each.code for each in before
    }


@pytest.mark.parametrize("case", [each for each in CASES if each.fills], ids=named)
def test_a_line_that_is_pasted_unread_is_refused(case: Case, tmp_path: Path) -> None:
    """What only the reader knows is left open in a way that config.yaml refuses, so that no wrong value is sent."""
    path = tmp_path / "config.yaml"
    path.write_text(f"{case.line}\n{case.config}", "utf-8")

    with pytest.raises(ConfigError):
        load_settings(path, environ={})


def test_the_lines_to_take_over_instead_are_refused_unread_too(tmp_path: Path) -> None:
    """So is the second proposal for a column that nobody knows."""
    (_, _, second) = config_line(Code.UNKNOWN_COLUMN, "Asset", ()).splitlines()
    path = tmp_path / "config.yaml"
    path.write_text(second.removeprefix("# "), "utf-8")

    with pytest.raises(ConfigError, match="is no property"):
        load_settings(path, environ={})


def test_a_serial_number_in_a_numeric_cell(tmp_path: Path) -> None:
    """A workbook's number of at most 15 digits passes as a serial number once it is declared as decimal."""
    site = Site(tmp_path)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEADER)
    cells = cells_of(1)
    sheet.append([123456789 if name == "certificateSerialNumber" else cells[name] for name in HEADER])
    book.save(tmp_path / "a.xlsx")
    line = line_for(told(site.validated(tmp_path / "a.xlsx")), Code.NUMERIC_IDENTIFIER, "certificateSerialNumber")
    site.config = f"{filled(line, ['decimal'])}\n{ALL}"

    after = told(site.validated(tmp_path / "a.xlsx"))

    assert line == "serial: ...  ## decimal, if they are decimal numbers; of at most 15 digits they pass then"
    assert [each.code for each in after] == [Code.SERIAL_NUMBER_FORM, Code.NUMERIC_SERIAL_NUMBER]


HOSTILE = (
    'a"]\nsend: {on_changed: update}',
    "it's: {a, b} # [c]",
    "back\\slash \\x41 \\",
    "\u202efdp.exe\u2066\u200b",
    "tab\tnull\x00bell\x07next\x85line\u2028end",
    "- ? & * ! | > % @ `",
    "\U000e0041\ufeffmark",
    "~",
    "null",
    "...",
    "---",
)


def settings_of(tmp_path: Path, lines: str) -> Settings:
    """Return the settings of a config.yaml that is nothing but these lines."""
    path = tmp_path / "config.yaml"
    path.write_text(lines, "utf-8")
    return load_settings(path, environ={})


@pytest.mark.parametrize("text", HOSTILE)
def test_a_header_is_nothing_but_a_header(text: str, tmp_path: Path) -> None:
    """However a header is written, the lines ignore that one column and say nothing else."""
    settings = settings_of(tmp_path, config_line(Code.UNKNOWN_COLUMN, text, ()))

    assert settings.model_dump() == Settings(tmp_path).model_dump() | {"ignored": (text,)}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_is_nothing_but_a_value(text: str, tmp_path: Path) -> None:
    """However a cell is written, the lines replace that one text and say nothing else."""
    line = config_line(Code.UNKNOWN_MEMBER, "devicePlatform", (text,))
    settings = settings_of(tmp_path, line.removesuffix("...") + "iOS")

    expected = Settings(tmp_path).model_dump() | {"values": {"devicePlatform": {text: "iOS"}}}
    assert settings.model_dump() == expected


@pytest.mark.parametrize("code", CURES)
def test_a_property_s_name_is_never_a_text_of_the_file(code: str) -> None:
    """A column that is no property is named in the lines in quotes only, or not at all."""
    line = config_line(code, HOSTILE[0], HOSTILE, HOSTILE)

    assert "\nsend" not in line


def test_a_text_that_the_report_cuts_is_not_proposed() -> None:
    """A shortened value or header would match nothing."""
    long = f"{'x' * 200}... (9,999 characters)"

    lines = [config_line(code, "devicePlatform", (long,)) for code in (Code.UNKNOWN_MEMBER, Code.NOT_A_URL)]

    assert (config_line(Code.UNKNOWN_COLUMN, long, ()), *lines) == ("", "", "")


def test_escapes_never_make_a_key_longer_than_yaml_allows(tmp_path: Path) -> None:
    """A text of invisible signs stays out of the lines, so that those beside it can still be pasted."""
    line = config_line(Code.UNKNOWN_MEMBER, "devicePlatform", ("\U000e0041" * 198 + "a", "b"))

    settings = settings_of(tmp_path, line.replace("...", "iOS"))

    assert settings.values == {"devicePlatform": {"b": "iOS"}}


@pytest.mark.parametrize(
    ("code", "name", "messages"),
    [
        ("rejected 400 BadRequest", "", ()),
        (Code.CONFLICTING_ROWS, "", ()),
        (Code.MISSING_VALUE, "certificateThumbprint", ()),
        (Code.MISSING_COLUMN, "serverUrl", ("no column has the header X, of which `templates:` makes serverUrl",)),
        (Code.UNKNOWN_COLUMN, "", ()),
        (Code.UNKNOWN_PROFILE_TYPE, "profileType", ("edition 1706 has the profile types scep",)),
        (Code.NOT_A_DATE_TIME, EXPIRES, ("no such date or time: month must be in 1..12",)),
        (Code.AMBIGUOUS_DATE, EXPIRES, ("..: `date_order: mdy` says month first, but who writes dots ..",)),
        (Code.DATE_NUMBER, EXPIRES, ("declared as epoch-seconds, and it reads as year, month and day",)),
        (Code.NUMERIC_IDENTIFIER, "certificateThumbprint", ()),
        (Code.NO_PROFILE, ID, ()),
        (Code.CHANGED, "", ("somebody else has changed the object; it has neither value of serverUrl",)),
    ],
)
def test_what_configuration_does_not_cure_has_no_line(code: str, name: str, messages: tuple[str, ...]) -> None:
    """Nothing is proposed that would not help."""
    assert config_line(code, name, ("12345",) if name == "certificateThumbprint" else ("x",), messages) == ""


def test_a_changed_row_that_certstate_created(tmp_path: Path) -> None:
    """The line says that such objects are to be updated; what others changed has none."""
    line = config_line(Code.CHANGED, "", ("",), ("created before with other values",))

    assert line == "send: {on_changed: update}  ## updates what certstate created"
    assert settings_of(tmp_path, line).send.on_changed == "update"


def test_the_document_names_what_configuration_cures() -> None:
    """docs/findings.md lists each code that lines of config.yaml are made for, and no other."""
    text = (Path(__file__).parents[1] / "docs" / "findings.md").read_text("utf-8")

    (listed,) = re.findall(r"Such lines are made for\n(.*?)\n\n", text, re.DOTALL)

    assert re.findall(r"`([a-z-]+)`", listed) == [code for code in CATALOGUE if code in CURES]


def test_the_lines_of_several_causes_are_one_block() -> None:
    """Each key stands once, whatever the causes, so that all of it can be pasted; the same line is not repeated."""
    lines = [
        config_line(Code.UNKNOWN_MEMBER, "devicePlatform", ["Black: #berry"]),
        config_line(Code.DATE_TIME_WITHOUT_OFFSET, "certificateExpirationDateTime", []),
        config_line(Code.AMBIGUOUS_PLATFORM, "devicePlatform", ["Windows", "Black: #berry"]),
        config_line(Code.NOT_A_URL, "serverUrl", ["ndes"]),
        config_line(Code.UNKNOWN_COLUMN, "Asset ] }  ## Tag", []),
        config_line(Code.UNKNOWN_COLUMN, "Owner", []),
        config_line(Code.DATE_TIME_WITHOUT_OFFSET, "lastCertificateStateChangeDateTime", []),
        config_line(Code.NO_PROFILE, "", [], ["no entry of `profiles:` for iOS"]),
        config_line(Code.NO_PROFILE, "", [], ["no entry of `profiles:` for macOS and pkcs"]),
        config_line(Code.MISSING_COLUMN, "serverUrl", []),
        config_line(Code.MISSING_VALUE, "userDisplayName", [""]),
        config_line(Code.NOT_A_DATE_TIME, "certificateExpirationDateTime", [], ["the date has no time of day"]),
        config_line(Code.RAGGED_ROW, "", []),
    ]

    assert yaml.safe_load(together(lines).replace("...", "FILLED")) == {
        "values": {
            "devicePlatform": {"Black: #berry": "FILLED", "Windows": "FILLED"},
            "serverUrl": {"ndes": "FILLED"},
        },
        "timezone": "FILLED",
        "ignored": ["Asset ] }  ## Tag", "Owner"],
        "profiles": [
            {"platform": "iOS", "id": "FILLED"},
            {"platform": "macOS", "profile_type": "pkcs", "id": "FILLED"},
        ],
        "defaults": {"serverUrl": "FILLED"},
        "optional": ["userDisplayName"],
    }
    assert together([""]) == ""
