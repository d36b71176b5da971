"""Changes below folders as inotify tells them: which path, and never who."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import Dict, Iterable, Iterator, List

from vitrify.onhost.listener import Heard, Listener

_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _DELETE_SELF = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200, 0x400
_MODIFY, _OVERFLOW, _IGNORED, _ISDIR, _ONLYDIR, _DONT_FOLLOW = 0x2, 0x4000, 0x8000, 0x40000000, 0x01000000, 0x02000000
_ALL = _ATTRIB | _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF
_EVENT = struct.Struct("=iIII")
_WHAT = ((_CREATE | _MOVED_TO, "created"), (_DELETE | _MOVED_FROM | _DELETE_SELF, "removed"))


class Inotify(Listener):
    """Tells of folders and all below them; OSError, too, where no more folders may be watched."""

    def __init__(self, folders: Iterable[str], files: Iterable[str]) -> None:
        super().__init__()
        self.descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._places: Dict[int, str] = {}
        self._only: Dict[str, List[str]] = {}
        try:
            for folder in folders:
                self._below(folder)
            for file in files:
                # A file that is replaced is another one: what is listened to is the name, in its folder.
                above = file.rpartition("/")[0]
                if above not in self._places.values():
                    self._only.setdefault(above, []).append(file)
            for above in self._only:
                self._add(above)
        except OSError:
            self.close()
            raise

    def _apart(self, data: bytes) -> Iterator[Heard]:
        at = 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
            at += _EVENT.size + length
            yield from self._told(watch, mask, os.fsdecode(name))

    def _told(self, watch: int, mask: int, name: str) -> Iterator[Heard]:
        if mask & _OVERFLOW:
            yield "", "lost"
        folder = self._places.get(watch)
        if folder is None:
            return
        if mask & _IGNORED:
            del self._places[watch]
            return
        path = f"{folder.rstrip('/')}/{name}" if name else folder
        if folder in self._only and path not in self._only[folder]:
            return
        yield path, next((word for bits, word in _WHAT if mask & bits), "written")
        if mask & _ISDIR and mask & (_CREATE | _MOVED_TO):
            # What came into it before we listened is told by nobody else.
            with suppress(OSError):
                self._below(path)
            yield from ((f"{above}/{name}", "created") for above, folders, files in os.walk(path) for name in (*folders, *files))

    def _below(self, folder: str) -> None:
        self._add(folder)
        for above, folders, _ in os.walk(folder):
            for name in folders:
                self._add(f"{above}/{name}")

    def _add(self, folder: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            mask = _ALL | _ONLYDIR | _DONT_FOLLOW
            self._places[self._checked(self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), mask))] = folder
