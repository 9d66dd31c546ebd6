"""Thumbprints and serial numbers: one form for what is certain, and nothing repaired by guess."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from values_cases import ADVERSARIAL, changed, is_chained, refused

from pipeline.declared import SerialForm
from pipeline.findings import Code
from pipeline.values.identifiers import read_serial_number, read_thumbprint
from pipeline.values.steps import Problem, Reading

SHA1 = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
DIGITS = "12345678901234567890"
FLOAT = "reads as a floating-point number, so digits are lost"
ROUNDED = "only zeros stand after the fifteenth of its decimal digits"
LOST = "a question mark stands where Windows' invisible mark was before the file was saved as ANSI"
AMBIGUOUS = Problem(
    Code.AMBIGUOUS_SERIAL_NUMBER, "decimal digits only, so it could be decimal or hexadecimal; taken as hexadecimal"
)
DECLARED = [None, SerialForm.HEX, SerialForm.DECIMAL]


def grouped(digits: str, size: int, separator: str) -> str:
    return separator.join(digits[at : at + size] for at in range(0, len(digits), size))


# --- thumbprints


@pytest.mark.parametrize(
    "text",
    [
        SHA1.lower(),
        SHA1.capitalize(),
        f"0x{SHA1}",
        f"0X{SHA1.lower()}",
        f" {SHA1}\t",
        *(grouped(SHA1, size, separator) for size, separator in ((2, ":"), (2, " "), (2, "-"), (8, "-"), (8, " "))),
        grouped(SHA1.lower(), 4, " : "),
        f"0x{grouped(SHA1, 2, ':')}",
    ],
)
def test_a_thumbprint_becomes_forty_capital_digits(text: str) -> None:
    """Blanks, colons, hyphens, 0x and small letters are what differs."""
    assert read_thumbprint(text) == changed(Code.HEX_FORM, text, SHA1)


@pytest.mark.parametrize("text", [SHA1, "0" * 40, "9" * 40, "A" * 64, "12E5", "A7", "2026", ""])
def test_a_plain_thumbprint_is_not_touched(text: str) -> None:
    """Capital hexadecimal digits of any number stay as they are."""
    assert read_thumbprint(text) == Reading(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a7", "A7"), ("AF:C6", "AFC6"), ("af c6 01", "AFC601"), ("da39-a3ee", None), ("ad-be", None), ("12:34", None)],
)
def test_other_hashes_are_put_in_form_where_their_groups_are_sure(text: str, expected: str | None) -> None:
    """Text of another length is a hash only when it is plain or grouped as programs do it."""
    assert read_thumbprint(text) == (changed(Code.HEX_FORM, text, expected) if expected else Reading(text))


@pytest.mark.parametrize(
    "text", ["Certificate Thumbprint value", "-" + SHA1, SHA1 + "G", "\u0660" * 40, "0x", "2026-11-23", "sha1=" + SHA1]
)
def test_what_is_no_thumbprint_is_not_touched(text: str) -> None:
    """Other texts stay as written; validation warns of them."""
    assert read_thumbprint(text) == Reading(text)


# --- damage, which both kinds of identifiers can have


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("1.23E+18", Code.FLOAT_IDENTIFIER, FLOAT),
        ("1,23457E+39", Code.FLOAT_IDENTIFIER, FLOAT),
        ("1.23457e+39", Code.FLOAT_IDENTIFIER, FLOAT),
        ("1.7976931348623157E308", Code.FLOAT_IDENTIFIER, FLOAT),
        ("5E+17", Code.FLOAT_IDENTIFIER, FLOAT),
        ("-5.9E+17", Code.FLOAT_IDENTIFIER, FLOAT),
        ("12345.0", Code.FLOAT_IDENTIFIER, FLOAT),
        ("12345,0", Code.FLOAT_IDENTIFIER, FLOAT),
        (" 12345. ", Code.FLOAT_IDENTIFIER, FLOAT),
        ("100000000000000000", Code.ROUNDED_IDENTIFIER, ROUNDED),
        ("12345678901234500", Code.ROUNDED_IDENTIFIER, ROUNDED),
        ("1" * 15 + "0" * 25, Code.ROUNDED_IDENTIFIER, ROUNDED),
        (f"?{SHA1}", Code.LOST_CHARACTER, LOST),
        ("? 61 1a 02", Code.LOST_CHARACTER, LOST),
        ("??00a7", Code.LOST_CHARACTER, LOST),
    ],
)
@pytest.mark.parametrize("declared", DECLARED)
def test_lost_digits_are_never_repaired(text: str, code: Code, message: str, declared: SerialForm | None) -> None:
    """A float, a rounded number and a question mark before digits are refused, whatever is declared."""
    assert read_serial_number(text, declared) == refused(code, text, message)
    assert read_thumbprint(text) == refused(code, text, message)


@pytest.mark.parametrize("text", ["12E5", "100E10", "1234567890123450", "123456789012345678", "012345678901234000"])
def test_hexadecimal_digits_that_merely_look_odd_are_no_damage(text: str) -> None:
    """An E without a sign is a digit; one zero is chance; a spreadsheet keeps no leading zero."""
    assert read_serial_number(text, SerialForm.HEX) == Reading(text)


# --- serial numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a7", "A7"),
        ("00a7", "00A7"),
        ("0xa7", "A7"),
        ("0X00A7", "00A7"),
        (" 00A7 ", "00A7"),
        ("00:a7", "00A7"),
        ("0:a7", "0A7"),
        ("61 1a 02 b4", "611A02B4"),
        ("61-1A-02-B4", "611A02B4"),
        ("611a 02b4", "611A02B4"),
        ("12:34:56:78", "12345678"),
        ("0x12:34", "1234"),
        ("0x1234", "1234"),
    ],
)
@pytest.mark.parametrize("declared", DECLARED)
def test_a_serial_number_gets_the_hexadecimal_form(text: str, expected: str, declared: SerialForm | None) -> None:
    """What stands between the digits goes, and letters become capital; all digits stay, leading zeros too."""
    assert read_serial_number(text, declared) == changed(Code.HEX_FORM, text, expected)


@pytest.mark.parametrize("text", ["A7", "00A7", "00" + "F" * 40, "12E5", "BADE", "EMPTY", "Serial value", ""])
@pytest.mark.parametrize("declared", DECLARED)
def test_a_plain_serial_number_is_not_touched(text: str, declared: SerialForm | None) -> None:
    """Capital digits stay as written, and so does what is no number."""
    assert read_serial_number(text, declared) == Reading(text)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-23", "20-11-23", "23.11.2026", "23/11/2026", "11-23", "MAR-01", "2026-11-23T08:49:13Z"),
        *("12:34", "1:02", "1:02:03", "12:34:56", "08:49:13.5"),
        *("1.2.3", "1.234.567", "+49", "--59", "0x", "-", "0x0x12", "0xA7 (167)", "A7h", "#A7"),
        *("167 (0xa8)", "-89 (0x59)", "167 0xa7", "(0xa7)", "9" * 200 + " (0xa7)"),
        *("\u0661\u0666\u0667", "\uff11\uff16\uff17", "1\u0660", "\u00b2", "\u0410\u0412"),
        *("5E-07", "A 7", "A7 B", "AB CDE", "1 2 3"),
    ],
)
@pytest.mark.parametrize("declared", DECLARED)
def test_a_serial_number_is_not_guessed(text: str, declared: SerialForm | None) -> None:
    """Dates, times, versions, contradictions and the digits of other scripts stay as written."""
    assert read_serial_number(text, declared) == Reading(text)


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        ("-59", SerialForm.HEX, "A7"),
        ("-0x59", SerialForm.HEX, "A7"),
        ("-89", SerialForm.DECIMAL, "A7"),
        ("-0x59", None, "A7"),
        ("-5a", None, "A6"),
        ("-7", None, "F9"),
        ("-80", SerialForm.HEX, "80"),
        ("-81", SerialForm.HEX, "FF7F"),
        ("-128", SerialForm.DECIMAL, "80"),
        ("-129", SerialForm.DECIMAL, "FF7F"),
        ("-0", SerialForm.DECIMAL, "00"),
        ("167", SerialForm.DECIMAL, "A7"),
        (" 167 ", SerialForm.DECIMAL, "A7"),
        ("000167", SerialForm.DECIMAL, "A7"),
        ("0", SerialForm.DECIMAL, "00"),
        ("256", SerialForm.DECIMAL, "0100"),
        ("123456789012345678", SerialForm.DECIMAL, "01B69B4BA630F34E"),
        (str(2**159 - 1), SerialForm.DECIMAL, "7F" + "F" * 38),
        *(("167 (0xa7)", declared, "A7") for declared in DECLARED),
        *(("167(0XA7)", declared, "A7") for declared in DECLARED),
        *(("-89 (-0x59)", declared, "A7") for declared in DECLARED),
        *(("4096 (0x1000)", declared, "1000") for declared in DECLARED),
    ],
)
def test_another_spelling_of_the_integer(text: str, declared: SerialForm | None, expected: str) -> None:
    """A sign, openssl's double form and declared decimal digits become the octets of the DER integer."""
    assert read_serial_number(text, declared) == changed(Code.SERIAL_NUMBER_FORM, text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("167", Reading("167", (), (AMBIGUOUS,))),
        ("00167", Reading("00167", (), (AMBIGUOUS,))),
        (" 167", changed(Code.HEX_FORM, " 167", "167")._replace(problems=(AMBIGUOUS,))),
        ("1234 5678", changed(Code.HEX_FORM, "1234 5678", "12345678")._replace(problems=(AMBIGUOUS,))),
        (
            "-59",
            refused(
                Code.AMBIGUOUS_SERIAL_NUMBER,
                "-59",
                "decimal digits only, so it could be decimal or hexadecimal; sent as written",
            ),
        ),
        ("7", Reading("7")),
        (" 7", changed(Code.HEX_FORM, " 7", "7")),
    ],
)
def test_digits_alone_are_ambiguous(text: str, expected: Reading) -> None:
    """While nothing is declared decimal digits count as hexadecimal, with a warning; one digit is the same number."""
    assert read_serial_number(text, None) == expected


