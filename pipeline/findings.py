"""Row and file problems are values: their stable codes, the catalogue, and how one is made. No I/O."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """An error keeps its row from being sent, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """What a finding is about. Stable: reports, filters and scripts rely on the spelling."""

    # the file
    UNKNOWN_COLUMN = "unknown-column"
    DUPLICATE_COLUMN = "duplicate-column"
    MISSING_COLUMN = "missing-column"
    IGNORED_COLUMN = "ignored-column"
    NO_ROWS = "no-rows"
    SKIPPED_SHEET = "skipped-sheet"
    # the row's shape
    RAGGED_ROW = "ragged-row"
    # the values
    MISSING_VALUE = "missing-value"
    VALUE_TOO_LONG = "value-too-long"
    CONTROL_CHARACTER = "control-character"
    SURROUNDING_SPACE = "surrounding-space"
    INVISIBLE_MARK = "invisible-mark"
    UNKNOWN_MEMBER = "unknown-member"
    LETTER_CASE = "letter-case"
    REPEATED_MEMBER = "repeated-member"
    NOT_AN_INTEGER = "not-an-integer"
    INT32_RANGE = "int32-range"
    NOT_A_DATE_TIME = "not-a-date-time"
    DATE_TIME_WITHOUT_OFFSET = "date-time-without-offset"
    AMBIGUOUS_LOCAL_TIME = "ambiguous-local-time"
    NOT_A_URL = "not-a-url"
    NUMERIC_IDENTIFIER = "numeric-identifier"
    THUMBPRINT_SHAPE = "thumbprint-shape"
    SERIAL_NUMBER_SHAPE = "serial-number-shape"
    KEY_LENGTH_UNUSUAL = "key-length-unusual"
    # the route
    NO_ROUTE = "no-route"
    UNKNOWN_PROFILE_TYPE = "unknown-profile-type"
    NO_PROFILE = "no-profile"
    NOT_A_GUID = "not-a-guid"
    NO_IDENTITY = "no-identity"
    # against the other rows and the ledger
    DUPLICATE = "duplicate"
    CONFLICTING_ROWS = "conflicting-rows"
    CHANGED = "changed"
    REJECTED_BEFORE = "rejected-before"


class Meaning(NamedTuple):
    """One line of the catalogue of finding codes."""

    severity: Severity
    meaning: str
    hint: str


ERROR = Severity.ERROR
WARNING = Severity.WARNING

