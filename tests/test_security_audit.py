"""What `make audit` makes of pip-audit's report: a vulnerability fails, a machine that cannot ask does not."""

import importlib.util
import json
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[1] / ".ci" / "audit.py"
SPEC = importlib.util.spec_from_file_location("audit", AUDIT)
assert SPEC is not None
assert SPEC.loader is not None
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

CLEAN = {"name": "httpx", "version": "0.28.1", "vulns": []}
SKIPPED = {"name": "pydantic", "skip_reason": "Dependency not found on PyPI and could not be audited: pydantic (2.14)"}


def report(*packages: object) -> str:
    """Return a report as pip-audit 2.10 writes it."""
    return json.dumps({"dependencies": packages, "fixes": []})


def test_packages_without_a_vulnerability_pass() -> None:
    """What the list does not know is named, and does not fail."""
    assert audit.judge(report(CLEAN)) == (("audited: 1 packages",), 0)
    assert audit.judge(report(CLEAN, SKIPPED)) == (
        ("not in the list of vulnerabilities, so not audited: pydantic", "audited: 1 packages"),
        0,
    )


@pytest.mark.parametrize(
    ("fixes", "cure"), [(["0.28.2", "0.29.0"], "use 0.28.2 or 0.29.0"), ([], "no version mends it yet")]
)
def test_a_known_vulnerability_fails(fixes: list[str], cure: str) -> None:
    """Each is one line with package, version, id and cure."""
    found = {"id": "PYSEC-2026-1", "fix_versions": fixes, "aliases": ["CVE-2026-1"], "description": "..."}

    assert audit.judge(report(SKIPPED, {**CLEAN, "vulns": [found]})) == (
        (
            f"httpx 0.28.1 has the known vulnerability PYSEC-2026-1; {cure}",
            "not in the list of vulnerabilities, so not audited: pydantic",
            "audited: 1 packages",
        ),
        1,
    )


@pytest.mark.parametrize("text", ["", "no connection", "[]", "{}", report(), report(SKIPPED, SKIPPED)])
def test_no_answer_is_no_verdict(text: str) -> None:
    """Neither a connection that failed nor a mirror that knows of no package at all."""
    assert audit.judge(text) is None
