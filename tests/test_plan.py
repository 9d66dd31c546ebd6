"""`plan`, plans that are followed, and the look into the tenant: what is told, and that nothing else is ever done."""

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cli_cases import call, environ_of, move_to, program
from import_cases import IOS, MACOS, FastTime, Site, cells_of, devices, devices_of, read_csv, report_of, totals_of

from pipeline.errors import ExitCode, LedgerError, PreflightError, UsageError
from pipeline.ledger import hold_lock
from pipeline.model import Scope
from pipeline.plan import plan_files
from pipeline.report import Eta, Forecast, TenantLook
from pipeline.run import Finished, import_files, resume_run, retry_run
from pipeline.simulator import Fault, ReadFault, RunningSimulator, SimulatorSettings, running

TENANT_ID = "11111111-2222-4333-8444-555555555555"
UPDATES = "send: {on_changed: update, max_errors: 100%}"


@pytest.fixture
def simulator(site: Site) -> Iterator[RunningSimulator]:
    """A simulator on the site's clock."""
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        yield simulator


def plan(
    site: Site,
    service_root: str,
    *paths: Path,
    remote: bool = False,
    save: Path | None = None,
    **options: Any,  # noqa: ANN401 - those of `Site.job`
) -> Finished:
    """Plan the files."""
    return plan_files(paths, site.job(service_root, **options), remote=remote, save=save)


def follow(
    site: Site,
    service_root: str,
    saved: Path,
    *paths: Path,
    **options: Any,  # noqa: ANN401 - those of `Site.job`
) -> Finished:
    """Import the files by the saved plan."""
    return import_files(paths, site.job(service_root, **options), plan=saved)


def importing(site: Site, service_root: str, *paths: Path, check_remote: bool | None) -> Finished:
    """Import the files, with the look into the tenant as ordered."""
    return import_files(paths, replace(site.job(service_root), check_remote=check_remote))


def entity_of(number: int, **changed: str) -> dict[str, object]:
    """Return the object that the row of the device becomes."""
    cells: dict[str, object] = {**cells_of(number, **changed), "certificateKeyLength": 2048}
    return {"@odata.type": "#microsoft.graph.managedDeviceCertificateState", **cells}


def held(site: Site) -> list[str]:
    """Return all that the ledger's file holds, as SQL."""
    with closing(sqlite3.connect(site.folder / "state" / "ledger.db")) as connection:
        return list(connection.iterdump())


