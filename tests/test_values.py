"""What config.yaml declares: `values:` replaces whole cells, `defaults:` fills empty ones, with repairs and without."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_cases import After, after, rules_with, values_of

from pipeline.findings import Code
from pipeline.model import CellType
from pipeline.values import DateRules

BOTH_WAYS = pytest.mark.parametrize("repairs", [True, False], ids=["repairs", "no-repairs"])
MAP, DEFAULT = Code.VALUE_MAP, Code.DEFAULT_VALUE


# --- value maps


@BOTH_WAYS
@pytest.mark.parametrize("text", ["iFone", "IFONE", "  ifone ", "\u00a0iFone\t", "\u200eiFo\u200bne\ufeff"])
def test_a_declared_text_is_replaced(text: str, *, repairs: bool) -> None:
    """The whole cell is replaced; letter case, blanks around it and invisible marks make no difference."""
    rules = rules_with({"devicePlatform": {" iFone": "iOS"}}, repairs=repairs)

    assert after(values_of({"devicePlatform": text}), rules) == After(
        {"devicePlatform": "iOS"}, [("devicePlatform", MAP, f"{text} -> iOS")], []
    )


def test_a_no_break_space_counts_as_a_blank() -> None:
    """A text that was copied from a web page matches what a keyboard can type."""
    rules = rules_with({"userDisplayName": {"erika example": "Erika"}})

    assert after(values_of({"userDisplayName": "Erika\u00a0Example"}), rules).texts == {"userDisplayName": "Erika"}


@pytest.mark.parametrize("text", ["iFone 15", "myiFone", "i Fone", ""])
def test_part_of_a_cell_is_never_replaced(text: str) -> None:
    """A cell that merely holds the declared text, or is empty, stays as it is."""
    rules = rules_with({"deviceDisplayName": {"iFone": "x"}})

    assert after(values_of({"deviceDisplayName": text}), rules) == After(
        {"deviceDisplayName": text} if text else {}, [], []
    )


def test_a_replacement_belongs_to_its_property() -> None:
    """The same text in another column is not touched."""
    rules = rules_with({"devicePlatform": {"x": "iOS"}})

    assert after(values_of({"devicePlatform": "x", "deviceDisplayName": "x"}), rules).texts == {
        "devicePlatform": "iOS",
        "deviceDisplayName": "x",
    }


@BOTH_WAYS
def test_a_replacement_is_not_replaced_again(*, repairs: bool) -> None:
    """Replacements are made once: two words can be exchanged."""
    rules = rules_with({"devicePlatform": {"iOS": "macOS", "macOS": "iOS"}}, repairs=repairs)

    assert after(values_of({"devicePlatform": "iOS"}), rules).texts == {"devicePlatform": "macOS"}


@BOTH_WAYS
def test_a_text_that_is_declared_as_it_stands_is_no_change(*, repairs: bool) -> None:
    """A replacement by the same text is not told."""
    rules = rules_with({"deviceDisplayName": {"PC": "PC"}}, repairs=repairs)

    assert after(values_of({"deviceDisplayName": "PC"}), rules) == After({"deviceDisplayName": "PC"}, [], [])


@BOTH_WAYS
@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("devicePlatform", "IOS", "iOS"),
        ("devicePlatform", "Android", "android"),
        ("certificateRevokeStatus", "Revoked", "revoked"),
        ("certificateKeyUsage", "keyencipherment, digitalSignature", "keyEncipherment,digitalSignature"),
    ],
)
def test_a_declared_member_gets_the_apis_spelling(name: str, declared: str, expected: str, *, repairs: bool) -> None:
    """The value map and the defaults may write a member in any letter case, also without repairs."""
    mapped = after(values_of({name: "x"}), rules_with({name: {"x": declared}}, repairs=repairs))
    filled = after(values_of({}), rules_with(defaults={name: declared}, repairs=repairs))

    assert mapped == After({name: expected}, [(name, MAP, f"x -> {expected}")], [])
    assert filled == After({name: expected}, [(name, DEFAULT, f"(empty) -> {expected}")], [])


def test_a_replacement_is_repaired_like_a_cell() -> None:
    """What is declared may be in any form that a file may have."""
    rules = rules_with({"certificateSerialNumber": {"unknown": "00:a7"}, "devicePlatform": {"Phone": "iPhone"}})

    assert after(values_of({"certificateSerialNumber": "unknown", "devicePlatform": "Phone"}), rules) == After(
        {"devicePlatform": "iOS", "certificateSerialNumber": "00A7"},
        [
            ("devicePlatform", MAP, "Phone -> iPhone"),
            ("devicePlatform", Code.PLATFORM_SYNONYM, "iPhone -> iOS"),
            ("certificateSerialNumber", MAP, "unknown -> 00:a7"),
            ("certificateSerialNumber", Code.HEX_FORM, "00:a7 -> 00A7"),
        ],
        [],
    )


def test_a_word_with_several_meanings_can_be_declared() -> None:
    """The value map comes before the rules, so it says what they would not guess."""
    rules = rules_with(
        {
            "devicePlatform": {"Windows": "windows10AndLater"},
            "certificateKeyUsage": {"c0": "digitalSignature"},
            "certificateSerialNumber": {"1.23E+18": "1112109BB12F2A0F"},
            "deviceDisplayName": {"#N/A": "unnamed"},
        }
    )
    row = {
        "devicePlatform": "Windows",
        "certificateKeyUsage": "c0",
        "certificateSerialNumber": "1.23E+18",
        "deviceDisplayName": "#N/A",
    }

    found = after(values_of(row), rules)

    assert found.texts == {
        "devicePlatform": "windows10AndLater",
        "certificateKeyUsage": "digitalSignature",
        "deviceDisplayName": "unnamed",
        "certificateSerialNumber": "1112109BB12F2A0F",
    }
    assert ([code for _, code, _ in found.changes], found.problems) == ([MAP] * 4, [])


@BOTH_WAYS
def test_a_word_for_nothing_is_an_empty_cell(*, repairs: bool) -> None:
    """A word that a program writes for no value empties the cell, and a default fills it then."""
    empty = {"certificateSerialNumber": {"EMPTY": ""}, "deviceDisplayName": {"EMPTY": ""}}
    rules = rules_with(empty, {"deviceDisplayName": "unnamed"}, repairs=repairs)

    found = after(values_of({"certificateSerialNumber": "empty", "deviceDisplayName": " EMPTY "}), rules)

    assert found == After(
        {"deviceDisplayName": "unnamed"},
        [
            ("deviceDisplayName", MAP, " EMPTY  -> (empty)"),
            ("certificateSerialNumber", MAP, "empty -> (empty)"),
            ("deviceDisplayName", DEFAULT, "(empty) -> unnamed"),
        ],
        [],
    )


def test_the_profile_id_can_be_replaced() -> None:
    """The columns that choose the route take part: a profile's old name can stand for its GUID."""
    guid = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
    rules = rules_with({"deviceConfigurationId": {"old": guid}})

    assert after(values_of({"deviceConfigurationId": "OLD"}), rules).texts == {"deviceConfigurationId": guid}


