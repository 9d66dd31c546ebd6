"""What run.log keeps of an answer: never the body, always the ids that Microsoft's support asks for."""

from collections.abc import Sequence

from pipeline.graph import RowAnswered
from pipeline.lanes import GOT_THROUGH
from pipeline.log import Line, RunLog

NAMES = (
    "ledger_row",
    "operation",
    "verdict",
    "http_status",
    "graph_code",
    "message",
    "request_id",
    "client_request_id",
    "object_id",
)


def log_answers(log: RunLog, answered: Sequence[RowAnswered]) -> None:
    """Write one line for each row of a request, a warning unless the row got through."""
    log.write_all("answer", NAMES, map(_line, answered))


def _line(answered: RowAnswered) -> Line:
    row, (verdict, answer, _) = answered
    level = "info" if verdict in GOT_THROUGH else "warning"
    values = (
        *(row.row_pk, row.operation, verdict, answer.http_status, answer.graph_code, answer.message),
        *(answer.request_id, answer.client_request_id, answer.object_id),
    )
    return Line(level, values)
