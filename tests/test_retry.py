"""Sending again: what the service refused, after the tenant was mended; what `verify` has proven missing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_cases import call, move_to
from import_cases import IOS, Site, cells_of, devices, devices_of, totals_of, write_csv

from pipeline.errors import ExitCode, UsageError
from pipeline.run import Finished, retry_run
from pipeline.simulator import Fault, RunningSimulator, SimulatorSettings, running
from pipeline.verify import verify_run


def retried(site: Site, service_root: str, run: str, *, missing: bool = False) -> Finished:
    """Retry the run."""
    return retry_run(run, site.job(service_root), missing=missing)


@contextmanager
def refusing(site: Site, count: int = 3) -> Iterator[tuple[RunningSimulator, Finished]]:
    """Yield a simulator that has refused the second of so many rows, and the run of it."""
    settings = SimulatorSettings(script=(Fault.NONE, Fault.BAD_REQUEST_400))
    with running(settings, clock=site.time.clock) as simulator:
        path = site.write("inventory.csv", devices(count))
        yield simulator, site.imported(simulator.service_root, path, concurrency="1")


@contextmanager
def losing(site: Site, *names: str) -> Iterator[tuple[RunningSimulator, Finished]]:
    """Yield a simulator whose objects of these devices are gone, and the verified run that has created them."""
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(4)))
        for each in simulator.objects():
            if each.entity["deviceDisplayName"] in names:
                simulator.remove(each.collection, str(each.entity["id"]))
        verify_run(finished.summary.run.id, site.job(simulator.service_root), wait_s=300.0)
        yield simulator, finished


# --- what the service refused


def test_a_refused_row_is_created_once_the_tenant_is_mended(site: Site) -> None:
    """`retry` sends the row as it was; the run's counts and the tenant agree after it."""
    with refusing(site) as (simulator, finished):
        ended = retried(site, simulator.service_root, finished.summary.run.id)

        assert devices_of(each.entity for each in simulator.objects()) == ["PHONE-0001", "PHONE-0002", "PHONE-0003"]
        assert simulator.state().duplicates == 0
    assert totals_of(finished) == {"created": 2, "rejected": 1}
    assert (ended.summary.run.id, ended.exit_code) == (finished.summary.run.id, ExitCode.OK)
    assert totals_of(ended) == {"created": 3}


def test_rows_that_an_import_left_out_as_rejected_before_can_be_retried(site: Site) -> None:
    """A later run that skipped the refused row sends it when it is retried; the first run says so as well."""
    with refusing(site) as (simulator, _):
        later = site.imported(simulator.service_root, site.folder / "inventory.csv")
        ended = retried(site, simulator.service_root, later.summary.run.id)

        assert (simulator.state().objects, simulator.state().duplicates) == (3, 0)
    assert totals_of(later) == {"already there": 2, "rejected before": 1}
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"already there": 2, "created": 1})


def test_a_row_that_is_refused_again_stays_rejected(site: Site) -> None:
    """A tenant that was not mended refuses the row again, and that is told again."""
    settings = SimulatorSettings(script=(Fault.NONE, Fault.BAD_REQUEST_400, Fault.NONE, Fault.BAD_REQUEST_400))
    with running(settings, clock=site.time.clock) as simulator:
        path = site.write("inventory.csv", devices(3))
        finished = site.imported(simulator.service_root, path, concurrency="1")
        ended = retried(site, simulator.service_root, finished.summary.run.id)

        assert len(simulator.objects()) == 2
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.UNSETTLED, {"created": 2, "rejected": 1})


def test_a_corrected_file_goes_out_by_import(site: Site) -> None:
    """Once a corrected row was imported, the refused one of the first run is not sent as well."""
    with refusing(site) as (simulator, finished):
        corrected = site.write("corrected.csv", [cells_of(2, certificateKeyLength="4096")])
        imported = site.imported(simulator.service_root, corrected)
        ended = retried(site, simulator.service_root, finished.summary.run.id)

        assert (simulator.state().objects, simulator.state().duplicates) == (3, 0)
    run_id = finished.summary.run.id
    assert totals_of(imported) == {"created": 1}
    assert site.notes[-1].startswith(f"run {run_id} has no row that was rejected and still counts")
    assert totals_of(ended) == {"created": 2, "rejected": 1}


def test_with_nothing_to_retry_nothing_is_sent(site: Site) -> None:
    """A run without refused rows is told so, and ends as it stands."""
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        finished = site.imported(simulator.service_root, site.write("inventory.csv", devices(1)))
        before = simulator.state().writes
        ended = retried(site, simulator.service_root, finished.summary.run.id)

        assert simulator.state().writes == before
    run_id = finished.summary.run.id
    assert (
        site.notes[-1] == f"run {run_id} has no row that was rejected and still counts: there is nothing to send again"
    )
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"created": 1})


# --- what is missing


def test_what_is_missing_is_created_again_exactly_once(site: Site) -> None:
    """`retry --missing` creates the missing objects; a second time there is nothing to do."""
    with losing(site, "PHONE-0002", "PHONE-0004") as (simulator, finished):
        run_id = finished.summary.run.id
        ended = retried(site, simulator.service_root, run_id, missing=True)
        again = retried(site, simulator.service_root, run_id, missing=True)
        verified = verify_run(run_id, site.job(simulator.service_root), wait_s=300.0)

        assert (simulator.state().created, simulator.state().objects, simulator.state().duplicates) == (6, 4, 0)
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"created": 4})
    assert f"run {run_id} has no row that is missing: there is nothing to send again" in site.notes
    assert totals_of(again) == {"created": 4}
    assert verified.exit_code is ExitCode.OK


