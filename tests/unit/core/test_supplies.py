"""What apt is told while an image installs from the lock, and while what goes into the lock is chosen."""

from __future__ import annotations

import pytest

from vitrify.core import apt, supplies
from vitrify.core.diagnostic import DeclarationInvalid, TargetFailed
from vitrify.core.packaging import Effect, Options
from vitrify.core.simulation import Step
from vitrify.core.system import Command, Completed, Stat, Target
from vitrify.testing.memory_system import MemorySystem, Node


def whole_map(_system: MemorySystem, _command: Command) -> Completed:
    """All user ids: packages can be installed."""
    return Completed(0, "0 0 4294967295\n", "")


class Asked:
    """An apt-get that notes what it was told, and answers with what a test wants."""

    def __init__(self, *answers: Completed) -> None:
        self.told: list[tuple[str, ...]] = []
        self.answers = list(answers)

    def __call__(self, _system: MemorySystem, command: Command) -> Completed:
        """Note it."""
        self.told.append(command.argv)
        return self.answers.pop(0) if self.answers else Completed(0, "", "")


def an_image(asked: Asked, *marks: str) -> MemorySystem:
    system = MemorySystem(target=Target.IMAGE, programs={apt.PROGRAM: asked, "cat": whole_map})
    system.put(apt.PROGRAM, Node("file"))
    for path in ("/usr/sbin/x", *marks):
        system.put(path, Node("file"))
    return system


def test_a_bake_from_the_lock_sees_no_other_source_and_renews_nothing() -> None:
    asked = Asked()
    system = an_image(asked, supplies.SOURCES)

    apt.update(system)
    apt.simulate(("install", "curl"), Options(release="backports"), system)

    (words,) = asked.told
    assert f"Dir::Etc::SourceList={supplies.SOURCES}" in words
    assert {"Dir::Etc::SourceParts=/dev/null", f"Dir::State::Lists={supplies.LISTS}"} <= set(words)
    assert "--target-release" not in words
    assert not apt.stale(60, system)


def test_what_the_lock_does_not_hold_is_a_matter_of_the_declaration() -> None:
    refused = Completed(100, "", "E: Unable to locate package jq\n")

    with pytest.raises(DeclarationInvalid, match="does not hold what this needs: jq"):
        apt.simulated(("install", "jq"), Options(), an_image(Asked(refused), supplies.SOURCES))


def test_while_choosing_each_file_is_fetched_and_noted_before_it_is_installed() -> None:
    simulated = Completed(0, "Inst libfoo (1.0 Debian:12/stable [amd64])\nInst foo (2.0 Debian-Security:12/stable-security [amd64])\n", "")
    asked = Asked(simulated)
    system = an_image(asked, supplies.CHOSEN)

    apt.act(("install", "foo"), Options(), system)

    assert [words[-3:] for words in asked.told][1] == ("download", "libfoo=1.0", "foo=2.0")
    assert supplies.chosen(system)[1] == ("foo", "2.0", "Debian-Security:12/stable-security")
    assert f"Dir::Cache::Archives={supplies.DEBS}/" in asked.told[2]


def test_a_package_file_of_the_project_is_not_chosen_by_anybody() -> None:
    system = an_image(Asked(Completed(0, "Inst own (1.0 local-deb [all])\n", "")), supplies.CHOSEN)

    apt.act(("install", "/var/cache/apt/own.deb"), Options(), system)

    assert supplies.chosen(system) == []
    supplies.note([Step(Effect("install", "foo", new="1"), "Debian:12/stable")], system)
    assert supplies.chosen(system) == [("foo", "1", "Debian:12/stable")]


def test_a_live_host_knows_nothing_of_a_lock() -> None:
    system = MemorySystem(target=Target.HOST)
    system.put(supplies.SOURCES, Node("file"))
    assert supplies.apt_options(system) == ()


class Closed(MemorySystem):
    """An image over a running system whose memory of vitrify is root's alone."""

    def stat(self, path: str) -> Stat | None:
        """Nobody may look below it."""
        if path.startswith("/var/lib/vitrify/"):
            raise TargetFailed(f"{path} cannot be looked at", why="Permission denied")
        return super().stat(path)


def test_a_base_that_root_keeps_with_vitrify_is_neither_pinned_nor_chosen_from_to_whoever_may_not_look() -> None:
    system = Closed(target=Target.IMAGE)

    assert (supplies.pinned(system), supplies.choosing(system)) == (False, False)
