"""Names of users and groups, and their numbers: those of the target, never those of the machine that looks at it."""

from __future__ import annotations

import grp
import os
import pwd
from typing import Callable, Dict, Mapping, Optional, Protocol, Tuple

from vitrify.core.diagnostic import TargetFailed


class Accounts(Protocol):
    """Turns names into numbers and back. A number that has no name is its own name."""

    def user(self, name: str) -> int:
        """The uid; TargetFailed where there is no such user."""

    def group(self, name: str) -> int:
        """The gid; TargetFailed where there is no such group."""

    def user_name(self, uid: int) -> str:
        """The user's name, else the number."""

    def group_name(self, gid: int) -> str:
        """The group's name, else the number."""

    def primary_group(self, uid: int) -> int:
        """The user's own group; the same number where the user is not known."""


def unknown(what: str, name: str) -> TargetFailed:
    """There is no such account."""
    return TargetFailed(f"there is no {what} {name!r} on this target", hint=f"create it first, or name the {what} by its number")


class HostAccounts:
    """The accounts of the running host, from wherever it has them (files, directory services)."""

    def user(self, name: str) -> int:
        """The uid of a name or number."""
        if name.isdigit():
            return int(name)
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            raise unknown("user", name) from None

    def group(self, name: str) -> int:
        """The gid of a name or number."""
        if name.isdigit():
            return int(name)
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            raise unknown("group", name) from None

    def user_name(self, uid: int) -> str:
        """The user's name, else the number."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def group_name(self, gid: int) -> str:
        """The group's name, else the number."""
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return str(gid)

    def primary_group(self, uid: int) -> int:
        """The user's own group."""
        try:
            return pwd.getpwuid(uid).pw_gid
        except KeyError:
            return uid


Numbers = Mapping[str, Tuple[int, int]]
"""Name -> its number and, for a user, the number of its group."""

Read = Callable[[str], Optional[bytes]]
Version = Callable[[str], Optional[Tuple[int, ...]]]


class RootAccounts:
    """The accounts in a root's own `/etc/passwd` and `/etc/group`; read again once they changed."""

    def __init__(self, read: Read, version: Version) -> None:
        self._read = read
        self._version = version
        self._known: Dict[str, Tuple[Optional[Tuple[int, ...]], Numbers]] = {}

    def _numbers(self, path: str) -> Numbers:
        version = self._version(path)
        known = self._known.get(path)
        if known is None or known[0] != version:
            known = (version, _parse(self._read(path) or b""))
            self._known[path] = known
        return known[1]

    def user(self, name: str) -> int:
        """The uid of a name or number; root is 0 in every root."""
        return self._number("user", name, "/etc/passwd")

    def group(self, name: str) -> int:
        """The gid of a name or number; root is 0 in every root."""
        return self._number("group", name, "/etc/group")

    def _number(self, what: str, name: str, path: str) -> int:
        if name.isdigit():
            return int(name)
        found = self._numbers(path).get(name, (0, 0) if name == "root" else None)
        if found is None:
            raise unknown(what, name)
        return found[0]

    def user_name(self, uid: int) -> str:
        """The user's name, else the number."""
        return self._name(uid, "/etc/passwd")

    def group_name(self, gid: int) -> str:
        """The group's name, else the number."""
        return self._name(gid, "/etc/group")

    def _name(self, number: int, path: str) -> str:
        named = next((name for name, found in self._numbers(path).items() if found[0] == number), None)
        return named or ("root" if number == 0 else str(number))

    def primary_group(self, uid: int) -> int:
        """The user's own group."""
        return next((found[1] for found in self._numbers("/etc/passwd").values() if found[0] == uid), uid)


def _parse(content: bytes) -> Numbers:
    found: Dict[str, Tuple[int, int]] = {}
    for line in os.fsdecode(content).splitlines():
        fields = line.split(":")
        if len(fields) < 3 or not fields[0] or not fields[2].isdigit():
            continue
        group = int(fields[3]) if len(fields) > 3 and fields[3].isdigit() else int(fields[2])
        found.setdefault(fields[0], (int(fields[2]), group))
    return found
