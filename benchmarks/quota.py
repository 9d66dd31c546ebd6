"""How much of the quota is used, by certstate and by what people use otherwise: `python benchmarks/quota.py`.

1,000 rows go at 100 per 20 s, 40 rows at 10 per 2 s with `--quick`.

Each scenario has a simulated tenant in a process of its own, and a real `certstate import` (or a peer,
`quota_peers.py`) in another one. They run side by side, because nearly all of their time is waiting; they start one
after the other, so that no two spend their windows at the same moment. What was granted when is read in the tenant's
process every 50 ms; "elapsed" is from the first to the last granted request there. Linux and macOS.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from argparse import Namespace
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from chaos import PROFILES, TENANT_ID, rows_of, select, start
from measuring import Asked, Figure, median_of, options, publish

from pipeline.simulator import RetryAfterForm, SimulatorSettings, Window, running

HERE = Path(__file__).parent
POLL_S = 0.05
SETTLE_S = 3
SCEP = {
    "iOS": "microsoft.graph.iosScep",
    "macOS": "microsoft.graph.macOSScep",
    "androidForWork": "identityCertificate/microsoft.graph.androidForWorkScep",
}
COLLECTION = "deviceManagement/deviceConfigurations/{}/{}CertificateProfile/managedDeviceCertificateStates"
LEFT = 50
"""What the others leave of a window, in percent of the quota."""


@dataclass(frozen=True)
class Scenario:
    """One tenant and who sends to it."""

    name: str
    latency_s: float = 0.05
    window: Window = Window.SLIDING
    others_windows: float = 0.0  # for so many windows from the first request on, others leave half of the quota
    others: dict[str, bool] = field(default_factory=dict)  # further settings: refusals_count, without_retry_after
    sender: str = "certstate"
    repeats: int = 1
    is_killed: bool = False  # after a third of the rows, and resumed
    least_use: float | None = None  # asked, in percent
    most_refused: float | None = None  # asked, in percent of the rows created


class Measured(NamedTuple):
    """What came of a scenario."""

    use: float  # percent of what the window can grant in the elapsed time
    refused: float  # percent of the rows created
    created: int
    lost: int
    doubled: int
    elapsed_s: float
    note: str


SCENARIOS = (
    *(
        Scenario(f"sliding, {latency_s:g} s", latency_s, least_use=99.0 if latency_s < 1 else 95.0, most_refused=0.5)
        for latency_s in (0.05, 0.2, 2.0)
    ),
    *(
        # More than once: whether the tenant's window turns in the midst of a burst is up to chance.
        Scenario(f"fixed, {latency_s:g} s", latency_s, Window.FIXED, repeats=3, least_use=97.0, most_refused=0.5)
        for latency_s in (0.05, 0.2)
    ),
    Scenario("others all the time", others_windows=math.inf, least_use=95.0, most_refused=2.0),
    Scenario("others for 7.5 windows", others_windows=7.5, most_refused=2.0),
    Scenario("others, refusals count", others_windows=math.inf, others={"refusals_count": True}),
    Scenario("others, no Retry-After", others_windows=math.inf, others={"without_retry_after": True}),
    Scenario("kill -9 and resume", is_killed=True, most_refused=0.5),
    *(
        Scenario(f"{name} ({sender})", latency_s, sender=sender, others_windows=others_windows)
        for sender in ("loop", "sdk")
        for name, latency_s, others_windows in (("sliding, 0.2 s", 0.2, 0.0), ("others all the time", 0.05, math.inf))
    ),
)


class Quota(NamedTuple):
    """The quota of all scenarios, and how many rows are sent."""

    count: int
    window_s: float
    rows: int


def settings_of(scenario: Scenario, quota: Quota) -> SimulatorSettings:
    """Return how the scenario's tenant behaves. The tenant's quota is twice one app's, as Intune's is."""
    left = quota.count * LEFT // 100
    return SimulatorSettings(
        quota=quota.count,
        window_s=quota.window_s,
        tenant_quota=2 * quota.count,
        others=2 * quota.count - left if scenario.others_windows else 0,
        others_s=scenario.others_windows * quota.window_s,
        window=scenario.window,
        latency_s=scenario.latency_s,
        refusals_count=scenario.others.get("refusals_count", False),
        retry_after=RetryAfterForm.ABSENT if scenario.others.get("without_retry_after") else RetryAfterForm.SECONDS,
        page_size=1_000,
    )


# the tenant, in a process of its own


def serve(asked: Mapping[str, Any]) -> None:
    """Run the tenant until stdin ends; print its service root, and at the end what it granted when."""
    settings = SimulatorSettings(
        **asked | {"window": Window(asked["window"]), "retry_after": RetryAfterForm(asked["retry_after"])}
    )
    steps: list[tuple[float, int]] = []  # (clock, created so far)
    ended = threading.Event()
    with running(settings) as simulator:
        print(json.dumps(simulator.service_root), flush=True)

        def watch() -> None:
            while not ended.wait(POLL_S):
                created, now = simulator.state().created, time.monotonic()
                if created != (steps[-1][1] if steps else 0):
                    steps.append((now, created))

        watcher = threading.Thread(target=watch)
        watcher.start()
        sys.stdin.read()
        ended.set()
        watcher.join()
        state = simulator.state()
    print(json.dumps({"steps": steps, "refused": state.refused, "created": state.created, "doubled": state.duplicates}))


def grantable(scenario: Scenario, quota: Quota, steps: list[tuple[float, int]]) -> float:
    """Return how many requests the tenant's window could grant from the first to the last granted one."""
    began, ended = steps[0][0], steps[-1][0]
    left = quota.count * LEFT / 100 if scenario.others_windows else quota.count
    if scenario.window is Window.FIXED:
        return left * len({math.floor(at / quota.window_s) for at, _ in steps})
    elapsed, shared = ended - began, min(scenario.others_windows * quota.window_s, ended - began)
    if not scenario.others_windows or shared == elapsed:
        return left * (1 + elapsed / quota.window_s)
    # When the others end, the rest of the window is free at once.
    return left * (shared / quota.window_s) + quota.count * (1 + (elapsed - shared) / quota.window_s)


