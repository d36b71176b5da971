"""HAProxy's configuration as a pure function of a router, its routes and where they lead: a switch needs no other one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Tuple

from vitrify.core.diagnostic import Denied
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.shares import SLOTS
from vitrify.onhost.routes import HostedRoute, HostedRouter

TLS = ("off", "given")
"""Without; or with the certificate that it is given."""

ADMIN, MASTER = "admin.sock", "master.sock"
"""Sockets in the router's folder, which is HAProxy's working directory: of the process that serves, and of the one that keeps it."""

LIVE, HOLDS = "live.map", "holds.map"
"""Server -> the place that its requests go to; server -> the milliseconds for which each is held before that."""

PLACES = 4
"""Places of a server between which it is switched: one serves, and the others drain or wait."""

HANDOVER = "handover"
"""The place, and the socket, by which a process hands on to the one that took over from it."""

NOWHERE = "nowhere"
"""The place of a server that no release serves."""

UNUSED = "127.0.0.1:1"
"""The address of a slot in a place that nothing was led to."""

_LUA = """\
-- Holds a request while its server is paused, and no longer than was said.
local holds = Map.new("holds.map", Map._str)
core.register_action("hold", {"http-req"}, function(txn)
  local server = txn:get_var("txn.server")
  local began = core.now()
  local hold = tonumber(holds:lookup(server) or "0")
  while hold > 0 do
    local now = core.now()
    if (now.sec - began.sec) * 1000 + (now.usec - began.usec) / 1000 >= hold then
      txn:set_var("txn.tired", true)
      return
    end
    core.msleep(20)
    hold = tonumber(holds:lookup(server) or "0")
  end
end)
"""

_LOG = (
    '{"began":%Ts.%ms,"lasted_ms":%Ta,"request":{"remote_ip":"%ci","method":"%[var(txn.method),json(utf8s)]",'
    '"host":"%[var(txn.host),json(utf8s)]","uri":"%[var(txn.path),json(utf8s)]"},"status":%ST,"size":%B,"to":"%si:%sp","took_ms":%Tr}'
)

_HEAD = """\
global
  description {digest}
  log stdout len 8192 format raw local0 info
  stats socket unix@{admin} mode 600 level admin expose-fd listeners
  hard-stop-after 1h
  lua-load hold.lua

defaults
  mode http
  log global
  option http-server-close
  option idle-close-on-response
  option redispatch 1
  retries 5
  timeout connect 2s
  timeout http-request 30s
  timeout http-keep-alive 60s
  timeout client 1h
  timeout server 1h
  timeout tunnel 24h

frontend edge
  bind {listen}
  bind unix@{handover}.sock mode 600 name {handover} accept-proxy
  log-format '{log}'
  http-request set-var(txn.method) method
  http-request set-var(txn.host) req.hdr(host),field(1,:),lower
  http-request set-var(txn.path) path
"""

_TAIL = """\
  http-request return status 404 content-type text/plain string "no server has this address\\n" unless {{ var(txn.server) -m found }}
{healths}  http-request lua.hold if {{ var(txn.server),map({holds},0) -m int gt 0 }}
  http-request set-var(txn.place) var(txn.server),map({live},{nowhere})
  http-request set-var(txn.tired) bool(true) if {{ var(txn.place) -m str {nowhere} }}
{pages}  http-request return status 503 content-type text/plain hdr Retry-After 5 string {sorry} if {{ var(txn.tired) -m bool }}
{streams}  acl handed-over so_name -m str {handover}
  option forwardfor if-none
  http-request del-header X-Forwarded-For unless handed-over
  http-request set-header X-Forwarded-Host %[req.hdr(host)] unless handed-over
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)] unless handed-over
  use_backend %[var(txn.place)]

backend {handover}
  server next unix@{handover}.sock send-proxy-v2
