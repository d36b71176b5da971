"""dnf as kinds ask for it: rpm is asked to look, dnf's simulation foretells, one dnf acts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import dnf, rpmdb
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.dnfforesight import Foresight, held, spec, words
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
from vitrify.core.system import System, Target
from vitrify.core.transaction import Step

DEBIAN = "/var/lib/dpkg/status"
_NO_RELEASE = "`default_release` is a notion of apt: dnf takes a version from whichever enabled repository has it"

_FILE = "/var/cache/vitrify-{}.rpm"
"""Where a package file lies that is brought along."""


class Dnf:
    """dnf 4, its plugin versionlock where something is held, and rpm."""

    name = "dnf"

    def present(self, system: System) -> bool:
        """Whether rpm owns this system and dnf is version 4; a Debian that merely has dnf is apt's. No image is baked with it."""
        program = system.stat(dnf.PROGRAM)
        if program is None or program.link.endswith("dnf5") or system.target is Target.IMAGE:
            return False
        dpkg = system.stat(DEBIAN)
        return dpkg is None or dpkg.size == 0

    def look(self, names: Sequence[str], system: System) -> Mapping[str, Package]:
        """One question to rpm; of what is there, one to dnf whether it came for its own sake."""
        seen = rpmdb.look(names, frozenset(), system)
        there = [name for name, one in seen.items() if one.version]
        automatic = dnf.automatic(there, system) if there else frozenset()
        return {name: replace(one, automatic=name.partition(":")[0] in automatic) if one.version else one for name, one in seen.items()}

    def versions(self, system: System) -> Mapping[str, str]:
        """All that rpm has."""
        return rpmdb.versions(system)

    def foresee(self, wanted: Sequence[Tuple[Wanted, Package]], system: System) -> Mapping[str, Foreseen]:
        """One simulation for what is to come, one for what is to go, two questions about what these name."""
        why = hindrance(system) if wanted else ""
        if why:
            return {wish.name: Foreseen(problem=why) for wish, _ in wanted}
        found: Dict[str, Foreseen] = {wish.name: Foreseen(problem=_NO_RELEASE) for wish, _ in wanted if wish.options.release}
        for removing in (False, True):
            due = [Due(wish, seen, Foreseen()) for wish, seen in wanted if wish.absent is removing and not wish.content]
            for group in by_options([one for one in due if one.wanted.name not in found]):
                found.update(Foresight(system, group, removing=removing).told())
        return with_ages(found, wanted, lambda age: dnf.stale(age, system))

    def install(self, due: Sequence[Due], system: System) -> None:
        """One dnf for all whose options agree; what was held is held in its new version."""
        refuse_without_root(system)
        _recover(due, system)
        if any(one.foreseen.stale for one in due):
            dnf.update(system)
        for group in by_options(due):
            if group[0].wanted.options.release:
                raise TargetFailed(f"{group[0].wanted.name} cannot be installed as declared", why=_NO_RELEASE)
            with brought_along(group, system, _FILE, partial(_refuse_other, system)) as files:
                _transact((*words(group, removing=False), *files), group, system)
            _hold_anew([one.wanted.name for one in group if one.seen.held], system)

    def remove(self, due: Sequence[Due], system: System) -> None:
        """One dnf for all whose options agree; what only left the declaration stays as a dependency while others need it."""
        refuse_without_root(system)
        _recover(due, system)
        for group in by_options(due):
            going = self._not_needed(group, system)
            if going:
                _transact(words(going, removing=True), going, system)

    def _not_needed(self, group: Sequence[Due], system: System) -> Sequence[Due]:
        """Those of the group that may go: what the plan did not ask the simulation about goes only where nothing goes with it."""
        leaving = [one for one in group if not one.planned]
        if not leaving:
            return group
        names, options = [one.wanted.name for one in group], group[0].wanted.options
        needed = [one for one in leaving if _foreign(dnf.simulated(words([one], removing=True), options, system, held=True), names)]
        for one in needed:
            self.mark(one.wanted.name, held=None, automatic=True, system=system)
        return [one for one in group if one not in needed]

    def back(self, effects: Sequence[Effect], system: System, *, allowed: Sequence[str], orphans: bool) -> None:
        """First what comes back, then what goes; a dependency that somebody else needs by now stays."""
        refuse_without_root(system)
        named = [*(effect.name for effect in effects), *allowed]
        coming = ["install", *(spec(one.name, one.new) for one in effects if one.action == "install")]
        if len(coming) > 1:
            _refuse_foreign(dnf.simulated(coming, Options(), system, held=True), named, effects)
            dnf.act(coming, Options(), system, held=True)
            locked = rpmdb.locked(system)
            _hold_anew([one.name for one in effects if one.action == "install" and one.name.partition(":")[0] in locked], system)
        there = rpmdb.look([one.name for one in effects if one.action == "remove"], frozenset(), system)
        going = [name for name, one in there.items() if one.version]
        if not going:
            return
        options = Options(autoremove=orphans)
        if _foreign(dnf.simulated(_removal(going), options, system, held=True), named):
            going = [name for name in going if name == effects[0].name]
            _refuse_foreign(dnf.simulated(_removal(going), options, system, held=True) if going else (), named, effects)
        if going:
            dnf.act(_removal(going), options, system, held=True)

    def mark(self, name: str, *, held: Optional[bool], automatic: Optional[bool], system: System) -> None:
        """By `dnf mark` and the plugin versionlock."""
        if automatic is not None:
            dnf.act(("mark", "remove" if automatic else "install", spec(name, "")), Options(), system)
        if held is not None:
            dnf.lock(name, system, held=held)


