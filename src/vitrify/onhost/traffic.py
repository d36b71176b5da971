"""Switches traffic on this host: the payload's `router.*` calls.

A switch never loads a configuration: it renames one link, which Caddy reads anew for each request, or tells HAProxy one word.
Folders and files are specified in `docs/formats/instances.md`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, Mapping, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.onhost import keeping, routing
from vitrify.onhost.context import Context
from vitrify.onhost.engine import Act, Engine, engine
from vitrify.onhost.record import sync_folder
from vitrify.onhost.routes import checked, folders, read_router
from vitrify.onhost.slots import Leading, aim, begins, current, make_set, point, prune, rounded

Led = Tuple[str, Engine]
"""The folder of a router, and the program that it is."""


def switch(context: Context, arguments: JSONObject) -> JSONObject:
    """Send all new requests to these addresses, in one step; repeating it is harmless."""
    intended = context.clock()
    folder = _known(arguments)
    wished = Leading.wished(arguments)
    with keeping.lock(_lock(folder)):
        routers = list(_leading(arguments))
        make_set(folder, wished)
        begins(folder, wished)
        with _ready(folder, routers, wished) as lead:
            prepared = context.clock()
            context.reached("router-switch.intent")
            lead()
            switched = context.clock()
        context.reached("router-switch.act")
        _settle(folder, routers, wished)
        context.reached("router-switch.outcome")
        prune(folder, [place for path, program in routers for place in program.kept(path, Path(folder).name)])
    return {"intended_at": intended, "prepared_at": prepared, "switched_at": switched}


def pause(context: Context, arguments: JSONObject) -> JSONObject:
    """Hold new requests, each for so many seconds; the set stays what it is."""
    seconds = arguments["at_most"]
    return _held(context, arguments, rounded(float(seconds)) if isinstance(seconds, (int, float)) else "")


def resume(context: Context, arguments: JSONObject) -> JSONObject:
    """Let them go on; harmless where none is held."""
    if not Path(_server(arguments)).is_dir():
        return {}
    return _held(context, arguments, "")


def _held(context: Context, arguments: JSONObject, hold: str) -> JSONObject:
    folder = _known(arguments)
    with keeping.lock(_lock(folder)):
        routers = list(_leading(arguments))
        leading = replace(_read(folder, routers), hold=hold)
        make_set(folder, leading)
        with _ready(folder, routers, leading) as lead:
            context.reached("router-hold.intent")
            lead()
        context.reached("router-hold.act")
        _settle(folder, routers, leading)
        context.reached("router-hold.outcome")
    return {}


@contextmanager
def _ready(folder: str, routers: List[Led], leading: Leading) -> Iterator[Act]:
    """Within, all is done that takes long or may fail: what it gives says one word to each program that is told, and renames one link."""
    with ExitStack() as held:
        acts = [held.enter_context(program.ready(path, Path(folder).name, leading)) for path, program in routers]
        if not all(program.told for _, program in routers) or not routers:
            aim(folder, leading.place)
            acts.append(partial(point, folder))
        yield partial(_all, acts)


def _all(acts: List[Act]) -> None:
    for act in acts:
        act()


def _settle(folder: str, routers: List[Led], leading: Leading) -> None:
    # What programs were told is the truth, and the link follows.
    aim(folder, leading.place)
    point(folder)
    for path, program in routers:
        program.settle(path, Path(folder).name)
    sync_folder(folder)


def live(_: Context, arguments: JSONObject) -> JSONObject:
    """Where a server's requests go: `set`, `addresses`, `beside` and `hold`; `set` is "" before the first switch."""
    leading = _read(_server(arguments), list(_leading(arguments)))
    found = leading.to_json()
    return {"set": found.pop("name"), "hold": "", "beside": None, **found}


def _read(folder: str, routers: List[Led]) -> Leading:
    told = next((place for path, program in routers for place in [program.led(path, Path(folder).name)] if place is not None), None)
    return Leading.read(f"{folder}/{current(folder) or 'none' if told is None else told}")


def in_flight(_: Context, arguments: JSONObject) -> JSONObject:
    """Requests that these addresses are still answering, over all routers that run here."""
    given = arguments.get("addresses")
    addresses = [str(address) for address in given] if isinstance(given, list) else []
    running = [(path, router) for path in folders(str(arguments["home"])) for router in [read_router(path)] if router is not None]
    return {"requests": sum(engine(router.kind).in_flight(path, addresses) for path, router in running if keeping.state(path).kept)}


def _leading(arguments: JSONObject) -> Iterator[Led]:
    """The routers that know this server."""
    server = str(arguments["server"])
    for path in folders(str(arguments["home"])):
        router = read_router(path)
        if router is not None and any(route.server == server for route in router.routes):
            yield path, engine(router.kind)


def _server(arguments: JSONObject) -> str:
    return f"{arguments['home']}/traffic/{checked(str(arguments['server']))}"


def _lock(folder: str) -> str:
    return f"{folder}/.lock"


def _known(arguments: JSONObject) -> str:
    folder = _server(arguments)
    if not Path(folder).is_dir():
        raise TargetFailed(f"no router on this host knows {arguments['server']}", hint="make sure of its route first")
    return folder


def _answers(context: Context, arguments: JSONObject) -> JSONObject:
    from vitrify.onhost.answering import answers  # TLS is loaded by whoever asks, and most calls do not

    return answers(context, arguments)


def _looks(context: Context, arguments: JSONObject) -> JSONObject:
    from vitrify.onhost.answering import looks

    return looks(context, arguments)


def _measured(context: Context, arguments: JSONObject) -> JSONObject:
    from vitrify.onhost.measuring import measured  # a switch has no use for it

    return measured(context, arguments)


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {
    "router.ensure": routing.ensure,
    "router.release": routing.release,
    "router.switch": switch,
    "router.pause": pause,
    "router.resume": resume,
    "router.live": live,
    "router.measured": _measured,
    "router.in_flight": in_flight,
    "router.answers": _answers,
    "router.looks": _looks,
}
