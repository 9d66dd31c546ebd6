"""Traps in dates: all in the column certificateExpirationDateTime."""

from corpus.case import (
    EXPIRES,
    INSTANT,
    Case,
    Found,
    Group,
    body,
    cells,
    delimited,
    error,
    info,
    text_case,
    value_case,
    warning,
)

from pipeline.findings import Code

BERLIN = "timezone: Europe/Berlin\n"
DAY_FIRST = f"{BERLIN}date_order: dmy\n"
MIXED = ("27.03.2027 08:49", "03/15/2027 08:49", "06/02/2027 08:49", "2027-02-06 08:49")
LOCAL = "2027-11-23T08:49:13"


def repaired(name: str, trap: str, was: str, *forms: str, config: str = "") -> Case:
    """Return the case of a date that takes these forms one after the other: the API's, and with the zone's offset."""
    found: list[Found] = []
    before = was
    for code, form in zip((Code.DATE_TIME_FORM, Code.TIME_ZONE), forms, strict=False):
        found.append(info(2, code, EXPIRES, before, form))
        before = form
    return value_case(f"date-{name}.csv", trap, EXPIRES, was, before, *found, config=config)


def refused(name: str, trap: str, was: str, code: Code, config: str = "", *, says: str = "") -> Case:
    """Return the case of a date that is refused with this code."""
    return value_case(f"date-{name}.csv", trap, EXPIRES, was, None, error(2, code, EXPIRES, says=says), config=config)


def sentinel(name: str, trap: str, text: str) -> Case:
    """Return the case of a date that stands for none or never; it is sent."""
    return value_case(f"date-{name}.csv", trap, EXPIRES, text, text, warning(2, Code.SENTINEL_DATE, EXPIRES))


FORM_CASES = (
    value_case(
        "date-seven-digits.csv",
        "Seven fractional digits are what the API holds: all stay.",
        EXPIRES,
        f"{LOCAL}.1234567Z",
        f"{LOCAL}.1234567Z",
    ),
    refused("eight-digits", "Eight fractional digits are more than that.", f"{LOCAL}.12345678Z", Code.NOT_A_DATE_TIME),
    repaired("iso-blank", "ISO 8601 with a blank, as databases write it.", "2027-11-23 08:49:13Z", INSTANT),
    repaired(
        "german",
        "A date as Excel in Germany shows it, in the declared zone.",
        "23.11.2027 08:49",
        "2027-11-23T08:49:00",
        "2027-11-23T08:49:00+01:00",
        config=BERLIN,
    ),
    repaired(
        "american",
        "A date as certutil in the USA writes it: 23 can only be the day.",
        "5/23/2027 5:29 PM",
        "2027-05-23T17:29:00",
        "2027-05-23T17:29:00-07:00",
        config="timezone: America/Los_Angeles\n",
    ),
    repaired("openssl", "openssl's dates.", "Nov 23 08:49:13 2027 GMT", INSTANT),
    repaired(
        "named-month",
        "The month is written as a word.",
        "23-Nov-2027 08:49:13",
        LOCAL,
        f"{LOCAL}+01:00",
        config=BERLIN,
    ),
    repaired("generalized-time", "ASN.1's GeneralizedTime.", "20271123084913Z", INSTANT),
    repaired("utc-time", "ASN.1's UTCTime, of which RFC 5280 says the century.", "271123084913Z", INSTANT),
    repaired("dotnet", ".NET's JSON form: milliseconds since 1970.", "/Date(1826959753000)/", INSTANT),
    value_case(
        "date-letter-case.csv",
        "T and Z are written in lower case.",
        EXPIRES,
        "2027-11-23t08:49:13z",
        INSTANT,
        warning(2, Code.LETTER_CASE, EXPIRES, "2027-11-23t08:49:13z", INSTANT),
    ),
)

NUMBER_CASES = (
    refused("number", "A bare number says nothing of what it counts.", "46714", Code.DATE_NUMBER),
    repaired(
        "excel-1900",
        "Days since 1900, as Excel for Windows counts them.",
        "46714.3675115741",
        LOCAL,
        f"{LOCAL}Z",
        config="date_number: excel-1900\ntimezone: UTC\n",
    ),
    repaired(
        "excel-1904",
        "Days since 1904, as older Excel for Mac counts them: 1462 less.",
        "45252.3675115741",
        LOCAL,
        f"{LOCAL}Z",
        config="date_number: excel-1904\ntimezone: UTC\n",
    ),
    repaired("epoch-seconds", "Seconds since 1970.", "1826959753", INSTANT, config="date_number: epoch-seconds\n"),
    repaired(
        "epoch-milliseconds",
        "Milliseconds since 1970, as Jamf and Ivanti write them.",
        "1826959753000",
        INSTANT,
        config="date_number: epoch-milliseconds\n",
    ),
)

