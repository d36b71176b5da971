"""The file `vitrify.lock` beside the declaration: what every mutable reference stands for, until `vitrify update` moves it."""

from __future__ import annotations

import json
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.locked import Deb, Inputs, Lock, Wheel
from vitrify.core.locked import architecture as architecture_of
from vitrify.project.node import Node, plain, spoken
from vitrify.project.problems import Problems
from vitrify.project.yaml import parse

NAME = "vitrify.lock"
VERSION = 1

_HEAD = """\
# What the mutable references of this project stand for. `vitrify update` writes it; commit it, and read what moves.
"""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[^\s/\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")
_DEB = ("name", "version", "architecture", "size", "sha256")
_WHEEL = ("name", "version", "file", "size", "sha256")
_HINT = "take the file from your version control, or have it made anew: `vitrify update`"


def read(folder: str) -> Lock | None:
    """What this project has pinned; None where it has no lock yet, DeclarationInvalid with every problem where it cannot be used."""
    path = Path(folder) / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read", why=error.strerror or "") from error
    return parsed(content, file=str(path))


def parsed(content: bytes, *, file: str) -> Lock:
    """The lock in these bytes; DeclarationInvalid with the place of everything that is wrong."""
    problems = Problems()
    if not content.strip():
        raise DeclarationInvalid([Diagnostic(f"{NAME} is empty", Location(file, 1, 1), hint=_HINT)])
    node = parse(content, file=file, problems=problems)
    found = _Reading(problems).lock(node)
    problems.settle()
    return found


def write(folder: str, lock: Lock) -> bool:
    """Put the lock in place in one rename; whether that changed a byte. UsageInvalid where it cannot be written."""
    path, content = Path(folder) / NAME, text(lock).encode()
    try:
        if path.exists() and path.read_bytes() == content:
            return False
        with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=f".{NAME}.", delete=False) as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        hint = "make its folder writable: what a bake installs is noted there, to be committed"
        raise UsageInvalid(f"{path.absolute()} cannot be written", why=error.strerror or "", hint=hint) from error
    return True


def text(lock: Lock) -> str:
    """The file for these values: equal values give equal bytes; one line for each thing that is pinned."""
    return _HEAD + "".join(f"{line}\n" for line in _lines(lock))


def _lines(lock: Lock) -> Iterator[str]:
    yield f"version: {VERSION}"
    if lock.references or lock.bases:
        yield "bases:"
    for name in sorted({*lock.references, *(base for base, _ in lock.bases)}):
        yield f"  {json.dumps(name)}:"
        if name in lock.references:
            yield f"    digest: {json.dumps(lock.references[name])}"
        yield from _by_architecture(name, lock.bases)
    if lock.servers:
        yield "servers:"
    for name in sorted({server for server, _ in lock.servers}):
        yield f"  {json.dumps(name)}:"
        yield from _by_architecture(name, lock.servers)


def _by_architecture(name: str, rows: Mapping[tuple[str, str], Inputs]) -> Iterator[str]:
    for architecture in sorted(architecture for one, architecture in rows if one == name):
        inputs = rows[name, architecture]
        yield f"    {json.dumps(architecture)}:"
        if inputs.base:
            yield f"      base: {json.dumps(inputs.base)}"
        for title, files in (("debs", inputs.debs), ("wheels", inputs.wheels)):
            if files:
                yield f"      {title}:"
            for one in files:
                yield f"        - {_flow(one.to_json())}"


def _flow(data: JSONObject) -> str:
    """One line of YAML that is JSON within its braces, whatever stands in it."""
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in data.items()) + "}"


class LockFile:
    """The lock of the project in a folder, read once; for this machine's architecture unless told otherwise."""

    def __init__(self, folder: str, *, architecture: str = "") -> None:
        self._folder = folder
        self._read: Lock | None = None
        self.architecture = architecture or architecture_of(platform.machine())

    def read(self) -> Lock:
        """What is pinned; nothing where there is no lock yet. DeclarationInvalid where it cannot be used."""
        if self._read is None:
            self._read = read(self._folder) or Lock()
        return self._read

    def write(self, lock: Lock) -> None:
        """Pin this; durable and whole once it returns."""
        write(self._folder, lock)
        self._read = lock


