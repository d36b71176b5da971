from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON, keyed_digest
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Completed, Target
from vitrify.resources.process import Process, image_process, unit_text
from vitrify.testing.kind_fixtures import KEY
from vitrify.testing.memory_programs import MemorySystemctl
from vitrify.testing.memory_system import MemorySystem, Node

PROCESS = Process()
UNIT = "/etc/systemd/system/web.service"


def process(**fields: JSON) -> Resource:
    return Resource(Address("process", "web"), {"name": "web", "command": ["/usr/bin/web", "--fast"], **fields})


def host(systemctl: MemorySystemctl) -> MemorySystem:
    return MemorySystem(target=Target.HOST, key=KEY, programs={"systemctl": systemctl})


def change(resource: Resource, system: MemorySystem) -> Change | None:
    return difference(resource, desired=PROCESS.desired(resource), seen=PROCESS.observe(resource, system))


def converge(resource: Resource, system: MemorySystem) -> None:
    made = change(resource, system)
    assert made is not None
    PROCESS.enact(made, system)


def calls(system: MemorySystem) -> list[str]:
    return [act.subject for act in system.acts if act.verb == "run" and " show " not in act.subject]


def test_a_process_is_started_and_then_left_in_peace() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)

    converge(process(), system)

    assert set(systemctl.running) == {"web.service"}
    assert calls(system) == ["systemctl daemon-reload", "systemctl restart web.service"]
    assert change(process(), system) is None


def test_a_changed_unit_is_loaded_before_the_restart() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(process(), system)

    converge(process(env={"COLOUR": "blue"}), system)

    assert systemctl.running["web.service"] == system.digest(UNIT, keyed=False)


def test_a_process_that_merely_stopped_is_started_and_not_restarted() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(process(), system)
    systemctl.running.clear()
    system.acts.clear()

    converge(process(), system)

    assert calls(system) == ["systemctl daemon-reload", "systemctl start web.service"]


def test_a_process_that_was_opened_up_is_shut_without_a_restart() -> None:
    system = host(MemorySystemctl())
    converge(process(), system)
    system.nodes[UNIT] = Node("file", mode="0666", content=system.read(UNIT))
    system.acts.clear()

    converge(process(), system)

    assert calls(system) == ["systemctl daemon-reload", "systemctl start web.service"]


@pytest.mark.parametrize("verb", ["daemon-reload", "restart"])
def test_a_restart_that_was_cut_short_is_still_owed(verb: str) -> None:
    systemctl, failing = MemorySystemctl(), [verb]
    system = MemorySystem(
        target=Target.HOST,
        programs={
            "systemctl": lambda where, command: Completed(1, "", "no\n") if command.argv[1] in failing else systemctl(where, command)
        },
    )
    with pytest.raises(TargetFailed, match=verb):
        converge(process(), system)
    failing.clear()
    owed = change(process(), system)

    assert owed is not None
    assert PROCESS.because(owed) == ("owes a restart",)
    PROCESS.enact(owed, system)
    assert set(systemctl.running) == {"web.service"}
    assert change(process(), system) is None


def test_a_service_between_two_crashes_does_not_run() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(process(), system)
    answer = Completed(0, "ActiveState=activating\nSubState=auto-restart\n", "")
    crashing = MemorySystem(target=Target.HOST, programs={"systemctl": lambda _system, _command: answer})
    crashing.nodes.update(system.nodes)

    made = change(process(), crashing)

    assert made is not None
    assert PROCESS.because(made) == ("does not run",)


def test_what_is_absent_is_stopped_before_its_unit_goes() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(process(), system)

    converge(process().gone(), system)

    assert systemctl.running == {}
    assert system.stat(UNIT) is None
    assert change(process().gone(), system) is None


def test_a_service_that_runs_without_its_unit_is_stopped_too() -> None:
    systemctl = MemorySystemctl()
    systemctl.running["web.service"] = ""

    converge(process().gone(), host(systemctl))

    assert systemctl.running == {}


def test_an_undone_process_runs_what_its_unit_says_or_nothing() -> None:
    systemctl = MemorySystemctl()
    system = host(systemctl)
    converge(process(), system)
    system.nodes[UNIT] = Node("file", content=b"the unit of before")

    PROCESS.settle(process(), system)
    assert systemctl.running["web.service"] == system.digest(UNIT, keyed=False)

    del system.nodes[UNIT]
    PROCESS.settle(process(), system)
    assert systemctl.running == {}


