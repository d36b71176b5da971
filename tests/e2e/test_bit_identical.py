"""An image with packages, upon a base of packages, is the same image whenever, wherever and in whatever surroundings it is baked."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import anybody as anybodys
from live_host import _release, lacking
from test_venv_kind import wheel
from vitrify.core.digest import digest_of
from vitrify.onhost.layout import read_manifest
from vitrify.onhost.unpack import unpack
from vitrify.project.binaries import bubblewrap_if_any

# Two at once would share what libfaketime shares by the numbers of processes.
pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.xdist_group("faketime")]

FAKETIME = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu" / "faketime/libfaketime.so.1"
SHIFT = "+3000d"
RESOURCES: list[object] = [
    {"package": {"name": "openssh-server", "install_recommends": False}},
    {"package": {"name": "python3-venv", "install_recommends": False}},
    {"user": {"name": "app", "system": True}},
    {"service": {"name": "ssh", "enabled": True, "running": True}},
    {"tree": {"from": "wheels", "to": "/srv/wheels"}},
    {"venv": {"path": "/opt/app", "packages": ["alpha"], "find_links": "/srv/wheels", "no_index": True}},
    {"process": {"name": "web", "command": ["/opt/app/bin/python", "-c", "import alpha"]}},
]

BWRAP = """#!{python}
import os, sys
words = sys.argv[1:]
if "--" in words:
    # Into the folder /tmp of the root, which is a fresh one: nothing of this is in an image.
    at = words.index("--")
    words[at:at] = ["--ro-bind", "{faketime}", "/tmp/faketime.so", "--setenv", "LD_PRELOAD", "/tmp/faketime.so"]
    words[at:at] = ["--setenv", "FAKETIME", "{shift}"]
