"""A saved plan: plan.json says what it was made from, plan.csv beside it what is done with each row.

An import that follows a plan does nothing that is not in it. The run's folder keeps the plan, so that `resume` and
`retry` follow it too.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import mkstemp
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pipeline import __version__
from pipeline.config import Settings, config_hash
from pipeline.errors import UsageError
from pipeline.findings import shorten
from pipeline.ledger import Ledger, PlannedAction, action_counts, planned_actions, run_info, source_infos
from pipeline.load import sha256_of
from pipeline.model import Operation, Scope
from pipeline.presets import Preset
from pipeline.report import harmless

SCHEMA_VERSION = 1

KEPT_PLAN, KEPT_ACTIONS = "plan.json", "plan.csv"
"""How the folder of a run names the plan that it follows."""

ACTION_COLUMNS = ("file", "sheet", "row", "action", "collection", "device", "certificate", "key", "fingerprint")
"""The header of plan.csv. `certificate` is the thumbprint, else the serial number."""

ANOTHER = "call `certstate plan` to see what would be done now, and save another plan"


class Basis(NamedTuple):
    """What a plan depends on beside the files."""

    scope: Scope
    edition: str
    config_hash: str


def basis_of(settings: Settings, scope: Scope, *, preset: Preset | None, is_strict: bool, repairs: bool) -> Basis:
    """Return the basis of a call: the keys and options that change bodies, routes, scope or what is done with rows."""
    declared = [config_hash(settings), preset.name if preset else "", is_strict, repairs, settings.send.on_changed]
    return Basis(scope, settings.edition, hashlib.sha256(json.dumps(declared).encode()).hexdigest())


class PlanSource(BaseModel):
    """A file, or one sheet of a workbook, that the plan was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sheet: str | None
    sha256: str


