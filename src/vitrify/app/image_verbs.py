"""What the command line asks for about images: baked, moved, listed, verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrify.app.command import Command
from vitrify.app.wiring import LOCAL

if TYPE_CHECKING:  # a command brings along what it needs and no more
    from vitrify.core.image_report import ImageKept, ImageMoved, ImageVerified, Updated


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
