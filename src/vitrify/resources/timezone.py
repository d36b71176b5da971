"""The kind `timezone`: which local time a machine tells."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Tuple

from vitrify.core import dropin
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, System

LINK = "/etc/localtime"
TEXT = "/etc/timezone"
"""Some programs read this instead; it is kept where a target has it."""
ZONES = "/usr/share/zoneinfo"
AS_WISHED = "as wished"
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    zone = str(values["name"])
    return [] if _ZONE.fullmatch(zone) else [Problem(("name",), f"{zone!r} is not a timezone", "as in Europe/Berlin, or UTC")]


class Timezone(Kind):
    """The link `/etc/localtime`, and `/etc/timezone` where the target has it. Programs that run already keep the time they know."""

    name = "timezone"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={"name": Field(Type.TEXT, "the zone, as in Europe/Berlin", required=True)},
        rules=(_rules,),
        removable=False,
    )
    short = "name"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The link: a machine has one zone."""
        return LINK

    def desired(self, resource: Resource) -> Properties:
        """The zone, told alike in both places."""
        return MISSING if resource.absent else {"type": "link", "zone": str(resource.fields["name"]), "text": AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Where the link leads, and what the text says."""
        zone = str(resource.fields["name"])
        stat, text = system.stat(LINK), system.stat(TEXT)
        found: Dict[str, JSON] = {} if system.stat(f"{ZONES}/{zone}") is not None else {"there": "missing"}
        if stat is None:
            return Observation(resource.address, {**MISSING, **found})
        found.update({"type": stat.type, "text": AS_WISHED})
        if stat.type == "link":
            found["zone"] = stat.link.partition("zoneinfo/")[2] or stat.link
        if text is not None:
            told = system.read(TEXT).decode("utf-8", "replace").strip() if text.type == "file" else text.type
            found["text"] = AS_WISHED if told == zone else told
        return Observation(resource.address, found)

    def enact(self, change: Change, system: System) -> None:
        """Turn the link, and write the text."""
        zone = str(change.resource.fields["name"])
        if change.action is Action.REMOVE:
            system.remove(LINK)
            return
        if system.stat(f"{ZONES}/{zone}") is None:
            raise TargetFailed(
                f"there is no timezone {zone!r} on this target",
                why=f"{ZONES}/{zone} does not exist",
                hint="declare what brings it before: `package: tzdata`; some zones are in `tzdata-legacy`",
            )
        if change.before.get("type") != "link" or change.before.get("zone") != zone:
            dropin.make_folders(LINK, system)
            system.make_link(LINK, to=f"{ZONES}/{zone}")
        if system.stat(TEXT) is not None:
            system.write(TEXT, f"{zone}\n".encode(), attributes=Attributes())

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The link and the text."""
        return (LINK, TEXT)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The link."""
        return (LINK,)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the package that brings the zones."""
        return tuple(found for found in (Address("package", "tzdata"),) if found in others)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Rests on that package where the zone is not there yet."""
        brings = Address("package", "tzdata")
        return f"{brings} brings the zone" if change.before.get("there") == "missing" and brings in earlier else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """Says at once where the zone is not there."""
        told = tuple(
            reason.replace(f"text {change.before.get('text')} ->", f"{TEXT} says {change.before.get('text')}, not")
            for reason in change.because
        )
        lacking = change.before.get("there") == "missing" and change.action is not Action.REMOVE
        return (*told, "the target has no such zone: this will fail unless it has by then") if lacking else told
