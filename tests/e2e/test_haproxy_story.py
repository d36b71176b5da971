"""The whole of HAProxy from the command line: declared, released, gone back to, and gone; with a certificate of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shop import Shop

pytestmark = pytest.mark.e2e
ROUTER = 'kind: haproxy, listen: "127.0.0.1:{port}", certificate: shop.pem, key: "secret:shop_key"'


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    found = Shop.build(tmp_path / "project")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=shop.test"]
    files = ["-addext", "subjectAltName=DNS:shop.test", "-keyout", str(found.folder / "shop.key"), "-out", str(found.folder / "shop.pem")]
    subprocess.run([*words, *files], check=True, capture_output=True)
    return found


def declare(shop: Shop, greeting: str) -> None:
    shop.declare(greeting=greeting)
    file = shop.folder / "vitrify.yaml"
    text = file.read_text().replace(f'kind: caddy, listen: "127.0.0.1:{shop.port}", tls: "off"', ROUTER.format(port=shop.port))
    text = text.replace("route: {router: edge}", "route: {router: edge, host: shop.test, sticky: {cookie: seat}}")
    file.write_text(text.replace("routers:", "secrets: {shop_key: {file: shop.key}}\nrouters:"))


def asked(shop: Shop) -> str:
    where = ["--cacert", str(shop.folder / "shop.pem"), "--resolve", f"shop.test:{shop.port}:127.0.0.1", f"https://shop.test:{shop.port}/"]
    return subprocess.run(["curl", "--silent", "--fail", "--show-error", *where], check=True, capture_output=True, text=True).stdout


def test_haproxy_serves_what_is_released_and_what_is_gone_back_to(shop: Shop) -> None:
    try:
        declare(shop, "one")
        shop.run("apply")
        assert asked(shop) == "one"
        declare(shop, "two")
        shop.run("apply")
        assert asked(shop) == "two"

        done = shop.document("rollback", "web")

        assert asked(shop) == "one"
        assert float(done["answer_ms"]) < 1000
        key = (shop.folder / "shop.key").read_text().splitlines()[1]
        files = [path for path in shop.home.rglob("*") if path.is_file() and not path.is_symlink()]
        holds = {path.name for path in files if key.encode() in path.read_bytes()}
        assert holds == {"key.pem", "both.pem"}
        shop.run("retire", "web")
        assert not list((shop.run_folder / "routers").glob("[!.]*"))
    finally:
        shop.clear()
