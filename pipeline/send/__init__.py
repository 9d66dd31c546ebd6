"""Phase two: planned rows leave, each once, and what became of them is durable before the next step.

`sender.py` sends one round of rows, one by one or in batches, `under_way.py` keeps the rows between intent and outcome,
`course.py` says whether the round goes on, after `rules.py`, `guard.py` looks before a delete, `record.py` writes
run.log. What an answer means stands in `graph`.
"""

from pipeline.send.rules import (
    OUTAGE_S,
    Outcome,
    Problem,
    Progress,
    RoundEnd,
    SendLimits,
    Tally,
    said,
)
from pipeline.send.sender import GRACE_S, Round, Service, send_round

__all__ = [
    "GRACE_S",
    "OUTAGE_S",
    "Outcome",
    "Problem",
    "Progress",
    "Round",
    "RoundEnd",
    "SendLimits",
    "Service",
    "Tally",
    "said",
    "send_round",
]
