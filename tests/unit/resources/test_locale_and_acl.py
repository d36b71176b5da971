"""Locales and access lists: what is refused, what is generated, what is asked once, and what is taken back."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change, difference
from vitrify.core.digest import JSON
from vitrify.core.order import order
from vitrify.core.resource import Address, Resource
from vitrify.core.system import Command, Completed
from vitrify.resources.acl import Acl
from vitrify.resources.locale import ARCHIVE, GENERATOR, LIST, Locale, taken_up
from vitrify.resources.registry import all_kinds
from vitrify.testing.memory_programs import MemoryAcl
from vitrify.testing.memory_system import MemorySystem, Node

KINDS = all_kinds()
LOCALE, ACL = Locale(), Acl()


def wished(kind: str, **fields: JSON) -> Resource:
    return Resource(Address(kind, KINDS[kind].identity(fields)), fields)


def change_of(resource: Resource, system: MemorySystem) -> Change:
    kind = KINDS[resource.address.kind]
    change = difference(resource, desired=kind.desired(resource), seen=kind.observe(resource, system))
    assert change
    return change


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("locale", {"lang": "de_DE UTF-8"}, "is not a locale"),
        ("locale", {"lang": "C.UTF-8", "variables": {"PATH": "/tmp"}}, "is no variable of locales"),
        ("locale", {"lang": "C.UTF-8", "variables": {"LC_TIME": "x\nPATH=y"}}, "is not a locale"),
        ("acl", {"path": "/srv", "entries": ["ada:rwx"]}, "is not an entry"),
        ("acl", {"path": "/srv", "entries": ["user::rwx"]}, "is not an entry"),
        ("acl", {"path": "/srv", "entries": ["user:ada:rw"]}, "is not an entry"),
        ("acl", {"path": "/srv", "entries": ["user:ada:rwx", "user:ada:r--"]}, "is told twice"),
    ],
)
def test_what_has_no_such_form_is_refused(kind: str, fields: dict[str, JSON], said: str) -> None:
    assert [problem for problem in KINDS[kind].schema.problems(fields) if said in problem.summary]


def test_a_locale_is_taken_up_in_its_own_line_of_the_list() -> None:
    text = "# This file lists locales.\n#\n# de_DE ISO-8859-1\n# de_DE.UTF-8 UTF-8\n# de_DE@euro ISO-8859-15\nen_US.UTF-8 UTF-8\n"

    found = taken_up(text, ["de_DE.UTF-8", "de_DE@euro", "en_US.UTF-8", "xx_XX.UTF-8"])

    expected = text.replace("# de_DE.UTF-8", "de_DE.UTF-8").replace("# de_DE@euro", "de_DE@euro")
    assert found == f"{expected}xx_XX.UTF-8 UTF-8\n"


def debian(*, makes: bytes) -> MemorySystem:
    def locale_gen(system: MemorySystem, _: Command) -> Completed:
        system.put(ARCHIVE, Node("file", content=makes))
        return Completed(0, "Generation complete.", "")

    system = MemorySystem(programs={GENERATOR: locale_gen})
    system.put("/etc/debian_version", Node("file"))
    system.put(LIST, Node("file", content=b"# de_DE.UTF-8 UTF-8\n"))
    system.put(GENERATOR, Node("file", mode="0755"))
    return system


def test_a_locale_that_is_missing_is_generated_before_it_is_named() -> None:
    system, resource = debian(makes=b"\0de_DE.utf8\0"), wished("locale", lang="de_DE.UTF-8")

    LOCALE.enact(change_of(resource, system), system)

    assert system.read(LIST) == b"de_DE.UTF-8 UTF-8\n"
    assert difference(resource, desired=LOCALE.desired(resource), seen=LOCALE.observe(resource, system)) is None


def test_a_locale_that_is_not_made_is_a_failure_and_is_not_named() -> None:
    system, resource = debian(makes=b"\0"), wished("locale", lang="de_DE.UTF-8")

    with pytest.raises(TargetFailed, match="was not generated"):
        LOCALE.enact(change_of(resource, system), system)

    assert system.stat("/etc/default/locale") is None


def test_all_access_lists_are_asked_for_at_once() -> None:
    system = MemorySystem(programs=MemoryAcl().programs())
    resources = [wished("acl", path=f"/srv/{number}", entries=["user:ada:r--"]) for number in range(20)]
    for resource in resources:
        system.put(str(resource.fields["path"]), Node("directory"))

    ACL.observe_all(resources, system)

    assert [act.subject.split()[0] for act in system.acts] == ["getfacl"]


def test_rights_are_taken_back_as_they_were() -> None:
    lists = MemoryAcl()
    system = MemorySystem(programs=lists.programs())
    system.put("/srv", Node("directory"))
    lists.entries["/srv"] = {"user:ada": "r--", "user:eve": "rwx"}
    change = change_of(wished("acl", path="/srv", entries=["user:ada:rwx", "group:ops:r-x"]), system)
    inverse = ACL.inverse(change)
    assert inverse

    ACL.enact(change, system)
    given = dict(lists.entries["/srv"])
    ACL.enact(inverse, system)

    assert given == {"user:ada": "rwx", "user:eve": "rwx", "group:ops": "r-x"}
    assert lists.entries["/srv"] == {"user:ada": "r--", "user:eve": "rwx"}


def test_rights_come_after_the_path_and_the_people_that_they_are_about() -> None:
    rights = wished("acl", path="/srv/app", entries=["user:ada:rwx", "group:ops:r-x"])
    others = [wished("group", name="ops"), wished("user", name="ada"), wished("directory", path="/srv/app")]

    ordered = order([rights, *others], kinds=KINDS).resources

    assert [one.address.kind for one in ordered] == ["group", "user", "directory", "acl"]
