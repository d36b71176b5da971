"""HAProxy as a router: it is told over its socket where to lead; only a new route or certificate makes another process of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ContextManager, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost import keeping
from vitrify.onhost.console import OLDER, Console
from vitrify.onhost.engine import Act
from vitrify.onhost.haproxy import HANDOVER, HOLDS, LIVE, MASTER, TLS, Placed, config, identity, lua, maps, place, streams
from vitrify.onhost.record import as_bytes, read_record, sync_folder, write_together, write_whole
from vitrify.onhost.routes import HostedRouter, read_router
from vitrify.onhost.slots import Leading

_PATIENCE = 20.0
_ADDRESS = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-f:]+\]):[0-9]{1,5}")
_IDENTITY = re.compile(r"^  description (\S+)$", re.MULTILINE)
_CONFIG, _LED = "haproxy.cfg", "led.json"


class Haproxy:
    """An `Engine`. `led.json` notes which set is in which of a server's places; the running process knows which of them is live."""

    told = True
    tls: Tuple[str, ...] = TLS

    def write(self, folder: str, router: HostedRouter) -> None:
        """Write the configuration, and the maps of where servers lead."""
        with _lock(folder):
            led = _heard(folder, _read(folder))
            known = {route.server: led.get(route.server, _found(folder, route.server)) for route in router.routes}
            _write(folder, router, known)
            for left in Path(folder).glob("*.unsure"):
                if left.name.rsplit(".", 2)[0] not in known:
                    left.unlink()

    def written(self, folder: str, router: HostedRouter) -> bool:
        """Whether `haproxy.cfg` is that."""
        path = Path(folder, _CONFIG)
        found = _IDENTITY.search(path.read_text(encoding="utf-8")) if path.is_file() else None
        return found is not None and found[1] == identity(router, _read(folder))

    def keep(self, folder: str, program: str) -> JSONObject:
        """Run it as one process that keeps another, which serves."""
        environment: JSONObject = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder}
        return {"argv": [program, "-W", "-db", "-S", f"unix@{MASTER},mode,600", "-f", _CONFIG], "environment": environment}

    def serves(self, folder: str) -> bool:
        """Whether it answers."""
        return Console(folder).info() is not None

    def load(self, folder: str, router: HostedRouter) -> bool:
        """Let a new process take over the sockets, unless the one that runs was started with the same; the old one ends what it began."""
        with _lock(folder):
            return _reload(folder, router)

    @contextmanager
    def ready(self, folder: str, server: str, leading: Leading) -> Iterator[Act]:
        """Put the set in one of the server's places, if it is in none; the word says which place it is."""
        with _lock(folder):  # a process that takes over at this moment would not hear the word
            number = _placed(folder, server, replace(leading, hold="")) if leading.name else -1
            yield partial(_lead, folder, server, number, round(float(leading.hold or 0) * 1000))

    def settle(self, folder: str, server: str) -> None:
        """Note what the process says, for the next one."""
        with _lock(folder):
            _note(folder, _heard(folder, _read(folder)))

    def led(self, folder: str, server: str) -> Optional[str]:
        """What the process says; what is noted, where none runs."""
        placed = _heard(folder, _read(folder)).get(server)
        if placed is None:
            return None
        base = placed.sets[placed.live] if 0 <= placed.live < len(placed.sets) else "sets/none"
        return f"{base}.held-{placed.hold / 1000:g}" if placed.hold else base

    def kept(self, folder: str, server: str) -> List[str]:
        """The sets in its places."""
        return [one for one in _read(folder).get(server, Placed()).sets if one]

    def in_flight(self, folder: str, addresses: Sequence[str]) -> int:
        """The sessions of all servers with these addresses, but for streams that hold nobody back."""
        wanted = set(addresses)
        rows = [row for row in Console(folder).all_rows() if row.get("addr") in wanted and not row["pxname"].endswith(streams(""))]
        return sum(int(row["scur"] or 0) for row in rows)

    def logs(self, folder: str) -> List[str]:
        """What its shim keeps of its output."""
        return [f"{folder}/log.1", f"{folder}/log"]