class SavedPlan(BaseModel):
    """plan.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    certstate_version: str
    created_at: str  # UTC, ISO 8601
    edition: str
    service_root: str
    tenant_id: str
    config_hash: str  # of the basis
    sources: tuple[PlanSource, ...]
    actions: dict[Operation, int]  # rows
    is_tenant_checked: bool
    actions_file: str  # beside plan.json
    actions_sha256: str

    @property
    def basis(self) -> Basis:
        """What the plan depends on beside the files."""
        return Basis(Scope(self.service_root, self.tenant_id), self.edition, self.config_hash)


def check_place(path: Path) -> None:
    """Return when a plan may be saved there. Raises UsageError where it would overwrite what is no plan."""
    if path.suffix.lower() != ".json":
        raise UsageError(f"{path}: the name of a plan ends in .json, because its rows go beside it; name it plan.json")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: there is no such folder for the plan; make it, or name another place")
    rows = _rows_path(path)
    for each, is_ours in ((path, _is_plan), (rows, _is_list)):
        if each.exists() and not is_ours(each):
            raise UsageError(f"{each}: the file is there and is no plan, so it is not overwritten; choose another name")


def _rows_path(path: Path) -> Path:
    return path.with_suffix(".csv")


def _is_plan(path: Path) -> bool:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "actions_sha256" in document


def _is_list(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.readline(1_000).rstrip("\r\n").replace(";", ",") == ",".join(ACTION_COLUMNS)
    except (OSError, ValueError):
        return False


def save_plan(path: Path, ledger: Ledger, run_id: str, basis: Basis, *, is_tenant_checked: bool) -> None:
    """Write the planned rows of the run beside `path`, and then the plan; each replaces an older one as a whole.

    Raises UsageError when they cannot be written.
    """
    counts = dict.fromkeys((Operation.CREATE, Operation.UPDATE), 0)
    for each in action_counts(ledger, run_id):
        counts[each.operation] += each.rows
    sources = source_infos(ledger, run_id)
    delimiter = ";" if any(source.delimiter == ";" for source in sources) else ","  # as Excel splits it there
    rows = _rows_path(path)
    try:
        with _replacing(rows) as file:
            with file.open("w", encoding="utf-8-sig", newline="") as text:
                writer = csv.writer(text, delimiter=delimiter)
                writer.writerow(ACTION_COLUMNS)
                writer.writerows(_cells(each) for each in planned_actions(ledger, run_id))
            digest = sha256_of(file)
        plan = SavedPlan(
            schema_version=SCHEMA_VERSION,
            certstate_version=__version__,
            created_at=run_info(ledger, run_id).started_at,
            edition=basis.edition,
            service_root=basis.scope.service_root,
            tenant_id=basis.scope.tenant_id,
            config_hash=basis.config_hash,
            sources=tuple(PlanSource(file=each.file, sheet=each.sheet, sha256=each.sha256) for each in sources),
            actions=counts,
            is_tenant_checked=is_tenant_checked,
            actions_file=rows.name,
            actions_sha256=digest,
        )
        _write(path, plan)
    except OSError as problem:
        raise UsageError(
            f"{problem.filename or path}: the plan cannot be saved ({problem.strerror}); close the program that has "
            "the file open, or name another place with --save"
        ) from problem


def _cells(action: PlannedAction) -> list[str]:
    body = json.loads(action.body)
    certificate = body.get("certificateThumbprint") or body.get("certificateSerialNumber") or ""
    cells = (
        action.file,
        action.sheet or "",
        str(action.row_number),
        action.operation.value,
        action.collection,
        shorten(str(body.get("deviceDisplayName", ""))),
        shorten(str(certificate)),
        action.key,
        action.fingerprint,
    )
    return [harmless(each) for each in cells]


def _write(path: Path, plan: SavedPlan) -> None:
    with _replacing(path) as file:
        file.write_text(plan.model_dump_json(indent=2) + "\n", "utf-8")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a new file with mode 0600, which takes the place of `path` when the block ends well, else goes."""
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
        Path(name).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def read_plan(path: Path) -> SavedPlan:
    """Return the plan. Raises UsageError when it cannot be read, is of another version, or its rows were changed."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is no UTF-8 text"
        raise UsageError(f"{path}: the plan cannot be read ({why}); save one with `certstate plan --save`") from problem
    try:
        document = json.loads(text)
        version = document["schema_version"]
        if version == SCHEMA_VERSION:
            plan = SavedPlan.model_validate(document)
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise UsageError(f"{path}: this file is no plan of certstate, or a damaged one; {ANOTHER}") from problem
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: the plan has schema version {shorten(repr(version))} and this certstate knows {SCHEMA_VERSION}; "
            f"{ANOTHER}"
        )
    if Path(plan.actions_file).name != plan.actions_file:
        raise UsageError(f"{path}: the plan's rows do not stand beside it ({plan.actions_file!r}); {ANOTHER}")
    rows = path.with_name(plan.actions_file)
    if not rows.is_file():
        raise UsageError(f"{rows}: the rows of the plan {path} are missing; put the file back, or {ANOTHER}")
    if sha256_of(rows) != plan.actions_sha256:
        raise UsageError(
            f"{rows}: the rows of the plan {path} were changed after it was saved, so nothing is sent by it; {ANOTHER}"
        )
    return plan


def check_basis(path: Path, plan: SavedPlan, basis: Basis, files: Sequence[Path]) -> None:
    """Return when the plan was made for such a call. Raises UsageError that says what differs. Reads the files once."""
    then, now = plan.basis, basis
    if then.scope != now.scope:
        raise UsageError(
            f"{path}: the plan is for {_named(then.scope)}, and this call is for {_named(now.scope)}; take the "
            f"configuration of the plan, or {ANOTHER}"
        )
    if then.edition != now.edition:
        raise UsageError(
            f"{path}: the plan is for edition {then.edition}, and this call is for {now.edition}; take the edition of "
            f"the plan, or {ANOTHER}"
        )
    if then.config_hash != now.config_hash:
        raise UsageError(
            f"{path}: keys of the configuration that change bodies, routes or scope, send.on_changed, --preset, "
            f"--strict or --no-repair differ from the time of the plan; set them as they were, or {ANOTHER}"
        )
    digests = {each: sha256_of(each) for each in files}
    planned = {each.sha256 for each in plan.sources}
    for file, digest in digests.items():
        if digest not in planned:
            raise UsageError(
                f"{file}: the file was changed after the plan {path} was made, or is none of its files; {ANOTHER}"
            )
    for source in plan.sources:
        if source.sha256 not in digests.values():
            raise UsageError(f"{path}: the plan was made from {source.file} too; name it as well, or {ANOTHER}")


def _named(scope: Scope) -> str:
    return f"{scope.service_root}, tenant {scope.tenant_id or 'none'}"


def keep_plan(path: Path, plan: SavedPlan, folder: Path) -> None:
    """Put a copy of the plan into the folder of the run that follows it. Raises UsageError when that fails."""
    try:
        shutil.copyfile(path.with_name(plan.actions_file), folder / KEPT_ACTIONS)
        _write(folder / KEPT_PLAN, plan.model_copy(update={"actions_file": KEPT_ACTIONS}))
    except OSError as problem:
        raise UsageError(
            f"{problem.filename or folder}: the plan cannot be kept with the reports ({problem.strerror}); make room, "
            "or name another place with --out"
        ) from problem


def follows_plan_in(folder: Path) -> Callable[[Ledger, str], str]:
    """Return the check of a run against the plan in its folder: (ledger, run) -> why it may not be sent, or "".

    A folder without a plan allows everything. Raises UsageError when the plan there cannot be read any more.
    """

    def refusal(ledger: Ledger, run_id: str) -> str:
        path = folder / KEPT_PLAN
        if not path.exists():
            return ""
        plan = read_plan(path)
        if {each.sha256 for each in source_infos(ledger, run_id)} != {each.sha256 for each in plan.sources}:
            return f"the files were changed while they were read, after the plan was made; {ANOTHER}"
        return _first_not_planned(folder / KEPT_ACTIONS, planned_actions(ledger, run_id))

    return refusal


def _first_not_planned(path: Path, actions: Iterable[PlannedAction]) -> str:
    """Return what is to be done with the first row that the plan does not have, and how many more there are."""
    # A digest for each planned row: a million rows fit into about 100 MB.
    planned = frozenset(_digest(each) for each in _read_actions(path))
    unplanned = (each for each in actions if _digest(_Listed.of(each)) not in planned)
    first = next(unplanned, None)
    if first is None:
        return ""
    others = sum(1 for _ in unplanned)
    of_key = next((each for each in _read_actions(path) if each.key == first.key), None)
    why = (
        "the plan does not have the row"
        if of_key is None
        else f"the plan says {of_key.action}"
        if of_key.action != first.operation
        else "the plan has other values for it"
        if of_key.collection == first.collection
        else "the plan has it elsewhere"
    )
    sheet = f", sheet {first.sheet}" if first.sheet else ""
    more = f"; so do {others:,} other rows" if others > 1 else "; so does one other row" if others else ""
    return (
        f"{first.file}{sheet}, row {first.row_number}: the import would {first.operation} an object, and {why}{more}; "
        f"nothing was sent: {ANOTHER}"
    )


class _Listed(NamedTuple):
    """What a row of plan.csv says is done."""

    action: str
    collection: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, action: PlannedAction) -> "_Listed":
        return cls(action.operation, action.collection, action.key, action.fingerprint)


def _digest(listed: _Listed) -> bytes:
    return blake2b("\n".join(listed).encode(), digest_size=16).digest()


def _read_actions(path: Path) -> Iterator[_Listed]:
    """Yield the rows of plan.csv. Raises UsageError when it is none: its digest only says that plan.json agrees."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = ";" if ";" in file.readline() else ","
            for row in csv.reader(file, delimiter=delimiter):
                _, _, _, action, collection, _, _, key, fingerprint = row
                yield _Listed(action, collection, key, fingerprint)
    except (OSError, ValueError, csv.Error) as problem:
        raise UsageError(f"{path}: this file holds no rows of a plan, or it is damaged; {ANOTHER}") from problem
