"""What counts as a difference between what was sent and what is read back."""

from typing import Any

import pytest

from pipeline.identity import Difference, differences

SENT: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.managedDeviceCertificateState",
    "devicePlatform": "iOS",
    "certificateKeyUsage": "digitalSignature,keyEncipherment",
    "certificateExpirationDateTime": "2027-11-23T08:49:13.1234567Z",
    "certificateThumbprint": "00AF",
    "certificateSerialNumber": "4A01",
    "certificateKeyLength": 2048,
    "deviceDisplayName": "PHONE-1",
}


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({}, id="the same"),
        pytest.param({"id": "1", "serverUrl": None, "certificateErrorCode": 0}, id="more than was sent"),
        pytest.param({"@odata.type": "#other"}, id="another annotation"),
        pytest.param({"certificateKeyUsage": "keyEncipherment,digitalSignature"}, id="flags in another order"),
        pytest.param({"certificateThumbprint": "00:af"}, id="thumbprint in another form"),
        pytest.param({"certificateSerialNumber": "004a01"}, id="serial number with the sign's byte"),
    ],
)
def test_another_form_of_the_same_value_is_no_difference(found: dict[str, Any]) -> None:
    """What the service adds, and how it spells sets and hexadecimal texts, contradicts nothing."""
    assert differences(SENT, SENT | found) == []


@pytest.mark.parametrize(
    "text",
    ["2027-11-23T09:49:13.1234567+01:00", "2027-11-22T23:19:13.1234567-09:30"],
)
def test_another_text_for_the_same_instant_is_told_and_no_difference(text: str) -> None:
    """Date-times are compared in ticks of 100 ns."""
    name = "certificateExpirationDateTime"

    assert differences(SENT, SENT | {name: text}) == [Difference(name, SENT[name], text, True)]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        pytest.param("certificateExpirationDateTime", "2027-11-23T08:49:13.1234568Z", None, id="one tick later"),
        pytest.param("certificateExpirationDateTime", "2027-11-23T08:49:13", None, id="no offset"),
        pytest.param("certificateExpirationDateTime", "2027-02-30T08:49:13Z", None, id="no date"),
        pytest.param("certificateExpirationDateTime", 1, "1", id="no text"),
        pytest.param("certificateKeyLength", 4096, "4096", id="number"),
        pytest.param("deviceDisplayName", "phone-1", None, id="letter case of a name"),
        pytest.param("certificateThumbprint", None, "", id="null"),
        pytest.param("devicePlatform", "macOS", None, id="enum"),
    ],
)
def test_another_value_is_a_difference(name: str, value: object, found: str | None) -> None:
    """The difference names the property and both texts."""
    expected = Difference(name, str(SENT[name]), str(value) if found is None else found, False)

    assert differences(SENT, SENT | {name: value}) == [expected]


def test_an_absent_property_is_a_difference() -> None:
    """What was sent and is not there any more is told."""
    found = {name: value for name, value in SENT.items() if name != "deviceDisplayName"}

    assert differences(SENT, found) == [Difference("deviceDisplayName", "PHONE-1", "", False)]
