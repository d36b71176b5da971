"""What a check of the image store tells. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bad:
    """One thing that is not as it should be: `what` names it, `uses` are the images that need it, with their releases.

    `removed`: it could be made again, and was taken away.
    """

    what: str
    why: str
    uses: tuple[str, ...] = ()
    removed: bool = False


@dataclass(frozen=True)
class StoreChecked:
    """How much was read, and everything that is bad."""

    blobs: int
    roots: int
    size: int
    bad: tuple[Bad, ...] = ()

    def and_also(self, other: StoreChecked) -> StoreChecked:
        """Both together: of another place, or of more."""
        return StoreChecked(self.blobs + other.blobs, self.roots + other.roots, self.size + other.size, (*self.bad, *other.bad))
