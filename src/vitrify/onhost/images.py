"""What was at a path before a change, and what the change left: enough to put it back, and to tell who changed it since."""

from __future__ import annotations

import base64
import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Mapping, Optional, Tuple

from vitrify.core import place
from vitrify.core.digest import JSONObject
from vitrify.core.resource import MISSING
from vitrify.onhost.beneath import Entry, Spot
from vitrify.onhost.faults import told
from vitrify.onhost.files import Real, clear_temporary, copy, extended, hash_of, open_file
from vitrify.onhost.memory import Memory, damaged
from vitrify.onhost.rooted import Rooted

_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
NOTHING = str(MISSING["type"])


@dataclass(frozen=True)
class Image:
    """One path as it was. `digest` names the content of a file, in hex; `row` is what the table of attributes said."""

    path: str
    type: str = NOTHING
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    digest: str = ""
    link: str = ""
    device: int = 0
    xattrs: Mapping[str, str] = field(default_factory=dict)
    row: Optional[JSONObject] = None

    @property
    def missing(self) -> bool:
        """Whether nothing was there."""
        return self.type == NOTHING

    def same(self, other: Image) -> bool:
        """Whether both are the same thing; when it was touched does not count, nor what filesystems add to folders by themselves."""
        return (self.type, self.digest, self.link, self.device, self._owned()) == (
            other.type,
            other.digest,
            other.link,
            other.device,
            other._owned(),
        )

    def _owned(self) -> Tuple[int, int, int, str]:
        row = self.row or {}
        return self.mode, self.uid, self.gid, f"{row.get('mode')} {row.get('uid')} {row.get('gid')}" if row else ""

    def to_json(self) -> JSONObject:
        """The form of the journal."""
        if self.missing:
            return {"path": self.path, "type": self.type}
        return {
            "path": self.path,
            "type": self.type,
            "mode": f"{self.mode:04o}",
            "uid": self.uid,
            "gid": self.gid,
            "mtime_ns": self.mtime_ns,
            "digest": self.digest,
            "link": self.link,
            "device": self.device,
            "xattrs": dict(self.xattrs),
            "row": self.row,
        }

    @classmethod
    def from_json(cls, data: JSONObject) -> Image:
        """Read what `to_json` wrote."""
        if data["type"] == NOTHING:
            return cls(str(data["path"]))
        xattrs, row = data["xattrs"], data["row"]
        return cls(
            path=str(data["path"]),
            type=str(data["type"]),
            mode=int(str(data["mode"]), 8),
            uid=int(str(data["uid"])),
            gid=int(str(data["gid"])),
            mtime_ns=int(str(data["mtime_ns"])),
            digest=str(data["digest"]),
            link=str(data["link"]),
            device=int(str(data["device"])),
            xattrs={name: str(value) for name, value in xattrs.items()} if isinstance(xattrs, dict) else {},
            row=row if isinstance(row, dict) else None,
        )


