"""What a sweep found, classed: each difference with why it is allowed or is not, how much it matters, and since when it can be there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from vitrify.core import place
from vitrify.core.audit_policy import PackageChange
from vitrify.core.declaration import Host, Server
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Class, Finding
from vitrify.core.noise import Difference, explaining
from vitrify.core.severity import Severity, rated

_MOVING = frozenset({"mtime_ns", "ctime_ns", "dev", "ino", "nlink"})
"""What tells that a file was touched but is no difference by itself."""
_BESIDE = frozenset({"xattrs", "flags"})
"""What no resource declares, but for access control lists."""
_SECOND = 1_000_000_000


class _Verdict(NamedTuple):
    """What a host's package manager says of a path."""

    package: str
    explains: bool
    why: str


class Classing:
    """One host's answer beside what its server expects."""

    def __init__(self, server: Server, host: Host, answer: JSONObject, day: date) -> None:
        self._server = server
        self._host = host
        self._day = day
        self._before, self._now = (fingerprints(answer, name) for name in ("baseline", "sweep"))
        self._verdicts = {path: verdict for path, row in _map(answer, "explained").items() if (verdict := _verdict(row))}
        self._packages = {name: PackageChange(name, *texts(versions)) for name, versions in _map(answer, "packages").items()}
        self._manager = str(answer.get("manager", ""))
        self._changed_at = {path: at for path, at in _map(answer, "changed_at").items() if isinstance(at, int)}
        self._grown = frozenset(texts(answer.get("grown")))
        self._texts = {path: str(text) for path, text in _map(answer, "texts").items()}

    def findings(self) -> tuple[Finding, ...]:
        """One for each package that changed, and one for each difference that no package explains."""
        alone = [finding for finding in map(self._finding, self._differences) if finding]
        return (*self._of_packages(), *alone)

    @cached_property
    def _differences(self) -> tuple[Difference, ...]:
        state = (*self._server.writable, *self._server.volumes)
        paths = sorted({*self._before, *self._now})
        every = (Difference(path, self._before.get(path), self._now.get(path), grew=path in self._grown) for path in paths)
        return tuple(each for each in every if differs(each) and not any(place.inside(each.path, folder) for folder in state))

    @cached_property
    def _appeared(self) -> tuple[str, ...]:
        return tuple(each.path for each in self._differences if each.now is not None)

    def _of_packages(self) -> Iterator[Finding]:
        declared = {wish.address.name.partition(":")[0] for wish in self._server.wishes(self._host) if wish.address.kind == "package"}
        for change in self._packages.values():
            if change.before == change.now:
                continue
            mine = [each for each in self._differences if self._explains(each.path, change.name)]
            allowed = self._server.audit.allows(change, declared)
            how = f"each as {self._manager}'s own checksums say" if change.now else "gone with it"
            checked = f"{_paths(len(mine))}, {how}" if mine else "nothing of it is in a folder that is audited"
            yield Finding(
                server=self._server.name,
                where=self._host.name,
                path=f"package:{change.name}",
                change=change.change,
                details=(change.told, checked),
                classed=Class.PACKAGE_MANAGER if allowed else Class.UNAUTHORISED,
                evidence="package",
                modified_at=max((_modified(each.now) or 0 for each in mine), default=0) or None,
                answer="accept",
                severity=Severity.LOW if allowed else Severity.HIGH,
                why=allowed or "nobody allowed it: neither does the declaration name it, nor does `packages` of the audit",
                paths=tuple(each.path for each in mine),
            )

    def _explains(self, path: str, package: str) -> bool:
        verdict = self._verdicts.get(path)
        return verdict is not None and verdict.explains and verdict.package == package

    def _finding(self, difference: Difference) -> Finding | None:
        verdict = self._verdicts.get(difference.path)
        if verdict and verdict.explains:
            return None
        classed, why = self._class(difference)
        severity, about = (Severity.LOW, "") if classed is Class.NOISE else rated(difference)
        before, now = difference.before, difference.now
        packaged = (f"{verdict.package}: {verdict.why}",) if verdict else ()
        return Finding(
            server=self._server.name,
            where=self._host.name,
            path=difference.path,
            change="added" if before is None else "removed" if now is None else "changed",
            details=(*details(before, now), *packaged),
            classed=classed,
            evidence="sweep",
            modified_at=_modified(now),
            changed_at=self._changed_at.get(difference.path),
            owner=str((now or {}).get("uid", "")),
            answer="" if classed is Class.NOISE else "re-converge" if self._put_back(difference) else "report",
            severity=severity,
            about=about,
            why=why,
            diff=self._diff(difference),
        )

    def _class(self, difference: Difference) -> tuple[Class, str]:
        policy = self._server.audit
        rules = [rule for rule in policy.rules(difference.path) if not rule.lapsed(self._day)]
        rule = explaining(difference, rules, appeared=self._appeared)
        if rule is None:
            return Class.UNAUTHORISED, ""
        until = f", until {rule.until.isoformat()}" if rule.until else ""
        return Class.NOISE, f"{rule.path}: {rule.reason}{until}"

    def _put_back(self, difference: Difference) -> bool:
        """Whether an apply puts it back: not what no resource declares of a path that is declared."""
        before, now = difference.before, difference.now
        names = _differing(before, now) if before is not None and now is not None else []
        beyond = names and set(names) <= _BESIDE and ("flags" in names or not self._listed(difference.path))
        return not beyond and self._declared(difference.path)

    def _listed(self, path: str) -> bool:
        """Whether its extended attributes are declared."""
        return any(wish.address.kind == "acl" and wish.fields.get("path") == path for wish in self._server.wishes(self._host))

    def _declared(self, path: str) -> bool:
        """Whether it is declared: what lies in a folder of the host that is only audited, nobody declared."""
        wishes = self._server.wishes(self._host)
        if any(path == wish.address.name for wish in wishes if wish.absent):
            return True
        if path in self._before and not any(path == folder or place.inside(path, folder) for folder in self._server.audit.folders):
            return True
        named = {str(value) for wish in wishes for value in (wish.fields.get("path"), wish.fields.get("to"), wish.address.name) if value}
        trees = [str(wish.fields["to"]) for wish in wishes if wish.address.kind == "tree" and not wish.absent]
        return path in self._before and (path in named or any(place.inside(path, tree) for tree in trees))

    def _diff(self, difference: Difference) -> str:
        new = self._texts.get(difference.path)
        content = self._server.contents.get(str((difference.before or {}).get("sha256", "")))
        if new is None or content is None or content.secret:
            return ""
        data = Path(content.path).read_bytes() if content.path else content.data or b""
        old = place.as_text(data)
        if old is None:
            return ""
        name = difference.path
        return "".join(difflib.unified_diff(_lines(old), _lines(new), f"{name} (as it was left)", f"{name} (now)", n=2))


