"""How fast the ledger takes rows in, plans them and writes what becomes of them: `python benchmarks/ledger.py`.

Durable, as in an import: write-ahead log, synchronous=FULL. The peer is the floor: sqlite3's own executemany with
tuples into tables of the same shape, without our checks. `resume` is measured as the calls from opening the ledger to
the first rows that are handed to the sender; what the whole command needs beside that is start-up.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import NamedTuple

from measuring import Asked, Figure, options, publish

from pipeline.ledger import (
    Ledger,
    NewRun,
    NewSource,
    add_source,
    apply_transitions,
    begin_run,
    find_run,
    load_pacing,
    next_planned,
    open_ledger,
    plan_again,
    plan_run,
    planned_lanes,
    replan_settled,
    run_info,
    settle_leftovers,
    stage_rows,
    state_counts,
    unknown_rows,
)
from pipeline.model import Answer, Operation, PlannedRow, Request, Scope, StagedRow, State, Transition

STEM = "ledger"
ROWS, QUICK_ROWS = 1_000_000, 20_000
CHUNK = 5_000
GROUPS = {500: 40_000, 20: 4_000, 1: 400}
"""Steps in a group -> rows that are sent, each with two steps."""

REPEATS = 3
SCOPE = Scope("https://graph.microsoft.com/beta", "11111111-1111-4111-8111-111111111111")
RUN = "20261124T004711Z-inventory-3f9a1c"
COLLECTION = (
    "deviceManagement/deviceConfigurations/{}/microsoft.graph.{}CertificateProfile/managedDeviceCertificateStates"
)
KINDS = ("iosScep", "macOSScep", "androidScep", "androidForWorkScep", "windows81SCEP", "windows10Scep")
COLLECTIONS = [COLLECTION.format(f"32833106-536e-45df-80b2-d002cc92d33{at}", kind) for at, kind in enumerate(KINDS)]
PROPERTIES = (
    "devicePlatform",
    "certificateKeyUsage",
    "certificateProfileDisplayName",
    "deviceDisplayName",
    "userDisplayName",
    "serverUrl",
    "certificateExpirationDateTime",
    "lastCertificateStateChangeDateTime",
    "certificateIssuer",
    "certificateThumbprint",
    "certificateSerialNumber",
    "certificateKeyLength",
    "enhancedKeyUsage",
)


class Spent(NamedTuple):
    """Seconds that a piece of work took."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: tuple[float, ...]) -> "Spent":
        """Return both together."""
        return Spent(self.wall_s + other[0], self.cpu_s + other[1])


