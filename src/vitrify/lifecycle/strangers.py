"""What goes along with a call so that a target knows kinds that are not ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vitrify.core.declaration import Content
from vitrify.core.digest import JSONObject
from vitrify.core.resource import Resource
from vitrify.core.stranger import Stranger
from vitrify.lifecycle.world import World


@dataclass(frozen=True)
class Along:
    """What names them, and their sources, for a target that lacks them. Empty where all kinds are ours."""

    references: tuple[JSONObject, ...] = ()
    contents: Mapping[str, Content] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    """Name -> digest: what a plan rests on."""

    @property
    def arguments(self) -> JSONObject:
        """The argument of a call."""
        return {"kinds": list(self.references)} if self.references else {}


def along(resources: Iterable[Resource], world: World) -> Along:
    """What these resources need."""
    return packed(world.strangers({resource.address.kind for resource in resources}))


def packed(strangers: Iterable[Stranger]) -> Along:
    """These kinds, ready to be sent."""
    found = sorted(strangers, key=lambda stranger: stranger.name)
    return Along(
        references=tuple(stranger.reference.to_json() for stranger in found),
        contents={stranger.reference.digest: Content(data=stranger.source) for stranger in found},
        digests={stranger.name: stranger.reference.digest for stranger in found},
    )
