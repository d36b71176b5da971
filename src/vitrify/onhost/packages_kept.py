"""Which packages there were, and with which files, when a baseline was taken: what became of them since explains what differs."""

from __future__ import annotations

import json
import zlib
from typing import FrozenSet, Iterable, Mapping, NamedTuple, Optional, Tuple

from vitrify.onhost.files import write
from vitrify.onhost.memory import Memory, damaged, refuse_newer
from vitrify.onhost.packaged import Held, held
from vitrify.onhost.packagers import packages_of
from vitrify.onhost.scope import Here

FILE = "packages"
FORMAT = 1


class Kept(NamedTuple):
    """The packages, and the rights that the administrator gave to files of theirs, a line each."""

    packages: Mapping[str, Held]
    overrides: FrozenSet[str]


NOTHING_KEPT = Kept({}, frozenset())


def remembered(memory: Memory) -> Optional[Kept]:
    """As it was kept; None where nobody kept it. IntegrityFailed where it is damaged."""
    content = memory.content(FILE) if memory.there() else None
    if content is None:
        return None
    try:
        data = json.loads(zlib.decompress(content))
        refuse_newer(data, memory.path(FILE))
        packages = {str(name): Held(str(version), tuple(map(str, paths))) for name, (version, paths) in data["packages"].items()}
        return Kept(packages, frozenset(map(str, data.get("overrides", ()))))
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise damaged(memory.path(FILE), str(error)) from None


def keep(memory: Memory, kept: Kept) -> None:
    """Make it durable."""
    packages = {name: [held.version, list(held.paths)] for name, held in sorted(kept.packages.items())}
    data = {"format": FORMAT, "packages": packages, **({"overrides": sorted(kept.overrides)} if kept.overrides else {})}
    content = zlib.compress(json.dumps(data, separators=(",", ":")).encode("utf-8", "surrogateescape"), 6)
    memory.put((FILE,), lambda descriptor: write(descriptor, content))


class Followed:
    """The packages over one run: what is kept of them moves on by what that run changed, and by nothing else."""

    def __init__(self, here: Here, audited: Iterable[str]) -> None:
        self._here = here
        self._audited: Tuple[str, ...] = tuple(audited)
        before = packages_of(here.system) if self._audited else None
        self._before: Mapping[str, str] = before.versions if before else {}
        self._overrides: FrozenSet[str] = before.overrides if before else frozenset()

    def move_on(self, *, accepted: Iterable[str] = ()) -> None:
        """Keep what there is now of those that changed in between, and of those that somebody accepted."""
        if not self._audited:
            return
        memory, found = self._here.memory, packages_of(self._here.system)
        old, now = remembered(memory), held(found, self._audited) if found else {}
        overrides = found.overrides if found else frozenset()
        if old is None:
            keep(memory, Kept(now, overrides))
            return
        was, theirs = old.packages, set(accepted)
        names = {*was, *now}
        moved = {name for name in names if name in theirs or self._ours(name, was, now) or _version(was, name) == _version(now, name)}
        packages = {name: one for name in names if (one := (now if name in moved else was).get(name)) is not None}
        # An override that was there before this run, and is not known, is somebody else's.
        kept = Kept(packages, (overrides - self._overrides) | (overrides & old.overrides))
        if kept != old:
            keep(memory, kept)

    def _ours(self, name: str, old: Mapping[str, Held], now: Mapping[str, Held]) -> bool:
        """Whether this run changed it, from what the baseline knows."""
        before = self._before.get(name, "")
        return before != _version(now, name) and before == _version(old, name)


def _version(packages: Mapping[str, Held], name: str) -> str:
    found = packages.get(name)
    return found.version if found else ""
