"""Remembers which hosts a declaration named when it was last read, so that they can be called before it is read again.

Reading a declaration takes longer than a handshake. What is remembered only ever saves time: it counts for the very same bytes of
`vitrify.yaml` alone, and a session with a host that turns out not to be meant is given up.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from vitrify.core.declaration import Declaration, Host, Lifecycle

MOST = 50
"""So many hosts are called early."""


@dataclass(frozen=True)
class Reach:
    """The hosts of each server over SSH, the ssh_config that leads there, and whether sudo's password is declared."""

    config: str = ""
    asks: bool = False
    servers: Mapping[str, Sequence[Host]] = field(default_factory=dict)
    bearing: frozenset[str] = frozenset()
    """Names of the hosts on which there are instances, and nothing is changed in place."""

    def hosts(self, limit: Sequence[str], exclude: Sequence[str]) -> tuple[Host, ...]:
        """Those of the servers that these patterns choose, each once."""
        chosen = [name for name in self.servers if any(fnmatch(name, pattern) for pattern in limit or ("*",))]
        found = [host for name in chosen if not any(fnmatch(name, pattern) for pattern in exclude) for host in self.servers[name]]
        return tuple(dict.fromkeys(found))[:MOST]


def remembered(home: Path, path: Path) -> Reach:
    """What was remembered of this declaration; nothing where it has changed since."""
    try:
        data = json.loads(_place(home, path).read_bytes())
        if data["declaration"] != _digest(path):
            return Reach()
        servers = {str(name): tuple(Host(**host) for host in hosts) for name, hosts in data["servers"].items()}
        return Reach(str(data["config"]), data["asks"] is True, servers, frozenset(map(str, data["bearing"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Reach()


def remember(home: Path, path: Path, declaration: Declaration) -> None:
    """Keep what this declaration names, if it names hosts over SSH and is not known yet. Failing to is no harm."""
    servers = {server.name: [_told(host) for host in server.hosts if host.is_remote] for server in declaration.servers}
    mutable, immutable = (
        {host.name for server in declaration.servers if server.lifecycle is lifecycle for host in server.hosts if host.is_remote}
        for lifecycle in (Lifecycle.MUTABLE, Lifecycle.IMMUTABLE)
    )
    ssh = declaration.ssh
    data = {"declaration": _digest(path), "config": ssh.config, "asks": bool(ssh.sudo_password), "servers": servers}
    data["bearing"] = sorted(immutable - mutable)
    place = _place(home, path)
    with suppress(OSError):
        content = json.dumps(data).encode()
        if not any(servers.values()) or (place.exists() and place.read_bytes() == content):
            return
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(place)


def _told(host: Host) -> dict[str, str | int | None]:
    return {"name": host.name, "address": host.address, "user": host.user, "port": host.port}


def _place(home: Path, path: Path) -> Path:
    return home / "reach" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.json"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
