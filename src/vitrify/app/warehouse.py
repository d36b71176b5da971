"""Where this machine keeps images, and the ways that they take to it and from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitrify.builders.oci import Sources
    from vitrify.core.declaration import Server
    from vitrify.core.event import Emit
    from vitrify.lifecycle.images import Stock
    from vitrify.stores.collecting import Storage
    from vitrify.stores.layout import LayoutStore
    from vitrify.stores.registry.client import RegistryClient


class Warehouse:
    """The image store of a home folder; everything is opened when it is first needed."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder, self._environ = folder, environ

    @cached_property
    def store(self) -> LayoutStore:
        """The images themselves."""
        from vitrify.stores.layout import LayoutStore

        return LayoutStore(self._folder)

    @cached_property
    def storage(self) -> Storage:
        """The same, with who needs which of them: all projects of a home folder keep theirs here."""
        from vitrify.app.storage import needs
        from vitrify.stores.collecting import Storage

        return Storage(self.store, self._folder, partial(needs, self._folder.parent / "projects"))

    def stock(self, *, plain: bool = False, compression: str = "gzip") -> Stock:
        """The images, and the ways to registries and files."""
        from vitrify.lifecycle.images import Stock
        from vitrify.stores.archive import Archives
        from vitrify.stores.registry.names import Names

        client = self._registry(plain=plain, compression=compression)
        return Stock(self.store, client, Archives(self.store, client.platform, client.manner.limit), Names(self.store).of)

    def sources(self) -> Sources:
        """Where bakes take from what is not declared byte for byte."""
        from vitrify.builders.oci import Sources
        from vitrify.builders.supplies import Supplies
        from vitrify.stores.registry.bases import RegistryBases

        return Sources(Supplies(self._folder / "supplies"), RegistryBases(self.store, self._registry, self._folder))

    def write_disk(self, image: str, server: Server, *, form: str, into: str, emit: Emit) -> int:
        """Write a bootable disk of an image in the store; its size in bytes."""
        from vitrify.builders import disk

        return disk.write(self.store.folder(image), disk.Wish(image, form, server.writable), Path(into), emit=emit)

    def _registry(self, *, plain: bool = False, compression: str = "gzip") -> RegistryClient:
        from vitrify.builders.oci import Means
        from vitrify.stores.registry.client import Manner, RegistryClient
        from vitrify.stores.registry.credentials import Credentials

        manner, credentials = Manner(plain=plain, compression=compression), Credentials(self._environ)
        return RegistryClient(self.store, self._folder, credentials, architecture=Means().architecture, manner=manner)
