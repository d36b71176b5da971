"""`serve` replaces a real program that runs and answers no more as it should, and leaves a release that is ill of itself."""

from __future__ import annotations

import json
import signal
from urllib.request import urlopen

import pytest

from conftest import BuildShop
from shop import Document, Shop
from test_serve import Serving, serving, within
from vitrify.testing.this_machine import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

APPLICATION = """
import http.server, os, pathlib, time
DATABASE_IS_GONE = pathlib.Path("/srv/kept/gone")
class Handler(http.server.BaseHTTPRequestHandler):
    hangs = False
    def do_GET(self):
        if self.path == "/hang":
            Handler.hangs = True
        elif Handler.hangs:
            time.sleep(3600)
        self.send_response(500 if DATABASE_IS_GONE.exists() else 200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"one")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
OFTEN = """    schedule: {keep: 1s, health: 1s, contract: 1s, audit: never}
    heal: {after: 3, pause: 200ms, limit: 3}
    volumes: {/srv/kept: /kept}
"""
CONTRACT = ", contract: [{command: [tee, -a, contracted], on: control}]"
PATIENCE = 90


def hang(shop: Shop, instance: str) -> None:
    """From its next request on it answers nobody."""
    spec: Document = json.loads((shop.run_folder / "instances" / instance / "spec.json").read_text())
    assert shop.get("/hang", port=spec["port"]) == (200, "one")


def healings(serve: Serving, end: str) -> float:
    return serve.metric("vitrify_healings_total", server="web", outcome=end) or 0


def count(shop: Shop, *kinds: str) -> list[int]:
    told = [json.loads(line)["kind"] for line in shop.looked("ledger", "export").splitlines()]
    return [told.count(kind) for kind in kinds]


def test_what_hangs_or_answers_500_is_replaced_and_what_is_ill_of_itself_is_left(build_shop: BuildShop) -> None:
    shop, port = build_shop(more=OFTEN, replicas=2, grace="1s", rollout=CONTRACT, keep_warm="0s"), free_port()
    (shop.folder / "serve.py").write_text(APPLICATION)
    kept = shop.folder / "machine" / "kept"
    kept.mkdir()
    shop.run("apply")
    first, second = shop.running()

    with serving(shop, port) as serve:
        within(PATIENCE, (shop.folder / "contracted").exists)
        hang(shop, first)
        within(PATIENCE, lambda: healings(serve, "replaced") == 1)
        assert second in (serving_now := shop.running())
        assert first not in serving_now
        assert shop.get() == (200, "one")

        (kept / "gone").touch()
        within(PATIENCE, lambda: serve.metric("vitrify_unhealthy_left", server="web") == 1)
        assert shop.running() == serving_now, "they stay: new ones are no better"
        (kept / "gone").unlink()
        within(PATIENCE, lambda: serve.metric("vitrify_unhealthy_left", server="web") == 0)
        health: Document = json.load(urlopen(f"http://127.0.0.1:{port}/health", timeout=30))
        code, said = serve.end(signal.SIGTERM)

    assert code == 143
    assert {turn["duty"] for turn in health["turns"]} == {"keep", "health", "contract", "retention"}
    assert f"{first} does not pass: " in said
    assert "Traceback" not in said
    assert count(shop, "replace.failed", "health.left", "health.passed", "contract.done") == [1, 1, 1, 1]