def files_of(folder: Path) -> set[str]:
    """Return the names of all files below the folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# --- what a plan says


def test_a_plan_tells_what_an_import_would_do_with_each_row(site: Site) -> None:
    """Each kind of row is counted and each row once, by route; the exit code says that there are errors."""
    before = devices(4)
    other = cells_of(2, userDisplayName="Max Example")
    rows = [
        *(before[0], other, before[2], before[3]),
        *(cells_of(5), cells_of(5)),
        *(cells_of(6), cells_of(6, userDisplayName="Max Example")),
        cells_of(7, certificateKeyLength="many"),
        dict.fromkeys(before[0], ""),
        cells_of(8, devicePlatform="macOS"),
    ]
    script = (Fault.NONE, Fault.NONE, Fault.BAD_REQUEST_400)
    with running(SimulatorSettings(script=script), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("first.csv", before), concurrency="1")
        # As if a run were sending it at this moment.
        site.execute("UPDATE objects SET state = 'sending' WHERE row_pk = 4")
        ledger, requests = held(site), simulator.state().requests
        planned = plan(site, simulator.service_root, site.write("inventory.csv", rows))

        assert simulator.state().requests == requests
    assert held(site) == ledger
    assert totals_of(planned) == {
        "blank": 1,
        "invalid": 1,
        "duplicate": 1,
        "conflicting": 2,
        "already there": 1,
        "rejected before": 1,
        "changed": 1,
        "to create": 2,
        "unknown": 1,
    }
    assert planned.summary.is_balanced
    assert planned.exit_code is ExitCode.INVALID
    routes = {each.collection: {total.label: total.rows for total in each.totals} for each in planned.summary.routes}
    assert routes[MACOS] == {"to create": 1}
    assert routes[IOS]["to create"] == 1
    statuses = [row["_import_status"] for row in read_csv(planned.folder / "errors.csv")]
    assert statuses == ["rejected before", "conflicting", "conflicting", "invalid"]
    document = report_of(planned)
    assert (document["run"]["verb"], document["run"]["dry_run"], document["balanced"]) == ("plan", True, True)
    assert document["totals"]["to_create"] == 2
    assert document["forecast"] == {
        "writes": 2,
        "tenant": "not checked, an import checks it first",  # an object was undone, or changed by others, before
        "saved": None,
    }


def test_a_plan_leaves_its_report_and_nothing_else(site: Site, simulator: RunningSimulator) -> None:
    """The copy of the ledger is deleted, and where there was no ledger there is none afterwards."""
    planned = plan(site, simulator.service_root, site.write("inventory.csv", devices(2)))

    names = ("errors.csv", "repairs.csv", "report.html", "report.json", "run.log")
    reports = {*(f"runs/{planned.folder.name}/{name}" for name in names), "runs/history.jsonl", "runs/index.html"}
    assert files_of(site.folder) == {"config.yaml", "inventory.csv", *reports}
    assert site.notes == [
        f"{site.folder / 'state' / 'ledger.db'}: there is no ledger here yet, so nothing counts as created before"
    ]
    assert (planned.exit_code, totals_of(planned)) == (ExitCode.OK, {"to create": 2})


def test_a_row_with_new_values_is_to_be_updated_where_that_is_configured(
    site: Site, simulator: RunningSimulator
) -> None:
    """With `on_changed: update` a plan counts the row as an update, else as changed; neither sends it."""
    site.imported(simulator.service_root, site.write("inventory.csv", devices(2)))
    file = site.write("inventory.csv", [cells_of(1), cells_of(2, userDisplayName="Max Example"), cells_of(3)])
    reported = plan(site, simulator.service_root, file)
    site.config = site.config.replace("send: {max_errors: 100%}", UPDATES)
    updated = plan(site, simulator.service_root, file)

    assert totals_of(reported) == {"already there": 1, "changed": 1, "to create": 1}
    assert totals_of(updated) == {"already there": 1, "to update": 1, "to create": 1}
    assert updated.summary.forecast is not None
    assert updated.summary.forecast.writes == 2
    assert simulator.state().writes == 2


def test_the_forecast_has_the_time_at_the_quota_and_at_half_of_it(site: Site, simulator: RunningSimulator) -> None:
    """250 writes take two windows of 20 s at 100 each, and four when other apps leave half of the quota."""
    planned = plan(site, simulator.service_root, site.write("inventory.csv", devices(250)))

    assert planned.summary.forecast == Forecast(250, TenantLook.IMPORT_CHECKS, "")
    assert planned.summary.eta == Eta(250, pytest.approx(40.4), pytest.approx(80.8))


def test_a_plan_works_while_a_run_holds_the_ledger(site: Site, simulator: RunningSimulator) -> None:
    """Neither the lock nor a transaction of a running import keeps a plan waiting; it sees what is committed."""
    file = site.write("inventory.csv", devices(2))
    site.imported(simulator.service_root, file)
    path = site.folder / "state" / "ledger.db"
    with (
        hold_lock(path, Scope(simulator.service_root, TENANT_ID), "another run"),
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
    ):
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE objects SET state = 'missing'")
        planned = plan(site, simulator.service_root, file, remote=True)
        writer.execute("ROLLBACK")

    assert totals_of(planned) == {"already there": 2}


def test_a_file_that_is_no_ledger_is_named(site: Site, simulator: RunningSimulator) -> None:
    """What is wrong with the ledger is told with its own name, and nothing is left behind."""
    (site.folder / "state").mkdir()
    (site.folder / "state" / "ledger.db").write_text("no database" * 100)
    file = site.write("inventory.csv", devices(1))
    with pytest.raises(LedgerError, match=re.escape(f"{site.folder / 'state' / 'ledger.db'}: the ledger cannot be")):
        plan(site, simulator.service_root, file)
    (site.folder / "state" / "ledger.db").unlink()
    with closing(sqlite3.connect(site.folder / "state" / "ledger.db")) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(LedgerError, match=re.escape(f"{site.folder / 'state' / 'ledger.db'}: this is another program")):
        plan(site, simulator.service_root, file)

    assert list((site.folder / "runs").iterdir()) == []


def test_a_look_into_the_tenant_needs_a_token(site: Site) -> None:
    """Without --remote no token is asked for; with it a missing one ends the plan before a file is read."""
    file = site.write("inventory.csv", devices(1))
    site.config = site.config.replace("tenant:", "edition: '1706'\ntenant:")
    planned = plan_files([file], site.job())
    with pytest.raises(PreflightError):
        plan_files([file], site.job(), remote=True)

    assert totals_of(planned) == {"to create": 1}
    assert [each for each in (site.folder / "runs").iterdir() if each.is_dir()] == [planned.folder]


# --- the look into the tenant


def put_two(simulator: RunningSimulator) -> None:
    """Put the objects of devices 1 and 2 into the tenant, the second with other values, as somebody else would."""
    simulator.put(IOS, entity_of(1))
    simulator.put(IOS, entity_of(2, userDisplayName="Max Example"))


def test_a_plan_shows_what_the_tenant_has_already(site: Site, simulator: RunningSimulator) -> None:
    """With --remote an equal object counts as there and another one as changed; without, both would be created."""
    put_two(simulator)
    file = site.write("inventory.csv", devices(3))
    blind = plan(site, simulator.service_root, file)
    seeing = plan(site, simulator.service_root, file, remote=True)

    assert totals_of(blind) == {"to create": 3}
    assert totals_of(seeing) == {"already there": 1, "changed": 1, "to create": 1}
    assert [each.summary.forecast.tenant for each in (blind, seeing) if each.summary.forecast] == [
        TenantLook.IMPORT_CHECKS,
        TenantLook.CHECKED,
    ]
    assert (simulator.state().writes, seeing.exit_code) == (0, ExitCode.OK)
    assert not (site.folder / "state").exists()


def test_a_plan_looks_once_for_what_is_unknown(site: Site, simulator: RunningSimulator) -> None:
    """With --remote an object whose answer was lost counts as there once it is seen; what is not seen stays unknown."""
    file = site.write("inventory.csv", devices(2))
    site.imported(simulator.service_root, file)
    site.execute("UPDATE objects SET state = 'unknown', graph_id = NULL, there_row_pk = NULL")
    site.execute("UPDATE rows SET state = 'unknown'")
    simulator.remove(IOS, next(str(each.entity["id"]) for each in simulator.objects()))
    ledger, before_s = held(site), site.time.now_s
    planned = plan(site, simulator.service_root, file, remote=True)

    assert totals_of(planned) == {"already there": 1, "unknown": 1}
    assert (held(site), site.time.now_s, planned.exit_code) == (ledger, before_s, ExitCode.OK)


@pytest.mark.parametrize(
    ("check_remote", "created"), [(None, ["PHONE-0003"]), (True, ["PHONE-0003"]), (False, 3)], ids=str
)
def test_a_ledger_that_is_new_to_its_tenant_checks_it_by_itself(
    site: Site, simulator: RunningSimulator, check_remote: bool | None, created: list[str] | int
) -> None:
    """A first import skips what the tenant has, though nobody asked for it; only --no-check-remote doubles it."""
    put_two(simulator)
    finished = importing(
        site, simulator.service_root, site.write("inventory.csv", devices(3)), check_remote=check_remote
    )

    new = devices_of(each.entity for each in simulator.objects()[2:])
    if isinstance(created, int):
        assert totals_of(finished) == {"created": created}
        assert len(new) == created
    else:
        assert totals_of(finished) == {"already there": 1, "changed": 1, "created": 1}
        assert new == created
        assert finished.exit_code is ExitCode.OK


def test_a_ledger_that_knows_its_tenant_checks_it_when_told_to(site: Site, simulator: RunningSimulator) -> None:
    """A later import trusts its ledger, and looks into the tenant with --check-remote."""
    first = importing(site, simulator.service_root, site.write("first.csv", devices(1, first=9)), check_remote=None)
    put_two(simulator)
    planned = plan(site, simulator.service_root, site.write("inventory.csv", devices(3)))
    checked = importing(site, simulator.service_root, site.folder / "inventory.csv", check_remote=True)

    assert totals_of(first) == {"created": 1}
    assert totals_of(planned) == {"to create": 3}
    assert planned.summary.forecast is not None
    assert planned.summary.forecast.tenant is TenantLook.NOT_CHECKED
    assert totals_of(checked) == {"already there": 1, "changed": 1, "created": 1}


def test_nothing_goes_to_a_collection_that_could_not_be_checked(site: Site) -> None:
    """A check that does not reach its end keeps its collection's rows unsent, exit code 6; `resume` checks again."""
    rows = [*devices(2), cells_of(3, devicePlatform="macOS")]
    settings = SimulatorSettings(read_script=(ReadFault.NOT_FOUND_404,))
    with running(settings, clock=site.time.clock) as simulator:
        simulator.put(IOS, entity_of(1))
        finished = site.imported(simulator.service_root, site.write("inventory.csv", rows))
        arrived = [each.collection for each in simulator.objects()[1:]]
        resumed = site.resumed(simulator.service_root)

        objects = devices_of(each.entity for each in simulator.objects())
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.PREFLIGHT, {"created": 1, "unsent": 2})
    assert arrived == [MACOS]
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"already there": 1, "created": 2})
    assert objects == ["PHONE-0001", "PHONE-0002", "PHONE-0003"]


