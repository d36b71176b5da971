"""What a server's image installs: read from the lock, chosen and written there where the lock says nothing yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from vitrify.core.declaration import Host, Server
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.locked import Inputs, Lock
from vitrify.core.resource import Kinds

MADE = "debootstrap"
"""The kind of base that is made of packages."""
IMAGE = "oci"
"""The kind of base that is an image in a registry."""
SHOWN = 3
LOCK_MOVED = "lock.moved"
"""The kind of entry that tells what was pinned anew for a server."""
LOCAL = Host("local")
"""Images are baked on this machine, wherever they run."""


class Pins(Protocol):
    """The lock of a project, and the architecture that is baked for."""

    architecture: str

    def read(self) -> Lock:
        """What is pinned; nothing where there is no lock yet. DeclarationInvalid where it cannot be used."""

    def write(self, lock: Lock) -> None:
        """Pin this; durable and whole once it returns."""


@dataclass
class NoPins:
    """A lock that lives as long as its project is looked at."""

    architecture: str = "amd64"
    lock: Lock = field(default_factory=Lock)

    def read(self) -> Lock:
        """What was written."""
        return self.lock

    def write(self, lock: Lock) -> None:
        """Remember it."""
        self.lock = lock


@dataclass(frozen=True)
class Pinned:
    """What the lock says for one server now; None where it says nothing."""

    base: Inputs | None
    own: Inputs | None
    base_needed: bool
    own_needed: bool
    digest: str = ""
    """What the tag of its base stands for."""
    digest_needed: bool = False

    @classmethod
    def of(cls, server: Server, pins: Pins, kinds: Kinds) -> Pinned:
        """What its base is made of and what its resources install, as far as either is chosen by others."""
        base_needed = server.base is not None and server.base.kind == MADE
        own_needed = any(kinds[one.address.kind].chooses for one in server.resources if not one.absent)
        digest_needed = is_tagged(server)
        if not (base_needed or own_needed or digest_needed):
            return cls(None, None, base_needed, own_needed)
        lock = pins.read()
        base = lock.bases.get((str(server.base), pins.architecture)) if base_needed else None
        own = lock.servers.get((server.name, pins.architecture)) if own_needed else None
        digest = lock.references.get(server.base.reference, "") if server.base is not None and digest_needed else ""
        return cls(base, own, base_needed, own_needed, digest, digest_needed)

    @property
    def lacking(self) -> bool:
        """Whether something must be chosen before the image can be baked."""
        return self.lacks_base or (self.own_needed and self.own is None)

    @property
    def lacks_base(self) -> bool:
        """Whether it must be chosen what the base is."""
        return (self.base_needed and self.base is None) or (self.digest_needed and not self.digest)

    @property
    def identity(self) -> JSONObject:
        """What of it decides what the image is; empty where nothing is pinned."""
        found = {"base": self.base, "own": self.own}
        named: JSONObject = {name: one.digest for name, one in found.items() if one is not None}
        named.update({"reference": self.digest} if self.digest else {})
        return {"pinned": named} if named else {}

    def to_json(self) -> JSONObject:
        """Which versions, as a release remembers them."""
        told: JSONObject = {name: dict(versions(one)) for name, one in (("base", self.base), ("own", self.own)) if one is not None}
        return {**told, **({"base": {"digest": self.digest}} if self.digest else {})}


def versions(inputs: Inputs) -> Mapping[str, JSON]:
    """Name -> version of everything; of several architectures, each by its own name."""
    native = {deb.name: deb.architecture for deb in inputs.debs if deb.architecture != "all"}
    found: dict[str, JSON] = {}
    for deb in inputs.debs:
        name = deb.name if deb.architecture in ("all", native.get(deb.name)) else f"{deb.name}:{deb.architecture}"
        found[name] = deb.version
    return {**found, **{f"{wheel.name} (wheel)": wheel.version for wheel in inputs.wheels}}


def moved(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> list[tuple[str, str, str]]:
    """Name, old and new version ("" where there is none) of everything that differs, by name."""
    names = sorted({*before, *after})
    return [(name, str(before.get(name, "")), str(after.get(name, ""))) for name in names if before.get(name) != after.get(name)]


def told(rows: list[tuple[str, str, str]]) -> str:
    """The first few of them, in words."""
    shown = [f"{name} {old or 'new'} -> {new}" if new else f"{name} {old} goes" for name, old, new in rows[:SHOWN]]
    return ", ".join(shown) + (f" and {len(rows) - SHOWN} more" if rows[SHOWN:] else "")


def reasons(live: JSON, now: Pinned, *, base: str, release: int) -> tuple[str, ...]:
    """Why what is pinned asks for a new release."""
    if not isinstance(live, dict):
        return ()
    found = []
    for name, what in (("base", f"its base {base}"), ("own", "what it installs")):
        before, after = live.get(name), now.to_json().get(name)
        if isinstance(before, dict) and isinstance(after, dict) and (rows := moved(before, after)):
            found.append(f"{what} moved since release {release}: {told(rows)}")
    return tuple(found)


def with_inputs(lock: Lock, server: Server, chosen: Inputs, pins: Pins) -> Lock:
    """The lock with what this server installs."""
    return lock.server(server.name, pins.architecture, replace(chosen, base=standing_on(server, lock)))


def is_tagged(server: Server) -> bool:
    """Whether its base is an image that is named by a tag alone, which may stand for another one tomorrow."""
    return server.base is not None and server.base.kind == IMAGE and "@" not in server.base.reference


def standing_on(server: Server, lock: Lock) -> str:
    """The base for a bake: a tag with the digest that is pinned for it."""
    digest = lock.references.get(server.base.reference, "") if server.base is not None and is_tagged(server) else ""
    return f"{server.base}@{digest}" if digest else str(server.base)
