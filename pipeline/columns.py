"""Header row -> which cell holds which property. Exact names and declared aliases only: nothing is guessed."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from pipeline.editions import Edition
from pipeline.findings import Code, Finding, finding, shorten
from pipeline.identity import failed_formula, fold_header
from pipeline.model import (
    CERTIFICATE_COLUMN,
    EXTRA_COLUMNS,
    IMPORT_PREFIX,
    CellType,
    ColumnMap,
    Composite,
    Row,
    Values,
    column_letter,
)
from pipeline.quoting import quoted
from pipeline.templates import Template


def count_known_columns(
    cells: Sequence[str],
    edition: Edition,
    aliases: Mapping[str, Sequence[str]],
    templates: Mapping[str, Template] | None = None,
) -> int:
    """Return how many of the cells name a column that would be read: what tells a header from a title."""
    used = {fold_header(header) for each in (templates or {}).values() for header in each.headers}
    return len({fold_header(cell) for cell in cells} & (_meant(edition, aliases).keys() | used))


def match_columns(
    header: Sequence[str],
    edition: Edition,
    *,
    aliases: Mapping[str, Sequence[str]],
    required: frozenset[str],
    templates: Mapping[str, Template] | None = None,
    certified: frozenset[str] = frozenset(),
    ignored: frozenset[str] = frozenset(),
) -> ColumnMap | None:
    """Return the map from the edition's properties to cells, or None when no cell of `header` is a known column.

    `aliases` are further header names by property; `required` the properties that need a column of their own;
    `certified` those of them that a column `certificate` makes up for; `ignored` are folded headers that are not
    told as unknown.
    """
    templates = templates or {}
    names = (*(each.name for each in edition.properties), *EXTRA_COLUMNS)
    meant = _meant(edition, aliases)
    columns_of: dict[str, list[int]] = {name: [] for name in names}
    index_of: dict[str, list[int]] = {}
    unused: list[tuple[int, str]] = []
    for index, cell in enumerate(header):
        index_of.setdefault(fold_header(cell), []).append(index)
        name = meant.get(fold_header(cell))
        if name is not None:
            columns_of[name].append(index)
        elif not cell.strip().casefold().startswith(IMPORT_PREFIX):
            unused.append((index, cell))
    if any(cell.strip().casefold().startswith(IMPORT_PREFIX) for cell in header):
        # created.csv has a column for each property, filled with what the template made.
        templates = {name: each for name, each in templates.items() if not columns_of.get(name)}
    composites = {name: _composite(templates[name], index_of) for name in names if name in templates}
    placed = [index for each in composites.values() if each for index in each.indexes]
    if not any(columns_of.values()) and not placed:
        return None
    findings = [
        _unused_column(cell, index, meant)
        for index, cell in unused
        if index not in placed and fold_header(cell) not in ignored
    ]
    findings += [_duplicate_column(name, header, found) for name, found in columns_of.items() if len(found) > 1]
    for name, template in templates.items():
        findings += _about_template(name, template, header, columns_of.get(name, []), index_of)
    made_up_for = certified if columns_of[CERTIFICATE_COLUMN] else frozenset()
    findings += [
        finding(Code.MISSING_COLUMN, f"no column holds the required property {name}", column=name)
        for name in names
        if name in required - made_up_for and not columns_of[name] and name not in templates
    ]
    indexes = tuple(columns_of[name][0] if columns_of[name] else None for name in names)
    headers = tuple(name if at is None else header[at] for name, at in zip(names, indexes, strict=True))
    return ColumnMap(names, headers, indexes, tuple(findings), tuple(composites.get(name) for name in names))


def pick_values(row: Row, columns: ColumnMap) -> Values:
    """Return the row's cells in the order of the column map's names. No cell is changed.

    A composite is put together where each of its cells has content; else it is empty, and nothing is made up.
    """
    cells = row.cells
    texts = tuple("" if index is None else cells[index] for index in columns.indexes)
    types = dict(row.not_text)
    not_text: list[tuple[int, CellType]] = []
    if any(columns.composites):
        pairs = zip(columns.composites, texts, strict=True)
        texts = tuple(_compose(composite, cells) if composite else text for composite, text in pairs)
    for each in columns.composites:
        # Within a longer text nobody would see that a cell shows an error.
        failed = (index for index in (each.indexes if each else ()) if failed_formula(cells[index]))
        types |= dict.fromkeys(failed, CellType.ERROR)
    if types:
        for at, (index, composite) in enumerate(zip(columns.indexes, columns.composites, strict=True)):
            used = composite.indexes if composite else () if index is None else (index,)
            found = [types[each] for each in used if each in types]
            not_text += [(at, each) for each in dict.fromkeys(found)]
    return Values(columns, texts, tuple(not_text))


def _meant(edition: Edition, aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the folded headers that are understood, each with the name that it stands for."""
    meant = {fold_header(name): name for name in (*(each.name for each in edition.properties), *EXTRA_COLUMNS)}
    return meant | {fold_header(alias): name for name, spellings in aliases.items() for alias in spellings}


