"""A watch on this machine: who wrote is told within the second, and no rule is left in the kernel, not even by a killed one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import commandline
from vitrify.onhost.audit_link import AuditLink

pytestmark = pytest.mark.e2e

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


def asked_of_the_kernel() -> tuple[list[bytes], int] | None:
    """Its audit rules, and whether it audits; None where it does not tell."""
    try:
        link = AuditLink()
    except OSError:
        return None
    try:
        return sorted(link.rules()), link.status().enabled
    finally:
        link.close()


class Watch:
    """`vitrify watch` as the process that it is."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "VITRIFY_HOME": str(folder / "home")}
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

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def watching(folder: Path) -> Iterator[Watch]:
    found = Watch(folder)
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
    before = asked_of_the_kernel()
    (root / "srv" / "app" / "old").write_text("x")

    with watching(tmp_path) as watch:
        rung, old = watch.rung(), watch.finding()
        time.sleep(0.3)  # the first look is over
        writer = subprocess.Popen(["/bin/sh", "-c", f"echo bad > {root}/srv/app/new"])
        writer.wait()
        written = time.time()
        new = watch.finding()
        took = time.time() - written
        ended = watch.end(signal.SIGINT)
    after = asked_of_the_kernel()

    told = new["finding"]
    assert (old["before"], old["finding"]["path"], new["before"], told["path"]) == (True, "/srv/app/old", False, "/srv/app/new")
    assert (told["class"], told["evidence"]) == ("unauthorised", rung)
    assert took < 1.0
    assert ended == 130
    assert after == before
    if before is None:
        assert rung == "inotify"
        return
    assert rung == "audit"
    assert (told["actor"]["pid"], Path(told["actor"]["exe"]).name) == (writer.pid, Path("/bin/sh").resolve().name)
    a_killed_listener_leaves_rules_and_the_next_watch_takes_them_away(tmp_path, before)


def a_killed_listener_leaves_rules_and_the_next_watch_takes_them_away(folder: Path, before: tuple[list[bytes], int]) -> None:
    with watching(folder) as watch:
        watch.rung()
        watch.finding()
        during = asked_of_the_kernel()
        assert during is not None
        ours = [found for rule in during[0] if rule not in before[0] and (found := re.search(rb"vitrify-watch-(\d+)-", rule))]
        (listener,) = {int(found[1]) for found in ours}
        os.kill(listener, signal.SIGKILL)
        watch.process.communicate(timeout=30)
    left = asked_of_the_kernel()
    with watching(folder) as watch:
        watch.rung()
        watch.end(signal.SIGINT)

    assert left is not None
    assert len(left[0]) > len(before[0])
    assert watch.process.returncode == 130
    assert asked_of_the_kernel() == before
