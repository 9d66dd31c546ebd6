"""What a spreadsheet did to an identifier, and what somebody meant: told apart by the two texts."""

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pipeline.damage import Damage, damage_of

# --- what spreadsheets are known to do


@pytest.mark.parametrize(
    ("was", "now", "damage"),
    [
        ("1234567890123456789", "1.23457E+18", Damage.SCIENTIFIC),
        ("1234567890123456789", "1,23457E+18", Damage.SCIENTIFIC),
        ("0E83907", "0", Damage.SCIENTIFIC),
        ("0e653", "0.00E+00", Damage.SCIENTIFIC),
        ("1E308", "1E+308", Damage.SCIENTIFIC),
        ("1234567890123456789", "1E+18", Damage.SCIENTIFIC),
        ("1234567890123456789", "1.23456789012346E+018", Damage.SCIENTIFIC),  # LibreOffice
        ("1234567890123456789", "1.2345678901234568e+18", Damage.SCIENTIFIC),  # a data frame
        ("1" * 40, "1.11111E+39", Damage.SCIENTIFIC),
        ("100E10", "1E+12", Damage.SCIENTIFIC),
        ("100E10", "1.00E+12", Damage.SCIENTIFIC),
        ("100E10", "1,00E+12", Damage.SCIENTIFIC),
        ("100E10", "1000000000000", Damage.SCIENTIFIC),
        ("12e5", "1200000", Damage.SCIENTIFIC),
        ("00E7", "0", Damage.SCIENTIFIC),
        ("2310009E13", "2.31E+19", Damage.SCIENTIFIC),
        ("123456E10", "1230000000000000", Damage.SCIENTIFIC),
        ("1.23457E+18", "1234570000000000000", Damage.SCIENTIFIC),
        ("12E345", "1.79769313486232E+308", Damage.SCIENTIFIC),  # LibreOffice
        ("12E345", f"17976931348623157{'0' * 292}", Damage.SCIENTIFIC),  # its workbook
        ("1234567890123456", "1234567890123450", Damage.ROUNDED),
        ("1234567890123456789", "1234567890123460000", Damage.ROUNDED),
        ("1234567890123456789", "1,234,567,890,123,450,000.00", Damage.ROUNDED),
        ("1234567890123456789", "1234567890123456800", Damage.ROUNDED),  # the nearest double
        ("1234567890123456789", "1234567890123457000", Damage.ROUNDED),  # with 16 digits, as openpyxl writes it
        ("123456789012", "123457000000", Damage.ROUNDED),
        ("0012", "12", Damage.LEADING_ZEROS),
        (" 0012 ", "12", Damage.LEADING_ZEROS),
        ("000", "0", Damage.LEADING_ZEROS),
        ("12", "12.0", Damage.DECIMALS),
        ("12", "12,00", Damage.DECIMALS),
        ("0012", "12.0", Damage.DECIMALS),
        ("12345.0", "12345", Damage.DECIMALS),
        ("1234567", "1,234,567", Damage.GROUPED),
        ("1234567", "1.234.567", Damage.GROUPED),
        ("1234567", "1.234.567,00", Damage.GROUPED),
        ("1234567", "1 234 567", Damage.GROUPED),
        ("1234567", "1\u202f234\u202f567,00", Damage.GROUPED),
        ("1234567", "1\u00a0234\u00a0567", Damage.GROUPED),
        ("1234567", "1'234'567", Damage.GROUPED),
        ("1234567", "1\u2019234\u2019567", Damage.GROUPED),
    ],
)
def test_a_number(was: str, now: str, damage: Damage) -> None:
    """Digits are lost, added or shown in another way, in each country's spelling."""
    assert damage_of(was, now) is damage


@pytest.mark.parametrize(
    ("was", "forms"),
    [
        ("MAR-01", "01.Mrz|01. Mrz|1-Mar|01-Mar|1-mars|01-mars|Mar-01|mars-01|01.03.2026|3/1/2026|01/03/2026"),
        ("MAR-01", "2026-03-01|2026-03-01 00:00:00|2026-03-01T00:00:00|01.03.2026 00:00|3/1/2026 12:00:00 AM|46082"),
        ("MAR-01", "1-Mar-26|01.03.26|Sunday, March 1, 2026|Sonntag, 1. März 2026|44620|46082.00|1. März"),
        ("MARS-01", "dimanche 1 mars 2026|1-mars"),
        ("MARCH1", "1-Mar|46082"),
        ("SEPT2", "2-Sep|02. Sep"),
        ("2-Sep-03", "02.09.2003|9/2/2003|37866"),
        ("SEP-12", "12-Sep|09/12/2026|09/01/2012|Sep-12"),
        ("MAY-32", "May-32|05/01/1932|11810"),
        ("OKT-2024", "Okt 24|01.10.2024|Okt. 24"),
        ("JUIN 5", "05-juin|5-juin"),
        ("3/4", "4-Mar|03. Apr|03/04/2026|04/03/2026|2026-04-03"),
        ("1-2", "2-Jan|01. Feb|01.02.2026|46024"),
        ("1.2", "01. Feb|01.02.2026"),
        ("10-11-12", "10.11.2012|11/10/2012|12.11.2010|2010-11-12"),
        ("12-2026", "Dec-26|01.12.2026"),
        ("46082", "01.03.2026|01-Mar-2026"),
    ],
)
def test_a_date(was: str, forms: str) -> None:
    """Names and serial numbers that read as one, in the forms of English, German and French spreadsheets."""
    assert {now: damage_of(was, now) for now in forms.split("|")} == dict.fromkeys(forms.split("|"), Damage.DATE)


