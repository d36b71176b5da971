from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Attributes, Command, Completed, System, Target
from vitrify.testing.memory_system import Act, MemorySystem, Node


@pytest.fixture
def system() -> MemorySystem:
    made = MemorySystem()
    made.put("/etc", Node("directory", mode="0755"))
    return made


def test_it_is_a_system(system: MemorySystem) -> None:
    promised: System = system

    assert promised.target is Target.FOLDER
    assert promised.facts()["hostname"] == "memory"


def test_a_new_file_is_for_all_to_read_and_an_old_one_keeps_its_mode(system: MemorySystem) -> None:
    system.write("/etc/x", b"1", attributes=Attributes())
    system.set_attributes("/etc/x", Attributes(mode="0600", owner="daemon"))
    system.write("/etc/x", b"2", attributes=Attributes(group="adm"))

    assert system.tree()["/etc/x"] == Node("file", "0600", "daemon", "adm", b"2")


def test_nothing_is_created_without_its_folder(system: MemorySystem) -> None:
    with pytest.raises(TargetFailed, match="/srv is not a folder"):
        system.write("/srv/x", b"", attributes=Attributes())
    with pytest.raises(TargetFailed, match="/srv is not a folder"):
        system.make_directory("/srv/x", attributes=Attributes())
    with pytest.raises(TargetFailed, match="/srv is not a folder"):
        system.make_link("/srv/x", to="y")
    assert system.acts == []


def test_links_above_a_path_are_followed_within_the_target_alone(system: MemorySystem) -> None:
    system.make_link("/etc/out", to="../../../../etc")
    system.write("/etc/out/x", b"1", attributes=Attributes())

    assert system.read("/etc/x") == b"1"


def test_the_last_part_of_a_path_is_never_followed(system: MemorySystem) -> None:
    system.write("/etc/x", b"1", attributes=Attributes())
    system.make_link("/etc/y", to="x")

    with pytest.raises(TargetFailed, match="link"):
        system.read("/etc/y")
    system.write("/etc/y", b"2", attributes=Attributes())
    assert (system.read("/etc/x"), system.read("/etc/y")) == (b"1", b"2")


def test_links_in_a_circle_are_a_failure(system: MemorySystem) -> None:
    system.make_link("/etc/a", to="b")
    system.make_link("/etc/b", to="a")

    with pytest.raises(TargetFailed, match="circle"):
        system.stat("/etc/a/x")


def test_a_folder_that_is_not_empty_stays(system: MemorySystem) -> None:
    system.write("/etc/x", b"", attributes=Attributes())

    with pytest.raises(TargetFailed, match="not empty"):
        system.remove("/etc")
    system.remove("/etc/nothing")


def test_it_fails_where_it_is_told_to_and_changes_nothing(system: MemorySystem) -> None:
    before = system.tree()
    system.fail_at("/etc/x", "the disk is full")

    with pytest.raises(TargetFailed, match="the disk is full"):
        system.write("/etc/x", b"", attributes=Attributes())
    assert system.tree() == before


def test_a_refused_content_never_gets_into_place() -> None:
    refusing = MemorySystem(programs={"check": lambda _system, _command: Completed(1, "", "syntax error\n")})

    with pytest.raises(TargetFailed, match="syntax error"):
        refusing.write("/x", b"", attributes=Attributes(), validate=["check", "%s"])
    assert set(refusing.tree()) == {"/"}


def test_every_act_is_remembered_in_order(system: MemorySystem) -> None:
    system.write("/etc/x", b"", attributes=Attributes())
    system.remove("/etc/x")
    with pytest.raises(TargetFailed, match="no such program"):
        system.run(Command(("nothing", "here")))

    assert system.acts == [Act("write", "/etc/x"), Act("remove", "/etc/x"), Act("run", "nothing here")]


def test_a_content_is_had_by_the_digest_it_was_supplied_under(system: MemorySystem) -> None:
    digest = system.supply(b"x", secret=True)
    system.write("/etc/x", system.blob(digest), attributes=Attributes())

    assert system.digest("/etc/x", keyed=True) == digest
    with pytest.raises(TargetFailed, match="nobody has"):
        system.blob("sha256:0")
