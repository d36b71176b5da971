"""A file every byte of which a kind writes: what it looks like, what it should, and the two ways it comes and goes."""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

from vitrify.core import place
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.schema import Problem
from vitrify.core.system import Attributes, System

ATTRIBUTES = Attributes(mode="0644")


def wished(text: str) -> Dict[str, JSON]:
    """The properties of the file with this text."""
    return {"file": digest_bytes(text.encode()), "mode": "0644"}


def seen(path: str, system: System) -> Dict[str, JSON]:
    """The same properties of what is there; `none` where nothing is."""
    stat = system.stat(path)
    if stat is None:
        return {"file": "none"}
    return {"file": system.digest(path, keyed=False), "mode": stat.mode} if stat.type == "file" else {"file": stat.type}


def write(path: str, content: bytes, system: System) -> None:
    """Put it in place, and the folders that hold it."""
    place.make_folders(path, system)
    system.write(path, content, attributes=ATTRIBUTES)


def with_folders(*paths: str) -> Tuple[str, ...]:
    """These paths and the folders above them, outermost first: what writing them may touch."""
    folders = {folder for path in paths for folder in place.ancestors(path)}
    return (*sorted(folders), *paths)


def because(reasons: Tuple[str, ...]) -> Tuple[str, ...]:
    """The reasons of `difference`, in words that fit a file."""
    words = {"file differs": "its file differs", "mode is not set": ""}
    told = tuple(words.get(reason, reason) for reason in reasons)
    return tuple(reason for reason in told if reason)


def template_problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What stands against `vars` beside the other fields."""
    if "vars" not in values:
        return []
    if "template" not in values:
        return [Problem(("vars",), "`vars` has no meaning without `template`")]
    return [] if isinstance(values["vars"], dict) else [Problem(("vars",), "expected a map", "write {NAME: value}")]
