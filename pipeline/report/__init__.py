"""Reports: views of a run as files and numbers. Nothing here knows where the rows come from."""

from pipeline.report.causes import Cause, RowRanges, causes_of_answers, causes_of_findings
from pipeline.report.document import document_of, write_document
from pipeline.report.summary import NextStep, RouteLine, Summary, Total, route_lines, totals_of
from pipeline.report.tables import harmless, write_created_rows, write_input_rows, write_repairs

__all__ = [
    "Cause",
    "NextStep",
    "RouteLine",
    "RowRanges",
    "Summary",
    "Total",
    "causes_of_answers",
    "causes_of_findings",
    "document_of",
    "harmless",
    "route_lines",
    "totals_of",
    "write_created_rows",
    "write_document",
    "write_input_rows",
    "write_repairs",
]
