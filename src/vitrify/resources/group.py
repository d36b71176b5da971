"""The kind `group`: a group, its number and its members."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import passwd
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.passwd import Accounts
from vitrify.core.registrar import registrar
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def _group_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _NAME.fullmatch(str(values["name"])):
        allowed = "at most 32 letters, digits, and _ . - inside; no digit first"
        found.append(Problem(("name",), f"{values['name']!r} is not the name of a group", allowed))
    gid = values.get("gid")
    if isinstance(gid, int) and not 0 <= gid < 2**32 - 1:
        found.append(Problem(("gid",), f"{gid} is not a gid", "a number from 0 to 4294967294"))
    return found


class Group(Kind):
    """A local group.

    Only what is declared is compared. `members` are exactly those who are listed in the group; where a user is to be in it beside
    others, say so at the user (`groups`, `append`). On a host `groupadd`, `groupmod` and `groupdel` do this; in a folder and in an
    image the same lines are written.
    """

    name = "group"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "its name", required=True),
            "gid": Field(Type.INTEGER, "its number; given by rule where there is none"),
            "system": Field(Type.BOOLEAN, "whether a new group gets a number of those for systems"),
            "members": Field(Type.TEXTS, "exactly the users that are listed in it"),
        },
        rules=(_group_rules,),
    )
    short = "name"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Its name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """Number and members, where declared."""
        if resource.absent:
            return MISSING
        found: Dict[str, JSON] = {"type": "group"}
        if "gid" in resource.fields:
            found["gid"] = resource.fields["gid"]
        if "members" in resource.fields:
            found["members"] = list(_members(resource.fields))
        return found

    def observe(self, resource: Resource, system: System) -> Observation:
        """The group as the files have it."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """All of them out of one look at the files."""
        accounts = passwd.read(system, looking=True)
        return tuple(_observation(resource, accounts) for resource in resources)

    def enact(self, change: Change, system: System) -> None:
        """Add, change or remove the group."""
        name, after = str(change.resource.fields["name"]), change.after
        accounts = passwd.read(system, looking=True)
        row = accounts.group.find(name)
        if change.action is Action.REMOVE:
            if row is not None:
                registrar(system).remove_group(name)
            return
        gid, members = after.get("gid"), after.get("members")
        if row is None:
            number = gid if isinstance(gid, int) else None
            registrar(system).add_group(name, gid=number, system=change.resource.fields.get("system") is True)
        elif isinstance(gid, int) and row[2] != str(gid):
            registrar(system).number_group(name, gid)
        if isinstance(members, list) and sorted(accounts.members(name)) != members:
            registrar(system).set_members(name, [str(user) for user in members])
        if isinstance(after.get("line"), str):
            registrar(system).place_group(str(after["line"]), str(after.get("behind", "")))

    def inverse(self, change: Change) -> Optional[Change]:
        """Back to what was seen before."""
        resource, before = change.resource, change.before
        if change.action is Action.CREATE:
            return Change(resource.gone(), Action.REMOVE, before=change.after, after=MISSING)
        if change.action is Action.REMOVE:
            return Change(resource, Action.CREATE, before=MISSING, after=before)
        return Change(resource, Action.UPDATE, before=change.after, after={name: before[name] for name in change.after if name in before})

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file that everybody may read; others have lines in it as well."""
        return (passwd.PATHS["group"],)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After its members, but for those that wait for the group themselves; an absent one after the users that go, or go to another."""
        name = str(resource.fields["name"])
        if resource.absent:
            return tuple(address for address, other in others.items() if address.kind == "user" and _leaves(other, name))
        users = (Address("user", user) for user in _members(resource.fields))
        return tuple(user for user in users if user in others and not others[user].absent and not _waits(others[user], name))

    def opposed(self, resource: Resource, others: Mapping[Address, Resource]) -> Mapping[Address, str]:
        """The users that are to be in it, where it is to be absent."""
        name = str(resource.fields["name"])
        users = {address: other for address, other in others.items() if address.kind == "user"} if resource.absent else {}
        first = {address: "it is its primary group" for address, user in users.items() if user.fields.get("group") == name}
        listed = {address: "it is to be a member" for address, user in users.items() if name in _texts(user.fields.get("groups"))}
        return {address: why for address, why in {**listed, **first}.items() if not others[address].absent}

    def hopeless(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Whose primary group it is, of those that neither go before nor go to another."""
        if change.action is not Action.REMOVE:
            return ""
        stay = [name for name in _texts(change.before.get("first")) if not _moves(earlier.get(Address("user", name)))]
        return f"it is the primary group of {', '.join(stay)}" if stay else ""

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Members that the plan makes."""
        made = [Address("user", user) for user in _lacks(change)]
        made = [address for address in made if address in earlier]
        return f"{', '.join(map(str, made))} {'is' if len(made) == 1 else 'are'} made before" if made else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words: the numbers, the members, and what stands in the way."""
        before, after = change.before, change.after
        words = {f"{name} differs": f"{name} {_said(before.get(name))} -> {_said(after.get(name))}" for name in ("gid", "members")}
        told = [words.get(reason, reason) for reason in change.because]
        if change.action is not Action.REMOVE:
            told += [f"there is no user {user}: this will fail unless there is one by then" for user in _lacks(change)]
        first = before.get("first")
        if change.action is Action.REMOVE and isinstance(first, list) and first:
            told.append(f"it is the primary group of {_said(first)}: this will fail unless they go before")
        return tuple(told)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """Its number and members."""
        return "" if resource.absent else _told({**seen.properties, **self.desired(resource)})


def _leaves(user: Resource, group: str) -> bool:
    """Whether a user that may be in this group goes, or goes to another."""
    return user.absent or user.fields.get("group", group) != group


def _moves(change: Optional[Change]) -> bool:
    return change is not None and (change.action is Action.REMOVE or "group" in change.after)


def _texts(value: JSON) -> Tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _waits(user: Resource, group: str) -> bool:
    groups = user.fields.get("groups")
    return user.fields.get("group") == group or user.fields["name"] == group or (isinstance(groups, list) and group in groups)


def _members(fields: Mapping[str, JSON]) -> Tuple[str, ...]:
    members = fields.get("members")
    return tuple(sorted({str(user) for user in members})) if isinstance(members, list) else ()


def _lacks(change: Change) -> Tuple[str, ...]:
    lacks = change.before.get("lacks")
    return tuple(str(user) for user in lacks) if isinstance(lacks, list) else ()


def _observation(resource: Resource, accounts: Accounts) -> Observation:
    name = str(resource.fields["name"])
    lacks: List[JSON] = [user for user in _members(resource.fields) if accounts.passwd.find(user) is None]
    found: Dict[str, JSON] = {"lacks": lacks} if lacks and not resource.absent else {}
    row = accounts.group.find(name)
    if row is None or len(row) < 4:
        return Observation(resource.address, {**MISSING, **found})
    members: List[JSON] = [*sorted(accounts.members(name))]
    found.update({"type": "group", "gid": int(row[2]) if row[2].isdigit() else row[2], "members": members})
    if resource.absent:
        found["first"] = list(accounts.first_in(name))
        if row[1] in ("x", "!", "*"):  # anything else may be a password
            found.update({"line": ":".join(row), "behind": accounts.group.before(name)})
    return Observation(resource.address, found, _told(found))


def _told(properties: Properties) -> str:
    return "".join(f"{name}: {_said(properties[name])}\n" for name in ("gid", "members") if name in properties)


def _said(value: JSON) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
