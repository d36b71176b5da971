"""Routers on this host and where they send traffic: the payload's `router.*` calls.

A switch never loads a configuration: it renames one link, and the router reads the addresses anew for each request.
Folders and files are specified in `docs/formats/instances.md`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.onhost import keeping
from vitrify.onhost.admin import Admin
from vitrify.onhost.caddy import NOWHERE, SLOTS, TLS, CaddyRoute, CaddyRouter, config
from vitrify.onhost.context import Context
from vitrify.onhost.logfile import tail
from vitrify.onhost.ports import is_taken
from vitrify.onhost.record import read_record, sync_folder, write_record, write_whole
from vitrify.onhost.removal import remove_tree

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}")
_NONE = "none"
KEPT_SETS = 8
"""Sets that stay beside the current one, so that going back to one writes nothing."""


def ensure(context: Context, arguments: JSONObject) -> JSONObject:
    """The router runs and knows this route; where it does already, nothing is touched."""
    home, name = str(arguments["home"]), _checked(str(_part(arguments, "router").get("name")))
    folder = f"{home}/routers/{name}"
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    with keeping.lock(f"{folder}/.lock"):
        before = _read(folder)
        wanted = _wanted(before, arguments)
        _check(wanted, folder, before)
        _unready(home, wanted)
        if wanted != before or read_record(f"{folder}/config.json") != config(wanted):
            _write(folder, wanted)
            context.reached("router-ensure.intent")
        try:
            changed = _bring(folder, wanted, str(arguments["caddy"]), context)
        except TargetFailed:
            if before is not None:
                _write(folder, before)
            raise
        context.reached("router-ensure.outcome")
    return {"changed": changed}


def _bring(folder: str, wanted: CaddyRouter, caddy: str, context: Context) -> bool:
    """Start it with the configuration on disk, or load that into the one that runs, if it runs with another."""
    if not keeping.state(folder).kept:
        _start(folder, caddy)
        context.reached("router-ensure.act")
        return True
    admin = Admin(folder)
    while True:
        running = admin.get("/config/")
        if running.body == config(wanted):
            return False
        answer = admin.replace("/config/", config(wanted), etag=running.etag)
        if answer.status == 200:
            context.reached("router-ensure.act")
            return True
        if answer.status != 412:
            raise TargetFailed("the router refused its new configuration", why=_error(answer.body), hint="it runs on with the old one")


def _start(folder: str, caddy: str) -> None:
    environment: JSONObject = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": folder,
        "XDG_DATA_HOME": f"{folder}/data",
        "XDG_CONFIG_HOME": f"{folder}/config",
    }
    write_record(f"{folder}/environment", environment)
    keep: JSONObject = {"argv": [caddy, "run", "--config", "config.json"], "cwd": folder, "user": "", "sandbox": False}
    write_record(f"{folder}/spec.json", {"format": 1, "keep": keep})
    keeping.keep(folder)
    admin = Admin(folder)
    while not admin.answers():
        found = keeping.state(folder)
        if found.restarts or not found.kept:
            keeping.stop(folder, grace=1)
            raise TargetFailed("the router does not start", why=_caddys_words(folder), hint=f"its log is {folder}/log")


def _caddys_words(folder: str) -> str:
    told = [_said(line) for line in tail(f"{folder}/log", 50).splitlines()]
    return next((words for words in reversed(told) if words), "it said nothing")


def _said(line: str) -> str:
    """What a line of its log says, where it is an error: JSON, or text before logging is set up."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or entry.get("level") in ("debug", "info", "warn"):
        return ""
    return ": ".join(str(entry[name]) for name in ("msg", "error") if entry.get(name))


def _error(body: JSON) -> str:
    return str(body.get("error")) if isinstance(body, dict) else str(body)


def _read(folder: str) -> Optional[CaddyRouter]:
    record = read_record(f"{folder}/router.json")
    if record is None:
        return None
    routes = record["routes"]
    known = [_route(route) for route in routes if isinstance(route, dict)] if isinstance(routes, list) else []
    return CaddyRouter(str(record["listen"]), str(record["tls"]), tuple(sorted(known)))


def _route(data: JSONObject) -> CaddyRoute:
    return CaddyRoute(_checked(str(data["server"])), str(data.get("host") or ""), str(data.get("path") or "/"))


def _write(folder: str, router: CaddyRouter) -> None:
    # The configuration last: `router.json` alone decides what it must be, so a crash between is seen and mended.
    routes: List[JSON] = [route.to_json() for route in router.routes]
    write_record(f"{folder}/router.json", {"format": 1, "listen": router.listen, "tls": router.tls, "routes": routes})
    write_record(f"{folder}/config.json", config(router))


def _wanted(before: Optional[CaddyRouter], arguments: JSONObject) -> CaddyRouter:
    router, route = _part(arguments, "router"), _route(_part(arguments, "route"))
    others = [other for other in (before.routes if before else ()) if other.server != route.server]
    for other in others:
        if (other.host, other.path) == (route.host, route.path):
            raise Denied(
                f"{route.host or 'any host'}{route.path} leads to {other.server} already", hint="give one of them another host or path"
            )
    return CaddyRouter(str(router["listen"]), str(router.get("tls") or "off"), tuple(sorted([*others, route])))


