"""An audit's sweeps beside the checks of AIDE and Tripwire, of the same tree, in one run: `python benchmarks/audit/compare.py`.

Every time is that of a whole process, from its start to its end: for AIDE `aide --check`; for us an interpreter that makes the
call `audit` as the payload does. All go in turn, so that whatever else the machine does meets all of them; the files are in the
machine's memory but with `--cold`, which lets the kernel forget them before each (needs root).
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.digest import JSON
from vitrify.testing.engine import Engine, wish

HERE = Path(__file__).parent
PEER = "aide --check"
DIFFER = 7
"""AIDE's exit codes up to here say what it found; others that it could not look."""
SHARE = 50
"""A stat-first sweep reads one folder in so many, as `vitrify audit` does."""


@dataclass
class Run:
    """One thing that is measured."""

    command: list[str]
    allowed: int = 0
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    most: int = 0
    """KiB of memory of its largest process."""
    told: str = ""

    def __call__(self) -> None:
        """Once more, as a process of its own."""
        begun = time.perf_counter()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(self.command, stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds.append(time.perf_counter() - begun)
            output.seek(0)
            told = output.read().decode("utf-8", "replace")
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode > self.allowed or process.returncode < 0:
            raise SystemExit(f"{self.command} ended with {process.returncode}: {told[-2000:]}")
        self.processor.append(usage.ru_utime + usage.ru_stime)
        self.most = max(self.most, usage.ru_maxrss)
        self.told = told


def engine(place: Path) -> Engine:
    """This machine as a target that remembers elsewhere."""
    return Engine(Path("/"), time=time.time() + 1, memory=str(place / "memory"))


def look(tree: str, place: Path, *, full: bool, shares: int) -> None:
    """Audit this folder with the payload's own call."""
    answer = engine(place).call("audit", resources=[], folders=[tree], full=full, turn=int(time.time()), shares=shares)
    differ = {*names(answer["baseline"]), *names(answer["sweep"])}
    sys.stdout.write(f"{answer['swept']:,} looked at, {int(str(answer['read'])):,} bytes read, {len(differ)} differ")


def begin(tree: str, place: Path) -> None:
    """Take this folder under management."""
    engine(place).apply(wish("directory", path=tree))


def names(value: JSON) -> list[str]:
    """The keys of a part of an answer."""
    return list(value) if isinstance(value, dict) else []


def aide(tree: str, place: Path, workers: int) -> list[str]:
    """AIDE with the committed configuration; what is to be done is left to be added."""
    given = f"@@define TREE {tree.lstrip('/')}\n@@define PLACE {place}\n@@define WORKERS {workers}"
    return ["aide", "--config", str(HERE / "aide.conf"), "--before", given]


def tripwire(tree: str, place: Path) -> list[str]:
    """Tripwire with the committed policy, its database made; its check."""
    settings, policy = place / "twcfg.txt", place / "twpol.txt"
    policy.write_text((HERE / "twpol.txt").read_text(encoding="utf-8").replace("TREE", tree), encoding="utf-8")
    files = {"POLFILE": "tw.pol", "DBFILE": "tw.twd", "REPORTFILE": "tw.twr", "SITEKEYFILE": "site.key", "LOCALKEYFILE": "local.key"}
    lines = [f"ROOT = {place}", *(f"{name} = {place / file}" for name, file in files.items()), "EDITOR = /bin/false", "REPORTLEVEL = 0"]
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for which in ("site", "local"):
        key = str(place / f"{which}.key")
        _run(["twadmin", "--generate-keys", f"--{which}-keyfile", key, f"--{which}-passphrase", ""])
    site = ["--site-keyfile", str(place / "site.key"), "--site-passphrase", ""]
    _run(["twadmin", "--create-cfgfile", "--cfgfile", str(place / "tw.cfg"), *site, str(settings)])
    _run(["twadmin", "--create-polfile", "--cfgfile", str(place / "tw.cfg"), *site, str(policy)])
    base = ["tripwire", "--cfgfile", str(place / "tw.cfg")]
    _run([base[0], "--init", *base[1:], "--local-passphrase", ""])
    return [base[0], "--check", *base[1:]]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def table(runs: Mapping[str, Run]) -> str:
    """Medians, spread, processor, memory, and how many times faster than the peer."""
    base = statistics.median(runs[PEER].seconds)
    lines = []
    for name, run in runs.items():
        middle = statistics.median(run.seconds)
        times = f"{middle:8.2f} s  ({min(run.seconds):.2f} to {max(run.seconds):.2f})  processor {statistics.median(run.processor):6.2f} s"
        lines.append(
            f"{name:32}{times}  {run.most / 1024:4.0f} MiB  {base / middle:6.1f}x  {run.told if run.told.count(chr(10)) == 0 else ''}"
        )
    return "\n".join(lines) + "\n"


def compare(tree: str, place: Path, *, rounds: int, cold: bool, quick: bool) -> None:
    """Everything's baseline, then the runs."""
    mine = [sys.executable, __file__, "--tree", tree, "--place", str(place)]
    runs = {
        PEER: Run([*aide(tree, place, 1), "--check"], allowed=DIFFER),
        "full sweep": Run([*mine, "--look", "full"]),
        f"stat-first, 1 folder in {SHARE} read": Run([*mine, "--look", "stat", "--shares", str(SHARE)]),
        "stat-first alone": Run([*mine, "--look", "stat"]),
    }
    for what, command in (("aide --init", [*aide(tree, place, 1), "--init"]), ("our first apply", [*mine, "--look", "first"])):
        begun = Run(command)
        begun()
        sys.stdout.write(f"{what}: {begun.seconds[0]:.1f} s, processor {begun.processor[0]:.1f} s, {begun.most / 1024:.0f} MiB\n")
    if not quick:
        runs[f"{PEER}, all cores"] = Run([*aide(tree, place, os.cpu_count() or 1), "--check"], allowed=DIFFER)
    if shutil.which("tripwire") and not quick:
        runs["tripwire --check"] = Run(tripwire(tree, place), allowed=DIFFER)
    for number in range(rounds):
        for run in runs.values():
            if cold:
                forget_files()
            run()
        sys.stdout.write(f"round {number + 1}, load {os.getloadavg()[0]:.1f}\n{table(runs)}")


def forget_files() -> None:
    """Let the kernel forget what it has read: the next look goes to the disk."""
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def main(arguments: list[str]) -> int:
    """Measure and print a table after each round; the last is the one that counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tree", default="/usr")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--quick", action="store_true", help="AIDE with one worker alone beside us")
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--look", choices=("first", "full", "stat"), help=argparse.SUPPRESS)
    parser.add_argument("--shares", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.look == "first":
        begin(chosen.tree, chosen.place)
        return 0
    if chosen.look:
        look(chosen.tree, chosen.place, full=chosen.look == "full", shares=chosen.shares)
        return 0
    if not shutil.which("aide"):
        raise SystemExit("the peer is missing: apt-get install aide")
    with tempfile.TemporaryDirectory() as folder:
        version = subprocess.run(["aide", "--version"], check=True, capture_output=True, text=True).stdout.split("\n")[0]
        machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, {version}"
        sys.stdout.write(f"{chosen.tree}: {machine}\n")
        compare(chosen.tree, Path(folder), rounds=chosen.rounds, cold=chosen.cold, quick=chosen.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
