"""Seconds for a first bake, a bake of nothing new and a bake after one changed file, beside cp, tar and sha256sum on the same tree.

    .venv/bin/python benchmarks/images/builder.py [--files 3000] [--rounds 5]

The tree's files are written into the staging folder as the payload writes them, without its process and pipe: what is
measured is writing it, packing, hashing, checking for secrets and publishing with every sync. The floor, a shell's cp, tar
and sha256sum, does the same work without the checks; on many disks it is making the files that takes the time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vitrify.builders.layer import pack
from vitrify.builders.oci import OciBuilder
from vitrify.builders.tree import Tree
from vitrify.core.declaration import Content
from vitrify.core.digest import JSONObject, digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.onhost.unpack import unpack
from vitrify.ports import BakeRequest
from vitrify.stores.layout import LayoutStore
from vitrify.testing.memory_session import MemorySession

FLOOR = "cp, tar, sha256sum, sync"


def make_tree(folder: Path, *, files: int) -> None:
    """Source files of 1 to 30 KiB, a few hundred folders; the same on every machine."""
    chance = random.Random(1)  # noqa: S311  a repeatable tree, no secret
    for number in range(files):
        place = folder / f"package{number % 97}" / f"part{number % 5}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"module{number}.py").write_bytes(chance.randbytes(chance.randrange(512, 15_360)).hex().encode())


def request_of(folder: Path) -> BakeRequest:
    """The tree as a resource, resolved as a loaded declaration has it."""
    entries: JSONObject = {}
    contents: dict[str, Content] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            entries[name] = {"type": "directory", "mode": "0755"}
            continue
        digest = digest_bytes(path.read_bytes())
        contents[digest] = Content(path=str(path))
        entries[name] = {"type": "file", "mode": "0644", "content": digest}
    wish = Resource(Address("tree", "/srv/app"), {"to": "/srv/app", "entries": entries})
    return BakeRequest("web", "scratch", [wish.to_json()], contents, {"project": "benchmark"})


def timed(act: Callable[[], object]) -> float:
    """Seconds that it took."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def archived(tree: Path, into: Path) -> None:
    """What a shell would do for a layer: tar, sha256sum, sync."""
    archive = into / "floor.tar"
    fixed = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]
    subprocess.run(["tar", *fixed, "-cf", archive, "-C", tree, "."], check=True)
    subprocess.run(["sha256sum", archive], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", archive], check=True)
    archive.unlink()


def copied_and_archived(tree: Path, into: Path) -> None:
    """What a shell would do for an image: a copy of the tree, and the layer of that."""
    subprocess.run(["cp", "-r", tree, into / "copy"], check=True)
    archived(into / "copy", into)
    subprocess.run(["rm", "-r", into / "copy"], check=True)


def one_round(tree: Path, place: Path, number: int) -> dict[str, float]:
    """One of each, in a fresh store."""
    store = LayoutStore(place / f"store{number}")
    builder = OciBuilder(MemorySession(), store)
    wanted = request_of(tree)
    found = {FLOOR: timed(lambda: copied_and_archived(tree, place))}
    found["tar, sha256sum, sync"] = timed(lambda: archived(tree, place))
    archive = place / "packed.tar"
    found["the layer writer alone"] = timed(lambda: _pack(tree, archive))
    found["first bake"] = timed(lambda: asyncio.run(builder.bake(wanted)))
    found["no change"] = timed(lambda: asyncio.run(builder.bake(wanted)))
    changed = tree / "package0" / "part0" / "module0.py"
    changed.write_bytes(os.urandom(64).hex().encode())
    again = request_of(tree)
    found["one changed file"] = timed(lambda: asyncio.run(builder.bake(again)))
    image = asyncio.run(builder.bake(again)).digest
    found["unpack, with sync"] = timed(lambda: unpack(store.folder(image), image, str(place / f"image{number}")))
    shutil.rmtree(place / f"store{number}")
    shutil.rmtree(place / f"image{number}")
    return found


def _pack(tree: Path, archive: Path) -> None:
    with archive.open("wb") as file:
        pack(Tree(str(tree)), file)
    archive.unlink()


def main(arguments: list[str]) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        tree, place = Path(folder, "tree"), Path(folder, "work")
        place.mkdir()
        make_tree(tree, files=chosen.files)
        size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
        rounds = [one_round(tree, place, number) for number in range(chosen.rounds)]
    sys.stdout.write(f"{chosen.files} files, {size / 1e6:.1f} MB, {os.cpu_count()} cores, Python {platform.python_version()}, sha256\n")
    base = statistics.median(found[FLOOR] for found in rounds)
    for name in rounds[0]:
        times = sorted(found[name] for found in rounds)
        middle = statistics.median(times)
        spread = f"({times[0] * 1000:.1f} to {times[-1] * 1000:.1f})"
        sys.stdout.write(f"{name:24} {middle * 1000:9.1f} ms  {spread:22} {middle / base:6.2f}x the floor\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
