"""The duty `health`: whether what runs serves, and who is changing it. Only told: what is ill is still there to be looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.lifecycle import holders
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.world import World


class Health:
    """Asked as each release wants it to be asked."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each host, whether its process or its instances are asked, and one for the leases of a server."""
        for server in charge.servers:
            every, immutable = server.schedule.health, server.lifecycle is Lifecycle.IMMUTABLE
            yield Job("health", server.name, every, partial(_leases, server, charge))
            for host in lodged(server.name, charge.world) if immutable else server.hosts if server.health else ():
                look = partial(_instances if immutable else _process, server, host, charge.world)
                yield Job("health", server.name, every, partial(_looked, server.name, host, look, charge), host=host.name)


async def _leases(server: Server, charge: Charge) -> str:
    charge.board.leases[server.name] = await holders.held([server], charge.world, parallel=charge.parallel)
    return ""


Look = Callable[[], Awaitable[dict[str, str]]]


async def _looked(server: str, host: Host, look: Look, charge: Charge) -> str:
    """Note how it is, and tell of what is not as it was."""
    now, world, place = await look(), charge.world, (server, host.name)
    before, charge.board.ill[place] = charge.board.ill.get(place, {}), now
    for name, reason in now.items():
        if reason and not before.get(name):
            world.say("health", name, reason, stage=Stage.FAILED)
        elif before.get(name) and not reason:
            world.say("health", name, "passes again", stage=Stage.DONE)
    return ""


async def _instances(server: Server, host: Host, world: World) -> dict[str, str]:
    """Id -> why it does not pass."""
    checks = {str(one.number): from_json(one.settings).health for one in world.state.releases(server.name) if not one.over}
    found: dict[str, str] = {}
    async with world.site(host) as site:
        for instance in await site.runtime.instances(world.labels(server.name)):
            check = checks.get(instance.labels.get("release", ""))
            if check is not None and not instance.gone:
                found[instance.id] = await site.runtime.healthy(instance.id, check)
    return found


async def _process(server: Server, host: Host, world: World) -> dict[str, str]:
    """The host's name -> why what runs there does not pass. One that does not answer is ill as well."""
    assert server.health is not None  # noqa: S101  asked before
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "health": server.health.to_json(),
        "port": server.health.port or server.port,
    }
    try:
        async with world.session(host) as session:
            return {host.name: str((await session.call("host.healthy", arguments))["reason"])}
    except VitrifyError as error:
        return {host.name: error.diagnostics[0].summary}
