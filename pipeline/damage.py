"""What a spreadsheet made of an identifier: told from the text that was there before and the text there is now.

A spreadsheet that opens a text file, or whose cell somebody enters again, takes for a number, a date or a time what
looks like one. What it does then is known: Microsoft's "Keeping leading zeros and large numbers", "Last digits are
changed to zeros when you type long numbers in cells of Excel" (KB 269370), "Stop automatically changing numbers to
dates" and "Excel specifications and limits"; for identifiers that read as 2310009E13 or MARCH1, Zeeberg and others,
"Mistaken Identifiers" (BMC Bioinformatics 5:80, 2004). What LibreOffice does beyond that was tried out with 7.4.

Pure functions, no I/O. Numbers are compared by value as decimals: a float would lose the very digits that count.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from typing import NamedTuple

MOST_CHARACTERS = 500
"""A spreadsheet takes nothing longer for a number: 308 digits, with separators."""


class Damage(StrEnum):
    """What a spreadsheet did to a text, worded so that it follows `a spreadsheet`."""

    SCIENTIFIC = "took it for a number in scientific notation"
    ROUNDED = "took it for a number and kept only its first digits"
    LEADING_ZEROS = "took it for a number and dropped its leading zeros"
    DECIMALS = "took it for a number and changed its decimals"
    GROUPED = "took it for a number and changed the separators of its thousands"
    DATE = "took it for a date"
    TIME = "took it for a time of day"
    TRUTH = "took it for TRUE or FALSE"
    APOSTROPHE = "changed the apostrophe before it"
    CHARACTERS = "saved it in an encoding that lacks some of its characters"


def damage_of(was: str, now: str) -> Damage | None:
    """Return what a spreadsheet did to make `now` of `was`; None where it did nothing, or somebody else did.

    Another text altogether, other letter case, other blanks around it or other separators between hexadecimal digits
    are no damage, and neither is an empty cell, which is found to be empty.
    """
    was, now = was.strip(), now.strip()
    if not was or not now or was == now or max(len(was), len(now)) > MOST_CHARACTERS:
        return None
    if _is_date_of(was, now):
        return Damage.DATE
    if _digits(was) == _digits(now):
        return Damage.GROUPED if was.isdecimal() and SPACED.fullmatch(now) else None
    if was.removeprefix("'") == now.removeprefix("'"):
        return Damage.APOSTROPHE
    return _word_damage(was, now) or _time_damage(was, now) or _number_damage(was, now) or _character_damage(was, now)


SEPARATORS = re.compile(r"(?<=[0-9A-Fa-f])[\s:-]+(?=[0-9A-Fa-f])")
QUOTED_DIGITS = re.compile(r"'(?=[0-9A-Fa-f][0-9A-Fa-f\s:-]*$)")
"""The apostrophe that somebody put before digits to keep them: it is left out when they are read."""

YES = frozenset({"true", "wahr", "vrai", "vero", "verdadero"})
NO = frozenset({"false", "falsch", "faux", "falso"})


def _digits(text: str) -> str:
    return SEPARATORS.sub("", QUOTED_DIGITS.sub("", text)).casefold()


def _word_damage(was: str, now: str) -> Damage | None:
    words = {was.casefold(), now.casefold()}
    return Damage.TRUTH if words <= YES or words <= NO else None


# --- numbers

EXACT = Context(prec=1_000)
"""The usual context of decimals rounds to 28 digits."""

LARGEST_EXPONENT = 308
"""A greater number stays a text ("Excel specifications and limits")."""

SURE_DIGITS = 15
KEPT_DIGITS = (17, 16, SURE_DIGITS)
"""How many digits of a number are left in a cell: 15 in Excel, up to 17 of the nearest double in other programs."""

SHOWN_DIGITS = (6, 3)
"""How many are shown: in the format General from twelve digits on (1.23457E+18), and in the format Scientific, which
an entry such as 100E10 gets (1.00E+12)."""

FIRST_SHORTENED = 12

GROUP = "[.,'\u2019 \u00a0\u202f]"
NUMBER = re.compile(
    rf"(?P<sign>[+-]?)(?:(?P<grouped>[0-9]{{1,3}}(?P<mark>{GROUP})[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*)|(?P<plain>[0-9]+))"
    r"(?P<decimals>[.,][0-9]*)?(?:[eE](?P<exponent>[+-]?[0-9]+))?"
)
POINTED = re.compile(r"(?P<sign>[+-]?)(?P<plain>[0-9]*)(?P<decimals>[.,][0-9]*)(?:[eE](?P<exponent>[+-]?[0-9]+))?")
SPACED = re.compile(r"-?[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+(?:,[0-9]+)?")

PLAIN_EXPONENT = re.compile(r"[0-9]+[eE][0-9]+")
OVERFLOWN = re.compile(r"1[.,]7976931348623[0-9]*[eE]\+308|17976931348623[0-9]{2,3}0{290,}")
"""LibreOffice makes the greatest double of a number that is too great, such as 12E345; Excel leaves that alone."""

WRITTEN_EXPONENT = re.compile(r"[eE][+-][0-9]{2,3}$")
"""A spreadsheet writes the sign of the exponent; so 12E5, which it never writes, can be what somebody put back."""


class _Number(NamedTuple):
    value: Decimal
    decimals: int  # digits behind the decimal sign
    exponent: int | None  # None: not in scientific notation
    is_grouped: bool
    has_sign: bool  # for decimals


def _number_damage(was: str, now: str) -> Damage | None:
    if "e" in now.casefold() and not WRITTEN_EXPONENT.search(now):
        return None
    if OVERFLOWN.fullmatch(now) and PLAIN_EXPONENT.fullmatch(was):
        return Damage.SCIENTIFIC
    pairs = [(one, other) for one in _numbers(was) for other in _numbers(now)]
    found = [_same_value(one, other, was) for one, other in pairs if one.value == other.value]
    found += [_rounded(one, other) for one, other in pairs if one.value != other.value]
    return next(filter(None, found), None)


def _numbers(text: str) -> Iterator[_Number]:
    """Yield the numbers that the text is, in the countries that write them with a point or a comma."""
    for pattern in (NUMBER, POINTED):
        found = pattern.fullmatch(text)
        if found is None:
            continue
        parts = found.groupdict()
        mark, decimals = parts.get("mark"), parts["decimals"] or ""
        whole = parts.get("grouped") or parts["plain"] or ""
        digits = "".join(each for each in whole if each.isdecimal())
        exponent = int(parts["exponent"] or 0)
        fraction = decimals[1:]
        is_number = bool(digits + fraction) and decimals[:1] != mark
        is_zero = not (digits + fraction).strip("0")
        if not is_number or (not is_zero and abs(exponent) + len(digits.lstrip("0")) > LARGEST_EXPONENT + 1):
            continue
        value = (
            Decimal(0) if is_zero else Decimal(f"{parts['sign']}{digits or 0}.{fraction or 0}").scaleb(exponent, EXACT)
        )
        is_scientific = parts["exponent"] is not None
        yield _Number(value, len(fraction), exponent if is_scientific else None, bool(mark), bool(decimals))


def _same_value(was: _Number, now: _Number, text: str) -> Damage | None:
    if now.exponent is not None or was.exponent is not None:
        return Damage.SCIENTIFIC
    if now.is_grouped or was.is_grouped:
        return Damage.GROUPED
    if now.has_sign or was.has_sign:
        return Damage.DECIMALS
    return Damage.LEADING_ZEROS if text.lstrip("+-").startswith("0") else None


def _rounded(was: _Number, now: _Number) -> Damage | None:
    distance = abs(EXACT.subtract(now.value, was.value))
    if now.exponent is not None:
        unit = Decimal(1).scaleb(now.exponent - now.decimals)  # of the last digit that is left
        # Beyond its 15 sure digits a number is that of the nearest double, which a data frame writes out.
        doubt = Decimal(1).scaleb(was.value.adjusted() - SURE_DIGITS)
        return Damage.SCIENTIFIC if distance < max(unit, doubt) and now.value else None
    places = was.value.adjusted() + 1
    is_shortened = was.exponent is not None or places >= FIRST_SHORTENED
    for kept in (*KEPT_DIGITS, *SHOWN_DIGITS) if is_shortened else ():
        unit = Decimal(1).scaleb(places - kept)
        is_cut = unit >= (10 if kept <= SURE_DIGITS else 100) and not EXACT.remainder(now.value, unit)
        if is_cut and now.value and distance < max(unit, Decimal(1).scaleb(places - SURE_DIGITS)):
            return Damage.SCIENTIFIC if was.exponent is not None else Damage.ROUNDED
    return None


# --- dates and times

MONTHS_WRITTEN: Sequence[str] = (
    "Jan January Januar Jän Jänner janv janvier",
    "Feb February Februar févr février",
    "Mar March Mrz Mär März mars",
    "Apr April avr avril",
    "May Mai mai",
    "Jun June Juni juin",
    "Jul July Juli juil juillet",
    "Aug August août",
    "Sep Sept September sept septembre",
    "Oct October Okt Oktober oct octobre",
    "Nov November nov novembre",
    "Dec December Dez Dezember déc décembre",
)
"""The months as spreadsheets write them in English, German and French, with the letter case they give them."""

MONTH_WRITTEN = {word: number for number, words in enumerate(MONTHS_WRITTEN, 1) for word in words.split()}
MONTH = {word.casefold(): number for word, number in MONTH_WRITTEN.items()}

_WORD = r"(?P<month>[^\W\d_]{3,9})\.?"
_MARK = r"[-/. ]{0,2}"
MONTH_FIRST = re.compile(rf"{_WORD}{_MARK}(?P<number>[0-9]{{1,4}})")
DAY_FIRST = re.compile(rf"(?P<number>[0-9]{{1,4}}){_MARK}{_WORD}")
DAY_MONTH_YEAR = re.compile(rf"(?P<day>[0-9]{{1,2}}){_MARK}{_WORD}{_MARK}(?P<year>[0-9]{{4}}|[0-9]{{2}})")
MONTH_DAY_YEAR = re.compile(rf"{_WORD} ?-?(?P<day>[0-9]{{1,2}})[,-] ?(?P<year>[0-9]{{4}}|[0-9]{{2}})")
TWO_NUMBERS = re.compile(r"([0-9]{1,4})[-/.]([0-9]{1,4})\.?")
THREE_NUMBERS = re.compile(r"([0-9]{1,4})[-/.] ?([0-9]{1,2})[-/.] ?([0-9]{1,4})")
SHORT_DATE = re.compile(r"[0-9]{1,2}([-/. ]+[0-9]{1,2}){2}")

MIDNIGHT = re.compile(r"(?:T|,? )(?:0?0:00(?::00(?:[.,]0+)?)?(?:Z|\+00:00)?|12:00(?::00)? ?AM)$")
WEEKDAY = re.compile(r"^(?:[^\W\d_]{2,9}\.?, |(?:lun|mar|mercre|jeu|vendre|same)di |dimanche )")
DATE_NUMBER = re.compile(r"([1-9][0-9]{0,6})(?:[.,]0+)?")

DAY_0 = {"1900": date(1899, 12, 30), "1904": date(1904, 1, 1)}
"""The day of number 0 in the two date systems ("Date systems in Excel"), for dates since March 1900."""

MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LAST_DATE_NUMBER = 2_958_465
NEAR_YEARS = range(1990, 2100)
"""A date that is entered without a year gets that of the day it is entered."""


class _Date(NamedTuple):
    year: int | None  # below 100 with two digits
    month: int
    day: int | None  # None: a month of a year


def _is_date_of(was: str, now: str) -> bool:
    if THREE_NUMBERS.fullmatch(was) and SHORT_DATE.fullmatch(now):
        return False  # octets in another order: of such a text a spreadsheet makes a date with the whole year
    written = list(_dates_written(now))
    if was.isdecimal():
        # Only the number of a whole date; digits that became other digits are looked at as numbers.
        return any(
            _is_same(one, other) for one in _dates_of_number(was) for other in written if other.year and other.day
        )
    entered = list(_dates_entered(was))
    return any(_is_same(one, other) for one in entered for other in (*written, *_dates_of_number(now)))


def _is_same(entered: _Date, written: _Date) -> bool:
    if entered.month != written.month:
        return False
    if entered.year is None:
        is_near = written.year is None or written.year < 100 or written.year in NEAR_YEARS
        return is_near and entered.day == written.day
    modulus = 100 if min(entered.year, written.year or 0) < 100 else 10_000
    is_same_year = written.year is None or entered.year % modulus == written.year % modulus
    return is_same_year and written.day in {entered.day or 1, None}


def _dates_entered(text: str) -> Iterator[_Date]:
    """Yield the dates for which some country's spreadsheet takes the text."""
    for pattern in (MONTH_FIRST, DAY_FIRST):
        if (found := pattern.fullmatch(text)) and (month := MONTH.get(found["month"].casefold())):
            number = int(found["number"])
            yield from _valid(_Date(None, month, number))
            if len(found["number"]) in {2, 4}:
                yield _Date(number, month, None)
    for pattern in (DAY_MONTH_YEAR, MONTH_DAY_YEAR):
        if (found := pattern.fullmatch(text)) and (month := MONTH.get(found["month"].casefold())):
            yield from _valid(_Date(int(found["year"]), month, int(found["day"])))
    if found := TWO_NUMBERS.fullmatch(text):
        first, second = int(found[1]), int(found[2])
        yield from _valid(_Date(None, first, second))
        yield from _valid(_Date(None, second, first))
        yield from _valid(_Date(second, first, None))
        yield from _valid(_Date(first, second, None))
    yield from _of_three_numbers(text)


