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
    ColumnMap,
    Operation,
    Request,
    Row,
    StagedRow,
    Values,
)
from pipeline.presets import Preset, declarations, known_headers
from pipeline.returned import (
    NEVER_SEEN_AGAIN,
    SENT,
    OwnColumns,
    changed_since,
    is_causes_header,
    not_mended,
    own_columns,
    parents_in,
    still_masked,
    without_causes,
)
from pipeline.routes import Profile, RouteTable, route_row
from pipeline.templates import Template, parse_template
from pipeline.validate import Validator, open_validator, validate_values
from pipeline.values import CERTIFIED, DateRules, Prepared, ValueRules, apply_rules, value_rules

OWN_HEADERS = frozenset(fold_header(header) for header in CERTIFICATE_FILE_HEADER)
"""Columns that the loader gives to certificate files, for templates and readers: nobody wrote them by mistake."""


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
    options = replace(options, known_columns=partial(count_known, rules=rules))
    for path in paths:
        skipped: list[Table] = []
        matched = 0
        digest = ""
        for table in without_causes(open_tables(path, options)):
            columns = columns_of(table, rules)
            if columns is None:
                skipped.append(table)
                continue
            matched += 1
            rows_expected += table.rows_estimate
            digest = digest or sha256_of(path)
            source_pk = add_source(ledger, run_id, _source_of(table, digest, rules, columns), columns.findings)
            rows_of_table = 0
            own = own_columns(table.header)
            parents: tuple[str, ...] = ()
            orders = DateOrders(table.header)
            for chunk in table.chunks:
                staged = list(judge_rows(chunk.rows, columns, rules, own))
                parents = parents_in(chunk.rows, own, parents) if own else ()
                stage_rows(ledger, run_id, source_pk, staged, blank_rows=chunk.blank_rows, parents=parents)
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
            source_pk = add_source(ledger, run_id, _source_of(table, digest, rules), table.findings)
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
    own = own_columns(table.header)
    ignored = OWN_HEADERS if table.header == CERTIFICATE_FILE_HEADER else own.ignored_headers if own else frozenset()
    columns = match_columns(
        table.header,
        rules.edition,
        aliases=rules.aliases,
        required=rules.required_columns,
        templates=rules.templates,
        certified=CERTIFIED,
        ignored=rules.ignored_headers | ignored,
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


def count_known(cells: Sequence[str], rules: Rules) -> int:
    """Return how many cells name a known column. The header of our sheet of causes counts too: it is none of rows."""
    known = count_known_columns(cells, rules.edition, rules.aliases, rules.templates)
    return len(cells) if is_causes_header(cells) else known


def _source_of(table: Table, digest: str, rules: Rules, columns: ColumnMap | None = None) -> NewSource:
    properties = [""] * len(table.header)
    if columns is not None:
        for name, index in zip(columns.names, columns.indexes, strict=True):
            if index is not None:
                properties[index] = name
        if any(each.code is Code.DUPLICATE_COLUMN for each in columns.findings):
            pairs = zip(properties, table.header, strict=True)
            properties = [name or _property_of(header, rules) for name, header in pairs]
    # A file name that is no valid UTF-8 must not keep its rows out of the ledger.
    file = str(table.source).encode("utf-8", "replace").decode()
    return NewSource(file, table.sheet, digest, table.encoding, table.delimiter, table.header, tuple(properties))


def _property_of(header: str, rules: Rules) -> str:
    """Return the property that a column with this header would stand for if it were the only one, or ""."""
    columns = match_columns((header,), rules.edition, aliases=rules.aliases, required=frozenset())
    names = zip(columns.names, columns.indexes, strict=True) if columns else ()
    return next((name for name, index in names if index is not None), "")


def _without_header(path: Path, table: Table, rules: Rules) -> SourceError:
    sheet = f", sheet {table.sheet}" if table.sheet else ""
    cells = [cell.strip() for cell in table.header if cell.strip()]
    delimiter = "; if its cells stand in one, name the --delimiter" if table.delimiter and len(cells) == 1 else ""
    return SourceError(
        f"{path}{sheet}: no header: none of the cells of row {table.header_row_number} is a known column "
        f"({', '.join(cells)[:120]}); the first row must name columns such as {rules.edition.properties[0].name} and "
        f"{rules.edition.properties[3].name}, or yours must be named under `columns:` in config.yaml{delimiter}"
    )
