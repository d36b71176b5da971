"""`audit adopt`: what is there becomes what is declared, as a patch of the project's files that somebody sees before it is written.

| killed behind | the same command again                                                  |
|---------------|-------------------------------------------------------------------------|
| adopt.intent  | shows the same patch, and writes it                                     |
| adopt.act     | finds that the declaration says so by now, and only notes that          |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from vitrify.core.adoption import Adoption, Patch
from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Location, PlanStale, UsageInvalid
from vitrify.core.difference import agrees
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.resource import Address, Observation, Resource
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import mutable, record
from vitrify.lifecycle.accepting import swept_places
from vitrify.lifecycle.reconverging import about
from vitrify.lifecycle.world import World
from vitrify.project import whole_file
from vitrify.project.amending import Wished, amended, appended

INTENDED, DONE = "adopt.intended", "adopt.done"
_FIELDS = ("mode", "owner", "group", "to", "enabled", "running")
_NEW = {"file": ("mode", "owner", "group"), "directory": ("mode", "owner", "group"), "link": ("to",)}
_BY_HAND = "change the declaration by hand, or put back what was declared: `vitrify apply`"


async def adoption(servers: Sequence[Server], path: str, world: World, *, host: str = "") -> Adoption:
    """What would make the declaration say what is at a path, or of a resource by its address, now. Changes nothing.

    UsageInvalid where that cannot be expressed, with why, and where nothing differs.
    """
    places = swept_places(servers, host)
    if len(places) > 1:
        names = ", ".join(dict.fromkeys(place.name for _, place in places))
        raise UsageInvalid("what is there on one host is declared for all", why=f"hosts: {names}", hint="name it: --server and --host")
    server, at = places[0]
    probe = Resource(Address("file", path), {"path": path, "content": digest_bytes(b"")})
    wish = next((one for one in server.wishes(at) if about(one, path)), None)
    looked = replace(server, apart={}, resources=(*server.wishes(at), *([probe] if wish is None and path.startswith("/") else [])))
    seen = (await mutable.look(looked, at, world)).observations
    if wish is None:
        return _new(server, at, path, seen.get(probe.address), world)
    fields = _drifted(wish, path, seen[wish.address], world)
    if not fields:
        return Adoption(server.name, at.name, path, str(wish.address), (), ())
    patches = _patches(server, wish, fields, world)
    also = tuple(one.name for one in servers if one.name != server.name and any(other.where == wish.where for other in one.resources))
    return Adoption(server.name, at.name, path, str(wish.address), tuple(fields), patches, also)


def _drifted(wish: Resource, path: str, seen: Observation, world: World) -> Wished:
    """Field -> the value that is there."""
    if wish.address.kind == "tree":
        _refuse(path, "it belongs to a folder that is copied: change the file in the project")
    if wish.secret or wish.absent:
        _refuse(path, "it is secret" if wish.secret else "it is declared to be absent")
    desired, now = world.kinds[wish.address.kind].desired(wish), seen.properties
    differing = [name for name in desired if not agrees(name, desired, now)]
    if "type" in differing:
        there = now.get("type")
        _refuse(path, "it is gone" if there == "missing" else f"a {there} is there now, and a {desired['type']} is declared")
    found: dict[str, str | bool] = {}
    for name in differing:
        value: JSON = seen.body if name == "content" else now.get(name)
        if name == "content" and seen.body is None:
            _refuse(path, "its content is not text that everybody may read")
        if name not in ("content", *_FIELDS) or not isinstance(value, (str, bool)):
            _refuse(path, f"`{name}` of a {wish.address.kind} is not written as it is seen")
        found[name] = value
    return found


def _patches(server: Server, wish: Resource, fields: Wished, world: World) -> tuple[Patch, ...]:
    """Of the file that the content is taken from, where it is; of the declaration for all else."""
    source = server.contents[str(wish.fields["content"])].path if "content" in fields else None
    found: list[Patch] = []
    if source is not None:
        found.append(Patch(_short(source, world), _read(source), str(fields["content"])))
        fields = {name: value for name, value in fields.items() if name != "content"}
    if fields:
        assert wish.where is not None  # noqa: S101  what was read from a declaration stands somewhere
        found.append(_of_declaration(wish.where, world, lambda text: amended(text, wish.where or server.where, _escaped(fields))))
    return tuple(found)


def _new(server: Server, host: Host, path: str, seen: Observation | None, world: World) -> Adoption:
    kind = str(seen.properties.get("type")) if seen else "missing"
    if seen is None or kind not in _NEW:
        _refuse(path, "nothing is there" if kind == "missing" else f"it is a {kind}")
    if kind == "file" and seen.body is None:
        _refuse(path, "its content is not text that everybody may read")
    values: dict[str, str | bool] = {"path": path, **({"content": seen.body} if kind == "file" and seen.body is not None else {})}
    values |= {name: str(seen.properties[name]) for name in _NEW[kind] if seen.properties.get(name) is not None}
    patch = _of_declaration(server.where, world, lambda text: appended(text, server.where, kind, _escaped(values)))
    return Adoption(server.name, host.name, path, f"{kind}:{path}", (), (patch,))


def _escaped(fields: Wished) -> Wished:
    return {name: value.replace("${", "$${") if isinstance(value, str) else value for name, value in fields.items()}


def _of_declaration(where: Location, world: World, change: Callable[[str], str]) -> Patch:
    """A declaration is one file, in the project's folder, wherever this was started."""
    file = Path(where.file).name
    text = _read(_whole(file, world))
    return Patch(file, text, change(text))


def adopt(found: Adoption, world: World) -> int:
    """Write it; the number of the entry that says so. PlanStale where a file is another one by now than the patch was made for."""
    newest = _begun(found, world)
    since = newest.sequence if newest else world.ledger.size
    operation = str(newest.body["operation"]) if newest else world.identify()
    files: list[JSON] = [{"file": one.file, "after": digest_bytes(one.after.encode())} for one in found.patches]
    about: JSONObject = {"operation": operation, "server": found.server, "host": found.host, "path": found.path, "address": found.address}
    if not found.patches and newest is None:
        raise UsageInvalid(f"{found.path} is as it is declared", hint="`vitrify audit` tells what differs")
    record.once(world.ledger, INTENDED, {**about, "files": files}, since=since)
    world.reached("adopt.intent")
    for patch in found.patches:
        if _read(_whole(patch.file, world)) != patch.before:
            raise PlanStale(f"{patch.file} changed while you looked at the patch", hint="run the same command again")
        whole_file.write(patch.after, _whole(patch.file, world))
    world.reached("adopt.act")
    entry = record.once(world.ledger, DONE, {**about, "fields": [*found.fields]}, since=since)
    world.reached("adopt.outcome")
    return entry


def _begun(found: Adoption, world: World) -> Entry | None:
    newest = record.last(world.ledger, server=found.server, host=found.host, kinds=(INTENDED, DONE))
    return newest if newest is not None and newest.kind == INTENDED and newest.body.get("path") == found.path else None


def _whole(file: str, world: World) -> str:
    return str(Path(world.desk.folder, file))


def _short(file: str, world: World) -> str:
    path, folder = Path(file), Path(world.desk.folder)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else file


def _read(path: str) -> str:
    try:
        return Path(path).read_bytes().decode()
    except UnicodeDecodeError:
        _refuse(path, "it is not text")


def _refuse(path: str, why: str) -> NoReturn:
    raise UsageInvalid(f"{path} cannot be adopted", why=why, hint=_BY_HAND)
