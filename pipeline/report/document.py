"""report.json: the run for machines. The shape is versioned by `schema_version`."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.findings import Finding, Severity
from pipeline.model import SourceInfo
from pipeline.report.summary import Summary, Total

SCHEMA_VERSION = 1

MOST_FINDINGS = 10_000
"""Errors, warnings and repairs listed one by one, so many of each; `findings_total` tells the rest.

errors.csv has every row that is not settled well, repairs.csv every repair.
"""


def document_of(
    summary: Summary, placed: Iterable[tuple[int, int | None, Finding]], sources: Mapping[int, SourceInfo]
) -> dict[str, Any]:
    """Return the report as JSON values."""
    listed: list[dict[str, Any]] = []
    counts = Counter[Severity]()
    for source_pk, row_number, found in placed:
        counts[found.severity] += 1
        if counts[found.severity] <= MOST_FINDINGS:
            source = sources[source_pk]
            listed.append({"file": source.file, "sheet": source.sheet, "row": row_number, **found._asdict()})
    run = summary.run
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "id": run.id,
            "verb": run.verb,
            "dry_run": summary.is_dry_run,
            "service_root": run.scope.service_root,
            "tenant_id": run.scope.tenant_id,
            "edition": run.edition,
            "certstate_version": run.version,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "stop": run.stop or None,
            "stop_message": run.stop_message or None,
        },
        "files": [
            {
                "file": each.file,
                "sheet": each.sheet,
                "sha256": each.sha256,
                "encoding": each.encoding or None,
                "delimiter": each.delimiter or None,
                "rows_read": each.rows_read,
                "blank_rows": each.blank_rows,
            }
            for each in summary.sources
        ],
        "rows_read": summary.rows_read,
        "totals": _totals(summary.totals),
        "balanced": summary.is_balanced,
        "routes": [{"collection": each.collection, "totals": _totals(each.totals)} for each in summary.routes],
        "forecast": summary.forecast._asdict() if summary.forecast else None,
        "sending": summary.stats._asdict() if summary.stats else None,
        "causes": [each._asdict() for each in summary.causes],
        "findings_total": counts.total(),
        "findings": listed,
        "next_steps": [each._asdict() for each in summary.next_steps],
    }


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write the report as UTF-8 JSON."""
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")


def _totals(totals: Iterable[Total]) -> dict[str, int]:
    return {each.label.replace(" ", "_"): each.rows for each in totals}
