"""The plan as a file: what it holds, what it never overwrites, and which row it does not have."""

import csv
import hashlib
import json
import os
import re
import tracemalloc
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest
from import_cases import IOS, PROFILE_OF, TENANT_ID, Site, cells_of, devices, read_csv

from pipeline import __version__
from pipeline.config import OnChanged
from pipeline.errors import UsageError
from pipeline.ledger import Ledger, source_infos
from pipeline.model import Scope
from pipeline.pinned import (
    ACTION_COLUMNS,
    Basis,
    PlanSource,
    SavedPlan,
    basis_of,
    check_basis,
    check_place,
    follows_plan_in,
    keep_plan,
    read_plan,
    save_plan,
)
from pipeline.presets import PRESETS

ROOT = "http://127.0.0.1:8080/beta"
SCOPE = Scope(ROOT, TENANT_ID)
BASIS = Basis(SCOPE, "1706", "c0ffee")


@pytest.fixture
def planned(site: Site) -> Iterator[tuple[Ledger, str]]:
    """A ledger and its run, which is to create the objects of two devices."""
    with site.planned(ROOT, devices(2)) as planned:
        yield planned


def saved(site: Site, planned: tuple[Ledger, str], name: str = "plan.json") -> Path:
    """Return the path of the run's plan, just saved."""
    path = site.folder / name
    save_plan(path, *planned, BASIS, is_tenant_checked=True)
    return path


def test_a_plan_says_what_it_was_made_from_and_lists_each_row(site: Site, planned: tuple[Ledger, str]) -> None:
    """plan.json has scope, edition, hashes and counts; plan.csv has a line for each row that would be sent."""
    path = saved(site, planned)

    document = json.loads(path.read_text("utf-8"))
    file = site.folder / "planned.csv"
    rows = read_csv(site.folder / "plan.csv")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document.pop("created_at"))
    assert document == {
        "schema_version": 1,
        "certstate_version": __version__,
        "edition": "1706",
        "service_root": ROOT,
        "tenant_id": TENANT_ID,
        "config_hash": "c0ffee",
        "sources": [{"file": str(file), "sheet": None, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}],
        "actions": {"create": 2, "update": 0},
        "is_tenant_checked": True,
        "actions_file": "plan.csv",
        "actions_sha256": hashlib.sha256((site.folder / "plan.csv").read_bytes()).hexdigest(),
    }
    assert tuple(rows[0]) == ACTION_COLUMNS
    assert [(row["file"], row["sheet"], row["row"], row["action"], row["collection"]) for row in rows] == [
        (str(file), "", "2", "create", IOS),
        (str(file), "", "3", "create", IOS),
    ]
    assert [(row["device"], row["certificate"]) for row in rows] == [
        ("PHONE-0001", f"{1:040X}"),
        ("PHONE-0002", f"{2:040X}"),
    ]
    assert read_plan(path).basis == BASIS


def test_cells_of_a_plan_are_harmless_and_bounded(site: Site) -> None:
    """A device's name that a spreadsheet would run, break lines at or choke on comes out as text, and reads back."""
    names = ["=cmd|' /C calc'!A0", 'a "quoted"\nname; with, all', "x" * 20_000]
    rows = [cells_of(number, deviceDisplayName=name) for number, name in enumerate(names, start=1)]
    with site.planned(ROOT, rows) as (ledger, run_id):
        path = saved(site, (ledger, run_id))
        keep_plan(path, read_plan(path), site.folder / "runs" / "run")
        refusal = follows_plan_in(site.folder / "runs" / "run")(ledger, run_id)

    shown = [row["device"] for row in read_csv(site.folder / "plan.csv")]
    assert shown[:2] == [f"'{names[0]}", names[1]]
    assert len(shown[2]) < 1_000
    assert refusal == ""


def test_a_plan_takes_the_place_of_an_older_one(site: Site, planned: tuple[Ledger, str]) -> None:
    """Saving again replaces both files as a whole and leaves nothing else behind; only the owner can read them."""
    saved(site, planned)
    before = {path.name for path in site.folder.iterdir()}
    check_place(site.folder / "plan.json")
    path = saved(site, planned)

    assert {path.name for path in site.folder.iterdir()} == before
    assert read_plan(path).actions == {"create": 2, "update": 0}
    if os.name != "nt":
        assert [each.stat().st_mode & 0o777 for each in (path, site.folder / "plan.csv")] == [0o600, 0o600]


