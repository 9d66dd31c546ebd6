"""Hostile cells and hostile answers, through every verb and every file written: nothing of them is ever run."""

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_cases import Called, call, move_to
from import_cases import HEADER, PROFILE_OF, Site, cells_of, config_of, write_csv
from openpyxl import Workbook
from security_cases import EXAMINED, Asked, controls_in, hostile, http, latest_import, problems_of

from pipeline.cli.app import VERBS
from pipeline.errors import ExitCode

RUN = "cmd|' /C calc'!A0"
LONG = "=" + "x" * 1_000_000
HOSTILE = (
    f"={RUN}",
    f"+{RUN}",
    f"-{RUN}",
    f"@SUM(1+1)*{RUN}",
    f"\t={RUN}",
    f"\r={RUN}",
    f"\n={RUN}",
    f" ={RUN}",
    f"\u00a0={RUN}",
    f"\ufeff={RUN}",
    f"\uff1d{RUN}",
    f"\uff0b{RUN}",
    f"\uff0d{RUN}",
    f"\uff20{RUN}",
    f"'={RUN}",
    f'",={RUN}',
    f'"\n={RUN},"',
    f'";={RUN}',
    f"x;={RUN};y",
    f"x,={RUN},y",
    f"x\t={RUN}\ty",
    f"x; ={RUN};y",
    f"x;'={RUN};y",
    f'x"\r\n={RUN}',
    '=HYPERLINK("https://contoso.com/?"&A1,"click")',
    "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
    "\x9b31m\x85\x8d",
    "abc\u202egnp.exe",
    "\u2028\u2029\u200b\u2066x\u2069",
    "a\x7fb\x08c",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "'); DROP TABLE objects; DELETE FROM rows; --",
    "' OR '1'='1",
    "{{7*7}} ${7*7} %s %(x)s {0.__class__}",
    "[bold red]markup[/] [link=https://contoso.com]x[/link]",
    '{"error": {"code": "x"}}',
    LONG,
)

HOSTILE_HEADERS = ("=1+1", "\x1b[31mhead", "+evil", "'; DROP TABLE rows; --", "<b>head</b>", 'he"ad', "he\nad")
FILE_NAME = "=1+1;\u202e inventory.csv" if os.name == "posix" else "=1+1; inventory.csv"


def rows() -> Iterator[dict[str, str]]:
    """Yield for each hostile text a valid row and an invalid one, with hostile cells under hostile headers."""
    for number, text in enumerate(HOSTILE, start=1):
        more = dict.fromkeys(HOSTILE_HEADERS, text) if text is not LONG else {}
        yield (
            cells_of(number, deviceDisplayName=text, userDisplayName=text[:1000], certificateIssuer=text[:1000]) | more
        )
        yield cells_of(1000 + number, certificateKeyLength=text, devicePlatform=text[:1000]) | more


class Service:
    """Creates some rows under hostile ids, refuses others in hostile words, and lists hostile objects."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._ids: list[str] = []

    def __call__(self, asked: Asked) -> bytes:
        """Answer a request."""
        number = next(self._numbers)
        text = HOSTILE[number % (len(HOSTILE) - 1)]
        if asked.method == "GET" and asked.path.endswith("States"):
            values = [{"id": each, **dict.fromkeys(HEADER, text)} for each in self._ids]
            return http(200, {"@odata.context": text, "value": values})
        if asked.method == "GET":
            return http(404, {"error": {"code": "ResourceNotFound", "message": text}})
        if asked.method == "POST" and number % 3 == 0 and text.isprintable() and text not in self._ids:
            self._ids.append(text)
            return http(201, {"id": text, "deviceDisplayName": text})
        if asked.method == "POST" and number % 3 == 1:
            return http(409, {"error": {"code": text, "message": text}})
        return http(400, {"error": {"code": text, "message": text, "innerError": {"request-id": text}}})


def sound(site_folder: Path) -> list[str]:
    """Return what is wrong with the files of the runs and with the saved plan."""
    plans = site_folder / "plans"
    return [*problems_of(site_folder / "runs"), *(problems_of(plans) if plans.exists() else ())]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Called]]:
    """Call every verb once with hostile rows against a hostile service; return the folder and what was printed."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as monkeypatch:
        move_to(folder, monkeypatch)
        monkeypatch.setenv("GRAPH_TOKEN", "sentinel-token")
        config = config_of(PROFILE_OF).replace("max_errors: 100%", "max_errors: 100%, settle_s: 0, quota: 10000/1s")
        Path("config.yaml").write_text(config, "utf-8")
        Path("plans").mkdir()
        write_csv(folder / FILE_NAME, list(rows()))
        with hostile(Service()) as server:
            at = ("--graph-url", server.root)
            calls: dict[str, Called] = {}
            for output in ("text", "json"):
                for name, arguments in (
                    ("inspect", ("inspect", FILE_NAME)),
                    ("validate", ("validate", FILE_NAME)),
                    ("plan", ("plan", FILE_NAME, "--remote", "--save", f"plans/{output}.json", *at)),
                    ("explain", ("explain", FILE_NAME, "--row", "2", *at)),
                    ("explain refused", ("explain", FILE_NAME, "--row", "3", *at)),
                    ("import", ("import", FILE_NAME, "--yes", *at)),
                    ("resume", ("resume", *at)),
                    ("retry", ("retry", "RUN", *at)),
                    ("verify", ("verify", "RUN", "--wait-s", "0", *at)),
                    ("runs", ("runs", "show", "RUN", *at)),
                    ("runs row 1", ("runs", "show", "RUN", "--row", "2", *at)),
                    ("runs row 2", ("runs", "show", "RUN", "--row", "5", *at)),
                    ("runs list", ("runs", "list", *at)),
                    ("runs diff", ("runs", "diff", "RUN", *at)),
                    ("report", ("report", "RUN", *at)),
                    ("undo", ("undo", "RUN", "--yes", *at)),
                    ("ledger", ("ledger", "check")),
                ):
                    if output == "json" and name in {"plan", "import", "resume", "retry"}:
                        continue  # they take longest, and print report.json as validate does
                    imported = latest_import(folder)
                    words = [imported if each == "RUN" else each for each in arguments]
                    calls[f"{name} as {output}"] = call("--output", output, *words)
    return folder, calls


