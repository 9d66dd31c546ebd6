"""Dates in other spellings: what is certain or declared is rewritten, everything else keeps its text."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.declared import DateNumber, DateOrder
from pipeline.findings import Code
from pipeline.identity import instant_ticks
from pipeline.values.dates import DateRules, read_date_time
from pipeline.values.steps import Problem, Reading, Step

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
NOTHING = DateRules()
ZONE = DateRules(zone=BERLIN)
DMY = DateRules(order=DateOrder.DMY)
MDY = DateRules(order=DateOrder.MDY)
YMD = DateRules(order=DateOrder.YMD)
EXCEL_1900 = DateRules(number=DateNumber.EXCEL_1900)
EXCEL_1904 = DateRules(number=DateNumber.EXCEL_1904)
EPOCH_SECONDS = DateRules(number=DateNumber.EPOCH_SECONDS)
EPOCH_MILLISECONDS = DateRules(number=DateNumber.EPOCH_MILLISECONDS)

WITHOUT_TIME = Problem(
    Code.NOT_A_DATE_TIME,
    "the date has no time of day",
    "name the file's zone under `timezone:` in config.yaml, then midnight there is sent; or write the time too, "
    "such as 2026-11-23T08:49:13Z",
)
SHORT_YEAR = Problem(
    Code.NOT_A_DATE_TIME, "no year with four digits, so the century is not certain", "write the year with four digits"
)
NO_SUCH_DAY = Problem(Code.NOT_A_DATE_TIME, "there is no such day, with the day first or the month first")
FIRST_DAY = Problem(
    Code.SENTINEL_DATE, "programs write 0001-01-01, the first day that .NET knows, where there is no date"
)
LAST_DAY = Problem(Code.SENTINEL_DATE, "programs write 9999-12-31, the last day that they know, for `never`")
FILETIME_ZERO = Problem(
    Code.SENTINEL_DATE,
    "programs write 1601-01-01, where Windows begins to count time (FILETIME 0), when there is no date",
)
EPOCH_ZERO = Problem(
    Code.SENTINEL_DATE,
    "programs write 1970-01-01T00:00:00Z, where Unix begins to count time, when there is no date",
)


def changed(*texts: str, problems: tuple[Problem, ...] = ()) -> Reading:
    """Return the reading that goes from text to text; each step's rule follows from what it adds."""
    steps: list[Step] = []
    for was, text in pairwise(texts):
        if was + "T00:00:00" == text:
            code = Code.MISSING_TIME
        elif text.startswith(was):
            code = Code.TIME_ZONE
        elif was.strip() == text:
            code = Code.SURROUNDING_SPACE
        elif was.upper() == text:
            code = Code.LETTER_CASE
        else:
            code = Code.DATE_TIME_FORM
        steps.append(Step(code, was, text))
    return Reading(texts[-1], tuple(steps), problems)


@pytest.mark.parametrize("rules", [NOTHING, ZONE, DMY, EXCEL_1900, DateRules(zone=BERLIN, repairs=False)], ids=repr)
@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T08:49Z",
        "2026-11-23T08:49:13Z",
        "2026-11-23T08:49:13.0Z",
        "2026-11-23T08:49:13.1000000+05:30",
        "2026-11-23T08:49:13.1234567-00:00",
        "2026-02-31T08:49:13Z",  # validation says that there is no such day
        "2026-11-23T08:49:13+99:99",
    ],
)
def test_the_apis_form_is_left_alone(text: str, rules: DateRules) -> None:
    """A date and time with an offset keeps every digit, whatever is declared."""
    assert read_date_time(text, rules) == Reading(text)


@pytest.mark.parametrize("rules", [NOTHING, ZONE, DMY], ids=repr)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "never",
        " n/a ",
        "EMPTY",
        "2026-11-23T08:49:13.12345678Z",
        "2026-11-23 08:49:13.12345678",
        "2026-11",
        "2026-11-23Z",
        "08:49:13",
        "23.11/2026",
        "23.11.20261",
        "23.11.2026 08",
        "23.11.2026 8.49",
        "23.11.2026 08:49-10",
        "23. November",
        "23 Okt 2026",
        "Mo, 23 Nov 2026",
        "Mit, 23 Nov 2026",
        "Mon Nov 23 08:49:13 GMT 2026 GMT",
        "1.79542E+12",
        "12345678901234567890",
        "20261123T0849Z0",
        "20261123 084913Z",
        "/Date()/",
        "/Date(1795423753000+01)/",
        "notAfter=",
        "\u0662\u0663.11.2026",
        "2026-11-23T08:49:13Z 2026-11-23T08:49:13Z",
        "2026-11-23" + " " * 100 + "08:49Z",
        "\ud800",
    ],
)
def test_what_is_not_recognised_comes_back_as_it_is(text: str, rules: DateRules) -> None:
    """Validation has the last word on a text that is no known spelling."""
    assert read_date_time(text, rules) == Reading(text)


