"""Bakes that are killed for real, and bakes in several processes at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vitrify.stores.layout import LayoutStore

pytestmark = pytest.mark.e2e

SOURCE = Path(__file__).parents[2] / "src"
BAKE = """
import asyncio, os, signal, sys
from pathlib import Path
from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Content
from vitrify.core.digest import digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.ports import BakeRequest
from vitrify.stores.layout import LayoutStore
from vitrify.testing.memory_session import MemorySession

folder, moment = Path(sys.argv[1]), sys.argv[2]
left = int(moment)
def count(event, _arguments):
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "fcntl.flock"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
content = b"x" * 5000
entries = {f"f{n}": {"type": "file", "content": digest_bytes(content)} for n in range(20)}
wish = Resource(Address("tree", "/srv"), {"to": "/srv", "entries": entries})
upon = Resource(Address("file", "/srv/f1"), {"path": "/srv/f1", "content": digest_bytes(content), "mode": "0600"})
request = BakeRequest("web", "scratch", [wish.to_json(), upon.to_json()], {digest_bytes(content): Content(data=content)}, {})
builder = OciBuilder(MemorySession(), LayoutStore(folder), means=Means(machine="x86_64"))
asyncio.run(asyncio.sleep(0))
if left:
    sys.addaudithook(count)
print(asyncio.run(builder.bake(request)).digest)
"""


def bake(folder: Path, *, die_at: int = 0) -> subprocess.Popen[str]:
    """A bake in a process of its own, which kills itself at its n-th access to the file system."""
    command = [sys.executable, "-P", "-c", BAKE, str(folder), str(die_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(SOURCE)})


def finish(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out.strip()


def test_killed_anywhere_the_same_bake_again_gives_the_image_and_leaves_nothing(tmp_path: Path) -> None:
    expected = finish(bake(tmp_path / "whole"))
    moment, killed = 1, 0
    while True:
        store = tmp_path / f"store{moment}"
        process = bake(store, die_at=moment)
        process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        killed += 1
        images = LayoutStore(store).images()
        assert all(LayoutStore(store).has(image) for image in images)
        assert finish(bake(store)) == expected
        assert not list(store.glob("work/*")) + list(store.rglob("*.new")) + list(store.glob("roots/*/*.gone"))
        moment += 13
    assert killed > 5


def test_many_processes_bake_at_once_and_agree(tmp_path: Path) -> None:
    digests = {finish(process) for process in [bake(tmp_path / "store") for _ in range(6)]}

    assert LayoutStore(tmp_path / "store").images() == tuple(digests)
    assert len(digests) == 1
