"""The `_import_*` columns that follow a row's own cells in our tables: what became of the row, and what it was."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from pipeline.carried import identifiers_in, identifiers_text
from pipeline.damage import damage_of
from pipeline.findings import Code, Finding, Severity
from pipeline.model import FORMULA_PLACES, IDENTIFIERS, IMPORT_PREFIX, ReportRow, SourceInfo, State

IMPORT_COLUMNS = (
    "run",
    "file",
    "row",
    "sheet",
    "status",
    "code",
    "column",
    "value",
    "message",
    "hint",
    "http_status",
    "graph_code",
    "request_id",
    "attempts",
    "id",
    "identifiers",
)

IDENTIFIERS_COLUMN = f"{IMPORT_PREFIX}identifiers"
IMPORT_HEADER = tuple(IMPORT_PREFIX + name for name in IMPORT_COLUMNS)

SHIFTED = frozenset({Code.RAGGED_ROW, Code.BROKEN_QUOTES})
"""What is told of rows whose cells do not stand under their headers."""

NO_ERRORS: Mapping[int, Sequence[Finding]] = MappingProxyType({})


_SPLITTING = re.compile(r"[;,\t\r\n](?:[\t\r\n']|\s*[\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""What stands at each of `FORMULA_PLACES` of cells joined by semicolons: seldom elsewhere, and sooner found."""

RANK_OF = {severity: rank for rank, severity in enumerate(Severity)}


def harmless(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it; `load` turns it back."""
    return FORMULA_PLACES.sub("'", cell)


def harmless_cells(cells: Sequence[str]) -> list[str]:
    """Return the cells of a row, each `harmless`."""
    if _SPLITTING.search(f";{';'.join(cells)}") is None:
        return list(cells)
    return [FORMULA_PLACES.sub("'", cell) for cell in cells]


def import_cells(
    row: ReportRow,
    source: SourceInfo,
    run_id: str,
    file_errors: Sequence[Finding] = (),
    sent: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the cells of IMPORT_COLUMNS, harmless.

    `file_errors` are those about its source, told with the row; `sent` are the row's values by property where these
    stand in the table, and not the cells that were read.
    """
    answer = row.answer
    # What was repaired stands in repairs.csv; here is what somebody has to do.
    told = [each for each in (*file_errors, *row.findings) if each.severity is not Severity.INFO]
    told.sort(key=lambda each: RANK_OF[each.severity])
    messages = [each.message for each in told] + ([answer.message] if answer.message else [])
    return harmless_cells(
        [
            run_id,
            source.file,
            str(row.row_number),
            source.sheet or "",
            "unsent" if row.state is State.PLANNED else row.state.value,
            "; ".join([each.code for each in told]),
            "; ".join([each.column for each in told]),
            "; ".join([each.value for each in told]),
            "; ".join(messages),
            "; ".join(dict.fromkeys([each.hint for each in told])),
            str(answer.http_status or ""),
            answer.graph_code,
            answer.request_id,
            str(row.attempts),
            answer.object_id,
            identifiers_text(_identifiers(row, source) if sent is None else _named(sent)),
        ]
    )


class _Places(NamedTuple):
    """Where a source's rows hold identifiers."""

    carried: int | None  # the cell with those of an earlier run
    identifiers: tuple[tuple[int, str], ...]  # (cell index, property)


@lru_cache(maxsize=16)
def _places_of(header: tuple[str, ...], properties: tuple[str, ...]) -> _Places:
    columns = list(enumerate(zip(header, properties, strict=False)))
    carried = (index for index, (name, _) in columns if name.strip().casefold() == IDENTIFIERS_COLUMN)
    return _Places(next(carried, None), tuple((index, meant) for index, (_, meant) in columns if meant in IDENTIFIERS))


def _identifiers(row: ReportRow, source: SourceInfo) -> Mapping[str, str]:
    """Return the row's identifiers by property: what has to be compared with its cells when they come back.

    That is the text of the cell; but where a spreadsheet damaged or emptied it on an earlier way, what an earlier run
    read.
    """
    cells = row.cells or ()
    places = _places_of(source.header, source.properties)
    has_carried = places.carried is not None and places.carried < len(cells)
    earlier = _named(identifiers_in(cells[places.carried or 0])) if has_carried else {}
    if any(each.code in SHIFTED for each in row.findings):
        return earlier
    texts: dict[str, str] = {}
    for index, name in places.identifiers:
        cell = cells[index] if index < len(cells) else ""
        if name not in texts and cell.strip():
            was = earlier.get(name, "")
            texts[name] = was if was and damage_of(was, cell) else cell
    return {**earlier, **texts}


def _named(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: texts[name] for name in IDENTIFIERS if name in texts}
