"""Seconds to load, order and plan 1,000, 10,000 and 100,000 resources: `python benchmarks/planning.py`. Linear means ten times as long.

The whole command is `vitrify plan` for a folder that has nothing yet: from the YAML to the printed plan, with looking at the folder.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vitrify.core.order import order
from vitrify.core.plan import Seen, plan_host
from vitrify.core.resource import MISSING, Observation, Resource
from vitrify.project.load import load
from vitrify.resources.registry import all_kinds

SIZES = (1_000, 10_000, 100_000)
RUNS = {100_000: 1}
"""How often each is measured; three times where nothing else stands here."""
COMMAND_UP_TO = 10_000


def declaration(size: int, host: str = "local") -> str:
    """A server with this many files in a tenth as many folders, every hundredth written before its folder."""
    lines = [
        "version: 1",
        "project: bench",
        "vars: {who: me}",
        "servers:",
        "  web:",
        "    lifecycle: mutable",
        f'    hosts: ["{host}"]',
        "    resources:",
    ]
    for number in range(size):
        folder = f"/srv/d{number // 10}"
        if number % 10 == 0 and number % 100:
            lines.append(f"      - directory: {folder}")
        else:
            lines.append(f'      - file: {{path: {folder}/f{number}, content: "${{var.who}} {number}\\n", mode: "0644", owner: root}}')
    return "\n".join(lines) + "\n"


def measured(act: Callable[[], object], runs: int) -> float:
    """The best of a few runs, in seconds."""
    best = float("inf")
    for _ in range(runs):
        begun = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - begun)
    return best


def planned(resources: tuple[Resource, ...]) -> object:
    """Order, and difference from a host on which nothing is there yet."""
    kinds = all_kinds()
    ordered = order(resources, kinds=kinds).resources
    seen = Seen({resource.address: Observation(resource.address, MISSING) for resource in ordered}, ())
    return plan_host(ordered, seen, kinds=kinds, diff=lambda _, __: "")


def line(size: int, folder: str) -> str:
    """What one size took."""
    Path(folder, "vitrify.yaml").write_text(declaration(size), encoding="utf-8")

    def read() -> tuple[Resource, ...]:
        return load(folder, environ={}, overrides={}, kinds=all_kinds(), key=b"").servers[0].resources

    runs = RUNS.get(size, 3)
    resources = read()
    backwards = tuple(reversed(resources))
    times = (measured(read, runs), measured(lambda: planned(resources), runs), measured(lambda: planned(backwards), runs))
    told = f"{size:>7} resources: load {times[0]:.3f} s, order and plan {times[1]:.3f} s, written backwards {times[2]:.3f} s"
    return f"{told}, whole command {whole(size, folder, runs):.3f} s" if size <= COMMAND_UP_TO else told


def whole(size: int, folder: str, runs: int) -> float:
    """The command, from its start to its end."""
    root = Path(folder, "root")
    root.mkdir()
    Path(folder, "vitrify.yaml").write_text(declaration(size, f"root:{root}"), encoding="utf-8")
    environment = {**os.environ, "VITRIFY_HOME": f"{folder}/home"}
    argv = [sys.executable, "-m", "vitrify", "-C", folder, "plan"]
    return measured(lambda: subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL), runs)


def main() -> None:
    """Print one line for each size."""
    gc.set_threshold(100_000, 20, 20)  # as the command line does
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            print(line(size, folder), flush=True)


if __name__ == "__main__":
    main()
