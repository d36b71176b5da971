"""The duty `health`: whether what runs serves, and who is changing it. Only told: what is ill is still there to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.lifecycle import holders
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lodging import lodging
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World


class Health:
    """Asked as each release wants it to be asked."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each server."""
        for server in charge.servers:
            yield Job("health", server.name, server.schedule.health, partial(_looked, server, charge))


async def _looked(server: Server, charge: Charge) -> str:
    world, board = charge.world, charge.board
    board.leases[server.name] = await holders.held([server], world, parallel=charge.parallel)
    immutable = server.lifecycle is Lifecycle.IMMUTABLE
    now = await (_instances(server.name, world) if immutable else _hosts(server, charge))
    before = board.ill.get(server.name, {})
    board.ill[server.name] = dict(now)
    for name, reason in now.items():
        if reason and not before.get(name):
            world.say("health", name, reason, stage=Stage.FAILED)
        elif before.get(name) and not reason:
            world.say("health", name, "passes again", stage=Stage.DONE)
    return ""


async def _instances(server: str, world: World) -> Mapping[str, str]:
    checks = {str(one.number): from_json(one.settings).health for one in world.state.releases(server) if not one.over}
    found: dict[str, str] = {}
    async with world.site(lodging(server, world)) as site:
        for instance in await site.runtime.instances(world.labels(server)):
            check = checks.get(instance.labels.get("release", ""))
            if check is not None and not instance.gone:
                found[instance.id] = await site.runtime.healthy(instance.id, check)
    return found


async def _hosts(server: Server, charge: Charge) -> Mapping[str, str]:
    """A host that does not answer is ill as well, and the others are asked all the same."""
    hosts = server.hosts if server.health else ()
    found = await side_by_side([partial(_host, server, host, charge.world) for host in hosts], at_most=charge.parallel)
    return {host.name: one.diagnostics[0].summary if isinstance(one, VitrifyError) else one for host, one in zip(hosts, found, strict=True)}


async def _host(server: Server, host: Host, world: World) -> str:
    assert server.health is not None  # noqa: S101  asked before
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "health": server.health.to_json(),
        "port": server.health.port or server.port,
    }
    async with world.session(host) as session:
        return str((await session.call("host.healthy", arguments))["reason"])
