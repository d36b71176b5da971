"""Debian's database of installed packages, read from its own files: no program is run to look."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

from vitrify.core.packaging import ABSENT, INSTALLED, Package
from vitrify.core.system import System

FOLDER = "/var/lib/dpkg"
STATUS = f"{FOLDER}/status"
UPDATES = f"{FOLDER}/updates"
AUTOMATIC = "/var/lib/apt/extended_states"

_NAME = re.compile(r"^Package: (\S+)$", re.MULTILINE)
_GONE = ("not-installed", "config-files")


def stanza(text: str) -> Dict[str, str]:
    """The fields of one stanza of the format that all of Debian's files share; a value keeps its line breaks."""
    found: Dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if line[:1] in (" ", "\t"):
            found[name] = f"{found.get(name, '')}\n{line[1:]}"
        elif ":" in line:
            name, _, value = line.partition(":")
            found[name] = value.strip()
    return found


def stanzas(text: str) -> Iterator[Dict[str, str]]:
    """Every stanza of a file."""
    for part in re.split(r"\n{2,}", text):
        if part.strip():
            yield stanza(part.strip("\n"))


def look(names: Sequence[str], system: System) -> Mapping[str, Package]:
    """Each of these names as dpkg has it."""
    text = database(system)
    places = _places(text)
    marked = _automatic(system)
    native = _native(text, places)
    return {name: _one(name, text, places, marked, native) for name in names}


def versions(system: System) -> Mapping[str, str]:
    """Every installed package and its version."""
    told = {found["Package"]: found for found in stanzas(database(system)) if "Package" in found}
    return {name: found.get("Version", "") for name, found in told.items() if found.get("Status", "").endswith(" installed")}


def database(system: System) -> str:
    """The status file, and behind it what dpkg noted but could not merge yet because it was stopped."""
    parts = [_read(STATUS, system)]
    folder = system.stat(UPDATES)
    if folder is not None and folder.type == "directory":
        parts += [_read(f"{UPDATES}/{name}", system) for name in system.names(UPDATES) if name.isdigit()]
    return "\n".join(parts)


def interrupted(system: System) -> bool:
    """Whether dpkg was stopped in the middle of its work."""
    folder = system.stat(UPDATES)
    return folder is not None and folder.type == "directory" and any(name.isdigit() for name in system.names(UPDATES))


def held(system: System) -> Tuple[str, ...]:
    """The names of all packages that are held."""
    text = database(system)
    return tuple(fields["Package"] for fields in stanzas(text) if fields.get("Status", "").startswith("hold "))


def _read(path: str, system: System) -> str:
    found = system.stat(path)
    return system.read(path).decode("utf-8", "replace") if found is not None and found.type == "file" else ""


def _places(text: str) -> Mapping[str, List[int]]:
    found: Dict[str, List[int]] = {}
    for match in _NAME.finditer(text):
        found.setdefault(match.group(1), []).append(match.start())
    return found


def _at(text: str, place: int) -> Dict[str, str]:
    end = text.find("\n\n", place)
    return stanza(text[place : end if end >= 0 else len(text)])


def _native(text: str, places: Mapping[str, List[int]]) -> str:
    return _at(text, places["dpkg"][-1]).get("Architecture", "") if "dpkg" in places else ""


def _automatic(system: System) -> Mapping[Tuple[str, str], bool]:
    text = _read(AUTOMATIC, system)
    return {(one.get("Package", ""), one.get("Architecture", "")): one.get("Auto-Installed") == "1" for one in stanzas(text)}


def _one(name: str, text: str, places: Mapping[str, List[int]], marked: Mapping[Tuple[str, str], bool], native: str) -> Package:
    plain, _, wished = name.partition(":")
    by_architecture: Dict[str, Dict[str, str]] = {}
    for place in places.get(plain, ()):
        fields = _at(text, place)
        by_architecture[fields.get("Architecture", "")] = fields
    fits = (wished,) if wished else (native, "all", *by_architecture)
    fields = next((by_architecture[each] for each in fits if each in by_architecture), {})
    want, _, state = [*fields.get("Status", "unknown ok not-installed").split(" "), "", ""][:3]
    if state in _GONE:
        provider = _provider(plain, text, places) if not wished else ""
        return Package(provided_by=provider, held=want == "hold", remains=state == "config-files") if fields or provider else ABSENT
    architecture = fields.get("Architecture", "")
    automatic = marked.get((plain, native if architecture == "all" else architecture), marked.get((plain, architecture), False))
    return Package(fields.get("Version", ""), state or INSTALLED, held=want == "hold", automatic=automatic)


def _provider(name: str, text: str, places: Mapping[str, List[int]]) -> str:
    """The first installed package, in the order of the database, that provides this name."""
    for match in re.finditer(rf"^Provides: (?:.*[ ,])?{re.escape(name)}(?=[ ,:(]|$)", text, re.MULTILINE):
        start = text.rfind("\n\n", 0, match.start())
        fields = _at(text, start + 2 if start >= 0 else 0)
        owner = fields.get("Package", "")
        newest = _at(text, places[owner][-1]) if owner in places else {}
        if newest.get("Status", "").endswith(f" {INSTALLED}"):
            return owner
    return ""
