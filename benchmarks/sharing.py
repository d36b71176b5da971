"""What ten releases that differ by one file take on the disk: `python benchmarks/sharing.py [FOLDER]`, the folder being the base.

Bytes are those of the blocks of all files, each file once, in the store and where the images are unpacked.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from vitrify.builders.layer import pack
from vitrify.builders.manifest import Process, documents
from vitrify.builders.tree import Tree
from vitrify.onhost.layout import Descriptor
from vitrify.onhost.unpack import unpack
from vitrify.stores.layout import LayoutStore

RELEASES = 10


def main(base: Path) -> None:
    """Release after release, with what both places take then."""
    with tempfile.TemporaryDirectory() as place:
        store = LayoutStore(Path(place, "store"))
        lowest = layer(store, base)
        firsts = None
        print("release  store MB  unpacked MB  unpacked in s")
        for number in range(1, RELEASES + 1):
            own = Path(place, "own")
            own.mkdir(exist_ok=True)
            (own / "release").write_text(f"{number}\n")
            made = documents(Process(), layers=[lowest, layer(store, own)], labels={}, architecture="amd64")
            image = store.publish(made.config, made.manifest).digest
            begun = time.perf_counter()
            unpack(store.layout, image, str(Path(place, "images", image[7:])))
            took = time.perf_counter() - begun
            sizes = size(Path(place, "store")), size(Path(place, "images"))
            firsts = firsts or sizes
            print(f"{number:7}  {sizes[0] / 1e6:8.1f}  {sizes[1] / 1e6:11.1f}  {took:13.2f}")
        print(f"times one: store {sizes[0] / firsts[0]:.3f}, unpacked {sizes[1] / firsts[1]:.3f}")


def layer(store: LayoutStore, folder: Path) -> Descriptor:
    """This folder as a layer in the store."""
    with store.work() as work:
        with (work / "layer.tar").open("xb") as file:
            packed = pack(Tree(str(folder)), file)
        store.adopt(work / "layer.tar", digest=packed.digest)
    return packed


def size(folder: Path) -> int:
    """Bytes on the disk, each file once."""
    return sum({status.st_ino: status.st_blocks * 512 for status in statuses(folder)}.values())


def statuses(folder: Path) -> Iterator[os.stat_result]:
    """Of everything below a folder."""
    return (path.lstat() for path in folder.rglob("*"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.__file__).parent)
