"""report.html without a browser: what it says, what it holds, and that no text of a file becomes markup."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline.findings import Code, Severity, change
from pipeline.model import Answer, DayCount, RunInfo, Scope, SourceInfo, State
from pipeline.report import Cause, Eta, Example, Forecast, Line, NextStep, Pace, Summary, TenantLook, Total
from pipeline.report.page import answer_of, write_page
from pipeline.report.page.answer import Tone, tiles_of, tone_of
from pipeline.report.page.rows import LIMITS, Limits, pack_lines
from pipeline.report.page.shown import code, prose, route_name, visible
from pipeline.report.summary import AnnotatedCopy

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
IOS = (
    "deviceManagement/deviceConfigurations/6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11/"
    "microsoft.graph.iosScepCertificateProfile/managedDeviceCertificateStates"
)
RUN = RunInfo(
    id="20261123T084913Z-inventory-3f9a1c",
    scope=Scope("https://graph.microsoft.com/beta", "11111111-2222-4333-8444-555555555555"),
    verb="import",
    edition="1706",
    folder="runs/x",
    version="0.1.0",
    started_at="2026-11-23T08:49:13.5+00:00",
    planned_at="2026-11-23T08:49:14+00:00",
    ended_at="2026-11-23T08:50:00.5+00:00",
    stop="",
    stop_message="",
)
HEADER = ("devicePlatform", "deviceDisplayName", "Asset Tag")
SOURCE = SourceInfo(1, "inventory.csv", None, "ab" * 32, "utf-8", ";", HEADER, 3, 0)
OVERRIDE = "\u202e"
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "--><svg/onload=alert(1)>",
    "=HYPERLINK(1)",
    f"abc{OVERRIDE}def",
    "nul\0bell\a",
    "\"><b>'",
    "{{7*7}}{% raw %}",
    "half \ud800 pair",
    "x" * 1_000_000,
    "line\nline\r\nline\u2028",
    "]]></style><style>*{}",
    "&lt;b&gt;",
)


def summary_of(
    *totals: tuple[str, int],
    is_dry_run: bool = False,
    run: RunInfo = RUN,
    **changed: Any,  # noqa: ANN401 - its fields
) -> Summary:
    """Return the summary of a run over one file with these terms."""
    rows = sum(number for _, number in totals)
    summary = Summary(
        run=run,
        is_dry_run=is_dry_run,
        sources=(SOURCE._replace(rows_read=rows),),
        totals=tuple(Total(*each) for each in totals),
        routes=(),
        causes=(),
        stats=None,
        next_steps=(),
    )
    return replace(summary, **changed)


def line_of(row_number: int | None = 2, **changed: Any) -> Line:  # noqa: ANN401 - its fields
    """Return an error of that row."""
    line = Line(
        source_pk=1,
        row_number=row_number,
        state=State.INVALID if row_number else None,
        severity=Severity.ERROR,
        code="unknown-member",
        column="devicePlatform",
        value="abacus",
        became=None,
        message="not one of iOS, macOS",
        hint="use one of the members",
        collection="",
        attempts=0,
        answer=Answer(),
        cells=("abacus", f"PHONE-{row_number}", "A-1") if row_number else None,
    )
    return line._replace(**changed)


class Page(HTMLParser):
    """The elements of a page, with the text in each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []  # (the innermost element, text)
        self.ids: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.tags.append((tag, dict(attrs)))
        if tag in {"dd", "dt", "li", "p", "pre", "option"}:
            self.texts.append(("", " "))
        if tag not in {"meta", "link", "input", "wbr", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave the element."""
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.texts.append((self._open[-1] if self._open else "", data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        """The text that a reader sees without the script, blanks folded."""
        seen = (text for tag, text in self.texts if tag not in {"script", "style", "title", "noscript"})
        return " ".join("".join(seen).split())

    def raw(self, tag: str) -> list[str]:
        """Return the text of each run of text directly in such an element."""
        return [text for name, text in self.texts if name == tag]


def written(folder: Path, summary: Summary, lines: Iterable[Line] = (), *, limits: Limits = LIMITS) -> Page:
    """Write the page and return it as read back."""
    path = folder / "report.html"
    write_page(path, summary, lines, now=NOW, limits=limits)
    return Page(path.read_text("utf-8"))


def unpacked(data: str) -> dict[str, Any]:
    """Return the document within a page's data."""
    document: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(data)))
    return document


