"""The catalogue of finding codes: what each means, how severe it is, and what to do."""

from typing import NamedTuple

from pipeline.findings.codes import Code, Severity


class Meaning(NamedTuple):
    """One line of the catalogue of finding codes."""

    severity: Severity
    meaning: str
    hint: str


ERROR = Severity.ERROR
WARNING = Severity.WARNING
INFO = Severity.INFO

NOTHING_TO_DO = "nothing to do; `--no-repair` leaves values as the file has them"

CATALOGUE: dict[Code, Meaning] = {
    Code.UNKNOWN_COLUMN: Meaning(
        WARNING,
        "a column that is no property of the edition and has no alias; its cells are not sent",
        "name it under `columns:` in config.yaml if it should be sent, else under `ignored:`",
    ),
    Code.DUPLICATE_COLUMN: Meaning(
        ERROR,
        "two columns of the file stand for the same property",
        "remove or rename one of the two columns",
    ),
    Code.MISSING_COLUMN: Meaning(
        ERROR,
        "a required property has no column",
        "name your column under `columns:` in config.yaml (`certstate inspect` proposes it), give a value under "
        "`defaults:`, or list the property under `optional:`",
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
        "name its columns under `columns:` (`certstate inspect` proposes them), or choose other sheets with `--sheet`",
    ),
    Code.HIDDEN_SHEET: Meaning(
        WARNING,
        "the sheet is hidden in the workbook; its rows were read like those of any other",
        "if they are not meant, choose the sheets with `--sheet`",
    ),
    Code.MERGED_HEADER: Meaning(
        WARNING,
        "header cells are merged; a merged cell names the column that it begins in",
        "unmerge the header and give each column a header of its own",
    ),
    Code.CA_CERTIFICATE: Meaning(
        WARNING,
        "the file holds a certificate authority's own certificate, which is not a device's",
        "nothing to do if it came along in a chain; else export the device's certificate",
    ),
    Code.TITLE_ROWS: Meaning(
        WARNING,
        "rows with content stand above the header and were not read as data",
        "nothing to do if they are a title; else name the header's row with `--header-row`",
    ),
    Code.DETECTED_ENCODING: Meaning(
        WARNING,
        "nothing in the file says its encoding, so it was found by looking at the text",
        "look at a name with an umlaut or accent; if it is wrong, name the encoding, such as `--encoding cp1252`",
    ),
    Code.DECLARED_VALUE: Meaning(
        INFO,
        "the value of a property comes from `templates:` or `defaults:` for every row, not from a column",
        "nothing to do",
    ),
    Code.RAGGED_ROW: Meaning(
        ERROR,
        "the row has more or fewer cells than the header",
        "put cells that hold the delimiter in double quotes, and give the row one cell for each column; delete a "
        "closing remark, which is no row of the inventory; in errors.xlsx or errors.csv empty the row's cell "
        "_import_code then",
    ),
    Code.BROKEN_QUOTES: Meaning(
        ERROR,
        "a quote in the row is not closed, or text follows a closing quote, so its cells cannot be told apart",
        'write each quote inside a quoted cell twice (""), and close the cell with one; in errors.xlsx or errors.csv '
        "put each value under its header and empty its cell _import_code then",
    ),
    Code.ERROR_CELL: Meaning(
        ERROR,
        "the cell shows what a spreadsheet writes where it could not calculate, such as #N/A",
        "mend the formula, or enter the value itself",
    ),
    Code.UNCALCULATED_FORMULA: Meaning(
        ERROR,
        "the cell holds a formula whose result was never calculated, so it has no value",
        "open the workbook in Excel, save it and import it again; in errors.xlsx or errors.csv enter the value and "
        "empty the row's cell _import_code",
    ),
    Code.MERGED_CELL: Meaning(
        ERROR,
        "the cell is merged with others, and only the first of them holds the value",
        "unmerge the cells and enter the value in each row; in errors.xlsx or errors.csv enter it and empty the row's "
        "cell _import_code",
    ),
    Code.VALUE_MAP: Meaning(INFO, "the value was replaced as `values:` declares", "nothing to do"),
    Code.DEFAULT_VALUE: Meaning(INFO, "the cell is empty, so the value of `defaults:` is sent", "nothing to do"),
    Code.FROM_CERTIFICATE: Meaning(INFO, "the value was taken from the row's certificate", "nothing to do"),
    Code.HEX_FORM: Meaning(
        INFO,
        "blanks, colons, hyphens, 0x and an apostrophe were left out; digits are in upper case",
        NOTHING_TO_DO,
    ),
    Code.SERIAL_NUMBER_FORM: Meaning(
        INFO, "the serial number was written as the hexadecimal digits of its octets", NOTHING_TO_DO
    ),
    Code.KEY_LENGTH_FORM: Meaning(INFO, "the key length was written as its number of bits", NOTHING_TO_DO),
    Code.KEY_USAGE_FORM: Meaning(
        INFO, "words or bits for the key usage were written as the API spells them", NOTHING_TO_DO
    ),
    Code.ENHANCED_KEY_USAGE_FORM: Meaning(
        INFO, "object identifiers of extended key usages were written as their names", NOTHING_TO_DO
    ),
    Code.PLATFORM_SYNONYM: Meaning(
        INFO, "another name of the platform was written as the API spells it", NOTHING_TO_DO
    ),
    Code.DATE_TIME_FORM: Meaning(
        INFO, "the date and time was written in the API's form; the instant is the same", NOTHING_TO_DO
    ),
    Code.DATE_ORDER: Meaning(
        INFO,
        "the date can be read in two ways, day first or month first; the declared `date_order:` decided",
        "nothing to do",
    ),
    Code.MISSING_TIME: Meaning(
        WARNING,
        "the date has no time of day; midnight in the declared time zone is sent",
        "write the time too if it matters",
    ),
    Code.TIME_ZONE: Meaning(
        INFO,
        "the offset of the declared `timezone:` was appended; 0001-01-01 and 9999-12-31 get Z",
        "nothing to do",
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
    Code.LEADING_APOSTROPHE: Meaning(
        WARNING,
        "an apostrophe stands before what a spreadsheet would run; certstate's reports write it so, and take it away "
        "only where their _import_ columns are still there",
        "if the file is a corrected report, keep its _import_ columns; else delete the apostrophe if it is not meant: "
        "it is sent as written",
    ),
    Code.INVISIBLE_MARK: Meaning(
        WARNING,
        "the value holds an invisible mark, such as the one that Windows put before a copied thumbprint; it is taken "
        "out, and with `--no-repair` sent as written",
        "nothing to do; take the value from its source again to be rid of the warning",
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
    Code.AMBIGUOUS_DATE: Meaning(
        ERROR,
        "the date can be read in two ways: day first or month first",
        "declare the order in config.yaml, such as `date_order: dmy` or `date_order: mdy`",
    ),
    Code.DATE_ORDER_CONTRADICTED: Meaning(
        ERROR,
        "a date of the column cannot be in the declared `date_order:`, so the order decides no other date there either",
        "correct `date_order:` in config.yaml if it is wrong; if the column mixes both orders, write its dates with "
        "the year first, such as 2027-03-15; in errors.xlsx or errors.csv, a date that is in the declared order after "
        "all passes once the row's cell _import_code is empty",
    ),
    Code.DATE_NUMBER: Meaning(
        ERROR,
        "a bare number stands for a date, and nothing says what it counts",
        "declare it in config.yaml as `date_number: excel-1900`, `excel-1904`, `epoch-seconds` or `epoch-milliseconds`",
    ),
    Code.SENTINEL_DATE: Meaning(
        WARNING,
        "the date is one that programs write for `none` or `never`; it is sent as it is",
        "if there is no such date, empty the cell, and list the property under `optional:` in config.yaml",
    ),
    Code.AMBIGUOUS_PLATFORM: Meaning(
        ERROR,
        "the word stands for several platforms of the API",
        "say which one it means, under `values:` in config.yaml",
    ),
    Code.LOST_CHARACTER: Meaning(
        ERROR,
        "a character of the value was lost when the file was converted, and a sign stands in its place",
        "take the value from its source again, and save the file as UTF-8",
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
        "format the column as text and export the values again from their source; decimal serial numbers of at most 15 "
        "digits pass with `serial: decimal`; in errors.xlsx or errors.csv empty the row's cell _import_code then",
    ),
    Code.NUMBER_AS_TEXT: Meaning(
        WARNING,
        "the workbook holds this text as a number or a boolean; leading zeros and the like that a cell's format shows "
        "are not in it",
        "compare with what the spreadsheet shows; format the column as text before values are entered",
    ),
    Code.FLOAT_IDENTIFIER: Meaning(
        ERROR,
        "the identifier reads as a floating-point number such as 1.23E+18, so a program took it for a number and "
        "digits are lost",
        "export the column as text from its source; formatting the cell does not bring the digits back",
    ),
    Code.ROUNDED_IDENTIFIER: Meaning(
        ERROR,
        "decimal digits of which those after the fifteenth are zeros: a spreadsheet has rounded the identifier",
        "export the column as text from its source; if the digits are right and hexadecimal, write them with colons "
        "(12:34:..)",
    ),
    Code.SPREADSHEET_DAMAGE: Meaning(
        ERROR,
        "an identifier in a corrected report is what a spreadsheet made of the one that stood there before, such as "
        "1.23457E+18 or 1-Mar",
        "format the cell as text and enter the value that the message names first; if the new value is meant, empty "
        "the row's cell _import_identifiers",
    ),
    Code.NUMERIC_SERIAL_NUMBER: Meaning(
        WARNING,
        "the workbook holds the serial number as a number of at most 15 digits; `serial: decimal` lets it pass",
        "format the column as text before values are entered",
    ),
    Code.AMBIGUOUS_SERIAL_NUMBER: Meaning(
        WARNING,
        "the serial number has decimal digits only, so it could be decimal or hexadecimal; it is sent as hexadecimal, "
        "with a minus as written",
        "declare `serial: hex` or `serial: decimal` in config.yaml",
    ),
    Code.NOT_A_CERTIFICATE: Meaning(
        ERROR,
        "the cell of the column `certificate` holds no certificate",
        "export it as Base-64 encoded X.509 (PEM), or as base64 of the DER bytes",
    ),
    Code.UNMAPPED_KEY_USAGE: Meaning(
        WARNING,
        "the certificate has a key usage that the API has no word for, so the property is not filled from it",
        "fill the cell with what is to be sent, or give a value under `defaults:`",
    ),
    Code.CERTIFICATE_DIFFERS: Meaning(
        ERROR,
        "the row says otherwise than its certificate",
        "correct the cell, or empty it so that the certificate's value is taken",
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
        "the tenant has an object for this certificate and device with other values; nothing was sent",
        "set `send: {on_changed: update}` to update what certstate created; change other objects in Intune",
    ),
    Code.REJECTED_BEFORE: Meaning(
        WARNING,
        "the service refused the same values before; the row was not sent again",
        "correct the row; if it was the tenant that was wrong and is mended, `certstate retry RUN` sends it again",
    ),
}
