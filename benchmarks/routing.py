"""How long a switch takes on the host, for each kind of router: what comes before the act, the act itself, and what clients feel of it.

    python benchmarks/routing.py [N] [--pause 0.02] [--connections 12] [--only caddy,haproxy]

Back and forth between two sets that were led to before (a rollback, the next step of a canary that was taken back), and to new ones,
which are written down first. Clients GET and POST all the while over connections kept alive and never repeat a request; they, the
backends and the router are processes of their own, as the payload is. The clock is the host's: a switch begins when its call does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "rollout"))

from load import Load, Report, share
from peers import two_instances

from vitrify.core.declaration import Route, Router
from vitrify.onhost.console import Console
from vitrify.ports import Backends, Beside
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.project.tools import caddy_here, haproxy_here
from vitrify.routers.on_host import OnHostRouter
from vitrify.testing.this_machine import ThisMachine, free_port

NEAR = 0.05
"""Seconds before a switch is asked for and after it is noted, whose requests are those of a switch."""

APART = 0.5
"""Seconds between two switches, of which what is not near one counts as steady."""


@dataclass(frozen=True)
class Moved:
    """One switch, by the host's clock; `noted_at` is when all of it was durable and its call returned."""

    asked_at: float
    prepared_at: float
    switched_at: float
    noted_at: float


@dataclass
class Times:
    """Switches of one kind of router."""

    known: list[Moved] = field(default_factory=list)
    new: list[Moved] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    steady: list[tuple[float, float]] = field(default_factory=list)


async def moved(router: OnHostRouter, to: Backends, beside: Beside | None = None) -> Moved:
    """Of one switch."""
    times = await router.switch("web", to=to, beside=beside)
    return Moved(*(float(str(times[name])) for name in ("intended_at", "prepared_at", "switched_at")), time.time())


def floor(folder: Path) -> float:
    """Seconds of what can be no shorter for this kind: one rename, or one word over the socket."""
    if (folder / "config.json").exists():
        began = time.perf_counter()
        (folder / ".floor").symlink_to("nowhere")
        (folder / ".floor").rename(folder / "floor")
        return time.perf_counter() - began
    began = time.perf_counter()
    Console(str(folder)).tell("set map holds.map web 0")
    return time.perf_counter() - began


async def steadily(times: Times) -> None:
    """Nothing happens for a while."""
    await asyncio.sleep(NEAR)
    began = time.time()
    await asyncio.sleep(APART)
    times.steady.append((began, time.time()))
    await asyncio.sleep(NEAR)


async def switches(router: OnHostRouter, ports: Sequence[int], folder: Path, count: int) -> Times:
    """Back and forth, and to new sets between."""
    blue, green = (Backends(name, (f"127.0.0.1:{port}",)) for name, port in zip(("blue", "green"), ports, strict=True))
    times = Times()
    for number in range(count):
        times.known.append(await moved(router, (blue, green)[number % 2]))
        await steadily(times)
        times.new.append(await moved(router, Backends(f"new-{number}", blue.addresses), Beside(green, 5 + 5 * (number % 19))))
        await steadily(times)
        times.least.append(floor(folder))
    return times


async def measure(machine: ThisMachine, kind: str, count: int, clients: Sequence[str]) -> bool:
    """Print what the switches of one kind take; whether nothing was lost."""
    router = OnHostRouter(machine.session, machine.home, {"caddy": caddy_here, "haproxy": haproxy_here})
    route = Route(Router(kind, kind, f"127.0.0.1:{free_port()}"))
    place = machine.folder / f"backends-{kind}"
    (counts := place / "counts").mkdir(parents=True)
    with two_instances(place, counts) as ports:
        await router.ensure(route, server="web")
        for name, port in zip(("green", "blue"), reversed(ports), strict=True):
            await router.switch("web", to=Backends(name, (f"127.0.0.1:{port}",)))
        load = Load(f"http://{route.router.listen}/", place / "report.json", *clients)
        await asyncio.sleep(2)
        times = await switches(router, ports, Path(machine.home, "routers", kind), count)
        report = load.ended()
        await router.release(route, server="web")
    told(kind, times, report)
    apart = report.counted_apart(counts)
    print(f"  counted by the backends           {'the same' if not apart else f'others: {apart}'}")
    return report.lost == 0 and not apart


def told(kind: str, times: Times, report: Report) -> None:
    """What came of it."""
    seconds = sum(end - begin for begin, end in times.steady)
    steady = report.latencies(times.steady)
    print(f"== {kind}: {report.requests:,} requests, {report.lost} lost, {report.data['connections']} connections")
    print(f"  {len(steady) / seconds:.0f} requests a second, load {os.getloadavg()[0]:.1f}")
    for what, moves in (("known", times.known), ("new", times.new)):
        row(f"to a {what} set: asked to switched", [move.switched_at - move.asked_at for move in moves])
        row("  of it the act", [move.switched_at - move.prepared_at for move in moves])
        row("  noted durably behind it", [move.noted_at - move.switched_at for move in moves])
    row("to compare: one rename, or one word", times.least)
    near = report.latencies((move.asked_at - NEAR, move.noted_at + NEAR) for move in [*times.known, *times.new])
    row("latency around a switch", near)
    row("latency while nothing happens", steady)
    print(f"  p99 around a switch / steady      {share(near, 0.99) / share(steady, 0.99):.2f}")


def row(what: str, seconds: Sequence[float]) -> None:
    """One line."""
    ordered = sorted(1000 * one for one in seconds)
    p50, p95, p99 = statistics.median(ordered), share(ordered, 0.95), share(ordered, 0.99)
    print(f"  {what:36}p50 {p50:.2f}, p95 {p95:.2f}, p99 {p99:.2f}, max {ordered[-1]:.2f} ms ({len(ordered)})")


def main() -> int:
    """Each kind in turn."""
    parser = argparse.ArgumentParser(description="How long a switch takes on its host.")
    parser.add_argument("count", nargs="?", type=int, default=100)
    parser.add_argument("--connections", type=int, default=12, help="half of them GET, half of them POST")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two requests of a connection")
    parser.add_argument("--only", default="caddy,haproxy")
    given = parser.parse_args()
    half = str(given.connections // 2)
    clients = ["--get", half, "--post", half, "--pause", str(given.pause)]
    with tempfile.TemporaryDirectory(prefix="vitrify-routing-") as folder:
        machine = ThisMachine(Path(folder), find_bubblewrap, find_caddy)
        try:
            whole = [asyncio.run(measure(machine, kind, given.count, clients)) for kind in given.only.split(",")]
        finally:
            machine.end()
    return 0 if all(whole) else 1


if __name__ == "__main__":
    sys.exit(main())
