"""What the answers of a set were like, by the access logs of the routers here: counted when asked, and by nobody in between."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Iterator, Optional, Set, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.timing import within
from vitrify.onhost.context import Context
from vitrify.onhost.engine import engine
from vitrify.onhost.routes import checked, folders, read_router
from vitrify.onhost.slots import Leading

FAILED = 500
"""The lowest status that is an error of the server."""

_NEAR = 1 << 16
"""Bytes among which the first line of interest is looked for line by line."""


def measured(_: Context, arguments: JSONObject) -> JSONObject:
    """`requests`, `errors` and `p95` of these addresses since the last switch that gave them requests; zero where none did."""
    listed = arguments.get("addresses")
    addresses = tuple(str(address) for address in listed) if isinstance(listed, list) else ()
    since = _since(f"{arguments['home']}/traffic/{checked(str(arguments['server']))}", addresses)
    found = list(_answers(str(arguments["home"]), set(addresses), since)) if since is not None else []
    return {
        "requests": len(found),
        "errors": sum(status >= FAILED for status, _ in found),
        "p95": within([seconds for _, seconds in found], 95),
    }


def _since(folder: str, addresses: Tuple[str, ...]) -> Optional[float]:
    """When these addresses were last given requests: the time of the newest set that leads to all of them, held or not."""
    places = [place for place in Path(folder, "sets").glob("*") if Leading.read(str(place)).gives(addresses)]
    return max((place.stat().st_mtime for place in places if ".held-" not in place.name), default=None)


def _answers(home: str, addresses: Set[str], since: float) -> Iterator[Tuple[int, float]]:
    for folder in folders(home):
        router = read_router(folder)
        for log in engine(router.kind).logs(folder) if router else ():
            yield from _of_log(log, addresses, since)


def _of_log(log: str, addresses: Set[str], since: float) -> Iterator[Tuple[int, float]]:
    try:
        with Path(log).open("rb") as file:
            file.seek(_start(file.fileno(), since))
            for line in file:
                entry = _entry(line)
                if entry is not None and _time(entry) >= since and _address(entry) in addresses:
                    yield _status(entry), _seconds(entry)
    except FileNotFoundError:
        return  # it was just renamed to make room for the next one, and is read under its new name


def _start(descriptor: int, since: float) -> int:
    """Where in a log of growing times to begin: somewhat before the first line that is not older."""
    low, high = 0, os.fstat(descriptor).st_size
    while high - low > _NEAR:
        middle = (low + high) // 2
        lines = os.pread(descriptor, _NEAR, middle).split(b"\n")[1:-1]
        times = [_time(entry) for entry in map(_entry, lines) if entry is not None]
        low, high = (middle, high) if times and times[0] < since else (low, middle)
    # The line that a byte lies in is whole again after its end; what is before it is older.
    return low


def _entry(line: bytes) -> Optional[JSONObject]:
    """A line of an access log; None for any other."""
    if not line.startswith(b"{"):
        return None
    try:
        found: JSON = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "to" in found else None


def _number(value: Optional[JSON]) -> float:
    try:
        return float(value) if isinstance(value, (int, float, str)) else 0.0
    except ValueError:
        return 0.0


def _time(entry: JSONObject) -> float:
    """When it was answered."""
    return _number(entry["ts"]) if "ts" in entry else _number(entry.get("began")) + _number(entry.get("lasted_ms")) / 1000


def _status(entry: JSONObject) -> int:
    return int(_number(entry.get("status")))


def _address(entry: JSONObject) -> str:
    """The address that answered or did not, without the name of its network; streams are under a name of their own."""
    return str(entry.get("to") or "").rpartition("/")[2].replace("[::ffff:", "").replace("]:", ":")


def _seconds(entry: JSONObject) -> float:
    """What the set took: not what a request was held before that."""
    took = _number(entry.get("took_ms"))
    return took / 1000 if took > 0 else _number(entry.get("duration"))
