"""What `useradd`, `usermod` and `userdel` do to the account files, done to the files of a target that does not live."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import AbstractSet, Mapping, Optional, Tuple

from vitrify.core import passwd
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.passwd import Accounts, Row, Table

NEVER = "never"
_EPOCH = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Person:
    """What is known of a new account; the rest is looked up or given by rule."""

    name: str
    system: bool
    uid: Optional[int]
    group: str
    """The primary group; empty: one of the user's own name, made with the user."""
    gid: Optional[int]
    """The number of that group where it has to be made."""
    home: str
    login_shell: str
    comment: str


def date_of(days: str) -> str:
    """The date that a shadow's number of days means; `never` for none."""
    return dt.date.fromordinal(_EPOCH + int(days)).isoformat() if days.isdigit() else NEVER


def days_of(date: str) -> str:
    """The number of days that a shadow has for this date; empty for `never`."""
    return "" if date == NEVER else str(dt.date(*(int(part) for part in date.split("-"))).toordinal() - _EPOCH)


def is_date(text: str) -> bool:
    """Whether this is a date as in 2027-12-31, or `never`."""
    try:
        return days_of(text) == "" or (len(text) == 10 and days_of(text).isdigit())
    except (ValueError, TypeError):
        return False


def unlocked(field: str) -> Tuple[str, bool]:
    """The password's hash without the marks that lock it, and whether there was one."""
    return field.lstrip("!"), field.startswith("!")


def gid_of(accounts: Accounts, group: str) -> int:
    """The number of a group by name or number; TargetFailed where there is none."""
    row = accounts.group.find(group)
    if row is not None and len(row) > 2:
        return int(row[2])
    if group.isdigit() and int(group) in accounts.group.numbers:
        return int(group)
    raise TargetFailed(f"there is no group {group!r} on this target", hint=f"declare it before: `group: {group}`")


def own_gid(accounts: Accounts, uid: int, *, system: bool) -> int:
    """The number for a user's own group: the user's, where that is free and within the range of groups."""
    low, high = accounts.rules.span("GID", system=system)
    taken = accounts.group.numbers
    if uid not in taken and (1 if system else low) <= uid <= high:
        return uid
    return needed(passwd.free_number(taken, (low, high), system=system), "gid")


def add(accounts: Accounts, person: Person) -> Accounts:
    """With this new user. The date of its password is left empty: who bakes on another day bakes the same."""
    rules, found = accounts.rules, accounts
    uid = person.uid
    if uid is None:
        span = rules.span("UID", system=person.system)
        uid = needed(passwd.free_number(accounts.passwd.numbers, span, system=person.system), "uid")
    elif uid in accounts.passwd.numbers:
        other = accounts.passwd.named(str(uid))
        raise TargetFailed(f"the uid {uid} is taken", why=f"{other} has it", hint="choose another, or leave it out")
    group = person.group or person.name
    if not person.group and accounts.group.find(group) is None:
        gid = person.gid if person.gid is not None else own_gid(accounts, uid, system=person.system)
        found = passwd.with_group(found, group, gid)
    gid = gid_of(found, group)
    mark = "x" if accounts.shadow is not None else "!"
    row = (person.name, mark, str(uid), str(gid), person.comment, person.home, person.login_shell)
    found = replace(found, passwd=found.passwd.put(row))
    if found.shadow is not None:
        found = replace(found, shadow=found.shadow.put((person.name, "!", "", *_ages(accounts, system=person.system), "", "", "")))
    return found if person.system or not _is_person(found, uid) else _with_subordinates(found, person.name)


def needed(number: Optional[int], what: str) -> int:
    """This number; TargetFailed where the range is used up."""
    if number is None:
        raise TargetFailed(f"no {what} is free", why="every number of the range in /etc/login.defs is taken", hint=f"declare a `{what}`")
    return number


def _ages(accounts: Accounts, *, system: bool) -> Row:
    if system:
        return ("", "", "")
    names = (("PASS_MIN_DAYS", -1), ("PASS_MAX_DAYS", -1), ("PASS_WARN_AGE", -1))
    ages = (accounts.rules.number(name, default) for name, default in names)
    return tuple("" if age < 0 else str(age) for age in ages)


