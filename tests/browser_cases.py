"""What the tests of the pages share: Debian's Chromium, a page that is watched, and the pages to open."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from import_cases import Site
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, sync_playwright
from test_report_page import IOS, NOW, RUN, SOURCE, line_of, summary_of

from pipeline.findings import Severity
from pipeline.model import Answer, DayCount, State, StepCount
from pipeline.report import Cause, Example, Line, NextStep, Pace, Total, write_page
from pipeline.report.summary import AnnotatedCopy, RouteLine
from pipeline.simulator import Fault, SimulatorSettings, running

SAMPLES = Path(__file__).parents[1] / "sample_data"
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
LARGE_LINES = 50_000

CODES = ("unknown-member", "not-a-date-time", "not-a-url", "not-an-integer", "missing-value")
COLUMNS = ("devicePlatform", "certificateExpirationDateTime", "serverUrl", "certificateKeyLength", "certificateIssuer")


def browser_path() -> str | None:
    """Return the browser of this machine, None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def started(path: str) -> Iterator[Browser]:
    """Run the browser. As long as it runs, this thread has an event loop, so nothing else can have one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A window of the browser whose pages are watched: `problems` is what none of them may do."""

    context: BrowserContext
    problems: list[str] = field(default_factory=list)

    def show(self, path: Path, view: str = "") -> Page:
        """Open the file as a reader does, with the view behind the # of its address, and wait until it is complete."""
        page = self.context.new_page()
        address = path.as_uri()
        page.on("console", lambda message: self.problems.append(_told(message)))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("popup", lambda popup: self.problems.append(f"popup: {popup.url}"))
        page.on("request", lambda asked: self._check(asked.url, address))
        page.goto(f"{address}{view}")
        if page.locator("html.has-script #lines").count():
            page.locator("html[data-rows=ready]").wait_for()
        return page

    def _dismiss(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _check(self, url: str, address: str) -> None:
        if url.partition("#")[0] != address:
            self.problems.append(f"request: {url[:200]}")


def _told(message: ConsoleMessage) -> str:
    return f"console, {message.type}: {message.text}"


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Watched]:  # noqa: ANN401 - those of `new_context`
    """Open a window with these options; when it closes, none of its pages has done what no page may do."""
    context = browser.new_context(**{"viewport": DESKTOP, "color_scheme": "light"} | options)
    context.set_default_timeout(10_000)
    watched = Watched(context)
    try:
        yield watched
    finally:
        context.close()
    assert watched.problems == []


def lines_of(page: Page) -> Locator:
    """Return the lines in the table."""
    return page.locator("#lines > tbody > tr:not(.detail)")


def numbers_of(page: Page) -> list[int]:
    """Return the row numbers of the lines in the table, -1 for a whole file."""
    texts = page.locator("#lines .open").all_inner_texts()
    return [int(text.removeprefix("row ")) if text.startswith("row ") else -1 for text in texts]


def sideways(page: Page) -> list[str]:
    """Return what stands out of the page at its right, which makes a reader scroll sideways."""
    found: list[str] = page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
        [...document.querySelectorAll("body *")].filter((each) => each.getBoundingClientRect().right > innerWidth)
        .map((each) => each.outerHTML.slice(0, 120)).slice(0, 5).concat(`${document.documentElement.scrollWidth}`)"""
    )
    return found


# --- the pages


def write_sample(folder: Path) -> Path:
    """Import sample_data into a simulator that refuses two rows and is busy once; return the report."""
    folder.mkdir()
    site = Site(folder, (SAMPLES / "config.yaml").read_text("utf-8"))
    script = (Fault.NONE, Fault.BAD_REQUEST_400, Fault.THROTTLE_429, Fault.UNPROCESSABLE_422)
    files = [SAMPLES / name for name in ("inventory.csv", "inventory.xlsx", "faults.csv")]
    with running(SimulatorSettings(script=script), clock=site.time.clock) as simulator:
        finished = site.imported(simulator.service_root, *files)
    return finished.folder / "report.html"


def write_large(folder: Path) -> Path:
    """Write the report of a run with 50,000 findings in 10,000 rows; return it."""
    path = folder / "large.html"
    rows = LARGE_LINES // len(CODES)
    causes = tuple(
        Cause(code, Severity.ERROR, column, rows, f"rows 2-{rows + 1}", (Example("row 2", "x", "no x"),), "write y")
        for code, column in zip(CODES, COLUMNS, strict=True)
    )
    sources = (SOURCE._replace(header=(*COLUMNS, "deviceDisplayName"), rows_read=rows),)
    summary = summary_of(("blank", 0), ("invalid", rows), is_dry_run=True, causes=causes, sources=sources)
    write_page(path, summary, _large_lines(rows), now=NOW)
    return path


def _large_lines(rows: int) -> Iterator[Line]:
    for number in range(2, rows + 2):
        values = (
            f"Blackberry {number % 7}",
            f"{number % 28 + 1:02}.02.2027 soon",
            f"ndes{number % 5}.contoso.com",
            f"{number % 4096} bits",
            "",
        )
        cells = (*values, f"PHONE-{number:05}")
        for code, column, value in zip(CODES, COLUMNS, values, strict=True):
            yield line_of(number, code=code, column=column, value=value, message=f"no {column}", cells=cells)


def write_hostile(folder: Path, texts: Iterable[str]) -> Path:
    """Write a report that has each of the texts wherever a file or the service can put one; return it."""
    path = folder / "hostile.html"
    texts = list(texts)
    short = [each[:300] for each in texts]  # for what is never cut
    many = "".join(short)
    causes = tuple(
        Cause(cut, Severity.WARNING, cut, 2, each, (Example(each, each, each),), each, config_line=cut)
        for each, cut in zip(texts, short, strict=True)
    )
    summary = summary_of(
        ("blank", 0),
        ("created", len(texts)),
        run=RUN._replace(id=many, parent_id=many, version=many, edition=many, stop="x", stop_message=many),
        sources=(SOURCE._replace(file=many, sheet=many, encoding=many, delimiter=many, header=tuple(texts)),),
        causes=causes,
        routes=(RouteLine(many, (Total("created", len(texts)),)), RouteLine(IOS, (Total("created", 1),))),
        next_steps=tuple(NextStep(each, each) for each in short),
        pace=Pace(100, 20.0, 10, 1, 4.0),
        steps=(StepCount("2026-11-23T08:49:13", "sending", 10), StepCount("2026-11-23T08:49:17", "created", 10)),
        expiry=(DayCount("2026-12-24", 10),),
        annotated=(AnnotatedCopy(many, "", many),),
    )
    write_page(path, summary, (_hostile_line(number, each) for number, each in enumerate(texts, 2)), now=NOW)
    return path


def _hostile_line(number: int, text: str) -> Line:
    answer = Answer(
        400, object_id=text, graph_code=text, message=text, request_id=text or "none", client_request_id=text
    )
    line = line_of(number, state=State.REJECTED, code=text, column=text, value=text, message=text, hint=text)
    return line._replace(collection=text, attempts=1, answer=answer, cells=(text,) * 3)
