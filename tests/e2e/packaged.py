"""A machine with a real apt and dpkg, and a repository that a test made and signed."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debs import Archive, Deb
from live_host import PROJECT, LiveHost

REPOSITORY = "/srv/repository"
SOURCES = "Types: deb\nURIs: file:/srv/repository\nSuites: stable\nComponents: main\nSigned-By: /srv/key.asc\n"
FOUND = (
    Deb("libfoo"),
    Deb("foo", "1.0", fields={"Depends": "libfoo (>= 1.0)", "Recommends": "foo-doc"}, files={"/etc/foo.conf": "size = 1\n"}),
    Deb("foo", "2.0", fields={"Depends": "libfoo (>= 1.0)", "Recommends": "foo-doc"}, files={"/etc/foo.conf": "size = 2\n"}),
    Deb("foo-doc"),
    Deb("bar", fields={"Conflicts": "foo", "Provides": "mail-agent"}),
    Deb("lone"),
)


@dataclass
class Packaged(ABC):
    """A machine whose packages a project on it declares."""

    host: LiveHost

    def declare(self, *resources: object, audited: Sequence[str] = (), **top: object) -> None:
        """The declaration: these resources, on this machine; `top` has more keys of the declaration."""
        audit = {"audit": {"folders": [*audited]}} if audited else {}
        server = {"lifecycle": "mutable", "hosts": ["local"], "resources": [*resources], **audit}
        declaration = {"version": 1, "project": "shop", **top, "servers": {"web": server}}
        (self.host.path(PROJECT) / "vitrify.yaml").write_text(json.dumps(declaration))

    def plan(self) -> dict[str, dict[str, Any]]:
        """Address -> planned change."""
        (server,) = self.host.document("plan")["servers"]
        return {change["resource"]["address"]: change for change in server["changes"]}

    def apply(self, *resources: object, expect: int | None = 0) -> str:
        """Declare, apply; returns what was said."""
        self.declare(*resources)
        done = self.host.vitrify("apply", expect=expect)
        return done.stdout + done.stderr

    @abstractmethod
    def version(self, name: str) -> str:
        """The installed version; empty where there is none. Each package manager tells it in its own way."""

    def versions(self, *names: str) -> list[str]:
        """Those of several."""
        return [self.version(name) for name in names]

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.plan() == {}


@dataclass
class Site(Packaged):
    """A machine whose apt knows one repository."""

    archive: Archive

    def version(self, name: str) -> str:
        """The installed version; empty where there is none."""
        told = self.host.run("dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", name, expect=None).stdout
        return told.removeprefix("installed ") if told.startswith("installed ") else ""


def bare(host: LiveHost, keys: Path) -> Site:
    """A machine whose apt knows no repository at all; there is one in `REPOSITORY`."""
    archive = Archive.make(host.path(REPOSITORY), keys, *FOUND)
    host.path("/srv/key.asc").write_text(archive.key())
    host.path("/etc/apt/sources.list").unlink(missing_ok=True)
    return Site(host, archive)


def ready(host: LiveHost, keys: Path) -> Site:
    """A machine whose apt knows the repository."""
    found = bare(host, keys)
    host.path("/etc/apt/sources.list.d/shop.sources").write_text(SOURCES)
    host.run("apt-get", "--quiet", "update")
    return found
