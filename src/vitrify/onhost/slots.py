"""Where a server's requests go: a folder of twenty addresses for each set, and one link that names the current one."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.shares import SLOTS, is_share, shared
from vitrify.onhost.record import read_record, sync_folder
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.routes import checked

_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}:[0-9]{1,5}")
_NONE = "none"

GATE = "unix/gate.sock"
"""The address, from a router's folder, of what lets requests through that were held."""

SHUT = "unix/shut.sock"
"""And an address where nobody ever listens."""

KEPT_SETS = 8
"""Sets that stay beside the current one, so that going back to one writes nothing."""

HOLDS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0)
"""Seconds for which a request can be held: a wish is rounded down to one of these, or up to the shortest."""


def rounded(seconds: float) -> str:
    """The hold for such a wish, as the file `hold` says it."""
    return f"{max((hold for hold in HOLDS if hold <= seconds), default=HOLDS[0]):g}"


@dataclass(frozen=True)
class Leading:
    """Where a server's requests are led: to a set, a share of them to another beside it, or, without a name, nowhere yet."""

    name: str = ""
    addresses: Tuple[str, ...] = ()
    beside: str = ""
    beside_addresses: Tuple[str, ...] = ()
    percent: int = 0
    hold: str = ""
    """Seconds for which each request is held before that; empty: none is."""

    @classmethod
    def wished(cls, arguments: JSONObject) -> Leading:
        """What a switch asks for; TargetFailed where requests cannot be led so."""
        found = cls(checked(str(arguments["set"])), _addresses(arguments.get("addresses")))
        beside = arguments.get("beside")
        if not isinstance(beside, dict):
            return found
        percent = beside.get("percent")
        if not isinstance(percent, int) or not is_share(percent):
            raise TargetFailed(f"a share of {percent} % cannot be sent beside", hint="5 to 95, in steps of 5")
        return replace(found, beside=checked(str(beside["set"])), beside_addresses=_addresses(beside.get("addresses")), percent=percent)

    @classmethod
    def read(cls, folder: str) -> Leading:
        """What the folder of a set says."""
        record = read_record(f"{folder}/set.json") or {}
        second = record.get("beside")
        beside: JSONObject = second if isinstance(second, dict) else {}
        percent = beside.get("percent")
        return cls(
            str(record.get("name") or ""),
            _listed(record.get("addresses")),
            str(beside.get("set") or ""),
            _listed(beside.get("addresses")),
            percent if isinstance(percent, int) else 0,
            str(record.get("hold") or ""),
        )

    def to_json(self) -> JSONObject:
        """The form of `set.json`."""
        found: Dict[str, JSON] = {"name": self.name, "addresses": [*self.addresses]}
        if self.beside:
            found["beside"] = {"set": self.beside, "addresses": [*self.beside_addresses], "percent": self.percent}
        return {**found, "hold": self.hold} if self.hold else found

    @cached_property
    def place(self) -> str:
        """The folder of the set, from the server's: the addresses are part of its name, so a set that traffic goes to is never edited."""
        said: JSON = [*self.addresses]
        if self.beside:
            said = [said, [*self.beside_addresses], self.percent]
        name = f"{self.name}.{digest_of(said)[-12:]}" if self.name else _NONE
        return f"sets/{name}.held-{self.hold}" if self.hold else f"sets/{name}"

    @property
    def slots(self) -> Tuple[str, ...]:
        """The address of each slot."""
        return shared(self.addresses, self.beside_addresses, self.percent) if self.name else (SHUT,) * SLOTS

    def gives(self, addresses: Tuple[str, ...]) -> bool:
        """Whether all of these get requests."""
        return bool(addresses) and set(addresses) <= {*self.addresses, *self.beside_addresses}


def _addresses(value: JSON) -> Tuple[str, ...]:
    given = _listed(value)
    if not given or len(given) > SLOTS or not all(_ADDRESS.fullmatch(address) for address in given):
        raise TargetFailed(f"traffic cannot be sent to {list(given)}", hint=f"one to {SLOTS} addresses, each host:port")
    return given


