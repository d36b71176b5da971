"""A session with a lease presents its token, gives it back, and waits for nobody of this machine that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import Busy, TargetUnreachable
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, silence
from vitrify.onhost.calls import MODULES, find_call
from vitrify.onhost.lease import Leases, Wish
from vitrify.onhost.memory import Memory
from vitrify.onhost.tenant import Tenant
from vitrify.resources.registry import all_kinds
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.leases_suite import HostClock
from vitrify.testing.memory_leases import MemoryLeases
from vitrify.transports.leased import leased

PROJECT = "0123456789abcdef"
ASKED: JSONObject = {"by": "ada@laptop", "reason": "apply"}


@dataclass
class Place:
    """Where a lease is kept, and the argument that names it."""

    folder: Path
    leases: Leases = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "leases").mkdir(mode=0o700)
        self.leases = Leases(Memory(str(self.folder / "leases"), within=str(self.folder)), PROJECT, "web")

    @property
    def argument(self) -> JSONObject:
        return {"home": str(self.folder), "project": PROJECT, "server": "web"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def session() -> DirectSession:
    calls = {name: call for names in MODULES.values() for name in names if (call := find_call(name))}
    return DirectSession(calls, lambda: 0.0, all_kinds())


async def acted(place: Place) -> int:
    async with leased(session(), place.argument, ASKED) as held:
        await held.call("instance.list", {"home": str(place.folder)})
        return held.token


def test_a_lease_is_held_while_the_session_is_used_and_given_back_then(place: Place) -> None:
    assert [asyncio.run(acted(place)) for _ in range(2)] == [1, 2]
    assert place.leases.standing() is None


def test_it_is_given_back_where_the_work_fails_and_a_host_that_is_gone_hides_no_error(place: Place) -> None:
    async def fail() -> None:
        async with leased(session(), place.argument, ASKED):
            for path in (place.folder / "leases").iterdir():
                path.unlink()
            raise TargetUnreachable("the connection broke")

    with pytest.raises(TargetUnreachable, match="the connection broke"):
        asyncio.run(fail())


def test_what_was_taken_away_is_not_acted_by(place: Place) -> None:
    async def work() -> None:
        async with leased(session(), place.argument, ASKED) as held:
            place.leases.release(0, why="was taken away by bob@desk: gone")
            await held.call("instance.list", {"home": str(place.folder)})

    with pytest.raises(Busy, match="the lease of web was lost"):
        asyncio.run(work())


class Elsewhere:
    """A host with a kernel of its own, which knows nothing of the processes of this machine."""

    def __init__(self, process: Tenant) -> None:
        self.leases = MemoryLeases("web", HostClock(boot="elsewhere"))
        self.leases.acquire(Wish("bob@desk", "apply", process=process))

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        lease = arguments["lease"]
        assert isinstance(lease, dict)
        if name == "lease.acquire":
            return self.leases.acquire(Wish(str(lease["by"]), str(lease["reason"]))).to_json()
        if name == "lease.release":
            self.leases.release(int(str(lease["token"])))
            return {}
        standing = self.leases.standing()
        return {"last": standing.to_json() if standing else None}

    async def close(self) -> None:
        """Nothing is open."""


async def held_at(host: Elsewhere) -> int:
    async with leased(host, {"home": "/", "project": PROJECT, "server": "web"}, ASKED) as held:
        return held.token


def test_a_holder_of_this_machine_that_ended_keeps_nobody_waiting_wherever_the_host_is() -> None:
    assert asyncio.run(held_at(Elsewhere(replace(Tenant.this(), start=1)))) == 2


@pytest.mark.parametrize(
    "changed", [{}, {"boot": "another", "start": 1}, {"space": "another", "start": 1}], ids=["alive", "away", "contained"]
)
def test_a_holder_that_lives_or_that_nobody_can_see_keeps_it(changed: dict[str, Any]) -> None:
    with pytest.raises(Busy, match="web is being changed by bob@desk"):
        asyncio.run(held_at(Elsewhere(replace(Tenant.this(), **changed))))