class _Reading:
    """One reading, which notes every problem at its place and goes on."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def lock(self, node: Node) -> Lock:
        found = Lock()
        version = node.get("version")
        if version is None or version.value != VERSION or isinstance(version.value, bool):
            told = spoken(version) if version and not isinstance(version.value, int) else str(version.value) if version else "missing"
            hint = f"this vitrify reads version {VERSION}; a newer one may have written it"
            self._problems.add(f"`version` of {NAME} is {told}", version.at if version else node.at, hint=hint)
            return found
        self._known(node, ("version", "bases", "servers"))
        for name, base in self._maps(node.get("bases")):
            digest = base.get("digest")
            if digest is not None:
                found = found.reference(name, self._word(digest, "digest", _DIGEST, "`sha256:` and 64 hex digits"))
            for architecture, part in self._maps(base, but="digest"):
                found = found.base(name, architecture, self._inputs(part))
        for name, server in self._maps(node.get("servers")):
            for architecture, part in self._maps(server):
                found = found.server(name, architecture, self._inputs(part))
        return found

    def _known(self, node: Node, keys: tuple[str, ...]) -> None:
        if not isinstance(node.value, dict):
            self._problems.add(f"expected a map, not {spoken(node)}", node.at, hint=_HINT)
        for key, entry in node.entries.items():
            if key not in keys:
                self._problems.add(f"there is no key `{key}` here", entry.at, hint=f"keys: {', '.join(keys)}")

    def _maps(self, node: Node | None, *, but: str = "") -> Iterator[tuple[str, Node]]:
        """The entries of a map, each of which is a map itself."""
        if node is not None and not isinstance(node.value, dict):
            self._problems.add(f"expected a map, not {spoken(node)}", node.at, hint=_HINT)
        for key, entry in node.entries.items() if node else ():
            if key == but:
                continue
            if isinstance(entry.node.value, dict):
                yield key, entry.node
            else:
                self._problems.add(f"expected a map, not {spoken(entry.node)}", entry.node.at, hint=_HINT)

    def _inputs(self, node: Node) -> Inputs:
        self._known(node, ("base", "debs", "wheels"))
        base = node.get("base")
        debs = tuple(Deb.from_json(row) for row in self._rows(node.get("debs"), _DEB))
        wheels = tuple(Wheel.from_json(row) for row in self._rows(node.get("wheels"), _WHEEL))
        return Inputs.of(self._word(base, "base", re.compile(".+"), "the base that was chosen upon") if base else "", debs, wheels)

    def _rows(self, node: Node | None, keys: tuple[str, ...]) -> Iterator[JSONObject]:
        """The rows that are whole."""
        if node is not None and not isinstance(node.value, tuple):
            self._problems.add(f"expected a list, not {spoken(node)}", node.at, hint=_HINT)
        for item in node.items if node else ():
            self._known(item, keys)
            if self._whole(item, keys):
                row = plain(item)
                yield row if isinstance(row, dict) else {}

    def _whole(self, item: Node, keys: tuple[str, ...]) -> bool:
        good = isinstance(item.value, dict)
        for key in keys if good else ():
            found = item.get(key)
            if found is None:
                self._problems.add(f"`{key}` is missing", item.at, hint=_HINT)
                good = False
            elif key == "size":
                right = isinstance(found.value, int) and not isinstance(found.value, bool) and found.value >= 0
                good = right and good
                if not right:
                    self._problems.add("`size` is a number of bytes", found.at, hint=_HINT)
            else:
                pattern, told = {"sha256": (_HEX, "64 hex digits"), "file": (_FILE, "the name of a wheel")}.get(key, (_WORD, "one word"))
                good = bool(self._word(found, key, pattern, told)) and good
        return good

    def _word(self, node: Node, key: str, pattern: re.Pattern[str], told: str) -> str:
        if isinstance(node.value, str) and pattern.fullmatch(node.value):
            return node.value
        self._problems.add(f"`{key}` is {told}", node.at, hint=_HINT)
        return ""