def _lock(folder: str) -> ContextManager[None]:
    return keeping.lock(f"{folder}/led.lock")


def _reload(folder: str, router: HostedRouter) -> bool:
    wanted = identity(router, _read(folder))
    if _running(folder) == wanted:
        return False
    _check(folder)
    # What was led meanwhile is led on: the new process reads it from the maps.
    _note(folder, _heard(folder, _read(folder)))
    master = keeping.state(folder).child
    if master is None:
        return False
    write_whole(f"{folder}/{OLDER}", b"")
    os.kill(master.pid, signal.SIGUSR2)
    until = time.monotonic() + _PATIENCE
    while _running(folder) != wanted:
        if time.monotonic() > until or not keeping.state(folder).kept:
            raise TargetFailed("the router did not take its new configuration", why=keeping.last_words(folder))
        time.sleep(keeping.POLL)
    _hand_over(folder)
    return True


def _hand_over(folder: str) -> None:
    """Have every process that another one took over from hand on what it is still asked: on connections that clients kept."""
    mark = Path(folder, OLDER)
    if not os.path.exists(mark) or mark.read_bytes():  # noqa: PTH110  the same
        return
    for older in Console(folder).older():
        for server in older.map(LIVE):
            older.ask(f"set map {LIVE} {server} {HANDOVER}", f"set map {HOLDS} {server} 0")
    write_whole(str(mark), b"told\n")


def _note(folder: str, led: Mapping[str, Placed]) -> None:
    """Write where servers lead, for the next process."""
    router = read_router(folder)
    if router is None:
        return
    write_together(folder, {_LED: as_bytes(_record(led)), **_said(router, led)})


def _said(router: HostedRouter, led: Mapping[str, Placed]) -> Dict[str, bytes]:
    return {name: content.encode() for name, content in maps(router, led).items()}


def _lead(folder: str, server: str, number: int, hold: int) -> None:
    """Lead to a place, by one word."""
    held, led = f"set map {HOLDS} {server} {hold}", f"set map {LIVE} {server} {place(server, number)}"
    try:
        # Who is to wait waits before it leads elsewhere; who waited goes where it leads by then.
        Console(folder).tell(*((held, led) if hold else (led, held)))
        _hand_over(folder)
    except TargetFailed:
        if keeping.state(folder).kept:
            raise
        known = _read(folder)
        _note(folder, {**known, server: replace(known.get(server, Placed()), live=number, hold=hold)})


def _placed(folder: str, server: str, leading: Leading) -> int:
    """The place of a set, on disk and in the process; where it is in none, it is put into one."""
    known = _read(folder)
    placed = known.get(server, Placed())
    if leading.place in placed.sets and not os.path.exists(_unsure(folder, server, placed.sets.index(leading.place))):  # noqa: PTH110  as in slots
        return placed.sets.index(leading.place)
    router = read_router(folder)
    if router is None or any(not _ADDRESS.fullmatch(address) for address in leading.slots):
        raise TargetFailed("HAProxy is told addresses and no names", why=f"{server} is to lead to {', '.join(leading.addresses)}")
    led = _heard(folder, known)
    placed = led.get(server, Placed())
    number = placed.sets.index(leading.place) if leading.place in placed.sets else _free(folder, server, placed)
    unsure = Path(_unsure(folder, server, number))
    unsure.touch(0o600)
    sync_folder(folder)
    _write(folder, router, {**led, server: placed.holding(leading.place, number)})
    if keeping.state(folder).kept and not _reload(folder, router):
        _fill(folder, router, place(server, number), leading.slots)
    unsure.unlink()
    return number


def _unsure(folder: str, server: str, number: int) -> str:
    """The file that is there while a place may be led to by one name and hold another's addresses: a call that is killed leaves it."""
    return f"{folder}/{place(server, number)}.unsure"


