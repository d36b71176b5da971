"""A host goes down in the middle of an apply: what is waited for, and what of the plan is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from bench import Bench, do

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Denied, PlanStale, TargetFailed, TargetUnreachable
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSONObject
from vitrify.core.event import Event, Stage
from vitrify.core.plan import HostPlan
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle import restart
from vitrify.lifecycle.world import World
from vitrify.ports import Session
from vitrify.testing.direct_session import DirectSession

HOST = Host("ssh://root@db1", address="db1", user="root")
REBOOT = Resource(Address("reboot", "host"), {"always": True, "timeout": "10s"})
FILE = Resource(Address("file", "/etc/motd"), {"path": "/etc/motd"})
BEGUN = Event("change", Stage.STARTED, "reboot:host", data={"action": "update", "boot": "first"})


def change(resource: Resource) -> Change:
    return Change(resource, Action.UPDATE, before={}, after={"type": resource.address.kind})


def planned(*resources: Resource, run: str = "") -> HostPlan:
    return HostPlan("web", HOST.name, tuple(map(change, resources)), (), (), expect="", run=run)


@dataclass
class Starting:
    """A host that answers each look with the next of these; the last one for ever."""

    answers: list[JSONObject | None]
    bench: Bench = field(default_factory=Bench)

    @property
    def world(self) -> World:
        return replace(self.bench.world, session_anew=self._session)

    @asynccontextmanager
    async def _session(self, host: Host) -> AsyncIterator[Session]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise TargetUnreachable(f"{host.name} does not answer")
        yield DirectSession({"host.boot": lambda _context, _arguments: answer}, self.bench.clock.now, self.bench.world.kinds)

    def told(self) -> list[str]:
        return [event.detail for event in self.bench.events if event.what == "reboot"]


def watching(world: World) -> restart.Watch:
    watch = restart.Watch(world, (change(REBOOT),))
    watch.hearing.emit(BEGUN)
    return watch


def test_a_host_is_waited_for_until_all_that_it_starts_is_started() -> None:
    old: JSONObject = {"boot": "first", "up": True}
    starting = Starting([old, old, None, None, {"boot": "second", "up": False}, {"boot": "second", "up": True}])

    do(restart.back(watching(starting.world), {}, HOST, starting.world))

    assert starting.told() == [
        "goes down, and has 10 s to be up again",
        "has not gone down yet",
        "does not answer",
        "answers, and is still starting",
        "is up again after 6 s",
    ]


def test_a_host_that_does_not_come_back_is_unreachable_and_the_error_says_how_far_it_got() -> None:
    starting = Starting([None])

    with pytest.raises(TargetUnreachable, match="within 10 s") as lost:
        do(restart.back(watching(starting.world), {}, HOST, starting.world))

    assert lost.value.diagnostics[0].why == "it does not answer"


def test_only_a_run_that_went_into_a_restart_ends_by_one() -> None:
    world = Bench().world
    quiet, watch = restart.Watch(world, (change(FILE),)), watching(world)
    broken = TargetUnreachable("the connection broke")

    assert not quiet.explains(broken)
    assert watch.explains(broken)
    assert watch.explains(TargetFailed("the process of the enact ended in the middle of its work"))
    assert not watch.explains(PlanStale("the target changed after the plan was made"))
    watch.hearing.emit(replace(BEGUN, stage=Stage.DONE))
    assert not watch.explains(broken), "it was not made, or is behind us"


def test_behind_a_restart_nothing_is_done_that_was_not_approved() -> None:
    bench = Bench()

    left = restart.rest(planned(REBOOT), replace(planned(FILE, REBOOT, run="r1"), expect="sha256:new"), "r1", bench.world)

    assert [one.resource for one in left.changes] == [REBOOT]
    assert (left.run, left.expect) == ("r1", "sha256:new")
    assert [event.subject for event in bench.events] == ["file:/etc/motd"]


def test_a_host_that_forgot_its_run_is_not_guessed_at() -> None:
    with pytest.raises(PlanStale, match="remembers nothing of run r1"):
        restart.rest(planned(REBOOT), planned(REBOOT), "r1", Bench().world)


def test_the_machine_that_vitrify_runs_on_is_never_restarted(tmp_path: Path) -> None:
    world = Bench().world

    with pytest.raises(Denied, match="would restart the machine that vitrify runs on"):
        restart.refuse_here([change(REBOOT)], Host("local"), world)

    restart.refuse_here([change(REBOOT)], HOST, world)
    restart.refuse_here([change(REBOOT)], Host("folder", str(tmp_path)), world)
    restart.refuse_here([change(FILE)], Host("local"), world)
