"""Which package explains what differs: one whose version is another than when the baseline was taken, and whose own checksums say so.

A file of a package that did not change is never explained: whoever altered it could have altered dpkg's checksums as well.
"""

from __future__ import annotations

import os
import re
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from vitrify.core import place
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.lent import Entry, lent, mode
from vitrify.onhost.packaged import INFO, Held, Packages
from vitrify.onhost.packages_kept import remembered
from vitrify.onhost.scope import Here

Told = Tuple[str, Optional[JSONObject], Optional[JSONObject]]
"""Path, what was, what is."""

_LINKS = re.compile(r"/etc/(?:alternatives|systemd/(?:system|user)(?:/[^/]+\.(?:wants|requires))?|rc[0-9S]\.d)/[^/]+")
"""Where scripts of packages put links to what is in them."""
_ALTERNATIVES = "/etc/alternatives/"
_COMPILED = re.compile(r"(?P<folder>.*)/__pycache__(?:/(?P<name>[^/]+)\.cpython-\d+(?:\.opt-\d)?\.pyc)?")


class Verdict(NamedTuple):
    """What a package has to do with a path; `explains` is whether that is why it differs."""

    package: str
    explains: bool
    why: str


class _Now(NamedTuple):
    """What the packages are, and were."""

    packages: Packages
    old: Mapping[str, Held]
    changed: Mapping[str, Tuple[str, str]]
    owners: Mapping[str, List[str]]
    """Path -> packages that have it now."""


def explained(here: Here, told: Iterable[Told]) -> JSONObject:
    """The keys `packages` and `explained` of an answer; both empty where nothing differs, or where there is no dpkg."""
    different = [each for each in told if each[1] != each[2]]
    packages = Packages(here.system) if different else None
    versions = packages.versions if packages else {}
    if packages is None or not versions:
        return {"packages": {}, "explained": {}}
    old = remembered(here.memory) or {}
    changed = _changed(old, versions) if old else {}
    verdicts = _Explanation(_Now(packages, old, changed, _owners(packages, versions))).of(different)
    named = {verdict.package for verdict in verdicts.values()}
    found: Dict[str, JSON] = {path: list(verdict) for path, verdict in verdicts.items()}
    shown: Dict[str, JSON] = {name: [before, now] for name, (before, now) in sorted(changed.items())}
    shown.update({name: [versions[name], versions[name]] for name in sorted(named - changed.keys()) if name in versions})
    return {"packages": shown, "explained": found}


def _changed(old: Mapping[str, Held], versions: Mapping[str, str]) -> Dict[str, Tuple[str, str]]:
    before = {name: held.version for name, held in old.items()}
    return {name: (before.get(name, ""), versions.get(name, "")) for name in {*before, *versions} if before.get(name) != versions.get(name)}


def _owners(packages: Packages, versions: Iterable[str]) -> Dict[str, List[str]]:
    found: Dict[str, List[str]] = {}
    for name in versions:
        for path in packages.paths(name):
            found.setdefault(path, []).append(name)
    return found


