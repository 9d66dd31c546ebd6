"""Rows of one table -> staged rows, one by one. What blocks.py does to whole columns, this does to a row."""

from collections.abc import Iterator, Sequence

from pipeline.certificates import without_private_keys
from pipeline.columns import pick_values
from pipeline.findings import Code, Finding, Severity, finding, shorten
from pipeline.identity import fingerprint_of, key_of
from pipeline.ingest.rules import Rules, judged
from pipeline.model import CERTIFICATE_COLUMN, ColumnMap, Operation, Request, Row, StagedRow, Values
from pipeline.returned import NEVER_SEEN_AGAIN, SENT, OwnColumns, changed_since, not_mended, still_masked
from pipeline.routes import route_row
from pipeline.validate import validate_values
from pipeline.values import CERTIFIED, Prepared, apply_rules

NO_IDENTITY = "no thumbprint, and no issuer with a serial number"


def judge_rows(
    rows: Sequence[Row], columns: ColumnMap, rules: Rules, own: OwnColumns | None = None
) -> Iterator[StagedRow]:
    """Yield the rows of one table in their order, each with its request or every finding that keeps it from one.

    `own` says where a table that is one of our own reports tells what was wrong with the row, and how it ended.
    """
    is_refused = any(each.severity is Severity.ERROR for each in columns.findings)
    rows = [_without_secrets(row) for row in rows]
    damage_of = [_damage(row, own) for row in rows]
    sound = [row for row, damage in zip(rows, damage_of, strict=True) if not damage]
    picked = [pick_values(row, columns) for row in sound]
    prepared = iter(apply_rules(picked, rules.values))
    status_at = own.status_at if own else None
    if status_at is not None and any(row.cells[status_at] in SENT for row in sound):
        anew = zip(sound, prepared, apply_rules(picked, rules.sent_values), strict=True)
        prepared = iter([sent if row.cells[status_at] in SENT else each for row, each, sent in anew])
    given = iter(picked)
    for row, damage in zip(rows, damage_of, strict=True):
        if damage:
            # Nothing else is said of it: a lost or an extra delimiter shifts all cells behind it.
            yield StagedRow(row.row_number, row.cells + row.extra_cells, "", None, damage)
        elif is_refused:
            # The finding stands once, with the file; what errors.csv could not show any more stands with the row.
            kept = tuple(each for each in next(prepared).findings if each.code in NEVER_SEEN_AGAIN)
            yield StagedRow(row.row_number, row.cells, "", None, kept)
        else:
            values, texts = next(prepared), next(given)
            changed = changed_since(row, columns, own) if own else still_masked(texts)
            yield _judge_row(row, texts, _with_changed(values, changed) if changed else values, rules)


def _with_changed(prepared: Prepared, changed: tuple[Finding, ...]) -> Prepared:
    """Return the row with what happened to its cells; of an identifier that was damaged nothing else is said."""
    damaged = {each.column for each in changed if each.code is Code.SPREADSHEET_DAMAGE}
    kept = (each for each in prepared.findings if each.column not in damaged)
    return prepared._replace(findings=(*kept, *changed))


def _without_secrets(row: Row) -> Row:
    """Return the row without private keys, which stand beside certificates: they must not reach ledger or reports."""
    if not any("PRIVATE" in cell for cell in (*row.cells, *row.extra_cells)):
        return row
    cells, extra_cells = (tuple(map(without_private_keys, each)) for each in (row.cells, row.extra_cells))
    return row._replace(cells=cells, extra_cells=extra_cells)


def _without_certificate(row: Row, columns: ColumnMap) -> Row:
    """Return the row without what stands in its certificate cell, which is a private key in base64."""
    index = columns.indexes[columns.names.index(CERTIFICATE_COLUMN)]
    cells = ("(private key left out)" if at == index else cell for at, cell in enumerate(row.cells))
    return row._replace(cells=tuple(cells))


def _judge_row(row: Row, given: Values, prepared: Prepared, rules: Rules) -> StagedRow:
    values = prepared.values
    valid = validate_values(values, rules.validator)
    routed = route_row(values, valid.platform, rules.routes)
    properties = valid.state.model_dump(exclude_none=True, exclude={"odata_type"}) if valid.state else {}
    key = key_of(routed.collection, properties or _filled(values))
    found = (*prepared.findings, *_not_said_yet((*valid.findings, *routed.findings), given, prepared))
    if any(each.code is Code.NOT_A_CERTIFICATE and "private key" in each.message for each in prepared.findings):
        row = _without_certificate(row, given.columns)
    if not key and not _lacks_certificate(prepared):
        found += (finding(Code.NO_IDENTITY, NO_IDENTITY),)
    findings = tuple(judged(each, rules) for each in found)
    is_valid = bool(key) and not any(each.severity is Severity.ERROR for each in findings)
    if valid.state is None or not is_valid or not routed.collection:
        return StagedRow(row.row_number, row.cells, valid.platform, None, findings)
    body = valid.state.model_dump_json(by_alias=True, exclude_none=True).encode()
    fingerprint = fingerprint_of(rules.edition, properties)
    request = Request(Operation.CREATE, routed.collection, body, key, fingerprint)
    return StagedRow(row.row_number, row.cells, valid.platform, request, findings)


def _not_said_yet(findings: Sequence[Finding], given: Values, prepared: Prepared) -> Iterator[Finding]:
    """Yield the findings on values that no rule has refused already, with the value as the file has it."""
    refused = prepared.refused_columns
    text_of = dict(zip(given.columns.headers, given.texts, strict=True)) if findings else {}
    columns = zip(given.columns.names, given.columns.headers, strict=True)
    certified = {header for name, header in columns if name in CERTIFIED} if _lacks_certificate(prepared) else set()
    for each in findings:
        is_cured_with_another = each.code is Code.MISSING_VALUE and each.column in certified
        if each.column not in refused and not is_cured_with_another:
            yield each._replace(value=shorten(text_of.get(each.column, each.value))) if each.value else each


def _lacks_certificate(prepared: Prepared) -> bool:
    """Return whether the row's certificate cannot be read, so that what it would have said is missing too."""
    return any(each.code is Code.NOT_A_CERTIFICATE for each in prepared.findings)


def _damage(row: Row, own: OwnColumns | None) -> tuple[Finding, ...]:
    if row.broken:
        return (finding(Code.BROKEN_QUOTES, row.broken),)
    if row.missing_cells or row.extra_cells:
        return (_ragged(row),)
    return not_mended(row, own) if own else ()


def _filled(values: Values) -> dict[str, str]:
    return {name: text for name, text in zip(values.columns.names, values.texts, strict=True) if text.strip()}


def _ragged(row: Row) -> Finding:
    width = len(row.cells)
    has = width + len(row.extra_cells) - row.missing_cells
    shown = " | ".join(cell for cell in (*row.cells, *row.extra_cells) if cell.strip())
    return finding(Code.RAGGED_ROW, f"the row has {has} cells and the header {width}", value=shown)
