"""Fixtures that several tests share."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from import_cases import Site

# A test that fails is to fail again. HYPOTHESIS_PROFILE=explore tries other examples each time.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

# A shell without job control starts what runs in its background with Ctrl-C ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What Windows does not have: pseudo terminals, and signals to another process.
NOT_ON_WINDOWS = ["test_cli_terminal.py", "test_kill.py", "test_security_permissions.py", "test_signals.py"]
collect_ignore = NOT_ON_WINDOWS if os.name == "nt" else []
if sys.platform != "linux":
    # The limits of a process's memory and of its files, and /dev/full, are Linux's.
    collect_ignore += ["test_load_memory.py", "test_stop_rules.py"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder of its own with a config.yaml."""
    return Site(tmp_path)