def test_a_folder_only_gets_files() -> None:
    system = MemorySystem(target=Target.FOLDER, programs={"systemctl": MemorySystemctl()})

    converge(process(), system)
    PROCESS.settle(process(), system)

    assert calls(system) == []


def test_a_failing_start_says_where_to_read_on() -> None:
    system = MemorySystem(target=Target.HOST, programs={"systemctl": lambda _system, _command: Completed(1, "", "Job failed.\n")})

    with pytest.raises(TargetFailed) as caught:
        converge(process(), system)

    assert "Job failed." in str(caught.value)


def test_a_rotated_secret_restarts_the_process() -> None:
    system = host(MemorySystemctl())
    env: JSON = {"TOKEN": "secret:token"}
    converge(process(env=env, environment_file=system.supply(b'TOKEN="one"\n', secret=True)), system)
    system.acts.clear()

    converge(process(env=env, environment_file=system.supply(b'TOKEN="two"\n', secret=True)), system)

    assert "systemctl restart web.service" in calls(system)
    assert system.read("/etc/vitrify/env/web.env") == b'TOKEN="two"\n'
    assert "one" not in unit_text(process(env=env))


def test_everything_that_a_process_writes_is_affected_and_what_is_its_own_is_owned() -> None:
    secret = keyed_digest(b"x", key=KEY)
    made = difference(process(), desired=PROCESS.desired(process()), seen=PROCESS.observe(process(), MemorySystem()))
    assert made is not None

    assert PROCESS.affected(made) == (
        "/etc",
        "/etc/systemd",
        "/etc/systemd/system",
        "/etc/systemd/system/multi-user.target.wants",
        UNIT,
        "/etc/systemd/system/multi-user.target.wants/web.service",
    )
    assert PROCESS.owned_paths(process(environment_file=secret)) == (
        UNIT,
        "/etc/systemd/system/multi-user.target.wants/web.service",
        "/etc/vitrify/env/web.env",
    )


def test_an_image_learns_what_to_run_and_no_secret() -> None:
    resource = process(workdir="/srv", user="www-data", port=8000, env={"TOKEN": "secret:token", "BIND": "0.0.0.0:${instance.port}"})

    assert image_process(resource) == {
        "argv": ["/usr/bin/web", "--fast"],
        "workdir": "/srv",
        "user": "www-data",
        "port": 8000,
        "env": {"TOKEN": "secret:token", "BIND": "0.0.0.0:${instance.port}"},
    }


def test_an_image_leaves_port_and_place_open_where_nothing_is_declared() -> None:
    assert image_process(process()) == {"argv": ["/usr/bin/web", "--fast"], "workdir": "/", "user": "", "port": None, "env": {}}


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"command": "web --fast"}, "expected a list, not text"),
        ({"command": ["web"]}, "'web' is not a program's absolute path"),
        ({"command": ["/usr/bin/we b"]}, "'/usr/bin/we b' is not a program's absolute path"),
        ({"command": ["/usr/bin/web", "$PORT"], "port": 1}, "$PORT is not replaced where there is no shell"),
        ({"command": ["/usr/bin/web", "a\nb"]}, "a command cannot hold control characters"),
        ({"command": ["/usr/bin/web", "${instance.port}"]}, "${instance.port} is used, but there is no `port`"),
        ({"port": 0}, "0 is not a port"),
        ({"port": 65536}, "65536 is not a port"),
        ({"port": True}, "expected a whole number, not true"),
        ({"env": {"A B": "x"}}, "'A B' is not the name of a variable"),
        ({"env": {"A": "x\ny"}}, "a variable cannot hold control characters"),
        ({"env": {"A": 1}}, "expected text, not a number"),
        ({"workdir": "/a\\"}, "a working folder cannot hold backslashes or spaces at its ends"),
        ({"name": "web.service"}, "a process is named without `.service`"),
        ({"name": "web@"}, "the name of a process cannot hold @"),
        ({"environment_file": "x"}, "there is no field `environment_file`"),
    ],
)
def test_a_process_that_could_not_run_is_refused(fields: dict[str, JSON], summary: str) -> None:
    problems = PROCESS.schema.problems({"name": "web", "command": ["/usr/bin/web"], **fields})

    assert summary in [problem.summary for problem in problems]


def test_a_process_needs_a_command_unless_it_is_absent() -> None:
    assert [problem.summary for problem in PROCESS.schema.problems({"name": "web"})] == ["the field `command` is missing"]
    assert PROCESS.schema.problems({"name": "web"}, absent=True) == []
