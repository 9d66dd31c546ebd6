"""What a terminal shows while a run goes on, the line that stands for it elsewhere, and texts that fit."""

import io
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_cases import IOS, MACOS, Site, devices
from rich.cells import cell_len
from rich.console import Console

from pipeline.cli.fitting import cells, chopped, cut, has_signs, showable, told, wrapped
from pipeline.cli.live import News, lines_of
from pipeline.cli.progress import Reporter
from pipeline.cli.streams import printable, tell
from pipeline.cli.terminal import show_finished
from pipeline.errors import ExitCode
from pipeline.findings import Severity
from pipeline.model import RunInfo, Scope, SendStats, SourceInfo, State
from pipeline.pace import Slots
from pipeline.reconcile import Looking, Purpose
from pipeline.report import AnnotatedCopy, Cause, Eta, Example, NextStep, Pace, RouteLine, Summary, Total
from pipeline.run import import_files
from pipeline.send import Outcome, Problem, Progress
from pipeline.sending_run import Finished
from pipeline.simulator import SimulatorSettings, running
from pipeline.verify import verify_run

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Watch:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now_s


def reporter_of(watch: Watch, console: Console | None = None) -> Reporter:
    """Return a reporter in whose time zone it is noon."""
    return Reporter(watch, console=console, now=lambda: NOON)


def terminal(width: int, height: int) -> Console:
    """Return a terminal of that size that keeps what is written to it."""
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)


def plain(news: News, *, columns: int = 80, rows: int = 24, is_plain: bool = False) -> list[str]:
    """Return the live lines without their colours."""
    return [each.plain for each in lines_of(news, columns=columns, rows=rows, is_plain=is_plain)]


# --- the words of one line ---------------------------------------------------------------------------------------


def test_progress_tells_rate_and_time_left() -> None:
    """The words say how many rows are done, how fast, and how long the rest takes, which runs down by itself."""
    watch = Watch()
    reporter = reporter_of(watch)

    reporter.reading(0, 200_000)
    watch.now_s += 10
    reporter.reading(50_000, 200_000)
    read = reporter.words()
    reporter.sending(Progress(0, 12_000, 0, 0, pause="", eta_s=2_400.0))
    watch.now_s += 30
    reporter.sending(Progress(150, 12_000, 147, 3, pause="paused by the service", eta_s=2_400.0))
    sent = reporter.words()
    watch.now_s += 60
    later = reporter.words()

    assert read == "50,000 of 200,000 rows, 5,000.0/s, about 30 s left"
    assert sent == (
        "150 of 12,000 rows, 5.0/s, about 40 min 0 s left, until 12:40, 3 failed or in doubt, paused by the service"
    )
    assert later == (
        "150 of 12,000 rows, 0.0/s now, 1.7/s overall, about 39 min 0 s left, until 12:39, 3 failed or in doubt, "
        "paused by the service"
    )


def test_the_recent_rate_is_that_of_the_last_minute() -> None:
    """What has slowed down shows at once beside the rate of the whole phase."""
    watch = Watch()
    reporter = reporter_of(watch)
    for settled in range(0, 600, 5):  # 5 rows a second for two minutes
        reporter.sending(Progress(settled, 6_000, settled, 0, "", 100.0))
        watch.now_s += 1
    for settled in range(600, 660):  # then one
        reporter.sending(Progress(settled, 6_000, settled, 0, "", 100.0))
        watch.now_s += 1

    assert reporter.words() == "659 of 6,000 rows, 1.0/s now, 3.7/s overall, about 1 min 39 s left, until 12:01"