def test_a_plan_that_could_not_read_the_tenant_says_so_and_is_not_saved(site: Site) -> None:
    """Rows of a collection that could not be read are neither to create nor there: not checked, exit code 6."""
    rows = [*devices(2), cells_of(3, devicePlatform="macOS")]
    settings = SimulatorSettings(read_script=(ReadFault.NOT_FOUND_404,))
    with running(settings, clock=site.time.clock) as simulator:
        file = site.write("inventory.csv", rows)
        planned = plan(site, simulator.service_root, file, remote=True, save=site.folder / "plan.json")

    assert totals_of(planned) == {"to create": 1, "not checked": 2}
    assert (planned.exit_code, planned.summary.is_balanced) == (ExitCode.PREFLIGHT, True)
    assert [(each.code, each.rows, each.places) for each in planned.summary.causes] == [("not checked", 2, "rows 2-3")]
    assert not (site.folder / "plan.json").exists()
    assert site.notes[-1] == "the plan is not saved, because the tenant could not be read to its end"


def test_a_plan_that_is_refused_the_tenant_says_why(site: Site) -> None:
    """A tenant that may not be read ends the plan with exit code 6 and the reason; no row counts as to create."""
    rows = [*devices(2), cells_of(3, devicePlatform="macOS")]
    settings = SimulatorSettings(read_script=(ReadFault.FORBIDDEN_403,))
    with running(settings, clock=site.time.clock) as simulator:
        planned = plan(site, simulator.service_root, site.write("inventory.csv", rows), remote=True)

    assert (planned.exit_code, totals_of(planned)) == (ExitCode.PREFLIGHT, {"not checked": 3})
    assert "the tenant refused to be read: " in planned.stop_message


