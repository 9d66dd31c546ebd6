"""Small files with one trap each, in all formats and encodings: what becomes of their rows, whole values compared."""

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from corpus.case import Case, Found, Place
from corpus.cases import CASES
from corpus.table import corpus
from import_cases import Site, report_of, totals_of

from pipeline.columns import count_known_columns
from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, Severity, text_after
from pipeline.ingest import columns_of, judge_rows, rules_of
from pipeline.load import LoadOptions, open_tables
from pipeline.presets import PRESETS
from pipeline.run import Finished

FILES = Path(__file__).parent / "corpus" / "files"
DOCUMENT = Path(__file__).parents[1] / "docs" / "corpus.md"

READ = [case for case in CASES if not case.refused]
REFUSED = [case for case in CASES if case.refused]


def file_name(case: Case) -> str:
    return case.file


class Outcome(NamedTuple):
    """What became of a file."""

    tables: list[tuple[str | None, int, str, str]]  # sheet, header row, encoding, delimiter
    bodies: dict[Place, dict[str, Any]]  # of all rows that could be sent
    states: dict[Place, str]  # of the others
    totals: dict[str, int]
    findings: list[tuple[Found, str]]  # with their messages


def options_of(case: Case) -> dict[str, Any]:
    """Return how the case wants the file to be read, as `Site` takes it."""
    load = LoadOptions(sheets=case.sheets, encoding=case.encoding, delimiter=case.delimiter, header_row=case.header_row)
    return {"load": load, "preset": PRESETS.get(case.preset), "repairs": case.repairs}


def outcome_of(case: Case, folder: Path) -> Outcome:
    site = Site(folder, config=case.whole_config)
    options = options_of(case)
    finished = site.validated(FILES / case.file, **options)
    report = report_of(finished)
    is_one_table = len(case.tables) == 1
    findings = [found_in(each, is_one_table=is_one_table) for each in report["findings"]]
    states = errors_of(finished, is_one_table=is_one_table)
    states |= {found.place: "duplicate" for found, _ in findings if found.code == Code.DUPLICATE}
    tables, bodies = judged(case, site, options)
    return Outcome(tables, bodies, states, totals_of(finished), findings)


def judged(
    case: Case, site: Site, options: dict[str, Any]
) -> tuple[list[tuple[str | None, int, str, str]], dict[Place, dict[str, Any]]]:
    """Return the tables of the file, and the body of each row that can be sent."""
    rules = rules_of(site.job().settings, is_strict=False, preset=options["preset"], repairs=case.repairs)
    known = partial(count_known_columns, edition=rules.edition, aliases=rules.aliases, templates=rules.templates)
    load: LoadOptions = options["load"]
    tables, bodies = [], {}
    for table in open_tables(FILES / case.file, LoadOptions(*load_fields(load), known_columns=known)):
        tables.append((table.sheet, table.header_row_number, table.encoding, table.delimiter))
        columns = columns_of(table, rules)
        for chunk in table.chunks if columns else ():
            assert columns is not None
            for row in judge_rows(chunk.rows, columns, rules):
                if row.request:
                    place = row.row_number if len(case.tables) == 1 else (str(table.sheet), row.row_number)
                    bodies[place] = json.loads(row.request.body)
    return tables, bodies


def load_fields(load: LoadOptions) -> tuple[tuple[str, ...], str | None, str | None, int | None]:
    return load.sheets, load.encoding, load.delimiter, load.header_row


def found_in(entry: dict[str, Any], *, is_one_table: bool) -> tuple[Found, str]:
    """Return a finding of report.json as cases write it, and its message."""
    found = Finding(
        Code(entry["code"]), Severity(entry["severity"]), *(entry[each] or "" for each in Finding._fields[2:])
    )
    becomes = text_after(found)
    place = entry["row"]
    if not is_one_table:
        place = entry["sheet"] if place is None else (entry["sheet"], place)
    was = None if becomes is None else found.value
    return Found(place, found.code.value, found.severity.value, found.column, was, becomes), found.message


def errors_of(finished: Finished, *, is_one_table: bool) -> dict[Place, str]:
    """Return the state of each row of errors.csv."""
    with (finished.folder / "errors.csv").open(encoding="utf-8-sig", newline="") as file:
        delimiter = ";" if ";_import_" in file.readline() else ","
        file.seek(0)
        rows = list(csv.DictReader(file, delimiter=delimiter))
    states: dict[Place, str] = {}
    for row in rows:
        number = int(row["_import_row"])
        states[number if is_one_table else (row["_import_sheet"], number)] = row["_import_status"]
    return states


def in_order(found: Found) -> str:
    return repr(found)


@pytest.mark.parametrize("case", READ, ids=file_name)
def test_a_file_becomes_what_its_case_says(case: Case, tmp_path: Path) -> None:
    """Encoding, delimiter, header, states, whole bodies and all findings are those of the case."""
    outcome = outcome_of(case, tmp_path)

    assert outcome.tables == [(*table, case.read_as, case.split_at) for table in case.tables]
    assert sorted((found for found, _ in outcome.findings), key=in_order) == sorted(
        (found._replace(says="") for found in case.found), key=in_order
    )
    unsaid = [
        found
        for found in case.found
        if not any(found._replace(says="") == told and found.says in message for told, message in outcome.findings)
    ]
    assert unsaid == []
    groups = {"invalid": case.invalid, "duplicate": case.duplicate, "conflicting": case.conflicting}
    assert outcome.states == {place: state for state, places in groups.items() for place in places}
    sent = {place: body for place, body in outcome.bodies.items() if place not in outcome.states}
    assert sent == case.valid
    rows = {state: len(places) for state, places in groups.items()} | {"valid": len(case.valid), "blank": case.blank}
    assert outcome.totals == {state: count for state, count in rows.items() if count}


@pytest.mark.parametrize("case", REFUSED, ids=file_name)
def test_a_file_that_is_no_inventory_is_refused_in_one_sentence(case: Case, tmp_path: Path) -> None:
    """The sentence names the file and what is wrong with it, and no run is left behind."""
    with pytest.raises(SourceError) as caught:
        Site(tmp_path, config=case.whole_config).validated(FILES / case.file, **options_of(case))

    assert case.refused in str(caught.value).replace("\n", " ")
    assert str(FILES / case.file) in str(caught.value)
    assert not case.secret or case.secret not in str(caught.value)
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.parametrize("case", [case for case in READ if case.secret], ids=file_name)
def test_no_report_holds_a_private_key(case: Case, tmp_path: Path) -> None:
    """What stands in a file beside a certificate is in no file that a run leaves behind."""
    finished = Site(tmp_path, config=case.whole_config).validated(FILES / case.file, **options_of(case))
    reports = [path for path in finished.folder.rglob("*") if path.is_file()]

    assert reports
    assert [path.name for path in reports if case.secret.encode() in path.read_bytes()] == []
    assert case.secret.encode() in (FILES / case.file).read_bytes()


def test_the_files_are_those_that_the_cases_make() -> None:
    """Each file is byte for byte what make.py writes, and there is no other."""
    made = {case.file: case.content() for case in CASES}

    assert len(made) == len(CASES)
    assert {path.name: path.read_bytes() for path in FILES.iterdir()} == made


def test_the_document_is_made_of_the_cases() -> None:
    """docs/corpus.md is what make.py writes."""
    assert DOCUMENT.read_text("utf-8") == corpus()


def test_every_format_is_there() -> None:
    """At least one file of each ending that is read comes whole out of it."""
    endings = {Path(case.file).suffix for case in READ if case.valid}

    assert endings == {*([".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".pem", ".cer", ".p7b"])}
