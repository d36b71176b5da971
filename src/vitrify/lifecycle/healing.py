"""The story of an instance that runs and does not serve: looked at until that is sure, replaced, or left where that would not help.

Nothing of it is remembered but by the ledger: what was judged ill (`health.failed`), what became of the replacement, what was left to a
person (`health.left`), and that all is well again (`health.passed`).

| killed                        | the next turn, of whatever process                                                  |
|-------------------------------|-------------------------------------------------------------------------------------|
| while it looks                | begins to look                                                                      |
| behind `health.failed`        | looks again, and begins the replacement without telling it twice                    |
| in the middle of that         | `keep` goes on with it under its own name, as the next `apply` would                |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from vitrify.core.declaration import Health, Host, Server
from vitrify.core.digest import JSONObject
from vitrify.core.instance import Instance
from vitrify.core.plan import ReleasePlan
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import attempts, record, upkeep
from vitrify.lifecycle.illness import FAILED, ILL, LEFT, OVER, PASSED
from vitrify.lifecycle.immutable import replacement
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.rollout import carry_out
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Release


@dataclass(frozen=True)
class Seen:
    """One look at the instances of a server on a host: id -> why it does not pass, "" where it does, of all that are asked.

    `ill` are those of the live release that had time enough to begin and fail all the same; `well` those of it that pass.
    """

    reasons: Mapping[str, str]
    ill: Mapping[str, str] = field(default_factory=dict)
    well: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ward:
    """A server on a host, looked after in a world."""

    server: Server
    host: Host
    world: World

    @property
    def live(self) -> Release | None:
        """The release that is live there."""
        number = self.world.state.slots(self.server.name, self.host.name).live
        return self.world.state.release(self.server.name, number) if number else None

    def newest(self, *kinds: str) -> Entry | None:
        """The newest entry of one of these kinds about it."""
        return record.last(self.world.ledger, server=self.server.name, host=self.host.name, kinds=kinds)

    def told(self, live: Release, more: JSONObject) -> JSONObject:
        """The body of an entry about its live release."""
        return {"server": self.server.name, "host": self.host.name, "release": live.number, **more}


async def look(ward: Ward, site: Site) -> Seen:
    """Ask every instance once, as its release wants it to be asked."""
    world, live = ward.world, ward.live
    checks = {str(one.number): from_json(one.settings).health for one in world.state.releases(ward.server.name) if not one.over}
    reasons: dict[str, str] = {}
    ill: dict[str, str] = {}
    well: list[str] = []
    for instance in await site.runtime.instances(world.labels(ward.server.name)):
        release = instance.labels.get("release", "")
        check = checks.get(release)
        if check is None or instance.gone:
            continue
        reason = reasons[instance.id] = await site.runtime.healthy(instance.id, check)
        if live is None or release != str(live.number):
            continue
        if not reason:
            well.append(instance.id)
        elif _is_up(instance, check, now=world.clock.now()):
            ill[instance.id] = reason
    return Seen(reasons, ill, tuple(well))


def _is_up(instance: Instance, check: Health, *, now: float) -> bool:
    """Whether it has had time enough to begin. What ends by itself is for its keeper to start again."""
    return instance.state == "running" and now - instance.started_at >= check.grace and not upkeep.crashing(instance, now=now)


def passed(ward: Ward) -> None:
    """Nothing of it is ill: what was left is so no more, and the ledger says it once."""
    newest, live = ward.newest(*ILL, *OVER), ward.live
    if newest is not None and newest.kind in ILL and live is not None:
        ward.world.ledger.append(PASSED, ward.told(live, {}))


async def heal(ward: Ward, seen: Seen) -> str:
    """Replace what is ill, or tell why not, in words; "" where there is nothing to do, or nothing new to tell."""
    world, live, healing = ward.world, ward.live, ward.server.healing
    if live is None or healing.limit == 0 or world.state.open_operations(ward.server.name):
        return ""  # what somebody began is theirs to end
    if hopeless := _hopeless(ward, live, seen):
        return _leave(ward, live, seen, hopeless)
    place, now = (ward.server.name, ward.host.name), world.clock.now()
    before = attempts.recent(world.ledger, "replace", place, now=now)
    if before.count >= healing.limit:
        return _leave(ward, live, seen, f"replaced {before.count} times within the hour, which is as often as is allowed")
    if pause := before.pause(now=now):
        again = datetime.fromtimestamp(now + pause).astimezone().strftime("%H:%M:%S")
        return f"{_named(seen.ill)}; replaced {before.count} times within the hour, so not before {again}"
    sure = await _still_ill(ward, seen.ill)
    return await _replaced(ward, live, sure) if sure else ""


def _hopeless(ward: Ward, live: Release, seen: Seen) -> str:
    """Why a new instance would be ill as well; "" where there is hope: one passes, or none was tried since one did."""
    newest = ward.newest("replace.failed", *OVER)
    tried = newest is not None and newest.kind == "replace.failed" and newest.body.get("release") == live.number
    return "" if seen.well or not tried else "new instances of it did not pass either: it is the release, or what that depends on"


def _leave(ward: Ward, live: Release, seen: Seen, why: str) -> str:
    """Told once; then it is left as it is, for as long as nothing changes."""
    newest = ward.newest(*ILL, *OVER)
    if newest is None or newest.kind != LEFT:
        ward.world.ledger.append(LEFT, ward.told(live, {"instances": [*seen.ill], "reason": why}))
    return f"{_named(seen.ill)}; left as it is: {why}"


async def _still_ill(ward: Ward, ill: Mapping[str, str]) -> Mapping[str, str]:
    """Those that fail the other looks as well; without a lease, so that somebody else may act meanwhile."""
    healing = ward.server.healing
    for _ in range(healing.after - 1):
        if not ill:
            break
        await ward.world.clock.sleep(healing.pause)
        async with ward.world.site(ward.host) as site:
            again = (await look(ward, site)).ill
        ill = {name: again[name] for name in ill if name in again}
    return ill


async def _replaced(ward: Ward, live: Release, ill: Mapping[str, str]) -> str:
    """New instances in place of these, once nobody else can act: what was ill a moment ago may be gone, or well."""
    server, world = ward.server, ward.world
    async with holding(server.name, ward.host, world, reason="heal") as site:
        known = ward.live
        if world.state.open_operations(server.name) or known is None or known.number != live.number:
            return ""
        now = (await look(ward, site)).ill
        if others := {name: reason for name, reason in now.items() if name not in ill}:
            return f"{_named(others)}, since a moment ago: looked at again first"  # among those that stay none may fail, or the gate does
        if not (still := {name: now[name] for name in ill if name in now}):
            return ""
        _tell(ward, live, still)
        found = await site.runtime.instances(world.labels(server.name, live.number))
        out = (*still, *(one.id for one in found if upkeep.over(one)))
        due = ReleasePlan(server.name, ward.host.name, "replace", live.number, live.number, (), replace=out)
        released = await carry_out(await replacement(server, due, site, world))
    return f"{_named(still)}: replaced; release {released.release} runs as {', '.join(released.instances)}"


def _tell(ward: Ward, live: Release, ill: Mapping[str, str]) -> None:
    newest = ward.newest(*ILL, *OVER)
    instances = [*ill]
    if newest is None or newest.kind != FAILED or newest.body.get("instances") != instances:
        body: JSONObject = {"instances": [*instances], "reason": next(iter(ill.values())), "looks": ward.server.healing.after}
        ward.world.ledger.append(FAILED, ward.told(live, body))


def _named(ill: Mapping[str, str]) -> str:
    return "; ".join(f"{name} does not pass: {reason}" for name, reason in ill.items())
