"""What an archive holds, read strictly: every name, link and size is checked before anything of it is put in place.

tar (plain, gzip, bzip2, xz) and zip. Files, folders, symbolic and hard links; nothing else, nothing twice, nothing that leads out.
"""

from __future__ import annotations

import stat
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Callable, Dict, Iterator, Optional, Tuple

from vitrify.core.diagnostic import Denied, IntegrityFailed

if TYPE_CHECKING:  # only who unpacks loads these
    from tarfile import TarFile, TarInfo
    from zipfile import ZipInfo

MOST_ENTRIES = 200_000
DEEPEST, LONGEST = 100, 4096
CHUNK = 1 << 20
LARGEST = 4 << 30
"""Bytes that an archive may unpack to where nobody says otherwise."""
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"))

Parts = Tuple[str, ...]


@dataclass(frozen=True)
class Member:
    """One entry. `type` is file, directory or link; `same_as` names the earlier file that a hard link is."""

    parts: Parts
    type: str
    mode: str = "0644"
    link: str = ""
    same_as: Parts = ()

    @property
    def name(self) -> str:
        """The path below the folder that it is unpacked to."""
        return "/".join(self.parts)


Open = Callable[[], IO[bytes]]
"""Opens the content of the member that came last; only until the next one is asked for."""


class Broken(IntegrityFailed):
    """This is no archive, or only a part of one."""


