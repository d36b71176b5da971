"""On a machine with systemd `serve` is kept running by it, and goes without taking along what it started."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from live_host import PROJECT, LiveHost

pytestmark = [pytest.mark.e2e, pytest.mark.root]

HOME = "/var/lib/control"
"""Where vitrify keeps what it remembers there: the unit has to know, too."""
DECLARATION = """
version: 1
project: shop
servers:
  web: {lifecycle: mutable, hosts: [local], resources: [{file: {path: /etc/motd, content: "hello\\n"}}]}
"""


def within(seconds: float, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.2)


def test_systemd_starts_it_again_and_stops_it_without_what_it_started(live_host: LiveHost) -> None:
    live_host.path(PROJECT).mkdir(parents=True, exist_ok=True)
    live_host.path(f"{PROJECT}/vitrify.yaml").write_text(DECLARATION)
    live_host.vitrify("apply", VITRIFY_HOME=HOME)

    said = live_host.vitrify("serve", "--install", "--parallel", "2", VITRIFY_HOME=HOME).stderr
    name = said.split("/")[-1].strip()
    unit = live_host.unit(name, "MainPID", "ActiveState", "UnitFileState", "StatusText", "WatchdogUSec")
    assert (unit["ActiveState"], unit["UnitFileState"]) == ("active", "enabled"), said
    assert unit["StatusText"].startswith("looks after web; tells how they are at unix:"), "it is active once it looks after the servers"
    assert unit["WatchdogUSec"] == "3min"
    (project,) = live_host.path(f"{HOME}/projects").iterdir()
    within(30, (project / "serve.sock").exists)
    assert "another `vitrify serve`" in live_host.vitrify("serve", "--once", expect=6, VITRIFY_HOME=HOME).stderr
    cgroup = f"/sys/fs/cgroup/{live_host.unit(name, 'ControlGroup')['ControlGroup']}/cgroup.procs"
    with live_host.started("sleep", "600") as keeper:
        within(30, lambda: live_host.run("pidof", "sleep", expect=None).returncode == 0)
        started = int(live_host.run("pidof", "sleep").stdout)
        live_host.run("sh", "-c", f"echo {started} > $(ls {cgroup} /sys/fs/cgroup/systemd{cgroup[14:]} 2>/dev/null | head -1)")

        assert name in live_host.run("cat", f"/proc/{started}/cgroup").stdout, "it counts as started by the unit"

        live_host.run("kill", "-9", unit["MainPID"])
        within(30, lambda: live_host.unit(name, "MainPID")["MainPID"] not in ("0", unit["MainPID"]))
        gone = live_host.vitrify("serve", "--uninstall", VITRIFY_HOME=HOME).stderr

        assert name in gone
        assert live_host.unit(name, "LoadState", "ActiveState")["ActiveState"] == "inactive"
        assert keeper.poll() is None, "it outlived the unit"
    assert not live_host.path(f"/etc/systemd/system/{name}").exists()
