"""What the command line asks for about images: baked, moved, listed, verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrify.app.command import Command
from vitrify.app.wiring import LOCAL

if TYPE_CHECKING:  # a command brings along what it needs and no more
    from vitrify.core.image_report import ImageKept, ImageMoved, ImageVerified, Updated
    from vitrify.core.retention import Collected, Pin
    from vitrify.core.store_report import StoreChecked


class ImageVerbs(Command):
    """A method for each verb that is about images."""

    def bake(self, server: str) -> tuple[str, int]:
        """Bake a server's image; returns its digest and size in bytes."""
        from vitrify.lifecycle import baking

        image = self._run(baking.bake(self._server(server), LOCAL, self._wiring.world))
        return image.digest, image.size

    def update(self, server: str = "", *, dry_run: bool = False) -> Updated:
        """Choose anew what a server's base is made of and what it installs (or all servers'), and pin that unless it is a dry run."""
        from vitrify.lifecycle.update import update

        everyone = self._wiring.declaration.servers
        servers = (self._server(server),) if server else everyone
        return self._run(update(servers, everyone, LOCAL, self._wiring.world, dry_run=dry_run))

    def bake_disk(self, server: str, *, form: str, into: str) -> tuple[str, int]:
        """Bake a server's image and write a bootable disk of it to a file; returns the image's digest and the disk's size in bytes."""
        image, _ = self.bake(server)
        size = self._wiring.warehouse.write_disk(image, self._server(server), form=form, into=into, emit=self._wiring.emit)
        self._wiring.world.ledger.append("disk.written", {"server": server, "image": image, "format": form, "bytes": size})
        return image, size

    def verify_image(self, name: str, *, keys: Sequence[str] = ()) -> ImageVerified:
        """Check an image (a server's, by its digest, or in a folder) and all that is said of it."""
        return self._wiring.verify_image(name, keys=keys)

    def push(self, what: str, reference: str, *, plain: bool = False, compression: str = "gzip") -> ImageMoved:
        """Push an image to a registry."""
        from vitrify.core.reference import Reference
        from vitrify.lifecycle import images

        return images.push(
            what, Reference.parse(reference), self._wiring.warehouse.stock(plain=plain, compression=compression), self._wiring.world
        )

    def pull(self, reference: str, *, plain: bool = False) -> ImageMoved:
        """Have an image of a registry here."""
        from vitrify.core.reference import Reference
        from vitrify.lifecycle import images

        return images.pull(Reference.parse(reference), self._wiring.warehouse.stock(plain=plain), self._wiring.world)

    def images(self) -> tuple[ImageKept, ...]:
        """Every image that is kept on this machine."""
        from vitrify.lifecycle import images

        return images.images(self._wiring.warehouse.stock(), self._wiring.world)

    def export(self, what: str, into: str, *, name: str = "", evidence: bool = False) -> ImageMoved:
        """Write an image to a file or a folder."""
        from vitrify.core.reference import Reference
        from vitrify.lifecycle import images

        wrapping = images.Wrapping(into, Reference.parse(name) if name else None, evidence)
        return images.export(what, wrapping, self._wiring.warehouse.stock(), self._wiring.world)

    def load(self, source: str) -> tuple[ImageMoved, ...]:
        """Have the images of a file or a folder here."""
        from vitrify.lifecycle import images

        return images.load(source, self._wiring.warehouse.stock(), self._wiring.world)

    def collect(self, *, dry_run: bool = False, unreleased: bool = False) -> tuple[Collected, ...]:
        """Take away what no release needs, on the hosts and in the store, or tell what that is."""
        from vitrify.lifecycle.collection import collect

        return self._run(collect(self._wiring.world, dry_run=dry_run, unreleased=unreleased))

    def pin(self, image: str, *, reason: str, until: float = 0.0) -> Pin:
        """Keep an image, whatever becomes of its releases."""
        from vitrify.lifecycle import collection

        return collection.pin(self._image(image), self._wiring.world, reason=reason, until=until)

    def unpin(self, image: str, *, reason: str = "") -> Pin:
        """Let it go with its releases."""
        from vitrify.lifecycle import collection

        return collection.unpin(self._image(image), self._wiring.world, reason=reason)

    def pins(self) -> tuple[Pin, ...]:
        """Every pin on this machine."""
        from vitrify.lifecycle import collection

        return collection.pins(self._wiring.world)

    def check_store(self, *, repair: bool = False, hosts: bool = False) -> StoreChecked:
        """Read every byte of the store, and of what was unpacked from it for this project: here, and on its other hosts."""
        from vitrify.lifecycle import collection

        found = collection.check(self._wiring.world, repair=repair, home=self._wiring.run_home(LOCAL))
        return found.and_also(self._run(collection.check_hosts(self._wiring.world))) if hosts else found

    def _image(self, what: str) -> str:
        """The digest of an image that is here: by a digest, the first digits of one, or a server."""
        from vitrify.lifecycle.images import meant

        return meant(what, self._wiring.warehouse.stock(), self._wiring.world).digest