SAME = "2026-11-23T08:49:13Z"


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("2026-11-23 08:49:13Z", SAME),
        ("2026-11-23 08:49:13z", SAME),
        ("2026-11-23  08:49:13 Z", SAME),
        ("2026-11-23 08:49:13 UTC", SAME),
        ("2026-11-23 08:49:13 gmt", SAME),
        ("2026-11-23T08:49:13 UTC", SAME),
        ("2026-11-23T8:49:13Z", SAME),
        ("2026-11-23 08:49Z", "2026-11-23T08:49:00Z"),
        ("2026-11-23 08:49:13.1234567Z", "2026-11-23T08:49:13.1234567Z"),
        ("2026-11-23 08:49:13,100Z", "2026-11-23T08:49:13.100Z"),
        ("2026-11-23 08:49:13 +01:00", "2026-11-23T08:49:13+01:00"),
        ("2026-11-23 08:49:13+0100", "2026-11-23T08:49:13+01:00"),
        ("2026-11-23 08:49:13-08", "2026-11-23T08:49:13-08:00"),
        ("2026-11-23T08:49:13-0330", "2026-11-23T08:49:13-03:30"),
        ("2026-11-23T08:49:13.5+0000", "2026-11-23T08:49:13.5+00:00"),
        ("2026-11-23 08:49:13 +99:99", "2026-11-23T08:49:13+99:99"),
        ("2026/11/23 08:49:13Z", SAME),
        ("2026.11.23 08:49:13Z", SAME),
        ("2026-1-3 8:49:13Z", "2026-01-03T08:49:13Z"),
        ("20261123T084913Z", SAME),
        ("20261123t084913z", SAME),
        ("20261123T0849Z", "2026-11-23T08:49:00Z"),
        ("20261123T084913.25+0100", "2026-11-23T08:49:13.25+01:00"),
        ("20261123T084913", "2026-11-23T08:49:13"),
        ("20261123084913Z", SAME),
        ("20261123084913.5Z", "2026-11-23T08:49:13.5Z"),
        ("20261123084913+0100", "2026-11-23T08:49:13+01:00"),
        ("99991230235959Z", "9999-12-30T23:59:59Z"),
        ("261123084913Z", SAME),
        ("491123084913Z", "2049-11-23T08:49:13Z"),
        ("501123084913Z", "1950-11-23T08:49:13Z"),
        ("11/23/2026 8:49:13 AM +01:00", "2026-11-23T08:49:13+01:00"),
        ("11/23/2026 8:49:13 AM", "2026-11-23T08:49:13"),
        ("11/23/2026, 8:49:13 AM", "2026-11-23T08:49:13"),
        ("5/23/2026 5:29 PM", "2026-05-23T17:29:00"),
        ("5/23/2026 5:29\u202fPM", "2026-05-23T17:29:00"),
        ("5/23/2026\u00a05:29\u00a0pm", "2026-05-23T17:29:00"),
        ("5/23/2026 5:29PM", "2026-05-23T17:29:00"),
        ("5/23/2026 5:29 p.m.", "2026-05-23T17:29:00"),
        ("5/23/2026 12:00 AM", "2026-05-23T00:00:00"),
        ("5/23/2026 12:00 PM", "2026-05-23T12:00:00"),
        ("5/23/2026 12:59:59.9 am", "2026-05-23T00:59:59.9"),
        ("23.11.2026 08:49", "2026-11-23T08:49:00"),
        ("23.11.2026, 08:49:13", "2026-11-23T08:49:13"),
        ("23.11.2026T08:49:13Z", SAME),
        ("23-11-2026 08:49", "2026-11-23T08:49:00"),
        ("4/4/2026 08:49", "2026-04-04T08:49:00"),
        ("2026-04-03 08:49", "2026-04-03T08:49:00"),
        ("Nov 23 08:49:13 2026 GMT", SAME),
        ("Nov  3 08:49:13 2026 GMT", "2026-11-03T08:49:13Z"),
        ("notBefore=Nov 23 08:49:13 2026 GMT", SAME),
        ("notAfter=Nov 23 08:49:13 2026 GMT", SAME),
        ("notAfter=2026-11-23 08:49:13Z", SAME),
        ("notAfter=2026-11-23T08:49:13Z", SAME),
        ("Mon Nov 23 08:49:13 2026", "2026-11-23T08:49:13"),
        ("Mon Nov 23 08:49:13 2026 +0100", "2026-11-23T08:49:13+01:00"),
        ("Mon Nov 23 08:49:13 UTC 2026", SAME),
        ("Mon, 23 Nov 2026 08:49:13 GMT", SAME),
        ("Mon, 23 Nov 2026 08:49:13 +0000", "2026-11-23T08:49:13+00:00"),
        ("23 Nov 2026 08:49:13", "2026-11-23T08:49:13"),
        ("23. November 2026 08:49", "2026-11-23T08:49:00"),
        ("23-Nov-2026 08:49", "2026-11-23T08:49:00"),
        ("23-NOV-2026 08:49", "2026-11-23T08:49:00"),
        ("3 May 2026 08:49", "2026-05-03T08:49:00"),
        ("3 Sept 2026 08:49", "2026-09-03T08:49:00"),
        ("Nov 23, 2026 8:49:13 AM", "2026-11-23T08:49:13"),
        ("Nov. 23, 2026, 8:49 PM", "2026-11-23T20:49:00"),
        ("Monday, November 23, 2026 8:49:13 AM", "2026-11-23T08:49:13"),
        ("29 Feb 2028 08:49", "2028-02-29T08:49:00"),
        ("/Date(1795423753000)/", SAME),
        ("\\/Date(1795423753000)\\/", SAME),
        ("/Date(1795423753000+0100)/", SAME),
        ("/Date(1795423753120-0800)/", "2026-11-23T08:49:13.120Z"),
        ("/Date(-1)/", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_certain_spelling_is_rewritten(text: str, now: str) -> None:
    """Without any declaration, one step leads to the API's form; a missing offset stays missing."""
    assert read_date_time(text, NOTHING) == Reading(now, (Step(Code.DATE_TIME_FORM, text, now),))


@pytest.mark.parametrize(
    ("text", "rules", "now"),
    [
        ("4/4/2025 08:49", DMY, "2025-04-04T08:49:00"),
        ("4.4.2025 08:49", MDY, "2025-04-04T08:49:00"),
        ("23/4/2025 08:49", DMY, "2025-04-23T08:49:00"),
        ("4/23/2025 08:49", MDY, "2025-04-23T08:49:00"),
        ("4.23.2025 08:49", MDY, "2025-04-23T08:49:00"),
        ("2025/03/04 08:49", YMD, "2025-03-04T08:49:00"),
        ("2025/03/04 08:49", DMY, "2025-03-04T08:49:00"),
        ("1", EXCEL_1900, "1900-01-01T00:00:00"),
        ("59", EXCEL_1900, "1900-02-28T00:00:00"),
        ("61", EXCEL_1900, "1900-03-01T00:00:00"),
        ("46349", EXCEL_1900, "2026-11-23T00:00:00"),
        ("46349.0", EXCEL_1900, "2026-11-23T00:00:00"),
        ("46349.3675115741", EXCEL_1900, "2026-11-23T08:49:13"),
        ("46349,3675115741", EXCEL_1900, "2026-11-23T08:49:13"),
        ("46349.99999999", EXCEL_1900, "2026-11-24T00:00:00"),
        ("2958464.999988426", EXCEL_1900, "9999-12-30T23:59:59"),
        ("0", EXCEL_1904, "1904-01-01T00:00:00"),
        ("44887.3675115741", EXCEL_1904, "2026-11-23T08:49:13"),
        ("60", EXCEL_1904, "1904-03-01T00:00:00"),
        ("1795423753", EPOCH_SECONDS, SAME),
        ("1795423753.5", EPOCH_SECONDS, "2026-11-23T08:49:13.500Z"),
        ("1795423753,1234567", EPOCH_SECONDS, "2026-11-23T08:49:13.1234567Z"),
        ("1795423753.1234", EPOCH_SECONDS, "2026-11-23T08:49:13.1234000Z"),
        ("-1", EPOCH_SECONDS, "1969-12-31T23:59:59Z"),
        ("253402214400", EPOCH_SECONDS, "9999-12-31T00:00:00Z"),
        ("1795423753000", EPOCH_MILLISECONDS, SAME),
        ("1795423753000.0", EPOCH_MILLISECONDS, SAME),
        ("1795423753120", EPOCH_MILLISECONDS, "2026-11-23T08:49:13.120Z"),
        ("-1", EPOCH_MILLISECONDS, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_spelling_that_fits_what_is_declared_is_rewritten(text: str, rules: DateRules, now: str) -> None:
    """A declared number says what a bare number counts; a date with one reading needs no order, and may have one."""
    problems = (LAST_DAY,) if now.startswith("9999-12-31") else ()
    assert read_date_time(text, rules) == Reading(now, (Step(Code.DATE_TIME_FORM, text, now),), problems)


@pytest.mark.parametrize(
    ("text", "rules", "now"),
    [
        ("03/04/2025 08:49", DMY, "2025-04-03T08:49:00"),
        ("03/04/2025 08:49", MDY, "2025-03-04T08:49:00"),
        ("03.04.2025 08:49", DMY, "2025-04-03T08:49:00"),
        ("3-4-2025 08:49", MDY, "2025-03-04T08:49:00"),
        ("notAfter=03/04/2025 08:49Z", DMY, "2025-04-03T08:49:00Z"),
    ],
)
def test_the_declared_order_decides_between_two_readings(text: str, rules: DateRules, now: str) -> None:
    """The step says that it was the order and not the text that decided."""
    assert read_date_time(text, rules) == Reading(now, (Step(Code.DATE_ORDER, text, now),))


def test_the_time_and_the_zone_follow_what_the_order_decided() -> None:
    """Only the step that needed the order is told as decided by it."""
    found = read_date_time(" 03/04/2025", DateRules(order=DateOrder.DMY, zone=BERLIN))

    assert found == Reading(
        "2025-04-03T00:00:00+02:00",
        (
            Step(Code.SURROUNDING_SPACE, " 03/04/2025", "03/04/2025"),
            Step(Code.DATE_ORDER, "03/04/2025", "2025-04-03"),
            Step(Code.MISSING_TIME, "2025-04-03", "2025-04-03T00:00:00"),
            Step(Code.TIME_ZONE, "2025-04-03T00:00:00", "2025-04-03T00:00:00+02:00"),
        ),
    )


@pytest.mark.parametrize("text", ["03.04.2025", "3.4.2025 08:49"])
def test_dots_are_not_read_with_the_month_first(text: str) -> None:
    """Who writes dots puts the day first, so `date_order: mdy` was not meant for this date."""
    problem = Problem(
        Code.AMBIGUOUS_DATE,
        "the date can be 2025-04-03 (day first) or 2025-03-04 (month first): `date_order: mdy` says month first, but "
        "who writes dots puts the day first",
        "write the date with the year first, such as 2027-03-15",
    )

    assert read_date_time(text, MDY) == Reading(text, (), (problem,))


@pytest.mark.parametrize(
    ("texts", "zone"),
    [
        (("2026-11-23T08:49:13", "2026-11-23T08:49:13+01:00"), BERLIN),
        (("2026-11-23T08:49", "2026-11-23T08:49+01:00"), BERLIN),
        (("2026-07-23T08:49:13.1234567", "2026-07-23T08:49:13.1234567+02:00"), BERLIN),
        (("2026-11-23T08:49:13", "2026-11-23T08:49:13Z"), ZoneInfo("UTC")),
        (("2026-11-23T08:49:13", "2026-11-23T08:49:13Z"), ZoneInfo("Europe/London")),
        (("2026-11-23T08:49:13", "2026-11-23T08:49:13-03:30"), ZoneInfo("America/St_Johns")),
        (
            (
                " 2026-11-23t08:49:13 ",
                "2026-11-23t08:49:13",
                "2026-11-23T08:49:13",
                "2026-11-23T08:49:13+01:00",
            ),
            BERLIN,
        ),
        (("23.11.2026 08:49Z" + " " * 100, "23.11.2026 08:49Z", "2026-11-23T08:49:00Z"), BERLIN),
        (("2026-11-23", "2026-11-23T00:00:00", "2026-11-23T00:00:00+01:00"), BERLIN),
        (("23.11.2026", "2026-11-23", "2026-11-23T00:00:00", "2026-11-23T00:00:00-05:00"), NEW_YORK),
        (("November 23, 2026", "2026-11-23", "2026-11-23T00:00:00", "2026-11-23T00:00:00+01:00"), BERLIN),
        (("23-Nov-2026", "2026-11-23", "2026-11-23T00:00:00", "2026-11-23T00:00:00+01:00"), BERLIN),
        (("5/23/2026 5:29 PM", "2026-05-23T17:29:00", "2026-05-23T17:29:00-04:00"), NEW_YORK),
        (("2026-11-23 08:49:13Z", "2026-11-23T08:49:13Z"), BERLIN),
        (("\u00a023.11.2026 08:49", "23.11.2026 08:49", "2026-11-23T08:49:00", "2026-11-23T08:49:00+01:00"), BERLIN),
    ],
)
def test_a_declared_zone_completes_a_local_time(texts: tuple[str, ...], zone: ZoneInfo) -> None:
    """Form, time of day and offset are steps of their own, in this order."""
    assert read_date_time(texts[0], DateRules(zone=zone)) == changed(*texts)


def test_an_excel_serial_gets_the_zones_offset() -> None:
    """Excel knows no zone, so its date and time is local."""
    rules = DateRules(number=DateNumber.EXCEL_1900, zone=BERLIN)

    found = read_date_time("46349.3675115741", rules)

    assert found == changed("46349.3675115741", "2026-11-23T08:49:13", "2026-11-23T08:49:13+01:00")


@pytest.mark.parametrize("text", ["2026-11-23", "23.11.2026", "Nov 23, 2026", " 2026/11/23"])
def test_a_date_without_time_and_zone_names_no_instant(text: str) -> None:
    """The text stays, and the problem says what to declare."""
    assert read_date_time(text, NOTHING) == Reading(text, (), (WITHOUT_TIME,))


@pytest.mark.parametrize("text", ["2026-11-23T08:49:13", "2026-02-31T08:49:13", "2026-11-23T08:61:00"])
def test_a_local_time_in_the_apis_form_is_left_to_validation(text: str) -> None:
    """Validation says that there is no offset, or no such day or time."""
    assert read_date_time(text, NOTHING) == Reading(text)


@pytest.mark.parametrize("text", ["2026-02-31T08:49:13", "2026-11-23T08:61:00"])
def test_no_offset_is_looked_up_for_what_cannot_be(text: str) -> None:
    """A declared zone has no offset on 31 February; validation refuses the text."""
    assert read_date_time(text, ZONE) == Reading(text)


@pytest.mark.parametrize(
    ("text", "rules", "code", "message"),
    [
        (
            "03/04/2025",
            NOTHING,
            Code.AMBIGUOUS_DATE,
            "the date can be 2025-04-03 (day first) or 2025-03-04 (month first)",
        ),
        (
            "03.04.2025 08:49",
            ZONE,
            Code.AMBIGUOUS_DATE,
            "the date can be 2025-04-03 (day first) or 2025-03-04 (month first)",
        ),
        ("46349", NOTHING, Code.DATE_NUMBER, "a bare number, and nothing declares what it counts"),
        ("46349,5", ZONE, Code.DATE_NUMBER, "a bare number, and nothing declares what it counts"),
        ("1795423753000", DMY, Code.DATE_NUMBER, "a bare number, and nothing declares what it counts"),
        ("20261123", DMY, Code.DATE_NUMBER, "a bare number, and nothing declares what it counts"),
        ("31.02.2026", NOTHING, *NO_SUCH_DAY[:2]),
        ("13/13/2026", DMY, *NO_SUCH_DAY[:2]),
        ("29/02/2026", DMY, *NO_SUCH_DAY[:2]),
        ("00/11/2026", DMY, *NO_SUCH_DAY[:2]),
        ("01/01/0000", NOTHING, *NO_SUCH_DAY[:2]),
        ("2026-02-31", NOTHING, Code.NOT_A_DATE_TIME, "there is no day 2026-02-31"),
        ("2026/23/11", DMY, Code.NOT_A_DATE_TIME, "there is no day 2026-23-11"),
        ("29 Feb 2026 08:49", ZONE, Code.NOT_A_DATE_TIME, "there is no day 2026-02-29"),
        ("20261323084913Z", NOTHING, Code.NOT_A_DATE_TIME, "there is no day 2026-13-23"),
        ("2026-11-23T24:00:00Z", NOTHING, Code.NOT_A_DATE_TIME, "there is no time 24:00:00"),
        ("23.11.2026 08:61", NOTHING, Code.NOT_A_DATE_TIME, "there is no time 08:61:00"),
        ("20261123T084960Z", NOTHING, Code.NOT_A_DATE_TIME, "there is no time 08:49:60"),
        (
            "11/23/2026 13:49 PM",
            NOTHING,
            Code.NOT_A_DATE_TIME,
            "with AM or PM the hour goes from 1 to 12, and here it is 13",
        ),
        (
            "11/23/2026 0:49 AM",
            NOTHING,
            Code.NOT_A_DATE_TIME,
            "with AM or PM the hour goes from 1 to 12, and here it is 0",
        ),
        ("Tue, 23 Nov 2026 08:49:13 GMT", NOTHING, Code.NOT_A_DATE_TIME, "2026-11-23 is a Monday, not a Tuesday"),
        ("60", EXCEL_1900, Code.NOT_A_DATE_TIME, "60 is 1900-02-29 in Excel, a day that never was"),
        ("60.5", EXCEL_1900, Code.NOT_A_DATE_TIME, "60 is 1900-02-29 in Excel, a day that never was"),
        ("59.99999999", EXCEL_1900, Code.NOT_A_DATE_TIME, "60 is 1900-02-29 in Excel, a day that never was"),
        (
            "0.3675115741",
            EXCEL_1900,
            Code.NOT_A_DATE_TIME,
            "as excel-1900 the number lies before the first day that Excel counts",
        ),
        (
            "-1",
            EXCEL_1904,
            Code.NOT_A_DATE_TIME,
            "as excel-1904 the number lies before the first day that Excel counts",
        ),
        ("2958466", EXCEL_1900, Code.NOT_A_DATE_TIME, "as excel-1900 the number lies after the year 9999"),
        ("2957004", EXCEL_1904, Code.NOT_A_DATE_TIME, "as excel-1904 the number lies after the year 9999"),
        ("2958465.9999999", EXCEL_1900, Code.NOT_A_DATE_TIME, "as excel-1900 the number lies after the year 9999"),
        (
            "17954237530000",
            EPOCH_SECONDS,
            Code.NOT_A_DATE_TIME,
            "as epoch-seconds the number lies outside the years 0001 to 9999",
        ),
        (
            "-62135596801",
            EPOCH_SECONDS,
            Code.NOT_A_DATE_TIME,
            "as epoch-seconds the number lies outside the years 0001 to 9999",
        ),
        (
            "/Date(253402300800000)/",
            NOTHING,
            Code.NOT_A_DATE_TIME,
            "the number lies outside the years 0001 to 9999",
        ),
        (
            "1795423753.12345678",
            EPOCH_SECONDS,
            Code.NOT_A_DATE_TIME,
            "the number is finer than the 100 nanoseconds that the API holds",
        ),
    ],
)
def test_what_is_not_certain_or_cannot_be_keeps_its_text(text: str, rules: DateRules, code: Code, message: str) -> None:
    """The problem says why, and nothing is changed."""
    assert read_date_time(text, rules) == Reading(text, (), (Problem(code, message),))


@pytest.mark.parametrize("text", ["23.11.26", "11/23/26 5:29 PM", "26-11-23", "23-Nov-26", "1.2.3"])
@pytest.mark.parametrize("rules", [NOTHING, ZONE, DMY, YMD], ids=repr)
def test_a_year_without_its_century_is_refused(text: str, rules: DateRules) -> None:
    """No order and no zone tells the century."""
    assert read_date_time(text, rules) == Reading(text, (), (SHORT_YEAR,))


@pytest.mark.parametrize(
    ("text", "rules", "message"),
    [
        ("11/23/2026", DMY, "the date can only be 2026-11-23, which is not in the declared order dmy"),
        ("23.11.2026", MDY, "the date can only be 2026-11-23, which is not in the declared order mdy"),
        ("03/04/2025", YMD, "the year stands last, and `date_order: ymd` says that it stands first"),
        ("03.04.2025", YMD, "the year stands last, and `date_order: ymd` says that it stands first"),
        ("4/4/2025", YMD, "the year stands last, and `date_order: ymd` says that it stands first"),
    ],
)
def test_a_text_against_the_declared_order_is_refused(text: str, rules: DateRules, message: str) -> None:
    """One date that does not fit makes the declaration doubtful, so it is not read the other way."""
    problem = Problem(Code.DATE_ORDER_CONTRADICTED, message)

    assert read_date_time(text, rules) == Reading(text, (), (problem,))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("2026-11-23 08:49:13 CET", "CET"),
        ("Nov 23 08:49:13 2026 EST", "EST"),
        ("Mon Nov 23 08:49:13 PST 2026", "PST"),
        ("23.11.2026 08:49 Uhr", "Uhr"),
        ("11/23/2026 8:49 AM IST", "IST"),
    ],
)
@pytest.mark.parametrize("rules", [NOTHING, ZONE], ids=repr)
def test_an_abbreviated_zone_is_refused(text: str, word: str, rules: DateRules) -> None:
    """CST alone stands for three zones; the problem names the word and the two cures."""
    problem = Problem(
        Code.NOT_A_DATE_TIME,
        f"{word} after the time names no certain offset from UTC; of such words only Z, UTC and GMT do",
        "write the offset instead of the word, such as +01:00; or leave it out and name the file's zone under "
        "`timezone:` in config.yaml",
    )

    assert read_date_time(text, rules) == Reading(text, (), (problem,))


@pytest.mark.parametrize("text", ["46,349", "46.349", "999.999"])
def test_a_thousands_separator_is_not_taken_for_a_decimal_sign(text: str) -> None:
    """46,349 is the serial of a day in 2026 or a morning in 1900."""
    problem = Problem(
        Code.DATE_NUMBER,
        f"{text} can be a decimal number or one with a thousands separator",
        "write the number without a thousands separator",
    )

    assert read_date_time(text, EXCEL_1900) == Reading(text, (), (problem,))


NEVER = "the clocks of Europe/Berlin were put forward then, so it never came"
TWICE = "the clocks of Europe/Berlin were put back then, so it came twice"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("2026-03-29T02:00:00",), NEVER),
        (("29.03.2026 02:59", "2026-03-29T02:59:00"), NEVER),
        (("2026-10-25T02:00",), TWICE),
        (("25.10.2026 02:59", "2026-10-25T02:59:00"), TWICE),
    ],
)
def test_a_local_time_without_one_instant_is_refused(texts: tuple[str, ...], message: str) -> None:
    """An hour that the clocks skipped or had twice gets no offset."""
    problem = Problem(Code.AMBIGUOUS_LOCAL_TIME, message)

    assert read_date_time(texts[0], ZONE) == changed(*texts, problems=(problem,))


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("2026-03-29T01:59:59.9999999", "+01:00"),
        ("2026-03-29T03:00:00", "+02:00"),
        ("2026-10-25T01:59:59", "+02:00"),
        ("2026-10-25T03:00:00", "+01:00"),
    ],
)
def test_the_hours_beside_a_change_have_one_offset(text: str, offset: str) -> None:
    """The gap and the fold end where the zone says."""
    assert read_date_time(text, ZONE) == changed(text, text + offset)


