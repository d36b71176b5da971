"""Lays layers into a root and trusts nothing in them: no entry reaches outside, none is written through a link."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Dict, Final, Iterator, Optional, Sequence, Set, Tuple

from vitrify.core.diagnostic import Denied
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost import untar
from vitrify.onhost.foreign import DEVICES, HARD, PIPE, ForeignArchive
from vitrify.onhost.layout import OPAQUE, WHITEOUT, Checked
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.sharing import Twins
from vitrify.onhost.untar import Archive, Member

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE_MARK: Final = "user.overlay.opaque"
_MOST_ENTRIES: Final = 4_000_000
_MOST_LINKS: Final = 40
"""Symbolic links that one path may lead through, as with the kernel."""
_WHOLE: Final = 4 << 20
"""Bytes up to which a file is compared before it is written; a larger one is written, and shared afterwards."""
_UNOWNED: Final = 0o1777
_MARKS: Final = ".wh..wh."
"""Names that begin so are notes of a file system that packed the layer, but for `OPAQUE`."""

Parts = Tuple[str, ...]


class Root:
    """An image's root while layers are laid into it, the lowest first.

    With `beneath`, the image stands on files that are not in it: removals of those stay, as an overlay's whiteouts.
    Folders keep mode 0700 until `finish`, so that a read-only one can still be filled. `twins` are other roots, that nobody writes to:
    a file that one of them has, equal in everything, is shared with it.
    """

    def __init__(self, folder: str, *, beneath: bool, twins: Sequence[Path] = ()) -> None:
        self._twins = Twins(twins)
        self._root = os.open(folder, _FOLDER)
        self._beneath = beneath
        self._own = os.geteuid() == 0
        self._stamps: Dict[Parts, Member] = {}
        self._written: Set[Parts] = set()
        self._near: Tuple[Parts, int] = ((), self._root)

    def close(self) -> None:
        """Give the descriptors back."""
        self._leave()
        self._twins.close()
        os.close(self._root)

    def apply(self, blob: Checked, *, foreign: bool = False) -> None:
        """Lay one layer over what is there. Denied for what an honest layer never holds, IntegrityFailed for a broken one.

        A `foreign` layer was packed by others: it may hold hard links, and lead through links of the image, which stay within it.
        """
        self._written = set()
        archive = ForeignArchive(blob.read) if foreign else Archive(blob.read)
        for count, member in enumerate(archive.members()):
            if count >= _MOST_ENTRIES:
                raise Denied("an image layer holds more entries than any layer", why=f"more than {_MOST_ENTRIES}")
            if not foreign:
                self._lay(member, archive.content())
            elif not _is_left_out(member):
                self._lay(self._within(member), archive.content())

    def make_point(self, name: str) -> None:
        """Make a top-level folder for a mount; what is there stays as it is."""
        if not os.access(name, os.F_OK, dir_fd=self._root, follow_symlinks=False):
            self._folder((name,))

    def finish(self) -> JSONObject:
        """Give every folder its mode and owner, the innermost first; returns the table of what could not be set without root."""
        self._leave()
        for parts, member in sorted(self._stamps.items(), reverse=True):
            if member.type == untar.DIRECTORY:
                self._finish(self._folder(parts[:-1]), member)
        self._leave()
        return {} if self._own else {f"/{member.path}": _row(member) for member in self._stamps.values()}

    def _lay(self, member: Member, content: Iterator[bytes]) -> None:
        *above, name = member.parts
        if name == OPAQUE:
            self._hide_all(tuple(above))
        elif name.startswith(WHITEOUT):
            self._hide((*above, name[len(WHITEOUT) :]))
        else:
            self._put(member, content)

    def _put(self, member: Member, content: Iterator[bytes]) -> None:
        parts = member.parts
        if parts in self._written and member.type != untar.DIRECTORY:
            raise Denied(f"an image layer holds {member.path!r} twice")
        folder, name = self._folder(parts[:-1]), parts[-1]
        kept = member.type == untar.DIRECTORY and self._is_folder(folder, name)
        if not kept:
            self._clear(folder, parts)
        self._note(member)
        if member.type == HARD:
            self._link(member)
        elif member.type == untar.FILE:
            self._write(folder, member, content)
        elif member.type == untar.LINK:
            os.symlink(member.link, name, dir_fd=folder)
            self._finish(folder, member)
        elif not kept:
            os.mkdir(name, 0o700, dir_fd=folder)

    def _link(self, member: Member) -> None:
        """One more name for a file, which has one mode and one owner under all of them."""
        *above, name = target = tuple(member.link.split("/"))
        source = os.dup(self._folder(self._through_links(tuple(above))))
        try:
            if self._is_folder(source, name):
                raise Denied(f"an image layer holds a hard link to a folder: {member.path!r}")
            os.link(name, member.parts[-1], src_dir_fd=source, dst_dir_fd=self._folder(member.parts[:-1]), follow_symlinks=False)
        except FileNotFoundError:
            raise Denied(f"an image layer holds a hard link to nothing: {member.path!r}", why=repr(member.link[:200])) from None
        finally:
            os.close(source)
        self._note(replace(self._stamps.get((*self._through_links(target[:-1]), name), member), parts=member.parts))

    def _within(self, member: Member) -> Member:
        """The entry at the place where it comes to lie: a folder on its way may be a link to another one of the image."""
        if member.type in DEVICES:
            raise Denied(f"an image layer holds a device: {member.path!r}", why="an image holds files, folders and links alone")
        above = member.parts[:-1]
        try:
            self._folder(above)
        except Denied:
            return replace(member, parts=(*self._through_links(above), member.parts[-1]))
        return member

    def _through_links(self, parts: Parts) -> Parts:
        """The same folder by its real path. What a link says counts from the image's root, and never leads out of it."""
        done: Parts = ()
        left, links = list(parts), 0
        while left:
            name = left.pop(0)
            if name == "..":
                done = done[:-1]
                continue
            target = self._target((*done, name))
            if target is None:
                done = (*done, name)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise Denied(f"a path in the image leads through too many links: {'/'.join(parts)!r}")
            done = () if target.startswith("/") else done
            left = [part for part in target.split("/") if part not in ("", ".")] + left
        return done

    def _target(self, parts: Parts) -> Optional[str]:
        """Where a symbolic link leads; None where there is none."""
        try:
            return os.readlink(parts[-1], dir_fd=self._folder(parts[:-1]))
        except OSError:
            return None

    def _write(self, folder: int, member: Member, content: Iterator[bytes]) -> None:
        if member.size <= _WHOLE:
            data = b"".join(content)
            looks = (member.mode, member.uid, member.gid) if self._own else (member.mode & _UNOWNED, os.geteuid(), os.getegid())
            if self._twins.linked(member.path, data, looks, into=folder):
                return
            content = iter((data,))
        file = os.open(member.parts[-1], _NEW, 0o600, dir_fd=folder)
        try:
            for data in content:
                _write_all(file, data)
        finally:
            os.close(file)
        self._finish(folder, member)

    def _finish(self, folder: int, member: Member) -> None:
        """Owner, mode and time of an entry; its owner first, because changing it takes set-user-id bits away."""
        name = member.parts[-1]
        if self._own:
            os.chown(name, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
        if member.type != untar.LINK:
            # Without root the owner is the wrong one, and a program that runs as its owner must not lie about.
            os.chmod(name, member.mode if self._own else member.mode & _UNOWNED, dir_fd=folder)
        os.utime(name, (0, 0), dir_fd=folder, follow_symlinks=False)

    def _hide(self, parts: Parts) -> None:
        """Take away what layers beneath have here, and keep a mark where the image's base may have it too."""
        if parts[-1] in ("", ".", "..") or parts in self._written:
            raise Denied(f"an image layer holds a removal of {'/'.join(parts)!r} that it must not")
        folder = self._folder(parts[:-1])
        self._clear(folder, parts)
        if self._beneath:
            os.mknod(parts[-1], stat.S_IFCHR, 0, dir_fd=folder)

    def _hide_all(self, parts: Parts) -> None:
        folder = self._folder(parts)
        self._clear_below(folder, parts)
        if self._beneath:
            os.setxattr(folder, _OPAQUE_MARK, b"y")

    def _clear_below(self, folder: int, parts: Parts) -> None:
        """Remove what earlier layers left in a folder, keeping what this one wrote before its mark."""
        for name in os.listdir(folder):
            child = (*parts, name)
            if child not in self._written:
                self._clear(folder, child)
            elif self._is_folder(folder, name):
                inner = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    self._clear_below(inner, child)
                finally:
                    os.close(inner)

    def _clear(self, folder: int, parts: Parts) -> None:
        if self._is_folder(folder, parts[-1]):
            gone = [path for path in self._stamps if path[: len(parts)] == parts]
            for path in gone:
                del self._stamps[path]
        self._stamps.pop(parts, None)
        remove_tree(parts[-1], dir_fd=folder)

    def _note(self, member: Member) -> None:
        self._stamps[member.parts] = member
        for length in range(1, len(member.parts) + 1):
            self._written.add(member.parts[:length])

    @staticmethod
    def _is_folder(folder: int, name: str) -> bool:
        try:
            return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def _folder(self, parts: Parts) -> int:
        """A descriptor of a folder of the image, made where it is missing; good until the next call."""
        if parts == self._near[0]:
            return self._near[1]
        self._leave()
        current = os.dup(self._root)
        for depth, name in enumerate(parts):
            try:
                inner = self._enter(current, name)
            except OSError as error:
                path = "/".join(parts[: depth + 1])
                raise Denied(f"a path in the image leads through {path!r}, which is no folder", why=str(error.strerror)) from None
            finally:
                os.close(current)
            current = inner
        self._near = (parts, current)
        return current

    @staticmethod
    def _enter(folder: int, name: str) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except FileNotFoundError:
            os.mkdir(name, 0o700, dir_fd=folder)
            os.chmod(name, 0o755, dir_fd=folder)  # noqa: S103  a folder of a system is open to all
            return os.open(name, _FOLDER, dir_fd=folder)

    def _leave(self) -> None:
        if self._near[1] != self._root:
            os.close(self._near[1])
        self._near = ((), self._root)


def _is_left_out(member: Member) -> bool:
    """What is nobody's loss: devices in `/dev`, which is the kernel's, pipes, which their servers make, and notes of a packer."""
    name = member.parts[-1]
    device = member.type in DEVICES and member.parts[0] == "dev"
    return device or member.type == PIPE or (name.startswith(_MARKS) and name != OPAQUE)


def _row(member: Member) -> JSON:
    return {"mode": f"{member.mode:04o}", "uid": member.uid, "gid": member.gid}


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
