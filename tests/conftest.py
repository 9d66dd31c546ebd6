"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest
from import_cases import Site

# What Windows does not have: pseudo terminals, and signals to another process.
collect_ignore = ["test_cli_terminal.py", "test_kill.py"] if os.name == "nt" else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder of its own with a config.yaml."""
    return Site(tmp_path)
