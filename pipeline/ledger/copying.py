"""A copy of the ledger to try a plan out on."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.errors import LedgerError

BUSY_TIMEOUT_S = 60.0


def copy_ledger(source: Path, target: Path) -> None:
    """Write the ledger as it is at this moment into a new file with mode 0600, also while a run writes to it.

    The copy is one consistent state: SQLite's backup in a single step, which keeps no writer waiting
    (sqlite.org/backup.html, sqlite.org/wal.html). What the source holds stays as it is. Raises LedgerError.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        # Not `ro`, which leaves the files of the write-ahead log behind; not `rwc`, which makes a ledger of nothing.
        address = f"{source.absolute().as_uri()}?mode=rw"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)) as ledger,
            closing(sqlite3.connect(target)) as copy,
        ):
            ledger.execute("PRAGMA query_only=ON")
            copy.execute("PRAGMA synchronous=OFF")  # of no use after a crash
            ledger.backup(copy)
    except (sqlite3.Error, OSError) as problem:
        raise LedgerError(
            f"{source}: the ledger cannot be copied to {target} ({problem}); check that it is a ledger, that its "
            "folder is writable, and that the disk is not full"
        ) from problem
