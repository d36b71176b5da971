"""The lease that a host keeps, and its twin in memory, keep the same promises; what only processes can do is tried with processes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Busy
from vitrify.core.digest import JSONObject
from vitrify.onhost.calls import MODULES, find_call
from vitrify.onhost.lease import Leases
from vitrify.onhost.memory import Memory
from vitrify.resources.registry import all_kinds
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.leases_suite import ADA, BOB, HostClock, LeasesSuite, View
from vitrify.testing.memory_leases import MemoryLeases
from vitrify.transports.leased import leased

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


def test_whoever_acts_for_longer_than_a_lease_holds_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "leases").mkdir(mode=0o700)
    mine, theirs = (Leases(Memory(str(tmp_path / "leases"), within=str(tmp_path)), PROJECT, "web") for _ in range(2))

    with mine.held(replace(ADA, seconds=0.4)):
        time.sleep(1.0)
        assert getattr(theirs.standing(), "by", "") == "ada@laptop"
        with pytest.raises(Busy, match="web is being changed by ada@laptop"):
            theirs.acquire(BOB)

    assert theirs.acquire(BOB).token == 2


def test_a_session_that_asks_for_nothing_keeps_its_lease(tmp_path: Path) -> None:
    place: JSONObject = {"home": str(tmp_path), "project": PROJECT, "server": "web"}
    calls = {name: call for names in MODULES.values() for name in names if (call := find_call(name))}
    session = DirectSession(calls, time.time, all_kinds())

    async def wait() -> None:
        async with leased(session, place, {"by": "ada@laptop", "reason": "apply", "seconds": 0.4}) as held:
            await asyncio.sleep(1.0)
            await held.call("instance.list", {"home": str(tmp_path)})

    asyncio.run(wait())


def test_to_give_back_what_another_one_acts_by_already_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "leases").mkdir(mode=0o700)
    mine, theirs = (Leases(Memory(str(tmp_path / "leases"), within=str(tmp_path)), PROJECT, "web") for _ in range(2))
    token = mine.acquire(ADA).token
    theirs.release(0, why="was taken away by bob@desk: gone")

    with theirs.held(BOB):
        assert mine.release(token) is None
