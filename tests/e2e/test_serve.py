"""`serve` at work: what is killed comes back, an intruder is found on schedule, and whatever becomes of it, traffic knows nothing of it."""

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
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from conftest import BuildShop
from shop import Document, Shop
from vitrify.testing.this_machine import free_port

pytestmark = pytest.mark.e2e

OFTEN = "    schedule: {keep: 1s, health: 1s, audit: 1s}\n"


class Serving:
    """`vitrify serve` of a shop, as the process that it is."""

    def __init__(self, shop: Shop, port: int) -> None:
        environment = {**os.environ, "VITRIFY_HOME": str(shop.home)}
        command = [sys.executable, "-P", "-m", "vitrify", "serve", "--listen", f"127.0.0.1:{port}"]
        self._port, self._shop = port, shop
        self.process = subprocess.Popen(command, cwd=shop.folder, env=environment, stderr=subprocess.PIPE, text=True)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of one sample; None where there is none, or nobody answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (URLError, OSError):
            return None
        wanted = "".join(f'(?=[^}}]*{label}="{value}")' for label, value in labels.items())
        found = re.search(rf"^{name}(?:\{{{wanted}[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """How it ended, and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextmanager
def serving(shop: Shop, port: int) -> Iterator[Serving]:
    found = Serving(shop, port)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.end(signal.SIGKILL)


@contextmanager
def load(shop: Shop) -> Iterator[Document]:
    """Requests without a pause while this lasts; what became of them afterwards."""
    command = [sys.executable, "-m", "vitrify.testing.load", f"http://127.0.0.1:{shop.port}/", "--seconds", "90"]
    process, report = subprocess.Popen(command, stdout=subprocess.PIPE), Document()
    try:
        yield report
    finally:
        process.terminate()
        report.update(json.loads(process.communicate(timeout=30)[0]))


def within(seconds: float, condition: Callable[[], object]) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.05)


def keeper(folder: Path) -> int | None:
    """The process that keeps an instance or router, if any does at this moment."""
    try:
        return int(json.loads((folder / "state.json").read_text())["shim"]["pid"])
    except FileNotFoundError:
        return None


def kill_keeper(folder: Path) -> int:
    """The keeper of an instance or router dies, and takes it along; which one it was."""
    pid = keeper(folder)
    assert pid is not None, f"nobody keeps {folder}"
    os.kill(pid, signal.SIGKILL)
    return pid


def served(shop: Shop) -> bool:
    try:
        return shop.get() == (200, "one")
    except OSError:
        return False


def test_it_looks_after_a_server_and_traffic_knows_nothing_of_it(
    build_shop: BuildShop, record_property: Callable[[str, object], None]
) -> None:
    shop, port = build_shop(more=OFTEN), free_port()
    shop.run("apply")
    (first,) = shop.running()

    with load(shop) as requests, serving(shop, port) as serve:
        within(20, lambda: serve.metric("vitrify_turns_total", duty="audit", outcome="done"))
        assert serve.end(signal.SIGKILL)[0] == -signal.SIGKILL
    record_property("note", f"serve killed: {requests['requests']} requests, {requests['lost']} lost")
    assert (requests["lost"], requests["requests"] > 20) == (0, True), requests["errors"]

    with serving(shop, port) as serve:
        within(20, lambda: serve.metric("vitrify_instances", server="web", state="running") == 1)
        assert "another `vitrify serve`" in shop.run("serve", "--once", expect=6).stderr
        kill_keeper(shop.run_folder / "instances" / first)
        within(20, lambda: serve.metric("vitrify_rollouts_total", kind="replace", outcome="done") == 1)
        (second,) = shop.running()
        assert second != first
        assert shop.on_disk() == [second]
        killed = kill_keeper(shop.run_folder / "routers" / "edge")
        within(20, lambda: keeper(shop.run_folder / "routers" / "edge") not in (None, killed) and served(shop))

        within(20, lambda: serve.metric("vitrify_findings", **{"class": "unauthorised"}) == 0)
        shop.break_into(second)
        within(20, lambda: serve.metric("vitrify_findings", **{"class": "unauthorised"}) == 1)
        assert "finding" in shop.looked("ledger", "show")
        code, said = serve.end(signal.SIGTERM)

    assert code == 143
    assert "/backdoor added" in said
    assert "Traceback" not in said
    assert served(shop), "what it looked after serves on without it"
