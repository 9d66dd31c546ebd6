"""run.log: one JSON line per event, times in UTC. The only module that imports structlog.

Never logged: tokens, bodies, cells. Requests are named by their row and by the ids that Microsoft's support asks for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

RunLog = FilteringBoundLogger


@contextmanager
def open_run_log(path: Path) -> Iterator[RunLog]:
    """Yield the logger that appends to the file; it is closed at the end."""
    with path.open("a", encoding="utf-8") as file:
        yield structlog.wrap_logger(
            structlog.WriteLogger(file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
        )
