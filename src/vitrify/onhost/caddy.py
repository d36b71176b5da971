"""Caddy's configuration as a pure function of a router and its routes: written once, and never again for a switch."""

from __future__ import annotations

from typing import Dict, List

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.shares import SLOTS
from vitrify.onhost.routes import HostedRoute, HostedRouter
from vitrify.onhost.slots import GATE, HOLDS

TLS = ("off", "automatic", "internal", "given")
"""Without; certificates from a public authority; certificates from an authority of Caddy's own; the one that it is given."""

PUBLIC = 443
"""The port of HTTPS."""

ADMIN = "admin.sock"
"""A socket in the router's folder, which is Caddy's working directory: a socket's path must stay below 108 bytes."""

TRY, TRY_EVERY = "5s", "50ms"
"""How long, and how often, an upstream that cannot be reached is tried again before the client hears of it."""

LOOK_EVERY = "20ms"
"""How often a request that is held looks whether it may go on."""

IDLE = "1s"
"""How long an unused connection to an instance is kept: less than any common server's own patience (two seconds and more),
since a request written just when the server hangs up is lost."""

LOG, LOG_MEGABYTES, LOGS_KEPT = "access.log", 10, 4
"""The access log: its file, when the next one begins, and how many are kept beside it."""

RETRY_AFTER = "5"
"""Seconds after which whoever is told that nothing serves may ask again."""


def config(router: HostedRouter) -> JSONObject:
    """The whole configuration; equal routers give equal ones."""
    edge: Dict[str, JSON] = {"listen": [router.listen], "automatic_https": _https(router), "logs": {}, "routes": _routes(router)}
    gate: Dict[str, JSON] = {"listen": [f"{GATE}|0600"], "automatic_https": {"disable": True}, "routes": [{"handle": [_says(200)]}]}
    apps: Dict[str, JSON] = {"http": {"grace_period": "30s", "servers": {"edge": edge, "gate": gate}}, **_certificates(router)}
    if router.tls == "given":
        edge["tls_connection_policies"] = [{}]
    return {
        "admin": {"listen": f"unix/{ADMIN}|0600", "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN", "exclude": ["http.log.access"]}, "access": _access_log()}},
        "storage": {"module": "file_system", "root": "data"},
        "apps": apps,
    }


def _https(router: HostedRouter) -> JSONObject:
    if router.tls not in ("automatic", "internal"):
        return {"disable": True}
    # Whoever asks port 80 is sent to 443: only where that is the router's.
    return {} if router.tls == "automatic" and _port(router) == PUBLIC else {"disable_redirects": True}


def _port(router: HostedRouter) -> int:
    return int(router.listen.rpartition(":")[2])


def _certificates(router: HostedRouter) -> JSONObject:
    if router.tls == "given":
        # The tag makes another certificate another configuration: Caddy reads the files only with a new one.
        files: JSON = [{"certificate": "tls/certificate.pem", "key": "tls/key.pem", "tags": [router.certificate]}]
        return {"tls": {"certificates": {"load_files": files}}}
    if router.tls == "internal":
        issuers: JSON = [{"module": "internal"}]
        return {
            "tls": {"automation": {"policies": [{"issuers": issuers}]}},
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        }
    if router.tls == "automatic" and (router.authority or _port(router) != PUBLIC):
        return {"tls": {"automation": {"policies": [{"issuers": [_acme(router)]}]}}}
    return {}


def _acme(router: HostedRouter) -> JSONObject:
    issuer: Dict[str, JSON] = {"module": "acme"}
    if router.authority:
        issuer["ca"] = router.authority
    if router.roots:
        issuer["trusted_roots_pem_files"] = ["tls/roots.pem"]
    if _port(router) != PUBLIC:  # the authority asks 443, which leads here from outside
        issuer["challenges"] = {"http": {"disabled": True}, "tls-alpn": {"alternate_port": _port(router)}}
    return issuer


def _access_log() -> JSONObject:
    writer: JSONObject = {
        "output": "file",
        "filename": LOG,
        "mode": "0600",
        "roll_size_mb": LOG_MEGABYTES,
        "roll_keep": LOGS_KEPT,
        "roll_gzip": False,
    }
    # Headers hold what visitors say of themselves, cookies and passwords among it.
    dropped = ("logger", "level", "msg", "user_id", "bytes_read", "request>headers", "request>remote_port", "request>tls", "resp_headers")
    fields: Dict[str, JSON] = {name: {"filter": "delete"} for name in dropped}
    fields["request>uri"] = {"filter": "regexp", "regexp": r"\?.*", "value": ""}
    return {"include": ["http.log.access"], "writer": writer, "encoder": {"format": "filter", "wrap": {"format": "json"}, "fields": fields}}


def _routes(router: HostedRouter) -> List[JSON]:
    found: List[JSON] = [_route(route) for route in router.by_specificity]
    found.append({"handle": [_says(404, "no server has this address\n")]})
    return found


