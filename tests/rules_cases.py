"""What the tests of the value rules' application share: a header, its values, and the rules with what is declared."""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.columns import match_columns
from pipeline.declared import DateNumber, DateOrder, SerialForm
from pipeline.editions import EDITION_CURRENT
from pipeline.findings import Code, Finding, change
from pipeline.model import CellType, ColumnMap, Values
from pipeline.values import DateRules, Prepared, ValueRules, apply_rules, value_rules

NOT_IN_THE_FILE = frozenset({"certificate", "certificateErrorCode", "profileType"})


def column_map() -> ColumnMap:
    """Return the map of a header that names all properties of edition current but one."""
    names = [each.name for each in EDITION_CURRENT.properties] + ["deviceConfigurationId"]
    header = [name for name in names if name not in NOT_IN_THE_FILE]
    columns = match_columns(header, EDITION_CURRENT, aliases={}, required=frozenset())
    assert columns is not None
    return columns


COLUMNS = column_map()


def values_of(texts: Mapping[str, str], types: Mapping[str, CellType] | None = None) -> Values:
    """Return the values of a row with these texts, and with these types of cells."""
    not_text = tuple((COLUMNS.names.index(name), cell_type) for name, cell_type in (types or {}).items())
    return Values(COLUMNS, tuple(texts.get(name, "") for name in COLUMNS.names), not_text)


def rules_with(
    replacements: Mapping[str, Mapping[str, str]] | None = None,
    defaults: Mapping[str, str] | None = None,
    *,
    dates: DateRules | None = None,
    serial: SerialForm | None = SerialForm.HEX,
    repairs: bool = True,
) -> ValueRules:
    """Return the rules of edition current with what is declared."""
    return value_rules(
        EDITION_CURRENT,
        COLUMNS.names,
        replacements=replacements or {},
        defaults=defaults or {},
        dates=dates or DateRules(),
        serial=serial,
        repairs=repairs,
    )


class After(NamedTuple):
    """What the rules made of a row, in short."""

    texts: dict[str, str]  # without empty ones
    changes: list[tuple[str, Code, str]]  # column, rule, was -> is
    problems: list[tuple[str, Code]]


def after(row: Values, rules: ValueRules) -> After:
    """Apply the rules to one row; each change is checked to be what `change` makes of it."""
    (prepared,) = apply_rules([row], rules)
    return short(prepared)


def short(prepared: Prepared) -> After:
    """Return what the rules made of a row, in short."""
    texts = {name: text for name, text in zip(COLUMNS.names, prepared.values.texts, strict=True) if text.strip()}
    changes, problems = [], []
    for each in prepared.findings:
        if is_change(each):
            changes.append((each.column, each.code, each.message))
        else:
            problems.append((each.column, each.code))
    return After(texts, changes, problems)


def is_change(found: Finding) -> bool:
    """Return True if the finding is `was -> is`."""
    was, arrow, text = found.message.partition(" -> ")
    return bool(arrow) and found == change(found.code, found.value, text, column=found.column) and bool(was)


DAY_FIRST = DateRules(order=DateOrder.DMY, number=DateNumber.EXCEL_1900)
