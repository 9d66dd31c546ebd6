"""docs/corpus.md, from the cases: each file, its trap, and what becomes of it."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from corpus.case import Case, Found, Place
from corpus.cases import CASES, GROUPS

LONGEST_SHOWN = 44
CHANGES_SHOWN = 2
TAB = "\t"
HEAD = f"""# Small files with one trap each

{len(CASES)} files of tests/corpus/files, what is wrong with each, and what certstate makes of it. They are written by
`python tests/corpus/make.py`, as is this page, from the cases in tests/corpus; the tests read every file and compare
rows, bodies and findings with what stands here. How files are read is told in [reading.md](reading.md), what the codes
mean in [findings.md](findings.md).
"""


def corpus() -> str:
    """Return the whole document."""
    return HEAD + "".join(
        f"\n## {group.title}\n\n| file | the trap | what becomes of it |\n|---|---|---|\n"
        + "".join(f"| {case.file} | {_escaped(case.trap)} | {outcome(case)} |\n" for case in group.cases)
        for group in GROUPS
    )


def outcome(case: Case) -> str:
    """Return in words what becomes of the file."""
    if case.refused:
        return f"refused: {_escaped(case.refused)}"
    return "; ".join((*_how_read(case), *_about_file(case), *_states(case), *_about_rows(case)))


def _how_read(case: Case) -> Iterator[str]:
    if case.preset:
        yield f"with `--preset {case.preset}`"
    elif case.config and "optional:" not in case.config:
        yield f"with `{'`, `'.join(case.config.splitlines())}`"
    if case.read_as not in {"", "utf-8"}:
        yield f"read as {case.read_as}"
    if case.split_at not in {"", ","}:
        yield f"split at {'tabs' if case.split_at == TAB else shown(case.split_at)}"
    for sheet, header_row in case.tables:
        if header_row > 1:
            yield f"header in row {header_row}" + (f" of {sheet}" if len(case.tables) > 1 else "")


def _about_file(case: Case) -> Iterator[str]:
    for code, about_file in _by_code(found for found in case.found if not isinstance(found.place, int | tuple)):
        sheet = about_file[0].place
        where = f"sheet {sheet} " if sheet else ""
        columns = ", ".join(found.column for found in about_file if found.column)
        yield f"{where}{_code(code, about_file[0])}" + (f" {columns}" if columns else "")


def _states(case: Case) -> Iterator[str]:
    """Yield the states of the rows, without those that a finding of the row itself tells."""
    told = {found.place for found in case.found if found.severity == "error" or found.code == "duplicate"}
    states: Sequence[tuple[str, Iterable[Place]]] = (("valid", case.valid), ("invalid", case.invalid))
    for state, places in states:
        shown_places = [place for place in places if place not in told]
        if shown_places:
            yield f"{_rows(shown_places)} {state}"
    if case.blank:
        yield f"{case.blank} blank"


def _about_rows(case: Case) -> Iterator[str]:
    for code, of_rows in _by_code(found for found in case.found if isinstance(found.place, int | tuple)):
        first = of_rows[0]
        text = f"{_rows(dict.fromkeys(found.place for found in of_rows))} {_code(code, first)}"
        if first.was is None or first.becomes is None:
            yield text
            continue
        changes = [f"{shown(each.was) if each.was else '(empty)'} -> {shown(each.becomes or '')}" for each in of_rows]
        more = f" and {len(changes) - CHANGES_SHOWN} more" if len(changes) > CHANGES_SHOWN else ""
        yield f"{text} {', '.join(changes[:CHANGES_SHOWN])}{more}"


def _by_code(findings: Iterable[Found]) -> Iterator[tuple[str, list[Found]]]:
    by_code: dict[str, list[Found]] = {}
    for found in findings:
        by_code.setdefault(found.code, []).append(found)
    yield from by_code.items()


def _code(code: str, found: Found) -> str:
    return f"`{code}`" if found.severity == "error" or found.was is not None else f"`{code}` ({found.severity})"


def _rows(places: Iterable[Place | str | None]) -> str:
    numbers = [place for place in places if isinstance(place, int)]
    if numbers:
        return f"{'row' if len(numbers) == 1 else 'rows'} {', '.join(map(str, numbers))}"
    return ", ".join(f"row {place[1]} of {place[0]}" for place in places if isinstance(place, tuple))


def shown(text: str) -> str:
    """Return the text as code: cut in the middle when it is long, and with names for what nobody sees."""
    if len(text) > LONGEST_SHOWN:
        text = f"{text[: LONGEST_SHOWN // 2]}...{text[-LONGEST_SHOWN // 4 :]}"
    signs = [
        sign if sign == " " or unicodedata.category(sign) not in {"Cc", "Cf", "Zs"} else f"<U+{ord(sign):04X}>"
        for sign in text
    ]
    return f"`{_escaped(''.join(signs))}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
