"""An immutable server on another machine: baked here, brought there, switched without losing a request, and found again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from elsewhere import PROGRAM, Elsewhere, elsewhere

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("instances elsewhere")]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, payloads_of_all: Path) -> Iterator[Elsewhere]:
    """One machine for all tests, each of which begins with a release of its own."""
    with elsewhere(tmp_path_factory.mktemp("elsewhere"), machines=1, payload=payloads_of_all, replicas=2) as found:
        (found.control.folder / "site" / "large").write_bytes(bytes(range(256)) * 4096)
        yield found


def release(stage: Elsewhere, text: str) -> int:
    """Put forward a release that says this; how many bytes of contents went to the machine."""
    stage.say(text)
    told = stage.control.run("apply", "-o", "ndjson").stdout
    events = [json.loads(line) for line in told.splitlines()]
    return sum(event["data"]["bytes"] for event in events if event.get("what") == "image.send" and event.get("stage") == "done")


def test_a_release_on_another_machine_loses_no_request_and_costs_what_changed(stage: Elsewhere) -> None:
    release(stage, "one")
    with stage.asked() as found:
        sent = release(stage, "two")
        said = stage.says()
        back = json.loads(stage.control.run("rollback", "web", "-o", "json").stdout)

    assert (said, stage.says()) == ("release two", "release one")
    assert back["warm"] is True
    assert found[0]["lost"] == 0, str(found[0])
    assert 0 < sent < 64 << 10, "what the machine has already was sent again"


def test_what_runs_there_is_seen_from_here_and_what_was_altered_is_replaced(stage: Elsewhere) -> None:
    release(stage, "steady")
    (server,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]
    assert [instance["slot"] for instance in server["instances"]].count("live") == 2
    assert server["url"] == stage.url()
    assert stage.control.run("logs", "web").stdout.count("==>") >= 2

    checked = json.loads(stage.control.run("store", "check", "--hosts", "-o", "json").stdout)
    assert checked["holds"] is True
    assert checked["roots"] >= 1  # there, for nothing is unpacked here
    kept = "for file in /var/lib/vitrify-run/*/images/*/root/srv/site/answers; do mv"
    stage.machines[0].machine.run("sh", "-c", f"{kept} $file $file.kept; cp $file.kept $file; echo >> $file; done")
    assert "/srv/site/answers has another content" in stage.control.run("store", "check", "--hosts", expect=8).stdout
    stage.machines[0].machine.run("sh", "-c", f"{kept} $file.kept $file; done")

    uppers = f"/var/lib/vitrify-run/*/instances/*-r{server['live']}-*/layer0/upper"
    altering = f"for place in {uppers}; do echo was here > $place/intruder; break; done"
    stage.machines[0].machine.run("sh", "-c", altering)
    assert "intruder" in stage.control.run("audit", "--detailed-exitcode", expect=2).stdout
    stage.control.run("apply")
    assert "No drift" in stage.control.run("audit", "--detailed-exitcode").stdout


def test_a_command_runs_on_the_machine_and_inside_an_instance_there(stage: Elsewhere) -> None:
    declared = (stage.control.folder / "vitrify.yaml").read_text()
    release(stage, "steady")

    inside = stage.control.run("exec", "web", "--break-glass", "it burns", "--", PROGRAM, "-e", "print 6 * 7").stdout
    box = f'  box: {{lifecycle: mutable, hosts: ["{stage.machines[0].url("admin")}"], resources: []}}\n'
    stage.control.declare(declared + box)
    beside = stage.control.run("exec", "box", "--", "/bin/sh", "-c", "id -un; exit 3", expect=1).stdout
    stage.control.declare(declared)

    assert "42" in inside
    assert "replaced by" in inside
    assert beside.startswith("admin\n")
    assert "the command ended with 3" in beside
    assert stage.says() == "release steady"


KILL_KEEPERS = """
import glob, json, os
for kept in (glob.glob("/var/lib/vitrify-run/*/instances/*/state.json")[0], *glob.glob("/var/lib/vitrify-run/*/routers/*/state.json")):
    os.kill(json.load(open(kept))["shim"]["pid"], 9)
"""


def test_what_was_killed_there_is_brought_back_from_here(stage: Elsewhere) -> None:
    release(stage, "kept")
    stage.control.run("serve", "--once")
    stage.machines[0].machine.run("python3", "-c", KILL_KEEPERS)

    until = time.monotonic() + 30
    while (kept := _kept(stage)) != ["done"] and time.monotonic() < until:
        time.sleep(1)  # an instance may have been replaced a moment ago, by the test before this one

    assert kept == ["done"]
    assert stage.says() == "release kept"
    (server,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]
    assert [instance["slot"] for instance in server["instances"]].count("live") == 2


def _kept(stage: Elsewhere) -> list[str]:
    turns = json.loads(stage.control.run("serve", "--once", "-o", "json", expect=None).stdout)["turns"]
    return [turn["outcome"] for turn in turns if turn["duty"] == "keep"]


def test_a_machine_that_was_booted_anew_serves_by_itself(stage: Elsewhere) -> None:
    release(stage, "before")
    (server,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]

    machine = stage.machines[0].machine.reboot()
    stage.machines[0] = replace(stage.machines[0], machine=machine)
    until = time.monotonic() + 30
    while not _serves(stage) and time.monotonic() < until:
        time.sleep(0.1)

    assert stage.says() == "release before"
    (again,) = json.loads(stage.control.run("status", "-o", "json").stdout)["servers"]
    assert {one["id"] for one in again["instances"]} == {one["id"] for one in server["instances"]}


def _serves(stage: Elsewhere) -> bool:
    try:
        return stage.says() == "release before"
    except OSError:
        return False


def test_a_plan_tells_what_goes_on_on_a_host_that_is_declared_no_more_and_a_retired_one_leaves_no_process_there(stage: Elsewhere) -> None:
    release(stage, "last")
    declared = (stage.control.folder / "vitrify.yaml").read_text()
    stage.control.declare(declared.replace(stage.machines[0].url("admin"), "local"))
    planned = stage.control.run("plan")
    stage.control.declare(declared)
    told = " ".join(planned.stdout.split())
    assert "join with release" in told
    assert f"{stage.machines[0].url('admin')} is declared no more, and release" in told

    stage.control.run("retire", "web")
    assert stage.machines[0].processes("/srv/site/answers") == []
    assert stage.machines[0].processes("caddy run") == []
