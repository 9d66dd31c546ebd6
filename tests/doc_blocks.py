"""The parts of the documents that follow from the code. `python tests/doc_blocks.py` prints them all."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from finding_examples import examples

from pipeline.cli.documents import write_schemas
from pipeline.config import config_keys
from pipeline.editions import EDITION_CURRENT, EDITIONS, EnumType
from pipeline.errors import EXIT_CODE_MEANINGS
from pipeline.findings import CATALOGUE, DECLARED, REPAIRS, Code
from pipeline.presets import PRESETS
from pipeline.simulator import FaultRates


def _help(*verb: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "pipeline", *verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80", "TERMINAL_WIDTH": "80", "NO_COLOR": "1"},
    )
    return shown.stdout.rstrip()


def help() -> str:  # noqa: A001 - the block's name in README.md
    """Return what `certstate --help` prints."""
    return _help()


def help_import() -> str:
    """Return what `certstate import --help` prints."""
    return _help("import")


def properties() -> str:
    """Return the table of properties: type, and in which edition it is required or optional."""
    names = dict.fromkeys(each.name for edition in EDITIONS.values() for each in edition.properties)
    lines = ["| column | type | 1706 | current |", "|---|---|---|---|"]
    for name in names:
        kinds = []
        type_text = ""
        for edition in EDITIONS.values():
            prop = next((each for each in edition.properties if each.name == name), None)
            if prop is None:
                kinds.append("-")
                continue
            kinds.append("required" if name in edition.required else "optional")
            if not isinstance(prop.type, EnumType):
                type_text = prop.type.removeprefix("Edm.")
            else:
                type_text = ", ".join(f"`{member}`" for member in prop.type.members)
                type_text += "; several joined by a comma" if prop.type.is_flags else ""
        lines.append(f"| `{name}` | {type_text} | {' | '.join(kinds)} |")
    return "\n".join(lines)


def profile_types() -> str:
    """Return the profile types of edition `current`."""
    return ", ".join(f"`{each}`" for each in EDITION_CURRENT.profile_types)


def faults() -> str:
    """Return the faults that the simulator can be told a rate of."""
    names = [f"`{each.name}`" for each in fields(FaultRates)]
    return textwrap.fill(", ".join(names), 117, subsequent_indent="   ")


def keys() -> str:
    """Return the table of configuration keys."""
    lines = ["| key | meaning |", "|---|---|"]
    return "\n".join(lines + [f"| `{each.name}` | {each.meaning} |" for each in config_keys()])


def codes() -> str:
    """Return the table of finding codes."""
    lines = ["| code | severity | meaning | what to do |", "|---|---|---|---|"]
    return "\n".join(
        lines + [f"| `{code}` | {each.severity} | {each.meaning} | {each.hint} |" for code, each in CATALOGUE.items()]
    )


def exits() -> str:
    """Return the table of exit codes."""
    lines = ["| code | meaning |", "|---|---|"]
    return "\n".join(lines + [f"| {int(code)} | {meaning} |" for code, meaning in EXIT_CODE_MEANINGS.items()])


def help_inspect() -> str:
    """Return what `certstate inspect --help` prints."""
    return _help("inspect")


def presets() -> str:
    """Return the table of presets: which header stands for which property, and what the source never has."""
    lines = ["| preset | files | headers | what config.yaml must still say (1706) |", "|---|---|---|---|"]
    for preset in PRESETS.values():
        headers = "; ".join(f"{' or '.join(each)} -> `{name}`" for name, each in preset.columns)
        needs = ", ".join(f"`{name}`" for name in preset.needs_for(EDITIONS["1706"]))
        title = preset.title.replace("|", "\\|")
        lines.append(f"| `{preset.name}` | `{title}` | {headers} | {needs} |")
    return "\n".join(lines)


def _rules(codes: Iterable[Code]) -> str:
    lines = ["| rule | severity | what it does |", "|---|---|---|"]
    named = [(code, each) for code, each in CATALOGUE.items() if code in codes]
    return "\n".join(lines + [f"| `{code}` | {each.severity} | {each.meaning} |" for code, each in named])


def declared_rules() -> str:
    """Return the table of the rules that are always done."""
    return _rules(DECLARED)


def repairs() -> str:
    """Return the table of the rules that `--no-repair` turns off."""
    return _rules(REPAIRS - DECLARED)


BLOCKS = {
    "README.md": (faults, help, help_import, properties, profile_types, keys, exits),
    "docs/findings.md": (codes, examples),
    "docs/reading.md": (help_inspect, presets, declared_rules, repairs),
}
"""Document -> the blocks that stand in it."""

if __name__ == "__main__":
    write_schemas(Path(__file__).parents[1] / "docs" / "schemas")
    for document, blocks in BLOCKS.items():
        for block in blocks:
            print(f"\n## {document}: {block.__name__}\n\n{block()}")