@contextmanager
def told() -> Iterator[None]:
    """Whatever the libraries say of a broken archive, in our words."""
    import lzma
    import tarfile
    import zipfile
    import zlib

    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError) as error:
        raise Broken("the archive cannot be read", why=str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise Broken("the archive cannot be read", why=str(error)) from error


def checked(stream: IO[bytes], *, strip: int, largest: int) -> Dict[str, Member]:
    """Every member by its name, all of them checked; Denied where one is dangerous. The stream is read to its end."""
    found: Dict[str, Member] = {}
    for member, _ in members(stream, strip=strip, largest=largest):
        before = found.get(member.name)
        if before is not None and not before.type == member.type == "directory":
            raise _denied(member.name, "it stands there twice")
        if member.same_as and "/".join(member.same_as) not in found:
            raise _denied(member.name, "it is a hard link to something that does not come before it")
        found[member.name] = member
        if len(found) > MOST_ENTRIES:
            raise Denied("the archive is refused", why=f"it holds more than {MOST_ENTRIES} entries")
    for member in found.values():
        _refuse_covered(member, found)
    return _with_folders(found)


def _with_folders(found: Dict[str, Member]) -> Dict[str, Member]:
    """The members and all folders above them, which an archive need not name, each before what is in it."""
    whole = dict(found)
    for member in found.values():
        for length in range(1, len(member.parts)):
            above = Member(member.parts[:length], "directory", mode="0755")
            whole.setdefault(above.name, above)
    return {name: whole[name] for name in sorted(whole, key=lambda one: whole[one].parts)}


def _refuse_covered(member: Member, found: Dict[str, Member]) -> None:
    for length in range(1, len(member.parts)):
        above = found.get("/".join(member.parts[:length]))
        if above is not None and above.type != "directory":
            raise _denied(member.name, f"it would be put behind the {above.type} {above.name}")


def members(stream: IO[bytes], *, strip: int, largest: int) -> Iterator[Tuple[Member, Optional[Open]]]:
    """Every member in order, with a way to its content where it is a file with one."""
    stream.seek(0)
    head = stream.read(6)
    stream.seek(0)
    sort = next((name for magic, name in _MAGIC if head.startswith(magic)), "tar")
    with told():
        yield from _zipped(stream, strip, largest) if sort == "zip" else _tarred(stream, sort, (strip, largest))


def _tarred(stream: IO[bytes], sort: str, limits: Tuple[int, int]) -> Iterator[Tuple[Member, Optional[Open]]]:
    import tarfile

    strip, largest = limits
    counted = _Counted(_decompressed(stream, sort), largest + MOST_ENTRIES * 1024)
    with tarfile.open(fileobj=counted, mode="r|", errorlevel=1) as archive:  # type: ignore[call-overload]  # it only reads
        total = 0
        for entry in archive:
            total += entry.size
            if total > largest:
                raise _bomb(largest)
            member = _of_tar(entry, strip)
            if member is not None:
                has_content = member.type == "file" and not member.same_as
                yield member, partial(_content, archive, entry) if has_content else None
    counted.drain()


def _content(archive: TarFile, entry: TarInfo) -> IO[bytes]:
    stream = archive.extractfile(entry)
    if stream is None:
        raise Broken("the archive cannot be read", why="a file in it has no content")
    return stream


def _decompressed(stream: IO[bytes], sort: str) -> IO[bytes]:
    if sort == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[return-value]  # it reads, which is all that is asked of it
    if sort == "bzip2":
        import bz2

        return bz2.BZ2File(stream)
    if sort == "xz":
        import lzma

        return lzma.LZMAFile(stream)
    return stream


class _Counted:
    """A stream that ends with an error where it grows too large: what is packed small may be endless unpacked."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream, self._left, self._most = stream, most, most
        self._tail = b""

    def read(self, size: int = -1) -> bytes:
        """Some more of it."""
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        self._tail = (self._tail + data)[-512:]
        if self._left < 0:
            raise _bomb(self._most)
        return data

    def drain(self) -> None:
        """Read to the end, so that a checksum behind it is checked, and it is seen whether the end is there at all."""
        while self.read(CHUNK):
            pass
        if self._tail != bytes(512):
            raise Broken("the archive cannot be read", why="it ends too early")


def _bomb(most: int) -> Denied:
    return Denied("the archive is refused", why=f"it unpacks to more than {most} bytes", hint="raise `largest`, if that is right")


def _of_tar(entry: TarInfo, strip: int) -> Optional[Member]:
    sort = "directory" if entry.isdir() else "link" if entry.issym() else "file" if entry.isreg() or entry.islnk() else ""
    if not sort or entry.issparse():
        raise _denied(entry.name, "it is neither a file nor a folder nor a link")
    parts = _parts(entry.name)
    if len(parts) <= strip:
        return None
    if entry.islnk():
        return Member(parts[strip:], "file", _mode(entry.mode, sort), same_as=_parts(entry.linkname)[strip:])
    return _member(parts[strip:], sort, entry.mode, entry.linkname if sort == "link" else "")


def _zipped(stream: IO[bytes], strip: int, largest: int) -> Iterator[Tuple[Member, Optional[Open]]]:
    import zipfile

    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > largest:
            raise _bomb(largest)
        for entry in entries:
            link = ""
            if _unix(entry) == stat.S_IFLNK:
                with archive.open(entry) as content:
                    link = content.read(LONGEST + 1).decode("utf-8", "surrogateescape")
            member = _of_zip(entry, strip, link)
            if member is not None:
                yield member, partial(archive.open, entry) if member.type == "file" else None


def _unix(entry: ZipInfo) -> int:
    return stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == 3 else 0


def _of_zip(entry: ZipInfo, strip: int, link: str) -> Optional[Member]:
    if _unix(entry) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise _denied(entry.filename, "it is neither a file nor a folder nor a link")
    if entry.flag_bits & 0x1:
        raise _denied(entry.filename, "it is encrypted")
    sort = "link" if link else "directory" if entry.is_dir() else "file"
    parts = _parts(entry.filename)
    mode = entry.external_attr >> 16 if entry.create_system == 3 else 0
    return _member(parts[strip:], sort, mode or 0o644, link) if len(parts) > strip else None


def _member(parts: Parts, sort: str, mode: int, link: str) -> Member:
    if sort == "link":
        _refuse_leading_out(parts, link)
    return Member(parts, sort, _mode(mode, sort), link)


def _mode(mode: int, sort: str) -> str:
    """The owner may read and write, others no more than the archive says, and nobody else writes; set-id bits do not travel."""
    return "0777" if sort == "link" else f"{mode & 0o755 | (0o700 if sort == 'directory' else 0o600):04o}"


def _parts(name: str) -> Parts:
    """A path, taken apart. `.` is left out; nothing else is mended."""
    parts = tuple(part for part in name.rstrip("/").split("/") if part != ".")
    wrong = name.startswith("/") or ".." in parts or "" in parts[:-1] or "\\" in name
    if name not in (".", "./") and (wrong or parts == ("",)):
        raise _denied(name, "its path leads out of the folder it is unpacked to, or is not plain")
    if len(parts) > DEEPEST or len(name) > LONGEST or not name.isprintable():
        raise _denied(name, "its path is too long, too deep, or holds characters that cannot be shown")
    return parts


def _refuse_leading_out(parts: Parts, link: str) -> None:
    """A link may go up no higher than to the folder of the archive, and must not go up again behind a name, which may be a link."""
    steps = [step for step in link.split("/") if step not in ("", ".")]
    up = len(steps) - len([step for step in steps if step != ".."])
    if not link or link.startswith("/") or len(link) > LONGEST or not link.isprintable():
        raise _denied("/".join(parts), f"it is a link to {link[:200]!r}")
    if up > len(parts) - 1 or ".." in steps[up:]:
        raise _denied("/".join(parts), f"it is a link that leads out, to {link[:200]!r}")


def _denied(name: str, why: str) -> Denied:
    return Denied("the archive is refused", why=f"{name[:200]!r}: {why}", hint="nothing of it was put in place")
