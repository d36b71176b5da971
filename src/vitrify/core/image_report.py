"""What commands about images and their pinned parts tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Moved:
    """One pinned thing that moves: `subject` is the base or the server, a version is empty where the thing comes or goes."""

    subject: str
    name: str
    old: str
    new: str
    security: bool = False
    """Whether the new version is offered for security, as its distribution labels it."""


@dataclass(frozen=True)
class Updated:
    """What `update` chose: every move, the servers that it chose for, and whether the lock was written."""

    moves: tuple[Moved, ...]
    servers: tuple[str, ...] = ()
    written: bool = False


@dataclass(frozen=True)
class Verdict:
    """One thing that `verify` looked at, whether it holds, and what was found, in words."""

    name: str
    holds: bool
    found: str


@dataclass(frozen=True)
class ImageVerified:
    """What `verify` established about an image."""

    image: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class ImageKept:
    """One row of `images`. `releases` are those of this project that have it; `names` the references it was pushed to or pulled from."""

    image: str
    size: int
    base: str
    server: str
    releases: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class ImageMoved:
    """An image that was pushed, pulled, exported or loaded. `manifest` is what names it at `place`; `moved_bytes` went over the line."""

    image: str
    place: str
    manifest: str
    moved_bytes: int
