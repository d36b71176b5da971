"""Whoever keeps a target's accounts: a live host's own programs, which lock what they write; elsewhere the files alone."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Mapping, Optional, Protocol, Sequence

from vitrify.core import enrol, home, passwd
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.enrol import Person
from vitrify.core.passwd import Accounts
from vitrify.core.system import Command, System, Target

FLAGS: Mapping[str, str] = {
    "uid": "--uid",
    "group": "--gid",
    "comment": "--comment",
    "home": "--home",
    "shell": "--shell",
    "expires": "--expiredate",
}
"""What `usermod` calls these."""


class Registrar(Protocol):
    """Changes accounts; both ways leave the same lines, but for the date of a password."""

    def add_user(self, person: Person, *, home: bool) -> None:
        """Add a user, with its own group where it names none, and with its home if that is wished for."""

    def alter_user(self, name: str, wished: Mapping[str, JSON], groups: Optional[Sequence[str]]) -> None:
        """Change these properties, and its groups to just these."""

    def set_password(self, name: str, field: str, *, changed: bool) -> None:
        """Set the password's hash, with the mark that locks it if it has one."""

    def set_ages(self, name: str, ages: Sequence[str]) -> None:
        """Set how old its password may get: at least, at most, warned before, refused after; empty for no limit."""

    def remove_user(self, name: str, *, with_group: bool) -> None:
        """Remove a user; its own group goes too if nobody else is in it, unless it shall stay."""

    def add_group(self, name: str, *, gid: Optional[int], system: bool) -> None:
        """Add a group that nobody is in."""

    def number_group(self, name: str, gid: int) -> None:
        """Give a group another number; whose primary group it is keeps it."""

    def set_members(self, name: str, members: Sequence[str]) -> None:
        """Make just these the members."""

    def place_group(self, line: str, behind: str) -> None:
        """Have the line of a group that is there spelt so, and behind that of another."""

    def remove_group(self, name: str) -> None:
        """Remove a group that is nobody's primary one."""


def registrar(system: System) -> Registrar:
    """Who keeps the accounts of this target."""
    return Programs(system) if system.target is Target.HOST else Files(system)


class Programs:
    """The programs of the package `passwd` (or `shadow`), on a live host."""

    def __init__(self, system: System) -> None:
        self._system = system

    def _run(self, *argv: str, stdin: bytes = b"") -> None:
        ended = self._system.run(Command(argv, stdin=stdin))
        if ended.code != 0:
            raise TargetFailed(
                f"{argv[0]} ended with {ended.code} for {argv[-1]}" if not stdin else f"{argv[0]} ended with {ended.code}",
                why="; ".join((ended.stderr.strip() or ended.stdout.strip()).splitlines()[-3:]),
                hint="the account is as it was",
            )

    def add_user(self, person: Person, *, home: bool) -> None:
        """`useradd`."""
        group = ["--gid", person.group] if person.group else ["--user-group"]
        if not person.group and passwd.read(self._system, looking=True).group.find(person.name) is not None:
            group = ["--gid", person.name]
        elif not person.group and person.gid is not None:
            self.add_group(person.name, gid=person.gid, system=person.system)
            group = ["--gid", person.name]
        numbered = ["--uid", str(person.uid)] if person.uid is not None else []
        words = ["--home-dir", person.home, "--shell", person.login_shell, "--comment", person.comment, *numbered, *group]
        flags = [*(["--system"] if person.system else []), "--create-home" if home else "--no-create-home"]
        self._run("useradd", *words, *flags, "--", person.name)

    def alter_user(self, name: str, wished: Mapping[str, JSON], groups: Optional[Sequence[str]]) -> None:
        """`usermod`."""
        words: List[str] = []
        for field, value in wished.items():
            words += [FLAGS[field], "" if (field, value) == ("expires", enrol.NEVER) else str(value)]
        if groups is not None:
            words += ["--groups", ",".join(groups)]
        self._run("usermod", *words, "--", name)

    def set_password(self, name: str, field: str, *, changed: bool) -> None:
        """`chpasswd`, which is told on its standard input what no list of processes may show; a lock alone with `usermod`."""
        if changed:
            self._run("chpasswd", "--encrypted", stdin=f"{name}:{field}\n".encode())
        else:
            self._run("usermod", "--lock" if field.startswith("!") else "--unlock", "--", name)

    def set_ages(self, name: str, ages: Sequence[str]) -> None:
        """`chage`."""
        flags = ("--mindays", "--maxdays", "--warndays", "--inactive")
        words = [word for place, flag in enumerate(flags) for word in (flag, ages[place] or "-1")]
        self._run("chage", *words, "--", name)

    def remove_user(self, name: str, *, with_group: bool) -> None:
        """`userdel`, which decides itself about the group of the same name: one that shall stay is put back."""
        before = passwd.read(self._system, looking=True)
        self._run("userdel", "--", name)
        group = before.group.find(name)
        if with_group or group is None or passwd.read(self._system, looking=True).group.find(name) is not None:
            return
        self.add_group(name, gid=int(group[2]), system=False)
        members = [one for one in before.members(name) if one != name]
        if members:
            self.set_members(name, members)

    def add_group(self, name: str, *, gid: Optional[int], system: bool) -> None:
        """`groupadd`."""
        words = ["--gid", str(gid)] if gid is not None else []
        self._run("groupadd", *words, *(["--system"] if system else []), "--", name)

    def number_group(self, name: str, gid: int) -> None:
        """`groupmod`."""
        self._run("groupmod", "--gid", str(gid), "--", name)

    def set_members(self, name: str, members: Sequence[str]) -> None:
        """`gpasswd`."""
        self._run("gpasswd", "--members", ",".join(members), name)

    def place_group(self, line: str, behind: str) -> None:
        """No program knows of places, and it says nothing else than it did: where somebody else writes just now, it stays at the end."""
        before = passwd.read(self._system, looking=True)
        after = passwd.placed_group(before, line, behind)
        if passwd.read(self._system, looking=True).group == before.group:
            passwd.write(replace(before, gshadow=None), replace(after, gshadow=None), self._system)

    def remove_group(self, name: str) -> None:
        """`groupdel`."""
        self._run("groupdel", "--", name)


