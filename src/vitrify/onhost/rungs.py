"""On what a watch can stand, from the kernel's audit down to nothing: each tells what was touched, and the higher ones by whom."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.digest import JSONObject
from vitrify.onhost.audit_link import AuditLink
from vitrify.onhost.audit_records import Assembler, Item, Place, Record
from vitrify.onhost.fanotify import Fanotify
from vitrify.onhost.inotify import Inotify
from vitrify.onhost.listener import Listener

AUDIT, FANOTIFY, INOTIFY, POLLING = "audit", "fanotify", "inotify", "polling"
_AT_ONCE = 2000
"""Records that are read before they are taken apart."""
SETTLED = 0.5
"""Seconds of silence after which an open event is taken as it is."""
LOOK = 10.0
"""Seconds between two looks at the kernel's own count of what it lost."""
_MOST = 1 << 16
_ROOT = re.compile(r"/proc/(?:self|\d+)/root(?=/)")


class Rung:
    """Nobody tells, and whoever listens has to look; the higher ones say more. `hear`: touches, and gaps as `{"gap": why}`."""

    name, open = POLLING, False
    descriptors: Tuple[int, ...] = ()

    def hear(self) -> Sequence[JSONObject]:
        """What came since the last time."""
        return ()

    def close(self) -> None:
        """Leave the host as it was found."""


class Audit(Rung):
    """Everything, by whom, from the kernel. Fanotify beside it, where that may be, hears whom the kernel does not audit."""

    name = AUDIT

    def __init__(self, folders: Sequence[str], files: Sequence[str], devices: Mapping[str, str], *, root: str = "") -> None:
        self._link = AuditLink()
        try:
            self._link.watch(folders, files, devices)
            self._lost = self._link.status().lost
        except OSError:
            self._link.close()
            raise
        self._beside = _beside(folders, files)
        self.descriptors = (self._link.records.fileno(), *((self._beside.descriptor,) if self._beside else ()))
        self._assembler = Assembler()
        self._below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        self._exactly = frozenset((*folders, *files))
        self._devices = devices
        self._places: Dict[Place, str] = dict(_folders_below(folders))
        self._root = root
        self._own = {device for device, _ in self._places} - {_device(Path("/").stat())}
        self._looked = self._heard_at = time.monotonic()
        self._unnamed: Dict[str, float] = {}
        self._named: Dict[str, float] = {}

    @property
    def complete(self) -> bool:
        """Whether fanotify checks that nothing was missed."""
        return self._beside is not None

    def hear(self) -> Sequence[JSONObject]:
        """Touches by whom, those that nobody is known of, and gaps."""
        found: List[JSONObject] = []
        heard: List[Tuple[int, str]] = []
        try:
            for record in self._link.hear(_AT_ONCE):
                heard.append(record)  # noqa: PERF402  what was heard before an error is kept
        except OSError as error:
            found.append({"gap": f"records were lost before they could be read: {error.strerror}"})
        records = [whole for kind, line in heard for whole in self._assembler.take(kind, line)]
        # Fanotify wakes us too: an event of audit is taken as it is only once nothing more of it came for a while.
        self._heard_at = time.monotonic() if heard else self._heard_at
        silent = time.monotonic() - self._heard_at > SETTLED
        if silent:
            records = self._assembler.rest()
            found += self._gap()
        found += [touch for record in records for touch in self._touches(record)]
        found += self._missed([str(touch["path"]) for touch in found if "path" in touch], behind=not silent)
        self.open = not silent or bool(self._unnamed)
        return found

    def _gap(self) -> List[JSONObject]:
        """What the kernel itself lost, looked at now and then."""
        if time.monotonic() - self._looked < LOOK:
            return []
        self._looked = time.monotonic()
        before, self._lost = self._lost, self._link.status().lost
        return [{"gap": f"the kernel lost {self._lost - before} records"}] if self._lost > before else []

    def _missed(self, named: Iterable[str], *, behind: bool) -> List[JSONObject]:
        """What fanotify heard and audit did not name within a moment: its writer is older than the kernel's auditing, or not audited.

        Nothing, while audit is `behind`: the name may still come.
        """
        if self._beside is None:
            return []
        now = time.monotonic()
        if len(self._named) > _MOST:
            self._named = {path: at for path, at in self._named.items() if now - at < 10 * SETTLED}
        for path in named:
            self._named[path] = now
            self._unnamed.pop(path, None)
        for path, what in self._beside.hear():
            if not path or now - self._named.get(path, -LOOK) > 4 * SETTLED:
                self._unnamed.setdefault(path or what, now)
        late = [] if behind else [path for path, at in self._unnamed.items() if now - at > SETTLED]
        for path in late:
            del self._unnamed[path]
        return [{"path": path, "what": "written", "at": time.time()} if path[:1] == "/" else {"gap": f"fanotify {path}"} for path in late]

    def _touches(self, record: Record) -> Iterator[JSONObject]:
        for item, parent in record.touched():
            inside = self._devices.get(item.place[0]) or (self._devices.get(parent.place[0]) if parent else None)
            path = _seen_inside(record, item) if inside else self._path(record, item, parent)
            if path is None:
                continue
            if item.folder and item.what == "CREATE" and not inside:
                self._places[item.place] = path
            by: JSONObject = {name: getattr(record, name) for name in ("pid", "exe", "command", "uid", "login", "at")}
            yield {**by, "path": path, "what": item.spoken, **({"inside": inside} if inside else {})}

    def _path(self, record: Record, item: Item, parent: Optional[Item]) -> Optional[str]:
        """Where it is: by its folder's inode, for only the caller may have that open; or by the name it has for who lives there."""
        known = self._places.get(parent.place) if parent else self._places.get(item.place) if item.folder else None
        if known is not None:
            return f"{known.rstrip('/')}/{item.name.rstrip('/').rpartition('/')[2]}" if parent else known
        path = _named(record, item)
        for place in (path, self._root + path):
            if place in self._exactly or place.startswith(self._below):
                return place if place == path or self._is(item, place) else None
        return None

    def _is(self, item: Item, path: str) -> bool:
        """Whether a record can be about this path: only the host has that file system, or it is the very inode."""
        if item.place[0] in self._own:
            return True
        with suppress(OSError):
            found = Path(path).lstat()
            return item.place == (_device(found), found.st_ino)
        return False

    def close(self) -> None:
        """Our rules are taken away."""
        if self._beside:
            self._beside.close()
        self._link.close()


