"""The pictures of report.html: what their sentences, their bars and their tables say."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element  # noqa: S405 - the type of what defusedxml reads

import pytest
from defusedxml.ElementTree import fromstring
from markupsafe import Markup

from pipeline.findings import Severity
from pipeline.model import REFUSED, DayCount, StepCount
from pipeline.report.causes import Cause, Example
from pipeline.report.page.charts import LOOKS, causes_chart, expiry_chart, pace_chart, routes_chart
from pipeline.report.page.svg import Table, percent, percentage, table_of
from pipeline.report.summary import Pace, RouteLine, Terms, Total

TODAY = date(2026, 11, 23)
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PAGE = Path(__file__).parents[1] / "pipeline" / "report" / "page"
HOSTILE = "</title></svg><script>alert(1)</script>\" onload='x' \u202e\x00\x1b[31m"


def route(profile_id: str, name: str, **rows: int) -> RouteLine:
    path = f"deviceManagement/deviceConfigurations/{profile_id}-2f0b-4c8e-9a55-0d3f1b7c2e11"
    collection = f"{path}/microsoft.graph.{name}CertificateProfile/managedDeviceCertificateStates"
    return RouteLine(collection, tuple(Total(label.replace("_", " "), number) for label, number in rows.items()))


def cause(code: str, rows: int, column: str = "", severity: Severity = Severity.ERROR) -> Cause:
    return Cause(code, severity, column, rows, "row 2", (Example("row 2", "x", "no x"),), "write y")


def steps(*times: tuple[float, str, int]) -> list[StepCount]:
    """Return the steps of (seconds after the start, outcome, how many)."""
    return [StepCount(f"{START + timedelta(seconds=at):%Y-%m-%dT%H:%M:%S}", *rest) for at, *rest in times]


def pace(requests: int, *, refused: int = 0, sending_s: float = 20.0, quota: int = 100) -> Pace:
    return Pace(quota, 20.0, requests, refused, sending_s)


# --- how a figure is read


def figure_of(chart: Markup) -> Element:
    figure = fromstring(str(chart))
    assert isinstance(figure, Element)
    return figure


def caption(chart: Markup) -> str:
    told = figure_of(chart).find("figcaption/span")
    assert told is not None
    return (told.text or "").replace("\u00a0", " ")


def texts(chart: Markup) -> list[str]:
    """Return the texts that the picture shows, from the top to the bottom."""
    return [each.text or "" for each in figure_of(chart).findall("svg/text")]


def bars(chart: Markup, look: str, size: str = "width") -> list[float]:
    """Return the widths in per cent, or another size, of the bars of this look."""
    rects = figure_of(chart).findall("svg/rect")
    return [float(each.attrib[size].rstrip("%")) for each in rects if f"-{look})" in each.attrib["fill"]]


def rows(chart: Markup) -> list[list[str]]:
    """Return the table's cells, header first."""
    return [[cell.text or "" for cell in row] for row in figure_of(chart).iter("tr")]


def key(chart: Markup) -> list[str]:
    return ["".join(each.itertext()) for each in figure_of(chart).findall("ul/li")]


# --- the outcome of each route


def test_routes_are_ranked_with_their_slices_as_wide_as_their_shares() -> None:
    """The most rows first; each bar is all rows of its route; the table has the same numbers and the whole path."""
    small = route("22222222", "macOSScep", created=30, rejected=10)
    large = route("11111111", "iosScep", created=50, already_there=50)

    chart = routes_chart([small, large])

    assert caption(chart) == "140 rows on 2 routes: 1 route has rows to look at, macOSScep 22222222.. (10 rejected)."
    assert texts(chart) == [
        "iosScep 11111111..",
        "100 rows: 50 created, 50 already there",
        "macOSScep 22222222..",
        "40 rows: 30 created, 10 rejected",
    ]
    assert bars(chart, "good-full") == [50.0, 75.0]
    assert bars(chart, "good-plain") == [50.0]
    assert bars(chart, "bad-grid") == [25.0]
    assert bars(chart, "bad-grid", "x") == [75.0]
    assert key(chart) == ["created", "already there", "rejected"]
    assert rows(chart) == [
        ["Route", "Created", "Already there", "Rejected", "Rows", "Collection"],
        ["iosScep 11111111..", "50", "50", "0", "100", large.collection],
        ["macOSScep 22222222..", "30", "0", "10", "40", small.collection],
    ]


