"""The same 143 resources by ours, Ansible with pipelining, Mitogen, pyinfra and a hand-written script: same machines, same run.

    ./run vitrify version
    .venv/bin/python benchmarks/mutable/compare.py [--hosts N] [--delay MS] [--first-rounds N] [--rounds N] [--peers NAME...]

Needs root and the Debian packages of `requirements/debian.txt`: the hosts are machines with systemd and sshd on this one. The peers are
installed into `~/.cache/vitrify-benchmarks` at the first run. Cold means a new connection, with its handshake; warm, over an open one.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "e2e"))

import workload
from distance import Counted, Distance
from tools_compared import Bench, Spent, clean, end_state, prepare

from fleet import PORT, Control, Fleet, Reached

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("mitogen", "pyinfra", "ansible")


def main(asked: argparse.Namespace) -> None:
    """Boot, measure, and print a table."""
    compileall.compile_dir(ROOT / "src", quiet=1)
    with tempfile.TemporaryDirectory(prefix="vitrify-bench-") as name:
        folder = Path(name)
        fleet = Fleet.begin(folder / "fleet")
        try:
            machines = [fleet.boot() for _ in range(asked.hosts)]
            for machine in machines:
                prepare(machine)
            line = Distance(asked.delay / 1000)
            targets = _targets(fleet, machines, line)
            (folder / "project").mkdir()
            control = Control(folder / "project", folder / "home", fleet.runtime)
            control.home.mkdir()
            for place in ("vitrify", "ansible"):
                (control.runtime / place).mkdir(mode=0o700, exist_ok=True)
            bench = Bench(control, fleet.config, targets)
            print(f"{workload.COUNT} resources, {asked.hosts} hosts, {asked.delay} ms round trip, load {os.getloadavg()[0]:.1f}")
            first_runs(bench, machines, line, asked.peers)
            by_turns(bench, machines, line, asked.first_rounds)
            no_ops(bench, line, asked)
        finally:
            fleet.close()


def _targets(fleet: Fleet, machines: Sequence[Reached], line: Distance) -> list[workload.Target]:
    """Each machine at the near end of a line of its own."""
    targets, pairs = [], []
    for number, machine in enumerate(machines):
        near = f"127.43.{os.getpid() % 250}.{number + 1}"
        fleet.know(near, fleet.folder / f"machine{number + 1}" / "its_key")
        targets.append(workload.Target(f"host{number}", near, PORT))
        pairs.append(((near, PORT), (machine.address, PORT)))
    line.begin(pairs)
    return targets


def first_runs(bench: Bench, machines: Sequence[Reached], line: Distance, peers: Sequence[str]) -> None:
    """Each tool on machines as if none had been there; what they leave must be equal."""
    ended: dict[str, list[str]] = {}
    ways: dict[str, Callable[[], Spent]] = {"one script": bench.script, **{name: getattr(bench, name) for name in peers}}
    for name, way in {**ways, "vitrify": bench.vitrify}.items():
        for machine in machines:
            clean(machine)
        _told(f"{name}, first run", *_cold(bench, line, way))
        ended[name] = [end_state(machine) for machine in machines]
    different = [name for name, states in ended.items() if states != ended["vitrify"]]
    for name in different:
        print(f"the end of {name} is not that of vitrify:\n{ended[name][0]}\n---\n{ended['vitrify'][0]}")
    if different:
        sys.exit(1)
    print(f"equal in the end: {', '.join(ended)}")


def by_turns(bench: Bench, machines: Sequence[Reached], line: Distance, rounds: int) -> None:
    """The script and ours again and again, by turns, on machines as if none had been there: the ratio of their medians."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, way in {"one script": bench.script, "vitrify": bench.vitrify}.items():
            for machine in machines:
                clean(machine)
            found.setdefault(name, []).append(_cold(bench, line, way)[0].seconds)
    if rounds:
        middle = {name: statistics.median(times) for name, times in found.items()}
        told = ", ".join(f"{name} {middle[name]:.2f} s ({min(times):.2f} to {max(times):.2f})" for name, times in found.items())
        print(f"first runs by turns, {rounds} each: {told}; {middle['vitrify'] / middle['one script']:.1f} times")


def no_ops(bench: Bench, line: Distance, asked: argparse.Namespace) -> None:
    """Round by round, so that whatever else the machine does hits all alike."""
    ours: dict[str, Callable[[], Spent]] = {"ssh true": bench.bare, "the floor": bench.read, "vitrify": bench.vitrify}
    found: dict[str, list[tuple[Spent, Counted]]] = {}
    for _ in range(asked.rounds):
        for name, way in ours.items():
            found.setdefault(f"{name}, cold", []).append(_cold(bench, line, way))
            found.setdefault(f"{name}, warm", []).append((way(), line.taken()))
    for _ in range(asked.peer_rounds):
        for name in asked.peers:
            found.setdefault(f"{name}, cold", []).append(_cold(bench, line, getattr(bench, name)))
    for name, times in found.items():
        times.sort(key=lambda one: one[0].seconds)
        middle, counted = times[len(times) // 2]
        between = f"from {times[0][0].seconds:.2f} to {times[-1][0].seconds:.2f}" if len(times) > 1 else ""
        _told(f"{name}, no-op", Spent(middle.seconds, statistics.median(one.cpu for one, _ in times)), counted, between)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _cold(bench: Bench, line: Distance, way: Callable[[], Spent]) -> tuple[Spent, Counted]:
    bench.hang_up()
    line.taken()
    return way(), line.taken()


def _told(name: str, spent: Spent, counted: Counted, between: str = "") -> None:
    said = f"{counted.flips:6,} flips {counted.up:10,} bytes up {counted.connections:4} connections"
    print(f"{name:24} {spent.seconds:8.2f} s   cpu {spent.cpu:7.2f} s {said} {between}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--delay", type=int, default=0, help="milliseconds of a round trip")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--first-rounds", type=int, default=5, help="how often the script and vitrify make their first run, by turns")
    parser.add_argument("--peer-rounds", type=int, default=1)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    main(parser.parse_args())