def _listed(value: Optional[JSON]) -> Tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def streaming(address: str) -> str:
    """The same address under a name of its own, by which what is open there is counted apart."""
    return f"[::ffff:{address.rpartition(':')[0]}]:{address.rpartition(':')[2]}" if _IPV4.fullmatch(address) else address


def make_set(folder: str, leading: Leading) -> None:
    """Make the folder of a set, complete or not at all."""
    place = f"{folder}/{leading.place}"
    if not os.path.isfile(f"{place}/hold"):  # noqa: PTH113  a switch takes as long as the paths that it makes
        making = f"{place}.making"
        remove_tree(making)
        Path(making).mkdir(parents=True)
        _fill(making, leading, _known(folder, leading))
        remove_tree(place)  # of a version that wrote less: what the router reads now, it reads again within the request
        Path(making).rename(place)
        sync_folder(str(Path(place).parent))


def _known(folder: str, leading: Leading) -> Dict[str, str]:
    """Contents that are on the disk already, and their files: of a set of the same addresses, as a rollback finds it, or the current."""
    same = f"*{leading.place[leading.place.rfind('.') :]}" if leading.name and not leading.hold else ""
    sets = [*(Path(folder, "sets").glob(same) if same else ()), Path(folder, current(folder) or "none")]
    found = next((place for place in sets if (place / "hold").is_file()), None)
    return {file.read_text(encoding="utf-8"): str(file) for file in found.iterdir()} if found else {}


def _fill(making: str, leading: Leading, known: Dict[str, str]) -> None:
    """`known` grows by what is written."""
    said = {"set.json": json.dumps(leading.to_json(), sort_keys=True), "gate": SHUT if leading.hold or not leading.name else GATE}
    said["hold"] = leading.hold or ("0" if leading.name else _NONE)
    for slot, address in enumerate(leading.slots):
        said[str(slot)], said[f"w{slot}"] = address, streaming(address)
    # One file for each content and links to it: a sync for each of forty files takes longer than the switch.
    for name, content in said.items():
        if content in known:
            os.link(known[content], f"{making}/{name}")
        else:
            known[content] = f"{making}/{name}"
            _write(known[content], content)
    sync_folder(making)


def _write(path: str, content: str) -> None:
    with Path(path).open("x", encoding="utf-8") as file:
        Path(path).chmod(0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def current(folder: str) -> str:
    """The set that requests are led to, from the server's folder; empty where there is none."""
    try:
        return os.readlink(f"{folder}/current")  # noqa: PTH115  the same
    except OSError:
        return ""


def aim(folder: str, place: str) -> None:
    """Have the link ready that `point` puts in place, where there is another now. What a call that was killed has left over goes."""
    new = f"{folder}/.current"
    with suppress(FileNotFoundError):
        os.unlink(new)  # noqa: PTH108  the same
    if current(folder) != place:
        os.symlink(place, new)  # noqa: PTH211  the same


def point(folder: str) -> None:
    """Make the set that was aimed at the current one, by one rename; whoever calls makes it durable."""
    with suppress(FileNotFoundError):  # it is that already
        os.rename(f"{folder}/.current", f"{folder}/current")  # noqa: PTH104  the same


def begins(folder: str, leading: Leading) -> None:
    """Note that a set gets requests from now on: the time of its folder says since when its answers are measured."""
    if current(folder) != leading.place:
        os.utime(f"{folder}/{leading.place}")


def serve_nothing_yet(folder: str) -> None:
    """Give a server something that answers until its first switch; and all that is read of a set to one that an older version made."""
    place = current(folder)
    if place and Path(folder, place, "hold").is_file():
        return
    leading = Leading.read(f"{folder}/{place}") if place else Leading()
    make_set(folder, leading)
    aim(folder, leading.place)
    point(folder)
    sync_folder(folder)


def prune(folder: str, keep: List[str]) -> None:
    """Remove old sets, but for those that are kept for something else."""
    known = {f"sets/{_NONE}", current(folder), *keep}
    sets = [place for place in Path(folder, "sets").iterdir() if f"sets/{place.name}" not in known]
    for place in sorted(sets, key=lambda place: place.stat().st_mtime, reverse=True)[KEPT_SETS:]:
        remove_tree(str(place))
