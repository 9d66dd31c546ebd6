"""What stops a run, how far the stop reaches, and that `resume` goes on from there without a lost or doubled row."""

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from cli_cases import environ_of
from import_cases import IOS, TENANT_ID, FastTime, Site, cells_of, devices, totals_of
from ledger_cases import create
from test_kill import TOKEN, importing, plenty
from test_send import planned, sent

from pipeline.errors import ExitCode, LedgerError, UsageError
from pipeline.ledger import Ledger, open_ledger
from pipeline.model import Scope, Stop, StopReason
from pipeline.run import import_files, report_run
from pipeline.send import Progress, SendLimits
from pipeline.sending_run import Finished, OpenRun, send_plan
from pipeline.session import open_session
from pipeline.simulator import Fault, ReadFault, RetryAfterForm, RunningSimulator, SimulatorSettings, running
from pipeline.undo import undo_run

NOT_THERE = [Fault.NO_ROUTE_400, Fault.METHOD_NOT_ALLOWED_405, Fault.NOT_IMPLEMENTED_501]


def counts_of(site: Site) -> Counter[tuple[str, str]]:
    """Return how many rows want which operation and stand in which state, in the latest run."""
    query = "SELECT operation, state FROM rows WHERE run_id = (SELECT id FROM runs ORDER BY number DESC LIMIT 1)"
    return Counter((operation, state) for operation, state in site.select(query))


def mixed(site: Site, simulator: RunningSimulator) -> Finished:
    """Import two phones and a Mac, then a file that changes these and has three new devices; updates go as well."""
    macs = [cells_of(number, devicePlatform="macOS") for number in (8, 9)]
    site.imported(simulator.service_root, site.write("first.csv", [*devices(2), macs[0]]), concurrency="1")
    site.config = site.config.replace("send: {", "send: {on_changed: update, ")
    name = "Max Example"
    rows = [*devices(2, userDisplayName=name), macs[0] | {"userDisplayName": name}, *devices(2, first=3), macs[1]]
    return site.imported(simulator.service_root, site.write("second.csv", rows), concurrency="1")


# --- how far a systemic answer reaches


@pytest.mark.parametrize("fault", NOT_THERE, ids=str)
def test_a_route_without_updates_still_creates(site: Site, fault: Fault) -> None:
    """When a route does not implement PATCH only its updates are unsent; `resume` sends them once it does."""
    with running(SimulatorSettings(update_script=(fault,))) as simulator:
        finished = mixed(site, simulator)
        stopped = counts_of(site)
        resumed = site.resumed(simulator.service_root)
        state = simulator.state()

    assert stopped == {
        ("update", "unsent"): 2,
        ("update", "updated"): 1,  # the Mac's route has PATCH
        ("create", "created"): 3,
    }
    assert finished.exit_code is ExitCode.PREFLIGHT
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"updated": 3, "created": 3})
    assert (state.created, state.patched, state.duplicates, state.writes) == (6, 3, 0, 10)


@pytest.mark.parametrize("fault", NOT_THERE, ids=str)
def test_a_route_without_creates_still_updates(site: Site, fault: Fault) -> None:
    """When a route does not implement POST only its creates are unsent; updates of the same collection go."""
    script = (*[Fault.NONE] * 3, fault)  # the first file's three, then the first new phone
    with running(SimulatorSettings(script=script)) as simulator:
        finished = mixed(site, simulator)
        stopped = counts_of(site)
        resumed = site.resumed(simulator.service_root)
        state = simulator.state()

    assert stopped == {("update", "updated"): 3, ("create", "unsent"): 2, ("create", "created"): 1}
    assert finished.exit_code is ExitCode.PREFLIGHT
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"updated": 3, "created": 3})
    assert (state.created, state.duplicates, state.writes) == (6, 0, 10)


