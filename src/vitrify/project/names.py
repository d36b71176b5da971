"""The names that a declaration holds, for completing them: whatever is wrong with it, what can be read is offered."""

from __future__ import annotations

from collections.abc import Iterator

from vitrify.core.diagnostic import VitrifyError
from vitrify.project.find import NAME, find
from vitrify.project.node import Node
from vitrify.project.problems import Problems


def environments(folder: str) -> list[str]:
    """The names of environments."""
    return list(_section(_root(folder), "environments"))


def pickable(folder: str) -> list[str]:
    """The names of servers, of groups and of hosts."""
    root = _root(folder)
    servers, groups = _section(root, "servers"), _section(root, "groups")
    return list(dict.fromkeys([*servers, *groups, *_hosts([*servers.values(), *groups.values()])]))


def _root(folder: str) -> Node | None:
    from vitrify.project.yaml import parse

    try:
        path = find(folder)
        # A vitrify.py is a program, and pressing a key is not a wish to run it.
        return parse(path.read_bytes(), file=str(path), problems=Problems()) if path.name == NAME else None
    except (VitrifyError, OSError):
        return None


def _section(root: Node | None, name: str) -> dict[str, Node]:
    found = root.get(name) if root else None
    return {key: entry.node for key, entry in found.entries.items()} if found else {}


def _hosts(owners: list[Node]) -> Iterator[str]:
    for owner in owners:
        hosts = owner.get("hosts")
        for item in hosts.items if hosts else ():
            at = (item.get("at") or item).value
            if isinstance(at, str):
                yield at
