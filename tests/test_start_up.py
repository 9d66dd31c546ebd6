"""What the program imports before it knows that it has work to do: `--help` and `--version` answer at once."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("aiohttp", "asyncio", "azure", "calamine", "cryptography", "httpx", "jinja2", "numpy", "openpyxl", "pandas"),
    *("pydantic", "pydantic_core", "python_calamine", "rich", "sqlalchemy", "structlog", "tenacity", "yaml"),
}
"""Packages that only a verb needs. Each takes longer to import than all that `--help` does."""

CALL = """
import json, sys
from pipeline.cli import main

def call(*words):
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code, (words, ended.code)

def help_of(command, *words):
    call(*words, "--help")
    for name, below in getattr(command, "commands", {}).items():
        help_of(below, *words, name)
    called.append(words)

called = []
{what}
packages = sorted({each.partition(".")[0] for each in sys.modules})
print(json.dumps([len(called), packages]), file=sys.stderr)
"""

HELP_OF_ALL = "import typer; from pipeline.cli.app import VERBS, app; help_of(typer.main.get_command(app))"


def called(what: str) -> tuple[str, int, set[str]]:
    """Run the code in a process of its own; return what it showed, its calls, and the packages it imported."""
    command = [sys.executable, "-c", CALL.replace("{what}", what)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    calls, packages = json.loads(ended.stderr.splitlines()[-1])
    return ended.stdout, calls, set(packages)


@pytest.mark.parametrize(("word", "shown"), [("--version", "certstate "), ("--help", "validate"), ("-h", "validate")])
def test_the_program_tells_about_itself_without_its_libraries(word: str, shown: str) -> None:
    """None of the libraries that read files, keep the ledger or talk to the service is imported."""
    text, _, packages = called(f"call({word!r})")

    assert shown in text
    assert packages & HEAVY == set()
    assert {"pipeline", "typer"} <= packages


def test_each_verb_tells_about_itself_without_its_libraries() -> None:
    """The help of a verb needs its options only, that of a verb below another verb too."""
    text, calls, packages = called(HELP_OF_ALL)

    assert packages & HEAVY == set()
    assert calls == text.count("Usage: certstate")
    assert "Usage: certstate ledger check" in text
