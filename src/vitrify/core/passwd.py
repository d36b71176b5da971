"""The accounts of a target as it keeps them: passwd, group and their shadows as text, and the numbers that are free in them.

Nothing here asks a directory service: what is written into these files is what these files hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import AbstractSet, Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Attributes, System

Row = Tuple[str, ...]
"""One line, taken apart at its colons; the first is the name."""

PATHS: Mapping[str, str] = {
    "passwd": "/etc/passwd",
    "group": "/etc/group",
    "shadow": "/etc/shadow",
    "gshadow": "/etc/gshadow",
    "subuid": "/etc/subuid",
    "subgid": "/etc/subgid",
}
_WRITTEN = ("group", "gshadow", "subuid", "subgid", "shadow", "passwd")
"""In this order: whoever is cut short has not written the line by which an account is known."""


@dataclass(frozen=True)
class Table:
    """One of the files. Lines that are no entries stay where they are."""

    rows: Tuple[Row, ...] = ()

    @classmethod
    def read(cls, content: bytes) -> Table:
        """Take the file apart."""
        lines = content.decode("utf-8", "surrogateescape").split("\n")
        return cls(tuple(tuple(line.split(":")) for line in (lines[:-1] if lines[-1] == "" else lines)))

    def text(self) -> bytes:
        """The file."""
        return "".join(":".join(row) + "\n" for row in self.rows).encode("utf-8", "surrogateescape")

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """Name -> where its first entry is."""
        return {row[0]: place for place, row in reversed(tuple(enumerate(self.rows))) if len(row) > 1}

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return {row[2]: row[0] for row in reversed(self.rows) if len(row) > 3}

    @cached_property
    def numbers(self) -> AbstractSet[int]:
        """The number (third field) of every entry."""
        return frozenset(int(number) for number in self._names if number.isdigit())

    def named(self, number: str) -> str:
        """The name that this number has, else the number."""
        return self._names.get(number, number)

    def find(self, name: str) -> Optional[Row]:
        """The first entry of this name."""
        place = self._places.get(name)
        return None if place is None else self.rows[place]

    def put(self, row: Row) -> Table:
        """With this entry in the place of the one of its name, else at the end (before lines that ask a directory service)."""
        place = self._places.get(row[0])
        if place is not None:
            return Table((*self.rows[:place], row, *self.rows[place + 1 :]))
        place = next((index for index, other in enumerate(self.rows) if other[0][:1] in ("+", "-")), len(self.rows))
        return Table((*self.rows[:place], row, *self.rows[place:]))

    def before(self, name: str) -> str:
        """The name of the line before the first entry of this name; "" where it is the first line."""
        place = self._places.get(name, 0)
        return self.rows[place - 1][0] if place else ""

    def behind(self, row: Row, other: str) -> Table:
        """With this entry behind the line of another name, or first (""); where that is no more, where its name is, or at the end."""
        place = next((index for index, known in enumerate(self.rows) if known[0] == other), None)
        if other and (place is None or other == row[0]):
            return self.put(row)
        rest = Table(tuple(known for known in self.rows if known[0] != row[0])).rows
        start = next((index + 1 for index, known in enumerate(rest) if known[0] == other), 0) if other else 0
        return Table((*rest[:start], row, *rest[start:]))

    def drop(self, name: str) -> Table:
        """Without every entry of this name."""
        return Table(tuple(row for row in self.rows if row[0] != name or len(row) == 1))


@dataclass(frozen=True)
class Rules:
    """What `/etc/login.defs` and `/etc/default/useradd` say."""

    values: Mapping[str, str]

    def number(self, name: str, default: int) -> int:
        """A number: decimal, 0x…, or octal with a leading 0, as these files are read by others too."""
        text = self.values.get(name, "")
        try:
            return int(text, 8) if text.startswith("0") and text.isdigit() else int(text, 0)
        except ValueError:
            return default

    def span(self, what: str, *, system: bool) -> Tuple[int, int]:
        """The lowest and highest number of a person's or a system's `UID` or `GID`."""
        low, high = self.number(f"{what}_MIN", 1000), self.number(f"{what}_MAX", 60000)
        return (self.number(f"SYS_{what}_MIN", 101), self.number(f"SYS_{what}_MAX", low - 1)) if system else (low, high)

    @property
    def home_mode(self) -> str:
        """The mode of a new home."""
        mode = self.number("HOME_MODE", 0o777 & ~self.number("UMASK", 0o022))
        return f"{mode & 0o7777:04o}"

    @property
    def shell(self) -> str:
        """The shell of whoever declares none."""
        return self.values.get("SHELL") or "/bin/sh"

    def home(self, name: str) -> str:
        """The home of whoever declares none."""
        return f"{(self.values.get('HOME') or '/home').rstrip('/')}/{name}"


@dataclass(frozen=True)
class Accounts:
    """All of it; a shadow that a target does not have, or that we may not read, is None."""

    passwd: Table = Table()
    group: Table = Table()
    shadow: Optional[Table] = None
    gshadow: Optional[Table] = None
    subuid: Optional[Table] = None
    subgid: Optional[Table] = None
    rules: Rules = Rules({})

    @cached_property
    def _groups(self) -> Mapping[str, List[str]]:
        found: Dict[str, List[str]] = {}
        for row in self.group.rows:
            for user in row[3].split(",") if len(row) > 3 else ():
                found.setdefault(user, []).append(row[0])
        return found

    def groups_of(self, user: str) -> Tuple[str, ...]:
        """The groups that list this user as a member, sorted."""
        return tuple(sorted(set(self._groups.get(user, ()))))

    def first_in(self, group: str) -> Tuple[str, ...]:
        """Whose primary group this is."""
        row = self.group.find(group)
        return tuple(user[0] for user in self.passwd.rows if row and len(user) > 3 and user[3] == row[2])

    def members(self, group: str) -> Tuple[str, ...]:
        """Who is listed as a member of this group, in its order."""
        row = self.group.find(group)
        return tuple(name for name in row[3].split(",") if name) if row and len(row) > 3 else ()


def read(system: System, *, looking: bool) -> Accounts:
    """Read them, each file once. Whoever is only `looking`, and may not read a shadow, goes without."""
    hidden = _hidden if looking else _table
    return Accounts(
        passwd=_table(system, "passwd") or Table(),
        group=_table(system, "group") or Table(),
        shadow=hidden(system, "shadow"),
        gshadow=hidden(system, "gshadow"),
        subuid=_table(system, "subuid"),
        subgid=_table(system, "subgid"),
        rules=Rules({**_settings(system, "/etc/login.defs", None), **_settings(system, "/etc/default/useradd", "=")}),
    )


def _table(system: System, name: str) -> Optional[Table]:
    return Table.read(system.read(PATHS[name])) if system.stat(PATHS[name]) is not None else None


def _hidden(system: System, name: str) -> Optional[Table]:
    try:
        return _table(system, name)
    except TargetFailed:
        return None


def _settings(system: System, path: str, separator: Optional[str]) -> Dict[str, str]:
    if system.stat(path) is None:
        return {}
    found: Dict[str, str] = {}
    for line in system.read(path).decode("utf-8", "replace").splitlines():
        words = line.strip().split(separator, 1)
        if words and words[0] and not words[0].startswith("#"):
            found[words[0]] = words[-1].strip().strip('"') if len(words) > 1 else ""
    return found


def write(before: Accounts, after: Accounts, system: System) -> None:
    """Replace the files that differ; modes and owners stay. A host that lives has programs of its own that lock what they write."""
    for name in _WRITTEN:
        old: Optional[Table] = getattr(before, name)
        new: Optional[Table] = getattr(after, name)
        if new is not None and new != old:
            system.write(PATHS[name], new.text(), attributes=Attributes())


def free_number(taken: AbstractSet[int], span: Tuple[int, int], *, system: bool) -> Optional[int]:
    """The number that a new account gets: above the highest one in use, for a system's below the lowest; else the first free one."""
    low, high = span
    used = sorted(number for number in taken if low <= number <= high)
    if not used:
        return (high if system else low) if low <= high else None
    following = used[0] - 1 if system else used[-1] + 1
    if low <= following <= high:
        return following
    rest: Callable[[], range] = (lambda: range(high, low - 1, -1)) if system else (lambda: range(low, high + 1))
    return next((number for number in rest() if number not in taken), None)


