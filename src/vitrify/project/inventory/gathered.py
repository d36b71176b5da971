"""What an inventory says, as it is read: hosts, groups of them, variables of both, and remarks on what has no place here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

    def within(self, name: str, above: frozenset[str] = frozenset()) -> Iterator[str]:
        """Every host of a group and of those within it; a group that holds itself ends where it does."""
        found = self.groups.get(name, Found())
        yield from found.hosts
        for child in found.children:
            if child not in above:
                yield from self.within(child, above | {name})

    def depth(self, name: str, below: frozenset[str] = frozenset()) -> int:
        """How many groups are around a group, at most."""
        around = [other for other, found in self.groups.items() if name in found.children and other not in below and other != name]
        return max((1 + self.depth(other, below | {name}) for other in around), default=0)

    def outer_first(self) -> list[str]:
        """The groups in the order in which their variables count: outer ones first, then by name."""
        return sorted(self.groups, key=lambda name: (name != ALL, self.depth(name), name))

    def told_of(self, host: str) -> dict[str, JSON]:
        """All variables of a host, those of its groups included."""
        found: dict[str, JSON] = {}
        for name in self.outer_first():
            if name == ALL or host in self.within(name):
                found.update(self.groups[name].variables)
        return found | self.hosts.get(host, {})
