"""The lease that a host keeps, and its twin in memory, keep the same promises; what only processes can do is tried with processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.onhost.lease import Leases
from vitrify.onhost.memory import Memory
from vitrify.testing.leases_suite import HostClock, LeasesSuite, View
from vitrify.testing.memory_leases import MemoryLeases

PROJECT = "0123456789abcdef"


@pytest.fixture
def clock() -> HostClock:
    return HostClock()


class TestMemoryLeases(LeasesSuite):
    @pytest.fixture
    def view(self, clock: HostClock) -> View:
        leases = MemoryLeases("web", clock)
        return lambda: leases


class TestHostLeases(LeasesSuite):
    @pytest.fixture
    def view(self, clock: HostClock, tmp_path: Path) -> View:
        (tmp_path / "leases").mkdir(mode=0o700)
        return lambda: Leases(Memory(str(tmp_path / "leases"), within=str(tmp_path)), PROJECT, "web", moment=clock)