def _dates_written(text: str) -> Iterator[_Date]:
    """Yield the dates that the text is as a spreadsheet writes them."""
    text = WEEKDAY.sub("", MIDNIGHT.sub("", text))
    for pattern in (DAY_MONTH_YEAR, MONTH_DAY_YEAR):
        if (found := pattern.fullmatch(text)) and (month := MONTH_WRITTEN.get(found["month"])):
            yield from _valid(_Date(int(found["year"]), month, int(found["day"])))
    if (found := DAY_FIRST.fullmatch(text)) and (month := MONTH_WRITTEN.get(found["month"])):
        yield from _valid(_Date(None, month, int(found["number"])))
    if (found := MONTH_FIRST.fullmatch(text)) and (month := MONTH_WRITTEN.get(found["month"])):
        yield _Date(int(found["number"]), month, None)
    yield from _of_three_numbers(text)


def _of_three_numbers(text: str) -> Iterator[_Date]:
    if found := THREE_NUMBERS.fullmatch(text):
        one, two, three = (int(each) for each in found.groups())
        for year, month, day in ((three, two, one), (three, one, two), (one, two, three)):
            yield from _valid(_Date(year, month, day))


def _dates_of_number(text: str) -> Iterator[_Date]:
    found = DATE_NUMBER.fullmatch(text)
    if found and int(found[1]) <= LAST_DATE_NUMBER:
        for day_0 in DAY_0.values():
            days = timedelta(int(found[1]))
            if days <= date.max - day_0:
                yield _Date((day_0 + days).year, (day_0 + days).month, (day_0 + days).day)


