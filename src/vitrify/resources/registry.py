"""All kinds that vitrify brings along. Each is imported when it is first asked for: a target pays for those it meets."""

from __future__ import annotations

from importlib import import_module
from typing import Callable, Mapping

from vitrify.core.resource import Kind, Kinds

CLASSES: Mapping[str, str] = {
    "command": "Command",
    "cron": "Cron",
    "directory": "Directory",
    "file": "File",
    "firewall": "Firewall",
    "kernel_module": "KernelModule",
    "line": "Line",
    "link": "Link",
    "mount": "Mount",
    "process": "Process",
    "service": "Service",
    "swap": "Swap",
    "sysctl": "Sysctl",
    "timer": "Timer",
    "tree": "Tree",
    "unit": "Unit",
}
"""Kind -> its class, in the module of the same name."""


def all_kinds() -> Kinds:
    """Every kind, ready to be passed to whoever needs one."""
    return Kinds(loaded={name: _loader(name) for name in CLASSES})


def _loader(name: str) -> Callable[[], Kind]:
    def load() -> Kind:
        kind: Kind = getattr(import_module(f"vitrify.resources.{name}"), CLASSES[name])()
        return kind

    return load
