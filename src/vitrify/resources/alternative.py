"""The kind `alternative`: which of several programs a general name stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.packaging import demand
from vitrify.core.resource import MISSING, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

GROUPS = "/var/lib/dpkg/alternatives"
LINKS = "/etc/alternatives"
PROGRAM = "update-alternatives"
AUTOMATIC = "automatic"


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    if ("link" in values) is ("priority" in values):
        return []
    return [Problem((), "`link` and `priority` belong together", "both are needed to register a path; neither, to choose a registered one")]


class Alternative(Kind):
    """One path behind a general name, as `editor` stands for one of several editors.

    With `link` and `priority` the path is registered; it is chosen unless `selected: false` says otherwise. Absent, or once it left,
    the path is registered no longer. Without them a path that a package registered is chosen; absent, it is left to the priorities.
    """

    name = "alternative"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "the general name, as in editor", required=True),
            "path": Field(Type.PATH, "the program that it stands for", required=True),
            "link": Field(Type.PATH, "where the general name is, as in /usr/bin/editor"),
            "priority": Field(Type.INTEGER, "the higher, the rather it is taken where nobody chose"),
            "selected": Field(Type.BOOLEAN, "whether this path is chosen; it is where not given"),
        },
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name and the path."""
        return f"{fields['name']}={fields['path']}"

    def desired(self, resource: Resource) -> Properties:
        """Registered as declared, and chosen."""
        if resource.absent:
            return MISSING
        found: Dict[str, JSON] = {"type": "alternative"}
        found.update({name: resource.fields[name] for name in ("link", "priority") if name in resource.fields})
        return found if resource.fields.get("selected") is False else {**found, "choice": resource.fields["path"]}

    def observe(self, resource: Resource, system: System) -> Observation:
        """What dpkg's own file says of the name."""
        group = _group(str(resource.fields["name"]), system)
        path = str(resource.fields["path"])
        if group is None:
            return Observation(resource.address, MISSING)
        registered = path in group.priorities
        there = registered if "priority" in resource.fields else registered and group.choice == path
        more: Dict[str, JSON] = {"link": group.link, "priority": group.priorities[path]} if registered else {}
        return Observation(resource.address, {"type": "alternative" if there else MISSING["type"], "choice": group.choice, **more})

    def enact(self, change: Change, system: System) -> None:
        """By update-alternatives."""
        fields, after = change.resource.fields, change.after
        name, path = str(fields["name"]), str(fields["path"])
        if change.action is Action.REMOVE:
            _remove(change.resource, system)
        elif any(change.before.get(one) != after[one] for one in ("link", "priority") if one in after):
            demand(system, (PROGRAM, "--install", str(after["link"]), name, path, str(after["priority"])))
        choice = str(after.get("choice", ""))
        if choice:
            how = ("--auto", name) if choice == AUTOMATIC else ("--set", name, choice)
            demand(system, (PROGRAM, *how), hint="a path that no package registered needs `link` and `priority`")

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The link that leads to what is chosen."""
        chosen = not resource.absent and resource.fields.get("selected") is not False
        return (f"{LINKS}/{resource.fields['name']}",) if chosen else ()

    def inverse(self, change: Change) -> Optional[Change]:
        """What was registered and chosen before."""
        before = change.before
        choice: Dict[str, JSON] = {"choice": before["choice"]} if "choice" in before else {}
        if before.get("type") == MISSING["type"]:
            return Change(change.resource.gone(), Action.REMOVE, before=change.after, after={**MISSING, **choice})
        kept = {name: before[name] for name in ("link", "priority") if "priority" in change.resource.fields}
        return Change(change.resource, Action.UPDATE, before=change.after, after={"type": "alternative", **kept, **choice})

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a choice."""
        before, wished = change.before, change.after.get("choice")
        if before.get("type") != MISSING["type"] or "priority" in change.resource.fields:
            return tuple(reason.replace("choice ", "stands for ") for reason in change.because)
        if "priority" not in before:
            return ("the path is not registered: this will fail unless an earlier change registers it",)
        return (f"stands for {before.get('choice')} -> {wished}",)


@dataclass(frozen=True)
class _Group:
    """One general name. `choice` is a path that somebody chose, or `automatic`."""

    link: str
    choice: str
    priorities: Mapping[str, int] = field(default_factory=dict)


def _group(name: str, system: System) -> Optional[_Group]:
    path = f"{GROUPS}/{name}"
    found = system.stat(path)
    if found is None or found.type != "file":
        return None
    mode, link, *rest = [*system.read(path).decode("utf-8", "replace").split("\n"), "", ""]
    slaves = rest.index("") // 2
    lines = rest[rest.index("") + 1 :]
    priorities: Dict[str, int] = {}
    while lines and lines[0]:
        priorities[lines[0]] = int(lines[1])
        lines = lines[2 + slaves :]
    at = system.stat(f"{LINKS}/{name}")
    chosen = at.link if at is not None else ""
    return _Group(link, chosen if mode == "manual" else AUTOMATIC, priorities)


def _remove(resource: Resource, system: System) -> None:
    """Of a path that a package registered, only the choice goes."""
    name, path = str(resource.fields["name"]), str(resource.fields["path"])
    group = _group(name, system)
    if group is None or path not in group.priorities:
        return
    if "priority" in resource.fields:
        demand(system, (PROGRAM, "--remove", name, path))
    elif group.choice == path:
        demand(system, (PROGRAM, "--auto", name))
