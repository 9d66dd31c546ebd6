"""Look the pinned packages up in PyPI's list of known vulnerabilities, with pip-audit.

Exit code 1 is a known vulnerability. Where nobody can be asked, as without a connection or behind a mirror that serves
files only, one line says so and the exit code is 0: a machine without a connection can still check everything else.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
TIMEOUT_S = 15


class Audited(NamedTuple):
    """What is printed, and the exit code."""

    lines: tuple[str, ...]
    exit_code: int


def judge(report: str) -> Audited | None:
    """Return what pip-audit's JSON report says, or None when it says nothing about any package. Does no I/O."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    asked = [each for each in packages if "skip_reason" not in each]
    if not asked:
        return None
    lines = [
        f"{each['name']} {each['version']} has the known vulnerability {found['id']}; "
        + (f"use {' or '.join(found['fix_versions'])}" if found["fix_versions"] else "no version mends it yet")
        for each in asked
        for found in each["vulns"]
    ]
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    told = [f"not in the list of vulnerabilities, so not audited: {', '.join(unknown)}"] if unknown else []
    return Audited((*lines, *told, f"audited: {len(asked)} packages"), 1 if lines else 0)


def audit(pins: Sequence[str]) -> Audited | None:
    """Return what is known of the pinned packages, None when the service cannot be asked. Asks it over the network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pins.txt"
        path.write_text("\n".join(pins), "utf-8")
        options = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")
        ended = subprocess.run(
            [sys.executable, "-m", "pip_audit", "-r", str(path), *options, "--timeout", str(TIMEOUT_S)],
            capture_output=True,
            check=False,
            encoding="utf-8",
        )
    return judge(ended.stdout)


def main() -> int:
    """Audit, print the outcome, and return the exit code."""
    pins = [line for line in CONSTRAINTS.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    # One package first, so that a machine that cannot ask does not try for all of them.
    audited = audit(pins[:1]) and audit(pins)
    if audited is None:
        audited = Audited(("audit skipped: the list of known vulnerabilities cannot be asked from here",), 0)
    print("\n".join(audited.lines))
    return audited.exit_code


if __name__ == "__main__":
    sys.exit(main())