def _beside(folders: Sequence[str], files: Sequence[str]) -> Optional[Fanotify]:
    try:
        return Fanotify(folders, files)
    except OSError:
        return None


def _named(record: Record, item: Item) -> str:
    return os.path.normpath(item.name if item.name.startswith("/") else f"{record.cwd}/{item.name}")


def _seen_inside(record: Record, item: Item) -> Optional[str]:
    """The path as the instance has it: its own processes name it so, and somebody on the host by way of one of them."""
    return _ROOT.sub("", _named(record, item)) if item.name not in ("", "(null)") else None


def _folders_below(folders: Iterable[str]) -> Iterator[Tuple[Place, str]]:
    for folder in folders:
        for above, _, _ in os.walk(folder):
            found = Path(above).stat()
            yield (_device(found), found.st_ino), above


def _device(status: os.stat_result) -> str:
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"


class Names(Rung):
    """Paths alone."""

    name = INOTIFY

    def __init__(self, listener: Listener, *, name: str) -> None:
        self._listener, self.name = listener, name
        self.descriptors = (listener.descriptor,)

    def hear(self) -> Sequence[JSONObject]:
        """What was touched."""
        heard = self._listener.hear()
        return [{"path": path, "what": what, "at": time.time()} if path else {"gap": f"{self.name} dropped events"} for path, what in heard]

    def close(self) -> None:
        """Stop."""
        self._listener.close()


def highest(folders: Sequence[str], files: Sequence[str], devices: Mapping[str, str], *, root: str = "") -> Tuple[Rung, str]:
    """The best that this host allows, and why it is not a better one. `devices`: file system -> the instance whose it is."""
    try:
        found = Audit(folders, files, devices, root=root)
    except OSError as error:
        why = f"audit: {error.strerror}"
    else:
        checked = "fanotify checks that nothing was missed" if found.complete else "no fanotify checks that nothing was missed"
        return found, f"the kernel names who changes a file; {checked}"
    for name, listener in ((FANOTIFY, Fanotify), (INOTIFY, Inotify)):
        try:
            return Names(listener(folders, files), name=name), f"who is not told: {why}"
        except OSError as error:
            why = f"{why}; {name}: {error.strerror}"
    return Rung(), why
