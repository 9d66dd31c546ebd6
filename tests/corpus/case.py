"""What a case of the corpus is: a small file with one trap, how it is read, and what has to become of it.

The expectations are written from the rules of docs/reading.md, never copied from what the program says.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from import_cases import PROFILE_OF, config_of

from pipeline.editions import ENTITY_TYPE
from pipeline.findings import Code, Severity

PLATFORM = "devicePlatform"
DEVICE = "deviceDisplayName"
USER = "userDisplayName"
URL = "serverUrl"
EXPIRES = "certificateExpirationDateTime"
ISSUER = "certificateIssuer"
THUMBPRINT = "certificateThumbprint"
SERIAL = "certificateSerialNumber"
KEY_LENGTH = "certificateKeyLength"
KEY_USAGE = "certificateKeyUsage"
EKU = "enhancedKeyUsage"

OPTIONAL = (
    "optional: [certificateKeyUsage, certificateProfileDisplayName, userDisplayName, serverUrl, certificateIssuer,\n"
    "           certificateExpirationDateTime, lastCertificateStateChangeDateTime, certificateSerialNumber,\n"
    "           certificateKeyLength, enhancedKeyUsage]\n"
)
"""What a case declares that says nothing else: so platform, device and thumbprint are required, and files narrow."""

THUMBPRINTS = (
    "",  # rows are counted from 1
    "A1F34C09D2E85B7760CC1934AB05EE7F128D3C41",
    "B2E45D1AC3F96C8871DD2A45BC16FF80239E4D52",
    "C3D56E2BB40A7D9982EE3B56CD270091340F5E63",
    "D4C67F3CA51B8EAA93FF4C67DE3811A2451A6F74",
    "E5B7804D962C9FBBA4005D78EF4922B3562B7085",
)
SERIALS = ("", "4A00C1", "4A00C2", "4A00C3", "4A00C4", "4A00C5")

Place = int | tuple[str, int]
"""The number of a row, with its sheet where a file has several tables."""

Value = str | int


class Found(NamedTuple):
    """A finding that is expected."""

    place: Place | str | None  # None is the whole file, a text the whole sheet of that name
    code: str
    severity: str
    column: str = ""
    was: str | None = None  # of a repair
    becomes: str | None = None
    says: str = ""  # what its message says among other things; no part of what is compared as a whole


class Case(NamedTuple):
    """A file and what becomes of it."""

    file: str
    trap: str  # one sentence
    content: Callable[[], bytes]
    valid: Mapping[Place, Mapping[str, Value]] = {}  # the whole body of each valid row
    invalid: tuple[Place, ...] = ()
    duplicate: tuple[Place, ...] = ()
    conflicting: tuple[Place, ...] = ()
    blank: int = 0
    found: tuple[Found, ...] = ()
    refused: str = ""  # the essential part of the message, when the file is refused as a whole
    tables: tuple[tuple[str | None, int], ...] = ((None, 1),)  # sheet and number of the header row, as they are read
    read_as: str = "utf-8"  # encoding; "" for workbooks and certificates
    split_at: str = ","  # delimiter; "" likewise
    config: str = ""  # lines of config.yaml beyond profiles and OPTIONAL
    preset: str = ""
    encoding: str | None = None  # what the options say
    delimiter: str | None = None
    sheets: tuple[str, ...] = ()
    header_row: int | None = None
    repairs: bool = True
    secret: str = ""  # a text of the file that no report may show

    @property
    def whole_config(self) -> str:
        """config.yaml."""
        return config_of(PROFILE_OF) + ("" if "optional:" in self.config else OPTIONAL) + self.config


def _found(  # noqa: PLR0917 - read as a line of a table
    severity: Severity,
    place: Place | str | None,
    code: Code,
    column: str = "",
    was: str | None = None,
    becomes: str | None = None,
    *,
    says: str = "",
) -> Found:
    return Found(place, code.value, severity.value, column, was, becomes, says)


error = partial(_found, Severity.ERROR)
warning = partial(_found, Severity.WARNING)
info = partial(_found, Severity.INFO)


def cells(number: int, changed: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a valid row, as a file has it."""
    return {
        PLATFORM: "iOS",
        DEVICE: f"PHONE-{number:04}",
        THUMBPRINT: THUMBPRINTS[number],
        SERIAL: SERIALS[number],
    } | dict(changed or {})


def body(number: int, changed: Mapping[str, Value] | None = None) -> dict[str, Value]:
    """Return the whole body of `cells` with the same changes; an empty text is no property."""
    properties: dict[str, Value] = {"@odata.type": ENTITY_TYPE, **cells(number), **(changed or {})}
    return {name: value for name, value in properties.items() if value != ""}


def lines(*texts: str, end: str = "\r\n") -> str:
    """Return the lines with the line ends that Windows writes, unless others are given."""
    return "".join(f"{text}{end}" for text in texts)


def delimited(*rows: Mapping[str, str], delimiter: str = ",", end: str = "\r\n") -> str:
    """Return a header and the rows; no cell is quoted."""
    return lines(delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows), end=end)


def encoded(text: str, encoding: str = "utf-8", mark: bytes = b"") -> Callable[[], bytes]:
    """Return what makes the bytes of a text file."""
    return lambda: mark + text.encode(encoding)


def text_case(
    file: str,
    trap: str,
    text: str,
    **expected: Any,  # noqa: ANN401 - the fields of Case
) -> Case:
    """Return the case of a text file in UTF-8."""
    return Case(file, trap, encoded(text), **expected)


def value_case(
    file: str,
    trap: str,
    column: str,
    was: str,
    sent: Value | None,
    *found: Found,
    clean: tuple[str, Value] | None = None,
    delimiter: str = ",",
    **options: Any,  # noqa: ANN401 - the fields of Case
) -> Case:
    """Return the case of one cell of row 2; row 3 is clean.

    `sent` is what stands in the body, None when the row is refused. `clean` are text and value of row 3.
    """
    text, value = clean or CLEAN.get(column, ("", ""))
    changed = {column: text} if text else {}
    valid: dict[Place, Mapping[str, Value]] = {3: body(2, {column: value} if value else {})}
    shown = f'"{was.replace(chr(34), chr(34) * 2)}"' if delimiter in was or "\n" in was else was
    content = delimited(cells(1, {column: shown}), cells(2, changed), delimiter=delimiter)
    return Case(
        file,
        trap,
        encoded(content),
        valid=valid if sent is None else {2: body(1, {column: sent})} | valid,
        invalid=(2,) if sent is None else (),
        found=found,
        split_at=delimiter,
        **options,
    )


INSTANT = "2027-11-23T08:49:13Z"
CLEAN: Mapping[str, tuple[str, Value]] = {
    USER: ("Erika Example", "Erika Example"),
    URL: ("https://ndes.contoso.com/scep", "https://ndes.contoso.com/scep"),
    EXPIRES: (INSTANT, INSTANT),
    ISSUER: ("CN=Contoso Issuing CA", "CN=Contoso Issuing CA"),
    KEY_LENGTH: ("2048", 2048),
    KEY_USAGE: ("digitalSignature", "digitalSignature"),
    EKU: ("Client Authentication", "Client Authentication"),
}
"""Text and value of a row that is no trap."""


class Group(NamedTuple):
    """Cases of one subject."""

    title: str
    cases: Sequence[Case]
