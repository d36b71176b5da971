"""The duty `audit`: no drift unseen for longer than its interval. Changes nothing; the ledger says that it was looked, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Audit, Class, Finding
from vitrify.lifecycle import lodging, record
from vitrify.lifecycle.attempts import moment
from vitrify.lifecycle.audit import audit, audit_host, audit_instances, record_new, unauthorised
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.serve_tally import AUDITED
from vitrify.lifecycle.side_by_side import side_by_side
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
    """Every host of it; one that cannot be audited hides nothing of the others, and is missed in the ledger by name."""
    world = charge.world
    places = server.hosts if server.lifecycle is Lifecycle.MUTABLE else lodging.places(server)
    looked = await side_by_side([partial(_look, server, host, world) for host in places], at_most=charge.parallel)
    missed = {host.name: one for host, one in zip(places, looked, strict=True) if isinstance(one, VitrifyError)}
    if len(missed) == len(places):
        raise next(iter(missed.values()))
    found = [one for one in looked if not isinstance(one, VitrifyError)]
    world.ledger.append(AUDITED, {"server": server.name, **_summed(found), "missed": [*missed]})
    _tell(server.name, [finding for one in found for finding in one.unauthorised], world)
    first = f": {next(iter(missed.values())).diagnostics[0].summary}" if missed else ""
    return f"not audited: {', '.join(missed)}{first}" if missed else ""


async def _look(server: Server, host: Host, world: World) -> Audit:
    if server.lifecycle is Lifecycle.IMMUTABLE:
        seen = await audit_instances(server, host, world)
        record_new(unauthorised(seen.findings), world)
        return seen
    if host == server.hosts[0]:  # and what a flip left running, which belongs to no host
        return await audit([replace(server, hosts=(host,))], world, full=False)
    found = await audit_host(server, host, world, full=False)
    record_new(unauthorised(found.findings), world)
    return found


def _summed(found: Sequence[Audit]) -> JSONObject:
    classes = Counter(finding.classed for one in found for finding in one.findings)
    counts: dict[str, JSON] = {each.value: classes[each] for each in Class if classes[each]}
    return {
        "findings": counts,
        "resources": sum(one.resources for one in found),
        "entries": sum(one.entries for one in found),
        "instances": sum(one.instances for one in found),
    }


def _tell(server: str, found: Sequence[Finding], world: World) -> None:
    if found:
        first, *others = found
        more = f" and {len(others)} more" if others else ""
        told = f"unauthorised: {first.path} {first.change} in {first.where}{more}; `vitrify audit -l {server}` tells all"
        world.say("serve.audit", server, told)
