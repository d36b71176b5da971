from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import silence
from vitrify.core.resource import Kinds
from vitrify.core.shares import SLOTS
from vitrify.onhost.caddy import config, slot_path
from vitrify.onhost.context import Context
from vitrify.onhost.routes import HostedRoute, HostedRouter
from vitrify.onhost.slots import GATE, HOLDS, KEPT_SETS, SHUT, serve_nothing_yet
from vitrify.onhost.traffic import CALLS


def none(_: str) -> bytes:
    raise AssertionError("no content is asked for")


CONTEXT = Context(silence, none, lambda _: None, Kinds([]), time.time)


def call(name: str, home: Path, **more: JSON) -> JSONObject:
    return CALLS[f"router.{name}"](CONTEXT, {"home": str(home), "server": "web", **more})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "traffic/web").mkdir(parents=True)
    return tmp_path


def slots(home: Path) -> list[str]:
    return [(home / "traffic/web/current" / str(slot)).read_text() for slot in range(SLOTS)]


def switch(home: Path, name: str, *addresses: str) -> JSONObject:
    return call("switch", home, set=name, addresses=list(addresses))


def test_replicas_fill_the_slots_in_turn(home: Path) -> None:
    switch(home, "r1", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")

    assert slots(home)[:4] == ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:1"]
    assert len(slots(home)) == SLOTS


def test_a_switch_is_one_rename_of_one_link(home: Path) -> None:
    switch(home, "r1", "127.0.0.1:1")
    switch(home, "r2", "127.0.0.1:2")

    assert set(slots(home)) == {"127.0.0.1:2"}
    assert sorted(entry.name for entry in (home / "traffic/web").iterdir()) == [".lock", "current", "sets"]
    assert (home / "traffic/web/current").is_symlink()


def test_what_a_killed_switch_left_ready_is_never_put_in_place_by_another(home: Path) -> None:
    switch(home, "r1", "127.0.0.1:1")
    (home / "traffic/web/.current").symlink_to("sets/none")

    switch(home, "r1", "127.0.0.1:1")

    assert set(slots(home)) == {"127.0.0.1:1"}
    assert not (home / "traffic/web/.current").is_symlink()


def test_going_back_writes_no_file(home: Path) -> None:
    switch(home, "r1", "127.0.0.1:1")
    switch(home, "r2", "127.0.0.1:2")
    before = written(home)

    switch(home, "r1", "127.0.0.1:1")

    assert written(home) == before
    assert call("live", home) == {"set": "r1", "addresses": ["127.0.0.1:1"], "beside": None, "hold": ""}


def test_going_back_by_another_operation_writes_what_is_its_own_and_links_to_the_rest(home: Path) -> None:
    switch(home, "r1-first", "127.0.0.1:1", "127.0.0.1:2")
    switch(home, "r2", "127.0.0.1:3")
    before = {path.stat().st_ino for path in written(home)}

    switch(home, "r1-again", "127.0.0.1:1", "127.0.0.1:2")

    new = {path.name for path in written(home) if path.stat().st_ino not in before}
    assert new == {"set.json"}
    assert slots(home)[:3] == ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1"]
    assert call("live", home)["set"] == "r1-again"


def test_another_share_of_the_same_sets_writes_what_is_its_own_and_links_to_the_rest(home: Path) -> None:
    green: JSONObject = {"set": "green", "addresses": ["127.0.0.1:2"]}
    call("switch", home, set="blue", addresses=["127.0.0.1:1"], beside={**green, "percent": 5})
    before = {path.stat().st_ino for path in written(home)}

    call("switch", home, set="blue", addresses=["127.0.0.1:1"], beside={**green, "percent": 25})

    assert {path.name for path in written(home) if path.stat().st_ino not in before} == {"set.json"}
    assert slots(home).count("127.0.0.1:2") == 5


def written(home: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in (home / "traffic/web/sets").rglob("*") if file.is_file()}


def test_nothing_is_live_before_the_first_switch(home: Path) -> None:
    assert call("live", home) == {"set": "", "addresses": [], "beside": None, "hold": ""}


def test_old_sets_are_removed_but_for_the_newest(home: Path) -> None:
    for number in range(KEPT_SETS + 2):
        switch(home, f"r{number}", "127.0.0.1:1")

    assert len(list((home / "traffic/web/sets").iterdir())) == KEPT_SETS + 1
    assert set(slots(home)) == {"127.0.0.1:1"}


@pytest.mark.parametrize("addresses", [[], ["no-port"], ["unix//run/x.sock"], ["127.0.0.1:1\n"], ["127.0.0.1:1"] * (SLOTS + 1)])
def test_addresses_that_are_none_are_refused(home: Path, addresses: list[str]) -> None:
    with pytest.raises(TargetFailed):
        switch(home, "r1", *addresses)


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".x"])
def test_a_set_cannot_be_named_out_of_its_folder(home: Path, name: str) -> None:
    with pytest.raises(TargetFailed):
        switch(home, name, "127.0.0.1:1")


