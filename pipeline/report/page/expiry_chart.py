"""The picture of when the certificates expire, seen from the day of the report."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from typing import NamedTuple

from markupsafe import Markup

from pipeline.model import DayCount
from pipeline.report.page.svg import (
    MONTHS,
    Look,
    Picture,
    Table,
    bar,
    day_text,
    figure,
    joined,
    note_on_rule,
    patterns,
    text_at,
)
from pipeline.wording import counted

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

MOST_MONTHS = 18
"""What comes later is told by month as long as it is no more, else by year."""

MOST_YEARS = 10
"""The years that are told one by one; those behind them are one bar."""

BARS_START = 0.4
MOST_WIDTH = 0.38
"""Where the bars begin, and how wide the longest is; behind it stands its number."""


class Kind(Enum):
    """Why a span of time has a bar of its own."""

    EXPIRED = "expired"
    DAYS_30 = "within 30 days"
    DAYS_60 = "31 to 60 days"
    DAYS_90 = "61 to 90 days"
    LATER = "later"
    NEVER = "never / no date"  # such as 0001-01-01 and 9999-12-31, which stand for it
    UNREADABLE = "no readable date"


LOOKS = {
    Kind.EXPIRED: Look("bad", "grid"),
    Kind.DAYS_30: Look("bad", "stripes"),
    Kind.DAYS_60: Look("warn", "stripes"),
    Kind.DAYS_90: Look("warn", "lines"),
    Kind.LATER: Look("info", "full"),
    Kind.NEVER: Look("muted", "plain"),
    Kind.UNREADABLE: Look("doubt", "dots"),
}

WITHIN = {30: Kind.DAYS_30, 60: Kind.DAYS_60, 90: Kind.DAYS_90}
URGENT = (Kind.EXPIRED, *WITHIN.values())


class _Span(NamedTuple):
    """The certificates that expire from one day to another, both included; None where there is no day."""

    kind: Kind
    label: str
    first: date | None
    last: date | None
    certificates: int


def expiry_chart(expiry: Sequence[DayCount], today: date) -> Markup:
    """Return when the certificates expire, "" where there are none; one that expires `today` has not expired yet."""
    days, unreadable = _days_of(expiry)
    spans = list(_spans(days, today))
    if unreadable:
        spans.append(_Span(Kind.UNREADABLE, Kind.UNREADABLE.value, None, None, unreadable))
    if not any(each.certificates for each in spans):
        return Markup("")
    most = max(each.certificates for each in spans)
    parts, y = [], 0
    for each in spans:
        if each.kind is Kind.DAYS_30:
            parts.append(note_on_rule(y, "today", f"today, {day_text(today)}"))
            y += 20
        parts += _bar_of(each, most, y)
        y += 22
    return figure(
        "chart-expiry",
        "When the certificates expire",
        _finding(spans, days, today),
        Picture(joined((patterns("chart-expiry", (LOOKS[each.kind] for each in spans)), *parts)), y),
        about="One bar for each span of time, as long as its number of certificates.",
        table=Table(("Expires", "From", "To", "Certificates"), [_row_of(each) for each in spans]),
    )


def _days_of(expiry: Sequence[DayCount]) -> tuple[dict[date, int], int]:
    """Return the number of certificates by day, and how many have no readable day."""
    days: dict[date, int] = {}
    unreadable = 0
    for each in expiry:
        try:
            day = date.fromisoformat(each.day) if DAY.fullmatch(each.day) else None
        except ValueError:
            day = None
        if day is None:
            unreadable += each.rows
        else:
            days[day] = days.get(day, 0) + each.rows
    return days, unreadable


def _is_real(day: date) -> bool:
    """Return False for a day that programs write when they have none: their calendar's first or last, or 9999-12-31.

    RFC 5280, 4.1.2.5: 99991231235959Z is for a certificate without an end.
    """
    return 1970 < day.year < 9999


def _spans(days: Mapping[date, int], today: date) -> Iterator[_Span]:
    real = {day: days[day] for day in sorted(days) if _is_real(day)}
    if real:
        yield from _real_spans(real, today)
    never = sum(rows for day, rows in days.items() if not _is_real(day))
    if never:
        yield _Span(Kind.NEVER, Kind.NEVER.value, None, None, never)


def _real_spans(real: Mapping[date, int], today: date) -> Iterator[_Span]:
    expired = [day for day in real if day < today]
    first, last = (expired[0], expired[-1]) if expired else (None, None)
    yield _Span(Kind.EXPIRED, Kind.EXPIRED.value, first, last, sum(real[day] for day in expired))
    start = today
    for ahead, kind in WITHIN.items():
        end = today + timedelta(days=ahead)
        yield _span(kind, kind.value, start, end, real)
        start = end + timedelta(days=1)
    later = [day for day in real if day >= start]
    if later:
        yield from _later(real, start, later[-1])


def _later(real: Mapping[date, int], start: date, last: date) -> Iterator[_Span]:
    """Yield the months from `start` to the last certificate's, or the years where it would be too many months."""
    by_month = 12 * (last.year - start.year) + last.month - start.month < MOST_MONTHS
    number = 0
    while start <= last:
        number += 1
        year, month = (start.year, start.month) if by_month else (start.year, 12)
        end = _end_of_month(year, month)
        name = f"{MONTHS[month - 1]} {year}" if by_month else str(year)
        is_whole = start.day == 1 and (by_month or start.month == 1)
        label = name if is_whole else f"rest of {name}"
        if not by_month and number == MOST_YEARS and year < last.year:
            end, label = _end_of_month(last.year, 12), f"{year} and later"
        yield _span(Kind.LATER, label, start, end, real)
        start = end + timedelta(days=1)


