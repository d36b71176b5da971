"""Rights and limits: what is refused before it can lock anybody out."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Command, Completed
from vitrify.resources.limits import Limits
from vitrify.resources.sudoers import Sudoers
from vitrify.testing.memory_system import MemorySystem, Node

SUDOERS, LIMITS = Sudoers(), Limits()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a.b", "content": "x"}, "passes over files"),
        ({"name": "a", "commands": ["ALL"]}, "are needed together"),
        ({"name": "a", "user": "x", "group": "y", "commands": ["ALL"]}, "cannot stand beside"),
        ({"name": "a", "user": "x", "commands": ["systemctl"]}, "is not a program's absolute path"),
        ({"name": "a", "user": "x", "commands": ["/bin/a\nx ALL=(ALL) ALL"]}, "is not a program's absolute path"),
        ({"name": "a", "user": "x", "commands": ["ALL"], "run_as": "root) NOPASSWD: ALL"}, "is nobody"),
        ({"name": "a", "content": "x", "nopassword": True}, "cannot stand beside `content`"),
        ({"name": "a"}, "is needed"),
    ],
)
def test_rights_that_nobody_meant_are_refused(fields: dict[str, JSON], said: str) -> None:
    assert [problem for problem in SUDOERS.schema.problems(fields) if said in problem.summary]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a", "domain": "a b", "soft": {"core": "0"}}, "is nobody"),
        ({"name": "a", "soft": {"nofiles": "1"}}, "there is no limit `nofiles`"),
        ({"name": "a", "hard": {"nofile": "many"}}, "is not a limit"),
        ({"name": "a", "both": {"core": "0"}, "soft": {"core": "1"}}, "is told twice"),
    ],
)
def test_limits_that_pam_would_pass_over_are_refused(fields: dict[str, JSON], said: str) -> None:
    assert [problem for problem in LIMITS.schema.problems(fields) if said in problem.summary]


def test_what_visudo_refuses_is_never_put_in_place() -> None:
    def visudo(_: MemorySystem, __: Command) -> Completed:
        return Completed(1, "", "syntax error near line 1")

    system = MemorySystem(programs={"/usr/sbin/visudo": visudo})
    system.put("/usr/sbin/visudo", Node("file", mode="0755"))
    resource = Resource(Address("sudoers", "a"), {"name": "a", "content": "nonsense"})
    change = difference(resource, desired=SUDOERS.desired(resource), seen=SUDOERS.observe(resource, system))
    assert change

    with pytest.raises(TargetFailed) as failed:
        SUDOERS.enact(change, system)

    assert "syntax error near line 1" in str(failed.value)
    assert system.stat("/etc/sudoers.d/a") is None
