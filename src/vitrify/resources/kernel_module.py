"""The kind `kernel_module`: a module of the kernel, loaded now and at every start."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core import place, programs, written
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System, Target

LOADED = "/sys/module"
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_HEAD = "# Written by vitrify, which puts back what is changed here.\n"


def _module_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _WORD.fullmatch(str(values["name"])):
        found.append(Problem(("name",), f"{values['name']!r} is not the name of a module", "letters, digits, `_` and `-`"))
    options = values.get("options", {})
    for name, value in options.items() if isinstance(options, dict) else ():
        if not _WORD.fullmatch(name) or not str(value) or any(character.isspace() or character in "\"'\\#" for character in str(value)):
            found.append(
                Problem(("options", name), "this option cannot be written for modprobe", "a name and a value without spaces and quotes")
            )
    return found


class KernelModule(Kind):
    """A module of the kernel.

    Writes `/etc/modules-load.d/vitrify-NAME.conf`, its options into `/etc/modprobe.d/vitrify-NAME.conf`, and on a live host loads it.
    Options count from the next loading on: a module that is in use is not reloaded. Absent, it is unloaded too; what is built
    into the kernel stays.
    """

    name = "kernel_module"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    short = "name"
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "the module", required=True),
            "options": Field(Type.MAP, "its options, as `modinfo` names them"),
        },
        rules=(_module_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The module."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """Both files, or that there are no options, and that it is loaded."""
        if resource.absent:
            return MISSING
        options = _options(resource)
        told = digest_bytes(options.encode()) if options else "none"
        return {"type": "kernel_module", **written.wished(_text(resource)), "options": told, "loaded": True}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Both files, and on a live host whether it is loaded."""
        load, options = _paths(resource)
        loaded = _loaded(resource, system) if _live(system) else not resource.absent
        there = system.stat(load) is not None or system.stat(options) is not None
        if not there and not (resource.absent and loaded and _goes(resource, system)):
            return Observation(resource.address, {**MISSING, "loaded": loaded})
        found: Dict[str, JSON] = {"type": "kernel_module", **written.seen(load, system)}
        found.update({"options": written.seen(options, system)["file"], "loaded": loaded})
        return Observation(resource.address, found)

    def enact(self, change: Change, system: System) -> None:
        """Write what is said of it, then load it; or unload it, and take that away."""
        resource, (load, options) = change.resource, _paths(change.resource)
        if change.action is Action.REMOVE:
            system.remove(load)
            system.remove(options)
        elif "file" in change.after:
            written.write(load, _text(resource).encode(), system)
            if _options(resource):
                written.write(options, _options(resource).encode(), system)
            else:
                system.remove(options)
        if not _live(system):
            return
        wished = change.after.get("loaded") is True
        if wished and not _loaded(resource, system):
            programs.run(
                system,
                "modprobe",
                str(resource.fields["name"]),
                hint="the package kmod brings modprobe; `uname -r` tells which modules fit",
            )
        elif not wished and _goes(resource, system):
            programs.run(system, "modprobe", "-r", str(resource.fields["name"]), hint="something uses it: `lsmod` tells what")

    def affected(self, change: Change) -> Tuple[str, ...]:
        """Both files and the folders above them."""
        return written.with_folders(*_paths(change.resource))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file that loads it, and that of its options where it has any."""
        load, options = _paths(resource)
        return (load, options) if _options(resource) else (load,)

    def inverse(self, change: Change) -> Optional[Change]:
        """Loaded as before; the files are put back by themselves."""
        loaded = change.before.get("loaded")
        if loaded is None or loaded == change.after.get("loaded", False):
            return None
        return Change(change.resource, Action.UPDATE, before=change.after, after={"type": "kernel_module", "loaded": loaded})

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the package that brings modprobe, and the folders that hold its files."""
        folders = tuple(one for path in _paths(resource) for one in place.after_folders(resource, path, others))
        return (*folders, *(one for one in (Address("package", "kmod"),) if one in others))

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a module."""
        words = {"loaded differs": "is not loaded", "options differs": "its options differ"}
        return written.because(
            tuple(words.get(reason, "its options differ" if reason.startswith("options ") else reason) for reason in change.because)
        )


def _text(resource: Resource) -> str:
    return f"{_HEAD}{resource.fields['name']}\n"


def _options(resource: Resource) -> str:
    options = resource.fields.get("options")
    told = " ".join(f"{name}={value}" for name, value in sorted(options.items())) if isinstance(options, dict) else ""
    return f"{_HEAD}options {resource.fields['name']} {told}\n" if told else ""


def _paths(resource: Resource) -> Tuple[str, str]:
    name = resource.fields["name"]
    return f"/etc/modules-load.d/vitrify-{name}.conf", f"/etc/modprobe.d/vitrify-{name}.conf"


def _live(system: System) -> bool:
    return system.target is Target.HOST and system.stat(LOADED) is not None


def _folder(resource: Resource) -> str:
    """The kernel knows every module by a name without dashes."""
    return f"{LOADED}/{str(resource.fields['name']).replace('-', '_')}"


def _loaded(resource: Resource, system: System) -> bool:
    return system.stat(_folder(resource)) is not None


def _goes(resource: Resource, system: System) -> bool:
    """Whether it is loaded and no part of the kernel itself."""
    return system.stat(f"{_folder(resource)}/initstate") is not None
