"""Looks at a target: every wish and everything owned, and what an unfinished run left. Changes nothing, not even by remembering."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.difference import Change, agrees
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.resource import Address, Observation, Properties, Resource, Sureness
from vitrify.onhost.context import Context
from vitrify.onhost.journal import all_runs
from vitrify.onhost.ownership import Holding, Ownership
from vitrify.onhost.runs import INTERRUPTED, NOTHING, PART, WHOLE, Run, Step
from vitrify.onhost.scope import Here


@dataclass(frozen=True)
class Look:
    """What one call sees."""

    observations: Tuple[Observation, ...]
    holdings: Tuple[Holding, ...]
    ownership: Ownership
    runs: Tuple[Run, ...]
    """Of this server, the youngest first."""
    unfinished: Optional[Run]
    former: Mapping[Address, Properties] = field(default_factory=dict)
    """What holdings look like as they were applied, where their observation is about another wish and would not tell."""

    def expectation(self) -> str:
        """The digest that a plan rests on: `vitrify.core.plan.expectation` says the same on the other side."""
        return digest_of({str(seen.address): dict(seen.properties) for seen in self.observations})

    def to_json(self) -> JSONObject:
        """The part that `observe` and `audit` answer alike."""
        return {
            "observations": [seen.to_json() for seen in self.observations],
            "owned": [self._owned(holding) for holding in self.holdings],
            "runs": [run.summary() for run in self.runs],
            "unfinished": self.unfinished.id if self.unfinished else "",
        }

    def _owned(self, holding: Holding) -> JSON:
        """What others hold as well is not ours to remove: to a plan it looks adopted."""
        others = self.ownership.others(holding.key)
        names: List[JSON] = [f"{other.project}/{other.server}" for other in others]
        former = self.former.get(holding.resource.address)
        seen: JSONObject = {} if former is None else {"seen": dict(former)}
        return {**holding.to_json(), "created": holding.created and not others, "claimed_by": names, **seen}


def observe(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `observe`."""
    here = Here.at(context, arguments)
    return {"facts": here.system.facts(), **look(here, here.resources(arguments)).to_json(), "held": _held(here), "ledger": witnessed(here)}


def witnessed(here: Here) -> JSON:
    """What this host saw of the project's ledger; null where that is nothing."""
    if not here.memory.there() or here.memory.content("ledger", here.scope.project, "home") is None:
        return None
    from vitrify.onhost.testimony import seen  # the first look at a host ends above

    return seen(here)


def _held(here: Here) -> JSON:
    """The lease by which somebody is changing this server in place now; null where nobody is."""
    last = here.memory.read(f"leases/{here.scope.project}-{here.scope.server}.json") if here.memory.there() else None
    if last is None or last.get("released"):
        return None
    from vitrify.onhost.leasing import standing  # nearly every look ends above

    return standing(here)


def look(here: Here, resources: Iterable[Resource]) -> Look:
    """Observe these resources, and after them what is owned besides."""
    everything = all_runs(here.memory)
    scope = here.scope
    runs = tuple(run for run in everything if (run.project, run.server) == (scope.project, scope.server))
    unfinished = next((run for run in runs if not run.ended), None)
    ownership = Ownership.remembered(here.memory, everything)
    for step in settled(here, unfinished):
        if unfinished:
            ownership.follow(unfinished, step)
    holdings = ownership.of(scope.project, scope.server)
    wished = {resource.address: resource for resource in resources}
    for holding in holdings:
        wished.setdefault(holding.resource.address, holding.resource)
    observations = observed_all(here, tuple(wished.values()))
    return Look(observations, holdings, ownership, runs, unfinished, _former(here, holdings, wished))


def _former(here: Here, holdings: Iterable[Holding], wished: Mapping[Address, Resource]) -> Dict[Address, Properties]:
    """Of a part of a file an observation says only whether it is as wished: where the wish changed, the former one is asked for too."""
    asked = [holding.resource for holding in holdings if _hides(here, holding.resource, wished[holding.resource.address])]
    return {seen.address: seen.properties for seen in observed_all(here, asked)}


def _hides(here: Here, held: Resource, wish: Resource) -> bool:
    if held.fields == wish.fields or wish.absent:
        return False
    kind = here.context.kinds[wish.address.kind]
    return kind.shares and kind.desired(held) == kind.desired(wish)


def observed(here: Here, resource: Resource) -> Observation:
    """One resource as it is now."""
    return here.context.kinds[resource.address.kind].observe(resource, here.system)


def observed_all(here: Here, resources: Sequence[Resource]) -> Tuple[Observation, ...]:
    """All of these as they are now, in their order; each kind is asked once for all of its own."""
    by_kind: Dict[str, List[Resource]] = {}
    for resource in resources:
        by_kind.setdefault(resource.address.kind, []).append(resource)
    found: Dict[Address, Observation] = {}
    for name, members in by_kind.items():
        found.update({seen.address: seen for seen in here.context.kinds[name].observe_all(members, here.system)})
    return tuple(found[resource.address] for resource in resources)


def settled(here: Here, run: Optional[Run]) -> Tuple[Step, ...]:
    """The steps of a run whose outcome nobody wrote down, with the outcome that a fresh look shows."""
    pending = [step for step in run.steps if step.pending] if run else []
    return tuple(replace(step, outcome=INTERRUPTED, left=left_by(here, step.change, paths=len(step.before))) for step in pending)


def left_by(here: Here, change: Change, *, paths: int) -> str:
    """How much of a change is in place: looked at, not remembered. One path is written whole or not at all."""
    seen = observed(here, change.resource).properties
    if holds(change, seen):
        return WHOLE
    untouched = dict(seen) == dict(change.before)
    return NOTHING if untouched or paths == 1 or change.sureness is Sureness.OPAQUE else PART


def holds(change: Change, seen: Properties) -> bool:
    """Whether everything that the change wishes for is there."""
    return all(agrees(name, change.after, seen) for name in change.after)
