"""Debian's package manager as kinds ask for it: dpkg's files are read to look, apt's simulation foretells, one apt-get acts."""

from __future__ import annotations

from functools import partial
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import apt, dpkg, simulation
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.foresight import Foresight, words
from vitrify.core.packaging import (
    Due,
    Effect,
    Foreseen,
    Options,
    Package,
    Wanted,
    brought_along,
    by_options,
    hindrance,
    refuse_unnamed,
    refuse_without_root,
    run,
    with_ages,
)
from vitrify.core.system import System

_FILE = "/var/cache/apt/vitrify-{}.deb"
"""Where a package file lies that is brought along."""


class Apt:
    """apt-get, apt-cache, apt-mark and dpkg's own files."""

    name = "apt"

    def present(self, system: System) -> bool:
        """Whether there is an apt-get."""
        return system.stat(apt.PROGRAM) is not None

    def look(self, names: Sequence[str], system: System) -> Mapping[str, Package]:
        """One read of dpkg's database."""
        return dpkg.look(names, system)

    def versions(self, system: System) -> Mapping[str, str]:
        """One read of dpkg's database."""
        return dpkg.versions(system)

    def foresee(self, wanted: Sequence[Tuple[Wanted, Package]], system: System) -> Mapping[str, Foreseen]:
        """One simulation for what is to come, one for what is to go, one question about what these name."""
        why = hindrance(system) if wanted else ""
        if why:
            return {wish.name: Foreseen(problem=why) for wish, _ in wanted}
        found: Dict[str, Foreseen] = {}
        for removing in (False, True):
            due = [Due(wish, seen, Foreseen()) for wish, seen in wanted if wish.absent is removing and not wish.content]
            for group in by_options(due):
                found.update(Foresight(system, group, removing=removing).told())
        return with_ages(found, wanted, lambda age: apt.stale(age, system))

    def install(self, due: Sequence[Due], system: System) -> None:
        """One apt-get for all whose options agree."""
        refuse_without_root(system)
        apt.recover(system)
        if any(one.foreseen.stale for one in due):
            apt.update(system)
        for group in by_options(due):
            with brought_along(group, system, _FILE, partial(_refuse_other, system)) as files:
                _transact((*words(group, removing=False), *files), group, system)

    def remove(self, due: Sequence[Due], system: System) -> None:
        """One apt-get for all whose options agree; what only left the declaration stays as a dependency while others need it."""
        refuse_without_root(system)
        apt.recover(system)
        for group in by_options(due):
            going = self._not_needed(group, system)
            if going:
                _transact(words(going, removing=True), going, system)

    def _not_needed(self, group: Sequence[Due], system: System) -> Sequence[Due]:
        """Those of the group that may go: what the plan did not ask the simulation about goes only where nothing goes with it."""
        leaving = [one for one in group if not one.planned]
        names = [one.wanted.name for one in group]
        options = group[0].wanted.options
        if not leaving or not _foreign(apt.simulated(words(group, removing=True), options, system), names):
            return group
        needed = [one for one in leaving if _foreign(apt.simulated(words([one], removing=True), options, system), names)]
        for one in needed:
            self.mark(one.wanted.name, held=None, automatic=True, system=system)
        return [one for one in group if one not in needed]

    def back(self, effects: Sequence[Effect], system: System, *, allowed: Sequence[str], orphans: bool) -> None:
        """One apt-get; a dependency that somebody else needs by now stays."""
        refuse_without_root(system)
        apt.recover(system)
        mine = [*effects, *(_orphans(effects, system) if orphans else ())]
        named = [*(effect.name for effect in mine), *allowed]
        foreign = _foreign(apt.simulated(_back(mine), Options(), system), named)
        if foreign:
            mine = [effect for effect in mine if effect.action != "remove" or effect is effects[0]]
            foreign = _foreign(apt.simulated(_back(mine), Options(), system), named)
        if foreign:
            raise TargetFailed(
                f"{effects[0].name} cannot be taken back",
                why=f"that {foreign[0].told()}, which came later",
                hint="remove that first, or declare what is wanted instead",
            )
        apt.act(_back(mine), Options(), system)

    def mark(self, name: str, *, held: Optional[bool], automatic: Optional[bool], system: System) -> None:
        """By apt-mark."""
        verbs = [] if held is None else ["hold" if held else "unhold"]
        verbs += [] if automatic is None else ["auto" if automatic else "manual"]
        for verb in verbs:
            command = ("apt-mark", *apt.surroundings(system), verb, name)
            done = run(system, command, apt.QUIET)
            if done.code != 0:
                raise apt.failed(command, done)


def _refuse_other(system: System, wanted: Wanted, path: str) -> None:
    command = ("dpkg-deb", "--show", "--showformat=${Package} ${Version}", path)
    done = run(system, command)
    if done.code != 0:
        raise apt.failed(command[:1], done)
    name, _, version = done.stdout.strip().partition(" ")
    if name != simulation.bare(wanted.name) or not wanted.fits(version):
        raise TargetFailed(
            f"the package file for {wanted.name} is another one",
            why=f"it holds {name} {version}",
            hint=f"declare `name: {name}` and `version: {version}`, or take the right file as `source`",
        )


def _transact(argv: Sequence[str], group: Sequence[Due], system: System) -> None:
    """Simulate once more, refuse what the plan did not name, and do it."""
    options = group[0].wanted.options
    refuse_unnamed(apt.simulated(argv, options, system), group)
    apt.act(argv, options, system)


def _foreign(effects: Sequence[Effect], named: Sequence[str]) -> List[Effect]:
    return [effect for effect in effects if effect.action == "remove" and effect.name not in named]


def _orphans(effects: Sequence[Effect], system: System) -> List[Effect]:
    """The removals of dependencies that nobody needs once these effects are made, and that somebody needs now."""
    named = {effect.name for effect in effects}
    before = {effect.name for effect in apt.simulated(("autoremove",), Options(), system) if effect.action == "remove"}
    after = [effect for effect in apt.simulated(_back(effects), Options(autoremove=True), system) if effect.action == "remove"]
    return [Effect("remove", effect.name) for effect in after if effect.name not in named | before]


def _back(effects: Sequence[Effect]) -> Tuple[str, ...]:
    return ("install", *(f"{one.name}-" if one.action == "remove" else f"{one.name}={one.new}" for one in effects))
