"""`audit explain`: all that is known of one path, and by that why it is a finding or is none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from vitrify.core import place
from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Class, Finding, Known
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import sealed
from vitrify.lifecycle.accepting import swept_places
from vitrify.lifecycle.audit import audit_host
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.world import World

_MOST_ENTRIES = 20


async def known(servers: Sequence[Server], path: str, world: World, *, host: str = "") -> tuple[Known, ...]:
    """On every host of the mutable ones, or on one. UsageInvalid where it is no path of a host."""
    if not path.startswith("/") or (path != "/" and path.endswith("/")):
        raise UsageInvalid(f"{path!r} is no path of a host", hint="as in /etc/passwd")
    return tuple([await _known(server, at, path, world) for server, at in swept_places(servers, host)])


async def _known(server: Server, host: Host, path: str, world: World) -> Known:
    vouched = sealed.sealed(host, world)
    look = await audit_host(server, host, world, full=False)
    async with world.session(host) as session:
        arguments: JSONObject = {"scope": scope(server.name, host, world), "path": path, **vouched.arguments}
        answer = await session.call("audit.path", arguments, contents=vouched.contents)
    finding = next((one for one in look.findings if path == one.path or path in one.paths), None)
    about = tuple(str(wish.address) for wish in server.wishes(host) if _about(wish.fields, wish.address.name, path))
    folder, before, now = str(answer["folder"]), _object(answer, "before"), _object(answer, "now")
    return Known(
        server=server.name,
        host=host.name,
        path=path,
        verdict=_verdict(path, finding, about, folder=folder, there=bool(before or now)),
        before=before,
        now=now,
        folder=folder,
        package=_package(_object(answer, "owners") or {}, now),
        resources=about,
        entries=_entries(server, host, path, world, about=about),
        rules=tuple(rule for rule in server.audit.rules(path) if rule.matches(path)),
        finding=finding,
        changed_at=finding.changed_at if finding else None,
    )


def _object(answer: JSONObject, name: str) -> JSONObject | None:
    found = answer.get(name)
    return found if isinstance(found, dict) else None


def _about(fields: Mapping[str, JSON], name: str, path: str) -> bool:
    tree = fields.get("to")
    return path in (name, fields.get("path")) or (isinstance(tree, str) and (path == tree or place.inside(path, tree)))


def _verdict(path: str, finding: Finding | None, about: Sequence[str], *, folder: str, there: bool) -> str:
    if finding is not None and finding.path != path:
        return f"no finding of its own: {finding.path} explains it ({finding.details[0]}), which is {finding.classed.value}"
    if finding is not None and finding.classed is Class.NOISE:
        return f"declared noise, by {finding.why}"
    if finding is not None:
        return f"a finding, {finding.classed.value}, {finding.severity.value}: {', '.join((finding.change, *finding.details))}"
    if folder:
        return "no finding: it is as the baseline has it" if there else "no finding: nothing was there, and nothing is"
    if about:
        return f"no finding: {' and '.join(about)} is as it was applied; it lies in no folder that is swept"
    return "never a finding: it lies in no folder that is audited, and nothing that is declared is about it"


def _package(owners: Mapping[str, JSON], now: JSONObject | None) -> str:
    told = []
    for name, found in owners.items():
        if isinstance(found, dict):
            same = found["sum"] == found["is"]
            said = "no checksum of it" if not found["sum"] else "as its checksum says" if same else "not as its checksum says"
            told.append(f"{name} {found['version']}: {said if now else 'it is gone'}")
    return "; ".join(told)


def _entries(server: Server, host: Host, path: str, world: World, *, about: Sequence[str]) -> tuple[tuple[int, str, str], ...]:
    found = [
        (entry.sequence, entry.at, entry.kind if not (says := _says(entry)) else f"{entry.kind}: {says}")
        for entry in world.ledger.entries()
        if entry.body.get("server") == server.name
        and host.name in (entry.body.get("host"), entry.body.get("where"))
        and _names(entry, path, about)
    ]
    return tuple(found[-_MOST_ENTRIES:])


def _names(entry: Entry, path: str, about: Sequence[str]) -> bool:
    """Whether an entry says this path, or the address of a resource about it."""
    body = entry.body
    if entry.kind == "finding":
        return body.get("path") == path
    text = json.dumps([body.get(name) for name in ("results", "accepted", "paths", "recorded")], ensure_ascii=False)
    return any(json.dumps(name, ensure_ascii=False) in text for name in (path, *about))


def _says(entry: Entry) -> str:
    body = entry.body
    said = body.get("reason") or body.get("change") or ""
    return f"{said} by {entry.author}" if body.get("reason") else str(said)
