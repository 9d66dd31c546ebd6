"""Writes the files of the corpus and docs/corpus.md: `python tests/corpus/make.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from corpus.cases import CASES
from corpus.table import corpus

FILES = Path(__file__).parent / "files"
DOCUMENT = Path(__file__).parents[2] / "docs" / "corpus.md"

if __name__ == "__main__":
    for path in FILES.iterdir():
        path.unlink()
    for case in CASES:
        (FILES / case.file).write_bytes(case.content())
    DOCUMENT.write_text(corpus(), "utf-8", newline="\n")
    print(f"{len(CASES)} files")
