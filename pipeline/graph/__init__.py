"""Speak Graph: writes that are sent again only when they were not applied, reads that are repeated, and their answers.

The only place that imports httpx, aiohttp's client, yarl and tenacity. It knows no pacer, no token
cache, no ledger and no configuration: `write` and `sweep` are given them as callables. A POST is not idempotent, so an
attempt is repeated only when it was certainly not applied; a lost answer is `Verdict.UNKNOWN`, never a second request.

`client.py` opens connections, `paths.py` names what is asked for, `exchange.py` sends one request, `answers.py` reads
what comes back, `attempts.py` writes one row, `batches.py` many rows in one request, `reads.py` reads back.
"""

from pipeline.graph.answers import Answered, judge, parse_retry_after, read_error
from pipeline.graph.attempts import Sent, write
from pipeline.graph.batches import MOST_ITEMS, REFUSES_BATCHES, RowAnswered, write_batch
from pipeline.graph.client import Client, Timeouts, open_client
from pipeline.graph.exchange import is_never_sent
from pipeline.graph.paths import object_path, path_of
from pipeline.graph.reads import Access, ReadFailedError, probe, read_object, sweep

__all__ = [
    "MOST_ITEMS",
    "REFUSES_BATCHES",
    "Access",
    "Answered",
    "Client",
    "ReadFailedError",
    "RowAnswered",
    "Sent",
    "Timeouts",
    "is_never_sent",
    "judge",
    "object_path",
    "open_client",
    "parse_retry_after",
    "path_of",
    "probe",
    "read_error",
    "read_object",
    "sweep",
    "write",
    "write_batch",
]
