"""What mutable references stand for, pinned: a base by its digest, each package file, each wheel. `project.lock` has the file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core.digest import JSON, JSONObject, digest_of

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
"""A machine as its kernel names it -> in the words of the image format, which are those of the lock."""


def architecture(machine: str) -> str:
    """A machine as its kernel names it, in the words of the image format."""
    return _ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True)
class Deb:
    """One package file of Debian: `sha256` is 64 hex digits, `size` in bytes."""

    name: str
    version: str
    architecture: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        """The name that apt gives such a file."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    def to_json(self) -> JSONObject:
        """As it stands in the lock and goes to a bake."""
        return {"name": self.name, "version": self.version, "architecture": self.architecture, "size": self.size, "sha256": self.sha256}

    @classmethod
    def from_json(cls, data: Mapping[str, JSON]) -> Deb:
        """Read what `to_json` wrote."""
        name, version, architecture = (str(data[key]) for key in ("name", "version", "architecture"))
        return cls(name, version, architecture, str(data["sha256"]), int(str(data["size"])))


@dataclass(frozen=True)
class Wheel:
    """One wheel of Python: `file` is its name as an index has it, `sha256` 64 hex digits, `size` in bytes."""

    name: str
    version: str
    file: str
    sha256: str
    size: int

    def to_json(self) -> JSONObject:
        """As it stands in the lock and goes to a bake."""
        return {"name": self.name, "version": self.version, "file": self.file, "size": self.size, "sha256": self.sha256}

    @classmethod
    def from_json(cls, data: Mapping[str, JSON]) -> Wheel:
        """Read what `to_json` wrote."""
        name, version, file = (str(data[key]) for key in ("name", "version", "file"))
        return cls(name, version, file, str(data["sha256"]), int(str(data["size"])))


@dataclass(frozen=True)
class Inputs:
    """All files that one server's bakes install on one architecture, or that a base is made of; sorted, each once."""

    base: str = ""
    """The base that they were chosen upon; a server that stands on another one needs another choice."""
    debs: Tuple[Deb, ...] = ()
    wheels: Tuple[Wheel, ...] = ()

    @classmethod
    def of(cls, base: str, debs: Tuple[Deb, ...] = (), wheels: Tuple[Wheel, ...] = ()) -> Inputs:
        """In the order of the lock."""
        told = sorted(set(debs), key=lambda deb: (deb.name, deb.architecture, deb.version, deb.sha256))
        return cls(base, tuple(told), tuple(sorted(set(wheels), key=lambda wheel: (wheel.name, wheel.file, wheel.sha256))))

    def to_json(self) -> JSONObject:
        """As it goes to a bake."""
        debs: List[JSON] = [deb.to_json() for deb in self.debs]
        wheels: List[JSON] = [wheel.to_json() for wheel in self.wheels]
        return {"base": self.base, "debs": debs, "wheels": wheels}

    @classmethod
    def from_json(cls, data: Mapping[str, JSON]) -> Inputs:
        """Read what `to_json` wrote."""
        debs, wheels = (data.get(key) for key in ("debs", "wheels"))
        return cls.of(
            str(data.get("base", "")),
            tuple(Deb.from_json(one) for one in debs if isinstance(one, dict)) if isinstance(debs, list) else (),
            tuple(Wheel.from_json(one) for one in wheels if isinstance(one, dict)) if isinstance(wheels, list) else (),
        )

    @property
    def digest(self) -> str:
        """Which files these are, whatever they were chosen upon."""
        return digest_of({key: value for key, value in self.to_json().items() if key != "base"})


@dataclass(frozen=True)
class Lock:
    """Everything that is pinned. What has a part for each architecture is named by a pair: its own name, and the architecture."""

    references: Mapping[str, str] = field(default_factory=dict)
    """Reference of a base in a registry -> its digest, `sha256:` and 64 hex digits."""
    bases: Mapping[Tuple[str, str], Inputs] = field(default_factory=dict)
    servers: Mapping[Tuple[str, str], Inputs] = field(default_factory=dict)

    def reference(self, name: str, digest: str) -> Lock:
        """With this reference pinned."""
        return replace(self, references={**self.references, name: digest})

    def base(self, name: str, architecture: str, inputs: Inputs) -> Lock:
        """With the files that a base is made of."""
        return replace(self, bases={**self.bases, (name, architecture): inputs})

    def server(self, name: str, architecture: str, inputs: Optional[Inputs]) -> Lock:
        """With the files that a server's bakes install; None where they install nothing."""
        others: Dict[Tuple[str, str], Inputs] = {key: one for key, one in self.servers.items() if key != (name, architecture)}
        return replace(self, servers=others if inputs is None else {**others, (name, architecture): inputs})
