"""Which packages there were, and with which files, when a baseline was taken: what became of them since explains what differs."""

from __future__ import annotations

import json
import zlib
from typing import Dict, Iterable, Mapping, Optional, Tuple

from vitrify.onhost.files import write
from vitrify.onhost.memory import Memory, damaged, refuse_newer
from vitrify.onhost.packaged import Held, Packages
from vitrify.onhost.scope import Here

FILE = "packages"
FORMAT = 1


def remembered(memory: Memory) -> Optional[Dict[str, Held]]:
    """As it was kept; None where nobody kept it. IntegrityFailed where it is damaged."""
    content = memory.content(FILE) if memory.there() else None
    if content is None:
        return None
    try:
        data = json.loads(zlib.decompress(content))
        refuse_newer(data, memory.path(FILE))
        return {str(name): Held(str(version), tuple(map(str, paths))) for name, (version, paths) in data["packages"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise damaged(memory.path(FILE), str(error)) from None


def keep(memory: Memory, packages: Mapping[str, Held]) -> None:
    """Make it durable."""
    data = {"format": FORMAT, "packages": {name: [held.version, list(held.paths)] for name, held in sorted(packages.items())}}
    content = zlib.compress(json.dumps(data, separators=(",", ":")).encode("utf-8", "surrogateescape"), 6)
    memory.put((FILE,), lambda descriptor: write(descriptor, content))


class Followed:
    """The packages over one run: what is kept of them moves on by what that run changed, and by nothing else."""

    def __init__(self, here: Here, audited: Iterable[str]) -> None:
        self._here = here
        self._audited: Tuple[str, ...] = tuple(audited)
        self._before = Packages(here.system).versions if self._audited else {}

    def move_on(self, *, accepted: Iterable[str] = ()) -> None:
        """Keep what there is now of those that changed in between, and of those that somebody accepted."""
        if not self._audited:
            return
        memory = self._here.memory
        old, now = remembered(memory), Packages(self._here.system).held(self._audited)
        if old is None:
            keep(memory, now)
            return
        theirs = set(accepted)
        moved = {
            name for name in {*old, *now} if name in theirs or self._ours(name, old, now) or _version(old, name) == _version(now, name)
        }
        kept = {name: held for name in {*old, *now} if (held := (now if name in moved else old).get(name)) is not None}
        if kept != old:
            keep(memory, kept)

    def _ours(self, name: str, old: Mapping[str, Held], now: Mapping[str, Held]) -> bool:
        """Whether this run changed it, from what the baseline knows."""
        before = self._before.get(name, "")
        return before != _version(now, name) and before == _version(old, name)


def _version(packages: Mapping[str, Held], name: str) -> str:
    held = packages.get(name)
    return held.version if held else ""
