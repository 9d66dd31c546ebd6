"""What a row's cells were taken for, and what each rule made of their values: the steps before the request. No I/O."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pipeline.columns import pick_values
from pipeline.config import Settings
from pipeline.findings import CATALOGUE, REPAIRS, Code, Severity, shorten, text_after
from pipeline.findings.finding import EMPTY
from pipeline.identity import fold_header, key_of
from pipeline.ingest import OWN_HEADERS, Rules, judge_rows
from pipeline.load import CERTIFICATE_FILE_HEADER, Table
from pipeline.model import (
    IMPORT_PREFIX,
    CellType,
    ColumnMap,
    Request,
    Row,
    StagedRow,
    column_letter,
)
from pipeline.returned import SENT, OwnColumns, not_mended, own_columns
from pipeline.routes import RouteRule, route_row
from pipeline.validate import validate_values
from pipeline.values import Prepared, apply_rules


class Use(StrEnum):
    """Why a column stands for a property, or why its cell is not sent."""

    NAME = "name"  # its header is the property's name
    ALIAS = "columns"  # `columns:` gives the header to the property
    PRESET = "preset"  # the preset does
    TEMPLATE = "templates"  # `templates:` makes a property of it
    REPEATED = "repeated"  # another column stands for the property already
    OWN = "own"  # a column of certstate's own reports
    OF_CERTIFICATE = "certificate file"  # there for `templates:` and readers
    IGNORED = "ignored"  # by `ignored:`
    OF_PRESET = "ignored by the preset"
    NO_HEADER = "no header"
    ID = "id"  # the service assigns it
    UNKNOWN = "unknown"
    BEYOND = "beyond the header"  # the row has more cells than the header
    LINE = "line"  # the whole line, whose quotes are broken


@dataclass(frozen=True, slots=True)
class ExplainedCell:
    """One cell of the row as it was read, and what its column was taken for."""

    letter: str  # as a spreadsheet names the column
    header: str  # as the file spells it; "" beyond the header
    property: str  # "" where the column stands for none
    use: Use
    made: tuple[str, ...]  # the properties that `templates:` makes of it
    text: str | None  # None where the row has no such cell
    held_as: CellType


@dataclass(frozen=True, slots=True)
class ValueStep:
    """One change of one value. `declared-value` is what `templates:` or `defaults:` says for every row."""

    property: str
    column: str  # the header as the file spells it, shortened, or the property's name where it has no column
    rule: Code
    severity: Severity
    was: str
    text: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two rows of one collection the same object, and what makes these equal."""

    parts: tuple[tuple[str, str], ...]  # (property, value as it is sent)
    key: str
    fingerprint: str


class ReadRow(NamedTuple):
    """A row as it was read, with the table that it stands in and where that table's cells belong."""

    table: Table
    columns: ColumnMap
    row: Row


class Trace(NamedTuple):
    """A row's way from its cells to its request."""

    cells: tuple[ExplainedCell, ...]  # without private keys, which can stand beside certificates
    steps: tuple[ValueStep, ...]  # in the order in which they were applied
    route: RouteRule | None
    request: Request | None  # None of a row that is invalid by itself


def trace_row(read: ReadRow, rules: Rules, settings: Settings) -> Trace:
    """Return the row's way, gone through once more by the functions of the import, for this row alone.

    `settings` are those that the rules were made of. What other rows of the file have to say is not in it.
    """
    table, columns, row = read
    own = own_columns(table.header)
    (staged,) = judge_rows([row], columns, rules, own)
    cells = tuple(_cells(read, staged, rules, settings))
    if _is_damaged(row, own):
        return Trace(cells, (), None, None)
    # The staged cells, because private keys are left out of them.
    given = pick_values(row._replace(cells=staged.cells), columns)
    was_sent = own is not None and own.status_at is not None and row.cells[own.status_at] in SENT
    (prepared,) = apply_rules([given], rules.sent_values if was_sent else rules.values)
    steps = (
        *_made(given.texts, columns),
        *_changed(prepared, columns, rules),
        *_filled(given.texts, prepared, columns),
    )
    platform = validate_values(prepared.values, rules.validator).platform
    return Trace(cells, steps, route_row(prepared.values, platform, rules.routes).rule, staged.request)


def identity_of(request: Request) -> Identity:
    """Return what the request's key was made of: the first way to tell a certificate that leads to this key."""
    body = json.loads(request.body)
    for way in (("certificateThumbprint",), ("certificateIssuer", "certificateSerialNumber")):
        parts = {name: body[name] for name in ("deviceDisplayName", *way) if name in body}
        if key_of(request.collection, parts) == request.key:
            break
    return Identity(tuple(parts.items()), request.key, request.fingerprint)