@pytest.mark.parametrize("text", ["1234 5678", "12345678 90123456", "9" * 101, "-" + "9" * 5_000])
def test_decimal_digits_that_cannot_be_read_are_not_taken_as_hexadecimal(text: str) -> None:
    """With `serial: decimal` groups of digits and numbers of hundreds of digits stay as written."""
    assert read_serial_number(text, SerialForm.DECIMAL) == Reading(text)


# --- any text


NEARLY = st.one_of(
    st.text(),
    st.text("0123456789abcdefABCDEFxX:- ().,+?", max_size=30),
    st.text("0123456789abcdef", min_size=1, max_size=44),
    st.builds(
        grouped, st.text("0123456789abCD", min_size=2), st.sampled_from([2, 4, 8]), st.sampled_from([":", " ", "-"])
    ),
    st.integers().map(str),
    st.integers().map(lambda number: f"{number} ({number:#x})"),
)


def hex_digits_of(text: str) -> str:
    """Return every hexadecimal digit of the text, but for the 0 of a leading 0x."""
    return re.sub(r"[^0-9A-F]", "", re.sub(r"\A\s*0[xX]", "", text).upper())


@pytest.mark.parametrize("declared", [None, SerialForm.HEX])
@given(text=NEARLY)
@example(text=f"0x{DIGITS}")
def test_a_serial_number_is_read_once(declared: SerialForm | None, text: str) -> None:
    """A second reading changes nothing, and no digit comes or goes where only the form changes."""
    reading = read_serial_number(text, declared)

    assert is_chained(text, reading)
    assert (read_serial_number(reading.text, declared).text, len(reading.steps) < 2) == (reading.text, True)
    for step in reading.steps:
        assert step.code is not Code.HEX_FORM or step.text == hex_digits_of(step.was)
        assert re.fullmatch("[0-9A-F]+", step.text)