def test_refused_updates_keep_no_create_back(site: Site) -> None:
    """Creates and updates have canaries of their own: three refused updates say nothing about creating."""
    with running(SimulatorSettings(update_script=(Fault.BAD_REQUEST_400,) * 3)) as simulator:
        site.imported(simulator.service_root, site.write("first.csv", devices(5)))
        site.config = site.config.replace("send: {", "send: {on_changed: update, ")
        rows = [*devices(5, userDisplayName="Max Example"), *devices(3, first=6)]
        site.imported(simulator.service_root, site.write("second.csv", rows), concurrency="1")

    assert counts_of(site) == {("update", "rejected"): 3, ("update", "unsent"): 2, ("create", "created"): 3}


@pytest.mark.parametrize("fault", NOT_THERE, ids=str)
def test_a_route_without_deletes_stops_the_undo_of_that_route(site: Site, fault: Fault) -> None:
    """Objects of the other routes are deleted; the same undo goes on with the rest."""
    rows = [*devices(3), *devices(2, first=4, devicePlatform="macOS")]
    with running(SimulatorSettings(delete_script=(fault,))) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", rows))
        run_id = finished.summary.run.id
        undone = undo_run(run_id, site.job(simulator.service_root, concurrency="1"), include_adopted=False)
        stopped = counts_of(site)
        again = undo_run(run_id, site.job(simulator.service_root), include_adopted=False)
        left, state = simulator.objects(), simulator.state()

    assert stopped == {("delete", "unsent"): 3, ("delete", "reversed"): 2}
    assert undone.exit_code is ExitCode.PREFLIGHT
    assert (again.exit_code, totals_of(again), left) == (ExitCode.OK, {"reversed": 5}, ())
    assert state.deleted == 5


def test_a_tenant_that_forbids_the_look_before_a_delete_loses_no_object(site: Site) -> None:
    """Where objects may not be read none of them is deleted, at once and without waiting."""
    with running(SimulatorSettings(read_script=(ReadFault.NONE, ReadFault.FORBIDDEN_403))) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", devices(4)))
        began_s = site.time.clock()
        job = site.job(simulator.service_root, concurrency="1")
        undone = undo_run(finished.summary.run.id, job, include_adopted=False)
        left = len(simulator.objects())

    assert (undone.exit_code, left, site.time.clock() - began_s) == (ExitCode.PREFLIGHT, 4, 0.0)
    assert counts_of(site) == {("delete", "unsent"): 4}


class WithoutReads(BaseHTTPRequestHandler):
    """A service that implements no GET, and counts what it is asked."""

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        """Refuse."""
        self.asked["GET"] += 1
        self.send_error(405)

    def do_DELETE(self) -> None:
        """Obey."""
        self.asked["DELETE"] += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_values: object) -> None:
        """Print nothing."""


def test_a_route_that_cannot_be_looked_at_stops_its_deletes_at_once(site: Site) -> None:
    """Not being able to look is no outage that is waited out: one look for each route, no delete, exit 6."""
    rows = [*devices(9), *devices(9, first=10, devicePlatform="macOS")]
    server = ThreadingHTTPServer(("127.0.0.1", 0), WithoutReads)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        service_root = f"http://127.0.0.1:{server.server_port}/beta"
        with site.planned(service_root, rows) as (ledger, run_id):
            create(ledger, run_id)
        began_s = site.time.clock()
        undone = undo_run("run", site.job(service_root, concurrency="1"), include_adopted=False)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert WithoutReads.asked == {"GET": 2}
    assert (undone.exit_code, totals_of(undone)) == (ExitCode.PREFLIGHT, {"unsent": 18})
    assert site.time.clock() == began_s


def test_a_profile_that_is_not_there_is_left_out_by_the_look_into_the_tenant(site: Site) -> None:
    """A 404 to the look at one collection keeps its creates back and no other collection's."""
    rows = [*devices(2), *devices(2, first=3, devicePlatform="macOS")]
    with running(SimulatorSettings(read_script=(ReadFault.NOT_FOUND_404,))) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", rows), check_remote=True)
        stopped = Counter(dict(site.select("SELECT collection, count(*) FROM rows WHERE state = 'unsent'")))
        resumed = site.resumed(simulator.service_root)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.PREFLIGHT, {"created": 2, "unsent": 2})
    assert stopped == {IOS: 2}
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 4})
    assert (state.created, state.duplicates) == (4, 0)