def _recover(due: Sequence[Due], system: System) -> None:
    """Where dnf was stopped between a new version and the old one, let it take the old one away."""
    twice = [one.wanted.name for one in due if one.seen.state == rpmdb.DUPLICATED]
    if twice:
        dnf.act(("remove", "--duplicates", *(spec(name, "") for name in twice)), Options(), system)


def _hold_anew(names: Sequence[str], system: System) -> None:
    """A lock names a version: set it upon the one that is there now."""
    for name in names:
        dnf.lock(name, system, held=False)
        dnf.lock(name, system, held=True)


def _refuse_other(system: System, wanted: Wanted, path: str) -> None:
    done = run(system, ("rpm", "-q", "--package", "--queryformat", rpmdb.ROW, path))
    (row,) = rpmdb.rows(done.stdout) or (None,)
    if row is None or row.name != wanted.name.partition(":")[0] or not wanted.fits(row.version):
        raise TargetFailed(
            f"the package file for {wanted.name} is another one",
            why=f"it holds {row.name} {row.version}" if row else done.stderr.strip() or "rpm cannot read it",
            hint="`rpm -qp FILE` tells `name` and `version`; or take the right file as `source`",
        )


def _transact(argv: Sequence[str], group: Sequence[Due], system: System) -> None:
    """Simulate once more, refuse what the plan did not name, and do it."""
    options = group[0].wanted.options
    foreseen = dnf.simulated(argv, options, system, held=held(group))
    refuse_unnamed([step.effect for step in foreseen if step.effect.action], group)
    dnf.act(argv, options, system, held=held(group))


def _removal(names: Sequence[str]) -> Tuple[str, ...]:
    return ("remove", *(spec(name, "") for name in names))


def _foreign(steps: Sequence[Step], named: Sequence[str]) -> List[Effect]:
    return [one.effect for one in steps if one.effect.action == "remove" and not one.unused and one.effect.name not in named]


def _refuse_foreign(steps: Sequence[Step], named: Sequence[str], effects: Sequence[Effect]) -> None:
    foreign = _foreign(steps, named)
    if foreign:
        raise TargetFailed(
            f"{effects[0].name} cannot be taken back",
            why=f"that {foreign[0].told()}, which came later",
            hint="remove that first, or declare what is wanted instead",
        )
