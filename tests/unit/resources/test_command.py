from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Command as Program
from vitrify.core.system import Completed
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
        ({"run": ["a"]}, "one of `creates`, `unless`, `onlyif`, `always` is needed", ""),
        ({"run": ["a"], "always": True, "creates": "/x"}, "`always` cannot stand beside `creates`", ""),
        ({"run": ["a"], "always": False}, "`always: false` says nothing", "say `creates`, `unless` or `onlyif`"),
        ({"run": [""], "always": True}, "the program has no name", ""),
        ({"run": [], "always": True}, "the list is empty", ""),
        ({"run": ["a"], "always": True, "name": ""}, "the name is empty", ""),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(fields: dict[str, JSON], summary: str, hint: str) -> None:
    assert [(problem.summary, problem.hint) for problem in COMMAND.schema.problems(fields)] == [(summary, hint)]


def test_a_command_cannot_be_absent() -> None:
    (problem,) = COMMAND.schema.problems({"run": ["a"], "always": True}, absent=True)

    assert problem.summary == "this kind cannot be absent"
