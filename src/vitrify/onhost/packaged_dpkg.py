"""What dpkg says of the files of packages, read from its own files: no program is run. Diversions and overrides are part of it."""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, Mapping, NamedTuple, Tuple

from vitrify.core import dpkg, place
from vitrify.core.system import System
from vitrify.onhost.packaged import Different, Judged, Merged, holds, strange_rights, target

INFO = f"{dpkg.FOLDER}/info"
DIVERSIONS = f"{dpkg.FOLDER}/diversions"
OVERRIDES = f"{dpkg.FOLDER}/statoverride"
_LOCAL = ":"
"""What stands for a package where the administrator diverted."""


class _Diverted(NamedTuple):
    """Where a path of packages is put instead, and by which package; `:` is the administrator."""

    to: str
    by: str


class DpkgPackages:
    """The packages of one target, each by the name that dpkg's files have: `libc6:amd64` where several architectures may be."""

    manager = "dpkg"

    def __init__(self, system: System) -> None:
        self._system = system
        folder = system.stat(INFO)
        self._info: FrozenSet[str] = frozenset(system.names(INFO) if folder is not None and folder.type == "directory" else ())
        self._fields: Dict[str, Mapping[str, str]] = {}
        for fields in dpkg.stanzas(dpkg.database(system)) if self._info else ():
            name = f"{fields.get('Package', '')}:{fields.get('Architecture', '')}"
            self._fields[name if f"{name}.list" in self._info else fields.get("Package", "")] = fields
        self._merged = Merged(system)
        self._diverted = self._diversions()
        self._sums: Dict[str, Mapping[str, str]] = {}

    @property
    def versions(self) -> Mapping[str, str]:
        """Every installed package and its version."""
        return {name: fields.get("Version", "") for name, fields in self._fields.items() if fields.get("Status", "").endswith(" installed")}

    @property
    def overrides(self) -> FrozenSet[str]:
        """What `dpkg-statoverride` was told."""
        return frozenset(line for line in self._text(OVERRIDES).splitlines() if len(line.split(" ", 3)) == 4)

    def paths(self, name: str) -> Tuple[str, ...]:
        """Every path of a package, where it really is: on a system whose /bin is /usr/bin, and where it is diverted."""
        lines = self._read(f"{name}.list").splitlines()
        return tuple(self._place(line, name) for line in lines if line and line != "/.")

    def sums(self, name: str) -> Mapping[str, str]:
        """Path -> MD5 of its content, as the package came; its settings included."""
        if name in self._sums:
            return self._sums[name]
        found = {self._place(f"/{path}", name): md5 for md5, path in _pairs(self._read(f"{name}.md5sums"))}
        settings = (line.split() for line in self._fields.get(name, {}).get("Conffiles", "").splitlines())
        self._sums[name] = {**found, **{self._place(words[0], name): words[1] for words in settings if len(words) >= 2}}
        return self._sums[name]

    def judged(self, name: str, different: Different) -> Judged:
        """By its checksums. Of rights dpkg knows those that somebody told it to keep: others must be as before, or usual."""
        path, before, now, owned, allowed = different
        strange = "" if self._overridden(path, allowed) else strange_rights(before, now)
        if strange:
            return Judged(same=False, why=f"belongs to it, and {strange}: dpkg keeps no modes to compare with")
        if now.get("type") == "directory":
            return Judged(same=True, why="is a folder of it")
        if now.get("type") == "link":
            whole = target(path, now) in owned
            return Judged(whole, "leads to what is packaged" if whole else "belongs to it, and leads to what no package has")
        same = now.get("type") == "file" and holds(self._system, path, self.sums(name).get(path, ""))
        return Judged(same, "is as its checksum says" if same else "belongs to it, and is not as its checksum says")

    def keeps(self, path: str) -> str:
        """Its list, its checksums, its scripts."""
        return path[len(INFO) + 1 :].rpartition(".")[0] if place.parent(path) == INFO else ""

    def aside(self, path: str) -> Tuple[str, str]:
        """By the diversion of a package; one that the administrator made explains nothing by itself."""
        found = self._diverted.get(path)
        return (found.to, found.by) if found is not None and found.by != _LOCAL else ("", "")

    def _overridden(self, path: str, allowed: FrozenSet[str]) -> bool:
        """Whether its rights are just those that an override gives it which was there already when the baseline was taken."""
        told = (line.split(" ", 3) for line in self.overrides & allowed)
        wished = next(((owner, group, int(bits, 8)) for owner, group, bits, of in told if self._merged.real(of) == path), None)
        stat = self._system.stat(path) if wished else None
        return stat is not None and wished == (stat.owner, stat.group, int(stat.mode, 8))

    def _diversions(self) -> Mapping[str, _Diverted]:
        lines = self._text(DIVERSIONS).splitlines()
        real = self._merged.real
        return {real(lines[at]): _Diverted(real(lines[at + 1]), lines[at + 2]) for at in range(0, len(lines) - 2, 3)}

    def _place(self, path: str, name: str) -> str:
        real = self._merged.real(path)
        diverted = self._diverted.get(real)
        return real if diverted is None or diverted.by == name.partition(":")[0] else diverted.to

    def _read(self, name: str) -> str:
        return self._system.read(f"{INFO}/{name}").decode("utf-8", "surrogateescape") if name in self._info else ""

    def _text(self, path: str) -> str:
        stat = self._system.stat(path) if self._info else None
        return self._system.read(path).decode("utf-8", "surrogateescape") if stat is not None and stat.type == "file" else ""


def _pairs(text: str) -> Iterable[Tuple[str, str]]:
    for line in text.splitlines():
        md5, _, path = line.partition("  ")
        if path:
            yield md5, path