@given(NEARLY)
def test_a_declared_decimal_number_keeps_its_value(text: str) -> None:
    """With `serial: decimal` the digits change and the number does not; all else is as without a declaration."""
    reading = read_serial_number(text, SerialForm.DECIMAL)

    if re.fullmatch("-?[0-9]+", text.strip()) and reading.steps:
        bits = 4 * len(reading.text)
        assert int(reading.text, 16) == int(text) % 2**bits
    elif reading.steps:
        assert reading == read_serial_number(text, SerialForm.HEX)


@given(st.integers(-(2**200), 2**200))
def test_each_integer_has_one_form(number: int) -> None:
    """The double form of openssl and the declared decimal one lead to the same octets."""
    sign = "-" if number < 0 else ""
    both = f"{number} ({sign}0x{abs(number):x})"

    forms = {
        read_serial_number(both, None).text,
        read_serial_number(both, SerialForm.DECIMAL).text,
        read_serial_number(both, SerialForm.HEX).text,
    }
    rounded = read_serial_number(str(number), SerialForm.DECIMAL).problems != ()

    assert len(forms) == 1
    assert rounded or read_serial_number(str(number), SerialForm.DECIMAL).text in forms


@given(NEARLY)
def test_a_thumbprint_is_read_once(text: str) -> None:
    """A second reading changes nothing, and no digit comes or goes."""
    reading = read_thumbprint(text)

    assert is_chained(text, reading)
    assert read_thumbprint(reading.text).text == reading.text
    assert [step.text for step in reading.steps] == [hex_digits_of(step.was) for step in reading.steps]


@pytest.mark.parametrize("text", [*ADVERSARIAL, "A" * 1_000_000, "-" + "F" * 1_000_000], ids=lambda text: text[:3])
def test_no_text_takes_long(text: str) -> None:
    """The longest cells come back, whatever they repeat."""
    readings = [read_thumbprint(text), *(read_serial_number(text, declared) for declared in DECLARED)]

    assert all(is_chained(text, reading) for reading in readings)
