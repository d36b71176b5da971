"""Asks apt what it would do for several wishes at once, and tells each wish its own part. Changes nothing."""

from __future__ import annotations

from typing import List, Mapping, Sequence

from vitrify.core import apt, dpkg, simulation
from vitrify.core.foreseeing import Foreseeing
from vitrify.core.packaging import Due, Effect, run
from vitrify.core.simulation import bare
from vitrify.core.system import Completed


def words(group: Sequence[Due], *, removing: bool) -> List[str]:
    """What apt-get is told. A version is that of the plan, else that of the wish: a pattern there is apt's own kind of pattern."""
    names = [one.wanted.name for one in group]
    if removing:
        return ["purge" if group[0].wanted.purge else "remove", *names]
    return ["install", *(_word(one) for one in group if not one.wanted.content)]


def _word(due: Due) -> str:
    return f"{due.wanted.name}={due.version}" if due.version else due.wanted.name


class Foresight(Foreseeing):
    """What one apt-get would do, wish by wish."""

    def _simulate(self, group: Mapping[str, Due]) -> Completed:
        return apt.simulate(words(list(group.values()), removing=self._removing), self._options, self._system)

    def _refuses(self, done: Completed) -> bool:
        return done.code != 0

    def _unknown(self, done: Completed, left: Mapping[str, Due]) -> List[str]:
        unknown = {bare(one) for one in simulation.unknown(done.stdout + done.stderr)}
        return [name for name in left if bare(name) in unknown]

    def _why(self, alone: Completed, done: Completed) -> str:
        said = alone.stdout + alone.stderr if self._refuses(alone) else ""
        return simulation.complaint(said or done.stdout + done.stderr)

    def _effects(self, output: str) -> List[Effect]:
        return [step.effect for step in simulation.steps(output)]

    def _records(self, effects: Sequence[Effect], group: Mapping[str, Due]) -> Sequence[simulation.Record]:
        asked = [f"{effect.name}={version}" for effect in effects for version in (effect.old, effect.new) if version]
        asked += [name for name in group if all(effect.name != name for effect in effects)]
        if not asked:
            return ()
        done = run(self._system, ("apt-cache", *apt.surroundings(self._system), "show", *dict.fromkeys(asked)))
        return [simulation.record(fields) for fields in dpkg.stanzas(done.stdout)]
