"""A firewall of a real machine: what nft refuses is never put in place, what it takes is there at once and after a start."""

from __future__ import annotations

import pytest

from live_host import PROJECT, LiveHost
from test_services_on_systemd import declare, settled

pytestmark = [pytest.mark.e2e, pytest.mark.root]

RULES = """set blocked {
    type ipv4_addr
    flags dynamic
}
set office {
    type ipv4_addr
    elements = { 192.0.2.7, 192.0.2.9 }
}
chain input {
    type filter hook input priority filter; policy accept;
    ip saddr @blocked drop
    tcp dport PORT reject with tcp reset
}
"""
FIREWALL = "- firewall: {name: shop, source: ./rules}"
REACH = """
import socket, threading
listening = socket.create_server(("127.0.0.1", 8001))
threading.Thread(target=listening.accept, daemon=True).start()
try:
    socket.create_connection(("127.0.0.1", 8001), timeout=5)
    print("reached")
except OSError:
    print("refused")
"""
FOREIGN = "add table inet foreign { chain input { type filter hook input priority 10; }; }"


def shut(host: LiveHost, port: int, rules: str = RULES) -> None:
    """Declare a firewall that refuses this port."""
    declare(host, FIREWALL)
    host.path(f"{PROJECT}/rules").write_text(rules.replace("PORT", str(port)))


def reach(host: LiveHost) -> str:
    """Whether port 8001 can be reached on the machine."""
    return host.run("/usr/bin/python3", "-I", "-c", REACH).stdout.strip()


def tables(host: LiveHost) -> str:
    return host.run("nft", "list", "tables").stdout


def test_a_firewall_shuts_a_port_at_once_leaves_other_tables_and_an_undo_opens_it(live_host: LiveHost) -> None:
    live_host.run("nft", FOREIGN)
    open_before = reach(live_host)
    shut(live_host, 8001)

    live_host.vitrify("apply")
    refused, quiet = reach(live_host), settled(live_host)
    both = tables(live_host)
    live_host.vitrify("undo", "web")

    assert open_before == "reached"
    assert refused == "refused"
    assert quiet
    assert "inet shop" in both
    assert "inet foreign" in both
    assert reach(live_host) == "reached"
    assert tables(live_host) == "table inet foreign\n"


def test_an_undo_of_other_rules_gives_the_former_table_back(live_host: LiveHost) -> None:
    shut(live_host, 8001)
    live_host.vitrify("apply")
    shut(live_host, 8002)
    live_host.vitrify("apply")
    opened = reach(live_host)

    live_host.vitrify("undo", "web")

    assert opened == "reached"
    assert reach(live_host) == "refused"


def test_rules_that_nft_does_not_accept_change_nothing(live_host: LiveHost) -> None:
    shut(live_host, 8001)
    live_host.vitrify("apply")
    before = live_host.run("nft", "list", "ruleset").stdout
    shut(live_host, 8002, RULES + "chain broken { nonsense }\n")

    failed = live_host.vitrify("apply", expect=3)

    assert "nft does not accept the rules of firewall:shop" in failed.stderr
    assert live_host.run("nft", "list", "ruleset").stdout == before
    assert "8001" in live_host.path("/etc/nftables.d/vitrify-shop.rules").read_text()
    assert not list(live_host.path("/run/vitrify/firewall").iterdir())


def test_a_rule_that_was_added_by_hand_is_found_and_what_a_program_adds_to_a_set_is_not(live_host: LiveHost) -> None:
    shut(live_host, 8001)
    live_host.vitrify("apply")
    live_host.run("nft", "add element inet shop blocked { 192.0.2.1 }")
    after_element = settled(live_host)
    live_host.run("nft", "add element inet shop office { 192.0.2.2 }")
    after_declared_one = settled(live_host)
    live_host.run("nft", "delete element inet shop office { 192.0.2.2 }")
    after_all = settled(live_host)
    live_host.run("nft", "insert rule inet shop input tcp dport 8001 accept")

    audited = live_host.document("audit", "--detailed-exitcode", expect=2)
    live_host.vitrify("apply")

    assert (after_element, after_declared_one, after_all) == (True, False, True)
    assert "firewall:shop" in str(audited["findings"])
    assert reach(live_host) == "refused"
    assert settled(live_host)


def test_a_firewall_is_there_again_after_a_start_and_a_plan_is_empty(live_host: LiveHost) -> None:
    shut(live_host, 8001)
    live_host.vitrify("apply")

    again = live_host.reboot()

    assert reach(again) == "refused"
    assert again.unit("vitrify-firewall-shop.service", "ActiveState") == {"ActiveState": "active"}
    assert settled(again)


def test_a_firewall_that_left_the_declaration_is_gone(live_host: LiveHost) -> None:
    shut(live_host, 8001)
    live_host.vitrify("apply")
    declare(live_host, "- file: {path: /etc/other, content: x}")

    live_host.vitrify("apply")

    assert reach(live_host) == "reached"
    assert tables(live_host) == ""
    assert not list(live_host.path("/etc/nftables.d").iterdir())
