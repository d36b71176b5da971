"""The kind `cron`: a line of cron in a file of its own."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import place, written
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

FOLDER = "/etc/cron.d"
SPECIAL = ("reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")
_TIMES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_WORDS = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r"(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([0-9]+))?")


def _cron_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _NAME.fullmatch(str(values["name"])):
        found.append(Problem(("name",), "cron does not read a file of this name", "letters, digits, `_` and `-`; no dot"))
    job = str(values.get("job", ""))
    if "\n" in job or "\r" in job:
        found.append(Problem(("job",), "a job is one line", "put more into a script and run that"))
    given = [name for name in _TIMES if name in values]
    if "special" in values:
        found += [Problem((name,), f"`{name}` cannot stand beside `special`") for name in given]
    elif "job" in values and not given:
        found.append(Problem((), "a job needs its time: `special`, or one of `minute`, `hour`, `day`, `month`, `weekday`"))
    found += [Problem((name,), f"{values[name]!r} is no {name} for cron", _hint(name)) for name in given if not _fits(name, values[name])]
    for name, value in _environment(values).items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or "\n" in value or "\r" in value or value != value.strip():
            found.append(
                Problem(
                    ("env", name), "cron cannot read this variable", "a name of letters, a value of one line without spaces at its ends"
                )
            )
    return found


def _hint(name: str) -> str:
    least, most = _TIMES[name]
    return f"a number from {least} to {most}, *, a range (1-5), a list (1,3) or a step (*/10)"


def _fits(name: str, value: JSON) -> bool:
    least, most = _TIMES[name]
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return False
    for part in str(value).lower().split(","):
        match = _PART.fullmatch(part)
        if not match or match.group(2) == "0":
            return False
        numbers = [_number(name, end) for end in match.group(1).split("-")] if match.group(1) != "*" else [least, most]
        if any(not least <= number <= most for number in numbers) or numbers != sorted(numbers):
            return False
    return True


def _number(name: str, text: str) -> int:
    """-1 where it is none."""
    words = _WORDS.get(name, ())
    if text in words:
        return words.index(text) + (1 if name == "month" else 0)
    return int(text) if text.isdigit() else -1


class Cron(Kind):
    r"""A job of cron, in the file `/etc/cron.d/NAME`, which cron reads within a minute.

    `job` is a line as cron runs it: by `/bin/sh`, with `%` for a line break unless it is written `\%`. What is not said of the
    time is `*`. Where systemd runs, a `timer` does the same without a shell, and tells of its failures.
    """

    name = "cron"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "its name, and that of the file", required=True),
            "job": Field(Type.TEXT, "the line that is run"),
            "minute": Field(Type.ANY, "0 to 59, a range, a list or a step; * where not given"),
            "hour": Field(Type.ANY, "0 to 23"),
            "day": Field(Type.ANY, "of the month, 1 to 31"),
            "month": Field(Type.ANY, "1 to 12, or jan to dec"),
            "weekday": Field(Type.ANY, "0 to 7, or sun to sat; 0 and 7 are Sunday"),
            "special": Field(Type.TEXT, "in place of the five", choices=SPECIAL),
            "user": Field(Type.NAME, "the user it runs as; root where not given"),
            "env": Field(Type.MAP, "variables of the file: PATH, MAILTO"),
        },
        needs_one_of=(("job",),),
        rules=(_cron_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Its name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """The file, for root alone to write: cron reads no other."""
        return MISSING if resource.absent else {"type": "cron", **written.wished(text(resource)), "owner": "root"}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The file, and whether there is a folder for it."""
        path = _path(resource)
        stat = system.stat(path)
        if stat is None:
            folder: Dict[str, JSON] = {} if system.stat(FOLDER) else {"folder": "missing"}
            return Observation(resource.address, {**MISSING, **folder})
        return Observation(
            resource.address, {"type": "cron", **written.seen(path, system), "owner": stat.owner}, place.body(path, stat, system)
        )

    def enact(self, change: Change, system: System) -> None:
        """Write it in one rename, so that cron never reads half of it."""
        path = _path(change.resource)
        if change.action is Action.REMOVE:
            system.remove(path)
            return
        place.need_parent(path, system)
        attributes = place.attributes({"mode": "0644", "owner": "root"})
        system.write(path, text(change.resource).encode(), attributes=attributes)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file."""
        return self.owned_paths(change.resource)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (_path(resource),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After cron itself, and the user it runs as."""
        named = (Address("package", "cron"), Address("package", "cronie"), Address("user", str(resource.fields.get("user", "root"))))
        return (*place.after_folders(resource, _path(resource), others), *(one for one in named if one in others and not resource.absent))

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """A package that brings the folder."""
        if change.before.get("folder") != "missing":
            return ""
        bringing = [one for one in earlier if one.kind == "package" or one == Address("directory", FOLDER)]
        return f"{bringing[-1].kind} {bringing[-1].name} provides {FOLDER}" if bringing else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a job."""
        if change.before.get("folder") == "missing":
            return (f"there is no {FOLDER}: this will fail unless a change before it brings cron",)
        return written.because(change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file."""
        return "" if resource.absent else text(resource)


def text(resource: Resource) -> str:
    """The file of a job."""
    fields = resource.fields
    when = f"@{fields['special']}" if "special" in fields else " ".join(str(fields.get(name, "*")) for name in _TIMES)
    lines = ["# Written by vitrify, which puts back what is changed here."]
    lines += [f"{name}={value}" for name, value in sorted(_environment(fields).items())]
    return "\n".join([*lines, f"{when} {fields.get('user', 'root')} {fields['job']}"]) + "\n"


def _environment(fields: Mapping[str, JSON]) -> Dict[str, str]:
    declared = fields.get("env", {})
    return {name: str(value) for name, value in declared.items()} if isinstance(declared, dict) else {}


def _path(resource: Resource) -> str:
    return f"{FOLDER}/{resource.fields['name']}"
