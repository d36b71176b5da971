"""The kind `divert`: a file of a package that is put elsewhere, so that another one can have its place."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.packaging import demand
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Schema, Type
from vitrify.core.system import System

DIVERSIONS = "/var/lib/dpkg/diversions"
LOCAL = ":"
"""What stands for a package where it was the administrator who diverted."""


class Divert(Kind):
    """A file that packages bring along, diverted: every package puts its own at `to`, now and after each upgrade.

    The file that is there now is moved; its place is free for a `file` or a `link`, which come after it. Absent, it moves back.
    """

    name = "divert"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the file, where packages put it", required=True),
            "to": Field(Type.PATH, "where it is to be instead; PATH.distrib where not given"),
        }
    )
    short = "path"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """Where it is to be."""
        return MISSING if resource.absent else {"type": "divert", "to": _target(resource), "by": "local"}

    def observe(self, resource: Resource, system: System) -> Observation:
        """What dpkg's list says of the path."""
        found = _diversions(system).get(str(resource.fields["path"]))
        if found is None:
            return Observation(resource.address, MISSING)
        to, package = found
        return Observation(resource.address, {"type": "divert", "to": to, "by": "local" if package == LOCAL else package})

    def enact(self, change: Change, system: System) -> None:
        """By dpkg-divert, which moves the file as well."""
        path = str(change.resource.fields["path"])
        found = _diversions(system).get(path)
        if found is not None and found[1] != LOCAL:
            raise TargetFailed(
                f"{path} is diverted by the package {found[1]}", why=f"to {found[0]}", hint="remove that package, or leave it be"
            )
        wished = "" if change.action is Action.REMOVE else str(change.after["to"])
        if found is not None and found[0] != wished:
            demand(system, ("dpkg-divert", "--quiet", "--local", "--rename", "--divert", found[0], "--remove", path))
            found = None
        if wished and found is None:
            demand(system, ("dpkg-divert", "--quiet", "--local", "--rename", "--divert", wished, "--add", path))

    def inverse(self, change: Change) -> Optional[Change]:
        """Where it was before."""
        if change.before.get("type") == MISSING["type"]:
            return Change(change.resource.gone(), Action.REMOVE, before=change.after, after=MISSING)
        return Change(change.resource, Action.UPDATE, before=change.after, after=change.before)

    def leads(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """Whatever takes the place."""
        takers = (Address(kind, resource.address.name) for kind in ("file", "link"))
        return () if resource.absent else tuple(address for address in takers if address in others and not others[address].absent)

    def because(self, change: Change) -> Tuple[str, ...]:
        """Says at once that the diversion of a package stays."""
        by = str(change.before.get("by", "local"))
        return change.because if by == "local" else (f"is diverted by the package {by}: this will fail",)


def _target(resource: Resource) -> str:
    return str(resource.fields.get("to", f"{resource.fields['path']}.distrib"))


def _diversions(system: System) -> Mapping[str, Tuple[str, str]]:
    """Path -> where it is diverted to, and by which package."""
    stat = system.stat(DIVERSIONS)
    lines = system.read(DIVERSIONS).decode("utf-8", "replace").splitlines() if stat is not None and stat.type == "file" else []
    found: Dict[str, Tuple[str, str]] = {}
    for place in range(0, len(lines) - 2, 3):
        found[lines[place]] = (lines[place + 1], lines[place + 2])
    return found