def data_of(page: Page) -> dict[str, Any]:
    """Return the document that the script of the page reads."""
    return unpacked(next(text for text in page.raw("script") if not text.startswith('"use strict"')))


# --- the answer


DRY_RUN = {"is_dry_run": True}
ETA = Eta(233, 46.6, 93.0)
PLAN = {"is_dry_run": True, "forecast": Forecast(233, TenantLook.CHECKED, "")}
UNDO = {"run": RUN._replace(verb="undo", parent_id="x")}
STOPPED = {"run": RUN._replace(stop="interrupted", stop_message="the run was interrupted")}
SKIPPED = Cause("skipped-sheet", Severity.ERROR, "", 0, "whole file", (Example("", "", "not read"),), "hint")


@pytest.mark.parametrize(
    ("summary", "answer", "tone"),
    [
        pytest.param(
            summary_of(("blank", 1), ("invalid", 14), ("conflicting", 2), ("valid", 233), eta=ETA, **DRY_RUN),
            "Dry run: 16 of 250 rows have errors and would not be sent; 233 rows are valid and would be sent, in about "
            "47 s.",
            Tone.BAD,
            id="dry run",
        ),
        pytest.param(
            summary_of(("blank", 0), ("invalid", 0), ("valid", 250), **DRY_RUN),
            "Dry run: all 250 rows are valid and would be sent.",
            Tone.GOOD,
            id="dry run without a fault",
        ),
        pytest.param(
            summary_of(("blank", 0), ("invalid", 1), ("duplicate", 1), ("valid", 0), **DRY_RUN),
            "Dry run: 1 of 2 rows has errors and would not be sent; no row would be sent.",
            Tone.BAD,
            id="dry run of nothing valid",
        ),
        pytest.param(
            summary_of(("blank", 2), ("valid", 0), **DRY_RUN),
            "Dry run: no rows were found, so nothing would be sent.",
            Tone.WARN,
            id="dry run of nothing",
        ),
        pytest.param(
            summary_of(("blank", 0), ("valid", 3), causes=(SKIPPED,), **DRY_RUN),
            "Dry run: all 3 rows are valid and would be sent. 1 error concerns a whole file or sheet.",
            Tone.BAD,
            id="a sheet that was not read",
        ),
        pytest.param(
            summary_of(
                ("blank", 0), ("invalid", 2), ("to create", 230), ("to update", 3), ("changed", 1), eta=ETA, **PLAN
            ),
            "Plan: 2 of 236 rows have errors and would not be sent; 230 would be created and 3 would be updated, in "
            "about 47 s; 1 is different in the tenant.",
            Tone.BAD,
            id="plan",
        ),
        pytest.param(
            summary_of(("blank", 0), ("already there", 250), ("to create", 0), **PLAN),
            "Plan: nothing would be sent, all 250 rows are there already.",
            Tone.GOOD,
            id="plan of what is there",
        ),
        pytest.param(
            summary_of(("blank", 0), ("created", 312)),
            "All 312 rows were created.",
            Tone.GOOD,
            id="import without a fault",
        ),
        pytest.param(
            summary_of(("blank", 0), ("created", 307), ("rejected", 3), ("unknown", 2)),
            "307 rows were created, 3 were rejected, 2 are unknown: nobody knows yet whether they have arrived.",
            Tone.BAD,
            id="import",
        ),
        pytest.param(
            summary_of(("blank", 0), ("already there", 9), ("unknown", 1)),
            "No row was created, 9 are there already, 1 is unknown: nobody knows yet whether it has arrived.",
            Tone.DOUBT,
            id="resume with an unknown row",
        ),
        pytest.param(
            summary_of(("blank", 0), ("invalid", 1), ("created", 1), ("missing", 2)),
            "1 row was created, 1 has errors and was not sent, 2 are missing in the tenant.",
            Tone.BAD,
            id="missing rows",
        ),
        pytest.param(
            summary_of(("blank", 0), ("already there", 250)),
            "Nothing was created: all 250 rows are there already.",
            Tone.GOOD,
            id="import again",
        ),
        pytest.param(
            summary_of(("blank", 0), ("created", 120), ("unsent", 130), **STOPPED),
            "Stopped: the run was interrupted. 120 rows were created, 130 are not sent yet.",
            Tone.WARN,
            id="stop",
        ),
        pytest.param(
            summary_of(("reversed", 5), ("kept", 1), ("failed", 1), ("unknown", 1), **UNDO),
            "Undo: 5 objects were deleted, 1 was kept, because somebody changed it since, 1 could not be deleted, "
            "1 is unknown: nobody knows yet whether it is still there.",
            Tone.BAD,
            id="undo",
        ),
        pytest.param(
            summary_of(("reversed", 5), ("kept", 0), **UNDO),
            "Undo: all 5 objects were deleted.",
            Tone.GOOD,
            id="undone",
        ),
        pytest.param(
            summary_of(("blank", 0), ("created", 2), sources=(SOURCE,)),
            "Do not rely on this report: 3 rows were read and 2 are accounted for, which is an error in certstate. "
            "2 rows were created.",
            Tone.BAD,
            id="unbalanced",
        ),
    ],
)
def test_the_answer_in_one_sentence(summary: Summary, answer: str, tone: Tone) -> None:
    """Each kind of run has its sentence, and the tone says how good that is."""
    assert (answer_of(summary), tone_of(summary)) == (answer, tone)


