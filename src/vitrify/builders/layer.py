"""Packs a folder as a canonical layer: what is in it decides the bytes; when, where and by whom it was made does not."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from vitrify.builders import tar
from vitrify.builders.tree import Entry, Tree, listed, readable
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import PLAIN
from vitrify.onhost.layout import LAYER, OPAQUE, WHITEOUT, Descriptor

Inspect = Callable[[str, bytes], None]
"""Looks at a small file's path and content while it is packed; raises to refuse the layer."""

SMALL: Final = 1 << 20
"""Files below this size are inspected."""

_OPAQUE_MARKS: Final = ("user.overlay.opaque", "trusted.overlay.opaque")
_TYPES: Final = {stat.S_IFREG: tar.FILE, stat.S_IFDIR: tar.DIRECTORY, stat.S_IFLNK: tar.LINK}
_SPOKEN: Final = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe", stat.S_IFBLK: "a block device", stat.S_IFCHR: "a character device"}


def look_away(_path: str, _content: bytes) -> None:
    """Inspect nothing."""


def pack(tree: Tree, into: BinaryIO, *, inspect: Inspect = look_away) -> Descriptor:
    """Write the layer of this tree.

    Equal trees give equal bytes, whatever the order in their folders, umask, user, time zone or locale. Refuses what has
    no place in an image: sockets, pipes, devices, names that are not UTF-8, names that would mean a whiteout.
    """
    layer = _Layer(tree, into, inspect)
    for entry in listed(tree.folder):
        layer.add(entry)
    return layer.finish()


class _Layer:
    """One archive being written; hashed on its way."""

    def __init__(self, tree: Tree, into: BinaryIO, inspect: Inspect) -> None:
        self.tree, self.into, self.inspect = tree, into, inspect
        self._sha256 = hashlib.sha256()
        self._size = 0

    def add(self, entry: Entry) -> None:
        """Write one entry, and the mark of an opaque folder right behind it."""
        _refuse_odd_names(entry)
        if self.tree.overlay and entry.is_whiteout:
            folder, slash, name = entry.path.rpartition(b"/")
            self._mark(folder + slash + WHITEOUT.encode() + name)
            return
        kind = _TYPES.get(stat.S_IFMT(entry.status.st_mode))
        if kind is None:
            spoken = _SPOKEN.get(stat.S_IFMT(entry.status.st_mode), "a special file")
            raise TargetFailed(f"{entry.spoken} is {spoken}", why="an image holds files, folders and links alone", hint="remove it")
        self._write(entry, kind)

    def _write(self, entry: Entry, kind: bytes) -> None:
        path, stamp = self._on_disk(entry), self.tree.stamp(entry)
        if kind == tar.FILE:
            self._put(tar.header(tar.Entry(entry.path, kind, stamp.mode, stamp.uid, stamp.gid, entry.status.st_size)))
            self._content(entry, path)
        elif kind == tar.LINK:
            with readable(entry.path):
                target = os.readlink(path)  # noqa: PTH115  the name may be no text
            self._put(tar.header(tar.Entry(entry.path, kind, 0o777, stamp.uid, stamp.gid, link=target)))
        else:
            self._put(tar.header(tar.Entry(entry.path, kind, stamp.mode, stamp.uid, stamp.gid)))
            if self.tree.overlay and _is_opaque(path):
                self._mark(entry.path + b"/" + OPAQUE.encode())

    def _content(self, entry: Entry, path: bytes) -> None:
        size, written = entry.status.st_size, 0
        for data in _chunks(entry, path):
            if size < SMALL:
                self.inspect(entry.spoken, data)
            written += len(data)
            self._put(data)
        if written != size:
            raise TargetFailed(f"{entry.spoken} changed while it was packed", hint="bake again once nothing writes there")
        self._put(tar.padding(size))

    def _mark(self, path: bytes) -> None:
        self._put(tar.header(tar.Entry(path, tar.FILE, 0o600)))

    def _on_disk(self, entry: Entry) -> bytes:
        return os.fsencode(self.tree.folder) + b"/" + entry.path

    def _put(self, data: bytes) -> None:
        self._sha256.update(data)
        self._size += len(data)
        self.into.write(data)

    def finish(self) -> Descriptor:
        """Close the archive."""
        self._put(tar.END)
        return Descriptor(LAYER, PLAIN + self._sha256.hexdigest(), self._size)


def _chunks(entry: Entry, path: bytes) -> Iterator[bytes]:
    """The file's content: whole where it is small, and never much more than its size, should it be growing."""
    left = entry.status.st_size + 1
    with readable(entry.path), open(path, "rb", opener=_unfollowed) as file:
        while left > 0 and (data := file.read(min(SMALL, left))):
            left -= len(data)
            yield data


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _is_opaque(path: bytes) -> bool:
    names = os.listxattr(path, follow_symlinks=False)
    return any(os.getxattr(path, mark, follow_symlinks=False) == b"y" for mark in _OPAQUE_MARKS if mark in names)


def _refuse_odd_names(entry: Entry) -> None:
    if entry.path.rpartition(b"/")[2].startswith(WHITEOUT.encode()):
        raise TargetFailed(
            f"{entry.spoken} cannot be in an image", why=f"names that begin with {WHITEOUT} mean a removal", hint="rename it"
        )
    try:
        entry.path.decode()
    except UnicodeDecodeError:
        raise TargetFailed(f"{entry.spoken} cannot be in an image", why="its name is not UTF-8", hint="rename it") from None
