"""The assessment: what the choice between mutable and immutable costs each server, from the ledger and the hosts. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from vitrify.core.assess.assessment import Assessment, assessed
from vitrify.core.assess.measured import OPAQUE, Looked
from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.resource import Kinds, Phase, Resource
from vitrify.core.trend import Told
from vitrify.lifecycle.attempts import moment
from vitrify.lifecycle.flip import InPlace, few
from vitrify.lifecycle.left_in_place import in_place
from vitrify.lifecycle.outdated import outdated
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World


async def assess(servers: Sequence[Server], world: World, *, days: int, parallel: int) -> Assessment:
    """Every server, over so many days. What a host cannot tell is told as not known, and why."""
    rows = await outdated(servers, world, parallel=parallel)
    found = await side_by_side([partial(_obstacles, server, world) for server in servers], at_most=parallel)
    looked = [
        Looked(
            server,
            behind=tuple(row for row in rows if row.server == server.name),
            releases=tuple(release.resources for release in sorted(world.state.releases(server.name), key=lambda one: one.number)),
            obstacles=(f"nobody can say what is in the way: {one.diagnostics[0].summary}",) if isinstance(one, VitrifyError) else one,
        )
        for server, one in zip(servers, found, strict=True)
    ]
    entries = (Told(entry.kind, moment(entry.at), dict(entry.body)) for entry in world.ledger.entries(0))
    return assessed(entries, looked, days=days, now=world.clock.now())


async def _obstacles(server: Server, world: World) -> tuple[str, ...]:
    if server.lifecycle is Lifecycle.IMMUTABLE:
        return ()
    seen = [await in_place(server, host, world) for host in server.hosts]
    return tuple(obstacles(server, seen, kinds=world.kinds))


def obstacles(server: Server, seen: Sequence[InPlace], *, kinds: Kinds) -> Iterator[str]:
    """What is in the way of a flip to immutable, in words. Pure."""
    wishes = [wish for wish in server.resources if not wish.absent]
    bare = [wish for wish in wishes if Phase.BAKE not in kinds[wish.address.kind].phases]
    if bare:
        yield f"cannot act while an image is baked: {_named(bare)}"
    if commands := [wish for wish in wishes if wish.address.kind in OPAQUE]:
        yield f"runs what nobody can foresee: {_named(commands)}"
    kept = (*server.writable, *server.volumes)
    undeclared = sorted({path for one in seen for path in one.undeclared})
    if lost := [path for path in undeclared if not any(path == folder or path.startswith(f"{folder}/") for folder in kept)]:
        yield f"holds state that nobody declared: {few(lost)}"
    lacking = [] if any(wish.address.kind == "process" for wish in wishes) else ["a `process`"]
    lacking += [] if server.base else ["a `base`"]
    if lacking:
        yield f"the declaration lacks {' and '.join(lacking)}"
    if server.apart:
        yield f"is not the same on all hosts: {few(sorted(server.apart))}"


def _named(wishes: Sequence[Resource]) -> str:
    return few([str(wish.address) for wish in wishes])
