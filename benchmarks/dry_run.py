"""How fast is `certstate validate`, and what does it hold? `python benchmarks/dry_run.py --out build/bench`.

Whole commands, each its own process, pinned to one core where the system can do that; beside them, in turn and on the
same files, what people would use otherwise (dry_run_peers.py). The main figure is a file of 1,000,000 rows and 14
columns of which 1 % are faulty.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

from inventories import CONFIG, Style, write
from measuring import Asked, Figure, Usage, options, publish, run

HERE = Path(__file__).parent
POLL_S = 0.02
LONG_S = 120.0
"""A workbook whose check takes longer is not checked again: one figure of minutes varies little."""

CPU_RATE = "rows/s of processor time"
WALL_RATE = "rows/s of wall time"
CALAMINE = (
    "import sys; from python_calamine import CalamineWorkbook\n"
    "CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()"
)


class Sizes(NamedTuple):
    """How much is measured."""

    rows: int
    other_rows: int  # of files that are cleaner and worse
    workbook_rows: int
    many_rows: int  # for memory
    repeats: int


FULL = Sizes(1_000_000, 100_000, 200_000, 5_000_000, 3)
QUICK = Sizes(10_000, 2_000, 2_000, 50_000, 1)


class DryRun(NamedTuple):
    """What one `certstate validate` used."""

    usage: Usage
    spool_mib: float  # most that lay in the temporary files of its folder at one time
    reading_s: float  # wall time until every row was judged; the rest is start-up and reports


def environment() -> dict[str, str]:
    """Return the environment without settings of certstate."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CERTSTATE_")}


def one_core() -> frozenset[int] | None:
    """Return one core to pin processes to, None where the system cannot."""
    return frozenset({max(os.sched_getaffinity(0))}) if hasattr(os, "sched_getaffinity") else None


def validate(file: Path, *words: str, is_pinned: bool = True) -> DryRun:
    """Check the file with a real `certstate validate`. Its reports are thrown away."""
    with tempfile.TemporaryDirectory(dir=file.parent) as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(CONFIG, "utf-8")
        most = [0]
        is_done = threading.Event()
        watch = threading.Thread(target=_watch, args=(folder, most, is_done), daemon=True)
        watch.start()
        try:
            usage = run(
                [sys.executable, "-m", "pipeline", "validate", file, "--out", folder / "runs", *words],
                env=environment(),
                cpus=one_core() if is_pinned else None,
                cwd=folder,
                exit_codes={0, 3},  # 3: it found errors
            )
        finally:
            is_done.set()
            watch.join()
        return DryRun(usage, most[0] / 2**20, _reading_s(folder))


def _watch(folder: Path, most: list[int], is_done: threading.Event) -> None:
    """Keep in `most` the largest size that the spools in the folder had at one time, in bytes on the disk."""
    while not is_done.wait(POLL_S):
        size = 0
        for file in folder.glob("runs/*/*spool*"):
            try:
                size += file.stat().st_size
            except OSError:  # gone already
                continue
        most[0] = max(most[0], size)


def _reading_s(folder: Path) -> float:
    """Return the seconds between the events `reading` and `planned` of the run's log."""
    times = {}
    for log in folder.glob("runs/*/run.log"):
        for line in log.read_text("utf-8").splitlines():
            event = json.loads(line)
            times[event["event"]] = datetime.fromisoformat(event["timestamp"])
    return (times["planned"] - times["reading"]).total_seconds()


def peer(name: str, file: Path) -> Usage:
    """Check the file with a peer of dry_run_peers.py."""
    return run(
        [sys.executable, HERE / "dry_run_peers.py", name, file], env=environment(), cpus=one_core(), cwd=file.parent
    )


