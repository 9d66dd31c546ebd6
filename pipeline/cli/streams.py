"""stdout and stderr: what cannot be written to them never changes how a run ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import typer

from pipeline.cli.fitting import MOST_COLUMNS, showable, told


def tell(text: str) -> None:
    """Print lines on stderr; on a terminal such that they fit, elsewhere as they are, so that they can be searched."""
    encoding = encoding_of(sys.stderr)
    columns = _columns(sys.stderr)
    try:
        for line in text.splitlines():
            shown = showable(printable(line), encoding)
            for each in told(shown, columns) if columns else [shown]:
                typer.echo(each, err=True)
    except OSError:
        discard(sys.stderr)


def encoding_of(stream: TextIO | None) -> str:
    """Return the encoding of the stream."""
    return getattr(stream, "encoding", None) or "utf-8"


def _columns(stream: TextIO | None) -> int | None:
    """Return how many columns a line on the stream may have, None for as many as it likes."""
    if stream is None or not stream.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal():
        return max(min(int(columns), MOST_COLUMNS), 20)
    try:
        columns_there = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return MOST_COLUMNS
    return max(min(columns_there or MOST_COLUMNS, MOST_COLUMNS), 20)


def answer(text: str) -> None:
    """Print what a verb answers on stdout, as it is."""
    with answering():
        typer.echo(text, nl=False, color=True)  # colours are in it only where they belong


@contextmanager
def answering() -> Iterator[None]:
    """Carry on when the block cannot write to stdout."""
    try:
        yield
    except BrokenPipeError:  # such as `| head`: the reader has seen enough
        discard(sys.stdout)
    except OSError as problem:
        discard(sys.stdout)
        tell(f"certstate: the answer cannot be printed on stdout: {problem.strerror}")


def discard(stream: TextIO) -> None:
    """Throw away what the stream still holds and gets: Python would end with an error of its own over it."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def printable(text: str) -> str:
    """Return the line with control characters and invisible marks as escapes, so that no file steers a terminal.

    It also shows what is invisible in a value, such as a left-to-right mark.
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
