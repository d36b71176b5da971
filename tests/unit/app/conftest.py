"""A team for the tests of what several people sign."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.app.signing import Team


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)
