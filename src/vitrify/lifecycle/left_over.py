"""What a flip to mutable leaves running: instances go on serving until somebody takes them away."""

from __future__ import annotations

from vitrify.core.declaration import Host, Server
from vitrify.core.instance import Instance
from vitrify.lifecycle.flip import to_host
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.world import World


def may_run(server: str, world: World) -> bool:
    """Whether instances of this server may still run; asks nobody for it."""
    return bool(lodged(server, world))


def command(server: str) -> str:
    """What takes them away."""
    return f"vitrify retire {server} --only instances"


async def notices(server: Server, host: Host, world: World) -> tuple[str, ...]:
    """What a plan of a server that is changed in place says of its instances; on its first host alone, as they are no host's."""
    wished = bool(server.wishes(host))  # who wishes for nothing is taken away itself, and its other side may stay
    if not wished or host != server.hosts[0] or not may_run(server.name, world):
        return ()
    running: list[Instance] = []
    for place in lodged(server.name, world):
        async with world.site(place) as site:
            running += [instance for instance in await site.runtime.instances(world.labels(server.name)) if not instance.gone]
    if not running:
        return ()
    releases = sorted({int(instance.labels.get("release", "0")) for instance in running})
    named = f"release{'s' if releases[1:] else ''} {', '.join(map(str, releases))}"
    told = f"flipped from immutable to mutable: instances of {named} go on serving until `{command(server.name)}`"
    begun = [
        f"the rollout of release {number} has not ended: `vitrify abort {server.name}` takes it back"
        for number in _begun(server.name, world)
    ]
    return (told, *begun, *to_host(server, host))


def _begun(server: str, world: World) -> list[int]:
    """The releases that were on their way in when the server was flipped."""
    return sorted({one.release for one in world.state.open_operations(server) if one.kind == "release"})
