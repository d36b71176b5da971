"""A watch on this machine: who wrote is told within the second, and no rule is left in the kernel, not even by a killed one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import commandline
from conftest import BuildShop
from shop import Shop
from vitrify.onhost.audit_link import AuditLink

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("audit")]

DECLARATION = """
version: 1
project: watched
servers:
  db:
    lifecycle: mutable
    hosts: ["root:{root}"]
    resources:
      - directory: /srv/app
      - file: {{path: /srv/app/a, content: "one\\n"}}
"""


def asked_of_the_kernel(about: Path) -> list[bytes] | None:
    """Its audit rules about this folder: others watch on this machine too. None where it does not tell."""
    try:
        link = AuditLink()
    except OSError:
        return None
    try:
        return sorted(rule for rule in link.rules() if str(about).encode() in rule)
    finally:
        link.close()


class Watch:
    """`vitrify watch` as the process that it is."""

    def __init__(self, folder: Path, home: Path) -> None:
        environment = {**os.environ, "VITRIFY_HOME": str(home)}
        command = [sys.executable, "-P", "-m", "vitrify", "watch", "-o", "ndjson"]
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def next(self, schema: str) -> dict[str, Any]:
        """The next document of this schema; the lane's own limit of time ends a wait for one that never comes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found: dict[str, Any] = json.loads(line)
            if found["schema"] == schema:
                return found
        raise AssertionError(self.process.communicate()[1])

    def rung(self) -> str:
        return str(self.next("vitrify.dev/event/v1")["detail"]).split(":")[0].removeprefix("stands on ")

    def finding(self) -> dict[str, Any]:
        return self.next("vitrify.dev/watch/v1")

    def ready(self) -> None:
        """Return once the first look is over."""
        while "from now on" not in str(self.next("vitrify.dev/event/v1")["detail"]):
            pass

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def watching(folder: Path, home: Path | None = None) -> Iterator[Watch]:
    found = Watch(folder, home or folder / "home")
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.end(signal.SIGINT)


def test_who_wrote_is_told_within_the_second_and_no_rule_is_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "srv").mkdir(parents=True)
    (tmp_path / "vitrify.yaml").write_text(DECLARATION.format(root=root))
    environment = {**os.environ, "VITRIFY_HOME": str(tmp_path / "home")}
    commandline.run(["apply", "-y"], cwd=tmp_path, environment=environment)
    assert not asked_of_the_kernel(tmp_path)
    (root / "srv" / "app" / "old").write_text("x")

    with watching(tmp_path) as watch:
        rung, old = watch.rung(), watch.finding()
        watch.ready()
        writers: list[subprocess.Popen[bytes]] = []

        def write(turn: int) -> None:
            writers.append(subprocess.Popen(["/bin/sh", "-c", f"echo bad > {root}/srv/app/new{turn}"]))
            writers[-1].wait()

        new, took = quickest(watch, write)
        ended = watch.end(signal.SIGINT)
    after = asked_of_the_kernel(tmp_path)

    told = new["finding"]
    assert (old["before"], old["finding"]["path"], new["before"]) == (True, "/srv/app/old", False)
    assert told["path"] == f"/srv/app/new{len(writers) - 1}"
    assert (told["class"], told["evidence"]) == ("unauthorised", rung)
    assert took < 1.0
    assert ended == 130
    assert not after
    if after is None:
        assert rung in ("fanotify", "inotify")
        return
    assert rung == "audit"
    assert (told["actor"]["pid"], Path(told["actor"]["exe"]).name) == (writers[-1].pid, Path("/bin/sh").resolve().name)
    a_killed_listener_leaves_rules_and_the_next_watch_takes_them_away(tmp_path)


def quickest(watch: Watch, write: Callable[[int], None]) -> tuple[dict[str, Any], float]:
    """A finding and the seconds after the write: of some tries the first within the second, for others work on this machine too."""
    for turn in range(5):
        write(turn)
        written = time.monotonic()
        found = watch.finding()
        if (took := time.monotonic() - written) < 1.0:
            break
    return found, took


def a_killed_listener_leaves_rules_and_the_next_watch_takes_them_away(folder: Path) -> None:
    with watching(folder) as watch:
        watch.rung()
        watch.finding()
        during = asked_of_the_kernel(folder) or []
        ours = [found for rule in during if (found := re.search(rb"vitrify-watch-(\d+)-", rule))]
        (listener,) = {int(found[1]) for found in ours}
        os.kill(listener, signal.SIGKILL)
        watch.process.communicate(timeout=30)
    left = asked_of_the_kernel(folder)
    with watching(folder) as watch:
        watch.rung()
        watch.end(signal.SIGINT)

    assert left
    assert watch.process.returncode == 130
    assert asked_of_the_kernel(folder) == []


def test_who_writes_into_an_instance_is_told_from_outside_and_from_inside(build_shop: BuildShop) -> None:
    shop = build_shop()
    shop.run("apply")
    (instance,) = shop.running()

    with watching(shop.folder, shop.home) as watch:
        rung = watch.rung()
        watch.ready()
        outside, took = quickest(watch, lambda turn: shop.break_into(instance, name=f"backdoor{turn}"))
        if inside := seized(shop, instance):
            within = watch.finding()["finding"]
        watch.end(signal.SIGINT)
    after = asked_of_the_kernel(shop.home)

    told = outside["finding"]
    assert (told["where"], told["path"].rpartition("/")[2][:8], told["class"], outside["before"]) == (
        instance,
        "backdoor",
        "unauthorised",
        False,
    )
    assert took < 1.0
    assert not after
    if rung == "audit":
        assert (told["evidence"], told["actor"]["pid"], told["actor"]["inside"]) == ("audit", os.getpid(), "host")
    if rung == "audit" and inside:
        assert (within["where"], within["path"], within["actor"]["inside"]) == (instance, inside, instance)
        assert within["actor"]["exe"].endswith("sh")


def seized(shop: Shop, instance: str) -> str:
    """Write through the instance's own root, as somebody with all rights on the machine can; the path in it, "" where that is refused."""
    folder = shop.run_folder / "instances" / instance
    at = json.loads((folder / "spec.json").read_text())["layers"][0]["at"]
    pid = json.loads((folder / "state.json").read_text())["application"]["pid"]
    path = f"{at.rstrip('/')}/planted"
    words = [
        "nsenter",
        "--target",
        str(pid),
        "--mount",
        "--root",
        "--wd",
        "/bin/sh",
        "-c",
        f"mount -o remount,rw,bind {at} && echo x > {path}",
    ]
    done = subprocess.run(words, capture_output=True, check=False)
    return path if done.returncode == 0 else ""
