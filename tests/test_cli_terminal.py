"""The one question before rows leave, asked on a pseudo terminal; conftest leaves this file out on Windows."""

import io
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from cli_cases import APP_ID, GRAPH, TOKEN, environ_of, move_to, program, run_program
from import_cases import TENANT_ID, devices, write_csv

from pipeline.cli.progress import ask_to_send
from pipeline.errors import ExitCode
from pipeline.model import Scope
from pipeline.session import Question
from pipeline.simulator import SimulatorSettings, running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml."""
    move_to(tmp_path, monkeypatch)
    return tmp_path


class Terminal:
    """A pseudo terminal with a program of ours on it."""

    def __init__(self, *arguments: str, environ: dict[str, str]) -> None:
        self.text = ""
        self._fd, far_end = pty.openpty()
        self._program = subprocess.Popen(
            program(*arguments),
            stdin=far_end,
            stdout=far_end,
            stderr=far_end,
            env=environ_of(TERM="xterm", **environ),
        )
        os.close(far_end)

    def read_until(self, text: str) -> None:
        """Read until the text has come."""
        while text not in self.text:
            readable, _, _ = select.select([self._fd], [], [], 30)
            assert readable, f"{text!r} did not come after {self.text!r}"
            self.text += os.read(self._fd, 65_536).decode()

    def type(self, text: str) -> None:
        """Type the text."""
        os.write(self._fd, text.encode())

    def end(self) -> int:
        """Read what is left and return the exit code."""
        try:
            while chunk := os.read(self._fd, 65_536).decode():
                self.text += chunk
        except OSError:  # how Linux tells that the other end was closed
            self.text += ""
        os.close(self._fd)
        return self._program.wait()


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_no_sends_nothing_and_says_how_to_go_on() -> None:
    """On a terminal an import asks once, names what it is about to do, and keeps the rows when the answer is no."""
    write_csv(Path("a.csv"), devices(250))
    terminal = Terminal("import", "a.csv", "--no-check-remote", environ={"GRAPH_TOKEN": TOKEN})

    terminal.read_until("[y/N] ")
    asked = ESCAPES.sub("", terminal.text).replace("\r", "")
    terminal.type("n\n")
    code = terminal.end()

    assert asked.endswith(
        "250 rows to create, which takes at least 40 s.\n"
        f"  service  {GRAPH}\n  tenant   {TENANT_ID}\n  app      {APP_ID}\nSend them now? [y/N] "
    )
    shown = ESCAPES.sub("", terminal.text).replace("\r", "")
    assert "250 rows read = 250 unsent\nStopped: not confirmed, so nothing was sent\n" in shown
    assert re.search(r"\nNext: go on with the unsent rows:\n      certstate resume \S+\n$", shown)
    assert code == ExitCode.UNSETTLED


@pytest.mark.parametrize(
    ("typed", "is_yes"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("yse\n", False), ("\x04", False)],
    ids=["y", "yes", "n", "enter", "misspelt", "ctrl-d"],
)
def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, typed: str, is_yes: bool) -> None:
    """Anything but y or yes keeps the rows here, and the question leaves stdout alone."""
    near_end, far_end = pty.openpty()
    os.write(near_end, typed.encode())
    stdout = io.StringIO()
    with (
        os.fdopen(far_end, encoding="utf-8") as stdin,
        os.fdopen(os.dup(far_end), "w", encoding="utf-8") as stderr,
        monkeypatch.context() as streams,
    ):
        for name, stream in (("stdin", stdin), ("stderr", stderr), ("stdout", stdout)):
            streams.setattr(sys, name, stream)
        is_sent = ask_to_send(Question(Scope(GRAPH, TENANT_ID), "", 1, 0.0))
    os.close(near_end)

    assert is_sent is is_yes
    assert stdout.getvalue() == ""


def test_an_undo_asks_before_it_deletes_even_on_this_machine() -> None:
    """The question of an undo says that objects are deleted, how many and where; a no leaves them."""
    write_csv(Path("a.csv"), devices(2))
    with running(SimulatorSettings()) as simulator:
        url = ("--graph-url", simulator.service_root)
        assert run_program("import", "a.csv", *url).code == ExitCode.OK
        (folder,) = Path("runs").iterdir()
        terminal = Terminal("undo", folder.name, *url, environ={})

        terminal.read_until("[y/N] ")
        asked = ESCAPES.sub("", terminal.text).replace("\r", "")
        terminal.type("n\n")
        code = terminal.end()

        assert len(simulator.objects()) == 2
    assert asked.endswith(
        "2 objects to delete, which takes at least 0 s.\n"
        f"  service  {simulator.service_root}\n  tenant   {TENANT_ID}\nDelete them now? [y/N] "
    )
    shown = ESCAPES.sub("", terminal.text).replace("\r", "")
    assert "Stopped: not confirmed, so nothing was deleted\n" in shown
    assert code == ExitCode.UNSETTLED
