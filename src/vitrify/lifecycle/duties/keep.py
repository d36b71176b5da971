"""The duty `keep`: all instances of a live release are there, and the routers before them; what ended is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.lifecycle import attempts, upkeep
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.mending import mend, mends
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.world import World
from vitrify.ports import Release


class Keep:
    """Instances end with their keeper, or with the machine where nothing brings them back: what crashes alone, its keeper restarts."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each host of an immutable server."""
        for server in charge.servers:
            for host in lodged(server.name, charge.world) if server.lifecycle is Lifecycle.IMMUTABLE else ():
                yield Job("keep", server.name, server.schedule.keep, partial(_kept, server, host, charge), host=host.name)


async def _kept(server: Server, host: Host, charge: Charge) -> str:
    """Look without a lease; only what there is to do is done with one."""
    world = charge.world
    number = world.state.slots(server.name, host.name).live
    live = world.state.release(server.name, number) if number else None
    lost = await _seen(server.name, host, live, charge)
    told = [await _routers_back(server.name, host, world)] if lost else []
    if live is not None and _to_mend(server.name, host, live, charge):
        told.append(await _mended(server, host, world))
    return "; ".join(filter(None, told))


async def _seen(server: str, host: Host, live: Release | None, charge: Charge) -> tuple[str, ...]:
    """Note the instances; the routers that should run there and do not."""
    world = charge.world
    async with world.site(host) as site:
        charge.board.instances[server, host.name] = await site.runtime.instances(world.labels(server))
        if live is None or from_json(live.settings).route is None:
            return ()
        return _names((await site.session.call("router.lost", {"home": site.home}))["routers"])


def _names(value: JSON) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


async def _routers_back(server: str, host: Host, world: World) -> str:
    async with holding(server, host, world, reason="router") as site:
        back = _names((await site.session.call("router.revive", {"home": site.home}))["routers"])
    return f"routers that were gone are back: {', '.join(back)}" if back else ""


def _to_mend(server: str, host: Host, live: Release, charge: Charge) -> bool:
    """Whether there are too few instances, or a replacement was begun; another operation is whoever's it is."""
    operation = charge.world.state.open_operation(server, host.name)
    if operation is not None:
        return mends(operation)
    own = [instance for instance in charge.board.instances[server, host.name] if instance.labels.get("release") == str(live.number)]
    return upkeep.too_few(own, replicas=from_json(live.settings).replicas)


async def _mended(server: Server, host: Host, world: World) -> str:
    before = attempts.recent(world.ledger, "replace", (server.name, host.name), now=world.clock.now())
    left = before.pause(now=world.clock.now())
    if left > 0:
        raise TargetFailed(f"too few instances, and replaced {before.count} times within the hour: again in {left:.0f} s")
    released = await mend(server, host, world)
    return f"release {released.release} runs as {', '.join(released.instances)}" if released else ""
