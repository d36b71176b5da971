"""Asks dnf what it would do for several wishes at once, and tells each wish its own part. Changes nothing."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence

from vitrify.core import dnf, simulation, transaction
from vitrify.core.packaging import LATEST, Due, Effect, Foreseen
from vitrify.core.simulation import bare
from vitrify.core.system import Completed, System


def words(group: Sequence[Due], *, removing: bool) -> List[str]:
    """What dnf is told. A version is that of the plan, else that of the wish: a pattern there is dnf's own kind of pattern."""
    if removing:
        return ["remove", *(spec(one.wanted.name, "") for one in group)]
    newest = ["--best"] if any(one.wanted.version == LATEST for one in group) else []
    return [*newest, "install", *(_word(one) for one in group if not one.wanted.content)]


def spec(name: str, version: str) -> str:
    """A package in dnf's own words: NAME-VERSION.ARCHITECTURE."""
    plain, _, architecture = name.partition(":")
    return (f"{plain}-{version}" if version else plain) + (f".{architecture}" if architecture else "")


def held(group: Sequence[Due]) -> bool:
    """Whether a hold has to be passed over for these."""
    return any(one.seen.held for one in group)


def _word(due: Due) -> str:
    wished = due.wanted.version if due.wanted.version != LATEST else ""
    return spec(due.wanted.name, due.foreseen.candidate if due.exact and due.foreseen.candidate else wished)


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
            if not dnf.refuses(done):
                return {**{name: Foreseen(problem=why) for name, why in problems.items()}, **self._read(done.stdout, left)}
            unknown = transaction.unknown(done.stdout + done.stderr)
            refused = [name for name, due in left.items() if words([due], removing=self._removing)[-1] in unknown]
            if not refused:
                refused = [name for name in left if len(left) == 1 or dnf.refuses(self._simulate({name: left[name]}))] or list(left)
            for name in refused:
                alone = done if len(left) == 1 else self._simulate({name: left[name]})
                problems[name] = transaction.complaint(f"{alone.stdout}\n{alone.stderr}" if dnf.refuses(alone) else done.stderr)
                del left[name]
        return {name: Foreseen(problem=why) for name, why in problems.items()}

    def _simulate(self, group: Mapping[str, Due]) -> Completed:
        due = list(group.values())
        argv = words(due, removing=self._removing)
        done = dnf.simulate(argv, self._options, self._system, held=held(due))
        if dnf.locked(done):
            raise dnf.failed(argv, done)
        return done

    def _read(self, output: str, group: Mapping[str, Due]) -> Mapping[str, Foreseen]:
        effects = [step.effect for step in dnf.steps(output, self._system) if step.effect.action]
        own = {effect.name: effect for effect in effects if effect.name in group and (effect.action == "remove") is self._removing}
        more = [effect for effect in effects if own.get(effect.name) is not effect]
        records = self._records(effects, group) if len(group) > 1 or any(effect.old for effect in effects) else []
        needs = simulation.Needs(records)
        having = {(one.name, one.version) for one in records if one.to_be_had}
        also = simulation.attributed(more, list(group), needs, removing=self._removing)
        reached = {name: needs.closure(bare(name)) for name in group} if len(group) > 1 else {}
        found = {}
        for name in group:
            mine: Sequence[Effect] = also.get(name, ())
            gone = [(bare(one.name), one.old) for one in (*mine, *((own[name],) if name in own else ())) if one.old]
            needed = tuple(other for other, all_ in reached.items() if other != name and bare(name) in all_)
            new = own[name].new if name in own else ""
            found[name] = Foreseen(new, tuple(mine), needed_by=needed, lost=any(one not in having for one in gone))
        return found

    def _records(self, effects: Sequence[Effect], group: Mapping[str, Due]) -> Sequence[simulation.Record]:
        names = [*group, *(effect.name for effect in effects)]
        going = any(effect.action == "remove" for effect in effects)
        return dnf.records(names, self._system, installed=going)
