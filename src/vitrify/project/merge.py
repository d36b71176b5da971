"""The same address twice: equal wishes are one, different ones an error that shows both places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.resource import Address, Kinds, Resource
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


def fights(found: Iterable[Compiled], kinds: Kinds, problems: Problems) -> None:
    """Note each file that two resources would write, and whatever else cannot be as two of them want it: no apply would ever be done."""
    present = [(one, one.resource) for one in found if one.resource]
    owners: dict[str, Compiled] = {}
    for one, resource in present:
        for path in _written_whole(resource, kinds):
            other = owners.setdefault(path, one)
            if other is not one:
                hint = "leave the path to one of them"
                problems.add(f"`{one.address}` writes {path}, and so does `{other.address}`", one.wish.at, why=_place(other), hint=hint)
    _opposed(present, kinds, problems)
    for one, resource in present:
        whole = owners.get(str(resource.fields.get("path"))) if kinds[resource.address.kind].shares else None
        if whole:
            without = ", or declare that file without a content" if whole.address.kind == "file" else ""
            problems.add(
                f"`{one.address}` changes a file that `{whole.address}` writes whole",
                one.wish.at,
                why=_place(whole),
                hint=f"put the line into what `{whole.address}` writes{without}",
            )


def _opposed(present: Iterable[tuple[Compiled, Resource]], kinds: Kinds, problems: Problems) -> None:
    """Note each two resources that cannot both be as wished."""
    known = {resource.address: (one, resource) for one, resource in present}
    others = {address: resource for address, (_, resource) in known.items()}
    for one, resource in known.values():
        for address, why in kinds[resource.address.kind].opposed(resource, others).items():
            other = known[address][0]
            summary = f"`{one.address}` cannot be as wished beside `{address}`: {why}"
            problems.add(summary, one.wish.at, why=_place(other), hint="take one of them out, or let them agree")


def _place(other: Compiled) -> str:
    return f"the other one is at {other.wish.at}"


def _written_whole(resource: Resource, kinds: Kinds) -> Iterable[str]:
    """The files and links whose whole content is this resource's."""
    kind, entries = kinds[resource.address.kind], resource.fields.get("entries")
    if resource.absent or kind.shares or kind.name == "directory" or (kind.name == "file" and "content" not in resource.fields):
        return ()
    if not isinstance(entries, Mapping):
        return kind.owned_paths(resource)
    folders = {name for name, entry in entries.items() if isinstance(entry, Mapping) and entry.get("type") == "directory"}
    top = str(resource.fields["to"])
    return [path for path in kind.owned_paths(resource) if path != top and path.removeprefix(f"{top}/") not in folders]


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
