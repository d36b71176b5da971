"""Seconds for a first image, for one of nothing new and for one after a changed file: `vitrify bake`, `podman build`, `buildah build`.

    .venv/bin/python benchmarks/images/compare.py [--rounds 5] [--large 300]

Whole processes on the same content, in turn: 200 files of 2 KB, alone and upon 300 MB in 3,000 files. All three begin with nothing
(`scratch`) and make one layer of each of the two trees. Podman and Buildah keep their storage in a temporary folder. Where the
machine mounts two kinds of cgroups, which Podman refuses, the program runs itself again in a mount namespace without the second.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HYBRID = Path("/sys/fs/cgroup/unified")
FILES = 200
CONTAINERS = '[containers]\ndefault_ulimits = ["nofile=20000:20000"]\n[engine]\ncgroup_manager = "cgroupfs"\n'
DECLARATION = """\
version: 1
project: benchmark
servers:
  web:
    hosts: [local]
    lifecycle: immutable
    base: scratch
    resources:
      - directory: /srv
{trees}      - process: {{name: web, command: [/srv/app/file0]}}
"""


@dataclass(frozen=True)
class Tool:
    """A builder of images: the command that builds, run in the folder of the content."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def seconds(self, folder: Path) -> float:
        """Build once, and tell how long the whole process took."""
        environment = {**os.environ, **self.environment}
        begun = time.perf_counter()
        ended = subprocess.run(self.command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
        taken = time.perf_counter() - begun
        if ended.returncode != 0:
            sys.exit(f"{self.name} ended with {ended.returncode}: {ended.stderr[-2000:]}")
        return taken


def content(folder: Path, *, large: int) -> Path:
    """The files, and what each tool needs to be told of them."""
    chance = random.Random(1)  # noqa: S311  repeatable content, no secret
    trees = {"app": (FILES, 2_000), **({"large": (3_000, large * 1_000_000 // 3_000)} if large else {})}
    for name, (count, size) in trees.items():
        for number in range(count):
            place = folder / name / f"part{number % 20}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"file{number}").write_bytes(chance.randbytes(size))
    order = sorted(trees, reverse=True)  # what changes is last, as whoever writes a Containerfile knows to do
    (folder / "Containerfile").write_text("FROM scratch\n" + "".join(f"COPY {name} /srv/{name}\n" for name in order))
    lines = "".join(f"      - tree: {{from: {name}, to: /srv/{name}}}\n" for name in order)
    (folder / "vitrify.yaml").write_text(DECLARATION.format(trees=lines))
    return folder


def tools(place: Path) -> Iterator[Tool]:
    """Those that are here, each with a storage of its own."""
    vitrify = str(Path(sys.executable).with_name("vitrify"))
    yield Tool("vitrify bake", (vitrify, "--quiet", "bake", "web"), {"VITRIFY_HOME": str(place / "vitrify")})
    (place / "containers.conf").write_text(CONTAINERS)
    told = {"CONTAINERS_CONF": str(place / "containers.conf"), "TMPDIR": str(place)}
    for name in ("podman", "buildah"):
        program = shutil.which(name)
        if program is None:
            sys.stdout.write(f"{name} is not installed (Debian: `apt install {name}`): left out\n")
            continue
        storage = (program, "--root", str(place / name), "--runroot", str(place / f"{name}-run"))
        yield Tool(f"{name} build", (*storage, "build", "--layers", "--quiet", "--tag", "benchmark", "."), told)


def one_round(number: int, *, large: int) -> dict[tuple[str, str], float]:
    """Each step by each tool, in fresh storages; who begins changes from round to round."""
    found: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        place = Path(folder)
        given = list(tools(place))
        turn = given[number % len(given) :] + given[: number % len(given)]
        project = content(place / "content", large=large)
        changed = project / "app" / "part0" / "file100"
        for step in ("first", "nothing changed", "one file changed"):
            if step == "one file changed":
                changed.write_bytes(os.urandom(2_000))
            for tool in turn:
                os.sync()
                found[step, tool.name] = tool.seconds(project)
        for tool in given[1:]:
            subprocess.run([*tool.command[:5], "unmount", "--all"], check=False, capture_output=True)
    return found


def alone_with_one_kind_of_cgroups(arguments: list[str]) -> None:
    """Run this program again where Podman does not see the second mount of cgroups."""
    if not HYBRID.is_mount() or os.geteuid() != 0:
        return
    inner = 'umount "$1" && shift && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", inner, "sh", str(HYBRID), sys.executable, __file__, *arguments]
    os.execvp(command[0], command)  # noqa: S606  it takes the place of this process


def main(arguments: list[str]) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=300, help="megabytes of the large tree")
    chosen = parser.parse_args(arguments)
    alone_with_one_kind_of_cgroups(arguments)
    for large in (0, chosen.large):
        rounds = [one_round(number, large=large) for number in range(chosen.rounds)]
        sys.stdout.write(f"\n{FILES} files of 2 KB{f' upon {large} MB in 3,000 files' if large else ''}; load {os.getloadavg()[0]:.1f}\n")
        for step, tool in rounds[0]:
            times = sorted(found[step, tool] for found in rounds)
            spread = f"({times[0]:.2f} to {times[-1]:.2f})"
            sys.stdout.write(f"{step:18} {tool:16} {statistics.median(times):7.2f} s  {spread}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