@pytest.mark.parametrize(
    ("summary", "numbers"),
    [
        pytest.param(
            summary_of(("blank", 1), ("invalid", 2), ("valid", 7), **DRY_RUN),
            {"rows": 10, "valid": 7, "warnings": 0, "errors": 2},
            id="dry run",
        ),
        pytest.param(
            summary_of(("blank", 1), ("invalid", 2), ("already there", 4), ("created", 3), ("rejected", 1)),
            {"rows": 11, "valid": 8, "warnings": 0, "errors": 2, "created": 3}
            | {"already-there": 4, "rejected": 1, "unknown": 0},
            id="import",
        ),
        pytest.param(
            summary_of(("blank", 0), ("to create", 3), ("already there", 4), **PLAN),
            {"rows": 7, "valid": 7, "warnings": 0, "errors": 0, "to-create": 3, "already-there": 4, "unknown": 0},
            id="plan",
        ),
        pytest.param(
            summary_of(("reversed", 5), ("kept", 1), **UNDO),
            {"rows": 6, "reversed": 5, "kept": 1, "failed": 0, "unknown": 0},
            id="undo",
        ),
    ],
)
def test_a_run_has_only_the_numbers_that_it_knows(summary: Summary, numbers: dict[str, int]) -> None:
    """A dry run says nothing of what is created or there already; an undo counts objects."""
    assert {each.name: each.number for each in tiles_of(summary)} == numbers


# --- texts


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        pytest.param("plain ü 日本", "<bdi>plain ü 日本</bdi>", id="plain"),
        pytest.param("<b>&\"'", "<bdi>&lt;b&gt;&amp;&#34;&#39;</bdi>", id="markup"),
        pytest.param(f"a{OVERRIDE}b", '<bdi>a<span class="sign">U+202E</span>b</bdi>', id="direction"),
        pytest.param("\0", '<bdi><span class="sign">U+0000</span></bdi>', id="null"),
        pytest.param("a\xa0b", '<bdi>a<span class="sign">U+00A0</span>b</bdi>', id="no-break space"),
        pytest.param("\u3164", '<bdi><span class="sign">U+3164</span></bdi>', id="letter without a shape"),
        pytest.param(
            " a b ", '<bdi><span class="sign">space</span>a b<span class="sign">space</span></bdi>', id="ends"
        ),
        pytest.param("  ", '<bdi><span class="sign">space</span><span class="sign">space</span></bdi>', id="blanks"),
        pytest.param("\ud800", "<bdi>?</bdi>", id="half a pair"),
        pytest.param("", "<bdi></bdi>", id="empty"),
    ],
)
def test_what_is_not_seen_is_shown(text: str, markup: str) -> None:
    """Invisible signs stand there by their number, and nothing of a text is markup."""
    assert visible(text) == markup


