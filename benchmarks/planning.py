"""Seconds to load, order and plan 1,000 and 10,000 resources: `python benchmarks/planning.py`. Linear means ten times as long."""

from __future__ import annotations

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

SIZES = (1_000, 10_000)
RUNS = 3


def declaration(size: int) -> str:
    """A server with this many files in a tenth as many folders, every hundredth written before its folder."""
    lines = [
        "version: 1",
        "project: bench",
        "vars: {who: me}",
        "servers:",
        "  web:",
        "    lifecycle: mutable",
        "    hosts: [local]",
        "    resources:",
    ]
    for number in range(size):
        folder = f"/srv/d{number // 10}"
        if number % 10 == 0 and number % 100:
            lines.append(f"      - directory: {folder}")
        else:
            lines.append(f'      - file: {{path: {folder}/f{number}, content: "${{var.who}} {number}\\n", mode: "0644", owner: root}}')
    return "\n".join(lines) + "\n"


def measured(act: Callable[[], object]) -> float:
    """The best of a few runs, in seconds."""
    best = float("inf")
    for _ in range(RUNS):
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

    resources = read()
    backwards = tuple(reversed(resources))
    times = (measured(read), measured(lambda: planned(resources)), measured(lambda: planned(backwards)))
    return f"{size:>6} resources: load {times[0]:.3f} s, order and plan {times[1]:.3f} s, written backwards {times[2]:.3f} s"


def main() -> None:
    """Print one line for each size."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(line(size, folder) + "\n")


if __name__ == "__main__":
    main()
