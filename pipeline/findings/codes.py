"""The stable codes of findings, and how severe one can be."""

from enum import StrEnum


class Severity(StrEnum):
    """An error keeps its row from being sent; a warning is a doubt, `info` a change that is certain or declared."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(StrEnum):
    """What a finding is about. Stable: reports, filters and scripts rely on the spelling."""

    # the file
    UNKNOWN_COLUMN = "unknown-column"
    DUPLICATE_COLUMN = "duplicate-column"
    MISSING_COLUMN = "missing-column"
    IGNORED_COLUMN = "ignored-column"
    NO_ROWS = "no-rows"
    SKIPPED_SHEET = "skipped-sheet"
    HIDDEN_SHEET = "hidden-sheet"
    MERGED_HEADER = "merged-header"
    CA_CERTIFICATE = "ca-certificate"
    TITLE_ROWS = "title-rows"
    DETECTED_ENCODING = "detected-encoding"
    DECLARED_VALUE = "declared-value"
    # the row's shape
    RAGGED_ROW = "ragged-row"
    BROKEN_QUOTES = "broken-quotes"
    ERROR_CELL = "error-cell"
    UNCALCULATED_FORMULA = "uncalculated-formula"
    MERGED_CELL = "merged-cell"
    # the rules that change a value, by which they are named in reports
    VALUE_MAP = "value-map"
    DEFAULT_VALUE = "default-value"
    FROM_CERTIFICATE = "from-certificate"
    HEX_FORM = "hex-form"
    SERIAL_NUMBER_FORM = "serial-number-form"
    KEY_LENGTH_FORM = "key-length-form"
    KEY_USAGE_FORM = "key-usage-form"
    ENHANCED_KEY_USAGE_FORM = "enhanced-key-usage-form"
    PLATFORM_SYNONYM = "platform-synonym"
    DATE_TIME_FORM = "date-time-form"
    DATE_ORDER = "date-order"
    MISSING_TIME = "missing-time"
    TIME_ZONE = "time-zone"
    # the values
    MISSING_VALUE = "missing-value"
    VALUE_TOO_LONG = "value-too-long"
    CONTROL_CHARACTER = "control-character"
    SURROUNDING_SPACE = "surrounding-space"
    LEADING_APOSTROPHE = "leading-apostrophe"
    INVISIBLE_MARK = "invisible-mark"
    UNKNOWN_MEMBER = "unknown-member"
    LETTER_CASE = "letter-case"
    REPEATED_MEMBER = "repeated-member"
    NOT_AN_INTEGER = "not-an-integer"
    INT32_RANGE = "int32-range"
    NOT_A_DATE_TIME = "not-a-date-time"
    DATE_TIME_WITHOUT_OFFSET = "date-time-without-offset"
    AMBIGUOUS_LOCAL_TIME = "ambiguous-local-time"
    AMBIGUOUS_DATE = "ambiguous-date"
    DATE_ORDER_CONTRADICTED = "date-order-contradicted"
    DATE_NUMBER = "date-number"
    SENTINEL_DATE = "sentinel-date"
    AMBIGUOUS_PLATFORM = "ambiguous-platform"
    LOST_CHARACTER = "lost-character"
    NOT_A_URL = "not-a-url"
    NUMERIC_IDENTIFIER = "numeric-identifier"
    NUMBER_AS_TEXT = "number-as-text"
    FLOAT_IDENTIFIER = "float-identifier"
    ROUNDED_IDENTIFIER = "rounded-identifier"
    SPREADSHEET_DAMAGE = "spreadsheet-damage"
    NUMERIC_SERIAL_NUMBER = "numeric-serial-number"
    AMBIGUOUS_SERIAL_NUMBER = "ambiguous-serial-number"
    NOT_A_CERTIFICATE = "not-a-certificate"
    UNMAPPED_KEY_USAGE = "unmapped-key-usage"
    CERTIFICATE_DIFFERS = "certificate-differs"
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


DECLARED = frozenset({Code.VALUE_MAP, Code.DEFAULT_VALUE, Code.FROM_CERTIFICATE, Code.TIME_ZONE})
"""The rules that do what config.yaml or the row's certificate says; `--no-repair` does not turn them off."""

REPAIRS = DECLARED | frozenset(
    {
        Code.INVISIBLE_MARK,
        Code.SURROUNDING_SPACE,
        Code.LETTER_CASE,
        Code.REPEATED_MEMBER,
        Code.HEX_FORM,
        Code.SERIAL_NUMBER_FORM,
        Code.KEY_LENGTH_FORM,
        Code.KEY_USAGE_FORM,
        Code.ENHANCED_KEY_USAGE_FORM,
        Code.PLATFORM_SYNONYM,
        Code.DATE_TIME_FORM,
        Code.DATE_ORDER,
        Code.MISSING_TIME,
    }
)
"""The rules that change a value: the finding says `was -> is`."""
