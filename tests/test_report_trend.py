"""runs/index.html: what it says of the latest run, of runs of one kind over time, and of each run."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.findings import Severity
from pipeline.report.history import PastCause, PastRun
from pipeline.report.page.trend import told_of, write_trend
from pipeline.report.summary import Total

NOW = datetime(2026, 11, 23, 21, 45, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
HOSTILE = "</style><script>alert(1)</script>\" onload='x' \u202e\x00"


def past_run(day: int, *, name: str = "", rows_read: int = 100, **changed: object) -> PastRun:
    """Return the run of that day, an import of inventory.csv unless changed; `totals` are terms by label."""
    started = FIRST + timedelta(days=day)
    totals = changed.pop("totals", {"invalid": 2, "already there": 8, "created": 90, "unknown": 0})
    assert isinstance(totals, dict)
    run = PastRun(
        id=name or f"run-{day}",
        verb="import",
        is_dry_run=False,
        service_root="https://graph.microsoft.com/beta",
        tenant_id="11111111-2222-4333-8444-555555555555",
        parent_id="",
        files=("inventory.csv",),
        started_at=started.isoformat(),
        ended_at=(started + timedelta(minutes=1)).isoformat(),
        stop="",
        rows_read=rows_read,
        totals=tuple(Total(label, rows) for label, rows in totals.items()),
        causes=(),
    )
    return run._replace(**changed)  # type: ignore[arg-type] - the fields by name, each of its own type


class Read(HTMLParser):
    """What a page holds: its elements with their attributes, and their texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of the element."""
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        """Take note that it ends, with those in it that have no end of their own."""
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Give the text to all elements around it."""
        for tag in set(self._open):
            self.texts[tag][-1] += data

    def words(self, tag: str) -> list[str]:
        """Return the texts of the elements, blanks made one."""
        return [" ".join(each.split()) for each in self.texts.get(tag, [])]

    def attributes(self, tag: str, name: str) -> list[str | None]:
        """Return what this attribute is of the elements that have it."""
        return [attributes[name] for each, attributes in self.elements if each == tag and name in attributes]


def page_of(folder: Path, runs: Sequence[PastRun]) -> Read:
    write_trend(folder / "index.html", runs, now=NOW)
    return Read((folder / "index.html").read_text("utf-8"))


def test_the_latest_run_is_told_in_one_sentence(tmp_path: Path) -> None:
    """Whatever the order in which the runs come, with its files, its time and its numbers."""
    runs = [past_run(2, rows_read=1_200, totals={"invalid": 5, "rejected": 2, "created": 1_193}), past_run(1)]

    page = page_of(tmp_path, runs)

    assert page.words("h1") == [
        "Import of inventory.csv, 2026-11-03 04:00 UTC: 1,200 rows read, 7 with errors, 1,193 created."
    ]
    assert page.attributes("section", "data-tone") == ["bad"]


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (
            past_run(1, totals={"created": 0, "unknown": 6}, stop="outage"),
            (
                "Import of inventory.csv, 2026-11-02 04:00 UTC: 100 rows read, 0 with errors, 6 unknown. "
                "It stopped before its end: outage."
            ),
        ),
        (
            past_run(1, rows_read=1, totals={"valid": 1}, verb="validate", is_dry_run=True, ended_at=""),
            "Dry run of inventory.csv, 2026-11-02 04:00 UTC: 1 row read, 0 with errors, 1 valid. It did not end.",
        ),
        (
            past_run(1, totals={"reversed": 100}, verb="undo", files=()),
            "Undo of no file, 2026-11-02 04:00 UTC: 100 rows to undo, 0 with errors, 100 reversed.",
        ),
        (
            past_run(1, totals={"to create": 100}, verb="plan", is_dry_run=True, files=("a", "b", "c", "d", "e")),
            "Plan of a, b, c and 2 more, 2026-11-02 04:00 UTC: 100 rows read, 0 with errors, 100 to create.",
        ),
        (
            past_run(1, totals={}, started_at="yesterday", files=("a.csv", "b.csv")),
            "Import of a.csv and b.csv, yesterday: 100 rows read, 0 with errors.",
        ),
    ],
)
def test_each_kind_of_run_is_told_in_its_own_words(run: PastRun, told: str) -> None:
    """A stop and a run that never ended are said, and a time that is none is shown as it stands."""
    assert told_of(run) == told


