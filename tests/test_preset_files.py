"""A file of each preset the whole way: inspect proposes the preset, and with it the rows are valid."""

import json
from pathlib import Path

import pytest
from import_cases import Site, report_of, totals_of
from preset_cases import PRESET_CASES, PresetCase

from pipeline.ingest import columns_of, judge_rows, rules_of
from pipeline.load import LoadOptions, open_tables
from pipeline.presets import PRESETS

EDITION_NAMES = ("1706", "current")


@pytest.mark.parametrize("edition", EDITION_NAMES)
@pytest.mark.parametrize("case", PRESET_CASES, ids=lambda case: str(case.name))
def test_an_export_is_valid_with_its_preset(case: PresetCase, edition: str, tmp_path: Path) -> None:
    """What the source lacks stands in config.yaml; then every row can be sent, with nothing but info told."""
    path = tmp_path / case.file_name
    path.write_bytes(case.content)

    finished = Site(tmp_path, config=case.config(edition)).validated(path, preset=PRESETS[case.preset])

    assert totals_of(finished) == {"valid": case.rows}
    assert {each["severity"] for each in report_of(finished)["causes"]} <= {"info"}


@pytest.mark.parametrize("edition", EDITION_NAMES)
@pytest.mark.parametrize("case", PRESET_CASES, ids=lambda case: str(case.name))
def test_the_first_row_means_what_the_file_says(case: PresetCase, edition: str, tmp_path: Path) -> None:
    """Each property comes from the column that holds it, in the API's form."""
    path = tmp_path / case.file_name
    path.write_bytes(case.content)
    settings = Site(tmp_path, config=case.config(edition)).job().settings
    rules = rules_of(settings, is_strict=False, preset=PRESETS[case.preset])
    (table,) = open_tables(path, LoadOptions())
    columns = columns_of(table, rules)
    assert columns is not None

    first, *_ = judge_rows(next(table.chunks).rows, columns, rules)

    assert first.request is not None
    body = json.loads(first.request.body)
    # A test case tells the values of both editions' properties.
    expected = {
        name: value for name, value in case.first_row.items() if name in {p.name for p in rules.edition.properties}
    }
    assert expected
    assert {name: body.get(name) for name in expected} == expected


def test_every_preset_is_shown() -> None:
    """No preset comes without a file that it reads."""
    assert {case.preset for case in PRESET_CASES} == set(PRESETS)
