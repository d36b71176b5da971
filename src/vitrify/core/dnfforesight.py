"""Asks dnf what it would do for several wishes at once, and tells each wish its own part. Changes nothing."""

from __future__ import annotations

from typing import List, Mapping, Sequence

from vitrify.core import dnf, simulation, transaction
from vitrify.core.foreseeing import Foreseeing
from vitrify.core.packaging import LATEST, Due, Effect
from vitrify.core.system import Completed


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
    return spec(due.wanted.name, due.version)


class Foresight(Foreseeing):
    """What one dnf would do, wish by wish."""

    def _simulate(self, group: Mapping[str, Due]) -> Completed:
        due = list(group.values())
        argv = words(due, removing=self._removing)
        done = dnf.simulate(argv, self._options, self._system, held=held(due))
        if dnf.locked(done):
            raise dnf.failed(argv, done)
        return done

    def _refuses(self, done: Completed) -> bool:
        return dnf.refuses(done)

    def _unknown(self, done: Completed, left: Mapping[str, Due]) -> List[str]:
        unknown = transaction.unknown(done.stdout + done.stderr)
        return [name for name, due in left.items() if words([due], removing=self._removing)[-1] in unknown]

    def _why(self, alone: Completed, done: Completed) -> str:
        return transaction.complaint(f"{alone.stdout}\n{alone.stderr}" if dnf.refuses(alone) else done.stderr)

    def _effects(self, output: str) -> List[Effect]:
        return [step.effect for step in dnf.steps(output, self._system) if step.effect.action]

    def _records(self, effects: Sequence[Effect], group: Mapping[str, Due]) -> Sequence[simulation.Record]:
        if len(group) == 1 and not any(effect.old for effect in effects):
            return []
        names = [*group, *(effect.name for effect in effects)]
        going = any(effect.action == "remove" for effect in effects)
        return dnf.records(names, self._system, installed=going)
