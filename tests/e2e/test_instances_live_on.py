"""Instances outlive whoever started them and nothing outlives their shims; nothing is writable that was not declared so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.onhost.identity import alive
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.testing.runtime_suite import do
from vitrify.testing.this_machine import ThisMachine

pytestmark = pytest.mark.e2e


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ThisMachine]:
    found = ThisMachine(tmp_path, find_bubblewrap, find_caddy)
    yield found
    found.end()


def launch(machine: ThisMachine, wish: JSONObject) -> JSONObject:
    return do(machine.session.call("instance.launch", machine.launching(wish)))


def call(machine: ThisMachine, name: str, **more: object) -> JSONObject:
    return do(machine.session.call(f"instance.{name}", {"home": machine.home, "id": "web-1", **more}))  # type: ignore[dict-item]


def within(seconds: float, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.01)


LAUNCHER = """
import json, os, sys, time
from vitrify.core.resource import Kinds
from vitrify.onhost.context import Context
from vitrify.onhost.instances import launch
launch(Context(lambda _: None, lambda _: b"", lambda _: None, Kinds([]), time.time), json.load(sys.stdin))
sys.stdout.write("launched\\n")
sys.stdout.flush()
time.sleep(60)
"""


def test_an_instance_survives_the_death_of_the_process_that_launched_it(machine: ThisMachine) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    assert launcher.stdin
    assert launcher.stdout
    launcher.stdin.write(json.dumps(machine.launching(machine.wish("web-1"))).encode())
    launcher.stdin.close()
    assert launcher.stdout.readline() == b"launched\n"
    launcher.stdout.close()
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.wait()

    before = machine.state(machine.instance("web-1"))

    assert before.status == "running"
    assert launch(machine, machine.wish("web-1"))["started_at"] == before.started_at


def test_an_instance_whose_shim_is_killed_dies_with_it_and_is_launched_again_under_its_id(machine: ThisMachine) -> None:
    port = launch(machine, machine.wish("web-1"))["port"]
    folder = machine.instance("web-1")
    before = machine.state(folder)
    machine.kill_shim(folder)

    within(2, lambda: not alive(before.application) and not alive(before.child))
    assert machine.state(folder).status == "lost"

    again = launch(machine, machine.wish("web-1"))

    assert (again["state"], again["port"]) == ("running", port)
    assert alive(machine.state(folder).application)


def test_a_router_whose_shim_is_killed_leaves_nothing_behind(machine: ThisMachine, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "routers" / "plain"
    folder.mkdir(parents=True)
    keep = {"argv": ["/bin/sleep", "60"], "cwd": "/", "sandbox": False}
    (folder / "spec.json").write_text(json.dumps({"format": 1, "keep": keep}))
    from vitrify.onhost import keeping

    found = keeping.keep(str(folder))
    machine.kill_shim(folder)

    within(2, lambda: not alive(found.application))


def test_each_crash_is_followed_by_a_longer_pause(machine: ThisMachine) -> None:
    launch(machine, {**machine.wish("web-1"), "argv": ["/bin/false"], "port": None})
    folder = machine.instance("web-1")

    within(5, lambda: machine.state(folder).restarts >= 4)
    first = machine.state(folder)
    time.sleep(1)

    assert machine.state(folder).restarts <= first.restarts + 1
    assert first.exit_code == 1


def test_a_process_that_ignores_the_request_to_end_is_made_to_with_all_that_it_started(machine: ThisMachine) -> None:
    stubborn = "trap '' TERM; sleep 60 & while :; do sleep 1; done"
    launch(machine, {**machine.wish("web-1"), "argv": ["/bin/sh", "-c", stubborn], "port": None})
    application = machine.state(machine.instance("web-1")).application
    assert application
    started = time.monotonic()

    call(machine, "stop", grace=0.3)

    assert 0.3 <= time.monotonic() - started < 3
    within(3, lambda: not alive(application))
    assert machine.state(machine.instance("web-1")).status == "stopped"


def test_a_process_is_asked_before_it_is_made_to_end(machine: ThisMachine) -> None:
    polite = "trap 'echo good-bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    launch(machine, {**machine.wish("web-1"), "argv": ["/bin/sh", "-c", polite], "port": None})
    within(3, lambda: "up" in str(call(machine, "logs", lines=5)["text"]))

    stopped = call(machine, "stop", grace=5)

    assert stopped["exit_code"] == 0
    assert "good-bye" in str(call(machine, "logs", lines=5)["text"])


def test_nothing_is_writable_but_what_was_declared(machine: ThisMachine) -> None:
    probe = (
        "import os; tops=['/','/dev','/dev/shm','/proc','/proc/sys'] + ['/'+name for name in sorted(os.listdir('/'))]\n"
        "tops += ['/etc/deep', '/usr/lib', '/var/lib', '/srv/app', '/var/tmp', '/srv/count', '/var/cache/shop']\n"
        "for top in tops:\n"
        "    try:\n"
        "        open(top + '/probe', 'w').close(); print('WROTE', top)\n"
        "    except OSError: pass\n"
        "print('end', flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    wish = machine.wish("web-1")
    wish["argv"], wish["port"], wish["writable"] = ["/usr/bin/python3", "-I", "-c", probe], None, ["/srv/count", "/var/cache/shop"]
    launch(machine, wish)
    within(10, lambda: "end" in str(call(machine, "logs", lines=50)["text"]))

    said = str(call(machine, "logs", lines=50)["text"]).split("\n")

    assert [line for line in said if line.startswith("WROTE")] == ["WROTE /srv/count", "WROTE /var/cache/shop"]
    assert call(machine, "altered")["altered"] == []


def test_the_environment_is_never_an_argument(machine: ThisMachine) -> None:
    launch(machine, {**machine.wish("web-1"), "environment": {"TOKEN": "hunter2"}})
    state = machine.state(machine.instance("web-1"))
    assert state.child
    assert state.application
    shown = [Path(f"/proc/{found.pid}/cmdline").read_bytes() for found in (state.shim, state.child, state.application) if found]

    assert not any(b"hunter2" in argv for argv in shown)
    assert (machine.instance("web-1") / "environment").stat().st_mode & 0o777 == 0o600
    assert b"TOKEN=hunter2" in Path(f"/proc/{state.application.pid}/environ").read_bytes()


@pytest.mark.root
def test_what_somebody_writes_from_within_is_found(machine: ThisMachine) -> None:
    launch(machine, machine.wish("web-1"))
    state = machine.state(machine.instance("web-1"))
    assert state.application
    intrusion = (
        "mount -n -o remount,rw /; mount -n -o remount,rw /etc; echo evil > /srv/app/evil; echo owned > /etc/vitrify-test;"
        "rm /srv/app/serve.py; chmod 0666 /etc/hostname; : >> /etc/hosts"
    )
    pid = str(state.application.pid)
    subprocess.run(["nsenter", "-t", pid, "-U", "-m", "--preserve-credentials", "/bin/sh", "-c", intrusion], check=True)

    found = call(machine, "altered")["altered"]

    assert isinstance(found, list)
    told = {(finding["path"], finding["change"]): finding["details"] for finding in found if isinstance(finding, dict)}
    assert set(told) == {
        ("/etc/hostname", "changed"),
        ("/etc/vitrify-test", "changed"),
        ("/srv/app/evil", "added"),
        ("/srv/app/serve.py", "removed"),
    }
    assert [detail.split(" -> ")[1] for detail in told["/etc/hostname", "changed"]] == ["0666"]  # type: ignore[union-attr]


@pytest.mark.root
def test_root_runs_a_process_as_the_user_it_names(machine: ThisMachine) -> None:
    for folder in (machine.folder, *machine.folder.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    launch(machine, {**machine.wish("web-1"), "user": "nobody"})
    state = machine.state(machine.instance("web-1"))
    assert state.application

    assert Path(f"/proc/{state.application.pid}").stat().st_uid == 65534
    within(5, lambda: call(machine, "healthy", health={"http": "/"})["reason"] == "")


@pytest.mark.root
def test_a_user_who_cannot_reach_the_home_is_told_which_folder_is_closed(machine: ThisMachine) -> None:
    machine.folder.chmod(0o700)

    with pytest.raises(TargetFailed) as refused:
        launch(machine, {**machine.wish("web-1"), "user": "nobody"})

    assert "is closed to it" in str(refused.value)


def test_what_runs_already_is_not_told_as_if_it_had_been_launched(machine: ThisMachine) -> None:
    told: list[str] = []

    def launched() -> list[str]:
        told.clear()
        arguments = machine.launching(machine.wish("web-1"))
        do(machine.session.call("instance.launch", arguments, emit=lambda event: told.append(f"{event.what} {event.stage.value}")))
        return [*told]

    both = ["instance.launch started", "instance.launch done"]
    assert launched() == both
    assert launched() == []
    call(machine, "stop", grace=0.3)
    assert launched() == both
