"""Which package explains what differs: one whose version is another than when the baseline was taken, and whose own checksums say so.

A file of a package that did not change is never explained: whoever altered it could have altered the checksums as well.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.lent import Entry
from vitrify.core.system import System
from vitrify.onhost.packaged import Different, Held, Packages, holds, strange_rights, target
from vitrify.onhost.packagers import packages_of
from vitrify.onhost.packages_kept import NOTHING_KEPT, Kept, remembered
from vitrify.onhost.scope import Here

Told = Tuple[str, Optional[JSONObject], Optional[JSONObject]]
"""Path, what was, what is."""

_LINKS = re.compile(r"/etc/(?:alternatives|systemd/(?:system|user)(?:/[^/]+\.(?:wants|requires))?|rc[0-9S]\.d)/[^/]+")
"""Where scripts of packages put links to what is in them."""
_ALTERNATIVES = "/etc/alternatives/"
_BESIDE = (".dpkg-dist", ".dpkg-new", ".rpmnew")
"""How settings end that came with a package and were not put in place, because somebody had altered those that were there."""
_COMPILED = re.compile(r"(?P<folder>.*)/__pycache__(?:/(?P<name>[^/]+)\.cpython-\d+(?:\.opt-\d)?\.pyc)?")


class Verdict(NamedTuple):
    """What a package has to do with a path; `explains` is whether that is why it differs."""

    package: str
    explains: bool
    why: str


class _Now(NamedTuple):
    """What the packages are, and were."""

    packages: Packages
    kept: Kept
    changed: Mapping[str, Tuple[str, str]]
    owners: Mapping[str, List[str]]
    """Path -> packages that have it now."""


def explained(here: Here, told: Iterable[Told]) -> JSONObject:
    """The keys `packages`, `manager` and `explained` of an answer; all empty where nothing differs, or nobody keeps packages."""
    different = [each for each in told if each[1] != each[2]]
    packages = packages_of(here.system) if different else None
    if packages is None:
        return {"packages": {}, "manager": "", "explained": {}}
    versions, kept = packages.versions, remembered(here.memory) or NOTHING_KEPT
    changed = _changed(kept.packages, versions) if kept.packages else {}
    verdicts = _Explanation(here.system, _Now(packages, kept, changed, _owners(packages, versions))).of(different)
    named = {verdict.package for verdict in verdicts.values()}
    found: Dict[str, JSON] = {path: list(verdict) for path, verdict in verdicts.items()}
    shown: Dict[str, JSON] = {name: [before, now] for name, (before, now) in sorted(changed.items())}
    shown.update({name: [versions[name], versions[name]] for name in sorted(named - changed.keys()) if name in versions})
    return {"packages": shown, "manager": packages.manager, "explained": found}


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

    def __init__(self, system: System, now: _Now) -> None:
        self._system = system
        self._now = now
        old = now.kept.packages
        self._gone: Dict[str, str] = {path: name for name in now.changed for path in old.get(name, _NOTHING).paths}
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
            put = self._put_aside(path)
            return put or (Verdict(owners[0], explains=False, why="belongs to it, and is gone") if owners else self._of_scripts(path))
        if not owners:
            return self._of_scripts(path)
        different = Different(path, before, now, self._now.owners, self._now.kept.overrides)
        if not mine:
            return self._came_aside(different, owners[0])
        return Verdict(mine[0], *self._now.packages.judged(mine[0], different))

    def _of_scripts(self, path: str) -> Optional[Verdict]:
        """Whether it is what the package manager itself keeps of a package that changed: its list, its checksums, its scripts."""
        name = self._now.packages.keeps(path)
        return Verdict(name, explains=True, why=f"is what {self._now.packages.manager} keeps of it") if name in self._now.changed else None

    def _put_aside(self, path: str) -> Optional[Verdict]:
        """Whether it went to make place for a package that changed."""
        to, by = self._now.packages.aside(path)
        return Verdict(by, explains=True, why=f"was put aside for it, to {to}") if by in self._now.changed else None

    def _came_aside(self, different: Different, owner: str) -> Verdict:
        """A file of a package that is the version of the baseline: explained only where it was put aside for one that changed."""
        for path in self._now.kept.packages.get(owner, _NOTHING).paths:
            to, by = self._now.packages.aside(path)
            if to == different.path and by in self._now.changed and self._now.packages.judged(owner, different).same:
                return Verdict(by, explains=True, why=f"was put aside for it, from {path}, and is as it came")
        return Verdict(owner, explains=False, why="belongs to it, and it is the version of the baseline")

    def _follows(self, path: str, entry: Entry) -> str:
        """The package that changed, of which this is a link to it or compiled from it; empty where it is neither."""
        if entry.get("type") == "link":
            to = target(path, entry)
            if _LINKS.fullmatch(path) or to.startswith(_ALTERNATIVES):
                return self._explaining(to) or (self._gone.get(to, "") if to not in self._now.owners else "")
            return ""
        if beside := self._beside(path, entry):
            return beside
        match = _COMPILED.fullmatch(path)
        if match is None or strange_rights(None, entry):
            return ""
        if match["name"] and entry.get("type") == "file":
            return self._explaining(f"{match['folder']}/{match['name']}.py")
        return self._explaining(match["folder"]) if entry.get("type") == "directory" else ""

    def _beside(self, path: str, entry: Entry) -> str:
        """The package whose new settings this is, which lies beside those that were left as they are."""
        stem = next((path[: -len(end)] for end in _BESIDE if path.endswith(end)), "")
        name = next((name for name in self._now.owners.get(stem, ()) if name in self._now.changed), "")
        digest = self._now.packages.sums(name).get(stem, "") if name else ""
        same = entry.get("type") == "file" and not strange_rights(None, entry) and holds(self._system, path, digest)
        return name if same else ""

    def _explaining(self, path: str) -> str:
        verdict = self._found.get(path)
        if verdict:
            return verdict.package if verdict.explains else ""
        return next((name for name in self._now.owners.get(path, ()) if name in self._now.changed), "") or self._gone.get(path, "")


_NOTHING = Held("", ())
