"""What all benchmarks share: figures, their table and JSON, and what a whole process used.

A figure keeps every repeat, and its peer is another figure of the same run. Nothing here passes or fails: `Asked` says
in the table what was wanted of a figure, and whether it was met.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from pipeline import __version__

PACKAGES = (
    "aiohttp",
    "frictionless",
    "httpx",
    "microsoft-kiota-http",
    "msgraph-core",
    "numpy",
    "openpyxl",
    "pandas",
    "pydantic",
    "pydantic-core",
    "python-calamine",
    "SQLAlchemy",
    "tenacity",
)
"""The packages whose versions a figure may depend on; what is not installed is left out."""


class Figure(NamedTuple):
    """One measured thing: a value for each repeat."""

    name: str
    unit: str
    values: tuple[float, ...]
    peer: str = ""  # the name of another figure of the same table: the ratio this / peer is printed
    note: str = ""


class Asked(NamedTuple):
    """What was asked of a figure; `is_met` is None where it could not be told."""

    figure: str
    text: str
    is_met: bool | None


class Usage(NamedTuple):
    """What one process used, with the processes that it started and waited for."""

    cpu_s: float  # user and system
    wall_s: float
    peak_mib: float  # resident memory of the largest single process


class ProcessFailedError(RuntimeError):
    """A measured process ended with an exit code that was not expected."""


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark takes: `--quick` and `--out DIR`."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, to try the program")
    parser.add_argument("--out", type=Path, help="write the figures as JSON into this folder")
    return parser


def median_of(figure: Figure) -> float:
    """Return the median of the figure's repeats."""
    return statistics.median(figure.values)


def ratio_of(figure: Figure, figures: Sequence[Figure]) -> float | None:
    """Return the figure's median divided by its peer's; None without a peer, or where the peer measured nothing."""
    peer = next((each for each in figures if figure.peer and each.name == figure.peer and each.values), None)
    if peer is None or not figure.values or not median_of(peer):
        return None
    return median_of(figure) / median_of(peer)


def number(value: float) -> str:
    """Return the value with the digits that mean something: `102,345`, `45.2`, `0.0123`."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def rows_of(figures: Sequence[Figure], asked: Sequence[Asked] = ()) -> list[tuple[str, ...]]:
    """Return the table's rows: name, median, least, most, unit, ratio to the peer, what was asked, note."""
    wanted = {each.figure: each for each in asked}
    rows = []
    for figure in figures:
        ratio = ratio_of(figure, figures)
        numbers = (
            [number(each) for each in (median_of(figure), min(figure.values), max(figure.values))]
            if figure.values
            else ["not measured", "", ""]
        )
        against = "" if ratio is None else f"{number(ratio)} x {figure.peer}"
        rows.append((figure.name, *numbers, figure.unit, against, _asked_text(wanted.get(figure.name)), figure.note))
    return rows


def _asked_text(asked: Asked | None) -> str:
    if asked is None:
        return ""
    return f"{asked.text}: {'not measured' if asked.is_met is None else 'yes' if asked.is_met else 'no'}"


TABLE_HEAD = ("figure", "median", "least", "most", "unit", "ratio to peer", "asked", "note")


