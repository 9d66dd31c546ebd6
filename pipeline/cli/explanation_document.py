"""What `explain` answers with `--output json`: its models, and how they are filled."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from pipeline.editions import ProfileType
from pipeline.explain import ExplainedRequest, Explanation, Outlook
from pipeline.findings import Code, Severity
from pipeline.model import CellType, Operation, State
from pipeline.next_steps import near_path
from pipeline.routes import IdFrom, RouteRule, TypeFrom
from pipeline.trace import ExplainedCell, Identity, Use, ValueStep
from pipeline.wording import counted

ENDS = {
    State.DUPLICATE: "repeats an earlier row, so it would not be sent",
    State.CONFLICTING: "contradicts another row about the same certificate, so none of them would be sent",
    State.ALREADY_THERE: "is valid and already there, so nothing would be sent",
    State.REJECTED_BEFORE: "is valid, but the service refused these values before, so they would not be sent again",
    State.CHANGED: "is valid, but the object was created with other values, so nothing would be sent",
    State.UNKNOWN: "is valid; an earlier request for it has an unknown outcome, which would be settled first",
}


class CellDocument(BaseModel, frozen=True, extra="forbid"):
    """One cell as it was read, and what its column was taken for."""

    letter: str = Field(description="As a spreadsheet names the column; empty for a whole line.")
    header: str = Field(description="As the file spells it; empty beyond the header.")
    property: str | None = Field(description="The property that the column stands for.")
    use: Use
    made_by_templates: list[str] = Field(description="The properties that `templates:` makes of the cell.")
    cell: str | None = Field(description="Exactly as it was read, without private keys; null where there is none.")
    held_as: CellType


class StepDocument(BaseModel, frozen=True, extra="forbid"):
    """One change of one value."""

    property: str
    column: str = Field(description="The header, shortened, or the property's name where it has no column.")
    rule: Code
    severity: Severity
    was: str
    becomes: str


class FindingDocument(BaseModel, frozen=True, extra="forbid"):
    """One finding."""

    code: Code
    severity: Severity
    column: str = Field(description="The header, shortened; empty where no single column is meant.")
    value: str = Field(description="As read, shortened; empty where no single value is meant.")
    message: str
    hint: str


class RouteDocument(BaseModel, frozen=True, extra="forbid"):
    """What decided the collection."""

    platform: str
    profile_id: str
    id_from: IdFrom
    entry_name: str | None = Field(description="Of the entry of `profiles:` that the row fits.")
    entry_platform: str | None = Field(description="Of the entry of `profiles:` that the row fits.")
    profile_type: ProfileType
    type_from: TypeFrom
    path: str = Field(description="What stands between the profile's id and the collection's name.")
    path_from: Literal["edition", "routes"]


class IdentityDocument(BaseModel, frozen=True, extra="forbid"):
    """What makes two rows the same object, and equal."""

    parts: dict[str, str] = Field(description="The properties that make the key, as they are sent.")
    key: str = Field(description="A digest over the collection and the parts: equal keys are one object.")
    fingerprint: str = Field(description="A digest over all values.")


class RequestDocument(BaseModel, frozen=True, extra="forbid"):
    """The request that the row becomes."""

    method: str
    url: str
    headers: dict[str, str] = Field(description="Without the token.")
    body: str = Field(description="Exactly what is sent, in UTF-8.")


class OutlookDocument(BaseModel, frozen=True, extra="forbid"):
    """What an import would do with the row now."""

    state: State
    operation: Operation
    service_root: str
    tenant_id: str
    ledger: str | None = Field(description="Null where there is no ledger yet.")
    looks_into_tenant_first: bool
    obstacle: str | None = Field(description="Why no import can be started with this configuration.")
    last_step: State | None = Field(description="What the object came to last, as far as the ledger knows.")
    last_step_at: str | None = Field(description="UTC, ISO 8601.")
    last_step_run: str | None
    object_id: str | None = Field(description="The service's, that the object had last.")


class RowDocument(BaseModel, frozen=True, extra="forbid"):
    """One row's way through every step."""

    summary: str
    file: str
    sheet: str | None
    row: int
    encoding: str | None = Field(description="Null for workbooks and certificate files.")
    delimiter: str | None = Field(description="Null for workbooks and certificate files.")
    header_row: int | None = Field(description="Null for certificate files.")
    edition: str
    preset: str | None
    cells: list[CellDocument]
    value_steps: list[StepDocument] = Field(description="In the order in which they were applied.")
    findings: list[FindingDocument] = Field(description="Of the row, also those that come from other rows.")
    file_findings: list[FindingDocument] = Field(description="Of the whole file or sheet.")
    route: RouteDocument | None
    identity: IdentityDocument | None = Field(description="Null for an invalid row.")
    request: RequestDocument | None = Field(description="Null for an invalid row; `outlook` says whether it is sent.")
    outlook: OutlookDocument


