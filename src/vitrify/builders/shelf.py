"""What a builder needs of the store that keeps its images, its notes and its unpacked layers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from vitrify.core.digest import JSONObject
from vitrify.onhost.layout import Descriptor
from vitrify.ports import Image


class Unpacked(Protocol):
    """Unpacked layers by name, for others to be baked upon; any may be gone at any time, unless it is held."""

    def held(self, name: str) -> AbstractContextManager[Path | None]:
        """The folder of this name, which stays while it is held; None where there is none."""

    def keep(self, made: Path, name: str) -> None:
        """Put a finished folder in its place; where another was quicker, theirs stays."""


class Shelf(Protocol):
    """Where images and what is known about them are kept."""

    @property
    def layout(self) -> str:
        """Path of the OCI layout, where blobs are."""

    @property
    def roots(self) -> Unpacked:
        """Layers on which others are baked."""

    def work(self) -> AbstractContextManager[Path]:
        """A fresh folder for one bake, gone afterwards; what killed bakes left behind is cleared first."""

    def adopt(self, file: Path, *, digest: str) -> None:
        """Keep a finished file of the work folder as a blob; durable, and whole or not at all."""

    def holds(self, blob: Descriptor) -> bool:
        """Whether this blob is here with its full size."""

    def publish(self, config: bytes, manifest: bytes) -> Image:
        """Make an image known, its layers being here: after this, and never before, `image` finds it."""

    def image(self, digest: str) -> Image | None:
        """An image that is here, whole."""

    def recall(self, topic: str, key: str) -> JSONObject | None:
        """What `remember` was told under this key."""

    def remember(self, topic: str, key: str, value: JSONObject) -> None:
        """Note something that can be found out again."""

    def trying(self, topic: str, key: str) -> AbstractContextManager[bool]:
        """The exclusive right to find something out while it is held; False where somebody else has it."""
