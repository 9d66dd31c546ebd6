"""Opening the ledger: durable, private, its own version, one sender at a time."""

import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from ledger_cases import REHEARSAL, SCOPE, begin, create, import_rows, opened, valid

from pipeline.errors import LedgerError, LockHeldError
from pipeline.ledger import hold_lock, open_ledger, report_rows
from pipeline.ledger.disk import file_system_of, network_file_system_of
from pipeline.ledger.store import _configure
from pipeline.model import Scope, State

SQLITE_HEADER_BYTES = 100
ROOT = Path(__file__).parent.parent


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and not text.endswith(".") and ". " not in text


# --- durable


def test_every_pooled_connection_is_durable(tmp_path: Path) -> None:
    """WAL, synchronous=FULL, foreign keys and the wait for other writers hold on each connection, not on the first."""
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")

    with opened(tmp_path / "ledger.db") as ledger, ExitStack() as stack:
        connections = [stack.enter_context(ledger.reading()) for _ in range(8)]
        found = [tuple(each.exec_driver_sql(f"PRAGMA {p}").scalar_one() for p in pragmas) for each in connections]

    assert found == [("wal", 2, 1, 60_000)] * 8


def test_a_ledger_that_another_program_made_undurable_is_made_durable_again(tmp_path: Path) -> None:
    """A journal mode that another tool left in the file is put right when the ledger is opened."""
    path = tmp_path / "ledger.db"
    open_ledger(path, SCOPE).close()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)

    with opened(path) as ledger, ledger.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_place_where_the_write_ahead_log_cannot_be_is_refused(tmp_path: Path, suffix: str) -> None:
    """Where SQLite cannot make its log or the index of it, no ledger is opened."""
    (tmp_path / f"ledger.db{suffix}").mkdir()

    with pytest.raises(LedgerError) as refused:
        open_ledger(tmp_path / "ledger.db", SCOPE)

    assert str(refused.value).startswith(f"{tmp_path / 'ledger.db'}: the ledger cannot be used (")
    assert is_one_sentence(str(refused.value))


def test_a_connection_that_quietly_stays_without_the_log_is_refused(tmp_path: Path) -> None:
    """SQLite does not fail where it cannot have the log, it answers with another journal: that is a LedgerError."""
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(":memory:")

    with pytest.raises(LedgerError) as refused:
        _configure(path, is_durable=True)(connection, None)

    assert str(refused.value) == (
        f"{path}: the ledger's disk does not support SQLite's write-ahead log (journal memory, synchronous 2), "
        "so no intent would be durable; put the ledger on a local disk with --state"
    )
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_the_spool_of_a_dry_run_waits_for_no_disk(tmp_path: Path) -> None:
    """What is thrown away afterwards is not made durable."""
    with closing(open_ledger(tmp_path / "spool.db", SCOPE, is_durable=False)) as spool, spool.reading() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {p}").scalar_one() for p in ("journal_mode", "synchronous")]

    assert found == ["truncate", 0]


MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /home rw shared:1 - nfs4 server:/home rw
31 30 0:26 / /home/me/local rw - xfs /dev/vdb rw
32 22 0:27 / /mnt/two\040words rw master:1 - cifs //server/share rw
33 22 0:28 / /mnt/covered rw - nfs server:/x rw
34 22 0:29 / /mnt/covered rw - tmpfs tmpfs rw
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/ledger.db", "ext4"),
        ("/home/me/ledger.db", "nfs4"),
        ("/home/me/local/ledger.db", "xfs"),
        ("/homes/ledger.db", "ext4"),
        ("/mnt/two words/ledger.db", "cifs"),
        ("/mnt/covered/ledger.db", "tmpfs"),
    ],
)
def test_the_deepest_and_latest_mount_names_the_file_system(path: str, kind: str) -> None:
    """The file system of a path is that of the last mounted among the deepest mount points above it."""
    assert file_system_of(Path(path), MOUNTS) == kind


def test_a_local_disk_is_no_network_file_system(tmp_path: Path) -> None:
    """The disk that the tests run on may hold a ledger."""
    assert network_file_system_of(tmp_path / "ledger.db") is None


