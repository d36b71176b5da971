"""What an audit costs where little differs: `python benchmarks/audit/differences.py` (needs root: it mounts an overlay).

An instance with some changes over an image of 60,000 files, looked at as `vitrify audit` does; and two baselines of such a tree,
compared with each other. Both must cost time with what differs, and not with what there is.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vitrify.onhost.altered import Layer, altered
from vitrify.onhost.records import Record, Tree, between, with_digests
from vitrify.onhost.root import folder_system
from vitrify.onhost.sweep import Sweep

FILES = 60_000
ROUNDS = 20


def make_tree(folder: Path) -> None:
    """Files as an image has them, 20 to a folder."""
    for number in range(FILES):
        place = folder / f"package{number % 60}" / f"part{number // 60 % 50}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number}").write_bytes(b"%d\n" % number)


def change(folder: Path, count: int) -> None:
    """Touch so many files, each in another folder."""
    for number in range(count):
        (folder / f"package{number % 60}" / f"part{number // 60 % 50}" / f"file{number}").write_bytes(b"intruder\n")


def took(act: Callable[[], object]) -> str:
    """Milliseconds, in the middle and at most."""
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        act()
        found.append((time.perf_counter() - begun) * 1000)
    return f"{statistics.median(found):8.2f} ms (at most {max(found):.2f})"


def instances(place: Path, tree: Path) -> None:
    """Overlays with more and more changes."""
    for count in (0, 1, 10, 100, 1000):
        upper, work, merged = (place / f"{name}{count}" for name in ("upper", "work", "merged"))
        for folder in (upper, work, merged):
            folder.mkdir()
        subprocess.run(["mount", "-t", "overlay", "o", "-o", f"lowerdir={tree},upperdir={upper},workdir={work}", merged], check=True)
        try:
            change(merged, count)
            layers = [Layer("", str(upper), (str(tree),))]
            found = len(altered(layers))
            sys.stdout.write(f"instance, {count:5} changes, {found:5} findings: {took(lambda layers=layers: altered(layers))}\n")  # type: ignore[misc]
        finally:
            subprocess.run(["umount", merged], check=True)


def changed(tree: Tree, count: int) -> Tree:
    """The same with another fingerprint of one entry in so many folders."""
    found = dict(tree)
    for path in [path for path, record in tree.items() if len(record) > 1][:count]:
        own, entries = tree[path].taken()
        name, entry = next(iter(entries.items()))
        entries[name] = entry._replace(print=entry.print._replace(content="another"))
        found[path] = Record.of(path, own, entries, [])
    return with_digests(found)


def baselines(tree: Path) -> None:
    """Two baselines that differ more and more."""
    system = folder_system(str(tree), sidecar=None, bwrap="", blob=lambda _: b"", key=b"")
    first = with_digests(Sweep(system, key=b"", now_ns=time.time_ns()).over(("/",), known={}).tree)
    for count in (0, 1, 10, 100, 1000):
        second = changed(first, count)
        told = took(lambda second=second: between(first, second, "/"))  # type: ignore[misc]
        sys.stdout.write(f"baselines of {FILES:,} files, {len(between(first, second, '/')):5} differences: {told}\n")


def main() -> int:
    """Make the tree once, measure both."""
    if os.geteuid() != 0:
        raise SystemExit("only root can mount an overlay")
    place = Path(tempfile.mkdtemp())
    try:
        tree = place / "tree"
        make_tree(tree)
        sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}\n")
        instances(place, tree)
        baselines(tree)
    finally:
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
