"""Phase one: files -> staged rows in the ledger, judged and routed, and planned once all files are read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.certificates import without_private_keys
from pipeline.columns import count_known_columns, match_columns, pick_values
from pipeline.config import Settings
from pipeline.date_orders import DateOrders
from pipeline.declared import SerialForm
from pipeline.editions import EDITIONS, Edition, Route
from pipeline.errors import SourceError
from pipeline.findings import Code, Finding, Severity, finding, shorten
from pipeline.identity import fingerprint_of, fold_header, key_of
from pipeline.ledger import Ledger, NewSource, add_source, add_source_finding, plan_run, refuse_rows, stage_rows
from pipeline.load import CERTIFICATE_FILE_HEADER, LoadOptions, Table, open_tables, sha256_of
from pipeline.model import (
    CERTIFICATE_COLUMN,
    EXTRA_COLUMNS,
    IMPORT_PREFIX,
    ColumnMap,
    Operation,
    Request,
    Row,
    StagedRow,
    State,
    Values,
)
from pipeline.presets import Preset, declarations, known_headers
from pipeline.routes import Profile, RouteTable, route_row
from pipeline.templates import Template, parse_template
from pipeline.validate import Validator, open_validator, validate_values
from pipeline.values import CERTIFIED, DateRules, Prepared, ValueRules, apply_rules, value_rules

CODE_COLUMN, STATUS_COLUMN = f"{IMPORT_PREFIX}code", f"{IMPORT_PREFIX}status"

SENT = (State.CREATED, State.UPDATED)
"""Rows of created.csv stand there as they were sent: to do again what was declared would change them once more."""

OWN_HEADERS = frozenset(fold_header(header) for header in CERTIFICATE_FILE_HEADER)
"""Columns that the loader gives to certificate files, for templates and readers: nobody wrote them by mistake."""


NEVER_SEEN_AGAIN = {
    Code.RAGGED_ROW: (
        "the row had more or fewer cells than the header when it was read first",
        "put each value under its header",
    ),
    Code.NUMERIC_IDENTIFIER: (
        "the workbook held an identifier of this row as a number when it was read first, so digits may be lost",
        "put the value in from its source",
    ),
    Code.BROKEN_QUOTES: (
        "the quotes of the row were broken when it was read first, so its cells could not be told apart",
        "put each value under its header",
    ),
    Code.UNCALCULATED_FORMULA: (
        "a cell of this row held a formula without a result when it was read first",
        "enter the value",
    ),
    Code.MERGED_CELL: (
        "a cell of this row was merged with another one when it was read first, so it had no value of its own",
        "enter the value",
    ),
}
"""Damage that errors.csv cannot show: there each row has a cell for each column, and all cells are text. So the code
that it carries keeps the row out until somebody has mended it and said so."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All that decides what a row becomes, as the configuration, the preset and the command line declare it."""

    edition: Edition
    aliases: Mapping[str, tuple[str, ...]]
    ignored_headers: frozenset[str]  # folded
    templates: Mapping[str, Template]
    defaults: Mapping[str, str]
    required_columns: frozenset[str]
    values: ValueRules
    sent_values: ValueRules  # of rows of created.csv: what was declared has been done to them already
    validator: Validator
    routes: RouteTable
    is_strict: bool  # warnings count as errors


def rules_of(settings: Settings, *, is_strict: bool, preset: Preset | None = None, repairs: bool = True) -> Rules:
    """Return the rules that the settings declare; what the preset says counts where they are silent.

    Without `repairs` values are sent as the files have them, or refused; what the settings declare is still done.
    """
    edition = EDITIONS[settings.edition]
    required = edition.required - set(settings.optional)
    names = (*(each.name for each in edition.properties), *EXTRA_COLUMNS)
    known = known_headers(preset, edition, settings.columns, settings.templates)
    declared = declarations(
        preset, timezone=settings.timezone, date_number=settings.date_number, serial=settings.serial
    )
    zone = ZoneInfo(declared.timezone) if declared.timezone else None
    return Rules(
        edition=edition,
        aliases=known.aliases,
        ignored_headers=known.ignored | {fold_header(header) for header in settings.ignored},
        templates={name: parse_template(text) for name, text in settings.templates.items()},
        defaults=settings.defaults,
        required_columns=required - set(settings.defaults),
        values=value_rules(
            edition,
            names,
            replacements=_replacements(settings, preset, names),
            defaults=settings.defaults,
            dates=DateRules(settings.date_order, declared.date_number, zone),
            serial=declared.serial,
            repairs=repairs,
        ),
        sent_values=value_rules(
            edition,
            names,
            replacements={},
            defaults={},
            dates=DateRules(),
            serial=SerialForm.HEX,
            repairs=repairs,
        ),
        validator=open_validator(edition, required=required),
        routes=RouteTable(
            edition,
            tuple(Profile(each.id, each.platform, each.name, each.profile_type) for each in settings.profiles),
            tuple(Route(each.platform, each.profile_type, each.path) for each in settings.routes),
        ),
        is_strict=is_strict,
    )


