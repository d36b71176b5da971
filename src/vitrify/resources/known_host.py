"""The kind `known_host`: the public keys that a machine shows to whoever connects to it over SSH."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import dropin, openssh, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.openssh import Key
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, System

EVERYBODYS = "/etc/ssh/ssh_known_hosts"
AS_WISHED = "as wished"
_NAME = re.compile(r"[A-Za-z0-9_.:%-]+|\[[A-Za-z0-9_.:%-]+\]:[0-9]{1,5}")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = [] if _NAME.fullmatch(str(values["name"])) else [Problem(("name",), f"{values['name']!r} is not a host", _WRITTEN)]
    if "key" not in values:
        return found
    found += openssh.problems("key", str(values["key"]))
    foreign = [key.options for key in openssh.keys(str(values["key"])) if key.options not in ("", values["name"])]
    return found + [Problem(("key",), f"this is a key of {name!r}", "one resource for each host") for name in foreign]


_WRITTEN = "as in git.example, or [git.example]:2222 where the port is not 22"


class KnownHost(Kind):
    """A host and its public keys, in the file of all users or in one that is named.

    It has exactly these keys: others of the same host go, those of other hosts stay. `hashed` writes the name so that the file does
    not tell it; a name that is there in the other form is written anew.
    """

    name = "known_host"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "the host, as one connects to it; [host]:port where the port is not 22", required=True),
            "key": Field(Type.TEXT, "its public key as ssh-keyscan prints it, or several, one a line"),
            "hashed": Field(Type.BOOLEAN, "whether its name is written as a hash; as it is there where not given"),
            "path": Field(Type.PATH, f"the file; {EVERYBODYS} where not given"),
        },
        needs_one_of=(("key",),),
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The host; and the file, where that is not everybody's."""
        return f"{fields['name']}#{fields['path']}" if "path" in fields else str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """These keys."""
        return MISSING if resource.absent else {"type": "known_host", "keys": AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Which keys the file has of the host."""
        path = _path(resource)
        stat = system.stat(path)
        if stat is None:
            return Observation(resource.address, MISSING)
        if stat.type != "file":
            return Observation(resource.address, {"type": stat.type})
        return Observation(resource.address, _seen(_text(system.read(path)), resource), place.body(path, stat, system))

    def enact(self, change: Change, system: System) -> None:
        """Write the file anew."""
        path = _path(change.resource)
        stat = system.stat(path)
        if stat is not None and stat.type != "file":
            raise TargetFailed(f"{path} is not a regular file", why=f"it is a {stat.type}", hint="name the file itself")
        if stat is None and change.action is Action.REMOVE:
            return
        before = system.read(path) if stat is not None else b""
        after = edited(_text(before), change.resource).encode("utf-8", "surrogateescape")
        if stat is None:
            dropin.make_folders(path, system)
        if stat is None or after != before:
            system.write(path, after, attributes=Attributes())

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file, and the folders above it."""
        path = _path(change.resource)
        return (*place.ancestors(path), path)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (_path(resource),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders above it, and after the file, where these are declared."""
        whole = Address("file", _path(resource))
        return (*place.after_folders(resource, _path(resource), others), *((whole,) if whole in others else ()))

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit keys."""
        return tuple(dropin.because(change.because, {f"keys other -> {AS_WISHED}": "its keys differ, or how its name is written"}))

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The whole file."""
        if seen.body is None:
            return edited("", resource) if seen.properties == MISSING and not resource.absent else None
        return edited(seen.body, resource)


def _path(resource: Resource) -> str:
    return str(resource.fields.get("path", EVERYBODYS))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _wished(resource: Resource) -> Tuple[Key, ...]:
    return openssh.keys(str(resource.fields.get("key", "")))


def _entry(line: str) -> Tuple[str, Optional[Key]]:
    """The hosts of a line and its key; nothing for comments, and for marks that tell of authorities."""
    if line.lstrip().startswith(("#", "@")):
        return "", None
    hosts, rest = openssh.word(line.strip())
    return hosts, openssh.parse(rest)


def edited(text: str, resource: Resource) -> str:
    """The file with the wish fulfilled."""
    name, hashed = str(resource.fields["name"]), resource.fields.get("hashed")
    wished = {} if resource.absent else {key.same: key for key in _wished(resource)}
    lines: List[str] = []
    done: Dict[Tuple[str, str], bool] = {}
    for line in text.splitlines():
        hosts, key = _entry(line)
        if not hosts or key is None or not openssh.host_matches(hosts, name):
            lines.append(line)
            continue
        fits = hashed is None or hashed is hosts.startswith(openssh.HASHED)
        if key.same in wished and key.same not in done and fits:
            done[key.same] = True
            lines.append(line)
            continue
        others = "" if hosts.startswith(openssh.HASHED) else ",".join(host for host in hosts.split(",") if host != name)
        lines += [line.replace(hosts, others, 1)] if others else []
    lines += [f"{_written(name, key, hashed=hashed is True)} {key.type} {key.data}" for same, key in wished.items() if same not in done]
    return "".join(f"{line}\n" for line in lines)


def _written(name: str, key: Key, *, hashed: bool) -> str:
    # The salt stands beside the hash for all to read: what is asked of it is to differ from line to line, and not from run to run.
    salt = hashlib.sha1(f"{name} {key.data}".encode()).digest()  # noqa: S324  no secret rests on it
    return openssh.hashed(name, base64.b64encode(salt).decode()) if hashed else name


def _seen(text: str, resource: Resource) -> Dict[str, JSON]:
    name = str(resource.fields["name"])
    found = [key for hosts, key in map(_entry, text.splitlines()) if key is not None and hosts and openssh.host_matches(hosts, name)]
    if not found:
        return dict(MISSING)
    right = edited(text, resource).splitlines() == text.splitlines()
    fingerprints: List[JSON] = [key.fingerprint for key in found]
    return {"type": "known_host", "keys": AS_WISHED if right or resource.absent else "other", "fingerprints": fingerprints}
