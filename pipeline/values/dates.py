"""Dates in the spellings of legacy exports -> the API's DateTimeOffset text, each change a named step. No I/O.

date_forms.py and date_numbers.py know the spellings; here a date gets its time of day and its offset from UTC.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.declared import DateNumber, DateOrder
from pipeline.findings import Code
from pipeline.identity import instant_ticks
from pipeline.values.date_forms import rewrite_date_time
from pipeline.values.steps import Problem, Reading, Step

# OData's dateTimeOffsetValue (ABNF 4.01), with the seven fractional digits that .NET's DateTimeOffset holds.
LOCAL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?!24)[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,7})?)?"
OFFSET = r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
INSTANT = re.compile(LOCAL + OFFSET)
DATE_TIME = re.compile(LOCAL + OFFSET + "?")

MOST_CHARACTERS = 80
"""No spelling of a date and time that is known here is longer."""

MIDNIGHT = "T00:00:00"
WITHOUT_TIME = Problem(
    Code.NOT_A_DATE_TIME,
    "the date has no time of day",
    "name the file's zone under `timezone:` in config.yaml, then midnight there is sent; or write the time too, "
    "such as 2026-11-23T08:49:13Z",
)

ENDS_OF_TIME = {
    "0001-01-01": "programs write 0001-01-01, the first day that .NET knows, where there is no date",
    # RFC 5280, 4.1.2.5: 99991231235959Z says that there is no well-defined expiration date.
    "9999-12-31": "programs write 9999-12-31, the last day that they know, for `never`",
}
FILETIME_ZERO = "programs write 1601-01-01, where Windows begins to count time (FILETIME 0), when there is no date"
EPOCH_ZERO = "programs write 1970-01-01T00:00:00Z, where Unix begins to count time, when there is no date"
ZERO_TICKS = {
    instant_ticks("1601-01-01T00:00:00Z"): FILETIME_ZERO,
    instant_ticks("1970-01-01T00:00:00Z"): EPOCH_ZERO,
}
SENTINEL_YEARS = frozenset({"0001", "1600", "1601", "1969", "1970", "9999"})
"""Years in which a sentinel can lie; 1600 and 1969 by the local time of zones west of Greenwich."""

EPOCH_MIDNIGHT = re.compile(rf"1970-01-01(?:T00:00(?::00(?:\.0+)?)?{OFFSET}?)?")


@dataclass(frozen=True, slots=True)
class DateRules:
    """What is declared for date-times: it decides where the text alone is not certain."""

    order: DateOrder | None = None
    number: DateNumber | None = None
    zone: ZoneInfo | None = None  # of texts without an offset from UTC
    repairs: bool = True  # False leaves every spelling as it is; only the declared zone still counts


def read_date_time(text: str, rules: DateRules) -> Reading:
    """Return the text as the API takes it, with each change on the way and what is doubtful or impossible.

    A text in the API's form comes back to the last digit; so does one that is not recognised, and validation then
    refuses it. A text that is recognised but not certain comes back unchanged with the problem.
    """
    if INSTANT.fullmatch(text) and text.isupper():
        # By far the usual text, so that it costs one look.
        return Reading(text, (), _sentinels(text)) if text[:4] in SENTINEL_YEARS else Reading(text)
    if rules.repairs:
        return _repair(text, rules)
    return _complete(text, [], rules) if DATE_TIME.fullmatch(text) else Reading(text)


def _repair(text: str, rules: DateRules) -> Reading:
    steps: list[Step] = []
    now = text.strip()
    if now != text:
        steps.append(Step(Code.SURROUNDING_SPACE, text, now))
    if DATE_TIME.fullmatch(now):
        upper = now.upper()
        if upper != now:
            steps.append(Step(Code.LETTER_CASE, now, upper))
        return _complete(upper, steps, rules)
    form = rewrite_date_time(now, rules.order, rules.number) if len(now) <= MOST_CHARACTERS else None
    if form is None:
        return Reading(text)
    if isinstance(form, Problem):
        return Reading(text, (), (form,))
    has_time = "T" in form
    if not has_time and rules.zone is None:
        return Reading(text, (), (WITHOUT_TIME, *_sentinels(form)))
    if form != now:
        steps.append(Step(Code.DATE_ORDER if _is_by_order(now, rules) else Code.DATE_TIME_FORM, now, form))
    if not has_time:
        steps.append(Step(Code.MISSING_TIME, form, form + MIDNIGHT))
        form += MIDNIGHT
    return _complete(form, steps, rules)


def _is_by_order(text: str, rules: DateRules) -> bool:
    """Return whether a text that the rules can read would be doubtful without the declared order."""
    return rules.order is not None and isinstance(rewrite_date_time(text, None, rules.number), Problem)


def _complete(text: str, steps: list[Step], rules: DateRules) -> Reading:
    """Return a text in the API's form with the declared zone's offset where it has none."""
    problems = _sentinels(text)
    if INSTANT.fullmatch(text):
        return Reading(text, tuple(steps), problems)
    if text[:10] in ENDS_OF_TIME and (rules.zone or rules.repairs):
        # It names no instant, and a zone's offset can lead out of the years that .NET's DateTimeOffset holds.
        steps.append(Step(Code.TIME_ZONE if rules.zone else Code.DATE_TIME_FORM, text, f"{text}Z"))
        return Reading(steps[-1].text, tuple(steps), problems)
    if rules.zone is None:
        return Reading(text, tuple(steps), problems)
    try:
        local = datetime.fromisoformat(text.upper()[:19])
    except ValueError:
        return Reading(text, tuple(steps), problems)  # no such day or time: validation says which
    offset = _offset_in(local, rules.zone)
    if isinstance(offset, Problem):
        return Reading(text, tuple(steps), (*problems, offset))
    steps.append(Step(Code.TIME_ZONE, text, text + offset))
    return Reading(text + offset, tuple(steps), _sentinels(text + offset))


def _offset_in(local: datetime, zone: ZoneInfo) -> str | Problem:
    """Return the offset that `zone` had at the local time, as Z or such as +01:00."""
    # PEP 495: in a gap the fold 0 has the lesser offset, where the clocks were put back the greater one.
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0) for fold in (0, 1))
    if first != second:
        change = "put forward then, so it never came" if first < second else "put back then, so it came twice"
        return Problem(Code.AMBIGUOUS_LOCAL_TIME, f"the clocks of {zone.key} were {change}")
    if first == timedelta(0):
        return "Z"
    seconds = int(first.total_seconds())
    if seconds % 60:
        return Problem(Code.NOT_A_DATE_TIME, f"{zone.key} had an offset with seconds then, which the API cannot hold")
    sign = "-" if seconds < 0 else "+"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{sign}{hours:02}:{minutes:02}"


def _sentinels(text: str) -> tuple[Problem, ...]:
    """Return a warning when a date, with or without time and offset, is one that programs write for none or never."""
    day = text[:10]
    meaning = ENDS_OF_TIME.get(day, "")
    if day == "1601-01-01":
        meaning = FILETIME_ZERO
    elif EPOCH_MIDNIGHT.fullmatch(text):
        meaning = EPOCH_ZERO
    elif day in {"1600-12-31", "1969-12-31", "1970-01-01"} and INSTANT.fullmatch(text):
        try:
            meaning = ZERO_TICKS.get(instant_ticks(text), "")
        except ValueError:
            return ()  # no such time: validation says which
    return (Problem(Code.SENTINEL_DATE, meaning),) if meaning else ()
