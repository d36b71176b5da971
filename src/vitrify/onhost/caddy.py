"""Caddy's configuration as a pure function of a router and its routes: written once, and never again for a switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Tuple

from vitrify.core.digest import JSON, JSONObject

SLOTS = 20
"""Upstreams of a route: its replicas fill them round-robin, so that each step of weight is five per cent."""

TLS = ("off", "automatic", "internal")
"""Without; certificates from a public authority; certificates from an authority of Caddy's own."""

ADMIN, UNREADY = "admin.sock", "unready.sock"
"""Sockets in the router's folder, which is Caddy's working directory: a socket's path must stay below 108 bytes."""

NOWHERE = f"unix/{UNREADY}"
"""The address of what answers 503 for a server that no release serves yet."""

TRY, TRY_EVERY = "5s", "50ms"
"""How long, and how often, an upstream that cannot be reached is tried again before the client hears of it."""

IDLE = "1s"
"""How long an unused connection to an instance is kept: less than any common server's own patience (two seconds and more),
since a request written just when the server hangs up is lost."""


@dataclass(frozen=True, order=True)
class CaddyRoute:
    """Requests to `host` (empty: any) below `path` go to `server`."""

    server: str
    host: str = ""
    path: str = "/"

    def to_json(self) -> JSONObject:
        """The form of `router.json`."""
        return {"server": self.server, "host": self.host, "path": self.path}

    @property
    def specificity(self) -> Tuple[bool, int, str, str]:
        """Sorts a route with a host before one without, and a longer path before a shorter."""
        return (not self.host, -len(self.path.rstrip("/")), self.host, self.path)


@dataclass(frozen=True)
class CaddyRouter:
    """What one Caddy listens on, and what it knows."""

    listen: str
    tls: str
    routes: Tuple[CaddyRoute, ...]


def config(router: CaddyRouter) -> JSONObject:
    """The whole configuration; equal routers give equal ones."""
    servers: Dict[str, JSON] = {
        "edge": {"listen": [router.listen], "automatic_https": _https(router.tls), "routes": _routes(router.routes)},
        "unready": {"listen": [f"{NOWHERE}|0600"], "automatic_https": {"disable": True}, "routes": [_unready()]},
    }
    apps: Dict[str, JSON] = {"http": {"grace_period": "30s", "servers": servers}}
    if router.tls == "internal":
        apps["tls"] = {"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}}
        apps["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    return {
        "admin": {"listen": f"unix/{ADMIN}|0600", "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "storage": {"module": "file_system", "root": "data"},
        "apps": apps,
    }


def _https(tls: str) -> JSONObject:
    known: Dict[str, JSONObject] = {"automatic": {}, "internal": {"disable_redirects": True}}
    return known.get(tls, {"disable": True})


def _routes(routes: Iterable[CaddyRoute]) -> List[JSON]:
    found: List[JSON] = [_route(route) for route in sorted(routes, key=lambda route: route.specificity)]
    found.append({"handle": [{"handler": "static_response", "status_code": 404, "body": "no server has this address\n"}]})
    return found


def _route(route: CaddyRoute) -> JSONObject:
    match: Dict[str, JSON] = {}
    if route.host:
        match["host"] = [route.host]
    path = route.path.rstrip("/")
    if path:
        match["path"] = [path, f"{path}/*"]
    found: Dict[str, JSON] = {"@id": f"route-{route.server}", "handle": [_proxy(route.server)], "terminal": True}
    if match:
        found["match"] = [match]
    return found


def _proxy(server: str) -> JSONObject:
    # Read anew for each request, so one rename of `current` moves them all. No passive checks: their counters would be
    # kept by the placeholder, and hold an old instance's failures against a new one.
    upstreams: List[JSON] = [{"dial": f"{{file.{slot_path(server, slot)}}}"} for slot in range(SLOTS)]
    return {
        "handler": "reverse_proxy",
        "upstreams": upstreams,
        "load_balancing": {"selection_policy": {"policy": "round_robin"}, "try_duration": TRY, "try_interval": TRY_EVERY},
        "transport": {
            "protocol": "http",
            "dial_timeout": "2s",
            "keep_alive": {"enabled": True, "idle_timeout": IDLE, "max_idle_conns_per_host": 100},
        },
    }


def slot_path(server: str, slot: int) -> str:
    """The file that holds the address of one slot, from a router's folder."""
    return f"../../traffic/{server}/current/{slot}"


def _unready() -> JSONObject:
    return {
        "handle": [
            {
                "handler": "static_response",
                "status_code": 503,
                "headers": {"Retry-After": ["1"]},
                "body": "no release is in service yet\n",
            }
        ]
    }
