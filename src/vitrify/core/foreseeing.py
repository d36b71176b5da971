"""What every package manager's foresight has in common: one simulation for several wishes, and each wish told its own part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Dict, List, Mapping, Sequence

from vitrify.core import simulation
from vitrify.core.packaging import Due, Effect, Foreseen
from vitrify.core.simulation import bare
from vitrify.core.system import Completed, System


class Foreseeing(ABC):
    """What one transaction would do, wish by wish. Changes nothing."""

    def __init__(self, system: System, group: Sequence[Due], *, removing: bool) -> None:
        self._system = system
        self._group = {one.wanted.name: one for one in group}
        self._options = group[0].wanted.options
        self._removing = removing

    @abstractmethod
    def _simulate(self, group: Mapping[str, Due]) -> Completed:
        """What the package manager says to these wishes."""

    @abstractmethod
    def _refuses(self, done: Completed) -> bool:
        """Whether it would not do it."""

    @abstractmethod
    def _unknown(self, done: Completed, left: Mapping[str, Due]) -> List[str]:
        """The wishes that it knows no package for."""

    @abstractmethod
    def _why(self, alone: Completed, done: Completed) -> str:
        """Why it refuses a wish: what it says to that `alone`, else what it says to all."""

    @abstractmethod
    def _effects(self, output: str) -> List[Effect]:
        """What it would do."""

    @abstractmethod
    def _records(self, effects: Sequence[Effect], group: Mapping[str, Due]) -> Sequence[simulation.Record]:
        """What is known of the packages that are spoken of."""

    def told(self) -> Mapping[str, Foreseen]:
        """Name -> what is foreseen; a wish that the simulation refuses does not hide what it says of the others."""
        problems: Dict[str, str] = {}
        left = dict(self._group)
        while left:
            done = self._simulate(left)
            if not self._refuses(done):
                return {**{name: Foreseen(problem=why) for name, why in problems.items()}, **self._read(done.stdout, left)}
            for name in self._unknown(done, left) or self._refused(left):
                problems[name] = self._why(done if len(left) == 1 else self._simulate({name: left[name]}), done)
                del left[name]
        return {name: Foreseen(problem=why) for name, why in problems.items()}

    def _refused(self, left: Mapping[str, Due]) -> List[str]:
        """The wishes that are refused alone, too; all of them where it is only together that they are."""
        return [name for name in left if len(left) == 1 or self._refuses(self._simulate({name: left[name]}))] or list(left)

    def _read(self, output: str, group: Mapping[str, Due]) -> Mapping[str, Foreseen]:
        effects = self._effects(output)
        own = {effect.name: effect for effect in effects if effect.name in group and (effect.action == "remove") is self._removing}
        more = [effect for effect in effects if own.get(effect.name) is not effect]
        records = self._records(effects, group)
        needs = simulation.Needs(records)
        having = {(one.name, one.version) for one in records if one.to_be_had}
        also = simulation.attributed(more, list(group), needs, removing=self._removing)
        reached = {name: needs.closure(bare(name)) for name in group} if len(group) > 1 else {}
        found = {}
        for name in group:
            mine = tuple(also.get(name, ()))
            gone = [(bare(one.name), one.old) for one in (*mine, *((own[name],) if name in own else ())) if one.old]
            needed = tuple(other for other, all_ in reached.items() if other != name and bare(name) in all_)
            lost = any(one not in having for one in gone)
            found[name] = Foreseen(own[name].new if name in own else "", mine, needed_by=needed, lost=lost)
        return found
