"""An example of each finding code, from really reading files: a block of docs/findings.md."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from corpus.cases import CASES
from import_cases import Site, cells_of, report_of

from pipeline.columns import count_known_columns
from pipeline.findings import CATALOGUE, Code, Finding, text_after
from pipeline.ingest import columns_of, judge_rows, rules_of
from pipeline.load import LoadOptions, open_tables
from pipeline.presets import PRESETS
from pipeline.quoting import one_line

CORPUS = Path(__file__).parent / "corpus" / "files"

CURRENT = "edition: current\nprofiles: [{platform: windows10AndLater, id: 00000001-0000-4000-8000-000000000000}]\n"

OWN = {
    Code.UNKNOWN_MEMBER: (cells_of(1, devicePlatform="abacus"), None),
    Code.NOT_AN_INTEGER: (cells_of(1, certificateKeyLength="RSA"), None),
    Code.VALUE_TOO_LONG: (cells_of(1, userDisplayName="x" * 32_768), None),
    Code.NOT_A_GUID: (cells_of(1) | {"deviceConfigurationId": "Corp SCEP"}, None),
    Code.NO_PROFILE: (cells_of(1), CURRENT),
    Code.NO_ROUTE: (cells_of(1, devicePlatform="windows10AndLater") | {"profileType": "pkcs"}, CURRENT),
    Code.UNKNOWN_PROFILE_TYPE: (cells_of(1, devicePlatform="windows10AndLater") | {"profileType": "S/MIME"}, CURRENT),
}
"""Rows, each with the config.yaml that it needs, for codes of which the corpus has no file, or none that is simple."""


class Told(NamedTuple):
    """A finding with its row, None for a whole file."""

    row_number: int | None
    found: Finding


def examples() -> str:
    """Return for each code one finding as reports tell it, from really reading a file. Several seconds.

    `changed`, `rejected-before`, `spreadsheet-damage` and the like have none: they are no matter of one file.
    """
    lines = ["| code | where | value | message |", "|---|---|---|---|"]
    with TemporaryDirectory() as folder:
        for code in CATALOGUE:
            told = _told(code, Path(folder))
            if told:
                found = told.found
                row = f"row {told.row_number}" if told.row_number else "whole file"
                where = f"{row}, {found.column}" if found.column else row
                message = found.message.replace(f"{CORPUS}/", "").replace(f"{CORPUS}\\", "")
                value = found.value if text_after(found) is None else ""  # else it stands in the message
                lines.append(f"| `{code}` | {_cell(where)} | {_cell(value)} | {_cell(message)} |")
    return "\n".join(lines)


def _told(code: Code, folder: Path) -> Told | None:
    if code in OWN:
        row, config = OWN[code]
        site = Site(folder) if config is None else Site(folder, config)
        return next(
            each for each in _judged(site, site.write("a.csv", [row]), LoadOptions()) if each.found.code == code
        )
    cases = [case for case in CASES if not case.refused and any(each.code == code for each in case.found)]
    if not cases:
        return None
    case = min(cases, key=lambda each: len(each.found))
    load = LoadOptions(sheets=case.sheets, encoding=case.encoding, delimiter=case.delimiter, header_row=case.header_row)
    site, path = Site(folder, config=case.whole_config), CORPUS / case.file
    for each in _judged(site, path, load, preset=case.preset, repairs=case.repairs):
        if each.found.code == code:
            return each
    # What takes all rows of a call together is told by a run only.
    finished = site.validated(path, load=load, preset=PRESETS.get(case.preset), repairs=case.repairs)
    for entry in report_of(finished)["findings"]:
        if entry["code"] == code:
            return Told(
                entry["row"], Finding(code, entry["severity"], *(entry[each] or "" for each in Finding._fields[2:]))
            )
    raise AssertionError(code)


def _judged(site: Site, path: Path, load: LoadOptions, *, preset: str = "", repairs: bool = True) -> Iterator[Told]:
    """Yield what is found in the file itself, first about the whole of it: no ledger, and so a tenth of the time."""
    rules = rules_of(site.job().settings, is_strict=False, preset=PRESETS.get(preset), repairs=repairs)
    known = partial(count_known_columns, edition=rules.edition, aliases=rules.aliases, templates=rules.templates)
    options = LoadOptions(load.sheets, load.encoding, load.delimiter, load.header_row, known)
    for table in open_tables(path, options):
        columns = columns_of(table, rules)
        if columns is None:
            continue
        yield from (Told(None, each) for each in columns.findings)
        for chunk in table.chunks:
            for row in judge_rows(chunk.rows, columns, rules):
                yield from (Told(row.row_number, each) for each in row.findings)


def _cell(text: str) -> str:
    """Return the text for a cell of a Markdown table: on one line, shortened, and none of it markup."""
    shown = one_line(text)
    shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
    return re.sub(r"([\\`*_|<\[\]])", r"\\\1", shown)
