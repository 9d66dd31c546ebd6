"""The spellings of date and time that exports use -> the API's form, where the text or a declaration is certain.

Each spelling is one regular expression; nothing here guesses. No I/O.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from pipeline.declared import DateNumber, DateOrder
from pipeline.findings import Code
from pipeline.values.date_numbers import read_dotnet_date, read_number
from pipeline.values.steps import Problem

# \s and not a blank: .NET and ICU put U+202F or U+00A0 before AM and PM.
TIME = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,7}))?)?"
    r"(?:\s?(?P<half>[AaPp])\.?\s?[Mm]\b\.?)?"
)
# +01 without minutes counts only after seconds, as PostgreSQL writes it: 08:49-10 can be two times of the day.
ZONE = r"(?:[Zz]|[A-Za-z]{2,5}|[+-][0-9]{2}(?::?[0-9]{2}|(?(second)|(?!))))"
TIME_AND_ZONE = rf"{TIME}(?:\s*(?P<zone>{ZONE}))?"
WEEKDAY = r"(?:(?P<weekday>[A-Za-z]{3,9}),?\s+)?"
MONTH = r"(?P<month>[A-Za-z]{3,9})"
YEAR = r"(?P<year>[0-9]{4}|[0-9]{2})"

# 2026-11-23 08:49:13Z, 23.11.2026 08:49, 11/23/2026 8:49:13 AM +01:00
NUMERIC = re.compile(
    r"(?P<first>[0-9]{4}|[0-9]{1,2})(?P<sign>[./-])(?P<middle>[0-9]{1,2})(?P=sign)(?P<last>[0-9]{4}|[0-9]{1,2})"
    rf"(?:(?:[Tt]|,?\s+){TIME_AND_ZONE})?"
)
# ISO 8601 basic: 20261123T084913Z
BASIC = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})[Tt](?P<hour>[0-9]{2})(?P<minute>[0-9]{2})"
    rf"(?:(?P<second>[0-9]{{2}})(?:[.,](?P<fraction>[0-9]{{1,7}}))?)?(?P<zone>{ZONE})?"
)
# ASN.1's GeneralizedTime 20261123084913Z and UTCTime 261123084913Z
ASN1 = re.compile(
    r"(?P<year>[0-9]{4}|[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})"
    r"(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,7}))?(?P<zone>[Zz]|[+-][0-9]{4})"
)
# 23-Nov-2026 08:49, Mon, 23 Nov 2026 08:49:13 GMT
DAY_FIRST = re.compile(
    rf"{WEEKDAY}(?P<day>[0-9]{{1,2}})(?:\.?\s+|-){MONTH}(?:\.?,?\s+|-){YEAR}(?:,?\s+{TIME_AND_ZONE})?"
)
# Nov 23, 2026 8:49:13 AM
MONTH_FIRST = re.compile(rf"{WEEKDAY}{MONTH}\.?\s+(?P<day>[0-9]{{1,2}}),?\s+{YEAR}(?:,?\s+{TIME_AND_ZONE})?")
# openssl's Nov 23 08:49:13 2026 GMT, and asctime's and Java's Mon Nov 23 08:49:13 UTC 2026
YEAR_LAST = re.compile(
    rf"{WEEKDAY}{MONTH}\s+(?P<day>[0-9]{{1,2}})\s+{TIME_AND_ZONE}\s+(?P<year>[0-9]{{4}})"
    rf"(?(zone)|(?:\s*(?P<zone_after>{ZONE}))?)"
)

OPENSSL_LABELS = ("notBefore=", "notAfter=")
UTC_NAMES = frozenset({"Z", "UTC", "GMT"})

MONTH_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, 1)}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9}

WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAYS = {name: number for number, name in enumerate(WEEKDAY_NAMES)}
WEEKDAYS |= {name[:3]: number for name, number in WEEKDAYS.items()} | {"tues": 1, "thur": 3, "thurs": 3}

SHORT_YEAR = Problem(
    Code.NOT_A_DATE_TIME,
    "no year with four digits, so the century is not certain",
    "write the year with four digits",
)


class _Day(NamedTuple):
    year: int
    month: int
    day: int


def rewrite_date_time(text: str, order: DateOrder | None, number: DateNumber | None) -> str | Problem | None:
    """Return the API's form of a date and time that is spelled otherwise, without an offset where it has none.

    A date without a time of day comes out as yyyy-mm-dd. None is for what is not recognised; a problem for what is
    recognised and is either not certain or impossible. `text` has no blanks around it and is not in the API's form.
    """
    for label in OPENSSL_LABELS:
        text = text.removeprefix(label)
    return read_number(text, number) or read_dotnet_date(text) or _read_figures(text, order) or _read_named(text)


def _read_figures(text: str, order: DateOrder | None) -> str | Problem | None:
    """Return what a date in figures means."""
    found = NUMERIC.fullmatch(text)
    if found:
        day = _numeric_day(found, order)
        return day if isinstance(day, Problem) else _date_time(day, found)
    found = BASIC.fullmatch(text) or ASN1.fullmatch(text)
    if not found:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        # RFC 5280, 4.1.2.5.1, says which century a UTCTime means.
        year += 2000 if year < 50 else 1900
    return _date_time(_Day(year, int(found["month"]), int(found["day"])), found)


def _numeric_day(found: re.Match[str], order: DateOrder | None) -> _Day | Problem:
    """Return the day that three numbers name."""
    first, middle, last = int(found["first"]), int(found["middle"]), int(found["last"])
    if len(found["first"]) == 4:
        # Nobody writes the year first and the day before the month.
        return _Day(first, middle, last)
    if len(found["last"]) != 4:
        return SHORT_YEAR
    return _ordered_day(_Day(last, middle, first), _Day(last, first, middle), order, has_dots=found["sign"] == ".")


def _ordered_day(day_first: _Day, month_first: _Day, order: DateOrder | None, *, has_dots: bool) -> _Day | Problem:
    """Return the one of the two readings that is declared and possible, or the only one that is possible."""
    can_be_day_first, can_be_month_first = _is_day(day_first), _is_day(month_first)
    if not (can_be_day_first or can_be_month_first):
        return Problem(Code.NOT_A_DATE_TIME, "there is no such day, with the day first or the month first")
    if order is DateOrder.DMY and can_be_day_first:
        return day_first
    is_ambiguous = can_be_day_first and can_be_month_first and day_first != month_first
    both = f"the date can be {_iso(day_first)} (day first) or {_iso(month_first)} (month first)"
    if order is DateOrder.MDY and has_dots and is_ambiguous:
        # No place that writes dots puts the month first (CLDR 47, the short and medium date formats of all locales).
        return Problem(
            Code.AMBIGUOUS_DATE,
            f"{both}: `date_order: mdy` says month first, but who writes dots puts the day first",
            "write the date with the year first, such as 2027-03-15",
        )
    if order is DateOrder.MDY and can_be_month_first:
        return month_first
    possible = day_first if can_be_day_first else month_first
    if order:
        return _unlike_declared(order, possible)
    return Problem(Code.AMBIGUOUS_DATE, both) if is_ambiguous else possible


def _unlike_declared(order: DateOrder, only: _Day) -> Problem:
    message = (
        "the year stands last, and `date_order: ymd` says that it stands first"
        if order is DateOrder.YMD
        else f"the date can only be {_iso(only)}, which is not in the declared order {order}"
    )
    return Problem(Code.DATE_ORDER_CONTRADICTED, message)


def _read_named(text: str) -> str | Problem | None:
    """Return what a date with the English name of its month means."""
    found = DAY_FIRST.fullmatch(text) or MONTH_FIRST.fullmatch(text) or YEAR_LAST.fullmatch(text)
    if not found:
        return None
    month = MONTHS.get(found["month"].lower())
    weekday = WEEKDAYS.get(found["weekday"].lower()) if found["weekday"] else None
    if month is None or (found["weekday"] and weekday is None):
        return None
    if len(found["year"]) == 2:
        return SHORT_YEAR
    day = _Day(int(found["year"]), month, int(found["day"]))
    if weekday is not None and _is_day(day) and date(*day).weekday() != weekday:
        there = WEEKDAY_NAMES[date(*day).weekday()].title()
        return Problem(Code.NOT_A_DATE_TIME, f"{_iso(day)} is a {there}, not a {WEEKDAY_NAMES[weekday].title()}")
    return _date_time(day, found)


def _date_time(day: _Day, found: re.Match[str]) -> str | Problem:
    """Return the day with the match's time and offset in the API's form."""
    if not _is_day(day):
        return Problem(Code.NOT_A_DATE_TIME, f"there is no day {_iso(day)}")
    given = found.groupdict()
    if given["hour"] is None:
        return _iso(day)
    time = _time_of_day(given)
    if isinstance(time, Problem):
        return time
    offset = _offset(given["zone"] or given.get("zone_after") or "")
    return offset if isinstance(offset, Problem) else f"{_iso(day)}T{time}{offset}"


def _time_of_day(given: Mapping[str, str | None]) -> str | Problem:
    """Return hh:mm:ss in 24 hours; all digits of a fraction are kept."""
    hour, minute, second = int(given["hour"] or 0), int(given["minute"] or 0), int(given["second"] or 0)
    half = given.get("half")
    if half:
        if not 1 <= hour <= 12:
            return Problem(Code.NOT_A_DATE_TIME, f"with AM or PM the hour goes from 1 to 12, and here it is {hour}")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return Problem(Code.NOT_A_DATE_TIME, f"there is no time {hour:02}:{minute:02}:{second:02}")
    fraction = f".{given['fraction']}" if given["fraction"] else ""
    return f"{hour:02}:{minute:02}:{second:02}{fraction}"


def _offset(zone: str) -> str | Problem:
    """Return the offset as the API writes it, "" where there is none."""
    if not zone:
        return ""
    if zone.isalpha():
        if zone.upper() in UTC_NAMES:
            return "Z"
        return Problem(
            Code.NOT_A_DATE_TIME,
            f"{zone} after the time names no certain offset from UTC; of such words only Z, UTC and GMT do",
            "write the offset instead of the word, such as +01:00; or leave it out and name the file's zone under "
            "`timezone:` in config.yaml",
        )
    digits = zone.replace(":", "")
    return f"{digits[:3]}:{digits[3:] or '00'}"


def _is_day(day: _Day) -> bool:
    try:
        date(*day)
    except ValueError:
        return False
    return True


def _iso(day: _Day) -> str:
    return f"{day.year:04}-{day.month:02}-{day.day:02}"