DOUBT_CASES = (
    refused("ambiguous", "April 3 or March 4?", "03/04/2028 08:49", Code.AMBIGUOUS_DATE, BERLIN),
    value_case(
        "date-ambiguous-declared.csv",
        "The same date with the day declared to come first, in summer time.",
        EXPIRES,
        "03/04/2028 08:49",
        "2028-04-03T08:49:00+02:00",
        info(2, Code.DATE_ORDER, EXPIRES, "03/04/2028 08:49", "2028-04-03T08:49:00"),
        info(2, Code.TIME_ZONE, EXPIRES, "2028-04-03T08:49:00", "2028-04-03T08:49:00+02:00"),
        config=DAY_FIRST,
    ),
    refused(
        "against-the-order",
        "The only possible reading is not the declared one.",
        "11/23/2027 08:49",
        Code.DATE_ORDER_CONTRADICTED,
        DAY_FIRST,
    ),
    text_case(
        "date-mixed-orders.csv",
        "Rows 2 and 3 prove that the column mixes two orders, so the declared one does not decide row 4.",
        delimited(*(cells(number, {EXPIRES: text}) for number, text in enumerate(MIXED, 1))),
        valid={
            2: body(1, {EXPIRES: "2027-03-27T08:49:00+01:00"}),
            5: body(4, {EXPIRES: "2027-02-06T08:49:00+01:00"}),
        },
        invalid=(3, 4),
        found=(
            info(2, Code.DATE_TIME_FORM, EXPIRES, MIXED[0], "2027-03-27T08:49:00"),
            info(2, Code.TIME_ZONE, EXPIRES, "2027-03-27T08:49:00", "2027-03-27T08:49:00+01:00"),
            error(3, Code.DATE_ORDER_CONTRADICTED, EXPIRES, says="can only be 2027-03-15"),
            info(4, Code.DATE_ORDER, EXPIRES, MIXED[2], "2027-02-06T08:49:00"),
            info(4, Code.TIME_ZONE, EXPIRES, "2027-02-06T08:49:00", "2027-02-06T08:49:00+01:00"),
            error(4, Code.DATE_ORDER_CONTRADICTED, EXPIRES, says="in row 3 the date can only be 2027-03-15"),
            info(5, Code.DATE_TIME_FORM, EXPIRES, MIXED[3], "2027-02-06T08:49:00"),
            info(5, Code.TIME_ZONE, EXPIRES, "2027-02-06T08:49:00", "2027-02-06T08:49:00+01:00"),
        ),
        config=DAY_FIRST,
    ),
    refused(
        "dots-month-first",
        "The month is declared to come first, and nobody writes it so with dots.",
        "10.03.2027 08:49",
        Code.AMBIGUOUS_DATE,
        f"{BERLIN}date_order: mdy\n",
        says="who writes dots puts the day first",
    ),
    value_case(
        "date-without-zone.csv",
        "Nothing says in which zone the time is.",
        EXPIRES,
        "23.11.2027 08:49:13",
        None,
        info(2, Code.DATE_TIME_FORM, EXPIRES, "23.11.2027 08:49:13", LOCAL),
        error(2, Code.DATE_TIME_WITHOUT_OFFSET, EXPIRES),
    ),
    refused(
        "gap",
        "The clocks of Berlin went from 2 to 3, so half past two never came.",
        "2027-03-28T02:30:00",
        Code.AMBIGUOUS_LOCAL_TIME,
        BERLIN,
        says="never came",
    ),
    refused(
        "fold",
        "The clocks of Berlin went from 3 to 2, so half past two came twice.",
        "2027-10-31T02:30:00",
        Code.AMBIGUOUS_LOCAL_TIME,
        BERLIN,
        says="came twice",
    ),
    refused("only", "A date without a time of day, and no zone is declared.", "2027-11-23", Code.NOT_A_DATE_TIME),
    value_case(
        "date-only-declared.csv",
        "A date without a time of day is midnight in the declared zone.",
        EXPIRES,
        "2027-11-23",
        "2027-11-23T00:00:00+01:00",
        warning(2, Code.MISSING_TIME, EXPIRES, "2027-11-23", "2027-11-23T00:00:00"),
        info(2, Code.TIME_ZONE, EXPIRES, "2027-11-23T00:00:00", "2027-11-23T00:00:00+01:00"),
        config=BERLIN,
    ),
    refused("no-such-day", "There is no February 31.", "31.02.2027 08:49", Code.NOT_A_DATE_TIME, BERLIN),
    refused("short-year", "Two digits leave the century open.", "23.11.27 08:49", Code.NOT_A_DATE_TIME, BERLIN),
    refused("zone-word", "CET is no certain offset.", "Nov 23 08:49:13 2027 CET", Code.NOT_A_DATE_TIME),
    refused("weekday", "November 23, 2027 is a Tuesday.", "Mon, 23 Nov 2027 08:49:13 GMT", Code.NOT_A_DATE_TIME),
    refused("words", "A word stands for the date.", "never", Code.NOT_A_DATE_TIME),
    sentinel("first-day", "0001-01-01 is what .NET writes for no date.", "0001-01-01T00:00:00Z"),
    sentinel("last-day", "9999-12-31 is what programs write for never.", "9999-12-31T23:59:59Z"),
    sentinel("filetime-zero", "1601-01-01 is FILETIME 0.", "1601-01-01T00:00:00Z"),
    sentinel("epoch-zero", "1970-01-01 is second 0 of Unix.", "1970-01-01T00:00:00Z"),
    value_case(
        "date-no-repair.csv",
        "With `--no-repair` only the API's own form is read.",
        EXPIRES,
        "2027-11-23 08:49:13Z",
        None,
        error(2, Code.NOT_A_DATE_TIME, EXPIRES),
        repairs=False,
    ),
)

GROUPS = (
    Group("Dates: spellings", FORM_CASES),
    Group("Dates: numbers", NUMBER_CASES),
    Group("Dates: doubts", DOUBT_CASES),
)
