"""Reports: views of a run as files and numbers. Nothing here knows where the rows come from."""

from pipeline.report.causes import Cause, Example, RowRanges, causes_of_answers, causes_of_findings
from pipeline.report.document import document_of, write_document
from pipeline.report.history import HISTORY_FILE, past_run, read_history, remember
from pipeline.report.import_columns import harmless
from pipeline.report.input_rows import told_rows, widths_of
from pipeline.report.junit import write_junit
from pipeline.report.lines import Line, lines_of
from pipeline.report.page import answer_of, write_page
from pipeline.report.page.trend import write_trend
from pipeline.report.summary import (
    LONGEST_PAUSE_S,
    AnnotatedCopy,
    Eta,
    Forecast,
    NextStep,
    Pace,
    RouteLine,
    Summary,
    TenantLook,
    Terms,
    Total,
    route_lines,
    totals_of,
)
from pipeline.report.tables import input_table, repairs_table, write_input_rows, write_sent_rows
from pipeline.report.verification import (
    Result,
    Verification,
    VerifiedRow,
    causes_of_results,
    verification_document,
    write_verified_rows,
)
from pipeline.report.workbook import annotate, input_workbook
from pipeline.report.workbook.annotated import SUFFIXES as ANNOTATED_SUFFIXES

__all__ = [
    "ANNOTATED_SUFFIXES",
    "HISTORY_FILE",
    "LONGEST_PAUSE_S",
    "AnnotatedCopy",
    "Cause",
    "Eta",
    "Example",
    "Forecast",
    "Line",
    "NextStep",
    "Pace",
    "Result",
    "RouteLine",
    "RowRanges",
    "Summary",
    "TenantLook",
    "Terms",
    "Total",
    "Verification",
    "VerifiedRow",
    "annotate",
    "answer_of",
    "causes_of_answers",
    "causes_of_findings",
    "causes_of_results",
    "document_of",
    "harmless",
    "input_table",
    "input_workbook",
    "lines_of",
    "past_run",
    "read_history",
    "remember",
    "repairs_table",
    "route_lines",
    "told_rows",
    "totals_of",
    "verification_document",
    "widths_of",
    "write_document",
    "write_input_rows",
    "write_junit",
    "write_page",
    "write_sent_rows",
    "write_trend",
    "write_verified_rows",
]
