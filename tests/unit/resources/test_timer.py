from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Completed, Target
from vitrify.resources.timer import Timer
from vitrify.testing.memory_programs import MemorySystemctl
from vitrify.testing.memory_system import MemorySystem

TIMER = Timer()
FIELDS: dict[str, JSON] = {"name": "poll", "command": ["/usr/bin/poll"], "on_calendar": ["daily"]}
POLL = Resource(Address("timer", "poll"), FIELDS)


def host(systemctl: MemorySystemctl, *, understands: bool = True) -> MemorySystem:
    answer = Completed(0, "", "") if understands else Completed(1, "", "Failed to parse calendar specification 'daily'\n")
    return MemorySystem(target=Target.HOST, programs={"systemctl": systemctl, "systemd-analyze": lambda _system, _command: answer})


def change(resource: Resource, system: MemorySystem) -> Change | None:
    return difference(resource, desired=TIMER.desired(resource), seen=TIMER.observe(resource, system))


def converge(resource: Resource, system: MemorySystem) -> None:
    made = change(resource, system)
    assert made is not None
    TIMER.enact(made, system)
    assert change(resource, system) is None


def test_a_timer_waits_and_its_program_is_not_run_before_its_time() -> None:
    systemctl = MemorySystemctl()
    converge(POLL, host(systemctl))
    assert set(systemctl.running) == {"poll.timer"}


def test_a_timer_that_was_stopped_waits_again() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(POLL, system)
    systemctl.running.clear()
    made = change(POLL, system)
    assert made is not None

    assert TIMER.because(made) == ("does not wait",)
    converge(POLL, system)


def test_a_time_that_systemd_does_not_understand_is_refused_before_anything_is_written() -> None:
    system = host(MemorySystemctl(), understands=False)
    made = change(POLL, system)
    assert made is not None

    with pytest.raises(TargetFailed, match="a time that systemd does not understand"):
        TIMER.enact(made, system)

    assert not [path for path in system.tree() if path.endswith((".timer", ".service"))]


def test_a_timer_that_goes_waits_no_more() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(POLL, system)

    converge(POLL.gone(), system)

    assert systemctl.running == {}


def test_an_undone_timer_waits_by_its_former_units_or_not_at_all() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(POLL, system)

    TIMER.settle(POLL, system)
    former = set(systemctl.running)
    del system.nodes["/etc/systemd/system/poll.timer"]
    TIMER.settle(POLL, system)

    assert former == {"poll.timer"}
    assert systemctl.running == {}


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"name": "poll.timer"}, "a timer is named without a suffix and without @"),
        ({"command": ["poll"]}, "'poll' is not a program's absolute path"),
        ({"env": {"A B": "x"}}, "'A B' is not the name of a variable"),
        ({"on_calendar": ["daily\nExecStart=/bin/x"]}, "a time cannot hold a line break"),
        ({"delay": "1min\nx"}, "a time cannot hold a line break"),
        ({"workdir": "/a\\"}, "a working folder cannot hold backslashes or spaces at its ends"),
    ],
)
def test_a_timer_that_could_not_run_is_refused(fields: dict[str, JSON], summary: str) -> None:
    problems = TIMER.schema.problems({**FIELDS, **fields})
    assert summary in [problem.summary for problem in problems]


def test_only_a_time_of_the_calendar_can_be_made_up_for() -> None:
    (problem,) = TIMER.schema.problems({"name": "poll", "command": ["/x"], "on_boot": "1min", "persistent": True})
    assert problem.path == ("persistent",)
