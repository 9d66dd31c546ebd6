"""Does a row of a long file cost more than a row of a short one? `python benchmarks/growth.py --out build/bench`.

Whole dry runs of inventories of growing size, pinned to one core. Start-up is measured apart, with a file of ten rows
of which one is faulty, so that the same reports are written, and is taken off. With --picture the figures are drawn as
well.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from dry_run import validate
from inventories import write
from measuring import Asked, Figure, options, publish

STEM = "growth"
FULL = {10_000: 9, 100_000: 5, 1_000_000: 3, 5_000_000: 1}
QUICK = {1_000: 1, 5_000: 1, 10_000: 1}
"""Rows -> repeats: short runs vary more."""

START_UP_ROWS = 10
FLAT_WITHIN = 0.15
COLOUR, GREY = "#0f6cbd", "#8a8886"


class Point(NamedTuple):
    """The runs of one size."""

    rows: int
    cpu_s: tuple[float, ...]  # whole command
    peak_mib: tuple[float, ...]
    file_mib: float


def measure(folder: Path, rows: int, faults: float, repeats: int) -> Point:
    """Check an inventory of so many rows so often."""
    file = folder / f"inventory-{rows}.csv"
    write(file, rows, faults=faults)
    usages = [validate(file).usage for _ in range(repeats)]
    file_mib = file.stat().st_size / 2**20
    file.unlink()
    return Point(rows, tuple(each.cpu_s for each in usages), tuple(each.peak_mib for each in usages), file_mib)


def row_times_us(point: Point, start_up_s: float) -> tuple[float, ...]:
    """Return the microseconds of processor time that a row took in each run, without start-up."""
    return tuple((cpu_s - start_up_s) / point.rows * 1e6 for cpu_s in point.cpu_s)


def spread(row_us: Sequence[float]) -> float:
    """Return by which share the medians of the sizes lie apart: the largest over the smallest, less one."""
    return max(row_us) / min(row_us) - 1


def draw(points: Sequence[Point], start_up_s: float, picture: Path) -> None:
    """Draw rows against processor time and memory, as SVG and as PNG beside it. Needs matplotlib."""
    import matplotlib as mpl  # noqa: PLC0415 - all but the picture works without it

    mpl.use("svg")
    # The same figures are the same file.
    mpl.rcParams.update({"svg.hashsalt": "certstate", "font.size": 10})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after its settings

    rows = [each.rows for each in points]
    row_us = [median(row_times_us(each, start_up_s)) for each in points]
    seconds = [number * each / 1e6 for number, each in zip(rows, row_us, strict=True)]
    memory = [median(each.peak_mib) for each in points]
    figure, (times, sizes) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    times.loglog(rows, seconds, "o-", color=COLOUR, label="all rows, without start-up")
    times.axhline(start_up_s, color=GREY, linestyle="--", label=f"start-up, {start_up_s:.2f} s")
    for number, second, each in zip(rows, seconds, row_us, strict=True):
        times.annotate(f"{each:,.1f} µs a row", (number, second), (7, -11), textcoords="offset points", fontsize=8)
    times.set(xlabel="rows", ylabel="seconds of processor time", title="Time")
    times.set_ylim(min(seconds) / 3, max(seconds) * 10)
    sizes.loglog(rows, memory, "o-", color=COLOUR, label="most memory of the process")
    sizes.loglog(rows, [each.file_mib for each in points], ":", color=GREY, label="size of the file")
    for number, mib in zip(rows, memory, strict=True):
        sizes.annotate(f"{mib:,.0f}", (number, mib), (0, -15), textcoords="offset points", fontsize=8, ha="center")
    sizes.set(xlabel="rows", ylabel="MiB", title="Memory")
    sizes.set_ylim(1, max(each.file_mib for each in points) * 30)
    for axes in (times, sizes):
        axes.set_xlim(rows[0] / 2, rows[-1] * 7)  # room for the last remark
        axes.grid(visible=True, which="major", color="#edebe9")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper left", frameon=False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(picture.with_suffix(".png"), dpi=150)
    plt.close(figure)


def main() -> None:
    """Measure all sizes, and draw them if asked."""
    parser = options(__doc__)
    parser.add_argument("--picture", type=Path, help="draw the figures there, as .svg and .png")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start_up = measure(folder, START_UP_ROWS, 0.1, max(sizes.values()))
        start_up_s = median(start_up.cpu_s)
        points = [measure(folder, rows, 0.01, repeats) for rows, repeats in sizes.items()]
    figures = [Figure(f"start-up, a file of {START_UP_ROWS} rows", "s", start_up.cpu_s)]
    first = f"{points[0].rows:,} rows, a row"
    for point in points:
        name = f"{point.rows:,} rows, a row"
        figures.append(Figure(name, "µs", row_times_us(point, start_up_s), "" if name == first else first))
    figures += [Figure(f"{point.rows:,} rows, memory", "MiB", point.peak_mib) for point in points]
    apart = spread([median(row_times_us(each, start_up_s)) for each in points])
    figures.append(Figure("slowest size over fastest, less one", "share", (apart,)))
    judged = [Asked(figures[-1].name, f"at most {FLAT_WITHIN:g}", apart <= FLAT_WITHIN)]
    notes = ["processor time of whole dry runs, start-up taken off; 14 columns, 1 % of the rows faulty"]
    publish("Cost of growth", figures, file_stem=STEM, out=asked.out, notes=notes, asked=judged)
    if asked.picture:
        draw(points, start_up_s, asked.picture)


if __name__ == "__main__":
    main()