class ExplanationDocument(BaseModel, frozen=True, extra="forbid"):
    """What `explain` answers with `--output json`."""

    schema_version: Literal[1]
    rows: list[RowDocument] = Field(description="One for each sheet that has the row.")


def document_of(explained: Sequence[Explanation]) -> ExplanationDocument:
    """Return the rows' ways as the document that is printed."""
    return ExplanationDocument(schema_version=1, rows=[_row_document(each) for each in explained])


def summary_of(explained: Explanation) -> str:
    """Return such as `is valid and would be created, with 1 warning`."""
    all_findings = (*explained.file_findings, *explained.findings)
    errors = sum(each.severity is Severity.ERROR for each in all_findings)
    warnings = sum(each.severity is Severity.WARNING for each in all_findings)
    with_warnings = f", with {counted(warnings, 'warning')}" if warnings else ""
    state = explained.outlook.state
    if state is State.INVALID:
        also = f" and {counted(warnings, 'warning')}" if warnings else ""
        return f"is invalid: {counted(errors, 'error')}{also}"
    if state is State.PLANNED:
        done = "updated" if explained.outlook.operation is Operation.UPDATE else "created"
        return f"is valid and would be {done}{with_warnings}"
    return ENDS[state]


def _row_document(explained: Explanation) -> RowDocument:
    return RowDocument(
        summary=f"row {explained.row_number} {summary_of(explained)}",
        file=explained.file,
        sheet=_encodable(explained.sheet) if explained.sheet is not None else None,
        row=explained.row_number,
        encoding=explained.encoding or None,
        delimiter=explained.delimiter or None,
        header_row=explained.header_row_number or None,
        edition=explained.edition,
        preset=explained.preset or None,
        cells=[_cell(each) for each in explained.cells],
        value_steps=[_step(each) for each in explained.steps],
        findings=[FindingDocument(**each._asdict()) for each in explained.findings],
        file_findings=[FindingDocument(**each._asdict()) for each in explained.file_findings],
        route=_route(explained.route) if explained.route else None,
        identity=_identity(explained.identity) if explained.identity else None,
        request=_request(explained.request) if explained.request else None,
        outlook=_outlook(explained.outlook),
    )


def _encodable(text: str) -> str:
    """Return the text without halves of surrogate pairs, which a cell may have and UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _cell(cell: ExplainedCell) -> CellDocument:
    return CellDocument(
        letter=cell.letter,
        header=_encodable(cell.header),
        property=cell.property or None,
        use=cell.use,
        made_by_templates=list(cell.made),
        cell=_encodable(cell.text) if cell.text is not None else None,
        held_as=cell.held_as,
    )


def _step(step: ValueStep) -> StepDocument:
    return StepDocument(
        property=step.property,
        column=step.column,
        rule=step.rule,
        severity=step.severity,
        was=step.was,
        becomes=_encodable(step.text),
    )


def _route(rule: RouteRule) -> RouteDocument:
    return RouteDocument(
        platform=rule.platform,
        profile_id=rule.profile_id,
        id_from=rule.id_from,
        entry_name=(rule.entry.name or None) if rule.entry else None,
        entry_platform=(rule.entry.platform or None) if rule.entry else None,
        profile_type=rule.profile_type,
        type_from=rule.type_from,
        path=rule.cast,
        path_from="routes" if rule.is_override else "edition",
    )


def _identity(identity: Identity) -> IdentityDocument:
    return IdentityDocument(parts=dict(identity.parts), key=identity.key, fingerprint=identity.fingerprint)


def _request(request: ExplainedRequest) -> RequestDocument:
    return RequestDocument(
        method=request.method, url=request.url, headers=dict(request.headers), body=request.body.decode()
    )


def _outlook(outlook: Outlook) -> OutlookDocument:
    step = outlook.last_step
    return OutlookDocument(
        state=outlook.state,
        operation=outlook.operation,
        service_root=outlook.scope.service_root,
        tenant_id=outlook.scope.tenant_id,
        ledger=str(near_path(outlook.ledger)) if outlook.ledger else None,
        looks_into_tenant_first=outlook.looks_first,
        obstacle=outlook.obstacle or None,
        last_step=step.state if step else None,
        last_step_at=step.at if step else None,
        last_step_run=step.run_id if step else None,
        object_id=outlook.object_id or None,
    )