def spent(work: Callable[[], object]) -> Spent:
    """Return what the work took of this process."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def chunks_of(rows: int) -> Iterator[list[StagedRow]]:
    """Yield chunks of valid rows as ingest makes them: 14 cells, a body of some 600 bytes, six collections in turn."""
    random = Random(7)  # noqa: S311 - invented rows
    for first in range(0, rows, CHUNK):
        yield [_row(at, random) for at in range(first, min(first + CHUNK, rows))]


def _row(at: int, random: Random) -> StagedRow:
    thumbprint, serial = f"{random.getrandbits(160):040X}", f"{random.getrandbits(144):036X}"
    day = f"2027-{at % 12 + 1:02d}-{at % 28 + 1:02d}T10:00:00Z"
    cells = (
        *("androidForWork", "digitalSignature", "Contoso SCEP Android", f"DEV-{at:07d}", "Ben Ito"),
        *("https://ndes.contoso.com/certsrv/mscep/mscep.dll", day, "2026-05-26T09:35:23Z", "CN=Contoso Issuing CA 1"),
        *(thumbprint, serial, "2048", "Client Authentication (1.3.6.1.5.5.7.3.2)"),
    )
    pairs = ",".join(f'"{name}":"{cell}"' for name, cell in zip(PROPERTIES, cells, strict=True))
    body = f"{{{pairs}}}".encode()
    key, fingerprint = (blake2b(each, digest_size=16).hexdigest() for each in (thumbprint.encode(), body))
    request = Request(Operation.CREATE, COLLECTIONS[at % len(COLLECTIONS)], body, key, fingerprint)
    return StagedRow(at + 2, (*cells, "32833106-536e-45df-80b2-d002cc92d330"), cells[0], request, ())


def stage(ledger: Ledger, rows: int) -> Spent:
    """Stage so many rows; making them is not counted."""
    begin_run(ledger, NewRun(RUN, "import", "1706", "runs/1", "1.0", "hash"))
    source = add_source(ledger, RUN, NewSource("inventory.csv", None, "sha", "utf-8", ",", PROPERTIES), ())
    total = Spent(0.0, 0.0)
    for chunk in chunks_of(rows):
        total += spent(lambda chunk=chunk: stage_rows(ledger, RUN, source, chunk, blank_rows=0))
    return total


def stage_plainly(path: Path, model: Path, rows: int) -> Spent:
    """Insert as many rows into tables and indexes of the same shape, by sqlite3 alone."""
    with closing(sqlite3.connect(model)) as connection:
        query = (
            "SELECT sql FROM sqlite_master WHERE tbl_name IN ('rows', 'row_cells', 'row_bodies') AND sql IS NOT NULL"
        )
        shape = [sql for (sql,) in connection.execute(query) if "TRIGGER" not in sql]
    total = Spent(0.0, 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *shape):
            connection.execute(statement)
        at = 1
        for chunk in chunks_of(rows):
            lines = [
                (pk, RUN, 1, row.row_number, "staged", row.platform, row.request.collection, row.request.key)
                for pk, row in enumerate(chunk, at)
                if row.request
            ]
            cells = [(pk, "\t".join(row.cells)) for pk, row in enumerate(chunk, at)]
            bodies = [(pk, row.request.body) for pk, row in enumerate(chunk, at) if row.request]
            at += len(chunk)
            total += spent(lambda data=(lines, cells, bodies): _insert(connection, *data))
    return total


def _insert(connection: sqlite3.Connection, lines: list[object], cells: list[object], bodies: list[object]) -> None:
    columns = "pk, run_id, source_pk, row_number, state, platform, collection, key"
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(f"INSERT INTO rows ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lines)  # noqa: S608 - above
    connection.executemany("INSERT INTO row_cells VALUES (?, ?)", cells)
    connection.executemany("INSERT INTO row_bodies VALUES (?, ?)", bodies)
    connection.execute("COMMIT")


def send(ledger: Ledger, rows: Sequence[PlannedRow], size: int) -> Spent:
    """Write intent and outcome of the rows in groups of so many steps; making the steps is not counted."""
    total = Spent(0.0, 0.0)
    for first in range(0, len(rows), size):
        group = rows[first : first + size]
        sending = [Transition(row, State.SENDING, 1, Answer(client_request_id=_id(row))) for row in group]
        created = [
            Transition(row, State.CREATED, 1, Answer(201, _id(row, 7919), "", "", _id(row, 17), _id(row)))
            for row in group
        ]
        total += spent(lambda steps=sending: apply_transitions(ledger, steps))
        total += spent(lambda steps=created: apply_transitions(ledger, steps))
    return total


def _id(row: PlannedRow, spread: int = 1) -> str:
    """Return an id as a service gives it: in no order."""
    number = row.row_pk * spread * 2_654_435_761 % 2**32
    return f"{number:08x}-4f89-41d3-9a0c-{row.row_pk:012x}"


def send_plainly(path: Path, rows: Sequence[PlannedRow], size: int) -> Spent:
    """Move as many rows and objects by sqlite3's executemany, one statement for each, in a ledger with its triggers."""
    total = Spent(0.0, 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        for first in range(0, len(rows), size):
            group = rows[first : first + size]
            for state in ("sending", "created"):
                moved = [(state, _id(row, 7919), row.object_pk) for row in group]
                written = [(state, 1, 201, _id(row, 17), _id(row), row.row_pk) for row in group]
                total += spent(lambda data=(moved, written): _update(connection, *data))
    return total


def _update(connection: sqlite3.Connection, moved: list[object], written: list[object]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("UPDATE objects SET state = ?, graph_id = ? WHERE pk = ?", moved)
    names = ("state", "attempts", "http_status", "request_id", "client_request_id")
    values = ", ".join(f"{name} = ?" for name in names)
    connection.executemany(f"UPDATE rows SET {values} WHERE pk = ?", written)  # noqa: S608 - the names above
    connection.execute("COMMIT")


def resume(path: Path) -> None:
    """Do what `resume` asks of the ledger from opening it to the first rows that it sends."""
    with closing(open_ledger(path, SCOPE)) as ledger:
        settle_leftovers(ledger)
        load_pacing(ledger, "app", 20.0)
        run = find_run(ledger, None, prefer_waiting=True)
        plan_again(ledger, run.id)
        state_counts(ledger, run.id)  # the error threshold
        unknown_rows(ledger, run.id)
        replan_settled(ledger, run.id, updates=False)
        run_info(ledger, run.id)
        state_counts(ledger, run.id)  # the question
        state_counts(ledger, run.id)  # errors before sending
        for lane in planned_lanes(ledger, run.id):
            next_planned(ledger, run.id, lane.collection, operation=lane.operation, after_pk=0, most=200)


def both(name: str, times: Sequence[Spent], count: int, *, peer: str = "", note: str = "") -> list[Figure]:
    """Return how many a second, of processor time and by the clock."""
    other = {kind: f"{peer}, {kind}" if peer else "" for kind in ("processor", "wall")}
    return [
        Figure(f"{name}, processor", "/s", tuple(count / each.cpu_s for each in times), other["processor"], note),
        Figure(f"{name}, wall", "/s", tuple(count / each.wall_s for each in times), other["wall"], note),
    ]


def rows_to_send(ledger: Ledger, most: int, after_pk: int) -> list[PlannedRow]:
    """Return the next planned rows of the first collection."""
    return next_planned(ledger, RUN, COLLECTIONS[0], after_pk=after_pk, most=most)


def main() -> None:
    """Measure staging, planning, resuming and sending, each beside its floor."""
    asked = options(__doc__).parse_args()
    rows = QUICK_ROWS if asked.quick else ROWS
    sizes = {size: most // 40 if asked.quick else most for size, most in GROUPS.items()}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger.db"
        ledger = open_ledger(path, SCOPE)
        staged = stage(ledger, rows)
        planned = spent(lambda: plan_run(ledger, RUN))
        ledger.close()
        row_bytes = path.stat().st_size / rows
        plain = stage_plainly(Path(name) / "plain.db", path, rows)
        resumed = [spent(lambda: resume(path)) for _ in range(REPEATS)]

        figures = both("rows inserted by sqlite3 alone", [plain], rows)
        figures += both("rows staged", [staged], rows, peer="rows inserted by sqlite3 alone")
        figures += both("rows planned", [planned], rows)
        figures.append(Figure("ledger, a planned row", "bytes", (row_bytes,)))
        figures.append(Figure("resume to the first rows, wall", "s", tuple(each.wall_s for each in resumed)))
        figures.append(Figure("resume to the first rows, processor", "s", tuple(each.cpu_s for each in resumed)))
        after_pk = 0
        for size, most in sizes.items():
            ours, theirs = [], []
            for _ in range(REPEATS):
                with closing(open_ledger(path, SCOPE)) as ledger:
                    group, other = (rows_to_send(ledger, most // REPEATS, after_pk), [])
                    ours.append(send(ledger, group, size))
                    other = rows_to_send(ledger, len(group), group[-1].row_pk)
                theirs.append(send_plainly(path, other, size))
                after_pk = other[-1].row_pk
            steps = 2 * (most // REPEATS)
            peer = f"updates by sqlite3 alone in groups of {size}"
            figures += both(peer, theirs, steps, note="not all columns, no cells dropped")
            figures += both(f"steps in groups of {size}", ours, steps, peer=peer)
    judged = [
        Asked("rows staged, wall", "at least 25,000", rows / staged.wall_s >= 25_000),
        Asked("resume to the first rows, wall", "at most 2", max(each.wall_s for each in resumed) <= 2),
    ]
    notes = [
        f"{rows:,} rows of 14 cells; each row sent takes two steps, `sending` and `created`",
        "steps are written with their events, as single-row updates of sqlite3 are: by the same triggers",
    ]
    publish("Ledger", figures, file_stem=STEM, out=asked.out, notes=notes, asked=judged)


if __name__ == "__main__":
    main()