def test_a_collection_that_cannot_be_looked_at_still_gets_its_updates(site: Site) -> None:
    """The look is for creates, which alone could make a second object."""
    with running(SimulatorSettings(read_script=(ReadFault.NONE, ReadFault.NOT_FOUND_404))) as simulator:
        site.imported(simulator.service_root, site.write("first.csv", devices(2)))
        site.config = site.config.replace("send: {", "send: {on_changed: update, ")
        rows = [*devices(2, userDisplayName="Max Example"), cells_of(3)]
        finished = site.imported(simulator.service_root, site.write("second.csv", rows), check_remote=True)

    assert finished.exit_code is ExitCode.PREFLIGHT
    assert counts_of(site) == {("update", "updated"): 2, ("create", "unsent"): 1}


def test_a_tenant_that_forbids_the_look_gets_no_row(site: Site) -> None:
    """A 403 to the first sweep stops the tenant: nothing leaves, exit 6, and `resume` looks and sends."""
    rows = [*devices(2), *devices(2, first=3, devicePlatform="macOS")]
    with running(SimulatorSettings(read_script=(ReadFault.FORBIDDEN_403,))) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", rows))
        refused = simulator.state()
        resumed = site.resumed(simulator.service_root)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.PREFLIGHT, {"unsent": 4})
    assert (refused.writes, refused.reads) == (0, 1)
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 4})
    assert state.duplicates == 0


def test_a_tenant_that_forbids_reading_back_keeps_the_row_in_doubt(site: Site) -> None:
    """A 403 to the sweep that settles a lost answer sends nothing twice: unknown, exit 7, and `resume` settles it."""
    settings = SimulatorSettings(
        script=(Fault.NONE, Fault.DROP_AFTER), read_script=(ReadFault.NONE, *[ReadFault.FORBIDDEN_403] * 2)
    )
    with running(settings) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", devices(4)), concurrency="1")
        resumed = site.resumed(simulator.service_root)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.UNKNOWN_ROWS, {"created": 3, "unknown": 1})
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 4})
    assert (state.writes, state.duplicates) == (4, 0)


# --- the error threshold and what is in doubt


def test_rows_in_doubt_that_turn_out_created_are_no_errors(site: Site) -> None:
    """At --max-errors the lost answers are looked for first; the run goes on when their objects are there."""
    script = (Fault.NONE, Fault.DROP_AFTER, Fault.NONE, Fault.ERROR_504_AFTER)

    result, state = sent(
        site, SimulatorSettings(script=script), devices(10), workers=1, limits=SendLimits(max_errors=0)
    )

    assert (result.stop, site.object_states()) == (None, {"created": 10})
    assert (state.writes, state.duplicates) == (10, 0)


def test_a_share_of_rows_in_doubt_that_turn_out_created_is_no_error(site: Site) -> None:
    """The same holds for a percentage, which counts from the 50th answer on."""
    script = (Fault.NONE, Fault.NONE, Fault.DROP_AFTER) * 20

    result, state = sent(
        site, SimulatorSettings(script=script), devices(60), workers=1, limits=SendLimits(max_errors_percent=10.0)
    )

    assert (result.stop, site.object_states()) == (None, {"created": 60})
    assert (state.writes, state.duplicates) == (60, 0)


def test_rows_in_doubt_that_came_to_nothing_are_errors(site: Site) -> None:
    """A lost answer whose object is not there counts: the run stops, exit 5, and `resume` can go on."""
    script = (Fault.NONE, Fault.DROP_BEFORE, Fault.NONE, Fault.DROP_AFTER)
    site.config = site.config.replace("max_errors: 100%", "max_errors: 0")
    with running(SimulatorSettings(script=script)) as simulator:
        file = site.write("a.csv", devices(10))
        finished = site.imported(simulator.service_root, file, concurrency="1")
        resumed = [site.resumed(simulator.service_root, concurrency="1") for _ in range(2)]
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.THRESHOLD, {"created": 1, "unsent": 9})
    assert [(each.exit_code, totals_of(each)) for each in resumed] == [(ExitCode.OK, {"created": 10})] * 2
    assert (state.created, state.duplicates) == (10, 0)


