"""The same address twice: equal wishes are one, different ones an error that shows both places."""

from __future__ import annotations

from collections.abc import Iterable

from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.resource import Address, Resource
from vitrify.project.compile import Compiled
from vitrify.project.problems import Problems


def merged(found: Iterable[Compiled], problems: Problems) -> tuple[list[Compiled], list[str]]:
    """One wish for each address, where the first of them stood, and a notice for each `override` that overrode nothing."""
    kept: dict[Address, Compiled] = {}
    notices: list[str] = []
    for compiled in found:
        earlier = kept.get(compiled.address)
        if earlier is None:
            if compiled.override:
                notices.append(f"`{compiled.address}` ({compiled.wish.at}) says `override`, but nothing stands before it")
            kept[compiled.address] = compiled
        elif compiled.override:
            kept[compiled.address] = compiled
        elif not _equal(earlier, compiled):
            problems.add(
                f"`{compiled.address}` is declared twice, with different values",
                compiled.wish.at,
                why=f"the other one is at {earlier.wish.at}",
                hint="make them equal, or say `override: true` on the one that shall hold",
            )
    return list(kept.values()), notices


def _equal(one: Compiled, other: Compiled) -> bool:
    return one.resource == other.resource and [name for name, _ in one.after] == [name for name, _ in other.after]


def across(servers: Iterable[Server], problems: Problems) -> None:
    """Note each address for which two mutable servers declare different values on one host."""
    held: dict[tuple[str, Address], tuple[str, Resource]] = {}
    for server in servers:
        if server.lifecycle is not Lifecycle.MUTABLE:
            continue
        for host in server.hosts:
            for resource in server.wishes(host):
                where = (host.folder, resource.address)
                owner, other = held.setdefault(where, (server.name, resource))
                if owner != server.name and other != resource and resource.where:
                    both = f"`{owner}` and `{server.name}`"
                    problems.add(
                        f"the servers {both} declare different values for `{resource.address}` on `{host.name}`",
                        resource.where,
                        why=f"`{owner}` does at {other.where}",
                        hint="make them equal, or let one server own it",
                    )