def test_each_verb_is_called(story: tuple[Path, dict[str, Called]]) -> None:
    """A new verb gets its hostile call; none of them ends in an internal error or is misused."""
    _, calls = story
    not_hostile = {"simulate", "demo"}  # they read no file of the user's

    assert {name.split()[0] for name in calls} | not_hostile == {name for name, _ in VERBS}
    assert {name: each.stderr for name, each in calls.items() if each.code in {ExitCode.INTERNAL, ExitCode.USAGE}} == {}


def test_no_written_file_holds_anything_that_runs(story: tuple[Path, dict[str, Called]]) -> None:
    """No cell of a CSV file is a formula or leaves its record; JSON is JSON; each line of the log is an object."""
    folder, _ = story
    names = {path.name for path in (folder / "runs").rglob("*")} | {path.name for path in (folder / "plans").iterdir()}

    assert {"errors.csv", "created.csv", "unknown.csv", "undo.csv", "verify.csv", "repairs.csv", "text.csv"} <= names
    assert {"report.json", "verify.json", "text.json", "run.log", "history.jsonl"} <= names
    assert {"errors.xlsx", "report.html", "index.html"} <= names
    assert sound(folder) == []


def test_nothing_hostile_reaches_the_terminal(story: tuple[Path, dict[str, Called]]) -> None:
    """No escape sequence, control character or mark that turns text around is printed, whatever was read."""
    _, calls = story
    printed = {name: controls_in(each.stdout + each.stderr) for name, each in calls.items()}

    assert {name: controls for name, controls in printed.items() if controls} == {}
    assert [name for name, each in calls.items() if len(each.stdout + each.stderr) > 2_000_000] == []


def test_json_on_stdout_is_one_document(story: tuple[Path, dict[str, Called]]) -> None:
    """Whatever stands in it."""
    _, calls = story

    assert all(json.loads(each.stdout) for name, each in calls.items() if name.endswith("as json"))


def test_sql_in_cells_and_answers_is_text(story: tuple[Path, dict[str, Called]]) -> None:
    """The ledger has its tables and rows, and its own check finds it sound."""
    folder, calls = story
    site = Site(folder)
    tables = {name for (name,) in site.select("SELECT name FROM sqlite_master WHERE type = 'table'")}

    assert {"runs", "rows", "objects"} <= tables
    assert site.select("PRAGMA integrity_check") == [("ok",)]
    assert calls["ledger as json"].code == ExitCode.OK
    assert site.select("SELECT count(*) FROM rows")[0][0] >= 2 * len(HOSTILE)


def test_a_kind_of_file_that_nobody_examines_is_a_problem(tmp_path: Path) -> None:
    """Who adds a writer of workbooks or pages adds its examination."""
    for suffix in ("pdf", "docx", "csv"):
        (tmp_path / f"report.{suffix}").write_text("=1+1", "utf-8")

    assert set(EXAMINED) == {".csv", ".html", ".json", ".jsonl", ".log", ".xlsx"}
    assert list(problems_of(tmp_path)) == [
        *(f"report.csv record 1, split at {sign}: '=1+1' is run" for sign in ("comma", "semicolon", "tab")),
        "report.docx: no test examines files of this kind",
        "report.pdf: no test examines files of this kind",
    ]


def test_a_page_that_lets_anything_in_is_a_problem(tmp_path: Path) -> None:
    """The examination itself sees a foreign script, a handler, a picture and a link that leads away."""
    (tmp_path / "report.html").write_text(
        "<script>alert(1)</script><img src=//contoso.com onerror=alert(1)><a href=javascript:alert(1)>x\u202e</a>",
        "utf-8",
    )

    assert list(problems_of(tmp_path)) == [
        "report.html: a script that the policy does not let in: 'alert(1)'",
        "report.html: no policy that keeps everything else out",
        "report.html: an element img",
        "report.html: img src='//contoso.com'",
        "report.html: img onerror='alert(1)'",
        "report.html: a href='javascript:alert(1)'",
        "report.html: '\\u202e' is raw",
    ]


def test_a_workbook_with_a_formula_is_a_problem(tmp_path: Path) -> None:
    """The examination itself sees what is no text."""
    book = Workbook()
    book.active["A1"], book.active["B1"], book.active["A2"] = "=1+1", 5, "text"
    book.save(tmp_path / "errors.xlsx")

    assert list(problems_of(tmp_path)) == [
        "errors.xlsx, Sheet, A1: no text but f",
        "errors.xlsx, Sheet, A1: '=1+1' would be run from a CSV file",
        "errors.xlsx, Sheet, B1: no text but n",
    ]