CATALOGUE: dict[Code, Meaning] = {
    Code.UNKNOWN_COLUMN: Meaning(
        WARNING,
        "a column that is no property of the edition and has no alias; its cells are not sent",
        "name it under `columns:` in config.yaml if it should be sent, else ignore this",
    ),
    Code.DUPLICATE_COLUMN: Meaning(
        ERROR,
        "two columns of the file stand for the same property",
        "remove or rename one of the two columns",
    ),
    Code.MISSING_COLUMN: Meaning(
        ERROR,
        "a required property has no column",
        "add the column, name yours under `columns:`, give a value under `defaults:`, "
        "or list the property under `optional:` in config.yaml",
    ),
    Code.IGNORED_COLUMN: Meaning(
        WARNING,
        "the column `id` is not sent: the service assigns it",
        "nothing to do",
    ),
    Code.NO_ROWS: Meaning(
        WARNING,
        "the file or sheet holds a header and no rows",
        "check that the export was complete",
    ),
    Code.SKIPPED_SHEET: Meaning(
        ERROR,
        "a sheet with rows has no header with a known column, so it was not read",
        "choose sheets with `--sheet`, or give the sheet a header row",
    ),
    Code.RAGGED_ROW: Meaning(
        ERROR,
        "the row has more or fewer cells than the header",
        "put cells that hold the delimiter in double quotes, and give the row one cell for each column; in errors.csv "
        "empty its cell _import_code then",
    ),
    Code.MISSING_VALUE: Meaning(
        ERROR,
        "a required cell is empty",
        "fill the cell, give a value under `defaults:`, or list the property under `optional:` in config.yaml",
    ),
    Code.VALUE_TOO_LONG: Meaning(
        ERROR,
        "the cell holds more than 32,767 characters, which is more than a spreadsheet cell can hold",
        "shorten the cell; a missing closing quote further up can have swallowed many rows",
    ),
    Code.CONTROL_CHARACTER: Meaning(
        ERROR,
        "the cell holds a control character other than tab and line break, or half of a surrogate pair",
        "delete the character; it often comes from copying out of a dialog or a binary export",
    ),
    Code.SURROUNDING_SPACE: Meaning(
        WARNING,
        "blanks around the value: left out where the type allows none, sent as written in free text",
        "delete the blanks if they are not meant",
    ),
    Code.INVISIBLE_MARK: Meaning(
        WARNING,
        "the value holds an invisible mark, such as the one that Windows put before a copied thumbprint; it is sent "
        "as written, and does not count when objects are compared",
        "type the first character anew, or take the value from its source again",
    ),
    Code.UNKNOWN_MEMBER: Meaning(
        ERROR,
        "the value is none of the enumeration's members",
        "use one of the members named in the message, or map your word under `values:` in config.yaml",
    ),
    Code.LETTER_CASE: Meaning(
        WARNING,
        "the value differs from the API's spelling in letter case only; the API's spelling is sent",
        "nothing to do; correct the file to be rid of the warning",
    ),
    Code.REPEATED_MEMBER: Meaning(
        WARNING,
        "a member of the enumeration is written more than once in the cell; it is sent once",
        "nothing to do; correct the file to be rid of the warning",
    ),
    Code.NOT_AN_INTEGER: Meaning(
        ERROR,
        "the value is not a whole number",
        "write digits only, such as 2048",
    ),
    Code.INT32_RANGE: Meaning(
        ERROR,
        "the number does not fit into Int32 (-2147483648 to 2147483647)",
        "check the number; write an error code such as 0x80070005 as its signed value -2147024891",
    ),
    Code.NOT_A_DATE_TIME: Meaning(
        ERROR,
        "the value is no date and time that the API accepts",
        "write it as 2026-11-23T08:49:13Z or 2026-11-23T08:49:13.1234567+01:00",
    ),
    Code.DATE_TIME_WITHOUT_OFFSET: Meaning(
        ERROR,
        "the date and time has no offset from UTC, so it names no instant",
        "append Z or an offset such as +01:00, or name the file's zone under `timezone:` in config.yaml",
    ),
    Code.AMBIGUOUS_LOCAL_TIME: Meaning(
        ERROR,
        "the local time happened twice or never, because the clocks were changed",
        "write this date and time with its offset from UTC",
    ),
    Code.NOT_A_URL: Meaning(
        ERROR,
        "the value is no absolute http or https URL",
        "write the whole address, such as https://ndes.contoso.com/certsrv/mscep/mscep.dll",
    ),
    Code.NUMERIC_IDENTIFIER: Meaning(
        ERROR,
        "the workbook holds an identifier as a number, or a text as a date: a spreadsheet keeps 15 digits, drops "
        "leading zeros and makes dates of words such as MAR-01",
        "format the column as text, then enter or import the values again from their source; in errors.csv empty the "
        "row's cell _import_code then",
    ),
    Code.THUMBPRINT_SHAPE: Meaning(
        WARNING,
        "the thumbprint is not 40 hexadecimal digits (SHA-1)",
        "check that the column holds SHA-1 thumbprints; it is sent as written",
    ),
    Code.SERIAL_NUMBER_SHAPE: Meaning(
        WARNING,
        "the serial number is not hexadecimal, or longer than the 20 octets of RFC 5280",
        "check the column; it is sent as written",
    ),
    Code.KEY_LENGTH_UNUSUAL: Meaning(
        WARNING,
        "no usual key has this length in bits",
        "check the column; it is sent as written",
    ),
    Code.NO_ROUTE: Meaning(
        ERROR,
        "the API has no collection for this platform and profile type",
        "correct the platform or the profile type; the message names what the edition has",
    ),
    Code.UNKNOWN_PROFILE_TYPE: Meaning(
        ERROR,
        "the profile type is none that the edition has",
        "use one of the profile types named in the message",
    ),
    Code.NO_PROFILE: Meaning(
        ERROR,
        "nothing says to which configuration profile the row belongs",
        "add the profile's id under `profiles:` in config.yaml, or a deviceConfigurationId column",
    ),
    Code.NOT_A_GUID: Meaning(
        ERROR,
        "the deviceConfigurationId is not a GUID",
        "copy the profile's id from Intune, such as 6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11",
    ),
    Code.NO_IDENTITY: Meaning(
        ERROR,
        "neither a thumbprint nor an issuer with a serial number, so the certificate cannot be told from others",
        "fill the thumbprint, or the issuer and the serial number",
    ),
    Code.DUPLICATE: Meaning(
        WARNING,
        "an exact duplicate of an earlier row of this call; the first one is sent",
        "nothing to do; delete the row to be rid of the warning",
    ),
    Code.CONFLICTING_ROWS: Meaning(
        ERROR,
        "several rows of this call name the same certificate on the same device, with different values; none is sent",
        "keep the row that is right and delete the others",
    ),
    Code.CHANGED: Meaning(
        WARNING,
        "this certificate was created before with other values; it was not sent again",
        "change it in Intune if the new values are right",
    ),
    Code.REJECTED_BEFORE: Meaning(
        WARNING,
        "the service refused the same values before; the row was not sent again",
        "correct the row; with the same values it is not sent again, also if it was the tenant that was wrong",
    ),
}


class Finding(NamedTuple):
    """What is wrong with a file, a row or a value, and what to do."""

    code: Code
    severity: Severity
    column: str  # the header as the file spells it, shortened; "" where no single column is meant
    value: str  # as read, shortened; "" where no single value is meant
    message: str
    hint: str


VALUE_SHOWN_CHARACTERS = 200


def shorten(text: str) -> str:
    """Return `text` cut to what a report shows, with the cut told. Half of a surrogate pair becomes a question mark."""
    if len(text) <= VALUE_SHOWN_CHARACTERS:
        shown = text
    else:
        shown = f"{text[:VALUE_SHOWN_CHARACTERS]}... ({len(text):,} characters)"
    return shown.encode("utf-8", "replace").decode()


def finding(code: Code, message: str, *, column: str = "", value: str = "", hint: str = "") -> Finding:
    """Return the finding with the catalogue's severity, and its hint unless a more exact one is given.

    `message` and `hint` are kept whole: whoever puts a text of the file into them shortens it.
    """
    meaning = CATALOGUE[code]
    return Finding(code, meaning.severity, shorten(column), shorten(value), message, hint or meaning.hint)
