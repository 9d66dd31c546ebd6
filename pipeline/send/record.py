"""What run.log keeps of an answer: never the body, always the ids that Microsoft's support asks for."""

from pipeline.lanes import GOT_THROUGH
from pipeline.log import RunLog
from pipeline.model import Answer, PlannedRow, Verdict


def log_answer(log: RunLog, row: PlannedRow, verdict: Verdict, answer: Answer) -> None:
    """Write one line, a warning unless the row got through."""
    level = log.info if verdict in GOT_THROUGH else log.warning
    level(
        "answer",
        ledger_row=row.row_pk,
        operation=row.operation,
        verdict=verdict,
        http_status=answer.http_status,
        graph_code=answer.graph_code,
        message=answer.message,
        request_id=answer.request_id,
        client_request_id=answer.client_request_id,
        object_id=answer.object_id,
    )
