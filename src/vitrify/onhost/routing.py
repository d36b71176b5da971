"""What a router knows: its routes, written down first and loaded then; every call ends what a crash left half done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import List, Optional

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost import keeping
from vitrify.onhost.admin import Admin
from vitrify.onhost.caddy import TLS, CaddyRoute, CaddyRouter, config
from vitrify.onhost.context import Context
from vitrify.onhost.logfile import tail
from vitrify.onhost.ports import is_taken
from vitrify.onhost.record import read_record, write_record
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.slots import checked, serve_nothing_yet

GRACE = 10.0
"""Seconds for a router without routes to end by itself."""


def ensure(context: Context, arguments: JSONObject) -> JSONObject:
    """The router runs and knows this route; where it does already, nothing is touched."""
    folder = _folder(arguments)
    with keeping.lock(_lock(folder)):
        before = _read(folder)
        wanted = _wanted(before, arguments)
        _check(wanted, folder, before)
        Path(folder).mkdir(mode=0o700, exist_ok=True)
        for route in wanted.routes:
            serve_nothing_yet(f"{arguments['home']}/traffic/{route.server}")
        if wanted != before or read_record(f"{folder}/config.json") != config(wanted):
            _write(folder, wanted)
            context.reached("router-ensure.intent")
        try:
            changed = _bring(folder, wanted, str(arguments["caddy"]))
        except TargetFailed:
            if before is not None:
                _write(folder, before)
            raise
        context.reached("router-ensure.act")
    return {"changed": changed}


def release(context: Context, arguments: JSONObject) -> JSONObject:
    """The router forgets a server's route; without any route left it ends. Repeating it is harmless."""
    home, server = str(arguments["home"]), checked(str(arguments["server"]))
    folder = _folder(arguments)
    with keeping.lock(_lock(folder)):
        before = _read(folder)
        if before is not None:
            left = replace(before, routes=tuple(route for route in before.routes if route.server != server))
            if left != before:
                _write(folder, left)
            context.reached("router-release.intent")
            if left.routes:
                _load(folder, left)
            else:
                keeping.stop(folder, grace=GRACE)
                remove_tree(folder)
            context.reached("router-release.act")
        if not any(server == route.server for router in _routers(home) for route in router.routes):
            remove_tree(f"{home}/traffic/{server}")
    return {}


def _routers(home: str) -> List[CaddyRouter]:
    found = [_read(str(folder)) for folder in Path(home, "routers").glob("[!.]*")]
    return [router for router in found if router is not None]


def _folder(arguments: JSONObject) -> str:
    name = checked(str(_part(arguments, "router").get("name")))
    Path(f"{arguments['home']}/routers").mkdir(mode=0o711, parents=True, exist_ok=True)
    return f"{arguments['home']}/routers/{name}"


def _lock(folder: str) -> str:
    # Beside the folder: it must not vanish with it while somebody waits.
    return str(Path(folder).with_name(f".{Path(folder).name}.lock"))


def _bring(folder: str, wanted: CaddyRouter, caddy: str) -> bool:
    """Start it with the configuration on disk, or load that into the one that runs, if it runs with another."""
    if keeping.state(folder).kept:
        return _load(folder, wanted)
    _start(folder, caddy)
    return True


def _load(folder: str, wanted: CaddyRouter) -> bool:
    admin = Admin(folder)
    while keeping.state(folder).kept:
        running = admin.get("/config/")
        if running.body == config(wanted):
            return False
        answer = admin.replace("/config/", config(wanted), etag=running.etag)
        if answer.status == 200:
            return True
        if answer.status != 412:
            raise TargetFailed("the router refused its new configuration", why=_error(answer.body), hint="it runs on with the old one")
    return False


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
    return CaddyRoute(checked(str(data["server"])), str(data.get("host") or ""), str(data.get("path") or "/"))


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


def _part(arguments: JSONObject, name: str) -> JSONObject:
    part = arguments[name]
    if not isinstance(part, dict):
        raise TypeError(f"{name} is not an object")
    return part
