"""The duty `respond`: what was found is answered as the server's `respond` says; without such rules there is nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from vitrify.core.declaration import Lifecycle
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.responding import respond


class Respond:
    """A turn reads the ledger, and looks at a host only where something waits there."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each host of a server that has rules."""
        for server in charge.servers:
            hosts = server.hosts if server.lifecycle is Lifecycle.MUTABLE else lodged(server.name, charge.world)
            for host in hosts if server.responses else ():
                act = partial(respond, server, host, charge.world)
                yield Job("respond", server.name, server.schedule.respond, act, host=host.name)