def _check(wanted: CaddyRouter, folder: str, before: Optional[CaddyRouter]) -> None:
    if wanted.tls not in TLS:
        raise Denied(f"tls: {wanted.tls} is not known", hint=f"one of {', '.join(TLS)}")
    if wanted.tls != "off" and any(not route.host for route in wanted.routes):
        raise Denied(f"tls: {wanted.tls} needs the host of every route", hint="add `host:` to the route")
    moves = before is None or before.listen != wanted.listen or not keeping.state(folder).kept
    host, _, port = wanted.listen.rpartition(":")
    # Caddy shares a port with any other Caddy of the same user without a word: half of the requests would go astray.
    if moves and port.isdigit() and is_taken(host, int(port)):
        raise TargetFailed(f"the router cannot listen on {wanted.listen}", why="another program does", hint="stop it, or change `listen`")


def switch(context: Context, arguments: JSONObject) -> JSONObject:
    """Send all new requests to these addresses, by one rename; repeating it is harmless."""
    intended = context.clock()
    folder, name = _known(arguments), str(arguments["set"])
    place = _set(folder, name, arguments.get("addresses"))
    context.reached("router-switch.intent")
    if not Path(folder, "current").is_symlink() or str(Path(folder, "current").readlink()) != place:
        _point(folder, place)
    switched = context.clock()
    context.reached("router-switch.act")
    sync_folder(folder)
    context.reached("router-switch.outcome")
    _prune(folder)
    return {"intended_at": intended, "switched_at": switched}


def _set(folder: str, name: str, addresses: JSON) -> str:
    """Make the folder of a set, complete or not at all; returns its path from the server's folder."""
    given = [str(address) for address in addresses] if isinstance(addresses, list) else []
    if not given or len(given) > SLOTS or not all(_ADDRESS.fullmatch(address) for address in given):
        raise TargetFailed(f"traffic cannot be sent to {given}", hint=f"one to {SLOTS} addresses, each host:port")
    # The addresses are part of the name: a set that traffic goes to is never edited.
    place = f"sets/{_checked(name)}.{digest_of(given)[-12:]}"
    if not Path(folder, place).is_dir():
        _fill(f"{folder}/{place}", given, {"name": name, "addresses": [*given]})
    return place


def _fill(place: str, addresses: List[str], record: JSONObject) -> None:
    making = f"{place}.making"
    remove_tree(making)
    Path(making).mkdir(parents=True)
    write_record(f"{making}/set.json", record)
    for index in range(SLOTS):
        # One file for each address and links to it: a sync for each of twenty files takes longer than the switch.
        if index < len(addresses):
            write_whole(f"{making}/{index}", addresses[index].encode())
        else:
            os.link(f"{making}/{index % len(addresses)}", f"{making}/{index}")
    sync_folder(making)
    Path(making).rename(place)
    sync_folder(str(Path(place).parent))


def _point(folder: str, place: str) -> None:
    new = Path(folder, ".current")
    new.unlink(missing_ok=True)
    new.symlink_to(place)
    new.rename(f"{folder}/current")


def _unready(home: str, router: CaddyRouter) -> None:
    """Give every server of the router something that answers until its first switch."""
    for route in router.routes:
        folder = f"{home}/traffic/{route.server}"
        if not Path(folder, "current").is_symlink():
            if not Path(folder, "sets", _NONE).is_dir():
                _fill(f"{folder}/sets/{_NONE}", [NOWHERE], {"name": "", "addresses": []})
            _point(folder, f"sets/{_NONE}")
            sync_folder(folder)


def _prune(folder: str) -> None:
    current = Path(folder, "current").resolve()
    sets = [place for place in Path(folder, "sets").iterdir() if place != current and place.name != _NONE]
    for place in sorted(sets, key=lambda place: place.stat().st_mtime, reverse=True)[KEPT_SETS:]:
        remove_tree(str(place))


def live(_: Context, arguments: JSONObject) -> JSONObject:
    """Where a server's requests go: `set` and `addresses`; `set` is "" before the first switch."""
    folder = f"{arguments['home']}/traffic/{_checked(str(arguments['server']))}"
    record = read_record(f"{folder}/current/set.json") or {}
    return {"set": record.get("name", ""), "addresses": record.get("addresses", [])}


def in_flight(_: Context, arguments: JSONObject) -> JSONObject:
    """Requests that these addresses are still answering, over all routers that run here."""
    given = arguments.get("addresses")
    addresses = {str(address) for address in given} if isinstance(given, list) else set()
    count = sum(_requests(folder, addresses) for folder in _running(str(arguments["home"])))
    return {"requests": count}


def _requests(folder: str, addresses: set[str]) -> int:
    found = Admin(folder).get("/reverse_proxy/upstreams").body
    listed: List[Dict[str, JSON]] = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    counts = [entry.get("num_requests") for entry in listed if entry.get("address") in addresses]
    return sum(count for count in counts if isinstance(count, int))


def _running(home: str) -> Iterator[str]:
    routers = Path(home, "routers")
    for folder in sorted(routers.iterdir()) if routers.is_dir() else ():
        if keeping.state(str(folder)).kept:
            yield str(folder)


def _known(arguments: JSONObject) -> str:
    server = _checked(str(arguments["server"]))
    folder = f"{arguments['home']}/traffic/{server}"
    if not Path(folder).is_dir():
        raise TargetFailed(f"no router on this host knows {server}", hint="make sure of its route first")
    return folder


def _part(arguments: JSONObject, name: str) -> JSONObject:
    part = arguments[name]
    if not isinstance(part, dict):
        raise TypeError(f"{name} is not an object")
    return part


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise TargetFailed(f"{name!r} cannot be the name of a folder")
    return name


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {
    "router.ensure": ensure,
    "router.switch": switch,
    "router.live": live,
    "router.in_flight": in_flight,
}
