"""Which packages lie in an image: read from its layers, without unpacking them or running anything of theirs."""

from __future__ import annotations

import email.parser
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vitrify.core import dpkg
from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.layout import OPAQUE, WHITEOUT

if TYPE_CHECKING:
    from packageurl import PackageURL

LARGEST: Final = 64 << 20
"""Bytes of a package database that are read at most."""

_STATUS: Final = re.compile(r"var/lib/dpkg/status(?:\.d/[^/]+)?")
_RELEASE: Final = ("etc/os-release", "usr/lib/os-release")
_METADATA: Final = re.compile(r"(?:.*/)?(?:site|dist)-packages/([^/]+)\.(?:dist-info/METADATA|egg-info/PKG-INFO)")
_OF_DEBIAN: Final = re.compile(r"usr/lib/python3(?:\.\d+)?/dist-packages/")
"""Modules that a Debian package brought: they are listed as that package."""


@dataclass(frozen=True, order=True)
class Part:
    """One package: `ecosystem` is deb or pypi; `source` the Debian source package; `origin` the distribution's id."""

    ecosystem: str
    name: str
    version: str
    architecture: str = ""
    source: str = ""
    origin: str = ""

    @property
    def url(self) -> PackageURL:
        """The package URL (purl) that names it everywhere."""
        from packageurl import PackageURL

        qualifiers = {"arch": self.architecture} if self.architecture else {}
        return PackageURL(self.ecosystem, self.origin or None, self.name, self.version or None, qualifiers)


@dataclass(frozen=True)
class Layer:
    """What one layer says about packages: the files that tell, by path, and what it hides of the layers below."""

    told: dict[str, list[Part]] = field(default_factory=dict)
    release: dict[str, str] = field(default_factory=dict)
    """Path of an os-release -> the id of the distribution."""
    hidden: tuple[str, ...] = ()
    """Paths that are gone here, with all beneath them; those that end with a slash hide what was beneath them alone."""

    def to_json(self) -> JSONObject:
        """The form in which it is remembered."""
        told: dict[str, JSON] = {path: [[*vars(part).values()] for part in parts] for path, parts in self.told.items()}
        return {"told": told, "release": dict(self.release), "hidden": list(self.hidden)}

    @classmethod
    def from_json(cls, data: JSONObject) -> Layer:
        """Read what `to_json` wrote; ValueError, TypeError or KeyError for anything else."""
        told, release, hidden = data["told"], data["release"], data["hidden"]
        if not (isinstance(told, dict) and isinstance(release, dict) and isinstance(hidden, list)):
            raise TypeError("this is no note about a layer")
        rows = {path: found for path, found in told.items() if isinstance(found, list)}
        parts = {path: [Part(*map(str, row)) for row in found if isinstance(row, list)] for path, found in rows.items()}
        return cls(parts, {path: str(name) for path, name in release.items()}, tuple(map(str, hidden)))


def read_layer(path: Path) -> Layer:
    """What an uncompressed layer says; IntegrityFailed where it is no archive or a database in it is absurdly large."""
    told: dict[str, list[Part]] = {}
    release: dict[str, str] = {}
    hidden: list[str] = []
    try:
        with tarfile.open(path, "r:") as archive:
            for member, name in _named(archive):
                folder, _, last = name.rpartition("/")
                if last == OPAQUE:
                    hidden.append(f"{folder}/" if folder else "")
                elif last.startswith(WHITEOUT):
                    hidden.append(f"{folder}/{last[len(WHITEOUT) :]}".lstrip("/"))
                elif (reader := _reader(name)) and member.isreg():
                    told[name] = reader(_content(archive, member))
                elif name in _RELEASE and member.isreg():
                    release[name] = _distribution(_content(archive, member))
    except (tarfile.TarError, EOFError) as error:
        raise IntegrityFailed(f"the layer {path.name} cannot be read", why=str(error)) from None
    return Layer(told, release, tuple(hidden))


def _named(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    for member in archive:
        yield member, member.name.removeprefix("./").strip("/")


def _reader(name: str) -> Callable[[bytes], list[Part]] | None:
    if _STATUS.fullmatch(name):
        return _debian
    if _METADATA.fullmatch(name) and not _OF_DEBIAN.match(name):
        return _python
    return None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > LARGEST:
        raise IntegrityFailed(f"{member.name} has {member.size} bytes", why=f"no package database has more than {LARGEST}")
    file = archive.extractfile(member)
    return file.read() if file else b""


def _debian(content: bytes) -> list[Part]:
    found = []
    for fields in dpkg.stanzas(content.decode("utf-8", "replace")):
        if fields.get("Status", "install ok installed").endswith(" installed") and "Package" in fields:
            source = fields.get("Source", "").partition(" ")[0]
            found.append(Part("deb", fields["Package"], fields.get("Version", ""), fields.get("Architecture", ""), source))
    return found


def _python(content: bytes) -> list[Part]:
    fields = email.parser.HeaderParser().parsestr(content.partition(b"\n\n")[0].decode("utf-8", "replace"))
    name, version = str(fields["Name"] or ""), str(fields["Version"] or "")
    return [Part("pypi", re.sub(r"[-_.]+", "-", name).lower(), version)] if name else []


def _distribution(content: bytes) -> str:
    match = re.search(rb"^ID=[\"']?([A-Za-z0-9._-]+)", content, re.MULTILINE)
    return match.group(1).decode() if match else ""


def together(layers: Iterable[Layer]) -> tuple[Part, ...]:
    """The packages of an image with these layers, the lowest first; sorted, each once."""
    told: dict[str, list[Part]] = {}
    release: dict[str, str] = {}
    for layer in layers:
        told = {path: parts for path, parts in told.items() if not _is_hidden(path, layer)} | layer.told
        release = {path: name for path, name in release.items() if not _is_hidden(path, layer)} | layer.release
    origin = next((release[path] for path in _RELEASE if path in release), "")
    found = {part for parts in told.values() for part in parts}
    return tuple(sorted(_placed(part, origin) for part in found))


def _placed(part: Part, origin: str) -> Part:
    if part.ecosystem != "deb":
        return part
    return Part(part.ecosystem, part.name, part.version, part.architecture, part.source, origin or "debian")


def _is_hidden(path: str, layer: Layer) -> bool:
    return any(path.startswith(gone) if gone.endswith("/") or not gone else f"{path}/".startswith(f"{gone}/") for gone in layer.hidden)
