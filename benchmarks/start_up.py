"""How long does the program take before it works? `python benchmarks/start_up.py --out build/bench`.

Whole processes: `--help`, `--version`, the help of a verb, and a dry run of ten rows that is all start-up, beside an
empty Python and a Python that imports nothing but the library of the command line.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from inventories import CONFIG, write
from measuring import Asked, Figure, Usage, options, publish, run

STEM = "start_up"
REPEATS, QUICK_REPEATS = 15, 3
ROWS = 10
HELP_CPU_S = 0.25

PASS, TYPER, HELP, HELP_OF_VERB, VERSION, VALIDATE = (
    "python -c pass",
    "python -c 'import typer'",
    "certstate --help",
    "certstate validate --help",
    "certstate --version",
    f"certstate validate, {ROWS} rows",
)

PROGRAM = [sys.executable, "-m", "pipeline"]
COMMANDS: dict[str, Sequence[str]] = {
    PASS: [sys.executable, "-c", "pass"],
    TYPER: [sys.executable, "-c", "import typer"],
    HELP: [*PROGRAM, "--help"],
    HELP_OF_VERB: [*PROGRAM, "validate", "--help"],
    VERSION: [*PROGRAM, "--version"],
    VALIDATE: [*PROGRAM, "validate", "inventory.csv"],
}
PEERS = {TYPER: PASS, HELP: TYPER, HELP_OF_VERB: TYPER, VERSION: TYPER, VALIDATE: HELP}


def measure(repeats: int) -> dict[str, list[Usage]]:
    """Return what each command used in each round; the commands take turns, so that they share a slow minute."""
    used: dict[str, list[Usage]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory(prefix="start-up-") as name:
        folder = Path(name)
        write(folder / "inventory.csv", ROWS)
        (folder / "config.yaml").write_text(CONFIG, "utf-8")
        for _ in range(repeats + 1):
            for command, words in COMMANDS.items():
                used[command].append(run(words, cwd=folder))
    return {command: usages[1:] for command, usages in used.items()}  # the first round compiled, and filled the cache


def main() -> None:
    """Measure, print and write the figures."""
    chosen = options(__doc__).parse_args()
    used = measure(QUICK_REPEATS if chosen.quick else REPEATS)
    cpu = [
        Figure(command, "s of processor", tuple(each.cpu_s for each in usages), PEERS.get(command, ""))
        for command, usages in used.items()
    ]
    wall = [
        Figure(
            f"{command}, wall",
            "s",
            tuple(each.wall_s for each in usages),
            f"{PEERS[command]}, wall" if command in PEERS else "",
        )
        for command, usages in used.items()
    ]
    asked = [
        Asked(command, f"< {HELP_CPU_S} s", median(each.cpu_s for each in used[command]) < HELP_CPU_S)
        for command in (HELP, HELP_OF_VERB, VERSION)
    ]
    publish("Start-up", [*cpu, *wall], file_stem=STEM, out=chosen.out, asked=asked)


if __name__ == "__main__":
    main()
