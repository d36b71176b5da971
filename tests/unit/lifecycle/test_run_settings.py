"""What is kept with a release brings it back without its declaration, and holds no secret."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import HEALTH, ROUTE, a_server

from vitrify.core.declaration import Router, Server, Sticky
from vitrify.core.diagnostic import UsageInvalid
from vitrify.lifecycle.settings import RunSettings, declared_digest, from_json, known_secrets, secret_names, settings_of, to_json
from vitrify.resources.process import image_process

ENV = {"KEY": "secret:api_key", "MODE": "production", "TEXT": "no secret:api_key here"}


def settings(server: Server) -> RunSettings:
    return settings_of(server, image_process(server.resources[1]), key=bytes(32))


def digest(server: Server) -> str:
    return declared_digest(server.resources, str(server.base), settings(server))


@pytest.mark.parametrize(
    "server",
    [
        a_server(replicas=3, env=ENV, secrets={"api_key": "hunter2"}),
        a_server(route=None, health=None),
        a_server(route=replace(ROUTE, sticky=Sticky(header="X-Seat"), maintenance="<p/>", health="/healthz", websockets="close")),
        a_server(route=replace(ROUTE, router=Router("edge", "caddy", ":443", "given", "PEM", "shop_key"))),
        a_server(route=replace(ROUTE, host="shop.example", path="/api"), health=replace(HEALTH, http="", tcp=0, command=("/bin/check",))),
    ],
)
def test_what_was_kept_is_read_as_it_was(server: Server) -> None:
    assert from_json(to_json(settings(server))) == settings(server)


def test_a_secret_is_kept_as_a_keyed_digest_and_filled_in_where_the_whole_value_asks_for_it() -> None:
    kept = settings(a_server(env=ENV, secrets={"api_key": "hunter2"}))

    assert "hunter2" not in str(to_json(kept))
    assert kept.environment(known_secrets({"api_key": "hunter2"})) == {**ENV, "KEY": "hunter2"}


def test_the_secrets_of_an_environment_are_named_once_and_sorted() -> None:
    assert secret_names({"B": "secret:two", "A": "secret:one", "C": "secret:two", "D": "secret:"}) == ("one", "two")


def test_a_secret_that_is_not_declared_any_more_is_named() -> None:
    with pytest.raises(UsageInvalid, match="'api_key' is not declared any more"):
        known_secrets({})("api_key")


def test_two_declarations_are_one_where_only_the_way_into_service_differs() -> None:
    server = a_server()

    assert digest(replace(server, health=None, rollout=replace(server.rollout, drain=1.0, retain=1))) == digest(server)


@pytest.mark.parametrize(
    "other",
    [
        a_server("two"),
        a_server(replicas=2),
        a_server(route=None),
        a_server(env={"MODE": "production"}),
        replace(a_server(), writable=("/var/cache",)),
    ],
)
def test_two_declarations_differ_where_anything_else_does(other: Server) -> None:
    assert digest(other) != digest(a_server())


def test_the_health_path_of_a_route_is_no_reason_for_a_new_release_and_its_page_is() -> None:
    base = a_server()

    assert digest(replace(base, route=replace(ROUTE, health="/healthz"))) == digest(base)
    assert digest(replace(base, route=replace(ROUTE, maintenance="<p/>"))) != digest(base)
