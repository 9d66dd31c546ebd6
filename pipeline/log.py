"""run.log: one JSON line per event, times in UTC. The only module that imports structlog.

Never logged: tokens, bodies, cells. Requests are named by their row and by the ids that Microsoft's support asks for.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

RunLog = FilteringBoundLogger

ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)
"""Made once: json.dumps makes an encoder for each line, which took two thirds of a line's time."""


@contextmanager
def open_run_log(path: Path) -> Iterator[RunLog]:
    """Yield the logger that appends to the file; it is closed at the end.

    A line that the disk does not take is lost, and so are all where the file cannot be opened. The ledger alone says
    what became of a row, and no row waits for its line.
    """
    with _opened(path) as file:
        yield structlog.wrap_logger(
            structlog.WriteLogger(_Lines(file)),  # type: ignore[arg-type]  # it takes whatever can write and flush
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=_json),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
        ).bind()


def _json(event: Any, **_: Any) -> str:  # noqa: ANN401 - structlog's own signature
    return ENCODER.encode(event)


class _Lines:
    """Text that goes to the file at once, or nowhere: what stayed in a buffer would fail again when it is closed."""

    def __init__(self, file: RawIOBase) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text.encode())

    def flush(self) -> None:
        """Nothing is held back."""


def _opened(path: Path) -> RawIOBase:
    try:
        return path.open("ab", buffering=0)
    except OSError:
        return Path(os.devnull).open("ab", buffering=0)
