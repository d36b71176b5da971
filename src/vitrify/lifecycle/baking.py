"""What the image of an immutable server is made from, and the story that bakes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import DeclarationInvalid, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.lifecycle import hooks, record, write_once
from vitrify.lifecycle.pins import Pinned, is_tagged, standing_on
from vitrify.lifecycle.settings import RunSettings, declared_digest, known_secrets, settings_of
from vitrify.lifecycle.strangers import along
from vitrify.lifecycle.world import Site, World
from vitrify.ports import BakeRequest, Image, Made
from vitrify.resources.process import image_process


@dataclass(frozen=True)
class Wanted:
    """What the declaration asks for now."""

    server: Server
    settings: RunSettings
    request: BakeRequest
    declared: str
    resources: dict[str, str]
    kinds: Mapping[str, str]
    pinned: Pinned


def wanted_of(server: Server, world: World) -> Wanted:
    """Image inputs and run settings of a declared server."""
    process = next((resource for resource in server.resources if resource.address.kind == "process" and not resource.absent), None)
    if process is None:
        hint = "add to its resources, as in `- process: {name: web, command: [/usr/bin/python3, /srv/app/app.py], port: 8000}`"
        raise UsageInvalid(f"{server.name} has no `process`, which an image is made to run", where=server.where, hint=hint)
    if server.base is None:
        hint = "add `base: host` (the running system, read-only), `scratch`, `rootfs:DIR`, `debootstrap:SUITE` or an image's name"
        raise UsageInvalid(f"{server.name} has no `base` to bake its image upon", where=server.where, hint=hint)
    settings = settings_of(server, image_process(process), key=bytes.fromhex(world.key))
    resources = {str(resource.address): resource.digest for resource in server.resources}
    guests, pinned = along(server.resources, world), Pinned.of(server, world.pins, world.kinds)
    return Wanted(
        server=server,
        settings=settings,
        request=BakeRequest(
            server=server.name,
            base=standing_on(server, world.pins.read()) if is_tagged(server) else str(server.base),
            resources=[resource.to_json() for resource in server.resources],
            contents={**server.contents, **guests.contents},
            labels={"server": server.name},
            kinds=guests.references,
            inputs=pinned.own,
            base_inputs=pinned.base,
            allowed_secrets=server.allowed_secrets,
            mirror=server.mirror,
        ),
        declared=declared_digest(server.resources, str(server.base), settings, kinds={**guests.arguments, **pinned.identity}),
        resources=resources,
        kinds=guests.digests,
        pinned=pinned,
    )


async def bake(server: Server, host: Host, world: World) -> Image:
    """The image of what is declared now; recorded in the ledger when it is new. Says what the image cannot hold."""
    for notice in server.notices:
        world.say("bake", server.name, notice)
    from vitrify.lifecycle.update import settle

    async with world.site(host) as site:
        with world.storage.using():
            return await baked(await settle(wanted_of(server, world), site, world), site, world)


async def baked(wanted: Wanted, site: Site, world: World) -> Image:
    """The image of what is wanted, recorded in the ledger when it is new. Each bake runs its hooks: a bake is never gone on with."""
    around, started = _course(wanted.server, site, world), world.clock.monotonic()
    await hooks.run(around, ("bake",), before=True)
    try:
        image = await site.builder.bake(wanted.request, emit=world.emit)
    except DeclarationInvalid as error:  # a target does not know where in the declaration it stands
        raise DeclarationInvalid(replace(one, where=one.where or wanted.server.where) for one in error.diagnostics) from error
    made = Made(world.project_id, wanted.server.name, wanted.server.digest, wanted.resources, wanted.server.allowed_secrets)
    await asyncio.to_thread(site.evidence.certify, image, made)
    newest = record.last(world.ledger, server=wanted.server.name, kinds=("bake.done",))
    if newest is None or newest.body.get("image") != image.digest:
        body: JSONObject = {
            "server": wanted.server.name,
            "image": image.digest,
            "bytes": image.size,
            "layers": {**image.layers},
            "ms": round((world.clock.monotonic() - started) * 1000),
            "base": image.base,
            "declaration": wanted.server.digest,
        }
        world.ledger.append("bake.done", body)
    write_once.keep(wanted.server, world)
    await hooks.run(replace(around, about={"image": image.digest}), ("bake",), before=False)
    return image


def _course(server: Server, site: Site, world: World) -> hooks.Course:
    return hooks.Course(
        world,
        server.hooks,
        kind="bake",
        operation=world.identify() if server.hooks else "",
        server=server.name,
        host=site.host,
        since=world.ledger.size,
        secret=known_secrets(server.secrets),
    )
