"""A kind that is an installed package of its own, with the real command line: saved plans, images, and another machine over SSH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet import Control, Fleet
from packages_of_kinds import change, installed

pytestmark = pytest.mark.e2e

RESOURCES = """
      - logrotate: {name: shop, paths: ["/var/log/shop/*.log"], every: weekly, keep: 4}
"""
IN_PLACE = f"""
version: 1
project: logs
servers:
  web:
    lifecycle: mutable
    hosts: ["root:./host"]
    resources:{RESOURCES}"""
AS_IMAGE = f"""
version: 1
project: logs
servers:
  web:
    lifecycle: immutable
    hosts: [local]
    base: host
    resources:{RESOURCES}
      - process: {{name: web, command: [/usr/bin/python3, -m, http.server, "8000"], port: 8000}}
"""


@dataclass(frozen=True)
class Desk:
    """A project folder, and the command line with one more package installed."""

    folder: Path
    site: Path

    def run(self, *words: str, expect: int = 0, kind: bool = True) -> subprocess.CompletedProcess[str]:
        more = {"PYTHONPATH": str(self.site)} if kind else {}
        given = {"PATH": os.environ["PATH"], "VITRIFY_HOME": str(self.folder / "home"), "VITRIFY_YES": "1", "NO_COLOR": "1", **more}
        command = [sys.executable, "-P", "-m", "vitrify", *words]
        done = subprocess.run(command, cwd=self.folder, env=given, check=False, capture_output=True, text=True)
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def document(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*words, "-o", "json").stdout)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "project"
    (folder / "host").mkdir(parents=True)
    (folder / "vitrify.yaml").write_text(IN_PLACE)
    return Desk(folder, installed(tmp_path))


def test_a_saved_plan_is_refused_once_the_kind_is_another_one(desk: Desk) -> None:
    desk.run("plan", "-o", "plan.json")
    change(desk.site)

    refused = desk.run("apply", "plan.json", expect=1)

    assert "the source of the kind `logrotate` changed" in refused.stderr
    assert not (desk.folder / "host/etc").exists()


def test_editors_and_python_know_an_installed_kind(desk: Desk) -> None:
    assert "kind-logrotate" in desk.run("schema").stdout
    (desk.folder / "vitrify.yaml").unlink()
    (desk.folder / "vitrify.py").write_text(
        "from vitrify.declare import logrotate, project, server\n"
        "logs = project('logs', servers={'web': server(lifecycle='mutable', hosts=['root:./host'],\n"
        "    resources=[logrotate(name='shop', paths=['/var/log/shop.log'])])})\n"
    )

    assert [one["resource"]["address"] for one in desk.document("plan")["servers"][0]["changes"]] == ["logrotate:shop"]


def test_a_kind_that_is_not_installed_is_told_where_it_is_declared(desk: Desk) -> None:
    assert "vitrify.yaml:9:9: error: there is no kind `logrotate`" in desk.run("plan", expect=65, kind=False).stderr


def test_what_an_uninstalled_kind_had_made_stays_until_it_is_installed_again(desk: Desk) -> None:
    desk.run("apply")
    (desk.folder / "vitrify.yaml").write_text(IN_PLACE.replace(RESOURCES, "\n      - file: {path: /motd, content: hello}\n"))

    planned = json.loads(desk.run("plan", "-o", "json", kind=False).stdout)["servers"][0]
    desk.run("apply", kind=False)

    (told,) = planned["notices"]
    assert told == "the kind `logrotate` is not installed here any more: logrotate:shop left the declaration, and stays until it is"
    assert [one["resource"]["address"] for one in planned["changes"]] == ["file:/motd"]
    assert (desk.folder / "host/etc/logrotate.d/shop").exists()
    assert [one["resource"]["address"] for one in desk.document("plan")["servers"][0]["changes"]] == ["logrotate:shop"]


def test_it_is_baked_into_an_image_and_another_source_is_another_release(desk: Desk) -> None:
    (desk.folder / "vitrify.yaml").write_text(AS_IMAGE)
    planned = desk.document("plan")["servers"][0]

    desk.run("bake", "web")

    assert "etc/logrotate.d/shop" in _names(desk.folder / "home/store")
    change(desk.site)
    again = desk.document("plan")["servers"][0]
    assert planned["kinds"] != again["kinds"]
    assert planned["declared"] != again["declared"]


def _names(store: Path) -> set[str]:
    found: set[str] = set()
    for blob in store.rglob("*"):
        if blob.is_file() and tarfile.is_tarfile(blob):
            with tarfile.open(blob) as layer:
                found |= set(layer.getnames())
    return found


def test_another_machine_is_sent_the_kind_and_undoes_it_when_nobody_has_it_any_more(fleet: Fleet, control: Control, tmp_path: Path) -> None:
    machine = fleet.boot()
    site = str(installed(tmp_path / "kind"))
    hosts = f'hosts: ["{machine.url()}"]'
    declared = IN_PLACE.replace('hosts: ["root:./host"]', hosts) + f"ssh: {{config: {fleet.config}}}\n"
    control.declare(declared)

    control.run("apply", PYTHONPATH=site)

    assert "weekly" in machine.text("/etc/logrotate.d/shop")
    assert control.run("audit", PYTHONPATH=site).stdout.count("No drift") == 1
    control.declare(declared.replace(RESOURCES, "\n      - file: {path: /etc/motd, content: hello}\n"))
    control.run("undo", "web")
    assert not machine.machine.path("/etc/logrotate.d/shop").exists()
