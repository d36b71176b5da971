"""An audit's sweeps beside AIDE's check of the same tree with the same attributes, in one run: `python benchmarks/audit.py`.

Every time is that of a whole process, from its start to its end: for AIDE `aide --check`; for us an interpreter that makes the
call `audit` as the payload does and compares what it answers. Cold means that the kernel was told to forget the files before
(needs root). The first warm round is not counted.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from vitrify.core.digest import JSON, JSONObject
from vitrify.testing.engine import Engine, wish

PEER = "aide --check"
AIDE = """\
database_in=file:{place}/aide.db
database_out=file:{place}/aide.db
database_new=file:{place}/aide.db
gzip_dbout=no
report_url=stdout
num_workers={workers}
{tree}/srv ftype+p+u+g+s+n+m+l+sha256+xattrs
"""
"""The attributes of a fingerprint of ours, by AIDE's names."""
Runs = Mapping[str, Callable[[], float]]


def make_tree(folder: Path, *, files: int) -> int:
    """Files as a system has them: most small, a few large, 20 to a folder, one in ten for its owner alone. Their bytes."""
    chance, total = random.Random(1), 0  # noqa: S311  a repeatable tree, no secret
    content = chance.randbytes(4 << 20)
    for number in range(files):
        place = folder / f"package{number % 40}" / f"part{number // 40 % (files // 800 + 1)}"
        place.mkdir(parents=True, exist_ok=True)
        size = min(int(chance.lognormvariate(8.3, 1.6)), 2_000_000)
        start = chance.randrange(len(content) - size)
        path = place / f"file{number}"
        path.write_bytes(content[start : start + size])
        path.chmod(0o600 if number % 10 == 0 else 0o644)
        total += size
    return total


def look(root: Path, *, full: bool) -> None:
    """Audit this folder with the payload's own call; tells how many paths it looked at and how many differ."""
    answer = Engine(root, time=time.time()).call("audit", resources=[], folders=["/srv"], full=full)
    differ = {*mapping(answer["baseline"]), *mapping(answer["sweep"])}
    sys.stdout.write(f"{answer['swept']} looked at, {len(differ)} differ")


def mapping(value: JSON) -> JSONObject:
    """A part of an answer that is an object."""
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def looking(tree: Path, *, full: bool) -> float:
    """Seconds of one audit in a process of its own; nothing may differ."""
    command = [sys.executable, __file__, "--look", str(tree), *(["--full"] if full else [])]
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    took = time.perf_counter() - begun
    if not done.stdout.endswith(" 0 differ"):
        raise SystemExit(f"the tree is as it was, but: {done.stdout}")
    return took


def checking(settings: Path) -> float:
    """Seconds of one check of AIDE's; nothing may differ."""
    begun = time.perf_counter()
    subprocess.run(["aide", "-c", settings, "--check"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def forget_files() -> None:
    """Let the kernel forget what it has read: the next look goes to the disk."""
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def measured(runs: Runs, *, rounds: int, cold: bool) -> dict[str, list[float]]:
    """The runs in turn, so that whatever else the machine does meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + (not cold)):
        for name, run in runs.items():
            if cold:
                forget_files()
            took = run()
            if cold or number:
                found[name].append(took)
    return found


def table(found: Mapping[str, list[float]]) -> str:
    """Medians, spread, and how many times faster than the peer."""
    base = statistics.median(found[PEER])
    lines = []
    for name, times in found.items():
        middle = statistics.median(times)
        lines.append(f"{name:28} {middle:7.3f} s  ({min(times):.3f} to {max(times):.3f})  {base / middle:5.1f}x")
    return "\n".join(lines) + "\n"


def compare(tree: Path, place: Path, *, rounds: int) -> None:
    """Both databases, then the runs: warm, and cold where we may."""
    Engine(tree, time=time.time() + 1).apply(wish("directory", path="/srv"))
    runs: dict[str, Callable[[], float]] = {}
    for name, workers in ((PEER, 1), (f"{PEER}, all cores", os.cpu_count() or 1)):
        settings = place / f"aide{workers}.conf"
        settings.write_text(AIDE.format(place=place, tree=tree, workers=workers), encoding="utf-8")
        runs[name] = partial(checking, settings)
    subprocess.run(["aide", "-c", settings, "--init"], check=True, stdout=subprocess.DEVNULL)
    runs["full sweep"] = partial(looking, tree, full=True)
    runs["stat-only sweep"] = partial(looking, tree, full=False)
    sys.stdout.write("warm\n" + table(measured(runs, rounds=rounds, cold=False)))
    if os.geteuid() == 0:
        sys.stdout.write("cold\n" + table(measured(runs, rounds=max(rounds // 2, 1), cold=True)))


def main(arguments: list[str]) -> int:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--full", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.look:
        look(chosen.look, full=chosen.full)
        return 0
    if not shutil.which("aide"):
        raise SystemExit("the peer is missing: apt-get install aide")
    with tempfile.TemporaryDirectory() as folder:
        tree, place = Path(folder, "tree"), Path(folder, "aide")
        place.mkdir()
        size = make_tree(tree / "srv", files=chosen.files)
        version = subprocess.run(["aide", "--version"], check=True, capture_output=True, text=True).stdout.split("\n")[0]
        sys.stdout.write(
            f"{chosen.files} files, {size / 1e6:.0f} MB, {os.cpu_count()} cores, Python {platform.python_version()}, {version}\n"
        )
        compare(tree, place, rounds=chosen.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