def free_range(table: Table, span: Tuple[int, int], count: int) -> Optional[int]:
    """Where the first gap of this size begins among the subordinate ids that are given away."""
    low, high = span
    given = sorted((int(row[1]), int(row[2])) for row in table.rows if len(row) == 3 and row[1].isdigit() and row[2].isdigit())
    for start, size in given:
        if start + size <= low:
            continue
        if start - low >= count:
            break
        low = start + size
    return low if low + count - 1 <= high else None


def joined(accounts: Accounts, user: str, wished: AbstractSet[str]) -> Accounts:
    """With this user a member of just these groups, as `usermod -G` writes them."""
    found = accounts
    for row in accounts.group.rows:
        if len(row) > 3:
            listed = [name for name in row[3].split(",") if name]
            if (user in listed) != (row[0] in wished):
                found = with_members(found, row[0], [*listed, user] if row[0] in wished else [name for name in listed if name != user])
    return found


def with_members(accounts: Accounts, group: str, members: List[str]) -> Accounts:
    """With just these members in the group, and in its shadow."""
    row = accounts.group.find(group)
    if row is None:
        return accounts
    found = replace(accounts, group=accounts.group.put((*row[:3], ",".join(members))))
    hidden = accounts.gshadow.find(group) if accounts.gshadow is not None else None
    if hidden is not None and accounts.gshadow is not None:
        found = replace(found, gshadow=accounts.gshadow.put((*hidden[:3], ",".join(members))))
    return found


def with_group(accounts: Accounts, name: str, number: int) -> Accounts:
    """With this new group, which nobody is in."""
    found = replace(accounts, group=accounts.group.put((name, "x" if accounts.gshadow is not None else "!", str(number), "")))
    return replace(found, gshadow=accounts.gshadow.put((name, "!", "", ""))) if accounts.gshadow is not None else found


def placed_group(accounts: Accounts, line: str, behind: str) -> Accounts:
    """With a group's line as it was, behind the line of another."""
    return replace(accounts, group=accounts.group.behind(tuple(line.split(":")), behind))


def without_group(accounts: Accounts, name: str) -> Accounts:
    """Without this group."""
    gshadow = accounts.gshadow.drop(name) if accounts.gshadow is not None else None
    return replace(accounts, group=accounts.group.drop(name), gshadow=gshadow)


def joined_by(accounts: Accounts, group: str) -> Tuple[str, ...]:
    """Everybody in this group: whose primary group it is, then its members."""
    return (*accounts.first_in(group), *accounts.members(group))
