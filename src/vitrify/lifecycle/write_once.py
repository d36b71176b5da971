"""Images of a server that says `write_once`: from their bake on nobody takes them away, and afterwards they go like any other."""

from __future__ import annotations

from datetime import datetime

from vitrify.core.declaration import Server
from vitrify.core.event import Stage
from vitrify.ledger.entry import Entry, timestamp
from vitrify.lifecycle import collection, record
from vitrify.lifecycle.world import World


def keep(server: Server, world: World) -> None:
    """Have what was baked last stay for as long as is declared, counted from its bake; entered once, and again if that becomes longer."""
    baked = record.last(world.ledger, server=server.name, kinds=("bake.done",)) if server.write_once else None
    if baked is None or not world.storage.has(str(baked.body["image"])):
        return
    image = str(baked.body["image"])
    until = float(int(datetime.fromisoformat(baked.at).timestamp() + server.write_once))
    known = next((one for one in collection.pins(world) if (one.image, one.project) == (image, world.project_id)), None)
    if known is not None and known.until >= until and _entered(image, until, baked, world):
        return
    reason = known.reason if known is not None else f"{collection.WRITE_ONCE}{server.name}"  # somebody else's stays theirs
    frozen = collection.keep(image, world, reason=reason, until=until)
    how = "its files are immutable" if frozen else "its files cannot be made immutable here: that takes root, and ext4, xfs or btrfs"
    world.say("bake", server.name, f"{image} is kept until {timestamp(until)}; {how}", stage=Stage.DONE)


def _entered(image: str, until: float, baked: Entry, world: World) -> bool:
    """Whether the ledger says so since the bake: a process may die between the pin and its entry."""
    told = (entry for entry in world.ledger.entries(baked.sequence) if entry.kind == "image.pinned" and entry.body.get("image") == image)
    return any(str(entry.body.get("until", "")) >= timestamp(until) for entry in told)
