"""`inspect`: what is told of a file, the lines to paste, and what a person reads at 80 columns."""

import json
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
import typer
import yaml
from certificate_cases import built, pem_of
from hypothesis import given
from hypothesis import strategies as st
from import_cases import HEADER, cells_of, write_csv
from openpyxl import Workbook
from preset_cases import PRESET_CASES, PresetCase
from rich.console import Console

from pipeline.cli.inspection import Refused, inspect_files, inspection_document, show_inspection
from pipeline.cli.options import Globals, Output
from pipeline.config import Settings, load_settings
from pipeline.editions import DEVICE_PLATFORM_1706
from pipeline.errors import SourceError
from pipeline.inspect import (
    Declared,
    InspectedColumn,
    InspectedTable,
    PresetUse,
    Undeclared,
    WordsWithoutMember,
    inspect_file,
    mapping_yaml,
)
from pipeline.load import LoadOptions
from pipeline.presets import PRESETS
from pipeline.proposals import ColumnProposal, Match
from pipeline.quoting import quoted

FOREIGN = """\
Device Name,OS,Serial Number,Thumprint,Valid To,Email consent,Key Size,SHA1
PC-0001,Windows 11,C02XK0AAJG5H,AFC60102030405060708090A0B0C0D0E0F101112,23.11.2026,yes,2048,
PC-0002,Windows,C02XK0AAJG5J,AFC60102030405060708090A0B0C0D0E0F101113,24.11.2026,no,2048,
PC-0003,iPad,C02XK0AAJG5K,AFC60102030405060708090A0B0C0D0E0F101114,25.11.2026,no,2048,
PC-0004,Fridge,C02XK0AAJG5L,AFC60102030405060708090A0B0C0D0E0F101115,26.11.2026,no,2048,
"""


def inspected(path: Path, config: str = "", options: LoadOptions | None = None) -> tuple[InspectedTable, ...]:
    """Return what is told of the file beside a config.yaml."""
    (path.parent / "config.yaml").write_text(config, "utf-8")
    settings = load_settings(path.parent / "config.yaml", environ={})
    return inspect_file(path, settings, options or LoadOptions(), this_year=2026)


def uncommented(text: str) -> str:
    """Return the block with every line that is to be taken over, as an editor's command leaves it."""
    return re.sub(r"^( *)# ", r"\1", text, flags=re.MULTILINE)


def inspected_text(folder: Path, text: str, config: str = "") -> InspectedTable:
    """Return what is told of a CSV file with this text."""
    path = folder / "inventory.csv"
    path.write_text(text, "utf-8")
    (table,) = inspected(path, config)
    return table


def table_of(
    columns: Sequence[InspectedColumn],
    *,
    missing: Sequence[str] = (),
    words: Sequence[WordsWithoutMember] = (),
    undeclared: Sequence[Undeclared] = (),
) -> InspectedTable:
    """Return a table with these columns."""
    return InspectedTable(
        *(Path("a.csv"), None, False, "utf-8", ",", 1, 1, ()),
        columns=tuple(columns),
        missing=tuple(missing),
        words=tuple(words),
        undeclared=tuple(undeclared),
        preset=PresetUse(PRESETS["jamf"], is_chosen=True),
        declared=(),
    )


def foreign(folder: Path, config: str = "") -> InspectedTable:
    """Return what is told of the foreign file."""
    path = folder / "inventory.csv"
    path.write_text(FOREIGN, "utf-8")
    (table,) = inspected(path, config)
    return table


def shown(*tables: InspectedTable, encoding: str = "utf-8") -> str:
    """Return what is printed at 80 columns."""

    class Stream(StringIO):
        @property
        def encoding(self) -> str:  # type: ignore[override]  # a stream of text has none of its own
            return encoding

    console = Console(file=Stream(), width=80, highlight=False, markup=False, no_color=True)
    with console.capture() as text:
        show_inspection(console, tables)
    return text.get()


