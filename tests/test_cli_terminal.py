"""On a pseudo terminal: the question before rows leave, the live lines. conftest leaves this file out on Windows."""

import io
import os
import pty
import re
import select
import signal
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
            env=environ_of(**{"TERM": "xterm"} | environ),
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

    def signal(self, number: int) -> None:
        """Send the program a signal, as Ctrl-C does."""
        self._program.send_signal(number)

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
    assert "250 rows read = 250 unsent\n" in shown
    assert "\nStopped: not confirmed, so nothing was sent\n" in shown
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
        (folder,) = (each for each in Path("runs").iterdir() if each.is_dir())
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


CURSOR_SHOWN = "\x1b[?25h"
CURSOR_HIDDEN = "\x1b[?25l"
COLOURED = re.compile(r"\x1b\[[0-9;]*m")

SLOW = SimulatorSettings(quota=10, window_s=600.0)
"""Takes ten rows, and the rest much later."""


def lines_left(text: str) -> list[str]:
    """Return the lines that are left on a terminal of 80 columns after what was written to it."""
    lines, row, column = [""], 0, 0
    for code, character in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|(.)", text, re.DOTALL):
        if code.endswith("A"):
            row -= int(code[:-1] or 1)
        elif code == "2K":
            lines[row] = ""
        elif character == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif character == "\r":
            column = 0
        elif character:
            lines[row] = f"{lines[row][:column]:<{column}}{character}{lines[row][column + 1 :]}"
            column += 1
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_the_live_lines_leaves_the_terminal_clean(number: int) -> None:
    """After Ctrl-C the cursor is back, no half line is left, and the summary follows what was said before."""
    write_csv(Path("a.csv"), devices(30))
    with running(SLOW) as simulator:
        arguments = ("import", "a.csv", "--quota", "10/600s", "--graph-url", simulator.service_root)
        terminal = Terminal(*arguments, environ={})
        terminal.read_until("quota 10 of 10 in 600 s")
        terminal.signal(number)
        code = terminal.end()

    left = lines_left(terminal.text)
    assert terminal.text.count(CURSOR_HIDDEN) == terminal.text.count(CURSOR_SHOWN) > 0
    assert CURSOR_HIDDEN not in terminal.text.rpartition(CURSOR_SHOWN)[2]
    assert not any("\u2501" in line or "quota 10 of 10" in line for line in left)
    assert "30 rows read = 10 created + 20 unsent" in left
    assert left[-1] == ""
    assert code == 128 + number


@pytest.mark.parametrize(
    ("arguments", "environ", "has_colours"),
    [
        ((), {"NO_COLOR": ""}, True),
        ((), {"NO_COLOR": "1"}, False),
        (("--no-color",), {"NO_COLOR": ""}, False),
        ((), {"TERM": "dumb"}, False),
    ],
    ids=["terminal", "NO_COLOR", "no-color", "dumb"],
)
def test_colours_are_for_those_who_want_them(
    arguments: tuple[str, ...], environ: dict[str, str], has_colours: bool
) -> None:
    """NO_COLOR, --no-color and a dumb terminal each take all colours and styles away."""
    write_csv(Path("a.csv"), devices(2))
    terminal = Terminal(*arguments, "validate", "a.csv", environ=environ)
    code = terminal.end()

    assert bool(COLOURED.search(terminal.text)) is has_colours
    assert code == ExitCode.OK


def test_a_dumb_terminal_gets_lines() -> None:
    """Where the cursor cannot be moved, nothing is drawn."""
    write_csv(Path("a.csv"), devices(2))
    with running(SimulatorSettings()) as simulator:
        terminal = Terminal("import", "a.csv", "--graph-url", simulator.service_root, environ={"TERM": "dumb"})
        code = terminal.end()

    assert "\x1b" not in terminal.text
    assert "2 rows read = 2 created" in terminal.text
    assert code == ExitCode.OK


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
def test_a_pipe_gets_neither_colours_nor_signs_that_it_lacks(encoding: str) -> None:
    """In a pipe nothing steers a terminal, even where the environment wishes for colours, and all can be encoded."""
    header = {"devicePlatform": "iPhone \u2192 \u8a3c \x1b[31m"}
    write_csv(Path("a.csv"), devices(2, **header))
    ended = subprocess.run(
        program("validate", "a.csv"),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
        env=environ_of(PYTHONIOENCODING=encoding, FORCE_COLOR="1", TTY_COMPATIBLE="1", TERM="xterm"),
    )
    written = ended.stdout.decode(encoding)

    assert b"\x1b" not in ended.stdout + ended.stderr
    assert '("iPhone -> \\u8a3c \\x1b[31m")' in " ".join(written.split())
    assert ended.returncode == ExitCode.INVALID
