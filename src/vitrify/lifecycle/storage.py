"""What the stories ask of the place where images are kept."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from vitrify.core.event import Emit
from vitrify.core.retention import Collected, Needs, Pin
from vitrify.core.store_report import StoreChecked


class Storage(Protocol):
    """The image store of this machine, which its projects share, and what is known of who needs what in it."""

    def using(self) -> AbstractContextManager[None]:
        """Nothing leaves the store while this lasts: for what is between finding an image and having a release of it."""

    def has(self, image: str) -> bool:
        """Whether an image is here, whole."""

    def needs(self) -> Needs:
        """What the releases of all projects and all pins say now."""

    def collect(self, *, dry_run: bool, unreleased: bool = ...) -> Collected:
        """Take away what nothing needs, or tell what that is. `Busy` where somebody is `using` the store."""

    def check(self, *, repair: bool, home: str, emit: Emit) -> StoreChecked:
        """Read all of it again, and what was unpacked from it beneath `home`; `repair` removes what is bad and can be made again."""

    def pin(self, pin: Pin) -> bool:
        """Have an image stay, in place of what its project said of it before; whether its files are immutable from now on."""

    def unpin(self, pin: Pin) -> None:
        """Take that back; harmless where it was done."""


class NoStorage:
    """For a world that keeps its images for ever."""

    def using(self) -> AbstractContextManager[None]:
        """Nothing leaves anyhow."""
        return nullcontext()

    def has(self, _image: str) -> bool:
        """Whatever was there, is."""
        return True

    def needs(self) -> Needs:
        """Nobody asks."""
        return Needs()

    def collect(self, *, dry_run: bool, unreleased: bool = False) -> Collected:
        """Nothing goes."""
        return Collected("store")

    def check(self, *, repair: bool, home: str, emit: Emit) -> StoreChecked:
        """There is nothing to read."""
        return StoreChecked(0, 0, 0)

    def pin(self, pin: Pin) -> bool:
        """It stays anyhow."""
        return False

    def unpin(self, pin: Pin) -> None:
        """It stays all the same."""
