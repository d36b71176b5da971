"""Wish and observation in, change out. Nothing here reads or writes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional, Tuple

from vitrify.core.digest import JSONObject
from vitrify.core.resource import MISSING, Observation, Properties, Resource, Sureness


class Action(Enum):
    """What a change does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    REMOVE = "remove"
    NONE = "none"


@dataclass(frozen=True)
class Change:
    """One difference and what will be done about it. `after` holds the wished properties only."""

    resource: Resource
    action: Action
    before: Properties
    after: Properties
    because: Tuple[str, ...] = ()
    sureness: Sureness = Sureness.CERTAIN
    undoable: bool = True
    diff: str = ""

    def to_json(self) -> JSONObject:
        """The form that is sent, planned and journaled; never holds a content."""
        return {
            "resource": self.resource.to_json(),
            "action": self.action.value,
            "before": dict(self.before),
            "after": dict(self.after),
            "because": list(self.because),
            "sureness": self.sureness.value,
            "undoable": self.undoable,
            "diff": self.diff,
        }

    @classmethod
    def from_json(cls, data: JSONObject) -> Change:
        """Read what `to_json` wrote."""
        resource, before, after, because = data["resource"], data["before"], data["after"], data["because"]
        if not (isinstance(resource, dict) and isinstance(before, dict) and isinstance(after, dict) and isinstance(because, list)):
            raise TypeError("not a change")
        return cls(
            resource=Resource.from_json(resource),
            action=Action(data["action"]),
            before=before,
            after=after,
            because=tuple(str(reason) for reason in because),
            sureness=Sureness(data["sureness"]),
            undoable=data["undoable"] is True,
            diff=str(data["diff"]),
        )


def difference(resource: Resource, *, desired: Properties, seen: Observation) -> Optional[Change]:
    """What must change so that every wished property holds; None where nothing must."""
    differing = tuple(name for name in sorted(desired) if not agrees(name, desired, seen.properties))
    if not differing:
        return None
    if "type" in differing:  # what a thing of another type has for a mode or an owner is no reason any more
        differing = ("type",)
    return Change(
        resource=resource,
        action=_action(desired, seen.properties),
        before=seen.properties,
        after=desired,
        because=tuple(_reason(name, desired, seen.properties) for name in differing),
    )


def agrees(name: str, desired: Properties, seen: Properties) -> bool:
    """Whether one wished property holds."""
    return desired[name] == seen.get(name)


def _action(desired: Properties, seen: Properties) -> Action:
    wished, found = desired.get("type"), seen.get("type")
    if wished == MISSING["type"]:
        return Action.REMOVE
    if found == MISSING["type"]:
        return Action.CREATE
    return Action.UPDATE if wished == found else Action.REPLACE


def _reason(name: str, desired: Properties, seen: Properties) -> str:
    wished, found = desired[name], seen.get(name)
    if name == "type":
        return f"is {found}" if wished != MISSING["type"] else "is to be absent"
    if isinstance(wished, str) and isinstance(found, str) and ":" not in wished + found:
        return f"{name} {found} -> {wished}"
    return f"{name} differs" if found is not None else f"{name} is not set"
