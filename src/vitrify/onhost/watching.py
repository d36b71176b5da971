"""The call `watch`: tells who touches the watched paths, from the highest rung that this host allows, until the other side is gone.

It judges nothing and remembers nothing: what a touch amounts to is for whoever compares with the baseline.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Protocol, Sequence, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost.audit_link import AuditLink
from vitrify.onhost.audit_records import Assembler, Item, Place, Record, spoken
from vitrify.onhost.context import Context
from vitrify.onhost.inotify import Inotify
from vitrify.onhost.scope import Scope

AUDIT, INOTIFY, POLLING = "audit", "inotify", "polling"
TOUCHED, RUNG, GAP = "watch.touched", "watch.rung", "watch.gap"
_AT_ONCE = 2000
"""Records that are read before they are taken apart: the kernel's buffer is emptied first."""
_SETTLED = 0.5
"""Seconds after which an event whose end was not heard is taken as it is."""
_LOOK = 10.0
"""Seconds between two looks at the kernel's own count of what it lost."""


class Ladder(Protocol):
    """One rung: a descriptor to wait on (-1: none), and what was heard."""

    name: str
    descriptor: int

    def hear(self) -> Sequence[JSONObject]:
        """The touches that wait; a gap is `{"gap": why}`."""

    def close(self) -> None:
        """Leave the host as it was found."""


def watch(context: Context, arguments: JSONObject) -> JSONObject:
    """Tell on which rung we stand and why, then every touch; returns once the channel says that nobody listens any more."""
    root = Scope.of(arguments).root.rstrip("/")
    folders, files = ([root + path for path in _paths(arguments, name)] for name in ("folders", "files"))
    rung, why = _highest(_there(folders), [path for path in files if Path(path).parent.is_dir()])
    _leave_on_term()
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


def _there(folders: Iterable[str]) -> List[str]:
    return [folder for folder in folders if Path(folder).is_dir()]


def _highest(folders: Sequence[str], files: Sequence[str]) -> Tuple[Ladder, str]:
    try:
        return _Audit(folders, files), "the kernel names who changes a file, at the moment of the change"
    except OSError as error:
        why = f"audit: {_reason(error)}"
    try:
        return _Names(folders, files), f"who is not told: {why}"
    except OSError as error:
        return _Nothing(), f"{why}; inotify: {error.strerror}"


def _reason(error: OSError) -> str:
    if error.errno in (errno.EPERM, errno.EACCES, errno.ECONNREFUSED):
        return "needs root, in the first pid namespace of the machine, and rules that are not locked"
    return str(error.strerror)


def _leave_on_term() -> None:
    def end(_: int, __: Optional[FrameType]) -> None:
        raise SystemExit(143)

    try:
        signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread: whoever runs us there sees to that
        return


def _heard(rung: Ladder, channel: int) -> Iterator[Sequence[JSONObject]]:
    waiting = [descriptor for descriptor in (rung.descriptor, channel) if descriptor >= 0]
    while True:
        ready, _, _ = select.select(waiting, [], [], _SETTLED if getattr(rung, "open", False) else _LOOK)
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


class _Audit:
    """Everything, by whom, from the kernel."""

    name = AUDIT

    def __init__(self, folders: Sequence[str], files: Sequence[str]) -> None:
        self._link = AuditLink()
        try:
            self._link.watch(folders, files)
            self._lost = self._link.status().lost
        except OSError:
            self._link.close()
            raise
        self.descriptor = self._link.records.fileno()
        self.open = False
        self._assembler = Assembler()
        self._below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        self._exactly = frozenset((*folders, *files))
        self._places: Dict[Place, str] = dict(_folders_below(folders))
        self._looked = time.monotonic()

    def hear(self) -> Sequence[JSONObject]:
        """See `Ladder`."""
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
            yield {
                "path": path,
                "what": spoken(item),
                "pid": record.pid,
                "exe": record.exe,
                "command": record.command,
                "uid": record.uid,
                "login": record.login,
                "at": record.at,
            }

    def _path(self, record: Record, item: Item, parent: Optional[Item]) -> Optional[str]:
        """Where it is. A name may be relative to a folder that only the caller had open: then that folder's inode tells."""
        known = self._places.get(parent.place) if parent else self._places.get(item.place) if item.folder else None
        if known is not None:
            return f"{known.rstrip('/')}/{item.name.rstrip('/').rpartition('/')[2]}" if parent else known
        path = os.path.normpath(item.name if item.name.startswith("/") else f"{record.cwd}/{item.name}")
        return path if path in self._exactly or path.startswith(self._below) else None

    def close(self) -> None:
        """See `Ladder`."""
        self._link.close()


def _folders_below(folders: Iterable[str]) -> Iterator[Tuple[Place, str]]:
    for folder in folders:
        for above, _, _ in os.walk(folder):
            found = Path(above).stat()
            yield (f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}", found.st_ino), above


class _Names:
    """Paths alone."""

    name = INOTIFY

    def __init__(self, folders: Sequence[str], files: Sequence[str]) -> None:
        self._inotify = Inotify(folders, files)
        self.descriptor = self._inotify.descriptor

    def hear(self) -> Sequence[JSONObject]:
        """See `Ladder`."""
        now = time.time()
        return [
            {"path": path, "what": what, "at": now} if path else {"gap": "inotify dropped events"} for path, what in self._inotify.hear()
        ]

    def close(self) -> None:
        """See `Ladder`."""
        self._inotify.close()


class _Nothing:
    """Nobody tells: whoever listens has to look."""

    name = POLLING
    descriptor = -1

    def hear(self) -> Sequence[JSONObject]:
        """See `Ladder`."""
        return ()

    def close(self) -> None:
        """Nothing was changed."""


CALLS: Dict[str, Callable[[Context, JSONObject], JSONObject]] = {"watch": watch}
