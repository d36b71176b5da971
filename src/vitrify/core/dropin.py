"""A small file of root's that a kind writes as a whole: what it should be, what it is, how it is written and taken away."""

from __future__ import annotations

from typing import Dict, Mapping, Sequence

from vitrify.core import place
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.system import Attributes, System


def wished(text: str, *, mode: str) -> Dict[str, JSON]:
    """The properties of a file with this text."""
    return {"type": "file", "content": digest_bytes(text.encode()), "mode": mode, "owner": "root", "group": "root"}


def seen(path: str, system: System) -> Dict[str, JSON]:
    """The properties of what is at the path."""
    stat = system.stat(path)
    found = place.seen(stat)
    if stat is not None and stat.type == "file":
        found["content"] = system.digest(path, keyed=False)
    return found


def make_folders(path: str, system: System, *, mode: str = "0755") -> None:
    """Make the folders above it that are missing, the one that holds it with this mode."""
    for folder in place.ancestors(path):
        if system.stat(folder) is None:
            system.make_directory(folder, attributes=Attributes(mode=mode if folder == place.parent(path) else "0755"))


def write(path: str, text: str, *, mode: str, system: System, validate: Sequence[str] = ()) -> None:
    """Write it, and before that the folders above it that are missing; a link in its place is replaced, never followed."""
    make_folders(path, system)
    attributes = Attributes(mode=mode, owner="root", group="root")
    stat = system.stat(path)
    if stat is not None and stat.type == "file" and system.read(path) == text.encode():
        system.set_attributes(path, attributes)
    else:
        system.write(path, text.encode(), attributes=attributes, validate=validate)


def because(reasons: Sequence[str], words: Mapping[str, str]) -> Sequence[str]:
    """The reasons, those that have better words in these."""
    return tuple(words.get(reason, reason) for reason in reasons)
