"""Services of a real machine: started, enabled, masked, told of changes exactly once, and put back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from live_host import PROJECT, LiveHost
from vitrify.core import install
from vitrify.core.system import System
from vitrify.onhost.root import folder_system
from vitrify.onhost.sidecar import Sidecar

pytestmark = [pytest.mark.e2e, pytest.mark.root]

UNIT = """[Unit]
Description=counts how often it is started and reloaded

[Service]
ExecStart=/bin/sh -c "echo start >> /var/log/counted; exec sleep infinity"
ExecReload=/bin/sh -c "echo reload >> /var/log/counted"

[Install]
WantedBy=multi-user.target
Alias=tally.service
"""
INIT_SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides:          old
# Required-Start:    $local_fs
# Required-Stop:     $local_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: from before there were units
### END INIT INFO
"""
COUNTED = "/etc/systemd/system/counted.service"
HEAD = """
version: 1
project: shop
servers:
  web:
    lifecycle: mutable
    hosts: [local]
    resources:
"""
BRING = "- file: {path: /etc/systemd/system/counted.service, source: ./counted.service}"
CONF = '- file: {path: /etc/counted.conf, content: "WORD"}'


def declare(host: LiveHost, *resources: str) -> None:
    """A server with these resources, in the machine's project."""
    project = host.path(PROJECT)
    (project / "counted.service").write_text(UNIT)
    (project / "vitrify.yaml").write_text(HEAD + "".join(f"      {line}\n" for line in resources))


def state(host: LiveHost, unit: str = "counted.service") -> tuple[str, str]:
    told = host.unit(unit, "ActiveState", "UnitFileState")
    return told["ActiveState"], told["UnitFileState"]


def counted(host: LiveHost) -> list[str]:
    """What the unit was told so far."""
    path = host.path("/var/log/counted")
    return path.read_text().split() if path.exists() else []


def settled(host: LiveHost) -> bool:
    return host.vitrify("plan", "--detailed-exitcode", expect=None).returncode == 0


