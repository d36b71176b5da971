"""One release on two machines: both go forward together or both stay, and no request is lost through the router of either."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet import Control, Fleet, Reached, lacking_ssh
from live_host import lacking
from vitrify.project.binaries import find_caddy
from vitrify.testing.load import Load
from vitrify.testing.load import run as keep_asking

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

ANSWERS = """\
{{
    admin off
    persist_config off
    auto_https off
}}
:{{$PORT}} {{
    bind 127.0.0.1
    @ill file {{
        root /flag
        try_files ill
    }}
    {ill}
    respond "release {text}"
}}
"""
DECLARED = """\
version: 1
project: shop
ssh: {{config: {config}}}
routers:
  edge: {{kind: caddy, listen: "edge:8080"}}
servers:
  web:
    lifecycle: immutable
    hosts: {hosts}
    batch: [1]
    base: rootfs:./root
    health: {{http: /, grace: 400ms}}
    route: {{router: edge}}
    rollout: {{drain: 1s, probation: 0s, keep_warm: 1m}}
    volumes: {{/flag: /srv/flag}}
    resources:
      - directory: /srv
      - tree: {{from: ./site, to: /srv/site}}
      - process: {{name: web, command: [/bin/caddy, run, --config, /srv/site/Caddyfile], port: 8000, env: {{HOME: /tmp}}}}
"""


@dataclass
class Pair:
    """Two machines and a project that lives on both."""

    control: Control
    machines: tuple[Reached, Reached]

    def say(self, text: str) -> None:
        """What the next release is to answer; where a file called `ill` is on its machine it is ill instead, but for release one."""
        ill = "respond @ill 500" if text != "one" else ""
        (self.control.folder / "site" / "Caddyfile").write_text(ANSWERS.format(text=text, ill=ill))

    def live(self) -> list[int]:
        """The live release of each host."""
        (server,) = json.loads(self.control.run("status", "-o", "json").stdout)["servers"]
        return [place["live"] for place in server["places"]]

    @contextmanager
    def asked(self) -> Iterator[list[dict[str, object]]]:
        """Both routers are asked all the while; what came of it is in the list afterwards."""
        stop, found = threading.Event(), list[dict[str, object]]()
        loads = [Load(f"http://{one.address}:8080/", seconds=100, connections=2, expect="release", pause=0.05) for one in self.machines]
        with ThreadPoolExecutor() as pool:
            asking = [pool.submit(keep_asking, load, stop) for load in loads]
            try:
                yield found
            finally:
                stop.set()
                found += [dict(one.result()) for one in asking]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    if missing := lacking() or lacking_ssh():
        pytest.skip(missing)
    fleet = Fleet.begin(tmp_path / "fleet")
    try:
        machines = (fleet.boot(), fleet.boot())
        for one in machines:
            # All share one loopback: each router listens at the address that its own machine calls by this name.
            one.machine.run("sh", "-c", f"echo {one.address} edge >> /etc/hosts; mkdir -p /srv/flag")
        project, home = tmp_path / "project", tmp_path / "home"
        for place in (home, project / "site", project / "root" / "bin"):
            place.mkdir(parents=True)
        shutil.copy(find_caddy(), project / "root" / "bin" / "caddy")
        control = Control(project, home, fleet.runtime)
        hosts = json.dumps([one.url("admin") for one in machines])
        control.declare(DECLARED.format(config=fleet.config, hosts=hosts))
        yield Pair(control, machines)
    finally:
        fleet.close()


def test_two_machines_go_forward_together_or_not_at_all_and_no_request_is_lost_meanwhile(pair: Pair) -> None:
    pair.say("one")
    pair.control.run("apply")
    assert pair.live() == [1, 1]
    pair.machines[1].machine.run("touch", "/srv/flag/ill")
    pair.say("two")

    with pair.asked() as found:
        failed = pair.control.run("apply", expect=7)
        after_failure = pair.live()
        pair.machines[1].machine.run("rm", "/srv/flag/ill")
        pair.control.run("apply", expect=-signal.SIGKILL, VITRIFY_FAILPOINT="switch.outcome#2")
        pair.control.run("apply")
        after_kill = pair.live()
        back = json.loads(pair.control.run("rollback", "web", "-o", "json").stdout)

    assert "every host went back; release 1 still serves" in failed.stderr
    assert (after_failure, after_kill) == ([1, 1], [3, 3])
    assert ([one["release"] for one in back["hosts"]], [one["warm"] for one in back["hosts"]]) == ([1, 1], [True, True])
    assert [one["lost"] for one in found] == [0, 0], str(found)
    pair.control.run("retire", "web")
    assert [one.processes("caddy run") for one in pair.machines] == [[], []]
