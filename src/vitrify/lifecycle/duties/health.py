"""The duty `health`: whether what runs serves, and who is changing it. An instance that does not is replaced; of a host it is only told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.lifecycle import healing, holders
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.healing import Ward
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.serve_board import Place
from vitrify.lifecycle.world import World

OFTEN, OF_LATE = 6, 900.0
"""So many changes within so many seconds are no news any more."""


class Health:
    """Asked as each release wants it to be asked."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each host, whether its process or its instances are asked, and one for the leases of a server."""
        for server in charge.servers:
            every, immutable = server.schedule.health, server.lifecycle is Lifecycle.IMMUTABLE
            yield Job("health", server.name, every, partial(_leases, server, charge))
            for host in lodged(server.name, charge.world) if immutable else server.hosts if server.health else ():
                act = partial(_instances if immutable else _process, server, host, charge)
                yield Job("health", server.name, every, act, host=host.name)


async def _leases(server: Server, charge: Charge) -> str:
    charge.board.leases[server.name] = await holders.held([server], charge.world, parallel=charge.parallel)
    return ""


def _noted(server: Server, host: Host, now: Mapping[str, str], charge: Charge) -> bool:
    """Note how it is, and tell of what is not as it was; whether all was well before, as far as this process knows."""
    place = (server.name, host.name)
    before, charge.board.ill[place] = charge.board.ill.get(place), {**now}
    for name, reason in now.items():
        if bool(reason) is not bool((before or {}).get(name)):
            _told(name, reason, place, charge)
    return before is not None and not any(before.values())


def _told(name: str, reason: str, place: Place, charge: Charge) -> None:
    """Each time, but of one that comes and goes once: whoever reads that line knows the rest."""
    at, key = charge.world.clock.now(), (place, name)
    of_late = charge.board.changed[key] = (*(one for one in charge.board.changed.get(key, ()) if at - one < OF_LATE), at)
    if len(of_late) == OFTEN:
        told = f"comes and goes, {OFTEN} times within {OF_LATE / 60:.0f} minutes: not told again before it stays as it is"
        charge.world.say("health", name, f"{told}{f'; now {reason}' if reason else ''}", stage=Stage.FAILED)
    elif len(of_late) < OFTEN:
        charge.world.say("health", name, reason or "passes again", stage=Stage.FAILED if reason else Stage.DONE)


async def _instances(server: Server, host: Host, charge: Charge) -> str:
    ward = Ward(server, host, charge.world)
    async with charge.world.site(host) as site:
        seen = await healing.look(ward, site)
    well_before = _noted(server, host, seen.reasons, charge)
    if seen.ill:
        return await healing.heal(ward, seen)
    if seen.well and not well_before and not any(seen.reasons.values()):
        healing.passed(ward)
    return ""


async def _process(server: Server, host: Host, charge: Charge) -> str:
    _noted(server, host, await _asked(server, host, charge.world), charge)
    return ""


async def _asked(server: Server, host: Host, world: World) -> dict[str, str]:
    """The host's name -> why what runs there does not pass. One that does not answer is ill as well."""
    assert server.health is not None  # noqa: S101  asked before
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "health": server.health.to_json(),
        "port": server.health.port or server.port,
    }
    try:
        async with world.session(host) as session:
            return {host.name: str((await session.call("host.healthy", arguments))["reason"])}
    except VitrifyError as error:
        return {host.name: error.diagnostics[0].summary}