def _composite(template: Template, index_of: Mapping[str, Sequence[int]]) -> Composite | None:
    found = [index_of.get(fold_header(header), ()) for header in template.headers]
    return Composite(template.literals, tuple(each[0] for each in found)) if all(found) else None


def _compose(composite: Composite, cells: Sequence[str]) -> str:
    used = [cells[index] for index in composite.indexes]
    if not all(text.strip() for text in used):
        return ""
    text = composite.literals[0]
    for cell, literal in zip(used, composite.literals[1:], strict=True):
        text += cell + literal
    return text


def _about_template(
    name: str,
    template: Template,
    header: Sequence[str],
    columns: Sequence[int],
    index_of: Mapping[str, Sequence[int]],
) -> list[Finding]:
    if columns:
        where = f"column {column_letter(columns[0])} ({shorten(header[columns[0]].strip())})"
        message = f"both {where} and `templates:` say what {name} is"
        hint = f"take {name} out of `templates:` in config.yaml, or rename the column"
        return [finding(Code.DUPLICATE_COLUMN, message, column=header[columns[0]], hint=hint)]
    twice = [each for each in template.headers if len(index_of.get(fold_header(each), ())) > 1]
    if twice:
        message = f"several columns have the header {shorten(twice[0])}, of which `templates:` makes {name}"
        return [finding(Code.DUPLICATE_COLUMN, message, column=twice[0])]
    lacking = [each for each in template.headers if fold_header(each) not in index_of]
    if lacking:
        message = f"no column has the header {shorten(lacking[0])}, of which `templates:` makes {name}"
        hint = "correct the header in `templates:` of config.yaml, or add the column"
        return [finding(Code.MISSING_COLUMN, message, column=name, hint=hint)]
    if not template.headers:
        message = f"{name} is {shorten(template.literals[0])} in every row, as `templates:` declares"
        return [finding(Code.DECLARED_VALUE, message, column=name)]
    made_of = " and ".join(shorten(each.strip()) for each in template.headers)
    return [finding(Code.DECLARED_VALUE, f"{name} is made of {made_of}, as `templates:` declares", column=name)]


def _unused_column(cell: str, index: int, meant: Mapping[str, str]) -> Finding:
    if not cell.strip():
        message = f"column {column_letter(index)} has no header; its cells are not sent"
        return finding(Code.UNKNOWN_COLUMN, message, hint="give the column a header if it should be sent")
    if fold_header(cell) == "id":
        return finding(Code.IGNORED_COLUMN, "the column id is not sent: the service assigns it", column=cell)
    near = get_close_matches(fold_header(cell), meant, n=1, cutoff=0.8)
    name = meant[near[0]] if near else "<property>"
    question = f"did you mean {name}? " if near else ""
    header = quoted(shorten(cell.strip()))
    hint = (
        f"{question}To send it, name it in config.yaml, such as `columns: {{{name}: [{header}]}}`; "
        f"else `ignored: [{header}]`"
    )
    return finding(Code.UNKNOWN_COLUMN, "no property has this name; its cells are not sent", column=cell, hint=hint)


def _duplicate_column(name: str, header: Sequence[str], indexes: Sequence[int]) -> Finding:
    where = " and ".join(f"{column_letter(index)} ({shorten(header[index].strip())})" for index in indexes)
    return finding(
        Code.DUPLICATE_COLUMN,
        f"columns {where} {'both' if len(indexes) == 2 else 'all'} stand for {name}",
        column=header[indexes[0]],
    )