@pytest.mark.parametrize("content", ["{}", "[1]", "", '"actions_sha256"', "not json", "\x00"], ids=repr)
@pytest.mark.parametrize("name", ["inventory.json", "inventory.csv"])
def test_a_plan_overwrites_nothing_but_a_plan(tmp_path: Path, name: str, content: str) -> None:
    """A file that is there and is no plan stays as it is: the inventory beside `--save inventory.json` above all."""
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / name}: the file is there and is no plan")):
        check_place(tmp_path / "inventory.json")


@pytest.mark.parametrize("name", ["plan", "plan.csv", "plan.txt"])
def test_the_name_of_a_plan_ends_in_json(tmp_path: Path, name: str) -> None:
    """Another ending is refused, because the rows' file has the same name with .csv."""
    with pytest.raises(UsageError, match=re.escape(r"ends in .json")):
        check_place(tmp_path / name)


def test_the_folder_of_a_plan_must_be_there(tmp_path: Path) -> None:
    """A mistyped folder is told before a file is read."""
    with pytest.raises(UsageError, match="there is no such folder for the plan"):
        check_place(tmp_path / "plans" / "plan.json")


def test_a_plan_that_cannot_be_saved_is_told(site: Site, planned: tuple[Ledger, str]) -> None:
    """A folder in the plan's place ends in one sentence, without anything half written beside it."""
    (site.folder / "plan.csv").mkdir()
    with pytest.raises(UsageError, match="the plan cannot be saved"):
        saved(site, planned)

    assert {path.name for path in site.folder.iterdir()} == {"config.yaml", "planned.csv", "plan.csv", "runs", "state"}


# --- reading


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is no plan of certstate"),
        ("[]", "is no plan of certstate"),
        ('{"schema_version": 1}', "is no plan of certstate"),
        ("[" * 100_000, "is no plan of certstate"),
        ('{"schema_version": 2}', "has schema version 2 and this certstate knows 1"),
        ('{"schema_version": "one"}', "has schema version 'one' and this certstate knows 1"),
        ("\udcff", "it is no UTF-8 text"),
        (None, "No such file or directory"),
    ],
    ids=["empty", "list", "bare", "deep", "newer", "text", "bytes", "missing"],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str | None, sentence: str) -> None:
    """A file that is missing, damaged or of another certstate ends in one sentence that says which."""
    path = tmp_path / "plan.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as refused:
        read_plan(path)

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_rows_of_a_plan_stand_beside_it(site: Site, planned: tuple[Ledger, str]) -> None:
    """A plan that names a file elsewhere is refused: it comes from somebody's hand."""
    path = saved(site, planned)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"actions_file": "../plan.csv"}), "utf-8")
    with pytest.raises(UsageError, match="do not stand beside it"):
        read_plan(path)


def test_the_basis_of_a_call_follows_what_changes_bodies(site: Site) -> None:
    """The hash differs with a key that changes bodies, --preset, --strict, --no-repair and on_changed, else not."""
    settings = site.job(ROOT).settings
    other_send = settings.model_copy(update={"send": settings.send.model_copy(update={"timeout_s": 5.0})})
    updating = settings.model_copy(update={"send": settings.send.model_copy(update={"on_changed": OnChanged.UPDATE})})
    zoned = settings.model_copy(update={"timezone": "UTC"})

    def digest(settings_now: object = settings, **changed: object) -> str:
        options = {"preset": None, "is_strict": False, "repairs": True} | changed
        return basis_of(settings_now, SCOPE, **options).config_hash  # type: ignore[arg-type] - checked where it is used

    same = digest()
    others = [
        digest(updating),
        digest(zoned),
        digest(preset=PRESETS["adcs"]),
        digest(is_strict=True),
        digest(repairs=False),
    ]
    assert digest(other_send) == same
    assert len({same, *others}) == 6


def test_another_edition_is_told(site: Site, planned: tuple[Ledger, str]) -> None:
    """The edition stands in the plan by itself, so that its difference has a sentence of its own."""
    path = saved(site, planned)
    with pytest.raises(UsageError, match="the plan is for edition 1706, and this call is for current"):
        check_basis(path, read_plan(path), BASIS._replace(edition="current"), [site.folder / "planned.csv"])


# --- following


