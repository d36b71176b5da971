"""The call `watch`: who touches the watched paths, from the highest rung that this host allows, until the other side is gone."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost.audit_link import AuditLink
from vitrify.onhost.audit_records import Assembler, Item, Place, Record
from vitrify.onhost.context import Context
from vitrify.onhost.inotify import Inotify
from vitrify.onhost.scope import Scope

AUDIT, INOTIFY, POLLING = "audit", "inotify", "polling"
TOUCHED, RUNG, GAP = "watch.touched", "watch.rung", "watch.gap"
_AT_ONCE = 2000
"""Records that are read before they are taken apart."""
_SETTLED = 0.5
"""Seconds of silence after which an open event is taken as it is."""
_LOOK = 10.0
"""Seconds between two looks at the kernel's own count of what it lost."""


class _Rung:
    """Nobody tells, and whoever listens has to look; the higher ones say more. `hear`: touches, and gaps as `{"gap": why}`."""

    name, descriptor, open = POLLING, -1, False

    def hear(self) -> Sequence[JSONObject]:
        return ()

    def close(self) -> None:
        """Leave the host as it was found."""


def watch(context: Context, arguments: JSONObject) -> JSONObject:
    """Tell on which rung we stand and why, then every touch; returns once the channel says that nobody listens any more."""
    root = Scope.of(arguments).root.rstrip("/")
    folders, files = ([root + path for path in _paths(arguments, name)] for name in ("folders", "files"))
    there = [path for path in folders if Path(path).is_dir()], [path for path in files if Path(path).parent.is_dir()]
    rung, why = _highest(*there, root=root)
    try:
        context.emit(Event(RUNG, Stage.NOTICE, rung.name, why))
        for heard in _heard(rung, context.channel):
            _tell(context, heard, len(root))
    finally:
        rung.close()
    return {"rung": rung.name}


def _paths(arguments: JSONObject, name: str) -> List[str]:
    given = arguments.get(name)
    return [str(path) for path in given] if isinstance(given, list) else []


def _highest(folders: Sequence[str], files: Sequence[str], *, root: str) -> Tuple[_Rung, str]:
    try:
        return _Audit(folders, files, root=root), "the kernel names who changes a file"
    except OSError as error:
        why = f"audit: {error.strerror}"
    try:
        return _Names(folders, files), f"who is not told: {why}"
    except OSError as error:
        return _Rung(), f"{why}; inotify: {error.strerror}"


def _heard(rung: _Rung, channel: int) -> Iterator[Sequence[JSONObject]]:
    waiting = [descriptor for descriptor in (rung.descriptor, channel) if descriptor >= 0]
    while True:
        ready, _, _ = select.select(waiting, [], [], _SETTLED if rung.open else _LOOK)
        yield rung.hear()
        if channel in ready:
            return


def _tell(context: Context, heard: Sequence[JSONObject], root: int) -> None:
    for found in heard:
        if "gap" in found:
            context.emit(Event(GAP, Stage.NOTICE, "", str(found["gap"])))
    touches: List[JSON] = [{**found, "path": str(found["path"])[root:]} for found in heard if "path" in found]
    if touches:
        context.emit(Event(TOUCHED, Stage.PROGRESS, data={"touches": touches}))


class _Audit(_Rung):
    """Everything, by whom, from the kernel."""

    name = AUDIT

    def __init__(self, folders: Sequence[str], files: Sequence[str], *, root: str = "") -> None:
        self._link = AuditLink()
        try:
            self._link.watch(folders, files)
            self._lost = self._link.status().lost
        except OSError:
            self._link.close()
            raise
        self.descriptor = self._link.records.fileno()
        self._assembler = Assembler()
        self._below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        self._exactly = frozenset((*folders, *files))
        self._places: Dict[Place, str] = dict(_folders_below(folders))
        self._root = root
        self._devices = {device for device, _ in self._places} - {_device(Path("/").stat())}
        self._looked = time.monotonic()

    def hear(self) -> Sequence[JSONObject]:
        found: List[JSONObject] = []
        heard: List[Tuple[int, str]] = []
        try:
            for record in self._link.hear(_AT_ONCE):
                heard.append(record)  # noqa: PERF402  what was heard before an error is kept
        except OSError as error:
            found.append({"gap": f"records were lost before they could be read: {error.strerror}"})
        records = [whole for kind, line in heard for whole in self._assembler.take(kind, line)]
        if not heard:
            records = self._assembler.rest()
            found += self._gap()
        self.open = bool(heard)
        found += [touch for record in records for touch in self._touches(record)]
        return found

    def _gap(self) -> List[JSONObject]:
        """What the kernel itself lost, looked at now and then."""
        if time.monotonic() - self._looked < _LOOK:
            return []
        self._looked = time.monotonic()
        before, self._lost = self._lost, self._link.status().lost
        return [{"gap": f"the kernel lost {self._lost - before} records"}] if self._lost > before else []

    def _touches(self, record: Record) -> Iterator[JSONObject]:
        for item, parent in record.touched():
            path = self._path(record, item, parent)
            if path is None:
                continue
            if item.folder and item.what == "CREATE":
                self._places[item.place] = path
            by: JSONObject = {name: getattr(record, name) for name in ("pid", "exe", "command", "uid", "login", "at")}
            yield {**by, "path": path, "what": item.spoken}

    def _path(self, record: Record, item: Item, parent: Optional[Item]) -> Optional[str]:
        """Where it is. A name may be relative to a folder that only the caller had open: then that folder's inode tells.

        Or the caller lives in a folder that we take for a host: then the name begins there, and the file's own inode tells.
        """
        known = self._places.get(parent.place) if parent else self._places.get(item.place) if item.folder else None
        if known is not None:
            return f"{known.rstrip('/')}/{item.name.rstrip('/').rpartition('/')[2]}" if parent else known
        path = os.path.normpath(item.name if item.name.startswith("/") else f"{record.cwd}/{item.name}")
        if path in self._exactly or path.startswith(self._below):
            return path
        within = f"{self._root}{path}"
        watched = self._root and (within in self._exactly or within.startswith(self._below))
        return within if watched and self._is(item, within) else None

    def _is(self, item: Item, path: str) -> bool:
        """Whether a record can be about what is at this path: only the host has that file system, or it is the very inode."""
        if item.place[0] in self._devices:
            return True
        with suppress(OSError):
            found = Path(path).lstat()
            return item.place == (_device(found), found.st_ino)
        return False

    def close(self) -> None:
        self._link.close()


def _folders_below(folders: Iterable[str]) -> Iterator[Tuple[Place, str]]:
    for folder in folders:
        for above, _, _ in os.walk(folder):
            found = Path(above).stat()
            yield (_device(found), found.st_ino), above


def _device(status: os.stat_result) -> str:
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"


class _Names(_Rung):
    """Paths alone."""

    name = INOTIFY

    def __init__(self, folders: Sequence[str], files: Sequence[str]) -> None:
        self._inotify = Inotify(folders, files)
        self.descriptor = self._inotify.descriptor

    def hear(self) -> Sequence[JSONObject]:
        heard = self._inotify.hear()
        return [{"path": path, "what": what, "at": time.time()} if path else {"gap": "inotify dropped events"} for path, what in heard]

    def close(self) -> None:
        self._inotify.close()


CALLS: Dict[str, Callable[[Context, JSONObject], JSONObject]] = {"watch": watch}