def test_no_router_has_no_requests_under_way(home: Path) -> None:
    assert call("in_flight", home, addresses=["127.0.0.1:1"]) == {"requests": 0}


def test_the_most_specific_route_comes_first_and_a_stranger_gets_404() -> None:
    routes = (
        HostedRoute("rest"),
        HostedRoute("shop", "shop.test"),
        HostedRoute("api", "shop.test", "/api"),
        HostedRoute("docs", "", "/docs"),
    )

    servers = config(HostedRouter(":80", "off", routes))["apps"]["http"]["servers"]  # type: ignore[index,call-overload]

    found = servers["edge"]["routes"]  # type: ignore[index,call-overload]
    assert [route.get("@id") for route in found] == ["route-api", "route-shop", "route-docs", "route-rest", None]  # type: ignore[union-attr]
    assert found[0]["match"] == [{"host": ["shop.test"], "path": ["/api", "/api/*"]}]  # type: ignore[index,call-overload]
    assert found[-1]["handle"][0]["status_code"] == 404  # type: ignore[index,call-overload]


def test_the_order_in_which_routes_were_made_does_not_matter() -> None:
    routes = (HostedRoute("a", "a.test"), HostedRoute("b", "b.test"))

    assert config(HostedRouter(":80", "off", routes)) == config(HostedRouter(":80", "off", routes[::-1]))


def test_upstreams_are_files_that_a_rename_replaces_and_never_an_address() -> None:
    text = json.dumps(config(HostedRouter(":80", "off", (HostedRoute("web"),))))

    assert text.count('{"dial": "{file.../../traffic/web/current/') == SLOTS + len(HOLDS)
    assert slot_path("web", "3") == "../../traffic/web/current/3"


def test_tls_of_caddys_own_authority_asks_nobody_for_trust() -> None:
    apps = config(HostedRouter(":443", "internal", (HostedRoute("web", "shop.test"),)))["apps"]

    assert apps["pki"] == {"certificate_authorities": {"local": {"install_trust": False}}}  # type: ignore[index,call-overload]


def test_a_set_of_an_older_version_gets_what_is_read_today_and_stays_the_set_that_it_was(home: Path) -> None:
    switch(home, "r1", "127.0.0.1:1")
    place = (home / "traffic/web/current").resolve()
    for name in ("hold", "gate", *(f"w{slot}" for slot in range(SLOTS))):
        (place / name).unlink()

    serve_nothing_yet(str(home / "traffic/web"))

    assert (home / "traffic/web/current/hold").read_text() == "0"
    assert slots(home) == ["127.0.0.1:1"] * SLOTS
    assert call("live", home)["set"] == "r1"


def test_a_pause_is_the_same_set_and_rounds_down_to_what_a_request_can_wait(home: Path) -> None:
    switch(home, "r1", "127.0.0.1:1")

    call("pause", home, at_most=42)

    assert call("live", home) == {"set": "r1", "addresses": ["127.0.0.1:1"], "beside": None, "hold": "30"}
    assert (home / "traffic/web/current/gate").read_text() == SHUT
    assert slots(home) == ["127.0.0.1:1"] * SLOTS
    call("pause", home, at_most=0.1)
    assert call("live", home)["hold"] == "0.5"
    call("resume", home)
    assert call("live", home)["hold"] == ""
    assert (home / "traffic/web/current/gate").read_text() == GATE


@pytest.mark.parametrize("percent", [0, 4, 100, "5"])
def test_a_share_that_is_none_is_refused_and_traffic_stays(home: Path, percent: JSON) -> None:
    switch(home, "r1", "127.0.0.1:1")

    with pytest.raises(TargetFailed):
        call("switch", home, set="r1", addresses=["127.0.0.1:1"], beside={"set": "r2", "addresses": ["127.0.0.1:2"], "percent": percent})

    assert call("live", home)["beside"] is None


def test_a_held_request_is_held_by_the_gate_of_its_own_time() -> None:
    text = json.dumps(config(HostedRouter(":80", "off", (HostedRoute("web", health="/healthz"),))))

    assert all(f'"try_duration": "{round(seconds * 1000)}ms"' in text for seconds in HOLDS)
    assert text.count('"path": ["/healthz"]') == 1


def test_a_certificate_that_is_given_is_another_configuration_than_the_next_one() -> None:
    first, second = (config(HostedRouter(":443", "given", (HostedRoute("web"),), certificate=name)) for name in ("one", "two"))

    assert first != second