def test_a_midnight_that_never_came_is_refused() -> None:
    """In Santiago the clocks go forward at midnight, so that day has no 00:00."""
    problem = Problem(
        Code.AMBIGUOUS_LOCAL_TIME, "the clocks of America/Santiago were put forward then, so it never came"
    )

    found = read_date_time("2024-09-08", DateRules(zone=ZoneInfo("America/Santiago")))

    assert found == changed("2024-09-08", "2024-09-08T00:00:00", problems=(problem,))


def test_a_zones_offset_with_seconds_is_refused() -> None:
    """Local mean time, as Berlin had it before 1893, fits no DateTimeOffset."""
    problem = Problem(Code.NOT_A_DATE_TIME, "Europe/Berlin had an offset with seconds then, which the API cannot hold")

    assert read_date_time("1880-01-01T00:00:00", ZONE) == Reading("1880-01-01T00:00:00", (), (problem,))


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (("0001-01-01T00:00:00Z",), FIRST_DAY),
        (("0001-01-01T00:00:00+01:00",), FIRST_DAY),
        (("1/1/0001 12:00:00 AM +00:00", "0001-01-01T00:00:00+00:00"), FIRST_DAY),
        (("/Date(-62135596800000)/", "0001-01-01T00:00:00Z"), FIRST_DAY),
        (("9999-12-31T23:59:59.9999999Z",), LAST_DAY),
        (("99991231235959Z", "9999-12-31T23:59:59Z"), LAST_DAY),
        (("Dec 31 23:59:59 9999 GMT", "9999-12-31T23:59:59Z"), LAST_DAY),
        (("1601-01-01T00:00:00Z",), FILETIME_ZERO),
        (("1601-01-01T01:00:00+01:00",), FILETIME_ZERO),
        (("1600-12-31T16:00:00-08:00",), FILETIME_ZERO),
        (("1970-01-01T00:00Z",), EPOCH_ZERO),
        (("1970-01-01T00:00:00.000+01:00",), EPOCH_ZERO),
        (("1970-01-01T01:00:00+01:00",), EPOCH_ZERO),
        (("12/31/1969 4:00:00 PM -08:00", "1969-12-31T16:00:00-08:00"), EPOCH_ZERO),
        (("1970-01-01T00:00:00",), EPOCH_ZERO),
        (("Jan  1 00:00:00 1970 GMT", "1970-01-01T00:00:00Z"), EPOCH_ZERO),
        (("/Date(0)/", "1970-01-01T00:00:00Z"), EPOCH_ZERO),
    ],
)
def test_a_sentinel_is_a_warning(texts: tuple[str, ...], problem: Problem) -> None:
    """A date that stands for none or never keeps its value, in whatever form it was written."""
    assert read_date_time(texts[0], NOTHING) == changed(*texts, problems=(problem,))


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-02T00:00:00Z",
        "9999-12-30T23:59:59Z",
        "1600-12-31T00:00:00Z",
        "1601-01-02T00:00:00Z",
        "1970-01-01T00:00:01Z",
        "1970-01-01T08:49:13Z",
        "1970-01-01T99:00:00Z",
        "1969-12-31T23:59:59Z",
    ],
)
def test_a_day_beside_a_sentinel_is_a_date(text: str) -> None:
    """Only the dates that programs write are doubtful, not their neighbours."""
    assert read_date_time(text, NOTHING) == Reading(text)


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK], ids=str)
@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"), FIRST_DAY),
        (("1/1/0001 12:00:00 AM", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z"), FIRST_DAY),
        (("9999-12-31T23:59:59", "9999-12-31T23:59:59Z"), LAST_DAY),
        (("31.12.9999", "9999-12-31", "9999-12-31T00:00:00", "9999-12-31T00:00:00Z"), LAST_DAY),
    ],
)
def test_the_ends_of_time_get_no_zones_offset(texts: tuple[str, ...], problem: Problem, zone: ZoneInfo) -> None:
    """They name no instant, and an offset would lead out of the years 0001 to 9999."""
    assert read_date_time(texts[0], DateRules(zone=zone)) == changed(*texts, problems=(problem,))


