"""report.html and the page of the trend in a browser: what a reader sees and does, without network or complaint."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_cases import (
    DESKTOP,
    LARGE_LINES,
    PHONE,
    Watched,
    browser_path,
    lines_of,
    numbers_of,
    sideways,
    started,
    window,
    write_hostile,
    write_large,
    write_sample,
)
from playwright.sync_api import Browser, Locator, Page, expect
from test_report_trend import NOW, past_run
from test_security_injection import HOSTILE

from pipeline.report import write_trend

CHROMIUM = browser_path()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed here (Debian: apt-get install chromium)"
)

Window = Callable[..., AbstractContextManager[Watched]]


class Pages(NamedTuple):
    """The pages to open."""

    sample: Path
    large: Path
    hostile: Path
    trend: Path


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Write the pages. That has to be over before a browser starts."""
    folder = tmp_path_factory.mktemp("pages")
    trend = folder / "index.html"
    write_trend(trend, [past_run(day, rows_read=100 + day) for day in range(1, 9)], now=NOW)
    out_of_markup = (
        "</script><img src=x onerror=alert(1)>",
        "'\"><img src=x onerror=alert(1)>",
        "]]></style><style>*{}",
    )
    texts = (*HOSTILE, *out_of_markup, "nul\0bell\a")
    return Pages(write_sample(folder / "site"), write_large(folder), write_hostile(folder, texts), trend)


@pytest.fixture(scope="module")
def browser(pages: Pages) -> Iterator[Browser]:  # noqa: ARG001 - to be written first
    """Start the browser, once for the tests of this module."""
    assert CHROMIUM
    with started(CHROMIUM) as browser:
        yield browser


@pytest.fixture
def open_window(browser: Browser) -> Window:
    """Return what opens a window in which no page may ask for anything, complain, or show a dialog."""
    return partial(window, browser)


@pytest.fixture
def watched(open_window: Window) -> Iterator[Watched]:
    """A desktop's window."""
    with open_window() as watched:
        yield watched


@pytest.fixture
def page(watched: Watched, pages: Pages) -> Page:
    """The report of sample_data in it."""
    return watched.show(pages.sample)


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


def style(locator: Locator, name: str) -> str:
    value: str = locator.evaluate("(element, name) => getComputedStyle(element)[name]", name)
    return value


# --- the page as it opens


@pytest.mark.parametrize("name", Pages._fields)
def test_a_page_opens_without_a_request_and_without_a_complaint(watched: Watched, pages: Pages, name: str) -> None:
    """The file itself is all that a browser asks for, whatever is in it: the window checks that for each test."""
    page = watched.show(getattr(pages, name))

    expect(page.locator("h1")).to_be_visible()


def test_the_answer_and_the_numbers_stand_at_the_top(page: Page) -> None:
    """One sentence, the numbers, and the equation that accounts for each row read."""
    tiles = page.locator("#tiles li").evaluate_all("all => all.map(each => [each.dataset.tile, each.dataset.number])")

    assert page.locator("h1").inner_text() == (
        "305 rows were created, 1 is a duplicate, 18 have errors and were not sent, 2 were rejected."
    )
    assert page.locator("h1").bounding_box()["y"] < DESKTOP["height"] / 2
    assert {name: int(number) for name, number in tiles} == {
        "rows": 327,
        "valid": 307,
        "warnings": 7,
        "errors": 18,
        "created": 305,
        "already-there": 0,
        "duplicate": 1,
        "rejected": 2,
        "unknown": 0,
    }
    assert page.locator("#conservation").inner_text() == (
        "327 rows read = 1 blank + 16 invalid + 1 duplicate + 2 conflicting + 305 created + 2 rejected"
    )


def test_each_chart_has_a_name_for_those_who_do_not_see_it(page: Page) -> None:
    """Outcomes, expiry, causes and pace are pictures with names; each has its numbers as a table to open."""
    charts = page.locator("figure.chart")
    names = [each.text_content() for each in charts.locator(".chart-title").all()]

    assert names == ["Outcome of each route", "Which causes weigh most", "When the certificates expire", names[3]]
    for chart, name in zip(charts.all(), names, strict=True):
        expect(chart.get_by_role("img")).to_have_accessible_name(re.compile(re.escape(str(name))))
        chart.locator("summary").click()
        expect(chart.locator("table")).to_be_visible()


