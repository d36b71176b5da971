"""Packages of a folder and of an image: its own apt installs them inside, nothing is started, nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import anybody
import debs
from debs import Archive, Deb
from live_host import lacking, tree
from packaged import FOUND
from vitrify.onhost.unpack import unpack

pytestmark = [pytest.mark.e2e, pytest.mark.root]

POLICY = "usr/sbin/policy-rc.d"
STARTING = """
if /usr/sbin/policy-rc.d noisy start; then echo started > /srv/start; else echo forbidden > /srv/start; fi
"""
SERVICE = Deb("noisy", scripts={"postinst": STARTING})


@dataclass(frozen=True)
class Place:
    """A project beside the files of a small Debian that holds a repository."""

    project: Path
    root: Path
    key: str

    def declare(self, lifecycle: str, *resources: object) -> None:
        """One server: this root as a host, or as the base of its image."""
        source = {"name": "shop", "uris": ["file:/srv/repository"], "suites": ["stable"], "components": ["main"], "key": self.key}
        server = {
            "lifecycle": lifecycle,
            "hosts": [f"root:{self.root}" if lifecycle == "mutable" else "local"],
            "base": f"rootfs:{self.root}",
            "resources": [{"repository": source}, *resources],
        }
        self.project.mkdir(exist_ok=True)
        (self.project / "vitrify.yaml").write_text(json.dumps({"version": 1, "project": "shop", "servers": {"web": server}}))

    def vitrify(self, *words: str, expect: int = 0, user: int = 0) -> str:
        """The command line, as root or as somebody else."""
        environment = {**os.environ, "VITRIFY_HOME": str(self.project / "home"), "VITRIFY_YES": "1"}
        command = [sys.executable, "-m", "vitrify", *words]
        done = subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False, timeout=120, user=user
        )
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if expect == 0 else done.stderr


@pytest.fixture
def place() -> Iterator[Place]:
    if reason := lacking() or debs.lacking():
        pytest.skip(reason)
    with anybody.place() as folder:
        root = folder / "root"
        subprocess.run(["cp", "--archive", "--reflink=auto", str(tree()), str(root)], check=True)
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
        archive = Archive.make(root / "srv/repository", folder / "keys", *FOUND, SERVICE)
        yield Place(folder / "project", root, archive.key())


def status(root: Path) -> dict[str, str]:
    """Package -> version, of those that a database says are installed."""
    told = subprocess.run(
        ["dpkg-query", f"--admindir={root / 'var/lib/dpkg'}", "-W", "-f=${Package} ${db:Status-Status} ${Version}\n"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = [line.split(" ") for line in told.splitlines()]
    return {name: version for name, state, version in rows if state == "installed"}


def test_a_folder_gets_its_packages_from_its_own_apt_and_nothing_is_started(place: Place) -> None:
    place.declare("mutable", {"package": ["foo", "noisy"]}, {"package": {"name": "lone", "hold": True}})

    place.vitrify("apply")

    found = status(place.root)
    assert found.items() >= {"foo": "2.0", "libfoo": "1.0", "noisy": "1.0", "lone": "1.0"}.items()
    assert (place.root / "srv/start").read_text() == "forbidden\n"
    assert not (place.root / POLICY).exists()
    assert "No changes" in place.vitrify("plan")
    place.vitrify("undo", "web")
    assert {"foo", "libfoo", "noisy", "lone"}.isdisjoint(status(place.root))


def test_an_image_holds_its_packages_and_its_base_stays_as_it_was(place: Place) -> None:
    before = status(place.root)
    place.declare("immutable", {"package": ["foo", "noisy"]}, {"process": {"name": "web", "command": ["/usr/bin/true"]}})

    digest = json.loads(place.vitrify("bake", "web", "-o", "json"))["image"]

    (layout,) = (place.project / "home").rglob("oci-layout")
    image = Path(unpack(str(layout.parent), digest, str(place.project / "image")).folder) / "root"
    assert status(image).items() >= {"foo": "2.0", "libfoo": "1.0", "noisy": "1.0"}.items()
    assert status(place.root) == before
    assert (image / "srv/start").read_text() == "forbidden\n"
    assert not (image / POLICY).exists()
    assert not list((image / "var/log/apt").glob("*"))


def test_whoever_is_not_root_is_told_what_to_add(place: Place) -> None:
    place.declare("immutable", {"package": "foo"}, {"process": {"name": "web", "command": ["/usr/bin/true"]}})
    subprocess.run(["chmod", "--recursive", "a+rX", str(place.root)], check=True)
    os.chown(place.project, anybody.UID, anybody.UID)

    said = place.vitrify("bake", "web", expect=65, user=anybody.UID)

    assert "packages cannot be installed into this image" in said
    assert "run the same command as root" in said
    assert ("usermod --add-subuids" if shutil.which("newuidmap") else "apt install uidmap") in said
