"""Ctrl-C and SIGTERM in every phase of a real process; conftest leaves this file out on Windows."""

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from cli_cases import environ_of, program
from import_cases import Site, devices, totals_of
from test_kill import TOKEN, Arrivals

from pipeline.errors import ExitCode
from pipeline.simulator import Fault, ReadFault, RunningSimulator, SimulatorSettings, running

PATIENCE_S = 20.0
"""Far less than any of the waits that a signal has to end, and enough for a busy machine."""

EXIT_CODES = [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Ended(NamedTuple):
    """How a process ended, and all that it printed."""

    code: int
    text: str


class Process:
    """A program of ours on a pseudo terminal, or with its output in a pipe."""

    def __init__(self, site: Site, *arguments: str, on_terminal: bool) -> None:
        self.text = ""
        near_end, far_end = pty.openpty() if on_terminal else os.pipe()
        self._fd = near_end
        site.job()  # writes config.yaml
        self._process = subprocess.Popen(
            program("--config", str(site.folder / "config.yaml"), *arguments),
            stdin=far_end if on_terminal else subprocess.DEVNULL,
            stdout=far_end,
            stderr=far_end,
            cwd=site.folder,
            env=environ_of(GRAPH_TOKEN=TOKEN, TERM="xterm", COLUMNS="80"),
            start_new_session=True,
        )
        os.close(far_end)

    def read_until(self, text: str) -> None:
        """Read until the text has come."""
        while text not in self.text:
            self._read(f"{text!r} did not come")

    def signal(self, *numbers: int) -> None:
        """Send the signals."""
        for number in numbers:
            self._process.send_signal(number)

    def end(self) -> Ended:
        """Read what is left; fail unless the process ends soon."""
        try:
            while self._read("the process did not end"):
                pass
        except OSError:  # how Linux tells that the other end of a terminal was closed
            self.text += ""
        code = self._process.wait(PATIENCE_S)
        return Ended(code, ESCAPES.sub("", self.text).replace("\r", ""))

    def close(self) -> None:
        """End it, however it is."""
        self._process.kill()
        self._process.wait()
        os.close(self._fd)

    def _read(self, problem: str) -> str:
        readable, _, _ = select.select([self._fd], [], [], PATIENCE_S)
        assert readable, f"{problem} after {self.text!r}"
        chunk = os.read(self._fd, 65_536).decode()
        self.text += chunk
        return chunk


@contextmanager
def started(site: Site, *arguments: str, on_terminal: bool = False) -> Iterator[Process]:
    """Yield a process of the command line; it is killed at the end if it still runs."""
    process = Process(site, *arguments, on_terminal=on_terminal)
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
def arrivals() -> Arrivals:
    """What counts the requests of the simulator."""
    return Arrivals()


def last_run(site: Site) -> str:
    """Return the id of the latest run."""
    ((run_id,),) = site.select("SELECT id FROM runs ORDER BY number DESC LIMIT 1")
    return str(run_id)


def finish(site: Site, simulator: RunningSimulator) -> tuple[ExitCode, dict[str, int], int]:
    """Resume the latest run; return how that ended, and how many objects the tenant holds twice."""
    resumed = site.resumed(simulator.service_root, environ={"GRAPH_TOKEN": TOKEN})
    return resumed.exit_code, totals_of(resumed), simulator.state().duplicates


def tells_how_to_go_on(ended: Ended, site: Site, verb: str = "resume") -> bool:
    """Return whether the last line is the next command for the latest run."""
    command = rf"\n      certstate --config \S+ {verb} {last_run(site)} --graph-url http://\S+\n$"
    return re.search(command, ended.text) is not None


# --- before the first row leaves


@pytest.mark.parametrize(("number", "code"), EXIT_CODES)
def test_while_files_are_read_nothing_stays_behind(site: Site, number: int, code: ExitCode) -> None:
    """Neither a run nor its folder is left, and the same command begins anew."""
    file = site.write("a.csv", devices(20_000))
    with (
        running(SimulatorSettings()) as simulator,
        started(site, "import", str(file), "--graph-url", simulator.service_root, on_terminal=True) as process,
    ):
        process.read_until(" of ")  # the bar of reading
        process.signal(number)
        ended = process.end()
        requests = simulator.state().requests

    word = "terminated" if code is ExitCode.TERMINATED else "interrupted"
    assert ended.text.endswith(f"certstate: {word}; the same command again goes on, and sends no row twice\n")
    assert (ended.code, requests, site.select("SELECT * FROM runs"), list((site.folder / "runs").iterdir())) == (
        (code, 0, [], [])
    )


def test_while_the_tenant_is_looked_into(site: Site, arrivals: Arrivals) -> None:
    """An answer to a read is not waited for; nothing was sent, and `resume` looks again and sends."""
    file = site.write("a.csv", devices(5))
    settings = SimulatorSettings(read_script=(ReadFault.SILENT,))
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        with started(site, "import", str(file), "--graph-url", simulator.service_root) as process:
            arrivals.wait_for(1)
            process.signal(signal.SIGINT)
            ended = process.end()
        states = site.object_states()
        resumed = finish(site, simulator)

    assert (ended.code, states) == (ExitCode.INTERRUPTED, {"planned": 5})
    assert "Stopped: the run was interrupted." in ended.text
    assert "\n5 rows read = 5 unsent\n" in ended.text
    assert tells_how_to_go_on(ended, site)
    assert resumed == (ExitCode.OK, {"created": 5}, 0)


def test_while_a_plan_looks_into_the_tenant(site: Site, arrivals: Arrivals) -> None:
    """`plan --remote` ends at once and keeps nothing."""
    file = site.write("a.csv", devices(5))
    settings = SimulatorSettings(read_script=(ReadFault.SILENT,))
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        words = ("plan", str(file), "--remote", "--graph-url", simulator.service_root)
        with started(site, *words) as process:
            arrivals.wait_for(1)
            process.signal(signal.SIGTERM)
            ended = process.end()

    assert ended.code == ExitCode.TERMINATED
    assert ended.text.endswith("\ncertstate: terminated; nothing was sent\n")
    assert list((site.folder / "runs").iterdir()) == []


@pytest.mark.parametrize(("number", "code"), EXIT_CODES)
def test_while_the_question_is_asked(site: Site, number: int, code: ExitCode) -> None:
    """The signal is a no: the rows stay planned, the summary is printed, and `resume` asks again."""
    file = site.write("a.csv", devices(5))
    with started(site, "import", str(file), "--no-check-remote", on_terminal=True) as process:
        process.read_until("[y/N] ")
        process.signal(number)
        ended = process.end()

    assert (ended.code, site.object_states()) == (code, {"planned": 5})
    assert "Stopped: the run was interrupted." in ended.text
    assert "\n5 rows read = 5 unsent\n" in ended.text
    assert re.search(rf"\n      certstate --config \S+ resume {last_run(site)}\n$", ended.text)


# --- while rows are on their way


def test_while_an_outage_is_waited_out(site: Site) -> None:
    """The wait ends at once; what is in doubt is settled, and what was not sent goes out, by `resume`."""
    file = site.write("a.csv", devices(20))
    settings = SimulatorSettings(script=(Fault.NONE, *[Fault.ERROR_503] * 12))
    with running(settings) as simulator:
        words = ("import", str(file), "--concurrency", "2", "--graph-url", simulator.service_root)
        with started(site, *words) as process:
            process.read_until("the service answers with nothing usable")
            process.signal(signal.SIGTERM)
            ended = process.end()
        states = site.object_states()
        resumed = finish(site, simulator)

    assert ended.code == ExitCode.TERMINATED
    assert states["unknown"] in {10, 11}  # the tenth ends the round; one more may be under way
    assert states == {"created": 1, "unknown": states["unknown"], "planned": 19 - states["unknown"]}
    assert tells_how_to_go_on(ended, site)
    assert resumed == (ExitCode.OK, {"created": 20}, 0)


def test_while_a_lost_answer_is_settled(site: Site) -> None:
    """The settle time is not waited out: the row stays unknown, and `resume` settles it."""
    file = site.write("a.csv", devices(5))
    with running(SimulatorSettings(script=(Fault.NONE, Fault.DROP_BEFORE))) as simulator:
        with started(site, "import", str(file), "--graph-url", simulator.service_root) as process:
            process.read_until("reading the tenant back to settle 1 row")
            process.signal(signal.SIGINT)
            ended = process.end()
        states = site.object_states()
        resumed = finish(site, simulator)

    assert (ended.code, states) == (ExitCode.INTERRUPTED, {"created": 4, "unknown": 1})
    assert tells_how_to_go_on(ended, site)
    assert resumed == (ExitCode.OK, {"created": 5}, 0)


def test_while_everybody_is_told_to_wait(site: Site, arrivals: Arrivals) -> None:
    """A long Retry-After is not waited for: the refused rows are planned, none is in doubt."""
    file = site.write("a.csv", devices(6))
    settings = SimulatorSettings(quota=2, window_s=300.0)
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        words = ("import", str(file), "--concurrency", "1", "--graph-url", simulator.service_root)
        with started(site, *words) as process:
            arrivals.wait_for(4)  # the look into the tenant, two creates, a refusal
            process.signal(signal.SIGINT)
            ended = process.end()
        states = site.object_states()

    assert (ended.code, states) == (ExitCode.INTERRUPTED, {"created": 2, "planned": 4})
    assert tells_how_to_go_on(ended, site)


def test_a_second_ctrl_c_does_not_wait_for_answers(site: Site, arrivals: Arrivals) -> None:
    """Pressed again, Ctrl-C leaves what is under way in doubt and ends at once; `resume` finds it."""
    file = site.write("a.csv", devices(6))
    settings = SimulatorSettings(script=(Fault.NONE, Fault.SILENT, Fault.SILENT))
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        words = ("import", str(file), "--concurrency", "2", "--graph-url", simulator.service_root)
        with started(site, *words) as process:
            arrivals.wait_for(4)  # the look into the tenant, the canary, two without an answer
            process.signal(signal.SIGINT)
            process.read_until("waiting up to 30 s for the answers under way, 2")
            process.signal(signal.SIGINT)
            ended = process.end()
        states = site.object_states()
        resumed = finish(site, simulator)

    assert (ended.code, states) == (ExitCode.INTERRUPTED, {"created": 1, "unknown": 2, "planned": 3})
    assert tells_how_to_go_on(ended, site)
    assert resumed == (ExitCode.OK, {"created": 6}, 0)


# --- verify and undo


def created(site: Site, simulator: RunningSimulator, count: int) -> str:
    """Create so many objects and return the id of the run."""
    site.imported(simulator.service_root, site.write("a.csv", devices(count)), environ={"GRAPH_TOKEN": TOKEN})
    return last_run(site)


def test_while_a_run_is_verified(site: Site, arrivals: Arrivals) -> None:
    """What was not read is told, and the next command is the same one."""
    settings = SimulatorSettings(read_script=(ReadFault.NONE, ReadFault.SILENT))
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        run_id = created(site, simulator, 3)
        with started(site, "verify", run_id, "--graph-url", simulator.service_root) as process:
            arrivals.wait_for(1 + 3 + 1)
            process.signal(signal.SIGTERM)
            ended = process.end()

    assert (ended.code, site.object_states()) == (ExitCode.TERMINATED, {"created": 3})
    assert "3 rows created = 3 not read\nStopped: the verification was interrupted\n" in ended.text
    assert tells_how_to_go_on(ended, site, "verify")


def test_while_an_undo_asks(site: Site) -> None:
    """The signal is a no: nothing is deleted, and no undo is left to go on with."""
    with running(SimulatorSettings()) as simulator:
        run_id = created(site, simulator, 2)
        words = ("undo", run_id, "--graph-url", simulator.service_root)
        with started(site, *words, on_terminal=True) as process:
            process.read_until("[y/N] ")
            process.signal(signal.SIGINT)
            ended = process.end()
        left = len(simulator.objects())

    assert (ended.code, left, site.object_states(), last_run(site)) == (ExitCode.INTERRUPTED, 2, {"created": 2}, run_id)


def test_while_objects_are_deleted(site: Site, arrivals: Arrivals) -> None:
    """The answers under way are awaited, nothing is in doubt, and `resume` goes on with the undo."""
    with running(SimulatorSettings(latency_s=0.1), wall_clock=arrivals.wall_clock) as simulator:
        run_id = created(site, simulator, 12)
        words = ("undo", run_id, "--yes", "--concurrency", "1", "--graph-url", simulator.service_root)
        with started(site, *words) as process:
            arrivals.wait_for(1 + 12 + 4)  # each object is looked at and deleted
            process.signal(signal.SIGTERM)
            ended = process.end()
        deleted, states = simulator.state().deleted, site.object_states()
        is_told = tells_how_to_go_on(ended, site)
        resumed = finish(site, simulator)

    assert (ended.code, is_told) == (ExitCode.TERMINATED, True)
    assert (states, 2 <= deleted < 12) == ({"reversed": deleted, "planned": 12 - deleted}, True)
    assert resumed == (ExitCode.OK, {"reversed": 12}, 0)


def test_while_an_object_is_looked_at_before_its_delete(site: Site, arrivals: Arrivals) -> None:
    """A look that is never answered is given up at once: nothing was deleted, nothing is in doubt."""
    settings = SimulatorSettings(read_script=(ReadFault.NONE, ReadFault.SILENT, ReadFault.SILENT))
    with running(settings, wall_clock=arrivals.wall_clock) as simulator:
        run_id = created(site, simulator, 3)
        words = ("undo", run_id, "--yes", "--concurrency", "1", "--graph-url", simulator.service_root)
        with started(site, *words) as process:
            arrivals.wait_for(1 + 3 + 1)
            process.signal(signal.SIGINT)
            ended = process.end()
        left = len(simulator.objects())

    assert (ended.code, left, site.object_states()) == (ExitCode.INTERRUPTED, 3, {"planned": 3})
    assert "Stopped: the run was interrupted." in ended.text
    assert "\n3 rows to undo = 3 unsent\n" in ended.text
