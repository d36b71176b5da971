from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Command as Program
from vitrify.core.system import Completed, Target
from vitrify.core.unit import environment_file
from vitrify.resources.command import Command
from vitrify.testing.memory_programs import programs
from vitrify.testing.memory_system import Act, MemorySystem, Node

COMMAND = Command()


def command(**fields: JSON) -> Resource:
    return Resource(Address("command", COMMAND.identity(fields)), fields)


def due(resource: Resource, system: MemorySystem) -> Change:
    change = difference(resource, desired=COMMAND.desired(resource), seen=COMMAND.observe(resource, system))
    assert change is not None
    return change


def test_a_failure_tells_the_last_lines_that_the_program_wrote() -> None:
    def fail(_system: MemorySystem, _command: Program) -> Completed:
        return Completed(3, "", "\n".join(f"line {number}" for number in range(20)) + "\n")

    system = MemorySystem(programs={"build": fail})
    resource = command(run=["build", "all of it"], always=True)

    with pytest.raises(TargetFailed) as caught:
        COMMAND.enact(due(resource, system), system)

    assert str(caught.value).startswith("build 'all of it' ended with 3")
    assert "line 19" in str(caught.value)
    assert "line 11" not in str(caught.value)


def test_a_program_that_says_nothing_fails_in_words_all_the_same() -> None:
    system = MemorySystem(programs=programs())

    with pytest.raises(TargetFailed, match="it said nothing"):
        COMMAND.enact(due(command(run=["false"], always=True), system), system)


def test_what_an_earlier_change_did_already_is_not_done_again() -> None:
    system = MemorySystem(programs=programs())
    change = due(command(run=["touch", "/made"], creates="/made"), system)
    system.put("/made", Node("file"))

    COMMAND.enact(change, system)

    assert system.acts == []


def test_it_runs_where_and_as_whom_it_was_asked_to() -> None:
    seen: list[Program] = []

    def note(_system: MemorySystem, program: Program) -> Completed:
        seen.append(program)
        return Completed(0, "", "")

    system = MemorySystem(programs={"make": note})

    COMMAND.enact(due(command(run=["make"], always=True, cwd="/srv", user="www-data"), system), system)

    assert seen == [Program(("make",), cwd="/srv", user="www-data")]


def test_it_gets_what_it_was_declared_to_read_and_to_be_told() -> None:
    seen: list[Program] = []

    def note(_system: MemorySystem, program: Program) -> Completed:
        seen.append(program)
        return Completed(0, "", "")

    system = MemorySystem(programs={"make": note})
    told: dict[str, JSON] = {"stdin": system.supply(b"yes\n", secret=True)}
    told["environment_file"] = system.supply(environment_file({"TOKEN": 'a "b" $c\nd'}).encode(), secret=True)
    env: dict[str, JSON] = {"TOKEN": "secret:token", "LEVEL": "3"}

    COMMAND.enact(due(command(run=["make"], always=True, timeout=5, umask="0077", env=env, **told), system), system)

    environment = {"LEVEL": "3", "TOKEN": 'a "b" $c\nd'}
    assert seen == [Program(("make",), environment=environment, timeout=5.0, umask="0077", stdin=b"yes\n")]


def test_what_it_was_told_in_confidence_is_not_repeated_when_it_fails() -> None:
    def fail(_system: MemorySystem, program: Program) -> Completed:
        return Completed(1, "", f"no such user: {program.stdin.decode()} {program.environment['TOKEN']}")

    system = MemorySystem(programs={"make": fail})
    told: dict[str, JSON] = {
        "stdin": system.supply(b"hunter2\n"),
        "environment_file": system.supply(environment_file({"TOKEN": "t0k"}).encode()),
    }

    with pytest.raises(TargetFailed) as caught:
        COMMAND.enact(due(command(run=["make"], always=True, **told), system), system)

    assert "no such user: …" in str(caught.value)
    assert not {"hunter2", "t0k"} & set(str(caught.value).split())


def test_a_secret_cannot_be_had_while_an_image_is_baked() -> None:
    system = MemorySystem(target=Target.IMAGE, programs=programs())

    with pytest.raises(TargetFailed, match="the secret TOKEN cannot be had"):
        COMMAND.enact(due(command(run=["true"], always=True, env={"TOKEN": "secret:token"}), system), system)


def test_of_several_conditions_all_must_hold() -> None:
    system = MemorySystem(programs=programs())
    resource = command(run=["touch", "/made"], creates="/made", removes="/flag", onlyif=["true"])

    assert COMMAND.observe(resource, system).properties["due"] is False
    system.put("/flag", Node("file"))
    assert COMMAND.observe(resource, system).properties["due"] is True
    assert due(resource, system).resource == resource
    assert COMMAND.because(due(resource, system)) == ("/made is missing", "/flag is there", "`true` succeeds")


def test_a_command_that_leaves_what_it_should_remove_has_failed() -> None:
    system = MemorySystem(programs=programs())
    system.put("/flag", Node("file"))

    with pytest.raises(TargetFailed, match="succeeded but did not remove /flag"):
        COMMAND.enact(due(command(run=["true"], removes="/flag"), system), system)


def test_a_plan_runs_the_guard_and_nothing_else() -> None:
    system = MemorySystem(programs=programs())

    due(command(run=["touch", "/made"], unless=["false"]), system)

    assert system.acts == [Act("run", "false")]


def test_a_command_is_called_what_a_person_would_type_or_by_its_name() -> None:
    assert COMMAND.identity({"run": ["echo", "a b", ""]}) == "echo 'a b' ''"
    assert COMMAND.identity({"run": ["echo"], "name": "greeting"}) == "greeting"


@pytest.mark.parametrize(
    ("fields", "summary", "hint"),
    [
        ({"run": "apt-get update", "always": True}, "expected a list, not text", 'write ["apt-get", "update"]'),
        (
            {"run": "a && b", "always": True},
            "expected a list, not text",
            'there is no shell; to ask for one, write ["/bin/sh", "-c", "a && b"]',
        ),
        ({"run": ["a"]}, "one of `creates`, `removes`, `unless`, `onlyif`, `always` is needed", ""),
        ({"run": ["a"], "always": True, "creates": "/x"}, "`always` cannot stand beside `creates`", ""),
        ({"run": ["a"], "always": False}, "`always: false` says nothing", "say `creates`, `removes`, `unless` or `onlyif`"),
        ({"run": [""], "always": True}, "the program has no name", ""),
        ({"run": ["a"], "always": True, "timeout": 0}, "0 seconds is no time at all", ""),
        ({"run": ["a"], "always": True, "env": {"A B": "c"}}, "'A B' is not the name of a variable", ""),
        ({"run": [], "always": True}, "the list is empty", ""),
        ({"run": ["a"], "always": True, "name": ""}, "the name is empty", ""),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(fields: dict[str, JSON], summary: str, hint: str) -> None:
    assert [(problem.summary, problem.hint) for problem in COMMAND.schema.problems(fields)] == [(summary, hint)]


def test_a_command_cannot_be_absent() -> None:
    (problem,) = COMMAND.schema.problems({"run": ["a"], "always": True}, absent=True)

    assert problem.summary == "this kind cannot be absent"
