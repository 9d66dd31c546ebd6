"""Rows sent a second where no quota holds them up: `python benchmarks/throughput.py [--quick] [--out DIR]`.

A whole `certstate import` sends to stand_in.py in a process of its own, with the ledger on (SQLite, synchronous=FULL),
once with one row in each request and once in batches. The figure is that of the sending phase, from the first row to
the last outcome that is durable, as run.log has it; reading the file is not part of it. The peer is the client of
Microsoft's SDK with its default middleware, which posts the same bodies to the same stand-in, one by one and 64 at a
time, and keeps no ledger.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import inventories
from measuring import Asked, Figure, median_of, options, publish, run

HERE = Path(__file__).parent
WORKERS = 64
"""Requests in flight, for certstate (what `concurrency: auto` comes to at such a quota) and for its peer."""

QUOTA = "999999/1s"
SINGLE = "single: one row in each request"
BATCH = "batch: up to 20 rows in each request"
SDK = "Microsoft's SDK, one by one, no ledger"
ROWS = {SINGLE: 20_000, BATCH: 100_000, SDK: 2_000}
QUICK_ROWS = {SINGLE: 2_000, BATCH: 10_000, SDK: 200}


SHARED = (
    "The stand-in and certstate share the cores. The processor time is that of the whole process of certstate, reading "
    "the file included."
)


class Sent(NamedTuple):
    """How one import was sent."""

    rows_per_s: float
    cpu_s: float  # of the whole process, reading the file included


@contextmanager
def stand_in() -> Iterator[str]:
    """Yield the service root of a stand-in that runs until the block ends."""
    with subprocess.Popen(
        [sys.executable, HERE / "stand_in.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is not None:
            yield process.stdout.readline().strip()


def send(mode: str, inventory: Path, rows: int, root: str) -> Sent:
    """Import the inventory with a new ledger. Raises ValueError unless each row is created under an id of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(inventories.CONFIG, "utf-8")
        words = ("--quota", QUOTA, "--concurrency", str(WORKERS), "--no-check-remote", "--yes")
        usage = run(
            [
                *(sys.executable, "-m", "pipeline", "--config", folder / "config.yaml"),
                *("import", inventory, "--graph-url", root, *words),
            ],
            env={**os.environ, "GRAPH_TOKEN": "benchmark", "CERTSTATE_SEND__MODE": mode},
        )
        (log,) = folder.glob("runs/*/run.log")
        ended = json.loads(log.read_text("utf-8").splitlines()[-1])
        with closing(sqlite3.connect(folder / "state" / "ledger.db")) as ledger:
            query = "SELECT count(DISTINCT graph_id) FROM objects WHERE state = 'created'"
            ((created,),) = ledger.execute(query).fetchall()
    if (ended["event"], ended["requests"], created) != ("ended", rows, rows):
        raise ValueError(f"{created} of {rows} rows were created; the last line of run.log is {ended}")
    return Sent(rows / ended["elapsed_s"], usage.cpu_s)


async def post_with_sdk(root: str, rows: int) -> float:
    """Return the rows a second that the SDK's client posts, its default middleware around it."""
    from kiota_http.kiota_client_factory import KiotaClientFactory  # noqa: PLC0415 - installed only where it is measured
    from msgraph_core import GraphClientFactory  # noqa: PLC0415 - as above

    url = f"{root}/deviceManagement/deviceConfigurations/x/microsoft.graph.y/managedDeviceCertificateStates"
    columns = inventories.header_of()
    (block, _), *_ = inventories.blocks_of(rows)
    bodies = iter([dict(zip(columns, cells, strict=False)) for cells in list(block)[:rows]])
    client = GraphClientFactory.create_with_default_middleware(client=KiotaClientFactory.get_default_client())

    async def work() -> None:
        for body in bodies:
            answer = await client.post(url, json=body, headers={"Authorization": "Bearer benchmark"})
            answer.raise_for_status()

    async with client:
        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(WORKERS)))
        return rows / (time.perf_counter() - began)


def main() -> None:
    """Measure, print and write the figures."""
    asked = options(__doc__).parse_args()
    counts, repeats = (QUICK_ROWS, 1) if asked.quick else (ROWS, 5)
    has_sdk = bool(find_spec("msgraph_core") and find_spec("kiota_http"))
    values: dict[str, list[float]] = {name: [] for name in counts}
    cpu: dict[str, list[float]] = {SINGLE: [], BATCH: []}
    with tempfile.TemporaryDirectory() as name, stand_in() as root:
        for mode in (SINGLE, BATCH):
            inventories.write(Path(name) / f"{counts[mode]}.csv", counts[mode])
        for _ in range(repeats):
            for mode in (SINGLE, BATCH):
                rows = counts[mode]
                sent = send(mode.partition(":")[0], Path(name) / f"{rows}.csv", rows, root)
                values[mode].append(sent.rows_per_s)
                cpu[mode].append(sent.cpu_s / rows * 1e6)
            if has_sdk:
                values[SDK].append(asyncio.run(post_with_sdk(root, counts[SDK])))
    peer = SDK if has_sdk else ""
    single, batch = (Figure(mode, "rows/s", tuple(values[mode]), peer) for mode in (SINGLE, BATCH))
    publish(
        "Rows sent a second without a quota, each with its intent and outcome durable",
        [
            single,
            batch,
            Figure(SDK, "rows/s", tuple(values[SDK])),
            *(Figure(f"{mode.partition(':')[0]}, processor time", "us/row", tuple(cpu[mode])) for mode in cpu),
        ],
        file_stem="throughput",
        out=asked.out,
        asked=[
            Asked(SINGLE, "at least 2,000", median_of(single) >= 2_000),
            Asked(BATCH, "at least 15,000", median_of(batch) >= 15_000),
        ],
        notes=[
            SHARED,
            *([] if has_sdk else ["msgraph-core and microsoft-kiota-http are not installed: no peer was measured."]),
        ],
    )


if __name__ == "__main__":
    main()