class _Explanation:
    """One look's differences beside the packages: first what checksums say, then what follows from that."""

    def __init__(self, now: _Now) -> None:
        self._now = now
        self._sums: Dict[str, Mapping[str, str]] = {}
        self._gone: Dict[str, str] = {path: name for name in now.changed for path in now.old.get(name, _NOTHING).paths}
        self._found: Dict[str, Verdict] = {}

    def of(self, different: Iterable[Told]) -> Dict[str, Verdict]:
        """Path -> verdict, for those that have to do with a package."""
        rest: List[Told] = []
        for path, before, now in different:
            verdict = self._of_package(path, before, now)
            if verdict is None:
                rest.append((path, before, now))
            else:
                self._found[path] = verdict
        for path, before, now in sorted(rest):  # /etc before /usr: a link in /usr/bin may lead to one of /etc/alternatives
            package = self._follows(path, now or before or {})
            if package:
                self._found[path] = Verdict(package, explains=True, why="follows from what is in the package")
        return self._found

    def _of_package(self, path: str, before: Optional[Entry], now: Optional[Entry]) -> Optional[Verdict]:
        owners = self._now.owners.get(path, [])
        mine = [name for name in owners if name in self._now.changed]
        if now is None:
            name = self._gone.get(path, "") if not owners else ""
            if name:
                return Verdict(name, explains=True, why="is in it no more")
            return Verdict(owners[0], explains=False, why="belongs to it, and is gone") if owners else self._of_scripts(path)
        if not owners:
            return self._of_scripts(path)
        if not mine:
            return Verdict(owners[0], explains=False, why="belongs to it, and it is the version of the baseline")
        return self._verified(path, before, now, mine[0])

    def _of_scripts(self, path: str) -> Optional[Verdict]:
        """Whether it is what dpkg itself keeps of a package that changed: its list, its checksums, its scripts."""
        name = path[len(INFO) + 1 :].rpartition(".")[0] if place.parent(path) == INFO else ""
        return Verdict(name, explains=True, why="is what dpkg keeps of it") if name in self._now.changed else None

    def _verified(self, path: str, before: Optional[Entry], now: Entry, name: str) -> Verdict:
        strange = _strange_rights(before, now)
        if strange:
            return Verdict(name, explains=False, why=f"belongs to it, and {strange}: dpkg keeps no modes to compare with")
        if now.get("type") == "directory":
            return Verdict(name, explains=True, why="is a folder of it")
        if now.get("type") == "link":
            whole = _target(path, now) in self._now.owners
            return Verdict(
                name, explains=whole, why="leads to what is packaged" if whole else "belongs to it, and leads to what no package has"
            )
        wanted = self._sums_of(name).get(path, "")
        same = bool(wanted) and now.get("type") == "file" and self._now.packages.sum_of(path) == wanted
        return Verdict(name, explains=same, why="is as its checksum says" if same else "belongs to it, and is not as its checksum says")

    def _sums_of(self, name: str) -> Mapping[str, str]:
        if name not in self._sums:
            self._sums[name] = self._now.packages.sums(name)
        return self._sums[name]

    def _follows(self, path: str, entry: Entry) -> str:
        """The package that changed, of which this is a link to it or compiled from it; empty where it is neither."""
        if entry.get("type") == "link":
            target = _target(path, entry)
            if _LINKS.fullmatch(path) or target.startswith(_ALTERNATIVES):
                return self._explaining(target) or (self._gone.get(target, "") if target not in self._now.owners else "")
            return ""
        match = _COMPILED.fullmatch(path)
        if match is None or _strange_rights(None, entry):
            return ""
        if match["name"] and entry.get("type") == "file":
            return self._explaining(f"{match['folder']}/{match['name']}.py")
        return self._explaining(match["folder"]) if entry.get("type") == "directory" else ""

    def _explaining(self, path: str) -> str:
        verdict = self._found.get(path)
        if verdict:
            return verdict.package if verdict.explains else ""
        return next((name for name in self._now.owners.get(path, ()) if name in self._now.changed), "") or self._gone.get(path, "")


_NOTHING = Held("", ())


def _target(path: str, entry: Entry) -> str:
    to = str(entry.get("link", ""))
    return os.path.normpath(to if to.startswith("/") else f"{place.parent(path)}/{to}")


def _strange_rights(before: Optional[Entry], now: Entry) -> str:
    """What of its rights no package explains; empty where there is nothing."""
    if now.get("type") == "link":
        return ""
    more: Set[str] = set(lent(now) - lent(before))
    if more:
        return f"became {' and '.join(sorted(more))}"
    kept = before is not None and mode(before) == mode(now)
    if mode(now) & 0o002 and not mode(now) & 0o1000 and not kept:
        return "everybody may write to it"
    owner = now.get("uid")
    if before is not None and before.get("uid") == owner:
        return ""
    return "it is not root's" if now.get("type") == "file" and owner not in (0, os.geteuid()) else ""