@dataclass
class InterruptedTime(FastTime):
    """A clock on whose first sleep somebody ends the program."""

    number: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def sleep(self, seconds: float) -> None:
        """Send the signal, once."""
        signal.raise_signal(self.number)
        await super().sleep(seconds)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_plan_that_is_interrupted_leaves_nothing(site: Site, number: int) -> None:
    """Ctrl-C or SIGTERM while the tenant is read ends the plan; no folder and no plan stay behind."""
    site.time = InterruptedTime(number)
    file, saved = site.write("inventory.csv", devices(1)), site.folder / "plan.json"
    settings = SimulatorSettings(read_script=(ReadFault.READ_503,))
    with running(settings) as simulator, pytest.raises(KeyboardInterrupt):
        plan(site, simulator.service_root, file, remote=True, save=saved)

    assert files_of(site.folder) == {"config.yaml", "inventory.csv"}
    assert list((site.folder / "runs").iterdir()) == []


# --- a plan that is followed


def test_an_import_by_a_plan_does_what_was_planned(site: Site, simulator: RunningSimulator) -> None:
    """What the plan lists is created and updated, no more and no less, and the run's folder keeps the plan."""
    site.config = site.config.replace("send: {max_errors: 100%}", UPDATES)
    site.imported(simulator.service_root, site.write("first.csv", devices(2)))
    rows = [cells_of(1), cells_of(2, userDisplayName="Max Example"), *devices(2, first=3)]
    file, saved = site.write("inventory.csv", rows), site.folder / "plan.json"
    planned = plan(site, simulator.service_root, file, save=saved)
    finished = follow(site, simulator.service_root, saved, file)

    state = simulator.state()
    assert totals_of(planned) == {"already there": 1, "to update": 1, "to create": 2}
    assert [(row["row"], row["action"], row["device"]) for row in read_csv(site.folder / "plan.csv")] == [
        ("3", "update", "PHONE-0002"),
        ("4", "create", "PHONE-0003"),
        ("5", "create", "PHONE-0004"),
    ]
    assert (finished.exit_code, totals_of(finished)) == (
        ExitCode.OK,
        {"already there": 1, "updated": 1, "created": 2},
    )
    assert (state.created, state.patched, state.duplicates) == (4, 1, 0)
    assert {"plan.json", "plan.csv"} <= files_of(finished.folder)


