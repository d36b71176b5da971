"""Where the instances of a server run: where its releases were put, whatever the declaration says by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.lifecycle.world import World
from vitrify.ports import Release

HERE: Final = Host("local")


def lodged(server: str, world: World) -> tuple[Host, ...]:
    """The hosts on which instances of a server may run: those that have a release which is not over, or something under way."""
    open_at = {operation.host.name for operation in world.state.open_operations(server)}

    def kept(host: Host) -> bool:
        return host.name in open_at or any(not release.over for release in world.state.releases(server, host=host.name))

    return tuple(host for host in world.state.hosts(server) if kept(host))


def lodging(server: str, world: World) -> Host:
    """The host of a server's instances; this machine where there is no release that says otherwise."""
    return next(iter(lodged(server, world)), HERE)


def lodgings(servers: Iterable[str], world: World) -> Mapping[Host, tuple[str, ...]]:
    """Each host on which instances of these servers run, with the servers."""
    found: dict[Host, tuple[str, ...]] = {}
    for server in servers:
        host = lodging(server, world)
        found[host] = (*found.get(host, ()), server)
    return found


def live(server: str, world: World) -> Release | None:
    """The newest release that is live on any of its hosts."""
    numbers = [number for host in world.state.hosts(server) if (number := world.state.slots(server, host.name).live)]
    return world.state.release(server, max(numbers)) if numbers else None


def live_image(server: str, world: World) -> str:
    """The image of that release; `UsageInvalid` where there is none."""
    release = live(server, world)
    if release is None:
        hint = "name an image by its digest (`sha256:…`), or the folder of an OCI layout by a path with a slash"
        raise UsageInvalid(f"{server} has no live release whose image could be verified", hint=hint)
    return release.image


def refuse_move(server: Server, host: Host, world: World) -> None:
    """UsageInvalid where the server has instances on another host than this one: nobody would ever look after them again."""
    known = lodging(server.name, world)
    live = world.state.slots(server.name, known.name).live
    if live and known != host:
        raise UsageInvalid(
            f"{server.name} is declared on {host.name}, and its live release {live} runs on {known.name}",
            where=server.where,
            hint=f"`vitrify retire {server.name} --only instances` takes it away there, or declare the second host as another server",
        )