def test_one_row_of_five_million_is_seen() -> None:
    """A slice that would be too thin is drawn wider, the bar is no longer for it, and the number is the true one."""
    chart = routes_chart([route("11111111", "iosScep", created=4_999_999, unknown=1)])

    [created], [unknown] = bars(chart, "good-full"), bars(chart, "doubt-dots")

    assert unknown == pytest.approx(0.6, abs=0.01)
    assert created + unknown == pytest.approx(100, abs=0.01)
    assert texts(chart)[1] == "5,000,000 rows: 4,999,999 created, 1 unknown"


def test_of_a_hundred_routes_the_largest_are_drawn_and_the_table_has_all() -> None:
    """What is beyond the twelfth bar stands in it together."""
    chart = routes_chart([route(f"{number:08}", "iosScep", created=number) for number in range(1, 101)])

    names = texts(chart)[::2]
    assert names[:2] == ["iosScep 00000100..", "iosScep 00000099.."]
    assert names[10:] == ["iosScep 00000090..", "89 other routes"]
    assert texts(chart)[-1] == f"{sum(range(1, 90)):,} rows created"
    assert len(rows(chart)) == 101


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ([route("11111111", "iosScep", created=1)], "1 row on 1 route: none is left to look at."),
        ([route("11111111", "iosScep", valid=2, conflicting=3)], "5 rows on 1 route: 3 conflicting."),
        (
            [route("11111111", "iosScep", unsent=9), route("22222222", "iosScep", unknown=2, unsent=1)],
            "12 rows on 2 routes: all have rows to look at, most of them iosScep 11111111.. (9 unsent).",
        ),
    ],
)
def test_the_sentence_names_the_route_with_the_most_rows_to_look_at(routes: list[RouteLine], told: str) -> None:
    """Who looks at the picture first is told where to look."""
    assert caption(routes_chart(routes)) == told


def test_many_outcomes_of_a_route_are_told_in_lines_that_fit_a_phone() -> None:
    """No line below a bar is longer than what a narrow screen shows, and nothing is left out."""
    line = route("11111111", "iosScep", created=9_000, changed=800, rejected=700, unsent=600, unknown=500, missing=400)

    lines = texts(routes_chart([line]))[1:]

    assert " ".join(lines) == (
        "12,000 rows: 9,000 created, 800 changed, 700 rejected, 600 unsent, 500 unknown, 400 missing"
    )
    assert max(map(len, lines)) <= 46


@pytest.mark.parametrize("terms", Terms, ids=[each.name for each in Terms])
def test_each_outcome_is_known_without_its_colour(terms: Terms) -> None:
    """No two terms of one summary have the same pattern, and none looks like a term that nobody knows."""
    shown = [LOOKS[label].pattern for label, _ in terms.value]

    assert len(set(shown)) == len(shown)


# --- when the certificates expire


def days(**rows_of: int) -> list[DayCount]:
    return [DayCount(day.removeprefix("d").replace("_", "-"), number) for day, number in rows_of.items()]


def spans(chart: Markup) -> list[tuple[str, str]]:
    """Return the labels of the bars with their numbers."""
    shown = [each for each in texts(chart) if not each.startswith("today")]
    return list(zip(shown[::2], shown[1::2], strict=True))


