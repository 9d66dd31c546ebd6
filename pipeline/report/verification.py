"""verify.csv and verify.json: what reading a run's objects back has shown, row by row and by cause."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.findings import Severity, shorten
from pipeline.identity import Difference
from pipeline.model import RunInfo, SourceInfo
from pipeline.report.causes import Cause, RowRanges, places_of
from pipeline.report.summary import NextStep
from pipeline.report.tables import delimiter_of, harmless, open_table

SCHEMA_VERSION = 1

MOST_ROWS = 10_000
"""Rows that verify.json lists one by one; `rows_total` tells the rest. verify.csv has every row."""

VALUE_CHARACTERS = 80

COLUMNS = (
    "file",
    "sheet",
    "row",
    "device",
    "thumbprint",
    "id",
    "result",
    "fields",
    "sent",
    "found",
    "same_instant",
    "message",
)


class Result(StrEnum):
    """What reading back says of a row."""

    VERIFIED = "verified"  # there, with the values that were sent
    DIFFERS = "differs"
    MISSING = "missing"
    NOT_YET_VISIBLE = "not yet visible"  # absent, and the time was too short to prove that it is missing
    NOT_READ = "not read"


class VerifiedRow(NamedTuple):
    """A row of the run with what reading its object back has shown."""

    source_pk: int
    row_number: int
    collection: str
    device: str
    thumbprint: str
    object_id: str
    result: Result
    differences: tuple[Difference, ...]  # those of the same instant among them
    message: str

    @property
    def changed(self) -> list[Difference]:
        """The differences that count."""
        return [each for each in self.differences if not each.is_same_instant]

    @property
    def rewritten(self) -> list[Difference]:
        """The properties whose date is written otherwise, though it is the same instant."""
        return [each for each in self.differences if each.is_same_instant]


@dataclass(frozen=True, slots=True)
class Verification:
    """A verified run in numbers."""

    run: RunInfo
    verified_at: str  # UTC, ISO 8601
    rows: int  # that the run created or updated
    counts: Mapping[Result, int]
    same_instant: int  # verified rows with a date that is written otherwise
    causes: tuple[Cause, ...]
    next_steps: tuple[NextStep, ...]
    stop_message: str = ""
    missing_by_run: Mapping[str, int] = field(default_factory=dict)  # objects of this run that another found missing

    @property
    def is_balanced(self) -> bool:
        """True when each row has exactly one result."""
        return self.rows == sum(self.counts.values())

    @property
    def conservation_line(self) -> str:
        """Such as `248 rows created = 245 verified + 2 differ + 1 missing`; results of no rows are left out."""
        shown = [f"{rows:,} {_in_plural(result, rows)}" for result in Result if (rows := self.counts.get(result, 0))]
        sign = "=" if self.is_balanced else "IS NOT"
        return f"{self.rows:,} row{'' if self.rows == 1 else 's'} created {sign} {' + '.join(shown) or '0'}"


def _in_plural(result: Result, rows: int) -> str:
    return "differ" if result is Result.DIFFERS and rows != 1 else result.value


HINTS = {
    Result.DIFFERS: (
        "look at the object in Intune: somebody has changed it since, or the service keeps the value in another form"
    ),
    Result.MISSING: "the next commands create it again",
    Result.NOT_YET_VISIBLE: "verify the run again later, or give it more time with --wait-s",
    Result.NOT_READ: "mend what the message names, then verify the run again",
}


def causes_of_results(rows: Iterable[VerifiedRow], sources: Mapping[int, SourceInfo]) -> list[Cause]:
    """Return why rows are not verified, one cause for each property that differs; those of the most rows first.

    The rows come in the order of reading.
    """
    groups: dict[tuple[Result, str], tuple[str, dict[int, RowRanges]]] = {}
    for row in rows:
        for kind, message in _reasons(row):
            _, ranges_of = groups.setdefault((row.result, kind), (message, {}))
            ranges_of.setdefault(row.source_pk, RowRanges()).add(row.row_number)
    causes = [
        Cause(
            code=result.value,
            severity=Severity.ERROR,
            column=kind if result is Result.DIFFERS else "",
            rows=sum(len(ranges) for ranges in ranges_of.values()),
            places=places_of(ranges_of, sources),
            example_value="",
            example_message=message,
            hint=HINTS[result],
        )
        for (result, kind), (message, ranges_of) in groups.items()
    ]
    order = tuple(Result)
    return sorted(causes, key=lambda each: (order.index(Result(each.code)), -each.rows))


def _reasons(row: VerifiedRow) -> Iterator[tuple[str, str]]:
    """Yield (what belongs together, example) for what keeps the row from being verified."""
    if row.result is Result.DIFFERS:
        for each in row.changed:
            sent, found = (shorten(text, VALUE_CHARACTERS) or "nothing" for text in (each.sent, each.found))
            yield each.name, f"sent {sent}, found {found}"
    elif row.result is not Result.VERIFIED:
        # What stands behind the colon is the single case.
        yield row.message.partition(":")[0], row.message


def write_verified_rows(path: Path, rows: Iterable[VerifiedRow], sources: Mapping[int, SourceInfo]) -> None:
    """Write verify.csv: every row with its result. Several differing fields stand in one cell, `; ` between."""
    with open_table(path) as file:
        writer = csv.writer(file, delimiter=delimiter_of(sources))
        writer.writerow(COLUMNS)
        for row in rows:
            source = sources[row.source_pk]
            cells = (
                source.file,
                source.sheet or "",
                str(row.row_number),
                row.device,
                row.thumbprint,
                row.object_id,
                row.result.value,
                *("; ".join(each) for each in _in_columns(row.changed)),
                "; ".join(each.name for each in row.rewritten),
                row.message,
            )
            writer.writerow([harmless(cell) for cell in cells])


def _in_columns(changed: list[Difference]) -> tuple[list[str], list[str], list[str]]:
    return [each.name for each in changed], [each.sent for each in changed], [each.found for each in changed]


def verification_document(
    verification: Verification, rows: Iterable[VerifiedRow], sources: Mapping[int, SourceInfo]
) -> dict[str, Any]:
    """Return verify.json as JSON values: counts, causes, and the rows that are not verified."""
    listed: list[dict[str, Any]] = []
    total = 0
    for row in rows:
        if row.result is Result.VERIFIED:
            continue
        total += 1
        if total <= MOST_ROWS:
            listed.append(_as_json(row, sources[row.source_pk]))
    run = verification.run
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "id": run.id,
            "verb": run.verb,
            "service_root": run.scope.service_root,
            "tenant_id": run.scope.tenant_id,
            "edition": run.edition,
            "started_at": run.started_at,
        },
        "verified_at": verification.verified_at,
        "rows_created": verification.rows,
        "totals": {each.replace(" ", "_"): verification.counts.get(each, 0) for each in Result},
        "same_instant": verification.same_instant,
        "missing_by_run": verification.missing_by_run,
        "balanced": verification.is_balanced,
        "stop_message": verification.stop_message or None,
        "causes": [each._asdict() for each in verification.causes],
        "rows_total": total,
        "rows": listed,
        "next_steps": [each._asdict() for each in verification.next_steps],
    }


def _as_json(row: VerifiedRow, source: SourceInfo) -> dict[str, Any]:
    return {
        "file": source.file,
        "sheet": source.sheet,
        "row": row.row_number,
        "collection": row.collection,
        "device": row.device,
        "thumbprint": row.thumbprint,
        "id": row.object_id,
        "result": row.result,
        "message": row.message or None,
        "differences": [{"property": each.name, "sent": each.sent, "found": each.found} for each in row.changed],
        "same_instant": [each.name for each in row.rewritten],
    }
