"""Named lists of hosts, with variables that hold for each of them wherever it is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vitrify.core.diagnostic import Location
from vitrify.core.schema import near
from vitrify.project.envelope import GroupPart
from vitrify.project.node import Entry, Node
from vitrify.project.part import read
from vitrify.project.problems import Problems
from vitrify.project.sections import named
from vitrify.project.variables import Scope, fill, variables_of

LOCAL = "local"


@dataclass(frozen=True)
class Group:
    """One group: the groups that it holds, its hosts as written (those of inner groups too), and its variables."""

    name: str
    inner: frozenset[str]
    hosts: tuple[Node, ...]
    variables: Mapping[str, Node]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its hosts."""
        return tuple(_at(item) for item in self.hosts)


@dataclass(frozen=True)
class Groups:
    """All groups, outer ones before those that they hold, otherwise in the order of the file."""

    all: tuple[Group, ...] = ()
    variables: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)
    """Host -> its own variables, as groups give them."""
    holding: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)
    """Host -> the groups that hold it, in the order in which their variables count."""

    def named(self, name: str) -> Group | None:
        """The group of this name."""
        return next((group for group in self.all if group.name == name), None)

    def of(self, host: str) -> tuple[Group, ...]:
        """The groups that hold a host, in the order in which their variables count: the later wins."""
        return self.holding.get(host, ())

    def spelt_out(self, node: Node, problems: Problems) -> Node:
        """A server whose `hosts` name hosts only: each group is replaced by its own. A host reached twice by groups is there once."""
        hosts = node.get("hosts")
        if hosts is None or not hosts.items or not self.all:
            return node
        found: list[Node] = []
        reached = {_at(item) for item in hosts.items}
        for item in hosts.items:
            group = self._group_of(item, problems)
            if group is None:
                found.append(item)
                continue
            for host in group.hosts:
                if _at(host) not in reached:
                    reached.add(_at(host))
                    at = host.get("at") or host
                    found.append(Node({"at": Entry(at.at, at)}, at.at))
        return Node({**node.entries, "hosts": Entry(node.entries["hosts"].at, Node(tuple(found), hosts.at))}, node.at)

    def _group_of(self, item: Node, problems: Problems) -> Group | None:
        group = self.named(_at(item))
        if group and item.entries and len(item.entries) > 1:
            problems.add(
                f"`{group.name}` is a group", item.at, hint=f"name it alone, as in `hosts: [{group.name}]`; its variables stand in `groups`"
            )
        if group is None:
            _refuse_unknown(item, [one.name for one in self.all], problems)
        return group


def groups(root: Node, scope: Scope, problems: Problems) -> Groups:
    """The `groups` of a declaration, checked."""
    written = {name: Entry(at, _filled(node, scope, problems)) for name, (at, node) in named(root.get("groups"), "group", problems)}
    if LOCAL in written:
        problems.add(f"a group cannot be called `{LOCAL}`", written[LOCAL].at, hint="that is this machine")
    reading = _Reading(written, problems)
    found = [reading.group(name) for name in written]
    variables: dict[str, Mapping[str, Node]] = {}
    for entry in written.values():
        for item in _items(entry.node):
            own = variables_of(item, problems)
            variables[_at(item)] = {**variables.get(_at(item), {}), **own}
    ordered = _outer_first(found)
    holding: dict[str, list[Group]] = {}
    for group in ordered:
        for host in group.names:
            holding.setdefault(host, []).append(group)
    return Groups(ordered, variables, {host: tuple(held) for host, held in holding.items()})


class _Reading:
    """One pass over all groups; each is checked once."""

    def __init__(self, written: Mapping[str, Entry], problems: Problems) -> None:
        self._written = written
        self._problems = problems
        for name, (at, node) in written.items():
            direct = tuple(item for item in _items(node) if _at(item) not in written)
            for item in direct:
                _refuse_unknown(item, list(written), problems)
            hosts = node.get("hosts")
            part = {**node.entries, "hosts": Entry(at, Node(direct, node.at))} if hosts and hosts.items else node.entries
            read(GroupPart, Node(part, node.at) if node.entries else node, owner=at, problems=problems)
            self._refuse_circle(name, at)

    def group(self, name: str) -> Group:
        """The group, with the hosts of those that it holds."""
        held = self._held(name)
        hosts = {_at(item): item for one in (name, *held) for item in _items(self._written[one].node) if _at(item) not in self._written}
        return Group(name, frozenset(held), tuple(hosts.values()), variables_of(self._written[name].node, self._problems))

    def _held(self, name: str) -> tuple[str, ...]:
        """The groups within a group, at any depth, nearest first."""
        found: dict[str, None] = {}
        level = [name]
        while level:
            level = [inner for one in level for inner in self._inner(one) if inner != name and inner not in found]
            found.update(dict.fromkeys(level))
        return tuple(found)

    def _inner(self, name: str) -> list[str]:
        return [_at(item) for item in _items(self._written[name].node) if _at(item) in self._written]

    def _refuse_circle(self, name: str, at: Location) -> None:
        for inner in (name, *self._held(name)):
            for item in _items(self._written[inner].node):
                if _at(item) == name:
                    self._problems.add(f"the group `{name}` holds itself", item.at, why=f"`{name}` is declared at {at}")


def _outer_first(found: list[Group]) -> tuple[Group, ...]:
    ordered: list[Group] = []
    waiting = list(found)
    while waiting:
        first = next((one for one in waiting if not any(one.name in other.inner for other in waiting if other is not one)), waiting[0])
        waiting.remove(first)
        ordered.append(first)
    return tuple(ordered)


def _filled(node: Node, scope: Scope, problems: Problems) -> Node:
    """The group with variables filled into the names of its hosts; its own variables and theirs are literal."""
    hosts = node.get("hosts")
    if hosts is None:
        return node
    items = tuple(_host_filled(item, scope, problems) for item in hosts.items)
    whole = Node(items, hosts.at) if hosts.items else fill(hosts, scope, problems)
    return Node({**node.entries, "hosts": Entry(node.entries["hosts"].at, whole)}, node.at)


def _host_filled(item: Node, scope: Scope, problems: Problems) -> Node:
    if not item.entries:
        return fill(item, scope, problems)
    return Node(
        {key: entry if key == "vars" else Entry(entry.at, fill(entry.node, scope, problems)) for key, entry in item.entries.items()},
        item.at,
    )


def _items(node: Node) -> Iterator[Node]:
    hosts = node.get("hosts")
    yield from hosts.items if hosts else ()


def _at(item: Node) -> str:
    """The host that an item of `hosts` names."""
    at = item.get("at") or item
    return at.value if isinstance(at.value, str) else ""


def _refuse_unknown(item: Node, known: list[str], problems: Problems) -> None:
    """Note a name that is neither a group nor looks like a host."""
    name = _at(item)
    if name and ":" not in name and name not in (LOCAL, *known):
        at = item.get("at") or item
        if not problems.told(at.at):
            hint = near(name, [*known, LOCAL]) or f"groups: {', '.join(known)}"
            problems.add(f"there is no host or group `{name}`", at.at, hint=hint)
