"""What every Runtime promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Protocol, TypeVar

import pytest

from vitrify.core.declaration import Health, Limits
from vitrify.core.diagnostic import Denied, TargetFailed, VitrifyError
from vitrify.core.instance import Instance, InstanceSpec
from vitrify.ports import Runtime

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

    def searcher(self, identity: str) -> InstanceSpec:
        """An instance that may write to `/srv/count` and tries every path there is; see `SEARCH`."""

    def dying(self) -> Runtime:
        """The runtime, of a vitrify that dies when it is about to start what it was asked to launch."""

    def within(self, entrance: tuple[str, ...]) -> str:
        """What the words print that `entrance` gave for `ENTER`."""

    def holds(self, limits: Limits) -> bool:
        """Whether this runtime holds instances to limits; where it does, one that was launched with these is held to them."""


ENTER = ("/usr/bin/python3", "-I", "-c", "print(open('/etc/vitrify-test').read())")
"""Shows a file of the image, which reads `as baked`."""

SEARCH = """
import os, stat, time
def look(folder):
    try:
        probe = os.path.join(folder, ".vitrify-probe")
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(probe)
        print("could write", folder, flush=True)
        return
    except OSError:
        pass
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.path != "/proc":
                    look(entry.path)
            elif stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                os.close(os.open(entry.path, os.O_WRONLY | os.O_NOFOLLOW))
                print("could write", entry.path, flush=True)
        except OSError:
            pass
look("/")
print("looked", flush=True)
time.sleep(3600)
"""
"""An application that tries to write to every folder and file that it sees, and tells which it could.

Devices are no files, and what lies in `/proc` are the process's own attributes.
"""


class Died(VitrifyError):
    """What happens to a vitrify that is killed, in a process that has to go on."""


def do(story: Coroutine[object, object, T]) -> T:
    """Run one call of a port."""
    return asyncio.run(story)


def await_true(bench: RuntimeBench, condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Let time pass until the condition holds, so many seconds at most."""
    for _ in range(round(seconds * 50)):
        if condition():
            return
        bench.let_pass(0.02)
    raise AssertionError("it did not come about in time")


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

    def test_evidence_is_in_no_list_never_runs_again_and_stays_until_it_is_meant(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        bench.alter("web-1", "/intruder")
        with pytest.raises(Denied):
            do(bench.runtime.quarantine("web-1", by="ada", why="finding 7", entry=7))
        do(bench.runtime.stop("web-1", grace=2))
        for why in ("finding 7", "once more"):
            do(bench.runtime.quarantine("web-1", by="ada", why=why, entry=7))

        do(bench.runtime.discard("web-1"))
        with pytest.raises(Denied):
            do(bench.runtime.launch(bench.spec("web-1")))

        assert do(bench.runtime.instances({})) == ()
        (kept,) = do(bench.runtime.quarantined(bench.spec("web-1").labels))
        assert (kept["id"], kept["by"], kept["why"], kept["entry"]) == ("web-1", "ada", "finding 7", 7)
        assert do(bench.runtime.quarantined({"server": "another"})) == ()
        for _ in range(2):
            do(bench.runtime.discard("web-1", evidence=True))
        assert do(bench.runtime.quarantined({})) == ()

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

    def test_a_launch_that_was_cut_short_is_ended_by_the_next_one(self, bench: RuntimeBench) -> None:
        with pytest.raises(Died):
            do(bench.dying().launch(bench.spec("web-1")))

        launched = do(bench.runtime.launch(bench.spec("web-1")))

        assert (launched.state, launched.restarts) == ("running", 0)
        assert do(bench.runtime.instances({})) == (launched,)

    def test_nothing_can_be_written_to_but_what_is_declared(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(replace(bench.searcher("web-1"), volumes={"/srv/kept": "state"})))

        await_true(bench, lambda: "looked" in do(bench.runtime.logs("web-1", lines=100)), seconds=60)
        told = do(bench.runtime.logs("web-1", lines=100)).splitlines()
        assert {line for line in told if line.startswith("could write")} == {"could write /srv/count", "could write /srv/kept"}
        assert do(bench.runtime.altered("web-1")) == ()

    def test_an_instance_is_held_to_its_limits(self, bench: RuntimeBench) -> None:
        limits = Limits(memory=64 << 20, cpu=500, pids=50)
        spec = replace(bench.spec("web-1"), limits=limits)
        if bench.holds(limits):
            do(bench.runtime.launch(spec))
            assert bench.holds(limits)
        else:
            with pytest.raises(TargetFailed):
                do(bench.runtime.launch(spec))

    def test_a_command_runs_inside_and_the_mark_of_it_stays(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        for reason in ("why is it slow", "once more"):
            do(bench.runtime.mark("web-1", by="ada", reason=reason, entry=7))

        assert bench.within(do(bench.runtime.entrance("web-1", ENTER, terminal=False))).strip() == "as baked"
        assert one(bench, "web-1").entered == "entered by ada: why is it slow"
        found = [(finding["change"], finding["details"], finding["entry"]) for finding in do(bench.runtime.altered("web-1"))]
        assert found == [("entered", ["entered by ada: why is it slow"], 7)]

    def test_nobody_enters_an_instance_that_does_not_run(self, bench: RuntimeBench) -> None:
        do(bench.runtime.launch(bench.spec("web-1")))
        do(bench.runtime.stop("web-1", grace=2))

        with pytest.raises(TargetFailed):
            do(bench.runtime.entrance("web-1", ENTER, terminal=False))

    def test_what_is_asked_of_an_unknown_instance_fails(self, bench: RuntimeBench) -> None:
        with pytest.raises(TargetFailed):
            do(bench.runtime.stop("nobody", grace=1))
        with pytest.raises(TargetFailed):
            do(bench.runtime.logs("nobody", lines=1))
