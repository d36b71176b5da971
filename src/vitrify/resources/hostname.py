"""The kind `hostname`: what a machine calls itself."""

from __future__ import annotations

import re
from typing import Callable, List, Mapping, Optional, Tuple

from vitrify.core import dropin, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Command, System, Target

PATH = "/etc/hostname"
KERNEL = "/proc/sys/kernel/hostname"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    name = str(values["name"])
    if len(name) <= 64 and all(_LABEL.fullmatch(label) for label in name.split(".")):
        return []
    return [Problem(("name",), f"{name!r} is not the name of a host", "at most 64 letters, digits and - in parts with dots between")]


class Hostname(Kind):
    """The name in `/etc/hostname`; on a running host also the one that it goes by now."""

    name = "hostname"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={"name": Field(Type.TEXT, "the name", required=True)},
        rules=(_rules,),
        removable=False,
    )
    short = "name"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The file: a machine has one name."""
        return PATH

    def desired(self, resource: Resource) -> Properties:
        """The file and the name in use."""
        if resource.absent:
            return MISSING
        return {**dropin.wished(_written(resource), mode="0644"), "in_use": str(resource.fields["name"])}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The file and the name in use; where nothing runs, that is the one wished for."""
        stat, found = system.stat(PATH), dropin.seen(PATH, system)
        if stat is not None or not resource.absent:
            found["in_use"] = _in_use(system) if _runs(system) else str(resource.fields["name"])
        return Observation(resource.address, found, place.body(PATH, stat, system) if stat is not None else None)

    def enact(self, change: Change, system: System) -> None:
        """Write the file and take the name."""
        if change.action is Action.REMOVE:
            system.remove(PATH)
            return
        dropin.write(PATH, _written(change.resource), mode="0644", system=system)
        _take(str(change.resource.fields["name"]), system)

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo: take the name that the file has again."""
        stat = system.stat(PATH)
        if stat is not None and stat.type == "file":
            _take(system.read(PATH).decode("utf-8", "replace").strip(), system)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file."""
        return (PATH,)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (PATH,)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a name."""
        before, after = change.before, change.after
        words = {"content differs": "the file names another", "content is not set": "the file names none"}
        words[f"in_use {before.get('in_use')} -> {after.get('in_use')}"] = f"goes by {before.get('in_use')}"
        return tuple(dropin.because(change.because, words))

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file."""
        return "" if resource.absent else _written(resource)


def _written(resource: Resource) -> str:
    return f"{resource.fields['name']}\n"


def _runs(system: System) -> bool:
    return system.target is Target.HOST and system.stat(KERNEL) is not None


def _in_use(system: System) -> str:
    return system.read(KERNEL).decode("utf-8", "replace").strip()


def _take(name: str, system: System) -> None:
    if not _runs(system) or not name or _in_use(system) == name:
        return
    ended = system.run(Command(("hostname", "--", name)))
    if ended.code != 0:
        raise TargetFailed(f"the host does not take the name {name}", why=ended.stderr.strip(), hint="a container may not rename its host")
