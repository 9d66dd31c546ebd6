"""What the tests of the simulator share: a clock to set, a client that shows a bearer, valid objects."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from pipeline.simulator import RunningSimulator, SimulatorSettings, running

PROFILE_ID = "6a1f0e5c-2f0b-4c8e-9a55-0d3f1b7c2e11"
IOS = (
    f"/deviceManagement/deviceConfigurations/{PROFILE_ID}"
    "/microsoft.graph.iosScepCertificateProfile/managedDeviceCertificateStates"
)
CALLER_ID = "0d6f2d1e-5a43-4a0e-8f0e-2f2f6c1f7a01"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused over http, and without the time to load authorities
WALL_S = 1_795_423_753.5  # 2026-11-23T08:49:13.5Z


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now_s


@contextmanager
def talking(
    settings: SimulatorSettings, clock: Callable[[], float] | None = None
) -> Iterator[tuple[httpx.Client, RunningSimulator]]:
    """Run a simulator, whose clock stands still unless told otherwise, and a client of it that shows a bearer."""
    with (
        running(settings, clock=clock or Clock(), wall_clock=lambda: WALL_S) as simulator,
        httpx.Client(
            base_url=simulator.service_root, headers={"Authorization": "Bearer t"}, verify=NO_TLS, trust_env=False
        ) as client,
    ):
        yield client, simulator


def body_of(number: int = 0) -> dict[str, object]:
    """Return a valid object of edition 1706 for the device of that number."""
    return {
        "@odata.type": "#microsoft.graph.managedDeviceCertificateState",
        "devicePlatform": "iOS",
        "certificateKeyUsage": "digitalSignature,keyEncipherment",
        "certificateProfileDisplayName": "Corp SCEP iOS",
        "deviceDisplayName": f"iPhone {number}",
        "userDisplayName": "Megan Bowen",
        "serverUrl": "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
        "certificateExpirationDateTime": "2027-11-23T08:49:13Z",
        "lastCertificateStateChangeDateTime": "2026-11-23T08:49:13Z",
        "certificateIssuer": "CN=Contoso Issuing CA",
        "certificateThumbprint": f"{number:040X}",
        "certificateSerialNumber": f"{number:X}",
        "certificateKeyLength": 2048,
        "enhancedKeyUsage": "1.3.6.1.5.5.7.3.2",
    }


def create(client: httpx.Client, number: int = 0, bearer: str = "t") -> httpx.Response:
    """Send one create."""
    headers = {"Authorization": f"Bearer {bearer}", "client-request-id": CALLER_ID}
    return client.post(IOS, json=body_of(number), headers=headers)