def _lines(text: str) -> list[str]:
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in text.splitlines(keepends=True)]


def _paths(count: int) -> str:
    return f"{count} path{'' if count == 1 else 's'}"


def _verdict(row: JSON) -> _Verdict | None:
    if not isinstance(row, list) or len(row) != len(_Verdict._fields):
        return None
    return _Verdict(str(row[0]), row[1] is True, str(row[2]))


def _map(answer: JSONObject, name: str) -> Mapping[str, JSON]:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}


def texts(value: JSON) -> tuple[str, ...]:
    """A list of texts; none where it is no list."""
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def today(now: float) -> date:
    """The day, UTC, at so many seconds since the epoch."""
    return datetime.fromtimestamp(now, UTC).date()


def fingerprints(answer: JSONObject, name: str) -> dict[str, dict[str, JSON]]:
    """The fingerprints of an answer under this name, by path."""
    return {path: entry for path, entry in _map(answer, name).items() if isinstance(entry, dict)}


def differs(difference: Difference) -> bool:
    """Whether it is more than that somebody touched it."""
    return difference.before is None or difference.now is None or bool(details(difference.before, difference.now))


def details(before: Mapping[str, JSON] | None, now: Mapping[str, JSON] | None) -> tuple[str, ...]:
    """What differs, in words."""
    if before is None or now is None:
        entry = now or before or {}
        return (str(entry.get("type", "")),) if entry.get("type") else ()
    return tuple(spoken(name, before.get(name), now.get(name)) for name in _differing(before, now))


def _differing(before: Mapping[str, JSON], now: Mapping[str, JSON]) -> list[str]:
    names = sorted({*before, *now} - _MOVING)
    return [name for name in names if before.get(name) != now.get(name) and not _folder_size(name, now)]


def _folder_size(name: str, entry: Mapping[str, JSON]) -> bool:
    return name == "size" and entry.get("type") == "directory"


def spoken(name: str, before: JSON, now: JSON) -> str:
    """How a value of this name differs, in words."""
    if name in ("sha256", "content", "xattrs"):
        return f"{'content' if name == 'sha256' else name} differs"
    return f"{name} {'none' if before is None else before} -> {'none' if now is None else now}"


def _modified(entry: Mapping[str, JSON] | None) -> int | None:
    stamp = (entry or {}).get("mtime_ns")
    return stamp // _SECOND if isinstance(stamp, int) else None