def test_the_ends_of_time_need_no_zone() -> None:
    """Without a declared zone the Z is the API's form, not the zone's offset."""
    step = Step(Code.DATE_TIME_FORM, "0001-01-01T00:00:00", "0001-01-01T00:00:00Z")

    assert read_date_time("0001-01-01T00:00:00", NOTHING) == Reading(step.text, (step,), (FIRST_DAY,))
    assert read_date_time("9999-12-31", NOTHING) == Reading("9999-12-31", (), (WITHOUT_TIME, LAST_DAY))


def test_other_sentinels_get_the_zones_offset() -> None:
    """Midnight of 1970 may be a local time; in 1601 no zone has an offset that the API holds."""
    lmt = Problem(Code.NOT_A_DATE_TIME, "Europe/Berlin had an offset with seconds then, which the API cannot hold")

    assert read_date_time("1970-01-01T01:00:00", ZONE) == changed(
        "1970-01-01T01:00:00", "1970-01-01T01:00:00+01:00", problems=(EPOCH_ZERO,)
    )
    assert read_date_time("1601-01-01T00:00:00", ZONE) == Reading("1601-01-01T00:00:00", (), (FILETIME_ZERO, lmt))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23",
        " 2026-11-23T08:49:13",
        "2026-11-23 08:49:13Z",
        "2026-11-23T08:49:13z",
        "23.11.2026 08:49",
        "03/04/2025",
        "46349",
        "/Date(0)/",
    ],
)
def test_no_repair_leaves_every_spelling(text: str) -> None:
    """With `--no-repair` a text in another form comes back without a change and without a problem."""
    rules = DateRules(DateOrder.DMY, DateNumber.EXCEL_1900, BERLIN, repairs=False)

    assert read_date_time(text, rules) == Reading(text)


