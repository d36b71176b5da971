"""The kind `npm` with the real one, and a registry that is made here."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from serving import answering
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.testing.this_host import ThisHost

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")]
VERSIONS = ("1.0.0", "2.0.0")


def packed(version: str) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        text = json.dumps({"name": "alpha", "version": version}).encode()
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return into.getvalue()


class Registry(BaseHTTPRequestHandler):
    """Knows one package in two versions."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}"
        body = b""
        if self.path == "/alpha":
            known = {one: {"name": "alpha", "version": one, "dist": {"tarball": f"{here}/{one}.tgz"}} for one in VERSIONS}
            body = json.dumps({"name": "alpha", "dist-tags": {"latest": VERSIONS[-1]}, "versions": known}).encode()
        elif self.path.endswith(".tgz"):
            body = packed(self.path.strip("/").removesuffix(".tgz"))
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[str]:
    with answering(Registry) as address:
        yield address


def wish(registry: str, path: Path, *, absent: bool = False, package: str = "alpha", **more: JSON) -> Resource:
    return ThisHost().wish("npm", absent=absent, secret=False, package=package, path=str(path), registry=registry, **more)


def test_a_package_is_installed_changed_taken_back_and_taken_away(registry: str, tmp_path: Path) -> None:
    host = ThisHost()
    first = host.converge(wish(registry, tmp_path, version="1.0.0", scripts=False))
    assert first is not None
    assert host.plan(wish(registry, tmp_path)) is None

    second = host.converge(wish(registry, tmp_path, version="2.0.0"))
    assert second is not None
    assert second.because == ("version 1.0.0 -> 2.0.0",)

    host.take_back(second)
    assert json.loads((tmp_path / "node_modules/alpha/package.json").read_text())["version"] == "1.0.0"
    host.converge(wish(registry, tmp_path, absent=True))
    assert not (tmp_path / "node_modules/alpha").exists()


def test_a_package_that_nobody_has_is_named(registry: str, tmp_path: Path) -> None:
    with pytest.raises(TargetFailed, match="npm install beta ended with 1"):
        ThisHost().converge(wish(registry, tmp_path, package="beta"))


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"package": "-g", "path": "/a", "version": "^1.0.0"}, "'^1.0.0' is not one version"),
        ({"package": "a b", "path": "/a"}, "'a b' is not the name of a package"),
        ({"package": "a"}, "one of `path`, `global` is needed"),
        ({"package": "a", "global": True, "path": "/a"}, "`global` cannot stand beside `path`"),
    ],
)
def test_a_package_that_makes_no_sense_is_refused(fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in ThisHost().kinds["npm"].schema.problems(fields)] == [summary]