def _free(folder: str, server: str, placed: Placed) -> int:
    """A place in which nothing is under way; one more than there are, where all are busy."""
    busy: Dict[str, int] = {}
    for row in Console(folder).all_rows() if keeping.state(folder).kept else ():
        name = row["pxname"].partition(":")[0]
        busy[name] = busy.get(name, 0) + int(row["scur"] or 0)
    free = [number for number in range(len(placed.sets)) if number != placed.live and not busy.get(place(server, number))]
    unused = [number for number in free if not placed.sets[number]]
    # Of those that are used, the one that comes after the live one in the round was switched away from longest ago.
    in_turn = sorted(free, key=lambda number: (number - placed.live - 1) % len(placed.sets))
    return next(iter([*unused, *in_turn]), len(placed.sets))


def _running(folder: str) -> str:
    info = Console(folder).info()
    return info.get("description", "") if info else ""


def _check(folder: str) -> None:
    spec = read_record(f"{folder}/spec.json") or {}
    keep = spec.get("keep")
    argv = keep.get("argv") if isinstance(keep, dict) else None
    program = str(argv[0]) if isinstance(argv, list) else "haproxy"
    done = subprocess.run([program, "-c", "-q", "-f", _CONFIG], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TargetFailed("the router refused its new configuration", why=done.stderr.strip()[-500:], hint="it runs on with the old one")


def _fill(folder: str, router: HostedRouter, name: str, addresses: Sequence[str]) -> None:
    server = name.rpartition(".")[0]
    apart = any(route.server == server and route.websockets == "close" for route in router.routes)
    for backend in (name, streams(name)) if apart else (name,):
        Console(folder).ask(*(_move(backend, slot, address) for slot, address in enumerate(addresses)))
    found = Console(folder).addresses(name)
    if found != list(addresses):
        raise TargetFailed(f"the router did not take the addresses of {name}", why=f"it has {found}")


def _move(backend: str, slot: int, address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"set server {backend}/s{slot} addr {host.strip('[]')} port {port}"


def _read(folder: str) -> Dict[str, Placed]:
    record = read_record(f"{folder}/{_LED}") or {}
    return {server: Placed.from_json(placed) for server, placed in record.items() if isinstance(placed, dict)}


def _record(led: Mapping[str, Placed]) -> JSONObject:
    found: Dict[str, JSON] = {server: placed.to_json() for server, placed in led.items()}
    return found


def _heard(folder: str, led: Dict[str, Placed]) -> Dict[str, Placed]:
    """The same, with what the running process says of it."""
    if not keeping.state(folder).kept:
        return led
    try:
        live, holds = Console(folder).map(LIVE), Console(folder).map(HOLDS)
    except TargetFailed:
        return led  # it is just being started, with what is noted
    return {server: _as_said(server, placed, live, holds) for server, placed in led.items()}


def _as_said(server: str, placed: Placed, live: Mapping[str, str], holds: Mapping[str, str]) -> Placed:
    if server not in live:
        return placed
    number = live[server].rpartition(".")[2]
    return replace(placed, live=int(number) if number.isdigit() else -1, hold=int(holds.get(server, "0")))


def _found(folder: str, server: str) -> Placed:
    """Where a server that comes to this router was led by another."""
    traffic = f"{Path(folder).parents[1]}/traffic/{server}/current"
    leading = Leading.read(traffic)
    if not leading.name or any(not _ADDRESS.fullmatch(address) for address in leading.slots):
        return Placed()
    found = Placed(live=0, hold=round(float(leading.hold or 0) * 1000))
    return found.holding(replace(leading, hold="").place, 0)


def _write(folder: str, router: HostedRouter, led: Mapping[str, Placed]) -> None:
    traffic = Path(folder).parents[1] / "traffic"
    slots: Dict[str, Tuple[str, ...]] = {}
    for server, placed in led.items():
        for number, one in enumerate(placed.sets):
            if one:
                slots[place(server, number)] = Leading.read(str(traffic / server / one)).slots
    written = {_LED: as_bytes(_record(led)), "hold.lua": lua().encode(), _CONFIG: config(router, led, slots).encode()}
    write_together(folder, {**written, **_said(router, led)})


ENGINE = Haproxy()