def test_rejected_rows_and_missing_ones_are_retried_apart(site: Site) -> None:
    """`retry` without --missing leaves the missing rows alone."""
    with losing(site, "PHONE-0002") as (simulator, finished):
        ended = retried(site, simulator.service_root, finished.summary.run.id)

        assert len(simulator.objects()) == 3
    assert totals_of(ended) == {"created": 3, "missing": 1}


def test_an_object_that_another_hand_put_back_is_not_doubled(site: Site) -> None:
    """The tenant is looked at before what was missing is created: an equal object there now is taken as it is."""
    with losing(site, "PHONE-0002") as (simulator, finished):
        (like,) = (each for each in simulator.objects() if each.entity["deviceDisplayName"] == "PHONE-0001")
        own = {name: cells_of(2)[name] for name in ("deviceDisplayName", "certificateThumbprint")}
        own |= {"certificateSerialNumber": cells_of(2)["certificateSerialNumber"]}
        simulator.put(IOS, {name: value for name, value in like.entity.items() if name != "id"} | own)

        ended = retried(site, simulator.service_root, finished.summary.run.id, missing=True)

        assert (simulator.state().objects, simulator.state().duplicates) == (4, 0)
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"created": 3, "already there": 1})


def test_an_import_creates_what_is_missing_too(site: Site) -> None:
    """The same file again creates what `verify` has proven missing, once."""
    with losing(site, "PHONE-0003") as (simulator, _):
        again = site.imported(simulator.service_root, site.folder / "inventory.csv")

        assert (simulator.state().objects, simulator.state().duplicates) == (4, 0)
    assert totals_of(again) == {"already there": 3, "created": 1}


# --- what is asked and refused


def test_a_restored_ledger_doubles_nothing_when_it_is_resumed_with_a_look(site: Site) -> None:
    """A copy of the ledger does not know what was sent since: --check-remote finds it, and only the rest is sent."""
    with running(SimulatorSettings(), clock=site.time.clock) as simulator:
        site.imported(simulator.service_root, site.write("inventory.csv", devices(6)), most_rows=2)
        shutil.copytree(site.folder / "state", site.folder / "copy")
        site.resumed(simulator.service_root, most_rows=2)
        shutil.rmtree(site.folder / "state")
        shutil.copytree(site.folder / "copy", site.folder / "state")
        ended = site.resumed(simulator.service_root, check_remote=True)

        assert (simulator.state().objects, simulator.state().duplicates) == (6, 0)
    assert (ended.exit_code, totals_of(ended)) == (ExitCode.OK, {"already there": 2, "created": 4})


def test_a_run_of_another_tenant_is_not_retried(site: Site) -> None:
    """A retry goes to the tenant that the run went to, and to no other."""
    with refusing(site) as (simulator, finished):
        with pytest.raises(UsageError, match="retry it with the configuration that it was started with"):
            retried(site, "http://127.0.0.1:9/beta", finished.summary.run.id)

        assert simulator.state().writes == 3


def test_the_command_line_resumes_with_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`resume --check-remote` does not send what the tenant has got meanwhile."""
    move_to(tmp_path, monkeypatch)
    write_csv(Path("a.csv"), devices(2))
    with running(SimulatorSettings()) as simulator:
        here = ("--graph-url", simulator.service_root)
        call("import", "a.csv", "--limit", "1", *here)
        (stored,) = simulator.objects()
        names = ("deviceDisplayName", "certificateSerialNumber", "certificateThumbprint")
        changed = {name: cells_of(2)[name] for name in names}
        simulator.put(IOS, {name: text for name, text in stored.entity.items() if name != "id"} | changed)

        called = call("resume", "--check-remote", *here)

        assert (called.code, simulator.state().objects) == (ExitCode.OK, 2)
    assert "2 rows read = 1 already there + 1 created" in called.stdout


def test_the_command_line_retries_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`retry RUN` prints the run's summary; without RUN it is misused."""
    move_to(tmp_path, monkeypatch)
    write_csv(tmp_path / "a.csv", devices(2))
    with running(SimulatorSettings(script=(Fault.NONE, Fault.BAD_REQUEST_400))) as simulator:
        url = ("--graph-url", simulator.service_root)
        first = call("import", "a.csv", *url, "--concurrency", "1")
        (folder,) = (each for each in Path("runs").iterdir() if each.is_dir())
        again = call("retry", folder.name[-6:], *url)
        unnamed = call("retry", *url)

    assert (first.code, again.code) == (ExitCode.UNSETTLED, ExitCode.OK)
    assert "\n2 rows read = 2 created\n" in again.stdout
    assert [line for line in again.stdout.splitlines() if len(line) > 80 and not line.startswith("Service")] == []
    assert (unnamed.code, unnamed.stderr) == (
        ExitCode.USAGE,
        "certstate: Missing argument 'RUN'; see `certstate retry --help`\n",
    )
