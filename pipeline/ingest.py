"""Phase one: files -> staged rows in the ledger, judged and routed, and planned once all files are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.columns import match_columns, pick_values
from pipeline.config import Settings
from pipeline.editions import EDITIONS, Edition, Route
from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, Severity, finding
from pipeline.identity import fingerprint_of, key_of
from pipeline.ledger import Ledger, NewSource, add_source, add_source_finding, plan_run, stage_rows
from pipeline.load import LoadOptions, Table, open_tables, sha256_of
from pipeline.model import IMPORT_PREFIX, ROUTING_COLUMNS, ColumnMap, Operation, Request, Row, StagedRow, Values
from pipeline.routes import Profile, RouteTable, route_row
from pipeline.validate import Validator, numeric_identifiers, open_validator, validate_values
from pipeline.values import ValueRules, apply_rules, value_rules

CODE_COLUMN = f"{IMPORT_PREFIX}code"


NEVER_SEEN_AGAIN = {
    Code.RAGGED_ROW: (
        "the row had more or fewer cells than the header when it was read first",
        "put each value under its header",
    ),
    Code.NUMERIC_IDENTIFIER: (
        "the workbook held an identifier of this row as a number when it was read first, so digits may be lost",
        "put the value in from its source",
    ),
}
"""Damage that errors.csv cannot show: there each row has a cell for each column, and all cells are text. So the code
that it carries keeps the row out until somebody has mended it and said so."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All that decides what a row becomes, as the configuration declares it."""

    edition: Edition
    aliases: dict[str, tuple[str, ...]]
    required_columns: frozenset[str]
    values: ValueRules
    validator: Validator
    routes: RouteTable


def rules_of(settings: Settings, *, is_strict: bool) -> Rules:
    """Return the rules that the settings declare."""
    edition = EDITIONS[settings.edition]
    required = edition.required - set(settings.optional)
    names = (*(each.name for each in edition.properties), *ROUTING_COLUMNS)
    return Rules(
        edition,
        {name: tuple(headers) for name, headers in settings.columns.items()},
        required - set(settings.defaults),
        value_rules(names, settings.values, settings.defaults),
        open_validator(edition, required=required, zone=settings.zone, is_strict=is_strict),
        RouteTable(
            edition,
            tuple(Profile(each.id, each.platform, each.name, each.profile_type) for each in settings.profiles),
            tuple(Route(each.platform, each.profile_type, each.path) for each in settings.routes),
        ),
    )


def ingest_files(
    paths: Sequence[Path],
    ledger: Ledger,
    run_id: str,
    *,
    rules: Rules,
    options: LoadOptions,
    on_rows: Callable[[int, int], None],
) -> None:
    """Stage each row of the files and plan the run: the files are one call with one key space.

    `on_rows` is told the rows read so far and the estimated total. Raises SourceError when a file is no table; the
    run then has no plan, and nothing of it can be sent.
    """
    rows_read = 0
    rows_expected = 0
    for path in paths:
        skipped: list[Table] = []
        matched = 0
        digest = ""
        for table in open_tables(path, options):
            columns = _columns_of(table, rules)
            if columns is None:
                skipped.append(table)
                continue
            matched += 1
            rows_expected += table.rows_estimate
            digest = digest or sha256_of(path)
            source_pk = add_source(ledger, run_id, _source_of(table, digest, columns), columns.findings)
            rows_of_table = 0
            code_at = _code_column(table.header)
            for chunk in table.chunks:
                staged = [judge_row(row, columns, rules, code_at=code_at) for row in chunk.rows]
                stage_rows(ledger, run_id, source_pk, staged, blank_rows=chunk.blank_rows)
                rows_of_table += len(staged)
                rows_read += len(staged)
                on_rows(rows_read, max(rows_read, rows_expected))
            if not rows_of_table:
                found = finding(Code.NO_ROWS, "a header and no rows")
                add_source_finding(ledger, run_id, source_pk, _judged(found, rules))
        if not matched or (skipped and options.sheets):
            raise _without_header(path, skipped[0], rules)
        for table in skipped:
            source_pk = add_source(ledger, run_id, _source_of(table, digest), ())
            message = (
                f"sheet {table.sheet} was not read, about {table.rows_estimate:,} rows: its row "
                f"{table.header_row_number} names no known column"
            )
            found = finding(Code.SKIPPED_SHEET, message)
            if not table.rows_estimate:
                found = found._replace(severity=Severity.WARNING)  # one line of text, and no rows that could be missed
            add_source_finding(ledger, run_id, source_pk, _judged(found, rules))
    plan_run(ledger, run_id)