def _route(route: HostedRoute) -> JSONObject:
    match: Dict[str, JSON] = {}
    if route.host:
        match["host"] = [route.host]
    if route.below:
        match["path"] = [route.below, f"{route.below}/*"]
    told: List[JSON] = [_appends("to", "address"), _appends("took_ms", "duration_ms")]
    waits: JSON = {"match": [{"not": [_hold(route, "0")]}], "handle": [_waiting(route)]}
    found: Dict[str, JSON] = {
        "@id": f"route-{route.server}",
        "handle": [*told, {"handler": "subroute", "routes": [waits]}, *_proxies(route)],
        "terminal": True,
    }
    if match:
        found["match"] = [match]
    return found


def _appends(key: str, value: str) -> JSONObject:
    return {"handler": "log_append", "key": key, "value": f"{{http.reverse_proxy.upstream.{value}}}"}


def _hold(route: HostedRoute, value: str) -> JSONObject:
    return {"vars": {f"{{file.{_current(route.server)}/hold}}": [value]}}


def _waiting(route: HostedRoute) -> JSONObject:
    """What comes while nothing serves: the health path is answered, the rest waits before the gate, or is told to come again."""
    page: JSON = {"handle": [_page(route)]}
    routes: List[JSON] = [{"match": [_hold(route, "none")], "handle": [_page(route)], "terminal": True}]
    if route.health:
        routes.insert(0, {"match": [{"path": [route.health], **_not_none(route)}], "handle": [_says(200, "held\n")], "terminal": True})
    routes += [{"match": [_hold(route, f"{seconds:g}")], "handle": [_gate(route, seconds)]} for seconds in HOLDS]
    return {"handler": "subroute", "routes": routes, "errors": {"routes": [page]}}


def _not_none(route: HostedRoute) -> JSONObject:
    return {"not": [_hold(route, "none")]}


def _gate(route: HostedRoute, seconds: float) -> JSONObject:
    """Asks for leave until it is given, which the next rename of `current` does; then the request goes on, body and all."""
    leave: JSON = {"match": {"status_code": [2]}, "routes": [{"handle": [{"handler": "vars"}]}]}
    return {
        "handler": "reverse_proxy",
        "rewrite": {"method": "GET", "uri": "/"},
        "headers": {"request": {"delete": ["*"]}},
        "upstreams": [{"dial": f"{{file.{_current(route.server)}/gate}}"}],
        "load_balancing": {"try_duration": f"{round(seconds * 1000)}ms", "try_interval": LOOK_EVERY},
        "handle_response": [leave],
    }


def _proxies(route: HostedRoute) -> List[JSON]:
    ordinary = _proxy(route, "")
    if route.websockets != "close":
        return [ordinary]
    upgrades: JSON = {"match": [{"header": {"Connection": ["*Upgrade*", "*upgrade*"]}}], "handle": [_proxy(route, "w")], "terminal": True}
    return [{"handler": "subroute", "routes": [upgrades]}, ordinary]


def _proxy(route: HostedRoute, prefix: str) -> JSONObject:
    # Read anew for each request, so one rename of `current` moves them all. No passive checks: their counters would be
    # kept by the placeholder, and hold an old instance's failures against a new one.
    upstreams: List[JSON] = [{"dial": f"{{file.{slot_path(route.server, f'{prefix}{slot}')}}}"} for slot in range(SLOTS)]
    return {
        "handler": "reverse_proxy",
        "upstreams": upstreams,
        "load_balancing": {"selection_policy": _policy(route), "try_duration": TRY, "try_interval": TRY_EVERY},
        "transport": {
            "protocol": "http",
            "dial_timeout": "2s",
            "keep_alive": {"enabled": True, "idle_timeout": IDLE, "max_idle_conns_per_host": 100},
        },
    }


def _policy(route: HostedRoute) -> JSONObject:
    """A slot's name is that of its file: whoever has it keeps the slot, whatever address is in it."""
    evenly: JSONObject = {"policy": "round_robin"}
    if route.cookie:
        return {"policy": "cookie", "name": route.cookie, "secret": route.server, "fallback": evenly}
    if route.header:
        return {"policy": "header", "field": route.header, "fallback": evenly}
    return evenly


def _current(server: str) -> str:
    return f"../../traffic/{server}/current"


def slot_path(server: str, slot: str) -> str:
    """The file that holds the address of one slot, from a router's folder."""
    return f"{_current(server)}/{slot}"


def _page(route: HostedRoute) -> JSONObject:
    headers: Dict[str, JSON] = {"Retry-After": [RETRY_AFTER]}
    if not route.page:
        return {**_says(503, "nothing serves here at the moment\n"), "headers": headers}
    headers["Content-Type"] = ["text/html; charset=utf-8"]
    return {**_says(503, f"{{file.../../traffic/{route.server}/page}}"), "headers": headers}


def _says(status: int, body: str = "") -> JSONObject:
    return {"handler": "static_response", "status_code": status, **({"body": body} if body else {})}
