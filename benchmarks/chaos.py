"""Break everything on purpose, again and again, and count what is left: `python benchmarks/chaos.py --kills 200`.

Each run has a seed, which decides how the simulated tenant misbehaves: 5xx before and after the creation, dropped
connections, answers that never come, refusals, expiring tokens, short pages, objects that are seen late, reads that
fail. A real `certstate` process imports a file, is killed with SIGKILL at random moments, and is started again until it
is done; then it verifies the run, undoes it under the same conditions, and imports once more. After each step the
tenant, the ledger and the reports have to agree. A run that does not hold ends the program with exit code 1 and names
its seed.
"""

import argparse
import csv
import json
import os
import platform
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import __version__
from pipeline.simulator import FaultRates, RunningSimulator, SimulatorSettings, Window, running

ROOT = Path(__file__).parents[1]
TENANT_ID = "7a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
PROFILES = {
    "iOS": "0a1b2c3d-0000-4000-8000-000000000001",
    "macOS": "0a1b2c3d-0000-4000-8000-000000000002",
    "androidForWork": "0a1b2c3d-0000-4000-8000-000000000003",
}
SETTLE_S = 0.6
READ_DELAY_S = 0.2
MOST_STARTS = 80
"""A step that is not done after so many starts of the program does not end by itself: a defect."""

TOLD_TO_GO_ON = {4, 6, 7, -9}
"""Exit codes after which the run goes on: unsent rows, a refused token, unknown rows, and SIGKILL."""

FAULTS_OF_A_RUN = 4


class NotTrueError(AssertionError):
    """What certstate promises did not hold."""


@dataclass
class Counts:
    """What happened to one run, for the table."""

    seed: int
    rows: int
    starts: int = 0
    kills: int = 0
    created: int = 0  # requests that made an object, whether or not the client was told
    deleted: int = 0
    refused: int = 0
    unknown: int = 0  # rows whose outcome was unknown at some time
    adopted: int = 0  # rows whose object was found by reading back
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def select(folder: Path, query: str) -> list[tuple[object, ...]]:
    """Return what the ledger's file holds, read without any code of ours."""
    path = folder / "state" / "ledger.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return []


def start(folder: Path, words: list[str], *, token: str) -> "subprocess.Popen[str]":
    """Start the program on the configuration of the folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CERTSTATE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "--config", "config.yaml", "--output", "json", *words],
        cwd=folder,
        env=environ | {"PYTHONPATH": str(ROOT), "GRAPH_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass
class Chaos:
    """One run: its folder, its tenant, and the dice."""

    folder: Path
    simulator: RunningSimulator
    dice: random.Random
    counts: Counts
    kills_left: int

    def until_done(self, verb: str, *arguments: str) -> dict[str, object]:
        """Start the verb, kill it, start it again or go on with `resume`, until it is done; return its report."""
        words = [verb, *arguments]
        for _ in range(MOST_STARTS):
            code, answer = self.start(words)
            if code == 0:
                return answer
            if code not in TOLD_TO_GO_ON:
                raise NotTrueError(f"{' '.join(words)} ended with exit code {code}: {answer}")
            if verb == "import" and self._has_a_planned_run():
                words = self.dice.choice([["import", *arguments], ["resume", *options_of(arguments)]])
        raise NotTrueError(f"{verb} is not done after {MOST_STARTS} starts; the last answer was {answer}")

    def start(self, words: list[str]) -> tuple[int, dict[str, object]]:
        """Start the program once; return its exit code and its answer on stdout."""
        self.counts.starts += 1
        # A token of its own for each start: the simulator's tokens expire, as those of real tenants do.
        process = start(self.folder, words, token=f"token-{self.counts.starts}")
        if self.kills_left and self.dice.random() < 0.95:
            self._kill_some_time(process)
        stdout, stderr = process.communicate(timeout=600)
        with (self.folder / "stderr.log").open("a", encoding="utf-8") as log:
            log.write(f"--- {words}\n{stderr}")
        try:
            answer = json.loads(stdout) if stdout.strip() else {}
        except ValueError:
            answer = {"unreadable": stdout[-2_000:]}
        return process.returncode, answer or {"stderr": stderr[-2_000:]}

    def _kill_some_time(self, process: "subprocess.Popen[str]") -> None:
        """Kill the process after a random number of requests and some milliseconds, or at a random time."""
        requests = self.simulator.state().requests + self.dice.randint(1, 25)
        deadline = time.monotonic() + (self.dice.uniform(0.2, 3.0) if self.dice.random() < 0.2 else 60.0)
        while process.poll() is None and time.monotonic() < deadline:
            if self.simulator.state().requests >= requests:
                time.sleep(self.dice.uniform(0, 0.03))
                break
            time.sleep(0.002)
        if process.poll() is None:
            process.kill()
            self.kills_left -= 1
            self.counts.kills += 1

    def _has_a_planned_run(self) -> bool:
        return bool(self.select("SELECT 1 FROM runs WHERE planned_at IS NOT NULL AND verb = 'import'"))

    def select(self, query: str) -> list[tuple[object, ...]]:
        """Return what the ledger's file holds."""
        return select(self.folder, query)


