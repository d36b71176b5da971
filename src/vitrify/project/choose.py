"""Which servers a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch

from vitrify.core.declaration import Declaration, Server
from vitrify.core.diagnostic import UsageInvalid


def chosen(declaration: Declaration, *, limit: Sequence[str], exclude: Sequence[str]) -> tuple[Server, ...]:
    """The servers that these patterns leave, in order; UsageInvalid where a pattern fits none."""
    known = declaration.servers
    for pattern in (*limit, *exclude):
        if not any(fnmatch(server.name, pattern) for server in known):
            raise UsageInvalid(f"no server is called {pattern!r}", hint=f"servers: {', '.join(server.name for server in known)}")
    wanted = [server for server in known if any(fnmatch(server.name, pattern) for pattern in limit or ("*",))]
    return tuple(server for server in wanted if not any(fnmatch(server.name, pattern) for pattern in exclude))


def named(declaration: Declaration, name: str) -> Server:
    """The server of this name; UsageInvalid where there is none."""
    found = next((server for server in declaration.servers if server.name == name), None)
    if found is None:
        raise UsageInvalid(f"there is no server {name!r}", hint=f"servers: {', '.join(server.name for server in declaration.servers)}")
    return found
