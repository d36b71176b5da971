"""What rollouts lose and how long they take, and what others lose with the same requests in the same run.

    python benchmarks/rollout/compare.py [--switches 100] [--requests 0] [--peer-switches 24] [--seed 1] [--only caddy,peers,haproxy]

For each kind of router: so many switches of real releases, of which a fifth is killed in its middle and run again and a fifth is a
rollback, and a fifth as many failing releases besides, spread over so many requests. Clients GET and POST all the while over
connections that are kept alive, and never repeat a request. Then a few switches across answers of ten seconds and open WebSockets.
Then the peers. Ends with 1 where a rollout lost a request, or the application counted others than the clients.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from load import Load, Report, share
from peers import NEEDS, PEERS, place
from project import Command, Project
from rehearsal import Rehearsal

from vitrify.testing.this_machine import free_port

PARTS = "caddy,peers,haproxy,long-caddy,long-haproxy"

NEAR = 0.5
"""Seconds before and after a switch whose requests count as under way during it."""


def main(words: Sequence[str]) -> int:
    """Everything, or what was named; 1 where a rollout lost something."""
    parser = argparse.ArgumentParser(description="What rollouts lose, and what others do.")
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--requests", type=int, default=0, help="so many at least, for each kind of router")
    parser.add_argument("--peer-switches", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=8, help="half of them GET, half of them POST")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two requests of a connection")
    parser.add_argument("--only", default=PARTS, help="these parts, in this order")
    given = parser.parse_args(words)
    clients = ["--get", str(given.connections // 2), "--post", str(given.connections // 2), "--pause", str(given.pause)]
    whole = []
    for part in given.only.split(","):
        if part == "peers":
            for name in PEERS:
                peer(name, given.peer_switches, clients)
        elif part.startswith("long-"):
            whole.append(long_ones(part.removeprefix("long-")))
        else:
            whole.append(rollouts(part, given, clients))
    return 0 if all(whole) else 1


def rollouts(kind: str, given: argparse.Namespace, clients: list[str]) -> bool:
    """The rehearsal with one kind of router; whether nothing was lost."""
    with tempfile.TemporaryDirectory(prefix="vitrify-rollout-") as folder:
        project = Project.build(Path(folder) / "at", kind, free_port())
        rehearsal = Rehearsal(project)
        try:
            rehearsal.first()
            load = Load(project.url, Path(folder) / "report.json", *clients)
            time.sleep(2)
            rehearsal.run(switches=given.switches, seed=given.seed, requests=given.requests)
            report = load.ended()
            project.run("ledger", "verify")
            running = project.running()
        finally:
            project.clear()
        print(f"== {kind}, load {os.getloadavg()[0]:.1f}")
        told(rehearsal)
        whole = counted(report, project.counts)
        print(f"instances left                    {running} (2 live, 2 warm)")
        times(rehearsal)
        during(rehearsal, report)
        return whole and running == 4


def told(rehearsal: Rehearsal) -> None:
    """What was done."""
    done = {kind: len(commands) for kind, commands in sorted(rehearsal.commands.items())}
    switched = sum(count for kind, count in done.items() if kind != "failed release")
    parts = ", ".join(f"{count} x {kind}" for kind, count in done.items())
    print(f"switches                          {switched} ({parts})")


def counted(report: Report, counts: Path) -> bool:
    """Requests and what was lost of them, held against what the application counted."""
    apart = report.counted_apart(counts)
    rate = len(report.data["samples"])
    print(f"requests, lost                    {report.requests:,}, {report.lost} {report.data['reasons'] or ''}")
    print(f"  of them                         {report.data['answered']}; {rate:,} of a known latency")
    print(f"counted by the application        {'the same' if not apart else f'others: {apart}'}")
    print(f"client connections opened         {report.data['connections']}")
    return report.lost == 0 and not apart


def times(rehearsal: Rehearsal) -> None:
    """The switch itself on its host, from the intent to the first answer, and whole commands."""
    for kinds in (("rollback",), ("release", "release after a kill")):
        moves = rehearsal.switches(*kinds)
        row(f"switch on the host, {kinds[0]}", [1000 * (done - prepared) for _, prepared, done in moves], "ms")
        row("  the new set on its disk before", [1000 * (prepared - asked) for asked, prepared, _ in moves], "ms")
    backs = [command.result for command in rehearsal.commands.get("rollback", ())]
    row("rollback: intent to first answer", [float(back["answer_ms"]) for back in backs if back.get("answer_ms")], "ms")
    steps = [command.result.get("switch_ms") for kind in ("release",) for command in rehearsal.commands.get(kind, ())]
    row("release: intent to switched", [float(step) for step in steps if step], "ms")
    for kind, commands in sorted(rehearsal.commands.items()):
        row(f"whole command, {kind}", [command.seconds for command in commands], "s")


def row(what: str, values: Sequence[float], unit: str) -> None:
    """One line."""
    if values:
        ordered = sorted(values)
        print(
            f"{what:38}p50 {statistics.median(ordered):.2f}, p99 {share(ordered, 0.99):.2f}, max {ordered[-1]:.2f} {unit} ({len(ordered)})"
        )


def during(rehearsal: Rehearsal, report: Report) -> None:
    """What clients felt: around a switch, while a command ran, and while nothing happened."""
    near = report.latencies((asked - NEAR, done + NEAR) for asked, _, done in rehearsal.switches())
    commands: list[Command] = [command for commands in rehearsal.commands.values() for command in commands]
    busy = report.latencies((command.began, command.ended) for command in commands)
    steady = report.latencies(rehearsal.steady)
    for what, found in (("around a switch", near), ("while a command runs", busy), ("while nothing happens", steady)):
        row(f"latency {what}", [1000 * seconds for seconds in found], "ms")
    print(f"p99 around a switch / steady      {share(near, 0.99) / share(steady, 0.99):.2f}")


def long_ones(kind: str, switches: int = 4) -> bool:
    """Switches across answers of ten seconds and open WebSockets, with a drain that waits for them; whether nothing was lost."""
    with tempfile.TemporaryDirectory(prefix="vitrify-long-") as folder:
        project = Project.build(Path(folder) / "at", kind, free_port())
        rehearsal = Rehearsal(project)
        project.drain = "12s"
        try:
            rehearsal.first()
            load = Load(project.url, Path(folder) / "report.json", "--get", "1", "--post", "1", "--slow", "6", "--websockets", "3")
            time.sleep(2)
            rehearsal.run(switches=switches, seed=2)
            report = load.ended()
        finally:
            project.clear()
        print(f"== {kind}, answers of 10 s and WebSockets across {switches} switches, load {os.getloadavg()[0]:.1f}")
        whole = counted(report, project.counts)
        print(f"WebSockets                        {report.data['sockets']}")
        return whole


def peer(name: str, switches: int, clients: list[str]) -> None:
    """The same clients while a peer moves the requests."""
    if not shutil.which(NEEDS.get(name, "sh")):
        print(f"== {name}: {NEEDS[name]} is not on this machine")
        return
    with place() as (folder, counts, port), PEERS[name](folder, counts, port) as move:
        (out := folder / "report.json").touch()
        load, calls = Load(f"http://127.0.0.1:{port}/", out, *clients), []
        time.sleep(1)
        for number in range(1, switches + 1):
            began = time.monotonic()
            move(number % 2)
            calls.append(1000 * (time.monotonic() - began))
            time.sleep(1)
        report = load.ended()
        print(f"== {name}, load {os.getloadavg()[0]:.1f}")
        print(f"switches                          {switches}")
        counted(report, counts)
        row("the call", calls, "ms")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
