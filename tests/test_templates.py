"""Templates: which texts and headers stand in one, and what is no template."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.templates import Template, parse_template

WITHOUT_PARTNER = "has a brace without its partner; write {Header}, and a brace itself as {{ or }}"
EMPTY = "has empty braces; write a header between them, such as {Issuer}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Template(("",), ())),
        ("CN=Contoso CA", Template(("CN=Contoso CA",), ())),
        ("{Issuer}", Template(("", ""), ("Issuer",))),
        ("{Issuer} ({CA})", Template(("", " (", ")"), ("Issuer", "CA"))),
        ("{A}{B}{A}", Template(("", "", "", ""), ("A", "B", "A"))),
        (" { Serial\nNo. } ", Template((" ", " "), (" Serial\nNo. ",))),
        ("{{A}}", Template(("{A}",), ())),
        ("{{{A}}}", Template(("{", "}"), ("A",))),
        ("CN={{{{DeviceName}}}}", Template(("CN={{DeviceName}}",), ())),
        ("{Serial Number:}", Template(("", ""), ("Serial Number:",))),
        ("{NotAfter: date}", Template(("", ""), ("NotAfter: date",))),
        ("{Important!}", Template(("", ""), ("Important!",))),
        ("{Valid! until:>10}", Template(("", ""), ("Valid! until:>10",))),
        ("{!r}", Template(("", ""), ("!r",))),
        ("{0}", Template(("", ""), ("0",))),
        ("{a.b[0]}", Template(("", ""), ("a.b[0]",))),
        ("100 % \\n $x", Template(("100 % \\n $x",), ())),
    ],
)
def test_a_template_is_taken_apart(text: str, expected: Template) -> None:
    """Headers stand in braces and mean themselves, whatever signs they hold; a doubled brace is a brace."""
    assert parse_template(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((text, WITHOUT_PARTNER) for text in ("{", "}", "{Issuer", "Issuer}", "{A}}", "{{A}", "{A{B}}", "{{{A}}")),
        *((text, EMPTY) for text in ("{}", "{ }", "x {\u00a0} y", "{A} {}")),
    ],
)
def test_what_is_no_template_is_refused(text: str, message: str) -> None:
    """A brace alone and empty braces are errors that say what to write."""
    with pytest.raises(ValueError, match=r"^has ") as refused:
        parse_template(text)

    assert str(refused.value) == message


LITERALS = st.text(st.sampled_from("ab{} :!"), max_size=5)
HEADERS = st.text(st.characters(exclude_characters="{}"), min_size=1).filter(str.strip)


@given(LITERALS, st.lists(st.tuples(HEADERS, LITERALS), max_size=4))
def test_every_text_and_header_can_be_written(first: str, parts: list[tuple[str, str]]) -> None:
    """Whatever the literals and headers are, there is a template that says them."""
    text = _written(first) + "".join(f"{{{header}}}{_written(literal)}" for header, literal in parts)

    assert parse_template(text) == Template(
        (first, *(literal for _, literal in parts)), tuple(header for header, _ in parts)
    )


def _written(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")


@pytest.mark.parametrize("text", ["{" * 99_999, "{a" * 50_000, "{" + "a" * 100_000, "}" * 99_999])
def test_a_long_text_is_refused_at_once(text: str) -> None:
    """However long the text, the first brace without a partner ends it."""
    with pytest.raises(ValueError, match="brace without its partner"):
        parse_template(text)


def test_a_long_template_is_taken_apart() -> None:
    """However many headers it has, none is lost."""
    assert parse_template("{a}{{" * 50_000) == Template(("", *["{"] * 50_000), ("a",) * 50_000)