@BOTH_WAYS
def test_a_replaced_number_is_text(*, repairs: bool) -> None:
    """What is declared for a cell is no longer the workbook's number; the other cells' types stay."""
    types = {"certificateSerialNumber": CellType.NUMBER, "certificateThumbprint": CellType.NUMBER}
    row = values_of({"certificateSerialNumber": "1200000", "certificateThumbprint": "1200000"}, types)

    found = after(row, rules_with({"certificateSerialNumber": {"1200000": "12E5"}}, repairs=repairs))

    assert found == After(
        {"certificateThumbprint": "1200000", "certificateSerialNumber": "12E5"},
        [("certificateSerialNumber", MAP, "1200000 -> 12E5")],
        [("certificateThumbprint", Code.NUMERIC_IDENTIFIER)],
    )


# --- defaults


@BOTH_WAYS
@pytest.mark.parametrize("text", ["", "  ", "\u00a0", "\n"])
def test_a_default_fills_an_empty_cell(text: str, *, repairs: bool) -> None:
    """An empty cell and one of white space only get the declared value, and that is told."""
    rules = rules_with(defaults={"deviceDisplayName": "unnamed"}, repairs=repairs)

    assert after(values_of({"deviceDisplayName": text}), rules) == After(
        {"deviceDisplayName": "unnamed"}, [("deviceDisplayName", DEFAULT, "(empty) -> unnamed")], []
    )


@BOTH_WAYS
def test_a_default_fills_an_absent_column(*, repairs: bool) -> None:
    """Without a column the value is filled in too; it is told with the file, not in each row."""
    rules = rules_with(defaults={"certificateErrorCode": "0"}, repairs=repairs)

    assert after(values_of({}), rules) == After({"certificateErrorCode": "0"}, [], [])


def test_a_default_never_overwrites() -> None:
    """A cell with content keeps it."""
    rules = rules_with(defaults={"deviceDisplayName": "unnamed"})

    assert after(values_of({"deviceDisplayName": "PC-1"}), rules) == After({"deviceDisplayName": "PC-1"}, [], [])


