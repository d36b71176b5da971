"""What every Runtime promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Protocol, TypeVar

import pytest

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.ports import Instance, InstanceSpec, Runtime

T = TypeVar("T")


class RuntimeBench(Protocol):
    """A runtime to be tried, and the hands that reach behind it."""

    @property
    def runtime(self) -> Runtime:
        """The runtime; each time as another process would find it."""

    def spec(self, identity: str) -> InstanceSpec:
        """An instance that writes `ready` to its log and answers GET / on its port."""

    def broken(self, identity: str) -> InstanceSpec:
        """An instance whose program does not exist."""

    def now(self) -> float:
        """The clock that instances are stopped by."""

    def let_pass(self, seconds: float) -> None:
        """Time passes."""

    def crash(self, identity: str) -> None:
        """Kill its process."""

    def alter(self, identity: str, path: str) -> None:
        """Add a file to its sealed root."""


def do(story: Coroutine[object, object, T]) -> T:
    """Run one call of a port."""
    return asyncio.run(story)


def await_true(bench: RuntimeBench, condition: Callable[[], bool]) -> None:
    """Let time pass until the condition holds, ten seconds at most."""
    for _ in range(500):
        if condition():
            return
        bench.let_pass(0.02)
    raise AssertionError("it did not come about within ten seconds")


def one(bench: RuntimeBench, identity: str) -> Instance:
    """The instance of this id, as it is listed now."""
    found = [instance for instance in do(bench.runtime.instances({})) if instance.id == identity]
    assert len(found) == 1
    return found[0]


def is_in(bench: RuntimeBench, identity: str, state: str) -> Callable[[], bool]:
    """A condition: the instance is in this state."""
    return lambda: one(bench, identity).state == state


HEALTH = Health(http="/")


class RuntimeSuite:
    """Subclass it, and give it a fixture `bench` of type `RuntimeBench`."""

    def test_a_launched_instance_runs_and_is_found_by_its_labels(self, bench: RuntimeBench) -> None:
        spec = replace(bench.spec("web-1"), labels={"project": "shop", "server": "web"})

        launched = do(bench.runtime.launch(spec))

        assert (launched.id, launched.image, launched.state, launched.restarts) == ("web-1", spec.image, "running", 0)
        assert do(bench.runtime.instances({"server": "web"})) == (launched,)
        assert do(bench.runtime.instances({"server": "web", "project": "other"})) == ()

    def test_launching_an_id_again_adopts_what_runs(self, bench: RuntimeBench) -> None:
        first = do(bench.runtime.launch(bench.spec("web-1")))

        assert do(bench.runtime.launch(bench.spec("web-1"))) == first
        assert len(do(bench.runtime.instances({}))) == 1

    def test_an_id_is_refused_to_another_spec(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))

        with pytest.raises(Denied):
            do(bench.runtime.launch(replace(bench.spec("web-1"), environment={"OTHER": "1"})))

    def test_instances_have_ports_of_their_own_and_are_listed_oldest_first(self, bench: RuntimeBench) -> None:
        for identity in ("web-b", "web-a"):
            do(bench.runtime.launch(bench.spec(identity)))

        listed = do(bench.runtime.instances({}))

        assert [instance.id for instance in listed] == ["web-b", "web-a"]
        assert len({instance.port for instance in listed} - {None}) == 2

    def test_an_instance_that_asks_for_no_port_has_none(self, bench: RuntimeBench) -> None:
        assert do(bench.runtime.launch(replace(bench.spec("worker"), port=None))).port is None

    def test_a_serving_instance_passes_its_health_check(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))

        await_true(bench, lambda: do(bench.runtime.healthy("web-1", HEALTH)) == "")

    def test_an_instance_that_does_not_run_is_not_healthy_and_says_why(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        do(bench.runtime.stop("web-1", grace=2))

        assert "stopped" in do(bench.runtime.healthy("web-1", HEALTH))

    def test_a_stopped_instance_stays_with_its_log_and_stopping_it_again_is_harmless(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        await_true(bench, lambda: do(bench.runtime.logs("web-1", lines=10)) != "")
        for _ in range(2):
            do(bench.runtime.stop("web-1", grace=2))

        assert one(bench, "web-1").state == "stopped"
        assert do(bench.runtime.logs("web-1", lines=10)) != ""

    def test_a_stopped_instance_is_launched_again_with_the_port_it_had(self, bench: RuntimeBench) -> None:
        first = do(bench.runtime.launch(bench.spec("web-1")))
        do(bench.runtime.stop("web-1", grace=2))

        again = do(bench.runtime.launch(bench.spec("web-1")))

        assert (again.state, again.port, again.stop_at) == ("running", first.port, None)

    def test_an_instance_stops_by_itself_when_its_time_has_come(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        do(bench.runtime.stop_later("web-1", at=bench.now() + 0.3))

        assert one(bench, "web-1").state == "running"
        await_true(bench, is_in(bench, "web-1", "stopped"))

    def test_a_deadline_can_be_taken_back(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        do(bench.runtime.stop_later("web-1", at=bench.now() + 0.4))
        do(bench.runtime.stop_later("web-1", at=None))
        bench.let_pass(0.6)

        assert (one(bench, "web-1").state, one(bench, "web-1").stop_at) == ("running", None)

    def test_only_a_stopped_instance_is_discarded_and_twice_is_harmless(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        with pytest.raises(Denied):
            do(bench.runtime.discard("web-1"))
        do(bench.runtime.stop("web-1", grace=2))
        for _ in range(2):
            do(bench.runtime.discard("web-1"))

        assert do(bench.runtime.instances({})) == ()

    def test_a_process_that_dies_is_started_again(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        bench.crash("web-1")

        await_true(bench, lambda: one(bench, "web-1").restarts == 1)
        await_true(bench, is_in(bench, "web-1", "running"))

    def test_a_program_that_cannot_be_started_shows_in_the_state(self, bench: RuntimeBench) -> None:
        launched = do(bench.runtime.launch(bench.broken("web-1")))

        assert launched.state == "restarting"
        assert launched.exit_code not in (None, 0)
        assert launched.started_at == 0

    def test_the_root_of_an_instance_that_nobody_touched_is_as_in_its_image(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))

        assert do(bench.runtime.altered("web-1")) == ()

    def test_a_file_added_to_the_root_is_found(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        bench.alter("web-1", "/intruder")

        found = do(bench.runtime.altered("web-1"))

        assert [(finding["path"], finding["change"]) for finding in found] == [("/intruder", "added")]

    def test_what_is_asked_of_an_unknown_instance_fails(self, bench: RuntimeBench) -> None:
        with pytest.raises(TargetFailed):
            do(bench.runtime.stop("nobody", grace=1))
        with pytest.raises(TargetFailed):
            do(bench.runtime.logs("nobody", lines=1))