def table_of(figures: Sequence[Figure], asked: Sequence[Asked] = ()) -> str:
    """Return the figures as lines of aligned columns; a column in which nothing stands is left out."""
    columns = [each for each in zip(TABLE_HEAD, *rows_of(figures, asked), strict=True) if any(each[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if column[0] in {"median", "least", "most"} else cell.ljust(width)
            for cell, width, column in zip(cells, widths, columns, strict=True)
        ).rstrip()
        for cells in zip(*columns, strict=True)
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def publish(
    title: str,
    figures: Sequence[Figure],
    *,
    file_stem: str,
    out: Path | None,
    notes: Sequence[str] = (),
    asked: Sequence[Asked] = (),
) -> None:
    """Print the table, and write `out`/`file_stem`.json where a folder is given.

    The file holds each repeat, the medians and ratios, the date (UTC), the machine and the versions: no name of the
    machine, no path. A peer that is no figure of the table raises ValueError.
    """
    names = {each.name for each in figures}
    strange = sorted({each.peer for each in figures if each.peer} - names | {each.figure for each in asked} - names)
    if strange:
        raise ValueError(f"no figure of {title!r} has the name {', '.join(strange)}")
    is_quick = "--quick" in sys.argv
    if is_quick:
        notes = [*notes, "--quick: too short to judge by"]
    print(f"\n{title}\n{table_of(figures, asked)}", *(f"  {note}" for note in notes), sep="\n", flush=True)
    if out is None:
        return
    document = {
        "title": title,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": is_quick,
        "machine": machine(),
        "versions": versions(),
        "figures": [
            {**figure._asdict(), "median": median_of(figure) if figure.values else None}
            | {"ratio": ratio_of(figure, figures)}
            for figure in figures
        ],
        "asked": [each._asdict() for each in asked],
        "notes": list(notes),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{file_stem}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def machine() -> dict[str, str | int]:
    """Return what the machine is, without its name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    release = ".".join(platform.release().split(".")[:2])  # what follows is the build's own name
    system = f"{platform.system()} {release}"
    found: dict[str, str | int] = {"system": system, "processor": _processor(), "cores": cores}
    if hasattr(os, "sysconf"):
        found["memory_mib"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of Python, SQLite, certstate and the packages that are installed."""
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, "certstate": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


UNCOMPILED = "PYTHONDONTWRITEBYTECODE"

# A process takes over the memory peak of the one that started it (Linux counts the old address space at exec), so a
# benchmark that holds pandas would lend its size to everything it measures: an empty Python stands in between.
LAUNCHER = """
import json, os, subprocess, sys, time
asked = json.loads(sys.argv[1])
if asked["cpus"] is not None and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, asked["cpus"])
with open(asked["stdout"], "wb") as stdout, open(asked["stderr"], "wb") as stderr:
    began = time.perf_counter()
    process = subprocess.Popen(
        asked["arguments"], cwd=asked["cwd"], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
    )
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss]))
"""


def run(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cpus: Collection[int] | None = None,
    cwd: Path | None = None,
    exit_codes: Collection[int] = (0,),
    stdout: Path | None = None,
) -> Usage:
    """Start a whole process, wait for its end and return what it used (`os.wait4`; not on Windows).

    `env` is the whole environment, None the own one; without PYTHONDONTWRITEBYTECODE, since an installed package is
    compiled once and not at each start. `cpus` are the cores that it may use, where the system can pin a
    process. Its output goes to `stdout`, or nowhere. Raises ProcessFailedError, with the end of what it wrote to
    stderr, if its exit code is none of `exit_codes`.
    """
    with tempfile.TemporaryDirectory() as folder:
        stderr = Path(folder) / "stderr"
        asked = {
            "arguments": [str(each) for each in arguments],
            "cpus": None if cpus is None else sorted(cpus),
            "cwd": None if cwd is None else str(cwd),
            "stdout": str(stdout or Path(folder) / "stdout"),
            "stderr": str(stderr),
        }
        answer = subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, json.dumps(asked)],
            env={name: value for name, value in (os.environ if env is None else env).items() if name != UNCOMPILED},
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise ProcessFailedError(f"{asked['arguments']} could not be started: {answer.stderr[-2_000:]}")
        code, cpu_s, wall_s, peak = json.loads(answer.stdout)
        if code not in exit_codes:
            said = stderr.read_text("utf-8", "replace")[-2_000:]
            raise ProcessFailedError(f"{asked['arguments']} ended with exit code {code}: {said}")
    # ru_maxrss is in KiB, on macOS in bytes (getrusage(2)).
    return Usage(cpu_s, wall_s, peak / (2**20 if sys.platform == "darwin" else 2**10))
