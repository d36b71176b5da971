"""The duty `audit`: no drift unseen for longer than its interval. Changes nothing; the ledger says that it was looked, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from vitrify.core.declaration import Server
from vitrify.core.digest import JSON
from vitrify.core.drift import Class
from vitrify.lifecycle import record
from vitrify.lifecycle.attempts import moment
from vitrify.lifecycle.audit import audit
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.serve_tally import AUDITED
from vitrify.lifecycle.world import World


class Audits:
    """The time of the last one is in the ledger: whoever starts `serve` again and again does not audit again and again."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each server."""
        for server in charge.servers:
            act = partial(_audited, server, charge)
            yield Job("audit", server.name, server.schedule.audit, act, last=partial(_last, server.name, charge.world))


def _last(server: str, world: World) -> float | None:
    newest = record.last(world.ledger, server=server, kinds=(AUDITED,))
    return moment(newest.at) if newest else None


async def _audited(server: Server, charge: Charge) -> str:
    world = charge.world
    found = await audit([server], world, full=False)
    classes = Counter(finding.classed for finding in found.findings)
    counts: dict[str, JSON] = {each.value: classes[each] for each in Class if classes[each]}
    looked: dict[str, JSON] = {"resources": found.resources, "entries": found.entries, "instances": found.instances}
    world.ledger.append(AUDITED, {"server": server.name, "findings": counts, **looked})
    if found.unauthorised:
        first, *others = found.unauthorised
        more = f" and {len(others)} more" if others else ""
        told = f"unauthorised: {first.path} {first.change} in {first.where}{more}; `vitrify audit -l {server.name}` tells all"
        world.say("serve.audit", server.name, told)
    return ""
