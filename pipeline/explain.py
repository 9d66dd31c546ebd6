"""The story of `explain`: one row's way through every step, to URL and body. Sends and changes nothing.

find the row -> plan its file on a copy of the ledger -> tell what each step made of it

The plan reads the whole file: only then it is known whether another row says the same or the contrary, whether a column
mixes two orders of dates, and what an import would do. What came out is the plan's; the steps on the way are gone
through once more for this row alone, by the same functions.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipeline.auth import scope_of
from pipeline.errors import ConfigError, UsageError
from pipeline.findings import Finding
from pipeline.graph import object_path
from pipeline.graph.attempts import METHODS
from pipeline.graph.exchange import headers_of
from pipeline.ingest import Rules, columns_of, count_known, rules_of
from pipeline.ledger import Event, RowStory, row_stories, run_info
from pipeline.load import LoadOptions, Table, open_tables
from pipeline.model import Operation, RemoteCheck, Request, Row, Scope, State
from pipeline.reading import open_copy, read_files
from pipeline.returned import without_causes
from pipeline.routes import RouteRule
from pipeline.sending_run import scope_shown
from pipeline.session import Job, new_run, new_run_id
from pipeline.trace import ExplainedCell, Identity, ReadRow, ValueStep, identity_of, trace_row


@dataclass(frozen=True, slots=True)
class ExplainedRequest:
    """The request that the row becomes, whether or not an import sends it now."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]  # the token is not among them
    body: bytes  # exactly what is sent


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an import would do with the row now."""

    state: State
    operation: Operation
    ledger: Path | None  # None where there is no ledger yet
    scope: Scope
    last_step: Event | None  # the latest that the ledger knows of this object
    object_id: str  # that the object had last, or ""
    looks_first: bool  # into the tenant, before anything is created
    obstacle: str  # why no import can be started with this configuration, or ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One row's way through every step."""

    file: str
    sheet: str | None
    row_number: int
    encoding: str  # "" of workbooks and certificate files
    delimiter: str  # "" of workbooks and certificate files
    header_row_number: int  # 0 of certificate files, which have none
    edition: str
    preset: str  # its name, or ""
    cells: tuple[ExplainedCell, ...]  # without private keys, which can stand beside certificates
    steps: tuple[ValueStep, ...]  # in the order in which they were applied
    findings: tuple[Finding, ...]  # of the row
    file_findings: tuple[Finding, ...]  # of the whole file or sheet
    route: RouteRule | None
    identity: Identity | None  # None of a row that is not valid by itself
    request: ExplainedRequest | None
    outlook: Outlook


class _Planned(NamedTuple):
    stories: Mapping[str | None, RowStory]  # by sheet
    run_id: str
    looks_first: bool


def explain_row(path: Path, row_number: int, job: Job) -> tuple[Explanation, ...]:
    """Return the way of the row with this number, one for each sheet that has such a row, in the workbook's order.

    The number is the spreadsheet's; in a certificate file the certificate's place. Reads the file twice and the ledger
    once, and writes into a temporary folder only, which is gone at the end. Raises UsageError when there is no such
    row, SourceError when the file is no table, LedgerError when the ledger cannot be copied.
    """
    rules = rules_of(job.settings, is_strict=job.is_strict, preset=job.preset, repairs=job.repairs)
    found = _find_rows(path, row_number, rules, job.load)
    planned = _plan(path, row_number, job)
    return tuple(_explanation(each, planned, rules, job) for each in found)


def _find_rows(path: Path, row_number: int, rules: Rules, options: LoadOptions) -> list[ReadRow]:
    """Return the row of each sheet that is read; none where no sheet has a header, which the plan then says."""
    options = replace(options, known_columns=partial(count_known, rules=rules))
    found: list[ReadRow] = []
    missed: list[str] = []
    is_read = False
    for table in without_causes(open_tables(path, options)):
        columns = columns_of(table, rules)
        sheet = f"sheet {table.sheet}: " if table.sheet else ""
        if columns is None:
            missed.append(f"{sheet}not read, because its row {table.header_row_number} names no known column")
            continue
        is_read = True
        looked = _look_for(table, row_number)
        if isinstance(looked, Row):
            found.append(ReadRow(table, columns, looked))
        else:
            missed.append(f"{sheet}{looked}")
    if is_read and not found:
        raise UsageError(
            f"{path}: {'; '.join(missed)}; give --row the number that the spreadsheet shows beside the row"
        )
    return found


