"""An immutable server on another machine: baked here, brought there, switched without losing a request, and found again."""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from fleet import Control, Fleet, Reached, lacking_ssh
from live_host import lacking
from vitrify.project.binaries import find_caddy
from vitrify.testing.load import Load
from vitrify.testing.load import run as keep_asking

pytestmark = pytest.mark.e2e

PORT = 8080
ANSWERS = """\
{{
    admin off
    persist_config off
    auto_https off
}}
:{{$PORT}} {{
    bind 127.0.0.1
    respond "release {text}"
}}
"""
"""What the application is told to say: it is a web server that others wrote, with an answer of ours."""

DECLARED = """\
version: 1
project: shop
ssh: {{config: {config}}}
routers:
  edge: {{kind: caddy, listen: "{address}:8080"}}
servers:
  web:
    lifecycle: immutable
    hosts: ["{host}"]
    base: rootfs:./root
    replicas: 2
    health: {{http: /}}
    route: {{router: edge}}
    rollout: {{drain: 1s, probation: 0s, keep_warm: 1m}}
    resources:
      - directory: /srv
      - tree: {{from: ./site, to: /srv/site}}
      - process: {{name: web, command: [/bin/caddy, run, --config, /srv/site/Caddyfile], port: 8000, env: {{HOME: /tmp}}}}
"""


@dataclass
class Stage:
    """A machine, and a project whose server lives on it."""

    machine: Reached
    control: Control

    @property
    def url(self) -> str:
        return f"http://{self.machine.address}:{PORT}/"

    def says(self) -> str:
        """What a client is answered."""
        with urllib.request.urlopen(self.url, timeout=5) as answer:  # noqa: S310  our own address
            return str(answer.read().decode())

    def release(self, text: str) -> int:
        """Put forward a release that says this; how many bytes of contents went to the machine."""
        (self.control.folder / "site" / "Caddyfile").write_text(ANSWERS.format(text=text))
        told = self.control.run("apply", "-o", "ndjson").stdout
        events = [json.loads(line) for line in told.splitlines()]
        return sum(event["data"]["bytes"] for event in events if event.get("what") == "image.send" and event.get("stage") == "done")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One machine for all tests, each of which begins with a release of its own."""
    if missing := lacking() or lacking_ssh():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("elsewhere")
    fleet = Fleet.begin(folder / "fleet")
    try:
        machine = fleet.boot()
        project, home = folder / "project", folder / "home"
        for place in (home, project / "site", project / "root" / "bin"):
            place.mkdir(parents=True)
        shutil.copy(find_caddy(), project / "root" / "bin" / "caddy")
        (project / "site" / "large").write_bytes(bytes(range(256)) * 4096)
        control = Control(project, home, fleet.runtime)
        control.declare(DECLARED.format(config=fleet.config, address=machine.address, host=machine.url("admin")))
        yield Stage(machine, control)
    finally:
        fleet.close()


def test_a_release_on_another_machine_loses_no_request_and_costs_what_changed(stage: Stage) -> None:
    stage.release("one")
    stop = threading.Event()
    found: list[dict[str, object]] = []
    asking = threading.Thread(
        target=lambda: found.append(dict(keep_asking(Load(stage.url, seconds=60, expect="release", pause=0.01), stop)))
    )
    asking.start()
    try:
        sent = stage.release("two")
        said = stage.says()
        back = json.loads(stage.control.run("rollback", "web", "-o", "json").stdout)
    finally:
        stop.set()
        asking.join()

    assert (said, stage.says()) == ("release two", "release one")
    assert back["warm"] is True
    assert found[0]["lost"] == 0, str(found[0])
    assert 0 < sent < 64 << 10, "what the machine has already was sent again"


def test_what_runs_there_is_seen_from_here_and_what_was_altered_is_replaced(stage: Stage) -> None:
    stage.release("steady")
    (server,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]
    assert [instance["slot"] for instance in server["instances"]].count("live") == 2
    assert server["url"] == stage.url
    assert stage.control.run("logs", "web").stdout.count("==>") >= 2

    checked = json.loads(stage.control.run("store", "check", "--hosts", "-o", "json").stdout)
    assert checked["holds"] is True
    assert checked["roots"] >= 1  # there, for nothing is unpacked here
    kept = "for file in /var/lib/vitrify-run/*/images/*/root/srv/site/large; do mv"
    stage.machine.machine.run("sh", "-c", f"{kept} $file $file.kept; cp $file.kept $file; echo >> $file; done")
    assert "/srv/site/large has another content" in stage.control.run("store", "check", "--hosts", expect=8).stdout
    stage.machine.machine.run("sh", "-c", f"{kept} $file.kept $file; done")

    uppers = f"/var/lib/vitrify-run/*/instances/*-r{server['live']}-*/layer0/upper"
    altering = f"for place in {uppers}; do echo was here > $place/intruder; break; done"
    stage.machine.machine.run("sh", "-c", altering)
    assert "intruder" in stage.control.run("audit", "--detailed-exitcode", expect=2).stdout
    stage.control.run("apply")
    assert "No drift" in stage.control.run("audit", "--detailed-exitcode").stdout


def test_a_command_runs_on_the_machine_and_inside_an_instance_there(stage: Stage) -> None:
    declared = (stage.control.folder / "vitrify.yaml").read_text()
    stage.release("steady")

    inside = stage.control.run("exec", "web", "--break-glass", "it burns", "--", "/bin/caddy", "version").stdout
    box = f'  box: {{lifecycle: mutable, hosts: ["{stage.machine.url("admin")}"], resources: []}}\n'
    stage.control.declare(declared + box)
    beside = stage.control.run("exec", "box", "--", "/bin/sh", "-c", "id -un; exit 3", expect=1).stdout
    stage.control.declare(declared)

    assert "v2." in inside
    assert "replaced by" in inside
    assert beside.startswith("admin\n")
    assert "the command ended with 3" in beside
    assert stage.says() == "release steady"


KILL_KEEPERS = """
import glob, json, os
for kept in (glob.glob("/var/lib/vitrify-run/*/instances/*/state.json")[0], *glob.glob("/var/lib/vitrify-run/*/routers/*/state.json")):
    os.kill(json.load(open(kept))["shim"]["pid"], 9)
