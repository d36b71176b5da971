"""What a flip to immutable leaves in place: it goes on until somebody takes it away."""

from __future__ import annotations

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.lifecycle import record
from vitrify.lifecycle.flip import InPlace, own_folders, to_image
from vitrify.lifecycle.lodging import live
from vitrify.lifecycle.mutable import DONE, scope, seen_from
from vitrify.lifecycle.strangers import along
from vitrify.lifecycle.world import World


async def notices(server: Server, host: Host, world: World) -> tuple[str, ...]:
    """What a plan of an immutable server says of what was converged in place: nothing where there is nothing of that."""
    if (server.name, host.name) not in world.state.managed():
        return ()
    if live(server.name, world):
        command = f"vitrify retire {server.name} --only in-place"
        return (f"left over of before the flip: what was converged in place on {host.name} goes on until `{command}`",)
    converged = record.last(world.ledger, server=server.name, host=host.name, kinds=(DONE,))
    entry = f" entry {converged.sequence}" if converged else ""
    first = f"flips from mutable to immutable: what{entry} converged in place goes on until it is taken away"
    try:
        found = await in_place(server, host, world)
    except VitrifyError as error:
        unseen = f"assumed: {host.name} holds no state of its own; it could not be looked at: {error.diagnostics[0].summary}"
        return (first, unseen, *to_image(server, host, InPlace(), kinds=world.kinds))
    return (first, *to_image(server, host, found, kinds=world.kinds))


async def in_place(server: Server, host: Host, world: World) -> InPlace:
    """What the host holds of the server: one look, which changes nothing."""
    folders, guests = own_folders(server.resources), along(server.resources, world)
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "resources": [resource.to_json() for resource in server.resources],
        "folders": list(folders),
        "full": False,
        **guests.arguments,
    }
    async with world.session(host) as session:
        answer = await session.call("audit", arguments, contents=guests.contents, emit=world.emit)
    baseline, sweep = answer.get("baseline"), answer.get("sweep")
    known, now = (set(each) if isinstance(each, dict) else set() for each in (baseline, sweep))
    return InPlace(tuple(seen_from(answer).owned), tuple(sorted(now - known)) if known else ())
