"""How a report takes the place of an earlier one: whole, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp


class NotReplacedError(OSError):
    """A report cannot be written; `filename` is its path."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a file to write instead, which takes the place of `path` when the block ends well.

    It lies in the same folder, under a name that no other run has; half a report must not look like a whole one when
    the program is killed. Raises OSError that names `path`, or the other report that the block was to replace.
    """
    try:
        handle, name = mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=path.suffix)
        unfinished = Path(name)
        with open(handle, "wb"):  # noqa: PTH123 - a handle, which has no path; closed, because the block opens the file
            pass
        try:
            yield unfinished
            unfinished.replace(path)
        finally:
            with suppress(FileNotFoundError):
                unfinished.unlink()
    except NotReplacedError:
        raise
    except OSError as problem:
        raise NotReplacedError(problem.errno, problem.strerror or str(problem), str(path)) from problem
