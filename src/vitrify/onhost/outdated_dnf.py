"""Which packages of a host that dnf keeps are behind what its metadata offer. What is for security its advisories say."""

from __future__ import annotations

import re
import time
from calendar import timegm
from contextlib import suppress
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from vitrify.core import dnf, rpmdb
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.system import System
from vitrify.core.transaction import named

_ROW = "%{name}\t%{evr}\t%{arch}\t%{repoid}\t%{buildtime}"
_LISTED = re.compile(r"^(?P<id>\S+)\s+(?P<type>\S+)\s+(?P<name>\S+)-[^-\s]+-[^-\s]+\.(?P<arch>[^.\s]+)$", re.MULTILINE)
_TOLD = re.compile(r"^ *Update ID: (?P<id>\S+)$(?:\n(?!=).*?)*?^ *Updated: (?P<date>[\d :-]+)$", re.MULTILINE)
_SECURITY = ("security", "Sec.")


class _Advisories(NamedTuple):
    """What is said of the patches of one package: whether any of them is for security, and when the newest was given out."""

    security: bool = False
    newest: Optional[float] = None


def behind(system: System) -> JSONObject:
    """The answer of the call `outdated`; nobody can tell where the metadata were never had."""
    renewed, mine = dnf.renewed_ns(system), rpmdb.native(system)
    packages: List[JSON] = []
    if renewed:
        there, held, said = rpmdb.versions(system), rpmdb.locked(system), _advisories(system)
        for line in dnf.asked(("repoquery", "--upgrades", "--latest-limit=1", "--queryformat", _ROW), system).splitlines():
            words = line.split("\t")
            name = named(words[0], words[2], native=mine) if len(words) == 5 else ""
            if name in there:
                packages.append(_package(name, there[name], words, said.get((words[0], words[2]), _Advisories()), held=words[0] in held))
    changed = rpmdb.changed_at(system)
    return {"manager": "dnf", "packages": packages, "lists_at": renewed / 1e9 if renewed else None, "patched_at": float(changed) or None}


def _package(name: str, installed: str, words: List[str], said: _Advisories, *, held: bool) -> JSONObject:
    _, candidate, _, repository, built = words
    return {
        "name": name,
        "installed": installed,
        "candidate": candidate,
        "origins": [repository],
        "security": said.security,
        "held": held,
        "published_at": said.newest if said.newest is not None else _seconds(built),
    }


def _advisories(system: System) -> Mapping[Tuple[str, str], _Advisories]:
    """By name and architecture, of all patches that are newer than what is installed."""
    dates = {match["id"]: _seconds(match["date"]) for match in _TOLD.finditer(dnf.asked(("updateinfo", "info", "--updates"), system))}
    found: Dict[Tuple[str, str], _Advisories] = {}
    for match in _LISTED.finditer(dnf.asked(("updateinfo", "list", "--updates"), system)):
        key, known = (match["name"], match["arch"]), found.get((match["name"], match["arch"]), _Advisories())
        stamps = [stamp for stamp in (known.newest, dates.get(match["id"])) if stamp is not None]
        found[key] = _Advisories(known.security or match["type"].endswith(_SECURITY), max(stamps, default=None))
    return found


def _seconds(date: str) -> Optional[float]:
    """Dnf tells times in UTC, with or without seconds."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        with suppress(ValueError):
            return float(timegm(time.strptime(date.strip(), form)))
    return None