def test_only_runs_of_the_same_kind_are_compared(tmp_path: Path) -> None:
    """Other files, another tenant or a dry run are another group; `import --dry-run` and `validate` are the same."""
    runs = [
        past_run(1),
        past_run(2, verb="validate", is_dry_run=True, totals={"valid": 1}),
        past_run(3, is_dry_run=True, totals={"valid": 2}),
        past_run(4, files=("other.csv",)),
        past_run(5, service_root="http://127.0.0.1:8080/beta"),
        past_run(6, rows_read=90),
        past_run(7, verb="undo", totals={"reversed": 1}),
    ]

    page = page_of(tmp_path, runs)

    assert page.words("h3") == [
        "Import of inventory.csv",
        "Import of inventory.csv",
        "Import of other.csv",
        "Dry run of inventory.csv",
    ]
    assert page.words("figcaption") == [
        "Rows read 90, 10 fewer than the run before.",
        "Rows with errors 2, as many as the run before.",
        "Created 90, as many as the run before.",
        "Unknown 0, as many as the run before.",
        "Rows read 100, as many as the run before.",
        "Rows with errors 0, as many as the run before.",
        "Valid 2, 1 more than the run before.",
    ]


def test_a_trend_is_drawn_from_zero_with_the_latest_run_at_the_right(tmp_path: Path) -> None:
    """A column is as high as its number, the latest in the full colour, and a run without such rows has none."""
    numbers = [10, 0, 40, 20]
    runs = [past_run(day, totals={"created": rows}) for day, rows in enumerate(numbers)]

    page = page_of(tmp_path, runs)

    columns = [each for tag, each in page.elements if tag == "rect" and "group-1-chart-3-" in (each.get("fill") or "")]
    assert [(each["fill"], each["height"], each["x"]) for each in columns] == [
        ("url(#group-1-chart-3-good-plain)", "14", "80.75%"),
        ("url(#group-1-chart-3-good-plain)", "56", "90.75%"),
        ("url(#group-1-chart-3-good-full)", "28", "95.75%"),
    ]
    assert "One column for each run, the latest at the right: 10, 0, 40, 20." in " ".join(page.words("desc"))


def test_what_is_new_and_cured_since_the_run_before_is_told(tmp_path: Path) -> None:
    """Of the same kind of run; what is still there with its rows then and now."""
    before = (
        PastCause("missing-value", Severity.ERROR, "Serial", 5),
        PastCause("duplicate", Severity.WARNING, "", 9),
    )
    after = (
        PastCause("duplicate", Severity.WARNING, "", 1),
        PastCause("no-rows", Severity.ERROR, "", 0),
        PastCause("not-a-date-time", Severity.ERROR, "Expires", 1_200),
    )

    page = page_of(tmp_path, [past_run(1, causes=before), past_run(2, causes=after)])

    assert page.words("h4") == ["New: 2 causes", "Cured: 1 cause", "Still there: 1 cause"]
    assert page.words("li") == [
        "error not-a-date-time in column Expires: 1,200 rows",
        "error no-rows: whole file",
        "error missing-value in column Serial: 5 rows",
        "warning duplicate: 9 -> 1 row",
    ]


def test_no_change_is_said(tmp_path: Path) -> None:
    """Silence would leave it open."""
    page = page_of(tmp_path, [past_run(1), past_run(2)])

    assert "Since the run before, 2026-11-02 04:00 UTC: no cause is new and none is cured." in page.words("p")


def test_a_single_run_has_no_trend(tmp_path: Path) -> None:
    """Its numbers are told; a picture of one column would say nothing."""
    page = page_of(tmp_path, [past_run(1)])

    assert page.words("figure") == []
    assert f"{told_of(past_run(1))} A trend needs a second run." in page.words("p")


