"""Going into an instance: refused, recorded before it happens, at a terminal; whoever is killed inside leaves the mark."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def entries(shop: Shop, kind: str) -> list[dict[str, object]]:
    return [entry["body"] for entry in shop.document("ledger", "show", "-n", "100")["entries"] if entry["kind"] == kind]


def test_only_a_reason_opens_an_instance_and_it_is_replaced_after_it(build_shop: BuildShop) -> None:
    shop = build_shop()
    shop.run("apply")
    (before,) = shop.running()

    refused = shop.run("exec", "web", "--", "/bin/sh", expect=5)
    asked = "test -t 0 && read word < /dev/tty && echo heard $word; cat /srv/app/greeting.txt; exit 3"
    told = typed(shop, "exec", "web", "--break-glass", "it burns", "--", "/bin/sh", "-c", asked, keys=b"hello\n")

    assert "--break-glass" in refused.stderr
    assert {"heard hello", "one"} <= {*told.splitlines()}
    assert "the command ended with 3" in told, told
    (intended,), (done,) = entries(shop, "exec.intended"), entries(shop, "exec.done")
    assert (intended["instance"], intended["reason"], done["exit"]) == (before, "it burns", 3)
    assert "greeting" not in str(intended)
    assert shop.get() == (200, "one")
    assert before not in shop.on_disk()
    assert not shop.document("audit")["findings"]


def typed(shop: Shop, *words: str, keys: bytes) -> str:
    """What a terminal shows when these keys are typed at the command."""
    command = [sys.executable, "-P", "-m", "vitrify", *words]
    environment = {**os.environ, "VITRIFY_HOME": str(shop.home), "TERM": "dumb"}
    pid, ours = pty.fork()
    if pid == 0:
        os.chdir(shop.folder)
        os.execve(sys.executable, command, environment)  # noqa: S606  a list, no shell
    os.write(ours, keys)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # the last one who had it open is gone
        pass
    os.close(ours)
    os.waitpid(pid, 0)
    return shown.decode()


def test_a_session_that_is_killed_leaves_a_marked_instance_and_the_next_apply_replaces_it(build_shop: BuildShop) -> None:
    shop = build_shop()
    shop.run("apply")
    (entered,) = shop.running()
    inside = shop.folder.parent / "inside"
    words = ("exec", "web", "--break-glass", "it burns", "--", "/bin/sh", "-c", "echo in; sleep 60")
    command, environment = [sys.executable, "-P", "-m", "vitrify", *words], {**os.environ, "VITRIFY_HOME": str(shop.home)}
    with inside.open("wb") as told:
        session = subprocess.Popen(command, cwd=shop.folder, env=environment, stdout=told, start_new_session=True)
    until(inside, "in\n")
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()

    status = shop.document("status")["servers"][0]["instances"][0]
    (finding,) = shop.document("audit")["findings"]
    planned = shop.document("plan")["servers"][0]
    shop.run("apply")

    assert "it burns" in status["entered"]
    assert (finding["class"], finding["change"]) == ("authorised", "entered")
    assert (planned["kind"], planned["replace"]) == ("replace", [entered])
    assert shop.get() == (200, "one")
    assert entered not in shop.on_disk()
    assert not entries(shop, "exec.done")


def until(file: Path, content: str) -> None:
    deadline = time.monotonic() + 20
    while file.read_text() != content:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
