"""The kind `swap`: a file that memory is moved out to, in use now and at every start."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import place, programs, systemctl, table
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, System, Target

_USED = "/proc/swaps"
_SIZE = re.compile(r"([1-9][0-9]*)([KMGT])")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_BLOCK = 2**20
_SLOW = 3600.0
"""Seconds that filling the file may take."""


def _swap_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    match = _SIZE.fullmatch(str(values.get("size", "1M")))
    if match is None:
        found.append(Problem(("size",), f"{values['size']!r} is no size", "a whole number and K, M, G or T, as in 2G"))
    elif _bytes(str(values.get("size", "1M"))) % _BLOCK:
        found.append(Problem(("size",), "a swap file is a whole number of megabytes", "as in 512M"))
    if any(character.isspace() for character in str(values["path"])):
        found.append(Problem(("path",), "the path of a swap file cannot hold spaces", "the kernel lists them by words"))
    return found


class Swap(Kind):
    """A file that memory is moved out to.

    The file is filled with zeros (holes are refused by the kernel), for root alone, used at once, and has its line in /etc/fstab.
    Another size means that it is emptied into memory, made anew and used again. Absent, or once it left the declaration, it is
    used no more and goes. It has no meaning in an image; in a folder the line alone is written.
    """

    name = "swap"
    phases = frozenset({Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the file", required=True),
            "size": Field(Type.TEXT, "how large it is: a whole number and K, M, G or T, as in 2G"),
        },
        needs_one_of=(("size",),),
        rules=(_swap_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The file."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """The line, the size, and that it is used."""
        if resource.absent:
            return MISSING
        return {"type": "swap", "fstab": "as wished", "size": _bytes(str(resource.fields["size"])), "mode": "0600", "used": True}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The line, and on a live host the file and whether it is used."""
        state = table.state(table.read(table.FSTAB, system), _line(resource))
        table_stat = system.stat(table.FSTAB)
        body = place.body(table.FSTAB, table_stat, system) if table_stat else None
        if not _live(system):
            held = {} if resource.absent else {**self.desired(resource), "fstab": state}
            return Observation(resource.address, dict(MISSING) if state == "missing" else {"type": "swap", **held}, body)
        path = str(resource.fields["path"])
        stat, used = system.stat(path), _used(path, system)
        if state == "missing" and stat is None and not used:
            return Observation(resource.address, dict(MISSING))
        found: Dict[str, JSON] = {"type": "swap", "fstab": state, "used": used, "size": 0}
        found.update({"size": stat.size, "mode": stat.mode} if stat is not None else {})
        return Observation(resource.address, found, body)

    def enact(self, change: Change, system: System) -> None:
        """Make the file, use it, and write the line last; or all of it the other way round."""
        resource, path = change.resource, str(change.resource.fields["path"])
        if change.action is Action.REMOVE:
            table.put(_line(resource), system, absent=True)
            if _live(system):
                _stop(path, system)
                system.remove(path)
            _reload(system)
            return
        if _live(system):
            _make(path, int(str(change.after["size"])), system)
        if "fstab" in change.after:
            table.put(_line(resource), system, absent=False)
        _reload(system)

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo systemd must read the former table."""
        _reload(system)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The table. What is in the file is nobody's to keep."""
        return (table.FSTAB,)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The table."""
        return (table.FSTAB,)

    def inverse(self, change: Change) -> Optional[Change]:
        """No file where there was none, and one of the former size where there was one."""
        resource, before = change.resource, change.before
        if before.get("type") == "missing":
            return Change(resource, Action.REMOVE, before=change.after, after=MISSING)
        size = before.get("size")
        if not isinstance(size, int) or not size or change.after.get("size") == size:
            return None
        return Change(resource, Action.UPDATE, before=change.after, after={"type": "swap", "size": size, "used": True})

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it, what is mounted there, and the table."""
        path = str(resource.fields["path"])
        mounts = tuple(Address("mount", folder) for folder in place.ancestors(path))
        first = (Address("file", table.FSTAB), *mounts)
        return (*place.after_folders(resource, path, others), *(one for one in first if one in others and not others[one].absent))

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a swap file."""
        words = {
            "used differs": "is not used",
            "size differs": f"its size is {change.before.get('size')} bytes",
            "fstab missing -> as wished": "is not in /etc/fstab",
            "fstab other -> as wished": "its line in /etc/fstab differs",
        }
        return tuple(words.get(reason, reason) for reason in change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The whole table with the line in it."""
        return None if seen.body is None else table.edited(seen.body, _line(resource), absent=resource.absent)


def _bytes(size: str) -> int:
    match = _SIZE.fullmatch(size)
    return int(match.group(1)) * _UNITS[match.group(2)] if match else 0


def _line(resource: Resource) -> table.Line:
    return table.Line(str(resource.fields["path"]), "none", "swap", "sw")


def _live(system: System) -> bool:
    return system.target is Target.HOST and system.stat(_USED) is not None


def _used(path: str, system: System) -> bool:
    return any(line.split()[:1] == [path] for line in table.read(_USED, system).splitlines())


def _stop(path: str, system: System) -> None:
    if _used(path, system):
        programs.run(system, "swapoff", path, hint="what it holds must fit into memory", timeout=_SLOW)


def _make(path: str, size: int, system: System) -> None:
    """A file whose size is right was filled: it grows as it is filled, and is used only after that."""
    stat = system.stat(path)
    if stat is not None and stat.type != "file":
        raise TargetFailed(f"{path} cannot be a swap file", why=f"it is a {stat.type}", hint="name another path")
    if stat is None or stat.size != size:
        place.need_parent(path, system)
        _stop(path, system)
        system.remove(path)
        system.write(path, b"", attributes=Attributes(mode="0600"))
        fill = ("dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={size // _BLOCK}", "conv=fsync", "status=none")
        programs.run(system, *fill, hint="is there room for it?", timeout=_SLOW)
    system.set_attributes(path, Attributes(mode="0600"))
    if not _used(path, system):
        programs.run(system, "mkswap", path)
        programs.run(system, "swapon", path, hint="the kernel refuses files of some file systems, and containers may not")


def _reload(system: System) -> None:
    if systemctl.live(system):
        systemctl.tell(system, "daemon-reload")
