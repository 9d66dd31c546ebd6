"""A long import under faults: does memory stay flat, do open files stay few? `python benchmarks/soak.py --rows 20000`.

A real `certstate import` runs against a simulated tenant in this process that loses answers, refuses and drops
connections at a quota far above Intune's. Once a second its memory and its open files are read from /proc (Linux).
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from chaos import check_created, prepared, start, unknown_and_adopted

from pipeline import __version__
from pipeline.simulator import FaultRates, SimulatorSettings

FAULTS = FaultRates(error_503=0.002, error_504_after=0.005, drop_after=0.003, drop_before=0.003, throttle_429=0.01)
WINDOW = 10
"""Samples at the beginning and at the end that are compared."""


class Sample(NamedTuple):
    """The process at one moment."""

    at_s: float
    created: int
    resident_mb: float
    files: int


def sample_of(pid: int, at_s: float, created: int) -> Sample | None:
    """Return the process's resident memory and open files, or None when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return None
    return Sample(round(at_s, 1), created, round(pages * 4096 / 1e6, 1), files)


def main() -> int:
    """Import, sample, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    settings = SimulatorSettings(
        quota=100_000, tenant_quota=100_000, window_s=1.0, read_quota=100_000, page_size=1_000, faults=FAULTS, seed=1
    )
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with prepared(folder, settings, rows=asked.rows, send="settle_s: 5, timeout_s: 5, concurrency: 16") as tenant:
            began = time.monotonic()
            process = start(folder, ["import", "inventory.csv"], token="soak")  # noqa: S106 - no secret
            samples: list[Sample] = []
            while True:
                try:
                    stdout, stderr = process.communicate(timeout=1.0)
                    break
                except subprocess.TimeoutExpired:
                    found = sample_of(process.pid, time.monotonic() - began, tenant.state().created)
                    samples += [found] if found else []
            check_created(folder, tenant, asked.rows)
            state = tenant.state()
            unknown, adopted = unknown_and_adopted(folder)
    sending = [each for each in samples if each.created > 0]
    first, last = sending[:WINDOW], sending[-WINDOW:]
    figures = {
        "rows": asked.rows,
        "seconds": round(time.monotonic() - began, 1),
        "exit_code": process.returncode,
        "writes": state.writes,
        "refused": state.refused,
        "unknown": unknown,
        "adopted": adopted,
        "resident_mb_first": median(each.resident_mb for each in first),
        "resident_mb_last": median(each.resident_mb for each in last),
        "resident_mb_most": max(each.resident_mb for each in sending),
        "files_first": median(each.files for each in first),
        "files_last": median(each.files for each in last),
        "files_most": max(each.files for each in sending),
        "python": platform.python_version(),
        "system": platform.platform(),
        "certstate": __version__,
    }
    print("\n".join(f"{name:>18}  {value}" for name, value in figures.items()))
    if process.returncode:
        print(stdout[-2_000:], stderr[-2_000:])
    if asked.json:
        asked.json.write_text(json.dumps(figures | {"samples": samples}, indent=2) + "\n", "utf-8")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
