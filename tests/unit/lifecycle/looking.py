"""What the tests of audits begin with: a server converged, a folder of its own, and a look at it."""

from __future__ import annotations

from dataclasses import replace

from bench import Bench, do

from vitrify.core.declaration import Server
from vitrify.core.drift import Audit
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle import mutable
from vitrify.lifecycle.audit import audit


def look(bench: Bench, *servers: Server, full: bool = False) -> Audit:
    """What an audit of these finds."""
    return do(audit(servers, bench.world, full=full))


def converge(bench: Bench, server: Server) -> None:
    """Plan, and apply that."""
    do(mutable.apply(server, server.hosts[0], do(mutable.plan(server, server.hosts[0], bench.world)), bench.world))


def folder_of(server: Server, path: str) -> Server:
    """The server with a folder of its own, in which everything is a finding that nobody declared."""
    return replace(server, resources=(Resource(Address("directory", path), {"path": path}), *server.resources))
