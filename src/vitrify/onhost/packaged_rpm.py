"""What rpm says of the files of packages. It knows modes, owners, capabilities and links as well, and verifies them itself."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Set, Tuple

from vitrify.core.rpmdb import native
from vitrify.core.system import Command, System
from vitrify.core.transaction import named
from vitrify.onhost.packaged import Different, Judged, Merged, holds, target

PROGRAM = "/usr/bin/rpm"
_HEAD = "@\t"
_ALL = _HEAD + "%{NAME}\t%{EPOCHNUM}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n[%{FILENAMES}\n]"
_FILES = "[%{FILENAMES}\t%{FILEDIGESTS}\t%{FILELINKTOS}\n]"
_KEPT = 256 << 20
"""Bytes of an answer: half a million paths have forty."""
_KEYS = "gpg-pubkey"
"""Under this name rpm keeps the keys that it trusts, as if they were packages."""
_TIME = "T"
"""That a file carries another time says nothing of what it holds."""


class _File(NamedTuple):
    """One file as a package brought it."""

    digest: str
    link: str


class RpmPackages:
    """The packages of one target; one that is there in several versions has all of them."""

    manager = "rpm"

    def __init__(self, system: System) -> None:
        self._system = system
        self._merged = Merged(system)
        self._versions: Dict[str, str] = {}
        self._paths: Dict[str, Tuple[str, ...]] = {}
        self._specs: Dict[str, str] = {}
        self._files: Dict[str, Mapping[str, List[_File]]] = {}
        self._wrong: Dict[str, Mapping[str, str]] = {}
        self._read()

    def _read(self) -> None:
        mine = native(self._system)
        found: Dict[str, Tuple[List[str], List[str]]] = {}
        paths: List[str] = []
        for line in self._said("-qa", "--queryformat", _ALL).splitlines():
            if line.startswith(_HEAD):
                name, epoch, version, architecture = (*line.split("\t")[1:], "", "", "", "")[:4]
                known = named(name, architecture, native=mine)
                self._specs[known] = f"{name}.{architecture}"
                versions, paths = found.setdefault(known, ([], []))
                versions.append(version if epoch == "0" else f"{epoch}:{version}")
            elif line.startswith("/"):
                paths.append(self._merged.real(line))
        for name, (versions, its) in found.items():
            if not name.startswith(_KEYS):
                self._versions[name] = ", ".join(sorted(versions))
                self._paths[name] = tuple(dict.fromkeys(its))

    @property
    def versions(self) -> Mapping[str, str]:
        """Every installed package and its version."""
        return self._versions

    @property
    def overrides(self) -> FrozenSet[str]:
        """Rpm keeps the rights that a package came with, and no others."""
        return frozenset()

    def paths(self, name: str) -> Tuple[str, ...]:
        """Every path of a package, where it really is on a system whose /bin is /usr/bin."""
        return self._paths.get(name, ())

    def sums(self, name: str) -> Mapping[str, str]:
        """Path -> digest of its content, as the package came."""
        return {path: files[-1].digest for path, files in self._files_of(name).items() if files[-1].digest}

    def judged(self, name: str, different: Different) -> Judged:
        """By what rpm verifies, and by the digest and the link that it has: a package may tell it not to verify those."""
        path, _, now, owned, _ = different
        files, wrong = self._files_of(name).get(path, []), self._wrong_of(name).get(path, "")
        if wrong:
            return Judged(same=False, why=f"belongs to it, and rpm verifies it otherwise: {wrong}")
        if now.get("type") == "directory":
            return Judged(bool(files), "is a folder of it")
        if now.get("type") == "link":
            whole = any(file.link == now.get("link") for file in files) and (target(path, now) in owned or bool(files))
            return Judged(whole, "is the link that came with it" if whole else "belongs to it, and leads elsewhere")
        same = now.get("type") == "file" and any(holds(self._system, path, file.digest) for file in files)
        return Judged(same, "is as rpm has it" if same else "belongs to it, and is not as its digest says")

    def keeps(self, path: str) -> str:
        """It keeps nothing by package."""
        return ""

    def aside(self, path: str) -> Tuple[str, str]:
        """It knows no diversions."""
        return "", ""

    def _files_of(self, name: str) -> Mapping[str, List[_File]]:
        if name not in self._files:
            found: Dict[str, List[_File]] = {}
            for line in self._said("-q", "--queryformat", _FILES, self._specs.get(name, name)).splitlines():
                path, digest, link = (*line.split("\t"), "", "")[:3]
                if path.startswith("/"):
                    found.setdefault(self._merged.real(path), []).append(_File(digest, link))
            self._files[name] = found
        return self._files[name]

    def _wrong_of(self, name: str) -> Mapping[str, str]:
        """Path -> what rpm says of it, in its own letters, for each that it does not find as it came."""
        if name not in self._wrong:
            lines = self._said("--verify", "--nodeps", "--noscripts", self._specs.get(name, name)).splitlines()
            told = ((line.split()[0], line[line.index("/") :]) for line in lines if " /" in line)
            self._wrong[name] = {self._merged.real(path): flags for flags, path in told if _letters(flags)}
        return self._wrong[name]

    def _said(self, *words: str) -> str:
        return self._system.run(Command((PROGRAM, *words), timeout=600.0, kept=_KEPT)).stdout


def _letters(flags: str) -> Set[str]:
    return set(flags) - {".", _TIME} if len(flags) == 9 else {flags}
