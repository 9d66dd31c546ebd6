"""What the tests of validation share: a clean row, a row's judgement, findings as they are expected."""

import json

from page_example import SEED_PROPERTIES

from pipeline.columns import match_columns, pick_values
from pipeline.editions import EDITION_CURRENT, Edition, Property
from pipeline.findings import CATALOGUE, Code, Finding, Severity
from pipeline.model import Row
from pipeline.validate import Judged, open_validator, validate_values

NOTHING = frozenset[str]()

SEED_CELLS = {name: str(value) for name, value in SEED_PROPERTIES.items() if name != "@odata.type"}

CLEAN_CURRENT = {
    "devicePlatform": "iOS",
    "certificateKeyUsage": "digitalSignature,keyEncipherment",
    "certificateValidityPeriodUnits": "years",
    "certificateIssuanceState": "issued",
    "certificateKeyStorageProvider": "useSoftwareKsp",
    "certificateSubjectNameFormat": "custom",
    "certificateSubjectAlternativeNameFormat": "userPrincipalName,emailAddress",
    "certificateRevokeStatus": "none",
    "certificateProfileDisplayName": "Corp SCEP iOS",
    "deviceDisplayName": "iPhone de Zoë",
    "userDisplayName": "用户 Ω \U0001f4f1",
    "certificateExpirationDateTime": "2027-11-23T08:49:13Z",
    "certificateLastIssuanceStateChangedDateTime": "2026-11-23T08:49:13.1000000+05:30",
    "lastCertificateStateChangeDateTime": "2026-11-23T08:49:13.0-00:00",
    "certificateIssuer": 'CN="Contoso, Inc." \\ Issuing {CA} 100 %s',
    "certificateThumbprint": "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
    "certificateSerialNumber": "00A7",
    "certificateKeyLength": "2048",
    "certificateEnhancedKeyUsage": "1.3.6.1.5.5.7.3.2",
    "certificateValidityPeriod": "1",
    "certificateSubjectNameFormatString": "CN={{DeviceName}}",
    "certificateSubjectAlternativeNameFormatString": "{{UserPrincipalName}}",
    "certificateIssuanceDateTime": "2026-11-23T08:49Z",
    "certificateErrorCode": "-2147024891",
}


def judged(cells: dict[str, str], *, edition: Edition = EDITION_CURRENT, required: frozenset[str] = NOTHING) -> Judged:
    """Return the judgement of a row of these cells, which no rule has changed."""
    columns = match_columns(tuple(cells), edition, aliases={}, required=NOTHING)
    assert columns is not None
    values = pick_values(Row(2, tuple(cells.values())), columns)
    return validate_values(values, open_validator(edition, required=required))


def body_of(found: Judged) -> str:
    assert found.state is not None
    return found.state.model_dump_json(by_alias=True, exclude_none=True)


def sent(found: Judged, name: str) -> object:
    """Return what the body says of the one property."""
    return json.loads(body_of(found))[name]


def error(code: Code, column: str, value: str, message: str) -> Finding:
    return Finding(code, Severity.ERROR, column, value, message, CATALOGUE[code].hint)


def warning(code: Code, column: str, value: str, message: str) -> Finding:
    return Finding(code, Severity.WARNING, column, value, message, CATALOGUE[code].hint)


def property_of(edition: Edition, name: str) -> Property:
    (prop,) = (each for each in edition.properties if each.name == name)
    return prop