def test_a_long_text_is_cut() -> None:
    """What is cut is told with the length."""
    assert visible("x" * 9, 5) == "<bdi>xxxxx... (9 characters)</bdi>"


def test_code_between_backticks() -> None:
    """A hint's options and keys are code, and hostile parts stay text; a single backtick is one."""
    assert prose("use `a<b`, then `--x`") == "use <code><bdi>a&lt;b</bdi></code>, then <code><bdi>--x</bdi></code>"
    assert prose("it`s") == "it`s"
    assert code(f"a: 1\n  b: {OVERRIDE}") == 'a: 1\n  b: <span class="sign">U+202E</span>'


@pytest.mark.parametrize(
    ("collection", "name"),
    [(IOS, "iosScep 6a1f0e5c.."), ("another/path", "another/path"), ("", "")],
    ids=["route", "overridden", "none"],
)
def test_a_route_by_its_short_name(collection: str, name: str) -> None:
    """The cast and the beginning of the profile's id; a path of another shape stays as it is."""
    assert route_name(collection) == name


# --- the data


def test_the_data_is_what_was_given() -> None:
    """Each column of a line comes out as it went in; the row's cells once for two lines of one row."""
    answer = Answer(400, "", "BadRequest", "no", "request-1", "client-1")
    found = change(Code.HEX_FORM, "aB", "AB", column="Asset Tag")
    lines = [
        line_of(2),
        line_of(2, column="Asset Tag"),
        line_of(3, code="rejected 400 BadRequest", state=State.REJECTED, answer=answer, attempts=2, collection=IOS),
        line_of(4, severity=Severity.INFO, state=State.PLANNED, value="aB", became="AB", message=found.message),
        line_of(None, severity=Severity.WARNING),
    ]

    packed = pack_lines(lines, {1: SOURCE}, is_dry_run=False)

    document = unpacked(packed.data)
    columns, texts = document["columns"], document["texts"]
    read = {
        name: [texts[each] if each >= 0 else None for each in columns[name]] for name in ("state", "code", "column")
    }
    assert read == {
        "state": ["invalid", "invalid", "rejected", "unsent", "whole file"],
        "code": [*["unknown-member"] * 2, "rejected 400 BadRequest", *["unknown-member"] * 2],
        "column": ["devicePlatform", "Asset Tag", *["devicePlatform"] * 3],
    }
    assert [columns[name] for name in ("row", "severity", "attempts", "status", "cells")] == [
        [2, 2, 3, 4, -1],
        [0, 0, 0, 2, 1],
        [0, 0, 2, 0, 0],
        [-1, -1, 400, -1, -1],
        [0, 0, 1, 2, -1],
    ]
    changed = (columns["value"][3], columns["became"][3], columns["message"][3])
    assert [texts[each] for each in changed] == ["aB", "AB", ""]
    assert columns["became"][:3] == [-1, -1, -1]
    ids = ("request_id", "client_request_id", "graph_code", "route")
    assert [texts[columns[name][2]] for name in ids] == ["request-1", "client-1", "BadRequest", IOS]
    assert [[document["cell_texts"][cell] for cell in cells] for cells in document["cells"]] == [
        ["abacus", f"PHONE-{row}", "A-1"] for row in (2, 3, 4)
    ]
    assert document["sources"] == [{"name": "inventory.csv", "header": list(HEADER)}]
    assert document["routes"] == {IOS: "iosScep 6a1f0e5c.."}
    assert (packed.lines, packed.has_more, packed.without_cells) == (5, False, 0)


def test_a_dry_run_calls_its_rows_valid() -> None:
    """A row that only a warning is told of is valid in a dry run, and unsent in an import."""
    packed = pack_lines([line_of(2, state=State.PLANNED)], {1: SOURCE}, is_dry_run=True)

    document = unpacked(packed.data)
    assert document["texts"][document["columns"]["state"][0]] == "valid"