class Files:
    """The files of a folder or an image; the same lines as the programs would write."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._before = passwd.read(system, looking=False)

    def _write(self, after: Accounts) -> None:
        passwd.write(self._before, after, self._system)
        self._before = after

    def add_user(self, person: Person, *, home: bool) -> None:
        """The lines, and the home before them: whoever is cut short has no user yet."""
        after = enrol.add(self._before, person)
        if home:
            _make_home(after, person.name, self._system)
        self._write(after)

    def alter_user(self, name: str, wished: Mapping[str, JSON], groups: Optional[Sequence[str]]) -> None:
        """The lines, and the owner of what is in the home."""
        before = self._before
        after = enrol.alter(before, name, wished)
        if groups is not None:
            for group in groups:
                enrol.gid_of(after, group)
            after = passwd.joined(after, name, frozenset(groups))
        if not {"uid", "group"} & set(wished):
            self._write(after)
            return
        old, new = before.passwd.find(name) or (), after.passwd.find(name) or ()
        users = {} if old[2] == new[2] else {name: new[2], old[2]: new[2]}
        groups_ = {} if old[3] == new[3] else {before.group.named(old[3]): new[3], old[3]: new[3]}
        home.hand_on(new[5], users=users, groups=groups_, system=self._system)
        self._write(after)

    def set_password(self, name: str, field: str, *, changed: bool) -> None:
        """The shadow's line."""
        self._write(enrol.with_password(self._before, name, field, changed=changed))

    def set_ages(self, name: str, ages: Sequence[str]) -> None:
        """The shadow's line."""
        self._write(enrol.with_ages(self._before, name, tuple(ages)))

    def remove_user(self, name: str, *, with_group: bool) -> None:
        """All lines with it."""
        self._write(enrol.remove(self._before, name, with_group=with_group))

    def add_group(self, name: str, *, gid: Optional[int], system: bool) -> None:
        """Its lines."""
        before = self._before
        number = gid
        if number is None:
            number = enrol.needed(passwd.free_number(before.group.numbers, before.rules.span("GID", system=system), system=system), "gid")
        elif number in before.group.numbers:
            raise _taken(number, before)
        self._write(passwd.with_group(before, name, number))

    def number_group(self, name: str, gid: int) -> None:
        """Its line, and those of the users whose primary group it is."""
        before = self._before
        row = before.group.find(name) or ()
        if gid in before.group.numbers:
            raise _taken(gid, before)
        after = replace(before, group=before.group.put((*row[:2], str(gid), *row[3:])))
        for user in before.passwd.rows:
            if len(user) > 3 and user[3] == row[2]:
                after = replace(after, passwd=after.passwd.put((*user[:3], str(gid), *user[4:])))
        self._write(after)

    def set_members(self, name: str, members: Sequence[str]) -> None:
        """Its lines."""
        for user in members:
            if self._before.passwd.find(user) is None:
                raise TargetFailed(f"there is no user {user!r} on this target", hint=f"declare it before: `user: {user}`")
        self._write(passwd.with_members(self._before, name, list(members)))

    def place_group(self, line: str, behind: str) -> None:
        """Its line."""
        self._write(passwd.placed_group(self._before, line, behind))

    def remove_group(self, name: str) -> None:
        """Its lines."""
        first = self._before.first_in(name)
        if first:
            raise TargetFailed(
                f"the group {name} cannot be removed", why=f"it is the primary group of {first[0]}", hint="remove that first"
            )
        self._write(passwd.without_group(self._before, name))


def _make_home(accounts: Accounts, name: str, system: System) -> None:
    row = accounts.passwd.find(name) or ()
    home.make(row[5], uid=row[2], gid=row[3], mode=accounts.rules.home_mode, system=system)


def _taken(gid: int, accounts: Accounts) -> TargetFailed:
    return TargetFailed(f"the gid {gid} is taken", why=f"{accounts.group.named(str(gid))} has it", hint="choose another, or leave it out")
