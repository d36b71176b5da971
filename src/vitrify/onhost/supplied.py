"""Lays out what a bake installs from, and tells afterwards what was chosen where nothing was given."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Dict, Iterator, List

from vitrify.core import apt, supplies
from vitrify.core.diagnostic import IntegrityFailed, TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.locked import Deb, Inputs
from vitrify.core.packaging import run
from vitrify.core.simulation import bare, for_security, origins
from vitrify.core.system import Attributes
from vitrify.onhost.debfile import control, entry
from vitrify.onhost.files import CHUNK
from vitrify.onhost.rooted import Rooted

_OPEN = Attributes(mode="0644")


def lay_out(system: Rooted, arguments: JSONObject) -> None:
    """Put the files of the lock into the root, or what choosing needs; nothing where a bake is told of neither."""
    given = arguments.get("supplies")
    if not isinstance(given, dict):
        return
    folder = Path(str(given["folder"]))
    for place in (supplies.DEBS, f"{supplies.DEBS}/partial", supplies.WHEELS):
        supplies.make_folder(place, system)
    if given.get("choose") is True:
        _begin_choice(system, folder, given)
        return
    inputs = Inputs.from_json(given)
    _index(system, folder, inputs)
    for wheel in inputs.wheels:
        _copy(system, folder / wheel.sha256, f"{supplies.WHEELS}/{wheel.file}", wheel.sha256)


def _begin_choice(system: Rooted, folder: Path, given: JSONObject) -> None:
    """What is known already need not be fetched again; whatever of it is not asked for is not chosen."""
    for deb in Inputs.from_json(given).debs:
        if (folder / deb.sha256).exists():
            _copy(system, folder / deb.sha256, f"{supplies.DEBS}/{deb.file}", deb.sha256)
    reach = given.get("reach")
    for path, text in sorted((reach if isinstance(reach, dict) else {}).items()):
        supplies.make_folder(path.rpartition("/")[0], system)
        system.write(path, str(text).encode("latin-1"), attributes=_OPEN)
    if given.get("keep") is True:
        _prefer(system, Inputs.from_json(given))
    system.write(supplies.CHOSEN, b"", attributes=_OPEN)


def _prefer(system: Rooted, known: Inputs) -> None:
    """Have apt and pip choose what is known, if they can."""
    pins = [f"Package: {deb.name}\nPin: version {deb.version}\nPin-Priority: 1001\n" for deb in known.debs]
    wheels = [f"{wheel.name}=={wheel.version}\n" for wheel in known.wheels]
    supplies.make_folder("/etc/apt/preferences.d", system)
    system.write("/etc/apt/preferences.d/vitrify", "\n".join(pins).encode(), attributes=_OPEN)
    system.write(supplies.PREFERRED, "".join(wheels).encode(), attributes=_OPEN)


def _index(system: Rooted, folder: Path, inputs: Inputs) -> None:
    """A repository in a folder of the root, of these files and no others, and apt's lists of it."""
    stanzas = []
    for deb in inputs.debs:
        _copy(system, folder / deb.sha256, f"{supplies.DEBS}/{deb.file}", deb.sha256)
        stanzas.append(entry(_told(system, deb), file=deb.file, size=deb.size, sha256=deb.sha256))
    system.write(f"{supplies.DEBS}/Packages", "\n".join(stanzas).encode(), attributes=_OPEN)
    system.write(supplies.SOURCES, f"deb [trusted=yes] file:{supplies.DEBS} ./\n".encode(), attributes=_OPEN)
    if inputs.debs and system.stat(apt.PROGRAM) is not None:
        supplies.make_folder(f"{supplies.LISTS}/partial", system)
        apt.renew(system)


def _told(system: Rooted, deb: Deb) -> str:
    """What a package file says of itself, which must be what the lock says of it."""
    path = f"{supplies.DEBS}/{deb.file}"
    with system.open(path) as file:
        told = control(file, name=deb.file)
    told = told or run(system, ("dpkg-deb", "--field", path)).stdout
    fields = dict(line.partition(": ")[::2] for line in told.splitlines() if line[:1] not in (" ", "\t"))
    said = tuple(fields.get(name, "").strip() for name in ("Package", "Version", "Architecture"))
    if said != (deb.name, deb.version, deb.architecture):
        raise IntegrityFailed(f"the lock says {deb.name} {deb.version} of a file that is another one", why=f"it is {' '.join(said)}")
    return told


def _copy(system: Rooted, source: Path, path: str, sha256: str) -> None:
    content = source.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        name, hint = path.rpartition("/")[2], f"remove {source}, then bake again"
        raise IntegrityFailed(f"{name} is not what its digest says", hint=hint)
    system.write(path, content, attributes=_OPEN)


def chosen(system: Rooted) -> JSONObject:
    """What was chosen: a row for each file, with its path on this machine; nothing where nothing was to be chosen."""
    if not supplies.choosing(system):
        return {}
    root = system.beneath.layers[0]
    debs: List[JSON] = [_row(system, root, path, origin) for path, origin in _taken(system)]
    wheels: List[JSON] = [
        {**_measured(system, f"{supplies.WHEELS}/{name}"), "file": name, "path": f"{root}{supplies.WHEELS}/{name}"}
        for name in system.names(supplies.WHEELS)
    ]
    return {"debs": debs, "wheels": wheels}


def _taken(system: Rooted) -> Iterator[tuple[str, str]]:
    """The path of each file that was taken, and the origin of its version."""
    names = [name for name in system.names(supplies.DEBS) if name.endswith(".deb")]
    found: Dict[str, str] = {}
    for name, version, origin in supplies.chosen(system):
        stem = f"{bare(name)}_{version.replace(':', '%3a')}_"
        fitting = [file for file in names if file.startswith(stem)]
        if not fitting:
            raise TargetFailed(f"{name} {version} was chosen, and its file is not there", hint="run the same command again")
        found.update(dict.fromkeys(fitting, origin))
    yield from sorted((f"{supplies.DEBS}/{file}", origin) for file, origin in found.items())


def _row(system: Rooted, root: str, path: str, origin: str) -> JSON:
    name, version, rest = path.rpartition("/")[2].split("_")
    security = any(for_security(one) for one in origins(origin.partition("[")[0]))
    told: JSONObject = {"name": name, "version": version.replace("%3a", ":"), "architecture": rest.rpartition(".")[0]}
    return {**told, **_measured(system, path), "path": f"{root}{path}", "security": security}


def _measured(system: Rooted, path: str) -> JSONObject:
    running, size = hashlib.sha256(), 0
    with system.open(path) as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            running.update(chunk)
            size += len(chunk)
    return {"sha256": running.hexdigest(), "size": size}
