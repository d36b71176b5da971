"""What dpkg says of the files of packages: which there are, and how their contents sum up. Read from its own files."""

from __future__ import annotations

import hashlib
from typing import Dict, FrozenSet, Iterable, Mapping, NamedTuple, Tuple

from vitrify.core import dpkg, place
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.system import System

INFO = f"{dpkg.FOLDER}/info"
_MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_CHUNK = 1 << 20


class Held(NamedTuple):
    """One package: its version, and its paths."""

    version: str
    paths: Tuple[str, ...]


class Packages:
    """The packages of one target, each by the name that dpkg's files have: `libc6:amd64` where several architectures may be."""

    def __init__(self, system: System) -> None:
        self._system = system
        folder = system.stat(INFO)
        self._info: FrozenSet[str] = frozenset(system.names(INFO) if folder is not None and folder.type == "directory" else ())
        self._fields: Dict[str, Mapping[str, str]] = {}
        for fields in dpkg.stanzas(dpkg.database(system)) if self._info else ():
            name = f"{fields.get('Package', '')}:{fields.get('Architecture', '')}"
            self._fields[name if f"{name}.list" in self._info else fields.get("Package", "")] = fields
        self._merged = {top: f"{link}/" for top in _MERGED if (link := self._linked(top))}

    def _linked(self, top: str) -> str:
        found = self._system.stat(top)
        return f"/{found.link.strip('/')}" if found is not None and found.type == "link" else ""

    @property
    def versions(self) -> Mapping[str, str]:
        """Every installed package and its version."""
        return {name: fields.get("Version", "") for name, fields in self._fields.items() if fields.get("Status", "").endswith(" installed")}

    def paths(self, name: str) -> Tuple[str, ...]:
        """Every path of a package, where it really is on a system whose /bin is /usr/bin."""
        lines = self._read(f"{name}.list").splitlines()
        return tuple(self._real(line) for line in lines if line and line != "/.")

    def sums(self, name: str) -> Mapping[str, str]:
        """Path -> MD5 of its content, as the package came; its settings included."""
        found = {self._real(f"/{path}"): md5 for md5, path in _pairs(self._read(f"{name}.md5sums"))}
        settings = (line.split() for line in self._fields.get(name, {}).get("Conffiles", "").splitlines())
        found.update({self._real(words[0]): words[1] for words in settings if len(words) >= 2})
        return found

    def held(self, folders: Iterable[str]) -> Dict[str, Held]:
        """Every installed package with those of its paths that are in these folders."""
        tops = tuple(folders)
        return {name: Held(version, within(self.paths(name), tops)) for name, version in self.versions.items()}

    def sum_of(self, path: str) -> str:
        """The MD5 of what a file holds now; empty where it cannot be read."""
        running = hashlib.new("md5", usedforsecurity=False)
        try:
            with self._system.open(path) as file:
                for chunk in iter(lambda: file.read(_CHUNK), b""):
                    running.update(chunk)
        except (VitrifyError, OSError):  # gone since it was swept: then nothing vouches for it
            return ""
        return running.hexdigest()

    def _read(self, name: str) -> str:
        return self._system.read(f"{INFO}/{name}").decode("utf-8", "surrogateescape") if name in self._info else ""

    def _real(self, path: str) -> str:
        for top, instead in self._merged.items():
            if place.inside(path, top):
                return f"{instead}{path[len(top) + 1 :]}"
        return path


def _pairs(text: str) -> Iterable[Tuple[str, str]]:
    for line in text.splitlines():
        md5, _, path = line.partition("  ")
        if path:
            yield md5, path


def within(paths: Iterable[str], folders: Tuple[str, ...]) -> Tuple[str, ...]:
    """Those of the paths that are in one of these folders."""
    return tuple(path for path in paths if any(path == folder or place.inside(path, folder) for folder in folders))
