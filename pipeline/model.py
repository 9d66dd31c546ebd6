"""The nouns: Row, Values, CertificateState, Request, Answer, State, Scope. Frozen data, no I/O."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pipeline.findings import Finding

IMPORT_PREFIX = "_import_"
"""Columns that certstate appends to its own reports. They mark a file as one of ours when it comes back."""

PROFILE_ID_COLUMN = "deviceConfigurationId"
PROFILE_TYPE_COLUMN = "profileType"
CERTIFICATE_COLUMN = "certificate"
EXTRA_COLUMNS = (PROFILE_ID_COLUMN, PROFILE_TYPE_COLUMN, CERTIFICATE_COLUMN)
"""Columns that are no properties of the object: two choose the route, the third holds the certificate itself."""

IDENTIFIERS = ("certificateThumbprint", "certificateSerialNumber", "deviceDisplayName")
"""The properties that say which certificate of which device it is; a spreadsheet damages them most easily."""

_FORMULA = r"'*[^\S\t\r\n]*[\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
_INNER = rf"(?<=[;,\t\r\n])(?={_FORMULA})"

FORMULA_PLACES = re.compile(rf"^(?=[\t\r\n']|{_FORMULA})|{_INNER}")
"""Where reports put an apostrophe into a cell, so that no spreadsheet runs it (OWASP, CSV Injection; the full-width
signs too): before what begins a formula, also behind a blank, and after what another country's spreadsheet splits cells
at, since it then takes no heed of our quotes. Before another apostrophe, so that all can be taken away again."""

MASKS = re.compile(rf"^'(?=[\t\r\n']|{_FORMULA})|(?<=[;,\t\r\n])'(?={_FORMULA})")
"""The apostrophes that were put at `FORMULA_PLACES`."""


CAUSES_HEADER = (
    "Cause",
    "Severity",
    "Column",
    "Rows",
    "Where",
    "Examples",
    "What is wrong",
    "What to do",
    "Line for config.yaml",
)
"""The header of the sheet `causes` in the workbooks that reports write: it tells of rows and holds none."""

CUT_MARK = " ... (cut by certstate: a spreadsheet's cell holds 32,767 characters; the whole value is in errors.csv)"
"""What a cell of errors.xlsx ends with that is longer than Excel allows. Read back, it is no value."""


class CellType(StrEnum):
    """What a workbook says a cell holds. Text files hold text only."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    ERROR = "error"  # the cell's text is such as #N/A
    FORMULA = "formula"  # never calculated; the cell's text is ""
    MERGED = "merged"  # covered by a merged range that begins in another row or column; the cell's text is ""


class Row(NamedTuple):
    """One data row: its cells as text, as many as the header has."""

    row_number: int  # as the spreadsheet shows it: the first row of the sheet or file is 1
    cells: tuple[str, ...]
    not_text: tuple[tuple[int, CellType], ...] = ()  # (cell index, type) of the cells a workbook does not hold as text
    extra_cells: tuple[str, ...] = ()  # cells beyond the header's width, never empty at the end
    missing_cells: int = 0  # cells that the row has fewer than the header; `cells` is filled up with ""
    broken: str = ""  # what is wrong with the quotes of this line, which then stands whole in the first cell


class Composite(NamedTuple):
    """A value that is put together from cells, as `templates:` declares."""

    literals: tuple[str, ...]  # one more than indexes: what stands before, between and behind the cells
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Where the cells of a table's rows belong."""

    names: tuple[str, ...]  # the edition's properties in its order, then EXTRA_COLUMNS
    headers: tuple[str, ...]  # for each name the header as the file spells it, or the name where it has no column
    indexes: tuple[int | None, ...]  # for each name the cell's index, or None where it has no column
    findings: tuple[Finding, ...]  # about the whole file; an error among them makes all its rows invalid
    composites: tuple[Composite | None, ...]  # for each name how it is put together, if it is


class Values(NamedTuple):
    """A row's texts in the order of the column map's names; "" where there is no value."""

    columns: ColumnMap
    texts: tuple[str, ...]
    not_text: tuple[tuple[int, CellType], ...] = ()  # (place in `texts`, type) of cells a workbook holds otherwise


class CertificateState(BaseModel):
    """One managedDeviceCertificateState, checked. The edition's model adds its properties as fields.

    Fields that were not given are None and stay out of the body.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Scope(NamedTuple):
    """Where objects live: a rehearsal against the simulator never counts for a tenant."""

    service_root: str  # scheme, host, port if any, version: https://graph.microsoft.com/beta
    tenant_id: str


class Operation(StrEnum):
    """What a request does to its object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Request(NamedTuple):
    """What goes to Graph for one row."""

    operation: Operation
    collection: str  # path below the service root, without a slash at the end
    body: bytes  # JSON, UTF-8
    key: str  # hex digest: what makes this object the same one in two files
    fingerprint: str  # hex digest over the normalised property values


class State(StrEnum):
    """Where a row stands. The ledger moves a valid row along; all others end where ingest put them."""

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    ALREADY_THERE = "already there"
    REJECTED_BEFORE = "rejected before"
    CHANGED = "changed"
    STAGED = "staged"  # valid, and not all files of the call are read yet
    PLANNED = "planned"
    SENDING = "sending"
    CREATED = "created"
    UPDATED = "updated"
    REJECTED = "rejected"
    UNSENT = "unsent"
    UNKNOWN = "unknown"
    REVERSED = "reversed"  # deleted again by an undo
    KEPT = "kept"  # not deleted by an undo, because somebody changed the object since
    MISSING = "missing"  # was there, and is not any more