def test_the_line_tells_quota_throttling_and_the_pause() -> None:
    """Slots used, answers 429, the time paused and what is left of the pause are told in one line."""
    watch = Watch()
    reporter = reporter_of(watch)
    reporter.sending(Progress(87, 200, 87, 0, "", 23.0, Slots(87, 100, 20.0, 0.0), throttled=1, paused_s=30.0))
    sent = reporter.words()
    closed = Slots(100, 100, 20.0, 15.0)
    reporter.sending(Progress(100, 200, 100, 0, "", 23.0, closed, throttled=2, paused_s=45.0))
    watch.now_s += 3

    assert sent == "87 of 200 rows, about 23 s left, quota 87 of 100 in 20 s, throttled 1 time, 30 s paused"
    assert reporter.words() == (
        "100 of 200 rows, 33.3/s, about 20 s left, throttled 2 times, 45 s paused, paused by the service, 12 s to go"
    )


def test_a_line_is_printed_only_when_there_is_news(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, progress is a line on stderr, and none is printed twice."""
    reporter = reporter_of(Watch())

    reporter.show()
    for settled in (1, 1, 2):
        reporter.sending(Progress(settled, 2, settled, 0, pause="", eta_s=0.0))
        reporter.show()

    assert capsys.readouterr() == ("", "sending: 1 of 2 rows\nsending: 2 of 2 rows\n")


def test_reading_the_tenant_tells_objects_and_collections() -> None:
    """A look into the tenant says how far it is, why it waits, and when the service says nothing."""
    watch = Watch()
    reporter = reporter_of(watch)

    reporter.looking(Looking(Purpose.LOOKING, 12_300, 2, 6))
    looked = reporter.words()
    watch.now_s += 30
    late = reporter.words()
    reporter.looking(Looking(Purpose.READING_BACK, 250, 1, 2, waits_s=12.0, found=240, wanted=241))
    compared = reporter.words()

    assert looked == "2 of 6 collections, 12,300 objects read"
    assert (
        late == "2 of 6 collections, 0.1/s, about 1 min 0 s left, until 12:01, 12,300 objects read, no answer for 30 s"
    )
    assert compared == (
        "240 of 241 objects, 250 objects read, 1 of 2 collections, waiting to look again for what is absent, 12 s to go"
    )


def test_settling_amid_sending_keeps_what_was_sent_in_sight() -> None:
    """While lost answers are looked for, the rows stay told, with the reason why none leaves."""
    watch = Watch()
    reporter = reporter_of(watch)
    reporter.sending(Progress(7, 9, 6, 1, "", 0.0, outcomes=((Outcome(IOS, State.CREATED), 6),)))

    reporter.looking(Looking(Purpose.SETTLING, 40, 0, 1, waits_s=60.0))

    assert reporter.words() == (
        "7 of 9 rows, 1 failed or in doubt, reading the tenant back, 40 objects read; waiting to look again for what "
        "is absent, 1 min 0 s to go"
    )


def test_an_import_and_a_verification_tell_how_far_the_tenant_is_read(tmp_path: Path) -> None:
    """Pages, collections read to their end and objects compared reach whoever watches."""
    site, told = Site(tmp_path), list[Looking]()
    path = site.write("a.csv", [*devices(5), *devices(3, first=6, devicePlatform="macOS")])
    with running(SimulatorSettings(page_size=2)) as simulator:
        job = site.job(simulator.service_root)
        job = replace(job, watch=job.watch._replace(looking=told.append))
        finished = import_files([path], job)
        looked, told[:] = told[:], []
        verify_run(finished.summary.run.id, job, wait_s=0.0)

    assert [(each.purpose, each.collections, each.of, each.objects) for each in (looked[0], looked[-1])] == [
        (Purpose.LOOKING, 0, 2, 0),
        (Purpose.LOOKING, 1, 2, 0),
    ]
    assert [(each.objects, each.found, each.wanted) for each in told if not each.collections][-1] == (8, 8, 8)
    assert {each.purpose for each in told} == {Purpose.READING_BACK}


# --- the live lines ----------------------------------------------------------------------------------------------

NEWS = News(
    phase="sending",
    done=1_234,
    total=12_000,
    noun="row",
    rate=4.9,
    recent_rate=5.0,
    left_s=2_170.0,
    ends_at=datetime(2026, 11, 23, 14, 52, tzinfo=UTC),
    more=("quota 87 of 100 in 20 s", "throttled 3 times", "45 s paused", "3 failed or in doubt"),
    why="",
    outcomes=(
        (Outcome(IOS, State.REJECTED), 3),
        (Outcome(IOS, State.CREATED), 1_200),
        (Outcome(MACOS, State.CREATED), 31),
        (Outcome(MACOS, State.UNKNOWN), 0),
    ),
    problems=(
        (Problem(IOS, State.REJECTED, 400, "BadRequest", "the key length\nis not known"), 2),
        (Problem(MACOS, State.PLANNED, None, "", "connection refused"), 1),
    ),
)


def test_the_live_lines_tell_all_there_is() -> None:
    """Bar, rates, time left, quota, throttling, outcomes by route and the last problems, the newest first."""
    bar = "\u2501" * 6 + "\u2500" * 60

    assert plain(NEWS) == [
        f"sending {bar}  10%",
        "1,234 of 12,000 rows, 5.0/s now, 4.9/s overall,",
        "about 36 min 10 s left, until 14:52, quota 87 of 100 in 20 s,",
        "throttled 3 times, 45 s paused, 3 failed or in doubt",
        "iosScep    00000000..  1,200 created, 3 rejected",
        "macOSScep  00000001..  31 created",
        "not sent, macOSScep: connection refused",
        "rejected 400 BadRequest, iosScep, 2 times: the key length is not known",
    ]


def test_a_low_and_narrow_terminal_gets_what_matters_most() -> None:
    """On 40 columns and 10 lines the routes are told together, and two lines stay as they were."""
    assert plain(NEWS, columns=40, rows=10) == [
        "sending \u2501\u2501" + "\u2500" * 24 + "  10%",
        "1,234 of 12,000 rows,",
        "5.0/s now, 4.9/s overall,",
        "about 36 min 10 s left, until 14:52,",
        "quota 87 of 100 in 20 s,",
        "throttled 3 times, 45 s paused,",
        "3 failed or in doubt",
        "2 routes  1,231 created, 3 rejected",
    ]


def test_more_routes_than_lines_are_counted() -> None:
    """A run over many profiles fills no more than the lines of the view."""
    many = tuple(
        (Outcome(f"deviceManagement/deviceConfigurations/{n:08}-/x.iosScep/managedDeviceCertificateStates", state), 1)
        for n in range(40)
        for state in (State.CREATED, State.UNKNOWN)
    )
    lines = plain(News("sending", 80, 80, "row", 0.0, None, 0.0, None, outcomes=many))

    assert len(lines) == 12
    assert lines[-1] == "and 31 more routes"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(
    columns=st.integers(20, 200),
    rows=st.integers(1, 60),
    texts=st.lists(TEXTS, min_size=4, max_size=4),
    numbers=st.lists(st.integers(0, 10**9), min_size=6, max_size=6),
    is_plain=st.booleans(),
)
def test_the_live_lines_fit_any_terminal(
    columns: int, rows: int, texts: list[str], numbers: list[int], is_plain: bool
) -> None:
    """Whatever the service says and however many rows there are, no line is wider than the terminal or 80 columns."""
    route, code, message, why = texts
    place = f"deviceManagement/deviceConfigurations/{route}/{route}/managedDeviceCertificateStates"
    news = News(
        "reading back",
        *numbers[:2],
        "row",
        float(numbers[2]),
        float(numbers[3]),
        float(numbers[4]),
        NOON,
        (f"quota {numbers[5]:,} of {numbers[5]:,} in 20 s",),
        printable(why),
        ((Outcome(place, State.CREATED), numbers[0]), (Outcome(f"x/{place}", State.UNKNOWN), numbers[1])),
        ((Problem(place, State.REJECTED, 400, code, message), numbers[5]),),
    )

    lines = plain(news, columns=columns, rows=rows, is_plain=is_plain)

    assert max(map(cell_len, lines)) <= min(columns, 80) - 1
    assert 1 <= len(lines) <= min(12, max(rows - 2, 1))
    assert not is_plain or lines[0].isascii()
    assert "".join(lines).isprintable()


def test_the_view_has_the_size_of_the_terminal() -> None:
    """The reporter asks the terminal for its size each time, so a resized one is filled anew."""
    console = terminal(60, 10)
    reporter = reporter_of(Watch(), console)
    reporter.sending(Progress(3, 4, 3, 0, "", 0.0, outcomes=((Outcome(IOS, State.CREATED), 3),)))
    wide = [each.plain for each in reporter.view().renderables]
    console.size = (40, 10)
    narrow = [each.plain for each in reporter.view().renderables]
    reporter.close()

    assert [cell_len(each[0]) for each in (wide, narrow)] == [59, 39]
    assert wide[1:] == ["3 of 4 rows", "iosScep  3 created"]


def test_a_note_stands_above_the_live_lines() -> None:
    """A sentence is wrapped between its words, and the command at its end is not."""
    console = terminal(40, 10)
    reporter = reporter_of(Watch(), console)
    command = "certstate resume 20261123T084913Z-inventory-3f9a1c --graph-url http://127.0.0.1:8080/beta"
    reporter.note(f"objects that are left because the answer was lost: 3; settle that first: {command}")
    reporter.close()
    text = console.file.getvalue()  # type: ignore[attr-defined] # it is the StringIO from above

    assert ESCAPES.sub("", text).replace("\r", "") == (
        f"objects that are left because the answer\n  was lost: 3; settle that first:\n  {command}\n"
    )
    assert text.endswith("\x1b[?25h\r")


class GoneTerminal(io.StringIO):
    """A terminal whose other end was closed."""

    def isatty(self) -> bool:
        """Be a terminal."""
        return True

    def write(self, _text: str) -> int:
        """Fail."""
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        """Fail."""
        raise OSError(5, "Input/output error")


def test_a_terminal_that_goes_away_touches_nothing() -> None:
    """Neither news nor notes fail when the window was closed."""
    console = Console(file=GoneTerminal(), width=80, height=24, force_terminal=True)
    reporter = reporter_of(Watch(), console)

    reporter.sending(Progress(1, 2, 1, 0, "", 0.0))
    reporter.note("something happened")
    reporter.show()
    reporter.close()

    assert reporter.words() == "1 of 2 rows"


# --- texts that fit ----------------------------------------------------------------------------------------------


@given(TEXTS, st.integers(20, 100), st.integers(0, 9))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int, indent: int) -> None:
    """Every line fits, whatever the characters and however long the words, and all of them are there in their order."""
    shown = printable(text)
    lines = wrapped(shown, width, first="x" * indent, indent=indent)

    assert max(map(cell_len, lines)) <= width
    assert "".join(each[indent:] for each in lines).replace(" ", "") == "".join(shown.split())


@given(TEXTS)
def test_no_text_is_wider_than_it_is_measured(text: str) -> None:
    """Rich, which knows each character's width, never finds a printable text wider than we do."""
    shown = printable(text)

    assert cell_len(shown) <= cells(shown)
    assert "".join(chopped(shown, 7)) == shown
    assert cell_len(cut(shown, 12)) <= 12


@given(st.sampled_from(["ascii", "cp437", "cp1252", "utf-8"]), TEXTS)
def test_what_is_shown_can_be_written(encoding: str, text: str) -> None:
    """No character is left that the encoding lacks; what it has stays as it is."""
    shown = showable(printable(text), encoding)

    assert shown.encode(encoding).decode(encoding) == shown
    assert encoding != "utf-8" or shown == printable(text)


def test_signs_become_plain_ones() -> None:
    """Arrows, dashes and dots look alike in ASCII, other characters become escapes; a code page may have the bar."""
    assert showable("a \u2192 b \u2026 \u2013 \u8a3c", "cp1252") == "a -> b \u2026 \u2013 \\u8a3c"
    assert showable("a \u2192 b \u2026 \u2013 \u00e9", "ascii") == "a -> b ... - \\xe9"
    assert [has_signs(each) for each in ("utf-8", "cp1252", "ascii")] == [True, False, False]


def test_paths_and_commands_are_told_whole() -> None:
    """A sentence is wrapped at 80 columns; what is to be copied stands in one line."""
    path = "/home/erika/" + "inventories/" * 8 + "inventory.csv"
    sentence = (
        f"certstate: {path}: the folder for the reports cannot be made; choose another: certstate import a.csv --out b"
    )

    assert told(sentence, 80) == [
        "certstate:",
        f"  {path}:",
        "  the folder for the reports cannot be made; choose another:",
        "  certstate import a.csv --out b",
    ]
    assert told("  service  https://graph.microsoft.com/beta", 80) == ["  service  https://graph.microsoft.com/beta"]


def test_a_pipe_gets_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal, a sentence is one line, so that it can be searched for."""
    sentence = "certstate: " + "one word after another " * 10

    tell(f"{sentence}\n\nlast")

    assert capsys.readouterr().err == f"{sentence}\n\nlast\n"


def test_stderr_in_a_code_page_is_told_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file name that the code page lacks comes as an escape."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, "cp437", newline="", write_through=True))

    tell("gr\u00f6\u00dfe \u8a3c.csv: does not exist")

    assert written.getvalue().decode("cp437") == "gr\u00f6\u00dfe \\u8a3c.csv: does not exist\n"


# --- the summary -------------------------------------------------------------------------------------------------

RUN_ID = "20261123T084913Z-inventory-3f9a1c"


def summary_of(**changed: Any) -> Summary:  # noqa: ANN401 - the fields of a summary
    """Return the summary of an import that went well but for the changes."""
    run = RunInfo(
        RUN_ID, Scope("https://graph.microsoft.com/beta", ""), "import", "1706", "", "1", "", "", "now", "", ""
    )
    summary = Summary(
        run=run,
        is_dry_run=False,
        sources=(SourceInfo(1, "inventory.csv", None, "", "utf-8", ",", (), 300, 0),),
        totals=(Total("created", 300),),
        routes=(),
        causes=(),
        stats=None,
        next_steps=(),
    )
    return replace(summary, **changed)


def shown(summary: Summary, *, width: int = 80, encoding: str = "utf-8", stop_message: str = "") -> list[str]:
    """Return the lines that are printed of the summary, behind those that say which run it is of."""
    file = io.TextIOWrapper(io.BytesIO(), encoding, newline="")
    show_finished(Console(file=file, width=width), Finished(summary, Path("runs", RUN_ID), ExitCode.OK, stop_message))
    file.seek(0)
    return file.read().split("\n")[3:]


REPORT = f"Report: {Path('runs', RUN_ID, 'report.html')}"


def test_a_good_run_is_told_in_a_few_lines() -> None:
    """What was used of the quota and how long it took stands beside the word that all is good."""
    stats = SendStats(requests=301, throttled=1, paused_s=20.0, elapsed_s=80.0)
    pace = Pace(quota=100, window_s=20.0, requests=301, refused=1, sending_s=60.0)

    assert shown(summary_of(stats=stats, pace=pace)) == [
        "",
        "      300  created",
        "",
        "All good. All 300 rows were created.",
        "300 rows read = 300 created",
        "301 requests in 1 min 20 s; 1 refused as too many, waited 20 s for that",
        "75% of the quota of 100 in 20 s was used",
        "",
        REPORT,
        "",
    ]


def test_a_dry_run_tells_how_long_the_import_takes() -> None:
    """With the quota as configured, and with what others may leave of it."""
    dry = summary_of(is_dry_run=True, totals=(Total("valid", 300),), eta=Eta(300, 47.0, 93.0))

    assert (
        "Importing the 300 valid rows takes at least 47 s, or 1 min 33 s when other apps\nleave half of the quota"
    ) in "\n".join(shown(dry))


def test_rows_held_back_by_a_limit_are_told() -> None:
    """Nothing stopped the run and rows are unsent: --limit left them; rows that were refused with a reason are not."""
    refused = Cause("unsent 404 NotFound", Severity.ERROR, "", 20, "rows 1-20", (Example("row 1", "", "gone"),), "mend")
    totals = (Total("created", 63), Total("unsent", 237))
    limited = summary_of(totals=totals, waiting_rows=237, causes=(refused,))
    told = "217 rows were held back by --limit; `certstate resume` sends them."

    assert told in shown(limited)
    assert not any("--limit" in line for line in shown(limited, stop_message="not confirmed"))


def test_the_cure_for_config_yaml_begins_in_the_first_column() -> None:
    """What is to be pasted stands whole, as the file wants it, below all causes."""
    cause = Cause(
        "unknown-member",
        Severity.ERROR,
        "Platform",
        3,
        "rows 2-4",
        (Example("row 2", "iPhone 12", "no platform"),),
        "map it",
        'values:\n  devicePlatform:\n    "iPhone 12": ...',
    )
    lines = shown(summary_of(causes=(cause,)))

    assert lines[lines.index("Causes") + 1 :][:9] == [
        "error    unknown-member, Platform, 3 rows",
        "         rows 2-4",
        '         no platform ("iPhone 12")',
        "         -> map it",
        "",
        "For config.yaml; fill in each `...`, and leave out what you do not want:",
        "values:",
        "  devicePlatform:",
        '    "iPhone 12": ...',
    ]


def test_a_corrected_file_and_marked_copies_are_named() -> None:
    """Which run is corrected, where the copy with the marks is, and why there is none."""
    source = SourceInfo(1, "errors.csv", None, "", "utf-8", ",", (), 300, 0, parents=("run-a", "run-b"))
    copies = (
        AnnotatedCopy("inventory.xlsx", "inventory-annotated.xlsx", ""),
        AnnotatedCopy("big.xlsx", "", "it has more than 20,000 rows"),
    )
    lines = shown(summary_of(sources=(source,), annotated=copies))

    assert lines[0] == "Corrects run-a, run-b"
    assert lines[-4:-1] == [
        REPORT,
        f"Marked: {Path('runs', RUN_ID, 'inventory-annotated.xlsx')}",
        "Not marked: big.xlsx, because it has more than 20,000 rows",
    ]


@settings(max_examples=50)
@given(TEXTS, TEXTS, st.integers(1, 10**12), st.sampled_from(["utf-8", "cp437", "ascii"]))
def test_the_summary_fits_80_columns_whatever_is_in_it(text: str, other: str, rows: int, encoding: str) -> None:
    """Names, values, codes, messages and reasons of any length and script: only paths and commands may be wider."""
    cause = Cause(text, Severity.ERROR, other, rows, text, (Example("", other, text),), other)
    path = f"deviceManagement/deviceConfigurations/{other}/{text}/managedDeviceCertificateStates"
    summary = summary_of(
        sources=(SourceInfo(1, text, other, "", "utf-8", ",", (), rows, 0, parents=(text,)),),
        totals=tuple(Total(label, rows) for label in ("created", "unsent", "rejected before", "already there")),
        routes=(RouteLine(path, tuple(Total(label, rows) for label in ("created", "rejected before", "unsent"))),),
        causes=(cause, cause._replace(severity=Severity.INFO)),
        next_steps=(NextStep("go on:", f"certstate resume {RUN_ID}"),),
        annotated=(AnnotatedCopy(text, "", other),),
    )

    lines = shown(summary, encoding=encoding)

    assert max(map(cell_len, lines)) <= 80
    assert "".join(lines).isprintable()