def _is_damaged(row: Row, own: OwnColumns | None) -> bool:
    """Return whether the cells cannot be told apart or are known to have lost something: no rule is asked then."""
    return bool(row.broken or row.missing_cells or row.extra_cells or (own and not_mended(row, own)))


def _cells(read: ReadRow, staged: StagedRow, rules: Rules, settings: Settings) -> Iterator[ExplainedCell]:
    table, columns, row = read
    if row.broken:
        yield ExplainedCell("", "", "", Use.LINE, (), staged.cells[0], CellType.TEXT)
        return
    width = len(table.header)
    types = dict(row.not_text)
    made: dict[int, list[str]] = {}
    for name, composite in zip(columns.names, columns.composites, strict=True):
        for index in dict.fromkeys(composite.indexes if composite else ()):
            made.setdefault(index, []).append(name)
    for index, text in enumerate(staged.cells):
        header = table.header[index] if index < width else ""
        makes = tuple(made.get(index, ()))
        name, use = _taken_for(index, table, columns, rules, settings) if index < width else ("", Use.BEYOND)
        use = Use.TEMPLATE if makes and not name else use
        is_there = not width - row.missing_cells <= index < width
        held_as = types.get(index, CellType.TEXT)
        yield ExplainedCell(column_letter(index), header, name, use, makes, text if is_there else None, held_as)


def _taken_for(index: int, table: Table, columns: ColumnMap, rules: Rules, settings: Settings) -> tuple[str, Use]:
    """Return the property that the column stands for, or "", and why."""
    header = table.header[index]
    folded = fold_header(header)
    meant = {fold_header(name): name for name in columns.names}
    meant |= {fold_header(alias): name for name, aliases in rules.aliases.items() for alias in aliases}
    name = meant.get(folded, "")
    if name:
        declared = {fold_header(each) for each in settings.columns.get(name, ())}
        use = Use.NAME if folded == fold_header(name) else Use.ALIAS if folded in declared else Use.PRESET
        return name, use if columns.indexes[columns.names.index(name)] == index else Use.REPEATED
    own = own_columns(table.header)
    is_own = header.strip().casefold().startswith(IMPORT_PREFIX) or (own is not None and folded in own.ignored_headers)
    kinds = (
        (Use.OWN, is_own),
        (Use.OF_CERTIFICATE, table.header == CERTIFICATE_FILE_HEADER and folded in OWN_HEADERS),
        (Use.IGNORED, folded in {fold_header(each) for each in settings.ignored}),
        (Use.OF_PRESET, folded in rules.ignored_headers),
        (Use.NO_HEADER, not header.strip()),
        (Use.ID, folded == "id"),
    )
    return "", next((use for use, is_meant in kinds if is_meant), Use.UNKNOWN)


def _made(texts: Sequence[str], columns: ColumnMap) -> Iterator[ValueStep]:
    """Yield what `templates:` made before any rule was asked."""
    for name, text, composite in zip(columns.names, texts, columns.composites, strict=True):
        if composite and text:
            yield _declared(name, text)


def _changed(prepared: Prepared, columns: ColumnMap, rules: Rules) -> Iterator[ValueStep]:
    """Yield the changes by the rules, in the order in which they were made."""
    names = {shorten(header): name for name, header in zip(columns.names, columns.headers, strict=True)}
    for each in prepared.findings:
        text = text_after(each) if each.code in REPAIRS else None
        if text is not None:
            now = "" if text == EMPTY else text
            is_raised = rules.is_strict and each.severity is Severity.WARNING
            severity = Severity.ERROR if is_raised else each.severity
            yield ValueStep(names[each.column], each.column, each.code, severity, each.value, now)


def _filled(texts: Sequence[str], prepared: Prepared, columns: ColumnMap) -> Iterator[ValueStep]:
    """Yield what `defaults:` says for a property without a column."""
    told = {each.column for each in prepared.findings if each.code is Code.FROM_CERTIFICATE}
    for name, was, now, index in zip(columns.names, texts, prepared.values.texts, columns.indexes, strict=True):
        if index is None and now and not was.strip() and name not in told:
            yield _declared(name, now)


def _declared(name: str, text: str) -> ValueStep:
    return ValueStep(name, name, Code.DECLARED_VALUE, CATALOGUE[Code.DECLARED_VALUE].severity, "", text)