@pytest.mark.parametrize("edition", ["1706", "current"])
@pytest.mark.parametrize("case", PRESET_CASES, ids=[each.name for each in PRESET_CASES])
def test_a_file_of_each_source_is_recognised(case: PresetCase, edition: str, tmp_path: Path) -> None:
    """Its preset is proposed, its rows are counted, and with the case's config.yaml nothing is missing."""
    path = tmp_path / case.file_name
    path.write_bytes(case.content)

    (table,) = inspected(path, case.config(edition))

    preset = PRESETS[case.preset] if case.is_proposed else None
    assert (table.preset.used, table.preset.is_chosen, table.rows_estimate) == (preset, False, case.rows)
    if case.is_proposed:
        assert (table.missing, table.undeclared) == ((), ())
        assert [each.header for each in table.columns if each.proposal.match is Match.SYNONYM] == []


def test_the_words_that_mean_an_empty_cell_are_no_samples(tmp_path: Path) -> None:
    """AD CS writes EMPTY where there is nothing."""
    case = PRESET_CASES[0]
    path = tmp_path / case.file_name
    path.write_bytes(case.content)

    (table,) = inspected(path)

    assert {each.header: each.samples for each in table.columns}["User Principal Name"] == ()


def test_a_foreign_file_gets_a_mapping_to_paste(tmp_path: Path) -> None:
    """What is sure is YAML; what is doubtful, unknown words and what is missing are comments."""
    table = foreign(tmp_path)

    assert mapping_yaml([table]).splitlines() == [
        "columns:",
        '  deviceDisplayName: ["Device Name"]  ## such as "PC-0001"',
        '  devicePlatform: ["OS"]  ## such as "Windows 11"',
        '  certificateExpirationDateTime: ["Valid To"]  ## such as "23.11.2026"',
        '  certificateKeyLength: ["Key Size"]  ## such as "2048"',
        '  certificateThumbprint: ["SHA1"]',
        '  # certificateSerialNumber: ["Serial Number"]',
        '  ##   doubtful: no cell that was looked at is a serial number in digits; such as "C02XK0AAJG5H"',
        '  ## or certificateThumbprint: ["Thumprint"]',
        (
            "  ##   doubtful: 95 of 100 alike; the header is only alike; "
            'such as "AFC60102030405060708090A0B0C0D0E0F101112"'
        ),
        "# values:  ## words of the file, and the members to choose from",
        f"#   devicePlatform:  ## {', '.join(DEVICE_PLATFORM_1706.members)}",
        '#     "Windows": ...',
        '#     "Fridge": ...',
        (
            "# timezone: ...  ## the zone of whoever wrote the dates, such as Europe/Berlin or UTC; "
            'for cells such as "23.11.2026"'
        ),
        "## Required, and no column holds it: one value for all rows, or a text made of columns in braces.",
        "# templates:",
        "#   certificateKeyUsage: ...  ## such as digitalSignature,keyEncipherment",
        "#   certificateProfileDisplayName: ...  ## such as Corp SCEP",
        "#   userDisplayName: ...",
        "#   serverUrl: ...  ## such as https://ndes.contoso.com/certsrv/mscep/mscep.dll",
        "#   lastCertificateStateChangeDateTime: ...",
        '#   certificateIssuer: ...  ## such as "CN=Contoso Issuing CA"',
        '##   certificateSerialNumber: ...  ## such as "{header of a column}"  ## unless a doubtful column above is it',
        "#   enhancedKeyUsage: ...  ## such as Client Authentication",
        "## Or, what may be absent:",
        (
            "# optional: [certificateKeyUsage, certificateProfileDisplayName, userDisplayName, serverUrl, "
            "lastCertificateStateChangeDateTime, enhancedKeyUsage]"
        ),
    ]


