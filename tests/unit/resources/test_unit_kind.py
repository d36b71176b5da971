from __future__ import annotations

import pytest

from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Target
from vitrify.resources.unit import Unit
from vitrify.testing.memory_programs import MemorySystemctl
from vitrify.testing.memory_system import MemorySystem

UNIT = Unit()


def unit(name: str, **fields: JSON) -> Resource:
    wished: dict[str, JSON] = {"name": name, "sections": {"Service": {"ExecStart": "/bin/x"}}, **fields}
    return Resource(Address("unit", UNIT.identity(wished)), wished)


def change(resource: Resource, system: MemorySystem) -> Change:
    found = difference(resource, desired=UNIT.desired(resource), seen=UNIT.observe(resource, system))
    assert found is not None
    return found


def calls(system: MemorySystem) -> list[str]:
    return [act.subject for act in system.acts if act.verb == "run" and " show " not in act.subject]


def test_many_units_are_loaded_by_one_reload() -> None:
    system = MemorySystem(target=Target.HOST, programs={"systemctl": MemorySystemctl()})

    UNIT.enact_all([change(unit(name), system) for name in ("a", "b", "c@")], system)

    assert calls(system) == ["systemctl daemon-reload"]
    assert system.read("/etc/systemd/system/c@.service").endswith(b"ExecStart=/bin/x\n")


def test_all_units_are_asked_about_by_one_question_and_templates_not_at_all() -> None:
    system = MemorySystem(target=Target.HOST, programs={"systemctl": MemorySystemctl()})

    UNIT.observe_all([unit("a"), unit("a", drop_in="more"), unit("b@")], system)

    assert [act.subject for act in system.acts] == ["systemctl show --property=NeedDaemonReload a.service"]


def test_a_unit_that_runs_is_stopped_before_its_file_goes() -> None:
    systemctl = MemorySystemctl("a.service")
    system = MemorySystem(target=Target.HOST, programs={"systemctl": systemctl})
    UNIT.enact(change(unit("a"), system), system)

    UNIT.enact(change(unit("a").gone(), system), system)

    assert systemctl.running == {}


def test_a_unit_goes_on_when_only_its_drop_in_goes() -> None:
    systemctl = MemorySystemctl("a.service")
    system = MemorySystem(target=Target.HOST, programs={"systemctl": systemctl})
    UNIT.enact(change(unit("a", drop_in="more"), system), system)

    UNIT.enact(change(unit("a", drop_in="more").gone(), system), system)
    UNIT.settle(unit("a", drop_in="more"), system)

    assert set(systemctl.running) == {"a.service"}


def test_an_undone_unit_is_stopped_and_forgotten() -> None:
    systemctl = MemorySystemctl("a.service")
    system = MemorySystem(target=Target.HOST, programs={"systemctl": systemctl})

    UNIT.settle(unit("a"), system)

    assert systemctl.running == {}
    assert calls(system)[-1] == "systemctl daemon-reload"


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"sections": {}}, "expected a map of sections"),
        ({"sections": {"Service": "x"}}, "expected a map of settings"),
        ({"sections": {"Ser]vice": {}}}, "'Ser]vice' is not the name of a section"),
        ({"sections": {"Service": {"Exec Start": "x"}}}, "'Exec Start' is not the name of a setting"),
        ({"sections": {"Service": {"ExecStart": "a\nb"}}}, "a setting cannot hold control characters"),
        ({"sections": {"Service": {"ExecStart": [{}]}}}, "ExecStart is neither text, a number, true, false nor a list of these"),
        ({"drop_in": "limits.conf"}, "a drop-in is named without `.conf`"),
        ({"content": "x"}, "`content` cannot stand beside `sections`"),
        ({"vars": {}}, "`vars` has no meaning without `template`"),
    ],
)
def test_a_unit_that_could_not_be_read_is_refused(fields: dict[str, JSON], summary: str) -> None:
    problems = UNIT.schema.problems({"name": "a", "sections": {"Service": {}}, **fields})
    assert summary in [problem.summary for problem in problems]
