"""A repository of rpm packages as dnf reads it: its file, its key, and how both come to be used."""

from __future__ import annotations

from typing import List, Mapping, Sequence, Tuple

from vitrify.core import dnf
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.packaging import demand
from vitrify.core.system import Fetch, System

FOLDER = "/etc/yum.repos.d"
KEYS = "/etc/pki/rpm-gpg"
TYPE = "rpm"
_LARGEST = 1 << 20


def is_rpm(fields: Mapping[str, JSON]) -> bool:
    """Whether this repository is declared to hold rpm packages."""
    return fields.get("types") == [TYPE]


def paths(name: str) -> Tuple[str, str]:
    """Its file and that of its key."""
    return f"{FOLDER}/{name}.repo", f"{KEYS}/RPM-GPG-KEY-{name}"


def text(name: str, uris: Sequence[str], *, keyed: bool, enabled: bool) -> str:
    """The file. Packages must be signed in any case: by its key, or by one that the target trusts already."""
    lines: List[str] = [f"[{name}]", f"name={name}", "baseurl=" + "\n        ".join(uris), f"enabled={int(enabled)}", "gpgcheck=1"]
    lines += [f"gpgkey=file://{paths(name)[1]}"] if keyed else []
    return "\n".join([*lines, ""])


def spoken(system: System) -> bool:
    """Whether dnf is there to use it."""
    return system.stat(dnf.PROGRAM) is not None


def trust(key: str, system: System) -> None:
    """Have rpm take what this key signs; again is fine."""
    demand(system, ("rpm", "--import", key), hint="`key` must be a public key in ASCII armour that rpm can read")


def fetched(url: str, system: System) -> bytes:
    """The key at an address."""
    with system.fetch(Fetch(url)) as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise TargetFailed(f"what is at {url} is too large for a key")
    return content
