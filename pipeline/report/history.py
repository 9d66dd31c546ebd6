"""history.jsonl: one line for each run, beside the runs' folders. What it knows of dry runs stands nowhere else."""

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.findings import Severity
from pipeline.report.summary import Summary, Total

HISTORY_FILE = "history.jsonl"

RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
FIRST_YEAR = 2000

NUMBERS = re.compile(r"\d+(?:[-_.T ]?\d+)*")
"""Dates, times and counters in file names, as scheduled exports have them."""


class PastCause(NamedTuple):
    """One thing that was wrong, as far as it is needed to tell whether it still is."""

    code: str
    severity: Severity
    column: str  # "" where no single column is meant
    rows: int  # 0 = about whole files


class PastRun(NamedTuple):
    """A run in short, dry or not. Times are UTC, ISO 8601."""

    id: str
    verb: str
    is_dry_run: bool
    service_root: str
    tenant_id: str
    parent_id: str  # the run that an undo undoes, or whose rows were corrected; "" where there is none
    files: tuple[str, ...]  # as the user named them, a workbook once however many sheets it has
    started_at: str
    ended_at: str  # "" where it did not end
    stop: str  # why sending ended before its end, "" where it did not
    rows_read: int
    totals: tuple[Total, ...]
    causes: tuple[PastCause, ...]
    edition: str = ""


class _HistoryLine(BaseModel):
    """One line of history.jsonl; whatever else stands there is passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    run: PastRun


def series_of(run: PastRun) -> frozenset[str]:
    """Return what the names of the run's files have in common with those of the same export on another day.

    Folders do not count, and numbers are all the same: `inventory-2026-11-23.csv` and `inventory-2026-11-24.csv`.
    """
    return frozenset(NUMBERS.sub("#", PurePath(each).name) for each in run.files)


def past_run(summary: Summary) -> PastRun:
    """Return what is remembered of the run."""
    run = summary.run
    return PastRun(
        id=run.id,
        verb=run.verb,
        is_dry_run=summary.is_dry_run,
        service_root=run.scope.service_root,
        tenant_id=run.scope.tenant_id,
        parent_id=run.parent_id or next(iter(summary.corrects), ""),
        files=tuple(dict.fromkeys(each.file for each in summary.sources)),
        started_at=run.started_at,
        ended_at=run.ended_at or "",
        stop=run.stop,
        rows_read=summary.rows_read,
        totals=summary.totals,
        causes=tuple(PastCause(each.code, each.severity, each.column, each.rows) for each in summary.causes),
        edition=run.edition,
    )


def remember(path: Path, run: PastRun) -> None:
    """Append the run to the history; of lines with the same id the last one counts. Raises OSError.

    It is one write, so a reader never sees half of a line but where power or room failed; the next line begins behind
    that. The file is the user's own, as the reports are: it names their files and columns.
    """
    line = json.dumps({"schema_version": 1, "run": _values_of(run)}).encode() + b"\n"
    # Binary on Windows; no link that somebody else may have put into a shared folder is followed.
    more = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | more, 0o600)
    try:
        is_torn = os.lseek(file, 0, os.SEEK_END) > 0 and _last_byte(file) != b"\n"
        written = b"\n" + line if is_torn else line
        if os.write(file, written) != len(written):
            raise OSError(None, "no room left on the disk", str(path))
    finally:
        os.close(file)


def read_history(path: Path) -> list[PastRun]:
    """Return the runs in the order in which they started, [] where there is no history yet. Raises OSError.

    A torn line, and a line that another program or a newer version of certstate wrote, is passed over.
    """
    runs: dict[str, PastRun] = {}
    for line in _lines(path):
        try:
            run = _HistoryLine.model_validate_json(line).run
        except ValidationError:
            continue
        if _is_whole(run):
            runs[run.id] = run
    return sorted(runs.values(), key=lambda each: (each.started_at, each.id))


def _is_whole(run: PastRun) -> bool:
    """Return whether the run is one that certstate can have written: somebody may have edited the file."""
    try:
        times = [datetime.fromisoformat(each) for each in (run.started_at, run.ended_at) if each]
    except ValueError:
        return False
    rows = (run.rows_read, *(each.rows for each in run.totals), *(each.rows for each in run.causes))
    return RUN_ID.fullmatch(run.id) is not None and min(rows) >= 0 and all(at.year >= FIRST_YEAR for at in times)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return


def _last_byte(file: int) -> bytes:
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1)


def _values_of(run: PastRun) -> dict[str, Any]:
    return {
        **run._asdict(),
        "totals": [each._asdict() for each in run.totals],
        "causes": [each._asdict() for each in run.causes],
    }
