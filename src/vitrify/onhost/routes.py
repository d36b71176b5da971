"""What a router is to be: its routes and where it listens, as they are sent and as `router.json` keeps them."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Dict, Iterator, List, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.record import read_record, write_record

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}")


def checked(name: str) -> str:
    """The name, where it can be a folder's."""
    if not _NAME.fullmatch(name):
        raise TargetFailed(f"{name!r} cannot be the name of a folder")
    return name


@dataclass(frozen=True, order=True)
class HostedRoute:
    """Requests to `host` (empty: any) below `path` go to `server`; the rest as in a declared route, and empty where nothing is said."""

    server: str
    host: str = ""
    path: str = "/"
    cookie: str = ""
    header: str = ""
    page: str = ""
    """The digest of the page that is shown while nothing serves."""
    health: str = ""
    websockets: str = ""
    """close: what is open holds nobody back."""

    @classmethod
    def from_json(cls, data: JSONObject) -> HostedRoute:
        """Read what `to_json` wrote."""
        said = {name: str(data[name]) for name in ("host", "path", "cookie", "header", "page", "health", "websockets") if data.get(name)}
        return cls(checked(str(data["server"])), **said)

    def to_json(self) -> JSONObject:
        """The form of `router.json`: what is said, beside server, host and path."""
        found: Dict[str, JSON] = {"server": self.server, "host": self.host, "path": self.path}
        more = {name: str(getattr(self, name)) for name in ("cookie", "header", "page", "health", "websockets")}
        return {**found, **{name: value for name, value in more.items() if value}}

    @property
    def specificity(self) -> Tuple[bool, bool, int, str, str]:
        """Sorts a route with a host before one without, a host before many, and a longer path before a shorter."""
        return (not self.host, self.host.startswith("*"), -len(self.below), self.host, self.path)

    @property
    def below(self) -> str:
        """The path without its last slash; empty for all paths."""
        return self.path.rstrip("/")


@dataclass(frozen=True)
class HostedRouter:
    """One router of a host."""

    listen: str
    tls: str
    routes: Tuple[HostedRoute, ...]
    kind: str = "caddy"
    certificate: str = ""
    """The digest of the certificate that it was given."""
    authority: str = ""
    roots: str = ""
    """The digest of the certificates by which the authority is known."""

    def without(self, server: str) -> HostedRouter:
        """The same but for the routes of a server."""
        return replace(self, routes=tuple(route for route in self.routes if route.server != server))

    @property
    def by_specificity(self) -> List[HostedRoute]:
        """Its routes in the order in which they are tried."""
        return sorted(self.routes, key=lambda route: route.specificity)

    def to_json(self) -> JSONObject:
        """The form of `router.json`."""
        found: Dict[str, JSON] = {"format": 1, "kind": self.kind, "listen": self.listen, "tls": self.tls}
        more: Dict[str, JSON] = {"certificate": self.certificate, "authority": self.authority, "roots": self.roots}
        return {
            **found,
            "routes": [route.to_json() for route in sorted(self.routes)],
            **{name: value for name, value in more.items() if value},
        }


def read_router(folder: str) -> Optional[HostedRouter]:
    """The router that a folder keeps; None where it keeps none."""
    record = read_record(f"{folder}/router.json")
    if record is None:
        return None
    listed = record["routes"]
    routes = [HostedRoute.from_json(route) for route in listed if isinstance(route, dict)] if isinstance(listed, list) else []
    listen, tls, kind = str(record["listen"]), str(record["tls"]), str(record.get("kind") or "caddy")
    said = {name: str(record[name]) for name in ("certificate", "authority", "roots") if record.get(name)}
    return HostedRouter(listen, tls, tuple(sorted(routes)), kind, **said)


def write_router(folder: str, router: HostedRouter) -> None:
    """Note, durably, what the router of a folder is to be."""
    write_record(f"{folder}/router.json", router.to_json())


def folders(home: str) -> Iterator[str]:
    """The folders of the routers of a home."""
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(f"{home}/routers")):  # noqa: PTH208  every switch asks
            if not name.startswith("."):
                yield f"{home}/routers/{name}"
