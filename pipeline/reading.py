"""The first phase of a verb that is given files: a run of its own, on the ledger or on a spool that is thrown away."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.config import OnChanged
from pipeline.errors import LedgerError
from pipeline.ingest import ingest_files, rules_of
from pipeline.interrupt import deferred_signals
from pipeline.ledger import Ledger, copy_ledger, open_ledger, state_counts
from pipeline.log import open_run_log
from pipeline.model import Scope
from pipeline.session import Job, make_folder


def read_files(
    paths: Sequence[Path],
    ledger: Ledger,
    run_id: str,
    folder: Path,
    job: Job,
    *,
    looks: bool | None = None,
    keeps_all: bool = True,
) -> None:
    """Read the files into the run and plan it by what the ledger knows. Writes to the ledger and to run.log.

    `looks` says whether the run is to look into the tenant first; None leaves that to the plan. Without `keeps_all`,
    for a dry run on a spool, valid rows of which nothing is told are only counted.

    Raises SourceError when a file is no table, and KeyboardInterrupt when the user wants no more: nothing of the run is
    planned then.
    """
    rules = rules_of(job.settings, is_strict=job.is_strict, preset=job.preset, repairs=job.repairs)
    with open_run_log(folder / "run.log") as log, deferred_signals() as check:
        log.info("reading", run=run_id, files=[str(path) for path in paths])

        def on_rows(rows: int, expected: int) -> None:
            job.watch.reading(rows, expected)
            check()

        updates = job.settings.send.on_changed is OnChanged.UPDATE
        ingest_files(
            paths,
            ledger,
            run_id,
            rules=rules,
            options=job.load,
            on_rows=on_rows,
            updates=updates,
            looks=looks,
            keeps_all=keeps_all,
            jobs=job.jobs,
        )
        log.info("planned", rows={state.value: rows for state, rows in state_counts(ledger, run_id).items()})


def open_copy(path: Path, scope: Scope, spool: Path) -> Ledger:
    """Return a copy of the ledger to try things out on, or an empty one where there is none. Raises LedgerError."""
    if path.exists():
        copy_ledger(path, spool)
    try:
        return open_ledger(spool, scope, is_durable=False)
    except LedgerError as problem:  # what is wrong with the copy is wrong with the ledger
        raise LedgerError(str(problem).replace(str(spool), str(path))) from problem


@contextmanager
def spool_in(folder: Path) -> Iterator[Path]:
    """Make the folder and yield the path of a spool in it, which is deleted at the end, and the folder if empty."""
    make_folder(folder)
    try:
        yield folder / "spool.db"
    finally:
        for each in folder.glob("spool.db*"):
            each.unlink()
        with suppress(OSError):
            folder.rmdir()  # succeeds when nothing is in it: Windows kept it as long as the spool was open