def _valid(found: _Date) -> Iterator[_Date]:
    is_year = found.year is None or found.year < 100 or 1900 <= found.year <= 9999
    if is_year and 1 <= found.month <= 12 and 1 <= (found.day or 1) <= MOST_DAYS[found.month - 1]:
        yield found


TIME = re.compile(r"([0-9]{1,4}):([0-5][0-9])(?::([0-5][0-9]))?(?: ?([AP])M)?")
DAY_S = 86_400
FRACTION = re.compile(r"[0-9]{1,3}[.,][0-9]{2,}")


def _time_damage(was: str, now: str) -> Damage | None:
    entered, written = _seconds(was), _seconds(now)
    if entered is None:
        return None
    if written is None and FRACTION.fullmatch(now):
        day = Decimal(now.replace(",", "."))
        unit = Decimal(1).scaleb(int(day.as_tuple().exponent))
        return Damage.TIME if abs(day - Decimal(entered) / DAY_S) < unit else None
    return Damage.TIME if written is not None and entered % DAY_S == written % DAY_S else None


def _seconds(text: str) -> int | None:
    found = TIME.fullmatch(text)
    if not found:
        return None
    hours = int(found[1])
    if found[4]:
        hours = hours % 12 + (12 if found[4] == "P" else 0)
    return hours * 3_600 + int(found[2]) * 60 + int(found[3] or 0)


# --- characters


def _character_damage(was: str, now: str) -> Damage | None:
    """Return whether `now` is `was` after a program without Unicode: `?` or a plain letter for each one it lacks."""
    if was.isascii():
        return None
    if now in _misread(was):
        return Damage.CHARACTERS
    changed = [(one, other) for one, other in zip(was, now, strict=False) if one != other]
    is_lost = len(was) == len(now) and all(_is_lost(one, other) for one, other in changed)
    return Damage.CHARACTERS if is_lost else None


def _misread(text: str) -> Iterator[str]:
    for encoding in ("cp1252", "cp1250", "latin-1"):
        yield text.encode("utf-8", "replace").decode(encoding, "replace")


def _is_lost(was: str, now: str) -> bool:
    if was.isascii():
        return False
    if now in "?_\ufffd":
        return True
    # A renamed Müller is no damage: the encodings of western countries have that letter.
    bare = unicodedata.name(was, "").partition(" WITH ")[0]
    return bool(bare) and bare == unicodedata.name(now, "") and not was.encode("cp1252", "ignore")
