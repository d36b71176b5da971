"""Changes in folders as fanotify tells them: which path, with queues and marks that nobody runs out of, and never reliably who.

A folder is named by a handle, which is asked for when it is marked. Whole file systems are not marked: what others do there would cost
more than all that is watched.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from typing import Dict, Iterator, List, Sequence

from vitrify.onhost.listener import Heard, Listener

_CLOEXEC, _NONBLOCK, _UNLIMITED, _DFID_NAME = 0x1, 0x2, 0x10 | 0x20, 0xC00
_ADD, _DONT_FOLLOW, _ONLYDIR = 0x1, 0x4, 0x8
_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _ON_CHILD, _ONDIR = 0x4000, 0x08000000, 0x40000000
_ALL = _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ON_CHILD | _ONDIR
_WHAT = ((_CREATE | _MOVED_TO, "created"), (_DELETE | _MOVED_FROM, "removed"))
_METADATA, _INFO, _HANDLE = struct.Struct("=IBBHQii"), struct.Struct("=BBH8sII"), struct.Struct("=II")
_DFID, _HERE, _LARGEST = 2, -100, 128
"""The kind of record that names an entry by its folder, AT_FDCWD, and how long a handle can be."""


class Fanotify(Listener):
    """Tells of folders and all below them, by marks without limit."""

    room = 1 << 18

    def __init__(self, folders: Sequence[str], files: Sequence[str]) -> None:
        super().__init__()
        self._below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        self._exactly = frozenset((*folders, *files))
        self._places: Dict[bytes, str] = {}
        flags = _CLOEXEC | _NONBLOCK | _UNLIMITED | _DFID_NAME
        self.descriptor = self._checked(self._libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))
        try:
            for folder in folders:
                list(self._within(folder))
            for above in {file.rpartition("/")[0] or "/" for file in files}:
                self._mark(above)
        except OSError:
            self.close()
            raise

    def _apart(self, data: bytes) -> Iterator[Heard]:
        at = 0
        while at < len(data):
            length, _, _, skip, mask, _, _ = _METADATA.unpack_from(data, at)
            yield from self._told(data[at + skip : at + length], mask)
            at += length

    def _told(self, info: bytes, mask: int) -> Iterator[Heard]:
        if mask & _OVERFLOW:
            yield "", "lost"
        if len(info) < _INFO.size or info[0] != _DFID:
            return
        _, _, length, _, size, kind = _INFO.unpack_from(info)
        folder = self._places.get(_HANDLE.pack(size, kind) + info[_INFO.size : _INFO.size + size])
        if folder is None:
            return
        name = os.fsdecode(info[_INFO.size + size : length].partition(b"\0")[0])
        path = folder if name in ("", ".") else f"{folder.rstrip('/')}/{name}"
        if not (path in self._exactly or path.startswith(self._below)):
            return
        yield path, next((word for bits, word in _WHAT if mask & bits), "written")
        if mask & _ONDIR and mask & (_CREATE | _MOVED_TO):
            # What came into it before it was marked is told as well: nothing is missed by being quick.
            with suppress(OSError):
                yield from ((found, "created") for found in self._within(path) if found != path)

    def _within(self, folder: str) -> List[str]:
        """Mark a folder and all below; what is in them once they are."""
        found: List[str] = []
        todo = [folder]
        while todo:
            here = todo.pop()
            with suppress(FileNotFoundError, NotADirectoryError):
                self._mark(here)
                for entry in os.scandir(here):
                    found.append(entry.path)
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        return found

    def _mark(self, folder: str) -> None:
        name, where = os.fsencode(folder), ctypes.c_int()
        flags = _ADD | _ONLYDIR | _DONT_FOLLOW
        self._checked(self._libc.fanotify_mark(self.descriptor, flags, ctypes.c_uint64(_ALL), _HERE, name))
        handle = ctypes.create_string_buffer(_HANDLE.pack(_LARGEST, 0), _HANDLE.size + _LARGEST)
        self._checked(self._libc.name_to_handle_at(_HERE, name, handle, ctypes.byref(where), 0))
        size, _ = _HANDLE.unpack_from(handle.raw)
        self._places[handle.raw[: _HANDLE.size + size]] = folder
