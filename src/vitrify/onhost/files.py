"""Writes beneath a root, atomically: what is seen at a path is the old thing or the new one, also after a power cut.

In a tree of layers only the upper one is written: what a lower one holds is copied up first, or hidden by a whiteout.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterator, Mapping, Optional, Sequence

from vitrify.core.system import Content
from vitrify.onhost.beneath import OPEN_FOLDER, Beneath, Entry, Parts, Spot, close, descend, is_whiteout, look, shown, shown_names

TEMPORARY = ".vitrify-new-"
CHUNK = 1 << 20
_KEPT = ("user.", "security.selinux", "system.posix_acl_access")
"""Extended attributes that a new content does not make untrue; capabilities are not among them."""


@dataclass(frozen=True)
class Real:
    """What to set on disk: permission bits, ids (None: left to the filesystem), extended attributes, times."""

    mode: int
    uid: Optional[int] = None
    gid: Optional[int] = None
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    mtime_ns: Optional[int] = None


Fill = Callable[[int], None]
"""Writes a content into an open file."""

CopiedUp = Callable[[str, os.stat_result], None]
"""Told of each path that was copied into the upper layer, with what the lower one said of it."""


def forget(_: str, __: os.stat_result) -> None:
    """Nobody needs to know what was copied up."""


SYNCED_ONE_BY_ONE = 16
"""So many files are synced each by itself; of more the whole file system is, once."""


class Files:
    """Changes to one tree. Callers translate OSError."""

    def __init__(self, beneath: Beneath, *, copied_up: CopiedUp = forget, durable: bool = True) -> None:
        self._beneath = beneath
        self._copied_up = copied_up
        self._durable = durable
        self._synced = 0

    def settle(self) -> None:
        """Make durable what was written since the last time: called at the end of each change, before its outcome is noted."""
        if self._durable and self._synced > SYNCED_ONE_BY_ONE:
            sync_all(self._beneath.layers[0])
        self._synced = 0

    def _sync(self, descriptor: int) -> None:
        # A few files are synced one by one. Of a large tree the rest waits for `settle`: a thousand syncs take ten seconds, one
        # takes as long as the data does. A power cut before it leaves an intent without outcome, and the change is made again.
        self._synced += 1
        if self._durable and self._synced <= SYNCED_ONE_BY_ONE:
            os.fsync(descriptor)

    @contextmanager
    def _upper(self, spot: Spot) -> Iterator[int]:
        """The spot's folder in the upper layer, made there where only a lower layer has it."""
        if spot.folders[0] is not None:
            yield spot.folders[0]
            return
        folder = self._copy_up_folders(spot.parts[:-1])
        try:
            yield folder
        finally:
            os.close(folder)

    def _copy_up_folders(self, parts: Parts) -> int:
        folder = os.open(self._beneath.layers[0], OPEN_FOLDER)
        for depth, name in enumerate(parts, start=1):
            path = "/" + "/".join(parts[:depth])
            try:
                inner = os.open(name, OPEN_FOLDER, dir_fd=folder)
            except FileNotFoundError:
                with self._beneath.at(path) as spot:
                    entry = spot.entry()
                if entry is None:
                    raise
                os.mkdir(name, 0o700, dir_fd=folder)
                inner = os.open(name, OPEN_FOLDER, dir_fd=folder)
                os.fchmod(inner, stat.S_IMODE(entry.status.st_mode) & 0o777 | 0o700)
                self._copied_up(path, entry.status)
            finally:
                os.close(folder)
            folder = inner
        return folder

    def replace(self, spot: Spot, fill: Fill, real: Real, *, check: Optional[Callable[[str], None]] = None) -> None:
        """Put a regular file at the spot in one rename. `check` is given the new file's path before that, and may refuse it."""
        _refuse_folder(spot)
        with self._upper(spot) as folder, _temporary(folder) as name:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
            try:
                fill(descriptor)
                apply(descriptor, real)
                if check:
                    check("/" + "/".join((*spot.parts[:-1], name)))
                self._sync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(name, spot.name, src_dir_fd=folder, dst_dir_fd=folder)
            # Sync the folder as well: after a power cut the rename alone may be lost.
            self._sync(folder)

    def link(self, spot: Spot, *, to: str, real: Optional[Real] = None) -> None:
        """Put a symbolic link at the spot in one rename."""
        _refuse_folder(spot)
        with self._upper(spot) as folder, _temporary(folder) as name:
            os.symlink(to, name, dir_fd=folder)
            if real:
                stamp(folder, name, real)
            os.replace(name, spot.name, src_dir_fd=folder, dst_dir_fd=folder)
            self._sync(folder)

    def node(self, spot: Spot, mode: int, device: int, real: Real) -> None:
        """Put a pipe, a socket or a device at the spot in one rename."""
        _refuse_folder(spot)
        with self._upper(spot) as folder, _temporary(folder) as name:
            os.mknod(name, mode, device, dir_fd=folder)
            os.chmod(name, real.mode, dir_fd=folder)
            stamp(folder, name, real)
            os.replace(name, spot.name, src_dir_fd=folder, dst_dir_fd=folder)
            self._sync(folder)

    def make_folder(self, spot: Spot, real: Real) -> None:
        """Create one folder where nothing is; nothing of a lower layer shows in it."""
        if spot.entry() is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), spot.path)
        below = _below(spot)
        try:
            with self._upper(spot) as folder:
                whiteout = look(folder, spot.name)
                if whiteout is not None and is_whiteout(whiteout) and len(spot.folders) > 1:
                    os.unlink(spot.name, dir_fd=folder)
                os.mkdir(spot.name, 0o700, dir_fd=folder)
                inner = os.open(spot.name, OPEN_FOLDER, dir_fd=folder)
                try:
                    for name in shown_names(below):
                        os.mknod(name, stat.S_IFCHR, 0, dir_fd=inner)
                    apply(inner, real)
                finally:
                    os.close(inner)
                self._sync(folder)
        finally:
            close(below)

    def set(self, spot: Spot, entry: Entry, real: Real) -> None:
        """Set permissions and owner of a file or folder; in a lower layer it is copied up first."""
        if entry.layer > 0:
            self._copy_up(spot, entry, real)
            return
        folder = spot.folders[0]
        assert folder is not None  # noqa: S101  the entry is in the upper layer
        descriptor = _open_for_attributes(folder, spot.name)
        try:
            apply(descriptor, real)
        finally:
            os.close(descriptor)

    def _copy_up(self, spot: Spot, entry: Entry, real: Real) -> None:
        if stat.S_ISDIR(entry.status.st_mode):
            folder = self._copy_up_folders(spot.parts)
            try:
                apply(folder, real)
            finally:
                os.close(folder)
            return
        source = open_file(spot, entry)
        try:
            self.replace(spot, lambda target: copy(source, target), real)
        finally:
            os.close(source)

    def remove(self, spot: Spot) -> None:
        """Take away a file, a link or an empty folder; nothing there is fine."""
        entry = spot.entry()
        if entry is None:
            return
        if stat.S_ISDIR(entry.status.st_mode):
            _refuse_full(spot)
        with self._upper(spot) as folder:
            if entry.layer == 0:
                _take(folder, spot.name, entry.status)
            if shown(spot.folders[1:], spot.name):
                os.mknod(spot.name, stat.S_IFCHR, 0, dir_fd=folder)
            self._sync(folder)