def test_without_a_script_the_answer_and_the_causes_can_be_read(open_window: Window, pages: Pages) -> None:
    """Where scripts are blocked, as in a mail program, only the table of rows is missing, and the page says so."""
    with open_window(java_script_enabled=False) as watched:
        page = watched.show(pages.sample)

        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("#cause-unknown-member-deviceplatform")).to_contain_text("Blackberry")
        expect(page.locator("figure.chart svg").first).to_be_visible()
        expect(page.locator("noscript p")).to_be_visible()
        expect(page.locator("noscript p")).to_contain_text("The same rows stand in errors.csv and repairs.csv")
        assert page.locator(".scripted:visible").count() == 0


# --- the rows


def test_a_cause_shows_its_rows(page: Page) -> None:
    """Its button leads to the table with only its lines; Back takes that back."""
    page.locator("#cause-not-a-url-serverurl [data-show]").click()

    assert count(page) == "2 of 146 lines."
    assert numbers_of(page) == [14, 23]
    assert page.url.endswith("#code=not-a-url&column=serverUrl")
    expect(page.locator("#filter-q")).to_be_focused()
    expect(page.locator("#count")).to_be_in_viewport()

    page.go_back()
    expect(page.locator("#count")).to_have_text("146 lines.")


def test_the_search_finds_words_in_each_cell(page: Page) -> None:
    """Small or capital, in the finding or in the row itself; of several words each has to be there."""
    for words, rows in (
        ("blackberry devicePlatform", ["row 3"]),
        ("iph-04005", ["row 6"]),
        ("no such words", []),
        ("SOON expirationdate", ["row 23"]),
    ):
        page.locator("#filter-q").fill(words)

        expect(page.locator("#lines .open")).to_have_text(rows)
        expect(page.locator("#count")).to_have_text(re.compile(f"^{len(rows) or 'None'} of 146 lines\\."))


def test_each_filter_leaves_as_many_lines_as_it_promises(page: Page) -> None:
    """A choice tells how many lines it has, and these are left then."""
    for name in ("severity", "code", "column", "route", "source", "state"):
        choice = page.locator(f"#filter-{name}")
        [_, label, *_] = choice.locator("option").all_inner_texts()
        told = re.fullmatch(r"(.*) \((\d+)\)", label)
        assert told

        choice.select_option(label=label)

        expect(page.locator("#count")).to_have_text(f"{told[2]} of 146 lines.")
        assert set(lines_of(page).locator(f".of-{name}").all_inner_texts()) == {told[1]}
        choice.select_option("")


def test_sorting_goes_up_then_down_then_back(page: Page) -> None:
    """The heading says which way for a screen reader too."""
    heading = page.locator("th.of-row")
    found = numbers_of(page)
    ways = []
    for _ in range(3):
        heading.get_by_role("button").click()
        ways.append((heading.get_attribute("aria-sort"), numbers_of(page)))
    expect(heading.get_by_role("button")).to_be_focused()

    [(up, rising), (down, falling), (none, back)] = ways
    assert (up, down, none) == ("ascending", "descending", "none")
    assert (rising, falling) == (sorted(rising), sorted(falling, reverse=True))
    assert rising[0] < falling[0]
    assert back == found


def test_fifty_thousand_lines_are_filtered_sorted_searched_and_paged(watched: Watched, pages: Pages) -> None:
    """A hundred lines are in the page at a time, and those are the right ones of all."""
    page = watched.show(pages.large)
    assert (count(page), lines_of(page).count()) == (f"{LARGE_LINES:,} lines.", 100)

    page.locator("#page-last").click()
    assert page.locator("#page-number").inner_text() == "Page 500 of 500"
    assert numbers_of(page) == [row for row in range(9_982, 10_002) for _ in range(5)]
    expect(page.locator("#page-next")).to_have_attribute("aria-disabled", "true")
    page.locator("#page-previous").click()
    assert (page.locator("#page-number").inner_text(), numbers_of(page)[-1]) == ("Page 499 of 500", 9_981)

    page.locator("#filter-code").select_option("not-a-url")
    expect(page.locator("#count")).to_have_text("10,000 of 50,000 lines.")
    page.locator("th.of-row button").click()
    page.locator("th.of-row button").click()
    assert numbers_of(page) == list(range(10_001, 9_901, -1))
    page.locator("#filter-q").fill("phone-07777")
    expect(page.locator("#count")).to_have_text("1 of 50,000 lines.")
    assert numbers_of(page) == [7_777]


