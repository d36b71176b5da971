"""What a package manager says of the files of packages: which there are, and whether they are as they came."""

from __future__ import annotations

import hashlib
import os
from typing import Container, FrozenSet, Iterable, Mapping, NamedTuple, Optional, Protocol, Set, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.lent import Entry, lent, mode
from vitrify.core.system import System

_MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_CHUNK = 1 << 20


class Held(NamedTuple):
    """One package: its version, and its paths."""

    version: str
    paths: Tuple[str, ...]


class Different(NamedTuple):
    """What was and what is at a path of a package, and who has other paths."""

    path: str
    before: Optional[Entry]
    now: Entry
    owned: Container[str]
    """All paths that packages have."""
    allowed: FrozenSet[str] = frozenset()
    """Of `overrides`, those that were there when the baseline was taken."""


class Judged(NamedTuple):
    """Whether a package explains what is there, and why it does or does not."""

    same: bool
    why: str


class Packages(Protocol):
    """The packages of one target. Names are those that the package manager's own programs and files know."""

    @property
    def manager(self) -> str:
        """Dpkg or rpm."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Every installed package and its version."""

    @property
    def overrides(self) -> FrozenSet[str]:
        """Rights that the administrator gave to files of packages, each a line: owner, group, mode, path."""

    def paths(self, name: str) -> Tuple[str, ...]:
        """Every path of a package, where it really is."""

    def sums(self, name: str) -> Mapping[str, str]:
        """Path -> digest of its content, as the package came; its settings included."""

    def judged(self, name: str, different: Different) -> Judged:
        """Whether a path of this package is as it came, its rights as well."""

    def keeps(self, path: str) -> str:
        """The package of which the package manager itself keeps this file; "" where it is none of its own."""

    def aside(self, path: str) -> Tuple[str, str]:
        """Where a file of this path was put aside, and for which package; twice "" where it was not."""


def held(packages: Packages, folders: Iterable[str]) -> Mapping[str, Held]:
    """Every installed package with those of its paths that are in these folders."""
    tops = tuple(folders)
    return {name: Held(version, within(packages.paths(name), tops)) for name, version in packages.versions.items()}


def within(paths: Iterable[str], folders: Tuple[str, ...]) -> Tuple[str, ...]:
    """Those of the paths that are in one of these folders."""
    return tuple(path for path in paths if any(path == folder or place.inside(path, folder) for folder in folders))


_BY_LENGTH = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


def holds(system: System, path: str, digest: str) -> bool:
    """Whether a file holds what this digest (hex, of any usual kind) is of; False where it cannot be read."""
    return bool(digest) and sum_of(system, path, like=digest) == digest


def sum_of(system: System, path: str, *, like: str) -> str:
    """The digest of what a file holds now, of the same kind as another one; empty where it cannot be read, or the kind is unknown."""
    kind = _BY_LENGTH.get(len(like))
    if kind is None:
        return ""
    running = hashlib.new(kind, usedforsecurity=False)
    try:
        with system.open(path) as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                running.update(chunk)
    except (VitrifyError, OSError):  # gone since it was swept: then nothing vouches for it
        return ""
    return running.hexdigest()


class Merged:
    """Where paths really are on a system whose /bin is /usr/bin."""

    def __init__(self, system: System) -> None:
        self._merged = {top: f"{link}/" for top in _MERGED if (link := _linked(system, top))}

    def real(self, path: str) -> str:
        """The path, as a sweep finds it."""
        for top, instead in self._merged.items():
            if place.inside(path, top):
                return f"{instead}{path[len(top) + 1 :]}"
        return path


def _linked(system: System, top: str) -> str:
    found = system.stat(top)
    return f"/{found.link.strip('/')}" if found is not None and found.type == "link" else ""


def target(path: str, entry: Entry) -> str:
    """Where a link leads to, as a path from the root."""
    to = str(entry.get("link", ""))
    return os.path.normpath(to if to.startswith("/") else f"{place.parent(path)}/{to}")


def strange_rights(before: Optional[Entry], now: Entry) -> str:
    """What of its rights no package explains; empty where there is nothing."""
    if now.get("type") == "link":
        return ""
    more: Set[str] = set(lent(now) - lent(before))
    if more:
        return f"became {' and '.join(sorted(more))}"
    kept = before is not None and mode(before) == mode(now)
    if mode(now) & 0o002 and not mode(now) & 0o1000 and not kept:
        return "everybody may write to it"
    owner = now.get("uid")
    if before is not None and before.get("uid") == owner:
        return ""
    return "it is not root's" if now.get("type") == "file" and owner not in (0, os.geteuid()) else ""
