"""Taking a server out of service: every instance is stopped and discarded, its route forgotten; images and history stay."""

from __future__ import annotations

from typing import Final

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.lifecycle import record
from vitrify.lifecycle.collection import tidy
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import lodging
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Operation, Slots

RETIRE: Final = "retire"


async def retire(server: str, world: World) -> int:
    """Stop and discard every instance of a server; killed midway, the same command goes on. Returns how many there were."""
    async with holding(server, lodging(server, world), world, reason="retire") as site:
        ended = await carry_out_retirement(_begun(server, site, world), site, world)
        await tidy(server, site, world)
        return ended


def _begun(server: str, site: Site, world: World) -> Operation:
    """The retirement that is under way, or a new one."""
    operation = world.state.open_operation(server, site.host.name)
    if operation is not None and operation.kind == RETIRE:
        return operation
    if operation is not None:
        _give_up(operation, world)
    releases = world.state.releases(server, host=site.host.name)
    if not releases:
        raise UsageInvalid(
            f"{server} has no release to retire", hint=f"servers with releases: {', '.join(world.state.servers()) or 'none'}"
        )
    number = world.state.slots(server, site.host.name).live or releases[0].number
    release = next(release for release in releases if release.number == number)
    fresh = Operation(world.identify(), server, site.host, RETIRE, number, "begin", {"since": world.ledger.size, "token": site.token})
    return world.state.begin(release, fresh)[1]


def _give_up(operation: Operation, world: World) -> None:
    """End a rollout that was cut short where it is: all instances leave, whatever it wanted, and its server may be declared no more."""
    since = operation.data.get("since")
    body: JSONObject = {
        "operation": operation.id,
        "server": operation.server,
        "release": operation.release,
        "reason": "the server is retired",
    }
    record.once(world.ledger, f"{operation.kind}.failed", body, since=since if isinstance(since, int) else 0)
    world.state.finish(operation.id, slots=None, states={operation.release: "aborted"} if operation.kind == "release" else {})


async def carry_out_retirement(operation: Operation, site: Site, world: World) -> int:
    """Traffic first, then the instances, then what we remember."""
    server, since = operation.server, operation.data.get("since")
    start = since if isinstance(since, int) else 0
    record.once(world.ledger, "retire.intended", {"operation": operation.id, "server": server, "token": site.token}, since=start)
    release = world.state.release(server, operation.release)
    settings = from_json(release.settings) if release else None
    if settings and settings.route:
        await site.router.release(settings.route, server=server)
    found = await site.runtime.instances(world.labels(server))
    for instance in found:
        if not instance.gone:
            await site.runtime.stop(instance.id, grace=5.0)
        await site.runtime.discard(instance.id)
        world.say("instance.discard", instance.id, stage=Stage.DONE)
    record.once(world.ledger, "retire.done", {"operation": operation.id, "server": server, "instances": len(found)}, since=start)
    states = {release.number: "discarded" for release in world.state.releases(server, host=operation.host.name)}
    world.state.finish(operation.id, slots=Slots(), states=states)
    return len(found)