def test_a_cell_of_marks_alone_is_empty() -> None:
    """What nobody sees is no value, so the default is sent."""
    rules = rules_with(defaults={"deviceDisplayName": "unnamed"})

    assert after(values_of({"deviceDisplayName": "\u200e"}), rules) == After(
        {"deviceDisplayName": "unnamed"},
        [
            ("deviceDisplayName", Code.INVISIBLE_MARK, "\u200e -> (empty)"),
            ("deviceDisplayName", DEFAULT, "(empty) -> unnamed"),
        ],
        [],
    )


@pytest.mark.parametrize(
    ("name", "default", "filled"),
    [
        ("certificateExpirationDateTime", "2026-11-23T08:49:13", "2026-11-23T08:49:13+01:00"),
        ("certificateExpirationDateTime", "23.11.2026 08:49", "2026-11-23T08:49:00+01:00"),
        ("certificateKeyLength", "2048 bit", "2048"),
        ("devicePlatform", "iPhone", "iOS"),
        ("deviceDisplayName", " unnamed ", " unnamed "),
    ],
)
def test_a_default_is_read_like_a_cell(name: str, default: str, filled: str) -> None:
    """The declared time zone and the rules count for a default, too."""
    rules = rules_with(defaults={name: default}, dates=DateRules(zone=ZoneInfo("Europe/Berlin")))

    assert after(values_of({}), rules).texts == {name: filled}


def test_a_default_is_not_replaced() -> None:
    """The value map is for what stands in the file."""
    rules = rules_with({"deviceDisplayName": {"unnamed": "x"}}, {"deviceDisplayName": "unnamed"})

    assert after(values_of({}), rules).texts == {"deviceDisplayName": "unnamed"}


# --- without repairs


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("devicePlatform", " iphone "),
        ("devicePlatform", "IOS"),
        ("certificateKeyUsage", "a0"),
        ("certificateKeyUsage", "digitalSignature, digitalSignature"),
        ("certificateSerialNumber", "00:a7"),
        ("certificateSerialNumber", "-59"),
        ("certificateThumbprint", "\u200eaf:c6"),
        ("certificateKeyLength", "2048 bit"),
        ("certificateEnhancedKeyUsage", "1.3.6.1.5.5.7.3.2"),
        ("certificateExpirationDateTime", "23.11.2026 08:49 Z"),
        ("deviceDisplayName", "\u200ePC\u00a01"),
        ("deviceConfigurationId", " x "),
        ("certificateErrorCode", " 5 "),
    ],
)
def test_without_repairs_a_text_stays_as_it_is(name: str, text: str) -> None:
    """What no declaration concerns is neither changed nor told as changed."""
    assert after(values_of({name: text}), rules_with(repairs=False)) == After({name: text}, [], [])


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("devicePlatform", " Windows", Code.AMBIGUOUS_PLATFORM),
        ("certificateKeyUsage", " c0", Code.UNKNOWN_MEMBER),
        ("certificateSerialNumber", "\u200e1.23E+18", Code.FLOAT_IDENTIFIER),
        ("certificateThumbprint", "?af", Code.LOST_CHARACTER),
        ("deviceDisplayName", "#N/A", Code.ERROR_CELL),
        ("deviceDisplayName", "Z\ufffdrich", Code.LOST_CHARACTER),
        ("certificateExpirationDateTime", "#REF!", Code.ERROR_CELL),
    ],
)
def test_without_repairs_problems_are_still_told(name: str, text: str, code: Code) -> None:
    """What is damaged or means several things is refused with and without repairs."""
    assert after(values_of({name: text}), rules_with(repairs=False)) == After({name: text}, [], [(name, code)])


def test_without_repairs_the_declared_zone_still_counts() -> None:
    """The time zone is declared, not guessed."""
    rules = rules_with(dates=DateRules(zone=ZoneInfo("UTC")), repairs=False)

    assert after(values_of({"certificateExpirationDateTime": "2026-11-23T08:49:13"}), rules) == After(
        {"certificateExpirationDateTime": "2026-11-23T08:49:13Z"},
        [("certificateExpirationDateTime", Code.TIME_ZONE, "2026-11-23T08:49:13 -> 2026-11-23T08:49:13Z")],
        [],
    )


@given(st.text(st.characters()))
def test_a_cell_without_a_rule_comes_out_as_it_went_in(text: str) -> None:
    """Rules of one property leave every text of another one alone."""
    rules = rules_with({"devicePlatform": {"iPhone": "iOS"}}, {"certificateIssuer": "CN=Contoso CA"}, repairs=False)

    found = after(values_of({"deviceDisplayName": text, "certificateIssuer": "x"}), rules)

    assert found.texts == {"certificateIssuer": "x"} | ({"deviceDisplayName": text} if text.strip() else {})
    assert found.changes == []