def test_an_import_by_a_checked_plan_checks_the_tenant_too(site: Site, simulator: RunningSimulator) -> None:
    """A plan made with --remote is followed with the same look, though the ledger would do without."""
    site.imported(simulator.service_root, site.write("first.csv", devices(1, first=9)))
    put_two(simulator)
    file, saved = site.write("inventory.csv", devices(3)), site.folder / "plan.json"
    plan(site, simulator.service_root, file, remote=True, save=saved)
    finished = follow(site, simulator.service_root, saved, file)

    assert totals_of(finished) == {"already there": 1, "changed": 1, "created": 1}
    assert (finished.exit_code, simulator.state().writes) == (ExitCode.OK, 2)


def change_rows(site: Site) -> None:
    """Add a row to the file."""
    site.write("inventory.csv", devices(3))


def change_configuration(site: Site) -> None:
    """Supply a value."""
    site.config += 'values: {userDisplayName: {"Erika Example": "Max Example"}}\n'


def change_what_is_done(site: Site) -> None:
    """Update what has changed, instead of reporting it."""
    site.config = site.config.replace("send: {max_errors: 100%}", UPDATES)


def change_tenant(site: Site) -> None:
    """Name another tenant."""
    site.config = site.config.replace(TENANT_ID, TENANT_ID.replace("1", "2"))


def change_actions(site: Site) -> None:
    """Edit the plan's rows."""
    path = site.folder / "plan.csv"
    path.write_bytes(path.read_bytes().replace(b"PHONE-0001", b"PHONE-0009"))


