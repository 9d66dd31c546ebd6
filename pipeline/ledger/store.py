"""Open the ledger: durable SQLite, private to its owner, one sender at a time."""

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic_core import to_json as encode_json
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import DatabaseError

from pipeline.errors import LedgerError, LockHeldError
from pipeline.ledger.disk import network_file_system_of
from pipeline.ledger.migration import migrate
from pipeline.ledger.schema import SCHEMA_VERSION, facts, metadata, scopes
from pipeline.model import Scope

READ_ONLY = "certstate_read_only"

BUSY_TIMEOUT_MS = 60_000
"""How long a writer waits for another one: planning a million rows keeps all others waiting for some seconds."""

CACHE_KIB = 64 * 1024
"""What a connection keeps of the file, at most: keys and ids come in no order, so each one is at another place.

With SQLite's own 2 MiB a group of 500 steps does not fit, and its pages are written and read again within it.
"""

SPOOL_CACHE_KIB = 16 * 1024
"""The same of a spool or a copy, which nothing waits for: what it writes stays in the system's memory anyway."""

CHECKPOINT_PAGES = 8_000
"""The write-ahead log is folded into the file at 32 MiB: at SQLite's own 4 MiB the same pages went there again and
again, for a fifth more processor time in groups of 500 steps."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """An open ledger and the scope it is used for."""

    engine: Engine
    path: Path
    scope: Scope
    scope_pk: int
    file: tuple[int, int] | None  # device and inode at the opening; None: nobody else knows the file

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection; commit at the end, roll back on an exception. A failing disk is a LedgerError."""
        self._check_file()
        try:
            with self.engine.begin() as connection:
                yield connection
        except DatabaseError as problem:
            raise _ledger_error(self.path, problem) from problem

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one unchanging state and keeps no writer waiting."""
        self._check_file()
        try:
            with self.engine.connect().execution_options(**{READ_ONLY: True}) as connection, connection.begin():
                yield connection
        except DatabaseError as problem:
            raise _ledger_error(self.path, problem) from problem

    def _check_file(self) -> None:
        """Raise LedgerError when another file stands where the ledger was: SQLite would go on writing to the lost one.

        That is what moving, deleting or restoring a database in use leads to (sqlite.org/howtocorrupt.html, 4).
        """
        if self.file is not None and self.file != _file_at(self.path):
            raise LedgerError(
                f"{self.path}: the ledger was replaced or removed while it was in use; put back the one that was here "
                "before, because only that one knows what was sent"
            )

    def close(self) -> None:
        """Close the connections; SQLite then folds the write-ahead log into the file."""
        self.engine.dispose()


def now() -> str:
    """Return the wall clock as ISO 8601 in UTC, with milliseconds."""
    return to_text(datetime.now(UTC))


def to_text(at: datetime) -> str:
    """Return the time, which is in UTC, as the ledger writes it; such texts sort like the times."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def open_ledger(path: Path, scope: Scope, *, is_durable: bool = True, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Ledger:
    """Return the ledger in the file, created with mode 0600 if it is new.

    `is_durable=False` is for the spool of a dry run, which is thrown away: it then never waits for the disk.
    Raises LedgerError when the file cannot be used, or another program keeps it locked for longer than the time-out.

    Not each page is looked at: that took 2 s for a million rows in a warm cache, each time, and finds no wrong value. A
    damaged page is told once it is read, and `check_ledger` looks at all of them.
    """
    if is_durable and (network := network_file_system_of(path)):
        raise LedgerError(
            f"{path}: the ledger lies on a network file system ({network}), where neither SQLite's write-ahead log "
            "nor its locks can be relied on; put it on a local disk with --state"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as problem:
        raise LedgerError(
            f"{path}: the ledger cannot be opened for writing ({problem.strerror}); "
            "make the folder writable, or name another one with --state"
        ) from problem
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _configure(path, is_durable=is_durable, busy_timeout_ms=busy_timeout_ms))
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            _bring_forward(connection, path)
            metadata.create_all(connection)
            scope_pk = _scope_pk(connection, scope)
    except DatabaseError as problem:
        engine.dispose()
        raise _ledger_error(path, problem) from problem
    except LedgerError:
        engine.dispose()
        raise
    return Ledger(engine, path, scope, scope_pk, _file_at(path) if is_durable else None)


@contextmanager
def hold_lock(path: Path, scope: Scope, purpose: str) -> Iterator[None]:
    """Hold the operating system's lock of this ledger and scope: only its holder settles or sends.

    The lock goes with the process, however it ends. Raises LockHeldError naming the holder.
    """
    digest = blake2b("\n".join(scope).encode(), digest_size=6).hexdigest()
    file = path.resolve()  # one lock for one file, whatever link leads to it
    lock = FileLock(file.with_name(f"{file.name}.{digest}.lock"))
    # Beside the lock, because Windows lets nobody read a locked file.
    holder_file = file.with_name(f"{file.name}.{digest}.holder")
    holder = f"{purpose} (process {os.getpid()} on {socket.gethostname()}, since {now()})"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        holder_file.write_text(holder, "utf-8")
    except Timeout as held:
        try:
            holder = holder_file.read_text("utf-8").strip()
        except OSError:
            holder = "another process"
        raise LockHeldError(
            f"{path}: this ledger is in use for {scope.service_root} by {holder}; wait until it has ended"
        ) from held
    except OSError as problem:
        lock.release()
        raise LedgerError(
            f"{path}: the ledger's lock cannot be taken ({problem.strerror}); "
            "make the folder writable, or name another one with --state"
        ) from problem
    try:
        yield
    finally:
        holder_file.unlink(missing_ok=True)
        lock.release()