def kept(site: Site, planned: tuple[Ledger, str], actions: list[dict[str, str]]) -> Path:
    """Return a run's folder that keeps a plan with these rows."""
    folder = site.folder / "kept"
    folder.mkdir()
    path = folder / "plan.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ACTION_COLUMNS)
        writer.writeheader()
        writer.writerows(actions)
    sources = tuple(PlanSource(file=each.file, sheet=each.sheet, sha256=each.sha256) for each in source_infos(*planned))
    plan = SavedPlan(
        schema_version=1,
        certstate_version=__version__,
        created_at="2026-11-23T08:49:13.000Z",
        edition="1706",
        service_root=ROOT,
        tenant_id=TENANT_ID,
        config_hash="c0ffee",
        sources=sources,
        actions={},
        is_tenant_checked=False,
        actions_file="plan.csv",
        actions_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    (folder / "plan.json").write_text(plan.model_dump_json(), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"action": "update"}, "the plan says update"),
        ({"fingerprint": "0"}, "the plan has other values for it"),
        ({"key": "0"}, "the plan does not have the row"),
    ],
    ids=["operation", "fingerprint", "key"],
)
def test_a_row_that_the_plan_does_not_have_is_named_with_the_reason(
    site: Site, planned: tuple[Ledger, str], change: dict[str, str], why: str
) -> None:
    """Another operation, other values and another object are told apart; the first such row stands in the sentence."""
    saved(site, planned)
    one, two = read_csv(site.folder / "plan.csv")
    folder = kept(site, planned, [one, two | change])

    assert follows_plan_in(folder)(*planned) == (
        f"{site.folder / 'planned.csv'}, row 3: the import would create an object, and {why}; nothing was sent: "
        "call `certstate plan` to see what would be done now, and save another plan"
    )


def test_a_row_for_another_collection_is_not_in_the_plan(site: Site, planned: tuple[Ledger, str]) -> None:
    """The same object under another profile is another one; further rows are counted."""
    saved(site, planned)
    rows = read_csv(site.folder / "plan.csv")
    elsewhere = {"collection": IOS.replace(PROFILE_OF["iOS"], PROFILE_OF["macOS"])}
    folder = kept(site, planned, [row | elsewhere for row in rows])

    assert follows_plan_in(folder)(*planned).startswith(
        f"{site.folder / 'planned.csv'}, row 2: the import would create an object, and the plan has it elsewhere; so "
        "does one other row; nothing was sent: "
    )


@pytest.mark.parametrize("content", [b"file\none,two\n", b'file\n"', b"file\n\xff"], ids=repr)
def test_rows_that_are_none_are_refused(site: Site, planned: tuple[Ledger, str], content: bytes) -> None:
    """A list that somebody made up, with the digest that fits it, allows nothing and ends in a sentence."""
    folder = kept(site, planned, [])
    (folder / "plan.csv").write_bytes(content)
    digest = {"actions_sha256": hashlib.sha256(content).hexdigest()}
    path = folder / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | digest), "utf-8")
    with pytest.raises(UsageError, match=re.escape(f"{folder / 'plan.csv'}: this file holds no rows of a plan")):
        follows_plan_in(folder)(*planned)


def test_a_folder_without_a_plan_allows_everything(site: Site, planned: tuple[Ledger, str]) -> None:
    """Only a run that follows a plan is held to one."""
    assert follows_plan_in(site.folder)(*planned) == ""


def test_a_plan_of_fewer_rows_to_do_is_followed(site: Site, planned: tuple[Ledger, str]) -> None:
    """What the plan lists and the run has no more to do is no reason to refuse."""
    saved(site, planned)
    rows = read_csv(site.folder / "plan.csv")

    assert follows_plan_in(kept(site, planned, [*rows, rows[0] | {"key": "0"}]))(*planned) == ""


def test_a_large_plan_needs_little_memory(site: Site, planned: tuple[Ledger, str]) -> None:
    """Following a plan takes less than 200 bytes for each of its rows, so that a million rows fit into 200 MB."""
    count = 30_000
    saved(site, planned)
    rows = read_csv(site.folder / "plan.csv")
    many = [row | {"key": f"{number:064x}"} for number, row in enumerate(islice(cycle(rows), count))]
    folder = kept(site, planned, [*rows, *many])
    check = follows_plan_in(folder)
    tracemalloc.start()
    try:
        refusal = check(*planned)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert refusal == ""
    assert most / count < 200