def options_of(arguments: tuple[str, ...]) -> list[str]:
    """Return the options among the arguments."""
    return [each for each in arguments if each.startswith("--")]


def check(condition: bool, what: str, *values: object) -> None:
    """Raise NotTrueError unless the condition holds."""
    if not condition:
        raise NotTrueError(f"{what}: {values}")


def rows_of(count: int) -> list[dict[str, str]]:
    """Return so many valid rows of edition 1706 for three collections."""
    platforms = list(PROFILES)
    return [
        {
            "devicePlatform": platforms[number % len(platforms)],
            "certificateKeyUsage": "digitalSignature",
            "certificateProfileDisplayName": "Corp SCEP",
            "deviceDisplayName": f"DEVICE-{number:05}",
            "userDisplayName": "Erika Example",
            "serverUrl": "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
            "certificateExpirationDateTime": "2027-11-23T08:49:13.1234567Z",
            "lastCertificateStateChangeDateTime": "2026-11-23T08:49:13+01:00",
            "certificateIssuer": "CN=Contoso Issuing CA",
            "certificateThumbprint": f"{number + 1:040X}",
            "certificateSerialNumber": f"4A{number:06X}",
            "certificateKeyLength": "2048",
            "enhancedKeyUsage": "Client Authentication",
        }
        for number in range(count)
    ]


def settings_of(dice: random.Random, seed: int) -> SimulatorSettings:
    """Return a tenant that misbehaves in a few ways at a time."""
    write_faults = ("error_500", "error_502", "error_503", "error_504", "error_504_after", "drop_before", "drop_after")
    rates = dict.fromkeys(dice.sample(write_faults, FAULTS_OF_A_RUN), 0.0)
    rates |= {name: dice.choice([0.01, 0.03, 0.06]) for name in rates}
    rates |= {"silent": dice.choice([0.0, 0.0, 0.01]), "throttle_429": dice.choice([0.0, 0.03, 0.1])}
    rates |= {name: dice.choice([0.0, 0.02, 0.05]) for name in ("read_503", "read_drop", "read_half")}
    return SimulatorSettings(
        quota=dice.choice([40, 100, 100_000]),
        tenant_quota=100_000,
        window_s=dice.choice([1.0, 2.0]),
        window=dice.choice(list(Window)),
        refusals_count=dice.random() < 0.5,
        latency_s=dice.choice([0.0, 0.005, 0.03]),
        token_lifetime_s=dice.choice([None, None, 8.0]),
        page_size=dice.choice([3, 10, 100]),
        read_delay_s=dice.choice([0.0, READ_DELAY_S]),
        faults=FaultRates(**rates),
        seed=seed,
    )


