"""The kind `mount`: a file system at a folder, now and at every start."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import place, programs, systemctl, table
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System, Target

OTHER = "something else"
_MOUNTS = "/proc/self/mounts"


def _mount_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    for name in ("source", "fstype", "options"):
        text = str(values.get(name, "x"))
        if not text or any(ord(character) < 32 for character in text) or (name != "source" and any(one.isspace() for one in text)):
            found.append(Problem((name,), f"`{name}` is one word", "options are separated by commas alone" if name == "options" else ""))
    if values.get("fstype") == "swap":
        found.append(Problem(("fstype",), "swap is mounted nowhere", "declare a `swap`"))
    found += [
        Problem((name,), "expected 0 or more")
        for name in ("dump", "pass")
        if isinstance(values.get(name), int) and int(str(values[name])) < 0
    ]
    return found


class Mount(Kind):
    """A file system at a folder.

    Writes its line into /etc/fstab and leaves all others alone; on a live host it is mounted at once, and remounted where its options
    change. With the option `noauto` it is only written. The folder must be there: declare a `directory`. Absent, or once it left
    the declaration, it is unmounted and its line goes; what is stored in it stays.
    """

    name = "mount"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the folder it is mounted at", required=True),
            "source": Field(Type.TEXT, "what is mounted: a device, UUID=…, HOST:/PATH, tmpfs"),
            "fstype": Field(Type.TEXT, "the type of the file system"),
            "options": Field(Type.TEXT, "its options, separated by commas; `defaults` where not given"),
            "dump": Field(Type.INTEGER, "whether `dump` saves it; 0 where not given"),
            "pass": Field(Type.INTEGER, "when it is checked at a start: 1 the root, 2 others, 0 never, which is the default"),
        },
        needs_one_of=(("source",), ("fstype",)),
        rules=(_mount_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The folder."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """The line, and that it is mounted."""
        if resource.absent:
            return MISSING
        mounted: Dict[str, JSON] = {} if _only_written(resource) else {"mounted": True}
        return {"type": "mount", "fstab": "as wished", **mounted}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The line, and on a live host what is mounted there."""
        state = table.state(table.read(table.FSTAB, system), _line(resource))
        mounted = _mounted(resource, system) if _live(system) else not resource.absent
        needed = _live(system) and system.stat(str(resource.fields["path"])) is None
        folder: Dict[str, JSON] = {"folder": "missing"} if needed else {}
        if state == "missing" and (not mounted or not (resource.absent or _live(system))):
            return Observation(resource.address, {**MISSING, **folder, "mounted": mounted})
        stat = system.stat(table.FSTAB)
        body = place.body(table.FSTAB, stat, system) if stat else None
        return Observation(resource.address, {"type": "mount", "fstab": state, "mounted": mounted, **folder}, body)

    def enact(self, change: Change, system: System) -> None:
        """Mount first and write last: a line that is as wished tells that the rest was done."""
        resource, live = change.resource, _live(system)
        if live and (change.action is Action.REMOVE or change.after.get("mounted") is False):
            _unmount(resource, system)
        elif live and "mounted" in change.after:
            _mount(resource, system)
        if change.action is Action.REMOVE or "fstab" in change.after:
            table.put(_line(resource), system, absent=change.action is Action.REMOVE)
            _reload(system)

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo: by the options that the table says now."""
        _reload(system)
        path = str(resource.fields["path"])
        named = [line for line in map(table.parsed, table.read(table.FSTAB, system).splitlines()) if line is not None and line.path == path]
        if _live(system) and named and table.mounted(path, system) is not None:
            programs.run(system, "mount", "-o", "remount", path)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The table."""
        return (table.FSTAB,)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The table."""
        return (table.FSTAB,)

    def inverse(self, change: Change) -> Optional[Change]:
        """Mounted or not, as before; the line is put back by itself."""
        before = change.before.get("mounted")
        if not isinstance(before, bool) or before == change.after.get("mounted", False):
            return None
        return Change(change.resource, Action.UPDATE, before=change.after, after={"type": "mount", "mounted": before})

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folder, the table, and what is mounted above it; absent, before these."""
        path = str(resource.fields["path"])
        above = tuple(Address("mount", folder) for folder in place.ancestors(path))
        first = (Address("directory", path), Address("file", table.FSTAB), *above)
        return (*place.after_folders(resource, path, others), *(one for one in first if one in others and not others[one].absent))

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """A change that brings the folder."""
        address = Address("directory", str(change.resource.fields["path"]))
        return f"{address} brings the folder" if change.before.get("folder") == "missing" and address in earlier else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a mount."""
        if change.before.get("folder") == "missing" and "mounted" in change.after:
            return ("the folder does not exist: this will fail unless it does by then",)
        words = {
            "mounted differs": "something else is mounted there" if change.before.get("mounted") == OTHER else "is not mounted",
            "fstab missing -> as wished": "is not in /etc/fstab",
            "fstab other -> as wished": "its line in /etc/fstab differs",
        }
        return tuple(words.get(reason, reason) for reason in change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The whole table with the line in it."""
        return None if seen.body is None else table.edited(seen.body, _line(resource), absent=resource.absent)


def _line(resource: Resource) -> table.Line:
    fields = resource.fields
    return table.Line(
        source=str(fields.get("source", "none")),
        path=str(fields["path"]),
        fstype=str(fields.get("fstype", "auto")),
        options=str(fields.get("options", "defaults")),
        dump=int(str(fields.get("dump", 0))),
        check=int(str(fields.get("pass", 0))),
    )


def _only_written(resource: Resource) -> bool:
    return "noauto" in _line(resource).options.split(",")


def _live(system: System) -> bool:
    return system.target is Target.HOST and system.stat(_MOUNTS) is not None


def _mounted(resource: Resource, system: System) -> JSON:
    """Whether it is; `something else` where a file system of another type is there. Sources have too many names to be compared."""
    found, line = table.mounted(str(resource.fields["path"]), system), _line(resource)
    if found is None:
        return False
    any_type = line.fstype in ("auto", "none") or {"bind", "rbind"} & set(line.options.split(","))
    return True if any_type or found.fstype == line.fstype else OTHER


def _mount(resource: Resource, system: System) -> None:
    line = _line(resource)
    if system.stat(line.path) is None:
        raise TargetFailed(
            f"{line.path} cannot be mounted", why="the folder does not exist", hint=f"declare it before: `directory: {line.path}`"
        )
    now = _mounted(resource, system)
    if now is True:
        if table.state(table.read(table.FSTAB, system), line) == "other":
            programs.run(system, "mount", "-o", f"remount,{line.options}", line.path, hint="some options need it unmounted first")
        return
    if now == OTHER:
        _unmount(resource, system)
    if "source" not in resource.fields:  # an undo of a wish that only said what shall be absent: the table knows the rest
        programs.run(system, "mount", line.path)
        return
    programs.run(system, "mount", "-t", line.fstype, "-o", line.options, line.source, line.path)


def _unmount(resource: Resource, system: System) -> None:
    path = str(resource.fields["path"])
    if table.mounted(path, system) is not None:
        programs.run(system, "umount", path, hint=f"something uses it: `fuser -vm {path}` tells what")


def _reload(system: System) -> None:
    """Systemd makes units of the table, and would go on by the old ones."""
    if systemctl.live(system):
        systemctl.tell(system, "daemon-reload")