def _configure(
    path: Path, *, is_durable: bool, busy_timeout_ms: int = BUSY_TIMEOUT_MS
) -> Callable[[sqlite3.Connection, object], None]:
    """Return the listener that makes each new connection durable, or refuses it."""

    def listener(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun by `_begin`, not by the driver's guess
        try:
            connection.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
            connection.execute("PRAGMA foreign_keys=ON")
            if is_durable:
                connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
                _make_durable(connection, path)
            else:
                connection.execute(f"PRAGMA cache_size=-{SPOOL_CACHE_KIB}")
                connection.execute("PRAGMA journal_mode=TRUNCATE")  # in memory, it grew with the rows of a plan
                connection.execute("PRAGMA synchronous=OFF")
        except (sqlite3.Error, LedgerError):
            connection.close()
            raise

    return listener


def _make_durable(connection: sqlite3.Connection, path: Path) -> None:
    # NORMAL can lose the last commits at power loss, and with them the intent (sqlite.org/pragma.html).
    connection.execute("PRAGMA synchronous=FULL")
    (journal,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if (journal, synchronous) != ("wal", 2):
        raise LedgerError(
            f"{path}: the ledger's disk does not support SQLite's write-ahead log (journal {journal}, synchronous "
            f"{synchronous}), so no intent would be durable; put the ledger on a local disk with --state"
        )


def _begin(connection: Connection) -> None:
    # A transaction that begins as a reader and then writes can be refused in its middle; a reader must not block.
    is_reader = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")


def _bring_forward(connection: Connection, path: Path) -> None:
    tables = inspect(connection).get_table_names()
    if not tables:
        facts.create(connection)
        connection.execute(insert(facts).values(name="schema_version", value=str(SCHEMA_VERSION)))
        return
    if facts.name not in tables:
        raise LedgerError(
            f"{path}: this is another program's SQLite database and no ledger; name another file or folder with --state"
        )
    written = connection.execute(select(facts.c.value).where(facts.c.name == "schema_version")).scalar()
    found = migrate(connection, str(written))
    if found != str(SCHEMA_VERSION):
        raise LedgerError(
            f"{path}: the ledger has schema version {found} and this certstate knows {SCHEMA_VERSION}; "
            "use the certstate that wrote it, or another ledger with --state"
        )


def _scope_pk(connection: Connection, scope: Scope) -> int:
    known = select(scopes.c.pk).where(
        scopes.c.service_root == scope.service_root, scopes.c.tenant_id == scope.tenant_id
    )
    found: int | None = connection.execute(known).scalar()
    if found is not None:
        return found
    new = insert(scopes).values(service_root=scope.service_root, tenant_id=scope.tenant_id)
    return int(connection.execute(new.returning(scopes.c.pk)).scalar_one())


def _file_at(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)  # no file has these numbers
    return (found.st_dev, found.st_ino)


DAMAGED = (
    "if it is damaged, keep it and the files beside it, and restore a copy, then `resume` or `import` with "
    "--check-remote, because a copy does not know what was sent since; or name another place with --state: an import "
    "with a new ledger looks into the tenant first"
)
LOCKED = "another program, such as a database browser, keeps it locked; close that"
FULL = "make room on its disk"
READ_ONLY_DISK = "let this user write the file, the files beside it and the folder, or name another place with --state"

ADVICE = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: "check that its disk is neither full nor failing",
    sqlite3.SQLITE_READONLY: READ_ONLY_DISK,
    sqlite3.SQLITE_CANTOPEN: READ_ONLY_DISK,
    sqlite3.SQLITE_PERM: READ_ONLY_DISK,
}
"""What to do, by SQLite's primary result code (sqlite.org/rescode.html)."""


def _ledger_error(path: Path, problem: DatabaseError) -> LedgerError:
    code = getattr(problem.orig, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # the rest tells which kind of it
    return LedgerError(f"{path}: the ledger cannot be used ({problem.orig}); {ADVICE.get(code, DAMAGED)}")


def to_json(cells: tuple[str, ...]) -> str:
    """Return the cells as the ledger keeps them."""
    return encode_json(cells).decode()  # 0.7 us for 14 cells, where json.dumps takes 4.9 us for the same text


def from_json(text: str) -> tuple[str, ...]:
    """Return the cells that `to_json` wrote."""
    return tuple(json.loads(text))