def test_hostile_texts_come_out_as_they_went_in() -> None:
    """Only their length is cut, and half a surrogate pair is a question mark."""
    lines = [line_of(number, value=text, cells=(text,)) for number, text in enumerate(HOSTILE, start=2)]

    document = unpacked(pack_lines(lines, {1: SOURCE}, is_dry_run=False).data)

    values = [document["texts"][each] for each in document["columns"]["value"]]
    cells = [document["cell_texts"][cell] for (cell,) in document["cells"]]
    whole = [text.replace("\ud800", "?") for text in HOSTILE if len(text) < 100]
    assert [each for each in values if len(each) < 100] == [each for each in cells if len(each) < 100] == whole
    assert [max(values, key=len), max(cells, key=len)] == [
        f"{'x' * most}... (1,000,000 characters)" for most in (1_000, 200)
    ]


def test_no_more_lines_are_read_than_the_page_holds() -> None:
    """One line beyond the last is read, to know that there are more."""
    read = []

    def lines() -> Iterator[Line]:
        for row_number in range(2, 1_000):
            read.append(row_number)
            yield line_of(row_number)

    packed = pack_lines(lines(), {1: SOURCE}, is_dry_run=False, limits=LIMITS._replace(lines=3))

    assert (packed.lines, packed.has_more, read) == (3, True, [2, 3, 4, 5])


def test_just_as_many_lines_as_fit_are_all() -> None:
    """The cap is told only when something is left out."""
    lines = [line_of(row_number) for row_number in (2, 3, 4)]

    packed = pack_lines(lines, {1: SOURCE}, is_dry_run=False, limits=LIMITS._replace(lines=3))

    assert (packed.lines, packed.has_more) == (3, False)


def test_huge_cells_are_left_out_and_long_texts_end_the_lines() -> None:
    """Beyond the characters of cells lines come without cells; beyond those of texts no lines come."""
    lines = [line_of(row_number, value=f"{row_number} {'x' * 500}") for row_number in range(2, 12)]

    packed = pack_lines(lines, {1: SOURCE}, is_dry_run=False, limits=Limits(100, 2_000, 25))

    cells = unpacked(packed.data)["columns"]["cells"]
    assert (packed.lines, packed.has_more, packed.without_cells, cells) == (4, True, 2, [0, 1, -1, -1])


# --- the page


def full_summary() -> Summary:
    """Return a summary with something in each part of the page, every text of a file hostile."""
    bad = " ".join(each for each in HOSTILE if len(each) < 100)
    found = change(Code.HEX_FORM, bad, "AB", column=bad)
    examples = (Example(f"row 2 {bad}", bad, bad), Example("row 3", "x" * 1_000_000, bad))
    return summary_of(
        ("blank", 0),
        ("invalid", 2),
        ("created", 1),
        causes=(
            Cause("unknown-member", Severity.ERROR, bad, 2, f"{bad}: rows 2-3", examples, bad, f'values: "{bad}"'),
            Cause(f"rejected 400 {bad}", Severity.ERROR, "", 1, "row 4", examples, bad),
            Cause("skipped-sheet", Severity.ERROR, "", 0, "whole file", (Example("", "", bad),), bad),
            Cause("hex-form", Severity.INFO, bad, 1, "row 4", (Example("row 4", found.value, found.message),), bad),
        ),
        sources=(SOURCE._replace(file=bad, sheet=bad, rows_read=3, encoding=bad, delimiter="\0"),),
        next_steps=(NextStep(f"correct {bad}:", f"certstate import '{bad}'"), NextStep("look", "")),
        run=RUN._replace(stop="outage", stop_message=bad, parent_id="an-earlier-run"),
        eta=Eta(3, 20.0, 40.0),
        pace=Pace(100, 20.0, 3, 1, 2.0),
        expiry=(DayCount("2027-11-23", 1),),
        annotated=(AnnotatedCopy(bad, f"{bad}.xlsx", ""), AnnotatedCopy("b.xlsm", "", bad)),
    )