# the senders


def write_files(folder: Path, root: str, quota: Quota) -> None:
    """Write inventory.csv, config.yaml and, for the peers, requests.json."""
    rows = rows_of(quota.rows)
    header = list(rows[0])
    lines = [",".join(header), *(",".join(f'"{row[name]}"' for name in header) for row in rows)]
    (folder / "inventory.csv").write_text("\n".join(lines) + "\n", "utf-8")
    profiles = "".join(f"  - {{platform: {platform}, id: {guid}}}\n" for platform, guid in PROFILES.items())
    (folder / "config.yaml").write_text(
        f"tenant: {{id: {TENANT_ID}, graph_url: {root}}}\nprofiles:\n{profiles}"
        f"send: {{max_errors: 100%, quota: {quota.count}/{quota.window_s:g}s, settle_s: {SETTLE_S}}}\n",
        "utf-8",
    )
    requests = [
        (
            COLLECTION.format(PROFILES[row["devicePlatform"]], SCEP[row["devicePlatform"]]),
            {"@odata.type": "#microsoft.graph.managedDeviceCertificateState"}
            | row
            | {"certificateKeyLength": int(row["certificateKeyLength"])},
        )
        for row in rows
    ]
    (folder / "requests.json").write_text(json.dumps(requests), "utf-8")


def created_at(root: str) -> int:
    """Ask the tenant's process how many objects it has created."""
    with urllib.request.urlopen(f"{root.rpartition('/')[0]}/_simulator/state") as answer:  # noqa: S310 - loopback
        return int(json.load(answer)["created"])


def send(scenario: Scenario, quota: Quota, folder: Path, root: str, peer_python: str) -> str:
    """Send all rows; return what is worth telling, such as a failure."""
    if scenario.sender != "certstate":
        python = peer_python if scenario.sender == "sdk" else sys.executable
        arguments = [python, str(HERE / "quota_peers.py"), scenario.sender, root, "requests.json"]
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout.strip() if not done.returncode else f"failed: {done.stderr.strip()[-300:]}"
    process = start(folder, ["import", "inventory.csv"], token="bench")  # noqa: S106 - no secret
    note = ""
    if scenario.is_killed:
        while created_at(root) < quota.rows // 3 and process.poll() is None:
            time.sleep(0.05)
        process.kill()
        process.communicate()
        note = f"killed at {created_at(root)}; "
        process = start(folder, ["resume"], token="bench")  # noqa: S106 - no secret
    _, stderr = process.communicate()
    states = dict(select(folder, "SELECT state, count(*) FROM objects GROUP BY state"))
    note += ", ".join(f"{state} {count}" for state, count in states.items())
    return note if not process.returncode else f"{note}; exit code {process.returncode}: {stderr[-300:]}"