def sync_all(folder: str) -> None:
    """Sync the file system that holds this folder."""
    import ctypes

    descriptor = os.open(folder, OPEN_FOLDER)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "it could not be synced", folder)
    finally:
        os.close(descriptor)


def open_file(spot: Spot, entry: Entry) -> int:
    """The regular file at the spot, for reading; a pipe or device in its place neither blocks nor is read."""
    descriptor = os.open(spot.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=spot.folders[entry.layer])
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", spot.path)
    return descriptor


def _refuse_folder(spot: Spot) -> None:
    """What is in a lower layer would be hidden by whatever takes its name."""
    entry = spot.entry()
    if entry is not None and stat.S_ISDIR(entry.status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), spot.path)


def _refuse_full(spot: Spot) -> None:
    inner = descend(spot.folders, spot.name)
    try:
        names = shown_names(inner)
    finally:
        close(inner)
    if names:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), spot.path)


def _take(folder: int, name: str, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    inner = os.open(name, OPEN_FOLDER, dir_fd=folder)
    try:
        for hidden in os.listdir(inner):
            whiteout = look(inner, hidden)
            if whiteout is not None and is_whiteout(whiteout):
                os.unlink(hidden, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def _below(spot: Spot) -> Sequence[Optional[int]]:
    """The folders of this name in lower layers, which would show through a new one."""
    try:
        return descend(spot.folders[1:], spot.name)
    except (FileNotFoundError, NotADirectoryError):
        return ()


@contextmanager
def _temporary(folder: int) -> Iterator[str]:
    name = TEMPORARY + os.urandom(8).hex()
    try:
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def clear_temporary(folder: int) -> None:
    """Take away what a process that was killed here left behind."""
    for name in os.listdir(folder):
        if name.startswith(TEMPORARY):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def _open_for_attributes(folder: int, name: str) -> int:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, os.O_RDONLY | flags, dir_fd=folder)
    except PermissionError:
        return os.open(name, os.O_WRONLY | flags, dir_fd=folder)


def apply(descriptor: int, real: Real) -> None:
    """Owner first: changing it clears the set-id bits. Attributes that the filesystem does not know are left out."""
    if real.uid is not None or real.gid is not None:
        os.fchown(descriptor, -1 if real.uid is None else real.uid, -1 if real.gid is None else real.gid)
    for name, value in real.xattrs.items():
        with suppress(OSError):
            os.setxattr(descriptor, name, value)
    os.fchmod(descriptor, real.mode)
    if real.mtime_ns is not None:
        os.utime(descriptor, ns=(real.mtime_ns, real.mtime_ns))


def stamp(folder: int, name: str, real: Real) -> None:
    """Owner and time of an entry that cannot be opened."""
    if real.uid is not None or real.gid is not None:
        ids = (-1 if real.uid is None else real.uid, -1 if real.gid is None else real.gid)
        os.chown(name, *ids, dir_fd=folder, follow_symlinks=False)
    if real.mtime_ns is not None:
        os.utime(name, ns=(real.mtime_ns, real.mtime_ns), dir_fd=folder, follow_symlinks=False)


def copy(source: int, target: int) -> None:
    """All bytes of one open file into another."""
    while True:
        chunk = os.read(source, CHUNK)
        if not chunk:
            return
        write(target, chunk)


def pour(content: Content, descriptor: int) -> None:
    """All of a content into an open file."""
    if isinstance(content, bytes):
        write(descriptor, content)
        return
    while True:
        chunk = content.read(CHUNK)
        if not chunk:
            return
        write(descriptor, chunk)


def write(descriptor: int, content: bytes) -> None:
    """All of these bytes; the operating system may take them in parts."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def extended(descriptor: int, *, kept: bool = False) -> Dict[str, bytes]:
    """The extended attributes of an open file: all that can be read, or with `kept` those that outlive its content."""
    found: Dict[str, bytes] = {}
    with suppress(OSError):
        for name in os.listxattr(descriptor):
            if not kept or name.startswith(_KEPT):
                with suppress(OSError):
                    found[name] = os.getxattr(descriptor, name)
    return found


def hash_of(descriptor: int) -> str:
    """The sha256 of an open file, in hex, from where it stands."""
    running = hashlib.sha256()
    while True:
        chunk = os.read(descriptor, CHUNK)
        if not chunk:
            return running.hexdigest()
        running.update(chunk)
