"""Images of registries that others stand on: pulled once, unpacked once, and found again without asking anybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import Denied
from vitrify.core.digest import PLAIN
from vitrify.core.elsewhere import BaseImage
from vitrify.core.event import Emit, silence
from vitrify.core.reference import Reference
from vitrify.onhost.layout import read_manifest
from vitrify.onhost.mounts import HOST
from vitrify.ports import Registry
from vitrify.stores.layout import LayoutStore

_TOPIC: Final = "origins"


class RegistryBases:
    """Bases out of a store, and out of registries where the store lacks them; unpacked in `folder`/bases.

    `registry` is begun when one is asked.
    """

    def __init__(self, store: LayoutStore, registry: Callable[[], Registry], folder: Path) -> None:
        self._store, self._registry, self._folder = store, registry, folder / "bases"

    def have(self, reference: Reference, *, emit: Emit = silence) -> BaseImage:
        """The image that this digest names, for this machine, unpacked."""
        from vitrify.onhost.unpack import unpack  # every bake knows where bases come from, and few stand on one

        noted = self._store.recall(_TOPIC, reference.digest)
        image = self._store.image(str(noted["image"])) if noted else None
        if image is None:
            image = self._registry().pull(reference, emit=emit).image
            self._store.remember(_TOPIC, reference.digest, {"image": image.digest})
        if image.base == HOST:
            raise Denied(
                f"{reference} stands on another machine's own system", why="the rest of it is not in the image", hint="take another base"
            )
        layout = self._store.folder(image.digest)
        layers = tuple((layer.digest, layer.size) for layer in read_manifest(layout, image.digest).layers)
        root = unpack(layout, image.digest, str(self._folder / image.digest.removeprefix(PLAIN))).root
        return BaseImage(image.digest, layers, root)

    def resolve(self, reference: Reference) -> str:
        """The digest that a tag stands for now."""
        return self._registry().resolve(reference)