"""

_SORRY = '"nothing serves here at the moment\\n"'


@dataclass(frozen=True)
class Placed:
    """Where a server is led: the sets in its places, which of them is live (-1: none), and how long requests are held, in ms."""

    sets: Tuple[str, ...] = ("",) * PLACES
    live: int = -1
    hold: int = 0

    @classmethod
    def from_json(cls, data: JSONObject) -> Placed:
        """Read what `to_json` wrote."""
        sets, live, hold = data.get("sets"), data.get("live"), data.get("hold")
        known = tuple(str(one) for one in sets) if isinstance(sets, list) else cls.sets
        return cls(known, live if isinstance(live, int) else -1, hold if isinstance(hold, int) else 0)

    def holding(self, place: str, number: int) -> Placed:
        """The same with this set in a place; where there is no such place yet, there are as many more as a server begins with."""
        grown = (*self.sets, *("",) * PLACES) if number == len(self.sets) else self.sets
        return replace(self, sets=tuple(place if index == number else one for index, one in enumerate(grown)))

    def to_json(self) -> JSONObject:
        """The form of `led.json`."""
        return {"sets": [*self.sets], "live": self.live, "hold": self.hold}


Slots = Mapping[str, Tuple[str, ...]]
"""Place -> the address of each of its slots."""


def identity(router: HostedRouter, led: Mapping[str, Placed]) -> str:
    """What a process must have been started with: all but where its servers lead."""
    places: Dict[str, JSON] = {route.server: len(led.get(route.server, Placed()).sets) for route in router.routes}
    return digest_of([1, router.to_json(), places])


def config(router: HostedRouter, led: Mapping[str, Placed], slots: Slots) -> str:
    """The whole configuration. `slots` are the addresses of the places that something was led to."""
    routes = router.by_specificity
    head = _HEAD.format(digest=identity(router, led), admin=ADMIN, listen=_listen(router), handover=HANDOVER, log=_LOG)
    chosen = "".join(_chosen(route) for route in routes)
    tail = _TAIL.format(
        healths="".join(_health(route) for route in routes if route.health),
        pages="".join(_page(route) for route in routes if route.page),
        streams="".join(_streams(route) for route in routes if route.websockets == "close"),
        holds=HOLDS,
        live=LIVE,
        nowhere=NOWHERE,
        handover=HANDOVER,
        sorry=_SORRY,
    )
    return head + chosen + tail + "".join(_backends(route, led.get(route.server, Placed()), slots) for route in routes)


def lua() -> str:
    """What holds requests."""
    return _LUA


def maps(router: HostedRouter, led: Mapping[str, Placed]) -> Dict[str, str]:
    """The files that say where servers lead: a line for each, always."""
    placed = {route.server: led.get(route.server, Placed()) for route in router.routes}
    return {
        LIVE: "".join(f"{server} {place(server, one.live)}\n" for server, one in sorted(placed.items())),
        HOLDS: "".join(f"{server} {one.hold}\n" for server, one in sorted(placed.items())),
    }


def place(server: str, number: int) -> str:
    """The name of one of a server's places."""
    return f"{server}.{number}" if number >= 0 else NOWHERE


def streams(name: str) -> str:
    """The place beside it, in which streams are counted apart."""
    return f"{name}:streams"


def _listen(router: HostedRouter) -> str:
    return router.listen if router.tls == "off" else f"{router.listen} ssl crt tls/both.pem alpn h2,http/1.1"


def _quoted(value: str) -> str:
    """One word, in which nothing means anything."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise Denied(f"{value!r} cannot be part of a route", hint="without control characters")
    return "'" + value.replace("'", "'\\''") + "'"


def _is(route: HostedRoute) -> str:
    return f"{{ var(txn.server) -m str {_quoted(route.server)} }}"


def _chosen(route: HostedRoute) -> str:
    rule = f"  http-request set-var(txn.server) str({_quoted(route.server)}) if !{{ var(txn.server) -m found }}"
    match, name = ("end", route.host[1:]) if route.host.startswith("*.") else ("str", route.host)
    host = f" {{ var(txn.host) -m {match} {_quoted(name.lower())} }}" if route.host else ""
    if not route.below:
        return f"{rule}{host}\n"
    paths = (f" {{ path -m str {_quoted(route.below)} }}", f" {{ path -m beg {_quoted(f'{route.below}/')} }}")
    return "".join(f"{rule}{host}{path}\n" for path in paths)


def _health(route: HostedRoute) -> str:
    held = f"{{ var(txn.server),map({HOLDS},0) -m int gt 0 }} {{ path -m str {_quoted(route.health)} }}"
    return f'  http-request return status 200 content-type text/plain string "held\\n" if {_is(route)} {held}\n'


def _page(route: HostedRoute) -> str:
    file = _quoted(f"../../traffic/{route.server}/page")
    kind = "content-type 'text/html; charset=utf-8' hdr Retry-After 5"
    return f"  http-request return status 503 {kind} file {file} if {_is(route)} {{ var(txn.tired) -m bool }}\n"


def _streams(route: HostedRoute) -> str:
    upgrades = "{ req.hdr(upgrade) -m found }"
    return f"  http-request set-var(txn.place) var(txn.place),concat(:streams) if {_is(route)} {upgrades}\n"


def _backends(route: HostedRoute, placed: Placed, slots: Slots) -> str:
    found: List[str] = []
    for number in range(len(placed.sets)):
        name = place(route.server, number)
        servers = _servers(route, slots.get(name, (UNUSED,) * SLOTS))
        found += [f"\nbackend {name}\n{_balance(route)}{servers}"]
        if route.websockets == "close":
            found += [f"\nbackend {streams(name)}\n{_balance(route)}{servers}"]
    return "".join(found)


def _balance(route: HostedRoute) -> str:
    if route.cookie:
        return f"  balance roundrobin\n  cookie {_quoted(route.cookie)} insert indirect nocache httponly\n"
    if route.header:
        return f"  balance hdr({route.header})\n  hash-type map-based sdbm avalanche\n"
    return "  balance roundrobin\n"


def _servers(route: HostedRoute, addresses: Tuple[str, ...]) -> str:
    cookies = [f" cookie s{slot}" if route.cookie else "" for slot in range(SLOTS)]
    return "".join(f"  server s{slot} {address}{cookies[slot]}\n" for slot, address in enumerate(addresses))