def test_each_run_has_a_line_with_a_link_to_its_report(tmp_path: Path) -> None:
    """Only where the report exists beside the page, and only to a name below it."""
    for name in ("run-1", "a b", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.html").touch()
    runs = [
        past_run(1),
        past_run(2),
        past_run(3, name="a b", verb="validate", is_dry_run=True, totals={"valid": 9, "invalid": 1}, stop="threshold"),
        past_run(4, name="../out/../out"),
        past_run(5, name=str(tmp_path / "out"), ended_at=""),
    ]

    page = page_of(tmp_path, runs)

    assert page.words("th")[-14:] == [
        *("Started", "Verb", "Files", "Rows", "Errors", "Created", "Already there", "Unknown", "Stopped"),
        *(f"2026-11-0{day} 04:00 UTC" for day in (6, 5, 4, 3, 2)),
    ]
    lines = page.words("td")[-40:]
    assert lines[:8] == ["import", "inventory.csv", "100", "2", "90", "8", "0", "did not end"]
    assert lines[16:24] == ["validate", "inventory.csv", "100", "1", "", "", "", "threshold"]
    links = [each for each in page.attributes("a", "href") if each and not each.startswith("#")]
    assert links == ["a%20b/report.html", "run-1/report.html"]


def test_the_table_ends_with_the_last_two_hundred_runs(tmp_path: Path) -> None:
    """A year of hourly imports stays a page; the pictures show the last forty, and kinds beyond twelve are counted."""
    runs = [past_run(day) for day in range(250)]
    others = [past_run(-day, name=f"other-{day}", files=(f"{'x' * day}.csv",)) for day in range(1, 21)]

    page = page_of(tmp_path, [*runs, *others])

    assert "These are the last 200 of 270 runs." in page.words("p")
    assert "These are the latest 12 kinds of runs; 9 more are in the table only." in page.words("p")
    assert "250 runs since 2026-11-01 04:00 UTC, drawn are the last 40" in page.words("p")
    assert len(page.words("h3")) == 12


def test_no_run_is_said(tmp_path: Path) -> None:
    """The page of an empty history is a page."""
    page = page_of(tmp_path, [])

    assert page.words("h1") == ["There is no run yet."]
    assert page.words("table") == []


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Files, columns, codes and the service's address are what the user and others wrote."""
    causes = (PastCause(HOSTILE, Severity.ERROR, HOSTILE, 1),)
    runs = [
        past_run(day, name=HOSTILE + str(day), files=(HOSTILE,), service_root=HOSTILE, stop=HOSTILE, causes=causes)
        for day in (1, 2)
    ]

    page = page_of(tmp_path, [*runs, past_run(0, started_at=HOSTILE, verb=HOSTILE)])

    assert page.words("script") == []
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    shown = " ".join(page.words("body"))
    assert ("\u202e" in shown, "\x00" in shown) == (False, False)
    assert "error </style><script>alert(1)</script>\" onload='x' U+202EU+0000 in column" in " ".join(page.words("li"))


def test_the_policy_lets_nothing_in_but_the_style(tmp_path: Path) -> None:
    """The style by its hash; no script, no style attribute, nothing from elsewhere."""
    page = page_of(tmp_path, [past_run(1), past_run(2)])

    [policy] = [each["content"] for tag, each in page.elements if tag == "meta" and "http-equiv" in each]
    [style] = page.texts["style"]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; script-src 'none'; style-src 'sha256-{digest}'; img-src data:; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert [tag for tag, each in page.elements if "style" in each or "src" in each or tag == "script"] == []
    assert re.findall(r"url\((?!#)|@import", style) == []
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids))


def test_an_earlier_page_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """Whoever has it open sees the old page or the new one, never half of one."""
    page_of(tmp_path, [past_run(1)])
    page = page_of(tmp_path, [past_run(2)])

    assert "2026-11-03" in page.words("h1")[0]
    assert [each.name for each in tmp_path.iterdir()] == ["index.html"]


def test_a_page_that_cannot_be_written_raises_and_leaves_nothing(tmp_path: Path) -> None:
    """Such as where a folder has its name."""
    (tmp_path / "index.html").mkdir()

    with pytest.raises(OSError, match=r"index\.html"):
        write_trend(tmp_path / "index.html", [past_run(1)], now=NOW)

    assert [each.name for each in tmp_path.iterdir()] == ["index.html"]
