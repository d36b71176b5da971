"""Images beyond this machine: pushed to registries, pulled from them, carried as files; each told to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from vitrify.core.diagnostic import Denied, UsageInvalid, VitrifyError
from vitrify.core.digest import PLAIN, JSONObject
from vitrify.core.image_report import ImageKept, ImageMoved
from vitrify.core.reference import Reference
from vitrify.lifecycle import record
from vitrify.lifecycle.world import World
from vitrify.onhost.layout import LABEL_PREFIX
from vitrify.onhost.mounts import HOST
from vitrify.ports import Image, Registry

_SHORTEST: Final = 6
"""Digits of a digest that may stand for it."""


class Shelf(Protocol):
    """Where images are kept here."""

    def image(self, digest: str) -> Image | None:
        """An image that is here, whole."""

    def images(self) -> tuple[str, ...]:
        """Digests of all images, sorted."""


class Carrier(Protocol):
    """Writes images to files and reads them from there."""

    def export(self, image: str, into: str, *, name: Reference, evidence: bool) -> int:
        """Write an image to a file, or to a folder where `into` ends with a slash; returns its bytes."""

    def load(self, source: str) -> tuple[Image, ...]:
        """Bring the images of a file or a folder here."""


@dataclass(frozen=True)
class Stock:
    """The images here, and the ways that they take. `names`: under which references one was pushed or pulled."""

    shelf: Shelf
    registry: Registry
    carrier: Carrier
    names: Callable[[str], tuple[str, ...]]


def push(what: str, to: Reference, stock: Stock, world: World) -> ImageMoved:
    """Push a server's image, or the image of a digest, to a tag. Killed and repeated, it goes on where it ended."""
    image = meant(what, stock, world)
    _refuse_without_its_base(image, "pushed")
    body: JSONObject = {"image": image.digest, "reference": str(to), **_origin(image)}
    world.ledger.append("image.push.intended", body)
    try:
        with world.storage.using():
            pushed = stock.registry.push(image.digest, to, emit=world.emit)
    except VitrifyError as error:
        world.ledger.append("image.push.failed", {**body, "why": error.diagnostics[0].summary})
        raise
    world.ledger.append("image.pushed", {**body, "manifest": pushed.manifest, "bytes": pushed.sent_bytes})
    return ImageMoved(image.digest, str(to), pushed.manifest, pushed.sent_bytes)


def pull(reference: Reference, stock: Stock, world: World) -> ImageMoved:
    """Have an image of a registry here."""
    with world.storage.using():
        pulled = stock.registry.pull(reference, emit=world.emit)
    manifest = pulled.reference.digest
    body: JSONObject = {"image": pulled.image.digest, "reference": str(reference), "manifest": manifest, "bytes": pulled.fetched_bytes}
    world.ledger.append("image.pulled", {**body, **_origin(pulled.image)})
    return ImageMoved(pulled.image.digest, str(reference), manifest, pulled.fetched_bytes)


@dataclass(frozen=True)
class Wrapping:
    """How an image is written: whereto, what other tools will call it, and whether with what is attached to it."""

    into: str
    name: Reference | None = None
    evidence: bool = False


def export(what: str, wrapping: Wrapping, stock: Stock, world: World) -> ImageMoved:
    """Write an image to a file or a folder, so that it can be carried."""
    image = meant(what, stock, world)
    _refuse_without_its_base(image, "exported")
    spoken = wrapping.name or Reference("localhost", _label(image, "server") or "image", image.digest.removeprefix(PLAIN)[:12])
    with world.storage.using():
        size = stock.carrier.export(image.digest, wrapping.into, name=spoken, evidence=wrapping.evidence)
    world.ledger.append("image.exported", {"image": image.digest, "name": str(spoken), "bytes": size, **_origin(image)})
    return ImageMoved(image.digest, wrapping.into, image.digest, size)


def load(source: str, stock: Stock, world: World) -> tuple[ImageMoved, ...]:
    """Have the images of a file or a folder here."""
    with world.storage.using():
        found = stock.carrier.load(source)
    for image in found:
        world.ledger.append("image.loaded", {"image": image.digest, "bytes": image.size, **_origin(image)})
    return tuple(ImageMoved(image.digest, source, image.digest, image.size) for image in found)


def images(stock: Stock, world: World) -> tuple[ImageKept, ...]:
    """Every image here, and what refers to it."""
    return tuple(_kept(stock, world))


def _kept(stock: Stock, world: World) -> Iterator[ImageKept]:
    releases = [release for server in world.state.servers() for release in world.state.releases(server)]
    for digest in stock.shelf.images():
        image = stock.shelf.image(digest)
        if image is None:
            continue
        held = tuple(f"{one.server} {one.number} ({one.state})" for one in releases if one.image == digest and not one.over)
        yield ImageKept(digest, image.size, image.base, _label(image, "server"), held, stock.names(digest))


def meant(what: str, stock: Stock, world: World) -> Image:
    """The image of a digest or of its first digits, or the newest that was baked for a server."""
    digits = what.removeprefix(PLAIN)
    if what.startswith(PLAIN) or (len(digits) >= _SHORTEST and not digits.strip("0123456789abcdef") and not _baked(what, world)):
        fit = [digest for digest in stock.shelf.images() if digest.removeprefix(PLAIN).startswith(digits)]
        if len(fit) != 1 or len(digits) < _SHORTEST:
            why = f"{len(fit)} images begin with these digits" if fit else ""
            raise UsageInvalid(f"there is no one image {what}", why=why, hint="`vitrify images` lists what is here")
        digest = fit[0]
    else:
        digest = _baked(what, world)
        if not digest:
            raise UsageInvalid(
                f"nothing was baked for {what!r}", hint=f"`vitrify bake {what}` bakes its image; `vitrify images` lists what is here"
            )
    image = stock.shelf.image(digest)
    if image is None:
        raise UsageInvalid(f"the image {digest} is not here any more", hint=f"`vitrify bake {what}` makes it again")
    return image


def _baked(server: str, world: World) -> str:
    newest = record.last(world.ledger, server=server, kinds=("bake.done",))
    return str(newest.body["image"]) if newest else ""


def _refuse_without_its_base(image: Image, verb: str) -> None:
    if image.base == HOST:
        raise Denied(
            f"the image {image.digest} stands on the running system and cannot be {verb}",
            why="with `base: host` the image holds only what its resources wrote: elsewhere the rest of it would be missing",
            hint="give the server a base of its own, as in `base: rootfs:DIR` or `base: debian:bookworm`, and bake again",
        )


def _origin(image: Image) -> JSONObject:
    """For whom the image was baked, where it says so."""
    server = _label(image, "server")
    return {"server": server} if server else {}


def _label(image: Image, name: str) -> str:
    labels = image.config.get("Labels")
    return str(labels.get(f"{LABEL_PREFIX}{name}", "")) if isinstance(labels, dict) else ""
