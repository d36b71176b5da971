"""The call `watch`: who touches what is watched, from the highest rung that this host allows, until the other side is gone."""

from __future__ import annotations

import select
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost.context import Context
from vitrify.onhost.rungs import AUDIT, INOTIFY, LOOK, POLLING, SETTLED, Rung, highest
from vitrify.onhost.scope import Scope

__all__ = ("AUDIT", "CALLS", "GAP", "HOST", "INOTIFY", "POLLING", "RUNG", "TOUCHED")

TOUCHED, RUNG, GAP = "watch.touched", "watch.rung", "watch.gap"
HOST = "host"
"""Whence somebody wrote into an instance who was not in it."""


@dataclass(frozen=True)
class Watched:
    """What is listened to, and what the touched paths are called by whoever asked."""

    folders: Tuple[str, ...]
    files: Tuple[str, ...] = ()
    root: str = ""
    uppers: Mapping[str, Tuple[str, str]] = field(default_factory=dict)
    """Upper folder on the host -> the instance, and where that is in it."""
    devices: Mapping[str, str] = field(default_factory=dict)
    """File system -> the instance that sees it."""

    def called(self, found: JSONObject) -> JSONObject:
        """A touch, in the words of the other side."""
        path, inside = str(found["path"]), found.get("inside")
        if inside:
            return {**found, "where": inside}
        for upper, (instance, at) in self.uppers.items():
            if path == upper or path.startswith(f"{upper}/"):
                return {**found, "where": instance, "inside": HOST, "path": f"{at.rstrip('/')}{path[len(upper) :]}" or "/"}
        return {**found, "path": path[len(self.root) :]}


def watch(context: Context, arguments: JSONObject) -> JSONObject:
    """Tell on which rung we stand and why, then every touch; returns once the channel says that nobody listens any more."""
    watched = _on_host(arguments)
    rung, why = highest(watched.folders, watched.files, watched.devices, root=watched.root)
    try:
        context.emit(Event(RUNG, Stage.NOTICE, rung.name, why))
        for heard in hear(rung, context.channel, every=LOOK):
            tell(context, heard, watched)
    finally:
        rung.close()
    return {"rung": rung.name}


def _on_host(arguments: JSONObject) -> Watched:
    root = Scope.of(arguments).root.rstrip("/")
    folders, files = ([root + path for path in _paths(arguments, name)] for name in ("folders", "files"))
    there = tuple(path for path in folders if Path(path).is_dir())
    return Watched(there, tuple(path for path in files if Path(path).parent.is_dir()), root)


def _paths(arguments: JSONObject, name: str) -> List[str]:
    given = arguments.get(name)
    return [str(path) for path in given] if isinstance(given, list) else []


def hear(rung: Rung, channel: int, *, every: float) -> Iterator[Sequence[JSONObject]]:
    """What is heard, again and again, at least after so many seconds; ends once nobody is at the other end of the channel."""
    waiting = [descriptor for descriptor in (*rung.descriptors, channel) if descriptor >= 0]
    while True:
        ready, _, _ = select.select(waiting, [], [], min(every, SETTLED) if rung.open else every)
        yield rung.hear()
        if channel in ready:
            return


def tell(context: Context, heard: Sequence[JSONObject], watched: Watched) -> None:
    """Tell the other side, in its own words."""
    for found in heard:
        if "gap" in found:
            context.emit(Event(GAP, Stage.NOTICE, "", str(found["gap"])))
    touches: List[JSON] = [watched.called(found) for found in heard if "path" in found]
    if touches:
        context.emit(Event(TOUCHED, Stage.PROGRESS, data={"touches": touches}))


CALLS: Dict[str, Callable[[Context, JSONObject], JSONObject]] = {"watch": watch}
