"""Routers and routes as they are declared: what reaches the declaration, and what is told of the rest."""

from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.declaration import Sticky

WHOLE = """\
version: 1
project: shop
secrets: {shop_key: {env: SHOP_KEY}}
routers:
  edge: {kind: haproxy, listen: ":8443", certificate: tls/shop.pem, key: "secret:shop_key"}
servers:
  web:
    lifecycle: immutable
    hosts: [local]
    base: scratch
    health: {http: /healthz}
    route: {router: edge, host: shop.example, path: /shop, sticky: {cookie: seat}, maintenance: away.html, websockets: close}
    resources:
      - process: {name: web, command: [/bin/serve], port: 8000}
"""
KEY = {"SHOP_KEY": "-----BEGIN PRIVATE KEY-----"}
GIVEN = 'certificate: tls/shop.pem, key: "secret:shop_key"'


@pytest.fixture
def shop(project: Project) -> Project:
    project.file("tls/shop.pem", "-----BEGIN CERTIFICATE-----\n")
    project.file("away.html", "<p>Back soon</p>")
    return project


def test_all_that_is_said_of_a_route_reaches_the_declaration(shop: Project) -> None:
    declaration = shop.load(WHOLE, environ=KEY)

    (router,), (server,) = declaration.routers, declaration.servers
    assert (router.tls, router.certificate, router.key) == ("given", "-----BEGIN CERTIFICATE-----\n", "shop_key")
    assert server.route
    assert (server.route.sticky, server.route.maintenance) == (Sticky(cookie="seat"), "<p>Back soon</p>")
    assert (server.route.health, server.route.websockets) == ("/shop/healthz", "close")
    assert server.secrets == {"shop_key": KEY["SHOP_KEY"]}
    assert KEY["SHOP_KEY"] not in repr(declaration)


def test_tls_that_the_router_sees_to_is_taken_from_the_authority_that_is_named(shop: Project) -> None:
    text = WHOLE.replace("haproxy", "caddy").replace(GIVEN, "tls: automatic, authority: 'https://ca.test/dir', roots: tls/shop.pem")

    (router,) = shop.load(text, environ=KEY).routers

    assert (router.tls, router.authority, router.roots) == ("automatic", "https://ca.test/dir", "-----BEGIN CERTIFICATE-----\n")


@pytest.mark.parametrize(
    ("old", "new", "summary", "hint"),
    [
        (', key: "secret:shop_key"', "", "5:3 a certificate has a key, and a key a certificate", "secret:NAME"),
        ('"secret:shop_key"', "hunter2", "5:74 a private key has no place in a declaration", "secret:NAME"),
        ('"secret:shop_key"', '"secret:shop_kei"', "12:21 there is no secret `shop_kei`", "did you mean `shop_key`?"),
        (GIVEN, f"tls: internal, {GIVEN}", "5:3 a router that is given a certificate gets none elsewhere", "take out `tls`"),
        (GIVEN, "tls: internal", "5:3 HAProxy fetches no certificates", "kind: caddy"),
        (GIVEN, "tls: off, authority: 'https://ca.test/dir'", "5:3 an authority is asked only for `tls: automatic`", "add it"),
        ("tls/shop.pem", "tls/none.pem", "5:55 the file `tls/none.pem` cannot be read", "No such file"),
        ("away.html", "gone.html", "12:97 the file `gone.html` cannot be read", "No such file"),
        ("cookie: seat", "cookie: seat, header: X-Seat", "12:68 a visitor is known again in one way", "header: NAME"),
        ("cookie: seat", "cookie: 'a b'", "12:77 'a b' is not a name", ""),
        ("sticky: {cookie: seat}", "sticky: {}", "12:68 a visitor is known again in one way", "cookie: NAME"),
        ("websockets: close", "websockets: cut", "12:120 `cut` is not one of drain, close", ""),
    ],
)
def test_what_is_wrong_is_told_at_its_place(shop: Project, old: str, new: str, summary: str, hint: str) -> None:
    assert old in WHOLE

    found, more = shop.problem(WHOLE.replace(old, new), environ=KEY)

    assert found.startswith(summary)
    assert hint in more


def test_a_certificate_that_is_fetched_needs_the_host_of_its_route(shop: Project) -> None:
    text = WHOLE.replace("haproxy", "caddy").replace(GIVEN, "tls: internal").replace("host: shop.example, ", "")

    assert shop.problem(text, environ=KEY)[0].endswith("`tls: internal` needs the host of every route")