def lose_actions(site: Site) -> None:
    """Delete the plan's rows."""
    (site.folder / "plan.csv").unlink()


def change_version(site: Site) -> None:
    """Let the plan be one of a later certstate."""
    path = site.folder / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"schema_version": 99}), "utf-8")


def lose_plan(site: Site) -> None:
    """Write something else into the plan."""
    (site.folder / "plan.json").write_text("[]", "utf-8")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (change_rows, "inventory.csv: the file was changed after the plan"),
        (change_configuration, "plan.json: keys of the configuration that change bodies, routes or scope"),
        (change_what_is_done, "plan.json: keys of the configuration that change bodies, routes or scope"),
        (change_tenant, "plan.json: the plan is for "),
        (change_actions, "plan.csv: the rows of the plan "),
        (lose_actions, "plan.csv: the rows of the plan "),
        (change_version, "plan.json: the plan has schema version 99"),
        (lose_plan, "plan.json: this file is no plan"),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_what_differs_from_the_time_of_the_plan_is_told_before_anything_is_done(
    site: Site, simulator: RunningSimulator, change: Callable[[Site], None], sentence: str
) -> None:
    """Another file, configuration or tenant, or a plan that was touched, is refused; nothing is read, sent or kept."""
    file, saved = site.write("inventory.csv", devices(2)), site.folder / "plan.json"
    planned = plan(site, simulator.service_root, file, save=saved)
    change(site)
    with pytest.raises(UsageError) as refused:
        follow(site, simulator.service_root, saved, file)

    assert str(refused.value).startswith(f"{site.folder}{os.sep}{sentence}")
    assert simulator.state().requests == 0
    assert not (site.folder / "state").exists()
    assert [each for each in (site.folder / "runs").iterdir() if each.is_dir()] == [planned.folder]


@pytest.mark.parametrize("option", [{"is_strict": True}, {"repairs": False}], ids=str)
def test_options_that_change_what_is_sent_are_part_of_a_plan(
    site: Site, simulator: RunningSimulator, option: dict[str, bool]
) -> None:
    """--strict and --no-repair are to be the same when the plan is made and when it is followed."""
    file, saved = site.write("inventory.csv", devices(1)), site.folder / "plan.json"
    plan(site, simulator.service_root, file, save=saved, **option)
    with pytest.raises(UsageError, match="--strict or --no-repair differ"):
        follow(site, simulator.service_root, saved, file)
    finished = follow(site, simulator.service_root, saved, file, **option)

    assert finished.summary.rows_of("created") == 1


def test_each_file_of_the_plan_is_to_be_named(site: Site, simulator: RunningSimulator) -> None:
    """A plan over two files is not followed with one of them, and their order does not matter."""
    one, two = site.write("one.csv", devices(1)), site.write("two.csv", devices(1, first=2))
    saved = site.folder / "plan.json"
    plan(site, simulator.service_root, one, two, save=saved)
    with pytest.raises(UsageError, match=re.escape(f"the plan was made from {two} too")):
        follow(site, simulator.service_root, saved, one)
    finished = follow(site, simulator.service_root, saved, two, one)

    assert totals_of(finished) == {"created": 2}


