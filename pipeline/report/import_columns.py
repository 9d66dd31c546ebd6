"""The `_import_*` columns that follow a row's own cells in our tables: what became of the row, and what it was."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

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


def harmless(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it; `load` turns it back."""
    return FORMULA_PLACES.sub("'", cell)


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
    told.sort(key=lambda each: tuple(Severity).index(each.severity))
    messages = [each.message for each in told] + ([answer.message] if answer.message else [])
    cells = {
        "run": run_id,
        "file": source.file,
        "row": str(row.row_number),
        "sheet": source.sheet or "",
        "status": "unsent" if row.state is State.PLANNED else row.state.value,
        "code": "; ".join(each.code for each in told),
        "column": "; ".join(each.column for each in told),
        "value": "; ".join(each.value for each in told),
        "message": "; ".join(messages),
        "hint": "; ".join(dict.fromkeys(each.hint for each in told)),
        "http_status": str(answer.http_status or ""),
        "graph_code": answer.graph_code,
        "request_id": answer.request_id,
        "attempts": str(row.attempts),
        "id": answer.object_id,
        "identifiers": identifiers_text(_identifiers(row, source) if sent is None else _named(sent)),
    }
    return [harmless(cells[name]) for name in IMPORT_COLUMNS]


def _identifiers(row: ReportRow, source: SourceInfo) -> Mapping[str, str]:
    """Return the row's identifiers by property: what has to be compared with its cells when they come back.

    That is the text of the cell; but where a spreadsheet damaged or emptied it on an earlier way, what an earlier run
    read.
    """
    cells = row.cells or ()
    places = list(zip(source.header, source.properties, cells, strict=False))
    own = (cell for header, _, cell in places if header.strip().casefold() == IDENTIFIERS_COLUMN)
    earlier = _named(identifiers_in(next(own, "")))
    if any(each.code in SHIFTED for each in row.findings):
        return earlier
    texts: dict[str, str] = {}
    for _, name, cell in places:
        was = earlier.get(name, "")
        if name in IDENTIFIERS and cell.strip() and name not in texts:
            texts[name] = was if damage_of(was, cell) else cell
    return {**earlier, **texts}


def _named(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: texts[name] for name in IDENTIFIERS if name in texts}
