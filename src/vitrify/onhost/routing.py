"""What a router knows: its routes, written down first and loaded then; every call ends what a crash left half done."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Optional, Tuple

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSONObject, digest_of
from vitrify.onhost import keeping
from vitrify.onhost.context import Context
from vitrify.onhost.engine import Engine, engine
from vitrify.onhost.logfile import tail
from vitrify.onhost.ports import is_taken
from vitrify.onhost.record import write_record, write_whole
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.routes import HostedRoute, HostedRouter, checked, folders, read_router, write_router
from vitrify.onhost.slots import serve_nothing_yet

PATIENCE = 5.0
"""Seconds in which a router that is starting must answer."""

LOG_BYTES = 25 << 20
"""Bytes in a router's `log` before it becomes `log.1`: HAProxy's is its access log."""

GRACE = 10.0
"""Seconds for a router without routes to end by itself."""


def ensure(context: Context, arguments: JSONObject) -> JSONObject:
    """The router runs and knows this route; where it does already, nothing is touched."""
    folder = _folder(arguments)
    with keeping.lock(_lock(folder)):
        before = read_router(folder)
        wanted = _wanted(before, arguments)
        program = engine(wanted.kind)
        _check(wanted, folder, before)
        Path(folder).mkdir(mode=0o700, exist_ok=True)
        for route in wanted.routes:
            serve_nothing_yet(f"{arguments['home']}/traffic/{route.server}")
        _bring_along(folder, arguments)
        if wanted != before or not program.written(folder, wanted):
            _write(folder, program, wanted)
            context.reached("router-ensure.intent")
        try:
            changed = _bring(folder, wanted, str(arguments["program"]))
        except TargetFailed:
            if before is not None and before.kind == wanted.kind:
                _write(folder, program, before)
            raise
        context.reached("router-ensure.act")
    return {"changed": changed}


def release(context: Context, arguments: JSONObject) -> JSONObject:
    """The router forgets a server's route; without any route left it ends. Repeating it is harmless."""
    home, server = str(arguments["home"]), checked(str(arguments["server"]))
    folder = _folder(arguments)
    with keeping.lock(_lock(folder)):
        before = read_router(folder)
        if before is not None:
            left, program = before.without(server), engine(before.kind)
            if left != before:
                _write(folder, program, left)
            context.reached("router-release.intent")
            if not left.routes:
                keeping.stop(folder, grace=GRACE)
                remove_tree(folder)
            elif keeping.state(folder).kept:
                program.load(folder, left)
            context.reached("router-release.act")
        if not any(server == route.server for known in folders(home) for route in _routes(known)):
            remove_tree(f"{home}/traffic/{server}")
    return {}


def _routes(folder: str) -> Tuple[HostedRoute, ...]:
    router = read_router(folder)
    return router.routes if router else ()


def _folder(arguments: JSONObject) -> str:
    name = checked(str(_part(arguments, "router").get("name")))
    Path(f"{arguments['home']}/routers").mkdir(mode=0o711, parents=True, exist_ok=True)
    return f"{arguments['home']}/routers/{name}"


def _lock(folder: str) -> str:
    # Beside the folder: it must not vanish with it while somebody waits.
    return str(Path(folder).with_name(f".{Path(folder).name}.lock"))


def _bring_along(folder: str, arguments: JSONObject) -> None:
    """Put the certificate and the page where the router finds them."""
    router, route = _part(arguments, "router"), _part(arguments, "route")
    if router.get("certificate"):
        Path(folder, "tls").mkdir(mode=0o700, exist_ok=True)
        chain, key = str(router["certificate"]), str(router["key"])
        for name, content in (("certificate", chain), ("key", key), ("both", f"{chain.rstrip()}\n{key}")):
            _put(f"{folder}/tls/{name}.pem", content)
    if router.get("roots"):
        Path(folder, "tls").mkdir(mode=0o700, exist_ok=True)
        _put(f"{folder}/tls/roots.pem", str(router["roots"]))
    if route.get("maintenance"):
        _put(f"{arguments['home']}/traffic/{checked(str(route['server']))}/page", str(route["maintenance"]))