def test_the_days_around_today_and_the_months_behind_them() -> None:
    """A certificate of today has not expired; each window ends with its last day; what is later is told by month."""
    expiry = days(
        d2026_11_22=14, d2026_11_23=1, d2026_12_23=30, d2026_12_24=2, d2027_01_22=2, d2027_01_23=5, d2027_02_21=5
    )

    chart = expiry_chart([*expiry, *days(d2027_02_22=7, d2027_04_01=20)], TODAY)

    assert caption(chart) == "14 certificates expired before 23 Nov 2026, 31 expire within 30 days."
    assert spans(chart) == [
        ("expired", "14"),
        ("within 30 days", "31"),
        ("31 to 60 days", "4"),
        ("61 to 90 days", "10"),
        ("rest of Feb 2027", "7"),
        ("Mar 2027", "0"),
        ("Apr 2027", "20"),
    ]
    assert texts(chart)[2] == "today, 23 Nov 2026"
    assert bars(chart, "bad-stripes") == [38.0]
    assert bars(chart, "bad-grid") == [pytest.approx(38 * 14 / 31, abs=0.001)]
    assert bars(chart, "info-full") == [pytest.approx(38 * each / 31, abs=0.001) for each in (7, 20)]
    assert rows(chart) == [
        ["Expires", "From", "To", "Certificates"],
        ["expired", "2026-11-22", "2026-11-22", "14"],
        ["within 30 days", "2026-11-23", "2026-12-23", "31"],
        ["31 to 60 days", "2026-12-24", "2027-01-22", "4"],
        ["61 to 90 days", "2027-01-23", "2027-02-21", "10"],
        ["rest of Feb 2027", "2027-02-22", "2027-02-28", "7"],
        ["Mar 2027", "2027-03-01", "2027-03-31", "0"],
        ["Apr 2027", "2027-04-01", "2027-04-30", "20"],
    ]


def test_a_long_time_is_told_by_year_and_its_end_together() -> None:
    """More than 18 months would be no picture any more; beyond ten years it is one bar."""
    chart = expiry_chart(days(d2027_12_31=1, d2028_01_01=2, d2036_05_05=3, d2098_12_31=4), TODAY)

    assert [each for each in spans(chart)[4:] if each[1] != "0"] == [
        ("rest of 2027", "1"),
        ("2028", "2"),
        ("2036 and later", "7"),
    ]
    assert rows(chart)[-1] == ["2036 and later", "2036-01-01", "2098-12-31", "7"]


def test_days_that_stand_for_never_and_texts_that_are_no_day_have_bars_of_their_own() -> None:
    """The first and last day of a calendar is no date of expiry, and a text that is no day is counted, not dropped."""
    never = days(d0001_01_01=1, d1601_01_01=2, d1970_01_01=3, d9999_12_31=5_000_000)
    unreadable = [DayCount(text, 1) for text in ("2026-02-30", "2026-W01-1", "20261123", "", "soon", "0000-01-01")]

    chart = expiry_chart([*never, *unreadable, *days(d2027_01_01=9)], TODAY)

    assert spans(chart)[-2:] == [("never / no date", "5,000,006"), ("no readable date", "6")]
    assert caption(chart) == (
        "No certificate expired before 23 Nov 2026, none expires within 30 days, 9 within 90. "
        "5,000,006 certificates have a date that stands for never or for none. 6 certificates have no readable date."
    )


@pytest.mark.parametrize(
    ("expiry", "told"),
    [
        (days(d2020_01_01=1), "1 certificate expired before 23 Nov 2026, none expires within 90 days."),
        (days(d2026_11_24=1), "No certificate expired before 23 Nov 2026, 1 expires within 30 days."),
        (
            days(d2028_03_05=2, d2029_01_01=1),
            "No certificate expired before 23 Nov 2026, none expires within 90 days; the next on 5 Mar 2028.",
        ),
        (days(d9999_12_31=1), "1 certificate has a date that stands for never or for none."),
        ([DayCount("?", 1)], "1 certificate has no readable date."),
    ],
)
def test_the_sentence_says_what_expires_next(expiry: list[DayCount], told: str) -> None:
    """What matters is said in words, in the singular where it is one."""
    assert caption(expiry_chart(expiry, TODAY)) == told


# --- the causes