def test_show_all_takes_every_filter_away(page: Page) -> None:
    """Search, choice and page; the order stays."""
    page.locator("th.of-row button").click()
    page.locator("#filter-severity").select_option("info")
    page.locator("#filter-q").fill("client authentication")
    expect(page.locator("#count")).to_have_text(re.compile(" of "))

    page.locator("#reset").click()

    expect(page.locator("#count")).to_have_text("146 lines.")
    assert [each.input_value() for each in page.locator("#filters input, #filters select").all()] == [""] * 7
    assert page.url.endswith("#sort=row")


def test_an_opened_line_shows_the_row_with_its_bad_cell_marked(page: Page) -> None:
    """All cells of the row as read; the one that is meant by a frame and by words; a second click closes it."""
    page.locator("#filter-code").select_option("unknown-member")
    opener = page.get_by_role("button", name="row 3", exact=True)
    opener.click()

    detail = page.locator("tr.detail")
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(opener).to_have_attribute("aria-controls", detail.get_attribute("id"))
    assert detail.locator(".cells tr").count() == 15
    assert detail.locator("mark").all_inner_texts() == ["Blackberry"]
    assert detail.locator("tr.meant th").inner_text() == "devicePlatform this cell"

    opener.click()
    expect(detail).to_have_count(0)


def test_a_long_value_is_cut_in_the_table_and_whole_when_opened(page: Page) -> None:
    """One line stays one line; nothing of the value is lost."""
    page.locator("#filter-code").select_option("ragged-row")
    expect(page.locator("#count")).to_have_text("2 of 146 lines.")
    short = lines_of(page).locator(".of-value").first.inner_text()
    page.locator(".open").first.click()

    whole = page.locator("tr.detail dt", has_text="Value as read").locator("xpath=following-sibling::dd").inner_text()
    assert (len(short), short[-3:]) == (123, "...")
    assert whole.startswith(short[:-3])
    assert whole.endswith("... (305 characters)")


def test_a_change_shows_what_was_and_what_is(page: Page) -> None:
    """In the table and in the opened line."""
    page.locator("#filter-code").select_option("key-length-form")

    change = lines_of(page).locator(".change")
    assert (change.locator(".was").inner_text(), change.locator(".is").inner_text()) == ("2048 bit", "2048")
    page.locator(".open").click()
    assert page.locator("tr.detail .change").inner_text() == "2048 bit -> 2048"


@pytest.mark.parametrize("has_clipboard", [True, False], ids=["clipboard", "old way"])
def test_a_request_id_is_copied(open_window: Window, pages: Pages, *, has_clipboard: bool) -> None:
    """For Microsoft's support: with the clipboard's interface or, where a browser keeps it back, without."""
    with open_window() as watched:
        watched.context.grant_permissions(["clipboard-read", "clipboard-write"])
        watched.context.add_init_script("window.kept = navigator.clipboard")
        if not has_clipboard:
            watched.context.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page = watched.show(pages.sample, "#state=rejected")
        page.evaluate("window.kept.writeText('copied before')")
        page.locator(".open").first.click()
        button = page.get_by_role("button", name="Copy request-id", exact=True)
        request_id = button.locator("xpath=..").locator("bdi").inner_text()
        button.click()

        expect(page.locator("#said")).to_have_text("Copied.")
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id)
        assert page.evaluate("window.kept.readText()") == request_id
        expect(button).to_be_focused()


def test_the_view_stands_in_the_address(open_window: Window, watched: Watched, pages: Pages) -> None:
    """Who is sent the address with the file sees the same lines in the same order."""
    page = watched.show(pages.sample)
    page.locator("#filter-severity").select_option("error")
    page.locator("th.of-row button").click()
    page.locator("#filter-q").fill("certificateExpirationDateTime")
    expect(page.locator("#count")).to_have_text("4 of 146 lines.")

    with open_window() as other:
        view = page.url.partition("#")[2]
        assert numbers_of(other.show(pages.sample, f"#{view}")) == numbers_of(page) == [7, 8, 9, 23]


# --- how it looks


def test_the_colours_are_chosen_and_kept(page: Page) -> None:
    """As the system has them, until the reader says otherwise; after opening the page again too."""
    light = style(page.locator("body"), "backgroundColor")
    page.locator("#theme").select_option("dark")
    dark = style(page.locator("body"), "backgroundColor")
    page.reload()

    assert light != dark == style(page.locator("body"), "backgroundColor")
    expect(page.locator("#theme")).to_have_value("dark")
    page.locator("#theme").select_option("auto")
    assert style(page.locator("body"), "backgroundColor") == light


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_who_does_not_want_it(open_window: Window, pages: Pages, motion: str) -> None:
    """A button changes its colour at once then."""
    with open_window(reduced_motion=motion) as watched:
        page = watched.show(pages.sample)

        assert (style(page.locator("#reset"), "transitionDuration") == "0s") == (motion == "reduce")


