"""Does the ledger lie on a network file system? SQLite's write-ahead log does not work there (sqlite.org/wal.html)."""

import re
import sys
from pathlib import Path

NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "cvfs", "davfs", "drvfs", "gfs2", "glusterfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "vmhgfs"}
    | {f"fuse.{name}" for name in ("blobfuse", "blobfuse2", "ceph", "curlftpfs", "davfs2", "gcsfuse", "glusterfs")}
    | {f"fuse.{name}" for name in ("goofys", "gvfsd-fuse", "juicefs", "mfs", "mount-s3", "onedriver", "rclone", "s3fs")}
    | {f"fuse.{name}" for name in ("smbnetfs", "sshfs", "vmhgfs-fuse")}
)
"""Linux's names of file systems that other machines can write to at the same time, or the host of a virtual one.

Among these are Windows' drives in WSL, 9p and drvfs, on which the write-ahead log fails or is damaged (gsd-build/gsd-2
issue 5106, gastownhall/beads issue 920).
"""

DRIVE_REMOTE = 4
"""What GetDriveTypeW of fileapi.h says of a drive on another machine."""


def network_file_system_of(path: Path) -> str | None:
    """Return the kind of network file system that the path lies on, or None.

    None is also the answer where the system does not tell: on macOS and the BSDs.
    """
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - `windll` exists on Windows only

        is_remote = ctypes.windll.kernel32.GetDriveTypeW(f"{path.resolve().drive}\\") == DRIVE_REMOTE
        return "a network drive" if is_remote else None
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    kind = file_system_of(path.resolve(), mounts)
    return kind if kind in NETWORK_FILE_SYSTEMS else None


def file_system_of(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds the absolute path, "" when none does.

    `mounts` is the text of Linux's /proc/self/mountinfo (proc_pid_mountinfo(5)).
    """
    deepest, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        mount_point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), before.split()[4]))
        depth = len(mount_point.parts)
        if depth >= deepest and path.is_relative_to(mount_point):  # a later mount covers an earlier one
            deepest, kind = depth, after.split()[0]
    return kind
