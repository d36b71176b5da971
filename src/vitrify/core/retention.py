"""Which images stay and which may go: decided from what releases and people say of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vitrify.core.release import OVER


@dataclass(frozen=True)
class Use:
    """A release that has this image. `open`: an operation on it has not ended, whatever its state says."""

    image: str
    server: str
    number: int
    state: str
    open: bool = False
    project: str = ""

    @property
    def over(self) -> bool:
        """Whether this release needs its image no more."""
        return self.state in OVER and not self.open


@dataclass(frozen=True)
class Pin:
    """Why an image stays whatever becomes of its releases; `until` (seconds since the epoch) nobody can take that back, 0: at any time."""

    image: str
    reason: str
    by: str
    at: float
    until: float = 0.0
    project: str = ""


@dataclass(frozen=True)
class Needs:
    """All that is known of images, over every project of this machine."""

    uses: tuple[Use, ...] = ()
    pins: tuple[Pin, ...] = ()

    @property
    def needed(self) -> frozenset[str]:
        """Images that stay."""
        return frozenset({use.image for use in self.uses if not use.over} | {pin.image for pin in self.pins})

    @property
    def over(self) -> frozenset[str]:
        """Images that releases had, and that nothing needs any more."""
        return frozenset(use.image for use in self.uses) - self.needed

    def going(self, present: Iterable[str], *, unreleased: bool) -> frozenset[str]:
        """Of the images here, those that go: what releases are done with, and on request what no release ever had."""
        had = frozenset(use.image for use in self.uses)
        return frozenset(image for image in present if image in self.over or (unreleased and image not in had | self.needed))


@dataclass(frozen=True)
class Collected:
    """What one place gave up, or would: `place` is the store of this machine or a host. Bytes are those on the disk."""

    place: str
    images: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    blobs: int = 0
    size: int = 0
    problem: str = ""

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to take away."""
        return not (self.images or self.roots or self.blobs)
