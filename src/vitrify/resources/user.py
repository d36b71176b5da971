"""The kind `user`: an account, its groups, its password and its home."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import enrol, home, kept, passwd, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, KEYED, PLAIN
from vitrify.core.enrol import Person
from vitrify.core.passwd import Accounts, Row
from vitrify.core.registrar import registrar
from vitrify.core.resource import MISSING, Address, Kind, Observation, OnLeave, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System, digest_like

NO_PASSWORD, EMPTY = "none", "empty"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_HASH = re.compile(r"\$[A-Za-z0-9-]+\$[A-Za-z0-9./$=,+_-]+")
_ALTERED = ("uid", "group", "comment", "home", "shell", "expires")
_SHOWN = ("uid", "group", "groups", "comment", "home", "shell", "locked", "expires")


def _user_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = [] if _NAME.fullmatch(str(values["name"])) else [Problem(("name",), f"{values['name']!r} is not the name of a user", _ALLOWED)]
    uid = values.get("uid")
    if isinstance(uid, int) and not 0 <= uid < 2**32 - 1:
        found.append(Problem(("uid",), f"{uid} is not a uid", "a number from 0 to 4294967294"))
    torn = [name for name in ("comment", "shell", "home") if any(sign in str(values.get(name, "")) for sign in ":\n\r")]
    found += [Problem((name,), f"`{name}` cannot hold a colon or a line break") for name in torn]
    if "expires" in values and not enrol.is_date(str(values["expires"])):
        found.append(Problem(("expires",), f"{values['expires']!r} is not a date", "write 2027-12-31, or never"))
    if "append" in values and "groups" not in values:
        found.append(Problem(("append",), "`append` has no meaning without `groups`"))
    return found + _password_rules(values.get("password"))


_ALLOWED = "at most 32 letters, digits, and _ . - inside; no digit first"


def _password_rules(password: JSON) -> List[Problem]:
    told = str(password)
    if password is None or _HASH.fullmatch(told) or told.startswith((PLAIN, KEYED, "secret:")):
        return []
    return [Problem(("password",), "a password is given as its hash, never in clear", "make one with `mkpasswd` or `openssl passwd -6`")]


class User(Kind):
    """A local account.

    Only what is declared is compared; a new user gets the rest as `useradd` would give it: a number by the ranges in
    `/etc/login.defs`, a group of its own where `group` names none, a home where it is not a `system` user. `groups` are all that it
    is a member of besides, unless `append` says that there may be others. Absent, the account goes and its home stays; with
    `on_leave: purge` the home goes as well. On a host `useradd`, `usermod` and `userdel` do this; in a folder and in an image the
    same lines are written, and a password's date is left empty.
    """

    name = "user"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "its name", required=True),
            "uid": Field(Type.INTEGER, "its number; given by rule where there is none"),
            "group": Field(Type.NAME, "its primary group; one of its own name where not given"),
            "groups": Field(Type.TEXTS, "the groups it is a member of besides"),
            "append": Field(Type.BOOLEAN, "whether it may be a member of other groups than `groups`"),
            "shell": Field(Type.PATH, "its shell"),
            "home": Field(Type.PATH, "its home; what is in a former one stays there"),
            "create_home": Field(
                Type.BOOLEAN, "whether a missing home is made; where not given, that of a new user who is no `system` one"
            ),
            "comment": Field(Type.TEXT, "who it is"),
            "system": Field(Type.BOOLEAN, "whether a new user gets a number of those for systems, and no home"),
            "password": Field(Type.TEXT, "the hash of its password, as in /etc/shadow; never the password", secret=True),
            "locked": Field(Type.BOOLEAN, "whether its password is refused"),
            "expires": Field(Type.TEXT, "the day on which it expires, as in 2027-12-31, or never"),
        },
        rules=(_user_rules,),
    )
    short = "name"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Its name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """What was declared, but for what only counts for a new user."""
        if resource.absent:
            return MISSING
        fields = resource.fields
        found: Dict[str, JSON] = {"type": "user"}
        for name in ("uid", "group", "shell", "home", "comment", "password", "locked", "expires"):
            if name in fields:
                found[name] = fields[name]
        if "groups" in fields:
            found["groups"] = list(_groups(fields))
        if fields.get("create_home") is True:
            found["home_folder"] = "there"
        return found

    def observe(self, resource: Resource, system: System) -> Observation:
        """The account as the files have it."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """All of them out of one look at the files."""
        accounts = passwd.read(system, looking=True)
        return tuple(_observation(resource, accounts, system) for resource in resources)

    def enact(self, change: Change, system: System) -> None:
        """Add, change or remove the account."""
        name = str(change.resource.fields["name"])
        accounts = passwd.read(system, looking=False)
        if change.action is Action.REMOVE:
            if accounts.passwd.find(name) is not None:
                _remove(change, accounts, system)
            return
        if accounts.passwd.find(name) is None:
            person = _person(change, accounts)
            registrar(system).add_user(person, home=_makes_home(change))
            accounts = passwd.read(system, looking=False)
        _alter(change, name, accounts, system)
        _set_password(change, name, system)
        ages = change.after.get("ages")
        if isinstance(ages, str) and ages != enrol.ages_of(passwd.read(system, looking=True), name):
            registrar(system).set_ages(name, ages.split(":"))
        _provide_home(change, name, system)

    def inverse(self, change: Change) -> Optional[Change]:
        """Back to what was seen before; a home that was made goes only while nobody used it."""
        resource, before = change.resource, change.before
        if change.action is Action.CREATE:
            was: Dict[str, JSON] = {
                **change.after,
                "undo": True,
                **{name: before.get(name, "there") for name in ("home_folder", "own_group")},
            }
            return Change(resource.gone(), Action.REMOVE, before=was, after=MISSING)
        if change.action is Action.REMOVE:
            return Change(resource, Action.CREATE, before=MISSING, after=before)
        names = {*change.after, *({"locked"} if "password" in change.after else ())}
        return Change(resource, Action.UPDATE, before=change.after, after={name: before[name] for name in names if name in before})

    def undoable(self, change: Change) -> bool:
        """All but a home that was purged."""
        return not (change.action is Action.REMOVE and change.resource.on_leave is OnLeave.PURGE)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The files that everybody may read; others have lines in them as well."""
        return (passwd.PATHS["passwd"], passwd.PATHS["group"])

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the groups that it is to be in, and after the folders above its home."""
        fields = resource.fields
        groups = (Address("group", name) for name in (str(fields.get("group", "")), *_groups(fields), str(fields["name"])))
        above = place.after_folders(resource, str(fields["home"]), others) if "home" in fields else ()
        folders = (folder for folder in above if resource.address not in place.owners(others[folder]))
        return (*folders, *(found for found in groups if found in others and not (others[found].absent or resource.absent)))

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Groups that the plan makes."""
        lacks = change.before.get("lacks")
        made = [Address("group", str(name)) for name in (lacks if isinstance(lacks, list) else [])]
        made = [address for address in made if address in earlier]
        return f"{', '.join(map(str, made))} {'is' if len(made) == 1 else 'are'} made before" if made else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words: numbers and groups too, and what stands in the way."""
        before, after = change.before, change.after
        words = {f"{name} differs": f"{name} {_said(before.get(name))} -> {_said(after.get(name))}" for name in ("uid", "groups", "locked")}
        words["home_folder missing -> there"] = "its home is missing"
        told = [words.get(reason, reason) for reason in change.because]
        lacks = before.get("lacks")
        if isinstance(lacks, list) and change.action is not Action.REMOVE:
            told += [f"there is no group {name}: this will fail unless there is one by then" for name in lacks]
        if change.action is Action.REMOVE and before.get("type") == "user" and before.get("home_folder") == "there":
            purged = change.resource.on_leave is OnLeave.PURGE
            told.append(f"its home {before.get('home')} {'goes with all that is in it' if purged else 'stays'}")
        return tuple(told)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """What everybody may know of it."""
        return "" if resource.absent else _told({**seen.properties, **self.desired(resource)})


def _observation(resource: Resource, accounts: Accounts, system: System) -> Observation:
    fields = resource.fields
    name = str(fields["name"])
    row = accounts.passwd.find(name)
    wished = {*_groups(fields), *([str(fields["group"])] if "group" in fields and fields["group"] != name else [])}
    lacks: List[JSON] = [group for group in sorted(wished) if accounts.group.find(accounts.group.named(group)) is None]
    found: Dict[str, JSON] = {"lacks": lacks} if lacks and not resource.absent else {}
    if row is None or len(row) < 7:
        at = str(fields.get("home", accounts.rules.home(name)))
        own = "there" if accounts.group.find(name) is not None else "missing"
        folder = "there" if home.there(at, system) else "missing"
        return Observation(resource.address, {**MISSING, **found, **({} if resource.absent else {"home_folder": folder, "own_group": own})})
    found.update(_seen(resource, row, accounts, system))
    return Observation(resource.address, found, _told(found))


def _seen(resource: Resource, row: Row, accounts: Accounts, system: System) -> Dict[str, JSON]:
    fields, group = resource.fields, accounts.group.named(row[3])
    joined = accounts.groups_of(row[0])
    if fields.get("append") is True and not resource.absent:
        joined = tuple(name for name in joined if name in _groups(fields))
    found: Dict[str, JSON] = {
        "type": "user",
        "uid": int(row[2]) if row[2].isdigit() else row[2],
        "group": row[3] if str(fields.get("group", "")).isdigit() else group,
        "gid": int(row[3]) if row[3].isdigit() else row[3],
        "groups": list(joined),
        "comment": row[4],
        "home": row[5],
        "shell": row[6],
        "home_folder": "there" if home.there(row[5], system) else "missing",
    }
    hidden = accounts.shadow.find(row[0]) if accounts.shadow is not None else None
    if hidden is not None and len(hidden) > 7:
        password, locked = enrol.unlocked(hidden[1])
        found.update({"locked": locked, "expires": enrol.date_of(hidden[7])})
        found["ages"] = enrol.ages_of(accounts, row[0])
        found["password"] = _digest(hidden[1], password, str(fields.get("password", "")), system)
    return found


def _digest(field: str, password: str, wished: str, system: System) -> str:
    if not _is_hash(password):
        return NO_PASSWORD if field else EMPTY
    return digest_like(wished, password.encode(), system)


def _is_hash(password: str) -> bool:
    return password not in ("", "*", "x")


def _groups(fields: Mapping[str, JSON]) -> Tuple[str, ...]:
    groups = fields.get("groups")
    return tuple(sorted({str(name) for name in groups})) if isinstance(groups, list) else ()


def _row(accounts: Accounts, name: str) -> Row:
    row = accounts.passwd.find(name)
    if row is None:
        raise TargetFailed(f"the user {name} is not in /etc/passwd", why="it was added, and is not there")
    return row


def _provide_home(change: Change, name: str, system: System) -> None:
    wished = change.after.get("home_folder")
    accounts = passwd.read(system, looking=True)
    row = _row(accounts, name)
    if wished == "there" and not home.there(row[5], system):
        home.make(row[5], uid=row[2], gid=row[3], mode=accounts.rules.home_mode, system=system)
    elif wished == "missing" and home.unused(row[5], system):
        home.remove(row[5], system)


def _person(change: Change, accounts: Accounts) -> Person:
    after, fields, name = change.after, change.resource.fields, str(change.resource.fields["name"])
    group, uid, gid = str(after.get("group", "")), after.get("uid"), after.get("gid")
    if group == name and accounts.group.find(name) is None:
        group = ""
    return Person(
        name=name,
        system=fields.get("system") is True,
        uid=uid if isinstance(uid, int) else None,
        group=group,
        gid=gid if isinstance(gid, int) else None,
        home=str(after.get("home", accounts.rules.home(name))),
        login_shell=str(after.get("shell", accounts.rules.shell)),
        comment=str(after.get("comment", "")),
    )


def _makes_home(change: Change) -> bool:
    fields = change.resource.fields
    if change.resource.absent:
        return False
    return fields.get("create_home", fields.get("system") is not True) is True


def _alter(change: Change, name: str, accounts: Accounts, system: System) -> None:
    seen = _seen(change.resource, _row(accounts, name), accounts, system)
    differing = {field: change.after[field] for field in _ALTERED if field in change.after and change.after[field] != seen.get(field)}
    groups = _joining(change, name, accounts)
    if differing or groups is not None:
        registrar(system).alter_user(name, differing, groups)


def _joining(change: Change, name: str, accounts: Accounts) -> Optional[Sequence[str]]:
    """All the groups that it shall be a member of; None where they are as they are."""
    wished = change.after.get("groups")
    if not isinstance(wished, list):
        return None
    now = accounts.groups_of(name)
    target = {str(group) for group in wished}
    if change.resource.fields.get("append") is True and not change.resource.absent:
        before = change.before.get("groups")
        target |= set(now) - {str(group) for group in (before if isinstance(before, list) else ())}
    return None if target == set(now) else sorted(target)


def _set_password(change: Change, name: str, system: System) -> None:
    wished, locked = change.after.get("password"), change.after.get("locked")
    if wished is None and locked is None:
        return
    accounts = passwd.read(system, looking=False)
    row = accounts.shadow.find(name) if accounts.shadow is not None else None
    old = row[1] if row is not None else "!"
    password, was_locked = enrol.unlocked(old)
    new = password if wished is None else _hash(str(wished), locked=locked is True, system=system)
    shut = locked is True or (locked is None and was_locked and _is_hash(password))
    field = ("!" if shut else "") + new
    if field == old:
        return
    if field == "" and wished is None:
        raise TargetFailed(f"{name} cannot be unlocked", why="it has no password, so anybody could log in", hint="declare its `password`")
    if _is_hash(password):
        kept.keep(_digest(old, password, str(wished), system), password.encode(), system)
    toggled = f"!{old}" == field or f"!{field}" == old
    registrar(system).set_password(name, field, changed=not toggled or password != new)


def _hash(wished: str, *, locked: bool, system: System) -> str:
    """The text for the shadow that a wished password stands for."""
    if wished in (NO_PASSWORD, EMPTY):
        return "" if wished == EMPTY or locked else "*"
    content = kept.kept(wished, system)
    found = (content if content is not None else system.blob(wished)).decode("utf-8", "replace")
    if content is None and not _HASH.fullmatch(found):
        raise TargetFailed(
            "the password is not a hash", why="it is to be written as it stands in /etc/shadow", hint="make one with `mkpasswd`"
        )
    return found


def _remove(change: Change, accounts: Accounts, system: System) -> None:
    fields, before = change.resource.fields, change.before
    row = _row(accounts, str(fields["name"]))
    made = before.get("undo") is True and before.get("home_folder") == "missing"
    stat = system.stat(row[5])
    its_own = stat is not None and stat.type == "directory" and stat.owner in (row[0], row[2]) and row[5].count("/") > 1
    goes = its_own and (change.resource.on_leave is OnLeave.PURGE or (made and home.unused(row[5], system)))
    hidden = accounts.shadow.find(row[0]) if accounts.shadow is not None else None
    password = enrol.unlocked(hidden[1])[0] if hidden is not None else ""
    if _is_hash(password):
        kept.keep(_digest(password, password, str(fields.get("password", "")), system), password.encode(), system)
    registrar(system).remove_user(row[0], with_group="group" not in fields and before.get("own_group") != "there")
    if goes:
        home.remove(row[5], system)
    if change.resource.on_leave is OnLeave.PURGE:
        system.remove(f"/var/mail/{row[0]}")


def _told(properties: Properties) -> str:
    return "".join(f"{name}: {_said(properties[name])}\n" for name in _SHOWN if name in properties)


def _said(value: JSON) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)
