"""The declared value rules: `values:` replaces whole cells, `defaults:` fills empty ones, nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.columns import match_columns
from pipeline.editions import EDITION_CURRENT
from pipeline.model import CellType, ColumnMap, Values
from pipeline.values import apply_rules, value_rules

HEADER = ("devicePlatform", "deviceDisplayName", "certificateSerialNumber", "deviceConfigurationId")


def column_map() -> ColumnMap:
    columns = match_columns(HEADER, EDITION_CURRENT, aliases={}, required=frozenset())
    assert columns is not None
    return columns


COLUMNS = column_map()


def values_of(not_text: tuple[tuple[int, CellType], ...] = (), **texts: str) -> Values:
    return Values(COLUMNS, tuple(texts.get(name, "") for name in COLUMNS.names), not_text)


def test_without_rules_the_values_stay_the_same() -> None:
    """No declared rule means no change at all, blanks included."""
    values = values_of(devicePlatform=" iphone ", deviceDisplayName=" ")
    rules = value_rules(COLUMNS.names, {}, {})

    assert rules.change_nothing
    assert apply_rules(values, rules) is values


@pytest.mark.parametrize("text", ["iPhone", "IPHONE", "  iphone ", "\u00a0iPhone\t"])
def test_a_declared_text_is_replaced(text: str) -> None:
    """The whole cell is replaced; letter case and blanks around it make no difference."""
    rules = value_rules(COLUMNS.names, {"devicePlatform": {" iPhone": "iOS"}}, {})

    assert apply_rules(values_of(devicePlatform=text), rules) == values_of(devicePlatform="iOS")


@pytest.mark.parametrize("text", ["iPhone 15", "myiPhone", "i Phone", ""])
def test_part_of_a_cell_is_never_replaced(text: str) -> None:
    """A cell that merely holds the declared text, or is empty, stays as it is."""
    rules = value_rules(COLUMNS.names, {"devicePlatform": {"iPhone": "iOS"}}, {})

    assert apply_rules(values_of(devicePlatform=text), rules) == values_of(devicePlatform=text)


def test_a_replacement_belongs_to_its_property() -> None:
    """The same text in another column is not touched."""
    rules = value_rules(COLUMNS.names, {"devicePlatform": {"iPhone": "iOS"}}, {})
    values = values_of(devicePlatform="iPhone", deviceDisplayName="iPhone")

    assert apply_rules(values, rules) == values_of(devicePlatform="iOS", deviceDisplayName="iPhone")


def test_a_replacement_is_not_replaced_again() -> None:
    """Rules are applied once: two words can be exchanged."""
    rules = value_rules(COLUMNS.names, {"devicePlatform": {"iOS": "macOS", "macOS": "iOS"}}, {})

    assert apply_rules(values_of(devicePlatform="iOS"), rules) == values_of(devicePlatform="macOS")


@pytest.mark.parametrize("text", ["", "  ", "\u00a0", "\n"])
def test_a_default_fills_an_empty_cell_and_an_absent_column(text: str) -> None:
    """An empty cell, one of white space only, and a property without a column get the declared value."""
    rules = value_rules(COLUMNS.names, {}, {"deviceDisplayName": "unnamed", "certificateIssuer": "CN=Contoso CA"})

    filled = apply_rules(values_of(deviceDisplayName=text), rules)

    assert filled == values_of(deviceDisplayName="unnamed", certificateIssuer="CN=Contoso CA")


def test_a_default_never_overwrites() -> None:
    """A cell with content keeps it."""
    rules = value_rules(COLUMNS.names, {}, {"deviceDisplayName": "unnamed"})

    assert apply_rules(values_of(deviceDisplayName="PC-1"), rules) == values_of(deviceDisplayName="PC-1")


def test_the_profile_id_can_be_replaced() -> None:
    """The columns that choose the route take part: a profile's old name can stand for its GUID."""
    guid = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
    rules = value_rules(COLUMNS.names, {"deviceConfigurationId": {"old": guid}}, {})

    assert apply_rules(values_of(deviceConfigurationId="OLD"), rules) == values_of(deviceConfigurationId=guid)


def test_a_replaced_number_is_text() -> None:
    """What config.yaml declares for a cell is no longer the workbook's number; the other cells' types stay."""
    platform, name = COLUMNS.names.index("devicePlatform"), COLUMNS.names.index("deviceDisplayName")
    both = ((platform, CellType.NUMBER), (name, CellType.NUMBER))
    rules = value_rules(COLUMNS.names, {"devicePlatform": {"2": "iOS"}}, {})

    found = apply_rules(values_of(both, devicePlatform="2", deviceDisplayName="2"), rules)

    assert found == values_of(((name, CellType.NUMBER),), devicePlatform="iOS", deviceDisplayName="2")


@given(st.text(st.characters()))
def test_a_cell_without_a_rule_comes_out_as_it_went_in(text: str) -> None:
    """Rules of one property leave every text of another one alone."""
    rules = value_rules(COLUMNS.names, {"devicePlatform": {"iPhone": "iOS"}}, {"certificateIssuer": "CN=Contoso CA"})

    found = apply_rules(values_of(deviceDisplayName=text, certificateIssuer="x"), rules)

    expected = text if text.strip() else ""
    assert found == values_of(deviceDisplayName=expected, certificateIssuer="x")