os.execv("{bwrap}", ["bwrap", *words])
"""
MMDEBSTRAP = """#!/bin/sh
export LD_PRELOAD={faketime} FAKETIME={shift}
exec /usr/bin/mmdebstrap --setup-hook='mkdir -p "$1{folder}" && cp {faketime} "$1{folder}"' --customize-hook='rm -r "$1{folder}"' "$@"
"""


@dataclass(frozen=True)
class Project:
    """A project and what vitrify remembers of it, in one folder."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, extra: tuple[object, ...] = (), base: str = "") -> Project:
        """With the resources above, and more."""
        (folder / "project/wheels").mkdir(parents=True)
        wheel(folder / "project/wheels", "alpha", "1.0")
        resources = [*RESOURCES[:-1], *extra, RESOURCES[-1]] if not base else [*extra, RESOURCES[-1]]
        server = {"lifecycle": "immutable", "hosts": ["local"], "base": base or f"debootstrap:{_release()}", "resources": resources}
        (folder / "project/vitrify.yaml").write_text(json.dumps({"version": 1, "project": "shop", "servers": {"web": server}}))
        return cls(folder)

    def bake(self, *, umask: int = 0o022, anybody: bool = False, **surroundings: str) -> str:
        """The digest of the image; baked by somebody who is not root, if they can have the ids that it takes."""
        command = [sys.executable, "-m", "vitrify", "bake", "web", "-o", "json"]
        if anybody and not anybodys.lacking():
            anybodys.hand_over(self.folder)
            command = anybodys.granted(self.folder.parent / "tables", command)
        environment = {**os.environ, "VITRIFY_HOME": str(self.folder / "home"), "VITRIFY_YES": "1", **surroundings}
        done = subprocess.run(
            command,
            cwd=self.folder / "project",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            umask=umask,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return str(json.loads(done.stdout)["image"])

    @property
    def layout(self) -> str:
        """Where its images are."""
        return str(self.folder / "home/store/oci")

    def layers(self, digest: str) -> list[Path]:
        """The layers of an image, as files."""
        return [Path(self.layout) / "blobs/sha256" / layer.digest[7:] for layer in read_manifest(self.layout, digest).layers]

    def lend(self, pinned: Path) -> None:
        """What was chosen once, so that no test asks a mirror."""
        shutil.copytree(pinned / "files", self.folder / "home/store/supplies/files")
        shutil.copy(pinned / "vitrify.lock", self.folder / "project/vitrify.lock")


def chosen(tmp_path: Path) -> Path:
    """The packages and their lock: chosen and fetched the first time, and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrify-tests"
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"pinned-{_release()}-{digest_of(json.dumps(RESOURCES))[7:15]}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            project = Project.make(tmp_path / "choosing")
            project.bake()
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(project.folder / "home/store/supplies/files", part / "files")
            shutil.copy(project.folder / "project/vitrify.lock", part)
            part.rename(place)
            shutil.rmtree(project.folder)
    return place


def another_day(folder: Path) -> Mapping[str, str]:
    """Surroundings in which every program of a bake, inside the root too, sees a clock that is years ahead."""
    folder.mkdir(mode=0o755)
    filled = {
        "python": sys.executable,
        "faketime": str(FAKETIME),
        "folder": str(FAKETIME.parent),
        "bwrap": bubblewrap_if_any(),
        "shift": SHIFT,
    }
    for name, text in (("bwrap", BWRAP), ("mmdebstrap", MMDEBSTRAP)):
        (folder / name).write_text(text.format(**filled))
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "de_DE.UTF-8"}


def explained(ours: Path, theirs: Path) -> str:
    """Where two layers differ, as diffoscope tells."""
    command = ["diffoscope", "--exclude-directory-metadata=yes", "--max-report-size=20000", "--text=-", str(ours), str(theirs)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300).stdout


@pytest.fixture(autouse=True)
def _able() -> None:
    missing = (
        lacking() or ("" if FAKETIME.exists() else "the Debian package faketime") or ("" if shutil.which("diffoscope") else "diffoscope")
    )
    if missing:
        pytest.skip(missing)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    with anybodys.place() as folder:
        yield folder


@pytest.mark.timeout(600)  # the first time on a machine it fetches a hundred packages
def test_the_same_image_comes_of_another_day_folder_user_umask_time_zone_and_locale(tmp_path: Path, elsewhere: Path) -> None:
    pinned = chosen(tmp_path)
    here, there = Project.make(tmp_path / "here"), Project.make(elsewhere / "quite/another place/there")
    here.lend(pinned)
    there.lend(pinned)
    shutil.copytree(here.folder / "project/wheels", there.folder / "project/wheels", dirs_exist_ok=True)  # a wheel is dated
    surroundings = another_day(elsewhere / "bin")
    asked = [str(elsewhere / "bin/bwrap"), "--bind", "/", "/", "--tmpfs", "/tmp", "--", "date", "+%s"]
    ahead = int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    assert ahead - int((elsewhere / "bin").stat().st_mtime) > 2999 * 86400

    first, second = here.bake(), there.bake(umask=0o077, anybody=True, **surroundings)

    pairs = zip(here.layers(first), there.layers(second), strict=True)
    assert first == second, "\n".join(explained(ours, theirs) for ours, theirs in pairs if ours.name != theirs.name)
    root = Path(unpack(here.layout, first, str(tmp_path / "image")).folder) / "root"
    assert (root / "etc/systemd/system/multi-user.target.wants/ssh.service").is_symlink()
    assert "sshd:" in (root / "etc/passwd").read_text()
    assert "app:" in (root / "etc/passwd").read_text()
    assert not list((root / "etc/ssh").glob("ssh_host_*"))
    assert not list(root.rglob("__pycache__"))
    assert (root / "opt/app/lib/python3.11/site-packages/alpha.py").exists()


def test_a_planted_difference_is_explained(tmp_path: Path) -> None:
    motd = {"file": {"path": "/etc/motd", "content": "one\n", "parents": True}}
    ours = Project.make(tmp_path / "ours", extra=(motd,), base="scratch")
    theirs = Project.make(tmp_path / "theirs", extra=({"file": {**motd["file"], "content": "two\n"}},), base="scratch")

    (one,), (two,) = ours.layers(ours.bake()), theirs.layers(theirs.bake())

    said = explained(one, two)
    assert "etc/motd" in said
    assert "-one" in said
    assert "+two" in said