def test_every_line_to_take_over_is_yaml(tmp_path: Path) -> None:
    """Who takes `# ` off each candidate has YAML in which nothing stands twice, and `...` where a value belongs."""
    text = uncommented(mapping_yaml([foreign(tmp_path)]))

    document = yaml.safe_load(text)
    keys = re.findall(r"^ *([^ #][^:]*):", text, re.MULTILINE)
    assert list(document) == ["columns", "values", "timezone", "templates", "optional"]
    assert document["columns"]["certificateSerialNumber"] == ["Serial Number"]
    assert document["values"] == {"devicePlatform": {"Windows": "...", "Fridge": "..."}}
    assert set(document["templates"].values()) == {"..."}
    assert len(keys) == len(document) + sum(len(document[each]) for each in ("columns", "values", "templates")) + 2


@pytest.mark.parametrize("case", PRESET_CASES, ids=[each.name for each in PRESET_CASES])
def test_no_value_is_invented(case: PresetCase, tmp_path: Path) -> None:
    """Whatever is missing gets `...`, so that nobody sends Windows machines as iOS by pasting an example."""
    path = tmp_path / case.file_name
    path.write_bytes(case.content)

    document = yaml.safe_load(uncommented(mapping_yaml(inspected(path))))

    assert set(document["templates"].values()) == {"..."}
    assert {"devicePlatform", "deviceDisplayName", "certificateThumbprint"}.isdisjoint(document["optional"])


@pytest.mark.parametrize("case", [each for each in PRESET_CASES if each.is_proposed], ids=lambda each: str(each.name))
def test_the_lines_of_a_proposed_preset_do_without_it(case: PresetCase, tmp_path: Path) -> None:
    """With the lines in config.yaml the same columns are known with the preset and without; nothing is to declare."""
    path = tmp_path / case.file_name
    path.write_bytes(case.content)
    (first,) = inspected(path, "timezone: UTC\ndate_order: dmy\n")
    config = f"date_order: dmy\n{mapping_yaml([first])}"
    config += "" if "timezone:" in config else "timezone: UTC\n"
    (tmp_path / "config.yaml").write_text(config, "utf-8")
    settings = load_settings(tmp_path / "config.yaml", environ={})

    (second,) = inspect_file(path, settings, LoadOptions(), PRESETS[case.preset])
    mapped = [each for each in first.columns if each.proposal.is_applied and not each.is_declared]
    preset = PRESETS[case.preset]

    assert {name: list(headers) for name, headers in settings.columns.items()} == {
        each.proposal.name: [each.header] for each in mapped
    }
    assert (settings.serial, settings.date_number) == (preset.serial, preset.date_number)
    assert [each.proposal.name for each in second.columns] == [each.proposal.name for each in first.columns]
    assert (second.missing, second.undeclared) == (first.missing, ())


def test_a_hand_made_header_is_no_preset(tmp_path: Path) -> None:
    """Its serial numbers may be decimal, so the form is asked for."""
    table = inspected_text(
        tmp_path,
        "Thumbprint,Serial Number,Issuer,Not After,Device Name,Platform\n"
        f"{'a' * 40},4711,CN=Contoso Issuing CA,2027-11-23T08:49:13Z,PC-0001,iOS\n",
    )

    assert table.preset == PresetUse()
    assert table.undeclared == (Undeclared("serial", "hex or decimal", "4711"),)
    assert [each.proposal.match for each in table.columns] == [Match.SYNONYM] * 6


def test_a_chosen_preset_without_a_header_in_the_file_is_told(tmp_path: Path) -> None:
    """Nothing of it counts, and the reader learns what its headers would be."""
    path = tmp_path / "inventory.csv"
    path.write_text("Rechner,Nummer\nPC-0001,1\n", "utf-8")

    (table,) = inspect_file(path, Settings(), LoadOptions(), PRESETS["adcs"])

    assert table.preset == PresetUse(unfit=PRESETS["adcs"])
    assert (
        'Preset    adcs: none of its headers is in the file, such as "Certificate Hash",\n'
        '          "Serial Number", "Certificate Expiration Date"\n'
    ) in shown(table)
    assert "--preset" not in shown(table)


