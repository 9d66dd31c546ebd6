"""A real process in mid-run: killed, interrupted, or met by a second one. No row is lost, none is created twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from import_cases import Site, devices, totals_of

from pipeline.errors import ExitCode, LockHeldError
from pipeline.simulator import Fault, RunningSimulator, SimulatorSettings, running

ROOT = Path(__file__).parents[1]
TOKEN = "sentinel-token-5f1c9d"
WORKERS = 4
PATIENCE_S = 60.0

# The canary and nine others are answered; the next four, one for each worker, are created and never answered.
TEN_THEN_SILENCE = (*[Fault.NONE] * 10, *[Fault.SILENT] * WORKERS)


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
            assert self._changed.wait_for(lambda: self._count >= requests, PATIENCE_S)


@contextmanager
def importing(
    site: Site, rows: int, settings: SimulatorSettings
) -> Iterator[tuple["subprocess.Popen[str]", RunningSimulator, Arrivals, Path]]:
    """Yield a process that imports so many rows into a simulator; it is killed at the end if it still runs."""
    arrivals = Arrivals()
    file = site.write("inventory.csv", devices(rows))
    job = site.job()  # writes config.yaml
    options = ("--concurrency", str(WORKERS), "--quota", "10000/1s")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CERTSTATE_")}
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        command = ("--config", str(job.settings.folder / "config.yaml"), "import", str(file))
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *command, "--graph-url", simulator.service_root, *options],
            cwd=ROOT,
            env=environ | {"GRAPH_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process, simulator, arrivals, file
        finally:
            process.kill()
            process.communicate()


def plenty(*, script: tuple[Fault, ...] = (), latency_s: float = 0.0) -> SimulatorSettings:
    """Return a simulator whose quota does not matter."""
    return SimulatorSettings(quota=100_000, tenant_quota=100_000, token=TOKEN, script=script, latency_s=latency_s)


def assert_no_token(site: Site, *texts: str) -> None:
    """Fail when the token stands in a file below the site's folder or in one of the texts."""
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
    assert [text for text in texts if TOKEN in text] == []


@pytest.mark.parametrize("goes_on_by", ["resume", "import"])
def test_a_killed_run_goes_on_without_a_second_object(site: Site, goes_on_by: str) -> None:
    """After kill -9 `resume` and the same import create the rest; what was in flight is found in the tenant."""
    with importing(site, 30, plenty(script=TEN_THEN_SILENCE)) as (process, simulator, arrivals, file):
        arrivals.wait_for(15)  # the look into the tenant, and 14 rows
        process.kill()
        process.wait()
        at_death = site.object_states()
        environ = {"GRAPH_TOKEN": TOKEN}
        if goes_on_by == "resume":
            finished = site.resumed(simulator.service_root, environ=environ)
        else:
            finished = site.imported(simulator.service_root, file, environ=environ)
        once_more = site.imported(simulator.service_root, file, environ=environ)
        state = simulator.state()

    assert at_death == {"created": 10, "sending": 4, "planned": 16}
    assert site.notes == [
        ("rows that were under way when an earlier run ended: 4; they are unknown until the tenant is read back"),
        "reading the tenant back to settle 4 rows whose answer was lost, for up to 180 s",
    ]
    there = {"already there": 14, "created": 16} if goes_on_by == "import" else {"created": 30}
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, there)
    assert (once_more.exit_code, totals_of(once_more)) == (ExitCode.OK, {"already there": 30})
    assert (state.writes, state.created, state.duplicates) == (30, 30, 0)
    assert_no_token(site)


def test_a_run_that_is_killed_at_any_moment_accounts_for_each_row(site: Site) -> None:
    """Killed between answers that are slow, a run is resumed: each row is created once."""
    with importing(site, 40, plenty(latency_s=0.02)) as (process, simulator, arrivals, _):
        arrivals.wait_for(16)
        process.kill()
        process.wait()
        finished = site.resumed(simulator.service_root, environ={"GRAPH_TOKEN": TOKEN})
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 40})
    assert (state.created, state.objects, state.duplicates) == (40, 40, 0)


def test_a_second_import_is_told_which_run_holds_the_lock(site: Site) -> None:
    """While a process sends, an import for the same ledger and scope ends with exit 8 naming its run and process."""
    with importing(site, 30, plenty(script=TEN_THEN_SILENCE)) as (process, simulator, arrivals, file):
        arrivals.wait_for(15)  # the look into the tenant, and 14 rows
        with pytest.raises(LockHeldError) as held:
            site.imported(simulator.service_root, file, environ={"GRAPH_TOKEN": TOKEN})
        ((run_id,),) = site.select("SELECT id FROM runs")

        assert simulator.state().writes == 14
    assert held.value.exit_code is ExitCode.LOCKED
    assert f"is in use for {simulator.service_root} by run {run_id} (process {process.pid} on " in str(held.value)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_gently(site: Site, number: signal.Signals, exit_code: int) -> None:
    """After Ctrl-C or SIGTERM the answers under way are recorded, nothing is in doubt, and `resume` finishes."""
    with importing(site, 80, plenty(latency_s=0.1)) as (process, simulator, arrivals, _):
        arrivals.wait_for(3)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
        created = simulator.state().created
        at_end = site.object_states()
        ((run_id,),) = site.select("SELECT id FROM runs")
        finished = site.resumed(simulator.service_root, environ={"GRAPH_TOKEN": TOKEN})
        state = simulator.state()

    assert process.returncode == exit_code
    assert at_end == {"created": created, "planned": 80 - created}
    assert 3 <= created < 80
    assert "Stopped: the run was interrupted" in stdout
    assert f"resume {run_id}" in stdout
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 80})
    assert (state.writes, state.duplicates) == (80, 0)
    assert_no_token(site, stdout, stderr)


def test_the_second_signal_ends_a_run_at_once(site: Site) -> None:
    """When answers never come a second signal ends the run: what is in flight is unknown, the rest can be resumed."""
    with importing(site, 30, plenty(script=TEN_THEN_SILENCE)) as (process, simulator, arrivals, _):
        arrivals.wait_for(15)  # the look into the tenant, and 14 rows
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
        at_end = site.object_states()
        finished = site.resumed(simulator.service_root, environ={"GRAPH_TOKEN": TOKEN})
        state = simulator.state()

    assert process.returncode in {130, 143}  # two that wait together come in any order
    assert at_end == {"created": 10, "unknown": 4, "planned": 16}
    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 30})
    assert (state.writes, state.created, state.duplicates) == (30, 30, 0)
    assert_no_token(site, stdout, stderr)
