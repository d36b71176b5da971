"""All kinds that vitrify brings along. Each is imported when it is first asked for: a target pays for those it meets."""

from __future__ import annotations

from importlib import import_module
from typing import Callable, Mapping

from vitrify.core.resource import Kind, Kinds

CLASSES: Mapping[str, str] = {
    "acl": "Acl",
    "alternative": "Alternative",
    "archive": "Archive",
    "authorized_key": "AuthorizedKey",
    "block": "Block",
    "certificate": "Certificate",
    "command": "Command",
    "cron": "Cron",
    "debconf": "Debconf",
    "directory": "Directory",
    "divert": "Divert",
    "download": "Download",
    "file": "File",
    "firewall": "Firewall",
    "git": "Git",
    "group": "Group",
    "hostname": "Hostname",
    "hosts_entry": "HostsEntry",
    "http_check": "HttpCheck",
    "ini": "Ini",
    "json": "Json",
    "kernel_module": "KernelModule",
    "known_host": "KnownHost",
    "limits": "Limits",
    "line": "Line",
    "link": "Link",
    "locale": "Locale",
    "mount": "Mount",
    "npm": "Npm",
    "package": "PackageKind",
    "postgres_database": "PostgresDatabase",
    "postgres_user": "PostgresUser",
    "process": "Process",
    "reboot": "Reboot",
    "replace": "Replace",
    "repository": "Repository",
    "script": "Script",
    "service": "Service",
    "sudoers": "Sudoers",
    "swap": "Swap",
    "sysctl": "Sysctl",
    "timer": "Timer",
    "timezone": "Timezone",
    "toml": "Toml",
    "tree": "Tree",
    "unit": "Unit",
    "user": "User",
    "venv": "Venv",
    "wait_for": "WaitFor",
    "yaml": "Yaml",
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