def test_rows_in_doubt_that_cannot_be_looked_for_stay_errors(site: Site) -> None:
    """When the tenant cannot be read nothing is known to be there: the run stops at its threshold."""
    settings = SimulatorSettings(script=(Fault.NONE, Fault.DROP_AFTER), read_script=(ReadFault.FORBIDDEN_403,))

    result, _ = sent(site, settings, devices(10), workers=1, limits=SendLimits(max_errors=0))

    assert result.stop == Stop(StopReason.THRESHOLD, "rows with errors: more than --max-errors 0")
    assert site.object_states() == {"created": 1, "unknown": 1, "unsent": 8}


# --- the ledger fails in mid-run


SAFE = (
    "; the rows that were done before are safe in the ledger, and this settles those that were under way and goes on "
    "with the rest: "
)


def ledger_of(site: Site) -> Path:
    """Return where the ledger lies."""
    return site.folder / "state" / "ledger.db"


def run_of(site: Site) -> str:
    """Return the id of the only run."""
    ((run_id,),) = site.select("SELECT id FROM runs")
    return str(run_id)


def test_a_full_disk_in_mid_run_loses_nothing(site: Site) -> None:
    """When the disk takes no more nothing leaves, exit 2 with the command that goes on; then each row is there once."""
    with importing(site, 60, plenty(latency_s=0.02)) as (process, simulator, arrivals, _):
        arrivals.wait_for(12)
        full = ledger_of(site).with_name("ledger.db-wal").stat().st_size
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (full, full))
        _, stderr = process.communicate(timeout=60)
        created, states = simulator.state().created, site.object_states()
        resumed = site.resumed(simulator.service_root, environ={"GRAPH_TOKEN": TOKEN})
        state = simulator.state()

    sentence = stderr.splitlines()[-1]
    assert process.returncode == ExitCode.USAGE
    assert sentence.startswith("certstate: ")
    assert f": the ledger cannot be used (disk I/O error); check that its disk is neither full nor failing{SAFE}" in (
        sentence
    )
    assert sentence.endswith(f" resume {run_of(site)} --graph-url {simulator.service_root}")
    assert states["created"] + states["sending"] + states["unknown"] >= created
    assert states["planned"] > 0
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 60})
    assert (state.created, state.duplicates) == (60, 0)


def test_a_full_disk_while_files_are_read_leaves_no_run_behind(site: Site) -> None:
    """Nothing was sent, and with room again the same file is imported anew."""
    with importing(site, 3_000, plenty()) as (process, simulator, _, file):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (900_000, 900_000))
        _, stderr = process.communicate(timeout=60)
        runs, writes = site.select("SELECT * FROM runs"), simulator.state().writes
        again = site.imported(simulator.service_root, file, environ={"GRAPH_TOKEN": TOKEN}, most_rows=1)

    assert process.returncode == ExitCode.USAGE
    assert stderr.splitlines()[-1].endswith(
        ": the ledger cannot be used (disk I/O error); check that its disk is neither full nor failing"
    )
    assert (runs, writes, totals_of(again)) == ([], 0, {"created": 1, "unsent": 2_999})


@pytest.mark.parametrize("name", ["created.csv", "report.json", "report.html"])
def test_a_report_that_cannot_take_its_place_loses_no_row(site: Site, name: str) -> None:
    """The rows are sent, exit 2 names the command that writes the report again, and it does."""
    with running(SimulatorSettings()) as simulator:
        first = site.imported(simulator.service_root, site.write("a.csv", devices(5)), most_rows=1)
        (first.folder / name).unlink()
        (first.folder / name).mkdir()
        with pytest.raises(UsageError) as refused:
            site.resumed(simulator.service_root)
        states = site.object_states()
        (first.folder / name).rmdir()
        reported = report_run(None, site.job(simulator.service_root))

    assert str(refused.value) == (
        f"{first.folder / name}: the report cannot be written (Is a directory); close the program that has the file "
        f"open, or make room, then write the report again: certstate report {first.summary.run.id}"
    )
    assert (states, totals_of(reported)) == ({"created": 5}, {"created": 5})


