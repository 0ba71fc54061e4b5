"""What all tests share: the real data, and a hypothesis that repeats itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("distal", deadline=None, derandomize=True, database=None)
settings.load_profile("distal")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and reference outputs; tests that need it are skipped without DISTAL_SHARED."""
    folder = os.environ.get("DISTAL_SHARED")
    if not folder:
        pytest.skip("DISTAL_SHARED is not set")
    return Path(folder)
