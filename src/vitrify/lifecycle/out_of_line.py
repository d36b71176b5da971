"""Hosts of an immutable server that have not what its other hosts have, as findings of an audit: what a partial rollout leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

from vitrify.core.declaration import Host, Server
from vitrify.core.drift import Class, Finding
from vitrify.lifecycle.lodging import abandoned, live, places
from vitrify.lifecycle.world import World


def findings(server: Server, world: World) -> Iterator[Finding]:
    """One for each host whose live release is another than the newest that is live anywhere, or on which it is declared no more."""
    newest = live(server.name, world)
    for host in places(server) if newest else ():
        here = world.state.slots(server.name, host.name).live
        if newest and here != newest.number:
            what = f"release {here} is live" if here else "no release is live"
            yield _finding(server, host, f"{what} here, release {newest.number} on other hosts", change="changed", answer="join")
    for host in abandoned(server, world):
        if here := world.state.slots(server.name, host.name).live:
            yield _finding(server, host, f"release {here} is live here, and the host is declared no more", change="added", answer="retire")


def _finding(server: Server, host: Host, told: str, *, change: str, answer: str) -> Finding:
    return Finding(
        server=server.name,
        where=host.name,
        path=f"release:{server.name}",
        change=change,
        details=(told,),
        classed=Class.AUTHORISED,
        evidence="ledger",
        answer=answer,
    )