def test_a_full_disk_below_the_log_ends_nothing(site: Site) -> None:
    """A lost line of run.log is no lost row: the run goes on to its end."""
    with running(SimulatorSettings()) as simulator:
        first = site.imported(simulator.service_root, site.write("a.csv", devices(5)), most_rows=1)
        (first.folder / "run.log").unlink()
        (first.folder / "run.log").symlink_to("/dev/full")
        resumed = site.resumed(simulator.service_root)

    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 5})


def test_a_log_that_cannot_be_opened_ends_nothing(site: Site) -> None:
    """Where run.log should be lies a folder: the rows are sent all the same."""
    with running(SimulatorSettings()) as simulator:
        first = site.imported(simulator.service_root, site.write("a.csv", devices(5)), most_rows=1)
        (first.folder / "run.log").unlink()
        (first.folder / "run.log").mkdir()
        resumed = site.resumed(simulator.service_root)

    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 5})


def test_a_ledger_that_is_replaced_in_mid_run_gets_no_further_row(site: Site) -> None:
    """SQLite would go on in the file that nobody finds any more; put back, the old ledger goes on where it was."""
    with importing(site, 60, plenty(latency_s=0.02)) as (process, simulator, arrivals, _):
        arrivals.wait_for(12)
        ledger_of(site).rename(site.folder / "old.db")
        open_ledger(site.folder / "new.db", Scope(simulator.service_root, TENANT_ID)).close()
        (site.folder / "new.db").rename(ledger_of(site))
        _, stderr = process.communicate(timeout=60)
        writes = simulator.state().writes
        ledger_of(site).unlink()
        (site.folder / "old.db").rename(ledger_of(site))
        resumed = site.resumed(simulator.service_root, environ={"GRAPH_TOKEN": TOKEN})
        state = simulator.state()

    assert process.returncode == ExitCode.USAGE
    assert (
        ": the ledger was replaced or removed while it was in use; put back the one that was here before, because only "
        f"that one knows what was sent{SAFE}"
    ) in stderr.splitlines()[-1]
    assert writes < 60
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 60})
    assert (state.created, state.duplicates) == (60, 0)


@contextmanager
def locked_by_another(path: Path) -> Iterator[None]:
    """Let another program hold a write transaction on the ledger."""
    hold = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print('ok', flush=True)"
    )
    command = [sys.executable, "-c", f"{hold}; sys.stdin.read()", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "ok\n"
        yield


LOCKED = (
    "the ledger cannot be used (database is locked); another program, such as a database browser, keeps it locked; "
    "close that"
)


def test_a_ledger_that_another_program_keeps_locked_is_told(tmp_path: Path) -> None:
    """Opening it waits for the time-out and then says who may be in the way; what it holds stays as it is."""
    path, scope = tmp_path / "ledger.db", Scope("http://127.0.0.1/beta", TENANT_ID)
    open_ledger(path, scope).close()

    with locked_by_another(path), pytest.raises(LedgerError) as refused:
        open_ledger(path, scope, busy_timeout_ms=20)

    assert str(refused.value) == f"{path}: {LOCKED}"
    open_ledger(path, scope, busy_timeout_ms=20).close()


def test_a_ledger_that_is_locked_in_mid_run_ends_it_and_goes_on(site: Site) -> None:
    """A lock that outlasts the time-out ends the sending; what was under way is settled by the next call."""
    with running(SimulatorSettings()) as simulator:
        with planned(site, simulator.service_root, devices(30), workers=2) as sending:
            path, scope = ledger_of(site), sending.ledger.scope
            with closing(open_ledger(path, scope, busy_timeout_ms=20)) as impatient:
                other = locked_by_another(path)

                def on_progress(progress: Progress) -> None:
                    if progress.created == 5:
                        other.__enter__()

                sending.ledger, sending.on_progress = impatient, on_progress
                with pytest.raises(LedgerError) as failed:
                    asyncio.run(sending())
                other.__exit__(None, None, None)
        writes = simulator.state().writes
        resumed = site.resumed(simulator.service_root)
        state = simulator.state()

    assert str(failed.value) == f"{path}: {LOCKED}"
    assert writes <= 5 + 2
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 30})
    assert (state.created, state.duplicates) == (30, 0)


