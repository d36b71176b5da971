"""Has a host act: over a connection that must hold, or detached from one that may break."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrify.core.declaration import Content, Host
from vitrify.core.digest import JSONObject
from vitrify.lifecycle.world import World
from vitrify.ports import Session

SPOOL = "/run/vitrify"
"""Where a host keeps what a detached call says."""


@dataclass(frozen=True)
class Act:
    """One call that changes a host, for one operation of the ledger: asked for again, it is the same act."""

    call: str
    operation: str
    arguments: JSONObject
    contents: Mapping[str, Content] = field(default_factory=dict)


async def carried_out(act: Act, host: Host, session: Session, world: World) -> JSONObject:
    """The call's answer. Another machine does not need us any more once it has begun, and says `resumed` where it had before."""
    if not host.is_remote:
        return await session.call(act.call, act.arguments, contents=act.contents, emit=world.emit)
    arguments: JSONObject = {"call": act.call, "operation": act.operation, "spool": SPOOL, "arguments": act.arguments}
    try:
        return await session.call("detached", arguments, contents=act.contents, emit=world.emit)
    except asyncio.CancelledError:
        world.say("detached", host.name, f"the {_NAMES[act.call]} goes on there; run the same command again to follow it to its end")
        raise


_NAMES = {"enact": "apply", "undo": "undo", "accept": "accept"}
