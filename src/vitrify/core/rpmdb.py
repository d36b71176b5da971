"""The database of rpm, asked by rpm itself: what is installed, in which version, and who provides a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Mapping, Sequence, Tuple

from vitrify.core.packaging import ABSENT, INSTALLED, Package, run
from vitrify.core.system import System
from vitrify.core.transaction import named

LOCKS = "/etc/dnf/plugins/versionlock.list"
DUPLICATED = "there twice"
"""The state of a package whose old version is still there beside the new one."""
ROW = "%{NAME}\t%{EPOCHNUM}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{INSTALLTIME}\n"
_GROUPS = ("a-f", "g-k", "l-o", "p", "q-z", "0-9A-Z_")
_LONGEST = 60_000
"""Bytes of an answer from which on it may have been cut."""
_LOCKED = re.compile(r"^(?:\d+:)?(.+?)-(?:\d+:)?[^-\s]+-[^-\s]+$")


@dataclass(frozen=True)
class Row:
    """One installed package."""

    name: str
    version: str
    architecture: str
    installed_at: int


def native(system: System) -> str:
    """The architecture of the target, as rpm names it."""
    return str(system.facts().get("arch", ""))


def rows(output: str) -> List[Row]:
    """What rpm printed in ROW; what it says of packages that are not there has no tabs."""
    found = []
    for line in output.splitlines():
        words = line.split("\t")
        if len(words) == 5 and words[0] != "gpg-pubkey":
            name, epoch, version, architecture, at = words
            found.append(Row(name, version if epoch == "0" else f"{epoch}:{version}", architecture, int(at) if at.isdigit() else 0))
    return found


def look(names: Sequence[str], automatic: FrozenSet[str], system: System) -> Mapping[str, Package]:
    """Each of these names as rpm has it; `automatic` are those that are there only because others need them."""
    if not names:
        return {}
    wished = sorted({name.partition(":")[0] for name in names})
    there = rows(run(system, ("rpm", "-q", "--queryformat", ROW, *wished)).stdout)
    held = locked(system)
    return {name: _one(name, there, automatic, held, system) for name in names}


def versions(system: System) -> Mapping[str, str]:
    """Every installed package and its version."""
    mine = native(system)
    found = sorted(_all(system), key=lambda row: row.installed_at)
    return {named(row.name, row.architecture, native=mine): row.version for row in found}


def changed_at(system: System) -> int:
    """When a package last came, in seconds since the epoch; 0 where there is none."""
    return max((row.installed_at for row in _all(system)), default=0)


def locked(system: System) -> FrozenSet[str]:
    """The names in the list of the plugin `versionlock`; without the plugin nothing is held."""
    stat = system.stat(LOCKS)
    if stat is None or stat.type != "file":
        return frozenset()
    lines = [line.strip() for line in system.read(LOCKS).decode("utf-8", "replace").splitlines()]
    matches = [(_LOCKED.match(line), line) for line in lines if line and line[0] not in "#!"]
    return frozenset(match.group(1) if match else line for match, line in matches)


def _one(name: str, there: Sequence[Row], automatic: FrozenSet[str], held: FrozenSet[str], system: System) -> Package:
    plain, _, architecture = name.partition(":")
    fits = (architecture,) if architecture else (native(system), "noarch")
    mine = [row for row in there if row.name == plain and row.architecture in fits]
    if not mine and not architecture:
        mine = [row for row in there if row.name == plain]
    if not mine:
        provider = "" if architecture else _provider(plain, system)
        return Package(provided_by=provider) if provider else ABSENT
    newest = max(mine, key=lambda row: row.installed_at)
    twice = len(mine) > 1 and not _may_be_many(plain, system)
    return Package(newest.version, DUPLICATED if twice else INSTALLED, held=plain in held, automatic=plain in automatic)


def _may_be_many(name: str, system: System) -> bool:
    """Whether several versions of a package stand beside each other on purpose, as kernels do."""
    provided = run(system, ("rpm", "-q", "--provides", name)).stdout.split()
    return any(word == "kernel" or word.startswith("installonlypkg(") for word in provided)


def _provider(name: str, system: System) -> str:
    found = rows(run(system, ("rpm", "-q", "--whatprovides", "--queryformat", ROW, name)).stdout)
    return found[0].name if found else ""


def _all(system: System) -> List[Row]:
    """In parts, where an answer would be longer than a program's output may be."""
    whole = _matching("*", system)
    found: Dict[Tuple[str, str, str], Row] = {}
    for part in [whole] if len(whole) < _LONGEST else [_matching(f"[{group}]*", system) for group in _GROUPS]:
        found.update({(row.name, row.version, row.architecture): row for row in rows(part)})
    return list(found.values())


def _matching(pattern: str, system: System) -> str:
    return run(system, ("rpm", "-qa", "--queryformat", ROW, pattern)).stdout
