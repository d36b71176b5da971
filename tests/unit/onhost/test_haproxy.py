"""HAProxy's configuration is a function of routes and of where they lead, and says nothing that it was not meant to."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import Denied
from vitrify.onhost.haproxy import Placed, config, identity, maps
from vitrify.onhost.routes import HostedRoute, HostedRouter

ROUTES = tuple(HostedRoute(*words) for words in [("rest",), ("shop", "shop.test"), ("api", "shop.test", "/api"), ("any", "*.shop.test")])


def written(*routes: HostedRoute, tls: str = "off") -> str:
    return config(HostedRouter(":80", tls, routes, "haproxy"), {}, {})


def test_the_most_specific_route_is_chosen_first() -> None:
    chosen = [line.split("'")[1] for line in written(*ROUTES).splitlines() if "set-var(txn.server)" in line]

    assert chosen == ["api", "api", "shop", "any", "rest"]


def test_the_order_in_which_routes_were_made_does_not_matter() -> None:
    assert written(*ROUTES) == written(*ROUTES[::-1])


def test_where_servers_lead_needs_no_other_process_and_another_route_does() -> None:
    router = HostedRouter(":80", "off", ROUTES, "haproxy")
    led = {"shop": Placed(("sets/a", "sets/b", "", ""), 1, 500)}

    assert identity(router, led) == identity(router, {})
    assert identity(router, led) != identity(router.without("api"), led)
    assert identity(router, {"shop": Placed(("",) * 8)}) != identity(router, {})


def test_every_server_has_its_line_in_both_maps() -> None:
    found = maps(HostedRouter(":80", "off", ROUTES, "haproxy"), {"shop": Placed(("sets/a", "", "", ""), 0, 500)})

    assert found["live.map"].splitlines() == ["any nowhere", "api nowhere", "rest nowhere", "shop shop.0"]
    assert found["holds.map"].splitlines() == ["any 0", "api 0", "rest 0", "shop 500"]


@pytest.mark.parametrize("path", ["/a b'c", '/"quoted"', "/$HOME", "/x\\y", "/#not-a-comment"])
def test_what_is_in_a_path_is_one_word_in_which_nothing_means_anything(path: str) -> None:
    line = next(line for line in written(HostedRoute("web", "", path)).splitlines() if "path -m str" in line)

    assert line.partition("path -m str ")[2] == "'" + path.replace("'", "'\\''") + "' }"


@pytest.mark.parametrize("path", ["/a\nfrontend evil", "/a\tb", "/\x7f"])
def test_a_control_character_is_refused(path: str) -> None:
    with pytest.raises(Denied):
        written(HostedRoute("web", "", path))


def test_what_was_led_to_is_in_the_configuration_and_the_rest_leads_nowhere() -> None:
    router = HostedRouter(":80", "off", (HostedRoute("web"),), "haproxy")

    text = config(router, {"web": Placed(("", "sets/a", "", ""), 1)}, {"web.1": ("10.0.0.1:80",) * 20})

    assert text.count("10.0.0.1:80") == 20
    assert text.count("127.0.0.1:1") == 60


def test_tls_takes_the_certificate_that_is_given() -> None:
    assert "bind :80 ssl crt tls/both.pem" in written(ROUTES[0], tls="given")
