"""Asks apt what it would do for several wishes at once, and tells each wish its own part. Changes nothing."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence

from vitrify.core import apt, dpkg, simulation
from vitrify.core.packaging import LATEST, Due, Effect, Foreseen, run
from vitrify.core.system import Completed, System


def words(group: Sequence[Due], *, removing: bool) -> List[str]:
    """What apt-get is told. A version is that of the plan, else that of the wish: a pattern there is apt's own kind of pattern."""
    names = [one.wanted.name for one in group]
    if removing:
        return ["purge" if group[0].wanted.purge else "remove", *names]
    return ["install", *(_word(one) for one in group if not one.wanted.content)]


def _word(due: Due) -> str:
    wished = due.wanted.version if due.wanted.version != LATEST else ""
    version = due.foreseen.candidate if due.exact and due.foreseen.candidate else wished
    return f"{due.wanted.name}={version}" if version else due.wanted.name


class Foresight:
    """What one transaction would do, wish by wish."""

    def __init__(self, system: System, group: Sequence[Due], *, removing: bool) -> None:
        self._system = system
        self._group = {one.wanted.name: one for one in group}
        self._options = group[0].wanted.options
        self._removing = removing

    def told(self) -> Mapping[str, Foreseen]:
        """Name -> what is foreseen; a wish that the simulation refuses does not hide what it says of the others."""
        problems: Dict[str, str] = {}
        left = dict(self._group)
        while left:
            done = self._simulate(left)
            if done.code == 0:
                return {**{name: Foreseen(problem=why) for name, why in problems.items()}, **self._read(done.stdout, left)}
            output = done.stdout + done.stderr
            refused = [name for name in left if simulation.bare(name) in {simulation.bare(one) for one in simulation.unknown(output)}]
            if not refused:
                refused = list(left) if len(left) == 1 else [name for name in left if self._simulate({name: left[name]}).code] or list(left)
            for name in refused:
                alone = output if len(left) == 1 else self._told_alone(name, left[name])
                problems[name] = simulation.complaint(alone or output)
                del left[name]
        return {name: Foreseen(problem=why) for name, why in problems.items()}

    def _told_alone(self, name: str, due: Due) -> str:
        done = self._simulate({name: due})
        return done.stdout + done.stderr if done.code else ""

    def _simulate(self, group: Mapping[str, Due]) -> Completed:
        return apt.simulate(words(list(group.values()), removing=self._removing), self._options, self._system)

    def _read(self, output: str, group: Mapping[str, Due]) -> Mapping[str, Foreseen]:
        effects = [step.effect for step in simulation.steps(output)]
        own = {effect.name: effect for effect in effects if effect.name in group and (effect.action == "remove") is self._removing}
        more = [effect for effect in effects if own.get(effect.name) is not effect]
        records = self._records(effects, group)
        needs = simulation.Needs(records)
        having = {(one.name, one.version) for one in records if one.to_be_had}
        also = simulation.attributed(more, list(group), needs, removing=self._removing)
        reached = {name: needs.closure(simulation.bare(name)) for name in group} if len(group) > 1 else {}
        found = {}
        for name in group:
            mine = also.get(name, ())
            gone = [(simulation.bare(one.name), one.old) for one in (*mine, *((own[name],) if name in own else ())) if one.old]
            needed = tuple(other for other, all_ in reached.items() if other != name and simulation.bare(name) in all_)
            lost = any(one not in having for one in gone)
            found[name] = Foreseen(own[name].new if name in own else "", mine, needed_by=needed, lost=lost)
        return found

    def _records(self, effects: Sequence[Effect], group: Mapping[str, Due]) -> Sequence[simulation.Record]:
        asked = [f"{effect.name}={version}" for effect in effects for version in (effect.old, effect.new) if version]
        asked += [name for name in group if all(effect.name != name for effect in effects)]
        if not asked:
            return ()
        done = run(self._system, ("apt-cache", *apt.surroundings(self._system), "show", *dict.fromkeys(asked)))
        return [simulation.record(fields) for fields in dpkg.stanzas(done.stdout)]
