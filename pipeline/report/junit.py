"""junit.xml: the causes as test cases, for pipelines that show and count them.

The form is what Jenkins' xUnit plugin validates (junit-10.xsd, its strictest) and what Azure DevOps and the usual
actions of GitHub read: `testsuites > testsuite > testcase > failure | system-out`, times in seconds.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from pipeline.findings import Severity, shorten
from pipeline.model import SourceInfo
from pipeline.report.causes import Cause, Example
from pipeline.report.summary import Summary

GOOD_LABELS = ("valid", "to create", "to update", "already there", "created", "updated", "reversed")
"""The totals that are passing cases of the run."""

HEADLINE_CHARACTERS = 300


class _Case(NamedTuple):
    """One test case: it fails where it has a headline."""

    name: str
    kind: str = ""  # of the failure, for machines
    headline: str = ""
    text: str = ""


class _Suite(NamedTuple):
    name: str
    cases: tuple[_Case, ...]
    time_s: float

    @property
    def failures(self) -> int:
        return sum(bool(each.headline) for each in self.cases)


def write_junit(path: Path, summary: Summary) -> None:
    """Write the run as JUnit XML, UTF-8. Raises OSError.

    One suite for each file or sheet, with a case for each cause in it: errors fail, warnings pass with their text. Then
    one for the run: what is settled well, whether every row is accounted for, and whether the run came to its end. What
    was only repaired is no case. Names have the rows in them only where nothing failed: a failing case keeps its name
    from run to run, so that a pipeline can follow it.
    """
    suites = [*(_suite_of_source(each, summary) for each in summary.sources), _suite_of_run(summary)]
    root = ElementTree.Element(
        "testsuites",
        name="certstate",
        tests=str(sum(len(each.cases) for each in suites)),
        failures=str(sum(each.failures for each in suites)),
        errors="0",
        time=_seconds(sum(each.time_s for each in suites)),
    )
    for suite in suites:
        _append_suite(root, suite, summary.run.started_at)
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True) + b"\n")


def _suite_of_source(source: SourceInfo, summary: Summary) -> _Suite:
    blank = f"{source.blank_rows:,} of them blank" if source.blank_rows else ""
    read = _Case(f"{_rows(source.rows_read)} read", text=blank)
    causes = (each for each in summary.causes if _is_about(each, source, summary))
    return _Suite(source.name, (read, *_cases_of(causes)), 0.0)


def _is_about(cause: Cause, source: SourceInfo, summary: Summary) -> bool:
    # Where there are several sources, the places of a cause name them; a name may have anything in it, "; " too.
    return len(summary.sources) == 1 or f"; {source.name}: " in f"; {cause.places}"


def _cases_of(causes: Iterable[Cause]) -> Iterator[_Case]:
    for cause in causes:
        name = f"{cause.code}: {cause.column}" if cause.column else cause.code
        if cause.severity is Severity.ERROR:
            yield _Case(name, cause.code, _headline(cause.examples[0]) or cause.code, _text(cause))
        elif cause.severity is Severity.WARNING:
            yield _Case(name, text=_text(cause))


def _headline(example: Example) -> str:
    """Return such as `row 418: no date ("soon")`."""
    message = ": ".join(each for each in (example.place, example.message) if each)
    return shorten(f'{message} ("{example.value}")' if example.value else message, HEADLINE_CHARACTERS)


def _text(cause: Cause) -> str:
    rows = f"{_rows(cause.rows)}: " if cause.rows else ""
    parts = (
        f"{cause.severity}, {rows}{cause.places}",
        *(_headline(each) for each in cause.examples),
        f"What to do: {cause.hint}" if cause.hint else "",
        f"Or in config.yaml:\n{cause.config_line}" if cause.config_line else "",
    )
    return "\n".join(each for each in parts if each)


def _suite_of_run(summary: Summary) -> _Suite:
    run, law = summary.run, summary.conservation_line
    good = [each for each in summary.totals if each.label in GOOD_LABELS and each.rows]
    cases = [
        *(_Case(f"{_rows(each.rows)} {each.label}") for each in good),
        _Case("every row is accounted for", "conservation", "" if summary.is_balanced else law, law),
    ]
    if not summary.is_dry_run:
        next_steps = "\n".join(f"{each.sentence} {each.command}".strip() for each in summary.next_steps)
        # The rows of --limit, and those that nobody confirmed, have no cause.
        open_rows = [f"{rows:,} {label}" for label in ("unsent", "unknown") if (rows := summary.rows_of(label))]
        cases += [
            _Case("no row is unsent or unknown", "open", ", ".join(open_rows), next_steps),
            _Case("the run came to its end", run.stop, run.stop_message or run.stop, next_steps),
        ]
    begun, ended = (datetime.fromisoformat(each) for each in (run.started_at, run.ended_at or run.started_at))
    return _Suite(f"run {run.id}", tuple(cases), max((ended - begun).total_seconds(), 0.0))


def _append_suite(root: ElementTree.Element, suite: _Suite, started_at: str) -> None:
    name = _line(suite.name)
    element = ElementTree.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(suite.cases)),
        failures=str(suite.failures),
        errors="0",
        skipped="0",
        time=_seconds(suite.time_s),
        timestamp=started_at[: len("YYYY-MM-DDTHH:MM:SS")],  # UTC; the schemas want it without a zone
    )
    for case in suite.cases:
        within = ElementTree.SubElement(element, "testcase", classname=name, name=_line(case.name), time=_seconds(0.0))
        if case.headline:
            attributes = {"type": _line(case.kind), "message": _line(case.headline)}
            ElementTree.SubElement(within, "failure", attributes).text = _visible(case.text)
        elif case.text:
            ElementTree.SubElement(within, "system-out").text = _visible(case.text)


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _line(text: str) -> str:
    return " ".join(_visible(text).split())


def _visible(text: str) -> str:
    r"""Return the text with escapes such as \x00 for what XML 1.0 cannot hold, and for what nobody would see."""
    signs = (
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode("ascii") for each in text
    )
    return "".join(signs)