class StagedRow(NamedTuple):
    """A row as ingest judged it: valid with a request, or invalid with its findings."""

    row_number: int
    cells: tuple[str, ...]
    platform: str  # "" where the row has no valid one
    request: Request | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered, or how the answer was lost. Kept for the report."""

    http_status: int | None = None
    object_id: str = ""
    graph_code: str = ""
    message: str = ""
    request_id: str = ""  # the service's, for Microsoft's support
    client_request_id: str = ""  # ours, one per attempt


class Verdict(StrEnum):
    """What an answer to a write means. The tables stand in graph/answers.py."""

    CREATED = "created"
    UPDATED = "updated"
    REVERSED = "reversed"  # deleted, or not there any more
    MISSING = "missing"  # the object to update is not there
    REJECTED = "rejected"
    SEND_AGAIN = "send again"  # certainly not applied
    REFRESH_TOKEN = "refresh token"  # noqa: S105 - a verdict, not a password
    STOP_ROUTE = "stop route"
    STOP_COLLECTION = "stop collection"
    STOP_TENANT = "stop tenant"
    UNKNOWN = "unknown"


class PlannedRow(NamedTuple):
    """A row that the ledger hands to the sender."""

    object_pk: int  # the ledger's own number of the object
    row_pk: int
    collection: str
    body: bytes
    attempts: int
    operation: Operation = Operation.CREATE
    object_id: str = ""  # the service's, of an object to update or delete


class UnknownRow(NamedTuple):
    """A row whose last request has an unknown outcome, or that waits for such a row of another run."""

    row: PlannedRow
    key: str
    there_body: bytes  # what the tenant held before an update; b"" where it held nothing


class Transition(NamedTuple):
    """One step of a row and its object, as the ledger makes it durable."""

    row: PlannedRow
    state: State
    attempts: int
    answer: Answer
    is_adopted: bool = False  # the object's id comes from reading back, not from the answer to its create
    finding: Finding | None = None  # told with the row, such as what differs


class RemoteCheck(StrEnum):
    """Whether a run looks into the tenant for objects that its ledger never created, before it sends."""

    DUE = "due"
    DONE = "done"
    STRANGERS = "strangers"  # done, and there are objects that no row of the ledger owns: the next import looks again


class RunInfo(NamedTuple):
    """What the ledger knows of a run as a whole. Times are UTC, ISO 8601."""

    id: str
    scope: Scope
    verb: str
    edition: str
    folder: str
    version: str
    started_at: str
    planned_at: str | None
    ended_at: str | None
    stop: str
    stop_message: str
    parent_id: str = ""  # the run that an undo undoes
    remote_check: str = ""  # a `RemoteCheck`, or "" where none was asked for


class SourceInfo(NamedTuple):
    """A file, or one sheet of a workbook, as a run read it."""

    pk: int
    file: str
    sheet: str | None
    sha256: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows_read: int  # blank ones included
    blank_rows: int
    properties: tuple[str, ...] = ()  # what each column of `header` was taken for, or ""
    parents: tuple[str, ...] = ()  # the runs whose reports its rows come from, as its columns `_import_run` name them

    @property
    def name(self) -> str:
        """The file, with its sheet if it has some."""
        return self.file if self.sheet is None else f"{self.file}, sheet {self.sheet}"


class ReportRow(NamedTuple):
    """One row of a run with all that a report says of it."""

    source_pk: int
    row_number: int
    state: State
    collection: str
    cells: tuple[str, ...] | None  # None once the row is settled well
    body: bytes | None
    findings: tuple[Finding, ...]
    attempts: int
    answer: Answer


class StopReason(StrEnum):
    """Why sending ended before its end."""

    INTERRUPTED = "interrupted"
    INVALID = "invalid rows"
    THRESHOLD = "threshold"
    PREFLIGHT = "preflight"
    OUTAGE = "outage"
    PLAN = "not in the plan"


class Stop(NamedTuple):
    """Why sending ended, in a word and in a sentence."""

    reason: StopReason
    message: str


class SendStats(NamedTuple):
    """How sending went, for the report; not kept in the ledger."""

    requests: int
    throttled: int  # answers 429
    paused_s: float  # how long sending was closed for everybody
    elapsed_s: float


class SendMode(StrEnum):
    """How rows travel."""

    SINGLE = "single"  # one request for each row
    BATCH = "batch"  # up to 20 rows in one `$batch` request


class PacingState(NamedTuple):
    """What a pacer has to know of the process before it. Times are seconds since 1970-01-01T00:00:00Z."""

    sent: tuple[float, ...] = ()  # when the latest requests left, ascending
    closed_until: float = 0.0  # the service said to wait until then
    limit: float | None = None  # requests per window that were found to be granted, where that is less than the quota


REFUSED = "refused"
"""The outcome of a request that was answered 429: it was not applied, and its row is planned again."""


class StepCount(NamedTuple):
    """What became of a run's requests within one second."""

    at: str  # YYYY-MM-DDTHH:MM:SS, UTC
    outcome: str  # a state, or REFUSED; `sending` counts the requests themselves
    steps: int


class DayCount(NamedTuple):
    """The certificates that expire on one day."""

    day: str  # YYYY-MM-DD, as the row's own offset has it
    rows: int


def column_letter(index: int) -> str:
    """Return the spreadsheet's letter of the cell index: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
