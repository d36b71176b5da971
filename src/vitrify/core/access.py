"""Whether a change can cut the way by which a host is reached: then it is worth a timer that takes it back by itself."""

from __future__ import annotations

import re

from vitrify.core import place
from vitrify.core.difference import Action, Change
from vitrify.core.resource import Kind

_FOLDERS = (
    ("/etc/ssh", "the SSH server reads it"),
    ("/etc/sudoers.d", "sudo reads it"),
    ("/etc/pam.d", "every login reads it"),
    ("/etc/security", "every login reads it"),
    ("/etc/network", "the network is set up by it"),
    ("/etc/netplan", "the network is set up by it"),
    ("/etc/systemd/network", "the network is set up by it"),
    ("/etc/NetworkManager", "the network is set up by it"),
    ("/etc/sysconfig/network-scripts", "the network is set up by it"),
    ("/etc/wireguard", "the network is set up by it"),
    ("/etc/nftables.d", "the firewall reads it"),
    ("/etc/iptables", "the firewall reads it"),
    ("/etc/ufw", "the firewall reads it"),
    ("/etc/firewalld", "the firewall reads it"),
)
_FILES = (
    ("/etc/sudoers", "sudo reads it"),
    ("/etc/passwd", "every login reads it"),
    ("/etc/shadow", "every login reads it"),
    ("/etc/group", "every login reads it"),
    ("/etc/nsswitch.conf", "every login reads it"),
    ("/etc/shells", "every login reads it"),
    ("/etc/nologin", "it shuts out everybody but root"),
    ("/etc/hosts.allow", "the SSH server may read it"),
    ("/etc/hosts.deny", "the SSH server may read it"),
    ("/etc/nftables.conf", "the firewall reads it"),
    ("/etc/resolv.conf", "names are looked up by it"),
)
_KEYS = re.compile(r"/\.ssh(/authorized_keys2?)?$")
_UNITS = re.compile(
    r"(ssh|sshd|ssh@.*|sshd@.*|dropbear|networking|NetworkManager|systemd-networkd|systemd-resolved|wpa_supplicant|wg-quick@.*|openvpn.*"
    r"|nftables|iptables|ip6tables|netfilter-persistent|ufw|firewalld|tailscaled|cloudflared)(\.service|\.socket)?"
)
_PACKAGES = re.compile(
    r"(openssh-server|sudo|ifupdown|netplan\.io|network-manager|systemd-networkd?|nftables|iptables.*|ufw|firewalld|libpam.*)"
)
_SETTINGS = re.compile(r"net[./](ipv4|ipv6|netfilter|core)[./].*")


def cuts(change: Change, kind: Kind) -> str:
    """Why this change can shut us out, in words that follow the address; "" where it cannot.

    What a program does (`command`, `script`) nobody can foresee: those are not counted, or every one of them would be.
    """
    if kind.locks_out:
        return "it decides who reaches the host"
    name = change.resource.address.name
    if kind.name == "service" and _UNITS.fullmatch(name):
        return "the host is reached through it"
    if kind.name == "process" and _UNITS.fullmatch(name):
        return "the host is reached through it"
    if kind.name == "package" and change.action is Action.REMOVE and _PACKAGES.fullmatch(name):
        return "the host is reached with what it brings"
    if kind.name == "sysctl" and _SETTINGS.fullmatch(name):
        return "the network obeys it"
    return next((f"{path}: {why}" for path in kind.affected(change) for why in [_of_path(path)] if why), "")


def _of_path(path: str) -> str:
    """Why the path matters; folders that are only made, or were there, above it do not."""
    for folder, why in _FOLDERS:
        if place.inside(path, folder):
            return why
    if _KEYS.search(path):
        return "keys for SSH are read from it"
    unit = re.fullmatch(r"(?:/etc|/usr/lib|/lib)/systemd/system/([^/]+?)(?:\.d/[^/]+)?", path)
    if unit and _UNITS.fullmatch(unit.group(1)):
        return "the host is reached through this unit"
    return dict(_FILES).get(path, "")