def test_a_service_is_brought_started_and_enabled_in_one_apply_and_undone_in_one(live_host: LiveHost) -> None:
    declare(live_host, BRING, "- service: {name: counted, running: true, enabled: true}")

    plan = live_host.vitrify("plan").stdout
    live_host.vitrify("apply")
    up, quiet = state(live_host), settled(live_host)
    live_host.vitrify("undo", "web")

    assert "file /etc/systemd/system/counted.service provides this unit" in plan
    assert up == ("active", "enabled")
    assert quiet
    assert live_host.unit("counted.service", "LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
    assert not live_host.path("/etc/systemd/system/multi-user.target.wants/counted.service").is_symlink()
    assert live_host.run("systemctl", "is-system-running", expect=None).stdout == "running\n"


def test_a_service_of_a_package_is_stopped_disabled_and_masked_and_an_undo_gives_it_back(live_host: LiveHost) -> None:
    assert state(live_host, "cron.service") == ("active", "enabled")
    declare(live_host, "- service: {name: cron, running: false, enabled: false, masked: true}")

    live_host.vitrify("apply")
    shut, quiet = state(live_host, "cron.service"), settled(live_host)
    links = live_host.path("/etc/systemd/system/multi-user.target.wants/cron.service").is_symlink()
    live_host.vitrify("undo", "web")

    assert shut == ("inactive", "masked")
    assert quiet
    assert not links
    assert state(live_host, "cron.service") == ("active", "enabled")


def test_what_was_done_by_hand_is_put_right(live_host: LiveHost) -> None:
    old = "- service: {name: old, running: true, enabled: true}"
    script = '- file: {path: /etc/init.d/old, source: ./old, mode: "0755"}'
    declare(live_host, "- service: {name: cron, running: true, enabled: true, masked: false}", script, old)
    live_host.path(f"{PROJECT}/old").write_text(INIT_SCRIPT)
    live_host.vitrify("apply")
    assert live_host.run("systemctl", "is-enabled", "old", expect=None).stdout.strip() == "enabled"
    assert settled(live_host)
    live_host.run("systemctl", "disable", "--now", "cron", "old")
    live_host.run("systemctl", "mask", "cron")

    live_host.vitrify("apply")

    assert state(live_host, "cron.service") == ("active", "enabled")
    assert live_host.run("systemctl", "is-enabled", "old", expect=None).stdout.strip() == "enabled"
    assert live_host.run("systemctl", "is-active", "old", expect=None).stdout.strip() == "active"
    assert settled(live_host)


def test_a_service_that_listens_is_restarted_exactly_once_for_many_changes(live_host: LiveHost) -> None:
    more = '- file: {path: /etc/counted.more, content: "WORD"}'
    service = '- service: {name: counted, running: true, restart_on: ["file:/etc/counted.conf", "file:/etc/counted.more"]}'
    for word in ("one", "two"):
        declare(live_host, BRING, CONF.replace("WORD", word), more.replace("WORD", word), service)
        live_host.vitrify("apply")
    live_host.vitrify("apply")

    assert counted(live_host) == ["start", "start"]
    assert settled(live_host)


def test_a_service_is_reloaded_where_a_reload_is_asked_for(live_host: LiveHost) -> None:
    service = '- service: {name: counted, running: true, reload_on: ["file:/etc/counted.conf"]}'
    for word in ("one", "two"):
        declare(live_host, BRING, CONF.replace("WORD", word), service)
        live_host.vitrify("apply")

    assert counted(live_host) == ["start", "reload"]


def test_a_restart_that_is_owed_survives_a_failed_run_and_an_undo_pays_its_own(live_host: LiveHost) -> None:
    service = '- service: {name: counted, running: true, restart_on: ["file:/etc/counted.conf"]}'
    failing = "- command: {run: [/bin/false], creates: /etc/never}"
    declare(live_host, BRING, CONF.replace("WORD", "one"), service)
    live_host.vitrify("apply")
    declare(live_host, BRING, CONF.replace("WORD", "two"), failing, service)
    live_host.vitrify("apply", expect=3)
    owed = counted(live_host)
    declare(live_host, BRING, CONF.replace("WORD", "two"), service)

    live_host.vitrify("apply")
    paid = counted(live_host)

    assert owed == ["start"]
    assert paid == ["start", "start"]
    assert settled(live_host)


def test_an_undo_restarts_what_listens_once_the_former_file_is_back(live_host: LiveHost) -> None:
    service = '- service: {name: counted, running: true, restart_on: ["file:/etc/counted.conf"]}'
    for word in ("one", "two"):
        declare(live_host, BRING, CONF.replace("WORD", word), service)
        live_host.vitrify("apply")

    live_host.vitrify("undo", "web")

    assert counted(live_host) == ["start", "start", "start"]
    assert live_host.path("/etc/counted.conf").read_text() == "one"
    assert state(live_host)[0] == "active"


def test_a_restart_starts_nothing_that_was_stopped_by_hand(live_host: LiveHost) -> None:
    service = '- service: {name: counted, restart_on: ["file:/etc/counted.conf"]}'
    for word in ("one", "two"):
        declare(live_host, BRING, CONF.replace("WORD", word), service)
        live_host.vitrify("apply")

    assert counted(live_host) == []
    assert settled(live_host)


def test_a_service_without_a_unit_fails_and_says_what_to_declare(live_host: LiveHost) -> None:
    declare(live_host, "- service: {name: nothing, running: true}")

    plan = live_host.vitrify("plan").stdout
    failed = live_host.vitrify("apply", expect=3)

    assert "there is no such unit: this will fail unless a change before it brings one" in plan
    assert "nothing.service" in failed.stderr


UNITS = {
    "plain.service": "[Install]\nWantedBy=multi-user.target\n",
    "named.service": "[Install]\nWantedBy=multi-user.target\nAlias=dbus-org.example.Named.service other-name.service\n",
    "wanted.socket": "[Socket]\nListenStream=/run/wanted\n[Install]\nWantedBy=sockets.target\nAlso=wanted.service\n",
    "wanted.service": "[Install]\nAlso=wanted.socket\nRequiredBy=multi-user.target graphical.target\n",
    "many@.service": "[Install]\nWantedBy=multi-user.target\nWantedBy=many-%i.target\nDefaultInstance=zero\n",
    "cleared.service": "[Install]\nWantedBy=one.target\nWantedBy=\nWantedBy=two.target\n",
}
WISHED = ("plain.service", "named.service", "wanted.socket", "many@berlin.service", "cleared.service")


def arranged(root: Path) -> None:
    folder = root / "etc/systemd/system"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in UNITS.items():
        (folder / name).write_text(f"{text}\n[Service]\nExecStart=/bin/true\n")


def links(root: Path) -> set[tuple[str, str]]:
    """Every link that enables something, with the name of the unit that it leads to."""
    top = root / "etc/systemd/system"
    found = [path for path in top.rglob("*") if path.is_symlink()]
    return {
        (str(path.relative_to(top)), str(path.readlink())) for path in found if not str(path.readlink()).startswith(("/lib", "/usr/lib"))
    }


def folder(root: Path) -> System:
    return folder_system(str(root), sidecar=Sidecar({}), bwrap="", blob=lambda _: b"", key=b"")


@pytest.mark.parametrize("unit", WISHED)
def test_the_links_are_those_that_systemctl_makes_and_takes_away(live_host: LiveHost, tmp_path: Path, unit: str) -> None:
    arranged(live_host.path("/"))
    arranged(tmp_path)
    untouched = links(tmp_path)

    live_host.run("systemctl", "enable", unit)
    install.enable(unit, folder(tmp_path))
    theirs, ours = links(live_host.path("/")), links(tmp_path)
    live_host.run("systemctl", "disable", unit)
    install.disable(unit, folder(tmp_path))

    assert ours - untouched
    assert ours == theirs
    assert links(tmp_path) == links(live_host.path("/")) == untouched