def test_an_action_that_is_not_in_the_plan_is_refused_and_named(site: Site, simulator: RunningSimulator) -> None:
    """An object that vanished would be created anew: the import says which row, sends nothing, and so does `resume`."""
    site.config = site.config.replace("send: {max_errors: 100%}", UPDATES)
    site.imported(simulator.service_root, site.write("first.csv", devices(3)))
    rows = [*devices(1), *devices(2, first=2, userDisplayName="Max Example"), cells_of(4)]
    file, saved = site.write("inventory.csv", rows), site.folder / "plan.json"
    plan(site, simulator.service_root, file, save=saved)
    for stored in simulator.objects()[1:]:
        simulator.remove(IOS, str(stored.entity["id"]))
    gone = site.imported(simulator.service_root, site.write("other.csv", rows[1:3]))
    refused = follow(site, simulator.service_root, saved, file)
    resumed = site.resumed(simulator.service_root, refused.summary.run.id)

    sentence = (
        f"{file}, row 3: the import would create an object, and the plan says update; so does one other row; "
        "nothing was sent: call `certstate plan` to see what would be done now, and save another plan"
    )
    assert totals_of(gone) == {"missing": 2}
    assert (refused.exit_code, refused.stop_message) == (ExitCode.USAGE, sentence)
    assert totals_of(refused) == {"already there": 1, "unsent": 3}
    assert [step.command for step in refused.summary.next_steps] == ["certstate plan inventory.csv"]
    assert (resumed.exit_code, resumed.stop_message) == (ExitCode.USAGE, sentence)
    assert totals_of(resumed) == {"already there": 1, "unsent": 3}
    assert simulator.state().created == 3


def test_rejected_rows_of_a_plan_can_be_tried_again(site: Site) -> None:
    """`retry` of a run that follows a plan sends what the plan lists."""
    with running(SimulatorSettings(script=(Fault.BAD_REQUEST_400,)), clock=site.time.clock) as simulator:
        file, saved = site.write("inventory.csv", devices(1)), site.folder / "plan.json"
        plan(site, simulator.service_root, file, save=saved)
        rejected = follow(site, simulator.service_root, saved, file)
        again = retry_run(None, site.job(simulator.service_root), missing=False)

    assert totals_of(rejected) == {"rejected": 1}
    assert (again.exit_code, totals_of(again)) == (ExitCode.OK, {"created": 1})


