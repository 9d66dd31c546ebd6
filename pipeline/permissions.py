"""Who else on this machine can write the configuration, or read and write what holds users' names and keys.

POSIX only: Windows keeps its permissions in lists that `os.stat` does not show, so nothing is said there.
"""

import os
import shlex
import stat
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

WRITE = stat.S_IWGRP | stat.S_IWOTH
READ = stat.S_IRGRP | stat.S_IROTH
OTHERS = stat.S_IRWXO

ROOT_ID = 0

ELSEWHERE = "can send the rows and the token elsewhere"


class Kind(Enum):
    """What a path is to certstate."""

    CONFIG = "config.yaml"
    CONFIG_FOLDER = "the folder of config.yaml"
    LEDGER = "the ledger's file, or its write-ahead log"
    STATE_FOLDER = "the folder of the ledger"
    RUNS_FOLDER = "the folder of the runs' folders"
    PRIVATE_KEY = "the file of auth.certificate_path"


class Seen(NamedTuple):
    """What `os.stat` says of a path."""

    kind: Kind
    path: Path
    mode: int  # st_mode
    owner_id: int
    group_id: int


class User(NamedTuple):
    """Who runs certstate. `own_group_id` is the group that has no other member, None when there is none."""

    id: int
    own_group_id: int | None = None


def loose_permissions(
    *, config: Path | None, ledger: Path, runs: Path, private_key: Path | None = None
) -> tuple[str, ...]:
    """Return a sentence for each path that others can use in a way they should not; paths that are absent are fine.

    Each says what, why and the cure. Reads the paths' status, and the names of user and group; nothing on Windows.
    """
    if sys.platform == "win32":
        return ()
    places = [
        (Kind.LEDGER, ledger),
        (Kind.LEDGER, ledger.with_name(f"{ledger.name}-wal")),
        (Kind.STATE_FOLDER, ledger.parent),
        (Kind.RUNS_FOLDER, runs),
    ]
    if config is not None:
        places = [(Kind.CONFIG, config), (Kind.CONFIG_FOLDER, config.parent), *places]
    if private_key is not None:
        places.append((Kind.PRIVATE_KEY, private_key))
    return tuple(judge(_see(places), _user()))


def judge(paths: Iterable[Seen], user: User) -> Iterator[str]:
    """Yield a sentence for each path that others can use in a way they should not. Does no I/O.

    Modes are judged, not access, so root gets the same answer. A group without another member is the user's own, as
    most Linux systems make one for each user (login.defs(5), USERGROUPS_ENAB); it counts as the user.
    """
    owners = {user.id, ROOT_ID}
    for seen in paths:
        if seen.kind in {Kind.CONFIG, Kind.CONFIG_FOLDER} and seen.owner_id not in owners:
            owners.add(seen.owner_id)  # that the folder has the same owner is no second piece of news
            yield f"{seen.path} belongs to another user, who {ELSEWHERE}; call `chown {user.id} {_quoted(seen)}`"
        else:
            yield from (f"{seen.path} {told}" for told in _told(seen, _foreign_bits(seen, user), user))


def _told(seen: Seen, bits: int, user: User) -> Iterator[str]:
    who, writers = _who(bits), _who(bits & WRITE)
    # In a sticky folder, such as /tmp, files can be added by everyone, and replaced by their owners only (inode(7)).
    is_sticky = seen.mode & stat.S_ISVTX
    match seen.kind:
        case Kind.CONFIG if writers:
            yield f"can be written by {writers}, who {ELSEWHERE}; call `chmod go-w {_quoted(seen)}`"
        case Kind.CONFIG_FOLDER if writers and not is_sticky:
            yield f"can be written by {writers}, who can replace config.yaml; call `chmod go-w {_quoted(seen)}`"
        case Kind.LEDGER if who:
            done = " and ".join(word for word, some in (("read", READ), ("written", WRITE)) if bits & some)
            yield f"can be {done} by {who}: it holds users' names and what was sent; call `chmod 600 {_quoted(seen)}`"
        case Kind.STATE_FOLDER if writers:
            cure = "name a folder of your own with --state" if is_sticky else f"call `chmod go-w {_quoted(seen)}`"
            yield f"can be written by {writers}, who can put another ledger there; {cure}"
        case Kind.RUNS_FOLDER if bits & stat.S_IROTH and seen.owner_id != user.id:
            yield (
                "belongs to another user and can be read by everyone, and the runs in it are named after their files; "
                "name a folder of your own with --out"
            )
        case Kind.PRIVATE_KEY if who:
            yield f"can be used by {who}: it holds the app's private key; call `chmod 600 {_quoted(seen)}`"


def _foreign_bits(seen: Seen, user: User) -> int:
    """Return the permissions of group and others, without those of the user's own group."""
    is_own_group = seen.group_id == user.own_group_id and seen.owner_id == user.id
    return stat.S_IMODE(seen.mode) & (OTHERS if is_own_group else OTHERS | stat.S_IRWXG)


def _who(bits: int) -> str:
    """Return who has at least one of the permissions to read or write, "" when nobody has."""
    bits &= READ | WRITE
    return "" if not bits else "everyone on this machine" if bits & OTHERS else "its group"


def _quoted(seen: Seen) -> str:
    return shlex.quote(str(seen.path))


def _see(places: Iterable[tuple[Kind, Path]]) -> Iterator[Seen]:
    for kind, path in places:
        try:
            status = path.stat()
        except OSError:  # not there yet, or not to be seen: the verb itself says so where it matters
            continue
        yield Seen(kind, path, status.st_mode, status.st_uid, status.st_gid)


def _user() -> User:
    if sys.platform == "win32":
        raise NotImplementedError
    import grp  # noqa: PLC0415 - POSIX only
    import pwd  # noqa: PLC0415 - POSIX only

    user_id = os.geteuid()
    try:
        account = pwd.getpwuid(user_id)
        group = grp.getgrgid(account.pw_gid)
    except KeyError:  # such as a number that a container was started with
        return User(user_id)
    # login.defs(5): a user's own group has the same number and the same name.
    is_own = (group.gr_gid, group.gr_name) == (user_id, account.pw_name) and {*group.gr_mem} <= {account.pw_name}
    return User(user_id, group.gr_gid if is_own else None)
