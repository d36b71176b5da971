"""The kind `hosts_entry`: names of an address, in `/etc/hosts`."""

from __future__ import annotations

import ipaddress
import re
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, System

PATH = "/etc/hosts"
AS_WISHED = "as wished"
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if _parsed(str(values["address"])) is None:
        found.append(Problem(("address",), f"{values['address']!r} is not an IP address", "as in 10.0.0.7, or fd00::7"))
    names = values["names"]
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if not _NAME.fullmatch(str(name)):
            found.append(Problem(("names", str(index)), f"{name!r} is not a name of a host"))
    return found


class HostsEntry(Kind):
    """Names that stand for one address in `/etc/hosts`.

    The first name is the one that the address is called back by. Other names of the address, other lines and comments stay; a name
    that stood for another address of the same sort (IPv4, IPv6) is taken away there.
    """

    name = "hosts_entry"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "address": Field(Type.TEXT, "the IP address", required=True),
            "names": Field(Type.TEXTS, "its names, the proper one first", required=True),
        },
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The first name; one for IPv6 apart."""
        names = fields["names"]
        first = str(names[0]) if isinstance(names, list) else ""
        return f"{first}#ipv6" if ":" in str(fields["address"]) else first

    def desired(self, resource: Resource) -> Properties:
        """The names at this address."""
        return MISSING if resource.absent else {"type": "hosts_entry", "entry": AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether the names are there as wished; the file for a diff."""
        stat = system.stat(PATH)
        if stat is not None and stat.type != "file":
            return Observation(resource.address, {"type": stat.type})
        content = system.read(PATH) if stat is not None else b""
        body = place.body(PATH, stat, system) if stat is not None else None
        return Observation(resource.address, _seen(_text(content), resource), body)

    def enact(self, change: Change, system: System) -> None:
        """Write the file anew."""
        stat = system.stat(PATH)
        if stat is None and change.action is Action.REMOVE:
            return
        if stat is not None and stat.type != "file":
            raise TargetFailed(f"{PATH} is not a regular file", why=f"it is a {stat.type}", hint="take it away first")
        before = system.read(PATH) if stat is not None else b""
        after = edited(_text(before), change.resource).encode("utf-8", "surrogateescape")
        if after != before or stat is None:
            place.need_parent(PATH, system)
            system.write(PATH, after, attributes=Attributes())

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file."""
        return (PATH,)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (PATH,)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit names."""
        before = change.before
        if before.get("entry") == "other":
            return (f"is written otherwise: {before.get('lines')}",)
        return change.because

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The whole file."""
        return edited(seen.body, resource) if seen.body is not None else None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _parsed(address: str) -> Optional[Tuple[int, int]]:
    """Version and number; None for what is no address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return found.version, int(found)


def _names(resource: Resource) -> Tuple[str, ...]:
    names = resource.fields["names"]
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _parts(line: str) -> Tuple[str, Tuple[str, ...], str]:
    """Address, names, and the comment with its #."""
    before, sign, comment = line.partition("#")
    words = before.split()
    return (words[0] if words else ""), tuple(words[1:]), sign + comment


def edited(text: str, resource: Resource) -> str:
    """The file with the wish fulfilled."""
    wished, target = _names(resource), _parsed(str(resource.fields["address"]))
    lines: List[str] = []
    placed = resource.absent
    for line in text.splitlines():
        address, names, comment = _parts(line)
        at = _parsed(address)
        if at is None or target is None or at[0] != target[0] or not set(names) & set(wished):
            lines.append(line)
            continue
        others = tuple(name for name in names if name not in wished)
        if at == target and not placed:
            placed = True
            kept = (*wished, *others)
        elif at == target or not resource.absent:
            kept = others
        else:
            kept = names
        lines += [line] if kept == names else [_line(address, kept, comment)] if kept else []
    if not placed:
        lines.append(_line(str(resource.fields["address"]), wished, ""))
    return "".join(f"{line}\n" for line in lines)


def _line(address: str, names: Tuple[str, ...], comment: str) -> str:
    return f"{address}\t{' '.join(names)}" + (f"  {comment}" if comment else "")


def _seen(text: str, resource: Resource) -> Dict[str, JSON]:
    wished, target = _names(resource), _parsed(str(resource.fields["address"]))
    parts = [(_parsed(address), address, names) for address, names, _ in map(_parts, text.splitlines()) if set(names) & set(wished)]
    same = [(at, address, names) for at, address, names in parts if at is not None and target is not None and at[0] == target[0]]
    if not same or (resource.absent and not any(at == target for at, _, _ in same)):
        return dict(MISSING)
    right = edited(text, resource).splitlines() == text.splitlines()
    told = "; ".join(" ".join((address, *(name for name in names if name in wished))) for _, address, names in same)
    return {"type": "hosts_entry", "entry": AS_WISHED if right or resource.absent else "other", "lines": told}
