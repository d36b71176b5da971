"""What an inventory says, as it is read: hosts, groups of them, variables of both, and remarks on what has no place here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrify.core.digest import JSON

ALL, UNGROUPED = "all", "ungrouped"


@dataclass
class Found:
    """One group as read."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, JSON] = field(default_factory=dict)


class Gathered:
    """An inventory that is only added to."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.groups: dict[str, Found] = {}
        self.hosts: dict[str, dict[str, JSON]] = {}
        self.remarks: dict[str, None] = {}

    def group(self, name: str) -> Found:
        """The group of this name, new or known."""
        return self.groups.setdefault(name, Found())

    def host(self, name: str, group: str, variables: Mapping[str, JSON]) -> None:
        """A host in a group, with more of its variables."""
        self.group(group).hosts[name] = None
        self.hosts.setdefault(name, {}).update(variables)

    def remark(self, text: str, *, line: int | None = None) -> None:
        """Something that has no place in a declaration, or another meaning there."""
        self.remarks[f"{self.file}{f':{line}' if line else ''}: {text}"] = None

    def within(self, name: str) -> dict[str, None]:
        """Every host of a group and of those within it."""
        seen, level = {name}, [name]
        found: dict[str, None] = {}
        while level:
            found.update(host for one in level for host in self.group(one).hosts.items())
            level = [child for one in level for child in self.group(one).children if child not in seen]
            seen.update(level)
        return found

    def outer_first(self) -> list[str]:
        """The groups in the order in which their variables count: `all`, then outer ones before inner ones, then by name."""
        depths = dict.fromkeys(self.groups, 0)
        for _ in self.groups:
            for name, found in self.groups.items():
                for child in found.children:
                    depths[child] = min(max(depths[child], depths[name] + 1), len(self.groups))
        return sorted(self.groups, key=lambda name: (name != ALL, depths[name], name))

    def told(self) -> dict[str, dict[str, JSON]]:
        """Host -> all its variables, those of its groups included."""
        found: dict[str, dict[str, JSON]] = {host: {} for host in self.hosts}
        for name in self.outer_first():
            for host in self.hosts if name == ALL else self.within(name):
                found[host].update(self.groups[name].variables)
        return {host: {**variables, **self.hosts[host]} for host, variables in found.items()}