# --- private, and in its place


def test_the_ledger_and_its_log_are_private_to_their_owner(tmp_path: Path) -> None:
    """The file, its write-ahead log and the log's index have mode 0600, even where nothing is masked."""
    mask = os.umask(0)
    try:
        with opened(tmp_path / "state" / "ledger.db") as ledger:
            begin(ledger, "r1")
            files = sorted((tmp_path / "state").iterdir())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}
    finally:
        os.umask(mask)

    private = 0o600 if os.name == "posix" else 0o666
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-shm", "ledger.db-wal"), private)


@pytest.mark.parametrize("name", ["what?.db", "100%.db", "a#b;c.db", "file:x.db", "zwei Wörter.db"])
def test_a_file_name_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    """Characters that mean something in a URL do not lead to another file."""
    with opened(tmp_path / name) as ledger:
        begin(ledger, "r1")

    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).stat().st_size > 0


def test_a_ledger_keeps_what_it_holds_when_it_is_opened_again(tmp_path: Path) -> None:
    """What was committed is there in the next process."""
    with opened(tmp_path / "ledger.db") as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
        create(ledger, "r1")
        before = list(report_rows(ledger, "r1", [State.CREATED]))

    with opened(tmp_path / "ledger.db") as ledger:
        assert list(report_rows(ledger, "r1", [State.CREATED])) == before != []


def test_many_threads_may_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    """A new ledger that several openers find at the same time is made once, with one row for the scope."""
    scope_pks: list[int] = []
    start = threading.Barrier(8)

    def open_it() -> None:
        start.wait()
        with opened(tmp_path / "ledger.db") as ledger:
            scope_pks.append(ledger.scope_pk)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert scope_pks == [1] * 8


# --- what cannot be used is told in one sentence


def make_directory(path: Path) -> None:
    path.mkdir()


def make_garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all, and longer than a header of SQLite's" * 100)


def make_truncated(path: Path) -> None:
    with opened(path) as ledger:
        import_rows(ledger, "r1", [valid(2, "a")])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])


def make_newer(path: Path) -> None:
    open_ledger(path, SCOPE).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE facts SET value = '99' WHERE name = 'schema_version'")


