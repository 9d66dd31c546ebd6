"""What config.yaml can declare of values that do not say it themselves. No I/O."""

from enum import StrEnum


class SerialForm(StrEnum):
    """What a serial number of decimal digits only is written in."""

    HEX = "hex"
    DECIMAL = "decimal"


class DateOrder(StrEnum):
    """In which order numbers such as 03/04/2025 name day, month and year."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


class DateNumber(StrEnum):
    """What a bare number in a column of dates counts."""

    EXCEL_1900 = "excel-1900"  # days; 61 is 1900-03-01 (ECMA-376 part 1, 18.17.4.1)
    EXCEL_1904 = "excel-1904"  # days; 0 is 1904-01-01, as Excel for Mac wrote them
    EPOCH_SECONDS = "epoch-seconds"  # since 1970-01-01T00:00:00Z
    EPOCH_MILLISECONDS = "epoch-milliseconds"
