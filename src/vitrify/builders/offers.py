"""What can be had now of packages, by the sources that a server's image is made from. Asked of this machine's apt; changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vitrify.builders.ground import DEBOOTSTRAP, HOST, ROOTFS
from vitrify.builders.hostapt import HostApt
from vitrify.builders.sources import FOLDER, Source, machine_sources, sources_for
from vitrify.core.declaration import Content
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.core.simulation import for_security
from vitrify.ports import BakeRequest, Offer

_NAME = re.compile(r"(\S+):")
_CANDIDATE = re.compile(r"  Candidate: (\S+)")
_VERSION = re.compile(r" (?:\*\*\*|   ) (\S+) -?\d+")
_FROM = re.compile(r"\s+-?\d+ \S+ (\S+) .*")


def offers(request: BakeRequest, names: Sequence[str], work: Path, *, architecture: str) -> tuple[Offer, ...]:
    """The version of each package that would be chosen now; nothing of one that no source knows."""
    keys = work / "keys"
    keys.mkdir(parents=True)
    sources = (*_of_the_base(request), *_declared(request, keys))
    if not sources or not names:
        return ()
    apt = HostApt(work / "apt", sources, architecture)
    apt.renew()
    return tuple(parsed(apt.policy(names)))


def _of_the_base(request: BakeRequest) -> tuple[Source, ...]:
    kind, _, rest = request.base.partition(":")
    if kind == DEBOOTSTRAP:
        return sources_for(rest, request.mirror)
    if kind == HOST:
        return tuple(machine_sources(FOLDER))
    if kind != ROOTFS:
        return ()
    found = machine_sources(Path(rest) / "etc/apt")
    return tuple(Source(one.uri, one.suite, one.components, f"{rest}{one.keyring}" if one.keyring else "") for one in found)


def _declared(request: BakeRequest, keys: Path) -> Iterator[Source]:
    """The repositories among the resources, with the keys that they bring along; a key that has to be fetched is not trusted here."""
    for data in request.resources:
        resource = Resource.from_json(data)
        fields = resource.fields
        if resource.address.kind != "repository" or resource.absent or fields.get("enabled") is False:
            continue
        keyring = keys / f"{resource.address.name}.asc"
        content = _key(fields, request.contents)
        if content:
            keyring.write_bytes(content)
        for uri in _words(fields, "uris"):
            for suite in _words(fields, "suites"):
                yield Source(uri, suite, _words(fields, "components"), str(keyring) if content else "")


def _words(fields: Mapping[str, JSON], name: str) -> tuple[str, ...]:
    words = fields.get(name)
    return tuple(str(word) for word in words) if isinstance(words, list) else ()


def _key(fields: Mapping[str, JSON], contents: Mapping[str, Content]) -> bytes:
    if "key" in fields:
        return f"{str(fields['key']).strip()}\n".encode()
    held = contents.get(str(fields.get("key_content", "")))
    return (held.data or b"") if held else b""


def parsed(said: str) -> Iterator[Offer]:
    """What `apt-cache policy` says of each package that it knows a candidate of."""
    name, candidate, version, suites = "", "", "", set[str]()
    for line in (*said.splitlines(), ":"):
        if line[:1] not in (" ", ""):
            if name and candidate not in ("", "(none)"):
                yield Offer(name, candidate, security=any(for_security(f":{suite.partition('/')[0]}") for suite in suites))
            started = _NAME.fullmatch(line)
            name, candidate, version, suites = (started.group(1) if started else ""), "", "", set()
        elif told := _CANDIDATE.fullmatch(line):
            candidate = told.group(1)
        elif told := _VERSION.fullmatch(line):
            version = told.group(1)
        elif version == candidate and (told := _FROM.fullmatch(line)):
            suites.add(told.group(1))
