"""Picks servers and hosts by the words of `--limit` and `--exclude`: names of servers, of groups and of hosts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from vitrify.core.declaration import Declaration, Host, Lifecycle, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.schema import near

if TYPE_CHECKING:
    from vitrify.core.plan import HostPlan, ReleasePlan


def choose(declaration: Declaration, *, limit: Sequence[str], exclude: Sequence[str]) -> tuple[Server, ...]:
    """The servers, each with those of its hosts that were picked; UsageInvalid where a pattern picks nothing at all.

    A server that is picked in part knows the hosts that were left out. Of an immutable one all that are this machine are one host.
    """
    names = _Names(declaration)
    for pattern in (*limit, *exclude):
        names.refuse_unknown(pattern)
    found = []
    for server in declaration.servers:
        hosts = [host for host in server.hosts if not limit or names.picked(server, host, limit)]
        left = [host for host in hosts if not (exclude and names.picked(server, host, exclude))]
        if server.lifecycle is Lifecycle.IMMUTABLE and not all(host.is_remote for host in left):
            left = [host for host in server.hosts if host in left or not host.is_remote]
        if left:
            out = tuple(host for host in server.hosts if host not in left)
            found.append(replace(server, hosts=tuple(left), left_out=out) if out else server)
    return tuple(found)


def named(declaration: Declaration, name: str) -> Server:
    """The server of this name; UsageInvalid where there is none."""
    found = next((server for server in declaration.servers if server.name == name), None)
    if found is None:
        raise UsageInvalid(f"there is no server {name!r}", hint=f"servers: {', '.join(server.name for server in declaration.servers)}")
    return found


def with_tags(tags: Collection[str], servers: Sequence[Server]) -> tuple[Server, ...]:
    """The servers of which a part can be applied by these tags: an image is made whole or not at all. UsageInvalid for an unknown tag."""
    if not tags:
        return tuple(servers)
    mutable = tuple(server for server in servers if server.lifecycle is Lifecycle.MUTABLE)
    refuse_unknown_tags(tags, mutable)
    return mutable


def only_tagged(
    tags: Sequence[str], planned: Sequence[HostPlan | ReleasePlan], servers: Sequence[Server]
) -> tuple[HostPlan | ReleasePlan, ...]:
    """Of these plans the part that is about resources with one of these tags; all of them where there are no tags."""
    if not tags:
        return tuple(planned)
    from vitrify.core.plan import HostPlan, tagged

    by_name = {server.name: server for server in servers}
    parts = [(one, by_name[one.server]) for one in planned if isinstance(one, HostPlan)]
    return tuple(tagged(one, server.wishes(server.host(one.host)), tags=tags) for one, server in parts)


def refuse_unknown_tags(tags: Collection[str], servers: Sequence[Server]) -> None:
    """UsageInvalid for a tag that no resource of these servers has."""
    known = sorted({tag for server in servers for host in server.hosts for wish in server.wishes(host) for tag in wish.tags})
    for tag in tags:
        if tag not in known:
            hint = near(tag, known) or (f"tags: {', '.join(known)}" if known else "no resource has `tags`")
            raise UsageInvalid(f"no resource has the tag {tag!r}", hint=hint)


def bare(host: str) -> str:
    """The name of a machine without how it is reached: `db1` of `ssh://admin@db1:2222`."""
    address = host.partition("://")[2].rpartition("@")[2]
    name, colon, port = address.rpartition(":")
    return name if colon and port.isdecimal() else address or host


class _Names:
    """What a pattern can mean in one declaration."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._groups: dict[str, list[str]] = {}
        for name, hosts in declaration.groups.items():
            for host in hosts:
                self._groups.setdefault(host, []).append(name)

    def picked(self, server: Server, host: Host, patterns: Sequence[str]) -> bool:
        """Whether one of the patterns means this host of this server."""
        names = (server.name, host.name, bare(host.name), *self._groups.get(host.name, ()))
        return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)

    def refuse_unknown(self, pattern: str) -> None:
        """UsageInvalid where a pattern means nothing at all."""
        servers, groups = self._declaration.servers, self._declaration.groups
        if any(self.picked(server, host, (pattern,)) for server in servers for host in server.hosts):
            return
        hosts = list(dict.fromkeys(host.name for server in servers for host in server.hosts))
        names = [server.name for server in servers]
        told = [f"servers: {', '.join(names)}", *([f"groups: {', '.join(groups)}"] if groups else [])]
        hint = near(pattern, [*names, *groups, *hosts, *map(bare, hosts)]) or "; ".join(told)
        raise UsageInvalid(f"no server, group or host is called {pattern!r}", hint=hint)
