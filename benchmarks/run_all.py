"""All benchmarks, one after the other: `make bench`, or `make bench QUICK=1` to try them.

A full run writes its figures to benchmarks/results, the tables of docs/performance.md and the picture of growth; a
quick one writes to build/bench and leaves the documents alone. A program that fails is named at the end, and the others
run all the same.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PICTURE = ROOT / "docs" / "pictures" / "scaling.svg"
PROGRAMS = ("start_up", "ledger", "throughput", "quota", "dry_run", "growth")


def run(name: str, *, out: Path, is_quick: bool) -> bool:
    """Run one benchmark and return whether it ended well."""
    words = [sys.executable, HERE / f"{name}.py", "--out", out, *(["--quick"] if is_quick else [])]
    if name == "growth":
        words += ["--picture", out / PICTURE.name if is_quick else PICTURE]
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    ended_well = subprocess.run(words, cwd=ROOT, check=False).returncode == 0
    print(f"  {name}: {time.monotonic() - began:.0f} s", flush=True)
    return ended_well


def main() -> int:
    """Run what was asked for, write the documents, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about two minutes in all, to try the programs")
    parser.add_argument("--only", choices=PROGRAMS, help="run this one only")
    asked = parser.parse_args()
    out = ROOT / "build" / "bench" if asked.quick else HERE / "results"
    out.mkdir(parents=True, exist_ok=True)
    names = [asked.only] if asked.only else PROGRAMS
    failed = [name for name in names if not run(name, out=out, is_quick=asked.quick)]
    if not asked.quick:
        subprocess.run([sys.executable, HERE / "performance_page.py"], cwd=ROOT, check=True)
    print(f"\nThe figures are in {out.relative_to(ROOT)}")
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
