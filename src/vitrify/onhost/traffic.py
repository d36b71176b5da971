"""Switches traffic on this host: the payload's `router.*` calls.

A switch never loads a configuration: it renames one link, and the router reads the addresses anew for each request.
Folders and files are specified in `docs/formats/instances.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Set

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost import keeping, routing
from vitrify.onhost.admin import Admin
from vitrify.onhost.context import Context
from vitrify.onhost.record import read_record, sync_folder
from vitrify.onhost.slots import checked, make_set, point, prune


def switch(context: Context, arguments: JSONObject) -> JSONObject:
    """Send all new requests to these addresses, by one rename; repeating it is harmless."""
    intended = context.clock()
    folder, name = _known(arguments), str(arguments["set"])
    place = make_set(folder, name, arguments.get("addresses"))
    context.reached("router-switch.intent")
    if not Path(folder, "current").is_symlink() or str(Path(folder, "current").readlink()) != place:
        point(folder, place)
    switched = context.clock()
    context.reached("router-switch.act")
    sync_folder(folder)
    context.reached("router-switch.outcome")
    prune(folder)
    return {"intended_at": intended, "switched_at": switched}


def live(_: Context, arguments: JSONObject) -> JSONObject:
    """Where a server's requests go: `set` and `addresses`; `set` is "" before the first switch."""
    folder = f"{arguments['home']}/traffic/{checked(str(arguments['server']))}"
    record = read_record(f"{folder}/current/set.json") or {}
    return {"set": record.get("name", ""), "addresses": record.get("addresses", [])}


def in_flight(_: Context, arguments: JSONObject) -> JSONObject:
    """Requests that these addresses are still answering, over all routers that run here."""
    given = arguments.get("addresses")
    addresses = {str(address) for address in given} if isinstance(given, list) else set()
    count = sum(_requests(folder, addresses) for folder in _running(str(arguments["home"])))
    return {"requests": count}


def _requests(folder: str, addresses: Set[str]) -> int:
    found = Admin(folder).get("/reverse_proxy/upstreams").body
    listed: List[Dict[str, JSON]] = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    counts = [entry.get("num_requests") for entry in listed if entry.get("address") in addresses]
    return sum(count for count in counts if isinstance(count, int))


def _running(home: str) -> Iterator[str]:
    routers = Path(home, "routers")
    for folder in sorted(routers.glob("[!.]*")):
        if keeping.state(str(folder)).kept:
            yield str(folder)


def _known(arguments: JSONObject) -> str:
    server = checked(str(arguments["server"]))
    folder = f"{arguments['home']}/traffic/{server}"
    if not Path(folder).is_dir():
        raise TargetFailed(f"no router on this host knows {server}", hint="make sure of its route first")
    return folder


def _answers(context: Context, arguments: JSONObject) -> JSONObject:
    from vitrify.onhost.answering import answers  # TLS is loaded by whoever asks, and most calls do not

    return answers(context, arguments)


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {
    "router.ensure": routing.ensure,
    "router.release": routing.release,
    "router.switch": switch,
    "router.live": live,
    "router.in_flight": in_flight,
    "router.answers": _answers,
}