def test_causes_are_ranked_with_the_share_of_all_so_far() -> None:
    """Errors and warnings apart, the few that make most of them told; repairs are no causes to mend."""
    causes = [
        cause("no-rows", 0),
        cause("missing-value", 10, "Thumbprint"),
        cause("not-a-date-time", 60, "Expires"),
        cause("rejected 400 BadRequest", 30),
        cause("duplicate", 4, severity=Severity.WARNING),
        cause("letter-case", 5_000, severity=Severity.INFO),
    ]

    chart = causes_chart(causes)

    assert caption(chart) == (
        "2 of 3 causes make 90 % of the 100 errors. 1 error is about whole files. 1 cause makes all 4 warnings."
    )
    assert texts(chart) == [
        "100 errors",
        *("not-a-date-time", "60", "Expires", "60 % so far"),
        *("rejected 400 BadRequest", "30", "", "90 % so far"),
        "2 causes, 90 %",
        *("missing-value", "10", "Thumbprint", "100 % so far"),
        "4 warnings",
        *("duplicate", "4", "", "100 % so far"),
    ]
    assert bars(chart, "bad-full") == [60.0, 30.0, 10.0]
    assert bars(chart, "warn-stripes") == [100.0]
    assert bars(chart, "muted-plain") == [60.0, 90.0, 100.0, 100.0]
    assert rows(chart) == [
        ["Cause", "Column", "Severity", "Rows", "So far"],
        ["not-a-date-time", "Expires", "error", "60", "60 %"],
        ["rejected 400 BadRequest", "", "error", "30", "90 %"],
        ["missing-value", "Thumbprint", "error", "10", "100 %"],
        ["no-rows", "", "error", "whole file", ""],
        ["duplicate", "", "warning", "4", "100 %"],
    ]


def test_of_a_thousand_causes_twelve_are_drawn_and_the_others_together() -> None:
    """The picture stays a picture; the sentence counts all, and the table lists them."""
    chart = causes_chart([cause("unknown-member", 1, f"column {number}") for number in range(1_000)])

    assert caption(chart) == "800 of 1,000 causes make 80 % of the 1,000 errors."
    assert texts(chart)[-4:] == ["988 other causes", "988", "", "100 % so far"]
    assert bars(chart, "bad-full") == [*[0.1] * 12, 98.8]
    assert len(rows(chart)) == 1_001


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([1], "1 cause makes the one error."),
        ([5_000_000], "1 cause makes all 5,000,000 errors."),
        ([1, 1], "2 causes make all 2 errors."),
        ([999, 1], "1 of 2 causes makes 99 % of the 1,000 errors."),
    ],
)
def test_the_sentence_says_how_few_causes_make_most_errors(counts: list[int], told: str) -> None:
    """`100 %` is said of all only."""
    assert caption(causes_chart([cause(f"code-{number}", each) for number, each in enumerate(counts)])) == told


# --- how sending went


def test_the_pace_is_drawn_in_windows_of_the_quota_against_its_line() -> None:
    """A bar is what was settled in its time; requests and refusals stand in the table, refusals below the bars too."""
    run = steps(
        (0, "created", 80),
        (0, "sending", 100),
        (1, REFUSED, 20),
        (20, "rejected", 40),
        (20, "sending", 40),
        (59, "created", 20),
        (59, "unknown", 1),
    )

    chart = pace_chart(run, pace(140, refused=20, sending_s=59))

    assert caption(chart) == (
        "140 rows settled in 59 s, 35 % of the quota used (100 writes in 20 s). "
        "20 requests were answered 429 (too many)."
    )
    assert texts(chart) == ["23 Nov, 08:00:00", "23 Nov, 08:01:00", "quota: 100 in 20 s"]
    assert key(chart) == ["rows settled in 20 s", "some answered 429 (too many)"]
    heights = bars(chart, "accent-full", "height")
    assert heights == [pytest.approx(150 * each / 105, abs=0.01) for each in (80, 40, 20)]
    assert bars(chart, "accent-full", "x") == [0, 33.333, 66.667]
    assert bars(chart, "bad-grid", "x") == [0]
    [line] = figure_of(chart).findall("svg/line[@class='chart-quota']")
    assert float(line.attrib["y1"]) == pytest.approx(22 + 150 * (1 - 100 / 105), abs=0.01)
    assert rows(chart) == [
        ["From (UTC)", "Rows settled", "Requests", "Answered 429"],
        ["2026-11-23 08:00:00", "80", "100", "20"],
        ["2026-11-23 08:00:20", "40", "40", "0"],
        ["2026-11-23 08:00:40", "20", "0", "0"],
    ]


