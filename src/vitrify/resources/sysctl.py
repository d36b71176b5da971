"""The kind `sysctl`: a setting of the kernel, in a file for every start and in the running kernel now."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import place, programs, written
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, System, Target

KERNEL = "/proc/sys"
FOLDER = "/etc/sysctl.d"
UNKNOWN = "unknown"
_NOW = "/run/vitrify/sysctl.conf"
"""What is given to the kernel in one go; gone as soon as it was."""
_PROGRAMS = ("/usr/sbin/sysctl", "/sbin/sysctl", "/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_:-]*(?:[./][A-Za-z0-9_:-]+)+")
_SWAP = str.maketrans("./", "/.")


def _sysctl_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _NAME.fullmatch(str(values["name"])):
        found.append(Problem(("name",), f"{values['name']!r} is not the name of a setting", "as in net.ipv4.ip_forward"))
    value = values.get("value", "")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        found.append(Problem(("value",), "expected text or a whole number", "1 for on, 0 for off"))
    elif "\n" in str(value) or ("value" in values and not str(value).strip()):
        found.append(Problem(("value",), "a value is one line that is not empty"))
    return found


class Sysctl(Kind):
    """A setting of the kernel.

    Writes `/etc/sysctl.d/99-vitrify-NAME.conf`, and on a live host sets the running value; all settings that follow each other are set
    in one go. Absent, or once it left the declaration, the file goes and the running value stays until the next start: nobody
    remembers what it would have been. An undo gives the former running value back.
    """

    name = "sysctl"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    together = True
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "the setting; with `/` in place of `.` where a name in it holds a dot", required=True),
            "value": Field(Type.ANY, "its value: text or a whole number"),
        },
        needs_one_of=(("value",),),
        rules=(_sysctl_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The setting."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """The file, and the running value."""
        return MISSING if resource.absent else {"type": "sysctl", **written.wished(text(resource)), "running": _value(resource)}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The file, and on a live host the running value."""
        path = _path(resource)
        stat = system.stat(path)
        running: Dict[str, JSON] = {} if resource.absent else {"running": _running(resource, system)}
        if stat is None:
            return Observation(resource.address, {**MISSING, **running})
        return Observation(resource.address, {"type": "sysctl", **written.seen(path, system), **running}, place.body(path, stat, system))

    def enact(self, change: Change, system: System) -> None:
        """Done as one of many."""
        self.enact_all([change], system)

    def enact_all(self, changes: Sequence[Change], system: System) -> None:
        """Write or remove every file, then set every running value that differs in one go."""
        for change in changes:
            if change.action is Action.REMOVE:
                system.remove(_path(change.resource))
            elif "file" in change.after:
                written.write(_path(change.resource), text(change.resource).encode(), system)
        due = [change for change in changes if "running" in change.after and _live(system)]
        differing = [change for change in due if _running(change.resource, system) != change.after["running"]]
        if differing:
            _set({str(change.resource.fields["name"]): str(change.after["running"]) for change in differing}, system)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file and the folders above it."""
        return written.with_folders(_path(change.resource))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (_path(resource),)

    def inverse(self, change: Change) -> Optional[Change]:
        """The former running value; the file is put back by itself."""
        before = change.before.get("running", UNKNOWN)
        if before in (UNKNOWN, change.after.get("running", before)):
            return None
        return Change(change.resource, Action.UPDATE, before=change.after, after={"type": "sysctl", "running": before})

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold its file."""
        return place.after_folders(resource, _path(resource), others)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """A module of the kernel that brings the setting."""
        modules = [one.name for one in earlier if one.kind == "kernel_module"]
        missing = change.before.get("running") == UNKNOWN and "running" in change.after
        return f"kernel_module {', '.join(modules)} may bring this setting" if modules and missing else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a setting."""
        if change.after.get("running", UNKNOWN) != UNKNOWN and change.before.get("running") == UNKNOWN:
            return ("the kernel has no such setting: this will fail unless a change before it brings one",)
        return written.because(change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file."""
        return "" if resource.absent else text(resource)


def text(resource: Resource) -> str:
    """The file of a setting."""
    return f"# Written by vitrify, which puts back what is changed here.\n{resource.fields['name']} = {_value(resource)}\n"


def _value(resource: Resource) -> str:
    """As the kernel tells it, whose words have one space between them."""
    return " ".join(str(resource.fields["value"]).split())


def _path(resource: Resource) -> str:
    return f"{FOLDER}/99-vitrify-{str(resource.fields['name']).replace('/', '-')}.conf"


def _live(system: System) -> bool:
    return system.target is Target.HOST and system.stat(KERNEL) is not None


def _running(resource: Resource, system: System) -> str:
    """The kernel's value; the wished one where there is no kernel to ask."""
    if not _live(system):
        return _value(resource)
    name = str(resource.fields["name"])
    path = f"{KERNEL}/{name.translate(_SWAP) if _dotted(name) else name}"
    stat = system.stat(path)
    return " ".join(system.read(path).decode("utf-8", "replace").split()) if stat is not None and stat.type == "file" else UNKNOWN


def _dotted(name: str) -> bool:
    """The separator that stands first is the separator; the other one is part of a name."""
    first = re.search(r"[./]", name)
    return first is not None and first.group() == "."


def _set(values: Mapping[str, str], system: System) -> None:
    program = next((one for one in _PROGRAMS if system.stat(one) is not None), None)
    if program is None:
        raise TargetFailed("no setting of the running kernel can be changed", why="there is no sysctl", hint="`package: procps`")
    place.make_folders(_NOW, system)
    content = "".join(f"{name} = {value}\n" for name, value in values.items())
    system.write(_NOW, content.encode(), attributes=Attributes(mode="0600"))
    try:
        programs.run(system, program, *(("-q", "-p") if program.endswith("/sysctl") else ()), _NOW)
    finally:
        system.remove(_NOW)
