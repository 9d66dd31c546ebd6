"""Thumbprints and serial numbers: hexadecimal digits in one form. Never repaired by guess.

The digits stay as written, leading zeros too; what changes is what stands between them, letter case, and another way
of writing the same integer that is certain (a sign, `167 (0xa7)`) or declared (`serial: decimal`).
"""

import re
from collections.abc import Callable
from functools import partial

from pipeline.certificates import octets_hex
from pipeline.declared import SerialForm
from pipeline.findings import Code
from pipeline.identity import hex_digits
from pipeline.values.steps import Problem, Reading, Step

HEX = re.compile(r"[0-9A-Fa-f]+")
PLAIN = re.compile(r"(?:0[xX])?[0-9A-Fa-f]+")
DECIMAL = re.compile(r"-?[0-9]+")
SIGNED = re.compile(r"-(?:0[xX])?([0-9A-Fa-f]+)")
WITH_DECIMAL = re.compile(r"(-?)([0-9]+) ?\((-?)0[xX]([0-9A-Fa-f]+)\)")
"""How `openssl x509 -text` prints a short serial number: 167 (0xa7)."""

FLOAT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*(?:[eE][+-]?[0-9]+)?|[eE]\+[0-9]+)")
"""How a spreadsheet or a data frame writes a number that it holds as a float: 1.23E+18, 1,23457E+39, 12345.0."""

ROUNDED = re.compile(r"[1-9][0-9]{14}0{2,}")
"""A spreadsheet keeps 15 digits of a number, without leading zeros, and writes zeros behind them ("Excel specifications
and limits")."""

QUOTED_TEXT = re.compile(r"'[0-9A-Fa-f][0-9A-Fa-f: -]*")
"""Digits behind the apostrophe by which somebody told a spreadsheet that they are text."""

LOST_MARK = re.compile(r"\?+ ?[0-9A-Fa-f][0-9A-Fa-f: -]*")

GROUPED = re.compile(
    r"(?:0[xX])?(?:[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{2})+"  # openssl
    r"|[0-9A-Fa-f]{2}(?: +[0-9A-Fa-f]{2})+"  # certutil, Windows' dialog
    r"|[0-9A-Fa-f]{4}(?: +[0-9A-Fa-f]{4})+"
    r"|[0-9A-Fa-f]{8}(?: +[0-9A-Fa-f]{8})+"
    # .NET's BitConverter; fewer groups could be a date
    r"|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){3,})"
)

TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?")
"""What can be octets or a time of day, which a spreadsheet makes of some octets: 1:02:03 of 01:02:03."""

EITHER = re.compile(r"-?[0-9]{2,}|[0-9]{4}(?: +[0-9]{4})+|[0-9]{8}(?: +[0-9]{8})+")
"""What can be a decimal or a hexadecimal number; one digit is the same number both ways."""

THUMBPRINT_DIGITS = frozenset({40, 64})


def read_thumbprint(text: str) -> Reading:
    """Return the thumbprint as upper-case hexadecimal digits, or as written where it is none."""
    if QUOTED_TEXT.fullmatch(text.strip()):
        return _without_apostrophe(text, read_thumbprint)
    damage = _damage(text.strip())
    if damage:
        return Reading(text, problems=damage)
    digits = hex_digits(text)
    is_sure = HEX.fullmatch(digits) and (len(digits) in THUMBPRINT_DIGITS or _is_plain_or_grouped(text.strip()))
    return _hex_reading(text, digits) if is_sure else Reading(text)


def read_serial_number(text: str, declared: SerialForm | None) -> Reading:
    """Return the serial number as upper-case hexadecimal digits, or as written where it is none.

    `declared` says what digits mean that could be decimal or hexadecimal. A number from decimal digits, from a
    negative number or from openssl's double form gets whole octets, so an even number of digits.
    """
    trimmed = text.strip()
    if QUOTED_TEXT.fullmatch(trimmed):
        return _without_apostrophe(text, partial(read_serial_number, declared=declared))
    damage = _damage(trimmed)
    if damage:
        return Reading(text, problems=damage)
    number = _number_of(trimmed, declared)
    if number is not None:
        return _octets_reading(text, number)
    if EITHER.fullmatch(trimmed) and declared is not SerialForm.HEX:
        return Reading(text) if declared else _ambiguous_reading(text, hex_digits(trimmed))
    return _hex_reading(text, hex_digits(text)) if _is_plain_or_grouped(trimmed) else Reading(text)


def _without_apostrophe(text: str, read: Callable[[str], Reading]) -> Reading:
    plain = text.strip()[1:]
    reading = read(plain)
    return reading._replace(steps=(Step(Code.HEX_FORM, text, plain), *reading.steps))


def _number_of(trimmed: str, declared: SerialForm | None) -> int | None:
    """Return the integer of a spelling that is not its hexadecimal digits, where it is certain or declared."""
    both = WITH_DECIMAL.fullmatch(trimmed)
    if both:
        decimal, hexadecimal = _integer(both[1] + both[2], 10), _integer(both[3] + both[4], 16)
        return decimal if decimal == hexadecimal else None
    if declared is SerialForm.DECIMAL and DECIMAL.fullmatch(trimmed):
        return _integer(trimmed, 10)
    signed = SIGNED.fullmatch(trimmed)
    is_hex = declared is SerialForm.HEX or not EITHER.fullmatch(trimmed)
    return -int(signed[1], 16) if signed and is_hex else None


def _ambiguous_reading(text: str, digits: str) -> Reading:
    is_negative = digits.startswith("-")
    consequence = "sent as written" if is_negative else "taken as hexadecimal"
    message = f"decimal digits only, so it could be decimal or hexadecimal; {consequence}"
    reading = Reading(text) if is_negative else _hex_reading(text, digits)
    return reading._replace(problems=(Problem(Code.AMBIGUOUS_SERIAL_NUMBER, message),))


def _damage(trimmed: str) -> tuple[Problem, ...]:
    if FLOAT.fullmatch(trimmed):
        return (Problem(Code.FLOAT_IDENTIFIER, "reads as a floating-point number, so digits are lost"),)
    if ROUNDED.fullmatch(trimmed):
        return (Problem(Code.ROUNDED_IDENTIFIER, "only zeros stand after the fifteenth of its decimal digits"),)
    if LOST_MARK.fullmatch(trimmed):
        message = "a question mark stands where Windows' invisible mark was before the file was saved as ANSI"
        return (Problem(Code.LOST_CHARACTER, message),)
    return ()


def _is_plain_or_grouped(trimmed: str) -> bool:
    is_grouped = bool(GROUPED.fullmatch(trimmed)) and not TIME.fullmatch(trimmed)
    return is_grouped or bool(PLAIN.fullmatch(trimmed))


def _integer(text: str, base: int) -> int | None:
    # 20 octets (RFC 5280, 4.1.2.2) have 49 decimal digits; Python refuses to convert thousands of them.
    return int(text, base) if len(text) <= 100 else None


def _hex_reading(text: str, digits: str) -> Reading:
    form = digits.upper()
    return Reading(text) if form == text else Reading(form, (Step(Code.HEX_FORM, text, form),))


def _octets_reading(text: str, number: int) -> Reading:
    """Return the octets of the DER integer; its sign octet 00 is left out, as Windows and .NET mostly do."""
    form = octets_hex(number)
    return Reading(text) if form == text else Reading(form, (Step(Code.SERIAL_NUMBER_FORM, text, form),))
