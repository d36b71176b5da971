"""A project whose server lives on machines of a fleet: a small web server with an answer of ours, which each machine's router leads to."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contained import lend
from fleet import Control, Fleet, Reached, lacking_ssh
from live_host import lacking
from vitrify.project.binaries import find_caddy
from vitrify.testing.load import Load
from vitrify.testing.load import run as keep_asking

PORT = 8080
PROGRAM = "/usr/bin/perl"
"""Every Debian has it, and without any module it is a tenth of what else could answer: less to send to each machine."""

ANSWERS = r"""
$SIG{CHLD} = "IGNORE";
open(my $told, "<", "/srv/site/says") or die; chomp(my $says = <$told>);
socket(my $door, 2, 1, 0) or die; setsockopt($door, 1, 2, pack("i", 1));
bind($door, pack("S n C4 x8", 2, $ENV{PORT}, 127, 0, 0, 1)) or die "bind: $!"; listen($door, 128) or die;
while (1) {
    accept(my $client, $door) or next;
    next if fork;
    while (<$client>) { last if /^\r?\n$/ }
    my $status = -e "/flag/ill" && $says ne "one" ? "500 Ill" : "200 OK";
    my $body = "release $says";
    syswrite($client, "HTTP/1.1 $status\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body");
    exit;
}
"""
"""Where a file called `ill` is in its volume it is ill, but for the release that says `one`."""

DECLARED = """\
version: 1
project: shop
ssh: {{config: {config}}}
routers:
  edge: {{kind: caddy, listen: "{place}:{port}"}}
servers:
  web:
    lifecycle: immutable
    hosts: {hosts}
    batch: [1]
    base: rootfs:./root
    replicas: {replicas}
    health: {{http: /, interval: 100ms, passes: 2, grace: {grace}}}
    route: {{router: edge}}
    rollout: {{drain: 1s, probation: 0s, keep_warm: 1m{rollout}}}
    volumes: {{/flag: /srv/flag}}
    resources:
      - directory: /srv
      - tree: {{from: ./site, to: /srv/site}}
      - process: {{name: web, command: [{program}, /srv/site/answers], port: 8000}}
{more}"""


@dataclass
class Elsewhere:
    """Machines, and the project whose server lives on all of them."""

    control: Control
    machines: list[Reached]
    config: Path
    replicas: int = 1

    @property
    def hosts(self) -> list[str]:
        """The machines as the declaration names them."""
        return [one.url("admin") for one in self.machines]

    def declare(self, *, hosts: Sequence[str] = (), rollout: str = "", more: str = "", grace: str = "10s") -> None:
        """Write the declaration; `rollout` are other keys of it, each behind a comma, `more` other lines."""
        listed = json.dumps([*(hosts or self.hosts)])
        # All machines share one loopback: of several each router listens at the address that its own machine calls by this name.
        place = "edge" if self.machines[1:] else self.machines[0].address
        about = {"config": self.config, "place": place, "port": PORT, "hosts": listed, "replicas": self.replicas, "program": PROGRAM}
        text = DECLARED.format(**about, rollout=rollout, more=more, grace=grace)
        self.control.declare(text)

    def say(self, text: str) -> None:
        """What the next release is to answer."""
        (self.control.folder / "site" / "says").write_text(f"{text}\n")

    def status(self) -> dict[str, Any]:
        """The server as `status` tells of it, whatever its exit code is."""
        (server,) = json.loads(self.control.run("status", "-o", "json", expect=None).stdout)["servers"]
        found: dict[str, Any] = server
        return found

    def live(self) -> list[int | None]:
        """The live release of each machine, as is remembered."""
        places = self.status()["places"]
        return [place["live"] for place in places]

    def url(self, machine: int = 0) -> str:
        """Where clients reach the server on this machine."""
        return f"http://{self.machines[machine].address}:{PORT}/"

    def says(self, machine: int = 0) -> str:
        """What a client of this machine is answered."""
        with urllib.request.urlopen(self.url(machine), timeout=20) as answer:  # noqa: S310  our own address
            return str(answer.read().decode())

    @contextmanager
    def asked(self) -> Iterator[list[dict[str, object]]]:
        """All routers are asked all the while; what came of it is in the list afterwards, by machine."""
        stop, found = threading.Event(), list[dict[str, object]]()
        urls = [self.url(number) for number in range(len(self.machines))]
        loads = [Load(url, seconds=300, connections=2, expect="release", pause=0.05) for url in urls]
        with ThreadPoolExecutor() as pool:
            asking = [pool.submit(keep_asking, load, stop) for load in loads]
            try:
                yield found
            finally:
                stop.set()
                found += [dict(one.result()) for one in asking]


@contextmanager
def elsewhere(folder: Path, *, machines: int, payload: Path, replicas: int = 1, routed: bool = False) -> Iterator[Elsewhere]:
    """So many new machines, and a project that was never released; `routed`: the machines have the router's program already. `payload` is
    the folder where all homes keep that.
    """
    if missing := lacking() or lacking_ssh():
        pytest.skip(missing)
    fleet = Fleet.begin(folder / "fleet")
    try:
        there = [fleet.boot() for _ in range(machines)]
        caddy = find_caddy()
        for one in there:
            one.machine.run("sh", "-c", f"echo {one.address} edge >> /etc/hosts; mkdir -p /srv/flag")
            if routed and one.machine.path(caddy).exists():
                one.machine.path("/usr/local/bin/caddy").symlink_to(caddy)
        project, home = folder / "project", folder / "home"
        for place in (home, project / "site", project / "root"):
            place.mkdir(parents=True)
        (home / "payload").symlink_to(payload)
        lend(PROGRAM, project / "root")
        (project / "site" / "answers").write_text(ANSWERS)
        found = Elsewhere(Control(project, home, fleet.runtime), there, fleet.config, replicas)
        found.declare()
        yield found
    finally:
        fleet.close()
