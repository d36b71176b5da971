"""Where the instances of a server run: where its releases were put, whatever the declaration says by now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
    """Each host on which instances of these servers may run, with the servers."""
    found: dict[Host, tuple[str, ...]] = {}
    for server in servers:
        for host in lodged(server, world) or (HERE,):
            found[host] = (*found.get(host, ()), server)
    return found


def serving(server: str, world: World) -> tuple[Host, ...]:
    """The hosts on which a release of this server is live, or something is under way."""
    begun = {operation.host.name for operation in world.state.open_operations(server)}
    return tuple(host for host in world.state.hosts(server) if host.name in begun or world.state.slots(server, host.name).live)


def live(server: str, world: World) -> Release | None:
    """The newest release that is live on any of its hosts."""
    numbers = [number for host in world.state.hosts(server) if (number := world.state.slots(server, host.name).live)]
    return world.state.release(server, max(numbers)) if numbers else None


def served_anywhere(server: str, number: int, world: World) -> bool:
    """Whether this release is live on any of its hosts."""
    return any(world.state.slots(server, host.name).live == number for host in world.state.hosts(server))


def live_image(server: str, world: World) -> str:
    """The image of that release; `UsageInvalid` where there is none."""
    release = live(server, world)
    if release is None:
        hint = "name an image by its digest (`sha256:…`), or the folder of an OCI layout by a path with a slash"
        raise UsageInvalid(f"{server} has no live release whose image could be verified", hint=hint)
    return release.image


def places(server: Server) -> tuple[Host, ...]:
    """Of its declared hosts those that instances run on: this machine is one, by however many names it is declared."""
    here = [host for host in server.hosts if not host.is_remote][:1]
    return tuple(host for host in server.hosts if host.is_remote or host in here)


def refuse_other_name(server: Server, host: Host, world: World) -> None:
    """UsageInvalid where its instances run on this machine under another name: under two of them nobody would look after both."""
    for known in lodged(server.name, world):
        if known.name != host.name and not (known.is_remote or host.is_remote):
            raise UsageInvalid(
                f"{server.name} is declared on {host.name}, and its instances run on this machine for {known.name}",
                where=server.where,
                hint=f"`vitrify retire {server.name} --only instances` takes them away, or declare {known.name} again",
            )


def abandoned(server: Server, world: World) -> tuple[Host, ...]:
    """Hosts that have instances of it, or may have, and are declared no more."""
    declared = {host.name for host in (*server.hosts, *server.left_out)}
    return tuple(host for host in lodged(server.name, world) if host.name not in declared)


def elsewhere(server: Server, host: Host, world: World) -> Iterator[str]:
    """What a plan says, once, of the hosts that it is not about."""
    if host != places(server)[0]:
        return
    for other in server.left_out:
        live = world.state.slots(server.name, other.name).live
        yield f"{other.name} is left out of this, and stays {f'on release {live}' if live else 'without a release'}"
    for other in abandoned(server, world):
        live = world.state.slots(server.name, other.name).live
        told = f"release {live} goes on there" if live else "something of it may be there"
        yield f"{other.name} is declared no more, and {told} until `vitrify retire {server.name} --host {other.name}`"