def test_a_pause_between_two_calls_is_cut_out_and_told() -> None:
    """Ten minutes are an outage that belongs to the run; a second more lies between two calls."""
    run = steps((0, "created", 100), (600, "created", 100), (1_201, "created", 50))

    chart = pace_chart(run, pace(250, sending_s=600))

    assert caption(chart) == (
        "250 rows settled in 10 min 0 s, 8 % of the quota used (100 writes in 20 s). 1 pause of 10 min 1 s is cut out."
    )
    assert bars(chart, "muted-slopes") == [3.0]
    assert len(bars(chart, "accent-full")) == 3
    table = rows(chart)[1:]
    assert [table[0], *table[-3:]] == [
        ["2026-11-23 08:00:00", "100", "0", "0"],
        ["2026-11-23 08:10:00", "100", "0", "0"],
        ["nothing for 10 min 1 s", "", "", ""],
        ["2026-11-23 08:20:01", "50", "0", "0"],
    ]


def test_a_run_of_one_second_is_one_bar() -> None:
    """It fills the picture's width, and one row of a hundred that could have left is seen."""
    chart = pace_chart(steps((0, "created", 1), (0, "sending", 1)), pace(1, sending_s=0))

    assert caption(chart) == "1 row settled, 1 % of the quota used (100 writes in 20 s)."
    assert bars(chart, "accent-full") == [100.0]
    assert bars(chart, "accent-full", "height") == [1.5]


def test_five_million_rows_make_no_more_bars_than_fit() -> None:
    """Eleven days of sending are drawn in buckets of some hours; no row is lost in them."""
    hours = 278
    run = [step for hour in range(hours * 6) for step in steps((hour * 600, "created", 3_000))]

    chart = pace_chart(run, pace(5_004_000, sending_s=hours * 3_600))

    table = rows(chart)[1:]
    assert 60 <= len(table) <= 120
    assert sum(int(settled.replace(",", "")) for _, settled, _, _ in table) == 5_004_000
    assert bars(chart, "accent-full") == [pytest.approx(100 / len(table), abs=0.001)] * len(table)


def test_rows_that_reading_back_settled_at_once_do_not_flatten_the_others() -> None:
    """Such a bar ends at the top with a mark, and the sentence tells its length."""
    run = steps((0, "created", 100), (20, "created", 5_000))

    chart = pace_chart(run, pace(100))

    assert bars(chart, "accent-full", "height") == [pytest.approx(150 * 100 / 210, abs=0.01), 150.0]
    assert "▲" in texts(chart)
    assert caption(chart).endswith(" 1 bar is longer than shown, up to 5,000 rows.")


def test_many_calls_leave_room_for_their_bars() -> None:
    """Fifty pauses take no more than three tenths of the width, and no time overlaps another."""
    run = [step for call in range(51) for step in steps((call * 3_600, "created", 100))]

    chart = pace_chart(run, pace(5_100, sending_s=0))

    assert sum(bars(chart, "muted-slopes")) <= 30
    assert sum(bars(chart, "muted-slopes")) + sum(bars(chart, "accent-full")) == pytest.approx(100, abs=0.1)
    assert texts(chart)[:3] == ["23 Nov, 08:00", "24 Nov, 09:00", "25 Nov, 10:00"]


# --- all of them


def test_nothing_to_draw_is_no_figure() -> None:
    """No rows, no certificates, no causes with rows, no sending."""
    unsent = steps((0, "unsent", 5))

    assert routes_chart([]) == routes_chart([route("11111111", "iosScep", created=0)]) == ""
    assert expiry_chart([], TODAY) == expiry_chart([DayCount("2027-01-01", 0)], TODAY) == ""
    assert causes_chart([]) == causes_chart([cause("no-rows", 0)]) == ""
    assert causes_chart([cause("letter-case", 3, severity=Severity.INFO)]) == ""
    assert pace_chart([], pace(0)) == pace_chart(unsent, pace(0)) == ""


def hostile_charts() -> list[Markup]:
    """Return the pictures of what files and the service can say at their worst."""
    return [
        routes_chart([RouteLine(HOSTILE, (Total(HOSTILE, 3),)), route(HOSTILE, HOSTILE, rejected=1)]),
        expiry_chart([DayCount(HOSTILE, 1), DayCount("2027-01-01", 1)], TODAY),
        causes_chart([cause(HOSTILE, 5, HOSTILE), cause("x" * 100_000, 1, "\n" * 50_000 + "é")]),
        pace_chart(steps((0, "created", 1), (0, HOSTILE, 1)), pace(1)),
    ]


