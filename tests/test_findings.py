"""Findings: every code has its line in the catalogue, and texts are shown cut."""

import pytest

from pipeline.findings import CATALOGUE, REPAIRS, Code, Finding, Severity, change, finding, shorten, text_after


def test_every_code_is_in_the_catalogue_and_kebab_case() -> None:
    """Each code has a meaning and a hint, and is spelt in small letters with hyphens."""
    assert list(CATALOGUE) == list(Code)
    assert [
        code
        for code in Code
        if not all(part.isalnum() and part.islower() for part in code.split("-") if part != "int32")
    ] == []
    assert [code for code, meaning in CATALOGUE.items() if not meaning.meaning or not meaning.hint] == []


def test_a_finding_takes_severity_and_hint_from_the_catalogue() -> None:
    """A finding has the catalogue's hint unless a more exact one is given."""
    assert finding(Code.NO_ROWS, "none") == Finding(
        Code.NO_ROWS, Severity.WARNING, "", "", "none", "check that the export was complete"
    )
    assert finding(Code.NO_ROWS, "none", hint="look again").hint == "look again"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 200, "x" * 200), ("x" * 201, "x" * 200 + "... (201 characters)"), ("", ""), ("a\udc00b", "a?b")],
    ids=["short", "long", "empty", "surrogate"],
)
def test_a_long_value_is_shown_cut(text: str, shown: str) -> None:
    """A value is shown to 200 characters with its length, and always as something that can be written."""
    assert shorten(text) == shown


# --- changes


@pytest.mark.parametrize(
    ("was", "text", "message"),
    [
        ("iPhone", "iOS", "iPhone -> iOS"),
        ("", "iOS", "(empty) -> iOS"),
        ("EMPTY", "", "EMPTY -> (empty)"),
        ("x" * 201, "y" * 201, f"{'x' * 201} -> {'y' * 201}"),
        ("a -> b", "b", "a -> b -> b"),
    ],
)
def test_a_change_says_what_was_and_what_is(was: str, text: str, message: str) -> None:
    """The message shows both texts whole, an empty one as (empty); the value is what the file has."""
    found = change(Code.VALUE_MAP, was, text, column="Platform")

    assert found == Finding(Code.VALUE_MAP, Severity.INFO, "Platform", was, message, "nothing to do")


@pytest.mark.parametrize(("was", "text"), [("iPhone", "iOS"), ("", "iOS"), ("a -> b", "b"), ("a", "a -> b")])
def test_what_a_value_became_is_read_back(was: str, text: str) -> None:
    """A report asks a change for the text that it led to."""
    assert text_after(change(Code.VALUE_MAP, was, text, column="Platform")) == text


def test_other_findings_change_nothing() -> None:
    """What a value became is read from changes only."""
    assert text_after(finding(Code.NOT_A_URL, "a -> b", column="serverUrl", value="c")) is None


def test_a_rule_that_changes_a_value_never_refuses_it() -> None:
    """Every rule of REPAIRS is told as info or as a warning."""
    assert {code for code in REPAIRS if CATALOGUE[code].severity is Severity.ERROR} == set()
