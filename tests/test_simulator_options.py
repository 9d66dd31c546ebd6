"""`certstate simulate`: its options reach the simulator."""

import json
import signal
import subprocess
import sys

import httpx
from simulator_cases import IOS, NO_TLS, body_of

from pipeline.errors import ExitCode

PROGRAM = (sys.executable, "-m", "pipeline", "--output", "json", "simulate", "--port", "0")


def test_options_of_reading() -> None:
    """The read delay, the read quota and a rate of a read fault are those of the command line."""
    options = ("--read-delay-s", "600", "--read-quota", "2", "--fault", "read_503=0.5", "--seed", "5")

    with subprocess.Popen([*PROGRAM, *options], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        root = json.loads(started.stdout.readline())["service_root"]
        with httpx.Client(
            base_url=root, headers={"Authorization": "Bearer t"}, verify=NO_TLS, trust_env=False
        ) as client:
            created = client.post(IOS, json=body_of())
            lists = [client.get(IOS) for _ in range(3)]
        started.send_signal(signal.SIGINT)

    assert created.status_code == 201
    assert [each.status_code for each in lists] == [503, 200, 429]
    assert lists[1].json()["value"] == []


def test_wrong_options_of_reading() -> None:
    """An option of reading that makes no sense is told in one sentence before anything listens."""
    ended = subprocess.run([*PROGRAM, "--read-delay-s", "-1"], capture_output=True, text=True, check=False)

    error = {"message": "The simulator's read_delay_s is -1.0; give 0 or more.", "exit_code": ExitCode.USAGE}
    assert (ended.returncode, json.loads(ended.stdout)) == (ExitCode.USAGE, {"schema_version": 1, "error": error})
