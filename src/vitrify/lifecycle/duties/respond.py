"""The duty `respond`: what was found is answered as the server's `respond` says; without such rules there is nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.responding import respond
from vitrify.lifecycle.side_by_side import side_by_side


class Respond:
    """A turn reads the ledger, and looks at a host only where something waits there. It stands in line behind the server's audit."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each server that has rules."""
        for server in charge.servers:
            if server.responses:
                yield Job("respond", server.name, server.schedule.respond, partial(_responded, server, charge))


async def _responded(server: Server, charge: Charge) -> str:
    """Every host of it: one that is away, or where somebody else is at work, keeps none of the others waiting."""
    hosts = server.hosts if server.lifecycle is Lifecycle.MUTABLE else lodged(server.name, charge.world)
    ended = await side_by_side([partial(respond, server, host, charge.world) for host in hosts], at_most=charge.parallel)
    for error in (one for one in ended if isinstance(one, VitrifyError)):
        raise error
    return "; ".join(one for one in ended if isinstance(one, str) and one)
