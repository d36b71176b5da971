"""Two people deploy at once, and one of them is frozen for longer than anybody waits: real commands, real processes, one server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = pytest.mark.e2e


@contextmanager
def under_way(shop: Shop, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that somebody else runs meanwhile."""
    argv = [sys.executable, "-P", "-m", "vitrify", *words]
    environment = {**os.environ, "VITRIFY_HOME": str(shop.home), "VITRIFY_YES": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(argv, cwd=shop.folder, env=environment, text=True, **streams) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_comes_second_is_told_or_waits_and_who_was_frozen_changes_nothing_more(build_shop: BuildShop) -> None:
    shop = build_shop(greeting="ill", grace="10m")
    with under_way(shop, "apply") as first:
        until(lambda: bool(list(shop.home.glob("projects/*/run/instances/web-*"))))  # from here on it stands at the gate

        second, waited = shop.run("apply", expect=6), shop.run("apply", "--wait=1s", expect=6)
        (lease,) = shop.document("lease", "show", "web")["leases"]
        with under_way(shop, "retire", "web", "--wait") as waiting:
            assert waiting.stderr is not None
            while "is being changed by" not in waiting.stderr.readline():
                pass
            waiting.send_signal(signal.SIGINT)
            assert waiting.wait(timeout=60) == 130
        first.send_signal(signal.SIGSTOP)
        shop.run("lease", "release", "web", "--reason", "that machine is asleep")
        shop.declare(greeting="two")
        shop.run("apply")
        before = kinds(shop)
        first.send_signal(signal.SIGCONT)
        _, told = first.communicate(timeout=60)

    for ended in (second, waited):
        assert "web is being changed by " in ended.stderr
        assert f"token {lease['token']}, process {first.pid}" in ended.stderr
    assert (lease["standing"], lease["reason"], lease["process"]) == (True, "apply", first.pid)
    assert first.returncode == 6, told
    assert "the lease of web was lost" in told
    assert kinds(shop) == before
    assert "lease.released" in before
    assert shop.get() == (200, "two")
    shop.run("audit", "--detailed-exitcode")


def test_a_holder_that_was_killed_keeps_nobody_waiting(build_shop: BuildShop) -> None:
    shop = build_shop(probation="1s")
    with under_way(shop, "apply") as first:
        until(lambda: serves(shop, "one"))
        first.kill()
        first.wait()

    shop.run("apply")

    assert shop.get() == (200, "one")
    (lease,) = shop.document("lease", "show", "web")["leases"]
    assert (lease["token"], lease["standing"]) == (2, False)


def serves(shop: Shop, greeting: str) -> bool:
    try:
        return shop.get() == (200, greeting)
    except OSError:  # nobody listens yet
        return False


def kinds(shop: Shop) -> list[str]:
    return [str(entry["kind"]) for entry in shop.document("ledger", "show", "-n", "1000")["entries"]]