def overwrite_header(path: Path) -> None:
    """Destroy what says that this is a database."""
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)


def overwrite_middle(path: Path) -> None:
    """Destroy everything between the first tenth and the end."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 10)
        file.write(b"\xff" * (size - size // 10))


def cut_off(path: Path) -> None:
    """Lose the second half."""
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (overwrite_header, "file is not a database"),
        (overwrite_middle, "database disk image is malformed"),
        (cut_off, "database disk image is malformed"),
    ],
)
def test_a_damaged_ledger_sends_nothing_and_its_copy_goes_on(
    site: Site, damage: Callable[[Path], None], reason: str
) -> None:
    """What to do is told in one sentence; with the copy that was kept `resume` finishes."""
    with running(SimulatorSettings()) as simulator:
        site.imported(simulator.service_root, site.write("a.csv", devices(60)), most_rows=5)
        copy = ledger_of(site).read_bytes()
        damage(ledger_of(site))
        with pytest.raises(LedgerError) as refused:
            site.resumed(simulator.service_root)
        writes = simulator.state().writes
        ledger_of(site).write_bytes(copy)
        resumed = site.resumed(simulator.service_root)
        state = simulator.state()

    assert str(refused.value).startswith(
        f"{ledger_of(site)}: the ledger cannot be used ({reason}); if it is damaged, keep it and the files beside it, "
        "and restore a copy, then `resume` or `import` with --check-remote, because a copy does not know what was sent "
        "since; or name another place with --state: an import with a new ledger looks into the tenant "
    )
    assert writes == 5
    assert (resumed.exit_code, totals_of(resumed), state.duplicates) == (ExitCode.OK, {"created": 60}, 0)


def test_a_new_ledger_after_a_damaged_one_doubles_nothing(site: Site) -> None:
    """Where there is no copy an import with another ledger finds what is there already."""
    with running(SimulatorSettings()) as simulator:
        file = site.write("a.csv", devices(20))
        site.imported(simulator.service_root, file, most_rows=8)
        overwrite_header(ledger_of(site))
        finished = site.imported(simulator.service_root, file, state=site.folder / "new")
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"already there": 8, "created": 12})
    assert (state.created, state.duplicates) == (20, 0)


AS_NOBODY = """
import grp, os, pwd, sys
import pipeline.cli.jobs, pipeline.run
from pipeline.cli import main
from pipeline.ledger import open_ledger
from pipeline.model import Scope
from pathlib import Path
open_ledger(Path(sys.argv[1]), Scope("", "")).close()  # loads what this user may not read later
if os.getuid() == 0:
    os.setuid(65534)
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("mode_of_file", "mode_of_folder", "reason"),
    [
        (
            0o444,
            0o777,
            "the ledger cannot be opened for writing (Permission denied); make the folder writable, or name",
        ),
        (
            0o666,
            0o555,
            "the ledger cannot be used (attempt to write a readonly database); let this user write the file",
        ),
    ],
    ids=["file", "folder"],
)
def test_a_ledger_that_this_user_may_not_write_is_told(mode_of_file: int, mode_of_folder: int, reason: str) -> None:
    """Permissions bind whoever is not root: exit 2, one sentence, and the ledger is as it was."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        state = folder / "state"
        state.mkdir()
        ledger = state / "ledger.db"
        open_ledger(ledger, Scope("http://127.0.0.1:9/beta", "")).close()
        before = ledger.read_bytes()
        ledger.chmod(mode_of_file)
        state.chmod(mode_of_folder)
        words = ("report", "--graph-url", "http://127.0.0.1:9/beta", "--state", str(state))
        command = [sys.executable, "-c", AS_NOBODY, str(folder / "other.db"), *words]
        ended = subprocess.run(command, cwd=folder, env=environ_of(), capture_output=True, text=True, check=False)
        state.chmod(0o755)

        assert ledger.read_bytes() == before
    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, reason in last) == (ExitCode.USAGE, True), ended.stderr


# --- signals and clocks


def test_a_signal_between_two_phases_names_the_command_that_goes_on(site: Site) -> None:
    """While nothing is under way it ends the program at once, and the ledger is as it was."""

    def interrupting(_ledger: Ledger, _run_id: str) -> str:
        signal.raise_signal(signal.SIGINT)
        return ""

    with running(SimulatorSettings()) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", devices(5)), most_rows=2)
        job = site.job(simulator.service_root)
        with open_session(job, "a test") as session:
            run = OpenRun(session, finished.summary.run.id, finished.folder, job)
            with pytest.raises(KeyboardInterrupt) as signalled:
                send_plan(run, is_allowed=interrupting)
        resumed = site.resumed(simulator.service_root)

    assert str(signalled.value) == f"this goes on, and sends no row twice: certstate resume {run.id}"
    assert (resumed.exit_code, totals_of(resumed)) == (ExitCode.OK, {"created": 5})


@pytest.mark.parametrize("century", ["19", "21"])
def test_the_latest_run_is_the_last_one_begun_whatever_the_clock_said(site: Site, century: str) -> None:
    """The clock may be set back or forward between two runs: `resume` and `report` go by their order."""
    with running(SimulatorSettings()) as simulator:
        first = site.imported(simulator.service_root, site.write("a.csv", devices(4)), most_rows=1)
        with closing(sqlite3.connect(ledger_of(site))) as connection, connection:
            connection.execute("UPDATE runs SET started_at = ? || substr(started_at, 3)", (century,))
        second = site.imported(simulator.service_root, site.write("b.csv", devices(4, first=5)), most_rows=1)
        reported = report_run(None, site.job(simulator.service_root))
        resumed = [site.resumed(simulator.service_root) for _ in range(2)]
        state = simulator.state()

    assert reported.summary.run.id == second.summary.run.id
    assert [each.summary.run.id for each in resumed] == [second.summary.run.id, first.summary.run.id]
    assert (state.created, state.duplicates) == (8, 0)


@pytest.mark.parametrize("jump_s", [-7_200.0, 7_200.0])
def test_the_wall_clock_of_the_service_changes_no_wait(site: Site, jump_s: float) -> None:
    """A Retry-After date is counted from the answer's own date, so that hours between two clocks do not matter."""
    settings = SimulatorSettings(quota=2, window_s=30.0, retry_after=RetryAfterForm.DATE)
    wall_s = 1_700_000_000.0 + jump_s
    began_s = site.time.clock()
    with running(settings, clock=site.time.clock, wall_clock=lambda: wall_s + site.time.clock() - began_s) as simulator:
        finished = site.imported(simulator.service_root, site.write("a.csv", devices(4)), concurrency="1")

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 4})
    assert 29.0 <= site.time.clock() - began_s <= 120.0


def test_a_monotonic_clock_that_leaps_in_mid_run_loses_nothing(site: Site) -> None:
    """A machine that slept for hours between two answers goes on where it was."""

    class SleepyTime(FastTime):
        def leap(self, progress: Progress) -> None:
            if progress.created == 3:
                self.now_s += 36_000.0

    site.time = time = SleepyTime()
    with running(SimulatorSettings(script=(Fault.NONE, Fault.ERROR_504_AFTER))) as simulator:
        job = site.job(simulator.service_root, concurrency="1")
        job = replace(job, watch=job.watch._replace(sending=time.leap))
        finished = import_files([site.write("a.csv", devices(8))], job)
        state = simulator.state()

    assert (finished.exit_code, totals_of(finished)) == (ExitCode.OK, {"created": 8})
    assert (state.writes, state.duplicates) == (8, 0)