class Arrivals:
    """Counts the requests of a simulator, whose wall clock it is, and wakes up who waits for the nth."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def wall_clock(self) -> float:
        """Return the time; the simulator asks for it once for each request."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()
        return time.time()

    def wait_for(self, requests: int) -> None:
        """Return once so many requests have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= requests, 60.0)


@pytest.mark.parametrize("goes_on_by", ["the same import", "resume"])
def test_an_import_by_a_plan_can_be_repeated_after_a_kill(site: Site, goes_on_by: str) -> None:
    """Killed with answers under way, the same call creates the rest of the plan, and nothing twice."""
    arrivals = Arrivals()
    settings = SimulatorSettings(script=(*[Fault.NONE] * 5, *[Fault.SILENT] * 4), quota=10_000, tenant_quota=10_000)
    file, saved = site.write("inventory.csv", devices(20)), site.folder / "plan.json"
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        plan(site, simulator.service_root, file, save=saved)
        options = ("--graph-url", simulator.service_root, "--concurrency", "4", "--quota", "10000/1s")
        command = program(
            "--config", site.folder / "config.yaml", "import", file, "--plan", saved, "--no-check-remote", *options
        )
        process = subprocess.Popen(command, env=environ_of(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            arrivals.wait_for(9)
        finally:
            process.kill()
            process.wait()
        at_death = site.object_states()
        if goes_on_by == "resume":
            finished = resume_run(None, site.job(simulator.service_root))
        else:
            finished = follow(site, simulator.service_root, saved, file)
        state = simulator.state()

    assert at_death == {"created": 5, "sending": 4, "planned": 11}
    there = {"created": 20} if goes_on_by == "resume" else {"already there": 9, "created": 11}
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, there)
    assert (state.created, state.duplicates) == (20, 0)


# --- the command line


def test_the_verb_prints_the_plan_and_the_command_that_carries_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: RunningSimulator
) -> None:
    """The plan fits 80 columns, its last line is the exact import, and that import creates what was planned."""
    move_to(tmp_path, monkeypatch)
    Site(tmp_path).write("my inventory.csv", devices(3))
    simulator.put(IOS, entity_of(1))
    planned = call(
        *("plan", "my inventory.csv", "--graph-url", simulator.service_root, "--remote", "--save", "plan.json")
    )

    lines = planned.stdout.splitlines()
    assert planned.code == ExitCode.OK
    assert lines[0].startswith("Plan     ")
    assert lines[0].endswith("-my_inventory" + lines[0][-len("-abcdef: nothing was sent") :])
    assert lines[1:3] == [f"Service  {simulator.service_root}", f"Tenant   {TENANT_ID}"]
    assert "        2  to create" in lines
    assert "3 rows read = 1 already there + 2 to create" in lines
    assert "2 writes: at least 1 s" in lines
    assert "The tenant was checked for what it has already." in lines
    assert "Plan: plan.json, its rows beside it in plan.csv" in lines
    assert lines[-2:] == [
        "Next: carry the plan out:",
        f"      certstate import 'my inventory.csv' --plan plan.json --graph-url {simulator.service_root}",
    ]
    assert [line for line in lines[3:-3] if len(line) > 80] == []
    done = call(*shlex.split(lines[-1])[1:])
    assert (done.code, simulator.state().created) == (ExitCode.OK, 2)
    assert "3 rows read = 1 already there + 2 created" in done.stdout


def test_a_plan_that_is_not_saved_names_the_look_that_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: RunningSimulator
) -> None:
    """The import that follows a plan with --remote looks into the tenant as well, and without errors exits 0."""
    move_to(tmp_path, monkeypatch)
    Site(tmp_path).write("a.csv", devices(1))
    blind = call("plan", "a.csv", "--graph-url", simulator.service_root)
    seeing = call("plan", "a.csv", "--graph-url", simulator.service_root, "--remote")

    assert blind.stdout.endswith(f"      certstate import a.csv --graph-url {simulator.service_root}\n")
    assert (
        "The tenant was not checked. The ledger is new to it, so an import checks it\nfirst, as --remote does.\n"
        in blind.stdout
    )
    assert seeing.stdout.endswith(f"      certstate import a.csv --check-remote --graph-url {simulator.service_root}\n")


def test_the_options_of_the_look_reach_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: RunningSimulator
) -> None:
    """--no-check-remote keeps a new ledger from looking into the tenant, --check-remote lets an old one look."""
    move_to(tmp_path, monkeypatch)
    Site(tmp_path).write("a.csv", devices(1))
    Site(tmp_path).write("b.csv", devices(1, first=2))
    simulator.put(IOS, entity_of(2))
    first = call("import", "a.csv", "--no-check-remote", "--graph-url", simulator.service_root)
    reads = simulator.state().reads
    second = call("--output", "json", "import", "b.csv", "--check-remote", "--graph-url", simulator.service_root)

    assert (first.code, reads) == (ExitCode.OK, 0)
    assert (second.code, json.loads(second.stdout)["totals"]["already_there"]) == (ExitCode.OK, 1)


@pytest.mark.parametrize("option", [("--plan", "plan.json"), ("--check-remote",)], ids=str)
def test_a_dry_run_takes_no_option_that_it_cannot_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...]
) -> None:
    """`import --dry-run` is `validate`, so options about the tenant or a plan are refused and `plan` is named."""
    move_to(tmp_path, monkeypatch)
    called = call("import", "a.csv", "--dry-run", *option)

    assert called.code == ExitCode.USAGE
    assert called.stderr == (
        "certstate: Invalid value for --dry-run: it follows no plan and looks into no tenant; "
        "`certstate plan --remote` does; see `certstate import --help`\n"
    )


def test_a_plan_has_its_help() -> None:
    """The help of `plan` has a line for each of its own options."""
    text = call("plan", "--help").stdout

    assert "  --remote          Look into the tenant too, for what it has already.\n" in text
    assert "  --save PLAN.json  Keep the plan, its rows in PLAN.csv; replaces both.\n" in text
    assert max(map(len, text.splitlines())) <= 80
