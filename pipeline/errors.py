"""Program problems, named by what the reader does next. Row problems are values: see `findings.Finding`.

    CertstateError
    ├── UsageError            exit 2   call it differently
    │   ├── ConfigError       exit 2   mend config.yaml or a CERTSTATE_ variable
    │   ├── SourceError       exit 2   mend or replace an input file
    │   └── LedgerError       exit 2   mend the ledger's place, or wait
    ├── LockHeldError         exit 8   wait for the other run
    └── PreflightError        exit 6   mend the token, the tenant, the permission or the connection

Every message is one sentence: what, where, why, and what to do.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller. Where several apply, the order of `conclude.exit_code_of` decides."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    INVALID = 3
    UNSETTLED = 4
    THRESHOLD = 5
    PREFLIGHT = 6
    UNKNOWN_ROWS = 7
    LOCKED = 8
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "every row is accounted for and settled well",
    ExitCode.INTERNAL: "internal error: a defect of certstate, please report it",
    ExitCode.USAGE: "wrong usage or configuration, unreadable input, or a ledger or report that cannot be written",
    ExitCode.INVALID: "`validate`, `plan`, or `import --on-invalid abort`, found errors; nothing was sent",
    ExitCode.UNSETTLED: "ended with rows that are invalid, conflicting, rejected, missing, kept or unsent; or `verify` "
    "found differences",
    ExitCode.THRESHOLD: "stopped at the error threshold (`--max-errors`)",
    ExitCode.PREFLIGHT: "the token, the tenant, the permission, the route or the connection was refused",
    ExitCode.UNKNOWN_ROWS: "some rows are unknown, or could not be read back; `certstate resume` settles them",
    ExitCode.LOCKED: "another run holds the lock of this ledger and scope",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C; `certstate resume` goes on",
    ExitCode.TERMINATED: "terminated by SIGTERM; `certstate resume` goes on",
}


class CertstateError(Exception):
    """Base of every problem that the user can act on. `str()` is the sentence to print."""

    exit_code = ExitCode.INTERNAL


class UsageError(CertstateError):
    """The call cannot be carried out as it was given."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """config.yaml or a CERTSTATE_ variable is wrong."""


class SourceError(UsageError):
    """An input file cannot be read as a table."""


class LedgerError(UsageError):
    """The ledger cannot be opened, written or understood."""


class LockHeldError(CertstateError):
    """Another run holds the lock of this ledger and scope. The message names the holder."""

    exit_code = ExitCode.LOCKED


class PreflightError(CertstateError):
    """Graph cannot be used: no token, a refused token, the wrong tenant, no permission, no connection."""

    exit_code = ExitCode.PREFLIGHT