def _columns_of(table: Table, rules: Rules) -> ColumnMap | None:
    columns = match_columns(table.header, rules.edition, aliases=rules.aliases, required=rules.required_columns)
    if columns is None or not rules.validator.is_strict:
        return columns
    return replace(columns, findings=tuple(_judged(each, rules) for each in columns.findings))


def _judged(found: Finding, rules: Rules) -> Finding:
    return found._replace(severity=Severity.ERROR) if rules.validator.is_strict else found


def judge_row(row: Row, columns: ColumnMap, rules: Rules, *, code_at: int | None = None) -> StagedRow:
    """Return the row with its request, or with every finding that keeps it from having one.

    `code_at` is the cell in which our own errors.csv says what was wrong with the row.
    """
    cells = row.cells + row.extra_cells
    damage = _damage(row, code_at)
    if damage:
        # Nothing else is said of it: a lost or an extra delimiter shifts all cells behind it.
        return StagedRow(row.row_number, cells, "", None, damage)
    picked = pick_values(row, columns)
    if any(each.severity is Severity.ERROR for each in columns.findings):
        # The finding stands once, with the file; what errors.csv could not show any more stands with the row.
        return StagedRow(row.row_number, cells, "", None, numeric_identifiers(picked, rules.edition))
    values = apply_rules(picked, rules.values)
    judged = validate_values(values, rules.validator)
    routed = route_row(values, judged.platform, rules.routes)
    properties = judged.state.model_dump(exclude_none=True, exclude={"odata_type"}) if judged.state else {}
    key = key_of(routed.collection, properties or _given(values))
    findings = (*judged.findings, *routed.findings)
    if not key:
        findings += (finding(Code.NO_IDENTITY, "no thumbprint, and no issuer with a serial number"),)
    if judged.state is None or not routed.collection or not key:
        return StagedRow(row.row_number, cells, judged.platform, None, findings)
    body = judged.state.model_dump_json(by_alias=True, exclude_none=True).encode()
    fingerprint = fingerprint_of(rules.edition, properties)
    request = Request(Operation.CREATE, routed.collection, body, key, fingerprint)
    return StagedRow(row.row_number, cells, judged.platform, request, findings)


def _damage(row: Row, code_at: int | None) -> tuple[Finding, ...]:
    if row.missing_cells or row.extra_cells:
        return (_ragged(row),)
    if code_at is None:
        return ()
    return tuple(_not_mended(code) for code in NEVER_SEEN_AGAIN if code in row.cells[code_at])


def _given(values: Values) -> dict[str, str]:
    return {name: text for name, text in zip(values.columns.names, values.texts, strict=True) if text.strip()}


def _ragged(row: Row) -> Finding:
    width = len(row.cells)
    has = width + len(row.extra_cells) - row.missing_cells
    return finding(Code.RAGGED_ROW, f"the row has {has} cells and the header {width}")


def _not_mended(code: Code) -> Finding:
    message, cure = NEVER_SEEN_AGAIN[code]
    return finding(code, message, column=CODE_COLUMN, hint=f"{cure}, then empty the row's cell {CODE_COLUMN}")


def _code_column(header: Sequence[str]) -> int | None:
    return next((at for at, cell in enumerate(header) if cell.strip().casefold() == CODE_COLUMN), None)


def _source_of(table: Table, digest: str, columns: ColumnMap | None = None) -> NewSource:
    properties = [""] * len(table.header)
    if columns is not None:
        for name, index in zip(columns.names, columns.indexes, strict=True):
            if index is not None:
                properties[index] = name
    # A file name that is no valid UTF-8 must not keep its rows out of the ledger.
    file = str(table.source).encode("utf-8", "replace").decode()
    return NewSource(file, table.sheet, digest, table.encoding, table.delimiter, table.header, tuple(properties))


def _without_header(path: Path, table: Table, rules: Rules) -> SourceError:
    sheet = f", sheet {table.sheet}" if table.sheet else ""
    cells = [cell.strip() for cell in table.header if cell.strip()]
    delimiter = "; if its cells stand in one, name the --delimiter" if table.delimiter and len(cells) == 1 else ""
    return SourceError(
        f"{path}{sheet}: no header: none of the cells of row {table.header_row_number} is a known column "
        f"({', '.join(cells)[:120]}); the first row must name columns such as {rules.edition.properties[0].name} and "
        f"{rules.edition.properties[3].name}, or yours must be named under `columns:` in config.yaml{delimiter}"
    )
