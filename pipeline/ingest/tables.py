"""A table as a whole: where its cells belong, what the ledger keeps of it, and what is wrong with all of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.columns import count_known_columns, match_columns
from pipeline.errors import SourceError
from pipeline.findings import Code, finding, shorten
from pipeline.identity import fold_header
from pipeline.ingest.rules import Rules, judged
from pipeline.ledger import NewSource
from pipeline.load import CERTIFICATE_FILE_HEADER, Table
from pipeline.model import ColumnMap
from pipeline.returned import is_causes_header, own_columns
from pipeline.values import CERTIFIED

OWN_HEADERS = frozenset(fold_header(header) for header in CERTIFICATE_FILE_HEADER)
"""Columns that the loader gives to certificate files, for templates and readers: nobody wrote them by mistake."""


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
    return replace(columns, findings=tuple(judged(each, rules) for each in findings))


def count_known(cells: Sequence[str], rules: Rules) -> int:
    """Return how many cells name a known column. The header of our sheet of causes counts too: it is none of rows."""
    known = count_known_columns(cells, rules.edition, rules.aliases, rules.templates)
    return len(cells) if is_causes_header(cells) else known


def source_of(table: Table, digest: str, rules: Rules, columns: ColumnMap | None = None) -> NewSource:
    """Return what the ledger keeps of the table; `digest` is the SHA-256 of its file."""
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


def without_header(path: Path, table: Table, rules: Rules) -> SourceError:
    """Return the error that says that no header was found in the table."""
    sheet = f", sheet {table.sheet}" if table.sheet else ""
    cells = [cell.strip() for cell in table.header if cell.strip()]
    delimiter = "; if its cells stand in one, name the --delimiter" if table.delimiter and len(cells) == 1 else ""
    return SourceError(
        f"{path}{sheet}: no header: none of the cells of row {table.header_row_number} is a known column "
        f"({', '.join(cells)[:120]}); the first row must name columns such as {rules.edition.properties[0].name} and "
        f"{rules.edition.properties[3].name}, or yours must be named under `columns:` in config.yaml{delimiter}"
    )
