"""The kind `limits`: how much of a resource a user's sessions may take, as one file in `/etc/security/limits.d`."""

from __future__ import annotations

import re
from typing import Callable, List, Mapping, Optional, Tuple

from vitrify.core import dropin, place
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type, near
from vitrify.core.system import System

FOLDER = "/etc/security/limits.d"
ITEMS = (
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "maxlogins",
    "maxsyslogins",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nonewprivs",
    "nproc",
    "priority",
    "rss",
    "rtprio",
    "sigpending",
    "stack",
)
SORTS: Mapping[str, str] = {"soft": "soft", "hard": "hard", "both": "-"}
_DOMAIN = re.compile(r"(\*|@?[A-Za-z0-9_][A-Za-z0-9_.-]*|@?[0-9]*:[0-9]*)")
_VALUE = re.compile(r"-?[0-9]+|unlimited|infinity")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _DOMAIN.fullmatch(str(values.get("domain", "*"))):
        found.append(Problem(("domain",), f"{values['domain']!r} is nobody", "a user, @ and a group, or *"))
    for sort in SORTS:
        told = values.get(sort)
        for item, value in told.items() if isinstance(told, dict) else ():
            if item not in ITEMS:
                found.append(Problem((sort, item), f"there is no limit `{item}`", near(item, ITEMS) or f"limits: {', '.join(ITEMS)}"))
            elif not _VALUE.fullmatch(str(value)):
                found.append(Problem((sort, item), f"{value!r} is not a limit", "a number, or unlimited"))
    both, others = values.get("both"), [values.get("soft"), values.get("hard")]
    twice = [item for item in (both if isinstance(both, dict) else ()) if any(isinstance(one, dict) and item in one for one in others)]
    return found + [Problem(("both", item), f"`{item}` is told twice", "`both` is soft and hard at once") for item in twice]


class Limits(Kind):
    """One file in `/etc/security/limits.d`, for the sessions that begin from then on."""

    name = "limits"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "the name of the file, without .conf", required=True),
            "domain": Field(Type.TEXT, "whose: a user, @ and a group, or * for everybody but root; the name where not given"),
            "soft": Field(Type.MAP, 'limits that they may raise, as in {nofile: "4096"}'),
            "hard": Field(Type.MAP, "limits beyond which they may not"),
            "both": Field(Type.MAP, "limits that are soft and hard at once"),
        },
        needs_one_of=(("soft", "hard", "both"),),
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name of the file."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """The file."""
        return MISSING if resource.absent else dropin.wished(limits_text(resource), mode="0644")

    def observe(self, resource: Resource, system: System) -> Observation:
        """The file."""
        path = _path(resource)
        stat = system.stat(path)
        return Observation(resource.address, dropin.seen(path, system), place.body(path, stat, system) if stat else None)

    def enact(self, change: Change, system: System) -> None:
        """Write the file, or remove it."""
        if change.action is Action.REMOVE:
            system.remove(_path(change.resource))
        else:
            dropin.write(_path(change.resource), limits_text(change.resource), mode="0644", system=system)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The folders and the file."""
        path = _path(change.resource)
        return (*place.ancestors(path), path)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (_path(resource),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders above it, where those are declared."""
        return place.after_folders(resource, _path(resource), others)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit limits."""
        return tuple(dropin.because(change.because, {"content differs": "the limits differ"}))

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file."""
        return "" if resource.absent else limits_text(resource)


def limits_text(resource: Resource) -> str:
    """The file: in the order of the items, so that equal wishes are equal files."""
    domain = str(resource.fields.get("domain", resource.fields["name"]))
    told = {sort: resource.fields.get(sort) for sort in SORTS}
    rows = [(sort, item, str(value)) for sort, items in told.items() if isinstance(items, dict) for item, value in sorted(items.items())]
    return "".join(f"{domain}\t{SORTS[sort]}\t{item}\t{value}\n" for sort, item, value in rows)


def _path(resource: Resource) -> str:
    return f"{FOLDER}/{resource.fields['name']}.conf"