def hostile_lines() -> list[Line]:
    """Return lines whose every text is hostile."""
    return [
        line_of(number, code=each, column=each, value=each, message=each, hint=each, cells=(each,), collection=each)
        for number, each in enumerate(HOSTILE, start=2)
    ]


def test_no_text_of_a_file_becomes_markup(tmp_path: Path) -> None:
    """The page with hostile texts everywhere has just the elements and attributes of the one with harmless texts."""
    hostile = written(tmp_path, full_summary(), hostile_lines())

    assert {tag for tag, _ in hostile.tags}.isdisjoint({"img", "b", "iframe", "object"})
    attributes = {name for _, each in hostile.tags for name in each}
    assert not {name for name in attributes if name.startswith("on") or name in {"style", "src", "srcdoc", "action"}}
    assert [each.get("id") for each in hostile.of("script")] == [None, "packed-lines"]
    assert len(hostile.of("style")) == 1
    assert not set(hostile.text) & {"\0", "\a", OVERRIDE, "\u2028", "\r"}
    assert "{{7*7}}{% raw %}" in hostile.text
    assert all("://" not in (each["href"] or "").partition("#")[0] for each in hostile.of("a"))
    assert len((tmp_path / "report.html").read_bytes()) < 300_000


def test_every_element_has_an_id_of_its_own(tmp_path: Path) -> None:
    """No id stands twice, however alike two causes are, and each link within the page has its aim."""
    example = (Example("row 2", "x", "y"),)
    twins = [Cause("a b", Severity.ERROR, column, 1, "row 2", example, "") for column in ("c", "C", "", "")]
    page = written(tmp_path, summary_of(("blank", 0), ("invalid", 1), causes=tuple(twins)), [line_of()])

    ids = [each["id"] for _, each in page.tags if "id" in each]
    aims = {each["href"] for each in page.of("a") if (each["href"] or "").startswith("#")}
    assert len(ids) == len(set(ids))
    assert [each for each in ids if (each or "").startswith("cause-")] == [
        "cause-a-b-c",
        "cause-a-b-c-2",
        "cause-a-b",
        "cause-a-b-2",
    ]
    assert {each for each in aims if "=" not in (each or "")} <= {f"#{each}" for each in ids}


def test_only_the_page_s_own_script_and_style_run(tmp_path: Path) -> None:
    """The policy lets nothing load, and just the one script and the one style through, by their hashes."""
    page = written(tmp_path, full_summary(), [line_of()])

    policy = next(each["content"] for each in page.of("meta") if each.get("http-equiv") == "Content-Security-Policy")
    script, style = ("".join(page.raw(tag)[:1]) for tag in ("script", "style"))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; img-src data:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def test_the_answer_is_readable_without_the_script(tmp_path: Path) -> None:
    """Answer, next step, numbers, causes with their cure and the files stand in the page; the rows' place is told."""
    cause = Cause(
        "unknown-member",
        Severity.ERROR,
        "devicePlatform",
        2,
        "rows 2-3",
        (Example("row 2", "abacus", "not one of iOS, macOS"),),
        "map your word under `values:`",
        "values:\n  devicePlatform: {abacus: iOS}",
    )
    steps = (NextStep("correct the file:", "certstate validate 'my file.csv'"),)
    summary = summary_of(("blank", 0), ("invalid", 2), ("valid", 1), is_dry_run=True, causes=(cause,), next_steps=steps)

    page = written(tmp_path, summary, [line_of()])

    for told in (
        "Dry run: 2 of 3 rows have errors and would not be sent; 1 row is valid and would be sent.",
        "correct the file: certstate validate 'my file.csv'",
        "3 rows read = 2 invalid + 1 valid",
        "error unknown-member column devicePlatform 2 rows Show these rows",
        "rows 2-3 row 2: abacus not one of iOS, macOS What to do: map your word under values:",
        "values: devicePlatform: {abacus: iOS}",
        "Started 2026-11-23 08:49:13 UTC Ended 2026-11-23 08:50:00 UTC, after 47 s",
        "Service https://graph.microsoft.com/beta Tenant 11111111-2222-4333-8444-555555555555 Edition 1706",
        f"inventory.csv 3 rows, 0 blank; utf-8, cells separated by semicolons SHA-256 {'ab' * 32}",
    ):
        assert told in page.text
    assert "JavaScript" in "".join(text for _, text in page.texts)
    copied = [each["data-copy"] for each in page.of("button") if "data-copy" in each]
    assert copied == ["certstate validate 'my file.csv'", *["values:\n  devicePlatform: {abacus: iOS}"] * 2]
    shows = [each["href"] for each in page.of("a") if "data-show" in each]
    assert shows == ["#code=unknown-member&column=devicePlatform"]
    assert data_of(page)["lines"] == 1