def _put(path: str, content: str) -> None:
    if not Path(path).is_file() or Path(path).read_bytes() != content.encode():
        write_whole(path, content.encode())


def _bring(folder: str, wanted: HostedRouter, program: str) -> bool:
    """Start it with the configuration on disk, or load that into the one that runs, if it runs with another."""
    if keeping.state(folder).kept:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and keeping.state(folder).kept:
            if engine(wanted.kind).serves(folder):
                return engine(wanted.kind).load(folder, wanted)
            time.sleep(keeping.POLL)
        keeping.stop(folder, grace=GRACE)  # it is of another kind, or past help
    _start(folder, engine(wanted.kind), program)
    return True


def _start(folder: str, program: Engine, path: str) -> None:
    keep = program.keep(folder, path)
    environment = keep["environment"]
    write_record(f"{folder}/environment", environment if isinstance(environment, dict) else {})
    keep = {"argv": keep["argv"], "cwd": folder, "user": "", "sandbox": False, "log_bytes": LOG_BYTES}
    write_record(f"{folder}/spec.json", {"format": 1, "keep": keep})
    keeping.keep(folder)
    while not program.serves(folder):
        found = keeping.state(folder)
        if found.restarts or not found.kept:
            keeping.stop(folder, grace=1)
            raise TargetFailed("the router does not start", why=_its_words(folder), hint=f"its log is {folder}/log")


def _its_words(folder: str) -> str:
    told = [_said(line) for line in tail(f"{folder}/log", 50).splitlines()]
    # HAProxy tells what is wrong first, and at the end that something is.
    return next((words for words in [*(one for one in told if one.startswith("[ALERT]")), *reversed(told)] if words), "it said nothing")


def _said(line: str) -> str:
    """What a line of its log says, where it is an error: JSON, or text before logging is set up."""
    try:
        entry = json.loads(line)
    except ValueError:
        return "" if line.startswith(("[NOTICE]", "[WARNING]")) else line
    if not isinstance(entry, dict) or entry.get("level") in ("debug", "info", "warn"):
        return ""
    return ": ".join(str(entry[name]) for name in ("msg", "error") if entry.get(name))


def _write(folder: str, program: Engine, router: HostedRouter) -> None:
    # The configuration last: `router.json` alone decides what it must be, so a crash between is seen and mended.
    write_router(folder, router)
    program.write(folder, router)


def _wanted(before: Optional[HostedRouter], arguments: JSONObject) -> HostedRouter:
    router, route = _part(arguments, "router"), _hosted(_part(arguments, "route"))
    others = [other for other in (before.routes if before else ()) if other.server != route.server]
    for other in others:
        if (other.host, other.path) == (route.host, route.path):
            raise Denied(
                f"{route.host or 'any host'}{route.path} leads to {other.server} already", hint="give one of them another host or path"
            )
    certificate, roots = (digest_of(router[name]) if router.get(name) else "" for name in ("certificate", "roots"))
    return HostedRouter(
        str(router["listen"]),
        str(router.get("tls") or "off"),
        tuple(sorted([*others, route])),
        str(router.get("kind") or "caddy"),
        certificate,
        str(router.get("authority") or ""),
        roots,
    )


def _hosted(route: JSONObject) -> HostedRoute:
    page = route.get("maintenance")
    return HostedRoute.from_json({**route, "page": digest_of(page) if page else ""})


def _check(wanted: HostedRouter, folder: str, before: Optional[HostedRouter]) -> None:
    program = engine(wanted.kind)
    if wanted.tls not in program.tls:
        raise Denied(f"tls: {wanted.tls} is not known to {wanted.kind}", hint=f"one of {', '.join(program.tls)}")
    if wanted.tls in ("automatic", "internal") and any(not route.host for route in wanted.routes):
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