"""


def test_what_was_killed_there_is_brought_back_from_here(stage: Stage) -> None:
    stage.release("kept")
    stage.control.run("serve", "--once")
    stage.machine.machine.run("python3", "-c", KILL_KEEPERS)

    turns = json.loads(stage.control.run("serve", "--once", "-o", "json").stdout)["turns"]

    assert [turn["outcome"] for turn in turns if turn["duty"] == "keep"] == ["done"]
    assert stage.says() == "release kept"
    (server,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]
    assert [instance["slot"] for instance in server["instances"]].count("live") == 2


def test_a_machine_that_was_booted_anew_serves_by_itself(stage: Stage) -> None:
    stage.release("before")
    (server,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]

    machine = stage.machine.machine.reboot()
    stage.machine = replace(stage.machine, machine=machine)
    until = time.monotonic() + 30
    while not _serves(stage) and time.monotonic() < until:
        time.sleep(0.1)

    assert stage.says() == "release before"
    (again,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]
    assert {one["id"] for one in again["instances"]} == {one["id"] for one in server["instances"]}


def _serves(stage: Stage) -> bool:
    try:
        return stage.says() == "release before"
    except OSError:
        return False


def test_a_plan_tells_what_goes_on_on_a_host_that_is_declared_no_more_and_a_retired_one_leaves_no_process_there(stage: Stage) -> None:
    stage.release("last")
    declared = (stage.control.folder / "vitrify.yaml").read_text()
    stage.control.declare(declared.replace(stage.machine.url("admin"), "local"))
    planned = stage.control.run("plan")
    stage.control.declare(declared)
    told = " ".join(planned.stdout.split())
    assert "join with release" in told
    assert f"{stage.machine.url('admin')} is declared no more, and release" in told

    stage.control.run("retire", "web")
    assert stage.machine.processes("/srv/site/Caddyfile") == []
    assert stage.machine.processes("caddy run") == []