def test_a_preset_that_was_chosen_is_not_proposed(tmp_path: Path) -> None:
    """Its columns need no lines, and what it sets stands beside."""
    path = tmp_path / PRESET_CASES[0].file_name
    path.write_bytes(PRESET_CASES[0].content)

    (table,) = inspect_file(path, Settings(), LoadOptions(), PRESETS["adcs"])

    assert "Preset    adcs, as chosen\n" in shown(table)
    assert mapping_yaml([table]).splitlines()[:3] == [
        "## For use with --preset adcs (AD CS, the CA's database: certutil -view ... csv)",
        "##   the preset sets serial: hex",
        (
            "# timezone: ...  ## the zone of whoever wrote the dates, such as Europe/Berlin or UTC; "
            'for cells such as "5/21/2028 5:29 PM"'
        ),
    ]


def test_what_only_the_preset_takes_for_empty_is_told(tmp_path: Path) -> None:
    """config.yaml cannot say that EMPTY means nothing."""
    path = tmp_path / PRESET_CASES[0].file_name
    path.write_bytes(PRESET_CASES[0].content.decode("utf-16").replace("CONTOSO\\PC-0001$", "EMPTY").encode("utf-16"))

    (table,) = inspected(path)

    assert table.preset.empty_words == ("EMPTY",)
    assert '##   only the preset takes "EMPTY" for an empty cell' in mapping_yaml([table]).splitlines()


def test_all_tables_get_one_block(tmp_path: Path) -> None:
    """Columns are merged, a header with two meanings is a comment, and what some tables lack is a default."""
    first = inspected_text(tmp_path, "Host,Cert Serial,OS\nPC-0001,4A,iOS\n", "edition: current\n")
    second = inspected_text(
        tmp_path, "Computer name,cert  serial,Thumbprint\nPC-0002,C02XK0AAJG5H,no\n", "edition: current\n"
    )

    text = mapping_yaml([first, second])

    assert text.splitlines()[:8] == [
        "columns:",
        '  deviceDisplayName: ["Host", "Computer name"]  ## such as "PC-0001"',
        '  devicePlatform: ["OS"]  ## such as "iOS"',
        '  # certificateSerialNumber: ["Cert Serial"]',
        (
            "  ##   doubtful: in inventory.csv it is not: no cell that was looked at is a serial number in digits; "
            'such as "4A"'
        ),
        '  # certificateThumbprint: ["Thumbprint"]',
        '  ##   doubtful: no cell that was looked at has 40 hexadecimal digits; such as "no"',
        "## Required, and no column holds it: one value for all rows, or a text made of columns in braces.",
    ]
    at = text.splitlines().index("# defaults:")
    assert text.splitlines()[at - 1 : at + 3] == [
        "## Required, and some of the tables have no column for it: the value for their rows.",
        "# defaults:",
        "#   devicePlatform: ...  ## missing in inventory.csv",
        "##   certificateSerialNumber: missing in inventory.csv, and each row needs its own: map a column of it",
    ]
    document = yaml.safe_load(uncommented(text))
    assert document["defaults"] == {"devicePlatform": "..."}
    assert shown(first, second).count("For config.yaml") == 1


def test_what_one_preset_declares_is_asked_where_another_table_needs_it(tmp_path: Path) -> None:
    """A key of config.yaml holds for all tables, so a preset's `serial: hex` is a comment beside doubtful numbers."""
    case = PRESET_CASES[0]
    (tmp_path / case.file_name).write_bytes(case.content)
    (export,) = inspected(tmp_path / case.file_name)
    numbers = inspected_text(tmp_path, "S/N\n4711\n")

    assert export.declared == (Declared("serial", "hex"),)
    assert "serial: hex  ## as adcs writes them" in mapping_yaml([export]).splitlines()
    assert (
        '# serial: ...  ## hex; as adcs writes them; hex or decimal; for cells such as "4711"'
        in mapping_yaml([export, numbers]).splitlines()
    )