def _look_for(table: Table, row_number: int) -> Row | str:
    """Return the row, or why there is none to explain."""
    last = 0
    for chunk in table.chunks:
        for row in chunk.rows:
            if row.row_number == row_number:
                return row
            last = row.row_number
            if last > row_number:
                return _why_none(table, row_number, last)
    return _why_none(table, row_number, last)


def _why_none(table: Table, row_number: int, last: int) -> str:
    """Return why the table has no such row; `last` is the first row behind it, else its last one, else 0."""
    header = table.header_row_number
    if not header:
        left_out = "".join(f"; {each.message}" for each in table.findings)
        return f"no certificate {row_number} is read{left_out}"
    if row_number == header:
        return f"row {row_number} is the header"
    if row_number < header:
        return f"row {row_number} stands above the header in row {header} and is not read as data"
    if not last:
        return f"there is no row {row_number}; no row below the header in row {header} has content"
    return (
        f"row {row_number} is blank" if last > row_number else f"there is no row {row_number}; the last one is {last}"
    )


def _plan(path: Path, row_number: int, job: Job) -> _Planned:
    """Plan the whole file on a copy of the ledger, which goes at the end, and return what became of the row."""
    run_id = new_run_id([path])
    with TemporaryDirectory(prefix="certstate-") as name:
        folder = Path(name)
        with closing(open_copy(job.settings.ledger_path, scope_shown(job.settings), folder / "spool.db")) as ledger:
            with new_run(ledger, run_id, folder / "run", "explain", job.settings):
                read_files([path], ledger, run_id, folder / "run", job)
            stories = {each.sheet: each for each in row_stories(ledger, run_id, row_number)}
            looks_first = run_info(ledger, run_id).remote_check == RemoteCheck.DUE
    return _Planned(stories, run_id, looks_first)


def _explanation(read: ReadRow, planned: _Planned, rules: Rules, job: Job) -> Explanation:
    table, columns, row = read
    story = planned.stories.get(table.sheet)
    if story is None:
        raise UsageError(f"{table.source}: the file was changed while it was read; call explain again")
    trace = trace_row(read, rules, job.settings)
    request = trace.request if story.state is not State.INVALID else None  # other rows can refuse a valid one
    outlook = _outlook(story, planned, job)
    return Explanation(
        file=story.file,
        sheet=table.sheet,
        row_number=row.row_number,
        encoding=table.encoding,
        delimiter=table.delimiter,
        header_row_number=table.header_row_number,
        edition=rules.edition.name,
        preset=job.preset.name if job.preset else "",
        cells=trace.cells,
        steps=trace.steps,
        findings=story.findings,
        file_findings=columns.findings,
        route=trace.route,
        identity=identity_of(request) if request else None,
        request=_request(request, outlook) if request else None,
        outlook=outlook,
    )


def _request(request: Request, outlook: Outlook) -> ExplainedRequest:
    path = request.collection
    if outlook.operation is Operation.UPDATE:
        path = object_path(path, outlook.object_id)
    headers = headers_of("-", "-") | {
        "Authorization": "Bearer (not shown)",
        "client-request-id": "(a new GUID for each attempt)",
        "Content-Type": "application/json",
        "User-Agent": "certstate",
    }
    url = f"{outlook.scope.service_root}/{path}"
    return ExplainedRequest(METHODS[outlook.operation], url, tuple(headers.items()), request.body)


def _outlook(story: RowStory, planned: _Planned, job: Job) -> Outlook:
    # What the plan that was tried out did to rows of other runs never happened.
    happened = [each for each in story.events if not each.answer.message.endswith(planned.run_id)]
    path = job.settings.ledger_path
    try:
        scope_of(job.settings.tenant)
        obstacle = ""
    except ConfigError as problem:
        obstacle = str(problem)
    return Outlook(
        state=story.state,
        operation=story.operation,
        ledger=path if path.exists() else None,
        scope=scope_shown(job.settings),
        last_step=happened[-1] if happened else None,
        object_id=next((each.answer.object_id for each in reversed(happened) if each.answer.object_id), ""),
        looks_first=planned.looks_first and story.state is State.PLANNED,
        obstacle=obstacle,
    )
