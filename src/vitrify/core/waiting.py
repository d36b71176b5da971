"""What kinds that wait have in common: how long, what they find, and that they look again whenever what they come after changes."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import List, Mapping, Optional

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Type
from vitrify.core.system import Question, System, Target

TIMEOUT = Field(Type.TEXT, "how long to wait, as in 30s, 2m; 1m where not given")
ANSWERED: Properties = {"type": "answer", "answered": True}
_DURATION = re.compile(r"([0-9]{1,6})(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def timeout_problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What stands against the timeout."""
    text = str(values.get("timeout", "1m"))
    return (
        []
        if _DURATION.fullmatch(text)
        else [Problem(("timeout",), f"{text!r} is no duration", "a whole number and ms, s, m or h, as in 30s")]
    )


def seconds(resource: Resource, *, unsaid: str = "1m") -> float:
    """How long to wait; `unsaid` is what holds where nothing is declared."""
    match = _DURATION.fullmatch(str(resource.fields.get("timeout", unsaid)))
    return int(match.group(1)) * _SECONDS[match.group(2)] if match else 0.0


class Barrier(Kind):
    """A question that must be answered before anything written after it is done. Off a live host there is nobody to ask."""

    phases = frozenset({Phase.LIVE})

    @abstractmethod
    def question(self, fields: Mapping[str, JSON]) -> Question:
        """What is asked."""

    def desired(self, resource: Resource) -> Properties:
        """That it is answered."""
        return {} if resource.absent else ANSWERED

    def observe(self, resource: Resource, system: System) -> Observation:
        """Ask once."""
        why = system.answered(self.question(resource.fields), within=0) if system.target is Target.HOST else ""
        return Observation(resource.address, ANSWERED if not why else {**ANSWERED, "answered": False})

    def enact(self, change: Change, system: System) -> None:
        """Ask until it is answered; TargetFailed with the last reason where it is not in time."""
        resource, within = change.resource, seconds(change.resource)
        why = system.answered(self.question(resource.fields), within=within) if system.target is Target.HOST else ""
        if why:
            raise TargetFailed(
                f"{resource.address} was waited for in vain", why=why, hint=f"{within:g} s were not enough: a longer `timeout`?"
            )

    def listens(self, resource: Resource) -> Mapping[Address, str]:
        """All that it comes after: whenever one of these changes there is something to wait for again."""
        return dict.fromkeys(resource.after, "wait")

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """That changes before it make the answer likely."""
        last: Optional[Address] = next((address for address in reversed(list(earlier)) if address in change.resource.after), None)
        return f"{last} is changed before" if last is not None and change.before.get("answered") is False else ""
