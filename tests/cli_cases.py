"""What the tests of the command line share: calling it in this process, or as a program of its own."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from import_cases import PROFILE_OF, config_of

from pipeline.cli import main

GRAPH = "https://graph.microsoft.com/beta"
APP_ID = "99999999-8888-4777-8666-555555555555"
TOKEN = f"e30.{base64.urlsafe_b64encode(json.dumps({'appid': APP_ID}).encode()).decode().rstrip('=')}.c2ln"
ROOT = Path(__file__).parent.parent


class Called(NamedTuple):
    """How a call ended."""

    code: int
    stdout: str
    stderr: str


def move_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folder the current one, with a config.yaml, in an environment that tells nothing but a line's width."""
    (folder / "config.yaml").write_text(config_of(PROFILE_OF), "utf-8")
    monkeypatch.chdir(folder)
    for name in os.environ:
        if name.startswith(("CERTSTATE_", "GRAPH_TOKEN", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")


def call(*arguments: str | Path, encoding: str = "utf-8") -> Called:
    """Call the command line in this process, without a terminal."""
    written = io.BytesIO(), io.BytesIO()
    stdout, stderr = (io.TextIOWrapper(each, encoding, newline="", write_through=True) for each in written)
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)
    texts = [each.getvalue().decode(encoding) for each in written]
    stdout.close()
    stderr.close()
    return Called(int(ended.value.code or 0), *texts)


def program(*arguments: str | Path) -> list[str]:
    """Return the command that calls the command line as a program of its own."""
    return [sys.executable, "-m", "pipeline", *map(str, arguments)]


def environ_of(**more: str) -> dict[str, str]:
    """Return the environment of such a program, which has to find the package from the folder of a test too."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def run_program(*arguments: str | Path, encoding: str = "utf-8") -> Called:
    """Call the command line as a program of its own, without a terminal."""
    ended = subprocess.run(
        program(*arguments),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
        env=environ_of(PYTHONIOENCODING=encoding),
    )
    return Called(ended.returncode, ended.stdout.decode(encoding), ended.stderr.decode(encoding))
