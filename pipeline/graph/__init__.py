"""Speak Graph: one POST per attempt, what its answer means, and the loop that sends again what was not applied.

The only place that imports httpx, httpx_aiohttp, aiohttp's client and tenacity. It knows no pacer, no token cache, no
ledger and no configuration: `create` is given them as callables. A POST is not idempotent, so an attempt is repeated
only when it was certainly not applied; a lost answer is `Verdict.UNKNOWN`, never a second POST.

`client.py` opens connections, `answers.py` reads what comes back, `attempts.py` sends.
"""

from pipeline.graph.answers import Answered, judge, parse_retry_after, read_error
from pipeline.graph.attempts import Sent, create, is_never_sent
from pipeline.graph.client import Client, Timeouts, open_client

__all__ = [
    "Answered",
    "Client",
    "Sent",
    "Timeouts",
    "create",
    "is_never_sent",
    "judge",
    "open_client",
    "parse_retry_after",
    "read_error",
]