@pytest.mark.parametrize(
    ("summary", "names"),
    [
        (
            summary_of(("blank", 0), ("valid", 1), is_dry_run=True),
            ["errors.xlsx", "errors.csv", "repairs.csv", "report.json", "run.log"],
        ),
        (
            summary_of(("blank", 0), ("created", 1)),
            ["errors.xlsx", "errors.csv", "repairs.csv", "created.csv", "unknown.csv", "report.json", "run.log"],
        ),
        (summary_of(("reversed", 1), **UNDO), ["undo.csv", "report.json", "run.log"]),
    ],
    ids=["dry run", "import", "undo"],
)
def test_the_links_are_those_of_the_kind_of_run(tmp_path: Path, summary: Summary, names: list[str]) -> None:
    """The page links to the files that such a run has in its folder, and to nothing else."""
    page = written(tmp_path, summary)

    assert [each["href"] for each in page.of("a") if not (each["href"] or "").startswith("#")] == names


def test_what_the_page_does_not_hold_is_told(tmp_path: Path) -> None:
    """The cap on lines and the one on cells stand above the table, with the files that have the rest."""
    lines = [line_of(row_number) for row_number in range(2, 12)]

    page = written(tmp_path, summary_of(("blank", 0), ("invalid", 10)), lines, limits=Limits(4, 10_000, 25))

    assert (
        "The table holds the first 4 lines, what is worst first. All rows with errors stand in errors.csv and all "
        "changes in repairs.csv."
    ) in page.text
    assert (
        "2 lines of the table come without the cells of the row, because a page holds 25 characters of cells; "
        "errors.csv has them."
    ) in page.text


def test_a_run_of_nothing_to_tell_has_no_table(tmp_path: Path) -> None:
    """Without lines there is a sentence in place of the table, and no data."""
    page = written(tmp_path, summary_of(("blank", 0), ("created", 3)))

    assert "Nothing is told of any row." in page.text
    assert (page.of("form"), [each.get("id") for each in page.of("script")]) == ([], [None])


def test_the_causes_of_a_very_wide_file_end(tmp_path: Path) -> None:
    """Beyond the most causes the page names their number and the file that has them."""
    example = (Example("", "", "no property has this name"),)
    causes = tuple(
        Cause("unknown-column", Severity.WARNING, f"c{number}", 0, "whole file", example, "") for number in range(400)
    )

    page = written(tmp_path, summary_of(("blank", 0), ("valid", 3), is_dry_run=True, causes=causes))

    assert "These are the first 300 causes; 100 more stand in report.json." in page.text
    assert len(page.of("article")) == 300


def test_an_earlier_page_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    """When the lines cannot be read to the end, the old page is still there, and no unfinished one beside it."""
    path = tmp_path / "report.html"
    path.write_text("the earlier page", "utf-8")

    def lines() -> Iterator[Line]:
        yield line_of()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_page(path, summary_of(("blank", 0), ("invalid", 1)), lines(), now=NOW)

    assert ([each.name for each in tmp_path.iterdir()], path.read_text("utf-8")) == (
        ["report.html"],
        "the earlier page",
    )


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    """Written again, the page is the same to the byte."""
    pages = [tmp_path / name for name in ("a.html", "b.html")]
    for path in pages:
        write_page(path, full_summary(), hostile_lines(), now=NOW)

    assert pages[0].read_bytes() == pages[1].read_bytes()