def make_foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_directory, r"the ledger cannot be opened for writing \(.+\); make the folder writable, or .+ --state"),
        (make_garbage, r"the ledger cannot be used \(file is not a database\); if it is damaged, keep it and .+"),
        (make_truncated, r"the ledger cannot be used \(database disk image is malformed\); if it is damaged, keep .+"),
        (make_newer, r"the ledger has schema version 99 and this certstate knows 4; use the certstate that wrote it.+"),
        (make_foreign, r"this is another program's SQLite database and no ledger; name another file or folder .+"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused_and_kept(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    """Each kind of wrong file has its one sentence, and nothing is written behind SQLite's own header."""
    path = tmp_path / "ledger.db"
    make(path)
    before = path.read_bytes()[SQLITE_HEADER_BYTES:] if path.is_file() else None

    with pytest.raises(LedgerError) as refused:
        open_ledger(path, SCOPE)

    assert re.fullmatch(re.escape(f"{path}: ") + reason, str(refused.value))
    assert is_one_sentence(str(refused.value))
    assert (path.read_bytes()[SQLITE_HEADER_BYTES:] if path.is_file() else None) == before


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file where the ledger's folder should be is a LedgerError, for the ledger and for its lock."""
    (tmp_path / "state").write_text("a file")
    path = tmp_path / "state" / "deep" / "ledger.db"

    with pytest.raises(LedgerError, match="cannot be opened for writing") as not_opened:
        open_ledger(path, SCOPE)
    with pytest.raises(LedgerError, match="lock cannot be taken") as not_locked, hold_lock(path, SCOPE, "run r1"):
        pass

    assert is_one_sentence(str(not_opened.value))
    assert is_one_sentence(str(not_locked.value))


def test_a_failing_write_is_a_ledger_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A transaction that the database refuses is rolled back whole."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")

        def write_twice() -> None:
            with ledger.transaction() as connection:
                connection.exec_driver_sql("UPDATE runs SET verb = 'lost'")
                connection.exec_driver_sql("INSERT INTO runs SELECT * FROM runs")

        with pytest.raises(LedgerError, match="the ledger cannot be used"):
            write_twice()

        with ledger.reading() as connection:
            assert connection.exec_driver_sql("SELECT id, verb FROM runs").all() == [("r1", "import")]


def test_a_ledger_whose_file_was_replaced_by_garbage_fails_as_a_ledger_error(tmp_path: Path) -> None:
    """Damage that happens after opening is told in the same way, to readers and to writers."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        ledger.close()
        (tmp_path / "ledger.db").write_bytes(b"x" * 8192)

        with pytest.raises(LedgerError, match="file is not a database"):
            list(report_rows(ledger, "r1", [State.CREATED]))
        with pytest.raises(LedgerError, match="file is not a database"):
            begin(ledger, "r2")


# --- one sender at a time

HOLDER = """
import sys
from pathlib import Path
from pipeline.ledger import hold_lock
from pipeline.model import Scope
with hold_lock(Path(sys.argv[1]), Scope(sys.argv[2], sys.argv[3]), "run r1"):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(path: Path, scope: Scope) -> subprocess.Popen[str]:
    """Return another process once it holds the lock; it lets go when its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *scope],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_holder_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    """The message names the holder; a process killed without a chance to tidy up holds nothing any more."""
    path = tmp_path / "ledger.db"
    with start_holder(path, SCOPE) as first:
        try:
            with pytest.raises(LockHeldError) as refused, hold_lock(path, SCOPE, "run r2"):
                pass
        finally:
            first.kill()  # SIGKILL: kill -9
            first.communicate()

    with hold_lock(path, SCOPE, "run r2"):
        pass

    assert re.fullmatch(
        re.escape(f"{path}: this ledger is in use for {SCOPE.service_root} by run r1 (process {first.pid} on ")
        + re.escape(socket.gethostname())
        + r", since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\); wait until it has ended",
        str(refused.value),
    )


def test_another_scope_on_the_same_ledger_is_not_blocked(tmp_path: Path) -> None:
    """A rehearsal may run while the tenant's import does."""
    path = tmp_path / "ledger.db"

    with hold_lock(path, SCOPE, "run r1"), hold_lock(path, REHEARSAL, "run r2"):
        with pytest.raises(LockHeldError, match="by run r1"), hold_lock(path, SCOPE, "run r3"):
            pass
        with pytest.raises(LockHeldError, match="by run r2"), hold_lock(path, REHEARSAL, "run r3"):
            pass


def test_the_lock_is_free_again_after_use_and_after_an_exception(tmp_path: Path) -> None:
    """However the block ends, the next holder gets the lock, and nothing names the last one."""
    path = tmp_path / "ledger.db"
    with pytest.raises(ValueError, match="boom"), hold_lock(path, SCOPE, "run r1"):
        raise ValueError("boom")
    with hold_lock(path, SCOPE, "run r2"):
        pass
    with hold_lock(path, SCOPE, "run r3"):
        held = [each.suffix for each in tmp_path.iterdir()]

    assert sorted(held) == [".holder", ".lock"]
    assert [each.suffix for each in tmp_path.iterdir()] == [".lock"]


def test_a_link_to_the_ledger_leads_to_the_same_lock(tmp_path: Path) -> None:
    """Two names of one ledger are one lock."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "ledger.db").symlink_to(tmp_path / "real" / "ledger.db")

    with hold_lock(tmp_path / "real" / "ledger.db", SCOPE, "run r1"):
        for name in ("link/ledger.db", "ledger.db", "real/../real/ledger.db"):
            with pytest.raises(LockHeldError, match="by run r1"), hold_lock(tmp_path / name, SCOPE, "run r2"):
                pass


def test_a_run_id_is_used_once(tmp_path: Path) -> None:
    """A second run with the same id is refused."""
    with opened(tmp_path / "ledger.db") as ledger:
        begin(ledger, "r1")
        with pytest.raises(LedgerError, match="UNIQUE"):
            begin(ledger, "r1")
