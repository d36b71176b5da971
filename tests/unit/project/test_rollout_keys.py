"""A strategy and what belongs to it reach the server; what belongs to another one is told where it stands."""

from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.batch import Share
from vitrify.core.declaration import Rollout
from vitrify.core.strategy import Bounds, Manner, Weight

WHOLE = """\
version: 1
project: shop
routers:
  edge: {kind: caddy, listen: ":8080"}
servers:
  web:
    lifecycle: immutable
    hosts: [local]
    base: host
    route: {router: edge, host: shop.example}
    health: {http: /healthz, body: green, header: {X-A: b}, host: app.example}
    rollout: {strategy: canary, steps: [5% for 10m, 25%], gate: {errors: 0.5%, p95: 500ms, command: [/bin/x]}, preview: next.example}
    resources:
      - process: {name: web, command: [/usr/bin/python3], port: 8000}
"""
CANARY = WHOLE.splitlines()[11].strip()


def test_a_canary_reaches_the_server(project: Project) -> None:
    (server,) = project.load(WHOLE).servers

    gate = Bounds(errors=0.005, p95=0.5, requests=20, command=("/bin/x",))
    assert server.rollout == Rollout("canary", manner=Manner((Weight(5, 600.0), Weight(25)), gate, preview="next.example"))
    assert server.health
    assert (server.health.body, server.health.header, server.health.host) == ("green", {"X-A": "b"}, "app.example")


@pytest.mark.parametrize(
    ("keys", "manner"),
    [
        ("strategy: rolling, max_surge: 25%, max_unavailable: 1", Manner(max_surge=Share(25, percent=True), max_unavailable=Share(1))),
        ("strategy: recreate, pause: 5s", Manner(pause=5.0)),
        ("promote: manual, preview: '127.0.0.1:8081'", Manner(manual=True, preview="127.0.0.1:8081")),
    ],
)
def test_each_strategy_has_its_own_keys(project: Project, keys: str, manner: Manner) -> None:
    (server,) = project.load(WHOLE.replace(CANARY, f"rollout: {{{keys}}}")).servers

    assert server.rollout.manner == manner


@pytest.mark.parametrize(
    ("keys", "expected", "rest"),
    [
        ("strategy: rolling, steps: [5%]", "12:34 `steps` has no meaning where the strategy is rolling", "it belongs to canary"),
        ("max_surge: 2", "12:15 `max_surge` has no meaning where the strategy is blue-green", "it belongs to rolling"),
        ("strategy: recreate, promote: manual", "12:35 `promote` has no meaning", "blue-green and canary"),
        ("strategy: canary, steps: [7%]", "12:41 7% of the requests cannot be sent beside the others", "a multiple of 5%"),
        ("strategy: canary, steps: [100%]", "12:41 100% of the requests cannot", "from 5% to 95%"),
        ("strategy: canary, steps: [soon]", "12:41 this is not a step of a canary", "`5% for 10m`"),
        ("strategy: canary, steps: [25%, 5%]", "12:14 a canary's steps grow", "a larger share"),
        ("strategy: canary, steps: []", "12:40 nothing is written here", ""),
        ("strategy: canary, gate: {}", "12:39 a gate that asks nothing lets everything through", "errors: 1%"),
        ("strategy: canary, gate: {errors: 2}", "12:48 this is not a share of the answers", "as in 1%"),
        ("strategy: canary, gate: {errors: 101%}", "12:48 this is not a share of the answers", ""),
        ("strategy: rolling, max_surge: some", "12:45 this is not a number of instances", "as in 1 or 25%"),
        ("preview: 'next shop'", "12:24 'next shop' is not a host name", ""),
        ("preview: ':99999'", "12:24 ':99999' is not an address to listen on", ""),
        ("preview: 10.0.0.1", "12:24 '10.0.0.1' is an address without a port", ""),
        ("preview: '::1'", "12:24 '::1' is an address without a port", ""),
        ("expand: [echo]", "12:24 expected a map, not text", "with a list of words, as in `command: [python3"),
        ("preview: shop.example", "12:24 shop.example cannot be the preview of web", "requests of web come there"),
        ("preview: ':8080'", "12:24 :8080 cannot be the preview of web", "the router edge listens there"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(project: Project, keys: str, expected: str, rest: str) -> None:
    found, more = project.problem(WHOLE.replace(CANARY, f"rollout: {{{keys}}}"))

    assert found.startswith(expected), found
    assert rest in more


@pytest.mark.parametrize(
    ("keys", "wanting"), [("strategy: canary", "strategy: canary"), ("preview: next.example", "preview: next.example")]
)
def test_what_sends_requests_here_or_there_needs_a_route(project: Project, keys: str, wanting: str) -> None:
    text = WHOLE.replace(CANARY, f"rollout: {{{keys}}}").replace("    route: {router: edge, host: shop.example}\n", "")

    found, hint = project.problem(text)

    assert f"`{wanting}` needs a `route`" in found
    assert "route: {router: edge" in hint


def test_what_must_never_run_twice_is_declared_once(project: Project) -> None:
    found, hint = project.problem(WHOLE.replace(CANARY, "rollout: {strategy: recreate}\n    replicas: 2"))

    assert found == "13:15 2 replicas are not one at a time"
    assert "replicas: 1" in hint


@pytest.mark.parametrize("key", ["body: x", "header: {A: b}", "host: x.example"])
def test_what_is_about_an_answer_over_http_needs_one(project: Project, key: str) -> None:
    found, _ = project.problem(WHOLE.replace("http: /healthz, body: green, header: {X-A: b}, host: app.example", f"tcp: 0, {key}"))

    assert "is about an answer over HTTP" in found


@pytest.mark.parametrize("keys", ["promote: manual", "strategy: canary, steps: [5% for 10m, 25%]"])
def test_on_several_hosts_a_rollout_may_wait_for_a_person(project: Project, keys: str) -> None:
    several = WHOLE.replace("[local]", "[local, 'ssh://app@web2.example']").replace("base: host", "base: scratch")

    (server,) = project.load(several.replace(CANARY, f"rollout: {{{keys}}}")).servers

    assert len(server.hosts) == 2
    assert server.rollout.manner.manual or server.rollout.manner.steps[-1].hold is None