def _replacements(settings: Settings, preset: Preset | None, names: Sequence[str]) -> dict[str, dict[str, str]]:
    replacements = {name: dict(settings.values.get(name, {})) for name in names}
    if preset is not None:
        for name in names:
            replacements[name] = dict.fromkeys(preset.empty_words, "") | replacements[name]
        for name, pairs in preset.values:
            if name in replacements:
                replacements[name] = dict(pairs) | replacements[name]
    return replacements


def ingest_files(
    paths: Sequence[Path],
    ledger: Ledger,
    run_id: str,
    *,
    rules: Rules,
    options: LoadOptions,
    on_rows: Callable[[int, int], None],
    updates: bool = False,
    looks: bool | None = None,
) -> None:
    """Stage each row of the files and plan the run: the files are one call with one key space.

    `updates` and `looks` are `plan_run`'s.
    `on_rows` is told the rows read so far and the estimated total. Raises SourceError when a file is no table; the
    run then has no plan, and nothing of it can be sent.
    """
    rows_read = 0
    rows_expected = 0
    known = partial(count_known_columns, edition=rules.edition, aliases=rules.aliases, templates=rules.templates)
    options = replace(options, known_columns=known)
    for path in paths:
        skipped: list[Table] = []
        matched = 0
        digest = ""
        for table in open_tables(path, options):
            columns = columns_of(table, rules)
            if columns is None:
                skipped.append(table)
                continue
            matched += 1
            rows_expected += table.rows_estimate
            digest = digest or sha256_of(path)
            source_pk = add_source(ledger, run_id, _source_of(table, digest, columns), columns.findings)
            rows_of_table = 0
            code_at, status_at = (_own_column(table.header, name) for name in (CODE_COLUMN, STATUS_COLUMN))
            orders = DateOrders(table.header)
            for chunk in table.chunks:
                staged = list(judge_rows(chunk.rows, columns, rules, code_at=code_at, status_at=status_at))
                stage_rows(ledger, run_id, source_pk, staged, blank_rows=chunk.blank_rows)
                orders.take_in(staged)
                rows_of_table += len(staged)
                rows_read += len(staged)
                on_rows(rows_read, max(rows_read, rows_expected))
            for found in orders.contradicted():
                refuse_rows(ledger, run_id, source_pk, Code.DATE_ORDER, found)
            if not rows_of_table:
                found = finding(Code.NO_ROWS, "a header and no rows")
                add_source_finding(ledger, run_id, source_pk, _judged(found, rules))
        if not matched or (skipped and options.sheets):
            raise _without_header(path, skipped[0], rules)
        for table in skipped:
            source_pk = add_source(ledger, run_id, _source_of(table, digest), table.findings)
            message = (
                f"sheet {table.sheet} was not read, about {table.rows_estimate:,} rows: its row "
                f"{table.header_row_number} names no known column"
            )
            found = finding(Code.SKIPPED_SHEET, message)
            if not table.rows_estimate:
                found = found._replace(severity=Severity.WARNING)  # one line of text, and no rows that could be missed
            add_source_finding(ledger, run_id, source_pk, _judged(found, rules))
    plan_run(ledger, run_id, updates=updates, looks=looks)


