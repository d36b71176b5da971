"""A route as it is kept with a release, so that a rollback needs no declaration. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from vitrify.core.declaration import Route, Router, Sticky
from vitrify.core.digest import JSON, JSONObject


def route_to_json(route: Route) -> JSONObject:
    """Only what is said: a release that was put forward before these words were there is the same release."""
    router, sticky = route.router, route.sticky or Sticky()
    known: JSONObject = {"name": router.name, "kind": router.kind, "listen": router.listen, "tls": router.tls}
    given: JSONObject = {"certificate": router.certificate, "key": router.key, "authority": router.authority, "roots": router.roots}
    said: JSONObject = {
        "cookie": sticky.cookie,
        "header": sticky.header,
        "maintenance": route.maintenance,
        "health": route.health,
        "websockets": route.websockets if route.websockets != "drain" else "",
    }
    return {"router": {**known, **_said(given)}, "host": route.host, "path": route.path, **_said(said)}


def route_from_json(data: Mapping[str, JSON]) -> Route:
    """Read what `route_to_json` wrote."""
    router = data.get("router")
    known: Mapping[str, JSON] = router if isinstance(router, dict) else {}
    names = ("certificate", "key", "authority", "roots")
    cookie, header = str(data.get("cookie") or ""), str(data.get("header") or "")
    return Route(
        Router(
            *(str(known[name]) for name in ("name", "kind", "listen", "tls")),
            **{name: str(known[name]) for name in names if known.get(name)},
        ),
        host=str(data["host"]),
        path=str(data["path"]),
        sticky=Sticky(cookie, header) if cookie or header else None,
        maintenance=str(data.get("maintenance") or ""),
        health=str(data.get("health") or ""),
        websockets=str(data.get("websockets") or "drain"),
    )


def _said(words: JSONObject) -> JSONObject:
    return {name: value for name, value in words.items() if value}
