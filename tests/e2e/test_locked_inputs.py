"""What the lock pins is what a bake installs, whatever a mirror offers by then; `update` alone moves it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import debs
from debs import Archive, Deb
from live_host import lacking, tree
from packaged import FOUND
from vitrify.builders.offers import offers
from vitrify.core.resource import Address, Resource
from vitrify.onhost.unpack import unpack
from vitrify.ports import BakeRequest, Offer

pytestmark = [pytest.mark.e2e, pytest.mark.root]


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the library's
        """Say nothing."""


@dataclass(frozen=True)
class Project:
    """An immutable server upon a small Debian, whose packages come from a repository of its own."""

    folder: Path
    archive: Archive

    def also(self, resource: object) -> None:
        """Declare one more."""
        path = self.folder / "vitrify.yaml"
        document = json.loads(path.read_text())
        document["servers"]["web"]["resources"].insert(1, resource)
        path.write_text(json.dumps(document))

    def vitrify(self, *words: str, home: str = "home", expect: int = 0) -> str:
        """The command line, with what it remembers in this folder; what it said, on both streams."""
        environment = {**os.environ, "VITRIFY_HOME": str(self.folder / home), "VITRIFY_YES": "1"}
        command = [sys.executable, "-m", "vitrify", *words]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def bake(self, home: str = "home") -> str:
        """The digest of the image."""
        said = self.vitrify("bake", "web", "-o", "json", home=home)
        return str(json.loads(said[said.index("{") : said.rindex("}") + 1])["image"])

    def moves(self, *words: str) -> set[tuple[str, str, str]]:
        """What an update moves: name, old version, new one."""
        said = self.vitrify("update", *words, "-o", "json")
        document = json.loads(said[said.index("{") : said.rindex("}") + 1])
        return {(move["name"], move["old"], move["new"]) for move in document["moves"]}

    def holds(self, digest: str, path: str, *, home: str = "home") -> str:
        """A file of the image."""
        place = self.folder / f"image-{digest[7:15]}"
        if not place.exists():
            unpack(str(self.folder / home / "store/oci"), digest, str(place))
        return (next(place.rglob("root")) / path).read_text()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    if reason := lacking() or debs.lacking():
        pytest.skip(reason)
    archive = Archive.make(tmp_path / "repository", tmp_path / "keys", *FOUND)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(archive.folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "project").mkdir()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    resources = [
        {"repository": {"name": "shop", "uris": [address], "suites": ["stable"], "components": ["main"], "key": archive.key()}},
        {"package": {"name": "foo", "install_recommends": False}},
        {"process": {"name": "web", "command": ["/usr/bin/true"]}},
    ]
    base = {"lifecycle": "immutable", "hosts": ["local"], "base": f"rootfs:{tree()}", "resources": resources}
    (tmp_path / "project/vitrify.yaml").write_text(json.dumps({"version": 1, "project": "shop", "servers": {"web": base}}))
    yield Project(tmp_path / "project", archive)
    server.shutdown()
    server.server_close()


def test_what_is_offered_now_is_asked_where_the_resources_lead(project: Project, tmp_path: Path) -> None:
    document = json.loads((project.folder / "vitrify.yaml").read_text())
    fields = document["servers"]["web"]["resources"][0]["repository"]
    repository = Resource(Address("repository", "shop"), fields).to_json()
    request = BakeRequest("web", "scratch", [repository], {}, {})

    found = offers(request, ["foo", "lone", "nobody-has-this"], tmp_path / "asking", architecture="amd64")

    assert found == (Offer("foo", "2.0"), Offer("lone", "1.0"))


def test_what_is_pinned_is_installed_until_an_update_moves_it(project: Project) -> None:
    first = project.bake()

    assert '"foo", version: "2.0"' in (project.folder / "vitrify.lock").read_text()
    assert project.holds(first, "etc/foo.conf") == "size = 2\n"
    project.archive.publish(Deb("foo", "3.0", fields={"Depends": "libfoo (>= 1.0)"}, files={"/etc/foo.conf": "size = 3\n"}))
    project.archive.withdraw("foo_2.0")

    # Elsewhere, with the files at hand: the same image, and nobody is asked for anything.
    shutil.copytree(project.folder / "home/store/supplies", project.folder / "elsewhere/store/supplies")
    assert project.bake("elsewhere") == first
    # Elsewhere, without them: exactly that file is not to be had, and nothing newer takes its place.
    said = project.vitrify("bake", "web", home="bare", expect=65)
    assert "what vitrify.lock pins for web cannot be had any more: foo 2.0" in said
    assert "`vitrify update web`" in said

    assert project.moves("--dry-run") == {("foo", "2.0", "3.0")}
    assert '"foo", version: "2.0"' in (project.folder / "vitrify.lock").read_text()
    assert project.moves("web") == {("foo", "2.0", "3.0")}
    second = project.bake()
    assert project.holds(second, "etc/foo.conf") == "size = 3\n"

    project.also({"package": "lone"})
    assert "vitrify.lock does not hold what this needs: lone" in project.vitrify("bake", "web", expect=65)
    assert project.moves("--dry-run") == {("lone", "", "1.0")}