def measure(scenario: Scenario, quota: Quota, delay_s: float, peer_python: str) -> Measured:
    """Run one scenario, `delay_s` from now on."""
    time.sleep(delay_s)
    document = {**asdict(settings_of(scenario, quota))}
    for name in ("faults", "script", "update_script", "delete_script", "read_script", "profiles"):
        del document[name]
    with tempfile.TemporaryDirectory(prefix="quota-") as name:
        folder = Path(name)
        tenant = subprocess.Popen(
            [sys.executable, str(HERE / "quota.py"), "--serve", json.dumps(document)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        )
        if tenant.stdout is None:  # never, since it is piped
            raise AssertionError
        root = json.loads(tenant.stdout.readline())
        write_files(folder, root, quota)
        note = send(scenario, quota, folder, root, peer_python)
        served = json.loads(tenant.communicate()[0])
    steps, created = [(at, count) for at, count in served["steps"]], served["created"]
    if not created:
        return Measured(0.0, 0.0, 0, quota.rows, 0, 0.0, note)
    return Measured(
        use=100 * created / grantable(scenario, quota, steps),
        refused=100 * served["refused"] / created,
        created=created,
        lost=quota.rows - created + served["doubled"],
        doubled=served["doubled"],
        elapsed_s=steps[-1][0] - steps[0][0],
        note=note,
    )


# the table


def peer_of(scenario: Scenario) -> str:
    """Return the name of the loop's scenario that this one is compared with."""
    name = f"{scenario.name.partition(' (')[0]} (loop)"
    return name if scenario.sender != "loop" and name in {each.name for each in SCENARIOS} else ""


def figures_of(scenario: Scenario, got: Sequence[Measured]) -> tuple[list[Figure], list[Asked]]:
    """Return the scenario's lines of the table."""
    peer = peer_of(scenario)
    use, refused = f"{scenario.name}: use", f"{scenario.name}: refused"
    elapsed = ", ".join(f"{each.elapsed_s:.1f} s" for each in got)
    figures = [
        Figure(use, "%", tuple(each.use for each in got), f"{peer}: use" if peer else "", f"{elapsed}; {got[0].note}"),
        Figure(refused, "% of rows", tuple(each.refused for each in got), f"{peer}: refused" if peer else ""),
        Figure(
            f"{scenario.name}: lost",
            "rows",
            tuple(each.lost for each in got),
            note=f"created {sum(each.created for each in got)}, doubled {sum(each.doubled for each in got)}",
        ),
    ]
    asked = []
    if scenario.least_use is not None:
        asked.append(Asked(use, f"at least {scenario.least_use:g}", median_of(figures[0]) >= scenario.least_use))
    if scenario.most_refused is not None:
        asked.append(
            Asked(refused, f"at most {scenario.most_refused:g}", median_of(figures[1]) <= scenario.most_refused)
        )
    return figures, asked


def options_of() -> Namespace:
    """Return what was asked on the command line."""
    parser = options(__doc__)
    parser.add_argument("--only", default="", help="only scenarios whose names hold this")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has microsoft-kiota-http")
    parser.add_argument("--serve", help="used by the program itself")
    return parser.parse_args()


def main() -> int:
    """Run the scenarios side by side and publish what came of them."""
    asked = options_of()
    if asked.serve:
        serve(json.loads(asked.serve))
        return 0
    quota = Quota(10, 2.0, 40) if asked.quick else Quota(100, 20.0, 1_000)
    can_sdk = not subprocess.run(
        [asked.peer_python, "-c", "import kiota_http"], capture_output=True, check=False
    ).returncode
    chosen = [each for each in SCENARIOS if asked.only in each.name and (can_sdk or each.sender != "sdk")]
    started = [each for each in chosen for _ in range(each.repeats)]
    gap_s = quota.window_s / len(started)
    with ThreadPoolExecutor(len(started)) as pool:
        waiting = [
            pool.submit(measure, each, quota, number * gap_s, asked.peer_python) for number, each in enumerate(started)
        ]
        measured = list(zip(started, (each.result() for each in waiting), strict=True))
    lines = [figures_of(each, [got for scenario, got in measured if scenario is each]) for each in chosen]
    figures = [figure for part, _ in lines for figure in part]
    names = {each.name for each in figures}
    publish(
        f"Quota use: {quota.rows:,} rows at {quota.count}/{quota.window_s:g} s",
        [each if each.peer in names else each._replace(peer="") for each in figures],
        file_stem="quota",
        out=asked.out,
        notes=[
            "use: rows created, of what the window can grant from the first to the last granted request",
            *([] if can_sdk else ["the SDK's middleware is not installed here: the peers `sdk` are missing"]),
        ],
        asked=[each for _, part in lines for each in part],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