@pytest.mark.parametrize("name", Pages._fields)
def test_nobody_scrolls_sideways_on_a_phone(open_window: Window, pages: Pages, name: str) -> None:
    """Everything fits into 360 pixels, whatever the texts; with a line open too."""
    with open_window(viewport=PHONE) as watched:
        page = watched.show(getattr(pages, name))
        if name != "trend":
            page.locator(".open").first.click()
            page.locator("figure.chart summary").evaluate_all("all => all.forEach((each) => each.click())")

        assert sideways(page) == []


def test_a_row_is_opened_with_the_keys_alone(page: Page) -> None:
    """By the links at the top, then key by key; where one stands is seen, and Enter opens and closes."""
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator("nav a[href='#rows']")).to_be_focused()
    page.keyboard.press("Enter")
    opener = page.locator(".open").first
    for _ in range(20):
        page.keyboard.press("Tab")
        assert style(page.locator(":focus"), "outlineStyle") == "solid"
        assert style(page.locator(":focus"), "outlineWidth") == "3px"
        if opener.evaluate("(element) => element === document.activeElement"):
            break
    expect(opener).to_be_focused()

    page.keyboard.press("Enter")
    expect(page.locator("tr.detail")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("tr.detail")).to_have_count(0)


def test_paper_has_the_rows_and_no_controls(watched: Watched, pages: Pages) -> None:
    """What the filters let through is printed up to a number that is told, and the page is as before then."""
    page = watched.show(pages.large, "#code=not-a-url&page=3")
    before = numbers_of(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")

    assert page.locator("select:visible, input:visible, .pages:visible, .copy:visible, .show:visible").count() == 0
    assert page.locator("#lines thead button").count() == 0
    assert numbers_of(page) == list(range(2, 502))
    assert page.locator("#printed").inner_text() == (
        "Printed are the first 500 of 10,000 lines; the rest stands in errors.csv and repairs.csv."
    )
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#printed")).to_be_hidden()
    assert numbers_of(page) == before


def test_it_is_printed_on_pages(watched: Watched, pages: Pages) -> None:
    """A document comes out, the 500 lines take more than ten pages of it, and the screen has its lines again."""
    page = watched.show(pages.large)

    document = page.pdf(format="A4")

    assert len(re.findall(rb"/Type\s*/Page\b", document)) > 10
    assert lines_of(page).count() == 100


# --- hostile texts, and those who do not see


def test_hostile_texts_are_texts(watched: Watched, pages: Pages) -> None:
    """Of what cells, headers and answers hold nothing runs, loads, links or leaves its place, in no opened line."""
    page = watched.show(pages.hostile)
    page.locator(".open").evaluate_all("all => all.forEach((each) => each.click())")
    elements = "all => [...new Set(all.map((each) => each.localName))]"
    outward = "all => all.map((each) => each.getAttribute('href')).filter((href) => /^[a-z]+:/i.test(href))"

    assert set(page.locator("#lines *").evaluate_all(elements)) == {
        *("bdi", "button", "caption", "dd", "div", "dl", "dt", "mark", "span"),
        *("table", "tbody", "td", "th", "thead", "tr"),
    }
    assert page.locator("script, style, img, iframe, object, embed, base").count() == 2
    assert page.locator("main a").evaluate_all(outward) == []
    assert page.locator("tr.detail").count() == len(HOSTILE) + 4
    values = lines_of(page).locator(".of-value").all_inner_texts()
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in values
    assert "abcU+202Egnp.exe" in values
    assert "nulU+0000bellU+0007" in values
    assert max(map(len, values)) < 1_100


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["sample", "trend"])
def test_nothing_keeps_a_reader_out(
    open_window: Window, pages: Pages, name: str, size: dict[str, int], scheme: str
) -> None:
    """axe-core finds no violation of its rules, with a line opened, in both colours, at both widths."""
    with open_window(viewport=size, color_scheme=scheme) as watched:
        page = watched.show(getattr(pages, name), "" if name == "trend" else "#code=unknown-member")
        if name != "trend":
            page.locator(".open").first.click()
        found = Axe().run(page).response

    assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20