def in_turn(repeats: int, runs: Mapping[str, Callable[[], Usage]]) -> dict[str, list[Usage]]:
    """Call each of them so often, one after the other, so that a slow minute of the machine meets all."""
    found: dict[str, list[Usage]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, call in runs.items():
            found[name].append(call())
    return found


def cpu_rates(rows: int, usages: Sequence[Usage]) -> tuple[float, ...]:
    """Return the rows a second of processor time of each."""
    return tuple(rows / each.cpu_s for each in usages)


def wall_rates(rows: int, usages: Sequence[Usage]) -> tuple[float, ...]:
    """Return the rows a second of wall time of each."""
    return tuple(rows / each.wall_s for each in usages)


def ratio(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the medians' ratio."""
    return median(first) / median(second)


def measure_rates(folder: Path, sizes: Sizes, out: Path | None) -> None:
    """Measure the main file against its peers."""
    rows = sizes.rows
    file = folder / "inventory.csv"
    write(file, rows, faults=0.01)
    peers = {
        "pandas and certstate's model": "loop",
        "pandas and a bare pydantic model": "bare",
        "csv.DictReader and a bare pydantic model": "tight",
    }
    notes = [f"{rows:,} rows x 14 columns, {file.stat().st_size / 2**20:,.0f} MiB, 1 % of the rows faulty"]
    if find_spec("frictionless"):
        peers["frictionless validate, types only"] = "frictionless"
    else:
        notes.append("frictionless is not installed, so it was not measured")
    calls = {name: lambda word=word: peer(word, file) for name, word in peers.items()}
    found = in_turn(sizes.repeats, {"certstate validate": lambda: validate(file).usage, **calls})
    figures = [
        Figure(name, CPU_RATE, cpu_rates(rows, usages), "" if name == "certstate validate" else "certstate validate")
        for name, usages in found.items()
    ]
    figures.append(Figure("certstate validate, wall", WALL_RATE, wall_rates(rows, found["certstate validate"])))
    rate_of = {each.name: each.values for each in figures}
    own = rate_of["certstate validate"]
    asked = [Asked("certstate validate", "aim 100,000", median(own) >= 100_000)]
    asked += [
        Asked(name, f"certstate at least {least:.1f} times as fast", ratio(own, rate_of[name]) >= least)
        for name, least in (("pandas and certstate's model", 1.0), ("frictionless validate, types only", 2.0))
        if name in rate_of
    ]
    publish("Dry run against what people write", figures, file_stem="dry_run", out=out, notes=notes, asked=asked)


def measure_files(folder: Path, sizes: Sizes, out: Path | None) -> None:
    """Measure files that are cleaner and worse."""
    rows, file = sizes.other_rows, folder / "other.csv"
    usual = "1 % of the rows faulty"
    figures = []
    for name, faults, style in (
        (usual, 0.01, Style.CLEAN),
        ("no fault", 0.0, Style.CLEAN),
        ("10 % of the rows faulty", 0.1, Style.CLEAN),
        ("legacy: each row repaired", 0.0, Style.LEGACY),
    ):
        write(file, rows, faults=faults, style=style)
        usages = [validate(file).usage for _ in range(sizes.repeats)]
        figures.append(Figure(name, CPU_RATE, cpu_rates(rows, usages), "" if name == usual else usual))
    file.unlink()
    notes = [f"{rows:,} rows x 14 columns, start-up included; every row of the legacy file needs six repairs"]
    publish("Dry run of other files", figures, file_stem="dry_run_files", out=out, notes=notes)


def measure_jobs(folder: Path, sizes: Sizes, out: Path | None) -> None:
    """Measure two processes against one, on all cores."""
    file = folder / "inventory.csv"
    answer = subprocess.run(
        [sys.executable, "-m", "pipeline", "validate", "--help"], capture_output=True, text=True, check=True
    )
    if "--jobs" not in answer.stdout:
        print("\nTwo processes: not measured, because this certstate has no --jobs", flush=True)
        return
    found = in_turn(
        sizes.repeats,
        {
            f"--jobs {jobs}": lambda jobs=jobs: validate(file, "--jobs", str(jobs), is_pinned=False).usage
            for jobs in (1, 2)
        },
    )
    rates = {name: wall_rates(sizes.rows, usages) for name, usages in found.items()}
    figures = [Figure("--jobs 1", WALL_RATE, rates["--jobs 1"])]
    figures.append(Figure("--jobs 2", WALL_RATE, rates["--jobs 2"], "--jobs 1"))
    figures += [Figure(f"{name}, processor", "s", tuple(each.cpu_s for each in found[name])) for name in found]
    asked = [Asked("--jobs 2", "at least 1.7", ratio(rates["--jobs 2"], rates["--jobs 1"]) >= 1.7)]
    notes = [f"{sizes.rows:,} rows, 1 % faulty; whole command, not pinned; the processor time is that of all processes"]
    publish("Two processes against one", figures, file_stem="dry_run_jobs", out=out, notes=notes, asked=asked)


def measure_workbooks(folder: Path, sizes: Sizes, out: Path | None) -> None:
    """Measure workbooks against a read by python-calamine alone."""
    rows = sizes.workbook_rows
    figures: list[Figure] = []
    asked = []
    for cells, has_numbers in (("text cells", False), ("number cells", True)):
        file = folder / "inventory.xlsx"
        write(file, rows, has_numbers=has_numbers)
        reads: list[Usage] = []
        own: list[DryRun] = []
        for _ in range(sizes.repeats):
            reads.append(run([sys.executable, "-c", CALAMINE, file], env=environment(), cpus=one_core()))
            if sum(each.usage.wall_s for each in own) < LONG_S:
                own.append(validate(file))
        read, judged = f"calamine alone, {cells}", f"certstate, reading and judging, {cells}"
        whole = f"certstate validate, {cells}"
        figures += [
            Figure(read, "s", tuple(each.wall_s for each in reads)),
            Figure(judged, "s", tuple(each.reading_s for each in own), read, "without start-up and reports"),
            Figure(whole, "s", tuple(each.usage.wall_s for each in own), read, "with the marked copy of the workbook"),
            Figure(f"{read}, memory", "MiB", tuple(each.peak_mib for each in reads)),
            Figure(f"{whole}, memory", "MiB", tuple(each.usage.peak_mib for each in own), f"{read}, memory"),
        ]
        for name, values in ((judged, figures[-4].values), (whole, figures[-3].values)):
            asked.append(Asked(name, "at most 2.0", ratio(values, figures[-5].values) <= 2.0))
    notes = [f"{rows:,} rows x 14 columns without a fault; wall time on one core; number cells: the key lengths"]
    publish("Workbooks against the read alone", figures, file_stem="dry_run_excel", out=out, notes=notes, asked=asked)


def measure_memory(folder: Path, sizes: Sizes, out: Path | None) -> None:
    """Measure memory and temporary disk of a long file and of one that is five times as long."""
    figures = []
    peaks = []
    for rows in (sizes.rows, sizes.many_rows):
        file = folder / "long.csv"
        write(file, rows, faults=0.01)
        used = validate(file)
        peaks.append(used.usage.peak_mib)
        figures.append(Figure(f"memory, {rows:,} rows", "MiB", (used.usage.peak_mib,)))
        spool = Figure(f"temporary disk, {rows:,} rows", "MiB", (used.spool_mib,))
        share = used.spool_mib * 2**20 / file.stat().st_size
        figures.append(spool._replace(note=f"{share:.0%} of the file; looked at every {POLL_S * 1000:.0f} ms"))
        file.unlink()
    more = (peaks[1] - peaks[0]) * 2**20 / (sizes.many_rows - sizes.rows)
    figures.append(Figure("memory for each further row", "bytes", (more,)))
    asked = [Asked(figures[0].name, "below 400", peaks[0] < 400), Asked(figures[2].name, "below 400", peaks[1] < 400)]
    asked.append(Asked("memory for each further row", "at most 16", more <= 16))
    notes = ["1 % of the rows faulty; most resident memory of the process, measured once each"]
    publish("Memory of a dry run", figures, file_stem="dry_run_memory", out=out, notes=notes, asked=asked)


def main() -> None:
    """Measure all of it, or a part."""
    parts = {
        "rates": measure_rates,
        "files": measure_files,
        "jobs": measure_jobs,
        "workbooks": measure_workbooks,
        "memory": measure_memory,
    }
    parser = options(__doc__)
    parser.add_argument("--only", choices=list(parts), help="measure this part only")
    parser.add_argument("--rows", type=int, help="rows of the main file instead of 1,000,000")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else FULL
    if asked.rows:
        sizes = sizes._replace(rows=asked.rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.only == "jobs":
            write(folder / "inventory.csv", sizes.rows, faults=0.01)
        for part in [asked.only] if asked.only else parts:
            parts[part](folder, sizes, asked.out)


if __name__ == "__main__":
    main()
