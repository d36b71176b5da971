"""An aborted canary, a promoted one, a pause, and an only one that is replaced, under load that never retries: no request is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

import pytest

from conftest import BuildShop
from shop import Shop
from vitrify.core.digest import JSONObject
from vitrify.testing.this_machine import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


class Load:
    """Keep-alive POSTs by a program of its own, until it is ended."""

    def __init__(self, shop: Shop) -> None:
        url, pace = f"http://127.0.0.1:{shop.port}/orders", ("--connections", "3", "--timeout", "60", "--seconds", "600", "--pause", "0.02")
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        command = [sys.executable, "-m", "vitrify.testing.load", url, *pace]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def ended(self) -> JSONObject:
        self._process.terminate()
        report, _ = self._process.communicate(timeout=30)
        found = json.loads(report)
        assert isinstance(found, dict)
        return found


def shares(shop: Shop, *, of: int) -> Counter[str]:
    """Who answered so many requests."""
    return Counter(shop.get()[1] for _ in range(of))


def aborted(shop: Shop, *, preview: int) -> None:
    shop.declare(greeting="two")
    waits = shop.document("apply")["releases"][0]
    seen, shown = shares(shop, of=40), shop.get(port=preview)
    status = shop.document("status")["servers"][0]
    shop.run("abort", "web")

    assert "waits with 25% of the requests" in waits["waits"]
    assert (set(seen), shown) == ({"one", "two"}, (200, "two")), "a part of the requests goes to the canary, and the preview there alone"
    assert (status["rollout"]["percent"], status["live"], status["preview"]) == (25, 1, f"http://127.0.0.1:{preview}/")
    assert (shares(shop, of=20), len(shop.running())) == ({"one": 20}, 1)


def promoted(shop: Shop, *, preview: int) -> None:
    shop.declare(greeting="three")
    shop.run("apply")
    shop.run("promote", "web")

    assert (shares(shop, of=20), shop.get(port=preview)) == ({"three": 20}, (200, "three"))


def paused(shop: Shop) -> None:
    shop.run("pause", "web", "--at-most", "60s")
    answers: list[tuple[int, str]] = []
    held = threading.Thread(target=lambda: answers.append(shop.get("/orders")))
    held.start()
    time.sleep(0.5)
    meanwhile = answers[:]
    watched = shop.get()[0]
    shop.run("resume", "web")
    held.join(20)

    assert (meanwhile, answers) == ([], [(200, "three")])
    assert watched == 200, "the health path is answered all the while"


def recreated(shop: Shop) -> None:
    shop.declare(greeting="four", rollout=", strategy: recreate, pause: 60s")
    shop.run("apply")

    assert (shop.get(), len(shop.running())) == ((200, "four"), 1)


def test_no_request_is_lost_whatever_is_promoted_aborted_paused_or_recreated(
    build_shop: BuildShop, record_property: Callable[[str, object], None]
) -> None:
    preview = free_port()
    shop = build_shop(rollout=f', strategy: canary, steps: [25%], preview: "127.0.0.1:{preview}", gate: {{errors: 50%, requests: 1}}')
    shop.run("apply")
    with Load(shop) as load:
        aborted(shop, preview=preview)
        promoted(shop, preview=preview)
        paused(shop)
        recreated(shop)
        report = load.ended()

    told = f"{report['requests']} requests over an abort, a promotion, a pause and a recreation, {report['lost']} lost"
    record_property("note", f"strategies: {told}")
    assert report["lost"] == 0, report["errors"]
    shop.looked("ledger", "verify")
