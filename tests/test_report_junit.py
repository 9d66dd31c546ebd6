"""junit.xml: which suites and cases there are, and that every reader of JUnit XML takes it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree

from pipeline.findings import Severity
from pipeline.model import RunInfo, Scope, SourceInfo, State
from pipeline.report import Cause, Example, NextStep, Summary, Terms, totals_of
from pipeline.report.junit import write_junit

Element = Any  # of xml.etree, which defusedxml stands in for

TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")
SCHEMA = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
    ),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name"},
        {"time", "classname", "group"},
    ),
    "failure": (set[str](), set[str](), {"type", "message"}),
    "system-out": (set[str](), set[str](), set[str]()),
}
"""Element -> its children, the attributes it must have and those it may have (Jenkins' junit-10.xsd)."""

RUN = RunInfo(
    id="20260102T030405Z-a-ab12",
    scope=Scope("https://graph.microsoft.com/beta", "tenant"),
    verb="import",
    edition="1706",
    folder="/srv/runs/20260102T030405Z-a-ab12",
    version="1.0",
    started_at="2026-01-02T03:04:05.250Z",
    planned_at="2026-01-02T03:04:06.000Z",
    ended_at="2026-01-02T04:05:06.750Z",
    stop="",
    stop_message="",
)
CSV = SourceInfo(1, "a.csv", None, "sha-1", "utf-8", ";", ("A",), 1_250, 3)
SHEET = SourceInfo(2, "b.xlsx", "Old", "sha-2", "", "", ("A",), 1, 0)
BAD_DATE = Cause(
    "not-a-date-time",
    Severity.ERROR,
    "Expires",
    412,
    "rows 7-418",
    (Example("row 7", "soon", "no date"), Example("row 9", "later", "no date")),
    "write a date",
    "date_order: dmy",
)
ODD_LENGTH = Cause(
    "key-length-unusual", Severity.WARNING, "Length", 1, "row 2", (Example("row 2", "4", "4 bits"),), "check it"
)
REPAIRED = Cause("hex-form", Severity.INFO, "Print", 9, "rows 2-10", (Example("row 2", "a", "a -> A"),), "")
REJECTED = Cause("rejected 400", Severity.ERROR, "", 2, "rows 3-4", (Example("row 3", "", "bad"),), "correct it")


def summary_of(
    counts: dict[State, int],
    *causes: Cause,
    sources: tuple[SourceInfo, ...] = (CSV,),
    terms: Terms = Terms.DRY_RUN,
    run: RunInfo = RUN,
) -> Summary:
    """Return a summary of the run."""
    return Summary(
        run=run,
        is_dry_run=terms is Terms.DRY_RUN,
        sources=sources,
        totals=totals_of(counts, sources, terms),
        routes=(),
        causes=causes,
        stats=None,
        next_steps=(NextStep("go on with the unsent rows:", "certstate resume x"),),
    )


def written(folder: Path, summary: Summary) -> Element:
    """Return the root of the written file, which has passed the schema."""
    path = folder / "junit.xml"
    write_junit(path, summary)
    root = ElementTree.parse(path).getroot()
    assert root.tag == "testsuites"
    for element in root.iter():
        children, must, may = SCHEMA[element.tag]
        assert {each.tag for each in element} <= children
        assert must <= set(element.attrib) <= must | may
        assert TIME.fullmatch(element.get("time", ""))
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert (suite.get("errors"), suite.get("skipped")) == ("0", "0")
        assert {each.get("classname") for each in cases} == {suite.get("name")}
    for count in ("tests", "failures", "errors"):
        assert root.get(count) == str(sum(int(each.get(count, "")) for each in root))
    return root


def cases_of(root: Element) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return what the cases of each suite say: the outcome, then the failure's kind and message, then the text."""
    return {
        suite.get("name", ""): {case.get("name", ""): said(case) for case in suite.findall("testcase")}
        for suite in root
    }


def said(case: Element) -> tuple[str, ...]:
    """Return what one case says."""
    failure = case.find("failure")
    if failure is not None:
        return ("failed", failure.get("type", ""), failure.get("message", ""), failure.text or "")
    return ("passed", *(each.text or "" for each in case))


def test_errors_fail_and_warnings_pass(tmp_path: Path) -> None:
    """Each cause of a dry run is a case of its file, with rows, examples, cure and config line; repairs are none."""
    counts = {State.INVALID: 412, State.PLANNED: 835}

    root = written(tmp_path, summary_of(counts, BAD_DATE, ODD_LENGTH, REPAIRED))

    assert cases_of(root) == {
        "a.csv": {
            "1,250 rows read": ("passed", "3 of them blank"),
            "not-a-date-time: Expires": (
                "failed",
                "not-a-date-time",
                'row 7: no date ("soon")',
                (
                    'error, 412 rows: rows 7-418\nrow 7: no date ("soon")\nrow 9: no date ("later")\n'
                    "What to do: write a date\nOr in config.yaml:\ndate_order: dmy"
                ),
            ),
            "key-length-unusual: Length": (
                "passed",
                'warning, 1 row: row 2\nrow 2: 4 bits ("4")\nWhat to do: check it',
            ),
        },
        "run 20260102T030405Z-a-ab12": {
            "835 rows valid": ("passed",),
            "every row is accounted for": (
                "passed",
                "1,250 rows read = 3 blank + 412 invalid + 835 valid",
            ),
        },
    }


def test_the_times_are_those_of_the_run(tmp_path: Path) -> None:
    """The run's suite has its seconds, and every suite the run's beginning in UTC, without a zone."""
    root = written(tmp_path, summary_of({State.PLANNED: 1_247}))

    assert root.get("time") == "3661.500"
    assert [(each.get("time"), each.get("timestamp")) for each in root] == [
        ("0.000", "2026-01-02T03:04:05"),
        ("3661.500", "2026-01-02T03:04:05"),
    ]


def test_a_cause_stands_with_each_file_that_it_is_in(tmp_path: Path) -> None:
    """One that touches two files fails in both; one that touches one of them only there."""
    both = BAD_DATE._replace(places="a.csv: rows 3-4; b.xlsx, sheet Old: row 7")
    of_sheet = REJECTED._replace(places="b.xlsx, sheet Old: whole file", rows=0)
    summary = summary_of({State.PLANNED: 1_248}, both, of_sheet, sources=(CSV, SHEET))

    cases = cases_of(written(tmp_path, summary))

    assert {suite: list(names) for suite, names in cases.items()} == {
        "a.csv": ["1,250 rows read", "not-a-date-time: Expires"],
        "b.xlsx, sheet Old": ["1 row read", "not-a-date-time: Expires", "rejected 400"],
        "run 20260102T030405Z-a-ab12": ["1,248 rows valid", "every row is accounted for"],
    }


def test_a_run_that_sent_all_passes(tmp_path: Path) -> None:
    """What is created and what was there already are passing cases, and so is the run's end."""
    summary = summary_of({State.CREATED: 1_240, State.ALREADY_THERE: 7}, terms=Terms.IMPORT)

    root = written(tmp_path, replace(summary, next_steps=()))

    assert root.get("failures") == "0"
    assert list(cases_of(root)["run 20260102T030405Z-a-ab12"]) == [
        "7 rows already there",
        "1,240 rows created",
        "every row is accounted for",
        "no row is unsent or unknown",
        "the run came to its end",
    ]


def test_what_a_run_left_undone_fails(tmp_path: Path) -> None:
    """A stop, rejected rows, and rows without any cause that were not sent, all with the next command."""
    run = RUN._replace(stop="outage", stop_message="the service does not answer")
    counts = {State.CREATED: 1_000, State.REJECTED: 2, State.PLANNED: 240, State.UNKNOWN: 5}

    root = written(tmp_path, summary_of(counts, REJECTED, terms=Terms.IMPORT, run=run))

    assert cases_of(root) == {
        "a.csv": {
            "1,250 rows read": ("passed", "3 of them blank"),
            "rejected 400": (
                "failed",
                "rejected 400",
                "row 3: bad",
                "error, 2 rows: rows 3-4\nrow 3: bad\nWhat to do: correct it",
            ),
        },
        "run 20260102T030405Z-a-ab12": {
            "1,000 rows created": ("passed",),
            "every row is accounted for": (
                "passed",
                "1,250 rows read = 3 blank + 1,000 created + 2 rejected + 240 unsent + 5 unknown",
            ),
            "no row is unsent or unknown": (
                "failed",
                "open",
                "240 unsent, 5 unknown",
                "go on with the unsent rows: certstate resume x",
            ),
            "the run came to its end": (
                "failed",
                "outage",
                "the service does not answer",
                "go on with the unsent rows: certstate resume x",
            ),
        },
    }


def test_a_row_that_is_lost_fails(tmp_path: Path) -> None:
    """The conservation law is a case of its own."""
    cases = cases_of(written(tmp_path, summary_of({State.PLANNED: 1_246})))

    law = "1,250 rows read IS NOT 3 blank + 1,246 valid"
    assert cases["run 20260102T030405Z-a-ab12"]["every row is accounted for"] == ("failed", "conservation", law, law)


def test_a_run_that_did_not_end_has_no_length(tmp_path: Path) -> None:
    """The report of a run that was killed can be written all the same."""
    root = written(tmp_path, summary_of({State.PLANNED: 1_247}, run=RUN._replace(ended_at=None)))

    assert root.get("time") == "0.000"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("</failure><script>alert(1)</script>&#0;", "</failure><script>alert(1)</script>&#0;"),
        ("]]>&amp;\"'", "]]>&amp;\"'"),
        ("a\x00b\x0b\x1b[2J", "a\\x00b\\x0b\\x1b[2J"),
        ("\u202egnp.exe\ufeff", "\\u202egnp.exe\\ufeff"),
        ("no \uffff", "no \\uffff"),
        ("Gerät 証 💻", "Gerät 証 💻"),
    ],
    ids=["markup", "quotes", "control", "marks", "no character", "letters"],
)
def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path, text: str, shown: str) -> None:
    """Names, cells and messages come back as they are, and what XML cannot hold or nobody sees as escapes."""
    source = SourceInfo(1, f"{text}.csv", None, "sha-1", "utf-8", ";", ("A",), 1, 0)
    cause = Cause("x", Severity.ERROR, text, 1, "row 2", (Example("row 2", text, text),), text, text)

    root = written(tmp_path, summary_of({State.INVALID: 1}, cause, sources=(source,)))

    assert cases_of(root)[f"{shown}.csv"][f"x: {shown}"] == (
        "failed",
        "x",
        f'row 2: {shown} ("{shown}")',
        f'error, 1 row: row 2\nrow 2: {shown} ("{shown}")\nWhat to do: {shown}\nOr in config.yaml:\n{shown}',
    )


def test_a_long_message_is_cut_with_the_cut_told(tmp_path: Path) -> None:
    """A cell of a megabyte makes no file of megabytes."""
    cause = BAD_DATE._replace(examples=(Example("row 7", "x" * 1_000_000, "no date"),))

    write_junit(tmp_path / "junit.xml", summary_of({State.PLANNED: 1_247}, cause))

    assert (tmp_path / "junit.xml").stat().st_size < 5_000
    assert "(1,000,019 characters)" in (tmp_path / "junit.xml").read_text("utf-8")


def test_line_breaks_of_a_column_stay_out_of_names(tmp_path: Path) -> None:
    """A header with a line break is one line in every list of tests."""
    cause = BAD_DATE._replace(column="Valid\r\nuntil")

    cases = cases_of(written(tmp_path, summary_of({State.PLANNED: 1_247}, cause)))

    assert "not-a-date-time: Valid\\r until" in cases["a.csv"]
