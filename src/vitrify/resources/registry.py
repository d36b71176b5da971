"""All kinds that vitrify brings along. Each is imported when it is first asked for: a target pays for those it meets."""

from __future__ import annotations

from importlib import import_module
from typing import Callable, Mapping

from vitrify.core.resource import Kind, Kinds

CLASSES: Mapping[str, str] = {
    "acl": "Acl",
    "authorized_key": "AuthorizedKey",
    "command": "Command",
    "directory": "Directory",
    "file": "File",
    "group": "Group",
    "hostname": "Hostname",
    "hosts_entry": "HostsEntry",
    "known_host": "KnownHost",
    "limits": "Limits",
    "line": "Line",
    "link": "Link",
    "locale": "Locale",
    "process": "Process",
    "sudoers": "Sudoers",
    "timezone": "Timezone",
    "tree": "Tree",
    "user": "User",
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
