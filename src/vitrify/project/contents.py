"""Turns files and folders of a project into digests, and remembers where their bytes are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON, PLAIN, JSONObject, digest_bytes, keyed_digest
from vitrify.project.armour import armoured

_PIECE = 1024 * 1024


class Contents:
    """Everything that the resources of one load name by digest. A file is read once, however often it is named."""

    def __init__(self, folder: Path, *, key: bytes) -> None:
        self._folder = folder
        self._key = key
        self._known: dict[str, Content] = {}
        self._hashed: dict[tuple[int, int, int, int], str] = {}

    def __getitem__(self, digest: str) -> Content:
        return self._known[digest]

    def __contains__(self, digest: object) -> bool:
        return digest in self._known

    def text(self, text: str, *, secret: bool) -> str:
        """The digest of a text: a keyed one where it holds a secret."""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise VitrifyError("this cannot be written as UTF-8") from None
        digest = keyed_digest(data, key=self._key) if secret else digest_bytes(data)
        self._known[digest] = Content(data=data, secret=secret)
        return digest

    def file(self, source: str) -> str:
        """The digest of a regular file; a path that is not absolute starts at the project."""
        path = self._folder / source
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise VitrifyError(f"`{source}` is not a regular file", hint="`tree` takes a whole folder" if path.is_dir() else "")
            return self._hash(path)
        except (OSError, ValueError) as error:
            raise _unreadable(source, error) from error

    def key(self, source: str) -> str:
        """The digest of a public key in ASCII armour, whatever form its file has."""
        self.file(source)
        return self.text(armoured((self._folder / source).read_bytes()).decode("latin-1"), secret=False)

    def tree(self, source: str) -> JSONObject:
        """What is in a folder: relative path -> entry, sorted by path.

        Of a mode only whether it is executable counts: the rest depends on who checked the project out, and with what umask.
        """
        top = self._folder / source
        try:
            if not top.is_dir():
                raise VitrifyError(f"`{source}` is not a folder" if top.exists() else f"there is no folder `{source}`")
            found = {name: self._entry(top, name) for name in _beneath(top)}
        except (OSError, ValueError) as error:
            raise _unreadable(source, error) from error
        return {name: found[name] for name in sorted(found)}

    def _entry(self, top: Path, name: str) -> JSON:
        path = top / name
        try:
            name.encode()
        except UnicodeEncodeError:
            raise VitrifyError(f"the name of {name.encode('utf-8', 'surrogateescape')!r} is not UTF-8") from None
        if not name.isprintable():
            raise VitrifyError(f"the name {name!r} holds control characters")
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return {"type": "link", "to": _inside(top, name)}
        if stat.S_ISDIR(mode):
            return {"type": "directory", "mode": "0755"}
        if not stat.S_ISREG(mode):
            raise VitrifyError(f"`{path}` is neither file, folder nor link", hint="sockets, pipes and devices cannot be part of a tree")
        return {"type": "file", "mode": "0755" if mode & stat.S_IXUSR else "0644", "content": self._hash(path)}

    def _hash(self, path: Path) -> str:
        with path.open("rb") as file:
            now = os.fstat(file.fileno())
            seen = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
            if seen not in self._hashed:
                whole = hashlib.sha256()
                while piece := file.read(_PIECE):
                    whole.update(piece)
                self._hashed[seen] = PLAIN + whole.hexdigest()
        digest = self._hashed[seen]
        self._known.setdefault(digest, Content(path=os.path.abspath(path)))  # noqa: PTH100  resolve() would follow links
        return digest


def _beneath(top: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(top, onerror=_raise):
        for name in (*folders, *files):
            yield os.path.relpath(os.path.join(folder, name), top)  # noqa: PTH118  surrogates pass through unchanged


def _raise(error: OSError) -> None:
    raise error


def _inside(top: Path, name: str) -> str:
    """Where a link leads, which must be within the tree, in the project as well as where the tree is put."""
    to = os.readlink(top / name)  # noqa: PTH115  the very text of the link
    hint = "a tree is complete in itself: make it relative and let it stay inside, or declare a `link`"
    written = os.path.normpath(os.path.join(os.path.dirname(name), to))  # noqa: PTH118, PTH120  a path that need not exist
    real, root = os.path.realpath(top / name), os.path.realpath(top)
    leaves = to.startswith("/") or written == ".." or written.startswith("../")
    if leaves or os.path.commonpath([real, root]) != root:
        raise VitrifyError(f"the link `{top / name}` leads out of the tree", why=f"to {to}", hint=hint)
    return to


def _unreadable(source: str, error: OSError | ValueError) -> VitrifyError:
    if isinstance(error, FileNotFoundError):
        return VitrifyError(f"there is no file `{source}`", hint="paths start at the folder of the declaration")
    why = (error.strerror or type(error).__name__) if isinstance(error, OSError) else "its path is not valid"
    return VitrifyError(f"`{source}` cannot be read", why=why)