@contextmanager
def prepared(folder: Path, settings: SimulatorSettings, *, rows: int, send: str) -> Iterator[RunningSimulator]:
    """Yield a running tenant, with inventory.csv and a config.yaml for it in the folder."""
    with (folder / "inventory.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows_of(1)[0]))
        writer.writeheader()
        writer.writerows(rows_of(rows))
    with running(settings) as simulator:
        profiles = "".join(f"  - {{platform: {platform}, id: {guid}}}\n" for platform, guid in PROFILES.items())
        (folder / "config.yaml").write_text(
            f"tenant: {{id: {TENANT_ID}, graph_url: {simulator.service_root}}}\nprofiles:\n{profiles}"
            f"send: {{max_errors: 100%, quota: {settings.quota}/{settings.window_s:g}s, {send}}}\n",
            "utf-8",
        )
        yield simulator


@contextmanager
def chaos_of(seed: int, rows: int, kills: int, folder: Path) -> Iterator[Chaos]:
    """Yield a run with its file, its configuration and its tenant."""
    dice = random.Random(seed)  # noqa: S311 - has to be repeatable, and guards no secret
    settings = settings_of(dice, seed)
    faults = (*settings.faults.of_writes(), *settings.faults.of_reads())
    counts = Counts(seed, rows, faults=[f"{name}={rate:g}" for name, rate in faults if rate])
    send = f"settle_s: {SETTLE_S}, timeout_s: 1, concurrency: {dice.choice([1, 4, 16])}"
    with prepared(folder, settings, rows=rows, send=send) as simulator:
        yield Chaos(folder, simulator, dice, counts, kills)


def check_created(folder: Path, simulator: RunningSimulator, rows: int) -> None:
    """Check that each row is one object with the values that were sent, and that the ledger says so."""
    stored = [(each.collection, dict(each.entity)) for each in simulator.objects()]
    names = Counter(str(entity["deviceDisplayName"]) for _, entity in stored)
    wanted = {row["deviceDisplayName"]: row for row in rows_of(rows)}
    check(set(names) == set(wanted), "rows are lost or invented", sorted(set(names) ^ set(wanted)))
    check(set(names.values()) <= {1}, "rows are doubled", [name for name, count in names.items() if count > 1])
    for _, entity in stored:
        row = wanted[str(entity["deviceDisplayName"])]
        sent = {name: str(value) for name, value in entity.items() if name not in {"id", "@odata.type"}}
        check(sent == row, "a value was changed", sent, row)
    ids = {(collection, str(entity["id"])) for collection, entity in stored}
    known = set(select(folder, "SELECT collection, graph_id FROM objects WHERE state IN ('created', 'updated')"))
    check(ids == known, "ledger and tenant disagree", ids ^ known)
    states = dict(select(folder, "SELECT state, count(*) FROM objects GROUP BY state"))
    check(states == {"created": rows}, "objects of the ledger are not all created", states)


def check_ledger(chaos: Chaos) -> None:
    """Check that the ledger finds no fault with itself, and each run accounts for each of its rows."""
    code, answer = chaos.start(["ledger", "check"])
    check(code == 0, "ledger check", answer)


def unknown_and_adopted(folder: Path) -> tuple[int, int]:
    """Return how many objects were in doubt at some time, and how many were found by reading back."""
    unknown = select(folder, "SELECT DISTINCT object_pk FROM events WHERE state = 'unknown'")
    return len(unknown), len(select(folder, "SELECT 1 FROM objects WHERE is_adopted = 1"))


def run_once(seed: int, *, rows: int, kills: int, folder: Path) -> Counts:
    """Import, verify, undo and import again under the seed's conditions. Raises NotTrueError where a promise breaks."""
    began = time.monotonic()
    with chaos_of(seed, rows, kills, folder) as chaos:
        counts, tenant = chaos.counts, chaos.simulator
        chaos.until_done("import", "inventory.csv")
        check_created(folder, tenant, rows)
        counts.unknown, counts.adopted = unknown_and_adopted(folder)
        run_ids = [str(each) for (each,) in chaos.select("SELECT DISTINCT run_id FROM rows WHERE state = 'created'")]
        for run_id in run_ids:
            chaos.until_done("verify", run_id)
        check_created(folder, tenant, rows)
        for run_id in run_ids:
            chaos.until_done("undo", run_id, "--include-adopted", "--yes")
        left = tenant.objects()
        check(not left, "objects are left after the undo", left)
        states = dict(chaos.select("SELECT state, count(*) FROM objects GROUP BY state"))
        check(states == {"reversed": rows}, "objects of the ledger are not all reversed", states)
        chaos.until_done("import", "inventory.csv")
        check_created(folder, tenant, rows)
        chaos.kills_left = 0
        check_ledger(chaos)
        state = tenant.state()
        counts.created, counts.deleted, counts.refused = state.created, state.deleted, state.refused
        counts.seconds = round(time.monotonic() - began, 1)
        return counts


def table_of(runs: list[Counts]) -> str:
    """Return the runs as a Markdown table with their sums."""
    names = ("seed", "rows", "starts", "kills", "created", "deleted", "refused", "unknown", "adopted", "seconds")
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(str(getattr(run, name)) for name in names)} |" for run in runs]
    sums = [f"{sum(getattr(run, name) for run in runs):,.0f}" for name in names[1:]]
    return "\n".join([*lines, f"| **all** | {' | '.join(sums)} |"])


def main() -> int:
    """Run as often as asked, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000, help="at most so many runs")
    parser.add_argument("--kills", type=int, default=20, help="until the program was killed so often in all")
    parser.add_argument("--rows", type=int, default=120, help="rows of each run")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run")
    parser.add_argument("--kills-per-run", type=int, default=25)
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    done: list[Counts] = []
    while len(done) < asked.runs and sum(run.kills for run in done) < asked.kills:
        seed = asked.seed + len(done)
        with tempfile.TemporaryDirectory(prefix=f"chaos-{seed}-") as folder:
            try:
                run = run_once(seed, rows=asked.rows, kills=asked.kills_per_run, folder=Path(folder))
            except NotTrueError as problem:
                log = Path(folder) / "stderr.log"
                print(f"seed {seed}: {problem}\n{log.read_text('utf-8')[-4_000:] if log.exists() else ''}")
                return 1
        done.append(run)
        print(
            f"seed {seed}: {run.kills} kills in {run.starts} starts, {run.unknown} unknown, {run.adopted} found by "
            f"reading back, {run.seconds:.0f} s; {', '.join(run.faults)}",
            flush=True,
        )
    print(f"\n{table_of(done)}")
    if asked.json:
        machine = {"python": platform.python_version(), "system": platform.platform(), "certstate": __version__}
        figures = {"machine": machine, "runs": [vars(run) for run in done]}
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
