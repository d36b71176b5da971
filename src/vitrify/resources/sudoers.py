"""The kind `sudoers`: who may run what as somebody else, as one file in `/etc/sudoers.d`."""

from __future__ import annotations

import re
from typing import List, Mapping, Tuple

from vitrify.core import dropin, place
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

FOLDER = "/etc/sudoers.d"
CHECKER = "/usr/sbin/visudo"
_RUN_AS = re.compile(r"[A-Za-z0-9_.@%#-]+(, ?[A-Za-z0-9_.@%#-]+)*(:[A-Za-z0-9_.@%#-]+)?")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if "." in str(values["name"]):
        found.append(Problem(("name",), "sudo passes over files whose name holds a dot", "write it without"))
    parts = [name for name in ("user", "group", "commands", "run_as", "nopassword") if name in values]
    if "content" in values:
        found += [Problem((name,), f"`{name}` cannot stand beside `content`") for name in parts]
    elif parts and not ("commands" in values and ("user" in values or "group" in values)):
        found.append(Problem((), "`commands`, and a `user` or a `group` who may run them, are needed together"))
    commands = values.get("commands")
    for index, command in enumerate(commands if isinstance(commands, list) else ()):
        if str(command) != "ALL" and (not str(command).startswith("/") or "\n" in str(command)):
            found.append(
                Problem(("commands", str(index)), f"{command!r} is not a program's absolute path", "as in /usr/bin/systemctl, or ALL")
            )
    if "run_as" in values and not _RUN_AS.fullmatch(str(values["run_as"])):
        found.append(Problem(("run_as",), f"{values['run_as']!r} is nobody", "a user, several with commas between, or ALL"))
    return found


class Sudoers(Kind):
    """One file in `/etc/sudoers.d`, 0440 and root's.

    Either its whole `content`, or who (`user`, `group`) may run which `commands`: absolute paths with their arguments, in which
    `*` stands for anything, or ALL. Where the target has `visudo`, nothing is put in place that it refuses.
    """

    name = "sudoers"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "the name of the file", required=True),
            "content": Field(Type.TEXT, "all of it, as sudoers(5) says"),
            "user": Field(Type.NAME, "the user who may run the commands"),
            "group": Field(Type.NAME, "the group whose members may run them"),
            "commands": Field(Type.TEXTS, "what may be run: absolute paths with their arguments, or ALL"),
            "run_as": Field(Type.TEXT, "as whom; root where not given, ALL for anybody"),
            "nopassword": Field(Type.BOOLEAN, "whether no password is asked for"),
        },
        one_of=(("user", "group"),),
        needs_one_of=(("content", "commands"),),
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name of the file."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """The file."""
        return MISSING if resource.absent else dropin.wished(sudoers_text(resource), mode="0440")

    def observe(self, resource: Resource, system: System) -> Observation:
        """The file; few may read it, so it has no body."""
        return Observation(resource.address, dropin.seen(_path(resource), system))

    def enact(self, change: Change, system: System) -> None:
        """Write the file, once `visudo` has nothing against it, or remove it."""
        path = _path(change.resource)
        if change.action is Action.REMOVE:
            system.remove(path)
            return
        check = (CHECKER, "-cf", "%s") if system.stat(CHECKER) is not None else ()
        dropin.make_folders(path, system, mode="0750")
        dropin.write(path, sudoers_text(change.resource), mode="0440", system=system, validate=check)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The folder and the file."""
        return (place.parent(FOLDER), FOLDER, _path(change.resource))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (_path(resource),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the package that brings the folder, and whoever it speaks of: sudo warns of a user that is not there."""
        named = [Address(kind, str(resource.fields[kind])) for kind in ("user", "group") if kind in resource.fields]
        return tuple(found for found in (Address("package", "sudo"), *named) if found in others and not resource.absent)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a file."""
        return tuple(dropin.because(change.because, {"content differs": "what it allows differs"}))


def sudoers_text(resource: Resource) -> str:
    """The file."""
    fields = resource.fields
    if "content" in fields:
        content = str(fields["content"])
        return content if content.endswith("\n") or not content else f"{content}\n"
    who = str(fields["user"]) if "user" in fields else f"%{fields['group']}"
    commands = fields.get("commands")
    listed = ", ".join(_escaped(str(command)) for command in (commands if isinstance(commands, list) else ()))
    tag = "NOPASSWD: " if fields.get("nopassword") is True else ""
    return f"{who} ALL=({fields.get('run_as', 'root')}) {tag}{listed}\n"


def _escaped(command: str) -> str:
    """A command with what would end it early escaped."""
    return re.sub(r"([\\,:=])", r"\\\1", command)


def _path(resource: Resource) -> str:
    return f"{FOLDER}/{resource.fields['name']}"
