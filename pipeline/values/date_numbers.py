"""Numbers that count days, seconds or milliseconds -> the API's date and time. No I/O."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from pipeline.declared import DateNumber
from pipeline.findings import Code
from pipeline.values.steps import Problem

# Few enough digits for Decimal's precision of 28, so that nothing below is rounded unsaid.
NUMBER = re.compile(r"[+-]?[0-9]{1,16}(?:[.,][0-9]{1,12})?")
GROUPED = re.compile(r"[+-]?[0-9]{1,3}[.,][0-9]{3}")
DOTNET_DATE = re.compile(r"\\?/Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)\\?/")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SECOND = int((datetime(1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
LAST_SECOND = int((datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - EPOCH).total_seconds())

BASE_1900 = datetime(1899, 12, 30, tzinfo=UTC)
BASE_1904 = datetime(1904, 1, 1, tzinfo=UTC)
LAST_OF_EXCEL = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
LEAP_DAY_1900 = 60
"""Excel counts 1900-02-29, which never was, as Lotus 1-2-3 did (ECMA-376 part 1, 18.17.4.1)."""
SECONDS_OF_DAY = 86_400


COMPACT_DATE = re.compile(r"(?:19[5-9]|20[0-9])[0-9](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
IN_USE = (Decimal(631_152_000), Decimal(4_102_444_800))
"""1990-01-01 and 2100-01-01 in seconds: certificates do not lie outside."""


def read_number(text: str, number: DateNumber | None) -> str | Problem | None:
    """Return what a bare number means where `number` says what it counts; None when it is no number.

    Epoch numbers give UTC; serial numbers of Excel give a local time without an offset, as Excel knows no zone.
    """
    if not NUMBER.fullmatch(text):
        return None
    if number is None:
        return Problem(Code.DATE_NUMBER, "a bare number, and nothing declares what it counts")
    if GROUPED.fullmatch(text):
        return Problem(
            Code.DATE_NUMBER,
            f"{text} can be a decimal number or one with a thousands separator",
            "write the number without a thousands separator",
        )
    count = Decimal(text.replace(",", "."))
    match number:
        case DateNumber.EPOCH_SECONDS | DateNumber.EPOCH_MILLISECONDS:
            seconds, otherwise = count, count.scaleb(-3)
            if number is DateNumber.EPOCH_MILLISECONDS:
                seconds, otherwise = otherwise, count
            return _doubt(text, seconds, otherwise, number) or _instant(seconds, number)
        case DateNumber.EXCEL_1900 | DateNumber.EXCEL_1904:
            return _excel_day(count, number)


def _doubt(text: str, seconds: Decimal, otherwise: Decimal, number: DateNumber) -> Problem | None:
    """Return the problem of a number that plainly counts something else than what is declared."""
    if COMPACT_DATE.fullmatch(text):
        return Problem(Code.DATE_NUMBER, f"declared as {number}, and it reads as year, month and day")
    if not IN_USE[0] <= seconds <= IN_USE[1] and IN_USE[0] <= otherwise <= IN_USE[1]:
        other = {DateNumber.EPOCH_SECONDS: "milliseconds", DateNumber.EPOCH_MILLISECONDS: "seconds"}[number]
        return Problem(Code.DATE_NUMBER, f"declared as {number}, and only as {other} it is a year from 1990 to 2100")
    return None


def read_dotnet_date(text: str) -> str | Problem | None:
    r"""Return the instant of /Date(1795423753000+0100)/ or \/Date(..)\/, or None when it is another text.

    The number is milliseconds since 1970 in UTC; the offset only tells how to show it (Microsoft, "Stand-Alone JSON
    Serialization", DateTime Wire Format).
    """
    found = DOTNET_DATE.fullmatch(text)
    return _instant(Decimal(found[1]).scaleb(-3), None) if found else None


def _instant(seconds: Decimal, number: DateNumber | None) -> str | Problem:
    ticks = seconds.scaleb(7)
    if ticks != ticks.to_integral_value():
        return Problem(Code.NOT_A_DATE_TIME, "the number is finer than the 100 nanoseconds that the API holds")
    whole, fraction = divmod(int(ticks), 10_000_000)
    if not FIRST_SECOND <= whole <= LAST_SECOND:
        declared = f"as {number} " if number else ""
        return Problem(Code.NOT_A_DATE_TIME, f"{declared}the number lies outside the years 0001 to 9999")
    text = (EPOCH + timedelta(seconds=whole)).isoformat()[:19]
    digits = f"{fraction:07}"
    if fraction:
        text += f".{digits[:3] if digits.endswith('0000') else digits}"
    return f"{text}Z"


def _excel_day(serial: Decimal, number: DateNumber) -> str | Problem:
    is_1900 = number is DateNumber.EXCEL_1900
    base = BASE_1900 if is_1900 else BASE_1904
    # Excel keeps 15 digits, so 08:49:13 is 46349.3675115741: the nearest second is the one that was entered.
    second = int((serial * SECONDS_OF_DAY).to_integral_value(ROUND_HALF_UP))
    day = second // SECONDS_OF_DAY
    if serial < (1 if is_1900 else 0):
        return Problem(Code.NOT_A_DATE_TIME, f"as {number} the number lies before the first day that Excel counts")
    if is_1900 and day == LEAP_DAY_1900:
        return Problem(Code.NOT_A_DATE_TIME, "60 is 1900-02-29 in Excel, a day that never was")
    if is_1900 and day < LEAP_DAY_1900:
        base += timedelta(days=1)
    if second > (LAST_OF_EXCEL - base).total_seconds():
        return Problem(Code.NOT_A_DATE_TIME, f"as {number} the number lies after the year 9999")
    return (base + timedelta(seconds=second)).isoformat()[:19]
