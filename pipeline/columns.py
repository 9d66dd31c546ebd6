"""Header row -> which cell holds which property. Exact names and declared aliases only: nothing is guessed."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from pipeline.editions import Edition
from pipeline.findings import Code, Finding, finding, shorten
from pipeline.identity import fold_header
from pipeline.model import IMPORT_PREFIX, ROUTING_COLUMNS, ColumnMap, Row, Values


def match_columns(
    header: Sequence[str],
    edition: Edition,
    *,
    aliases: Mapping[str, Sequence[str]],
    required: frozenset[str],
) -> ColumnMap | None:
    """Return the map from the edition's properties to cells, or None when no cell of `header` is a known column.

    `aliases` are further header names by property; `required` the properties that need a column of their own.
    """
    names = (*(each.name for each in edition.properties), *ROUTING_COLUMNS)
    meant = {fold_header(name): name for name in names}
    meant |= {fold_header(alias): name for name, spellings in aliases.items() for alias in spellings}
    columns_of: dict[str, list[int]] = {name: [] for name in names}
    findings: list[Finding] = []
    for index, cell in enumerate(header):
        name = meant.get(fold_header(cell))
        if name is not None:
            columns_of[name].append(index)
        elif not cell.strip().casefold().startswith(IMPORT_PREFIX):
            findings.append(_unused_column(cell, index, meant))
    if not any(columns_of.values()):
        return None
    findings += [_duplicate_column(name, header, found) for name, found in columns_of.items() if len(found) > 1]
    findings += [
        finding(Code.MISSING_COLUMN, f"no column holds the required property {name}", column=name)
        for name in names
        if name in required and not columns_of[name]
    ]
    indexes = tuple(columns_of[name][0] if columns_of[name] else None for name in names)
    headers = tuple(name if at is None else header[at] for name, at in zip(names, indexes, strict=True))
    return ColumnMap(names, headers, indexes, tuple(findings))


def pick_values(row: Row, columns: ColumnMap) -> Values:
    """Return the row's cells in the order of the column map's names. No cell is changed."""
    cells = row.cells
    texts = tuple("" if index is None else cells[index] for index in columns.indexes)
    if not row.not_text:
        return Values(columns, texts)
    types = dict(row.not_text)
    places = enumerate(columns.indexes)
    return Values(
        columns, texts, tuple((at, types[index]) for at, index in places if index is not None and index in types)
    )


def column_letter(index: int) -> str:
    """Return the spreadsheet's letter of the cell index: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _unused_column(cell: str, index: int, meant: Mapping[str, str]) -> Finding:
    if not cell.strip():
        message = f"column {column_letter(index)} has no header; its cells are not sent"
        return finding(Code.UNKNOWN_COLUMN, message, hint="give the column a header if it should be sent")
    if fold_header(cell) == "id":
        return finding(Code.IGNORED_COLUMN, "the column id is not sent: the service assigns it", column=cell)
    near = get_close_matches(fold_header(cell), meant, n=1, cutoff=0.8)
    name = meant[near[0]] if near else "<property>"
    question = f"did you mean {name}? " if near else ""
    header = json.dumps(shorten(cell.strip()), ensure_ascii=False)  # YAML too, whatever signs the header holds
    hint = f"{question}To send it, name it in config.yaml, such as `columns: {{{name}: [{header}]}}`"
    return finding(Code.UNKNOWN_COLUMN, "no property has this name; its cells are not sent", column=cell, hint=hint)


def _duplicate_column(name: str, header: Sequence[str], indexes: Sequence[int]) -> Finding:
    where = " and ".join(f"{column_letter(index)} ({shorten(header[index].strip())})" for index in indexes)
    return finding(
        Code.DUPLICATE_COLUMN,
        f"columns {where} {'both' if len(indexes) == 2 else 'all'} stand for {name}",
        column=header[indexes[0]],
    )
