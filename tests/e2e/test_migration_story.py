"""A schema is expanded and contracted over two releases under load: nothing is lost, and nothing goes back behind the contract."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

APPLICATION = """
import http.server, json, os, pathlib, sqlite3, sys
RELEASE = pathlib.Path("/srv/app/greeting.txt").read_text().strip()
def database():
    return sqlite3.connect("/srv/data/orders.db", timeout=10, isolation_level=None)
def columns(db):
    return [row[1] for row in db.execute("PRAGMA table_info(orders)")]
def expand(db):
    db.execute("CREATE TABLE IF NOT EXISTS orders (name TEXT)")
    if RELEASE == "two" and "customer" not in columns(db):
        db.execute("ALTER TABLE orders ADD COLUMN customer TEXT")
def contract(db):
    db.execute("UPDATE orders SET customer = name WHERE customer IS NULL")
    if "name" in columns(db):
        db.execute("ALTER TABLE orders DROP COLUMN name")
def order(db, customer):
    if RELEASE == "one":
        db.execute("INSERT INTO orders (name) VALUES (?)", (customer,))
    elif "name" in columns(db):
        db.execute("INSERT INTO orders (name, customer) VALUES (?, ?)", (customer, customer))
    else:
        db.execute("INSERT INTO orders (customer) VALUES (?)", (customer,))
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = RELEASE.encode()
        if self.command == "POST":
            body = self.rfile.read(int(self.headers["Content-Length"]))
            db = database()
            db.execute("BEGIN IMMEDIATE")
            order(db, body.decode())
            db.execute("COMMIT")
            db.close()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_):
        pass
if sys.argv[1:] == ["look"]:
    here = {"uid": os.getuid(), "folder": os.getcwd(), "port": os.environ["PORT"], "given": os.environ["GIVEN"]}
    pathlib.Path("/srv/data/look.json").write_text(json.dumps({**json.load(sys.stdin), **here}))
    print("looked around with", os.environ["GIVEN"])
elif sys.argv[1:]:
    db = database()
    db.execute("BEGIN IMMEDIATE")
    {"expand": expand, "contract": contract}[sys.argv[1]](db)
    db.execute("COMMIT")
else:
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
RUN = "command: [/usr/bin/python3, -I, /srv/app/serve.py"
EXPAND, CONTRACT = f", expand: [{{{RUN}, expand]}}]", f", contract: [{{{RUN}, contract]}}]"
MORE = f"""    volumes: {{/srv/data: orders}}
    hooks:
      - {{after: launch, {RUN}, look], on: next, env: {{GIVEN: "secret:given"}}}}
secrets: {{given: {{env: GIVEN}}}}
notices:
  - {{command: [tee, -a, notices.ndjson], on: [release.done, contract.done, expand.done]}}
"""


def test_an_application_moves_its_schema_over_two_releases_and_loses_nothing(
    build_shop: BuildShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "t0psecret")
    shop = build_shop(more=MORE, migration=EXPAND)
    (shop.folder / "serve.py").write_text(APPLICATION)
    shop.run("apply")
    load = [sys.executable, "-m", "vitrify.testing.load", f"http://127.0.0.1:{shop.port}/", "--echo", "--connections", "3"]
    with subprocess.Popen(load, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}) as process:
        shop.declare(greeting="two", migration=EXPAND + CONTRACT)
        applied = shop.run("-v", "apply")
        assert columns(shop) == ["name", "customer"], "both releases find what they need"
        early = shop.run("contract", "web", expect=5)
        contracted = shop.document("contract", "web", "--now")
        process.terminate()
        report = json.loads(process.communicate(timeout=30)[0])

    assert report["lost"] == 0, report
    assert report["answered"] > 50
    assert (columns(shop), rows(shop)) == (["customer"], report["answered"])
    assert "rollback window of web release 2 is still open" in early.stderr
    assert (contracted["schema"], contracted["release"]) == ("vitrify.dev/contracted/v1", 2)
    refused = shop.run("rollback", "web", expect=5)
    assert "was contracted for release 2" in refused.stderr
    assert shop.get() == (200, "two")
    assert_hook(shop, applied.stderr)
    told = [json.loads(line) for line in (shop.folder / "notices.ndjson").read_text().replace("}{", "}\n{").splitlines()]
    assert [one["event"] for one in told] == ["expand.done", "release.done"] * 2 + ["contract.done"]
    assert "t0psecret" not in "".join(map(str, told)) + shop.looked("ledger", "show", "-n", "100")


def assert_hook(shop: Shop, told: str) -> None:
    """It ran where the application runs, as the application does, and its secret was shown to nobody."""
    look = json.loads((volume(shop) / "look.json").read_text())
    assert (look["uid"], look["folder"], look["given"], look["phase"]) == (os.getuid(), "/srv/app", "t0psecret", "launch")
    assert look["release"]["number"] == 2
    assert look["instance"].startswith("web-r2-")
    assert look["port"].isdecimal()
    assert "looked around with (secret)" in told
    assert "t0psecret" not in told


def volume(shop: Shop) -> Path:
    (found,) = shop.run_folder.glob("volumes/orders")
    return found


def columns(shop: Shop) -> list[str]:
    with closing(sqlite3.connect(volume(shop) / "orders.db")) as database:
        return [name for (name,) in database.execute("SELECT name FROM pragma_table_info('orders')")]


def rows(shop: Shop) -> int:
    with closing(sqlite3.connect(volume(shop) / "orders.db")) as database:
        (found,) = database.execute("SELECT count(*) FROM orders WHERE customer IS NOT NULL").fetchone()
        return int(found)
