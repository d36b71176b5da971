"""Where the instances of a server run: where its newest release was put, whatever the declaration says by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.lifecycle.world import World

HERE: Final = Host("local")


def lodging(server: str, world: World) -> Host:
    """The host of a server's instances; this machine where there is no release that says otherwise."""
    for release in world.state.releases(server):
        if not release.over:
            return _from_json(release.settings.get("host"))
    return HERE


def lodged(server: str, world: World) -> tuple[Host, ...]:
    """Every host on which a release of this server ever was to run."""
    return tuple(dict.fromkeys(_from_json(release.settings.get("host")) for release in world.state.releases(server)))


def lodgings(servers: Iterable[str], world: World) -> Mapping[Host, tuple[str, ...]]:
    """Each host on which instances of these servers run, with the servers."""
    found: dict[Host, tuple[str, ...]] = {}
    for server in servers:
        host = lodging(server, world)
        found[host] = (*found.get(host, ()), server)
    return found


def to_json(host: Host) -> JSONObject:
    """The form that is kept with a release."""
    return {name: value for name, value in vars(host).items() if value}


def refuse_move(server: Server, host: Host, world: World) -> None:
    """UsageInvalid where the server has instances on another host than this one: nobody would ever look after them again."""
    known = lodging(server.name, world)
    live = world.state.slots(server.name).live
    if live and known != host:
        raise UsageInvalid(
            f"{server.name} is declared on {host.name}, and its live release {live} runs on {known.name}",
            where=server.where,
            hint=f"`vitrify retire {server.name} --only instances` takes it away there, or declare the second host as another server",
        )


def _from_json(data: JSON) -> Host:
    if not isinstance(data, dict):
        return HERE
    port = data.get("port")
    return Host(
        name=str(data["name"]),
        folder=str(data.get("folder", "")),
        address=str(data.get("address", "")),
        user=str(data.get("user", "")),
        port=port if isinstance(port, int) else None,
    )