class Images:
    """Takes images of a target's paths and puts them back. Contents are kept in the memory, once each."""

    def __init__(self, system: Rooted, memory: Memory) -> None:
        self._system = system
        self._memory = memory
        self._laid: List[str] = []

    def take(self, path: str, *, keep: bool) -> Image:
        """The path as it is now; with `keep` its content is copied, and kept once this was `settled`."""
        with told(f"{path} cannot be looked at"), suppress(FileNotFoundError, NotADirectoryError), self._system.beneath.at(path) as spot:
            entry = spot.entry()
            if entry is not None:
                return self._image(path, spot, entry, keep=keep)
        return Image(path)

    def _image(self, path: str, spot: Spot, entry: Entry, *, keep: bool) -> Image:
        status = entry.status
        kind = _TYPES.get(stat.S_IFMT(status.st_mode), "other")
        digest, xattrs = self._inside(spot, entry, keep=keep) if kind in ("file", "directory") else ("", {})
        return Image(
            path=path,
            type=kind,
            mode=stat.S_IMODE(status.st_mode) if kind != "other" else status.st_mode,
            uid=status.st_uid,
            gid=status.st_gid,
            mtime_ns=status.st_mtime_ns,
            digest=digest,
            link=os.readlink(spot.name, dir_fd=spot.folders[entry.layer]) if kind == "link" else "",
            device=status.st_rdev if kind == "other" else 0,
            xattrs=xattrs,
            row=self._system.sidecar.row(spot.path) if self._system.sidecar else None,
        )

    def _inside(self, spot: Spot, entry: Entry, *, keep: bool) -> Tuple[str, Mapping[str, str]]:
        if stat.S_ISDIR(entry.status.st_mode):
            descriptor = os.open(spot.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=spot.folders[entry.layer])
            digest = ""
        else:
            descriptor = open_file(spot, entry)
            digest = hash_of(descriptor)
        try:
            if digest and keep:
                self._keep(digest, descriptor)
            return digest, {name: base64.b64encode(value).decode() for name, value in extended(descriptor).items()}
        finally:
            os.close(descriptor)

    def _keep(self, digest: str, descriptor: int) -> None:
        if digest in self._laid or os.path.exists(self._memory.path("before", digest)):
            return
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._memory.lay("before", digest, lambda target: copy(descriptor, target))
        self._laid.append(digest)

    def settle(self) -> None:
        """What was taken to be kept is durable once this returns: called before anything is announced that may need it."""
        self._memory.settle("before", self._laid)
        self._laid.clear()

    def put_back(self, before: Iterable[Image]) -> None:
        """Make these paths as they were; outermost first, as a kind names them. Times of folders are the caller's."""
        images = self._without_what_lay_beyond(tuple(before))
        for image in reversed(images):
            self._make_way(image)
        for image in images:
            if not image.missing:
                self._put(image)
        self._system.keep()

    def _without_what_lay_beyond(self, images: Tuple[Image, ...]) -> Tuple[Image, ...]:
        """Below a link that a folder took the place of nothing was: what was seen there is where the link leads, and stays as it is."""
        links = [image.path for image in images if image.type == "link" and self.take(image.path, keep=False).type == "directory"]
        if not links:
            return images
        return tuple(Image(one.path) if any(place.inside(one.path, link) for link in links) else one for one in images)

    def _make_way(self, image: Image) -> None:
        with (
            told(f"{image.path} cannot be removed"),
            suppress(FileNotFoundError, NotADirectoryError),
            self._system.beneath.at(image.path) as spot,
        ):
            entry = spot.entry()
            if entry is not None and _TYPES.get(stat.S_IFMT(entry.status.st_mode), "other") != image.type:
                try:
                    self._system.files.remove(spot)
                except OSError as error:
                    if error.errno != errno.ENOTEMPTY or not image.missing:
                        raise
                    return  # somebody else put something in: it stays, and the folder with it
            if image.missing and self._system.sidecar:
                self._system.sidecar.put_back(spot.path, None)

    def _put(self, image: Image) -> None:
        with told(f"{image.path} cannot be put back"), self._system.beneath.at(image.path) as spot:
            now = self.take(image.path, keep=False)
            if now != image:
                self._write(spot, image, now)
            if self._system.sidecar:
                self._system.sidecar.put_back(spot.path, image.row)

    def _write(self, spot: Spot, image: Image, now: Image) -> None:
        real, files = _real(image), self._system.files
        entry = spot.entry()
        if image.type == "directory":
            if entry is None:
                files.make_folder(spot, real)
            else:
                files.set(spot, entry, real)
        elif image.type == "file" and entry is not None and now.type == "file" and now.digest == image.digest:
            files.set(spot, entry, real)
        elif image.type == "file":
            self._write_file(spot, image, real)
        elif image.type == "link":
            files.link(spot, to=image.link, real=real)
        else:
            files.node(spot, image.mode, image.device, real)

    def _write_file(self, spot: Spot, image: Image, real: Real) -> None:
        path = self._memory.path("before", image.digest)
        try:
            source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise damaged(path, f"it held what {image.path} was before") from None
        try:
            if hash_of(source) != image.digest:
                raise damaged(path, "its content is not what its name says")
            os.lseek(source, 0, os.SEEK_SET)
            self._system.files.replace(spot, lambda target: copy(source, target), real)
        finally:
            os.close(source)

    def added(self, inside: Mapping[str, Iterable[str]]) -> Tuple[str, ...]:
        """The paths in these folders that are there now beside those of these names."""
        there = [folder for folder in inside if self.take(folder, keep=False).type == "directory"]
        found = {folder: sorted({*self._system.names(folder)}.difference(inside[folder])) for folder in there}
        return tuple(f"{folder.rstrip('/')}/{name}" for folder, names in found.items() for name in names)

    # -- the times of folders, and what a killed process left in them -----------------------------------------------

    def folders(self, paths: Iterable[str]) -> Dict[str, int]:
        """When each folder that holds one of these paths, or is one, was last written to."""
        found: Dict[str, int] = {}
        for path in paths:
            # The folder that holds a path may be reached by a link; a link at the path itself is the thing, not the way.
            for folder, follow in ((path.rstrip("/").rpartition("/")[0] or "/", True), (path, False)):
                if folder not in found:
                    self._note_time(folder, found, follow=follow)
        return found

    def times(self, steps: Iterable[Tuple[Image, ...]]) -> List[Dict[str, int]]:
        """The same for paths that were just looked at, step by step; what several steps share is looked at once."""
        seen: Dict[str, Dict[str, int]] = {}
        found: List[Dict[str, int]] = []
        for images in steps:
            times: Dict[str, int] = {}
            for image in images:
                above = image.path.rstrip("/").rpartition("/")[0] or "/"
                if above not in seen:
                    self._note_time(above, seen.setdefault(above, {}), follow=True)
                times.update(seen[above])
                if image.type == "directory":
                    times[image.path] = image.mtime_ns
            found.append(times)
        return found

    def _note_time(self, folder: str, found: Dict[str, int], *, follow: bool) -> None:
        with suppress(OSError), self._system.beneath.at(folder, follow=follow) as spot:
            entry = spot.entry()
            if entry is not None and stat.S_ISDIR(entry.status.st_mode):
                found[folder] = entry.status.st_mtime_ns

    def set_times(self, times: Mapping[str, int]) -> None:
        """Give folders the times they had, innermost first."""
        for folder, mtime_ns in sorted(times.items(), reverse=True):
            with suppress(OSError), self._system.beneath.folder(folder, follow=True) as (_, folders):
                if folders[0] is not None:
                    os.utime(folders[0], ns=(mtime_ns, mtime_ns))

    def clear(self, paths: Iterable[str]) -> None:
        """Take away what a killed process left behind beside these paths, and in them."""
        for folder in self.folders(paths):
            with suppress(OSError), self._system.beneath.folder(folder, follow=True) as (_, opened):
                if opened[0] is not None:
                    clear_temporary(opened[0])


def _real(image: Image) -> Real:
    root = os.geteuid() == 0
    return Real(
        mode=stat.S_IMODE(image.mode),
        uid=image.uid if root or image.uid != os.geteuid() else None,
        gid=image.gid if root or image.gid != os.getegid() else None,
        xattrs={name: base64.b64decode(value) for name, value in image.xattrs.items()},
        mtime_ns=image.mtime_ns,
    )