@pytest.mark.parametrize(
    ("texts", "problems"),
    [
        (("2026-11-23T08:49:13", "2026-11-23T08:49:13+01:00"), ()),
        (("2026-11-23T08:49:13Z",), ()),
        (("2026-03-29T02:30:00",), (Problem(Code.AMBIGUOUS_LOCAL_TIME, NEVER),)),
        (("9999-12-31T00:00:00", "9999-12-31T00:00:00Z"), (LAST_DAY,)),
    ],
)
def test_no_repair_keeps_the_declared_zone(texts: tuple[str, ...], problems: tuple[Problem, ...]) -> None:
    """The zone is declared, so its offset is no repair."""
    assert read_date_time(texts[0], DateRules(zone=BERLIN, repairs=False)) == changed(*texts, problems=problems)


@pytest.mark.parametrize("text", ["2026-11-23T08:49:13", "0001-01-01T00:00:00"])
def test_no_repair_without_a_zone_changes_nothing(text: str) -> None:
    """Nothing is declared and nothing is repaired."""
    assert read_date_time(text, DateRules(repairs=False)).text == text


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS)  # noqa: DTZ001 - `timezones` adds it
DAYS = st.dates(date(2, 1, 1), date(9998, 12, 31))
RULES = st.builds(
    DateRules,
    st.sampled_from([None, *DateOrder]),
    st.sampled_from([None, *DateNumber]),
    st.sampled_from([None, BERLIN, NEW_YORK, ZoneInfo("UTC"), ZoneInfo("Pacific/Apia")]),
    st.booleans(),
)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def spellings(moment: datetime) -> list[str]:
    """Return the moment, whole seconds, in every certain spelling that has an offset."""
    offset = moment.isoformat()[-6:]
    utc = moment.astimezone(UTC)
    day, clock = f"{moment.year:04}-{moment.month:02}-{moment.day:02}", f"{moment:%H:%M:%S}"
    month, weekday = MONTHS[utc.month - 1], WEEKDAYS[utc.weekday()]
    half = f"{moment.hour % 12 or 12}:{moment:%M:%S} {'PM' if moment.hour > 11 else 'AM'}"
    millis = (utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return [
        f"{day} {clock} {offset}",
        f"{day}T{clock}{offset.replace(':', '')}",
        f"{day.replace('-', '/')} {clock}{offset}",
        f"{day.replace('-', '.')} {half}\u202f{offset}",
        f"{day.replace('-', '')}T{clock.replace(':', '')}{offset}",
        f"{day.replace('-', '')}{clock.replace(':', '')}{offset.replace(':', '')}",
        f"{utc.year:04}{utc:%m%d%H%M%S}Z",
        f"{month} {utc.day:2} {utc:%H:%M:%S} {utc.year:04} GMT",
        f"notAfter={weekday} {month} {utc.day} {utc:%H:%M:%S} UTC {utc.year:04}",
        f"{weekday}, {utc.day:02} {month} {utc.year:04} {utc:%H:%M:%S} GMT",
        f"{moment.day}-{MONTHS[moment.month - 1].upper()}-{moment.year:04} {half} {offset}",
        f"{MONTHS[moment.month - 1]} {moment.day}, {moment.year:04} {half} {offset}",
        f"/Date({millis})/",
        f"\\/Date({millis}{offset.replace(':', '')})\\/",
    ]


@given(MOMENTS)
def test_every_certain_spelling_names_the_same_instant(moment: datetime) -> None:
    """Whatever the spelling, the instant is the one that was written."""
    moment = moment.replace(microsecond=0)
    ticks = (moment - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * 10_000_000

    found = [read_date_time(text, ZONE) for text in spellings(moment)]

    assert [instant_ticks(each.text) for each in found] == [ticks] * len(found)
    assert [[step.code for step in each.steps] for each in found] == [[Code.DATE_TIME_FORM]] * len(found)


@given(MOMENTS, st.text("0123456789", max_size=7), RULES)
def test_a_valid_text_is_untouched(moment: datetime, fraction: str, rules: DateRules) -> None:
    """No rule touches what the API takes."""
    whole = moment.replace(microsecond=0).isoformat()
    text = f"{whole[:19]}{'.' if fraction else ''}{fraction}{whole[19:]}"

    found = read_date_time(text, rules)

    assert (found.text, found.steps) == (text, ())


TEXTS = st.one_of(
    st.text(),
    st.text("0123456789 :.,/-+TZtzAPMnovge()\\", max_size=40),
    MOMENTS.flatmap(lambda moment: st.sampled_from(spellings(moment))),
    MOMENTS.flatmap(lambda moment: st.sampled_from([text[:-6] for text in spellings(moment)])),
    st.decimals(-(10**13), 10**13, allow_nan=False, places=4).map(str),
    st.from_regex(r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}( [0-9]{1,2}:[0-9]{2}( [AP]M)?)?", fullmatch=True),
)


@given(TEXTS, RULES)
@example("2026-03-29 02:30", ZONE)
@example(" 23.11.2026", ZONE)
def test_reading_twice_equals_reading_once(text: str, rules: DateRules) -> None:
    """What comes out needs no further step, and each step begins where the one before ended."""
    once = read_date_time(text, rules)

    twice = read_date_time(once.text, rules)

    assert (twice.text, twice.steps) == (once.text, ())
    assert [text, *(step.text for step in once.steps)] == [*(step.was for step in once.steps), once.text]
    assert all(step.was != step.text for step in once.steps)


@given(DAYS, st.sampled_from(["/", ".", "-"]), st.booleans())
def test_a_declared_order_never_gives_the_other_date(day: date, sign: str, has_zeros: bool) -> None:
    """Day first read as month first is the declared reading or a problem, never a silent exchange."""
    width = 2 if has_zeros else 1
    text = f"{day.day:0{width}}{sign}{day.month:0{width}}{sign}{day.year:04} 08:49Z"
    iso = f"{day.year:04}-{day.month:02}-{day.day:02}T08:49:00Z"
    swapped = f"{day.year:04}-{day.day:02}-{day.month:02}T08:49:00Z"

    right, wrong, undeclared = (read_date_time(text, rules) for rules in (DMY, MDY, NOTHING))

    assert right.text == iso
    is_read = day.day <= 12 and (sign != "." or day.day == day.month)
    assert wrong.text == (swapped if is_read else text)
    assert bool(wrong.problems) != is_read
    assert undeclared.text == (iso if day.day > 12 or day.day == day.month else text)


@given(st.datetimes(datetime(1907, 1, 1), datetime(9998, 12, 31)), st.sampled_from([".", ","]))  # noqa: DTZ001 - Excel knows no zone
def test_an_excel_serial_reads_back_to_the_second(local: datetime, decimal_sign: str) -> None:
    """Fifteen digits of a serial, as Excel keeps them, name the second that was entered, in both systems."""
    local = local.replace(microsecond=0)
    bases = {EXCEL_1900: datetime(1899, 12, 30), EXCEL_1904: datetime(1904, 1, 1)}  # noqa: DTZ001 - Excel knows no zone
    for rules, base in bases.items():
        since = local - base
        serial = Decimal(since.days) + Decimal(since.seconds) / 86_400

        assert read_date_time(f"{serial:.15g}".replace(".", decimal_sign), rules).text == local.isoformat()


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("20261123", DateNumber.EPOCH_SECONDS, "declared as epoch-seconds, and it reads as year, month and day"),
        (
            "20261123",
            DateNumber.EPOCH_MILLISECONDS,
            "declared as epoch-milliseconds, and it reads as year, month and day",
        ),
        (
            "1795423753",
            DateNumber.EPOCH_MILLISECONDS,
            "declared as epoch-milliseconds, and only as seconds it is a year from 1990 to 2100",
        ),
        (
            "1795423753000",
            DateNumber.EPOCH_SECONDS,
            "declared as epoch-seconds, and only as milliseconds it is a year from 1990 to 2100",
        ),
    ],
)
def test_a_number_that_plainly_counts_something_else_is_refused(text: str, number: DateNumber, message: str) -> None:
    """What is declared is not followed into 1970 or the year 58864 when another unit gives a date in use."""
    assert read_date_time(text, DateRules(number=number)) == Reading(text, (), (Problem(Code.DATE_NUMBER, message),))
