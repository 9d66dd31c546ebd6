"""Fixtures that several tests share."""

from pathlib import Path

import pytest
from import_cases import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder of its own with a config.yaml."""
    return Site(tmp_path)