def test_the_pasted_mapping_is_taken_by_the_configuration(tmp_path: Path) -> None:
    """With the lines in config.yaml the same file needs no further column."""
    first = foreign(tmp_path)

    second = foreign(tmp_path, mapping_yaml([first]))

    assert [each.proposal.match for each in second.columns].count(Match.EXACT) == 5
    assert second.missing == first.missing
    assert [each for each in second.columns if each.proposal.match is Match.SYNONYM] == []


def test_what_config_supplies_is_not_missing(tmp_path: Path) -> None:
    """Defaults, templates, optional properties and value maps count as they would in an import."""
    config = (
        "defaults: {userDisplayName: nobody}\n"
        'templates: {certificateIssuer: "{Device Name}"}\n'
        "optional: [serverUrl, certificateKeyUsage, enhancedKeyUsage]\n"
        "values: {devicePlatform: {windows: windows10AndLater}}\n"
    )

    table = foreign(tmp_path, config)

    assert table.missing == (
        "certificateProfileDisplayName",
        "lastCertificateStateChangeDateTime",
        "certificateSerialNumber",
    )
    assert table.words == (WordsWithoutMember("devicePlatform", ("Fridge",), DEVICE_PLATFORM_1706.members),)


def test_a_file_in_our_own_format_needs_nothing(tmp_path: Path) -> None:
    """There is nothing to paste, and nothing missing."""
    (table,) = inspected(write_csv(tmp_path / "own.csv", [cells_of(1)], HEADER))

    assert (table.missing, table.words, mapping_yaml([table]), table.preset) == ((), (), "", PresetUse())


def test_a_column_of_certificates_stands_for_what_they_say(tmp_path: Path) -> None:
    """Thumbprint, serial number, issuer and so on come from the certificate itself."""
    path = tmp_path / "pem.csv"
    path.write_text("Device Name,PEM\nPC-0001,MIIBszCCAVmgAwIBAgIUAg==\n", "utf-8")

    (table,) = inspected(path, "edition: current\n")

    assert table.missing == ("devicePlatform",)


def test_a_foreign_header_below_a_title_is_found(tmp_path: Path) -> None:
    """Words that mean a property tell the header from the rows above it."""
    path = tmp_path / "titled.csv"
    path.write_text(f"Inventory of all PCs,,,,,,,\nmade on 2026-11-23,,,,,,,\n{FOREIGN}", "utf-8")

    (table,) = inspected(path)

    assert (table.header_row_number, table.columns[0].header, table.rows_estimate) == (3, "Device Name", 4)
    assert [each.code for each in table.findings] == ["title-rows"]


