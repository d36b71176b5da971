"""A server whose instances podman keeps, through the real command line: released, rolled back, entered, retired; no request lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import BuildShop
from shop import Shop
from vitrify.testing.podman_storage import Storage, podman_storage
from vitrify.testing.python_root import python_root

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("podman")]

MORE = """\
    runtime: podman
    volumes: {/srv/kept: posts}
    limits: {memory: 256MB, pids: 100}
    hooks:
      - after: launch
        on: next
        env: {GIVEN: "secret:given"}
        command:
          - /usr/bin/python3
          - -Ic
          - "import json, os; print(json.loads(input())['instance'], os.environ['PORT'], os.environ['GIVEN'])"
secrets: {given: {env: GIVEN}}
"""


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with podman_storage() as found:
        monkeypatch.setenv("VITRIFY_PODMAN_STORAGE", str(found.folder))
        monkeypatch.setenv("GIVEN", "t0psecret")
        yield found


@pytest.fixture
def shop(storage: Storage, build_shop: BuildShop, tmp_path: Path) -> Shop:
    del storage  # it is there before the shop, and after it
    python_root(tmp_path / "root")
    return build_shop(base=f"rootfs:{tmp_path}/root", more=MORE)


class Load:
    """Requests without end, none of them repeated, from a program of its own."""

    def __init__(self, shop: Shop) -> None:
        command = [sys.executable, "-m", "vitrify.testing.load", f"http://127.0.0.1:{shop.port}/", "--seconds", "120", "--pause", "0.01"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})

    def ended(self) -> dict[str, object]:
        self._process.terminate()
        report, _ = self._process.communicate(timeout=30)
        return dict(json.loads(report))


def test_released_rolled_back_entered_and_retired_without_losing_a_request(
    shop: Shop, storage: Storage, record_property: Callable[[str, object], None]
) -> None:
    shop.run("apply")
    load = Load(shop)
    shop.declare(greeting="two")
    looked = shop.run("-v", "apply").stderr
    newer, back, older = shop.get(), shop.document("rollback", "web"), shop.get()
    refused = shop.run("exec", "web", "--", "/usr/bin/python3", "-c", "pass", expect=5)
    shop.declare(greeting="one")
    inside = ("--", "/usr/bin/python3", "-I", "-c", "pass")
    entered = json.loads(shop.run("exec", "web", "--break-glass", "it burns", "-o", "json", *inside).stdout)["commands"][0]
    report = load.ended()
    audit = shop.run("audit", "--detailed-exitcode")
    plan = shop.document("plan")["servers"][0]
    posts = (shop.run_folder / "volumes/posts/posts").stat().st_size
    kept = storage.inspect(shop.running()[0])
    shop.run("retire", "web")

    record_property("note", f"podman: {report['requests']} requests, 3 switches, {report['lost']} lost")
    assert (newer, older, back["warm"]) == ((200, "two"), (200, "one"), True)
    assert report["lost"] == 0, report["errors"]
    assert report["answered"] == posts
    assert "--break-glass" in refused.stderr
    assert re.search(r"hook web after launch  web-r2-[0-9a-f]{8}-0 8000 \(secret\)", looked), looked
    assert entered["code"] == 0
    assert entered["instance"] not in entered["replaced"]
    assert "No findings" in audit.stdout or audit.returncode == 0
    assert plan["kind"] == "none"
    assert isinstance(kept["HostConfig"], dict)
    assert (kept["HostConfig"]["Memory"], kept["HostConfig"]["ReadonlyRootfs"]) == (256_000_000, True)
    assert storage.containers() == []
    assert [kind for kind in ("volume", "secret") if storage.podman.run(kind, "ls", "--quiet")] == []
