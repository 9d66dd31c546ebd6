"""The types of config.yaml's values: text as the user writes it -> value. No I/O but the time zone database."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator

from pipeline.editions import COLLECTION
from pipeline.findings import shorten
from pipeline.identity import GUID


class Cloud(StrEnum):
    """Microsoft's national clouds: worldwide (with GCC), GCC High, DoD, and 21Vianet in China."""

    GLOBAL = "global"
    USGOV = "usgov"
    USGOV_DOD = "usgov-dod"
    CHINA = "china"


class AuthMethod(StrEnum):
    """How the bearer token is obtained."""

    TOKEN = "token"  # noqa: S105 - the name of a method
    CLIENT_SECRET = "client-secret"  # noqa: S105 - the name of a method
    CERTIFICATE = "certificate"
    MANAGED_IDENTITY = "managed-identity"
    WORKLOAD_IDENTITY = "workload-identity"
    AZURE_CLI = "azure-cli"
    DEVICE_CODE = "device-code"


class OnChanged(StrEnum):
    """What is done with a row whose object was created before with other values."""

    REPORT = "report"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `count` writes in any `window_s` seconds."""

    count: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """How many bad rows end the run: a number of rows or a share in percent; the other one is None."""

    count: int | None
    percent: float | None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "..."?` for the nearest of `known`, or "" when none is near. Letter case is ignored."""
    spellings = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(word.casefold(), spellings, n=1, cutoff=0.8)
    return f'; did you mean "{spellings[near[0]]}"?' if near else ""


def shown(text: str) -> str:
    """Return the text in quotes, cut to what a message shows."""
    return f'"{shorten(text)}"'


def _guid(text: object) -> object:
    # The text is not repeated: under `auth:` it may be a secret at the wrong key.
    if isinstance(text, str):
        text = text.strip().lower()
        if not GUID.fullmatch(text):
            raise ValueError("is not a GUID; copy the id from Intune or Entra")
        if not text.strip("0-"):
            raise ValueError("is an empty GUID; copy the id from Intune or Entra")
    return text


def parse_quota(text: str) -> Quota:
    """Return the quota of a text such as 100/20s. Raises ValueError with the sentence that follows the key's name."""
    parts = re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,5})\s*s?\s*", text)
    if parts is None or not int(parts[1]) or not int(parts[2]):
        raise ValueError(f"{shown(text)} is not a quota; write the writes and the seconds, such as 100/20s")
    return Quota(int(parts[1]), int(parts[2]))


def _quota(text: object) -> object:
    return parse_quota(text) if isinstance(text, str) else text


def _threshold(text: object) -> object:
    if isinstance(text, str):
        parts = re.fullmatch(r"\s*(?:([0-9]{1,9})|([0-9]{1,3}(?:\.[0-9]+)?)\s*%)\s*", text)
        if parts is None or float(parts[2] or 0) > 100:
            raise ValueError(f"{shown(text)} is no error threshold; write rows such as 50, or a share such as 20%")
        return Threshold(int(parts[1]), None) if parts[1] else Threshold(None, float(parts[2]))
    return text


def _concurrency(text: object) -> object:
    if isinstance(text, str) and text != "auto":
        if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 256:
            raise ValueError(f"{shown(text)} is no number of requests; write auto, or a number from 1 to 256")
        return int(text)
    return text


def _timezone(text: object) -> object:
    if isinstance(text, str):
        try:
            ZoneInfo(text)
        # A folder of the zone database, such as "America", is an OSError; "../x" is a ValueError.
        except (KeyError, ValueError, OSError):
            # What looks like CEST is an abbreviation, and its nearest name, EST, another zone.
            zones = (each for each in available_timezones() if "/" in each or each == "UTC")
            near = did_you_mean(text, zones) or "; write one such as UTC or Europe/Berlin"
            raise ValueError(f"{shown(text)} is no IANA time zone{near}") from None
    return text


def _variable_name(text: object) -> object:
    # The text is not repeated: it may be the secret itself.
    if isinstance(text, str) and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError("is not the name of an environment variable; put the secret there and write its name here")
    return text


def _cast(text: object) -> object:
    if isinstance(text, str):
        segments = text.split("/")
        if not all(re.fullmatch(r"[A-Za-z0-9_.]+", each) and each.strip(".") for each in segments):
            raise ValueError(
                f"{shown(text)} is not a path; write names of letters, digits, dots and _ with single slashes between "
                "them, such as microsoft.graph.iosScepCertificateProfile"
            )
        if COLLECTION in segments:
            raise ValueError(f"{shown(text)} is too long; leave out {COLLECTION}, which every path ends with")
    return text


def _ledger(text: object) -> object:
    # The URL is not repeated: a database's URL may hold a password.
    if isinstance(text, str):
        found = re.fullmatch(r"sqlite:///([^?#]+)", text)
        if found is None or found[1] == ":memory:" or found[1].endswith(("/", "\\")):
            raise ValueError("is not the URL of an SQLite file; write one such as sqlite:///state/ledger.db")
    return text


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Guid = Annotated[str, BeforeValidator(_guid)]
VariableName = Annotated[str, BeforeValidator(_variable_name)]
QuotaText = Annotated[Quota, BeforeValidator(_quota)]
ThresholdText = Annotated[Threshold, BeforeValidator(_threshold)]
Concurrency = Annotated[int | Literal["auto"], BeforeValidator(_concurrency)]
TimeZoneName = Annotated[str, BeforeValidator(_timezone)]
CastPath = Annotated[str, BeforeValidator(_cast)]
LedgerUrl = Annotated[str, BeforeValidator(_ledger)]
Headers = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
