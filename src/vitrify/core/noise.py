"""Differences that are to be expected: rules with a reason each, the user's own and those that come along for Debian. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Optional, Sequence, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.lent import Entry, lent, runs


class Extent(Enum):
    """How much of what happens at a path is to be expected."""

    ANY = "any"
    """Whatever differs."""
    CONTENT = "content"
    """A file comes, goes, or holds something else; its rights stay."""
    GROWTH = "growth"
    """A log: it grows, and it rotates. One that shrinks or goes without having rotated is a finding."""


@dataclass(frozen=True)
class Noise:
    """One rule. In `path`, `*` is anything within a name and `**` anything below a folder."""

    path: str
    reason: str
    until: Optional[date] = None
    """The last day on which it holds, UTC."""
    extent: Extent = Extent.ANY
    shipped: bool = False
    """Whether it came along: then it covers nothing that runs with another's rights."""

    def matches(self, path: str) -> bool:
        """Whether it is about this path."""
        return _pattern(self.path).fullmatch(path) is not None

    def lapsed(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.until is not None and self.until < today

    def to_json(self) -> JSONObject:
        """The form of `-o json`."""
        return {
            "path": self.path,
            "reason": self.reason,
            "until": self.until.isoformat() if self.until else None,
            "extent": self.extent.value,
            "shipped": self.shipped,
        }


@lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", glob)
    spelt = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(spelt.get(part, re.escape(part)) for part in parts), re.DOTALL)


@dataclass(frozen=True)
class Difference:
    """What was and what is at a path; None where nothing was, or is."""

    path: str
    before: Optional[Entry]
    now: Optional[Entry]
    grew: bool = False
    """Whether all that a file was is still there, at its beginning."""


def explaining(difference: Difference, rules: Sequence[Noise], *, appeared: Sequence[str] = ()) -> Optional[Noise]:
    """The first of these rules that covers a difference. `appeared` are the paths whose content is new in the same look."""
    return next((rule for rule in rules if rule.matches(difference.path) and _covers(rule, difference, appeared)), None)


def _covers(rule: Noise, difference: Difference, appeared: Sequence[str]) -> bool:
    before, now = difference.before, difference.now
    if rule.shipped and (_risen(before, now) or not _plain(now)):
        return False
    if rule.extent is Extent.ANY:
        return True
    if before is not None and now is not None and _rights(before) != _rights(now):
        return False
    return rule.extent is Extent.CONTENT or _grew(difference) or _rotated(difference.path, appeared)


def _rights(entry: Entry) -> Tuple[JSON, ...]:
    return tuple(entry.get(name) for name in ("type", "mode", "uid", "gid", "flags", "xattrs"))


def _plain(now: Optional[Entry]) -> bool:
    return now is None or now.get("type") in ("file", "directory", "link", "socket", "pipe")


def _risen(before: Optional[Entry], now: Optional[Entry]) -> bool:
    """Whether it became something that runs, or that runs with its owner's rights."""
    return bool(lent(now) - lent(before)) or (runs(now) and not runs(before))


def _grew(difference: Difference) -> bool:
    return difference.now is not None and (difference.before is None or difference.now.get("type") == "directory" or difference.grew)


_AGED = re.compile(r"(.+?)[.-](?:\d{1,3}|\d{8}(?:-\d+)?)(?:\.(?:gz|xz|bz2|zst))?")
"""What logrotate calls the older ones: by number, or by day."""


def _rotated(path: str, appeared: Sequence[str]) -> bool:
    """Whether it is a log of which an older one came to be in the same look, or one that is itself such an older one."""
    aged = _AGED.fullmatch(path)
    stem = aged.group(1) if aged else path
    return any(other != path and (found := _AGED.fullmatch(other)) is not None and found.group(1) == stem for other in appeared)


def _shipped(reason: str, extent: Extent, *paths: str) -> Tuple[Noise, ...]:
    return tuple(Noise(path, reason, extent=extent, shipped=True) for path in paths)


DEBIAN: Tuple[Noise, ...] = (
    *_shipped("logs grow and rotate", Extent.GROWTH, "/var/log", "/var/log/**"),
    *_shipped("a journal, written in place", Extent.CONTENT, "/var/log/journal/**"),
    *_shipped("who logged in last, written in place", Extent.CONTENT, "/var/log/lastlog", "/var/log/faillog"),
    *_shipped("what is made anew whenever it is missing", Extent.CONTENT, "/var/cache", "/var/cache/**"),
    *_shipped("what programs have under way", Extent.CONTENT, "/run", "/run/**"),
    *_shipped("what the dynamic linker found", Extent.CONTENT, "/etc/ld.so.cache"),
    *_shipped("leases of a network", Extent.CONTENT, "/var/lib/dhcp/*", "/var/lib/dhcpcd/*", "/var/lib/NetworkManager/*.lease"),
    *_shipped("lists of what package sources offer", Extent.CONTENT, "/var/lib/apt/lists", "/var/lib/apt/lists/**"),
    *_shipped("notes of apt", Extent.CONTENT, "/var/lib/apt/extended_states", "/var/lib/apt/periodic/*", "/var/lib/apt/daily_lock"),
    *_shipped("notes of dpkg on what is installed", Extent.CONTENT, "/var/lib/dpkg", "/var/lib/dpkg/status", "/var/lib/dpkg/status-old"),
    *_shipped("notes of dpkg on what is installed", Extent.CONTENT, "/var/lib/dpkg/available*", "/var/lib/dpkg/lock*"),
    *_shipped("notes of dpkg on what is installed", Extent.CONTENT, "/var/lib/dpkg/info", "/var/lib/dpkg/info/format"),
    *_shipped(
        "notes of dpkg on what is installed",
        Extent.CONTENT,
        "/var/lib/dpkg/updates/*",
        "/var/lib/dpkg/alternatives/*",
        "/var/lib/dpkg/triggers/*",
    ),
    *_shipped("notes of rpm on what is installed", Extent.CONTENT, "/var/lib/rpm", "/var/lib/rpm/*", "/usr/lib/sysimage/rpm"),
    *_shipped("notes of rpm and dnf on what is installed", Extent.CONTENT, "/usr/lib/sysimage/rpm/*", "/var/lib/dnf", "/var/lib/dnf/**"),
    *_shipped(
        "states of systemd", Extent.CONTENT, "/var/lib/systemd/random-seed", "/var/lib/systemd/timesync/*", "/var/lib/systemd/timers/*"
    ),
    *_shipped("a job of logrotate, apt or man-db left its state", Extent.CONTENT, "/var/lib/logrotate/status", "/var/lib/man-db/*"),
    *_shipped("the kernel and udev made it", Extent.CONTENT, "/etc/mtab", "/etc/.updated", "/var/.updated"),
)
"""What a Debian host does by itself: nothing in it is run, or says who may do what. Scripts and checksums of packages are not in it."""
