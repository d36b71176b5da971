from __future__ import annotations

import pytest

from vitrify.core.access import cuts
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Resource
from vitrify.resources.registry import all_kinds

KINDS = all_kinds()


def reason(kind: str, action: Action = Action.UPDATE, **fields: JSON) -> str:
    resource = Resource(Address(kind, KINDS[kind].identity(fields)), fields)
    return cuts(Change(resource, action, MISSING, KINDS[kind].desired(resource)), KINDS[kind])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/ssh/sshd_config", "the SSH server reads it"),
        ("/etc/ssh/sshd_config.d/10-port.conf", "the SSH server reads it"),
        ("/etc/sudoers", "sudo reads it"),
        ("/etc/sudoers.d/deploy", "sudo reads it"),
        ("/etc/network/interfaces", "the network is set up by it"),
        ("/etc/netplan/50-cloud-init.yaml", "the network is set up by it"),
        ("/etc/systemd/network/10-wan.network", "the network is set up by it"),
        ("/root/.ssh/authorized_keys", "keys for SSH are read from it"),
        ("/var/lib/ada/.ssh", "keys for SSH are read from it"),
        ("/etc/nologin", "it shuts out everybody but root"),
        ("/etc/systemd/system/ssh.service", "the host is reached through this unit"),
        ("/etc/systemd/system/ssh.service.d/limits.conf", "the host is reached through this unit"),
    ],
)
def test_a_change_of_a_path_by_which_a_host_is_reached_can_shut_us_out(path: str, why: str) -> None:
    assert reason("file", path=path) == f"{path}: {why}"


@pytest.mark.parametrize(
    "path", ["/etc/motd", "/etc/sshd_config", "/etc/sudoers.old", "/srv/etc/ssh/sshd_config", "/etc/systemd/system/shop.service"]
)
def test_a_change_of_another_path_cannot(path: str) -> None:
    assert reason("file", path=path) == ""


def test_a_change_counts_whichever_kind_makes_it() -> None:
    assert reason("line", path="/etc/ssh/sshd_config", line="PermitRootLogin no")
    assert reason("directory", path="/root/.ssh")
    assert reason("unit", name="ssh", drop_in="limits", sections={"Service": {}})
    assert not reason("directory", path="/etc/systemd")


@pytest.mark.parametrize(
    ("name", "cut"), [("ssh", True), ("sshd.service", True), ("ssh.socket", True), ("nftables", True), ("nginx", False)]
)
def test_a_service_by_which_a_host_is_reached_can_shut_us_out(name: str, *, cut: bool) -> None:
    assert bool(reason("service", name=name, running=False)) is cut


def test_a_setting_of_the_network_can_shut_us_out_and_another_cannot() -> None:
    assert reason("sysctl", name="net.ipv4.ip_forward", value=0)
    assert not reason("sysctl", name="vm.swappiness", value=1)


def test_a_firewall_can_always_shut_us_out() -> None:
    assert reason("firewall", name="shop", content="sha256:x") == "it decides who reaches the host"
    assert reason("firewall", Action.REMOVE, name="shop", content="sha256:x")


def test_a_command_is_not_counted() -> None:
    assert not reason("command", run=["/usr/sbin/sshd"], always=True)
