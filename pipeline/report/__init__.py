"""Reports: views of a run as files and numbers. Nothing here knows where the rows come from."""

from pipeline.report.causes import Cause, RowRanges, causes_of_answers, causes_of_findings
from pipeline.report.document import document_of, write_document
from pipeline.report.summary import (
    Forecast,
    NextStep,
    RouteLine,
    Summary,
    TenantLook,
    Terms,
    Total,
    route_lines,
    totals_of,
)
from pipeline.report.tables import harmless, write_input_rows, write_repairs, write_sent_rows
from pipeline.report.verification import (
    Result,
    Verification,
    VerifiedRow,
    causes_of_results,
    verification_document,
    write_verified_rows,
)

__all__ = [
    "Cause",
    "Forecast",
    "NextStep",
    "Result",
    "RouteLine",
    "RowRanges",
    "Summary",
    "TenantLook",
    "Terms",
    "Total",
    "Verification",
    "VerifiedRow",
    "causes_of_answers",
    "causes_of_findings",
    "causes_of_results",
    "document_of",
    "harmless",
    "route_lines",
    "totals_of",
    "verification_document",
    "write_document",
    "write_input_rows",
    "write_repairs",
    "write_sent_rows",
    "write_verified_rows",
]