@pytest.mark.parametrize(
    ("was", "now", "damage"),
    [
        ("01:02", "1:02", Damage.TIME),
        ("01:02", "01:02:00", Damage.TIME),
        ("01:02:03", "1:02:03 AM", Damage.TIME),
        ("13:02:03", "1:02:03 PM", Damage.TIME),
        ("45:10:20", "21:10:20", Damage.TIME),
        ("01:02:03", "0.043090278", Damage.TIME),
        ("01:02:03", "0,04309", Damage.TIME),
        ("TRUE", "WAHR", Damage.TRUTH),
        ("false", "FAUX", Damage.TRUTH),
        ("PC-1", "'PC-1", Damage.APOSTROPHE),
        ("'PC-1", "PC-1", Damage.APOSTROPHE),
        ("Łódź-1", "?ód?-1", Damage.CHARACTERS),
        ("Łódź-1", "Lódz-1", Damage.CHARACTERS),
        ("東京-1", "??-1", Damage.CHARACTERS),
        ("Müller", "MÃ¼ller", Damage.CHARACTERS),
    ],
)
def test_other_damage(was: str, now: str, damage: Damage) -> None:
    """Times of day, the words for true and false, apostrophes, and encodings without the letter."""
    assert damage_of(was, now) is damage


# --- what somebody meant


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("4A0001", "4A0001"),
        ("4A0001", "4A0002"),
        ("4A0001", "1E+18"),
        ("4A0001", ""),
        ("", "4A0001"),
        ("AA:BB:01", "aabb01"),
        ("aa bb 01", "AA-BB-01"),
        ("01:02:03", "010203"),
        ("  4A ", "4A"),
        ("PHONE-1", "phone-1"),
        ("true", "TRUE"),
        ("MAR-01", "mar-01"),
        ("Mar-01", "MAR-01"),
        ("MAR-01", "MAR-02"),
        ("Mar-01", "Mar-02"),
        ("MAR-01", "01.04.2026"),
        ("MAR-01", "46083"),
        ("MAR-01", "MARS-01"),
        ("1-2", "1-3"),
        ("3/4", "03. May"),
        ("10-11-12", "10:11:12"),
        ("10-11-12", "10-12-11"),
        ("46082", "46083"),
        ("46082", "02.03.2026"),
        ("1234567890123456789", "1234567890123456780"),
        ("1234567890123456789", "1234567890123456798"),
        ("1234567890123456789", "1.23458E+18"),
        ("123456789012", "123456789010"),
        ("1234", "1230"),
        ("1.23457E+18", "1234567890123456789"),
        ("1.20E+06", "12E5"),  # what a spreadsheet never writes: the digits were put back
        ("1234567890123450000", "1234567890123456789"),
        ("'0012", "0012"),
        ("0012", "'0012"),
        ("4711", "0x4711"),
        ("12", "0C"),
        ("123456", "12 34 56"),
        ("1E5", "1E6"),
        ("01:02", "01:03"),
        ("Müller", "Mueller"),
        ("Müller", "Muller"),
        ("12E999999", "1.2E+99"),
        ("1" * 5_000, "1.11111E+4999"),
    ],
)
def test_a_correction_is_no_damage(was: str, now: str) -> None:
    """Another value, letter case, blanks around it, other separators between digits, and digits that were put back."""
    assert damage_of(was, now) is None


# --- a model of what Excel makes of digits


class Country(NamedTuple):
    """How a country writes numbers."""

    point: str
    group: str


COUNTRIES = (Country(".", ","), Country(",", "."), Country(",", "\u202f"), Country(",", "\u00a0"))
Format = Callable[[Decimal, Country], str]