def _end_of_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _span(kind: Kind, label: str, first: date, last: date, days: Mapping[date, int]) -> _Span:
    return _Span(kind, label, first, last, sum(rows for day, rows in days.items() if first <= day <= last))


def _bar_of(span: _Span, most: int, y: int) -> Iterator[Markup]:
    urgent = " urgent" if span.kind in URGENT else ""
    width = MOST_WIDTH * span.certificates / most
    yield text_at(0, y + 14, span.label, f"name{urgent}")
    if span.certificates:
        tip = f"{span.label}: {counted(span.certificates, 'certificate')}"
        yield bar("chart-expiry", LOOKS[span.kind], x=BARS_START, y=y + 3, width=width, height=14, tip=tip)
    yield text_at(BARS_START + width, y + 14, f"{span.certificates:,}", f"number{urgent}", dx=6)


def _row_of(span: _Span) -> tuple[str | int, ...]:
    first, last = (day.isoformat() if day else "" for day in (span.first, span.last))
    return (span.label, first, last, span.certificates)


def _finding(spans: Sequence[_Span], days: Mapping[date, int], today: date) -> str:
    numbers = {kind: sum(each.certificates for each in spans if each.kind is kind) for kind in Kind}
    expired, soon = numbers[Kind.EXPIRED], numbers[Kind.DAYS_30]
    sentences = []
    if any(_is_real(day) for day in days):
        was = counted(expired, "certificate") if expired else "No certificate"
        sentences.append(f"{was} expired before {day_text(today)}, {_ahead(soon, numbers, days, today)}.")
    for number, what in (
        (numbers[Kind.NEVER], "a date that stands for never or for none"),
        (numbers[Kind.UNREADABLE], "no readable date"),
    ):
        if number:
            sentences.append(f"{counted(number, 'certificate')} {'has' if number == 1 else 'have'} {what}.")
    return " ".join(sentences)


def _ahead(soon: int, numbers: Mapping[Kind, int], days: Mapping[date, int], today: date) -> str:
    if soon:
        return f"{soon:,} {'expires' if soon == 1 else 'expire'} within 30 days"
    within_90 = numbers[Kind.DAYS_60] + numbers[Kind.DAYS_90]
    if within_90:
        return f"none expires within 30 days, {within_90:,} within 90"
    coming = [day for day in days if _is_real(day) and day > today]
    return "none expires within 90 days" + (f"; the next on {day_text(min(coming))}" if coming else "")