def _is_person(accounts: Accounts, uid: int) -> bool:
    low, high = accounts.rules.span("UID", system=False)
    return low <= uid <= high


def _with_subordinates(accounts: Accounts, name: str) -> Accounts:
    return replace(
        accounts,
        subuid=_with_range(accounts, accounts.subuid, "UID", name),
        subgid=_with_range(accounts, accounts.subgid, "GID", name),
    )


def _with_range(accounts: Accounts, table: Optional[Table], what: str, name: str) -> Optional[Table]:
    if table is None or table.find(name) is not None:
        return table
    count = accounts.rules.number(f"SUB_{what}_COUNT", 65536)
    span = accounts.rules.number(f"SUB_{what}_MIN", 100000), accounts.rules.number(f"SUB_{what}_MAX", 600100000)
    start = passwd.free_range(table, span, count) if count > 0 else None
    return table if start is None else table.put((name, str(start), str(count)))


_FIELDS: Mapping[str, int] = {"uid": 2, "group": 3, "comment": 4, "home": 5, "shell": 6}


def alter(accounts: Accounts, name: str, wished: Mapping[str, JSON]) -> Accounts:
    """With these properties of the user changed: uid, group, comment, home, shell, expires."""
    row = list(accounts.passwd.find(name) or ())
    for field, place in _FIELDS.items():
        if field in wished:
            row[place] = str(gid_of(accounts, str(wished[field]))) if field == "group" else str(wished[field])
    found = replace(accounts, passwd=accounts.passwd.put(tuple(row)))
    if "expires" not in wished:
        return found
    hidden = list(_hidden(found, name))
    hidden[7] = days_of(str(wished["expires"]))
    return replace(found, shadow=found.shadow.put(tuple(hidden)) if found.shadow is not None else None)


def with_password(accounts: Accounts, name: str, field: str, *, changed: bool) -> Accounts:
    """With this text as the password of the shadow; one that changed has no date."""
    hidden = list(_hidden(accounts, name))
    hidden[1:3] = [field, "" if changed else hidden[2]]
    return replace(accounts, shadow=accounts.shadow.put(tuple(hidden)) if accounts.shadow is not None else None)


def shut(table: Table, but: AbstractSet[str]) -> Table:
    """A shadow in which nobody but these has a password left."""
    rows = (row if row[0] in but or len(row) < 3 or unlocked(row[1])[0] in ("", "*") else (row[0], "*", *row[2:]) for row in table.rows)
    return Table(tuple(rows))


def ages_of(accounts: Accounts, name: str) -> str:
    """The four limits of its password's age, with colons between."""
    hidden = accounts.shadow.find(name) if accounts.shadow is not None else None
    return ":".join(hidden[3:7]) if hidden is not None else ""


def with_ages(accounts: Accounts, name: str, ages: Row) -> Accounts:
    """With these four limits of its password's age in the shadow."""
    hidden = _hidden(accounts, name)
    return replace(accounts, shadow=accounts.shadow.put((*hidden[:3], *ages, *hidden[7:])) if accounts.shadow is not None else None)


def _hidden(accounts: Accounts, name: str) -> Row:
    row = accounts.shadow.find(name) if accounts.shadow is not None else None
    if row is None or len(row) < 9:
        raise TargetFailed(
            f"the password and the expiry of {name} have no place",
            why="there is no entry for it in /etc/shadow",
            hint="run `pwconv` in the target",
        )
    return row


def remove(accounts: Accounts, name: str, *, with_group: bool) -> Accounts:
    """Without this user, its memberships and its subordinate ids; with its own group gone if nobody else is in it."""
    row = accounts.passwd.find(name)
    found = passwd.joined(accounts, name, frozenset())
    tables = {what: getattr(found, what) for what in ("passwd", "shadow", "subuid", "subgid")}
    found = replace(found, **{what: table.drop(name) for what, table in tables.items() if table is not None})
    own = found.group.find(name)
    if not with_group or row is None or own is None or own[2] != row[3] or passwd.joined_by(found, name):
        return found
    return passwd.without_group(found, name)