def held(text: str) -> Decimal | None:
    """Return the number that a cell holds after the text was entered, with 15 digits; None if it stays a text."""
    mantissa, _, exponent = text.upper().partition("E")
    if not mantissa.isdecimal() or not (exponent or "0").isdecimal() or text.upper().endswith("E"):
        return None
    if int(exponent or 0) > 307:
        return None
    value = Decimal(mantissa).scaleb(int(exponent or 0))
    return None if value.adjusted() > 307 else Context(15, ROUND_DOWN).plus(value)


def scientific(value: Decimal, country: Country, *, digits: int, is_padded: bool) -> str:
    """Return the value with so many digits behind the sign, such as 1.00E+12."""
    rounded = Context(digits + 1, ROUND_HALF_UP).plus(value)
    exponent = rounded.adjusted() if rounded else 0
    mantissa = f"{rounded.scaleb(-exponent):.{digits}f}"
    shown = mantissa if is_padded else mantissa.rstrip("0").rstrip(".")
    return f"{shown.replace('.', country.point)}E+{exponent:02}"


def general(value: Decimal, country: Country) -> str:
    """Return the value in the format General: eleven digits, then scientific notation."""
    is_short = value < 10**11
    return f"{value:.0f}" if is_short else scientific(value, country, digits=5, is_padded=False)


FORMATS: dict[str, Format] = {
    "General": general,
    "Scientific": lambda value, country: scientific(value, country, digits=2, is_padded=True),
    "0": lambda value, _: f"{value:.0f}",
    "0.00": lambda value, country: f"{value:.0f}{country.point}00",
    "#,##0": lambda value, country: f"{int(value):,}".replace(",", country.group),
    "#,##0.00": lambda value, country: f"{int(value):,}".replace(",", country.group) + f"{country.point}00",
}

DIGITS = st.text("0123456789", min_size=1, max_size=40)
HEX = st.text("0123456789ABCDEF", min_size=1, max_size=40)
WITH_EXPONENT = st.builds(
    lambda mantissa, e, exponent: f"{mantissa}{e}{exponent}",
    st.text("0123456789", min_size=1, max_size=12),
    st.sampled_from("Ee"),
    st.integers(0, 99),
)


@given(text=DIGITS | HEX | WITH_EXPONENT, name=st.sampled_from(list(FORMATS)), country=st.sampled_from(COUNTRIES))
@example("1234567890123456789", "General", COUNTRIES[0])
@example("999999999999999999", "General", COUNTRIES[1])
@example("00E0", "Scientific", COUNTRIES[1])
@example("1E300", "#,##0", COUNTRIES[0])
@example("0E0000000", "General", COUNTRIES[0])
def test_what_excel_makes_of_digits_is_found(text: str, name: str, country: Country) -> None:
    """Whatever format the cell has in whatever country, it is damage, unless the text is what it was."""
    value = held(text)
    now = text if value is None else FORMATS[name](value, country)

    assert (damage_of(text, now) is not None) == (now.casefold() != text.casefold())


@given(text=DIGITS.filter(lambda text: len(text.lstrip("0")) > 11), country=st.sampled_from(COUNTRIES))
def test_what_was_lost_on_one_way_is_found_after_the_next(text: str, country: Country) -> None:
    """Saved in scientific notation, opened again and shown with all its digits, most of them are zeros."""
    first = Decimal(general(held(text) or Decimal(0), country).replace(country.point, "."))

    assert damage_of(text, f"{first:.0f}") is not None or f"{first:.0f}" == text


@given(text=HEX.filter(lambda text: len(text) > 3), at=st.integers(0, 39), digit=st.sampled_from("123456789ABCDEF"))
@example("1234567890123450", 15, "6")
def test_a_corrected_digit_is_no_damage(text: str, at: int, digit: str) -> None:
    """One digit that is another one now, and not 0."""
    assume(at < len(text) and text[at] != digit)

    assert damage_of(text, text[:at] + digit + text[at + 1 :]) is None


@given(was=HEX.filter(lambda text: len(text) > 7), now=HEX.filter(lambda text: len(text) > 7))
def test_another_identifier_is_no_damage(was: str, now: str) -> None:
    """Two that have nothing in common but their kind."""
    values = {held(was), held(now)}
    assume(len(values) == 2 or None in values)
    assume(was[:3].lstrip("0") != now[:3].lstrip("0"))

    assert damage_of(was, now) is None


@given(
    was=st.text(max_size=30) | st.text("0123456789eE+-.,:' /MARmar", max_size=12),
    now=st.text(max_size=30) | st.text("0123456789eE+-.,:' /MARmar", max_size=12),
)
@example("٣٤", "3")
@example("1E400", "1E+400")
@example("\ud800", "?")
def test_any_two_texts_can_be_compared(was: str, now: str) -> None:
    """Cells hold anything; a text is never damaged by staying what it is."""
    assert damage_of(was, now) in {None, *Damage}
    assert damage_of(was, was) is None
