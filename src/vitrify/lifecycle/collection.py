"""The story of what no release needs: it leaves the hosts first, then the store; and what is pinned stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

from vitrify.core.amounts import many
from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Denied, UsageInvalid, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Stage
from vitrify.core.retention import Collected, Pin
from vitrify.core.store_report import Bad, StoreChecked
from vitrify.ledger.entry import timestamp
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.world import Site, World

_UNNEEDED = "taken away, being needed by no release"
WRITE_ONCE = "write_once of "
"""What the reason of a pin begins with that a declaration asked for: those of people never end by themselves."""
_AT_ONCE = 50
"""Images that are named to a host after a rollout: those before were named after earlier ones."""


async def collect(world: World, *, dry_run: bool = False, unreleased: bool = False) -> tuple[Collected, ...]:
    """Take away what nothing needs, on every host of this project and in the store of this machine; or only tell what that is.

    A host that is busy or cannot be reached keeps what it has, which is told, and the rest goes on. `unreleased`: also what never
    had a release.
    """
    if not dry_run:
        _lapse(world)
    found = [await _on_host(server, host, images, world, dry_run=dry_run) for server, host, images in _places(world)]
    return (*(one for one in found if one.problem or not one.nothing), in_store(world, dry_run=dry_run, unreleased=unreleased))


async def tidy(server: str, site: Site, world: World) -> None:
    """The same for one server whose lease we hold, after something ended. What fails is told, and tried the next time."""
    _lapse(world)
    images = over(server, world)[:_AT_ONCE]
    if not images:
        return
    try:
        gone = await _asked(site, images, dry_run=False)
        if not gone.nothing:
            world.say("collect", server, f"{_UNNEEDED}: {many(len(gone.roots), 'unpacked image')}", stage=Stage.DONE)
        in_store(world)
    except VitrifyError as error:
        world.say("collect", server, f"what no release needs stays for now: {error.diagnostics[0].summary}")


def in_store(world: World, *, dry_run: bool = False, unreleased: bool = False) -> Collected:
    """In the store of this machine: announced, done, told."""
    found = world.storage.collect(dry_run=True, unreleased=unreleased)
    if dry_run or found.nothing:
        return found
    world.ledger.append("store.collect.intended", _body(found))
    found = world.storage.collect(dry_run=False, unreleased=unreleased)
    world.ledger.append("store.collected", {**_body(found), "blobs": found.blobs, "bytes": found.size})
    world.say("collect", "store", f"{_UNNEEDED}: {many(len(found.images), 'image')}, {found.size:,} bytes", stage=Stage.DONE)
    return found


def over(server: str, world: World) -> tuple[str, ...]:
    """Images of releases of a server that nothing needs any more, those of the newest release first."""
    begun = {operation.release for operation in world.state.open_operations(server)}
    ended = [one.image for one in world.state.releases(server) if one.over and one.number not in begun]
    needed = world.storage.needs().needed if ended else frozenset()
    return tuple(dict.fromkeys(image for image in ended if image not in needed))


def _places(world: World) -> Iterator[tuple[str, Host, tuple[str, ...]]]:
    for server in world.state.servers():
        images = over(server, world)
        for host in world.state.hosts(server) if images else ():
            yield server, host, images


async def _on_host(server: str, host: Host, images: tuple[str, ...], world: World, *, dry_run: bool) -> Collected:
    try:
        async with AsyncExitStack() as stack:
            entered = world.site(host) if dry_run else holding(server, host, world, reason="collect")
            site = await stack.enter_async_context(entered)
            return await _asked(site, images, dry_run=dry_run, place=host.name)
    except VitrifyError as error:
        return Collected(host.name, problem=f"{server}: {error.diagnostics[0].summary}")


async def _asked(site: Site, images: tuple[str, ...], *, dry_run: bool, place: str = "") -> Collected:
    named: list[JSON] = [*images]
    answer = await site.session.call("image.collect", {"home": site.home, "images": named, "dry_run": dry_run})
    return Collected(place, _texts(answer["images"]), _texts(answer["roots"]), _number(answer["blobs"]), _number(answer["bytes"]))


def pin(image: str, world: World, *, reason: str, until: float = 0.0) -> Pin:
    """Keep an image whatever becomes of its releases. Kept first, then told: what the ledger calls pinned is safe."""
    if not reason.strip():
        raise UsageInvalid("an image is pinned for a reason", hint="vitrify store pin IMAGE --reason '...'")
    new, _ = _kept(image, world, reason, until)
    return new


def keep(image: str, world: World, *, reason: str, until: float) -> bool:
    """The same, until a date; whether its files are immutable from now on."""
    _, frozen = _kept(image, world, reason, until)
    return frozen


def _kept(image: str, world: World, reason: str, until: float) -> tuple[Pin, bool]:
    known = _pinned(image, world)
    last = max(until, known.until if known else 0.0)
    new = Pin(image, reason.strip(), world.author, world.clock.now(), last, world.project_id)
    with world.storage.using():
        if not world.storage.has(image):
            raise UsageInvalid(f"the image {image} is not here", hint="`vitrify images` lists what is here")
        frozen = world.storage.pin(new)
    world.ledger.append("image.pinned", {"image": image, "reason": new.reason, **({"until": timestamp(last)} if last else {})})
    return new, frozen


def unpin(image: str, world: World, *, reason: str) -> Pin:
    """Let it go with its releases again; `Denied` before the date until which it was promised to stay."""
    known = _pinned(image, world)
    if known is None:
        raise UsageInvalid(f"this project has no pin on {image}", hint="`vitrify store pins` lists them")
    if known.until > world.clock.now():
        raise Denied(
            f"{image} stays until {timestamp(known.until)}", why=f"{known.by}: {known.reason}", hint="the date can be moved on, not back"
        )
    world.ledger.append("image.unpinned", {"image": image, "reason": reason.strip()})
    world.storage.unpin(known)
    return known


def pins(world: World) -> tuple[Pin, ...]:
    """All pins of all projects on this machine."""
    return world.storage.needs().pins


def check(world: World, *, home: str, repair: bool = False) -> StoreChecked:
    """Read the whole store, and what was unpacked from it beneath `home`; what a repair removes is told to the ledger."""
    if repair:
        world.ledger.append("store.repair.intended", {})
    found = world.storage.check(repair=repair, home=home, emit=world.emit)
    if repair:
        removed: list[JSON] = [one.what for one in found.bad if one.removed]
        world.ledger.append("store.repaired", {"removed": removed, "bad": len(found.bad)})
    return found


def _lapse(world: World) -> None:
    """What was kept for a time by declaration alone, and is over, is like any other image again."""
    now = world.clock.now()
    for one in pins(world):
        if one.project == world.project_id and one.reason.startswith(WRITE_ONCE) and one.until <= now:
            unpin(one.image, world, reason=f"{one.reason}: over")


async def check_hosts(world: World) -> StoreChecked:
    """Read what other hosts keep of this project's images; nothing is changed. `TargetUnreachable` where one is not there."""
    found = StoreChecked(0, 0, 0)
    hosts = {host.name: host for server in world.state.servers() for host in world.state.hosts(server) if host.is_remote}
    for host in hosts.values():
        async with world.site(host) as site:
            answer = await site.session.call("image.check", {"home": site.home}, emit=world.emit)
        bad = tuple(_bad(row, host.name) for row in _rows(answer["bad"]))
        found = found.and_also(StoreChecked(_number(answer["blobs"]), _number(answer["roots"]), _number(answer["bytes"]), bad))
    return found


def _bad(row: list[JSON], place: str) -> Bad:
    what, why, uses = row
    return Bad(f"{place}: {what}", str(why), _texts(uses))


def _rows(value: JSON) -> list[list[JSON]]:
    return [row for row in value if isinstance(row, list) and len(row) == 3] if isinstance(value, list) else []


def _pinned(image: str, world: World) -> Pin | None:
    return next((one for one in pins(world) if (one.image, one.project) == (image, world.project_id)), None)


def _body(found: Collected) -> JSONObject:
    return {"images": [*found.images]}


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _number(value: JSON) -> int:
    return value if isinstance(value, int) else 0