def test_each_sheet_is_told_and_a_hidden_one_is_named(tmp_path: Path) -> None:
    """A workbook has one answer per sheet, with the letters that the spreadsheet shows."""
    book = Workbook()
    del book["Sheet"]
    shown_sheet = book.create_sheet("PCs")
    shown_sheet.append(["Host", "S/N"])
    shown_sheet.append(["PC-0001", "4A"])
    hidden = book.create_sheet("Old")
    hidden.append(["Host"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "book.xlsx")

    tables = inspected(tmp_path / "book.xlsx")

    assert [(each.sheet, each.is_hidden, [one.letter for one in each.columns]) for each in tables] == [
        ("PCs", False, ["A", "B"]),
        ("Old", True, ["A"]),
    ]


def test_a_chosen_preset_comes_before_a_proposed_one(tmp_path: Path) -> None:
    """`--preset` decides; nothing is proposed against it."""
    path = tmp_path / "jamf.csv"
    path.write_bytes(PRESET_CASES[3].content)

    (table,) = inspect_file(path, Settings(), LoadOptions(), PRESETS["jamf"])

    assert table.preset == PresetUse(PRESETS["jamf"], is_chosen=True)
    assert {each.header: each.proposal.name for each in table.columns}[
        "expires_epoch"
    ] == "certificateExpirationDateTime"


def test_a_file_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    """The loader's sentence comes through."""
    path = tmp_path / "empty.csv"
    path.write_bytes(b"")

    with pytest.raises(SourceError, match=r"is empty \(0 bytes\)"):
        inspect_file(path, Settings(), LoadOptions())


HOSTILE = st.text(st.characters(), max_size=30)


@given(HOSTILE)
def test_any_text_survives_the_quotes(text: str) -> None:
    """What is quoted is one line and comes back from YAML sign by sign."""
    line = quoted(text)

    assert line.isprintable()
    assert yaml.safe_load(line) == text


@given(st.lists(st.tuples(st.sampled_from(list(Match)), HOSTILE, HOSTILE), max_size=6), st.lists(HOSTILE, max_size=3))
def test_no_text_of_a_file_breaks_out_of_the_yaml(columns: list[tuple[Match, str, str]], words: list[str]) -> None:
    """Whatever headers, cells and words hold, the lines are YAML with the sure headers, and nothing else."""
    given_columns = [
        InspectedColumn("A", header, (cell,), ColumnProposal(at, header, f"name{at}", match, 90, cell))
        for at, (match, header, cell) in enumerate(columns)
    ]
    lacking = [WordsWithoutMember("devicePlatform", tuple(words), ("iOS",))] if words else []
    needed = [Undeclared("timezone", "UTC", word) for word in words]

    table = table_of(given_columns, missing=("serverUrl", "userDisplayName"), words=lacking, undeclared=needed)
    text = mapping_yaml([table])

    sure = {
        f"name{at}": [header] for at, (match, header, _) in enumerate(columns) if match in {Match.SYNONYM, Match.EXACT}
    }
    doubtful = {f"name{at}": [header] for at, (match, header, _) in enumerate(columns) if match is Match.DOUBTFUL}
    assert yaml.safe_load(text) == ({"columns": sure} if sure else None)
    assert yaml.safe_load(uncommented(text)).get("columns", {}) == sure | doubtful


def test_what_is_printed_fits_a_terminal(tmp_path: Path) -> None:
    """A person reads how the file was read, each column with samples, what is missing, and the lines to paste."""
    table = foreign(tmp_path)
    lines = shown(table).splitlines()

    assert lines[1:9] == [
        "  4 rows below the header in row 1; utf-8, cells separated by commas",
        "",
        'A   "Device Name" means deviceDisplayName',
        "    such as PC-0001 | PC-0002 | PC-0003",
        'B   "OS" means devicePlatform',
        "    such as Windows 11 | Windows | iPad",
        'C   "Serial Number" perhaps certificateSerialNumber: no cell that was looked at',
        "    is a serial number in digits",
    ]
    assert 'F   "Email consent" is not sent' in lines
    at = lines.index("For config.yaml")
    assert lines[at + 1 :] == mapping_yaml([table]).splitlines()
    assert max(map(len, lines[1:at])) < 80


def test_a_files_texts_steer_no_terminal(tmp_path: Path) -> None:
    """Control characters in headers and cells are printed as escapes."""
    path = tmp_path / "hostile.csv"
    path.write_text('"Device\x1b[2J Name","OS\nx"\n"\x1b]0;x\x07",\u202eiOS\n', "utf-8")

    text = shown(*inspected(path))

    assert {each for each in text if not each.isprintable()} == {"\n"}
    assert "\\x1b]0;x\\x07" in text


def test_signs_that_the_terminal_lacks_are_escaped_in_yaml() -> None:
    """What is copied from a terminal of another encoding means the same headers."""
    column = InspectedColumn("A", "Größe 💻", (), ColumnProposal(0, "Größe 💻", "certificateKeyLength", Match.SYNONYM))

    text = shown(table_of([column]), encoding="ascii")

    assert yaml.safe_load(text.split("For config.yaml\n")[1]) == {"columns": {"certificateKeyLength": ["Größe 💻"]}}


def test_the_document_says_the_same(tmp_path: Path) -> None:
    """`--output json` gets one document with every table."""
    table = foreign(tmp_path)

    document = json.loads(inspection_document([table], [Refused(Path("x.csv"), "no")]).model_dump_json())

    (told,) = document["tables"]
    assert told.pop("columns")[2:4] == [
        {
            "letter": "C",
            "header": "Serial Number",
            "samples": ["C02XK0AAJG5H", "C02XK0AAJG5J", "C02XK0AAJG5K"],
            "property": "certificateSerialNumber",
            "match": "doubtful",
            "score": None,
            "reason": "no cell that was looked at is a serial number in digits",
        },
        {
            "letter": "D",
            "header": "Thumprint",
            "samples": [f"AFC60102030405060708090A0B0C0D0E0F10111{last}" for last in (2, 3, 4)],
            "property": "certificateThumbprint",
            "match": "doubtful",
            "score": 95,
            "reason": "the header is only alike",
        },
    ]
    assert told == {
        "file": str(tmp_path / "inventory.csv"),
        "sheet": None,
        "hidden": False,
        "encoding": "utf-8",
        "delimiter": ",",
        "header_row": 1,
        "rows_estimate": 4,
        "preset": None,
        "preset_chosen": False,
        "preset_without_headers": None,
        "findings": [],
        "missing": list(table.missing),
        "words": [
            {
                "property": "devicePlatform",
                "words": ["Windows", "Fridge"],
                "members": list(DEVICE_PLATFORM_1706.members),
            }
        ],
        "undeclared": [
            {
                "key": "timezone",
                "choices": "the zone of whoever wrote the dates, such as Europe/Berlin or UTC",
                "cell": "23.11.2026",
                "header": None,
            }
        ],
    }
    assert (document["refused"], document["yaml"]) == ([{"file": "x.csv", "message": "no"}], mapping_yaml([table]))


@pytest.mark.parametrize("output", Output)
def test_several_files_are_one_answer(output: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The files are told in their order, as text or as one document."""
    paths = [write_csv(tmp_path / name, [cells_of(1)], HEADER) for name in ("first.csv", "second.csv")]
    chosen = Globals(None, output, has_color=False, is_verbose=False)

    inspect_files(chosen, paths, Settings(), LoadOptions(), None)

    text = capsys.readouterr().out
    if output is Output.JSON:
        assert [each["file"] for each in json.loads(text)["tables"]] == [str(path) for path in paths]
    else:
        assert [line for line in text.splitlines() if line.endswith(".csv")] == [str(path) for path in paths]
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".csv"] == []


@pytest.mark.parametrize("output", Output)
def test_a_bad_file_does_not_keep_the_others_from_being_told(
    output: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusals stand on stderr, and in the document, and the exit code is 2."""
    paths = [tmp_path / "absent.csv", write_csv(tmp_path / "good.csv", [cells_of(1)], HEADER), tmp_path / "empty.csv"]
    paths[2].write_bytes(b"")
    chosen = Globals(None, output, has_color=False, is_verbose=False)

    with pytest.raises(typer.Exit) as ended:
        inspect_files(chosen, paths, Settings(), LoadOptions(), None)

    printed = capsys.readouterr()
    messages = [
        f"{paths[0]} does not exist: check the name and the directory.",
        f"{paths[2]} is empty (0 bytes): export it again.",
    ]
    assert (ended.value.exit_code, printed.err.splitlines()) == (2, [f"certstate: {each}" for each in messages])
    if output is Output.JSON:
        document = json.loads(printed.out)
        assert [each["file"] for each in document["tables"]] == [str(paths[1])]
        assert document["refused"] == [
            {"file": str(path), "message": message}
            for path, message in zip((paths[0], paths[2]), messages, strict=True)
        ]
    else:
        assert printed.out.splitlines()[0] == str(paths[1])


def test_certificate_files_are_listed_briefly(tmp_path: Path) -> None:
    """Each file is a line with its subject's name or its number of certificates; columns and block stand once."""
    one, two = (pem_of(built(subject=f"CN=PC-{number}", serial_number=number + 300)) for number in (1, 2))
    for name, text in (("one.pem", one), ("two.pem", two), ("both.pem", one + two)):
        (tmp_path / name).write_text(text, "utf-8")
    tables = [table for name in ("one.pem", "two.pem", "both.pem") for table in inspected(tmp_path / name)]

    lines = shown(*tables).splitlines()

    assert lines[:6] == [
        "3 certificate files",
        f"  {tmp_path / 'one.pem'}: PC-1",
        f"  {tmp_path / 'two.pem'}: PC-2",
        f"  {tmp_path / 'both.pem'}: 2 certificates",
        "",
        'A   "certificate" is certificate',
    ]
    assert [line for line in lines if line.startswith("D   ")] == ['D   "subject common name" is not sent']
    assert "    such as PC-1 | PC-2" in lines
    assert lines.count("For config.yaml") == 1
    assert '#   deviceDisplayName: ...  ## such as "{subject common name}"' in lines


def test_doubtful_date_columns_say_what_they_need(tmp_path: Path) -> None:
    """A header in another language with nothing but dates needs no second round once it is mapped."""
    table = inspected_text(tmp_path, "Ablauf,Zuletzt\n03/04/2027 10:00,2026-01-02T10:00:00Z\n")

    assert [(each.key, each.choices, each.header) for each in table.undeclared] == [
        ("date_order", "dmy or mdy", "Ablauf"),
        ("timezone", "the zone of whoever wrote the dates, such as Europe/Berlin or UTC", "Ablauf"),
    ]
    assert (
        '# date_order: ...  ## dmy or mdy; for cells such as "03/04/2027 10:00" in "Ablauf", once it is mapped'
        in mapping_yaml([table]).splitlines()
    )
    assert 'Declare   date_order: dmy or mdy ("03/04/2027 10:00" in "Ablauf", once that is\n' in shown(table)


def test_what_dates_and_serial_numbers_need_is_proposed(tmp_path: Path) -> None:
    """Dates of two readings, bare numbers, times without a zone and digits of two readings name the key and a cell."""
    path = tmp_path / "inventory.csv"
    path.write_text(
        "devicePlatform,certificateExpirationDateTime,lastCertificateStateChangeDateTime,certificateSerialNumber\n"
        "iOS,03/04/2027 10:00,1795423753,4711\n"
        "iOS,23/04/2027 10:00,1795423754,4712\n",
        "utf-8",
    )

    (table,) = inspect_file(path, Settings(), LoadOptions())

    assert table.undeclared == (
        Undeclared("date_order", "dmy", "03/04/2027 10:00"),
        Undeclared("date_number", "excel-1900 or excel-1904 or epoch-seconds or epoch-milliseconds", "1795423753"),
        Undeclared("timezone", "the zone of whoever wrote the dates, such as Europe/Berlin or UTC", "03/04/2027 10:00"),
        Undeclared("serial", "hex or decimal", "4711"),
    )


def test_what_is_declared_is_not_proposed_again(tmp_path: Path) -> None:
    """With the keys in config.yaml nothing is left to declare."""
    path = tmp_path / "inventory.csv"
    path.write_text(
        "devicePlatform,certificateExpirationDateTime,certificateSerialNumber\niOS,03/04/2027 10:00,4711\n", "utf-8"
    )
    settings = Settings(date_order="mdy", timezone="UTC", serial="hex")

    (table,) = inspect_file(path, settings, LoadOptions())

    assert table.undeclared == ()