def attributes_of(figures: Iterable[Element]) -> list[tuple[str, str]]:
    return [pair for figure in figures for each in figure.iter() for pair in each.items()]


def test_hostile_texts_stay_texts() -> None:
    """Whatever a header or an answer holds is shown as text, with what is invisible spelt out."""
    charts = hostile_charts()
    figures = [figure_of(each) for each in charts]

    assert {each.tag for figure in figures for each in figure.iter()} <= {
        *("figure", "figcaption", "strong", "span", "ul", "li", "svg", "title", "desc", "defs", "pattern"),
        *("rect", "path", "line", "text", "details", "summary", "div", "table", "thead", "tbody", "tr", "th", "td"),
    }
    assert {name for name, _ in attributes_of(figures) if name.startswith("on")} == set()
    spelt = HOSTILE.replace("\u202e", "U+202E").replace("\x00", "U+0000").replace("\x1b", "U+001B")
    assert rows(charts[2])[1] == [spelt, spelt, "error", "5", "83 %"]
    assert max(map(len, texts(charts[2]))) <= 60


def test_the_figures_keep_the_content_security_policy() -> None:
    """No style attribute, no script, no address: only patterns of the same figure are referred to."""
    figures = [figure_of(each) for each in hostile_charts()]
    attributes = attributes_of(figures)
    ids = [value for name, value in attributes if name == "id"]
    referred = [value for name, value in attributes if name in {"fill", "stroke", "href", "src", "style", "filter"}]

    assert len(ids) == len(set(ids))
    assert {each for each in referred if each.removeprefix("url(#").removesuffix(")") not in ids} == set()


def test_a_figure_is_named_and_described_for_those_who_do_not_see_it() -> None:
    """Each picture is an image with a title and a description; each table's frame can be reached by the keyboard."""
    for figure in map(figure_of, hostile_charts()):
        [picture] = figure.findall("svg")
        title, desc = picture[0], picture[1]
        frame = figure.find("details/div")

        assert (title.tag, desc.tag, picture.attrib["role"]) == ("title", "desc", "img")
        assert picture.attrib["aria-labelledby"] == f"{title.attrib['id']} {desc.attrib['id']}"
        assert (desc.text or "").startswith((figure.findtext("figcaption/span") or "?").replace("\u00a0", " "))
        assert frame is not None
        assert (frame.attrib["tabindex"], frame.attrib["role"]) == ("0", "region")


def test_the_colours_are_those_of_the_page() -> None:
    """charts.css has no colour of its own, so that light, dark and print are decided in one place."""
    css = (PAGE / "charts.css").read_text("utf-8")
    named = set(re.findall(r"(--\w+):", (PAGE / "page.css").read_text("utf-8")))

    assert set(re.findall(r"var\((--\w+)\)", css)) <= named
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl|url\(|@import", css) == []


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(0, 5, "0 %"), (1, 5_000_000, "<1 %"), (4_999_999, 5_000_000, "99 %"), (5, 5, "100 %"), (1, 3, "33 %")],
)
def test_a_percentage_never_says_all_or_nothing_of_less(part: int, whole: int, told: str) -> None:
    """Rounding up would hide the last row that is wrong."""
    assert percentage(part, whole) == told


def test_a_length_is_written_as_short_as_it_is_exact() -> None:
    """A thousandth of a per cent is less than a pixel on any screen."""
    assert [percent(each) for each in (0, 1, 0.5, 1 / 3)] == ["0%", "100%", "50%", "33.333%"]


def test_numbers_of_a_table_tell_their_thousands_apart() -> None:
    """A number is shown with commas at the right, a text as it is; the first cell is the row's header."""
    cells: Sequence[str | int] = ("2027", 1_234_567, "1234567")

    assert table_of(Table(("Year", "Rows", "Text"), [cells])) == (
        '<table><thead><tr><th scope="col">Year</th><th scope="col">Rows</th><th scope="col">Text</th></tr></thead>'
        '<tbody><tr><th scope="row">2027</th><td class="number">1,234,567</td><td>1234567</td></tr></tbody></table>'
    )
