"""The first Python on a host: takes the payload from root's own cache by descriptor, or asks for it, and becomes it.

It is sent as text before anything of ours is there, so it imports nothing of ours. What is kept is not the payload as it
was sent but compiled by this host's Python, because compiling costs more than all the rest of a start.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from contextlib import suppress
from typing import Dict, List, NoReturn, Optional, Sequence, Tuple

KEPT = 5
"""So many payloads stay: control machines of different versions may take turns."""
_OWN = os.O_NOFOLLOW | os.O_CLOEXEC


def kept(folder: int, name: str, digest: str) -> Optional[int]:
    """The file of this name, open, if it is root's alone, no link of any kind, and whole; None otherwise."""
    try:
        descriptor = os.open(name, os.O_RDONLY | _OWN, dir_fd=folder)
    except OSError:
        return None
    status = os.fstat(descriptor)
    private = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o177 and status.st_nlink == 1
    if private and _whole(_content(descriptor), digest):
        return descriptor
    os.close(descriptor)
    return None


def _content(descriptor: int) -> bytes:
    parts: List[bytes] = []
    while True:
        part = os.read(descriptor, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _whole(content: bytes, digest: str) -> bool:
    head, _, body = content.partition(b"\n")
    return head == _head(body, digest)


def _head(body: bytes, digest: str) -> bytes:
    return f"vitrify {digest} {hashlib.sha256(body).hexdigest()}".encode()


def keep(folder: int, name: str, content: bytes) -> int:
    """Put a file there in one rename, whatever has the name now; returns it open."""
    temporary = f".new.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OWN, 0o600, dir_fd=folder)
    _write(descriptor, content)
    os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    _forget_old(folder)
    return descriptor


def _forget_old(folder: int) -> None:
    names = os.listdir(folder)
    with suppress(OSError):
        youngest = sorted(names, key=lambda name: -os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns)
        for name in youngest[KEPT:]:
            os.unlink(name, dir_fd=folder)


def private_folder(path: str) -> Optional[int]:
    """The folder, made if need be, open; None where somebody else could write to it, or where none can be made."""
    try:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OWN)
    except OSError:
        return None
    if os.fstat(descriptor).st_uid == os.geteuid():
        with suppress(OSError):
            os.fchmod(descriptor, 0o700)
            return descriptor
    os.close(descriptor)
    return None


def compiled(archive: bytes, digest: str) -> bytes:
    """The payload with code in place of its sources, and a first line that says of what it was made and whether it is whole."""
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as sources, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as target:
        members = {name: sources.read(name) for name in sources.namelist()}
        code = side_by_side(members)
        for name in members:
            target.writestr(zipfile.ZipInfo(f"{name}c"), code[name])
    body = packed.getvalue()
    return _head(body, digest) + b"\n" + body


def side_by_side(members: Dict[str, bytes]) -> Dict[str, bytes]:
    """The code of all of these; half of it by a second process where there is a second processor. Whatever that lacks is made here."""
    names = sorted(members, key=lambda name: -len(members[name]))
    found: Dict[str, bytes] = {}
    if len(os.sched_getaffinity(0)) > 1:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _help({name: members[name] for name in names[1::2]}, writing)
        os.close(writing)
        found = {name: _code(name, members[name]) for name in names[::2]}
        found.update(helped(_content(reading)))
        os.close(reading)
        os.waitpid(child, 0)
    found.update({name: _code(name, members[name]) for name in names if name not in found})
    return found


def _help(members: Dict[str, bytes], writing: int) -> NoReturn:
    import marshal

    try:
        _write(writing, marshal.dumps({name: _code(name, source) for name, source in members.items()}))
    finally:
        os._exit(0)


def helped(told: bytes) -> Dict[str, bytes]:
    """What a helper told; nothing where it ended before it had told all."""
    import marshal

    with suppress(EOFError, ValueError, TypeError):
        return dict(marshal.loads(told))  # noqa: S302  a child of this very process wrote it
    return {}


def _code(name: str, source: bytes) -> bytes:
    """A compiled file. Flag 1: it belongs to a digest of its source, which nobody is to look for."""
    import marshal
    from importlib.util import MAGIC_NUMBER

    return MAGIC_NUMBER + b"\1\0\0\0" + bytes(8) + marshal.dumps(compile(source, name, "exec", dont_inherit=True))


def received(digest: str) -> bytes:
    """The payload from the channel, in the one frame that comes before all others; what is not it ends the process."""
    size, kind = _read(4), _read(1)
    body = _read(int.from_bytes(size, "big"))
    content = body[2 + int.from_bytes(body[:2], "big") :]
    if kind != b"\2" or hashlib.sha256(content).hexdigest() != digest:
        sys.exit("the payload did not arrive as it was sent")
    return content


def _read(size: int) -> bytes:
    parts: List[bytes] = []
    while size > 0:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            sys.exit("the connection ended before the payload had arrived")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def opened(place: str, digest: str, token: str) -> int:
    """The compiled payload, open; where it cannot be kept it is held in memory, and asked for again the next time."""
    folder, name = private_folder(place), f"{digest}.{sys.implementation.cache_tag}"
    descriptor = kept(folder, name, digest) if folder is not None else None
    _write(1, f"vitrify {token} {'need' if descriptor is None else 'have'}\n".encode())
    if descriptor is None:
        content = compiled(received(digest), digest)
        with suppress(OSError):
            descriptor = keep(folder, name, content) if folder is not None else None
        if descriptor is None:
            descriptor = os.memfd_create("vitrify")
            _write(descriptor, content)
    if folder is not None:
        os.close(folder)
    return descriptor


def become(descriptor: int, words: Sequence[str]) -> None:
    """Run the payload in this very process. Its name is the descriptor's, so that what was checked is what is read."""
    import zipimport

    archive = f"/proc/self/fd/{descriptor}"
    sys.argv = [archive, *words]
    sys.path.insert(0, archive)
    exec(zipimport.zipimporter(archive).get_code("__main__"), {"__name__": "__main__"})  # noqa: S102  a program that we have just checked


def clean(more: Sequence[str]) -> None:
    """Nothing of the login's surroundings reaches the payload but a home; `more` are variables, as `NAME=VALUE`."""
    import pwd

    found = dict(pair for pair in map(_pair, more))
    os.environ.clear()
    os.environ.update({"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **found})
    with suppress(KeyError):
        os.environ["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
    os.chdir("/")
    os.umask(0o077)


def _pair(text: str) -> Tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def main(token: str, digest: str, place: str, *more: str) -> None:
    """From a token, the payload's digest and the cache's place to the running payload."""
    clean(more)
    become(opened(place, digest, token), ())


if __name__ == "__main__":
    main(*sys.argv[2:])
