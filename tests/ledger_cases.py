"""What the tests of the ledger share: a scope, rows, a run in one call, and what a ledger says in short."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.findings import Code, Finding, finding
from pipeline.ledger import (
    Ledger,
    NewRun,
    NewSource,
    UndoPlan,
    add_source,
    apply_transitions,
    begin_run,
    begin_undo,
    next_planned,
    open_ledger,
    plan_run,
    planned_collections,
    report_rows,
    source_infos,
    stage_rows,
    state_counts,
)
from pipeline.model import Answer, Operation, PlannedRow, Request, Scope, StagedRow, State, Transition

SCOPE = Scope("https://graph.microsoft.com/beta", "11111111-1111-4111-8111-111111111111")
REHEARSAL = Scope("http://127.0.0.1:8080/beta", "none")
IOS = "deviceManagement/deviceConfigurations/a/microsoft.graph.iosScepCertificateProfile/managedDeviceCertificateStates"
MACOS = IOS.replace("ios", "macOS")
HEADER = ("Device", "Thumbprint")
DONE = {Operation.CREATE: State.CREATED, Operation.UPDATE: State.UPDATED, Operation.DELETE: State.REVERSED}
BAD_DATE = finding(Code.NOT_A_DATE_TIME, "no date", column="Expires", value="soon")
ODD_LENGTH = finding(Code.KEY_LENGTH_UNUSUAL, "4 bits", column="Length", value="4")


@contextmanager
def opened(path: Path, scope: Scope = SCOPE) -> Iterator[Ledger]:
    """Yield the open ledger and close it."""
    ledger = open_ledger(path, scope)
    try:
        yield ledger
    finally:
        ledger.close()


def valid(
    row_number: int, key: str, fingerprint: str = "v1", *, collection: str = IOS, findings: Sequence[Finding] = ()
) -> StagedRow:
    """Return a row that may be sent; its cells and body name the key and the fingerprint."""
    body = f'{{"key":"{key}","value":"{fingerprint}"}}'.encode()
    request = Request(Operation.CREATE, collection, body, key, fingerprint)
    return StagedRow(row_number, (key, fingerprint), "iOS", request, tuple(findings))


def invalid(row_number: int, *findings: Finding) -> StagedRow:
    """Return a row with errors."""
    return StagedRow(row_number, ("bad", str(row_number)), "", None, findings or (BAD_DATE,))


def begin(ledger: Ledger, run_id: str) -> None:
    """Begin a run of which only the id matters."""
    begin_run(ledger, NewRun(run_id, "import", "1706", f"runs/{run_id}", "1.0", "hash"))


def add_file(ledger: Ledger, run_id: str, file: str = "inventory.csv", sheet: str | None = None) -> int:
    """Add a source of which only the name matters."""
    return add_source(ledger, run_id, NewSource(file, sheet, "sha", "utf-8", ",", HEADER), ())


def stage(
    ledger: Ledger, run_id: str, rows: Sequence[StagedRow], *, file: str = "inventory.csv", blank_rows: int = 0
) -> None:
    """Stage the rows as one file in one chunk."""
    stage_rows(ledger, run_id, add_file(ledger, run_id, file), rows, blank_rows=blank_rows)


def import_rows(ledger: Ledger, run_id: str, rows: Sequence[StagedRow], *, updates: bool = False) -> None:
    """Begin a run, stage the rows as one file and plan it."""
    begin(ledger, run_id)
    stage(ledger, run_id, rows)
    plan_run(ledger, run_id, updates=updates)


def undo(ledger: Ledger, run_id: str, parent_id: str, *, include_adopted: bool = False) -> UndoPlan:
    """Begin an undo of which only the ids matter."""
    new = NewRun(run_id, "undo", "1706", f"runs/{run_id}", "1.0", "hash")
    return begin_undo(ledger, new, parent_id, include_adopted=include_adopted)


def planned(ledger: Ledger, run_id: str) -> list[PlannedRow]:
    """Return all planned rows of the run."""
    return [
        row
        for collection, _ in planned_collections(ledger, run_id)
        for row in next_planned(ledger, run_id, collection, after_pk=0, most=1_000_000)
    ]


def move(ledger: Ledger, row: PlannedRow, state: State, answer: Answer | None = None) -> None:
    """Make the intent durable, then the outcome, as sending does."""
    steps = [Transition(row, State.SENDING, row.attempts + 1, Answer(client_request_id="c1"))]
    if state is not State.SENDING:
        steps.append(Transition(row, state, row.attempts + 1, answer or Answer(client_request_id="c1")))
    apply_transitions(ledger, steps)


def settle(
    ledger: Ledger,
    row: PlannedRow,
    state: State,
    answer: Answer | None = None,
    *,
    is_adopted: bool = False,
    found: Finding | None = None,
) -> None:
    """Make a step durable that no request of this moment led to, as reading back does."""
    answer = answer or Answer()
    apply_transitions(ledger, [Transition(row, state, row.attempts, answer, is_adopted=is_adopted, finding=found)])


def create(ledger: Ledger, run_id: str, object_id: str | None = None) -> None:
    """Send all planned rows of the run with success; without an id each object gets one that names its row."""
    for row in planned(ledger, run_id):
        answer = Answer(http_status=201, object_id=object_id or f"id-{row.object_pk}")
        move(ledger, row, State.CREATED, answer)


def carry_out(ledger: Ledger, run_id: str) -> None:
    """Send all planned rows of the run with success, whatever they want done."""
    for row in planned(ledger, run_id):
        object_id = row.object_id or f"id-{row.object_pk}"
        move(ledger, row, DONE[row.operation], Answer(http_status=200, object_id=object_id))


class ObjectLine(NamedTuple):
    """What the ledger knows of an object; rows as (run, row number)."""

    state: State
    operation: Operation = Operation.CREATE
    owner: tuple[str, int] = ("r1", 2)
    there: tuple[str, int] | None = None
    graph_id: str | None = None
    fingerprint: str = "v1"
    is_adopted: bool = False
    refused: str | None = None


def object_of(ledger: Ledger, key: str = "a") -> ObjectLine:
    """Return what the ledger knows of the object with the key; its run is that of its owner."""
    query = """
        SELECT o.state, o.operation, owner.run_id, owner.row_number, there.run_id, there.row_number, o.graph_id,
               o.fingerprint, o.is_adopted, o.refused_fingerprint, o.run_id
        FROM objects AS o JOIN rows AS owner ON owner.pk = o.row_pk
        LEFT JOIN rows AS there ON there.pk = o.there_row_pk WHERE o.key = ? AND o.scope_pk = ?
    """
    with ledger.reading() as connection:
        found = connection.exec_driver_sql(query, (key, ledger.scope_pk)).one()
    state, operation, run_id, number, there_run, there_number, graph_id, fingerprint, is_adopted, refused, own = found
    assert own == run_id
    there = (there_run, there_number) if there_run else None
    owner = (run_id, number)
    return ObjectLine(
        State(state), Operation(operation), owner, there, graph_id, fingerprint, bool(is_adopted), refused
    )


def states(ledger: Ledger, run_id: str) -> list[tuple[int, State]]:
    """Return (row number, state) of each row of the run in the order of reading."""
    return [(row.row_number, row.state) for row in report_rows(ledger, run_id, tuple(State))]


def said(ledger: Ledger, run_id: str) -> list[tuple[int, State, list[str]]]:
    """Return (row number, state, messages of its findings) of each row of the run in the order of reading."""
    return [
        (row.row_number, row.state, [each.message for each in row.findings])
        for row in report_rows(ledger, run_id, tuple(State))
    ]


def balance(ledger: Ledger, run_id: str) -> tuple[int, int]:
    """Return the rows read and the rows accounted for."""
    sources = source_infos(ledger, run_id)
    blank = sum(each.blank_rows for each in sources)
    return sum(each.rows_read for each in sources), blank + sum(state_counts(ledger, run_id).values())