def columns_of(table: Table, rules: Rules) -> ColumnMap | None:
    """Return where the table's cells belong, with all findings about the whole of it; None without a known column."""
    columns = match_columns(
        table.header,
        rules.edition,
        aliases=rules.aliases,
        required=rules.required_columns,
        templates=rules.templates,
        certified=CERTIFIED,
        ignored=rules.ignored_headers | (OWN_HEADERS if table.header == CERTIFICATE_FILE_HEADER else frozenset()),
    )
    if columns is None:
        return None
    places = dict(zip(columns.names, columns.indexes, strict=True))
    filled = tuple(
        finding(Code.DECLARED_VALUE, f"{name} is {shorten(text)} in every row, as `defaults:` declares", column=name)
        for name, text in rules.defaults.items()
        if places.get(name) is None and name not in rules.templates
    )
    findings = (*table.findings, *columns.findings, *filled)
    return replace(columns, findings=tuple(_judged(each, rules) for each in findings))


def _judged(found: Finding, rules: Rules) -> Finding:
    is_raised = rules.is_strict and found.severity is Severity.WARNING
    return found._replace(severity=Severity.ERROR) if is_raised else found


def judge_rows(
    rows: Sequence[Row],
    columns: ColumnMap,
    rules: Rules,
    *,
    code_at: int | None = None,
    status_at: int | None = None,
) -> Iterator[StagedRow]:
    """Yield the rows of one table in their order, each with its request or every finding that keeps it from one.

    `code_at` and `status_at` are the cells in which our own reports say what was wrong with the row, and how it ended.
    """
    is_refused = any(each.severity is Severity.ERROR for each in columns.findings)
    rows = [_without_secrets(row) for row in rows]
    damage_of = [_damage(row, code_at) for row in rows]
    sound = [row for row, damage in zip(rows, damage_of, strict=True) if not damage]
    picked = [pick_values(row, columns) for row in sound]
    prepared = iter(apply_rules(picked, rules.values))
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
            yield _judge_row(row, next(given), next(prepared), rules)


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
    judged = validate_values(values, rules.validator)
    routed = route_row(values, judged.platform, rules.routes)
    properties = judged.state.model_dump(exclude_none=True, exclude={"odata_type"}) if judged.state else {}
    key = key_of(routed.collection, properties or _filled(values))
    found = (*prepared.findings, *_not_said_yet((*judged.findings, *routed.findings), given, prepared))
    if any(each.code is Code.NOT_A_CERTIFICATE and "private key" in each.message for each in prepared.findings):
        row = _without_certificate(row, given.columns)
    if not key and not _lacks_certificate(prepared):
        found += (finding(Code.NO_IDENTITY, "no thumbprint, and no issuer with a serial number"),)
    findings = tuple(_judged(each, rules) for each in found)
    is_valid = bool(key) and not any(each.severity is Severity.ERROR for each in findings)
    if judged.state is None or not is_valid or not routed.collection:
        return StagedRow(row.row_number, row.cells, judged.platform, None, findings)
    body = judged.state.model_dump_json(by_alias=True, exclude_none=True).encode()
    fingerprint = fingerprint_of(rules.edition, properties)
    request = Request(Operation.CREATE, routed.collection, body, key, fingerprint)
    return StagedRow(row.row_number, row.cells, judged.platform, request, findings)


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


def _damage(row: Row, code_at: int | None) -> tuple[Finding, ...]:
    if row.broken:
        return (finding(Code.BROKEN_QUOTES, row.broken),)
    if row.missing_cells or row.extra_cells:
        return (_ragged(row),)
    if code_at is None:
        return ()
    return tuple(_not_mended(code) for code in NEVER_SEEN_AGAIN if code in row.cells[code_at])


def _filled(values: Values) -> dict[str, str]:
    return {name: text for name, text in zip(values.columns.names, values.texts, strict=True) if text.strip()}


def _ragged(row: Row) -> Finding:
    width = len(row.cells)
    has = width + len(row.extra_cells) - row.missing_cells
    shown = " | ".join(cell for cell in (*row.cells, *row.extra_cells) if cell.strip())
    return finding(Code.RAGGED_ROW, f"the row has {has} cells and the header {width}", value=shown)


def _not_mended(code: Code) -> Finding:
    message, cure = NEVER_SEEN_AGAIN[code]
    return finding(code, message, column=CODE_COLUMN, hint=f"{cure}, then empty the row's cell {CODE_COLUMN}")


def _own_column(header: Sequence[str], name: str) -> int | None:
    return next((at for at, cell in enumerate(header) if cell.strip().casefold() == name), None)


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
