"""Invisible marks, blanks around a text, and the traces of what was lost before the file came here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values_cases import ADVERSARIAL, changed, is_chained, refused

from pipeline.findings import Code
from pipeline.identity import fold_header
from pipeline.values.marks import find_damage, take_out_marks, trim
from pipeline.values.steps import Reading

TEXTS = st.one_of(st.text(), st.text("a #N/\u00e9\u4e2d\u00a0\u202f\u200b\u200c\u200d\u200e\ufeff\ufffd", max_size=12))


# --- damage


LITERALS = [
    "#N/A",
    "#REF!",
    "#NAME?",
    "#DIV/0!",
    "#GETTING_DATA",
    "#SPILL!",
    "#NV",
    "#WERT!",
    "#NOM?",
    "#N/D",
    "#\u00a1REF!",
]


@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("around", ["{}", " {} ", "\u00a0{}", "\u200e{}\ufeff", "\t\u200e {}\n"])
def test_an_error_of_a_spreadsheet_is_damage(literal: str, around: str) -> None:
    """What Excel shows for a formula that it could not calculate is a problem, whatever nobody sees around it."""
    text = around.format(literal)

    assert find_damage(text) == refused(Code.ERROR_CELL, text, f"the cell shows the error {literal}")


@pytest.mark.parametrize("text", ["#", "#N/A!", "#n/a", "N/A", "x #N/A", "#1 in the list", "##NAME?", "# N/A"])
def test_other_texts_with_a_number_sign_are_texts(text: str) -> None:
    """Only the whole cell can be an error, in Excel's spelling."""
    assert find_damage(text) == Reading(text)


@pytest.mark.parametrize(("text", "place"), [("\ufffd", 1), ("Z\ufffdrich\ufffd", 2), ("CN=Contoso M\ufffdnchen", 13)])
def test_a_lost_character_is_damage(text: str, place: int) -> None:
    """U+FFFD stands for a character that a conversion lost: it is never sent, and the first place is told."""
    message = f"character {place} is U+FFFD, which stands where a conversion lost a character"

    assert find_damage(text) == refused(Code.LOST_CHARACTER, text, message)


# --- marks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u200eDA39A3EE", "DA39A3EE"),
        ("\ufeffdeviceName", "deviceName"),
        ("PC\u200b-\u20601", "PC-1"),
        ("\u202aPC-1\u202c", "PC-1"),
        ("\u00adPC\u00ad", "PC"),
        ("Contoso\u00a0CA", "Contoso CA"),
        ("8:49\u202fAM", "8:49 AM"),
        ("\u00a0PC-1\u00a0", "PC-1"),
        ("\u200e PC-1 \u200e", "PC-1"),
        ("\u00a0 \u200ePC-1", "PC-1"),
        ("PC\u200d1", "PC1"),
        ("\u00a0\u200d\u4e2d", "\u4e2d"),
        ("\u4e2d\u200d\u00a0x", "\u4e2d x"),
        ("\u200e", ""),
        ("\u00a0", ""),
    ],
)
def test_marks_go_and_blanks_become_ordinary(text: str, expected: str) -> None:
    """Marks that nobody sees go; a no-break space becomes a blank, and goes at the ends with the marks there."""
    assert take_out_marks(text) == changed(Code.INVISIBLE_MARK, text, expected)


@pytest.mark.parametrize(
    "text",
    [
        "PC-1",
        " PC-1 ",
        "",
        "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627",  # Persian: books, spelled with ZWNJ
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family, joined with ZWJ
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\u0915\u094d\u200d\u0937",
        "Zo\u00eb",
        "\u7528\u6237 \u03a9",
        "\u3000PC\u2003",
        "a\tb\r\nc",
    ],
)
def test_what_belongs_to_a_text_stays(text: str) -> None:
    """Joiners that spell, emoji, letters of any script and other blanks are no invisible marks."""
    assert take_out_marks(text) == Reading(text)


@given(TEXTS)
def test_marks_are_taken_out_once(text: str) -> None:
    """A second reading finds nothing more, and visible signs are never touched."""
    reading = take_out_marks(text)

    assert take_out_marks(reading.text) == Reading(reading.text)
    assert is_chained(text, reading)
    assert [sign for sign in reading.text if sign.isalnum()] == [sign for sign in text if sign.isalnum()]


@pytest.mark.parametrize("mark", ["\u200e", "\ufeff", "\u200b", "\u2060", "\u00a0"])
def test_a_header_is_compared_without_marks(mark: str) -> None:
    """A mark or a no-break space in a header makes no difference."""
    assert fold_header(f"{mark}Serial{mark}Number{mark}") == fold_header("serial number")


# --- blanks


@pytest.mark.parametrize(
    ("text", "expected"), [(" iOS", "iOS"), ("iOS\n", "iOS"), ("\u2003iOS\u3000", "iOS"), ("\ta b ", "a b")]
)
def test_blanks_around_are_left_out(text: str, expected: str) -> None:
    """White space at the ends goes, that within stays."""
    assert trim(text) == changed(Code.SURROUNDING_SPACE, text, expected)


@given(st.text())
def test_a_text_is_trimmed_once(text: str) -> None:
    """A trimmed text is not touched again."""
    reading = trim(text)

    assert trim(reading.text) == Reading(reading.text)
    assert is_chained(text, reading)


@pytest.mark.parametrize("text", ADVERSARIAL, ids=range(len(ADVERSARIAL)))
def test_no_text_takes_long(text: str) -> None:
    """The longest cells come back, whatever they repeat."""
    read = take_out_marks(trim(text).text).text

    assert len(find_damage(read).text) <= len(text)
