"""The tables of docs/performance.md, from the figures in benchmarks/results: `python benchmarks/performance_page.py`.

Between `<!-- figures: NAME -->` and `<!-- end of figures -->` stand the tables of results/NAME.json, with a picture if
there is one of them; a star in NAME takes all files that match. Nothing there is written by hand.
"""

import json
import re
from pathlib import Path

from measuring import Asked, Figure, rows_of

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "benchmarks" / "results"
BLOCK = re.compile(r"(<!-- figures: (?P<name>[\w*]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
NOT_MEASURED = "*Not measured yet: `make bench` writes the figures here.*"
PICTURES = {
    "growth": "![Rows against processor time and memory, both on logarithmic axes](pictures/scaling.svg)",
}
"""What stands under the tables of the name."""

HEAD = ("figure", "median", "least to most", "unit", "against its peer", "asked")


def rendered(page: str, results: Path) -> str:
    """Return the page with the tables of the results between its marks. Reads the files of the folder."""

    def block(found: re.Match[str]) -> str:
        files = sorted(results.glob(f"{found['name']}.json"))
        tables = [_table(json.loads(file.read_text("utf-8"))) for file in files]
        pictures = [text for name, text in PICTURES.items() if tables and name == found["name"]]
        return f"{found[1]}\n" + "\n\n".join([*tables, *pictures] or [NOT_MEASURED]) + f"\n\n{found[3]}"

    return BLOCK.sub(block, page)


def _table(document: dict) -> str:
    figures = [
        Figure(each["name"], each["unit"], tuple(each["values"]), each["peer"], each["note"])
        for each in document["figures"]
    ]
    asked = [Asked(**each) for each in document["asked"]]
    lines = [HEAD, tuple("---:" if each in {"median", "least to most"} else "---" for each in HEAD)]
    for name, median, least, most, unit, ratio, wanted, note in rows_of(figures, asked):
        spread = f"{least} to {most}" if least != most else ""
        lines.append((f"{name} ({note})" if note else name, median, spread, unit, ratio, wanted))
    shown = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    notes = "".join(f"{note[0].upper()}{note[1:].removesuffix('.')}. " for note in document["notes"])
    return f"**{document['title']}**\n\n{shown}\n\n{notes}{_circumstances(document)}"


def _circumstances(document: dict) -> str:
    machine, versions = document["machine"], document["versions"]
    memory = f", {machine['memory_mib'] / 1024:.0f} GiB" if "memory_mib" in machine else ""
    return (
        f"Measured on {document['date'][:10]}: {machine['processor']}, {machine['cores']} cores{memory}, "
        f"{machine['system']}, Python {versions['Python']}."
    )


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text("utf-8")
    PAGE.write_text(rendered(page, RESULTS), "utf-8")
    print(f"{PAGE.relative_to(ROOT)}: written from {len(list(RESULTS.glob('*.json')))} files of figures")


if __name__ == "__main__":
    main()
