"""The documents cannot drift: what README.md says of the code is compared with the code."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from doc_blocks import BLOCKS

from pipeline.config import config_keys, load_settings
from pipeline.errors import EXIT_CODE_MEANINGS, ExitCode
from pipeline.findings import CATALOGUE, Code

ROOT = Path(__file__).parents[1]
PLACES = [(document, block) for document, blocks in BLOCKS.items() for block in blocks]


@pytest.mark.parametrize(("document", "block"), PLACES, ids=lambda each: getattr(each, "__name__", each))
def test_a_document_says_what_the_code_says(document: str, block: Callable[[], str]) -> None:
    """Help, columns, keys, presets, rules, finding codes and exit codes stand in the documents as the code has them."""
    assert block() in (ROOT / document).read_text("utf-8")


def test_every_code_has_its_line_in_the_catalogue() -> None:
    """No finding and no exit code is without an explanation."""
    assert set(CATALOGUE) == set(Code)
    assert set(EXIT_CODE_MEANINGS) == set(ExitCode)


def test_the_shipped_configuration_names_every_key() -> None:
    """config.yaml shows each key, commented out where it would change values."""
    text = (ROOT / "config.yaml").read_text("utf-8")
    last_names = {re.split(r"\.|\[\]\.", key.name)[-1] for key in config_keys()}

    assert {name for name in last_names if not re.search(rf"\b{name}:", text)} == set()


@pytest.mark.parametrize("path", ["config.yaml", "sample_data/config.yaml"])
def test_the_shipped_configurations_are_valid(path: str) -> None:
    """What comes with the project loads without a problem."""
    settings = load_settings(ROOT / path, None, {})

    assert settings.edition == str(yaml.safe_load((ROOT / path).read_text("utf-8"))["edition"])


@pytest.mark.parametrize(
    "name",
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md"))],
)
def test_links_between_the_documents_lead_somewhere(name: str) -> None:
    """Each relative link names a file of the project."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / name).read_text("utf-8"))

    assert [target for target in targets if not (ROOT / name).parent.joinpath(target).exists()] == []
